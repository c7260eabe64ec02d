"""Protections in software: one table, one loop.

A row compares one signal with its thresholds: beyond `trip` for `delay` makes its fault active;
back across `release` for `release_delay` makes it inactive; beyond `warn` is a warning. All
thresholds are parameters, found by the row's name (`cell_overvoltage_trip_mv`, ...).
Adding a protection means adding a row here, its parameters and its fault.
Fast path only; nothing allocates after construction.
"""

from array import array

from bms.fault_register import WORDS

# Signals that rows may watch; `bms.measurement` fills them.
CELL_MAX_MV = 0
CELL_MIN_MV = 1
CHARGE_MA = 2
DISCHARGE_MA = 3
TEMPERATURE_MAX_DC = 4
TEMPERATURE_MIN_DC = 5
STACK_MISMATCH_MV = 6
SIGNALS = 7

_ABOVE = 1
_BELOW = -1

# fault and parameter prefix, signal, which side trips, unit of its thresholds
ROWS = (
    ("cell_overvoltage", CELL_MAX_MV, _ABOVE, "mv"),
    ("cell_undervoltage", CELL_MIN_MV, _BELOW, "mv"),
    ("overcurrent_charge", CHARGE_MA, _ABOVE, "ma"),
    ("overcurrent_discharge", DISCHARGE_MA, _ABOVE, "ma"),
    ("overtemperature_charge", TEMPERATURE_MAX_DC, _ABOVE, "dc"),
    ("overtemperature_discharge", TEMPERATURE_MAX_DC, _ABOVE, "dc"),
    ("undertemperature_charge", TEMPERATURE_MIN_DC, _BELOW, "dc"),
    ("undertemperature_discharge", TEMPERATURE_MIN_DC, _BELOW, "dc"),
    ("stack_mismatch", STACK_MISMATCH_MV, _ABOVE, "mv"),
)

_NOT_PENDING = -1


class Protection:
    """The rows' states: active or not, and for how long the opposite has been true."""

    def __init__(self, parameters, faults):
        self._values = parameters.values
        self._fault = bytes(faults.names.index(row[0]) for row in ROWS)
        self._signal = bytes(row[1] for row in ROWS)
        self._side = array("b", [row[2] for row in ROWS])
        self._warn = bytes(parameters.index("%s_warn_%s" % (row[0], row[3])) for row in ROWS)
        self._trip = bytes(parameters.index("%s_trip_%s" % (row[0], row[3])) for row in ROWS)
        self._delay = bytes(parameters.index(row[0] + "_delay_ms") for row in ROWS)
        self._release = bytes(parameters.index("%s_release_%s" % (row[0], row[3])) for row in ROWS)
        self._release_delay = bytes(parameters.index(row[0] + "_release_delay_ms") for row in ROWS)
        self._active = bytearray(len(ROWS))
        self._forced = bytearray(len(ROWS))  # another layer tripped since the last step
        self._pending_ms = array("i", [_NOT_PENDING] * len(ROWS))
        self.warnings = array("i", [0] * WORDS)

    def step(self, signals, elapsed_ms, register, measured):
        """Judge the signals and report active faults to the fault register.

        `measured` False: they are held over from the last good measurement, so a trip may come
        nearer, a release may not.
        """
        values = self._values
        for word in range(WORDS):
            self.warnings[word] = 0
        for row in range(len(self._active)):
            fault = self._fault[row]
            side = self._side[row]
            signal = signals[self._signal[row]]
            if (signal - values[self._warn[row]]) * side > 0:
                self.warnings[fault >> 4] |= 1 << (fault & 15)
            if self._forced[row]:
                self._forced[row] = 0
                self._active[row] = 1
                self._pending_ms[row] = _NOT_PENDING
            elif not self._active[row]:
                asks = (signal - values[self._trip[row]]) * side > 0
                self._progress(row, asks, values[self._delay[row]], elapsed_ms)
            elif measured:
                asks = (values[self._release[row]] - signal) * side > 0
                self._progress(row, asks, values[self._release_delay[row]], elapsed_ms)
            if self._active[row]:
                register.report(fault, 0)

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

    def hold(self, register):
        """Nothing valid is measured: active faults stay, delays begin anew, no warnings."""
        for word in range(WORDS):
            self.warnings[word] = 0
        for row in range(len(self._active)):
            self._pending_ms[row] = _NOT_PENDING
            if self._forced[row]:
                self._forced[row] = 0
                self._active[row] = 1
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
