"""The measuring chip is tested before any gate closes, read back, and watched for restarts."""

from itertools import pairwise

import pytest

from bms import requests, sample
from bms.contactor_path import ContactorPath
from bms.point_words import SELF_TESTS
from bms.points import STATE_ACTIVE, STATE_FAULT, STATE_SELF_TEST
from bms.sample import GATE_CHARGE, GATES_BOTH, OK
from host_tests.bms.bench import Bench
from host_tests.bms.path_parts import Contactors

HOLD_MS = 5000  # how long a fault of the chip stays after its last sign
MINUTE_MS = 60000


def on(bench):
    return bench.chip.gates() == GATES_BOTH


def test_no_gate_closes_before_the_self_test_passed():
    bench = Bench()
    bench.chip.self_test_steps = 50
    bench.run_until(lambda: bench.point("state") == STATE_SELF_TEST, 1000)
    for _ in range(48):
        bench.step()
        assert bench.point("state") == STATE_SELF_TEST
        assert bench.chip.lines() == 0
        assert bench.chip.samples == 0
    bench.run_until(lambda: on(bench), 1000)
    assert bench.point("state") == STATE_ACTIVE
    assert bench.point("self_test_failed") == 0


@pytest.mark.parametrize("check", range(len(SELF_TESTS)), ids=SELF_TESTS)
def test_a_check_that_fails_is_named_and_latches(check):
    bench = Bench()
    bench.chip.failing_checks = 1 << check
    bench.run(20000)
    assert bench.faults() == {"self_test_failed"}
    assert bench.point("self_test_failed") == 1 << check
    assert bench.point("state") == STATE_FAULT
    assert bench.chip.lines() == 0
    assert bench.point("cell_min_mv") == 3300  # what is wrong can be looked at
    assert bench.chip.programmings == 1


@pytest.mark.parametrize("programmings", [1, 2])
def test_a_self_test_that_fails_once_is_repeated_and_only_the_second_counts(programmings):
    """In each programming anew: a glitch shall not keep a house dark."""
    bench = Bench()
    for number in range(programmings):
        if number:
            bench.ask(requests.REPROGRAM_AFE)
        bench.chip.failing_checks = 1
        started = bench.chip.self_tests
        while bench.chip.self_tests < started + 2:
            assert bench.now_ms < 10000
            bench.step()
        assert bench.point("self_test_failed") == 0
        bench.chip.failing_checks = 0
        bench.run_until(lambda: on(bench), 5000)
        assert bench.faults() == set()
        assert bench.chip.programmings == number + 1
        assert bench.chip.self_tests == 2 * number + 2


def test_a_self_test_that_passed_is_not_repeated_and_one_that_failed_only_once():
    bench = Bench().start()
    assert bench.chip.self_tests == 1
    bench = Bench()
    bench.chip.failing_checks = 1
    bench.run(20000)
    assert bench.faults() == {"self_test_failed"}
    assert bench.chip.self_tests == 2


def test_clearing_runs_the_self_test_again_and_only_its_result_closes_the_gates():
    bench = Bench()
    bench.chip.failing_checks = 1
    bench.run(5000)
    bench.ask(requests.CLEAR_FAULTS)
    for _ in range(200):
        bench.step()
        assert bench.chip.lines() == 0
    assert bench.faults() == {"self_test_failed"}
    assert bench.chip.programmings == 2
    bench.chip.failing_checks = 0
    bench.run(10000)
    assert bench.faults() == {"self_test_failed"}  # nobody asked
    bench.ask(requests.CLEAR_FAULTS)
    bench.run_until(lambda: on(bench), 5000)
    assert bench.faults() == set()
    assert bench.point("self_test_failed") == 0
    assert bench.chip.programmings == 3


def test_a_chip_whose_self_test_passed_is_not_programmed_by_a_clear():
    bench = Bench().start()
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(2000)
    assert bench.chip.programmings == 1


