"""Driver of the BQ76952: 3 to 16 cells, current, temperatures, protections and both gates.

Goals: the chip ends up either programmed, read back and guarding, or the caller knows why not;
nothing but `command_gates` ever allows a gate. Every call is a bounded number of I2C transactions
(5 for a sample, less than 6 ms of bus time for a step of programming or of the self-test), the
first failure ends it, nothing waits and nothing allocates after construction.
Limits: called from the fast path only. One chip, no OTP, no sealing.
Sources: SLUUBY2B (BQ76952 technical reference manual), SLUAA11B (software guide), afe.md.
"""

from array import array

from afe import bq76952_registers as chip
from afe.bq76952_image import Image
from afe.bq76952_link import Link
from afe.bq76952_registers import Registers
from afe.bq76952_stages import MORE
from afe.bq76952_verify import Verification
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    CORRECTED_BUS,
    GATE_CHARGE,
    GATE_DISCHARGE,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CELL_UNDERVOLTAGE,
    TRIP_CHIP_FAILED,
    TRIP_CHIP_OVERTEMPERATURE,
    TRIP_FET_OVERTEMPERATURE,
    TRIP_HOST_WATCHDOG,
    TRIP_OVERCURRENT_CHARGE,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_OVERTEMPERATURE_CHARGE,
    TRIP_OVERTEMPERATURE_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNDERTEMPERATURE_CHARGE,
    TRIP_UNDERTEMPERATURE_DISCHARGE,
    TRIP_UNSEEN,
    corrected,
)
from bms.table import give_back

_CURRENT = 0x3A  # 2 bytes

_PF = 0x10  # battery status, high byte: a permanent failure

# Alarm status, high byte: a bit of safety status A, or of B or C, is or was set.
_SSA = 0x40
_SSBC = 0x80
_SAFETY_ALARMS = 0xC0
_CHG_FET = 0x01
_DSG_FET = 0x04

# Subcommands (afe.md section 3)
_CB_ACTIVE_CELLS = 0x0083
_FET_CONTROL = 0x0097
_OCDL_RECOVER = 0x009B
_SCDL_RECOVER = 0x009C
_LOAD_DETECT_ON = 0x009E
_LOAD_DETECT_OFF = 0x009F
_ALL_FETS_OFF = 0x0095
_NO_CELLS = b"\x83\x00\x00\x00"  # CB_ACTIVE_CELLS with an empty mask

# FET_CONTROL: 1 forces off (field lesson 1). PCHG is never allowed.
_ALL_OFF = 0x0F
_DSG_OFF = 0x01
_PDSG_OFF = 0x02
_CHG_OFF = 0x04

# Bits of safety status A, then B (8 on), then C (16 on), as trips (afe.md section 2). What is not
# here is reserved or never enabled.
_TRIPS = (
    (2, TRIP_CELL_UNDERVOLTAGE),
    (3, TRIP_CELL_OVERVOLTAGE),
    (4, TRIP_OVERCURRENT_CHARGE),
    (5, TRIP_OVERCURRENT_DISCHARGE),  # OCD1
    (6, TRIP_OVERCURRENT_DISCHARGE),  # OCD2
    (7, TRIP_SHORT_CIRCUIT),
    (8, TRIP_UNDERTEMPERATURE_CHARGE),
    (9, TRIP_UNDERTEMPERATURE_DISCHARGE),
    (12, TRIP_OVERTEMPERATURE_CHARGE),
    (13, TRIP_OVERTEMPERATURE_DISCHARGE),
    (14, TRIP_CHIP_OVERTEMPERATURE),  # OTINT
    (15, TRIP_FET_OVERTEMPERATURE),  # OTF
    (17, TRIP_HOST_WATCHDOG),
    (20, TRIP_CELL_OVERVOLTAGE),  # COVL
    (21, TRIP_OVERCURRENT_DISCHARGE),  # OCDL
    (22, TRIP_SHORT_CIRCUIT),  # SCDL
    (23, TRIP_OVERCURRENT_DISCHARGE),  # OCD3
)
_STATUS_BITS = 24

# What is lent: needed only while the chip is programmed and tested.
_LENT = (
    "afe.bq76952_settings",
    "afe.bq76952_blocks",
    "afe.bq76952_programming",
    "afe.bq76952_self_test",
    "afe.bq76952_stages",
)

_LAST_INPUT = 15  # cell 16 is always present (afe.md section 4, VCell mode)


