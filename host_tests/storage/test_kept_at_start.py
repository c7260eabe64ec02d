"""What the recorder finds on the flash at the start: what fails there fails the self-test."""

from array import array

import pytest

from bms import requests
from bms.events import Events
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH
from host_tests.bms.bench import Bench
from recorder.recorder import Recorder
from storage.state import SavedState


def begun(directory):
    recorder = Recorder(f"{directory}/", array("i", [0] * 7), Events())
    recorder.begin("power_on")
    return recorder


@pytest.fixture
def kept(tmp_path):
    """A directory as an earlier start left it."""
    recorder = begun(tmp_path)
    recorder.events_log.append_boot(0)
    state = SavedState(str(tmp_path))
    state.update({"restricted": 1})
    state.update({"restricted": 0})
    return tmp_path


def test_a_new_board_and_an_old_one_pass(tmp_path, kept):
    assert begun(kept).flash_problems() == []
    (tmp_path / "new").mkdir()
    assert begun(tmp_path / "new").flash_problems() == []


@pytest.mark.parametrize("name", ["config_a.json", "state_b.json", "log/1.bin"])
def test_a_file_that_can_not_be_read_fails_the_check_with_a_sentence(kept, name):
    path = kept / name
    path.unlink(missing_ok=True)
    path.mkdir()
    (problem,) = begun(kept).flash_problems()
    assert f"{name} can not be read" in problem


def test_one_damaged_copy_of_the_state_is_what_the_other_one_is_for(kept):
    (kept / "state_a.json").write_text("{}")
    recorder = begun(kept)
    assert recorder.flash_problems() == []
    assert any("state_a.json is damaged" in problem for problem in recorder.problems())


def test_no_whole_copy_of_the_state_fails_the_check(kept):
    for slot in "ab":
        (kept / f"state_{slot}.json").write_text('{"format": 1}')
    (problem,) = begun(kept).flash_problems()
    assert "of state_a.json and state_b.json none is whole" in problem


def test_a_log_that_can_not_be_looked_through_fails_the_check(tmp_path):
    (problem,) = begun(tmp_path / "missing").flash_problems()
    assert problem == "the flash check failed: the event log can not be looked through"


def test_a_log_whose_files_can_not_be_opened_fails_the_check(tmp_path):
    (tmp_path / "log").write_text("a file where the directory should be")
    assert len(begun(tmp_path).flash_problems()) == 4


@pytest.mark.parametrize(
    ("request_", "gates"),
    [
        (requests.CHARGE_OFF, GATE_DISCHARGE),
        (requests.DISCHARGE_OFF, GATE_CHARGE),
        (requests.GATES_OFF, 0),
        (requests.GATES_AUTO, GATES_BOTH),
    ],
)
def test_what_a_bus_asked_of_the_gates_holds_after_a_restart(tmp_path, request_, gates):
    """E1 of JBD: one gate alone was once forgotten, while both were remembered."""
    bench = Bench().start()
    recorder = begun(tmp_path)
    recorder.restore(bench.battery)
    bench.ask(requests.CHARGE_OFF)  # whatever came before
    bench.step()
    bench.ask(request_)
    bench.step()
    assert recorder._write_state(bench.battery) is None
    again = Bench()
    begun(tmp_path).restore(again.battery)
    again.run(5000)
    assert again.chip.gates() == gates


def test_a_state_file_from_before_such_requests_were_kept_forbids_nothing(kept):
    bench = Bench()
    begun(kept).restore(bench.battery)
    assert bench.battery.forbidden == 0
