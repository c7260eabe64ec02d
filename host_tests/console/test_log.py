"""What a person reads in the event log."""

import pytest

from bms import events, requests, sample
from bms.point_words import PATH_STATES, STATES
from bms.points import STATE_FAULT
from bms.table import INVALID


def show(board, kind, code=0, value=0):
    """The words for one event."""
    board.services.events_log.written.append((71, 4, 11_520, kind, code, value))
    line = board.ask("log 1")[0]
    head, _, words = line.partition(": ")
    assert head == "    71  start 4, 3 h 12 min"
    return words


def bit(board, fault):
    return board.faults.names.index(fault)


def test_an_empty_log_says_so(board):
    assert board.ask("log") == ["The log is empty."]


def test_the_latest_events_are_shown_and_the_newest_is_last(board):
    board.services.events_log.written = [
        (number, 1, number, events.CLEARED, 0, 0) for number in range(1, 31)
    ]
    numbers = [int(line.split()[0]) for line in board.ask("log")]
    assert numbers == list(range(11, 31))
    numbers = [int(line.split()[0]) for line in board.ask("log 3")]
    assert numbers == [28, 29, 30]
    assert len(board.ask("log 100")) == 30


def test_no_more_events_are_held_in_memory_than_200(board):
    board.services.events_log.written = [
        (number, 1, number, events.CLEARED, 0, 0) for number in range(1, 251)
    ]
    lines = board.ask("log 240")
    assert lines[0].startswith("    51  ")
    assert lines[-1] == "The latest 200, no more at once."
    assert len(lines) == 201


def test_a_number_is_asked_for(board):
    assert board.ask("log all") == ["Usage: log [N]"]
    assert board.ask("log -3") == ["Usage: log [N]"]


def test_every_event_has_words(board):
    assert show(board, events.BOOT, 1, 12) == "started after watchdog"
    assert show(board, events.BOOT, 0, 12) == "started after power on"
    assert show(board, events.GATES, 1) == "gates: charge on, discharge off"
    assert show(board, events.GATES, 2) == "gates: charge off, discharge on"
    assert show(board, events.STATE, STATE_FAULT) == "state fault"
    assert show(board, events.CLEARED) == "a person cleared the latched faults"
    assert show(board, events.LOST, 0, 9) == "9 events came too fast and are lost"
    assert show(board, events.FAULT_OVER, bit(board, "afe_lost")) == "over: afe_lost"


@pytest.mark.parametrize(
    ("fault", "value", "words"),
    [
        ("cell_overvoltage", 3_671, "fault cell_overvoltage at 3.671 V"),
        ("overcurrent_discharge", 123_400, "fault overcurrent_discharge at 123.4 A"),
        ("undertemperature_charge", -15, "fault undertemperature_charge at -1.5 C"),
        ("cell_imbalance", 950, "fault cell_imbalance at 950 mV"),
        ("stack_mismatch", 620, "fault stack_mismatch at 620 mV"),
        ("deep_discharge", 1_900, "fault deep_discharge at 1.900 V"),
        ("gates_off_current", 1_500, "fault gates_off_current at 1.50 A"),
        ("afe_lost", INVALID, "fault afe_lost"),
        ("cell_overvoltage", INVALID, "fault cell_overvoltage"),
    ],
)
def test_a_fault_is_shown_with_the_value_that_raised_it(board, fault, value, words):
    assert show(board, events.FAULT, bit(board, fault), value) == words


@pytest.mark.parametrize("state", range(len(PATH_STATES)))
def test_the_power_path_is_shown_in_words(board, state):
    assert show(board, events.PATH, state) == "power path " + PATH_STATES[state].replace("_", " ")


TRIPS = [name for name in vars(sample) if name.startswith("TRIP_")]


@pytest.mark.parametrize("name", TRIPS)
def test_every_trip_of_the_chip_has_the_words_of_its_name(board, name):
    words = name.removeprefix("TRIP_").lower().replace("_", " ")
    shown = show(board, events.AFE_TRIP, 0, getattr(sample, name))
    assert shown == "the measuring chip tripped: " + words


def test_several_trips_are_told_apart(board):
    both = sample.TRIP_SHORT_CIRCUIT | sample.TRIP_CELL_UNDERVOLTAGE
    assert show(board, events.AFE_TRIP, 0, both).endswith(": cell undervoltage, short circuit")


REQUESTS = [name for name, value in vars(requests).items() if name.isupper() and value]


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_has_words(board, name):
    words = show(board, events.REQUEST, getattr(requests, name))
    assert words.startswith("asked: ")
    assert "number" not in words


def test_events_of_a_newer_version_are_shown_as_numbers(board):
    assert show(board, len(events.KINDS), 3, 4) == "event of kind %d, code 3, value 4" % len(
        events.KINDS
    )
    assert show(board, events.STATE, len(STATES)) == "state number %d" % len(STATES)
    assert show(board, events.FAULT, 200, 7) == "fault number 200"
    assert show(board, events.REQUEST, 99) == "asked: number 99"
