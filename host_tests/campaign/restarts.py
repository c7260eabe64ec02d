"""Faults of the processor itself, and resets: boots that follow one another on one pack.

What a reset, a power cut or a hang must leave: gates off while nobody decides, latched faults and
a dead cell remembered, the chip alone guarding while the processor hangs, and an end to a loop of
resets. Each scenario is a few starts ("legs") with the same flash and battery, at random moments.
"""

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from host_tests.campaign.case import Verdict, Violation
from host_tests.campaign.plan import SETTINGS
from host_tests.campaign.record import Record
from host_tests.campaign.rows import CHIP_REACTION_MS, FETS, PERIOD_MS
from host_tests.system.simulated_board import run_board

_TYPED = {"console": "unlock 1234\rclear\r"}
_READY_S = 25  # after a start
_WATCHDOG_S = 3.0  # of the processor
_CHIP_WATCHDOG_MS = 4000  # default of afe_watchdog_s, counted from the last transfer
_OVERRUN_MS = 900 + 900  # step_slow: the second one exceeds overrun_ms, by default 1500
_LATE_S = 8


@dataclass
class Leg:
    """One start. ends: the reason of its end ("duration", "watchdog", "quit").

    checks: (kind, second, ...) as the functions below read them.
    """

    cause: str
    duration_s: float
    ends: str
    orders: list
    checks: list


def scenarios(seed, count):
    """Yield (number, name, legs); number n of a seed is always the same."""
    for number in range(count):
        name, build = _SCENARIOS[number % len(_SCENARIOS)]
        yield number, name, build(random.Random(f"{seed} restart {number}"))


def play_and_judge(seed, number):
    """Run a scenario. Returns the verdict; its one run counts as judged."""
    _, name, legs = list(scenarios(seed, number + 1))[-1]
    verdict = Verdict(judged=1, noticed=1)
    with tempfile.TemporaryDirectory() as folder:
        load = Path(folder) / "load.csv"
        ampere = random.Random(f"{seed} {number}").uniform(-80, 45)
        # The chip itself spares a body diode: the blocked gate opens when no current goes the
        # other way.
        ampere = abs(ampere) / 2 if "cell_overvoltage" in name else ampere
        ampere = -abs(ampere) if "cell_undervoltage" in name else ampere
        load.write_text(f"t_s,I_A\n0,{ampere:.1f}\n100000,0\n100001,0\n")
        for leg in legs:
            _play_leg(Path(folder), load, name, leg, verdict)
            if verdict.violations:
                break
    return verdict


def _play_leg(folder, load, name, leg, verdict):
    run = run_board(
        folder,
        duration_s=leg.duration_s,
        load=str(load),
        load_obeys=True,
        settings=dict(SETTINGS[FETS]),
        reset_cause=leg.cause,
        orders=[*leg.orders, [leg.duration_s - 0.01, {"note": 200}]],
    )

    def violate(kind, t_s, text):
        verdict.violations.append(Violation(kind, (name,), t_s, text))

    if run.end.get("reason") != leg.ends:
        violate("ended", run.end.get("t_s", 0), f"{run.end.get('reason')}, not {leg.ends}: "
                f"{run.output[-300:]}")  # fmt: skip
        return
    record = Record(FETS, run)
    for kind, t_s, *rest in leg.checks:
        problem = _CHECKS[kind](record, run, t_s, *rest, verdict, name)
        if problem:
            violate(kind, t_s, problem)


def _status(record, t_s):
    return record.between(t_s - 1, t_s)[-1]


def _gates(on):
    def check(record, _run, t_s, _verdict, _name):
        points = _status(record, t_s)["points"]
        limits = points["charge_current_limit_ma"], points["discharge_current_limit_ma"]
        if any(record.is_on(gate, t_s) != on for gate in "cd") or all(limits) != on:
            return f"gates {points['gates']}, limits {limits}, faults {points['faults']}"
        return None

    return check


def _gates_off(record, _run, t_s, _verdict, _name):
    """By the truth alone: who hangs publishes nothing."""
    return "a gate is on" if any(record.is_on(gate, t_s) for gate in "cd") else None


