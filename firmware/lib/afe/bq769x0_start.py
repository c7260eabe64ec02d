"""Programming and start-up self-test of a BQ769x0.

Goals: from whatever state the chip is in to programmed, verified, tested and guarding, gates off
from the first command to the last; in bounded pieces, a few transactions a step (less than 10 ms
at 100 kHz). The self-test takes about 6.5 s, most of it the wait for dies and thermistors, which
share a converter: a turn each. Meanwhile every cell is bled for a moment: open wires show.
Limits: called from the fast path only; nothing waits and nothing allocates after construction.
What the self-test can not see: a balancing switch that does not conduct; an open wire of which the
input floats well enough to keep its voltage while one of its cells is bled (unverified).
"""

from afe import bq769x0_registers as chip
from afe.bq76952_stages import MORE, WAIT, Stages
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    OK,
    VERIFY_FAILED,
    WRONG_DEVICE,
)

# Results: bits of bms.point_words.SELF_TESTS, which drivers may not import; a test compares them.
AFE_IDENTITY = 1 << 0
AFE_CONFIGURATION = 1 << 1
GATES_OFF = 1 << 2
BALANCE_SWITCHES = 1 << 3
CELL_WIRES = 1 << 4
THERMISTORS = 1 << 5
SUPPLY = 1 << 6
CLOCK = 1 << 7

_RESERVED_2 = 0x1C  # SYS_CTRL2, bits that a BQ769x0 has not
_SETTINGS = 6  # registers from PROTECT1 on
_EVERY_BIT = 0xFF

_COLDEST_DC = -400  # what a cell's sensor can show; open and shorted ones lie far outside
_HOTTEST_DC = 1200
_SPREAD_DC = 400  # cells of one pack are not further apart at rest
_SCAN_MS = 250
_SILENT_MS = 2000  # a chip without a scan in this time does not measure
_BLED_SCANS = 3  # by then a scan began with these cells bled
# Of an open wire's cells one reads lower than the usual by this, the other one higher.
_PAIR_MV = 250
_EVEN_CELLS = 0x5555
_ODD_CELLS = 0xAAAA


class Programming:
    """`start` it, then `step` it until the answer is not BUSY.

    `found()` is called once the chip is known to be ours, with its registers read but not changed.
    """

    def __init__(self, link, registers, settings, temperatures, found):
        self._link = link
        self._registers = registers
        self._settings = settings
        self._temperatures = temperatures
        self._found = found
        self._stages = Stages(
            link,
            (
                # Off first: a restart of the processor alone leaves gates and balancing on.
                self._all_off,
                self._identify,
                self._calibrate,
                self._write,
                self._measure,
                self._verify,
                self._clear,
                self._guarding,
            ),
        )
        self._register = 0  # next to write

    def start(self):
        """Begin, or begin again. No bus traffic yet."""
        self._stages.start()
        self._register = 0

    def step(self):
        """Some stages: BUSY while more is to do, OK at the end, else why it failed."""
        if not self._stages.running:
            self.start()
        return self._stages.step()

    # The stages; bq76952_stages says what they may answer.

    def _all_off(self):
        return OK if self._registers.all_off() else self._link.failure

    def _identify(self):
        """No register says who the chip is: ours keeps CC_CFG and leaves reserved bits 0."""
        registers = self._registers
        if not registers.read_control():
            return self._link.failure
        if registers.control[chip.CONTROL_2] & _RESERVED_2:
            return WRONG_DEVICE
        # A chip that lost its settings trips by its own, which mean nothing.
        kept = registers.control[chip.CC_CFG] == chip.CC_CFG_VALUE
        status = registers.control[chip.STAT] if kept else 0
        if not self._link.write(chip.CC_CFG, chip.CC_CFG_VALUE) or not registers.read_control():
            return self._link.failure
        if registers.control[chip.CC_CFG] != chip.CC_CFG_VALUE:
            return WRONG_DEVICE
        registers.control[chip.STAT] = status
        self._found()
        return OK

    def _calibrate(self):
        registers = self._registers
        if not registers.read_calibration():
            return self._link.failure
        registers.take_calibration()
        image = self._settings.image
        image.trim = registers.gain_uv << 8 | registers.offset_mv & 0xFF
        image.corrections = image.offered if image.offered_trim == image.trim else None
        registers.corrections = image.corrections
        self._settings.update(registers.gain_uv, registers.offset_mv)
        return OK

    def _write(self):
        at = self._register
        if not self._link.write(chip.PROTECT_1 + at, self._settings.image.registers[at]):
            return self._link.failure
        self._register += 1
        return OK if self._register == _SETTINGS else MORE

    def _measure(self):
        return OK if self._temperatures.choose(self._link, True) else self._link.failure

    def _verify(self):
        if not self._registers.read_control():
            return self._link.failure
        return VERIFY_FAILED if self._is_wrong() else OK

    def _clear(self):
        return OK if self._link.write(chip.STAT, _EVERY_BIT) else self._link.failure

    def _guarding(self):
        """Both gates are off, and the chip did not restart meanwhile."""
        registers = self._registers
        if not registers.read_control():
            return self._link.failure
        if registers.control[chip.CONTROL_2] & (chip.CHG_ON | chip.DSG_ON):
            return VERIFY_FAILED
        return CONFIGURATION_LOST if self._is_wrong() else OK

    def _is_wrong(self):
        return self._settings.image.differs(self._registers.control, self._temperatures.of_dies)


