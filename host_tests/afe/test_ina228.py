"""The INA228's driver, on a double that answers as SLYS021A (its data sheet) says."""

from fractions import Fraction
from types import SimpleNamespace

import pytest

from afe.bq76952 import Bq76952
from afe.ina228 import CurrentSensor, WithCurrentSensor, problems
from bms.parameters import Parameters
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    CORRUPT,
    OK,
    SENSOR_LOST,
    VERIFY_FAILED,
    WRONG_DEVICE,
    Sample,
)
from host_tests.afe.ina228_double import (
    ADC_CONFIG,
    ADCRANGE,
    ADDRESS,
    ALATCH,
    CONFIG,
    DEVICE_ID,
    DIAG_ALRT,
    MANUFACTURER_ID,
    MEMSTAT,
    READY,
    VBUS,
    VSHUNT,
    Ina228Double,
)
from host_tests.wasm import build

PACK = {
    "chemistry": 0,
    "series_cells": 16,
    "design_capacity_mah": 280000,
    "current_sensor": 1,
    "power_path": 2,  # contactors
}
# SLYS021A table 8-1, in nV and uV.
STEP_NV = {0: Fraction(3125, 10), ADCRANGE: Fraction(78125, 1000)}
BUS_STEP_UV = Fraction(1953125, 10000)
# More steps than any configuration or recovery takes.
SOON = 10


def parameters_with(**settings):
    parameters = Parameters()
    parameters.load({**PACK, **settings})
    return parameters


class Rig:
    """A sensor on its bus, and the sample that it fills."""

    def __init__(self, **settings):
        self.chip = Ina228Double()
        self.parameters = parameters_with(**settings)
        self.sensor = CurrentSensor(self.chip, self.parameters)
        self.sample = Sample(16, 2)

    def configure(self):
        code = BUSY
        for _ in range(SOON):
            code = self.sensor.step()
            if code != BUSY:
                return code
        raise AssertionError("configuration does not end")

    def configured(self):
        assert self.configure() == OK
        return self

    def read(self):
        return self.sensor.read_into(self.sample)

    def codes(self, reads):
        return [self.read() for _ in range(reads)]


@pytest.fixture
def rig():
    return Rig().configured()


# Configuration


def test_a_configured_chip_converts_both_voltages_for_ever_and_keeps_its_ready_flag(rig):
    adc = rig.chip.registers[ADC_CONFIG]
    assert adc >> 12 == 0xB  # continuous shunt and bus voltage
    assert rig.chip.registers[DIAG_ALRT] & ALATCH


def test_a_new_conversion_is_there_in_every_period_of_the_fast_path(rig):
    adc = rig.chip.registers[ADC_CONFIG]
    times_us = (50, 84, 150, 280, 540, 1052, 2074, 4120)
    means = (1, 4, 16, 64, 128, 256, 512, 1024)
    one_us = times_us[adc >> 9 & 7] + times_us[adc >> 6 & 7]
    shortest_ms = rig.parameters.minimums[rig.parameters.index("step_period_ms")]
    assert one_us * means[adc & 7] < shortest_ms * 1000 / 2


@pytest.mark.parametrize(
    ("shunt_microohm", "largest_ma", "narrow"),
    [
        (100, 250000, True),  # 25 mV, with a fifth 30 mV: less than 40.96 mV
        (136, 250000, True),  # 40.8 mV
        (137, 250000, False),  # 41.1 mV
        (500, 270000, False),  # 162 mV: just fits
    ],
)
def test_the_range_is_the_narrowest_that_holds_the_largest_current_and_a_fifth(
    shunt_microohm, largest_ma, narrow
):
    rig = Rig(ina228_shunt_microohm=shunt_microohm, contactor_break_max_ma=largest_ma).configured()
    assert rig.chip.registers[CONFIG] == (ADCRANGE if narrow else 0)


