"""A battery whose steps come seldom: what counts as quiet, hold-over, and the chip's mode."""

import pytest

from bms import requests
from bms.rest import BatteryAtRest
from bms.sample import BUS_ERROR, BUSY, GATES_BOTH, MODE_NORMAL, MODE_OFF, MODE_SLEEP, OK
from host_tests.bms.bench import Bench
from resting.pace import Pace

SLOW_MS = 1000


@pytest.fixture
def bench():
    """A guarding battery, its first events over."""
    bench = Bench(cell_overvoltage_delay_ms=1000).start()
    bench.run(1000)
    return bench


class Board:
    """Its timer is the bench's."""

    def __init__(self, bench):
        self.bench = bench

    def start_timer(self, period_ms, callback):
        self.bench.period_ms = period_ms


class FastPath:
    """What resting.pace wants of app.FastPath."""

    def __init__(self):
        self.watch = None
        self.late_ms = 0
        self.tick = None


def quiet(bench):
    return BatteryAtRest(bench.battery, bench.parameters).quiet()


def slow(bench, period_ms=SLOW_MS, chip_mode=MODE_SLEEP):
    """From now on each step is watched, as app.FastPath does."""
    fast_path = FastPath()
    pace = Pace(Board(bench), fast_path, bench.battery, bench.parameters)
    step = bench.step

    def watched(elapsed_ms=None):
        elapsed_ms = bench.period_ms if elapsed_ms is None else elapsed_ms
        step(elapsed_ms)
        if fast_path.watch is not None:
            fast_path.watch(elapsed_ms)

    bench.step = watched
    pace.slow_down(period_ms, chip_mode)
    return pace


def test_a_guarding_battery_without_current_is_quiet(bench):
    assert quiet(bench)


@pytest.mark.parametrize(
    "stir",
    [
        lambda bench: setattr(bench.chip, "current_ma", 200),
        lambda bench: setattr(bench.chip, "current_ma", -200),
        lambda bench: bench.chip.cell_mv.__setitem__(0, 3700),  # on its way to trip
        lambda bench: setattr(bench.chip, "code", BUS_ERROR),
        lambda bench: setattr(bench.chip, "held_off", GATES_BOTH),
    ],
    ids=["charge", "discharge", "overvoltage", "bus", "gates"],
)
def test_the_step_that_sees_anything_is_not_quiet(bench, stir):
    stir(bench)
    bench.step()
    assert not quiet(bench)


def test_a_request_that_waits_is_not_quiet(bench):
    bench.ask(requests.GATES_OFF)
    assert not quiet(bench)


def test_a_fault_that_comes_with_gates_off_is_not_quiet(bench):
    bench.ask(requests.GATES_OFF)
    bench.run(1000)
    assert quiet(bench)
    bench.battery.condition("inverter_lost", True)
    bench.step()
    assert not quiet(bench)
    bench.step()
    assert quiet(bench)


def test_an_unconfigured_board_is_never_quiet():
    bench = Bench(configured=False)
    bench.run(1000)
    assert not quiet(bench)


def test_seldom_steps_are_no_fault_and_come_in_time(bench):
    slow(bench)
    bench.run(60000)
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH


def test_the_fourth_bad_sample_opens_when_the_first_one_was_seen_seldom(bench):
    slow(bench)
    bench.run(5000)
    bench.chip.code = BUS_ERROR
    bench.step()
    assert bench.period_ms == 100
    for _ in range(2):
        bench.step()
        assert bench.chip.gates() == GATES_BOTH
    bench.step()
    assert bench.chip.gates() == 0
    assert bench.faults() == {"afe_lost"}


def test_a_chip_that_scans_once_a_second_is_not_stale_and_one_that_stops_is(bench):
    slow(bench)
    bench.run(5000)
    bench.chip.scanning = False
    took_ms = bench.run_until(lambda: bench.chip.gates() == 0, 5000)
    assert took_ms <= 3 * SLOW_MS
    assert bench.faults() == {"measurement_stale"}


def test_after_waking_the_chip_has_a_second_until_its_next_scan_and_then_the_usual_time(bench):
    pace = slow(bench)
    bench.run(5000)
    pace.stirred = True
    bench.step()
    assert bench.period_ms == 100
    bench.chip.scanning = False
    bench.run(1000)
    assert bench.chip.gates() == GATES_BOTH
    bench.chip.scanning = True
    bench.run(2000)
    bench.chip.scanning = False
    took_ms = bench.run_until(lambda: bench.chip.gates() == 0, 2000)
    assert took_ms <= 500


@pytest.mark.parametrize("period_ms", [100, 250])
def test_a_chip_that_sleeps_scans_once_a_second_however_often_steps_come(bench, period_ms):
    """A short `afe_watchdog_s` makes the period of sleep as short as that."""
    pace = slow(bench, period_ms)
    bench.run(1000)
    assert bench.chip.mode == MODE_SLEEP
    bench.chip.scanning = False
    bench.run(1000)
    assert bench.faults() == set()
    bench.chip.scanning = True
    bench.step()
    pace.stirred = True
    bench.run(2500)
    assert bench.chip.mode == MODE_NORMAL
    bench.chip.scanning = False
    assert bench.run_until(lambda: bench.chip.gates() == 0, 2000) <= 500


def test_idle_has_the_usual_hold_over(bench):
    slow(bench, 250, MODE_NORMAL)
    bench.run(5000)
    bench.chip.scanning = False
    assert bench.run_until(lambda: bench.chip.gates() == 0, 2000) <= 500


def test_a_step_that_is_late_by_more_than_two_usual_periods_counts_as_late(bench):
    slow(bench)
    for _ in range(3):
        bench.step(1000 + 600)
    assert "fast_path_overrun" in bench.faults()


def test_the_chip_is_told_its_mode_once_and_again_if_it_did_not_take_it(bench):
    bench.battery.chip_mode = MODE_SLEEP
    bench.chip.mode_code = BUS_ERROR
    bench.step()
    assert bench.chip.mode == MODE_NORMAL
    bench.chip.mode_code = OK
    bench.step()
    assert bench.chip.mode == MODE_SLEEP
    bench.chip.mode = 7
    bench.step()
    assert bench.chip.mode == 7  # not told again


def test_a_chip_that_is_programmed_anew_is_told_again(bench):
    bench.battery.chip_mode = MODE_SLEEP
    bench.step()
    bench.ask(requests.REPROGRAM_AFE)
    bench.run(3000)
    assert bench.chip.mode == MODE_SLEEP


def test_both_gates_stay_off_while_the_pack_switches_itself_off(bench):
    bench.battery.shipping = True
    bench.step()
    assert bench.chip.gates() == 0
    bench.battery.chip_mode = MODE_OFF
    bench.step()
    assert bench.battery.mode_told == MODE_OFF
    asked = bench.chip.samples
    bench.chip.code = BUS_ERROR
    bench.run(2000)
    assert bench.chip.samples == asked  # nobody is there to be asked
    assert bench.faults() == set()


def test_a_busy_chip_has_taken_its_mode(bench):
    bench.battery.chip_mode = MODE_SLEEP
    bench.chip.mode_code = BUSY
    bench.step()
    assert bench.battery.mode_told == MODE_SLEEP
