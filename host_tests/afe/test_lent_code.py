"""The code that programs and tests the chip is in memory only while it is needed."""

import sys

import pytest

from bms.sample import BUS_ERROR, BUSY, CONFIGURATION_LOST, OK
from host_tests.afe.simulated_chip import PERIOD_US, Bench

LENT = ("settings", "blocks", "items", "programming", "self_test", "stages")


def in_memory():
    return [name for name in LENT if "afe.bq76952_" + name in sys.modules]


@pytest.fixture
def bench():
    guarding = Bench().guard()
    guarding.driver.put_away()
    return guarding


def equip(driver):
    for _ in driver.equip():
        pass


def test_a_guarding_chip_needs_none_of_it(bench):
    assert in_memory() == []
    assert not bench.driver.equipped
    bench.live(20_000)
    codes = {bench.driver.verify_step() for _ in range(50)}
    assert codes == {BUSY, OK}


def test_a_chip_that_restarted_is_kept_off_until_the_code_is_there(bench):
    bench.chip.power_on_reset()
    assert bench.driver.sample_into(bench.sample) == CONFIGURATION_LOST
    bench.driver.start_programming()
    for _ in range(30):
        assert bench.driver.programming_step() == BUSY
        bench.chip.advance(PERIOD_US)
    assert bench.closed() == (False, False)
    equip(bench.driver)
    assert bench.driver.equipped
    assert bench.program()[0] == OK
    bench.guard()
    assert bench.closed() == (True, True)


def test_gates_and_balancing_that_are_on_go_off_without_the_code(bench):
    assert bench.closed() == (True, True)
    bench.driver.balance(0b100)
    bench.driver.start_programming()
    assert bench.driver.programming_step() == BUSY
    bench.chip.advance(PERIOD_US)
    assert bench.closed() == (False, False)
    assert bench.driver.read_balancing() == OK
    assert bench.driver.balancing_cells == 0


def test_a_dead_bus_is_told_without_the_code(bench):
    bench.bus.readfrom_mem_into = bench.bus.writeto_mem = _nobody
    bench.driver.start_programming()
    assert bench.driver.programming_step() == BUS_ERROR


def test_settings_that_changed_meanwhile_are_programmed(bench):
    before = bench.taken("cell_overvoltage_trip_mv")
    index = bench.parameters.index("cell_overvoltage_trip_mv")
    bench.parameters.values[index] -= 200
    bench.driver.start_programming()
    equip(bench.driver)
    bench.guard()
    assert bench.taken("cell_overvoltage_trip_mv") < before


def _nobody(*_):
    raise OSError(5)
