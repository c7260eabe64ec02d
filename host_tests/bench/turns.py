"""How long the links hold the processor between two awaits, on an RP2040.

    python -m host_tests.bench.turns [--out docs/link-turns.json]

Every turn of every link, and of the slow path beside them, from one await to the next, is counted
opcode by opcode as host_tests.bench.operations does, and charged at the prices of micropython.md
times 1.4, because silicon may take that much longer than the emulation they come from. In a
coroutine allocating is allowed; each opcode that builds something is charged like the dearest of
the table's small ones.
Not counted: asyncio itself (0.2 ms a turn), garbage collection (a listed stall), time on the wire.
"""

import asyncio
import json
import sys
from pathlib import Path

from host_tests.bench import operations
from host_tests.bench.operations import SILICON, Count, Counter
from host_tests.inverter.test_link import Controller
from host_tests.inverter.virtual_time import End, VirtualTime
from host_tests.jbd.test_jbd import READ_BASIC, READ_CELLS, read
from host_tests.links.bench import Desk
from host_tests.modbus.bench import Line, Uart, with_crc
from host_tests.pylon_rs485.test_pylontech import frame
from inverter.link import InverterLink
from inverter.profiles import load
from links.diagnosis import Diagnosis
from rs485 import port
from serving.serial import SerialLinks

LIMIT_MS = 20  # architecture, section 6
BINS_MS = (0.5, 1, 2, 5, 10, 15, 20)
PROFILE = "victron"  # the one with the most frames
BUILD_US = 12.5  # micropython.md: an integer that becomes a heap object, the dearest small one
SECONDS = 5
SLOW_SECONDS = 440
TAIL_SECONDS = 200  # longer than full_hold_s
TAIL_MA = 1_000
CHANGE_S = 60  # when a person sets another design capacity
CELLS = 16
CELL_MV = {0: (2950, 3480), 1: (3300, 4150)}  # LFP and NMC: nearly empty, full
CURRENTS_MA = (0, 20_000, -35_000, 3_000, -20_000, 0, 50_000)
END = object()
_BAUD = 115200

# What arrives in each tenth of a second, in turn: ten Modbus reads a second, JBD between them.
MODBUS = ("0103010000" + "7d", "0104013800" + "20", "01039c4000" + "7d", "010310000004")
PYLONTECH = (
    frame("FF", cid2=0x42), frame("", cid2=0x61), frame("FF", cid2=0x44), frame("", cid2=0x62),
    frame("", cid2=0x63), frame("02", cid2=0x92), frame("", cid2=0x47),
)  # fmt: skip
JBD = (READ_BASIC, READ_CELLS, read(0xAA), read(0x24))


class LooseCount(Count):
    """A count of code that may allocate."""

    def add(self, instruction):
        """One more instruction."""
        if instruction.opname in operations.ALLOCATING:
            self.opcodes += 1
            self.us += BUILD_US
        else:
            super().add(instruction)


class Turns(Counter):
    """Counts one turn in each `with`; `turns` collects milliseconds by the name of the link."""

    def __init__(self, folder=operations.FIRMWARE):
        super().__init__(folder)
        self.turns = {}
        self.name = ""

    def __enter__(self):
        self.count = LooseCount()
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__(*_)
        ms = SILICON * self.count.us / 1000
        self.turns.setdefault(self.name, []).append(ms)


class CountedLine(Line):
    """Drives the port's coroutine as its parent does, and counts each of its turns."""

    def __init__(self, turns):
        super().__init__(_BAUD)
        self._turns = turns

    def run(self, coroutine):
        """Run until the slave sleeps for data and no more will come."""
        while True:
            self._turns.name = "rs485"
            with self._turns:
                what = coroutine.send(None)
            if what[0] == "sleep":
                self._advance(self.now_ms + what[1])
                continue
            while not self.received:
                if not self._arrivals:
                    coroutine.close()
                    return
                self._advance(max(self.now_ms, self._arrivals[0][0]))


def serial_turns(turns, noise=b"", seconds=SECONDS):
    """Some seconds of all three languages on one port, and its slow step beside it."""
    desk = Desk()
    line = CountedLine(turns)
    links = SerialLinks(
        desk.points, desk.parameters, desk.faults, desk.requests, desk.changes.append, Diagnosis()
    )
    at_ms = 0
    for turn in range(10 * seconds):
        line.arrives(at_ms, noise + with_crc(MODBUS[turn % len(MODBUS)]))
        line.arrives(at_ms + 40, noise + JBD[turn % len(JBD)])
        line.arrives(at_ms + 70, noise + PYLONTECH[turn % len(PYLONTECH)])
        at_ms += 100
    before = port.asyncio
    port.asyncio = line
    try:
        line.run(links.rs485(Uart(line), _BAUD, None))
    finally:
        port.asyncio = before
    for _ in range(seconds):
        turns.name = "doors, counters"
        with turns:
            links.step(1000)
    return links


