"""What the console tells programs about settings, values, links and events: rows of console.twin."""

from bms.parameters import TYPE_SECRET
from bms.table import INVALID, field
from console.names import BREATH, index_of, unknown_name
from console.settings import EFFECTS
from console.usage import UsageError

_MOST_EVENTS = 9999  # more than the log holds


def known(value):
    """A number, or None (null) where there is none."""
    return None if value == INVALID else value


def labelled(labels, values):
    """A dict. (As one string the labels cost nothing in what stays loaded: docs/shrinking.md.)"""
    names = labels.split()
    return {names[at]: values[at] for at in range(len(names))}


def point_value(console, name):
    """A point's number, or all numbers of a point that has several."""
    count = console.points.counts[console.points.index(name)]
    values = [known(value) for value in console.vector(name, count)]
    return values if count > 1 else values[0]


def get(console, arguments):
    """Rows of `get`: one setting or value, or all that match; a lone setting is explained."""
    part = arguments[0].lower() if arguments else ""
    setting = index_of(console.parameters, part)
    point = index_of(console.points, part)
    if setting is not None:
        yield "settings", {part: _setting(console, setting)}
        yield "help", console.parameters.help(setting)
        yield "when_set", EFFECTS[console.parameters.applies[setting]]
    elif point is not None:
        yield "values", {part: point_value(console, part)}
    else:
        settings = []
        points = []
        yield from _find(console.parameters, part, settings)
        if part:
            yield from _find(console.points, part, points)
        if not settings and not points:
            yield from unknown_name(console, part)
        yield "settings", "{", _settings(console, settings)
        yield "values", "{", _points(console, points)


def _find(table, part, found):
    for index in range(len(table)):
        if part in table.names.name(index):
            found.append(index)
        if index % BREATH == 0:
            yield None


def _setting(console, index):
    settings = console.settings
    parameters = console.parameters
    secret = parameters.types[index] == TYPE_SECRET
    return labelled(
        "value unit shown allowed",
        (
            None if secret else known(settings.value(index)),
            parameters.units.name(index),
            settings.shown(index),
            settings.allowed(index),
        ),
    )


def _settings(console, rows):
    for index in rows:
        yield console.parameters.names.name(index), _setting(console, index)


def _points(console, rows):
    for index in rows:
        name = console.points.names.name(index)
        yield name, point_value(console, name)


def raw(console, _):
    """Rows of `raw`: every value, and every setting but secrets as a number."""
    yield "values", "{", _points(console, range(len(console.points)))
    yield "settings", "{", _raw_settings(console)


def _raw_settings(console):
    parameters = console.parameters
    for index in range(len(parameters)):
        if parameters.types[index] != TYPE_SECRET:
            yield parameters.names.name(index), known(console.settings.value(index))


def log(console, arguments):
    """Rows of `log`: the latest events or all there are, the newest first, as nothing is held."""
    if arguments and not arguments[0].isdigit():
        raise UsageError()
    yield from console.faults.fetch()
    count = min(int(arguments[0]), _MOST_EVENTS) if arguments else _MOST_EVENTS
    yield "log_events", "[", _events(console, count)


def _events(console, count):
    from console.log import words_of

    for record in console.services.events_log.records(count):
        fields = [known(number) for number in record]
        fields.append(words_of(console, *record[3:]))
        yield labelled("sequence boot uptime_s kind code value in_words", fields)


def link(console, _):
    """Rows of `link`."""
    yield "links", "[", _links(console)
    for name in ("can_transmit_errors", "can_receive_errors", "can_bus_offs"):
        yield name, point_value(console, name)


def _links(console):
    from console.link import TITLES, VERDICT_MEANING, VERDICT_NEXT
    from links import verdict_rows
    from links.point_names import POINTS

    for slot in range(len(TITLES)):
        row = {name: known(console.point(name, slot)) for name in POINTS[:8]}
        verdict = max(0, row["link_verdict"] or 0)
        row["link"] = TITLES[slot]
        row["meaning"] = field(verdict_rows.ROWS, verdict, VERDICT_MEANING)
        row["next"] = field(verdict_rows.ROWS, verdict, VERDICT_NEXT)
        yield row


def version(console, _):
    """Rows of `version`."""
    yield "version", console.version


def help_with(console, arguments):
    """Rows of `help`."""
    from console.commands import COMMANDS, command_named, unknown_command
    from console.usage import Refusal

    rows = COMMANDS
    if arguments:
        rows = (command_named(arguments[0].lower()),)
        if rows[0] is None:
            raise Refusal(unknown_command(arguments[0]))
    yield "commands", "[", _commands(rows)


def _commands(rows):
    for name, usage, _, _, writes, text, _ in rows:
        yield {"name": name, "arguments": usage, "writes": writes, "help": text}
