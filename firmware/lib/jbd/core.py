"""What a JBD battery does with a request: the same over RS485, serial and Bluetooth.

Source: serial_protocols.md 2.3 (Jiabaida V4). Requests are DD A5|5A reg len data chk 77 with
chk = -(sum of reg, len, data); answers are DD reg status len data chk 77 with chk = -(sum of
status, len, data), modulo 0x10000; status 0 is good and 0x80 an error.

- Reading is for everybody. While nothing is measured, 03 and 04 answer 0x80: the protocol has no
  mark for a missing value, and nothing old may look live.
- Writing needs the access code, sent as the decimal digits of the password (register 06); the
  door shuts again after `access_minutes`. Zeros, which programs send to boards without
  a password, are acknowledged and open nothing.
- EEPROM registers are settings of ours where they correspond (jbd.tables). They take effect at
  once, each checked by Parameters.change against its range and against the others.
- Factory mode (register 00) is needed for EEPROM writes, as on a JBD board. It ends by register
  01, which shuts the door, too, and by itself after a minute without a request.
- E1 may only restrict, and take its own restriction back: no bit closes a gate against a fault.
Who may call: a coroutine. Reads allocate nothing; writes of settings do.
"""

from array import array

from bms import requests
from bms.parameters import ParameterError
from bms.points import STATE_STANDBY
from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from bms.table import INVALID, give_back

OK = 0x00
ERROR = 0x80

_BASIC_INFO = 0x03
_CELL_VOLTAGES = 0x04
_NAME = 0x05
_PASSWORD = 0x06
_ENTER_FACTORY = 0x00
_EXIT_FACTORY = 0x01
_ERROR_COUNTS = 0xAA
_MOS_CONTROL = 0xE1
_STRINGS = (0xA0, 0xA1, 0xA2)  # manufacturer, device, bar code; with their length before them
_TEXTS = (b"Cellsteward", b"Cellsteward", b"CELLSTEWARD")
_DATE_REGISTER, _SENSORS_REGISTER = 0x15, 0x2E  # as in jbd.tables
_EEPROM = 0x10
_EEPROM_SIZE = 0x30

_FACTORY_MS = 60000
_ENTER = 0x5678
_EXIT = (0x0000, 0x2828)  # without and with saving; here what took effect is saved either way
_PASSWORD_SIZE = 6
_REGISTER_SIZE = 2
_MOS_REQUESTS = (
    requests.GATES_AUTO, requests.CHARGE_OFF, requests.DISCHARGE_OFF, requests.GATES_OFF,
)  # fmt: skip

_DATE = 26 << 9 | 1 << 5 | 1  # of manufacture: not known here
_VERSION = 0x10  # 1.0, BCD
_KELVIN_DC = 2731
_PIECE = 12  # rows packed between two awaits
_U8, _U16, _S16, _BYTES = 1, 2, 3, 4  # as in jbd.tables
_BLANK = 0xFF
_NOTHING = 0xFE
_POINT = 0x80
_ZERO, _NINE = 0x30, 0x39
_MS_A_SECOND = 1000
_COUNT_MAX = 0xFFFF


