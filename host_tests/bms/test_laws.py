"""Laws 1 to 4 over random lives of random packs: whatever happens, these hold in every step.

A life is a random, accepted configuration and a random sequence of what a pack and its chip may
do, of requests and of restarts of the processor. `CELLSTEWARD_LIVES` sets how many lives are
tried, for long runs (`CELLSTEWARD_LIVES=5000 pytest host_tests/bms/test_laws.py`).
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bms import requests, sample
from bms.fault_register import WORDS
from bms.faults import Faults
from bms.parameters import ParameterError, Parameters
from bms.point_rows import ROWS
from bms.points import PATH_BRIDGING, STATE_FAILED
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, OK
from bms.table import INVALID, rows
from host_tests.bms.bench import MID_CELL_MV, Bench
from host_tests.bms.mirrors import BLOCKS, MIRRORS
from host_tests.bms.row_bench import NAMES, setting_name

LIVES = int(os.environ.get("CELLSTEWARD_LIVES", "100"))
HOLDOVER_MS = 500

TABLE = Faults()
FAULT_NAMES = [TABLE.names.name(bit) for bit in range(len(TABLE))]
LATCHING = {name for bit, name in enumerate(FAULT_NAMES) if TABLE.latching[bit]}
# Faults that allow no delay: no body diode is spared then.
URGENT = {name for bit, name in enumerate(FAULT_NAMES) if TABLE.urgent[bit]}
MEASURED = [row[0] for row in rows(ROWS) if row[4] in ("fast", "slow")]
PARAMETERS = Parameters()
DIRECTIONS = ((GATE_CHARGE, "charge"), (GATE_DISCHARGE, "discharge"))
CODES = [OK, OK, OK, sample.BUS_ERROR, sample.CORRUPT, sample.SENSOR_LOST, sample.BUSY]
# Faults of others; and of direction, so that body diodes are spared, alone and with urgent ones
CONDITIONS = ["inverter_required", "not_commissioned", "event_log_failed", "inverter_lost",
              "cell_overvoltage", "cell_undervoltage", "fast_overcurrent_charge"]  # fmt: skip
# Choices of parts that stand beside the battery, tested elsewhere
FIXED = ("chemistry", "series_cells", "power_path", "predischarge", "cell_thermistors")


def _tunable():
    names = []
    for name in NAMES:
        names += [setting_name(name, what) for what in ("warn", "trip", "release")]
        names += [setting_name(name, what) for what in ("delay", "release_delay")]
    names += ["undervoltage_release_ma", "undervoltage_rebounds_max", "cell_floor_mv",
              "charge_current_max_ma", "discharge_current_max_ma", "body_diode_ma",
              "gate_mismatch_ms", "overrun_ms", "afe_watchdog_s",
              "thermistor_frozen_s"]  # fmt: skip
    return sorted(set(names) - set(FIXED))


TUNABLE = _tunable()


@st.composite
def configurations(draw):
    """A few parameters anywhere in their ranges, if they do not contradict each other."""
    given = {
        "chemistry": draw(st.integers(0, 3)),
        "series_cells": draw(st.integers(3, 6)),
        "cell_thermistors": draw(st.integers(1, 3)),
        "design_capacity_mah": draw(st.sampled_from([500, 280000])),
    }
    probe = Parameters()
    probe.load(given)
    for name in draw(st.lists(st.sampled_from(TUNABLE), max_size=6, unique=True)):
        index = PARAMETERS.index(name)
        low, high = PARAMETERS.minimums[index], PARAMETERS.maximums[index]
        value = draw(st.one_of(st.integers(low, high), st.sampled_from([low, high])))
        try:
            probe.change([(index, value)])
        except ParameterError:
            continue
        given[name] = value
    # Shortened, so that a life sees releases; each is accepted alone and with all others.
    for name in draw(st.lists(st.sampled_from(TUNABLE), max_size=12, unique=True)):
        if name.endswith("_release_delay_ms"):
            given[name] = draw(st.sampled_from([0, 300]))
    return given


class Life(RuleBasedStateMachine):
    """One pack; a restart of the processor keeps what storage keeps."""

    @initialize(settings_given=configurations(), period_ms=st.sampled_from([20, 100, 250]))
    def begin(self, settings_given, period_ms):
        self.given = settings_given
        self.period_ms = period_ms
        self.mid_mv = MID_CELL_MV[settings_given["chemistry"]]
        self.chip = None
        self.boot()

    def boot(self, words=None, restricted=False, lowest_mv=INVALID, acknowledged=False):
        try:
            self.bench = Bench(period_ms=self.period_ms, interlock=True, **self.given)
        except ParameterError:
            assume(False)
        if self.chip is not None:  # the world outlives the processor
            self.bench.chip.cell_mv[:] = self.chip.cell_mv
            self.bench.chip.temperature_dc[:] = self.chip.temperature_dc
            self.bench.chip.current_ma = self.chip.current_ma
            self.bench.chip.trips = self.chip.trips
        self.chip = self.bench.chip
        self.restored = set()
        if words is not None:
            self.bench.battery.restore(words, restricted)
            self.restored = {
                name
                for bit, name in enumerate(FAULT_NAMES)
                if words[bit >> 4] >> (bit & 15) & 1 and name in LATCHING
            }
        self.bench.battery.deep_discharge.restore(lowest_mv, acknowledged)
        self.restricted = restricted
        self.fresh_ms = None  # since the last good sample that rests on a new scan
        self.scan_ms = None  # since the last new scan
        self.cleared = False  # whether a person asked since the start
        self.acknowledged = acknowledged  # or acknowledged
        self.failed = False

    # What the pack does

    @rule(cell=st.integers(0, 5), step_mv=st.integers(-1500, 1500))
    def cell_moves(self, cell, step_mv):
        cells = self.chip.cell_mv
        cells[cell % len(cells)] += step_mv

    @rule(step_mv=st.integers(-300, 300))
    def all_cells_move(self, step_mv):
        for cell in range(len(self.chip.cell_mv)):
            self.chip.cell_mv[cell] += step_mv

    @rule(current_ma=st.one_of(
        st.integers(-700000, 700000), st.integers(-1500, 1500), st.just(0)
    ))  # fmt: skip
    def current(self, current_ma):
        self.chip.current_ma = current_ma

    @rule(sensor=st.integers(0, 2), value_dc=st.integers(-500, 1300))
    def temperature(self, sensor, value_dc):
        temperatures = self.chip.temperature_dc
        temperatures[sensor % len(temperatures)] = value_dc

    @rule(board_dc=st.integers(-100, 1200), chip_dc=st.integers(-100, 1200))
    def boards(self, board_dc, chip_dc):
        self.chip.board_temperature_dc = board_dc
        self.chip.chip_temperature_dc = chip_dc

    @rule(error_mv=st.sampled_from([0, 240, 510, -700, 90000]))
    def stack(self, error_mv):
        self.chip.stack_error_mv = error_mv

    # What the chip answers

    @rule(code=st.sampled_from([*CODES, sample.CONFIGURATION_LOST]), scanning=st.booleans())
    def answers(self, code, scanning):
        self.chip.code = code
        self.chip.scanning = scanning

    @rule(programming=st.sampled_from(CODES[:5]), verify=st.sampled_from([OK, OK, 2, 4]),
          failing=st.sampled_from([0, 0, 0, 16]))  # fmt: skip
    def chip_care(self, programming, verify, failing):
        self.chip.programming_code = OK if programming == sample.BUSY else programming
        self.chip.verify_code = verify
        self.chip.failing_checks = failing

    @rule(trip=st.sampled_from([0, 0, *MIRRORS]), load=st.booleans())
    def trips(self, trip, load):
        self.chip.trips = trip
        self.chip.load = load

    @rule(gates_code=st.sampled_from([OK, OK, sample.BUS_ERROR]), held=st.integers(0, 3))
    def gates_disobey(self, gates_code, held):
        self.chip.gates_code = gates_code
        self.chip.held_off = held

    # What people and others do

    @rule(request=st.integers(1, requests.TRY_CURRENT))
    def ask(self, request):
        self.bench.battery.requests.post(request)

    @rule(name=st.sampled_from(CONDITIONS), present=st.booleans())
    def condition(self, name, present):
        self.bench.battery.condition(name, present)

    @rule(closed=st.sampled_from([1, 1, 0]), tight=st.booleans())
    def outside(self, closed, tight):
        self.bench.interlock = closed
        self.bench.battery.tighten(tight)

    @rule()
    def heal(self):
        chip = self.chip
        chip.set_cells(self.mid_mv)
        chip.set_temperatures(250)
        chip.board_temperature_dc = chip.chip_temperature_dc = 300
        chip.current_ma = chip.stack_error_mv = chip.trips = chip.held_off = 0
        chip.code = chip.programming_code = chip.verify_code = chip.gates_code = OK
        chip.failing_checks = 0
        chip.scanning = True
        chip.load = False
        self.bench.interlock = 1
        for name in CONDITIONS:
            self.bench.battery.condition(name, False)

    @rule(current_ma=st.sampled_from([0, 0, 30000, -30000]))
    def calm(self, current_ma):
        """All is well, a person says so, and the gates close: where laws can be broken."""
        self.heal()
        self.ask(requests.CLEAR_FAULTS)
        self.steps_of_100_ms(90)
        self.ask(requests.GATES_AUTO)
        self.steps_of_100_ms(5)
        self.bench.slow()
        self.chip.current_ma = current_ma if self.chip.gates() else 0
        self.steps_of_100_ms(2)

    @rule(below_mv=st.integers(-200, 600))
    def deeply_emptied(self, below_mv):
        self.heal()
        self.chip.set_cells(self.bench.setting("deep_discharge_trip_mv") - below_mv)
        self.steps_of_100_ms(110)
        self.ask(requests.ACKNOWLEDGE_DEEP_DISCHARGE)
        self.steps_of_100_ms(3)

    @rule(name=st.sampled_from(CONDITIONS), other=st.sampled_from(CONDITIONS))
    def current_against_a_body_diode(self, name, other):
        self.calm(0)
        self.condition(name, True)
        self.steps_of_100_ms(2)
        gates = self.chip.gates()
        self.chip.current_ma = 30000 if gates == GATE_CHARGE else -30000 if gates else 0
        self.steps_of_100_ms(3)
        self.condition(other, True)
        self.steps_of_100_ms(3)

    def steps_of_100_ms(self, count):
        for _ in range(count):
            self.step(100)

    @rule()
    def restart(self):
        battery = self.bench.battery
        words = [0] * WORDS
        battery.latched_into(words)
        deep = battery.deep_discharge
        self.boot(words, battery.restricted, deep.lowest_mv, deep.acknowledged)

    @rule()
    def the_fast_path_fails(self):
        if not self.failed and self.bench.battery.failure is None:
            self.chip.failure = MemoryError("at random")
            self.failed = True
            self.step(self.period_ms)

    @rule(count=st.integers(1, 60), late_ms=st.sampled_from([0, 0, 0, 400, 3000]))
    def time_passes(self, count, late_ms):
        self.step(self.period_ms + late_ms)
        for turn in range(count):
            self.step(self.period_ms)
            if turn % 10 == 9:
                self.bench.slow()

    def step(self, elapsed_ms):
        bench, chip = self.bench, self.chip
        pending = bench.battery.requests.pending
        if not self.failed:
            if pending == requests.GATES_OFF:
                self.restricted = True
            elif pending == requests.GATES_AUTO:
                self.restricted = False
            elif pending == requests.CLEAR_FAULTS:
                self.cleared = True
            elif pending == requests.ACKNOWLEDGE_DEEP_DISCHARGE:
                self.acknowledged = True
        samples = chip.samples
        bench.step(elapsed_ms)
        self.note_sample(chip.samples > samples, elapsed_ms)
        self.check(elapsed_ms)

    def note_sample(self, sampled, elapsed_ms):
        """When the last good measurement was made, by what the chip was told to say."""
        chip = self.chip
        if not chip.tested:
            self.fresh_ms = self.scan_ms = None
            return
        if self.fresh_ms is not None:
            self.fresh_ms += elapsed_ms
        if self.scan_ms is not None:
            self.scan_ms += elapsed_ms
        if sampled and chip.code == OK:
            if chip.scanning:
                self.scan_ms = 0
            if self.scan_ms is not None and self.plausible():
                self.fresh_ms = self.scan_ms

    def plausible(self):
        chip = self.chip
        cells = chip.cell_mv
        return (
            300 <= min(cells) <= max(cells) <= 5000
            and 300 * len(cells) <= sum(cells) + chip.stack_error_mv <= 5000 * len(cells)
            and -400 <= min(chip.temperature_dc) <= max(chip.temperature_dc) <= 1200
        )

    def check(self, elapsed_ms):
        bench, chip = self.bench, self.chip
        faults = bench.faults()
        lines = chip.lines()
        bridging = bench.point("path_state") == PATH_BRIDGING
        waived = {}
        if bench.point("limited"):  # by an acknowledgement or a trial
            waived = {
                "deep_discharge": GATE_CHARGE,
                "cell_imbalance": GATE_CHARGE,
                "not_commissioned": GATES_BOTH,
            }
        for fault in faults:
            blocked = BLOCKS[fault] & ~waived.get(fault, 0)
            for gate, word in DIRECTIONS:
                if blocked & gate:
                    assert bench.point(word + "_allowed") == 0, fault
                    assert bench.point(word + "_current_limit_ma") == 0, fault
            assert bridging or not lines & blocked, fault
        if bridging:
            # What a person allowed in part waits no less for the other direction, but its charge
            # current is meant, and would burn the blocked switch.
            assert not {name for name in faults & URGENT if not BLOCKS[name] & waived.get(name, 0)}
            assert not self.restricted
        for _, word in DIRECTIONS:
            limit_ma = bench.point(word + "_current_limit_ma")
            assert 0 <= limit_ma <= bench.setting(word + "_current_max_ma")
            assert limit_ma == 0 or bench.point(word + "_allowed") == 1
        # What may be used now must still be young enough when the next step comes.
        blind = self.fresh_ms is None or (
            self.fresh_ms > 0 and self.fresh_ms + elapsed_ms > HOLDOVER_MS
        )
        if blind or self.restricted or self.failed or not chip.tested:
            assert lines == 0
            assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
        if blind or self.failed:
            for name in MEASURED:
                assert set(bench.words(name)) == {INVALID}, name
        if not self.cleared:
            kept = self.restored - ({"deep_discharge"} if self.acknowledged else set())
            assert kept <= faults
        if self.failed:
            assert bench.point("state") == STATE_FAILED
        lowest_mv = bench.battery.deep_discharge.lowest_mv
        if lowest_mv != INVALID and lowest_mv < bench.setting("cell_floor_mv"):
            assert lines == 0 and chip.commanded & lines == 0

    @invariant()
    def trips_of_the_chip_are_mirrored(self):
        chip = self.chip
        if chip is None or self.failed or not chip.tested or chip.code != OK or not chip.trips:
            return
        self.step(self.period_ms)
        if chip.tested and not self.failed:
            assert MIRRORS[chip.trips] in self.bench.faults()


TestLaws = pytest.mark.timeout(60 + LIVES)(Life.TestCase)
# Without the phases that look for a shorter example: they would take minutes.
TestLaws.settings = settings(
    max_examples=LIVES,
    stateful_step_count=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
