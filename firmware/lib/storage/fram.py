"""Named whole numbers in an FRAM on I2C, with the calls of storage.slots: no wear, no stall.

For FM24CL64B (8 KB, Cypress 001-84458) and MB85RC256V (32 KB, Fujitsu): two address bytes, and
what is written is there with the acknowledge of its byte, so that nothing waits. A byte bears
10^12 writes at least: one a second for 30,000 years.

Each kind of values has two slots that take turns. A slot is one byte that says whether it is
whole, its length (two bytes, lowest first), and the text of a file of storage.slots without its
spaces. A write takes the first byte away, writes the rest, and puts the byte back: one byte is old
or new, so a power cut anywhere leaves the slot whole or not there, and the other one untouched.

A board that gets an FRAM goes on from its files; the first write to the FRAM removes them, so that
a board that loses its FRAM later knows nothing about its pack (law 3) instead of something old.

Loaded only where a board declares an FRAM. Coroutines and start-up code only. A piece on the bus
takes 0.9 ms at 400 kHz, between two of them the fast path runs: the current sensor's bus may be
shared.
"""

import os

from bms.table import give_back
from storage.slots import SUFFIXES, checksum, inside

# Where the two slots of a kind begin, and how long one is: 8 KB in all.
PLACES = {"state": (0, 1024), "estimates": (2048, 3072)}

_ADDRESS_BITS = 16
_PIECE = 32  # bytes in one transfer
_HEAD = 3
_CHECKED = 40  # bytes that are read back, as far as behind the sequence number
_GONE = 0x00
_WHOLE = 0xA5


class FramSlots:
    """Of `stem` in the FRAM `memory` (I2C bus and address); `section` is the key of the values.

    files: the pair of storage.slots that an FRAM takes the place of. problems, kept: as there.
    """

    def __init__(self, memory, directory, stem, section, files):
        self._bus, self._address = memory
        self._stem = inside(directory, stem)
        self._name = stem
        self._section = section
        self._start, self._size = PLACES[stem]
        self._files = files
        self._sequences = [0, 0]  # of each slot; 0: not there, or damaged
        self.problems = []
        self.kept = 1

    def read(self):
        """The values of both slots, [(slot, values)], newest first, or those of the files where
        the FRAM is new. Never raises: see `problems`."""
        self.problems = []
        found = []
        for slot in range(2):
            content, reason = self._content(slot)
            if reason:
                self.refuse(slot, reason)
            found.append(content)
        self._sequences = [content[0] if content else 0 for content in found]
        newest = 1 if self._sequences[1] > self._sequences[0] else 0
        self.kept = newest if found[newest] else 1
        order = (newest, 1 - newest)
        pairs = [(slot, found[slot][1]) for slot in order if self._sequences[slot] > 0]
        if pairs or self.problems:
            return pairs
        pairs = self._files.read()
        self.problems = self._files.problems
        return pairs

    def write(self, values):
        """Put `values` into the slot that is not kept, and keep it. Returns what went wrong, as
        words, or None."""
        sequence = max(0, *self._sequences) + 1
        slot = 1 - self.kept
        text = _text(sequence, self._section, values)
        if _HEAD + len(text) > self._size:
            return "the FRAM has no room for '%s' (%d bytes)" % (self._name, len(text))
        start = self._start + slot * self._size
        head = bytes((_WHOLE, len(text) & 0xFF, len(text) >> 8))
        try:
            self._put(start, bytes((_GONE,)))
            self._put(start + 1, head[1:])
            for at in range(0, len(text), _PIECE):
                self._put(start + _HEAD + at, text[at : at + _PIECE])
            self._put(start, head[:1])
            # Write-protected, or no FRAM at all: then what it says now is not that.
            if self._get(start, _CHECKED) != (head + text)[:_CHECKED]:
                return "the FRAM did not keep what was written: check its WP pin, or replace it"
        except OSError as problem:
            return "the FRAM does not answer (%s): check its supply and wires" % problem
        self._sequences[slot] = sequence
        self.kept = slot
        self._remove_files()
        return None

    def name(self, slot):
        """What a slot is called in sentences."""
        return "'%s' %s in the FRAM" % (self._name, "ab"[slot])

    def refuse(self, slot, reason):
        """Note a problem with a slot."""
        self.problems.append("%s %s" % (self.name(slot), reason))

    def _content(self, slot):
        """As storage.slot_reading.content, of a slot."""
        start = self._start + slot * self._size
        try:
            head = self._get(start, _HEAD)
            size = head[1] | head[2] << 8
            if head[0] != _WHOLE:
                return None, None  # it is new, or the power went in a write
            if _HEAD + size > self._size:
                return None, "is damaged: its length is"
            text = b"".join(
                [
                    self._get(start + _HEAD + at, min(_PIECE, size - at))
                    for at in range(0, size, _PIECE)
                ]
            )
        except OSError as problem:
            return None, "can not be read (%s): check its supply and wires" % problem
        from storage import slot_reading

        give_back("storage.slot_reading")
        return slot_reading.parsed(text, self._section)

    def _get(self, at, count):
        buffer = bytearray(count)
        self._bus.readfrom_mem_into(self._address, at, buffer, addrsize=_ADDRESS_BITS)
        return bytes(buffer)

    def _put(self, at, data):
        self._bus.writeto_mem(self._address, at, data, addrsize=_ADDRESS_BITS)

    def _remove_files(self):
        """What the FRAM holds from now on must not be in files that grow old."""
        for suffix in SUFFIXES:
            try:
                os.remove(self._stem + suffix)
            except OSError:
                continue  # it is not there


def _text(sequence, section, values):
    pairs = ",".join(['"%s":%d' % (name, values[name]) for name in sorted(values)])
    return (
        '{"format":1,"sequence":%d,"%s":{%s},"crc32":"%s"}'
        % (sequence, section, pairs, checksum(sequence, values))
    ).encode()