@pytest.mark.parametrize("while_testing", [False, True])
def test_restarts_while_it_is_programmed_or_tested_count_and_latch_at_the_third(while_testing):
    bench = Bench()
    if while_testing:
        bench.chip.self_test_code = sample.CONFIGURATION_LOST
    else:
        bench.chip.programming_code = sample.CONFIGURATION_LOST
    bench.run_until(lambda: "afe_restarting" in bench.faults(), 10000)
    assert bench.chip.programmings == 4  # the first, and one after each of three restarts
    assert bench.chip.lines() == 0
    bench.chip.self_test_code = bench.chip.programming_code = OK
    bench.run(20000)
    assert bench.faults() == {"afe_restarting"}
    assert bench.chip.lines() == 0


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (sample.BUS_ERROR, "afe_lost"),
        (sample.CORRUPT, "afe_corrupt"),
        (sample.SENSOR_LOST, "current_sensor_lost"),
    ],
)
def test_a_self_test_that_can_not_be_made_is_a_fault_and_is_tried_again(code, fault):
    bench = Bench()
    bench.chip.self_test_code = code
    bench.run(20000)
    assert bench.faults() == {fault}
    assert bench.chip.lines() == 0
    assert bench.chip.samples == 0
    assert bench.chip.programmings >= 10
    bench.chip.self_test_code = OK
    took_ms = bench.run_until(lambda: on(bench), 10000)
    assert took_ms >= HOLD_MS - 2000


@pytest.mark.parametrize(
    ("code", "fault"),
    [(sample.CORRUPT, "afe_corrupt"), (sample.SENSOR_LOST, "current_sensor_lost")],
)
def test_programming_that_ends_otherwise_is_named_too(code, fault):
    bench = Bench()
    bench.chip.programming_code = code
    bench.run(5000)
    assert bench.faults() == {fault}


def test_a_programming_that_failed_is_tried_again_after_a_second():
    bench = Bench()
    bench.chip.programming_steps = 0
    bench.chip.programming_code = sample.BUS_ERROR
    tries = []
    for _ in range(45):
        before = bench.chip.programmings
        bench.step()
        if bench.chip.programmings > before:
            tries.append(bench.now_ms)
    assert len(tries) >= 4
    assert {later - earlier for earlier, later in pairwise(tries)} == {1000}


@pytest.mark.parametrize("welded", [False, True])
def test_a_weld_is_named_while_the_chip_does_not_let_itself_be_programmed(welded):
    """Its auxiliary contact needs no chip, and a chip may be dead for good."""
    bench = Bench(power_path=2, contactor_aux=1, contactor_settle_ms=200)
    chip, contactors = bench.chip, Contactors()
    bench.battery._path = ContactorPath(
        chip, chip.charge_off, chip.discharge_off, contactors, bench.parameters, bench.table
    )
    chip.programming_code = sample.BUS_ERROR
    contactors.forced[0] = 1 if welded else None
    bench.run(1000)
    named = {"contactor_positive_welded"} if welded else set()
    assert bench.faults() == {"afe_lost"} | named
    contactors.forced[0] = None
    bench.run(1000)
    assert bench.faults() == {"afe_lost"} | named  # latched


def test_the_settings_are_read_back_once_a_second_while_guarding():
    bench = Bench().start()
    before = bench.chip.verified
    bench.run(60000)
    assert bench.chip.verified - before == 60
    assert bench.faults() == set()


def test_a_chip_that_lost_a_setting_is_programmed_anew_with_the_gates_off():
    bench = Bench().start()
    bench.chip.verify_code = sample.VERIFY_FAILED
    took_ms = bench.run_until(lambda: bench.faults() == {"afe_configuration"}, 2000)
    assert took_ms <= 1100
    assert bench.chip.lines() == 0
    bench.chip.verify_code = OK
    assert bench.chip.programmings == 2
    assert bench.point("cell_min_mv") < 0
    took_ms = bench.run_until(lambda: on(bench), 10000)
    assert HOLD_MS - 100 <= took_ms <= HOLD_MS + 200
    assert bench.faults() == set()


def test_a_chip_that_can_not_keep_a_setting_never_gets_its_gates():
    bench = Bench().start()
    bench.chip.verify_code = sample.VERIFY_FAILED
    bench.run(1200)
    for _ in range(600):
        bench.step()
        assert bench.chip.lines() == 0
        assert "afe_configuration" in bench.faults()


def test_a_read_back_that_gets_no_answer_is_no_fault_of_the_settings():
    bench = Bench().start()
    for code in (sample.BUS_ERROR, sample.BUSY, sample.CORRUPT):
        bench.chip.verify_code = code
        bench.run(3000)
        assert bench.faults() == set()
        assert on(bench)


