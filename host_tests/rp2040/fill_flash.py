"""MicroPython script: make the file system of a board that was just flashed, and set it up.

    micropython fill_flash.py IMAGE FOLDER SETTINGS

IMAGE: file of the littlefs, made anew. FOLDER: what stands on the board, of the host's. SETTINGS:
JSON, the parameters of a commissioned pack; null leaves the board unconfigured. Runs in the
checkout.
"""

import json
import os
import sys

sys.path[:] = ["", ".frozen"]

from boards.sim.flash import mount_files  # noqa: E402 the path comes first

_FOLDER = 0x4000  # of ilistdir's type


def copy(source, target):
    for entry in os.ilistdir(source):
        name, kind = entry[:2]
        if kind == _FOLDER:
            os.mkdir(target + "/" + name)
            copy(source + "/" + name, target + "/" + name)
        else:
            with open(source + "/" + name, "rb") as data, open(target + "/" + name, "wb") as made:
                made.write(data.read())


def commission(settings):
    """Write what a person would type in and confirm on a new board."""
    from bms.commissioning import Commissioning
    from bms.events import Events
    from bms.parameters import Parameters
    from recorder.recorder import Recorder
    from storage.configuration import Configuration

    parameters = Parameters()
    parameters.load(settings)
    Configuration("/").save(parameters)
    recorder = Recorder("/", [0] * 7, Events())
    recorder.begin("power_on")
    recorder.save_commissioned(Commissioning(parameters).record())


def main(image, folder, settings):
    checkout = os.getcwd()
    mount_files(image)
    sys.path[:] = ["/host" + checkout + "/firmware/lib", ".frozen"]
    copy("/host" + folder, "")
    if settings:
        commission(settings)


main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
