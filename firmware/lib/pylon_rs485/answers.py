"""What a Pylontech battery answers: the INFO of each command, from the points and parameters.

The tables say what goes where; their fields are in the order of the wire. Sources:
serial_protocols.md 2.1; 96 and the widths of 42, 44 and 47 also after recorded answers of a
US2000C and a US3000C (the tests hold both). The layout of 60 (name, manufacturer, version, number
of batteries, serial numbers) is that of one emulator and was not seen from a battery: unverified.
Conflicts are decided as in the recordings: 61 has its current in 10 mA; the discharge limit is
negative in 92 and 47, and positive in 63.
The ids in 61 are the battery's address, as recorded.
44 ends with a byte more than V3.3 lists: both recorded batteries send it, always 0.
What an inverter may do (63, 92, state of charge) passes the rules that hold for inverters on CAN.
Requests to charge: in 92 as in 0x35C, where Pylontech has the same bits; in 63 bit 5 by force, and
bit 4, which one reader takes for "full" and another for "by force, too", while a full one is due.
Limits: 16 error bits of cells in 44. Numbers that a field can not hold read as the nearest it can.
Who may call: a coroutine. An answer allocates nothing after construction.
"""

from array import array

from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from bms.table import INVALID, give_back
from pylon_rs485.characters import put_hex

COMMANDS = (
    0x42, 0x44, 0x47, 0x4F, 0x51, 0x60, 0x61, 0x62, 0x63, 0x92, 0x93, 0x96,
)  # fmt: skip
FOR_GROUPS = (0x42, 0x44, 0x47, 0x4F, 0x51, 0x60, 0x61, 0x62, 0x63, 0x92)
"""Commands that the master of a group answers at its addresses; the rest is asked one by one."""

ALL = 0xFF
"""INFO of a request for all batteries."""

_MAX_U16 = 0xFFFF
_MAX_U24 = 0xFFFFFF
_FULL_BP = 10000
_ERROR_CELLS = 16
_NAME = b"CELLSTEWRD"
_MANUFACTURER = b"Pylon---------------"  # the character that fills real ones up
_SERIAL = b"CELLSTEWARD000"  # and the address, two digits
_VERSION = b"\x00\x01"

_NORMAL, _BELOW, _ABOVE, _UNKNOWN = 0x00, 0x01, 0x02, 0xF0
# Status of 92 and of 63, in the order of inverter.rules.ChargeRules.status
_BITS_92 = (0x80, 0x40, 0x10, 0x20, 0x08)
_BITS_63 = (0x80, 0x40, 0x20, 0x20, 0x10)


_U8, _U16, _S16 = 1, 2, 3  # as in pylon_rs485.tables
_KELVIN_DC = 2731


class _Fields:
    """One of the tables above, packed. `places` says where a name lies in the values."""

    def __init__(self, table, places):
        self.kinds = bytes([row[0] for row in table])
        self.places = array("h", [places(row[1]) for row in table])
        self.multiply = array("h", [row[2] for row in table])
        self.divide = array("h", [row[3] for row in table])
        self.add = array("h", [row[4] for row in table])


# Places of values that are no points.
_OWN_ADDRESS, _AVERAGE = -1, -2


