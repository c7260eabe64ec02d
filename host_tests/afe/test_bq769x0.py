"""What is particular about the BQ769x0's driver: calibration, inputs, registers, trips, turns.

What all drivers owe is in test_conformance.py. Register values are computed here from the data
sheet's tables (SLUSBK2I; afe.md section 8), not taken from the driver.
"""

import sys

import pytest

from afe.bq769x0_registers import used_inputs
from afe.bq769x0_temperatures import OPEN_DC, SHORT_DC, thermistor_dc
from bms.point_words import SELF_TESTS
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CHIP_FAILED,
    TRIP_UNSEEN,
    VERIFY_FAILED,
    WRONG_DEVICE,
)
from bms.table import INVALID
from host_tests.afe.pairs import PAIRS, PERIOD_US, Bench

BQ76940 = next(pair for pair in PAIRS if pair.name == "BQ76940")
BQ76930 = next(pair for pair in PAIRS if pair.name == "BQ76930")
BOTH = (True, True)
NONE = (False, False)


def failed(bench):
    return {
        name for bit, name in enumerate(SELF_TESTS) if bench.driver.self_test_failed >> bit & 1
    }


# Inputs


@pytest.mark.parametrize(
    ("inputs", "cells", "shorted"),
    [
        # SLUSBK2I, cell connections; 13 cells also in E2E 985977: VC14-VC13 and VC9-VC8 shorted.
        (15, 15, set()),
        (15, 14, {14}),
        (15, 13, {14, 9}),
        (15, 12, {14, 9, 4}),
        (15, 9, {14, 13, 9, 8, 4, 3}),
        (10, 10, set()),
        (10, 9, {9}),
        (10, 6, {9, 8, 4, 3}),
        (5, 4, {4}),
        (5, 3, {4, 3}),
    ],
)
def test_cells_are_on_the_inputs_of_the_data_sheet(inputs, cells, shorted):
    wanted = [number - 1 for number in range(1, inputs + 1) if number not in shorted]
    assert list(used_inputs(inputs, cells)) == wanted


# Calibration


@pytest.mark.parametrize(("gain_uv", "offset_mv"), [(365, 0), (396, 127), (377, -60), (381, -1)])
def test_every_chip_is_measured_and_guarded_with_its_own_calibration(gain_uv, offset_mv):
    bench = Bench(BQ76940)
    bench.chip.gain_uv, bench.chip.offset_mv = gain_uv, offset_mv
    bench.chip.power_on_reset()
    bench.chip.advance(PERIOD_US)
    bench.guard()
    wanted = [1000 * volts for volts in bench.pack.cell_v]
    assert list(bench.sample.cell_mv) == pytest.approx(wanted, abs=1)
    assert bench.sample.stack_mv == pytest.approx(1000 * sum(bench.pack.cell_v), abs=3)
    trip_mv = bench.taken("cell_overvoltage_trip_mv")
    assert 3700 <= trip_mv <= 3700 + 16 * gain_uv / 1000
    bench.pack.cell_v[14] = (trip_mv + 2) / 1000
    assert bench.live(4000) == TRIP_CELL_OVERVOLTAGE


def test_a_chip_with_another_calibration_is_another_chip():
    bench = Bench(BQ76940).guard()
    bench.chip.registers[0x51] ^= 1
    codes = set()
    for _ in range(2):
        bench.live(1000)
        codes.add(bench.driver.verify_step())
    assert codes == {BUSY, VERIFY_FAILED}
    bench = Bench(BQ76940)
    assert bench.program() == OK
    bench.chip.registers[0x59] ^= 0x20
    assert bench.self_test() == OK
    assert "afe_identity" in failed(bench)


# Registers: bits by the data sheet


