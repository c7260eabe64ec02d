"""Generates the tables of docs/measuring-chips.md: who acts first, and where cells are connected.

Usage: python -m cellsteward.chip_docs [--check]
"""

import sys

from afe import bq769x0_layers, bq76952_layers
from afe.bq769x0_registers import GROUP, used_inputs
from bms.parameters import Parameters
from cellsteward.generated_docs import DOCS, run, table, with_parts

PAGE = DOCS / "measuring-chips.md"

_CELLS = 15
_LEAST_IN_GROUP = 3


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    return with_parts(page, {"first": _first_table(), "inputs": _inputs_table()})


def _first_table() -> str:
    parameters = Parameters()
    parameters.load({"chemistry": 0, "series_cells": _CELLS, "design_capacity_mah": 280_000})
    big = {row[0]: row[1:] for row in bq76952_layers.rows(parameters)}
    small = {row[0]: row[1:] for row in bq769x0_layers.rows(parameters)}
    lines = [[f"`{name}`", _words(big[name]), _words(small[name])] for name in big]
    return table(("Protection", "BQ76952", "BQ769x0"), lines)


def _words(row: tuple[str, str, str]) -> str:
    first, threshold, time = row
    return first if threshold == "-" else f"{first}: {threshold}, {time}"


def _inputs_table() -> str:
    lines = []
    for inputs, chip in ((5, "BQ76920"), (10, "BQ76930"), (15, "BQ76940")):
        for cells in range(_LEAST_IN_GROUP * inputs // GROUP, inputs + 1):
            used = [at + 1 for at in used_inputs(inputs, cells)]
            shorted = [at for at in range(1, inputs + 1) if at not in used]
            pairs = ", ".join(f"VC{at} to VC{at - 1}" for at in shorted)
            lines.append([chip, str(cells), pairs or "none"])
    return table(("Chip", "Cells", "Shorted"), lines)


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
