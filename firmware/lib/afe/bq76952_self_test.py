"""The start-up self-test of a BQ76952 that was just programmed, with its gates off.

Goals: what would be found too late under load is found before a gate ever closes; a check that
can not be made counts as failed. In bounded pieces (bq76952_stages), about 3.2 s in all, of which
3 are the wait for the chip's clock.
Limits: called from the fast path only; allocates nothing after construction.
What it can not see: a balancing switch that does not conduct. The chip pauses balancing to
measure, and reads back what it means to do; this tests that each switch can be commanded alone.
An open sense wire with much capacitance: one check takes 165 nC from its node (afe.md section 7),
0.75 V at the usual 220 nF, less at more; the protections go on looking. VREG18 and VSS, which
DASTATUS5 also tells: the facts give no limits for them.
"""

from afe import bq76952_registers as chip
from afe.bq76952_programming import DEVICE_NUMBER
from afe.bq76952_stages import MORE, WAIT, Stages
from bms.sample import CONFIGURATION_LOST, OK, VERIFY_FAILED

# Results: bits of bms.point_words.SELF_TESTS, which drivers may not import; a test compares them.
AFE_IDENTITY = 1 << 0
AFE_CONFIGURATION = 1 << 1
GATES_OFF = 1 << 2
BALANCE_SWITCHES = 1 << 3
CELL_WIRES = 1 << 4
THERMISTORS = 1 << 5
SUPPLY = 1 << 6
CLOCK = 1 << 7

# Subcommands (afe.md section 3)
_DEVICE_NUMBER = 0x0001
_DASTATUS6 = 0x0076
_SECONDS = 8  # place of the low half of the seconds in its answer
_CB_ACTIVE_CELLS = 0x0083
_ALL_FETS_OFF = 0x0095

_ANY_FET = 0x0F  # FET status: CHG, PCHG, DSG, PDSG
# DCHG and DDSG are asserted while their gate is off (SLUUBY2B FET Status; TI FAQ, E2E 1237508; a
# status of 0x61 with DSG off alone: E2E 1560919).
_BOTH_OUTPUTS = 0x30
_LAST_INPUT = 15
_VOLTAGE_PAIR = 0x0C  # safety A: CUV and COV, the sign of an open wire (afe.md section 7)

_COLDEST_DC = -400  # what a cell's sensor can show; open and shorted ones lie far outside
_HOTTEST_DC = 1200
_SPREAD_DC = 400  # cells of one pack are not further apart at rest
# The chip may refuse to balance outside of these (data memory 0x9336..0x9338, defaults).
_BALANCE_COLDEST_DC = -200
_BALANCE_HOTTEST_DC = 600
_BALANCE_DIE_DC = 700

_SCAN_MS = 2000  # a chip that has no full scan in this time (0.2 s is usual) does not measure
_WIRES_MS = 2000  # by now the chip has checked its wires at least once, every 1 s
_CLOCK_MS = 3000
_PAIR_MV = 250  # an open wire's cell is lower than the others by this, the next one higher
_PAIR_SUM_MV = 100  # while both together are what two others are


