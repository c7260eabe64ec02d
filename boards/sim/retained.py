"""Memory of the simulated processor that a watchdog or soft reset leaves alone.

Stands in for machine.mem_backup() of an RP2040: the watchdog's seven free scratch registers, 28
bytes (micropython.md, "What decides designs", 2), which take whole words only (RP2040 data sheet
2.1.4). A loss of power clears them.
"""

from array import array

_WORDS = 7


class Retained:
    """words: what the firmware reads and writes, 32 bits each."""

    def __init__(self):
        self.words = array("I", [0] * _WORDS)

    def save(self):
        """The content as a list that JSON can hold."""
        return list(self.words)

    def restore(self, saved):
        """Take back what `save` gave."""
        for word in range(_WORDS):
            self.words[word] = saved[word]
