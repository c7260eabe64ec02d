"""Once a second: state of charge, limits and everything else that needs no hurry.

Runs in a coroutine and may allocate. It reads a snapshot of what the fast path published, and
publishes its half of the points whole; nothing it says can close a gate.
"""

from array import array

from bms.balance_turn import POINTS as BALANCE_POINTS
from bms.charge_control import ChargeControl
from bms.checkpoint import Checkpoint
from bms.energy import POINTS as ENERGY_POINTS
from bms.energy import Energy
from bms.health import POINTS as HEALTH_POINTS
from bms.limits import PACK, SOC
from bms.points import PATH_BUS_ABOVE
from bms.soc import SocEstimator
from bms.table import INVALID, give_back

_READ = (
    "current_ma", "cell_min_mv", "cell_max_mv", "temperature_min_dc", "temperature_max_dc",
    "limited", "charge_allowed", "discharge_allowed", "pack_voltage_mv", "path_state", "power_w",
)  # fmt: skip
# Of these nothing is known without a measurement ...
_ESTIMATED = ("soc_bp", "soc_estimate_bp", "soc_sigma_bp", "soc_quality", "remaining_mah")
# ... and of these something always.
_KNOWN = (
    "full_age_h", "soh_bp", "full_mah", "design_mah", "cycles", "series_cells",
    "charge_voltage_limit_mv", "discharge_voltage_limit_mv", "charge_phase",
    "full_charge_requested", "force_charge_requested",
)  # fmt: skip


class SlowPath:
    """Reads what the fast path published; `limits` and `counter` are shared with it.

    model: of the cells (bms.cell_model). checkpoint: what somebody should keep over a reset.
    posted: pairs of point names and an array of their values (those of a vector in a row), which
    others keep up to date. health: a bms.health.Health, balance: a bms.balance_turn.BalanceTurn.
    """

    def __init__(self, points, parameters, limits, counter, model, posted, health, balance):
        self._points = points
        self._health = health
        self.balance = balance
        self._limits = limits
        self._counter = counter
        self._estimator = SocEstimator(parameters, model)
        self._energy = Energy()
        self.checkpoint = Checkpoint(self._estimator, self._energy, balance.imbalance)
        self._settings = parameters.values
        self._series_cells = parameters.value("series_cells")  # a change waits for a restart
        self._design = parameters.index("design_capacity_mah")
        self._charging = ChargeControl(parameters, self._series_cells)
        from bms.limit_curves import SIGNALS

        give_back("bms.limit_curves")
        self._signals_at = array("H", [points.offset(name) for name in SIGNALS[:SOC]])
        self._read_at = array("H", [points.offset(name) for name in _READ])
        self._cells_at = points.offset("cell_voltage_mv")
        self._estimated_at = _places(points, _ESTIMATED)
        self._known_at = _places(points, _KNOWN)
        posted = tuple(posted) + ((ENERGY_POINTS, self._energy.values),)
        self._posted = [(_places(points, names), values) for names, values in posted]
        self._snapshot = array("i", [INVALID] * points.fast_size)
        self._snapshot_view = memoryview(self._snapshot)
        self._values = array("i", [INVALID] * (len(points.live) - points.fast_size))
        self._view = memoryview(self._values)
        limits.learn_from(health.resistance)
        first = points.offset(HEALTH_POINTS[0]) - points.fast_size  # its points are neighbours
        self._health_shown = memoryview(health.shown)
        self._health_view = self._view[first : first + len(health.shown)]
        first = points.offset(BALANCE_POINTS[0]) - points.fast_size
        self._balance_shown = memoryview(balance.shown)
        self._balance_view = self._view[first : first + len(balance.shown)]

    def turns(self, elapsed_ms):
        """Update estimate and limits from the latest measurement, if there is a valid one.

        In pieces of up to 18 ms: yields between them, so that links need not wait for the whole.
        """
        estimator = self._estimator
        yield from estimator.follow_design()
        snapshot = self._snapshot
        self._points.fast_into(self._snapshot_view)
        (
            current_ma, cell_min_mv, cell_max_mv, cold_dc, warm_dc,
            limited, charge_allowed, discharge_allowed, pack_mv, path_state, power_w,
        ) = [snapshot[place] for place in self._read_at]  # fmt: skip
        health = self._health
        balance = self.balance
        valid = cell_min_mv != INVALID
        estimator.full_mah = health.full_mah
        if valid:
            self._energy.update(power_w, elapsed_ms)
            estimator.take(
                elapsed_ms,
                self._counter.net_mah,
                current_ma,
                cell_min_mv,
                cell_max_mv,
                self._mean_dmv(),
                (cold_dc + warm_dc) // 2,
            )
            yield
            while estimator.work():
                yield
            estimator.show()
            self.checkpoint.step(elapsed_ms)
            yield
        # Also without a measurement: time passes.
        health.step(elapsed_ms, snapshot, estimator, self._counter, balance.imbalance.bled_mah)
        self._health_view[0:] = self._health_shown
        balance.step(elapsed_ms, snapshot, estimator.soc_bp, estimator.full_mah)
        self._balance_view[0:] = self._balance_shown
        yield
        limits = self._limits
        charging = self._charging
        if valid:
            self._take_signals(limits.signals)
            charging.step(elapsed_ms, limits.signals, limits.drop_mv, estimator.full_age_s)
            limits.update(elapsed_ms, limited == 1, charge_allowed == 1, discharge_allowed == 1)
        else:
            limits.forget()
        charge_mv = charging.voltage_mv
        if path_state == PATH_BUS_ABOVE and pack_mv != INVALID:
            # Contactors that a charger's voltage keeps open can only close when it comes down to
            # the pack's, however empty that is; no current flows meanwhile.
            charge_mv = min(charge_mv, pack_mv)
        age_s = estimator.full_age_s
        self._write(
            self._estimated_at,
            (
                estimator.soc_bp,
                estimator.estimate_bp,
                estimator.sigma_bp,
                estimator.quality,
                estimator.remaining_mah,
            )
            if valid
            else [INVALID] * len(self._estimated_at),
        )
        self._write(
            self._known_at,
            (
                INVALID if age_s < 0 else age_s // 3600,
                health.soh_bp,
                estimator.full_mah,
                self._settings[self._design],
                health.cycles,
                self._series_cells,
                charge_mv,
                self._series_cells * limits.discharge_cell_mv,
                charging.phase,
                charging.full_charge_requested,
                charging.force_charge_requested,
            ),
        )
        for places, values in self._posted:
            self._write(places, values)
        self._points.publish_slow(self._view)

    def _take_signals(self, signals):
        for place, at in enumerate(self._signals_at):
            signals[place] = self._snapshot[at]
        signals[SOC] = self._estimator.soc_bp
        signals[PACK] //= self._series_cells

    def _mean_dmv(self):
        """Mean cell voltage in 0.1 mV."""
        cells = self._snapshot_view[self._cells_at : self._cells_at + self._series_cells]
        return sum(cells) * 10 // self._series_cells

    def _write(self, places, values):
        for index, place in enumerate(places):
            self._values[place] = values[index]


def _places(points, names):
    """Where the values of these points go in what is published, one after the other."""
    places = array("H")
    for name in names:
        first = points.offset(name) - points.fast_size
        for slot in range(points.counts[points.index(name)]):
            places.append(first + slot)
    return places
