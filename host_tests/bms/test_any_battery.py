"""A battery in any world: what must hold after every single step, whatever happens.

Random measurements, faults, trips, requests and late steps, against a model that knows what it
asked for and what the chip said, but nothing of how the battery works.
"""

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bms import requests, sample
from bms.point_rows import ROWS
from bms.points import PATH_BRIDGING, STATE_FAILED
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, OK
from bms.table import INVALID, rows
from host_tests.bms.bench import Bench
from host_tests.bms.mirrors import BLOCKS, HOLD_MS, LATCHING, MIRRORS
from host_tests.bms.row_bench import LATCHING as LATCHING_ROWS
from host_tests.bms.row_bench import NAMES, setting_name

MEASURED = [row[0] for row in rows(ROWS) if row[4] in ("fast", "slow")]


class Broken(Exception):
    """Something that nobody expects."""


class AnyBattery(RuleBasedStateMachine):
    """One bench, and the model of what it must do."""

    @initialize(
        configured=st.sampled_from([True, True, True, False]),
        release_delay_ms=st.sampled_from([0, 400]),
    )
    def build(self, configured, release_delay_ms):
        delays = {
            setting_name(name, "release_delay"): release_delay_ms
            for name in NAMES
            if name not in LATCHING_ROWS
        }
        self.bench = Bench(configured, **(delays if configured else {}))
        self.configured = configured
        self.restricted = False
        self.seen_good = False  # whether a plausible, new scan was there since programming
        self.bad = 0  # samples in a row
        self.stale_ms = 0
        self.latched = {}  # fault: ms since its trip was last seen
        self.clearing_ms = 0  # how long a person's "clear" still may go on
        self.failed = False
        if configured:
            self.bench.start()
            self.seen_good = True

    @property
    def chip(self):
        return self.bench.chip

    @rule(cell=st.integers(0, 3), value=st.sampled_from([0, 2600, 3300, 3500, 3700, 12000]))
    def cell(self, cell, value):
        self.chip.cell_mv[cell] = value

    @rule(value=st.sampled_from([-3000000, -200000, -130000, -1, 0, 20000, 70000, 999999]))
    def current(self, value):
        self.chip.current_ma = value

    @rule(sensor=st.integers(0, 1), value=st.sampled_from([-2731, -250, -50, 250, 480, 650, 2000]))
    def temperature(self, sensor, value):
        self.chip.temperature_dc[sensor] = value

    @rule(value=st.sampled_from([0, 300, 700, -700, 250000]))
    def stack(self, value):
        self.chip.stack_error_mv = value

    @rule(code=st.sampled_from([OK, OK, sample.BUS_ERROR, sample.CONFIGURATION_LOST]))
    def answer(self, code):
        self.chip.code = code

    @rule(
        code=st.sampled_from([OK, OK, sample.BUS_ERROR, sample.WRONG_DEVICE, sample.VERIFY_FAILED])
    )
    def programming(self, code):
        self.chip.programming_code = code

    @rule(scanning=st.booleans())
    def scanning(self, scanning):
        self.chip.scanning = scanning

    @rule(trip=st.sampled_from([0, 0, *MIRRORS]), others=st.integers(0, 0x3FFF))
    def trips(self, trip, others):
        self.chip.trips = trip | (others if others & 3 == 0 else 0)

    @rule(gates=st.sampled_from([OK, OK, sample.BUS_ERROR]), on=st.integers(0, 3))
    def gate_troubles(self, gates, on):
        self.chip.gates_code = gates
        self.chip.stuck_on = on

    @rule(
        request=st.sampled_from(
            [
                requests.CLEAR_FAULTS,
                requests.GATES_OFF,
                requests.GATES_AUTO,
                requests.REPROGRAM_AFE,
            ]
        )
    )
    def post(self, request):
        self.bench.battery.requests.post(request)

    @rule()
    def slow(self):
        self.bench.slow()

    @rule()
    def heal(self):
        chip = self.chip
        chip.set_cells(3300)
        chip.set_temperatures(250)
        chip.current_ma = chip.stack_error_mv = chip.trips = chip.stuck_on = 0
        chip.code = chip.programming_code = chip.gates_code = OK
        chip.scanning = True

    @rule(count=st.integers(1, 80), elapsed_ms=st.sampled_from([20, 100, 250, 1000]))
    def steps(self, count, elapsed_ms):
        for _ in range(count):
            self.step(elapsed_ms)

    @rule()
    def fail(self):
        if self.failed:
            return
        self.chip.failure = Broken("at random")
        self.failed = True
        self.step(100)
        assert self.chip.failure is None, "every step says something to the chip"

    def step(self, elapsed_ms):
        pending = self.bench.battery.requests.pending
        samples = self.chip.samples
        programmings = self.chip.programmings
        self.bench.step(elapsed_ms)
        self.note_request(pending)
        sampled = self.chip.samples > samples
        if self.chip.programmings > programmings:
            self.seen_good = False
        if sampled:
            self.note_sample(elapsed_ms)
        elif not self.chip.programmed:
            self.seen_good = False
        for fault in self.latched:
            self.latched[fault] += elapsed_ms
        if self.clearing_ms > 0:
            # May be gone only if its cause has been gone for a while.
            self.clearing_ms -= elapsed_ms
            for fault in [name for name, gone_ms in self.latched.items() if gone_ms >= HOLD_MS]:
                del self.latched[fault]
        if sampled and self.chip.code == OK:
            for trip, fault in LATCHING.items():
                if self.chip.trips & trip:
                    self.latched[fault] = 0
        self.check_step(sampled)

    def note_request(self, pending):
        if self.failed:
            return
        if pending == requests.GATES_OFF:
            self.restricted = True
        elif pending == requests.GATES_AUTO:
            self.restricted = False
        elif pending == requests.CLEAR_FAULTS:
            self.clearing_ms = HOLD_MS + 3000

    def note_sample(self, elapsed_ms):
        chip = self.chip
        plausible = (
            min(chip.cell_mv) >= 300
            and max(chip.cell_mv) <= 5000
            and min(chip.temperature_dc) >= -400
            and max(chip.temperature_dc) <= 1200
            and abs(chip.current_ma) < 1000000
        )
        plausible = plausible and 1200 <= sum(chip.cell_mv) + chip.stack_error_mv <= 20000
        self.stale_ms = 0 if chip.scanning and chip.code == OK else self.stale_ms + elapsed_ms
        if chip.code == OK and plausible and (chip.scanning or self.stale_ms <= 500):
            self.bad = 0
            if chip.scanning:
                self.seen_good = True
        elif chip.code != OK or not plausible:
            self.bad += 1

    def check_step(self, sampled):
        bench, chip = self.bench, self.chip
        lines = chip.lines()
        faults = bench.faults()
        bridging = bench.point("path_state") == PATH_BRIDGING  # spares a body diode
        for fault in faults:
            assert bridging or not lines & BLOCKS[fault], fault
            for gate, word in ((GATE_CHARGE, "charge"), (GATE_DISCHARGE, "discharge")):
                if BLOCKS[fault] & gate:
                    assert bench.point(word + "_allowed") == 0
                    assert bench.point(word + "_current_limit_ma") == 0
        must_be_off = (
            not self.configured
            or self.restricted
            or self.failed
            or not chip.programmed
            or not self.seen_good
            or self.bad > 3
            or self.stale_ms > 500
            or self.latched
        )
        if must_be_off:
            assert lines == 0
            assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
        assert set(self.latched) <= faults or self.failed
        if sampled and chip.code == OK and not self.failed:
            for trip, fault in MIRRORS.items():
                if chip.trips & trip:
                    assert fault in faults
                    assert bridging or not lines & BLOCKS[fault]
        assert chip.lines() == 0 or chip.commanded & ~lines == 0 or chip.gates_code != OK

    @invariant()
    def nothing_invalid_looks_live(self):
        bench = self.bench
        shown = {name: bench.words(name) for name in MEASURED}
        if bench.point("cell_min_mv") == INVALID:
            assert bench.chip.lines() == 0
            for name, values in shown.items():
                assert set(values) == {INVALID}, name
        else:
            cells = shown["cell_voltage_mv"][:4]
            assert min(cells) == bench.point("cell_min_mv") >= 300
            assert max(cells) == bench.point("cell_max_mv") <= 5000
            assert abs(bench.point("current_ma")) < 1000000
            assert bench.point("temperature_min_dc") >= -400
        if self.failed and bench.battery.failure is not None:
            assert bench.point("state") == STATE_FAILED


TestAnyBattery = AnyBattery.TestCase
# Without the phases that look for a shorter example: they would take minutes.
TestAnyBattery.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
