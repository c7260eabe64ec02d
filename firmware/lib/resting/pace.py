"""How often the fast path decides while nothing flows, and what brings the usual pace back.

Goals: `watch` is called after each step, so no coroutine is needed to wake: the step that sees a
current, a bad sample, a request or a protection on its way is the last one that came late.
The hold-over fits the pace (law 3). Of an awake pack it is three bad samples and 500 ms. Of a
slow one the first bad sample brings the usual pace back and the fourth opens. While the chip
sleeps it is 2 s more by time, however short the period: the chip measures once a second, so the
latest scan is up to 1 s old when it is read, and so is what it is read for. After waking that
stays for 2 s: until then it may take the chip 1 s to begin a scan (data sheet of the sibling
BQ76922, SLEEP mode).
Lent: `watch` keeps it in memory until the usual pace and the usual hold-over are back.
"""

from bms.measurement import HOLDOVER_MS
from bms.rest import BatteryAtRest
from bms.sample import MODE_NORMAL, MODE_SLEEP

_WAKING_MS = 2000
_SCAN_MS = 1000  # of a chip that sleeps: Voltage Time, as programmed


class Pace:
    """period_ms: between two steps now. quiet(): bms.rest's. stirred: somebody wants the usual
    pace back, or it came back."""

    def __init__(self, board, fast_path, battery, parameters):
        self._board = board
        self._fast_path = fast_path
        self._battery = battery
        self._at_rest = BatteryAtRest(battery, parameters)
        self._usual_ms = usual_ms = parameters.value("step_period_ms")
        self._slow = False  # or the chip sleeps
        self._waking_ms = 0  # until the hold-over is the usual one again
        self._holdover_ms = HOLDOVER_MS
        self.period_ms = usual_ms
        self.stirred = False
        self.quiet = self._at_rest.quiet

    def slow_down(self, period_ms, chip_mode):
        """From now on a step every `period_ms`, no less than now, and the chip in `chip_mode`.
        Coroutines only."""
        # Nobody wakes between these lines: the next step does.
        self._fast_path.watch = None
        self._holdover_ms = HOLDOVER_MS
        if chip_mode == MODE_SLEEP:
            self._holdover_ms += 2 * _SCAN_MS
        self._slow = True
        self._battery.chip_mode = chip_mode
        try:
            self._keep(period_ms)
        finally:
            self._fast_path.watch = self.watch

    def watch(self, elapsed_ms):
        """After each step."""
        if self._slow:
            if self.stirred or not self.quiet():
                self._slow = False
                self.stirred = True
                self._battery.chip_mode = MODE_NORMAL
                self._waking_ms = _WAKING_MS
                self._keep(self._usual_ms)
            return
        self._waking_ms -= elapsed_ms
        if self._waking_ms <= 0:
            self._at_rest.pace(self._usual_ms, 0, HOLDOVER_MS)
            self._fast_path.watch = None

    def _keep(self, period_ms):
        fast_path = self._fast_path
        self.period_ms = period_ms
        fast_path.late_ms = 2 * period_ms
        self._at_rest.pace(period_ms, period_ms - self._usual_ms, self._holdover_ms)
        self._board.start_timer(period_ms, fast_path.tick)
