"""The path of FETs to the millisecond: body diodes, gates that disobey, what a restart forgets."""

import pytest

from bms.points import PATH_BRIDGING, PATH_OFF
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH
from bms.switch import BodyDiode, FetPath
from host_tests.bms.path_parts import STACK_MV, PathBench

START_MA = 1000
MINUTE_MS = 60000
MISMATCH_MS = 1000


def fresh(**settings):
    """A path that was just built; the chip obeys."""
    bench = PathBench(
        lambda chip, parameters, table, contactors: FetPath(
            chip, chip.charge_off, chip.discharge_off, parameters, table
        ),
        gate_mismatch_ms=MISMATCH_MS,
        body_diode_ma=START_MA,
        **settings,
    )
    bench.sample.bus_mv = STACK_MV
    return bench


def fets(**settings):
    """The same with both gates on."""
    bench = fresh(**settings)
    bench.run(500)
    assert bench.chip.gates() == GATES_BOTH
    return bench


# -- the body diode


def spared(diode):
    """Spare it, in no time."""
    diode.step(START_MA + 1, 0)
    return diode.spared


def reverse(diode, after_ms, flow_ma=-1):
    """Spare it, then turn the current `after_ms` later; whether it was spared."""
    was_spared = spared(diode)
    diode.step(flow_ma, after_ms)
    assert not diode.spared
    return was_spared


def test_a_diode_is_spared_from_the_first_step_on_but_not_before_its_limit():
    assert spared(BodyDiode(START_MA))
    diode = BodyDiode(START_MA)
    assert not diode.spared
    diode.step(START_MA, 100)
    assert not diode.spared


@pytest.mark.parametrize("third_after_ms", [MINUTE_MS - 1, MINUTE_MS])
def test_a_third_reversal_counts_if_it_comes_less_than_a_minute_after_the_first(third_after_ms):
    diode = BodyDiode(START_MA)
    assert reverse(diode, 0)
    assert reverse(diode, 20000)
    assert reverse(diode, third_after_ms - 20000)
    assert spared(diode) == (third_after_ms == MINUTE_MS)


def test_after_three_reversals_the_diode_bears_it_for_exactly_a_minute():
    diode = BodyDiode(START_MA)
    assert all(reverse(diode, 100) for _ in range(3))
    diode.step(START_MA + 1, MINUTE_MS - 1)
    assert not diode.spared
    diode.step(START_MA + 1, 1)
    assert diode.spared


@pytest.mark.parametrize("flow_ma", [0, 1])
def test_a_current_that_does_not_turn_is_no_reversal(flow_ma):
    diode = BodyDiode(START_MA)
    for _ in range(10):
        assert reverse(diode, 100, flow_ma)


@pytest.mark.parametrize("what", ["unmeasured", "urgent", "both allowed", "none allowed"])
def test_the_end_of_sparing_for_another_reason_is_no_reversal(what):
    """Else a bus with glitches would have the diode burn."""
    bench = fets()
    for _ in range(10):
        bench.allowed = GATE_CHARGE
        bench.sample.current_ma = START_MA + 1
        bench.step()
        assert bench.path.state == PATH_BRIDGING
        bench.measured = what != "unmeasured"
        bench.urgent = what == "urgent"
        bench.allowed = {"both allowed": GATES_BOTH, "none allowed": 0}.get(what, GATE_CHARGE)
        bench.step()
        if what == "unmeasured":
            bench.step()  # the first damaged sample is ridden through
        assert bench.path.commanded == bench.allowed
        bench.measured, bench.urgent = True, False


# -- the body diode while samples are damaged


def bridging(flow_ma=START_MA + 1):
    """A path that spares a diode of a clear current, and then was measured with this one."""
    bench = fets()
    bench.allowed = GATE_CHARGE
    bench.sample.current_ma = START_MA + 1
    bench.step()
    bench.sample.current_ma = flow_ma
    bench.step()
    assert bench.path.state == PATH_BRIDGING
    return bench


def test_wires_that_damage_every_other_sample_do_not_make_a_switch_chatter():
    """It was 24 times in 20 s in the campaign: cell_overvoltage and afe_crc_noise."""
    bench = bridging()
    for turn in range(40):
        bench.measured = turn % 2 == 1
        bench.step()
        assert bench.path.commanded == bench.chip.gates() == GATES_BOTH


def test_a_second_damaged_sample_in_a_row_ends_the_sparing():
    bench = bridging()
    bench.measured = False
    bench.step()
    assert bench.path.commanded == GATES_BOTH
    bench.step()
    assert bench.path.commanded == bench.chip.gates() == GATE_CHARGE
    bench.step()
    assert bench.path.commanded == GATE_CHARGE