@pytest.mark.parametrize(
    ("settings", "protect", "taken"),
    [
        # Defaults at 0.5 mohm: 160 A is 80 mV, of 78 in the coarse range (0xB); 400 A is 200 mV
        # (7); 200 ms: 160 (4); 120 us: 100 (1); 2 s and 3 s: OV 2 s (1), UV 4 s (1).
        ({}, (0x8F, 0x4B, 0x50), (156_000, 160, 400_000, 100)),
        # Both within the fine range: 45 mV of 44 (0xD), 80 mV of 78 (5).
        (
            {
                "overcurrent_discharge_trip_ma": 60_000,
                "overcurrent_discharge_warn_ma": 55_000,
                "discharge_current_max_ma": 50_000,
                "fast_overcurrent_discharge_ma": 90_000,
                "short_circuit_trip_ma": 160_000,
                "short_circuit_delay_us": 450,
                "fast_overcurrent_delay_ms": 10,
            },
            (0x1D, 0x0D, 0x50),
            (88_000, 8, 156_000, 400),
        ),
        # Long delays of software: 4 + 1 s needs OV 8 s (3), 5 + 1 s needs UV 8 s (2).
        (
            {"cell_overvoltage_delay_ms": 4000, "cell_undervoltage_delay_ms": 5000},
            (0x8F, 0x4B, 0xB0),
            (156_000, 160, 400_000, 100),
        ),
    ],
)
def test_protections_are_the_nearest_that_the_chip_has(settings, protect, taken):
    bench = Bench(BQ76940, **settings)
    assert bench.program() == OK
    assert tuple(bench.chip.registers[6:9]) == protect
    names = (
        "fast_overcurrent_discharge_ma",
        "fast_overcurrent_delay_ms",
        "short_circuit_trip_ma",
        "short_circuit_delay_us",
    )
    assert tuple(bench.taken(name) for name in names) == taken
    assert bench.chip.registers[0x0B] == 0x19  # CC_CFG, as the data sheet demands


def test_trip_registers_are_the_middle_of_a_reading():
    """gain 377 uV, offset 31 mV: 3700 mV is reading 9733 = 0x2605, so 0x2608 and register 0x60;
    2650 mV is 6946 = 0x1B22, so 0x1B20 and 0xB2."""
    bench = Bench(BQ76940)
    assert bench.program() == OK
    assert tuple(bench.chip.registers[9:11]) == (0x60, 0xB2)
    assert bench.taken("cell_overvoltage_trip_mv") == 3701
    assert bench.taken("cell_undervoltage_trip_mv") == 2649


# Who the chip is


class Forgetful:
    """A chip that does not keep CC_CFG."""

    address = 0x08

    def __init__(self, chip):
        self.write = chip.write
        self._chip = chip

    def read(self, register, buf):
        self._chip.read(register, buf)
        if register <= 0x0B < register + len(buf):
            buf[0x0B - register] = 0


def test_reserved_bits_that_are_set_show_a_stranger():
    bench = Bench(BQ76940)
    bench.chip.device_number = 0x7694
    assert bench.program() == WRONG_DEVICE


def test_a_chip_that_does_not_keep_cc_cfg_is_a_stranger():
    bench = Bench(BQ76940)
    bench.bus.attach(Forgetful(bench.chip))
    assert bench.program() == WRONG_DEVICE


# Thermistors


@pytest.mark.parametrize(
    ("kilohm", "celsius"),
    # Semitec 103AT-2, data sheet, between the rows that the driver's table has
    [(247.7, -45), (87.56, -25), (53.41, -15), (22.05, 5), (10.0, 25), (6.94, 35), (3.535, 55)],
)
def test_a_thermistor_is_read_as_its_data_sheet_has_it(kilohm, celsius):
    counts = round(3.3 / 382e-6 * kilohm / (kilohm + 10))
    assert thermistor_dc(counts) == pytest.approx(10 * celsius, abs=7)


def test_what_no_thermistor_can_read_is_open_or_short():
    assert thermistor_dc(8639) == OPEN_DC
    assert thermistor_dc(0x3FFF) == OPEN_DC
    assert thermistor_dc(0) == SHORT_DC


def test_thermistors_and_dies_are_never_taken_for_each_other():
    bench = Bench(BQ76930, fet_thermistor=1, cell_thermistors=1)
    bench.chip = bench.pair.model(bench.pack, False, 10, board_pin=1)
    bench.chip.advance(PERIOD_US)  # it boots
    bench.bus.attach(bench.chip)
    bench.bus.elapse = bench.chip.advance
    bench.pack.cell_temperature_c = [10.0] * 3
    bench.pack.board_temperature_c = 55.0
    bench.pack.die_extra_c = 20.0
    bench.guard()
    for _ in range(600):
        bench.live(100)
        assert bench.sample.temperature_dc[0] == pytest.approx(100, abs=6)
        assert bench.sample.board_temperature_dc == pytest.approx(550, abs=6)
        assert bench.sample.chip_temperature_dc == pytest.approx(750, abs=6)


