"""Health of the pack: capacity, resistance, cycles, weak and leaking cells (docs/health.md).

What runs every second is here and in bms.resistance. What an anchor starts (bms.anchoring,
bms.capacity, bms.cell_drift) is imported for the half minute that it takes and then given back.
Everything that must survive a power cut is in one array, `kept`, to be saved after anchors and
four times a day: whoever saves it needs no other bound on his writes.
Slow path; at most 2 ms of an RP2040 a turn. It tells and never permits.
"""

from array import array

from bms.resistance import Resistance
from bms.table import INVALID, give_back

REST = 3
"""A third kind of anchor beside FULL and EMPTY of bms.soc: all cells at rest."""

# Places in `kept`.
CAPACITY = 0  # 0.001 % of the design capacity
VARIANCE = 1  # of it, in squares of 0.01 % of the design capacity
PAIRS = 2  # of anchors that were taken
DISCHARGED_AH = 3
DEEP_CYCLES = 4
AGE_H = 5
WEAK = 6  # mask of cells, cell 32 as the sign
LEAKY = 7
LEAK_COUNT = 8  # full anchors that the leaks rest on
DEVIATION = 9  # of the cells from their lines, mAh
DESIGN = 10  # whose pack all this is: design capacity in mAh
CELLS = 11  # from here on two for each cell, see bms.health_record
START_MPC = 100000
START_VARIANCE = 2000**2  # an unknown pack: 20 %
# Added to the variance with every pair, so that about 14 pairs of full and empty anchors are
# remembered (12 to 20: estimation.md 4); and with every day: 1.4 % in a year.
AGEING = 50

POINTS = (
    "capacity_mah", "capacity_sigma_mah", "capacity_pairs", "resistance_growth_bp", "deep_cycles",
    "age_h", "weak_cells", "leaky_cells", "cell_resistance_uohm",
)  # fmt: skip
"""The points that `shown` holds: neighbours in the table, in this order."""

_COMMON_BP2 = 70**2  # the part of an anchor's error that no number of pairs takes away
_SHOWN_CELLS = 16
_RESISTANCES = 10  # place of the first in `shown`
_REST_MS = 7200000  # TI's typical relaxation in a charged state, SLUUCH2
_REST_OF_C = 100  # a current below C/100 is rest
_POLARIZED_MS = 64000
_MINUTE_MS = 60000
_HOUR_MIN = 60
_KEEP_MIN = 360
_DAY_MIN = 1440
_AGAIN_MIN = 720  # between two anchors of one kind that are looked at
_HOT_DC = 2000
_DEEP_BP = 5000
_RISEN_BP = 3000


