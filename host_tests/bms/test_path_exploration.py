"""No reachable state of a power path violates the laws: all states, all inputs.

What holds in each step of each state is written as `judge_*`, for contactors in
contactor_watcher.py. The fault register does not help: faults of the path are shown to it, but
what they block stays allowed in half of the inputs.
"""

import pytest

from bms import contactor_path, contacts, switch
from bms.contactor_path import ContactorPath
from bms.points import (
    PATH_BRIDGING,
    PATH_COOLING,
    PATH_FAILED,
    PATH_OFF,
    PATH_ON,
    PATH_PRECHARGING,
)
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH
from bms.switch import FetPath
from host_tests.bms.contactor_watcher import (
    BREAK_MA,
    LOOK_MS,
    NEGATIVE,
    PAUSE_MS,
    POSITIVE,
    PRECHARGE,
    SMALL_MA,
    WAIT_MS,
    judge_contactors,
)
from host_tests.bms.exploration import (
    CLEAR,
    EMPTY,
    FULL,
    LIMITS,
    LONG_MS,
    LOW,
    OPEN_LINES,
    PERIOD_MS,
    PRECHARGING,
    RATIO_PERMILLE,
    SETTLE_MS,
    STEP,
    TIME_MAX_MS,
    World,
    act,
    agree,
    canonical,
    demand,
    explore,
    given,
)
from host_tests.bms.path_parts import STACK_MV

BODY_DIODE_MA = 1000
WINDOW_MS = 500
CHARGER = STACK_MV * 103 // 100  # above the pack, within the ratio of 5 %
ABOVE = STACK_MV * 110 // 100


def fet_world(limits, **settings):
    def make(world):
        chip = world.chip
        return FetPath(chip, chip.charge_off, chip.discharge_off, world.parameters, world.table)

    settings = {**PRECHARGING, "body_diode_ma": BODY_DIODE_MA, **settings}
    return World(make, settings, {**LIMITS, **limits})


def judge_fets(world, row, before):
    path = world.path
    agree(world)
    if row.what == CLEAR:
        return
    if row.what == OPEN_LINES:
        demand(path.commanded == 0 and path.state == PATH_OFF, "open_lines left something on")
        return
    against = path.commanded & ~row.allowed
    flow_ma = row.current_ma if row.measured else 0
    if row.allowed == GATE_DISCHARGE:
        flow_ma = -flow_ma
    if against:
        demand(path.state == PATH_BRIDGING, "a blocked gate is on")
        demand(row.allowed in (GATE_CHARGE, GATE_DISCHARGE), "on although both are blocked")
    if path.state == PATH_BRIDGING:
        demand(not row.urgent, "a body diode is spared though it is urgent")
        if not row.measured:  # one damaged sample is ridden through
            demand(before[1] == PATH_BRIDGING, "sparing begins without a measurement")
            return
        at_least = BODY_DIODE_MA // 2 if before[1] == PATH_BRIDGING else BODY_DIODE_MA + 1
        if against:
            demand(flow_ma >= at_least, "a body diode is spared without the current for it")


def bridging_ghost(world, row, before):
    """Remember the latest reversals, for as long as they matter, and the way of a clear current
    in the latest sample."""
    ages, paused, clear = before[2] or ((), 0, 0)
    if row.what != STEP:
        clear = 0 if row.what == OPEN_LINES else clear
        world.ghost = (ages, paused, clear) if ages or paused or clear else ()
        return
    if world.path.state == PATH_BRIDGING and not row.measured:
        demand(clear == row.allowed, "a body diode is spared by a current that was not clear")
    ages = tuple(age + row.elapsed_ms for age in ages if age + row.elapsed_ms < WINDOW_MS)
    paused = max(paused - row.elapsed_ms, 0)
    demand(
        not (world.path.state == PATH_BRIDGING and before[1] != PATH_BRIDGING and paused),
        "a body diode is spared again too early",
    )
    way_ma = row.current_ma if row.allowed == GATE_CHARGE else -row.current_ma
    one_way = row.allowed in (GATE_CHARGE, GATE_DISCHARGE)
    is_clear = row.measured and one_way and way_ma > BODY_DIODE_MA
    clear = row.allowed if is_clear else 0
    if before[1] == PATH_BRIDGING and one_way and row.measured and not row.urgent and way_ma < 0:
        demand(world.path.state != PATH_BRIDGING, "reverse current goes on")
        if world.path.state != PATH_FAILED:
            ages = (0, *ages)
        if len(ages) >= 3:
            paused = WINDOW_MS
            ages = ages[:2]
    world.ghost = (ages, paused, clear) if ages or paused or clear else ()


