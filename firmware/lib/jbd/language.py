"""JBD frames: as one of the languages of a serial line, and for links that have their own.

See jbd.core for what is answered, links.framing and rs485.port for what a language is. A link
that carries no other language, such as Bluetooth, uses a links.framing.Framer with this one alone,
and sends what `respond` returns in pieces of `FRAGMENT` bytes.
"""

from jbd.core import ERROR, OK

FRAGMENT = 20
"""Bytes of a Bluetooth notification (serial_protocols.md 2.3)."""

_PEER = 4  # row of links.peer_rows
_START = 0xDD
_END = 0x77
_READ = 0xA5
_WRITE = 0x5A
_KINDS = (_READ, _WRITE)
_STATUSES = (OK, ERROR)
_OVERHEAD = 7  # start, kind, register, length, two of the checksum, end
_MAX_DATA = 64  # more than any request or answer of the protocol, answers of 32 cells among them


class JbdLanguage:
    """Frames of one `core` (jbd.core.Jbd)."""

    def __init__(self, core):
        self.peer = _PEER
        self.refused = False
        self.asleep = False
        self.damaged = False  # never: what has a wrong checksum is no frame
        self.effort = 0
        self.first = _START
        self._core = core

    def frame(self, buffer, at, fill):
        """See links.framing."""
        self.effort = 0
        if fill - at < _OVERHEAD or buffer[at] != _START:
            return 0
        size = buffer[at + 3]
        length = size + _OVERHEAD
        if size > _MAX_DATA or at + length > fill or buffer[at + length - 1] != _END:
            return 0
        self.effort = length
        end = at + length - 3
        stated = buffer[end] << 8 | buffer[end + 1]
        # In a request the register counts, in an answer the status, at the same place.
        if stated != checksum(buffer, at + 2, end):
            return 0
        if buffer[at + 1] in _KINDS:
            return length
        return -length if buffer[at + 2] in _STATUSES else 0

    def burst(self, _buffer, _at, _fill):
        """Every frame says its length."""
        return 0

    def pending(self, buffer, at, fill):
        """Whether an incomplete request may begin at `at`."""
        here = fill - at
        if buffer[at] != _START or (here > 1 and buffer[at + 1] not in _KINDS):
            return False
        return here < _OVERHEAD or here < buffer[at + 3] + _OVERHEAD <= _MAX_DATA + _OVERHEAD

    def respond(self, buffer, at, length, response):
        """Put the answer to the request at `at` into `response`; returns its length."""
        register = buffer[at + 2]
        write = buffer[at + 1] == _WRITE
        end = self._core.answer(write, register, buffer, at + 4, length - _OVERHEAD, response, 4)
        self.refused = end < 0
        if end < 0:
            response[2] = -end
            end = 4
        else:
            response[2] = OK
        response[0] = _START
        response[1] = register
        response[3] = end - 4
        total = checksum(response, 2, end)
        response[end] = total >> 8
        response[end + 1] = total & 0xFF
        response[end + 2] = _END
        return end + 3


def checksum(buffer, start, end):
    """Two's complement of the sum of `buffer[start:end]`, 16 bits."""
    total = 0
    for at in range(start, end):
        total += buffer[at]
    return -total & 0xFFFF
