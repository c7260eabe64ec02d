"""Runs the device's state-of-charge estimator over a prepared log, on CPython or on MicroPython.

As a module: `Replay`. As a program (`micropython soc_kernel.py`, with firmware/lib on the path):
a line of JSON (cell, capacity_mah, soc_bp, sigma_bp) and then rows `elapsed_ms,current_ma,
mean_dmv,temperature_dc` on standard input, `estimate_bp sigma_bp soc_bp` a row on standard output.
Both give the same numbers, because there is one code and it knows integers only.
Written for both: no annotations, nothing that MicroPython lacks.
"""

from bms.cell_model import CellModel
from bms.parameters import Parameters
from bms.soc import ChargeCounter, SocEstimator

_SECOND_MS = 900  # the slow path runs once a second; rows a little earlier count
_PAUSE_MS = 600000  # nobody measured for so long: as after a restart
MISSING = -1


class Replay:
    """One cell behind the device's counter and estimator."""

    def __init__(self, cell, capacity_mah, soc_bp, sigma_bp):
        parameters = Parameters()
        chemistries = parameters.choices(parameters.index("chemistry"))
        parameters.load(
            {
                "chemistry": chemistries.index(cell["chemistry"]),
                "series_cells": 4,  # of no consequence here: minimum, maximum and mean are one
                "design_capacity_mah": capacity_mah,
            }
        )
        self._counter = ChargeCounter()
        self.estimator = SocEstimator(parameters, CellModel(cell))
        self.estimator.start(soc_bp, sigma_bp)
        self._waited_ms = 0

    def step(self, elapsed_ms, current_ma, mean_dmv, temperature_dc):
        """Take a row; mean_dmv: MISSING where the row has a hole, whose charge still counts."""
        self._counter.count(current_ma, elapsed_ms)
        self._waited_ms += elapsed_ms
        if mean_dmv == MISSING or self._waited_ms < _SECOND_MS:
            return
        estimator = self.estimator
        if elapsed_ms > _PAUSE_MS:
            estimator.restore(
                estimator.soc_bp,
                estimator.estimate_bp,
                estimator.sigma_bp,
                estimator.branch,
                estimator.anchor,
                estimator.full_age_s,
            )
        cell_mv = (mean_dmv + 5) // 10
        estimator.update(
            self._waited_ms,
            self._counter.net_mah,
            current_ma,
            cell_mv,
            cell_mv,
            mean_dmv,
            temperature_dc,
        )
        self._waited_ms = 0


def main():
    """The program for MicroPython."""
    import json
    import sys

    start = json.loads(sys.stdin.readline())
    replay = Replay(start["cell"], start["capacity_mah"], start["soc_bp"], start["sigma_bp"])
    estimator = replay.estimator
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        replay.step(*[int(value) for value in line.split(",")])
        print(estimator.estimate_bp, estimator.sigma_bp, estimator.soc_bp)


if __name__ == "__main__":
    main()