class Bq76952:
    """The chip at a 7-bit `address` on `i2c` (`readfrom_mem_into`, `writeto_mem`).

    `parameters` is the parameters table; `crc` True for the versions of the chip that talk with
    CRC. Answers are the codes of bms.sample; BUS_ERROR or CORRUPT is what the bus did.
    image: what the chip was told and really took. equipped: whether the code that programs and
    tests the chip is in memory: at first it is, `put_away` and `equip` are for the slow path.
    balancing_cells: what the chip named when it was last asked which cells it bleeds.
    """

    # What balancing asks for (afe.md section 6). The chip stops by itself 10 s after the latest
    # command (bq76952_items, 0x9339). It pauses a cell to measure it or a neighbour: 3 of 18 to
    # 21 slots of its loop, estimated.
    BALANCE_REFRESH_MS = 4000
    BALANCE_NEIGHBOURS = False
    BALANCE_CELLS = 8
    BALANCE_DUTY_PERMILLE = 850
    SLEEPS = True
    # By MODE_*: SLEEP_DISABLE, SLEEP_ENABLE, SHUTDOWN (once, as the chip is not sealed). Asleep it
    # wakes by itself while current flows. What protects meanwhile: docs/low-power.md.
    MODES = (0x009A, 0x0099, 0x0010)

    def __init__(self, i2c, parameters, crc=False, address=0x08):
        self.image = Image()
        self._parameters = parameters
        self._link = Link(i2c, address, crc)
        self._registers = Registers(self._link)
        self.set_mode = self._link.command
        self._current = bytearray(2)
        self._gates = bytearray((_FET_CONTROL, 0, _ALL_OFF))
        self._trips = array("H", [0] * _STATUS_BITS)
        for bit, trip in _TRIPS:
            self._trips[bit] = trip
        self._trips_found = 0
        self.balancing_cells = 0
        self._bleed = bytearray((_CB_ACTIVE_CELLS, 0, 0, 0))
        # A safety status of these alarms was seen by the latest sample, so that the alarm, which
        # is latched again as long as the status stands, tells nothing new. A status stands for
        # its recovery time, 2 s or more: two in one period can not hide behind each other.
        self._heard_alarms = _SAFETY_ALARMS
        self._unseen = 0  # TRIP_UNSEEN until a sample has carried it
        self._verification = Verification(self._link, self.image)
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
        from afe.bq76952_settings import Settings

        yield
        from afe.bq76952_programming import Programming

        yield
        from afe.bq76952_self_test import SelfTest

        yield
        settings = Settings(self._parameters, None, self.image)
        self._self_test = SelfTest(
            self._link, self.image, self._registers, self._verification, self._parameters
        )
        self._programming = Programming(self._link, settings, self._verification, self._note_trips)

    def put_away(self):
        """Give the code that programs and tests the chip back. If it is needed after all, the
        steps say BUSY with all off until `equip` is done, and then begin anew."""
        self._programming = None
        self._self_test = None
        for name in _LENT:
            give_back(name)

    @property
    def device_number(self):
        """What answered last when it was asked who it is, for messages; 0: nobody."""
        return self._programming.device_number if self._programming else 0

    @property
    def self_test_failed(self):
        """Checks that failed in the latest self-test: bits of bms.point_words.SELF_TESTS."""
        return self._self_test.failed if self._self_test else 0

    def sample_into(self, sample):
        """Read everything into `sample`: OK, BUS_ERROR, CORRUPT or CONFIGURATION_LOST.

        Unless it is OK, `sample` keeps what it had. `sample.scans` counts finished scans of the
        cells. TRIP_UNSEEN among the trips: a protection tripped and was over since the sample
        before, or while the bus was dead.
        """
        link = self._link
        registers = self._registers
        if not (registers.read() and link.read_into(_CURRENT, self._current)):
            self._heard_alarms = 0
            return link.failure
        lost = chip.CFGUPDATE | chip.POR | chip.WD
        if registers.status[chip.BATTERY] & lost & ~self.image.known_status:
            return CONFIGURATION_LOST
        scans = registers.alarm[0] & chip.SCANS
        alarms = registers.alarm[1] & _SAFETY_ALARMS
        self._listen(alarms)
        if scans | alarms and not registers.clear_alarms(scans, alarms):
            # Perhaps the chip took it nevertheless: what it told of is in `_unseen`.
            return link.failure
        if scans:
            sample.scans = (sample.scans + 1) & 0x3FFFFFFF
        self._fill(sample)
        sample.trips |= self._unseen
        self._unseen = 0
        return OK

    def command_gates(self, gates):
        """Let the GATE_* bits in `gates` be on, force everything else off.

        A gate that is let on stays off while one of the chip's own protections blocks it. With
        predischarge the discharge gate's command means both: the chip turns PDSG on first, then
        DSG. OK, or BUSY, BUS_ERROR or CORRUPT: the chip may not have taken it, command it again.
        """
        forced = _ALL_OFF
        if gates & GATE_CHARGE:
            forced &= ~_CHG_OFF
        if gates & GATE_DISCHARGE:
            forced &= ~_DSG_OFF
            if self.image.predischarge:
                forced &= ~_PDSG_OFF
        self._gates[2] = forced
        return self._link.transfer(self._gates)

    def recover(self, trips):
        """Release what the chip has latched of `trips` (TRIP_* bits), whose causes are gone.

        OK, BUSY, BUS_ERROR or CORRUPT. The gates stay as they are commanded.
        """
        if trips & TRIP_OVERCURRENT_DISCHARGE:
            code = self._link.command(_OCDL_RECOVER)
            if code != OK:
                return code
        if trips & TRIP_SHORT_CIRCUIT:
            return self._link.command(_SCDL_RECOVER)
        return OK

    def detect_load(self, on):
        """Send a current out of the LD pin, or stop it. OK, BUSY, BUS_ERROR or CORRUPT.

        Only with the discharge gate off. Then `load_mv` in the samples tells: above 4000 the load
        is gone, below a load of less than about 20 kohm is still there (SLUUCG7, load detect).
        """
        return self._link.command(_LOAD_DETECT_ON if on else _LOAD_DETECT_OFF)

    def balance(self, cells):
        """Bleed these cells (a bit mask, bit 0 the lowest) for the next 10 s; 0: none.

        Of neighbours only the lowest is taken. OK, or BUSY, BUS_ERROR or CORRUPT: the chip may not
        have taken it, command it again.
        """
        cells &= ~(cells << 1)
        top = self.image.cells - 1
        inputs = cells & ~(1 << top) | (cells >> top & 1) << _LAST_INPUT
        self._bleed[2] = inputs & 0xFF
        self._bleed[3] = inputs >> 8
        return self._link.transfer(self._bleed)

    def read_balancing(self, sent=False):
        """Ask the chip which cells it bleeds, into `balancing_cells`.

        OK, BUSY (`sent` True next time, if nothing else was sent meanwhile), BUS_ERROR or CORRUPT.
        """
        code = self._link.ask(_CB_ACTIVE_CELLS, sent)
        if code == OK:
            inputs = self._link.answer[0] | self._link.answer[1] << 8
            top = self.image.cells - 1
            self.balancing_cells = inputs & (1 << top) - 1 | (inputs >> _LAST_INPUT) << top
        return code

    def all_off(self):
        """Gates and balancing off, on a chip in whatever state: OK, or try it again."""
        code = self._link.command(_ALL_FETS_OFF)
        return self._link.transfer(_NO_CELLS) if code == OK else code

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
            self._heard_alarms = _SAFETY_ALARMS
            self._unseen = 0
        return code

    def verify_step(self):
        """Read a piece of the settings back while the chip guards, wrapping around.

        One subcommand, less than 3 ms of bus time. BUSY: right so far. OK: all of it is.
        VERIFY_FAILED: the chip holds something else, program it again. BUS_ERROR, CORRUPT: this
        piece was not compared, the next call tries it again.
        """
        code = self._verification.step(False)
        return BUSY if code == MORE else code

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

    def _note_trips(self):
        if not self._link.read_into(chip.STATUS, self._registers.status):
            return self._link.failure
        self._trips_found |= self._tripped()
        return OK

    def _listen(self, alarms):
        """Compare the latched alarms with the safety status: what was missed?"""
        status = self._registers.status
        standing = _SSA if status[chip.SAFETY_A] else 0
        if status[chip.SAFETY_B] | status[chip.SAFETY_C]:
            standing |= _SSBC
        if alarms & ~standing & ~self._heard_alarms:
            self._unseen = TRIP_UNSEEN
        self._heard_alarms = standing

    def _fill(self, sample):
        image = self.image
        registers = self._registers
        cells = len(sample.cell_mv)
        for cell in range(cells):
            sample.cell_mv[cell] = registers.cell_mv(cell, cells)
        sample.stack_mv = image.stack_mv(registers.voltage_mv(chip.STACK))
        sample.bus_mv = registers.voltage_mv(chip.PACK)
        sample.load_mv = registers.voltage_mv(chip.LD)
        sample.current_ma = image.current_unit_ma * chip.signed(self._current, 0)
        corrections = image.corrections
        if corrections is not None:
            sample.bus_mv = corrected(sample.bus_mv, corrections[CORRECTED_BUS])
        for sensor in range(len(sample.temperature_dc)):
            sample.temperature_dc[sensor] = registers.temperature_dc(chip.TS1 + 2 * sensor)
        sample.chip_temperature_dc = registers.temperature_dc(chip.DIE)
        board = chip.HDQ if image.fet_thermistor else chip.DIE
        sample.board_temperature_dc = registers.temperature_dc(board)
        fets = registers.alarm[chip.FETS]
        gates = GATE_CHARGE if fets & _CHG_FET else 0
        if fets & _DSG_FET:
            gates |= GATE_DISCHARGE
        sample.gates = gates
        sample.trips = self._tripped()

    def _tripped(self):
        status = self._registers.status
        trips = 0
        bits = status[chip.SAFETY_A] | status[chip.SAFETY_B] << 8 | status[chip.SAFETY_C] << 16
        bit = 0
        while bits:
            if bits & 1:
                trips |= self._trips[bit]
            bits >>= 1
            bit += 1
        failures = status[chip.FAILURE_A] | status[chip.FAILURE_B] | status[chip.FAILURE_C]
        if failures | status[chip.FAILURE_D] | status[chip.BATTERY + 1] & _PF:
            trips |= TRIP_CHIP_FAILED
        return trips