def can_turns(turns):
    """Some seconds of frames to an inverter, every half second."""
    desk = Desk()
    desk.parameters.values[desk.parameters.index("inverter_period_ms")] = 500
    time = CountedTime(turns)
    profile = load(PROFILE, desk.points, desk.faults, desk.parameters)
    link = InverterLink(
        Controller(time), profile, desk.points, Diagnosis(), time.ticks_ms, time.ticks_diff
    )
    time.run(link.run(), 1000 * SECONDS)


def slow_turns(turns, chemistry=0):
    """The battery's own turn of every second, piece by piece as the application runs it: currents
    that jump and stand, cells from nearly empty to full, so that the estimate is lost and begins
    anew, another design capacity, and the tail of a charge that ends at "full". Returns how often
    it found that.
    """
    bench = operations.battery(CELLS, chemistry=chemistry)
    empty_mv, full_mv = CELL_MV[chemistry]
    for second in range(SLOW_SECONDS):
        bench.chip.current_ma = CURRENTS_MA[second // 20 % len(CURRENTS_MA)]
        if second > SLOW_SECONDS - TAIL_SECONDS:
            bench.chip.current_ma = TAIL_MA
        if second == CHANGE_S:
            design = bench.parameters.index("design_capacity_mah")
            bench.parameters.change([(design, bench.setting("design_capacity_mah") * 9 // 10)])
        part = min(1, second / (SLOW_SECONDS - TAIL_SECONDS))
        for cell in range(CELLS):
            bench.chip.cell_mv[cell] = round(empty_mv + part * (full_mv - empty_mv)) + cell
        for _ in range(10):
            bench.step()
        pieces = bench.battery.slow_turns(1000)
        turns.name = "slow path"
        left = True
        while left:
            with turns:
                left = next(pieces, END) is not END
    return bench.battery._slow._estimator.anchors


class CountedTime(VirtualTime):
    """A clock whose coroutine is counted from one sleep to the next."""

    def __init__(self, turns):
        super().__init__()
        self._turns = turns

    async def sleep_ms(self, milliseconds):
        """The turn ends here; the next begins when it returns."""
        self._turns.__exit__()
        await super().sleep_ms(milliseconds)
        self._turns.name = "can"
        self._turns.__enter__()

    def run(self, coroutine, duration_ms):
        """As the parent, within a count."""
        self.end_ms = self.now_ms + duration_ms
        original = getattr(asyncio, "sleep_ms", None)
        asyncio.sleep_ms = self.sleep_ms
        self._turns.name = "can"
        self._turns.__enter__()
        try:
            coroutine.send(None)
        except End:
            return
        finally:
            coroutine.close()
            if original is None:
                del asyncio.sleep_ms
            else:
                asyncio.sleep_ms = original


def measure():
    """Milliseconds of all turns by link."""
    turns = Turns()
    serial_turns(turns)
    can_turns(turns)
    for chemistry in CELL_MV:
        assert slow_turns(turns, chemistry), "it was never full"
    return turns.turns


def histogram(times):
    """Number of turns up to each of BINS_MS, not counting those of the bins before."""
    counts = []
    low = 0
    for high in BINS_MS:
        counts.append(sum(low <= ms < high for ms in times))
        low = high
    return counts


def main(arguments):
    """Print the histogram, or keep it for the page."""
    measured = measure()
    if arguments[:1] == ["--out"]:
        kept = {
            "bins_ms": BINS_MS,
            "seconds": SECONDS,
            "longest_ms": {name: round(max(times), 1) for name, times in measured.items()},
            "turns": {name: histogram(times) for name, times in measured.items()},
        }
        Path(arguments[1]).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        return
    print("Turns between two awaits, milliseconds on an RP2040")
    print("link             longest  " + "".join(f"{'< ' + str(ms):>8}" for ms in BINS_MS))
    for name, times in measured.items():
        counts = "".join(f"{count:8}" for count in histogram(times))
        print(f"{name:16} {max(times):7.1f}  {counts}")


if __name__ == "__main__":
    main(sys.argv[1:])
