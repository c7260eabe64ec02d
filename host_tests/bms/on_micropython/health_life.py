"""Runs on any Python: a short life of a made-up pack, and what its health came to, as numbers.

Three cycles of four cells with integers only, so that every Python must print the same.
"""

from array import array

from bms.cell_model import CellModel
from bms.events import Events
from bms.health import Health
from bms.parameters import Parameters
from bms.points import Points
from bms.soc import EMPTY, FULL
from cells.lfp import CELL

DESIGN_MAH = 100000
CAPACITY_MAH = (88000, 80000, 87000, 89000)
UOHM = (400, 500, 450, 600)
FLOWS = ((FULL, 30000), (EMPTY, -30000))


class Counter:
    net_mah = 0
    discharged_ah = 0


class Estimator:
    anchors = 0
    anchor = 0
    soc_bp = 5000


class Life:
    def __init__(self):
        parameters = Parameters()
        parameters.load({"chemistry": 0, "series_cells": 4, "design_capacity_mah": DESIGN_MAH})
        points = Points()
        self.model = CellModel(CELL)
        self.health = Health(points, parameters, self.model, Events())
        self.snapshot = points.new_snapshot()
        self.current_at = points.offset("current_ma")
        self.cold_at = points.offset("temperature_min_dc")
        self.warm_at = points.offset("temperature_max_dc")
        self.cells_at = points.offset("cell_voltage_mv")
        self.charge_mah = array("i", [40000] * 4)
        self.rest = 0
        self.counter = Counter()
        self.estimator = Estimator()

    def turn(self, elapsed_s, current_ma):
        flow = self.rest + current_ma * elapsed_s
        moved_mah = flow // 3600
        self.rest = flow - 3600 * moved_mah
        self.counter.net_mah += moved_mah
        for cell in range(4):
            self.charge_mah[cell] += moved_mah
            soc_bp = self.charge_mah[cell] * 100 // (CAPACITY_MAH[cell] // 100)
            mv = self.model.ocv_dmv(soc_bp, 1000 if current_ma > 0 else -1000) // 10
            self.snapshot[self.cells_at + cell] = mv + current_ma // 100 * UOHM[cell] // 10000
        self.estimator.soc_bp = max(0, min(10000, self.charge_mah[1] * 100 // 800))
        self.snapshot[self.current_at] = current_ma
        self.snapshot[self.cold_at] = self.snapshot[self.warm_at] = 250
        self.health.step(1000 * elapsed_s, self.snapshot, self.estimator, self.counter)

    def until(self, kind, current_ma):
        """Cell 2 has the least capacity: it is the first at both ends, as the others are equal."""
        count = 0
        while self.charge_mah[1] < 79800 if kind == FULL else self.charge_mah[1] > 200:
            self.turn(60, current_ma)
            count += 1
            if count % 10 == 0:
                for part in (2, 1, 1):
                    self.turn(1, current_ma // part)
        self.estimator.anchors += 1
        self.estimator.anchor = kind
        for _ in range(40):
            self.turn(1, 0)


def main():
    life = Life()
    for _ in range(3):
        for kind, current_ma in FLOWS:
            life.until(kind, current_ma)
    for _ in range(13 * 60):
        life.turn(60, 0)
    health = life.health
    print(list(health.kept), list(health.shown), health.full_mah)
    print(list(health.resistance.drop_uv), list(health.weak_bp), list(health.leak_ua))
    before = list(health.kept)
    again = Life().health
    again.restore(before)
    print(again.full_mah, again.resistance.learned, list(again.weak_bp))


main()
