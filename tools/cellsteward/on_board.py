"""What `cellsteward flash` does on the board itself: this file's text is sent there.

Runs on MicroPython, never on the computer; each call of `cellsteward.flash` is one function here.
Limits: littlefs, where renaming a file over another happens as a whole or not at all.
"""

import hashlib
import json
import os
import sys

_CHUNK = 512
_HOLD = "/maintenance"
_NEW = ".new"


def exists(path):
    """Whether a file or folder is there."""
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def is_folder(path):
    """Whether this is a folder."""
    return bool(os.stat(path)[0] & 0x4000)


def slot_in_use():
    """The slot that firmware/boot.py chooses, by its rule, or None."""
    try:
        with open("/slot", "rb") as choice:
            chosen = choice.read().strip()
    except OSError:
        chosen = b""
    for slot in (chosen, b"slot_a", b"slot_b"):
        if slot in (b"slot_a", b"slot_b"):
            name = slot.decode()
            if exists("/%s/app.py" % name) or exists("/%s/app.mpy" % name):
                return name
    return None


def inspect():
    """Print what is on the board, as JSON. Changes nothing."""
    boards = os.listdir("/boards") if exists("/boards") else []
    found = {
        "version": list(sys.implementation.version[:3]),
        "machine": sys.implementation._machine,
        "mpy": getattr(sys.implementation, "_mpy", 0) & 0xFF,
        "slot": slot_in_use(),
        "boards": [name for name in boards if name[0] not in "._"],
    }
    print(json.dumps(found))


def hold():
    """From the next start on: gates off, no watchdog, nothing runs."""
    with open(_HOLD, "w"):
        pass


def remove_tree(path):
    """Remove a folder and all that is in it."""
    for name in os.listdir(path):
        inner = path + "/" + name
        if is_folder(inner):
            remove_tree(inner)
        else:
            os.remove(inner)
    os.rmdir(path)


def empty(slot, folders):
    """Remove what was in a slot, then make `folders`, which may be there already."""
    if exists(slot):
        remove_tree(slot)
    for folder in folders:
        if not exists(folder):
            os.mkdir(folder)


def digest(path):
    """Print a file's SHA-256 and its path."""
    summed = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    with open(path, "rb") as stream:
        while True:
            count = stream.readinto(buffer)
            if not count:
                break
            summed.update(view[:count])
    print("".join(["%02x" % byte for byte in summed.digest()]), path)


def digests(folder, others):
    """Print the SHA-256 of every file in `folder` and of `others`."""
    for name in sorted(os.listdir(folder)):
        path = folder + "/" + name
        if is_folder(path):
            digests(path, ())
        else:
            digest(path)
    for path in others:
        digest(path)


def switch(slot, replaced, choice):
    """Make the new files the ones that start: each step leaves a board that starts with gates
    off, and it is held in maintenance until the last. `choice` is the file that names the slot:
    /slot, or /trial where the version before can take over again."""
    for path in replaced:
        os.rename(path + _NEW, path)
    with open(choice + _NEW, "w") as named:
        named.write(slot)
    os.rename(choice + _NEW, choice)
    os.remove(_HOLD)
