"""MicroPython script: cuts the power at every write of a calibration, on a real littlefs.

As powercut_slots.py, for storage.calibration itself: the old or the new corrections, never none
and never a mix. Prints one line with the number of cuts; any failure raises.
"""

from array import array

import vfs

from host_tests.storage.flash import PROGRAM_BYTES, Flash, cut_images, mount
from storage.calibration import SavedCalibration

CELLS = 16
OLD = array("i", [100, -200, 6000, 30000] + [900, -900] * 8)
NEW = array("i", [-70, 300, -5500, -1200] + [-31, 32] * 8)
CHIP = 8123456


def saved_in(flash):
    """What a restart comes up with."""
    mount(flash)
    saved = SavedCalibration("/flash", CELLS)
    saved.load()
    return saved


flash = Flash()
vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
saved = saved_in(flash)
saved.save(NEW, CHIP)
saved.save(OLD, CHIP)
vfs.umount("/flash")

before = bytes(flash.image)
saved = saved_in(flash)
flash.journal = []
saved.save(NEW, CHIP)
vfs.umount("/flash")
cuts = 0
outcomes = set()
for number, image in cut_images(before, flash.journal):
    cuts += 1
    saved = saved_in(Flash(image))
    assert not saved.problems, (number, saved.problems)
    assert saved.chip == CHIP, number
    assert saved.corrections in (OLD, NEW), (number, saved.corrections)
    outcomes.add(saved.corrections == NEW)
    vfs.umount("/flash")
assert outcomes == {False, True}
print("a calibration: %d cuts" % cuts)
