"""Generates the tables of docs/performance.md from what was measured.

Usage: python -m cellsteward.performance_docs [--check]
The figures are in docs/performance.json (python -m host_tests.bench.performance), docs/soak.json
(host_tests/bench/soak.py) and, if there is one, docs/rp2040.json, which an emulated RP2040 fills:
{"how": one sentence, "figures": {what: figure with its unit}}.
"""

import json
import sys
from collections.abc import Iterable, Mapping

from cellsteward.generated_docs import DOCS, run, table, with_parts

PAGE = DOCS / "performance.md"
DATA = DOCS / "performance.json"
SOAK = DOCS / "soak.json"
RP2040 = DOCS / "rp2040.json"

_KB = 1000
_PERIOD_US = 100_000  # the default of step_period_ms
_GROWTH_BUDGET = 1024  # bytes; less is chance: words that look like addresses
_WEEK_H = 168
_CHIP_CELLS = 16  # more are a stack of two
_US_A_BYTE = 22.5  # nine clocks at 400 kHz
# Budgets of the fast path's step: cells, CRC, microseconds
_STEP_BUDGETS = ((16, False, 6_000), (16, True, 10_000))
_RESIDENT_BUDGET = 65 * _KB
_HEAP_BUDGET = 130 * _KB


def generate() -> str:
    """The whole page as it should be."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    soak = json.loads(SOAK.read_text(encoding="utf-8"))
    parts = {
        "budgets": _budgets(data, soak),
        "steps": _steps(data["steps"]),
        "bus": _bus(data["steps"]),
        "slow": _slow(data["slow_path"]),
        "frames": _frames(data["frames"]),
        "requests": _requests(data["requests"]),
        "boot": _boot(data["simulated"]),
        "memory": _memory(data["memory"]),
        "soak": _soak(soak, data["simulated"]),
    }
    return with_parts(PAGE.read_text(encoding="utf-8"), parts)


def _budgets(data: Mapping, soak: Mapping) -> str:
    lines = []
    for cells, crc, budget_us in _STEP_BUDGETS:
        row = next(row for row in data["steps"] if (row["cells"], row["crc"]) == (cells, crc))
        name = f"Step of the fast path, {cells} cells, {'with' if crc else 'without'} CRC"
        met = _met(row["total_us"], budget_us)
        lines.append([name, f"{_ms(budget_us)} ms", f"{_ms(row['total_us'])} ms, counted", met])
    memory = data["memory"]
    for name, found, budget in (
        ("`.mpy` that stay loaded, plain Pico", _resident(memory["packages"]), _RESIDENT_BUDGET),
        ("Heap after boot, plain Pico", memory["from_mpy"], _HEAP_BUDGET),
    ):
        lines.append([name, f"{budget} bytes", f"{found} bytes", _met(found, budget)])
    growth = f"{soak['heap_growth']:+d} bytes in {soak['simulated_h']} h"
    met = _met(soak["heap_growth"], _GROWTH_BUDGET)
    if met == "met" and soak["simulated_h"] < _WEEK_H:
        met = "not shown: less than a week"
    budget = f"none ({_GROWTH_BUDGET} bytes)"
    lines.append(["Growth of the heap in a simulated week", budget, growth, met])
    lines.append(["Heap that stays free on a W board with a radio on", "50 KB", "-", "not shown"])
    return table(("What", "Budget", "Found", ""), lines)


def _met(found: float, budget: float) -> str:
    return "met" if found <= budget else "**not met**"


def _resident(packages: Mapping[str, Mapping[str, int]]) -> int:
    return sum(sizes["resident"] for sizes in packages.values())


def _steps(rows: Iterable[Mapping]) -> str:
    titles = (
        "Cells", "CRC", "Opcodes", "Code, ms", "With the bus, ms", "Of a period of 100 ms",
        "Allocated, unix / 32-bit", "Unix port, us", "32-bit build, us",
    )  # fmt: skip
    return table(
        titles,
        [
            [
                *_pack(row),
                str(row["opcodes"]),
                _ms(row["code_us"]),
                _ms(row["total_us"]),
                f"{100 * row['total_us'] / _PERIOD_US:.0f} %",
                "0 / 0",  # the heap is locked while step_time.py measures on either
                str(row["unix_us"]),
                str(row["small_us"]),
            ]
            for row in rows
        ],
    )


def _bus(rows: Iterable[Mapping]) -> str:
    titles = (
        "Cells", "CRC", "New scan, bytes", "ms", "Least, bytes", "ms", "Over the least",
        "Mean step, bytes", "Longest step, bytes",
    )  # fmt: skip
    return table(
        titles,
        [
            [
                *_pack(row),
                str(row["wire_bytes"]),
                _ms(_US_A_BYTE * row["wire_bytes"]),
                str(row["least_bytes"]),
                _ms(_US_A_BYTE * row["least_bytes"]),
                f"{100 * (row['wire_bytes'] / row['least_bytes'] - 1):+.0f} %",
                f"{row['mean_bytes']:.0f}",
                str(row["most_bytes"]),
            ]
            for row in rows
        ],
    )


def _pack(row: Mapping) -> list[str]:
    stack = " (stack)" if row["cells"] > _CHIP_CELLS else ""
    return [f"{row['cells']}{stack}", "yes" if row["crc"] else "no"]


def _slow(parts: Mapping[str, Mapping[str, float]]) -> str:
    titles = ("What, once a second", "Mean, ms", "Longest second, ms")
    names = {"estimator": "State-of-charge estimator", "all": "The whole slow path with it"}
    return table(
        titles,
        [
            [names[name], str(part["mean_ms"]), str(part["most_ms"])]
            for name, part in parts.items()
        ],
    )


def _frames(profiles: Mapping[str, Mapping]) -> str:
    titles = ("Profile", "Frames", "A set, ms", "Frames encoded a second", "Sent a second")
    return table(
        titles,
        [
            [
                f"`{name}`",
                str(cost["frames"]),
                _ms(cost["set_us"]),
                str(cost["encoded_a_second"]),
                str(cost["sent_a_second"]),
            ]
            for name, cost in profiles.items()
        ],
    )


def _requests(found: Mapping[str, Mapping]) -> str:
    titles = ("Request", "Processor, ms", "Requests a second", "Bytes allocated")
    return table(
        titles,
        [
            [name, str(cost["ms"]), str(cost["a_second"]), str(cost["allocated"])]
            for name, cost in found.items()
        ],
    )


def _boot(simulated: Mapping) -> str:
    lines = [
        [
            "From the application's start to both gates on, programming and self-test between",
            f"{simulated['gates_on_s']} s",
            "simulated board, the chip's own times",
        ]
    ]
    if RP2040.exists():
        emulated = json.loads(RP2040.read_text(encoding="utf-8"))
        lines += [[what, figure, emulated["how"]] for what, figure in emulated["figures"].items()]
    else:
        lines.append(["Importing the application on an RP2040", "-", "not measured yet"])
    return table(("What", "Figure", "How"), lines)


def _memory(memory: Mapping) -> str:
    packages = memory["packages"]
    lines = [
        [f"`{name}`", str(sizes["mpy"]), str(sizes["resident"])]
        for name, sizes in packages.items()
    ]
    total = sum(sizes["mpy"] for sizes in packages.values())
    lines.append(["all", str(total), str(_resident(packages))])
    heap = f"Heap after boot: **{memory['from_mpy']} bytes**; of source: {memory['from_source']}."
    return heap + "\n\n" + table(("Package", "`.mpy`, bytes", "of these stay loaded"), lines)


def _soak(soak: Mapping, simulated: Mapping) -> str:
    titles = ("What", "Figure")
    lines = [
        ["Simulated", f"{soak['simulated_h']} h ({soak['steps']} steps)"],
        ["Asked for", f"{soak['asked_h']:g} h"],
        ["A step every", f"{soak['period_ms']} ms"],
        [
            "Heap in the last quarter, median against the first's",
            f"{soak['heap_growth']:+d} bytes",
        ],
        ["Least and most", f"{soak['heap_least']:+d} to {soak['heap_most']:+d} bytes"],
        ["Simulated seconds in a real one, here", str(soak["speed"])],
        ["The same with a step every 100 ms, half an hour", str(simulated["a_second"])],
    ]
    return table(titles, lines)


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1000:.1f}"


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
