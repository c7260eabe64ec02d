"""Which way of learning the capacity is best, on made-up pairs of anchors: prints a table.

    PYTHONPATH=firmware/lib python -m host_tests.bench.capacity_filters

Compared are the last pair, plain least squares over the last 16 pairs, approximate weighted total
least squares with fading (G. L. Plett, J. Power Sources 196 (2011) 2319, equations of its section
on AWTLS, in floating point), and bms.capacity. 100 packs of 100 Ah each; errors in % of the true
capacity after the first 10 pairs.
"""

import random
from array import array

from bms.capacity import take
from bms.health import CAPACITY, REST, START_MPC, START_VARIANCE
from bms.soc import EMPTY, FULL

PACKS = 100
PAIRS = 400
WINDOW = 16
FADING = 1 - 1 / WINDOW
DESIGN_MAH = 100_000
# Name, loss per pair, ends, noise of an anchor (1 sigma), noise of the charge (of the capacity)
CASES = (
    ("full and empty, 0.7 %, steady", 0.0, ((FULL, 1.0), (EMPTY, 0.0)), 0.007, 0.001),
    (
        "full and empty, 0.7 %, 1 % in 20 cycles",
        0.00025,
        ((FULL, 1.0), (EMPTY, 0.0)),
        0.007,
        0.001,
    ),
    ("full and rest at 40 %, 3 %", 0.0, ((FULL, 1.0), (REST, 0.4)), 0.03, 0.001),
    ("rest at 90 and at 45 %, 3 %", 0.0, ((REST, 0.9), (REST, 0.45)), 0.03, 0.001),
)


class Last:
    def __init__(self):
        self.mah = DESIGN_MAH

    def add(self, charge, span, *_):
        self.mah = charge / span


class Window:
    """Plain least squares through the origin."""

    def __init__(self):
        self.pairs = []

    def add(self, charge, span, *_):
        self.pairs = [*self.pairs[1 - WINDOW :], (charge, span)]
        self.mah = sum(y * x for y, x in self.pairs) / sum(x * x for _, x in self.pairs)


class TotalLeastSquares:
    """Plett's AWTLS: noise of both, scaled to each other, and six fading sums. The minimum of the
    cost is searched for, instead of solving the quartic for its slope."""

    def __init__(self):
        self.sums = [0.0] * 6

    def add(self, charge, span, sigma_charge, sigma_span):
        k = sigma_span / sigma_charge
        y, x = k * charge, span
        vx, vy = sigma_span**2, (k * sigma_charge) ** 2
        new = (x * x / vy, x * y / vy, y * y / vy, x * x / vx, x * y / vx, y * y / vx)
        self.sums = [FADING * old + add for old, add in zip(self.sums, new, strict=True)]
        c1, c2, c3, c4, c5, c6 = self.sums

        def cost(q):
            top = c4 * q**4 - 2 * c5 * q**3 + (c1 + c6) * q**2 - 2 * c2 * q + c3
            return top / (q * q + 1) ** 2

        low, high = 0.5 * k * DESIGN_MAH, 1.5 * k * DESIGN_MAH
        while high - low > 1e-5 * high:
            first, second = (2 * low + high) / 3, (low + 2 * high) / 3
            if cost(first) < cost(second):
                high = second
            else:
                low = first
        self.mah = low / k


class Ours:
    def __init__(self):
        self.kept = array("i", [START_MPC, START_VARIANCE, 0])

    def pair(self, before, now, charge):
        take(self.kept, DESIGN_MAH, before, now, (round(-charge), 3, 250, 250), 10)
        self.mah = self.kept[CAPACITY] * DESIGN_MAH / START_MPC


def errors(case, seed):
    """Errors of the ways after each pair but the first ten, in %."""
    _, loss, ends, noise, charge_noise = case
    draw = random.Random(seed)
    ways = (Last(), Window(), TotalLeastSquares())
    ours = Ours()
    found = []
    for number in range(PAIRS):
        truth = DESIGN_MAH * 0.9 * (1 - loss * number)
        anchors = []
        for kind, soc in ends:
            sigma = 0.007 if kind != REST else noise
            seen = round(10_000 * (soc + draw.gauss(0, sigma)))
            anchors.append((kind, seen, round(10_000 * sigma)))
        span = (anchors[0][1] - anchors[1][1]) / 10_000
        charge = (ends[0][1] - ends[1][1]) * truth + draw.gauss(0, charge_noise) * truth
        sigma_span = (anchors[0][2] ** 2 + anchors[1][2] ** 2) ** 0.5 / 10_000
        for way in ways:
            way.add(charge, span, charge_noise * DESIGN_MAH, sigma_span)
        ours.pair(*anchors, charge)
        found.append([100 * (way.mah / truth - 1) for way in (*ways, ours)])
    return found[10:]


def main():
    names = ("last pair", "window of 16", "AWTLS", "bms.capacity")
    print("| pairs | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for case in CASES:
        found = [pair for seed in range(PACKS) for pair in errors(case, seed)]
        cells = []
        for way in range(len(names)):
            all_of_it = [pair[way] for pair in found]
            bias = sum(all_of_it) / len(all_of_it)
            rmse = (sum(error * error for error in all_of_it) / len(all_of_it)) ** 0.5
            cells.append(f"{rmse:.2f} / {bias:+.2f} / {max(map(abs, all_of_it)):.1f}")
        print(f"| {case[0]} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
