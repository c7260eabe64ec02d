"""The Pico's board file on the real MicroPython, with a stand-in for the module `machine`."""

import json
import subprocess
from pathlib import Path

import pytest

from host_tests.boot.board_flash import MICROPYTHON, ROOT

SCRIPT = Path(__file__).with_name("pico_starts.py")
LINES = {"charge_off", "discharge_off"}  # high is off; everything else is off while low


@pytest.fixture(scope="module")
def starts():
    """What pico_starts.py found, and the reset causes."""
    done = subprocess.run(
        [MICROPYTHON, SCRIPT, ROOT], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_everything_that_switches_is_off_as_soon_as_it_is_an_output(starts):
    assert starts[0]["made"] == {name: int(name in LINES) for name in starts[0]["made"]}
    assert len(starts[0]["made"]) == 8


def test_gates_off_opens_both_lines_and_all_contactors_and_stops_the_heater(starts):
    off = starts[0]["off"]
    assert off["charge_off"] == off["discharge_off"] == 1
    assert off["positive"] == off["negative"] == off["precharge"] == off["heater"] == 0


def test_gates_off_leaves_the_alarm_and_the_fan_as_they_are(starts):
    assert starts[0]["off"]["alarm"] == starts[0]["off"]["fan"] == 1


@pytest.mark.parametrize("name", ["positive_closed", "negative_closed", "precharge_closed"])
def test_an_auxiliary_contact_is_closed_while_it_pulls_to_ground(starts, name):
    assert starts[0]["contacts"][name] == [1, 0]  # low, high


def test_the_interlock_is_closed_only_while_its_loop_carries_current(starts):
    assert starts[0]["contacts"]["interlock"] == [0, 1]


def test_a_failure_in_the_timers_callback_has_room_for_its_text(starts):
    assert starts[0]["emergency_bytes"] == 100


def test_seven_retained_words_survive_a_restart_each_in_a_register_of_its_own(starts):
    retained = starts[0]["retained"]
    assert len(retained["wanted"]) == 7
    assert retained["kept"] == retained["registers"] == retained["wanted"]


@pytest.mark.parametrize(
    ("start", "cause"),
    [
        ("power-up", "power_on"),
        ("power-up, asked later", "power_on"),
        ("restart from the prompt", "soft"),
        # MicroPython says that its own reset() was the watchdog: micropython issue 19409.
        ("reset()", "soft"),
        ("watchdog", "watchdog"),
        ("watchdog before anything was kept", "watchdog"),
        ("power-up again", "power_on"),
    ],
)
def test_the_reset_cause_is_told(starts, start, cause):
    assert starts[1][start] == cause
