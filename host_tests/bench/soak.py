"""A simulated day, or what is asked for, as fast as it goes: does memory grow, is it right?

    python host_tests/bench/soak.py [HOURS | week] [--period-ms 250] [--minutes 600] [--out FILE]

A longer step period is faster to simulate: nothing but the fast path depends on it. After so many
real minutes the run is ended and what was simulated by then is told. FILE is docs/soak.json, from
which docs/performance.md is made. The heap is that of MicroPython's unix port with the simulated
board beside the firmware; it is looked at every ten simulated minutes, after a collection. Lent
code that is in use at that moment moves it by up to 10 KB: growth is that of the median from the
first to the last quarter.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from host_tests.system.simulated_board import SETTINGS, run_board

HOUR_S = 3600
DAY_H = 24
WEEK_H = 7 * DAY_H
SLOWEST = 20  # times real time: nothing is as slow as that
QUIT = b'{"quit": true}\n'
SETTLED = 1  # the note after 20 minutes: everything that is used once was used by then
GROWTH_MAX = 1024  # bytes; less is chance: words that look like addresses


def hours_of(text):
    """Hours of an argument."""
    return WEEK_H if text == "week" else float(text)


def summary(run, asked_h, period_ms):
    """What a run says, by name: hours, speed, bytes of heap, charge."""
    end, last = run.end, run.statuses[-1]
    used = end["heap_bytes"][SETTLED:]
    quarter = -(-len(used) // 4)
    first = statistics.median_low(used[:quarter])
    return {
        "asked_h": asked_h,
        "simulated_h": round(end["t_s"] / HOUR_S, 1),
        "period_ms": period_ms,
        "steps": end["steps"],
        "real_s": round(end["real_s"]),
        "speed": round(end["speed"]),
        "heap_first": first,
        "heap_growth": statistics.median_low(used[-quarter:]) - first,
        "heap_least": min(used) - first,
        "heap_most": max(used) - first,
        "soc_bp": last["points"]["soc_bp"],
        "true_soc_bp": last["truth"]["soc_bp"],
        "faults": last["points"]["faults"],
    }


def show(found):
    """Print a summary."""
    print(
        f"{found['simulated_h']} of {found['asked_h']:g} h with a step every "
        f"{found['period_ms']} ms, in {found['real_s']} s: {found['speed']} times real time"
    )
    print(
        f"heap in use: {found['heap_first']} bytes; at the end {found['heap_growth']:+d} bytes, "
        f"between {found['heap_least']:+d} and {found['heap_most']:+d}"
    )
    print(
        f"SoC {found['soc_bp'] / 100} %, true {found['true_soc_bp'] / 100} %; "
        f"faults now: {found['faults'] or 'none'}; steps: {found['steps']}"
    )


def main():
    """Run, print, keep; the exit code tells whether memory grew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("hours", nargs="?", type=hours_of, default=DAY_H)
    parser.add_argument("--period-ms", type=int, default=100)
    parser.add_argument("--minutes", type=float, help="real time after which the run is ended")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    limit_s = asked.hours * HOUR_S / SLOWEST + 60
    ending = {}
    if asked.minutes:
        limit_s = asked.minutes * 60 + 60
        ending = {"send": {"control": QUIT}, "send_after_s": asked.minutes * 60}
    with tempfile.TemporaryDirectory() as folder:
        run = run_board(
            Path(folder),
            duration_s=asked.hours * HOUR_S,
            timeout_s=limit_s,
            every_status=False,
            settings={**SETTINGS, "step_period_ms": asked.period_ms},
            **ending,
        )
    if not run.end:
        print(f"the run broke off after {limit_s:.0f} s: {run.output}", file=sys.stderr)
        return 1
    found = summary(run, asked.hours, asked.period_ms)
    show(found)
    print(run.output, end="")
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(found["heap_growth"] > GROWTH_MAX)


if __name__ == "__main__":
    sys.exit(main())