@pytest.mark.parametrize(("register", "value"), [(MANUFACTURER_ID, 0x5448), (DEVICE_ID, 0x2381)])
def test_another_chip_is_told_apart_and_not_written_to(register, value):
    rig = Rig()
    rig.chip.registers[register] = value
    assert rig.configure() == WRONG_DEVICE
    assert rig.chip.registers[ADC_CONFIG] == 0xFB68  # its default
    assert rig.sensor.device_id == rig.chip.registers[DEVICE_ID]


@pytest.mark.parametrize("revision", range(16))
def test_any_revision_of_the_chip_will_do(revision):
    rig = Rig()
    rig.chip.registers[DEVICE_ID] = 0x2280 | revision
    assert rig.configure() == OK


@pytest.mark.parametrize("transaction", range(9))
def test_configuration_ends_at_the_first_failure_of_the_bus_and_then_begins_anew(transaction):
    rig = Rig()
    rig.chip.fail_in = transaction
    assert rig.configure() == BUS_ERROR
    assert rig.chip.transactions == transaction + 1
    assert rig.configure() == OK


def test_a_chip_that_does_not_keep_what_is_written_is_not_used():
    rig = Rig()
    rig.chip.writeto_mem = lambda *_: None
    assert rig.configure() == VERIFY_FAILED


def test_a_chip_whose_factory_trim_is_damaged_is_not_used():
    rig = Rig()
    rig.chip.registers[DIAG_ALRT] &= ~MEMSTAT
    assert rig.configure() == VERIFY_FAILED


def test_a_chip_that_never_converts_is_not_used():
    rig = Rig()
    rig.chip.converting = False
    assert rig.configure() == SENSOR_LOST


def test_a_changed_shunt_counts_from_the_next_start_on(rig):
    rig.chip.measure(1000, 0)
    rig.read()
    before_ma = rig.sample.current_ma
    rig.parameters.values[rig.parameters.index("ina228_shunt_microohm")] *= 2
    rig.read()
    assert rig.sample.current_ma == before_ma
    rig.sensor.start()
    rig.configured().read()
    assert rig.sample.current_ma == pytest.approx(before_ma * 2, abs=2)  # the other range: 4 / 2


# Measuring


@pytest.mark.parametrize("shunt_microohm", [10, 100, 357, 5000])
@pytest.mark.parametrize("code", [0, 1, -1, 7, 123456, -123456, 524287, -524288])
def test_current_is_the_shunts_voltage_by_its_resistance_to_the_nearest_ma(shunt_microohm, code):
    rig = Rig(ina228_shunt_microohm=shunt_microohm).configured()
    rig.chip.measure(code, 0)
    assert rig.read() == OK
    step_nv = STEP_NV[rig.chip.registers[CONFIG]]
    assert abs(rig.sample.current_ma - code * step_nv / shunt_microohm) <= Fraction(1, 2)


def test_charging_is_positive(rig):
    rig.chip.measure(1000, 0)
    rig.read()
    assert rig.sample.current_ma > 0


@pytest.mark.parametrize("code", [0, 1, 5, 262144, 435200])  # 435200: 85 V, the most it measures
def test_bus_voltage_is_right_to_the_nearest_mv(rig, code):
    rig.chip.measure(0, code)
    assert rig.read() == OK
    assert abs(rig.sample.bus_mv - code * BUS_STEP_UV / 1000) <= Fraction(1, 2)


def test_a_read_takes_at_most_four_transactions(rig):
    for _ in range(6):
        rig.chip.transactions = 0
        assert rig.read() == OK
        assert rig.chip.transactions <= 4


# What is no measurement


def test_a_converter_that_stands_still_is_an_error_and_not_a_held_value(rig):
    rig.chip.measure(1000, 2000)
    assert rig.read() == OK
    before = (rig.sample.current_ma, rig.sample.bus_mv)
    rig.chip.converting = False
    rig.chip.measure(5, 5)
    assert rig.read() == SENSOR_LOST
    assert (rig.sample.current_ma, rig.sample.bus_mv) == before
    rig.chip.converting = True
    assert rig.read() == OK


