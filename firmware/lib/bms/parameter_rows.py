"""The parameters table: every setting, one line each.

Columns: register | name | unit | type | minimum | maximum | default | applies | help
- register: Modbus holding register (hexadecimal); once released it never changes its meaning
- type: u16, i16, i32 (two registers, high word first), secret (u16, write only)
- unit of a choice: the choices, separated by spaces; the value is the choice's position
- minimum, maximum: one value, or four by chemistry (lfp/nmc/lto/sodium)
- default: one value, four by chemistry, or `-`: the builder must say it
- applies: `now`; `afe`: gates open for some seconds while the measuring chip is programmed
  anew; `restart`: after the next restart
Numbers stay below 2**30: larger integers are heap objects on our boards.
Chemistry defaults: LiFePO4, NMC/NCA, LTO and sodium-ion values are the usual data-sheet windows
of such cells (2.5-3.65 V, 3.0-4.2 V, 1.5-2.8 V, 1.5-4.1 V). The limits offered to a charger or an
inverter lie inside them; over-voltage trips lie at the upper end or up to 50 mV beyond it. A cell's
own data sheet goes first.

Absolute limits by chemistry: the widest that data sheets of such cells allow, so that a slip of the
keyboard is refused and no known cell is. A cell's own data sheet goes first. What was looked up:
- LiFePO4: charged to 3.65 V and discharged to 2.5 V, at 0 C and below to 2.0 V; charging 0 to 60 C
  (Lishen LP54173207-202Ah, Rev0 2020, pdfhost.io); 2.0 V in general, charging -10 to 45 C, skin up to
  80 C (TAC IFR26650, machineu.com); 3.65 +-0.05 V (machineu.com, 4 Ah). None above 3.70 V was found:
  the 3.8 V are for yttrium cells (Winston LYP), from memory
- NMC, NCA, LCO: 4.2 V, 2.5 V, charging 0 to 60 C, discharging until 80 C (Samsung INR21700-50S,
  batteryspace.com); 4.35 V (Samsung ICR18650-30B, higherwire.com; CALB NMC, hfh-tech.com, which in
  the cold goes to 2.2 V). Charging below 0 C: none was found; -10 C is what some allow, from memory
- LTO: 2.8 V, 1.7 V, below 0 C 1.5 V (Toshiba SCiB, greencarcongress.com, May 2008); 1.8 to 2.8 V,
  -30 to 60 C (Nichicon SLB, torexsemi.com doc_2091). None above 2.8 V was found: the rest up to 2.9 V
  is room for the trip
- sodium-ion: 3.95 V, 1.8 V, charging -20 to 55 C (TOB-18650, tobmachine.com); 4.1 V, 1.5 V, charging
  -10 to 45 C (Hakadi 18650, MaxMax-embedded/hakadi_soidum_ion_18650); 1.5 to 4.3 V (batterydesign.net)
- deep discharge lies 0.5 V below the under-voltage trip. LFP cells below 2.0 V are brought back with
  0.1 C at most (IFR10440, sunlandpower.com). The floor, about as much lower still, is caution: copper
  was seen to dissolve in cells that others had reversed to -1.4 V (J. Electrochem. Soc. 165, A1639)
  or emptied to -12 % of charge (Sci. Rep. 6, 30248), and how far a cell was before it was measured
  nobody knows
"""

