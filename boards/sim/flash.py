"""The simulated board's flash: littlefs on a block device that lives in a file of the host.

Every block write goes through to the file, so that a run that ends anywhere leaves what a board
would find after a power cut. What a sector erase or a page costs, and whether it fails, is for
`outside` to say. What is written is counted, for docs/storage.md.
"""

import os
from array import array

import vfs

_BLOCK = 4096  # RP2040 boards: one flash sector
_BLOCKS = 352  # the 1408 KB that stock MicroPython leaves for files on a Pico

_COUNT_BLOCKS = 4
_BLOCK_SIZE = 5
_ERASE = 6
_EIO = 5
_BLANK = b"\xff" * _BLOCK


class Flash:
    """A block device (MicroPython's extended interface) over a file; made if it is missing.

    outside: None, or whose `flash_erases()` and `flash_programs(size)` are called before it
    happens, and may raise OSError; and whose `flash_cut()` is called once the power is lost.
    erases: of each block. writes: programs and erases since the start. cut_at: the write, counted
    like these, in which the power is lost (0: none); cut_bytes: of that one, what still happens.
    """

    def __init__(self, path):
        self.outside = None
        self.erases = array("H", [0] * _BLOCKS)
        self.writes = 0
        self.cut_at = 0
        self.cut_bytes = 0
        self._dead = False
        self.fresh = not _is_file(path)
        if self.fresh:
            with open(path, "wb") as image:
                for _ in range(_BLOCKS):
                    image.write(_BLANK)
        self._image = open(path, "r+b")

    def readblocks(self, block, buffer, offset=0):
        """Read part of a block, or several."""
        self._image.seek(block * _BLOCK + offset)
        self._image.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        """Write part of a block, or several."""
        try:
            if self.outside:
                self.outside.flash_programs(len(buffer))
        except OSError as failure:
            return -failure.errno  # raised through littlefs' C code it would tear its lists
        return self._write(block * _BLOCK + offset, buffer)

    def ioctl(self, operation, argument):
        """Size of the device, an erase, and "yes" to everything else."""
        if operation == _COUNT_BLOCKS:
            return _BLOCKS
        if operation == _BLOCK_SIZE:
            return _BLOCK
        if operation != _ERASE:
            return 0
        try:
            if self.outside:
                self.outside.flash_erases()
        except OSError as failure:
            return -failure.errno
        self.erases[argument] += 1
        return self._write(argument * _BLOCK, _BLANK)

    def _write(self, start, data):
        if self._dead:
            return -_EIO
        self.writes += 1
        if self.writes == self.cut_at:
            self._dead = True
            data = memoryview(data)[: self.cut_bytes]
            self.outside.flash_cut()
        self._image.seek(start)
        self._image.write(data)
        self._image.flush()
        return -_EIO if self._dead else 0


def mount_files(path):
    """The littlefs in that file at the root, empty if the file is new; the host's files are under
    /host. Returns the flash."""
    flash = Flash(path)
    if flash.fresh:
        vfs.VfsLfs2.mkfs(flash)
    host = vfs.VfsPosix("/")
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(flash), "/")
    vfs.mount(host, "/host")
    return flash


def mount(path, repository):
    """Make the file system a simulated board has: `mount_files`, and the application in /slot_a.

    The application is the checkout's own `firmware` folder, unmodified. Returns the flash.
    """
    flash = mount_files(path)
    if flash.fresh:
        os.mkdir("/boards")
        os.mkdir("/boards/sim")
        os.mkdir("/slot_a")
    vfs.mount(vfs.VfsPosix(repository + "/firmware"), "/slot_a")
    vfs.mount(vfs.VfsPosix(repository + "/boards/sim"), "/boards/sim")
    os.chdir("/")
    return flash


def _is_file(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True
