"""The tables of a profile, and how they are packed for inverter.frames.

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

Goals: adding a profile means adding tables; what stays in memory is packed, and this module and
the profile's can be given back.
Limits: standard frames of up to 8 bytes; points that are single values; u32 ends at 2**30 - 1, as
points do; bits of up to 64 faults.
"""

from array import array

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
)
"""Values that `inverter.rules` adds behind the points: packs in parallel, how many of them block
charging and discharging, a bit for each that is online; positions of the warmest and the coldest
sensor; the highest temperature, and 0.1 C more if it would equal the lowest; the energy of the
pack when new, in 0.1 kWh."""

KINDS = ("u8", "u15", "u16", "s16", "u32", "id")
BIG = 8  # added to the kind: big endian
FRAME_BYTES = 8
FIELD_COLUMNS = 8  # place, kind, point, multiply, divide, add, needs, otherwise

_WORDS = 4  # of 16 bits, in the points `faults` and `warnings`
_MEASUREMENTS = 0x356  # where pylontech and its relatives have the pack voltage
_NAME = 0x35E


class Packed:
    """A profile as arrays.

    name: bytes instead of those of the profile's frame NAME_ID, or None.
    voltage_divide: mV in a unit of the pack voltage of 0x356, or 0: as the profile says.
    identifiers, needs, periods: by frame; blank: all frames' constants, FRAME_BYTES for each;
    sizes: their real lengths; fields, flags, alarms: rows of numbers, see the columns where they
    are packed; starts: number of each frame's first field, and of the end; recalled: place of the
    frame RECALLED, or -1.
    """

    def __init__(self, profile, points, faults, name=None, voltage_divide=0):
        rows = profile.FRAMES
        self._profile = profile
        self._points = points
        self._faults = faults
        self.identifiers = array("H", [row[0] for row in rows])
        self.needs = array("H", [row[1] for row in rows])
        self.periods = array("H", [(row + (0,))[3] for row in rows])
        self.sizes = bytes([len(row[2]) for row in rows])
        blank = bytearray(FRAME_BYTES * len(rows))
        for index, row in enumerate(rows):
            content = row[2]
            if name is not None and row[0] == _option(profile, "NAME_ID", _NAME):
                content = name
            blank[FRAME_BYTES * index : FRAME_BYTES * index + len(content)] = content
        self.blank = bytes(blank)
        self.fields = array("h")
        self.starts = bytearray((0,))
        self._add_fields(voltage_divide)
        self.flags = array("H")  # place, bits cleared, bits set, needs, unless
        for identifier, at, bit, needs, unless in _option(profile, "FLAGS"):
            clear, put = self._bits(identifier, bit)
            for number in (self._place(identifier, at), clear, put, needs, unless):
                self.flags.append(number)
        self.alarms = array("H")  # first word's offset, place, bits cleared, bits set, 4 masks
        self._add_alarms()
        recalled = _option(profile, "RECALLED", 0)
        self.recalled = self._place(recalled, 0) if recalled else -1

    def _add_fields(self, voltage_divide):
        for identifier in self.identifiers:
            for row in self._profile.FIELDS:
                if row[0] == identifier:
                    self._add_field(row, voltage_divide)
            self.starts.append(len(self.fields) // FIELD_COLUMNS)

    def _add_field(self, row, voltage_divide):
        identifier, first, kind, point, multiply, divide, needs, otherwise = row[:8]
        if voltage_divide and identifier == _MEASUREMENTS and point == "pack_voltage_mv":
            divide = voltage_divide
        big = BIG if kind[0] == ">" else 0
        compiled = (
            self._place(identifier, first),
            KINDS.index(kind.lstrip("<>")) | big,
            self._offset(point),
            multiply,
            divide,
            (row + (0,))[8],
            needs,
            _as_signed(otherwise),
        )
        for number in compiled:
            self.fields.append(number)

    def _offset(self, point):
        if point in EXTRAS:
            return len(self._points.live) + EXTRAS.index(point)
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
            self.alarms.append(number)

    def _bits(self, identifier, bit):
        """Bits to clear and to set in a byte."""
        if identifier in _option(self._profile, "PAIRED"):
            return 3 << bit, 1 << bit
        return 0, 1 << bit

    def _place(self, identifier, at):
        return FRAME_BYTES * list(self.identifiers).index(identifier) + at


def _as_signed(wire):
    """The same 16 bits, as an array of signed ones holds them."""
    return (wire & 0xFFFF ^ 0x8000) - 0x8000


def _option(profile, name, default=()):
    return getattr(profile, name, default)
