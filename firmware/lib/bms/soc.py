"""State of charge: exact counting, a search over all states of charge, and two anchors.

`ChargeCounter` runs in the fast path and never loses a milliampere-millisecond: whole mAh are
carried out of a small remainder, because a mA*ms counter would leave the integers that are free of
allocation after 18 minutes at 1 A (micropython.md, 3).

`SocEstimator` runs in the slow path. The counted charge is its backbone. Between the anchors
bms.cell_voltage and bms.soc_filter say where the voltage puts the pack, and how sure that is. The
highest cell's voltage, a small current and time make a pack full, and the lowest cell's make it
empty; there the voltage is no matter of opinion.
What links report moves smoothly: with the counted charge, and slowly towards the estimate
(`soc_slew_bp`); only a pack that is charged full jumps, to 100 %, which nothing else shows.

Integers below 2**30; `update` allocates nothing. Charge inside is in 0.001 % of the capacity
("mpc"), as in bms.soc_filter.
"""

from bms.cell_voltage import CellVoltage
from bms.points import QUALITY_ESTIMATING, QUALITY_SYNCED, QUALITY_UNKNOWN
from bms.soc_filter import SocFilter

_MA_MS_PER_MAH = 3600000
_MAH_PER_AH = 1000
_CHUNK_MS = 1000  # 1000 A for 1000 ms stays below 2**30
_FULL_BP = 10000
_FULL_MPC = 100000
_MPC_PER_BP = 10
_ELAPSED_MAX_MS = 60000  # a longer pause is one with a gap in the record
_PART_MAH = 10000  # times _FULL_MPC this stays below 2**30
_MINUTE_MS = 60000

_UNKNOWN_BP = 1500  # an estimate with a larger sigma is none
_SYNCED_BP = 500

START_SIGMA_BP = 200
"""Of a start that a person or a log gives without one."""

NO_ANCHOR, FULL, EMPTY = range(3)
"""What `anchor` says: the latest one."""

_AGE_MAX_S = 1 << 29
_NOT_FULL_BP = 9900  # the most that is shown before the pack is full
_TAIL_HOURS = 20  # the charge current of a full pack is below C/20
_LOAD_HOURS = 3  # above C/3 a low voltage is the load's
_LOAD_FADE_MS = 120000  # and for so long after it, that of its polarization
_BACK_SHARE = 10  # noise around no current: a tenth of the tail current flows the other way
_FULL_BAND_MV = 5  # so far the voltage may sag while the pack is already held full
_WITHIN_SLOWER = 5  # what is within sigma is corrected so many times slower
_EMPTY_FASTER = 10
_NOTHING_BP = 5000
_RESTORED_DOUBT_PERCENT = 3  # that another pack is there: one board off has its gates off
_STARTED_DOUBT_PERCENT = 12
_STOPPED_SIGMA_BP = 100  # what may have flowed while nobody counted
# What counting adds to what is kept for the next restart, in 1/1000 mpc: 2 % of the charge that
# moves, and 0.2 % of the capacity in an hour, twice what a common sensor may be wrong by.
_SURE = 1000
_SURE_GAIN = 20
_SURE_MS = 18


class ChargeCounter:
    """Charge that flowed since the processor started. Fast path; allocates nothing."""

    def __init__(self):
        self.net_mah = 0  # charged minus discharged
        self.discharged_ah = 0
        self._remainder_ma_ms = 0
        self._discharged_mah = 0

    def count(self, current_ma, elapsed_ms):
        """Add `current_ma` (charging positive, below 1000 A) flowing for `elapsed_ms`."""
        while elapsed_ms > 0:
            chunk_ms = min(elapsed_ms, _CHUNK_MS)
            elapsed_ms -= chunk_ms
            remainder = self._remainder_ma_ms + current_ma * chunk_ms
            while remainder >= _MA_MS_PER_MAH:
                remainder -= _MA_MS_PER_MAH
                self.net_mah += 1
            while remainder <= -_MA_MS_PER_MAH:
                remainder += _MA_MS_PER_MAH
                self.net_mah -= 1
                self._discharged_mah += 1
                if self._discharged_mah >= _MAH_PER_AH:
                    self._discharged_mah -= _MAH_PER_AH
                    self.discharged_ah += 1
            self._remainder_ma_ms = remainder


