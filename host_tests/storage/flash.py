"""MicroPython: a flash chip in RAM that counts what is written to it, and can lose its power.

A script that cuts the power takes one number on its command line: how many bytes lie between two
of the places at which a write is torn; without it each write is torn at one place.
"""

import errno
import sys

import vfs

BLOCK_BYTES = 4096  # as the RP2040's flash: erased by 4096
PROGRAM_BYTES = 256  # and programmed by 256
BLANK = b"\xff" * BLOCK_BYTES


def portions(size):
    """How much of a write of so many bytes still happens at a cut: nothing, parts, all of it."""
    if len(sys.argv) < 2:
        return [0, min(100, size), size]
    return list(range(0, size, int(sys.argv[1]))) + [size]


def cut_points(journal):
    """Yield (number of the write, from 1, bytes of it that still happen) for every cut of what
    made this journal; at last a number behind them all."""
    for number, (_, data) in enumerate(journal):
        for portion in portions(len(data)):
            yield number + 1, portion
    yield len(journal) + 1, 0


class Flash:
    """A block device (extended interface)."""

    def __init__(self, image=None, blocks=12):
        self.image = bytearray(image or BLANK * blocks)
        self.writes = 0  # programs and erases since power came
        self.erases = 0
        self.cut_at = None  # the write that the power is lost in
        self.portion = 0  # bytes of that write that still happen
        self.dead = False
        self.journal = None  # a list: takes (place, bytes) of every write

    def readblocks(self, block, buffer, offset=0):
        if self.dead:
            return -errno.EIO
        start = block * BLOCK_BYTES + offset
        buffer[:] = self.image[start : start + len(buffer)]
        return 0

    def writeblocks(self, block, buffer, offset=0):
        return self._write(block * BLOCK_BYTES + offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.image) // BLOCK_BYTES
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self.erases += 1
            return self._write(argument * BLOCK_BYTES, BLANK)
        return 0

    def _write(self, start, data):
        if self.dead:
            return -errno.EIO
        self.writes += 1
        self.dead = self.writes == self.cut_at
        if self.journal is not None:
            self.journal.append((start, bytes(data)))
        count = min(len(data), self.portion) if self.dead else len(data)
        self.image[start : start + count] = data[:count]
        return -errno.EIO if self.dead else 0


def cut_images(image, journal, part=0, parts=1):
    """Yield (number of the write, image) for a power cut in each of a journal's writes, or in one
    of so many parts of them; the image is what was there before the first."""
    before = bytearray(image)
    for number, (start, data) in enumerate(journal):
        if number % parts == part:
            for portion in portions(len(data)):
                after = bytearray(before)
                after[start : start + portion] = data[:portion]
                yield number, after
        before[start : start + len(data)] = data


def mount(flash, place="/flash"):
    """Mount it, as a restart does."""
    vfs.mount(vfs.VfsLfs2(flash, progsize=PROGRAM_BYTES), place)
