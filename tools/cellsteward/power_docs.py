"""Generates the tables of docs/low-power.md: the states, and what the board takes in each.

Usage: python -m cellsteward.power_docs [--check]

The currents are those of the simulated board (boards/sim/supply.py), which says where they are
from. The simulated pack says for how long an empty one lasts.
"""

import sys

from bms.parameters import Parameters
from bms.power_state_rows import ROWS
from bms.table import rows
from boards.sim.pack import Pack
from boards.sim.supply import CHIP_UA, LINKS_UA, PROCESSOR_UA, pack_ua
from cellsteward.generated_docs import DOCS, run, table, with_parts

PAGE = DOCS / "low-power.md"

_PACK_V = 51.2  # 16 cells of LiFePO4 at rest
_STATES = (  # state, chip's mode, the processor sleeps
    ("active, idle", "normal", False),
    ("sleep", "sleep", False),
    ("sleep, `processor_sleep` = yes, 92 % of the time", "sleep", True),
    ("ship, the processor has a supply of its own", "shutdown", True),
)
_HOUR_US = 3_600_000_000
_MONTH_H = 730
_EMPTY_SOC = -0.006  # 2.5 V at rest, the default of ship_cell_mv (boards/sim/pack.py)
_FLOOR_V = 1.5  # default of cell_floor_mv
_LONGEST_MONTHS = 120


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    return with_parts(page, {"states": _states(), "supply": _supply(), "storage": _storage()})


def _states() -> str:
    parameters = Parameters()
    parameters.load({"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280_000})
    usual = parameters.value("step_period_ms")
    lines = []
    for name, period, mode, sleeps, protects, ends in rows(ROWS):
        pace = "-" if mode == "off" else f"{max(usual, int(period))} ms"
        lines.append([f"`{name}`", pace, mode, sleeps, protects, ends])
    titles = ("State", "A decision every", "Chip", "Processor sleeps", "Who protects", "Ended by")
    return table(titles, lines)


def _supply() -> str:
    lines = []
    for state, mode, dozing in _STATES:
        rail = PROCESSOR_UA[dozing]
        lines.append(
            [
                state,
                f"{CHIP_UA[mode]:.0f} µA",
                f"{rail / 1000:.1f} mA",
                f"{LINKS_UA / 1000:.0f} mA",
                f"{pack_ua(mode, dozing, _PACK_V) / 1000:.2f} mA",
                f"{pack_ua(mode, dozing, _PACK_V, links=False) / 1000:.2f} mA",
            ]
        )
    lines.append(["ship, the chip's regulator feeds everything", "1 µA", "0", "0", "1 µA", "1 µA"])
    titles = (
        "State", "Chip", "Pico, at 5 V", "Transceivers, at 5 V", "From the pack",
        "without transceivers",
    )  # fmt: skip
    return table(titles, lines)


def _storage() -> str:
    lines = []
    for capacity_ah in (280.0, 100.0, 20.0):
        lasts = [_lasts(capacity_ah, links) for links in (True, False)]
        lines.append([f"{capacity_ah:.0f} Ah", *lasts])
    return table(("Pack of 16 cells", "with transceivers", "without"), lines)


def _lasts(capacity_ah: float, links: bool) -> str:
    pack = Pack(16, capacity_ah, soc=_EMPTY_SOC, soc_spread=0.0, capacity_spread=0.0)
    for hour in range(_LONGEST_MONTHS * _MONTH_H):
        taken_a = 1e-6 * pack_ua("shutdown", True, pack.total_v, links)
        pack.advance(_HOUR_US, -taken_a, True, True)
        if min(pack.cell_v) <= _FLOOR_V:
            return f"{hour // _MONTH_H} months" if hour > 3 * _MONTH_H else f"{hour // 24} days"
    return f"over {_LONGEST_MONTHS} months"


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
