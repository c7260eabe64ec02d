"""Field lessons 8, 9, 16, 18, 34, 39: silence of links, stale data, limits that tell the truth."""

import pytest

from bms.sample import BUS_ERROR, CORRUPT, GATES_BOTH, OK
from host_tests.bms.bench import Bench
from host_tests.field_lessons.stories import (
    DISCHARGE,
    frames,
    gates_at,
    logged_faults,
    run,
    statuses_between,
    unexplained_drops,
)

LINK_LOSS_S = 60  # default of link_loss_s
LIMITS = ("charge_current_limit_ma", "discharge_current_limit_ma")
MEASURED = ("pack_voltage_mv", "current_ma", "cell_min_mv", "temperature_max_dc", "soc_bp")
PAUSES_S = 10  # all in all, until the controller is on the bus again
OPEN = 2  # choice of link_loss_policy
SYSTEM_ERROR = 0x08  # 0x359 byte 1 (inverter_can.md 1.1)
CABLE_OUT_S, CABLE_IN_S = 10, 100


def cable_pulled(path, **settings):
    return run(
        path,
        130,
        settings={"alarm_relay": 1, **settings},
        orders=[
            [CABLE_OUT_S, {"inject": "can_no_peer"}],
            [CABLE_IN_S, {"clear": "can_no_peer"}],
        ],
    )


@pytest.fixture(scope="module")
def cable_warns(tmp_path_factory):
    """The cable to the inverter is pulled for a minute and a half; default policy."""
    return cable_pulled(tmp_path_factory.mktemp("warns"))


@pytest.fixture(scope="module")
def cable_opens(tmp_path_factory):
    """The same, and the settings ask to open then."""
    return cable_pulled(tmp_path_factory.mktemp("opens"), link_loss_policy=OPEN)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """The measuring chip answers, but its values stand still."""
    return run(
        tmp_path_factory.mktemp("frozen"),
        40,
        settings={"alarm_relay": 1},
        orders=[[10, {"inject": "afe_frozen"}]],
    )


def test_08_a_lost_link_takes_no_power_away(cable_warns):
    """DIY#220: WiFi gone, house dark."""
    for t_s in range(7, 130):
        assert gates_at(cable_warns, t_s) == GATES_BOTH
    silent = statuses_between(cable_warns, CABLE_OUT_S + LINK_LOSS_S + 3, CABLE_IN_S - 1)
    for status in silent:
        assert status["points"]["faults"] == ["inverter_lost"]  # told, and nothing more
        assert status["points"]["state"] == "active"
    assert cable_warns.statuses[-2]["points"]["faults"] == []


def test_09_communication_loss_opens_and_alarms_where_the_settings_ask_for_it(cable_opens):
    """DIY#4: the rule for it did not fire."""
    assert gates_at(cable_opens, CABLE_OUT_S + LINK_LOSS_S + 3) == 0
    for status in statuses_between(cable_opens, CABLE_OUT_S + LINK_LOSS_S + 3, CABLE_IN_S - 1):
        assert status["points"]["faults"] == ["inverter_required"]
        assert status["truth"]["outputs"]["alarm"] == 1
    assert logged_faults(cable_opens) == ["inverter_required"]
    assert gates_at(cable_opens, CABLE_IN_S + 5) == GATES_BOTH
    assert cable_opens.statuses[-2]["truth"]["outputs"]["alarm"] == 0


def test_09_an_inverter_that_was_never_there_is_not_missed(tmp_path):
    story = run(tmp_path, 75, settings={"link_loss_policy": OPEN}, faults=["can_no_peer"])
    assert logged_faults(story) == []
    assert gates_at(story, 74) == GATES_BOTH


def test_09_losing_the_measuring_chip_alarms_relay_and_inverter(frozen):
    for status in statuses_between(frozen, 12, 39):
        assert status["truth"]["outputs"]["alarm"] == 1
    assert frames(frozen, 0x359)[-1][1] & SYSTEM_ERROR


