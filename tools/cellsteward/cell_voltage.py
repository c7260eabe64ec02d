"""What a cell file says the voltage of a log should be, in floats, for fits and their checks.

The same model that the device uses (bms/cell_model.py): open-circuit voltage between two branches,
a resistance over temperature, slower branches of polarization, hysteresis over charge. It is
written here a second time on purpose: in volts and floats, over whole logs at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cellsteward.logs import Log, LogError

PERCENT = np.arange(101) / 100
_SLOPE_AT = np.arange(21) / 20
_GAP_S = 120.0
WHOLE_CHANGE = 0.63  # hysteresis_bp of a cell file is this share of a change of branch


@dataclass
class Track:
    """A log on a grid of equal steps, without holes, and its state of charge (0 to 1)."""

    step_s: float
    t_s: Any
    current_a: Any
    voltage_v: Any
    temperature_c: Any
    soc: Any


def track(log: Log, capacity_mah: float, soc_start: float | None = None) -> Track:
    """`log` on an even grid; its reference state of charge, or counted from `soc_start`.

    Raises LogError where neither is known.
    """
    columns = [
        np.array(column, dtype=float)
        for column in (log.t_s, log.current_a, log.voltage_v, log.temperature_c)
    ]
    good = ~np.isnan(np.sum(columns, axis=0))
    t_s, current, voltage, temperature = (column[good] for column in columns)
    if len(t_s) < 60:
        raise LogError(
            f"{log.name} has {len(t_s)} rows without holes; a fit needs a log of hours."
        )
    steps = np.diff(t_s)
    if steps.max() > _GAP_S:
        raise LogError(
            f"{log.name}: a gap of {steps.max():.0f} s after {t_s[np.argmax(steps)]:g} s. Charge "
            "that flowed in it is unknown; use the part before or after it."
        )
    step_s = float(max(1.0, np.median(steps)))
    counted = np.concatenate([[0.0], np.cumsum(current[1:] * steps)]) / 3.6 / capacity_mah
    if log.soc_ref is not None and soc_start is None:
        soc = np.array(log.soc_ref, dtype=float)[good]
        known = ~np.isnan(soc)
        if not known.any():
            raise LogError(f"{log.name}: soc_ref holds no numbers; leave the column out.")
        soc = np.interp(t_s, t_s[known], soc[known])
    else:
        soc = (0.0 if soc_start is None else soc_start) + counted
    grid = np.arange(t_s[0], t_s[-1] + step_s / 2, step_s)
    # The current of a row flowed before it: the mean over each step of the grid keeps the charge.
    charge = np.interp(grid, t_s, np.concatenate([[0.0], np.cumsum(current[1:] * steps)]))
    mean_current = np.diff(charge, prepend=charge[0]) / step_s
    mean_current[0] = current[0]
    return Track(
        step_s=step_s,
        t_s=grid,
        current_a=mean_current,
        voltage_v=np.interp(grid, t_s, voltage),
        temperature_c=np.interp(grid, t_s, temperature),
        soc=np.interp(grid, t_s, soc),
    )


def polarization(current_a: Any, step_s: float, tau_s: float) -> Any:
    """Current through the resistor of a branch of time constant `tau_s` (first order)."""
    from scipy.signal import lfilter

    keep = float(np.exp(-step_s / tau_s))
    return lfilter([1 - keep], [1, -keep], current_a)


def hysteresis(soc: Any, span: float, start: float = 0.0) -> Any:
    """Branch from -1 (after discharging) to 1, as the device follows it: elastic.

    It moves with the charge until it is on a branch and stays there; a short pulse back that is
    undone leaves nothing. 63 % of a whole change takes the charge `span`.
    """
    steps = (np.diff(soc, prepend=soc[0]) * (2 * WHOLE_CHANGE / span)).tolist()
    state = start
    states = []
    for step in steps:
        state += step
        if state > 1.0:
            state = 1.0
        elif state < -1.0:
            state = -1.0
        states.append(state)
    return np.array(states)


def curves(cell: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Middle and half gap of the branches in volts over PERCENT, slope in V/K over PERCENT."""
    charge = np.array(cell["ocv_charge_dmv"]) * 1e-4
    discharge = np.array(cell["ocv_discharge_dmv"]) * 1e-4
    slope = np.interp(PERCENT, _SLOPE_AT, np.array(cell["ocv_uv_per_k"]) * 1e-6)
    return (charge + discharge) / 2, (charge - discharge) / 2, slope


def r0_ohm(cell: dict[str, Any], temperature_c: Any, capacity_mah: float) -> Any:
    """Fast resistance of a cell of this size, over temperature."""
    table = np.array(cell["r0_uohm"]) * 1e-6 * cell["capacity_mah"] / capacity_mah
    return np.interp(temperature_c, np.array(cell["r0_temperature_dc"]) / 10, table)


def predict(cell: dict[str, Any], of: Track, capacity_mah: float) -> Any:
    """Volts that the model expects over the track."""
    middle, half, slope = curves(cell)
    resistance = r0_ohm(cell, of.temperature_c, capacity_mah)
    voltage = np.interp(of.soc, PERCENT, middle)
    voltage += np.interp(of.soc, PERCENT, slope) * (of.temperature_c - 25)
    voltage += np.interp(of.soc, PERCENT, half) * hysteresis(of.soc, cell["hysteresis_bp"] / 1e4)
    fast = of.current_a.copy()
    for tau_s, permille in zip(cell["rc_tau_s"], cell["rc_permille"], strict=True):
        fast += permille / 1000 * polarization(of.current_a, of.step_s, tau_s)
    return voltage + resistance * fast


def slow_error(residual_v: Any, step_s: float, over_s: float = 300.0) -> Any:
    """The part of a residual that stays over minutes: what misleads an estimator."""
    width = max(1, round(over_s / step_s))
    return np.convolve(residual_v, np.ones(width) / width, mode="same")
