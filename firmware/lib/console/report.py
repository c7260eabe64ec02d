"""What the console tells about the pack: status, cells and faults, in words.

Every function is a command (see console.commands) or part of one: a generator of lines over the
snapshot that the console took when the command was given.
"""

from bms.point_words import (
    BALANCING_STATES,
    PATH_STATES,
    POWER_STATES,
    QUALITIES,
    SELF_TESTS,
    STATES,
)
from bms.points import (
    PATH_BUS_ABOVE,
    PHASE_STALLED,
    QUALITY_UNKNOWN,
    STATE_ACTIVE,
    STATE_COMMISSIONING,
    STATE_FAILED,
    STATE_FAULT,
    STATE_LIMITED,
    STATE_PROGRAMMING,
    STATE_SELF_TEST,
    STATE_STANDBY,
    STATE_STARTING,
    STATE_UNCONFIGURED,
)
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, MAX_THERMISTORS
from bms.table import INVALID, give_back
from console.text import MISSING, amount, bar, counted, duration, ordinal
from console.usage import Refusal

STATE_SENTENCES = {
    STATE_STARTING: "Starting: nothing is decided yet, the gates are off.",
    STATE_UNCONFIGURED: "NOT GUARDING: there is no valid configuration, the gates are off.",
    STATE_PROGRAMMING: "The measuring chip is being programmed, the gates are off until it is.",
    STATE_STANDBY: "Guarding, with the gates off by command: `gates auto` takes that back.",
    STATE_ACTIVE: "All is well: the pack is guarded and nothing is blocked.",
    STATE_FAULT: "NOT WELL: a fault blocks charging, discharging or both.",
    STATE_FAILED: "STOPPED: the firmware stopped itself, the gates are off. Note the faults, "
    "restart the board and report it.",
    STATE_SELF_TEST: "The measuring chip and the sense wires are tested, the gates are off.",
    STATE_COMMISSIONING: "NOT IN USE YET: the gates stay off until this pack is commissioned; "
    "`commission` leads through it.",
    STATE_LIMITED: "Guarding, but only a limited current is allowed.",
}
"""What a state means, as the first line of `status` and in docs/points.md."""

_WAITING = "Guarding and nothing is blocked, but the contactors are open: see below."
_WARNED = "Guarding and nothing is blocked, but there are warnings."
_RESTART = "Configured, but not guarding yet: `restart` starts it."
KINDS = (("faults", "fault"), ("warnings", "warning"))  # point, and what one of it is called
DIRECTIONS = ("nothing", "charging", "discharging", "charging and discharging")
_BLOCKED = "NOT WELL: %s is blocked."
# Without a fault: a request of a bus, or a protection that may still trip
_FORBIDDEN = (
    "Guarding, but %s is not allowed: a program asked so over a bus (`gates auto` takes it back),"
    " or a protection is about to judge."
)
NO_CELLS = "There is no trustworthy measurement of the cells; `status` says why."
_BAR_WIDTH = 24
_STALE_MS = 1000  # an age worth telling: ten periods of the default fast path


def status(console, _):
    """Command `status`: whether all is well first, then why not, then the figures."""
    first = headline(console)
    yield first
    if first != _RESTART:  # there, the only fault is the configuration that was missing
        yield from console.faults.fetch()
        for kind, noun in KINDS:
            for bit in console.raised(kind):
                name = console.faults.names.name(bit)
                yield "  %s %s: %s." % (noun, name, console.faults.advice(bit))
    yield from causes(console)
    for problem in console.configuration.problems:
        yield "  %s." % problem
    if console.settings.unsaved():
        yield "  Settings changed and are not saved: `save` keeps them over a restart."
    for label, figures in _FIGURES:
        yield "%-13s %s" % (label, figures(console))


