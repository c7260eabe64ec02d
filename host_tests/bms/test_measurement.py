"""Law 3: a missing, stale or implausible measurement is a fault, after a short hold-over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.point_rows import ROWS
from bms.points import STATE_FAULT
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CORRUPT,
    GATES_BOTH,
    OK,
    SENSOR_LOST,
    VERIFY_FAILED,
    WRONG_DEVICE,
)
from bms.table import INVALID, rows
from host_tests.bms.bench import Bench

PERIODS_MS = [20, 50, 100, 166, 200, 250]
HOLDOVER_SAMPLES, HOLDOVER_MS = 3, 500  # architecture, law 3

# What rests on measurements, by the table's own words
MEASURED = [row[0] for row in rows(ROWS) if row[4] in ("fast", "slow")]


def cell_reads_nothing(chip):
    chip.cell_mv[1] = 0


def cell_spikes_to_12_v(chip):
    chip.cell_mv[1] = 12000


def cell_reads_below_zero(chip):
    chip.cell_mv[1] = -30


def current_reads_minus_3000_a(chip):
    chip.current_ma = -3000000


def current_reads_plus_3000_a(chip):
    chip.current_ma = 3000000


def thermistor_is_open(chip):
    chip.temperature_dc[1] = -2731  # 0 K (afe.md, section 7)


def thermistor_is_shorted(chip):
    chip.temperature_dc[0] = 2000


def stack_reads_300_v(chip):
    chip.stack_error_mv = 300000


def stack_reads_below_zero(chip):
    chip.stack_error_mv = -30000


def board_sensor_is_open(chip):
    chip.board_temperature_dc = -2731


def board_sensor_is_shorted(chip):
    chip.board_temperature_dc = 2500


def chip_says_it_is_frozen(chip):
    chip.chip_temperature_dc = -401


def chip_says_it_burns(chip):
    chip.chip_temperature_dc = 1501


def lead_between_cells_1_and_2_is_open(chip):
    chip.cell_mv[1:3] = [100, 6500]


def chip_sends_damaged_data(chip):
    chip.code = CORRUPT


def current_sensor_is_silent(chip):
    chip.code = SENSOR_LOST


# What can not be, and the fault that names it
IMPLAUSIBLE = {
    cell_reads_nothing: "measurement_implausible",
    cell_spikes_to_12_v: "measurement_implausible",
    cell_reads_below_zero: "measurement_implausible",
    current_reads_minus_3000_a: "measurement_implausible",
    current_reads_plus_3000_a: "measurement_implausible",
    thermistor_is_open: "thermistor_open",
    thermistor_is_shorted: "thermistor_short",
    stack_reads_300_v: "measurement_implausible",
    stack_reads_below_zero: "measurement_implausible",
    board_sensor_is_open: "measurement_implausible",
    board_sensor_is_shorted: "measurement_implausible",
    chip_says_it_is_frozen: "measurement_implausible",
    chip_says_it_burns: "measurement_implausible",
    lead_between_cells_1_and_2_is_open: "cell_wire_open",
    chip_sends_damaged_data: "afe_corrupt",
    current_sensor_is_silent: "current_sensor_lost",
}


def heal(chip):
    chip.set_cells(3300)
    chip.set_temperatures(250)
    chip.board_temperature_dc = chip.chip_temperature_dc = 300
    chip.current_ma = 10000 if chip.gates() else 0  # nothing flows through open gates
    chip.stack_error_mv = 0
    chip.code = OK
    chip.scanning = True


def started(period_ms=100):
    bench = Bench(period_ms=period_ms, step_period_ms=period_ms).start()
    bench.chip.current_ma = 10000
    bench.step()
    return bench


def values(bench):
    """All measured points, as a link reads them."""
    table = bench.points
    return {
        name: [bench.point(name, index) for index in range(table.counts[table.index(name)])]
        for name in MEASURED
    }


def check_off(bench, fault):
    assert bench.faults() == {fault}
    assert bench.chip.lines() == bench.chip.gates() == 0
    assert bench.point("charge_current_limit_ma") == 0
    assert bench.point("discharge_current_limit_ma") == 0
    assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
    assert bench.point("state") == STATE_FAULT
    for name, shown in values(bench).items():
        assert set(shown) == {INVALID}, name


def check_held_over(bench, before):
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH
    assert values(bench) == before


def bad_samples_that_ride_through(period_ms):
    """After the last of them, one more step is still within the hold-over's time."""
    return min(HOLDOVER_SAMPLES, HOLDOVER_MS // period_ms - 1)


@pytest.mark.parametrize("period_ms", PERIODS_MS)
def test_a_lost_chip_is_a_fault_right_after_the_hold_over(period_ms):
    bench = started(period_ms)
    before = values(bench)
    bench.chip.code = BUS_ERROR
    for _ in range(bad_samples_that_ride_through(period_ms)):
        bench.step()
        check_held_over(bench, before)
    bench.step()
    check_off(bench, "afe_lost")
    assert bench.point("measurement_age_ms") <= HOLDOVER_MS


@pytest.mark.parametrize("harm", IMPLAUSIBLE)
@pytest.mark.parametrize("period_ms", [20, 100, 250])
def test_what_can_not_be_is_a_fault_right_after_the_hold_over(harm, period_ms):
    bench = started(period_ms)
    before = values(bench)
    harm(bench.chip)
    for _ in range(bad_samples_that_ride_through(period_ms)):
        bench.step()
        check_held_over(bench, before)
    bench.step()
    check_off(bench, IMPLAUSIBLE[harm])
    assert bench.point("measurement_age_ms") <= HOLDOVER_MS


def test_a_late_step_with_a_new_scan_is_a_good_measurement():
    """A flash write stalls everything for 400 ms; what is measured after it is fresh."""
    bench = started()
    for _ in range(10):
        bench.step(700)
        assert bench.faults() == set()
        assert bench.point("measurement_age_ms") == 0
        bench.run(700)  # or being late were a fault of its own


@pytest.mark.parametrize("harm", IMPLAUSIBLE)
def test_what_can_not_be_is_never_shown_as_measured(harm):
    bench = started()
    harm(bench.chip)
    for _ in range(20):
        bench.step()
        for index in range(4):
            assert bench.point("cell_voltage_mv", index) in (3300, INVALID)
        for index in range(2):
            assert bench.point("temperature_dc", index) in (250, INVALID)
        assert bench.point("pack_voltage_mv") in (13200, INVALID)
        assert bench.point("current_ma") in (10000, INVALID)
        assert bench.point("power_w") in (132, INVALID)


@pytest.mark.parametrize("period_ms", PERIODS_MS)
def test_a_glitch_rides_through_with_the_values_of_the_last_good_sample(period_ms):
    bench = started(period_ms)
    bench.run(HOLDOVER_MS)
    for glitch in range(20):
        before = values(bench)
        bench.chip.code = BUS_ERROR if glitch & 1 else OK
        bench.chip.cell_mv[0] = 12000
        for _ in range(bad_samples_that_ride_through(period_ms)):
            bench.step()
            check_held_over(bench, before)
        heal(bench.chip)
        bench.step()
        assert bench.chip.gates() == GATES_BOTH and bench.faults() == set()


@pytest.mark.parametrize("period_ms", PERIODS_MS)
def test_a_chip_that_answers_but_does_not_measure_is_a_fault_within_half_a_second(period_ms):
    bench = started(period_ms)
    bench.chip.scanning = False
    took_ms = bench.run_until(lambda: bench.chip.gates() == 0, 5000)
    assert took_ms <= HOLDOVER_MS
    check_off(bench, "measurement_stale")


def test_a_chip_that_scans_seldom_but_in_time_is_no_fault():
    bench = started()
    for step in range(100):
        bench.chip.scanning = step % 5 == 0
        bench.step()
        assert bench.chip.gates() == GATES_BOTH and bench.faults() == set()
        assert bench.point("measurement_age_ms") == 100 * (step % 5)


def test_a_single_late_step_without_an_answer_is_a_fault():
    bench = started()
    bench.chip.code = BUS_ERROR
    bench.step(HOLDOVER_MS + 1)
    check_off(bench, "afe_lost")


def test_a_mix_of_troubles_does_not_add_up_to_more_hold_over():
    bench = started()
    bench.chip.code = BUS_ERROR
    bench.step()
    bench.chip.code = OK
    bench.chip.cell_mv[0] = 12000
    bench.step()
    bench.step()
    assert bench.chip.gates() == GATES_BOTH
    bench.chip.code = BUS_ERROR
    bench.step()
    check_off(bench, "afe_lost")


@pytest.mark.parametrize("code", [BUSY, BUS_ERROR, WRONG_DEVICE, VERIFY_FAILED])
def test_whatever_is_not_ok_is_no_measurement(code):
    bench = started()
    bench.chip.code = code
    bench.run(1000)
    check_off(bench, "afe_lost")


@pytest.mark.parametrize("trouble", ["lost", "stale", "implausible"])
def test_the_fault_names_itself_until_the_measurement_is_back_and_then_the_gates_close(trouble):
    bench = started()
    if trouble == "lost":
        bench.chip.code = BUS_ERROR
    elif trouble == "stale":
        bench.chip.scanning = False
    else:
        bench.chip.cell_mv[3] = 0
    bench.run(60000)
    assert len(bench.faults()) == 1
    heal(bench.chip)
    bench.step()
    assert bench.point("cell_min_mv") == 3300  # live again with the first good sample
    assert bench.chip.gates() == 0  # but a flickering chip does not make the gates chatter
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert 4500 <= took_ms <= 5500
    assert bench.faults() == set()


def test_warnings_of_old_measurements_are_not_shown_as_live():
    bench = started()
    bench.chip.set_temperatures(470)
    bench.step()
    assert bench.warnings() == {"overtemperature_charge"}
    bench.chip.code = BUS_ERROR
    bench.run(1000)
    assert bench.warnings() == set()


BAD = st.sampled_from(["lost", "implausible", "stale", "good"])


@given(st.lists(st.tuples(BAD, st.integers(20, 300)), max_size=60))
def test_gates_are_never_on_without_a_good_fresh_sample_of_the_last_half_second(samples):
    """Against a model of law 3 that only knows when each scan was made."""
    bench = started()
    scan_ms = good_ms = bench.now_ms
    bad = 0
    for kind, elapsed_ms in samples:
        heal(bench.chip)
        if kind == "lost":
            bench.chip.code = BUS_ERROR
        elif kind == "implausible":
            bench.chip.cell_mv[0] = 12000
        elif kind == "stale":
            bench.chip.scanning = False
        bench.step(elapsed_ms)
        if kind in ("good", "implausible"):
            scan_ms = bench.now_ms
        if kind in ("good", "stale") and bench.now_ms - scan_ms <= HOLDOVER_MS:
            good_ms = scan_ms
            bad = 0
        elif kind in ("lost", "implausible"):
            bad += 1
        if bad > HOLDOVER_SAMPLES or bench.now_ms - good_ms > HOLDOVER_MS:
            assert bench.chip.lines() == 0
            assert bench.point("cell_min_mv") == INVALID
            assert bench.point("soc_bp") == INVALID
            assert bench.faults()


@pytest.mark.parametrize(
    ("period_ms", "late_ms", "rides"), [(100, 400, True), (100, 401, False), (250, 251, False)]
)
def test_the_hold_over_looks_ahead_by_the_configured_period(period_ms, late_ms, rides):
    """Not by what the step itself took: a late one says nothing about the next."""
    bench = started(period_ms)
    bench.chip.code = BUS_ERROR
    bench.step(late_ms)
    assert ("afe_lost" in bench.faults()) == (not rides)
    assert (bench.chip.lines() == GATES_BOTH) == rides
