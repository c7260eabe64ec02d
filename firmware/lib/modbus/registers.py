"""The register map: the points and parameters tables and a few controls, as Modbus registers.

    0x00FF          version of this map
    0x0100 ...      telemetry: all points in the order of their table, read only
    0x0F00 - 0x0F02 controls: unlock, command, unlocked
    0x1000 ...      parameters, at the registers their table names
    0x9C40 ...      SunSpec models, from 40000 on (modbus.sunspec)

Goals: one request is served from one snapshot, so 32-bit values and vectors are never torn;
finding a register is one look into a packed array (2 bytes a register) and allocates nothing;
values without a trustworthy measurement read as SunSpec's "not implemented" marks, so that nothing
old looks live; nothing is written unless the bus was unlocked, and a refused write changes
nothing.
Who may call: coroutines. Reads and refused controls never allocate, nor do writes that are
refused for their address or the lock; a parameter write that gets as far as the values does
(Parameters.change works on a copy and explains its refusals in words).
"""

from array import array

from bms import parameters as parameter_types
from bms import points as point_types
from bms.parameters import ParameterError
from bms.requests import CLEAR_FAULTS, GATES_AUTO, GATES_OFF
from bms.table import INVALID
from modbus.server import DEVICE_BUSY, ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, word

VERSION = 1
"""Changes when a register changes its meaning; new ones after the last do not count."""

VERSION_ADDRESS = 0x00FF
TELEMETRY = 0x0100
UNLOCK = 0x0F00
COMMAND = 0x0F01
UNLOCKED = 0x0F02
PARAMETERS = 0x1000
SUNSPEC = 40000

# A write while locked: the server is "in the wrong state to process a request of this type", in
# the words of V1.1b3, 7 for code 01; 02 and 03 would send the reader looking for a mistake in the
# address or the value, and 04 means a failure.
LOCKED = ILLEGAL_FUNCTION

# What may be written to COMMAND; the position is the number.
COMMAND_NAMES = ("", "clear latched faults", "gates off", "gates auto", "lock again")
_COMMAND_REQUESTS = (0, CLEAR_FAULTS, GATES_OFF, GATES_AUTO)
_COMMAND_LOCK = 4

# What a register holds, with the place of its value packed below it: _kind | place.
_GAP = 0 << 13
_HIGH = 1 << 13  # upper half of an i32
_LOW = 2 << 13  # lower half of an i32
_U16 = 3 << 13
_I16 = 4 << 13
_BITS = 5 << 13
_SECRET = 6 << 13
_VERSION = 7 << 13
_KIND = 7 << 13
_SIGNED = (_HIGH, _I16)
_PLACE = (1 << 13) - 1

# SunSpec Information Model Specification, "not implemented" values.
_BLANK_I32_HIGH = 0x8000
_BLANK_I16 = 0x8000
_BLANK_U16 = 0xFFFF

_POINT_KINDS = {
    point_types.TYPE_I32: (_HIGH, _LOW),
    point_types.TYPE_U16: (_U16,),
    point_types.TYPE_I16: (_I16,),
    point_types.TYPE_B16: (_BITS,),
}
_PARAMETER_KINDS = {
    parameter_types.TYPE_I32: (_HIGH, _LOW),
    parameter_types.TYPE_U16: (_U16,),
    parameter_types.TYPE_I16: (_I16,),
    parameter_types.TYPE_SECRET: (_SECRET,),
}


_PIECE = 24  # rows packed between two yields


def new_places():
    """Two empty arrays for pack_places."""
    return array("H"), array("H")


