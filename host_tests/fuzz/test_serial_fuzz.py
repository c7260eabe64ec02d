"""The serial fuzz: a million bytes into each parser; `make fuzz` prints the figures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")
BYTES = 1_000_000


@pytest.mark.timeout(300)
def test_no_noise_escapes_a_parser_nor_hides_the_next_good_request():
    process = subprocess.run(
        [MICROPYTHON, "-X", "heapsize=1M", HERE / "serial_fuzz.py", str(BYTES), "1"],
        env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    lines = process.stdout.splitlines()
    assert lines and lines[-1] == "OK", process.stdout + process.stderr
    for line in lines[:-1]:
        fed, answered, _ = (int(number) for number in line.split()[-3:])
        assert fed >= BYTES
        assert answered > fed // 2000, line