ROWS = b"""
# What the pack is
1000|chemistry|lfp nmc lto sodium|u16|0|3|-|restart|Cell chemistry; every other default follows from it
1001|series_cells|-|u16|3|32|-|restart|Cells in series
1002|design_capacity_mah|mAh|i32|500|1000000|-|now|Capacity of one cell when new, from its data sheet
1004|shunt_microohm|uohm|u16|50|10000|500|afe|Resistance of the current shunt
1005|cell_thermistors|-|u16|1|6|2|restart|Cell temperature sensors fitted, from TS1 on (10 kohm NTC); a stack has half of them on each chip
1006|fet_thermistor|no yes|u16|0|1|0|afe|A sensor at the switches is fitted on HDQ; without it the chip's own temperature stands in
1007|afe_crc|no yes|u16|0|1|0|restart|The measuring chip is a version that talks with CRC
1008|afe_chip|bq76952 bq76920 bq76930 bq76940 bq76952_stack|u16|0|4|0|restart|Which measuring chip the board has: for 3 to 16 cells, 3 to 5, 6 to 10, 9 to 15; two of the first in a stack: 6 to 32
1009|cell_sensor|103at b3380 b3435 b3950 b3977|u16|0|4|0|restart|What the cells' temperature sensors are: Semitec 103AT, or 10 kohm at 25 C with this B; the one at the switches is a 103AT

# The fast path
1010|step_period_ms|ms|u16|20|250|100|restart|Time between two measurements and decisions
1011|afe_watchdog_s|s|u16|1|5|4|afe|The measuring chip opens the gates after this time without the processor

# Protections in software: warning, trip, delay, release, release delay
1020|cell_overvoltage_warn_mv|mV|u16|1500|4500|3600/4180/2750/4100|now|A cell above this is a warning
1021|cell_overvoltage_trip_mv|mV|u16|1500|3800/4350/2900/4300|3650/4220/2800/4150|afe|A cell above this blocks charging
1022|cell_overvoltage_delay_ms|ms|u16|0|5000|1000|afe|for this long
1023|cell_overvoltage_release_mv|mV|u16|1500|4500|3450/4120/2650/4000|afe|until all cells are below this
1024|cell_overvoltage_release_delay_ms|ms|u16|0|60000|5000|now|for this long
1028|cell_undervoltage_warn_mv|mV|u16|1000|4000|2900/3200/1900/2000|now|A cell below this is a warning
1029|cell_undervoltage_trip_mv|mV|u16|2000/2500/1500/1500|4000|2700/3000/1700/1800|afe|A cell below this blocks discharging
102a|cell_undervoltage_delay_ms|ms|u16|0|5000|2000|afe|for this long
102b|cell_undervoltage_release_mv|mV|u16|1000|4000|3000/3300/2000/2300|afe|until all cells are above this
102c|cell_undervoltage_release_delay_ms|ms|u16|0|60000|5000|now|for this long
1030|overcurrent_charge_warn_ma|mA|i32|100|600000|55000|now|A charge current above this is a warning
1032|overcurrent_charge_trip_ma|mA|i32|100|600000|60000|afe|A charge current above this blocks charging
1034|overcurrent_charge_delay_ms|ms|u16|0|60000|3000|now|for this long
1035|overcurrent_charge_release_ma|mA|i32|100|600000|5000|now|until it is below this
1037|overcurrent_charge_release_delay_ms|ms|u16|0|60000|30000|now|for this long
1038|overcurrent_discharge_warn_ma|mA|i32|100|600000|110000|now|A discharge current above this is a warning
103a|overcurrent_discharge_trip_ma|mA|i32|100|600000|120000|afe|A discharge current above this blocks discharging
103c|overcurrent_discharge_delay_ms|ms|u16|0|60000|3000|now|for this long
103d|overcurrent_discharge_release_ma|mA|i32|100|600000|5000|now|until it is below this
103f|overcurrent_discharge_release_delay_ms|ms|u16|0|60000|30000|now|for this long
1040|overtemperature_charge_warn_dc|0.1C|i16|0|900|450|now|A cell warmer than this is a warning
1041|overtemperature_charge_trip_dc|0.1C|i16|0|600|500|afe|A cell warmer than this blocks charging
1042|overtemperature_charge_delay_ms|ms|u16|0|60000|2000|afe|for this long
1043|overtemperature_charge_release_dc|0.1C|i16|0|900|450|afe|until all cells are cooler than this
1044|overtemperature_charge_release_delay_ms|ms|u16|0|60000|10000|now|for this long
1048|overtemperature_discharge_warn_dc|0.1C|i16|0|900|550|now|A cell warmer than this is a warning
1049|overtemperature_discharge_trip_dc|0.1C|i16|0|800|600|afe|A cell warmer than this blocks discharging
104a|overtemperature_discharge_delay_ms|ms|u16|0|60000|2000|afe|for this long
104b|overtemperature_discharge_release_dc|0.1C|i16|0|900|550|afe|until all cells are cooler than this
104c|overtemperature_discharge_release_delay_ms|ms|u16|0|60000|10000|now|for this long
1050|undertemperature_charge_warn_dc|0.1C|i16|-400|400|50/50/-200/-50|now|A cell colder than this is a warning
1051|undertemperature_charge_trip_dc|0.1C|i16|-100/-100/-300/-200|400|0/0/-300/-100|afe|A cell colder than this blocks charging
1052|undertemperature_charge_delay_ms|ms|u16|0|60000|2000|afe|for this long
1053|undertemperature_charge_release_dc|0.1C|i16|-400|400|30/30/-250/-70|afe|until all cells are warmer than this
1054|undertemperature_charge_release_delay_ms|ms|u16|0|60000|10000|now|for this long
1058|undertemperature_discharge_warn_dc|0.1C|i16|-400|400|-150/-150/-300/-250|now|A cell colder than this is a warning
1059|undertemperature_discharge_trip_dc|0.1C|i16|-400|400|-200/-200/-350/-300|afe|A cell colder than this blocks discharging
105a|undertemperature_discharge_delay_ms|ms|u16|0|60000|2000|afe|for this long
105b|undertemperature_discharge_release_dc|0.1C|i16|-400|400|-150/-150/-300/-250|afe|until all cells are warmer than this
105c|undertemperature_discharge_release_delay_ms|ms|u16|0|60000|10000|now|for this long
1060|stack_mismatch_warn_mv|mV|u16|50|5000|250|now|Sum of cells and stack voltage further apart than this is a warning
1061|stack_mismatch_trip_mv|mV|u16|50|5000|500|now|Sum of cells and stack voltage further apart than this opens both gates
1062|stack_mismatch_delay_ms|ms|u16|0|5000|1000|now|for this long
1063|stack_mismatch_release_mv|mV|u16|50|5000|200|now|until they agree within this
1064|stack_mismatch_release_delay_ms|ms|u16|0|60000|5000|now|for this long

1100|pack_overvoltage_warn_mv|mV|u16|1500|4500|3580/4160/2730/4080|now|Pack voltage over its number of cells: above this is a warning
1101|pack_overvoltage_trip_mv|mV|u16|1500|3800/4350/2900/4300|3620/4190/2770/4120|now|Pack voltage over its number of cells: above this blocks charging
1102|pack_overvoltage_delay_ms|ms|u16|0|10000|2000|now|for this long
1103|pack_overvoltage_release_mv|mV|u16|1500|4500|3450/4120/2650/4000|now|until it is below this
1104|pack_overvoltage_release_delay_ms|ms|u16|0|60000|5000|now|for this long
1108|pack_undervoltage_warn_mv|mV|u16|1000|4000|2950/3250/1950/2050|now|Pack voltage over its number of cells: below this is a warning
1109|pack_undervoltage_trip_mv|mV|u16|2000/2500/1500/1500|4000|2800/3050/1750/1850|now|Pack voltage over its number of cells: below this blocks discharging
110a|pack_undervoltage_delay_ms|ms|u16|0|10000|3000|now|for this long
110b|pack_undervoltage_release_mv|mV|u16|1000|4000|3000/3300/2000/2300|now|until it is above this
110c|pack_undervoltage_release_delay_ms|ms|u16|0|60000|5000|now|for this long
1110|fet_overtemperature_warn_dc|0.1C|i16|0|1100|750|now|Switches warmer than this are a warning
1111|fet_overtemperature_trip_dc|0.1C|i16|0|1100|850|afe|Switches warmer than this open both gates
1112|fet_overtemperature_delay_ms|ms|u16|0|60000|2000|afe|for this long
1113|fet_overtemperature_release_dc|0.1C|i16|0|1100|700|afe|until they are cooler than this
1114|fet_overtemperature_release_delay_ms|ms|u16|0|60000|10000|now|for this long
1118|afe_overtemperature_warn_dc|0.1C|i16|0|1100|700|now|A measuring chip warmer than this is a warning
1119|afe_overtemperature_trip_dc|0.1C|i16|0|1100|800|afe|A measuring chip warmer than this opens both gates
111a|afe_overtemperature_delay_ms|ms|u16|0|60000|2000|afe|for this long
111b|afe_overtemperature_release_dc|0.1C|i16|0|1100|650|afe|until it is cooler than this
111c|afe_overtemperature_release_delay_ms|ms|u16|0|60000|10000|now|for this long
1120|cell_imbalance_warn_mv|mV|u16|20|3000|300|now|Cells further apart than this are a warning
1121|cell_imbalance_trip_mv|mV|u16|20|3000|900/1000/900/1500|now|Cells further apart than this block charging
1122|cell_imbalance_delay_ms|ms|u16|0|60000|10000|now|for this long
1123|cell_imbalance_release_mv|mV|u16|20|3000|600/700/600/1000|now|until they are closer than this
1124|cell_imbalance_release_delay_ms|ms|u16|0|60000|10000|now|for this long

# A pack that was emptied too far, and currents that may only be small
1128|deep_discharge_trip_mv|mV|u16|1500/2000/1000/1000|3500|2000/2500/1300/1400|now|A cell below this opens both gates until a person acknowledges it
1129|deep_discharge_delay_ms|ms|u16|500|60000|5000|now|for this long
112a|cell_floor_mv|mV|u16|1000/1500/500/400|3000|1500/2000/1000/1000|now|A resting cell below this is never charged again
112b|undervoltage_release_ma|mA|u16|50|20000|500|now|An empty pack discharges again only after a charge current above this, or a person's command
112c|undervoltage_rebounds_max|-|u16|0|10|3|now|So often it may empty again without 5 % recharge between; then only a person's command helps
1130|limited_current_warn_ma|mA|i32|100|100000|5000|now|Current offered to a deeply discharged pack, and expected as the first current of a new one
1132|limited_current_trip_ma|mA|i32|200|200000|10000|now|While only a limited current is allowed, more than this opens both gates
1134|limited_current_delay_ms|ms|u16|0|5000|500|now|for this long

# What can not be
1138|gates_off_current_ma|mA|u16|100|20000|1000|now|With all gates off, more current than this is a failed switch
1139|gates_off_current_delay_ms|ms|u16|200|10000|2000|now|for this long
113a|gate_mismatch_ms|ms|u16|300|10000|2000|now|Gates may differ from their command for this long
113b|thermistor_frozen_dc|0.1C|u16|10|500|100|now|A sensor that stands still while the others move by this is frozen; a single one, while the chip moves by twice this
113c|thermistor_frozen_s|s|u16|60|36000|1800|now|but only after it stood still for this long; a single one, for four times this
113d|overrun_ms|ms|u16|300|2000|1500|now|Late steps (more than two periods) may take this long together; the three flash erases of a saved configuration take up to 1.2 s

# The power path: what switches the current
1140|power_path|common_port separate_ports contactor|u16|0|2|0|restart|Switches on a common port, separate charge and discharge ports, or contactors
1141|fet_side|high low|u16|0|1|0|restart|Side of the pack the switches are on; low needs isolated RS485 and CAN
1142|predischarge|no yes|u16|0|1|0|restart|A predischarge switch fills an inverter's capacitors before the discharge gate closes
1143|body_diode_ma|mA|u16|100|20000|500|restart|With one direction blocked: more current the other way closes the blocked FET too; more the blocked way opens contactors
1144|precharge_ohm|ohm|u16|1|2000|47|restart|Precharge or predischarge resistor
1145|precharge_max_j|J|u16|1|10000|400|restart|Energy that the cold resistor bears
1146|precharge_cooldown_s|s|u16|1|3600|60|restart|Time in which it gives that energy off
1147|precharge_time_max_ms|ms|u16|100|2400|2000|restart|A precharge that takes longer has failed
1148|precharge_ratio_permille|0.1%|u16|800|990|950|restart|Precharged: the bus has this share of the pack voltage
1149|precharge_end_ma|mA|i32|10|50000|500|restart|and the current has fallen below this
114b|contactor_poles|-|u16|1|2|1|restart|Contactors: positive pole alone, or positive and negative
114c|contactor_aux|no yes|u16|0|1|0|restart|The contactors have auxiliary contacts
114d|contactor_settle_ms|ms|u16|20|1000|200|restart|A contactor has moved after this time
114e|contactor_break_max_ma|mA|i32|1000|1000000|250000|restart|Highest current that the contactors can break
1150|contactor_ramp_ms|ms|u16|0|1300|700|restart|Before a contactor opens, limits are 0 for this long, so that the current can fall
1151|contactor_open_ma|mA|i32|100|100000|5000|restart|Below this current a contactor opens without waiting
1153|fuse_wait_ms|ms|u16|100|5000|1000|restart|Above the breaking current the fuse is waited for, for this long
1154|contactor_bleed_s|s|u16|0|600|0|restart|Time in which the open bus empties itself; 0: it does not, and welds show by contacts only
1155|interlock|no yes|u16|0|1|0|restart|An interlock or emergency stop loop is connected; broken, it opens everything
1156|current_sensor|afe ina228|u16|0|1|0|restart|What measures the current: the measuring chip's shunt or an INA228
1157|ina228_shunt_microohm|uohm|u16|10|5000|100|restart|Resistance of the INA228's shunt

# Outputs
1158|alarm_relay|no yes|u16|0|1|0|restart|A relay that closes while a fault blocks a direction
1159|heater|no yes|u16|0|1|0|restart|A heater output
115a|heater_on_dc|0.1C|i16|-400|400|50|now|The heater starts when a cell is colder than this and power comes in
115b|heater_off_dc|0.1C|i16|-400|500|100|now|until all cells are warmer than this
115c|fan|no yes|u16|0|1|0|restart|A fan output
115d|fan_on_dc|0.1C|i16|0|900|400|now|The fan starts when a cell or the board is warmer than this
115e|fan_off_dc|0.1C|i16|0|900|350|now|until all are cooler than this

# Silence of the inverter
1160|link_loss_policy|warn tighten open|u16|0|2|0|now|When an inverter that was heard falls silent: warn, use the warning thresholds as trips, or open
1161|link_loss_s|s|u16|5|3600|60|now|Silence that counts

# Protections that act inside the measuring chip, also when the processor hangs
1070|afe_voltage_margin_mv|mV|u16|20|300|50|afe|The chip's cell voltage trips lie this far beyond the software's
1071|afe_delay_margin_ms|ms|u16|100|1500|1000|afe|The chip's cell voltage trips wait this much longer than the software's
1072|afe_temperature_margin_dc|0.1C|u16|10|100|30|afe|The chip's temperature trips lie this far beyond the software's
1073|fast_overcurrent_charge_ma|mA|i32|100|600000|80000|afe|The chip blocks charging above this current
1075|fast_overcurrent_discharge_ma|mA|i32|100|600000|160000|afe|The chip blocks discharging above this current
1077|fast_overcurrent_delay_ms|ms|u16|10|400|200|afe|for this long
107b|fast_overcurrent_backup_ms|ms|u16|500|5000|1000|now|The software blocks above the same currents, but only after this time
1078|short_circuit_trip_ma|mA|i32|1000|1000000|400000|afe|The chip opens both gates above this discharge current
107a|short_circuit_delay_us|us|u16|15|450|120|afe|for this long

# What the pack allows a charger or an inverter
1080|charge_cell_mv|mV|u16|1500|4500|3500/4150/2700/4050|now|Charge voltage limit per cell
1081|discharge_cell_mv|mV|u16|1000|4000|3000/3300/2000/2300|now|Discharge voltage limit per cell
1082|charge_current_max_ma|mA|i32|0|600000|50000|now|Highest charge current offered to a charger
1084|discharge_current_max_ma|mA|i32|0|600000|100000|now|Highest discharge current offered to an inverter

# State of charge
1090|full_cell_mv|mV|u16|1500|4500|3450/4120/2680/4020|now|The pack is full when a cell is above this
1091|full_current_ma|mA|i32|10|100000|5000|now|while the charge current is below this
1093|full_hold_s|s|u16|10|3600|180|now|for this long
1094|empty_cell_mv|mV|u16|1000|4000|2900/3150/1850/1950|now|The pack is empty when a cell is below this
1095|empty_hold_s|s|u16|1|600|10|now|for this long
1096|soc_slew_bp|0.01%|u16|1|10000|100|now|The reported state of charge moves towards a better estimate by this much a minute

# Health
1180|counter_offset_bp|0.01%|u16|1|100|10|now|The charge counter may be wrong by this much of the design capacity in an hour

# Charge phases, and how fast limits move
11a0|float_cell_mv|mV|u16|1500|4500|3375/4100/2600/3950|now|Charge voltage limit per cell once the pack is full
11a1|rebulk_cell_mv|mV|u16|1000|4500|3300/3950/2350/3600|now|Full no longer: the mean cell is at or below this for five minutes
11a2|rebulk_depth_bp|0.01%|u16|100|9000|1000|now|or more than this of the charge has gone
11a3|absorption_max_min|min|u16|1|1440|120|now|Longest time at the top, whatever the current does
11a4|full_charge_days|-|u16|0|365|14/0/14/0|now|A full charge is asked for after so many days without one; 0: never
11a5|force_charge_on_soc_bp|0.01%|u16|0|9000|500|now|Charging is asked for, from the grid if need be, below this state of charge
11a6|force_charge_off_soc_bp|0.01%|u16|0|9900|1000|now|until it is at least this
11a7|charge_taper_soc_bp|0.01%|u16|0|10000|9800|now|The charge current limit falls to a quarter from this state of charge
11a8|charge_taper_end_soc_bp|0.01%|u16|100|20000|10000|now|to this one
11a9|discharge_taper_soc_bp|0.01%|u16|0|10000|500|now|The discharge current limit falls to a quarter from this state of charge
11aa|discharge_taper_end_soc_bp|0.01%|u16|0|9900|0|now|to this one
11ab|limit_rise_s|s|u16|5|3600|60|now|Time in which a current limit rises from 0 to its most
11ac|limit_fall_s|s|u16|1|60|2|now|and in which it falls; a fault needs no time
11ad|charge_voltage_rise_mv_min|mV/min|u16|1|1000|60|now|The charge voltage limit per cell rises so fast
11ae|charge_voltage_fall_mv_min|mV/min|u16|1|1000|6|now|and falls so fast, from absorption to float
11af|charge_voltage_retreat_mv_s|mV/s|u16|1|100|5|now|but so fast at most when a cell runs ahead
11b0|sensor_delay_s|s|u16|30|1800|300|now|Time in which a temperature sensor follows its cells
11b1|heat_capacity_j_k_ah|J/K/Ah|u16|5|200|19/15/45/25|now|Heat that warms a cell by 1 K, for each Ah of its capacity

# Balancing
1190|balancing_enabled|no yes|u16|0|1|1|now|Bleed the cells that have more charge than the others
1191|balance_start_permille|0.1%|u16|1|100|3|now|A cell that surely has so much of the capacity more than the lowest one is bled
1192|balance_start_mv|mV|u16|3|100|8|now|Near the top a cell this far above the lowest one is bled, down to half of it
1193|balance_top_mv|mV|u16|1500|4500|3400/4050/2600/3950|now|Near the top: the highest cell is above this
1194|balance_ohm|ohm|u16|10|2000|65|now|A cell's way while it is bled: both input resistors and the chip's switch (BQ76952: 25)
1195|balance_cells_max|-|u16|1|16|8|now|Most cells that are bled at a time; neighbours never are
1196|balance_power_max_mw|mW|u16|2000|20000|2000|now|Most heat that all of them may make on the board
1197|balance_cell_min_dc|0.1C|i16|-400|400|0|now|With a cell colder than this nothing is bled
1198|balance_cell_max_dc|0.1C|i16|0|700|450|now|With a cell warmer than this nothing is bled
1199|balance_board_max_dc|0.1C|i16|0|1000|600|now|With the board or the measuring chip warmer than this nothing is bled, until it is 5 degrees cooler
119a|balance_charge_min_bp|0.01%|u16|0|9000|3000|now|Below this state of charge nothing is bled
119b|balance_idle_h|h|u16|1|144|24|now|So long after the latest charging nothing is bled any more

# Low power
11d0|idle_after_s|s|u16|0|65000|600|now|After this time without current and traffic on the links, a minute at least, decisions come more seldom; 0: never
11d1|sleep_after_s|s|u16|0|65000|3600|now|After this time the measuring chip may sleep, too; its protections stay on; 0: never
11d2|idle_current_ma|mA|u16|20|5000|200|now|Less than this is no current
11d3|processor_sleep|no yes|u16|0|1|0|now|The processor sleeps between two decisions while the chip sleeps; frames on RS485 are lost meanwhile
11d4|ship_cell_mv|mV|u16|1000|4000|2500/2800/1500/1600|now|An empty pack switches itself off when a cell stays below this
11d5|ship_after_min|min|u16|0|10080|60|now|for this long, at rest and without a charger; 0: never

# Links
10a0|modbus_address|-|u16|1|247|1|restart|Modbus address on RS485
10a1|modbus_baud|9600 19200 38400 57600 115200|u16|0|4|0|restart|Speed on RS485, whatever the language, 8 data bits, no parity, 1 stop bit
10a2|inverter_profile|none pylontech pylontech_v13 victron sma byd_lv byd_hv growatt_lv goodwe_lv deye_lv solark luxpower sofar solis seplos auto|u16|0|15|1|restart|Language spoken to the inverter over CAN
10a3|can_bitrate_kbit|125 250 500|u16|0|2|2|restart|Speed of the CAN bus
10a4|access_code|-|secret|0|65535|0|now|Unlocks writes over a bus for a while; 0: a bus may never write
10a5|access_minutes|min|u16|1|60|10|now|How long writes stay unlocked
11c0|rs485_protocol|auto modbus pylontech jbd|u16|0|3|0|restart|Language on RS485; auto answers Modbus RTU, Pylontech and JBD masters, each in its own
11c1|pylontech_address|-|u16|0|255|0|restart|Address for Pylontech RS485, 2 and up; 0: the only battery on the line, which speaks for every group
11c2|modbus_tcp_port|-|u16|0|65534|0|restart|Port for Modbus TCP, usually 502; 0: off
11c3|modbus_tcp_idle_s|s|u16|5|3600|60|restart|A client that asks nothing for this long is hung up on
11c4|modbus_tcp_client_1_net|octets|u16|0|65534|0|now|First half of the address of a client that may connect, such as 192.168
11c5|modbus_tcp_client_1_host|octets|u16|0|65534|0|now|Second half, such as 1.20; 0.0: every client of that net
11c6|modbus_tcp_client_2_net|octets|u16|0|65534|0|now|The same for a second client
11c7|modbus_tcp_client_2_host|octets|u16|0|65534|0|now|The same for a second client
11c8|modbus_tcp_client_3_net|octets|u16|0|65534|0|now|The same for a third client
11c9|modbus_tcp_client_3_host|octets|u16|0|65534|0|now|The same for a third client

# What an inverter is told over CAN
10b0|inverter_period_ms|ms|u16|0|5000|0|restart|Time between two sets of frames; 0: as the profile has it
10b1|inverter_name|profile pylon byd goodwe deye seplos sma|u16|0|6|0|restart|Maker's name that the inverter is told; it chooses its quirks by it
10b2|inverter_modules|-|u16|1|16|1|now|Packs in parallel that the inverter is shown
10b3|inverter_voltage_unit|profile 10mv 100mv|u16|0|2|0|restart|Unit of the pack voltage in frame 0x356, where the inverter shows a tenth or ten times of it
10b4|inverter_forced_soc|no yes|u16|0|1|0|now|For inverters that ignore limits: tell 100 % when the pack takes nothing, 0 % when it gives nothing
10b5|inverter_voltage_fall_s|s|u16|1|600|180|now|Below the pack voltage, the charge voltage limit falls by 0.1 V in this time
"""

