"""One estimator over one recording, with the errors of cheap sensors, and how well it did.

An estimator is an object with `step(elapsed_s, current_a, voltage_v, temperature_c)` that returns
(state of charge, sigma), both from 0 to 1. Sensor errors are those of `estimation.md`, section 5:
gain and offset of the current, noise and steps of the voltage.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sensors:
    """gain: relative; offset_c: of capacity per hour; stress_ma: a plain offset."""

    name: str
    gain: float = 0.0
    offset_c: float = 0.0
    stress_ma: float = 0.0
    noise_v: float = 0.0
    step_v: float = 0.0


PERFECT = Sensors("no error")
PLUS = Sensors("gain +1 %, offset +0.1 %C/h", 0.01, 0.001, 0, 0.001, 0.001)
MINUS = Sensors("gain -1 %, offset -0.1 %C/h", -0.01, -0.001, 0, 0.001, 0.001)
STRESS = Sensors("gain +2 %, offset 50 mA", 0.02, 0, 50, 0.001, 0.001)

FIRST_HOUR_S = 3600
GOOD = 0.05


def measured(rows, sensors, capacity_mah, seed=1):
    """Current and voltage as the sensors tell them."""
    offset_a = sensors.offset_c * capacity_mah / 1000 + sensors.stress_ma / 1000
    current = rows.current_a * (1 + sensors.gain) + offset_a
    voltage = rows.voltage_v
    if sensors.noise_v:
        noise = np.random.default_rng(seed).standard_normal(len(voltage))
        voltage = voltage + sensors.noise_v * noise
    if sensors.step_v:
        voltage = np.round(voltage / sensors.step_v) * sensors.step_v
    return current, voltage


def run(estimator, rows, sensors, capacity_mah):
    """Estimates and sigmas of every row."""
    current, voltage = measured(rows, sensors, capacity_mah)
    step_s = np.diff(rows.t_s, prepend=rows.t_s[0])
    estimate = np.empty(len(current))
    sigma = np.empty(len(current))
    columns = zip(
        step_s.tolist(),
        current.tolist(),
        voltage.tolist(),
        rows.temperature_c.tolist(),
        strict=True,
    )
    for index, row in enumerate(columns):
        estimate[index], sigma[index] = estimator.step(*row)
    return estimate, sigma


def run_together(estimator, rows, all_sensors, capacity_mah):
    """The same for an estimator that runs many cases at once, one for each of `all_sensors`:
    estimates and sigmas, a column a case."""
    seen = [measured(rows, sensors, capacity_mah) for sensors in all_sensors]
    current, voltage = (np.array(column).T.copy() for column in zip(*seen, strict=True))
    step_s = np.diff(rows.t_s, prepend=rows.t_s[0]).tolist()
    estimate = np.empty(current.shape)
    sigma = np.empty(current.shape)
    for index, (elapsed_s, temperature_c) in enumerate(
        zip(step_s, rows.temperature_c.tolist(), strict=True)
    ):
        estimate[index], sigma[index] = estimator.step(
            elapsed_s, current[index], voltage[index], temperature_c
        )
    return estimate, sigma


def figures(rows, estimate, sigma):
    """Errors in percent of capacity: whole, after the first hour, time until good for good."""
    error = 100 * (estimate - rows.truth)
    late = rows.t_s - rows.t_s[0] > FIRST_HOUR_S
    if not late.any():
        late[-1] = True
    bad = np.flatnonzero(np.abs(error) > 100 * GOOD)
    good_s = 0.0 if len(bad) == 0 else rows.t_s[min(bad[-1] + 1, len(error) - 1)] - rows.t_s[0]
    always = len(bad) and bad[-1] == len(error) - 1
    return {
        "rmse": _rms(error),
        "max": float(np.abs(error).max()),
        "rmse_1h": _rms(error[late]),
        "max_1h": float(np.abs(error[late]).max()),
        "good_min": None if always else float(good_s / 60),
        "covered": float(np.mean(np.abs(error) <= 200 * np.maximum(sigma, 1e-9))),
        "covered_1h": float(np.mean((np.abs(error) <= 200 * np.maximum(sigma, 1e-9))[late])),
    }


def _rms(values):
    return float(np.sqrt(np.mean(values**2)))
