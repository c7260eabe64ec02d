"""The faults table: every fault once, with its bit, what it blocks and what to do about it.

Columns: name | blocks (c charge, d discharge, cd both, - nothing; with ! it allows no delay, as
whatever blocks both) | latching (y: stays until a person clears it after its cause is gone) | what
it means and what to do
The line number is the bit in the points `faults` and `warnings`, so only ever append.
"""

ROWS = b"""
cell_overvoltage|c|n|A cell is above its limit: let the pack discharge; if it returns, look for a weak cell
cell_undervoltage|d|n|A cell is below its limit: charge the pack
overcurrent_charge|c|n|Charge current above its limit: lower the charger's current
overcurrent_discharge|d|n|Discharge current above its limit: reduce the load
overtemperature_charge|c|n|Cells too warm to charge: let them cool, check the ventilation
overtemperature_discharge|d|n|Cells too warm to discharge: let them cool, check the ventilation
undertemperature_charge|c|n|Cells too cold to charge: warm them
undertemperature_discharge|d|n|Cells too cold to discharge: warm them
stack_mismatch|cd|n|Sum of cells and stack voltage disagree: check balance leads and calibration
afe_lost|cd|n|The measuring chip does not answer: check its supply and the I2C wires
measurement_stale|cd|n|The measuring chip answers but stopped measuring
measurement_implausible|cd|n|The measuring chip reports values no battery has: check leads and sensors
afe_wrong_device|cd|n|Another chip than expected answers: check the board and its configuration
afe_configuration|cd|n|The measuring chip does not keep its settings: it can not protect, replace it
afe_restarted|cd|n|The measuring chip restarted and forgot its settings; it is being programmed again
short_circuit|cd|y|The measuring chip saw a short circuit: find it, then clear this fault
afe_overtemperature|cd|n|The measuring chip is too hot: let it cool
afe_watchdog|cd|n|The measuring chip missed the processor and opened the gates
afe_failed|cd|y|The measuring chip found a permanent failure in itself: replace it
configuration_invalid|cd|n|There is no valid configuration: set it up on the console
step_failed|cd|y|The firmware's own fast path failed: save the log and report it
pack_overvoltage|c|n|The pack is above its limit: lower the charger's voltage
pack_undervoltage|d|n|The pack is empty: charge it
fast_overcurrent_charge|c!|n|A high charge current tripped the fast protection: check the charger
fast_overcurrent_discharge|d!|n|A high discharge current tripped the fast protection: reduce the load
fet_overtemperature|cd|n|The switches are too hot: let them cool, check their cooling
cell_imbalance|c|n|The cells are too far apart to charge: look for a weak cell or a bad contact
deep_discharge|cd|y|A cell was emptied below its minimum: look at it, then acknowledge to charge it slowly
cell_below_floor|cd|y|A cell rested below the floor: it must not be charged again, replace it
gates_off_current|cd|y|Current flows through a gate that is off: a switch has failed, disconnect the pack
gate_mismatch|cd|y|A gate does not do what it is told: a switch or its driver has failed
thermistor_open|cd|n|A temperature sensor's wire is open: mend it
thermistor_short|cd|n|A temperature sensor's wires touch: mend them
thermistor_frozen|cd|n|A temperature sensor stands still while the others or the board move: replace it
cell_wire_open|cd|n|A cell's sense wire is open: see suspect_lead, then mend it
afe_corrupt|cd|n|What the measuring chip sends arrives damaged: check the I2C wires and their length
afe_restarting|cd|y|The measuring chip restarted again and again: check its supply, then clear this fault
fast_path_overrun|cd|n|Decisions came too late: save the log and report it
event_log_failed|-|n|Events can not be written: the flash is failing or was too slow
inverter_lost|-|n|The inverter fell silent: check the cable and the inverter
inverter_required|cd|n|The inverter fell silent, and the settings ask to open then
self_test_failed|cd|y|The start-up self-test failed: see self_test_failed
not_commissioned|cd|n|The wiring was not confirmed yet: `commission` on the console leads through it
boot_loop|cd|y|The watchdog reset the processor three times in ten minutes: save the log and report it
precharge_failed|cd|y|The bus did not fill up in three tries: look for a short or a load that is on
contactor_positive_welded|cd|y|The positive contactor does not open: disconnect the pack, replace it
contactor_negative_welded|cd|y|The negative contactor does not open: disconnect the pack, replace it
precharge_relay_welded|cd|y|The precharge relay does not open: disconnect the pack, replace it
contactor_stuck_open|cd|y|A contactor does not close, or the fuse blew: check the fuse, the coil and its supply
fuse_expected|cd|y|More current flowed than the contactor can break: check fuse and contactor
interlock_open|cd|y|The interlock or emergency stop is open: close it, then clear this fault
current_sensor_lost|cd|n|The current sensor does not answer: check its supply and the I2C wires
limited_current|cd|y|More current flowed than a recovering or new pack may have
undervoltage_rebounds|d|y|The pack emptied again and again: charge it, then clear this fault
afe_trip_unseen|cd|n|The measuring chip opened gates while nobody could hear why
calibration_unused|-|n|The saved calibration is damaged or of another chip: see `calibrate show`, then calibrate
"""
