"""The flash check of the self-test: can everything be read that the firmware needs from its flash?

Every byte of the settings, of what was kept about the pack and of the event log is read once at
start-up, so that a file system that fails shows before a gate may close, and not when its files
are needed. Whether what was read is whole (checksums) is judged by who takes it: of a pair of
files one may be damaged, that is what the other one is for.
Bounded: at most 16 KB of a file, 120 KB in all, through one small buffer; about 30 KB as a rule.
Start-up only; who called it gives the module back.
"""

from storage.slots import ENOENT, inside

_FILES = (
    "config_a.json", "config_b.json", "state_a.json", "state_b.json",
    "log/0.bin", "log/1.bin", "log/2.bin", "log/3.bin",
)  # fmt: skip
_PIECE = 256
_PIECES = 64  # of a file; storage.slots takes no larger one


def unreadable(directory):
    """Why files there can not be read, one sentence each. A file that is missing is none of them.
    Never raises."""
    buffer = bytearray(_PIECE)
    problems = []
    for name in _FILES:
        try:
            with open(inside(directory, name), "rb") as file:
                for _ in range(_PIECES):
                    if not file.readinto(buffer):
                        break
        except OSError as problem:
            if problem.errno != ENOENT:
                problems.append(
                    "the flash check failed: %s can not be read (%s); install the firmware anew "
                    "on an erased flash, or replace the board" % (name, problem)
                )
    return problems
