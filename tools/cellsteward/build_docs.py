"""Generates the table of settings in docs/build.md from bms.parameter_rows.

Usage: python -m cellsteward.build_docs [--check]
"""

import sys

from bms.parameter_rows import ROWS
from bms.table import rows
from cellsteward.generated_docs import DOCS, run, table, with_parts
from cellsteward.parameter_docs import row_cells

PAGE = DOCS / "build.md"

# What a builder has to compare with data sheets, and with which one.
_SETTINGS = (
    ("cell_overvoltage_trip_mv", "cells: upper limit, minus a margin"),
    ("charge_cell_mv", "cells: charge voltage; lower is gentler"),
    ("cell_undervoltage_trip_mv", "cells: lower limit, plus a margin"),
    ("overtemperature_charge_trip_dc", "cells: highest charge temperature"),
    ("undertemperature_charge_trip_dc", "cells: lowest charge temperature"),
    ("charge_current_max_ma", "cells, cables, fuse: steady charge current"),
    ("discharge_current_max_ma", "cells, cables, fuse: steady discharge current"),
    ("overcurrent_charge_trip_ma", "cells: short charge current"),
    ("overcurrent_discharge_trip_ma", "cells: short discharge current"),
    ("fast_overcurrent_charge_ma", "FETs or contactors, cables"),
    ("fast_overcurrent_discharge_ma", "FETs or contactors, cables"),
    ("short_circuit_trip_ma", "FETs: pulse current; contactors: what they can break"),
    ("shunt_microohm", "shunt: rated voltage / rated current"),
    ("cell_thermistors", "what you fitted"),
    ("fet_thermistor", "what you fitted"),
    ("body_diode_ma", "FETs: what their body diode bears for long"),
    ("precharge_ohm", "the resistor"),
    ("precharge_max_j", "the resistor: energy of one pulse"),
    ("contactor_break_max_ma", "contactor: breaking current at the pack's voltage"),
)


def generate() -> str:
    """The whole page as it should be."""
    known = {cells[0]: cells for cells in map(row_cells, rows(ROWS))}
    lines = []
    for name, source in _SETTINGS:
        cell, _, unit, default, *_ = known[f"`{name}`"]
        shown = f"{default} ({unit})" if unit.startswith("0.1") else f"{default} {unit}"
        lines.append([cell, shown.strip(), source])
    page = PAGE.read_text(encoding="utf-8")
    return with_parts(page, {"settings": table(("Setting", "Default", "Compare with"), lines)})


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