FET_INPUTS = {
    "allowed": range(4),
    "urgent": [False, True],
    "bus_mv": [FULL],
    "current_ma": [0, 499, -499, 1001, -1001],
    "elapsed_ms": [0, PERIOD_MS, LONG_MS],
    "gates": range(4),
}


@pytest.mark.parametrize("port", [0, 1], ids=["common port", "separate ports"])
def test_fets(port, monkeypatch):
    """The minute in which reversals count is half a second here."""
    monkeypatch.setattr(switch, "_REVERSAL_MS", WINDOW_MS)
    monkeypatch.setattr(switch, "_PAUSE_MS", WINDOW_MS)

    def judge(world, row, before):
        bridging_ghost(world, row, before)
        judge_fets(world, row, before)
        failed = world.path.state == PATH_FAILED
        demand(not failed or world.path.commanded == 0, "on although a gate disobeys")
        if port:
            demand(world.path.state != PATH_BRIDGING, "bridged on separate ports")

    inputs = dict(FET_INPUTS)
    if not port:
        inputs["gates"] = [0, GATES_BOTH]
    states, steps = explore(fet_world({}, power_path=port), given(**inputs), act, judge)
    assert states > 10, "the exploration went nowhere"
    print(f"{states} states, {steps} steps")


def judge_predischarge(world, row, before):
    """Ghost: time since the discharge gate was let on unverified, and failed tries."""
    judge_fets(world, row, before)
    path = world.path
    waited_ms, tries = before[2] or (0, 0)
    precharge = path._predischarge._precharge
    canonical(precharge)
    path._body_diode._pause_ms = 0  # explored in test_fets
    if row.what == CLEAR:
        tries = 0
    if row.what == STEP:
        waiting = path.state == PATH_PRECHARGING
        if waiting and not (before[1] == PATH_PRECHARGING and precharge._on_ms):
            waited_ms = 0
        elif before[1] == PATH_PRECHARGING:
            waited_ms += row.elapsed_ms
        if waiting:
            demand(path.holds_limits, "limits are offered while it precharges")
            demand(waited_ms + PERIOD_MS <= TIME_MAX_MS, "predischarging too long")
            demand(path.commanded & GATE_DISCHARGE, "precharging with the gate off")
        if path.state == PATH_ON and path.commanded & GATE_DISCHARGE:
            tries = 0
            if before[1] == PATH_PRECHARGING:
                full = row.bus_mv * 1000 >= STACK_MV * RATIO_PERMILLE
                demand(row.measured and full, "on over an empty bus")
                demand(row.gates & GATE_DISCHARGE, "on before the chip said so")
        if path.state in (PATH_COOLING, PATH_FAILED):
            demand(not path.commanded & GATE_DISCHARGE, "on while the resistor cools")
            tries += before[1] == PATH_PRECHARGING and row.allowed & GATE_DISCHARGE > 0
        demand(tries <= 3, "more than three tries")
        if not waiting:
            waited_ms = 0
    world.ghost = (waited_ms, tries) if waited_ms or tries else ()


def test_fets_with_predischarge():
    inputs = given(
        allowed=range(4),
        urgent=[False, True],
        gates=[GATE_CHARGE, GATES_BOTH],
        bus_mv=[LOW, FULL],
        current_ma=[-1, 2000],
        elapsed_ms=[PERIOD_MS, LONG_MS],
    )
    world = fet_world({"_last_ms": 0, "_before_ms": 0, "_differs_ms": 0}, predischarge=1)
    states, steps = explore(world, inputs, act, judge_predischarge)
    assert states > 30, "the exploration went nowhere"
    print(f"{states} states, {steps} steps")


# -- contactors


