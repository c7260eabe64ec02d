"""Runs the unmodified firmware on the simulated board: starts it, bridges it, restarts it.

The firmware is a process of MicroPython's unix port (boards/sim/start.py) that connects to four
TCP ports here: control (JSON lines), RS485, console and CAN. The last three are bridged to
pseudo-terminals that live as long as the run, whatever the process does.
A watchdog reset ends the process; it is started again with the same flash and the same battery.
What the process prints, tracebacks above all, is passed on and never swallowed.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any, Protocol

from cellsteward import ROOT
from cellsteward.options import PORTS, SETTINGS_FILE, OptionError, RunOptions, damaged
from cellsteward.ptys import FirmwareLink, Pty
from cellsteward.slcan import SlcanAdapter
from cellsteward.status import End, PointValues, Status

# What starts the firmware; the options follow as JSON, in pieces: the interpreter dies of an
# argument above 255 bytes (its sys.argv holds interned strings).
# 4 MB of heap: the models of chips and battery are far larger than the firmware.
COMMAND = (
    str(Path(sys.prefix) / "bin" / "micropython"),
    "-X",
    "heapsize=4M",
    "boards/sim/start.py",
)

# What survives a reset, and a run with --state-dir.
FLASH_FILE = "flash.img"
WORLD_FILE = "world.json"

# A flash that a board formatted: 352 blocks of 4096 bytes (boards/sim/flash.py), in the first two
# of them littlefs' superblock with its name.
_FLASH_BYTES = 352 * 4096
_SUPERBLOCK_BYTES = 2 * 4096
_SUPERBLOCK_NAME = b"littlefs"
# boards/sim/world.py, save(), and boards/sim/simulation.py, finish()
_WORLD_KEYS = {
    "pack",
    "inverter",
    "load_us",
    "faults",
    "afe",
    "contactors",
    "dc_bus",
    "ina228",
    "retained",
    "processor_faults",
}

_HELLO_LIMIT_S = 30  # a slow machine starts the interpreter in about a second
_QUIT_LIMIT_S = 3  # then the process is terminated, and after as long again killed
_RESTARTS_A_MINUTE = 10
_MINUTE_S = 60
# Ends of a process after which it starts again: cause of the reset, and words for people.
_RESETS = {
    "watchdog": ("watchdog", "The watchdog reset the firmware; it starts again."),
    "reset": ("soft", "The firmware restarted itself."),
}
_ARGUMENT_LIMIT = 255
_OUTPUT_LINE_LIMIT = 1 << 20


class Listener(Protocol):
    """Whoever shows a run."""

    def started(self, simulation: "Simulation") -> None:
        """The first status is about to come: ports and faults are known."""

    def status(self, status: Status) -> None:
        """A simulated second passed (or several, at high speed)."""

    def text(self, line: str) -> None:
        """The firmware process printed a line, or something happened to the process."""


class Simulation:
    """One run. Create it and await `run`; the other methods may be called meanwhile."""

    def __init__(self, options: RunOptions, listener: Listener):
        self.options = options
        self.paths: dict[str, str] = {}  # pseudo-terminals by the names in PORTS
        self.faults: list[tuple[str, str]] = []  # that can be injected: name, help
        self.restarts = 0
        self._speed = options.speed  # as asked last: a restart goes on with it
        self._listener = listener
        self._control = FirmwareLink()
        self._control.receive = self._take_control
        self._links: dict[str, FirmwareLink] = {}
        self._ptys: dict[str, Pty] = {}
        self._control_rest = b""
        self._process: asyncio.subprocess.Process | None = None
        self._quitting = False
        self._started = False  # the first status is there
        self._told_ports = False  # the firmware's application answers, and the ports file says so
        self._refused: OptionError | None = None
        self._greeted = False  # this process said hello
        self._early: list[str] = []  # what it printed before: it may be about a refused option
        self._end: dict[str, Any] | None = None
        self._earlier_s = 0.0  # simulated seconds of the processes before this one
        self._t_s = 0.0  # simulated seconds of this process

    async def run(self) -> End:
        """Run to the end. Raises OptionError if the firmware refuses an option."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="cellsteward-") as scratch:
            keeper = None
            try:
                self._open_ports()
                keeper = asyncio.create_task(self._keep_ports())
                ports = {"control": await self._control.listen()}
                for name, link in self._links.items():
                    ports[name] = await link.listen()
                reason, text, t_s = await self._supervise(self._state(Path(scratch)), ports)
            finally:
                if keeper is not None:
                    keeper.cancel()
                await self._close()
        if self._refused is not None:
            raise self._refused
        return End(reason, text, t_s, time.monotonic() - began)

    def quit(self) -> None:
        """End the run soon: ask the firmware, and end the process if it does not listen."""
        if self._quitting:
            return
        self._quitting = True
        self._say({"quit": 1})
        loop = asyncio.get_running_loop()
        loop.call_later(_QUIT_LIMIT_S, self._signal, signal.SIGTERM)
        loop.call_later(2 * _QUIT_LIMIT_S, self._signal, signal.SIGKILL)

    def inject(self, fault: str) -> None:
        """Let a fault happen, by one of the names in `faults`."""
        self._say({"inject": fault})

    def clear(self, fault: str) -> None:
        """End an injected fault."""
        self._say({"clear": fault})

    def clear_all(self) -> None:
        """End all injected faults."""
        self._say({"clear_all": 1})

    def set_speed(self, speed: float) -> None:
        """Simulated seconds per second, 0 for as fast as possible."""
        self._speed = speed
        self._say({"speed": speed})

    def _open_ports(self) -> None:
        for name in PORTS:
            self._ptys[name] = pty = Pty()
            self._links[name] = link = FirmwareLink()
            if name == "can":
                adapter = SlcanAdapter(pty.send, link.send, pty.discard, _now_ms)
                pty.receive = adapter.from_client
                link.receive = adapter.from_bus
            else:
                pty.receive = link.send
                link.receive = pty.send
            self.paths[name] = pty.path

    async def _keep_ports(self) -> None:
        while True:
            await asyncio.sleep(1)
            for pty in self._ptys.values():
                pty.release()

    async def _close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        for closing in (self._control, *self._links.values(), *self._ptys.values()):
            closing.close()
        if self._told_ports and self.options.ports_file is not None:
            self.options.ports_file.unlink(missing_ok=True)

    def _state(self, scratch: Path) -> tuple[Path, Path]:
        """Files of the flash and the battery: kept ones, or new ones in a temporary folder."""
        folder = (self.options.state_dir or scratch).resolve()
        image, world = folder / FLASH_FILE, folder / WORLD_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self.options.fresh:
                image.unlink(missing_ok=True)
                world.unlink(missing_ok=True)
            _check_flash(image)
            _check_world(world)
            (folder / SETTINGS_FILE).write_text(json.dumps(self.options.settings) + "\n")
        except OSError as error:
            raise OptionError(f"--state-dir: can not use {folder}: {error.strerror}.") from error
        return image, world

    async def _supervise(
        self, state: tuple[Path, Path], ports: dict[str, int]
    ) -> tuple[str, str, float]:
        """Run processes until one ends for good: reason, text, simulated seconds."""
        resets: deque[float] = deque(maxlen=_RESTARTS_A_MINUTE)
        cause = "power_on"
        while True:
            end = await self._run_process(self._arguments(state, ports, cause))
            reason = end["reason"]
            self._earlier_s += self._t_s
            if reason not in _RESETS or self._quitting:
                return reason, end.get("text", ""), self._earlier_s
            now = time.monotonic()
            if len(resets) == resets.maxlen and now - resets[0] < _MINUTE_S:
                text = f"it was reset {len(resets) + 1} times within a minute"
                return "error", text, self._earlier_s
            resets.append(now)
            cause, words = _RESETS[reason]
            self.restarts += 1
            self._listener.text(words)

    def _arguments(
        self, state: tuple[Path, Path], ports: dict[str, int], cause: str
    ) -> dict[str, Any]:
        options = self.options
        image, world = state
        left_s = options.duration_s and max(options.duration_s - self._earlier_s, 1)
        return {
            **ports,
            "image": str(image),
            "world": str(world),
            "speed": self._speed,
            "seed": options.seed,
            "spread": options.spread,
            "soc": options.soc,
            "duration_s": left_s,
            "load": None if options.load is None else str(options.load.resolve()),
            "load_scale": options.load_scale,
            "settings": options.settings,
            "reset_cause": cause,
            "faults": options.faults if cause == "power_on" else [],
        }

    async def _run_process(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run one process to its end and return its `end` message, or one that says it died."""
        self._end = None
        self._control_rest = b""
        self._t_s = 0.0
        self._greeted = False
        try:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                *_pieces(json.dumps(arguments)),
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, who then ask the firmware to end
                limit=_OUTPUT_LINE_LIMIT,
            )
        except FileNotFoundError:
            raise OptionError(
                f"{COMMAND[0]} is missing: run 'make run', which installs MicroPython."
            ) from None
        self._process = process
        greeting = asyncio.get_running_loop().call_later(_HELLO_LIMIT_S, self._give_up_waiting)
        assert process.stdout is not None
        async for line in process.stdout:
            self._take_text(line.decode(errors="replace").rstrip())
        code = await process.wait()
        greeting.cancel()
        await self._control.disconnected.wait()  # its last words may still be on their way
        self._tell_early_text()
        if self._end is not None:
            return self._end
        if self._quitting:
            return {"reason": "quit"}
        return {"reason": "error", "text": f"the firmware process died with exit code {code}"}

    def _take_text(self, line: str) -> None:
        if not self._greeted:
            self._early.append(line)
        elif self._refused is None:
            self._listener.text(line)

    def _tell_early_text(self) -> None:
        """Pass on what was held back, unless the refusal of an option says it better."""
        if self._refused is None:
            for line in self._early:
                self._listener.text(line)
        self._early.clear()

    def _give_up_waiting(self) -> None:
        if self._control.disconnected.is_set():
            self._listener.text(f"The firmware did not report within {_HELLO_LIMIT_S} s.")
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(number)

    def _say(self, message: dict[str, Any]) -> None:
        self._control.send(json.dumps(message).encode() + b"\n")

    def _take_control(self, data: bytes) -> None:
        *lines, self._control_rest = (self._control_rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "hello" in message:
                self._take_hello(message)
            elif "status" in message:
                self._take_status(message["status"])
            elif "end" in message:
                self._end = message["end"]
                self._t_s = message["end"]["t_s"]

    def _take_hello(self, hello: dict[str, Any]) -> None:
        self.faults = [(name, text) for name, text in hello["faults"]]
        known = [name for name, _ in self.faults]
        unknown = [name for name in self.options.faults if name not in known]
        if unknown:
            self._refused = OptionError(
                f"--fault: '{unknown[0]}' is none of the faults that the simulator knows: "
                f"{', '.join(known)}."
            )
            self.quit()
        elif self._quitting:
            self._say({"quit": 1})
        self._greeted = True
        self._tell_early_text()

    def _take_status(self, message: dict[str, Any]) -> None:
        self._t_s = message["t_s"]
        status = Status(
            t_s=self._earlier_s + message["t_s"],
            speed=message["speed"],
            points=PointValues(message["points"]),
            truth=message["truth"],
            injected=message["injected"],
            reason=message["reason"],
        )
        if not self._started:
            self._started = True
            self._listener.started(self)
        if status.points and not self._told_ports and self._refused is None:
            self._told_ports = True
            self._write_ports_file()
        self._listener.status(status)

    def _write_ports_file(self) -> None:
        """Tell scripts where the ports are, once everything answers; whole or not at all."""
        path = self.options.ports_file
        if path is None:
            return
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(json.dumps({**self.paths, "pid": os.getpid()}) + "\n")
        part.replace(path)


def _check_flash(image: Path) -> None:
    """Raise OptionError if a kept flash is none."""
    if image.exists():
        with image.open("rb") as content:
            named = _SUPERBLOCK_NAME in content.read(_SUPERBLOCK_BYTES)
        if not named or image.stat().st_size != _FLASH_BYTES:
            raise damaged(image, "it is no whole flash")


def _check_world(world: Path) -> None:
    """Raise OptionError if a kept battery is none."""
    if world.exists():
        try:
            saved = json.loads(world.read_text())
        except (ValueError, RecursionError) as error:
            raise damaged(world, "it is not JSON") from error
        if not isinstance(saved, dict) or not saved.keys() >= _WORLD_KEYS:
            raise damaged(world, "it holds no battery")


def _pieces(text: str) -> list[str]:
    return [text[at : at + _ARGUMENT_LIMIT] for at in range(0, len(text), _ARGUMENT_LIMIT)]


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
