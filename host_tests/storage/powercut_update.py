"""MicroPython script: cuts the power at every write of an update, from its first file to its last.

A littlefs at the root holds boot.py, update.py, a board and the application in /slot_a. The new
version is written into /slot_b with its digests, then put on trial by one rename as
tools/cellsteward/on_board.py does, started, and confirmed; once more it is started and does not
last. After each cut the board starts twice: it must load its board, drive the gates off, and
choose an application that is whole, old or new. Prints one line for each case, with its number of
cuts; any failure raises.
Run with MICROPYPATH=firmware/lib and the repository (see test_powercut.py).
"""

import hashlib
import os
import sys

import vfs

from host_tests.storage.flash import PROGRAM_BYTES, Flash, cut_images, mount

BOARD = """
class Board:
    gates = None
    def gates_off(self):
        self.gates = "off"
    def maintenance_requested(self):
        return False
board = Board()
"""
OLD = "VERSION = 'old'\n" + "# the old one's code\n" * 60
NEW = "VERSION = 'new'\n" + "# what was mended\n" * 90
HELPER = "TABLE = (%s)\n" % ", ".join("%d" % at for at in range(500))
SOURCES = {}
for source in ("boot.py", "update.py"):
    with open("firmware/" + source) as text:
        SOURCES[source] = text.read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def digest(text):
    return "".join(["%02x" % byte for byte in hashlib.sha256(text.encode()).digest()])


def install_old():
    for folder in ("/boards", "/boards/cut", "/slot_a"):
        os.mkdir(folder)
    write("/boards/cut/board.py", BOARD)
    for name, text in SOURCES.items():
        write("/" + name, text)
    write("/slot_a/app.py", OLD)
    write("/slot", "slot_a")


def write_new():
    """What an installer does while the old version is in /slot_a."""
    for folder in ("/slot_b", "/slot_b/lib"):
        os.mkdir(folder)
    write("/slot_b/app.py", NEW)
    write("/slot_b/lib/helper.py", HELPER)
    write(
        "/slot_b/digests",
        "%s app.py\n%s lib/helper.py\n" % (digest(NEW), digest(HELPER)),
    )
    write("/trial_new", "slot_b")
    os.rename("/trial_new", "/trial")


def start():
    """boot.py as MicroPython runs it: the folder that it chose, and whether that is on trial."""
    for name in [name for name in sys.modules if name.startswith(("boards", "update"))]:
        del sys.modules[name]
    sys.path[:] = ["", ".frozen"]
    names = {"__name__": "boot"}
    exec(read("/boot.py"), names)
    assert names["board"].gates == "off"
    return names["slot"], names["trial"]


class Turns:
    """Stands in for asyncio: a sleep is a turn of whoever drives the coroutine."""

    @staticmethod
    def sleep(duration_s):
        yield duration_s

    class Event:
        def wait(self):
            yield


def confirm():
    """Let the minute of the trial pass."""
    import update

    update.asyncio = Turns
    minute = update.confirm()
    next(minute)
    next(minute)


def whole(slot):
    """Which version a chosen slot holds; raises if it is not whole."""
    text = read(slot + "/app.py")
    if slot == "/slot_b":
        assert text == NEW and read("/slot_b/lib/helper.py") == HELPER
        return "new"
    assert slot == "/slot_a" and text == OLD, slot
    return "old"


def at_root(flash, work):
    """Do something with a flash mounted at the root, as on a board."""
    vfs.umount("/")
    mount(flash, "/")
    os.chdir("/")
    return work()


def lasting_update():
    write_new()
    slot, trial = start()
    assert (slot, trial) == ("/slot_b", "/slot_b"), (slot, trial)
    confirm()


def failing_update():
    write_new()
    start()
    assert start() == ("/slot_a", None)


def two_starts():
    first, trial = start()
    version = whole(first)
    if trial:  # it did not last: power went
        second, trial = start()
        assert trial is None
        assert whole(second) == "old", second
        return version + " on trial"
    assert start() == (first, None)
    return version


def check(update, expected):
    flash = Flash(blocks=24)
    vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
    at_root(flash, install_old)
    before = bytes(flash.image)
    flash.journal = []
    at_root(flash, update)
    outcomes = set()
    cuts = 0
    for _, image in cut_images(before, flash.journal):
        cuts += 1
        outcomes.add(at_root(Flash(image), two_starts))
    assert outcomes == expected, outcomes
    return cuts


for name, cuts in (
    ("an update that lasts", check(lasting_update, {"old", "new on trial", "new"})),
    ("an update that does not", check(failing_update, {"old", "new on trial"})),
):
    print("%s: %d cuts" % (name, cuts))