def contactor_world(limits, **settings):
    def make(world):
        chip = world.chip
        return ContactorPath(
            chip,
            chip.charge_off,
            chip.discharge_off,
            world.contactors,
            world.parameters,
            world.table,
        )

    settings = {
        **PRECHARGING,
        "power_path": 2,
        "contactor_settle_ms": SETTLE_MS,
        "contactor_ramp_ms": WAIT_MS,
        "fuse_wait_ms": WAIT_MS,
        **settings,
    }
    return World(make, settings, {**LIMITS, **limits})


# By both directions blocked, urgent or not, the path does the same before it is closed.
PERMITS = (
    (GATES_BOTH, False),
    (GATES_BOTH, True),
    (0, False),
    (GATE_CHARGE, False),
    (GATE_DISCHARGE, False),
)


@pytest.fixture(autouse=True)
def shorter_times(monkeypatch):
    """Minutes are some periods here."""
    monkeypatch.setattr(contactor_path, "_PAUSE_MS", PAUSE_MS)
    monkeypatch.setattr(contactor_path, "_LOOK_MS", LOOK_MS)
    monkeypatch.setattr(contacts, "_APART_MAX_MS", SETTLE_MS)


def contactor_inputs(**values):
    rows = given(**{**values, "gates": [GATES_BOTH]})
    rows += given(**{**values, "gates": [0], "bus_mv": [FULL], "current_ma": [0, -BREAK_MA - 1]})
    return [row for row in rows if (row.allowed, row.urgent) in PERMITS or row.what != STEP]


def walk_contactors(world, inputs, judge=judge_contactors):
    world.register.alike = ~(1 << world.table.names.index("precharge_failed"))
    states, steps = explore(world, inputs, act, judge)
    assert states > 100, "the exploration went nowhere"
    print(f"{states} states, {steps} steps")


@pytest.mark.parametrize("poles", [1, 2])
def test_contactors(poles):
    inputs = contactor_inputs(
        allowed=[GATES_BOTH, GATE_CHARGE, 0],
        urgent=[False, True],
        bus_mv=[EMPTY, LOW, FULL, ABOVE],
        current_ma=[0, -BREAK_MA - 1],
        elapsed_ms=[0, PERIOD_MS] if poles == 1 else [PERIOD_MS, LONG_MS],
    )
    # Gates that disobey are explored with the auxiliary contacts.
    world = contactor_world({"_differs_ms": 0, "_open_ms": 0}, contactor_poles=poles)
    walk_contactors(world, inputs)


def test_contactors_with_one_direction_blocked():
    """Currents that contactors can break, both ways, and a charger that waits on the bus."""
    inputs = contactor_inputs(
        allowed=[GATES_BOTH, GATE_CHARGE, GATE_DISCHARGE, 0],
        urgent=[False],
        bus_mv=[EMPTY, FULL, CHARGER],
        current_ma=[0, SMALL_MA + 1, -SMALL_MA - 1],
        elapsed_ms=[0, PERIOD_MS],
    )
    world = contactor_world({"_differs_ms": 0, "_open_ms": 0}, contactor_poles=1)
    walk_contactors(world, inputs)


def test_contactors_with_auxiliary_contacts():
    """Any one contact may be wrong at any time; the bus is full, no current flows."""

    def judge(world, row, before):
        judge_contactors(world, row, before)
        if row.what == STEP and row.aux is not None and not before[0][row.aux]:
            closed = world.contactors.levels[POSITIVE] and not before[0][POSITIVE]
            demand(not closed, "closed although a contact is welded")
        if row.what == STEP and row.aux == PRECHARGE:
            closed = world.contactors.levels[POSITIVE] and not before[0][POSITIVE]
            demand(not closed, "closed although the relay's contact is open")

    inputs = contactor_inputs(
        allowed=[GATES_BOTH, 0],
        urgent=[False, True],
        bus_mv=[FULL],
        current_ma=[0],
        aux=[None, POSITIVE, NEGATIVE, PRECHARGE],
        elapsed_ms=[PERIOD_MS],
    )
    world = contactor_world({"_open_ms": 0}, contactor_poles=2, contactor_aux=1)
    walk_contactors(world, inputs, judge)
