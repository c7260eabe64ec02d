"""What the measured voltage says about the open circuit: everything that is common to all guesses
of the state of charge.

Takes the drop over the resistance and the slower polarization off a cell's voltage, follows the
hysteresis, and collects it all in blocks, each about a fiftieth of an independent observation
(bms.soc_filter weighs them).

The cell's model is a start only. What a pack adds (busbars, wires, age, cold) is learned: `r0`
from steps of current, a common factor of the polarization from what happens within two minutes.
The hysteresis is elastic: on its branch after a change of some percent in one direction, and a
short pulse the other way is forgotten when it is undone; measured drive cycles fit three times
better with it than with an exponential one. At the start the branch is unknown, so both ends are
followed until they meet.

Slow path; integers below 2**30; allocates nothing. Units inside: current in 1/1024 C (of the
design capacity), charge in 0.001 % ("mpc"), voltage in 0.1 mV, resistance in 0.1 mV for 1 C.
"""

from array import array

_C = 1024
_C_MAX = 16 * _C  # larger currents are counted, but say nothing about the open circuit
_R_MAX = 4000  # 0.1 mV per C: 400 milliohm for one Ah
_FULL_MPC = 100000
_SCALE = 1024  # of factors
_RC_SHIFT = 8  # polarization states keep 8 more bits than the current
_ALPHA = 8192
_SETTLED_MS = 180000
_BEFORE = _C // 2  # a current that may have flowed before the first measurement

# 63 % of a change of branch are done after hysteresis_bp of charge; all of it after 1/0.63 of it.
_BRANCH_PERCENT = 63
_WARMER_DC = 10  # smaller changes of temperature are not worth new tables

_STEP_TAU_MS = 4000  # resistance shows in changes faster than this
_STEP_MIN = 80  # 1/1024 C: smaller steps teach nothing
_STEP_MS_MAX = 2500  # slower samples show no steps
_R0_MEMORY = 20 << 14  # (1/128 C)**2: some hundred steps of a drive cycle
_R0_TRUST = 3 << 13  # of the model at the start
# How wrong the drops may be, of _SCALE: 5 % and, unlearned, 80 % of that over the resistance (a
# generic model meets 17 to 180 milliohm for one Ah); 15 to 95 % of that over the polarization.
_R0_ERROR = _SCALE // 20
_R0_UNLEARNED = _SCALE * 4 // 5
_FACTOR_SURE = _SCALE // 20
_STEEP_DMV = 150  # over 1 %: near an end changes are no resistance
_SLOW_TAU_MS = 120000
_SLOW_MIN_DMV = 20  # smaller changes of the polarization teach nothing
_LEARNED_TAU_S = 300  # slower branches look like the curve itself, and stay the model's
_FACTOR_MEMORY = 6000000  # (0.1 mV)**2 s: ten minutes at 10 mV
_FACTOR_TRUST = 1200000
_FACTOR_MIN = 400
_FACTOR_MAX = 5000

# A block is closed when it weighs this much. The short part of the error becomes independent after
# 2400 s, or after 3 % of charge (measured: residuals of drive cycles and of a home battery; what
# lasts longer is followed by bms.soc_filter).
WEIGHT_ONE = 1 << 20
_WEIGHT_PER_DS = WEIGHT_ONE // 24000
_WEIGHT_PER_MPC = WEIGHT_ONE // 3000
_BLOCK_WEIGHT = WEIGHT_ONE // 25
_BLOCK_DS_MIN = 100
_BLOCK_DS_MAX = 1200


