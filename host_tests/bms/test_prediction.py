"""Voltage some seconds ahead, against the differential equations solved in small steps."""

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.cell_model import CellModel
from bms.limit_curves import REASONS
from bms.limits import PEAK
from bms.prediction import HORIZONS_S, Prediction
from host_tests.bms.bench import parameters_with
from host_tests.bms.made_up_cells import ramp_cell


def prediction(capacity_mah=280000, **cell):
    return Prediction(
        CellModel(ramp_cell(**cell)), parameters_with({"design_capacity_mah": capacity_mah})
    )


class Cell:
    """A cell with the model's resistances, a quarter more: what the prediction means to see."""

    def __init__(self, capacity_mah=280000):
        self.r0 = 1.25 * 10e-3 * 2000 / capacity_mah
        self.branches = [(30, 0.5 * self.r0, 0.0), (900, 0.8 * self.r0, 0.0)]
        self.current_a = 0.0

    def let(self, seconds, current_a, steps=20):
        self.current_a = current_a
        for _ in range(seconds * steps):
            self.branches = [
                (tau, r, v + (current_a * r - v) / tau / steps) for tau, r, v in self.branches
            ]

    @property
    def drop_v(self):
        return self.current_a * self.r0 + sum(v for _, _, v in self.branches)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(-150, 150),
    st.sampled_from([0, 20, 300]),
    st.integers(20, 400),
    st.sampled_from([0, 1]),
    st.sampled_from([1, -1]),
)
def test_the_predicted_current_moves_the_cell_by_just_that_much(
    before_a, seconds, room_mv, horizon, side
):
    found = prediction()
    cell = Cell()
    for _ in range(seconds):
        found.step(1000, 1000 * before_a, 250)
        cell.let(1, before_a, 5)
    if not seconds:
        found.step(0, 0, 250)
    start_v = cell.drop_v
    current_ma = found.current_ma(horizon, side * room_mv)
    cell.let(HORIZONS_S[horizon], current_ma / 1000)
    assert cell.drop_v - start_v == pytest.approx(side * room_mv / 1000, rel=0.03, abs=0.0012)


def test_cells_of_any_size_and_temperature():
    for capacity_mah in (2000, 20000, 1000000):
        found = prediction(capacity_mah)
        for temperature_dc, mohm in ((-100, 30), (0, 30), (250, 10), (450, 8), (600, 8)):
            found.step(1000, 0, temperature_dc)
            lasting_uohm = 1.25 * 1000 * mohm * 2000 / capacity_mah * 2.3
            assert found.resistance_uohm == pytest.approx(lasting_uohm, rel=0.02, abs=4)


def test_no_room_at_rest_is_no_current_and_less_than_none_the_other_way():
    found = prediction()
    found.step(1000, 0, 250)
    for horizon in (0, 1):
        assert found.current_ma(horizon, 0) == 0
        assert found.current_ma(horizon, -1) < 0 < found.current_ma(horizon, 1)


def test_a_model_without_polarization_will_do():
    found = prediction(rc_tau_s=[], rc_permille=[])
    found.step(1000, 0, 250)
    assert found.current_ma(0, 10) == found.current_ma(1, 10) == pytest.approx(112000, rel=0.02)


class Learned:
    """Stands in for bms.resistance."""

    def __init__(self, learned, *uohm):
        self.learned = learned
        self.drop_uv = array("i", [280 * each for each in uohm])  # at 1 C of 280 Ah


@pytest.mark.parametrize(("temperature_dc", "factor"), [(250, 1), (0, 3), (450, 0.8)])
def test_the_worst_cell_that_was_measured_counts_at_its_temperature(temperature_dc, factor):
    found = prediction()
    found.learned = Learned(True, 90, 200, 110)  # microohm at 25 degC; the model says 71
    found.step(1000, 0, temperature_dc)
    assert found.resistance_uohm == pytest.approx(1.25 * 200 * factor * 2.3, rel=0.03)
    found.learned = Learned(False, 90, 200, 110)
    found.step(1000, 0, temperature_dc + 1)
    assert found.resistance_uohm == pytest.approx(1.25 * 71.4 * factor * 2.3, rel=0.03)


def test_a_resistance_of_nearly_nothing_still_divides():
    found = prediction(1000000, r0_uohm=[1, 1, 1], rc_tau_s=[], rc_permille=[])
    found.step(1000, 1000, 250)
    assert found.current_ma(0, 1) == 1_000_000 + 1000  # a millivolt over a microohm
    found.learned = Learned(True, 100, 100)
    found.step(1000, 1000, 251)
    assert found.current_ma(0, 1) == 1_000_000 + 1000


# To the milliampere: a cell of 2 Ah, 10 mohm and a quarter more; branches of 30 s (half of it) and
# 900 s (0.8 of it). Of these 28 % and 1.1 % are there after 10 s, 86 % and 6.4 % after 60 s.
FAST_UOHM = 12500
IN_10_S, IN_60_S = 1000 + 141 + 8, 1000 + 432 + 51


def test_the_horizons_are_those_of_the_words():
    words = [f"cell_voltage_in_{seconds}_s" for seconds in HORIZONS_S]
    assert words == list(REASONS[PEAK : PEAK + 2])


def test_before_the_first_turn_nothing_is_known_and_nothing_flows():
    found = prediction(2000)
    assert list(found._branch_ma) == [0, 0]
    assert found.resistance_uohm == 1
    for horizon in (0, 1):
        assert found.current_ma(horizon, 0) == 0
        assert found.current_ma(horizon, 1) == 1_000_000


def test_the_resistance_for_lasting_currents():
    found = prediction(2000)
    found.step(1000, 0, 250)
    assert found.resistance_uohm == FAST_UOHM * (1000 + 500 + 800) // 1000
    found.learned = Learned(True, 1, 2)
    found.learned.drop_uv = array("i", [2000, 40_000])  # 20 mohm: twice the model's
    found.step(1000, 0, 251)
    known = FAST_UOHM * found._model.r0_uohm(251, 2000) // 10_000
    assert found.resistance_uohm == pytest.approx(2 * known * 2300 // 1000, abs=3)


@pytest.mark.parametrize(("horizon", "permille"), [(0, IN_10_S), (1, IN_60_S)])
def test_the_current_of_a_rested_cell(horizon, permille):
    found = prediction(2000)
    found.step(1000, 0, 250)
    room_mv = 16_000
    uohm = FAST_UOHM * permille // 1000
    assert found.current_ma(horizon, room_mv) == room_mv * 100_000 // uohm * 10


def test_what_holds_a_cell_where_it_is_after_half_a_minute_of_100_a():
    """The branch of 30 s has caught up with half of it, that of 900 s with a thirty-first."""
    found = prediction(2000)
    found.step(30_000, 100_000, 250)
    fast_ma, slow_ma = 50_000, 3225
    assert found.current_ma(0, 0) == (10**8 + 141 * fast_ma + 8 * slow_ma) // IN_10_S
    assert found.current_ma(1, 0) == (10**8 + 432 * fast_ma + 51 * slow_ma) // IN_60_S
