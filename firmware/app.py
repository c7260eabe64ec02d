"""The only place that knows everybody: builds the battery and its links, then runs them.

The fast path runs from the board's timer. Everything else is a coroutine here, each under
supervision: one that fails is named on the console, and started again with back-off; it never
stops another. Leaving `run` stops the timer with the gates off.
"""

import asyncio
import gc
import sys
from array import array

import micropython

from bms import requests
from bms.access import Access
from bms.battery import Battery
from bms.events import Events
from bms.faults import Faults
from bms.parameters import APPLIES_AFE, Parameters
from bms.points import Points
from bms.table import give_back
from console.door import Door
from links.diagnosis import Diagnosis
from recorder.recorder import COUNTERS, Recorder
from serving.serial import SerialLinks
from storage.configuration import Configuration, ConfigurationError

VERSION = "0.1.0"

_WATCHDOG_MS = 3000
_SLOW_PERIOD_MS = 1000
_COLLECT_PERIOD_S = 5  # here, where a stall of 5 to 30 ms hurts nobody (micropython.md)
_SLOW_ALIVE_MS = 5000  # the slow path counts as dead after this long without a turn
_RESTART_FIRST_MS = 1000
_RESTART_LAST_MS = 60000
_SAVE_AFTER_S = 5
_LINK_WARN, _LINK_TIGHTEN, _LINK_OPEN = range(3)  # choices of link_loss_policy
_SILENCE_MAX_MS = 1 << 29
_REST_AFTER_S = 60  # without a sign of life: what knows how to rest is loaded
_HEALTHY_S = 120  # a service that ran this long starts again without delay when it fails


class FastPath:
    """What the board's timer calls. Feeds the watchdog only on proof of progress (law 6).

    watchdog: bites when this or the slow path stops working; None: there is none yet. slow_age_ms:
    since the slow path's latest turn. late_ms: a step that took longer feeds nobody. last: when
    the latest one was. watch: None, or called after each step, while nothing flows (resting.pace).
    """

    def __init__(self, board, battery, keep, period_ms):
        self._battery = battery
        self.watch = None
        self._keep = keep  # called with the battery after a fault came or went
        self._ticks_ms = board.ticks_ms
        self._ticks_diff = board.ticks_diff
        self.late_ms = 2 * period_ms
        self.last = board.ticks_ms()
        self.slow_age_ms = 0
        self.watchdog = None

    def tick(self, _timer=None):
        """One step; late callbacks are made good by the elapsed time."""
        now = self._ticks_ms()
        elapsed_ms = self._ticks_diff(now, self.last)
        self.last = now
        # The lock makes law 7 more than a promise: no collection of garbage can stall a decision,
        # and MicroPython keeps the frames of larger functions on the stack instead of the heap.
        micropython.heap_lock()
        try:
            self._battery.step(elapsed_ms)
            if self._battery.keep_due:
                self._keep(self._battery)
        finally:
            micropython.heap_unlock()
        self.slow_age_ms = min(self.slow_age_ms + elapsed_ms, _SLOW_ALIVE_MS + 1)
        if (
            self.watchdog is not None
            and self._battery.failure is None
            and elapsed_ms <= self.late_ms
            and self.slow_age_ms <= _SLOW_ALIVE_MS
        ):
            self.watchdog.feed()
        if self.watch is not None:
            self.watch(elapsed_ms)


