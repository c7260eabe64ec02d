"""What must open: each cause within its time, by its name, and for as long as it is there."""

from host_tests.campaign.case import BIT, BRIDGING, FLOWS_MA, LIMIT_POINT, PATH, WAY, is_bridging
from host_tests.campaign.record import FAULTS, NAMES
from host_tests.campaign.truth import LIMITS, released_s, spans

_SPARED_MA = 500  # default of body_diode_ma
_REPORT_MS = 100  # a point is as old as the last step
_SETTLE_S = 0.5  # a weld is told contactor_settle_ms (200) and two periods after the opening


def judge_opening(case):
    """Note times and violations; whether anything had to open."""
    opened = False
    for row, inject_s in zip(case.rows, case.episode.inject_s, strict=True):
        opened |= _judge_row(case, row, inject_s)
    _judge_unmasking(case)
    _judge_burned(case)
    return opened


def _judge_row(case, row, inject_s):
    opened = False
    others = [other for other in case.rows if other is not row and other.blinds]
    for cause, gates, since_s, law_ms, names, over_s in _causes(case, row, inject_s):
        within_ms = law_ms + case.contactors_ms(gates, cause)
        due_s = since_s + within_ms / 1000
        end_s = min(case.episode.mend_s, since_s + row.lasts_s, over_s)
        if due_s >= end_s:
            continue  # it was over before it had to be noticed
        opened = True
        for gate in gates:
            _judge_gate(case, row, cause, (gate, gates, within_ms), since_s, end_s)
        if not case.blind or row.blinds:
            _judge_name(case, row, _demanded(case, row, names, others, end_s - since_s), due_s)
        if row.blinds:
            _judge_blind(case, due_s, end_s)
    return opened


def _causes(case, row, inject_s):
    """(cause, directions, second from which it is there, ms, names, second from which it may
    be over) of all that must open."""
    if _is_hidden(case, row, inject_s):
        return
    if row.opens:
        others = [other for other in case.rows if other is not row and other.blinds]
        names = row.names
        for other in others:  # who blinds first is named
            names += other.names + other.also
        if row.fuse:
            names += _opened_first(case, row, inject_s + row.within_ms / 1000)
        at_s = 0.0 if case.episode.from_start else inject_s
        needed = row.needs and not case.episode.from_start  # there it comes on
        if needed and not case.record.is_on(row.needs, at_s - 0.001):
            return
        yield "injection", row.opens, at_s, row.within_ms, names, case.episode.mend_s
    for name in row.signals:
        limit = LIMITS[name]
        if any(other.name in limit.blind_to for other in case.rows):
            continue
        start_s = max(inject_s, 0.0)
        for first, last in spans(limit, case.record.between(start_s, case.episode.mend_s)):
            since_s = first["t_s"]
            if since_s - start_s <= 1.0:
                since_s = start_s  # it was there from the injection on
            if last["t_s"] - since_s >= limit.within_ms / 1000:
                over_s = _over_s(case, limit, last["t_s"])
                yield name, limit.gates, since_s, limit.within_ms, (name,), over_s


def _is_hidden(case, row, inject_s):
    """Whether another fault lets this one come to nothing, or nobody see it."""
    name, within_ms = row.hidden_by
    for other, other_s in zip(case.episode.faults, case.episode.inject_s, strict=True):
        if other == name and other_s - inject_s <= within_ms / 1000:
            return True
    return False


def _over_s(case, limit, last_s):
    """Second from which on a limit that was exceeded until last_s may be released: the second
    fault of a pair may take the first one's cause away, as where both move one cell."""
    statuses = case.record.between(last_s, case.episode.mend_s)
    over_s = released_s(limit, statuses, case.episode.early_clear_s)
    return case.episode.mend_s if over_s is None else over_s


def _demanded(case, row, names, others, stood_s):
    """The names of which one must be told: what stands long has others than a moment of it."""
    if not row.stubborn or others or stood_s < row.stubborn_s:
        return names
    other, instead = row.masked_by
    return instead if other in case.episode.faults else row.stubborn


def _opened_first(case, row, until_s):
    """Faults of the other cause that opened the path before the fuse could show."""
    logged = case.record.logged(int(case.first_s), until_s)
    return tuple(
        name
        for other in case.rows
        if other is not row
        for name in other.names + other.signals
        if name in logged and FAULTS.blocks[NAMES.index(name)] & BIT["d"]
    )


