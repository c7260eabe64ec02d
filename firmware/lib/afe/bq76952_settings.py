"""What is programmed into a BQ76952, computed from the parameters table.

Goals: the chip's own protections follow the same parameters as the software's, always beyond them
(law 5), and `taken` says in physical units what the chip really took after rounding. `update` runs
from the fast path when a parameter changed: integers below 2**30 only, no allocation.
Rounding, always by less than one step of the chip:
- voltages of cells, temperatures: away from the software's trip, so that software acts first
- their delays: up, for the same reason; releases: so that the chip releases no later than software
- fast currents and their delays belong to the chip alone: down, to act early; but up where that
  would bring the chip to or below the software's own over-current trip
What is out of the chip's range is brought to the nearest value it has. That is the safe side (it
acts earlier), except where the chip's most sensitive current step lies above the wish: 4 mV
(10 mV for short circuits) across the shunt, which asks for a larger shunt. Where it would make the
chip act before the software, `bq76952_layers` refuses the configuration.
With another current sensor (INA228) the chip's current inputs are shorted. Its over-current and
short circuit protections stay enabled: they see 0 V and never act.
Sources: SLUUBY2B (BQ76952 technical reference manual) and afe.md section 4; the same for the
names of protections (COV: cell overvoltage, OCD: overcurrent in discharge, ...).
"""

from array import array

from afe.bq76952_blocks import blocks, put, put_float
from afe.bq76952_image import Image
from bms.sample import CORRECTED_CELLS, CORRECTED_CURRENT, CORRECTED_ZERO, effective_shunt
from bms.table import give_back

TAKEN = (
    "cell_overvoltage_trip_mv",
    "cell_overvoltage_delay_ms",
    "cell_overvoltage_release_mv",
    "cell_undervoltage_trip_mv",
    "cell_undervoltage_delay_ms",
    "cell_undervoltage_release_mv",
    "overtemperature_charge_trip_dc",
    "overtemperature_charge_release_dc",
    "overtemperature_discharge_trip_dc",
    "overtemperature_discharge_release_dc",
    "undertemperature_charge_trip_dc",
    "undertemperature_charge_release_dc",
    "undertemperature_discharge_trip_dc",
    "undertemperature_discharge_release_dc",
    "fast_overcurrent_charge_ma",
    "fast_overcurrent_discharge_ma",
    "fast_overcurrent_delay_ms",
    "short_circuit_trip_ma",
    "short_circuit_delay_us",
    "afe_watchdog_s",
    "fet_overtemperature_trip_dc",
    "fet_overtemperature_release_dc",
    "own_overtemperature_trip_dc",
    "own_overtemperature_release_dc",
)
"""Names of the values in `Image.taken`: like the parameter that each of them follows (but
`own_overtemperature`, the chip's, follows `afe_overtemperature`)."""
_TAKEN_COV = 0
_TAKEN_CUV = 3
_TAKEN_FAST = 14

# The parameters that are read, and their places in `Settings._indices`.
_READS = (
    "series_cells",
    "shunt_microohm",
    "cell_thermistors",
    "fet_thermistor",
    "afe_watchdog_s",
    "afe_voltage_margin_mv",
    "afe_delay_margin_ms",
    "afe_temperature_margin_dc",
    "cell_overvoltage_trip_mv",
    "cell_overvoltage_delay_ms",
    "cell_overvoltage_release_mv",
    "cell_undervoltage_trip_mv",
    "cell_undervoltage_delay_ms",
    "cell_undervoltage_release_mv",
    "overcurrent_charge_trip_ma",
    "overcurrent_discharge_trip_ma",
    "fast_overcurrent_charge_ma",
    "fast_overcurrent_discharge_ma",
    "fast_overcurrent_delay_ms",
    "short_circuit_trip_ma",
    "short_circuit_delay_us",
    "power_path",
    "fet_side",
    "predischarge",
    "precharge_ratio_permille",
    "body_diode_ma",
)
(
    _SERIES,
    _SHUNT,
    _THERMISTORS,
    _FET_THERMISTOR,
    _WATCHDOG,
    _VOLTAGE_MARGIN,
    _DELAY_MARGIN,
    _TEMPERATURE_MARGIN,
    _OVERVOLTAGE,
    _OVERVOLTAGE_DELAY,
    _OVERVOLTAGE_RELEASE,
    _UNDERVOLTAGE,
    _UNDERVOLTAGE_DELAY,
    _UNDERVOLTAGE_RELEASE,
    _OVERCURRENT_CHARGE,
    _OVERCURRENT_DISCHARGE,
    _FAST_CHARGE,
    _FAST_DISCHARGE,
    _FAST_DELAY,
    _SHORT,
    _SHORT_DELAY,
    _POWER_PATH,
    _FET_SIDE,
    _PREDISCHARGE,
    _PRECHARGE_RATIO,
    _BODY_DIODE,
) = range(len(_READS))

