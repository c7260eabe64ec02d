"""A simulated day (or what is given in hours), as fast as it goes: does memory grow, is it right?

Usage: python host_tests/bench/soak.py [HOURS]
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from host_tests.system.simulated_board import run_board

HOUR_S = 3600


def main():
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 24
    with tempfile.TemporaryDirectory() as folder:
        run = run_board(Path(folder), duration_s=hours * HOUR_S, timeout_s=hours * 120)
    end = run.end
    used = end["heap_bytes"]
    last = run.statuses[-1]
    hours = end["t_s"] / HOUR_S
    print(f"{hours:.1f} h in {end['real_s']:.0f} s: {end['speed']:.0f} times real time")
    print(
        f"heap in use: {used[1]} bytes after 20 min, {used[-1]} at the end: "
        f"{used[-1] - used[1]:+d} bytes, at most {max(used) - used[1]:+d}"
    )
    print(
        f"SoC {last['points']['soc_bp'] / 100} %, true {last['truth']['soc_bp'] / 100} %; "
        f"faults now: {last['points']['faults'] or 'none'}; steps: {end['steps']}"
    )
    print(run.output, end="")


if __name__ == "__main__":
    main()
