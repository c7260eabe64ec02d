"""Field lessons 2, 10, 11, 13, 14, 15: precharge, contactors, what a reboot does to them."""

from itertools import pairwise

import pytest

from bms.parameters import ParameterError
from host_tests.bms.bench import parameters_with
from host_tests.field_lessons.stories import (
    CONTACTORS,
    PATH_OPENING,
    POSITIVE,
    PRECHARGE,
    UNLOCK,
    events,
    load_file,
    logged_faults,
    run,
    statuses_between,
)

# Defaults: docs/parameters.md
PRECHARGE_MAX_MS = 2000
COOLDOWN_S = 60
RESISTOR_J = 200
OHM = 47
RAMP_MS = 700  # default of contactor_ramp_ms
WATCHDOG_MS = 4000  # of the measuring chip, for the processor
REACTION_MS = 250  # afe.md section 7: reactions of the chip
MOVE_MS = 20  # a simulated contact follows its coil


def intervals_ms(story, contact):
    """[first, last] ms of each time in which a contact conducted."""
    found = []
    for at_us, bits in story.end["contact_trace"]:
        if bits & contact and (not found or found[-1][1] is not None):
            found.append([at_us / 1000, None])
        elif not bits & contact and found and found[-1][1] is None:
            found[-1][1] = at_us / 1000
    if found and found[-1][1] is None:
        found[-1][1] = story.end["t_s"] * 1000
    return found


@pytest.fixture(scope="module")
def damaged_bus(tmp_path_factory):
    """A short across the bus: no precharge ever fills it. Then a reset of the processor."""
    path = tmp_path_factory.mktemp("damaged")
    story = run(path, 210, settings=CONTACTORS, faults=["bus_shorted"])
    again = run(path, 25, settings=CONTACTORS, reset_cause="watchdog")
    return story, again


@pytest.fixture(scope="module")
def weld(tmp_path_factory):
    """The positive contactor burns together; later somebody asks it to open, then to close."""
    return run(
        tmp_path_factory.mktemp("weld"),
        45,
        settings=CONTACTORS,
        orders=[
            [20, {"inject": "contactor_positive_welded"}],
            [20.5, {"console": UNLOCK}],
            [21, {"console": "gates off\r"}],
            [25, {"console": "gates auto\r"}],
            [28, {"console": "clear\r"}],
        ],
    )


@pytest.fixture(scope="module")
def reboot(tmp_path_factory):
    """A healthy pack on contactors, and a reset of the processor."""
    path = tmp_path_factory.mktemp("reboot")
    settings = {**CONTACTORS, "alarm_relay": 1}
    return run(path, 20, settings=settings), run(
        path, 20, settings=settings, reset_cause="watchdog"
    )


@pytest.mark.parametrize("value", [0, 99])
def test_02_a_precharge_without_an_end_can_not_be_configured(value):
    """LS PR#96: time-out 0."""
    with pytest.raises(ParameterError, match=r"precharge_time_max_ms.*100"):
        parameters_with({**CONTACTORS, "precharge_time_max_ms": value})


def test_02_a_bus_that_never_fills_does_not_burn_the_resistor(damaged_bus):
    story, _ = damaged_bus
    tries = intervals_ms(story, PRECHARGE)
    assert tries
    pack_v = max(s["truth"]["pack_voltage_mv"] for s in story.statuses) / 1000
    for first, last in tries:
        assert last - first <= PRECHARGE_MAX_MS + MOVE_MS
        assert pack_v**2 / OHM * (last - first) / 1000 <= RESISTOR_J
    for (_, last), (first, _) in pairwise(tries):
        assert first - last >= COOLDOWN_S * 1000 - MOVE_MS


def test_02_a_processor_that_hangs_does_not_leave_the_resistor_on(tmp_path):
    story = run(
        tmp_path,
        20,
        settings=CONTACTORS,
        faults=["watchdog_dead", "bus_shorted"],
        orders=[[6.5, {"inject": "firmware_hang"}]],
    )
    ((first, last),) = intervals_ms(story, PRECHARGE)
    assert first < 6500 < last <= 6500 + WATCHDOG_MS + REACTION_MS + MOVE_MS


def test_10_a_contactor_closes_only_over_a_bus_that_the_relay_filled(reboot):
    """DIY#112: welded by the inrush."""
    for story in reboot:
        contacts = [bits for _, bits in story.end["contact_trace"] if bits]
        assert contacts == [PRECHARGE, PRECHARGE | POSITIVE, POSITIVE]
        assert story.statuses[-1]["truth"]["welds"] == []


