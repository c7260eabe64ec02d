"""What others do in the field, written compactly and fairly, with the same cell model as ours.

Each has `step(elapsed_s, current_a, voltage_v, temperature_c)` -> (state of charge, sigma).
"""

import numpy as np

from cellsteward.cell_voltage import PERCENT, curves

_REST_S = 600  # foxBMS 2, bms_cfg.h: BS_RELAXATION_PERIOD_10ms 60000
_REST_C = 0.02  # of capacity per hour: its 200 mA of a 10 Ah cell


class CoulombCounting:
    """Counts from the guess, between empty and full."""

    def __init__(self, cell, capacity_mah, start, sigma):
        self.soc = start
        self._per_as = 1 / (3.6 * capacity_mah)
        self._sigma = sigma

    def step(self, elapsed_s, current_a, _voltage_v, _temperature_c):
        self.soc = min(1.0, max(0.0, self.soc + current_a * elapsed_s * self._per_as))
        return self.soc, self._sigma


class RestOverwrite(CoulombCounting):
    """Counts, and overwrites the charge from the voltage whenever the battery rested, as foxBMS 2
    does: no test for a flat curve, no hysteresis."""

    def __init__(self, cell, capacity_mah, start, sigma):
        super().__init__(cell, capacity_mah, start, sigma)
        self._middle_v, _, self._slope = curves(cell)
        self._small_a = _REST_C * capacity_mah / 1000
        self._rest_s = 0.0

    def step(self, elapsed_s, current_a, voltage_v, temperature_c):
        super().step(elapsed_s, current_a, voltage_v, temperature_c)
        self._rest_s = self._rest_s + elapsed_s if abs(current_a) < self._small_a else 0.0
        if self._rest_s >= _REST_S:
            curve = self._middle_v + self._slope * (temperature_c - 25)
            self.soc = float(np.interp(voltage_v, curve, PERCENT))
        return self.soc, self._sigma
