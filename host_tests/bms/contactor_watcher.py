"""The laws of contactors, for a watcher that sees what goes into a path and what it switches.

Goals: closing only after a precharge that worked, opening in time and never under more current
than contactors can break, one blocked direction alone opens nothing.
Limits: it judges steps of host_tests.bms.exploration, which gives it the state before each.
"""

from bms.points import (
    PATH_BUS_ABOVE,
    PATH_OFF,
    PATH_ON,
    PATH_OPENING,
    PATH_PRECHARGING,
    PATH_WAITING_FOR_FUSE,
)
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH
from host_tests.bms.exploration import (
    CLEAR,
    OPEN_LINES,
    PERIOD_MS,
    RATIO_PERMILLE,
    SETTLE_MS,
    TIME_MAX_MS,
    agree,
    canonical,
    demand,
)
from host_tests.bms.path_parts import STACK_MV

SMALL_MA = 5000
BREAK_MA = 250000
WRONG_MA = 500  # default of body_diode_ma
WAIT_MS = 500  # ramp and fuse
PAUSE_MS = 1000
LOOK_MS = 500
REPORTED = 4  # more than all tries
POSITIVE, NEGATIVE, PRECHARGE = range(3)

TIMELESS = (0, 1, 2, 3, 4, 5, 6)  # phases that do not ask how long they last
ON = 6


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
    cut_off = row.measured and row.gates != GATES_BOTH
    interrupted = (
        not row.allowed
        or row.urgent
        or world.register.active
        or world.register.reported & ~failed
        or cut_off
        or rises_above(row)
    )
    if world.register.reported & failed:
        demand(watcher.tries >= 3, "a try that did not fail was counted")
        watcher.tries = REPORTED
    if were[PRECHARGE] and not levels[PRECHARGE]:
        if were[POSITIVE] and not cut_off:
            watcher.tries = 0
        elif not interrupted:
            watcher.tries += 1
    gave_way = before[4] and not world.path.commanded and rises_above(row)
    waits = world.path.state == PATH_BUS_ABOVE
    if gave_way and before[1] == PATH_PRECHARGING and waits:
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
        path._contacts._apart_ms = 0
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
