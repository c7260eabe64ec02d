"""What a run on the simulated board left behind, sorted for asking."""

from bisect import bisect_right

from bms.faults import Faults
from host_tests.campaign.rows import CONTACTORS

FAULTS = Faults()
NAMES = [FAULTS.names.name(bit) for bit in range(len(FAULTS))]
FAULT = 1  # kind of an event: bms.events
_COLUMN = {"c": 1, "d": 2}  # of the gate trace


class Record:
    """Gates by the truth, statuses, and the log of one run."""

    def __init__(self, pack, run):
        self.contactors = pack == CONTACTORS
        self.statuses = run.statuses
        self.seconds = [status["t_s"] for status in run.statuses]
        trace = {}
        events = {}
        for note in [*run.notes, run.end]:
            for entry in note.get("contact_trace" if self.contactors else "trace", ()):
                both = entry[1] & 3 == 3 if self.contactors else None
                trace.setdefault(entry[0], []).append(
                    (both, both) if self.contactors else (bool(entry[1]), bool(entry[2]))
                )
            for event in note.get("events", ()):
                events[event[0]] = event
        # Changes of one moment are noted again in each note: the last one is what stood.
        self.changes = []
        for at_us in sorted(trace):
            change = (at_us, *trace[at_us][-1])
            if not self.changes or self.changes[-1][1:] != change[1:]:
                self.changes.append(change)
        self.moments_us = [change[0] for change in self.changes]
        self.events = [events[sequence] for sequence in sorted(events)]

    def between(self, start_s, end_s):
        """Statuses after start_s, up to end_s."""
        first = bisect_right(self.seconds, start_s)
        return self.statuses[first : bisect_right(self.seconds, end_s)]

    def is_on(self, gate, at_s):
        """Whether a gate was on at a moment."""
        at = bisect_right(self.moments_us, at_s * 1e6 + 0.5)
        return at > 0 and self.changes[at - 1][_COLUMN[gate]]

    def on_since_s(self, gate, at_s):
        """Second since which a gate that is on at a moment has been on."""
        at = bisect_right(self.moments_us, at_s * 1e6 + 0.5) - 1
        while at > 0 and self.changes[at - 1][_COLUMN[gate]]:
            at -= 1
        return self.moments_us[at] / 1e6

    def off_after_ms(self, gate, at_s):
        """Time from a moment until a gate was off, 0 if it was; None: it never was."""
        if not self.is_on(gate, at_s):
            return 0.0
        for change in self.changes[bisect_right(self.moments_us, at_s * 1e6 + 0.5) :]:
            if not change[_COLUMN[gate]]:
                return change[0] / 1000 - at_s * 1000
        return None

    def opens_between(self, start_s, end_s):
        """Whether a gate that was on went off in a time, end_s included."""
        first = bisect_right(self.moments_us, start_s * 1e6)
        for at in range(max(first, 1), bisect_right(self.moments_us, end_s * 1e6)):
            before, after = self.changes[at - 1], self.changes[at]
            if (before[1] and not after[1]) or (before[2] and not after[2]):
                return True
        return False

    def changes_between(self, start_s, end_s):
        """How often the gates changed in a time."""
        return bisect_right(self.moments_us, end_s * 1e6) - bisect_right(
            self.moments_us, start_s * 1e6
        )

    def events_between(self, start_s, end_s):
        """Events of the log in a time."""
        return [event for event in self.events if start_s <= event[2] <= end_s]

    def logged(self, start_s, end_s):
        """Names of the faults that the log says began in a time."""
        events = self.events_between(start_s, end_s)
        return {NAMES[event[4]] for event in events if event[3] == FAULT}
