"""The commands of the console, as one table. Adding a command means adding a function and a row.

A command is a generator: it gets the console and the typed arguments and yields the lines of its
answer, so that the other coroutines have their turn between any two lines. It raises UsageError,
AccessDenied, ParameterError or ConfigurationError for what the person can mend.
"""

from bms import requests
from bms.table import UnknownName
from console.report import cells, faults, named_point, status
from console.settings import EFFECTS
from console.text import nearest

_LISTED = 3  # names offered instead of an unknown one
_BREATH = 16  # names looked at between two turns of the other coroutines


class UsageError(Exception):
    """The arguments do not fit the command; the console answers with its usage."""


def _get(console, arguments):
    part = arguments[0].lower() if arguments else ""
    for table, answer in ((console.parameters, _one_setting), (console.points, named_point)):
        index = _index(table, part)
        if index is not None:
            yield from answer(console, index)
            return
    yield from _matching(console, part)


def _index(table, name):
    try:
        return table.index(name)
    except UnknownName:
        return None


def _matching(console, part):
    """All settings, and unless `part` is empty all values, whose name contains it."""
    settings = console.settings
    names = console.parameters.names
    found = 0
    for index in range(len(console.parameters)):
        name = names.name(index)
        if part in name:
            found += 1
            yield "%-43s %16s  %s" % (name, settings.shown(index), settings.allowed(index))
        elif index % _BREATH == 0:
            yield None
    for index in range(len(console.points) if part else 0):
        name = console.points.names.name(index)
        if part in name:
            found += 1
            yield from named_point(console, index)
    if not found:
        yield from _unknown_name(console, part)


def _one_setting(console, index):
    settings = console.settings
    parameters = console.parameters
    yield "%s = %s" % (parameters.names.name(index), settings.shown(index))
    yield "  %s" % parameters.help(index)
    yield "  Allowed: %s. When set: %s." % (
        settings.allowed(index),
        EFFECTS[parameters.applies[index]],
    )


def _unknown_name(console, unknown):
    """Say that no setting has this name, and which ones share a word with it."""
    names = console.parameters.names
    scored = []
    words = [word for word in unknown.split("_") if word]
    for index in range(len(names)):
        name = names.name(index)
        common = sum([len(word) for word in words if word in name])
        if common:
            scored.append((-common, name))
        if index % _BREATH == 0:
            yield None
    scored.sort()
    near = [name for _, name in scored[:_LISTED]]
    advice = "Did you mean %s?" % " or ".join(near) if near else "`get` lists all settings."
    yield "Nothing is named '%s'. %s" % (unknown, advice)


def _set(console, arguments):
    name, text = [argument.lower() for argument in arguments]
    settings = console.settings
    index = _index(console.parameters, name)
    if index is None:
        yield from _unknown_name(console, name)
        return
    applies = settings.set(index, text)
    told = "%s = %s" % (name, settings.shown(index))
    if not settings.configured():
        yield told + " (noted; `save` checks all settings together and puts them in force)"
        return
    if applies is None:
        yield told + " (as before)"
        return
    yield "%s: %s." % (told, EFFECTS[applies])
    if name == "chemistry":
        yield "The other settings keep their values: look through them with `get`."
    if not console.access.unlocked():
        yield "The console is locked with this code from now on: `unlock` it before you save."
    yield "Not saved yet: `save` keeps it over a restart."


def _save(console, _):
    first = not console.settings.configured()
    if first:
        console.settings.take_draft()
        yield None  # checking and writing are two long pieces
    console.configuration.save(console.parameters)
    yield "Saved."
    if first:
        yield "The pack is configured: `restart` starts guarding it."


def _restart(console, _):
    yield "Restarting, gates off. What was not saved is gone."
    console.restart()


def _maintenance(console, _):
    yield "Restarting into maintenance: gates off, no watchdog, the REPL answers."
    console.maintain()


def _unlock(console, arguments):
    if not arguments[0].isdigit():
        raise UsageError()
    if console.access.authorize(int(arguments[0])):
        yield "Unlocked for %d min." % console.parameters.value("access_minutes")
    elif console.parameters.value("access_code") > 0:
        yield "Wrong code. After three wrong codes, no code is looked at for a minute."
    elif console.access.unlocked():
        yield "No access code is set: this console is open without one."
    else:
        yield "No access code is set: this console may not write."


def _lock(console, _):
    console.access.lock()
    if console.access.unlocked():
        yield "No access code is set, so there is nothing to lock with: `set access_code NUMBER`."
    else:
        yield "Locked."


def _clear(console, _):
    latched = [bit for bit in console.raised("faults") if console.faults.latching[bit]]
    if not latched:
        yield "No fault waits to be cleared; the others go when their cause is gone."
        return
    yield _posted(console, requests.CLEAR_FAULTS, "faults whose cause is gone are cleared")


def _gates(console, arguments):
    wanted = arguments[0].lower()
    if wanted == "off":  # opening is always allowed: it can only make things safer
        yield _posted(
            console, requests.GATES_OFF, "both gates open, until `gates auto` or a restart"
        )
    elif wanted == "auto":
        console.check_access()
        yield _posted(console, requests.GATES_AUTO, "the gates close again if nothing forbids it")
    else:
        raise UsageError()


def _posted(console, request, effect):
    if console.requests.post(request):
        return "Asked: %s. `status` shows the result." % effect
    return "Another request is being carried out: try again in a moment."


def _help(console, arguments):
    if arguments:
        command = command_named(arguments[0].lower())
        if command is None:
            yield unknown_command(arguments[0])
            return
        yield from _one_help(console, command)
        return
    for row in COMMANDS:
        yield "  %-18s %s" % ((row[0] + " " + row[1]).rstrip(), row[5])


def _one_help(console, command):
    name, usage, _, _, writes, text, _ = command
    yield (name + " " + usage).rstrip()
    yield "  %s." % text
    if writes and console.parameters.value("access_code") > 0:
        yield "  Needs `unlock CODE` first."


def _version(console, _):
    yield console.version


# name | arguments | fewest | most | needs an unlocked console | help | function
COMMANDS = (
    ("status", "", 0, 0, False, "Is all well, and if not: why, and what to do", status),
    ("cells", "", 0, 0, False, "Voltage of every cell, and the temperatures", cells),
    ("faults", "", 0, 0, False, "Active faults and warnings, and what to do", faults),
    ("clear", "", 0, 0, True, "Forget latched faults whose cause is gone", _clear),
    ("gates", "off|auto", 1, 1, False, "Open both gates, or let the firmware decide", _gates),
    ("get", "[NAME]", 0, 1, False, "Settings and values; a part of a name will do", _get),
    ("set", "NAME VALUE", 2, 2, True, "Change a setting", _set),
    ("save", "", 0, 0, True, "Keep the settings over a restart", _save),
    ("unlock", "CODE", 1, 1, False, "Allow changes for a while", _unlock),
    ("lock", "", 0, 0, False, "Forbid changes again", _lock),
    ("restart", "", 0, 0, True, "Open the gates and start the board anew", _restart),
    ("maintenance", "", 0, 0, True, "Open the gates and wait for new software", _maintenance),
    ("version", "", 0, 0, False, "What runs on this board", _version),
    ("help", "[COMMAND]", 0, 1, False, "This list, or one command", _help),
)


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
