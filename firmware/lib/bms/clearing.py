"""A person's "clear", which takes a while: what was seen a moment ago is held, and the measuring
chip has to let go of its own latch first. While nothing is measured (the chip is being programmed)
it waits for a minute, because whether a cause is gone can not be known; then it lapses.

It is for what stood when it was asked for, never for what comes after (law 4).
Fast path only; nothing allocates.
"""

from bms.chip_care import HOLD_MS

_LASTS_MS = HOLD_MS + 3000
_WAITS_MS = 60000

# What a step says
NOTHING = 0
BEGINS = 1
LAPSED = 2  # nothing was measured all the time: it came to nothing


class Clearing:
    """`register` is the fault register, `afe` the driver. count: times a person's word counted."""

    def __init__(self, register, afe):
        self._register = register
        self._afe = afe
        self._wait_ms = 0  # until what was asked for lapses; 0: nothing was
        self._left_ms = 0
        self._trips = 0  # TRIP_* bits that it is for
        self.count = 0

    def ask(self):
        """Clear what stands now, as soon as that can be judged."""
        self._register.ask()
        self._wait_ms = _WAITS_MS

    def begin(self, trips):
        """What was asked for begins; `trips`: TRIP_* bits that stand in the chip."""
        self._register.clear_asked(True)
        self._trips = trips
        self._left_ms = _LASTS_MS
        self.count += 1

    def step(self, elapsed_ms, known):
        """At the beginning of a step, before causes that are still there report themselves.

        known: whether anything valid is measured. Returns one of the words above.
        """
        if self._wait_ms:
            self._wait_ms = 0 if known else max(0, self._wait_ms - elapsed_ms)
            if known:
                return BEGINS
            if not self._wait_ms:
                self._register.clear_asked(False)
                return LAPSED
        elif known and self._left_ms:
            self._left_ms = max(0, self._left_ms - elapsed_ms)
            self._register.clear_asked(self._left_ms > 0)
        return NOTHING

    def recover(self, trips):
        """Have the chip let go; `trips` stand in it now. Again in each step, until it did."""
        self._trips &= trips
        if self._trips:
            self._afe.recover(self._trips)
