"""Field lessons 3, 36, 38, 39, 41, 42: how a fault ends, and what is known of it afterwards."""

import pytest

from bms import requests
from bms.sample import GATE_CHARGE, GATES_BOTH, TRIP_SHORT_CIRCUIT
from host_tests.bms.bench import Bench, parameters_with
from host_tests.field_lessons.stories import (
    UNLOCK,
    events,
    frames,
    gates_at,
    load_file,
    logged_faults,
    run,
    statuses_between,
    unexplained_drops,
)

SEPARATE_PORTS = {"power_path": 1}  # gates show what is blocked: nothing is bridged


@pytest.fixture(scope="module")
def extremes(tmp_path_factory):
    """A cell too high and a cell too low, each mended; the current turns to charge in between."""
    path = tmp_path_factory.mktemp("extremes")
    return run(
        path,
        80,
        settings=SEPARATE_PORTS,
        load=load_file(path, (0, -10), (50, 20), (1000, 0)),
        orders=[
            [10, {"inject": "cell_overvoltage"}],
            [15, {"clear": "cell_overvoltage"}],
            [30, {"inject": "cell_undervoltage"}],
            [35, {"clear": "cell_undervoltage"}],
        ],
    )


@pytest.fixture(scope="module")
def hang(tmp_path_factory):
    """An overvoltage, then the processor hangs and the watchdog resets it."""
    path = tmp_path_factory.mktemp("hang")
    first = run(
        path,
        40,
        orders=[
            [10, {"inject": "cell_overvoltage"}],
            [20, {"note": 50}],
            [20.1, {"inject": "firmware_hang"}],
        ],
    )
    again = run(
        path,
        15,
        reset_cause="watchdog",
        orders=[
            [8, {"console": "log 40\r"}],
            [9, {"console": "x" * 300 + "\r"}],
            [10, {"console": "get cell_overvoltage_trip_mv\r"}],
        ],
    )
    return first, again


def test_03_the_chip_and_the_firmware_let_go_of_an_overvoltage(extremes):
    """LS#19: never recovers. The chip had tripped as well."""
    assert "afe_trip" in {kind for at, kind, _, _ in events(extremes) if at < 20}
    assert gates_at(extremes, 14) & GATE_CHARGE == 0
    assert gates_at(extremes, 29) == GATES_BOTH  # 5 s of the chip, 5 s of release, 14 s at most


def test_03_undervoltage_ends_with_charge_current_and_not_by_rest_alone(extremes):
    for t_s in (34, 45, 50):  # the cell is well again from 35 on
        assert gates_at(extremes, t_s) == GATE_CHARGE
    assert gates_at(extremes, 60) == GATES_BOTH
    assert extremes.statuses[-2]["points"]["faults"] == []


def test_36_the_log_says_which_limit_was_crossed_when_and_how_far(hang):
    """DIY#322: cells at 3.65 V and no logs to explain it."""
    first, again = hang
    (fault,) = [event for event in events(first) if event[1] == "fault"]
    at_s, _, name, value_mv = fault
    truth_mv = max(statuses_between(first, 11, 11)[0]["truth"]["cell_voltage_mv"])
    assert name == "cell_overvoltage"
    assert 10 <= at_s <= 12
    assert abs(value_mv - truth_mv) <= 2
    assert (
        "fault cell_overvoltage at %.3f V" % (value_mv / 1000)
        in again.received["console"].decode()
    )


@pytest.mark.parametrize(
    "cause", ["overcurrent_discharge", "afe_reset", "afe_silent", "interlock_broken", "open_wire"]
)
def test_38_no_gate_drops_without_a_logged_reason(tmp_path, cause):
    """DIY#282."""
    story = run(tmp_path, 20, settings={"interlock": 1}, orders=[[10, {"inject": cause}]])
    assert gates_at(story, 9) == GATES_BOTH
    assert gates_at(story, 15) != GATES_BOTH
    assert unexplained_drops(story) == []


def test_38_a_persons_order_is_logged_as_the_reason(tmp_path):
    orders = [[9, {"console": UNLOCK}], [10, {"console": "gates off\r"}]]
    story = run(tmp_path, 20, orders=orders)
    assert gates_at(story, 15) == 0
    asked = [code for _, kind, code, _ in events(story) if kind == "request"]
    assert asked == [requests.GATES_OFF]
    assert unexplained_drops(story) == []


