"""A month of an inverter that obeys limits, for docs/limits.md.

Days of all kinds in turn, all chemistries; prints a table, and with --docs writes it there.
Ends with 1 if a protection tripped in a direction in which something was offered.
"""

import sys

from bms.cell_model import CellModel
from cellsteward.generated_docs import table, with_parts
from cellsteward.limit_docs import PAGE
from host_tests.bms.limits_day import DAYS, Loop, model_of

_SEQUENCE = ("usual", "full", "hot", "hot", "empty", "cold", "cold", "usual", "frost", "full")
# chemistry, what the cell model's resistance is wrong by, days, seed
_RUNS = (("lfp", 1.0, 30, 1), ("lfp", 0.7, 10, 2), ("nmc", 1.4, 10, 3), ("lto", 1.0, 10, 4),
         ("sodium", 0.8, 10, 5))  # fmt: skip
_TITLES = (
    "Cells", "Model's resistance", "Days", "Ah in / out", "Full", "Trips", "Blocked by frost",
    "Changes of direction in the worst hour: CCL, DCL, CVL", "Largest steps in a second up / down",
    "Cells, V", "Warmest, °C",
)  # fmt: skip


def month(chemistry, wrong, days, seed):
    """A row of the table, and the trips."""
    loop = Loop(chemistry, seed=seed, model=CellModel(model_of(chemistry, wrong)))
    for day in range(days):
        name = _SEQUENCE[day % len(_SEQUENCE)]
        loop.run(DAYS[name])
        print(f"{chemistry} day {day + 1}: {name}", file=sys.stderr, flush=True)
    record = loop.record
    offered = [trip for trip in record.trips if trip[2] or trip[3] > 500]
    up, down = record.up, record.down
    row = [
        chemistry,
        f"{wrong:.0%}",
        str(days),
        f"{record.charged_ah:.0f} / {record.discharged_ah:.0f}",
        str(record.fulls),
        str(len(offered)),
        str(len(record.trips) - len(offered)),
        ", ".join(str(record.most_turns[name]) for name in ("ccl", "dcl", "cvl")),
        f"CCL {up['ccl'] / 1000:.1f} / {down['ccl'] / 1000:.0f} A, DCL {up['dcl'] / 1000:.1f} / "
        f"{down['dcl'] / 1000:.0f} A, CVL {up['cvl']} / {down['cvl']} mV",
        f"{record.cell_min_v:.3f} to {record.cell_max_v:.3f}",
        f"{record.warmest_c:.1f}",
    ]
    return row, offered


def main(arguments):
    """Exit code."""
    lines, trips = [], []
    for run in _RUNS:
        row, offered = month(*run)
        lines.append(row)
        trips += offered
    text = table(_TITLES, lines)
    print(text)
    if "--docs" in arguments:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_parts(page, {"month": text}), encoding="utf-8")
    for trip in trips:
        print(trip)
    return 1 if trips else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
