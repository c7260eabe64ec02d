"""Finds a temperature sensor that stands still while the others move.

A working sensor's reading flickers by a count and follows its cells; one whose converter is frozen
shows the same number for ever, and would let the cells burn or freeze unseen.
Limits: needs two sensors; one that is held at a constant temperature for half an hour while the
others move by 10 degrees counts as frozen, too (by the defaults).
Fast path only; nothing allocates after construction.
"""

from array import array

_STILL_MAX_MS = 1 << 29
_MS_PER_S = 1000


class ThermistorWatch:
    """`temperatures_dc` is the sample's array, in 0.1 degrees."""

    def __init__(self, temperatures_dc, parameters):
        self._temperatures = temperatures_dc
        self._values = parameters.values
        self._moved_dc = parameters.index("thermistor_frozen_dc")
        self._still_s = parameters.index("thermistor_frozen_s")
        self._last = array("i", temperatures_dc)
        self._others = array("i", temperatures_dc)  # sum of the others when it last moved
        self._still_ms = array("i", [0] * len(temperatures_dc))

    def frozen(self, elapsed_ms):
        """Look at one good sample. Index of a sensor that is frozen, -1 if none is."""
        temperatures = self._temperatures
        total = 0
        for index in range(len(temperatures)):
            total += temperatures[index]
        found = -1
        limit_ms = self._values[self._still_s] * _MS_PER_S
        limit_dc = self._values[self._moved_dc] * (len(temperatures) - 1)
        for index in range(len(temperatures)):
            reading = temperatures[index]
            if reading != self._last[index]:
                self._last[index] = reading
                self._others[index] = total - reading
                self._still_ms[index] = 0
                continue
            still_ms = min(self._still_ms[index] + elapsed_ms, _STILL_MAX_MS)
            self._still_ms[index] = still_ms
            moved_dc = abs(total - reading - self._others[index])
            if limit_dc and still_ms >= limit_ms and moved_dc >= limit_dc:
                found = index
        return found
