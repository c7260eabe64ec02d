"""Generates the tables of docs/faults.md: faults by what they block, and how soon that is off.

Usage: python -m cellsteward.fault_docs [--check]
Rows are from bms.fault_rows, settings from bms.protection_rows, times from
docs/worst-case-times.json.
"""

import json
import sys
from collections.abc import Iterable, Mapping

from bms.fault_rows import ROWS as FAULT_ROWS
from bms.protection_rows import ROWS as PROTECTION_ROWS
from bms.protection_rows import parameter_names
from bms.table import rows
from cellsteward.generated_docs import DOCS, run, table, with_parts

PAGE = DOCS / "faults.md"
TIMES = DOCS / "worst-case-times.json"

_TITLES = ("Fault", "What it means, what to do", "Stays until cleared", "Acts at", "Off within")
# what a row of bms.fault_rows blocks, and the generated part with such rows
_PARTS = {"cd": "both", "c": "charging", "d": "discharging", "-": "nothing"}
# kind of a measured row: its section of docs/worst-case-times.md, and words after the time
_SECTIONS = {
    "fets": ("the-software-with-fets", ""),
    "contactors": ("the-software-with-contactors", " with contactors"),
    "alone": (
        "the-measuring-chip-and-the-watchdogs-while-the-processor-hangs",
        " by the chip alone",
    ),
}


def generate() -> str:
    """The whole page as it should be."""
    data = json.loads(TIMES.read_text(encoding="utf-8"))
    faults = list(rows(FAULT_ROWS))
    parts = {}
    for code, part in _PARTS.items():
        chosen = [row for row in faults if row[1].rstrip("!") == code]
        parts[part] = table(_TITLES, [_row(row, data) for row in chosen])
    return with_parts(PAGE.read_text(encoding="utf-8"), parts)


def _row(fault: list[str], data: Mapping) -> list[str]:
    name, _, latching, advice = fault
    return [f"`{name}`", advice, "**yes**" if latching == "y" else "no", _setting(name),
            _times(name, data)]  # fmt: skip


def _setting(fault: str) -> str:
    """The name of the setting beyond which the fault comes, or nothing."""
    for row in PROTECTION_ROWS:
        if row[0] == fault:
            return f"`{list(parameter_names(row))[1]}`"
    return ""


def _times(fault: str, data: Mapping) -> str:
    """The published bounds of a fault, each linked to the table that it stands in."""
    bounds: dict[str, int] = {}
    for row in data["rows"]:
        if row["fault"] == fault:
            kind = _kind(row)
            bounds[kind] = max(row["bound_ms"], bounds.get(kind, 0))
    if bounds:
        return ", ".join(_links(bounds))
    for name, within, _, _ in data["unmeasured"]:
        if name == fault:
            words = "off already when it is found" if within == "0" else "not measured"
            return f"[{words}](worst-case-times.md#not-measured)"
    return ""


def _links(bounds: Mapping[str, int]) -> Iterable[str]:
    for kind, (section, words) in _SECTIONS.items():
        if kind in bounds:
            yield f"[{bounds[kind]} ms](worst-case-times.md#{section}){words}"


def _kind(row: Mapping) -> str:
    if not row["layer"].startswith("software"):
        return "alone"
    return "contactors" if row["name"].startswith("contactor_") else "fets"


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
