"""Finds a temperature sensor that stands still while the others move.

A working sensor's reading flickers by a count and follows its cells; one whose converter is frozen
shows the same number for ever, and would let the cells burn or freeze unseen.
A single sensor is compared with the measuring chip. That one sits on a board which a current warms
by 10 degrees within minutes, while large cells in a cool cellar hardly follow. So the chip has to
move twice as far and the sensor to stand still four times as long, to the last 0.1 degree: by the
defaults 20 degrees within two hours or more, in which cells that carry a current change, too.
Limits: a sensor that is held at a constant temperature for half an hour while the others move by
10 degrees counts as frozen, too (by the defaults). A single one in a pack whose board is never far
from one temperature is not found, and sensors that freeze together are not.
Fast path only; nothing allocates after construction.
"""

from array import array

from bms.table import INVALID

_STILL_MAX_MS = 1 << 29
_MS_PER_S = 1000
# For a single sensor, see above
_CHIP_FARTHER = 2
_CHIP_LONGER = 4


class ThermistorWatch:
    """`temperatures_dc` is the sample's array, in 0.1 degrees."""

    def __init__(self, temperatures_dc, parameters):
        self._temperatures = temperatures_dc
        self._values = parameters.values
        self._moved_dc = parameters.index("thermistor_frozen_dc")
        self._still_s = parameters.index("thermistor_frozen_s")
        # No reading is INVALID: the first one counts as a move, also one of just 0 degrees.
        self._last = array("i", [INVALID] * len(temperatures_dc))
        self._others = array("i", self._last)  # sum of the others when it last moved
        self._still_ms = array("i", self._last)
        self._single = len(temperatures_dc) == 1

    def frozen(self, elapsed_ms, chip_dc):
        """Look at one good sample; `chip_dc` is its measuring chip's own temperature. Index of a
        sensor that is frozen, -1 if none is."""
        temperatures = self._temperatures
        total = 0
        for index in range(len(temperatures)):
            total += temperatures[index]
        found = -1
        limit_ms = self._values[self._still_s] * _MS_PER_S
        limit_dc = self._values[self._moved_dc] * (len(temperatures) - 1)
        if self._single:
            total += chip_dc
            limit_ms *= _CHIP_LONGER
            limit_dc = self._values[self._moved_dc] * _CHIP_FARTHER
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
            if still_ms >= limit_ms and moved_dc >= limit_dc:
                found = index
        return found
