"""Command `ship`: what it means, and only then the request."""

from bms.ship_rules import refusal
from bms.table import give_back
from console.usage import Refusal, UsageError


def ship(console, arguments):
    """Command `ship`."""
    if arguments and arguments[0].lower() != "now":
        raise UsageError()
    yield from console.faults.fetch()
    names = console.faults.names
    raised = [names.name(bit) for bit in console.raised("faults")]
    refused = refusal(console.point, raised, console.parameters.value("idle_current_ma"))
    give_back("bms.ship_rules")
    if refused:
        raise Refusal("Refused: %s." % refused)
    if arguments:
        console.services.ship()
        yield "The pack switches itself off; this console and all links end with it."
    else:
        yield "Both gates open, the measuring chip switches itself off, nothing answers any more."
        yield "A charger at the terminals wakes it, or the button at the chip (docs/low-power.md)."
        yield "If you want that: `ship now`."
