"""What the tables of a profile may ask for: conditions of the pack, as bits that are added up.

`inverter.rules` finds them once in each period; `inverter.frames` compares rows with them.
"""

ALWAYS = 0
MEASURED = 1 << 0  # the pack is measured: complete, plausible and new enough
CHARGE = 1 << 1  # charging is allowed
DISCHARGE = 1 << 2  # discharging is allowed
VOLTAGE_LIMIT = 1 << 3  # a charge voltage limit is known
FORCE_CHARGE = 1 << 4  # the pack asks to be charged, from the grid if need be
FORCE_CHARGE_DEEP = 1 << 5  # the same, and it is about to switch itself off
FULL_CHARGE = 1 << 6  # the pack asks to be charged until it is full
CHARGING = 1 << 7  # current flows in
DISCHARGING = 1 << 8  # current flows out
BALANCING = 1 << 9
FAULT = 1 << 10  # something blocks a direction
AWAKE = 1 << 11  # the inverter was heard since the start
ASKED = 1 << 12  # the inverter asked who this is, since the latest set of frames
