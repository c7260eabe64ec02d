"""Seplos, "SEPLOS BMS CAN Protocoll V1.0", for inverters that list Seplos or SHEnergy.

Source: inverter_can.md 1.1 and 1.8: Pylontech V1.2 with a bit for a failed cell, a bit for each
pack that is online, and extremes of the cells in 0x70 with their positions in 0x371.
UNVERIFIED: the unit of the cell voltages in 0x70 (0.01 V; one source's code against its comment),
and that identifier, which one program that reads Seplos batteries has as 0x370.
While the pack is not measured, frames with measured values are not sent: see inverter.pylontech.
"""

from inverter import pylontech
from inverter.conditions import ALWAYS, MEASURED
from inverter.pylontech import CHARGE_STATE, FLAGS, LIMITS, MEASUREMENTS, MODULES

__all__ = ("FLAGS",)

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(4)),
    (0x356, MEASURED, bytes(6)),
    (0x359, ALWAYS, b"\0\0\0\0\0PN\0"),
    (0x35C, ALWAYS, bytes(2)),
    (0x35E, ALWAYS, b"SHEnergy"),
    (0x070, MEASURED, bytes(8)),
    (0x371, MEASURED, bytes(8)),
)

FIELDS = (
    LIMITS
    + CHARGE_STATE
    + MEASUREMENTS
    + MODULES
    + (
        (0x359, 7, "<u8", "@online", 1, 1, ALWAYS, 0),
        (0x070, 0, "<s16", "temperature_max_dc", 1, 1, MEASURED, 0),
        (0x070, 2, "<s16", "temperature_min_dc", 1, 1, MEASURED, 0),
        (0x070, 4, "<u16", "cell_max_mv", 1, 10, MEASURED, 0),
        (0x070, 6, "<u16", "cell_min_mv", 1, 10, MEASURED, 0),
        (0x371, 0, "<u16", "@warmest", 1, 1, MEASURED, 0, 1),
        (0x371, 2, "<u16", "@coldest", 1, 1, MEASURED, 0, 1),
        (0x371, 4, "<u16", "cell_max_index", 1, 1, MEASURED, 0, 1),
        (0x371, 6, "<u16", "cell_min_index", 1, 1, MEASURED, 0, 1),
    )
)

ALARMS = ((0x359, 1, 3, 3, 4, "cell_imbalance"),) + pylontech.ALARMS  # cell failure
