"""How much of the board runs while nothing flows: which state, and what leads to it.

Goals: what wakes does so by one step of the fast path (bms.battery.quiet), never by this; here is
only who may rest, how deeply, and when a pack that is nearly empty switches itself off. The chip's
own protections are on in every state but `ship`, in which both gates are open.
Limits: `step` about once a second, from a coroutine. Lent: in memory only while nothing flows.
"""

from bms.sample import MODE_NORMAL, MODE_OFF, MODE_SLEEP
from bms.table import give_back, rows

ACTIVE, IDLE, SLEEP, SHIP = range(4)

_MODES = {"normal": MODE_NORMAL, "sleep": MODE_SLEEP, "off": MODE_OFF}

_READS = (
    "idle_after_s", "sleep_after_s", "processor_sleep", "ship_cell_mv", "ship_after_min",
    "step_period_ms", "afe_watchdog_s",
)  # fmt: skip

# The chip's host watchdog bites after afe_watchdog_s without the processor: four decisions fit.
_WATCHDOG_SHARE_MS = 250
_MS_PER_MIN = 60000


class PowerStates:
    """sleeps: whether the measuring chip has a mode in which it measures seldom and still guards.

    state: the present one. period_ms, chip_mode (bms.sample.MODE_*), dozes: what it asks for.
    """

    def __init__(self, parameters, sleeps):
        self._values = parameters.values
        self._places = [parameters.index(name) for name in _READS]
        from bms.power_state_rows import ROWS

        self._rows = [row[1:4] for row in rows(ROWS)]
        give_back("bms.power_state_rows")
        self._sleeps = sleeps
        self._low_ms = 0  # for so long a cell has been below the limit, without a charger
        self._enter(ACTIVE)

    def step(self, elapsed_ms, quiet_s, lowest_mv, empty, charger):
        """The state of now.

        quiet_s: since the latest sign of life, 0: there is one now. lowest_mv: lowest cell.
        empty: undervoltage blocks the discharge. charger: somebody holds the terminals above the
        pack. SHIP is asked for once, and stays.
        """
        idle_s, sleep_s, _, ship_mv, ship_min, _, _ = self._settings()
        low = empty and lowest_mv < ship_mv and quiet_s and not charger
        self._low_ms = self._low_ms + elapsed_ms if low else 0
        if self.state == SHIP or 0 < _MS_PER_MIN * ship_min <= self._low_ms:
            self._enter(SHIP)
        elif self._sleeps and 0 < sleep_s <= quiet_s:
            self._enter(SLEEP)
        elif 0 < idle_s <= quiet_s:
            self._enter(IDLE)
        else:
            self._enter(ACTIVE)
        return self.state

    def _enter(self, state):
        _, _, dozes, _, _, usual_ms, watchdog_s = self._settings()
        row = self._rows[state]
        longest_ms = _WATCHDOG_SHARE_MS * watchdog_s
        self.state = state
        self.period_ms = max(usual_ms, min(int(row[0]), longest_ms))
        self.chip_mode = _MODES[row[1]]
        self.dozes = row[2] == "yes" and dozes == 1

    def _settings(self):
        return [self._values[place] for place in self._places]
