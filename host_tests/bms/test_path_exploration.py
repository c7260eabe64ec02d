"""No reachable state of a power path violates the laws: all states, all inputs.

What holds in each step of each state is written as `judge_*`. The fault register does not help:
faults of the path are shown to it, but what they block stays allowed in half of the inputs.
"""

from itertools import product
from types import SimpleNamespace

import pytest

from bms import switch
from bms.contactor_path import ContactorPath
from bms.points import (
    PATH_BRIDGING,
    PATH_COOLING,
    PATH_FAILED,
    PATH_OFF,
    PATH_ON,
    PATH_OPENING,
    PATH_PRECHARGING,
    PATH_WAITING_FOR_FUSE,
)
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH
from bms.switch import FetPath
from host_tests.bms.exploration import (
    LONG_MS,
    PERIOD_MS,
    RATIO_PERMILLE,
    World,
    agree,
    canonical,
    demand,
    explore,
)
from host_tests.bms.path_parts import STACK_MV

TIME_MAX_MS = 1000
BODY_DIODE_MA = 1000
SMALL_MA = 5000
BREAK_MA = 250000
WAIT_MS = 500  # ramp and fuse
SETTLE_MS = 250
MISMATCH_MS = 500
WINDOW_MS = 500
POSITIVE, NEGATIVE, PRECHARGE = range(3)

EMPTY = 0
LOW = STACK_MV * 93 // 100  # as of a closed path, but not precharged
FULL = STACK_MV
ABOVE = STACK_MV * 110 // 100

TIMELESS = (0, 1, 2, 4, 5, 6)  # phases that do not ask how long they last
ON = 6

STEP, OPEN_LINES, CLEAR = range(3)

PRECHARGING = {
    "precharge_time_max_ms": TIME_MAX_MS,
    "precharge_cooldown_s": 1,
    "precharge_max_j": 200,
    "gate_mismatch_ms": MISMATCH_MS,
}
LIMITS = {
    "_on_ms": TIME_MAX_MS + 1,
    "_phase_ms": TIME_MAX_MS + 1,
    "_still_ms": SETTLE_MS + 1,
    "_low_ms": SETTLE_MS + 1,
    "_open_ms": 1000,
    "_differs_ms": MISMATCH_MS + 1,
}


def given(**changes):
    """Inputs of a step, by name; what is not measured has no variants."""
    names = ("allowed", "urgent", "measured", "gates", "bus_mv", "current_ma", "elapsed_ms")
    unmeasured = {"gates": changes["gates"][:1], "bus_mv": [FULL], "current_ma": [0]}
    rows = []
    for measured in (True, False):
        values = {**changes, "measured": [measured], **({} if measured else unmeasured)}
        for row in product(*(values[name] for name in names), values.get("aux", [None])):
            rows.append(SimpleNamespace(what=STEP, **dict(zip((*names, "aux"), row, strict=True))))
    rows += [
        SimpleNamespace(what=what, allowed=0, urgent=False, measured=False, elapsed_ms=0, aux=None)
        for what in (OPEN_LINES, CLEAR)
    ]
    return rows


def act(world, row):
    """One step of the world with these inputs."""
    if row.what == OPEN_LINES:
        world.path.open_lines()
        return
    if row.what == CLEAR:
        world.register.active = 0
        return
    sample = world.sample
    sample.gates = row.gates
    sample.bus_mv = row.bus_mv
    sample.current_ma = row.current_ma
    levels = world.contactors.levels
    for contactor in range(3):
        flipped = row.aux == contactor
        world.contactors.forced[contactor] = 1 - levels[contactor] if flipped else None
    world.path.step(row.allowed, row.urgent, sample, row.measured, row.elapsed_ms, world.register)


# -- FETs


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
        demand(row.measured, "a body diode is spared without a measurement")
        at_least = BODY_DIODE_MA // 2 if before[1] == PATH_BRIDGING else BODY_DIODE_MA + 1
        if against:
            demand(flow_ma >= at_least, "a body diode is spared without the current for it")


