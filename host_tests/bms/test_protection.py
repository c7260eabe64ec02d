"""Protections: each row of the table trips, blocks, warns and releases as its parameters say."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms import protection
from bms.fault_register import FaultRegister
from bms.faults import Faults
from bms.parameters import Parameters
from bms.protection import ROWS, Protection
from bms.sample import BUS_ERROR, GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, OK
from host_tests.bms.bench import CHEMISTRIES, MID_CELL_MV, Bench

NAMES = [row[0] for row in ROWS]
UNITS = {row[0]: row[3] for row in ROWS}

# What each fault must block, from what it does to a battery: too much charge forbids charging, too
# little forbids discharging; values that contradict each other forbid both (law 3).
BLOCKS = {
    "cell_overvoltage": GATE_CHARGE,
    "cell_undervoltage": GATE_DISCHARGE,
    "overcurrent_charge": GATE_CHARGE,
    "overcurrent_discharge": GATE_DISCHARGE,
    "overtemperature_charge": GATE_CHARGE,
    "overtemperature_discharge": GATE_DISCHARGE,
    "undertemperature_charge": GATE_CHARGE,
    "undertemperature_discharge": GATE_DISCHARGE,
    "stack_mismatch": GATES_BOTH,
}
BELOW = ("cell_undervoltage", "undertemperature_charge", "undertemperature_discharge")

# Rows that watch the same signal trip one after the other: the earlier one is moved away.
ALONE = {
    "overtemperature_discharge": {
        "overtemperature_charge_trip_dc": 900,
        "overtemperature_charge_warn_dc": 900,
    },
    "undertemperature_discharge": {
        "undertemperature_charge_trip_dc": -400,
        "undertemperature_charge_warn_dc": -400,
    },
}


def drive(chip, name, value):
    """Make the signal that a row watches read `value`."""
    if name.startswith("cell_"):
        chip.cell_mv[2] = value
    elif name == "overcurrent_charge":
        chip.current_ma = value
    elif name == "overcurrent_discharge":
        chip.current_ma = -value
    elif name == "stack_mismatch":
        chip.stack_error_mv = value
    else:
        chip.temperature_dc[1] = value


class Row:
    """One protection on a bench of its own, with gates on."""

    def __init__(self, name, period_ms=100, **settings):
        self.name = name
        self.bench = Bench(period_ms=period_ms, **{**ALONE.get(name, {}), **settings})
        self.bench.start()
        self.side = -1 if name in BELOW else 1
        self.blocks = BLOCKS[name]

    def setting(self, what):
        unit = "ms" if what.endswith("delay") else UNITS[self.name]
        return self.bench.setting(f"{self.name}_{what}_{unit}")

    def drive(self, what, beyond=0):
        """To a threshold, or `beyond` it on the side that trips."""
        drive(self.bench.chip, self.name, self.setting(what) + beyond * self.side)

    def active(self):
        return self.name in self.bench.faults()

    def check_guarded(self):
        """Both gates are on, nothing is blocked."""
        bench = self.bench
        assert bench.faults() == set()
        assert bench.chip.gates() == GATES_BOTH
        assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 1

    def check_blocked(self):
        """Exactly the directions of this row are blocked."""
        bench = self.bench
        assert bench.faults() == {self.name}
        assert bench.chip.gates() == GATES_BOTH & ~self.blocks
        assert bench.chip.lines() == GATES_BOTH & ~self.blocks
        for gate, word in ((GATE_CHARGE, "charge"), (GATE_DISCHARGE, "discharge")):
            free = not self.blocks & gate
            assert bench.point(word + "_allowed") == free
            assert (bench.point(word + "_current_limit_ma") > 0) == free


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_every_row_of_the_table_is_tested_here():
    assert set(NAMES) == set(BLOCKS)
    faults = Faults()
    for row_name, gates in BLOCKS.items():
        assert faults.blocks[faults.names.index(row_name)] == gates


@pytest.mark.parametrize("period_ms", [20, 70, 100, 250])
def test_a_row_trips_after_its_delay_and_within_two_periods_of_it(name, period_ms):
    row = Row(name, period_ms)
    row.drive("trip", beyond=1)
    took_ms = row.bench.run_until(row.active, 100000)
    assert row.setting("delay") <= took_ms <= row.setting("delay") + 2 * period_ms
    row.check_blocked()


def test_a_row_does_not_trip_before_its_delay(name):
    row = Row(name)
    row.drive("trip", beyond=1)
    row.bench.run(row.setting("delay"))
    row.check_guarded()
    # One sample short of it, and all begins anew
    row.drive("trip")
    row.bench.step()
    row.drive("trip", beyond=1)
    row.bench.run(row.setting("delay"))
    row.check_guarded()


def test_a_row_without_delay_trips_with_the_first_measurement(name):
    row = Row(name, **{name + "_delay_ms": 0})
    row.drive("trip", beyond=1)
    row.bench.step()
    row.check_blocked()


def test_exactly_at_the_trip_threshold_nothing_happens(name):
    row = Row(name)
    row.drive("trip")
    row.bench.run(3 * row.setting("delay") + 1000)
    row.check_guarded()


def test_late_steps_trip_as_well_as_punctual_ones(name):
    row = Row(name)
    row.drive("trip", beyond=1)
    row.bench.step()
    row.bench.step(row.setting("delay"))
    row.check_blocked()


def test_time_before_the_first_measurement_that_shows_it_does_not_count(name):
    row = Row(name)
    row.drive("trip", beyond=1)
    row.bench.step(row.setting("delay") + 400)
    row.check_guarded()


def test_a_row_warns_at_once_beyond_its_warning_and_not_at_it(name):
    row = Row(name)
    row.drive("warn")
    row.bench.step()
    assert name not in row.bench.warnings()
    row.drive("warn", beyond=1)
    row.bench.step()
    assert name in row.bench.warnings()
    row.check_guarded()
    row.drive("warn")
    row.bench.step()
    assert name not in row.bench.warnings()


@pytest.mark.parametrize("period_ms", [100, 250])
def test_a_row_releases_past_its_release_threshold_for_the_release_delay(name, period_ms):
    row = Row(name, period_ms)
    row.drive("trip", beyond=1)
    row.bench.run_until(row.active, 100000)
    row.drive("release")  # at it is not past it
    row.bench.run(2 * row.setting("release_delay") + 1000)
    row.check_blocked()
    row.drive("release", beyond=-1)
    took_ms = row.bench.run_until(lambda: not row.active(), 100000)
    assert row.setting("release_delay") <= took_ms
    assert took_ms <= row.setting("release_delay") + 2 * period_ms
    row.bench.step()
    row.check_guarded()


def test_a_release_that_is_interrupted_begins_anew(name):
    row = Row(name)
    row.drive("trip", beyond=1)
    row.bench.run_until(row.active, 100000)
    for _ in range(3):
        row.drive("release", beyond=-1)
        row.bench.run(row.setting("release_delay"))
        row.check_blocked()
        row.drive("release")
        row.bench.step()
    row.check_blocked()


def test_a_stack_that_reads_too_low_trips_like_one_that_reads_too_high():
    row = Row("stack_mismatch")
    row.bench.chip.stack_error_mv = -row.setting("trip") - 1
    row.bench.run(row.setting("delay") + 200)
    row.check_blocked()


@pytest.mark.parametrize("name", ["overcurrent_charge", "overcurrent_discharge"])
def test_an_over_current_can_release_when_no_current_flows(name):
    """Its gate is off, so nothing may flow any more; whatever release threshold was accepted."""
    smallest_ma = Parameters().minimums[Parameters().index(name + "_release_ma")]
    row = Row(name, **{name + "_release_ma": smallest_ma})
    row.drive("trip", beyond=1)
    row.bench.run_until(row.active, 100000)
    row.bench.chip.current_ma = 0
    row.bench.run_until(lambda: not row.active(), row.setting("release_delay") + 200)


@pytest.mark.parametrize("bad_of_four", [1, 2, 3])
def test_glitches_of_the_bus_do_not_stretch_a_delay(name, bad_of_four):
    """Law 2: the delay, two periods, and what the hold-over may add: 500 ms at most."""
    row = Row(name)
    row.drive("trip", beyond=1)
    begun_ms = row.bench.now_ms
    while not row.active():
        for sample in range(4):
            row.bench.chip.code = BUS_ERROR if sample < bad_of_four else OK
            row.bench.step()
        assert row.bench.now_ms - begun_ms <= row.setting("delay") + 2 * 100 + 500


def test_a_glitch_of_the_bus_does_not_begin_a_release_anew(name):
    """Else one bad sample in 30 s would keep a pack off for ever whose release takes 30 s."""
    row = Row(name)
    row.drive("trip", beyond=1)
    row.bench.run_until(row.active, 100000)
    row.drive("release", beyond=-1)
    released_ms = row.bench.now_ms
    step = 0
    while row.active():
        step += 1
        row.bench.chip.code = BUS_ERROR if step % 20 == 0 else OK
        row.bench.step()
        passed_ms = row.bench.now_ms - released_ms
        assert passed_ms <= row.setting("release_delay") * 11 // 10 + 500
    assert passed_ms >= row.setting("release_delay")


def test_time_without_a_measurement_does_not_count_for_a_release(name):
    row = Row(name)
    row.drive("trip", beyond=1)
    row.bench.run_until(row.active, 100000)
    row.drive("release", beyond=-1)
    row.bench.run(row.setting("release_delay") - 200)
    row.bench.chip.code = BUS_ERROR
    row.bench.run(60000)  # whatever the signal did meanwhile
    row.bench.chip.code = OK
    took_ms = row.bench.run_until(lambda: not row.active(), 100000)
    assert took_ms >= row.setting("release_delay")


def test_an_active_fault_stays_shown_while_the_chip_is_lost(name):
    row = Row(name)
    row.drive("trip", beyond=1)
    row.bench.run_until(row.active, 100000)
    row.drive("release", beyond=-1)
    row.bench.chip.code = BUS_ERROR
    row.bench.run(40000)
    assert row.bench.faults() == {name, "afe_lost"}
    assert row.bench.chip.lines() == 0


@st.composite
def _histories(draw):
    """Thresholds and delays of one row, and what its signal did: (signal, elapsed_ms) pairs."""
    trip = draw(st.integers(-50, 50))
    release = trip - draw(st.integers(1, 20))
    delay_ms = draw(st.integers(0, 600))
    release_delay_ms = draw(st.integers(0, 600))
    signal = st.sampled_from([release - 1, release, release + 1, trip, trip + 1])
    steps = st.lists(st.tuples(signal, st.integers(20, 300)), max_size=40)
    return trip, release, delay_ms, release_delay_ms, draw(steps)


@given(_histories())
def test_a_row_changes_exactly_when_all_measurements_of_its_delay_agree(history):
    trip, release, delay_ms, release_delay_ms, steps = history
    parameters, faults = Parameters(), Faults()
    values = parameters.values
    values[parameters.index("overcurrent_charge_trip_ma")] = trip
    values[parameters.index("overcurrent_charge_release_ma")] = release
    values[parameters.index("overcurrent_charge_delay_ms")] = delay_ms
    values[parameters.index("overcurrent_charge_release_delay_ms")] = release_delay_ms
    rows, register = Protection(parameters, faults), FaultRegister(faults)
    bit = faults.names.index("overcurrent_charge")
    signals = array("i", [0] * protection.SIGNALS)
    signals[protection.CELL_MAX_MV] = signals[protection.CELL_MIN_MV] = 3300
    signals[protection.TEMPERATURE_MAX_DC] = signals[protection.TEMPERATURE_MIN_DC] = 250
    active = False
    now_ms = 0
    since_ms = None  # of the first of the measurements in a row that ask for a change
    for signal, elapsed_ms in steps:
        now_ms += elapsed_ms
        asks = signal < release if active else signal > trip
        since_ms = (now_ms if since_ms is None else since_ms) if asks else None
        if asks and now_ms - since_ms >= (release_delay_ms if active else delay_ms):
            active = not active
            since_ms = None
        signals[protection.CHARGE_MA] = signal
        rows.step(signals, elapsed_ms, register, True)
        register.step(elapsed_ms)
        assert register.is_active(bit) == active


# Operating windows of the cells, mV: what their data sheets allow (parameter_rows.py names them).
WINDOWS_MV = {
    "lfp": (2500, 3650),
    "nmc": (3000, 4200),
    "lto": (1500, 2800),
    "sodium": (1500, 4100),
}


@given(
    chemistry=st.integers(0, 3),
    cells=st.integers(3, 16),
    capacity_mah=st.integers(500, 1000000),
    name=st.sampled_from(NAMES),
)
def test_defaults_of_every_chemistry_are_in_order(chemistry, cells, capacity_mah, name):
    parameters = Parameters()
    parameters.load(
        {"chemistry": chemistry, "series_cells": cells, "design_capacity_mah": capacity_mah}
    )
    unit = UNITS[name]
    warn, trip, release = (
        parameters.value(f"{name}_{what}_{unit}") for what in ("warn", "trip", "release")
    )
    side = -1 if name in BELOW else 1
    assert (trip - warn) * side >= 0
    assert (trip - release) * side > 0
    assert parameters.value(name + "_delay_ms") > 0
    assert parameters.value(name + "_release_delay_ms") > 0
    low_mv, high_mv = WINDOWS_MV[CHEMISTRIES[chemistry]]
    assert low_mv <= parameters.value("discharge_cell_mv") < MID_CELL_MV[chemistry]
    assert MID_CELL_MV[chemistry] < parameters.value("charge_cell_mv") <= high_mv
    # A protection may lie a little outside what a charger aims at, never far.
    assert parameters.value("cell_overvoltage_trip_mv") <= high_mv + 50
    assert parameters.value("cell_undervoltage_trip_mv") >= low_mv


@pytest.mark.parametrize("chemistry", range(4), ids=CHEMISTRIES)
def test_a_half_full_pack_of_every_chemistry_is_guarded_without_fault_or_warning(chemistry):
    bench = Bench(chemistry=chemistry).start()
    bench.run(5000)
    assert bench.chip.gates() == GATES_BOTH
    assert bench.faults() == bench.warnings() == set()
