"""Limits: currents shrink along readable curves before a protection has to act, and foresee it."""

import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bms.cell_model import CellModel
from bms.limit_curves import REASONS, SIGNALS
from bms.limits import (
    CELL_MAX,
    CELL_MIN,
    CHARGE,
    COLDEST,
    CURRENT,
    DISCHARGE,
    PACK,
    SOC,
    WARMEST,
    Limits,
)
from bms.parameters import ParameterError
from bms.table import INVALID
from host_tests.bms.bench import CHEMISTRIES, MID_CELL_MV, Bench, parameters_with
from host_tests.bms.limits_day import model_of
from host_tests.bms.made_up_cells import ramp_cell

# Defaults of LiFePO4: 50 A in, 100 A out.
# charging ends between 3500 mV and 3600 mV, a pack of 3500 mV and 3580 mV in the mean,
# 45.0 C and 50.0 C, 5.0 C and 0.0 C; discharging between 3000 mV and 2900 mV, 3000 and 2950 mV in
# the mean, 55.0 C and 60.0 C, -15.0 C and -20.0 C; both between 75 and 85 C at the switches, 70
# and 80 C in the chip; a quarter is left at 100 % and at 0 % from 98 % and 5 % on.
USUAL = {
    "cell_min_mv": 3300,
    "cell_max_mv": 3300,
    "cell_delta_mv": 0,
    "temperature_min_dc": 250,
    "temperature_max_dc": 250,
    "board_temperature_dc": 300,
    "afe_temperature_dc": 300,
    "pack_voltage_mv": 3300,  # the mean cell
    "current_ma": 0,
    "soc_bp": 5000,
}


def aims(parameters, model=None, limited=False, **measured):
    """((charge mA, why), (discharge mA, why)) that limits aim at, nothing being slow."""
    return seen(Limits(parameters, model), limited, **measured)


def seen(limits, limited=False, **measured):
    for place, name in enumerate(SIGNALS):
        limits.signals[place] = {**USUAL, **measured}[name]
    limits._foresee(1000)
    found = []
    for direction in (CHARGE, DISCHARGE):
        aim_ma = limits.aim_ma(direction, limited)
        found.append((aim_ma, REASONS[limits._binding]))
    return found


@pytest.fixture(scope="module")
def parameters():
    return parameters_with({})


@pytest.mark.parametrize(
    ("measured", "charge", "discharge"),
    [
        ({}, (50000, "maximum"), (100000, "maximum")),
        ({"cell_max_mv": 3500}, (50000, "maximum"), (100000, "maximum")),
        ({"cell_max_mv": 3550}, (25000, "cell_voltage"), (100000, "maximum")),
        ({"cell_max_mv": 3590}, (5000, "cell_voltage"), (100000, "maximum")),
        ({"cell_max_mv": 3600}, (0, "cell_voltage"), (100000, "maximum")),
        ({"cell_max_mv": 5000}, (0, "cell_voltage"), (100000, "maximum")),
        ({"cell_min_mv": 3000}, (50000, "maximum"), (100000, "maximum")),
        ({"cell_min_mv": 2950}, (50000, "maximum"), (50000, "cell_voltage")),
        ({"cell_min_mv": 2900}, (50000, "maximum"), (0, "cell_voltage")),
        ({"cell_min_mv": 300}, (50000, "maximum"), (0, "cell_voltage")),
        ({"pack_voltage_mv": 3540}, (25000, "pack_voltage"), (100000, "maximum")),
        ({"pack_voltage_mv": 2960}, (50000, "maximum"), (20000, "pack_voltage")),
        ({"cell_delta_mv": 600}, (25000, "cells_apart"), (100000, "maximum")),
        ({"cell_delta_mv": 900}, (0, "cells_apart"), (100000, "maximum")),
        ({"temperature_max_dc": 450}, (50000, "maximum"), (100000, "maximum")),
        ({"temperature_max_dc": 475}, (25000, "warm_cells"), (100000, "maximum")),
        ({"temperature_max_dc": 500}, (0, "warm_cells"), (100000, "maximum")),
        ({"temperature_max_dc": 575}, (0, "warm_cells"), (50000, "warm_cells")),
        ({"temperature_max_dc": 600}, (0, "warm_cells"), (0, "warm_cells")),
        ({"temperature_min_dc": 50}, (50000, "maximum"), (100000, "maximum")),
        ({"temperature_min_dc": 25}, (25000, "cold_cells"), (100000, "maximum")),
        ({"temperature_min_dc": 0}, (0, "cold_cells"), (100000, "maximum")),
        ({"temperature_min_dc": -175}, (0, "cold_cells"), (50000, "cold_cells")),
        ({"temperature_min_dc": -200}, (0, "cold_cells"), (0, "cold_cells")),
        ({"board_temperature_dc": 800}, (25000, "warm_switches"), (50000, "warm_switches")),
        ({"board_temperature_dc": 850}, (0, "warm_switches"), (0, "warm_switches")),
        ({"afe_temperature_dc": 770}, (15000, "warm_measuring_chip"),
         (30000, "warm_measuring_chip")),
        ({"soc_bp": 9800}, (50000, "maximum"), (100000, "maximum")),
        ({"soc_bp": 9900}, (25000, "state_of_charge"), (100000, "maximum")),
        ({"soc_bp": 10000}, (12500, "state_of_charge"), (100000, "maximum")),
        ({"soc_bp": 250}, (50000, "maximum"), (50000, "state_of_charge")),
        ({"soc_bp": 0}, (50000, "maximum"), (25000, "state_of_charge")),
        ({"soc_bp": INVALID}, (50000, "maximum"), (100000, "maximum")),
        ({"cell_max_mv": 3550, "temperature_min_dc": 10}, (10000, "cold_cells"),
         (100000, "maximum")),
    ],
)  # fmt: skip
def test_limits_follow_their_curves_and_say_which_one(parameters, measured, charge, discharge):
    assert aims(parameters, **measured) == [charge, discharge]