class SelfTest:
    """`start` it, then `step` it until the answer is not BUSY; then look at `failed`."""

    def __init__(self, link, registers, image, temperatures, parameters):
        self.failed = 0  # bits of the checks that failed
        self._link = link
        self._registers = registers
        self._image = image
        self._temperatures = temperatures
        self._values = parameters.values
        self._stack_mismatch = parameters.index("stack_mismatch_trip_mv")
        self._elapsed_ms = 0  # since the clock was started
        self._silent_ms = 0  # since the latest scan, or since one was waited for
        self._scans = 0  # since then
        self._missed = False  # the chip did not answer in the latest step
        self._wait_scans = 0  # that are still to come in this stage
        self._cell = 0  # whose switch is tried; as many as there are cells: none
        self._stages = Stages(
            link,
            (
                self._identify,
                self._verify,
                self._begin,
                self._await_scan,
                self._switch,
                self._bleed_even,
                self._await_scan,
                self._check_wires,
                self._start_clock,
                self._bleed_odd,
                self._await_scan,
                self._check_wires,
                self._bleed_none,
                self._await_temperatures,
                self._measure_thermistors,
                self._await_temperatures,
                self._check,
                self._still_guarding,
            ),
        )

    def start(self):
        """Begin, or begin again. No bus traffic yet."""
        self.failed = 0
        self._cell = 0
        self._wait_scans = 1
        self._silent_ms = 0
        self._missed = False
        self._temperatures.forget()
        self._stages.start()

    def step(self, elapsed_ms):
        """Some stages: BUSY while more is to do, OK at the end, or what the bus did."""
        if not self._stages.running:
            self.start()
        self._elapsed_ms += elapsed_ms
        self._silent_ms += elapsed_ms
        code = self._stages.step()
        # A chip that restarts is silent for 10 ms (afe.md section 8): then a stage finds out.
        self._missed = code == BUS_ERROR and not self._missed
        if self._missed:
            self._stages.running = True
            return BUSY
        return code

    # The stages; bq76952_stages says what they may answer.

    def _identify(self):
        if not self._registers.read_calibration():
            return self._link.failure
        if not self._registers.same_calibration():
            self.failed |= AFE_IDENTITY
        return OK

    def _verify(self):
        registers = self._registers
        if not self._temperatures.choose(self._link, True) or not registers.read_control():
            return self._link.failure
        if self._image.differs(registers.control, True):
            self.failed |= AFE_CONFIGURATION
        if registers.control[chip.CONTROL_2] & (chip.CHG_ON | chip.DSG_ON):
            self.failed |= GATES_OFF
        return OK

    def _begin(self):
        self._silent_ms = 0
        return OK if self._link.write(chip.STAT, chip.CC_READY) else self._link.failure

    def _await_scan(self):
        """The scans that the stage before asked for, the latest of them read."""
        code = self._next_scan()
        if code == OK:
            self._wait_scans -= 1
            return WAIT if self._wait_scans else OK
        return code

    def _start_clock(self):
        self._elapsed_ms = 0
        self._scans = 0
        return OK

    def _switch(self):
        """Each cell's switch alone, then none, read back: adjacent ones are never on together."""
        registers = self._registers
        cells = len(registers.used)
        wanted = 1 << self._cell if self._cell < cells else 0
        if not registers.write_balance(wanted) or not registers.read_control():
            return self._link.failure
        if registers.balanced() != wanted:
            self.failed |= BALANCE_SWITCHES
        self._cell += 1
        return OK if self._cell > cells else MORE

    def _bleed_even(self):
        return self._bleed(_EVEN_CELLS)

    def _bleed_odd(self):
        return self._bleed(_ODD_CELLS)

    def _bleed_none(self):
        return self._bleed(0)

    def _check_wires(self):
        registers = self._registers
        cells = len(registers.used)
        usual_mv = registers.stack_mv() // cells
        for cell in range(cells - 1):
            one_mv = registers.cell_mv(cell)
            other_mv = registers.cell_mv(cell + 1)
            low_mv = min(one_mv, other_mv)
            high_mv = max(one_mv, other_mv)
            if usual_mv - low_mv > _PAIR_MV and high_mv - usual_mv > _PAIR_MV:
                self.failed |= CELL_WIRES
        return OK

    def _await_temperatures(self):
        code = self._next_scan()
        if code != OK:
            return code
        if not self._temperatures.settled and self._silent_ms <= _SILENT_MS:
            return WAIT
        self._temperatures.take()
        return OK

    def _measure_thermistors(self):
        return OK if self._temperatures.choose(self._link, False) else self._link.failure

    def _check(self):
        registers = self._registers
        total_mv = 0
        for cell in range(len(registers.used)):
            total_mv += registers.cell_mv(cell)
        if abs(total_mv - registers.stack_mv()) > self._values[self._stack_mismatch]:
            self.failed |= SUPPLY
        if not self._temperatures.plausible(_COLDEST_DC, _HOTTEST_DC, _SPREAD_DC):
            self.failed |= THERMISTORS
        passed_ms = _SCAN_MS * self._scans
        if abs(passed_ms - self._elapsed_ms) > self._elapsed_ms // 5 + 2 * _SCAN_MS:
            self.failed |= CLOCK
        return OK

    def _still_guarding(self):
        """A chip that restarted meanwhile was not tested: it has to be programmed again. One that
        does not measure has failed, and shall ask for thermistors all the same."""
        registers = self._registers
        if self._temperatures.of_dies and not self._temperatures.choose(self._link, False):
            return self._link.failure
        if not registers.read_control():
            return self._link.failure
        if self._image.differs(registers.control, False):
            return CONFIGURATION_LOST
        return OK

    def _bleed(self, cells):
        self._wait_scans = _BLED_SCANS
        self._silent_ms = 0
        return OK if self._registers.write_balance(cells) else self._link.failure

    def _next_scan(self):
        """OK once there is one more, and it is read; at once if the chip does not measure.

        A chip that restarted is told as such: one that goes on restarting never gets further.
        """
        registers = self._registers
        if self._silent_ms > _SILENT_MS:
            self.failed |= THERMISTORS | CELL_WIRES | SUPPLY | CLOCK
            self._wait_scans = 1
            return OK
        if not registers.read():
            return self._link.failure
        if not registers.control[chip.CONTROL_1] & chip.ADC_EN:
            return CONFIGURATION_LOST
        if not registers.control[chip.STAT] & chip.CC_READY:
            return WAIT
        if not self._link.write(chip.STAT, chip.CC_READY):
            return self._link.failure
        self._silent_ms = 0
        self._scans += 1
        self._temperatures.count()
        return OK
