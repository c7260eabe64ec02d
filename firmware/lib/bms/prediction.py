"""The current at which a cell reaches a voltage some time from now.

Model: a cell's voltage is its resting voltage, the drop of a fast resistance, and polarization
branches that follow the current with their time constants (bms.cell_model). The branches' state is
followed here, for all cells together, because one current flows through them all.
A resistance that is taken too large leaves the prediction's fixed point where it is (the current
that holds the cell exactly at the voltage) and is approached from one side; one that is too small
swings around it. So the model's resistance counts a quarter more than it says.
Slow path; integers: microvolts, and microohm per cell.
"""

from math import exp

_MARGIN_PERCENT = 125
HORIZONS_S = (10, 60)


class Prediction:
    """resistance_uohm: of a cell for lasting currents, at the latest temperature."""

    def __init__(self, model, parameters):
        self._model = model
        self._values = parameters.values
        self._capacity = parameters.index("design_capacity_mah")
        self._permille = model.rc_permille
        self._tau_s = model.rc_tau_s
        self._branch_uv = [0] * len(model.rc_tau_s)
        # Share of the way that a branch goes within each horizon, 1/1000
        self._share = [
            [int(1000 * (1 - exp(-seconds / tau_s))) for tau_s in model.rc_tau_s]
            for seconds in HORIZONS_S
        ]
        self._fast_uohm = 0
        self._current_ma = 0
        self.resistance_uohm = 0

    def step(self, elapsed_ms, current_ma, temperature_dc):
        """Follow a turn with a good measurement."""
        fast_uohm = self._model.r0_uohm(temperature_dc, self._values[self._capacity])
        fast_uohm = max(1, fast_uohm * _MARGIN_PERCENT // 100)
        whole_uohm = fast_uohm
        for branch in range(len(self._branch_uv)):
            uohm = fast_uohm * self._permille[branch] // 1000
            whole_uohm += uohm
            missing_uv = current_ma * uohm // 1000 - self._branch_uv[branch]
            self._branch_uv[branch] += (
                missing_uv * elapsed_ms // (1000 * self._tau_s[branch] + elapsed_ms)
            )
        self._fast_uohm = fast_uohm
        self._current_ma = current_ma
        self.resistance_uohm = whole_uohm

    def current_ma(self, horizon, room_mv):
        """Current (charging positive) that moves a cell by `room_mv` within HORIZONS_S[horizon],
        the present current and its polarization included."""
        room_uv = 1000 * room_mv + self._current_ma * self._fast_uohm // 1000
        uohm = self._fast_uohm
        for branch in range(len(self._branch_uv)):
            share = self._share[horizon][branch]
            room_uv += self._branch_uv[branch] * share // 1000
            uohm += self._fast_uohm * self._permille[branch] // 1000 * share // 1000
        return room_uv * 100 // uohm * 10