# address, parameter's name without `_trip_dc`, 1 for an upper limit, place in TAKEN
_TEMPERATURES = (
    (0x929A, "overtemperature_charge", 1, 6),
    (0x929D, "overtemperature_discharge", 1, 8),
    (0x92A6, "undertemperature_charge", 0, 10),
    (0x92A9, "undertemperature_discharge", 0, 12),
    (0x92A0, "fet_overtemperature", 1, 20),
    (0x92A3, "afe_overtemperature", 1, 22),
)
_OF_CELLS = 4  # of these, the first
_COLDEST_C = -40  # SLUUBY2B: range of the thresholds
_HOTTEST_C = 120

_SCD_MV = array("H", (10, 20, 40, 60, 80, 100, 125, 150, 175, 200, 250, 300, 350, 400, 450, 500))

# SLUUBY2B Power Config: 0x2982 is the default; without SLEEP (bit 8) as LibreSolar sets it. With a
# thermistor on TS2, SHUT_TS2 (bit 12) keeps the chip from leaving SHUTDOWN by itself.
_POWER_CONFIG = 0x2882
_SHUT_TS2 = 0x1000
_WITH_TS2 = 2  # thermistors
# SLUUBY2B DA Configuration: userV is 10 mV (bit 2), userA is 10 mA (2) or 100 mA (3).
_DA_10MA = 0x06
_DA_100MA = 0x07
_LARGEST_10MA = 300000  # above this an int16 of 10 mA has no room left over a trip
_CELL_THERMISTOR = 0x07  # 18 kohm pull-up, its temperature model, counts for cell protections
_FET_THERMISTOR_PIN = 0x0F
_ENABLED_B = 0x73  # OTINT, OTD, OTC, UTD, UTC
_OTF = 0x80

# Enabled protections A
_VOLTAGES = 0x0C  # COV, CUV
_CURRENTS = 0xB0  # SCD, OCD1, OCC
# Values of the parameters power_path and fet_side
_COMMON_PORT = 0
_CONTACTOR = 2
_LOW_SIDE = 1
# FET Options: SLEEPCHG (else the chip opens its charge gate in SLEEP, against our command),
# HOST_FET_EN, FET_CTRL_EN, FET_INIT_OFF. Also with contactors: DCHG and DDSG follow
# the (unconnected) drivers' states (TI FAQ, E2E 1237508).
_FET_OPTIONS = 0x2E
_SFET = 0x01  # the gates are in series: the chip spares the body diode of one that is off
_PDSG_EN = 0x10
# DCHG and DDSG pins: function 2, low while the gate is off (OPT5), driven high (OPT1) from REG18,
# which always runs, while it may be on. A chip in reset or without supply leaves them floating: a
# pull-down at the contactors' supply or the low-side driver keeps these off (law 1). Bits as TI
# answers in E2E 1237508; not seen on a chip. 1.8 V and no current: the board needs a transistor.
_GATE_OUTPUT = 0x8A
_STOP_DELTA_MAX = 255  # 2550 mV


