"""The whole firmware on a pack behind a BQ76940: the software does what that chip can not.

Law 2 with that chip's numbers: a scan is 250 ms; thermistors are measured every 2 s and stand
still for another 6 s while the dies are, which take their turn of 8 s
(afe/bq769x0_temperatures.py). Crossings and gates are
the simulation's truth.
"""

import pytest

from host_tests.system.simulated_board import SETTINGS, run_board
from host_tests.system.test_cut_off import CHARGE, DISCHARGE, closed_before, opened_after_ms

INJECT_S = 15  # the self-test takes 7 s
PERIOD_MS = 100
SCAN_MS = 250
SENSOR_MS = 2000 + 6000 + SCAN_MS
DIE_MS = 8000 + 1000 + SCAN_MS
BQ76940 = {**SETTINGS, "afe_chip": 3, "afe_crc": 1, "series_cells": 15}
SEPARATE_PORTS = {**BQ76940, "power_path": 1}

# injected, watched signal and limit (the default trip), gate that opens, its delay, scan
SOFTWARE = (
    ("cell_overvoltage", "cell_high_mv", 3650, CHARGE, 1000, SCAN_MS),
    ("cell_undervoltage", "cell_low_mv", 2700, DISCHARGE, 2000, SCAN_MS),
    ("overcurrent_charge", "charge_ma", 60000, CHARGE, 3000, SCAN_MS),
    ("overcurrent_discharge", "discharge_ma", 120000, DISCHARGE, 3000, SCAN_MS),
    ("overtemperature", "hot_dc", 500, CHARGE, 2000, SENSOR_MS),
    ("overtemperature", "hot_dc", 600, DISCHARGE, 2000, SENSOR_MS),
    ("undertemperature", "cold_dc", 0, CHARGE, 2000, SENSOR_MS),
    ("undertemperature", "cold_dc", -200, DISCHARGE, 2000, SENSOR_MS),
    ("fet_hot", "board_dc", 850, CHARGE, 2000, DIE_MS),
    ("fet_hot", "board_dc", 850, DISCHARGE, 2000, DIE_MS),
)
SENSOR_ERROR_MS = 1000  # half a degree of a sensor that moves by 7 degrees a second at first


def run(tmp_path, *orders, duration_s=40, settings=BQ76940, **options):
    orders = [[INJECT_S, {"inject": name}] for name in orders]
    return run_board(tmp_path, duration_s=duration_s, settings=settings, orders=orders, **options)


@pytest.mark.parametrize(
    ("fault", "signal", "limit", "gate", "delay_ms", "scan_ms"),
    SOFTWARE,
    ids=[f"{row[0]}-{row[2]}" for row in SOFTWARE],
)
def test_software_opens_the_gate_in_time_while_the_chip_protects_nothing(
    tmp_path, fault, signal, limit, gate, delay_ms, scan_ms
):
    past = run(
        tmp_path,
        fault,
        duration_s=60,
        settings=SEPARATE_PORTS,
        faults=["afe_protections_off"],
        watch=[[signal, limit]],
    )
    crossed_us = past.end["crossed_us"][signal]
    assert closed_before(past, gate, crossed_us)
    taken_ms = opened_after_ms(past, gate, crossed_us)
    early_ms = 0 if scan_ms == SCAN_MS else SENSOR_ERROR_MS
    assert delay_ms - early_ms <= taken_ms <= delay_ms + 2 * PERIOD_MS + scan_ms + early_ms


def test_the_chip_alone_stops_charging_when_the_processor_hangs(tmp_path):
    """The chip's own trip: 1000 + 1000 ms by parameters, and the scan that must see it."""
    past = run(
        tmp_path,
        "firmware_hang",
        "cell_overvoltage",
        faults=["watchdog_dead"],
        watch=[["cell_high_mv", 3706]],
    )
    crossed_us = past.end["crossed_us"]["cell_high_mv"]
    assert 2000 <= opened_after_ms(past, CHARGE, crossed_us) <= 2000 + SCAN_MS


def test_the_processors_watchdog_stands_in_for_the_chips(tmp_path):
    past = run(tmp_path, "firmware_hang")
    assert past.end["reason"] == "watchdog"
    assert INJECT_S < past.end["t_s"] <= INJECT_S + 3.1


