"""The INA228's driver on the independent register model of the chip (boards/sim/ina228.py)."""

import pytest

from afe.ina228 import CurrentSensor
from bms.parameters import Parameters
from bms.sample import BUS_ERROR, BUSY, OK, SENSOR_LOST, VERIFY_FAILED, Sample
from boards.sim.i2c import I2C
from boards.sim.ina228 import Ina228

PERIOD_US = 20000  # the shortest of the fast path
SOON = 10


class Pack:
    current_a = 0.0
    bus_v = 0.0
    board_temperature_c = 25.0


class Rig:
    """A driver, a chip behind a shunt, and their time."""

    def __init__(self, shunt_microohm=100):
        self.now_us = 0
        self.pack = Pack()
        self.chip = Ina228(self.pack, lambda: self.now_us, shunt_microohm / 1e6)
        self.bus = I2C()
        self.bus.attach(self.chip)
        parameters = Parameters()
        parameters.load(
            {
                "chemistry": 0,
                "series_cells": 16,
                "design_capacity_mah": 280000,
                "power_path": 2,  # contactors, which break 250 A
                "ina228_shunt_microohm": shunt_microohm,
            }
        )
        self.sensor = CurrentSensor(self.bus, parameters)
        self.sample = Sample(16, 2)

    def configure(self):
        for _ in range(SOON):
            self.now_us += PERIOD_US
            code = self.sensor.step()
            if code != BUSY:
                return code
        raise AssertionError("configuration does not end")

    def read(self, after_us=PERIOD_US):
        self.now_us += after_us
        return self.sensor.read_into(self.sample)

    def read_until_good(self):
        """The answers before OK."""
        codes = []
        while (code := self.read()) != OK:
            codes.append(code)
            assert len(codes) < SOON
        return codes


@pytest.fixture(params=[100, 500], ids=["narrow range", "wide range"])
def rig(request):
    rig = Rig(request.param)
    assert rig.configure() == OK
    return rig


@pytest.mark.parametrize("current_a", [0.0, 0.1, -0.1, 25.0, -100.0, 273.0, -273.0])
def test_the_packs_current_arrives_within_a_step_of_the_converter(rig, current_a):
    rig.pack.current_a = current_a
    assert rig.read() == OK
    # 78.125 nV / 100 microohm and 312.5 nV / 500 microohm: under 0.8 mA; and half for rounding
    assert rig.sample.current_ma == pytest.approx(1000 * current_a, abs=1)


@pytest.mark.parametrize("bus_v", [0.0, 3.2, 51.2, 72.0])
def test_the_bus_voltage_arrives(rig, bus_v):
    rig.pack.bus_v = bus_v
    assert rig.read() == OK
    assert rig.sample.bus_mv == pytest.approx(1000 * bus_v, abs=1)


def test_every_period_down_to_the_shortest_has_a_conversion_of_its_own(rig):
    for current_a in range(50):
        rig.pack.current_a = float(current_a)
        assert rig.read() == OK
        assert rig.sample.current_ma == pytest.approx(1000 * current_a, abs=1)


def test_two_reads_within_one_conversion_are_not_two_measurements(rig):
    assert rig.read() == OK
    assert rig.read(after_us=1000) == SENSOR_LOST
    assert rig.read() == OK


def test_a_frozen_converter_is_lost_until_it_converts_again(rig):
    rig.pack.current_a = 40.0
    assert rig.read() == OK
    rig.chip.frozen = True
    rig.pack.current_a = 400.0
    assert {rig.read() for _ in range(3 * SOON)} == {SENSOR_LOST}
    assert rig.sample.current_ma == pytest.approx(40000, abs=1)
    rig.chip.frozen = False
    rig.pack.current_a = 50.0
    rig.read_until_good()
    assert rig.sample.current_ma == pytest.approx(50000, abs=1)


def test_a_chip_that_restarted_never_shows_the_wrong_range(rig):
    """After a reset its steps are four times as large as those of the narrow range."""
    rig.pack.current_a = 100.0
    assert rig.read() == OK
    rig.chip.power_on_reset()
    codes = rig.read_until_good()
    assert codes[0] == VERIFY_FAILED
    assert set(codes[1:]) == {SENSOR_LOST}
    assert rig.sample.current_ma == pytest.approx(100000, abs=1)


def test_a_silent_bus_is_an_error_and_the_next_read_is_good(rig):
    rig.bus.silent = True
    assert rig.read() == BUS_ERROR
    rig.bus.silent = False
    assert rig.read() == OK


def test_a_bus_that_is_held_low_costs_one_time_out(rig):
    rig.bus.stuck = True
    before = rig.bus.transactions
    assert rig.read() == BUS_ERROR
    assert rig.bus.transactions == before + 1


def test_a_sensor_that_is_not_there_can_not_be_configured():
    rig = Rig()
    rig.bus.silent = True
    assert rig.configure() == BUS_ERROR
