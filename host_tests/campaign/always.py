"""What must never be, whatever was injected: to stay beyond a trip, limits that do not fit the
faults, chatter, faults that nothing explains, a gate that moves for a harmless fault.
"""

from host_tests.campaign.case import BIT, LIMIT_POINT, UNDERVOLTAGES
from host_tests.campaign.record import FAULT, FAULTS, NAMES
from host_tests.campaign.rows import RAISED_BY_PAIRS
from host_tests.campaign.truth import LIMITS, crossing, spans

_REBOUNDS = "undervoltage_rebounds"
_EMPTIED_MIN = 1 + 3  # default of undervoltage_rebounds_max: the first time is no rebound
_CHANGES_MAX = 24  # of the gates in an episode: two faults that come, retry and go
_REPEATS = "afe_brownouts"
_TIMES_MAX = 4  # that one fault may begin in an episode


def judge_always(case):
    """Note violations of what holds in every episode."""
    _judge_truth(case)
    _judge_consistency(case)
    _judge_chatter(case)
    _judge_names(case)
    _judge_harmless(case)


def _judge_truth(case):
    """From truth alone: nothing stays beyond its trip for longer than it may."""
    statuses = case.record.between(case.start_s, case.episode.end_s)
    for limit in LIMITS.values():
        if any(row.name in limit.blind_to for row in case.rows):
            continue
        for first, last in spans(limit, statuses):
            allowed_ms = limit.within_ms + case.contactors_ms(limit.gates, limit.name)
            if last["t_s"] - first["t_s"] <= allowed_ms / 1000:
                continue
            for status in case.record.between(first["t_s"] + allowed_ms / 1000 + 0.1, last["t_s"]):
                _judge_beyond(case, limit, status, allowed_ms)


def _judge_beyond(case, limit, status, allowed_ms):
    for gate in limit.gates:
        if case.is_held_on((gate, limit.gates, allowed_ms), status):
            if limit.name.startswith("overcurrent") and not _flows_long(case, limit, status):
                continue
            case.violation(
                "danger", status["t_s"], "%s by the truth, %s gate on" % (limit.name, gate)
            )


def _flows_long(case, limit, status):
    start_s = status["t_s"] - limit.within_ms / 1000 - 1
    statuses = case.record.between(start_s, status["t_s"])
    since_s = crossing(limit, statuses)
    return since_s is not None and since_s <= start_s + 1


def _judge_consistency(case):
    """What the firmware shows about itself fits together, at every moment."""
    for status in case.record.between(case.start_s, case.episode.end_s):
        points = status["points"]
        if not points:
            continue
        names = points["faults"]
        for gate, letter in BIT.items():
            blocked = [name for name in names if FAULTS.blocks[NAMES.index(name)] & letter]
            if blocked and points[LIMIT_POINT[gate]]:
                case.violation(
                    "limit", status["t_s"], "%s with %s" % (LIMIT_POINT[gate], ", ".join(blocked))
                )


def _judge_chatter(case):
    changes = case.record.changes_between(case.first_s, case.episode.end_s)
    if changes > _CHANGES_MAX:
        case.violation("chatters", case.first_s, "more than %d changes" % _CHANGES_MAX)
    events = case.record.events_between(case.first_s, case.episode.end_s)
    faults = [event[4] for event in events if event[3] == FAULT]
    if _REPEATS in case.episode.faults:
        return  # its cause comes anew every two seconds, and so do its signs
    for bit in sorted(set(faults)):
        if faults.count(bit) > _TIMES_MAX:
            text = "fault %s began more than %d times" % (NAMES[bit], _TIMES_MAX)
            case.violation("chatters", case.first_s, text)


def _judge_names(case):
    expected = set(RAISED_BY_PAIRS.get(frozenset(case.episode.faults), ()))
    for row in case.rows:
        expected.update(row.names, row.also, row.signals, row.unmasks)
        if len(case.rows) > 1:
            expected.update(row.with_others)
    expected.update("contactor_%s_welded" % contact for contact in case.burned)
    if case.logged & UNDERVOLTAGES & expected and _may_rebound(case):
        expected.add(_REBOUNDS)
    for name in sorted((case.logged | case.shown) - expected):
        case.violation("unexpected", case.first_s, "fault %s" % name)


def _may_rebound(case):
    """Whether the pack was empty so often since the start that the next time is a rebound too
    many. Every undervoltage counts, also one that the chip sees through a wrong lead."""
    emptied = {
        event[2]
        for event in case.record.events_between(0, case.episode.end_s)
        if event[3] == FAULT and NAMES[event[4]] in UNDERVOLTAGES
    }
    return len(emptied) >= _EMPTIED_MIN


def _judge_harmless(case):
    """Faults that open nothing by themselves: no gate moves. One that was there from the start
    may not keep the gates from closing, once."""
    if any(row.opens or row.signals or row.also for row in case.rows):
        return
    since_us = case.first_s * 1e6
    if case.episode.from_start:
        closed_us = [change[0] for change in case.record.changes if all(change[1:])]
        since_us = closed_us[0] + 1 if closed_us else since_us
    for change in case.record.changes:
        if since_us <= change[0] <= case.episode.clear_s * 1e6:
            case.violation("opened", change[0] / 1e6, "a gate moved: %s" % (change[1:],))
            return
