"""How far the cells' charges are apart: an estimate for each cell, and how sure it is.

What is compared is the charge that a cell lacks to be full. The series current changes it alike
in all cells, whatever their capacities, so between two looks at the voltages only bleeding and
self-discharge move it: bled charge is counted off here, self-discharge makes the estimate less
sure with time.
Goals: on a flat LiFePO4 curve nothing is believed but what the voltage says: each comparison of
two cells has an error that follows from the slopes of the open-circuit curve where they stand,
from the current and from the distance to full (cells differ in capacity), and counts only if it is
smaller than what is known already. A cell that is still on the plateau while the highest one is in
the knee gets an upper bound. A cell whose bleeding has no effect is found by its charge.
The highest and the lowest cell are looked at in every turn, the others one after the other.
Limits: slow path, integers below 2**30. Errors that all cells share (model, hysteresis,
temperature) cancel only as far as the slopes are equal.
"""

from array import array

from bms.cell_model import BRANCH_MAX

PRIOR_BP = 500
"""Uncertainty, in 0.01 % of the capacity, of a cell about which nothing is known."""
KNOWN_BP = 200
"""A cell whose uncertainty is below this counts as known."""

_LAST = 100  # of the curve's points, one each percent
_FULL_BP = 10000
_OVERFULL_BP = 300  # how far beyond full the curve's last slope is followed
# What differs from cell to cell, in 0.1 mV (a step of the measuring chip and its noise), and the
# shares of the voltage drop that differ, and that the model does not know: 1/8 and 1/4.
_OWN_DMV = 15
_OWN_DROP = 8
_COMMON_DROP = 4
_CAPACITY_SHARE = 50  # cells' capacities differ by 1/50
_SHAPE_SHARE = 4  # a knee may be steeper or flatter than the model's by 1/4
_SETTLED_S = 300  # polarization slower than this is seldom settled: left to the errors
_SURE_BP = (
    100  # an upper bound needs a highest cell seen better than this, and another that is not
)
_LEAK_UAH_PER_H = 1000  # by which self-discharges differ
_BLED_SHARE = 10  # the bleed current is known to 1/10
_HOUR_MS = 3600000
_CHARGE_MAX_MAH = 500000
_FORGOTTEN_BP = 5
_TURN_MAX_MS = 60000
# A switch without effect: when so much was counted off, and so many times what was uncertain in
# the beginning, and enough good looks were taken since, voltages that took just that back are a
# strike.
_CHECK_BP = 50
_CHECK_SIGMAS = 3
_LOOKS = 16
_STRIKES = 2


