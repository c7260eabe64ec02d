"""Gates off, before anything else can fail; then choose which copy of the application runs.

Runs at every start, before main.py. On the board stand one folder in /boards, and the application
in /slot_a or /slot_b: the file /slot names the one to use, so that a new version can be written
beside the running one. The file /trial names one that is to prove itself first (update.py).
A maintenance boot (the board's pin, or the file /maintenance) stops here: gates off, no watchdog,
the REPL answers.
"""

import os
import sys


def load_board():
    """The one board whose folder stands in /boards; what boards share begins with "_"."""
    name = [entry for entry in os.listdir("/boards") if entry[0] not in "._"][0]
    return __import__("boards.%s.board" % name, None, None, ("board",)).board


def exists(path):
    """Whether a file or folder is there."""
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def choose_slot():
    """Folder of the application: the one that /slot names, else one that is there."""
    try:
        with open("/slot") as choice:
            chosen = choice.read().strip()
    except (OSError, UnicodeError):  # not there, or damaged
        chosen = ""
    for slot in (chosen, "slot_a", "slot_b"):
        if slot in ("slot_a", "slot_b") and (
            exists("/%s/app.py" % slot) or exists("/%s/app.mpy" % slot)
        ):
            return "/" + slot
    return None


def take_trial():
    """Folder of an update that is to prove itself in this start, or None."""
    try:
        import update

        return update.begin()
    except Exception as failure:  # then the version before runs, whatever it was
        sys.print_exception(failure)
        return None


board = load_board()
board.gates_off()
maintenance = exists("/maintenance") or board.maintenance_requested()
trial = take_trial() if not maintenance and exists("/trial") else None
slot = trial or choose_slot()
maintenance = maintenance or slot is None
if slot:
    sys.path.insert(0, slot + "/lib")
    sys.path.insert(0, slot)
if maintenance:
    print("Cellsteward maintenance boot: gates off, no watchdog.")
    if slot is None:
        print("No application is on this board: install it with `make flash`.")
    else:
        print("Remove /maintenance (and the link at the pin), then reset, to run.")
