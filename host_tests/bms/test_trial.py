"""Commissioning: a raw sample to look at, and the limited first current of a new pack."""

import pytest

from bms import requests, trial
from bms.sample import BUS_ERROR, GATES_BOTH, TRIP_CELL_OVERVOLTAGE
from host_tests.bms.bench import Bench

LIMIT_MS = 30000
SEEN_MS = 1000
SEEN_MA = 200


def new_pack(**settings):
    """Guarded, but nobody confirmed its wiring."""
    bench = Bench(gates_off_current_ma=20000, body_diode_ma=20000, **settings)
    bench.battery.condition("not_commissioned", True)
    bench.run(3000)
    bench.slow()
    assert bench.chip.lines() == 0
    return bench


def trying(**settings):
    bench = new_pack(**settings)
    bench.ask(requests.TRY_CURRENT)
    bench.step()
    bench.step()
    return bench


def result(bench):
    return bench.battery.trial.result


def check_over(bench, expected):
    assert result(bench) == expected
    assert not bench.battery.trial.running()
    bench.step()
    assert bench.chip.lines() == 0
    bench.run(2 * LIMIT_MS)
    assert bench.chip.lines() == 0
    assert result(bench) == expected


def test_the_results_are_numbered_as_commissioning_reads_them():
    assert (trial.IDLE, trial.RUNNING) == (0, 1)
    assert (trial.DISCHARGE_SEEN, trial.CHARGE_SEEN) == (2, 3)
    assert (trial.NOTHING_SEEN, trial.ABORTED) == (4, 5)
    assert result(new_pack()) == trial.IDLE


def test_a_trial_closes_the_gates_for_half_a_minute_and_offers_nothing():
    bench = trying()
    closed_ms = 0
    while bench.battery.trial.running():
        assert bench.chip.gates() == GATES_BOTH
        assert bench.point("limited") == 1
        assert bench.point("charge_current_limit_ma") == 0
        assert bench.point("discharge_current_limit_ma") == 0
        assert bench.point("charge_allowed") == 0
        bench.step()
        closed_ms += bench.period_ms
    assert closed_ms == LIMIT_MS - 2 * bench.period_ms
    check_over(bench, trial.NOTHING_SEEN)


@pytest.mark.parametrize(
    ("current_ma", "seen"),
    [
        (-SEEN_MA, trial.DISCHARGE_SEEN),
        (SEEN_MA, trial.CHARGE_SEEN),
        (-5000, trial.DISCHARGE_SEEN),
        (5000, trial.CHARGE_SEEN),
    ],
)
def test_a_current_that_stands_for_a_second_tells_which_way_the_shunt_counts(current_ma, seen):
    bench = trying()
    bench.run(5000)
    bench.chip.current_ma = current_ma
    bench.run(SEEN_MS - 100)
    assert bench.battery.trial.running()
    bench.step()
    bench.chip.current_ma = 0
    check_over(bench, seen)


@pytest.mark.parametrize("current_ma", [-SEEN_MA + 1, SEEN_MA - 1])
def test_the_offset_of_a_cheap_shunt_says_nothing(current_ma):
    bench = trying()
    bench.chip.current_ma = current_ma
    bench.run(LIMIT_MS + 100)
    check_over(bench, trial.NOTHING_SEEN)


def test_a_current_that_is_interrupted_counts_anew():
    bench = trying()
    for _ in range(5):
        bench.chip.current_ma = -1000
        bench.run(SEEN_MS - 100)
        bench.chip.current_ma = 0
        bench.step()
    assert bench.battery.trial.running()


@pytest.mark.parametrize("first_ma", [1000, -1000])
def test_a_current_that_turns_counts_anew(first_ma):
    bench = trying()
    bench.chip.current_ma = first_ma
    bench.run(SEEN_MS - 100)
    bench.chip.current_ma = -first_ma
    bench.run(SEEN_MS - 100)
    assert bench.battery.trial.running()
    bench.step()
    assert result(bench) == (trial.CHARGE_SEEN if first_ma < 0 else trial.DISCHARGE_SEEN)


