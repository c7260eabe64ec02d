"""Current through a gate that is off: a failed switch, unless it is a body diode's right way."""

import pytest

from bms import requests
from bms.sample import BUS_ERROR, GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, OK
from host_tests.bms.bench import Bench

LIMIT_MA = 1000  # default of gates_off_current_ma
DELAY_MS = 2000


def blocked(gates):
    """A pack with the GATE_* bits `gates` off, by faults of direction or by a person."""
    bench = Bench(body_diode_ma=20000).start()
    if gates == GATES_BOTH:
        bench.ask(requests.GATES_OFF)
    elif gates == GATE_CHARGE:
        bench.battery.condition("cell_overvoltage", True)
    else:
        bench.battery.condition("cell_undervoltage", True)
    bench.step()
    bench.step()
    assert bench.chip.gates() == GATES_BOTH & ~gates
    return bench


@pytest.mark.parametrize(
    ("gates", "current_ma", "failed"),
    [
        (GATES_BOTH, LIMIT_MA + 1, True),
        (GATES_BOTH, -LIMIT_MA - 1, True),
        (GATES_BOTH, LIMIT_MA, False),
        (GATES_BOTH, -LIMIT_MA, False),
        (GATE_CHARGE, LIMIT_MA + 1, True),
        (GATE_CHARGE, -LIMIT_MA - 1, False),
        (GATE_DISCHARGE, -LIMIT_MA - 1, True),
        (GATE_DISCHARGE, LIMIT_MA + 1, False),
    ],
)
def test_current_the_way_of_a_gate_that_is_off_is_a_failed_switch(gates, current_ma, failed):
    bench = blocked(gates)
    bench.events()
    bench.chip.current_ma = current_ma
    bench.run(DELAY_MS)
    assert "gates_off_current" not in bench.faults()
    bench.step()
    assert ("gates_off_current" in bench.faults()) == failed
    if failed:
        assert bench.chip.lines() == 0
        assert ("fault", "gates_off_current", abs(current_ma)) in bench.events()
    bench.run(60000)
    assert ("gates_off_current" in bench.faults()) == failed


def test_current_with_all_gates_on_is_none_of_this():
    bench = Bench().start()
    for current_ma in (50000, -90000):
        bench.chip.current_ma = current_ma
        bench.run(5000)
        assert bench.faults() == set()


def test_a_gate_that_the_chip_says_is_on_is_not_off():
    """A command that does not get through is a fault of its own."""
    bench = blocked(GATES_BOTH)
    bench.chip.stuck_on = GATE_CHARGE
    bench.step()
    bench.chip.current_ma = 50000
    bench.run(1800)
    assert "gates_off_current" not in bench.warnings()


def test_while_the_chip_is_silent_the_gates_are_shown_as_commanded():
    bench = Bench().start()
    bench.chip.held_off = GATE_CHARGE
    bench.step()
    assert bench.point("gates") == GATE_DISCHARGE
    bench.chip.code = BUS_ERROR
    bench.step()
    assert bench.point("gates") == GATES_BOTH
    bench.chip.code = OK
    bench.step()
    assert bench.point("gates") == GATE_DISCHARGE


def test_no_gate_closes_while_current_flows_through_open_gates():
    bench = blocked(GATES_BOTH)
    bench.chip.current_ma = LIMIT_MA + 1
    bench.step()
    bench.ask(requests.GATES_AUTO)
    for _ in range(100):
        bench.step()
        assert bench.chip.lines() == 0
    assert bench.faults() == {"gates_off_current"}
