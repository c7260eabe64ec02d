"""The battery: what happens between one measurement and the next.

`step(elapsed_ms)` is the fast path: sample, judge, protect, permit, switch, publish. It runs from
the board's timer, allocates nothing and never waits. `slow_turns(elapsed_ms)` run once a
second from a coroutine: state of charge and limits; they may only restrict.
Whatever goes wrong inside `step` opens the gates by their off lines and is a latched fault.
"""

from array import array

from bms import events, requests
from bms.balance_turn import BalanceTurn
from bms.bleeder import Bleeder
from bms.chip_care import HOLD_MS, ChipCare, by_code
from bms.clearing import BEGINS, LAPSED, Clearing
from bms.deep_discharge import DeepDischarge
from bms.fault_register import WORDS, FaultRegister
from bms.health import Health
from bms.interlock import Interlock
from bms.journal import Journal
from bms.limits import CHARGE, DISCHARGE, Limits
from bms.measurement import (
    AGE_MAX_MS,
    DAMAGED,
    GOOD,
    IMPLAUSIBLE,
    LOST,
    SENSOR_SILENT,
    STALE,
    THERMISTOR_OPEN,
    THERMISTOR_SHORT,
    WIRE_OPEN,
    Measurement,
)
from bms.points import (
    STATE_ACTIVE,
    STATE_COMMISSIONING,
    STATE_FAULT,
    STATE_LIMITED,
    STATE_PROGRAMMING,
    STATE_SELF_TEST,
    STATE_STANDBY,
    STATE_STARTING,
    STATE_UNCONFIGURED,
)
from bms.protection import CHARGE_MA, GATES_OFF_MA, LIMITED_MA, Protection
from bms.publisher import Publisher
from bms.rebounds import Rebounds
from bms.sample import (
    BUSY,
    CONFIGURATION_LOST,
    GATE_CHARGE,
    GATE_DISCHARGE,
    GATES_BOTH,
    MODE_NORMAL,
    MODE_OFF,
    OK,
    SENSOR_LOST,
    Sample,
)
from bms.slow_path import SlowPath
from bms.soc import ChargeCounter
from bms.table import INVALID
from bms.thermistor_watch import ThermistorWatch
from bms.timekeeping import Timekeeping
from bms.trial import Trial
from bms.trips import TripMirror

_NO_LIMIT_MA = 1 << 29

_PROBLEMS = (
    (LOST, "afe_lost"),
    (STALE, "measurement_stale"),
    (IMPLAUSIBLE, "measurement_implausible"),
    (THERMISTOR_OPEN, "thermistor_open"),
    (THERMISTOR_SHORT, "thermistor_short"),
    (WIRE_OPEN, "cell_wire_open"),
    (DAMAGED, "afe_corrupt"),
    (SENSOR_SILENT, "current_sensor_lost"),
)


