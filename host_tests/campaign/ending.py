"""How an episode ends: by itself, after a person's word, or never."""

from host_tests.campaign.case import LIMIT_POINT, PATH, UNDERVOLTAGES
from host_tests.campaign.record import FAULTS, NAMES
from host_tests.campaign.rows import NEVER

_LATCHING = {name for bit, name in enumerate(NAMES) if FAULTS.latching[bit]}
_RELEASE_MA = 400  # less than undervoltage_release_ma, 500
_PRECHARGING, _COOLING = 2, 3  # PATH_* of bms.points
_COOLED_S = 60 + 3 + 2  # defaults of precharge_cooldown_s and precharge_time_max_ms, whole seconds
_FLOOR_MV = 1500 - 5  # cell_floor_mv
_FLOOR_S = 12  # of rest are asked for: 10 s, and a status before and after
_REST_MA = 400  # less than what counts as rest, 500
_CALM_S = 30 + 2  # limits.md: half a minute of room; and two turns of the slow path
_LOG, _FLASH = "event_log_failed", "flash_failing"
_PAUSE_MAX_S = 60
_RISING_S = 2  # limits.md: what a path blocked begins at 0; two turns of the slow path
# A closed path with another voltage on its bus (docs/power-paths.md, "Welds"): 1.5 s, two periods,
# the stack's scan and the armature, in statuses of a second; half a percent for the measurement.
_APART_S = 3
_APART_PERMILLE = (895, 1055)


def judge_ending(case):
    """Note violations, and whether the next episode can be judged."""
    episode = case.episode
    if any(row.ends == NEVER for row in case.rows):
        case.recovered = False
        _judge_never(case)
        return
    sticky = _sticky(case)
    before = case.record.between(episode.clear_s - 2.001, episode.clear_s - 0.001)
    if before and sticky:
        _judge_latched(case, sticky, before[-1])
    elif before and not _is_filling_again(case, before[-1]):
        fresh = any(status["points"]["faults"] for status in before[:-1])
        _judge_well(case, before[-1], "not recovered", "by itself", fresh)
    last = case.record.between(episode.end_s - 1.001, episode.end_s)[-1]
    case.recovered = _judge_well(case, last, "not recovered", "after `clear`")


def _is_filling_again(case, status):
    """Whether a try to fill the bus failed while the cause was there, and the resistor has its
    time to cool (docs/power-paths.md, "Predischarge")."""
    if status["points"].get("path_state") not in (_PRECHARGING, _COOLING):
        return False
    failed_s = [
        event[2]
        for event in case.record.events_between(int(case.first_s), case.episode.mend_s)
        if event[3:5] == [PATH, _COOLING]
    ]
    return bool(failed_s) and status["t_s"] - failed_s[-1] <= _COOLED_S


def _sticky(case):
    """Faults of this episode that stand until charge current or a person ends them."""
    sticky = (case.logged | case.shown) & _LATCHING
    episode = case.episode
    statuses = case.record.between(episode.mend_s, episode.clear_s)
    empty = (case.logged | case.shown) & UNDERVOLTAGES
    if not empty or any(s["truth"]["current_ma"] > _RELEASE_MA for s in statuses):
        return sticky
    if episode.early_clear_s:
        return sticky  # a person already said that voltage alone may end it
    return sticky | empty


def _judge_latched(case, sticky, status):
    if _early_clear_may_have_worked(case):
        return
    for name in sorted(sticky - set(status["points"]["faults"])):
        case.violation("not latched", status["t_s"], "%s is gone without `clear`" % name)


def _early_clear_may_have_worked(case):
    """`clear` before the cause of one fault of a pair is gone may clear the other's."""
    return case.episode.early_clear_s and len(case.rows) > 1


