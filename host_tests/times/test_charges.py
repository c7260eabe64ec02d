"""The prices that the simulated board charges are those that were counted."""

import pytest

from boards.sim.costs import step_us
from host_tests.bench.operations import SILICON, sample_cost, step_cost

DRIFT = 0.25


@pytest.mark.parametrize(("cells", "chips"), [(4, 1), (16, 1), (24, 2), (32, 2)])
def test_a_step_is_charged_what_its_counted_operations_cost(cells, chips):
    driver = sample_cost(cells)[0]
    counted_us = SILICON * (step_cost(cells).us + driver.us)
    assert step_us(cells, chips=chips) == pytest.approx(counted_us, rel=DRIFT)


def test_a_cell_is_charged_what_its_counted_operations_cost():
    def counted_us(cells):
        return SILICON * (step_cost(cells).us + sample_cost(cells)[0].us)

    assert step_us(16) - step_us(4) == pytest.approx(counted_us(16) - counted_us(4), rel=DRIFT)
