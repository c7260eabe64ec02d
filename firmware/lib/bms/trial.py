"""The limited first current of a new pack: which way does the shunt count?

Commissioning closes the gates for a short time and a small current; a person connects a small
load. A negative current is right; a positive one means that the shunt's sense wires are swapped.
Fast path only; nothing allocates.
"""

_LIMIT_MS = 30000
_SEEN_MA = 200  # more than the offset of a cheap shunt
_SEEN_MS = 1000

# Results, as commissioning reads them.
IDLE = 0
RUNNING = 1
DISCHARGE_SEEN = 2
CHARGE_SEEN = 3
NOTHING_SEEN = 4
ABORTED = 5


class Trial:
    """result: one of the above, of the trial that is running or ran last."""

    def __init__(self):
        self.result = IDLE
        self._left_ms = 0
        self._seen_ms = 0

    def start(self):
        """Gates may close from now on, for at most half a minute."""
        self.result = RUNNING
        self._left_ms = _LIMIT_MS
        self._seen_ms = 0

    def running(self):
        """Whether the gates are closed for the trial."""
        return self.result == RUNNING

    def abort(self):
        """Something else opened the gates."""
        if self.result == RUNNING:
            self.result = ABORTED

    def step(self, current_ma, elapsed_ms):
        """One good measurement while it runs."""
        self._left_ms -= elapsed_ms
        if -_SEEN_MA < current_ma < _SEEN_MA:
            self._seen_ms = 0
            if self._left_ms <= 0:
                self.result = NOTHING_SEEN
            return
        # The sign must stand: from one way to the other counts anew.
        step_ms = elapsed_ms if current_ma > 0 else -elapsed_ms
        if self._seen_ms * step_ms < 0:
            self._seen_ms = 0
        self._seen_ms += step_ms
        if self._seen_ms >= _SEEN_MS:
            self.result = CHARGE_SEEN
        elif self._seen_ms <= -_SEEN_MS:
            self.result = DISCHARGE_SEEN
        elif self._left_ms <= -_LIMIT_MS:
            self.result = NOTHING_SEEN  # a current that changes its way all the time