def test_10_a_welded_contactor_is_named_and_no_command_closes_anything_over_it(weld):
    assert logged_faults(weld) == ["contactor_positive_welded"]
    for status in statuses_between(weld, 23, 44):
        assert status["points"]["faults"] == ["contactor_positive_welded"]
        assert status["points"]["charge_current_limit_ma"] == 0
        assert status["truth"]["contactors"] == POSITIVE  # nothing else moved


def test_11_a_reboot_is_no_undervoltage_and_no_relay_pulses(reboot):
    """DIY#141: false alarms and clicking relays at each restart."""
    _, again = reboot
    for status in again.statuses:
        assert status["truth"]["outputs"]["alarm"] == 0
        assert status["points"]["faults"] == status["points"]["warnings"] == []
    closed = [bits for _, bits in again.end["contact_trace"] if bits]
    assert closed == [PRECHARGE, PRECHARGE | POSITIVE, POSITIVE]  # once, and in order


def test_13_a_fault_does_not_precharge_anew_and_is_logged_before_the_contactor_moves(tmp_path):
    """BE#581."""
    story = run(
        tmp_path,
        60,
        settings=CONTACTORS,
        orders=[[20, {"inject": "overcurrent_discharge"}], [35, {"clear_all": 1}]],
    )
    assert logged_faults(story) == ["overcurrent_discharge"]
    told = [(at, kind) for at, kind, _, _ in events(story) if at >= 20]
    assert told[0][1] == "fault"  # before the path and the gates say that they moved
    over_s = next(at for at, kind in told if kind == "fault_over")
    opened_s, *closed_s = [at / 1e6 for at, _ in story.end["contact_trace"] if at > 20e6]
    assert told[0][0] <= opened_s
    assert closed_s
    assert min(closed_s) > over_s


def test_14_three_tries_and_then_the_precharge_has_failed_for_good(damaged_bus):
    """BE PR#1439: on and off for ever."""
    story, _ = damaged_bus
    assert len(intervals_ms(story, PRECHARGE)) == 3
    assert intervals_ms(story, POSITIVE) == []
    assert logged_faults(story) == ["precharge_failed"]
    assert story.statuses[-2]["points"]["faults"] == ["precharge_failed"]


def test_14_a_reset_does_not_give_a_failed_precharge_new_tries(damaged_bus):
    _, again = damaged_bus
    assert again.end["contact_trace"] == []
    assert "precharge_failed" in again.statuses[-2]["points"]["faults"]


def test_14_after_a_reboot_the_bus_is_filled_anew(reboot):
    """BE#2354: closed without precharge after a restart."""
    _, again = reboot
    first_closed = next(bits for _, bits in again.end["contact_trace"] if bits)
    assert first_closed == PRECHARGE


@pytest.mark.parametrize("obeys", [True, False])
def test_15_the_current_is_taken_from_the_inverter_before_the_contactor_opens(tmp_path, obeys):
    """BE#635, #1750. An inverter that ignores limits gets the time of the ramp and no more.

    All cells are low by less than the chip's margin: its own trip knows of no ramp.
    """
    story = run(
        tmp_path,
        40,
        settings=CONTACTORS,
        load=load_file(tmp_path, (0, 0), (12, -40), (1000, 0)),
        load_obeys=obeys,
        orders=[[20, {"inject": "pack_emptied"}]],
    )
    assert logged_faults(story) == ["pack_undervoltage"]
    fault_ms = 1000 * next(at for at, kind, _, _ in events(story) if kind == "fault")
    opened = [at / 1000 for at, bits in story.end["contact_trace"] if at > 20e6 and not bits]
    after = [s for s in story.statuses if s["t_s"] * 1000 > fault_ms + 2000]
    assert {s["points"]["discharge_current_limit_ma"] for s in after} == {0}
    if obeys:  # charging is still allowed, so the contactor stays
        assert opened == []
        assert after[-1]["truth"]["contactors"] == POSITIVE
        assert after[-1]["truth"]["current_ma"] == 0
    else:
        assert PATH_OPENING in [code for _, kind, code, _ in events(story) if kind == "path"]
        # Uptime counts whole seconds and began a period late.
        assert fault_ms + RAMP_MS <= opened[0] <= fault_ms + 1200 + RAMP_MS + MOVE_MS
    assert story.statuses[-1]["truth"]["welds"] == []
