"""What the simulated BQ769x0 measures at its TS pins: thermistors, or the dies of its groups.

The pull-up of a thermistor (10 kohm to 3.3 V) and the dies' 1.200 V at 25 C, 4.2 mV less for each
degree, are the data sheet's.
Assumed: all groups' dies are as warm as each other. A reading is off by one count now and then.
"""

from boards.sim.lcg import Lcg
from boards.sim.thermistor import ZERO_C_K, resistance

_PULL_UP_OHM, _PULL_UP_V = 10_000, 3.3
_DIE_25C_V, _DIE_V_PER_K = 1.200, 0.0042
_STEP_V = 382e-6
_LAST = 0x3FFF
_BOARD = 3  # the switches' place among the thermistor faults, as on the BQ76952
_NOISE_SEED = 76940


class Sensors:
    """`pins` TS pins; the one at `board_pin` (None: none) is at the switches."""

    def __init__(self, pins, board_pin):
        self._pins = pins
        self._board_pin = board_pin
        self._noise = Lcg(_NOISE_SEED)
        self._last = [None] * pins  # what each thermistor read

    def measure(self, chip, dies):
        """(pin, counts) of all that is measured now; a frozen thermistor says what it said."""
        pack = chip.pack
        readings = []
        jitter = int(self._noise.uniform(0, 2 * self._pins))
        for pin in range(self._pins):
            place = _BOARD if pin == self._board_pin else pin
            fault = chip.thermistor_faults[place]
            if dies:
                celsius = pack.board_temperature_c + getattr(pack, "die_extra_c", 0.0)
                counts = _counts(_DIE_25C_V - _DIE_V_PER_K * (celsius - 25))
            elif place in chip.frozen_sensors and self._last[pin] is not None:
                counts = self._last[pin]
            elif fault is not None:
                counts = _counts(_PULL_UP_V if fault == "open" else 0.0)
            else:
                counts = _counts(_thermistor_v(chip, place)) + (pin == jitter)
            if not dies:
                self._last[pin] = counts
            readings.append((pin, counts))
        return readings


def _thermistor_v(chip, place):
    pack = chip.pack
    if place == _BOARD:
        ohm = resistance(ZERO_C_K + pack.board_temperature_c)
    else:
        ohm = resistance(ZERO_C_K + pack.cell_temperature_c[place], chip.sensor_b_kelvin)
    return _PULL_UP_V * ohm / (ohm + _PULL_UP_OHM)


def _counts(volts):
    return max(0, min(_LAST, int(volts / _STEP_V + 0.5)))
