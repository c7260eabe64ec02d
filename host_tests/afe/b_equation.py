"""The B-equation of a thermistor of 10 kohm at 25 degrees, as any data sheet has it."""

from math import exp, log


def ohm_at(celsius, b_kelvin):
    """Its resistance."""
    return 10_000 * exp(b_kelvin * (1 / (celsius + 273.15) - 1 / 298.15))


def celsius_of(ohm, b_kelvin):
    """At which temperature it has this resistance."""
    return 1 / (1 / 298.15 + log(ohm / 10_000) / b_kelvin) - 273.15
