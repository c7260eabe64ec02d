"""The whole board loses its supply at a write of its flash: what a person sees after it.

A sample of all writes; `make power-cuts` plays each of them.
"""

import pytest

from host_tests.system.power_cuts import Cuts


@pytest.fixture(scope="module")
def cuts(tmp_path_factory):
    return Cuts(tmp_path_factory.mktemp("cuts"))


@pytest.mark.parametrize(("tenth", "part"), [(1, 0), (4, 100), (7, 4096), (9, 100)])
def test_the_log_goes_on_and_the_state_of_charge_is_within_half_a_percent(cuts, tenth, part):
    cuts.cut(cuts.writes * tenth // 10, part)
