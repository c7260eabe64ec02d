"""From a slow open-circuit test and logs of use to a cell file (bms/cell_model.py).

The voltage of a log is linear in what is sought, once the time constants and the hysteresis are
chosen: open-circuit voltage + share of the test's gap between the branches * hysteresis state
+ R0 * current + sum of R_i * filtered current. So time constants come from a fine grid, of which
non-negative least squares keeps few; these are merged to at most three branches; outliers lose
their weight (Huber); hysteresis is searched over a short list. Nothing is iterated that could
end in the wrong valley.

Why only a share of the gap: between the branches of a slow test there is polarization, too, which
goes when a cell rests.
"""

import importlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bms.cell_model import CellModel
from cellsteward.cell_voltage import (
    PERCENT,
    Track,
    curves,
    hysteresis,
    polarization,
    predict,
    slow_error,
    track,
)
from cellsteward.logs import Log, LogError
from cellsteward.ocv_test import OcvTest

CHEMISTRIES = ("lfp", "nmc", "nca", "lto", "sodium")

_TAU_GRID_S = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_TAU_BANDS_S = ((1, 24), (24, 200), (200, 5000))  # fast, middle, slow: one branch each
_HYSTERESIS = (0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.13)
_GAP_SHARE_MAX = 1.0
_BRANCH_MAX = 7.0  # of R0; a slow branch beyond that explains errors of the curve instead
_INSIDE = (0.10, 0.97)  # where the ends of the curve, known badly, do not rule the fit
_HUBER_V = 0.005
# A branch of many minutes, an error of the curve and hysteresis look alike in a log of hours. What
# is known of such branches goes beside what the log shows, whose residual is about 5 mV and alike
# for 15 minutes: it is worth as many observations as it has quarters of an hour.
_SLOW_S = 300.0
_SLOW_SHARE, _SLOW_SPREAD = 0.3, 0.4  # of R0
_GAP_SHARE, _GAP_SPREAD = 0.8, 0.3
_ALIKE_S = 900.0
_SHORTEST_S = 1800
_SMALLEST_SPAN = 0.15
_UNSEEN_DMV = 40  # error in use that the logs do not show: other temperatures, other loads


@dataclass
class LogResult:
    """How one log went: at its mean temperature in degC, RMSE and slow error in volts."""

    name: str
    temperature_c: float
    r0_ohm: float
    rmse_v: float
    slow_v: float
    of: Track = field(repr=False)


@dataclass
class Fit:
    """A cell file's dictionary and how it came about. notes: sentences for the person."""

    cell: dict[str, Any]
    capacity_mah: float
    capacity_found_mah: float | None
    gap_share: float
    logs: list[LogResult]
    notes: list[str]


def fit(
    test: OcvTest,
    logs: list[Log],
    name: str,
    source: str,
    chemistry: str | None = None,
    capacity_mah: float | None = None,
    start_soc: float | None = None,
) -> Fit:
    """Fit a cell. Raises LogError with a sentence that says what to do.

    capacity_mah: of the cell; without it that of the test or of the logs' reference.
    start_soc: of logs without a reference (0 to 1); without it, it is found from the voltage.
    """
    notes = [test.note] if test.note else []
    chemistry = chemistry or chemistry_of(test)
    found_mah = _capacity_found(test, logs)
    if capacity_mah is None and found_mah is None:
        raise LogError(
            "the capacity is unknown: the test is a table and no log has soc_ref; say "
            "--capacity-mah."
        )
    capacity = float(capacity_mah if capacity_mah is not None else found_mah or 0)
    if found_mah is not None and abs(found_mah / capacity - 1) > 0.03:
        notes.append(
            f"the measurements show {found_mah:.0f} mAh, the capacity given is {capacity:.0f} "
            "mAh; if the cell is aged, give what was measured"
        )
    generic = importlib.import_module(f"cells.{chemistry}").CELL
    if not test.has_slope:
        test = replace(test, slope_v_per_k=curves(generic)[2])
    tracks = [_usable(log, capacity, start_soc, test, notes) for log in logs]
    cell = _cell(test, _GAP_SHARE, name, source, chemistry, capacity)
    cell.update(_unmeasured(generic, capacity))
    share, results = _GAP_SHARE, []
    if tracks:
        share, results = _measure(cell, test, tracks, logs, generic, capacity)
        warmest = max(result.temperature_c for result in results)
        coldest = min(result.temperature_c for result in results)
        if coldest > 10 or warmest < 35:
            notes.append(
                f"resistance below {coldest:.0f} and above {warmest:.0f} degC follows the ratio "
                f"of the generic {chemistry} model; add logs (--log) at other temperatures to "
                "measure it"
            )
    else:
        notes.append(
            f"without a log, resistance and hysteresis are those of the generic {chemistry} "
            "model; a log of pulses or a drive (--log) measures them"
        )
    try:
        CellModel(cell)
    except ValueError as error:
        raise LogError(f"the fit is no cell that the device takes: {error}.") from error
    return Fit(cell, capacity, found_mah, share, results, notes)


