"""BYD Battery-Box HVS/HVM, as Fronius, GoodWe HV, Solis HV and Deye HV inverters expect it.

Source: inverter_can.md 1.4. Big endian. Nothing is sent until the inverter speaks; it asks for
identification with 0x151. UNVERIFIED: all of it has one source, another implementation.
Limits of the protocol: there is no known alarm (0x190 was never decoded), and limits are told
every 2 s only. While the pack is not measured, 0x110 says 0 A, and 0x150, 0x1D0 and 0x210, which
carry measured values, are not sent.
"""

from inverter.conditions import ALWAYS, ASKED, AWAKE, CHARGE, DISCHARGE, MEASURED

KEEPALIVES = (0x151, 0x091, 0x0D1, 0x111, 0x191)
ASKS = (0x151, 0x01)  # identifier, bit of its first byte
NAME_ID = 0  # the name is part of the identification

_LIVE = AWAKE | MEASURED

# identifier, sent while, constant bytes, period
FRAMES = (
    (0x250, ASKED, b"\x03\x29\0\x66\0\0\x02\x09"),
    (0x290, ASKED, b"\x06\x37\x10\xd9\0\0\0\0"),
    (0x2D0, ASKED, b"\0BYD\0\0\0\0"),
    (0x3D0, ASKED, b"\0Battery"),
    (0x3D0, ASKED, b"\x01-Box Pr"),
    (0x3D0, ASKED, b"\x02emium H"),
    (0x3D0, ASKED, b"\x03VS\0\0\0\0\0"),
    (0x110, AWAKE, bytes(8), 2000),
    (0x150, _LIVE, bytes(8), 10000),
    (0x1D0, _LIVE, b"\0\0\0\0\0\0\x03\x08", 10000),
    (0x210, _LIVE, bytes(8), 10000),
    (0x190, AWAKE, b"\0\0\x03\0\0\0\0\0", 60000),
)

FIELDS = (
    (0x250, 4, ">u16", "@energy_100wh", 1, 1, ALWAYS, 0),
    (0x110, 0, ">u16", "charge_voltage_limit_mv", 1, 100, ALWAYS, 532),
    (0x110, 2, ">u16", "discharge_voltage_limit_mv", 1, 100, ALWAYS, 0),
    (0x110, 4, ">u15", "discharge_current_limit_ma", 1, 100, MEASURED | DISCHARGE, 0),
    (0x110, 6, ">u15", "charge_current_limit_ma", 1, 100, MEASURED | CHARGE, 0),
    (0x150, 0, ">u16", "soc_bp", 1, 1, MEASURED, 0),
    (0x150, 2, ">u16", "soh_bp", 1, 1, MEASURED, 0),
    (0x150, 4, ">u16", "remaining_mah", 1, 100, MEASURED, 0),
    (0x150, 6, ">u16", "full_mah", 1, 100, MEASURED, 0),
    (0x1D0, 0, ">u16", "pack_voltage_mv", 1, 100, MEASURED, 0),
    (0x1D0, 2, ">s16", "current_ma", 1, 100, MEASURED, 0),
    (0x1D0, 4, ">s16", "temperature_max_dc", 1, 1, MEASURED, 0),
    (0x210, 0, ">s16", "temperature_max_dc", 1, 1, MEASURED, 0),
    (0x210, 2, ">s16", "temperature_min_dc", 1, 1, MEASURED, 0),
)
