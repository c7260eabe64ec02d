"""The path of FETs: two ways to each gate, body diodes, gates that disobey, predischarge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.fault_register import FaultRegister
from bms.faults import Faults
from bms.points import (
    PATH_BRIDGING,
    PATH_COOLING,
    PATH_FAILED,
    PATH_OFF,
    PATH_ON,
    PATH_PRECHARGING,
)
from bms.sample import (
    BUS_ERROR,
    BUSY,
    GATE_CHARGE,
    GATE_DISCHARGE,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    Sample,
)
from bms.switch import FetPath
from host_tests.bms.bench import parameters_with
from host_tests.bms.path_parts import PERIOD_MS, STACK_MV, PathBench

COMMON_PORT = 0
SEPARATE_PORTS = 1


class Wires:
    """Notes in order what the path does to the chip and the off lines."""

    def __init__(self):
        self.done = []
        self.code = OK
        self.lines = {}

    def charge_off(self, level):
        self.done.append(("charge_off", level))
        self.lines[GATE_CHARGE] = level

    def discharge_off(self, level):
        self.done.append(("discharge_off", level))
        self.lines[GATE_DISCHARGE] = level

    def command_gates(self, gates):
        self.done.append(("command", gates))
        return self.code

    def take(self):
        done = self.done
        self.done = []
        return done

    def commands(self):
        return [gates for what, gates in self.take() if what == "command"]


class Wired:
    """A path on Wires, stepped with gates as the chip says they are."""

    def __init__(self):
        self.wires = Wires()
        table = Faults()
        self.register = FaultRegister(table)
        self.path = FetPath(
            self.wires,
            self.wires.charge_off,
            self.wires.discharge_off,
            parameters_with({}),
            table,
        )
        self.sample = Sample(4, 2)
        assert sorted(self.wires.take()) == [("charge_off", 1), ("discharge_off", 1)]

    def step(self, allowed, actual):
        self.sample.gates = actual
        self.path.step(allowed, False, self.sample, True, PERIOD_MS, self.register)

    def settle(self, gates):
        """Command `gates`, and let the chip have them."""
        self.step(gates, 0)
        self.step(gates, gates)
        self.wires.take()


@pytest.fixture
def wired():
    return Wired()


@pytest.mark.parametrize("gates", range(4))
def test_the_lines_and_the_command_say_the_same(wired, gates):
    wired.step(gates, 0)
    assert wired.wires.take() == [
        ("charge_off", 0 if gates & GATE_CHARGE else 1),
        ("discharge_off", 0 if gates & GATE_DISCHARGE else 1),
        ("command", gates),
    ]
    assert wired.path.commanded == gates


@pytest.mark.parametrize("left", [0, GATE_CHARGE, GATE_DISCHARGE])
def test_opening_uses_the_lines_before_the_chip(wired, left):
    wired.settle(GATES_BOTH)
    wired.step(left, GATES_BOTH)
    done = wired.wires.take()
    assert done[-1] == ("command", left)
    assert {what for what, level in done[:-1] if level} == {
        name
        for gate, name in ((GATE_CHARGE, "charge_off"), (GATE_DISCHARGE, "discharge_off"))
        if not left & gate
    }


@pytest.mark.parametrize("code", [BUSY, BUS_ERROR])
def test_a_command_that_the_chip_did_not_take_is_repeated_until_it_does(wired, code):
    wired.settle(GATES_BOTH)
    wired.wires.code = code
    for _ in range(20):
        wired.step(0, GATES_BOTH)
        assert wired.wires.lines == {GATE_CHARGE: 1, GATE_DISCHARGE: 1}
        assert wired.wires.commands() == [0]
    wired.wires.code = OK
    wired.step(0, GATES_BOTH)
    wired.step(0, 0)
    assert wired.wires.commands() == [0]
    wired.step(0, 0)
    assert wired.wires.commands() == []


def test_a_failed_command_is_repeated_even_if_the_gates_look_right(wired):
    wired.wires.code = BUS_ERROR
    wired.step(0, 0)
    wired.step(0, 0)
    assert wired.wires.commands() == [0, 0]


@pytest.mark.parametrize("allowed", range(4))
@pytest.mark.parametrize("actual", range(4))
def test_a_gate_that_is_not_as_commanded_is_commanded_again(wired, allowed, actual):
    wired.settle(allowed)
    for _ in range(3):
        wired.step(allowed, actual)
        assert wired.wires.commands() == ([] if actual == allowed else [allowed])


def test_after_forget_the_chip_is_told_again(wired):
    wired.settle(GATES_BOTH)
    wired.path.forget(0, wired.register)
    wired.step(GATES_BOTH, GATES_BOTH)
    assert wired.wires.commands() == [GATES_BOTH]


def test_open_lines_needs_no_chip(wired):
    wired.settle(GATES_BOTH)
    wired.path.open_lines()
    assert wired.wires.take() == [("charge_off", 1), ("discharge_off", 1)]
    assert wired.path.commanded == 0
    assert wired.path.state == PATH_OFF


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([OK, BUSY, BUS_ERROR]))
    )
)
def test_the_lines_never_let_on_what_is_not_allowed(steps):
    wired = Wired()
    for allowed, actual, code in steps:
        wired.wires.code = code
        wired.step(allowed, actual)
        commanded = wired.path.commanded
        assert not commanded & ~allowed
        for gate in (GATE_CHARGE, GATE_DISCHARGE):
            assert wired.wires.lines[gate] == (0 if commanded & gate else 1)
        assert set(wired.wires.commands()) <= {commanded}


def fets(settled_ms=500, **settings):
    """A bench with a path of FETs, gates on and settled."""
    bench = PathBench(
        lambda chip, parameters, table, contactors: FetPath(
            chip, chip.charge_off, chip.discharge_off, parameters, table
        ),
        **settings,
    )
    bench.sample.bus_mv = STACK_MV
    bench.run(settled_ms)
    return bench


def test_all_that_is_allowed_is_on():
    bench = fets()
    assert bench.path.state == PATH_ON
    assert not bench.path.holds_limits
    bench.allowed = 0
    bench.step()
    assert bench.path.state == PATH_OFF
    assert bench.chip.gates() == 0


# -- the body diode of a blocked switch

WAYS = ((GATE_CHARGE, 1), (GATE_DISCHARGE, -1))


@pytest.mark.parametrize(("allowed", "sign"), WAYS)
def test_a_current_the_allowed_way_closes_the_blocked_switch_too(allowed, sign):
    bench = fets(body_diode_ma=1000)
    bench.allowed = allowed
    bench.sample.current_ma = sign * 1000
    bench.step()
    assert bench.path.commanded == allowed  # as much as the limit is not beyond it
    bench.sample.current_ma = sign * 1001
    bench.step()
    assert bench.path.commanded == GATES_BOTH
    assert bench.path.state == PATH_BRIDGING
    assert not bench.path.holds_limits


@pytest.mark.parametrize(("allowed", "sign"), WAYS)
def test_a_path_that_was_just_built_spares_nothing(allowed, sign):
    bench = fets(settled_ms=0, body_diode_ma=1000)
    bench.allowed = allowed
    bench.sample.current_ma = sign * 1000
    bench.step()
    assert bench.path.commanded == allowed


@pytest.mark.parametrize(("allowed", "sign"), WAYS)
def test_the_blocked_switch_opens_below_half_of_that_current(allowed, sign):
    bench = fets(body_diode_ma=1000)
    bench.allowed = allowed
    bench.sample.current_ma = sign * 5000
    bench.step()
    bench.sample.current_ma = sign * 500
    bench.step()
    assert bench.path.state == PATH_BRIDGING
    bench.sample.current_ma = sign * 499
    bench.step()
    assert bench.path.commanded == allowed
    assert bench.path.state == PATH_ON


@pytest.mark.parametrize(("allowed", "sign"), WAYS)
@pytest.mark.parametrize("what", ["reversed", "lost", "urgent", "blocked"])
def test_whatever_speaks_against_it_opens_the_blocked_switch_in_the_same_step(allowed, sign, what):
    bench = fets(body_diode_ma=1000)
    bench.allowed = allowed
    bench.sample.current_ma = sign * 5000
    bench.step()
    assert bench.path.commanded == GATES_BOTH
    if what == "reversed":
        bench.sample.current_ma = -sign
    elif what == "lost":
        bench.measured = False
        bench.step()  # one damaged sample is ridden through, and no second one
    elif what == "urgent":
        bench.urgent = True
    else:
        bench.allowed = 0
    bench.step()
    assert bench.path.commanded == bench.allowed
    assert bench.chip.gates() == bench.allowed


@pytest.mark.parametrize(("allowed", "sign"), WAYS)
@pytest.mark.parametrize("urgent", [False, True])
@pytest.mark.parametrize("measured", [False, True])
def test_it_is_not_closed_for_an_urgent_fault_or_by_an_old_measurement(
    allowed, sign, urgent, measured
):
    bench = fets()
    bench.allowed = allowed
    bench.sample.current_ma = sign * 50000
    bench.urgent = urgent
    bench.measured = measured
    bench.step()
    bridged = measured and not urgent
    assert bench.path.commanded == (GATES_BOTH if bridged else allowed)


@pytest.mark.parametrize(("allowed", "sign"), WAYS)
def test_a_current_against_the_allowed_way_closes_nothing(allowed, sign):
    bench = fets()
    bench.allowed = allowed
    bench.sample.current_ma = -sign * 50000
    bench.step()
    assert bench.path.commanded == allowed


@pytest.mark.parametrize(("allowed", "sign"), WAYS)
def test_separate_ports_have_nothing_to_spare(allowed, sign):
    bench = fets(power_path=SEPARATE_PORTS)
    bench.allowed = allowed
    bench.sample.current_ma = sign * 50000
    bench.run(1000)
    assert bench.path.commanded == allowed
    assert bench.path.state == PATH_ON


def reverse(bench):
    """Bridge, then let the current turn."""
    bench.sample.current_ma = 5000
    bench.step()
    bridged = bench.path.commanded == GATES_BOTH
    bench.sample.current_ma = -5000
    bench.step()
    assert bench.path.commanded == GATE_CHARGE
    return bridged


def test_three_reversals_within_a_minute_end_it_for_a_minute():
    bench = fets()
    bench.allowed = GATE_CHARGE
    assert [reverse(bench) for _ in range(4)] == [True, True, True, False]
    bench.sample.current_ma = 5000
    waited_ms = bench.run_until(PATH_BRIDGING, 61000)
    assert 59000 < waited_ms <= 60000


def test_three_reversals_in_more_than_a_minute_do_not():
    bench = fets()
    bench.allowed = GATE_CHARGE
    for _ in range(6):
        assert reverse(bench)
        bench.run(30000)


def test_a_fall_below_half_is_no_reversal():
    bench = fets()
    bench.allowed = GATE_CHARGE
    for _ in range(10):
        bench.sample.current_ma = 5000
        bench.step()
        assert bench.path.state == PATH_BRIDGING
        bench.sample.current_ma = 0
        bench.step()


# -- gates that disobey


@pytest.mark.parametrize("commanded", range(4))
@pytest.mark.parametrize("actual", range(4))
def test_a_gate_that_disobeys_for_too_long_is_a_fault(commanded, actual):
    bench = fets(gate_mismatch_ms=1000)
    bench.allowed = commanded
    bench.run(500)
    bench.obeying = False
    bench.sample.gates = actual
    bench.run(1000)
    assert bench.faults() == set()
    bench.step()
    if actual == commanded:
        assert bench.faults() == set()
        return
    assert bench.path.commanded == 0  # in the same step
    assert bench.path.state == PATH_FAILED
    assert bench.faults() == {"gate_mismatch"}
    assert bench.path.holds_limits


def test_a_trip_of_the_chip_explains_a_gate_that_stays_off_but_none_that_stays_on():
    bench = fets(gate_mismatch_ms=1000)
    bench.obeying = False
    bench.sample.trips = TRIP_CELL_OVERVOLTAGE
    bench.sample.gates = GATE_DISCHARGE
    bench.run(5000)
    assert bench.faults() == set()
    bench.allowed = GATE_CHARGE
    bench.run(1200)
    assert bench.faults() == {"gate_mismatch"}


def test_while_the_chip_is_silent_no_gate_disobeys():
    bench = fets(gate_mismatch_ms=1000)
    bench.obeying = False
    bench.sample.gates = 0
    bench.run(900)
    bench.measured = False
    bench.run(5000)
    assert bench.faults() == set()
    bench.measured = True
    bench.step()
    assert bench.faults() == set()
    bench.step()
    assert bench.faults() == {"gate_mismatch"}


def test_a_new_command_gives_its_gate_new_time_and_the_other_gate_none():
    bench = fets(gate_mismatch_ms=1000)
    bench.obeying = False
    bench.sample.gates = GATE_DISCHARGE  # charge is stuck off
    for turn in range(20):
        bench.allowed = GATES_BOTH if turn & 1 else GATE_DISCHARGE
        bench.step()
    assert bench.faults() == set()
    bench.sample.gates = GATE_CHARGE  # now discharge is stuck off
    for turn in range(11):
        bench.allowed = GATES_BOTH if turn & 1 else GATE_DISCHARGE
        bench.step()
    assert bench.faults() == {"gate_mismatch"}


def test_a_mismatch_opens_until_it_is_gone_and_a_person_clears_it():
    bench = fets(gate_mismatch_ms=1000)
    bench.obeying = False
    bench.sample.gates = GATE_CHARGE
    bench.allowed = 0
    bench.run(3000)
    bench.allowed = GATES_BOTH
    bench.clear()
    bench.step()
    assert bench.path.state == PATH_FAILED
    bench.obeying = True
    bench.run(5000)
    assert bench.path.state == PATH_FAILED
    bench.clear()
    bench.step()
    assert bench.path.commanded == GATES_BOTH


# -- predischarge


def predischarging(**settings):
    """A bench whose chip holds the discharge gate off, as while it predischarges."""
    bench = PathBench(
        lambda chip, parameters, table, contactors: FetPath(
            chip, chip.charge_off, chip.discharge_off, parameters, table
        ),
        predischarge=1,
        **settings,
    )
    bench.obeying = False
    bench.step()
    bench.sample.gates = GATE_CHARGE
    return bench


def test_the_discharge_gate_is_let_on_and_limits_are_held_until_the_bus_is_full():
    bench = predischarging()
    assert bench.path.state == PATH_PRECHARGING
    assert bench.path.holds_limits
    assert bench.chip.gates() == GATES_BOTH
    bench.run(1500)
    assert bench.path.state == PATH_PRECHARGING
    bench.sample.gates = GATES_BOTH
    bench.sample.bus_mv = STACK_MV * 95 // 100
    bench.step()
    assert bench.path.state == PATH_ON
    assert not bench.path.holds_limits
    assert bench.chip.gates() == GATES_BOTH


def test_a_gate_that_does_not_come_on_is_taken_back_before_the_chip_closes_it_anyway():
    """The chip's own time-out is 2550 ms (SLUUBY2B, predischarge timeout: 255 * 10 ms)."""
    bench = predischarging(precharge_time_max_ms=2400)
    let_on_ms = bench.now_ms
    took_ms = bench.run_until(PATH_COOLING, 3000)
    assert took_ms <= 2400
    assert bench.now_ms - let_on_ms <= 2400
    assert bench.chip.gates() == GATE_CHARGE
    assert bench.path.holds_limits


