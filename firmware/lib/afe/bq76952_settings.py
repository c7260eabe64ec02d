"""What is programmed into a BQ76952, computed from the parameters table.

Goals: the chip's own protections follow the same parameters as the software's, always beyond them
(law 5), and `taken` says in physical units what the chip really took after rounding. `update` runs
from the fast path when a parameter changed: integers below 2**30 only, no allocation.
Rounding, always by less than one step of the chip:
- cell voltages, temperatures: away from the software's trip, so that software acts first
- their delays: up, for the same reason; releases: so that the chip releases no later than software
- fast currents and their delays belong to the chip alone: down, to act early; but up where that
  would bring the chip to or below the software's own over-current trip
What is out of the chip's range is brought to the nearest value it has. That is the safe side (it
acts earlier), except where the chip's most sensitive current step lies above the wish: 4 mV
(10 mV for short circuits) across the shunt, which asks for a larger shunt.
Sources: SLUUBY2B (BQ76952 technical reference manual) and afe.md section 4; the same for the
names of protections (COV: cell overvoltage, OCD: overcurrent in discharge, ...).
"""

from array import array

from afe.bq76952_items import ITEMS

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
)
"""Names of the values in `Settings.taken`: like the parameter that each of them follows."""
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
) = range(len(_READS))

# address, parameter's name without `_trip_dc`, 1 for an upper limit
_TEMPERATURES = (
    (0x929A, "overtemperature_charge", 1),
    (0x929D, "overtemperature_discharge", 1),
    (0x92A6, "undertemperature_charge", 0),
    (0x92A9, "undertemperature_discharge", 0),
)
_TEMPERATURE_DELAY_S = 2  # the chip's default
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