class Jbd:
    """One battery. access: the door of the link (bms.access); letter_box: bms.requests.Requests;
    changed(applies) is called after settings took new values, as for modbus.registers.
    snapshot: an array of points.new_snapshot, which may be shared between two awaits.
    `build` it before it is used."""

    def __init__(self, points, parameters, access, letter_box, changed, snapshot):
        self._points = points
        self._parameters = parameters
        self._settings = parameters.values
        self._access = access
        self._letter_box = letter_box
        self._changed = changed
        self._snapshot = snapshot
        self._view = memoryview(snapshot)
        self._factory_ms = 0  # how long factory mode still lasts
        self._sensors = parameters.value("cell_thermistors")
        self._cell_count = parameters.index("series_cells")

    def build(self, faults):
        """Pack the tables, in pieces of some milliseconds: yields between them."""
        from jbd import tables

        parameters = self._parameters
        offset = self._points.offset
        self._series = offset("series_cells")
        self._pack = offset("pack_voltage_mv")
        self._cells = offset("cell_voltage_mv")
        self._temperatures = offset("temperature_dc")
        self._balancing = offset("balancing")
        self._soc = offset("soc_bp")
        self._gates = offset("gates")
        self._faults = offset("faults")
        self._state = offset("state")
        self._basic = array("h", [number for row in tables.BASIC for number in (
            row[0], offset(row[1]), row[2], row[3])])  # fmt: skip
        yield
        self._other = tables.OTHER_PROTECTION
        self._protections = bytearray([tables.OTHER_PROTECTION] * len(faults))
        for fault in range(len(faults)):
            if not faults.blocks[fault]:
                self._protections[fault] = _NOTHING
        yield from faults.fetch()
        for bit, names in tables.PROTECTIONS:
            for name in names.split():
                self._protections[faults.names.index(name)] = bit
        yield
        self._counted = bytes(tables.COUNTERS)
        self._counts = array("H", [0] * len(tables.COUNTERS))
        self._protected = 0  # the protection bits as counted last
        # Of each EEPROM register: its row, _POINT | its row, or _BLANK, or _NOTHING.
        self._rows = bytearray([_NOTHING] * _EEPROM_SIZE)
        self._kinds = bytearray()
        self._scales = array("h")  # setting, second setting, multiply, divide, add
        for register, kind, names, multiply, divide, add in tables.SETTINGS:
            if len(self._kinds) % _PIECE == 0:
                yield
            self._rows[register - _EEPROM] = len(self._kinds)
            self._kinds.append(kind)
            pair = names.split()
            for number in (
                parameters.index(pair[0]), parameters.index(pair[-1]), multiply, divide, add,
            ):  # fmt: skip
                self._scales.append(number)
        yield
        self._shown = array("h")  # offset, multiply, divide
        for register, name, multiply, divide in tables.POINTS:
            self._rows[register - _EEPROM] = _POINT | len(self._shown) // 3
            for number in (offset(name), multiply, divide):
                self._shown.append(number)
        for register in tables.BLANKS:
            self._rows[register - _EEPROM] = _BLANK
        give_back("jbd.tables")

    def step(self, elapsed_ms):
        """Let time pass, about once a second: factory mode ends by itself, faults are counted."""
        self._access.step(elapsed_ms)
        if self._factory_ms:
            self._factory_ms = max(0, self._factory_ms - elapsed_ms)
            if not self._factory_ms:
                self._access.lock()
        self._points.snapshot_into(self._view)
        protected = self._protection_bits()
        for counter in range(len(self._counts)):
            bit = 1 << self._counted[counter]
            if protected & bit and not self._protected & bit:
                self._counts[counter] = min(self._counts[counter] + 1, _COUNT_MAX)
        self._protected = protected

    def answer(self, write, register, data, at, size, response, place):
        """Carry out a request whose `size` bytes of data begin at `data[at]`. Puts the data of the
        answer into `response` from `place` on.

        Returns the place behind them, or -ERROR.
        """
        if self._factory_ms:
            self._factory_ms = _FACTORY_MS
        if write:
            return place if self._write(register, data, at, size) else -ERROR
        self._points.snapshot_into(self._view)
        if register == _BASIC_INFO:
            return self._basic_info(response, place)
        if register == _CELL_VOLTAGES:
            return self._cell_voltages(response, place)
        if register == _NAME:
            return _put_text(response, place, _TEXTS[1])
        if register == _ERROR_COUNTS:
            for count in self._counts:
                place = _put(response, place, count)
            return place
        if register in _STRINGS:
            text = _TEXTS[_STRINGS.index(register)]
            response[place] = len(text)
            return _put_text(response, place + 1, text)
        if register == _DATE_REGISTER:
            return _put(response, place, _DATE)
        if register == _SENSORS_REGISTER:
            return _put(response, place, (1 << self._sensors) - 1)
        row = self._row(register)
        return -ERROR if row == _NOTHING else _put(response, place, self._eeprom(row) & 0xFFFF)

    def _row(self, register):
        if not _EEPROM <= register < _EEPROM + _EEPROM_SIZE:
            return _NOTHING
        return self._rows[register - _EEPROM]

    def _basic_info(self, response, place):
        values = self._snapshot
        if values[self._pack] == INVALID or values[self._soc] == INVALID:
            return -ERROR
        basic = self._basic
        for at in range(0, len(basic), 4):
            value = values[basic[at + 1]] * basic[at + 2]
            scaled = abs(value) // basic[at + 3]
            place = _put(response, place, _limited(basic[at], scaled if value >= 0 else -scaled))
        place = _put(response, place, _DATE)
        place = _put(response, place, values[self._balancing])
        place = _put(response, place, values[self._balancing + 1])
        place = _put(response, place, self._protection_bits())
        response[place] = _VERSION
        response[place + 1] = min(values[self._soc] // 100, 100)
        gates = values[self._gates]
        response[place + 2] = (1 if gates & GATE_CHARGE else 0) | (
            2 if gates & GATE_DISCHARGE else 0
        )
        response[place + 3] = values[self._series]
        response[place + 4] = self._sensors
        place += 5
        for sensor in range(self._sensors):
            place = _put(response, place, values[self._temperatures + sensor] + _KELVIN_DC)
        return place

    def _cell_voltages(self, response, place):
        values = self._snapshot
        for cell in range(values[self._series]):
            value = values[self._cells + cell]
            if value == INVALID:
                return -ERROR
            place = _put(response, place, _limited(_U16, value))
        return place

    def _protection_bits(self):
        bits = 0
        if self._snapshot[self._state] == STATE_STANDBY:  # off by command
            bits = 1 << self._other
        protections = self._protections
        for begin in range(0, len(protections), 16):
            word = self._snapshot[self._faults + (begin >> 4)]
            if word > 0:  # nearly all words are empty nearly always
                for fault in range(begin, min(begin + 16, len(protections))):
                    if word >> (fault & 15) & 1 and protections[fault] != _NOTHING:
                        bits |= 1 << protections[fault]
        return bits

    def _eeprom(self, row):
        """What an EEPROM register reads."""
        if row == _BLANK:
            return 0
        if row & _POINT:
            at = 3 * (row & ~_POINT)
            value = self._snapshot[self._shown[at]]
            if value == INVALID:
                return 0
            return _limited(_U16, value * self._shown[at + 1] // self._shown[at + 2])
        scales = self._scales
        at = 5 * row
        first = self._settings[scales[at]]
        if self._kinds[row] == _BYTES:
            second = self._settings[scales[at + 1]]
            return min(first // _MS_A_SECOND, 0xFF) << 8 | min(second // _MS_A_SECOND, 0xFF)
        if first == INVALID:
            return 0
        scaled = abs(first * self._multiply(row)) // scales[at + 3]
        if scales[at + 2] < 0 or first < 0:
            scaled = -scaled
        return _limited(self._kinds[row], scaled + scales[at + 4])

    def _multiply(self, row):
        return self._scales[5 * row + 2] or self._parameters.values[self._cell_count]

    def _write(self, register, data, at, size):
        """Returns whether the write took effect, or is acknowledged without one."""
        if register == _PASSWORD:
            return self._password(data, at, size)
        if size != _REGISTER_SIZE:
            return False
        value = data[at] << 8 | data[at + 1]
        if register == _ENTER_FACTORY:
            if value == _ENTER:
                self._factory_ms = _FACTORY_MS
            return value == _ENTER
        if register == _EXIT_FACTORY:
            if value in _EXIT:
                self._factory_ms = 0
                self._access.lock()
            return value in _EXIT
        if not self._access.unlocked():
            return False
        if register == _MOS_CONTROL:
            return value < len(_MOS_REQUESTS) and self._letter_box.post(_MOS_REQUESTS[value])
        return self._factory_ms > 0 and self._set(register, value)

    def _password(self, data, at, size):
        if size != 1 + _PASSWORD_SIZE or data[at] != _PASSWORD_SIZE:
            return False
        code = 0
        for place in range(at + 1, at + size):
            character = data[place]
            if _ZERO <= character <= _NINE:
                code = 10 * code + character - _ZERO
            elif character:
                code = -1
                break
        return code == 0 or self._access.authorize(code)

    def _set(self, register, value):
        """Change a setting by its EEPROM register. Allocates."""
        row = self._row(register)
        if row in (_NOTHING, _BLANK) or row & _POINT:
            return False
        kind = self._kinds[row]
        if kind == _S16 and value & 0x8000:
            value -= 0x10000
        if value == self._eeprom(row):
            return True  # also where it stands for what the register can not say exactly
        scales = self._scales
        at = 5 * row
        if kind == _BYTES:
            changes = [
                (scales[at], (value >> 8) * _MS_A_SECOND),
                (scales[at + 1], (value & 0xFF) * _MS_A_SECOND),
            ]
        else:
            scaled = (value - scales[at + 4]) * scales[at + 3]
            multiply = self._multiply(row)
            if multiply < 0 <= scaled:
                return False  # 29 must be negative
            if scales[at + 3] == 1 and scaled % multiply:
                return False  # a function that there is not
            changes = [(scales[at], abs(scaled) // abs(multiply) * (1 if scaled >= 0 else -1))]
            if multiply < 0:
                changes = [(scales[at], -changes[0][1])]
        try:
            applies = self._parameters.change(changes)
        except ParameterError:
            return False
        self._changed(applies)
        return True


def _limited(kind, value):
    if kind == _S16:
        return min(max(value, -0x8000), 0x7FFF)
    return min(max(value, 0), 0xFFFF)


def _put(response, place, value):
    response[place] = value >> 8 & 0xFF
    response[place + 1] = value & 0xFF
    return place + 2


def _put_text(response, place, text):
    for character in text:
        response[place] = character
        place += 1
    return place
