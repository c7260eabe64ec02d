"""Generates the tables of docs/worst-case-times.md from what was measured and from the layers.

Usage: python -m cellsteward.times_docs [--check]
The measured times are in docs/worst-case-times.json: python -m host_tests.times.measure
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping

from afe.bq76952_layers import rows as layer_rows
from bms.parameters import Parameters
from cellsteward.generated_docs import DOCS, run, table, with_parts

PAGE = DOCS / "worst-case-times.md"
DATA = DOCS / "worst-case-times.json"

_GATES = {"c": "charge", "d": "discharge", "cd": "both"}
_CHEMISTRIES = ("LiFePO4", "NMC", "LTO", "sodium-ion")  # the choices of the parameter, in order
_SHORT_MS = 10
_CELLS, _CAPACITY_MAH = 16, 280_000


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    data = json.loads(DATA.read_text(encoding="utf-8"))
    stalls = data["stalls_ms"]
    software = [row for row in data["rows"] if row["layer"].startswith("software")]
    contactors = [row for row in software if row["name"].startswith("contactor_")]
    fets = [row for row in software if row not in contactors]
    others = [row for row in data["rows"] if row not in software]
    parts = {
        "summary": _summary(data),
        "fets": _stalled_table(fets, stalls),
        "contactors": _stalled_table(contactors, stalls),
        "chip": _chip_table(others),
        "unmeasured": table(
            ("Fault", "Opens within", "Why it is not measured", "Tested by"),
            [
                [f"`{name}`", within, why, f"`{test}`"]
                for name, within, why, test in data["unmeasured"]
            ],
        ),
        "stalls": table(
            ("While", "Longest time between two steps, ms"),
            [[what, str(ms)] for what, ms in data["natural_stalls_ms"].items()],
        ),
        "first": _first_table(),
    }
    return with_parts(page, parts)


def _summary(data: Mapping) -> str:
    runs = sum(row["runs"] for row in data["rows"])
    lines = [
        f"- {runs} runs of {len(data['rows'])} rows, each at {data['phases']} random phases and, "
        "in the slowest of these, with every stall at the worst moments",
    ]
    if data["problems"]:
        lines.append("- beyond their bound, or not measured:")
        lines += [f"    - {problem}" for problem in data["problems"]]
    else:
        lines.append("- beyond their bound: none")
    return "\n".join(lines)


def _stalled_table(rows: Iterable[Mapping], stalls: Mapping[str, int]) -> str:
    """Rows in which the processor runs: without a stall, and with each kind of it."""
    titles = [
        "Fault", "Layer", "Opens", "Delay", "No stall",
        f"Garbage, {stalls['gc']} ms", f"Flash, {stalls['write']} ms",
        f"Flash, {stalls['write_worst']} ms", "Bound", "Test",
    ]  # fmt: skip
    return table(titles, [_stalled_row(row, stalls) for row in rows])


def _stalled_row(row: Mapping, stalls: Mapping[str, int]) -> list[str]:
    times = [_ms(row["stalled_ms"][name]) if row["stalled_ms"] else "-" for name in stalls]
    return [
        f"`{row['fault']}`",
        row["layer"],
        _GATES[row["gate"]],
        str(row["delay_ms"]),
        _ms(row["quiet_ms"]),
        *times,
        _bound(row),
        f"`[{row['name']}]`",
    ]


def _chip_table(rows: Iterable[Mapping]) -> str:
    """Rows in which the processor hangs."""
    titles = ("Fault", "Layer", "Opens", "Delay", "Measured", "Bound", "Test")
    return table(
        titles,
        [
            [
                f"`{row['fault']}`" if row["fault"] else "the processor hangs",
                row["layer"],
                _GATES[row["gate"]],
                str(row["delay_ms"]),
                _ms(row["quiet_ms"]),
                _bound(row),
                f"`[{row['name']}]`",
            ]
            for row in rows
        ],
    )


def _bound(row: Mapping) -> str:
    """The bound and what it is made of."""
    parts = [f"{name} {ms}" for name, ms in row["parts"] if ms]
    return f"{row['bound_ms']}: " + ", ".join(parts)


def _ms(milliseconds: float) -> str:
    """Rounded up, as a worst case is not made better; short times to a hundredth."""
    if milliseconds < _SHORT_MS:
        return f"{math.ceil(100 * milliseconds) / 100:g}"
    return str(math.ceil(milliseconds))


def _first_table() -> str:
    """Who acts first, by what margin in threshold and in time, with each chemistry's defaults."""
    found: dict[str, list[str]] = {}
    for chemistry in range(len(_CHEMISTRIES)):
        parameters = Parameters()
        parameters.load(
            {
                "chemistry": chemistry,
                "series_cells": _CELLS,
                "design_capacity_mah": _CAPACITY_MAH,
            }
        )
        for protection, first, threshold, time in layer_rows(parameters):
            margin = "-" if threshold == "-" else f"{threshold}, {time}"
            found.setdefault(f"`{protection}` | {first}", []).append(margin)
    lines = [[*key.split(" | "), *margins] for key, margins in found.items()]
    return table(("Protection", "First", *_CHEMISTRIES), lines)


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
