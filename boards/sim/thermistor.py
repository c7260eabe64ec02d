"""Thermistors of 10 kohm at 25 C: the resistance at a temperature, and what a chip takes it for.

The Semitec 103AT-2 is by Steinhart and Hart, from its data sheet's 67.77, 10 and 2.228 kohm at
-20, 25 and 70 C (the firmware has its table instead); others are by the B-equation.
"""

from math import exp, log

_A, _B, _C = 8.897696e-4, 2.5104203e-4, 1.9462573e-7
_OHM_25C, _25C_K = 10_000, 298.15
ZERO_C_K = 273.15


def resistance(kelvin, b_kelvin=None):
    """Ohm of a sensor with this B, or of a 103AT (None): its equation is solved by halving."""
    if b_kelvin:
        return _OHM_25C * exp(b_kelvin * (1 / kelvin - 1 / _25C_K))
    low, high = log(100.0), log(1e6)
    for _ in range(30):
        middle = (low + high) / 2
        if _kelvin_of_103at(middle) > kelvin:
            low = middle
        else:
            high = middle
    return exp(low)


def taken_for_103at(celsius, b_kelvin):
    """What a sensor with this B reads as, at `celsius`."""
    if not b_kelvin:
        return celsius
    return _kelvin_of_103at(log(resistance(celsius + ZERO_C_K, b_kelvin))) - ZERO_C_K


def _kelvin_of_103at(log_ohm):
    return 1 / (_A + _B * log_ohm + _C * log_ohm**3)
