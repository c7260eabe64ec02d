"""Luxpower and EG4, "Luxpower Battery communication CAN Protocol V04.2".

Source: inverter_can.md 1.6: Pylontech V1.2 with 8 bytes in every frame and more inside: cell
extremes, the capacity where Pylontech has "PN", cycles. 0x300 with bit 0 set asks the battery to
switch itself off (rapid shutdown), which the pack does until a person says `gates auto`.
The bits of "force charge" have other names than Pylontech's, and the same places and effects.
While the pack is not measured 0x355 and 0x356 are not sent: see inverter.pylontech.
"""

from inverter.conditions import ALWAYS, MEASURED
from inverter.pylontech import ALARMS, CHARGE_STATE, FLAGS, LIMITS, MODULES

__all__ = ("ALARMS", "FLAGS")

SHUTDOWN = (0x300, 0x01)  # identifier, bit of its first byte

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(8)),
    (0x356, MEASURED, bytes(8)),
    (0x359, ALWAYS, bytes(8)),
    (0x35C, ALWAYS, bytes(8)),
    (0x35E, ALWAYS, b"CELLSTEW"),
)

FIELDS = (
    LIMITS
    + CHARGE_STATE
    + (
        (0x355, 4, "<u16", "cell_max_mv", 1, 1, MEASURED, 0),
        (0x355, 6, "<u16", "cell_min_mv", 1, 1, MEASURED, 0),
        (0x356, 0, "<s16", "pack_voltage_mv", 1, 10, MEASURED, 0),
        (0x356, 2, "<s16", "current_ma", 1, 100, MEASURED, 0),
        (0x356, 4, "<s16", "@temperature_above", 1, 1, MEASURED, 0),  # some drop equal values
        (0x356, 6, "<s16", "temperature_min_dc", 1, 1, MEASURED, 0),
    )
    + MODULES
    + (
        (0x359, 5, "<u16", "design_mah", 1, 1000, ALWAYS, 0),
        (0x35C, 2, "<u16", "cycles", 1, 1, ALWAYS, 0),
    )
)
