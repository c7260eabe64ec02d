"""MicroPython script: cuts the power at every write of the event log and of the saved state.

As powercut.py, on a real littlefs: a flash chip in RAM loses power at its n-th program or erase,
and the image is then mounted anew. Prints one line for each case, with its number of cuts; any
failure raises.
Run with MICROPYPATH=firmware/lib and the repository (see test_powercut.py).
"""

import os

import vfs

from bms.events import FAULT, Events
from host_tests.storage.flash import PROGRAM_BYTES, Flash, cut_points, mount
from storage.event_log import EventLog, EventLogError
from storage.state import NAMES, SavedState, StateError

KEPT = 681  # what the log promises to keep (storage.event_log)
LIMIT = 16

state_old = {name: 1000000 + place for place, name in enumerate(NAMES)}
state_new = {name: 2000000 + place for place, name in enumerate(NAMES)}


class Pack:
    """Posts events whose values are 1, 2, 3 ... and logs them; `safe`: how many are logged."""

    def __init__(self, flash, safe=0):
        mount(flash)
        self.log = EventLog("/flash/log")
        self.log.open()
        self.events = Events()
        self.posted = safe
        self.safe = safe

    def add(self, count):
        """Log this many events, a batch a call."""
        while count:
            batch = min(count, LIMIT)
            for _ in range(batch):
                self.posted += 1
                self.events.post(FAULT, 7, self.posted, self.posted)
            count -= batch
            while self.safe < self.posted:
                self.safe += self.log.append(self.events, LIMIT)

    def values(self):
        """The values in the log, oldest first, and the sequence numbers."""
        records = list(self.log.records(100000))
        records.reverse()
        for record in records:
            if record[3] == FAULT and (record[2] != record[5] or record[4] != 7):
                raise AssertionError("a mix: %s" % (record,))
        values = [record[5] for record in records if record[3] == FAULT]
        return values, [record[0] for record in records]


def image_with(*counts):
    """A flash image after boots that logged so many events each; and how many those are."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
    safe = 0
    for count in counts:
        pack = Pack(flash, safe)
        pack.log.append_boot(0)
        pack.add(count)
        safe = pack.safe
        vfs.umount("/flash")
    return flash.image, safe


def cut(image, safe, count, at, portion, journal=None):
    """Lose the power at write `at` of a boot that logs `count` events.

    Returns the image, how many events are safe, the boot's number, and whether all was over."""
    flash = Flash(image)
    pack = Pack(flash, safe)
    flash.journal = journal
    flash.writes = 0
    flash.cut_at = at
    flash.portion = portion
    ended = False
    try:
        pack.log.append_boot(1)
        pack.add(count)
        ended = at is None or flash.writes < at
    except EventLogError:
        if pack.log.last_sequence and not flash.dead:
            raise
    vfs.umount("/flash")
    return flash.image, pack, ended


def check_after(image, before):
    """What a restart finds must be what was safe, and perhaps more of what was posted."""
    pack = Pack(Flash(image), before.posted)
    values, sequences = pack.values()
    while values and values[-1] > before.safe:
        if values.pop() > before.posted:
            raise AssertionError("never posted")
    if len(sequences) < min(before.safe, KEPT):
        raise AssertionError("%d of %d events are left" % (len(sequences), before.safe))
    if values != list(range(before.safe - len(values) + 1, before.safe + 1)):
        raise AssertionError("lost: %s" % values)
    for place in range(1, len(sequences)):
        if sequences[place] <= sequences[place - 1]:
            raise AssertionError("sequence numbers: %s" % sequences)
    if pack.log.problems:
        raise AssertionError(pack.log.problems)
    if sequences and pack.log.boot < before.log.boot:
        raise AssertionError("boot %d after %d" % (pack.log.boot, before.log.boot))
    pack.log.append_boot(1)
    pack.add(3)
    values, later = pack.values()
    if values[-3:] != [before.posted + 1, before.posted + 2, before.posted + 3]:
        raise AssertionError("logging does not go on: %s" % values[-9:])
    if sequences and later[-4] <= sequences[-1]:
        raise AssertionError("a number was used twice: %s" % later[-9:])
    vfs.umount("/flash")


