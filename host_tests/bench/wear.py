"""Block erases of a simulated day (or what is given in hours) of home storage, and what ten years
of such days make of a flash.

Usage: python host_tests/bench/wear.py [HOURS]
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from host_tests.system.simulated_board import run_board

HOUR_S = 3600
DAY_H = 24
YEAR_DAYS = 365.25
ENDURANCE = 100_000  # erases of a sector: W25Q16JV and other NOR flash data sheets


def years(erases_a_day, blocks):
    """Until every one of so many blocks has had all its erases, spread evenly."""
    return blocks * ENDURANCE / erases_a_day / YEAR_DAYS


def main():
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else DAY_H
    with tempfile.TemporaryDirectory() as folder:
        run = run_board(
            Path(folder), duration_s=hours * HOUR_S, timeout_s=hours * 300, every_status=False
        )
    end = run.end
    days = end["t_s"] / HOUR_S / DAY_H
    erases = end["flash_erases"]
    total = sum(erases)
    used = sum(count > 0 for count in erases)
    print(
        f"{end['t_s'] / HOUR_S:.1f} h: {end['flash_writes'] - total} programs, {total} erases on "
        f"{used} of {len(erases)} blocks, at most {max(erases)} of one; "
        f"that is {total / days:.0f} erases a day"
    )
    for blocks in (len(erases), 200, 100):
        print(
            f"spread over {blocks} blocks: {total / days / blocks:.2f} erases of each a day, "
            f"{years(total / days, blocks):.0f} years of {ENDURANCE}"
        )
    last = run.statuses[-1]
    print(f"SoC {last['points']['soc_bp'] / 100} %, true {last['truth']['soc_bp'] / 100} %")
    print(run.output, end="")


if __name__ == "__main__":
    main()
