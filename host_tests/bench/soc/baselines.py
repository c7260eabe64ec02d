"""What others do, written compactly and fairly: every one gets the same cell model as ours.

Each has `step(elapsed_s, current_a, voltage_v, temperature_c)` -> (state of charge, sigma).
"""

import math

import numpy as np

from cellsteward.cell_voltage import PERCENT, curves, r0_ohm

_REST_S = 600  # foxBMS 2, bms_cfg.h: BS_RELAXATION_PERIOD_10ms 60000
_REST_C = 0.02  # of capacity per hour: its 200 mA of a 10 Ah cell


class CoulombCounting:
    """Counts from the guess."""

    def __init__(self, cell, capacity_mah, start, sigma):
        self.soc = start
        self._per_as = 1 / (3.6 * capacity_mah)
        self._sigma = sigma

    def step(self, elapsed_s, current_a, _voltage_v, _temperature_c):
        self.soc += current_a * elapsed_s * self._per_as
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


class Kalman:
    """Extended Kalman filter over charge, polarization, hysteresis and, if wanted, current bias.

    noise_v: standard deviation that it ascribes to the measured voltage. A textbook takes the
    sensor's and the model's scatter (5 mV); `inflated` allows for errors that last (20 mV over
    900 s) and estimates the bias of the current, estimation.md, section 5.
    """

    def __init__(self, cell, capacity_mah, start, sigma, inflated=False):
        self._cell = cell
        self._capacity_mah = capacity_mah
        self._middle, self._half, self._slope = curves(cell)
        self._taus = cell["rc_tau_s"]
        self._shares = [share / 1000 for share in cell["rc_permille"]]
        self._span = cell["hysteresis_bp"] / 1e4
        self._inflated = inflated
        count = len(self._taus)
        self._bias_at = 2 + count if inflated else None
        size = 2 + count + (1 if inflated else 0)
        # Charge, polarization (as current in amperes), hysteresis from -1 to 1, bias in amperes.
        self.x = np.zeros(size)
        self.x[0] = start
        capacity_ah = capacity_mah / 1000
        spread = [sigma, *[0.05 * capacity_ah] * count, 0.7]
        if inflated:
            spread.append(0.003 * capacity_ah)
        self.p = np.diag(np.square(spread))

    def step(self, elapsed_s, current_a, voltage_v, temperature_c):
        x, p = self.x, self.p
        bias_a = x[self._bias_at] if self._bias_at is not None else 0.0
        flow_a = current_a - bias_a
        change = flow_a * elapsed_s / (3.6 * self._capacity_mah)
        count = len(self._taus)
        keep = [math.exp(-elapsed_s / tau) for tau in self._taus]
        hold = math.exp(-abs(change) / self._span)
        moved = np.ones(len(x))
        x[0] += change
        for at in range(count):
            x[1 + at] = keep[at] * x[1 + at] + (1 - keep[at]) * flow_a
            moved[1 + at] = keep[at]
        x[1 + count] = hold * x[1 + count] + (1 - hold) * (1 if change > 0 else -1)
        moved[1 + count] = hold
        p = p * np.outer(moved, moved)
        if self._bias_at is not None:
            per_bias = elapsed_s / (3.6 * self._capacity_mah)
            row = p[self._bias_at].copy()
            p[0] -= per_bias * row
            p[:, 0] -= per_bias * p[:, self._bias_at]
        # Charge: 1 % in a day of use. Hysteresis: the model's own scatter.
        p[0, 0] += (0.01**2) * elapsed_s / 86400
        p[1 + count, 1 + count] += (0.02**2) * abs(change) / self._span
        r0 = float(r0_ohm(self._cell, temperature_c, self._capacity_mah))
        soc = min(1.0, max(0.0, x[0]))
        middle = np.interp(soc, PERCENT, self._middle) + np.interp(soc, PERCENT, self._slope) * (
            temperature_c - 25
        )
        half = np.interp(soc, PERCENT, self._half)
        expected = middle + half * x[1 + count] + r0 * flow_a
        sensitivity = np.zeros(len(x))
        low, high = max(0.0, soc - 0.01), min(1.0, soc + 0.01)
        sensitivity[0] = (
            np.interp(high, PERCENT, self._middle) - np.interp(low, PERCENT, self._middle)
        ) / (high - low)
        for at in range(count):
            expected += r0 * self._shares[at] * x[1 + at]
            sensitivity[1 + at] = r0 * self._shares[at]
        sensitivity[1 + count] = half
        if self._bias_at is not None:
            sensitivity[self._bias_at] = -r0
        variance = 0.005**2
        if self._inflated:
            variance = 0.020**2 * max(1.0, 900 / max(elapsed_s, 1e-3))
            variance += (0.3 * r0 * flow_a) ** 2
        spread = p @ sensitivity
        total = sensitivity @ spread + variance
        gain = spread / total
        self.x = x + gain * (voltage_v - expected)
        self.x[0] = min(1.05, max(-0.05, self.x[0]))
        p = p - np.outer(gain, spread)
        self.p = (p + p.T) / 2
        return float(self.x[0]), math.sqrt(max(self.p[0, 0], 0.0))


def inflated_kalman(cell, capacity_mah, start, sigma):
    """The tuned filter with a bias state: the best prototype before ours."""
    return Kalman(cell, capacity_mah, start, sigma, inflated=True)