def _unmeasured(generic: dict[str, Any], capacity: float) -> dict[str, Any]:
    """What the built-in model of the chemistry says where no log was given."""
    scale = generic["capacity_mah"] / capacity
    return {
        "hysteresis_bp": generic["hysteresis_bp"],
        "r0_temperature_dc": generic["r0_temperature_dc"],
        "r0_uohm": [max(1, round(ohm * scale)) for ohm in generic["r0_uohm"]],
        "rc_tau_s": generic["rc_tau_s"],
        "rc_permille": generic["rc_permille"],
        "error_dmv": generic["error_dmv"],
    }


def _measure(
    cell: dict[str, Any],
    test: OcvTest,
    tracks: list[Track],
    logs: list[Log],
    generic: dict[str, Any],
    capacity: float,
) -> tuple[float, list[LogResult]]:
    """Put into `cell` what the logs show; returns the share of the gap and how each log went."""
    taus, span = _choose(tracks, test)
    solved = [_best_start(of, test, taus, span, _rest(of, test))[0] for of in tracks]
    share = float(np.clip(_pooled([s[-1] for s in solved], tracks), 0, _GAP_SHARE_MAX))
    r0 = [s[0] for s in solved]
    for of, value in zip(tracks, r0, strict=True):
        if value <= 0:
            raise LogError(
                f"the log at {np.mean(of.temperature_c):.0f} degC shows no resistance: its "
                "current does not change, or its sign is wrong (charging is positive)."
            )
    branches = [_pooled([s[1 + at] / s[0] for s in solved], tracks) for at in range(len(taus))]
    kept = [(tau, b) for tau, b in zip(taus, branches, strict=True) if b >= 0.02]
    temperatures, resistances = _over_temperature(tracks, r0, generic)
    cell.update(
        _branches(test, share),
        hysteresis_bp=round(span * 1e4),
        r0_temperature_dc=[round(t * 10) for t in temperatures],
        r0_uohm=[max(1, round(r * 1e6)) for r in resistances],
        rc_tau_s=[max(1, round(tau)) for tau, _ in kept],
        rc_permille=[round(b * 1000) for _, b in kept],
    )
    results = [
        _result(cell, log.name, of, capacity, value)
        for log, of, value in zip(logs, tracks, r0, strict=True)
    ]
    shown_v = np.sqrt(np.mean([result.slow_v**2 for result in results]))
    cell["error_dmv"] = round(float(np.hypot(1e4 * shown_v, _UNSEEN_DMV)))
    return share, results


def check(
    cell: dict[str, Any], log: Log, capacity_mah: float, start_soc: float | None
) -> LogResult:
    """How well a cell file tells the voltage of a log that it was not made from."""
    of = track(log, capacity_mah, None if log.soc_ref is not None else start_soc or 1.0)
    return _result(cell, log.name, of, capacity_mah, float("nan"))


