"""The first start of a pack on the console: measured, confirmed, tried, saved."""

import pytest

from bms import requests

RIGHT = "commission pack lfp 4 100"


def take_current(board, current_ma, seconds):
    """What the fast path measures while the gates are closed for the first current."""
    trial = board.services.battery.trial
    for _ in range(seconds * 10):
        if trial.running():
            trial.step(current_ma, 100)


def test_a_new_board_is_asked_for_its_settings_first(new_board):
    lines = new_board.ask("commission")
    assert lines[0].startswith("First `set` at least chemistry, series_cells and design_capacity_")
    assert new_board.ask("commission wiring") == lines


def test_alone_it_says_what_is_missing_and_what_comes_next(board):
    assert board.ask("commission") == [
        "This pack is not commissioned: its gates stay off until these steps are done.",
        "  wiring   not yet",
        "  pack     not yet",
        "  current  not yet",
        "Next: `commission wiring` measures the cells and names the balance leads to check.",
    ]


def test_a_pack_is_commissioned_in_four_steps(board):
    lines = board.ask("commission wiring")
    assert lines[0] == "The wiring fits: 4 cells from 3.300 V to 3.300 V, 13.20 V together."
    assert lines[1].startswith("Next: `commission pack")
    lines = board.ask(RIGHT)
    assert lines[0] == "That is what the settings say."
    assert lines[1].startswith("Next: `commission current`")
    lines = board.ask("commission current")
    assert lines[0] == (
        "The gates close for at most 30 s. Connect a small load now, about 1 A, below 5.00 A,"
    )
    assert board.services.battery.trial.running()
    take_current(board, -1_000, 2)
    lines = board.ask("commission current")
    assert (
        lines[0] == "The load's current counts as discharge: the shunt is connected the right way."
    )
    assert lines[1].startswith("Next: `commission done`")
    assert board.ask("commission done") == [
        "Commissioned and saved: the gates close as soon as nothing else forbids it."
    ]
    assert board.services.commission.record == {
        "chemistry": 0,
        "series_cells": 4,
        "design_capacity_mah": 100_000,
        "shunt_microohm": 500,
        "ina228_shunt_microohm": 100,
        "current_sensor": 0,
        "power_path": 0,
    }
    assert board.ask("commission") == ["This pack is commissioned."]


def test_swapped_leads_are_named_with_all_that_was_measured(board):
    board.services.battery.cell_mv = [3_300, 6_600, -3_300, 6_600]
    assert board.ask("commission wiring") == [
        "1 finding:",
        "  Leads 2 and 3 are swapped: exchange them.",
        "Cells from  1:  3300   6600  -3300   6600 mV",
        "Leads count from 0 at pack minus; cell 1 lies between lead 0 and lead 1. Unplug the",
        "balance connector before you move a lead, then `commission wiring` again.",
    ]
    assert board.ask("commission done")[0].startswith("Not yet: wiring and pack and current miss")


def test_the_wiring_is_measured_anew_each_time(board):
    board.services.battery.cell_mv = [3_300, 6_600, 0, 3_300]
    assert board.ask("commission wiring")[1].startswith("  Lead 2 is open")
    board.services.battery.cell_mv = [3_300] * 4
    assert board.ask("commission wiring")[0].startswith("The wiring fits")


def test_a_fast_path_that_does_not_measure_is_not_waited_for_for_ever(board):
    board.services.battery.alive = False
    assert board.ask("commission wiring") == ["No measurement came: see `status`."]


def test_a_request_that_is_still_pending_is_told(board):
    board.requests.post(requests.CLEAR_FAULTS)
    (line,) = board.ask("commission wiring")
    assert line.startswith("Another request is being carried out")


@pytest.mark.parametrize("fault", ["afe_lost", "measurement_stale", "afe_corrupt"])
def test_an_old_measurement_is_not_judged(board, fault):
    board.raise_faults("faults", fault)
    assert board.ask("commission wiring") == [f"Nothing is measured now ({fault}): see `status`."]
    assert board.requests.pending == requests.NONE


def test_values_no_battery_has_are_what_the_check_is_for(board):
    board.raise_faults("faults", "measurement_implausible", "stack_mismatch")
    assert board.ask("commission wiring")[0].startswith("The wiring fits")


def test_a_changed_number_of_cells_needs_a_restart_first(board):
    board.ask("set series_cells 5")
    assert board.ask("commission wiring") == ["The number of cells was changed: `restart` first."]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("nmc 4 100", ["  chemistry is lfp, you typed another."]),
        ("lfp 3 100", ["  series_cells is 4, you typed another."]),
        ("LFP 4 10", ["  design_capacity_mah is 100000 mAh, you typed another."]),
        (
            "lto 16 2.6",
            [
                "  chemistry is lfp, you typed another.",
                "  series_cells is 4, you typed another.",
                "  design_capacity_mah is 100000 mAh, you typed another.",
            ],
        ),
    ],
)
def test_a_pack_typed_otherwise_than_configured_says_what_differs(board, typed, answer):
    lines = board.ask("commission pack " + typed)
    assert lines[:-1] == answer
    assert "  pack     not yet" in board.ask("commission")


