"""One measurement of the whole pack: what a measuring chip's driver fills and the battery judges.

Units are the project's (mV, mA charging positive, 0.1 C). The driver owns no decision: it copies
what the chip says. Everything is allocated here, once.
"""

from array import array

MAX_CELLS = 32
MAX_THERMISTORS = 8

# Gates, as bits of `gates` here, in the points table and in commands to a driver.
GATE_CHARGE = 1
GATE_DISCHARGE = 2
GATES_BOTH = 3

# What a driver answers when it is asked for a sample or a piece of configuration.
OK = 0
BUSY = 1  # the chip (or a configuration in progress) needs another step
BUS_ERROR = 2  # no acknowledge, time-out or a CRC that does not fit
WRONG_DEVICE = 3  # something answers, but not the chip this driver is for
VERIFY_FAILED = 4  # the chip holds other settings than were written
CONFIGURATION_LOST = 5  # the chip restarted and forgot its settings
CORRUPT = 6  # it answered, but a CRC or a checksum does not fit
SENSOR_LOST = 7  # the external current sensor does not answer, or stands still

# Modes of a measuring chip, for `set_mode` of its driver.
MODE_NORMAL = 0
MODE_SLEEP = 1  # measures seldom, guards as before
MODE_OFF = 2  # gates off, nothing measured, until a charger or a button wakes it

# Trips: protections that act inside the chip, as bits of `trips`. Same meaning for every chip.
TRIP_CELL_OVERVOLTAGE = 1 << 0
TRIP_CELL_UNDERVOLTAGE = 1 << 1
TRIP_OVERCURRENT_CHARGE = 1 << 2  # the fast ones: slow over-current is software's
TRIP_OVERCURRENT_DISCHARGE = 1 << 3
TRIP_SHORT_CIRCUIT = 1 << 4
TRIP_OVERTEMPERATURE_CHARGE = 1 << 5
TRIP_OVERTEMPERATURE_DISCHARGE = 1 << 6
TRIP_UNDERTEMPERATURE_CHARGE = 1 << 7
TRIP_UNDERTEMPERATURE_DISCHARGE = 1 << 8
TRIP_CHIP_OVERTEMPERATURE = 1 << 9
TRIP_HOST_WATCHDOG = 1 << 10
TRIP_CHIP_FAILED = 1 << 11  # a permanent failure the chip found in itself
TRIP_FET_OVERTEMPERATURE = 1 << 12
TRIP_UNSEEN = 1 << 13  # something tripped and was over before anybody asked

# Places in a calibration's corrections, see bms.calibration: an array, from CORRECTED_CELLS on one
# a cell. Gains in 0.001 %, the current's zero in nV across the shunt.
CORRECTED_STACK = 0
CORRECTED_BUS = 1
CORRECTED_CURRENT = 2
CORRECTED_ZERO = 3
CORRECTED_CELLS = 4


def corrected(value, gain):
    """`value` (below 2**26) with so many 0.001 % more (up to 10 %); integers below 2**30."""
    share = value // 1000 * gain + value % 1000 * gain // 1000
    return value + (share + 50) // 100


def effective_shunt(shunt_microohm, corrections):
    """The shunt that the current's gain tells of, for the thresholds of a chip."""
    if corrections is None:
        return shunt_microohm
    return max(1, shunt_microohm * 1000 // (1000 + corrections[CORRECTED_CURRENT] // 100))


class Sample:
    """A measurement in progress. Only the fast path touches it; links read the points table."""

    def __init__(self, series_cells, thermistors):
        self.cell_mv = array("i", [0] * series_cells)
        self.temperature_dc = array("i", [0] * thermistors)
        self.stack_mv = 0
        self.current_ma = 0
        self.board_temperature_dc = 0  # at the switches, or of the chip if no sensor is there
        self.chip_temperature_dc = 0
        self.bus_mv = 0  # behind the switches
        self.load_mv = 0  # at the load's terminal while the load detection is on
        self.gates = 0  # gates that are really on, from the chip
        self.trips = 0  # protections that act inside the chip now
        self.scans = 0  # the driver adds 1 whenever the chip finished a new scan of all cells
