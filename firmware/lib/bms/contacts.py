"""Three contactors: what they are told, and whether they do it.

Goals: a weld is found and named, so is a contactor that does not close (architecture section 7,
field lesson 10). Auxiliary contacts, where there are any, are compared with the command once the
contactor had its time to move; without them the bus voltage says a little less.
Limits: it obeys bms.contactor_path, which alone decides, and which opens and stays open once a
fault of these is active. Without auxiliary contacts nothing tells the negative contactor from the
positive one, and a weld shows only on a bus that nothing else feeds (`contactor_bleed_s`).
Fast path only; nothing allocates after construction.
"""

from array import array

POSITIVE = 0
NEGATIVE = 1
PRECHARGE = 2
_CONTACTORS = 3

_WELDED = ("contactor_positive_welded", "contactor_negative_welded", "precharge_relay_welded")
# A closed path has the stack's voltage on the bus: at least this share while a load starts, and no
# more than this. Contacts and cable are milliohms; what is left are errors of measurement, and
# nothing closes with a bus further above the stack than that, by the default settings.
_ON_PERMILLE = 900
_ON_MOST_PERMILLE = 1050
# They may be apart for so long: the stack's voltage is up to 189 ms old
# (docs/worst-case-times.md), a load that starts pulls both down, and a stack that is measured
# wrongly is named as that before, by the default delay of stack_mismatch after 1 s.
_APART_MAX_MS = 1500
_TIME_MAX_MS = 1000000  # times stop here, beyond the longest contactor_bleed_s


class Contacts:
    """`contactors` is the board's object of that name; `parameters` and `faults` the tables."""

    def __init__(self, contactors, parameters, faults):
        self._move = (contactors.positive, contactors.negative, contactors.precharge)
        self._closed = (
            contactors.positive_closed,
            contactors.negative_closed,
            contactors.precharge_closed,
        )
        self._welded = bytes(faults.names.index(name) for name in _WELDED)
        self._stuck_open = faults.names.index("contactor_stuck_open")
        self._auxiliary = parameters.value("contactor_aux") == 1
        self._poles = parameters.value("contactor_poles")
        self._settle_ms = parameters.value("contactor_settle_ms")
        self._open_ma = parameters.value("contactor_open_ma")
        self._bleed_ms = parameters.value("contactor_bleed_s") * 1000
        self._levels = bytearray(_CONTACTORS)  # 1: commanded closed
        self._still_ms = array("i", [0] * _CONTACTORS)  # since its last command
        self._open_ms = 0  # since all were commanded open
        self._apart_ms = 0  # how long the bus of a closed path has been apart from the stack
        self.open()

    def open(self):
        """Command all open; needs no bus and can not fail."""
        for contactor in range(_CONTACTORS):
            self._levels[contactor] = 0
            self._still_ms[contactor] = 0
            self._move[contactor](0)
        self._open_ms = 0
        self._apart_ms = 0

    def set(self, contactor, level):
        """Command one contactor: 1 closes."""
        self._levels[contactor] = level
        self._still_ms[contactor] = 0
        self._move[contactor](level)

    def all_open(self):
        """Whether all are commanded open, had their time to open, and none says otherwise."""
        for contactor in range(_CONTACTORS):
            if self._levels[contactor] or not self.settled(contactor):
                return False
        return True

    def settled(self, contactor):
        """Whether a contactor has done what it was told: its time is over, its contact agrees."""
        if self._still_ms[contactor] < self._settle_ms:
            return False
        return not self._asked(contactor) or self._closed[contactor]() == self._levels[contactor]

    def found_faulty(self, elapsed_ms, register):
        """Let time pass; whether an auxiliary contact shows a weld, reported by name."""
        found = False
        for contactor in range(_CONTACTORS):
            still_ms = min(self._still_ms[contactor] + elapsed_ms, _TIME_MAX_MS)
            self._still_ms[contactor] = still_ms
            if not self._levels[contactor] and self._disagrees(contactor):
                register.report(self._welded[contactor], 0)
                found = True
        return found

    def found_stuck_open(self, register):
        """Whether one stays open, by its auxiliary contact; ask only while coils are supplied."""
        for contactor in range(_CONTACTORS):
            if self._levels[contactor] and self._disagrees(contactor):
                register.report(self._stuck_open, 0)
                return True
        return False

    def bus_too_high(self, sample, measured, elapsed_ms, register):
        """Whether the bus of the open path shows a weld, where nothing else can show one."""
        self._open_ms = min(self._open_ms + elapsed_ms, _TIME_MAX_MS)
        if self._auxiliary or not self._bleed_ms or not measured:
            return False
        if self._open_ms < self._bleed_ms or 2 * sample.bus_mv <= sample.stack_mv:
            return False
        register.report(self._welded[POSITIVE], 0)
        return True

    def bus_apart(self, sample, elapsed_ms, register):
        """Whether the bus of the closed path has not had the stack's voltage for too long: a load
        emptied it, or a charger holds it.

        Where a large current flows a bus is loaded or shorted, and no contactor is open.
        """
        bus, stack_mv = sample.bus_mv * 1000, sample.stack_mv
        closed = stack_mv * _ON_PERMILLE <= bus <= stack_mv * _ON_MOST_PERMILLE
        if closed or abs(sample.current_ma) > self._open_ma:
            self._apart_ms = 0
            return False
        self._apart_ms = min(self._apart_ms + elapsed_ms, _TIME_MAX_MS)
        if self._apart_ms <= _APART_MAX_MS:
            return False
        register.report(self._stuck_open, 0)
        return True

    def _disagrees(self, contactor):
        """Whether its auxiliary contact says otherwise, after its time to move."""
        return (
            self._still_ms[contactor] > self._settle_ms
            and self._asked(contactor)
            and self._closed[contactor]() != self._levels[contactor]
        )

    def _asked(self, contactor):
        return self._auxiliary and (contactor != NEGATIVE or self._poles > 1)
