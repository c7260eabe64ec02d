"""Commands that change settings and who may: `set`, `save`, `unlock`, `lock`."""

from console.names import index_of, unknown_name
from console.settings import EFFECTS
from console.usage import Refusal, UsageError


def change(console, arguments):
    """Command `set`."""
    name, text = [argument.lower() for argument in arguments]
    settings = console.settings
    index = index_of(console.parameters, name)
    if index is None:
        yield from unknown_name(console, name)
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


def save(console, _):
    """Command `save`: the draft of a new board as a whole, or what changed."""
    first = not console.settings.configured()
    if first:
        console.settings.take_draft()
        yield None  # checking and writing are two long pieces
    console.configuration.save(console.parameters)
    yield "Saved."
    if first:
        yield "The pack is configured: `restart` starts guarding it."


def unlock(console, arguments):
    """Command `unlock`."""
    if not arguments[0].isdigit():
        raise UsageError()
    if console.access.authorize(int(arguments[0])):
        yield "Unlocked for %d min." % console.parameters.value("access_minutes")
    elif console.parameters.value("access_code") > 0:
        raise Refusal("Wrong code. After three wrong codes, no code is looked at for a minute.")
    elif console.access.unlocked():
        yield "No access code is set: this console is open without one."
    else:
        raise Refusal("No access code is set: this console may not write.")


def lock(console, _):
    """Command `lock`."""
    console.access.lock()
    if console.access.unlocked():
        raise Refusal(
            "No access code is set, so there is nothing to lock with: `set access_code NUMBER`."
        )
    yield "Locked."
