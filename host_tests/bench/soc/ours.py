"""The device's estimator behind the interface of the others (score.py).

It is never told whether its start is right: sigma is what `cellsteward soc` takes when the person
says nothing.
"""

from bms.soc import START_SIGMA_BP
from cellsteward.soc_kernel import Replay


class Ours:
    def __init__(self, cell, capacity_mah, start, _sigma):
        self._replay = Replay(cell, capacity_mah, round(10000 * start), START_SIGMA_BP)
        self._estimator = self._replay.estimator

    def step(self, elapsed_s, current_a, voltage_v, temperature_c):
        self._replay.step(
            round(elapsed_s * 1000),
            round(current_a * 1000),
            10 * round(voltage_v * 1000),
            round(temperature_c * 10),
        )
        return self._estimator.estimate_bp / 10000, self._estimator.sigma_bp / 10000
