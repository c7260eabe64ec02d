"""Cells in series that differ, a charger and a clock, for tests of balancing on any Python.

A plant of its own: closed formulas in floats, nothing of the firmware's cell models nor of the
simulated board. LiFePO4 (or a steep curve like NMC's) with ohmic and one polarization resistance,
capacities, resistances and self-discharges that differ; voltages arrive rounded to a millivolt
with noise. The charger holds the pack's voltage, or the highest cell's if that is reached first,
as a charger does that obeys the pack's limits.
"""

import itertools
import math
import random


def lfp_v(soc):
    """Two plateaus, the graphite step between them, and the knees."""
    return (
        3.312
        + 0.021 * math.tanh((soc - 0.67) / 0.04)
        + 0.012 * soc
        + 0.16 * math.exp(min((soc - 1.0) / 0.0065, 5.0))
        - 0.7 * math.exp(max(-soc, -0.2) / 0.02)
    )


def nmc_v(soc):
    """Steep everywhere, flatter in the middle."""
    return 3.45 + 0.72 * soc - 0.0625 * math.sin(2 * math.pi * soc) - 0.4 * math.exp(-soc / 0.03)


class UnequalPack:
    """`cells` cells around `capacity_ah`; what they lack to be full differs by +-`spread` of it.

    lacks_ah: charge missing to full in each cell. bled_ah: what balancing took.
    """

    def __init__(
        self, seed, cells=16, capacity_ah=10.0, soc=0.9, spread=0.03, capacity_spread=0.01,
        leak_ma=0.5, resistance_spread=0.08, curve=lfp_v, top_v=3.45, cell_top_v=3.50,
    ):  # fmt: skip
        draw = random.Random(seed)
        self.noise = random.Random(seed + 1)
        self.curve = curve
        self.top_v, self.cell_top_v = top_v, cell_top_v
        self.capacity_ah = [
            capacity_ah * (1 + draw.uniform(-capacity_spread, capacity_spread))
            for _ in range(cells)
        ]
        self.lacks_ah = [
            capacity_ah * (1 - soc + draw.uniform(-spread, spread)) for _ in range(cells)
        ]
        self.leak_a = [draw.uniform(0, 2e-3 * leak_ma) for _ in range(cells)]
        ohm = 0.05 / capacity_ah
        self.ohm = [
            ohm * (1 + draw.uniform(-resistance_spread, resistance_spread)) for _ in range(cells)
        ]
        self.rc_v = [0.0] * cells
        self.bled_ah = [0.0] * cells
        self.wasted_wh = 0.0
        self.current_a = 0.0
        self.dead_switches = 0
        self.switch_of = list(range(cells))  # which cell a command really bleeds

    def soc(self, cell):
        """0 to 1."""
        return 1 - self.lacks_ah[cell] / self.capacity_ah[cell]

    def rest_v(self):
        """Open-circuit voltages."""
        return [self.curve(self.soc(cell)) for cell in range(len(self.ohm))]

    def excess_ah(self):
        """What each cell has more than the least charged one, seen from full."""
        most = max(self.lacks_ah)
        return [most - lack for lack in self.lacks_ah]

    def charge_a(self, wanted_a):
        """What the charger gives: `wanted_a` until a voltage holds it back."""
        rest = [v + rc for v, rc in zip(self.rest_v(), self.rc_v, strict=True)]
        by_pack = (self.top_v * len(rest) - sum(rest)) / sum(self.ohm)
        by_cell = min((self.cell_top_v - v) / r for v, r in zip(rest, self.ohm, strict=True))
        return max(0.0, min(wanted_a, by_pack, by_cell))

    def step(self, seconds, current_a, bled_cells=0, bleed_ohm=65.0, duty=0.857):
        """Let time pass."""
        self.current_a = current_a
        share = 1 - math.exp(-seconds / 60)
        rest = self.rest_v()
        for cell in range(len(self.ohm)):
            alone_a = self.leak_a[cell]
            for switch, bled in enumerate(self.switch_of):
                if bled == cell and bled_cells >> switch & ~(self.dead_switches >> switch) & 1:
                    bleed_a = rest[cell] / bleed_ohm * duty
                    alone_a += bleed_a
                    self.bled_ah[cell] += bleed_a * seconds / 3600
                    self.wasted_wh += bleed_a * rest[cell] * seconds / 3600
            self.lacks_ah[cell] += (alone_a - current_a) * seconds / 3600
            self.rc_v[cell] += (current_a * 0.8 * self.ohm[cell] - self.rc_v[cell]) * share

    def cell_mv(self):
        """What the chip measures."""
        return [
            round(1000 * (v + rc + self.current_a * ohm) + self.noise.gauss(0, 0.4))
            for v, rc, ohm in zip(self.rest_v(), self.rc_v, self.ohm, strict=True)
        ]

    def fewest_hours(self, bleed_a, at_once=8):
        """What no order of bleeding can beat: neighbours one after the other, so many at once."""
        excess = self.excess_ah()
        pairs = [a + b for a, b in itertools.pairwise(excess)]
        return max(*pairs, *excess, sum(excess) / at_once) / bleed_a
