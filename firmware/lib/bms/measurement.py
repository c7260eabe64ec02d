"""Is this measurement true, and what does it say? Plausibility, hold-over and signals.

Law 3: a missing, stale or implausible measurement is a fault. A short hold-over (at most
HOLDOVER_SAMPLES bad samples and HOLDOVER_MS) rides through a glitch with the values of the last
good sample; after it `valid` is False until a good, fresh sample comes.
Fast path only; nothing allocates after construction.
"""

from array import array

from bms import protection
from bms.sample import OK

HOLDOVER_SAMPLES = 3
HOLDOVER_MS = 500
AGE_MAX_MS = 1000000  # ages stop here, far below 2**30

# Outside these, no battery and no working sensor can be: an open or shorted thermistor reads below
# or above them (afe.md section 7), a loose balance lead shows spikes (field lesson 17).
_CELL_MV = (300, 5000)
_TEMPERATURE_DC = (-400, 1200)
_BOARD_DC = (-400, 1500)
_CURRENT_MA = 1000000

GOOD = 0
LOST = 1  # the chip did not answer
STALE = 2  # it answered, but did not measure
IMPLAUSIBLE = 3  # it measured what can not be


class Measurement:
    """Judges each sample and derives what protections and points need from the good ones."""

    def __init__(self, sample):
        self.sample = sample
        self.signals = array("i", [0] * protection.SIGNALS)
        self.cell_min_index = 0
        self.cell_max_index = 0
        self.forget()

    def forget(self):
        """Nothing measured so far counts any more: the chip was programmed anew."""
        self.valid = False  # whether the signals may be used
        self.expired = False  # whether the hold-over is over: a fault
        self.problem = STALE  # why the latest sample was bad
        self.age_ms = 0  # since the last good sample that rests on a new scan
        self._bad_samples = 0
        self._scanned = False  # whether the chip finished a scan since it was programmed
        self._scans = self.sample.scans
        self._scan_age_ms = 0

    def step(self, code, elapsed_ms):
        """Judge the sample just taken; `code` is the driver's answer. True if it is good."""
        self.age_ms = min(self.age_ms + elapsed_ms, AGE_MAX_MS)
        self._scan_age_ms = min(self._scan_age_ms + elapsed_ms, AGE_MAX_MS)
        if code == OK and self.sample.scans != self._scans:
            self._scans = self.sample.scans
            self._scanned = True
            self._scan_age_ms = 0
        if code != OK:
            self.problem = LOST
            self._bad_samples += 1
        elif not self._scanned or self._scan_age_ms > HOLDOVER_MS:
            self.problem = STALE
        elif not self._derive():
            self.problem = IMPLAUSIBLE
            self._bad_samples += 1
        else:
            self.problem = GOOD
            self._bad_samples = 0
            self.age_ms = self._scan_age_ms
            self.valid = True
            self.expired = False
            return True
        if self._bad_samples > HOLDOVER_SAMPLES or self.age_ms > HOLDOVER_MS:
            self._bad_samples = HOLDOVER_SAMPLES + 1
            self.valid = False
            self.expired = True
        return False

    def _derive(self):
        """Fill the signals from the sample; False, and the old signals, if it is implausible."""
        sample = self.sample
        cells = sample.cell_mv
        low = high = total = cells[0]
        low_index = high_index = 0
        for index in range(1, len(cells)):
            cell = cells[index]
            total += cell
            if cell < low:
                low = cell
                low_index = index
            elif cell > high:
                high = cell
                high_index = index
        temperatures = sample.temperature_dc
        cold = warm = temperatures[0]
        for index in range(1, len(temperatures)):
            cold = min(cold, temperatures[index])
            warm = max(warm, temperatures[index])
        if (
            not _CELL_MV[0] * len(cells) <= sample.stack_mv <= _CELL_MV[1] * len(cells)
            or low < _CELL_MV[0]
            or high > _CELL_MV[1]
            or cold < _TEMPERATURE_DC[0]
            or warm > _TEMPERATURE_DC[1]
            or not _BOARD_DC[0] <= sample.board_temperature_dc <= _BOARD_DC[1]
            or not -_CURRENT_MA < sample.current_ma < _CURRENT_MA
        ):
            return False
        self.cell_min_index = low_index
        self.cell_max_index = high_index
        signals = self.signals
        signals[protection.CELL_MIN_MV] = low
        signals[protection.CELL_MAX_MV] = high
        signals[protection.CHARGE_MA] = sample.current_ma
        signals[protection.DISCHARGE_MA] = -sample.current_ma
        signals[protection.TEMPERATURE_MIN_DC] = cold
        signals[protection.TEMPERATURE_MAX_DC] = warm
        signals[protection.STACK_MISMATCH_MV] = abs(total - sample.stack_mv)
        return True