def check_log(counts, count):
    """Cut a boot that logs `count` events, on a log with `counts`, at every write."""
    image, safe = image_with(*counts)
    cuts = 0
    journal = []
    cut(image, safe, count, None, 0, journal)
    for at, portion in cut_points(journal):
        after, pack, ended = cut(image, safe, count, at, portion)
        check_after(after, pack)
        cuts += not ended
    return cuts


def save_state(image, at, portion, journal=None):
    """Lose the power at write `at` of saving the new state. Returns the image, and whether that
    had ended before."""
    flash = Flash(image)
    mount(flash)
    saved = SavedState("/flash")
    saved.load()
    flash.journal = journal
    flash.writes = 0
    flash.cut_at = at
    flash.portion = portion
    try:
        saved.update(state_new)
        ended = at is None or flash.writes < at
    except StateError:
        ended = False
    vfs.umount("/flash")
    return flash.image, ended


def check_state(first):
    """Cut saving the new state over the old (or over none, if `first`) at every write."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
    mount(flash)
    if not first:
        saved = SavedState("/flash")
        for changes in (state_new, state_old) * 6:
            saved.update(changes)
    vfs.umount("/flash")
    image = flash.image
    cuts = 0
    outcomes = set()
    journal = []
    save_state(image, None, 0, journal)
    for at, portion in cut_points(journal):
        after, ended = save_state(image, at, portion)
        mount(Flash(after))
        saved = SavedState("/flash")
        known = saved.load()
        values = {name: saved.get(name, 0) for name in NAMES}
        if known and saved.problems:
            raise AssertionError("cut %d: %s" % (at, saved.problems))
        if values == state_new:
            outcomes.add("new")
        elif (not first and values == state_old) or (first and not known):
            outcomes.add("old")
        else:
            raise AssertionError("cut %d: %s" % (at, values))
        saved.update({"undervoltage_rebounds": 3})
        vfs.umount("/flash")
        cuts += not ended
    if len(outcomes) != 2:
        raise AssertionError("the cuts did not meet both outcomes: %s" % outcomes)
    return cuts


def check_full():
    """A full flash is an error with advice; when there is room again nothing is missing."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
    pack = Pack(flash)
    pack.add(100)
    filler = open("/flash/filler", "wb")
    try:
        while True:
            filler.write(bytes(512))
            filler.flush()
    except OSError:
        filler.close()
    refused = 0
    for _ in range(60):
        for _ in range(8):
            pack.posted += 1
            pack.events.post(FAULT, 7, pack.posted, pack.posted)
        try:
            pack.log.append(pack.events, LIMIT)
        except EventLogError as problem:
            refused += 1
            if "free some space" not in str(problem):
                raise
    if not refused:
        raise AssertionError("the flash was not full")
    os.remove("/flash/filler")
    while pack.log.append(pack.events, LIMIT):
        pass
    values, _ = pack.values()
    lost = sum(record[5] for record in pack.log.records(1000) if record[3] == 9)
    if lost != pack.events.lost or len(values) + lost != pack.posted:
        raise AssertionError("%d + %d of %d" % (len(values), lost, pack.posted))
    vfs.umount("/flash")
    return refused


for name, times in (
    ("the first boot", check_log((), 20)),
    ("a later boot", check_log((5, 5, 5), 20)),
    ("from one file to the next", check_log((220,), 40)),
    ("the oldest file is replaced", check_log((300, 300, 298), 40)),
    ("long after", check_log((900, 900, 200), 20)),
    ("the first state", check_state(True)),
    ("a later state", check_state(False)),
    ("writes refused by a full flash", check_full()),
):
    print("%s: %d" % (name, times))