def _judge_gate(case, row, cause, way, since_s, end_s):
    record = case.record
    gate, _, within_ms = way
    taken_ms = record.off_after_ms(gate, since_s)
    bridged = _bridging(case, way, since_s, case.episode.mend_s)
    due_s = since_s + within_ms / 1000
    if taken_ms is not None and taken_ms <= within_ms:
        case.verdict.times_ms.append((row.name, cause, gate, round(taken_ms, 1), within_ms))
    elif case.holds_burned():
        return
    elif not any(due_s - 1 <= t_s <= due_s + 1.2 for t_s in bridged):
        case.violation(
            "late", due_s, "%s: %s gate off after %s ms, due after %d ms (%s)"
            % (row.name, gate, taken_ms and int(taken_ms), within_ms, cause),
        )  # fmt: skip
        return
    if row.retries_s:
        end_s = min(end_s, since_s + row.retries_s)
    for status in record.between(due_s + _REPORT_MS / 1000, end_s - 0.001):
        _judge_held(case, row, way, status)


def _judge_held(case, row, way, status):
    """One status of a time in which a direction must be off."""
    gate = way[0]
    truth, points = status["truth"], status["points"]
    t_s = status["t_s"]
    way_ma = truth["current_ma"] * WAY[gate]
    if case.is_held_on(way, status):
        case.violation("closed", t_s, "%s: %s gate on while blocked" % (row.name, gate))
    flows = way_ma > FLOWS_MA and not case.may_stay(way, status)
    if flows and not _welded(case, gate):
        case.violation("flows", t_s, "%s: current the blocked way" % row.name)
    if points[LIMIT_POINT[gate]] != 0:
        case.violation("limit", t_s, "%s: %s is not 0" % (row.name, LIMIT_POINT[gate]))


def _bridging(case, way, start_s, end_s):
    """Seconds at which a gate may be on, though blocked. A body diode may be spared between
    two statuses only: the log tells that, and the truth that current flowed the other way."""
    seconds = []
    spared_s = {
        event[2]
        for event in case.record.events_between(int(start_s), end_s)
        if event[3:5] == [PATH, BRIDGING]
    }
    for status in case.record.between(start_s, end_s):
        t_s = status["t_s"]
        other_way = status["truth"]["current_ma"] * WAY[way[0]] < -_SPARED_MA
        logged = other_way and not spared_s.isdisjoint((int(t_s), int(t_s) - 1))
        if logged or is_bridging(status["points"]) or case.may_stay(way, status):
            seconds.append(t_s)
    return seconds


def _welded(case, gate):
    names = case.episode.faults
    return ("charge_gate_welded" if gate == "c" else "discharge_gate_welded") in names or any(
        name.startswith("contactor_") or name == "precharge_relay_welded" for name in names
    )


def _judge_name(case, row, names, due_s):
    if not case.logged & set(names):
        case.violation("not logged", due_s, "%s: none of %s in the log" % (row.name, names))
    statuses = case.record.between(due_s + _REPORT_MS / 1000, case.episode.mend_s)
    if statuses and not any(set(names) & set(s["points"]["faults"]) for s in statuses):
        case.violation("not shown", due_s, "%s: none of %s shown" % (row.name, names))


def _judge_blind(case, due_s, end_s):
    for status in case.record.between(due_s + _REPORT_MS / 1000, end_s - 0.001):
        points = status["points"]
        for name in ("pack_voltage_mv", "current_ma", "soc_bp", "cell_max_mv"):
            if points[name] is not None:
                case.violation("stale shown", status["t_s"], "%s is not blank" % name)


def _judge_unmasking(case):
    """What shows only when the path opens is named once it did."""
    last_s = case.episode.mend_s - _SETTLE_S
    for row, inject_s in zip(case.rows, case.episode.inject_s, strict=True):
        if not row.unmasks or case.logged & set(row.unmasks):
            continue
        if case.record.opens_between(inject_s, last_s):
            text = "%s: opened, but none of %s" % (row.name, row.unmasks)
            case.violation("not logged", case.episode.mend_s, text)


def _judge_burned(case):
    """The firmware never burns contacts (docs/power-paths.md, "Opening" and "Closing"). Where
    the supply of the coils fails while a short circuit flows, they open before the fuse has
    blown and may burn: then they are named."""
    for contact, reason in case.burned.items():
        name = "contactor_%s_welded" % contact
        if not any(row.cuts_coils for row in case.rows) or "breaking" not in reason:
            case.violation("burned", case.first_s, "%s contactor: %s" % (contact, reason))
        if name not in case.logged:
            case.violation("not logged", case.episode.end_s, "%s: %s" % (name, reason))
