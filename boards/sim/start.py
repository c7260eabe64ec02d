"""Boots the unmodified firmware on the simulated board.

Run by the host tool from the repository's root:
    micropython -X heapsize=4M boards/sim/start.py OPTIONS...
(one JSON text, in pieces: MicroPython dies of a command line argument above 255 bytes).
It builds the world, mounts the board's file system, and runs boot.py and main.py as MicroPython
does on a board. Exit code 3: the watchdog bit, or the firmware asked for a reset.
"""

# Room at the bottom of the heap, given back below. MicroPython puts the frame of every call with
# many variables on the heap, and looks for room from the bottom up: past all long-lived objects,
# if these came first. This doubles the speed of the simulation.
_room = bytearray(512 * 1024)

import gc
import json
import os
import sys

# Relative, so that the same folder is found again at /boards/sim once the flash is mounted.
sys.path.insert(0, "")

from boards.sim import flash, simulation

_RESET_CODE = 3
_FAILED_CODE = 1
_MAINTENANCE = "/maintenance"


def commission(settings):
    """Write what a person would type in and confirm on a new board; `commissioned` among the
    settings, when 0, leaves the confirming to whoever sits at the console."""
    sys.path.insert(0, "/slot_a/lib")
    from bms.commissioning import Commissioning
    from bms.events import Events
    from bms.parameters import Parameters
    from recorder.recorder import Recorder
    from storage.configuration import Configuration

    confirmed = settings.pop("commissioned", 1)
    parameters = Parameters()
    parameters.load(settings)
    Configuration("/").save(parameters)
    if confirmed:
        recorder = Recorder("/", [0] * 7, Events())
        recorder.begin("power_on")
        recorder.save_commissioned(Commissioning(parameters).record())
    sys.path.pop(0)


def run_like_a_board(names):
    """Run boot.py, then main.py, in the main module."""
    for script in ("/slot_a/boot.py", "/slot_a/main.py"):
        with open(script) as source:
            code = compile(source.read(), script, "exec")
        exec(code, names)


def main(options):
    """Returns the process's exit code."""
    repository = os.getcwd()
    device = flash.mount(options["image"], repository)
    sys.path[:] = ["", ".frozen"]
    if device.fresh and options["settings"]:
        commission(options["settings"])
    board_outside = simulation.simulation
    board_outside.use(device)
    try:
        run_like_a_board(globals())
        if globals()["maintenance"]:
            os.remove(_MAINTENANCE)  # new software is always there already: the checkout
            board_outside.finish("maintenance")
            return 0
        board_outside.finish("error", "the firmware ended by itself")
    except simulation.End as end:
        board_outside.finish(end.reason)
        return _RESET_CODE if end.reason in ("watchdog", "reset") else 0
    except Exception as failure:
        sys.print_exception(failure, sys.stderr)
        board_outside.finish("error", "%s: %s" % (type(failure).__name__, failure))
    return _FAILED_CODE


if __name__ == "__main__":
    run_options = json.loads("".join(sys.argv[1:]))
    simulation.simulation = simulation.Simulation(run_options)
    simulation.simulation.clock.take_over_asyncio()
    _room = None
    gc.collect()
    sys.exit(main(run_options))
