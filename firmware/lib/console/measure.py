"""Command `measure capacity`: leads a person through one measurement of the capacity.

Two ends of the charge and the way between them: that is what bms.capacity needs, and what it takes
whenever it happens. So there is nothing to switch on; the command says what comes next, how far it
is, and what would spoil it. It may be left and asked again at any time. It commands no gate and no
current: the person, the charger and the inverter do that.
"""

from bms import capacity
from bms.points import STATE_ACTIVE
from bms.soc import EMPTY, FULL
from bms.table import INVALID
from console.text import amount, duration
from console.usage import UsageError

_NOBODY = -1
_COLD_DC = 100
_WARM_DC = 400
_LONG_BP = 550  # what the counter's offset may add up to, as in bms.capacity
_CURRENT_PART = 50  # below C/50 it would take too long

_DONE_WORDS = {
    capacity.TOO_LITTLE: "too little charge lay between the two ends",
    capacity.TEMPERATURE: "cells were colder than 10 or warmer than 40 degrees on the way",
    capacity.TOO_LONG: "it took too long: the counter's offset may have added up to too much",
    capacity.IMPLAUSIBLE: "the result can not be: check design_capacity_mah and shunt_microohm",
    capacity.SURPRISING: "it differs clearly from those before. If a second one says the same, it"
    " is taken: measure again",
}
_MEANINGS = (
    (9000, "That is as good as new."),
    (8000, "That is normal for a pack that is in use."),
    (7000, "That is worn: makers' warranties often end at 80 or 70 %."),
    (0, "That is worn out, and may go faster now; `health` shows whether one cell does it."),
)


def measure(console, arguments):
    """Command `measure`."""
    health = console.services.battery.health
    word = arguments[0].lower()
    if health is None:
        yield "There is no configuration: `status` says what to do."
    elif word == "stop":
        health.measuring = _NOBODY
        yield "No measurement is asked for any more. What happens by itself is still used."
    elif word != "capacity":
        raise UsageError()
    elif health.measuring != _NOBODY and health.pairs_seen > health.measuring:
        yield from _result(health)
    else:
        refused = _refusal(console)
        if refused:
            yield "Not now: %s." % refused
            return
        if health.measuring == _NOBODY:
            health.measuring = health.pairs_seen
            yield "The charge between full and empty is counted. Ask `measure capacity` again at"
            yield "any time for what comes next; `measure stop` ends it."
        yield from _progress(console, health)


def _refusal(console):
    """Why a measurement would be unsafe or useless now, or None."""
    if console.point("state") != STATE_ACTIVE:
        return "the pack is not simply in use; `status` says what stands against it"
    if console.point("cell_min_mv") == INVALID or console.point("soc_bp") == INVALID:
        return "nothing is measured; `status` says why"
    if console.point("temperature_min_dc") < _COLD_DC:
        return "a cell is colder than 10 degrees, where capacity reads low: warm the pack up"
    if console.point("temperature_max_dc") > _WARM_DC:
        return "a cell is warmer than 40 degrees: let the pack cool down"
    return None


def _progress(console, health):
    kind = health.anchor[0]
    charge = console.point("soc_bp")
    if kind not in {FULL, EMPTY}:
        yield "Step 1 of 2: charge until the pack is full (now %s)." % amount(charge, "0.01%")
        yield from _advice(console, FULL, 10000 - charge)
        yield "It may as well be discharged until it is empty first, whichever is nearer."
        return
    minutes = health.minutes - health.anchor_minute
    ends = ("full", "empty") if kind == FULL else ("empty", "full")
    yield "Step 2 of 2: it was %s %s ago. Now %s until it is %s (now %s)." % (
        ends[0],
        duration(60 * minutes),
        "discharge" if kind == FULL else "charge",
        ends[1],
        amount(charge, "0.01%"),
    )
    yield from _advice(
        console, EMPTY if kind == FULL else FULL, charge if kind == FULL else 10000 - charge
    )
    longest_h = _LONG_BP // console.parameters.value("counter_offset_bp")
    yield "It must end within %s." % duration(max(0, 3600 * longest_h - 60 * minutes))


def _advice(console, end, way_bp):
    """How to go the rest of the way, and how long it takes with the present current."""
    current_ma = console.point("current_ma")
    value = console.parameters.value
    if end == FULL:
        towards_ma, allowed = current_ma, console.point("charge_allowed")
        yield "  Full counts with a cell at %s and the current below %s for %d s." % (
            amount(value("full_cell_mv"), "mV"),
            amount(value("full_current_ma"), "mA"),
            value("full_hold_s"),
        )
    else:
        towards_ma, allowed = -current_ma, console.point("discharge_allowed")
        yield (
            "  Empty counts with a cell at %s for %d s; let the inverter go that far, at less"
            % (
                amount(value("empty_cell_mv"), "mV"),
                value("empty_hold_s"),
            )
        )
        yield "  than a third of the capacity an hour. Then recharge soon."
    if not allowed:
        yield "  That way is blocked now: `status` says why."
    elif towards_ma * _CURRENT_PART < value("design_capacity_mah"):
        yield "  Hardly any current flows that way now."
    else:
        seconds = console.point("full_mah") // 100 * way_bp // 100 * 36 // (towards_ma // 100)
        yield "  With the present %s about %s are left." % (
            amount(towards_ma, "mA"),
            duration(seconds),
        )


def _result(health):
    health.measuring = _NOBODY
    if health.verdict != capacity.TAKEN:
        yield "This measurement was not taken: %s." % _DONE_WORDS[health.verdict]
        if not health.pair_mah:
            return
    yield "Measured: %s +- %s." % (
        amount(health.pair_mah, "mAh"),
        amount(health.pair_sigma_mah, "mAh"),
    )
    if health.verdict != capacity.TAKEN:
        return
    yield "With all measurements before: %s +- %s, %s of %s when new." % (
        amount(health.shown[0], "mAh"),
        amount(health.shown[1], "mAh"),
        amount(health.soh_bp, "0.01%"),
        amount(health.design_mah, "mAh"),
    )
    for least_bp, words in _MEANINGS:
        if health.soh_bp >= least_bp:
            yield words
            return
