"""MicroPython script: counts what the storage writes to a real littlefs.

Prints one line for each kind of write: its name, how often it was done, and programs, erases, most
erases in one write, and blocks in use at the end.
Run with MICROPYPATH=firmware/lib and the repository (see test_event_log.py).
"""

import os

import vfs

from bms.events import FAULT, Events
from host_tests.storage.flash import BLOCK_BYTES, PROGRAM_BYTES, Flash, mount
from storage.event_log import EventLog
from storage.state import NAMES, SavedState

WRITES = 600


def measure(name, write):
    """Call `write(number)` many times on an empty flash of its own."""
    flash = Flash(blocks=64)
    vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
    mount(flash)
    step = write()
    step(0)
    flash.erases = flash.writes = 0
    most = 0
    for number in range(1, WRITES + 1):
        before = flash.erases
        step(number)
        most = max(most, flash.erases - before)
    status = os.statvfs("/flash")
    vfs.umount("/flash")
    used = status[2] - status[3]
    assert status[0] == BLOCK_BYTES
    print(name, WRITES, flash.writes - flash.erases, flash.erases, most, used)


def batches_of(size):
    def start():
        log = EventLog("/flash/log")
        log.open()
        events = Events()

        def step(number):
            for code in range(size):
                events.post(FAULT, code, number, number)
            waiting = size
            while waiting:
                waiting -= log.append(events, 48)

        return step

    return start


def state():
    saved = SavedState("/flash")
    saved.load()

    def step(number):
        saved.update(dict.fromkeys(NAMES, 1000000000 + number))

    return step


measure("one_event", batches_of(1))
measure("eight_events", batches_of(8))
measure("forty_events", batches_of(40))
measure("state", state)
