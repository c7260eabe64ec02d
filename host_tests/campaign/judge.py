"""Judges what a boot left behind: gates, log, limits and recovery against the expectations.

Gates and currents are the simulation's truth; names, limits and the log are what the firmware
says. Once an episode did not recover, nothing after it in the same boot is judged.
"""

from dataclasses import dataclass, field

from host_tests.campaign.record import FAULT, FAULTS, NAMES, Record
from host_tests.campaign.rows import (
    CONTACTORS,
    NEVER,
    PERIOD_MS,
    RAISED_BY_PAIRS,
    beside,
    rows_of,
)
from host_tests.campaign.truth import LIMITS, crossing, released_s, spans

LATCHING = {name for bit, name in enumerate(NAMES) if FAULTS.latching[bit]}
_UNDERVOLTAGES = {"cell_undervoltage", "pack_undervoltage"}  # charge current or a person
_REBOUNDS = "undervoltage_rebounds"
_EMPTIED_MIN = 1 + 3  # default of undervoltage_rebounds_max: the first time is no rebound
_LIMIT = {"c": "charge_current_limit_ma", "d": "discharge_current_limit_ma"}
_WAY = {"c": 1, "d": -1}
_FLOWS_MA = 1000
_SPARED_MA = 500  # default of body_diode_ma
_RELEASE_MA = 400  # less than undervoltage_release_ma, 500
_REPORT_MS = 100  # a point is as old as the last step
_REASON = {"c": "charge_limit_reason", "d": "discharge_limit_reason"}
_OTHER = {"c": "d", "d": "c"}
_BIT = {"c": 1, "d": 2}  # GATE_* of a single direction
_MOVE_MS = 100  # a contactor's armature
_RAMP_MS = 700 + PERIOD_MS + _MOVE_MS  # default of contactor_ramp_ms, counted in whole steps
_SETTLE_S = 0.5  # a weld is told contactor_settle_ms (200) and two periods after the opening
_PATH = 8  # kind of an event: bms.events
_PRECHARGING, _COOLING, _OPENING, _BRIDGING = 2, 3, 4, 7  # PATH_* of bms.points
_BLOCKED = 1  # what binds a limit: bms.limits
_COOLED_S = 60 + 3 + 2  # defaults of precharge_cooldown_s and precharge_time_max_ms, whole seconds
_CHANGES_MAX = 24  # of the gates in an episode: two faults that come, retry and go
_REPEATS = "afe_brownouts"
_TIMES_MAX = 4  # that one fault may begin in an episode
_FLOOR_MV = 1500 - 5  # cell_floor_mv
_FLOOR_S = 12  # of rest are asked for: 10 s, and a status before and after
_CALM_S = 30 + 2  # limits.md: half a minute of room; and two turns of the slow path
_REST_MA = 400  # less than what counts as rest, 500
# A closed path with another voltage on its bus (docs/power-paths.md, "Welds"): 1.5 s, two periods,
# the stack's scan and the armature, in statuses of a second; half a percent for the measurement.
_APART_S = 3
_APART_PERMILLE = (895, 1055)


@dataclass
class Violation:
    """kind: a word to count by."""

    kind: str
    faults: tuple
    t_s: float
    text: str


@dataclass
class Verdict:
    """times_ms: measured times to off by (fault, cause, direction), with their deadline."""

    judged: int = 0
    pairs: int = 0
    skipped: int = 0
    noticed: int = 0
    violations: list = field(default_factory=list)
    times_ms: list = field(default_factory=list)


def judge(boot, run):
    """The verdict on all episodes of a boot."""
    verdict = Verdict()
    record = Record(boot.pack, run)
    rows = rows_of(boot.pack)
    start_s = 0.0
    for episode in boot.episodes:
        if run.end.get("reason") != "duration" and run.end.get("t_s", 0) < episode.end_s:
            verdict.violations.append(
                Violation(
                    "ended", episode.faults, run.end.get("t_s", 0),
                    "the run ended: %s %s %s"
                    % (run.end.get("reason"), run.end.get("text"), run.output[-300:]),
                )
            )  # fmt: skip
            break
        judged = _Judgement(boot, episode, record, rows, start_s, verdict)
        judged.judge()
        verdict.judged += 1
        verdict.pairs += len(episode.faults) > 1
        start_s = episode.end_s
        if not judged.recovered:
            break
    verdict.skipped = len(boot.episodes) - verdict.judged
    return verdict


