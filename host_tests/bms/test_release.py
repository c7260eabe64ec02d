"""Protections release past their release threshold, for its delay, on measurements only."""

import pytest

from bms import requests
from bms.parameters import Parameters
from bms.sample import BUS_ERROR, CONFIGURATION_LOST, OK, VERIFY_FAILED
from host_tests.bms.bench import Bench
from host_tests.bms.row_bench import LATCHING, NAMES, UNDERVOLTAGES, Row, drive, setting_name


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.mark.parametrize("period_ms", [20, 100, 250])
def test_a_row_releases_past_its_release_threshold_for_the_release_delay(name, period_ms):
    row = Row(name, period_ms=period_ms)
    row.trip()
    row.drive("release")  # at it is not past it
    row.bench.run(2 * row.setting("release_delay") + 1000)
    row.check_blocked()
    row.let_go()
    took_ms = row.run_until_gone()
    assert row.setting("release_delay") <= took_ms
    assert took_ms <= row.setting("release_delay") + 2 * period_ms
    row.bench.step()
    row.check_guarded()


@pytest.mark.parametrize("name", LATCHING)
def test_a_row_whose_fault_latches_is_shown_until_a_person_clears_it(name):
    row = Row(name)
    row.trip()
    row.drive("release", beyond=-1)
    row.bench.run(row.setting("release_delay") + 60000)
    row.check_blocked()
    row.let_go()
    row.step()
    assert not row.active()


@pytest.mark.parametrize("name", LATCHING)
def test_a_row_whose_fault_latches_can_not_be_cleared_while_its_cause_is_there(name):
    row = Row(name)
    row.trip()
    for _ in range(20):
        row.bench.ask(requests.CLEAR_FAULTS)
        row.bench.step()
        row.check_blocked()
    row.bench.run(20000)
    row.check_blocked()


@pytest.mark.parametrize("name", [each for each in NAMES if each not in LATCHING])
def test_clearing_does_not_touch_a_fault_that_releases_by_itself(name):
    row = Row(name)
    row.trip()
    row.drive("release")
    for _ in range(30):
        row.bench.ask(requests.CLEAR_FAULTS)
        row.bench.step()
        row.check_blocked()


def test_a_release_that_is_interrupted_begins_anew(name):
    row = Row(name)
    row.trip()
    for _ in range(3):
        row.let_go()
        row.run(row.setting("release_delay"))
        row.check_blocked()
        row.drive("release")
        row.bench.step()
    row.check_blocked()


@pytest.mark.parametrize("name", ["overcurrent_charge", "overcurrent_discharge"])
def test_an_over_current_can_release_when_no_current_flows(name):
    """Its gate is off, so nothing may flow any more; whatever release threshold was accepted."""
    parameters = Parameters()
    smallest_ma = parameters.minimums[parameters.index(name + "_release_ma")]
    row = Row(name, **{name + "_release_ma": smallest_ma})
    row.trip()
    row.bench.chip.current_ma = 0
    row.bench.run_until(lambda: not row.active(), row.setting("release_delay") + 200)


def test_a_glitch_of_the_bus_does_not_begin_a_release_anew(name):
    """Else one bad sample in 30 s would keep a pack off for ever whose release takes 30 s."""
    row = Row(name)
    row.trip()
    row.let_go()
    released_ms = row.bench.now_ms
    step = 0
    while row.active():
        step += 1
        row.bench.chip.code = BUS_ERROR if step % 20 == 0 else OK
        row.step()
        passed_ms = row.bench.now_ms - released_ms
        assert passed_ms <= row.setting("release_delay") * 11 // 10 + 500
    assert passed_ms >= row.setting("release_delay")


def test_time_without_a_measurement_does_not_count_for_a_release(name):
    row = Row(name)
    row.trip()
    row.drive("release", beyond=-1)
    row.bench.run(row.setting("release_delay") - 200)
    row.bench.chip.code = BUS_ERROR
    row.bench.run(60000)  # whatever the signal did meanwhile
    row.bench.chip.code = OK
    row.bench.step()
    row.let_go()
    took_ms = row.run_until_gone()
    assert took_ms + 100 >= row.setting("release_delay")


