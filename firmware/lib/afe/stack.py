"""Two BQ76952 in a stack as one measuring chip: 6 to 32 cells.

The lower chip has half of the cells, rounded up, and measures the current; the upper one has the
rest, on an I2C bus of its own behind an isolator. Both drive the gates: each has its DCHG and DDSG
wired to the switches so that a gate is on only while both chips let it be on (law 5).
Goals: the battery sees a driver like any other. A measurement is one of the whole pack or none: if
one chip fails, is late or restarted, so is the pair. All that opens goes to both, whatever the
first one answers. Both are programmed and tested side by side, a bounded piece of each a step
(less than 12 ms of bus time), so that neither is left alone for as long as its watchdog.
Limits: called from the fast path only; allocates nothing after construction. No gate but the low
side's, no predischarge, no contactors: no pin of the stack may see the whole pack's voltage
(docs/measuring-chips.md), so the bus is not measured and a load is not looked for.
"""

from bms.sample import (
    BUSY,
    GATES_BOTH,
    MODE_NORMAL,
    MODE_OFF,
    MODE_SLEEP,
    OK,
    TRIP_UNSEEN,
    VERIFY_FAILED,
    Sample,
)
from bms.table import INVALID

_BOTH = 3  # bits of the two chips
_TRIM_MASK = 0xFFFFFF


def split(whole):
    """How many of the pack's cells, or of its cell sensors, are the lower chip's."""
    return (whole + 1) // 2


class StackImage:
    """What the pair was told: the settings are the lower chip's, a calibration is of both together
    (fields: afe.bq76952_image). `lower` and `upper` are their images.
    """

    def __init__(self, lower, upper):
        self.taken = lower.taken
        self.offered = None
        self.offered_trim = 0
        self.corrections = None
        self.trim = 0
        self._images = (lower, upper)

    def settled(self):
        """Both chips were programmed: whether they took the calibration that is for this pair. If
        not it is theirs from now on, or no longer, and they have to be programmed once more."""
        trim = 0
        for image in self._images:
            trim = 31 * trim + image.trim & _TRIM_MASK
        self.trim = trim
        self.corrections = self.offered if self.offered_trim == trim else None
        settled = True
        for image in self._images:
            if image.offered is not self.corrections:
                image.offered = self.corrections
                image.offered_trim = image.trim
                settled = False
        return settled