def _stands(record, _run, t_s, names, _verdict, _name):
    shown = _status(record, t_s)["points"]["faults"]
    return None if set(names) & set(shown) else f"none of {names} stands, but {shown}"


def _logged(record, _run, _t_s, names, _verdict, _name):
    return None if record.logged(0, 1e9) & set(names) else f"none of {names} in the log"


def _off_within(record, _run, t_s, within_ms, gates, verdict, name):
    for gate in gates:
        taken_ms = record.off_after_ms(gate, t_s)
        if taken_ms is None or taken_ms > within_ms:
            return f"{gate} gate off after {taken_ms} ms, due after {within_ms} ms"
        verdict.times_ms.append((name, "injection", gate, round(taken_ms, 1), int(within_ms)))
    return None


def _ended_by(_record, run, t_s, _verdict, _name):
    return None if run.end["t_s"] <= t_s else f"it ended at {run.end['t_s']} s"


def _resets(record, _run, t_s, count, _verdict, _name):
    seen = _status(record, t_s)["points"]["watchdog_resets"]
    return None if seen == count else f"watchdog_resets is {seen}, not {count}"


_CHECKS = {
    "on": _gates(True),
    "off": _gates(False),
    "gates off": _gates_off,
    "stands": _stands,
    "logged": _logged,
    "off within": _off_within,
    "ended by": _ended_by,
    "resets": _resets,
}


def _well(cause, *more):
    return Leg(cause, _READY_S + 2, "duration", [], [("on", _READY_S), *more])


def _hang(draw, cause="power_on", checks=()):
    at_s = _READY_S + draw.uniform(1, 20)
    return Leg(
        cause, at_s + 20, "watchdog", [[at_s, {"inject": "firmware_hang"}]],
        [*checks, ("ended by", at_s + _WATCHDOG_S + PERIOD_MS / 1000)],
    )  # fmt: skip


def _hangs_once(draw):
    return [_hang(draw), _well("watchdog", ("resets", _READY_S, 1))]


def _hangs_again_and_again(draw):
    """Three resets by the watchdog within ten minutes: hold the gates off until a person says."""
    last = Leg(
        "watchdog", _READY_S + 22, "duration", [[_READY_S + 2, _TYPED]],
        [("stands", _READY_S, ("boot_loop",)), ("off", _READY_S), ("on", _READY_S + 20)],
    )  # fmt: skip
    return [_hang(draw), _hang(draw, "watchdog"), _hang(draw, "watchdog"), last]


def _latched(draw, then, cause):
    """A latched fault whose cause is gone outlives whatever stops the processor."""
    at_s = _READY_S + draw.uniform(1, 20)
    until_s = at_s + 12
    orders = [[at_s, {"inject": "short_circuit"}], [at_s + 4, {"clear": "short_circuit"}]]
    if then == "quit":
        first = Leg("power_on", until_s, "quit", [*orders, [until_s - 1, {"quit": 1}]], [])
    else:
        first = Leg("power_on", until_s + 8, "watchdog",
                    [*orders, [until_s, {"inject": "firmware_hang"}]], [])  # fmt: skip
    checks = [
        ("stands", _READY_S, ("short_circuit",)), ("off", _READY_S), ("on", _READY_S + 20),
    ]  # fmt: skip
    return [first, Leg(cause, _READY_S + 22, "duration", [[_READY_S + 2, _TYPED]], checks)]


def _latched_through_watchdog(draw):
    return _latched(draw, "hang", "watchdog")


def _latched_through_power_cut(draw):
    return _latched(draw, "quit", "power_on")


def _power_cut(draw):
    at_s = draw.uniform(0.5, 40)
    return [Leg("power_on", 60, "quit", [[at_s, {"quit": 1}]], []), _well("power_on")]


