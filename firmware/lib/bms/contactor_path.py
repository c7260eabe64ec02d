"""The power path of contactors: one or two poles and a precharge relay.

Closing: gates of the chip on (their outputs DCHG and DDSG supply the coils, so that a trip of the
chip opens everything, law 5) -> negative contactor, if there are two poles -> look at the bus ->
precharge relay -> voltage and current verified -> positive contactor -> precharge relay open ->
on. Each contactor gets its time to move before the next one. A bus above the pack is held by a
charger: that is no failed try, it is waited for with all open.
Contactors can not block one direction. A fault of one direction therefore leaves them closed, or
an empty pack could never be charged and a full one never discharged: its limits are 0, and the
current is watched. Only current that flows the blocked way all the same opens them; then they
stay open until both directions are allowed, a charger waits on the bus, or a pause is over.
Opening: at once, but for two cases. If nobody is in a hurry, a current too large to open without
wear gets time to fall (field lesson 15), because limits are 0 by then. A current beyond what the
contactors can break does not open them, as it would weld or burn them: the fuse has a bounded
time to end it. An opening that began is finished, or a flickering fault would hold them.
A current that is unknown does not keep them closed: blind waiting has no end that anybody could
see, and the fuse is there for what they can not break.
Fast path only; nothing allocates after construction.
"""

from bms.contacts import NEGATIVE, POSITIVE, PRECHARGE, Contacts
from bms.gate_lines import GateLines
from bms.points import (
    PATH_BUS_ABOVE,
    PATH_COOLING,
    PATH_FAILED,
    PATH_OFF,
    PATH_ON,
    PATH_OPENING,
    PATH_PRECHARGING,
    PATH_WAITING_FOR_FUSE,
)
from bms.precharge import Precharge
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH

# Where closing and opening have come to
_OPEN = 0  # all is open
_ARMING = 1  # the chip is told to supply the coils
_NEGATIVE = 2  # the negative contactor is moving
_LOOKING = 3  # whether the bus is above the pack, then nothing is closed against it
_FILLING = 4  # the precharge relay is closed
_POSITIVE = 5  # the positive contactor is moving, the relay still closed
_ON = 6
_OPENING = 7  # as on, until the current fell
_FUSE = 8  # as on, until the fuse broke the current

_STATES = bytes(
    (
        PATH_OFF,
        PATH_PRECHARGING,
        PATH_PRECHARGING,
        PATH_PRECHARGING,
        PATH_PRECHARGING,
        PATH_PRECHARGING,
        PATH_ON,
        PATH_OPENING,
        PATH_WAITING_FOR_FUSE,
    )
)

_TIME_MAX_MS = 1000000  # times stop here, far below 2**30
# After current the blocked way: a load is waited for, but a person need not come for it.
_PAUSE_MS = 600000
# Between two looks at a bus that may be held by a charger; each may move a contactor, and a bus
# that no charger holds is emptied by the load meanwhile.
_LOOK_MS = 30000

# Faults of the path itself: while one is active or latched, nothing closes.
_OWN_FAULTS = (
    "gate_mismatch",
    "precharge_failed",
    "contactor_positive_welded",
    "contactor_negative_welded",
    "precharge_relay_welded",
    "contactor_stuck_open",
    "fuse_expected",
)


