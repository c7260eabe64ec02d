"""The switch: two ways to each gate, the off line first, a command until it is done (law 1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.sample import BUS_ERROR, BUSY, GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, OK
from bms.switch import Switch
from host_tests.bms.bench import Bench


class Wires:
    """Notes in order what the switch does to the chip and the off lines."""

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


@pytest.fixture
def wires():
    return Wires()


@pytest.fixture
def switch(wires):
    switch = Switch(wires, wires.charge_off, wires.discharge_off)
    assert sorted(wires.take()) == [("charge_off", 1), ("discharge_off", 1)]
    return switch


def settle(switch, wires, gates):
    """Command `gates`, and let the chip have them."""
    switch.step(gates, 0)
    switch.step(gates, gates)
    wires.take()


@pytest.mark.parametrize("gates", range(4))
def test_the_lines_and_the_command_say_the_same(switch, wires, gates):
    switch.step(gates, 0)
    assert wires.take() == [
        ("charge_off", 0 if gates & GATE_CHARGE else 1),
        ("discharge_off", 0 if gates & GATE_DISCHARGE else 1),
        ("command", gates),
    ]
    assert switch.commanded == gates


@pytest.mark.parametrize("left", [0, GATE_CHARGE, GATE_DISCHARGE])
def test_opening_uses_the_lines_before_the_chip(switch, wires, left):
    settle(switch, wires, GATES_BOTH)
    switch.step(left, GATES_BOTH)
    done = wires.take()
    assert done[-1] == ("command", left)
    assert {what for what, level in done[:-1] if level} == {
        name
        for gate, name in ((GATE_CHARGE, "charge_off"), (GATE_DISCHARGE, "discharge_off"))
        if not left & gate
    }


@pytest.mark.parametrize("code", [BUSY, BUS_ERROR])
def test_a_command_that_the_chip_did_not_take_is_repeated_until_it_does(switch, wires, code):
    settle(switch, wires, GATES_BOTH)
    wires.code = code
    for _ in range(20):
        switch.step(0, GATES_BOTH)
        assert wires.lines == {GATE_CHARGE: 1, GATE_DISCHARGE: 1}
        assert wires.commands() == [0]
    wires.code = OK
    switch.step(0, GATES_BOTH)
    switch.step(0, 0)
    assert wires.commands() == [0]
    switch.step(0, 0)
    assert wires.commands() == []


def test_a_failed_command_is_repeated_even_if_the_gates_look_right(switch, wires):
    wires.code = BUS_ERROR
    switch.step(0, 0)
    switch.step(0, 0)
    assert wires.commands() == [0, 0]


@pytest.mark.parametrize("allowed", range(4))
@pytest.mark.parametrize("actual", range(4))
def test_a_gate_that_is_not_as_commanded_is_commanded_again(switch, wires, allowed, actual):
    settle(switch, wires, allowed)
    for _ in range(3):
        switch.step(allowed, actual)
        assert wires.commands() == ([] if actual == allowed else [allowed])


def test_after_forget_the_chip_is_told_again(switch, wires):
    settle(switch, wires, GATES_BOTH)
    switch.forget()
    switch.step(GATES_BOTH, GATES_BOTH)
    assert wires.commands() == [GATES_BOTH]


def test_open_lines_needs_no_chip(switch, wires):
    settle(switch, wires, GATES_BOTH)
    switch.open_lines()
    assert wires.take() == [("charge_off", 1), ("discharge_off", 1)]
    assert switch.commanded == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([OK, BUSY, BUS_ERROR]))
    )
)
def test_the_lines_never_let_on_what_is_not_allowed(steps):
    wires = Wires()
    switch = Switch(wires, wires.charge_off, wires.discharge_off)
    for allowed, actual, code in steps:
        wires.code = code
        switch.step(allowed, actual)
        for gate in (GATE_CHARGE, GATE_DISCHARGE):
            assert wires.lines[gate] == (0 if allowed & gate else 1)
        assert set(wires.commands()) <= {allowed}


def test_the_off_lines_alone_open_the_gates_of_a_chip_that_takes_no_command():
    bench = Bench().start()
    bench.chip.gates_code = BUS_ERROR
    bench.chip.cell_mv[0] = 3700
    bench.run(2000)
    assert bench.chip.commanded == GATES_BOTH
    assert bench.chip.gates() == GATE_DISCHARGE
    commands = bench.chip.commands
    bench.run(1000)
    assert bench.chip.commands == commands + 10
    bench.chip.gates_code = OK
    bench.step()
    assert bench.chip.commanded == GATE_DISCHARGE


def test_a_chip_that_lets_a_gate_on_against_us_is_told_again_in_every_step():
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3700
    bench.run(2000)
    bench.chip.stuck_on = GATE_CHARGE
    commands = bench.chip.commands
    bench.run(1000)
    assert bench.chip.commands >= commands + 9
    assert bench.point("gates") == GATES_BOTH  # what is, not what should be


def test_a_silent_chip_is_told_to_open_in_every_step():
    bench = Bench().start()
    bench.chip.code = BUS_ERROR
    bench.chip.gates_code = BUS_ERROR
    bench.run(500)
    commands = bench.chip.commands
    bench.run(1000)
    assert bench.chip.commands == commands + 10
    assert bench.chip.lines() == 0
    assert bench.point("gates") == 0