class Health:
    """`step` once a second; `restore` before the first one.

    resistance: of the cells (bms.resistance). kept: what must survive a power cut; keep_due: it is
    to be saved (and who did resets this).
    shown: values of POINTS. full_mah: what the full pack holds, following the capacity slowly.
    anchor: the open one: kind (0: none), soc_bp, sigma_bp, net_mah; anchor_minute: when.
    verdict, pair_mah, pair_sigma_mah: what became of the latest pair that ended full or empty, the
    pairs_seen'th (bms.capacity).
    tops, bottoms: how far each cell was from its end at the latest anchors, 0.01 %, and in the
    last place the edge (bms.cell_drift); weak_bp, leak_ua: what it holds less, and leaks.
    told: what the log knows of kept[WEAK] and kept[LEAKY].
    measuring: pairs_seen when a person asked for a measurement, -1: nobody did.
    """

    def __init__(self, points, parameters, model, log):
        offset = points.offset
        self.cells = cells = parameters.value("series_cells")
        self.model = model
        self._settings = parameters.values
        self._design = parameters.index("design_capacity_mah")
        self.design_mah = self.full_mah = 0
        self._offset = parameters.index("counter_offset_bp")
        self.kept = array("i", [0] * (CELLS + 2 * cells))
        self.shown = array("i", [INVALID] * (_RESISTANCES + _SHOWN_CELLS))
        self.anchor = array("i", [0] * 4)
        self.tops = array("i", [0] * (cells + 1))
        self.bottoms = array("i", [0] * (cells + 1))
        self.weak_bp = array("i", [0] * cells)
        self.leak_ua = array("i", [0] * cells)
        self.lacks_mah = array("i", [0] * cells)
        self.leaks_seen = 0  # mask of the cells that were judged at the latest full anchor
        self.leak_minute = 0  # when that was
        self.verdict = self.pair_mah = self.pair_sigma_mah = self.pairs_seen = 0
        self.measuring = -1
        self.keep_due = False
        self._packing = -1  # the next cell that is put into `kept`; -1: none
        self.minutes = 0  # since the start
        self.anchor_minute = 0
        self.cold_dc = self.warm_dc = 0  # extremes since the open anchor
        self._log = log
        self._current_at = offset("current_ma")
        self._cold_at = offset("temperature_min_dc")
        self._warm_at = offset("temperature_max_dc")
        self._cells_at = offset("cell_voltage_mv")
        self._work = None  # the anchor that is being looked at
        self._work_minute = 0  # when the last one was
        self._anchors = 0  # of the estimator, as seen last
        self._rest_ms = 0
        self._slow_ma = 0  # the current as the polarization sees it
        self._minute_ms = 0
        self._discharged_ah = 0  # as counted last
        self._turn_bp = 0  # highest charge since the last deep cycle, or lowest after it
        self._falling = True
        self.told = array("i", [0] * 2)
        self._start_anew()

    def _start_anew(self):
        from bms.health_record import start

        self.design_mah = self.full_mah = self._settings[self._design]
        self.resistance = Resistance(self.cells, self.model, self.design_mah)
        start(self)
        give_back("bms.health_record")
        self._show()

    def restore(self, saved):
        """Take back a `kept` of before (anything with its length and indices), if it is of this
        pack."""
        from bms.health_record import restore

        restore(self, saved)
        give_back("bms.health_record")
        self._show()

    @property
    def capacity_mah(self):
        """What the pack holds from full to empty, as well as it is known."""
        return self.kept[CAPACITY] * self.design_mah // START_MPC

    @property
    def soh_bp(self):
        """State of health in 0.01 %: capacity over design capacity, at most 100 %."""
        return min(10000, self.kept[CAPACITY] // 10)

    @property
    def cycles(self):
        """Equivalent full cycles: discharged charge over design capacity."""
        return self.kept[DISCHARGED_AH] * 1000 // self.design_mah

    def step(self, elapsed_ms, snapshot, soc, counter, bled_mah=None):
        """One turn. snapshot: the points; soc: the estimator; counter: of the charge; bled_mah:
        what balancing took from each cell since the start."""
        if self.design_mah != self._settings[self._design]:
            self._start_anew()  # other cells
        self._pass_time(elapsed_ms)
        current_ma = snapshot[self._current_at]
        if current_ma == INVALID:
            self.resistance.forget_scan()
            self._rest_ms = 0
            return
        cold_dc = snapshot[self._cold_at]
        warm_dc = snapshot[self._warm_at]
        self.cold_dc = min(self.cold_dc, cold_dc)
        self.warm_dc = max(self.warm_dc, warm_dc)
        view = memoryview(snapshot)[self._cells_at : self._cells_at + self.cells]
        self.resistance.step(elapsed_ms, view, current_ma, (cold_dc + warm_dc) // 2, soc.soc_bp)
        share_ms = min(elapsed_ms, _POLARIZED_MS)
        self._slow_ma += (current_ma - self._slow_ma) * share_ms // _POLARIZED_MS
        resting = abs(current_ma) * _REST_OF_C < self.design_mah
        restless = self._rest_ms < _REST_MS
        self._rest_ms = min(self._rest_ms + elapsed_ms, _REST_MS) if resting else 0
        self._count(soc.soc_bp, counter)
        if self._packing >= 0:
            self._pack()
        elif self._work is not None:
            if self._work.step():
                self._finish()
        elif soc.anchors != self._anchors:
            self._anchors = soc.anchors
            self._begin(soc.anchor, view, current_ma, (cold_dc + warm_dc) // 2, counter, bled_mah)
        elif restless and self._rest_ms == _REST_MS:
            self._begin(REST, view, current_ma, (cold_dc + warm_dc) // 2, counter, bled_mah)

    def open_anchor(self, kind, soc_bp, sigma_bp, net_mah):
        """From here on the next pair counts."""
        anchor = self.anchor
        anchor[0] = kind
        anchor[1] = soc_bp
        anchor[2] = sigma_bp
        anchor[3] = net_mah
        self.anchor_minute = self.minutes
        self.cold_dc = _HOT_DC  # the next turn sees
        self.warm_dc = -_HOT_DC

    def _begin(self, kind, view, current_ma, temperature_dc, counter, bled_mah):
        anchor = self.anchor
        same = anchor[0] == kind and (
            abs(counter.net_mah - anchor[3]) * 100 < self.design_mah
            and self.minutes - self._work_minute < _AGAIN_MIN
        )
        if same:  # a pack that floats at full stays there for hours
            self.open_anchor(kind, anchor[1], anchor[2], counter.net_mah)
            return
        from bms.anchoring import Anchoring

        if kind != REST:
            self._work_minute = self.minutes
        self._work = Anchoring(
            self, kind, view, (current_ma, self._slow_ma, temperature_dc, counter.net_mah),
            self._settings[self._offset], bled_mah,
        )  # fmt: skip

    def _finish(self):
        self._work = None
        for name in ("bms.anchoring", "bms.capacity", "bms.cell_drift"):
            give_back(name)
        self._packing = 0

    def _count(self, soc_bp, counter):
        """Cycles and deep cycles."""
        kept = self.kept
        kept[DISCHARGED_AH] += counter.discharged_ah - self._discharged_ah
        self._discharged_ah = counter.discharged_ah
        if (soc_bp > self._turn_bp) == self._falling:
            self._turn_bp = soc_bp
        elif self._falling and self._turn_bp - soc_bp >= _DEEP_BP:
            kept[DEEP_CYCLES] += 1
            self._falling = False
            self._turn_bp = soc_bp
        elif not self._falling and soc_bp - self._turn_bp >= _RISEN_BP:
            self._falling = True
            self._turn_bp = soc_bp

    def _pass_time(self, elapsed_ms):
        if self.kept[WEAK] != self.told[0] or self.kept[LEAKY] != self.told[1]:
            from bms.health_record import tell

            tell(self, self._log)
            give_back("bms.health_record")
        self._minute_ms += elapsed_ms
        while self._minute_ms >= _MINUTE_MS:
            self._minute_ms -= _MINUTE_MS
            self._pass_minute()

    def _pass_minute(self):
        self.minutes += 1
        kept = self.kept
        if self.minutes % _HOUR_MIN == 0:
            kept[AGE_H] += 1
        if self.minutes % _DAY_MIN == 0:
            kept[VARIANCE] = min(START_VARIANCE, kept[VARIANCE] + AGEING)
        if self.minutes % _KEEP_MIN == 0:
            self._packing = 0
        # A capacity that changes moves the state of charge by no more than 0.1 % a minute.
        most = max(1, self.design_mah // 1000)
        self.full_mah += max(-most, min(most, self.capacity_mah - self.full_mah))
        self._show()

    def _show(self):
        kept = self.kept
        shown = self.shown
        shown[0] = self.capacity_mah
        sigma_bp = root(kept[VARIANCE] + _COMMON_BP2)
        shown[1] = sigma_bp * self.design_mah // 10000
        shown[2] = kept[PAIRS]
        new_uv = sum(self.resistance.new_uv)
        if new_uv > 0:  # sums below 2**30 / 100
            shown[3] = sum(self.resistance.drop_uv) * 100 // (new_uv // 100 + 1)
        shown[4] = kept[DEEP_CYCLES]
        shown[5] = kept[AGE_H]
        shown[6] = kept[WEAK] & 0xFFFF
        shown[7] = kept[WEAK] >> 16 & 0xFFFF
        shown[8] = kept[LEAKY] & 0xFFFF
        shown[9] = kept[LEAKY] >> 16 & 0xFFFF
        learned = self.resistance.learned
        drop_uv = self.resistance.drop_uv
        design_mah = self.design_mah
        for cell in range(min(self.cells, _SHOWN_CELLS)):
            uohm = min(0xFFFE, drop_uv[cell] * 1000 // design_mah) if learned else INVALID
            shown[_RESISTANCES + cell] = uohm

    def _pack(self):
        from bms.health_record import pack

        self._packing = pack(self, self._packing)
        self.keep_due = self._packing < 0
        if self.keep_due:
            give_back("bms.health_record")


def root(value):
    """Whole square root of a value below 2**30, rounded, by Newton's method from above."""
    guess = 1 << 15
    while guess * guess > value:
        guess = (guess + value // guess) // 2
    return guess + (1 if value - guess * guess > guess else 0)
