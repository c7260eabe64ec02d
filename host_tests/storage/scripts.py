"""Runs this folder's scripts on MicroPython."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
LIBRARY = REPOSITORY / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")


def run_micropython(script, *arguments, timeout_s=60):
    """What a script of this folder prints on MicroPython."""
    process = subprocess.run(
        [MICROPYTHON, "-X", "heapsize=16M", HERE / script, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}:{REPOSITORY}"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout
