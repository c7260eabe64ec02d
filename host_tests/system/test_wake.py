"""A charger wakes an empty pack: the whole firmware on the simulated board, one pack of each kind.

A load empties the pack until undervoltage blocks the discharge; the supply fails and comes back
with a charger at work outside, far above the empty pack's voltage. It must be able to charge
without a person, and the load gets power back only by that.
"""

import pytest

from host_tests.field_lessons.stories import (
    PATH_BUS_ABOVE,
    PATH_ON,
    POSITIVE,
    events,
    gates_at,
    load_file,
    logged_faults,
    run,
)

BOTH = 3  # GATE_* bits
SMALL = {"design_capacity_mah": 20000}  # it fills and empties within minutes
CONTACTORS = {"power_path": 2, "contactor_aux": 1}
PACKS = {
    "fets": {},
    "separate ports": {"power_path": 1},
    "fets with predischarge": {"predischarge": 1},
    "contactors": CONTACTORS,
    "contactors of two poles": {**CONTACTORS, "contactor_poles": 2},
}
NEARLY_EMPTY = 0.02  # state of charge
EMPTIED_S = 150


def points_between(story, first_s, last_s):
    """The points and true currents (mA) of a span of time."""
    return [
        (status["points"], status["truth"]["current_ma"])
        for status in story.statuses
        if first_s <= status["t_s"] <= last_s
    ]


def emptied(tmp_path, settings):
    """A load that draws until the pack is empty, and some seconds longer."""
    story = run(
        tmp_path,
        EMPTIED_S,
        settings={**SMALL, **settings},
        soc=NEARLY_EMPTY,
        load=load_file(tmp_path, (0, 0), (15, -20), (100, 0), (9999, 0)),
    )
    assert "cell_undervoltage" in logged_faults(story)
    assert story.statuses[-2]["points"]["discharge_allowed"] == 0
    assert story.statuses[-2]["truth"]["current_ma"] == 0


@pytest.mark.parametrize("settings", PACKS.values(), ids=PACKS)
def test_a_charger_charges_an_empty_pack_after_a_power_cut_without_a_person(tmp_path, settings):
    emptied(tmp_path, settings)
    charger = (EMPTIED_S + 40, 20)  # A; a load's time goes on over restarts
    woken = run(
        tmp_path,
        240,
        settings={**SMALL, **settings},
        load=load_file(tmp_path, (0, 0), charger, (9999, 0)),
    )
    for points, current_ma in points_between(woken, 15, 39):
        assert points["discharge_allowed"] == 0  # rest is not enough
        assert points["charge_allowed"] == 1
        assert current_ma == 0
    assert min(current_ma for _, current_ma in points_between(woken, 45, 235)) > 15000
    last, _ = points_between(woken, 235, 235)[0]
    assert last["faults"] == []
    assert last["discharge_allowed"] == 1
    assert last["path_state"] == PATH_ON
    assert gates_at(woken, 235) == BOTH


@pytest.mark.parametrize("settings", [CONTACTORS, PACKS["contactors of two poles"]])
def test_a_charger_that_holds_the_bus_of_open_contactors_comes_down_and_charges(
    tmp_path, settings
):
    """It is at work from the start. Asked for the pack's own voltage it comes down; they close."""
    emptied(tmp_path, settings)
    story = run(
        tmp_path,
        300,
        settings={**SMALL, **settings},
        load=load_file(tmp_path, (0, 20), (9999, 0)),
        orders=[[10, {"console": "status\r"}]],
    )
    waiting = [p for p, _ in points_between(story, 1, 300) if p["path_state"] == PATH_BUS_ABOVE]
    assert waiting
    assert all(p["charge_voltage_limit_mv"] <= p["pack_voltage_mv"] + 100 for p in waiting[2:])
    assert ("path", PATH_BUS_ABOVE) in [(kind, code) for _, kind, code, _ in events(story)]
    assert "something holds the bus" in story.received["console"].decode()
    # The log is that of both runs.
    closed_s = [at for at, kind, code, _ in events(story) if (kind, code) == ("path", PATH_ON)][-1]
    assert closed_s < 60
    assert min(current_ma for _, current_ma in points_between(story, closed_s + 10, 290)) > 15000
    assert points_between(story, 290, 290)[0][0]["discharge_allowed"] == 1
    assert story.end["contact_trace"][-1][1] & POSITIVE
    assert story.statuses[-1]["truth"]["welds"] == []
