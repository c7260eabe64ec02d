"""Protections: each row of the table warns and trips as its parameters say, in every chemistry."""

from array import array
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms import protection, requests
from bms.fault_register import FaultRegister
from bms.faults import Faults
from bms.parameters import Parameters
from bms.protection import Protection
from bms.protection_rows import ROWS
from bms.sample import BUS_ERROR, GATE_DISCHARGE, GATES_BOTH, OK
from host_tests.bms.bench import CHEMISTRIES, MID_CELL_MV, Bench
from host_tests.bms.row_bench import BELOW, BLOCKS, LATCHING, NAMES, Row, setting_name

SHORTEST_MS = 500  # a delay that every row may have


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_every_row_of_the_table_is_tested_here():
    assert [row[0] for row in ROWS] == sorted(BLOCKS, key=[row[0] for row in ROWS].index)
    faults = Faults()
    for row_name, gates in BLOCKS.items():
        bit = faults.names.index(row_name)
        assert faults.blocks[bit] == gates
        assert faults.latching[bit] == (row_name in LATCHING)


@pytest.mark.parametrize("chemistry", range(4), ids=CHEMISTRIES)
def test_a_row_trips_blocks_logs_and_releases_in_every_chemistry(name, chemistry):
    row = Row(name, chemistry)
    delay_ms = row.setting("delay")
    row.drive("trip", beyond=1)
    row.bench.run(delay_ms)
    row.check_guarded()
    row.bench.step()
    row.check_blocked()
    assert ("fault", name, row.value("trip", beyond=1)) in row.bench.events()
    row.let_go()
    row.run(row.setting("release_delay"))
    row.check_blocked()
    row.bench.events()
    row.step()
    assert not row.active()
    assert ("fault_over", name, 0) in row.bench.events()
    row.bench.step()
    row.check_guarded()


@pytest.mark.parametrize("period_ms", [20, 70, 100, 250])
def test_a_row_trips_after_its_delay_and_within_two_periods_of_it(name, period_ms):
    row = Row(name, period_ms=period_ms)
    took_ms = row.trip()
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


def _may_be_0(row_name):
    parameters = Parameters()
    return parameters.minimums[parameters.index(setting_name(row_name, "delay"))] == 0


@pytest.mark.parametrize("name", [row_name for row_name in NAMES if _may_be_0(row_name)])
def test_a_row_without_delay_trips_with_the_first_measurement(name):
    row = Row(name, **{setting_name(name, "delay"): 0})
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
    left_ms = row.setting("delay")
    for elapsed_ms in cycle((500, 100, 100, 100, 100, 100)):  # else being late is a fault itself
        if left_ms <= 0:
            break
        row.check_guarded()
        row.bench.step(elapsed_ms)
        left_ms -= elapsed_ms
    row.check_blocked()


def test_time_before_the_first_measurement_that_shows_it_does_not_count(name):
    row = Row(name, **{setting_name(name, "delay"): SHORTEST_MS})
    row.drive("trip", beyond=1)
    row.bench.step(SHORTEST_MS + 100)
    row.check_guarded()
    row.bench.step(SHORTEST_MS)
    row.check_blocked()


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


def test_with_tight_trips_the_warning_threshold_trips(name):
    """What link loss may ask for; a row without a warning of its own stays as it is."""
    row = Row(name)
    row.drive("warn", beyond=1)
    if row.setting("warn") != row.setting("trip"):
        row.bench.run(row.setting("delay") + 1000)
        row.check_guarded()
    row.drive("warn")
    row.bench.battery.tighten(True)
    row.bench.run(row.setting("delay") + 1000)
    row.check_guarded()
    row.drive("warn", beyond=1)
    row.bench.run(row.setting("delay") + 100)
    row.check_blocked()


def test_trips_that_are_no_longer_tight_are_where_they_were():
    bench = Bench()
    bench.battery.tighten(True)
    bench.start()
    bench.battery.tighten(False)
    bench.chip.cell_mv[0] = 3601
    bench.run(5000)
    assert bench.faults() == set() and bench.warnings() == {"cell_overvoltage", "cell_imbalance"}


