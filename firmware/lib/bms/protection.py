"""Protections in software: one table, one loop.

A row compares one signal with its thresholds: beyond `trip` for `delay` makes its fault active;
back across `release` for `release_delay` makes it inactive; beyond `warn` is a warning. All
thresholds are parameters, found by the row's name (`cell_overvoltage_trip_mv`, ...) unless the row
names others. Direction and latch policy stand in the table of faults.
Adding a protection means adding a row in bms.protection_rows, its parameters and its fault.
Fast path only; nothing allocates after construction.
"""

from array import array

from bms.fault_register import WORDS
from bms.table import give_back

# Signals that rows may watch; `bms.measurement` fills them, the battery those marked so.
CELL_MAX_MV = 0
CELL_MIN_MV = 1
CHARGE_MA = 2
DISCHARGE_MA = 3
TEMPERATURE_MAX_DC = 4
TEMPERATURE_MIN_DC = 5
STACK_MISMATCH_MV = 6
CELL_MEAN_MV = 7  # the stack's voltage over the number of cells
BOARD_DC = 8
CHIP_DC = 9
CELL_DELTA_MV = 10
GATES_OFF_MA = 11  # battery: current that flows the way of a gate that is off
LIMITED_MA = 12  # battery: current while only a limited one is allowed, else 0
SIGNALS = 13

_NOT_PENDING = -1
# A person's word to an empty pack: a self-test and the longest release delay fit into it.
_PERSON_MS = 90000


class Protection:
    """The rows' states: active or not, and for how long the opposite has been true.

    tight: the warning thresholds are the trips (an inverter fell silent, and the settings say so).
    pending: GATE_* bits of rows that are on the way to trip; such a gate is not to be closed anew.
    """

    def __init__(self, parameters, faults):
        from bms.protection_rows import ROWS, UNDERVOLTAGES, parameter_names

        give_back("bms.protection_rows")
        names = [parameter_names(row) for row in ROWS]
        columns = [
            bytes([parameters.index(row[column]) for row in names])
            for column in range(len(names[0]))
        ]
        self._values = parameters.values
        self._warn, self._trip, self._delay, self._release, self._release_delay = columns
        self._fault = bytes([faults.names.index(row[0]) for row in ROWS])
        self._blocks = bytes([faults.blocks[fault] for fault in self._fault])
        self._signal = bytes([row[1] for row in ROWS])
        self._side = array("b", [row[2] for row in ROWS])
        self._needs_charge = bytes([row[0] in UNDERVOLTAGES for row in ROWS])
        self._charge_ma = parameters.index("undervoltage_release_ma")
        self._active = bytearray(len(ROWS))
        self._forced = bytearray(len(ROWS))  # another layer tripped since the last step
        self._pending_ms = array("i", [_NOT_PENDING] * len(ROWS))
        self._person_ms = 0  # for so long a person lets an empty pack discharge without charge
        self.warnings = array("i", [0] * WORDS)
        self.tight = False
        self.pending = 0

    def step(self, signals, elapsed_ms, register, measured):
        """Judge the signals and report active faults to the fault register.

        `measured` False: they are held over from the last good measurement, so a trip may come
        nearer, a release may not.
        """
        values = self._values
        trips = self._warn if self.tight else self._trip
        self._begin(elapsed_ms)
        for row in range(len(self._active)):
            side = self._side[row]
            signal = signals[self._signal[row]]
            if (signal - values[self._warn[row]]) * side > 0:
                fault = self._fault[row]
                self.warnings[fault >> 4] |= 1 << (fault & 15)
            if self._forced[row]:
                self._trip_now(row)
            elif not self._active[row]:
                asks = (signal - values[trips[row]]) * side > 0
                if asks:
                    self.pending |= self._blocks[row]
                self._progress(row, asks, values[self._delay[row]], elapsed_ms)
            elif measured:
                asks = (self._release_at(row) - signal) * side > 0
                if asks and self._needs_charge[row] and not self._person_ms:
                    asks = signals[CHARGE_MA] > values[self._charge_ma]
                self._progress(row, asks, values[self._release_delay[row]], elapsed_ms)
            if self._active[row]:
                register.measured[self._fault[row]] = signal
                register.report(self._fault[row], 0)

    def hold(self, register, elapsed_ms):
        """Nothing valid is measured: active faults stay, delays begin anew, no warnings."""
        self._begin(elapsed_ms)
        for row in range(len(self._active)):
            self._pending_ms[row] = _NOT_PENDING
            if self._forced[row]:
                self._trip_now(row)
            if self._active[row]:
                register.report(self._fault[row], 0)

    def force(self, fault):
        """The row of `fault` is active in the coming step, because another layer tripped; from
        then on its own release decides. False if the fault has no row."""
        for row in range(len(self._active)):
            if self._fault[row] == fault:
                self._forced[row] = 1
                return True
        return False

    def force_undervoltage(self):
        """The pack was empty when the processor stopped: rest alone does not make it well."""
        for row in range(len(self._active)):
            if self._needs_charge[row]:
                self._forced[row] = 1

    def release_by_person(self):
        """A person lets an empty pack discharge again if its voltage allows it by now, or does
        within the next moments; cells that recover later, by rest alone, need charge or a word
        of that time."""
        self._person_ms = _PERSON_MS

    def undervoltage(self):
        """Whether a cell or the pack counts as empty."""
        for row in range(len(self._active)):
            if self._needs_charge[row] and self._active[row]:
                return True
        return False

    def _release_at(self, row):
        """The row's release threshold; when tight, as far before the warning as it is before the
        trip: the gates must not chatter. At half the warning at least, as no amount gets below 0.
        """
        values = self._values
        release = values[self._release[row]]
        if not self.tight:
            return release
        warn = values[self._warn[row]]
        tight = warn - values[self._trip[row]] + release
        if self._side[row] > 0:
            return min(release, max(tight, warn // 2))
        return max(release, tight)

    def _begin(self, elapsed_ms):
        self.pending = 0
        for word in range(WORDS):
            self.warnings[word] = 0
        self._person_ms = max(self._person_ms - elapsed_ms, 0)
        if self._person_ms and not self.undervoltage():
            self._person_ms = 0  # it was for this time only

    def _trip_now(self, row):
        self._forced[row] = 0
        self._active[row] = 1
        self._pending_ms[row] = _NOT_PENDING

    def _progress(self, row, asks, delay_ms, elapsed_ms):
        """Change the row's state once it asks for that for its whole delay. Time counts from the
        first measurement that asked, never from before."""
        if not asks:
            self._pending_ms[row] = _NOT_PENDING
            return
        pending_ms = self._pending_ms[row]
        pending_ms = 0 if pending_ms < 0 else pending_ms + elapsed_ms
        if pending_ms >= delay_ms:
            self._active[row] = not self._active[row]
            pending_ms = _NOT_PENDING
        self._pending_ms[row] = pending_ms
