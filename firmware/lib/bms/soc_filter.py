"""Where on the curve the cell is: a probability for every percent, and for some drifts of the
current sensor.

A rested voltage says little about a flat LiFePO4 curve, and a Kalman filter that starts at the
wrong end of it stays there (estimation.md, section 1). So all states of charge are guessed at
once: 101 of them, one for each percent, and each for a few offsets of the current sensor. All
guesses move with the counted charge, and every block of bms.cell_voltage makes those likelier
that explain it. What is left after a while is the answer, and its width is how sure it is.

The model of the cell is wrong by some millivolts for hours, and on a flat curve that is many
percent. So every guess follows, beside the probability, how wrong the model would have been if
that guess were true (`_bias`, a Gauss-Markov process; a scalar Kalman filter whose gain all
guesses share). A voltage that is off by as much as before says nothing new; one that changes
where the guess's curve does not, or the other way round, does.

Goals: right from any start; honest; nothing is believed only because it was repeated: a block
counts as the part of an independent observation that it is, and beyond three standard deviations
a guess is not punished by the square.
Limits: the curve belongs to the whole pack's mean cell. Capacity is not estimated here.

Slow path; integers below 2**30; allocates nothing after construction. `add` takes a block, then
every `work` does a part of it, up to 15 ms on an RP2040: one row of guesses a call.
Probabilities are relative; they add up to ONE or a little less. Charge is in 0.001 % ("mpc").
"""

from array import array

from bms.cell_model import BRANCH_MAX
from bms.cell_voltage import WEIGHT_ONE, root
from bms.table import give_back

BINS = 101
_TOP = 100
BIN_MPC = 1000
ONE = 1 << 24
_FULL_MPC = 100000
_FULL_BP = 10000

# Offsets of the current sensor in 0.01 % of capacity per hour, and how likely each is, in percent.
# 20 is a good shunt, 300 are 50 mA on a cell of 1.7 Ah.
_OFFSETS_BP_H = (-300, -80, -20, 0, 20, 80, 300)
_LIKELY = (1, 4, 20, 50, 20, 4, 1)
ROWS = len(_OFFSETS_BP_H)

_TABLE, _ROW, _READ, _IDLE = range(4)

_STEPS_PER_SIGMA = 5  # of the table of factors
_LAST = 63
_STRAIGHT = 3 * _STEPS_PER_SIGMA  # from here on a residual counts linearly
SUM_SHIFT = 10
_SMALL = 1 << 16  # times a factor of 14 bits stays small
_GAIN_MAX = 4
_BITS = 16
_MIX_SHIFT = 14  # so that up to 1/16 changes rows in an hour

# Of the model's own figure: the lasting part of its error, and the short part. Chosen by the total
# over the benchmark's recordings (docs/state-of-charge.md), as how it is forgotten, below.
_LASTING_PERCENT = 130
_SHORT_PERCENT = 100
_SCAN_PERCENT = 50  # of half the gap, while the hysteresis goes from one branch to the other
_DROP_LASTING_PERCENT = 100  # of the error of what is taken off for the current
_DROP_SHORT_PERCENT = 60
# The lasting part is forgotten over 60 % of charge, 20 hours, or where the curve moves by 25 mV
# with more than 2 mV a percent. The branches have errors of their own: a whole change is 20 %.
_FORGET_MPC = 60000
_FORGET_DS = 720000
_FLAT_DMV = 20
_FORGET_DMV = 250
_MPC_PER_BRANCH = 10
_SIGMA_MAX_DMV = 900
_DROP_MAX_DMV = 4000
# What is called empty and full differs between makers, rates and ages by 3 % of charge. On the
# steep ends that is more than the model's error of voltage; it fades out over so many percent.
_END_MPC = 3000
_EMPTY_END = 12
_FULL_END = 4
_P_ONE = 1 << 14
_BIAS_SHIFT = 12  # biases are in 1/4096 of the lasting part's standard deviation
_BIAS_MAX = 3 << _BIAS_SHIFT
_GAIN_SHIFT = 8
_GAIN_LIMIT = 20000

