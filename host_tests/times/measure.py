"""Measures docs/worst-case-times.json: the whole firmware on the simulated board, row by row.

    python -m host_tests.times.measure --out docs/worst-case-times.json

Each row's cause comes at several random phases against the fast path, the chip's scan, the slow
path and the collections of garbage, with the processor's work charged at an RP2040's pace (option
`costs`). The slowest of these runs is then repeated with a stall of the processor at the worst
moments: just before the step that opened the gate, and at the cause. Runs are deterministic, so
until the stall begins they are the same run.
Limits: one stall at a time, as law 2 has it.
"""

import argparse
import json
import random
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware" / "lib"))

from host_tests.system.simulated_board import SETTINGS, run_board
from host_tests.times.rows import AT_S, CHIP, CONTACT_MS, ROWS
from host_tests.times.unmeasured import UNMEASURED

PAGE_DATA = Path(__file__).resolve().parents[2] / "docs" / "worst-case-times.json"
PHASES = 10
SPREAD_MS = 6300  # periods of 100 ms and scans of 63 ms meet again after this long
PERIOD_MS = 100  # default of step_period_ms
SEED = 1

# What may stall the processor, and for how long (micropython.md).
STALLS_MS = {
    "gc": 30,  # 21.4 ms with 136 KB alive, 1.4 times on silicon
    "write": 54,  # an append to the flash, median
    "write_worst": 400,  # an erase by flash data sheets
}
# Before the gate opened: the step that decides takes about 11 ms to get there, more with CRC, an
# INA228 or a readback. A stall that begins within it waits for its end, and changes nothing.
_AHEAD_MS = (12, 14, 18)
_CHARGE, _DISCHARGE = 1, 2  # columns of the gate trace
_MAIN = 3  # contactors: bits of both poles
_WORKERS = 2
# What makes the firmware write, as typed on the console: an event a time, the configuration.
_WORK = (("nothing", ""), ("an event logged", "gates auto\r"), ("configuration saved", "save\r"))
_TURNS = 40


class NotMeasured(AssertionError):
    """A run did not show what its row is about; the text says what it showed."""


@dataclass(frozen=True)
class Run:
    """One measured run: where its cause lay, and what it gave."""

    phase_ms: int
    taken_ms: float
    opened_ms: int  # on the simulation's clock, from its start


