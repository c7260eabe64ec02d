"""GoodWe low voltage hybrids ("Goodwe/SMA CAN Bus protocol V1.2").

Source: inverter_can.md 1.2 and 1.8: the layout of SMA with the name GoodWe and another 0x35F. The
document sends every 100 ms, others report that a second is enough; half a second is sent.
UNVERIFIED: code of the chemistry in 0x35F (0 is sent); padding of the name.
"""

from inverter.conditions import ALWAYS
from inverter.sma import ALARMS, CLEARED, FIELDS, FLAGS, PAIRED, RANGES

__all__ = ("ALARMS", "FIELDS", "FLAGS", "PAIRED", "RANGES")

PERIOD_MS = 500
PERIOD_MIN_MS = 250

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, ALWAYS, bytes(6)),
    (0x356, ALWAYS, bytes(6)),
    (0x35A, ALWAYS, CLEARED),
    (0x35E, ALWAYS, b"GoodWe  "),
    (0x35F, ALWAYS, b"\0\0\x01\0\0\0\x01\0"),  # chemistry, hardware, Ah, software
)