def test_a_converter_that_goes_on_standing_still_is_configured_anew(rig):
    rig.chip.converting = False
    rig.codes(3)
    rig.chip.registers[ADC_CONFIG] = 0
    rig.chip.converting = True
    assert set(rig.codes(3)) == {SENSOR_LOST}
    assert rig.read() == OK
    assert rig.chip.registers[ADC_CONFIG] >> 12 == 0xB


@pytest.mark.parametrize("transaction", range(4))
def test_a_failure_of_the_bus_ends_the_read_and_the_next_read_is_good(rig, transaction):
    rig.chip.measure(1000, 2000)
    rig.chip.transactions = 0
    rig.chip.fail_in = transaction
    assert rig.read() == BUS_ERROR
    assert rig.chip.transactions == transaction + 1
    assert rig.sample.current_ma == rig.sample.bus_mv == 0
    assert rig.read() == OK


def test_a_chip_that_restarted_shows_at_the_very_next_read_and_is_configured_anew(rig):
    rig.chip.reset()
    rig.chip.measure(1000, 2000)
    assert rig.read() == VERIFY_FAILED
    assert rig.sample.current_ma == rig.sample.bus_mv == 0
    codes = rig.codes(SOON)
    assert codes[-1] == OK
    assert set(codes[: codes.index(OK)]) == {SENSOR_LOST}
    assert rig.chip.registers[CONFIG] == ADCRANGE


@pytest.mark.parametrize("register", [CONFIG, ADC_CONFIG])
def test_a_setting_that_changed_shows_within_two_reads_and_is_written_anew(rig, register):
    good = rig.chip.registers[register]
    rig.chip.registers[register] ^= 0x0010
    assert VERIFY_FAILED in rig.codes(2)
    assert rig.codes(SOON)[-1] == OK
    assert rig.chip.registers[register] == good


def test_a_trim_that_is_damaged_later_shows_at_once(rig):
    rig.chip.registers[DIAG_ALRT] &= ~MEMSTAT
    assert rig.read() == VERIFY_FAILED


@pytest.mark.parametrize("register", [VSHUNT, VBUS])
def test_bits_that_are_always_0_betray_damage_on_the_bus(rig, register):
    rig.chip.registers[register] = 0xFFFFFF  # a line stuck high
    assert rig.read() == BUS_ERROR


def test_flags_of_a_line_stuck_high_are_no_flags(rig):
    rig.chip.registers[DIAG_ALRT] = 0xFFFF
    assert rig.read() == VERIFY_FAILED


def test_the_ready_flag_alone_is_not_a_setting(rig):
    """Only ALATCH and its neighbours are compared: flags come and go."""
    rig.chip.registers[DIAG_ALRT] |= READY | 0x0200  # MATHOF
    assert rig.read() == OK


# What can not be measured is refused


def refused(**settings):
    parameters = parameters_with(**settings)
    return problems(parameters, parameters.values)


def test_the_default_configuration_can_be_measured():
    assert refused() == []


def test_proposed_values_are_judged_not_those_in_force():
    parameters = parameters_with()
    proposed = list(parameters.values)
    proposed[parameters.index("ina228_shunt_microohm")] = 5000
    assert problems(parameters, proposed) != []


def test_the_contactors_breaking_current_does_not_matter_without_contactors():
    settings = {"ina228_shunt_microohm": 500, "contactor_break_max_ma": 1000000}
    assert len(refused(**settings)) == 1
    assert refused(**settings, power_path=0) == []


