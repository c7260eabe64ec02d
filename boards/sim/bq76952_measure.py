"""What the simulated BQ76952 measures: cells, stack, current, charge, temperatures.

Two paths, as in the chip. `signals` feed the protections; those of voltage and current are
comparators and see the pack at once. The registers come from the ADC's measurement loop: cells at
the end of every loop, stack, PACK, LD and temperatures at the end of every third (the manual
spreads them over three loops); current every 3 ms.

What the documents leave open, and what is assumed here:
- An open thermistor reads 0 K, a shorted one 500 K; a sensor pin that is not configured reads 0.
- A thermistor's reading is off by one count, up or down, in one of four full scans.
- An open sense wire drifts at the next open-wire check: the cell below it reads 0.2 V, the one
  above it takes the rest (afe.md section 7: CUV on one, COV on the next).
- COV and CUV have a trim of their own (CUV threshold override, SLUUBY1B ...769020000067): neither
  errors nor cell gains move them. Board Offset counts steps of the 16-bit current (SLUAA32A
  2.6.1; the manual can be read as steps of a 256th of that).
Not modelled: gains of stack, PACK and LD, deadband, interconnects, the polynomial of a thermistor
(a 103AT reads true, another sensor as a 103AT of its resistance), averaging of CC1 and CC3 (they
equal CC2).
"""

from struct import pack_into

from boards.sim import bq76952_memory as dm
from boards.sim import bq76952_protections as guard
from boards.sim.bq76952_protections import ABSENT, NEVER_US
from boards.sim.lcg import Lcg
from boards.sim.thermistor import taken_for_103at

INPUTS = 16
ADSCAN = 0x0002  # AlarmStatus bits that a loop pulses
FULLSCAN = 0x0080
INITCOMP = 0x0200

# SLUSE13B GUID-0A72A889: 16 cells and 2 slots, one more for each thermistor up to three.
_SLOTS = 18
_SLOT_US = 3000
_CC2_US = 3000  # afe.md section 3
_LOOPS_PER_FULLSCAN = 3
_POWER_FASTADC = 0x0040  # SLUUBY2B GUID-20200911-BM0T-BGP0-DMEL-769020000077

# SLUUBY2B: CC Gain = 7.5684 / mohm nominal (GUID-3A63934B); Capacity Gain = CC Gain * 298261.6178.
_CC_LSB_UV = 7.5684
_CAPACITY_GAIN_RATIO = 298261.6178
_RAW_CURRENT_LSB_V = 29.56e-9  # SLUUBY2B GUID-36C8D090
_USER_MA = (0.1, 1, 10, 100)  # DA Configuration, low two bits
_NOISE_SEED = 76952  # any: the same readings in each run
_PASSED_SEED = 0x7FFFFFFF  # afe.md section 3: half a userAh, in 2**-32

_OPEN_SENSOR_DK = 0
_SHORT_SENSOR_DK = 5000
_ZERO_C_DK = 2731.5
_OPEN_WIRE_LOW_V = 0.2

_PIN_SENSOR = 3  # low two bits of a pin's configuration; bits 3..2 are the role
_ROLE_CELL = 1
_ROLE_FET = 3
_SENSOR_PINS = (dm.TS1_PIN, dm.TS1_PIN + 1, dm.TS1_PIN + 2, dm.HDQ_PIN)
_SENSOR_REGISTERS = (0x70, 0x72, 0x74, 0x76)
_BOARD_SENSOR = 3  # the HDQ pin's thermistor sits on the FETs
SENSORS = len(_SENSOR_PINS)


def _saturated(value):
    """Rounded to int16."""
    return max(-32768, min(32767, int(value + 0.5 if value >= 0 else value - 0.5)))