def run_row(row, phase_ms, stall_ms=0, stall_at_ms=0):
    """Run a row once. Raises NotMeasured."""
    early_s = max(0, -min(at_s for at_s, _ in row.orders))
    cause_ms = round(1000 * (AT_S + early_s)) + phase_ms
    orders = [[(cause_ms + round(1000 * at_s)) / 1000, order] for at_s, order in row.orders]
    if stall_ms:
        orders.append([stall_at_ms / 1000, {"stall_ms": stall_ms}])
    signal, _, limit = row.since.partition(" ")
    with tempfile.TemporaryDirectory() as folder:
        run = run_board(
            Path(folder),
            duration_s=cause_ms / 1000 + row.last_s + 2,
            settings={**SETTINGS, **row.settings},
            faults=list(row.faults),
            orders=orders,
            watch=[[signal, int(limit)]] if limit and signal != "gate" else [],
            costs=True,
            every_status=False,
        )
    if "trace" not in run.end:
        raise NotMeasured(f"{row.name}: the run did not end: {run.output[-500:]}")
    since_us = 1000 * cause_ms
    if signal == "gate":
        since_us = _opened_us(row, run, _gate(limit), since_us)
    elif limit:
        if signal not in run.end["crossed_us"]:
            raise NotMeasured(f"{row.name}: {row.since} was never crossed")
        since_us = run.end["crossed_us"][signal]
    opened_us = (
        _main_opened_us(row, run, since_us)
        if row.contacts
        else max(_opened_us(row, run, _gate(gate), since_us) for gate in row.gate)
    )
    shown = run.statuses[-1]["points"].get("faults", ())
    if not row.hung and row.fault not in shown:
        raise NotMeasured(f"{row.name}: {row.fault} is not among the faults: {shown}")
    if row.layer == CHIP and (opened_us - since_us) / 1000 < row.delay_ms() - PERIOD_MS:
        raise NotMeasured(f"{row.name}: something else opened first: {run.end['trace']}")
    return Run(phase_ms, (opened_us - since_us) / 1000, opened_us // 1000)


def measure(row, phases, note=lambda: None):
    """The row of the JSON file: the worst of `phases`, without and with each stall."""
    quiet = []
    for phase_ms in phases:
        quiet.append(run_row(row, phase_ms))
        note()
    worst = max(quiet, key=lambda run: run.taken_ms)
    result = {
        "name": row.name,
        "fault": row.fault,
        "layer": row.layer,
        "gate": row.gate,
        "contacts": row.contacts,
        "delay_ms": row.delay_ms(),
        "bound_ms": row.bound_ms(),
        "parts": [list(part) for part in row.parts()],
        "runs": len(quiet),
        "soonest_ms": min(run.taken_ms for run in quiet),
        "quiet_ms": worst.taken_ms,
        "phase_ms": worst.phase_ms,
        "stalled_ms": {},
    }
    if _stalls(row):
        for name, stall_ms in STALLS_MS.items():
            runs = []
            for moment_ms in worst_moments(row, worst):
                runs.append(run_row(row, worst.phase_ms, stall_ms, moment_ms))
                note()
            slowest = max(runs, key=lambda run: run.taken_ms)
            result["stalled_ms"][name] = slowest.taken_ms
            result["runs"] += len(runs)
    return result


def worst_moments(row, run):
    """When a stall hurts most, by a run without one: just before the step that decided, at
    several distances, and at the cause."""
    decided_ms = run.opened_ms - (CONTACT_MS if row.contacts else 0)
    cause_ms = run.opened_ms - round(run.taken_ms)
    return [decided_ms - ahead_ms for ahead_ms in _AHEAD_MS] + [cause_ms + 1]


def runs_of(row, phases):
    """How many runs `measure` takes."""
    return phases + (len(STALLS_MS) * (len(_AHEAD_MS) + 1) if _stalls(row) else 0)


def violations(row):
    """Sentences about a measured row (of the JSON file) that took longer than its bound."""
    found = []
    for name, stall_ms in {"quiet": 0, **STALLS_MS}.items():
        taken_ms = row["quiet_ms"] if name == "quiet" else row["stalled_ms"].get(name)
        if taken_ms is not None and taken_ms > row["bound_ms"] + stall_ms:
            found.append(
                f"{row['name']}, {name}: {taken_ms:.1f} ms, more than "
                f"{row['bound_ms']} + {stall_ms} ms"
            )
    return found


def natural_stalls():
    """The longest time between two steps, in ms, while the firmware itself collects garbage, logs
    events and saves its configuration: with a typical flash, and with the worst of data sheets."""
    found = {}
    for flash, faults in (("typical", ()), ("worst", ("flash_stall",))):
        for work, typed in _WORK:
            orders = [[AT_S - 1, {"console": "unlock 1234\r"}]]
            orders += [[AT_S - 1, {"inject": fault}] for fault in faults]
            orders += [[AT_S + 2.037 * turn, {"console": typed}] for turn in range(_TURNS)]
            with tempfile.TemporaryDirectory() as folder:
                run = run_board(
                    Path(folder),
                    duration_s=AT_S + 2.037 * (_TURNS + 1),
                    costs=True,
                    orders=orders,
                    every_status=False,
                )
            found[f"{work}, {flash} flash"] = run.statuses[-1]["points"]["longest_step_ms"]
    return found


def _stalls(row):
    return row.stalls and not row.hung


def _gate(letter):
    return _CHARGE if letter == "c" else _DISCHARGE


def _opened_us(row, run, gate, since_us):
    """When a gate that was on was seen off for the first time after a moment."""
    was_on = False
    for entry in run.end["trace"]:
        if entry[0] < since_us:
            was_on = entry[gate]
        elif not entry[gate] and was_on:
            return _before_the_end(row, run, entry[0])
        else:
            was_on = True
    raise NotMeasured(f"{row.name}: no opening in {run.end['trace']} after {since_us}")


def _main_opened_us(row, run, since_us):
    was_on = False
    for moment_us, bits in run.end["contact_trace"]:
        if moment_us < since_us:
            was_on = bits & _MAIN == _MAIN
        elif was_on and bits & _MAIN != _MAIN:
            return _before_the_end(row, run, moment_us)
    raise NotMeasured(f"{row.name}: no opening in {run.end['contact_trace']} after {since_us}")


def _before_the_end(row, run, moment_us):
    """An opening counts only if it is not the end of the run that opened."""
    if run.end["reason"] == "duration" and moment_us >= 1e6 * run.end["t_s"] - 1000:
        raise NotMeasured(f"{row.name}: still on at the end: {run.end['trace']}")
    return moment_us


def _measured_or_told(row, phases, note):
    try:
        return measure(row, phases, note)
    except NotMeasured as problem:
        return {"name": row.name, "problem": str(problem)}


def main(arguments=None):
    """Returns the process's exit code: 1 if a row broke its bound or could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PAGE_DATA)
    parser.add_argument("--phases", type=int, default=PHASES)
    parser.add_argument("--only", nargs="*", help="names of rows; prints, writes nothing")
    chosen = parser.parse_args(arguments)
    rows = [row for row in ROWS if not chosen.only or row.name in chosen.only]
    total = sum(runs_of(row, chosen.phases) for row in rows)
    done = []

    def note():
        done.append(1)
        bar = "#" * (40 * len(done) // total)
        print(f"\r[{bar:40}] {len(done)} of {total} runs", end="", file=sys.stderr, flush=True)

    def one(row):
        draw = random.Random(f"{SEED} {row.name}")
        phases = [draw.randrange(SPREAD_MS) for _ in range(chosen.phases)]
        return _measured_or_told(row, phases, note)

    with ThreadPoolExecutor(_WORKERS) as workers:
        results = list(workers.map(one, rows))
    print(file=sys.stderr)
    problems = [result["problem"] for result in results if "problem" in result]
    measured = [result for result in results if "problem" not in result]
    for result in measured:
        problems += violations(result)
        if chosen.only:
            print(json.dumps(result))
    for problem in problems:
        print(problem)
    if not chosen.only:
        data = {
            "phases": chosen.phases,
            "seed": SEED,
            "stalls_ms": STALLS_MS,
            "rows": measured,
            "natural_stalls_ms": natural_stalls(),
            "unmeasured": [list(row) for row in UNMEASURED],
            "problems": problems,
        }
        chosen.out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