# What makes two neighbours exchange probability: time (1 % after one hour) and counted charge
# (a gain error of 1 %).
_SPREAD_PER_DS = 1  # of 65536; 65536 / 36000 / 2
_SPREAD_MPC = 16  # so many mpc add one, too
_SPREAD_MAX = 2048
_SIGMA_MIN_BP = 100  # a model's 0 and 100 % are no better
_SIGMA_PERCENT = 140  # measured: how much the spread alone is too sure
_MIX_EVERY_DS = 6000  # one pair of neighbouring rows every ten minutes
_WINDOW = 6  # percent to both sides of the estimate, over which it is the mean
_NARROW = (420, 70, 9, 1)  # of 500: shape of a certain end, over its last percents


class SocFilter:
    """estimate_mpc, sigma_bp: mean and standard deviation at the middle of the latest block that
    was worked through; offset_bp_h: mean offset of the current sensor."""

    def __init__(self, model):
        self._model = model
        # One place more than percents: what comes after the last is like the last.
        self._rows = [array("i", [0] * (BINS + 1)) for _ in range(ROWS)]
        self._bias = [array("h", [0] * (BINS + 1)) for _ in range(ROWS)]
        self._curve_dmv = array("H", [0] * (BINS + 1))  # of the block's branch and temperature
        self._factor = array("H", [0] * (_LAST + 1))
        self._fraction = array("i", [0] * ROWS)  # mpc above the bin's own percent, 0 to 999
        self._drift = array("i", [0] * ROWS)  # part of a mpc
        self._sum = array("i", [0] * ROWS)
        self._first = array("i", [0] * ROWS)
        self._second = array("i", [0] * ROWS)
        self._job = _IDLE
        self._row = 0
        self._scale = 0  # from 0.1 mV to steps of the table, of 2**14
        self._moved_mpc = 0
        self._spread = 0
        self._ds = 0
        self._weight = 0
        self._mix_ds = 0
        self._mix_row = 0
        self._fresh = True
        self._half_gap_dmv = (
            model.ocv_dmv(_FULL_BP // 2, BRANCH_MAX) - model.ocv_dmv(_FULL_BP // 2, -BRANCH_MAX)
        ) // 2
        self._open_dmv = 0
        self.slope_dmv = 0
        self._seen = False
        self._lasting_dmv = 1  # standard deviation of the lasting error
        self._unknown = _P_ONE  # how much of its variance is
        self._gain = 0
        self._forget = 0
        self._forget_all = True  # biases of before
        self._branch = 0
        self._ratio = 0
        self.estimate_mpc = _FULL_MPC // 2
        self.sigma_bp = 2900
        self.offset_bp_h = 0
        self.start(_FULL_MPC // 2, 10000, 100)

    @property
    def busy(self):
        """Whether a block is not worked through yet."""
        return self._job != _IDLE

    def start(self, soc_mpc, sigma_bp, doubt_percent, seen=False):
        """Begin with a bell around `soc_mpc` and, for `doubt_percent` of it, no idea at all. The
        first voltage is a whole observation; seen: it has its part in what is known already."""
        for _ in self.starting(soc_mpc, sigma_bp, doubt_percent, seen):
            pass

    def starting(self, soc_mpc, sigma_bp, doubt_percent, seen=False):
        """As `start`, in pieces: yields between them."""
        from bms.soc_bell import fill

        sums = (self._sum, self._first, self._second, self._fraction, self._drift)
        yield from fill(self._rows, _LIKELY, sums, soc_mpc, sigma_bp, doubt_percent)
        give_back("bms.soc_bell")
        self._forget_all = True
        self._moved_mpc = 0
        self._job = _IDLE
        self._fresh = True
        self._seen = seen
        self.estimate_mpc = soc_mpc
        self._read()

    def anchor(self, full):
        """The cell is certainly full, or empty: only the rows' shares survive, by how near each
        row was to it."""
        total = 0
        shares = self._sum
        for row in range(ROWS):
            near = 0
            for step in range(8):
                near += self._rows[row][BINS - 1 - step if full else step]
            # Some doubt, so that no offset is ruled out by one reading.
            shares[row] = (near >> SUM_SHIFT) + _LIKELY[row] * 8
            total += shares[row]
        for row in range(ROWS):
            share = (shares[row] << 10) // total  # of 1024
            p = self._rows[row]
            for place in range(BINS):
                p[place] = 1
            count = first = second = 0
            for step in range(len(_NARROW)):
                place = BINS - 1 - step if full else step
                p[place] += share * _NARROW[step] * (ONE >> 19)
                part = p[place] >> SUM_SHIFT
                beyond = BINS - place  # see `_read`
                count += part
                first += part * beyond
                second += part * (beyond * (beyond + 1) // 2)
            shares[row] = count  # read above, for the last time
            self._first[row] = first
            self._second[row] = second
            self._fraction[row] = 0
            self._drift[row] = 0
        self._forget_all = True
        self._moved_mpc = 0
        self._job = _IDLE
        self._fresh = False
        self.estimate_mpc = _FULL_MPC if full else 0
        self._read()

    def add(self, block):
        """Take a block (bms.cell_voltage.CellVoltage); the one before must be worked through."""
        self._ds = block.ds
        self._moved_mpc = block.moved_mpc
        self._open_dmv = block.open_dmv
        self._model.curve_into(self._curve_dmv, block.branch, block.temperature_dc)
        self._weight = block.weight
        fresh = self._fresh
        if fresh:
            self._fresh = False
            self._branch = block.branch
            self._weight = max(self._weight, WEIGHT_ONE >> 3 if self._seen else WEIGHT_ONE)
        self.slope_dmv = self._slope()
        self._soften(self._weigh_up(block))
        if fresh and self._seen:
            self._assume_bias()
        self._spread = min(
            _SPREAD_MAX, _SPREAD_PER_DS * block.ds + abs(block.moved_mpc) // _SPREAD_MPC
        )
        self._job = _TABLE

    def _soften(self, error_dmv):
        """Bend the ends of the curve, and the voltage with it, so that an error along the charge
        looks as one of the voltage does elsewhere. `error_dmv`: of the voltage."""
        curve = self._curve_dmv
        voltage = self._open_dmv
        for end in range(2):
            many = _FULL_END if end else _EMPTY_END
            place = _TOP - many if end else many
            step = 1 if end else -1
            raw = bent = curve[place]
            for away in range(1, many + 1):
                place += step
                rise = (curve[place] - raw) * step
                # A rise of one percent shows an error of so much
                error = rise * (_END_MPC // BIN_MPC) * away // many
                soft = rise * error_dmv // root(error_dmv * error_dmv + error * error)
                beyond = (voltage - raw) * step  # what lies further out comes to its turn later
                if beyond > 0:
                    self._open_dmv = bent + step * (beyond * soft // max(1, rise))
                raw = curve[place]
                bent += step * soft
                curve[place] = bent
        curve[BINS] = curve[_TOP]

    def _assume_bias(self):
        """What is kept of the state of charge is as right as before: the lasting error is what the
        voltage is off. Else every restart would count it anew. Another pack is off by more."""
        off_dmv = self._open_dmv - self._curve_dmv[self.estimate_mpc // BIN_MPC]
        if abs(off_dmv) > 3 * self._lasting_dmv:
            return
        self._forget = 0
        assumed = (off_dmv << _BIAS_SHIFT) // self._lasting_dmv
        for row in range(ROWS):
            bias = self._bias[row]
            for place in range(BINS):
                bias[place] = assumed

    def _weigh_up(self, block):
        """How far the lasting part of the model's error is known, and what a residual is worth.
        Returns the standard deviation of the whole error of the voltage."""
        moved_mpc = min(20000, abs(block.moved_mpc))
        steep_dmv = min(1000, max(0, self.slope_dmv - _FLAT_DMV))
        turned = abs(block.branch - self._branch) * _MPC_PER_BRANCH
        self._branch = block.branch
        forget = (
            (moved_mpc + turned) * 256 // (_FORGET_MPC >> 6)
            + moved_mpc * steep_dmv // (_FORGET_DMV * 1000 >> 14)
            + block.ds // (_FORGET_DS >> 14)
        )
        forget = min(32000, forget)
        forget = (forget << 14) // (_P_ONE + forget)
        if self._forget_all:
            self._forget_all = False
            forget = _P_ONE
        self._forget = forget
        unknown = self._unknown
        unknown += (_P_ONE - unknown) * forget >> 13
        unknown = min(_P_ONE, unknown)
        error = self._model.error_dmv
        branch = block.branch // 8
        scan = self._half_gap_dmv * (BRANCH_MAX * BRANCH_MAX // 64 - branch * branch) // 15625
        scan = scan * (BRANCH_MAX - block.branch_spread) // BRANCH_MAX * _SCAN_PERCENT // 100
        loop = self._half_gap_dmv * block.branch_spread // BRANCH_MAX
        drop = min(_DROP_MAX_DMV, block.drop_dmv)
        lasting = root(
            (error * _LASTING_PERCENT // 100) ** 2
            + (drop * _DROP_LASTING_PERCENT // 100) ** 2
            + scan * scan
            + loop * loop // 3
            + min(3000, block.start_dmv) ** 2
        )
        self._lasting_dmv = lasting = max(1, min(_SIGMA_MAX_DMV, lasting))
        known = (unknown >> 4) * (lasting * lasting) >> 10
        scatter = min(_DROP_MAX_DMV // 2, block.scatter_dmv)
        short = (
            (error * _SHORT_PERCENT // 100) ** 2
            + (drop * _DROP_SHORT_PERCENT // 100) ** 2
            + scatter * scatter
        )
        whole = known + short
        weight = max(1, self._weight >> 10)  # of 1024
        total = known + (min(1 << 23, (short << 4) // weight) << 6) + 1
        self._scale = (_STEPS_PER_SIGMA << 14) // max(8, root(whole))
        while whole >= 1 << 15:  # the quotients below stay small integers
            whole >>= 1
            known >>= 1
            total >>= 1
        self._ratio = (whole << 10) // max(1, total)
        share = (known << 14) // max(1, total)
        self._gain = min(_GAIN_LIMIT, (share << _BIAS_SHIFT + _GAIN_SHIFT - 14) // lasting)
        self._unknown = unknown - (unknown * share >> 14)
        return root(lasting * lasting + short)

    def work(self):
        """Do the next part of the latest block. Returns whether it is finished now."""
        if self._job == _TABLE:
            self._make_table()
            self._job = _ROW
            self._row = 0
        elif self._job == _ROW:
            self._move(self._row)
            self._weigh(self._row)
            self._row += 1
            if self._row == ROWS:
                self._job = _READ
        elif self._job == _READ:
            self._mix_ds += self._ds
            if self._mix_ds >= _MIX_EVERY_DS:
                self._mix_ds = 0
                self._mix(self._mix_row)
                self._mix_row = (self._mix_row + 1) % (ROWS - 1)
            self._read()
            self._job = _IDLE
            return True
        return False

    def _slope(self):
        half = max(1, min(20, self.sigma_bp // 100))
        place = self.estimate_mpc // BIN_MPC
        low = max(0, place - half)
        high = min(_TOP, place + half)
        return (self._curve_dmv[high] - self._curve_dmv[low]) // (high - low)

    def _make_table(self):
        """The factor that a residual brings, with what keeps the sum near ONE."""
        total = 0
        for row in range(ROWS):
            total += self._sum[row]
        gain = 1
        while gain < _GAIN_MAX and total < ONE >> SUM_SHIFT + 1:
            total <<= 1
            gain <<= 1
        for step in range(_LAST + 1):
            if step < _STRAIGHT:
                surprise = step * step * 1024 // (2 * _STEPS_PER_SIGMA * _STEPS_PER_SIGMA)
            else:
                surprise = (2 * step - _STRAIGHT) * _STRAIGHT * 1024
                surprise //= 2 * _STEPS_PER_SIGMA * _STEPS_PER_SIGMA
            self._factor[step] = exponential(surprise * self._ratio >> 10) * gain

    def _move(self, row):
        """Shift a row by the charge that flowed, without the offset that the row stands for."""
        drift = self._drift[row] - _OFFSETS_BP_H[row] * self._ds * 10
        whole = drift // 36000  # mpc
        self._drift[row] = drift - whole * 36000
        fraction = self._fraction[row] + self._moved_mpc + whole
        p = self._rows[row]
        bias = self._bias[row]
        while fraction >= BIN_MPC:
            fraction -= BIN_MPC
            p[_TOP] = min(ONE, p[_TOP] + p[_TOP - 1])
            for place in range(_TOP - 1, 0, -1):
                p[place] = p[place - 1]
                bias[place] = bias[place - 1]
            p[0] = 1
        while fraction < 0:
            fraction += BIN_MPC
            p[0] = min(ONE, p[0] + p[1])
            for place in range(1, _TOP):
                p[place] = p[place + 1]
                bias[place] = bias[place + 1]
            p[_TOP] = 1
        self._fraction[row] = fraction

    def _weigh(self, row):
        """Make the guesses of a row as much likelier as they explain the block, learn the biases,
        let neighbours exchange a little, and add up what `_read` needs. The largest cost of all:
        kept short."""
        p = self._rows[row]
        biases = self._bias[row]
        lasting = self._lasting_dmv
        forget = self._forget
        learn = self._gain
        curve = self._curve_dmv
        factor = self._factor
        open_dmv = self._open_dmv
        scale = self._scale
        spread = self._spread
        fraction = (self._fraction[row] << 10) // BIN_MPC
        p[BINS] = p[_TOP]
        value = below = p[0]
        ocv = curve[0]
        total = first = second = 0
        for place in range(1, BINS + 1):
            above_ocv = curve[place]
            bias = biases[place - 1]
            bias -= bias * forget >> 14
            step = open_dmv - ocv - ((above_ocv - ocv) * fraction >> 10)
            step -= bias * lasting >> _BIAS_SHIFT
            ocv = above_ocv
            bias += step * learn >> _GAIN_SHIFT
            if bias > _BIAS_MAX:
                bias = _BIAS_MAX
            elif bias < -_BIAS_MAX:
                bias = -_BIAS_MAX
            biases[place - 1] = bias
            if step < 0:
                step = -step
            step = step * scale >> 14
            gain = factor[step if step < _LAST else _LAST]
            above = p[place]
            after = value + (((below + above - value - value) >> 6) * spread >> 10)
            below = value
            value = above
            # Two ways to multiply that keep the precision of small and the size of large values.
            after = (after * gain >> 12) + 1 if after < _SMALL else (after >> 8) * gain >> 4
            p[place - 1] = after
            total += after >> SUM_SHIFT
            first += total
            second += first
        self._sum[row] = total
        self._first[row] = first
        self._second[row] = second

    def _read(self):
        """Mean and standard deviation over all rows.

        Sums of sums: with d the places from a guess to beyond the last one, a row's `first` is the
        sum of its d, and `second` that of d * (d + 1) / 2.
        """
        total = 0
        for row in range(ROWS):
            total += self._sum[row]
        middle = max(0, min(_FULL_MPC, self.estimate_mpc + self._moved_mpc)) // BIN_MPC
        mean = square = offset = weights = 0
        for row in range(ROWS):
            count = self._sum[row]
            weight = (count << 10) // max(1, total)
            if weight == 0:
                continue
            first = self._first[row]
            whole = first // count
            rest = first - whole * count
            # Squares of d - whole, exactly; then relative to the row's own mean, in (0.1 %)**2.
            second = 2 * self._second[row] - first - 2 * whole * first + whole * whole * count
            rest_mpc = rest * BIN_MPC // count
            spread = second // count * 100 + second % count * 100 // count
            spread -= rest_mpc * rest_mpc // 10000
            away = (BINS - whole - middle) * BIN_MPC - rest_mpc + self._fraction[row]
            mean += weight * away
            tenths = away // 100
            square += weight * min(1000000, spread + tenths * tenths)
            offset += weight * _OFFSETS_BP_H[row]
            weights += weight
        weights = max(1, weights)
        near = self._near(middle, total)
        if near < 0:
            near = self._near(self._median(), 0)
        away = (near - middle * BIN_MPC) // 100
        variance = max(0, square // weights - 2 * away * (mean // weights) // 100 + away * away)
        self.estimate_mpc = max(0, min(_FULL_MPC, near))
        sigma_bp = root(variance * 100) * _SIGMA_PERCENT // 100
        self.sigma_bp = root(sigma_bp * sigma_bp + _SIGMA_MIN_BP * _SIGMA_MIN_BP)
        self.offset_bp_h = offset // weights

    def _near(self, middle, total):
        """Mean of the guesses around a place, in mpc; -1 if they are less than half of `total`.
        What is left of other guesses far away shall widen sigma, not move the estimate."""
        low = max(0, middle - _WINDOW)
        high = min(_TOP, middle + _WINDOW)
        mass = 0
        away_mpc = 0
        for row in range(ROWS):
            p = self._rows[row]
            row_mass = 0
            away = 0
            for place in range(low, high + 1):
                part = p[place] >> SUM_SHIFT
                row_mass += part
                away += part * (place - middle)
            mass += row_mass
            away_mpc += away * BIN_MPC + row_mass * self._fraction[row]
        if mass * 2 < total:
            return -1
        return middle * BIN_MPC + away_mpc // max(1, mass)

    def _median(self):
        """The place that halves the likeliest row."""
        likeliest = 0
        for row in range(ROWS):
            if self._sum[row] > self._sum[likeliest]:
                likeliest = row
        p = self._rows[likeliest]
        left = self._sum[likeliest] >> 1
        place = 0
        while left > 0 and place < _TOP:
            left -= p[place] >> SUM_SHIFT
            place += 1
        return max(0, place - 1)

    def _mix(self, row):
        """The offset of a sensor changes slowly: neighbouring rows exchange a little."""
        lower = self._rows[row]
        upper = self._rows[row + 1]
        up = min(1024, 1024 * _LIKELY[row + 1] // _LIKELY[row])
        down = min(1024, 1024 * _LIKELY[row] // _LIKELY[row + 1])
        # Rows stand for different charges within their bins.
        shift = (self._fraction[row] - self._fraction[row + 1] + BIN_MPC // 2) // BIN_MPC
        for place in range(max(0, -shift), BINS - max(0, shift)):
            goes_up = (lower[place] >> _MIX_SHIFT) * up
            goes_down = (upper[place + shift] >> _MIX_SHIFT) * down
            lower[place] += goes_down - goes_up
            upper[place + shift] += goes_up - goes_down


def exponential(x):
    """4096 * exp(-x / 1024), for x from 0 on, within 1."""
    shift = x // 710  # ln(2)
    x -= shift * 710
    square = x * x >> 10
    value = 4096 - 4 * x + 2 * square - square * x // 1536 + square * square // 6144
    return value >> shift if shift < _BITS else 0
