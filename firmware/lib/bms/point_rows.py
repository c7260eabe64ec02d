"""The points table: every value that Cellsteward publishes, one line each.

Columns: name | unit | type | count | path | meaning
- type: how links show it: i32, u16, i16 (b16: a bit mask, shown as u16)
- count: how many values (a vector has one slot per cell, sensor or 16-bit word)
- path: who writes it: `fast` (every step, blank while measurements are not valid), `live` (every
  step, always true), `slow` (once a second, blank while measurements are not valid), `count`
  (once a second, always true)

The order is the order of the Modbus telemetry block from 0x0100: only ever append.
Indices count from 0 (`cell_min_index` 0 is the cell next to pack minus); texts for people say
"cell 1" for it.
"""

ROWS = b"""
pack_voltage_mv|mV|i32|1|fast|Voltage of the whole pack, measured at the top of the cell stack
current_ma|mA|i32|1|fast|Pack current, charging positive
power_w|W|i32|1|fast|Pack power, charging positive
soc_bp|0.01%|i32|1|slow|State of charge
charge_voltage_limit_mv|mV|i32|1|count|Highest pack voltage a charger may apply (CVL)
charge_current_limit_ma|mA|i32|1|live|Highest charge current the pack allows now (CCL), 0 when charging is blocked
discharge_current_limit_ma|mA|i32|1|live|Highest discharge current the pack allows now (DCL), sent positive, 0 when blocked
discharge_voltage_limit_mv|mV|i32|1|count|Lowest pack voltage an inverter may discharge to (DVL)
charge_allowed|-|i32|1|live|1 while nothing forbids charging
discharge_allowed|-|i32|1|live|1 while nothing forbids discharging
gates|bits|i32|1|live|Gates that are on, as the chip says (as commanded while it is silent): bit 0 charge, bit 1 discharge
state|-|i32|1|live|What the firmware is doing; see the table of states
uptime_s|s|i32|1|live|Seconds since the processor started
soh_bp|0.01%|i32|1|count|State of health: usable capacity over design capacity
remaining_mah|mAh|i32|1|slow|Charge left in the pack
full_mah|mAh|i32|1|count|Charge the full pack holds today
design_mah|mAh|i32|1|count|Charge the pack held when new
cycles|-|i32|1|count|Equivalent full cycles: discharged charge over design capacity
cell_min_mv|mV|i32|1|fast|Lowest cell voltage
cell_max_mv|mV|i32|1|fast|Highest cell voltage
cell_min_index|-|i32|1|fast|Position of the lowest cell, counting from 0 at pack minus
cell_max_index|-|i32|1|fast|Position of the highest cell, counting from 0 at pack minus
cell_delta_mv|mV|i32|1|fast|Highest minus lowest cell voltage
temperature_min_dc|0.1C|i32|1|fast|Lowest cell temperature
temperature_max_dc|0.1C|i32|1|fast|Highest cell temperature
board_temperature_dc|0.1C|i32|1|fast|Temperature of the board at the switches
measurement_age_ms|ms|i32|1|live|Time since the last complete, plausible measurement
series_cells|-|i32|1|count|Cells in series, as configured
cell_voltage_mv|mV|u16|32|fast|Voltage of each cell, from pack minus up; unused slots are blank
temperature_dc|0.1C|i16|8|fast|Temperature of each cell sensor; unused slots are blank
faults|bits|b16|4|live|Active and latched faults, 16 to a word; see the table of faults
warnings|bits|b16|4|live|Active warnings, same bits as faults
balancing|bits|b16|2|live|Cells being bled now, bit 0 is cell 1
bus_voltage_mv|mV|i32|1|fast|Voltage behind the switches, at the terminals
afe_temperature_dc|0.1C|i32|1|fast|Temperature of the measuring chip
path_state|-|i32|1|live|What the power path is doing; see the table of path states
suspect_lead|-|i32|1|live|Balance lead to look at, counting from 0 at pack minus; -1: none
self_test_failed|bits|b16|1|live|Checks of the start-up self-test that failed; see the table of checks
undervoltage_rebounds|-|i32|1|live|Times the pack emptied again since it was last recharged by 5 %
longest_step_ms|ms|i32|1|live|Longest time between two decisions since the start
lowest_cell_mv|mV|i32|1|live|Lowest resting cell voltage since commissioning, if it was below the deep discharge limit
limited|-|i32|1|live|1 while only a limited current is allowed
outputs|bits|b16|1|live|Outputs that are on: bit 0 alarm relay, 1 heater, 2 fan
boots|-|i32|1|count|Times the processor started
watchdog_resets|-|i32|1|count|Times the watchdog reset the processor within the last ten minutes of running
events_logged|-|i32|1|count|Number of the latest event in the log
afe_cell_overvoltage_trip_mv|mV|i32|1|count|What the measuring chip took for its own trip
afe_cell_overvoltage_delay_ms|ms|i32|1|count|for its delay
afe_cell_overvoltage_release_mv|mV|i32|1|count|and for its release
afe_cell_undervoltage_trip_mv|mV|i32|1|count|What the measuring chip took for its own trip
afe_cell_undervoltage_delay_ms|ms|i32|1|count|for its delay
afe_cell_undervoltage_release_mv|mV|i32|1|count|and for its release
afe_overtemperature_charge_trip_dc|0.1C|i32|1|count|What the measuring chip took for its own trip
afe_overtemperature_charge_release_dc|0.1C|i32|1|count|and for its release
afe_overtemperature_discharge_trip_dc|0.1C|i32|1|count|What the measuring chip took for its own trip
afe_overtemperature_discharge_release_dc|0.1C|i32|1|count|and for its release
afe_undertemperature_charge_trip_dc|0.1C|i32|1|count|What the measuring chip took for its own trip
afe_undertemperature_charge_release_dc|0.1C|i32|1|count|and for its release
afe_undertemperature_discharge_trip_dc|0.1C|i32|1|count|What the measuring chip took for its own trip
afe_undertemperature_discharge_release_dc|0.1C|i32|1|count|and for its release
afe_fast_overcurrent_charge_ma|mA|i32|1|count|What the measuring chip took for its own trip
afe_fast_overcurrent_discharge_ma|mA|i32|1|count|What the measuring chip took for its own trip
afe_fast_overcurrent_delay_ms|ms|i32|1|count|and for the delay of both
afe_short_circuit_trip_ma|mA|i32|1|count|What the measuring chip took for its own trip
afe_short_circuit_delay_us|us|i32|1|count|and for its delay
afe_watchdog_s|s|i32|1|count|What the measuring chip took for its host watchdog
afe_fet_overtemperature_trip_dc|0.1C|i32|1|count|What the measuring chip took for its own trip
afe_fet_overtemperature_release_dc|0.1C|i32|1|count|and for its release
afe_own_overtemperature_trip_dc|0.1C|i32|1|count|What the measuring chip took for its own trip
afe_own_overtemperature_release_dc|0.1C|i32|1|count|and for its release
link_frames_in|-|i32|4|count|Frames understood, by link: CAN, RS485, Modbus TCP, Bluetooth
link_frames_out|-|i32|4|count|Frames or answers sent, by link
link_crc_errors|-|i32|4|count|Damaged frames and bytes that were no frame, by link
link_timeouts|-|i32|4|count|Frames not sent in time or ended half-way, by link
link_unknown|-|i32|4|count|Whole frames that were for others or of an unknown kind, by link
link_age_s|s|i32|4|count|Time since the latest frame for this battery, by link; -1: none yet
link_peer|-|u16|4|count|Who is at the other side, by link; see the table of peers
link_verdict|-|u16|4|count|How the link is, by link; see the table of verdicts
can_transmit_errors|-|i32|1|count|Transmit error counter of the CAN controller
can_receive_errors|-|i32|1|count|Receive error counter of the CAN controller
can_bus_offs|-|i32|1|count|Times the CAN controller left the bus
charged_wh|Wh|i32|1|count|Energy that went into the pack in its life here
discharged_wh|Wh|i32|1|count|Energy that came out of the pack in its life here
capacity_mah|mAh|i32|1|count|Charge between empty and full as measured; the design capacity until it was
capacity_sigma_mah|mAh|i32|1|count|Its uncertainty, one standard deviation
capacity_pairs|-|i32|1|count|Measurements that it rests on
resistance_growth_bp|0.01%|i32|1|count|Resistance of the cells against the first one learned, 10000: as new
deep_cycles|-|i32|1|count|Discharges by half of the charge or more
age_h|h|i32|1|count|Hours that this pack was guarded
weak_cells|bits|b16|2|count|Cells with clearly less capacity than the others, bit 0 is cell 1
leaky_cells|bits|b16|2|count|Cells that discharge themselves clearly faster than the others
cell_resistance_uohm|uohm|u16|16|count|Resistance of each cell within a second, at 25 degrees; blank until learned
charge_phase|-|i32|1|count|What the charge voltage limit is for: 0 bulk, 1 absorption, 2 float, 3 stalled: the charger ended below full
charge_limit_reason|-|i32|1|live|What binds the charge current limit; see the table of reasons
discharge_limit_reason|-|i32|1|live|What binds the discharge current limit; see the table of reasons
full_charge_requested|-|i32|1|count|1 while a full charge is due
force_charge_requested|-|i32|1|count|1 while the pack should be charged soon, from the grid if need be
imbalance_mah|mAh|i32|16|count|Charge that each cell has more than the mean cell, seen from the full end; blank while it is not known
balancing_state|-|i32|1|count|What the balancing does, or why it does nothing; see the table of balancing states
balancing_loss_mwh|mWh|i32|1|count|Energy that the balancing turned into heat since the start
balance_suspect|-|i32|1|count|Cell whose bleeding has no effect, counting from 0; -1: none
soc_estimate_bp|0.01%|i32|1|slow|Estimated state of charge, towards which soc_bp moves slowly
soc_sigma_bp|0.01%|i32|1|slow|Standard deviation of the estimate: the truth is within two of it 19 times in 20
soc_quality|-|i32|1|slow|What the state of charge is worth: 0 unknown, 1 estimating, 2 synced at full or empty
full_age_h|h|i32|1|count|Time since the pack was charged full, counted while the board runs
power_state|-|i32|1|count|How much of the board runs: 0 active, 1 idle, 2 sleep; the fourth, ship, answers nobody
"""
