"""Has the measuring chip bleed the cells that the slow path wants, and sees to it that it stops.

Goals: only `step` of the fast path comes here, so that only it uses the chip's bus; what may not
be discharged is not bled; the command is refreshed before the chip's own time-out, read back once
after each change, and withdrawn when the slow path falls silent.
Limits: at most one command or one reading back a step; allocates nothing after construction.
"""

from bms.sample import BUSY, OK

_SILENT_MS = 5000  # without a turn of the slow path nothing is wanted any more
_CONFIRM_MS = 500  # after a command, until it is read back
_RETRY_MS = 1000  # between two tries on a bus that fails
_LONGEST_MS = 1 << 20


class Bleeder:
    """`afe` is a driver: `balance(mask)`, `read_balancing(sent)`, `balancing_cells` and what its
    chip asks for (`BALANCE_REFRESH_MS`).

    active: bit mask of the cells that the chip was told to bleed, bit 0 is cell 1. active_high:
    of cells 17 and up, which a stack has (bms.stack_bleeder).
    refused: whether the chip, asked what it bleeds, named other cells than it was told.
    permitted: whether the latest step allowed any bleeding.
    """

    active_high = 0

    def __init__(self, afe):
        self.active = 0
        self.refused = False
        self.permitted = False
        self._afe = afe
        self._refresh_ms = afe.BALANCE_REFRESH_MS
        self._wanted = 0
        self._silent_ms = 0  # since the slow path said what it wants
        self._told_ms = 0  # since the chip was told
        self._failed_ms = 0  # until a command that failed is tried again
        self._unsure = False  # the chip may bleed something else than `active`
        self._confirm = False  # its answer is still to be read
        self._asked = False  # it was busy when it was asked

    def want(self, cells):
        """What the slow path wants bled from now on, a bit mask. Say it again every second."""
        self._wanted = cells
        self._silent_ms = 0

    def forget(self):
        """The chip is programmed anew, which ends all balancing."""
        self.active = 0
        self.permitted = False
        self.refused = False
        self._unsure = False
        self._confirm = False

    def step(self, elapsed_ms, permitted):
        """Tell the chip what changed, or that it may go on; `permitted`: nothing forbids it."""
        self.permitted = permitted
        self._silent_ms = min(self._silent_ms + elapsed_ms, _LONGEST_MS)
        self._told_ms = min(self._told_ms + elapsed_ms, _LONGEST_MS)
        self._failed_ms = max(0, self._failed_ms - elapsed_ms)
        wanted = self._wanted if permitted and self._silent_ms <= _SILENT_MS else 0
        if (
            wanted != self.active
            or self._unsure
            or (wanted and self._told_ms + elapsed_ms > self._refresh_ms)
        ):
            if self._failed_ms == 0:
                self._tell(wanted)
        elif self._confirm and self._told_ms >= _CONFIRM_MS:
            self._read_back()

    def stop(self):
        """The firmware stops: a last try; the chip's own time-out is behind it. Never raises."""
        self._wanted = 0
        self.active = 0
        try:
            self._afe.balance(0)
        except Exception:
            self.refused = False  # nothing to lose: nobody asks any more

    def _tell(self, cells):
        self._confirm = self._confirm or cells != self.active
        if self._afe.balance(cells) == OK:
            self.active = cells
            self._told_ms = 0
            self._unsure = False
        else:
            # Perhaps the chip took it: until it is told again, both may be so.
            self.active |= cells
            self._unsure = True
            self._failed_ms = _RETRY_MS

    def _read_back(self):
        code = self._afe.read_balancing(self._asked)
        # Something else may be sent before the answer is there: ask anew every other time.
        self._asked = code == BUSY and not self._asked
        if code == OK:
            self._confirm = False
            self.refused = self._afe.balancing_cells != self.active