def rest(bench, duration_ms):
    """Long times in few steps, each of them just in time."""
    for _ in range(duration_ms // 200):
        bench.step(200)


def restart(bench):
    bench.chip.code = sample.CONFIGURATION_LOST
    bench.step()
    bench.chip.code = OK
    assert "afe_restarted" in bench.faults()
    bench.run(10000)


def test_three_restarts_within_ten_minutes_latch():
    """A chip whose supply fails with every load: the gates would try again and again."""
    bench = Bench().start()
    for _ in range(2):
        restart(bench)
        assert on(bench)
        rest(bench, 9 * MINUTE_MS)
    bench.chip.code = sample.CONFIGURATION_LOST
    bench.step()
    assert bench.faults() == {"afe_restarted", "afe_restarting"}
    bench.chip.code = OK
    rest(bench, 20 * MINUTE_MS)
    assert bench.faults() == {"afe_restarting"}
    assert bench.chip.lines() == 0
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(1000)
    assert on(bench)


def test_restarts_more_than_ten_minutes_apart_do_not_latch():
    bench = Bench().start()
    for _ in range(5):
        restart(bench)
        rest(bench, 10 * MINUTE_MS - 9000)
        assert on(bench)


def test_the_count_of_restarts_begins_anew_after_a_pause():
    bench = Bench().start()
    restart(bench)
    restart(bench)
    rest(bench, 10 * MINUTE_MS)
    restart(bench)
    restart(bench)
    assert on(bench)
    restart(bench)
    assert bench.faults() == {"afe_restarting"}


def test_a_step_that_comes_too_late_is_a_fault_of_its_own():
    bench = Bench().start()
    bench.step(1500)  # default of overrun_ms
    assert bench.faults() == set()
    assert bench.point("longest_step_ms") == 1500
    bench.run(1500)
    bench.step(1501)
    assert bench.faults() == {"fast_path_overrun"}
    assert bench.chip.lines() == 0
    assert bench.point("longest_step_ms") == 1501
    took_ms = bench.run_until(lambda: on(bench), 10000)
    assert HOLD_MS - 100 <= took_ms <= HOLD_MS + 200
    assert bench.point("longest_step_ms") == 1501


def test_the_time_before_the_first_step_is_no_step():
    bench = Bench()
    bench.step(650)
    assert bench.point("longest_step_ms") == 0
    bench.step(20)
    assert bench.point("longest_step_ms") == 20


def test_uptime_counts_whole_seconds_however_they_are_cut():
    bench = Bench().start()
    at = bench.now_ms
    for elapsed_ms in (20, 250, 333, 700) * 50:
        bench.step(elapsed_ms)
        assert bench.point("uptime_s") == bench.now_ms // 1000
    assert bench.now_ms - at > 60000


def test_a_reprogramming_keeps_a_gate_off_that_a_person_opened():
    bench = Bench().start()
    bench.chip.trips = sample.TRIP_CELL_OVERVOLTAGE
    bench.chip.set_cells(3500)
    bench.step()
    bench.chip.trips = 0
    bench.ask(requests.REPROGRAM_AFE)
    bench.run(3000)
    assert bench.chip.lines() == GATES_BOTH & ~GATE_CHARGE


class Reluctant:
    """A path that takes its time to open, as contactors do beyond what they can break."""

    def __init__(self, path, steps):
        self._step = path.step
        self._path = path
        self._steps = steps
        self.asked = 0  # steps in which it was told to open

    def step(self, allowed, urgent, sample, measured, elapsed_ms, register):
        if allowed == 0 and self.asked < self._steps:
            self.asked += 1
            allowed, urgent = self._path.commanded, False
        self._step(allowed, urgent, sample, measured, elapsed_ms, register)


def _ask(bench):
    bench.ask(requests.REPROGRAM_AFE)


def _lose_a_setting(bench):
    bench.chip.verify_code = sample.VERIFY_FAILED
    bench.run_until(lambda: "afe_configuration" in bench.faults(), 2000)


@pytest.mark.parametrize("cause", [_ask, _lose_a_setting])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_path_gets_its_time_to_open_before_the_chip_is_programmed_anew(cause, steps):
    bench = Bench(contactor_open_ma=100).start()
    slow = Reluctant(bench.path, steps)
    bench.path.step = slow.step
    cause(bench)
    waited = 0
    while bench.chip.lines():
        assert bench.chip.programmings == 1
        assert bench.chip.tested
        waited += 1
        bench.step()
    assert slow.asked == steps
    assert waited in (steps, steps + 1)
    bench.step()
    assert bench.chip.programmings == 2
    bench.chip.verify_code = OK
    bench.path.step = slow._step
    bench.run_until(lambda: on(bench), 10000)
    assert bench.chip.programmings == 2


def test_a_request_to_program_a_chip_that_is_being_programmed_begins_anew_at_once():
    bench = Bench()
    bench.chip.programming_steps = 20
    bench.run(1000)
    assert bench.chip.programmings == 1
    bench.ask(requests.REPROGRAM_AFE)
    bench.step()
    bench.step()
    assert bench.chip.programmings == 2
    bench.run_until(lambda: on(bench), 10000)
    assert bench.chip.programmings == 2
