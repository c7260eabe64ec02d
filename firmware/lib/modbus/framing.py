"""Finds Modbus RTU requests for us in whatever arrives on a shared line.

RTU frames carry neither start mark nor length; silence separates them. An operating system, a USB
adapter or our own busy loop tears and joins them, so silence alone decides nothing here:

- length: function and byte count say how long a frame is, the CRC says whether that was true.
  A request is found as soon as its last byte is there, and a slow one may arrive byte by byte.
- pause (t3.5 of silence, counted by the caller): a frame is expected to begin where it ended; a
  frame of unknown length ends there; and a request behind garbage is looked for byte by byte.
- idle time-out: what was no frame until then is forgotten (`clear`).

Requests to other addresses, and the responses of other slaves (or our own, where a transceiver
hears itself), are stepped over whole, so that nothing inside them is taken for a request.
Limits: bounded memory and, per call, bounded work (some 8 ms at most on an RP2040): what is left
goes on with the next call. Only `space` allocates (a view of 16 bytes).
"""

from modbus.crc16 import crc16
from modbus.server import BROADCAST, EXCEPTION_FLAG, MAX_ADU

_SIZE = 2 * MAX_ADU  # a request that begins behind a buffer half full of garbage still fits
# Work of one call, in units of a byte of CRC, some 10 us on an RP2040 (micropython.md, numbers).
_EFFORT = 512
_EFFORT_POSITION = 3
_EFFORT_CANDIDATE = 10
_FRAMES_PER_CALL = 16  # frames of others stepped over in one call

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


class Framer:
    """The bytes received and not yet understood: `buffer[start:fill]`."""

    def __init__(self, address):
        self.address = address
        self.buffer = bytearray(_SIZE)
        self.start = 0
        self.fill = 0
        self.others = 0  # valid frames that were no request for us
        self.crc_errors = 0  # bursts of bytes that were no frame
        self._ours = (address, BROADCAST)
        self._view = memoryview(self.buffer)
        self._boundary = 0  # where the last pause was: a frame is expected to begin here
        self._searched = 0  # the search behind garbage goes on here
        self._fresh = False  # bytes came or went since the last look at `start`

    def space(self):
        """Where to receive into: a view of at least MAX_ADU bytes. Call `received` afterwards."""
        if self.start:
            self._move_to_front()
        if self.fill > _SIZE - MAX_ADU:  # garbage without a pause: a frame may be in its last half
            self._forget(self.start + self.fill - MAX_ADU)
            self._move_to_front()
        return self._view[self.fill :]

    def received(self, count):
        """`count` bytes were put into `space`."""
        self.fill += count
        self._searched = self.start + 1
        self._fresh = True

    def pending(self):
        """Whether bytes wait for the rest of their frame. Allocates nothing."""
        return self.fill > self.start

    def find(self, paused):
        """Length of the request for us (or to all) that begins at `start`, 0 if there is none yet.

        `paused`: nothing arrived for t3.5. Call `drop` with the length after serving the request.
        """
        for _ in range(_FRAMES_PER_CALL):
            if not self._fresh or self.fill == self.start:
                break
            length = self._frame(self.start, _REQUEST)
            if length and self._for_us(self.start):
                return length
            length = length or self._frame(self.start, _RESPONSE)
            if length:
                self.others += 1
                self.drop(length)
            elif self.start < self._boundary < self.fill and (
                self._frame(self._boundary, _REQUEST) or self._frame(self._boundary, _RESPONSE)
            ):
                self._forget(self._boundary)
            else:
                self._fresh = False
        if self._fresh or not paused:
            return 0
        return self._find_after_pause()

    def drop(self, length):
        """The frame of `length` bytes at `start` is served."""
        self.start += length
        self._searched = self.start + 1
        if self.start >= self.fill:
            self._empty()

    def clear(self):
        """The line has been idle for long: what is left will never become a frame."""
        if self.fill > self.start:
            self.crc_errors += 1
        self._empty()

    def _empty(self):
        self.start = 0
        self.fill = 0
        self._boundary = 0

    def _forget(self, start):
        """Give up what lies before `start`."""
        self.crc_errors += 1
        self.start = start
        self._searched = start + 1
        self._fresh = True

    def _move_to_front(self):
        start = self.start
        for at in range(start, self.fill):
            self.buffer[at - start] = self.buffer[at]
        self.fill -= start
        self._boundary = max(0, self._boundary - start)
        self._searched = max(1, self._searched - start)
        self.start = 0

    def _for_us(self, at):
        return self.buffer[at] in self._ours

    def _length(self, at, side):
        """What the bytes at `at` say about their length; 0 if they say nothing (yet)."""
        here = self.fill - at
        if here < _MIN_SIZE:
            return 0
        function = self.buffer[at + 1]
        if function & EXCEPTION_FLAG:
            return _EXCEPTION_SIZE if side == _RESPONSE else 0
        shape = _SHAPES.get(function)
        if not shape:
            return 0
        count_at = shape[side + 1]
        if not count_at:
            return shape[side]
        return shape[side] + self.buffer[at + count_at] if count_at < here else 0

    def _frame(self, at, side):
        """Length of the whole, valid frame of that side at `at`, 0 if there is none."""
        length = self._length(at, side)
        return length if length and self._valid(at, length) else 0

    def _valid(self, at, length):
        end = at + length - 2
        if end + 2 > self.fill:
            return False
        return crc16(self.buffer, at, end) == self.buffer[end] | self.buffer[end + 1] << 8

    def _find_after_pause(self):
        """Something other than a frame of known length is at `start`, and then came a pause."""
        first_look = self._searched == self.start + 1
        self._boundary = self.fill
        length = self.fill - self.start
        if first_look and _MIN_SIZE <= length <= MAX_ADU and self._valid(self.start, length):
            if self._for_us(self.start):
                return length  # a function we do not know, or a known one of a wrong length
            self.others += 1
            self.drop(length)
            return 0
        effort = 0
        while self._searched + _MIN_SIZE <= self.fill and effort < _EFFORT:
            at = self._searched
            effort += _EFFORT_POSITION
            # Zeros are common in garbage, so a broadcast is not looked for here.
            if self.buffer[at] == self.address:
                effort += _EFFORT_CANDIDATE
                length = self._length(at, _REQUEST)
                if at + length <= self.fill:
                    effort += length
                    if length and self._valid(at, length):
                        self._forget(at)
                        return length
            self._searched += 1
        return 0
