"""Loses the power at every write of every file that the firmware keeps, torn at many places.

The scripts of this folder on a littlefs in RAM, then the whole simulated board. Prints a line for
each and a sum; any failure raises. Takes some minutes: `make power-cuts`.

Usage: python -m host_tests.storage.power_cuts [JOBS]
"""

import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from host_tests.storage.scripts import run_micropython
from host_tests.system.power_cuts import Cuts

TIMEOUT_S = 3600
FINE_BYTES = 32  # between two places at which a write is torn
COARSE_BYTES = 256  # the same of the recorder, where every cut is a start of the battery
RECORDER_PARTS = 8
BOARD_BYTES = (0, 100, 4096)
SCRIPTS = (
    ("configuration", "powercut.py"),
    ("event log and state", "powercut_log.py"),
    ("estimates, health", "powercut_slots.py"),
    ("calibration", "powercut_calibration.py"),
    ("update", "powercut_update.py"),
)


def files(script):
    """Number of cuts of a script that cuts everywhere."""
    printed = run_micropython(script, FINE_BYTES, timeout_s=TIMEOUT_S)
    # A line is "case: 12" or "case: 12 cuts"; the last one of the log is no cut.
    lines = [line for line in printed.splitlines() if "full flash" not in line]
    return sum(int(count) for line in lines for count in re.findall(r": (\d+)(?: cuts)?$", line))


def recorder(part):
    """Cuts, worst deviation of the state of charge, and starts that knew nothing."""
    printed = run_micropython(
        "powercut_recorder.py", COARSE_BYTES, part, RECORDER_PARTS, timeout_s=TIMEOUT_S
    )
    cuts, _, worst_bp, unknown = map(int, re.findall(r"\d+", printed))
    return cuts, worst_bp, unknown


def board(jobs):
    """Cuts and worst deviation, of the whole board."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        cuts = Cuts(Path(folder))
        points = [(at, part) for at in range(1, cuts.writes + 1) for part in BOARD_BYTES]
        off_bp = list(pool.map(lambda point: cuts.cut(*point), points))
    return len(off_bp), max(off_bp)


def main():
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    total = 0
    with ThreadPoolExecutor(jobs) as pool:
        counted = pool.map(files, [script for _, script in SCRIPTS])
        for (name, _), cuts in zip(SCRIPTS, counted, strict=True):
            print(f"{name}: {cuts} cuts, old or new each time", flush=True)
            total += cuts
        parts = list(pool.map(recorder, range(RECORDER_PARTS)))
    cuts = sum(part[0] for part in parts)
    worst_bp = max(part[1] for part in parts)
    print(
        f"recorder of a battery at 2C: {cuts} cuts, state of charge off by {worst_bp / 100} % at "
        f"most, {sum(part[2] for part in parts)} before anything was kept",
        flush=True,
    )
    board_cuts, board_bp = board(jobs)
    print(f"whole board: {board_cuts} cuts, state of charge off by {board_bp / 100} % at most")
    print(f"{total + cuts + board_cuts} power cuts: nothing torn, nothing lost")


if __name__ == "__main__":
    main()