def _judge_well(case, status, kind, how, fresh=False):
    """fresh: a fault was there a moment ago. What is offered begins at nothing then, and rises
    once a second; after a curve it rises when there was room for half a minute (limits.md)."""
    points = status["points"]
    fresh = fresh or status["t_s"] - case.episode.mend_s <= _CALM_S
    wrong = []
    faults = [name for name in points["faults"] if name != _LOG or not _is_pausing(case, status)]
    if faults:
        wrong.append("faults %s" % ", ".join(faults))
    if any(_sticks(name) for name in faults) and how == "by itself":
        return True
    for gate in "cd":
        if not case.record.is_on(gate, status["t_s"]):
            wrong.append("%s gate off" % gate)
        elif not points[LIMIT_POINT[gate]] and not fresh and not _is_just_on(case, status):
            wrong.append("%s is %s" % (LIMIT_POINT[gate], points[LIMIT_POINT[gate]]))
    if wrong:
        case.violation(kind, status["t_s"], "%s: %s" % (how, "; ".join(wrong)))
    return not wrong


def _is_pausing(case, status):
    """Whether the flash works again, and nothing is written yet: every try may stall the
    processor, so failed ones are 2, 4, 8 s and so on apart (recorder.recorder), and the last pause
    is at most 2 s longer than they went on. A second each for counting pauses and statuses."""
    episode = case.episode
    if _FLASH not in episode.faults:
        return False
    stood_s = episode.mend_s - episode.inject_s[episode.faults.index(_FLASH)]
    return status["t_s"] - episode.mend_s <= min(_PAUSE_MAX_S, stood_s + 2) + 2


def _is_just_on(case, status):
    """Whether the path came on a moment ago. One that is filling a bus holds back both directions,
    though the charge gate is on already."""
    t_s = status["t_s"]
    return any(t_s - case.record.on_since_s(gate, t_s) <= _RISING_S for gate in "cd")


def _judge_never(case):
    last = case.record.between(case.episode.end_s - 1.001, case.episode.end_s)[-1]
    if not _reached_the_end(case):
        return
    row = next(row for row in case.rows if row.ends == NEVER)
    if row.stands and not set(row.stands) & set(last["points"]["faults"]):
        case.violation("not latched", last["t_s"], "none of %s stands" % (row.stands,))
    if row.fuse:
        _judge_blown(case)
        return
    for gate in "cd":
        if case.record.is_on(gate, last["t_s"]):
            case.violation("closed", last["t_s"], "%s gate on for ever blocked" % gate)


def _judge_blown(case):
    """Behind a blown fuse a closed path shows by its bus, which a load empties or a charger
    holds. After `clear` it may close and be tried; while the bus has the pack's voltage from
    elsewhere (a charger asked for just that), nothing tells it from one that is well."""
    if case.holds_burned():
        return
    closed_s = 0
    for status in case.record.between(case.first_s, case.episode.end_s):
        truth = status["truth"]
        share = 1000 * truth["bus_mv"] // truth["pack_voltage_mv"]
        apart = not _APART_PERMILLE[0] <= share <= _APART_PERMILLE[1]
        on = case.record.is_on("d", status["t_s"])
        closed_s = closed_s + 1 if on and apart and truth["fuse_blown"] else 0
        if closed_s > _APART_S:
            case.violation("closed", status["t_s"], "on, and the fuse is blown")


def _reached_the_end(case):
    """Whether what never ends came about: a cell rested below the floor in everybody's view,
    or the fuse is blown."""
    statuses = case.record.between(min(case.episode.inject_s), case.episode.mend_s)
    if any(status["truth"]["fuse_blown"] for status in statuses):
        return True
    resting_s = 0
    for status in statuses:
        truth = status["truth"]
        dead = min(truth["cell_voltage_mv"]) < _FLOOR_MV and abs(truth["current_ma"]) < _REST_MA
        resting_s = resting_s + 1 if dead else 0
        if resting_s > _FLOOR_S:
            return not case.blind
    return False


def _sticks(name):
    return name in _LATCHING or name in UNDERVOLTAGES
