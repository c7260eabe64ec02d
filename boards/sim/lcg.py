"""Small repeatable random numbers, the same on MicroPython and CPython.

`random` differs between the two, and a simulated pack must be the same pack everywhere.
"""

_MASK = 0x7FFFFFFF


class Lcg:
    """Linear congruential generator with the constants of the ISO C standard's example."""

    def __init__(self, seed):
        self._state = (seed * 2654435761 + 1) & _MASK  # spreads neighbouring seeds apart
        self.uniform(0, 1)

    def uniform(self, low, high):
        """A float in low..high."""
        self._state = (self._state * 1103515245 + 12345) & _MASK
        return low + (high - low) * (self._state >> 8) / (_MASK >> 8)
