"""Solis low voltage hybrids, battery type "AoBo".

Source: inverter_can.md 1.8: the profile of SMA, by reports of users. The battery type "Pylon LV"
is the profile `pylontech`. Some needed a transceiver of 3.3 V. UNVERIFIED: there is no document of
Solis for it.
"""

from inverter.conditions import ALWAYS
from inverter.sma import ALARMS, CLEARED, FIELDS, FLAGS, PAIRED, RANGES

__all__ = ("ALARMS", "FIELDS", "FLAGS", "PAIRED", "RANGES")

PERIOD_MIN_MS = 250

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, ALWAYS, bytes(6)),
    (0x356, ALWAYS, bytes(6)),
    (0x35A, ALWAYS, CLEARED),
    (0x35E, ALWAYS, b"SMA     "),
    (0x35F, ALWAYS, b"\xff\xff\x01\0\0\0\xff\xff"),
)
