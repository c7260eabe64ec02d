"""The log's ring: in order, complete, and honest about what did not fit; and what goes into it."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms import events, requests
from bms.events import Events
from bms.points import (
    PATH_ON,
    STATE_ACTIVE,
    STATE_FAULT,
    STATE_PROGRAMMING,
    STATE_SELF_TEST,
    STATE_STARTING,
)
from bms.sample import BUS_ERROR, GATE_DISCHARGE, GATES_BOTH
from bms.table import INVALID
from host_tests.bms.bench import Bench

ROOM = 47  # one of 48 places stays free, to tell full from empty


def take(ring):
    event = array("i", [0] * events.FIELDS)
    return tuple(event) if ring.take_into(event) else None


def test_kinds_are_numbered_in_the_order_of_their_names():
    named = ("BOOT", "FAULT", "FAULT_OVER", "GATES", "STATE", "AFE_TRIP", "CLEARED", "REQUEST",
             "PATH", "LOST", "LAST_FAULT", "NOT_CLEARED", "CELLS", "SHIP")  # fmt: skip
    names = tuple(name.lower() for name in named)
    assert names == events.KINDS
    for number, name in enumerate(named):
        assert getattr(events, name) == number


def test_nothing_waits_at_first():
    ring = Events()
    assert ring.waiting() == ring.lost == 0
    assert take(ring) is None


def test_an_empty_ring_leaves_the_event_alone():
    event = array("i", [1, 2, 3, 4])
    assert not Events().take_into(event)
    assert list(event) == [1, 2, 3, 4]


def test_what_does_not_fit_is_counted_and_never_overwrites_what_waits():
    ring = Events()
    for number in range(ROOM + 5):
        assert ring.waiting() == min(number, ROOM)
        ring.post(events.FAULT, number, -number, 1000 + number)
    assert ring.lost == 5
    for number in range(ROOM):
        assert take(ring) == (events.FAULT, number, -number, 1000 + number)
    assert take(ring) is None
    assert ring.lost == 5  # since the start


@given(st.lists(st.one_of(st.integers(1, 60), st.integers(-60, -1)), max_size=30))
def test_events_come_out_in_order_whenever_they_are_taken(turns):
    """Posts (positive) and takes (negative), against a list."""
    ring = Events()
    waiting = []
    number = lost = 0
    for turn in turns:
        for _ in range(turn):
            number += 1
            ring.post(events.STATE, number, number * 2, number * 3)
            if len(waiting) < ROOM:
                waiting.append((events.STATE, number, number * 2, number * 3))
            else:
                lost += 1
        for _ in range(-turn):
            assert take(ring) == (waiting.pop(0) if waiting else None)
        assert ring.waiting() == len(waiting)
        assert ring.lost == lost


def test_a_start_is_logged_from_programming_to_closed_gates():
    bench = Bench().start()
    assert bench.events() == [
        ("state", STATE_PROGRAMMING, 0),
        ("state", STATE_SELF_TEST, 0),
        ("state", STATE_STARTING, 0),
        ("path", PATH_ON, 0),
        ("state", STATE_ACTIVE, 0),
        ("gates", GATES_BOTH, 0),
    ]


def test_a_fault_is_logged_with_its_value_and_its_consequences_and_its_end():
    bench = Bench().start()
    bench.events()
    bench.chip.cell_mv[2] = 3777
    bench.run(1200)
    assert bench.events() == [
        ("fault", "cell_overvoltage", 3777),
        ("state", STATE_FAULT, 0),
        ("gates", GATE_DISCHARGE, 0),
    ]
    bench.chip.cell_mv[2] = 3300
    bench.run(5200)
    assert bench.events() == [
        ("fault_over", "cell_overvoltage", 0),
        ("state", STATE_ACTIVE, 0),
        ("gates", GATES_BOTH, 0),
    ]


def test_a_fault_without_a_signal_is_logged_without_a_value():
    bench = Bench().start()
    bench.events()
    bench.chip.code = BUS_ERROR
    bench.run(600)
    assert bench.events()[0] == ("fault", "afe_lost", INVALID)


def test_several_faults_of_one_step_are_logged_in_the_order_of_their_bits():
    bench = Bench().start()
    bench.events()
    for name in ("afe_trip_unseen", "current_sensor_lost", "inverter_lost", "cell_overvoltage"):
        bench.battery.condition(name, True)
    bench.step()
    faults = [event[1] for event in bench.events() if event[0] == "fault"]
    assert faults == ["cell_overvoltage", "inverter_lost", "current_sensor_lost",
                      "afe_trip_unseen"]  # fmt: skip


def test_nothing_is_logged_while_nothing_changes():
    bench = Bench().start()
    bench.events()
    bench.run(60000)
    assert bench.events() == []


def test_requests_are_logged_when_they_are_carried_out():
    bench = Bench().start()
    bench.events()
    bench.ask(requests.GATES_OFF)
    assert bench.events() == []
    bench.step()
    assert ("request", requests.GATES_OFF, 0) in bench.events()


def test_a_failed_step_is_logged_once():
    bench = Bench().start()
    bench.events()
    bench.chip.failure = MemoryError("no room")
    bench.run(1000)
    assert bench.events() == [("fault", "step_failed", INVALID)]


def test_events_carry_the_uptime():
    bench = Bench().start()
    bench.run(61000)
    bench.events()
    bench.ask(requests.GATES_OFF)
    bench.step()
    assert take(bench.log) == (events.REQUEST, requests.GATES_OFF, 0, bench.now_ms // 1000)


def test_a_storm_without_a_reader_loses_the_last_events_not_the_first():
    bench = Bench().start()
    bench.events()
    for turn in range(100):
        bench.battery.condition("afe_lost", turn % 2 == 0)
        bench.step()
    assert bench.log.waiting() == ROOM
    assert bench.log.lost > 0
    assert bench.events()[0] == ("fault", "afe_lost", INVALID)


@pytest.mark.parametrize("seen", [True, False])
def test_a_clear_is_logged_when_it_was_carried_out(seen):
    """While nothing is measured, nothing is cleared."""
    bench = Bench().start()
    if not seen:
        bench.chip.code = BUS_ERROR
        bench.run(1000)
    bench.events()
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    kinds = [event[0] for event in bench.events()]
    assert kinds.count("cleared") == bench.battery.clears == (1 if seen else 0)
    assert kinds.count("request") == 1


def test_an_event_of_the_slow_path_waits_for_the_next_step_and_holds_up_the_one_after_it():
    log = Events()
    assert log.hand_over(events.CELLS, 1, 0b100)
    assert log.waiting() == 0
    assert not log.hand_over(events.CELLS, 0, 0b1)
    log.post_handed(70)
    log.post_handed(71)
    assert log.waiting() == 1
    event = array("i", [0] * events.FIELDS)
    assert log.take_into(event)
    assert list(event) == [events.CELLS, 1, 0b100, 70]
    assert log.hand_over(events.CELLS, 0, 0b1)