def pack_places(points, parameters, telemetry, settings):
    """Fill two arrays: what lies at VERSION_ADDRESS and each address after it, and at PARAMETERS
    and each after it. In pieces of some milliseconds: yields between them."""
    telemetry.append(_VERSION)
    types, offsets, counts = points.types, points.offsets, points.counts
    for row in range(len(points)):
        if row % _PIECE == 0:
            yield
        for place in range(offsets[row], offsets[row] + counts[row]):
            for kind in _POINT_KINDS[types[row]]:
                telemetry.append(kind | place)
    types, registers = parameters.types, parameters.registers
    for row in range(len(parameters)):
        if row % _PIECE == 0:
            yield
        at = registers[row] - PARAMETERS
        kinds = _PARAMETER_KINDS[types[row]]
        while len(settings) < at + len(kinds):
            settings.append(_GAP)
        for kind in kinds:
            settings[at] = kind | row
            at += 1


class _Block:
    """Registers in a row: what lies at each, over the array that holds the values."""

    def __init__(self, places, values):
        self.places = places
        self._values = values

    def holds(self, first, count):
        return first >= 0 and first + count <= len(self.places)

    def read(self, first, count, response, at):
        """Put registers into `response`; 0, or ILLEGAL_ADDRESS if one of them is a gap."""
        places = self.places
        values = self._values
        for index in range(first, first + count):
            packed = places[index]
            kind = packed & _KIND
            value = values[packed & _PLACE]
            if kind == _HIGH:
                value = _BLANK_I32_HIGH if value == INVALID else value >> 16
            elif kind == _LOW:
                value = 0 if value == INVALID else value
            elif kind == _U16:  # what a register can not hold reads as the nearest it can
                value = _BLANK_U16 if value == INVALID else min(max(value, 0), 0xFFFE)
            elif kind == _I16:
                value = _BLANK_I16 if value == INVALID else min(max(value, -0x7FFF), 0x7FFF)
            elif kind == _SECRET:
                value = 0
            elif kind == _VERSION:
                value = VERSION
            elif kind == _GAP:
                return ILLEGAL_ADDRESS
            response[at] = value >> 8 & 0xFF
            response[at + 1] = value & 0xFF
            at += 2
        return 0