ORDER = b"""
# Pairs that must hold as `lower < higher` (read `<=` where written so), checked as a whole.
cell_overvoltage_release_mv < cell_overvoltage_trip_mv
cell_overvoltage_warn_mv <= cell_overvoltage_trip_mv
cell_undervoltage_trip_mv < cell_undervoltage_release_mv
cell_undervoltage_trip_mv <= cell_undervoltage_warn_mv
cell_undervoltage_release_mv < cell_overvoltage_release_mv
overcurrent_charge_warn_ma <= overcurrent_charge_trip_ma
overcurrent_charge_release_ma < overcurrent_charge_trip_ma
overcurrent_charge_trip_ma < fast_overcurrent_charge_ma
overcurrent_discharge_warn_ma <= overcurrent_discharge_trip_ma
overcurrent_discharge_release_ma < overcurrent_discharge_trip_ma
overcurrent_discharge_trip_ma < fast_overcurrent_discharge_ma
fast_overcurrent_discharge_ma < short_circuit_trip_ma
overtemperature_charge_warn_dc <= overtemperature_charge_trip_dc
overtemperature_charge_release_dc < overtemperature_charge_trip_dc
overtemperature_discharge_warn_dc <= overtemperature_discharge_trip_dc
overtemperature_discharge_release_dc < overtemperature_discharge_trip_dc
undertemperature_charge_trip_dc <= undertemperature_charge_warn_dc
undertemperature_charge_trip_dc < undertemperature_charge_release_dc
undertemperature_discharge_trip_dc <= undertemperature_discharge_warn_dc
undertemperature_discharge_trip_dc < undertemperature_discharge_release_dc
undertemperature_charge_release_dc < overtemperature_charge_release_dc
undertemperature_discharge_release_dc < overtemperature_discharge_release_dc
stack_mismatch_warn_mv <= stack_mismatch_trip_mv
stack_mismatch_release_mv < stack_mismatch_trip_mv
pack_overvoltage_warn_mv <= pack_overvoltage_trip_mv
pack_overvoltage_release_mv < pack_overvoltage_trip_mv
pack_undervoltage_trip_mv <= pack_undervoltage_warn_mv
pack_undervoltage_trip_mv < pack_undervoltage_release_mv
pack_undervoltage_release_mv < pack_overvoltage_release_mv
fet_overtemperature_warn_dc <= fet_overtemperature_trip_dc
fet_overtemperature_release_dc < fet_overtemperature_trip_dc
afe_overtemperature_warn_dc <= afe_overtemperature_trip_dc
afe_overtemperature_release_dc < afe_overtemperature_trip_dc
cell_imbalance_warn_mv <= cell_imbalance_trip_mv
cell_imbalance_release_mv < cell_imbalance_trip_mv
deep_discharge_trip_mv < cell_undervoltage_trip_mv
cell_floor_mv < deep_discharge_trip_mv
limited_current_warn_ma < limited_current_trip_ma
limited_current_trip_ma <= overcurrent_charge_trip_ma
fast_overcurrent_delay_ms < fast_overcurrent_backup_ms
contactor_open_ma < contactor_break_max_ma
contactor_settle_ms < precharge_time_max_ms
heater_on_dc < heater_off_dc
fan_off_dc < fan_on_dc
charge_cell_mv < pack_overvoltage_warn_mv
pack_undervoltage_warn_mv < discharge_cell_mv
charge_cell_mv < cell_overvoltage_warn_mv
cell_undervoltage_warn_mv < discharge_cell_mv
discharge_cell_mv < charge_cell_mv
full_cell_mv <= charge_cell_mv
float_cell_mv <= charge_cell_mv
rebulk_cell_mv < float_cell_mv
discharge_cell_mv < rebulk_cell_mv
force_charge_on_soc_bp < force_charge_off_soc_bp
charge_taper_soc_bp < charge_taper_end_soc_bp
discharge_taper_end_soc_bp < discharge_taper_soc_bp
empty_cell_mv < full_cell_mv
balance_top_mv < cell_overvoltage_warn_mv
balance_cell_min_dc < balance_cell_max_dc
charge_current_max_ma <= overcurrent_charge_trip_ma
discharge_current_max_ma <= overcurrent_discharge_trip_ma
"""
