"""Encodes CAN frames from a snapshot of the points; what a frame says is data, not code.

A profile is a module of tables; docs/inverters.md shows how to write one.

FRAMES   identifier | sent while | bytes | period in ms (0 or left out: in every set). The order is
         the sending order; the bytes are what no other table fills in: constants, or 0.
FIELDS   identifier | first byte | kind | point | multiply | divide | valid while | otherwise
         | add (0 if left out). kind: "<" little or ">" big endian, then u8, u15, u16, s16 or u32;
         u15 is an s16 that is never negative, as current limits are. The wire value is
         point * multiply / divide + add, rounded half away from zero, at its kind's end when it
         does not fit (a wrapped s16 would turn charging into discharging). `otherwise` is the wire
         value that stands in while the point is INVALID or its conditions do not hold.
         kind "id": a position from 0 as decimal digits from 1 on, up to three of them.
         point: its name, "name:3" for the fourth value of a vector, or one of EXTRAS.
FLAGS    identifier | byte | bit | set while | and never while.
ALARMS   identifier | byte, bit of the fault | byte, bit of the warning | names of faults,
         separated by spaces. A byte of -1: there is no such bit. EVERY_OTHER stands for all
         without a row of this frame. A fault that blocks nothing is told as a warning.
PAIRED   identifiers of frames whose bits come in pairs, as SMA has them: 01 raised, 10 cleared.
         Their constant bytes say "cleared"; `bit` is the lower one of the pair.
RECALLED the paired frame that says nothing (00) until an alarm was raised, and "cleared" then.

Goals: adding a profile means adding tables; what stays in memory is packed, and the profile's
module can be given back; encoding allocates nothing.
Limits: standard frames of up to 8 bytes; points that are single values; u32 ends at 2**30 - 1, as
points do; bits of up to 64 faults.
"""

from array import array

from bms.table import INVALID

EVERY_OTHER = "*"

EXTRAS = (
    "@modules",
    "@charge_blocked",
    "@discharge_blocked",
    "@online",
    "@warmest",
    "@coldest",
    "@temperature_above",
    "@energy_100wh",
    "@nothing",
)
"""Values that `inverter.rules` adds behind the points: packs in parallel, how many of them block
charging and discharging, a bit for each that is online; positions of the warmest and the coldest
sensor; the highest temperature, and 0.1 C more if it would equal the lowest; the energy of the
pack when new, in 0.1 kWh; 0."""

_LARGEST = (1 << 30) - 1
_KINDS = ("u8", "u15", "u16", "s16", "u32", "id")
_SIZES = b"\x01\x02\x02\x02\x04\x03"  # bytes, by kind
_LOWEST = (0, 0, 0, -0x8000, 0, 0)
_HIGHEST = (0xFF, 0x7FFF, 0xFFFF, 0x7FFF, _LARGEST, 999)
_ID = 5
_BIG = 8  # added to the kind: big endian

# Columns of a compiled field
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
_MEASUREMENTS = 0x356  # where pylontech and its relatives have the pack voltage
_NAME = 0x35E
_WORDS = 4  # of 16 bits, in the points `faults` and `warnings`


