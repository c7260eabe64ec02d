"""What happened, for the log: a small ring between the fast path and the coroutine that writes.

The fast path posts, allocating nothing; one coroutine takes. The slow path, which a step may
interrupt anywhere, hands over one event at a time, and the next step posts it. What does not fit
is counted as lost and never overwrites what waits: the first events of a storm say more than the
last.
"""

from array import array

# Kinds of events; `code` and `value` mean what stands beside them.
KINDS = (
    "boot", "fault", "fault_over", "gates", "state", "afe_trip", "cleared", "request", "path",
    "lost", "last_fault", "not_cleared", "cells", "ship",
)  # fmt: skip
BOOT = 0  # code: reset cause (RESET_CAUSES), value: boots so far
FAULT = 1  # code: bit of bms.faults, value: the fault signal, or INVALID if it has none
FAULT_OVER = 2  # code: bit of bms.faults
GATES = 3  # code: GATE_* bits that are on now
STATE = 4  # code: STATE_* of bms.points
AFE_TRIP = 5  # value: TRIP_* bits of bms.sample that are new
CLEARED = 6  # a person cleared the latched faults
REQUEST = 7  # code: the request of bms.requests that was carried out
PATH = 8  # code: PATH_* of bms.points
LOST = 9  # value: events that did not fit into the ring
LAST_FAULT = 10  # code: bit of the fault that came last before the reset that led to this start
NOT_CLEARED = 11  # a person's "clear" lapsed, because nothing was measured
CELLS = 12  # code: 0 weak, 1 leaking, 2 and 3 of cells 17 and up; value: mask of all named now
SHIP = 13  # the pack switches itself off; code: 0 asked for, 1 empty; value: lowest cell, mV

RESET_CAUSES = ("power_on", "watchdog", "soft")

FIELDS = 4  # kind, code, value, uptime_s
_ROOM = 48  # events; a fault that opens everything posts about five


class Events:
    """`post` from the fast path, `take_into` from one coroutine."""

    def __init__(self):
        self.lost = 0  # events that did not fit, since the start
        self._ring = array("i", [0] * (FIELDS * _ROOM))
        self._next = 0  # where the next event goes
        self._first = 0  # the oldest that waits
        self._handed = array("i", [0] * FIELDS)  # kind, code, value, and 1 while it waits

    def post(self, kind, code, value, uptime_s):
        """Note an event. Allocates nothing."""
        following = (self._next + 1) % _ROOM
        if following == self._first:
            self.lost += 1
            return
        ring = self._ring
        at = FIELDS * self._next
        ring[at] = kind
        ring[at + 1] = code
        ring[at + 2] = value
        ring[at + 3] = uptime_s
        self._next = following

    def hand_over(self, kind, code, value):
        """An event of the slow path. False if the one before still waits: try again."""
        handed = self._handed
        if handed[3]:
            return False
        handed[0] = kind
        handed[1] = code
        handed[2] = value
        handed[3] = 1  # last: a step may come between any two of these
        return True

    def post_handed(self, uptime_s):
        """Post what was handed over. Fast path; allocates nothing."""
        handed = self._handed
        if handed[3]:
            self.post(handed[0], handed[1], handed[2], uptime_s)
            handed[3] = 0

    def waiting(self):
        """How many events wait to be taken."""
        return (self._next - self._first) % _ROOM

    def take_into(self, event):
        """Move the oldest event into `event` (array of FIELDS). False if none waits."""
        if self._first == self._next:
            return False
        at = FIELDS * self._first
        for place in range(FIELDS):
            event[place] = self._ring[at + place]
        self._first = (self._first + 1) % _ROOM
        return True
