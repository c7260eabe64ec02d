"""A pack on a bench and a person who plugs balance leads in: what would a chip measure?

Written from Ohm's law alone, without the code under test: taps have potentials, leads take the
potential of the tap they are on, a cell's reading is the difference of two leads.
"""

from functools import cache
from itertools import accumulate, pairwise

from bms.parameters import Parameters
from bms.wiring import Limits

CHEMISTRIES = ("lfp", "nmc", "lto", "sodium")
# A voltage that a resting, half-charged cell of each kind has.
RESTING_MV = {"lfp": 3_300, "nmc": 3_700, "lto": 2_300, "sodium": 3_100}


def parameters(chemistry="lfp", cells=16, **settings):
    """Settings of a pack as its owner typed them."""
    table = Parameters()
    table.load(
        {
            "chemistry": CHEMISTRIES.index(chemistry),
            "series_cells": cells,
            "design_capacity_mah": 280_000,
            **settings,
        }
    )
    return table


@cache
def limits(chemistry):
    """What the default settings of a chemistry say about its cells."""
    return Limits(parameters(chemistry))


def ideal(mv):
    """A chip without limits."""
    return mv


def clamped(mv):
    """A chip whose inputs end at the recommended range of a BQ76952."""
    return max(-200, min(5_500, mv))


def overloaded(mv):
    """A BQ76952 that reports -6.06 V above its full scale (SLUUCW9), diodes on the other side."""
    return -6_060 if mv > 6_060 else max(-300, mv)


class Bench:
    """A pack of these cells (mV, from pack minus up) and one balance lead a tap, all right.

    `leads[k]` is the tap that lead k is on, counting from 0 at pack minus. An open lead has a
    potential of its own, in `floating` (mV above pack minus).
    """

    def __init__(self, cell_mv):
        self._taps = list(accumulate(cell_mv, initial=0))
        self.leads = list(range(len(self._taps)))
        self.floating = {}

    def swap(self, one, other):
        self.leads[one], self.leads[other] = self.leads[other], self.leads[one]

    def _potential(self, lead):
        return self.floating.get(lead, self._taps[self.leads[lead]])

    def measure(self, chip=ideal):
        """Readings of all cells, and of the stack from the thick wires."""
        volts = [self._potential(lead) for lead in range(len(self.leads))]
        cells = [chip(upper - lower) for lower, upper in pairwise(volts)]
        return cells, self._taps[-1]
