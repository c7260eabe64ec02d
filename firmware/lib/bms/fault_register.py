"""Which faults are active or latched now, and which gates they block.

Fast path only; nothing here allocates after construction. A fault is reported again in every step
in which its cause is present. It stays active for the hold time it was reported with, so that a
flickering cause does not make the gates chatter; a latching fault stays until a person clears it.
Words hold 16 faults each, so that masks never become heap objects on the boards.
"""

from array import array

from bms.table import INVALID

WORDS = 4
_GONE = -1  # neither active nor latched


class FaultRegister:
    """State of every fault of a `bms.faults.Faults` table.

    waived: GATE_* bits that a fault does not block for now, by fault (an acknowledged deep
    discharge). measured: the signal that made a fault active, INVALID where there is none.
    urgent: whether a blocking fault allows no delay, since the last step. kept: faults that
    `ask` leaves alone, because a person has to say more than that.
    """

    def __init__(self, faults):
        self._table = faults
        self.words = array("i", [0] * WORDS)
        self.waived = bytearray(len(faults))
        self.measured = array("i", [INVALID] * len(faults))
        self._held_ms = array("i", [_GONE] * len(faults))
        self._present = bytearray(len(faults))
        self.urgent = False
        self.kept = bytearray(len(faults))
        self._asked = bytearray(len(faults))  # to be cleared as soon as its hold time is over
        self._any = False  # whether a step has anything to look at

    def report(self, bit, hold_ms):
        """The cause of fault `bit` is present in this step."""
        if not self.is_active(bit):
            self._asked[bit] = 0  # it came after somebody asked to clear it
        self._present[bit] = 1
        self._held_ms[bit] = hold_ms
        self._any = True

    def renew(self, bit, hold_ms):
        """As `report`, and the cause came anew: what a person asked for before was not for it."""
        self.report(bit, hold_ms)
        self._asked[bit] = 0

    def is_active(self, bit):
        """Whether the fault is active or latched."""
        return self.words[bit >> 4] >> (bit & 15) & 1 == 1

    def is_latched(self, bit):
        """Whether the fault outlives its cause and is here."""
        return self._table.latching[bit] and self._held_ms[bit] != _GONE

    def restore(self, bit):
        """A latching fault stood when the processor stopped: it stands again."""
        if self._table.latching[bit]:
            self._held_ms[bit] = 0
            self.words[bit >> 4] |= 1 << (bit & 15)
            self._any = True

    def step(self, elapsed_ms):
        """Let time pass once all causes were reported. Returns the GATE_* bits blocked."""
        self.urgent = False
        if not self._any:
            return 0
        blocked = 0
        self._any = False
        held_ms = self._held_ms
        present = self._present
        words = self.words
        for bit in range(len(present)):
            if held_ms[bit] < 0:
                continue
            if present[bit]:
                present[bit] = 0
                words[bit >> 4] |= 1 << (bit & 15)
            elif held_ms[bit] > elapsed_ms:
                held_ms[bit] -= elapsed_ms
            elif self._table.latching[bit]:
                held_ms[bit] = 0
            else:
                held_ms[bit] = _GONE
                words[bit >> 4] &= ~(1 << (bit & 15))
                continue
            blocks = self._table.blocks[bit] & ~self.waived[bit]
            if blocks and blocks == self._table.blocks[bit] and self._table.urgent[bit]:
                self.urgent = True
            blocked |= blocks
            self._any = True
        return blocked

    def ask(self):
        """A person asks to clear the latched faults that stand now; `clear_asked` does."""
        for bit in range(len(self._present)):
            if not self.kept[bit]:
                self._asked[bit] = self.is_latched(bit)

    def clear_asked(self, more):
        """Forget what was asked for and whose cause is gone; the others stay (law 4), and what was
        seen a moment ago stays asked for. `more` False: never mind."""
        for bit in range(len(self._asked)):
            if self._asked[bit]:
                if more:
                    self.clear_one(bit)
                else:
                    self._asked[bit] = 0

    def clear_one(self, bit):
        """Forget one latched fault if its cause is gone."""
        if self._table.latching[bit] and self._held_ms[bit] == 0 and not self._present[bit]:
            self._held_ms[bit] = _GONE
            self.words[bit >> 4] &= ~(1 << (bit & 15))