def test_a_gate_that_comes_on_over_an_empty_bus_is_taken_back_at_once():
    bench = predischarging()
    bench.sample.gates = GATES_BOTH
    bench.sample.bus_mv = STACK_MV * 95 // 100 - 1
    bench.step()
    assert bench.chip.gates() == GATE_CHARGE
    assert bench.path.state == PATH_COOLING


def test_after_three_tries_it_has_failed_until_a_person_clears_it():
    bench = predischarging(precharge_cooldown_s=10)
    tries = 1
    for _ in range(1000):
        before = bench.chip.lines()
        bench.sample.gates = bench.chip.gates() & GATE_CHARGE
        bench.step()
        tries += bench.chip.lines() & ~before & GATE_DISCHARGE == GATE_DISCHARGE
    assert tries == 3
    assert bench.path.state == PATH_FAILED
    assert bench.faults() == {"precharge_failed"}
    assert bench.path.commanded == 0  # the fault blocks both
    bench.clear()
    bench.step()
    assert bench.path.state == PATH_PRECHARGING


def test_the_resistor_cools_down_between_two_tries():
    bench = predischarging(precharge_cooldown_s=30)
    bench.run_until(PATH_COOLING, 3000)
    assert bench.run_until(PATH_PRECHARGING, 40000) >= 30000


