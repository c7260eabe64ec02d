"""Every way in which a gate must open, on the simulator's clock: software, chip alone, off line.

Law 2: a fault's blocked direction is off within its delay, plus two periods, plus the measuring
chip's scan time. Crossings and gates are the simulation's truth, not what the firmware reports.
"""

import pytest

from host_tests.system.simulated_board import SETTINGS, run_board

INJECT_S = 10
PERIOD_MS = 100  # default of step_period_ms
SCAN_MS = 63  # SLUUBY2B: 18 slots and up to 3 thermistors of 3 ms (boards/sim/bq76952_measure.py)
FULL_SCAN_MS = 3 * SCAN_MS  # the stack and the temperatures take turns
CHARGE, DISCHARGE = 1, 2  # columns of the gate trace
# On a common port the house's current would close a blocked gate again, to spare its body diode.
SEPARATE_PORTS = {**SETTINGS, "power_path": 1}

# injected, watched signal and limit (the default trip), gate that opens, its delay, scan
SOFTWARE = (
    ("cell_overvoltage", "cell_high_mv", 3650, CHARGE, 1000, SCAN_MS),
    ("cell_undervoltage", "cell_low_mv", 2700, DISCHARGE, 2000, SCAN_MS),
    ("overcurrent_charge", "charge_ma", 60000, CHARGE, 3000, SCAN_MS),
    ("overcurrent_discharge", "discharge_ma", 120000, DISCHARGE, 3000, SCAN_MS),
    ("overtemperature", "hot_dc", 500, CHARGE, 2000, FULL_SCAN_MS),
    ("overtemperature", "hot_dc", 600, DISCHARGE, 2000, FULL_SCAN_MS),
    ("undertemperature", "cold_dc", 0, CHARGE, 2000, FULL_SCAN_MS),
    ("undertemperature", "cold_dc", -200, DISCHARGE, 2000, FULL_SCAN_MS),
)


def opened_after_ms(run, gate, since_us):
    """Milliseconds from a moment to the first change that shows the gate off."""
    for entry in run.end["trace"]:
        if entry[0] >= since_us and not entry[gate]:
            return (entry[0] - since_us) / 1000
    raise AssertionError(f"gate {gate} never opened: {run.end['trace']}")


def closed_before(run, gate, moment_us):
    return any(entry[gate] for entry in run.end["trace"] if entry[0] < moment_us)


@pytest.mark.parametrize(
    ("fault", "signal", "limit", "gate", "delay_ms", "scan_ms"),
    SOFTWARE,
    ids=[f"{row[0]}-{row[2]}" for row in SOFTWARE],
)
def test_software_opens_the_gate_in_time_while_the_chip_protects_nothing(
    tmp_path, fault, signal, limit, gate, delay_ms, scan_ms
):
    run = run_board(
        tmp_path,
        duration_s=60,
        settings=SEPARATE_PORTS,
        faults=["afe_protections_off"],
        orders=[[INJECT_S, {"inject": fault}]],
        watch=[[signal, limit]],
    )
    crossed_us = run.end["crossed_us"][signal]
    assert closed_before(run, gate, crossed_us)
    taken_ms = opened_after_ms(run, gate, crossed_us)
    assert delay_ms <= taken_ms <= delay_ms + 2 * PERIOD_MS + scan_ms


def test_the_chip_alone_stops_charging_when_the_processor_hangs(tmp_path):
    """The chip's own trip: 1000 + 1000 ms by parameters, in steps of 3.3 ms, then up to a scan."""
    run = run_board(
        tmp_path,
        duration_s=20,
        faults=["watchdog_dead"],
        orders=[[INJECT_S, {"inject": name}] for name in ("firmware_hang", "cell_overvoltage")],
        watch=[["cell_high_mv", 3700]],
    )
    crossed_us = run.end["crossed_us"]["cell_high_mv"]
    taken_ms = opened_after_ms(run, CHARGE, crossed_us)
    assert 2000 <= taken_ms <= 2000 + 4 + SCAN_MS + 250  # 250: afe.md section 7, reaction


def test_the_chips_host_watchdog_opens_both_gates_when_the_processor_hangs(tmp_path):
    run = run_board(
        tmp_path,
        duration_s=20,
        faults=["watchdog_dead"],
        orders=[[INJECT_S, {"inject": "firmware_hang"}]],
    )
    for gate in (CHARGE, DISCHARGE):
        assert opened_after_ms(run, gate, INJECT_S * 1_000_000) <= 5000 + 250


def test_the_processors_watchdog_ends_a_hang(tmp_path):
    run = run_board(tmp_path, duration_s=20, orders=[[INJECT_S, {"inject": "firmware_hang"}]])
    assert run.end["reason"] == "watchdog"
    assert run.exit_code == 3
    assert INJECT_S < run.end["t_s"] <= INJECT_S + 3.1


@pytest.mark.parametrize(
    ("silence", "fault"),
    [("afe_silent", "afe_lost"), ("afe_stuck", "afe_lost"), ("afe_corrupt", "afe_corrupt")],
)
def test_the_off_line_opens_both_gates_when_the_chips_bus_is_dead(tmp_path, silence, fault):
    """Hold-over: at most 500 ms, then the lines act without the bus."""
    settings = {**SETTINGS, "afe_crc": 1}
    run = run_board(
        tmp_path,
        duration_s=20,
        settings=settings,
        faults=["afe_protections_off"],
        orders=[[INJECT_S, {"inject": silence}], [INJECT_S, {"inject": "cell_overvoltage"}]],
    )
    for gate in (CHARGE, DISCHARGE):
        assert closed_before(run, gate, INJECT_S * 1_000_000)
        taken_ms = opened_after_ms(run, gate, INJECT_S * 1_000_000)
        assert taken_ms <= 500 + 2 * PERIOD_MS
    points = run.points_at(INJECT_S + 2)
    assert points["faults"] == [fault]
    assert points["charge_current_limit_ma"] == points["discharge_current_limit_ma"] == 0
    assert points["pack_voltage_mv"] is None
    assert points["soc_bp"] is None


def test_a_chip_that_stops_measuring_opens_both_gates(tmp_path):
    run = run_board(tmp_path, duration_s=20, orders=[[INJECT_S, {"inject": "afe_frozen"}]])
    for gate in (CHARGE, DISCHARGE):
        assert opened_after_ms(run, gate, INJECT_S * 1_000_000) <= 500 + 2 * PERIOD_MS + SCAN_MS
    assert run.points_at(INJECT_S + 2)["faults"] == ["measurement_stale"]


def test_a_chip_that_forgot_its_settings_is_programmed_again_with_open_gates(tmp_path):
    run = run_board(tmp_path, duration_s=30, orders=[[INJECT_S, {"inject": "afe_reset"}]])
    reset_us = INJECT_S * 1_000_000
    assert opened_after_ms(run, CHARGE, reset_us) <= 2 * PERIOD_MS
    assert "afe_restarted" in run.points_at(INJECT_S + 1)["faults"]
    closed_again = [entry for entry in run.end["trace"] if entry[0] > reset_us and entry[CHARGE]]
    assert closed_again
    assert closed_again[0][0] - reset_us >= 5_000_000  # held off, not chattering
    assert run.points_at(29)["faults"] == []
