"""One turn of imbalance and balancing: from a snapshot of the points to what is shown of them.

Slow path. Built only where a cell model and a configuration are there.
"""

from array import array

from bms.balancing import Balancing
from bms.imbalance import Imbalance
from bms.table import INVALID

POINTS = ("imbalance_mah", "balancing_state", "balancing_loss_mwh", "balance_suspect")
"""The points that `shown` holds: neighbours in the table, in this order."""

_READS = (
    "cell_max_index", "cell_min_index", "current_ma", "temperature_min_dc", "temperature_max_dc",
    "board_temperature_dc", "afe_temperature_dc",
)  # fmt: skip
_HIGHEST, _LOWEST, _CURRENT, _COLDEST, _WARMEST, _BOARD, _CHIP = range(len(_READS))
_SLOTS = 16  # cells that the point has room for: of more, the first are shown


class BalanceTurn:
    """`bleeder` is the fast path's (bms.bleeder); `rules` are the chip's (bms.balancing).

    imbalance, balancing: who does the work; shown: values of POINTS.
    """

    def __init__(self, points, parameters, model, bleeder, rules):
        self.imbalance = Imbalance(parameters.value("series_cells"), model)
        self.balancing = Balancing(parameters, self.imbalance, bleeder, rules)
        self.shown = array("i", [INVALID] * (_SLOTS + len(POINTS) - 1))
        self._reads = array("H", [points.offset(name) for name in _READS])
        self._level_uah = 0
        self._cells_at = points.offset("cell_voltage_mv")

    def step(self, elapsed_ms, snapshot, soc_bp, full_mah):
        """One turn; without a valid measurement in the snapshot nothing is bled."""
        reads = self._reads
        current_ma = snapshot[reads[_CURRENT]]
        if current_ma == INVALID:
            self.balancing.unmeasured()
        else:
            highest = snapshot[reads[_HIGHEST]]
            lowest = snapshot[reads[_LOWEST]]
            warmest_dc = snapshot[reads[_WARMEST]]
            self.imbalance.step(
                elapsed_ms, snapshot, self._cells_at, highest, lowest, current_ma, warmest_dc,
                full_mah,
            )  # fmt: skip
            self.balancing.step(
                elapsed_ms,
                snapshot,
                self._cells_at,
                snapshot[self._cells_at + lowest],
                snapshot[self._cells_at + highest],
                current_ma,
                max(snapshot[reads[_BOARD]], snapshot[reads[_CHIP]]),
                snapshot[reads[_COLDEST]],
                warmest_dc,
                soc_bp,
            )
        self._show()

    def _show(self):
        """One cell a turn, and the state."""
        imbalance = self.imbalance
        cell = imbalance.turn
        mah = INVALID
        if cell == 0:
            self._level_uah = imbalance.level_uah()
        if imbalance.is_known(cell):
            mah = (imbalance.charge_uah[cell] - self._level_uah) // 1000
        if cell < _SLOTS:
            self.shown[cell] = mah
        self.shown[_SLOTS] = self.balancing.state
        self.shown[_SLOTS + 1] = self.balancing.loss_mwh
        self.shown[_SLOTS + 2] = self.balancing.suspect
