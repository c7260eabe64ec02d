"""The whole firmware on packs of 24 and 32 cells behind a stack of two BQ76952.

A second chip that is silent, damaged, late or restarted opens both gates like the only one would;
what it trips by itself opens them without the processor, and is a fault of the pack. Crossings and
gates are the simulation's truth.
"""

import pytest

from host_tests.system.simulated_board import SETTINGS, run_board
from host_tests.system.test_cut_off import CHARGE, DISCHARGE, closed_before, opened_after_ms

INJECT_S = 15  # programming and self-test of both take 6 s
INJECT_US = INJECT_S * 1_000_000
PERIOD_MS = 100
SCAN_MS = 63  # of each chip; a sample may be of the scan before
HOLDOVER_MS = 500  # law 3
LOOK_MS = 250  # between two looks of a chip at what does not act at once
STACK_24 = {
    **SETTINGS,
    "afe_chip": 4,
    "afe_crc": 1,
    "series_cells": 24,
    "cell_thermistors": 4,
    "fet_side": 1,
}
STACK_32 = {**STACK_24, "series_cells": 32}
both_sizes = pytest.mark.parametrize("settings", [STACK_24, STACK_32], ids=["24", "32"])


def run(tmp_path, *orders, duration_s=30, settings=STACK_24, **options):
    orders = [[INJECT_S, {"inject": name}] for name in orders]
    return run_board(tmp_path, duration_s=duration_s, settings=settings, orders=orders, **options)


@both_sizes
def test_every_cell_is_guarded_and_shown(tmp_path, settings):
    past = run(tmp_path, duration_s=16, settings=settings)
    status = past.statuses[-1]
    points = status["points"]
    assert points["state"] == "active"
    assert points["faults"] == []
    assert points["gates"] == 3
    assert points["cell_voltage_mv"] == pytest.approx(status["truth"]["cell_voltage_mv"], abs=5)
    assert len(points["cell_voltage_mv"]) == settings["series_cells"]
    assert points["pack_voltage_mv"] == pytest.approx(status["truth"]["pack_voltage_mv"], abs=50)
    assert len(points["temperature_dc"]) == 4
    assert points["bus_voltage_mv"] is None
    assert points["self_test_failed"] == 0


@both_sizes
@pytest.mark.parametrize("cell", ["cell_overvoltage", "upper_cell_overvoltage"])
def test_software_stops_charging_in_time_while_the_chips_protect_nothing(tmp_path, settings, cell):
    past = run(
        tmp_path,
        cell,
        settings={**settings, "power_path": 1},  # separate ports: no gate spares a body diode
        faults=["afe_protections_off"],
        watch=[["cell_high_mv", 3650]],
    )
    crossed_us = past.end["crossed_us"]["cell_high_mv"]
    assert closed_before(past, CHARGE, crossed_us)
    assert 1000 <= opened_after_ms(past, CHARGE, crossed_us) <= 1000 + 2 * PERIOD_MS + SCAN_MS
    assert "cell_overvoltage" in past.statuses[-1]["points"]["faults"]


@both_sizes
def test_the_upper_chip_alone_stops_charging_when_the_processor_hangs(tmp_path, settings):
    """Its own delay is the software's and the margin, 1000 + 1000 ms, in steps of 3.3 ms; its
    comparators see a cell at once. The host watchdog comes later, after 4 s."""
    past = run(
        tmp_path,
        "firmware_hang",
        "upper_cell_overvoltage",
        settings=settings,
        faults=["watchdog_dead"],
        watch=[["cell_high_mv", 3744]],
    )
    crossed_us = past.end["crossed_us"]["cell_high_mv"]
    assert 2000 <= opened_after_ms(past, CHARGE, crossed_us) <= 2004


