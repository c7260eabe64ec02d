"""A board with nothing but its flash: files in, a start, and what happened."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

SCRIPT = Path(__file__).with_name("littlefs_board.py")
ROOT = SCRIPT.parents[2]
MICROPYTHON = Path(sys.prefix) / "bin" / "micropython"

# Keeps a diary instead of driving pins. The pin for a maintenance boot is tied by `pin`.
BOARD = """
import sys

diary = ["board"]

def gates_off():
    diary.append("gates off")
    {on_gates_off}

def maintenance_requested():
    diary.append("pin")
    return {pin}

class Watchdog:
    def feed(self):
        diary.append("fed")

def watchdog(timeout_ms):
    diary.append("watchdog %d" % timeout_ms)
    return Watchdog()

board = sys.modules[__name__]
"""
# On trial it lasts long enough at once.
APP = """
import asyncio
from helper import NAME

def run(board, confirm=None):
    board.diary.append("app of " + NAME)
    if confirm:
        import update
        update.PROOF_S = 0
        try:
            asyncio.run(asyncio.wait_for(confirm(), 0.2))
        except asyncio.TimeoutError:
            pass
"""

_WRITE = """
import os

def folders(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass
        at = path.find("/", at + 1)

for path, content in {files!r}.items():
    folders(path)
    if content is None:
        os.mkdir(path)
    else:
        with open(path, "wb") as stream:
            stream.write(content)
"""
_START = """
import json

problems = []
for script in ("/boot.py", "/main.py"):
    try:
        run_file(script)
    except Exception as problem:
        problems.append("%s: %s" % (type(problem).__name__, problem))
print(json.dumps({
    "diary": board.diary if "board" in globals() else [],
    "slot": globals().get("slot", "not chosen"),
    "maintenance": globals().get("maintenance"),
    "path": sys.path,
    "problems": problems,
}))
"""


@dataclass
class Start:
    """What a start did. printed: all that the board said."""

    diary: list
    slot: str | None
    maintenance: bool | None
    path: list
    problems: list
    printed: str = field(default="", repr=False)


@dataclass
class Flash:
    """The board's flash, as a littlefs image on the host."""

    folder: Path

    @property
    def image(self):
        """The file that holds the flash."""
        return self.folder / "flash.img"

    def try_to_run(self, code):
        """Run MicroPython code with this flash at /; returns the ended process."""
        script = self.folder / "code.py"
        script.write_text(code)
        return subprocess.run(
            [MICROPYTHON, SCRIPT, ROOT, self.image, script],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def run(self, code):
        """The same, for code that must not fail; returns what it printed."""
        done = self.try_to_run(code)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, files):
        """Files by path: text or bytes; None makes a folder."""
        data = {
            path: content.encode() if isinstance(content, str) else content
            for path, content in files.items()
        }
        self.run(_WRITE.format(files=data))

    def install(self, *slots, pin=False, on_gates_off="pass", files=None):
        """Put boot.py, main.py, update.py, a board, applications into these slots, other files."""
        installed = {
            "/boot.py": (ROOT / "firmware" / "boot.py").read_text(),
            "/main.py": (ROOT / "firmware" / "main.py").read_text(),
            "/update.py": (ROOT / "firmware" / "update.py").read_text(),
            "/boards/stub/board.py": BOARD.format(pin=pin, on_gates_off=on_gates_off),
        }
        for slot in slots:
            installed[f"/{slot}/app.py"] = APP
            installed[f"/{slot}/lib/helper.py"] = f"NAME = {slot!r}\n"
        self.write(installed | (files or {}))
        return self

    def start(self):
        """Start as MicroPython does, up to its prompt."""
        *printed, last = self.run(_START).splitlines()
        return Start(**json.loads(last), printed="\n".join(printed))
