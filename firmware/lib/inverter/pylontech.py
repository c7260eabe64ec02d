"""The Pylontech low-voltage profile, protocol V1.2: what the inverter setting "Pylontech" expects.

Source: inverter_can.md section 1.1 and the verdicts of its table of disagreements. Standard
frames, 500 kbit/s, little endian, once a second; the inverter sends 0x305, and nothing here waits
for it, because some inverters never do (field lessons, inverter links 13).

While the pack is not measured, or not yet:
- 0x351 says that no current may flow, 0x35C that neither direction is allowed, and 0x359 carries
  the system error. The inverter hears this in every period; it never meets silence.
- 0x355 (SoC) and 0x356 (voltage, current, temperature) are not sent. The protocol has no mark for
  "invalid", old values would be lies, and zeros are worse than none: SoC 0 makes hybrid inverters
  charge from the grid and others shut the house down (field lesson 19), and Victron shares the
  voltage in 0x356 with its solar chargers as the voltage to charge by.
- What happens to the charge voltage limit is said in inverter.rules.

Choices:
- Temperature is that of the warmest cell: an inverter acts on heat alone (it derates or warns),
  and an average would hide the one cell that matters. Cold is guarded here, by the charge limit.
- Request "force charge I" (bit 5) is for inverters that can wake a battery which switched itself
  off, "II" (bit 4) the one that the document suggests; "I" comes later and beside it.
- A fault without a bit of its own is a system error, a warning without one is "internal
  communication failure", the only general bit that warnings have.
"""

from inverter.conditions import (
    ALWAYS,
    CHARGE,
    DISCHARGE,
    FORCE_CHARGE,
    FORCE_CHARGE_DEEP,
    FULL_CHARGE,
    MEASURED,
)
from inverter.tables import EVERY_OTHER

# identifier, sent while, constant bytes; in the order of the captures
FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(4)),
    (0x356, MEASURED, bytes(6)),
    (0x359, ALWAYS, b"\0\0\0\0\0PN"),
    (0x35C, ALWAYS, bytes(2)),
    (0x35E, ALWAYS, b"PYLON   "),
)

# identifier, first byte, kind, point, multiply, divide, valid while, otherwise
LIMITS = (
    (0x351, 0, "<u16", "charge_voltage_limit_mv", 1, 100, ALWAYS, 532),
    (0x351, 2, "<u15", "charge_current_limit_ma", 1, 100, MEASURED | CHARGE, 0),
    (0x351, 4, "<u15", "discharge_current_limit_ma", 1, 100, MEASURED | DISCHARGE, 0),
    (0x351, 6, "<u16", "discharge_voltage_limit_mv", 1, 100, ALWAYS, 0),
)
CHARGE_STATE = (
    (0x355, 0, "<u16", "soc_bp", 1, 100, MEASURED, 0),
    (0x355, 2, "<u16", "soh_bp", 1, 100, MEASURED, 0),
)
MEASUREMENTS = (
    (0x356, 0, "<s16", "pack_voltage_mv", 1, 10, MEASURED, 0),
    (0x356, 2, "<s16", "current_ma", 1, 100, MEASURED, 0),
    (0x356, 4, "<s16", "temperature_max_dc", 1, 1, MEASURED, 0),
)
MODULES = ((0x359, 4, "<u8", "@modules", 1, 1, ALWAYS, 1),)  # a Deye shows "LiBms01"

FIELDS = LIMITS + CHARGE_STATE + MEASUREMENTS + MODULES

# identifier, byte, bit, set while, and never while
FLAGS = (
    (0x359, 1, 3, ALWAYS, MEASURED),  # system error
    (0x35C, 0, 7, MEASURED | CHARGE, ALWAYS),  # charge enable
    (0x35C, 0, 6, MEASURED | DISCHARGE, ALWAYS),  # discharge enable
    (0x35C, 0, 5, FORCE_CHARGE_DEEP, ALWAYS),  # request force charge I
    (0x35C, 0, 4, FORCE_CHARGE, ALWAYS),  # request force charge II
    (0x35C, 0, 3, FULL_CHARGE, ALWAYS),  # request full charge
)

# identifier, byte and bit of the fault, byte and bit of the warning, faults
ALARMS = (
    (0x359, 0, 1, 2, 1, "cell_overvoltage pack_overvoltage"),
    (0x359, 0, 2, 2, 2, "cell_undervoltage pack_undervoltage deep_discharge cell_below_floor"),
    (
        0x359, 0, 3, 2, 3,
        "overtemperature_charge overtemperature_discharge afe_overtemperature"
        " fet_overtemperature",
    ),
    (0x359, 0, 4, 2, 4, "undertemperature_charge undertemperature_discharge"),
    (0x359, 0, 7, 2, 7, "overcurrent_discharge fast_overcurrent_discharge short_circuit"),
    (0x359, 1, 0, 3, 0, "overcurrent_charge fast_overcurrent_charge"),
    (0x359, 1, 3, 3, 3, EVERY_OTHER),  # system error, internal communication failure
)  # fmt: skip
