"""Runs on any MicroPython, and on CPython: updates of the estimator under heap lock. Prints OK.

`walk` is a made-up pack that is driven hard and measured badly; what the estimator says on the way
is added up, so that builds can be compared with each other (test_soc_filter.py). Under the lock of
a 32-bit build every integer of 2**30 or more is an error, too.
"""

from bms.cell_model import CellModel
from bms.parameters import Parameters
from bms.soc import SocEstimator
from cells.lfp import CELL

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # CPython

    def heap_lock():
        pass

    heap_unlock = heap_lock

UPDATES = 600


class Walk:
    """State of the made-up pack, in attributes, because closures would allocate."""

    def __init__(self, capacity_mah):
        self.parameters = Parameters()
        self.parameters.load(
            {"chemistry": 0, "series_cells": 16, "design_capacity_mah": capacity_mah}
        )
        self.estimator = SocEstimator(self.parameters, CellModel(CELL))
        self.capacity_mah = capacity_mah
        self.random = 1
        self.net_mah = 0
        self.digest = 0

    def step(self, turn):
        """One update."""
        self.random = (self.random * 4005 + 12347) & 0x3FFFF
        random = self.random
        kind = turn // 50 % 6
        size_ma = min(1000000, self.capacity_mah * (20 if kind == 3 else 1))
        current_ma = (random % 2001 - 1000) * (size_ma // 1000)
        if kind == 1:
            current_ma = size_ma // 5
        elif kind == 2:
            current_ma = -size_ma // 3
        elapsed_ms = 60000 if kind == 4 else 1000
        self.net_mah += current_ma // 3600 * (elapsed_ms // 1000)
        cell_mv = 1500 + random % 3000 if kind == 5 else 3300 + current_ma // (size_ma // 50)
        self.estimator.update(
            elapsed_ms,
            self.net_mah,
            current_ma,
            cell_mv - 10,
            cell_mv + 10,
            10 * cell_mv + random % 10,
            250 + random % 20 - turn // 2,
        )
        estimator = self.estimator
        self.digest = (
            self.digest * 31 + estimator.soc_bp + 3 * estimator.estimate_bp + estimator.sigma_bp
        ) & 0xFFFFFF


def walk(capacity_mah, updates=UPDATES):
    """Digest of many updates of a pack of this size; locks the heap meanwhile."""
    pack = Walk(capacity_mah)
    for first in range(0, updates, 100):
        heap_lock()
        try:
            for turn in range(first, first + 100):
                pack.step(turn)
        finally:
            heap_unlock()
    return pack.digest


if __name__ == "__main__":
    for size in (500, 280000):
        print(size, walk(size))
    print("OK")
