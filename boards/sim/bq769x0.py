"""The simulated BQ76920, BQ76930 and BQ76940: registers, scans, protections and gate bits.

Written from the chip's documents alone (afe.md section 8; SLUSBK2I, the data sheet; TI's answers
in E2E by number), never from the driver. Used like bq76952.py: the host talks to it through an I2C
bus model, the world moves its time and asks next_event_us().

What the documents leave open, and what is assumed here:
- OV and UV compare the readings of a scan (so a converter that stands still guards nothing), and
  count their delay from the first scan beyond; OCD and SCD are comparators.
- A gate bit that a standing trip turned off can not be set before the trip's status bit is cleared
  ("the host must first clear", SLUSBK2I GUID-0F48195C); a cause that stands trips again after its
  delay, which begins when the bit is cleared (E2E 961091).
- Currents charge the battery when SRP lies above SRN. LOAD_PRESENT is the pack's word.
- A chip that gets its supply back boots by itself: boards have a pulse at TS1 for that. SHIP mode
  is left by boot() alone.
- Registers that a smaller chip has not read 0, as do those between.
- An open sense wire keeps its voltage until a cell beside it is bled; then that cell reads 0.2 V
  and its neighbour has the rest, as long as the wire is open.
- Die and thermistors are measured every eighth scan, and TEMP_SEL acts at the next of these.
Not modelled: CC_ONESHOT, DELAY_DIS.
"""

from boards.sim.bq769x0_sensors import Sensors

NEVER_US = 1 << 60  # later than any simulation
_SCAN_US = 250_000
_BOOT_US = 10_000
_TEMPERATURE_SCANS = 8  # every 2 s
_GROUP = 5

# SYS_STAT
_CC_READY, _XREADY, _OVRD, _UV, _OV, _SCD, _OCD = 0x80, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01
_CONTROL_1, _CONTROL_2, _PROTECT_1, _PROTECT_2, _PROTECT_3 = 4, 5, 6, 7, 8
_OV_TRIP, _UV_TRIP = 9, 10
_WRITABLE = 12
_LOAD_PRESENT, _ADC_EN, _TEMP_SEL = 0x80, 0x10, 0x08
_CC_EN, _DSG, _CHG = 0x40, 0x02, 0x01
# SLUSBK2I GUID-0F48195C: what turns which gate off.
_TURNS_OFF = ((_OV, _CHG), (_UV, _DSG), (_OCD, _DSG), (_SCD, _DSG), (_OVRD, 3), (_XREADY, 3))
_UV_MIN_QUALIFIED = 0x0518  # readings below are of shorted inputs (data sheet, UVMINQUAL)

_OV_S = (1, 2, 4, 8)
_UV_S = (1, 4, 8, 16)
_OCD_MS = (8, 20, 40, 80, 160, 320, 640, 1280)
_SCD_US = (70, 100, 200, 400)
_OCD_MV = (
    (8, 11, 14, 17, 19, 22, 25, 28, 31, 33, 36, 39, 42, 44, 47, 50),
    (17, 22, 28, 33, 39, 44, 50, 56, 61, 67, 72, 78, 83, 89, 94, 100),
)
_SCD_MV = ((22, 33, 44, 56, 67, 78, 89, 100), (44, 67, 89, 111, 133, 155, 178, 200))
# bit, index in _due_us
_TIMED = (_OV, _UV, _OCD, _SCD)

_CC_V = 8.44e-6
_ADC_LAST = 0x3FFF
_OPEN_WIRE_LOW_V = 0.2
_DEVICE_NUMBERS = {5: 76920, 10: 76930, 15: 76940}

_STATE = (
    "charge_on", "discharge_on", "protections_off", "frozen", "neighbours_bled", "device_number",
    "alert_in", "cell_errors", "stack_error", "shunt_offset_v", "_booted", "_ship", "_scans",
    "_due_us", "_next_scan_us", "_boot_us", "_held", "_overridden",
)  # fmt: skip
_INSTANTS = ("_next_scan_us", "_boot_us")


