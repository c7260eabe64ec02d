"""Generates the examples of docs/commissioning.md from the console itself.

Usage: python -m cellsteward.commissioning_docs [--check]
"""

import sys
import tempfile

from cellsteward.console_desk import Desk
from cellsteward.generated_docs import DOCS, run, with_parts

PAGE = DOCS / "commissioning.md"

_DESCRIBE = (
    "set chemistry lfp",
    "set series_cells 8",
    "set design_capacity_mah 280000",
    "save",
    "restart",
)
_RIGHT_MV = [3_301, 3_299, 3_302, 3_300, 3_303, 3_298, 3_301, 3_300]
_SWAPPED_MV = [3_301, 3_299, 6_602, -3_302, 6_603, 3_298, 3_301, 3_300]
_LOAD_MA = -1_100


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(directory)
        battery = desk.battery
        parts = {
            "describe": desk.session(_DESCRIBE),
            "overview": desk.session(["commission"]),
            "swapped": desk.session([lambda: battery.measure(_SWAPPED_MV), "commission wiring"]),
            "wiring": desk.session([lambda: battery.measure(_RIGHT_MV), "commission wiring"]),
            "pack": desk.session(["commission pack lfp 16 280", "commission pack lfp 8 280"]),
            "current": desk.session(
                [
                    "commission current",
                    lambda: battery.flow(_LOAD_MA),
                    "commission current",
                ]
            ),
            "done": desk.session(["commission done", "commission"]),
        }
    return with_parts(page, parts)


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