def test_without_contactors_the_range_follows_the_trips_alone():
    rig = Rig(ina228_shunt_microohm=200, power_path=0).configured()  # 160 A: 32 mV, 38.4 mV
    assert rig.chip.registers[CONFIG] == ADCRANGE


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("overcurrent_charge_trip_ma", {"fast_overcurrent_charge_ma": 300001}),
        (
            "overcurrent_discharge_trip_ma",
            {"fast_overcurrent_discharge_ma": 300001, "short_circuit_trip_ma": 400000},
        ),
        ("fast_overcurrent_charge_ma", {}),
        ("fast_overcurrent_discharge_ma", {"short_circuit_trip_ma": 400000}),
        ("contactor_break_max_ma", {}),
    ],
)
def test_a_current_that_the_shunt_can_not_show_is_refused_by_name(name, others):
    # 163.84 mV / 500 microohm = 327.68 A; 300 A and a fifth are 360 A.
    settings = {"ina228_shunt_microohm": 500, name: 300000, **others}
    sentences = refused(**settings)
    assert any(f"'{name}' is 300000" in sentence for sentence in sentences)
    assert all("327680 mA" in sentence for sentence in sentences)
    # 163.84 mV / 360 A = 455.1 microohm
    assert any("at most 455 microohm" in sentence for sentence in sentences)


def test_what_is_accepted_never_reads_as_full_scale():
    """1.2 times 273 A through 500 microohm are 163.8 mV, just within 163.84 mV."""
    limit = {"ina228_shunt_microohm": 500, "contactor_break_max_ma": 273000}
    assert refused(**limit) == []
    limit["contactor_break_max_ma"] = 273100
    assert len(refused(**limit)) == 1


# Behind the measuring chip's driver


class Chip:
    """A measuring chip's driver; every call is noted, answers are attributes."""

    DELEGATED = (
        "command_gates", "all_off", "recover", "take_found_trips", "start_self_test",
        "self_test_step", "verify_step", "detect_load", "balance", "read_balancing", "set_mode",
        "equip", "put_away",
    )  # fmt: skip
    BALANCE_REFRESH_MS = 4000
    BALANCE_NEIGHBOURS = False
    BALANCE_CELLS = 8
    BALANCE_DUTY_PERMILLE = 850
    MODES = (0, 1, 2)
    balancing_cells = 0b10

    def __init__(self):
        self.image = SimpleNamespace(corrections=None)
        self.equipped = True
        self.self_test_failed = 0
        self.device_number = 0x7695
        self.sample_code = OK
        self.programming_codes = [BUSY, BUSY, OK]
        self.calls = []

    def __getattr__(self, name):
        if name not in self.DELEGATED:
            raise AttributeError(name)

        def call(*arguments):
            self.calls.append((name, *arguments))
            return name

        return call

    def sample_into(self, sample):
        self.calls.append(("sample_into",))
        if self.sample_code == OK:
            sample.current_ma = 111
            sample.bus_mv = 222
            sample.gates = 3
            sample.scans += 1
        return self.sample_code

    def start_programming(self):
        self.calls.append(("start_programming",))
        self.codes = list(self.programming_codes)

    def programming_step(self):
        self.calls.append(("programming_step",))
        return self.codes.pop(0)


class Pair:
    def __init__(self):
        self.rig = Rig()
        self.chip = Chip()
        self.driver = WithCurrentSensor(self.chip, self.rig.sensor)
        self.sample = Sample(16, 2)

    def program(self):
        self.driver.start_programming()
        code = BUSY
        for _ in range(SOON):
            code = self.driver.programming_step()
            if code != BUSY:
                return code
        raise AssertionError("programming does not end")


@pytest.fixture
def pair():
    pair = Pair()
    assert pair.program() == OK
    return pair


def test_current_and_bus_voltage_are_the_sensors(pair):
    pair.rig.chip.measure(32000, 262144)
    assert pair.driver.sample_into(pair.sample) == OK
    # 32000 * 78.125 nV / 100 microohm; 262144 * 195.3125 uV
    assert (pair.sample.current_ma, pair.sample.bus_mv) == (25000, 51200)
    assert pair.sample.scans == 1


