"""A log as the device's sensors would tell it, in the integers that its estimator takes.

Gain and offset of the current, noise of the voltage; whole milliamperes; a single cell in whole
millivolts, the mean of several in 0.1 mV. Time is rounded so that no millisecond is lost over the
log. A pause longer than two minutes counts with the smaller of the currents on either side; where
the current is missing the last one holds for a minute.
"""

import math
import random
from dataclasses import dataclass

from cellsteward.logs import Log
from cellsteward.soc_kernel import MISSING

_PAUSE_S = 120.0
_HOLD_MS = 60000
_DEFAULT_C = 25.0


@dataclass(frozen=True)
class Sensors:
    """gain in percent, offset in mA, noise in mV of one cell (standard deviation)."""

    gain: float = 0.0
    offset_ma: float = 0.0
    noise_mv: float = 0.0
    seed: int = 1


@dataclass
class Prepared:
    """Rows of integers (elapsed_ms, current_ma, mean_dmv, temperature_dc), and what was odd."""

    rows: list[tuple[int, int, int, int]]
    pauses: int


def prepare(log: Log, cells: int, sensors: Sensors) -> Prepared:
    """The rows that the estimator gets. cells: in series behind V_V."""
    chance = random.Random(sensors.seed)
    rows = []
    pauses = 0
    last_ms = round(log.t_s[0] * 1000)
    last_a = 0.0
    held_ms = 0
    temperature_c = next((t for t in log.temperature_c if not math.isnan(t)), _DEFAULT_C)
    columns = zip(log.t_s, log.current_a, log.voltage_v, log.temperature_c, strict=True)
    for t_s, current_a, voltage_v, row_c in columns:
        now_ms = round(t_s * 1000)
        elapsed_ms, last_ms = now_ms - last_ms, now_ms
        hole = math.isnan(current_a) or math.isnan(voltage_v)
        if not math.isnan(row_c):
            temperature_c = row_c
        if math.isnan(current_a):
            held_ms += elapsed_ms
            amperes = last_a if held_ms <= _HOLD_MS else 0.0
        else:
            held_ms = 0
            amperes = current_a
        if elapsed_ms > _PAUSE_S * 1000:
            pauses += 1
            amperes = _smaller(last_a, amperes)
        last_a = amperes
        current_ma = round(1000 * amperes * (1 + sensors.gain / 100) + sensors.offset_ma)
        mean_dmv = MISSING
        if not hole:
            cell_mv = 1000 * voltage_v / cells
            if sensors.noise_mv:
                cell_mv += chance.gauss(0, sensors.noise_mv)
            mean_dmv = max(0, 10 * round(cell_mv) if cells == 1 else round(10 * cell_mv))
        rows.append((elapsed_ms, current_ma, mean_dmv, round(10 * temperature_c)))
    return Prepared(rows, pauses)


def _smaller(first: float, second: float) -> float:
    """The current nearer to none; none if they flow in different directions."""
    if first * second <= 0:
        return 0.0
    return min(first, second, key=abs)