def _crc8(data):
    """CRC-8, polynomial 0x07, bit by bit."""
    crc = 0
    for value in data:
        crc ^= value
        for _ in range(8):
            crc = (crc << 1) ^ 0x107 if crc & 0x80 else crc << 1
    return crc


def _inputs_of(inputs, cells):
    """Data sheet, random cell connection: which input each cell is on; the others are shorted."""
    groups = inputs // _GROUP
    places = {3: (0, 1, 4), 4: (0, 1, 2, 4), 5: (0, 1, 2, 3, 4)}
    used = []
    left = cells
    for group in range(groups):
        count = -(-left // (groups - group))
        left -= count
        used += [_GROUP * group + place for place in places[count]]
    return used


class Bq769x0:
    """`inputs`: 5, 10 or 15. `pack` and the faults are those of bq76952.Bq76952.

    In: cfetoff, dfetoff: levels of the board's transistors that pull a gate's driver down (1:
    off); alert_in: the ALERT pin, driven from outside. These act by pins_changed(), or at the
    next advance.
    Out: charge_on, discharge_on; balancing_inputs, a bit mask of the inputs as commanded; inputs:
    each cell's, from 0; neighbours_bled; gate_listener(time_us, charge_on, discharge_on);
    mode_listener(), called when `mode` changes.
    sensor_b_kelvin: as there. cell_errors, stack_error, shunt_offset_v: as there, beyond what the
    factory found out.
    gain_uv (365 to 396), offset_mv (-128 to 127): of its converter. board_pin: which TS pin's
    thermistor is at the switches, from 0, or None.
    """

    address = 0x08
    predischarge_on = False
    bleed_duty = 0.7  # E2E 985977

    def __init__(self, pack, crc=False, inputs=15, gain_uv=377, offset_mv=31, board_pin=None):
        self.pack = pack
        self.time_us = 0
        self.inputs = _inputs_of(inputs, len(pack.cell_v))
        self.gain_uv = gain_uv
        self.offset_mv = offset_mv
        self.cfetoff = self.dfetoff = self.alert_in = 0
        self.charge_on = self.discharge_on = False
        self.gate_listener = None
        self.mode_listener = None
        self.protections_off = False
        self.frozen = False
        self.thermistor_faults = [None] * 4
        self.frozen_sensors = set()
        self.sensor_b_kelvin = None
        self.open_wires = set()
        self.stuck_balance = set()
        self.neighbours_bled = 0
        self.cell_errors = [0.0] * len(pack.cell_v)
        self.stack_error = self.bus_error = self.shunt_offset_v = 0.0
        self._drifted = {}  # by open wire: whether its lower cell is the one that reads low
        self._crc = crc
        self._own_number = self.device_number = _DEVICE_NUMBERS[inputs]
        self._groups = inputs // _GROUP
        self._sensors = Sensors(self._groups, board_pin)
        self.power_on_reset()

    def advance(self, elapsed_us):
        """Let time pass, with the pack as it is now."""
        end_us = self.time_us + elapsed_us
        self._sense()
        due_us = self._next_due_us()
        while due_us <= end_us:
            self.time_us = max(self.time_us, due_us)
            self._fire()
            self._sense()
            due_us = self._next_due_us()
        self.time_us = end_us

    def next_event_us(self):
        """Time until the chip itself may change a gate, if the pack stays."""
        self._sense()
        return max(0, self._next_due_us() - self.time_us)

    def pins_changed(self):
        """React to the pins now."""
        self._look_at_alert()
        self._set_gates()

    def read(self, register, buf):
        """A read transaction of the host."""
        self._check_awake()
        step = 2 if self._crc else 1
        crc = _crc8((self.address << 1 | 1,))
        for at in range(0, len(buf), step):
            value = self._register(register + at // step)
            buf[at] = value
            if self._crc:
                buf[at + 1] = _crc8((crc ^ value,))
                crc = 0

    def write(self, register, buf):
        """A write transaction of the host. False: not acknowledged."""
        if self._asleep():
            return False
        step = 2 if self._crc else 1
        crc = _crc8((self.address << 1, register))
        for at in range(0, len(buf), step):
            if self._crc and (at + 1 >= len(buf) or _crc8((crc ^ buf[at],)) != buf[at + 1]):
                return False
            crc = 0
            self._take(register + at // step, buf[at])
        self._sense()
        self._set_gates()
        return True

    def power_on_reset(self):
        """The supply was lost and is back, and the board boots the chip."""
        self.registers = bytearray(0x60)
        self.registers[_OV_TRIP] = 0xAC  # 4.2 V; unverified
        self.registers[_UV_TRIP] = 0x97  # 2.5 V; E2E 961091
        self.registers[0x50] = (self.gain_uv - 365) >> 1 & 0x0C
        self.registers[0x51] = self.offset_mv & 0xFF
        self.registers[0x59] = (self.gain_uv - 365) << 5 & 0xE0
        self._due_us = [NEVER_US] * len(_TIMED)
        self._held = 0  # SHUT_A and SHUT_B as written last
        self._ship = False
        self._overridden = False
        self._scans = 0
        self._next_scan_us = NEVER_US
        self._boot_us = self.time_us + _BOOT_US
        self._booted = False
        self._set_gates()

    def boot(self):
        """A pulse at TS1, which ends SHIP mode."""
        if self._ship:
            self.power_on_reset()
            if self.mode_listener:
                self.mode_listener()

    press_button = boot  # at TS1; nothing else wakes it (data sheet SLUSBK2I, SHIP mode)

    @property
    def mode(self):
        """ "normal" or "ship"."""
        return "ship" if self._ship else "normal"

    def fail(self):
        """The chip notices an error in itself: DEVICE_XREADY."""
        self._trip(_XREADY)
        self._set_gates()

    @property
    def balancing_inputs(self):
        """Bit mask of the inputs that are told to be bled."""
        inputs = 0
        for group in range(self._groups):
            inputs |= (self.registers[1 + group] & 0x1F) << _GROUP * group
        return inputs

    def bleeding_inputs(self):
        """Bit mask of the inputs whose balancing switch conducts."""
        inputs = self.balancing_inputs
        for i in self.stuck_balance:
            inputs &= ~(1 << i)
        return inputs

    def bleeding_cells(self):
        """Bit mask of the cells whose balancing switch conducts."""
        bleeding = self.bleeding_inputs()
        cells = 0
        for cell, i in enumerate(self.inputs):
            cells |= (bleeding >> i & 1) << cell
        return cells

    def says_both_on(self):
        """No outputs lead to contactors' coils."""
        return False

    def save(self):
        """The whole state, faults included, as a dict that JSON can hold."""
        saved = {name: getattr(self, name) for name in _STATE}
        saved["thermistor_faults"] = list(self.thermistor_faults)
        saved["open_wires"] = list(self.open_wires)
        saved["stuck_balance"] = list(self.stuck_balance)
        saved["frozen_sensors"] = list(self.frozen_sensors)
        saved["drifted"] = [[wire, lower] for wire, lower in self._drifted.items()]
        saved["registers"] = list(self.registers)
        for name in _INSTANTS:
            saved[name] = _moved(saved[name], -self.time_us)
        saved["_due_us"] = [_moved(due_us, -self.time_us) for due_us in self._due_us]
        return saved

    def restore(self, saved):
        """Go on from what save() gave, time beginning at 0; gate_listener is not called."""
        for name in _STATE:
            setattr(self, name, saved[name])
        self.thermistor_faults = list(saved["thermistor_faults"])
        self._due_us = list(saved["_due_us"])
        self.open_wires = set(saved["open_wires"])
        self.stuck_balance = set(saved["stuck_balance"])
        self.frozen_sensors = set(saved["frozen_sensors"])
        self._drifted = dict([tuple(pair) for pair in saved["drifted"]])
        self.registers = bytearray(saved["registers"])
        self.time_us = 0

    def _asleep(self):
        return self._ship or not self._booted

    def _check_awake(self):
        if self._asleep():
            raise OSError(19, "ENODEV")

    def _register(self, register):
        value = self.registers[register] if register < len(self.registers) else 0
        if register == _CONTROL_2 and self.device_number != self._own_number:
            value |= 0x10  # another chip, which has something where this one has nothing
        if register == _CONTROL_1:
            value &= 0x7F
            present = getattr(self.pack, "load_present", False)
            if present and not self.registers[_CONTROL_2] & _CHG:
                value |= _LOAD_PRESENT
        return value

    def _take(self, register, value):
        """One byte that the host wrote."""
        registers = self.registers
        if register == 0:
            self._clear(value)
        elif register <= self._groups:
            registers[register] = value & 0x1F
            if register == self._groups:  # the host has told all groups by then
                self._count_neighbours()
            self._drift_wires()
        elif register == _CONTROL_1:
            self._take_control_1(value)
        elif register == _CONTROL_2:
            for bit, gates in _TURNS_OFF:
                if registers[0] & bit:
                    value &= ~gates
            registers[_CONTROL_2] = value & 0xE3
            self._look_at_scan()
        elif _PROTECT_1 <= register < _WRITABLE:
            registers[register] = value

    def _clear(self, bits):
        registers = self.registers
        registers[0] &= ~bits
        if bits & _OVRD:
            self._overridden = False
            self._look_at_alert()
        for at, bit in enumerate(_TIMED):
            if bits & bit:
                self._due_us[at] = NEVER_US

    def _take_control_1(self, value):
        shut = value & 3
        if self._held == 1 and shut == 2:
            self._ship = True
            if self.mode_listener:
                self.mode_listener()
            self.registers[_CONTROL_2] = 0
            for register in (1, 2, 3):
                self.registers[register] = 0
        self._held = shut if shut != 1 or self._held == 0 else 0
        self.registers[_CONTROL_1] = value & 0x1B
        self._look_at_scan()

    def _look_at_scan(self):
        """The converter begins to work, or stops."""
        if not self.registers[_CONTROL_1] & _ADC_EN:
            self._next_scan_us = NEVER_US
        elif self._next_scan_us == NEVER_US:
            self._next_scan_us = self.time_us + _SCAN_US

    def _count_neighbours(self):
        cells = 0
        for cell, i in enumerate(self.inputs):
            cells |= (self.balancing_inputs >> i & 1) << cell
        if cells & cells >> 1:
            self.neighbours_bled += 1

    def _next_due_us(self):
        if not self._booted:
            return self._boot_us
        if self._ship:
            return NEVER_US
        due_us = self._next_scan_us
        if not self.protections_off:
            due_us = min(due_us, *self._due_us)
        return due_us

    def _fire(self):
        if not self._booted:
            self._booted = True
            return
        if self._next_scan_us <= self.time_us:
            self._next_scan_us += _SCAN_US
            if not self.frozen:
                self._scan()
        if self.protections_off:
            return
        for at, bit in enumerate(_TIMED):
            if self._due_us[at] <= self.time_us:
                self._due_us[at] = NEVER_US
                self._trip(bit)
        self._set_gates()

    def _trip(self, bit):
        self.registers[0] |= bit
        for cause, gates in _TURNS_OFF:
            if bit == cause:
                self.registers[_CONTROL_2] &= ~gates

    def _sense(self):
        """The comparators of the current, and the ALERT pin."""
        self._look_at_alert()
        if self._asleep() or self.protections_off:
            return
        mv = -1000 * self.pack.current_a * self.pack.shunt_ohm
        one, two = self.registers[_PROTECT_1], self.registers[_PROTECT_2]
        coarse = one >> 7
        self._time(2, mv >= _OCD_MV[coarse][two & 15], 1000 * _OCD_MS[two >> 4 & 7])
        self._time(3, mv >= _SCD_MV[coarse][one & 7], _SCD_US[one >> 3 & 3])

    def _time(self, at, beyond, delay_us):
        """Start or stop the delay of one protection."""
        if self.registers[0] & _TIMED[at]:
            return
        if not beyond:
            self._due_us[at] = NEVER_US
        elif self._due_us[at] == NEVER_US:
            self._due_us[at] = self.time_us + delay_us

    def _look_at_alert(self):
        """SLUSBK2I GUID-F8ACA608: seen only while the chip does not drive ALERT itself."""
        if not self.alert_in:
            self._overridden = False
        elif not self._overridden and not self.registers[0] and not self._asleep():
            self._overridden = True
            self._trip(_OVRD)

    def _set_gates(self):
        control = self.registers[_CONTROL_2]
        charge = bool(control & _CHG) and not self.cfetoff and not self._asleep()
        discharge = bool(control & _DSG) and not self.dfetoff and not self._asleep()
        changed = charge != self.charge_on or discharge != self.discharge_on
        self.charge_on = charge
        self.discharge_on = discharge
        if changed and self.gate_listener is not None:
            self.gate_listener(self.time_us, charge, discharge)

    def _scan(self):
        """All cells, the stack and the current; the sensors every eighth time."""
        self._scans += 1
        readings = []
        for cell, volts in enumerate(self._cells_at_pins()):
            seen_v = volts * (1 + self.cell_errors[cell])
            counts = (1000 * seen_v - self.offset_mv) * 1000 / self.gain_uv
            readings.append(max(0, min(_ADC_LAST, int(counts + 0.5))))
        for register in range(0x0C, 0x0C + 2 * _GROUP * self._groups):
            self.registers[register] = 0
        for cell, i in enumerate(self.inputs):
            self._put(0x0C + 2 * i, readings[cell])
        self._guard_cells(readings)
        self._measure_stack()
        if self.registers[_CONTROL_2] & _CC_EN:
            counts = (self.pack.current_a * self.pack.shunt_ohm + self.shunt_offset_v) / _CC_V
            counts = int(counts + 0.5 if counts >= 0 else counts - 0.5)
            self._put(0x32, max(-32768, min(32767, counts)) & 0xFFFF)
            self.registers[0] |= _CC_READY
        if self._scans % _TEMPERATURE_SCANS == 0:
            dies = not self.registers[_CONTROL_1] & _TEMP_SEL
            for pin, counts in self._sensors.measure(self, dies):
                self._put(0x2C + 2 * pin, counts)

    def _measure_stack(self):
        pack = self.pack
        stack_v = getattr(pack, "stack_v", None)
        if stack_v is None:
            stack_v = sum(pack.cell_v)
        stack_v *= 1 + self.stack_error
        counts = (1000 * stack_v - len(self.inputs) * self.offset_mv) * 1000 / (4 * self.gain_uv)
        self._put(0x2A, max(0, min(0xFFFF, int(counts + 0.5))))

    def _guard_cells(self, readings):
        protect = self.registers[_PROTECT_3]
        over = 0x2008 | self.registers[_OV_TRIP] << 4
        under = 0x1000 | self.registers[_UV_TRIP] << 4
        if self.protections_off:
            return
        self._time(0, max(readings) > over, 1_000_000 * _OV_S[protect >> 4 & 3])
        low = [reading for reading in readings if reading >= _UV_MIN_QUALIFIED]
        self._time(1, bool(low) and min(low) < under, 1_000_000 * _UV_S[protect >> 6])

    def _cells_at_pins(self):
        cells = list(self.pack.cell_v)
        for wire, lower in self._drifted.items():
            if wire in self.open_wires:
                both_v = cells[wire - 1] + cells[wire]
                low, high = (wire - 1, wire) if lower else (wire, wire - 1)
                cells[low] = _OPEN_WIRE_LOW_V
                cells[high] = both_v - _OPEN_WIRE_LOW_V
        return cells

    def _drift_wires(self):
        bleeding = self.bleeding_cells()
        for wire in list(self._drifted):
            if wire not in self.open_wires:
                del self._drifted[wire]
        for wire in self.open_wires:
            if bleeding >> (wire - 1) & 1:
                self._drifted[wire] = True
            elif bleeding >> wire & 1:
                self._drifted[wire] = False

    def _put(self, register, value):
        self.registers[register] = value >> 8
        self.registers[register + 1] = value & 0xFF


def _moved(value, by_us):
    return value if value == NEVER_US else value + by_us