@pytest.mark.parametrize(
    "break_it",
    [
        lambda chip: setattr(chip, "fail_in", 0),
        lambda chip: setattr(chip, "converting", False),
        lambda chip: chip.reset(),
    ],
    ids=["silent", "standing still", "restarted"],
)
def test_a_sensor_that_fails_makes_the_whole_sample_bad(pair, break_it):
    break_it(pair.rig.chip)
    assert pair.driver.sample_into(pair.sample) == SENSOR_LOST
    assert pair.sample.gates == 3  # what the chip said is there all the same


@pytest.mark.parametrize("code", [BUS_ERROR, CONFIGURATION_LOST, CORRUPT])
def test_a_failure_of_the_chip_comes_first(pair, code):
    pair.chip.sample_code = code
    pair.rig.chip.fail_in = 0
    assert pair.driver.sample_into(pair.sample) == code


def test_programming_ends_when_both_are_done(pair):
    pair.chip.programming_codes = [OK]
    pair.driver.start_programming()
    assert pair.driver.programming_step() == BUSY  # the sensor is not
    pair.chip.programming_codes = [BUSY] * 6 + [OK]
    pair.chip.calls.clear()
    assert pair.program() == OK
    assert pair.chip.calls.count(("programming_step",)) == 7


def test_the_chip_is_programmed_to_its_end_before_the_sensors_failure_is_told(pair):
    pair.rig.chip.registers[DEVICE_ID] = 0
    pair.chip.calls.clear()
    assert pair.program() == SENSOR_LOST
    assert pair.chip.calls.count(("programming_step",)) == 3


def test_the_chips_failure_to_be_programmed_is_told_as_it_is(pair):
    pair.chip.programming_codes = [BUSY, VERIFY_FAILED]
    assert pair.program() == VERIFY_FAILED


@pytest.mark.parametrize("name", Chip.DELEGATED)
def test_everything_else_goes_to_the_chip(pair, name):
    pair.chip.calls.clear()
    assert getattr(pair.driver, name)(5) == name
    assert pair.chip.calls == [(name, 5)]


def test_nothing_that_the_chips_driver_offers_is_missing(pair):
    driver = Bq76952(None, pair.rig.parameters)
    offered = {name for name in dir(driver) if not name.startswith("_")}
    both = WithCurrentSensor(driver, pair.rig.sensor)
    assert offered <= {name for name in dir(both) if not name.startswith("_")}


def test_what_the_chip_shows_is_shown(pair):
    assert pair.driver.image is pair.chip.image
    pair.chip.self_test_failed = 0x21
    assert pair.driver.self_test_failed == 0x21
    assert pair.driver.equipped
    assert pair.driver.device_number == 0x7695
    assert pair.driver.balancing_cells == 0b10
    assert pair.driver.BALANCE_REFRESH_MS == 4000


def test_the_sensor_has_its_own_address():
    assert ADDRESS == 0x40
    other = Ina228Double()
    sensor = CurrentSensor(other, parameters_with(), address=0x41)
    assert sensor.step() == BUS_ERROR


@pytest.mark.skipif(bool(build.missing()), reason=build.missing())
def test_it_computes_the_same_on_the_boards_integers(tmp_path):
    """The largest numbers that it meets, on the 32-bit build."""
    script = tmp_path / "extremes.py"
    script.write_text(
        "from host_tests.afe.noalloc_ina228 import extremes\nprint('RESULT', extremes())\n"
    )
    process = build.run(script)
    on_wasm = [line for line in process.stdout.splitlines() if line.startswith("RESULT")]
    # 163.84 mV / 10 microohm does not fit a trip, but the arithmetic takes it: 16384 A.
    assert on_wasm == ["RESULT [-16384000, 16383969, -8192, 8192, 102400]"], process.stderr