def bridging_ghost(world, row, before):
    """Remember the latest reversals, for as long as they matter."""
    ages, paused = before[2] or ((), 0)
    if row.what != STEP:
        world.ghost = (ages, paused) if ages or paused else ()
        return
    ages = tuple(age + row.elapsed_ms for age in ages if age + row.elapsed_ms < WINDOW_MS)
    paused = max(paused - row.elapsed_ms, 0)
    demand(
        not (world.path.state == PATH_BRIDGING and before[1] != PATH_BRIDGING and paused),
        "a body diode is spared again too early",
    )
    way_ma = row.current_ma if row.allowed == GATE_CHARGE else -row.current_ma
    one_way = row.allowed in (GATE_CHARGE, GATE_DISCHARGE)
    if before[1] == PATH_BRIDGING and one_way and row.measured and not row.urgent and way_ma < 0:
        demand(world.path.state != PATH_BRIDGING, "reverse current goes on")
        if world.path.state != PATH_FAILED:
            ages = (0, *ages)
        if len(ages) >= 3:
            paused = WINDOW_MS
            ages = ages[:2]
    world.ghost = (ages, paused) if ages or paused else ()


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
    """Ghost: time since the discharge gate was let on unverified, and tries."""
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
            tries += before[1] != PATH_PRECHARGING
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


