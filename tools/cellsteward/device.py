"""A board on a serial port, for `cellsteward flash`.

Files and code go through mpremote, as a process of its own. What mpremote can not do is done here
with pyserial: find the port, and ask Cellsteward's running console for a maintenance boot, because
it takes Ctrl-C as a character and a watchdog that was started can not be stopped.
Limits: one board at a time; never sends Ctrl-C itself, which could cut boot.py short.
"""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import serial
from serial.tools import list_ports

REPL = "MicroPython's prompt"
CONSOLE = "Cellsteward's console"
SILENT = "nothing"

_BAUD = 115200  # a USB serial port ignores it
_PAUSE_S = 0.15  # an answer has ended if it is silent for this long after a prompt,
_PAUSES = 5  # or for this many times that without one
_RUN_S = 60
_BACK_S = 20  # a reset board is back on USB within a few seconds
_RESET = "import time, machine; time.sleep_ms(200); machine.reset()"
_PROMPT = b"> "  # how the console's ends, and MicroPython's, which is ">>> "
_EMPTY_LINE = b"\x15\r"  # Ctrl-U first: nobody's half-typed line is carried out


class FlashError(Exception):
    """The board was not flashed; the text says why and what to do."""


@dataclass(frozen=True)
class Port:
    """A serial port of this computer. usb_id: (vendor, product), None if it is not on USB."""

    name: str
    usb_id: tuple[int, int] | None = None
    serial_number: str | None = None
    words: str = ""


def ports() -> list[Port]:
    """All serial ports of this computer."""
    return [
        Port(
            found.device,
            None if found.vid is None or found.pid is None else (found.vid, found.pid),
            found.serial_number,
            found.description or "",
        )
        for found in sorted(list_ports.comports())
    ]


class Device:
    """Talks to the board at `port`; raises FlashError."""

    def __init__(self, port: Port, settle_s: float = 1.0):
        self._port = port
        self._settle_s = settle_s  # a board that resets is gone from USB after this long

    def state(self) -> str:
        """What answers at the port: REPL, CONSOLE or SILENT."""
        return _state(self._say(_EMPTY_LINE))

    def enter_maintenance(self, ask_access_code: Callable[[], str]) -> None:
        """Ask the console for a maintenance boot, and wait for MicroPython's prompt."""
        reply = self._say(b"maintenance\r")
        if _state(reply) == CONSOLE and b"unlock" in reply:
            self._say(b"unlock " + ask_access_code().encode() + b"\r")
            reply = self._say(b"maintenance\r")
        if _state(reply) == CONSOLE:
            answer = reply.decode(errors="replace").splitlines()[1:-1]
            raise FlashError(
                f"the console did not open the board for new firmware: {' '.join(answer)} "
                "Tie the maintenance pin to ground, reset the board and try again."
            )
        if self.wait() != REPL:
            raise FlashError(
                "the board did not come up in maintenance boot. Tie the maintenance pin to "
                "ground, reset the board and try again."
            )

    def run(self, code: str) -> str:
        """Run MicroPython code there; returns what it printed."""
        return self._execute("exec", code)

    def copy(self, files: Iterable[tuple[Path, str]], began: Callable[[int], None]) -> None:
        """Copy (local, remote) files into folders that are there; `began(n)` before the n-th."""
        command = self._mpremote()
        for local, remote in files:
            command += ["fs", "cp", "-f", str(local), ":" + remote, "+"]
        printed = []
        count = 0
        with subprocess.Popen(
            command[:-1], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as copying:
            assert copying.stdout is not None
            for line in copying.stdout:
                printed.append(line)
                if line.startswith("cp "):
                    began(count)
                    count += 1
        if copying.returncode:
            raise self._failed("".join(printed))

    def restart(self) -> str:
        """Reset the board; returns what answers when it is back."""
        self._execute("exec", "--no-follow", _RESET)
        return self.wait()

    def wait(self) -> str:
        """Wait for a board that resets; returns what answers, SILENT if nothing does."""
        end_s = time.monotonic() + _BACK_S
        while time.monotonic() < end_s:
            time.sleep(self._settle_s)
            try:
                state = self.state()
            except FlashError:
                continue  # the port is not back yet
            if state != SILENT:
                return state
        return SILENT

    def _name(self) -> str:
        """The port's name now: a board that resets may come back under another."""
        if self._port.serial_number is not None:
            for port in ports():
                if port.serial_number == self._port.serial_number:
                    return port.name
        return self._port.name

    def _say(self, text: bytes) -> bytes:
        """What comes back, until it is quiet or the port is gone."""
        name = self._name()
        reply = b""
        try:
            with serial.Serial(
                name, _BAUD, timeout=_PAUSE_S, write_timeout=1, exclusive=True
            ) as line:
                line.reset_input_buffer()
                line.write(text)
                pauses = 0
                while pauses < (1 if reply.endswith(_PROMPT) else _PAUSES):
                    try:
                        chunk = line.read(256)
                    except OSError:
                        return reply  # the board restarts
                    reply += chunk
                    pauses = 0 if chunk else pauses + 1
        except OSError as error:
            raise _unopened(name, error) from error
        return reply

    def _mpremote(self, *arguments: str) -> list[str]:
        """mpremote's command line. `resume`: without a soft reset, which would run boot.py."""
        python = [sys.executable, "-u", "-m", "mpremote"]
        return [*python, "connect", self._name(), "resume", *arguments]

    def _execute(self, *arguments: str) -> str:
        command = self._mpremote(*arguments)
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_RUN_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise FlashError(f"the board at {self._port.name} stopped answering.") from None
        if done.returncode:
            raise self._failed(done.stdout + done.stderr)
        return done.stdout

    def _failed(self, printed: str) -> FlashError:
        if "could not enter raw repl" in printed:
            return FlashError(
                f"no MicroPython answers at {self._port.name}. If the board is new, install "
                "MicroPython first (docs/flashing.md); else tie the maintenance pin to ground "
                "and reset it."
            )
        lines = printed.strip().splitlines() or ["mpremote failed without a word"]
        return FlashError(f"{lines[-1].removeprefix('mpremote: ').rstrip('.')}.")


def _state(reply: bytes) -> str:
    if reply.endswith(b">>" + _PROMPT):
        return REPL
    return CONSOLE if reply.endswith(_PROMPT) else SILENT


def _unopened(name: str, error: OSError) -> FlashError:
    """pyserial puts the system's error number into `errno`, or only into its text."""
    if error.errno == errno.EACCES:
        return FlashError(
            f"you may not open {name}. On Linux: sudo usermod -aG dialout $USER, then log in anew."
        )
    if error.errno in (errno.EBUSY, errno.EAGAIN):
        return FlashError(f"another program has {name} open: close it and try again.")
    why = os.strerror(error.errno) if error.errno else str(error).rstrip(".")
    return FlashError(f"can not open {name}: {why}.")