class Measurement:
    """signals: see bq76952_protections. current_ma: as measured now, with the gain configured.

    stack_v, load_v: the stack and the LD pin as last measured, load_v ABSENT before.
    cell_mv: the 16 inputs, from the last loop. measured_inputs: those that VCell Mode names.
    slots: of a measurement loop.
    """

    def __init__(self, chip):
        self._chip = chip
        cells = len(chip.pack.cell_v)
        # Usual wiring (afe.md section 4): the top cell on input 16, unused inputs below it.
        self.inputs = list(range(cells - 1))
        self.inputs.append(INPUTS - 1)
        self.signals = [0.0] * guard.SIGNALS
        self.current_ma = 0.0
        self.wire_check_due_us = NEVER_US
        self.noise = Lcg(_NOISE_SEED)
        self._charge_uas = 0
        self._charge_rest = 0  # uA * us below one uA * s
        self._charge_since_us = 0

    def restart(self, memory, now_us):
        """Take the settings and begin to measure; nothing is known yet."""
        mode = memory.u16(dm.VCELL_MODE) or 0xFFFF  # 0 = all
        self.measured_inputs = [i for i in range(INPUTS) if mode >> i & 1]
        self._all_cells_guarded = self.measured_inputs == self.inputs
        self._shorts_guarded = False
        for i in self.measured_inputs:
            if i not in self.inputs:
                self._shorts_guarded = True
        self._roles = []
        for pin in _SENSOR_PINS:
            config = memory.u8(pin)
            self._roles.append(config >> 2 & 3 if config & 3 == _PIN_SENSOR else 0)
        self._sensors = [i for i in range(SENSORS) if self._roles[i]]
        for register in _SENSOR_REGISTERS:
            pack_into("<H", self._chip.port.registers, register, 0)
        config = memory.u8(dm.DA_CONFIG)
        self._user_ma = _USER_MA[config & 3]
        self._user_mv = 10 if config & 4 else 1
        self._ma_per_v = memory.f32(dm.CC_GAIN) / _CC_LSB_UV * 1e6
        capacity_gain = memory.f32(dm.CAPACITY_GAIN) / _CAPACITY_GAIN_RATIO
        self._passed_ua_per_v = capacity_gain / _CC_LSB_UV * 1e9
        self._cell_scales = [
            1000
            * (1 + self._chip.cell_errors[k])
            * memory.cell_gain(self.inputs[k])
            / memory.trim[self.inputs[k]]
            for k in range(len(self.inputs))
        ]
        samples = memory.u16(dm.OFFSET_SAMPLES)
        steps = memory.i16(dm.BOARD_OFFSET) / samples if samples else 0
        self._offset_v = self._chip.shunt_offset_v - steps * _CC_LSB_UV * 1e-6
        self._occ_release_ma = memory.i16(dm.OCC_RECOVERY_THRESHOLD)
        self._occ_release_v = memory.i16(dm.OCC_PACK_TOS_DELTA) / 100
        power = memory.u16(dm.POWER_CONFIG)
        self.slots = slots = _SLOTS + min(3, len(self._sensors))
        slot_us = _SLOT_US // 2 if power & _POWER_FASTADC else _SLOT_US
        self._loop_us = (slots * slot_us) << (power >> 2 & 3)  # LOOP_SLOW
        self.set_period(0, now_us)
        self._next_cc2_us = now_us + _CC2_US
        self._loops = 0
        self.stack_v = 0.0
        self.load_v = ABSENT
        self._run_us = now_us  # up to where all is measured
        self.cell_mv = [0] * INPUTS
        self._sensor_dk = [_OPEN_SENSOR_DK] * SENSORS
        for signal in range(guard.CELL_HOT_C, guard.FET_HOT_C + 1):
            self.signals[signal] = ABSENT
        check_s = memory.u8(dm.OPEN_WIRE_CHECK_TIME)  # 0 = off
        self._wire_check_us = check_s * 1_000_000
        self.wire_check_due_us = now_us + self._wire_check_us if check_s else NEVER_US
        self.drifted_wires = ()

    def set_period(self, period_us, now_us):
        """One loop each period_us from now on, 0 for the speed configured."""
        self._period_us = period_us or self._loop_us
        self._next_loop_us = now_us + self._period_us

    def sense(self):
        """Bring the signals of the comparators, and current_ma, up to the pack as it is."""
        pack = self._chip.pack
        signals = self.signals
        cells = pack.cell_v
        if self.drifted_wires:
            cells = self._cells_at_pins()
        if not self._all_cells_guarded:
            guarded = self.measured_inputs
            cells = [cells[k] for k in range(len(cells)) if self.inputs[k] in guarded]
            if self._shorts_guarded:
                cells.append(0.0)
        signals[guard.CELL_HIGH_MV] = 1000 * max(cells)
        signals[guard.CELL_LOW_MV] = -1000 * min(cells)
        shunt_v = pack.current_a * pack.shunt_ohm
        signals[guard.CHARGE_SHUNT_MV] = 1000 * shunt_v
        signals[guard.DISCHARGE_SHUNT_MV] = -1000 * shunt_v
        self.current_ma = current_ma = (shunt_v + self._offset_v) * self._ma_per_v
        signals[guard.DISCHARGE_MA] = -current_ma
        # SLUUBY1B ...DMEL-769020000173 and ...174: low current, or PACK well below the stack.
        if self._chip.protections.status[0]:
            signals[guard.OCC_HOLDS] = int(
                current_ma > self._occ_release_ma
                and pack.bus_v > self._stack_v() - self._occ_release_v
            )

    def run(self, now_us):
        """Measure for what has passed up to now_us. Returns the AlarmStatus bits pulsed."""
        chip = self._chip
        passed = chip.pack.current_a * chip.pack.shunt_ohm + self._offset_v
        passed = int(passed * self._passed_ua_per_v) * (now_us - self._run_us) + self._charge_rest
        self._run_us = now_us
        self._charge_uas += passed // 1_000_000
        self._charge_rest = passed % 1_000_000
        if now_us >= self._next_cc2_us and not chip.frozen:
            self._next_cc2_us += (1 + (now_us - self._next_cc2_us) // _CC2_US) * _CC2_US
            pack_into("<h", chip.port.registers, 0x3A, self.user_current())
        if now_us < self._next_loop_us:
            return 0
        loops = 1 + (now_us - self._next_loop_us) // self._period_us
        self._next_loop_us += loops * self._period_us
        if chip.frozen:
            return 0
        self._take_cells()
        before = self._loops
        self._loops += loops
        if self._loops // _LOOPS_PER_FULLSCAN == before // _LOOPS_PER_FULLSCAN:
            return ADSCAN
        self._take_others()
        return ADSCAN | FULLSCAN | (INITCOMP if before < _LOOPS_PER_FULLSCAN else 0)

    def check_wires(self, now_us):
        """The open-wire check, when wire_check_due_us is reached."""
        if self.wire_check_due_us <= now_us:
            passed = 1 + (now_us - self.wire_check_due_us) // self._wire_check_us
            self.wire_check_due_us += passed * self._wire_check_us
            self.drifted_wires = tuple(self._chip.open_wires)

    def user_current(self):
        """Measured current in userA."""
        return _saturated(self.current_ma / self._user_ma)

    def raw_current(self):
        """Coulomb counter counts."""
        return int(self._chip.pack.current_a * self._chip.pack.shunt_ohm / _RAW_CURRENT_LSB_V)

    def cell_temperatures_dk(self):
        """Readings, in 0.1 K, of the sensors that are configured for cells; [0] if none is."""
        return self._of_role(_ROLE_CELL) or [0]

    def fet_temperature_dk(self):
        """The highest reading, in 0.1 K, of the sensors configured for FETs; 0 if none."""
        return max(self._of_role(_ROLE_FET) or [0])

    def seed_charge(self):
        """Begin to count charge and time anew."""
        self._charge_uas = self._charge_rest = 0
        self._charge_since_us = self._chip.time_us

    def passed_charge(self):
        """Charge since the seed, in 2**-32 userAh, the seed's half included."""
        user_ah_uas = int(10 * self._user_ma) * 100 * 3600
        return (self._charge_uas << 32) // user_ah_uas + _PASSED_SEED

    def passed_seconds(self):
        """Seconds since the seed."""
        return (self._chip.time_us - self._charge_since_us) // 1_000_000

    def _stack_v(self):
        pack = self._chip.pack
        stack_v = getattr(pack, "stack_v", None)
        return sum(pack.cell_v) if stack_v is None else stack_v

    def _cells_at_pins(self):
        cells = list(self._chip.pack.cell_v)
        for k in self.drifted_wires:
            both_v = cells[k - 1] + cells[k]
            cells[k - 1] = _OPEN_WIRE_LOW_V
            cells[k] = both_v - _OPEN_WIRE_LOW_V
        return cells

    def _take_cells(self):
        cells = self._cells_at_pins() if self.drifted_wires else self._chip.pack.cell_v
        scales = self._cell_scales
        cell_mv = [int(scales[k] * cells[k] + 0.5) for k in range(len(cells))]
        # The shorted inputs lie below the top cell's.
        cell_mv[-1:] = [0] * (INPUTS - len(cell_mv)) + cell_mv[-1:]
        pack_into("<16h", self._chip.port.registers, 0x14, *cell_mv)
        self.cell_mv = cell_mv

    def _take_others(self):
        pack = self._chip.pack
        registers = self._chip.port.registers
        load = self._chip.load
        stack_v = self.stack_v = self._stack_v()
        load_v = self.load_v = load.pin_v(pack.bus_v, stack_v)
        registers[0x00] = load.control_status
        bus = _saturated(1000 * pack.bus_v * (1 + self._chip.bus_error) / self._user_mv)
        stack = _saturated(1000 * stack_v * (1 + self._chip.stack_error) / self._user_mv)
        pin = bus if load_v == pack.bus_v else _saturated(1000 * load_v / self._user_mv)
        pack_into("<hhh", registers, 0x34, stack, bus, pin)
        die_c = pack.board_temperature_c + getattr(pack, "die_extra_c", 0.0)
        pack_into("<H", registers, 0x68, int(10 * die_c + _ZERO_C_DK + 0.5))
        signals = self.signals
        signals[guard.DIE_HOT_C] = die_c
        signals[guard.DIE_COLD_C] = -die_c
        signals[guard.CELL_HOT_C] = signals[guard.CELL_COLD_C] = ABSENT
        signals[guard.FET_HOT_C] = ABSENT
        jitter = int(self.noise.uniform(0, 2 * SENSORS))  # which sensor, and up or down
        for i in self._sensors:
            if i in self._chip.frozen_sensors:
                reading_dk = self._sensor_dk[i]
            else:
                reading_dk = self._sensor_reading_dk(i)
                if i == jitter >> 1 and self._chip.thermistor_faults[i] is None:
                    reading_dk += 1 if jitter & 1 else -1
            self._sensor_dk[i] = reading_dk
            pack_into("<H", registers, _SENSOR_REGISTERS[i], reading_dk)
            celsius = (reading_dk - _ZERO_C_DK) / 10
            if self._roles[i] == _ROLE_CELL:
                signals[guard.CELL_HOT_C] = max(signals[guard.CELL_HOT_C], celsius)
                signals[guard.CELL_COLD_C] = max(signals[guard.CELL_COLD_C], -celsius)
            elif self._roles[i] == _ROLE_FET:
                signals[guard.FET_HOT_C] = max(signals[guard.FET_HOT_C], celsius)

    def _sensor_reading_dk(self, sensor):
        fault = self._chip.thermistor_faults[sensor]
        if fault is None:
            pack = self._chip.pack
            if sensor == _BOARD_SENSOR:
                return int(10 * pack.board_temperature_c + _ZERO_C_DK + 0.5)
            celsius = taken_for_103at(pack.cell_temperature_c[sensor], self._chip.sensor_b_kelvin)
            return int(10 * celsius + _ZERO_C_DK + 0.5)
        return _OPEN_SENSOR_DK if fault == "open" else _SHORT_SENSOR_DK

    def _of_role(self, role):
        return [self._sensor_dk[i] for i in self._sensors if self._roles[i] == role]
