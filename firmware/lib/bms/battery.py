"""The battery: what happens between one measurement and the next.

`step(elapsed_ms)` is the fast path: sample, judge, protect, permit, switch, publish. It runs from
the board's timer, allocates nothing and never waits. `slow_step(elapsed_ms)` runs once a second
from a coroutine: state of charge and limits; it may only restrict.
Whatever goes wrong inside `step` opens the gates by their off lines and is a latched fault.
"""

from array import array

from bms import requests
from bms.fault_register import FaultRegister
from bms.limits import Limits
from bms.measurement import AGE_MAX_MS, GOOD, IMPLAUSIBLE, LOST, STALE, Measurement
from bms.points import (
    STATE_ACTIVE,
    STATE_FAULT,
    STATE_PROGRAMMING,
    STATE_STANDBY,
    STATE_STARTING,
    STATE_UNCONFIGURED,
)
from bms.protection import CHARGE_MA, Protection
from bms.publisher import Publisher
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CELL_UNDERVOLTAGE,
    TRIP_CHIP_FAILED,
    TRIP_CHIP_OVERTEMPERATURE,
    TRIP_HOST_WATCHDOG,
    TRIP_OVERCURRENT_CHARGE,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_OVERTEMPERATURE_CHARGE,
    TRIP_OVERTEMPERATURE_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNDERTEMPERATURE_CHARGE,
    TRIP_UNDERTEMPERATURE_DISCHARGE,
    VERIFY_FAILED,
    WRONG_DEVICE,
    Sample,
)
from bms.slow_path import SlowPath
from bms.soc import ChargeCounter
from bms.switch import Switch

# A fault of the chip or the link to it stays this long after its last sign, so that a flickering
# cause does not make the gates chatter.
_HOLD_MS = 5000
_MS_PER_S = 1000
_RETRY_MS = 1000  # between two tries to program a chip that does not answer as it should

# What the chip trips by itself, mirrored as our own fault so that nothing re-closes by itself.
_TRIPS = (
    (TRIP_CELL_OVERVOLTAGE, "cell_overvoltage"),
    (TRIP_CELL_UNDERVOLTAGE, "cell_undervoltage"),
    (TRIP_OVERCURRENT_CHARGE, "overcurrent_charge"),
    (TRIP_OVERCURRENT_DISCHARGE, "overcurrent_discharge"),
    (TRIP_SHORT_CIRCUIT, "short_circuit"),
    (TRIP_OVERTEMPERATURE_CHARGE, "overtemperature_charge"),
    (TRIP_OVERTEMPERATURE_DISCHARGE, "overtemperature_discharge"),
    (TRIP_UNDERTEMPERATURE_CHARGE, "undertemperature_charge"),
    (TRIP_UNDERTEMPERATURE_DISCHARGE, "undertemperature_discharge"),
    (TRIP_CHIP_OVERTEMPERATURE, "afe_overtemperature"),
    (TRIP_HOST_WATCHDOG, "afe_watchdog"),
    (TRIP_CHIP_FAILED, "afe_failed"),
)

_PROBLEMS = (
    (LOST, "afe_lost"),
    (STALE, "measurement_stale"),
    (IMPLAUSIBLE, "measurement_implausible"),
)
_ANSWERS = (
    (BUS_ERROR, "afe_lost"),
    (WRONG_DEVICE, "afe_wrong_device"),
    (VERIFY_FAILED, "afe_configuration"),
    (CONFIGURATION_LOST, "afe_restarted"),
)