def test_16_a_gate_that_is_off_offers_no_current_in_its_direction(tmp_path):
    """Louisvdw#1024: parallel packs were overloaded. Every other story is checked for it, too."""
    story = run(
        tmp_path,
        40,
        settings={"power_path": 1},  # separate ports: nothing bridges a gate that is off
        orders=[[10, {"inject": "cell_overvoltage"}], [25, {"inject": "cell_undervoltage"}]],
    )
    for status in statuses_between(story, 13, 24):
        assert status["truth"]["gates"] == DISCHARGE
        assert status["points"]["charge_current_limit_ma"] == 0
        assert status["points"]["discharge_current_limit_ma"] == 100000
    for status in statuses_between(story, 29, 39):
        assert status["truth"]["gates"] & DISCHARGE == 0
        assert status["points"]["discharge_current_limit_ma"] == 0
    no_charge = (bytes(2), bytes((0xE8, 0x03)))  # 0x351, bytes 2 to 5: 0 and 100.0 A
    heard = [(data[2:4], data[4:6]) for data in frames(story, 0x351)]
    assert heard.count(no_charge) >= 12
    assert heard[-1][1] == bytes(2)


def test_18_nothing_old_is_sent_as_live(frozen):
    """123SmartBMS#8. 0x355 and 0x356 carry measured values, 0x351 goes on with limits of 0."""
    for status in statuses_between(frozen, 11, 39):
        assert status["points"]["faults"] == ["measurement_stale"]
        assert [status["points"][name] for name in MEASURED] == [None] * len(MEASURED)
        assert status["points"]["measurement_age_ms"] >= 1000 * (status["t_s"] - 10) - 200
    measured_s = 10 - 5  # guarding begins after five seconds, or later
    for identifier in (0x355, 0x356):
        assert 1 <= len(frames(frozen, identifier)) <= measured_s + 1
    assert len(frames(frozen, 0x351)) >= 38
    assert all(data[2:6] == bytes(4) for data in frames(frozen, 0x351)[-25:])


@pytest.mark.parametrize("glitch", [BUS_ERROR, CORRUPT])
def test_34_limits_do_not_flicker_to_0_through_glitches_of_the_bus(glitch):
    """Louisvdw#470."""
    bench = Bench().start().limits_risen()
    offered = bench.setting("charge_current_max_ma"), bench.setting("discharge_current_max_ma")
    for bad_steps in (1, 2, 3):
        for _ in range(10):
            for code in (*[glitch] * bad_steps, OK, OK):
                bench.chip.code = code
                bench.step()
                assert tuple(bench.point(name) for name in LIMITS) == offered
            bench.slow()


def test_34_an_inverter_hears_the_same_limits_all_along_on_noisy_wires(tmp_path):
    story = run(
        tmp_path,
        60,
        settings={"afe_crc": 1},
        orders=[[10, {"inject": "afe_crc_noise"}]],
    )
    heard = [data for data in frames(story, 0x351) if data[2:6] != bytes(4)]
    assert len(heard) >= 50
    assert len(set(heard[6:])) == 1  # after they have risen
    assert frames(story, 0x351)[-50:] == heard[-50:]
    assert logged_faults(story) == []


def test_39_can_recovers_by_itself_as_often_as_it_is_disturbed(tmp_path):
    """YAM#23: offline every three days, until somebody came."""
    disturbances = ((10, 3), (20, 3), (30, 12), (50, 3))
    orders = []
    for at_s, for_s in disturbances:
        orders += [[at_s, {"inject": "can_bus_off"}], [at_s + for_s, {"clear": "can_bus_off"}]]
    story = run(tmp_path, 90, orders=orders)
    assert len(frames(story, 0x351)) >= 90 - sum(for_s for _, for_s in disturbances) - PAUSES_S
    assert unexplained_drops(story) == []
    assert gates_at(story, 89) == GATES_BOTH
