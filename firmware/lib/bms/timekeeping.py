"""How long the battery has run, and whether its steps come in time.

A step is in time within two periods, which is what feeds the watchdog, too (law 6). One that is
late is made good by the next; a fault are steps that go on being late, as every protection is then
slower than its published time (docs/worst-case-times.md), whether the watchdog works or not.
Fast path only; nothing allocates.
"""

from bms.chip_care import HOLD_MS

_MS_PER_S = 1000


class Timekeeping:
    """uptime_s: since the start; longest_ms: the longest time between two steps. slow_ms: how much
    later than usual steps come while the pack rests, which is not late."""

    def __init__(self, parameters, faults, register):
        self._values = parameters.values
        self._overrun_ms = parameters.index("overrun_ms")
        self._in_time_ms = 2 * parameters.value("step_period_ms")
        # What late steps took; falls with those in time, or every other step might be late.
        self._late_ms = 0
        self._chip_watchdog_s = parameters.index("afe_watchdog_s")
        self._overrun = faults.names.index("fast_path_overrun")
        self._watchdog = faults.names.index("afe_watchdog")
        self._register = register
        self._started = False
        self._ms = 0
        self.uptime_s = 0
        self.longest_ms = 0
        self.slow_ms = 0

    def step(self, elapsed_ms):
        """Count a step. False: it came so late that the measuring chip's host watchdog bit."""
        if self._started:
            self.longest_ms = max(self.longest_ms, elapsed_ms)
        self._started = True  # before the first step the processor was busy starting
        self._ms += elapsed_ms
        while self._ms >= _MS_PER_S:
            self._ms -= _MS_PER_S
            self.uptime_s += 1
        values = self._values
        self._judge(max(elapsed_ms - self.slow_ms, 0), values[self._overrun_ms])
        if elapsed_ms < values[self._chip_watchdog_s] * _MS_PER_S:
            return True
        # The chip forgets that it bit as soon as it hears from us.
        self._register.report(self._watchdog, HOLD_MS)
        return False

    def _judge(self, elapsed_ms, overrun_ms):
        if elapsed_ms <= min(self._in_time_ms, overrun_ms):
            self._late_ms = max(self._late_ms - elapsed_ms, 0)
            return
        self._late_ms += elapsed_ms
        if self._late_ms > overrun_ms:
            self._late_ms = overrun_ms  # the next late step says so again
            self._register.report(self._overrun, HOLD_MS)
