"""`make dist`: what is in a release; mpremote's mip puts it on a board, which then runs it."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile

import pytest
import serial

from cellsteward import ROOT, board_files, dist
from cellsteward.device import CONSOLE, REPL, Device, Port
from cellsteward.flash import USUAL_MPY, build_release, find_compiler
from host_tests.boot.board_flash import Flash
from host_tests.tools.pty_board import PtyBoard
from host_tests.tools.small_firmware import small_checkout

# Every file is compiled for four processors: a minute of work, more on a busy machine.
pytestmark = pytest.mark.timeout(600)

NAME = f"cellsteward-{dist.version()}"
ARCHITECTURES = ("armv6m", "armv7emsp", "xtensawin", "rv32imc")

# A prompt like the console's, which knows one command. On trial it lasts long enough at once.
PROMPT_APP = """
import asyncio

VERSION = "9"

async def prompt(board):
    port = asyncio.StreamReader(board.console_port())
    byte = bytearray(1)
    line = b""
    while True:
        await port.readinto(byte)
        if byte != b"\\r":
            line += byte
            continue
        if line.endswith(b"maintenance"):
            with open("/maintenance", "w"):
                pass
            board.reset()
        line = b""
        port.write(b"\\r\\n> ")
        await port.drain()

async def serve(board, confirm):
    if confirm:
        import update

        update.PROOF_S = 0
        asyncio.create_task(confirm())
    await prompt(board)

