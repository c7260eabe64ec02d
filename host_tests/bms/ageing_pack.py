"""A pack that ages, for tests of its health: written apart from the cell models and the firmware.

Every cell has its own capacity, charge, resistance and leak. The open-circuit voltage is a
LiFePO4 curve of its own, drawn by hand in other corners than those of boards.sim and of
cells.lfp; hysteresis, one polarization, a sensor with noise, whole millivolts and an offset. What
the firmware sees goes through the points table, what it must find stays here.
`Stand` puts bms.health on it, with a full and an empty anchor by the rules of the parameters.
"""

import random
from bisect import bisect_right

from bms.cell_model import CellModel
from bms.events import Events
from bms.health import LEAKY, WEAK, Health
from bms.points import Points
from bms.soc import EMPTY, FULL
from cells.lfp import CELL
from host_tests.bms.bench import parameters_with

SOC = (-0.2, 0.0, 0.005, 0.015, 0.03, 0.06, 0.09, 0.12, 0.16, 0.20, 0.25, 0.31, 0.38, 0.46, 0.56,
       0.63, 0.70, 0.80, 0.90, 0.955, 0.975, 0.987, 0.995, 1.0, 1.01, 1.1)  # fmt: skip
VOLTS = (
    1.5, 2.45, 2.70, 2.88, 3.02, 3.14, 3.19, 3.205, 3.215, 3.232, 3.250, 3.272, 3.285, 3.291,
    3.298, 3.310, 3.328, 3.332, 3.336, 3.341, 3.352, 3.372, 3.425, 3.53, 3.75, 4.3,
)  # fmt: skip
HYSTERESIS_V = 0.009
R0_OHM_AH = 0.055  # between the A123 and the EVE cell of estimation.md section 4
R1_OHM_AH = 0.045
TAU_S = 90.0
# estimation.md section 4: the A123 cell at these temperatures, against 25 degrees.
KNOWN_C = (-5, 5, 15, 25, 35, 45)
KNOWN_MOHM = (28.5, 17.2, 12.2, 9.68, 8.40, 7.53)
WEAK_CELL, LEAKY_CELL = 3, 8  # of `damaged`, counted from 0


def between(xs, ys, x):
    at = min(max(1, bisect_right(xs, x)), len(xs) - 1)
    return ys[at - 1] + (ys[at] - ys[at - 1]) * (x - xs[at - 1]) / (xs[at] - xs[at - 1])


class Pack:
    """`cells` like each other but for `spread` (1 sigma) of capacity and resistance."""

    def __init__(self, cells=8, capacity_ah=100.0, spread=0.0, seed=1, soc=0.5):
        draw = random.Random(seed)
        self.noise = random.Random(seed + 1)
        self.capacity_ah = [capacity_ah * draw.gauss(1, spread) for _ in range(cells)]
        self.r0 = [R0_OHM_AH / capacity_ah * draw.gauss(1, 4 * spread) for _ in range(cells)]
        self.r1 = R1_OHM_AH / capacity_ah
        self.leak_ma = [0.5 + draw.gauss(0, 10 * spread) for _ in range(cells)]
        self.soc = [soc] * cells
        self.bled_mah = [0.0] * cells
        self.hysteresis = 0.0
        self.rc_a = 0.0
        self.current_a = 0.0
        self.temperature_c = 25.0
        self.noise_v = 0.001

    def advance(self, seconds, current_a):
        self.current_a = current_a
        self.rc_a += (current_a - self.rc_a) * min(1, seconds / TAU_S)
        moved = abs(current_a) * seconds / 3600 / self.capacity_ah[0]
        towards = 1 if current_a > 0 else -1
        self.hysteresis += (towards - self.hysteresis) * min(1, moved / 0.03)
        for cell, capacity in enumerate(self.capacity_ah):
            net_a = current_a - self.leak_ma[cell] / 1000
            self.soc[cell] += net_a * seconds / 3600 / capacity

    def bleed(self, cell, mah):
        self.soc[cell] -= mah / 1000 / self.capacity_ah[cell]
        self.bled_mah[cell] += mah

    def volts(self, cell):
        warmth = between(KNOWN_C, KNOWN_MOHM, self.temperature_c) / 9.68
        return (
            between(SOC, VOLTS, self.soc[cell])
            + self.hysteresis * HYSTERESIS_V
            + (self.r0[cell] * self.current_a + self.r1 * self.rc_a) * warmth
        )

    def measured_mv(self):
        return [
            round(1000 * (self.volts(cell) + self.noise.gauss(0, self.noise_v)))
            for cell in range(len(self.soc))
        ]

    def usable_ah(self):
        """From the first empty cell to the first full one."""
        cells = range(len(self.soc))
        left = min(self.soc[cell] * self.capacity_ah[cell] for cell in cells)
        return left + min((1 - self.soc[cell]) * self.capacity_ah[cell] for cell in cells)