@pytest.mark.parametrize("before_s", [1, 4, 6, 8])  # in whatever turn
def test_after_a_loss_of_the_bus_nothing_is_new_before_dies_and_thermistors_are(before_s):
    bench = Bench(BQ76940).guard()
    bench.live(1000 * before_s)
    bench.bus.silent = True
    for _ in range(50):
        bench.chip.advance(PERIOD_US)
        assert bench.driver.sample_into(bench.sample) == BUS_ERROR
    bench.pack.cell_temperature_c = [58.0] * 3
    bench.pack.board_temperature_c = 90.0
    bench.chip.advance(20_000_000)
    bench.bus.silent = False
    before = bench.sample.scans
    for _ in range(80):
        bench.live(100)
        if bench.sample.scans != before:
            break
    assert bench.sample.scans != before
    assert bench.sample.temperature_dc[0] == pytest.approx(580, abs=6)
    assert bench.sample.chip_temperature_dc == pytest.approx(900, abs=6)


def test_a_glitch_of_the_bus_takes_no_turn():
    bench = Bench(BQ76940).guard()
    for _ in range(30):
        bench.bus.silent = True
        for _ in range(3):
            bench.chip.advance(PERIOD_US)
            assert bench.driver.sample_into(bench.sample) == BUS_ERROR
        bench.bus.silent = False
        before = bench.sample.scans
        bench.live(300)
        assert bench.sample.scans != before


def test_without_a_sensor_at_the_switches_the_die_stands_in():
    bench = Bench(BQ76930)
    bench.pack.die_extra_c = 5.0
    bench.guard()
    assert bench.sample.board_temperature_dc == bench.sample.chip_temperature_dc
    assert bench.sample.chip_temperature_dc == pytest.approx(350, abs=6)


def test_there_is_no_bus_voltage():
    assert Bench(BQ76940).guard().sample.bus_mv == INVALID


# Trips of its own kind


def test_an_override_of_alert_is_a_trip_that_nobody_heard_and_ends_with_its_cause():
    bench = Bench(BQ76940).guard()
    bench.chip.registers[0] = 0  # ALERT is low: else the chip does not notice
    bench.chip.alert_in = 1
    bench.chip.pins_changed()
    assert bench.closed() == NONE
    assert bench.live(100) == TRIP_UNSEEN
    bench.chip.alert_in = 0
    bench.driver.command_gates(0)
    bench.live(500)
    assert bench.sample.trips == 0
    assert bench.driver.command_gates(GATES_BOTH) == OK
    assert bench.closed() == BOTH


def test_a_gate_is_not_asked_for_while_its_trip_stands():
    """What the chip makes of that is not in its data sheet."""
    bench = Bench(BQ76940).guard()
    bench.pack.cell_v[3] = 3.85
    bench.live(3000)
    asked = []
    write = bench.chip.write

    def note(register, buf):
        asked.append((register, buf[0]))
        return write(register, buf)

    bench.chip.write = note
    bench.driver.command_gates(GATES_BOTH)
    assert asked == [(5, 0x42)]
    bench.pack.cell_v[3] = 2.4
    bench.live(10_000)
    asked.clear()
    bench.driver.command_gates(GATES_BOTH)
    assert asked == [(5, 0x41)]


def test_a_failure_of_the_chip_stands_until_a_person_recovers_it():
    bench = Bench(BQ76940).guard()
    bench.chip.fail()
    assert bench.closed() == NONE
    assert bench.live(5000) == TRIP_CHIP_FAILED
    assert bench.driver.command_gates(GATES_BOTH) == OK
    assert bench.closed() == NONE
    assert bench.driver.recover(TRIP_CHIP_FAILED) == OK
    assert bench.live(500) == 0


def test_what_a_chip_without_its_settings_trips_by_is_not_told():
    bench = Bench(BQ76940)
    bench.pack.cell_v[3] = 4.4  # beyond the chip's default
    bench.driver.start_programming()
    assert bench.program() == OK
    bench.chip.power_on_reset()
    bench.chip.advance(PERIOD_US)
    bench.chip.write(4, bytearray((0x10,)))
    bench.chip.advance(3_000_000)
    assert bench.chip.registers[0] & 0x04
    assert bench.program() == OK
    assert bench.driver.take_found_trips() == 0


def test_a_trip_is_told_by_at_least_one_sample_however_short_its_cause_was():
    bench = Bench(BQ76940).guard()
    bench.pack.current_a = -170.0
    bench.chip.advance(165_000)
    bench.pack.current_a = 0.0
    bench.chip.advance(900_000)
    assert bench.live(100)


def test_overloads_that_lie_far_apart_do_not_add_up():
    bench = Bench(BQ76940).guard()
    for _ in range(4):
        bench.pack.current_a = -170.0
        bench.chip.advance(300_000)
        bench.pack.current_a = 0.0
        bench.live(1000)
        assert bench.sample.trips == 0
        bench.live(260_000)
        bench.driver.command_gates(GATES_BOTH)
        bench.live(300)


