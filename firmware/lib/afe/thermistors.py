"""Cell sensors that are no Semitec 103AT: what they really say when a chip reads them as one.

A BQ76952 turns a sensor's resistance into a temperature by a polynomial for a 103AT, our driver
of a BQ769x0 by a table for one. TI tells where the polynomial's coefficients are and their
defaults, but not the formula, so they are left alone. A reading says which resistance was there
all the same: that of a 103AT at this temperature. And at that resistance another sensor has a
temperature of its own.
Sources: Semitec's table of the 103AT (B 25/85: 3435 K); the B-equation,
R = R25 exp(B (1/T - 1/T25)).
Limits: B is taken as constant, which it is not quite: within 1 C from 0 to 60 C for usual sensors,
more beyond. `true_dc` and `read_dc` allocate nothing and stay below 2**30; a Curve is made at the
start, and while a chip is programmed.
"""

from array import array
from math import log

from bms.sample import OK

B_KELVIN = (0, 3380, 3435, 3950, 3977)
"""By the parameter `cell_sensor`: B of the sensor, 10 kohm at 25 C; 0: a 103AT."""

# Of a 103AT from -50 C on by 10 C; the last two continue the law of the two before them.
_OHM = (
    329500, 188500, 111300, 67770, 42470, 27280, 17960, 12090, 8313, 5827, 4160, 3020, 2228, 1668,
    1266, 973, 758, 597, 477,
)  # fmt: skip
_COLDEST_DC = -500
_STEP_DC = 100
_OHM_25C = 10000
_25C_K = 298.15
_ZERO_C_K = 273.15


class Curve:
    """`sensor` is the value of the parameter `cell_sensor`."""

    def __init__(self, sensor):
        b_kelvin = B_KELVIN[sensor]
        self._values = array("h", [_COLDEST_DC + _STEP_DC * row for row in range(len(_OHM))])
        if b_kelvin:
            for row in range(len(_OHM)):
                kelvin = 1 / (1 / _25C_K + log(_OHM[row] / _OHM_25C) / b_kelvin)
                self._values[row] = round(10 * (kelvin - _ZERO_C_K))

    def true_dc(self, read_dc):
        """Of the sensor, when a chip reads `read_dc`; what no sensor says (an open or shorted one)
        stays as it is."""
        row = (read_dc - _COLDEST_DC) // _STEP_DC
        if not 0 <= row < len(self._values) - 1:
            return read_dc
        below_dc = self._values[row]
        return below_dc + (self._values[row + 1] - below_dc) * (read_dc % _STEP_DC) // _STEP_DC

    def read_dc(self, true_dc):
        """What a chip reads when the sensor has `true_dc`; the nearest of -50 to 130 C."""
        row = 1
        while row < len(self._values) - 1 and self._values[row] < true_dc:
            row += 1
        below_dc = self._values[row - 1]
        step_dc = self._values[row] - below_dc
        share = min(max(true_dc - below_dc, 0), step_dc)
        return _COLDEST_DC + _STEP_DC * (row - 1) + _STEP_DC * share // step_dc


def true_sensors(chip, parameters):
    """A function to stand before a driver's `sample_into`: it puts the cells' true temperatures in
    the sample. Only there: the chip's self-test goes by what it reads.
    """
    chip_sample_into = chip.sample_into
    true_dc = Curve(parameters.value("cell_sensor")).true_dc
    # The driver's own: between two scans some leave there what they filled in before.
    read_dc = array("i", [0] * parameters.value("cell_thermistors"))

    def sample_into(sample):
        temperature_dc = sample.temperature_dc
        sample.temperature_dc = read_dc
        try:
            code = chip_sample_into(sample)
        finally:
            sample.temperature_dc = temperature_dc
        if code == OK:
            for sensor in range(len(read_dc)):
                temperature_dc[sensor] = true_dc(read_dc[sensor])
        return code

    return sample_into
