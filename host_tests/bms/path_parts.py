"""What the power paths switch and read in their tests: chip, off lines, contactors, faults.

Runs on CPython and MicroPython; nothing here allocates in a step.
"""

from bms.fault_register import FaultRegister
from bms.faults import Faults
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, OK, Sample
from host_tests.bms.bench import clear, parameters_with

PERIOD_MS = 100
STACK_MV = 52000


class Chip:
    """Takes commands and gives gates; what it really does is `obey` and what a test sets."""

    def __init__(self):
        self.code = OK  # what it answers to a command
        self.taken = 0  # GATE_* bits of the last command
        self.commands = 0
        self.charge_line = 1
        self.discharge_line = 1

    def command_gates(self, gates):
        self.commands += 1
        if self.code == OK:
            self.taken = gates
        return self.code

    def charge_off(self, level):
        self.charge_line = level

    def discharge_off(self, level):
        self.discharge_line = level

    def lines(self):
        """GATE_* bits that the off lines leave on."""
        return (0 if self.charge_line else GATE_CHARGE) | (
            0 if self.discharge_line else GATE_DISCHARGE
        )

    def gates(self):
        """GATE_* bits that are on, if the chip obeys."""
        return self.taken & self.lines()


class Contactors:
    """A board's contactors; an auxiliary contact follows its coil unless a test forces it."""

    def __init__(self):
        self.levels = bytearray(3)  # positive, negative, precharge
        self.forced = [None, None, None]  # what the auxiliary contact says instead

    def positive(self, level):
        self.levels[0] = level

    def negative(self, level):
        self.levels[1] = level

    def precharge(self, level):
        self.levels[2] = level

    def positive_closed(self):
        return self._closed(0)

    def negative_closed(self):
        return self._closed(1)

    def precharge_closed(self):
        return self._closed(2)

    def _closed(self, contactor):
        forced = self.forced[contactor]
        return self.levels[contactor] if forced is None else forced


class PathBench:
    """A path with a register around it, stepped as the battery does: register first.

    `make(chip, parameters, table, contactors)` builds the path. What faults of the battery block
    is `allowed`; what the path's own faults block comes from the register.
    """

    def __init__(self, make, **settings):
        self.table = Faults()
        self.register = FaultRegister(self.table)
        self.chip = Chip()
        self.contactors = Contactors()
        self.parameters = parameters_with(settings)
        self.sample = Sample(4, 2)
        self.sample.stack_mv = STACK_MV
        self.sample.bus_mv = 0
        self.path = make(self.chip, self.parameters, self.table, self.contactors)
        self.allowed = GATES_BOTH
        self.urgent = False
        self.measured = True
        self.obeying = True  # the sample's gates are the chip's
        self.now_ms = 0

    def step(self, elapsed_ms=PERIOD_MS):
        self.now_ms += elapsed_ms
        if self.obeying:
            self.sample.gates = self.chip.gates()
        blocked = self.register.step(elapsed_ms)
        urgent = self.urgent or self.register.urgent
        self.path.step(
            self.allowed & ~blocked, urgent, self.sample, self.measured, elapsed_ms, self.register
        )

    def run(self, duration_ms):
        end_ms = self.now_ms + duration_ms
        while self.now_ms < end_ms:
            self.step()

    def run_until(self, state, limit_ms):
        """Steps until the path is in `state`; the ms it took."""
        start_ms = self.now_ms
        while self.path.state != state:
            assert self.now_ms - start_ms < limit_ms, "state %d instead" % self.path.state
            self.step()
        return self.now_ms - start_ms

    def faults(self):
        """Names of the faults that are active after another look of the register."""
        self.register.step(0)
        return {
            self.table.names.name(bit)
            for bit in range(len(self.table))
            if self.register.is_active(bit)
        }

    def clear(self):
        """A person clears what can be cleared."""
        self.register.step(0)
        clear(self.register)
