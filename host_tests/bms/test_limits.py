"""Limits: currents shrink along straight lines before a protection has to act."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bms.limits import Limits
from bms.parameters import ParameterError
from host_tests.bms.bench import Bench, parameters_with

# Defaults of LiFePO4: 50 A in, 100 A out.
# charging ends between 3500 mV and 3600 mV, 45.0 C and 50.0 C, 5.0 C and 0.0 C
# discharging ends between 3000 mV and 2900 mV, 55.0 C and 60.0 C, -15.0 C and -20.0 C


def limits_at(parameters, **measured):
    """(charge, discharge) limits of a pack at 3300 mV and 25 C but for what is said."""
    at = {"cell_min_mv": 3300, "cell_max_mv": 3300, "cold_dc": 250, "warm_dc": 250, **measured}
    limits = Limits(parameters)
    limits.update(at["cell_min_mv"], at["cell_max_mv"], at["cold_dc"], at["warm_dc"])
    return limits.charge_current_ma, limits.discharge_current_ma


@pytest.fixture(scope="module")
def parameters():
    return parameters_with({})


def test_nothing_is_allowed_before_the_first_measurement(parameters):
    limits = Limits(parameters)
    assert limits.charge_current_ma == limits.discharge_current_ma == 0


@pytest.mark.parametrize(
    ("measured", "charge_ma", "discharge_ma"),
    [
        ({}, 50000, 100000),
        ({"cell_max_mv": 3500}, 50000, 100000),
        ({"cell_max_mv": 3550}, 25000, 100000),
        ({"cell_max_mv": 3590}, 5000, 100000),
        ({"cell_max_mv": 3600}, 0, 100000),
        ({"cell_max_mv": 5000}, 0, 100000),
        ({"cell_min_mv": 3000}, 50000, 100000),
        ({"cell_min_mv": 2950}, 50000, 50000),
        ({"cell_min_mv": 2900}, 50000, 0),
        ({"cell_min_mv": 300}, 50000, 0),
        ({"warm_dc": 450}, 50000, 100000),
        ({"warm_dc": 475}, 25000, 100000),
        ({"warm_dc": 500}, 0, 100000),
        ({"warm_dc": 575}, 0, 50000),
        ({"warm_dc": 600}, 0, 0),
        ({"cold_dc": 50}, 50000, 100000),
        ({"cold_dc": 25}, 25000, 100000),
        ({"cold_dc": 0}, 0, 100000),
        ({"cold_dc": -175}, 0, 50000),
        ({"cold_dc": -200}, 0, 0),
        ({"cell_max_mv": 3550, "cold_dc": 10}, 10000, 100000),
    ],
)
def test_limits_follow_their_lines(parameters, measured, charge_ma, discharge_ma):
    assert limits_at(parameters, **measured) == (charge_ma, discharge_ma)


def test_600_a_fall_as_straight_as_1_a():
    for maximum_ma in (599999, 1000, 999, 0):
        parameters = parameters_with(
            {
                "charge_current_max_ma": maximum_ma,
                "overcurrent_charge_trip_ma": 599999,
                "fast_overcurrent_charge_ma": 600000,
            }
        )
        assert limits_at(parameters, cell_max_mv=3575)[0] == maximum_ma * 250 // 1000


@st.composite
def _configurations(draw):
    """Settings near each other, so that their order matters; only accepted ones are tried."""
    low_mv = sorted(draw(st.lists(st.integers(2200, 2900), min_size=2, max_size=2, unique=True)))
    high_mv = sorted(draw(st.lists(st.integers(3000, 3650), min_size=2, max_size=2, unique=True)))
    swap = draw(st.sampled_from([(1, 1), (1, 1), (-1, 1), (1, -1)]))
    undervoltage_warn_mv, discharge_cell_mv = low_mv[:: swap[0]]
    charge_cell_mv, overvoltage_warn_mv = high_mv[:: swap[1]]
    settings = {
        "charge_cell_mv": charge_cell_mv,
        "discharge_cell_mv": discharge_cell_mv,
        "cell_overvoltage_warn_mv": overvoltage_warn_mv,
        "cell_undervoltage_warn_mv": undervoltage_warn_mv,
        "cell_overvoltage_trip_mv": 3800,
        "cell_undervoltage_trip_mv": 2000,
        "pack_overvoltage_warn_mv": 3800,
        "pack_overvoltage_trip_mv": 3800,
        "pack_undervoltage_warn_mv": 2000,
        "pack_undervoltage_trip_mv": 2000,
        "deep_discharge_trip_mv": 1900,
        "full_cell_mv": 2001,
        "empty_cell_mv": 2000,
        "cell_overvoltage_release_mv": 3700,
        "cell_undervoltage_release_mv": 2100,
        "overtemperature_charge_warn_dc": draw(st.integers(450, 500)),
        "undertemperature_charge_warn_dc": draw(st.integers(0, 50)),
        "charge_current_max_ma": draw(st.integers(0, 60000)),
        "discharge_current_max_ma": draw(st.integers(0, 120000)),
    }
    try:
        return parameters_with(settings)
    except ParameterError:
        assume(False)


SIGNALS = st.fixed_dictionaries(
    {
        "cell_min_mv": st.integers(300, 5000),
        "cell_max_mv": st.integers(300, 5000),
        "cold_dc": st.integers(-400, 1200),
        "warm_dc": st.integers(-400, 1200),
    }
)


@given(_configurations(), SIGNALS, st.integers(1, 500))
def test_worse_never_allows_more_in_any_configuration_that_is_accepted(parameters, at, worse):
    charge_ma, discharge_ma = limits_at(parameters, **at)
    assert 0 <= charge_ma <= parameters.value("charge_current_max_ma")
    assert 0 <= discharge_ma <= parameters.value("discharge_current_max_ma")
    fuller = limits_at(parameters, **{**at, "cell_max_mv": at["cell_max_mv"] + worse})
    assert fuller[0] <= charge_ma
    emptier = limits_at(parameters, **{**at, "cell_min_mv": at["cell_min_mv"] - worse})
    assert emptier[1] <= discharge_ma
    for change in ({"warm_dc": at["warm_dc"] + worse}, {"cold_dc": at["cold_dc"] - worse}):
        changed = limits_at(parameters, **{**at, **change})
        assert changed[0] <= charge_ma
        assert changed[1] <= discharge_ma


@given(_configurations(), SIGNALS)
def test_nothing_is_offered_beyond_a_warning_and_everything_before_the_aim(parameters, at):
    charge_ma, discharge_ma = limits_at(parameters, **at)
    value = parameters.value
    if at["cell_max_mv"] > value("cell_overvoltage_warn_mv"):
        assert charge_ma == 0
    if at["cell_min_mv"] < value("cell_undervoltage_warn_mv"):
        assert discharge_ma == 0
    comfortable = at["cell_max_mv"] < value("charge_cell_mv") and (
        at["cold_dc"] > value("undertemperature_charge_warn_dc")
        and at["warm_dc"] < value("overtemperature_charge_warn_dc")
    )
    if comfortable:
        assert charge_ma == value("charge_current_max_ma")


def test_a_limited_pack_is_offered_the_limited_current_and_never_more_than_its_lines(parameters):
    limits = Limits(parameters)
    limits.update(3300, 3300, 250, 250, True)
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (5000, 5000)
    limits.update(3300, 3596, 250, 250, True)  # 4 % of 50 A are left
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (2000, 5000)
    limits.update(3300, 3300, 250, 250, False)
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (50000, 100000)
    limits.forget()
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (0, 0)


def test_thresholds_that_coincide_leave_all_to_the_protection():
    """A trip at its own warning: there is no line to fall along."""
    parameters = parameters_with(
        {"overtemperature_charge_warn_dc": 500, "overtemperature_charge_trip_dc": 500}
    )
    assert limits_at(parameters, warm_dc=499)[0] == 50000
    assert limits_at(parameters, warm_dc=501)[0] == 50000


def test_the_points_show_limits_only_while_their_direction_is_allowed():
    bench = Bench().start()
    assert bench.point("charge_voltage_limit_mv") == 4 * 3500
    assert bench.point("discharge_voltage_limit_mv") == 4 * 3000
    assert bench.point("series_cells") == 4
    bench.chip.set_cells(3550)
    bench.step()
    bench.slow()
    bench.step()
    assert bench.point("charge_current_limit_ma") == 25000
    bench.chip.set_cells(3700)
    bench.run(1200)
    assert bench.point("charge_current_limit_ma") == 0  # at once, without the slow path
    assert bench.point("discharge_current_limit_ma") == 100000