class Settings:
    """Computes the chip's data memory as it shall be. Call `update` before `image` is used.

    `image` is the driver's (bq76952_image), else a new one; `values` are others than those of
    `parameters`, to find out what the chip would take.
    """

    def __init__(self, parameters, values=None, image=None):
        self.image = Image() if image is None else image
        if not self.image.runs:
            self.image.runs = blocks()
        self._runs = self.image.runs
        self._values = parameters.values if values is None else values
        self._indices = array("H", [parameters.index(name) for name in _READS])
        self._temperature_indices = array("H")
        for row in _TEMPERATURES:
            for end in ("_trip_dc", "_release_dc", "_delay_ms"):
                self._temperature_indices.append(parameters.index(row[1] + end))
        from afe.thermistors import Curve

        give_back("afe.thermistors")
        self._curve = Curve(self._values[parameters.index("cell_sensor")])

    def taken_value(self, name):
        """What the chip took for a name of TAKEN. Not for the fast path."""
        return self.image.taken[TAKEN.index(name)]

    def update(self):
        """Compute everything anew from the parameters' values of now."""
        taken = self.image.taken
        shunt = self._value(_SHUNT)
        put(self._runs, 0x9180, 32, 0)
        self._put_current(shunt, 0, 0)
        self._update_inputs()
        self._update_voltages()
        self._update_temperatures()
        self._update_currents(shunt)
        self._update_path()
        watchdog_s = self._value(_WATCHDOG)
        put(self._runs, 0x92B2, 2, watchdog_s)
        # Longer than the watchdog: when the processor hangs, no protection releases by itself
        # before the watchdog holds both gates off.
        put(self._runs, 0x9294, 1, watchdog_s + 1)
        put(self._runs, 0x92AF, 1, watchdog_s + 1)
        taken[_TAKEN_FAST + 5] = watchdog_s

    def correct(self, corrections):
        """Put these corrections (bms.sample) into the cell gains, which hold the
        factory's, into those of the current and into the thresholds across the shunt."""
        gains = self._runs[0]
        cells = self.image.cells
        first = CORRECTED_CELLS + self.image.first_cell
        for cell in range(cells):
            at = 2 + 2 * (15 if cell == cells - 1 else cell)
            gain = gains[at] | gains[at + 1] << 8
            gain += (gain * corrections[first + cell] + 50000) // 100000
            gains[at] = gain & 0xFF
            gains[at + 1] = gain >> 8
        shunt = self._value(_SHUNT)
        self._put_current(shunt, corrections[CORRECTED_CURRENT], corrections[CORRECTED_ZERO])
        self._update_currents(effective_shunt(shunt, corrections))

    def _put_current(self, shunt, gain, zero_nv):
        """SLUUBY2B 4.12: CC gain is 7.5684 / (shunt in milliohm), capacity gain 298261.6178 times
        that. Board offset: 64ths of a step of 7.5684 uV (SLUAA32A 2.6.1)."""
        put_float(self._runs, 0x91A8, 75684 + 75684 * gain // 100000, 10 * shunt, 0)
        put_float(self._runs, 0x91AC, 282170404 + 28217 * gain // 10, shunt, 3)
        put(self._runs, 0x91C8, 2, zero_nv * 160 // 18921)

    def _update_inputs(self):
        """Cells on the lowest inputs and, always, on input 16 (afe.md section 4); sensors."""
        if self.image.cells == 0:
            # Once: a change waits for a restart, because the sample has its size for life.
            self.image.cells = self._value(_SERIES)
            self.image.thermistors = self._value(_THERMISTORS)
        cells = self.image.cells
        thermistors = self.image.thermistors
        fet_thermistor = 0 if self.image.first_cell else self._value(_FET_THERMISTOR)
        self.image.fet_thermistor = fet_thermistor
        put(self._runs, 0x9304, 2, (1 << (cells - 1)) - 1 | 0x8000)
        for pin in range(3):
            put(self._runs, 0x92FD + pin, 1, _CELL_THERMISTOR if pin < thermistors else 0)
        put(self._runs, 0x9300, 1, _FET_THERMISTOR_PIN if fet_thermistor else 0)
        put(self._runs, 0x9262, 1, _ENABLED_B | _OTF if fet_thermistor else _ENABLED_B)
        power = _POWER_CONFIG | _SHUT_TS2 if thermistors >= _WITH_TS2 else _POWER_CONFIG
        put(self._runs, 0x9234, 2, power)

    def _update_voltages(self):
        taken = self.image.taken
        margin_mv = self._value(_VOLTAGE_MARGIN)
        # Thresholds and hysteresis in 50.6 mV steps; the chip releases no later than software.
        steps = -(-10 * (self._value(_OVERVOLTAGE) + margin_mv) // 506)
        steps = _within(steps, 20, 110)
        hysteresis = (10 * -self._value(_OVERVOLTAGE_RELEASE) + 506 * steps) // 506
        hysteresis = _within(hysteresis, 2, 20)
        put(self._runs, 0x9278, 1, steps)
        put(self._runs, 0x927C, 1, hysteresis)
        taken[_TAKEN_COV] = 506 * steps // 10
        taken[_TAKEN_COV + 1] = self._put_delay(0x9279, self._value(_OVERVOLTAGE_DELAY))
        taken[_TAKEN_COV + 2] = 506 * (steps - hysteresis) // 10
        steps = 10 * (self._value(_UNDERVOLTAGE) - margin_mv) // 506
        steps = _within(steps, 20, 90)
        hysteresis = (10 * self._value(_UNDERVOLTAGE_RELEASE) - 506 * steps) // 506
        hysteresis = _within(hysteresis, 2, 20)
        put(self._runs, 0x9275, 1, steps)
        put(self._runs, 0x927B, 1, hysteresis)
        taken[_TAKEN_CUV] = 506 * steps // 10
        taken[_TAKEN_CUV + 1] = self._put_delay(0x9276, self._value(_UNDERVOLTAGE_DELAY))
        taken[_TAKEN_CUV + 2] = 506 * (steps + hysteresis) // 10

    def _put_delay(self, address, software_ms):
        """Delay of a cell voltage protection; returns the real one in ms."""
        wanted_ms = software_ms + self._value(_DELAY_MARGIN)
        # SLUUBY2B: the delay is 3.3 ms * (2 + setting); 0 would disable the protection.
        setting = _within(-(-10 * wanted_ms // 33) - 2, 1, 2047)
        put(self._runs, address, 2, setting)
        return 33 * (2 + setting) // 10

    def _update_temperatures(self):
        margin_dc = self._value(_TEMPERATURE_MARGIN)
        for row in range(len(_TEMPERATURES)):
            self._update_temperature(row, margin_dc)

    def _update_temperature(self, row, margin_dc):
        trip_dc = self._values[self._temperature_indices[3 * row]]
        release_dc = self._values[self._temperature_indices[3 * row + 1]]
        delay_ms = self._values[self._temperature_indices[3 * row + 2]]
        delay_ms = temperature_delay_ms(delay_ms, self._value(_DELAY_MARGIN))
        # Thresholds are in what the chip reads. The switches' sensor is a 103AT, the die is none.
        curve = self._curve if row < _OF_CELLS else None
        if _TEMPERATURES[row][2]:
            trip_c = _within(
                -(-_read(curve, trip_dc + margin_dc) // 10), _COLDEST_C + 1, _HOTTEST_C
            )
            release_c = _within(-(-_read(curve, release_dc) // 10), _COLDEST_C, trip_c - 1)
        else:
            trip_c = _within(_read(curve, trip_dc - margin_dc) // 10, _COLDEST_C, _HOTTEST_C - 1)
            release_c = _within(_read(curve, release_dc) // 10, trip_c + 1, _HOTTEST_C)
        address = _TEMPERATURES[row][0]
        put(self._runs, address, 1, trip_c)
        put(self._runs, address + 1, 1, delay_ms // 1000)
        put(self._runs, address + 2, 1, release_c)
        at = _TEMPERATURES[row][3]
        self.image.taken[at] = 10 * trip_c if curve is None else curve.true_dc(10 * trip_c)
        self.image.taken[at + 1] = (
            10 * release_c if curve is None else curve.true_dc(10 * release_c)
        )

    def _update_currents(self, shunt):
        taken = self.image.taken
        charge_ma = self._value(_OVERCURRENT_CHARGE)
        discharge_ma = self._value(_OVERCURRENT_DISCHARGE)
        wide = max(charge_ma, discharge_ma) > _LARGEST_10MA
        put(self._runs, 0x9303, 1, _DA_100MA if wide else _DA_10MA)
        self.image.current_unit_ma = 100 if wide else 10

        # OCC and OCD1 in 2 mV steps across the shunt: 2 to 62, 2 to 100.
        steps = _fast_steps(self._value(_FAST_CHARGE), charge_ma, shunt, 62)
        put(self._runs, 0x9280, 1, steps)
        taken[_TAKEN_FAST] = _current_ma(2000 * steps, shunt)
        steps = _fast_steps(self._value(_FAST_DISCHARGE), discharge_ma, shunt, 100)
        put(self._runs, 0x9282, 1, steps)
        taken[_TAKEN_FAST + 1] = _current_ma(2000 * steps, shunt)
        setting = _within(10 * self._value(_FAST_DELAY) // 33 - 2, 1, 127)
        put(self._runs, 0x9281, 1, setting)
        put(self._runs, 0x9283, 1, setting)
        taken[_TAKEN_FAST + 2] = 33 * (2 + setting) // 10

        wanted_uv = _shunt_uv(self._value(_SHORT), shunt)
        software_uv = _shunt_uv(discharge_ma, shunt)
        step = len(_SCD_MV) - 1
        while step > 0 and 1000 * _SCD_MV[step] > wanted_uv:
            step -= 1
        if 1000 * _SCD_MV[step] <= software_uv and step < len(_SCD_MV) - 1:
            step += 1
        put(self._runs, 0x9286, 1, step)
        taken[_TAKEN_FAST + 3] = _current_ma(1000 * _SCD_MV[step], shunt)
        setting = _within(self._value(_SHORT_DELAY) // 15 + 1, 1, 31)  # (setting - 1) * 15 us
        put(self._runs, 0x9287, 1, setting)
        taken[_TAKEN_FAST + 4] = 15 * (setting - 1)

    def _update_path(self):
        """What switches the current, and what the chip may do with it by itself."""
        path = self._value(_POWER_PATH)
        self.image.predischarge = self._value(_PREDISCHARGE) == 1 and path != _CONTACTOR
        # What a contactor can not break is the fuse's: the chip would open it all the same.
        put(self._runs, 0x9261, 1, _VOLTAGES if path == _CONTACTOR else _VOLTAGES | _CURRENTS)
        self.image.gate_outputs = path == _CONTACTOR or self._value(_FET_SIDE) == _LOW_SIDE
        options = _FET_OPTIONS
        if path == _COMMON_PORT:
            options |= _SFET
        if self.image.predischarge:
            options |= _PDSG_EN
        put(self._runs, 0x9308, 1, options)
        # The nominal voltage of a cell is near the middle between its trips.
        both_mv = self._value(_OVERVOLTAGE) + self._value(_UNDERVOLTAGE)
        nominal_mv = self.image.cells * both_mv // 2
        missing_permille = 1000 - self._value(_PRECHARGE_RATIO)
        delta = nominal_mv * missing_permille // 10000  # 10 mV; 0 would switch the check off
        put(self._runs, 0x930F, 1, _within(delta, 1, _STOP_DELTA_MAX))
        put(self._runs, 0x9273, 2, self._value(_BODY_DIODE))
        pin = _GATE_OUTPUT if self.image.gate_outputs else 0
        put(self._runs, 0x9301, 1, pin)
        put(self._runs, 0x9302, 1, pin)

    def _value(self, which):
        return self._values[self._indices[which]]


def temperature_delay_ms(software_ms, margin_ms):
    """Delay of the chip's temperature trips: beyond the software's, in whole seconds (1 to 255).

    The ranges of both parameters keep it below 63 s.
    """
    return -(-(software_ms + margin_ms) // 1000) * 1000


def _read(curve, true_dc):
    """What the chip reads at this temperature."""
    return true_dc if curve is None else curve.read_dc(true_dc)


def _within(value, low, high):
    return min(max(value, low), high)


def _shunt_uv(current_ma, shunt_microohm):
    """Voltage across the shunt, rounded down; split so that nothing reaches 2**30."""
    return current_ma // 1000 * shunt_microohm + current_ma % 1000 * shunt_microohm // 1000


def _current_ma(shunt_uv, shunt_microohm):
    return shunt_uv * 1000 // shunt_microohm


def _fast_steps(wanted_ma, software_ma, shunt_microohm, most):
    """2 mV steps: not above what is wanted, but above the software's trip."""
    steps = _shunt_uv(wanted_ma, shunt_microohm) // 2000
    if 2000 * steps <= _shunt_uv(software_ma, shunt_microohm):
        steps += 1
    return _within(steps, 2, most)
