"""MicroPython script: the setting `full_current_ma` that a start would take from a flash image.

    micropython read_flash.py IMAGE

Prints it as JSON; null if no configuration is valid. Runs in the checkout.
"""

import json
import os
import sys

sys.path[:] = ["", ".frozen"]

from boards.sim.flash import mount_files  # noqa: E402 the path comes first


def main(image):
    checkout = os.getcwd()
    mount_files(image)
    sys.path[:] = ["/host" + checkout + "/firmware/lib", ".frozen"]
    from bms.parameters import Parameters
    from storage.configuration import Configuration

    parameters = Parameters()
    found = Configuration("/").load(parameters)
    print(json.dumps(parameters.value("full_current_ma") if found else None))


main(sys.argv[1])
