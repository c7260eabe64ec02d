"""`cellsteward soc`: a log in, the device's estimate of every row out.

All states of charge in files are from 0 to 1, as `soc_ref` is.
"""

import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bms.cell_model import CellModel
from bms.parameters import ParameterError, Parameters
from bms.soc import START_SIGMA_BP
from cellsteward import ROOT
from cellsteward.logs import Log, LogError, read_log
from cellsteward.soc_kernel import Replay
from cellsteward.soc_log import Prepared, Sensors, prepare

CHEMISTRIES = ("lfp", "nmc", "nca", "lto", "sodium")
PLACES = ("cpython", "micropython")

_ONE_BP = 10000
_PERCENT = 100
_FIRST_HOUR_S = 3600
_REPORT_EVERY_S = 2.0
_SIGMA_BP = (50, 5000)

Say = Callable[[str], None]
Estimate = tuple[int, int, int]


@dataclass(frozen=True)
class Start:
    """What the estimator is told: its cell, capacity, state of charge and sigma in percent."""

    cell: dict[str, Any]
    capacity_mah: int
    soc: float
    sigma: float | None

    def values(self) -> dict[str, Any]:
        """As the kernel takes it."""
        low, high = _SIGMA_BP
        sigma_bp = START_SIGMA_BP if self.sigma is None else round(100 * self.sigma)
        return {
            "cell": self.cell,
            "capacity_mah": self.capacity_mah,
            "soc_bp": round(100 * self.soc),
            "sigma_bp": max(low, min(high, sigma_bp)),
        }


