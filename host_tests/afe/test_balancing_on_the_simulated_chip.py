"""The driver's balancing commands on the model of the chip."""

import pytest

from afe.bq76952 import Bq76952
from bms.sample import BUS_ERROR, BUSY, OK
from boards.sim.load import ConstantLoad
from boards.sim.world import World
from host_tests.bms.bench import parameters_with

SECOND = 1_000_000


@pytest.fixture(params=[(16, False), (13, False), (4, True)])
def programmed(request):
    """(driver, world) of a programmed chip."""
    cells, crc = request.param
    world = World(cells=cells, load=ConstantLoad(), crc=crc)
    driver = Bq76952(world.i2c, parameters_with({"series_cells": cells}), crc=crc)
    for _ in range(100):
        code = driver.programming_step()
        world.advance(100_000)
        if code != BUSY:
            break
    assert code == OK
    return driver, world


def read_back(driver, world):
    """What the chip says that it bleeds; it takes 0.2 ms to answer."""
    if driver.read_balancing() == BUSY:
        world.advance(1000)
        assert driver.read_balancing(True) == OK
    return driver.balancing_cells


def test_each_cell_is_bled_alone_and_read_back(programmed):
    driver, world = programmed
    for cell in range(world.pack.cells):
        assert driver.balance(1 << cell) == OK
        assert world.afe.bleeding_cells() == 1 << cell
        assert read_back(driver, world) == 1 << cell
    assert driver.balance(0) == OK
    assert world.afe.bleeding_cells() == 0


def test_neighbours_never_leave_the_driver(programmed):
    driver, world = programmed
    for mask in range(1 << min(world.pack.cells, 8)):
        assert driver.balance(mask) == OK
        bled = world.afe.bleeding_cells()
        assert bled & mask == bled
        assert not bled & bled << 1
    top = world.pack.cells - 1
    driver.balance(3 << top - 1)
    assert world.afe.bleeding_cells() == 1 << top - 1
    assert world.afe.neighbours_bled == 0


def test_the_chip_stops_by_itself_ten_seconds_after_the_latest_command(programmed):
    driver, world = programmed
    driver.balance(0b1)
    for _ in range(3):
        world.advance(8 * SECOND)
        assert world.afe.bleeding_cells() == 0b1
        driver.balance(0b1)
    world.advance(9 * SECOND)
    assert world.afe.bleeding_cells() == 0b1
    world.advance(2 * SECOND)
    assert world.afe.bleeding_cells() == 0
    assert read_back(driver, world) == 0


def test_the_refresh_leaves_more_than_two_tries_before_the_time_out():
    assert 2 * Bq76952.BALANCE_REFRESH_MS < 10_000


def test_programming_ends_it(programmed):
    driver, world = programmed
    driver.balance(0b1)
    driver.start_programming()
    for _ in range(3):
        driver.programming_step()
        world.advance(1000)
    assert world.afe.bleeding_cells() == 0


def test_a_dead_bus_is_told(programmed):
    driver, world = programmed
    world.i2c.silent = True
    assert driver.balance(0b1) == BUS_ERROR
    assert driver.read_balancing() == BUS_ERROR
