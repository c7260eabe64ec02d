"""Encodes CAN frames from a snapshot of the points; what a frame says is data, not code.

The data come from a profile, packed by inverter.tables.
Goals: encoding allocates nothing, and can be done frame by frame, so that no turn is long.
"""

from array import array

from bms.table import INVALID

_LARGEST = (1 << 30) - 1
# By kind, as inverter.tables.KINDS has them
_SIZES = b"\x01\x02\x02\x02\x04\x03"  # bytes
_LOWEST = (0, 0, 0, -0x8000, 0, 0)
_HIGHEST = (0xFF, 0x7FFF, 0xFFFF, 0x7FFF, _LARGEST, 999)
_ID = 5
_BIG = 8  # added to the kind: big endian

# Columns of a packed field
_PLACE = 0  # of its first byte among all frames' bytes
_KIND = 1
_POINT = 2
_MULTIPLY = 3
_DIVIDE = 4
_ADD = 5
_NEEDS = 6
_OTHERWISE = 7
_FIELD_COLUMNS = 8

_FRAME_BYTES = 8


class FrameEncoder:
    """The frames of one profile; packed: an inverter.tables.Packed.

    identifiers, frames: what to send, in sending order; due: 1 for each frame to be sent now.
    One coroutine owns it; frames are rewritten in place.
    """

    def __init__(self, packed):
        count = len(packed.identifiers)
        self.identifiers = packed.identifiers
        self.due = bytearray(count)
        self._needs = packed.needs
        self._periods = packed.periods
        self._waits = array("H", [0] * count)  # ms until a frame with a period is due again
        data = bytearray(len(packed.blank))
        view = memoryview(data)
        self.frames = [
            view[_FRAME_BYTES * index : _FRAME_BYTES * index + packed.sizes[index]]
            for index in range(count)
        ]
        self._data = data
        self._view = view
        self._blank = packed.blank
        self._fields = packed.fields
        self._starts = packed.starts
        self._flags = packed.flags
        self._alarms = packed.alarms
        self._recalled = packed.recalled
        self._raised = bytearray(_FRAME_BYTES)  # pairs of that frame that were raised once

    def begin(self, snapshot, conditions, elapsed_ms=_LARGEST):
        """Start a set: which frames are due, and their constants, flags and alarms.

        snapshot: as points.snapshot_into fills it, with EXTRAS behind; conditions: as
        inverter.rules finds them; elapsed_ms: since the last set. Never allocates.
        """
        self._view[0:] = self._blank
        needs = self._needs
        for index in range(len(needs)):
            due = conditions & needs[index] == needs[index]
            period_ms = self._periods[index]
            if period_ms:
                left_ms = self._waits[index] - elapsed_ms
                due = due and left_ms <= 0
                self._waits[index] = period_ms if due else max(left_ms, 0)
            self.due[index] = due
        self._encode_flags(conditions)
        self._encode_alarms(snapshot)

    def encode_fields(self, index, snapshot, conditions):
        """Fill in the fields of one frame, after `begin`. Never allocates."""
        fields = self._fields
        data = self._data
        # A range with a step that is no literal would allocate.
        for number in range(self._starts[index], self._starts[index + 1]):
            row = number * _FIELD_COLUMNS
            kind = fields[row + _KIND]
            big = kind & _BIG
            kind &= ~_BIG
            value = snapshot[fields[row + _POINT]]
            needs = fields[row + _NEEDS]
            if value == INVALID or conditions & needs != needs:
                wire = fields[row + _OTHERWISE]
            else:
                wire = _scaled(value, fields[row + _MULTIPLY], fields[row + _DIVIDE])
                wire = min(max(wire + fields[row + _ADD], _LOWEST[kind]), _HIGHEST[kind])
            place = fields[row + _PLACE]
            if kind == _ID:
                _write_digits(data, place, wire)
                continue
            size = _SIZES[kind]
            step = 1
            if big:
                place += size - 1
                step = -1
            for _ in range(size):
                data[place] = wire & 0xFF
                wire >>= 8
                place += step

    def encode(self, snapshot, conditions, elapsed_ms=_LARGEST):
        """Rewrite all frames and `due` at once: `begin`, and the fields of every frame."""
        self.begin(snapshot, conditions, elapsed_ms)
        for index in range(len(self.due)):
            self.encode_fields(index, snapshot, conditions)

    def sends(self, identifier):
        """Whether one of the frames has that identifier. Never allocates."""
        found = False  # MicroPython's arrays do not know `in`
        for own in self.identifiers:
            found = found or own == identifier
        return found

    def _encode_flags(self, conditions):
        flags = self._flags
        data = self._data
        for row in range(0, len(flags), 5):
            needs = flags[row + 3]
            if conditions & needs == needs and not conditions & flags[row + 4]:
                place = flags[row]
                data[place] = data[place] & ~flags[row + 1] | flags[row + 2]

    def _encode_alarms(self, snapshot):
        alarms = self._alarms
        data = self._data
        for row in range(0, len(alarms), 8):
            words = alarms[row]
            if (
                snapshot[words] & alarms[row + 4]
                or snapshot[words + 1] & alarms[row + 5]
                or snapshot[words + 2] & alarms[row + 6]
                or snapshot[words + 3] & alarms[row + 7]
            ):
                place = alarms[row + 1]
                data[place] = data[place] & ~alarms[row + 2] | alarms[row + 3]
        place = self._recalled
        if place >= 0:
            raised = self._raised
            for at in range(_FRAME_BYTES):
                now = data[place + at]
                raised[at] |= now & 0x55
                data[place + at] = now | (raised[at] & ~now) << 1


def _write_digits(data, place, number):
    """Decimal digits from the left, up to three; what is behind stays as it is."""
    for least in (100, 10, 1):
        if number >= least or least == 1:
            data[place] = 0x30 + number // least % 10
            place += 1


def _scaled(value, multiply, divide):
    """value * multiply / divide, rounded half away from zero.

    Cut first to what stays a small integer on the boards (below 2**30): such values are far
    beyond every kind that is scaled.
    """
    if multiply == 1 and divide == 1:
        return value
    most = (_LARGEST - divide) // multiply
    value = min(max(value, -most), most) * multiply
    if value < 0:
        return -((divide // 2 - value) // divide)
    return (value + divide // 2) // divide
