"""SunSpec models 1 (common), 802 (battery) and 803 (lithium-ion bank) from register 40000 on.

Source: serial_protocols.md 2.2; the layout is in modbus.sunspec_rows. Any registers may be read at
any offset. What is not measured reads as SunSpec's "not implemented". Charging is positive in A
and W: the models leave the sign open.
Written can be AlmRst (1: clear faults whose cause is gone) and SetOp (1 connect, 2 disconnect),
neither against a protection, and SetInvState, which a controller has to tell by the model and
which is only shown; all of them unlocked only.
Imported by modbus.registers when somebody reads there for the first time. Reads allocate nothing.
"""

from array import array

from bms.points import (
    STATE_ACTIVE,
    STATE_COMMISSIONING,
    STATE_FAILED,
    STATE_FAULT,
    STATE_LIMITED,
    STATE_STANDBY,
)
from bms.requests import CLEAR_FAULTS, GATES_AUTO, GATES_OFF
from bms.table import INVALID, give_back
from modbus.server import DEVICE_BUSY, ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE

BASE = 40000
_ID = b"SunS"
_BLANK = 0xFFFF
_BLANK_SIGNED = 0x8000
_U16, _S16, _HIGH, _LOW, _SPECIAL = 1, 2, 3, 4, 5  # as in modbus.sunspec_rows
_ALM_RST, _SET_OP, _SET_INV_STATE = 20, 50, 51  # offsets in model 802
_INVERTER_STATES = (1, 2, 3)  # stopped, standby, started
_PIECE = 12  # rows packed between two awaits
_FULL_BP = 10000
_FLOWING_MA = 500  # more current than this is charging or discharging
# Values of State in model 802, by our states; others are initializing.
_STATES = {
    STATE_STANDBY: 4, STATE_ACTIVE: 3, STATE_LIMITED: 3, STATE_FAULT: 99, STATE_FAILED: 99,
    STATE_COMMISSIONING: 1,
}  # fmt: skip
_INITIALIZING = 2
_FAULTY = (STATE_FAULT, STATE_FAILED)


