"""The pack's health in its two files: written when due, whole, and back after a power cut."""

import json

import pytest

from bms.events import Events
from bms.health import AGE_H, CAPACITY, PAIRS
from host_tests.bms.bench import Bench
from recorder.recorder import Recorder


@pytest.fixture
def boot(tmp_path):
    """Starts a board on these files: (its battery, its recorder)."""

    def start(**settings):
        bench = Bench(**settings)
        recorder = Recorder(str(tmp_path) + "/", [0] * 7, Events())
        recorder.begin("power_on")
        recorder.restore(bench.battery)
        return bench.battery, recorder

    return start


def measured(battery, capacity_mpc=84_321):
    kept = battery.health.kept
    kept[CAPACITY], kept[PAIRS], kept[AGE_H] = capacity_mpc, 7, 1_234
    battery.health.keep_due = True


def test_what_is_due_is_written_once_and_is_there_after_a_power_cut(boot, tmp_path):
    battery, recorder = boot()
    assert recorder._write_health(battery.health) is None
    assert not list(tmp_path.glob("health*"))
    measured(battery)
    assert recorder._write_health(battery.health) is None
    (file,) = tmp_path.glob("health_*.json")
    assert json.loads(file.read_text())["kept"]["k0"] == 84_321
    assert not battery.health.keep_due
    battery, _ = boot()
    assert battery.health.capacity_mah == 84_321 * 280_000 // 100_000
    assert battery.health.full_mah == battery.health.capacity_mah
    assert battery.health.kept[PAIRS] == 7
    assert battery.health.kept[AGE_H] == 1_234


def test_a_flash_that_refuses_is_asked_again_and_named(boot, tmp_path):
    battery, recorder = boot()
    measured(battery)
    (tmp_path / "health_new.json").mkdir()
    assert "refused" in recorder._write_health(battery.health)
    assert battery.health.keep_due
    (tmp_path / "health_new.json").rmdir()
    assert recorder._write_health(battery.health) is None


def test_a_damaged_newest_file_leaves_the_one_before(boot, tmp_path):
    battery, recorder = boot()
    for capacity_mpc in (90_000, 80_000):
        measured(battery, capacity_mpc)
        recorder._write_health(battery.health)
    newest = next(
        file for file in tmp_path.glob("health_*.json") if '"k0": 80000' in file.read_text()
    )
    newest.write_text(newest.read_text()[:100])
    battery, recorder = boot()
    assert battery.health.kept[CAPACITY] == 90_000
    assert any("health" in problem for problem in recorder.problems())


def test_another_number_of_cells_starts_anew(boot):
    battery, recorder = boot()
    measured(battery)
    recorder._write_health(battery.health)
    battery, _ = boot(series_cells=5)
    assert battery.health.capacity_mah == 280_000


def test_a_board_without_a_configuration_keeps_nothing(boot):
    battery, recorder = boot(configured=False)
    assert battery.health is None
    assert recorder._write_health(battery.health) is None
