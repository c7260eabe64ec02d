"""What the measured voltage says about the open circuit: everything that is common to all guesses
of the state of charge.

Takes the drop over the resistance and the slower polarization off a cell's voltage, follows the
hysteresis, and collects it all in blocks, each about a twelfth of an independent observation
(bms.soc_filter weighs them).

The cell's model is a start only. What a pack adds (busbars, wires, age, cold) is learned as two
factors, of the drop over the resistance and of that over the polarization, by recursive least
squares with their covariance. They learn from means over some samples, never from single ones:
voltage and current are not measured at the same moment, and a resistance from single steps came
out at a third of the true one on logs of one row a second (LG HG2).
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
_RC_SHIFT = 8  # polarization states keep 8 more bits than the current
_ALPHA = 8192
_BEFORE = _C // 2  # a current that may have flowed before the first measurement

# 63 % of a change of branch are done after hysteresis_bp of charge; all of it after 1/0.63 of it.
_BRANCH_PERCENT = 63
_WARMER_DC = 10  # smaller changes of temperature are not worth new tables

_LEARNED_TAU_S = 300  # slower branches look like the curve itself, and stay the model's
# Samples whose means teach; as few at first, until the resistance is known within 20 %.
_SAMPLES = 16
_SAMPLES_FIRST = 2
_LEARNED = (1 << 20) // 25
_ONE = 1 << 16  # of factors
_FACTOR_MIN = _ONE // 4
_FACTOR_MAX = 16 * _ONE
# Variances are of 2**20. At the start the resistance is known within 80 % (a generic model meets
# 17 to 180 milliohm for one Ah), the polarization within 40 %.
_VARIANCE_MAX = 1 << 20
_OHMIC_START = (1 << 20) * 64 // 100
_POLAR_START = (1 << 20) * 16 // 100
_VARIANCE_MIN = 64
# They change with charge and time: by 10 % over 10 % of charge, by 5 % in an hour.
_WANDER_MS = 1600
_CHANGE_NOISE = 1000  # (3 mV)**2: what else moves the voltage from one mean to the next
_CHANGE_MAX_DMV = 2000
_STRUCTURE = 8  # a change of the drop is known to one eighth, whatever the factors are
_SURPRISE = 9  # beyond three standard deviations a change teaches less
_SCATTER = 16  # means, over which what was not explained is averaged
# The drop itself is known to one twentieth over the resistance; that of the polarization, which
# grows less than the current does, to one fifth; that of slow branches to four tenths.
_DROP_MAX_DMV = 20000
_DROP_ERROR = 20
_POLAR_ERROR = 5
_LONG_ERROR = 4

# A block is closed when it weighs this much. The short part of the error becomes independent after
# 1200 s, or after 1.5 % of charge (measured: residuals of drive cycles and of a home battery; what
# lasts longer is followed by bms.soc_filter).
WEIGHT_ONE = 1 << 20
_WEIGHT_PER_DS = WEIGHT_ONE // 12000
_WEIGHT_PER_MPC = WEIGHT_ONE // 1500
_BLOCK_WEIGHT = WEIGHT_ONE // 25 * 2
_BLOCK_DS_MIN = 100
_BLOCK_DS_MAX = 1200

# Places of sums: those of a block, those of the samples whose means teach, and the latest means
# (where the current stands for the model's drop over the resistance).
_VOLTS, _CURRENT, _POLAR, _START, _LONG, _BRANCH, _SPREAD = range(7)
_BLOCK_SUMS = 7
_SEEN_VOLTS, _SEEN_CURRENT, _SEEN_POLAR, _SEEN_START, _SEEN_MPC, _SEEN_MS = range(7, 13)
_SEEN_END = 13
_MEAN_VOLTS, _MEAN_CURRENT, _MEAN_POLAR, _MEAN_START, _MEAN_MPC = range(13, 18)
_SUMS = 18


class CellVoltage:
    """`step` with every measurement; after it returned True a block is in

    open_dmv: mean of the voltage without drops; branch: of the hysteresis (bms.cell_model), and
    branch_spread: how far it may be off (BRANCH_MAX: nothing is known); drop_dmv: how wrong what
    was taken off may be while the current flows so, and scatter_dmv: from one moment to the next;
    start_dmv: what may be left of a current before the first measurement; weight: in
    observations, of WEIGHT_ONE; moved_mpc: charge since the block before, up to the middle of this
    one; ds: its duration; temperature_dc.

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
        # Factors of the model's drops, and their covariance.
        self._ohmic = _ONE
        self._polar = _ONE
        self._ohmic_var = _OHMIC_START
        self._polar_var = _POLAR_START
        self._both_var = 0
        self._first = True  # the first block may be short: something is better than nothing
        self._scatter = 0  # mean square of what the factors did not explain
        self._scattered = 0  # over so many means
        self._samples = 0
        self._sums = array("i", [0] * _SUMS)
        self.slope_dmv = 0
        self.open_dmv = 0
        self.branch = 0
        self.branch_spread = 0
        self.drop_dmv = 0
        self.scatter_dmv = 0
        self.start_dmv = 0
        self.weight = 0
        self.moved_mpc = 0
        self.ds = 0
        self.temperature_dc = 0
        self._before_mpc = 0
        self._begin()

    def _begin(self):
        for at in range(_BLOCK_SUMS):
            self._sums[at] = 0
        self._sum_ds = 0
        self._block_mpc = 0
        self._sum_moved = 0

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
        ds = max(1, min(_BLOCK_DS_MAX, elapsed_ms // 100))
        # The slower branches go on; their drops, and that of what was there before, in 0.1 mV.
        rc = self._rc
        before = self._before_rc
        wanted = current << _RC_SHIFT
        polar = long = start = 0
        for branch in range(len(rc)):
            tau_s = self._model.rc_tau_s[branch]
            alpha = elapsed_ms * _ALPHA // (elapsed_ms + tau_s * 1000)
            rc[branch] += ((wanted - rc[branch]) >> 6) * alpha >> 7
            before[branch] -= (before[branch] >> 6) * alpha >> 7
            drop = self._rc_r[branch] * (rc[branch] >> 4) >> 14
            if tau_s <= _LEARNED_TAU_S:
                polar += drop
            else:
                long += drop
            start += self._rc_r[branch] * (before[branch] >> 4) >> 14
        sums = self._sums
        sums[_SEEN_MS] += elapsed_ms
        sums[_SEEN_MPC] += moved_mpc
        sums[_SEEN_VOLTS] += mean_dmv - long
        sums[_SEEN_CURRENT] += current
        sums[_SEEN_POLAR] += polar
        sums[_SEEN_START] += start
        self._samples += 1
        if self._samples >= (_SAMPLES if self._ohmic_var < _LEARNED else _SAMPLES_FIRST):
            self._observe()
        sums[_VOLTS] += mean_dmv * ds
        sums[_CURRENT] += current * ds
        sums[_POLAR] += polar * ds
        sums[_START] += start * ds
        sums[_LONG] += long * ds
        sums[_BRANCH] += (self._upper_mpc + self._lower_mpc) // 2 * ds
        sums[_SPREAD] += (self._upper_mpc - self._lower_mpc) // 2 * ds
        self._block_mpc += moved_mpc
        self._sum_moved += self._block_mpc * ds
        self._sum_ds += ds
        return self._close()

    def _close(self):
        ds = self._sum_ds
        weight = ds * _WEIGHT_PER_DS + min(1500, abs(self._block_mpc)) * _WEIGHT_PER_MPC
        light = weight < _BLOCK_WEIGHT and ds < _BLOCK_DS_MAX and not self._first
        if ds < _BLOCK_DS_MIN or light:
            return False
        self._first = False
        half = self._half_mpc
        self.weight = min(WEIGHT_ONE, weight)
        sums = self._sums
        self.branch = sums[_BRANCH] // ds * 1000 // half
        self.branch_spread = sums[_SPREAD] // ds * 1000 // half
        self.start_dmv = sums[_START] // ds
        middle = self._sum_moved // ds
        self.moved_mpc = self._before_mpc + middle
        self._before_mpc = self._block_mpc - middle
        self.ds = ds
        self.temperature_dc = self._temperature_dc
        self._take_off(sums, ds)
        self._begin()
        return True

    def _take_off(self, sums, ds):
        """The block's voltage without drops, and how wrong that may be."""
        ohmic = _within(self._model_r0 * (sums[_CURRENT] // ds) // _C, _DROP_MAX_DMV)
        polar = _within(sums[_POLAR] // ds, _DROP_MAX_DMV)
        drop = self._factored(ohmic, polar)
        long = sums[_LONG] // ds
        self.open_dmv = sums[_VOLTS] // ds - drop - long
        drop = _within(drop, _DROP_MAX_DMV) // _DROP_ERROR
        polar_drop = _within(self._factored(0, polar), _DROP_MAX_DMV) // _POLAR_ERROR
        long = _within(long, _DROP_MAX_DMV) * _LONG_ERROR // 10
        ohmic = _within(ohmic, _CHANGE_MAX_DMV)
        polar = _within(polar, _CHANGE_MAX_DMV)
        unsure = _variance(
            _with(self._ohmic_var, ohmic, self._both_var, polar),
            ohmic,
            _with(self._both_var, ohmic, self._polar_var, polar),
            polar,
        )
        self.drop_dmv = root(unsure + drop * drop + polar_drop * polar_drop + long * long)
        self.scatter_dmv = root(self._scatter)

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

    def _factored(self, ohmic, polar):
        """The drop, from those of the model."""
        return (ohmic * (self._ohmic >> 6) + polar * (self._polar >> 6)) >> 10

    def _observe(self):
        """Learn from the means of the samples, and begin to collect anew."""
        sums = self._sums
        samples = self._samples
        volts = sums[_SEEN_VOLTS] // samples
        ohmic = _within(self._model_r0 * (sums[_SEEN_CURRENT] // samples) // _C, _DROP_MAX_DMV)
        polar = _within(sums[_SEEN_POLAR] // samples, _DROP_MAX_DMV)
        start = sums[_SEEN_START] // samples
        moved_mpc = (sums[_SEEN_MPC] + sums[_MEAN_MPC]) // 2
        if sums[_MEAN_VOLTS]:  # there are means
            self._learn(
                ohmic - sums[_MEAN_CURRENT],
                polar - sums[_MEAN_POLAR],
                volts - sums[_MEAN_VOLTS] - self.slope_dmv * _within(moved_mpc, 10000) // 1000,
                start - sums[_MEAN_START],
                abs(moved_mpc) + sums[_SEEN_MS] // _WANDER_MS,
            )
        sums[_MEAN_MPC] = sums[_SEEN_MPC]
        sums[_MEAN_VOLTS] = volts
        sums[_MEAN_CURRENT] = ohmic
        sums[_MEAN_POLAR] = polar
        sums[_MEAN_START] = start
        self._samples = 0
        for at in range(_BLOCK_SUMS, _SEEN_END):
            sums[at] = 0

    def _learn(self, ohmic, polar, change, decayed, wander):
        """Correct the factors by what the voltage changed, where the model's drops changed by
        `ohmic` and `polar`, and what was there before the first measurement by `decayed`."""
        ohmic = _within(ohmic, _CHANGE_MAX_DMV)
        polar = _within(polar, _CHANGE_MAX_DMV)
        ohmic_var = min(_VARIANCE_MAX, self._ohmic_var + wander)
        polar_var = min(_VARIANCE_MAX, self._polar_var + wander)
        both_var = self._both_var
        with_ohmic = _with(ohmic_var, ohmic, both_var, polar)
        with_polar = _with(both_var, ohmic, polar_var, polar)
        expected = self._factored(ohmic, polar)
        off = _within(change - expected, 2 * _CHANGE_MAX_DMV)
        unsure = _within(expected, 2 * _CHANGE_MAX_DMV) // _STRUCTURE
        before = decayed // 2
        whole = _variance(with_ohmic, ohmic, with_polar, polar) + _CHANGE_NOISE
        whole += unsure * unsure + before * before
        square = off * off
        whole = max(whole, square // _SURPRISE)
        self._scattered = min(_SCATTER, self._scattered + 1)
        self._scatter += (square - self._scatter) // self._scattered
        gain_ohmic = (with_ohmic << 6) // whole
        gain_polar = (with_polar << 6) // whole
        self._ohmic = max(_FACTOR_MIN, min(_FACTOR_MAX, self._ohmic + gain_ohmic * off))
        self._polar = max(_FACTOR_MIN, min(_FACTOR_MAX, self._polar + gain_polar * off))
        self._ohmic_var = max(_VARIANCE_MIN, ohmic_var - (with_ohmic * gain_ohmic >> 6))
        self._polar_var = max(_VARIANCE_MIN, polar_var - (with_polar * gain_polar >> 6))
        most = min(self._ohmic_var, self._polar_var)
        self._both_var = _within(both_var - (with_ohmic * gain_polar >> 6), most)


def _with(first_var, first, second_var, second):
    """Covariance of a factor with a drop, in 0.1 mV of 1024."""
    return ((first_var >> 3) * first + (second_var >> 3) * second) >> 7


def _variance(with_first, first, with_second, second):
    """Of a drop, from the covariances of both factors with it, in (0.1 mV)**2."""
    return max(0, ((with_first >> 6) * first + (with_second >> 6) * second) >> 4)


def _within(value, most):
    """`value`, cut off at `most` to both sides."""
    return max(-most, min(most, value))


def root(square):
    """Square root, rounded down."""
    if square <= 0:
        return 0
    guess = 1 << 15
    while True:
        better = (guess + square // guess) >> 1
        if better >= guess:
            return guess
        guess = better
