"""What a simulated run is: every option checked here, before anything starts.

A wrong value raises OptionError, whose text is one sentence that says what to write instead. The
parameters' names and ranges are the firmware's own (firmware/lib/bms/parameter_rows.py).
"""

import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from afe import bq769x0_layers
from bms.parameters import ParameterError, Parameters
from bms.table import UnknownName

# What a fresh simulated pack is commissioned as: a household battery of sixteen 280 Ah cells.
HOUSEHOLD_PACK = {
    "chemistry": 0,  # lfp
    "series_cells": 16,
    "design_capacity_mah": 280_000,
    "access_code": 1234,
}

# What `--afe` sets: a pack that fills the chip, with as many sensors as it has pins for. Later
# assignments win.
_AFE_SETTINGS = {
    "bq76952": (),
    "bq76920": ("series_cells=5", "cell_thermistors=1"),
    "bq76930": ("series_cells=10",),
    "bq76940": ("series_cells=15",),
    "bq76952_stack": ("series_cells=24", "cell_thermistors=4", "fet_side=low"),
}
_AFE_INPUTS = (0, 5, 10, 15, 0)  # by the parameter afe_chip; 0: a BQ76952

# Names in the file of --ports-file, beside `pid`.
PORTS = ("rs485", "console", "can")

# In a state folder: what the pack that is kept there was commissioned as; null: not by us.
SETTINGS_FILE = "settings.json"

_AUTO_C_RATE = 0.5  # `--load-scale auto` asks the pack for no more than this

_DURATION_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class OptionError(ValueError):
    """An option was refused; the text says why and what to write instead."""


@dataclass(frozen=True)
class RunOptions:
    """One run. speed: simulated seconds per second, 0 for as fast as possible.

    spread, soc: how a new pack's cells differ (boards/sim/pack.py), and how full it is.
    settings: what a new board is configured as; None: not at all, and `parameters` are those of
    the battery behind it.
    """

    parameters: Parameters
    settings: dict[str, int] | None
    headline: str = ""
    load: Path | None = None
    load_scale: float | None = None
    speed: float = 1.0
    duration_s: float | None = None
    seed: int = 1
    spread: dict[str, float] = field(default_factory=dict)
    soc: float = 0.5
    faults: list[str] = field(default_factory=list)
    state_dir: Path | None = None
    fresh: bool = False
    ports_file: Path | None = None


def parse_speed(text: str) -> float:
    """`max` is 0, a factor is itself."""
    if text == "max":
        return 0.0
    number = _number(text.removesuffix("x"))
    if number is None or number <= 0:
        raise OptionError(f"--speed takes 'max' or a factor above 0, such as 10, not '{text}'.")
    return number


def parse_duration(text: str) -> float:
    """Seconds of simulated time from `90`, `90s`, `10m`, `2h` or `1d`."""
    match = re.fullmatch(r"([0-9.]+)([smhd]?)", text)
    number = _number(match[1]) if match else None
    if match is None or number is None or number <= 0:
        raise OptionError(f"--duration takes a time such as 90s, 10m, 2h or 1d, not '{text}'.")
    return number * _DURATION_UNITS_S[match[2]]


def afe_assignments(chip: str | None) -> list[str]:
    """What `--afe` stands for, in the words of `--set`."""
    if chip is None:
        return []
    if chip not in _AFE_SETTINGS:
        raise OptionError(f"--afe: '{chip}' is none of {', '.join(_AFE_SETTINGS)}.")
    return [f"afe_chip={chip}", *_AFE_SETTINGS[chip]]


