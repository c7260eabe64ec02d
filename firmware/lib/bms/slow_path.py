"""Once a second: state of charge, limits and everything else that needs no hurry.

Runs in a coroutine and may allocate. It reads a snapshot of the points and publishes its half of
them whole; nothing it says can close a gate.
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
    "cell_voltage_mv",
)  # fmt: skip
_WRITTEN = (
    "soc_bp",
    "soc_estimate_bp",
    "soc_sigma_bp",
    "soc_quality",
    "full_age_h",
    "soh_bp",
    "remaining_mah",
    "full_mah",
    "design_mah",
    "cycles",
    "series_cells",
    "charge_voltage_limit_mv",
    "discharge_voltage_limit_mv",
    "charge_phase",
    "full_charge_requested",
    "force_charge_requested",
)


class SlowPath:
    """Reads what the fast path published; `limits` and `counter` are shared with it.

    model: of the cells (bms.cell_model). checkpoint: what somebody should keep over a reset.
    posted: pairs of point names and an array of their values (those of a vector in a row), which
    others keep up to date. health: a bms.health.Health, balance: a bms.balance_turn.BalanceTurn;
    both may be None.
    """

    def __init__(
        self, points, parameters, limits, counter, model, posted=(), health=None, balance=None
    ):
        self._points = points
        self._health = health
        self.balance = balance
        self._limits = limits
        self._counter = counter
        self._estimator = SocEstimator(parameters, model)
        self._energy = Energy()
        self.checkpoint = Checkpoint(
            self._estimator, self._energy, None if balance is None else balance.imbalance
        )
        self._settings = parameters.values
        self._series_cells = parameters.value("series_cells")  # a change waits for a restart
        self._design = parameters.index("design_capacity_mah")
        self._charging = ChargeControl(parameters, self._series_cells)
        from bms.limit_curves import SIGNALS

        give_back("bms.limit_curves")
        self._signals_at = array("H", [points.offset(name) for name in SIGNALS])
        self._read_at = {name: points.offset(name) for name in _READ}
        self._write_at = {name: points.offset(name) - points.fast_size for name in _WRITTEN}
        posted = tuple(posted) + ((ENERGY_POINTS, self._energy.values),)
        self._posted = [(_places(points, names), values) for names, values in posted]
        self._snapshot = points.new_snapshot()
        self._snapshot_view = memoryview(self._snapshot)
        self._values = array("i", [INVALID] * (len(points.live) - points.fast_size))
        self._view = memoryview(self._values)
        if health is not None:  # its points are neighbours
            limits.learn_from(health.resistance)
            first = points.offset(HEALTH_POINTS[0]) - points.fast_size
            self._health_shown = memoryview(health.shown)
            self._health_view = self._view[first : first + len(health.shown)]
        if balance is not None:
            first = points.offset(BALANCE_POINTS[0]) - points.fast_size
            self._balance_shown = memoryview(balance.shown)
            self._balance_view = self._view[first : first + len(balance.shown)]

    def turns(self, elapsed_ms):
        """Update estimate and limits from the latest measurement, if there is a valid one.

        In pieces of up to 18 ms: yields between them, so that links need not wait for the whole.
        """
        estimator = self._estimator
        yield from estimator.follow_design()
        self._points.snapshot_into(self._snapshot_view)
        health = self._health
        valid = self._read("cell_min_mv") != INVALID
        design_mah = self._settings[self._design]
        estimator.full_mah = design_mah if health is None else health.full_mah
        if valid:
            self._energy.update(self._read("power_w"), elapsed_ms)
            estimator.take(
                elapsed_ms,
                self._counter.net_mah,
                self._read("current_ma"),
                self._read("cell_min_mv"),
                self._read("cell_max_mv"),
                self._mean_dmv(),
                (self._read("temperature_min_dc") + self._read("temperature_max_dc")) // 2,
            )
            yield
            while estimator.work():
                yield
            estimator.show()
            self.checkpoint.step(elapsed_ms)
            yield
        if health is not None:  # also without a measurement: time passes
            bled_mah = None if self.balance is None else self.balance.imbalance.bled_mah
            health.step(elapsed_ms, self._snapshot, estimator, self._counter, bled_mah)
            self._write("soh_bp", health.soh_bp)
            self._write("cycles", health.cycles)
            self._health_view[0:] = self._health_shown
        if self.balance is not None:
            self.balance.step(elapsed_ms, self._snapshot, estimator.soc_bp, estimator.full_mah)
            self._balance_view[0:] = self._balance_shown
            yield
        if valid:
            self._update_limits(elapsed_ms)
        else:
            self._limits.forget()
        self._write("series_cells", self._series_cells)
        charging = self._charging
        self._write("charge_voltage_limit_mv", charging.voltage_mv)
        self._write("charge_phase", charging.phase)
        self._write("full_charge_requested", charging.full_charge_requested)
        self._write("force_charge_requested", charging.force_charge_requested)
        self._write(
            "discharge_voltage_limit_mv", self._series_cells * self._limits.discharge_cell_mv
        )
        self._write("soc_bp", estimator.soc_bp if valid else INVALID)
        self._write("soc_estimate_bp", estimator.estimate_bp if valid else INVALID)
        self._write("soc_sigma_bp", estimator.sigma_bp if valid else INVALID)
        self._write("soc_quality", estimator.quality if valid else INVALID)
        age_s = estimator.full_age_s
        self._write("full_age_h", INVALID if age_s < 0 else age_s // 3600)
        self._write("remaining_mah", estimator.remaining_mah if valid else INVALID)
        self._write("full_mah", estimator.full_mah)
        self._write("design_mah", design_mah)
        self._wait_for_charger()
        for places, values in self._posted:
            for index, place in enumerate(places):
                self._values[place] = values[index]
        self._points.publish_slow(self._view)

    def _wait_for_charger(self):
        """Contactors that a charger's voltage keeps open can only close when it comes down to the
        pack's, however empty that is; no current flows meanwhile."""
        pack_mv = self._read("pack_voltage_mv")
        if self._read("path_state") == PATH_BUS_ABOVE and pack_mv != INVALID:
            place = self._write_at["charge_voltage_limit_mv"]
            self._values[place] = min(self._values[place], pack_mv)

    def _update_limits(self, elapsed_ms):
        limits = self._limits
        signals = limits.signals
        for place in range(len(signals)):
            signals[place] = self._snapshot[self._signals_at[place]]
        signals[SOC] = self._estimator.soc_bp
        signals[PACK] //= self._series_cells
        self._charging.step(elapsed_ms, signals, limits.drop_mv, self._estimator.full_age_s)
        limits.update(
            elapsed_ms,
            self._read("limited") == 1,
            self._read("charge_allowed") == 1,
            self._read("discharge_allowed") == 1,
        )

    def _mean_dmv(self):
        """Mean cell voltage in 0.1 mV."""
        first = self._read_at["cell_voltage_mv"]
        total_mv = 0
        for cell in range(first, first + self._series_cells):
            total_mv += self._snapshot[cell]
        return total_mv * 10 // self._series_cells

    def _read(self, name):
        return self._snapshot[self._read_at[name]]

    def _write(self, name, value):
        self._values[self._write_at[name]] = value


def _places(points, names):
    """Where the values of these points go in what is published, one after the other."""
    places = array("H")
    for name in names:
        first = points.offset(name) - points.fast_size
        for slot in range(points.counts[points.index(name)]):
            places.append(first + slot)
    return places
