"""Brings the measuring chip into a state to be trusted, and sees to it that it stays there.

Programming, then the start-up self-test, both with the gates off and in bounded pieces; then,
while the chip guards: reading its settings back all the time, asking whether a load is still there
after a short circuit, and counting its restarts.
Fast path only; nothing allocates after construction.
"""

from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    CORRUPT,
    OK,
    SENSOR_LOST,
    VERIFY_FAILED,
    WRONG_DEVICE,
)

# A fault of the chip or the link to it stays this long after its last sign, so that a flickering
# cause does not make the gates chatter.
HOLD_MS = 5000

_RETRY_MS = 1000  # between two tries to program a chip that does not answer as it should
_VERIFY_MS = 1000  # between two pieces of reading back: the whole memory about twice a minute
_LOAD_SETTLE_MS = 1000  # the load detection's current has charged the terminals by then
# SLUUBY2B, load detect: with the load gone LD rises above 4 V.
_LOAD_GONE_MV = 4000
# A chip whose supply fails with every load restarts again and again.
_RESTARTS_MAX = 3
_RESTARTS_WITHIN_MS = 600000
_NEVER_MS = 1 << 29

_TAKEN = (OK, BUSY)  # answers to a command that the chip got; it finishes within a millisecond

_ANSWERS = (
    (BUS_ERROR, "afe_lost"),
    (WRONG_DEVICE, "afe_wrong_device"),
    (VERIFY_FAILED, "afe_configuration"),
    (CONFIGURATION_LOST, "afe_restarted"),
    (CORRUPT, "afe_corrupt"),
    (SENSOR_LOST, "current_sensor_lost"),
)


class ChipCare:
    """`afe` is a driver (bms.sample lists its answers), `register` the fault register.

    busy: not guarding yet: no samples, gates off. testing: it is the self-test that is under way.
    failed_checks: bits of bms.point_words.SELF_TESTS that failed last; board_failed: those of them
    that the board's own start-up found.
    """

    def __init__(self, afe, faults, register):
        self._afe = afe
        self._register = register
        self._answer_faults = by_code(faults, _ANSWERS)
        self._self_test_fault = faults.names.index("self_test_failed")
        self._restarting_fault = faults.names.index("afe_restarting")
        self._short_circuit = faults.names.index("short_circuit")
        self._fault = self._answer_faults[BUS_ERROR]  # why programming failed last
        self.busy = False
        self.testing = False
        self._repeated = False  # the self-test failed once and runs again
        self.board_failed = 0
        self.failed_checks = 0
        self._retry_ms = 0  # until programming is tried again
        self._verify_ms = 0
        self._restarts = 0  # of the last ten minutes
        self._since_restart_ms = _NEVER_MS
        self._detecting = False  # the load detection is on
        self._detect_ms = 0  # for how long

    def start(self):
        """Begin, or begin again, with the parameters of now."""
        self.busy = True
        self.testing = False
        self._detecting = False
        self._retry_ms = 0
        self._afe.start_programming()

    def restarted(self):
        """The chip lost its settings: program it, and notice if that happens too often."""
        self._count_restart()
        self.start()

    def _count_restart(self):
        if self._since_restart_ms > _RESTARTS_WITHIN_MS:
            self._restarts = 0
        self._since_restart_ms = 0
        self._restarts += 1
        self._register.report(self._answer_faults[CONFIGURATION_LOST], HOLD_MS)
        if self._restarts >= _RESTARTS_MAX:
            self._register.renew(self._restarting_fault, HOLD_MS)

    def test_again(self):
        """A person cleared the faults: what failed is tested again before a gate may close."""
        self.failed_checks = 0

    def settling(self):
        """Whether it is not known yet if the load that made a short circuit is gone."""
        return self._detecting and self._detect_ms < _LOAD_SETTLE_MS

    def step(self, elapsed_ms):
        """While `busy`: one bounded piece of programming or testing. True when all is done."""
        self._age(elapsed_ms)
        if self._retry_ms > elapsed_ms:
            self._retry_ms -= elapsed_ms
            self._register.report(self._fault, HOLD_MS)
            self._afe.all_off()  # the off lines act only on a programmed chip
            return False
        self._retry_ms = 0
        if self.testing:
            return self._test(elapsed_ms)
        code = self._afe.programming_step()
        if code == OK:
            self.testing = True
            self._repeated = False
            self._afe.start_self_test()
        elif code != BUSY:
            self._fail(code)
        return False

    def guard(self, elapsed_ms, gates, load_mv):
        """While the chip guards: one small piece of supervision. False: program it anew.

        gates: what is on; load_mv: the latest sample's.
        """
        self._age(elapsed_ms)
        if self.failed_checks:
            self._register.report(self._self_test_fault, 0)
        self._watch_load(elapsed_ms, gates, load_mv)
        self._verify_ms += elapsed_ms
        if self._verify_ms < _VERIFY_MS:
            return True
        self._verify_ms = 0
        code = self._afe.verify_step()
        if code == VERIFY_FAILED:
            self._register.report(self._answer_faults[code], HOLD_MS)
            return False
        return True  # a bus that fails shows in the samples

    def _age(self, elapsed_ms):
        self._since_restart_ms = min(self._since_restart_ms + elapsed_ms, _NEVER_MS)

    def _fail(self, code):
        if code == CONFIGURATION_LOST:
            self._count_restart()
        self._fault = self._answer_faults[code]
        self._register.report(self._fault, HOLD_MS)
        self._retry_ms = _RETRY_MS
        self.testing = False
        self._afe.start_programming()

    def _test(self, elapsed_ms):
        code = self._afe.self_test_step(elapsed_ms)
        if code == OK:
            failed = self._afe.self_test_failed
            if failed and not self._repeated:
                self._repeated = True  # one glitch shall not keep a house dark
                self._afe.start_self_test()
                return False
            self.busy = False
            self.testing = False
            self.failed_checks = failed | self.board_failed
            return True
        if code != BUSY:
            self._fail(code)
        return False

    def _watch_load(self, elapsed_ms, gates, load_mv):
        """A short circuit that is still there can not be cleared: its cause is present."""
        if self._detecting and gates == 0:
            self._detect_ms = min(self._detect_ms + elapsed_ms, _LOAD_SETTLE_MS)
            if self._detect_ms < _LOAD_SETTLE_MS or load_mv < _LOAD_GONE_MV:
                # Also after a person's "clear" took the fault away in this step.
                self._register.report(self._short_circuit, 0)
                return
        wanted = gates == 0 and self._register.is_active(self._short_circuit)
        if wanted != self._detecting and self._afe.detect_load(wanted) in _TAKEN:
            self._detecting = wanted
            self._detect_ms = 0


def by_code(faults, rows):
    """Fault of each code in `rows` of (code, fault name), indexed by the code."""
    table = bytearray(1 + max([row[0] for row in rows]))
    for code, name in rows:
        table[code] = faults.names.index(name)
    return bytes(table)