def chemistry_of(test: OcvTest) -> str:
    """The chemistry whose voltage at half charge this is; NCA counts as NMC."""
    half_v = float((test.charge_v[50] + test.discharge_v[50]) / 2)
    for chemistry, low, high in (("lto", 2.0, 2.6), ("sodium", 2.6, 3.19), ("lfp", 3.19, 3.45)):
        if low <= half_v < high:
            return chemistry
    if 3.45 <= half_v <= 4.0:
        return "nmc"
    raise LogError(
        f"the voltage at half charge is {half_v:.2f} V, which is no chemistry that is known here; "
        "is the test that of a single cell, in volts?"
    )


def _capacity_found(test: OcvTest, logs: list[Log]) -> float | None:
    if test.capacity_mah is not None:
        return test.capacity_mah
    found = []
    for log in logs:
        if log.soc_ref is None:
            continue
        of = track(log, 1.0)
        counted = np.cumsum(of.current_a) * of.step_s / 3.6
        change = of.soc - of.soc[0]
        if np.abs(change).max() > 0.3:
            found.append(float(counted @ change / (change @ change)))
    return float(np.median(found)) if found else None


def _usable(
    log: Log, capacity: float, start_soc: float | None, test: OcvTest, notes: list[str]
) -> Track:
    start = None
    if log.soc_ref is None:
        start = start_soc if start_soc is not None else _found_start(log, capacity, test)
        notes.append(f"{log.name} has no soc_ref; it is counted from {start:.0%}")
    of = track(log, capacity, start)
    length_s = of.t_s[-1] - of.t_s[0]
    if length_s < _SHORTEST_S:
        raise LogError(
            f"{log.name} is {length_s / 60:.0f} minutes long; a fit needs at least "
            f"{_SHORTEST_S // 60} minutes of changing load."
        )
    moved = float(of.soc.max() - of.soc.min())
    if moved < _SMALLEST_SPAN:
        raise LogError(
            f"{log.name} moves the state of charge by {moved:.0%} only; use a log over at least "
            f"{_SMALLEST_SPAN:.0%}, better from full to empty."
        )
    if np.abs(np.diff(of.current_a)).max() < 0.02 * capacity / 1000:
        raise LogError(
            f"{log.name}: the current never changes by a step; resistance needs pulses or a drive."
        )
    counted = np.cumsum(of.current_a) * of.step_s / 3.6 / capacity
    if log.soc_ref is not None and np.dot(counted - counted.mean(), of.soc - of.soc.mean()) < 0:
        raise LogError(
            f"{log.name}: soc_ref falls while the current is positive; charging must be positive, "
            "so change the sign of I_A."
        )
    steps = np.diff(of.current_a)
    if float(np.dot(steps, np.diff(of.voltage_v))) < 0:
        raise LogError(
            f"{log.name}: the voltage falls when the current rises; charging must be positive, so "
            "change the sign of I_A."
        )
    if of.soc.max() > 1.1 or of.soc.min() < -0.1:
        raise LogError(
            f"{log.name}: the state of charge would run from {of.soc.min():.0%} to "
            f"{of.soc.max():.0%}; the capacity or the start is wrong, or soc_ref is in percent "
            "(write 0 to 1)."
        )
    return of


def _found_start(log: Log, capacity: float, test: OcvTest) -> float:
    """Start that explains the whole log best: coarse, then fine."""
    best = 0.5
    for step, reach in ((0.05, 0.5), (0.005, 0.05)):
        tries = np.clip(np.arange(best - reach, best + reach + step / 2, step), 0, 1)
        costs = []
        for start in tries:
            of = track(log, capacity, float(start))
            outside = np.maximum(of.soc - 1, 0) + np.maximum(-of.soc, 0)
            middle = np.interp(of.soc, PERCENT, (test.charge_v + test.discharge_v) / 2)
            rest = of.voltage_v - middle
            slow = polarization(of.current_a, of.step_s, 100)
            gap = (test.charge_v - test.discharge_v) / 2
            branch = np.interp(of.soc, PERCENT, gap) * hysteresis(of.soc, 0.05)
            matrix = np.array([of.current_a, slow, branch]).T
            answer, *_ = np.linalg.lstsq(matrix, rest, rcond=None)
            costs.append(float(np.mean(np.abs(rest - matrix @ answer)) + 10 * outside.mean()))
        best = float(tries[int(np.argmin(costs))])
    return best


