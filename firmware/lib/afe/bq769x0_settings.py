"""What is programmed into a BQ769x0, computed from the parameters and the chip's own calibration.

Goals: the chip's protections follow the same parameters as the software's and `taken` says in
physical units what it really took (law 5). Rounding is that of bq76952_settings: cell voltages and
their delays away from the software's trip, so that software acts first; fast currents and their
delays down, to act early, but up where that would bring the chip to or below the software's own
over-current trip. Out of the chip's range: the nearest value it has; where that turns the order
round, bq769x0_layers refuses the configuration.
What the chip can not do is the software's alone: charge current, temperatures, host watchdog.
Limits: `update` runs from the fast path; integers below 2**30 only, no allocation.
Sources: afe.md section 8; SLUSBK2I (BQ769x0 data sheet), registers PROTECT1 to UV_TRIP.
"""

from array import array

from afe.bq769x0_image import (
    FAST_DISCHARGE,
    OVERVOLTAGE_RELEASE,
    UNDERVOLTAGE_RELEASE,
    Image,
)
from afe.bq769x0_registers import CC_CFG_VALUE
from bms.sample import CORRECTED_CELLS, corrected, effective_shunt

TAKEN = (
    "cell_overvoltage_trip_mv",
    "cell_overvoltage_delay_ms",
    "cell_overvoltage_release_mv",
    "cell_undervoltage_trip_mv",
    "cell_undervoltage_delay_ms",
    "cell_undervoltage_release_mv",
    "fast_overcurrent_discharge_ma",
    "fast_overcurrent_delay_ms",
    "short_circuit_trip_ma",
    "short_circuit_delay_us",
)
"""Names of the values in `Image.taken`, like the parameter that each of them follows. The chip
releases nothing by itself: the driver does, at the software's own trips."""
_OVERVOLTAGE, _OVERVOLTAGE_DELAY = 0, 1
_UNDERVOLTAGE, _UNDERVOLTAGE_DELAY = 3, 4
_FAST_DELAY, _SHORT, _SHORT_DELAY = 7, 8, 9

_READS = (
    "shunt_microohm",
    "afe_voltage_margin_mv",
    "afe_delay_margin_ms",
    "cell_overvoltage_trip_mv",
    "cell_overvoltage_delay_ms",
    "cell_undervoltage_trip_mv",
    "cell_undervoltage_delay_ms",
    "overcurrent_discharge_trip_ma",
    "fast_overcurrent_discharge_ma",
    "fast_overcurrent_delay_ms",
    "short_circuit_trip_ma",
    "short_circuit_delay_us",
    "fet_thermistor",
)
(
    _SHUNT,
    _VOLTAGE_MARGIN,
    _DELAY_MARGIN,
    _SOFTWARE_OV,
    _SOFTWARE_OV_DELAY,
    _SOFTWARE_UV,
    _SOFTWARE_UV_DELAY,
    _SLOW_DISCHARGE,
    _WANTED_FAST,
    _WANTED_FAST_DELAY,
    _WANTED_SHORT,
    _WANTED_SHORT_DELAY,
    _FET_THERMISTOR,
) = range(len(_READS))

# A trip register is the middle of a 14-bit reading (afe.md section 8): 10........1000 and
# 01........0000 in binary, so that a step is 16 readings or about 6 mV.
_OV_BASE = 0x2008
_UV_BASE = 0x1000
_TRIP_STEP = 16
_TRIP_LAST = 255

_OV_DELAYS_MS = array("H", (1000, 2000, 4000, 8000))
_UV_DELAYS_MS = array("H", (1000, 4000, 8000, 16000))
_OCD_DELAYS_MS = array("H", (8, 20, 40, 80, 160, 320, 640, 1280))
_SCD_DELAYS_US = array("H", (70, 100, 200, 400))
# Thresholds across the shunt in mV, the fine range (RSNS 0) and the coarse one.
_OCD_MV = (
    array("H", (8, 11, 14, 17, 19, 22, 25, 28, 31, 33, 36, 39, 42, 44, 47, 50)),
    array("H", (17, 22, 28, 33, 39, 44, 50, 56, 61, 67, 72, 78, 83, 89, 94, 100)),
)
_SCD_MV = (
    array("H", (22, 33, 44, 56, 67, 78, 89, 100)),
    array("H", (44, 67, 89, 111, 133, 155, 178, 200)),
)

_PROTECT_1, _PROTECT_2, _PROTECT_3, _OV_TRIP, _UV_TRIP, _CC_CFG = range(6)