def test_what_the_upper_chip_trips_is_a_fault_of_the_pack_and_stays_off(tmp_path):
    """A stall of 3 s hides the cause from the software until the chip has acted."""
    orders = [
        [INJECT_S, {"inject": "upper_cell_overvoltage"}],
        [INJECT_S + 0.1, {"stall_ms": 2500}],
        [INJECT_S + 3, {"clear": "upper_cell_overvoltage"}],
    ]
    settings = {**STACK_24, "power_path": 1, "overrun_ms": 2000, "afe_watchdog_s": 5}
    past = run_board(tmp_path, duration_s=30, settings=settings, orders=orders)
    assert opened_after_ms(past, CHARGE, INJECT_US) <= 2004
    assert "cell_overvoltage" in past.points_at(INJECT_S + 3)["faults"]


def test_the_hosts_silence_opens_both_gates(tmp_path):
    past = run(tmp_path, "firmware_hang", faults=["watchdog_dead"])
    for gate in (CHARGE, DISCHARGE):
        assert opened_after_ms(past, gate, INJECT_US) <= 4000 + LOOK_MS


@both_sizes
@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        ("upper_afe_silent", "afe_lost"),
        ("upper_afe_corrupt", "afe_corrupt"),
        ("upper_afe_frozen", "measurement_stale"),
        ("afe_silent", "afe_lost"),
        ("afe_frozen", "measurement_stale"),
    ],
)
def test_a_chip_that_is_not_heard_opens_both_gates_within_the_holdover(
    tmp_path, settings, cause, fault
):
    past = run(tmp_path, cause, duration_s=18, settings=settings, faults=["afe_protections_off"])
    for gate in (CHARGE, DISCHARGE):
        assert closed_before(past, gate, INJECT_US)
        assert opened_after_ms(past, gate, INJECT_US) <= HOLDOVER_MS + 2 * PERIOD_MS
    assert past.points_at(INJECT_S + 2)["faults"] == [fault]
    assert past.points_at(INJECT_S + 2)["cell_voltage_mv"] in (None, [None])


@both_sizes
def test_an_upper_chip_that_restarted_is_programmed_again_with_open_gates(tmp_path, settings):
    past = run(tmp_path, "upper_afe_reset", duration_s=40, settings=settings)
    for gate in (CHARGE, DISCHARGE):
        assert opened_after_ms(past, gate, INJECT_US) == 0  # its outputs fell
    assert "afe_restarted" in past.points_at(INJECT_S + 1)["faults"]
    again = [entry for entry in past.end["trace"] if entry[0] > INJECT_US and entry[CHARGE]]
    assert again[0][0] - INJECT_US >= 5_000_000  # held off, not chattering
    assert past.points_at(39)["faults"] == []


@both_sizes
def test_an_open_wire_of_the_upper_chip_is_named_by_its_lead(tmp_path, settings):
    past = run(tmp_path, "upper_open_wire", duration_s=18, settings=settings)
    points = past.points_at(INJECT_S + 2)
    assert points["faults"][-1] == "cell_wire_open"
    assert points["suspect_lead"] == settings["series_cells"] * 3 // 4
    assert past.statuses[-1]["truth"]["gates"] == 0


def test_a_cut_wire_from_the_upper_chip_to_the_switches_leaves_them_off(tmp_path):
    past = run(tmp_path, "upper_gate_wire_cut", duration_s=18)
    for gate in (CHARGE, DISCHARGE):
        assert opened_after_ms(past, gate, INJECT_US) == 0
    assert past.statuses[-1]["truth"]["gates"] == 0


@both_sizes
def test_a_short_circuit_is_the_lower_chips(tmp_path, settings):
    past = run(tmp_path, "short_circuit", duration_s=18, settings=settings)
    assert opened_after_ms(past, DISCHARGE, INJECT_US) <= 1
    assert "short_circuit" in past.points_at(INJECT_S + 1)["faults"]


def test_after_a_reset_of_the_processor_both_chips_are_off_before_anything_else(tmp_path):
    run(tmp_path, "firmware_hang", duration_s=20)
    past = run_board(
        tmp_path, duration_s=20, settings=STACK_24, reset_cause="watchdog", faults=["afe_silent"]
    )
    assert not past.statuses[-1]["truth"]["gates"]
    assert not any(entry[CHARGE] or entry[DISCHARGE] for entry in past.end["trace"])
