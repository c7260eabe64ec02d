"""The simulated board's flash: littlefs on a block device that lives in a file of the host.

Every block write goes through to the file, so that a run that ends anywhere leaves what a board
would find after a power cut. What a sector erase or a page costs, and whether it fails, is for
`outside` to say.
"""

import os

import vfs

_BLOCK = 4096  # RP2040 boards: one flash sector
_BLOCKS = 352  # the 1408 KB that stock MicroPython leaves for files on a Pico

_COUNT_BLOCKS = 4
_BLOCK_SIZE = 5
_ERASE = 6


class Flash:
    """A block device (MicroPython's extended interface) over a file; made if it is missing.

    outside: None, or whose `flash_erases()` and `flash_programs(size)` are called before it
    happens, and may raise OSError.
    """

    def __init__(self, path):
        self.outside = None
        self.fresh = not _is_file(path)
        if self.fresh:
            with open(path, "wb") as image:
                blank = b"\xff" * _BLOCK
                for _ in range(_BLOCKS):
                    image.write(blank)
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
        self._image.seek(block * _BLOCK + offset)
        self._image.write(buffer)
        self._image.flush()
        return 0

    def ioctl(self, operation, _argument):
        """Size of the device, and "yes" to everything else."""
        if operation == _COUNT_BLOCKS:
            return _BLOCKS
        if operation == _BLOCK_SIZE:
            return _BLOCK
        try:
            if operation == _ERASE and self.outside:
                self.outside.flash_erases()
        except OSError as failure:
            return -failure.errno
        return 0


def mount(path, repository):
    """Make the file system a board has: littlefs at the root, the application in /slot_a.

    The application is the checkout's own `firmware` folder, unmodified; the host's files are
    under /host. Returns the flash.
    """
    flash = Flash(path)
    if flash.fresh:
        vfs.VfsLfs2.mkfs(flash)
    host = vfs.VfsPosix("/")
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(flash), "/")
    if flash.fresh:
        os.mkdir("/boards")
        os.mkdir("/boards/sim")
        os.mkdir("/slot_a")
    vfs.mount(vfs.VfsPosix(repository + "/firmware"), "/slot_a")
    vfs.mount(vfs.VfsPosix(repository + "/boards/sim"), "/boards/sim")
    vfs.mount(host, "/host")
    os.chdir("/")
    return flash


def _is_file(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True
