"""Code that is needed while one command runs, and whose memory is given back afterwards.

The commands take more memory than the rest of the console, and run for seconds a week. So the
table of commands names its functions, and a module with commands is imported from flash when one
of them is typed and forgotten when it ends. What a command keeps, it keeps in the console.
Adding a module with commands means adding its name here.
"""

import sys

from bms.table import give_back as forget

_LENT = (
    "bms.calibration",
    "bms.capacity",
    "bms.point_words",
    "bms.wiring",
    "console.about",
    "console.acting",
    "console.calibrate",
    "console.changing",
    "console.commands",
    "console.commission",
    "console.link",
    "console.health",
    "console.log",
    "console.measure",
    "console.names",
    "console.report",
    "console.twin",
    "console.twin_pack",
    "console.twin_rows",
    "console.values",
    "links.peer_rows",
    "links.point_names",
    "links.verdict_rows",
    "starting.calibrating",
    "storage.calibration",
)


def borrowed(name):
    """The module `console.NAME`. Call `give_back` when it is no longer needed."""
    return __import__("console." + name, None, None, (name,))


def called(name, console, arguments):
    """What the function `name` ("MODULE.FUNCTION" of a lent module) yields for these arguments."""
    module, function = name.split(".")
    yield from getattr(borrowed(module), function)(console, arguments)


def give_back():
    """Forget all lent modules: what nobody uses any more, the next collection frees."""
    for lent in _LENT:
        if lent in sys.modules:
            forget(lent)