class FrameEncoder:
    """The frames of one profile.

    identifiers, frames: what to send, in sending order; due: 1 for each frame to be sent now.
    name: bytes instead of those of the profile's frame NAME_ID, or None.
    voltage_divide: mV in a unit of the pack voltage of 0x356, or 0: as the profile says.
    One coroutine owns it; frames are rewritten in place.
    """

    def __init__(self, profile, points, faults, name=None, voltage_divide=0):
        rows = profile.FRAMES
        self._profile = profile
        self._points = points
        self._faults = faults
        self.extras = len(points.live)
        self.identifiers = array("H", [row[0] for row in rows])
        self._needs = array("H", [row[1] for row in rows])
        self._periods = array("H", [(row + (0,))[3] for row in rows])
        self._waits = array("H", [0] * len(rows))  # ms until a frame with a period is due again
        self.due = bytearray(len(rows))
        data = bytearray(_FRAME_BYTES * len(rows))
        view = memoryview(data)
        blank = bytearray(len(data))
        self.frames = []
        for index, row in enumerate(rows):
            start = _FRAME_BYTES * index
            content = row[2]
            if name is not None and row[0] == _option(profile, "NAME_ID", _NAME):
                content = name
            blank[start : start + len(content)] = content
            self.frames.append(view[start : start + len(content)])
        self._data = data
        self._view = view
        self._blank = bytes(blank)
        self._fields = array("h")
        self._starts = bytearray((0,))  # of each frame's fields, and the end
        self._add_fields(voltage_divide)
        self._flags = array("H")  # place, bits cleared, bits set, needs, unless
        for identifier, at, bit, needs, unless in _option(profile, "FLAGS"):
            clear, put = self._bits(identifier, bit)
            for number in (self._place(identifier, at), clear, put, needs, unless):
                self._flags.append(number)
        self._alarms = array("H")  # first word's offset, place, bits cleared, bits set, 4 masks
        self._add_alarms()
        recalled = _option(profile, "RECALLED", 0)
        self._recalled = self._place(recalled, 0) if recalled else -1
        self._raised = bytearray(_FRAME_BYTES)  # pairs of that frame that were raised once
        self._profile = self._points = self._faults = None  # its tables can be given back

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

    def _add_fields(self, voltage_divide):
        for identifier in self.identifiers:
            for row in self._profile.FIELDS:
                if row[0] == identifier:
                    self._add_field(row, voltage_divide)
            self._starts.append(len(self._fields) // _FIELD_COLUMNS)

    def _add_field(self, row, voltage_divide):
        identifier, first, kind, point, multiply, divide, needs, otherwise = row[:8]
        if voltage_divide and identifier == _MEASUREMENTS and point == "pack_voltage_mv":
            divide = voltage_divide
        big = _BIG if kind[0] == ">" else 0
        compiled = (
            self._place(identifier, first),
            _KINDS.index(kind.lstrip("<>")) | big,
            self._offset(point),
            multiply,
            divide,
            (row + (0,))[8],
            needs,
            _as_signed(otherwise),
        )
        for number in compiled:
            self._fields.append(number)

    def _offset(self, point):
        if point in EXTRAS:
            return self.extras + EXTRAS.index(point)
        name, _, slot = point.partition(":")
        return self._points.offset(name) + int(slot or 0)

    def _add_alarms(self):
        rows = _option(self._profile, "ALARMS")
        for identifier, byte, bit, warn_byte, warn_bit, names in rows:
            if names == EVERY_OTHER:
                named = " ".join([row[5] for row in rows if row[0] == identifier]).split()
                meant = [
                    fault
                    for fault in range(len(self._faults))
                    if self._faults.names.name(fault) not in named
                ]
            else:
                meant = [self._faults.names.index(name) for name in names.split()]
            blocking = [fault for fault in meant if self._faults.blocks[fault]]
            harmless = [fault for fault in meant if not self._faults.blocks[fault]]
            self._add_alarm(identifier, byte, bit, "faults", blocking)
            self._add_alarm(identifier, warn_byte, warn_bit, "faults", harmless)
            self._add_alarm(identifier, warn_byte, warn_bit, "warnings", meant)

    def _add_alarm(self, identifier, byte, bit, point, meant):
        if byte < 0 or not meant:
            return
        masks = [0] * _WORDS
        for fault in meant:
            masks[fault >> 4] |= 1 << (fault & 15)
        clear, put = self._bits(identifier, bit)
        place = self._place(identifier, byte)
        for number in [self._points.offset(point), place, clear, put] + masks:
            self._alarms.append(number)

    def _bits(self, identifier, bit):
        """Bits to clear and to set in a byte."""
        if identifier in _option(self._profile, "PAIRED"):
            return 3 << bit, 1 << bit
        return 0, 1 << bit

    def _place(self, identifier, at):
        return _FRAME_BYTES * list(self.identifiers).index(identifier) + at


def _as_signed(wire):
    """The same 16 bits, as an array of signed ones holds them."""
    return (wire & 0xFFFF ^ 0x8000) - 0x8000


def _option(profile, name, default=()):
    return getattr(profile, name, default)


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
