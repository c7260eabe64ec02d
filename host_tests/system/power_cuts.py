"""Loses the power of the whole simulated board at a write of its flash, and starts it again.

A pack is charged full, then gives 100 A (0.36C). In the run that is cut the board starts, closes
its gates, logs events and keeps its estimates. `cut` plays one cut and checks what a person
sees after it.
"""

import re
import shutil

from host_tests.system.simulated_board import SETTINGS, run_board

DRAIN_S = 75  # of the run that is cut
_PREPARE_S = 60
_AGAIN_S = 20
_LOAD = "t_s,I_A\n0,4\n30,4\n31,-100\n100000,-100\n"
_SOC = 0.993  # its highest cell is full
_SETTINGS = {**SETTINGS, "full_hold_s": 10}
LOG_LINE = re.compile(r"^ *(\d+)  start (\d+), .*?: (.*)$", re.MULTILINE)
MAX_OFF_BP = 50


class Cuts:
    """A board that was prepared in `folder`; writes: how many the run makes that is to be cut."""

    def __init__(self, folder):
        self._folder = folder
        self._kept = folder / "kept"
        self._kept.mkdir()
        self._load = folder / "load.csv"
        self._load.write_text(_LOAD)
        self._prepared = _shown(self._run(self._kept, _PREPARE_S))[-1]
        self.writes = self._play(0, 0)[0].end["flash_writes"]

    def cut(self, write, part):
        """Lose the power in a write, of which `part` bytes still happen. Returns by how much the
        state of charge differs then, in 0.01 %."""
        before, folder = self._play(write, part)
        assert before.end["reason"] == "power cut"
        after = self._run(folder, _AGAIN_S, orders=[[15, {"console": "log 60\r"}]])
        assert after.end["reason"] == "duration", after.output
        assert "damaged" not in after.output, after.output
        console = after.received["console"].decode().replace("\r", "")
        events = [(int(number), int(start)) for number, start, _ in LOG_LINE.findall(console)]
        numbers = [number for number, _ in events]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), console
        assert "started after power on" in console
        again = after.statuses[-1]["points"]
        assert again["charge_allowed"] == 1, again["faults"]
        soc_bp, quality = (_shown(before) or [self._prepared])[-1]
        again_bp, again_quality = _shown(after)[0]
        assert again_quality <= quality, (write, part, again_quality, quality)
        assert abs(again_bp - soc_bp) <= MAX_OFF_BP, (write, part, again_bp, soc_bp)
        return abs(again_bp - soc_bp)

    def _play(self, write, part):
        folder = self._folder / f"cut{write}_{part}"
        shutil.copytree(self._kept, folder)
        return self._run(folder, DRAIN_S, power_cut=[write, part]), folder

    def _run(self, folder, duration_s, **options):
        return run_board(
            folder,
            duration_s=duration_s,
            load=str(self._load),
            soc=_SOC,
            settings=_SETTINGS,
            **options,
        )


def _shown(run):
    """What links showed as state of charge and as its quality, in order."""
    shown = [
        (status["points"].get("soc_bp"), status["points"].get("soc_quality"))
        for status in run.statuses
    ]
    return [pair for pair in shown if pair[0] is not None]
