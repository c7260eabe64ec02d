"""Generates the tables of docs/points.md from bms.point_rows, bms.points and bms.faults.

Usage: python -m cellsteward.point_docs [--check]
"""

import sys

from bms.fault_rows import ROWS as FAULT_ROWS
from bms.limit_curves import PHASES, REASONS
from bms.point_rows import ROWS as POINT_ROWS
from bms.point_words import BALANCING_STATES, PATH_STATES, SELF_TESTS, STATES
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

_PATH_SENTENCES = (
    "Nothing is on",
    "What is allowed is on",
    "The bus fills up through the resistor; no current is offered",
    "The resistor cools down before the next try",
    "Current that is not allowed gets time to fall, then the contactors open",
    "More current flows than the contactors can break: the fuse has a bounded time",
    "A fault of the path itself; it stays off until a person clears it",
    "One direction is blocked; its switch is on to spare its body diode, while current flows the "
    "other way",
    "A charger holds the bus above the pack: the contactors stay open until the voltages agree",
)
_BALANCING_SENTENCES = (
    "Switched off by `balancing_enabled`",
    "Cells are bled: see `balancing`",
    "All cells are known, and none has too much",
    "Nothing to bleed as far as is known, but not all cells are known yet",
    "There is no valid measurement",
    "Discharging is not allowed now, or the pack is not commissioned",
    "A cell is colder than `balance_cell_min_dc` or warmer than `balance_cell_max_dc`",
    "Board or measuring chip are warmer than `balance_board_max_dc`",
    "The state of charge is below `balance_charge_min_bp`",
    "The latest charging is longer ago than `balance_idle_h`, or was before the start",
    "The measuring chip does not bleed what it was told to",
    "Bleeding had no effect on more than one cell: leads or switches are mixed up or broken",
)
_CHECK_SENTENCES = (
    "The measuring chip is another one than the driver knows",
    "The chip does not hold the settings that were written",
    "A gate is on though both are commanded off",
    "A balancing switch does not take its command",
    "A sense wire is open",
    "A temperature sensor is open, shorted, or far from the others",
    "The stack's voltage and the sum of the cells disagree",
    "The chip's clock and the processor's run apart",
    "The flash can not be read",
)
_PHASE_SENTENCES = (
    "Charge up to `charge_cell_mv` per cell",
    "A cell looks full: the same voltage, until the current is small and the cells are together",
    "Full: `float_cell_mv` per cell, until charge is missing",
    "As bulk, but the charger holds the cells below `full_cell_mv`: its voltage is too low",
)
_REASON_SENTENCES = (
    "There is no trustworthy measurement: nothing is offered",
    "A fault, a person or the power path forbids the direction",
    "The curves allow more; the limit is on its way up",
    "The setting, or what stays below the over-current warning",
    "After a deep discharge or while commissioning, only a limited current",
    "The weakest cell would reach its warning within 10 s",
    "The weakest cell would reach its limit within 60 s",
    "The cells' own heat would bring them to their limit",
    "The highest or lowest cell is beyond its limit",
    "The mean of the cells is beyond the limit",
    "The cells are apart",
    "The cells are warm, or will be soon",
    "The cells are cold, or will be soon",
    "The switches are warm",
    "The measuring chip is warm",
    "Nearly full or nearly empty",
)


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    parts = {"points": _points(), "states": _states(), "faults": _faults()}
    parts["paths"] = _named("Value", PATH_STATES, _PATH_SENTENCES)
    parts["balancing"] = _named("Value", BALANCING_STATES, _BALANCING_SENTENCES)
    parts["checks"] = _named("Bit", SELF_TESTS, _CHECK_SENTENCES)
    parts["phases"] = _named("Value", PHASES, _PHASE_SENTENCES)
    parts["reasons"] = _named("Value", REASONS, _REASON_SENTENCES)
    return with_parts(page, parts)


def _points() -> str:
    lines = []
    for name, unit, kind, count, path, meaning in rows(POINT_ROWS):
        shown = f"`{name}`" if count == "1" else f"`{name}`, {count} of them"
        lines.append([shown, _UNITS.get(unit, unit), kind, _PATHS[path], meaning])
    return table(("Name", "Unit", "Type", "New value", "Meaning"), lines)


def _states() -> str:
    lines = [[str(state), name, STATE_SENTENCES[state]] for state, name in enumerate(STATES)]
    return table(("Value", "Name", "What the console says"), lines)


def _named(number: str, names: tuple[str, ...], sentences: tuple[str, ...]) -> str:
    pairs = zip(names, sentences, strict=True)
    lines = [[str(at), name, sentence] for at, (name, sentence) in enumerate(pairs)]
    return table((number, "Name", "Meaning"), lines)


def _faults() -> str:
    lines = [
        [str(bit), f"`{name}`", _BLOCKS[blocks], "yes" if latching == "y" else "no", advice]
        for bit, (name, blocks, latching, advice) in enumerate(rows(FAULT_ROWS))
    ]
    return table(("Bit", "Name", "Blocks", "Stays until cleared", "What to do"), lines)


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
