"""The whole firmware on the simulated board, with an inverter that obeys its limits, for days.

    python -m host_tests.bench.limits_board [--jobs N] [--docs] [DAY[:FROM-UNTIL] ...]

The days are those of host_tests/bms/limits_day.py: hot, cold, full and empty ones (and usual ones
and frost), of 16 cells of 100 Ah, with sun and use of up to 0.9 of the capacity in an hour. The
room follows the day, and so does the pack. A day goes from sunrise at half past six to nine in the
evening (what is left is a small steady load at night), or from hour to hour as told. A step each
250 ms: as often as the chip has new voltages, and a quarter less time. Each hour tells how
far it is. --docs writes the table into docs/limits.md. Ends with 1 if a protection tripped in a
direction in which something was offered.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from math import pi, sin
from pathlib import Path
from random import Random

from bms.limit_curves import PHASES, REASONS
from cellsteward.generated_docs import table, with_parts
from cellsteward.limit_docs import PAGE
from host_tests.bms.limits_day import DAY_S, DAYS
from host_tests.system.simulated_board import SETTINGS, run_board

_CAPACITY_AH = 100
_ROW_S = 20  # clouds and kettles
_ROOM_S = 1800  # the room's temperature is set so often
_BEGIN_H, _END_H = 6.5, 21
_START_S = 60  # until the pack is guarded
_SETTLED_S = 3600  # until the state of charge is more than a guess from a voltage
_USUAL = ("hot", "cold", "full", "empty")
_SETTINGS = {
    **SETTINGS,
    "design_capacity_mah": 1000 * _CAPACITY_AH,
    "charge_current_max_ma": 90000,
    "overcurrent_charge_warn_ma": 100000,
    "overcurrent_charge_trip_ma": 110000,
    "fast_overcurrent_charge_ma": 150000,
    "step_period_ms": 250,
}
_START_SOC = {"full": 0.7, "empty": 0.4}
# Name in the table, point, and its unit's divisor
_WATCHED = (("CCL", "charge_current_limit_ma"), ("DCL", "discharge_current_limit_ma"),
            ("CVL", "charge_voltage_limit_mv"))  # fmt: skip
_DIRECTIONS = {
    "charge": ("charge_current_limit_ma",),
    "discharge": ("discharge_current_limit_ma",),
}
_POINTS = ("state", "faults", "soc_bp", "charge_phase", "charge_limit_reason",
           "discharge_limit_reason", *(point for _, point in _WATCHED))  # fmt: skip
_TITLES = (
    "Day", "Hours of it", "Ah in / out", "Full", "Trips", "Other faults",
    "Changes of direction in the worst hour: CCL, DCL, CVL",
    "Largest steps in a second up / down", "Cells, V", "Cells, °C", "What bound charge; discharge",
    "State of charge, largest error after an hour",
)  # fmt: skip


class Watch:
    """Follows the statuses of a day, one a simulated second."""

    def __init__(self):
        self.seconds = 0
        self.charged_as = self.discharged_as = 0.0
        self.trips = []  # time in s, fault, what was offered the second before
        self.others = set()
        self.fulls = 0
        self.steps = {name: [0, 0] for name, _ in _WATCHED}  # up, down
        self.most_turns = {name: 0 for name, _ in _WATCHED}
        self.cell_mv = [9999, 0]
        self.cell_dc = [9999, -999]
        self.reasons = ({}, {})  # name: seconds
        self.soc_error_bp = 0
        self._turns = {name: 0 for name, _ in _WATCHED}
        self._direction = {name: 0 for name, _ in _WATCHED}
        self._before = {}

    def take(self, status):
        """Of one second."""
        points, truth = status["points"], status["truth"]
        if not points or status["t_s"] < _START_S or points["state"] is None:
            return
        self._truth(truth)
        self._count_reason(points)
        if self._before:
            self._faults(status["t_s"], points)
            self._limits(points)
            self.fulls += (
                PHASES[points["charge_phase"]],
                PHASES[self._before["charge_phase"]],
            ) == ("float", "absorption")
        if points["soc_bp"] is not None and self.seconds > _SETTLED_S:
            error_bp = points["soc_bp"] - truth["soc_bp"]
            self.soc_error_bp = max(self.soc_error_bp, error_bp, key=abs)
        self._before = points

    def _truth(self, truth):
        self.seconds += 1
        if truth["current_ma"] > 0:
            self.charged_as += truth["current_ma"] / 1000
        else:
            self.discharged_as -= truth["current_ma"] / 1000
        for extremes, values in (
            (self.cell_mv, truth["cell_voltage_mv"]),
            (self.cell_dc, truth["temperature_dc"]),
        ):
            extremes[:] = min(extremes[0], *values), max(extremes[1], *values)

    def _count_reason(self, points):
        for reasons, name in zip(
            self.reasons, ("charge_limit_reason", "discharge_limit_reason"), strict=True
        ):
            reason = REASONS[points[name]]
            reasons[reason] = reasons.get(reason, 0) + 1

    def _faults(self, t_s, points):
        for fault in set(points["faults"]) - set(self._before["faults"]):
            offered = [self._before[name] for _, name in _WATCHED[:2]]
            blocked = 1 if "discharge" in fault or "undervoltage" in fault else 0
            if offered[blocked]:
                self.trips.append((t_s, fault, offered[blocked]))
            else:
                self.others.add(fault)

    def _limits(self, points):
        for name, point in _WATCHED:
            step = points[point] - self._before[point]
            up_down = self.steps[name]
            up_down[step < 0] = max(up_down[step < 0], abs(step))
            direction = (step > 0) - (step < 0)
            if direction and direction != self._direction[name]:
                self._turns[name] += self._direction[name] != 0
                self._direction[name] = direction
            if self.seconds % 3600 == 0:
                self.most_turns[name] = max(self.most_turns[name], self._turns[name])
                self._turns[name] = 0

    def row(self, name):
        """Of the table."""
        steps = [
            f"{title} {up / 1000:.1f} / {down / 1000:.0f} A" if point.endswith("_ma")
            else f"{title} {up} / {down} mV"
            for (title, point), (up, down) in zip(_WATCHED, self.steps.values(), strict=True)
        ]  # fmt: skip
        bound = [
            ", ".join(
                f"{reason.replace('_', ' ')} {seconds / self.seconds:.0%}"
                for reason, seconds in sorted(reasons.items(), key=lambda item: -item[1])
                if seconds >= 0.005 * self.seconds
            )
            for reasons in self.reasons
        ]
        return [
            name,
            f"{self.seconds / 3600:.1f}",
            f"{self.charged_as / 3600:.0f} / {self.discharged_as / 3600:.0f}",
            str(self.fulls),
            str(len(self.trips)),
            ", ".join(sorted(self.others)).replace("_", " ") or "none",
            ", ".join(str(turns) for turns in self.most_turns.values()),
            ", ".join(steps),
            " to ".join(f"{mv / 1000:.3f}" for mv in self.cell_mv),
            " to ".join(f"{dc / 10:.1f}" for dc in self.cell_dc),
            "; ".join(bound),
            f"{self.soc_error_bp / 100:+.1f} %",
        ]


def write_load(path, day, seed, begin_h=_BEGIN_H):
    """A recorded load would flow whatever the limits say: it is told to be obeyed."""
    random = Random(seed)
    cloud = 1.0
    rows = []
    begin_s = int(3600 * begin_h)
    for t_s in range(begin_s, DAY_S + _ROW_S, _ROW_S):
        cloud += (random.uniform(0.3, 1.1) - cloud) * 0.3
        kettle = 0.5 if random.random() < 0.05 else 0.0
        share = t_s / DAY_S
        sun = max(0.0, sin(pi * (share - 0.27) / 0.5)) * min(1.0, cloud) * day.sun
        use = (day.evening if 0.73 < share < 0.95 else day.use) * (1 + kettle)
        rows.append(f"{t_s - begin_s},{_CAPACITY_AH * (sun - use):.2f}")
    path.write_text("\n".join(["t_s,I_A", *rows, ""]), encoding="utf-8")
    return str(path)


def play(given):
    """Row and trips of a day, as `given` on the command line."""
    name, begin_h, until_h = parsed(given)
    day = DAYS[name]
    watch = Watch()
    begin_s, duration_s = int(3600 * begin_h), int(3600 * (until_h - begin_h))

    def take(status):
        watch.take(status)
        if watch.seconds and watch.seconds % 3600 == 0:
            print(begin_h, *watch.row(name), watch.trips, sep=" | ", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        run = run_board(
            Path(folder),
            duration_s=duration_s,
            timeout_s=duration_s,
            take=take,
            points=_POINTS,
            load=write_load(Path(folder) / "load.csv", day, 1, begin_h),
            load_obeys=True,
            settings=_SETTINGS,
            soc=_START_SOC.get(name, 0.5),
            spread={
                "ambient_c": day.ambient_c(begin_s),
                "soc_spread": 0.01,
                "capacity_spread": 0.015,
            },
            orders=[
                [t_s, {"room_dc": round(10 * day.ambient_c(begin_s + t_s))}]
                for t_s in range(_ROOM_S, duration_s, _ROOM_S)
            ],
        )
    if run.end.get("reason") != "duration":
        raise SystemExit(f"{name}: ended by {run.end.get('reason')}\n{run.output}")
    row = watch.row(name)
    row[1] = f"{_clock(begin_h)} to {_clock(until_h)}"
    return row, watch.trips


def parsed(given):
    """Name of the day, and hours from and until."""
    name, _, hours = given.partition(":")
    if name not in DAYS:
        raise SystemExit(f"there is no day {name!r}; choose of {', '.join(DAYS)}")
    begin, _, until = hours.partition("-")
    return name, float(begin or _BEGIN_H), float(until or _END_H)


def _clock(hours):
    return f"{int(hours)}:{round(60 * (hours % 1)):02}"


def main(arguments=None):
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m host_tests.bench.limits_board")
    parser.add_argument("days", nargs="*", default=_USUAL, metavar="DAY[:FROM-UNTIL]",
                        help=f"of {', '.join(DAYS)}; default: {', '.join(_USUAL)}")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=2, help="days at a time")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/limits.md")
    options = parser.parse_args(arguments)
    with ThreadPoolExecutor(options.jobs) as pool:
        played = list(pool.map(play, options.days))
    text = table(_TITLES, [row for row, _ in played])
    print(text)
    if options.docs:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_parts(page, {"board days": text}), encoding="utf-8")
    for row, trips in played:
        for trip in trips:
            print(row[0], trip)
    return 1 if any(trips for _, trips in played) else 0


if __name__ == "__main__":
    sys.exit(main())