class ContactorPath:
    """`contactors` is the board's object with that name (positive, negative, precharge, ...).

    The off lines are called with 1 for off; they cut the coils' supply, too. `parameters` and
    `faults` are the tables; what is configured is looked up here, once.
    """

    def __init__(self, afe, charge_off, discharge_off, contactors, parameters, faults):
        self._lines = GateLines(afe, charge_off, discharge_off, parameters, faults)
        self._contacts = Contacts(contactors, parameters, faults)
        self._precharge = Precharge(parameters, faults)
        self._own_faults = bytes(faults.names.index(name) for name in _OWN_FAULTS)
        self._fuse_expected = faults.names.index("fuse_expected")
        self._two_poles = parameters.value("contactor_poles") > 1
        self._settle_ms = parameters.value("contactor_settle_ms")
        self._ramp_ms = parameters.value("contactor_ramp_ms")
        self._wrong_way_ma = parameters.value("body_diode_ma")
        self._fuse_ms = parameters.value("fuse_wait_ms")
        self._open_ma = parameters.value("contactor_open_ma")
        self._break_max_ma = parameters.value("contactor_break_max_ma")
        self._phase = _OPEN
        self._phase_ms = 0  # since the phase began
        self._flow = 0  # GATE_* bit of the way that more than wrong_way_ma flows, when last known
        self._wrong = False  # it flows a blocked way
        self._wrong_ms = 0  # for how long; falls as it rose, or a pulsing load would go on
        self._pause_ms = 0  # since current the blocked way opened it: until it closes anyway
        self._look_ms = 0  # until the bus may be looked at again
        self._awaited = PATH_OFF  # what an open path waits for: the bus, or a cold resistor
        self.commanded = 0  # GATES_BOTH while anything is closed, or about to be
        self.state = PATH_OFF
        self.holds_limits = True

    def open_lines(self):
        """Open everything at once, by lines that need no bus; it can not fail."""
        self._lines.open()
        if self._phase != _OPEN:
            self._contacts.open()
            self._precharge.stop()
            self._enter(_OPEN)
        self.commanded = 0
        self.state = PATH_OFF
        self.holds_limits = True

    def forget(self, elapsed_ms, register):
        """The chip may have restarted: what it acknowledged before no longer counts.

        In place of `step`, as long as the chip is not ready and all is open: an auxiliary contact
        shows a weld without it.
        """
        self._lines.forget()
        self._contacts.found_faulty(elapsed_ms, register)

    def step(self, allowed, urgent, sample, measured, elapsed_ms, register):
        """Close if any direction of the GATE_* bits `allowed` is, open if none is.

        `urgent`: something other than a fault of direction blocks. The sample's values count only
        while `measured`; its gates are what the chip said last.
        """
        self._phase_ms = min(self._phase_ms + elapsed_ms, _TIME_MAX_MS)
        self._precharge.step(sample, measured, elapsed_ms, register)
        faulty = self._faulty(sample, measured, elapsed_ms, register)
        wanted = allowed != 0 and not urgent and not faulty
        self._look_ms = max(self._look_ms - elapsed_ms, 0)
        self._pause_ms = max(self._pause_ms - elapsed_ms, 0)
        self._watch(allowed, sample, measured, elapsed_ms)
        if self._phase == _OPEN:
            self._awaited = PATH_BUS_ABOVE if wanted and self._look_ms else PATH_OFF
            if wanted and measured and self._contacts.all_open():
                self._start(allowed, sample)
        elif measured and self._cut_off(sample):
            self._open()
        elif self._phase < _POSITIVE:
            self._close_more(wanted, sample, measured)
        elif not wanted or self._phase >= _OPENING:
            self._open_gently(urgent or faulty, sample, measured)
        elif self._wrong and self._wrong_ms >= self._ramp_ms:
            self._pause_ms = _PAUSE_MS
            self._open_gently(True, sample, measured)  # it had its time to fall
        else:
            self._finish_closing()
        if self._phase == _FUSE:
            register.report(self._fuse_expected, 0)
        self._lines.command(0 if self._phase == _OPEN else GATES_BOTH, sample.gates)
        self.commanded = self._lines.commanded
        self._show(faulty)

    def _faulty(self, sample, measured, elapsed_ms, register):
        """Whether the path itself failed, now or earlier and nobody cleared it yet."""
        contacts = self._contacts
        found = contacts.found_faulty(elapsed_ms, register)
        if self._phase == _OPEN:
            found |= contacts.bus_too_high(sample, measured, elapsed_ms, register)
        if measured:
            found |= self._lines.disobeyed(sample, 0, elapsed_ms, register)
            if not self._cut_off(sample):
                found |= contacts.found_stuck_open(register)
            if self._phase == _ON:
                found |= contacts.bus_apart(sample, elapsed_ms, register)
        for row in range(len(self._own_faults)):
            found |= register.is_active(self._own_faults[row])
        return found

    def _cut_off(self, sample):
        """Whether the chip took the supply from coils that are told to be closed."""
        return self._phase > _ARMING and sample.gates != GATES_BOTH

    def _watch(self, allowed, sample, measured, elapsed_ms):
        """Count the time in which current flows a blocked way through closed contactors.

        What is not measured flows on as it was last known; the hold-over bounds that.
        """
        if self._phase != _ON:
            return
        if self._wrong:
            self._wrong_ms = min(self._wrong_ms + elapsed_ms, self._ramp_ms)
        else:
            self._wrong_ms = max(self._wrong_ms - elapsed_ms, 0)
        if measured:
            self._flow = 0
            if abs(sample.current_ma) > self._wrong_way_ma:
                self._flow = GATE_CHARGE if sample.current_ma > 0 else GATE_DISCHARGE
        self._wrong = self._flow & ~allowed != 0

    def _start(self, allowed, sample):
        """Begin to close, unless the bus, the resistor or an earlier current is in the way."""
        if self._pause_ms and allowed != GATES_BOTH and not self._charger_waits(allowed, sample):
            return
        # With two poles a low bus says nothing before the negative contactor is closed.
        if self._look_ms or self._precharge.above(sample):
            self._awaited = PATH_BUS_ABOVE
        elif not self._precharge.ready(sample.stack_mv):
            self._awaited = PATH_COOLING
        else:
            self._enter(_ARMING)

    def _charger_waits(self, allowed, sample):
        """Whether a charger holds the bus, and not what the load left in its capacitors."""
        if allowed != GATE_CHARGE or self._pause_ms > _PAUSE_MS - _LOOK_MS:
            return False
        return sample.bus_mv > sample.stack_mv

    def _close_more(self, wanted, sample, measured):
        """What happens before the positive contactor; the resistor bounds the current."""
        if not wanted:
            self._open()
        elif self._phase == _FILLING:
            self._fill(sample, measured)
        elif not measured:
            return  # wait, with no current flowing
        elif self._phase == _ARMING:
            self._supplied(sample)
        elif self._phase == _NEGATIVE:
            if self._contacts.settled(NEGATIVE):
                self._enter(_LOOKING)
        elif self._precharge.above(sample):
            self._wait_for_bus()
        else:
            self._precharge.begin(sample.stack_mv)
            self._contacts.set(PRECHARGE, 1)
            self._enter(_FILLING)

    def _supplied(self, sample):
        if sample.gates == GATES_BOTH:
            if self._two_poles:
                self._contacts.set(NEGATIVE, 1)
            self._enter(_NEGATIVE if self._two_poles else _LOOKING)

    def _fill(self, sample, measured):
        precharge = self._precharge
        if measured and precharge.above(sample):
            self._wait_for_bus()
        elif precharge.ends(self._settle_ms):
            self._give_up()
        elif measured and self._contacts.settled(PRECHARGE) and precharge.verified(sample):
            self._contacts.set(POSITIVE, 1)
            self._enter(_POSITIVE)

    def _finish_closing(self):
        if self._phase == _ON:
            return
        if self._contacts.settled(POSITIVE) or self._precharge.ends(0):
            self._contacts.set(PRECHARGE, 0)
            self._precharge.succeed()
            self._pause_ms = 0
            self._enter(_ON)

    def _open_gently(self, urgent, sample, measured):
        """Open closed contactors, unless the current is too large and there is time."""
        if self._phase == _POSITIVE:
            self._contacts.set(PRECHARGE, 0)  # the positive contactor bridges it
            self._precharge.succeed()
            self._enter(_ON)
        current_ma = abs(sample.current_ma) if measured else 0
        if self._phase == _FUSE:
            broken = measured and current_ma <= self._break_max_ma
            if broken or self._phase_ms >= self._fuse_ms:
                self._open()
        elif current_ma > self._break_max_ma:
            self._enter(_FUSE)
        elif urgent or current_ma <= self._open_ma or self._ramped():
            self._open()
        elif self._phase == _ON:
            self._enter(_OPENING)

    def _ramped(self):
        return self._phase == _OPENING and self._phase_ms >= self._ramp_ms

    def _wait_for_bus(self):
        """Something holds the bus above the pack: open, and look again later."""
        self._look_ms = _LOOK_MS
        self._open()
        self._awaited = PATH_BUS_ABOVE

    def _give_up(self):
        self._contacts.open()
        self._precharge.fail()
        self._enter(_OPEN)

    def _open(self):
        self._lines.open()
        self._contacts.open()
        self._precharge.stop()
        self._enter(_OPEN)

    def _enter(self, phase):
        self._phase = phase
        self._phase_ms = 0
        self._awaited = PATH_OFF
        self._flow = 0
        self._wrong = False
        self._wrong_ms = 0

    def _show(self, faulty):
        self.state = _STATES[self._phase]
        self.holds_limits = self._phase != _ON
        if self._phase == _OPEN:
            self.state = self._awaited
            if faulty or self._precharge.failed:
                self.state = PATH_FAILED
        elif self._wrong:
            self.state = PATH_OPENING  # the allowed way keeps its limit
