"""A person's "clear", which takes a while: what was seen a moment ago is held, and the measuring
chip has to let go of its own latch first.

It is for what stood when it was asked for, never for what comes after (law 4).
Fast path only; nothing allocates.
"""

from bms.chip_care import HOLD_MS

_LASTS_MS = HOLD_MS + 3000


class Clearing:
    """`register` is the fault register, `afe` the driver. count: times somebody asked."""

    def __init__(self, register, afe):
        self._register = register
        self._afe = afe
        self._left_ms = 0
        self._trips = 0  # TRIP_* bits that it is for
        self.count = 0

    def ask(self, trips):
        """Clear what stands now; `trips`: TRIP_* bits that stand in the chip."""
        self._register.clear()
        self._trips = trips
        self._left_ms = _LASTS_MS
        self.count += 1

    def step(self, elapsed_ms):
        """At the beginning of a step, before causes that are still there report themselves."""
        if self._left_ms:
            self._left_ms = max(0, self._left_ms - elapsed_ms)
            self._register.clear_asked(self._left_ms > 0)

    def recover(self, trips):
        """Have the chip let go; `trips` stand in it now. Again in each step, until it did."""
        self._trips &= trips
        if self._trips:
            self._afe.recover(self._trips)