def load_cell(path: Path | None, chemistry: str | None) -> dict[str, Any]:
    """The cell file, or the built-in model of a chemistry. Raises LogError."""
    if (path is None) == (chemistry is None):
        raise LogError("say what the cell is: either --cell FILE or --chemistry NAME.")
    if chemistry is not None:
        if chemistry not in CHEMISTRIES:
            raise LogError(
                f"--chemistry must be one of {', '.join(CHEMISTRIES)}, not '{chemistry}'."
            )
        return importlib.import_module(f"cells.{chemistry}").CELL
    assert path is not None
    try:
        cell = json.loads(path.read_text(encoding="utf-8-sig"))
        CellModel(cell)
    except OSError as error:
        raise LogError(f"--cell: can not read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LogError(f"--cell: {path} is not JSON: {error}.") from error
    except ValueError as error:
        raise LogError(f"--cell: {path}: {error}.") from error
    return cell


def check_start(start: Start) -> None:
    """Raises LogError where the device would refuse."""
    if not 0 <= start.soc <= _PERCENT:
        raise LogError(f"--initial-soc is in percent, from 0 to 100, not {start.soc:g}.")
    if start.sigma is not None and not 0 < start.sigma <= _PERCENT:
        raise LogError(f"--initial-sigma is in percent, above 0 to 100, not {start.sigma:g}.")
    parameters = Parameters()
    index = parameters.index("design_capacity_mah")
    low, high = parameters.minimums[index], parameters.maximums[index]
    if not low <= start.capacity_mah <= high:
        raise LogError(f"--capacity-mah must be from {low} to {high}, not {start.capacity_mah}.")
    try:
        Replay(**start.values())
    except (ParameterError, ValueError) as error:
        raise LogError(f"the device refuses this cell: {error}.") from error


def run(
    start: Start,
    log_path: Path,
    out: Path | None,
    sensors: Sensors,
    cells: int,
    place: str,
    plot: Path | None,
    say: Say,
    progress: Say | None,
) -> None:
    """Replay, write, and say how well it went. Raises LogError."""
    if place not in PLACES:
        raise LogError(f"--on must be {' or '.join(PLACES)}, not '{place}'.")
    if cells < 1:
        raise LogError(f"--cells must be 1 or more, not {cells}.")
    check_start(start)
    log = read_log(log_path)
    _check_voltage(log, cells, start.cell)
    prepared = prepare(log, cells, sensors)
    estimates = _estimates(start, prepared, place, progress)
    try:
        if out is not None:
            _write(out, log, estimates)
        for line in summary(log, prepared, estimates):
            say(line)
        if plot is not None:
            from cellsteward.soc_plot import draw

            draw(log, estimates, plot, log_path.name)
            say(f"plot: {plot}")
    except OSError as error:
        raise LogError(f"can not write {error.filename}: {error.strerror}.") from error


def _check_voltage(log: Log, cells: int, cell: dict[str, Any]) -> None:
    """Volts of another number of cells, or millivolts, are a mistake that ruins every row."""
    known = sorted(v for v in log.voltage_v if not math.isnan(v))
    middle = known[len(known) // 2] / cells
    low, high = cell["ocv_discharge_dmv"][0] / 1e4, cell["ocv_charge_dmv"][-1] / 1e4
    if not 0.6 * low <= middle <= 1.3 * high:
        raise LogError(
            f"{log.name}: V_V of {cells} cell(s) is mostly {known[len(known) // 2]:g} V, which is "
            f"{middle:.2f} V a cell; this kind of cell has {low:.1f} to {high:.1f} V. "
            "Say --cells, or write volts."
        )


def _estimates(
    start: Start, prepared: Prepared, place: str, progress: Say | None
) -> list[Estimate]:
    source = _on_micropython if place == "micropython" else _on_cpython
    estimates: list[Estimate] = []
    began = reported = time.monotonic()
    for estimate in source(start, prepared):
        estimates.append(estimate)
        now = time.monotonic() if progress and len(estimates) % 500 == 0 else reported
        if progress and now - reported > _REPORT_EVERY_S:
            reported = now
            share = len(estimates) / len(prepared.rows)
            left_s = (now - began) * (1 - share) / share
            progress(f"{share:4.0%} of {len(prepared.rows)} rows, {left_s:.0f} s left")
    return estimates


def _on_cpython(start: Start, prepared: Prepared) -> Iterator[Estimate]:
    replay = Replay(**start.values())
    estimator = replay.estimator
    step = replay.step
    for row in prepared.rows:
        step(*row)
        yield estimator.estimate_bp, estimator.sigma_bp, estimator.soc_bp


def _on_micropython(start: Start, prepared: Prepared) -> Iterator[Estimate]:
    """The same code on MicroPython's unix port; its answers come row by row."""
    program = Path(__file__).with_name("soc_kernel.py")
    interpreter = Path(sys.prefix) / "bin" / "micropython"
    environment = {**os.environ, "MICROPYPATH": str(ROOT / "firmware" / "lib")}
    with tempfile.TemporaryFile("w+", encoding="ascii") as lines:
        lines.write(json.dumps(start.values()) + "\n")
        lines.writelines(",".join(map(str, row)) + "\n" for row in prepared.rows)
        lines.seek(0)
        try:
            process = subprocess.Popen(
                [interpreter, "-X", "heapsize=8M", program],
                stdin=lines,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as error:
            raise LogError(
                f"--on micropython: can not start {interpreter}: {error.strerror}; it comes with "
                "'make run'."
            ) from error
        assert process.stdout is not None and process.stderr is not None
        count = 0
        for line in process.stdout:
            if not line[:1].isdigit():
                continue
            estimate_bp, sigma_bp, soc_bp = map(int, line.split())
            count += 1
            yield estimate_bp, sigma_bp, soc_bp
        problem = process.stderr.read().strip()
        process.wait()
    if process.returncode != 0 or count < len(prepared.rows):
        raise LogError(
            f"MicroPython ended after {count} of {len(prepared.rows)} rows: "
            f"{problem.splitlines()[-1] if problem else 'it said nothing'}."
        )


def _write(out: Path, log: Log, estimates: list[Estimate]) -> None:
    with out.open("w", encoding="utf-8", newline="") as file:
        file.write("t_s,soc,sigma,reported\n")
        file.writelines(
            f"{t_s:.10g},{soc / _ONE_BP:.4f},{sigma / _ONE_BP:.4f},{shown / _ONE_BP:.4f}\n"
            for t_s, (soc, sigma, shown) in zip(log.t_s, estimates, strict=True)
        )


def summary(log: Log, prepared: Prepared, estimates: list[Estimate]) -> list[str]:
    """What came out, in lines for the person."""
    soc, sigma, shown = (value / 100 for value in estimates[-1])
    hours = (log.t_s[-1] - log.t_s[0]) / 3600
    lines = [
        f"{log.name}: {len(log)} rows, {hours:.2f} h; at the end {soc:.1f} % +- {sigma:.1f} %, "
        f"reported {shown:.1f} %"
    ]
    if log.holes:
        lines.append(f"{log.holes} rows have holes: no measurement, their charge counts on")
    if prepared.pauses:
        lines.append(
            f"{prepared.pauses} pauses of more than two minutes: the smaller current on either "
            "side counts"
        )
    if log.soc_ref is None:
        return lines
    whole = _errors(log, estimates, -math.inf)
    if not whole:
        return [*lines, "soc_ref holds no numbers: nothing to compare with"]
    lines.append("error against soc_ref: " + _words(whole))
    late = _errors(log, estimates, log.t_s[0] + _FIRST_HOUR_S)
    lines.append("after the first hour: " + (_words(late) if late else "the log is shorter"))
    return lines


def _errors(log: Log, estimates: list[Estimate], after_s: float) -> list[tuple[float, float]]:
    """(error, sigma) in percent of the rows later than `after_s` that have a reference."""
    assert log.soc_ref is not None
    return [
        (soc / 100 - 100 * truth, sigma / 100)
        for t_s, truth, (soc, sigma, _) in zip(log.t_s, log.soc_ref, estimates, strict=True)
        if t_s > after_s and not math.isnan(truth)
    ]


def _words(errors: list[tuple[float, float]]) -> str:
    rmse = math.sqrt(sum(error * error for error, _ in errors) / len(errors))
    maximum = max(abs(error) for error, _ in errors)
    within = sum(abs(error) <= 2 * sigma for error, sigma in errors) / len(errors)
    return f"RMSE {rmse:.2f} %, maximum {maximum:.2f} %; within 2 sigma {within:.0%} of the rows"
