"""Victron Venus OS, "CAN-bus BMS LV (500 kbit/s)", with all that Venus shows of a battery.

Victron does not publish the protocol. Source: inverter_can.md 1.3, from captures of a BYD LVS and
of a Seplos pack in front of Venus, and from independent decoders: the layout of SMA, 8 bytes
everywhere, and extensions from 0x360 on. Venus chooses its own rules for a battery by the name in
0x35E; a name that it does not know has none, which suits a pack that says what it means.
While the pack is not measured, frames with measured values are not sent: see inverter.pylontech.
Not sent: serial number (0x380, 0x381), which the pack does not have.
UNVERIFIED: 0x35B, which BYD sends as zeros; that energies in 0x378 are in 0.1 kWh (one document
says 0.01 kWh).
"""

from inverter.conditions import ALWAYS, FORCE_CHARGE, MEASURED
from inverter.pylontech import CHARGE_STATE, LIMITS, MEASUREMENTS
from inverter.sma import ALARMS, CLEARED, FLAGS, PAIRED

__all__ = ("ALARMS", "PAIRED")

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(8)),
    (0x356, MEASURED, bytes(8)),
    (0x35A, ALWAYS, CLEARED),
    (0x35B, ALWAYS, bytes(8)),
    (0x35E, ALWAYS, b"CELLSTEW"),
    (0x35F, MEASURED, b"\0\0\0\x01\0\0\0\0"),  # product, firmware (high byte first), Ah, hardware
    (0x360, ALWAYS, bytes(8)),
    (0x370, ALWAYS, b"Cellstew"),
    (0x371, ALWAYS, b"ard\0\0\0\0\0"),
    (0x372, ALWAYS, bytes(8)),
    (0x373, MEASURED, bytes(8)),
    (0x374, MEASURED, bytes(8)),
    (0x375, MEASURED, bytes(8)),
    (0x376, MEASURED, bytes(8)),
    (0x377, MEASURED, bytes(8)),
    (0x378, ALWAYS, bytes(8)),
    (0x379, ALWAYS, bytes(8)),
    (0x382, ALWAYS, b"LV pack\0"),
)

AVAILABLE = ((0x35F, 4, "<u16", "remaining_mah", 1, 1000, MEASURED, 0),)
EXTREMES = (
    (0x372, 0, "<u16", "@modules", 1, 1, ALWAYS, 0),  # online
    (0x372, 2, "<u16", "@charge_blocked", 1, 1, ALWAYS, 0),
    (0x372, 4, "<u16", "@discharge_blocked", 1, 1, ALWAYS, 0),
    (0x373, 0, "<u16", "cell_min_mv", 1, 1, MEASURED, 0),
    (0x373, 2, "<u16", "cell_max_mv", 1, 1, MEASURED, 0),
    (0x373, 4, "<u16", "temperature_min_dc", 1, 10, MEASURED, 0, 273),  # kelvin
    (0x373, 6, "<u16", "temperature_max_dc", 1, 10, MEASURED, 0, 273),
)
POSITIONS = (
    (0x374, 0, "id", "cell_min_index", 1, 1, MEASURED, 0, 1),
    (0x375, 0, "id", "cell_max_index", 1, 1, MEASURED, 0, 1),
    (0x376, 0, "id", "@coldest", 1, 1, MEASURED, 0, 1),
    (0x377, 0, "id", "@warmest", 1, 1, MEASURED, 0, 1),
)
TOTALS = (
    (0x378, 0, "<u32", "charged_wh", 1, 100, ALWAYS, 0),
    (0x378, 4, "<u32", "discharged_wh", 1, 100, ALWAYS, 0),
    (0x379, 0, "<u16", "design_mah", 1, 1000, ALWAYS, 0),
)

FIELDS = (
    LIMITS
    + CHARGE_STATE
    + ((0x355, 4, "<u16", "soc_bp", 1, 1, MEASURED, 0),)
    + MEASUREMENTS
    + ((0x356, 6, "<u16", "cycles", 1, 1, MEASURED, 0),)
    + AVAILABLE
    + EXTREMES
    + POSITIONS
    + TOTALS
)

FLAGS += tuple((0x360, 0, bit, FORCE_CHARGE, ALWAYS) for bit in range(8))  # 0xFF: charge me