@pytest.mark.parametrize("flow_ma", [START_MA, START_MA // 2])
def test_only_a_current_that_was_clearly_the_allowed_way_is_believed_for_one_more(flow_ma):
    bench = bridging(flow_ma)
    bench.measured = False
    bench.step()
    assert bench.path.commanded == GATE_CHARGE


@pytest.mark.parametrize("allowed", [0, GATE_DISCHARGE, GATES_BOTH])
def test_nothing_is_believed_once_something_else_is_blocked(allowed):
    """The current that was the allowed way is another one now, or none at all."""
    bench = bridging()
    bench.measured = False
    bench.allowed = allowed
    bench.step()
    assert bench.path.commanded == allowed


def test_nothing_is_believed_when_it_is_urgent():
    bench = bridging()
    bench.measured = False
    bench.urgent = True
    bench.step()
    assert bench.path.commanded == GATE_CHARGE


def test_a_damaged_sample_begins_no_sparing_nor_do_the_lines_leave_one():
    bench = fets()
    bench.allowed = GATE_CHARGE
    bench.sample.current_ma = START_MA
    bench.step()
    bench.measured = False
    bench.sample.current_ma = 50000
    bench.step()
    assert bench.path.commanded == GATE_CHARGE
    bench = bridging()
    bench.path.open_lines()
    bench.measured = False
    bench.step()
    assert bench.path.commanded == GATE_CHARGE


def test_a_current_that_turned_in_a_damaged_sample_ends_with_the_next_good_one():
    """Two steps of reverse current at most, and it counts as a reversal."""
    bench = bridging()
    for _ in range(3):
        bench.sample.current_ma = START_MA + 1
        bench.measured = True
        bench.step()
        assert bench.path.state == PATH_BRIDGING
        bench.sample.current_ma = -START_MA
        bench.measured = False
        bench.step()
        assert bench.path.state == PATH_BRIDGING
        bench.measured = True
        bench.step()
        assert bench.path.commanded == GATE_CHARGE
    bench.sample.current_ma = START_MA + 1
    bench.step()
    assert bench.path.commanded == GATE_CHARGE  # the diode bears it for a minute


# -- what ends it


def test_opening_by_the_lines_ends_the_sparing():
    """What comes after it needs the whole limit again, not half of it."""
    bench = fets()
    bench.allowed = GATE_CHARGE
    bench.sample.current_ma = START_MA + 1
    bench.step()
    assert bench.path.commanded == GATES_BOTH
    bench.path.open_lines()
    bench.sample.current_ma = START_MA
    bench.step()
    assert bench.path.commanded == GATE_CHARGE


def test_a_path_that_was_just_built_has_nothing_on_and_spares_nothing():
    bench = fresh()
    assert bench.chip.lines() == bench.path.commanded == 0
    assert bench.path.state == PATH_OFF
    assert not bench.path.holds_limits
    bench.allowed = GATE_CHARGE
    bench.sample.current_ma = START_MA
    bench.step()
    assert bench.path.commanded == GATE_CHARGE


def test_opening_by_the_lines_forgets_that_the_bus_was_full():
    """Blind, the discharge gate is not let on again."""
    bench = fresh(predischarge=1)
    bench.step()
    bench.run(500)
    assert bench.path.commanded == GATES_BOTH
    bench.path.open_lines()
    bench.measured = False
    bench.step()
    assert bench.path.commanded == GATE_CHARGE


def test_blind_the_discharge_gate_is_not_let_on_at_first_either():
    bench = fresh(predischarge=1)
    bench.measured = False
    bench.step()
    assert bench.path.commanded == GATE_CHARGE


def test_a_predischarge_is_taken_back_when_another_step_would_be_too_late():
    bench = fresh(predischarge=1, precharge_time_max_ms=2000)
    bench.obeying = False
    bench.step()
    bench.sample.gates = GATE_CHARGE
    bench.step(1900)
    assert bench.path.commanded == GATES_BOTH
    bench.step(1)
    assert bench.path.commanded == GATE_CHARGE


# -- gates that disobey


@pytest.mark.parametrize("start", ["at once", "later"])
@pytest.mark.parametrize("gate", [GATE_CHARGE, GATE_DISCHARGE])
def test_a_gate_that_stays_on_is_a_fault_one_millisecond_after_its_time(start, gate):
    bench = fresh()
    bench.allowed = 0
    bench.obeying = False
    if start == "later":
        bench.run(300)
    bench.sample.gates = gate
    bench.step(MISMATCH_MS)
    assert bench.faults() == set()
    bench.step(1)
    assert bench.faults() == {"gate_mismatch"}


def test_a_gate_that_disobeys_now_and_then_is_no_fault():
    bench = fets()
    bench.obeying = False
    for turn in range(40):
        bench.sample.gates = GATES_BOTH if turn % 10 == 0 else GATE_CHARGE
        bench.step()
    assert bench.faults() == set()


@pytest.mark.parametrize("gate", [GATE_CHARGE, GATE_DISCHARGE])
def test_a_gate_that_is_late_at_every_command_has_new_time_at_each(gate):
    """It always does what it was told before: slow, but it follows."""
    bench = fets()
    bench.obeying = False
    for turn in range(20):
        bench.allowed = GATES_BOTH & ~gate if turn % 2 else GATES_BOTH
        bench.step(0)
        bench.sample.gates = GATES_BOTH if turn % 2 else GATES_BOTH & ~gate
        bench.step(MISMATCH_MS)
        assert bench.faults() == set()


@pytest.mark.parametrize("gate", [GATE_CHARGE, GATE_DISCHARGE])
def test_commands_to_the_other_gate_give_a_stuck_one_no_time(gate):
    bench = fets()
    bench.obeying = False
    bench.sample.gates = GATES_BOTH
    bench.allowed = GATES_BOTH & ~gate  # and this one is stuck on
    bench.step()
    for turn in range(11):
        bench.allowed = 0 if turn % 2 else GATES_BOTH & ~gate
        bench.sample.gates = bench.allowed | gate
        assert bench.faults() == set()
        bench.step()
    assert bench.faults() == {"gate_mismatch"}


def test_gates_that_the_lines_opened_obey_however_late_the_next_step_is():
    bench = fets()
    bench.path.open_lines()
    assert bench.chip.gates() == 0
    bench.step(MISMATCH_MS + 1)
    assert bench.faults() == set()
    assert bench.path.commanded == GATES_BOTH


def test_a_mismatch_that_is_over_can_be_cleared_at_once():
    bench = fets()
    bench.obeying = False
    bench.sample.gates = GATE_CHARGE
    bench.step(MISMATCH_MS + 1)
    assert bench.faults() == {"gate_mismatch"}
    bench.clear()
    assert bench.faults() == set()
