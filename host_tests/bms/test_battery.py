"""The battery: start, programming, requests, its own failure, and time."""

import pytest

from bms import requests, sample
from bms.point_rows import ROWS
from bms.points import (
    PATH_OFF,
    STATE_ACTIVE,
    STATE_FAILED,
    STATE_FAULT,
    STATE_PROGRAMMING,
    STATE_SELF_TEST,
    STATE_STANDBY,
    STATE_STARTING,
    STATE_UNCONFIGURED,
)
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, OK
from bms.table import INVALID, rows
from host_tests.bms.bench import Bench

MEASURED = [row[0] for row in rows(ROWS) if row[4] in ("fast", "slow")]
HOLD_MS = 5000  # how long a fault of the chip stays after its last sign


def check_off(bench):
    """Gates off, nothing allowed, nothing measured shown as live."""
    assert bench.chip.lines() == bench.chip.gates() == 0
    assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
    assert bench.point("charge_current_limit_ma") == 0
    assert bench.point("discharge_current_limit_ma") == 0


def check_blank(bench):
    for name in MEASURED:
        count = bench.points.counts[bench.points.index(name)]
        assert {bench.point(name, index) for index in range(count)} == {INVALID}, name


def test_the_off_lines_are_off_as_soon_as_the_battery_is_built():
    bench = Bench()
    assert bench.chip.lines() == 0
    bench = Bench(configured=False)
    assert bench.chip.lines() == 0


def test_states_from_power_up_to_guarding():
    bench = Bench()
    states = []
    while bench.now_ms < 2000:
        bench.step()
        state = bench.point("state")
        if not states or states[-1] != state:
            states.append(state)
        if state != STATE_ACTIVE:
            assert bench.chip.lines() == 0 and bench.point("charge_allowed") == 0
            check_blank(bench)
    assert states == [STATE_PROGRAMMING, STATE_SELF_TEST, STATE_STARTING, STATE_ACTIVE]
    assert bench.chip.gates() == bench.point("gates") == GATES_BOTH


@pytest.mark.parametrize("trouble", ["unconfigured", "wrong device", "lost", "lost for good"])
def test_the_age_of_the_measurement_is_never_shown_too_small(trouble):
    bench = Bench(configured=trouble != "unconfigured")
    last_good_ms = 0
    if trouble == "wrong device":
        bench.chip.programming_code = sample.WRONG_DEVICE
    elif trouble.startswith("lost"):
        bench.start()
        last_good_ms = bench.now_ms
        lost = sample.BUS_ERROR if trouble == "lost" else sample.CONFIGURATION_LOST
        bench.chip.code = lost
        bench.chip.programming_code = sample.BUS_ERROR
    while bench.now_ms < 30000:
        bench.step()
        assert bench.point("measurement_age_ms") >= bench.now_ms - last_good_ms


def test_limits_are_0_until_the_slow_path_saw_a_measurement():
    bench = Bench()
    bench.run(2000)
    assert bench.point("charge_current_limit_ma") == 0
    assert bench.point("discharge_current_limit_ma") == 0
    bench.slow()
    bench.step()
    assert bench.point("charge_current_limit_ma") == 834  # a sixtieth of 50 A
    assert bench.point("discharge_current_limit_ma") == 1667
    bench.limits_risen()
    assert bench.point("charge_current_limit_ma") == 50000
    assert bench.point("discharge_current_limit_ma") == 100000


@pytest.mark.parametrize("trouble", ["lost", "reprogrammed"])
def test_limits_of_old_measurements_are_not_offered_again(trouble):
    bench = Bench().start().limits_risen()
    assert bench.point("charge_current_limit_ma") == 50000
    if trouble == "lost":
        bench.chip.code = sample.BUS_ERROR
        bench.run(600000)  # long enough for the cells to become cold
        bench.chip.code = OK
    else:
        bench.ask(requests.REPROGRAM_AFE)
        bench.step()
    bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert bench.point("charge_current_limit_ma") == 0
    bench.limits_risen()
    assert bench.point("charge_current_limit_ma") == 50000


