"""What the slow path knows and would not know again after a reset or a power cut.

`due` says when it is worth a write to flash: the charge moved, or became much surer, or an anchor
came; never twice within five seconds. So up to 2C a power cut costs less than 0.5 %, and a full
cycle is at most 572 writes (docs/storage.md says what that means for the flash). Who writes calls
`kept` for names and whole numbers, and `written` if that worked; after a start `restore` takes
them back.

Slow path and start-up code; `kept` allocates, the others do not.
"""

MOVED_BP = 35
_PAUSE_MS = 5000
_AGE_S = 6 * 3600  # a pack at rest: only the time since full goes on
_UNKNOWN = -1
_FULL_BP = 10000

_SOC = ("soc_bp", "soc_estimate_bp", "soc_sigma_bp", "hysteresis_branch", "anchor", "full_age_s")


class Checkpoint:
    """Of an estimator (bms.soc.SocEstimator), of the energy totals (bms.energy), and of the cells'
    imbalance (bms.imbalance), if there is one; restored: whether the estimator goes on from
    before. moved_bp: how far the charge moves between two writes, in 0.01 %."""

    def __init__(self, estimator, energy, imbalance=None):
        self._estimator = estimator
        self._energy = energy
        self._imbalance = imbalance
        self._pause_ms = 0
        self._soc_bp = _UNKNOWN
        self._estimate_bp = _UNKNOWN
        self._sigma_bp = 0
        self._anchors = 0
        self._full_age_s = 0
        self.due = False
        self.restored = False
        self.moved_bp = MOVED_BP

    def step(self, elapsed_ms):
        """After the estimator's update."""
        self._pause_ms = min(_PAUSE_MS, self._pause_ms + elapsed_ms)
        estimator = self._estimator
        if self._pause_ms < _PAUSE_MS or not estimator.found:
            return
        self.due = (
            abs(estimator.soc_bp - self._soc_bp) >= self.moved_bp
            or abs(estimator.estimate_bp - self._estimate_bp) >= self.moved_bp
            or estimator.sigma_bp * 2 <= self._sigma_bp
            or estimator.anchors != self._anchors
            or abs(estimator.full_age_s - self._full_age_s) >= _AGE_S
        )

    def kept(self):
        """Names and whole numbers to keep."""
        estimator = self._estimator
        kept = {
            "capacity_mah": estimator.design_mah,
            "soc_bp": estimator.soc_bp,
            "soc_estimate_bp": estimator.estimate_bp,
            "soc_sigma_bp": estimator.kept_sigma_bp,
            "hysteresis_branch": estimator.branch,
            "anchor": estimator.anchor,
            "full_age_s": estimator.full_age_s,
        }
        self._energy.keep(kept)
        if self._imbalance is not None:
            self._imbalance.keep(kept)
        return kept

    def written(self):
        """What `kept` gave is in the flash."""
        estimator = self._estimator
        self._soc_bp = estimator.soc_bp
        self._estimate_bp = estimator.estimate_bp
        self._sigma_bp = estimator.sigma_bp
        self._anchors = estimator.anchors
        self._full_age_s = estimator.full_age_s
        self._pause_ms = 0
        self.due = False

    def restore(self, values):
        """Go on from what was kept; `values` may be empty, or another pack's."""
        estimator = self._estimator
        if values.get("capacity_mah") != estimator.design_mah:
            return
        self._energy.restore(values)
        if self._imbalance is not None:
            self._imbalance.restore(values)
        given = [values.get(name) for name in _SOC]
        if None not in given and min(given[:3]) >= 0 and max(given[:3]) <= _FULL_BP:
            estimator.restore(*given)
            self.restored = True
