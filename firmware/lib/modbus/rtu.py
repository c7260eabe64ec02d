"""Modbus RTU as one of the languages of a serial line: what is a frame, and what answers it.

A frame has neither a start mark nor a length: function and byte count say how long it is, the CRC
says whether that was true. See links.framing for what finds frames in a stream.
"""

from modbus.crc16 import crc16
from modbus.server import BROADCAST, EXCEPTION_FLAG, MAX_ADU, word

# Rows of links.peer_rows.
_MODBUS_MASTER = 1
_SUNSPEC_MASTER = 2
_SUNSPEC = 40000

# Function: bytes of a request with address and CRC, place of its byte count (0: none); the same of
# a response (V1.1b3, 6.1 to 6.17).
_SHAPES = {
    1: (8, 0, 5, 2),
    2: (8, 0, 5, 2),
    3: (8, 0, 5, 2),
    4: (8, 0, 5, 2),
    5: (8, 0, 8, 0),
    6: (8, 0, 8, 0),
    15: (9, 6, 8, 0),
    16: (9, 6, 8, 0),
    22: (10, 0, 10, 0),
    23: (13, 10, 5, 2),
}
_REQUEST = 0
_RESPONSE = 2
_EXCEPTION_SIZE = 5
_MIN_SIZE = 4


class Rtu:
    """Modbus RTU for one `server`, as links.framing and rs485.port want a language.

    registers: what may have to be loaded for a request (modbus.registers), or None.
    peer: row of links.peer_rows that the latest master looks like; refused: whether its request
    was answered by an exception. None of this allocates, apart from what the server says.
    """

    def __init__(self, server, registers):
        self.peer = _MODBUS_MASTER
        self.refused = False
        self.asleep = False
        self.damaged = False  # never: what has a wrong CRC is no frame
        self.effort = 0
        # Zeros are common in garbage, so a broadcast is not looked for behind some.
        self.first = server.address
        self._server = server
        self._registers = registers
        self._ours = (server.address, BROADCAST)

    def frame(self, buffer, at, fill):
        """See links.framing."""
        self.effort = 0
        length = self._whole(buffer, at, fill, _REQUEST)
        if length and buffer[at] in self._ours:
            self.asleep = self._registers is not None and self._registers.asleep(
                word(buffer, at + 2)
            )
            return length
        return -(length or self._whole(buffer, at, fill, _RESPONSE))

    def burst(self, buffer, at, fill):
        """A function we do not know, or a known one of a wrong length."""
        length = fill - at
        if not _MIN_SIZE <= length <= MAX_ADU or not self._valid(buffer, at, length, fill):
            return 0
        return length if buffer[at] in self._ours else -length

    def pending(self, buffer, at, fill):
        """Whether an incomplete request for us may begin at `at`."""
        if buffer[at] not in self._ours:
            return False
        if fill - at < _MIN_SIZE:
            return fill - at == 1 or buffer[at + 1] in _SHAPES
        shape = _SHAPES.get(buffer[at + 1])
        if not shape:
            return False
        length = self._length(buffer, at, fill, _REQUEST)
        return not length or at + length > fill

    def wake(self):
        """Load what the request that `frame` found needs, in pieces: yields between them."""
        return self._registers.wake()

    def respond(self, buffer, at, length, response):
        """Put the answer to the request at `at` into `response`; returns its length, or 0."""
        size = self._server.respond(buffer, length, response, at)
        self.refused = size > 0 and response[1] & EXCEPTION_FLAG != 0
        self.peer = _SUNSPEC_MASTER if word(buffer, at + 2) >= _SUNSPEC else _MODBUS_MASTER
        return size

    def _length(self, buffer, at, fill, side):
        """What the bytes at `at` say about their length; 0 if they say nothing (yet)."""
        here = fill - at
        if here < _MIN_SIZE:
            return 0
        function = buffer[at + 1]
        if function & EXCEPTION_FLAG:
            return _EXCEPTION_SIZE if side == _RESPONSE else 0
        shape = _SHAPES.get(function)
        if not shape:
            return 0
        count_at = shape[side + 1]
        if not count_at:
            return shape[side]
        return shape[side] + buffer[at + count_at] if count_at < here else 0

    def _whole(self, buffer, at, fill, side):
        """Length of the whole, valid frame of that side at `at`, 0 if there is none."""
        length = self._length(buffer, at, fill, side)
        return length if length and self._valid(buffer, at, length, fill) else 0

    def _valid(self, buffer, at, length, fill):
        end = at + length - 2
        if end + 2 > fill:
            return False
        self.effort += length
        return crc16(buffer, at, end) == buffer[end] | buffer[end + 1] << 8
