"""What a person does: settings, access, gates, faults, restart."""

import shutil

import pytest

from bms import requests
from bms.parameters import APPLIES_AFE, APPLIES_NOW, APPLIES_RESTART, Parameters
from storage.configuration import Configuration


def saved_settings(terminal):
    """The settings a restart would come up with."""
    parameters = Parameters()
    assert Configuration(terminal.directory).load(parameters)
    return parameters


def test_a_new_board_is_commissioned_with_three_settings_and_a_save(new_board):
    new_board.ask("set chemistry nmc")
    new_board.ask("set series_cells 10")
    new_board.ask("set design_capacity_mah 12000")
    assert new_board.ask("save")[0] == "Saved."
    assert new_board.effects == [APPLIES_RESTART]
    saved = saved_settings(new_board)
    assert saved.value("series_cells") == 10
    assert saved.value("cell_overvoltage_trip_mv") == 4220  # the default of nmc
    assert new_board.ask("status")[0] == "Configured, but not guarding yet: `restart` starts it."
    new_board.ask("restart")
    assert new_board.restarts == 1


def test_nothing_is_in_force_before_the_save(new_board):
    (line,) = new_board.ask("set series_cells 10")
    assert line.startswith("series_cells = 10 (noted; ")
    assert not new_board.parameters.loaded
    assert new_board.ask("get series_cells")[0] == "series_cells = 10"
    assert new_board.effects == []


def test_an_incomplete_draft_is_refused_by_name_and_kept(new_board):
    new_board.ask("set series_cells 10")
    (line,) = new_board.ask("save")
    assert line.startswith("Refused: 'chemistry' is missing")
    assert "'design_capacity_mah' is missing" in line
    new_board.ask("set chemistry lfp")
    new_board.ask("set design_capacity_mah 12000")
    assert new_board.ask("save")[0] == "Saved."


def test_a_contradiction_in_the_draft_is_refused_as_a_whole(new_board):
    for setting in ("chemistry lfp", "series_cells 16", "design_capacity_mah 100000"):
        new_board.ask("set " + setting)
    new_board.ask("set cell_overvoltage_trip_mv 3400")
    (line,) = new_board.ask("save")
    assert "'cell_overvoltage_release_mv' (3450) must be below" in line
    assert not new_board.parameters.loaded


def test_the_defaults_shown_follow_the_chemistry_of_the_draft(new_board):
    assert new_board.ask("get series_cells")[0] == "series_cells = (must be set)"
    new_board.ask("set chemistry lto")
    assert new_board.ask("get full_cell_mv")[0] == "full_cell_mv = 2680 mV"


def test_a_range_follows_the_chemistry_of_the_draft_and_the_refusal_names_it(new_board):
    name = "cell_overvoltage_trip_mv"
    assert "1500 to 4350" in new_board.ask("get " + name)[2]  # of any cell: NMC bears most
    assert new_board.ask("set %s 4200" % name)[0].startswith(name + " = 4200 mV (noted; ")
    new_board.ask("set chemistry lfp")
    assert "1500 to 3800 for lfp cells" in new_board.ask("get " + name)[2]
    (line,) = new_board.ask("set %s 4200" % name)
    assert line.startswith(
        "Refused: 'cell_overvoltage_trip_mv' must be a whole number from 1500 to 3800 for lfp "
    )
    new_board.ask("set series_cells 16")
    new_board.ask("set design_capacity_mah 100000")
    (line,) = new_board.ask("save")  # what was noted before the chemistry is judged as a whole
    assert "1500 to 3800 for lfp cells, not 4200" in line
    assert not new_board.parameters.loaded


def test_a_setting_takes_effect_at_once_and_says_how(board):
    lines = board.ask("set charge_current_max_ma 40000")
    assert lines[0] == "charge_current_max_ma = 40000 mA: takes effect now."
    assert board.parameters.value("charge_current_max_ma") == 40_000
    lines = board.ask("set cell_overvoltage_trip_mv 3640")
    assert "the gates open for some seconds" in lines[0]
    lines = board.ask("set modbus_address 7")
    assert "takes effect after the next restart" in lines[0]
    assert board.effects == [APPLIES_NOW, APPLIES_AFE, APPLIES_RESTART]


def test_a_setting_that_is_so_already_changes_nothing(board):
    assert board.ask("set series_cells 4") == ["series_cells = 4 (as before)"]
    assert board.effects == []


