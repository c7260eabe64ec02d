"""Generates the register tables of docs/modbus.md from the firmware's tables.

Usage: python -m cellsteward.modbus_docs [--check]
"""

import sys
from collections.abc import Iterator

from bms.parameter_rows import ROWS as PARAMETER_ROWS
from bms.point_rows import ROWS as POINT_ROWS
from bms.table import rows
from cellsteward.generated_docs import DOCS, run, table, with_parts
from modbus.registers import (
    COMMAND,
    COMMAND_NAMES,
    TELEMETRY,
    UNLOCK,
    UNLOCKED,
    VERSION,
    VERSION_ADDRESS,
)

PAGE = DOCS / "modbus.md"

_REGISTERS = {"i32": 2, "u16": 1, "i16": 1, "b16": 1, "secret": 1}
_UNITS = {"-": "", "0.1C": "0.1 °C", "0.01%": "0.01 %", "uohm": "µΩ"}


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    return with_parts(
        page, {"telemetry": _telemetry(), "controls": _controls(), "parameters": _parameters()}
    )


def telemetry_addresses() -> Iterator[tuple[int, list[str]]]:
    """Address of the first register of each point, and the point's row."""
    address = TELEMETRY
    for row in rows(POINT_ROWS):
        yield address, row
        address += _REGISTERS[row[2]] * int(row[3])


def _telemetry() -> str:
    lines = [[_span(VERSION_ADDRESS, 1), "", "u16", "", f"Version of this map: {VERSION}"]]
    for address, (name, unit, kind, count, _, meaning) in telemetry_addresses():
        shown = f"`{name}`" if count == "1" else f"`{name}`, {count} of them"
        span = _span(address, _REGISTERS[kind] * int(count))
        lines.append([span, shown, kind, _UNITS.get(unit, unit), meaning])
    return table(("Registers", "Name", "Type", "Unit", "Meaning"), lines)


def _controls() -> str:
    numbers = ", ".join(
        f"{number} {name}" for number, name in enumerate(COMMAND_NAMES) if number > 0
    )
    lines = [
        [_span(UNLOCK, 1), "unlock", "Write the access code; reads 0"],
        [_span(COMMAND, 1), "command", f"Write {numbers}; reads 0"],
        [_span(UNLOCKED, 1), "unlocked", "Reads 1 while writes are unlocked, else 0"],
    ]
    return table(("Register", "Name", "Use"), lines)


def _parameters() -> str:
    lines = []
    for register, name, unit, kind, minimum, maximum, *_ in rows(PARAMETER_ROWS):
        choices = unit.split()
        if len(choices) > 1:
            allowed = ", ".join(f"{number} {choice}" for number, choice in enumerate(choices))
        else:
            allowed = f"{minimum} to {maximum} {_UNITS.get(unit, unit)}".rstrip()
        span = _span(int(register, 16), _REGISTERS[kind])
        shown = "u16, reads 0" if kind == "secret" else kind
        lines.append([span, f"`{name}`", shown, allowed])
    return table(("Registers", "Name", "Type", "Allowed"), lines)


def _span(address: int, count: int) -> str:
    """Addresses in hexadecimal, and the first in decimal."""
    last = f"-0x{address + count - 1:04X}" if count > 1 else ""
    return f"0x{address:04X}{last} ({address})"


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
