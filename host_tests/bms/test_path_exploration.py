"""No reachable state of a power path violates the laws: all states, all inputs.

What holds in each step of each state is written as `judge_*`. The fault register does not help:
faults of the path are shown to it, but what they block stays allowed in half of the inputs.
"""

from itertools import product
from types import SimpleNamespace

import pytest

from bms import contactor_path, contacts, switch
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
WRONG_MA = 500  # default of body_diode_ma
PAUSE_MS = 1000
LOOK_MS = 500
REPORTED = 4  # more than all tries
SETTLE_MS = 250
MISMATCH_MS = 500
WINDOW_MS = 500
POSITIVE, NEGATIVE, PRECHARGE = range(3)

EMPTY = 0
LOW = STACK_MV * 93 // 100  # as of a closed path, but not precharged
FULL = STACK_MV
CHARGER = STACK_MV * 103 // 100  # above the pack, within the ratio of 5 %
ABOVE = STACK_MV * 110 // 100

TIMELESS = (0, 1, 2, 3, 4, 5, 6)  # phases that do not ask how long they last
ON = 6

STEP, OPEN_LINES, CLEAR = range(3)

PRECHARGING = {
    "precharge_time_max_ms": TIME_MAX_MS,
    "precharge_cooldown_s": 1,
    "precharge_max_j": 400,
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


class Watcher:
    """What a watcher of contactors remembers; it knows nothing of how the path works."""

    NAMES = (
        "relay_ms",  # how long the precharge relay is on
        "tries",  # failed ones; REPORTED: the register knows
        "waited_ms",  # for a smaller current, or for the fuse
        "flow",  # GATE_* bit of the way that current flowed when last known, while on
        "wrong_ms",  # for how long it has been a blocked one without a break
        "wrong_sum_ms",  # and with breaks
        "pause_ms",  # until contactors that opened for it may close for one direction
        "look_ms",  # until a bus that was above the pack may be looked at again
    )

    def __init__(self, saved):
        for name, value in zip(self.NAMES, saved or (0,) * len(self.NAMES), strict=True):
            setattr(self, name, value)

    def save(self):
        return tuple(getattr(self, name) for name in self.NAMES)

    def forget_current(self):
        self.flow = self.wrong_ms = self.wrong_sum_ms = 0

    def let_time_pass(self, row, relay_was_closed):
        self.relay_ms = self.relay_ms + row.elapsed_ms if relay_was_closed else 0
        self.pause_ms = max(self.pause_ms - row.elapsed_ms, 0)
        self.look_ms = max(self.look_ms - row.elapsed_ms, 0)

    def watch_current(self, row):
        """Before what the path does now is judged: what flowed until now."""
        was_wrong = self.wrong_ms > 0
        if row.measured:
            way = GATE_CHARGE if row.current_ma > 0 else GATE_DISCHARGE
            self.flow = way if abs(row.current_ma) > WRONG_MA else 0
        if was_wrong:
            self.wrong_ms += row.elapsed_ms
            self.wrong_sum_ms = min(self.wrong_sum_ms + row.elapsed_ms, WAIT_MS)
        self.wrong_ms = max(self.wrong_ms, 1) if self.flow & ~row.allowed else 0  # 1: just began


def rises_above(row):
    return row.measured and row.bus_mv > STACK_MV * (2000 - RATIO_PERMILLE) // 1000


def judge_closing(world, row, before, watcher):
    """What must be true in the step in which a contactor closes."""
    were, levels = before[0], world.contactors.levels
    closing = [not was and level for was, level in zip(were, levels, strict=True)]
    refused = not row.allowed or row.urgent
    if any(closing):
        demand(not refused, "closed against what is allowed")
        demand(not world.register.active, "closed although the path has failed")
        demand(sum(closing) == 1, "two contactors closed at once")
        demand(row.measured and row.gates == GATES_BOTH, "closed without the chip's supply")
    if world.path.commanded and not before[4]:
        demand(not rises_above(row), "began although a charger holds the bus")
        demand(not watcher.look_ms, "looked at the bus again too early")
        if watcher.pause_ms and row.allowed != GATES_BOTH:
            demand(row.allowed == GATE_CHARGE, "closed for a load that may not be there")
            demand(row.bus_mv > STACK_MV, "closed without a charger")
            demand(watcher.pause_ms <= PAUSE_MS - LOOK_MS, "closed for full capacitors")
    if closing[POSITIVE]:
        demand(were[PRECHARGE] and watcher.relay_ms >= SETTLE_MS, "closed without a precharge")
        near = abs(row.bus_mv - STACK_MV) * 1000 <= STACK_MV * (1000 - RATIO_PERMILLE)
        demand(row.measured and near, "closed into a voltage difference")
        demand(abs(row.current_ma) < 500, "closed into the precharge current")
    if closing[PRECHARGE]:
        demand(not rises_above(row), "precharged against a higher bus")
        demand(not levels[POSITIVE], "relay closed beside the positive contactor")
        demand(watcher.tries < 3, "more than three failed tries")
        if world.path._two_poles:
            demand(were[NEGATIVE], "precharged without the negative contactor")


def judge_opening(world, row, before, watcher):
    """What must be true in a step that may not be on, or that opens."""
    levels = world.contactors.levels
    path = world.path
    were, state, _, held, _ = before
    broken = abs(row.current_ma) <= BREAK_MA
    refused = not row.allowed or row.urgent
    opening = path.state == PATH_OPENING and path.holds_limits
    may_stay = opening or path.state == PATH_WAITING_FOR_FUSE
    same = path.state == state and path.holds_limits == held
    watcher.waited_ms = watcher.waited_ms + row.elapsed_ms if may_stay and same else 0
    if refused:
        demand(not any(levels) or may_stay, "closed although both directions are blocked")
    if row.urgent:
        demand(path.state != PATH_OPENING, "ramping though it is urgent")
    if path.state == PATH_WAITING_FOR_FUSE:
        demand(watcher.waited_ms < WAIT_MS, "the fuse is waited for without end")
        if state != PATH_WAITING_FOR_FUSE:
            demand(row.measured and not broken, "the fuse is waited for without need")
        demand(world.register.reported, "nobody hears that the fuse is waited for")
    if opening:
        demand(watcher.waited_ms < WAIT_MS, "the current may fall without end")
        demand(row.measured and abs(row.current_ma) > SMALL_MA, "it could have opened")
    if were[POSITIVE] and not levels[POSITIVE] and row.measured and row.gates == GATES_BOTH:
        waited = state == PATH_WAITING_FOR_FUSE
        demand(broken or waited, "opened under more current than it can break")


def judge_one_direction(world, row, before, watcher):
    """What was on and not opening yet: only current the blocked way ends it, and that in time."""
    path = world.path
    _, state, _, held, _ = before
    if state not in (PATH_ON, PATH_OPENING) or held:
        watcher.forget_current()
        return
    watcher.watch_current(row)
    refused = not row.allowed or row.urgent or world.register.active
    cut_off = row.measured and row.gates != GATES_BOTH
    fuse = 1 << world.table.names.index("fuse_expected")
    if refused or cut_off or world.register.reported & ~fuse:
        watcher.forget_current()
        return
    if path.holds_limits:
        demand(watcher.wrong_ms, "a blocked direction alone opened it")
        demand(watcher.wrong_sum_ms >= WAIT_MS, "the current had no time to fall")
        watcher.pause_ms = PAUSE_MS
        watcher.forget_current()
        return
    demand(watcher.wrong_ms < WAIT_MS, "current flows the blocked way without end")
    shown = PATH_OPENING if watcher.wrong_ms else PATH_ON
    demand(path.state == shown, "the wrong way is not shown")


def judge_tries(world, row, before, watcher):
    """Which ended precharges count, and that only these do."""
    were = before[0]
    levels = world.contactors.levels
    failed = 1 << world.table.names.index("precharge_failed")
    interrupted = (
        not row.allowed
        or row.urgent
        or world.register.active
        or world.register.reported & ~failed
        or (row.measured and row.gates != GATES_BOTH)
        or rises_above(row)
    )
    if world.register.reported & failed:
        demand(watcher.tries >= 3, "a try that did not fail was counted")
        watcher.tries = REPORTED
    if were[PRECHARGE] and not levels[PRECHARGE]:
        if levels[POSITIVE]:
            watcher.tries = 0
        elif not interrupted:
            watcher.tries += 1
    gave_way = before[4] and not world.path.commanded and rises_above(row)
    if gave_way and before[1] == PATH_PRECHARGING == world.path.state:
        watcher.look_ms = LOOK_MS


def judge_contactors(world, row, before):
    """Ghost: what the Watcher remembers."""
    levels = world.contactors.levels
    path = world.path
    were = before[0]
    watcher = Watcher(before[2])
    agree(world)
    canonical(path._precharge)
    path._awaited = PATH_OFF  # shown only, and decided anew in each step
    if path._phase in TIMELESS:
        path._phase_ms = 0
    if path._phase != ON:
        path._contacts._low_ms = 0
    if row.what == CLEAR:
        watcher.tries = 0 if watcher.tries == REPORTED else watcher.tries
    elif row.what == OPEN_LINES:
        demand(not any(levels) and path.commanded == 0, "open_lines left something on")
        watcher.relay_ms = watcher.waited_ms = 0
        watcher.forget_current()
    else:
        watcher.let_time_pass(row, were[PRECHARGE])
        judge_opening(world, row, before, watcher)
        judge_closing(world, row, before, watcher)
        judge_tries(world, row, before, watcher)
        judge_one_direction(world, row, before, watcher)
        judge_state(world, row, before, watcher)
    world.ghost = watcher.save()


def judge_state(world, row, before, watcher):
    """What is shown and offered agrees with what is closed."""
    levels = world.contactors.levels
    path = world.path
    if levels[PRECHARGE]:
        demand(watcher.relay_ms + PERIOD_MS <= TIME_MAX_MS, "the relay is on too long")
    else:
        watcher.relay_ms = 0
    if row.measured and row.gates != GATES_BOTH and any(before[0]):
        demand(not any(levels), "closed although the chip cut the supply")
    if path.state == PATH_ON:
        watcher.pause_ms = 0
        demand(not path.holds_limits, "on, but no limits")
    if not path.holds_limits:
        demand(levels[POSITIVE] and not levels[PRECHARGE], "limits offered, but it is not on")
        demand(path.state in (PATH_ON, PATH_OPENING), "limits are offered though it is not on")
        demand(path.commanded == GATES_BOTH, "on, but the gates are not")


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
    monkeypatch.setattr(contacts, "_LOW_MIN_MS", SETTLE_MS)


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
        elapsed_ms=[PERIOD_MS] if poles == 1 else [PERIOD_MS, LONG_MS],
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
