"""Commands that ask the fast path or the board for something.

Whatever is asked, the fast path looks at it again: nothing here closes a gate against a fault.
"""

from bms import requests
from bms.table import INVALID
from console.text import amount
from console.usage import Refusal, UsageError

# An empty pack discharges again on charge current or a person's word (bms.protection).
_EMPTY = ("cell_undervoltage", "pack_undervoltage")


def clear(console, _):
    """Command `clear`."""
    faults = console.faults
    yield from faults.fetch()
    waiting = [
        bit
        for bit in console.raised("faults")
        if faults.latching[bit] or faults.names.name(bit) in _EMPTY
    ]
    if not waiting:
        yield "No fault waits to be cleared; the others go when their cause is gone."
        return
    effect = "faults whose cause is gone are cleared"
    if console.point("cell_min_mv") == INVALID:
        effect += " as soon as the cells are measured, if that is within a minute"
    yield _posted(console, requests.CLEAR_FAULTS, effect)


def acknowledge(console, arguments):
    """Command `acknowledge`: what it means to charge such cells, and only then the request."""
    yield from console.faults.fetch()
    raised = [console.faults.names.name(bit) for bit in console.raised("faults")]
    if arguments and arguments[0].lower() != "deep_discharge":
        raise UsageError()
    if "cell_below_floor" in raised:
        raise Refusal("A cell rested below the floor: nobody can allow charging it, replace it.")
    if "deep_discharge" not in raised:
        raise Refusal("No cell waits for that: there is no fault deep_discharge.")
    if arguments:
        yield _posted(
            console,
            requests.ACKNOWLEDGE_DEEP_DISCHARGE,
            "a charger may bring up to %s until the cells are well again"
            % amount(console.parameters.value("limited_current_warn_ma"), "mA"),
        )
    else:
        yield "A cell was emptied below its minimum (%s at rest). Inside, copper may have" % (
            amount(console.point("lowest_cell_mv"), "mV")
        )
        yield "dissolved: such a cell can short itself and burn while or after it is charged."
        yield "Look at the cells, feel for warm or swollen ones, and stay there while they charge."
        yield "If you take that on: `acknowledge deep_discharge`."


def gates(console, arguments):
    """Command `gates`."""
    wanted = arguments[0].lower()
    if wanted == "off":  # opening is always allowed: it can only make things safer
        yield _posted(console, requests.GATES_OFF, "both gates open, until `gates auto`")
    elif wanted == "auto":
        console.check_access()
        yield _posted(console, requests.GATES_AUTO, "the gates close again if nothing forbids it")
    else:
        raise UsageError()


def restart(console, _):
    """Command `restart`."""
    yield "Restarting, gates off. What was not saved is gone."
    console.restart()


def maintenance(console, _):
    """Command `maintenance`."""
    yield "Restarting into maintenance: gates off, no watchdog, the REPL answers."
    console.maintain()


def _posted(console, request, effect):
    if console.requests.post(request):
        return "Asked: %s. `status` shows the result." % effect
    raise Refusal("Another request is being carried out: try again in a moment.")
