"""Runs a small script instead of the firmware on the simulated board, under MicroPython.

The script is main.py of a checkout that holds nothing else, so that the board's parts are tested
apart from the firmware. What it prints as `result: JSON` comes back.
"""

import json

from host_tests.system import simulated_board

ROOT = simulated_board.ROOT


def run_script(tmp_path, script, **options):
    """Run the script; returns (its result or None, the run)."""
    checkout = tmp_path / "checkout"
    (checkout / "firmware").mkdir(parents=True, exist_ok=True)
    if not (checkout / "boards").exists():
        (checkout / "boards").symlink_to(ROOT / "boards")
    (checkout / "firmware" / "boot.py").write_text("maintenance = False\n")
    (checkout / "firmware" / "main.py").write_text(script)
    options = {"duration_s": 30, "settings": None, "timeout_s": 30, **options}
    run = simulated_board.run_board(tmp_path, root=checkout, **options)
    result = None
    for line in run.output.splitlines():
        if line.startswith("result: "):
            result = json.loads(line.removeprefix("result: "))
    return result, run