class CellVoltage:
    """`step` with every measurement; after it returned True a block is in

    open_dmv: mean of the voltage without drops; branch: of the hysteresis (bms.cell_model), and
    branch_spread: how far it may be off (BRANCH_MAX: nothing is known); drop_dmv: mean size of
    what was taken off; weight: in observations, of WEIGHT_ONE; moved_mpc: charge since the block
    before, up to the middle of this one; ds: its duration; temperature_dc.

    slope_dmv: how much the open-circuit voltage changes over 1 %, if somebody knows it.
    """

    def __init__(self, model, capacity_mah):
        self._model = model
        self._capacity_mah = capacity_mah
        count = len(model.rc_tau_s)
        self._rc = array("i", [0] * count)
        self._rc_r = array("i", [0] * count)
        # How much of each branch is still what was there before the first measurement.
        self._before_rc = array("i", [_BEFORE << _RC_SHIFT] * count)
        self._half_mpc = max(10, model.hysteresis_bp * 10 * 100 // _BRANCH_PERCENT // 2)
        self._upper_mpc = self._half_mpc
        self._lower_mpc = -self._half_mpc
        self._temperature_dc = -10000
        self._model_r0 = 0
        self._r0_offset = 0  # what was learned, beside the model's, times 16
        self._r0_weight = _R0_TRUST
        self._factor = _SCALE
        self._factor_weight = _FACTOR_TRUST
        self._first = True  # the first block may be short: something is better than nothing
        self._known = False  # a measurement came before
        self._last_current = 0
        self._last_dmv = 0
        self._last_slow = 0
        self._last_before = 0
        self._age_ms = 0
        self._slow_before = 0  # times 16, of what was there before the first measurement
        self._fast_v = 0
        self._fast_i = 0
        self._slow_v = 0
        self._slow_i = 0
        self.slope_dmv = 0
        self.open_dmv = 0
        self.branch = 0
        self.branch_spread = 0
        self.drop_dmv = 0
        self.start_dmv = 0
        self.weight = 0
        self.moved_mpc = 0
        self.ds = 0
        self.temperature_dc = 0
        self._before_mpc = 0
        self._begin()

    def _begin(self):
        self._sum_open = 0
        self._sum_branch = 0
        self._sum_spread = 0
        self._sum_drop = 0
        self._sum_start = 0
        self._sum_ds = 0
        self._block_mpc = 0
        self._sum_moved = 0

    @property
    def r0_uohm(self):
        """The resistance within about a second, as learned."""
        return (self._model_r0 + self._r0_offset // 16) * 100 * 1000 // self._capacity_mah

    def restore_branch(self, branch):
        """The branch that somebody remembers, of -BRANCH_MAX to BRANCH_MAX."""
        self._upper_mpc = self._lower_mpc = branch * self._half_mpc // 1000

    def latest_branch(self):
        """The branch now."""
        return (self._upper_mpc + self._lower_mpc) * 500 // self._half_mpc

    def step(self, elapsed_ms, moved_mpc, current_ma, mean_dmv, temperature_dc):
        """Take one measurement; `moved_mpc` is the charge counted since the last. Returns whether
        a block is complete."""
        current = max(-_C_MAX, min(_C_MAX, current_ma * _C // self._capacity_mah))
        if abs(temperature_dc - self._temperature_dc) >= _WARMER_DC:
            self._set_temperature(temperature_dc)
        half = self._half_mpc
        self._upper_mpc = min(half, max(-half, self._upper_mpc + moved_mpc))
        self._lower_mpc = min(half, max(-half, self._lower_mpc + moved_mpc))
        self._polarize(elapsed_ms, current)
        slow = self._drop(self._rc, 0, _LEARNED_TAU_S)
        drop = slow * self._factor // _SCALE + self._drop(self._rc, _LEARNED_TAU_S, 1 << 29)
        before = self._drop(self._before_rc, 0, _LEARNED_TAU_S)
        start = before + self._drop(self._before_rc, _LEARNED_TAU_S, 1 << 29)
        if self._known:
            self._learn(elapsed_ms, moved_mpc, current, mean_dmv, slow, self._last_before - before)
        self._known = True
        self._last_current = current
        self._last_dmv = mean_dmv
        self._last_slow = slow
        self._last_before = before
        ohmic = (self._model_r0 + self._r0_offset // 16) * current // _C
        ds = max(1, min(_BLOCK_DS_MAX, elapsed_ms // 100))
        self._sum_open += (mean_dmv - ohmic - drop) * ds
        self._sum_branch += (self._upper_mpc + self._lower_mpc) // 2 * ds
        self._sum_spread += (self._upper_mpc - self._lower_mpc) // 2 * ds
        r0_unsure = _R0_ERROR + _R0_UNLEARNED * (_R0_TRUST >> 4) // (self._r0_weight >> 4)
        slow_unsure = _SCALE * (_FACTOR_TRUST >> 8) // (self._factor_weight >> 8) - _FACTOR_SURE
        self._sum_drop += (abs(ohmic) * r0_unsure + abs(drop) * slow_unsure) // _SCALE * ds
        self._sum_start += start * ds
        self._block_mpc += moved_mpc
        self._sum_moved += self._block_mpc * ds
        self._sum_ds += ds
        return self._close()

    def _close(self):
        ds = self._sum_ds
        weight = ds * _WEIGHT_PER_DS + min(3000, abs(self._block_mpc)) * _WEIGHT_PER_MPC
        light = weight < _BLOCK_WEIGHT and ds < _BLOCK_DS_MAX and not self._first
        if ds < _BLOCK_DS_MIN or light:
            return False
        self._first = False
        half = self._half_mpc
        self.weight = min(WEIGHT_ONE, weight)
        self.open_dmv = self._sum_open // ds
        self.branch = self._sum_branch // ds * 1000 // half
        self.branch_spread = self._sum_spread // ds * 1000 // half
        self.drop_dmv = self._sum_drop // ds
        self.start_dmv = self._sum_start // ds
        middle = self._sum_moved // ds
        self.moved_mpc = self._before_mpc + middle
        self._before_mpc = self._block_mpc - middle
        self.ds = ds
        self.temperature_dc = self._temperature_dc
        self._begin()
        return True

    def skip(self):
        """Forget the charge since the latest block: somebody knows better where the cell is."""
        self._before_mpc = 0
        self._begin()

    def since_block_mpc(self):
        """Charge since the middle of the latest block."""
        return self._before_mpc + self._block_mpc

    def _set_temperature(self, temperature_dc):
        self._temperature_dc = temperature_dc
        model = self._model
        # From the model's own cell: uohm * mAh / 1000 is 0.1 mV per 1 C times 100.
        r0 = (
            model.r0_uohm(temperature_dc, model.capacity_mah) * (model.capacity_mah // 10) // 10000
        )
        self._model_r0 = min(_R_MAX, r0)
        for branch in range(len(self._rc_r)):
            self._rc_r[branch] = min(_R_MAX, r0 * model.rc_permille[branch] // 1000)

    def _polarize(self, elapsed_ms, current):
        """Advance the slower branches."""
        rc = self._rc
        before = self._before_rc
        wanted = current << _RC_SHIFT
        for branch in range(len(rc)):
            tau_ms = self._model.rc_tau_s[branch] * 1000
            alpha = elapsed_ms * _ALPHA // (elapsed_ms + tau_ms)
            rc[branch] += ((wanted - rc[branch]) >> 6) * alpha >> 7
            before[branch] -= (before[branch] >> 6) * alpha >> 7

    def _drop(self, rc, above_s, to_s):
        """Drop over the branches with time constants in a range, by the model, in 0.1 mV."""
        total = 0
        for branch in range(len(rc)):
            if above_s < self._model.rc_tau_s[branch] <= to_s:
                total += self._rc_r[branch] * (rc[branch] >> 4) >> 14
        return total

    def _learn(self, elapsed_ms, moved_mpc, current, mean_dmv, slow, decayed):
        """Resistance from fast changes, the factor of the polarization from slower ones."""
        step = current - self._last_current
        change = mean_dmv - self._last_dmv - self.slope_dmv * moved_mpc // 1000
        polarized = slow - self._last_slow
        self._fast_v = _fade(
            self._fast_v + (change << 4) - (polarized * self._factor >> 6),
            elapsed_ms,
            _STEP_TAU_MS,
        )
        self._fast_i = _fade(self._fast_i + (step << 4), elapsed_ms, _STEP_TAU_MS)
        r0 = self._model_r0 + self._r0_offset // 16
        if (
            abs(self._fast_i) >= _STEP_MIN << 4
            and elapsed_ms <= _STEP_MS_MAX
            and self.slope_dmv < _STEEP_DMV
        ):
            x = max(-2048, min(2048, self._fast_i >> 7))  # 1/128 C
            error = max(-4000, min(4000, (self._fast_v >> 4) - (r0 * x >> 7)))
            learned = (x * error << 6) // ((x * x + self._r0_weight) >> 5)
            self._r0_weight = min(_R0_MEMORY, self._r0_weight + x * x)
            low = -self._model_r0 * 12
            self._r0_offset = max(low, min(_R_MAX * 16, self._r0_offset + learned))
        self._slow_v = _fade(
            self._slow_v + (change << 4) - (r0 * step >> 6), elapsed_ms, _SLOW_TAU_MS
        )
        self._slow_i = _fade(self._slow_i + (polarized << 4), elapsed_ms, _SLOW_TAU_MS)
        self._slow_before = _fade(self._slow_before + (decayed << 4), elapsed_ms, _SLOW_TAU_MS)
        x = max(-1000, min(1000, self._slow_i >> 4))
        if self._age_ms < _SETTLED_MS:
            self._age_ms += elapsed_ms
            self._slow_v = self._slow_i = 0
            return
        if abs(x) << 2 < self._slow_before:  # it may be a fourth of the change
            return
        if abs(x) < _SLOW_MIN_DMV or self.slope_dmv >= _STEEP_DMV:
            return
        error = max(-1000, min(1000, (self._slow_v >> 4) - (x * self._factor // _SCALE)))
        seconds = min(10, max(1, elapsed_ms // 1000))
        # An error of the resistance would be taken for polarization.
        trust = min(8, self._r0_weight // _R0_TRUST)
        square = x * x * seconds * trust >> 3
        learned = (x * error * seconds * trust << 3) // ((square + self._factor_weight) >> 4)
        self._factor_weight = min(_FACTOR_MEMORY, self._factor_weight + square)
        self._factor = max(_FACTOR_MIN, min(_FACTOR_MAX, self._factor + learned))


def _fade(value, elapsed_ms, tau_ms):
    """`value` after it decayed for a while."""
    alpha = elapsed_ms * 1024 // (elapsed_ms + tau_ms)
    value = max(-1000000, min(1000000, value))
    return value - (value * alpha >> 10)
