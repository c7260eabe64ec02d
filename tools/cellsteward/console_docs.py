"""Generates the command table and the examples of docs/console.md from the console itself.

Usage: python -m cellsteward.console_docs [--check]
"""

import sys
import tempfile

from bms import events
from bms.points import BALANCING_BLEEDING, PATH_ON, STATE_ACTIVE, Points
from bms.sample import GATE_DISCHARGE, GATES_BOTH
from cellsteward.console_desk import Desk
from cellsteward.generated_docs import DOCS, run, table, with_parts
from console.commands import COMMANDS
from console.twin import DIALOGUES

PAGE = DOCS / "console.md"

_COMMISSIONING = (
    "set chemistry lfp",
    "set series_cells 4",
    "save",
    "set design_capacity_mah 280000",
    "save",
)
_PROGRAMS = (
    "cells --json",
    "log 1 --json",
    "get cell_overvoltage_trip_mv --json",
    "gates up --json",
)
_READING = ("status", "cells", "get cell_overvoltage_trip_mv", "log 5")

# A pack to show: four cells being charged, one of them ahead of the others.
_CELLS_MV = (3_331, 3_329, 3_332, 3_356)
_PACK = {
    "pack_voltage_mv": sum(_CELLS_MV),
    "current_ma": 42_500,
    "power_w": 567,
    "soc_bp": 7_215,
    "soh_bp": 10_000,
    "remaining_mah": 202_020,
    "full_mah": 280_000,
    "cycles": 31,
    "cell_min_mv": min(_CELLS_MV),
    "cell_max_mv": max(_CELLS_MV),
    "cell_min_index": 1,
    "cell_max_index": 3,
    "cell_delta_mv": max(_CELLS_MV) - min(_CELLS_MV),
    "temperature_min_dc": 214,
    "temperature_max_dc": 226,
    "board_temperature_dc": 309,
    "charge_voltage_limit_mv": 14_000,
    "charge_current_limit_ma": 50_000,
    "discharge_voltage_limit_mv": 12_000,
    "discharge_current_limit_ma": 100_000,
    "charge_phase": 0,
    "charge_limit_reason": 3,
    "discharge_limit_reason": 3,
    "full_charge_requested": 0,
    "force_charge_requested": 0,
    "charge_allowed": 1,
    "discharge_allowed": 1,
    "gates": 3,
    "state": STATE_ACTIVE,
    "uptime_s": 270_000,
    "measurement_age_ms": 0,
    "series_cells": len(_CELLS_MV),
    "path_state": PATH_ON,
    "limited": 0,
    "suspect_lead": -1,
    "balancing": 0b1000,
    "balancing_state": BALANCING_BLEEDING,
    "balance_suspect": -1,
    "self_test_failed": 0,
    "boots": 12,
    "watchdog_resets": 0,
}
# What the log of such a pack may say: sequence, boot, uptime_s, kind, code (fault by name), value.
_EVENTS = (
    (611, 12, 0, events.BOOT, 0, 12),
    (612, 12, 7, events.GATES, GATES_BOTH, 0),
    (613, 12, 201_611, events.FAULT, "cell_overvoltage", 3_653),
    (614, 12, 201_611, events.GATES, GATE_DISCHARGE, 0),
    (615, 12, 202_940, events.FAULT_OVER, "cell_overvoltage", 0),
    (616, 12, 202_940, events.GATES, GATES_BOTH, 0),
)


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(directory)
        commissioning = desk.session(_COMMISSIONING)
        _show_pack(desk.points)
        for sequence, boot, uptime_s, kind, code, value in _EVENTS:
            number = desk.faults.names.index(code) if isinstance(code, str) else code
            desk.events.append((sequence, boot, uptime_s, kind, number, value))
        reading = desk.session(_READING)
        programs = desk.session(_PROGRAMS)
    return with_parts(
        page,
        {
            "commands": _commands(),
            "commissioning": commissioning,
            "reading": reading,
            "dialogues": f"No twin have: {', '.join(f'`{name}`' for name in DIALOGUES)}.",
            "programs": programs,
        },
    )


def _show_pack(points: Points) -> None:
    for name, value in _PACK.items():
        points.live[points.offset(name)] = value
    for name, values in (("cell_voltage_mv", _CELLS_MV), ("temperature_dc", (214, 226))):
        for slot, value in enumerate(values):
            points.live[points.offset(name) + slot] = value


def _commands() -> str:
    lines = [
        [f"`{(name + ' ' + usage).strip()}`", text, "yes" if writes else ""]
        for name, usage, _, _, writes, text, _ in COMMANDS
    ]
    return table(("Command", "What it does", "Needs `unlock` if a code is set"), lines)


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
