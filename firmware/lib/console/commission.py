"""Command `commission`: leads a person through the first start of a pack.

Four steps: the wiring is measured, the pack is described once more, a limited first current shows
which way the shunt counts, and the result is saved. What each of them needs is bms.commissioning's
business; this file asks the fast path for measurements and finds the words.
"""

from bms import requests, trial
from bms.commissioning import CURRENT, PACK, STEPS, WIRING, Commissioning
from console.text import amount, counted
from console.usage import UsageError
from storage.state import StateError

_PAUSE_MS = 50
_PAUSES = 40  # a step carries out a request within two periods; 250 ms each at most

_NEXT = (
    "`commission wiring` measures the cells and names the balance leads to check",
    "`commission pack CHEMISTRY CELLS CAPACITY_AH`: type again what you connected",
    "`commission current` closes the gates for a limited first current",
)
_LAST = "`commission done` saves the result, and the gates may close"
# While one of these is active, the latest measurement may be an old one.
_NOT_MEASURED = (
    "afe_lost", "measurement_stale", "afe_wrong_device", "afe_configuration", "afe_restarted",
    "afe_corrupt", "configuration_invalid",
)  # fmt: skip
_VALUES_A_LINE = 8
_MAH_DECIMALS = 3  # of a capacity typed in Ah


def commission(console, arguments):
    """Command `commission`."""
    if not console.settings.configured():
        yield "First `set` at least chemistry, series_cells and design_capacity_mah; then `save`,"
        yield "`restart`, and come back."
        return
    if console.commissioning is None:
        console.commissioning = Commissioning(console.parameters)
    if not arguments:
        yield from _overview(console)
        return
    for name, words, part in _PARTS:
        if name == arguments[0].lower() and len(arguments) == words:
            yield from part(console, arguments)
            return
    raise UsageError()


def _overview(console):
    record = console.services.commission.record_saved()
    if console.commissioning.fits(record):
        yield "This pack is commissioned."
        return
    if record is None:
        yield "This pack is not commissioned: its gates stay off until these steps are done."
    else:
        yield "Other settings than when this pack was commissioned (%s): its gates stay off" % (
            ", ".join(console.commissioning.differing(record))
        )
        yield "until these steps are done again."
    missing = console.commissioning.missing()
    for step in range(len(STEPS)):
        yield "  %-8s %s" % (STEPS[step], "not yet" if step in missing else "done")
    yield _next(console)


def _next(console):
    missing = console.commissioning.missing()
    return "Next: %s." % (_NEXT[missing[0]] if missing else _LAST)


def _wiring(console, _):
    battery = console.services.battery
    yield from console.faults.fetch()
    for bit in console.raised("faults"):
        if console.faults.names.name(bit) in _NOT_MEASURED:
            yield "Nothing is measured now (%s): see `status`." % console.faults.names.name(bit)
            return
    if len(battery.captured_cell_mv) != console.parameters.value("series_cells"):
        yield "The number of cells was changed: `restart` first."
        return
    before = battery.captures
    if not console.requests.post(requests.CAPTURE):
        yield "Another request is being carried out: try again in a moment."
        return
    for _ in range(_PAUSES):
        yield _PAUSE_MS
        if battery.captures != before:
            break
    else:
        yield "No measurement came: see `status`."
        return
    cell_mv = list(battery.captured_cell_mv)
    stack_mv = battery.captured_stack_mv
    findings = console.commissioning.check_wiring(cell_mv, stack_mv)
    if not findings:
        yield "The wiring fits: %d cells from %s to %s, %s together." % (
            len(cell_mv),
            amount(min(cell_mv), "mV"),
            amount(max(cell_mv), "mV"),
            amount(stack_mv, "mV"),
        )
        yield _next(console)
        return
    yield counted(len(findings), "finding") + ":"
    for _code, _lead, sentence in findings:
        yield "  %s." % sentence
    for start in range(0, len(cell_mv), _VALUES_A_LINE):
        row = cell_mv[start : start + _VALUES_A_LINE]
        yield "Cells from %2d: %s mV" % (start + 1, "  ".join(["%5d" % mv for mv in row]))
    yield "Leads count from 0 at pack minus; cell 1 lies between lead 0 and lead 1. Unplug the"
    yield "balance connector before you move a lead, then `commission wiring` again."


