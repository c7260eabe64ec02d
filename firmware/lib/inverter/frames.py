"""Encodes CAN frames from a snapshot of the points; what a frame says is data, not code.

A profile is a module of five tables:

FRAMES     identifier | sent while | bytes. The order is the sending order; the bytes are
           what no other table fills in: constants, and 0 elsewhere.
FIELDS     identifier | first byte | kind | point | multiply | divide | valid while | otherwise.
           kind: "<" little or ">" big endian, then u8, u15, u16, s16 or u32; u15 is an s16 that is
           never negative, as current limits are. The wire value is
           point * multiply / divide, rounded half away from zero, at its kind's end when it does
           not fit (a wrapped s16 would turn charging into discharging). `otherwise` is the wire
           value that stands in while the point is INVALID or its conditions do not hold.
FLAGS      identifier | byte | bit | set while | and never while.
FAULTS     identifier | byte | bit | name of a fault (bms.faults), from the point `faults`.
WARNINGS   the same, from the point `warnings`. EVERY_OTHER stands for all names without a row.

Goals: adding a profile means adding tables; `encode` allocates nothing and never shows an old
value as live. Limits: points that are single values; u32 ends at 2**30 - 1, as points do.
"""

from array import array

from bms.table import INVALID

# Conditions, added up in the tables' columns of that kind
ALWAYS = 0
MEASURED = 1  # the pack is measured: complete, plausible and new enough
CHARGE = 2  # charging is allowed
DISCHARGE = 4  # discharging is allowed
VOLTAGE_LIMIT = 8  # a charge voltage limit is known

EVERY_OTHER = "*"

_LARGEST = (1 << 30) - 1
_KINDS = {  # bytes, smallest, largest wire value
    "u8": (1, 0, 0xFF),
    "u15": (2, 0, 0x7FFF),
    "u16": (2, 0, 0xFFFF),
    "s16": (2, -0x8000, 0x7FFF),
    "u32": (4, 0, _LARGEST),
}

# Blank before the first valid sample and whenever measurements stop; a battery without them is
# not measured, whatever a profile sends.
_MEASURED_POINTS = ("pack_voltage_mv", "current_ma", "soc_bp", "temperature_max_dc")
# The battery blanks its points after 500 ms without a good sample (architecture, law 3); this is
# the second look at the same thing.
_AGE_MAX_MS = 1000
# Nobody means a limit below this; 0 is what the point says before a configuration is read.
_VOLTAGE_LIMIT_MIN_MV = 1000

# Columns of a compiled field
_FRAME = 0
_AT = 1  # where its lowest byte goes
_SIZE = 2
_STEP = 3  # 1 little endian, -1 big endian
_LOWEST = 4
_HIGHEST = 5
_POINT = 6
_MULTIPLY = 7
_DIVIDE = 8
_NEEDS = 9
_OTHERWISE = 10
_FIELD_COLUMNS = 11


