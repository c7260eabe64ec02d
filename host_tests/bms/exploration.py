"""Every reachable state of a power path, breadth first, with every input in every state.

A state is what the objects of the path hold, what they switched, and what the watcher remembers to
judge them. Times count in periods and stop at the limits that they are compared with, so that the
states are finite; heat is "none" or "as much as the resistor bears", which is the worse.
"""

from array import array
from collections import deque
from itertools import product
from operator import itemgetter
from types import SimpleNamespace

from bms.faults import Faults
from bms.sample import GATES_BOTH, Sample
from host_tests.bms.bench import parameters_with
from host_tests.bms.path_parts import STACK_MV, Chip, Contactors

PERIOD_MS = 250
LONG_MS = 1000
RATIO_PERMILLE = 950
TIME_MAX_MS = 1000
SETTLE_MS = 250
MISMATCH_MS = 500
EMPTY = 0
LOW = STACK_MV * 93 // 100  # as of a closed path, but not precharged
FULL = STACK_MV

STEP, OPEN_LINES, CLEAR = range(3)

PRECHARGING = {
    "precharge_time_max_ms": TIME_MAX_MS,
    "precharge_cooldown_s": 1,
    "precharge_max_j": 400,
    "gate_mismatch_ms": MISMATCH_MS,
}
# Where times end to matter
LIMITS = {
    "_on_ms": TIME_MAX_MS + 1,
    "_phase_ms": TIME_MAX_MS + 1,
    "_still_ms": SETTLE_MS + 1,
    "_apart_ms": SETTLE_MS + 1,
    "_open_ms": 1000,
    "_differs_ms": MISMATCH_MS + 1,
}


class Violation(AssertionError):
    """A law was broken; the text is the way there."""


class Register:
    """Faults of the path as the register shows them: from the next step on, until cleared."""

    def __init__(self):
        self.active = 0
        self.reported = 0
        self.alike = 0  # faults that the path does not tell apart: one of them stands for all

    def report(self, bit, hold_ms):
        self.reported |= 1 << bit

    def is_active(self, bit):
        return self.active >> bit & 1 == 1

    def turn(self):
        """What was reported is active now."""
        self.active |= self.reported
        self.reported = 0
        alike = self.active & self.alike
        self.active ^= alike ^ (alike & -alike)


class World:
    """A path, what is around it, and its state as one value."""

    def __init__(self, make, settings, limits):
        self.table = Faults()
        self.parameters = parameters_with({**settings, "step_period_ms": PERIOD_MS})
        self.chip = Chip()
        self.contactors = Contactors()
        self.register = Register()
        self.sample = Sample(4, 2)
        self.sample.stack_mv = STACK_MV
        self.path = make(self)
        self.ghost = ()
        parts = [self.path]
        for part in parts:
            for value in vars(part).values():
                module = type(value).__module__
                if module.startswith("bms.") and module not in ("bms.parameters", "bms.faults"):
                    parts.append(value)
        parts += [self.chip, self.register]
        self._cells = []  # objects, the names of their values, a getter of these
        self._limited = []  # objects and names of times, and where these end to matter
        self._arrays = [memoryview(self.contactors.levels)]
        self._limited_arrays = []
        for part in parts:
            names = []
            for name, value in vars(part).items():
                limit = limits.get(name)
                if isinstance(value, (bool, int)) and name not in CONSTANT:
                    names.append(name)
                    if limit is not None:
                        self._limited.append((vars(part), name, limit))
                elif isinstance(value, (bytearray, array)):
                    self._arrays.append(memoryview(value).cast("B"))
                    if limit is not None:
                        self._limited_arrays.append((value, limit))
            if names:
                self._cells.append((vars(part), names, itemgetter(*names, names[0])))

    def save(self):
        """The state; times beyond their limits are equal."""
        for values, name, limit in self._limited:
            values[name] = min(values[name], limit)
        for values, limit in self._limited_arrays:
            for index in range(len(values)):
                values[index] = min(values[index], limit)
        cells = tuple([getter(values) for values, _, getter in self._cells])
        return (cells, tuple([bytes(view) for view in self._arrays]), self.ghost)

    def load(self, state):
        for (values, names, _), saved in zip(self._cells, state[0], strict=True):
            values.update(zip(names, saved, strict=False))
        for view, saved in zip(self._arrays, state[1], strict=True):
            view[:] = saved
        self.ghost = state[2]


# Looked up once by constructors: no state
CONSTANT = {
    "_fault", "_mismatch_max_ms", "_mismatch", "_common_port", "_start_ma", "_ohm", "_max_j",
    "_cooldown_s", "_ratio_permille", "_end_ma", "_time_max_ms", "_try_ms", "_period_ms",
    "_stack_mv", "_cooled", "_stuck_open", "_auxiliary", "_poles", "_settle_ms", "_bleed_ms",
    "_fuse_expected", "_two_poles", "_wrong_way_ma", "_ramp_ms", "_fuse_ms",
    "_open_ma", "_break_max_ma", "_acknowledged", "_taken", "code", "commands", "alike",
}  # fmt: skip


def explore(world, inputs, act, judge):
    """Visit all states; returns how many there are, and how many steps were judged.

    act(world, given) makes one step; judge(world, given, before) raises Violation. `before` is
    the world's state before the step as (levels, path state, ghost, holds_limits, commanded).
    """
    first = world.save()
    came_from = {first: None}
    waiting = deque([first])
    steps = 0
    while waiting:
        state = waiting.popleft()
        for given in inputs:
            world.load(state)
            path = world.path
            levels = bytes(world.contactors.levels)
            before = (levels, path.state, world.ghost, path.holds_limits, path.commanded)
            act(world, given)
            try:
                judge(world, given, before)
            except Violation as broken:
                raise Violation(f"{broken} after {way(came_from, state, given)}")
            world.register.turn()
            steps += 1
            after = world.save()
            if after not in came_from:
                came_from[after] = (state, given)
                waiting.append(after)
    return len(came_from), steps


def way(came_from, state, given):
    """The inputs that led here, latest last."""
    inputs = [given]
    while came_from[state] is not None:
        state, given = came_from[state]
        inputs.append(given)
    return list(reversed(inputs))


def demand(condition, text):
    """A law that must hold now."""
    if not condition:
        raise Violation(text)


def agree(world):
    """Lines, command and what the path says it commands are one."""
    commanded = world.path.commanded
    demand(world.chip.lines() == commanded, "an off line does not agree with the command")
    if any(world.contactors.levels):
        demand(commanded == GATES_BOTH, "a contactor is closed without the chip's gates")


def canonical(precharge):
    """Any heat is all the heat that the resistor bears, any pause the whole one: both are worse.

    The time of a try that is over does not count any more.
    """
    if precharge.energy_mj:
        precharge.energy_mj = 1000 * precharge._max_j
    if precharge._pause_ms:
        precharge._pause_ms = 1000 * precharge._cooldown_s
    if not precharge.running:
        precharge._on_ms = 0


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
