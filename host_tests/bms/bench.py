"""A battery on a bench: tables, fake chip and a clock of its own, for tests on any Python.

bench = Bench(cell_overvoltage_delay_ms=300)
bench.start()               # programmed, measured, gates on
bench.chip.cell_mv[2] = 3700
bench.run(500)
assert bench.faults() == {"cell_overvoltage"}
"""

from array import array

from bms.battery import Battery
from bms.cell_model import CellModel
from bms.events import FIELDS, KINDS, Events
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points, set_bit_names
from bms.sample import GATES_BOTH
from bms.switch import FetPath
from host_tests.bms.fake_chip import FakeChip

PACK = {"chemistry": 0, "series_cells": 4, "design_capacity_mah": 280000}
CHEMISTRIES = ("lfp", "nmc", "lto", "sodium")  # the choices of the parameter, in its order
MID_CELL_MV = (3300, 3700, 2300, 3000)  # a half full cell of each, in no protection's way


def parameters_with(settings):
    """A loaded parameters table: the bench's pack with `settings` on top."""
    parameters = Parameters()
    given = dict(PACK)
    given.update(settings)
    parameters.load(given)
    return parameters


def clear(register):
    """A person's word to a fault register, as bms.clearing gives it."""
    register.ask()
    register.clear_asked(True)


def cell_model(parameters):
    """The built-in model of the configured chemistry."""
    chemistry = CHEMISTRIES[parameters.value("chemistry")]
    return CellModel(__import__("cells." + chemistry, None, None, ("CELL",)).CELL)


class Bench:
    """`settings` are parameters by name; what happens is in `chip`, `battery` and the points."""

    def __init__(self, configured=True, period_ms=100, interlock=False, **settings):
        settings.setdefault("step_period_ms", period_ms)
        self.parameters = parameters_with(settings) if configured else Parameters()
        self.points = Points()
        self.table = Faults()
        self.period_ms = period_ms
        self.now_ms = 0
        self.chip = FakeChip(
            self.parameters.value("series_cells") if configured else 4,
            self.parameters.value("cell_thermistors"),
        )
        if configured:
            self.chip.set_cells(MID_CELL_MV[self.parameters.value("chemistry")])
        self.log = Events()
        self.path = FetPath(
            self.chip, self.chip.charge_off, self.chip.discharge_off, self.parameters, self.table
        )
        self.interlock = 1
        self.battery = Battery(
            self.points,
            self.parameters,
            self.table,
            self.chip,
            self.path,
            self.log,
            configured,
            (lambda: self.interlock) if interlock else None,
            model=self._model() if configured else None,
        )
        self._snapshot = self.points.new_snapshot()

    def _model(self):
        name = CHEMISTRIES[self.parameters.value("chemistry")]
        return CellModel(__import__("cells." + name, None, None, (name,)).CELL)

    def step(self, elapsed_ms=None):
        """One step of the fast path; the chip's rules must hold."""
        elapsed_ms = self.period_ms if elapsed_ms is None else elapsed_ms
        self.now_ms += elapsed_ms
        self.battery.step(elapsed_ms)
        assert self.chip.broken_rule is None, self.chip.broken_rule

    def run(self, duration_ms):
        """Steps of one period, until at least `duration_ms` passed."""
        end_ms = self.now_ms + duration_ms
        while self.now_ms < end_ms:
            self.step()

    def run_until(self, condition, limit_ms):
        """Steps until `condition()` holds; the ms it took. Fails after `limit_ms`."""
        start_ms = self.now_ms
        while not condition():
            assert self.now_ms - start_ms < limit_ms, "it did not happen within the limit"
            self.step()
        return self.now_ms - start_ms

    def start(self):
        """From power-up to guarding with both gates on."""
        self.run_until(lambda: self.chip.gates() == GATES_BOTH, 25 * self.period_ms)
        self.slow()
        self.step()
        assert self.faults() == set()
        return self

    def slow(self, elapsed_ms=1000):
        """One turn of the slow path, and the step that shows what it found."""
        self.battery.slow_step(elapsed_ms)
        self.battery.step(0)

    def limits_risen(self):
        """Turns of the slow path, without a step between them, until no limit rises any more."""
        for _ in range(120):
            self.slow()
        return self

    def ask(self, request):
        """Post a request; the next step carries it out."""
        assert self.battery.requests.post(request)

    def point(self, name, index=0):
        """A value as a link reads it."""
        self.points.snapshot_into(memoryview(self._snapshot))
        assert index < self.points.counts[self.points.index(name)]
        return self._snapshot[self.points.offset(name) + index]

    def words(self, name):
        """All values of a vector or bit mask point."""
        count = self.points.counts[self.points.index(name)]
        return [self.point(name, index) for index in range(count)]

    def faults(self):
        """Names of the faults that the points show."""
        return set(set_bit_names(self.words("faults"), self.table))

    def warnings(self):
        """Names of the warnings that the points show."""
        return set(set_bit_names(self.words("warnings"), self.table))

    def setting(self, name):
        """A parameter's value."""
        return self.parameters.value(name)

    def events(self):
        """Take the log's events: (kind, fault name or code, value)."""
        taken = []
        event = array("i", [0] * FIELDS)
        while self.log.take_into(event):
            kind = KINDS[event[0]]
            code = self.table.names.name(event[1]) if kind.startswith("fault") else event[1]
            taken.append((kind, code, event[2]))
        return taken
