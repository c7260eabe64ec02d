"""Small programs of several modules, run as they are and shrunk, by CPython and by MicroPython."""

import subprocess
import sys

from cellsteward.shrinking import shrink
from host_tests.system.simulated_board import MICROPYTHON


def printed(folder, modules, start):
    """What a file with the text `start` prints, which has to be the same on both."""
    for name, text in (*modules.items(), ("start", start)):
        path = folder.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    outputs = []
    for program in ([sys.executable, "-P"], [str(MICROPYTHON)]):
        done = subprocess.run(
            [*program, "start.py"],
            cwd=folder,
            env={"PYTHONPATH": ".", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert not done.returncode, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    return outputs[0]


def printed_both_ways(folder, modules, start="import app\n"):
    """What a program prints when a file with the text `start` runs, which has to be the same when
    its modules are shrunk; and the shrunk files."""
    files = shrink(modules, [start])
    before = printed(folder / "before", modules, start)
    assert before
    after = {file.name: file.text for file in files.values()}
    assert printed(folder / "after", after, start) == before
    return before, {module: file.text for module, file in files.items()}
