"""The chip model's SLEEP and SHUTDOWN, and what the board takes from the pack in each state."""

import pytest

from afe.bq769x0 import Bq769x0
from afe.bq76952 import Bq76952
from bms.sample import BUSY, MODE_NORMAL, MODE_OFF, MODE_SLEEP, OK
from boards.sim.load import ConstantLoad
from boards.sim.pack import Pack
from boards.sim.supply import pack_ua
from boards.sim.world import World
from host_tests.bms.bench import parameters_with

HOUR_US = 3_600_000_000


def programmed(crc=False, **settings):
    """(driver, world) of a programmed BQ76952."""
    world = World(cells=16, load=ConstantLoad(), crc=crc)
    driver = Bq76952(world.i2c, parameters_with({"series_cells": 16, **settings}), crc=crc)
    for _ in range(100):
        code = driver.programming_step()
        world.advance(100_000)
        if code != BUSY:
            break
    assert code == OK
    return driver, world


def told(driver, world, mode, seconds):
    assert driver.set_mode(driver.MODES[mode]) in (OK, BUSY)
    for _ in range(seconds):  # as the battery does: the chip's watchdog listens
        world.advance(1_000_000)
        try:
            driver._link.read_into(0x12, bytearray(2))
        except OSError:
            pass


@pytest.mark.parametrize("crc", [False, True])
def test_the_chip_sleeps_when_it_may_and_wakes_when_it_may_not(crc):
    driver, world = programmed(crc)
    assert world.afe.mode == "normal"
    told(driver, world, MODE_SLEEP, 12)
    assert world.afe.mode == "sleep"
    told(driver, world, MODE_NORMAL, 1)
    assert world.afe.mode == "normal"


def test_it_does_not_sleep_by_itself():
    driver, world = programmed()
    told(driver, world, MODE_NORMAL, 30)
    assert world.afe.mode == "normal"


def test_current_wakes_it():
    driver, world = programmed()
    told(driver, world, MODE_SLEEP, 12)
    driver.command_gates(3)
    world.advance(1_000_000)
    world.forced_a = -30.0
    world.advance(20_000)
    assert world.afe.mode == "normal"


@pytest.mark.parametrize("crc", [False, True])
def test_switched_off_it_answers_nobody_and_holds_its_gates_off(crc):
    driver, world = programmed(crc, cell_thermistors=1)
    driver.command_gates(3)
    world.set_off_lines(0, 0)
    world.advance(500_000)
    assert (world.afe.charge_on, world.afe.discharge_on) == (True, True)
    told(driver, world, MODE_OFF, 1)
    assert (world.afe.charge_on, world.afe.discharge_on) == (False, False)
    world.advance(60_000_000)  # until the open terminals have lost their charge
    with pytest.raises(OSError, match="ENODEV"):
        world.i2c.readfrom_mem_into(8, 0, bytearray(1))


def shut(thermistors):
    driver, world = programmed(cell_thermistors=thermistors)
    world.advance(60_000_000)  # the open terminals have lost their charge
    told(driver, world, MODE_OFF, 1)
    assert world.afe.mode == "shutdown"
    return world


def test_the_button_wakes_it_and_it_has_forgotten_its_settings():
    world = shut(1)
    world.afe.press_button()
    assert world.afe.mode == "normal"
    assert world.afe.por


def test_with_a_thermistor_at_the_buttons_pin_only_a_charger_wakes_it():
    world = shut(2)
    world.afe.press_button()
    assert world.afe.mode == "shutdown"
    world.forced_a = 5.0
    world.advance(1_000_000)
    assert world.afe.mode == "normal"


def test_a_charger_that_stands_there_keeps_it_from_switching_off():
    driver, world = programmed()
    world.forced_a = 5.0
    world.advance(1_000_000)
    told(driver, world, MODE_OFF, 2)
    assert world.afe.mode == "normal"  # "soft shutdown": off and awake
    assert not world.afe.charge_on
    world.forced_a = None
    world.advance(60_000_000)
    assert world.afe.mode == "shutdown"


def test_a_bq76940_goes_to_ship_mode_and_its_button_wakes_it():
    world = World(cells=15, load=ConstantLoad(), afe_inputs=15)
    driver = Bq769x0(world.i2c, parameters_with({"series_cells": 15, "afe_chip": 3}), 15)
    for _ in range(100):
        world.advance(100_000)
        if driver.programming_step() == OK:
            break
    assert driver.set_mode(driver.MODES[MODE_SLEEP]) == OK  # it has none
    assert world.afe.mode == "normal"
    assert driver.set_mode(driver.MODES[MODE_OFF]) == OK
    assert world.afe.mode == "ship"
    world.afe.press_button()
    assert world.afe.mode == "normal"


def test_what_the_chip_takes_is_what_its_data_sheet_says():
    """BQ76952, SLUSE13, features: NORMAL 286 uA, SLEEP 24 to 41 uA, SHUTDOWN 1 uA."""
    rail_ua = pack_ua("normal", True, 51.2) - 286
    assert 24 <= pack_ua("sleep", True, 51.2) - rail_ua <= 41
    assert pack_ua("shutdown", True, 51.2) - rail_ua == pytest.approx(1)


def test_the_average_of_each_state_is_booked():
    driver, world = programmed()
    told(driver, world, MODE_SLEEP, 20)
    world.supply.doze(True)
    told(driver, world, MODE_SLEEP, 100)
    world.supply.doze(False)
    seconds, uah = world.supply.report()["sleep dozing"]
    assert seconds == pytest.approx(100, abs=2)
    assert 3600 * uah / seconds == pytest.approx(
        pack_ua("sleep", True, world.pack.total_v), rel=1e-3
    )


@pytest.mark.parametrize(
    ("capacity_ah", "links", "dozing", "months"),
    [(280.0, True, True, 5), (280.0, False, True, 60), (20.0, False, True, 4)],
)
def test_a_pack_that_switched_itself_off_stays_above_its_floor_for_months(
    capacity_ah, links, dozing, months
):
    """From 2.5 V at rest (`ship_cell_mv`) down to 1.5 V (`cell_floor_mv`); a processor with a
    supply of its own, as a Pico on a converter has."""
    pack = Pack(16, capacity_ah, soc=-0.006, soc_spread=0.0, capacity_spread=0.0)
    assert max(pack.cell_v) < 2.55
    for _ in range(months * 730):
        taken_a = 1e-6 * pack_ua("shutdown", dozing, pack.total_v, links)
        pack.advance(HOUR_US, -taken_a, True, True)
    assert min(pack.cell_v) > 1.5
