"""All of docs/performance.md, measured anew: what a step, a frame, a request and a boot cost.

    python -m host_tests.bench.performance [PART ...] [--out docs/performance.json]

With names of PARTS only these are measured; the others are kept as the file has them. Counted
figures are those of host_tests.bench.operations: the same on every machine with the same version
of Python. Times on the unix port and on the 32-bit build are of the machine that runs this.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from cellsteward.can_layout import profile_names
from host_tests.bench import operations, requests
from host_tests.bench.inverter_frames import Cost
from host_tests.bench.operations import FIRMWARE, SILICON, US_A_BYTE
from host_tests.bench.turns import Turns
from host_tests.system.simulated_board import MICROPYTHON, run_board
from host_tests.wasm import build, heap

SCRIPT = Path(__file__).with_name("step_time.py")
SCRIPT_TIMEOUT_S = 300
THERMISTORS = {4: 3, 8: 3, 16: 3, 32: 4}  # of the measured packs, by cells
FET_THERMISTOR = {4: 1, 8: 1, 16: 1, 32: 0}
CHIP_CELLS = operations.CHIP_CELLS

# Registers of a BQ76952 of which a step uses every byte (afe.md section 2): place, bytes.
_ALWAYS = (
    (0x03, 1), (0x05, 1), (0x07, 1),  # safety status
    (0x0B, 1), (0x0D, 1), (0x0F, 1), (0x11, 1),  # permanent failures
    (0x12, 2),  # battery status
    (0x34, 2), (0x36, 2), (0x38, 2), (0x3A, 2),  # stack, PACK pin, LD pin, current
    (0x62, 2), (0x68, 2), (0x7F, 1),  # alarms, the chip's own temperature, gates
)  # fmt: skip
_CELLS, _LAST_CELL, _TS1, _HDQ = 0x14, 0x32, 0x70, 0x76
_CLEARED = 2  # alarm bytes written, so that the next scan is told

DRIVE_S = 120
DRIVE_MA = (0, 20_000, -35_000, 3_000, -20_000, 0, 50_000)
ESTIMATOR = tuple(FIRMWARE + f"bms/{name}.py" for name in ("soc", "soc_filter", "cell_voltage"))
BOOT_S = 15
SIMULATED_S = 1800


def least_bytes(cells, sensors, fet_sensor, crc):
    """The fewest bytes on the wire that bring every register of a step once from one chip and
    clear the alarm of a new scan: gaps are read where that is shorter than another address."""
    wanted = [*_ALWAYS, *((_CELLS + 2 * cell, 2) for cell in range(cells - 1)), (_LAST_CELL, 2)]
    wanted += [(_TS1 + 2 * sensor, 2) for sensor in range(sensors)]
    wanted += [(_HDQ, 2)] * fet_sensor
    each = 2 if crc else 1
    total, end = operations.OVERHEAD["w"] + each * _CLEARED, None
    for place, size in sorted(wanted):
        alone = operations.OVERHEAD["r"] + each * size
        through = alone if end is None else each * (place + size - end)
        total += min(alone, through)
        end = place + size
    return total


def least_bytes_of_pack(cells, crc):
    """The same of one chip, or of a stack's two, each with half of the cells and sensors."""
    chips = -(-cells // CHIP_CELLS)
    a_chip = least_bytes(cells // chips, THERMISTORS[cells] // chips, FET_THERMISTOR[cells], crc)
    return chips * a_chip


def timed():
    """Rows of step_time.py on the unix port and on the 32-bit build."""
    unix = subprocess.run(
        [MICROPYTHON, "-X", "heapsize=4M", SCRIPT],
        cwd=build.REPOSITORY, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    small = build.run(SCRIPT, timeout_s=SCRIPT_TIMEOUT_S)
    if small.returncode:
        raise RuntimeError(small.stdout + small.stderr)
    return [[json.loads(line) for line in text.splitlines()] for text in (unix, small.stdout)]


def counted(cells, crc):
    """Of one step with a new scan: opcodes, microseconds of an RP2040, bytes on the wire."""
    own = operations.step_cost(cells)
    driver, wire_bytes = operations.sample_cost(cells, crc)
    code_us = SILICON * (own.us + driver.us)
    return {
        "opcodes": own.opcodes + driver.opcodes,
        "code_us": round(code_us),
        "wire_bytes": wire_bytes,
        "least_bytes": least_bytes_of_pack(cells, crc),
        "total_us": round(code_us + US_A_BYTE * wire_bytes),
    }


def steps():
    """The fast path, by cells."""
    rows = []
    for unix, small in zip(*timed(), strict=True):
        row = {"cells": unix["cells"], "crc": unix["crc"]}
        row |= counted(**row)
        row["mean_bytes"] = unix["wire_bytes"]
        row["most_bytes"] = unix["wire_bytes_most"]
        row["unix_us"], row["small_us"] = unix["firmware_us"], small["firmware_us"]
        rows.append(row)
    return rows


def slow_path():
    """Milliseconds of an RP2040 in a second of a hard drive: the estimator's part, and all."""
    found = {}
    for name, folder in (("estimator", ESTIMATOR), ("all", FIRMWARE)):
        made = operations.battery(CHIP_CELLS)
        seconds = []
        for second in range(DRIVE_S):
            made.chip.current_ma = DRIVE_MA[second // 10 % len(DRIVE_MA)]
            for _ in range(10):
                made.step()
            turns = Turns(folder)
            with turns:
                made.battery.slow_step(1000)
            seconds.append(turns.turns[""][0])
        found[name] = {
            "mean_ms": round(sum(seconds) / len(seconds), 1),
            "most_ms": round(max(seconds), 1),
        }
    return found


def frames():
    """What the inverter profiles cost, by name."""
    found = {}
    for name in profile_names():
        cost = Cost(name)
        found[name] = {
            "frames": cost.frames,
            "set_us": round(cost.us),
            "encoded_a_second": round(cost.frames * 1e6 / cost.us),
            "sent_a_second": round(cost.frames_a_second, 1),
        }
    return found


def serial():
    """What requests cost, by name."""
    with tempfile.TemporaryDirectory() as folder:
        counts = requests.allocated(Path(folder))
    return {
        name: {"ms": round(ms, 1), "a_second": round(1000 / ms), "allocated": counts[name]}
        for name, ms in requests.milliseconds().items()
    }


def memory():
    """Heap after boot and .mpy files, bytes."""
    found = heap.measure()
    packages = {
        name: {"mpy": size, "resident": found.resident_sizes.get(name, 0)}
        for name, size in found.sizes.items()
    }
    return {"from_mpy": found.from_mpy, "from_source": found.from_source, "packages": packages}


def simulated():
    """From the start to the gates on, on the simulated board, and how fast that board runs."""
    with tempfile.TemporaryDirectory() as folder:
        boot = run_board(Path(folder), duration_s=BOOT_S)
    with tempfile.TemporaryDirectory() as folder:
        run = run_board(
            Path(folder), duration_s=SIMULATED_S, timeout_s=SIMULATED_S, every_status=False
        )
    return {
        "gates_on_s": round(boot.end["trace"][0][0] / 1e6, 2),
        "seconds": SIMULATED_S,
        "a_second": round(run.end["speed"]),
    }


PARTS = {
    "steps": steps,
    "slow_path": slow_path,
    "frames": frames,
    "requests": serial,
    "memory": memory,
    "simulated": simulated,
}


def main(arguments):
    """Measure and keep, or print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if build.missing():
        parser.error(build.missing())
    found = {}
    if asked.out and asked.out.exists():
        found = json.loads(asked.out.read_text(encoding="utf-8"))
    for name in asked.parts or PARTS:
        print(f"measuring: {name}", file=sys.stderr)
        found[name] = PARTS[name]()
    text = json.dumps({name: found[name] for name in PARTS if name in found}, indent=1) + "\n"
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main(sys.argv[1:])
