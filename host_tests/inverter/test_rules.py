"""Charge control rules: what an inverter is told, second by second."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as some

from bms.points import Points
from bms.table import INVALID
from host_tests.inverter.pack import healthy, parameters_with, put, put_fault
from inverter.conditions import (
    CHARGE,
    DISCHARGE,
    FAULT,
    FORCE_CHARGE,
    FORCE_CHARGE_DEEP,
    FULL_CHARGE,
    MEASURED,
)
from inverter.rules import ChargeRules

ANY = SimpleNamespace()
SMA = SimpleNamespace(RANGES=(410, 630, 410, 480))


class Told:
    """Rules on points that a test changes; `second` says what is told after one more second."""

    def __init__(self, points=None, profile=ANY, settled=False, **settings):
        self.points = points or healthy()
        self.rules = ChargeRules(profile, self.points, parameters_with(settings), settled)
        self.conditions = 0

    def second(self, elapsed_ms=1000, live=True, **changes):
        put(self.points, **changes)
        snapshot, view = self.rules.new_snapshot()
        self.points.snapshot_into(view)
        self.conditions = self.rules.apply(snapshot, elapsed_ms, live)
        offset = self.points.offset
        self.cvl = snapshot[offset("charge_voltage_limit_mv")]
        self.ccl = snapshot[offset("charge_current_limit_ma")]
        self.dcl = snapshot[offset("discharge_current_limit_ma")]
        self.dvl = snapshot[offset("discharge_voltage_limit_mv")]
        self.soc = snapshot[offset("soc_bp")]
        return self.cvl, self.ccl, self.dcl

    def seconds(self, count, **changes):
        return [self.second(**changes) for _ in range(count)]

    def has(self, condition):
        return self.conditions & condition == condition


@pytest.fixture
def running():
    """A minute after the start: everything has come to what the pack says."""
    told = Told()
    told.seconds(60)
    assert told.second() == (56_000, 50_000, 100_000)
    return told


def test_after_the_start_the_voltage_rises_from_that_of_the_pack():
    """yambms 153: a Deye trips when limits jump after a restart."""
    cvl = [row[0] for row in Told().seconds(60)]
    assert cvl[0] in (53_100, 53_200)
    assert {later - sooner for sooner, later in pairwise(cvl)} == {0, 100}
    assert cvl[-1] == 56_000


def test_a_fault_takes_the_current_at_once_and_freezes_the_voltage_at_that_of_the_pack(running):
    assert running.second(charge_allowed=0) == (53_100, 0, 100_000)
    assert not running.has(CHARGE)
    assert running.has(DISCHARGE)
    # The pack is discharged meanwhile; nothing moves.
    assert running.seconds(100, pack_voltage_mv=51_000)[-1] == (53_100, 0, 100_000)


def test_a_discharge_fault_leaves_the_charge_limits(running):
    assert running.second(discharge_allowed=0) == (56_000, 50_000, 0)
    assert running.has(CHARGE)
    assert not running.has(DISCHARGE)


def test_a_lost_measurement_freezes_the_voltage_of_a_moment_ago(running):
    assert running.second(pack_voltage_mv=INVALID) == (53_100, 0, 0)
    assert running.seconds(10)[-1] == (53_100, 0, 0)
    assert not running.has(MEASURED)


def test_values_that_stand_still_are_as_good_as_none(running):
    assert running.second(live=False) == (53_100, 0, 0)
    assert not running.has(MEASURED)


def test_after_the_fault_the_voltage_comes_back_by_ramp(running):
    running.seconds(10, charge_allowed=0)
    told = running.seconds(60, charge_allowed=1)
    cvl = [53_100, *(row[0] for row in told)]
    assert all(0 <= later - sooner <= 100 for sooner, later in pairwise(cvl))
    assert cvl[-1] == 56_000


def test_an_overvoltage_freezes_above_the_limit_and_comes_down_soon(running):
    """Nothing is charged meanwhile; a value below the pack voltage would discharge to the grid."""
    assert running.second(pack_voltage_mv=57_300, charge_allowed=0) == (57_300, 0, 100_000)
    told = running.seconds(20, pack_voltage_mv=54_000, charge_allowed=1)
    assert told[-1][0] == 56_000


@pytest.mark.parametrize("fall_s", [1, 180, 600])
def test_below_the_pack_voltage_the_limit_falls_slowly(fall_s):
    """yambms 46: lowered quickly, a Deye discharges the pack to the grid; 0.1 V in 3 minutes."""
    told = Told(healthy(pack_voltage_mv=55_800), inverter_voltage_fall_s=fall_s)
    told.seconds(60)
    cvl = [row[0] for row in told.seconds(1000, charge_voltage_limit_mv=54_000)]
    below = [value for value in cvl if value <= 55_800]
    expected = min(1 + 1000 // fall_s, 19)
    assert abs(len(set(below)) - expected) <= 1
    assert all(0 <= sooner - later <= 100 for sooner, later in pairwise(cvl))


def test_above_the_pack_voltage_the_limit_falls_by_a_tenth_of_a_volt_a_second(running):
    cvl = [row[0] for row in running.seconds(30, charge_voltage_limit_mv=54_000)]
    assert cvl[0] == 55_900
    assert cvl[-1] == 54_000


def test_currents_are_those_of_the_pack_in_full_tenths(running):
    changes = {"charge_current_limit_ma": 12_399, "discharge_current_limit_ma": -5}
    assert running.second(**changes)[1:] == (12_300, 0)


@pytest.mark.parametrize(
    ("voltage_mv", "frozen_mv"),
    [(53_149, 53_100), (53_150, 53_200), (30_000, 41_000), (0, 56_000)],
)
def test_what_freezes_stays_in_the_profiles_range_and_is_never_zero(voltage_mv, frozen_mv):
    told = Told(profile=SMA)
    told.second(pack_voltage_mv=voltage_mv, charge_allowed=0)
    assert told.cvl == frozen_mv


def test_a_pack_below_the_profiles_range_is_not_charged():
    told = Told(healthy(charge_voltage_limit_mv=28_000, pack_voltage_mv=26_000), SMA)
    told.seconds(60)
    assert (told.cvl, told.ccl) == (41_000, 0)
    assert not told.has(CHARGE)
    assert told.dcl == 100_000


def test_before_any_limit_is_known_the_voltage_is_a_usual_one():
    told = Told(Points())
    assert told.second() == (53_200, 0, 0)
    assert told.conditions & (MEASURED | CHARGE | DISCHARGE) == 0


@pytest.mark.parametrize(
    ("charge", "discharge", "soc"), [(1, 1, 6420), (0, 1, 10_000), (1, 0, 0), (0, 0, 0)]
)
def test_on_wish_the_state_of_charge_says_what_limits_say(charge, discharge, soc):
    """BE 1534 and 873: for inverters that go on at a limit of 0 A."""
    told = Told(inverter_forced_soc=1)
    told.seconds(3, charge_allowed=charge, discharge_allowed=discharge)
    assert told.soc == soc
    plain = Told()
    plain.second(charge_allowed=charge, discharge_allowed=discharge)
    assert plain.soc == 6420


def test_a_pack_that_is_full_counts_as_one_that_takes_nothing():
    told = Told(inverter_forced_soc=1)
    told.second(charge_current_limit_ma=0)
    assert told.soc == 10_000


def test_what_is_not_measured_has_no_forced_state_of_charge():
    told = Told(healthy(soc_bp=INVALID), inverter_forced_soc=1)
    told.second()
    assert told.soc == INVALID


def test_requests_are_told_while_charging_is_allowed():
    told = Told(healthy(force_charge_requested=1, full_charge_requested=1, soc_bp=1200))
    told.second()
    assert told.has(FORCE_CHARGE | FULL_CHARGE)
    assert not told.has(FORCE_CHARGE_DEEP)
    told.second(charge_allowed=0)
    assert not told.conditions & (FORCE_CHARGE | FULL_CHARGE)


def test_the_deeper_request_has_a_hysteresis_of_its_own():
    """PYL V1.2: request I between 5 and 10 %."""
    told = Told(healthy(force_charge_requested=1))
    seen = []
    for soc_bp in (600, 501, 500, 300, 700, 999, 1000, 700):
        told.second(soc_bp=soc_bp)
        seen.append(told.has(FORCE_CHARGE_DEEP))
    assert seen == [False, False, True, True, True, True, False, False]


def test_a_fault_is_told_as_such():
    points = healthy()
    put_fault(points, "faults", "boot_loop")
    told = Told(points)
    told.second()
    assert told.has(FAULT)


def test_the_discharge_voltage_limit_is_rounded_up_and_kept_in_range():
    told = Told(profile=SMA)
    told.second(discharge_voltage_limit_mv=44_810)
    assert told.dvl == 44_900
    told.second(discharge_voltage_limit_mv=50_000)
    assert told.dvl == 48_000
    told.second(discharge_voltage_limit_mv=INVALID)
    assert told.dvl == INVALID


@examples(max_examples=60, deadline=None)
@given(
    story=some.lists(
        some.fixed_dictionaries(
            {
                "pack_voltage_mv": some.one_of(some.just(INVALID), some.integers(40_000, 58_000)),
                "charge_allowed": some.sampled_from((0, 1, 1, 1)),
                "discharge_allowed": some.sampled_from((0, 1, 1)),
                "charge_voltage_limit_mv": some.sampled_from((54_000, 56_000, 56_030)),
                "charge_current_limit_ma": some.integers(0, 50_000),
                "discharge_current_limit_ma": some.integers(0, 100_000),
            }
        ),
        min_size=2,
        max_size=30,
    )
)
def test_whatever_happens_the_rules_hold(story):
    told = Told(profile=SMA)
    before = None
    for changes in story:
        told.second(**changes)
        measured = changes["pack_voltage_mv"] != INVALID
        charge = measured and changes["charge_allowed"]
        discharge = measured and changes["discharge_allowed"]
        assert 41_000 <= told.cvl <= 63_000
        assert told.ccl == 0 or charge
        assert told.dcl == 0 or discharge
        assert told.has(CHARGE) == bool(charge)
        assert told.has(DISCHARGE) == bool(discharge)
        if before is not None and charge:
            assert before - 100 <= told.cvl <= before + 100
        before = told.cvl


def test_equal_states_stay_equal(running):
    assert len(set(running.seconds(100))) == 1