def plan_settings(
    assignments: list[str], unconfigured: bool, state_dir: Path | None, fresh: bool
) -> tuple[Parameters, dict[str, int] | None]:
    """What the pack is: a new one with `NAME=VALUE` changes, or the one kept in `state_dir`.

    The settings are None for a board that nobody but its console configures.
    """
    if unconfigured and assignments:
        raise OptionError("--unconfigured and --set exclude each other: choose one.")
    if state_dir is None and fresh:
        raise OptionError("--fresh needs --state-dir: without it every run starts fresh.")
    kept = None if state_dir is None or fresh else state_dir / SETTINGS_FILE
    if kept is None or not kept.exists():
        return _unconfigured() if unconfigured else parse_settings(assignments)
    if assignments:
        raise OptionError(
            f"--set: {state_dir} holds a pack that is set up already; add --fresh, or set "
            "the parameter on its console."
        )
    settings = _kept_settings(kept)
    if settings is None:
        return _unconfigured()
    if unconfigured:
        raise OptionError(
            f"--unconfigured: {state_dir} holds a pack that is set up already; add --fresh."
        )
    parameters = Parameters()
    try:
        parameters.load(settings)
    except ParameterError as error:
        raise damaged(kept, str(error)) from error
    return parameters, settings


def damaged(path: Path, why: str) -> OptionError:
    """The refusal of a file in a state folder."""
    return OptionError(f"--state-dir: {path} is damaged: add --fresh to start over ({why}).")


def check_ports_file(path: Path) -> None:
    """Raise OptionError unless the names of the ports can be written there without a loss."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise OptionError(f"--ports-file: there is no folder {folder}.")
    if not os.access(folder, os.W_OK):
        raise OptionError(f"--ports-file: you may not write into {folder}.")
    if path.exists() and not _names_ports(path):
        raise OptionError(
            f"--ports-file: {path} is there already and is none of ours; choose another name."
        )


def _names_ports(path: Path) -> bool:
    """Whether a run wrote this file (one that was killed leaves it)."""
    if not path.is_file():
        return False
    try:
        names = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(names, dict) and all(name in names for name in PORTS)


def _unconfigured() -> tuple[Parameters, None]:
    """A board without a configuration, at the household's battery."""
    parameters = Parameters()
    parameters.load({**HOUSEHOLD_PACK, "access_code": 0})
    return parameters, None


def _kept_settings(path: Path) -> dict[str, int] | None:
    try:
        settings = json.loads(path.read_text())
    except OSError as error:
        raise OptionError(f"--state-dir: can not read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it is not JSON") from error
    if settings is not None and not isinstance(settings, dict):
        raise damaged(path, "it holds no settings")
    return settings


def parse_settings(assignments: list[str]) -> tuple[Parameters, dict[str, int]]:
    """The household pack with `NAME=VALUE` changes; choices go by name (`chemistry=lfp`)."""
    parameters = Parameters()
    settings = dict(HOUSEHOLD_PACK)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise OptionError(f"--set takes NAME=VALUE, not '{assignment}'.")
        try:
            index = parameters.index(name)
        except UnknownName:
            raise OptionError(
                f"--set: '{name}' is not a parameter; 'get' on the console lists them."
            ) from None
        choices = parameters.choices(index)
        if text in choices:
            settings[name] = choices.index(text)
        elif re.fullmatch(r"-?[0-9]+", text):
            settings[name] = int(text)
        else:
            kind = "one of " + ", ".join(choices) if choices else "a whole number"
            raise OptionError(f"--set: '{name}' takes {kind}, not '{text}'.")
    try:
        parameters.load(settings)
    except ParameterError as error:
        raise OptionError(f"--set: {error}.") from error
    inputs = _AFE_INPUTS[parameters.value("afe_chip")]
    if inputs:  # else the simulated board could not be built
        for problem in bq769x0_layers.problems(parameters, inputs):
            raise OptionError(f"--set: {problem}.")
    return parameters, settings


def parse_load_scale(text: str) -> float | None:
    """None for `auto`, else the factor."""
    if text == "auto":
        return None
    number = _number(text)
    if number is None or number == 0:
        raise OptionError(f"--load-scale takes 'auto' or a factor, such as 50, not '{text}'.")
    return number