class Stack:
    """`lower` and `upper` are drivers (afe.bq76952), each on its own bus; nothing was programmed
    yet. `parameters` is the parameters table.

    lower, upper: as handed in. image: what both were told and took. bleeder: who has cells bled,
    each chip its own (bms.stack_bleeder).
    """

    def __init__(self, lower, upper, parameters, bleeder=None):
        cells = parameters.value("series_cells")
        sensors = parameters.value("cell_thermistors")
        self.lower = lower
        self.upper = upper
        self.image = StackImage(lower.image, upper.image)
        self.bleeder = bleeder
        self.SLEEPS = False  # the upper chip sees no current, so nothing would wake it
        self.MODES = (MODE_NORMAL, MODE_SLEEP, MODE_OFF)
        self.BALANCE_REFRESH_MS = lower.BALANCE_REFRESH_MS
        self.BALANCE_NEIGHBOURS = lower.BALANCE_NEIGHBOURS
        self.BALANCE_CELLS = lower.BALANCE_CELLS  # of both together
        self.BALANCE_DUTY_PERMILLE = lower.BALANCE_DUTY_PERMILLE
        self._chips = (lower, upper)
        self._low = Sample(split(cells), split(sensors))
        self._high = Sample(cells - split(cells), sensors - split(sensors))
        for chip, sample in ((lower, self._low), (upper, self._high)):
            chip.image.cells = len(sample.cell_mv)
            chip.image.thermistors = len(sample.temperature_dc)
        upper.image.first_cell = split(cells)
        self._low_scans = self._high_scans = 0  # of each chip, when the pack's was counted last
        self._commanded = 0  # GATE_* bits
        self._unseen = 0  # TRIP_UNSEEN until a sample has carried it
        self._done = 0  # bits of the chips that finished their programming or self-test
        self._verifying = 0

    @property
    def equipped(self):
        """Whether programming and self-test can be done now."""
        return self.lower.equipped and self.upper.equipped

    def equip(self):
        """Load what `put_away` gave back, in pieces of some milliseconds: yields between them."""
        for chip in self._chips:
            for _ in chip.equip():
                yield

    def put_away(self):
        """Give the code that programs and tests the chips back."""
        for chip in self._chips:
            chip.put_away()

    @property
    def self_test_failed(self):
        """Checks that failed on either chip: bits of bms.point_words.SELF_TESTS."""
        return self.lower.self_test_failed | self.upper.self_test_failed

    def sample_into(self, sample):
        """Read both chips into `sample`: OK, or why one of them could not be read.

        Unless it is OK, `sample` keeps what it had. `sample.scans` moves on when both chips
        finished a scan since it did. A gate counts as on while both chips have it on, or one does
        against its command.
        """
        low = self._low
        high = self._high
        code = self.lower.sample_into(low)
        if code != OK:
            return code
        self._unseen |= low.trips & TRIP_UNSEEN  # told once only, and perhaps in vain
        code = self.upper.sample_into(high)
        if code != OK:
            return code
        _join(sample.cell_mv, low.cell_mv, high.cell_mv)
        _join(sample.temperature_dc, low.temperature_dc, high.temperature_dc)
        sample.stack_mv = low.stack_mv + high.stack_mv
        sample.current_ma = low.current_ma
        sample.board_temperature_dc = low.board_temperature_dc
        sample.chip_temperature_dc = max(low.chip_temperature_dc, high.chip_temperature_dc)
        sample.bus_mv = INVALID
        sample.load_mv = low.load_mv
        either = low.gates | high.gates
        sample.gates = low.gates & high.gates | either & ~self._commanded
        sample.trips = low.trips | high.trips | self._unseen
        self._unseen = 0
        if low.scans != self._low_scans and high.scans != self._high_scans:
            self._low_scans = low.scans
            self._high_scans = high.scans
            sample.scans = (sample.scans + 1) & 0x3FFFFFFF
        return OK

    def command_gates(self, gates):
        """Let the GATE_* bits in `gates` be on, force everything else off, in both chips.

        OK, or BUSY, BUS_ERROR or CORRUPT: a chip may not have taken it, command it again.
        """
        self._commanded = gates & GATES_BOTH
        code = self.lower.command_gates(gates)
        other = self.upper.command_gates(gates)
        return other if code == OK else code

    def recover(self, trips):
        """Release what the chips have latched of `trips` (TRIP_* bits), whose causes are gone."""
        code = self.lower.recover(trips)
        other = self.upper.recover(trips)
        return other if code == OK else code

    def detect_load(self, _on):
        """No pin of a stack reaches the terminals: a load always reads as gone. OK."""
        return OK

    def set_mode(self, mode):
        """The usual mode is all there is: what wakes a chip does not reach the upper one."""
        return OK if mode != MODE_OFF else VERIFY_FAILED

    def all_off(self):
        """Gates and balancing off, on chips in whatever state: OK, or try it again."""
        code = self.lower.all_off()
        other = self.upper.all_off()
        return other if code == OK else code

    def take_found_trips(self):
        """TRIP_* bits that stood in the chips when they were programmed; asked once, then 0."""
        return self.lower.take_found_trips() | self.upper.take_found_trips()

    def start_programming(self):
        """Begin, or begin again, with the parameters of now. No bus traffic yet."""
        self._done = 0
        for chip in self._chips:
            chip.start_programming()

    def programming_step(self):
        """One bounded piece of programming of each chip, gates off: BUSY while more is to do.

        OK when both are programmed, verified and guarding; else why one of them is not.
        """
        code = BUSY
        for chip in range(2):
            if not self._done >> chip & 1:
                code = self._note(chip, self._chips[chip].programming_step())
                if code != BUSY:
                    break
        if code != OK or self.image.settled():
            return code
        self.start_programming()
        return BUSY

    def verify_step(self):
        """Read a piece of one chip's settings back: after all of the lower one's, the upper's.

        BUSY: right so far. OK: all of it is. VERIFY_FAILED: a chip holds something else.
        """
        code = self._chips[self._verifying].verify_step()
        if code != OK:
            return code
        self._verifying ^= 1
        return BUSY if self._verifying else OK

    def start_self_test(self):
        """Begin the start-up self-test of both. No bus traffic yet."""
        self._done = 0
        for chip in self._chips:
            chip.start_self_test()

    def self_test_step(self, elapsed_ms):
        """One bounded piece of the self-test of each chip, gates off: BUSY while more is to do.

        OK: both finished, look at `self_test_failed`. Else program again.
        """
        code = BUSY
        for chip in range(2):
            if not self._done >> chip & 1:
                code = self._note(chip, self._chips[chip].self_test_step(elapsed_ms))
                if code != BUSY:
                    break
        return code

    def _note(self, chip, code):
        """The pair's answer after that of one chip, 0 or 1."""
        if code == OK:
            self._done |= 1 << chip
            if self._done != _BOTH:
                return BUSY
        if code != BUSY:
            self._done = 0
        return code


def _join(into, low, high):
    """A slice of an array would be new on the heap."""
    at = 0
    for value in low:
        into[at] = value
        at += 1
    for value in high:
        into[at] = value
        at += 1