class SocEstimator:
    """What the pack holds. model: of its cells (bms.cell_model).

    soc_bp: what is reported; estimate_bp, sigma_bp: the estimate and its standard deviation;
    quality: of bms.points.QUALITIES; remaining_mah; full_mah: what the full pack holds (others may
    correct it); anchors: how many there were; anchor: the latest (NO_ANCHOR, FULL or EMPTY);
    full_age_s: since the pack was full, and below 0 if nobody has seen it full: -1 less the time
    that it was watched; found: whether there is an estimate at all yet, else the attributes mean
    nothing.
    """

    def __init__(self, parameters, model):
        self._values = parameters.values
        self._design = parameters.index("design_capacity_mah")
        self._full_cell = parameters.index("full_cell_mv")
        self._full_current = parameters.index("full_current_ma")
        self._full_hold = parameters.index("full_hold_s")
        self._empty_cell = parameters.index("empty_cell_mv")
        self._empty_hold = parameters.index("empty_hold_s")
        self._slew = parameters.index("soc_slew_bp")
        self._model = model
        self._full_ms = 0  # how long the pack has looked full
        self._empty_ms = 0  # how long the pack has looked empty
        self._heavy_ms = 0  # how long the latest heavy load still shows
        self._held = False  # at an anchor
        # Of the measurement that was taken, for `work` and `show`
        self._block = False  # the voltage has a block for the filter
        self._works = 0  # parts of the filter's work still to do
        self._elapsed_ms = 0
        self._moved_mpc = 0
        self._full = False
        self._counted_mah = 0  # the counter at the last update
        self._rest = 0  # of mAh * _FULL_MPC over full_mah
        self._slew_rest = 0
        self._sure = 0  # sigma without the doubt of the latest restart; 0: there is none
        self._age_ms = 0
        self._shown_mpc = 0
        self._estimate_mpc = 0
        self.sigma_bp = _NOTHING_BP
        self.anchors = 0
        self.anchor = NO_ANCHOR
        self.full_age_s = -1
        self._filter = SocFilter(model)
        self._take_design()
        self.start(_FULL_BP // 2, _NOTHING_BP, 100)
        self.found = False  # nothing was shown yet from where to move slowly

    def follow_design(self):
        """Another design capacity: another pack, whose percentage is as good a guess as any.
        Yields between pieces of up to 11 ms; nothing else is asked meanwhile."""
        if self.design_mah == self._values[self._design]:
            return
        soc_bp = self.estimate_bp
        sigma_bp = self.sigma_bp
        self._take_design()
        yield from self._filter.starting(soc_bp * _MPC_PER_BP, sigma_bp, _STARTED_DOUBT_PERCENT)
        self._begin_at(soc_bp, soc_bp, self._filter.sigma_bp)

    def _take_design(self):
        self.design_mah = self._values[self._design]
        self.full_mah = self.design_mah
        self._rest = 0
        self._voltage = CellVoltage(self._model, self.design_mah)

    def start(self, soc_bp, sigma_bp, doubt_percent=_STARTED_DOUBT_PERCENT):
        """Begin with what a person or a log says. doubt_percent: how likely that is wrong."""
        self._filter.start(soc_bp * _MPC_PER_BP, sigma_bp, doubt_percent)
        self._begin_at(soc_bp, soc_bp, self._filter.sigma_bp)

    def restore(self, soc_bp, estimate_bp, sigma_bp, branch, anchor, full_age_s):
        """Go on after a reset with what `kept` gave; the time in between is not known."""
        sigma_bp += _STOPPED_SIGMA_BP
        self._filter.start(estimate_bp * _MPC_PER_BP, sigma_bp, _RESTORED_DOUBT_PERCENT, True)
        self._voltage.restore_branch(branch)
        self._begin_at(soc_bp, estimate_bp, sigma_bp)
        self._sure = sigma_bp * _MPC_PER_BP * _SURE
        self.anchor = anchor
        self.full_age_s = full_age_s

    def _begin_at(self, soc_bp, estimate_bp, sigma_bp):
        self._shown_mpc = soc_bp * _MPC_PER_BP
        self._estimate_mpc = estimate_bp * _MPC_PER_BP
        self.sigma_bp = sigma_bp
        self._sure = 0
        self.found = True

    @property
    def soc_bp(self):
        """What is reported, in 0.01 %: 10000 only when the pack was charged full."""
        return self._shown_mpc // _MPC_PER_BP

    @property
    def kept_sigma_bp(self):
        """Sigma to keep for the next start: not the doubt that each restart brings, or a few of
        them would make a pack that was just full an unknown one."""
        return self._sure // (_MPC_PER_BP * _SURE) if self._sure else self.sigma_bp

    @property
    def estimate_bp(self):
        """The estimate in 0.01 %."""
        return self._estimate_mpc // _MPC_PER_BP

    @property
    def remaining_mah(self):
        """What is reported, as charge."""
        return self.full_mah // _FULL_BP * self.soc_bp + (
            self.full_mah % _FULL_BP * self.soc_bp // _FULL_BP
        )

    @property
    def quality(self):
        """How sure the estimate is."""
        if self.sigma_bp > _UNKNOWN_BP:
            return QUALITY_UNKNOWN
        if self.anchor != NO_ANCHOR and self.sigma_bp <= _SYNCED_BP:
            return QUALITY_SYNCED
        return QUALITY_ESTIMATING

    @property
    def branch(self):
        """Of the hysteresis, as bms.cell_model says."""
        return self._voltage.latest_branch()

    def update(
        self,
        elapsed_ms,
        net_mah,
        current_ma,
        cell_min_mv,
        cell_max_mv,
        mean_dmv,
        temperature_dc,
    ):
        """Take one good measurement, with all the work that it brings: see `take`."""
        self.take(
            elapsed_ms, net_mah, current_ma, cell_min_mv, cell_max_mv, mean_dmv, temperature_dc
        )
        while self.work():
            pass
        self.show()

    def take(
        self,
        elapsed_ms,
        net_mah,
        current_ma,
        cell_min_mv,
        cell_max_mv,
        mean_dmv,
        temperature_dc,
    ):
        """Take one good measurement; `net_mah` is the counter's, `mean_dmv` the mean cell's
        voltage in 0.1 mV. Then `work` until it returns False, then `show`."""
        if self.design_mah != self._values[self._design]:
            for _ in self.follow_design():  # by those who did not care to wait for it
                pass
        moved_mpc = self._count(net_mah)
        if not self.found:  # nothing better yet than a voltage that may not have rested
            estimate_bp = self._model.soc_bp(mean_dmv, 0, temperature_dc)
            self._shown_mpc = self._estimate_mpc = estimate_bp * _MPC_PER_BP
        elapsed_ms = max(1, min(_ELAPSED_MAX_MS, elapsed_ms))
        self._grow_older(elapsed_ms)
        if self._sure:
            self._sure += abs(moved_mpc) * _SURE_GAIN + elapsed_ms // _SURE_MS
        block = self._voltage.step(elapsed_ms, moved_mpc, current_ma, mean_dmv, temperature_dc)
        full = self._looks_full(elapsed_ms, current_ma, cell_max_mv)
        if full:
            self._hold(FULL, block)
        elif self._looks_empty(elapsed_ms, current_ma, cell_min_mv):
            self._hold(EMPTY, block)
        else:
            self._held = False
            self._block = block
            self._works = 1 + elapsed_ms // 1001
        self._elapsed_ms = elapsed_ms
        self._moved_mpc = moved_mpc
        self._full = full

    def work(self):
        """Do a part of what the measurement brings to the filter: its block, and a part of the
        filter's work for every second. Returns whether there is more. Up to 15 ms on an RP2040."""
        if self._block:
            if self._filter.busy:
                self._work()
                return True
            self._block = False
            self._filter.add(self._voltage)
            self._works -= 1
        elif self._works > 0 and self._filter.busy:
            self._works -= 1
            self._work()
        return self._works > 0 and self._filter.busy

    def show(self):
        """Report what the measurement and the work came to."""
        self._show(self._elapsed_ms, self._moved_mpc, self._full)

    def _count(self, net_mah):
        """Exact share of the capacity that the counted charge is, in mpc."""
        moved_mah = net_mah - self._counted_mah
        self._counted_mah = net_mah
        moved_mpc = 0
        while moved_mah != 0:  # in one go, but for what flowed while nothing was measured
            part_mah = max(-_PART_MAH, min(_PART_MAH, moved_mah))
            moved_mah -= part_mah
            charge = self._rest + part_mah * _FULL_MPC
            part_mpc = charge // self.full_mah
            self._rest = charge - part_mpc * self.full_mah
            moved_mpc += part_mpc
        moved_mpc = max(-_FULL_MPC, min(_FULL_MPC, moved_mpc))
        self._estimate_mpc = max(0, min(_FULL_MPC, self._estimate_mpc + moved_mpc))
        return moved_mpc

    def _grow_older(self, elapsed_ms):
        self._age_ms += elapsed_ms
        seconds = self._age_ms // 1000
        self._age_ms -= seconds * 1000
        if self.full_age_s < 0:
            self.full_age_s = max(-_AGE_MAX_S, self.full_age_s - seconds)
        else:
            self.full_age_s = min(_AGE_MAX_S, self.full_age_s + seconds)

    def _looks_full(self, elapsed_ms, current_ma, cell_max_mv):
        values = self._values
        tail_ma = min(values[self._full_current], max(1, self.full_mah // _TAIL_HOURS))
        held = self._full_ms > 0
        if (
            cell_max_mv >= values[self._full_cell] - (_FULL_BAND_MV if held else 0)
            and -tail_ma // _BACK_SHARE <= current_ma < tail_ma
        ):
            hold_ms = values[self._full_hold] * 1000
            self._full_ms = min(hold_ms, self._full_ms + elapsed_ms)
            return self._full_ms >= hold_ms
        self._full_ms = 0
        return False

    def _looks_empty(self, elapsed_ms, current_ma, cell_min_mv):
        values = self._values
        small_ma = -(self.full_mah // _LOAD_HOURS)
        self._heavy_ms = max(0, self._heavy_ms - elapsed_ms)
        if current_ma < small_ma:
            self._heavy_ms = _LOAD_FADE_MS
        if (
            cell_min_mv <= values[self._empty_cell]
            and small_ma <= current_ma < 0
            and self._heavy_ms == 0
        ):
            hold_ms = values[self._empty_hold] * 1000
            self._empty_ms = min(hold_ms, self._empty_ms + elapsed_ms)
            return self._empty_ms >= hold_ms
        self._empty_ms = 0
        return False

    def _hold(self, anchor, block):
        """The pack is at an end, and stays there while it looks so."""
        full = anchor == FULL
        if not self._held:
            self._held = True
            self.anchors += 1
            self.anchor = anchor
            self._filter.anchor(full)
            self._voltage.skip()
        elif block:
            self._voltage.skip()
        self._estimate_mpc = _FULL_MPC if full else 0
        self.sigma_bp = self._filter.sigma_bp
        self._sure = 0
        if full:
            self.full_age_s = 0

    def _work(self):
        if self._filter.work():
            estimate_mpc = self._filter.estimate_mpc + self._voltage.since_block_mpc()
            self._estimate_mpc = max(0, min(_FULL_MPC, estimate_mpc))
            self.sigma_bp = self._filter.sigma_bp
            away = abs(self._estimate_mpc - self._shown_mpc) * _SURE
            if not away <= self._sure < self.sigma_bp * _MPC_PER_BP * _SURE:
                self._sure = 0  # the filter went elsewhere, or knows better by now
            self._voltage.slope_dmv = self._filter.slope_dmv
            if not self.found:
                self.found = True
                self._shown_mpc = self._estimate_mpc

    def _show(self, elapsed_ms, moved_mpc, full):
        """Move what is reported with the charge, and slowly towards the estimate."""
        shown = self._shown_mpc + moved_mpc
        off = self._estimate_mpc - shown
        slew = self._values[self._slew] * elapsed_ms * _MPC_PER_BP + self._slew_rest
        if self._empty_ms >= self._values[self._empty_hold] * 1000:
            slew *= _EMPTY_FASTER
        elif abs(off) <= self.sigma_bp * _MPC_PER_BP:
            slew = slew // _WITHIN_SLOWER
        step = slew // _MINUTE_MS
        self._slew_rest = slew - step * _MINUTE_MS
        shown += max(-step, min(step, off))
        most = _FULL_MPC if full else max(_NOT_FULL_BP * _MPC_PER_BP, self._shown_mpc)
        self._shown_mpc = _FULL_MPC if full else max(0, min(most, shown))