def _dead_cell_through_power_cut(draw):
    at_s = _READY_S + draw.uniform(1, 20)
    orders = [[at_s, {"inject": "cell_dead"}], [at_s + 25, {"quit": 1}]]
    checks = [("stands", t_s, ("cell_below_floor",)) for t_s in (_READY_S, _READY_S + 18)]
    checks += [("off", _READY_S), ("off", _READY_S + 18)]
    again = [[1, {"clear": "cell_dead"}], [_READY_S + 2, _TYPED]]
    return [
        Leg("power_on", at_s + 30, "quit", orders, []),
        Leg("power_on", _READY_S + 20, "duration", again, checks),
    ]


def _chip_alone(fault, gates, within_ms):
    """The processor hangs and its watchdog is dead, too: the measuring chip opens by itself."""

    def build(draw):
        at_s = round(_READY_S + draw.uniform(1, 20), 3)
        names = [name for name in ("watchdog_dead", "firmware_hang", fault) if name]
        orders = [[at_s, {"inject": name}] for name in names]
        orders += [[at_s + 12, {"clear": name}] for name in names]
        orders.append([at_s + 32, _TYPED])
        due_ms = _CHIP_WATCHDOG_MS + CHIP_REACTION_MS
        checks = [
            ("off within", at_s, within_ms or due_ms, gates),
            ("off within", at_s, due_ms, "cd"),
            ("gates off", at_s + 11),
            ("logged", 0, ("afe_watchdog", "fast_path_overrun")),
            ("on", at_s + 48),
        ]
        return [Leg("power_on", at_s + 50, "duration", orders, checks)]

    return build


def _slow_steps(draw):
    """Steps that come too late open the gates; then nobody feeds the watchdog."""
    at_s = round(_READY_S + draw.uniform(1, 20), 3)
    first = Leg(
        "power_on", at_s + 20, "watchdog", [[at_s, {"inject": "step_slow"}]],
        [
            ("off within", at_s, _OVERRUN_MS + 2 * PERIOD_MS, "cd"),
            ("ended by", at_s + _WATCHDOG_S + 1),
        ],
    )  # fmt: skip
    return [first, _well("watchdog", ("resets", _READY_S, 1))]


def _slow_steps_without_watchdog(draw):
    at_s = round(_READY_S + draw.uniform(1, 20), 3)
    orders = [[at_s, {"inject": "watchdog_dead"}], [at_s, {"inject": "step_slow"}]]
    orders += [[at_s + 15, {"clear": "step_slow"}], [at_s + 15, {"clear": "watchdog_dead"}]]
    checks = [
        ("off within", at_s, _OVERRUN_MS + 2 * PERIOD_MS, "cd"),
        ("off", at_s + 10),
        ("logged", 0, ("fast_path_overrun",)),
        ("on", at_s + 15 + _LATE_S),
    ]
    return [Leg("power_on", at_s + 25, "duration", orders, checks)]


_SCENARIOS = (
    ("firmware_hang", _hangs_once),
    ("firmware_hang + watchdog_dead", _chip_alone("", "cd", 0)),
    ("firmware_hang + watchdog_dead + short_circuit",
     _chip_alone("short_circuit", "cd", CHIP_REACTION_MS + 1)),
    # The chip's own delay: 1000 ms more than the software's 1000 ms, in steps of 3.3 ms.
    ("firmware_hang + watchdog_dead + cell_overvoltage",
     _chip_alone("cell_overvoltage", "c", 2000 + 4 + 63 + CHIP_REACTION_MS)),
    ("firmware_hang + watchdog_dead + cell_undervoltage",
     _chip_alone("cell_undervoltage", "d", 3000 + 4 + 63 + CHIP_REACTION_MS)),
    ("firmware_hang three times", _hangs_again_and_again),
    ("short_circuit, then firmware_hang", _latched_through_watchdog),
    ("short_circuit, then a power cut", _latched_through_power_cut),
    ("power cut", _power_cut),
    ("cell_dead, then a power cut", _dead_cell_through_power_cut),
    ("step_slow", _slow_steps),
    ("step_slow + watchdog_dead", _slow_steps_without_watchdog),
)  # fmt: skip