def test_choices_are_given_by_name_or_by_position(board):
    board.ask("set modbus_baud 19200")
    assert board.parameters.value("modbus_baud") == 1
    board.ask("set modbus_baud 4")
    assert board.ask("get modbus_baud")[0] == "modbus_baud = 115200"
    assert board.ask("SET Inverter_Profile NONE")[0].startswith("inverter_profile = none")


def test_limits_below_zero_can_be_entered(board):  # field lesson 38, DIY#302
    board.ask("set undertemperature_discharge_trip_dc -250")
    assert board.parameters.value("undertemperature_discharge_trip_dc") == -250


def test_a_value_out_of_range_is_refused_with_its_range(board):
    assert board.ask("set series_cells 33") == [
        "Refused: 'series_cells' must be a whole number from 3 to 32."
    ]
    assert board.ask("set overtemperature_charge_trip_dc 50.0") == [
        "Refused: 'overtemperature_charge_trip_dc' must be a whole number from 0 to 600 "
        "(in units of 0.1C)."
    ]
    assert board.ask("set chemistry lead") == [
        "Refused: 'chemistry' must be one of lfp, nmc, lto, sodium."
    ]
    assert board.parameters.value("series_cells") == 4


def test_a_setting_that_contradicts_another_is_refused(board):
    (line,) = board.ask("set full_cell_mv 3550")
    assert (
        line == "Refused: 'full_cell_mv' (3550) must be below or equal to 'charge_cell_mv' (3500)."
    )
    assert board.parameters.value("full_cell_mv") == 3_450


def test_an_unknown_setting_is_named_with_near_ones(board):
    (line,) = board.ask("set cell_overvoltage_mv 3600")
    assert line.startswith(
        "Nothing is named 'cell_overvoltage_mv'. Did you mean cell_overvoltage_"
    )


def test_unsaved_settings_show_in_the_status_until_saved(board):
    unsaved = "  Settings changed and are not saved: `save` keeps them over a restart."
    assert unsaved not in board.ask("status")
    assert board.ask("set access_minutes 20")[-1].startswith("Not saved yet")
    assert unsaved in board.ask("status")
    assert board.ask("save") == ["Saved."]
    assert unsaved not in board.ask("status")
    assert saved_settings(board).value("access_minutes") == 20


def test_a_flash_that_refuses_is_reported_in_words(board):
    board.ask("set access_minutes 20")
    shutil.rmtree(board.directory)
    (line,) = board.ask("save")
    assert line.startswith("Refused: the flash refused to write")
    assert "the settings before stay saved" in line


def test_without_an_access_code_the_console_may_write(board):
    assert board.ask("unlock 5")[0].startswith("No access code is set: this console is open")
    assert board.ask("lock")[0].startswith("No access code is set")


def test_an_access_code_locks_every_command_that_changes_something(locked_board):
    for command in ("set access_minutes 20", "save", "clear", "gates auto", "restart"):
        assert locked_board.ask(command) == [
            "Locked: `unlock CODE` opens this console for 10 min."
        ], command
    assert locked_board.requests.pending == requests.NONE
    assert locked_board.restarts == 0


def test_the_right_code_unlocks_until_lock(locked_board):
    assert locked_board.ask("unlock 1234")[0].startswith("Wrong code.")
    assert locked_board.ask("unlock 4321") == ["Unlocked for 10 min."]
    assert locked_board.ask("set access_minutes 20")[0].endswith("takes effect now.")
    assert locked_board.ask("lock") == ["Locked."]
    assert locked_board.ask("save")[0].startswith("Locked:")


def test_the_console_locks_again_when_the_time_is_over(locked_board):
    locked_board.ask("unlock 4321")
    locked_board.access.step(10 * 60 * 1000)
    assert locked_board.ask("save")[0].startswith("Locked:")


def test_setting_a_code_says_that_the_console_is_locked_from_now_on(board):
    lines = board.ask("set access_code 99")
    assert lines[0] == "access_code = (set, not shown): takes effect now."
    assert lines[1].startswith("The console is locked with this code from now on")
    assert board.ask("save")[0].startswith("Locked:")


def test_a_console_that_is_not_trusted_may_not_write_without_a_code(tmp_path, board):
    board.console.access = type(board.access)(board.parameters)
    assert board.ask("save") == ["This console may not write: no access code is set."]
    assert board.ask("unlock 0") == ["No access code is set: this console may not write."]


def test_opening_the_gates_needs_no_code(locked_board):
    (line,) = locked_board.ask("gates off")
    assert line.startswith("Asked: both gates open, until `gates auto`.")
    assert locked_board.requests.pending == requests.GATES_OFF