class Battery:
    """One pack behind one measuring chip.

    `afe` is a driver (see bms.sample for its answers), `charge_off` and `discharge_off` are the
    off lines, called with 1 for off. `configured` False: measure nothing, gates off, say why.
    """

    def __init__(self, points, parameters, faults, afe, charge_off, discharge_off, configured):
        self.requests = requests.Requests()
        self.failure = None  # the exception that stopped the fast path, for the log
        self._points = points
        self._afe = afe
        self._configured = configured
        self._switch = Switch(afe, charge_off, discharge_off)
        self._register = FaultRegister(faults)
        self._protection = Protection(parameters, faults)
        self._configuration_invalid = faults.names.index("configuration_invalid")
        self._step_failed = faults.names.index("step_failed")
        self._watchdog_fault = faults.names.index("afe_watchdog")
        self._values = parameters.values
        self._chip_watchdog = parameters.index("afe_watchdog_s")
        self._trip_bits = array("H", [row[0] for row in _TRIPS])
        self._trip_faults = bytes(faults.names.index(row[1]) for row in _TRIPS)
        self._answer_faults = _by_code(faults, _ANSWERS)
        self._problem_faults = _by_code(faults, _PROBLEMS)
        self._gates = 0  # GATE_* bits that are on
        self._restricted = False  # somebody asked for open gates
        self._programming = configured
        self._programming_fault = self._answer_faults[BUS_ERROR]  # why programming failed last
        self._retry_ms = 0  # until programming is tried again
        self._uptime_ms = 0
        self._uptime_s = 0
        self._age_ms = 0  # since the last good measurement, or since the start
        self._sample = Sample(
            parameters.value("series_cells") if configured else 1,
            parameters.value("cell_thermistors"),
        )
        self._measurement = Measurement(self._sample)
        self._counter = ChargeCounter()
        self._publisher = Publisher(points)
        self._limits = Limits(parameters)
        self._slow = SlowPath(points, parameters, self._limits, self._counter)
        if configured:
            afe.start_programming()
        self.slow_step(0)
        self._publish(0, 0)  # links may read before the first step

    def step(self, elapsed_ms):
        """The fast path: `elapsed_ms` have passed since the last call. Never raises."""
        if self.failure is not None:
            self._switch.open_lines()  # and nothing is published any more
            return
        try:
            self._step(elapsed_ms)
        except Exception as failure:
            self.stop(failure)

    def stop(self, failure):
        """Open the gates for good: the firmware itself can not be trusted any more."""
        self._switch.open_lines()
        self.failure = failure
        self.requests.pending = requests.NONE
        self._register.report(self._step_failed, 0)
        self._register.step(0)
        self._publisher.fail(self._register.words)

    def slow_step(self, elapsed_ms):
        """State of charge and limits, once a second. Does nothing without a configuration."""
        if self._configured:
            self._slow.step(elapsed_ms)

    def _step(self, elapsed_ms):
        self._uptime_ms += elapsed_ms
        while self._uptime_ms >= _MS_PER_S:
            self._uptime_ms -= _MS_PER_S
            self._uptime_s += 1
        self._age_ms = min(self._age_ms + elapsed_ms, AGE_MAX_MS)
        if self.requests.pending:
            self._carry_out(self.requests.pending)
            self.requests.pending = requests.NONE
        if elapsed_ms >= self._values[self._chip_watchdog] * _MS_PER_S:
            # The chip's host watchdog bit, and forgets it as soon as it hears from us.
            self._switch.open_lines()
            self._register.report(self._watchdog_fault, _HOLD_MS)
        if not self._configured:
            self._register.report(self._configuration_invalid, 0)
            self._afe.all_off()  # again and again: nobody watches this chip
        elif self._programming:
            self._program(elapsed_ms)
        else:
            self._measure(elapsed_ms)
        blocked = self._register.step(elapsed_ms)
        allowed = 0
        if self._measurement.valid and not self._programming and not self._restricted:
            allowed = GATES_BOTH & ~blocked
        if self._configured and not self._programming:
            self._switch.step(allowed, self._gates)
        self._publish(allowed, blocked)

    def _carry_out(self, request):
        if request == requests.CLEAR_FAULTS:
            if self._measurement.valid and not self._programming:  # else a cause can not be known
                self._register.clear()
                self._afe.recover(self._sample.trips)
        elif request == requests.GATES_OFF:
            self._restricted = True
        elif request == requests.GATES_AUTO:
            self._restricted = False
        elif request == requests.REPROGRAM_AFE and self._configured:
            self._start_programming()

    def _start_programming(self):
        self._switch.open_lines()
        self._switch.forget()
        self._measurement.forget()
        self._limits.forget()
        self._programming = True
        self._gates = 0
        self._retry_ms = 0
        self._afe.start_programming()

    def _program(self, elapsed_ms):
        """Bring the chip into its configured state, one bounded piece a step; gates stay off."""
        self._protection.hold(self._register)
        if self._retry_ms > elapsed_ms:
            self._retry_ms -= elapsed_ms
            self._register.report(self._programming_fault, _HOLD_MS)
            self._afe.all_off()  # the off lines act only on a programmed chip
            return
        self._retry_ms = 0
        code = self._afe.programming_step()
        if code == OK:
            self._programming = False
            self._measurement.forget()
            self._mirror_trips(self._afe.take_found_trips())
        elif code != BUSY:
            self._programming_fault = self._answer_faults[code]
            self._register.report(self._programming_fault, _HOLD_MS)
            self._retry_ms = _RETRY_MS
            self._afe.start_programming()

    def _measure(self, elapsed_ms):
        """Take one sample, judge it, and report what is wrong."""
        measurement = self._measurement
        code = self._afe.sample_into(self._sample)
        # A chip that does not answer can not say what is on: what the off lines command stands in.
        self._gates = self._sample.gates if code == OK else self._switch.commanded
        if code == CONFIGURATION_LOST:
            self._register.report(self._answer_faults[code], _HOLD_MS)
            self._start_programming()
            return
        if code == OK:
            self._mirror_trips(self._sample.trips)
        if measurement.step(code, elapsed_ms):
            self._age_ms = measurement.age_ms
            self._publisher.measured(measurement)
        if measurement.valid:
            # Also in the hold-over: a glitch neither stretches a delay nor loses charge.
            self._counter.count(measurement.signals[CHARGE_MA], elapsed_ms)
            self._protection.step(
                measurement.signals, elapsed_ms, self._register, measurement.problem == GOOD
            )
        else:
            self._protection.hold(self._register)
        if measurement.expired:
            self._limits.forget()
            self._register.report(self._problem_faults[measurement.problem], _HOLD_MS)

    def _mirror_trips(self, trips):
        if trips:
            for row in range(len(self._trip_bits)):
                if trips & self._trip_bits[row]:
                    fault = self._trip_faults[row]
                    if not self._protection.force(fault):
                        self._register.report(fault, _HOLD_MS)

    def _publish(self, allowed, blocked):
        publisher = self._publisher
        measurement = self._measurement
        if not measurement.valid:
            publisher.blank()
        self._points.show_slow(measurement.valid)
        publisher.allowed(
            allowed, self._limits.charge_current_ma, self._limits.discharge_current_ma
        )
        publisher.alarms(self._register.words, self._protection.warnings)
        if not self._configured:
            state = STATE_UNCONFIGURED
        elif self._programming and not blocked:
            state = STATE_PROGRAMMING
        elif blocked:
            state = STATE_FAULT
        elif not measurement.valid:
            state = STATE_STARTING
        elif self._restricted:
            state = STATE_STANDBY
        else:
            state = STATE_ACTIVE
        publisher.publish(state, self._gates, self._uptime_s, self._age_ms)


def _by_code(faults, rows):
    """Fault of each driver answer or measurement problem, indexed by its code."""
    table = bytearray(1 + max(row[0] for row in rows))
    for code, name in rows:
        table[code] = faults.names.index(name)
    return bytes(table)
