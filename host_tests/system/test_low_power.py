"""Idle, sleep and ship on the whole simulated board: who acts when something happens meanwhile.

Bounds are those of docs/low-power.md: what an awake pack has, plus the period of the state and, in
`sleep`, the chip's own. Gates and crossings are the simulation's truth.
"""

import shutil

import pytest

from bms import events
from host_tests.system.simulated_board import ROOT, SETTINGS, run_board
from host_tests.system.test_cut_off import CHARGE, DISCHARGE, closed_before, opened_after_ms

ACTIVE, IDLE, SLEEP = range(3)
PERIOD_MS = 100
REST = {
    **SETTINGS,
    "inverter_profile": 0,
    "idle_after_s": 1,  # after the first quiet minute
    "sleep_after_s": 20,
}
SLEEPS_S = 110  # by then: ten seconds more than the chip's own hysteresis
SLEEP_PERIOD_MS = 1000
CHIP_SCAN_MS = 1000  # Voltage Time, as programmed


@pytest.fixture(scope="session")
def nothing_flows(tmp_path_factory):
    path = tmp_path_factory.mktemp("load") / "nothing.csv"
    path.write_text("t_s,I_A\n0,0\n1000000,0\n")
    return str(path)


@pytest.fixture
def rest(tmp_path, nothing_flows):
    """Runs the board while nothing flows."""

    def run(duration_s=150, **options):
        options = {"settings": REST, "load": nothing_flows, **options}
        return run_board(tmp_path, duration_s=duration_s, **options)

    return run


def never_switched(run):
    """No gate moved from the first minute on, but for the end of the run."""
    return not [entry for entry in run.end["trace"] if 60e6 < entry[0] < run.end["t_s"] * 1e6]


def injected(*names):
    return [[SLEEPS_S, {"inject": name}] for name in names]


def test_a_pack_at_rest_idles_and_then_sleeps_with_its_gates_on(rest):
    run = rest()
    assert run.points_at(50)["power_state"] == ACTIVE
    assert run.points_at(75)["power_state"] == IDLE
    points = run.points_at(SLEEPS_S)
    assert points["power_state"] == SLEEP
    assert points["gates"] == 3
    assert points["faults"] == []
    assert "sleep" in run.end_status()["truth"]["supply"]


def test_a_house_whose_inverter_talks_never_rests(tmp_path, nothing_flows):
    settings = {**REST, "inverter_profile": 1, "idle_after_s": 10}
    run = run_board(tmp_path, duration_s=150, settings=settings, load=nothing_flows)
    assert {status["points"].get("power_state") for status in run.statuses[5:]} == {ACTIVE}


def test_the_usual_settings_do_not_rest_within_the_first_ten_minutes(rest):
    run = rest(590, settings={**SETTINGS, "inverter_profile": 0})
    assert run.points_at(589)["power_state"] == ACTIVE
    assert run.points_at(589)["longest_step_ms"] == PERIOD_MS


@pytest.mark.parametrize(
    ("fault", "signal", "limit", "gate", "delay_ms"),
    [
        ("cell_overvoltage", "cell_high_mv", 3650, CHARGE, 1000),
        ("cell_undervoltage", "cell_low_mv", 2700, DISCHARGE, 2000),
        ("overcurrent_charge", "charge_ma", 60000, CHARGE, 3000),
        ("overcurrent_discharge", "discharge_ma", 120000, DISCHARGE, 3000),
        ("overtemperature", "hot_dc", 500, CHARGE, 2000),
        ("undertemperature", "cold_dc", 0, CHARGE, 2000),
    ],
)
def test_software_opens_a_sleeping_packs_gate_within_its_bound(
    rest, fault, signal, limit, gate, delay_ms
):
    """Delay, two usual periods, one of sleep, and the chip's scan; full scans are every third."""
    run = rest(
        settings={**REST, "power_path": 1},
        faults=["afe_protections_off"],
        orders=injected(fault),
        watch=[[signal, limit]],
    )
    assert run.points_at(SLEEPS_S - 1)["power_state"] == SLEEP
    crossed_us = run.end["crossed_us"][signal]
    assert closed_before(run, gate, crossed_us)
    scan_ms = CHIP_SCAN_MS * (3 if "temperature" in fault else 1)
    taken_ms = opened_after_ms(run, gate, crossed_us)
    assert delay_ms <= taken_ms <= delay_ms + 2 * PERIOD_MS + SLEEP_PERIOD_MS + scan_ms


