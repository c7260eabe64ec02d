"""Cells that were emptied below their minimum: what is remembered, and who may charge them again.

A cell below the limit opens both gates (a row of bms.protection), for ever until a person
acknowledges it; then only a limited current may charge the pack until it is above its undervoltage
release. A cell that rested below the floor is never charged again: nobody can acknowledge that.
The lowest resting voltage is kept over restarts (storage.state writes it).
Fast path only; nothing allocates.
"""

from bms.sample import GATE_CHARGE
from bms.table import INVALID

_REST_MA = 500  # less is rest: no drop over the cell's resistance that matters
_REST_MS = (
    10000  # after this long without current; polarization goes on for minutes, downwards not
)


class DeepDischarge:
    """lowest_mv: lowest resting cell voltage below the limit, INVALID if there was none.
    acknowledged: a person allowed the limited charge current, and a rest showed that it may."""

    def __init__(self, parameters, faults, register):
        self._values = parameters.values
        self._limit = parameters.index("deep_discharge_trip_mv")
        self._floor = parameters.index("cell_floor_mv")
        self._fault = faults.names.index("deep_discharge")
        self._dead = faults.names.index("cell_below_floor")
        self._imbalance = faults.names.index("cell_imbalance")
        self._register = register
        register.kept[self._fault] = register.kept[self._dead] = 1
        self._rest_ms = 0  # of the present window
        self._highest_mv = 0  # in it: a single wrong sample condemns no cell
        self._rested = False  # a whole window was seen since the start
        self._asked = False  # a person acknowledged; a rest must confirm it
        self.lowest_mv = INVALID
        self.acknowledged = False

    def restore(self, lowest_mv, acknowledged):
        """What was known before the processor stopped."""
        self.lowest_mv = lowest_mv
        self._asked = acknowledged

    def acknowledge(self):
        """A person looked at the cells. Has no effect below the floor."""
        if self._register.is_active(self._fault):
            self._asked = True

    def keeps(self):
        """Whether an acknowledgement stands, for the saved state."""
        return self._asked or self.acknowledged

    def step(self, cell_min_mv, current_ma, elapsed_ms):
        """One good measurement. Charging counts as rest: it only raises the voltage."""
        if current_ma <= -_REST_MA:
            self._rest_ms = self._highest_mv = 0
            return
        self._rest_ms += elapsed_ms
        self._highest_mv = max(self._highest_mv, cell_min_mv)
        if self._rest_ms < _REST_MS:
            return
        known_mv = self._values[self._limit] if self.lowest_mv == INVALID else self.lowest_mv
        if self._highest_mv < known_mv:
            self.lowest_mv = self._highest_mv
        self._rested = True
        self._rest_ms = self._highest_mv = 0

    def report(self):
        """Every step, also while nothing is measured: what was found stays found."""
        dead = self.lowest_mv != INVALID and self.lowest_mv < self._values[self._floor]
        if dead:
            self._register.report(self._dead, 0)
        if dead or self._register.is_active(self._dead):
            self._allow(False)
        elif not self._register.is_active(self._fault):
            self._asked = False  # restored without its fault: not for one that comes later
        elif self._asked and self._rested:
            self._allow(True)
        if self.acknowledged:
            # The row releases when the cells are well again; then the acknowledgement is used up.
            self._register.clear_one(self._fault)
            if not self._register.is_latched(self._fault):
                self._allow(False)

    def _allow(self, acknowledged):
        self.acknowledged = acknowledged
        self._asked = False
        waived = GATE_CHARGE if acknowledged else 0
        self._register.waived[self._fault] = waived
        # One empty cell beside full ones is what an acknowledgement is for.
        self._register.waived[self._imbalance] = waived
