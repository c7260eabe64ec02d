"""Is this measurement true, and what does it say? Plausibility, hold-over and signals.

Law 3: a missing, stale or implausible measurement is a fault. A short hold-over (at most
HOLDOVER_SAMPLES bad samples and HOLDOVER_MS) rides through a glitch with the values of the last
good sample; after it `valid` is False until a good, fresh sample comes.
Fast path only; nothing allocates after construction.
"""

from array import array

from bms import protection
from bms.sample import CORRUPT, OK, SENSOR_LOST

HOLDOVER_SAMPLES = 3
HOLDOVER_MS = 500
AGE_MAX_MS = 1000000  # ages stop here, far below 2**30

# Outside these, no battery and no working sensor can be: an open or shorted thermistor reads below
# or above them (afe.md section 7), a loose balance lead shows spikes (field lesson 17).
_CELL_MV = (300, 5000)
_TEMPERATURE_DC = (-400, 1200)
_BOARD_DC = (-400, 1500)
_CURRENT_MA = 1000000
# An open sense wire moves what one cell has too little to its neighbour (afe.md section 7: low on
# one cell, high on the next): the two together still have the mean of the pack within this.
_PAIR_MV = 300
NO_LEAD = -1

GOOD = 0
LOST = 1  # the chip did not answer
STALE = 2  # it answered, but did not measure
IMPLAUSIBLE = 3  # it measured what can not be
THERMISTOR_OPEN = 4
THERMISTOR_SHORT = 5
WIRE_OPEN = 6
DAMAGED = 7  # what it sent arrived damaged
SENSOR_SILENT = 8  # the external current sensor did not answer, or stands still

# What the driver's answer means when it is no sample.
_ANSWERS = {CORRUPT: DAMAGED, SENSOR_LOST: SENSOR_SILENT}


class Measurement:
    """Judges each sample and derives what protections and points need from the good ones."""

    def __init__(self, sample, period_ms=100):
        self.sample = sample
        self.period_ms = period_ms  # until the next step comes, as a rule
        self.signals = array("i", [0] * protection.SIGNALS)
        self.cell_min_index = 0
        self.cell_max_index = 0
        self.suspect_lead = NO_LEAD  # counted from 0 at pack minus, while a sense wire is open
        self.holdover_ms = HOLDOVER_MS  # longer while steps come seldom (resting.pace)
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
            self.problem = _ANSWERS.get(code, LOST)
            self._bad_samples += 1
        elif not self._scanned or (
            self._scan_age_ms and self._scan_age_ms + elapsed_ms > self.holdover_ms
        ):
            self.problem = STALE  # also if the next step would be too late to say so
        else:
            self.problem = self._derive()
            if self.problem != GOOD:
                self._bad_samples += 1
        if self.problem == GOOD:
            self._bad_samples = 0
            self.age_ms = self._scan_age_ms
            self.valid = True
            self.expired = False
            return True
        # The hold-over ends before it is over, if the next step would be too late.
        if self._bad_samples > HOLDOVER_SAMPLES or self.age_ms + self.period_ms > self.holdover_ms:
            self._bad_samples = HOLDOVER_SAMPLES + 1
            self.valid = False
            self.expired = True
        return False

    def _derive(self):
        """Fill the signals from the sample: GOOD; or why not, and the signals stay as they are."""
        problem = self._judge_temperatures()
        if problem == GOOD:
            problem = self._judge_cells()
        if problem == GOOD:
            self._take_temperatures()
            self._take_currents()
        return problem

    def _judge_temperatures(self):
        sample = self.sample
        for temperature_dc in sample.temperature_dc:
            if temperature_dc < _TEMPERATURE_DC[0]:
                return THERMISTOR_OPEN
            if temperature_dc > _TEMPERATURE_DC[1]:
                return THERMISTOR_SHORT
        if (
            not _BOARD_DC[0] <= sample.board_temperature_dc <= _BOARD_DC[1]
            or not _BOARD_DC[0] <= sample.chip_temperature_dc <= _BOARD_DC[1]
            or not -_CURRENT_MA < sample.current_ma < _CURRENT_MA
        ):
            return IMPLAUSIBLE
        return GOOD

    def _judge_cells(self):
        """One pass over the cells; takes their signals if they are plausible."""
        cells = self.sample.cell_mv
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
        self.suspect_lead = NO_LEAD
        if low < _CELL_MV[0] or high > _CELL_MV[1]:
            return self._name_wire(low_index, high_index, total)
        stack_mv = self.sample.stack_mv
        if not _CELL_MV[0] * len(cells) <= stack_mv <= _CELL_MV[1] * len(cells):
            return IMPLAUSIBLE
        self.cell_min_index = low_index
        self.cell_max_index = high_index
        signals = self.signals
        signals[protection.CELL_MIN_MV] = low
        signals[protection.CELL_MAX_MV] = high
        signals[protection.CELL_DELTA_MV] = high - low
        signals[protection.CELL_MEAN_MV] = stack_mv // len(cells)
        signals[protection.STACK_MISMATCH_MV] = abs(total - stack_mv)
        return GOOD

    def _name_wire(self, low_index, high_index, total):
        """Cells that can not be: WIRE_OPEN if neighbours share what one lacks, or IMPLAUSIBLE."""
        cells = self.sample.cell_mv
        # All below 0: the whole plug is the wrong way round.
        if abs(low_index - high_index) == 1 and cells[high_index] > 0:
            pair = cells[low_index] + cells[high_index]
            if abs(pair * len(cells) - 2 * total) <= _PAIR_MV * len(cells):
                self.suspect_lead = max(low_index, high_index)
                return WIRE_OPEN
        return IMPLAUSIBLE

    def _take_temperatures(self):
        sample = self.sample
        temperatures = sample.temperature_dc
        cold = warm = temperatures[0]
        for index in range(1, len(temperatures)):
            cold = min(cold, temperatures[index])
            warm = max(warm, temperatures[index])
        signals = self.signals
        signals[protection.TEMPERATURE_MIN_DC] = cold
        signals[protection.TEMPERATURE_MAX_DC] = warm
        signals[protection.BOARD_DC] = sample.board_temperature_dc
        signals[protection.CHIP_DC] = sample.chip_temperature_dc

    def _take_currents(self):
        signals = self.signals
        signals[protection.CHARGE_MA] = self.sample.current_ma
        signals[protection.DISCHARGE_MA] = -self.sample.current_ma
