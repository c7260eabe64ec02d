"""Cells below their minimum: latched, acknowledged, charged slowly; below the floor never."""

import pytest

from bms import requests
from bms.fault_register import WORDS
from bms.points import STATE_ACTIVE, STATE_FAULT, STATE_LIMITED
from bms.sample import BUS_ERROR, CONFIGURATION_LOST, GATE_CHARGE, GATES_BOTH, OK
from bms.table import INVALID
from host_tests.bms.bench import Bench

# Defaults of LiFePO4
LIMIT_MV = 2000
FLOOR_MV = 1500
DELAY_MS = 5000
WELL_MV = 3001  # above the undervoltage release
REST_MS = 10000
REST_MA = 500  # so much discharge is no rest
LIMITED_MA = 5000
LIMITED_TRIP_MA = 10000


def deep(cell_mv=LIMIT_MV - 1, **settings):
    """A guarded pack that was just emptied below its minimum."""
    bench = Bench(body_diode_ma=20000, gates_off_current_ma=20000, **settings).start()
    bench.chip.set_cells(cell_mv)
    bench.run_until(lambda: "deep_discharge" in bench.faults(), DELAY_MS + 200)
    return bench


def acknowledge(bench):
    bench.ask(requests.ACKNOWLEDGE_DEEP_DISCHARGE)
    bench.step()


def disturb(bench):
    """A moment of discharge: what rested before does not count any more."""
    current_ma = bench.chip.current_ma
    bench.chip.current_ma = -REST_MA
    bench.step()
    bench.chip.current_ma = current_ma


def rest(bench):
    """A whole rest, from its first sample to its last."""
    disturb(bench)
    bench.run(REST_MS)


def acknowledged(cell_mv=LIMIT_MV - 1, **settings):
    bench = deep(cell_mv, **settings)
    rest(bench)
    acknowledge(bench)
    return bench


def check_off(bench):
    assert bench.chip.lines() == bench.chip.gates() == 0
    assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
    assert bench.point("charge_current_limit_ma") == 0
    assert bench.point("discharge_current_limit_ma") == 0


def test_a_deeply_discharged_pack_is_off_until_a_person_acknowledges_it():
    bench = deep()
    rest(bench)
    for request_code in (requests.CLEAR_FAULTS, requests.GATES_AUTO, requests.REPROGRAM_AFE):
        bench.ask(request_code)
        bench.run(20000)
        assert "deep_discharge" in bench.faults()
        check_off(bench)
    assert bench.point("state") == STATE_FAULT
    assert bench.point("limited") == 0


def test_an_acknowledgement_allows_a_limited_charge_current_and_no_discharge():
    bench = acknowledged()
    assert "deep_discharge" in bench.faults()
    assert bench.chip.gates() == GATE_CHARGE
    assert bench.point("state") == STATE_LIMITED
    assert bench.point("limited") == 1
    assert bench.point("charge_allowed") == 1
    bench.limits_risen()
    assert bench.point("charge_current_limit_ma") == LIMITED_MA
    assert bench.point("discharge_allowed") == 0
    assert bench.point("discharge_current_limit_ma") == 0


def test_the_offered_current_is_limited_in_the_step_of_the_acknowledgement():
    """The slow path may take a second to find the same."""
    bench = deep()
    rest(bench)
    bench.ask(requests.ACKNOWLEDGE_DEEP_DISCHARGE)
    offered_ma = []
    for _ in range(30):
        bench.step()
        offered_ma.append(bench.point("charge_current_limit_ma"))
    for _ in range(30):
        bench.slow()
        offered_ma.append(bench.point("charge_current_limit_ma"))
    assert offered_ma == sorted(offered_ma)
    assert offered_ma[-1] == LIMITED_MA


@pytest.mark.parametrize("seen", ["before", "after"])
def test_an_acknowledgement_counts_after_a_whole_rest_since_the_start(seen):
    bench = deep()
    if seen == "before":
        rest(bench)
    disturb(bench)
    acknowledge(bench)
    assert bench.battery.deep_discharge.keeps()
    if seen == "after":
        for _ in range(98):
            assert bench.point("limited") == 0
            check_off(bench)
            bench.step()
        assert bench.battery.deep_discharge.keeps()
        bench.step()
    assert bench.point("limited") == 1
    assert bench.chip.gates() == GATE_CHARGE
    assert bench.battery.deep_discharge.keeps()