def judge_closing(world, row, were, relay_ms):
    """What must be true in the step in which a contactor closes."""
    levels = world.contactors.levels
    closing = [not was and level for was, level in zip(were, levels, strict=True)]
    if closing[POSITIVE]:
        demand(were[PRECHARGE] and relay_ms >= SETTLE_MS, "closed without a precharge")
        near = abs(row.bus_mv - STACK_MV) * 1000 <= STACK_MV * (1000 - RATIO_PERMILLE)
        demand(row.measured and near, "closed into a voltage difference")
        demand(abs(row.current_ma) < 500, "closed into the precharge current")
    if closing[PRECHARGE]:
        demand(row.bus_mv <= STACK_MV * 105 // 100, "precharged against a higher bus")
        demand(not levels[POSITIVE], "relay closed beside the positive contactor")
        if world.path._two_poles:
            demand(were[NEGATIVE], "precharged without the negative contactor")
    if any(closing):
        demand(sum(closing) == 1, "two contactors closed at once")
        demand(row.measured and row.gates == GATES_BOTH, "closed without the chip's supply")


def judge_opening(world, row, before, closing, waited_ms):
    """What must be true in a step that may not be on, or that opens."""
    levels = world.contactors.levels
    path = world.path
    were, state, _ = before
    broken = abs(row.current_ma) <= BREAK_MA
    may_stay = path.state in (PATH_OPENING, PATH_WAITING_FOR_FUSE)
    if row.allowed != GATES_BOTH or row.urgent:
        demand(not any(closing), "closed against what is allowed")
        demand(not any(levels) or may_stay, "closed although a direction is blocked")
    if row.urgent:
        demand(path.state != PATH_OPENING, "ramping though it is urgent")
    if world.register.active:
        demand(not any(closing), "closed although the path has failed")
    if path.state == PATH_WAITING_FOR_FUSE:
        demand(waited_ms < WAIT_MS, "the fuse is waited for without end")
        if state != PATH_WAITING_FOR_FUSE:
            demand(row.measured and not broken, "the fuse is waited for without need")
        demand(world.register.reported, "nobody hears that the fuse is waited for")
    if path.state == PATH_OPENING:
        demand(waited_ms < WAIT_MS, "the current may fall without end")
        demand(row.measured and abs(row.current_ma) > SMALL_MA, "it could have opened")
    if were[POSITIVE] and not levels[POSITIVE] and row.measured and row.gates == GATES_BOTH:
        waited = state == PATH_WAITING_FOR_FUSE
        demand(broken or waited, "opened under more current than it can break")


def judge_contactors(world, row, before):
    """Ghost: how long the relay is on, tries, how long the path has been opening."""
    levels = world.contactors.levels
    path = world.path
    were, state, ghost = before
    relay_ms, tries, waited_ms = ghost or (0, 0, 0)
    agree(world)
    canonical(path._precharge)
    path._cooling = False  # shown only, and decided anew in each step
    if path._phase in TIMELESS:
        path._phase_ms = 0
    if path._phase != ON:
        path._contacts._low_ms = 0
    if row.what == CLEAR:
        world.ghost = (relay_ms, 0, waited_ms)
        return
    if row.what == OPEN_LINES:
        demand(not any(levels) and path.commanded == 0, "open_lines left something on")
        world.ghost = (0, tries, 0)
        return
    closing = [not was and level for was, level in zip(were, levels, strict=True)]
    may_stay = path.state in (PATH_OPENING, PATH_WAITING_FOR_FUSE)
    relay_ms = relay_ms + row.elapsed_ms if were[PRECHARGE] else 0
    waited_ms = waited_ms + row.elapsed_ms if path.state == state and may_stay else 0
    judge_opening(world, row, before, closing, waited_ms)
    judge_closing(world, row, were, relay_ms)
    tries += closing[PRECHARGE]
    if levels[PRECHARGE]:
        demand(relay_ms + PERIOD_MS <= TIME_MAX_MS, "the relay is on too long")
    if row.measured and row.gates != GATES_BOTH and any(were):
        demand(not any(levels), "closed although the chip cut the supply")
    if path.state == PATH_ON:
        tries = 0
        demand(levels[POSITIVE] and not levels[PRECHARGE], "on, but not so")
        demand(not path.holds_limits, "on, but no limits")
    else:
        demand(path.holds_limits, "limits are offered though it is not on")
    demand(tries <= 3, "more than three tries")
    world.ghost = (relay_ms if levels[PRECHARGE] else 0, tries, waited_ms)


# Contactors know two kinds of "allowed" (both directions, or not), and an urgent fault makes no
# difference between them. Without the chip's supply nothing else counts.
REFUSED = ((GATES_BOTH, False), (GATES_BOTH, True), (GATE_CHARGE, False))
ELAPSED_MS = {1: [0, PERIOD_MS], 2: [PERIOD_MS, LONG_MS]}  # by poles


def contactor_inputs(**values):
    rows = given(**{**values, "gates": [GATES_BOTH]})
    rows += given(**{**values, "gates": [0], "bus_mv": [FULL], "current_ma": [0, -BREAK_MA - 1]})
    return [row for row in rows if (row.allowed, row.urgent) in REFUSED or row.what != STEP]


@pytest.mark.parametrize("poles", [1, 2])
def test_contactors(poles):
    inputs = contactor_inputs(
        allowed=[GATES_BOTH, GATE_CHARGE],
        urgent=[False, True],
        bus_mv=[EMPTY, LOW, FULL, ABOVE],
        current_ma=[0, SMALL_MA + 1, -BREAK_MA - 1],
        elapsed_ms=ELAPSED_MS[poles],
    )
    # Gates that disobey are explored with the auxiliary contacts.
    world = contactor_world({"_differs_ms": 0, "_open_ms": 0}, contactor_poles=poles)
    world.register.alike = ~(1 << world.table.names.index("precharge_failed"))
    states, steps = explore(world, inputs, act, judge_contactors)
    assert states > 100, "the exploration went nowhere"
    print(f"{states} states, {steps} steps")


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
        allowed=[GATES_BOTH, GATE_CHARGE],
        urgent=[False, True],
        bus_mv=[FULL],
        current_ma=[0],
        aux=[None, POSITIVE, NEGATIVE, PRECHARGE],
        elapsed_ms=[PERIOD_MS],
    )
    world = contactor_world({"_open_ms": 0}, contactor_poles=2, contactor_aux=1)
    world.register.alike = ~(1 << world.table.names.index("precharge_failed"))
    states, steps = explore(world, inputs, act, judge)
    assert states > 100, "the exploration went nowhere"
    print(f"{states} states, {steps} steps")