def test_a_current_that_turns_all_the_time_ends_with_nothing():
    bench = trying()
    for turn in range(2 * LIMIT_MS // 500 + 10):
        bench.chip.current_ma = 1000 if turn % 2 else -1000
        bench.run(500)
    assert result(bench) == trial.NOTHING_SEEN
    bench.run(200)
    assert bench.chip.lines() == 0


def test_more_than_the_limited_current_ends_it_and_latches():
    bench = trying(limited_current_delay_ms=0)
    bench.chip.current_ma = -10001
    bench.step()
    assert "limited_current" in bench.faults()
    assert bench.chip.lines() == 0
    bench.chip.current_ma = 0
    check_over(bench, trial.ABORTED)
    bench.ask(requests.TRY_CURRENT)
    bench.run(1000)
    assert result(bench) == trial.ABORTED
    assert bench.chip.lines() == 0


@pytest.mark.parametrize("harm", ["lost", "off", "reprogrammed", "fault", "restricted before"])
def test_whatever_opens_the_gates_aborts_it(harm):
    bench = trying()
    bench.run(2000)
    if harm == "lost":
        bench.chip.code = BUS_ERROR
        bench.run(500)
    elif harm == "off":
        bench.ask(requests.GATES_OFF)
        bench.step()
    elif harm == "reprogrammed":
        bench.ask(requests.REPROGRAM_AFE)
        bench.step()
    elif harm == "fault":
        bench.battery.condition("inverter_required", True)
        bench.step()
    else:
        bench.ask(requests.GATES_OFF)
        bench.step()
        bench.ask(requests.TRY_CURRENT)
        bench.step()
    check_over(bench, trial.ABORTED)


def test_a_trial_never_helps_against_another_fault():
    bench = new_pack()
    bench.chip.trips = TRIP_CELL_OVERVOLTAGE
    bench.step()
    bench.ask(requests.TRY_CURRENT)
    for _ in range(20):
        bench.step()
        assert not bench.chip.lines() & 1
    bench.battery.condition("inverter_required", True)
    bench.step()
    assert bench.chip.lines() == 0


def test_a_second_trial_has_its_own_half_minute_and_counts_anew():
    bench = trying()
    bench.chip.current_ma = -1000
    bench.run(SEEN_MS - 200)
    bench.ask(requests.TRY_CURRENT)
    bench.step()
    assert bench.battery.trial.running()
    bench.run(SEEN_MS - 200)
    assert bench.battery.trial.running()
    bench.chip.current_ma = 0
    took_ms = bench.run_until(lambda: not bench.battery.trial.running(), 2 * LIMIT_MS)
    assert took_ms >= LIMIT_MS - 2 * SEEN_MS


def test_a_raw_sample_is_captured_even_if_it_can_not_be():
    """Commissioning looks at what the chip reads from a pack that is wired wrong."""
    bench = new_pack()
    bench.chip.cell_mv[:] = [3310, -2, 6600, 3290]
    bench.chip.stack_error_mv = 5
    bench.run(1000)
    assert bench.battery.captures == 0
    bench.ask(requests.CAPTURE)
    bench.step()
    assert bench.battery.captures == 1
    assert list(bench.battery.captured_cell_mv) == [3310, -2, 6600, 3290]
    assert bench.battery.captured_stack_mv == 3310 - 2 + 6600 + 3290 + 5
    bench.chip.set_cells(3300)
    bench.run(1000)
    assert bench.battery.captured_cell_mv[1] == -2
    bench.ask(requests.CAPTURE)
    bench.step()
    assert bench.battery.captures == 2
    assert bench.battery.captured_cell_mv[1] == 3300


@pytest.mark.parametrize("trouble", ["programming", "no scan yet"])
def test_nothing_is_captured_before_anything_was_measured(trouble):
    bench = Bench()
    if trouble == "no scan yet":
        bench.chip.scanning = False
        bench.run(1000)
    bench.ask(requests.CAPTURE)
    bench.step()
    assert bench.battery.captures == 0


# -- to the millisecond; the battery takes what time its steps take


def started():
    alone = trial.Trial()
    alone.start()
    return alone


def test_nothing_in_half_a_minute_ends_it_and_not_a_millisecond_earlier():
    alone = started()
    alone.step(0, LIMIT_MS - 1)
    assert alone.running()
    alone.step(0, 1)
    assert alone.result == 4


@pytest.mark.parametrize(("current_ma", "seen"), [(SEEN_MA, 3), (-SEEN_MA, 2)])
@pytest.mark.parametrize("before", ["started", "rested", "turned", "started again"])
def test_a_current_is_seen_after_a_whole_second_whatever_was_before(current_ma, seen, before):
    alone = started()
    if before == "rested":
        alone.step(-current_ma, SEEN_MS - 1)
        alone.step(0, 1)
    elif before == "turned":
        alone.step(-current_ma, 1)
    elif before == "started again":
        alone.step(current_ma, SEEN_MS - 1)
        alone.start()
    alone.step(current_ma, 1)
    alone.step(current_ma, SEEN_MS - 2)
    assert alone.running()
    alone.step(current_ma, 0)  # no time passed, and the current did not turn either
    assert alone.running()
    alone.step(current_ma, 1)
    assert alone.result == seen


def test_a_current_that_turns_has_twice_the_time_and_not_a_millisecond_more():
    alone = started()
    for turn in range(2 * LIMIT_MS // 500):
        assert alone.running()
        alone.step(1000 if turn % 2 else -1000, 500)
    assert alone.result == 4


def test_what_ended_stays_as_it_ended_and_what_runs_is_aborted():
    alone = trial.Trial()
    alone.abort()
    assert alone.result == 0
    alone.start()
    assert alone.result == 1
    alone.abort()
    assert alone.result == 5
