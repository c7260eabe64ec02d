"""Imbalance and balancing on the cells of unequal_pack.py, with a bleeder that only notes.

bench = BalancingBench(UnequalPack(1), balance_ohm=20)
hours = bench.until_balanced(limit_h=12)
"""

import importlib

from bms.balancing import Balancing
from bms.cell_model import CellModel
from bms.imbalance import Imbalance
from bms.point_words import BALANCING_STATES
from host_tests.bms.bench import CHEMISTRIES, parameters_with

RULES = (False, 8, 850)  # those of the BQ76952's driver
DUTY = 0.857  # what the switches really do


class NotingBleeder:
    """What the slow path sees of bms.bleeder.Bleeder; every mask that it wants must be allowed."""

    active_high = 0  # `active` holds all of them here

    def __init__(self, most=8):
        self.active = 0
        self.refused = False
        self.permitted = True
        self._most = most

    def want(self, cells):
        assert not cells & cells << 1, f"neighbours: {cells:b}"
        assert cells.bit_count() <= self._most
        self.active = cells


class BalancingBench:
    """One turn of the slow path each `turn_s`."""

    def __init__(self, pack, chemistry="lfp", turn_s=2, **settings):
        self.pack = pack
        self.turn_s = turn_s
        cells = len(pack.ohm)
        self.capacity_mah = round(1000 * sum(pack.capacity_ah) / cells)
        self.parameters = parameters_with(
            {
                "chemistry": CHEMISTRIES.index(chemistry),
                "series_cells": cells,
                "design_capacity_mah": self.capacity_mah,
                "balance_power_max_mw": 20000,
                **settings,
            }
        )
        model = CellModel(importlib.import_module("cells." + chemistry).CELL)
        self.imbalance = Imbalance(cells, model)
        self.bleeder = NotingBleeder()
        self.balancing = Balancing(self.parameters, self.imbalance, self.bleeder, RULES)
        self.ohm = self.parameters.value("balance_ohm")
        self.temperature_dc = 250
        self.board_dc = 300
        self.soc_bp = None  # None: the true one
        self.hours = 0.0
        self.mv = pack.cell_mv()

    @property
    def state(self):
        """The word of the point `balancing_state`."""
        return BALANCING_STATES[self.balancing.state]

    def turn(self, current_a):
        """Let the current flow for a turn, then look."""
        pack = self.pack
        pack.step(self.turn_s, current_a, self.bleeder.active, self.ohm, DUTY)
        self.hours += self.turn_s / 3600
        self.mv = mv = pack.cell_mv()
        lowest, highest = mv.index(min(mv)), mv.index(max(mv))
        soc = sum(pack.soc(cell) for cell in range(len(mv))) / len(mv)
        current_ma = round(1000 * current_a)
        self.imbalance.step(
            1000 * self.turn_s, mv, 0, highest, lowest, current_ma, self.temperature_dc,
            self.capacity_mah,
        )  # fmt: skip
        self.balancing.step(
            1000 * self.turn_s, mv, 0, mv[lowest], mv[highest], current_ma, self.board_dc,
            self.temperature_dc, self.temperature_dc,
            round(10000 * soc) if self.soc_bp is None else self.soc_bp,
        )  # fmt: skip

    def charge(self, hours, wanted_a=2.0):
        """On a charger that holds its voltage when it is reached."""
        for _ in range(round(hours * 3600 / self.turn_s)):
            self.turn(self.pack.charge_a(wanted_a))

    def rest(self, hours, current_a=0.0):
        """The same current all the time."""
        for _ in range(round(hours * 3600 / self.turn_s)):
            self.turn(current_a)

    def apart(self):
        """(mV, share of the capacity) between the outermost cells."""
        socs = [self.pack.soc(cell) for cell in range(len(self.mv))]
        return max(self.mv) - min(self.mv), max(socs) - min(socs)

    def until_balanced(self, limit_h):
        """Hours on the charger until the cells are within 10 mV and 0.5 % at full, and stay so
        for ten minutes."""
        since = None
        while self.hours < limit_h:
            self.turn(self.pack.charge_a(2.0))
            apart_mv, apart = self.apart()
            good = apart_mv <= 10 and apart <= 0.005 and max(self.mv) > 3400
            since = (since or self.hours) if good else None
            if since and self.hours - since > 1 / 6:
                return since
        raise AssertionError(f"not balanced within {limit_h} h: {self.apart()}, {self.state}")

    def excess_mah(self):
        """What the firmware believes that each cell has more than the mean cell."""
        level = self.imbalance.level_uah()
        return [(uah - level) / 1000 for uah in self.imbalance.charge_uah]
