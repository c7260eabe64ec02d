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
    acknowledged: a person allowed the limited charge current."""

    def __init__(self, parameters, faults, register):
        self._values = parameters.values
        self._limit = parameters.index("deep_discharge_trip_mv")
        self._floor = parameters.index("cell_floor_mv")
        self._fault = faults.names.index("deep_discharge")
        self._dead = faults.names.index("cell_below_floor")
        self._register = register
        self._rest_ms = 0
        self.lowest_mv = INVALID
        self.acknowledged = False

    def restore(self, lowest_mv, acknowledged):
        """What was known before the processor stopped."""
        self.lowest_mv = lowest_mv
        self._allow(acknowledged)

    def acknowledge(self):
        """A person looked at the cells. Has no effect below the floor."""
        if self._register.is_active(self._fault):
            self._allow(True)

    def step(self, cell_min_mv, current_ma, elapsed_ms):
        """One good measurement."""
        if -_REST_MA < current_ma < _REST_MA:
            self._rest_ms = min(self._rest_ms + elapsed_ms, _REST_MS)
        else:
            self._rest_ms = 0
        known_mv = self._values[self._limit] if self.lowest_mv == INVALID else self.lowest_mv
        if self._rest_ms == _REST_MS and cell_min_mv < known_mv:
            self.lowest_mv = cell_min_mv

    def report(self):
        """Every step, also while nothing is measured: what was found stays found."""
        if self.lowest_mv != INVALID and self.lowest_mv < self._values[self._floor]:
            self._register.report(self._dead, 0)
        if self.acknowledged:
            # The row releases when the cells are well again; then the acknowledgement is used up.
            self._register.clear_one(self._fault)
            if not self._register.is_latched(self._fault):
                self._allow(False)

    def _allow(self, acknowledged):
        self.acknowledged = acknowledged
        self._register.waived[self._fault] = GATE_CHARGE if acknowledged else 0
