"""Sol-Ark, "Sol-Ark CAN Bus Protocol V1.3".

Source: inverter_can.md 1.7: Pylontech V1.2 with exactly 8 bytes in every frame, the pack voltage
in 0.1 V, and the capacity in 0x379. One battery on the bus only.
UNRESOLVED between sources: the unit of the voltage in 0x356; `inverter_voltage_unit` changes it.
While the pack is not measured 0x355 and 0x356 are not sent: see inverter.pylontech.
"""

from inverter.conditions import ALWAYS, MEASURED
from inverter.pylontech import ALARMS, CHARGE_STATE, FLAGS, LIMITS, MODULES

__all__ = ("ALARMS", "FLAGS")

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(8)),
    (0x356, MEASURED, bytes(8)),
    (0x359, ALWAYS, b"\0\0\0\0\0PN\0"),
    (0x35C, ALWAYS, bytes(8)),
    (0x35E, ALWAYS, b"PYLON   "),
    (0x379, ALWAYS, bytes(8)),
)

FIELDS = (
    LIMITS
    + CHARGE_STATE
    + (
        (0x356, 0, "<s16", "pack_voltage_mv", 1, 100, MEASURED, 0),
        (0x356, 2, "<s16", "current_ma", 1, 100, MEASURED, 0),
        (0x356, 4, "<s16", "temperature_max_dc", 1, 1, MEASURED, 0),
    )
    + MODULES
    + ((0x379, 0, "<u16", "design_mah", 1, 1000, ALWAYS, 0),)
)
