"""firmware/update.py on the real MicroPython and a littlefs: an update stays only if it holds."""

import hashlib

import pytest

from host_tests.boot.board_flash import APP

GATES_FIRST = ["board", "gates off", "pin"]
HELPER = "NAME = 'new'\n"
NEW = {"app.py": APP, "lib/helper.py": HELPER}


def digests(files):
    return "".join(
        f"{hashlib.sha256(text.encode()).hexdigest()} {path}\n" for path, text in files.items()
    )


def update(files=None, **written):
    """Files of slot_b with their digests, and /trial; `written` is what arrived differently."""
    files = NEW | (files or {})
    arrived = files | {"digests": digests(files)} | written
    return {f"/slot_b/{path}": text for path, text in arrived.items()} | {"/trial": "slot_b"}


def ran(start):
    return [entry for entry in start.diary if entry.startswith("app of ")]


@pytest.fixture
def board(install):
    """Runs slot_a; `board(files)` puts an update beside it."""
    return lambda files: install("slot_a", files={"/slot": "slot_a"} | files)


def test_an_update_runs_with_the_watchdog_on_before_it_is_imported_and_stays(board):
    flash = board(update())
    first = flash.start()
    assert first.diary == [*GATES_FIRST, "watchdog 8000", "fed", "app of new"]
    assert first.problems == []
    assert first.slot == "/slot_b"
    assert "The update stays." in first.printed
    second = flash.start()
    assert second.diary == [*GATES_FIRST, "app of new"]  # no trial any more
    assert second.path[:2] == ["/slot_b", "/slot_b/lib"]


NO_CONFIRM = APP.split("    if confirm")[0]


@pytest.mark.parametrize(
    "app",
    [
        pytest.param("import nothing_of_that_name", id="an import fails"),
        pytest.param("def run(board)", id="it is no Python"),
        pytest.param("raise MemoryError('no room')", id="memory runs out"),
        pytest.param("def run(board, confirm):\n    raise ValueError", id="it fails at once"),
        pytest.param(NO_CONFIRM, id="it restarts before the minute is over"),
    ],
)
def test_an_update_that_does_not_last_gives_way_to_the_version_before(board, app):
    flash = board(update({"app.py": app}))
    first = flash.start()
    assert first.diary[:4] == [*GATES_FIRST, "watchdog 8000"]
    for _ in range(2):
        start = flash.start()
        assert start.diary == [*GATES_FIRST, "app of slot_a"]
        assert start.problems == []


DAMAGED = "NAME = 'nev'\n"


@pytest.mark.parametrize(
    ("arrived", "says"),
    [
        ({"lib/helper.py": DAMAGED}, "lib/helper.py is damaged"),
        ({"app.py": ""}, "app.py is damaged"),
        ({"digests": digests(NEW | {"lib/gone.py": ""})}, "lib/gone.py is missing"),
        ({"lib/older.py": ""}, "it holds files that do not belong to it"),
        ({"digests": ""}, "its digests are empty"),
        ({"digests": "\n"}, "its digests can not be read"),
        ({"digests": "no digest at all"}, "its digests can not be read"),
        ({"digests": None}, "its digests can not be read"),
        ({"digests": b"\xff\xfe"}, "its digests can not be read"),
    ],
)
def test_an_update_that_arrived_damaged_is_not_started(board, arrived, says):
    flash = board(update(**arrived))
    first = flash.start()
    assert first.diary == [*GATES_FIRST, "app of slot_a"]
    assert f"The update in /slot_b is not started: {says}" in first.printed
    assert first.problems == []
    again = flash.start()
    assert ran(again) == ["app of slot_a"]
    assert "update" not in again.printed


def test_a_slot_in_use_that_was_written_over_and_damaged_never_starts(install):
    files = update(**{"lib/helper.py": DAMAGED}) | {"/slot": "slot_b"}
    flash = install(files=files)
    for _ in range(2):
        start = flash.start()
        assert start.diary[:2] == GATES_FIRST[:2]
        assert start.maintenance is True
        assert ran(start) == []
        assert "No application is on this board" in start.printed
        assert start.problems == []


@pytest.mark.parametrize("content", ["", "slot_c", "../boards", b"\xff\x80", None])
def test_a_corrupt_trial_starts_the_version_before_and_is_forgotten(board, content):
    flash = board(update() | {"/trial": content})
    for _ in range(2):
        start = flash.start()
        assert start.diary == [*GATES_FIRST, "app of slot_a"]
        assert start.problems == []


@pytest.mark.parametrize("content", ["", "def begin(:", "raise OSError"])
def test_without_a_whole_update_py_the_version_before_runs(board, content):
    start = board(update() | {"/update.py": content}).start()
    assert start.diary == [*GATES_FIRST, "app of slot_a"]
    assert start.problems == []


def test_a_maintenance_boot_does_not_use_up_the_trial(board):
    flash = board(update() | {"/maintenance": ""})
    held = flash.start()
    assert held.maintenance is True
    assert ran(held) == []
    flash.run('import os\nos.remove("/maintenance")')
    assert ran(flash.start()) == ["app of new"]


def test_a_new_board_whose_only_slot_is_on_trial_runs_it_again(install):
    files = update({"app.py": NO_CONFIRM})
    flash = install(files=files)
    assert ran(flash.start()) == ["app of new"]
    assert ran(flash.start()) == ["app of new"]


# From here on the n-th change of a directory does not happen, and nothing after it.
LOSE_POWER = """
import os as real_os
import sys

class Os:
    left = {left}

    def __getattr__(self, name):
        if name in ("rename", "remove"):
            if Os.left == 0:
                raise SystemExit(0)
            Os.left -= 1
        return getattr(real_os, name)

sys.modules["os"] = Os()
for script in ("/boot.py", "/main.py"):
    run_file(script)
"""


@pytest.mark.parametrize(("left", "then"), [(0, "new"), (1, "slot_a")])
def test_power_lost_while_the_trial_is_noted_or_ends_leaves_one_of_both(board, left, then):
    """Before it was noted: the trial is still to come. Before it was kept: the old version."""
    flash = board(update())
    flash.try_to_run(LOSE_POWER.format(left=left))
    start = flash.start()
    assert start.diary[:2] == GATES_FIRST[:2]
    assert ran(start) == [f"app of {then}"]
    assert start.problems == []
