"""Generates the tables of docs/parameters.md from bms.parameter_rows.

Usage: python -m cellsteward.parameter_docs [--check]
"""

import sys

from bms.parameter_rows import ORDER, ROWS
from bms.table import rows
from cellsteward.generated_docs import DOCS, run, table, with_parts

PAGE = DOCS / "parameters.md"

_TITLES = ("Name", "Allowed", "Unit", "Default", "Takes effect", "Register", "Meaning")
_EFFECTS = {"now": "now", "afe": "now, gates open", "restart": "after restart"}
_UNITS = {"-": "", "0.1C": "0.1 °C", "uohm": "µΩ", "us": "µs"}


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    return with_parts(page, {"parameters": _parameters(), "order": _order()})


def _parameters() -> str:
    """One table for each heading (a comment line in the rows)."""
    parts = []
    text = ROWS.decode()
    for section in text.split("\n# ")[1:]:
        heading, _, body = section.partition("\n")
        parts.append(f"### {heading}\n\n" + table(_TITLES, map(row_cells, rows(body.encode()))))
    return "\n\n".join(parts)


def row_cells(fields: list[str]) -> list[str]:
    """The cells of a setting's line, in the order of the titles, from its row."""
    register, name, unit, kind, minimum, maximum, default, applies, meaning = fields
    choices = unit.split() if " " in unit else []
    allowed = _by_chemistry(minimum, maximum)
    if choices:
        allowed = ", ".join(f"{choice} ({value})" for value, choice in enumerate(choices))
        unit = "-"
    if default == "-":
        default = "must be set"
    elif choices:
        default = choices[int(default)]
    elif kind == "secret":
        default = "not set"
    return [
        f"`{name}`",
        allowed,
        _UNITS.get(unit, unit),
        default.replace("/", " / "),
        _EFFECTS[applies],
        f"0x{register}",
        meaning,
    ]


def _by_chemistry(minimum: str, maximum: str) -> str:
    """The range of a row, or its four ranges."""
    low, high = minimum.split("/"), maximum.split("/")
    ranges = [
        f"{low[place % len(low)]} to {high[place % len(high)]}"
        for place in range(max(len(low), len(high)))
    ]
    return " / ".join(ranges)


def _order() -> str:
    lines = []
    for (line,) in rows(ORDER):
        lower, sign, higher = line.split()
        words = "below" if sign == "<" else "below or equal to"
        lines.append(f"- `{lower}` {words} `{higher}`")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
