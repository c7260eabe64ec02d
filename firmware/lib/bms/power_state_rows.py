"""The states of bms.power_states, one row each; docs/low-power.md shows them.

Columns: name | ms between two decisions, 0: as set | measuring chip | may the processor sleep |
who protects | what ends it
"""

ROWS = b"""
active|0|normal|no|software and chip, within the worst-case times|-
idle|250|normal|no|the same; software decides every 250 ms|current, charger, a frame on a bus, a line on the console, a command, anything wrong
sleep|1000|sleep|yes|the chip's current and voltage trips as before, its temperature trips once a second; software once a second, and as in `active` from the first sign on|the same; the chip's own watch for current wakes it without the processor
ship|0|off|yes|nothing: both gates are open, nothing measures|a charger at the terminals, or the button at the chip
"""
