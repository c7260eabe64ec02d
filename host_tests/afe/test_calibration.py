"""A calibrated chip measures and guards what is true; the chip it was made for, no other."""

from array import array

import pytest

from bms.sample import BUSY, CORRECTED_CELLS, OK, TRIP_OVERCURRENT_DISCHARGE, VERIFY_FAILED
from boards.sim.bq76952 import Bq76952 as Chip
from boards.sim.bq76952 import factory_trim
from host_tests.afe.pairs import PAIRS
from host_tests.afe.pairs import Bench as PairBench
from host_tests.afe.simulated_chip import Bench

CRC = pytest.mark.parametrize("crc", [False, True])
BQ76940 = next(pair for pair in PAIRS if pair.name == "BQ76940")
STACK = next(pair for pair in PAIRS if pair.name == "stack")
# What the board measures too much, and what takes it away, by hand: 1 / 1.01 = 0.990099.
ERROR, CORRECTION = 0.01, -990
# A shunt of 6 % more shows 6 % more current: 1 / 1.06 = 0.943396.
SHUNT_ERROR, SHUNT_CORRECTION = 1.06, -5660


def misadjust(bench, errors):
    bench.chip.cell_errors = errors
    bench.chip.stack_error = ERROR
    bench.chip.bus_error = ERROR
    bench.chip.shunt_offset_v = 30e-6
    bench.pack.shunt_ohm = 0.0005 * SHUNT_ERROR


def calibrate(bench, cells):
    """Corrections for `misadjust`, for this very chip."""
    image = bench.driver.image
    image.offered = array(
        "i", [CORRECTION, CORRECTION, SHUNT_CORRECTION, 30_000] + [CORRECTION] * cells
    )
    image.offered_trim = image.trim
    return image


@CRC
@pytest.mark.parametrize("cells", [5, 16])
def test_a_chip_of_that_calibration_measures_the_truth(crc, cells):
    bench = Bench(crc, cells=cells)
    misadjust(bench, [ERROR] * cells)
    bench.guard()
    assert bench.sample.cell_mv[0] == pytest.approx(3333, abs=1)
    calibrate(bench, cells)
    code, _steps, longest_us = bench.program()
    assert code == OK
    assert longest_us <= 6000
    bench.guard()
    for current_a in (0.0, -50.0, 33.3):
        bench.pack.current_a = current_a
        bench.live(500)
        wanted = [1000 * volts for volts in bench.pack.cell_v]
        assert list(bench.sample.cell_mv) == pytest.approx(wanted, abs=1)
        assert bench.sample.stack_mv == pytest.approx(sum(wanted), abs=11)
        assert bench.sample.bus_mv == pytest.approx(1000 * bench.pack.bus_v, abs=11)
        assert bench.sample.current_ma == pytest.approx(1000 * current_a, rel=0.002, abs=11)


@CRC
def test_what_was_programmed_is_read_back_and_tested(crc):
    bench = Bench(crc)
    misadjust(bench, [ERROR] * 16)
    bench.guard()
    calibrate(bench, 16)
    bench.guard()
    bench.driver.start_self_test()
    code = BUSY
    while code == BUSY:
        bench.chip.advance(100_000)
        code = bench.driver.self_test_step(100)
    assert code == OK
    assert bench.driver.self_test_failed == 0
    codes = {bench.driver.verify_step() for _ in range(40)}
    assert codes == {BUSY, OK}
    bench.chip.memory.write(0x9184, b"\x01")  # a flipped gain of cell 3
    assert VERIFY_FAILED in {bench.driver.verify_step() for _ in range(40)}


def test_the_fast_protections_act_at_the_true_current():
    """160 A, at 500 microohm 80 mV, in steps of 2 mV; at 530 microohm 80 mV are 151 A."""
    trips = []
    for calibrated in (False, True):
        bench = Bench()
        misadjust(bench, [0.0] * 16)
        bench.guard()
        if calibrated:
            calibrate(bench, 16)
            bench.guard()
        current_a = 120.0
        while not bench.live(400) & TRIP_OVERCURRENT_DISCHARGE:
            current_a += 1
            bench.pack.current_a = -current_a
        trips.append(current_a)
    assert trips[0] == pytest.approx(151, abs=2)
    assert trips[1] == pytest.approx(160, abs=4)