def test_600_a_fall_as_straight_as_1_a():
    for maximum_ma in (560000, 1000, 999, 0):
        parameters = parameters_with(
            {
                "charge_current_max_ma": maximum_ma,
                "overcurrent_charge_warn_ma": 599998,
                "overcurrent_charge_trip_ma": 599999,
                "fast_overcurrent_charge_ma": 600000,
            }
        )
        wanted_ma = maximum_ma * 250 // 1000
        assert aims(parameters, cell_max_mv=3575)[0][0] == (wanted_ma if wanted_ma > 99 else 0)


def test_less_than_0_1_a_is_nothing():
    """No charger can hold that, and a rest that is always asked for fills a cold cell."""
    parameters = parameters_with({"charge_current_max_ma": 10000})
    assert aims(parameters, cell_max_mv=3599)[0][0] == 100
    parameters = parameters_with({"charge_current_max_ma": 9999})
    assert aims(parameters, cell_max_mv=3599)[0][0] == 0


@pytest.mark.parametrize(
    ("warn", "at", "left_ma"),
    [("over", 449, 50000), ("over", 450, 50000), ("over", 475, 25000), ("over", 500, 0),
     ("over", 501, 0), ("under", 51, 50000), ("under", 25, 25000), ("under", 0, 0)],
)  # fmt: skip
def test_equal_warning_and_trip_never_offer_the_full_current_up_to_the_trip(warn, at, left_ma):
    """The curve then begins 5 K before the trip."""
    name = f"{warn}temperature_charge_%s_dc"
    trip = 500 if warn == "over" else 0
    parameters = parameters_with({name % "warn": trip, name % "trip": trip})
    signal = "temperature_max_dc" if warn == "over" else "temperature_min_dc"
    assert aims(parameters, **{signal: at})[0][0] == left_ma


@pytest.mark.parametrize(
    ("settings", "charge_ma", "discharge_ma"),
    [
        # the setting may be as high as the trip; a sixteenth below the warning is offered
        ({"charge_current_max_ma": 60000}, 51563, 100000),
        ({"discharge_current_max_ma": 120000}, 50000, 103125),
        ({"charge_current_max_ma": 60000, "overcurrent_charge_warn_ma": 60000}, 56250, 100000),
    ],
)
def test_what_is_offered_stays_below_the_over_current_warnings(settings, charge_ma, discharge_ma):
    charge, discharge = aims(parameters_with(settings))
    assert (charge[0], discharge[0]) == (charge_ma, discharge_ma)