class Imbalance:
    """`cells` cells like `model` (bms.cell_model.CellModel).

    charge_uah: what each cell has more than an arbitrary common level, in 0.001 mAh; sigma_bp: its
    uncertainty in 0.01 % of the capacity; bled_mah: all that was bled from each cell since the
    start; suspects: bit mask of cells whose bleeding has no effect; uah_per_bp: 0.01 % of the
    capacity; turn: the cell that is looked at in this turn, beside the highest and the lowest.
    """

    def __init__(self, cells, model):
        self.charge_uah = array("i", [0] * cells)
        self.sigma_bp = array("H", [PRIOR_BP] * cells)
        self.bled_mah = array("i", [0] * cells)
        self.suspects = 0
        self.uah_per_bp = 1
        self._model = model
        self._curve_dmv = array(
            "H", [model.ocv_dmv(100 * percent, BRANCH_MAX) for percent in range(_LAST + 1)]
        )
        self._resistance_permille = 1000
        for branch in range(len(model.rc_tau_s)):
            if model.rc_tau_s[branch] <= _SETTLED_S:
                self._resistance_permille += model.rc_permille[branch]
        self._bled_rest_uah = array("H", [0] * cells)  # below one mAh
        self._counted_uah = array("i", [0] * cells)  # bled since the latest check
        self._undone_uah = array("i", [0] * cells)  # of it, what the voltages took back
        self._enough_bp = array("H", [_CHECK_BP] * cells)  # to bleed before the check
        self._looks = bytearray(cells)
        self._strikes = bytearray(cells)
        self.turn = 0
        self._seen = 1  # cells that could be compared with the highest one in the latest round
        self._seen_now = 0
        self._aged_ms = 0
        self._r0_uohm = 0
        self._own_dmv = 0  # error of a voltage that is the cell's own
        self._common_dmv = 0  # and that all cells share
        self._drop_dmv = 0  # by which the current moves every cell's voltage
        self._slope = 1  # 0.1 mV for 1 %, where the latest look was
        self._highest_bp = 0
        self._highest_error_bp = 0
        self._highest_slope = 1

    def step(self, elapsed_ms, values, at, highest, lowest, current_ma, temperature_dc, full_mah):
        """One good measurement: cells' voltages in mV in `values` from `at` on, which cells are
        the highest and the lowest, and what a full cell holds."""
        self.uah_per_bp = full_mah // 10
        self._age(min(elapsed_ms, _TURN_MAX_MS))
        if self.turn == 0 or self._r0_uohm == 0:
            self._r0_uohm = self._model.r0_uohm(temperature_dc, full_mah)
        # 10 mA times 0.01 mohm is 0.1 uV.
        drop_uv = (current_ma // 10) * (self._r0_uohm // 10) // 10
        self._drop_dmv = drop_dmv = drop_uv // 100 * self._resistance_permille // 1000
        self._own_dmv = _OWN_DMV + abs(drop_dmv) // _OWN_DROP
        self._common_dmv = self._model.error_dmv + abs(drop_dmv) // _COMMON_DROP
        self._highest_bp = self._stand_bp(10 * values[at + highest] - drop_dmv)
        self._highest_slope = self._slope
        self._highest_error_bp = 100 * self._own_dmv // self._slope
        if lowest != highest:
            self._compare(lowest, 10 * values[at + lowest], highest)
        self.turn = (self.turn + 1) % len(self.sigma_bp)
        if self.turn == 0:
            self._seen = max(1, self._seen_now)
            self._seen_now = 0
        if self.turn != highest:
            self._seen_now += self._compare(self.turn, 10 * values[at + self.turn], highest)

    def bled(self, cell, uah):
        """Count off what was bled from a cell, in 0.001 mAh."""
        self.charge_uah[cell] -= uah
        rest = self._bled_rest_uah[cell] + uah
        self.bled_mah[cell] += rest // 1000
        self._bled_rest_uah[cell] = rest % 1000
        before = self._counted_uah[cell] // (_BLED_SHARE * self.uah_per_bp)
        self._counted_uah[cell] += uah
        unsure = self._counted_uah[cell] // (_BLED_SHARE * self.uah_per_bp) - before
        self.sigma_bp[cell] = min(PRIOR_BP, self.sigma_bp[cell] + unsure)

    def keep(self, kept):
        """Put what shall survive a power cut into `kept`. Allocates."""
        level = self.level_uah()
        for cell in range(len(self.sigma_bp)):
            kept["imbalance_%d_mah" % cell] = (self.charge_uah[cell] - level) // 1000
            kept["imbalance_%d_sigma_bp" % cell] = self.sigma_bp[cell]

    def restore(self, values):
        """Take back what `keep` gave, if it is all there and for so many cells. Before the first
        step. Nobody knows how long it was: it is a little less sure."""
        cells = len(self.sigma_bp)
        charges = [values.get("imbalance_%d_mah" % cell) for cell in range(cells)]
        sigmas = [values.get("imbalance_%d_sigma_bp" % cell) for cell in range(cells)]
        if None in charges or None in sigmas or "imbalance_%d_mah" % cells in values:
            return
        if max(charges) > _CHARGE_MAX_MAH or min(charges) < -_CHARGE_MAX_MAH or min(sigmas) < 0:
            return
        for cell in range(cells):
            self.charge_uah[cell] = 1000 * charges[cell]
            self.sigma_bp[cell] = min(PRIOR_BP, sigmas[cell] + _FORGOTTEN_BP)

    def is_known(self, cell):
        """Whether the estimate of a cell says something."""
        return self.sigma_bp[cell] <= KNOWN_BP

    def level_uah(self):
        """Mean of the known cells' `charge_uah`; 0 while there are none."""
        total = 0
        known = 0
        for cell in range(len(self.sigma_bp)):
            if self.sigma_bp[cell] <= KNOWN_BP:
                total += self.charge_uah[cell] // 32  # of up to 32 cells: below 2**30
                known += 1
        return total // known * 32 if known else 0

    def floor_uah(self):
        """What no cell is bled below: the charge that the least charged cell has at the most, as
        far as is known, even if what was bled since its latest check was not."""
        floor = 1 << 29
        for cell in range(len(self.sigma_bp)):
            most = self.charge_uah[cell] + self.sigma_bp[cell] * self.uah_per_bp
            floor = min(floor, most + self._counted_uah[cell])
        return floor

    def _age(self, elapsed_ms):
        """With time, differing self-discharge makes every estimate less sure; and the common level
        is kept where the numbers are small."""
        self._aged_ms += elapsed_ms
        bp_ms = self.uah_per_bp * (_HOUR_MS // _LEAK_UAH_PER_H)  # in which 0.01 % may have leaked
        if self._aged_ms < bp_ms:
            return
        self._aged_ms -= bp_ms
        level = self.level_uah()
        for cell in range(len(self.sigma_bp)):
            self.sigma_bp[cell] = min(PRIOR_BP, self.sigma_bp[cell] + 1)
            self.charge_uah[cell] -= level

    def _stand_bp(self, rest_dmv):
        """State of charge, 0.01 %, of a cell with this open-circuit voltage; sets `_slope`."""
        curve = self._curve_dmv
        low = 0
        high = _LAST
        while high - low > 1:
            middle = (low + high) >> 1
            if curve[middle] <= rest_dmv:
                low = middle
            else:
                high = middle
        self._slope = slope = max(1, curve[high] - curve[low])
        stand_bp = 100 * low + 100 * (rest_dmv - curve[low]) // slope
        return max(0, min(_FULL_BP + _OVERFULL_BP, stand_bp))

    def _compare(self, cell, cell_dmv, highest):
        """What the voltages of this cell and of the highest say about the two. 1: where they
        stand; 0: at most a bound."""
        rest_dmv = cell_dmv - self._drop_dmv
        stand_bp = self._stand_bp(rest_dmv)
        slope = self._slope
        high_slope = self._highest_slope
        apart_bp = self._highest_bp - stand_bp
        error_bp = self._highest_error_bp + 100 * self._own_dmv // slope + 1
        error_bp += 100 * self._common_dmv * abs(high_slope - slope) // (slope * high_slope)
        error_bp += abs(apart_bp) // _SHAPE_SHARE
        if stand_bp < _FULL_BP:
            error_bp += (_FULL_BP - stand_bp) // _CAPACITY_SHARE
        surprise = self.charge_uah[highest] - self.charge_uah[cell] - apart_bp * self.uah_per_bp
        if error_bp <= max(self.sigma_bp[cell], self.sigma_bp[highest]):
            self._learn(cell, highest, surprise, error_bp)
            return 1
        if self._highest_error_bp <= _SURE_BP:
            most_bp = self._stand_bp(rest_dmv + 2 * (self._own_dmv + self._common_dmv))
            self._bound(cell, highest, (self._highest_bp - most_bp) * self.uah_per_bp)
        return 0

    def _bound(self, cell, highest, apart_uah):
        """The cell is not where the curve is steep: it is at least so far below the highest one
        (2 sigma)."""
        sigma_uah = self.sigma_bp[cell] * self.uah_per_bp
        most_uah = self.charge_uah[highest] - apart_uah
        counted_uah = self._counted_uah[highest]
        counted_much = counted_uah >= _CHECK_BP * self.uah_per_bp
        if counted_much and self.charge_uah[cell] - 2 * sigma_uah > most_uah:
            # It was known to have more, so the highest one was not bled: its switch does nothing.
            self.charge_uah[highest] += counted_uah
            self._strike(highest)
            return
        # Valid even if the highest cell was not bled.
        above_uah = self.charge_uah[cell] + sigma_uah - most_uah - counted_uah
        if above_uah > 0 and self.sigma_bp[cell] > _SURE_BP:
            self.charge_uah[cell] -= above_uah

    def _learn(self, cell, highest, surprise, error_bp):
        """Correct both cells, each by its share of what was not known."""
        cell_bp = self.sigma_bp[cell]
        high_bp = self.sigma_bp[highest]
        total = cell_bp * cell_bp + high_bp * high_bp + error_bp * error_bp
        # In 1/256. Rounded: what is always rounded down drifts. Shortened before multiplying.
        cell_share = (cell_bp * cell_bp << 8) // total
        high_share = (high_bp * high_bp << 8) // total
        surprise = (surprise + 32) >> 6
        up = (surprise * cell_share + 2) >> 2
        down = (surprise * high_share + 2) >> 2
        self.charge_uah[cell] += up
        self.charge_uah[highest] -= down
        self._sharpen(cell, cell_share, error_bp)
        self._sharpen(highest, high_share, error_bp)
        if cell_bp > _CHECK_BP:
            self._begin_check(cell)
        elif high_bp > _CHECK_BP:
            self._begin_check(highest)
        elif self._counted_uah[cell] > self._counted_uah[highest]:
            self._look(cell, up + down)
        else:
            # Of a highest cell that did not fall, all others tell: each has its part in it.
            self._look(highest, -(up + down) // self._seen)

    def _sharpen(self, cell, share, error_bp):
        """Errors of one look are those of the next: no number of looks is better than one."""
        before_bp = self.sigma_bp[cell]
        self.sigma_bp[cell] = min(before_bp, max(before_bp - before_bp * share // 512, error_bp))

    def _look(self, cell, undone_uah):
        """The voltages took back so much of what was counted off."""
        self._undone_uah[cell] += undone_uah
        self._looks[cell] = min(255, self._looks[cell] + 1)
        enough_uah = self._enough_bp[cell] * self.uah_per_bp
        if self._looks[cell] >= _LOOKS and self._counted_uah[cell] >= enough_uah:
            self._check(cell)

    def _begin_check(self, cell):
        self._counted_uah[cell] = 0
        self._undone_uah[cell] = 0
        self._looks[cell] = 0
        self._enough_bp[cell] = max(_CHECK_BP, _CHECK_SIGMAS * self.sigma_bp[cell])

    def _check(self, cell):
        """Enough was bled from this cell to see it: was it?"""
        quarter_uah = self._counted_uah[cell] // 4
        if 3 * quarter_uah < self._undone_uah[cell] < 6 * quarter_uah:
            self._strike(cell)
            return
        if self._undone_uah[cell] < 2 * quarter_uah:
            self._strikes[cell] = 0
            self.suspects &= ~(1 << cell)
        self._begin_check(cell)

    def _strike(self, cell):
        self._strikes[cell] = min(_STRIKES, self._strikes[cell] + 1)
        if self._strikes[cell] == _STRIKES:
            self.suspects |= 1 << cell
        self._begin_check(cell)
