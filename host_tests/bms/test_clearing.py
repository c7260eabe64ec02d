"""A person's "clear" while nothing is measured: it waits for a minute, and the log tells what came
of it. It never counts for what comes after it (law 4)."""

import pytest

from bms import requests
from bms.clearing import BEGINS, LAPSED, NOTHING, Clearing
from bms.fault_register import FaultRegister
from bms.faults import Faults
from bms.sample import (
    BUS_ERROR,
    CONFIGURATION_LOST,
    GATES_BOTH,
    OK,
    TRIP_HOST_WATCHDOG,
    TRIP_SHORT_CIRCUIT,
)
from host_tests.bms.bench import Bench

WAITS_MS = 60000
HOLD_MS = 5000
LASTS_MS = HOLD_MS + 3000  # what was seen a moment ago is held, and the chip lets go after it


def short_circuited():
    """A pack with a latched short circuit that is gone, while its chip is programmed anew."""
    bench = Bench().start()
    bench.chip.trips = TRIP_SHORT_CIRCUIT
    bench.run(1000)
    bench.chip.trips = 0
    bench.run(20000)
    assert bench.faults() == {"short_circuit"}
    bench.chip.programming_steps = 1000
    bench.ask(requests.REPROGRAM_AFE)
    bench.run(1000)
    assert not bench.chip.programmed
    bench.events()
    return bench


def told(bench):
    """What the log says of a person's word."""
    return [kind for kind, _, _ in bench.events() if kind in ("request", "cleared", "not_cleared")]


def test_asked_while_the_chip_is_programmed_it_waits_and_is_done():
    bench = short_circuited()
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(30000)
    assert bench.faults() == {"short_circuit"}
    assert bench.battery.clears == 0
    assert told(bench) == ["request"]
    bench.chip.programming_steps = 3
    bench.chip.start_programming()
    bench.run_until(lambda: not bench.faults(), 5000)
    bench.run(200)
    assert bench.chip.gates() == GATES_BOTH
    assert told(bench) == ["cleared"]
    assert bench.battery.clears == 1


def test_after_a_minute_it_lapses_and_the_log_says_that_it_came_to_nothing():
    bench = short_circuited()
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(WAITS_MS - 200)
    assert told(bench) == ["request"]
    bench.run(200)
    assert told(bench) == ["not_cleared"]
    bench.chip.programming_steps = 3
    bench.chip.start_programming()
    bench.run(60000)
    assert bench.faults() == {"short_circuit"}
    assert told(bench) == []
    assert bench.battery.clears == 0


def test_it_does_not_clear_what_came_while_it_waited():
    bench = short_circuited()
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    bench.chip.found_trips = TRIP_SHORT_CIRCUIT
    bench.battery.latch("boot_loop")  # comes after the person's word
    bench.chip.programming_steps = 3
    bench.chip.start_programming()
    bench.run(20000)
    assert "boot_loop" in bench.faults()
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(20000)
    assert bench.faults() == set()


@pytest.mark.parametrize("blind_ms", [5000, WAITS_MS + 1000])
def test_a_dead_chip_lets_it_wait_just_as_long(blind_ms):
    bench = Bench().start()
    bench.chip.trips = TRIP_SHORT_CIRCUIT
    bench.run(1000)
    bench.chip.trips = 0
    bench.run(20000)
    bench.chip.code = BUS_ERROR
    bench.run(1000)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(blind_ms)
    bench.chip.code = OK
    bench.run(20000)
    assert bench.faults() == (set() if blind_ms < WAITS_MS else {"short_circuit"})
    assert told(bench)[-1] == ("cleared" if blind_ms < WAITS_MS else "not_cleared")


def test_a_chip_that_goes_on_restarting_is_not_cleared_by_a_word_from_before():
    bench = Bench().start()

    def restarts():
        bench.chip.code = CONFIGURATION_LOST
        bench.step()
        bench.chip.code = OK
        bench.run(3000)

    for _ in range(3):
        restarts()
    assert "afe_restarting" in bench.faults()
    bench.chip.code = CONFIGURATION_LOST
    bench.step()
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    bench.chip.code = OK
    bench.run(1000)
    restarts()
    bench.run(60000)
    assert bench.faults() == {"afe_restarting"}
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(1000)
    assert bench.faults() == set()