class Answers:
    """INFO by command. rules: an inverter.rules.ChargeRules. `build` it before it is used."""

    def __init__(self, address, points, parameters, rules):
        self._own = address
        self._points = points
        self._settings = parameters.values
        self._rules = rules
        self._snapshot, self._view = rules.new_snapshot()
        self._found = 0  # conditions of the rules
        self._response = None
        self._at = 0
        self._missing = False  # a value that the answer needs is not there
        self._sensors = parameters.value("cell_thermistors")

    def build(self, parameters, faults):
        """Pack the tables, in pieces of some milliseconds: yields between them."""
        from pylon_rs485 import tables

        points = self._points
        special = {
            tables.ADDRESS: _OWN_ADDRESS,
            tables.AVERAGE: _AVERAGE,
        }

        def point(name):
            return special[name] if name in special else points.offset(name)

        self._fields_61 = _Fields(tables.FIELDS_61, point)
        yield
        self._fields_63 = _Fields(tables.FIELDS_63, point)
        self._fields_92 = _Fields(tables.FIELDS_92, point)
        self._fields_47 = _Fields(tables.FIELDS_47, parameters.index)
        yield
        self._point = {
            name: points.offset(name)
            for name in (
                "series_cells", "cell_voltage_mv", "temperature_dc", "board_temperature_dc",
                "current_ma", "pack_voltage_mv", "remaining_mah", "full_mah", "cycles", "soc_bp",
                "gates", "faults", "warnings", "charge_voltage_limit_mv",
                "discharge_voltage_limit_mv",
            )
        }  # fmt: skip
        self._setting = {
            name: parameters.index(name)
            for name in (
                "cell_undervoltage_warn_mv", "cell_overvoltage_warn_mv",
                "undertemperature_charge_warn_dc", "overtemperature_charge_warn_dc",
            )
        }  # fmt: skip
        yield
        # Of each fault: place of its bit as alarm and as protection in 62, and in status 1 of 44.
        self._alarms = bytearray([_packed(tables.OTHER_ALARM)] * len(faults))
        self._protections = bytearray([_packed(tables.OTHER_PROTECTION)] * len(faults))
        self._status_1 = bytearray(len(faults))
        yield from faults.fetch()
        for byte, bit, names in tables.BITS_62:
            for name in names.split():
                fault = faults.names.index(name)
                self._alarms[fault] = _packed((byte, bit))
                if (byte, bit) != (0, 0):
                    self._protections[fault] = _packed((byte, bit))
        yield
        for bit, names in tables.STATUS_1:
            for name in names.split():
                self._status_1[faults.names.index(name)] |= 1 << bit
        give_back("pylon_rs485.tables")
        self._writers = {
            0x42: self._analog,
            0x44: self._alarm,
            0x47: self._parameters,
            0x51: self._manufacturer,
            0x60: self._system_basic,
            0x61: self._system_analog,
            0x62: self._system_alarm,
            0x63: self._system_management,
            0x92: self._management,
            0x93: self._serial_number,
            0x96: self._software,
        }

    def step(self, elapsed_ms):
        """Let time pass for the ramps of the rules, about once a second."""
        self._points.snapshot_into(self._view)
        self._found = self._rules.apply(self._snapshot, elapsed_ms)

    def put(self, cid2, command, address, response, at):
        """Write the INFO that answers `cid2` at `at`. Returns the place behind it, or 0 if values
        that it needs are missing. command: the first byte of the request's INFO, -1 without."""
        self._take()
        self._response = response
        self._at = at
        self._missing = False
        self._writers[cid2](address if command < 0 else command)
        return 0 if self._missing else self._at

    def _take(self):
        """A snapshot as the rules let an inverter know it; a fault shows at once."""
        self._points.snapshot_into(self._view)
        snapshot = self._snapshot
        charge = self._point["charge_voltage_limit_mv"]
        discharge = self._point["discharge_voltage_limit_mv"]
        charge_mv = snapshot[charge]
        discharge_mv = snapshot[discharge]
        self._found = self._rules.apply(snapshot, 0)
        # The rules count in 0.1 V, as CAN does; these fields hold mV, or nothing.
        if charge_mv == INVALID or snapshot[charge] == charge_mv // 100 * 100:
            snapshot[charge] = charge_mv
        snapshot[discharge] = discharge_mv

    def _hex(self, value, size):
        self._at = put_hex(self._response, self._at, value, 2 * size)

    def _text(self, text):
        for character in text:
            self._hex(character, 1)

    def _value(self, name, slot=0):
        return self._snapshot[self._point[name] + slot]

    def _number(self, kind, value):
        """One value in the width of its field."""
        if value == INVALID:
            self._missing = True
        elif kind == _U8:
            self._hex(min(max(value, 0), 0xFF), 1)
        elif kind == _U16:
            self._hex(min(max(value, 0), _MAX_U16), 2)
        else:
            self._hex(min(max(value, -0x8000), 0x7FFF) & 0xFFFF, 2)

    def _table(self, fields, values):
        for row in range(len(fields.kinds)):
            place = fields.places[row]
            if place == _OWN_ADDRESS:
                value = self._own
            elif place == _AVERAGE:
                value = self._average_dc()
            else:
                value = values[place]
            multiply = fields.multiply[row] or self._value("series_cells")
            if value != INVALID:
                value = _scaled(value, multiply, fields.divide[row]) + fields.add[row]
            self._number(fields.kinds[row], value)

    def _average_dc(self):
        """Mean of the cell sensors, rounded."""
        total = 0
        for sensor in range(self._sensors):
            value = self._value("temperature_dc", sensor)
            if value == INVALID:
                return INVALID
            total += value
        return (2 * total + self._sensors) // (2 * self._sensors)

    def _which(self, command):
        """The byte behind INFOFLAG: how many batteries follow, or which one."""
        self._hex(1 if command == ALL else command, 1)

    def _analog(self, command):
        cells = max(0, self._value("series_cells"))
        self._hex(0, 1)  # INFOFLAG: nothing changed that was not read yet
        self._which(command)
        self._hex(cells, 1)
        for cell in range(cells):
            self._number(_U16, self._value("cell_voltage_mv", cell))
        self._hex(1 + self._sensors, 1)
        self._temperature(self._value("board_temperature_dc"))
        for sensor in range(self._sensors):
            self._temperature(self._value("temperature_dc", sensor))
        current_ma = self._value("current_ma")
        self._number(_S16, current_ma if current_ma == INVALID else _scaled(current_ma, 1, 100))
        self._number(_U16, self._value("pack_voltage_mv"))
        remaining = self._value("remaining_mah")
        full = self._value("full_mah")
        wide = remaining > _MAX_U16 or full > _MAX_U16
        self._number(_U16, _MAX_U16 if wide else remaining)
        self._hex(4 if wide else 2, 1)
        self._number(_U16, _MAX_U16 if wide else full)
        self._number(_U16, self._value("cycles"))
        if wide:
            self._missing = self._missing or remaining == INVALID or full == INVALID
            self._hex(min(remaining, _MAX_U24), 3)
            self._hex(min(full, _MAX_U24), 3)

    def _temperature(self, value_dc):
        self._number(_U16, value_dc if value_dc == INVALID else value_dc + _KELVIN_DC)

    def _alarm(self, command):
        cells = max(0, self._value("series_cells"))
        self._hex(0, 1)
        self._which(command)
        self._hex(cells, 1)
        errors = 0
        for cell in range(cells):
            state = self._compare(
                self._value("cell_voltage_mv", cell),
                "cell_undervoltage_warn_mv",
                "cell_overvoltage_warn_mv",
            )
            if state and cell < _ERROR_CELLS:
                errors |= 1 << cell
            self._hex(state, 1)
        self._hex(1 + self._sensors, 1)
        self._hex(_NORMAL if self._value("board_temperature_dc") != INVALID else _UNKNOWN, 1)
        for sensor in range(self._sensors):
            self._hex(
                self._compare(
                    self._value("temperature_dc", sensor),
                    "undertemperature_charge_warn_dc",
                    "overtemperature_charge_warn_dc",
                ),
                1,
            )
        status_1 = self._status_bits("faults") | self._status_bits("warnings")
        self._hex(_ABOVE if status_1 & 0x04 else _NORMAL, 1)
        self._hex(_BELOW if status_1 & 0x80 else _ABOVE if status_1 & 0x01 else _NORMAL, 1)
        self._hex(_ABOVE if status_1 & 0x10 else _NORMAL, 1)
        self._hex(self._status_bits("faults"), 1)
        gates = self._value("gates")
        current_ma = self._value("current_ma")
        self._hex(
            (0x08 if gates & GATE_DISCHARGE else 0)  # the pack's power is used
            | (0x04 if gates & GATE_DISCHARGE else 0)
            | (0x02 if gates & GATE_CHARGE else 0),
            1,
        )
        self._hex(
            (0x80 if current_ma > 0 else 0)
            | (0x40 if INVALID < current_ma < 0 else 0)
            | (0x08 if self._value("soc_bp") >= _FULL_BP else 0),
            1,
        )
        self._hex(errors & 0xFF, 1)
        self._hex(errors >> 8, 1)
        self._hex(0, 1)

    def _compare(self, value, low, high):
        if value == INVALID:
            return _UNKNOWN
        if value < self._settings[self._setting[low]]:
            return _BELOW
        return _ABOVE if value > self._settings[self._setting[high]] else _NORMAL

    def _status_bits(self, which):
        bits = 0
        word = 0
        for fault in range(len(self._status_1)):
            if fault & 15 == 0:
                word = max(0, self._value(which, fault >> 4))
            if word >> (fault & 15) & 1:
                bits |= self._status_1[fault]
        return bits

    def _parameters(self, _):
        self._hex(0, 1)
        self._table(self._fields_47, self._settings)

    def _manufacturer(self, _):
        self._text(_NAME)
        self._text(_VERSION)
        self._text(_MANUFACTURER)

    def _system_basic(self, _):
        self._text(_NAME)
        self._text(_MANUFACTURER)
        self._text(_VERSION)
        self._hex(1, 1)
        self._serial()

    def _system_analog(self, _):
        self._table(self._fields_61, self._snapshot)

    def _system_alarm(self, _):
        unmeasured = 0 if self._measured() else 1
        alarms = self._words("warnings", self._alarms) | unmeasured << 4
        protections = self._words("faults", self._protections) | unmeasured << 3
        self._hex(alarms, 2)
        self._hex(protections, 2)

    def _words(self, which, bits):
        """Two bytes of bits, the first of them high."""
        raised = 0
        word = 0
        for fault in range(len(bits)):
            if fault & 15 == 0:
                word = max(0, self._value(which, fault >> 4))
            if word >> (fault & 15) & 1:
                raised |= 1 << bits[fault]
        return raised

    def _system_management(self, _):
        self._table(self._fields_63, self._snapshot)
        self._hex(self._rules.status(self._found, _BITS_63), 1)

    def _management(self, command):
        self._hex(self._own if command == ALL else command, 1)
        self._table(self._fields_92, self._snapshot)
        self._hex(self._rules.status(self._found, _BITS_92), 1)

    def _measured(self):
        return self._value("pack_voltage_mv") != INVALID

    def _serial_number(self, command):
        self._hex(self._own if command == ALL else command, 1)
        self._serial()

    def _serial(self):
        self._text(_SERIAL)
        self._hex(0x30 + self._own // 10 % 10, 1)
        self._hex(0x30 + self._own % 10, 1)

    def _software(self, command):
        self._hex(self._own if command == ALL else command, 1)
        self._text(_VERSION)  # of the manufacturer
        self._text(_VERSION)  # of the main line, three bytes
        self._hex(0, 1)


def _packed(place):
    """Number of a bit in the two bytes of 62, from byte and bit."""
    return 8 * (1 - place[0]) + place[1]


def _scaled(value, multiply, divide):
    """Towards zero, so that nothing is promised that is not there."""
    scaled = abs(value) * abs(multiply) // divide
    return -scaled if (value < 0) != (multiply < 0) else scaled
