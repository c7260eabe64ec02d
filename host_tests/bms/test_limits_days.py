"""An inverter that obeys limits never makes a protection trip: whole days, in seconds.

`make limits-month` plays a month of them, in all chemistries.
"""

import pytest

from bms.cell_model import CellModel
from bms.limit_curves import REASONS
from host_tests.bms.limits_day import DAYS, Day, Loop, model_of

# Stated in docs/limits.md: changes of direction within any hour
MOST_TURNS = 60


def loop(chemistry="lfp", wrong=1.0, **options):
    return Loop(chemistry, model=CellModel(model_of(chemistry, wrong)), **options)


def check(record, parameters):
    """What must hold on any day."""
    assert [trip for trip in record.trips if trip[2] or trip[3] > 500] == []
    value = parameters.value
    cells = value("series_cells")
    for name, most in (("ccl", "charge"), ("dcl", "discharge")):
        most_ma = value(f"{most}_current_max_ma")
        assert record.up[name] <= most_ma // value("limit_rise_s") + 1
        assert record.down[name] <= most_ma // value("limit_fall_s") + 1
    assert record.up["cvl"] <= cells * (value("charge_voltage_rise_mv_min") / 60 + 0.2)
    assert record.down["cvl"] <= cells * (value("charge_voltage_retreat_mv_s") + 0.2)
    assert max(record.most_turns.values()) <= MOST_TURNS, record.most_turns


@pytest.mark.parametrize(
    ("chemistry", "day", "wrong", "charged_ah", "discharged_ah"),
    [
        ("lfp", "hot", 1.0, 60, 70),
        ("lfp", "full", 0.7, 30, 0),  # the builder's cell model has 30 % too little resistance
        ("nmc", "cold", 1.4, 30, 40),
    ],
)
def test_no_protection_trips_on_a_day_of_an_inverter_that_obeys(
    chemistry, day, wrong, charged_ah, discharged_ah
):
    """From sunrise to midnight."""
    pack = loop(chemistry, wrong, soc=0.3)
    record = pack.run(DAYS[day], 0.28, 0.96)
    assert record.charged_ah > charged_ah  # it was no day of rest
    assert record.discharged_ah > discharged_ah
    assert record.trips == []
    check(record, pack.parameters)


def test_frost_blocks_charging_only_after_its_limit_is_0():
    pack = loop(soc=0.8)
    record = pack.run(DAYS["frost"], 0.0, 0.4)
    assert {name for _, name, _, _ in record.trips} == {"undertemperature_charge_trip_dc"}
    assert {offered_ma for _, _, offered_ma, _ in record.trips} == {0}
    check(record, pack.parameters)
    assert (0, REASONS.index("cold_cells")) in record.reasons


def test_without_a_cell_model_the_curves_alone_keep_the_protections_from_tripping():
    pack = Loop(soc=0.75)
    record = pack.run(Day(15, 25, 0.7, 0.01, 0.9), 0.35, 0.9)
    assert record.trips == []
    assert record.fulls >= 1


def test_a_charger_that_knows_voltages_only_is_stopped_by_the_voltage_limit():
    """venus#904: feed-in of a solar charger did not honour a charge current limit of 0."""
    pack = loop(soc=0.9, obeys_current=False, spread=0.03)
    record = pack.run(Day(18, 26, 0.5, 0.0, 0.0), 0.3, 0.6)
    assert record.trips == []
    assert record.cell_max_v < 3.58
    check(record, pack.parameters)


def test_the_highest_cell_stays_at_its_limit_while_others_are_behind():
    """Absorption with 6 % between the cells: 3.5 V for the first, whatever the pack's voltage."""
    pack = loop(soc=0.92, spread=0.03)
    record = pack.run(Day(18, 26, 0.4, 0.0, 0.0), 0.3, 0.65)
    assert 3.49 < record.cell_max_v < 3.52
    assert record.fulls >= 1
    assert [phase for _, phase in record.phases] == [0, 1, 2]