class SunSpec:
    """The words from BASE on. snapshot: an array of points.new_snapshot, shared between awaits.
    `build` it before it is used."""

    def __init__(self, points, parameters, snapshot, letter_box):
        self._points = points
        self._settings = parameters.values
        self._snapshot = snapshot
        self._view = memoryview(snapshot)
        self._letter_box = letter_box
        offset = points.offset
        self._fault_words = offset("faults")
        self._warning_words = offset("warnings")
        self._soc = offset("soc_bp")
        self._current = offset("current_ma")
        self._state = offset("state")
        self._gates = offset("gates")
        self._cells = offset("cell_voltage_mv")
        self._series = offset("series_cells")
        self._temperatures = offset("temperature_dc")
        self._sensors = parameters.value("cell_thermistors")
        self._balancing = offset("balancing")
        index = parameters.index
        self._design = index("design_capacity_mah")
        self._charge_cell = index("charge_cell_mv")
        self._discharge_cell = index("discharge_cell_mv")
        self._charge_max = index("charge_current_max_ma")
        self._discharge_max = index("discharge_current_max_ma")
        self._specials = (
            self._energy, self._charge_power, self._discharge_power, self._depth, self._charging,
            self._operating, self._events_high, self._events_low, self._cell_mean,
            self._connected, self._temperature_mean, self._bled, self._string,
            self._connection_failure, self._reason, self._operation,
        )  # fmt: skip

    def build(self, faults, address):
        """Pack the tables, in pieces of some milliseconds: yields between them."""
        from modbus import sunspec_rows as tables

        self._at = array("H")
        self._kinds = bytearray()
        self._places = array("h")
        self._scales = array("h")
        self._words = array("H", (_ID[0] << 8 | _ID[1], _ID[2] << 8 | _ID[3]))
        begins = {}  # of each model, in words from BASE on
        for model, length in tables.MODELS:
            begins[model] = len(self._words)
            self._words.append(model)
            self._words.append(length)
            for _ in range(length):
                self._words.append(_BLANK)
        self._words.append(_BLANK)
        self._words.append(0)
        yield
        self._fill_constants(tables, begins, address)
        yield
        for piece in range(0, len(tables.VALUES), _PIECE):
            self._pack_values(tables.VALUES[piece : piece + _PIECE], tables, begins)
            yield
        yield from faults.fetch()
        self._pack_events(tables, faults)
        give_back("modbus.sunspec_rows")

    def _fill_constants(self, tables, begins, address):
        """Words that never change, and where commands are."""
        for model, at, size, text in tables.TEXTS:
            for place in range(size):
                pair = text[2 * place : 2 * place + 2] + b"\0\0"
                self._words[begins[model] + at + place] = pair[0] << 8 | pair[1]
        for at in range(34, 42):  # Opt: an empty text
            self._words[begins[tables.COMMON] + at] = 0
        self._words[begins[tables.COMMON] + 66] = address
        for model, at, value in tables.CONSTANTS:
            self._words[begins[model] + at] = value & 0xFFFF
        for model, at in tables.SIGNED_BLANKS:
            self._words[begins[model] + at] = _BLANK_SIGNED
        self._set_op = begins[tables.BATTERY] + _SET_OP
        self._set_inv_state = begins[tables.BATTERY] + _SET_INV_STATE
        self._alm_rst = begins[tables.BATTERY] + _ALM_RST

    def _pack_values(self, rows, tables, begins):
        """Where each value comes from, and where it goes."""
        for model, at, kind, name, multiply, divide in rows:
            self._at.append(begins[model] + at)
            self._kinds.append(kind)
            if kind == _SPECIAL:
                place = tables.SPECIALS.index(name)
            else:
                name, _, slot = name.partition("+")  # noqa: PLW2901 (the row is not used again)
                place = self._points.offset(name) + int(slot or 0)
            self._places.append(place)
            self._scales.append(multiply)
            self._scales.append(divide)

    def _pack_events(self, tables, faults):
        """Bit of Evt1 for each fault, as an alarm and as a warning."""
        self._alarms = bytearray([tables.OTHER_ALARM] * len(faults))
        self._warnings = bytearray([tables.OTHER_WARNING] * len(faults))
        for alarm, warning, names in tables.EVENTS:
            for name in names.split():
                fault = faults.names.index(name)
                self._alarms[fault] = alarm if alarm >= 0 else tables.OTHER_ALARM
                self._warnings[fault] = warning if warning >= 0 else tables.OTHER_WARNING

    def read(self, address, count, response, at):
        """As modbus.registers.RegisterMap.read. Allocates nothing."""
        first = address - BASE
        if first + count > len(self._words):
            return ILLEGAL_ADDRESS
        self._points.snapshot_into(self._view)
        for row in range(len(self._at)):
            if first <= self._at[row] < first + count:
                self._words[self._at[row]] = self._word(row)
        for place in range(first, first + count):
            word = self._words[place]
            response[at] = word >> 8
            response[at + 1] = word & 0xFF
            at += 2
        return 0

    def write(self, address, value, unlocked):
        """Take one register. Returns 0 or an exception code, as RegisterMap.write."""
        place = address - BASE
        inverter = place == self._set_inv_state
        if not inverter and place != self._set_op and place != self._alm_rst:
            return ILLEGAL_ADDRESS
        if not unlocked:
            return ILLEGAL_FUNCTION
        if inverter:
            if value not in _INVERTER_STATES:
                return ILLEGAL_VALUE
            self._words[place] = value
            return 0
        if place == self._alm_rst:
            request = CLEAR_FAULTS if value == 1 else 0
            if value == 0:
                return 0
        else:
            request = (0, GATES_AUTO, GATES_OFF)[value] if value in (1, 2) else 0
        if not request:
            return ILLEGAL_VALUE
        return 0 if self._letter_box.post(request) else DEVICE_BUSY

    def _word(self, row):
        kind = self._kinds[row]
        if kind == _SPECIAL:
            return self._specials[self._places[row]]() & 0xFFFF
        value = self._snapshot[self._places[row]]
        if kind == _HIGH:
            return _BLANK if value == INVALID else value >> 16 & 0xFFFF
        if kind == _LOW:
            return _BLANK if value == INVALID else value & 0xFFFF
        if value == INVALID:
            return _BLANK if kind == _U16 else _BLANK_SIGNED
        scaled = abs(value) * self._scales[2 * row] // self._scales[2 * row + 1]
        if kind == _U16:
            return min(scaled, 0xFFFE) if value >= 0 else 0
        return (min(scaled, 0x7FFF) if value >= 0 else -min(scaled, 0x7FFF)) & 0xFFFF

    def _string_mv(self, setting):
        """Volts of all cells at a setting per cell, in mV."""
        return max(0, self._snapshot[self._series]) * self._settings[setting]

    def _energy(self):
        """10 Wh: capacity at the middle of the voltage window."""
        design_mah = self._settings[self._design]
        if design_mah == INVALID:
            return _BLANK
        full_mv = self._string_mv(self._charge_cell)
        middle_mv = (full_mv + self._string_mv(self._discharge_cell)) // 2
        return min(design_mah // 100 * (middle_mv // 100) // 1000, 0xFFFE)

    def _charge_power(self):
        return self._power(self._charge_max, self._charge_cell)

    def _discharge_power(self):
        return self._power(self._discharge_max, self._discharge_cell)

    def _power(self, current, cell):
        """10 W."""
        volt_tenths = self._string_mv(cell) // 100
        return min(self._settings[current] // 100 * volt_tenths // 1000, 0xFFFE)

    def _depth(self):
        soc_bp = self._snapshot[self._soc]
        return _BLANK if soc_bp == INVALID else max(0, _FULL_BP - soc_bp)

    def _charging(self):
        soc_bp = self._snapshot[self._soc]
        current_ma = self._snapshot[self._current]
        if soc_bp == INVALID or current_ma == INVALID:
            return _BLANK
        if not self._snapshot[self._gates]:
            return 1
        if current_ma > _FLOWING_MA:
            return 4
        if current_ma < -_FLOWING_MA:
            return 3
        if soc_bp >= _FULL_BP:
            return 5
        return 2 if soc_bp <= 0 else 6

    def _operating(self):
        return _STATES.get(self._snapshot[self._state], _INITIALIZING)

    def _events_high(self):
        return self._events(16)

    def _events_low(self):
        return self._events(0)

    def _events(self, shift):
        """16 bits of Evt1 from bit `shift` on."""
        bits = self._mapped(self._fault_words, self._alarms)
        bits |= self._mapped(self._warning_words, self._warnings)
        return bits >> shift & 0xFFFF

    def _mapped(self, first, places):
        """Bits at `places` of the faults that are set in the words from `first` on."""
        bits = 0
        for begin in range(0, len(places), 16):
            word = self._snapshot[first + (begin >> 4)]
            if word > 0:  # nearly all words are empty nearly always
                for fault in range(begin, min(begin + 16, len(places))):
                    if word >> (fault & 15) & 1:
                        bits |= 1 << places[fault]
        return bits

    def _cell_mean(self):
        return self._mean(self._cells, self._snapshot[self._series], _BLANK)

    def _temperature_mean(self):
        return self._mean(self._temperatures, self._sensors, _BLANK_SIGNED)

    def _mean(self, first, count, blank):
        total = 0
        for place in range(first, first + count):
            value = self._snapshot[place]
            if value == INVALID:
                return blank
            total += value
        return total // count if count > 0 else blank

    def _connected(self):
        return 1 if self._snapshot[self._gates] > 0 else 0

    def _bled(self):
        count = 0
        for word in range(2):
            bits = self._snapshot[self._balancing + word]
            while bits > 0:
                count += bits & 1
                bits >>= 1
        return count

    def _string(self):
        """StrSt: enabled, and connected."""
        return 1 | self._connected() << 1

    def _connection_failure(self):
        return 8 if self._snapshot[self._state] in _FAULTY else 0

    def _reason(self):
        """StrDisRsn: none, fault, external command, other."""
        if self._snapshot[self._gates] > 0:
            return 0
        state = self._snapshot[self._state]
        if state in _FAULTY:
            return 1
        return 3 if state == STATE_STANDBY else 4

    def _operation(self):
        """SetOp: what was asked for last, as far as it holds: disconnect, or connect."""
        return 2 if self._snapshot[self._state] == STATE_STANDBY else 1
