"""Reading a BQ76952's data memory back and comparing it with what it was told.

Goals: one bounded piece a call (at most 32 bytes of memory, less than 3 ms of bus time with CRC),
so that it can go on all the time while the chip guards: reading is allowed outside of
CONFIG_UPDATE (afe.md section 1). One walk over all blocks serves programming, the start-up
self-test and the supervision afterwards, one after the other.
Limits: called from the fast path only; allocates nothing after construction.
"""

from afe.bq76952_stages import MORE
from bms.sample import OK, VERIFY_FAILED

_WINDOW = 32  # bytes of data memory in one answer


class Verification:
    """`link` and `image` are the driver's. Begin with `restart`."""

    def __init__(self, link, image):
        self._link = link
        self._image = image
        self._run = 0  # next block to look at

    def restart(self):
        """Begin with the first block again."""
        self._run = 0

    def step(self, sent):
        """Compare a piece. MORE: it is right, others follow. OK: all is.

        The call after OK begins anew. VERIFY_FAILED: the chip holds something else. BUSY (`sent`
        True next time, if nothing else was sent meanwhile), BUS_ERROR or CORRUPT: the piece was
        not compared.
        """
        runs = self._image.runs
        start = _word(runs[self._run])
        code = self._link.ask(start, sent)
        if code != OK:
            return code
        if not self._matches(start):
            return VERIFY_FAILED
        if self._run < len(runs):
            return MORE
        self._run = 0
        return OK

    def _matches(self, start):
        """Compare all blocks that lie in the answer that begins at `start`, and step over them."""
        runs = self._image.runs
        answer = self._link.answer
        while self._run < len(runs):
            run = runs[self._run]
            offset = _word(run) - start
            size = len(run) - 2
            if offset + size > _WINDOW:
                return True
            for at in range(size):
                if answer[offset + at] != run[2 + at]:
                    return False
            self._run += 1
        return True


def _word(view):
    return view[0] | view[1] << 8
