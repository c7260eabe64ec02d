"""Pylontech's newer firmware (V1.3, as US5000 batteries send it).

Source: captures of two US5000 (inverter_can.md 1.1, "Pylontech firmware V1.3"): 0x359 and 0x35C
are gone, 0x35A and 0x35F took their place. A healthy battery says nothing at all in 0x35A; the
pairs of SMA (inverter_can.md 1.2) are used from the first alarm on, so that whoever heard it also
hears that it is over. That real batteries raise alarms there is UNVERIFIED.
While the pack is not measured 0x355 and 0x356 are not sent: see inverter.pylontech.
"""

from inverter.conditions import ALWAYS, MEASURED
from inverter.pylontech import CHARGE_STATE, LIMITS, MEASUREMENTS
from inverter.sma import ALARMS, FLAGS, PAIRED

__all__ = ("ALARMS", "FLAGS", "PAIRED")

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(6)),
    (0x356, MEASURED, bytes(6)),
    (0x35A, ALWAYS, bytes(8)),
    (0x35E, ALWAYS, b"PYLON   "),
    (0x35F, ALWAYS, b"LI\x01\x03\0\0\xaa\0"),
)

FIELDS = (
    LIMITS + CHARGE_STATE + MEASUREMENTS + ((0x35F, 4, "<u16", "design_mah", 1, 1000, ALWAYS, 0),)
)

RECALLED = 0x35A
