"""An update on trial: what was put into a slot runs once, and stays only if it holds.

Whoever installs writes the slot's files, then a file /trial with the slot's name. boot.py loads
this file then, and no other time. From the first line of `begin` the next start is the old
version's, whatever happens: a file that arrived damaged, an application that can not be imported,
an exception, a hang, a step that is late, a power cut. After a minute of guarding, with the
watchdog fed by the fast path, `confirm` names the slot in /slot, and it stays.

A slot holds a file `digests`: for each of its other files a line with its SHA-256 and its path.
That finds damage, not malice: nothing is signed.
Limits: littlefs, where renaming a file over another happens as a whole or not at all. boot.py,
main.py, this file and the board's are outside the slots and are not on trial.
"""

import asyncio
import hashlib
import os

PROOF_S = 60
_PATIENCE_MS = 8000  # to import the application; a watchdog of an RP2040 waits 8388 ms at most
_CHUNK = 512
_DIGESTS = "digests"


def begin():
    """The folder of the slot on trial, or None if that is not whole: then the text says why."""
    try:
        with open("/trial", "rb") as trial:
            slot = "/" + trial.read().strip().decode()
    except (OSError, UnicodeError):  # a folder, or damaged
        slot = ""
    os.rename("/trial", "/tried")
    if slot not in ("/slot_a", "/slot_b"):
        print("What /trial said is no slot: it is left alone.")
        return None
    try:
        problem = _damage(slot)
    except (OSError, ValueError) as failure:
        problem = "its digests can not be read (%s)" % failure
    if problem:
        print("The update in %s is not started: %s." % (slot, problem))
        _put_aside(slot)
        return None
    print("The update in %s is on trial." % slot)
    return slot


def run(board):
    """Start the application like main.py, with the watchdog on from before its first line."""
    watchdog = board.watchdog(_PATIENCE_MS)
    import app

    watchdog.feed()
    app.run(board, confirm)


async def confirm():
    """A service of the application that is on trial: its slot stays if it runs that long."""
    await asyncio.sleep(PROOF_S)
    os.rename("/tried", "/slot")  # it holds the slot's name already
    print("The update stays.")
    await asyncio.Event().wait()  # a service never ends


def _damage(slot):
    """What is wrong with a slot's files, or None."""
    listed = 0
    with open(slot + "/" + _DIGESTS) as digests:
        for line in digests:
            digest, path = line.split()
            listed += 1
            try:
                if _digest(slot + "/" + path) != digest:
                    return "%s is damaged" % path
            except OSError:
                return "%s is missing" % path
    if not listed:
        return "its digests are empty"
    if _count(slot) != listed + 1:
        return "it holds files that do not belong to it"
    return None


def _put_aside(slot):
    """Let boot.py find no application there, also if it was the slot in use."""
    for name in ("/app.py", "/app.mpy"):
        try:
            os.rename(slot + name, slot + name + ".damaged")
        except OSError:
            pass


def _digest(path):
    summed = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    with open(path, "rb") as stream:
        while True:
            size = stream.readinto(buffer)
            if not size:
                break
            summed.update(view[:size])
    return "".join(["%02x" % byte for byte in summed.digest()])


def _count(folder):
    """How many files there are in a folder and those inside."""
    count = 0
    for entry in os.listdir(folder):
        path = folder + "/" + entry
        count += _count(path) if os.stat(path)[0] & 0x4000 else 1
    return count