def test_the_chip_ends_a_short_circuit_in_its_sleep_as_if_awake(rest):
    run = rest(orders=injected("short_circuit"))
    assert opened_after_ms(run, DISCHARGE, SLEEPS_S * 1_000_000) <= 1
    assert "short_circuit" in run.points_at(SLEEPS_S + 2)["faults"]
    assert run.points_at(SLEEPS_S + 3)["power_state"] == ACTIVE


def test_the_chips_own_overvoltage_trip_is_on_in_its_sleep(rest):
    """The processor hangs; 1000 + 1000 ms by parameters, as when awake (test_cut_off)."""
    run = rest(
        faults=["watchdog_dead"],
        settings={**REST, "afe_watchdog_s": 5},
        orders=injected("firmware_hang", "cell_overvoltage"),
        watch=[["cell_high_mv", 3700]],
    )
    crossed_us = run.end["crossed_us"]["cell_high_mv"]
    assert opened_after_ms(run, CHARGE, crossed_us) <= 2000 + 4 + 63 + 250


@pytest.mark.parametrize("silence", ["afe_silent", "afe_stuck"])
def test_a_dead_bus_opens_a_sleeping_packs_gates_after_four_bad_samples(rest, silence):
    run = rest(faults=["afe_protections_off"], orders=injected(silence))
    for gate in (CHARGE, DISCHARGE):
        taken_ms = opened_after_ms(run, gate, SLEEPS_S * 1_000_000)
        assert taken_ms <= SLEEP_PERIOD_MS + 4 * PERIOD_MS
    assert run.points_at(SLEEPS_S + 3)["faults"] == ["afe_lost"]


def test_a_chip_that_stops_measuring_in_its_sleep_opens_both_gates(rest):
    run = rest(orders=injected("afe_frozen"))
    for gate in (CHARGE, DISCHARGE):
        assert opened_after_ms(run, gate, SLEEPS_S * 1_000_000) <= 3 * SLEEP_PERIOD_MS + PERIOD_MS


def test_damaged_samples_open_nothing_and_wake(rest):
    run = rest(
        settings={**REST, "afe_crc": 1},
        orders=[[SLEEPS_S, {"inject": "afe_crc_noise"}], [120, {"clear": "afe_crc_noise"}]],
    )
    assert never_switched(run)
    assert run.points_at(SLEEPS_S + 3)["power_state"] == ACTIVE


def test_current_wakes_within_one_period_and_nothing_opens(rest, tmp_path):
    load = tmp_path / "pump.csv"
    load.write_text("t_s,I_A\n0,0\n120,-30\n1000,0\n")
    run = rest(load=str(load))
    assert run.points_at(119)["power_state"] == SLEEP
    assert run.points_at(121.5)["current_ma"] == -30000
    assert run.points_at(124)["power_state"] == ACTIVE
    assert run.points_at(149)["faults"] == []
    assert never_switched(run)


def test_a_frame_on_a_bus_wakes_and_a_typed_line_does(rest):
    run = rest(orders=[[120, {"console": "status\r"}]])
    assert run.points_at(119)["power_state"] == SLEEP
    assert run.points_at(123)["power_state"] == ACTIVE
    assert b"At rest (sleep)" in run.received["console"]


def test_the_watchdog_of_the_chip_shortens_the_period_of_sleep(rest):
    run = rest(settings={**REST, "afe_watchdog_s": 2})
    assert run.points_at(149)["power_state"] == SLEEP
    assert run.points_at(149)["longest_step_ms"] == 500
    assert run.points_at(149)["faults"] == []


@pytest.mark.parametrize("period_ms", [100, 250])
def test_the_shortest_watchdog_of_the_chip_lets_it_sleep_and_wake(rest, tmp_path, period_ms):
    load = tmp_path / "pump.csv"
    load.write_text("t_s,I_A\n0,0\n110,0\n110.1,-0.35\n1000,-0.35\n")
    shortest = {"afe_watchdog_s": 1, "overrun_ms": 600, "step_period_ms": period_ms}
    run = rest(130, settings={**REST, **shortest}, load=str(load))
    assert run.points_at(109)["power_state"] == SLEEP
    assert run.points_at(129)["power_state"] == ACTIVE
    assert never_switched(run)