def _columns(of: Track, taus: Any) -> Any:
    """What R0 and the branches are multiplied with, and a place for the gap between the curves."""
    slow = [polarization(of.current_a, of.step_s, tau) for tau in taus]
    return np.array([of.current_a, *slow, np.zeros(len(of.soc))]).T


def _rest(of: Track, test: OcvTest) -> Any:
    """Measured voltage without the middle of the open-circuit curve."""
    middle = np.interp(of.soc, PERCENT, (test.charge_v + test.discharge_v) / 2)
    slope = np.interp(of.soc, PERCENT, test.slope_v_per_k)
    return of.voltage_v - middle - slope * (of.temperature_c - 25)


def _choose(tracks: list[Track], test: OcvTest) -> tuple[list[float], float]:
    """Time constants of the branches, and the hysteresis, that serve all logs best."""
    weight = np.zeros(len(_TAU_GRID_S))
    rests = [_rest(of, test) for of in tracks]
    for of, rest in zip(tracks, rests, strict=True):
        answer, _ = _best_start(of, test, _TAU_GRID_S, 0.06, rest)
        weight += answer[1:-1] / max(answer[0], 1e-9)
    taus = []
    for low, high in _TAU_BANDS_S:
        band = [i for i, tau in enumerate(_TAU_GRID_S) if low <= tau < high and weight[i] > 0]
        if band:
            shares = weight[band] / weight[band].sum()
            taus.append(float(np.exp(shares @ np.log(np.array(_TAU_GRID_S)[band]))))
    costs = [
        sum(
            _best_start(of, test, taus, span, rest)[1]
            for of, rest in zip(tracks, rests, strict=True)
        )
        for span in _HYSTERESIS
    ]
    return taus, _HYSTERESIS[int(np.argmin(costs))]


def _best_start(of: Track, test: OcvTest, taus: Any, span: float, rest: Any) -> tuple[Any, float]:
    """Solution and cost with the branch on which the log began, which nobody wrote down."""
    best: tuple[Any, float] = (None, np.inf)
    matrix = _columns(of, taus)
    half = np.interp(of.soc, PERCENT, (test.charge_v - test.discharge_v) / 2)
    for start in (-1.0, 0.0, 1.0):
        matrix[:, -1] = half * hysteresis(of.soc, span, start)
        answer = _solve(matrix, of, rest, taus)
        left = np.abs(rest - matrix @ answer)[_inside(of)]
        cost = float(np.mean(np.minimum(left, 4 * _HUBER_V)))
        if cost < best[1]:
            best = answer, cost
    return best


def _inside(of: Track) -> Any:
    inside = (of.soc > _INSIDE[0]) & (of.soc < _INSIDE[1])
    return inside if inside.any() else np.ones(len(of.soc), dtype=bool)


def _solve(matrix: Any, of: Track, rest: Any, taus: Any) -> Any:
    """R0, R of the branches, share of the gap: none negative, outliers weighted down."""
    from scipy.optimize import lsq_linear

    inside = _inside(of)
    columns, wanted = matrix[inside], rest[inside]
    top = np.full(columns.shape[1], np.inf)
    top[-1] = _GAP_SHARE_MAX
    weight = np.ones(len(wanted))
    answer = np.zeros(columns.shape[1])
    prior = np.zeros(columns.shape[1])
    known = np.zeros(columns.shape[1])
    slow = [1 + at for at, tau in enumerate(taus) if tau > _SLOW_S]
    for round_ in range(4):
        normal = columns.T @ (columns * weight[:, None]) + np.diag(prior)
        scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-30))
        # The root of the normal equations is as small as the unknowns are many.
        root = np.linalg.cholesky(normal * np.outer(scale, scale) + 1e-9 * np.eye(len(scale)))
        target = np.linalg.solve(root, scale * (columns.T @ (weight * wanted) + prior * known))
        answer = scale * lsq_linear(root.T, target, bounds=(0, np.maximum(top / scale, 1e-12))).x
        if round_ == 0:
            r0 = max(answer[0], 1e-9)
            top[1:-1] = _BRANCH_MAX * r0
            known[slow] = _SLOW_SHARE * r0
            known[-1] = _GAP_SHARE
            prior[-1] = (_HUBER_V / _GAP_SPREAD) ** 2 * _ALIKE_S / of.step_s
            prior[slow] = (_HUBER_V / (_SLOW_SPREAD * r0)) ** 2 * _ALIKE_S / of.step_s
        left = np.abs(wanted - columns @ answer)
        weight = np.minimum(1, _HUBER_V / np.maximum(left, 1e-9))
    return answer


