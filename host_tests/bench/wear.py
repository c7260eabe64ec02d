"""Block erases of a simulated day (or what is given in hours) of home storage, and what ten years
of such days make of a flash.

The board starts anew every four hours, which only adds writes. Its period is the longest that can
be set, for speed: nothing that is written depends on it.

Usage: python host_tests/bench/wear.py [HOURS]
"""

import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from host_tests.system.simulated_board import SETTINGS, run_board

HOUR_S = 3600
DAY_H = 24
PART_H = 4
YEAR_DAYS = 365.25
ENDURANCE = 100_000  # erases of a sector: W25Q16JV and other NOR flash data sheets
FREE_BLOCKS = (200, 100)  # on a Pico with the application in one slot, and in both


def years(erases_a_day, blocks):
    """Until every one of so many blocks has had all its erases, spread evenly."""
    return blocks * ENDURANCE / erases_a_day / YEAR_DAYS


def main():
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else DAY_H
    erases = []
    programs = done_h = 0
    with tempfile.TemporaryDirectory() as folder:
        while done_h < hours:
            part_h = min(PART_H, hours - done_h)
            run = run_board(
                Path(folder),
                duration_s=part_h * HOUR_S,
                timeout_s=part_h * 600,
                every_status=False,
                settings={**SETTINGS, "step_period_ms": 250},
            )
            done_h += part_h
            end, last = run.end, run.statuses[-1]
            programs += end["flash_writes"]
            erases = [
                before + counted
                for before, counted in zip_longest(erases, end["flash_erases"], fillvalue=0)
            ]
            print(
                f"{done_h:.0f} h: {sum(erases)} erases, {programs} erases and programs; "
                f"SoC {last['points']['soc_bp'] / 100} %, true {last['truth']['soc_bp'] / 100} %",
                flush=True,
            )
    total = sum(erases) * DAY_H / done_h
    used = sum(count > 0 for count in erases)
    print(
        f"{total:.0f} erases a day on {used} of {len(erases)} blocks, {max(erases)} of one at most"
    )
    for blocks in (len(erases), *FREE_BLOCKS):
        print(
            f"spread over {blocks} blocks: {total / blocks:.2f} erases of each a day, "
            f"{years(total, blocks):.0f} years"
        )


if __name__ == "__main__":
    main()