def test_while_the_resistor_cools_a_charge_current_does_not_burn_the_body_diode():
    bench = predischarging()
    bench.run_until(PATH_COOLING, 3000)
    bench.sample.current_ma = 20000
    bench.step()
    assert bench.path.state == PATH_BRIDGING
    assert bench.path.holds_limits
    bench.sample.current_ma = -1
    bench.step()
    assert bench.chip.gates() == GATE_CHARGE


def test_a_gate_that_the_chip_opened_and_closes_again_is_supervised_again():
    bench = predischarging()
    bench.sample.gates = GATES_BOTH
    bench.sample.bus_mv = STACK_MV
    bench.step()
    assert bench.path.state == PATH_ON
    bench.sample.gates = GATE_CHARGE
    bench.step()
    assert bench.path.state == PATH_PRECHARGING
    bench.sample.gates = GATES_BOTH
    bench.sample.bus_mv = STACK_MV // 2
    bench.step()
    assert bench.chip.gates() == GATE_CHARGE


@pytest.mark.parametrize("how", ["fault", "open_lines"])
def test_what_interrupts_a_predischarge_is_no_failed_try_and_the_next_one_starts_over(how):
    bench = predischarging()
    for turn in range(10):
        assert bench.path.state == PATH_PRECHARGING, turn
        if how == "fault":
            bench.allowed = 0
            bench.step()
            bench.allowed = GATES_BOTH
        else:
            bench.path.open_lines()
            assert bench.chip.lines() == 0
        bench.step()
    assert bench.path.state == PATH_PRECHARGING
    assert bench.faults() == set()


def test_no_gate_disobeys_while_the_chip_predischarges():
    bench = predischarging(gate_mismatch_ms=300)
    bench.run(1500)
    assert bench.path.state == PATH_PRECHARGING
    assert bench.faults() == set()


def test_without_a_measurement_no_discharge_gate_is_let_on():
    bench = predischarging()
    bench.allowed = 0
    bench.step()
    bench.allowed = GATES_BOTH
    bench.measured = False
    bench.step()
    assert bench.chip.gates() == GATE_CHARGE
    assert bench.path.holds_limits
