"""Every command with --json: one line of JSON that says what the text says."""

import json
import re
from array import array

import pytest

from bms import events, requests
from bms.cell_model import CellModel
from bms.events import Events
from bms.health import LEAKY, PAIRS, WEAK, Health
from bms.parameters import TYPE_SECRET
from bms.points import PATH_BUS_ABOVE, STATE_FAULT
from bms.table import INVALID
from cells.lfp import CELL
from cellsteward import console_docs
from console import twin
from console.commands import COMMANDS

NAMES = [row[0] for row in COMMANDS]


def ask(board, command):
    """The one line that answers, as the object it is."""
    (line,) = board.ask(command + " --json")
    return json.loads(line)


def point(board, name):
    """What the points table holds: a number or a list, None where nothing is known."""
    index = board.points.index(name)
    offset, count = board.points.offset(name), board.points.counts[index]
    values = [None if v == INVALID else v for v in board.points.live[offset : offset + count]]
    return values if count > 1 else values[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_answers_in_one_line_and_an_object(board, name):
    assert isinstance(ask(board, name), dict)
    assert board.console.failures == 0


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(twin.ROWS) - set(twin.DIALOGUES)))
def test_a_command_that_acts_says_what_it_says_to_people_or_gives_the_error(new_board, name):
    lines = new_board.ask(name)
    new_board.requests.pending = requests.NONE
    answer = ask(new_board, name)
    assert answer in ({"said": lines}, {"error": lines[0]})
    refused = lines[0].startswith(("Usage", "Refused", "No access", "No cell"))
    assert ("error" in answer) == refused


@pytest.mark.parametrize("name", twin.DIALOGUES)
def test_a_dialogue_says_that_it_is_one(board, name):
    argument = " capacity" if name == "measure" else ""
    assert ask(board, name + argument) == {
        "error": f"`{name}` is a dialogue; type it without --json and follow it"
    }


@pytest.mark.parametrize(
    "command",
    [
        "stauts", "--json", "set series_cells", "gates up", "unlock sesame", "log x", "status now",
        "set full_cell_mv 9", "set no_such 1", "get no_such", "help no_such", "lock",
        "acknowledge", "health",
    ],
)  # fmt: skip
def test_an_error_is_the_sentence_that_people_get(board, command):
    (sentence,) = board.ask(command)
    assert ask(board, command) == {"error": sentence}


def test_a_locked_console_refuses_programs_too(locked_board):
    (sentence,) = locked_board.ask("clear")
    assert sentence.startswith("Locked: ")
    assert ask(locked_board, "clear") == {"error": sentence}
    assert locked_board.requests.pending == requests.NONE
    assert ask(locked_board, "unlock 1")["error"].startswith("Wrong code.")
    assert ask(locked_board, "unlock 4321") == {"said": ["Unlocked for 10 min."]}


def test_nothing_measured_is_an_error_of_cells(board):
    board.publish(cell_voltage_mv=[INVALID] * 4)
    (sentence,) = board.ask("cells")
    assert ask(board, "cells") == {"error": sentence}


def test_a_request_that_waits_is_an_error(board):
    board.requests.post(requests.CAPTURE)
    assert ask(board, "gates off") == {
        "error": "Another request is being carried out: try again in a moment."
    }


def test_a_command_that_fails_says_so_and_is_counted_once(board):
    board.console.restart = None
    answer = ask(board, "restart")
    assert answer["error"].startswith("The command failed; please report this: TypeError")
    assert board.console.failures == 1


def test_a_failure_in_the_middle_still_ends_the_line_as_json(board):
    def records(_count):
        for sequence in range(1, 4):
            yield (sequence, 1, 5, events.STATE, 4, 0)
        raise OSError("flash")

    board.services.events_log.records = records
    answer = ask(board, "log")
    assert [event["sequence"] for event in answer["log_events"]] == [1, 2, 3]
    assert "OSError" in answer["error"]


def test_setting_and_saving_work_the_same(board):
    assert ask(board, "set full_cell_mv 3440")["said"][0].startswith("full_cell_mv = 3440 mV")
    assert board.parameters.value("full_cell_mv") == 3_440
    assert ask(board, "save") == {"said": ["Saved."]}
    assert ask(board, "gates off") == {
        "said": ["Asked: both gates open, until `gates auto`. `status` shows the result."]
    }
    assert board.requests.pending == requests.GATES_OFF