def run(board, confirm=None):
    asyncio.run(serve(board, confirm))
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The folder of the release of this checkout."""
    out = tmp_path_factory.mktemp("dist")
    dist.make(out)
    return out / NAME


def package(release, board, name="package.json"):
    return json.loads((release / board / name).read_text())


# What is in it


def test_the_archive_holds_the_folder_and_every_file_has_its_sum(release):
    with zipfile.ZipFile(release.parent / f"{NAME}.zip") as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    unpacked = {
        f"{NAME}/{path.relative_to(release).as_posix()}": path.read_bytes()
        for path in release.rglob("*")
        if path.is_file()
    }
    assert packed == unpacked
    sums = dict(
        reversed(line.split("  ")) for line in (release / "SHA256SUMS").read_text().splitlines()
    )
    del unpacked[f"{NAME}/SHA256SUMS"]
    assert {f"{NAME}/{path}": digest for path, digest in sums.items()} == {
        path: hashlib.sha256(content).hexdigest() for path, content in unpacked.items()
    }


def test_the_same_checkout_makes_the_same_archive(release, tmp_path):
    again = dist.make(tmp_path)
    assert again.read_bytes() == (release.parent / f"{NAME}.zip").read_bytes()


@pytest.mark.parametrize("board", board_files.names())
@pytest.mark.parametrize(
    ("name", "slot"), [("package.json", "slot_a"), ("package_slot_b.json", "slot_b")]
)
def test_every_board_has_a_list_for_each_slot_that_ends_with_the_trial(release, board, name, slot):
    listed = package(release, board, name)
    assert listed["version"] == dist.version()
    urls = listed["urls"]
    assert urls[-1] == ["trial", f"../trial/{slot}"]
    assert (release / board / urls[-1][1]).read_text() == slot
    assert all((release / board / source).is_file() for _, source in urls)
    targets = [target for target, _ in urls]
    assert len(targets) == len(set(targets))
    shared = "boards/_rp2.py" if board.startswith("pico") else "boards/_esp32.py"
    outside = {target for target in targets if not target.startswith(slot)}
    assert outside == {
        "boot.py", "main.py", "update.py", "trial",
        "boards/_common.py", shared, f"boards/{board}/board.py",
    }  # fmt: skip
    assert targets.index("boot.py") > targets.index(f"boards/{board}/board.py")
    in_slot = {target.removeprefix(f"{slot}/") for target in targets if target.startswith(slot)}
    assert in_slot == {
        path.relative_to(release / "slot").as_posix()
        for path in (release / "slot").rglob("*")
        if path.is_file()
    }


def test_the_slot_is_what_flash_puts_on_a_board_and_compiled(release, tmp_path):
    made = build_release(ROOT, "esp32s3", tmp_path, find_compiler(USUAL_MPY))
    found = {
        path.relative_to(release / "slot").as_posix(): path.read_bytes()
        for path in (release / "slot").rglob("*")
        if path.is_file()
    }
    assert found == {path: local.read_bytes() for path, local in made.slot_files.items()}
    assert "app.mpy" in found
    assert {name.rpartition(".")[2] for name in found} == {"mpy", "digests"}


def test_no_bytecode_depends_on_the_processor(release, tmp_path):
    """MicroPython docs, "MicroPython .mpy files": the third byte says which native code there is,
    in its upper bits; 0 is none. So one release serves every architecture."""
    for path in (release / "slot").rglob("*.mpy"):
        assert path.read_bytes()[2] == 0, path
    compiler = find_compiler(USUAL_MPY)
    assert compiler
    for name in ("app.py", "lib/bms/protection.py", "lib/modbus/crc16.py"):
        made = set()
        for architecture in ARCHITECTURES:
            out = tmp_path / f"{architecture}.mpy"
            command = [compiler, f"-march={architecture}", "-s", name, "-o", out]
            subprocess.run([*command, ROOT / "firmware" / name], check=True)
            made.add(out.read_bytes())
        assert len(made) == 1


def test_the_application_and_the_project_have_the_same_version():
    assert f'version = "{dist.version()}"' in (ROOT / "pyproject.toml").read_text()


# On a board: the real mpremote, the real MicroPython, a littlefs


def mpremote(board, *arguments):
    command = [sys.executable, "-m", "mpremote", "connect", board.port, "resume", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def device(board):
    return Device(Port(board.port), settle_s=0.3)


def test_mip_installs_this_release_on_a_new_board_which_then_says_how_the_pack_is(
    tmp_path, release
):
    """The whole firmware as on a Pico: its chip does not answer, nothing is configured."""
    with PtyBoard(tmp_path / "flash.img") as board:
        assert device(board).wait() == REPL
        mpremote(board, "mip", "install", "--target", "/", f"{release}/pico/package.json")
        assert device(board).restart() == CONSOLE
        with serial.Serial(board.port, 115200, timeout=5) as line:
            line.write(b"\x15\rstatus\r")
            said = line.read_until(b"Started").decode()
    assert "NOT GUARDING: there is no valid configuration, the gates are off." in said
    assert re.search(r"Gates +charge off, discharge off", said)


@pytest.fixture
def small_release(tmp_path):
    """A release with nothing but a prompt in it."""
    checkout = small_checkout(tmp_path / "checkout", app=PROMPT_APP)
    dist.make(tmp_path / "dist", checkout)
    return tmp_path / "dist" / "cellsteward-9"


def test_mip_installs_a_new_board_which_then_runs_and_an_update_beside_it(tmp_path, small_release):
    with PtyBoard(tmp_path / "flash.img") as board:
        assert device(board).wait() == REPL
        mpremote(board, "mip", "install", "--target", "/", f"{small_release}/pico/package.json")
        assert device(board).restart() == CONSOLE
        device(board).enter_maintenance(lambda: "1234")
        assert mpremote(board, "fs", "cat", ":/slot") == "slot_a"
        update = f"{small_release}/pico/package_slot_b.json"
        mpremote(board, "mip", "install", "--target", "/", update)
        mpremote(board, "rm", ":/maintenance")
        assert device(board).restart() == CONSOLE
    flash = Flash(tmp_path)
    assert flash.run('print(open("/slot").read())') == "slot_b\n"


def test_an_update_that_was_interrupted_is_not_started(tmp_path, small_release):
    listed = package(small_release, "pico", "package_slot_b.json")
    del listed["urls"][-3:]
    cut = small_release / "pico" / "cut.json"
    cut.write_text(json.dumps(listed))
    with PtyBoard(tmp_path / "flash.img") as board:
        assert device(board).wait() == REPL
        mpremote(board, "mip", "install", "--target", "/", f"{small_release}/pico/package.json")
        mpremote(board, "mip", "install", "--target", "/", str(cut))
        assert device(board).restart() == CONSOLE
    start = Flash(tmp_path).run('print(open("/slot").read(), exists("/trial"))')
    assert start == "slot_a False\n"