def test_a_stack_that_reads_too_low_trips_like_one_that_reads_too_high():
    row = Row("stack_mismatch")
    row.bench.chip.stack_error_mv = -row.setting("trip") - 1
    row.bench.run(row.setting("delay") + 200)
    row.check_blocked()


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


def test_an_active_fault_stays_shown_while_the_chip_is_lost(name):
    row = Row(name)
    row.trip()
    row.drive("release", beyond=-1)
    row.bench.chip.code = BUS_ERROR
    row.bench.run(40000)
    assert row.bench.faults() - row.companions == {name, "afe_lost"}
    assert row.bench.chip.lines() == 0


@pytest.mark.parametrize("request_code", range(1, requests.TRY_CURRENT + 1))
def test_no_request_closes_a_gate_that_a_row_blocks(name, request_code):
    row = Row(name)
    row.trip()
    row.bench.ask(request_code)
    for _ in range(20):
        row.bench.step()
        assert row.active()
        if name != "deep_discharge" or request_code != requests.ACKNOWLEDGE_DEEP_DISCHARGE:
            assert not row.bench.chip.lines() & row.blocks
        else:
            assert not row.bench.chip.lines() & GATE_DISCHARGE


@pytest.mark.parametrize("name", [each for each in NAMES if each != "limited_current"])
def test_what_is_beyond_a_trip_at_the_start_never_sees_its_gate_closed(name):
    """Else a loop of resets would go on charging an overcharged cell, one delay each."""
    row = Row(name)
    if name == "gates_off_current":
        return  # no gate is on while it is pending
    bench = row.bench
    row.drive("trip", beyond=1)
    bench.ask(requests.REPROGRAM_AFE)
    bench.step()
    while not row.active():
        assert not bench.chip.lines() & row.blocks
        assert not bench.point("charge_allowed") or not row.blocks & 1
        bench.step()
    assert not bench.chip.lines() & row.blocks
    assert bench.now_ms < 120000


def test_a_row_that_is_on_its_way_opens_nothing_early(name):
    row = Row(name)
    for _ in range(20):
        row.drive("trip", beyond=1)
        row.bench.run(row.setting("delay"))
        row.check_guarded()
        row.drive("trip")
        row.bench.step()
        row.check_guarded()


def test_a_gate_that_waited_for_a_row_closes_when_the_row_changes_its_mind():
    bench = Bench().start()
    bench.ask(requests.GATES_OFF)
    bench.step()
    bench.chip.cell_mv[0] = 3651
    bench.ask(requests.GATES_AUTO)
    bench.run(1000)
    assert bench.chip.lines() == GATE_DISCHARGE
    bench.chip.cell_mv[0] = 3650
    bench.step()
    assert bench.chip.lines() == GATES_BOTH


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
    signals[protection.CELL_MEAN_MV] = 3300
    signals[protection.TEMPERATURE_MAX_DC] = signals[protection.TEMPERATURE_MIN_DC] = 250
    active = False
    now_ms = 0
    since_ms = None  # of the first of the measurements in a row that ask for a change
    for signal, elapsed_ms in steps:
        now_ms += elapsed_ms
        asks = signal < release if active else signal > trip
        # Also in the step that trips: what is about to trip is not to be closed anew.
        assert_pending = asks and not active
        since_ms = (now_ms if since_ms is None else since_ms) if asks else None
        if asks and now_ms - since_ms >= (release_delay_ms if active else delay_ms):
            active = not active
            since_ms = None
        signals[protection.CHARGE_MA] = signal
        rows.step(signals, elapsed_ms, register, True)
        register.step(elapsed_ms)
        assert register.is_active(bit) == active
        assert rows.pending == (BLOCKS["overcurrent_charge"] if assert_pending else 0)


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
    warn, trip, release, delay_ms, release_delay_ms = (
        parameters.value(setting_name(name, what))
        for what in ("warn", "trip", "release", "delay", "release_delay")
    )
    side = -1 if name in BELOW else 1
    assert (trip - warn) * side >= 0
    assert (trip - release) * side > 0 or name == "gates_off_current"
    assert delay_ms > 0 and release_delay_ms > 0
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