def _pooled(values: list[Any], tracks: list[Track]) -> float:
    """Mean over the logs; longer ones count more."""
    return float(np.average(np.array(values, dtype=float), weights=[len(of.soc) for of in tracks]))


def _over_temperature(
    tracks: list[Track], r0: list[float], generic: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Resistance at the temperatures of the logs, and elsewhere in the generic model's ratio."""
    groups: list[list[tuple[float, float]]] = []
    for t_c, ohm in sorted(
        (float(np.mean(of.temperature_c)), r) for of, r in zip(tracks, r0, strict=True)
    ):
        if groups and t_c - groups[-1][0][0] < 4:
            groups[-1].append((t_c, ohm))
        else:
            groups.append([(t_c, ohm)])
    known = [
        (sum(t for t, _ in group) / len(group), sum(r for _, r in group) / len(group))
        for group in groups
    ]
    at = np.array(generic["r0_temperature_dc"]) / 10
    ratio = np.array(generic["r0_uohm"], dtype=float)
    points = dict(known)
    for t_c, value in zip(at.tolist(), ratio.tolist(), strict=True):
        near_c, near_ohm = min(known, key=lambda row: abs(row[0] - t_c))
        if known[0][0] - 4 < t_c < known[-1][0] + 4:
            continue
        points[t_c] = near_ohm * value / float(np.interp(near_c, at, ratio))
    temperatures = sorted(points)
    return temperatures, [points[t_c] for t_c in temperatures]


def _cell(
    test: OcvTest, share: float, name: str, source: str, chemistry: str, capacity: float
) -> dict[str, Any]:
    return {
        "name": name,
        "source": source,
        "chemistry": "nmc" if chemistry == "nca" else chemistry,
        "validated": False,
        "capacity_mah": round(capacity),
        **_branches(test, share),
        "ocv_uv_per_k": [round(v * 1e6) for v in test.slope_v_per_k[::5].tolist()],
    }


def _branches(test: OcvTest, share: float) -> dict[str, list[int]]:
    """The two curves, as far apart as a share of the test's."""
    middle = np.maximum.accumulate((test.charge_v + test.discharge_v) / 2)
    half = share * (test.charge_v - test.discharge_v) / 2
    charge = np.maximum.accumulate(middle + half)
    discharge = np.minimum(np.maximum.accumulate(middle - half), charge)
    return {
        "ocv_charge_dmv": [round(v * 1e4) for v in charge.tolist()],
        "ocv_discharge_dmv": [round(v * 1e4) for v in discharge.tolist()],
    }


def _result(cell: dict[str, Any], name: str, of: Track, capacity: float, r0: float) -> LogResult:
    left = of.voltage_v - predict(cell, of, capacity)
    inside = _inside(of)
    slow = slow_error(left, of.step_s)[inside]
    return LogResult(
        name=name,
        temperature_c=float(np.mean(of.temperature_c)),
        r0_ohm=r0,
        rmse_v=float(np.sqrt(np.mean(left[inside] ** 2))),
        slow_v=float(np.sqrt(np.mean(slow**2))),
        of=of,
    )
