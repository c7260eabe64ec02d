"""The INA228's registers: expected values from its data sheet (TI SLYS021A)."""

import json

import pytest

from boards.sim import faults
from boards.sim.ina228 import Ina228
from boards.sim.load import ConstantLoad
from boards.sim.world import World

SHUNT_OHM = 100e-6
CONVERSION_US = 3 * 1052  # after reset: temperature, shunt and bus, 1052 us each, no averaging


class StandInPack:
    current_a = 0.0
    bus_v = 0.0
    board_temperature_c = 22.0


class Bench:
    """A chip alone, with a clock."""

    def __init__(self, shunt_ohm=SHUNT_OHM):
        self.now_us = 0
        self.pack = StandInPack()
        self.chip = Ina228(self.pack, lambda: self.now_us, shunt_ohm)

    def read(self, register, size):
        buf = bytearray(size)
        self.chip.read(register, buf)
        return int.from_bytes(buf, "big")

    def write(self, register, value):
        assert self.chip.write(register, value.to_bytes(2, "big"))

    def signed_20_bits(self, register):
        value = self.read(register, 3)
        assert value & 0xF == 0  # reserved
        value >>= 4
        return value - (1 << 20) if value & 1 << 19 else value


@pytest.fixture
def bench():
    return Bench()


@pytest.mark.parametrize(
    ("register", "value"),
    [(0x00, 0), (0x01, 0xFB68), (0x02, 0x1000), (0x0B, 0x0001), (0x3E, 0x5449), (0x3F, 0x2281)],
)
def test_registers_after_reset(bench, register, value):
    assert bench.read(register, 2) == value


@pytest.mark.parametrize(("current_a", "counts"), [(100.0, 32000), (-100.0, -32000), (0.0, 0)])
def test_shunt_voltage_in_312_nanovolts(bench, current_a, counts):
    bench.pack.current_a = current_a
    bench.now_us = CONVERSION_US
    assert bench.signed_20_bits(0x04) == counts  # 10 mV / 312.5 nV


def test_the_narrow_range_is_four_times_finer_and_ends_at_41_millivolts(bench):
    bench.write(0x00, 0x0010)
    bench.pack.current_a = 100.0
    bench.now_us = CONVERSION_US
    assert bench.signed_20_bits(0x04) == 128000
    bench.pack.current_a = 1000.0
    bench.now_us *= 2
    assert bench.signed_20_bits(0x04) == (1 << 19) - 1


def test_bus_voltage_and_temperature(bench):
    bench.pack.bus_v = 53.2
    bench.pack.board_temperature_c = 25.0
    bench.now_us = CONVERSION_US
    assert bench.signed_20_bits(0x05) == round(53.2 / 195.3125e-6)
    assert bench.read(0x06, 2) == round(25 / 7.8125e-3)


def test_current_as_in_the_data_sheets_example():
    """Section 8.2: 10 A at most and 16.2 milliohm give SHUNT_CAL 4050 and 19.07 uA a bit."""
    bench = Bench(0.0162)
    bench.write(0x02, 4050)
    bench.pack.current_a = 6.0
    bench.now_us = CONVERSION_US
    assert bench.signed_20_bits(0x07) == pytest.approx(6 / (10 / 2**19), abs=3)


def test_with_the_narrow_range_the_calibration_is_four_times_as_large():
    bench = Bench(0.001)
    bench.write(0x00, 0x0010)
    bench.write(0x02, 4 * 500)
    bench.pack.current_a = 20.0
    bench.now_us = CONVERSION_US
    current_lsb_a = 500 / 13107.2e6 / 0.001
    assert bench.signed_20_bits(0x07) == pytest.approx(20 / current_lsb_a, rel=1e-4)


def test_the_ready_flag_comes_with_each_conversion_and_goes_when_it_is_read(bench):
    bench.now_us = CONVERSION_US - 1
    assert bench.read(0x0B, 2) == 0x0001
    bench.now_us += 1
    assert bench.read(0x0B, 2) == 0x0003
    assert bench.read(0x0B, 2) == 0x0001
    bench.now_us += CONVERSION_US
    assert bench.read(0x0B, 2) == 0x0003