def test_a_limited_pack_is_offered_the_limited_current_and_never_more_than_its_curves(parameters):
    assert aims(parameters, limited=True) == [(5000, "limited_current")] * 2
    assert aims(parameters, limited=True, cell_max_mv=3596)[0] == (2000, "cell_voltage")


# Predictions, with the cell of host_tests.bms.made_up_cells: 10 milliohm at 25 degC for 2 Ah, and
# branches of 0.5 times that within 30 s and 0.8 times within 900 s. A pack of 280 Ah: 71
# microohm. The limits count a quarter more: 88, and within 60 s 86 % of 44 and 6 % of 70.
R_60_S = 88.0 + 0.8646 * 44 + 0.0645 * 70


@pytest.mark.parametrize(
    ("measured", "direction", "expected_ma", "why"),
    [
        ({"cell_min_mv": 3008}, DISCHARGE, 8e6 / R_60_S, "cell_voltage_in_60_s"),
        ({"cell_min_mv": 3020}, DISCHARGE, 100000, "maximum"),
        ({"cell_max_mv": 3498}, CHARGE, 2e6 / R_60_S, "cell_voltage_in_60_s"),
        # While 80 A flow out, what they cost comes back: the cell would be at 3015 + 7.0 mV
        ({"cell_min_mv": 3001, "current_ma": -80000}, DISCHARGE,
         (1e6 + 80000 / 1000 * 88.0 * 1000) / R_60_S, "cell_voltage_in_60_s"),
        ({"cell_max_mv": 3503}, CHARGE, 0, "cell_voltage_in_60_s"),
    ],
)  # fmt: skip
def test_no_more_is_offered_than_the_weakest_cell_bears_for_a_minute(
    parameters, measured, direction, expected_ma, why
):
    found_ma, reason = aims(parameters, CellModel(ramp_cell()), **measured)[direction]
    assert found_ma == pytest.approx(expected_ma, rel=0.02, abs=600)
    assert reason == why


def test_a_peak_may_go_to_the_warning_but_no_further():
    """Where the polarization is slow, ten seconds and a minute need nearly the same."""
    parameters = parameters_with({"cell_undervoltage_warn_mv": 2998})
    model = CellModel(ramp_cell(rc_tau_s=[10], rc_permille=[10]))
    found_ma, reason = aims(parameters, model, cell_min_mv=2999)[DISCHARGE]
    assert reason == "cell_voltage_in_60_s"
    assert found_ma == 0
    assert aims(parameters, model, cell_min_mv=2900)[DISCHARGE][0] == 0


def test_polarization_that_is_already_there_is_not_counted_twice(parameters):
    """The longer a current flows, the less its cell's voltage still has to fall."""
    limits = Limits(parameters, CellModel(ramp_cell()))
    fresh = seen(limits, cell_min_mv=3001, current_ma=-80000)[DISCHARGE][0]
    for _ in range(120):
        settled = seen(limits, cell_min_mv=3001, current_ma=-80000)[DISCHARGE][0]
    assert settled > fresh
    # Settled, only the slow branch is left to fall: 80 A and what 1 mV more allows, less that.
    assert settled == pytest.approx(80000 + 1e6 / R_60_S, abs=5000)


def test_cold_cells_have_more_resistance(parameters):
    model = CellModel(ramp_cell())
    warm = aims(parameters, model, cell_min_mv=3006)[DISCHARGE][0]
    cold = aims(parameters, model, cell_min_mv=3006, temperature_min_dc=0)[DISCHARGE][0]
    assert cold == pytest.approx(warm / 3, rel=0.05)


def test_the_cells_own_heat_is_limited_before_they_are_warm():
    """5.1 K below the discharge trip, of which 1 K is a guard; cells of 280 Ah and 5 J/(K Ah)."""
    parameters = parameters_with({"heat_capacity_j_k_ah": 5})
    model = CellModel(ramp_cell(r0_uohm=[300000, 100000, 80000]))
    found_ma, why = aims(parameters, model, temperature_max_dc=549)[DISCHARGE]
    resistance = 100000 * 2 / 280 * 1.25 * 2.3  # microohm at 25 degC: the coldest cell counts
    # 4.1 K within twice the sensors' delay of 300 s
    heating_uk = 4.1e6 / 600
    expected_ma = 1000 * (heating_uk * 5 * 280 / resistance) ** 0.5
    assert why == "heat"
    assert found_ma == pytest.approx(expected_ma, rel=0.02)
    assert aims(parameters, model, temperature_max_dc=590)[DISCHARGE] == (0, "heat")


