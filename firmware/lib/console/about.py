"""Commands about the console itself: `help` and `version`."""

from console.commands import COMMANDS, command_named, unknown_command
from console.usage import Refusal


def help_with(console, arguments):
    """Command `help`: all commands, or one of them."""
    if arguments:
        command = command_named(arguments[0].lower())
        if command is None:
            raise Refusal(unknown_command(arguments[0]))
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


def version(console, _):
    """Command `version`."""
    yield console.version
