"""The 32-bit MicroPython: where it is on this machine, and how to run a script on it.

`make test` installs it. CELLSTEWARD_WASM names another folder that holds its micropython.mjs.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("run.mjs")
_INSTALLED = ".venv/wasm/node_modules/@micropython/micropython-webassembly-pyscript"

LIBRARY = {REPOSITORY / "firmware" / "lib": "/lib"}
TESTS = {REPOSITORY / "boards": "/boards", REPOSITORY / "host_tests": "/host_tests"}


def package_folder():
    """Folder of the build."""
    return Path(os.environ.get("CELLSTEWARD_WASM") or REPOSITORY / _INSTALLED)


def node():
    """The program that runs it, or None."""
    own = REPOSITORY / ".venv" / "bin" / "node"
    return own if own.exists() else shutil.which("node")


def missing():
    """What is not there, as a sentence, or ""."""
    if node() is None:
        return "there is no node: `make test` installs one"
    if not (package_folder() / "micropython.mjs").exists():
        return f"there is no 32-bit MicroPython in {package_folder()}: `make test` installs it"
    return ""


def run(script, mounts=None, settrace=False, timeout_s=60):
    """Run a script with folders (path: place) to import from; returns the finished process.

    An exception while the heap is locked would hang the build for ever: hence the time limit,
    which raises subprocess.TimeoutExpired.
    """
    mounts = {**LIBRARY, **TESTS} if mounts is None else mounts
    command = [node(), RUNNER, *(["--settrace"] if settrace else []), package_folder(), script]
    with subprocess.Popen(
        command + [f"{folder}={place}" for folder, place in mounts.items()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            # The wheel's `node` is a program that starts node: both have to end.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
