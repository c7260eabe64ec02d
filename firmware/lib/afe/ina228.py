"""Driver of the INA228: current through a shunt of its own, and the voltage of the bus.

For packs with contactors, whose current is more than the measuring chip's shunt should carry. IN+
is the end of the shunt that charge current enters, VBUS the bus behind the contactors.
Goals: a sample is either new, from the converter that was configured and still is, or it is an
error (law 3): the conversion-ready flag must be there again at every read, the latch bit beside
it shows a chip that restarted, and each read compares one more register. A sensor that lost its
settings is configured anew, one bounded piece a read. At most 6 transactions a call (0.8 ms at
400 kHz), the first failure ends it, nothing waits and nothing allocates after construction.
Limits: called from the fast path only. No alert pin; the chip's own sums (power, energy, charge)
are not used. It has no CRC: reserved bits that are not 0 are the only damage that shows.
Source of register facts: SLYS021A (INA228 data sheet), section 7.6; steps: table 8-1.
"""

from array import array

from bms.sample import (
    BUS_ERROR,
    BUSY,
    CORRECTED_BUS,
    CORRECTED_CURRENT,
    CORRECTED_ZERO,
    OK,
    SENSOR_LOST,
    VERIFY_FAILED,
    WRONG_DEVICE,
    corrected,
)

# Registers; each is read and written alone, high byte first.
_CONFIG = 0x00
_ADC_CONFIG = 0x01
_VSHUNT = 0x04
_VBUS = 0x05
_DIAG_ALRT = 0x0B
_MANUFACTURER_ID = 0x3E
_DEVICE_ID = 0x3F

_MANUFACTURER = 0x5449  # "TI"
_DEVICE = 0x228  # bits 15 to 4 of the device id; the others are its revision

_NARROW = 0x0010  # CONFIG, ADCRANGE: 40.96 mV full scale instead of 163.84 mV
# Continuous shunt and bus voltage (mode 0xB), 1052 us each, mean of 4: new every 8.4 ms, which is
# more often than the shortest period of the fast path (20 ms).
_CONVERSIONS = 0xBB69
# ALATCH keeps the conversion-ready flag until it is read. It is 0 after a reset, so that it also
# tells a chip that restarted. Bit 0 is 1 while the chip's factory trim is sound.
_LATCHED = 0x8001
_ALERT_SETTINGS = 0xF001  # what must read back as written; between them are flags
_READY = 0x0002  # CNVRF: a conversion ended since the flag was last read

_FULL_SCALE_UV = 163840
_NARROW_FULL_SCALE_UV = 40960

_STALE_READS = 3  # in a row without a new conversion, then the chip is configured anew
_PATIENCE = 5  # steps in which the first conversion must end

_CONFIG_ROW = 0  # place in CurrentSensor._writes
_NO_FAILURE = (OK, BUSY)  # a display of it where it is used would be built anew each time

# What the measured current is compared with: each must be within what the sensor can measure.
_LARGEST_NAMES = (
    "overcurrent_charge_trip_ma",
    "overcurrent_discharge_trip_ma",
    "fast_overcurrent_charge_ma",
    "fast_overcurrent_discharge_ma",
    "contactor_break_max_ma",  # the last one, for contactors only
)
_SHUNT_NAME = "ina228_shunt_microohm"
_PATH_NAME = "power_path"
_CONTACTOR = 2


def problems(parameters, values):
    """Sentences that say why `values` (as in the table `parameters`) can not be measured.

    The largest current that anything is compared with and a fifth must fit. Allocates.
    """
    shunt_microohm = values[parameters.index(_SHUNT_NAME)]
    most_ma = _ma(_FULL_SCALE_UV, shunt_microohm)
    found = []
    for name in _LARGEST_NAMES[: _compared(values[parameters.index(_PATH_NAME)])]:
        current_ma = values[parameters.index(name)]
        if _with_room(current_ma) > most_ma:
            found.append(
                "'%s' is %d: with '%s' at %d the INA228 measures at most %d mA, which must be a "
                "fifth more; use a shunt of at most %d microohm or lower the current"
                % (
                    name,
                    current_ma,
                    _SHUNT_NAME,
                    shunt_microohm,
                    most_ma,
                    _FULL_SCALE_UV * 1000 // _with_room(current_ma),
                )
            )
    return found