# Wires


def test_an_open_wire_shows_within_a_minute_while_a_gate_is_on():
    bench = Bench(BQ76940).guard()
    bench.chip.open_wires.add(7)
    lowest_mv = 5000
    for _ in range(63):
        bench.live(1000)
        lowest_mv = min(lowest_mv, *bench.sample.cell_mv)
        assert bench.driver.verify_step() in (OK, BUSY)
    assert lowest_mv < 300


def test_no_cell_is_bled_to_look_for_wires_while_all_gates_are_off_or_cells_are_balanced():
    bench = Bench(BQ76940).guard(gates=0)
    for _ in range(130):
        bench.live(1000)
        bench.driver.verify_step()
        assert bench.chip.bleeding_cells() == 0
    bench.driver.command_gates(GATES_BOTH)
    bench.driver.balance(0b10)
    for _ in range(130):
        bench.live(1000)
        bench.driver.verify_step()
        assert bench.chip.bleeding_cells() == 0b10


def test_what_bleeds_to_look_for_wires_is_never_neighbours_and_ends():
    bench = Bench(BQ76940).guard()
    bled = []
    for _ in range(250):
        bench.live(1000)
        bench.driver.verify_step()
        cells = bench.chip.bleeding_cells()
        assert cells & cells >> 1 == 0
        bled.append(cells)
    assert 0x5555 & 0x7FFF in bled
    assert 0x2AAA in bled
    assert 0 < sum(cells != 0 for cells in bled) < 22  # 4 s a minute
    assert bench.chip.neighbours_bled == 0


# Self-test


class StuckSwitch:
    """A chip of which one balancing bit can not be set: that of input 8."""

    address = 0x08

    def __init__(self, chip):
        self.write = chip.write
        self._chip = chip

    def read(self, register, buf):
        self._chip.read(register, buf)
        if register <= 2 < register + len(buf):
            buf[2 - register] &= ~0x04


@pytest.mark.parametrize("check", ["gates_off", "balance_switches", "clock"])
def test_the_self_test_finds_what_only_this_chip_shows_so(check):
    bench = Bench(BQ76940)
    assert bench.program() == OK
    if check == "gates_off":
        bench.driver.command_gates(GATES_BOTH)
    elif check == "balance_switches":
        bench.bus.attach(StuckSwitch(bench.chip))
    # A clock that is a third too slow: 100 ms of the chip's take 150 of ours.
    our_ms = 150 if check == "clock" else 100
    bench.driver.start_self_test()
    code = BUSY
    while code == BUSY:
        bench.chip.advance(PERIOD_US)
        code = bench.driver.self_test_step(our_ms)
    assert failed(bench) == {check}


@pytest.mark.parametrize("boots_us", [0, PERIOD_US])  # it answers after 10 ms
def test_a_chip_that_restarts_in_the_middle_of_the_self_test_is_told_at_once(boots_us):
    bench = Bench(BQ76940)
    assert bench.program() == OK
    bench.driver.start_self_test()
    for _ in range(30):
        bench.chip.advance(PERIOD_US)
        assert bench.driver.self_test_step(100) == BUSY
    bench.chip.power_on_reset()
    bench.chip.advance(boots_us)
    codes = []
    while BUSY in codes[-1:] or not codes:
        codes.append(bench.driver.self_test_step(100))
        bench.chip.advance(PERIOD_US)
    assert codes[-1] == CONFIGURATION_LOST
    assert len(codes) <= 3


def test_results_are_the_bits_of_the_points_table():
    from afe import bq769x0_start

    for bit, name in enumerate(SELF_TESTS[:8]):
        assert getattr(bq769x0_start, name.upper()) == 1 << bit


# Lent code


def test_code_that_programs_and_tests_is_given_back_and_loaded_again():
    bench = Bench(BQ76940).guard()
    bench.driver.put_away()
    assert not bench.driver.equipped
    assert "afe.bq769x0_start" not in sys.modules
    assert bench.live(2000) == 0
    assert bench.driver.verify_step() in (OK, BUSY)
    bench.chip.power_on_reset()
    bench.chip.advance(PERIOD_US)
    bench.driver.start_programming()
    assert bench.driver.programming_step() == BUSY
    assert bench.closed() == NONE
    for _ in bench.driver.equip():
        pass
    bench.guard()
    assert bench.closed() == BOTH
