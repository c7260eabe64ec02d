"""The firmware's packages, for a MicroPython with them frozen into its flash.

Included by the manifests of the boards; runs in MicroPython's build, with its names.
"""

import os

_LIB = "../firmware/lib"

for _name in sorted(os.listdir(_LIB)):
    if not _name.startswith("_"):
        package(_name, base_path=_LIB)
