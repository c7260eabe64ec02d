"""Recodes the line numbers in a compiled file: a traceback's number is a row in a table kept here.

mpy-cross stores a line for every statement, 11 bytes a function. A traceback names file, function
and line. So it is enough that a number tells apart the functions of a file that are called the
same, which mostly takes no byte, and places in them. The heap gives memory in blocks of 16 bytes:
places fill what would be left over, so that they cost nothing. The release's table leads back to
the source (traceback.py); the code is what it was.

Format: py/persistentcode.c (a .mpy file of version 6), py/bc.h (prelude, line numbers).
"""

from dataclasses import dataclass
from itertools import pairwise

from cellsteward.shrinking.words import numbered

_BYTECODE = 0  # a raw code's kind: MP_CODE_BYTECODE - 2
_HAS_CHILDREN = 4
_HEADER = 4
_MORE = 0x80  # a byte of a number that is not its last one; a line entry of two bytes

# Kinds of constants (py/persistentcode.h): the ones up to "..." are nothing but their kind.
_ELLIPSIS, _STR, _BYTES, _TUPLE = 4, 5, 6, 10

# At most in a line entry of one byte, and in one of two.
_STEP_BYTES = 31
_STEP_LINES = 3
_LEAP_LINES = 0x7FF

_BLOCK_BYTES = 16  # of the heap (MICROPY_BYTES_PER_GC_BLOCK)


@dataclass(frozen=True)
class Row:
    """What a traceback may say, and the lines of the shrunk text that it means."""

    function: str
    number: int
    first: int
    last: int


def recoded(data: bytes) -> tuple[bytes, list[Row]]:
    """The same .mpy file with other line numbers, and what they mean. Raises ValueError for what
    is no bytecode."""
    recoder = _Recoder(data)
    return recoder.file(), recoder.rows


class _Reader:
    def __init__(self, data: bytes, at: int = 0):
        self.data = data
        self.at = at

    def number(self) -> int:
        value = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value = value << 7 | byte & 0x7F
            if byte < _MORE:
                return value

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]


class _Recoder:
    def __init__(self, data: bytes):
        self.rows: list[Row] = []
        self._in = _Reader(data)
        self._used: dict[str, int] = {}

    def file(self) -> bytes:
        found = self._in
        found.at = _HEADER
        words, objects = found.number(), found.number()
        self._words = [self._word() for _ in range(words)]
        for _ in range(objects):
            self._skip_object()
        return found.data[: found.at] + self._raw_code()

    def _word(self) -> str:
        length = self._in.number()
        if length & 1:
            return numbered(length >> 1)
        text = self._in.take(length >> 1).decode()
        self._in.take(1)
        return text

    def _skip_object(self) -> None:
        kind = self._in.take(1)[0]
        if kind == _TUPLE:
            for _ in range(self._in.number()):
                self._skip_object()
        elif kind > _ELLIPSIS:
            ends_with_zero = kind in (_STR, _BYTES)
            self._in.take(self._in.number() + ends_with_zero)

    def _raw_code(self) -> bytes:
        head = self._in.number()
        if head & 3 != _BYTECODE:
            raise ValueError("only bytecode has line numbers")
        code = self._function(self._in.take(head >> 3))
        made = _number(len(code) << 3 | head & 7) + code
        if head & _HAS_CHILDREN:
            children = self._in.number()
            made += _number(children)
            for _ in range(children):
                made += self._raw_code()
        return made

    def _function(self, code: bytes) -> bytes:
        prelude = _Prelude(code)
        function = self._words[prelude.name]
        first = self._used.get(function, 0) + 1
        entries = _entries(prelude.lines)
        size = len(prelude.with_lines(_line_bytes(first, entries[:1])))
        places = _places(entries, first, -size % _BLOCK_BYTES)
        self._used[function] = first + len(places) - 1
        ends = [line for _, line in places[1:]] + [entries[-1][1] + 1]
        for number, ((_, line), end) in enumerate(zip(places, ends, strict=True), start=first):
            self.rows.append(Row(function, number, line, max(line, end - 1)))
        return prelude.with_lines(_line_bytes(first, places))


class _Prelude:
    """The parts of a function's code."""

    def __init__(self, code: bytes):
        found = _Reader(code)
        arguments, shift = code[0] & 3, 0
        keyword_only = 0
        byte = code[0]
        found.at = 1
        while byte & _MORE:
            byte = found.take(1)[0]
            arguments |= (byte & 4) << shift
            keyword_only |= (byte & 8) >> 3 << shift
            shift += 1
        self._signature = code[: found.at]
        info = self._cells = shift = 0
        byte = _MORE
        while byte & _MORE:
            byte = found.take(1)[0]
            self._cells |= (byte & 1) << shift
            info |= (byte & 0x7E) >> 1 << 6 * shift
            shift += 1
        start = found.at
        self.name = found.number()
        for _ in range(arguments + keyword_only):
            found.number()
        self._names = code[start : found.at]
        self.lines = code[found.at : start + info]
        self._rest = code[start + info :]

    def with_lines(self, lines: bytes) -> bytes:
        """The same function with other line numbers."""
        sizes = bytearray()
        info, cells = len(self._names) + len(lines), self._cells
        while info or cells or not sizes:
            byte = (info & 0x3F) << 1 | cells & 1
            info, cells = info >> 6, cells >> 1
            sizes.append(byte | _MORE if info or cells else byte)
        return self._signature + sizes + self._names + lines + self._rest


def _entries(lines: bytes) -> list[tuple[int, int]]:
    """Offset in the code and line of each entry."""
    found = [(0, 1)]
    at = offset = 0
    line = 1
    while at < len(lines):
        byte = lines[at]
        if byte & _MORE:
            skipped, more = byte & 0xF, byte << 4 & 0x700 | lines[at + 1]
            at += 2
        else:
            skipped, more = byte & 0x1F, byte >> 5
            at += 1
        offset += skipped
        line += more
        if more:
            if found[-1][0] == offset:
                found.pop()
            found.append((offset, line))
    return found


def _places(entries: list[tuple[int, int]], first: int, room: int) -> list[tuple[int, int]]:
    """The entries that stay: as many as take `room` bytes more than the first one alone, evenly
    spread over the code."""
    alone = len(_line_bytes(first, entries[:1]))
    for apart in range(1, entries[-1][0] + 1):
        places = entries[:1]
        for offset, line in entries[1:]:
            if offset - places[-1][0] >= apart:
                places.append((offset, line))
        if len(_line_bytes(first, places)) <= alone + room:
            return places
    return entries[:1]


def _line_bytes(first: int, places: list[tuple[int, int]]) -> bytes:
    """Entries that count up from `first`, by one at each place."""
    made = bytearray()
    more = first - 1
    while more > _STEP_LINES:
        part = min(more, _LEAP_LINES)
        made += bytes((_MORE | part >> 4 & 0x70, part & 0xFF))
        more -= part
    if more:
        made.append(more << 5)
    for (before, _), (offset, _) in pairwise(places):
        skipped = offset - before
        while skipped > _STEP_BYTES:
            made.append(_STEP_BYTES)
            skipped -= _STEP_BYTES
        made.append(1 << 5 | skipped)
    return bytes(made)


def _number(value: int) -> bytes:
    made = [value & 0x7F]
    while value := value >> 7:
        made.append(value & 0x7F | _MORE)
    return bytes(reversed(made))
