"""MicroPython: a flash chip in RAM that counts what is written to it, and can lose its power."""

import errno

import vfs

BLOCK_BYTES = 4096  # as the RP2040's flash: erased by 4096
PROGRAM_BYTES = 256  # and programmed by 256
BLANK = b"\xff" * BLOCK_BYTES

# How much of the write at a cut still happens: none, a part, all.
PORTIONS = (0, 100, BLOCK_BYTES)


class Flash:
    """A block device (extended interface)."""

    def __init__(self, image=None, blocks=12):
        self.image = bytearray(image or BLANK * blocks)
        self.writes = 0  # programs and erases since power came
        self.erases = 0
        self.cut_at = None  # the write that the power is lost in
        self.portion = 0  # bytes of that write that still happen
        self.dead = False

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
        count = min(len(data), self.portion) if self.dead else len(data)
        self.image[start : start + count] = data[:count]
        return -errno.EIO if self.dead else 0


def mount(flash):
    """Mount it as /flash, as a restart does."""
    vfs.mount(vfs.VfsLfs2(flash, progsize=PROGRAM_BYTES), "/flash")
