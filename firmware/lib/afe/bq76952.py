"""Driver of the BQ76952: 3 to 16 cells, current, temperatures, protections and both gates.

Goals: the chip ends up either programmed, read back and guarding, or the caller knows why not;
nothing but `command_gates` ever allows a gate. Every call is a bounded number of I2C transactions
(5 for a sample, less than 6 ms of bus time for a step of programming), the first failure ends it,
nothing waits and nothing allocates after construction.
Limits: called from the fast path only. One chip, no OTP, no sealing, no predischarge, no latches:
a short circuit is latched by the battery's fault, which holds the gates off (SLUUBY2B leaves SCDL,
OCDL and COVL disabled by default).
Sources: SLUUBY2B (BQ76952 technical reference manual), SLUAA11B (software guide), afe.md.
"""

from array import array

from afe.bq76952_link import Link
from afe.bq76952_programming import Programming
from afe.bq76952_settings import Settings
from bms.sample import (
    BUS_ERROR,
    CONFIGURATION_LOST,
    GATE_CHARGE,
    GATE_DISCHARGE,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CELL_UNDERVOLTAGE,
    TRIP_CHIP_FAILED,
    TRIP_CHIP_OVERTEMPERATURE,
    TRIP_HOST_WATCHDOG,
    TRIP_OVERCURRENT_CHARGE,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_OVERTEMPERATURE_CHARGE,
    TRIP_OVERTEMPERATURE_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNDERTEMPERATURE_CHARGE,
    TRIP_UNDERTEMPERATURE_DISCHARGE,
)

# Direct commands (afe.md section 2), and places of values in the blocks read from them.
_STATUS = 0x02  # 18 bytes: safety alerts and status, permanent failures, battery status
_SAFETY_A = 0x03 - _STATUS
_SAFETY_B = 0x05 - _STATUS
_SAFETY_C = 0x07 - _STATUS
_FAILURE_A = 0x0B - _STATUS
_FAILURE_B = 0x0D - _STATUS
_FAILURE_C = 0x0F - _STATUS
_FAILURE_D = 0x11 - _STATUS
_BATTERY = 0x12 - _STATUS
_CELLS = 0x14  # 34 bytes: 16 cells and the stack
_LAST_INPUT = 15  # cell 16 is always present (afe.md section 4, VCell mode)
_STACK = 0x34 - _CELLS
_CURRENT = 0x3A  # 2 bytes
_ALARM = 0x62  # 30 bytes: alarms, temperatures, gates
_DIE = 0x68 - _ALARM
_TS1 = 0x70 - _ALARM
_HDQ = 0x76 - _ALARM
_FETS = 0x7F - _ALARM

# Battery status, low and high byte
_CFGUPDATE = 0x01
_POR = 0x08  # RAM is at its defaults; cleared by leaving CONFIG_UPDATE
_WD = 0x10  # the chip's previous reset came from its own watchdog; only the next reset clears it
_PF = 0x10  # high byte: a permanent failure

_SCANS = 0x82  # alarm status: FULLSCAN, ADSCAN
_CHG_FET = 0x01
_DSG_FET = 0x04

# Subcommands (afe.md section 3)
_FET_CONTROL = 0x0097
_OCDL_RECOVER = 0x009B
_SCDL_RECOVER = 0x009C

# FET_CONTROL: 1 forces off (field lesson 1). PCHG and PDSG are never allowed.
_ALL_OFF = 0x0F
_DSG_OFF = 0x01
_CHG_OFF = 0x04

_KELVIN_DC = 2731  # 0 C in 0.1 K

# Bits of safety status A, then B (8 on), then C (16 on), as trips (afe.md section 2). What is not
# here is reserved or never enabled.
_TRIPS = (
    (2, TRIP_CELL_UNDERVOLTAGE),
    (3, TRIP_CELL_OVERVOLTAGE),
    (4, TRIP_OVERCURRENT_CHARGE),
    (5, TRIP_OVERCURRENT_DISCHARGE),  # OCD1
    (6, TRIP_OVERCURRENT_DISCHARGE),  # OCD2
    (7, TRIP_SHORT_CIRCUIT),
    (8, TRIP_UNDERTEMPERATURE_CHARGE),
    (9, TRIP_UNDERTEMPERATURE_DISCHARGE),
    (12, TRIP_OVERTEMPERATURE_CHARGE),
    (13, TRIP_OVERTEMPERATURE_DISCHARGE),
    (14, TRIP_CHIP_OVERTEMPERATURE),  # OTINT
    (15, TRIP_CHIP_OVERTEMPERATURE),  # OTF
    (17, TRIP_HOST_WATCHDOG),
    (20, TRIP_CELL_OVERVOLTAGE),  # COVL
    (21, TRIP_OVERCURRENT_DISCHARGE),  # OCDL
    (22, TRIP_SHORT_CIRCUIT),  # SCDL
    (23, TRIP_OVERCURRENT_DISCHARGE),  # OCD3
)
_STATUS_BITS = 24


