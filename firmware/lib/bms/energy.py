"""Counts the energy that went into the pack and came out of it, in Wh over its life.

Slow path. Integers only: what is not a whole Wh yet waits in W times ms. A second that was not
measured counts nothing. The totals go to flash with the state of charge (bms.checkpoint): a power
cut loses what flowed since the latest write, half a percent of the pack at most.
"""

from array import array

POINTS = ("charged_wh", "discharged_wh")

_WMS_A_WH = 3_600_000
_MAX_WH = (1 << 30) - 1
_ELAPSED_MAX_MS = 20_000  # longer is no measurement, and 53 kW times that is below 2**30


class Energy:
    """values: of POINTS, in their order."""

    def __init__(self):
        self.values = array("i", [0, 0])
        self._rest_wms = array("i", [0, 0])

    def update(self, power_w, elapsed_ms):
        """The pack took (positive) or gave this power during elapsed_ms."""
        way = 0 if power_w > 0 else 1
        if elapsed_ms > _ELAPSED_MAX_MS:
            return
        rest_wms = self._rest_wms[way] + abs(power_w) * elapsed_ms
        self.values[way] = min(_MAX_WH, self.values[way] + rest_wms // _WMS_A_WH)
        self._rest_wms[way] = rest_wms % _WMS_A_WH

    def keep(self, kept):
        """Add what should survive to `kept`, by name."""
        for way in range(2):
            kept[POINTS[way]] = self.values[way]

    def restore(self, values):
        """Go on from what was kept."""
        for way in range(2):
            self.values[way] = max(self.values[way], values.get(POINTS[way], 0))
