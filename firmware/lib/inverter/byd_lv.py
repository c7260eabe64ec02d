"""BYD Battery-Box Premium LVS in front of Victron Venus OS.

Source: a capture of such a battery with Venus OS 3.00 (inverter_can.md 1.3 and 1.4). Venus knows
BYD by its name and then has rules of its own: with a charge current limit of 0 it charges with up
to 40 A at 55.0 V at most.
While the pack is not measured, frames with measured values are not sent: see inverter.pylontech.
"""

from inverter.conditions import ALWAYS, MEASURED
from inverter.pylontech import CHARGE_STATE, LIMITS, MEASUREMENTS
from inverter.sma import ALARMS, CLEARED, PAIRED
from inverter.victron import AVAILABLE, EXTREMES, FLAGS, POSITIONS, TOTALS

__all__ = ("ALARMS", "FLAGS", "PAIRED")

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(8)),
    (0x356, MEASURED, bytes(8)),
    (0x35A, ALWAYS, CLEARED),
    (0x35B, ALWAYS, bytes(8)),
    (0x35E, ALWAYS, b"BYD\0\0\0\0\0"),
    (0x35F, MEASURED, b"Li\x01\x17\0\0\0\0"),
    (0x360, ALWAYS, bytes(8)),
    (0x372, ALWAYS, bytes(8)),
    (0x373, MEASURED, bytes(8)),
    (0x374, MEASURED, bytes(8)),
    (0x375, MEASURED, bytes(8)),
    (0x376, MEASURED, bytes(8)),
    (0x377, MEASURED, bytes(8)),
    (0x378, ALWAYS, bytes(8)),
    (0x379, ALWAYS, bytes(8)),
    (0x382, ALWAYS, b"PREMIUM\0"),
)

FIELDS = LIMITS + CHARGE_STATE + MEASUREMENTS + AVAILABLE + EXTREMES + POSITIONS + TOTALS