@pytest.mark.parametrize("capacity", ["100", "100.0", "100.000", "0100"])
def test_the_capacity_is_typed_in_ampere_hours(board, capacity):
    assert board.ask("commission pack lfp 4 " + capacity)[0] == "That is what the settings say."


@pytest.mark.parametrize(
    "typed",
    [
        "pack", "pack lfp 4", "pack lfp four 100", "pack lfp 4 100Ah", "pack lfp 4 .",
        "pack lfp 4 1.2.3", "pack lfp 4 1.0005", "wiring now", "something",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_answered_with_the_usage(board, typed):
    (line,) = board.ask("commission " + typed)
    assert line.startswith("Usage: commission [wiring|pack CHEMISTRY CELLS CAPACITY_AH|")


def test_an_unknown_chemistry_is_answered_with_the_known_ones(board):
    assert board.ask("commission pack lead 4 100") == [
        "The chemistry must be one of lfp, nmc, lto, sodium."
    ]


def test_no_gate_closes_before_wiring_and_pack_are_confirmed(board):
    assert board.ask("commission current")[0].startswith("Not yet. First: `commission wiring`")
    board.ask("commission wiring")
    assert board.ask("commission current")[0].startswith("Not yet. First: `commission pack")
    assert not board.services.battery.trial.running()
    assert board.requests.pending == requests.NONE


@pytest.fixture
def ready(board):
    """A board whose wiring and pack are confirmed."""
    board.ask("commission wiring")
    board.ask(RIGHT)
    return board


def test_a_reversed_shunt_is_found_by_the_first_current(ready):
    ready.ask("commission current")
    take_current(ready, 1_000, 2)
    lines = ready.ask("commission current")
    assert lines[0].startswith("The current counts as CHARGE.")
    assert "exchange the two sense wires at the shunt" in " ".join(lines)
    assert ready.ask("commission done")[0].startswith("Not yet: current missing.")
    assert ready.services.commission.record is None


def test_while_nothing_flows_it_is_said_that_the_gates_are_closed(ready):
    ready.ask("commission current")
    take_current(ready, 0, 10)
    (line,) = ready.ask("commission current")
    assert line.startswith("The gates are closed and no clear current was seen yet")


def test_no_current_at_all_is_told_and_may_be_tried_again(ready):
    ready.ask("commission current")
    take_current(ready, -100, 31)
    assert ready.ask("commission current")[0].startswith("No current was seen.")
    assert ready.ask("commission current")[0].startswith("The gates close for at most 30 s.")
    take_current(ready, -1_000, 2)
    assert ready.ask("commission current")[0].startswith("The load's current counts as discharge")


def test_a_first_current_that_something_ended_is_told(ready):
    ready.ask("commission current")
    ready.services.battery.trial.abort()
    lines = ready.ask("commission current")
    assert lines[0].startswith("The gates were opened before a current was clear; `status` says")
    assert "More than 10.0 A" in lines[0]


def test_gates_that_may_not_close_are_told_at_once(ready):
    ready.services.battery.refuses = True
    lines = ready.ask("commission current")
    assert lines[0].startswith("The gates did not close: `status` says what forbids it")
    ready.services.battery.refuses = False
    assert ready.ask("commission current")[0].startswith("The gates close for at most 30 s.")


def commissioned(board):
    board.ask("commission current")
    take_current(board, -1_000, 2)
    board.ask("commission current")


def test_a_setting_changed_meanwhile_asks_for_all_steps_again(ready):
    commissioned(ready)
    ready.ask("set shunt_microohm 250")
    assert ready.ask("commission done")[0].startswith("Not yet: wiring and pack and current miss")


def test_unsaved_settings_are_not_commissioned(ready):
    commissioned(ready)
    ready.ask("set access_minutes 20")
    assert ready.ask("commission done")[0].startswith("The settings are not saved: `save` first")
    assert ready.services.commission.record is None
    ready.ask("save")
    assert ready.ask("commission done")[0].startswith("Commissioned and saved")


def test_a_flash_that_refuses_leaves_the_pack_uncommissioned_and_says_why(ready):
    commissioned(ready)
    ready.services.commission.flash_is_full = True
    (line,) = ready.ask("commission done")
    assert line == "Refused: the flash is full: delete files; the state before stays saved."
    ready.services.commission.flash_is_full = False
    assert ready.ask("commission done")[0].startswith("Commissioned and saved")


def test_settings_changed_after_commissioning_are_named(ready):
    commissioned(ready)
    ready.ask("commission done")
    ready.ask("set design_capacity_mah 90000")
    lines = ready.ask("commission")
    assert lines[0].startswith(
        "Other settings than when this pack was commissioned (design_capacity_mah): its gates"
    )
    assert lines[2] == "  wiring   not yet"


@pytest.mark.parametrize("step", ["", " wiring", " pack lfp 4 100", " current", " done"])
def test_commissioning_needs_an_unlocked_console(locked_board, step):
    assert locked_board.ask("commission" + step)[0].startswith("Locked:")
    assert locked_board.requests.pending == requests.NONE