class SelfTest:
    """`start` it, then `step` it until the answer is not BUSY; then look at `failed`."""

    def __init__(self, link, image, registers, verification, parameters):
        self.failed = 0  # bits of the checks that failed
        self._link = link
        self._image = image
        self._registers = registers
        self._verification = verification
        self._values = parameters.values
        self._stack_mismatch = parameters.index("stack_mismatch_trip_mv")
        self._elapsed_ms = 0  # since the chip's clock was read
        self._waited_ms = 0  # for a scan; -1: not waiting
        self._seconds = 0  # of the chip's clock then, modulo 65536
        self._cell = 0  # whose switch is tried; as many as there are cells: none
        self._commanded = False  # and whether it was commanded
        self._switches = bytearray((_CB_ACTIVE_CELLS, 0, 0, 0))
        self._stages = Stages(
            link,
            (
                self._all_off,
                self._identify,
                self._start_clock,
                self._verify,
                self._await_scan,
                self._check_gates,
                self._switch,
                self._await_wires,
                self._await_scan,
                self._check_cells,
                self._await_clock,
                self._still_guarding,
            ),
        )

    def start(self):
        """Begin, or begin again. No bus traffic yet."""
        self.failed = 0
        self._elapsed_ms = 0
        self._waited_ms = -1
        self._cell = 0
        self._commanded = False
        self._verification.restart()
        self._stages.start()

    def step(self, elapsed_ms):
        """Some stages: BUSY while more is to do, OK at the end, or what the bus did."""
        if not self._stages.running:
            self.start()
        self._elapsed_ms += elapsed_ms
        if self._waited_ms >= 0:
            self._waited_ms += elapsed_ms
        return self._stages.step()

    # The stages; bq76952_stages says what they may answer.

    def _all_off(self):
        return self._link.command(_ALL_FETS_OFF, self._stages.busy > 0)

    def _identify(self):
        code = self._link.ask(_DEVICE_NUMBER, self._stages.busy > 0)
        if code == OK and _word(self._link.answer, 0) != DEVICE_NUMBER:
            self.failed |= AFE_IDENTITY
        return code

    def _start_clock(self):
        code = self._link.ask(_DASTATUS6, self._stages.busy > 0)
        if code == OK:
            self._seconds = _word(self._link.answer, _SECONDS)
            self._elapsed_ms = 0
        return code

    def _verify(self):
        code = self._verification.step(self._stages.busy > 0)
        if code == VERIFY_FAILED:
            self.failed |= AFE_CONFIGURATION
            return OK
        return code

    def _await_scan(self):
        """Let the chip measure all anew, then read it."""
        registers = self._registers
        if self._waited_ms < 0:
            if not registers.clear_alarms(chip.SCANS, 0):
                return self._link.failure
            self._waited_ms = 0
            return WAIT
        if not registers.read():
            return self._link.failure
        if registers.alarm[0] & chip.FULLSCAN:
            self._waited_ms = -1
            return OK
        if self._waited_ms < _SCAN_MS:
            return WAIT
        self._waited_ms = -1
        self.failed |= THERMISTORS | CELL_WIRES | SUPPLY
        return OK

    def _check_gates(self):
        fets = self._registers.alarm[chip.FETS]
        if fets & _ANY_FET:
            self.failed |= GATES_OFF
        if self._image.gate_outputs and fets & _BOTH_OUTPUTS != _BOTH_OUTPUTS:
            self.failed |= GATES_OFF
        self._check_thermistors()
        return OK

    def _check_thermistors(self):
        registers = self._registers
        lowest_dc = _HOTTEST_DC
        highest_dc = _COLDEST_DC
        for sensor in range(self._image.thermistors):
            temperature_dc = registers.temperature_dc(chip.TS1 + 2 * sensor)
            if not _COLDEST_DC <= temperature_dc <= _HOTTEST_DC:
                self.failed |= THERMISTORS
            lowest_dc = min(lowest_dc, temperature_dc)
            highest_dc = max(highest_dc, temperature_dc)
        if highest_dc - lowest_dc > _SPREAD_DC:
            self.failed |= THERMISTORS
        if self._image.fet_thermistor:
            temperature_dc = registers.temperature_dc(chip.HDQ)
            if not _COLDEST_DC <= temperature_dc <= _HOTTEST_DC:
                self.failed |= THERMISTORS
        if (
            lowest_dc < _BALANCE_COLDEST_DC
            or highest_dc > _BALANCE_HOTTEST_DC
            or registers.temperature_dc(chip.DIE) > _BALANCE_DIE_DC
        ):
            self._cell = self._image.cells  # no switch can be tried at this temperature

    def _switch(self):
        """Each cell's switch alone, then none, read back: adjacent ones are never on together."""
        link = self._link
        cells = self._image.cells
        if not self._commanded:
            inputs = 0
            if self._cell < cells:
                inputs = 1 << (_LAST_INPUT if self._cell == cells - 1 else self._cell)
            self._switches[2] = inputs & 0xFF
            self._switches[3] = inputs >> 8
            code = link.transfer(self._switches)
            self._commanded = code == OK
            return MORE if code == OK else code
        code = link.ask(_CB_ACTIVE_CELLS, self._stages.busy > 0)
        if code != OK:
            return code
        if _word(link.answer, 0) != _word(self._switches, 2):
            self.failed |= BALANCE_SWITCHES
        self._commanded = False
        self._cell += 1
        return OK if self._cell > cells else MORE

    def _await_wires(self):
        return OK if self._elapsed_ms >= _WIRES_MS else WAIT

    def _check_cells(self):
        registers = self._registers
        cells = self._image.cells
        total_mv = 0
        for cell in range(cells):
            total_mv += registers.cell_mv(cell, cells)
        stack_mv = self._image.stack_mv(registers.voltage_mv(chip.STACK))
        if abs(total_mv - stack_mv) > self._values[self._stack_mismatch]:
            self.failed |= SUPPLY
        status = registers.status
        raised = status[chip.ALERT_A] | status[chip.SAFETY_A]
        if raised & _VOLTAGE_PAIR == _VOLTAGE_PAIR:
            self.failed |= CELL_WIRES
        for cell in range(cells - 1):
            if self._is_open_above(cell, total_mv):
                self.failed |= CELL_WIRES
        return OK

    def _is_open_above(self, cell, total_mv):
        """Whether the wire above `cell` looks open: it is low, and the next one has the rest."""
        cells = self._image.cells
        low_mv = self._registers.cell_mv(cell, cells)
        high_mv = self._registers.cell_mv(cell + 1, cells)
        usual_mv = (total_mv - low_mv - high_mv) // (cells - 2)
        return (
            usual_mv - low_mv > _PAIR_MV
            and high_mv - usual_mv > _PAIR_MV
            and abs(low_mv + high_mv - 2 * usual_mv) < _PAIR_SUM_MV
        )

    def _await_clock(self):
        if self._elapsed_ms < _CLOCK_MS:
            return WAIT
        code = self._link.ask(_DASTATUS6, self._stages.busy > 0)
        if code == OK:
            passed_ms = 1000 * (_word(self._link.answer, _SECONDS) - self._seconds & 0xFFFF)
            if abs(passed_ms - self._elapsed_ms) > self._elapsed_ms // 5 + 1000:
                self.failed |= CLOCK
        return code

    def _still_guarding(self):
        """A chip that restarted meanwhile was not tested: it has to be programmed again."""
        status = self._registers.status
        if not self._link.read_into(chip.STATUS, status):
            return self._link.failure
        restarted = status[chip.BATTERY] & (chip.CFGUPDATE | chip.POR)
        return CONFIGURATION_LOST if restarted else OK


def _word(view, at):
    return view[at] | view[at + 1] << 8
