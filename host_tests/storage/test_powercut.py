"""Law 8: losing power at any write of a save leaves the old or the new settings."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")


def test_a_power_cut_at_any_write_leaves_the_old_or_the_new_settings():
    run = subprocess.run(
        [MICROPYTHON, HERE / "powercut.py"],
        env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    cuts = [int(line.split(": ")[1].split()[0]) for line in run.stdout.splitlines()]
    assert len(cuts) == 6
    assert min(cuts) >= 9  # three ways to lose each of at least three writes
