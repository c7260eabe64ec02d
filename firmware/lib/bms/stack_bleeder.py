"""Balancing of a stack of two measuring chips: a bleeder for each (bms.bleeder), seen as one.

Goals: masks stay small integers in the fast path: each chip has its own, of 16 cells at most.
Limits: imported only where the driver is a stack. In the moment between the two halves of `want`
a step may tell one chip what is wanted now and the other what was wanted before: at the border two
neighbours may then be bled together for a step, each through the resistors of its own chip.
"""

from bms.bleeder import Bleeder

_WORD = 16


class StackBleeder:
    """`lower` and `upper` are the drivers of the chips; the lower one has the first `lower_cells`
    cells.

    active, active_high: bit masks of the cells 1 to 16 and 17 to 32 that are bled. refused,
    permitted: as of bms.bleeder.
    """

    def __init__(self, lower, upper, lower_cells):
        self._lower = Bleeder(lower)
        self._upper = Bleeder(upper)
        self._lower_cells = lower_cells
        self._word_cells = _WORD - lower_cells  # of the upper chip, that the first word shows
        self.active = self.active_high = 0

    @property
    def refused(self):
        """Whether a chip named other cells than it was told."""
        return self._lower.refused or self._upper.refused

    @property
    def permitted(self):
        """Whether the latest step allowed any bleeding."""
        return self._lower.permitted

    def want(self, cells):
        """What the slow path wants bled, a mask of up to 32 cells. Say it again every second."""
        self._lower.want(cells & (1 << self._lower_cells) - 1)
        self._upper.want(cells >> self._lower_cells)

    def forget(self):
        """The chips are programmed anew, which ends all balancing."""
        self._lower.forget()
        self._upper.forget()
        self._show()

    def step(self, elapsed_ms, permitted):
        """Tell each chip what changed, or that it may go on; `permitted`: nothing forbids it."""
        self._lower.step(elapsed_ms, permitted)
        self._upper.step(elapsed_ms, permitted)
        self._show()

    def stop(self):
        """The firmware stops: a last try. Never raises."""
        self._lower.stop()
        self._upper.stop()
        self._show()

    def _show(self):
        upper = self._upper.active
        low = upper & (1 << self._word_cells) - 1
        self.active = self._lower.active | low << self._lower_cells
        self.active_high = upper >> self._word_cells