def test_another_chip_is_measured_as_its_factory_left_it():
    bench = Bench()
    bench.guard()
    calibrate(bench, 16)
    other = Bench()
    other.chip = Chip(other.pack, False, trim_seed=2)
    other.bus.attach(other.chip)
    other.bus.elapse = other.chip.advance
    image = other.driver.image
    image.offered, image.offered_trim = bench.driver.image.offered, bench.driver.image.trim
    other.guard()
    assert image.trim not in (0, bench.driver.image.trim)
    assert image.corrections is None
    assert list(other.sample.cell_mv) == [3300 + cell for cell in range(16)]


def test_a_restart_of_the_processor_alone_and_a_cleared_calibration_leave_nothing_behind():
    bench = Bench()
    misadjust(bench, [ERROR] * 16)
    bench.guard()
    trim = calibrate(bench, 16).trim
    bench.guard()
    bench.restart_host()  # the chip still holds the corrected gains
    bench.guard()
    assert bench.driver.image.trim == trim
    assert bench.sample.cell_mv[0] == pytest.approx(3333, abs=1)
    calibrate(bench, 16)
    bench.guard()
    assert bench.sample.cell_mv[0] == pytest.approx(3300, abs=1)


def test_a_bq76940_measures_the_truth_and_its_thresholds_are_of_the_cell_that_reads_least():
    bench = PairBench(BQ76940)
    cells = len(bench.pack.cell_v)
    errors = [ERROR] * cells
    misadjust(bench, errors)
    bench.guard()
    assert bench.sample.cell_mv[0] == pytest.approx(1010 * bench.pack.cell_v[0], abs=2)
    before_mv = bench.taken("cell_overvoltage_trip_mv")
    calibrate(bench, cells)
    bench.guard()
    bench.pack.current_a = -50.0
    bench.live(1000)
    wanted = [1000 * volts for volts in bench.pack.cell_v]
    assert list(bench.sample.cell_mv) == pytest.approx(wanted, abs=1)
    assert bench.sample.stack_mv == pytest.approx(sum(wanted), abs=8)
    assert bench.sample.current_ma == pytest.approx(-50_000, rel=0.002)
    after_mv = bench.taken("cell_overvoltage_trip_mv")
    assert abs(after_mv - before_mv) <= 7  # one step of the chip; what it stands for is now true
    bench.pack.cell_v[3] = (after_mv - 15) / 1000
    assert bench.live(4000) == 0
    bench.pack.cell_v[3] = (after_mv + 15) / 1000
    assert bench.live(4000) != 0


def _misadjusted_stack():
    """24 cells; the chips are different pieces with different errors."""
    bench = PairBench(STACK, cells=24)
    lower, upper = bench.chip.chips
    upper.memory.trim = factory_trim(2)
    lower.cell_errors = [ERROR] * 12
    upper.cell_errors = [ERROR / 2] * 12
    lower.stack_error = upper.stack_error = ERROR
    lower.shunt_offset_v = 30e-6
    bench.pack.shunt_ohm = 0.0005 * SHUNT_ERROR
    return bench.guard()


def test_the_chips_of_a_stack_share_a_calibration_cell_by_cell():
    bench = _misadjusted_stack()
    assert bench.sample.cell_mv[0] == pytest.approx(3333, abs=1)
    assert bench.sample.cell_mv[23] == pytest.approx(1.005 * 3323, abs=1)
    image = calibrate(bench, 24)
    half = round(-100_000 * ERROR / 2 / (1 + ERROR / 2))
    for cell in range(12, 24):
        image.offered[CORRECTED_CELLS + cell] = half
    for _ in range(2):  # and once more, as after a restart of a chip
        bench.guard()
        assert image.corrections is image.offered
        bench.pack.current_a = -50.0
        bench.live(500)
        wanted = [1000 * volts for volts in bench.pack.cell_v]
        assert list(bench.sample.cell_mv) == pytest.approx(wanted, abs=1)
        assert bench.sample.stack_mv == pytest.approx(sum(wanted), abs=22)
        assert bench.sample.current_ma == pytest.approx(-50_000, rel=0.002, abs=11)
        bench.pack.current_a = 0.0


def test_a_stack_with_another_upper_chip_is_measured_as_the_factory_left_both():
    bench = _misadjusted_stack()
    image = calibrate(bench, 24)
    bench.guard()
    trim = image.trim
    bench.chip.upper.memory.trim = factory_trim(3)
    bench.chip.upper.power_on_reset()
    bench.guard()
    assert image.trim not in (0, trim)
    assert image.corrections is None
    assert bench.sample.cell_mv[0] == pytest.approx(3333, abs=1)
    assert bench.sample.cell_mv[23] == pytest.approx(1.005 * 3323, abs=1)