def test_a_row_does_not_release_on_held_over_values(name):
    row = Row(name)
    row.trip()
    row.let_go()
    row.run(row.setting("release_delay"))
    row.bench.chip.code = BUS_ERROR
    row.run(300)
    row.check_blocked()
    row.bench.chip.code = OK
    row.step()
    assert not row.active()


@pytest.mark.parametrize("cause", ["request", "configuration lost", "verify"])
def test_an_active_fault_stays_shown_and_blocked_through_programming(name, cause):
    """In every single step, also in the one that begins it."""
    row = Row(name)
    bench = row.bench
    row.trip()
    row.drive("release")  # not past it
    if cause == "request":
        bench.ask(requests.REPROGRAM_AFE)
    elif cause == "configuration lost":
        bench.chip.code = CONFIGURATION_LOST
        bench.step()
        bench.chip.code = OK
    else:
        bench.chip.verify_code = VERIFY_FAILED
        bench.run_until(lambda: bench.chip.programmings == 2, 2000)
        bench.chip.verify_code = OK
    bench.events()
    for _ in range(100):
        assert row.active()
        assert not bench.chip.lines() & row.blocks
        bench.step()
    assert ("fault_over", name, 0) not in bench.events()
    assert row.active()


OWN_RELEASE = [each for each in NAMES if "release" in setting_name(each, "release")]


@pytest.mark.parametrize("name", OWN_RELEASE)
def test_a_release_threshold_that_changes_counts_from_then_on(name):
    """For the whole release delay; nothing closes at once."""
    row = Row(name)
    row.trip()
    row.drive("release")
    row.bench.run(row.setting("release_delay") + 1000)
    parameters = row.bench.parameters
    index = parameters.index(setting_name(name, "release"))
    parameters.change([(index, parameters.values[index] + row.side)])
    if name in LATCHING:
        row.bench.ask(requests.ACKNOWLEDGE_DEEP_DISCHARGE)
    took_ms = row.run_until_gone()
    assert took_ms >= row.setting("release_delay")


def test_every_undervoltage_keeps_discharge_off_until_the_last_of_them_released():
    bench = Bench(body_diode_ma=20000).start()
    bench.chip.set_cells(2650)
    bench.run_until(lambda: bench.faults() >= set(UNDERVOLTAGES), 10000)
    bench.chip.set_cells(3100)
    bench.chip.cell_mv[0] = 3000
    bench.chip.current_ma = 501
    bench.run(60000)
    assert bench.faults() == {"cell_undervoltage"}
    assert bench.point("discharge_allowed") == 0


# Rows with a warning of their own, which is the trip while tight
TIGHT = [
    each
    for each in NAMES
    if setting_name(each, "warn") != setting_name(each, "trip") and each != "limited_current"
]


@pytest.mark.parametrize("name", TIGHT)
def test_a_tight_row_releases_as_far_before_the_warning_as_it_does_before_the_trip(name):
    """Else a signal between release and warning would open and close the gates for ever."""
    row = Row(name)
    row.bench.battery.tighten(True)
    row.drive("warn", beyond=1)
    row.bench.run_until(row.active, 100000)
    gap = (row.value("trip") - row.value("release")) * row.side
    below_warning = row.value("warn") - gap * row.side
    if row.side > 0:  # an amount, as the cells' difference, must be able to get there
        below_warning = max(below_warning, row.value("warn") // 2)
    # The one that is farther from the trip
    release = min(below_warning * row.side, row.value("release") * row.side) * row.side
    assert row.side < 0 or release > 0
    row.drive("release")
    _drive(row, release)
    row.bench.run(2 * row.setting("release_delay") + 1000)
    assert row.active()
    _drive(row, release - row.side)
    took_ms = row.bench.run_until(lambda: not row.active(), 100000)
    assert row.setting("release_delay") <= took_ms <= row.setting("release_delay") + 200


def _drive(row, value):
    if row.name == "cell_imbalance":  # the other cells are between those that are apart
        row.bench.chip.set_cells(3175)
    drive(row.bench.chip, row.name, value, row.chemistry)
