"""Keeps what must survive a reset or a power cut: events, latched faults, deep discharge, health.

Three stores with three costs. The processor's retained memory is written every second and survives
a watchdog or soft reset; the state files and the event log survive a power cut, and are written
only when there is something new, in batches, because a flash write stalls an RP2040. So are the
files of the pack's health, `health_a.json` and `health_b.json`, a few times a day: `k0`, `k1` and
so on are the values of `kept` in bms.health.
The estimates of bms.checkpoint have files, too, because they are written most often. A board with
an FRAM keeps state and estimates there.
Coroutine and start-up only, never the fast path. A flash that fails is a fault of its own
(`event_log_failed`); what could not be written is tried again.
"""

import asyncio
from array import array

from bms.events import RESET_CAUSES
from bms.fault_register import WORDS
from bms.table import INVALID, give_back
from storage.event_log import EventLog, EventLogError
from storage.retained import Retained
from storage.slots import Slots
from storage.state import SavedState, StateError

COUNTERS = ("boots", "watchdog_resets", "events_logged")
"""Names of the points whose values are in `Recorder.counters`."""

_PERIOD_MS = 1000
_BATCH = 16  # events a write: one block of flash
_PAUSE_MAX_S = 60
_FRAM_MOVED_BP = 5  # between two writes of the estimates, which cost an FRAM nothing
_COMMISSIONED = "commissioned_"  # before the names of bms.commissioning.IDENTITY
_LATCHED = ("latched_0", "latched_1", "latched_2", "latched_3")


class Recorder:
    """`begin` at start, `restore` before the first step, then `run` as a service.

    directory: of the files; retained: the board's memory of storage.retained; events: the ring of
    bms.events; fram: where a board has one, I2C bus and address of storage.fram, which then holds
    state and estimates. counters: what the points of COUNTERS show. cause: why the processor
    started.
    """

    def __init__(self, directory, retained, events, fram=None):
        self._directory = directory
        self.events_log = EventLog(directory + "log")
        self.counters = array("i", [0] * len(COUNTERS))
        self.cause = RESET_CAUSES[0]
        self._fram = fram
        self._state = SavedState(directory, self._pair("state"))
        self._health = Slots(directory, "health", "kept")
        self._estimates = self._pair("estimates")
        self._retained = Retained(retained)
        self._events = events
        self._words = array("i", [0] * WORDS)
        self._leaving = False
        self._latched = array("i", [0] * WORDS)  # the fast path's own

    def _pair(self, stem):
        files = Slots(self._directory, stem, stem)
        if self._fram is None:
            return files
        from storage.fram import FramSlots

        return FramSlots(self._fram, self._directory, stem, stem, files)

    def begin(self, cause):
        """Find out what was before. Never raises."""
        self.cause = cause
        self._retained.begin(cause)
        self._state.load()
        self.events_log.open()
        self.counters[0] = self.events_log.boot
        self.counters[1] = self._retained.watchdog_resets

    def flash_problems(self):
        """Why the flash check of the self-test failed, in sentences; after `begin`."""
        from recorder import restoring

        give_back("recorder.restoring")
        return restoring.flash_problems(self._directory, self._state, self.events_log)

    def problems(self):
        """What could not be read, in sentences."""
        return self._state.problems + self.events_log.problems + self._health.problems

    def commissioned(self):
        """The saved record of the commissioned pack, or None."""
        from bms.commissioning import IDENTITY

        record = {name: self._state.get(_COMMISSIONED + name, INVALID) for name in IDENTITY}
        return None if INVALID in record.values() else record

    def save_commissioned(self, record):
        """Keep a record. Raises StateError, whose text says what to do."""
        self._state.update({_COMMISSIONED + name: record[name] for name in record})

    def expect_reset(self):
        """The firmware resets the processor by itself: that is no failure."""
        self._leaving = True
        self._retained.expect_reset()

    def restore(self, battery):
        """Give the battery what it knew before it stopped."""
        from recorder import restoring

        give_back("recorder.restoring")
        restoring.restore(
            battery,
            _LATCHED,
            self._words,
            self._state,
            self._retained,
            self._health,
            self._estimates,
            self._events,
        )
        if self._fram is not None and battery.checkpoint is not None:
            battery.checkpoint.moved_bp = _FRAM_MOVED_BP

    def keep(self, battery):
        """Put what must survive a reset into the retained memory. Fast path; allocates nothing."""
        battery.keep_due = False
        if self._leaving:
            return  # nothing may be stored after `expect_reset`
        battery.latched_into(self._latched)
        self._retained.store(self._latched, battery.restricted, battery.last_fault)

    async def run(self, battery):
        """Write what is new, once a second; after a failure with growing pauses, because every
        try may stall the processor."""
        pause_s = 1
        wait_s = 0
        begun = False
        while True:
            if wait_s == 0:
                problem = self._write_events(begun)
                begun = True
                await asyncio.sleep_ms(0)  # another flash write, another stall
                problem = self._write_state(battery) or problem
                await asyncio.sleep_ms(0)
                problem = self._write_health(battery.health) or problem
                await asyncio.sleep_ms(0)
                problem = self._write_estimates(battery.checkpoint) or problem
                if problem and pause_s == 1:
                    print("events or state are not kept: %s" % problem)
                pause_s = min(2 * pause_s, _PAUSE_MAX_S) if problem else 1
                wait_s = pause_s if problem else 0
                battery.condition("event_log_failed", problem is not None)
                self.counters[0] = self.events_log.boot
                self.counters[2] = self.events_log.last_sequence
            await asyncio.sleep_ms(_PERIOD_MS)
            wait_s = max(0, wait_s - 1)
            self._retained.note_second()
            battery.keep_due = True  # a person's `gates off` is no fault, but is kept as well

    def _write_events(self, begun):
        """Returns why it did not work, or None."""
        try:
            if not begun:
                self.events_log.append_boot(RESET_CAUSES.index(self.cause))
            self.events_log.append(self._events, _BATCH)
        except EventLogError as problem:
            return problem
        return None

    def _write_state(self, battery):
        """Returns why it did not work, or None."""
        try:
            self._state.update(self._what_stands(battery))
        except StateError as problem:
            return problem
        return None

    def _write_health(self, health):
        """Returns why it did not work, or None."""
        if health is None or not health.keep_due:
            return None
        problem = self._health.write({"k%d" % at: value for at, value in enumerate(health.kept)})
        health.keep_due = bool(problem)
        return problem

    def _write_estimates(self, checkpoint):
        """Returns why it did not work, or None."""
        if checkpoint is None or not checkpoint.due:
            return None
        problem = self._estimates.write(checkpoint.kept())
        if not problem:
            checkpoint.written()
        return problem

    def _what_stands(self, battery):
        battery.latched_into(self._words)
        stands = {name: self._words[word] for word, name in enumerate(_LATCHED)}
        stands["restricted"] = int(battery.restricted)
        stands["forbidden"] = battery.forbidden
        stands["lowest_cell_mv"] = battery.deep_discharge.lowest_mv
        stands["deep_discharge_acknowledged"] = int(battery.deep_discharge.keeps())
        stands["empty"] = int(battery.empty())
        stands["undervoltage_rebounds"] = battery.rebounds.count
        return stands
