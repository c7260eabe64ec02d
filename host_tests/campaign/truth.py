"""The truth's own judgement: what is beyond its trip, for how long, and which gate must be off.

Reads nothing that the firmware says: cell voltages, currents and temperatures as the simulation
knows them, once a simulated second, against the default trips and delays of docs/parameters.md.
"""

from dataclasses import dataclass

from host_tests.campaign.rows import FULL_SCAN_MS, PERIOD_MS, SCAN_MS


@dataclass(frozen=True)
class Limit:
    """beyond(truth): by how much the trip is exceeded, > 0 beyond what quantization hides.
    back: so much inside of that the release lies, _NEVER if it latches; release_ms: its delay.
    charged: the release also asks for charge current, or a person.
    blind_to: injected faults under which nobody can measure it."""

    name: str
    gates: str
    beyond: object
    within_ms: int
    back: int
    release_ms: int
    blind_to: tuple = ()
    charged: bool = False


def _cells(truth):
    return truth["cell_voltage_mv"]


def _mean(truth):
    return truth["pack_voltage_mv"] / len(_cells(truth))


def _sensors(truth):
    return truth["temperature_dc"][:2]  # the default pack has two sensors


_SHUNT = ("shunt_reversed",)
_SENSORS = ("thermistor_frozen", "thermistor_open", "thermistor_short")
_CELL_LAW = 2 * PERIOD_MS + SCAN_MS
_TURN_LAW = 2 * PERIOD_MS + FULL_SCAN_MS
# Subtracted: half a count of the measurement and the simulation's rounding.
_MV, _MA, _DC = 2, 150, 2

_NEVER = 1 << 30
_RELEASE_MA = 500  # default of undervoltage_release_ma

LIMITS = {
    limit.name: limit
    for limit in (
        Limit(
            "cell_overvoltage", "c", lambda t: max(_cells(t)) - 3650 - _MV, 1000 + _CELL_LAW,
            200, 5000,
        ),
        Limit(
            "cell_undervoltage", "d", lambda t: 2700 - min(_cells(t)) - _MV, 2000 + _CELL_LAW,
            300, 5000, charged=True,
        ),
        Limit(
            "deep_discharge", "cd", lambda t: 2000 - min(_cells(t)) - _MV, 5000 + _CELL_LAW,
            _NEVER, 0,
        ),
        Limit(
            "cell_imbalance", "c", lambda t: max(_cells(t)) - min(_cells(t)) - 900 - 2 * _MV,
            10000 + _CELL_LAW, 300, 10000,
        ),
        Limit(
            "pack_overvoltage", "c", lambda t: _mean(t) - 3620 - _MV, 2000 + _TURN_LAW,
            170, 5000, ("stack_mismatch",),
        ),
        Limit(
            "pack_undervoltage", "d", lambda t: 2800 - _mean(t) - _MV, 3000 + _TURN_LAW,
            200, 5000, charged=True,
        ),
        Limit(
            "overcurrent_charge", "c", lambda t: t["current_ma"] - 60000 - _MA, 3000 + _CELL_LAW,
            55000, 30000, _SHUNT,
        ),
        Limit(
            "overcurrent_discharge", "d", lambda t: -t["current_ma"] - 120000 - _MA,
            3000 + _CELL_LAW, 115000, 30000, _SHUNT,
        ),
        Limit(
            "overtemperature_charge", "c", lambda t: max(_sensors(t)) - 500 - _DC,
            2000 + _TURN_LAW, 50, 10000, _SENSORS,
        ),
        Limit(
            "overtemperature_discharge", "d", lambda t: max(_sensors(t)) - 600 - _DC,
            2000 + _TURN_LAW, 50, 10000, _SENSORS,
        ),
        Limit(
            "undertemperature_charge", "c", lambda t: -min(_sensors(t)) - _DC, 2000 + _TURN_LAW,
            30, 10000, _SENSORS,
        ),
        Limit(
            "undertemperature_discharge", "d", lambda t: -200 - min(_sensors(t)) - _DC,
            2000 + _TURN_LAW, 50, 10000, _SENSORS,
        ),
        Limit(
            "fet_overtemperature", "cd", lambda t: t["board_temperature_dc"] - 850 - _DC,
            2000 + _TURN_LAW, 150, 10000,
        ),
    )
}  # fmt: skip


def crossing(limit, statuses):
    """Second of the first status from which on the truth is beyond a limit at every one of
    `statuses`, up to the last; None if it is not at the last."""
    since = None
    for status in statuses:
        if limit.beyond(status["truth"]) > 0:
            since = status["t_s"] if since is None else since
        else:
            since = None
    return since


def spans(limit, statuses):
    """Yield the (first, last) statuses of every time in which the truth was beyond a limit."""
    first = last = None
    for status in statuses:
        if limit.beyond(status["truth"]) > 0:
            first = first or status
            last = status
        elif first:
            yield first, last
            first = None
    if first:
        yield first, last


def released_s(limit, statuses, person_s=0):
    """Second before which nothing may let a limit's gates on again: the truth was back across the
    release for its delay by then, at every one of `statuses`, which lie a second apart. None: it
    was not. person_s: when a person said that an empty pack may discharge, 0 if nobody did."""
    since_s = None
    for status in statuses:
        truth, t_s = status["truth"], status["t_s"]
        back = limit.beyond(truth) < -limit.back
        if limit.charged and not 0 < person_s <= t_s:
            back = back and truth["current_ma"] > _RELEASE_MA - _MA
        if not back:
            since_s = None
        elif since_s is None:
            since_s = t_s - 1  # or a moment after that
        if since_s is not None and t_s >= since_s + limit.release_ms / 1000:
            return since_s + limit.release_ms / 1000
    return None
