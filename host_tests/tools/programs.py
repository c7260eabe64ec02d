"""Small programs of several modules, run as they are and shrunk, by CPython and by MicroPython."""

import subprocess
import sys

from host_tests.system.simulated_board import MICROPYTHON


def printed(folder, modules):
    """What the module `main` prints, which has to be the same on both."""
    for name, text in modules.items():
        path = folder.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    outputs = []
    for program in ([sys.executable, "-P"], [str(MICROPYTHON)]):
        done = subprocess.run(
            [*program, "main.py"],
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


def printed_both_ways(folder, modules, transform):
    """What a program prints, which has to be the same after `transform` of its modules; and the
    transformed modules."""
    short = transform(modules)
    before = printed(folder / "before", modules)
    assert before
    assert printed(folder / "after", short) == before
    return before, short