class Battery:
    """One pack behind one measuring chip.

    `afe` is a driver (see bms.sample for its answers; that of a stack has a `bleeder`), `path`
    switches the current (bms.switch or bms.contactor_path), `log` takes events
    (bms.events.Events). `interlock()` is 1 while its loop is closed; None: there is none.
    `outputs` drives relays (bms.outputs), if there are some.
    `configured` False: measure nothing, gates off, say why.

    For commissioning: captured_cell_mv, captured_stack_mv are the raw sample of the latest
    CAPTURE request, which `captures` counts; `trial` is the limited first current.
    posted: what else the slow path shows, see bms.slow_path. model: the cells' (bms.cell_model);
    without one, as on a board without a configuration, there is no slow path, no `health`
    (bms.health), and nothing is balanced.

    For low power, all from coroutines: chip_mode is the MODE_* of bms.sample that the measuring
    chip shall have, and mode_told the one that a step told it; switched off, it is not measured
    any more; bms.rest has the rest. shipping: the pack is about to switch itself off.
    """

    def __init__(
        self,
        points,
        parameters,
        faults,
        afe,
        path,
        log,
        configured,
        interlock=None,
        outputs=None,
        posted=(),
        model=None,
    ):
        self.requests = requests.Requests()
        self.failure = None  # the exception that stopped the fast path, for the log
        # Somebody asked for open gates; the pack is about to switch itself off.
        self.restricted = self.shipping = False
        self.forbidden = 0  # GATE_* bits that somebody asked to keep open
        self.chip_mode = self.mode_told = MODE_NORMAL
        # What survives a reset changed: somebody shall keep it; the chip is to be programmed anew
        # as soon as the path is open.
        self.keep_due = self._reprogram_due = False
        self._points = points
        self._afe = afe
        self._path = path
        self._log = log
        self._configured = configured
        self._outputs = outputs
        self._values = parameters.values
        self._limited_ma = parameters.index("limited_current_warn_ma")
        self._register = FaultRegister(faults)
        self._faults = faults
        self._bits = {}  # of the faults whose cause others see, by their name
        self._conditions = bytearray(len(faults))  # faults whose cause others see
        self._protection = Protection(parameters, faults)
        self._time = Timekeeping(parameters, faults, self._register)
        self._chip = ChipCare(afe, faults, self._register)
        self._trips = TripMirror(faults, self._protection, self._register, log)
        self._journal = Journal(self._register, log)
        self._step_failed = faults.names.index("step_failed")
        self._frozen = faults.names.index("thermistor_frozen")
        self._interlock = Interlock(interlock, faults, self._register)
        self._clearing = Clearing(self._register, afe)
        self._not_commissioned = faults.names.index("not_commissioned")
        self._problem_faults = by_code(faults, _PROBLEMS)
        # GATE_* bits that are on; that nothing forbade in the latest step
        self._gates = self._permitted = 0
        self._age_ms = 0  # since the last good measurement, or since the start
        self._sample = Sample(
            parameters.value("series_cells") if configured else 1,
            parameters.value("cell_thermistors"),
        )
        self.captured_cell_mv = array("i", self._sample.cell_mv)
        self.captured_stack_mv = self.captures = 0
        self.trial = Trial()
        self.deep_discharge = DeepDischarge(parameters, faults, self._register)
        self.rebounds = Rebounds(parameters, faults, self._register)
        self._measurement = Measurement(self._sample, parameters.value("step_period_ms"))
        self._thermistors = ThermistorWatch(self._sample.temperature_dc, parameters)
        self._counter = ChargeCounter()
        self._bleeder = getattr(afe, "bleeder", None) or Bleeder(afe)
        self._publisher = Publisher(
            points, self._measurement, self._chip, self.rebounds, self.deep_discharge
        )
        self._limits = Limits(parameters, model)
        self.health = None if model is None else Health(points, parameters, model, log)
        self._slow = None if model is None else self._slow_turns(points, parameters, model, posted)
        if configured:
            self._chip.start()
        else:
            self.condition("configuration_invalid", True)
        self._show_first()

    def _slow_turns(self, points, parameters, model, posted):
        return SlowPath(
            points,
            parameters,
            self._limits,
            self._counter,
            model,
            posted,
            self.health,
            self._balance_turn(parameters, model),
        )

    def _balance_turn(self, parameters, model):
        afe = self._afe
        rules = (afe.BALANCE_NEIGHBOURS, afe.BALANCE_CELLS, afe.BALANCE_DUTY_PERMILLE)
        return BalanceTurn(self._points, parameters, model, self._bleeder, rules)

    def _show_first(self):
        """Links may read before the first step."""
        self.slow_step(0)
        self._publish(0, self._state(0))

    @property
    def balance(self):
        """The balancing (bms.balance_turn), or None."""
        return None if self._slow is None else self._slow.balance

    def condition(self, name, present):
        """The cause of a fault that only others can see is there, or gone. Not in the fast path:
        looking up the name allocates."""
        if name not in self._bits:
            self._bits[name] = self._faults.index(name)
        self._conditions[self._bits[name]] = 1 if present else 0

    @property
    def preparing(self):
        """Whether the measuring chip is programmed or tested, or has to be. Any context."""
        return self._chip.busy

    def tighten(self, tight):
        """Whether the warning thresholds are the trips. Any context."""
        self._protection.tight = tight
        self._limits.tight = tight

    def restore(self, words, restricted):
        """Before the first step: latched faults (WORDS of 16 bits) and open gates of before."""
        self.restricted = restricted
        for fault in range(len(self._conditions)):
            if words[fault >> 4] >> (fault & 15) & 1:
                self._register.restore(fault)
                if self._register.is_latched(fault):
                    self._protection.force(fault)

    @property
    def last_fault(self):
        """Bit of the fault that came last, or bms.journal.NO_FAULT."""
        return self._journal.last_fault

    @property
    def clears(self):
        """How often a person cleared the faults."""
        return self._clearing.count

    def latch(self, name):
        """A latching fault that somebody else found before the first step."""
        self._register.restore(self._faults.index(name))

    def restore_empty(self, rebounds, empty):
        """How often the pack was emptied again before, and whether it was empty at the end."""
        self.rebounds.restore(rebounds, empty)
        if empty:
            self._protection.force_undervoltage()

    @property
    def checkpoint(self):
        """What the slow path wants kept (bms.checkpoint), or None."""
        return self._slow.checkpoint if self._slow is not None else None

    def empty(self):
        """Whether undervoltage blocks the discharge. Any context."""
        return self._protection.undervoltage()

    def fail_check(self, check):
        """A check of bms.point_words.SELF_TESTS failed before the first step, by place."""
        self._chip.board_failed |= 1 << check

    def latched_into(self, words):
        """Write the latched faults, 16 to a word. Any context; allocates nothing."""
        for word in range(WORDS):
            words[word] = 0
        for fault in range(len(self._conditions)):
            if self._register.is_latched(fault):
                words[fault >> 4] |= 1 << (fault & 15)

    def step(self, elapsed_ms):
        """The fast path: `elapsed_ms` have passed since the last call. Never raises."""
        if self.failure is not None:
            self._path.open_lines()  # and nothing is published any more
            return
        try:
            self._step(elapsed_ms)
        except Exception as failure:
            self.stop(failure)

    def stop(self, failure):
        """Open the gates for good: the firmware itself can not be trusted any more."""
        self._path.open_lines()
        self._bleeder.stop()
        self.failure = failure
        self.requests.pending = requests.NONE
        self._register.report(self._step_failed, 0)
        self._register.step(0)
        if self._outputs is not None:
            self._outputs.step(GATES_BOTH, False, 0, 0, 0, False)
        self._publisher.fail(self._register.words)
        self._log.post(events.FAULT, self._step_failed, INVALID, self._time.uptime_s)

    def slow_turns(self, elapsed_ms):
        """State of charge and limits, once a second: yields between pieces of some milliseconds.
        Does nothing without a configuration."""
        return () if self._slow is None else self._slow.turns(elapsed_ms)

    def slow_step(self, elapsed_ms):
        """All of `slow_turns` at once."""
        for _ in self.slow_turns(elapsed_ms):
            pass

    def _step(self, elapsed_ms):
        if not self._time.step(elapsed_ms):
            self._path.open_lines()
        self._age_ms = min(self._age_ms + elapsed_ms, AGE_MAX_MS)
        if self.requests.pending:
            self._carry_out(self.requests.pending)
            self.requests.pending = requests.NONE
        self._go_on_clearing(elapsed_ms)
        self._report_conditions()
        if not self._configured:
            self._afe.all_off()  # again and again: nobody watches this chip
        elif self._chip.busy:
            self._prepare(elapsed_ms)
        elif self.mode_told != MODE_OFF:
            self._measure(elapsed_ms)
        if self._configured:
            self.deep_discharge.report()
        self._register.waived[self._not_commissioned] = GATES_BOTH if self.trial.running() else 0
        blocked = self._register.step(elapsed_ms)
        allowed = self._permitted = self._permit(blocked)
        if self._configured and not self._chip.busy:
            measured = self._measurement.problem == GOOD
            urgent = self._register.urgent or not self._measurement.valid
            self._path.step(allowed, urgent, self._sample, measured, elapsed_ms, self._register)
            # What may not be discharged is not bled, nor a pack that nobody confirmed.
            bleed = allowed & GATE_DISCHARGE and not self._conditions[self._not_commissioned]
            self._bleeder.step(elapsed_ms, bool(bleed))
            if self._reprogram_due and self._path.commanded == 0:
                self._reprogram()
        state = self._state(blocked)
        if self._outputs is not None:
            self._outputs.drive(blocked, self._measurement)
        self._publish(allowed, state)
        self._log.post_handed(self._time.uptime_s)
        if self._journal.note(self._gates, self._path.state, state, self._time.uptime_s):
            self.keep_due = True

    def _report_conditions(self):
        conditions = self._conditions
        for fault in range(len(conditions)):
            if conditions[fault]:
                self._register.report(fault, 0)
        self._interlock.step()

    def _carry_out(self, request):
        if request == requests.CLEAR_FAULTS:
            self._clearing.ask()
        elif request == requests.GATES_OFF:
            self.restricted = True
        elif request == requests.GATES_AUTO:
            self._forbid(0)
        elif request == requests.CHARGE_OFF:
            self._forbid(GATE_CHARGE)
        elif request == requests.DISCHARGE_OFF:
            self._forbid(GATE_DISCHARGE)
        elif request == requests.REPROGRAM_AFE and self._configured:
            self._reprogram_due = not self._chip.busy
            if self._chip.busy:
                self._chip.start()
        elif request == requests.ACKNOWLEDGE_DEEP_DISCHARGE:
            self.deep_discharge.acknowledge()
        elif request == requests.CAPTURE:
            self._capture()
        elif request == requests.TRY_CURRENT:
            self.trial.start()
        self._log.post(events.REQUEST, request, 0, self._time.uptime_s)

    def _go_on_clearing(self, elapsed_ms):
        # Else whether a cause is gone can not be known.
        known = self._measurement.valid and not self._chip.settling()
        progress = self._clearing.step(elapsed_ms, known)
        if progress == LAPSED:
            self._log.post(events.NOT_CLEARED, 0, 0, self._time.uptime_s)
        elif progress == BEGINS:
            if self._chip.failed_checks:
                self._chip.test_again()
                self._reprogram_due = True  # the self-test says whether its cause is gone
            self._protection.release_by_person()
            self.rebounds.forgive()
            self._clearing.begin(self._sample.trips)
            self._log.post(events.CLEARED, 0, 0, self._time.uptime_s)

    def _forbid(self, gates):
        """Somebody asked for these gates to stay open, and for no other."""
        self.restricted = False
        self.forbidden = gates

    def _capture(self):
        if self._chip.busy or self._measurement.problem == STALE:
            return  # nothing was measured that would be worth keeping
        cells = self._sample.cell_mv
        for cell in range(len(cells)):
            self.captured_cell_mv[cell] = cells[cell]
        self.captured_stack_mv = self._sample.stack_mv
        self.captures += 1

    def _stop_measuring(self):
        """Before the chip is programmed anew, which also wakes it."""
        self.mode_told = MODE_NORMAL
        self._path.open_lines()
        self._bleeder.forget()
        self._measurement.forget()
        self._limits.forget()
        self._gates = 0

    def _reprogram(self):
        """Once the path had its time to open: contactors do not break every current."""
        self._reprogram_due = False
        self._stop_measuring()
        self._chip.start()

    def _prepare(self, elapsed_ms):
        """Bring the chip into its configured, tested state; gates stay off."""
        self._protection.hold(self._register, elapsed_ms)
        self._path.forget(elapsed_ms, self._register)
        if self._chip.step(elapsed_ms):
            self._measurement.forget()
            self._trips.mirror(self._afe.take_found_trips(), self._time.uptime_s)

    def _measure(self, elapsed_ms):
        """Take one sample, judge it, and report what is wrong."""
        measurement = self._measurement
        code = self._afe.sample_into(self._sample)
        # A chip that does not answer can not say what is on: what the off lines command stands in.
        self._gates = self._sample.gates if code == OK else self._path.commanded
        if code == CONFIGURATION_LOST:
            self._stop_measuring()
            self._chip.restarted()
            self._protection.hold(self._register, elapsed_ms)
            return
        if code == OK or code == SENSOR_LOST:
            self._clearing.recover(self._sample.trips)
            self._trips.mirror(self._sample.trips, self._time.uptime_s)
        if code == OK and not self._chip.guard(elapsed_ms, self._gates, self._sample.load_mv):
            self._reprogram_due = True
        mode = self.chip_mode
        if mode != self.mode_told and self._afe.set_mode(self._afe.MODES[mode]) <= BUSY:
            self.mode_told = mode
        if measurement.step(code, elapsed_ms):
            self._take_good(elapsed_ms)
        if measurement.valid:
            # Also in the hold-over: a glitch neither stretches a delay nor loses charge.
            self._derive_current_signals()
            self._counter.count(measurement.signals[CHARGE_MA], elapsed_ms)
            self._protection.step(
                measurement.signals, elapsed_ms, self._register, measurement.problem == GOOD
            )
        else:
            self._protection.hold(self._register, elapsed_ms)
        self.rebounds.step(self._protection.undervoltage(), self._counter.net_mah)
        if measurement.expired:
            self._limits.forget()
            self.trial.abort()
            self._register.report(self._problem_faults[measurement.problem], HOLD_MS)

    def _take_good(self, elapsed_ms):
        measurement = self._measurement
        sample = self._sample
        self._age_ms = measurement.age_ms
        self._publisher.measured(measurement)
        if self._thermistors.frozen(elapsed_ms, sample.chip_temperature_dc) >= 0:
            self._register.report(self._frozen, HOLD_MS)
        if not self._conditions[self._not_commissioned]:  # else a wrong lead looks like it
            self.deep_discharge.step(
                sample.cell_mv[measurement.cell_min_index], sample.current_ma, elapsed_ms
            )
        if self.trial.running():
            self.trial.step(sample.current_ma, elapsed_ms)

    def _derive_current_signals(self):
        """Current the way of a gate that is off, and current while it is limited."""
        signals = self._measurement.signals
        current_ma = signals[CHARGE_MA]
        off = GATES_BOTH & ~(self._path.commanded | self._gates)
        wrong_way = GATE_CHARGE if current_ma > 0 else GATE_DISCHARGE
        signals[GATES_OFF_MA] = abs(current_ma) if off & wrong_way else 0
        signals[LIMITED_MA] = abs(current_ma) if self._is_limited() else 0

    def _is_limited(self):
        return self.deep_discharge.acknowledged or self.trial.running()

    def _permit(self, blocked):
        """GATE_* bits that nothing forbids."""
        if (
            not self._measurement.valid
            or self._chip.busy
            or self.restricted
            or self.shipping
            or self._reprogram_due
        ):
            self.trial.abort()
            return 0
        allowed = GATES_BOTH & ~blocked & ~self.forbidden
        # Nothing is closed while a protection is on its way to trip: after a restart an
        # overcharged cell is not charged for another delay.
        # A gate that is on to spare its body diode, or as a contactor, is not one to be used.
        closed = self._path.commanded & self._permitted
        allowed &= ~(self._protection.pending & ~closed)
        if not allowed:
            self.trial.abort()
        return allowed

    def _publish(self, allowed, state):
        publisher = self._publisher
        measurement = self._measurement
        if not measurement.valid:
            publisher.blank()
        self._points.show_slow(measurement.valid)
        offered = 0 if self._path.holds_limits or self.trial.running() else allowed
        limits = self._limits
        if measurement.valid:
            if not offered & GATE_CHARGE:
                limits.withdraw(CHARGE)
            if not offered & GATE_DISCHARGE:
                limits.withdraw(DISCHARGE)
        most_ma = self._values[self._limited_ma] if self._is_limited() else _NO_LIMIT_MA
        publisher.allowed(
            offered,
            min(limits.charge_current_ma, most_ma),
            min(limits.discharge_current_ma, most_ma),
            limits.charge_reason,
            limits.discharge_reason,
        )
        publisher.alarms(self._register.words, self._protection.warnings)
        outputs = 0 if self._outputs is None else self._outputs.on
        publisher.bleeding(self._bleeder.active, self._bleeder.active_high)
        publisher.supervised(self._path.state, self._time.longest_ms, self._is_limited(), outputs)
        publisher.publish(state, self._gates, self._time.uptime_s, self._age_ms)

    def _state(self, blocked):
        if not self._configured:
            return STATE_UNCONFIGURED
        if self._chip.busy and not blocked:
            return STATE_SELF_TEST if self._chip.testing else STATE_PROGRAMMING
        if self._conditions[self._not_commissioned]:
            return STATE_COMMISSIONING
        if self._is_limited():
            return STATE_LIMITED
        if blocked:
            return STATE_FAULT
        if not self._measurement.valid:
            return STATE_STARTING
        return STATE_STANDBY if self.restricted or self.shipping else STATE_ACTIVE
