"""Who may rest, how deeply, and when an empty pack switches itself off: the pure part of it."""

import pytest

from bms.parameters import Parameters
from bms.power_state_rows import ROWS
from bms.power_states import ACTIVE, IDLE, SHIP, SLEEP, PowerStates
from bms.sample import MODE_NORMAL, MODE_OFF, MODE_SLEEP
from bms.ship_rules import charger_holds, refusal
from bms.table import INVALID, rows

PACK = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000}
MINUTE_MS = 60000
FULL = {"lowest_mv": 3300, "empty": False, "charger": False}
LOW = {"lowest_mv": 2400, "empty": True, "charger": False}


def states(sleeps=True, **changes):
    parameters = Parameters()
    parameters.load({**PACK, **changes})
    return PowerStates(parameters, sleeps)


@pytest.mark.parametrize(
    ("quiet_s", "state"), [(0, ACTIVE), (599, ACTIVE), (600, IDLE), (3599, IDLE), (3600, SLEEP)]
)
def test_by_default_it_idles_after_ten_minutes_and_sleeps_after_an_hour(quiet_s, state):
    assert states().step(1000, quiet_s, **FULL) == state


def test_each_state_asks_for_its_pace_and_mode():
    power = states(idle_after_s=1, sleep_after_s=2)
    found = []
    for quiet_s in range(3):
        power.step(1000, quiet_s, **FULL)
        found.append((power.period_ms, power.chip_mode, power.dozes))
    assert found == [
        (100, MODE_NORMAL, False),
        (250, MODE_NORMAL, False),
        (1000, MODE_SLEEP, False),
    ]


def test_the_processor_sleeps_only_where_it_is_set():
    power = states(sleep_after_s=1, processor_sleep=1)
    power.step(1000, 1, **FULL)
    assert power.dozes
    power.step(1000, 0, **FULL)
    assert not power.dozes


def test_a_chip_that_can_not_sleep_idles():
    assert states(sleeps=False).step(1000, 100000, **FULL) == IDLE


def test_0_is_never():
    never = states(idle_after_s=0, sleep_after_s=0, ship_after_min=0)
    assert {never.step(MINUTE_MS, 50000, **LOW) for _ in range(1000)} == {ACTIVE}


@pytest.mark.parametrize("watchdog_s", [2, 3, 4, 5])
def test_four_decisions_fit_into_the_time_of_the_chips_watchdog(watchdog_s):
    power = states(afe_watchdog_s=watchdog_s)
    power.step(1000, 3600, **FULL)
    assert 4 * power.period_ms <= 1000 * watchdog_s


def test_no_state_decides_more_often_than_an_active_pack():
    power = states(step_period_ms=250, afe_watchdog_s=2)
    for quiet_s in (0, 600, 3600):
        power.step(1000, quiet_s, **FULL)
        assert power.period_ms >= 250


def minutes_until_ship(power, **changes):
    for minute in range(1, 200):
        if power.step(MINUTE_MS, 100, **{**LOW, **changes}) == SHIP:
            return minute
    return None


def test_an_empty_pack_switches_itself_off_after_an_hour():
    power = states()
    assert minutes_until_ship(power) == 60
    assert power.chip_mode == MODE_OFF
    assert power.step(1000, 0, **FULL) == SHIP  # it is under way


@pytest.mark.parametrize("changes", [{"lowest_mv": 2500}, {"empty": False}, {"charger": True}])
def test_a_pack_that_is_not_low_or_not_alone_stays_on(changes):
    assert minutes_until_ship(states(), **changes) is None


def test_anything_that_stirs_starts_the_hour_anew():
    power = states()
    for _ in range(59):
        power.step(MINUTE_MS, 100, **LOW)
    power.step(1000, 0, **LOW)
    assert minutes_until_ship(power) == 60


@pytest.mark.parametrize(("chemistry", "trip_mv"), [(0, 2700), (1, 3000), (2, 1700), (3, 1800)])
def test_the_limit_lies_between_the_trip_and_deep_discharge(chemistry, trip_mv):
    parameters = Parameters()
    parameters.load({**PACK, "chemistry": chemistry})
    value = parameters.value
    assert value("cell_undervoltage_trip_mv") == trip_mv
    assert value("deep_discharge_trip_mv") < value("ship_cell_mv") < trip_mv


def test_every_row_says_who_protects_and_what_ends_it():
    table = list(rows(ROWS))
    assert [row[0] for row in table] == ["active", "idle", "sleep", "ship"]
    assert all(len(row) == 6 and all(row) for row in table)


WELL = {
    "current_ma": 0, "cell_min_mv": 3300, "bus_voltage_mv": 52800, "pack_voltage_mv": 52800,
}  # fmt: skip


def refused(raised=(), **changes):
    values = {**WELL, **changes}
    return refusal(lambda name: values[name], raised, 200)


def test_a_pack_at_rest_may_be_shipped():
    assert refused() is None
    assert refused(bus_voltage_mv=INVALID) is None  # a chip without a pin for it
    assert refused(("cell_undervoltage", "deep_discharge")) is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"current_ma": 200}, "current flows"),
        ({"current_ma": -200}, "current flows"),
        ({"current_ma": INVALID}, "nothing is measured"),
        ({"bus_voltage_mv": 53301}, "charger"),
        ({"raised": ("contactor_positive_welded",)}, "contactor_positive_welded"),
        ({"raised": ("gates_off_current",)}, "gates_off_current"),
        ({"raised": ("gate_mismatch",)}, "gate_mismatch"),
    ],
)
def test_never_while_it_is_charged_blind_or_with_a_failed_switch(changes, word):
    assert word in refused(**changes)


def test_a_charger_is_who_holds_the_terminals_above_the_pack():
    assert charger_holds(53301, 52800)
    assert not charger_holds(53300, 52800)
    assert not charger_holds(INVALID, 52800)
    assert not charger_holds(53301, INVALID)