class CurrentSensor:
    """An INA228 at a 7-bit `address` on `i2c` (`readfrom_mem_into`, `writeto_mem`)."""

    def __init__(self, i2c, parameters, address=0x40):
        self.device_id = 0  # what answered last when it was asked who it is, for messages
        self._i2c = i2c
        self._address = address
        self._values = parameters.values
        self._shunt = parameters.index(_SHUNT_NAME)
        self._path = parameters.index(_PATH_NAME)
        self._largest = array("H", [parameters.index(name) for name in _LARGEST_NAMES])
        self._word = bytearray(2)
        self._triple = bytearray(3)
        # Register, value and the bits that are compared. ADC_CONFIG starts the conversions, so it
        # comes after CONFIG and its range.
        self._writes = (
            bytearray((_CONFIG, 0, 0, 0xFF, 0xFF)),
            bytearray((_ADC_CONFIG, _CONVERSIONS >> 8, _CONVERSIONS & 0xFF, 0xFF, 0xFF)),
            bytearray(
                (
                    _DIAG_ALRT,
                    _LATCHED >> 8,
                    _LATCHED & 0xFF,
                    _ALERT_SETTINGS >> 8,
                    _ALERT_SETTINGS & 0xFF,
                )
            ),
        )
        self._stages = (self._identify, self._write, self._await_conversion)
        self._stage = 0  # len(_stages): configured
        self._waited = 0  # steps without a first conversion
        self._stale = 0  # reads in a row without a new conversion
        self._row = 0  # of _writes, the next to compare
        self._divisor = 1  # of 625 times the shunt voltage's steps, for mA
        self.start()

    def start(self):
        """Configure from the beginning, with the parameters of now. No bus traffic yet."""
        shunt_microohm = self._values[self._shunt]
        largest_ma = 0
        for place in range(_compared(self._values[self._path])):
            largest_ma = max(largest_ma, self._values[self._largest[place]])
        config = 0
        # A step is 312.5 nV = 625 / 2 or 78.125 nV = 625 / 8; nV by microohm are mA.
        self._divisor = 2 * shunt_microohm
        if _with_room(largest_ma) <= _ma(_NARROW_FULL_SCALE_UV, shunt_microohm):
            config = _NARROW
            self._divisor = 8 * shunt_microohm
        self._writes[_CONFIG_ROW][2] = config
        self._stage = 0
        self._waited = 0
        self._stale = 0

    def step(self):
        """One bounded piece of configuration: BUSY while more is to do, OK at the end.

        Else BUS_ERROR, WRONG_DEVICE, VERIFY_FAILED (it does not hold what was written) or
        SENSOR_LOST (it does not convert); the next call begins anew.
        """
        if self._stage == len(self._stages):
            return OK
        code = self._stages[self._stage]()
        if code == OK:
            self._stage += 1
            return OK if self._stage == len(self._stages) else BUSY
        if code != BUSY:
            self.start()
        return code

    def across(self, voltage_nv):
        """mA of a voltage across the shunt."""
        return voltage_nv // self._values[self._shunt]

    def read_into(self, sample):
        """Fill `sample.current_ma` (charging positive) and `sample.bus_mv`: OK.

        Else `sample` keeps what it had: BUS_ERROR; SENSOR_LOST if no conversion ended since the
        last read; VERIFY_FAILED if the chip restarted or holds other settings, and the answers of
        `step` while it is configured anew (SENSOR_LOST for BUSY and OK: nothing is measured yet).
        """
        if self._stage != len(self._stages):
            code = self.step()
            return SENSOR_LOST if code in _NO_FAILURE else code
        code = self._is_new()
        if code != OK:
            return code
        if not self._read(_VSHUNT, self._triple):
            return BUS_ERROR
        shunt_steps = _steps(self._triple)
        damaged = self._triple[2] & 0x0F
        if not self._read(_VBUS, self._triple):
            return BUS_ERROR
        if (damaged | self._triple[2]) & 0x0F:
            return BUS_ERROR
        code = self._compare_next()
        if code != OK:
            return code
        divisor = self._divisor
        sample.current_ma = (shunt_steps * 625 + divisor // 2) // divisor
        sample.bus_mv = _steps(self._triple) * 25 + 64 >> 7  # 195.3125 uV = 25 / 128 mV
        return OK

    def _is_new(self):
        """Whether a conversion ended since the last read, in a chip that did not restart."""
        flags = self._read_word(_DIAG_ALRT)
        if flags < 0:
            return BUS_ERROR
        if flags & _ALERT_SETTINGS != _LATCHED:
            self.start()
            return VERIFY_FAILED
        if flags & _READY:
            self._stale = 0
            return OK
        self._stale += 1
        if self._stale >= _STALE_READS:
            self.start()
        return SENSOR_LOST

    def _compare_next(self):
        """One register against what was written: all of them within three reads."""
        row = self._writes[self._row]
        self._row = (self._row + 1) % (len(self._writes) - 1)  # _is_new compares the last
        code = self._compare(row)
        if code == VERIFY_FAILED:
            self.start()
        return code

    # The stages of configuration.

    def _identify(self):
        manufacturer = self._read_word(_MANUFACTURER_ID)
        if manufacturer < 0:
            return BUS_ERROR
        device = self._read_word(_DEVICE_ID)
        if device < 0:
            return BUS_ERROR
        self.device_id = device
        if manufacturer != _MANUFACTURER or device >> 4 != _DEVICE:
            return WRONG_DEVICE
        return OK

    def _write(self):
        for place in range(len(self._writes)):
            row = self._writes[place]
            self._word[0] = row[1]
            self._word[1] = row[2]
            try:
                self._i2c.writeto_mem(self._address, row[0], self._word)
            except OSError:
                return BUS_ERROR
        for place in range(len(self._writes)):
            code = self._compare(self._writes[place])
            if code != OK:
                return code
        return OK

    def _await_conversion(self):
        flags = self._read_word(_DIAG_ALRT)
        if flags < 0:
            return BUS_ERROR
        if flags & _READY:
            return OK
        self._waited += 1
        return BUSY if self._waited < _PATIENCE else SENSOR_LOST

    def _compare(self, row):
        if not self._read(row[0], self._word):
            return BUS_ERROR
        if (self._word[0] ^ row[1]) & row[3] or (self._word[1] ^ row[2]) & row[4]:
            return VERIFY_FAILED
        return OK

    def _read_word(self, register):
        """Unsigned, or -1 if the bus failed."""
        if not self._read(register, self._word):
            return -1
        return self._word[0] << 8 | self._word[1]

    def _read(self, register, view):
        try:
            self._i2c.readfrom_mem_into(self._address, register, view)
        except OSError:
            return False
        return True


class WithCurrentSensor:
    """A measuring chip's driver whose current and bus voltage come from a sensor of their own.

    The battery sees a driver like any other. Programming includes the sensor, and a sensor that
    fails makes the whole sample bad: SENSOR_LOST. The chip sees no current, so nothing would wake
    it: it is not to sleep.
    """

    SLEEPS = False

    def __init__(self, chip, sensor):
        self._chip = chip
        self._sensor = sensor
        self._chip_code = BUSY  # how far programming got, for each
        self._sensor_code = BUSY
        self.image = chip.image
        self.equip = chip.equip
        self.put_away = chip.put_away
        # Bound once: taking a bound method allocates.
        self.command_gates = chip.command_gates
        self.all_off = chip.all_off
        self.recover = chip.recover
        self.take_found_trips = chip.take_found_trips
        self.start_self_test = chip.start_self_test
        self.self_test_step = chip.self_test_step
        self.verify_step = chip.verify_step
        self.detect_load = chip.detect_load
        self.balance = chip.balance
        self.read_balancing = chip.read_balancing
        self.set_mode = chip.set_mode
        self.MODES = chip.MODES
        self.BALANCE_REFRESH_MS = chip.BALANCE_REFRESH_MS
        self.BALANCE_NEIGHBOURS = chip.BALANCE_NEIGHBOURS
        self.BALANCE_CELLS = chip.BALANCE_CELLS
        self.BALANCE_DUTY_PERMILLE = chip.BALANCE_DUTY_PERMILLE

    @property
    def equipped(self):
        """Whether the chip can be programmed and tested now."""
        return self._chip.equipped

    @property
    def balancing_cells(self):
        """Cells that the chip named last, when it was asked which it bleeds."""
        return self._chip.balancing_cells

    @property
    def self_test_failed(self):
        """Bits of points.SELF_TESTS, from the chip."""
        return self._chip.self_test_failed

    @property
    def device_number(self):
        """What answered last at the chip's address, for messages."""
        return self._chip.device_number

    def sample_into(self, sample):
        """The chip's answer unless it is OK; else OK or SENSOR_LOST.

        With SENSOR_LOST what the chip says (cells, gates, trips, scans) is new, current and bus
        voltage are not to be used.
        """
        code = self._chip.sample_into(sample)
        # Asked in any case, so that its ready flag speaks of the time since the last sample.
        sensor_code = self._sensor.read_into(sample)
        if code != OK:
            return code
        if sensor_code != OK:
            return SENSOR_LOST
        corrections = self.image.corrections
        if corrections is not None:
            sample.bus_mv = corrected(sample.bus_mv, corrections[CORRECTED_BUS])
            current_ma = sample.current_ma - self._sensor.across(corrections[CORRECTED_ZERO])
            sample.current_ma = corrected(current_ma, corrections[CORRECTED_CURRENT])
        return OK

    def start_programming(self):
        """Begin, or begin again, with both. No bus traffic yet."""
        self._chip_code = BUSY
        self._sensor_code = BUSY
        self._chip.start_programming()
        self._sensor.start()

    def programming_step(self):
        """A piece of each, gates off: BUSY until both are done, then OK.

        The chip is brought to its end even if the sensor fails, then the answer is SENSOR_LOST.
        """
        if self._sensor_code == BUSY:
            self._sensor_code = self._sensor.step()
        if self._chip_code == BUSY:
            self._chip_code = self._chip.programming_step()
        if self._chip_code != OK:
            return self._chip_code
        return self._sensor_code if self._sensor_code in _NO_FAILURE else SENSOR_LOST


def _steps(view):
    """Signed 20 bits, left-aligned in 24."""
    value = view[0] << 12 | view[1] << 4 | view[2] >> 4
    return value - 0x100000 if value & 0x80000 else value


def _compared(power_path):
    """How many of _LARGEST_NAMES count."""
    return len(_LARGEST_NAMES) - (power_path != _CONTACTOR)


def _ma(shunt_uv, shunt_microohm):
    return shunt_uv * 1000 // shunt_microohm


def _with_room(current_ma):
    return current_ma + current_ma // 5