class FrameEncoder:
    """The frames of one profile.

    identifiers, frames: what to send, in sending order; due: 1 for each frame to be sent now.
    One coroutine owns it; frames are rewritten in place by `encode`.
    """

    def __init__(self, profile, points, faults):
        self.identifiers = [row[0] for row in profile.FRAMES]
        self._blank = [row[2] for row in profile.FRAMES]
        self.frames = [memoryview(bytearray(content)) for content in self._blank]
        self._frame_needs = bytes(row[1] for row in profile.FRAMES)
        self.due = bytearray(len(self.frames))
        self._fields = array("i")
        for row in profile.FIELDS:
            self._add_field(points, row)
        self._flags = bytearray()
        for identifier, at, bit, needs, unless in profile.FLAGS:
            self._flags.extend(bytes((self._frame(identifier), at, 1 << bit, needs, unless)))
        self._alarms = array("H")  # frame, byte, its bit, offset of a point's word, bit in it
        self._add_alarms(profile.FAULTS, points.offset("faults"), faults)
        self._add_alarms(profile.WARNINGS, points.offset("warnings"), faults)
        self._measured = array("H", [points.offset(name) for name in _MEASURED_POINTS])
        self._age = points.offset("measurement_age_ms")
        self._charge_allowed = points.offset("charge_allowed")
        self._discharge_allowed = points.offset("discharge_allowed")
        self._charge_voltage_limit = points.offset("charge_voltage_limit_mv")

    def encode(self, snapshot, live=True):
        """Rewrite `frames` and `due` from an array as points.snapshot_into fills it.

        live: False if the caller knows that the snapshot is old; it then counts as not measured.
        Never allocates.
        """
        conditions = self._conditions(snapshot, live)
        for index in range(len(self.frames)):
            frame = self.frames[index]
            frame[0:] = self._blank[index]
            needs = self._frame_needs[index]
            self.due[index] = conditions & needs == needs
        self._encode_fields(snapshot, conditions)
        self._encode_flags(conditions)
        self._encode_alarms(snapshot)

    def _conditions(self, snapshot, live):
        conditions = MEASURED if live and snapshot[self._age] <= _AGE_MAX_MS else 0
        for offset in self._measured:
            if snapshot[offset] == INVALID:
                conditions = 0
        if snapshot[self._charge_allowed] == 1:
            conditions |= CHARGE
        if snapshot[self._discharge_allowed] == 1:
            conditions |= DISCHARGE
        if snapshot[self._charge_voltage_limit] >= _VOLTAGE_LIMIT_MIN_MV:
            conditions |= VOLTAGE_LIMIT
        return conditions

    def _encode_fields(self, snapshot, conditions):
        fields = self._fields
        # A range with a step that is no literal would allocate.
        for index in range(len(fields) // _FIELD_COLUMNS):
            row = index * _FIELD_COLUMNS
            value = snapshot[fields[row + _POINT]]
            needs = fields[row + _NEEDS]
            if value == INVALID or conditions & needs != needs:
                wire = fields[row + _OTHERWISE]
            else:
                wire = _scaled(value, fields[row + _MULTIPLY], fields[row + _DIVIDE])
                wire = min(max(wire, fields[row + _LOWEST]), fields[row + _HIGHEST])
            frame = self.frames[fields[row + _FRAME]]
            at = fields[row + _AT]
            step = fields[row + _STEP]
            for _ in range(fields[row + _SIZE]):
                frame[at] = wire & 0xFF
                wire >>= 8
                at += step

    def _encode_flags(self, conditions):
        flags = self._flags
        for row in range(0, len(flags), 5):
            needs = flags[row + 3]
            if conditions & needs == needs and not conditions & flags[row + 4]:
                self.frames[flags[row]][flags[row + 1]] |= flags[row + 2]

    def _encode_alarms(self, snapshot):
        alarms = self._alarms
        for row in range(0, len(alarms), 5):
            if snapshot[alarms[row + 3]] & alarms[row + 4]:
                self.frames[alarms[row]][alarms[row + 1]] |= alarms[row + 2]

    def _add_field(self, points, row):
        identifier, first, kind, point, multiply, divide, needs, otherwise = row
        size, lowest, highest = _KINDS[kind[1:]]
        little = kind[0] == "<"
        compiled = (
            self._frame(identifier),
            first if little else first + size - 1,
            size,
            1 if little else -1,
            lowest,
            highest,
            points.offset(point),
            multiply,
            divide,
            needs,
            otherwise,
        )
        for number in compiled:
            self._fields.append(number)

    def _add_alarms(self, rows, words, faults):
        named = [row[3] for row in rows]
        for identifier, at, bit, name in rows:
            if name == EVERY_OTHER:
                faults_meant = [
                    fault for fault in range(len(faults)) if faults.names.name(fault) not in named
                ]
            else:
                faults_meant = [faults.names.index(name)]
            for fault in faults_meant:
                frame = self._frame(identifier)
                word = words + (fault >> 4)
                for number in (frame, at, 1 << bit, word, 1 << (fault & 15)):
                    self._alarms.append(number)

    def _frame(self, identifier):
        return self.identifiers.index(identifier)


def _scaled(value, multiply, divide):
    """value * multiply / divide, rounded half away from zero.

    Cut first to what stays a small integer on the boards (below 2**30): such values are far
    beyond every kind that is scaled.
    """
    most = (_LARGEST - divide) // multiply
    value = min(max(value, -most), most) * multiply
    if value < 0:
        return -((divide // 2 - value) // divide)
    return (value + divide // 2) // divide
