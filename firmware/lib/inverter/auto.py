"""A superset for inverters whose language is not known: readers of Pylontech and of SMA take it.

Source: inverter_can.md 1.1 ("PYLON V2") and 1.2: the frames of both, without contradiction: 0x359
and 0x35C of Pylontech beside 0x35A and 0x35F of SMA, and the extensions of Venus that say how many
packs there are, their cells and their capacity. Limits stay in SMA's ranges. The name is PYLON.
Not for a Sunny Island, whose document forbids further identifiers: that is the profile `sma`.
While the pack is not measured, frames with measured values are not sent: see inverter.pylontech.
"""

from inverter import pylontech, sma
from inverter.conditions import ALWAYS, MEASURED
from inverter.pylontech import CHARGE_STATE, LIMITS, MEASUREMENTS, MODULES
from inverter.sma import CLEARED, PAIRED, RANGES
from inverter.victron import EXTREMES

__all__ = ("PAIRED", "RANGES")

PERIOD_MIN_MS = 250

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(6)),
    (0x356, MEASURED, bytes(6)),
    (0x359, ALWAYS, b"\0\0\0\0\0PN"),
    (0x35A, ALWAYS, CLEARED),
    (0x35C, ALWAYS, bytes(2)),
    (0x35E, ALWAYS, b"PYLON   "),
    (0x35F, ALWAYS, b"LI\x01\x03\0\0\0\0"),
    (0x372, ALWAYS, bytes(8)),
    (0x373, MEASURED, bytes(8)),
    (0x379, ALWAYS, bytes(8)),
)

FIELDS = (
    LIMITS
    + CHARGE_STATE
    + ((0x355, 4, "<u16", "soc_bp", 1, 1, MEASURED, 0),)
    + MEASUREMENTS
    + MODULES
    + ((0x35F, 4, "<u16", "design_mah", 1, 1000, ALWAYS, 0),)
    + EXTREMES
    + ((0x379, 0, "<u16", "design_mah", 1, 1000, ALWAYS, 0),)
)

FLAGS = pylontech.FLAGS + sma.FLAGS

ALARMS = pylontech.ALARMS + sma.ALARMS
