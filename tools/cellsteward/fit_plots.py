"""Pictures of a fit: the curves, resistance over temperature, and every log with its residual."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from cellsteward.cell_fit import Fit, LogResult
from cellsteward.cell_voltage import PERCENT, predict
from cellsteward.ocv_test import OcvTest

_POINTS = 4000  # more are not seen and make large files


def draw(made: Fit, checked: list[LogResult], test: OcvTest, folder: Path) -> list[Path]:
    """Write the pictures into `folder`; returns their paths."""
    paths = [_curves(made, test, folder / "ocv.png")]
    for at, result in enumerate(made.logs):
        paths.append(_log(made, result, "fitted", folder / f"fit_{at + 1}.png"))
    for at, result in enumerate(checked):
        paths.append(_log(made, result, "checked, not fitted", folder / f"check_{at + 1}.png"))
    return paths


def _curves(made: Fit, test: OcvTest, path: Path) -> Path:
    cell = made.cell
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    percent = 100 * PERCENT
    left.plot(percent, test.charge_v, ":", color="tab:red", label="test, charge")
    left.plot(percent, test.discharge_v, ":", color="tab:blue", label="test, discharge")
    left.plot(percent, np.array(cell["ocv_charge_dmv"]) / 1e4, color="tab:red", label="cell file")
    left.plot(percent, np.array(cell["ocv_discharge_dmv"]) / 1e4, color="tab:blue")
    inner = np.concatenate([test.discharge_v[8:97], test.charge_v[8:97]])
    left.set_ylim(inner.min() - 0.05, inner.max() + 0.05)
    left.set(
        xlabel="state of charge in %", ylabel="V", title=f"{cell['name']}: open circuit, 25 degC"
    )
    left.legend()
    right.plot(np.array(cell["r0_temperature_dc"]) / 10, np.array(cell["r0_uohm"]) / 1000, "-")
    right.plot(
        [result.temperature_c for result in made.logs],
        [1000 * result.r0_ohm for result in made.logs],
        "o",
        label="measured",
    )
    right.set(xlabel="degC", ylabel="mohm", title="R0 (about one second)")
    right.legend()
    return _save(figure, path)


def _log(made: Fit, result: LogResult, what: str, path: Path) -> Path:
    of = result.of
    expected = predict(made.cell, of, made.capacity_mah)
    every = max(1, len(of.t_s) // _POINTS)
    hours = (of.t_s - of.t_s[0])[::every] / 3600
    figure, rows = plt.subplots(3, 1, figsize=(11, 9))
    rows[0].plot(hours, of.voltage_v[::every], color="tab:gray", label="measured")
    rows[0].plot(hours, expected[::every], color="tab:red", linewidth=0.8, label="cell file")
    rows[0].set(ylabel="V", title=f"{result.name} ({what}), {result.temperature_c:.0f} degC")
    rows[0].legend()
    rows[1].plot(hours, 1000 * (of.voltage_v - expected)[::every], linewidth=0.6)
    rows[1].set(xlabel="hours", ylabel="residual in mV")
    _level(rows[1], 1000 * (of.voltage_v - expected))
    rows[2].plot(
        100 * of.soc[::every], 1000 * (of.voltage_v - expected)[::every], ".", markersize=1
    )
    rows[2].set(xlabel="state of charge in %", ylabel="residual in mV")
    _level(rows[2], 1000 * (of.voltage_v - expected))
    return _save(figure, path)


def _level(axes: Any, residual: Any) -> None:
    """Show the body of the residual; the ends of the curve would press it flat."""
    reach = max(5.0, 1.3 * float(np.percentile(np.abs(residual), 97)))
    axes.set_ylim(-reach, reach)
    axes.axhline(0, color="black", linewidth=0.6)


def _save(figure: Any, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return path
