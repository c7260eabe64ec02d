"""Driver of the BQ76920, BQ76930 and BQ76940: up to 5, 10 or 15 cells, current, temperatures.

Goals: those of the BQ76952's driver. The chip ends up programmed, read back and guarding, or the
caller knows why not; nothing but `command_gates` ever allows a gate. Every call is a bounded
number of I2C transactions (5 for a sample), the first failure ends it, nothing waits and nothing
allocates after construction.
What this chip does less, and who does it (docs/measuring-chips.md): charge over-current and all
temperatures are the software's (bms.protection); instead of a host watchdog the processor's own
resets it, and the off lines open the gates; no open wire shows by itself, so that cells are bled
for a moment now and then (`verify_step`). Its trips stay until the host writes them away: the
driver does, but not that of a short circuit, nor the third fast over-current within minutes.
Limits: called from the fast path only; a bus of 100 kHz; one chip. No register says who the chip
is: one that keeps CC_CFG counts as ours.
Sources: SLUSBK2I (BQ769x0 data sheet), afe.md section 8.
"""

from array import array

from afe import bq769x0_registers as chip
from afe.bq769x0_image import FAST_DISCHARGE, OVERVOLTAGE_RELEASE, UNDERVOLTAGE_RELEASE, Image
from afe.bq769x0_link import Link
from afe.bq769x0_registers import Registers
from afe.bq769x0_temperatures import Temperatures
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    GATE_CHARGE,
    GATE_DISCHARGE,
    MODE_NORMAL,
    MODE_OFF,
    MODE_SLEEP,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CELL_UNDERVOLTAGE,
    TRIP_CHIP_FAILED,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNSEEN,
    VERIFY_FAILED,
)
from bms.table import INVALID, give_back

# Bits of SYS_STAT, as trips. An override of ALERT is another chip's doing, which nobody hears.
_TRIPS = (
    (chip.OCD, TRIP_OVERCURRENT_DISCHARGE),
    (chip.SCD, TRIP_SHORT_CIRCUIT),
    (chip.OV, TRIP_CELL_OVERVOLTAGE),
    (chip.UV, TRIP_CELL_UNDERVOLTAGE),
    (chip.OVRD_ALERT, TRIP_UNSEEN),
    (chip.XREADY, TRIP_CHIP_FAILED),
)
_STANDING = 0x3F  # all bits that stand for a trip
_STATUS_BITS = 6
# What these trips turn off (SLUSBK2I, CHG and DSG response under various system events).
_BLOCK_CHARGE = chip.OV | chip.OVRD_ALERT | chip.XREADY
_BLOCK_DISCHARGE = chip.UV | chip.OCD | chip.SCD | chip.OVRD_ALERT | chip.XREADY

# In scans, 250 ms each.
# Like the BQ76952's latch: the third event counts if less than 255 s lie before it.
_OVERLOADS = 3
_FORGET_SCANS = 1020

# So many samples in a row end the hold-over (bms.measurement): what is older than that is unknown.
_LOST_SAMPLES = 4

# What SYS_CTRL1 is told in turn for SHIP mode (afe.md section 8).
_SHIP = (0, 1, 2)

# Every other turn of verify_step: the first two of these bleed half of the cells each, for 2 s,
# once a minute: 1/30 of a cell's bleeding current, the same from all. The sample then shows the
# pair of an open wire's cells.
_WIRE_TURNS = 30
_WIRE_CELLS = array("H", (0x5555, 0xAAAA, 0))
_LAST_WIRE_TURN = 2

# What is lent: needed only while the chip is programmed and tested.
_LENT = ("afe.bq769x0_settings", "afe.bq769x0_start", "afe.bq76952_stages")


