"""An anchor is looked at: where the cells stand, the pair that it closes, the next that it opens.

The scan of that moment is kept and looked at cell by cell, one a turn, since each takes more than
1 ms of an RP2040; then the results go to bms.capacity and bms.cell_drift. Bound to one Health.
Imported for a moment and given back.
"""

from array import array

from bms import capacity, cell_drift
from bms.health import DEVIATION, LEAK_COUNT, LEAKY, PAIRS, REST, WEAK, root
from bms.resistance import REFERENCE_DC
from bms.soc import EMPTY, FULL

_SIGMA_BP = 70  # of a full or an empty cell: a pair of them is good to 1 %
_REST_SLOPE_BP = 200  # to both sides, where the slope of the curve is looked at
_REST_SIGMA_BP = 300  # more is the flat region
_FULL_BP = 10000
_LEAK_MIN = 720  # minutes between full anchors that are compared


class Anchoring:
    """`step` until it is True. moment: (current, polarizing current, temperature, net_mah)."""

    def __init__(self, health, kind, view, moment, offset_bp_per_h, bled_mah):
        self._health = health
        self._kind = kind
        self._scan = array("i", view)
        self._moment = moment
        self._offset_bp = offset_bp_per_h
        self._bled_mah = bled_mah
        self._cell = -1
        self._weighs = False

    def step(self):
        """One cell. True once all is done."""
        if self._kind == REST:
            self._rest()
            return True
        health = self._health
        temperature_dc = self._moment[2]
        full = self._kind == FULL
        places = health.tops if full else health.bottoms
        cell = self._cell
        self._cell += 1
        if cell < 0:
            places[-1] = cell_drift.edge_bp(health.model, full, temperature_dc)
        elif cell < health.cells:
            places[cell] = cell_drift.place(
                health.model,
                full,
                self._scan[cell] * 10 - self._drop_dmv(cell),
                temperature_dc,
                places[-1],
            )
        elif cell == health.cells:
            # The first cell at the end is what ends the charge or the discharge of the pack.
            distance = min(places[:-1])
            opposite = health.anchor[0] == (EMPTY if full else FULL)
            taken = self._close(_FULL_BP - distance if full else distance, _SIGMA_BP)
            self._weighs = taken and opposite
        elif self._weighs:
            self._weighs = False
            self._weigh()
        else:
            if full:
                self._track()
            return True
        return False

    def _drop_dmv(self, cell):
        """By its own resistance, and by the polarization that the cell model has."""
        health = self._health
        model = health.model
        fast_ma, slow_ma, temperature_dc, _ = self._moment
        hot_uohm = model.r0_uohm(temperature_dc, health.design_mah)
        own_uohm = health.resistance.uohm(cell) * hot_uohm
        own_uohm //= model.r0_uohm(REFERENCE_DC, health.design_mah)
        slow_uohm = hot_uohm * sum(model.rc_permille) // 1000
        return (own_uohm * (fast_ma // 10) + slow_uohm * (slow_ma // 10)) // 10000

    def _rest(self):
        """At rest, between the two branches of the curve, where it is steep enough."""
        health = self._health
        model = health.model
        temperature_dc = self._moment[2]
        scan = self._scan
        mean_dmv = sum(scan) * 10 // len(scan)
        low_bp = model.soc_bp(mean_dmv, 1000, temperature_dc)
        high_bp = model.soc_bp(mean_dmv, -1000, temperature_dc)
        soc_bp = (low_bp + high_bp) // 2
        rise_dmv = model.ocv_dmv(soc_bp + _REST_SLOPE_BP, 0, temperature_dc) - model.ocv_dmv(
            soc_bp - _REST_SLOPE_BP, 0, temperature_dc
        )
        spread_dmv = (max(scan) - min(scan)) * 10 // 2
        noise_dmv = model.error_dmv + spread_dmv
        sigma_bp = abs(high_bp - low_bp) // 2 + noise_dmv * 2 * _REST_SLOPE_BP // max(1, rise_dmv)
        if sigma_bp <= _REST_SIGMA_BP:
            self._close(soc_bp, sigma_bp)

    def _close(self, soc_bp, sigma_bp):
        """The open anchor and this one are a pair; whether it was taken."""
        health = self._health
        opened = health.anchor
        net_mah = self._moment[3]
        verdict = capacity.SAME_END
        mah = sigma_mah = 0
        hours = (health.minutes - health.anchor_minute) // 60 + 1
        if opened[0]:
            verdict, mah, sigma_mah = capacity.take(
                health.kept,
                health.design_mah,
                opened,
                (self._kind, soc_bp, sigma_bp),
                (net_mah - opened[3], hours, health.cold_dc, health.warm_dc),
                self._offset_bp,
            )
        if verdict != capacity.SAME_END and self._kind != REST:
            health.verdict = verdict
            health.pair_mah = mah
            health.pair_sigma_mah = sigma_mah
            health.pairs_seen += 1
        # A full or empty anchor is not given up for a rest, which says less, while it is young.
        if self._kind != REST or opened[0] in (0, REST) or verdict == capacity.TOO_LONG:
            health.open_anchor(self._kind, soc_bp, sigma_bp, net_mah)
        return verdict == capacity.TAKEN

    def _weigh(self):
        health = self._health
        kept = health.kept
        edges = (health.tops[-1], health.bottoms[-1])
        first = not any(health.weak_bp)
        cell_drift.weigh(health.tops[:-1], health.bottoms[:-1], edges, health.weak_bp, first)
        if kept[PAIRS] > 1:
            kept[WEAK] = cell_drift.weak(health.weak_bp, kept[WEAK])

    def _track(self):
        health = self._health
        kept = health.kept
        minutes = health.minutes - health.leak_minute
        if health.leaks_seen and minutes < _LEAK_MIN:
            return
        hours = (minutes + 30) // 60
        count = kept[LEAK_COUNT] + (1 if health.leaks_seen or not kept[LEAK_COUNT] else 0)
        capacity_mah = health.capacity_mah
        missing_mah = [top * capacity_mah // _FULL_BP for top in health.tops]
        edge_mah = missing_mah.pop()
        judged, deviation = cell_drift.track(
            missing_mah, edge_mah, self._bled_mah, hours, count, health.leaks_seen,
            health.lacks_mah, health.leak_ua,
        )  # fmt: skip
        if health.leaks_seen and judged:
            old = kept[DEVIATION]
            kept[DEVIATION] = old + (deviation - old) // 4 if old else deviation
            kept[LEAKY] = cell_drift.leaky(
                health.leak_ua, count, kept[DEVIATION], hours, kept[LEAKY], root
            )
        if judged:
            kept[LEAK_COUNT] = count
        health.leaks_seen = judged
        health.leak_minute = health.minutes
