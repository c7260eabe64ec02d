"""A cell model as text: one key a line, so that a person can read it and a diff can show it."""

import json
from typing import Any


def cell_text(cell: dict[str, Any]) -> str:
    """JSON of a cell dictionary (bms/cell_model.py), as the board reads it from `/cell.json`."""
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in cell.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
