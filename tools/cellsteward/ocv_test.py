"""Slow open-circuit-voltage tests: both branches of a cell over its state of charge.

Read are tables with a row for each state of charge, in one of these forms (percent or 0 to 1):

    soc,V_dis,V_chg                                        (what follows V_dis, V_chg is free)
    T_C,soc,V_dis,V_chg                                    (several temperatures)
    Charging_data_SOC,Charging_data_U,Discharging_data_SOC,Discharging_data_U

or a plain log (t_s,I_A,V_V,T_C) of one slow full discharge and one slow full charge.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellsteward.logs import COLUMNS, Log, LogError, number, read_log, read_table

PERCENT = np.arange(101) / 100
REFERENCE_C = 25.0
_FULL_SPAN = 0.9  # of 0 to 100 % must be covered by each branch
_SLOW_RATE = 0.25  # faster than C/4 is no open-circuit test


@dataclass
class OcvTest:
    """Volts over PERCENT at 25 degC, slope in V/K (zeros unless several temperatures were tested).

    capacity_mah: counted in a plain log, else None. rate: of the test, in 1/h, where known.
    """

    discharge_v: Any
    charge_v: Any
    slope_v_per_k: Any
    capacity_mah: float | None = None
    rate: float | None = None
    has_slope: bool = False
    note: str = ""


def read_ocv_test(path: Path) -> OcvTest:
    """The test in `path`. Raises LogError with a sentence that says what to do."""
    header, rows = read_table(path)
    if all(name in header for name in COLUMNS):
        return _from_log(read_log(path), path)
    lower = [name.lower() for name in header]
    table = np.array(
        [
            [number(field) for field in row[: len(header)]]
            for _, row in rows
            if len(row) >= len(header)
        ]
    )
    if len(table) == 0:
        raise LogError(f"{path} holds no rows below its first line.")
    if "charging_data_soc" in lower:
        return _of_branches(
            path,
            _branch(table, lower, "discharging_data_soc", "discharging_data_u"),
            _branch(table, lower, "charging_data_soc", "charging_data_u"),
        )
    soc = next((name for name in lower if name == "soc" or name.startswith("soc_")), None)
    discharge = next((name for name in lower if name.startswith("v_dis")), None)
    charge = next((name for name in lower if name.startswith("v_ch")), None)
    if soc is None or (discharge is None and charge is None):
        raise LogError(
            f"{path} is no test that this reads: write the columns soc,V_dis,V_chg, or a log "
            f"t_s,I_A,V_V,T_C of a slow discharge and charge; it has {', '.join(header)[:200]}."
        )
    if discharge is None or charge is None:
        raise LogError(
            f"{path} has no {'discharge' if discharge is None else 'charge'} branch; measure "
            "both, because the two differ by hysteresis that one branch can not show."
        )
    if "t_c" not in lower:
        return _of_branches(
            path, _branch(table, lower, soc, discharge), _branch(table, lower, soc, charge)
        )
    return _of_temperatures(path, table, lower, soc, discharge, charge)


def _of_temperatures(
    path: Path, table: Any, names: list[str], soc: str, discharge: str, charge: str
) -> OcvTest:
    temperatures = table[:, names.index("t_c")]
    tests = {}
    refused = None
    for t_c in np.unique(temperatures[~np.isnan(temperatures)]):
        part = table[temperatures == t_c]
        try:
            tests[float(t_c)] = _of_branches(
                path, _branch(part, names, soc, discharge), _branch(part, names, soc, charge)
            )
        except LogError as error:  # a cold cell does not get full or empty; the others may serve
            refused = error
    if not tests:
        raise refused or LogError(f"{path}: the column T_C holds no temperature.")
    nearest = min(tests, key=lambda t_c: abs(t_c - REFERENCE_C))
    test = tests[nearest]
    # Below 0 degC a slow test is far from open circuit at its ends; they would bend the slope.
    used = [t_c for t_c in tests if t_c >= 0] or list(tests)
    if len(used) > 1:
        middles = np.array([(tests[t].discharge_v + tests[t].charge_v) / 2 for t in used])
        slope = np.polyfit(np.array(used) - REFERENCE_C, middles, 1)[0]
        # At the ends the curve is so steep that a change of capacity passes for one of voltage.
        slope[:10] = slope[10]
        slope[91:] = slope[90]
        test.slope_v_per_k = slope
        test.has_slope = True
    shift = test.slope_v_per_k * (REFERENCE_C - nearest)
    test.discharge_v = test.discharge_v + shift
    test.charge_v = test.charge_v + shift
    return test


def _branch(table: Any, names: list[str], soc: str, voltage: str) -> tuple[Any, Any]:
    at, value = table[:, names.index(soc)], table[:, names.index(voltage)]
    good = ~(np.isnan(at) | np.isnan(value))
    order = np.argsort(at[good], kind="stable")
    return at[good][order], value[good][order]


def _of_branches(path: Path, discharge: tuple[Any, Any], charge: tuple[Any, Any]) -> OcvTest:
    curves = []
    for what, (soc, voltage) in (("discharge", discharge), ("charge", charge)):
        if len(soc) < 10:
            raise LogError(
                f"{path}: the {what} branch has {len(soc)} points; at least 10 are needed."
            )
        percent = soc / 100 if soc.max() > 1.5 else soc
        if percent.max() - percent.min() < _FULL_SPAN:
            raise LogError(
                f"{path}: the {what} branch runs from {percent.min():.0%} to {percent.max():.0%} "
                "only; test from full to empty and back to full."
            )
        if voltage.max() > 5 or voltage.min() < 0:
            raise LogError(
                f"{path}: voltages from {voltage.min():g} to {voltage.max():g}; write volts of "
                "one cell."
            )
        # A branch that starts inside (the first moment of a charge is no open circuit) is extended
        # along its own slope, not held.
        curve = np.interp(PERCENT, percent, voltage)
        curve = _extended(curve, percent.min(), percent.max())
        curves.append(np.maximum.accumulate(curve))
    if np.mean(curves[0] > curves[1]) > 0.5:
        raise LogError(
            f"{path}: the discharge branch lies above the charge branch; the two are exchanged, "
            "or the sign of the current is: charging is positive."
        )
    low = np.minimum(curves[0], curves[1])
    return OcvTest(low, np.maximum(curves[0], curves[1]), np.zeros(101))


def _extended(curve: Any, first: float, last: float) -> Any:
    inside = (first - 1e-9 <= PERCENT) & (last + 1e-9 >= PERCENT)
    at = np.flatnonzero(inside)
    low, high = at[0], at[-1]
    step = curve[low + 1] - curve[low]
    for index in range(low - 1, -1, -1):
        curve[index] = curve[index + 1] - step
    step = curve[high] - curve[high - 1]
    for index in range(high + 1, 101):
        curve[index] = curve[index - 1] + step
    return curve


def _from_log(log: Log, path: Path) -> OcvTest:
    t_s, current, voltage = (
        np.array(column) for column in (log.t_s, log.current_a, log.voltage_v)
    )
    good = ~(np.isnan(current) | np.isnan(voltage))
    t_s, current, voltage = t_s[good], current[good], voltage[good]
    step_s = np.diff(t_s, prepend=t_s[0])
    if step_s.max() > 900:
        raise LogError(
            f"{path}: a gap of {step_s.max() / 60:.0f} minutes after "
            f"{t_s[np.argmax(step_s) - 1]:g} s; charge that flowed in it is unknown. "
            "Use a log without gaps."
        )
    counted = np.cumsum(current * step_s) / 3.6  # mAh
    branches = {}
    for what, sign in (("discharge", -1), ("charge", 1)):
        start, end = _longest_run(sign * current > 0.05 * np.abs(current).max(), step_s)
        branches[what] = (start, end, abs(counted[end] - counted[start]))
    capacity = branches["discharge"][2]
    for what, (_, _, amount) in branches.items():
        if amount < 0.5 * max(capacity, branches["charge"][2]) or amount <= 0:
            raise LogError(
                f"{path} has no {what} branch: the log must hold one slow full discharge and one "
                "slow full charge, charging positive."
            )
    start, end, _ = branches["discharge"]
    if voltage[end] > voltage[start]:
        raise LogError(
            f"{path}: the voltage rises while the current is negative; charging must be positive, "
            "so change the sign of I_A."
        )
    hours = (t_s[end] - t_s[start]) / 3600
    if hours * _SLOW_RATE < 1 - 0.1:
        raise LogError(
            f"{path}: the discharge took {hours:.1f} h; an open-circuit test takes at least "
            f"{1 / _SLOW_RATE:.0f} h, better 20 h (C/20)."
        )
    down = slice(start, end + 1)
    soc_down = 1 + (counted[down] - counted[start]) / capacity
    top_v = voltage[start]
    start, end, amount = branches["charge"]
    up = slice(start, end + 1)
    # A charge that reached the voltage of the full cell is full, whatever was counted.
    full = voltage[end] >= top_v - 0.005
    soc_up = (counted[up] - counted[start]) / (amount if full else max(capacity, amount))
    test = _of_branches(path, (soc_down[::-1], voltage[down][::-1]), (soc_up, voltage[up]))
    test.capacity_mah = float(capacity)
    if abs(amount / capacity - 1) > 0.03 and full:
        test.note = (
            f"the charge of the test counts {amount:.0f} mAh, its discharge {capacity:.0f} mAh; "
            "each branch is taken from empty to full by its own count"
        )
    test.rate = float(1 / hours)
    return test


def _longest_run(wanted: Any, step_s: Any) -> tuple[int, int]:
    """First and last row of the longest stretch of True; pauses of up to a minute count in."""
    best, best_s = (0, 0), 0.0
    start, length_s, pause_s, last = -1, 0.0, 0.0, 0
    for index, flag in enumerate(wanted.tolist()):
        if flag:
            if start < 0 or pause_s > 60:
                start, length_s = index, 0.0
            length_s, pause_s, last = length_s + step_s[index], 0.0, index
            if length_s > best_s:
                best, best_s = (max(start - 1, 0), last), length_s
        else:
            pause_s += step_s[index]
    return best
