"""Finds requests for us in whatever arrives on a serial line, in any of several languages.

Neither Modbus RTU's silence nor a start mark can be trusted alone: an operating system, a USB
adapter or our own busy loop tears and joins frames, and the data of one language may look like
the beginning of another. So:

- length and checksum: a language says whether a whole, valid frame begins at a place. A request is
  found as soon as its last byte is there, and a slow one may arrive byte by byte.
- order: what begins first is looked at first. Whole frames of others (of other masters, or answers
  of other slaves, or our own where a transceiver hears itself) are stepped over, so that nothing
  inside them is taken for a request, in whatever language.
- pause (t3.5 of silence, counted by the caller): a frame is expected to begin where it ended; a
  frame of unknown length ends there; and a request behind garbage is looked for byte by byte. But
  while a request for us is still incomplete, only its own language is looked for behind its
  beginning: one request never gets answers in two languages.
- idle time-out (`IDLE`): the rest is looked through for all languages, and then forgotten.

A language is any object with
    frame(buffer, at, fill)   > 0: length of the whole, valid request for us at `at`; < 0: minus
                              the length of another whole frame; 0: neither, or not yet
    burst(buffer, at, fill)   the same for what a pause ended: a frame of unknown length
    pending(buffer, at, fill) whether the bytes at `at` may become a request for us
    first                     the byte that a request for us begins with
    effort                    bytes that the latest call had to look through
    asleep                    the request that `frame` found needs something that must be loaded
                              first: step through `wake()`, which yields in between, then
                              `look_again`
Limits: bounded memory and, per call, bounded work (some 8 ms at most on an RP2040): what is left
goes on with the next call. Only `space` allocates (views of 16 bytes).
"""

from links.diagnosis import CRC_ERRORS, TIMEOUTS, UNKNOWN

MAX_FRAME = 256  # Modbus V1.1b3, 4.1, the longest of the languages
_SIZE = 2 * MAX_FRAME  # a request that begins behind a buffer half full of garbage still fits
# Work of one call, in units of a byte of CRC, some 10 us on an RP2040 (micropython.md, numbers).
_EFFORT = 512
_EFFORT_POSITION = 4
_EFFORT_CANDIDATE = 20
_FRAMES_PER_CALL = 16  # frames of others stepped over in one call

# How silent the line is, for `find`.
BUSY = 0
PAUSED = 1
IDLE = 2


class Framer:
    """The bytes received and not yet understood: `buffer[start:fill]`. Counts on `link` of a
    links.diagnosis.Diagnosis. language: of the request that `find` found."""

    def __init__(self, languages, diagnosis, link):
        self.languages = languages
        self.language = languages[0]
        self.buffer = bytearray(_SIZE)
        self.start = 0
        self.fill = 0
        self._firsts = bytes([language.first for language in languages])
        self._diagnosis = diagnosis
        self._link = link
        self._view = memoryview(self.buffer)
        self._boundary = 0  # where the last pause was: a frame is expected to begin here
        self._searched = 0  # the search behind garbage goes on here
        self._fresh = False  # bytes came or went since the last look at `start`
        self._effort = 0

    def space(self):
        """Where to receive: a view of at least MAX_FRAME bytes. Call `received` afterwards."""
        if self.start:
            self._move_to_front()
        if self.fill > _SIZE - MAX_FRAME:  # garbage without a pause: its last half may be a frame
            self._forget(self.start + self.fill - MAX_FRAME)
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

    def find(self, silence):
        """Length of the request for us (or to all) that begins at `start`, 0 if there is none yet.

        silence: BUSY, PAUSED (nothing arrived for t3.5) or IDLE (nothing will come any more).
        Call `drop` with the length after serving the request.
        """
        for _ in range(_FRAMES_PER_CALL):
            if not self._fresh or self.fill == self.start:
                break
            held = self._held() if self._boundary > self.start else None
            length = self._frame(self.start, None)
            if length > 0:
                return length
            if length < 0:
                self._step_over(-length)
            elif self.start < self._boundary < self.fill and self._frame(self._boundary, held):
                self._forget(self._boundary)
            else:
                self._fresh = False
        if self._fresh or not silence:
            return 0
        return self._find_after_pause(silence == IDLE)

    def look_again(self):
        """A language was woken: the bytes at `start` may mean something else now."""
        self._fresh = True
        self._searched = self.start + 1

    def drop(self, length):
        """The frame of `length` bytes at `start` is served."""
        self.start += length
        self._searched = self.start + 1
        if self.start >= self.fill:
            self._empty()

    def clear(self):
        """The line has been idle for long: what is left will never become a frame."""
        if self.fill > self.start:
            half = self._held() is not None
            self._diagnosis.count(TIMEOUTS if half else CRC_ERRORS, self._link)
        self._empty()

    def _empty(self):
        self.start = 0
        self.fill = 0
        self._boundary = 0

    def _step_over(self, length):
        self._diagnosis.count(UNKNOWN, self._link)
        self.drop(length)

    def _forget(self, start):
        """Give up what lies before `start`."""
        self._diagnosis.count(CRC_ERRORS, self._link)
        self.start = start
        self._searched = start + 1
        self._fresh = True

    def _move_to_front(self):
        start = self.start
        count = self.fill - start
        self._view[:count] = self._view[start : self.fill]  # byte by byte takes 10 ms
        self.fill = count
        self._boundary = max(0, self._boundary - start)
        self._searched = max(1, self._searched - start)
        self.start = 0

    def _held(self):
        """The language whose request for us seems to begin at `start`, or None."""
        for language in self.languages:
            if language.pending(self.buffer, self.start, self.fill):
                return language
        return None

    def _frame(self, at, only):
        """What the first language that knows the frame at `at` says of it; 0 if none does."""
        for index in range(len(self.languages)):
            language = self.languages[index]
            if only is None or language is only:
                length = language.frame(self.buffer, at, self.fill)
                self._effort += language.effort
                if length:
                    self.language = self.languages[index]  # serving.sleeping puts another there
                    return length
        return 0

    def _burst(self):
        for language in self.languages:
            length = language.burst(self.buffer, self.start, self.fill)
            if length:
                self.language = language
                return length
        return 0

    def _find_after_pause(self, idle):
        """Something other than a frame of known length is at `start`, and then came a pause."""
        first_look = self._searched == self.start + 1
        self._boundary = self.fill
        if first_look and not idle:
            length = self._burst()
            if length > 0:
                return length  # a function we do not know, or a known one of a wrong length
            if length < 0:
                self._step_over(-length)
                return 0
        held = self._held()
        if idle and held is not None:  # it will not be completed: now all languages are looked for
            held = None
            self._searched = self.start + 1
        effort = 0
        while self._searched < self.fill and effort < _EFFORT:
            at = self._searched
            effort += _EFFORT_POSITION
            if self.buffer[at] in self._firsts:
                self._effort = _EFFORT_CANDIDATE
                length = self._frame(at, held)
                effort += self._effort
                if length > 0:
                    self._forget(at)
                    return length
            self._searched += 1
        return 0