class Settings:
    """The chip's data memory as it shall be. Call `update` before `runs` or `taken` are used."""

    def __init__(self, parameters):
        self.taken = array("i", [0] * len(TAKEN))  # what the chip takes, in the order of TAKEN
        self.current_unit_ma = 10  # what one count of the chip's current stands for
        self.fet_thermistor = 0  # whether HDQ measures the switches
        self.runs = []  # blocks to transfer: address (low, high) and data, by ascending address
        self._values = parameters.values
        self._indices = array("H", [parameters.index(name) for name in _READS])
        self._temperature_indices = array("H")
        for _, name, _ in _TEMPERATURES:
            self._temperature_indices.append(parameters.index(name + "_trip_dc"))
            self._temperature_indices.append(parameters.index(name + "_release_dc"))
        self._cells = 0  # taken at the first update
        self._thermistors = 0
        self._offsets = {}  # place of an item in the image, by its address
        self._build()

    def taken_value(self, name):
        """What the chip took for a name of TAKEN. Not for the fast path."""
        return self.taken[TAKEN.index(name)]

    def update(self):
        """Compute everything anew from the parameters' values of now."""
        taken = self.taken
        shunt = self._value(_SHUNT)
        self._put_float(0x91A8, 75684, 10 * shunt, 0)
        self._put_float(0x91AC, 282170404, shunt, 3)
        self._update_inputs()
        self._update_voltages()
        self._update_temperatures()
        self._update_currents(shunt)
        watchdog_s = self._value(_WATCHDOG)
        self._put(0x92B2, 2, watchdog_s)
        # Longer than the watchdog: when the processor hangs, no protection releases by itself
        # before the watchdog holds both gates off.
        self._put(0x9294, 1, watchdog_s + 1)
        self._put(0x92AF, 1, watchdog_s + 1)
        taken[_TAKEN_FAST + 5] = watchdog_s

    def _update_inputs(self):
        """Cells on the lowest inputs and, always, on input 16 (afe.md section 4); sensors."""
        if self._cells == 0:
            # Once: a change waits for a restart, because the sample has its size for life.
            self._cells = self._value(_SERIES)
            self._thermistors = self._value(_THERMISTORS)
        cells = self._cells
        thermistors = self._thermistors
        fet_thermistor = self._value(_FET_THERMISTOR)
        self.fet_thermistor = fet_thermistor
        self._put(0x9304, 2, (1 << (cells - 1)) - 1 | 0x8000)
        for pin in range(3):
            self._put(0x92FD + pin, 1, _CELL_THERMISTOR if pin < thermistors else 0)
        self._put(0x9300, 1, _FET_THERMISTOR_PIN if fet_thermistor else 0)
        self._put(0x9262, 1, _ENABLED_B | _OTF if fet_thermistor else _ENABLED_B)
        power = _POWER_CONFIG | _SHUT_TS2 if thermistors >= _WITH_TS2 else _POWER_CONFIG
        self._put(0x9234, 2, power)

    def _update_voltages(self):
        taken = self.taken
        margin_mv = self._value(_VOLTAGE_MARGIN)
        # Thresholds and hysteresis in 50.6 mV steps; the chip releases no later than software.
        steps = -(-10 * (self._value(_OVERVOLTAGE) + margin_mv) // 506)
        steps = _within(steps, 20, 110)
        hysteresis = (10 * -self._value(_OVERVOLTAGE_RELEASE) + 506 * steps) // 506
        hysteresis = _within(hysteresis, 2, 20)
        self._put(0x9278, 1, steps)
        self._put(0x927C, 1, hysteresis)
        taken[_TAKEN_COV] = 506 * steps // 10
        taken[_TAKEN_COV + 1] = self._put_delay(0x9279, self._value(_OVERVOLTAGE_DELAY))
        taken[_TAKEN_COV + 2] = 506 * (steps - hysteresis) // 10
        steps = 10 * (self._value(_UNDERVOLTAGE) - margin_mv) // 506
        steps = _within(steps, 20, 90)
        hysteresis = (10 * self._value(_UNDERVOLTAGE_RELEASE) - 506 * steps) // 506
        hysteresis = _within(hysteresis, 2, 20)
        self._put(0x9275, 1, steps)
        self._put(0x927B, 1, hysteresis)
        taken[_TAKEN_CUV] = 506 * steps // 10
        taken[_TAKEN_CUV + 1] = self._put_delay(0x9276, self._value(_UNDERVOLTAGE_DELAY))
        taken[_TAKEN_CUV + 2] = 506 * (steps + hysteresis) // 10

    def _put_delay(self, address, software_ms):
        """Delay of a cell voltage protection; returns the real one in ms."""
        wanted_ms = software_ms + self._value(_DELAY_MARGIN)
        # SLUUBY2B: the delay is 3.3 ms * (2 + setting); 0 would disable the protection.
        setting = _within(-(-10 * wanted_ms // 33) - 2, 1, 2047)
        self._put(address, 2, setting)
        return 33 * (2 + setting) // 10

    def _update_temperatures(self):
        taken = self.taken
        margin_dc = self._value(_TEMPERATURE_MARGIN)
        at = _TAKEN_CUV + 3
        for row in range(len(_TEMPERATURES)):
            address = _TEMPERATURES[row][0]
            trip_dc = self._values[self._temperature_indices[2 * row]]
            release_dc = self._values[self._temperature_indices[2 * row + 1]]
            if _TEMPERATURES[row][2]:
                trip_c = _within(-(-(trip_dc + margin_dc) // 10), _COLDEST_C + 1, _HOTTEST_C)
                release_c = _within(-(-release_dc // 10), _COLDEST_C, trip_c - 1)
            else:
                trip_c = _within((trip_dc - margin_dc) // 10, _COLDEST_C, _HOTTEST_C - 1)
                release_c = _within(release_dc // 10, trip_c + 1, _HOTTEST_C)
            self._put(address, 1, trip_c)
            self._put(address + 1, 1, _TEMPERATURE_DELAY_S)
            self._put(address + 2, 1, release_c)
            taken[at] = 10 * trip_c
            taken[at + 1] = 10 * release_c
            at += 2

    def _update_currents(self, shunt):
        taken = self.taken
        charge_ma = self._value(_OVERCURRENT_CHARGE)
        discharge_ma = self._value(_OVERCURRENT_DISCHARGE)
        wide = max(charge_ma, discharge_ma) > _LARGEST_10MA
        self._put(0x9303, 1, _DA_100MA if wide else _DA_10MA)
        self.current_unit_ma = 100 if wide else 10

        # OCC and OCD1 in 2 mV steps across the shunt: 2 to 62, 2 to 100.
        steps = _fast_steps(self._value(_FAST_CHARGE), charge_ma, shunt, 62)
        self._put(0x9280, 1, steps)
        taken[_TAKEN_FAST] = _current_ma(2000 * steps, shunt)
        steps = _fast_steps(self._value(_FAST_DISCHARGE), discharge_ma, shunt, 100)
        self._put(0x9282, 1, steps)
        taken[_TAKEN_FAST + 1] = _current_ma(2000 * steps, shunt)
        setting = _within(10 * self._value(_FAST_DELAY) // 33 - 2, 1, 127)
        self._put(0x9281, 1, setting)
        self._put(0x9283, 1, setting)
        taken[_TAKEN_FAST + 2] = 33 * (2 + setting) // 10

        wanted_uv = _shunt_uv(self._value(_SHORT), shunt)
        software_uv = _shunt_uv(discharge_ma, shunt)
        step = len(_SCD_MV) - 1
        while step > 0 and 1000 * _SCD_MV[step] > wanted_uv:
            step -= 1
        if 1000 * _SCD_MV[step] <= software_uv and step < len(_SCD_MV) - 1:
            step += 1
        self._put(0x9286, 1, step)
        taken[_TAKEN_FAST + 3] = _current_ma(1000 * _SCD_MV[step], shunt)
        setting = _within(self._value(_SHORT_DELAY) // 15 + 1, 1, 31)  # (setting - 1) * 15 us
        self._put(0x9287, 1, setting)
        taken[_TAKEN_FAST + 4] = 15 * (setting - 1)

    def _value(self, which):
        return self._values[self._indices[which]]

    def _build(self):
        """Lay the items out as blocks of neighbours, and write down what is fixed."""
        sizes = []
        end = None
        for address, size, _ in ITEMS:
            if address != end:
                sizes.append([address, 0])
            sizes[-1][1] += size
            end = address + size
        self._image = bytearray(sum(2 + size for _, size in sizes))
        view = memoryview(self._image)
        at = 0
        for address, size in sizes:
            self._image[at] = address & 0xFF
            self._image[at + 1] = address >> 8
            for place in range(size):
                self._offsets[address + place] = at + 2 + place
            self.runs.append(view[at : at + 2 + size])
            at += 2 + size
        for address, size, value in ITEMS:
            self._put(address, size, value)

    def _put(self, address, size, value):
        """Little-endian; negative values become two's complement by themselves."""
        at = self._offsets[address]
        for place in range(size):
            self._image[at + place] = value & 0xFF
            value >>= 8

    def _put_float(self, address, numerator, denominator, exponent):
        """IEEE-754 single of numerator / denominator * 2**exponent, without making a float.

        SLUUBY2B 4.12: CC gain is 7.5684 / (shunt in milliohm), capacity gain 298261.6178 times
        that. Long division, one mantissa bit a round; all numbers stay below 2**30.
        """
        while numerator < denominator:
            numerator *= 2
            exponent -= 1
        while numerator >= 2 * denominator:
            denominator *= 2
            exponent += 1
        mantissa = 1
        rest = numerator - denominator
        for _ in range(23):
            rest *= 2
            mantissa *= 2
            if rest >= denominator:
                rest -= denominator
                mantissa += 1
        if 2 * rest >= denominator:
            mantissa += 1  # a carry out of 24 bits would need a mantissa of all ones; none has it
        self._put(address, 2, mantissa)
        self._put(address + 2, 1, mantissa >> 16 & 0x7F | (exponent + 127 & 1) << 7)
        self._put(address + 3, 1, exponent + 127 >> 1)


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
