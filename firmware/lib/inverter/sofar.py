"""Sofar low voltage (ME3000SP, HYD-ES), and "general lithium (AMASS)".

Source: inverter_can.md 1.8: a real Pylontech V1.2 works; what AMASS has beside it (fine state of
charge, remaining Ah, cycles) stands where Pylontech has no bytes. UNVERIFIED: those extras.
A Sofar ignores limits that are all zero; the charge voltage limit is never 0, so they never are.
While the pack is not measured 0x355 and 0x356 are not sent: see inverter.pylontech.
"""

from inverter.conditions import ALWAYS, MEASURED
from inverter.pylontech import ALARMS, CHARGE_STATE, FLAGS, LIMITS, MEASUREMENTS, MODULES

__all__ = ("ALARMS", "FLAGS")

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(8)),
    (0x356, MEASURED, bytes(8)),
    (0x359, ALWAYS, b"\0\0\0\0\0PN"),
    (0x35C, ALWAYS, bytes(2)),
    (0x35E, ALWAYS, b"PYLON   "),
)

FIELDS = (
    LIMITS
    + CHARGE_STATE
    + (
        (0x355, 4, "<u16", "soc_bp", 1, 1, MEASURED, 0),
        (0x355, 6, "<u16", "remaining_mah", 1, 1000, MEASURED, 0),
    )
    + MEASUREMENTS
    + ((0x356, 6, "<u16", "cycles", 1, 1, MEASURED, 0),)
    + MODULES
)
