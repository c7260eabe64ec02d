"""Whole runs: the same every time, recorded loads to their end, no growth of memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host_tests.system.simulated_board import ROOT, run_board

DATA = Path(os.environ.get("CELLSTEWARD_DATA", ROOT.parent / "shared" / "data"))
DRIVE_CYCLE = DATA / "lfp_a123m1b_fsae_25C.csv"
GROWTH_BYTES = 4096  # of the simulation and the firmware together


def test_the_same_seed_gives_the_same_run(tmp_path):
    runs = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        orders = [[30, {"inject": "cell_overvoltage"}], [60, {"clear_all": 1}]]
        runs.append(run_board(folder, duration_s=120, orders=orders, seed=7))
    first, second = runs
    assert first.end["trace"] == second.end["trace"]
    assert first.received["can"] == second.received["can"]
    assert first.statuses[-1]["truth"] == second.statuses[-1]["truth"]
    assert first.statuses[-1]["points"] == second.statuses[-1]["points"]


def test_two_hours_leave_no_memory_behind(tmp_path):
    run = run_board(tmp_path, duration_s=7200, timeout_s=110)
    used = run.end["heap_bytes"]
    assert len(used) == 12  # every ten minutes
    assert used[-1] - used[1] <= GROWTH_BYTES


@pytest.mark.skipif(not DRIVE_CYCLE.exists(), reason=f"no recorded loads in {DATA}")
def test_a_recorded_drive_cycle_runs_to_its_end(tmp_path):
    result = subprocess.run(
        [Path(sys.prefix) / "bin" / "cellsteward", "sim", "--load", DRIVE_CYCLE]
        + ["--speed", "max", "--no-ui"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "load finished" in result.stdout
    assert "faults seen: none" in result.stdout


def test_after_a_reset_the_battery_is_where_it_was(tmp_path):
    first = run_board(tmp_path, duration_s=60)
    second = run_board(tmp_path, duration_s=1, reset_cause="watchdog")
    before = first.statuses[-1]["truth"]["soc_bp"]
    after = second.statuses[0]["truth"]["soc_bp"]
    assert abs(before - after) <= 1
    assert second.end["trace"] == []  # a second is too short to program the chip: gates are off
