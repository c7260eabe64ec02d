"""The same life of a pack on CPython, MicroPython and the boards' 32 bits: the same health."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host_tests.wasm import build

SCRIPT = Path(__file__).parent / "on_micropython" / "health_life.py"
LIBRARY = build.REPOSITORY / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")


def output(command, **environment):
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def expected():
    text = output([sys.executable, SCRIPT], PYTHONPATH=str(LIBRARY))
    kept, shown = text.splitlines()[0].split("] [")
    capacity_mpc, _, pairs = kept.strip("[").split(", ")[:3]
    assert 78_000 < int(capacity_mpc) < 82_000  # the least of the cells ends both ways
    assert int(pairs) == 5
    assert shown.startswith(capacity_mpc)  # the design capacity is 100 Ah
    return text


def test_on_the_unix_port(expected):
    assert output([MICROPYTHON, SCRIPT], MICROPYPATH=f".frozen:{LIBRARY}") == expected


@pytest.mark.skipif(bool(build.missing()), reason="no 32-bit build")
def test_on_the_32_bit_build(expected):
    done = build.run(SCRIPT, timeout_s=100)
    assert done.stdout == expected, done.stderr