@dataclass(frozen=True)
class Load:
    """What a recorded load asks for at most."""

    seconds: float
    charge_a: float
    discharge_a: float

    def scale_for(self, parameters: Parameters) -> float:
        """Factor that brings it to 0.5 C, or less if the pack allows less."""
        limits = (
            (self.charge_a, parameters.value("charge_current_max_ma")),
            (self.discharge_a, parameters.value("discharge_current_max_ma")),
            (
                max(self.charge_a, self.discharge_a),
                _AUTO_C_RATE * parameters.value("design_capacity_mah"),
            ),
        )
        factor = min((ma / 1000 / amperes for amperes, ma in limits if amperes), default=1.0)
        return float(f"{factor:.3g}")  # three digits: what the first line says is what runs


def read_load(path: Path) -> Load:
    """Check a recorded load: a CSV file with the columns t_s and I_A (charging positive)."""
    charge_a = discharge_a = 0.0
    start_s = end_s = None
    line = 1
    try:
        # Lines end as the device's reader has them end: with LF, or CR and LF.
        with path.open(encoding="utf-8-sig", newline="\n") as stream:
            rows = _load_rows(path, stream)
            header = next(rows, [])
            if "t_s" not in header or "I_A" not in header:
                raise OptionError(f"--load: {path} has no columns t_s and I_A in its first line.")
            t_column = header.index("t_s")
            i_column = header.index("I_A")
            for line, row in enumerate(rows, start=2):
                if row == [""]:
                    continue  # an empty line at the end is no reason to refuse a file
                t_s = float(row[t_column])
                current_a = float(row[i_column])
                if not math.isfinite(t_s) or not math.isfinite(current_a):
                    raise ValueError("not a finite number")
                if end_s is not None and t_s < end_s:
                    raise OptionError(f"--load: time runs backwards in line {line} of {path}.")
                start_s = t_s if start_s is None else start_s
                end_s = t_s
                charge_a = max(charge_a, current_a)
                discharge_a = max(discharge_a, -current_a)
    except OptionError:
        raise
    except OSError as error:
        raise OptionError(f"--load: can not read {path}: {error.strerror}.") from error
    except (ValueError, IndexError) as error:
        raise OptionError(f"--load: line {line} of {path} is not numbers and commas.") from error
    if start_s is None or end_s is None or end_s <= start_s:
        raise OptionError(f"--load: {path} holds less than two moments in time.")
    return Load(end_s - start_s, charge_a, discharge_a)


def _load_rows(path: Path, lines: Iterable[str]) -> Iterator[list[str]]:
    """Fields of each line, split as the device's reader does, which knows no escapes.

    Raises OptionError where that reader would take a field for something else than it is.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if "\r" in text:
            raise OptionError(
                f"--load: line {number} of {path} holds a lone carriage return; save the file "
                "with ordinary line ends (LF, or CR and LF)."
            )
        cells = [cell.strip() for cell in text.split(",")]
        bare = [cell[1:-1].strip() if re.fullmatch('"[^"]*"', cell) else cell for cell in cells]
        if any('"' in cell for cell in bare):
            raise OptionError(
                f"--load: line {number} of {path} has a quoted field that holds a comma, a quote "
                "or a line break; write it without."
            )
        yield bare


def plan_load(
    path: Path | None, scale: float | None, parameters: Parameters
) -> tuple[float | None, str]:
    """Factor on the recorded current (None without a record), and words for what runs."""
    if path is None:
        if scale is not None:
            raise OptionError("--load-scale needs --load: the household's load fits the pack.")
        return None, "a household's days"
    load = read_load(path)
    factor = load.scale_for(parameters) if scale is None else scale
    return factor, f"load {path.name} ({load.seconds / 3600:.1f} h), current times {factor:g}"


def pack_words(parameters: Parameters, configured: bool = True) -> str:
    """The pack in a few words. configured: by the options, not on the board's console."""
    chemistry = parameters.choices(parameters.index("chemistry"))[parameters.value("chemistry")]
    return (
        f"{parameters.value('series_cells')} cells in series, {chemistry.upper()}, "
        f"{parameters.value('design_capacity_mah') / 1000:g} Ah"
        f"{'' if configured else ', to be set up on its console'}"
    )


def speed_words(speed: float) -> str:
    """A speed as people write it."""
    return "max" if speed == 0 else f"{speed:g}x"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