def test_a_rest_below_the_floor_ends_an_acknowledgement_that_waited_for_it():
    bench = deep(FLOOR_MV - 1)
    disturb(bench)
    acknowledge(bench)
    for _ in range(2 * REST_MS // 100):
        check_off(bench)
        bench.step()
    assert "cell_below_floor" in bench.faults()
    assert not bench.battery.deep_discharge.keeps()


def test_only_an_acknowledgement_ends_deep_discharge_and_only_above_the_release():
    bench = deep()
    bench.chip.set_cells(WELL_MV)
    bench.chip.current_ma = 600
    bench.run(2 * REST_MS)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(2 * REST_MS)
    assert bench.faults() == {"deep_discharge"}
    check_off(bench)
    acknowledge(bench)
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH
    assert bench.point("limited") == 0
    assert not bench.battery.deep_discharge.keeps()


def test_one_empty_cell_beside_full_ones_is_charged_once_it_is_acknowledged():
    bench = Bench(body_diode_ma=20000, gates_off_current_ma=20000).start()
    bench.chip.cell_mv[2] = LIMIT_MV - 1
    bench.run(3 * REST_MS)
    assert bench.faults() >= {"deep_discharge", "cell_imbalance"}
    check_off(bench)
    acknowledge(bench)
    assert "cell_imbalance" in bench.faults()
    assert bench.chip.gates() == GATE_CHARGE
    # Well again, but still apart: as any other pack
    bench.chip.set_cells(WELL_MV + 1000)
    bench.chip.cell_mv[2] = WELL_MV
    bench.run(6000)
    bench.chip.set_cells(WELL_MV + 600)  # else there is an overvoltage, too
    bench.chip.cell_mv[2] = WELL_MV
    bench.run(6000)
    assert bench.point("limited") == 0
    assert bench.faults() >= {"cell_imbalance"}
    assert "deep_discharge" not in bench.faults()
    assert not bench.chip.lines() & GATE_CHARGE


def test_the_limited_current_is_a_warning_above_what_is_offered():
    bench = acknowledged()
    bench.chip.current_ma = LIMITED_MA
    bench.step()
    assert "limited_current" not in bench.warnings()
    bench.chip.current_ma = LIMITED_MA + 1
    bench.step()
    assert "limited_current" in bench.warnings()
    bench.chip.current_ma = LIMITED_TRIP_MA
    bench.run(60000)
    assert "limited_current" not in bench.faults()
    assert bench.chip.gates() == GATE_CHARGE


def test_more_than_the_limited_current_opens_everything_until_it_is_cleared():
    bench = acknowledged()
    bench.chip.current_ma = LIMITED_TRIP_MA + 1
    bench.run(500)
    assert bench.chip.gates() == GATE_CHARGE
    bench.step()
    assert "limited_current" in bench.faults()
    check_off(bench)
    bench.chip.current_ma = 0
    bench.run(60000)
    acknowledge(bench)
    bench.step()
    assert "limited_current" in bench.faults()
    check_off(bench)
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    bench.step()
    assert bench.chip.gates() == GATE_CHARGE  # the acknowledgement still stands


def test_a_pack_that_is_not_limited_has_no_limited_current():
    bench = Bench().start()
    bench.chip.current_ma = 50000
    bench.run(5000)
    assert bench.faults() == set()
    assert bench.point("limited") == 0


def test_a_pack_that_recovered_is_released_and_its_acknowledgement_used_up():
    bench = acknowledged()
    bench.chip.current_ma = 4000
    bench.chip.set_cells(WELL_MV - 1)
    bench.run(60000)
    assert "deep_discharge" in bench.faults()
    bench.chip.set_cells(WELL_MV)
    bench.run_until(lambda: not bench.faults(), 5200)
    assert bench.point("limited") == 0
    assert bench.point("state") == STATE_ACTIVE
    bench.limits_risen()
    assert bench.point("charge_current_limit_ma") == 50000
    bench.chip.current_ma = 0
    bench.chip.set_cells(LIMIT_MV - 1)
    bench.run_until(lambda: "deep_discharge" in bench.faults(), DELAY_MS + 200)
    bench.run(1000)
    check_off(bench)


@pytest.mark.parametrize("moment", ["well", "on its way"])
def test_nobody_acknowledges_in_advance(moment):
    bench = Bench().start()
    if moment == "on its way":
        bench.chip.set_cells(LIMIT_MV - 1)
        bench.run(DELAY_MS - 1000)
    acknowledge(bench)
    assert bench.point("limited") == 0
    bench.chip.set_cells(LIMIT_MV - 1)
    bench.run(DELAY_MS + 200)
    assert "deep_discharge" in bench.faults()
    check_off(bench)


@pytest.mark.parametrize("trouble", ["lost", "restarted", "reprogrammed", "cleared"])
def test_an_acknowledgement_outlives_troubles_of_the_chip(trouble):
    bench = acknowledged()
    if trouble == "lost":
        bench.chip.code = BUS_ERROR
        bench.run(2000)
    elif trouble == "restarted":
        bench.chip.code = CONFIGURATION_LOST
        bench.step()
    elif trouble == "reprogrammed":
        bench.ask(requests.REPROGRAM_AFE)
        bench.step()
    else:
        bench.ask(requests.CLEAR_FAULTS)
        bench.step()
    bench.chip.code = OK
    bench.run(10000)
    assert "deep_discharge" in bench.faults()
    assert bench.point("limited") == 1
    assert bench.chip.gates() == GATE_CHARGE


@pytest.mark.parametrize(
    ("current_ma", "rests"),
    [(0, True), (499, True), (900, True), (-499, True), (-500, False), (-900, False)],
)
def test_the_lowest_cell_is_noted_after_ten_seconds_without_discharge(current_ma, rests):
    bench = Bench().start()
    disturb(bench)  # what came before the cell was low is no rest
    bench.chip.cell_mv[1] = 1900
    bench.chip.current_ma = current_ma
    bench.run(REST_MS - 100)
    assert bench.point("lowest_cell_mv") == INVALID
    bench.step()
    assert bench.point("lowest_cell_mv") == (1900 if rests else INVALID)


@pytest.mark.parametrize("when", [0, 50, 99])
def test_of_a_rest_the_highest_voltage_of_the_lowest_cell_counts(when):
    bench = Bench().start()
    disturb(bench)
    for step in range(100):
        bench.chip.cell_mv[1] = 1600 if step == when else FLOOR_MV - 100
        assert bench.point("lowest_cell_mv") == INVALID
        bench.step()
    assert bench.point("lowest_cell_mv") == 1600
    assert "cell_below_floor" not in bench.faults()


@pytest.mark.parametrize("steps", [1, 50, 99])
def test_wrong_samples_condemn_no_cell_unless_they_fill_a_whole_rest(steps):
    bench = Bench().start()
    disturb(bench)
    bench.chip.cell_mv[1] = FLOOR_MV - 100
    for _ in range(steps):
        bench.step()
    bench.chip.cell_mv[1] = 3300
    bench.run(3 * REST_MS)
    assert bench.point("lowest_cell_mv") == INVALID
    assert "cell_below_floor" not in bench.faults()


def test_rest_counts_from_the_last_discharge():
    bench = deep()
    bench.run(REST_MS - 100)
    disturb(bench)
    bench.run(REST_MS - 100)
    assert bench.point("lowest_cell_mv") == INVALID
    bench.step()
    assert bench.point("lowest_cell_mv") == LIMIT_MV - 1


def test_only_what_is_below_the_limit_and_lower_than_before_is_noted():
    bench = Bench().start()
    for cell_mv, noted_mv in (
        (3300, INVALID), (2000, INVALID), (1999, 1999), (1900, 1900), (1950, 1900), (3300, 1900),
        (1899, 1899),
    ):  # fmt: skip
        bench.chip.set_cells(cell_mv)
        rest(bench)
        assert bench.point("lowest_cell_mv") == noted_mv


def test_a_cell_that_rests_at_the_floor_may_be_charged_and_one_below_may_not():
    bench = deep(FLOOR_MV)
    rest(bench)
    assert bench.point("lowest_cell_mv") == FLOOR_MV
    assert "cell_below_floor" not in bench.faults()
    acknowledge(bench)
    assert bench.chip.gates() == GATE_CHARGE
    disturb(bench)
    bench.chip.cell_mv[3] = FLOOR_MV - 1
    bench.run(REST_MS - 100)
    assert bench.chip.gates() == GATE_CHARGE
    bench.step()
    assert "cell_below_floor" in bench.faults()
    check_off(bench)
    assert bench.point("limited") == 0
    assert not bench.battery.deep_discharge.keeps()


@pytest.mark.parametrize("source", ["noted", "latched word"])
def test_a_floor_that_is_lowered_forgives_nothing(source):
    if source == "noted":
        bench = deep(FLOOR_MV - 1)
        rest(bench)
    else:
        before = deep(FLOOR_MV - 1)
        rest(before)
        words = [0] * WORDS
        before.battery.latched_into(words)
        bench = Bench(body_diode_ma=20000, cell_floor_mv=1000)
        bench.battery.restore(words, False)
    bench.parameters.change([(bench.parameters.index("cell_floor_mv"), 1000)])
    bench.chip.set_cells(3300)
    for request_code in (requests.CLEAR_FAULTS, requests.ACKNOWLEDGE_DEEP_DISCHARGE) * 2:
        bench.ask(request_code)
        bench.run(2 * REST_MS)
        assert "cell_below_floor" in bench.faults()
        check_off(bench)


def test_nothing_and_nobody_charges_a_cell_that_rested_below_the_floor():
    bench = deep(FLOOR_MV - 1)
    rest(bench)
    bench.chip.set_cells(3300)
    bench.chip.current_ma = 501
    bench.run(60000)
    for request_code in range(1, requests.TRY_CURRENT + 1):
        bench.ask(request_code)
        bench.run(10000)
        assert "cell_below_floor" in bench.faults()
        check_off(bench)
    bench.battery.condition("not_commissioned", True)
    bench.ask(requests.TRY_CURRENT)
    bench.run(1000)
    check_off(bench)


def test_a_sag_under_load_does_not_count_for_the_floor():
    bench = Bench().start()
    bench.chip.current_ma = -90000
    bench.chip.set_cells(FLOOR_MV - 300)
    for _ in range(300):
        bench.step()
    bench.chip.current_ma = 0
    bench.chip.set_cells(1800)
    bench.run(60000)
    assert bench.point("lowest_cell_mv") == 1800
    assert "cell_below_floor" not in bench.faults()


def test_a_restart_does_not_help_a_cell_below_the_floor():
    bench = Bench()
    bench.battery.deep_discharge.restore(FLOOR_MV - 1, True)
    for _ in range(300):
        bench.step()
        check_off(bench)
    assert "cell_below_floor" in bench.faults()
    assert bench.point("lowest_cell_mv") == FLOOR_MV - 1
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(20000)
    check_off(bench)


@pytest.mark.parametrize("acknowledged_before", [True, False])
def test_a_restart_keeps_deep_discharge_and_its_acknowledgement(acknowledged_before):
    before = deep()
    words = [0] * WORDS
    before.battery.latched_into(words)
    bench = Bench(body_diode_ma=20000)
    bench.battery.restore(words, False)
    bench.battery.deep_discharge.restore(1900, acknowledged_before)
    assert bench.battery.deep_discharge.keeps() == acknowledged_before
    bench.chip.set_cells(2500)
    bench.run_until(lambda: bench.point("cell_min_mv") == 2500, 5000)
    for _ in range(99):  # the rest must be seen again, however long it was before
        check_off(bench)
        bench.step()
    assert bench.battery.deep_discharge.keeps() == acknowledged_before
    assert "deep_discharge" in bench.faults()
    assert bench.point("limited") == acknowledged_before
    assert bench.chip.gates() == (GATE_CHARGE if acknowledged_before else 0)
    assert bench.point("lowest_cell_mv") == 1900


def test_a_restored_acknowledgement_without_its_fault_is_worth_nothing():
    bench = Bench()
    bench.battery.deep_discharge.restore(1900, True)
    bench.start()
    assert bench.point("limited") == 0
    assert not bench.battery.deep_discharge.keeps()
    bench.chip.set_cells(LIMIT_MV - 1)
    bench.run(DELAY_MS + 200)
    for _ in range(300):  # and whole rests later
        check_off(bench)
        bench.step()


def test_a_pack_that_starts_below_its_minimum_never_sees_a_gate_closed():
    bench = Bench()
    bench.chip.set_cells(LIMIT_MV - 1)
    while "deep_discharge" not in bench.faults():
        bench.step()
        check_off(bench)
        assert bench.now_ms < DELAY_MS + 3000
    bench.run(1000)
    check_off(bench)


def test_a_floor_that_is_raised_counts_for_what_was_noted():
    bench = acknowledged(1900)
    assert bench.chip.gates() == GATE_CHARGE
    index = bench.parameters.index("cell_floor_mv")
    bench.parameters.change([(index, 1901)])
    bench.step()
    assert "cell_below_floor" in bench.faults()
    check_off(bench)


def test_what_was_noted_stays_while_nothing_is_measured():
    bench = deep(FLOOR_MV - 1)
    rest(bench)
    bench.chip.code = BUS_ERROR
    bench.run(60000)
    assert bench.faults() >= {"cell_below_floor", "deep_discharge", "afe_lost"}
    assert bench.point("lowest_cell_mv") == FLOOR_MV - 1


def test_a_healthy_pack_never_says_limited():
    bench = Bench().start()
    bench.run(20000)
    assert bench.point("limited") == 0
    assert bench.point("lowest_cell_mv") == INVALID
    assert bench.chip.gates() == GATES_BOTH
