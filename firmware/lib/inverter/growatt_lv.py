"""Growatt low voltage, "Growatt BMS CAN-Bus-protocol-low-voltage V1.04".

Source: inverter_can.md 1.5. BIG endian. The inverter asks with 0x301 once a second and is answered
with the whole set; without its question the set goes out all the same, once a second.
While the pack is not measured, 0x311 says 0 A, 0x319 that nothing is allowed, 0x312 carries the
system error, and frames with measured values are not sent: the protocol has no mark for "invalid".
Limits: there is no clock in the pack, so the date in 0x320 is 0; above 655 Ah the capacities in
0x314 stop at what 16 bits hold; chemistry is told as LFP. UNVERIFIED: manufacturer code AA BB.
"""

from inverter.conditions import (
    ALWAYS,
    BALANCING,
    CHARGE,
    CHARGING,
    DISCHARGE,
    DISCHARGING,
    FAULT,
    FORCE_CHARGE,
    MEASURED,
)
from inverter.tables import EVERY_OTHER

KEEPALIVES = (0x301,)
ASKS = (0x301, 0)  # every one of them is a question
ANSWERS = True  # as long as it asks, frames are sent in answer alone
NAME_ID = 0

FRAMES = (
    (0x311, ALWAYS, bytes(8)),
    (0x312, ALWAYS, b"\0\0\0\0\0\xaa\xbb\0"),
    (0x313, MEASURED, bytes(8)),
    (0x314, MEASURED, bytes(8)),
    (0x315, MEASURED, bytes(8)),
    (0x316, MEASURED, bytes(8)),
    (0x317, MEASURED, bytes(8)),
    (0x318, MEASURED, bytes(8)),
    (0x319, ALWAYS, bytes(8)),
    (0x320, ALWAYS, b"CS\x01\x01\0\0\0\0"),
    (0x321, ALWAYS, bytes(8)),
)

FIELDS = (
    (
        (0x311, 0, ">u16", "charge_voltage_limit_mv", 1, 100, ALWAYS, 532),
        (0x311, 2, ">u15", "charge_current_limit_ma", 1, 100, MEASURED | CHARGE, 0),
        (0x311, 4, ">u15", "discharge_current_limit_ma", 1, 100, MEASURED | DISCHARGE, 0),
        (0x312, 4, ">u8", "@modules", 1, 1, ALWAYS, 1),
        (0x312, 7, ">u8", "series_cells", 1, 1, ALWAYS, 0),
        (0x313, 0, ">s16", "pack_voltage_mv", 1, 10, MEASURED, 0),
        (0x313, 2, ">s16", "current_ma", 1, 100, MEASURED, 0),
        (0x313, 4, ">s16", "temperature_max_dc", 1, 1, MEASURED, 0),
        (0x313, 6, ">u8", "soc_bp", 1, 100, MEASURED, 0),
        (0x313, 7, ">u8", "soh_bp", 1, 100, MEASURED, 0),
        (0x314, 0, ">u16", "remaining_mah", 1, 10, MEASURED, 0),
        (0x314, 2, ">u16", "full_mah", 1, 10, MEASURED, 0),
        (0x314, 4, ">u16", "cell_delta_mv", 1, 1, MEASURED, 0),
        (0x314, 6, ">u16", "cycles", 1, 1, MEASURED, 0),
    )
    + tuple(
        (0x315 + cell // 4, 2 * (cell % 4), ">u16", "cell_voltage_mv:%d" % cell, 1, 1, MEASURED, 0)
        for cell in range(16)
    )
    + (
        (0x319, 1, ">u16", "cell_max_mv", 1, 1, MEASURED, 0),
        (0x319, 3, ">u16", "cell_min_mv", 1, 1, MEASURED, 0),
        (0x319, 5, ">u8", "cell_max_index", 1, 1, MEASURED, 0, 1),
        (0x319, 6, ">u8", "cell_min_index", 1, 1, MEASURED, 0, 1),
    )
)

# Bits 0 to 7 of the status word are in byte 7, 8 to 15 in byte 6.
FLAGS = (
    (0x311, 7, 0, MEASURED, CHARGING),  # 01 standby, 10 charge, 11 discharge
    (0x311, 7, 1, CHARGING, ALWAYS),
    (0x311, 7, 1, DISCHARGING, ALWAYS),
    (0x311, 7, 2, FAULT, ALWAYS),
    (0x311, 7, 3, BALANCING, ALWAYS),
    (0x311, 7, 5, MEASURED | DISCHARGE, ALWAYS),
    (0x311, 7, 6, MEASURED | CHARGE, ALWAYS),
    (0x311, 6, 2, MEASURED, CHARGING),  # the same code again
    (0x311, 6, 3, CHARGING, ALWAYS),
    (0x311, 6, 3, DISCHARGING, ALWAYS),
    (0x312, 1, 3, ALWAYS, MEASURED),  # system error
    (0x319, 0, 7, MEASURED | CHARGE, ALWAYS),
    (0x319, 0, 6, MEASURED | DISCHARGE, ALWAYS),
    (0x319, 0, 5, FORCE_CHARGE, ALWAYS),
)

ALARMS = (
    (0x312, 0, 7, 2, 7, "overcurrent_discharge fast_overcurrent_discharge"),
    (0x312, 0, 6, 2, 6, "overcurrent_charge fast_overcurrent_charge"),
    (0x312, 0, 5, 3, 0, "short_circuit"),
    (0x312, 0, 4, 2, 4, "cell_overvoltage"),
    (0x312, 0, 3, 2, 3, "cell_undervoltage deep_discharge cell_below_floor"),
    (0x312, 0, 2, 2, 2, "pack_overvoltage"),
    (0x312, 0, 1, 2, 1, "pack_undervoltage"),
    (0x312, 0, 0, 3, 0, "precharge_failed"),  # soft start failed
    (0x312, 1, 7, 3, 7, "overtemperature_discharge fet_overtemperature afe_overtemperature"),
    (0x312, 1, 6, 3, 6, "overtemperature_charge"),
    (0x312, 1, 5, 3, 5, "undertemperature_discharge"),
    (0x312, 1, 4, 3, 4, "undertemperature_charge"),
    (0x312, 1, 2, 3, 2, "cell_imbalance"),
    (0x312, 1, 3, 3, 0, EVERY_OTHER),  # system error, internal communication
)
