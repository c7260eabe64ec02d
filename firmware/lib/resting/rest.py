"""Carries out what bms.power_states asks for, from the first quiet minute until something stirs.

Goals: nothing here decides about a gate, and nothing here has to wake anybody in time: that does
resting.pace, after the step that sees something. So a failure in here costs power and no safety.
Lent: in memory from the first quiet minute on, and while the pack switches itself off.
"""

import asyncio
import sys

from bms.power_states import ACTIVE, SHIP, PowerStates
from bms.ship_rules import charger_holds
from bms.table import INVALID, give_back
from links.diagnosis import CRC_ERRORS, FRAMES_IN, LINKS, UNKNOWN
from resting.pace import Pace

_POINTS = ("cell_min_mv", "bus_voltage_mv", "pack_voltage_mv")
_CONTACTOR = 2  # choice of the parameter power_path
_TURN_MS = 1000
_LISTEN_MS = 60  # awake after each sleep, so that the others have their turn and links their ears
_SPARE_MS = 3  # awake that much before the next step
_PAUSE_S = 600  # after links, a person or a failure ended a rest
_QUIET_MAX_S = 1 << 24
_LENT = (
    "resting.rest", "resting.pace", "resting.ship",
    "bms.rest", "bms.power_states", "bms.ship_rules",
)  # fmt: skip


async def rest(application, board):
    """Rest until something stirs; switch the pack off if that is what it comes to.

    application: app.Application, of which resting, asked_to_ship, resting_state (what the point
    `power_state` shows) and fast_path.watch are this one's.
    """
    pace = None
    try:
        await fetched(application)
        pace = Pace(board, application.fast_path, application.battery, application.parameters)
        if await Rest(application, board, pace).run():
            from resting.ship import ship

            await ship(application, board)
    except Exception as failure:
        print("resting failed, the board stays awake:")
        sys.print_exception(failure)
        application.asked_to_ship = False  # else it is tried again every second
    application.quiet_s = -_PAUSE_S
    if pace is not None:
        pace.stirred = True
    application.resting_state[0] = ACTIVE
    for name in _LENT:
        give_back(name)
    application.resting = None


async def fetched(application):
    """Load the names that come next, in pieces: at once it takes more than a hundred ms."""
    for table in (application.parameters, application.points, application.faults):
        for _ in table.fetch():
            await asyncio.sleep_ms(0)


class Rest:
    """One rest."""

    def __init__(self, application, board, pace):
        parameters = application.parameters
        points = application.points
        # Contactors hold more power than sleep would save.
        sleeps = application.afe.SLEEPS and parameters.value("power_path") != _CONTACTOR
        self._application = application
        self._board = board
        self._pace = pace
        self._states = PowerStates(parameters, sleeps)
        self._snapshot = points.new_snapshot()
        # Asked for once: the table with their names is lent, too.
        self._places = [points.offset(name) for name in _POINTS]
        self._traffic = self._count_traffic()
        self._quiet_s = 0

    async def run(self):
        """Until something stirs, or until the pack shall switch itself off: True then."""
        application = self._application
        battery = application.battery
        pace = self._pace
        states = self._states
        board = self._board
        last = board.ticks_ms()
        while self._quiet() and not application.asked_to_ship:
            now = board.ticks_ms()
            elapsed_ms = board.ticks_diff(now, last)
            last = now
            self._quiet_s = min(self._quiet_s + elapsed_ms // _TURN_MS, _QUIET_MAX_S)
            application.resting_state[0] = self._decide(elapsed_ms)
            if states.state == SHIP:
                return True
            if states.period_ms < pace.period_ms:  # a step brings it back, and us to an end
                return False
            if states.period_ms > pace.period_ms or states.chip_mode != battery.chip_mode:
                pace.slow_down(states.period_ms, states.chip_mode)
            if states.dozes:
                await self._doze()
            else:
                await asyncio.sleep_ms(_TURN_MS)
        return application.asked_to_ship

    def _quiet(self):
        """Whether the fast path saw nothing, no link heard anything, and nobody types."""
        application = self._application
        traffic = self._traffic
        self._traffic = self._count_traffic()
        return (
            not self._pace.stirred
            and self._pace.quiet()
            and self._traffic == traffic
            and application.door.console is None
        )

    def _count_traffic(self):
        values = self._application.diagnosis.values
        came = 0
        for link in range(len(LINKS)):
            came += values[FRAMES_IN + link] + values[CRC_ERRORS + link] + values[UNKNOWN + link]
        return came

    def _decide(self, elapsed_ms):
        self._application.points.snapshot_into(memoryview(self._snapshot))
        lowest_mv, bus_mv, pack_mv = [self._snapshot[place] for place in self._places]
        empty = self._application.battery.empty() and lowest_mv != INVALID
        charger = charger_holds(bus_mv, pack_mv)
        return self._states.step(elapsed_ms, self._quiet_s, lowest_mv, empty, charger)

    async def _doze(self):
        """The processor stands still until the next step is due."""
        fast_path = self._application.fast_path
        board = self._board
        await asyncio.sleep_ms(_LISTEN_MS)
        since_ms = board.ticks_diff(board.ticks_ms(), fast_path.last)
        left_ms = self._pace.period_ms - since_ms - _SPARE_MS
        if left_ms > 0 and not self._pace.stirred:
            board.doze(left_ms)
        await asyncio.sleep_ms(_SPARE_MS)