class Application:
    """Builds everything once; `main` runs it until something stops the program."""

    def __init__(self, board):
        self._board = board
        _wait_until_woken(board)
        self._built = False
        self.parameters = Parameters()
        self.points = Points()
        self.faults = Faults()
        self.events = Events()
        self.configuration = Configuration("/")
        self.parameters.check = self._board_problems
        self.configuration.load(self.parameters)
        value = self.parameters.value
        fram = getattr(board, "fram", None)
        self.recorder = Recorder("/", board.retained(), self.events, fram)
        self.recorder.begin(board.reset_cause())
        self.diagnosis = Diagnosis()
        from starting import parts

        chip = self.afe = parts.measuring_chip(board, self.parameters)
        path = parts.power_path(board, chip, self.parameters, self.faults)
        self.battery = Battery(
            self.points,
            self.parameters,
            self.faults,
            self.afe,
            path,
            self.events,
            self.configuration.loaded,
            board.interlock if value("interlock") else None,
            parts.relays(board, self.parameters),
            (
                (COUNTERS, self.recorder.counters),
                (parts.link_points(), self.diagnosis.values),
                (("power_state",), self._prepare_rest()),
                (parts.taken(self.parameters), chip.image.taken),
            ),
            parts.cell_model(self.parameters) if self.configuration.loaded else None,
        )
        give_back("starting.parts")
        self.recorder.restore(self.battery)
        unreadable = self.recorder.flash_problems()
        for problem in self.recorder.problems() + unreadable:
            print(problem)
        if unreadable:
            from bms.point_words import SELF_TESTS

            self.battery.fail_check(SELF_TESTS.index("flash"))
        give_back("bms.point_words")
        self.check_commissioned()
        if self.configuration.loaded:
            self._offer_calibration()
        self._link = None  # to the inverter, once it runs
        self._keepalives = 0  # of the inverter, as counted last
        self._link_loss = self.parameters.index("link_loss_s")
        self._link_policy = self.parameters.index("link_loss_policy")
        self._silence_ms = -1  # since the latest one; -1: not heard yet
        self._clears = 0  # of faults by a person, as counted last
        self.fast_path = FastPath(board, self.battery, self.recorder.keep, value("step_period_ms"))
        self._serial = SerialLinks(
            self.points,
            self.parameters,
            self.faults,
            self.battery.requests,
            self.changed_by_bus,
            self.diagnosis,
        )
        self.console_lock = Access(self.parameters, trusted=True)
        self.door = Door(self._new_console)
        self._reprogram = False
        self._built = True
        self._running_s = 0
        self._save_in_s = 0  # until what a bus changed is written to flash; 0: nothing to write
        self.services = [
            ("slow path", self._slow_path),
            ("recorder", self._recorder),
            ("rs485", self._rs485),
        ]
        if value("modbus_tcp_port"):
            self.services.append(("modbus tcp", self._modbus_tcp))
        if value("inverter_profile"):
            self.services.append(("inverter", self._inverter))
        self.services.append(("console", self._console))

    def _prepare_rest(self):
        """What resting.rest finds here; returns the array for the point `power_state`."""
        self.quiet_s = 0  # in which nothing flowed; below 0: a pause
        # Where the current is among the points, and what is none among the settings
        self._calm = self.points.offset("current_ma"), self.parameters.index("idle_current_ma")
        # The task of resting.rest; whether a person wants the pack switched off (resting.ship)
        self.resting, self.asked_to_ship = None, False
        self.resting_state = array("i", [0])
        return self.resting_state

    def _board_problems(self, values):
        """Why this board can not guard a pack with these settings, in sentences."""
        from starting import checks

        refused = checks.board_problems(self._board, self.parameters, values)
        give_back("starting.checks")  # until the next change
        if self._built and not self.afe.equipped:
            self.afe.put_away()  # what the checks loaded of it
        gc.collect()
        return refused

    def check_commissioned(self):
        """No gate closes for a pack that nobody confirmed, or that was another one then."""
        from bms.commissioning import Commissioning

        fits = Commissioning(self.parameters).fits(self.recorder.commissioned())
        give_back("bms.commissioning")
        self.battery.condition("not_commissioned", self.configuration.loaded and not fits)

    @property
    def calibrator(self):
        """Who saves a calibration and hands it to the chip, for `calibrate`. Lent."""
        from starting.calibrating import Calibrator

        cells = self.parameters.value("series_cells")
        return Calibrator("/", self.afe.image, cells, self.changed)

    def _offer_calibration(self):
        """At the start, what is saved."""
        from starting import calibrating

        for problem in self.calibrator.offer():
            print(problem)
        calibrating.put_away()

    def start_guarding(self):
        """Start the timer and the watchdog: from here on the fast path decides."""
        self._board.start_timer(self.parameters.value("step_period_ms"), self.fast_path.tick)
        self.fast_path.watchdog = self._board.watchdog(_WATCHDOG_MS)

    async def main(self):
        """Run all services for ever."""
        tasks = [
            asyncio.create_task(self._supervise(name, service)) for name, service in self.services
        ]
        for task in tasks:
            await task  # none of them ever ends

    def changed(self, applies):
        """Some parameters changed; `applies` holds the APPLIES_* bits of what that needs."""
        self.check_commissioned()
        if applies & APPLIES_AFE:
            self._reprogram = True

    def changed_by_bus(self, applies):
        """The same, from a bus: nobody there says "save", so it happens when all is quiet."""
        self.changed(applies)
        self._save_in_s = _SAVE_AFTER_S

    def _save_when_quiet(self):
        if self._save_in_s:
            self._save_in_s -= 1
            if self._save_in_s == 0:
                try:
                    self.configuration.save(self.parameters)
                except ConfigurationError as refused:
                    print("settings from the bus were not saved: %s" % refused)

    async def _supervise(self, name, service):
        pause_ms = _RESTART_FIRST_MS
        while True:
            began_s = self._running_s
            try:
                await service()
            except Exception as failure:
                print("service '%s' failed, again in %d ms:" % (name, pause_ms))
                sys.print_exception(failure)
            if self._running_s - began_s > _HEALTHY_S:
                pause_ms = _RESTART_FIRST_MS
            await asyncio.sleep_ms(pause_ms)
            pause_ms = min(2 * pause_ms, _RESTART_LAST_MS)

    async def _equip_chip(self):
        """The code that programs and tests the measuring chip is in memory only meanwhile."""
        if self.battery.preparing:
            if not self.afe.equipped:
                for _ in self.afe.equip():
                    await asyncio.sleep_ms(0)
        elif self.afe.equipped:
            from starting import calibrating

            calibrating.check(self)
            self.afe.put_away()
            gc.collect()

    async def _slow_path(self):
        board = self._board
        last = board.ticks_ms()
        reported = False
        while True:
            now = board.ticks_ms()
            elapsed_ms = board.ticks_diff(now, last)
            last = now
            self.diagnosis.step(elapsed_ms)
            for _ in self.battery.slow_turns(elapsed_ms):
                await asyncio.sleep_ms(0)
            await asyncio.sleep_ms(0)
            self._serial.step(elapsed_ms)
            self.console_lock.step(elapsed_ms)
            if self._reprogram:
                self._reprogram = not self.battery.requests.post(requests.REPROGRAM_AFE)
            if self.battery.failure is not None and not reported:
                reported = True
                print("the fast path failed, gates are off:")
                sys.print_exception(self.battery.failure)
            self._watch_link(elapsed_ms)
            self._save_when_quiet()
            await self._equip_chip()
            self._running_s += 1
            self.parameters.second()
            self.points.second()
            self.faults.second()
            self.door.second()
            if self._running_s % _COLLECT_PERIOD_S == 0:
                gc.collect()
            self._look_for_rest()
            self.fast_path.slow_age_ms = 0
            await asyncio.sleep_ms(_SLOW_PERIOD_MS)

    def _look_for_rest(self):
        """After a quiet minute, what knows how to rest is loaded (resting.rest), and stays until
        something stirs."""
        current, idle = self._calm
        # A current that is not measured is INVALID, which is far from 0.
        calm = abs(self.points.live[current]) < self.parameters.values[idle]
        self.quiet_s = self.quiet_s + 1 if calm else min(self.quiet_s, 0)
        if self.resting is None and (self.quiet_s >= _REST_AFTER_S or self.asked_to_ship):
            self.quiet_s = -_REST_AFTER_S  # without room for it: later, and the slow path goes on
            from resting.rest import rest

            self.resting = asyncio.create_task(rest(self, self._board))

    def _watch_link(self, elapsed_ms):
        """Armed once the inverter was heard: then its silence is what the settings make of it.

        Counted here, so that a link that fails and is built anew does not disarm it. A person's
        `clear` does: an inverter that the open gates left without supply can not speak first.
        """
        values = self.parameters.values
        keepalives = self._link.keepalives if self._link is not None else 0
        if keepalives != self._keepalives:
            self._keepalives = keepalives
            self._silence_ms = 0
        elif self._silence_ms >= 0:
            self._silence_ms = min(self._silence_ms + elapsed_ms, _SILENCE_MAX_MS)
        if self.battery.clears != self._clears:
            self._clears = self.battery.clears
            self._silence_ms = -1
        silent = self._silence_ms > 1000 * values[self._link_loss]
        policy = values[self._link_policy]
        self.battery.condition("inverter_lost", silent and policy != _LINK_OPEN)
        self.battery.condition("inverter_required", silent and policy == _LINK_OPEN)
        self.battery.tighten(silent and policy == _LINK_TIGHTEN)

    async def _recorder(self):
        await self.recorder.run(self.battery)

    async def _rs485(self):
        baud = int(self._choice("modbus_baud"))
        uart, transmit_enable = self._board.rs485_port(baud)
        await self._serial.rs485(uart, baud, transmit_enable)

    async def _modbus_tcp(self):
        listener = self._board.tcp_listener(self.parameters.value("modbus_tcp_port"))
        try:
            await self._serial.tcp(listener)
        finally:
            listener.close()

    async def _inverter(self):
        # Imported here: a board without an inverter does not pay for the link to one.
        from inverter.link import InverterLink
        from inverter.profiles import load

        board = self._board
        points = self.points
        profile = load(self._choice("inverter_profile"), points, self.faults, self.parameters)
        give_back("inverter.profiles")
        from starting import can as choice

        can = choice.controller(board, self._choice)
        link = InverterLink(
            can,
            profile,
            points,
            self.diagnosis,
            board.ticks_ms,
            board.ticks_diff,
            self._shut_down,
        )
        self._link = link
        await link.run()

    def _shut_down(self):
        """The inverter asks the pack to switch itself off. True once that is under way."""
        return self.battery.requests.post(requests.GATES_OFF)

    async def _console(self):
        await self.door.run(self._board.console_port())

    def _new_console(self):
        from starting import desk

        console = desk.console(self, self._board, VERSION)
        give_back("starting.desk")  # the console keeps what it needs of it
        return console

    def _choice(self, name):
        index = self.parameters.index(name)
        return self.parameters.choices(index)[self.parameters.values[index]]


def _wait_until_woken(board):
    """A pack that switched itself off sleeps until its measuring chip wakes."""
    from resting import shipped

    shipped.wait(board)
    give_back("resting.shipped")


application = None
"""The running application, for whoever looks at it from the REPL after an interrupt."""


def run(board, confirm=None):
    """Build the application and run it; however it ends, the gates are off. `confirm` is one more
    service: that of an update on trial (update.py)."""
    global application
    try:
        application = Application(board)
        if confirm:
            application.services.append(("trial", confirm))
        application.start_guarding()
        asyncio.run(application.main())
    finally:
        board.stop_timer()
        board.gates_off()