def causes(console):
    """Lines of what the chip found out about the wires and itself, for whoever has to mend it."""
    failed = console.point("self_test_failed")
    if failed != INVALID and failed:
        checks = [SELF_TESTS[bit] for bit in range(len(SELF_TESTS)) if failed >> bit & 1]
        yield "  The start-up self-test failed at: %s." % ", ".join(checks).replace("_", " ")
    if console.point("path_state") == PATH_BUS_ABOVE:
        yield "  The contactors stay open: something holds the bus (%s) above the pack (%s)." % (
            _text(console, "bus_voltage_mv"),
            _text(console, "pack_voltage_mv"),
        )
        yield "  Lower the charger's voltage to the pack's, or switch it off until they closed;"
        yield "  they try again by themselves, twice a minute."
    if console.point("charge_phase") == PHASE_STALLED:
        yield "  The charger ended below full: its voltage is too low. A cell has to reach %s." % (
            amount(console.parameters.value("full_cell_mv"), "mV")
        )
        yield (
            "  Raise it to %s: a pack that is never full is hardly balanced, and its state of"
            % (_text(console, "charge_voltage_limit_mv"))
        )
        yield "  charge gets less sure. `May charge` below says if something else binds."
    for name, words in (("weak_cells", "weak"), ("leaky_cells", "leaking")):
        masks = console.vector(name, 2)
        cells = ["%d" % (cell + 1) for cell in range(32) if masks[cell >> 4] >> (cell & 15) & 1]
        if cells:
            yield "  Cells that are %s: %s; `health` says more." % (words, ", ".join(cells))
    resting = console.point("power_state")
    if resting > 0:
        yield "  At rest (%s): nothing flows, so it measures more seldom." % POWER_STATES[resting]
    lead = console.point("suspect_lead")
    if lead >= 0:
        yield "  Look at balance lead %d, the %s from pack minus." % (lead, ordinal(lead + 1))


def _current_state(console):
    state = console.point("state")
    return STATE_STARTING if state == INVALID else state  # INVALID: before the first step


def headline(console):
    """Whether all is well, in a sentence."""
    state = _current_state(console)
    if state == STATE_FAULT or state == STATE_ACTIVE:
        allowed = (GATE_CHARGE if console.point("charge_allowed") else 0) | (
            GATE_DISCHARGE if console.point("discharge_allowed") else 0
        )
        if allowed != GATES_BOTH:
            blocked = DIRECTIONS[GATES_BOTH & ~allowed]
            return (_BLOCKED if state == STATE_FAULT else _FORBIDDEN) % blocked
    if state == STATE_UNCONFIGURED and console.settings.configured():
        return _RESTART
    if state == STATE_ACTIVE and console.point("path_state") == PATH_BUS_ABOVE:
        return _WAITING
    if state == STATE_ACTIVE and console.raised("warnings"):
        return _WARNED
    return STATE_SENTENCES[state]


def _text(console, name, signed=False):
    index = console.points.index(name)
    return amount(console.point(name), console.points.units.name(index), signed)


def _pack(console):
    return "%s  %s  %s" % (
        _text(console, "pack_voltage_mv"),
        _text(console, "current_ma", True),
        _text(console, "power_w", True),
    )


def _charge(console):
    return "%s, %s of %s, health %s, %s cycles" % (
        _text(console, "soc_bp"),
        _text(console, "remaining_mah"),
        _text(console, "full_mah"),
        _text(console, "soh_bp"),
        _text(console, "cycles"),
    )


def _certainty(console):
    """How sure the state of charge is, and why."""
    quality = console.point("soc_quality")
    if quality == INVALID:
        return MISSING
    text = QUALITIES[quality]
    if quality != QUALITY_UNKNOWN:
        text = "%s +-%s, %s" % (
            _text(console, "soc_estimate_bp"),
            _text(console, "soc_sigma_bp"),
            text,
        )
    hours = console.point("full_age_h")
    if hours == INVALID:
        return text + "; not charged full yet"
    return text + "; full %s ago" % (duration(hours * 3600) if hours else "less than an hour")


def _cell_range(console):
    return "%s (cell %s) to %s (cell %s), spread %s" % (
        _text(console, "cell_min_mv"),
        _position(console, "cell_min_index"),
        _text(console, "cell_max_mv"),
        _position(console, "cell_max_index"),
        _text(console, "cell_delta_mv"),
    )


def _position(console, name):
    """People count cells from 1, the table from 0."""
    index = console.point(name)
    return amount(index if index == INVALID else index + 1, "-")


def _temperatures(console):
    return "%s to %s, board %s" % (
        _text(console, "temperature_min_dc"),
        _text(console, "temperature_max_dc"),
        _text(console, "board_temperature_dc"),
    )


def _gates(console):
    gates = console.point("gates")
    return "charge %s, discharge %s" % (
        "on" if gates & GATE_CHARGE else "off",
        "on" if gates & GATE_DISCHARGE else "off",
    )


def _path(console):
    state = console.point("path_state")
    text = MISSING if state == INVALID else PATH_STATES[state].replace("_", " ")
    return text + (", limited current only" if console.point("limited") == 1 else "")


