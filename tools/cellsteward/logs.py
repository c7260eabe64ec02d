"""Measured logs: CSV with the columns `t_s,I_A,V_V,T_C` and perhaps `soc_ref`.

Seconds, amperes (charging positive), volts, degC, and a reference state of charge from 0 to 1. The
current of a row is the mean since the row before, the voltage is that at the row's end: so cyclers
write, and so the device measures. A row with a hole (an empty field, `nan`, or no number) is a
missing measurement. Two rows of the same time are one; the later one counts.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS = ("t_s", "I_A", "V_V", "T_C")
REFERENCE = "soc_ref"
NAN = math.nan


class LogError(ValueError):
    """A file that can not be used; the text says where and what to do."""


@dataclass
class Log:
    """Rows of equal length; NaN stands for a hole. soc_ref: None without such a column."""

    t_s: list[float] = field(default_factory=list)
    current_a: list[float] = field(default_factory=list)
    voltage_v: list[float] = field(default_factory=list)
    temperature_c: list[float] = field(default_factory=list)
    soc_ref: list[float] | None = None
    holes: int = 0
    name: str = ""

    def __len__(self) -> int:
        return len(self.t_s)


def read_table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Names of the columns, and rows with their line numbers. Raises LogError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LogError(f"can not read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LogError(f"{path} is not text; save the log as CSV.") from error
    lines = text.splitlines()
    if not lines or not lines[0].strip():
        raise LogError(f"{path} is empty; the first line names the columns.")
    if "\0" in lines[0]:
        raise LogError(f"{path} is not text; save the log as CSV.")
    header = [name.strip() for name in next(csv.reader(lines[:1]))]
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise LogError(
            f"{path} is separated by {'semicolons' if ';' in header[0] else 'tabs'}; "
            "save it with commas, and points in numbers."
        )

    def rows() -> Iterator[tuple[int, list[str]]]:
        for number, row in enumerate(csv.reader(lines[1:]), start=2):
            if row:
                yield number, row

    return header, rows()


def number(text: str) -> float:
    """A finite number, or NaN for a hole."""
    try:
        value = float(text)
    except ValueError:
        return NAN
    return value if math.isfinite(value) else NAN


def read_log(path: Path) -> Log:
    """The log in `path`. Raises LogError."""
    header, rows = read_table(path)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise LogError(
            f"{path} has no column {', '.join(missing)}; a log has t_s,I_A,V_V,T_C (and soc_ref "
            f"if a reference is known), this one has {', '.join(header)[:200]}."
        )
    at = [header.index(name) for name in COLUMNS]
    reference_at = header.index(REFERENCE) if REFERENCE in header else None
    log = Log(soc_ref=None if reference_at is None else [], name=path.name)
    last = -math.inf
    for line, row in rows:
        padded = row if len(row) >= len(header) else row + [""] * (len(header) - len(row))
        t_s, current, voltage, temperature = (number(padded[index]) for index in at)
        if math.isnan(t_s):
            raise LogError(f"{path}, line {line}: '{padded[at[0]][:40]}' is no time in seconds.")
        if t_s < last:
            raise LogError(
                f"{path}, line {line}: time goes back from {last:g} to {t_s:g} s; sort the log, "
                "or split it where its clock was set."
            )
        if t_s == last:
            _drop_last(log)
        last = t_s
        log.holes += math.isnan(current) or math.isnan(voltage) or math.isnan(temperature)
        log.t_s.append(t_s)
        log.current_a.append(current)
        log.voltage_v.append(voltage)
        log.temperature_c.append(temperature)
        if log.soc_ref is not None and reference_at is not None:
            log.soc_ref.append(number(padded[reference_at]))
    if not log.t_s:
        raise LogError(f"{path} holds no rows below its first line.")
    if log.holes == len(log):
        raise LogError(f"{path}: no row has current, voltage and temperature as numbers.")
    return log


def _drop_last(log: Log) -> None:
    log.holes -= any(
        math.isnan(column[-1]) for column in (log.current_a, log.voltage_v, log.temperature_c)
    )
    for column in (log.t_s, log.current_a, log.voltage_v, log.temperature_c, log.soc_ref):
        if column is not None:
            column.pop()