def test_gates_auto_takes_the_restriction_back(board):
    board.ask("gates auto")
    assert board.requests.pending == requests.GATES_AUTO
    assert board.ask("gates off") == [
        "Another request is being carried out: try again in a moment."
    ]


def test_clear_asks_the_fast_path_to_forget_latched_faults_only(board):
    board.raise_faults("faults", "cell_overvoltage")
    assert board.ask("clear")[0].startswith("No fault waits to be cleared")
    assert board.requests.pending == requests.NONE
    board.raise_faults("faults", "cell_overvoltage", "short_circuit")
    assert board.ask("clear")[0].startswith("Asked: faults whose cause is gone are cleared.")
    assert board.requests.pending == requests.CLEAR_FAULTS


def test_maintenance_is_announced_before_it_happens(board):
    (answer,) = board.ask("maintenance")
    assert "gates off" in answer
    assert (board.maintenances, board.restarts) == (1, 0)


def test_a_restart_is_announced_before_it_happens(board):
    assert board.ask("restart") == ["Restarting, gates off. What was not saved is gone."]
    assert board.restarts == 1


def test_a_pack_is_shipped_only_by_saying_so_twice(board):
    board.publish(current_ma=0, bus_voltage_mv=13_312)
    assert board.ask("ship")[-1] == "If you want that: `ship now`."
    assert not board.services.shipped
    assert board.ask("ship today") == ["Usage: ship [now]"]
    assert board.ask("ship now")[0].startswith("The pack switches itself off")
    assert board.services.shipped


@pytest.mark.parametrize(
    ("points", "raised", "reason"),
    [
        ({"current_ma": 12_500}, (), "current flows"),
        ({"current_ma": 0, "bus_voltage_mv": 14_000}, (), "a charger is connected"),
        ({"current_ma": 0}, ("contactor_negative_welded",), "contactor_negative_welded"),
    ],
)
def test_a_pack_that_is_charged_or_welded_is_not_shipped(board, points, raised, reason):
    board.publish(**points)
    if raised:
        board.raise_faults("faults", *raised)
    (line,) = board.ask("ship now")
    assert line.startswith("Refused: ")
    assert reason in line
    assert not board.services.shipped


def test_a_deep_discharge_is_acknowledged_only_by_typing_its_name(board):
    board.raise_faults("faults", "deep_discharge")
    board.publish(lowest_cell_mv=1_730)
    lines = board.ask("acknowledge")
    assert lines[0].startswith("A cell was emptied below its minimum (1.730 V at rest).")
    assert lines[-1] == "If you take that on: `acknowledge deep_discharge`."
    assert board.requests.pending == requests.NONE
    assert board.ask("acknowledge yes") == ["Usage: acknowledge [deep_discharge]"]
    (line,) = board.ask("acknowledge deep_discharge")
    assert line.startswith(
        "Asked: a charger may bring up to 5.00 A until the cells are well again"
    )
    assert board.requests.pending == requests.ACKNOWLEDGE_DEEP_DISCHARGE


def test_nothing_is_acknowledged_without_the_fault_or_below_the_floor(board):
    (line,) = board.ask("acknowledge deep_discharge")
    assert line.startswith("No cell waits for that")
    board.raise_faults("faults", "deep_discharge", "cell_below_floor")
    (line,) = board.ask("acknowledge deep_discharge")
    assert line.startswith("A cell rested below the floor: nobody can allow charging it")
    assert board.requests.pending == requests.NONE


def test_an_acknowledgement_needs_an_unlocked_console(locked_board):
    locked_board.raise_faults("faults", "deep_discharge")
    assert locked_board.ask("acknowledge deep_discharge")[0].startswith("Locked:")
    assert locked_board.requests.pending == requests.NONE


def test_half_an_address_is_typed_and_shown_as_people_write_it(board):
    assert "192.168" in board.ask("set modbus_tcp_client_1_net 192.168")[0]
    assert board.parameters.value("modbus_tcp_client_1_net") == 192 << 8 | 168
    assert "= 192.168" in board.ask("get modbus_tcp_client_1_net")[0]
    for wrong in ("192", "192.168.1", "300.1", "a.b", "-1.2"):
        before = board.parameters.value("modbus_tcp_client_1_net")
        answer = "\n".join(board.ask("set modbus_tcp_client_1_net " + wrong))
        if wrong == "192":
            continue  # a plain number is one, too
        assert "0.0 to 255.254" in answer
        assert board.parameters.value("modbus_tcp_client_1_net") == before
