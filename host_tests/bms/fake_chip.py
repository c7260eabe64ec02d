"""A measuring chip that does what a test says, behind the driver calls that the battery makes.

It stands in for a driver (bms.sample lists the answers) and for the two off lines. Its own rules
are those of a careful reader of the architecture: whoever breaks one gets an AssertionError, which
also stays in `broken_rule`, because the battery catches what is raised in its step:

- no gate is let on before programming and self-test ended, nor while they go on;
- the chip is asked for samples, and to recover, only when it is programmed;
- both off lines are off from the first piece of programming to the last;
- an off line opens a gate before the chip is told to, and both agree (law 1).

Runs on CPython and MicroPython; nothing allocates after construction.
"""

from bms.sample import (
    BUSY,
    GATE_CHARGE,
    GATE_DISCHARGE,
    GATES_BOTH,
    OK,
    SENSOR_LOST,
    TRIP_SHORT_CIRCUIT,
)


class FakeChip:
    """What it measures and answers are plain attributes, to be set at any time.

    cell_mv, temperature_dc, current_ma, board_temperature_dc, stack_error_mv, trips: the world.
    scanning: whether a new scan is ready for every sample. code: the answer to `sample_into`.
    programming_steps: pieces that programming takes; programming_code: how it ends.
    self_test_steps, self_test_code, failing_checks: the same of the self-test, and its result.
    verify_code: answer to `verify_step`. load: whether a load is on the terminals.
    latched_trips: trips that stay until `recover` is asked for them.
    gates_code, recover_code, detect_code: answers to these commands; if not OK, nothing happened.
    failure: an exception that the next call of the driver raises.
    balance_code: answer to `balance`; balanced: the mask it took last, balance_commands how often;
    mode_code: answer to `set_mode`; mode: what it took last.
    balance_answer: what it says that it bleeds; None: what it took.
    held_off, stuck_on: GATE_* bits that stay off or on whatever is commanded.
    """

    BALANCE_REFRESH_MS = 4000
    BALANCE_NEIGHBOURS = False
    BALANCE_CELLS = 8
    BALANCE_DUTY_PERMILLE = 850
    SLEEPS = True
    MODES = (0, 1, 2)

    def __init__(self, cells=4, thermistors=2):
        self.cell_mv = [3300] * cells
        self.temperature_dc = [250] * thermistors
        self.board_temperature_dc = 300
        self.chip_temperature_dc = 300
        self.bus_mv = None  # behind the switches; None: follows stack and gates
        self.load = False
        self.current_ma = 0
        self.stack_error_mv = 0
        self.trips = 0
        self.latched_trips = 0
        self.found_trips = 0
        self.scanning = True
        self.code = OK
        self.programming_steps = 3
        self.programming_code = OK
        self.self_test_steps = 2
        self.self_test_code = OK
        self.failing_checks = 0
        self.self_test_failed = 0
        self.verify_code = OK
        self.verified = 0  # times it was asked to read its settings back
        self.detecting = False
        self.gates_code = OK
        self.recover_code = OK
        self.detect_code = OK
        self.balance_code = OK
        self.balanced = 0
        self.balance_commands = 0
        self.balance_busy = False
        self.balance_answer = None
        self.balancing_cells = 0
        self.mode = 0  # MODE_* that it was told last
        self.mode_code = OK
        self.failure = None
        self.held_off = 0
        self.stuck_on = 0
        self.charge_line = 0  # level of the off line: 1 is off
        self.discharge_line = 0
        self.commanded = 0  # what the chip last took
        self.commands = 0  # times it was told
        self.samples = 0
        self.programmings = 0  # times programming was started
        self.self_tests = 0  # times the self-test was started
        self.recovered_trips = -1  # what it was last asked to recover from
        self.programmed = False
        self.tested = False
        self.broken_rule = None
        self._left = -1  # pieces of programming left; -1: not programming
        self._tests_left = 0

    def charge_off(self, level):
        """The off line of the charge gate."""
        self.charge_line = level

    def discharge_off(self, level):
        """The off line of the discharge gate."""
        self.discharge_line = level

    def lines(self):
        """GATE_* bits that the off lines let on."""
        gates = 0 if self.charge_line else GATE_CHARGE
        return gates if self.discharge_line else gates | GATE_DISCHARGE

    def gates(self):
        """GATE_* bits that are really on."""
        return self.commanded & self.lines() & ~self.held_off | self.stuck_on

    def set_cells(self, millivolts):
        """All cells alike."""
        for index in range(len(self.cell_mv)):
            self.cell_mv[index] = millivolts

    def set_temperatures(self, decidegrees):
        """All sensors alike."""
        for index in range(len(self.temperature_dc)):
            self.temperature_dc[index] = decidegrees

    def set_mode(self, mode):
        """Sleep, or wake, or be switched off."""
        self._fail()
        self._must(self.programmed, "a chip is told its mode while it guards")
        if self.mode_code == OK:
            self.mode = mode
        return self.mode_code

    def start_programming(self):
        """Forget everything and begin."""
        self._fail()
        self.programmings += 1
        self.programmed = False
        self.tested = False
        self.detecting = False
        self.balanced = 0
        self.mode = 0
        self._left = self.programming_steps

    def all_off(self):
        """Everything off, in whatever state."""
        self._fail()
        self.commands += 1
        self.commanded = 0
        self.balanced = 0
        return OK

    def take_found_trips(self):
        """What had tripped before programming; asked once."""
        trips = self.found_trips
        self.found_trips = 0
        return trips

    def programming_step(self):
        """BUSY as long as `programming_steps` says, then `programming_code`."""
        self._fail()
        self._must(self._left >= 0, "programming goes on only after it was started")
        self._must(self.lines() == 0, "the off lines are off while the chip is programmed")
        self.commanded = 0  # what programming does first
        if self._left > 0:
            self._left -= 1
            return BUSY
        if self.programming_code == OK:
            self._left = -1
            self.programmed = True
        else:
            self._left = self.programming_steps
        return self.programming_code

    def start_self_test(self):
        """Begin."""
        self._fail()
        self._must(self.programmed, "what is not programmed is not tested")
        self.self_tests += 1
        self._tests_left = self.self_test_steps

    def self_test_step(self, elapsed_ms):
        """BUSY as long as `self_test_steps` says, then `self_test_code`."""
        self._fail()
        self._must(self.lines() == 0, "the off lines are off while the chip is tested")
        if self._tests_left > 0:
            self._tests_left -= 1
            return BUSY
        self.self_test_failed = self.failing_checks
        self.tested = self.self_test_code == OK
        return self.self_test_code

    def verify_step(self):
        """Read a piece of the settings back."""
        self._fail()
        self._must(self.tested, "what is not programmed is not read back")
        self.verified += 1
        return self.verify_code

    def detect_load(self, on):
        """The load detection's current."""
        self._fail()
        if self.detect_code == OK:
            self.detecting = on
        return self.detect_code

    def sample_into(self, sample):
        """What the chip measures now; unless `code` is OK, `sample` keeps what it had. With
        SENSOR_LOST it is all new but for current and bus, which are another chip's."""
        self._fail()
        self._must(self.tested, "a chip that is not programmed and tested measures nothing")
        self.samples += 1
        if self.code != OK and self.code != SENSOR_LOST:
            return self.code
        total = 0
        for index in range(len(sample.cell_mv)):
            sample.cell_mv[index] = self.cell_mv[index]
            total += self.cell_mv[index]
        for index in range(len(sample.temperature_dc)):
            sample.temperature_dc[index] = self.temperature_dc[index]
        sample.stack_mv = total + self.stack_error_mv
        if self.code == OK:
            sample.current_ma = self.current_ma
        sample.board_temperature_dc = self.board_temperature_dc
        sample.chip_temperature_dc = self.chip_temperature_dc
        bus_mv = self.bus_mv
        if bus_mv is None:
            bus_mv = sample.stack_mv if self.gates() else 0
        if self.code == OK:
            sample.bus_mv = bus_mv
        sample.load_mv = sample.stack_mv if self.detecting and not self.load else 0
        sample.gates = self.gates()
        sample.trips = self.trips | self.latched_trips
        if self.scanning:
            sample.scans = (sample.scans + 1) & 0x3FFFFFFF
        return self.code

    def command_gates(self, gates):
        """Let `gates` on, everything else off."""
        self._fail()
        self._must(gates == gates & GATES_BOTH, "there are two gates")
        self._must(gates == 0 or self.tested, "no gate before the chip is programmed and tested")
        self._must(gates == self.lines(), "the off lines go first and say the same")
        self.commands += 1
        if self.gates_code == OK:
            self.commanded = gates
        return self.gates_code

    def recover(self, trips):
        """Let go what was latched."""
        self._fail()
        self._must(self.programmed, "a chip that is not programmed latches nothing")
        self.recovered_trips = trips
        if self.recover_code == OK and trips & TRIP_SHORT_CIRCUIT and not self.load:
            self.latched_trips &= ~TRIP_SHORT_CIRCUIT
        return self.recover_code

    def balance(self, cells):
        """Bleed these."""
        self._fail()
        self._must(cells == 0 or self.tested, "nothing is bled before the chip is tested")
        self._must(not cells & cells << 1, "neighbours are never bled together")
        self.balance_commands += 1
        if self.balance_code == OK:
            self.balanced = cells
        return self.balance_code

    def read_balancing(self, sent=False):
        """What is bled; busy at first if `balance_busy`."""
        self._fail()
        if self.balance_busy and not sent:
            return BUSY
        self.balancing_cells = self.balanced
        if self.balance_answer is not None:
            self.balancing_cells = self.balance_answer
        return OK

    def _must(self, holds, rule):
        if not holds:
            self.broken_rule = rule
            raise AssertionError(rule)

    def _fail(self):
        if self.failure is not None:
            failure = self.failure
            self.failure = None
            raise failure
