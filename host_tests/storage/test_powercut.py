"""Law 8: losing power at any write leaves the old or the new state, and every logged event.

Each write is torn at one place here; `make power-cuts` tears them everywhere.
"""

import re

from host_tests.storage.scripts import run_micropython


def test_a_power_cut_at_any_write_leaves_the_old_or_the_new_settings():
    cuts = [
        int(line.split(": ")[1].split()[0]) for line in run_micropython("powercut.py").splitlines()
    ]
    assert len(cuts) == 6
    assert min(cuts) >= 9  # three ways to lose each of at least three writes


def test_a_power_cut_at_any_write_leaves_old_or_new_values_and_no_newer_firmwares_file_is_lost():
    cuts = re.findall(r": (\d+) cuts", run_micropython("powercut_slots.py"))
    assert len(cuts) == 7
    assert min(map(int, cuts)) >= 9


def test_a_power_cut_at_any_write_of_an_update_leaves_a_whole_application_old_or_new():
    cuts = re.findall(r": (\d+) cuts", run_micropython("powercut_update.py"))
    assert len(cuts) == 2
    assert min(map(int, cuts)) >= 30


def test_a_power_cut_of_the_recorder_leaves_log_and_state_and_soc_within_half_a_percent():
    printed = run_micropython("powercut_recorder.py")
    cuts, writes, worst_bp, _ = map(int, re.findall(r"\d+", printed))
    assert cuts >= 3 * (writes // 17)
    assert writes > 200
    assert 0 < worst_bp <= 50


def test_a_power_cut_at_any_write_leaves_every_logged_event_and_the_old_or_the_new_state():
    times = [int(line.split(": ")[1]) for line in run_micropython("powercut_log.py").splitlines()]
    assert len(times) == 8
    assert min(times) >= 9


def test_a_power_cut_at_any_write_leaves_the_old_or_the_new_calibration():
    cuts = int(run_micropython("powercut_calibration.py").split(": ")[1].split()[0])
    assert cuts >= 9
