"""`cellsteward flash` on a board's flash, and what an accident at any moment leaves there.

What it sends runs on the real MicroPython with a littlefs. The accidents happen without a serial
port; the whole of it runs once with the real mpremote, over a pseudo-terminal.
"""

import itertools
import json
import re
from contextlib import nullcontext

import pytest

from cellsteward.device import CONSOLE, REPL, Device, FlashError, Port
from cellsteward.flash import (
    build_release,
    carry_out,
    code_for,
    find_compiler,
    flash,
    parse_found,
    plan,
)
from host_tests.boot.board_flash import ROOT, Flash
from host_tests.tools.pty_board import CONSOLE_APP, PtyBoard
from host_tests.tools.small_firmware import PICO_ON_UNIX, small_checkout

MPY = 6  # MicroPython 1.29 docs, "MicroPython .mpy files": version 6

# From here on the n-th change of a directory does not happen, and nothing after it.
_LOSE_POWER = """
import os as real_os
import sys

class Os:
    left = {left}

    def __getattr__(self, name):
        if name in ("rename", "remove", "mkdir", "rmdir"):
            if Os.left == 0:
                raise SystemExit(1)
            Os.left -= 1
        return getattr(real_os, name)

sys.modules["os"] = Os()
"""


class ImageBoard:
    """A board without a port. Its power goes at the step `cut`: (what, change or file)."""

    def __init__(self, folder, cut=None, damage=None):
        self.flash = Flash(folder)
        self._cut = cut
        self._damage = damage  # a remote file that arrives with one bit changed

    def run(self, code):
        """As device.Device."""
        what = code.splitlines()[-1].split("(")[0]
        if self._cut == (what, None):
            raise FlashError("power lost")
        if self._cut and self._cut[0] == what:
            done = self.flash.try_to_run(_LOSE_POWER.format(left=self._cut[1]) + code)
            assert (done.returncode, done.stderr) == (1, "")
            assert "Traceback" not in done.stdout
            raise FlashError("power lost")
        return self.flash.run(code)

    def copy(self, files, began):
        """As device.Device."""
        arrived = {}
        for number, (local, remote) in enumerate(files):
            began(number)
            content = local.read_bytes()
            if self._cut == ("copy", number):
                self.flash.write(arrived | {remote: content[: len(content) // 2]})
                raise FlashError("power lost")
            if remote == self._damage:
                content = bytes((content[0] ^ 1,)) + content[1:]
            arrived[remote] = content
        self.flash.write(arrived)

    def restart(self):
        """As device.Device."""
        if self._cut == ("restart", None):
            raise FlashError("power lost")
        return CONSOLE if app_of(self.flash.start()) else REPL


def app_of(start):
    """Name of the application that ran, or None."""
    ran = [entry for entry in start.diary if entry.startswith("app of ")]
    return ran[0].removeprefix("app of ") if ran else None


def put(board, checkout, compiler=None):
    """What `flash` does once it has found the board."""
    found = parse_found(board.run(code_for("inspect()")))
    release = build_release(checkout, "stub", checkout / "compiled", compiler)
    carry_out(plan(release, "stub", found.slot), board, lambda _: nullcontext(lambda _: None))


@pytest.fixture
def checkout(tmp_path):
    return small_checkout(tmp_path / "checkout")


@pytest.fixture
def old_board(tmp_path):
    """A flash whose slot_a runs an older firmware."""
    return Flash(tmp_path).install("slot_a", files={"/slot": "slot_a"})


@pytest.mark.parametrize("compiler", [None, find_compiler(MPY)], ids=["source", "compiled"])
def test_a_new_board_runs_the_firmware(tmp_path, checkout, compiler):
    board = ImageBoard(tmp_path)
    put(board, checkout, compiler)
    start = board.flash.start()
    assert app_of(start) == "new"
    assert start.problems == []
    assert start.slot == "/slot_a"


def test_a_board_that_ran_runs_the_new_firmware_and_keeps_the_old_one_and_its_settings(
    tmp_path, checkout, old_board
):
    old_board.write({"/config_a.json": "settings"})
    put(ImageBoard(tmp_path), checkout)
    start = old_board.start()
    assert app_of(start) == "new"
    assert start.slot == "/slot_b"
    assert old_board.run('print(open("/config_a.json").read())') == "settings\n"
    # Going back, as docs/flashing.md says:
    old_board.write({"/slot": "slot_a"})
    assert app_of(old_board.start()) == "slot_a"


def test_flashing_twice_leaves_no_file_of_the_first_in_the_slot(tmp_path, checkout, old_board):
    put(ImageBoard(tmp_path), checkout)
    old_board.write({"/slot_a/lib/gone.py": "", "/slot_a/lib/deep/gone.py": ""})
    put(ImageBoard(tmp_path), checkout, find_compiler(MPY))
    code = code_for('digests("/slot_a", ())')
    names = [line.split()[1] for line in old_board.run(code).splitlines()]
    # helper.py, which app.py imports, is in app.mpy; deep/er has a short name.
    assert names[:2] == ["/slot_a/app.mpy", "/slot_a/digests"]
    assert [re.sub("[A-Z]+", "NAME", name) for name in names[2:]] == ["/slot_a/lib/NAME.mpy"]


FAILING_APPS = [
    pytest.param("import nothing_of_that_name", id="an import fails"),
    pytest.param("raise MemoryError('no room')", id="memory runs out"),
    pytest.param("def run(board, confirm):\n    raise ValueError('no')", id="it fails at once"),
    pytest.param("def run(board, confirm):\n    pass", id="it ends"),
]


@pytest.mark.parametrize("app", FAILING_APPS)
def test_an_update_that_does_not_hold_is_gone_with_the_next_start(
    tmp_path, checkout, old_board, app
):
    (checkout / "firmware" / "app.py").write_text(app)
    with pytest.raises(FlashError, match="did not start"):
        put(ImageBoard(tmp_path), checkout)  # restarts into the trial
    for _ in range(2):
        start = old_board.start()  # the watchdog bit
        assert start.diary[:2] == ["board", "gates off"]
        assert app_of(start) == "slot_a"
        assert start.problems == []


# What is cut | before which change of a directory, or in which file; None: before all of it
CUTS = [
    ("hold", None),
    ("restart", None),
    ("empty", 1),
    ("empty", 4),
    ("copy", 0),
    ("copy", 4),
    ("digests", None),
    *(("switch", change) for change in range(6)),  # four files, the slot's name, the flag
]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: f"{cut[0]}-{cut[1]}")
def test_power_lost_at_any_moment_leaves_a_board_that_starts_what_is_whole(
    tmp_path, checkout, old_board, cut
):
    old_board.write({"/slot_b/old/file.py": ""})
    with pytest.raises(FlashError, match="still whole"):
        put(ImageBoard(tmp_path, cut), checkout)

    start = old_board.start()
    assert start.diary[:2] == ["board", "gates off"]
    assert start.maintenance is (cut != ("hold", None))
    assert start.problems == []
    # Going back, as docs/flashing.md says:
    old_board.run('if exists("/maintenance"):\n    os.remove("/maintenance")\n')
    assert app_of(old_board.start()) == ("new" if cut == ("switch", 5) else "slot_a")


@pytest.mark.parametrize("cut", [("copy", 4), ("switch", 1), ("switch", 3)])
def test_power_lost_while_a_new_board_is_flashed_is_mended_by_flashing_again(
    tmp_path, checkout, cut
):
    with pytest.raises(FlashError):
        put(ImageBoard(tmp_path, cut), checkout)
    put(ImageBoard(tmp_path), checkout)
    assert app_of(Flash(tmp_path).start()) == "new"


@pytest.mark.parametrize("damage", ["/slot_b/lib/helper.py", "/boot.py.new"])
def test_a_file_that_arrives_damaged_is_named_and_not_started(
    tmp_path, checkout, old_board, damage
):
    with pytest.raises(FlashError, match=rf"arrived damaged: {damage}\. .*still whole"):
        put(ImageBoard(tmp_path, damage=damage), checkout)
    assert old_board.start().maintenance is True
    old_board.run('os.remove("/maintenance")')
    assert app_of(old_board.start()) == "slot_a"


def test_the_board_agrees_with_boot_py_about_the_slot_in_use(tmp_path):
    choices = (None, b"slot_a", b"slot_b", b"slot_b\n", b"", b"slot_c", b"\xff\xfe")
    cases = list(itertools.product(choices, (0, 1), (0, 1)))
    boot = (ROOT / "firmware" / "boot.py").read_text().split("\nboard = load_board()")[0]
    code = f"""
import os
{boot}
def touch(path, there, content=b""):
    if there:
        with open(path, "wb") as stream:
            stream.write(content)
    elif exists(path):
        os.remove(path)

os.mkdir("/slot_a")
os.mkdir("/slot_b")
for choice, in_a, in_b in {cases!r}:
    touch("/slot", choice is not None, choice)
    touch("/slot_a/app.py", in_a)
    touch("/slot_b/app.mpy", in_b)
    slot = slot_in_use()
    print(choose_slot() == (slot and "/" + slot))
"""
    agreed = Flash(tmp_path).run(code_for(code)).split()
    assert agreed == ["True"] * len(cases)


# With mpremote, the Pico's board file and the real console


def device(board):
    return Device(Port(board.port), settle_s=0.3)


@pytest.fixture
def pico(tmp_path, checkout):
    """A Pico that runs the console, on a pseudo-terminal."""
    (checkout / "firmware" / "app.py").write_text(CONSOLE_APP)
    release = build_release(checkout, "pico", checkout, None)
    slot_files = {f"/slot_a/{path}": local for path, local in release.slot_files.items()}
    files = {path: local.read_text() for path, local in (release.root_files | slot_files).items()}
    Flash(tmp_path).write(files)
    with PtyBoard(tmp_path / "flash.img") as board:
        assert device(board).wait() == CONSOLE
        yield board


def test_the_whole_way_over_the_running_firmware(tmp_path, checkout, pico, capsys):
    flash(PICO_ON_UNIX, device(pico), lambda: "1234", checkout)
    assert pico.starts == 4  # switched on, maintenance, held in maintenance, the new firmware
    assert device(pico).state() == CONSOLE
    printed = capsys.readouterr().out
    assert "The firmware runs: asking it to open the gates and wait." in printed
    assert "- empty /slot_b" in printed
    assert "Done: the console answers." in printed
    found = json.loads(Flash(tmp_path).run(code_for("inspect()")))
    assert (found["slot"], found["boards"]) == ("slot_b", ["pico"])


def test_a_console_that_stays_locked_is_quoted_and_goes_on(pico):
    with pytest.raises(FlashError, match=r"Locked: `unlock CODE`.*maintenance pin"):
        device(pico).enter_maintenance(lambda: "9999")
    assert device(pico).state() == CONSOLE
    assert pico.starts == 1


def test_what_fails_on_a_new_board_is_told_by_its_last_line(tmp_path):
    with PtyBoard(tmp_path / "flash.img") as board:
        assert device(board).wait() == REPL
        with pytest.raises(FlashError, match=r"OSError: .*ENOENT"):
            device(board).run('open("/nothing")')
