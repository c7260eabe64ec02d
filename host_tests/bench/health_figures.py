"""What health finds on packs that age, in figures: the table of docs/health.md.

    python -m host_tests.bench.health_figures [--docs]

The packs are those of host_tests/bms/ageing_pack.py, which know nothing of the firmware; the tests
of host_tests/bms/test_health.py hold each figure to its goal. Takes some minutes.
"""

import sys

from bms.health import CAPACITY
from cellsteward.generated_docs import DOCS, table, with_parts
from host_tests.bms.ageing_pack import (
    LEAKY_CELL,
    WEAK_CELL,
    Pack,
    Stand,
    cycle,
    damaged,
    fade,
    live,
    names,
)

PAGE = DOCS / "health.md"
_SEEDS = (1, 2, 3)
_OFFSETS_MA = (0, 100, -100)  # 0.1 % of C
_DAYS_MAX = 30


def capacity_error(seed, offset_ma):
    """In % of the truth, of a pack 15 % below its design after 20 cycles."""
    stand = Stand(Pack(cells=4, capacity_ah=85, spread=0.01, seed=seed), offset_ma=offset_ma)
    cycle(stand, 20)
    return _error(stand)


def lag(cycles):
    """In % of the truth, after so many cycles that take 1 % of the capacity in 20."""
    stand = Stand(Pack(cells=4, capacity_ah=100))
    cycle(stand, 2, dt=120)
    first = _error(stand)
    fade(stand, cycles)
    return _error(stand) - first


def resistance_errors(seed):
    """In % of the truth, of 8 cells of a pack after four cycles."""
    stand = Stand(Pack(cells=8, spread=0.03, seed=seed))
    cycle(stand, 4, dt=20)
    learned = stand.health.resistance
    return [100 * (learned.uohm(cell) / 1e6 / ohm - 1) for cell, ohm in enumerate(stand.pack.r0)]


def days_until_named(seed):
    """Of the weak cell and of the leaking one, and cells that were named wrongly."""
    stand = damaged(seed)
    found = [0, 0]
    wrong = set()
    for day in range(1, _DAYS_MAX + 1):
        live(stand, 1, first=day - 1)
        for kind, (cell, named) in enumerate(
            zip((WEAK_CELL, LEAKY_CELL), names(stand), strict=True)
        ):
            if cell in named and not found[kind]:
                found[kind] = day
            wrong |= named - {cell}
        if 0 not in found:
            break
    return found, wrong


def _error(stand):
    return 100 * (stand.health.kept[CAPACITY] / (1000 * stand.pack.usable_ah()) - 1)


def rows():
    """Of the table: what, goal, found."""
    errors = [capacity_error(seed, offset) for seed in _SEEDS for offset in _OFFSETS_MA]
    yield (
        "Capacity of a pack 15 % below its design, after 20 cycles; sensor with 1 mV of noise "
        f"and an offset of 0 or +-0.1 % of C; {len(errors)} packs",
        "within 2 %",
        f"{min(errors):+.1f} to {max(errors):+.1f} %",
    )
    yield (
        "The same while it loses 1 % in 20 cycles, after 20, 60 and 120 cycles",
        "tracked, with a lag that is told",
        ", ".join(f"{lag(cycles):+.2f} %" for cycles in (20, 60, 120)),
    )
    errors = [error for seed in _SEEDS for error in resistance_errors(seed)]
    yield (
        f"Resistance of {len(errors)} cells that differ by +-12 %, after four cycles",
        "within 5 %",
        f"{min(errors):+.1f} to {max(errors):+.1f} %",
    )
    found = [days_until_named(seed) for seed in _SEEDS]
    yield (
        "16 cells, one with 10 % less capacity and one that leaks 5 mA more; full each day, empty "
        "once a week",
        "both named, no other",
        "weak after {} days, leaking after {}; named wrongly: {}".format(
            *(", ".join(str(days[kind] or "never") for days, _ in found) for kind in (0, 1)),
            sorted(set().union(*(wrong for _, wrong in found))) or "none",
        ),
    )


def main(arguments):
    """Prints the table."""
    text = table(("What", "Goal", "Found"), rows())
    print(text)
    if "--docs" in arguments:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_parts(page, {"figures": text}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