def test_status_has_the_sentence_the_faults_and_the_points_that_the_text_shows(board, monkeypatch):
    asked = set()
    plain = board.console.point
    monkeypatch.setattr(
        board.console, "point", lambda name, slot=0: (asked.add(name), plain(name, slot))[1]
    )
    board.publish(path_state=PATH_BUS_ABOVE, bus_voltage_mv=14_100)
    lines = board.ask("status")
    answer = ask(board, "status")
    assert answer["summary"] == lines[0]
    assert answer["causes"] == [line.strip() for line in lines[1:4]]
    assert asked <= set(answer["values"])  # whatever the text reads
    for name, value in answer["values"].items():
        assert value == point(board, name), name
    assert answer["values"]["soc_bp"] == 8_124
    assert answer["in_words"]["state"] == "active"
    assert answer["in_words"]["soc_quality"] == "synced"
    assert answer["in_words"]["charge_limit_reason"] == "maximum"
    assert answer["in_words"]["path_state"] == "bus_above_pack"
    assert answer["faults"] == answer["warnings"] == answer["configuration_problems"] == []
    assert answer["settings_unsaved"] is False


def test_what_is_not_measured_is_null(board):
    board.publish(pack_voltage_mv=INVALID, state=INVALID)
    answer = ask(board, "status")
    assert answer["values"]["pack_voltage_mv"] is None
    assert answer["in_words"]["state"] is None


def test_faults_are_named_with_advice_effect_and_whether_they_stay(board):
    board.publish(state=STATE_FAULT)
    board.raise_faults("faults", "cell_overvoltage", "afe_lost")
    board.raise_faults("warnings", "cell_undervoltage")
    lines = [line.strip() for line in board.ask("faults")]
    answer = ask(board, "faults")
    assert [row["name"] for row in answer["faults"]] == ["cell_overvoltage", "afe_lost"]
    assert [row["blocks"] for row in answer["faults"]] == [
        "charging", "charging and discharging",
    ]  # fmt: skip
    assert [row["latching"] for row in answer["faults"]] == [False, False]
    for row in answer["faults"] + answer["warnings"]:
        assert row["advice"] + "." in lines
    assert [row["name"] for row in answer["warnings"]] == ["cell_undervoltage"]
    assert ask(board, "status")["faults"] == answer["faults"]


def test_cells_are_a_list_from_the_negative_end(board):
    assert ask(board, "cells") == {
        "cell_voltage_mv": [3_320, 3_312, 3_339, 3_341],
        "cell_mean_mv": 3_328,
        "cell_min_index": 1,
        "cell_max_index": 3,
        "cell_delta_mv": 29,
        "cell_undervoltage_trip_mv": board.parameters.value("cell_undervoltage_trip_mv"),
        "cell_overvoltage_trip_mv": board.parameters.value("cell_overvoltage_trip_mv"),
        "balanced": [False, False, False, True],
        "temperature_dc": point(board, "temperature_dc"),
    }


def test_health_has_a_row_for_each_cell(board):
    state = Health(board.points, board.parameters, CellModel(CELL), Events())
    board.services.battery.health = state
    answer = ask(board, "health")
    assert answer["measurements"] == 0
    assert answer["cells"][0]["resistance_uohm"] is None
    state.kept[PAIRS] = 12
    state.kept[WEAK] = 0b0010
    state.kept[LEAKY] = 0b0100
    for cell in range(4):
        state.resistance.restore(cell, 60_000 if cell == 3 else 45_000, 45_000)
    state.weak_bp = array("i", [120, -980, 0, 90])
    state.leak_ua = array("i", [100, -200, 5_040, 0])
    answer = ask(board, "health")
    assert answer["measurements"] == 12
    for name, value in answer["values"].items():
        assert value == point(board, name), name
    # What the text shows as 0.450 mohm, 100 % of the first, -9.8 %, -0.2 mA, WEAK; test_health.
    assert answer["cells"][1] == {
        "resistance_uohm": 450, "first_percent": 100, "capacity_bp": -980, "leak_ua": -200,
        "weak": True, "leaks": False,
    }  # fmt: skip
    assert answer["cells"][3]["first_percent"] == 133
    assert answer["cells"][2]["leaks"] is True
    assert answer["cells"][2]["capacity_bp"] is None