def test_without_a_configuration_there_is_nothing_to_judge_and_the_log_says_so():
    bench = Bench(configured=False)
    bench.step()
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(WAITS_MS + 200)
    assert told(bench) == ["request", "not_cleared"]


def test_it_waits_until_the_load_detection_could_tell_whether_the_short_is_gone():
    """The detection needs a second (SLUUBY2B); a word of that second must not be lost."""
    bench = Bench().start()
    bench.chip.trips = TRIP_SHORT_CIRCUIT
    bench.run_until(lambda: bench.chip.detecting, 1000)
    bench.chip.trips = 0
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    assert bench.faults() == {"short_circuit"}
    bench.run(8000)
    assert bench.faults() == set()


def test_while_all_is_measured_it_is_done_at_once():
    bench = Bench()
    bench.battery.latch("boot_loop")
    bench.run(20000)
    bench.events()
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    assert bench.faults() == set()
    assert told(bench) == ["request", "cleared"]


# -- to the millisecond


class Alone:
    """A word to a register with one latched fault that is held for a while, and to a chip."""

    def __init__(self):
        faults = Faults()
        self._bit = faults.names.index("short_circuit")
        self.register = FaultRegister(faults)
        self.register.report(self._bit, HOLD_MS)
        self.register.step(0)
        self.recovered = []
        self.clearing = Clearing(self.register, self)

    def recover(self, trips):
        self.recovered.append(trips)

    def stands(self):
        return self.register.is_active(self._bit)

    def begin(self, trips=0):
        self.clearing.ask()
        assert self.clearing.step(0, True) == BEGINS
        self.clearing.begin(trips)
        return self


def test_nobody_asked_for_anything_in_the_beginning():
    alone = Alone()
    alone.register.step(HOLD_MS)
    for known in (False, True):
        assert alone.clearing.step(1000, known) == NOTHING
    alone.clearing.recover(0xFF)
    assert alone.stands() and alone.recovered == [] and alone.clearing.count == 0


@pytest.mark.parametrize("waited_ms", [WAITS_MS - 1, WAITS_MS])
def test_a_word_waits_for_a_measurement_to_the_millisecond(waited_ms):
    alone = Alone()
    alone.clearing.ask()
    assert alone.clearing.step(waited_ms - 1, False) == NOTHING
    in_time = waited_ms < WAITS_MS
    assert alone.clearing.step(1, False) == (NOTHING if in_time else LAPSED)
    assert alone.clearing.step(0, True) == (BEGINS if in_time else NOTHING)
    alone.register.step(HOLD_MS)
    alone.register.clear_asked(True)
    assert alone.stands() != in_time


def test_a_late_step_ends_the_wait_as_well():
    alone = Alone()
    alone.clearing.ask()
    assert alone.clearing.step(WAITS_MS + 1, False) == LAPSED
    assert alone.clearing.step(0, True) == NOTHING


@pytest.mark.parametrize("lasted_ms", [LASTS_MS - 1, LASTS_MS])
def test_a_word_counts_for_the_hold_and_three_seconds_in_which_something_is_measured(lasted_ms):
    alone = Alone().begin()
    assert alone.clearing.count == 1
    alone.clearing.step(60000, False)
    alone.clearing.step(lasted_ms - 1, True)
    assert alone.stands()
    alone.register.step(HOLD_MS)
    assert alone.clearing.step(1, True) == NOTHING
    assert alone.stands() == (lasted_ms == LASTS_MS)
    alone.register.clear_asked(True)  # nothing is asked for any more
    assert alone.stands() == (lasted_ms == LASTS_MS)


def test_the_chip_lets_go_of_what_stood_in_it_until_it_did_and_of_nothing_new():
    alone = Alone().begin(TRIP_SHORT_CIRCUIT)
    for _ in range(2):
        alone.clearing.recover(TRIP_SHORT_CIRCUIT | TRIP_HOST_WATCHDOG)
    assert alone.recovered == [TRIP_SHORT_CIRCUIT] * 2
    alone.clearing.recover(TRIP_HOST_WATCHDOG)
    alone.clearing.recover(TRIP_SHORT_CIRCUIT)
    assert alone.recovered == [TRIP_SHORT_CIRCUIT] * 2