class _Judgement:
    """One episode. recovered: the next one can be judged."""

    def __init__(self, boot, episode, record, rows, start_s, verdict):
        self._boot = boot
        self._episode = episode
        self._record = record
        self._rows = [self._as_it_comes(rows[name]) for name in episode.faults]
        self._start_s = start_s
        self._verdict = verdict
        self._first_s = min(episode.inject_s)
        self._logged = record.logged(int(self._first_s), episode.end_s + 1)
        self._shown = set()
        for status in record.between(self._first_s, episode.end_s):
            self._shown.update(status["points"].get("faults") or ())
        self._blind = any(row.blinds for row in self._rows)
        self._burned = self._find_burned()
        self._said = set()
        self.recovered = True

    def _as_it_comes(self, row):
        """The row beside what is there when it comes."""
        inject_s = dict(zip(self._episode.faults, self._episode.inject_s, strict=True))
        return beside(row, [name for name in inject_s if inject_s[name] <= inject_s[row.name]])

    def judge(self):
        """Collect times and violations in the verdict."""
        opened = False
        for row, inject_s in zip(self._rows, self._episode.inject_s, strict=True):
            opened |= self._judge_row(row, inject_s)
        self._judge_unmasking()
        self._judge_burned()
        self._judge_truth()
        self._judge_consistency()
        self._judge_chatter()
        self._judge_names()
        self._judge_harmless()
        self._judge_recovery()
        self._verdict.noticed += opened

    def _violation(self, kind, t_s, text):
        if (kind, text) in self._said:
            return  # the first time says it
        self._said.add((kind, text))
        self._verdict.violations.append(Violation(kind, self._episode.faults, t_s, text))

    # What must open

    def _judge_row(self, row, inject_s):
        opened = False
        others = [other for other in self._rows if other is not row and other.blinds]
        for cause, gates, since_s, law_ms, names, over_s in self._causes(row, inject_s):
            within_ms = law_ms + self._contactors_ms(gates, cause)
            due_s = since_s + within_ms / 1000
            end_s = min(self._episode.mend_s, since_s + row.lasts_s, over_s)
            if due_s >= end_s:
                continue  # it was over before it had to be noticed
            opened = True
            for gate in gates:
                self._judge_gate(row, cause, (gate, gates, within_ms), since_s, end_s)
            if not self._blind or row.blinds:
                self._judge_name(row, self._demanded(row, names, others, end_s - since_s), due_s)
            if row.blinds:
                self._judge_blind(due_s, end_s)
        return opened

    def _causes(self, row, inject_s):
        """(cause, directions, second from which it is there, ms, names, second from which it may
        be over) of all that must open."""
        if self._is_hidden(row, inject_s):
            return
        if row.opens:
            others = [other for other in self._rows if other is not row and other.blinds]
            names = row.names
            for other in others:  # who blinds first is named
                names += other.names + other.also
            if row.fuse:
                names += self._opened_first(row, inject_s + row.within_ms / 1000)
            at_s = 0.0 if self._episode.from_start else inject_s
            needed = row.needs and not self._episode.from_start  # there it comes on
            if needed and not self._record.is_on(row.needs, at_s - 0.001):
                return
            yield "injection", row.opens, at_s, row.within_ms, names, self._episode.mend_s
        for name in row.signals:
            limit = LIMITS[name]
            if any(other.name in limit.blind_to for other in self._rows):
                continue
            start_s = max(inject_s, 0.0)
            for first, last in spans(limit, self._record.between(start_s, self._episode.mend_s)):
                since_s = first["t_s"]
                if since_s - start_s <= 1.0:
                    since_s = start_s  # it was there from the injection on
                if last["t_s"] - since_s >= limit.within_ms / 1000:
                    over_s = self._over_s(limit, last["t_s"])
                    yield name, limit.gates, since_s, limit.within_ms, (name,), over_s

    def _is_hidden(self, row, inject_s):
        """Whether another fault lets this one come to nothing, or nobody see it."""
        name, within_ms = row.hidden_by
        for other, other_s in zip(self._episode.faults, self._episode.inject_s, strict=True):
            if other == name and other_s - inject_s <= within_ms / 1000:
                return True
        return False

    def _over_s(self, limit, last_s):
        """Second from which on a limit that was exceeded until last_s may be released: the second
        fault of a pair may take the first one's cause away, as where both move one cell."""
        statuses = self._record.between(last_s, self._episode.mend_s)
        over_s = released_s(limit, statuses, self._episode.early_clear_s)
        return self._episode.mend_s if over_s is None else over_s

    def _demanded(self, row, names, others, stood_s):
        """The names of which one must be told: what stands long has others than a moment of it."""
        if not row.stubborn or others or stood_s < row.stubborn_s:
            return names
        other, instead = row.masked_by
        return instead if other in self._episode.faults else row.stubborn

    def _opened_first(self, row, until_s):
        """Faults of the other cause that opened the path before the fuse could show."""
        logged = self._record.logged(int(self._first_s), until_s)
        return tuple(
            name
            for other in self._rows
            if other is not row
            for name in other.names + other.signals
            if name in logged and FAULTS.blocks[NAMES.index(name)] & _BIT["d"]
        )

    def _contactors_ms(self, gates, cause):
        if self._boot.pack != CONTACTORS:
            return 0
        return _MOVE_MS if gates == "cd" and cause == "injection" else _RAMP_MS

    def _judge_gate(self, row, cause, way, since_s, end_s):
        """way: the direction, all that this cause blocks, and the ms that it may take."""
        record = self._record
        gate, _, within_ms = way
        taken_ms = record.off_after_ms(gate, since_s)
        bridged = self._bridging(way, since_s, self._episode.mend_s)
        due_s = since_s + within_ms / 1000
        if taken_ms is not None and taken_ms <= within_ms:
            self._verdict.times_ms.append((row.name, cause, gate, round(taken_ms, 1), within_ms))
        elif self._holds_burned():
            return
        elif not any(due_s - 1 <= t_s <= due_s + 1.2 for t_s in bridged):
            self._violation(
                "late", due_s, "%s: %s gate off after %s ms, due after %d ms (%s)"
                % (row.name, gate, taken_ms and int(taken_ms), within_ms, cause),
            )  # fmt: skip
            return
        if row.retries_s:
            end_s = min(end_s, since_s + row.retries_s)
        for status in record.between(due_s + _REPORT_MS / 1000, end_s - 0.001):
            self._judge_held(row, way, status)

    def _judge_held(self, row, way, status):
        """One status of a time in which a direction must be off."""
        gate = way[0]
        truth, points = status["truth"], status["points"]
        t_s = status["t_s"]
        way_ma = truth["current_ma"] * _WAY[gate]
        if self._is_held_on(way, status):
            self._violation("closed", t_s, "%s: %s gate on while blocked" % (row.name, gate))
        flows = way_ma > _FLOWS_MA and not self._may_stay(way, status)
        if flows and not self._welded(gate):
            self._violation("flows", t_s, "%s: current the blocked way" % row.name)
        if points[_LIMIT[gate]] != 0:
            self._violation("limit", t_s, "%s: %s is not 0" % (row.name, _LIMIT[gate]))

    def _is_held_on(self, way, status):
        """Whether a gate was on when the points were made, and not to spare its body diode, nor
        as a contactor that carries the other direction."""
        on = self._record.is_on(way[0], status["t_s"] - 0.001)
        return on and not _is_bridging(status["points"]) and not self._may_stay(way, status)

    def _may_stay(self, way, status):
        """Contactors can not block one direction alone (docs/power-paths.md, "One direction
        blocked"): they may stay closed while nothing but that direction is blocked, by its cause
        and in the firmware's word, and no current flows that way for longer than the ramp."""
        gate, gates, _ = way
        if self._boot.pack != CONTACTORS or gates != gate:
            return False
        blocked = 0
        for name in status["points"].get("faults") or ():
            blocked |= FAULTS.blocks[NAMES.index(name)]
        t_s = status["t_s"]
        if blocked == _BIT["c"] | _BIT["d"] and status["points"]["path_state"] == _OPENING:
            # The other one was blocked a moment ago, and its current has time to fall.
            opened_ms = self._record.off_after_ms(gate, t_s)
            return opened_ms is not None and opened_ms <= _RAMP_MS
        if blocked != _BIT[gate] and (blocked or not self._is_withheld(way, status)):
            return False
        statuses = self._record.between(t_s - _RAMP_MS / 1000 - 1, t_s)
        return any(each["truth"]["current_ma"] * _WAY[gate] <= _FLOWS_MA for each in statuses)

    def _is_withheld(self, way, status):
        """Whether contactors closed with a direction blocked that has no name yet: a cause that
        was there when measuring began, as after a restart of the chip, has its delay before it is
        a fault, and is not let on meanwhile (bms.battery, `_permit`)."""
        gate, _, within_ms = way
        points, t_s = status["points"], status["t_s"]
        return (
            points[_REASON[gate]] == _BLOCKED
            and points[_REASON[_OTHER[gate]]] != _BLOCKED
            and self._record.is_on(gate, t_s - 0.001)
            and t_s - self._record.on_since_s(gate, t_s - 0.001) <= within_ms / 1000
        )

    def _bridging(self, way, start_s, end_s):
        """Seconds at which a gate may be on, though blocked. A body diode may be spared between
        two statuses only: the log tells that, and the truth that current flowed the other way."""
        seconds = []
        spared_s = {
            event[2]
            for event in self._record.events_between(int(start_s), end_s)
            if event[3:5] == [_PATH, _BRIDGING]
        }
        for status in self._record.between(start_s, end_s):
            t_s = status["t_s"]
            other_way = status["truth"]["current_ma"] * _WAY[way[0]] < -_SPARED_MA
            logged = other_way and not spared_s.isdisjoint((int(t_s), int(t_s) - 1))
            if logged or _is_bridging(status["points"]) or self._may_stay(way, status):
                seconds.append(t_s)
        return seconds

    def _welded(self, gate):
        names = self._episode.faults
        return ("charge_gate_welded" if gate == "c" else "discharge_gate_welded") in names or any(
            name.startswith("contactor_") or name == "precharge_relay_welded" for name in names
        )

    def _judge_name(self, row, names, due_s):
        if not self._logged & set(names):
            self._violation("not logged", due_s, "%s: none of %s in the log" % (row.name, names))
        statuses = self._record.between(due_s + _REPORT_MS / 1000, self._episode.mend_s)
        if statuses and not any(set(names) & set(s["points"]["faults"]) for s in statuses):
            self._violation("not shown", due_s, "%s: none of %s shown" % (row.name, names))

    def _judge_blind(self, due_s, end_s):
        for status in self._record.between(due_s + _REPORT_MS / 1000, end_s - 0.001):
            points = status["points"]
            for name in ("pack_voltage_mv", "current_ma", "soc_bp", "cell_max_mv"):
                if points[name] is not None:
                    self._violation("stale shown", status["t_s"], "%s is not blank" % name)

    def _judge_unmasking(self):
        """What shows only when the path opens is named once it did."""
        last_s = self._episode.mend_s - _SETTLE_S
        for row, inject_s in zip(self._rows, self._episode.inject_s, strict=True):
            if not row.unmasks or self._logged & set(row.unmasks):
                continue
            if self._record.opens_between(inject_s, last_s):
                text = "%s: opened, but none of %s" % (row.name, row.unmasks)
                self._violation("not logged", self._episode.mend_s, text)

    def _find_burned(self):
        """By the truth: main contacts that burned together in this episode, with their reason."""
        before = self._record.between(0, self._first_s)
        known = len(before[-1]["truth"]["welds"]) if before else 0
        statuses = self._record.between(self._first_s, self._episode.end_s)
        return dict(statuses[-1]["truth"]["welds"][known:]) if statuses else {}

    def _holds_burned(self):
        """Whether contacts that burned together keep the path closed: nobody can open it."""
        return {"positive", "negative"} <= set(self._burned)

    def _judge_burned(self):
        """The firmware never burns contacts (docs/power-paths.md, "Opening" and "Closing"). Where
        the supply of the coils fails while a short circuit flows, they open before the fuse has
        blown and may burn: then they are named."""
        for contact, reason in self._burned.items():
            name = "contactor_%s_welded" % contact
            if not any(row.cuts_coils for row in self._rows) or "breaking" not in reason:
                self._violation("burned", self._first_s, "%s contactor: %s" % (contact, reason))
            if name not in self._logged:
                self._violation("not logged", self._episode.end_s, "%s: %s" % (name, reason))

    # What must never be

    def _judge_truth(self):
        """From truth alone: nothing stays beyond its trip for longer than it may."""
        statuses = self._record.between(self._start_s, self._episode.end_s)
        for limit in LIMITS.values():
            if any(row.name in limit.blind_to for row in self._rows):
                continue
            for first, last in spans(limit, statuses):
                allowed_ms = limit.within_ms + self._contactors_ms(limit.gates, limit.name)
                if last["t_s"] - first["t_s"] <= allowed_ms / 1000:
                    continue
                for status in self._record.between(
                    first["t_s"] + allowed_ms / 1000 + 0.1, last["t_s"]
                ):
                    self._judge_beyond(limit, status, allowed_ms)

    def _judge_beyond(self, limit, status, allowed_ms):
        for gate in limit.gates:
            if self._is_held_on((gate, limit.gates, allowed_ms), status):
                if limit.name.startswith("overcurrent") and not self._flows_long(limit, status):
                    continue
                self._violation(
                    "danger", status["t_s"], "%s by the truth, %s gate on" % (limit.name, gate)
                )

    def _flows_long(self, limit, status):
        start_s = status["t_s"] - limit.within_ms / 1000 - 1
        statuses = self._record.between(start_s, status["t_s"])
        since_s = crossing(limit, statuses)
        return since_s is not None and since_s <= start_s + 1

    def _judge_consistency(self):
        """What the firmware shows about itself fits together, at every moment."""
        for status in self._record.between(self._start_s, self._episode.end_s):
            points = status["points"]
            if not points:
                continue
            names = points["faults"]
            for gate, letter in (("c", 1), ("d", 2)):
                blocked = [name for name in names if FAULTS.blocks[NAMES.index(name)] & letter]
                if blocked and points[_LIMIT[gate]]:
                    self._violation(
                        "limit", status["t_s"], "%s with %s" % (_LIMIT[gate], ", ".join(blocked))
                    )

    def _judge_chatter(self):
        changes = self._record.changes_between(self._first_s, self._episode.end_s)
        if changes > _CHANGES_MAX:
            self._violation("chatters", self._first_s, "more than %d changes" % _CHANGES_MAX)
        events = self._record.events_between(self._first_s, self._episode.end_s)
        faults = [event[4] for event in events if event[3] == FAULT]
        if _REPEATS in self._episode.faults:
            return  # its cause comes anew every two seconds, and so do its signs
        for bit in sorted(set(faults)):
            if faults.count(bit) > _TIMES_MAX:
                text = "fault %s began more than %d times" % (NAMES[bit], _TIMES_MAX)
                self._violation("chatters", self._first_s, text)

    def _judge_names(self):
        expected = set(RAISED_BY_PAIRS.get(frozenset(self._episode.faults), ()))
        for row in self._rows:
            expected.update(row.names, row.also, row.signals, row.unmasks)
            if len(self._rows) > 1:
                expected.update(row.with_others)
        expected.update("contactor_%s_welded" % contact for contact in self._burned)
        if self._logged & _UNDERVOLTAGES & expected and self._may_rebound():
            expected.add(_REBOUNDS)
        for name in sorted((self._logged | self._shown) - expected):
            self._violation("unexpected", self._first_s, "fault %s" % name)

    def _may_rebound(self):
        """Whether the pack was empty so often since the start that the next time is a rebound too
        many. Every undervoltage counts, also one that the chip sees through a wrong lead."""
        emptied = {
            event[2]
            for event in self._record.events_between(0, self._episode.end_s)
            if event[3] == FAULT and NAMES[event[4]] in _UNDERVOLTAGES
        }
        return len(emptied) >= _EMPTIED_MIN

    def _judge_harmless(self):
        """Faults that open nothing by themselves: no gate moves. One that was there from the start
        may not keep the gates from closing, once."""
        if any(row.opens or row.signals or row.also for row in self._rows):
            return
        since_us = self._first_s * 1e6
        if self._episode.from_start:
            closed_us = [change[0] for change in self._record.changes if all(change[1:])]
            since_us = closed_us[0] + 1 if closed_us else since_us
        for change in self._record.changes:
            if since_us <= change[0] <= self._episode.clear_s * 1e6:
                self._violation("opened", change[0] / 1e6, "a gate moved: %s" % (change[1:],))
                return

    # How it ends

    def _judge_recovery(self):
        episode = self._episode
        if any(row.ends == NEVER for row in self._rows):
            self.recovered = False
            self._judge_never()
            return
        sticky = self._sticky()
        before = self._record.between(episode.clear_s - 2.001, episode.clear_s - 0.001)
        if before and sticky:
            self._judge_latched(sticky, before[-1])
        elif before and not self._is_filling_again(before[-1]):
            fresh = any(status["points"]["faults"] for status in before[:-1])
            self._judge_well(before[-1], "not recovered", "by itself", fresh)
        last = self._record.between(episode.end_s - 1.001, episode.end_s)[-1]
        self.recovered = self._judge_well(last, "not recovered", "after `clear`")

    def _is_filling_again(self, status):
        """Whether a try to fill the bus failed while the cause was there, and the resistor has its
        time to cool (docs/power-paths.md, "Predischarge")."""
        if status["points"].get("path_state") not in (_PRECHARGING, _COOLING):
            return False
        failed_s = [
            event[2]
            for event in self._record.events_between(int(self._first_s), self._episode.mend_s)
            if event[3:5] == [_PATH, _COOLING]
        ]
        return bool(failed_s) and status["t_s"] - failed_s[-1] <= _COOLED_S

    def _sticky(self):
        """Faults of this episode that stand until charge current or a person ends them."""
        sticky = (self._logged | self._shown) & LATCHING
        episode = self._episode
        statuses = self._record.between(episode.mend_s, episode.clear_s)
        empty = (self._logged | self._shown) & _UNDERVOLTAGES
        if not empty or any(s["truth"]["current_ma"] > _RELEASE_MA for s in statuses):
            return sticky
        if episode.early_clear_s:
            return sticky  # a person already said that voltage alone may end it
        return sticky | empty

    def _judge_latched(self, sticky, status):
        if self._early_clear_may_have_worked():
            return
        for name in sorted(sticky - set(status["points"]["faults"])):
            self._violation("not latched", status["t_s"], "%s is gone without `clear`" % name)

    def _early_clear_may_have_worked(self):
        """`clear` before the cause of one fault of a pair is gone may clear the other's."""
        return self._episode.early_clear_s and len(self._rows) > 1

    def _judge_well(self, status, kind, how, fresh=False):
        """fresh: a fault was there a moment ago. What is offered begins at nothing then, and rises
        once a second; after a curve it rises when there was room for half a minute (limits.md)."""
        points = status["points"]
        fresh = fresh or status["t_s"] - self._episode.mend_s <= _CALM_S
        wrong = []
        if points["faults"]:
            wrong.append("faults %s" % ", ".join(points["faults"]))
        if any(_sticks(name) for name in points["faults"]) and how == "by itself":
            return True
        for gate in "cd":
            if not self._record.is_on(gate, status["t_s"]):
                wrong.append("%s gate off" % gate)
            if not points[_LIMIT[gate]] and not fresh:
                wrong.append("%s is %s" % (_LIMIT[gate], points[_LIMIT[gate]]))
        if wrong:
            self._violation(kind, status["t_s"], "%s: %s" % (how, "; ".join(wrong)))
        return not wrong

    def _judge_never(self):
        last = self._record.between(self._episode.end_s - 1.001, self._episode.end_s)[-1]
        if not self._reached_the_end():
            return
        row = next(row for row in self._rows if row.ends == NEVER)
        if row.stands and not set(row.stands) & set(last["points"]["faults"]):
            self._violation("not latched", last["t_s"], "none of %s stands" % (row.stands,))
        if row.fuse:
            self._judge_blown()
            return
        for gate in "cd":
            if self._record.is_on(gate, last["t_s"]):
                self._violation("closed", last["t_s"], "%s gate on for ever blocked" % gate)

    def _judge_blown(self):
        """Behind a blown fuse a closed path shows by its bus, which a load empties or a charger
        holds. After `clear` it may close and be tried; while the bus has the pack's voltage from
        elsewhere (a charger asked for just that), nothing tells it from one that is well."""
        if self._holds_burned():
            return
        closed_s = 0
        for status in self._record.between(self._first_s, self._episode.end_s):
            truth = status["truth"]
            share = 1000 * truth["bus_mv"] // truth["pack_voltage_mv"]
            apart = not _APART_PERMILLE[0] <= share <= _APART_PERMILLE[1]
            on = self._record.is_on("d", status["t_s"])
            closed_s = closed_s + 1 if on and apart and truth["fuse_blown"] else 0
            if closed_s > _APART_S:
                self._violation("closed", status["t_s"], "on, and the fuse is blown")

    def _reached_the_end(self):
        """Whether what never ends came about: a cell rested below the floor in everybody's view,
        or the fuse is blown."""
        statuses = self._record.between(min(self._episode.inject_s), self._episode.mend_s)
        if any(status["truth"]["fuse_blown"] for status in statuses):
            return True
        resting_s = 0
        for status in statuses:
            truth = status["truth"]
            dead = (
                min(truth["cell_voltage_mv"]) < _FLOOR_MV and abs(truth["current_ma"]) < _REST_MA
            )
            resting_s = resting_s + 1 if dead else 0
            if resting_s > _FLOOR_S:
                return not self._blind
        return False


def _is_bridging(points):
    return points.get("path_state") == _BRIDGING


def _sticks(name):
    return name in LATCHING or name in _UNDERVOLTAGES
