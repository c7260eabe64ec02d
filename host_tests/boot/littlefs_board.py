"""MicroPython script: a board's file system and start, without the simulated chips.

    micropython    littlefs_board.py REPOSITORY IMAGE CODE   run the host's file CODE on the board
    micropython -i littlefs_board.py REPOSITORY IMAGE        start like a board, then the prompt

The flash is a littlefs in the file IMAGE, made if it is missing. The host's files are in /host.
"""

import sys

sys.path.insert(0, sys.argv[1])

import os

from boards.sim.flash import mount_files
from host_tests.boot import machine_double

# So that the board's own folder /boards is found, not the checkout's.
for name in [name for name in sys.modules if name.startswith("boards")]:
    del sys.modules[name]


def mount(image):
    mount_files(image)
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]


def exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def run_file(path):
    with open(path) as source:
        code = compile(source.read(), path, "exec")
    exec(code, globals())


def start_like_a_board():
    """As MicroPython does: an exception ends the script that raised it, and no more."""
    for script in ("/boot.py", "/main.py"):
        try:
            run_file(script)
        except OSError:
            pass  # a new board has neither
        except Exception as failure:
            sys.print_exception(failure)


sys.modules["machine"] = machine_double
machine_double.strict = False
mount(sys.argv[2])
if len(sys.argv) > 3:
    run_file("/host" + sys.argv[3])
else:
    start_like_a_board()
