"""A bus may ask for one gate to stay open, as JBD's MOS control does: it only restricts."""

import pytest

from bms import requests
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH
from host_tests.bms.bench import Bench


@pytest.fixture
def bench():
    made = Bench()
    made.start()
    made.run(1000)
    assert made.chip.gates() == GATES_BOTH
    return made


def ask(bench, request):
    assert bench.battery.requests.post(request)
    for _ in range(10):
        bench.step()
    return bench.chip.gates()


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        (requests.CHARGE_OFF, GATE_DISCHARGE),
        (requests.DISCHARGE_OFF, GATE_CHARGE),
        (requests.GATES_OFF, 0),
        (requests.GATES_AUTO, GATES_BOTH),
    ],
)
def test_each_request_stands_for_both_gates(bench, request_, left):
    for before in (requests.GATES_AUTO, requests.GATES_OFF, requests.CHARGE_OFF):
        ask(bench, before)
        assert ask(bench, request_) == left


@pytest.mark.parametrize(
    "request_", [requests.CHARGE_OFF, requests.DISCHARGE_OFF, requests.GATES_AUTO]
)
def test_none_of_them_closes_a_gate_against_a_fault(bench, request_):
    bench.chip.cell_mv[0] = 3_700
    for _ in range(30):
        bench.step()
    assert bench.chip.gates() == GATE_DISCHARGE
    gates = ask(bench, request_)
    assert not gates & GATE_CHARGE
