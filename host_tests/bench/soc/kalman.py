"""The textbook's answer, and the best prototype before ours: extended Kalman filters with the same
cell model as ours. `step(elapsed_s, current_a, voltage_v, temperature_c)` -> (charge, sigma).
"""

import numpy as np

from cellsteward.cell_voltage import PERCENT, WHOLE_CHANGE, curves, r0_ohm


class Kalman:
    """Extended Kalman filter over charge, polarization, hysteresis and, if wanted, current bias.

    inflated: what it ascribes to the measured voltage allows for errors that last (20 mV, 900 s)
    and for a resistance that is 30 % off, and the bias of the current is a state (estimation.md,
    section 5). Else a textbook's: 5 mV, the scatter of sensor and model.

    One object runs many cases of a log at once, which is why everything is an array: start and
    sigma as well as the current and voltage of a step may be numbers or arrays of equal length.
    """

    def __init__(self, cell, capacity_mah, start, sigma, inflated=False):
        start, sigma = np.broadcast_arrays(np.atleast_1d(start), np.atleast_1d(sigma))
        self._cell = cell
        self._per_as = 1 / (3.6 * capacity_mah)
        self._capacity_mah = capacity_mah
        self._middle, self._half, self._slope = curves(cell)
        self._steep = np.gradient(self._middle, PERCENT)
        self._taus = np.array(cell["rc_tau_s"], dtype=float)
        self._shares = np.array(cell["rc_permille"]) / 1000
        self._span = cell["hysteresis_bp"] / 1e4 / WHOLE_CHANGE / 2
        self._inflated = inflated
        count = len(self._taus)
        self._branch = 1 + count
        size = 2 + count + inflated
        # Charge, polarization (as current in amperes), branch from -1 to 1, bias in amperes.
        self.x = np.zeros((len(start), size))
        self.x[:, 0] = start
        capacity_ah = capacity_mah / 1000
        self.p = np.zeros((len(start), size, size))
        self.p[:, 0, 0] = np.square(sigma)
        for at in range(1, 1 + count):
            self.p[:, at, at] = (0.05 * capacity_ah) ** 2
        self.p[:, self._branch, self._branch] = 0.7**2
        if inflated:
            self.p[:, -1, -1] = (0.003 * capacity_ah) ** 2

    def step(self, elapsed_s, current_a, voltage_v, temperature_c):
        x, p = self.x, self.p
        branch = self._branch
        flow_a = np.asarray(current_a) - (x[:, -1] if self._inflated else 0.0)
        change = flow_a * elapsed_s * self._per_as
        keep = np.exp(-elapsed_s / self._taus)
        x[:, 0] += change
        x[:, 1:branch] = keep * x[:, 1:branch] + (1 - keep) * flow_a[:, None]
        moved = x[:, branch] + change / self._span
        at_end = np.abs(moved) >= 1
        x[:, branch] = np.clip(moved, -1, 1)
        p[:, 1:branch, :] *= keep[:, None]
        p[:, :, 1:branch] *= keep
        p[at_end, branch, :] *= 0.9  # at its end the branch is known; a little doubt stays
        p[at_end, :, branch] *= 0.9
        if self._inflated:
            per_bias = elapsed_s * self._per_as
            p[:, 0, :] -= per_bias * p[:, -1, :]
            p[:, :, 0] -= per_bias * p[:, :, -1]
        # Charge: 1 % in a day of use. Branch: the model's own scatter.
        p[:, 0, 0] += 0.01**2 * elapsed_s / 86400
        p[:, branch, branch] += 0.02**2 * np.abs(change) / self._span
        r0 = float(r0_ohm(self._cell, temperature_c, self._capacity_mah))
        soc = np.clip(x[:, 0], 0, 1)
        half = np.interp(soc, PERCENT, self._half)
        warm = temperature_c - 25
        expected = (
            np.interp(soc, PERCENT, self._middle + self._slope * warm)
            + half * x[:, branch]
            + r0 * (flow_a + x[:, 1:branch] @ self._shares)
        )
        sensitivity = np.zeros_like(x)
        sensitivity[:, 0] = np.interp(soc, PERCENT, self._steep)
        sensitivity[:, 1:branch] = r0 * self._shares
        sensitivity[:, branch] = half
        variance = 0.005**2
        if self._inflated:
            sensitivity[:, -1] = -r0
            variance = 0.020**2 * max(1.0, 900 / max(elapsed_s, 1e-3)) + (0.3 * r0 * flow_a) ** 2
        spread = (p @ sensitivity[:, :, None])[:, :, 0]
        total = (sensitivity * spread).sum(axis=1) + variance
        gain = spread / total[:, None]
        x += gain * (voltage_v - expected)[:, None]
        x[:, 0] = np.clip(x[:, 0], -0.05, 1.05)
        p -= gain[:, :, None] * spread[:, None, :]
        return x[:, 0].copy(), np.sqrt(np.maximum(p[:, 0, 0], 0.0))


def inflated_kalman(cell, capacity_mah, start, sigma):
    """The tuned filter with a bias state: the best prototype before ours."""
    return Kalman(cell, capacity_mah, start, sigma, inflated=True)