def test_38_limits_below_zero_can_be_entered():
    """DIY#302."""
    settings = {
        "undertemperature_charge_trip_dc": -100,
        "undertemperature_charge_warn_dc": -50,
        "undertemperature_charge_release_dc": -70,
        "undertemperature_discharge_trip_dc": -300,
    }
    parameters = parameters_with(settings)
    for name, value in settings.items():
        assert parameters.value(name) == value
    bench = Bench(**settings).start()
    bench.chip.set_temperatures(-99)
    bench.run(5000)
    assert bench.faults() == set()
    bench.chip.set_temperatures(-101)
    bench.run(5000)
    assert bench.faults() == {"undertemperature_charge"}


def test_39_the_log_survives_the_watchdog_and_names_it(hang):
    """BE PR#2555: logs lost at reboot."""
    first, again = hang
    assert first.end["reason"] == "watchdog"
    told = again.received["console"].decode()
    before, after = told.index("fault cell_overvoltage"), told.index("started after watchdog")
    assert before < after


def test_41_an_over_current_comes_back_after_the_time_that_was_set(tmp_path):
    """LS#60: configure recovery."""
    story = run(
        tmp_path,
        40,
        settings={**SEPARATE_PORTS, "overcurrent_discharge_release_delay_ms": 8000},
        orders=[
            [10, {"inject": "overcurrent_discharge"}],
            [16, {"clear": "overcurrent_discharge"}],
        ],
    )
    assert logged_faults(story) == ["overcurrent_discharge"]
    opened_s = 10 + 3  # its delay
    assert gates_at(story, opened_s + 0.5) == GATE_CHARGE
    assert gates_at(story, opened_s + 7.5) == GATE_CHARGE
    assert gates_at(story, opened_s + 9) == GATES_BOTH


def test_41_a_short_circuit_latches_until_it_is_gone_and_a_person_says_so(tmp_path):
    """LS#60: configure latches. A `clear` into the short closes nothing, not even for a moment."""
    story = run(
        tmp_path,
        60,
        orders=[
            [9, {"console": UNLOCK}],
            [10, {"inject": "short_circuit"}],
            [13, {"console": "clear\r"}],
            [22, {"console": "clear\r"}],
            [35, {"clear": "short_circuit"}],
            [45, {"console": "clear\r"}],
        ],
    )
    assert logged_faults(story) == ["short_circuit"]
    closed_s = [at / 1e6 for at, *gates in story.end["trace"] if all(gates)]
    assert len(closed_s) == 2
    assert closed_s[1] > 45
    assert gates_at(story, 54) == GATES_BOTH


def test_41_nobody_clears_a_short_circuit_that_is_still_there():
    """The chip's own trip is long over: with the gates off no current flows."""
    bench = Bench().start()
    bench.chip.load = True
    bench.chip.trips = TRIP_SHORT_CIRCUIT
    bench.run(500)
    bench.chip.trips = 0
    bench.run(10000)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(10000)
    assert bench.faults() == {"short_circuit"}
    assert bench.chip.gates() == 0


def test_41_a_chip_that_answers_nonsense_at_the_start_is_tried_again_until_it_is_there(tmp_path):
    """LS#29: the board stopped, and its retry read zeros."""
    story = run(
        tmp_path,
        40,
        faults=["afe_wrong_device"],
        orders=[
            [5, {"inject": "afe_silent"}],
            [10, {"clear": "afe_wrong_device"}],
            [20, {"clear": "afe_silent"}],
        ],
    )
    assert gates_at(story, 20) == 0
    assert logged_faults(story)[:2] == ["afe_wrong_device", "afe_lost"]
    assert gates_at(story, 39) == GATES_BOTH
    assert frames(story, 0x356)


def test_42_a_line_that_is_too_long_is_refused_and_the_next_one_is_answered(hang):
    """LS PR#77: a shell buffer that was too small for what people had to type."""
    told = hang[1].received["console"].decode()
    assert "Ignored: a line may have 120 characters." in told
    assert "cell_overvoltage_trip_mv = 3650 mV" in told.split("Ignored")[1]
