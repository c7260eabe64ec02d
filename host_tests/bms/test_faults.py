"""The faults table, and the register of what is active, held or latched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.fault_register import WORDS, FaultRegister
from bms.fault_rows import ROWS
from bms.faults import Faults
from bms.points import Points
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH
from bms.table import rows
from host_tests.bms.bench import clear

FAULTS = Faults()
NAMES = [FAULTS.names.name(bit) for bit in range(len(FAULTS))]
OVERVOLTAGE = NAMES.index("cell_overvoltage")  # blocks charging
UNDERVOLTAGE = NAMES.index("cell_undervoltage")  # blocks discharging
LOST = NAMES.index("afe_lost")  # blocks both
SHORT = NAMES.index("short_circuit")  # latches
# They only tell.
_WARNED_ONLY = ("event_log_failed", "inverter_lost", "calibration_unused")

# What is out there reads faults by their bits: the order is for ever, new ones go to the end.
BITS = [
    "cell_overvoltage",
    "cell_undervoltage",
    "overcurrent_charge",
    "overcurrent_discharge",
    "overtemperature_charge",
    "overtemperature_discharge",
    "undertemperature_charge",
    "undertemperature_discharge",
    "stack_mismatch",
    "afe_lost",
    "measurement_stale",
    "measurement_implausible",
    "afe_wrong_device",
    "afe_configuration",
    "afe_restarted",
    "short_circuit",
    "afe_overtemperature",
    "afe_watchdog",
    "afe_failed",
    "configuration_invalid",
    "step_failed",
]


@pytest.fixture
def register():
    return FaultRegister(FAULTS)


def active(register):
    return [bit for bit in range(len(FAULTS)) if register.is_active(bit)]


def test_faults_keep_their_bits():
    assert NAMES[: len(BITS)] == BITS


def test_there_is_room_for_every_fault_in_the_register_and_in_the_points():
    points = Points()
    assert len(FAULTS) <= 16 * WORDS
    for name in ("faults", "warnings"):
        assert points.counts[points.index(name)] == WORDS


def test_every_fault_blocks_something_and_says_what_to_do():
    for bit, row in enumerate(rows(ROWS)):
        assert row[1] in ("c", "d", "cd", "c!", "d!", "-")
        assert row[2] in ("y", "n")
        assert (FAULTS.blocks[bit] == 0) == (row[0] in _WARNED_ONLY)
        assert FAULTS.latching[bit] == (row[2] == "y")
        assert len(FAULTS.advice(bit)) > 20


def test_what_only_a_person_can_judge_latches():
    latching = {NAMES[bit] for bit in range(len(FAULTS)) if FAULTS.latching[bit]}
    assert latching == {
        "short_circuit", "afe_failed", "step_failed",
        "deep_discharge", "cell_below_floor", "undervoltage_rebounds", "limited_current",
        "gates_off_current", "gate_mismatch", "afe_restarting", "self_test_failed", "boot_loop",
        "precharge_failed", "contactor_positive_welded", "contactor_negative_welded",
        "precharge_relay_welded", "contactor_stuck_open", "fuse_expected", "interlock_open",
    }  # fmt: skip


def test_what_allows_no_delay_blocks_both_or_is_a_fast_over_current():
    urgent = {NAMES[bit] for bit in range(len(FAULTS)) if FAULTS.urgent[bit]}
    both = {NAMES[bit] for bit in range(len(FAULTS)) if FAULTS.blocks[bit] == GATES_BOTH}
    assert urgent == both | {"fast_overcurrent_charge", "fast_overcurrent_discharge"}


@pytest.mark.parametrize(
    ("name", "urgent"),
    [
        ("cell_overvoltage", False),
        ("fast_overcurrent_charge", True),
        ("afe_lost", True),
        ("event_log_failed", False),
    ],
)
def test_the_register_says_whether_what_blocks_allows_a_delay(register, name, urgent):
    assert not register.urgent
    register.report(NAMES.index(name), 0)
    register.step(100)
    assert register.urgent == urgent
    register.step(100)
    assert not register.urgent


def test_a_fault_that_is_waived_whole_is_not_urgent(register):
    register.waived[LOST] = GATES_BOTH
    register.report(LOST, 0)
    assert register.step(100) == 0
    assert not register.urgent
    assert active(register) == [LOST]


def test_a_waived_direction_is_not_blocked_and_the_other_is(register):
    """The rest is like a fault of direction: urgent only while all it blocks is blocked."""
    register.waived[LOST] = GATE_CHARGE
    register.report(LOST, 0)
    assert register.step(100) == GATE_DISCHARGE
    assert not register.urgent
    register.waived[LOST] = 0
    register.report(LOST, 0)
    assert register.step(100) == GATES_BOTH
    assert register.urgent


@pytest.mark.parametrize("first", [True, False])
def test_a_waived_fault_does_not_make_another_less_urgent(register, first):
    waived, whole = (NAMES.index("afe_failed"), LOST) if first else (LOST, SHORT)
    register.waived[waived] = GATE_DISCHARGE
    register.report(waived, 0)
    register.report(whole, 0)
    assert register.step(100) == GATES_BOTH
    assert register.urgent


def test_a_restored_fault_is_latched_and_can_be_cleared(register):
    register.restore(SHORT)
    assert register.is_latched(SHORT) and register.is_active(SHORT)
    assert register.step(100) == GATES_BOTH
    clear(register)
    assert register.step(100) == 0
    assert not register.is_latched(SHORT)


def test_a_fault_that_does_not_latch_is_not_restored(register):
    register.restore(LOST)
    assert not register.is_active(LOST)
    assert register.step(100) == 0


def test_only_latching_faults_are_latched(register):
    register.report(LOST, 5000)
    register.report(SHORT, 5000)
    assert register.is_latched(SHORT) and not register.is_latched(LOST)


def test_one_latched_fault_can_be_cleared_alone(register):
    other = NAMES.index("afe_failed")
    register.report(SHORT, 0)
    register.report(other, 0)
    register.step(100)
    register.clear_one(SHORT)
    register.step(100)
    assert active(register) == [other]


def test_a_fault_that_was_reported_in_this_step_is_not_cleared(register):
    register.report(SHORT, 0)
    register.step(100)
    register.report(SHORT, 0)
    clear(register)
    assert register.step(100) == GATES_BOTH
    assert active(register) == [SHORT]


def test_a_fault_is_active_while_its_cause_is_reported(register):
    for _ in range(3):
        register.report(OVERVOLTAGE, 0)
        assert register.step(100) == GATE_CHARGE
        assert active(register) == [OVERVOLTAGE]
    assert register.step(100) == 0
    assert active(register) == []


def test_faults_block_together(register):
    register.report(OVERVOLTAGE, 0)
    register.report(UNDERVOLTAGE, 0)
    assert register.step(100) == GATES_BOTH
    register.report(UNDERVOLTAGE, 0)
    assert register.step(100) == GATE_DISCHARGE


def test_a_held_fault_stays_for_its_time_after_the_last_sign(register):
    register.report(LOST, 5000)
    register.step(100)
    register.report(LOST, 5000)
    register.step(1000)
    for _ in range(49):
        assert register.step(100) == GATES_BOTH
    assert register.step(100) == 0


def test_one_late_step_ends_a_hold_as_many_steps_do(register):
    register.report(LOST, 5000)
    register.step(100)
    assert register.step(5000) == 0


def test_a_latched_fault_stays_until_it_is_cleared(register):
    register.report(SHORT, 1000)
    for _ in range(1000):
        assert register.step(100) == GATES_BOTH
    clear(register)
    assert register.step(100) == 0
    assert active(register) == []


def test_clear_leaves_what_is_held_or_present(register):
    register.report(SHORT, 1000)
    register.report(LOST, 1000)
    register.step(100)
    clear(register)
    assert register.step(100) == GATES_BOTH
    assert active(register) == [LOST, SHORT]


def test_a_fault_that_is_held_is_cleared_as_soon_as_it_may(register):
    register.report(SHORT, 1000)
    register.step(100)
    clear(register)
    for _ in range(10):
        register.clear_asked(True)
        assert register.step(100) == GATES_BOTH
    register.clear_asked(True)
    assert register.step(100) == 0


def test_what_was_not_asked_for_is_not_cleared(register):
    register.report(SHORT, 0)
    register.step(100)
    for _ in range(100):
        register.clear_asked(True)
        assert register.step(100) == GATES_BOTH


def test_what_was_asked_for_is_forgotten_when_the_time_is_over(register):
    register.report(SHORT, 1000)
    register.step(100)
    clear(register)
    register.clear_asked(False)
    for _ in range(100):
        register.clear_asked(True)
        assert register.step(100) == GATES_BOTH


@pytest.mark.parametrize("hold_ms", [0, 1000])
def test_a_fault_that_comes_again_after_it_was_cleared_was_not_asked_for(register, hold_ms):
    register.report(SHORT, 100)
    register.step(100)
    clear(register)
    register.step(100)
    register.clear_asked(True)
    assert register.step(100) == 0
    register.report(SHORT, hold_ms)
    for _ in range(100):
        assert register.step(100) == GATES_BOTH
        register.clear_asked(True)


def test_a_cause_that_goes_on_when_it_is_asked_for_is_not_cleared_later(register):
    for _ in range(2):
        register.report(SHORT, 0)
        register.step(100)
    clear(register)
    for _ in range(3):
        register.report(SHORT, 0)
        assert register.step(100) == GATES_BOTH
        register.clear_asked(True)
    for _ in range(100):
        assert register.step(100) == GATES_BOTH
        register.clear_asked(True)


@pytest.mark.parametrize("hold_ms", [0, 500])
def test_a_fault_that_is_kept_is_not_cleared_with_the_others(register, hold_ms):
    register.kept[SHORT] = 1
    register.report(SHORT, hold_ms)
    register.report(NAMES.index("afe_failed"), hold_ms)
    register.step(100)
    clear(register)
    for _ in range(20):
        register.clear_asked(True)
        register.step(100)
    assert active(register) == [SHORT]
    register.clear_one(SHORT)
    register.step(100)
    assert active(register) == []


def test_a_latched_fault_that_was_cleared_can_come_back(register):
    for _ in range(3):
        register.report(SHORT, 0)
        assert register.step(100) == GATES_BOTH
        register.step(100)
        clear(register)
        assert register.step(100) == 0


KEPT = (NAMES.index("deep_discharge"), NAMES.index("afe_failed"))
STEPS = st.lists(
    st.tuples(
        st.sampled_from([20, 100, 1000]),
        st.dictionaries(st.integers(0, len(NAMES) - 1), st.sampled_from([0, 500, 5000])),
        st.sampled_from(["nothing", "clear", "go on", "never mind"]),
    ),
    max_size=30,
)


@given(STEPS)
def test_any_history_of_reports_gives_what_the_rules_say(steps):
    register = FaultRegister(FAULTS)
    for bit in KEPT:
        register.kept[bit] = 1
    left_ms = {}  # of every active fault: how long it stays without a report
    asked = set()
    for elapsed_ms, reports, does in steps:
        if does == "clear":
            clear(register)
            asked = {bit for bit in left_ms if FAULTS.latching[bit] and bit not in KEPT}
        elif does == "go on":
            register.clear_asked(True)
        elif does == "never mind":
            register.clear_asked(False)
            asked = set()
        if does in ("clear", "go on"):
            left_ms = {bit: left for bit, left in left_ms.items() if left or bit not in asked}
            asked &= set(left_ms)
        for bit, hold_ms in reports.items():
            register.report(bit, hold_ms)
        blocked = register.step(elapsed_ms)
        for bit in list(left_ms):
            if bit not in reports:
                left_ms[bit] -= elapsed_ms
                if left_ms[bit] <= 0:
                    if FAULTS.latching[bit]:
                        left_ms[bit] = 0
                    else:
                        del left_ms[bit]
        left_ms.update(reports)
        assert active(register) == sorted(left_ms)
        expected = 0
        for bit in left_ms:
            expected |= FAULTS.blocks[bit]
        assert blocked == expected
