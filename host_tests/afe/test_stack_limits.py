"""What one BQ76952 or two of them can not guard is refused in words, before it is tried."""

import pytest

from afe.stack_limits import single_problems, stack_problems
from bms.parameters import Parameters

FITTING = {
    "chemistry": 0,
    "series_cells": 24,
    "design_capacity_mah": 280_000,
    "cell_thermistors": 2,
    "fet_side": 1,
    "afe_chip": 4,
}


class Board:
    NAME = "mine"
    UPPER_AFE_TRIPS_OPEN_GATES = True
    LACKS = ()


def value_of(**settings):
    parameters = Parameters()
    parameters.load({**FITTING, **settings})
    return parameters.value


@pytest.mark.parametrize("cells", [6, 17, 24, 32])
def test_a_stack_that_fits_is_not_refused(cells):
    assert stack_problems(Board, value_of(series_cells=cells)) == []


def test_without_the_wire_of_law_5_it_is_refused():
    class Unwired(Board):
        UPPER_AFE_TRIPS_OPEN_GATES = False

    (sentence,) = stack_problems(Unwired, value_of())
    assert "'mine' declares no wire from the upper chip's DCHG and DDSG" in sentence


def test_without_a_second_bus_it_is_refused():
    class OneBus(Board):
        LACKS = ("current_sensor",)

    (sentence,) = stack_problems(OneBus, value_of())
    assert sentence == "board 'mine' has no second I2C bus for the upper chip of a stack"


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"series_cells": 5}, "each chip of a stack needs 3 cells"),
        ({"cell_thermistors": 1}, "each chip of a stack needs a sensor"),
        ({"fet_side": 0}, "low side only"),
        ({"power_path": 2}, "low side only"),
        ({"step_period_ms": 49}, "with two chips a step needs 50"),
        ({"predischarge": 1}, "'predischarge' is set"),
        ({"current_sensor": 1}, "'current_sensor' is set"),
    ],
)
def test_what_a_stack_can_not_do_is_refused(settings, about):
    (sentence,) = stack_problems(Board, value_of(**settings))
    assert about in sentence


def test_one_chip_has_16_inputs_and_three_sensors():
    assert single_problems(value_of(series_cells=16, cell_thermistors=3)) == []
    (sentence,) = single_problems(value_of(series_cells=17))
    assert "choose 'afe_chip' bq76952_stack" in sentence
    (sentence,) = single_problems(value_of(series_cells=16, cell_thermistors=4))
    assert "has pins for 3" in sentence