class RegisterMap:
    """Registers over the tables. `access` is the lock of the bus that this map serves, `requests`
    the fast path's letter box (bms.requests). `changed(applies)` is called after parameters took
    new values, with the most intrusive APPLIES_* among them, for whoever saves and programs.
    faults: the faults table, which the SunSpec models need; without it they are not there.
    beside: another map over the same tables, for another door, whose memory this one shares.
    places: the two arrays of pack_places; without them they are packed here, in one go."""

    def __init__(
        self,
        points,
        parameters,
        access,
        requests,
        changed,
        faults=None,
        beside=None,
        places=None,
    ):
        self._points = points
        self._parameters = parameters
        self._access = access
        self._requests = requests
        self._changed = changed
        self._faults = faults
        if beside is not None:
            self._sunspec = beside._sunspec
            self._snapshot_view = beside._snapshot_view
            self._telemetry = beside._telemetry
            self._settings = beside._settings
            return
        if places is None:
            places = new_places()
            for _ in pack_places(points, parameters, *places):
                pass
        snapshot = points.new_snapshot()
        self._sunspec = [snapshot]  # and the models, once somebody reads there
        self._snapshot_view = memoryview(snapshot)
        self._telemetry = _Block(places[0], snapshot)
        self._settings = _Block(places[1], parameters.values)

    def read(self, address, count, response, at):
        """Put `count` registers into `response` from `at` on, two bytes each, high byte first.

        Returns 0, or ILLEGAL_ADDRESS if not all of them exist. Allocates nothing.
        """
        if address >= SUNSPEC:
            models = self._models()
            if models is None:
                return ILLEGAL_ADDRESS
            return models.read(address, count, response, at)
        if address >= PARAMETERS:
            first = address - PARAMETERS
            if not self._settings.holds(first, count):
                return ILLEGAL_ADDRESS
            return self._settings.read(first, count, response, at)
        if address >= UNLOCK:
            return self._read_controls(address, count, response, at)
        first = address - VERSION_ADDRESS
        if not self._telemetry.holds(first, count):
            return ILLEGAL_ADDRESS
        self._points.snapshot_into(self._snapshot_view)
        return self._telemetry.read(first, count, response, at)

    def write(self, address, count, request, at):
        """Take `count` registers from `request`, two bytes each from `at` on, high byte first.

        Returns 0 if all took effect. Else nothing did, and it returns ILLEGAL_ADDRESS (not all
        of them are there to be written), LOCKED, ILLEGAL_VALUE (out of range, contradicting
        another value, half a 32-bit value, a wrong code, an unknown command) or DEVICE_BUSY (the
        command before this one was not carried out yet: try again).
        """
        if address >= SUNSPEC:
            models = self._models()
            if count != 1 or models is None:
                return ILLEGAL_ADDRESS
            return models.write(address, word(request, at), self._access.unlocked())
        if address >= PARAMETERS:
            return self._write_parameters(address - PARAMETERS, count, request, at)
        if count == 1 and address == UNLOCK:
            return 0 if self._access.authorize(word(request, at)) else ILLEGAL_VALUE
        if count == 1 and address == COMMAND:
            return self._command(word(request, at))
        return ILLEGAL_ADDRESS

    def asleep(self, address):
        """Whether a request for `address` needs what is loaded only then: see `wake`."""
        return address >= SUNSPEC and self._faults is not None and len(self._sunspec) == 1

    def wake(self):
        """Load the SunSpec models in pieces of some milliseconds: yields between them."""
        from modbus.sunspec import SunSpec

        yield
        yield from self._parameters.fetch()
        yield from self._points.fetch()
        models = SunSpec(self._points, self._parameters, self._sunspec[0], self._requests)
        yield
        yield from models.build(self._faults, self._parameters.value("modbus_address"))
        if len(self._sunspec) == 1:  # else another link was faster
            self._sunspec.append(models)

    def _models(self):
        """The SunSpec models, or None if there are none (yet)."""
        return self._sunspec[1] if len(self._sunspec) > 1 else None

    def _read_controls(self, address, count, response, at):
        if address + count > UNLOCKED + 1:
            return ILLEGAL_ADDRESS
        for register in range(address, address + count):
            response[at] = 0
            response[at + 1] = 0
            if register == UNLOCKED and self._access.unlocked():
                response[at + 1] = 1
            at += 2
        return 0

    def _command(self, number):
        if number == _COMMAND_LOCK:
            self._access.lock()
            return 0
        if not self._access.unlocked():
            return LOCKED
        if not 1 <= number < len(_COMMAND_REQUESTS):
            return ILLEGAL_VALUE
        return 0 if self._requests.post(_COMMAND_REQUESTS[number]) else DEVICE_BUSY

    def _write_parameters(self, first, count, request, at):
        if not self._settings.holds(first, count):
            return ILLEGAL_ADDRESS
        places = self._settings.places
        for index in range(first, first + count):
            if places[index] & _KIND == _GAP:
                return ILLEGAL_ADDRESS
        if not self._access.unlocked():
            return LOCKED
        if places[first] & _KIND == _LOW or places[first + count - 1] & _KIND == _HIGH:
            return ILLEGAL_VALUE  # half of a 32-bit value
        return self._change(first, count, request, at)

    def _change(self, first, count, request, at):
        """One batch for Parameters.change, which takes all of it or nothing. Allocates."""
        changes = []
        differs = False
        high = 0
        for index in range(first, first + count):
            kind = self._settings.places[index] & _KIND
            row = self._settings.places[index] & _PLACE
            value = word(request, at)
            at += 2
            if value & 0x8000 and kind in _SIGNED:
                value -= 0x10000
            if kind == _HIGH:
                high = value << 16
                continue
            if kind == _LOW:
                value |= high
            differs = differs or value != self._parameters.values[row]
            changes.append((row, value))
        try:
            applies = self._parameters.change(changes)
        except ParameterError:
            return ILLEGAL_VALUE
        if differs:  # a master that repeats itself must not wear out the flash
            self._changed(applies)
        return 0
