"""MicroPython script: cuts the power at every write of any file pair of storage.slots.

What is kept about a pack beside its settings and state, at its real size: estimates, health, and
a table like that of a calibration; and a pair of which one file is a newer firmware's. After each
cut the old or the new values must be there, and the next write must work. Prints one line for each
case, with its number of cuts; any failure raises.
Run with MICROPYPATH=firmware/lib and the repository (see test_powercut.py).
"""

import os

import vfs

from host_tests.storage.flash import PROGRAM_BYTES, Flash, cut_images, mount
from storage.slots import Slots

CELLS = 16
NEWER = '{"format": 2, "sequence": 9, "kept": [], "signature": "what nobody knows yet"}'


def estimates(add):
    values = {"soc_bp": 5000 + add, "soc_sigma_bp": 150 + add, "full_age_s": 86400 + add}
    for cell in range(CELLS):
        values["imbalance_%d_mah" % cell] = add - 100 * cell
        values["imbalance_%d_sigma_bp" % cell] = 40 + add
    return values


def health(add):
    return {"k%d" % at: 123456 + add + at for at in range(8 + 2 * CELLS)}


def gains(add):
    return {"cell_%d_gain_ppm" % cell: 1000000 + add + cell for cell in range(CELLS)}


def new_flash(stem, write):
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
    mount(flash)
    write(Slots("/flash", stem, "kept"))
    vfs.umount("/flash")
    return flash


def values_in(slots):
    found = slots.read()
    return found[0][1] if found else None


def write_all(slots, *batches):
    for values in batches:
        problem = slots.write(values)
        assert problem is None, problem


def newer_file(slots):
    """A pair of which the second file is of a newer firmware."""
    write_all(slots, gains(1))
    with open("/flash/gains_b.json", "w") as file:
        file.write(NEWER)


def check(stem, write, old, new):
    """Cut writing `new` over what `write` left, of which `old` is read."""
    flash = new_flash(stem, write)
    before = bytes(flash.image)
    mount(flash)
    slots = Slots("/flash", stem, "kept")
    assert values_in(slots) == old
    flash.journal = []
    write_all(slots, new)
    vfs.umount("/flash")
    outcomes = set()
    cuts = 0
    for number, image in cut_images(before, flash.journal):
        cuts += 1
        mount(Flash(image))
        slots = Slots("/flash", stem, "kept")
        values = values_in(slots)
        assert values in (old, new), (stem, number, values)
        outcomes.add(values == new)
        if "gains_b.json" in os.listdir("/flash") and slots.problems:
            assert "newer firmware" in slots.problems[0], slots.problems
        else:
            assert not slots.problems, slots.problems
        if write == newer_file:
            kept = [name for name in os.listdir("/flash") if name.startswith("gains_b")]
            texts = [open("/flash/" + name).read() for name in kept]
            assert NEWER in texts, (number, kept)
        write_all(slots, old or {})
        assert values_in(slots) == (old or {})
        vfs.umount("/flash")
    assert outcomes == {False, True}, (stem, outcomes)
    return cuts


def nothing(slots):
    pass


def pair(make, times=1):
    def write(slots):
        for _ in range(times):
            write_all(slots, make(2), make(1))

    return write


for name, cuts in (
    ("the first estimates", check("estimates", nothing, None, estimates(3))),
    ("later estimates", check("estimates", pair(estimates), estimates(1), estimates(3))),
    ("estimates after many", check("estimates", pair(estimates, 30), estimates(1), estimates(3))),
    ("health", check("health", pair(health), health(1), health(3))),
    ("a first calibration", check("gains", nothing, None, gains(3))),
    ("a later calibration", check("gains", pair(gains, 10), gains(1), gains(3))),
    ("beside a newer firmware's", check("gains", newer_file, gains(1), gains(3))),
):
    print("%s: %d cuts" % (name, cuts))