def test_the_log_is_whole_and_newest_first_with_the_words_of_the_text(board):
    for number in range(1, 301):
        board.services.events_log.written.append((number, 2, number, events.STATE, 4, 0))
    board.services.events_log.written.append((301, 2, 400, events.FAULT, 0, INVALID))
    answer = ask(board, "log")["log_events"]
    assert [event["sequence"] for event in answer] == list(range(301, 0, -1))
    assert answer[0] == {
        "sequence": 301, "boot": 2, "uptime_s": 400, "kind": events.FAULT, "code": 0,
        "value": None, "in_words": "fault cell_overvoltage",
    }  # fmt: skip
    shown = [line.split(": ", 1)[1] for line in board.ask("log 3")]
    assert [event["in_words"] for event in ask(board, "log 3")["log_events"]] == shown[::-1]


def test_every_link_has_its_verdict_and_counters(board):
    board.publish(link_frames_in=[0, 7, 0, 0], link_frames_out=[0, 5, 0, 0])
    board.publish(link_verdict=[0, 1, 0, 0], link_age_s=[-1, 3, -1, -1], can_bus_offs=2)
    lines = board.ask("link")
    answer = ask(board, "link")
    assert [row["link"] for row in answer["links"]] == ["CAN", "RS485", "Modbus TCP", "Bluetooth"]
    row = answer["links"][1]
    assert lines[0] == "RS485: %s." % row["meaning"]
    assert (row["link_frames_in"], row["link_frames_out"], row["link_age_s"]) == (7, 5, 3)
    assert answer["can_bus_offs"] == 2


def test_raw_is_the_whole_points_table_and_every_setting_but_secrets(board):
    answer = ask(board, "raw")
    names = board.points.names
    assert answer["values"] == {
        names.name(index): point(board, names.name(index)) for index in range(len(board.points))
    }
    parameters = board.parameters
    assert answer["settings"] == {
        parameters.names.name(index): parameters.values[index]
        for index in range(len(parameters))
        if parameters.types[index] != TYPE_SECRET
    }


def test_get_shows_what_matches_and_explains_a_single_setting(board):
    everything = ask(board, "get")
    assert len(everything["settings"]) == len(board.parameters)
    assert everything["values"] == {}
    some = ask(board, "get soc_")
    assert some["values"]["soc_bp"] == 8_124
    lines = board.ask("get cell_overvoltage_trip_mv")
    one = ask(board, "get cell_overvoltage_trip_mv")
    setting = one["settings"]["cell_overvoltage_trip_mv"]
    assert setting["value"] == board.parameters.value("cell_overvoltage_trip_mv")
    assert lines == [
        f"cell_overvoltage_trip_mv = {setting['shown']}",
        f"  {one['help']}",
        f"  Allowed: {setting['allowed']}. When set: {one['when_set']}.",
    ]
    assert ask(board, "get cell_voltage_mv")["values"]["cell_voltage_mv"][:4] == [
        3_320, 3_312, 3_339, 3_341,
    ]  # fmt: skip


def test_a_secret_is_never_shown(locked_board):
    assert "4321" not in locked_board.type("get --json\rraw --json\rget access_code --json\r")


def test_help_and_version(board):
    assert [row["name"] for row in ask(board, "help")["commands"]] == NAMES
    (row,) = ask(board, "help set")["commands"]
    assert row == {
        "name": "set", "arguments": "NAME VALUE", "writes": True, "help": "Change a setting",
    }  # fmt: skip
    assert ask(board, "version") == {"version": "Cellsteward 1.2.3"}


def test_the_page_names_the_members_of_every_answer(board):
    board.services.battery.health = Health(
        board.points, board.parameters, CellModel(CELL), Events()
    )
    page = console_docs.PAGE.read_text(encoding="utf-8").split("## For programs")[1]
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    assert set(listed) == set(twin.ROWS)
    for name, text in listed.items():
        assert set(ask(board, name)) <= set(re.findall(r"`(\w+)`", text)), name


def test_the_line_leaves_in_small_pieces(board):
    ask(board, "get")
    assert max(len(data) for data in board.writes) < 400
    assert len(board.writes) > len(board.parameters) // 2
