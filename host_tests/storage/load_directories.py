"""MicroPython script: loads the configuration of every directory inside DIRECTORY.

Its JSON reader is not CPython's, so the same damaged files are tried on both.
Usage: micropython load_directories.py DIRECTORY (with MICROPYPATH=firmware/lib)
Prints one line of JSON for each: [directory, settings or null, problems].
"""

import json
import os
import sys

from bms.parameters import Parameters
from storage.configuration import Configuration

for name in os.listdir(sys.argv[1]):
    parameters = Parameters()
    configuration = Configuration(sys.argv[1] + "/" + name)
    taken = configuration.load(parameters)
    settings = parameters.differing() if taken else None
    print(json.dumps([name, settings, configuration.problems]))