def test_no_gate_closes_before_the_chip_finished_a_scan():
    bench = Bench()
    bench.chip.scanning = False
    while bench.now_ms < 3000:
        bench.step()
        check_off(bench)
        check_blank(bench)
    assert bench.faults() == {"measurement_stale"}
    bench.chip.scanning = True
    bench.run(HOLD_MS + 200)
    assert bench.chip.gates() == GATES_BOTH


def test_without_a_configuration_nothing_is_measured_and_the_gates_are_off():
    bench = Bench(configured=False)
    bench.run(10000)
    bench.slow()
    bench.step()
    assert bench.faults() == {"configuration_invalid"}
    assert bench.point("state") == STATE_UNCONFIGURED
    assert bench.point("uptime_s") == 10
    check_off(bench)
    check_blank(bench)
    assert bench.chip.programmings == bench.chip.samples == 0
    # Nobody watches this chip: "off" is said again and again.
    assert bench.chip.commands >= 100


@pytest.mark.parametrize(
    "request_code",
    [requests.CLEAR_FAULTS, requests.GATES_OFF, requests.GATES_AUTO, requests.REPROGRAM_AFE],
)
def test_no_request_helps_without_a_configuration(request_code):
    bench = Bench(configured=False)
    bench.step()
    bench.ask(request_code)
    bench.run(1000)
    assert bench.faults() == {"configuration_invalid"}
    assert bench.chip.programmings == 0
    check_off(bench)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (sample.BUS_ERROR, "afe_lost"),
        (sample.WRONG_DEVICE, "afe_wrong_device"),
        (sample.VERIFY_FAILED, "afe_configuration"),
    ],
)
def test_programming_that_fails_names_its_fault_and_is_tried_again(code, fault):
    bench = Bench()
    bench.chip.programming_code = code
    bench.run(20000)
    assert bench.faults() == {fault}
    assert bench.point("state") == STATE_FAULT
    assert bench.chip.samples == 0
    check_off(bench)
    check_blank(bench)
    # Once in 1.0 s to 1.6 s: often enough to notice, seldom enough to leave the bus alone
    assert 12 <= bench.chip.programmings <= 20
    # Meanwhile "off" is said again and again: a chip that is not ours may not know the off lines.
    assert bench.chip.commands >= 100
    bench.chip.programming_code = OK
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert took_ms >= HOLD_MS - 1500
    assert bench.faults() == set()


def test_the_reason_why_programming_fails_changes_with_the_reason():
    bench = Bench()
    bench.chip.programming_code = sample.WRONG_DEVICE
    bench.run(3000)
    bench.chip.programming_code = sample.VERIFY_FAILED
    bench.run(HOLD_MS + 3000)
    assert bench.faults() == {"afe_configuration"}
    check_off(bench)


def test_a_chip_that_forgot_its_settings_is_programmed_again_with_the_gates_off():
    bench = Bench().start()
    bench.chip.code = sample.CONFIGURATION_LOST
    bench.step()
    assert bench.faults() == {"afe_restarted"}
    check_off(bench)
    check_blank(bench)
    bench.chip.code = OK
    bench.run(1000)
    assert bench.chip.programmings == 2
    check_off(bench)
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert took_ms <= HOLD_MS
    assert bench.faults() == set()


def test_a_chip_that_forgets_its_settings_all_the_time_never_closes_a_gate():
    bench = Bench().start()
    bench.chip.code = sample.CONFIGURATION_LOST
    bench.step()
    for _ in range(200):
        bench.step()
        assert "afe_restarted" in bench.faults()
        check_off(bench)


def test_reprogramming_on_request_opens_the_gates_and_goes_on_by_itself():
    bench = Bench().start()
    bench.ask(requests.REPROGRAM_AFE)
    bench.step()
    assert bench.point("state") == STATE_PROGRAMMING
    assert bench.chip.lines() == 0
    assert bench.faults() == set()
    check_blank(bench)
    assert bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 5000) <= 1500
    assert bench.chip.programmings == 2


