"""The whole firmware on the simulated board, with an inverter that obeys its limits, for days.

Usage: python host_tests/bench/limits_board.py [DAYS]

The household and its sun are three times what the pack is made for, so that it gets full and
empty each day and its limits have something to say. Ends with 1 if a fault came.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "firmware" / "lib"))

import itertools

from bms.limit_curves import PHASES, REASONS
from boards.sim.load import HouseholdDay
from host_tests.system.simulated_board import SETTINGS, run_board

DAY_S = 86400
_SCALE = 3.0
_LIMITS = ("charge_current_limit_ma", "discharge_current_limit_ma", "charge_voltage_limit_mv")


def write_load(path, days):
    """A recorded load would flow whatever the limits say: it is told to be obeyed."""
    day = HouseholdDay(seed=1, start_minute=300)
    rows = [
        f"{minute * 60},{_SCALE * day.demand_a(minute * 60):.2f}"
        for minute in range(int(days * DAY_S / 60))
    ]
    path.write_text("\n".join(["t_s,I_A", *rows, ""]), encoding="utf-8")
    return str(path)


def main():
    """Exit code."""
    days = float(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        run = run_board(
            Path(folder),
            duration_s=days * DAY_S,
            timeout_s=days * 7200,
            load=write_load(Path(folder) / "load.csv", days),
            load_obeys=True,
            settings=SETTINGS,
        )
    seen = [s["points"] for s in run.statuses if s["points"] and s["points"]["state"] == "active"]
    faults = {name for s in run.statuses if s["t_s"] > 10 for name in s["points"]["faults"]}
    days = run.end["t_s"] / DAY_S
    print(f"{days:.2f} days in {run.end['real_s']:.0f} s; faults: {faults or 'none'}")
    print("phases:", sorted({PHASES[points["charge_phase"]] for points in seen}))
    for name in ("charge_limit_reason", "discharge_limit_reason"):
        print(f"{name}: {sorted({REASONS[points[name]] for points in seen})}")
    for name in _LIMITS:
        values = [points[name] for points in seen]
        steps = [b - a for a, b in itertools.pairwise(values) if a != b]
        turns = sum((a > 0) != (b > 0) for a, b in itertools.pairwise(steps))
        print(
            f"{name}: {min(values)} to {max(values)}, largest step "
            f"{max(map(abs, steps), default=0)}, changes of direction: {turns}"
        )
    for key, best in (("cell_max_mv", max), ("cell_min_mv", min), ("temperature_max_dc", max)):
        print(f"{key}: {best(points[key] for points in seen)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
