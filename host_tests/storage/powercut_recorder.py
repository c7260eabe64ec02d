"""MicroPython script: cuts the power at every write of the running recorder, and starts anew.

The whole battery (bms.battery with the double of a measuring chip) is charged full, then
discharged with 2C for minutes, while faults come and go, a person opens the gates, and health is
kept. The recorder keeps all of it on a littlefs. For the cuts, a second battery starts on what was
left: what links show as state of charge must be within 0.5 % of what they showed before (or, where
a full pack had just jumped to 100 %, a second earlier), its quality no better than before, a
person's word the last or the one before, and the log an unbroken chain of all that was
acknowledged. Prints cuts, the largest deviation in 0.01 %, and how many starts knew nothing;
any failure raises.
Two numbers may stand behind the one of host_tests/storage/flash.py: which part of the writes to
cut, of how many parts (this is the slowest of the scripts).
"""

import os
import sys

import vfs

from bms import requests
from bms.events import BOOT
from bms.points import QUALITY_SYNCED, QUALITY_UNKNOWN
from host_tests.bms.bench import Bench
from host_tests.storage.flash import PROGRAM_BYTES, Flash, cut_images, mount
from recorder import recorder as recorder_module
from recorder.recorder import Recorder

SETTINGS = {
    "series_cells": 16,
    "design_capacity_mah": 50000,
    "step_period_ms": 250,
    "overcurrent_discharge_trip_ma": 150000,
    "overcurrent_discharge_warn_ma": 140000,
}
LOAD_MA = -100000  # 2C
FULL_MV = 3460
MINUTES = 5
MAX_OFF_BP = 50
STARTED_MS = 5000
outcomes = set()  # a person's word: before the cut, and after it
SAMPLED = 17  # without numbers on the command line, every so many writes


class Turns:
    """Stands in for asyncio: each sleep is a turn of whoever drives the coroutine."""

    @staticmethod
    def sleep_ms(duration_ms):
        yield duration_ms


recorder_module.asyncio = Turns


class Board:
    """A battery and its recorder, started on a flash."""

    def __init__(self, flash):
        mount(flash)
        self.flash = flash
        self.bench = Bench(**SETTINGS)
        self.recorder = Recorder("/flash/", [0] * 7, self.bench.log)
        self.recorder.begin("power_on")
        self.recorder.restore(self.bench.battery)
        self.service = self.recorder.run(self.bench.battery)

    def second(self):
        """One second of all, the recorder first."""
        while next(self.service) == 0:
            pass
        self.bench.run(1000)
        self.bench.slow()

    def shown(self):
        """What links show: state of charge, its quality."""
        return self.bench.point("soc_bp"), self.bench.point("soc_quality")

    def restricted(self):
        """Whether a person has the gates off."""
        return self.bench.battery.restricted


class Story:
    """Runs it once; what was known at each write of the journal."""

    def __init__(self):
        flash = Flash(blocks=24)
        vfs.VfsLfs2.mkfs(flash, progsize=PROGRAM_BYTES)
        self.image = bytes(flash.image)
        # For each write: what links showed, a second earlier, how many events are logged, and
        # whether a person had the gates off.
        self.before = []
        self._earlier = self._latest = None
        self.board = None
        flash.journal = Journal(self)
        self.board = Board(flash)
        self._tell()
        vfs.umount("/flash")
        self.journal = list(flash.journal.writes)

    def note(self):
        board = self.board
        if board is None or board.bench.now_ms < STARTED_MS:
            self.before.append((None, None, 0, False))
            return
        logged = board.recorder.events_log.last_sequence
        self.before.append((self._latest, self._earlier, logged, board.restricted()))

    def _second(self):
        self._earlier, self._latest = self._latest, self.board.shown()
        self.board.second()

    def _tell(self):
        board, bench = self.board, self.board.bench
        bench.start()
        bench.chip.set_cells(FULL_MV)
        bench.chip.current_ma = 1000
        for _ in range(190):
            self._second()
        assert board.shown() == (10000, QUALITY_SYNCED), board.shown()
        bench.chip.set_cells(3250)
        for second in range(60 * MINUTES):
            stopped = 100 <= second % 120 < 110
            bench.chip.current_ma = 0 if stopped else LOAD_MA
            if stopped and second % 120 == 101:
                bench.ask(requests.GATES_OFF)
            if second % 120 == 108:
                bench.ask(requests.GATES_AUTO)
            if second % 60 == 59:
                bench.battery.health.keep_due = True
            self._second()


class Journal:
    """A flash's journal that notes what was known at each write."""

    def __init__(self, story):
        self._story = story
        self.writes = []

    def append(self, write):
        self._story.note()
        self.writes.append(write)


def check(image, shown, earlier, logged, restricted):
    """A start after the cut. Returns by how much it is off in 0.01 %, or None: nothing known."""
    board = Board(Flash(image))
    files = os.listdir("/flash")
    log = board.recorder.events_log
    records = list(log.records(10000))
    numbers = [record[0] for record in records]
    assert numbers == list(range(len(numbers), 0, -1)), numbers
    assert len(numbers) >= logged, (len(numbers), logged)
    assert not log.problems, log.problems
    assert not [p for p in board.recorder.problems() if "damaged" in p or "does not fit" in p]
    assert board.recorder.flash_problems() == []
    checkpoint = board.bench.battery.checkpoint
    restored = checkpoint.restored
    outcomes.add((restricted, board.restricted()))
    for _ in range(4):
        board.second()
    soc_bp, quality = board.shown()
    kinds = [record[3] for record in log.records(10)]
    assert BOOT in kinds, "the start is not logged"
    vfs.umount("/flash")
    if not restored:
        assert quality == QUALITY_UNKNOWN, quality
        assert "estimates_a.json" not in files, files
        return None
    assert quality >= QUALITY_UNKNOWN and (shown is None or quality <= shown[1]), quality
    offs = [abs(soc_bp - seen[0]) for seen in (shown, earlier) if seen is not None]
    return min(offs) if offs else 0


def main():
    story = Story()
    part, parts = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (0, SAMPLED)
    cuts = worst = unknown = 0
    for number, image in cut_images(story.image, story.journal, part, parts):
        shown, earlier, logged, restricted = story.before[number]
        off = check(image, shown, earlier, logged, restricted)
        cuts += 1
        if off is None:
            unknown += 1
            continue
        assert off <= MAX_OFF_BP, (number, shown, off)
        worst = max(worst, off)
    if parts == 1:
        assert outcomes == {(False, False), (True, True), (True, False), (False, True)}, outcomes
    print("%d cuts of %d writes: %d bp, %d" % (cuts, len(story.journal), worst, unknown))


main()