@pytest.mark.parametrize("cause", ["request", "configuration lost"])
def test_an_active_fault_stays_shown_and_blocked_through_programming(cause):
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3700
    bench.run(2000)
    bench.chip.cell_mv[0] = 3500  # not past its release
    if cause == "request":
        bench.ask(requests.REPROGRAM_AFE)
    else:
        bench.chip.code = sample.CONFIGURATION_LOST
        bench.step()
        bench.chip.code = OK
    for _ in range(100):
        bench.step()
        assert "cell_overvoltage" in bench.faults()
        assert not bench.chip.lines() & GATE_CHARGE
    assert bench.chip.gates() == GATE_DISCHARGE


def test_gates_off_holds_until_gates_auto():
    bench = Bench().start()
    bench.ask(requests.GATES_OFF)
    bench.step()
    check_off(bench)
    bench.run(60000)
    check_off(bench)
    assert bench.point("state") == STATE_STANDBY
    assert bench.point("cell_min_mv") == 3300
    bench.ask(requests.GATES_AUTO)
    bench.step()
    bench.step()
    assert bench.point("state") == STATE_ACTIVE
    assert bench.chip.gates() == GATES_BOTH


def test_gates_off_survives_programming():
    bench = Bench().start()
    bench.ask(requests.GATES_OFF)
    bench.step()
    bench.ask(requests.REPROGRAM_AFE)
    bench.run(5000)
    assert bench.chip.programmings == 2
    check_off(bench)


def test_gates_auto_does_not_help_against_a_fault():
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3700
    bench.run(2000)
    for request_code in (requests.GATES_OFF, requests.GATES_AUTO, requests.CLEAR_FAULTS):
        bench.ask(request_code)
        bench.step()
        assert not bench.chip.lines() & GATE_CHARGE
    assert bench.faults() == {"cell_overvoltage"}


def test_the_letter_box_takes_one_request_at_a_time():
    bench = Bench().start()
    bench.ask(requests.GATES_OFF)
    assert not bench.battery.requests.post(requests.GATES_AUTO)
    bench.step()
    bench.ask(requests.GATES_AUTO)


class Broken(Exception):
    """Something that nobody expects."""


def test_an_exception_in_a_step_opens_the_gates_for_good_and_says_so():
    bench = Bench().start()
    failure = Broken("a wire in the firmware")
    bench.chip.failure = failure
    bench.step()
    assert bench.battery.failure is failure
    for _ in range(50):
        assert bench.chip.lines() == 0
        assert bench.faults() == {"step_failed"}
        assert bench.point("state") == STATE_FAILED
        assert bench.point("path_state") == PATH_OFF
        assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
        assert bench.point("charge_current_limit_ma") == 0
        assert bench.point("discharge_current_limit_ma") == 0
        check_blank(bench)
        for request_code in (requests.CLEAR_FAULTS, requests.GATES_AUTO, requests.REPROGRAM_AFE):
            bench.battery.requests.pending = requests.NONE
            bench.ask(request_code)
            bench.step()
        # Even if something pulls the lines, the next step pushes back.
        bench.chip.charge_off(0)
        bench.chip.discharge_off(0)
        bench.step()
        bench.slow()


@pytest.mark.parametrize("moment", ["start", "programming", "guarding", "unconfigured"])
def test_an_exception_is_caught_whenever_it_comes(moment):
    bench = Bench(configured=moment != "unconfigured")
    if moment == "programming":
        bench.run(200)
    elif moment == "guarding":
        bench.start()
    bench.chip.failure = MemoryError("no room")
    bench.step()
    assert bench.point("state") == STATE_FAILED
    assert bench.chip.lines() == 0


def test_a_slow_step_that_was_under_way_does_not_show_old_values_of_a_failed_battery():
    """A step of the fast path may come between any two bytecodes of the slow path."""
    bench = Bench().start()
    bench.slow()
    assert bench.point("soc_bp") != INVALID

    class Interrupted:
        """Points whose snapshot is followed at once by a step that fails."""

        def __init__(self, points):
            self.points = points
            self.fast_size = points.fast_size

        def fast_into(self, view):
            self.points.fast_into(view)
            bench.chip.failure = Broken("now")
            bench.step()

        def __getattr__(self, name):
            return getattr(self.points, name)

    slow = bench.battery._slow
    slow._points = Interrupted(bench.points)
    bench.slow()
    assert bench.point("cell_min_mv") == INVALID
    assert bench.point("soc_bp") == bench.point("remaining_mah") == INVALID