class Bq76952:
    """The chip at a 7-bit `address` on `i2c` (`readfrom_mem_into`, `writeto_mem`).

    `parameters` is the parameters table; `crc` True for the versions of the chip that talk with
    CRC. Answers are the codes of bms.sample.
    """

    def __init__(self, i2c, parameters, crc=False, address=0x08):
        self.settings = Settings(parameters)  # `settings.taken`: what the chip really took
        self._link = Link(i2c, address, crc)
        self._status = bytearray(18)
        self._cells = bytearray(34)
        self._current = bytearray(2)
        self._alarm = bytearray(30)
        self._pair = bytearray(2)
        self._gates = bytearray((_FET_CONTROL, 0, _ALL_OFF))
        self._trips = array("H", [0] * _STATUS_BITS)
        for bit, trip in _TRIPS:
            self._trips[bit] = trip
        self._trips_found = 0
        self._programming = Programming(self._link, self.settings, self._note_trips)

    @property
    def device_number(self):
        """What answered last when it was asked who it is, for messages; 0: nobody."""
        return self._programming.device_number

    def sample_into(self, sample):
        """Read everything into `sample`: OK, BUS_ERROR or CONFIGURATION_LOST.

        Unless it is OK, `sample` keeps what it had. `sample.scans` counts finished scans of the
        cells; its alarm is read before the cells, so that these are at least as new.
        """
        link = self._link
        if not (
            link.read_into(_ALARM, self._alarm)
            and link.read_into(_STATUS, self._status)
            and link.read_into(_CELLS, self._cells)
            and link.read_into(_CURRENT, self._current)
        ):
            return BUS_ERROR
        if self._status[_BATTERY] & (_CFGUPDATE | _POR | _WD) & ~self._programming.known_status:
            return CONFIGURATION_LOST
        scans = self._alarm[0] & _SCANS
        if scans:
            self._pair[0] = scans
            self._pair[1] = 0
            if not link.write(_ALARM, self._pair):  # a 1 clears its bit
                return BUS_ERROR
            sample.scans = (sample.scans + 1) & 0x3FFFFFFF
        self._fill(sample)
        return OK

    def command_gates(self, gates):
        """Let the GATE_* bits in `gates` be on, force everything else off.

        A gate that is let on stays off while one of the chip's own protections blocks it. OK, or
        BUSY or BUS_ERROR: the chip may not have taken it, command it again.
        """
        forced = _ALL_OFF
        if gates & GATE_CHARGE:
            forced &= ~_CHG_OFF
        if gates & GATE_DISCHARGE:
            forced &= ~_DSG_OFF
        self._gates[2] = forced
        return self._link.transfer(self._gates)

    def recover(self, trips):
        """Release what the chip may have latched of `trips` (TRIP_* bits), whose causes are gone.

        Our settings latch nothing, but a chip that was programmed by others may still hold it.
        OK, BUSY or BUS_ERROR. The gates stay as they are commanded.
        """
        if trips & TRIP_OVERCURRENT_DISCHARGE:
            code = self._link.command(_OCDL_RECOVER)
            if code != OK:
                return code
        if trips & TRIP_SHORT_CIRCUIT:
            return self._link.command(_SCDL_RECOVER)
        return OK

    def all_off(self):
        """Gates and balancing off, on a chip in whatever state: OK, BUSY or BUS_ERROR."""
        return self._programming.all_off()

    def take_found_trips(self):
        """TRIP_* bits that stood in the chip when it was programmed; asked once, then 0."""
        trips = self._trips_found
        self._trips_found = 0
        return trips

    def start_programming(self):
        """Begin, or begin again, with the parameters of now. No bus traffic yet."""
        self._programming.start()

    def programming_step(self):
        """One bounded piece of programming, gates off: BUSY while more is to do.

        OK when the chip is programmed, verified and guarding; BUS_ERROR, WRONG_DEVICE or
        VERIFY_FAILED if it is not. After these the next call begins anew.
        """
        return self._programming.step()

    def _note_trips(self):
        if not self._link.read_into(_STATUS, self._status):
            return BUS_ERROR
        self._trips_found |= self._tripped()
        return OK

    def _fill(self, sample):
        settings = self.settings
        cells = self._cells
        last = len(sample.cell_mv) - 1
        for cell in range(last):
            sample.cell_mv[cell] = _signed(cells, 2 * cell)
        sample.cell_mv[last] = _signed(cells, 2 * _LAST_INPUT)
        sample.stack_mv = 10 * _signed(cells, _STACK)  # userV is 10 mV
        sample.current_ma = settings.current_unit_ma * _signed(self._current, 0)
        alarm = self._alarm
        for sensor in range(len(sample.temperature_dc)):
            sample.temperature_dc[sensor] = _signed(alarm, _TS1 + 2 * sensor) - _KELVIN_DC
        board = _HDQ if settings.fet_thermistor else _DIE
        sample.board_temperature_dc = _signed(alarm, board) - _KELVIN_DC
        gates = GATE_CHARGE if alarm[_FETS] & _CHG_FET else 0
        if alarm[_FETS] & _DSG_FET:
            gates |= GATE_DISCHARGE
        sample.gates = gates
        sample.trips = self._tripped()

    def _tripped(self):
        status = self._status
        trips = 0
        bits = status[_SAFETY_A] | status[_SAFETY_B] << 8 | status[_SAFETY_C] << 16
        bit = 0
        while bits:
            if bits & 1:
                trips |= self._trips[bit]
            bits >>= 1
            bit += 1
        failures = status[_FAILURE_A] | status[_FAILURE_B] | status[_FAILURE_C]
        if failures | status[_FAILURE_D] | status[_BATTERY + 1] & _PF:
            trips |= TRIP_CHIP_FAILED
        return trips


def _signed(view, at):
    """Signed 16 bits by hand: `int.from_bytes` ignores the sign in MicroPython."""
    value = view[at] | view[at + 1] << 8
    return value - 0x10000 if value & 0x8000 else value