class Settings:
    """Computes the chip's registers PROTECT1 to CC_CFG as they shall be.

    `image` is the driver's (bq769x0_image), else a new one; `values` are others than those of
    `parameters`, to find out what the chip would take.
    """

    def __init__(self, parameters, values=None, image=None):
        self.image = Image() if image is None else image
        self._values = parameters.values if values is None else values
        self._indices = array("H", [parameters.index(name) for name in _READS])

    def taken_value(self, name):
        """What the chip took for a name of TAKEN. Not for the fast path."""
        return self.image.taken[TAKEN.index(name)]

    def update(self, gain_uv, offset_mv):
        """Compute everything anew from the parameters' values of now, for a chip that measures
        with this gain and offset."""
        self.image.shunt_microohm = self._value(_SHUNT)
        self.image.fet_thermistor = self._value(_FET_THERMISTOR)
        self._update_overvoltage(gain_uv, offset_mv)
        self._update_undervoltage(gain_uv, offset_mv)
        self.image.registers[_PROTECT_3] = (
            self._update_delay(_UNDERVOLTAGE_DELAY, _UV_DELAYS_MS, _SOFTWARE_UV_DELAY) << 6
            | self._update_delay(_OVERVOLTAGE_DELAY, _OV_DELAYS_MS, _SOFTWARE_OV_DELAY) << 4
        )
        self._update_currents()
        self.image.registers[_CC_CFG] = CC_CFG_VALUE

    def _update_overvoltage(self, gain_uv, offset_mv):
        software_mv = self._value(_SOFTWARE_OV)
        # One threshold for all cells, before their corrections: software is first for each.
        gain = self._gain(False)
        raw_mv = -(-(software_mv + self._value(_VOLTAGE_MARGIN)) * 100000 // (100000 + gain))
        wanted = -((offset_mv - raw_mv) * 1000 // gain_uv)
        trip = _within(-((_OV_BASE - wanted) // _TRIP_STEP), 0, _TRIP_LAST)
        self.image.registers[_OV_TRIP] = trip
        trip_mv = _mv(_OV_BASE + _TRIP_STEP * trip, gain_uv, offset_mv)
        self.image.taken[_OVERVOLTAGE] = corrected(trip_mv, gain)
        self.image.taken[OVERVOLTAGE_RELEASE] = software_mv

    def _update_undervoltage(self, gain_uv, offset_mv):
        software_mv = self._value(_SOFTWARE_UV)
        gain = self._gain(True)
        raw_mv = (software_mv - self._value(_VOLTAGE_MARGIN)) * 100000 // (100000 + gain)
        wanted = (raw_mv - offset_mv) * 1000 // gain_uv
        trip = _within((wanted - _UV_BASE) // _TRIP_STEP, 0, _TRIP_LAST)
        self.image.registers[_UV_TRIP] = trip
        trip_mv = _mv(_UV_BASE + _TRIP_STEP * trip, gain_uv, offset_mv)
        self.image.taken[_UNDERVOLTAGE] = corrected(trip_mv, gain)
        self.image.taken[UNDERVOLTAGE_RELEASE] = software_mv

    def _gain(self, highest):
        """The lowest or highest correction of a cell, in 0.001 %."""
        corrections = self.image.corrections
        if corrections is None:
            return 0
        gain = corrections[CORRECTED_CELLS]
        for place in range(CORRECTED_CELLS + 1, len(corrections)):
            one = corrections[place]
            gain = max(gain, one) if highest else min(gain, one)
        return gain

    def _update_delay(self, place, delays_ms, software):
        """The shortest delay that is not shorter than the software's and its margin."""
        wanted_ms = self._value(software) + self._value(_DELAY_MARGIN)
        step = 0
        while step < len(delays_ms) - 1 and delays_ms[step] < wanted_ms:
            step += 1
        self.image.taken[place] = delays_ms[step]
        return step

    def _update_currents(self):
        taken = self.image.taken
        shunt = effective_shunt(self.image.shunt_microohm, self.image.corrections)
        software_uv = _shunt_uv(self._value(_SLOW_DISCHARGE), shunt)
        fast_uv = _shunt_uv(self._value(_WANTED_FAST), shunt)
        short_uv = _shunt_uv(self._value(_WANTED_SHORT), shunt)
        # One bit rules both ranges; the fine one only if both wishes lie in it.
        coarse = 1 if fast_uv > 1000 * _OCD_MV[0][-1] or short_uv > 1000 * _SCD_MV[0][-1] else 0
        fast = _threshold(_OCD_MV[coarse], fast_uv, software_uv)
        short = _threshold(_SCD_MV[coarse], short_uv, software_uv)
        fast_delay = _longest(_OCD_DELAYS_MS, self._value(_WANTED_FAST_DELAY))
        short_delay = _longest(_SCD_DELAYS_US, self._value(_WANTED_SHORT_DELAY))
        self.image.registers[_PROTECT_1] = coarse << 7 | short_delay << 3 | short
        self.image.registers[_PROTECT_2] = fast_delay << 4 | fast
        taken[FAST_DISCHARGE] = 1000000 * _OCD_MV[coarse][fast] // shunt
        taken[_FAST_DELAY] = _OCD_DELAYS_MS[fast_delay]
        taken[_SHORT] = 1000000 * _SCD_MV[coarse][short] // shunt
        taken[_SHORT_DELAY] = _SCD_DELAYS_US[short_delay]

    def _value(self, which):
        return self._values[self._indices[which]]


def _within(value, low, high):
    return min(max(value, low), high)


def _mv(counts, gain_uv, offset_mv):
    return (counts * gain_uv + 500) // 1000 + offset_mv


def _shunt_uv(current_ma, shunt_microohm):
    """Voltage across the shunt, rounded down; split so that nothing reaches 2**30."""
    return current_ma // 1000 * shunt_microohm + current_ma % 1000 * shunt_microohm // 1000


def _threshold(steps_mv, wanted_uv, software_uv):
    """The step not above what is wanted, but above the software's trip."""
    step = len(steps_mv) - 1
    while step > 0 and 1000 * steps_mv[step] > wanted_uv:
        step -= 1
    while step < len(steps_mv) - 1 and 1000 * steps_mv[step] <= software_uv:
        step += 1
    return step


def _longest(delays, wanted):
    step = len(delays) - 1
    while step > 0 and delays[step] > wanted:
        step -= 1
    return step