@pytest.mark.parametrize(
    ("config", "period_us"),
    [
        (0xBB69, 2 * 1052 * 4),  # shunt and bus, four averaged
        (0xA000, 50),  # the shunt alone, quickly
        (0xFFFF, 3 * 4120 * 1024),  # everything slowly
    ],
)
def test_the_time_of_a_conversion_is_the_sum_of_its_channels(bench, config, period_us):
    bench.write(0x01, config)
    bench.now_us = period_us - 1
    assert not bench.read(0x0B, 2) & 2
    bench.now_us += 1
    assert bench.read(0x0B, 2) & 2


@pytest.mark.parametrize("config", [0x0000, 0x8000])
def test_a_converter_that_is_switched_off_shows_its_last_results(bench, config):
    bench.pack.current_a = 100.0
    bench.now_us = CONVERSION_US
    bench.write(0x01, config)
    bench.read(0x0B, 2)
    bench.pack.current_a = 0.0
    bench.now_us += 10_000_000
    assert bench.read(0x0B, 2) == 0x0001
    assert bench.signed_20_bits(0x04) == 32000


def test_a_triggered_conversion_happens_once(bench):
    bench.write(0x01, 0x2000)
    bench.now_us = 50
    assert bench.read(0x0B, 2) & 2
    bench.now_us += 10_000
    assert not bench.read(0x0B, 2) & 2


def test_reset_takes_all_settings_back(bench):
    bench.write(0x01, 0xBB69)
    bench.write(0x0B, 0x8001)
    bench.write(0x00, 0x8000)
    assert bench.read(0x00, 2) == 0
    assert bench.read(0x01, 2) == 0xFB68
    assert bench.read(0x0B, 2) == 0x0001


def test_of_the_flags_register_only_the_settings_can_be_written(bench):
    bench.write(0x0B, 0xFFFE)
    assert bench.read(0x0B, 2) == 0xF001


@pytest.mark.parametrize("register", [0x04, 0x05, 0x06, 0x07, 0x3E, 0x3F])
def test_results_and_identity_can_not_be_written(bench, register):
    before = bench.read(register, 2)
    bench.write(register, 0x1234)
    assert bench.read(register, 2) == before


def test_what_is_not_modelled_says_so(bench):
    with pytest.raises(NotImplementedError, match="0x0A is not simulated"):
        bench.read(0x0A, 5)


def world_with_sensor():
    world = World(load=ConstantLoad(-30.0), ina228_ohm=SHUNT_OHM)
    world.inverter.obeys = False
    world.pack.charge_welded = world.pack.discharge_welded = True
    world.advance(1_000_000)
    return world


def shunt_counts(world):
    buf = bytearray(3)
    world.sensor_i2c.readfrom_mem_into(0x40, 0x04, buf)
    value = int.from_bytes(buf, "big") >> 4
    return value - (1 << 20) if value & 1 << 19 else value


def test_it_sees_the_packs_current_on_a_bus_of_its_own():
    assert shunt_counts(world_with_sensor()) == -9600  # 3 mV


def test_a_silent_sensor_leaves_the_measuring_chip_alone():
    world = world_with_sensor()
    faults.inject(world, "current_sensor_silent")
    with pytest.raises(OSError):
        shunt_counts(world)
    world.i2c.readfrom_mem_into(0x08, 0x14, bytearray(2))
    faults.clear(world, "current_sensor_silent")
    shunt_counts(world)


def test_a_frozen_sensor_answers_with_what_it_saw_last():
    world = world_with_sensor()
    shunt_counts(world)
    faults.inject(world, "current_sensor_frozen")
    world.load.current_a = 0.0
    world.advance(1_000_000)
    assert shunt_counts(world) == -9600
    faults.clear(world, "current_sensor_frozen")
    world.advance(10_000)
    assert shunt_counts(world) == 0


def test_a_pack_without_one_has_nothing_at_its_address():
    with pytest.raises(OSError):
        shunt_counts(World())


def test_settings_outlive_a_reset_of_the_processor():
    world = world_with_sensor()
    world.sensor_i2c.writeto_mem(0x40, 0x01, b"\xbb\x69")
    after = world_with_sensor()
    after.restore(json.loads(json.dumps(world.save())))
    buf = bytearray(2)
    after.sensor_i2c.readfrom_mem_into(0x40, 0x01, buf)
    assert bytes(buf) == b"\xbb\x69"
    after.restore(json.loads(json.dumps(world.save())), powered=False)