def turns(limits, seconds, allowed=(1, 1), **measured):
    """Whole turns of one second each."""
    for _ in range(seconds):
        for place, name in enumerate(SIGNALS):
            limits.signals[place] = {**USUAL, **measured}[name]
        limits.update(1000, False, *allowed)
    return limits


def test_heat_that_the_sensors_do_not_show_yet_counts():
    parameters = parameters_with({"heat_capacity_j_k_ah": 5})
    model = CellModel(ramp_cell(r0_uohm=[300000, 100000, 80000]))
    limits = turns(Limits(parameters, model), 300, current_ma=-90000, temperature_max_dc=540)
    found_ma, why = seen(limits, temperature_max_dc=540)[DISCHARGE]
    assert why == "heat"
    assert found_ma < 0.8 * aims(parameters, model, temperature_max_dc=540)[DISCHARGE][0]


# While the warnings are the trips: the setting's default, from there back to where all is offered
TIGHT_ROWS = (
    (CHARGE, "temperature_max_dc", 450, -50, 50000),
    (CHARGE, "temperature_min_dc", 50, 50, 50000),
    (DISCHARGE, "temperature_max_dc", 550, -50, 100000),
    (DISCHARGE, "temperature_min_dc", -150, 50, 100000),
    (DISCHARGE, "board_temperature_dc", 750, -100, 100000),
    (CHARGE, "afe_temperature_dc", 700, -100, 50000),
)


