"""The commands of the console, as one table. Adding a command means adding a function and a row.

A command is a generator: it gets the console and the typed arguments and yields the lines of its
answer, so that the other coroutines have their turn between any two lines; None is only such a
turn, a number a pause of so many ms. It raises UsageError, AccessDenied, ParameterError or
ConfigurationError for what the person can mend.
"""

from console.text import nearest

# name | arguments | fewest | most | needs an unlocked console | help | module and function
COMMANDS = (
    ("status", "", 0, 0, False, "Is all well, and if not: why, and what to do", "report.status"),
    ("cells", "", 0, 0, False, "Voltage of every cell, and the temperatures", "report.cells"),
    ("health", "", 0, 0, False, "Capacity, resistance, and which cell is worn", "health.health"),
    (
        "measure", "capacity|stop", 1, 1, False,
        "Be led through a measurement of the capacity; again: what comes next",
        "measure.measure",
    ),
    ("faults", "", 0, 0, False, "Active faults and warnings, and what to do", "report.faults"),
    ("link", "", 0, 0, False, "How every link is, and what to check next", "link.link"),
    ("log", "[N]", 0, 1, False, "The latest N events (20), the newest last", "log.log"),
    ("clear", "", 0, 0, True, "Forget latched faults whose cause is gone", "acting.clear"),
    (
        "acknowledge", "[deep_discharge]", 0, 1, True,
        "Allow a small charge current to cells that were emptied too far", "acting.acknowledge",
    ),
    (
        "gates", "off|auto", 1, 1, False,
        "Open both gates, or let the firmware decide", "acting.gates",
    ),
    (
        "commission", "[wiring|pack CHEMISTRY CELLS CAPACITY_AH|current|done]", 0, 4, True,
        "First start of a pack, step by step; alone: what comes next", "commission.commission",
    ),
    (
        "calibrate",
        "[show|cell N [VOLTS]|pack [VOLTS]|bus [VOLTS]|zero|current [AMPS]|done|drop|clear]",
        0, 3, False, "Correct what the measuring chip measures, with a reference meter",
        "calibrate.calibrate",
    ),
    ("get", "[NAME]", 0, 1, False, "Settings and values; a part of a name will do", "values.get"),
    ("raw", "", 0, 0, False, "All values as plain numbers, for programs", "values.raw"),
    ("set", "NAME VALUE", 2, 2, True, "Change a setting", "changing.change"),
    ("save", "", 0, 0, True, "Keep the settings over a restart", "changing.save"),
    ("unlock", "CODE", 1, 1, False, "Allow changes for a while", "changing.unlock"),
    ("lock", "", 0, 0, False, "Forbid changes again", "changing.lock"),
    (
        "ship", "[now]", 0, 1, True,
        "Switch the pack off for storage or shipping; a charger or its button wakes it",
        "shipping.ship",
    ),
    ("restart", "", 0, 0, True, "Open the gates and start the board anew", "acting.restart"),
    (
        "maintenance", "", 0, 0, True,
        "Open the gates and wait for new software", "acting.maintenance",
    ),
    ("version", "", 0, 0, False, "What runs on this board", "about.version"),
    ("help", "[COMMAND]", 0, 1, False, "This list, or one command", "about.help_with"),
)  # fmt: skip


def command_named(name):
    """The row of a command, or None."""
    for row in COMMANDS:
        if row[0] == name:
            return row
    return None


def unknown_command(typed):
    """What to say about a command that does not exist."""
    near = ["`%s`" % name for name in nearest(typed.lower(), [row[0] for row in COMMANDS])]
    advice = "did you mean %s? " % " or ".join(near) if near else ""
    return "There is no command '%s': %s`help` lists them all." % (typed, advice)
