"""State of charge, first version: exact counting between a full and an empty anchor.

`ChargeCounter` runs in the fast path and never loses a milliampere-millisecond: whole mAh are
carried out of a small remainder, because a mA*ms counter would leave the integers that are free of
allocation after 18 minutes at 1 A (micropython.md, 3).
`SocEstimator` runs in the slow path; a better estimator keeps its `update` and its attributes.
"""

_MA_MS_PER_MAH = 3600000
_MAH_PER_AH = 1000
_CHUNK_MS = 1000  # 1000 A for 1000 ms stays below 2**30
_FULL_BP = 10000
_START_BP = 5000
FULL = 1
EMPTY = 2
"""Kinds of anchors."""


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
    """Remaining charge from the counter and two anchors. Slow path.

    Until the first anchor it starts from half full, because a resting voltage says little about a
    flat LiFePO4 curve (estimation.md, section 3.1).
    """

    def __init__(self, parameters):
        self._values = parameters.values
        self._design = parameters.index("design_capacity_mah")
        self._full_cell = parameters.index("full_cell_mv")
        self._full_current = parameters.index("full_current_ma")
        self._full_hold = parameters.index("full_hold_s")
        self._empty_cell = parameters.index("empty_cell_mv")
        self._empty_hold = parameters.index("empty_hold_s")
        self._full_ms = 0  # how long the pack has looked full
        self._empty_ms = 0  # how long the pack has looked empty
        self._counted_mah = 0  # the counter at the last update
        self.anchors = 0  # how often the pack became full or empty
        self.anchor = 0  # which of them was the latest
        self.full_mah = self._values[self._design]  # anybody may change it
        self._scaled_mah = self.full_mah  # to which remaining_mah belongs
        self.remaining_mah = self.full_mah * _START_BP // _FULL_BP
        self.full_age_s = -1  # since the pack was full; -1: not since the start
        self._age_ms = 0

    @property
    def soc_bp(self):
        """State of charge in 0.01 %, 0 to 10000."""
        return self.remaining_mah * _FULL_BP // self.full_mah

    def update(self, elapsed_ms, net_mah, current_ma, cell_min_mv, cell_max_mv):
        """Take one good measurement; `net_mah` is the counter's."""
        values = self._values
        if self._scaled_mah != self.full_mah:
            self.remaining_mah = self.remaining_mah * self.full_mah // self._scaled_mah
            self._scaled_mah = self.full_mah
        self.remaining_mah += net_mah - self._counted_mah
        self._counted_mah = net_mah
        looks_full = (
            cell_max_mv >= values[self._full_cell] and 0 <= current_ma < values[self._full_current]
        )
        looks_empty = cell_min_mv <= values[self._empty_cell] and current_ma < 0
        full_before = self._is_full()
        empty_before = self._is_empty()
        self._full_ms = self._full_ms + elapsed_ms if looks_full else 0
        self._empty_ms = self._empty_ms + elapsed_ms if looks_empty else 0
        if self.full_age_s >= 0:
            self._age_ms += elapsed_ms
            self.full_age_s += self._age_ms // 1000
            self._age_ms %= 1000
        if self._is_full():
            self.full_age_s = 0
            self.remaining_mah = self.full_mah
            self._note(FULL, full_before)
        if self._is_empty():
            self.remaining_mah = 0
            self._note(EMPTY, empty_before)
        self.remaining_mah = max(0, min(self.full_mah, self.remaining_mah))

    def _is_full(self):
        return self._full_ms >= self._values[self._full_hold] * 1000

    def _is_empty(self):
        return self._empty_ms >= self._values[self._empty_hold] * 1000

    def _note(self, kind, before):
        if not before:
            self.anchors += 1
            self.anchor = kind
