"""What one fast-path step costs on an RP2040, counted instead of timed.

    python -m host_tests.bench.operations

CPython's bytecode of the firmware is counted while a step runs, opcode by opcode, and each kind of
operation is charged what it takes in MicroPython on an RP2040 at 125 MHz (micropython.md, table
"Numbers"; 1.28, emulated). The rows there include 3.2 us of the loop around them, which is taken
off here. Loads and stores of locals, constants and jumps are inside those rows and cost nothing
extra. Whole loops of that table come out a third above what was measured (test_operations holds
them), so that the sum is on the safe side.
Not counted: the fake chip, the bus double, time on the wire (shown apart), garbage collection.
"""

import dis
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware" / "lib"))

from afe.bq76952 import Bq76952
from afe.stack import Stack
from bms.sample import Sample
from host_tests.afe.recording_bus import RecordingBus
from host_tests.bms import bench
from host_tests.wasm import build

FIRMWARE = str(build.REPOSITORY / "firmware" / "lib") + "/"
CELLS = (4, 8, 16, 32)
CHIP_CELLS = 16  # what one BQ76952 measures; more cells are a stack of two
STEPS = 20
SILICON = 1.4  # micropython.md: silicon takes 1.1 to 1.4 times as long as the emulation
US_A_BYTE = 22.5  # nine clocks at 400 kHz
OVERHEAD = {"w": 2, "r": 3}  # bytes: address, register, and to read the address once more

LOOP_US = 3.2  # micropython.md: for-range iteration, and part of every row below
CALL_US = 10.4 - LOOP_US  # f()
ARGUMENT_US = (11.5 - 10.4) / 3  # f(a,b,c) against f()
METHOD_US = 15.8 - 10.4  # o.m() against f()
SUBSCRIPT_US = 5.5 - LOOP_US  # array get
STORE_SUBSCRIPT_US = 7.6 - LOOP_US  # array set
OPERATION_US = 4.7 - LOOP_US  # int add
SLICE_US = 10.8 - LOOP_US  # memoryview slice
LOAD_ATTRIBUTE_US = 4.7 - LOOP_US

# Kind: microseconds, names of CPython's opcodes (3.11; a few of later versions)
COSTS = {
    "iteration": (LOOP_US, ("FOR_ITER",)),
    "call": (CALL_US, ("CALL", "CALL_KW", "CALL_FUNCTION_EX")),
    "method": (METHOD_US, ("LOAD_METHOD",)),
    "attribute load": (LOAD_ATTRIBUTE_US, ("LOAD_ATTR",)),
    "attribute store": (5.4 - LOOP_US, ("STORE_ATTR", "DELETE_ATTR")),
    "global load": (4.5 - LOOP_US, ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")),
    "integer operation": (OPERATION_US, ("BINARY_OP", "UNARY_NEGATIVE", "UNARY_INVERT")),
    # Not in the table: as the integer operation, which computes as much.
    "comparison": (OPERATION_US, ("COMPARE_OP", "IS_OP", "CONTAINS_OP", "UNARY_NOT")),
    "subscript": (SUBSCRIPT_US, ("BINARY_SUBSCR", "UNPACK_SEQUENCE")),
    "subscript store": (STORE_SUBSCRIPT_US, ("STORE_SUBSCR",)),
    "slice": (SLICE_US, ("BUILD_SLICE", "BINARY_SLICE", "STORE_SLICE")),
}
# What the fast path must not do; it would have no business in a count.
ALLOCATING = (
    "BUILD_TUPLE", "BUILD_LIST", "BUILD_MAP", "BUILD_STRING", "MAKE_FUNCTION", "LIST_APPEND",
    "FORMAT_VALUE",
)  # fmt: skip
_KINDS = {name: kind for kind, (_, names) in COSTS.items() for name in names}


@dataclass
class Count:
    """Opcodes and microseconds of some code that ran, by kind of operation."""

    opcodes: int = 0
    us: float = 0.0
    kinds: dict = field(default_factory=dict)

    def add(self, instruction):
        """One more instruction of CPython."""
        self.opcodes += 1
        name = instruction.opname
        if name in ALLOCATING:
            raise AssertionError(f"the fast path allocates: {name}")
        kind = _KINDS.get(name)
        if kind is None:
            return
        if name == "LOAD_ATTR" and sys.version_info >= (3, 12) and instruction.arg & 1:
            kind = "method"  # LOAD_METHOD became a bit of LOAD_ATTR
        self.us += COSTS[kind][0]
        if kind == "call":
            self.us += ARGUMENT_US * (instruction.arg or 0)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


class Counter:
    """Counts what runs below a folder of the firmware (or in files whose paths begin with one of
    some texts), while it is in a `with`."""

    def __init__(self, folder=FIRMWARE):
        self.count = Count()
        self._folder = folder
        self._instructions = {}

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self._enter_frame)
        return self.count

    def __exit__(self, *_):
        sys.settrace(self._before)

    def _enter_frame(self, frame, _event, _argument):
        if not frame.f_code.co_filename.startswith(self._folder):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._trace

    def _trace(self, frame, event, _argument):
        if event == "opcode":
            code = frame.f_code
            table = self._instructions.get(code)
            if table is None:
                table = {at.offset: at for at in dis.get_instructions(code)}
                self._instructions[code] = table
            self.count.add(table[frame.f_lasti])
        return self._trace


