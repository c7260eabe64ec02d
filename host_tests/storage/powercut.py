"""MicroPython script: cuts the power at every write of a save, on a real littlefs.

A flash chip in RAM loses power at its n-th program or erase: that one happens in part, none
after it. The image is then mounted anew, as after a restart, and must hold the old or the new
settings, and accept another save. Prints one line with the number of cuts; any failure raises.
Run with MICROPYPATH=firmware/lib and the repository (see test_powercut.py).
"""

import vfs

from bms.parameters import Parameters
from host_tests.storage.flash import PROGRAM_BYTES, Flash, cut_points, mount
from storage.configuration import Configuration, ConfigurationError

PACK = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 100000}
DELAYS = (
    "cell_overvoltage",
    "cell_undervoltage",
    "overcurrent_charge",
    "overcurrent_discharge",
    "overtemperature_charge",
    "overtemperature_discharge",
    "undertemperature_charge",
    "undertemperature_discharge",
    "stack_mismatch",
)
OLD = {"modbus_address": 11, "charge_cell_mv": 3480, "access_code": 111}
NEW = {"modbus_address": 22, "charge_cell_mv": 3490, "access_code": 222}
NEXT = {"modbus_address": 33, "charge_cell_mv": 3500, "access_code": 333}


def long_settings(delay_ms):
    """Enough settings that littlefs keeps the file apart from its directory (over 512 bytes)."""
    settings = {}
    for protection in DELAYS:
        settings[protection + "_delay_ms"] = delay_ms
        settings[protection + "_release_delay_ms"] = delay_ms + 1
    return settings


def settings_in(flash):
    """What a restart comes up with: (configuration, parameters)."""
    mount(flash)
    parameters = Parameters()
    configuration = Configuration("/flash")
    configuration.load(parameters)
    return configuration, parameters


def save(configuration, parameters, changes):
    settings = dict(PACK)
    settings.update(changes)
    parameters.load(settings)
    configuration.save(parameters)


def holds(parameters, changes):
    return all(parameters.value(name) == changes[name] for name in changes)


def image_with(*batches):
    """A flash image after these saves."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
    configuration, parameters = settings_in(flash)
    for changes in batches:
        save(configuration, parameters, changes)
    vfs.umount("/flash")
    return flash.image


def cut(image, new, at, portion, journal=None):
    """Lose the power at write `at` of saving `new`. Returns the image after it, and whether the
    save had ended before."""
    flash = Flash(image)
    configuration, parameters = settings_in(flash)
    flash.writes = 0
    flash.journal = journal
    flash.cut_at = at
    flash.portion = portion
    try:
        save(configuration, parameters, new)
        ended = at is None or flash.writes < at
    except ConfigurationError:
        ended = False
    vfs.umount("/flash")
    return flash.image, ended


def check(before, old, new):
    """Cut saving `new` on the image `before` at every write; `old` are its settings, or None."""
    cuts = 0
    outcomes = set()
    journal = []
    cut(before, new, None, 0, journal)
    for at, portion in cut_points(journal):
        image, ended = cut(before, new, at, portion)
        configuration, parameters = settings_in(Flash(image))
        if configuration.loaded and holds(parameters, new):
            outcomes.add("new")
        elif configuration.loaded and old is not None and holds(parameters, old):
            outcomes.add("old")
        elif old is None and not configuration.loaded:
            outcomes.add("none")
        else:
            raise AssertionError("cut %d: %s" % (at, configuration.problems))
        if configuration.loaded and configuration.problems:
            raise AssertionError("cut %d: %s" % (at, configuration.problems))
        save(configuration, parameters, NEXT)
        vfs.umount("/flash")
        cuts += not ended
    if outcomes != {"new", "none" if old is None else "old"}:
        raise AssertionError("the cuts did not meet both outcomes: %s" % outcomes)
    return cuts


LONG_OLD = long_settings(1000)
LONG_NEW = long_settings(2000)

for name, cuts in (
    ("the first save", check(image_with(), None, NEW)),
    ("the second", check(image_with(OLD), OLD, NEW)),
    ("the third", check(image_with(NEXT, OLD), OLD, NEW)),
    # Many saves, so that littlefs has metadata to move.
    ("a later one", check(image_with(*([NEXT, OLD] * 20)), OLD, NEW)),
    ("a long one", check(image_with(NEXT, LONG_OLD), LONG_OLD, LONG_NEW)),
    ("a later long one", check(image_with(*([LONG_NEW, LONG_OLD] * 20)), LONG_OLD, LONG_NEW)),
):
    print("%s: %d cuts" % (name, cuts))