def _balancing(console):
    state = console.point("balancing_state")
    text = MISSING if state == INVALID else BALANCING_STATES[state].replace("_", " ")
    suspect = console.point("balance_suspect")
    if suspect >= 0:
        text += ", no effect on cell %d: look at its lead and its switch" % (suspect + 1)
    return text


def _charge_limits(console):
    return "%s up to %s; %s: %s" % (
        _text(console, "charge_current_limit_ma"),
        _text(console, "charge_voltage_limit_mv"),
        _word(console, "charge_phase"),
        _word(console, "charge_limit_reason"),
    )


def _discharge_limits(console):
    return "%s down to %s: %s" % (
        _text(console, "discharge_current_limit_ma"),
        _text(console, "discharge_voltage_limit_mv"),
        _word(console, "discharge_limit_reason"),
    )


def _word(console, name):
    from bms import limit_curves

    give_back("bms.limit_curves")
    words = limit_curves.PHASES if name == "charge_phase" else limit_curves.REASONS
    value = console.point(name)
    return MISSING if value == INVALID else words[value].replace("_", " ")


def _requests(console):
    asked = [
        text
        for name, text in (
            ("full_charge_requested", "a full charge is due"),
            ("force_charge_requested", "charge it soon, from the grid if need be"),
        )
        if console.point(name) == 1
    ]
    return ", ".join(asked) or "none"


def _state(console):
    text = "%s, running for %s" % (
        STATES[_current_state(console)],
        duration(console.point("uptime_s")),
    )
    age_ms = console.point("measurement_age_ms")
    if age_ms > _STALE_MS:
        text += ", last measured %s ago" % duration(age_ms // 1000)
    return text


def _starts(console):
    return "%s times; by the watchdog in the last ten minutes: %s" % (
        _text(console, "boots"),
        _text(console, "watchdog_resets"),
    )


_FIGURES = (
    ("Pack", _pack),
    ("Charge", _charge),
    ("Estimate", _certainty),
    ("Cells", _cell_range),
    ("Temperatures", _temperatures),
    ("Gates", _gates),
    ("Power path", _path),
    ("May charge", _charge_limits),
    ("May discharge", _discharge_limits),
    ("Asks for", _requests),
    ("Balancing", _balancing),
    ("State", _state),
    ("Started", _starts),
)


def cells(console, _):
    """Command `cells`: a bar a cell between its two trip limits, and how far off the mean."""
    count = max(0, console.point("series_cells"))
    voltages = console.vector("cell_voltage_mv", count)
    balancing = console.vector("balancing", 2)
    if not count or INVALID in voltages:
        raise Refusal(NO_CELLS)
    mean_mv = sum(voltages) // count
    low_mv = console.settings.value(console.parameters.index("cell_undervoltage_trip_mv"))
    high_mv = console.settings.value(console.parameters.index("cell_overvoltage_trip_mv"))
    marks = {console.point("cell_min_index"): "lowest", console.point("cell_max_index"): "highest"}
    yield "Cell  Voltage  %s to %s%s From mean" % (
        amount(low_mv, "mV"),
        amount(high_mv, "mV"),
        " " * (_BAR_WIDTH - 18),
    )
    for cell in range(count):
        yield (
            "%4d  %7s  [%s] %6d mV  %s %s"
            % (
                cell + 1,
                amount(voltages[cell], "mV"),
                bar(voltages[cell], low_mv, high_mv, _BAR_WIDTH),
                voltages[cell] - mean_mv,
                marks.get(cell, ""),
                "balancing" if balancing[cell >> 4] >> (cell & 15) & 1 else "",
            )
        ).rstrip()
    yield "Mean %s, spread %s" % (amount(mean_mv, "mV"), _text(console, "cell_delta_mv"))
    sensors = [dc for dc in console.vector("temperature_dc", MAX_THERMISTORS) if dc != INVALID]
    yield "Cell sensors  %s" % "  ".join([amount(dc, "0.1C") for dc in sensors])


def faults(console, _):
    """Command `faults`: every active or latched fault and every warning, with advice."""
    table = console.faults
    for kind, noun in KINDS:
        bits = console.raised(kind)
        yield "%s%s" % (counted(len(bits), noun), ":" if bits else ".")
        for bit in bits:
            name = table.names.name(bit)
            if kind == "faults":
                yield "  %s, blocks %s%s" % (
                    name,
                    DIRECTIONS[table.blocks[bit]],
                    "; stays until `clear`" if table.latching[bit] else "",
                )
            else:
                yield "  %s" % name
            yield "    %s." % table.advice(bit)
    yield from causes(console)