def _pack(console, arguments):
    _, chemistry, cells, capacity_ah = arguments
    settings = console.settings
    parameters = console.parameters
    choices = parameters.choices(parameters.index("chemistry"))
    if chemistry.lower() not in choices:
        yield "The chemistry must be one of %s." % ", ".join(choices)
        return
    if not cells.isdigit():
        raise UsageError()
    typed = (choices.index(chemistry.lower()), int(cells), _mah(capacity_ah))
    differing = console.commissioning.confirm_pack(*typed)
    for name in differing:
        yield "  %s is %s, you typed another." % (name, settings.shown(parameters.index(name)))
    if differing:
        yield "Type it again, or correct the setting: `set`, `save`, `restart`."
    else:
        yield "That is what the settings say."
        yield _next(console)


def _mah(text):
    """Milliampere-hours from ampere-hours as typed: 280, 2.6, 0.05."""
    whole, _, part = text.partition(".")
    digits = whole + part
    if not digits.isdigit() or len(part) > _MAH_DECIMALS:
        raise UsageError()
    return int(digits) * 10 ** (_MAH_DECIMALS - len(part))


def _current(console, _):
    procedure = console.commissioning
    current = console.services.battery.trial
    before = [step for step in procedure.missing() if step < CURRENT]
    if before:
        yield "Not yet. First: %s." % _NEXT[before[0]]
    elif current.running():
        yield "The gates are closed and no clear current was seen yet: connect the load."
    elif procedure.trying:
        procedure.trying = False
        procedure.judge_first_current(current.result)
        yield from _result(console, current.result)
    elif console.requests.post(requests.TRY_CURRENT):
        yield from _start(console, current)
    else:
        yield "Another request is being carried out: try again in a moment."


def _start(console, current):
    for _ in range(_PAUSES):
        yield _PAUSE_MS
        if current.running():
            break
    else:
        yield "The gates did not close: `status` says what forbids it, `gates auto` takes a"
        yield "`gates off` back."
        return
    console.commissioning.trying = True
    yield "The gates close for at most 30 s. Connect a small load now, about 1 A, below %s," % (
        amount(console.parameters.value("limited_current_warn_ma"), "mA")
    )
    yield "and no charger. Then `commission current` again for the result."


def _result(console, result):
    if result == trial.DISCHARGE_SEEN:
        yield "The load's current counts as discharge: the shunt is connected the right way."
        yield _next(console)
    elif result == trial.CHARGE_SEEN:
        yield "The current counts as CHARGE. If nothing but a load is connected, the shunt is"
        yield "reversed: disconnect the pack, exchange the two sense wires at the shunt, then"
        yield "`commission wiring` and `commission current` again."
    elif result == trial.NOTHING_SEEN:
        yield "No current was seen. Is the load on, does it take 0.2 A or more, are the shunt's"
        yield "sense wires connected? Then `commission current` again."
    else:
        yield (
            "The gates were opened before a current was clear; `status` says why. More than %s"
            % (amount(console.parameters.value("limited_current_trip_ma"), "mA"))
        )
        yield "does that. Mend the cause, `clear` it, then `commission current` again."


def _done(console, _):
    missing = console.commissioning.missing()
    if missing:
        yield "Not yet: %s missing. %s" % (
            " and ".join([STEPS[step] for step in missing]),
            _next(console),
        )
        return
    if console.settings.unsaved():
        yield "The settings are not saved: `save` first, or a restart brings other ones back."
        return
    try:
        console.services.commission.save(console.commissioning.record())
    except StateError as refused:
        yield "Refused: %s." % refused
        return
    yield "Commissioned and saved: the gates close as soon as nothing else forbids it."


# The word that follows `commission`, words in all, and what it does.
_PARTS = (
    (STEPS[WIRING], 1, _wiring),
    (STEPS[PACK], 4, _pack),
    (STEPS[CURRENT], 1, _current),
    ("done", 1, _done),
)
