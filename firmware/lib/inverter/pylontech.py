"""The Pylontech low-voltage profile, protocol V1.2: what the inverter setting "Pylontech" expects.

Source: inverter_can.md section 1.1 and the verdicts of its table of disagreements. Standard
frames, 500 kbit/s, little endian, once a second; the inverter sends 0x305, and nothing here waits
for it, because some inverters never do (field lessons, inverter links 13).

While the pack is not measured, or not yet:
- 0x351 says that no current may flow, 0x35C that neither direction is allowed, and 0x359 carries
  the system error. The inverter hears this every second; it never meets silence.
- 0x355 (SoC) and 0x356 (voltage, current, temperature) are not sent. The protocol has no mark for
  "invalid", old values would be lies, and zeros are worse than none: SoC 0 makes hybrid inverters
  charge from the grid and others shut the house down (field lesson 19), and Victron shares the
  voltage in 0x356 with its solar chargers as the voltage to charge by.
- The charge voltage limit is sent as long as one is known, since it is a setting and not
  a measurement. It is never 0, which makes a Victron dump the battery (inverter links 4), nor
  lowered, which makes a Deye discharge to the grid (10). Where there is no configuration yet,
  it is 53.2 V, what a Pylontech battery itself says in the captures.

Choices:
- Temperature is that of the warmest cell: an inverter acts on heat alone (it derates or warns),
  and an average would hide the one cell that matters. Cold is guarded here, by the charge limit.
- The force-charge and full-charge requests (0x35C bits 5 to 3) stay 0: each has a hysteresis or
  counts days, so it is a state of the battery and not a function of the present points.
- A fault without a bit of its own is a system error, a warning without one is "internal
  communication failure", the only general bit that warnings have.
"""

from inverter.frames import (
    ALWAYS,
    CHARGE,
    DISCHARGE,
    EVERY_OTHER,
    MEASURED,
    VOLTAGE_LIMIT,
)

KEEPALIVE_ID = 0x305  # from the inverter, once a second

_MODULES = 1  # shown by a Deye as "LiBms01"

# In the order of the captures; inverter_can.md 1.1. identifier, sent while, constant bytes
FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, MEASURED, bytes(4)),
    (0x356, MEASURED, bytes(6)),
    (0x359, ALWAYS, bytes((0, 0, 0, 0, _MODULES)) + b"PN"),
    (0x35C, ALWAYS, bytes(2)),
    (0x35E, ALWAYS, b"PYLON   "),
)

# identifier, first byte, kind, point, multiply, divide, valid while, otherwise
FIELDS = (
    (0x351, 0, "<u16", "charge_voltage_limit_mv", 1, 100, VOLTAGE_LIMIT, 532),
    (0x351, 2, "<u15", "charge_current_limit_ma", 1, 100, MEASURED | CHARGE, 0),
    (0x351, 4, "<u15", "discharge_current_limit_ma", 1, 100, MEASURED | DISCHARGE, 0),
    (0x351, 6, "<u16", "discharge_voltage_limit_mv", 1, 100, ALWAYS, 0),
    (0x355, 0, "<u16", "soc_bp", 1, 100, MEASURED, 0),
    (0x355, 2, "<u16", "soh_bp", 1, 100, MEASURED, 0),
    (0x356, 0, "<s16", "pack_voltage_mv", 1, 10, MEASURED, 0),
    (0x356, 2, "<s16", "current_ma", 1, 100, MEASURED, 0),
    (0x356, 4, "<s16", "temperature_max_dc", 1, 1, MEASURED, 0),
)

# identifier, byte, bit, set while, and never while
FLAGS = (
    (0x359, 1, 3, ALWAYS, MEASURED),  # system error
    (0x35C, 0, 7, MEASURED | CHARGE, ALWAYS),  # charge enable
    (0x35C, 0, 6, MEASURED | DISCHARGE, ALWAYS),  # discharge enable
)

# identifier, byte, bit, fault
FAULTS = (
    (0x359, 0, 1, "cell_overvoltage"),
    (0x359, 0, 2, "cell_undervoltage"),
    (0x359, 0, 3, "overtemperature_charge"),
    (0x359, 0, 3, "overtemperature_discharge"),
    (0x359, 0, 3, "afe_overtemperature"),
    (0x359, 0, 4, "undertemperature_charge"),
    (0x359, 0, 4, "undertemperature_discharge"),
    (0x359, 0, 7, "overcurrent_discharge"),
    (0x359, 0, 7, "short_circuit"),
    (0x359, 1, 0, "overcurrent_charge"),
    (0x359, 1, 3, EVERY_OTHER),  # system error
)

WARNINGS = (
    (0x359, 2, 1, "cell_overvoltage"),
    (0x359, 2, 2, "cell_undervoltage"),
    (0x359, 2, 3, "overtemperature_charge"),
    (0x359, 2, 3, "overtemperature_discharge"),
    (0x359, 2, 3, "afe_overtemperature"),
    (0x359, 2, 4, "undertemperature_charge"),
    (0x359, 2, 4, "undertemperature_discharge"),
    (0x359, 2, 7, "overcurrent_discharge"),
    (0x359, 2, 7, "short_circuit"),
    (0x359, 3, 0, "overcurrent_charge"),
    (0x359, 3, 3, EVERY_OTHER),  # internal communication failure
)
