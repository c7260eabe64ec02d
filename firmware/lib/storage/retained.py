"""What the fast path knew, in memory that survives a reset of the processor but not of its supply.

Goals: after a watchdog reset latched faults and a person's `gates off` stand again at once, even
those of the last second before it; and a firmware that resets again and again is noticed.

`memory` holds seven words, memory[0] to memory[6], each of at least 30 bits and each written in
one access: on an RP2040 the watchdog's scratch registers 0 to 3 and 5 to 7, which
`machine.mem_backup(-1)` gives as two views of 32-bit words. They take no single bytes: a narrow
write to a register repeats itself over the whole word (RP2040 data sheet 2.1.4).

    word  16 bits of content
    0-3   latched faults, lowest bit first (bms.faults)
    4     bits 0-7: the fault that came last, 255 if none; bit 8: a person switched the gates off;
          bit 9: the next reset is wanted
    5     watchdog resets: bits 0-7 age of the latest, 8-15 of the one before, in units of 3 s that
          the firmware ran; 200 (10 minutes) or more if there was none
    6     starts since power came

Bits 16 to 29 of a word check its content, with its place and this layout's version. So a reset
between two words leaves each old or new, which for independent faults is a state that was; a word
that was written byte by byte and torn (a board whose memory has no words) is recognized, and then
the gates stay off until a person allows them. Contents stay below 2**30, no heap objects.

`begin` once at start-up; the others from the fast or the slow path, one of them at a time: nothing
allocates. `store` costs about 0.3 ms on an RP2040 for each word that changed (estimated), and next
to nothing if none did.
"""

from array import array

WORDS = 7
NO_FAULT = 255

_LATCHED_WORDS = 4
_FLAGS = 4
_RESETS = 5
_STARTS = 6

_RESTRICTED = 0x100
_RESET_WANTED = 0x200

_LOOP = 3  # watchdog resets within ten minutes: the third finds two young ones
_UNIT_S = 3
_OLD = 200  # units: ten minutes

_EMPTY = (0, 0, 0, 0, NO_FAULT, _OLD << 8 | _OLD, 0)

_CONTENT = 0xFFFF
_CHECK_POLYNOMIAL = 0x0805  # CRC-14/DARC, ETSI EN 300 751: sees every burst of up to 14 bits
_CHECK_TOP_BIT = 13
_CHECK_MASK = 0x3FFF
_LAYOUT = 0x2CE1  # the check of an empty word begins with this; another layout takes another


class Retained:
    """As `begin` found them: latched (four words of 16 faults), restricted, last_fault (its bit or
    NO_FAULT), starts (since power came, with this one), boot_loop, watchdog_resets (in the last
    ten minutes, at most 3).
    known: whether the words were whole; False after power-on, or with another firmware's content.
    """

    def __init__(self, memory):
        self._memory = memory
        self._content = array("H", _EMPTY)  # what the memory holds
        self._seconds = 0
        self.known = False
        self.latched = array("H", [0] * _LATCHED_WORDS)
        self.restricted = False
        self.last_fault = NO_FAULT
        self.starts = 0
        self.boot_loop = False
        self.watchdog_resets = 0

    def begin(self, cause):
        """Read what is there and count this start; `cause` is the board's: "power_on" (nothing can
        be there), "watchdog" or "soft"."""
        whole = 0 if cause == "power_on" else self._read()
        self.known = whole == WORDS
        content = self._content
        for word in range(_LATCHED_WORDS):
            self.latched[word] = content[word]
        flags = content[_FLAGS]
        self.last_fault = flags & 0xFF
        # Some words whole and others not: a store was torn, and what it said is unknown (law 3).
        self.restricted = bool(flags & _RESTRICTED) or 0 < whole < WORDS
        self._count_reset(cause == "watchdog" and not flags & _RESET_WANTED)
        self.starts = min(content[_STARTS] + 1, _CONTENT)
        content[_FLAGS] = self.last_fault | (_RESTRICTED if self.restricted else 0)
        content[_STARTS] = self.starts
        for word in range(WORDS):
            self._write(word)

    def note_second(self):
        """A second passed in which the firmware ran."""
        self._seconds += 1
        if self._seconds < _UNIT_S:
            return
        self._seconds = 0
        latest = min((self._content[_RESETS] & 0xFF) + 1, _OLD)
        before = min((self._content[_RESETS] >> 8) + 1, _OLD)
        self._put(_RESETS, before << 8 | latest)

    def store(self, latched, restricted, last_fault):
        """Keep these over a reset: four words of 16 faults, a bool, a bit of a fault or NO_FAULT.
        Writes only what changed."""
        for word in range(_LATCHED_WORDS):
            self._put(word, latched[word])
        self._put(_FLAGS, last_fault | (_RESTRICTED if restricted else 0))

    def expect_reset(self):
        """The firmware is about to reset the processor itself: on an RP2040 that looks like the
        watchdog, and must not count as a failure. Nothing may be stored after it."""
        self._put(_FLAGS, self._content[_FLAGS] | _RESET_WANTED)

    def _read(self):
        """Take every word that is whole; the others stay empty. Returns how many are whole."""
        whole = 0
        for word in range(WORDS):
            value = self._memory[word]
            content = value & _CONTENT
            if value >> 16 == _check(word, content):
                self._content[word] = content
                whole += 1
        return whole

    def _count_reset(self, failed):
        ages = self._content[_RESETS]
        latest = ages & 0xFF
        self.watchdog_resets = (latest < _OLD) + (ages >> 8 < _OLD)
        if failed:
            self.watchdog_resets += 1
            self._content[_RESETS] = latest << 8
        self.boot_loop = failed and self.watchdog_resets == _LOOP

    def _put(self, word, content):
        if self._content[word] != content:
            self._content[word] = content
            self._write(word)

    def _write(self, word):
        content = self._content[word]
        self._memory[word] = _check(word, content) << 16 | content


def _check(word, content):
    """14 bits that fit to these 16 bits at this place."""
    check = _LAYOUT ^ word
    for bit in range(15, -1, -1):
        out = (check >> _CHECK_TOP_BIT ^ content >> bit) & 1
        check = check << 1 & _CHECK_MASK
        if out:
            check ^= _CHECK_POLYNOMIAL
    return check
