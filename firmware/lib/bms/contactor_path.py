"""The power path of contactors: one or two poles and a precharge relay.

Closing: gates of the chip on (their outputs DCHG and DDSG supply the coils, so that a trip of the
chip opens everything, law 5) -> negative contactor, if there are two poles -> wait until the bus
is not above the pack -> precharge relay -> voltage and current verified -> positive contactor ->
precharge relay open -> on. Each contactor gets its time to move before the next one.
Opening: at once, but for two cases. With a fault of direction only, a current too large to open
without wear gets time to fall (field lesson 15), because limits are 0 by then. A current beyond
what the contactors can break does not open them, as it would weld or burn them: the fuse has a
bounded time to end it. An opening that began is finished, or a flickering fault would hold them.
Contactors can not block one direction, so either direction blocked opens.
A current that is unknown does not keep them closed: blind waiting has no end that anybody could
see, and the fuse is there for what they can not break.
Fast path only; nothing allocates after construction.
"""

from bms.contacts import NEGATIVE, POSITIVE, PRECHARGE, Contacts
from bms.gate_lines import GateLines
from bms.points import (
    PATH_COOLING,
    PATH_FAILED,
    PATH_OFF,
    PATH_ON,
    PATH_OPENING,
    PATH_PRECHARGING,
    PATH_WAITING_FOR_FUSE,
)
from bms.precharge import Precharge
from bms.sample import GATES_BOTH

# Where closing and opening have come to
_OPEN = 0  # all is open
_ARMING = 1  # the chip is told to supply the coils
_NEGATIVE = 2  # the negative contactor is moving
_WAITING = 3  # the bus may be above the pack, then nothing is closed against it
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
        self._refuse_ms = parameters.value("precharge_time_max_ms")
        self._ramp_ms = parameters.value("contactor_ramp_ms")
        self._fuse_ms = parameters.value("fuse_wait_ms")
        self._open_ma = parameters.value("contactor_open_ma")
        self._break_max_ma = parameters.value("contactor_break_max_ma")
        self._phase = _OPEN
        self._phase_ms = 0  # since the phase began
        self._cooling = False  # only the resistor's heat is in the way
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

    def forget(self):
        """The chip may have restarted: what it acknowledged before no longer counts."""
        self._lines.forget()

    def step(self, allowed, urgent, sample, measured, elapsed_ms, register):
        """Close or open what the GATE_* bits `allowed` ask for; both directions or none.

        `urgent`: something other than a fault of direction blocks. The sample's values count only
        while `measured`; its gates are what the chip said last.
        """
        self._phase_ms = min(self._phase_ms + elapsed_ms, _TIME_MAX_MS)
        self._precharge.step(sample, measured, elapsed_ms, register)
        faulty = self._faulty(sample, measured, elapsed_ms, register)
        wanted = allowed == GATES_BOTH and not urgent and not faulty
        if self._phase == _OPEN:
            self._start(wanted, sample, measured)
        elif measured and self._cut_off(sample):
            self._open()
        elif self._phase < _POSITIVE:
            self._close_more(wanted, sample, measured)
        elif wanted and self._phase < _OPENING:
            self._finish_closing()
        else:
            self._open_gently(urgent or faulty, sample, measured)
        if self._phase == _FUSE:
            register.report(self._fuse_expected, 0)
        self._lines.command(0 if self._phase == _OPEN else GATES_BOTH, sample.gates)
        self.commanded = self._lines.commanded
        self._show(wanted, faulty)

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
                found |= contacts.bus_too_low(sample, elapsed_ms, register)
        for row in range(len(self._own_faults)):
            found |= register.is_active(self._own_faults[row])
        return found

    def _cut_off(self, sample):
        """Whether the chip took the supply from coils that are told to be closed."""
        return self._phase > _ARMING and sample.gates != GATES_BOTH

    def _start(self, wanted, sample, measured):
        self._cooling = False
        if wanted and measured and self._contacts.all_open():
            if self._precharge.ready(sample.stack_mv):
                self._enter(_ARMING)
            else:
                self._cooling = True

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
                self._enter(_WAITING)
        elif not self._precharge.above(sample):
            self._precharge.begin(sample.stack_mv)
            self._contacts.set(PRECHARGE, 1)
            self._enter(_FILLING)
        elif self._phase_ms >= self._refuse_ms:
            self._precharge.begin(sample.stack_mv)  # counts as a try
            self._give_up()

    def _supplied(self, sample):
        if sample.gates == GATES_BOTH:
            if self._two_poles:
                self._contacts.set(NEGATIVE, 1)
            self._enter(_NEGATIVE if self._two_poles else _WAITING)

    def _fill(self, sample, measured):
        precharge = self._precharge
        if precharge.ends(self._settle_ms):
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
            self._enter(_ON)

    def _open_gently(self, urgent, sample, measured):
        """Open closed contactors, unless the current is too large and there is time."""
        if self._phase == _POSITIVE:
            self._contacts.set(PRECHARGE, 0)  # the positive contactor bridges it
            self._precharge.stop()
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
        self._cooling = False
        self._phase = phase
        self._phase_ms = 0

    def _show(self, wanted, faulty):
        self.state = _STATES[self._phase]
        self.holds_limits = self._phase != _ON
        if self._phase == _OPEN:
            if faulty or self._precharge.failed:
                self.state = PATH_FAILED
            elif self._cooling:
                self.state = PATH_COOLING