class Counter:
    """What a charge counter with an offset says, in whole mAh."""

    def __init__(self, offset_ma):
        self.offset_ma = offset_ma
        self.exact_mah = 0.0
        self.exact_discharged_mah = 0.0
        self.net_mah = self.discharged_ah = 0

    def count(self, current_a, seconds):
        moved = (1000 * current_a + self.offset_ma) * seconds / 3600
        self.exact_mah += moved
        self.exact_discharged_mah += max(0.0, -moved)
        self.net_mah = int(self.exact_mah // 1)
        self.discharged_ah = int(self.exact_discharged_mah / 1000)


class Anchors:
    """The part of the estimator that health asks: full and empty, by the parameters' rules."""

    def __init__(self, parameters):
        value = parameters.value
        self.full_mv, self.full_ma = value("full_cell_mv"), value("full_current_ma")
        self.empty_mv = value("empty_cell_mv")
        self.holds = (value("full_hold_s"), value("empty_hold_s"))
        self.anchors = self.anchor = 0
        self.soc_bp = 5000
        self.held = [0, 0]

    def update(self, seconds, cell_mv, current_ma, soc_bp):
        self.soc_bp = soc_bp
        full = max(cell_mv) >= self.full_mv and 0 <= current_ma < self.full_ma
        empty = min(cell_mv) <= self.empty_mv and current_ma < 0
        for end, looks in ((0, full), (1, empty)):
            before = self.held[end]
            self.held[end] = now = before + seconds if looks else 0
            if before < self.holds[end] <= now:
                self.anchors += 1
                self.anchor = (FULL, EMPTY)[end]


class Stand:
    """A pack, the firmware's view of it, and days that pass."""

    def __init__(self, pack, design_ah=100, offset_ma=0.0, **settings):
        self.pack = pack
        self.parameters = parameters_with(
            {
                "series_cells": len(pack.soc),
                "design_capacity_mah": int(design_ah * 1000),
                "full_current_ma": int(design_ah * 50),
                **settings,
            }
        )
        self.design_ah = design_ah
        self.points = Points()
        self.snapshot = self.points.new_snapshot()
        self.at = [
            self.points.offset(name)
            for name in (
                "current_ma", "temperature_min_dc", "temperature_max_dc", "cell_voltage_mv",
            )
        ]  # fmt: skip
        self.log = Events()
        self.start(offset_ma)

    def start(self, offset_ma=0.0):
        """The processor starts: nothing is known but what is restored."""
        self.counter = Counter(offset_ma)
        self.anchors = Anchors(self.parameters)
        self.health = Health(self.points, self.parameters, CellModel(CELL), self.log)

    def turn(self, seconds, current_a):
        pack = self.pack
        pack.advance(seconds, current_a)
        self.counter.count(current_a, seconds)
        cell_mv = pack.measured_mv()
        current_ma = round(1000 * current_a + self.counter.offset_ma)
        soc_bp = round(10000 * sum(pack.soc) / len(pack.soc))
        self.anchors.update(seconds, cell_mv, current_ma, soc_bp)
        temperature_dc = round(10 * pack.temperature_c)
        current_at, cold_at, warm_at, cells_at = self.at
        self.snapshot[current_at] = current_ma
        self.snapshot[cold_at] = self.snapshot[warm_at] = temperature_dc
        for cell, mv in enumerate(cell_mv):
            self.snapshot[cells_at + cell] = mv
        bled = [int(mah) for mah in pack.bled_mah]
        self.health.step(round(seconds * 1000), self.snapshot, self.anchors, self.counter, bled)
        return cell_mv

    def charge(self, rate=0.33, dt=10, full_mv=3500):
        """Constant current, then constant voltage of the highest cell, until it is full."""
        most_a = now_a = rate * self.design_ah
        ohm = self.pack.r0[0] + self.pack.r1
        for turn in self._until(FULL):
            highest_mv = max(self._steps(turn, dt, now_a))
            now_a = min(
                most_a, max(0.01 * most_a, now_a + 0.2 * (full_mv - highest_mv) / 1000 / ohm)
            )
        self.settle()

    def discharge(self, rate=0.33, dt=10):
        for turn in self._until(EMPTY):
            self._steps(turn, dt, -rate * self.design_ah)
        self.settle()

    def _until(self, kind):
        seen = self.anchors.anchors
        turn = 0
        while not (self.anchors.anchors > seen and self.anchors.anchor == kind):
            yield turn
            turn += 1

    def _steps(self, turn, dt, current_a):
        """Now and then a load switches, as in a house."""
        if turn % 15:
            return self.turn(dt, current_a)
        for share in (1.0, 0.6, 1.0, 1.0):
            cell_mv = self.turn(1, share * current_a)
        return cell_mv

    def settle(self, seconds=60):
        """Long enough to look at an anchor."""
        for _ in range(seconds):
            self.turn(1, 0.0)

    def rest(self, hours, dt=60):
        for _ in range(int(hours * 3600 / dt)):
            self.turn(dt, 0.0)


def names(stand):
    """Cells that are named: (weak, leaky), counted from 0."""
    return tuple(
        {cell for cell in range(16) if stand.health.kept[place] >> cell & 1}
        for place in (WEAK, LEAKY)
    )


def cycle(stand, times=1, dt=60):
    for _ in range(times):
        stand.charge(dt=dt)
        stand.discharge(dt=dt)


def fade(stand, times):
    """Cycles that take 1 % of the capacity in 20."""
    for _ in range(times):
        for cell in range(len(stand.pack.capacity_ah)):
            stand.pack.capacity_ah[cell] *= 1 - 0.01 / 20
        cycle(stand, dt=120)


def live(stand, days, empty_every=7, balanced=True, first=0):
    """Days of a house: full at noon, balanced there, half used at night, empty once a week."""
    pack = stand.pack
    for day in range(first, first + days):
        stand.charge(dt=60)
        if balanced:
            cells = zip(pack.soc, pack.capacity_ah, strict=True)
            lacks = [1000 * (1 - soc) * ah for soc, ah in cells]
            for cell, lack in enumerate(lacks):
                pack.bleed(cell, max(0.0, max(lacks) - lack - 50))
        if day % empty_every == 3:
            stand.discharge(dt=60)
        else:
            for _ in range(150):
                stand.turn(60, -0.2 * stand.design_ah)
        stand.rest(15)


def damaged(seed, weak=True, leaky=True):
    pack = Pack(cells=16, spread=0.01, seed=seed)
    if weak:
        pack.capacity_ah[WEAK_CELL] = 90.0
    if leaky:
        pack.leak_ma[LEAKY_CELL] = 5.5  # the others: about 0.5 mA
    return Stand(pack)
