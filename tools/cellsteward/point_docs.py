"""Generates the tables of docs/points.md from bms.point_rows, bms.points and bms.faults.

Usage: python -m cellsteward.point_docs [--check]
"""

import sys

from bms.fault_rows import ROWS as FAULT_ROWS
from bms.point_rows import ROWS as POINT_ROWS
from bms.points import STATES
from bms.table import rows
from cellsteward.generated_docs import DOCS, run, table, with_parts
from console.report import STATE_SENTENCES

PAGE = DOCS / "points.md"

_UNITS = {"-": "", "0.1C": "0.1 °C", "0.01%": "0.01 %"}
_BLOCKS = {
    "c": "charging",
    "d": "discharging",
    "cd": "both",
    "c!": "charging, without delay",
    "d!": "discharging, without delay",
    "-": "nothing",
}
_PATHS = {
    "fast": "every step, if measured",
    "live": "every step",
    "slow": "every second, if measured",
    "count": "every second",
}


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    return with_parts(page, {"points": _points(), "states": _states(), "faults": _faults()})


def _points() -> str:
    lines = []
    for name, unit, kind, count, path, meaning in rows(POINT_ROWS):
        shown = f"`{name}`" if count == "1" else f"`{name}`, {count} of them"
        lines.append([shown, _UNITS.get(unit, unit), kind, _PATHS[path], meaning])
    return table(("Name", "Unit", "Type", "New value", "Meaning"), lines)


def _states() -> str:
    lines = [[str(state), name, STATE_SENTENCES[state]] for state, name in enumerate(STATES)]
    return table(("Value", "Name", "What the console says"), lines)


def _faults() -> str:
    lines = [
        [str(bit), f"`{name}`", _BLOCKS[blocks], "yes" if latching == "y" else "no", advice]
        for bit, (name, blocks, latching, advice) in enumerate(rows(FAULT_ROWS))
    ]
    return table(("Bit", "Name", "Blocks", "Stays until cleared", "What to do"), lines)


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
