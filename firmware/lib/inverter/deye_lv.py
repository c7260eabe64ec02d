"""Deye low voltage hybrids, setting "Lithium 00" ("CAN-Bus-protocol-DEYE-low-voltage-V1.2").

Source: inverter_can.md 1.8: Pylontech V1.2 with the name DEYE. A Deye sends 0x305 in answer to
0x356 only, and pauses for seconds now and then: links.md and inverter.link know. It also shows
PYLON, SHEnergy and BYD batteries, see `inverter_name`.
"""

from inverter import pylontech
from inverter.conditions import ALWAYS
from inverter.pylontech import ALARMS, FIELDS, FLAGS

__all__ = ("ALARMS", "FIELDS", "FLAGS")

FRAMES = pylontech.FRAMES[:-1] + ((0x35E, ALWAYS, b"DEYE    "),)