class Bq769x0:
    """The chip with `inputs` cell inputs (5, 10 or 15) at a 7-bit `address` on `i2c`.

    `parameters` is the parameters table; `crc` True for the versions of the chip that talk with
    CRC. Answers are the codes of bms.sample; BUS_ERROR or CORRUPT is what the bus did.
    image: what the chip was told and really took. equipped: whether the code that programs and
    tests the chip is in memory: at first it is, `put_away` and `equip` are for the slow path.
    balancing_cells: what the chip named when it was last asked which cells it bleeds.
    """

    # The chip never stops by itself: what is told again is what it may have lost. A switch
    # conducts for 70 % of the time (E2E 985977).
    BALANCE_REFRESH_MS = 10000
    BALANCE_NEIGHBOURS = False
    BALANCE_CELLS = 8
    BALANCE_DUTY_PERMILLE = 700
    SLEEPS = False
    MODES = (MODE_NORMAL, MODE_SLEEP, MODE_OFF)

    def __init__(self, i2c, parameters, inputs, crc=False, address=0x08):
        self.image = Image()
        self._parameters = parameters
        self._link = Link(i2c, address, crc, chip.SIZES + (2 * inputs,))
        cells = parameters.value("series_cells")
        self._registers = Registers(self._link, inputs, cells)
        self._temperatures = Temperatures(self._registers, self.image, parameters)
        self._trips = array("H", [0] * _STATUS_BITS)
        for bit in range(_STATUS_BITS):
            for mask, trip in _TRIPS:
                if mask == 1 << bit:
                    self._trips[bit] = trip
        self._trips_found = 0
        self.balancing_cells = 0
        self._failures = 0  # of samples in a row
        self._told = 0  # bits of the status that a sample has carried
        self._overloads = 0  # fast over-currents that count
        self._forget_scans = 0  # until one of them is forgotten
        self._bled = 0  # what balancing asked for last
        self._wire_turn = 0
        self._calibration_turn = False
        self._programming = None
        self._self_test = None
        for _ in self.equip():
            pass

    @property
    def equipped(self):
        """Whether programming and self-test can be done now."""
        return self._programming is not None

    def equip(self):
        """Load what `put_away` gave back, in pieces of some milliseconds: yields between them."""
        from afe.bq769x0_settings import Settings

        yield
        from afe.bq769x0_start import Programming, SelfTest

        yield
        settings = Settings(self._parameters, None, self.image)
        self._self_test = SelfTest(
            self._link, self._registers, self.image, self._temperatures, self._parameters
        )
        self._programming = Programming(
            self._link, self._registers, settings, self._temperatures, self._find
        )

    def put_away(self):
        """Give the code that programs and tests the chip back. If it is needed after all, the
        steps say BUSY with all off until `equip` is done, and then begin anew."""
        self._programming = None
        self._self_test = None
        for name in _LENT:
            give_back(name)

    @property
    def self_test_failed(self):
        """Checks that failed in the latest self-test: bits of bms.point_words.SELF_TESTS."""
        return self._self_test.failed if self._self_test else 0

    def sample_into(self, sample):
        """Read everything into `sample`: OK, BUS_ERROR, CORRUPT or CONFIGURATION_LOST.

        Unless it is OK, `sample` keeps what it had. `sample.scans` counts finished scans of the
        cells and of the current, one each 250 ms; after a loss of the bus not before dies and
        thermistors had their turn again, some 6 s.
        """
        code = self._sample_into(sample)
        self._failures = 0 if code == OK else min(self._failures + 1, _LOST_SAMPLES + 1)
        if self._failures == _LOST_SAMPLES:
            self._temperatures.forget()
        return code

    def _sample_into(self, sample):
        registers = self._registers
        if not registers.read_control():
            return self._link.failure
        control = registers.control
        if not control[chip.CONTROL_1] & chip.ADC_EN or not control[chip.CONTROL_2] & chip.CC_EN:
            return CONFIGURATION_LOST
        status = control[chip.STAT]
        scanned = status & chip.CC_READY
        if scanned and not registers.read_measured():  # else what was read last is still so
            return self._link.failure
        standing = status & _STANDING
        # Away with what was told and is over; a bit that comes back is a new event.
        over = standing & self._told & self._over(sample)
        if scanned | over and not self._link.write(chip.STAT, scanned | over):
            return self._link.failure
        if scanned:
            if not self._temperatures.step(self._link):
                return self._link.failure
            if self._temperatures.known:
                sample.scans = (sample.scans + 1) & 0x3FFFFFFF
            self._forget_overload()
        standing &= ~over
        if standing & ~self._told & chip.OCD:
            self._overloads += 1
            self._forget_scans = _FORGET_SCANS
        self._told = standing
        if scanned:
            self._fill(sample)
        self._fill_state(sample)
        return OK

    def command_gates(self, gates):
        """Let the GATE_* bits in `gates` be on, force everything else off.

        A gate stays off while one of the chip's own trips that block it stands. OK, BUS_ERROR or
        CORRUPT: the chip may not have taken it, command it again.
        """
        value = chip.CC_EN
        if gates & GATE_CHARGE and not self._told & _BLOCK_CHARGE:
            value |= chip.CHG_ON
        if gates & GATE_DISCHARGE and not self._told & _BLOCK_DISCHARGE:
            value |= chip.DSG_ON
        return OK if self._link.write(chip.CONTROL_2, value) else self._link.failure

    def recover(self, trips):
        """Release what the chip has latched of `trips` (TRIP_* bits), whose causes are gone.

        OK, BUS_ERROR or CORRUPT. The gates stay as they are commanded.
        """
        bits = 0
        for bit in range(_STATUS_BITS):
            if trips & self._trips[bit]:
                bits |= 1 << bit
        if bits & chip.OCD:
            self._overloads = 0
        bits &= chip.OCD | chip.SCD | chip.XREADY
        if bits and not self._link.write(chip.STAT, bits):
            return self._link.failure
        return OK

    def detect_load(self, on):
        """Nothing to do: with the charge gate off the chip always looks. OK.

        `load_mv` in the samples tells: 0 while a load is there, else the pack's voltage.
        """
        return OK

    def balance(self, cells):
        """Bleed these cells (a bit mask, bit 0 the lowest) until told otherwise; 0: none.

        Of neighbours only the lowest is taken. OK, or BUS_ERROR or CORRUPT: the chip may have
        taken a part of it, command it again.
        """
        self._bled = cells & ~(cells << 1)
        self._wire_turn = 0
        return OK if self._registers.write_balance(self._bled) else self._link.failure

    def read_balancing(self, sent=False):
        """Ask the chip which cells it bleeds, into `balancing_cells`: OK, BUS_ERROR or CORRUPT."""
        if not self._registers.read_control():
            return self._link.failure
        self.balancing_cells = self._registers.balanced()
        return OK

    def set_mode(self, mode):
        """MODE_OFF: SHIP, with all off. The chip has no mode between that and the usual one.

        OK; BUS_ERROR or CORRUPT: try again.
        """
        if mode != MODE_OFF:
            return OK
        link = self._link
        for value in _SHIP:
            if not link.write(chip.CONTROL_1, value):
                return link.failure
        return OK

    def all_off(self):
        """Gates and balancing off, on a chip in whatever state: OK, or try it again."""
        return OK if self._registers.all_off() else self._link.failure

    def take_found_trips(self):
        """TRIP_* bits that stood in the chip when it was programmed; asked once, then 0."""
        trips = self._trips_found
        self._trips_found = 0
        return trips

    def start_programming(self):
        """Begin, or begin again, with the parameters of now. No bus traffic yet."""
        if self._programming is not None:  # else `equip` makes a new one
            self._programming.start()

    def programming_step(self):
        """One bounded piece of programming, gates off: BUSY while more is to do.

        OK when the chip is programmed, verified and guarding; BUS_ERROR, CORRUPT, WRONG_DEVICE or
        VERIFY_FAILED if it is not. After these the next call begins anew.
        """
        programming = self._programming
        if programming is None:
            code = self.all_off()
            return code if code == BUS_ERROR else BUSY
        code = programming.step()
        if code == OK:
            self._told = 0
            self._bled = 0
            self._wire_turn = 0
        return code

    def verify_step(self):
        """Compare the chip's settings and its calibration, in turn; look for open wires.

        Call it once a second. BUSY: right so far. OK: all of it is. VERIFY_FAILED: the chip holds
        something else, program it again. BUS_ERROR, CORRUPT: the next call tries it again.
        """
        registers = self._registers
        if self._calibration_turn:
            if not registers.read_calibration():
                return self._link.failure
            self._calibration_turn = False
            return OK if registers.same_calibration() else VERIFY_FAILED
        if not registers.read_control():
            return self._link.failure
        if self.image.differs(registers.control, self._temperatures.of_dies):
            return VERIFY_FAILED
        self._calibration_turn = True
        return BUSY if self._look_for_wires() else self._link.failure

    def start_self_test(self):
        """Begin the start-up self-test of a chip that was just programmed. No bus traffic yet."""
        if self._self_test is not None:
            self._self_test.start()

    def self_test_step(self, elapsed_ms):
        """One bounded piece of the self-test, gates off: BUSY while more is to do.

        `elapsed_ms` have passed since the last call. OK: finished, look at `self_test_failed`.
        BUS_ERROR or CORRUPT: it could not be finished (also if the chip restarted), program again.
        """
        test = self._self_test
        return BUS_ERROR if test is None else test.step(elapsed_ms)

    def _find(self):
        """Programming has read what stood in the chip."""
        self._trips_found |= self._named(self._registers.control[chip.STAT] & ~chip.OVRD_ALERT)

    def _named(self, status):
        trips = 0
        for bit in range(_STATUS_BITS):
            if status >> bit & 1:
                trips |= self._trips[bit]
        return trips

    def _over(self, sample):
        """Bits of the status whose cause is over, by what was just read."""
        registers = self._registers
        taken = self.image.taken
        low_mv = high_mv = registers.cell_mv(0)
        for cell in range(1, len(sample.cell_mv)):
            cell_mv = registers.cell_mv(cell)
            low_mv = min(low_mv, cell_mv)
            high_mv = max(high_mv, cell_mv)
        over = chip.OVRD_ALERT
        if high_mv < taken[OVERVOLTAGE_RELEASE]:
            over |= chip.OV
        if low_mv > taken[UNDERVOLTAGE_RELEASE]:
            over |= chip.UV
        current_ma = registers.current_ma(self.image.shunt_microohm)
        if self._overloads < _OVERLOADS and current_ma > -taken[FAST_DISCHARGE]:
            over |= chip.OCD
        return over

    def _forget_overload(self):
        if self._forget_scans and self._overloads < _OVERLOADS:
            self._forget_scans -= 1
            if self._forget_scans == 0:
                self._overloads = 0

    def _look_for_wires(self):
        """Bleed every other cell for a moment, then the others: of an open wire's cells one reads
        far too little then, and its neighbour too much. Not with all gates off: an empty pack is
        spared. False: link failed."""
        if self._bled:
            return True
        turn = self._wire_turn
        if turn <= _LAST_WIRE_TURN:
            cells = 0
            if self._registers.control[chip.CONTROL_2] & (chip.CHG_ON | chip.DSG_ON):
                cells = _WIRE_CELLS[turn]
            if not self._registers.write_balance(cells):
                return False
        self._wire_turn = (turn + 1) % _WIRE_TURNS
        return True

    def _fill(self, sample):
        """What a scan measured."""
        registers = self._registers
        for cell in range(len(sample.cell_mv)):
            sample.cell_mv[cell] = registers.cell_mv(cell)
        sample.stack_mv = registers.stack_mv()
        sample.current_ma = registers.current_ma(self.image.shunt_microohm)
        self._temperatures.fill(sample)
        sample.bus_mv = INVALID  # no pin for it

    def _fill_state(self, sample):
        """What may change between two scans."""
        control = self._registers.control
        load = control[chip.CONTROL_1] & chip.LOAD_PRESENT
        sample.load_mv = 0 if load else sample.stack_mv
        gates = GATE_CHARGE if control[chip.CONTROL_2] & chip.CHG_ON else 0
        if control[chip.CONTROL_2] & chip.DSG_ON:
            gates |= GATE_DISCHARGE
        sample.gates = gates
        sample.trips = self._named(self._told)
