"""Command `get`: settings and published values by name, or by a part of it."""

from bms.parameters import TYPE_SECRET
from bms.point_words import PATH_STATES, STATES
from bms.table import INVALID
from console.names import BREATH, index_of, unknown_name
from console.settings import EFFECTS
from console.text import amount, duration

_VALUES_A_LINE = 8
_WORDS = (("state", STATES), ("path_state", PATH_STATES))  # points that are shown as words


def get(console, arguments):
    """Command `get`: one setting or value with its explanation, or all that match."""
    part = arguments[0].lower() if arguments else ""
    for table, answer in ((console.parameters, _one_setting), (console.points, _named_point)):
        index = index_of(table, part)
        if index is not None:
            yield from answer(console, index)
            return
    yield from _matching(console, part)


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
        elif index % BREATH == 0:
            yield None
    for index in range(len(console.points) if part else 0):
        name = console.points.names.name(index)
        if part in name:
            found += 1
            yield from _named_point(console, index)
    if not found:
        yield from unknown_name(console, part)


def _one_setting(console, index):
    settings = console.settings
    parameters = console.parameters
    yield "%s = %s" % (parameters.names.name(index), settings.shown(index))
    yield "  %s" % parameters.help(index)
    yield "  Allowed: %s. When set: %s." % (
        settings.allowed(index),
        EFFECTS[parameters.applies[index]],
    )


def _named_point(console, index):
    """Lines that show one point by its name: with several values, eight to a line."""
    points = console.points
    name = points.names.name(index)
    unit = points.units.name(index)
    values = console.vector(name, points.counts[index])
    while len(values) > 1 and values[-1] == INVALID:  # slots that nothing is fitted for
        values.pop()
    for start in range(0, len(values), _VALUES_A_LINE):
        shown = [_value(name, unit, v) for v in values[start : start + _VALUES_A_LINE]]
        yield "%-43s %s" % ("" if start else name, "  ".join(shown))


def _value(name, unit, value):
    for point, words in _WORDS:
        if name == point:
            return words[0 if value == INVALID else value]  # INVALID: before the first step
    if unit == "bits":
        return "0x%04x" % (value & 0xFFFF)
    if name == "uptime_s":
        return duration(value)
    return amount(value, unit)


def raw(console, _):
    """Command `raw`: every value and every setting but secrets as NAME=NUMBERS, one a line."""
    points = console.points
    for index in range(len(points)):
        name = points.names.name(index)
        values = console.vector(name, points.counts[index])
        yield "%s=%s" % (name, " ".join([str(value) for value in values]))
    parameters = console.parameters
    for index in range(len(parameters)):
        if parameters.types[index] != TYPE_SECRET:
            yield "%s=%d" % (parameters.names.name(index), console.settings.value(index))
    yield "raw end"
