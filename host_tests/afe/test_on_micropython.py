"""The drivers on real MicroPython (64-bit unix port), under heap lock.

The proof that counts is the same scripts on the 32-bit build (host_tests/wasm), where floats and
integers from 2**30 on are heap objects as on our boards.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")


@pytest.mark.parametrize("script", ["noalloc_bq76952.py", "noalloc_bq769x0.py"])
def test_the_driver_runs_on_micropython_without_allocating(script):
    run = subprocess.run(
        [MICROPYTHON, HERE / script],
        env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout == "OK\n", run.stdout + run.stderr
