"""Command `log`: the latest events in words, the newest last, where the eye is."""

from array import array

from bms import events
from bms.point_words import PATH_STATES, STATES
from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from bms.table import INVALID
from console.text import amount, duration
from console.usage import UsageError

_SHOWN = 20
_MOST = 200  # they are held here, newest first, while the oldest is looked for: 24 bytes each
_FIELDS = 6  # sequence, boot, uptime_s, kind, code, value

# Bits of an AFE_TRIP event, as in bms.sample.
_TRIPS = (
    "cell overvoltage", "cell undervoltage", "overcurrent charge", "overcurrent discharge",
    "short circuit", "overtemperature charge", "overtemperature discharge",
    "undertemperature charge", "undertemperature discharge", "chip overtemperature",
    "host watchdog", "chip failed", "fet overtemperature", "unseen",
)  # fmt: skip
# As in bms.requests.
_REQUESTS = (
    "nothing", "clear faults", "gates off", "gates auto", "program the measuring chip",
    "acknowledge a deep discharge", "check the wiring", "try a first current", "charge off",
    "discharge off",
)  # fmt: skip
# Codes of CELLS.
_HEALTH = ("weak", "leaking")
# Codes of SHIP.
_SHIPPED = ("as asked", "because it is empty")
# Part of a fault's name, and the unit of the value that raised it.
_UNITS = (
    ("voltage", "mV"),
    ("current", "mA"),
    ("temperature", "0.1C"),
    ("imbalance", "mV"),
    ("mismatch", "mV"),
    ("discharge", "mV"),
)


def log(console, arguments):
    """Command `log`."""
    count = _SHOWN
    if arguments:
        if not arguments[0].isdigit():
            raise UsageError()
        count = int(arguments[0])
    found = array("i")
    for record in console.services.events_log.records(min(count, _MOST)):
        found.extend(array("i", record))
        yield None
    yield from console.faults.fetch()
    for at in range(len(found) - _FIELDS, -1, -_FIELDS):
        sequence, boot, uptime_s, kind, code, value = found[at : at + _FIELDS]
        yield "%6d  start %d, %s: %s" % (
            sequence,
            boot,
            duration(uptime_s),
            words_of(console, kind, code, value),
        )
    if not found:
        yield "The log is empty."
    elif count > _MOST:
        yield "The latest %d, no more at once." % _MOST


def words_of(console, kind, code, value):
    """An event in words."""
    if 0 <= kind < len(_SAID):
        return _SAID[kind](console, code, value)
    return "event of kind %d, code %d, value %d" % (kind, code, value)


def _named(names, code):
    return names[code] if 0 <= code < len(names) else "number %d" % code


def _fault_name(console, bit):
    return console.faults.names.name(bit) if bit < len(console.faults) else "number %d" % bit


def _boot(_, code, value):
    return "started after %s" % _named(events.RESET_CAUSES, code).replace("_", " ")


def _fault(console, code, value):
    name = _fault_name(console, code)
    if value != INVALID:
        for part, unit in _UNITS:
            if part in name:
                return "fault %s at %s" % (name, amount(value, unit))
    return "fault " + name


def _fault_over(console, code, value):
    return "over: " + _fault_name(console, code)


def _gates(_, code, value):
    return "gates: charge %s, discharge %s" % (
        "on" if code & GATE_CHARGE else "off",
        "on" if code & GATE_DISCHARGE else "off",
    )


def _state(_, code, value):
    return "state " + _named(STATES, code)


def _afe_trip(_, code, value):
    trips = [_TRIPS[bit] for bit in range(len(_TRIPS)) if value >> bit & 1]
    return "the measuring chip tripped: " + (", ".join(trips) or "number %d" % value)


def _cleared(_, code, value):
    return "a person cleared the latched faults"


def _not_cleared(_, code, value):
    return "a person's `clear` came to nothing: nothing was measured"


def _request(_, code, value):
    return "asked: " + _named(_REQUESTS, code)


def _path(_, code, value):
    return "power path " + _named(PATH_STATES, code).replace("_", " ")


def _last_fault(console, code, value):
    return "the last fault before this start was " + _fault_name(console, code)


def _lost(_, code, value):
    return "%d events came too fast and are lost" % value


def _cells(_, code, value):
    first = 1 + 8 * (code & 2)
    numbers = ["%d" % (first + cell) for cell in range(16) if value >> cell & 1]
    return "%s cells: %s" % (_named(_HEALTH, code & 1), ", ".join(numbers) or "none")


def _ship(_, code, value):
    return "the pack switches itself off, %s; lowest cell %s" % (
        _named(_SHIPPED, code),
        amount(value, "mV"),
    )


# In the order of bms.events.KINDS.
_SAID = (
    _boot, _fault, _fault_over, _gates, _state, _afe_trip, _cleared, _request, _path, _lost,
    _last_fault, _not_cleared, _cells, _ship,
)  # fmt: skip
