"""The published values: one array that the fast path and the slow path fill, and all links read.

Who may write: the battery only. The slow coroutine hands its values over whole, in one bytecode
(`publish_slow`); `step` shows them and its own (`show_slow`, `publish_fast`). Nothing else changes
what is shown, so between two steps it belongs together.
Who may read: anybody, after `snapshot_into` copied all values into the reader's own array.
None of these allocates. Values that rest on measurements are INVALID (see bms.table) whenever
the measurement is missing, stale or implausible.
Names, units, types and places are in bms.point_table, which is in memory only while somebody needs
it; words for the numbers below are in bms.point_words.
"""

from array import array

from bms.table import INVALID, Lent

# Types, as in the rows: registers a value takes on Modbus, and its sign.
TYPE_I32 = 0
TYPE_U16 = 1
TYPE_I16 = 2
TYPE_B16 = 3

# The states, as the point `state` shows them.
STATE_STARTING = 0  # no decision yet
STATE_UNCONFIGURED = 1  # no valid configuration: nothing is measured, gates off
STATE_PROGRAMMING = 2  # the measuring chip is being programmed, gates off
STATE_STANDBY = 3  # all is well, gates off by command
STATE_ACTIVE = 4  # guarding, nothing blocked
STATE_FAULT = 5  # guarding, at least one direction blocked by a fault
STATE_FAILED = 6  # the firmware stopped itself, gates off
STATE_SELF_TEST = 7  # the measuring chip is tested, gates off
STATE_COMMISSIONING = 8  # a person confirms the wiring; gates off but for a first current
STATE_LIMITED = 9  # guarding; only a limited current is allowed

# What the power path does, as the point `path_state` shows it.
PATH_OFF = 0  # nothing is on
PATH_ON = 1  # what is allowed is on
PATH_PRECHARGING = 2  # the bus fills up through the resistor
PATH_COOLING = 3  # the resistor cools down before the next try
PATH_OPENING = 4  # current that is not allowed gets time to fall, then the contactors open
PATH_WAITING_FOR_FUSE = 5  # more current than the contactors can break
PATH_FAILED = 6  # a latched fault of the path itself
PATH_BRIDGING = 7  # one direction is blocked; its switch is on to spare its body diode
PATH_BUS_ABOVE = 8  # contactors stay open, because a charger holds the bus above the pack

# What the state of charge is worth, as the point `soc_quality` shows it.
QUALITY_UNKNOWN = 0  # only a guess from a voltage
QUALITY_ESTIMATING = 1  # found from the voltage over some time
QUALITY_SYNCED = 2  # the pack was full or empty, and the count since then is good

# Of the point `charge_phase`, whose others only bms.charge_control needs.
PHASE_STALLED = 3  # the charger holds the cells below `full_cell_mv`

# What the balancing does, or why it does nothing, as the point `balancing_state` shows it.
BALANCING_OFF = 0  # by its parameter
BALANCING_BLEEDING = 1  # cells are bled
BALANCING_BALANCED = 2  # no cell has too much
BALANCING_LEARNING = 3  # what is known asks for nothing, but not all cells are known yet
BALANCING_NOT_MEASURED = 4  # there is no valid measurement
BALANCING_BLOCKED = 5  # discharging is not allowed, or the pack is not commissioned
BALANCING_CELL_TEMPERATURE = 6  # a cell is too cold or too warm
BALANCING_BOARD_HOT = 7  # the board or the measuring chip is too warm
BALANCING_CHARGE_LOW = 8  # too little charge is left
BALANCING_IDLE = 9  # the latest charging is too long ago
BALANCING_REFUSED = 10  # the measuring chip does not bleed what it is told to
BALANCING_SUSPECT = 11  # bleeding had no effect on more than one cell: leads may be mixed up


class Points(Lent):
    """The live values of the points table; what is not here is in bms.point_table.Table."""

    TABLE = "bms.point_table"

    def __init__(self):
        # Values before blank_size are fast and rest on measurements, those before fast_size are
        # the fast path's, and of the others the first slow_blank_size rest on measurements.
        self.blank_size, self.fast_size, blank_end, size = self.ends
        self.slow_blank_size = blank_end - self.fast_size
        self.live = array("i", [INVALID] * size)
        view = memoryview(self.live)
        self._all = view
        self._fast = view[: self.fast_size]
        self._slow = view[self.fast_size :]
        self._posted = memoryview(array("i", self.live[self.fast_size :]))
        self._slow_blank = view[self.fast_size : blank_end]
        self._blank = memoryview(array("i", [INVALID] * self.slow_blank_size))

    def __len__(self):
        return len(self.types)

    def new_snapshot(self):
        """An array that `snapshot_into` accepts; make it once."""
        return array("i", [0] * len(self.live))

    def snapshot_into(self, view):
        """Copy all live values into `view`, a memoryview over an array of `new_snapshot`."""
        view[0:] = self._all

    def fast_into(self, view):
        """Copy the values of the fast path into `view`, a memoryview over `fast_size` integers."""
        view[0:] = self._fast

    def publish_fast(self, view):
        """Publish the values at offsets 0..fast_size from `view` (a memoryview of that length)."""
        self._fast[0:] = view

    def publish_slow(self, view):
        """Hand over the values from offset fast_size on; the next step shows them."""
        self._posted[0:] = view

    def show_slow(self, valid):
        """Show what was handed over; what rests on measurements only while these are valid."""
        self._slow[0:] = self._posted
        if not valid:
            self._slow_blank[0:] = self._blank


def set_bit_names(words, faults):
    """Names of the bits set in `words` (16 bits each), by a Faults table. Allocates."""
    return [
        faults.names.name(bit) for bit in range(len(faults)) if words[bit >> 4] >> (bit & 15) & 1
    ]