def test_a_board_without_room_for_what_rests_stays_awake(rest, tmp_path):
    checkout = tmp_path / "checkout"
    for folder in ("firmware", "boards"):
        shutil.copytree(ROOT / folder, checkout / folder)
    (checkout / "host_tests").symlink_to(ROOT / "host_tests")
    (checkout / "firmware/lib/resting/pace.py").write_text("raise MemoryError\n")
    typed = ((100, "unlock 1234"), (105, "ship now"))
    run = rest(root=checkout, orders=[[at_s, {"console": line + "\r"}] for at_s, line in typed])
    assert run.end["reason"] == "duration", run.output  # and no watchdog
    assert b"The command failed" in run.received["console"]
    assert run.points_at(149)["gates"] == 3


def test_a_dozing_processor_takes_a_fraction_and_stays_in_time(rest):
    run = rest(settings={**REST, "processor_sleep": 1})
    assert run.points_at(149)["power_state"] == SLEEP
    assert run.points_at(149)["faults"] == []
    assert run.points_at(149)["longest_step_ms"] <= SLEEP_PERIOD_MS + 10
    supply = run.end_status()["truth"]["supply"]
    dozed_s, awake_s = supply["sleep dozing"][0], supply["sleep"][0]
    assert dozed_s > 8 * awake_s
    assert run.end["reason"] == "duration"  # and no watchdog


def test_a_dozing_board_cuts_off_an_overvoltage_as_well(rest):
    run = rest(
        settings={**REST, "processor_sleep": 1},
        faults=["afe_protections_off"],
        orders=injected("cell_overvoltage"),
        watch=[["cell_high_mv", 3650]],
    )
    crossed_us = run.end["crossed_us"]["cell_high_mv"]
    taken_ms = opened_after_ms(run, CHARGE, crossed_us)
    assert taken_ms <= 1000 + 2 * PERIOD_MS + SLEEP_PERIOD_MS + CHIP_SCAN_MS


EMPTY = {**REST, "ship_after_min": 1, "cell_thermistors": 1}


def test_an_empty_pack_switches_itself_off_and_a_charger_wakes_it(rest):
    run = rest(400, settings=EMPTY, soc=-0.012, spread={"soc_spread": 0.0})
    assert run.end["reason"] == "reset", run.output
    assert run.end_status()["truth"]["gates"] == 0
    assert run.exit_code == 3
    # The processor has a supply of its own: it waits, nothing is on, hardly anything is taken.
    orders = [
        [250, {"inject": "overcurrent_charge"}],
        [260, {"clear": "overcurrent_charge"}],
        [290, {"note": 60}],
    ]
    off = rest(300, settings=EMPTY, reset_cause="soft", orders=orders)
    supply = off.end_status()["truth"]["supply"]
    assert supply["shutdown dozing"][0] == pytest.approx(250, abs=1)
    after = off.points_at(299)
    assert after["faults"] == ["cell_undervoltage", "pack_undervoltage"]
    assert after["gates"] == CHARGE
    kinds = [record[3] for record in off.notes[0]["events"]]
    assert events.SHIP in kinds


def test_a_pack_that_is_charged_or_failed_does_not_switch_itself_off(rest):
    charged = rest(200, settings=EMPTY, soc=-0.012, orders=[[1, {"inject": "overcurrent_charge"}]])
    assert charged.end["reason"] == "duration"
    welded = rest(
        200, settings=EMPTY, soc=-0.012, orders=[[5, {"inject": "discharge_gate_welded"}]]
    )
    assert welded.end["reason"] == "duration"


def test_a_person_ships_a_pack_and_its_supply_comes_back(rest):
    typed = ((15, "ship now"), (20, "unlock 1234"), (25, "ship"), (30, "ship now"))
    run = rest(60, orders=[[at_s, {"console": line + "\r"}] for at_s, line in typed])
    assert b"Locked" in run.received["console"]
    assert b"`ship now`" in run.received["console"]
    assert run.end["reason"] == "reset"
    assert 30 < run.end["t_s"] < 40
    # The chip's regulator fed the processor: whoever wakes the chip starts it.
    again = rest(30, reset_cause="power_on")
    assert again.points_at(29)["state"] == "active"
