"""Law 8: losing power at any write leaves the old or the new state, and every logged event."""

from host_tests.storage.scripts import run_micropython


def test_a_power_cut_at_any_write_leaves_the_old_or_the_new_settings():
    cuts = [
        int(line.split(": ")[1].split()[0]) for line in run_micropython("powercut.py").splitlines()
    ]
    assert len(cuts) == 6
    assert min(cuts) >= 9  # three ways to lose each of at least three writes


def test_a_power_cut_at_any_write_leaves_every_logged_event_and_the_old_or_the_new_state():
    times = [int(line.split(": ")[1]) for line in run_micropython("powercut_log.py").splitlines()]
    assert len(times) == 8
    assert min(times) >= 9