def test_after_that_reset_the_off_lines_open_both_gates_before_anything_else(tmp_path):
    run(tmp_path, "firmware_hang")
    past = run_board(
        tmp_path, duration_s=20, settings=BQ76940, reset_cause="watchdog", faults=["afe_silent"]
    )
    assert not past.statuses[-1]["truth"]["gates"]
    assert not any(entry[CHARGE] or entry[DISCHARGE] for entry in past.end["trace"])


@pytest.mark.parametrize(
    ("silence", "fault"),
    [("afe_silent", "afe_lost"), ("afe_stuck", "afe_lost"), ("afe_corrupt", "afe_corrupt")],
)
def test_the_off_line_opens_both_gates_when_the_chips_bus_is_dead(tmp_path, silence, fault):
    past = run(tmp_path, silence, faults=["afe_protections_off"])
    for gate in (CHARGE, DISCHARGE):
        assert closed_before(past, gate, INJECT_S * 1_000_000)
        assert opened_after_ms(past, gate, INJECT_S * 1_000_000) <= 500 + 2 * PERIOD_MS
    assert past.points_at(INJECT_S + 2)["faults"] == [fault]


@pytest.mark.parametrize(
    ("cause", "fault", "within_s"),
    [
        ("afe_frozen", "measurement_stale", 1),
        ("thermistor_open", "thermistor_open", 11),
        ("thermistor_short", "thermistor_short", 11),
        ("short_circuit", "short_circuit", 1),
        ("overcurrent_charge", "overcurrent_charge", 5),
        ("fet_hot", "afe_overtemperature", 30),  # heated within 20 s
        ("open_wire", "cell_wire_open", 65),  # looked for every minute
        ("stack_mismatch", "stack_mismatch", 3),
    ],
)
def test_what_is_wrong_is_named_in_time_and_opens_a_gate(tmp_path, cause, fault, within_s):
    past = run(tmp_path, cause, duration_s=INJECT_S + within_s + 2)
    assert fault in past.statuses[-1]["points"]["faults"]
    assert past.statuses[-1]["truth"]["gates"] != 3


def test_a_chip_that_forgot_its_settings_is_programmed_again_with_open_gates(tmp_path):
    past = run(tmp_path, "afe_reset")
    reset_us = INJECT_S * 1_000_000
    assert opened_after_ms(past, CHARGE, reset_us) <= 2 * PERIOD_MS
    assert "afe_restarted" in past.points_at(INJECT_S + 1)["faults"]
    again = [entry for entry in past.end["trace"] if entry[0] > reset_us and entry[CHARGE]]
    assert again[0][0] - reset_us >= 5_000_000  # held off, not chattering
    assert past.points_at(39)["faults"] == []


def test_another_chip_than_expected_keeps_the_gates_open(tmp_path):
    past = run_board(tmp_path, duration_s=10, settings=BQ76940, faults=["afe_wrong_device"])
    assert past.end["trace"] == []
    assert "afe_wrong_device" in past.statuses[-1]["points"]["faults"]


def test_what_the_chip_took_is_shown_and_what_it_can_not_do_is_not(tmp_path):
    points = run(tmp_path, duration_s=12).statuses[-1]["points"]
    assert points["afe_cell_overvoltage_delay_ms"] == 2000
    assert points["afe_short_circuit_trip_ma"] == 400_000
    assert points["afe_fast_overcurrent_charge_ma"] is None
    assert points["afe_watchdog_s"] is None
    assert points["bus_voltage_mv"] is None
    assert points["faults"] == []


@pytest.mark.parametrize(("chip", "cells", "sensors"), [(1, 4, 1), (2, 8, 2)])
def test_the_smaller_chips_guard_smaller_packs(tmp_path, chip, cells, sensors):
    settings = {**BQ76940, "afe_chip": chip, "series_cells": cells, "cell_thermistors": sensors}
    past = run(tmp_path, "cell_undervoltage", settings=settings)
    before = past.points_at(INJECT_S - 1)
    assert before["faults"] == []
    assert len([mv for mv in before["cell_voltage_mv"] if mv is not None]) == cells
    assert "cell_undervoltage" in past.points_at(INJECT_S + 5)["faults"]
