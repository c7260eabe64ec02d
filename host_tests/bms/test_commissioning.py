"""A pack may be used when its wiring, its description and its shunt's sign were shown, and only as
long as the settings are those it was shown with."""

import pytest

from bms import commissioning, trial, wiring
from bms.commissioning import CURRENT, IDENTITY, PACK, WIRING, Commissioning
from bms.parameters import Parameters
from host_tests.bms.miswiring import CHEMISTRIES, parameters

LFP = CHEMISTRIES.index("lfp")
NMC = CHEMISTRIES.index("nmc")
# Another value that each of these settings may have.
OTHERS = {
    "chemistry": 1,
    "series_cells": 5,
    "design_capacity_mah": 100_000,
    "shunt_microohm": 250,
    "current_sensor": 1,
    "ina228_shunt_microohm": 50,
    "power_path": 2,
}


@pytest.fixture
def table():
    return parameters("lfp", 4)


@pytest.fixture
def procedure(table):
    return Commissioning(table)


def commission(procedure):
    assert procedure.check_wiring([3_300] * 4, 13_200) == []
    assert procedure.confirm_pack(LFP, 4, 280_000) == []
    assert procedure.judge_first_current(trial.DISCHARGE_SEEN)


def change(table, name):
    table.change([(table.index(name), OTHERS[name])])


def test_everything_is_missing_at_first(procedure):
    assert procedure.missing() == [WIRING, PACK, CURRENT]


def test_three_steps_leave_nothing_missing(procedure):
    commission(procedure)
    assert procedure.missing() == []


def test_the_steps_can_be_done_in_any_order(procedure):
    procedure.judge_first_current(trial.DISCHARGE_SEEN)
    assert procedure.missing() == [WIRING, PACK]
    procedure.confirm_pack(LFP, 4, 280_000)
    assert procedure.missing() == [WIRING]


def test_wiring_is_missing_again_when_a_later_check_finds_something(procedure):
    commission(procedure)
    ((code, lead, _),) = procedure.check_wiring([3_300, 6_600, -3_300, 6_600], 13_200)
    assert (code, lead) == (wiring.SWAPPED, 2)
    assert procedure.missing() == [WIRING]


def test_the_wiring_is_judged_by_the_limits_in_force(table):
    """3.9 V is no lfp cell, but one of nmc."""
    assert Commissioning(table).check_wiring([3_900] * 4, 15_600) != []
    assert Commissioning(parameters("nmc", 4)).check_wiring([3_900] * 4, 15_600) == []


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ((NMC, 4, 280_000), ["chemistry"]),
        ((LFP, 16, 280_000), ["series_cells"]),
        ((LFP, 4, 28_000), ["design_capacity_mah"]),
        ((NMC, 3, 1_000), ["chemistry", "series_cells", "design_capacity_mah"]),
    ],
)
def test_a_description_that_differs_names_the_settings_and_counts_for_nothing(
    procedure, typed, wrong
):
    commission(procedure)
    assert procedure.confirm_pack(*typed) == wrong
    assert procedure.missing() == [PACK]


@pytest.mark.parametrize(
    "result",
    [trial.IDLE, trial.RUNNING, trial.CHARGE_SEEN, trial.NOTHING_SEEN, trial.ABORTED],
)
def test_only_a_seen_discharge_confirms_the_shunt(procedure, result):
    commission(procedure)
    assert not procedure.judge_first_current(result)
    assert procedure.missing() == [CURRENT]


@pytest.mark.parametrize("name", IDENTITY)
def test_any_step_counts_only_for_the_settings_it_was_done_with(procedure, table, name):
    commission(procedure)
    change(table, name)
    assert procedure.missing() == [WIRING, PACK, CURRENT]


def test_the_record_holds_what_the_pack_was_taken_for(procedure):
    assert procedure.record() == {
        "chemistry": 0,
        "series_cells": 4,
        "design_capacity_mah": 280_000,
        "shunt_microohm": 500,
        "current_sensor": 0,
        "ina228_shunt_microohm": 100,
        "power_path": 0,
    }


@pytest.mark.parametrize("name", IDENTITY)
def test_a_record_no_longer_fits_when_any_of_its_settings_changed(procedure, table, name):
    record = procedure.record()
    assert procedure.fits(record)
    assert procedure.differing(record) == []
    change(table, name)
    assert not procedure.fits(record)
    assert procedure.differing(record) == [name]


def test_no_record_a_strange_one_and_an_unset_board_do_not_fit(procedure):
    record = procedure.record()
    assert not procedure.fits(None)
    assert not procedure.fits({})
    assert not procedure.fits({**record, "series_cells": None})
    assert procedure.differing({}) == list(IDENTITY)
    unset = Commissioning(Parameters())
    assert not unset.fits(unset.record())


def test_other_settings_do_not_ask_for_a_new_commissioning(procedure, table):
    commission(procedure)
    record = procedure.record()
    table.change([(table.index("charge_current_max_ma"), 20_000)])
    assert procedure.missing() == []
    assert procedure.fits(record)


def test_every_step_has_a_name():
    assert commissioning.STEPS[WIRING] == "wiring"
    assert commissioning.STEPS[PACK] == "pack"
    assert commissioning.STEPS[CURRENT] == "current"
