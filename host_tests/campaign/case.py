"""One episode under judgement: what was injected, what the record tells of it, which gate may be
on although it is blocked, and the violations that are noted.

Gates and currents are the simulation's truth; names, limits and the log are what the firmware
says.

way, in all of these files: the direction in question, all directions that its cause blocks, and
the ms in which they must be off.
"""

from dataclasses import dataclass, field

from host_tests.campaign.record import FAULTS, NAMES
from host_tests.campaign.rows import CONTACTORS, PERIOD_MS, beside

WAY = {"c": 1, "d": -1}  # sign of the current of a direction
BIT = {"c": 1, "d": 2}  # GATE_* of a single direction
LIMIT_POINT = {"c": "charge_current_limit_ma", "d": "discharge_current_limit_ma"}
FLOWS_MA = 1000
UNDERVOLTAGES = {"cell_undervoltage", "pack_undervoltage"}  # charge current or a person
PATH = 8  # kind of an event: bms.events
_MOVE_MS = 100  # a contactor's armature
_RAMP_MS = 700 + PERIOD_MS + _MOVE_MS  # default of contactor_ramp_ms, counted in whole steps
_REASON = {"c": "charge_limit_reason", "d": "discharge_limit_reason"}
_OTHER = {"c": "d", "d": "c"}
_BLOCKED = 1  # what binds a limit: bms.limits
_OPENING, BRIDGING = 4, 7  # PATH_* of bms.points


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


class Case:
    """logged, shown: names of faults of this episode, from the log and from the points. burned:
    main contacts that burned together, with the reason. recovered: the next one can be judged."""

    def __init__(self, boot, episode, record, rows, start_s, verdict):
        self.pack = boot.pack
        self.episode = episode
        self.record = record
        self.rows = [self._as_it_comes(rows[name]) for name in episode.faults]
        self.start_s = start_s
        self.verdict = verdict
        self.first_s = min(episode.inject_s)
        self.logged = record.logged(int(self.first_s), episode.end_s + 1)
        self.shown = set()
        for status in record.between(self.first_s, episode.end_s):
            self.shown.update(status["points"].get("faults") or ())
        self.blind = any(row.blinds for row in self.rows)
        self.burned = self._find_burned()
        self._said = set()
        self.recovered = True

    def violation(self, kind, t_s, text):
        """Note it, once."""
        if (kind, text) in self._said:
            return
        self._said.add((kind, text))
        self.verdict.violations.append(Violation(kind, self.episode.faults, t_s, text))

    def _find_burned(self):
        """By the truth: main contacts that burned together in this episode, with their reason."""
        before = self.record.between(0, self.first_s)
        known = len(before[-1]["truth"]["welds"]) if before else 0
        statuses = self.record.between(self.first_s, self.episode.end_s)
        return dict(statuses[-1]["truth"]["welds"][known:]) if statuses else {}

    def holds_burned(self):
        """Whether contacts that burned together keep the path closed: nobody can open it."""
        return {"positive", "negative"} <= set(self.burned)

    def contactors_ms(self, gates, cause):
        """What contactors need beyond the time of the law."""
        if self.pack != CONTACTORS:
            return 0
        return _MOVE_MS if gates == "cd" and cause == "injection" else _RAMP_MS

    def is_held_on(self, way, status):
        """Whether a gate was on when the points were made, and not to spare its body diode, nor
        as a contactor that carries the other direction."""
        on = self.record.is_on(way[0], status["t_s"] - 0.001)
        return on and not is_bridging(status["points"]) and not self.may_stay(way, status)

    def may_stay(self, way, status):
        """Contactors can not block one direction alone (docs/power-paths.md, "One direction
        blocked"): they may stay closed while nothing but that direction is blocked, by its cause
        and in the firmware's word, and no current flows that way for longer than the ramp."""
        gate, gates, _ = way
        if self.pack != CONTACTORS or gates != gate:
            return False
        blocked = 0
        for name in status["points"].get("faults") or ():
            blocked |= FAULTS.blocks[NAMES.index(name)]
        t_s = status["t_s"]
        if blocked == BIT["c"] | BIT["d"] and status["points"]["path_state"] == _OPENING:
            # The other one was blocked a moment ago, and its current has time to fall.
            opened_ms = self.record.off_after_ms(gate, t_s)
            return opened_ms is not None and opened_ms <= _RAMP_MS
        if blocked != BIT[gate] and (blocked or not self._is_withheld(way, status)):
            return False
        statuses = self.record.between(t_s - _RAMP_MS / 1000 - 1, t_s)
        return any(each["truth"]["current_ma"] * WAY[gate] <= FLOWS_MA for each in statuses)

    def _is_withheld(self, way, status):
        """Whether contactors closed with a direction blocked that has no name yet: a cause that
        was there when measuring began, as after a restart of the chip, has its delay before it is
        a fault, and is not let on meanwhile (bms.battery, `_permit`)."""
        gate, _, within_ms = way
        points, t_s = status["points"], status["t_s"]
        return (
            points[_REASON[gate]] == _BLOCKED
            and points[_REASON[_OTHER[gate]]] != _BLOCKED
            and self.record.is_on(gate, t_s - 0.001)
            and t_s - self.record.on_since_s(gate, t_s - 0.001) <= within_ms / 1000
        )

    def _as_it_comes(self, row):
        """The row beside what is there when it comes."""
        inject_s = dict(zip(self.episode.faults, self.episode.inject_s, strict=True))
        return beside(row, [name for name in inject_s if inject_s[name] <= inject_s[row.name]])


def is_bridging(points):
    """Whether the firmware says that it spares a body diode."""
    return points.get("path_state") == BRIDGING