def battery(cells, **more):
    """A guarding battery of that many cells on a fake chip, whatever the range allows; more
    settings by name."""
    taken = bench.parameters_with

    def parameters_with(settings):
        return taken({**settings, "series_cells": cells})

    bench.parameters_with = parameters_with
    try:
        made = bench.Bench(cell_thermistors=3, fet_thermistor=1, **more)
    finally:
        bench.parameters_with = taken
    made.start()
    for cell in range(cells):
        made.chip.cell_mv[cell] += cell  # each is the highest so far: the longest way
    made.chip.current_ma = -20000
    return made


def step_cost(cells):
    """Count of the most expensive of some steps: the battery's own part."""
    made = battery(cells)
    worst = Count()
    for _ in range(STEPS):
        with Counter() as count:
            made.step()
        if count.us > worst.us:
            worst = count
    assert made.battery.failure is None, made.battery.failure
    return worst


def sample_cost(cells, crc=False):
    """Count of the driver's part when there is a new scan, and bytes on the wire meanwhile."""
    parameters = bench.parameters_with(
        {"series_cells": cells, "cell_thermistors": 3, "fet_thermistor": 1}
    )
    buses = [RecordingBus(crc) for _ in range(-(-cells // CHIP_CELLS))]
    chips = [Bq76952(bus, parameters, crc) for bus in buses]
    driver = chips[0] if len(chips) == 1 else Stack(*chips, parameters)
    driver.start_programming()  # takes over the settings
    for bus in buses:
        bus.registers[0x12] = 0  # programmed: no POR
        bus.registers[0x62] = 0x82  # a new scan
    sample = Sample(cells, 3)
    driver.sample_into(sample)
    for bus in buses:
        bus.registers[0x62] = 0x82
        bus.transactions.clear()
    with Counter() as count:
        driver.sample_into(sample)
    assert sample.scans == 2, "the driver took no sample"
    done = [transaction for bus in buses for transaction in bus.transactions]
    return count, sum(OVERHEAD[one.kind] + len(one.wire) for one in done)


_WASM = """
import time
from host_tests.bench.operations_on_wasm import step_us
for cells in {cells}:
    print(step_us(cells))
"""


def wasm_us(folder):
    """Microseconds of a step on the 32-bit build, by cells; timed on this machine, or {}."""
    if build.missing():
        return {}
    script = Path(folder) / "steps.py"
    script.write_text(_WASM.format(cells=CELLS))
    process = build.run(script)
    assert process.returncode == 0, process.stdout + process.stderr
    return dict(zip(CELLS, map(float, process.stdout.split()), strict=True))


def main():
    with tempfile.TemporaryDirectory() as folder:
        timed = wasm_us(folder)
    print("One step of the fast path, RP2040 at 125 MHz; estimated from the counted operations.")
    print("cells  battery              driver               on the   with   sum, silicon  32-bit")
    print("       opcodes         us   opcodes         us   wire us  CRC    (x1.4) us    here, us")
    costs = {}
    for cells in CELLS:
        own = costs[cells] = step_cost(cells)
        driver, wire_bytes = sample_cost(cells)
        wire_us, crc_us = US_A_BYTE * wire_bytes, US_A_BYTE * sample_cost(cells, True)[1]
        total_us = SILICON * (own.us + driver.us) + wire_us
        print(
            f"{cells:5}  {own.opcodes:7} {own.us:10.0f}   {driver.opcodes:7} {driver.us:10.0f}   "
            f"{wire_us:7.0f} {crc_us:7.0f}  {total_us:10.0f}    {timed.get(cells, 0):10.0f}"
        )
    first, last = costs[CELLS[0]], costs[CELLS[-1]]
    print(
        f"{CELLS[0]} to {CELLS[-1]} cells: {last.us / first.us:.2f} times the time, "
        f"{last.opcodes / first.opcodes:.2f} times the opcodes; linear would be at most "
        f"{CELLS[-1] / CELLS[0]:.0f} times"
    )
    print(f"Of the {CELLS[-2]}-cell step:")
    for kind, times in sorted(costs[CELLS[-2]].kinds.items(), key=lambda item: -item[1]):
        print(f"  {times:6} x {kind}, {COSTS[kind][0]:.1f} us each")


if __name__ == "__main__":
    main()
