"""Alarm relay, heater and fan: when they are on, and when they are not."""

import pytest

from bms.outputs import ALARM, FAN, HEATER, Outputs, power_comes_in
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, Sample
from host_tests.bms.bench import parameters_with

REST_STEPS = 600  # a minute of the usual steps of 100 ms
FITTED = {"alarm_relay": 1, "heater": 1, "fan": 1}
# Defaults of the settings: heater 5 to 10 C, fan 40 to 35 C.


class Pins:
    def __init__(self):
        self.levels = {}

    def alarm(self, level):
        self.levels[ALARM] = level

    def heater(self, level):
        self.levels[HEATER] = level

    def fan(self, level):
        self.levels[FAN] = level


class Bench:
    def __init__(self, **settings):
        self.pins = Pins()
        self.outputs = Outputs(self.pins, parameters_with({**FITTED, **settings}))
        assert self.pins.levels == {ALARM: 0, HEATER: 0, FAN: 0}

    def step(self, blocked=0, known=True, cold=200, warm=250, board=300, power_in=False):
        self.outputs.step(blocked, known, cold, warm, board, power_in)
        for bit, level in self.pins.levels.items():
            assert level == (1 if self.outputs.on & bit else 0)
        return self.outputs.on


@pytest.mark.parametrize("blocked", [0, GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH])
def test_the_alarm_is_on_while_a_fault_blocks_a_direction(blocked):
    bench = Bench()
    assert bench.step(blocked) == (ALARM if blocked else 0)
    assert bench.step(0) == 0


def test_the_heater_has_a_hysteresis_on_the_coldest_cell():
    bench = Bench()
    for cold, on in ((50, 0), (49, HEATER), (100, HEATER), (101, 0), (100, 0), (50, 0)):
        assert bench.step(cold=cold, power_in=True) == on, cold
    for _ in range(REST_STEPS):
        bench.step(cold=50, power_in=True)
    assert bench.step(cold=50, power_in=True) == 0
    assert bench.step(cold=49, power_in=True) == HEATER


@pytest.mark.parametrize("change", [{"power_in": False}, {"known": False}, {"warm": 401}])
def test_the_heater_stops_at_once_without_power_unseen_or_where_a_cell_is_hot(change):
    bench = Bench()
    good = {"cold": 0, "power_in": True}
    assert bench.step(**good) == HEATER
    assert not bench.step(**{**good, **change}) & HEATER
    rested = 1  # the step that switched it off
    while not bench.step(**good) & HEATER:
        rested += 1
    assert rested == REST_STEPS


def test_a_heater_that_takes_more_than_comes_in_does_not_chatter():
    """The panels run it, then they do not: it is on for a step in a minute at most."""
    bench = Bench()
    on = [
        bench.step(cold=0, power_in=not bench.outputs.on & HEATER) & HEATER
        for _ in range(10 * REST_STEPS)
    ]
    assert on.count(HEATER) == 10


def test_the_first_heating_needs_no_rest_and_a_fan_never_does():
    bench = Bench()
    assert bench.step(cold=0, power_in=True) & HEATER
    bench = Bench()
    for warm, on in ((401, FAN), (300, 0)) * 5:
        assert bench.step(warm=warm) == on


@pytest.mark.parametrize("place", ["warm", "board"])
def test_the_fan_has_a_hysteresis_on_the_warmest_of_cells_and_board(place):
    bench = Bench()
    for dc, on in ((400, 0), (401, FAN), (350, FAN), (349, 0), (400, 0)):
        assert bench.step(**{"warm": 0, "board": 0, place: dc}) == on, dc


def test_unseen_temperatures_run_the_fan_and_never_the_heater():
    bench = Bench()
    assert bench.step(known=False, cold=-400, warm=-400, board=-400, power_in=True) == FAN


@pytest.mark.parametrize("missing", ["alarm_relay", "heater", "fan"])
def test_what_is_not_fitted_is_never_switched_on(missing):
    bench = Bench(**{missing: 0})
    bit = {"alarm_relay": ALARM, "heater": HEATER, "fan": FAN}[missing]
    assert (
        bench.step(GATES_BOTH, cold=-100, warm=400, board=800, power_in=True)
        == (ALARM | HEATER | FAN) & ~bit
    )


@pytest.mark.parametrize(
    ("current_ma", "bus_mv", "comes_in"),
    [
        (1, 0, True),
        (0, 52000, False),
        (0, 52101, True),  # a charger before an open path
        (-99, 52101, True),  # noise
        (-100, 60000, False),
        (-5000, 60000, False),
    ],
)
def test_power_comes_in_with_a_charge_current_or_a_charger_on_the_bus(
    current_ma, bus_mv, comes_in
):
    sample = Sample(4, 2)
    sample.stack_mv = 52000
    sample.current_ma = current_ma
    sample.bus_mv = bus_mv
    assert power_comes_in(sample) == comes_in