@pytest.mark.parametrize(("direction", "signal", "warn", "back", "most_ma"), TIGHT_ROWS)
def test_while_warnings_are_trips_the_curves_end_there(
    parameters, direction, signal, warn, back, most_ma
):
    limits = Limits(parameters)
    limits.tight = True
    assert seen(limits, **{signal: warn})[direction][0] == 0
    assert seen(limits, **{signal: warn + back // 2})[direction][0] == most_ma // 2
    assert seen(limits, **{signal: warn + back})[direction][0] == most_ma
    limits.tight = False
    assert seen(limits, **{signal: warn})[direction][0] == most_ma


@pytest.mark.parametrize("direction", [CHARGE, DISCHARGE])
def test_while_warnings_are_trips_a_peak_goes_no_further_than_what_lasts(direction):
    """A model of hardly any polarization: 10 s and 60 s ask for the same current."""
    parameters = parameters_with({})
    model = CellModel(ramp_cell(r0_uohm=[60000, 20000, 16000], rc_permille=[1, 1]))
    signal, at_mv = (("cell_max_mv", 3495), ("cell_min_mv", 3005))[direction]
    limits = Limits(parameters, model)
    wide_ma, why = seen(limits, **{signal: at_mv, "pack_voltage_mv": 3300})[direction]
    limits.tight = True
    tight_ma, tight_why = seen(limits, **{signal: at_mv, "pack_voltage_mv": 3300})[direction]
    assert (why, tight_why) == ("cell_voltage_in_60_s", "cell_voltage_in_10_s")
    assert tight_ma == pytest.approx(wide_ma, rel=0.01)


def test_while_warnings_are_trips_heat_ends_a_kelvin_before_them(parameters):
    limits = Limits(parameters, CellModel(ramp_cell()))
    limits.tight = True
    assert seen(limits, temperature_max_dc=540)[DISCHARGE] == (0, "heat")
    limits.tight = False
    assert seen(limits, temperature_max_dc=540)[DISCHARGE][0] > 0


def test_the_battery_tells_its_limits():
    bench = Bench().start()
    for tight in (True, False):
        bench.battery.tighten(tight)
        assert bench.battery._limits.tight == tight


@pytest.mark.parametrize(("at_dc", "any_left"), [(590, False), (589, True)])
def test_heat_ends_a_kelvin_before_the_trip(at_dc, any_left):
    parameters = parameters_with({"overtemperature_discharge_warn_dc": 600})
    limit_ma = aims(parameters, CellModel(ramp_cell()), temperature_max_dc=at_dc)[DISCHARGE][0]
    assert (limit_ma > 0) == any_left


def test_a_temperature_that_comes_from_outside_is_limited_before_it_is_there(parameters):
    limits = turns(Limits(parameters), 301, temperature_min_dc=70, temperature_max_dc=430)
    turns(limits, 1, temperature_min_dc=55, temperature_max_dc=442)
    # 1.5 K in five minutes are 3 K in ten: 2.5 C, and half of the curve from 5 to 0
    assert seen(limits, temperature_min_dc=55)[CHARGE] == (25000, "cold_cells")
    # 1.2 K are 2.4: 46.6 C between 45 and 50
    assert seen(limits, temperature_max_dc=442)[CHARGE] == (34000, "warm_cells")
    limits.forget()
    assert seen(limits, temperature_min_dc=55)[CHARGE][0] == 50000


def test_the_drop_of_a_lasting_current_is_known(parameters):
    limits = Limits(parameters, CellModel(ramp_cell(r0_uohm=[600000, 200000, 160000])))
    assert limits.drop_mv == 0
    # 200 milliohm for 2 Ah: 1428 microohm for 280 Ah, a quarter more 1785, with branches 4105
    assert turns(limits, 1, current_ma=100000).drop_mv == 410
    assert turns(limits, 1, current_ma=99990).drop_mv == 409
    assert turns(limits, 1, current_ma=-100000).drop_mv == -410
    assert turns(Limits(parameters), 1, current_ma=100000).drop_mv == 0


def test_of_two_curves_as_low_the_first_is_named(parameters):
    found = aims(parameters, cell_max_mv=3550, temperature_max_dc=475)
    assert found[CHARGE] == (25000, "cell_voltage")
    model = CellModel(ramp_cell())
    found = aims(parameters, model, cell_max_mv=3500, temperature_min_dc=0)
    assert found[CHARGE] == (0, "cold_cells")
    equal = parameters_with({"charge_current_max_ma": 5000})
    assert aims(equal, limited=True)[CHARGE] == (5000, "maximum")


def test_what_is_not_known_hides_no_other_curve(parameters):
    found = aims(parameters, cell_max_mv=INVALID, temperature_max_dc=475)
    assert found[CHARGE] == (25000, "warm_cells")


def test_what_is_not_allowed_is_0_and_begins_at_0(parameters):
    limits = turns(Limits(parameters), 70)
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (50000, 100000)
    turns(limits, 1, (0, 1))
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (0, 100000)
    assert REASONS[limits.charge_reason] == "blocked"
    turns(limits, 1)
    assert limits.charge_current_ma == 834


def test_what_is_withdrawn_is_0_and_begins_at_0(parameters):
    limits = turns(Limits(parameters), 70)
    for direction in (CHARGE, DISCHARGE):
        limits.withdraw(direction)
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (0, 0)
    assert REASONS[limits.charge_reason] == REASONS[limits.discharge_reason] == "blocked"
    turns(limits, 1)
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (834, 1667)


def test_what_is_forgotten_begins_at_0(parameters):
    limits = turns(Limits(parameters), 70)
    limits.forget()
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (0, 0)
    turns(limits, 1)
    assert (limits.charge_current_ma, limits.discharge_current_ma) == (834, 1667)


def test_places_of_signals_are_those_of_the_table(parameters):
    assert [SIGNALS[place] for place in (CELL_MIN, CELL_MAX, COLDEST, WARMEST)] == [
        "cell_min_mv", "cell_max_mv", "temperature_min_dc", "temperature_max_dc"
    ]  # fmt: skip
    assert [SIGNALS[place] for place in (PACK, CURRENT, SOC)] == [
        "pack_voltage_mv", "current_ma", "soc_bp"
    ]  # fmt: skip
    assert len(Limits(parameters).signals) == len(SIGNALS)


def test_the_texts_of_the_curves_do_not_stay_in_memory(parameters):
    from bms import limit_curves  # noqa: F401 (imported once more, to see it leave)

    Limits(parameters)
    assert "bms.limit_curves" not in sys.modules


# Properties, in all chemistries and any settings that are accepted


@st.composite
def _configurations(draw):
    """Settings of any chemistry, moved a little; only accepted ones are tried."""
    chemistry = draw(st.integers(0, 3))
    default = parameters_with({"chemistry": chemistry}).value
    given = {"chemistry": chemistry}
    for name, span in (
        ("charge_cell_mv", 60),
        ("discharge_cell_mv", 80),
        ("cell_overvoltage_warn_mv", 40),
        ("cell_undervoltage_warn_mv", 80),
        ("pack_overvoltage_warn_mv", 40),
        ("overtemperature_charge_warn_dc", 50),
        ("undertemperature_charge_warn_dc", 50),
        ("overtemperature_discharge_warn_dc", 50),
        ("fet_overtemperature_warn_dc", 100),
        ("cell_imbalance_warn_mv", 200),
        ("charge_taper_soc_bp", 200),
        ("discharge_taper_soc_bp", 400),
        ("charge_current_max_ma", 50000),
        ("discharge_current_max_ma", 100000),
        ("heat_capacity_j_k_ah", 10),
        ("sensor_delay_s", 250),
    ):
        given[name] = default(name) + draw(st.integers(-span, span))
    given["design_capacity_mah"] = draw(st.sampled_from([2000, 100000, 280000]))
    try:
        return parameters_with(given)
    except ParameterError:
        assume(False)


@st.composite
def _signals(draw, parameters):
    mid_mv = MID_CELL_MV[parameters.value("chemistry")]
    low = mid_mv + draw(st.integers(-1500, 1500))
    high = low + draw(st.integers(0, 1000))
    cold = draw(st.integers(-350, 650))
    return {
        "cell_min_mv": low,
        "cell_max_mv": high,
        "cell_delta_mv": high - low,
        "pack_voltage_mv": (low + high) // 2,
        "temperature_min_dc": cold,
        "temperature_max_dc": cold + draw(st.integers(0, 200)),
        "board_temperature_dc": draw(st.integers(-200, 1000)),
        "afe_temperature_dc": draw(st.integers(-200, 900)),
        "current_ma": draw(st.integers(-120000, 60000)),
        "soc_bp": draw(st.one_of(st.just(INVALID), st.integers(0, 10000))),
    }


WORSE = {  # signal: towards which side it may only allow less, charge and discharge
    "cell_min_mv": (0, -1),
    "cell_max_mv": (1, 0),
    "temperature_max_dc": (1, 1),
    "board_temperature_dc": (1, 1),
    "afe_temperature_dc": (1, 1),
}


def _models(parameters):
    chemistry = CHEMISTRIES[parameters.value("chemistry")]
    return (None, CellModel(model_of(chemistry)))


@settings(max_examples=60, deadline=None)
@given(_configurations(), st.data())
def test_worse_never_allows_more_in_any_configuration_that_is_accepted(parameters, data):
    at = data.draw(_signals(parameters))
    worse = data.draw(st.integers(1, 500))
    limited = data.draw(st.booleans())
    for model in _models(parameters):
        found = aims(parameters, model, limited, **at)
        for direction, most in ((0, "charge"), (1, "discharge")):
            assert 0 <= found[direction][0] <= parameters.value(f"{most}_current_max_ma")
            assert found[direction][0] < parameters.value(f"overcurrent_{most}_warn_ma")
            if limited:
                assert found[direction][0] <= parameters.value("limited_current_warn_ma")
        for signal, sides in WORSE.items():
            for direction, side in enumerate(sides):
                if side:
                    moved = {**at, signal: at[signal] + side * worse}
                    assert (
                        aims(parameters, model, limited, **moved)[direction][0]
                        <= (found[direction][0])
                    ), signal


def _line(value, all_at, nothing_at, span, least=0.0):
    """The curve as docs/limits.md says it, computed with fractions."""
    nearest = nothing_at - span
    all_at = min(all_at, nearest) if span > 0 else max(all_at, nearest)
    return max(least, min(1.0, (nothing_at - value) / (nothing_at - all_at)))


CURVES = (
    (CHARGE, "cell_max_mv", "charge_cell_mv", "cell_overvoltage_warn_mv", 20, 0),
    (CHARGE, "pack_voltage_mv", "charge_cell_mv", "pack_overvoltage_warn_mv", 20, 0),
    (CHARGE, "cell_delta_mv", "cell_imbalance_warn_mv", "cell_imbalance_trip_mv", 20, 0),
    (CHARGE, "temperature_max_dc", "overtemperature_charge_warn_dc",
     "overtemperature_charge_trip_dc", 50, 0),
    (CHARGE, "temperature_min_dc", "undertemperature_charge_warn_dc",
     "undertemperature_charge_trip_dc", -50, 0),
    (CHARGE, "soc_bp", "charge_taper_soc_bp", "charge_taper_end_soc_bp", 100, 0.25),
    (DISCHARGE, "cell_min_mv", "discharge_cell_mv", "cell_undervoltage_warn_mv", -20, 0),
    (DISCHARGE, "pack_voltage_mv", "discharge_cell_mv", "pack_undervoltage_warn_mv", -20, 0),
    (DISCHARGE, "temperature_max_dc", "overtemperature_discharge_warn_dc",
     "overtemperature_discharge_trip_dc", 50, 0),
    (DISCHARGE, "temperature_min_dc", "undertemperature_discharge_warn_dc",
     "undertemperature_discharge_trip_dc", -50, 0),
    (DISCHARGE, "soc_bp", "discharge_taper_soc_bp", "discharge_taper_end_soc_bp", -100, 0.25),
    *[
        (direction, signal, f"{name}_overtemperature_warn_dc", f"{name}_overtemperature_trip_dc",
         100, 0)
        for direction in (CHARGE, DISCHARGE)
        for signal, name in (("board_temperature_dc", "fet"), ("afe_temperature_dc", "afe"))
    ],
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(_configurations(), st.data())
def test_no_limit_is_above_any_curve_and_without_a_model_it_is_the_lowest(parameters, data):
    at = data.draw(_signals(parameters))
    for model in _models(parameters):
        found = aims(parameters, model, **at)
        for direction, name in ((CHARGE, "charge"), (DISCHARGE, "discharge")):
            warn_ma = parameters.value(f"overcurrent_{name}_warn_ma")
            most_ma = min(parameters.value(f"{name}_current_max_ma"), warn_ma - warn_ma // 16)
            lowest = 1.0
            for curve, signal, all_at, nothing_at, span, least in CURVES:
                if curve == direction and at[signal] != INVALID:
                    ends = parameters.value(all_at), parameters.value(nothing_at)
                    lowest = min(lowest, _line(at[signal], *ends, span, least))
            assert found[direction][0] <= most_ma * lowest + 1
            if model is None and most_ma * lowest >= 200:
                assert found[direction][0] >= most_ma * lowest - most_ma / 1000 - 2


# What the battery makes of them


def test_a_pack_of_bad_cells_is_offered_less_once_its_resistance_is_known():
    bench = Bench(discharge_current_max_ma=100000).start().limits_risen()
    resistance = bench.battery.health.resistance
    for cell in range(4):
        resistance.restore(cell, 20 * resistance._reference_uohm * 280, 1)
    bench.chip.set_temperatures(251)
    bench.chip.set_cells(3040)
    bench.step()
    bench.limits_risen()
    assert reason(bench, "discharge") == "cell_voltage_in_60_s"
    assert bench.point("discharge_current_limit_ma") < 20000


def test_nothing_is_allowed_before_the_first_measurement(parameters):
    limits = Limits(parameters)
    assert limits.charge_current_ma == limits.discharge_current_ma == 0
    assert REASONS[limits.charge_reason] == REASONS[limits.discharge_reason] == "not_measured"
    assert REASONS[limits._binding] == "not_measured"


def reason(bench, direction):
    return REASONS[bench.point(f"{direction}_limit_reason")]


def test_the_points_show_limits_and_their_reasons():
    bench = Bench().start()
    assert bench.point("charge_voltage_limit_mv") == 4 * 3500
    assert bench.point("discharge_voltage_limit_mv") == 4 * 3000
    assert bench.point("series_cells") == 4
    assert reason(bench, "charge") == reason(bench, "discharge") == "rising_slowly"
    bench.limits_risen()
    assert reason(bench, "charge") == reason(bench, "discharge") == "maximum"
    bench.chip.cell_mv[1] = 3510
    bench.step()
    bench.limits_risen()
    assert bench.point("charge_current_limit_ma") == 0
    assert reason(bench, "charge") == "cell_voltage_in_60_s"
    bench.chip.cell_mv[1] = 3700
    bench.run(1200)
    assert bench.point("charge_current_limit_ma") == 0  # at once, without the slow path
    assert reason(bench, "charge") == "blocked"
    assert bench.point("discharge_current_limit_ma") == 100000
    assert reason(bench, "discharge") == "maximum"


def test_after_a_block_of_one_step_limits_begin_at_nothing():
    """Field lesson 29: a Deye trips on a sudden charge current limit."""
    bench = Bench(
        cell_overvoltage_delay_ms=0,
        cell_overvoltage_release_delay_ms=0,
        cell_undervoltage_delay_ms=0,
        cell_undervoltage_release_delay_ms=0,
    ).start()
    bench.limits_risen()
    bench.chip.cell_mv[0] = 3700
    bench.step()
    assert bench.point("charge_allowed") == 0
    bench.chip.cell_mv[0] = 3300
    bench.step()
    assert bench.point("charge_allowed") == 1
    assert bench.point("charge_current_limit_ma") == 0
    assert bench.point("discharge_current_limit_ma") == 100000
    bench.slow()
    assert 0 < bench.point("charge_current_limit_ma") <= 834
    bench.chip.cell_mv[0] = 2600
    bench.chip.current_ma = 600  # releases the under-voltage
    bench.step()
    assert bench.point("discharge_current_limit_ma") == 0
    bench.chip.cell_mv[0] = 3300
    bench.step()
    assert bench.point("discharge_allowed") == 1
    assert bench.point("discharge_current_limit_ma") == 0
    bench.slow()
    assert 0 < bench.point("discharge_current_limit_ma") <= 1667


def test_limits_are_forgotten_by_the_slow_path_too():
    """A turn that was under way when the measurement ended may write an old limit."""
    bench = Bench().start().limits_risen()
    bench.chip.code = 1
    bench.run(1000)
    bench.battery._limits.charge_current_ma = 50000
    bench.battery.slow_step(1000)
    assert bench.battery._limits.charge_current_ma == 0


def test_the_mean_cell_is_the_packs_share():
    bench = Bench().start().limits_risen()
    bench.chip.stack_error_mv = 180  # 4 cells of 3490 and 45 mV each more at the stack
    bench.chip.set_cells(3490)
    bench.step()
    bench.limits_risen()
    assert reason(bench, "charge") == "pack_voltage"
    assert bench.point("charge_current_limit_ma") == 50 * (1000 * (3580 - 3535) // 80)


def lags(limits, seconds, **measured):
    turns(limits, seconds, **measured)
    return limits.discharge_cell_mv


def test_an_inverter_that_sees_the_pack_alone_stops_when_the_weakest_cell_is_at_its_limit(
    parameters,
):
    limits = Limits(parameters)
    assert lags(limits, 60) == 3000
    assert lags(limits, 10, cell_min_mv=3200) == 3010  # a millivolt a second
    assert lags(limits, 600, cell_min_mv=3200) == 3097  # 100 less what may be noise
    assert lags(limits, 600, cell_min_mv=3203, pack_voltage_mv=3306) == 3100
    assert lags(limits, 60) == 3040  # and back at the same pace
    assert lags(limits, 600) == 3003


def test_the_discharge_voltage_limit_ends_half_the_way_to_the_charge_voltage(parameters):
    limits = Limits(parameters)
    assert 3240 < lags(limits, 3600, cell_min_mv=2600) <= 3250


def test_the_pack_says_when_its_weakest_cell_would_be_empty():
    bench = Bench().start()
    bench.chip.cell_mv[1] = 3200  # the others 3300: 75 mV below the mean
    bench.step()
    bench.limits_risen()
    assert 4 * 3070 <= bench.point("discharge_voltage_limit_mv") <= 4 * 3075
