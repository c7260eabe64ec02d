"""The current at which a cell reaches a voltage some time from now.

Model: a cell's voltage is its resting voltage, the drop of a fast resistance, and polarization
branches that follow the current with their time constants (bms.cell_model). The branches' state is
followed here, for all cells together, because one current flows through them all.
A resistance that is taken too large leaves the prediction's fixed point where it is (the current
that holds the cell exactly at the voltage) and is approached from one side; one that is too small
swings around it. So the model's resistance counts a quarter more than it says.
Slow path; integers, microohm per cell.
"""

from array import array
from math import exp

from bms.resistance import REFERENCE_DC
from bms.table import INVALID

_MARGIN_PERCENT = 125
HORIZONS_S = (10, 60)


class Prediction:
    """resistance_uohm: of a cell for lasting currents, at the latest temperature.

    learned: a bms.resistance.Resistance, whose worst cell then counts instead of the model's.
    """

    def __init__(self, model, parameters):
        self._model = model
        self._values = parameters.values
        self._capacity = parameters.index("design_capacity_mah")
        self._tau_s = model.rc_tau_s
        self._branch_ma = array("i", [0] * len(self._tau_s))  # what each has caught up with
        # Resistance of a step of the current after each horizon and for ever, and what a branch's
        # present state gives back until then: 1/1000 of the fast resistance
        self._back = [
            array("i", [
                int(model.rc_permille[branch] * (1 - exp(-seconds / self._tau_s[branch])))
                for branch in range(len(self._tau_s))
            ])
            for seconds in HORIZONS_S
        ]  # fmt: skip
        self._permille = array("i", [1000 + sum(row) for row in self._back])
        self._lasting = 1000 + sum(model.rc_permille)
        self._held_ma = array("i", [0] * len(HORIZONS_S))  # what holds a cell where it is
        self.learned = None
        self._temperature_dc = INVALID  # of these resistances
        self._fast_uohm = 1
        self.resistance_uohm = 1

    def step(self, elapsed_ms, current_ma, temperature_dc):
        """Follow a turn with a good measurement."""
        if temperature_dc != self._temperature_dc:
            self._temperature_dc = temperature_dc
            capacity_mah = self._values[self._capacity]
            fast_uohm = self._model.r0_uohm(temperature_dc, capacity_mah)
            learned = self.learned
            if learned is not None and learned.learned:
                usual_uohm = max(1, self._model.r0_uohm(REFERENCE_DC, capacity_mah))
                worst_uohm = max(learned.drop_uv) * 1000 // capacity_mah
                fast_uohm = fast_uohm * worst_uohm // usual_uohm
            self._fast_uohm = max(1, fast_uohm * _MARGIN_PERCENT // 100)
            self.resistance_uohm = self._fast_uohm * self._lasting // 1000
        branches = self._branch_ma
        for branch in range(len(branches)):
            missing_ma = current_ma - branches[branch]
            whole_ms = 1000 * self._tau_s[branch] + elapsed_ms
            branches[branch] += missing_ma * elapsed_ms // whole_ms
        for horizon in range(len(self._held_ma)):
            held = (
                1000 * current_ma
            )  # beyond 400 A a heap object on the boards, which does no harm
            back = self._back[horizon]
            for branch in range(len(branches)):
                held += back[branch] * branches[branch]
            self._held_ma[horizon] = held // self._permille[horizon]

    def current_ma(self, horizon, room_mv):
        """Current (charging positive) that moves a cell by `room_mv` within HORIZONS_S[horizon],
        the present current and its polarization included."""
        uohm = self._fast_uohm * self._permille[horizon] // 1000
        return self._held_ma[horizon] + 100000 * room_mv // uohm * 10
