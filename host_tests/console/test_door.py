"""The console is in memory while somebody types, and for a minute afterwards."""

import asyncio
import sys

import pytest

import console as package
from console.door import Door
from host_tests.console.conftest import HangUp

KEPT_S = 60
MACHINERY = ("console", "lending", "line", "settings", "text", "usage")


@pytest.fixture(autouse=True)
def modules():
    """Other tests hold on to the modules that are given back here."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("console.")}
    yield
    sys.modules.update(before)
    for name, module in before.items():
        setattr(package, name.split(".")[1], module)


class Doorway:
    def __init__(self, board):
        self.board = board
        self.door = Door(board.new_console)

    def type(self, data):
        self.board.typed.extend(data)
        self.board.shown.clear()
        with pytest.raises(HangUp):
            asyncio.run(self.door.run(self.board))
        return self.board.shown.decode()

    def pass_time(self, seconds):
        self.door._answering = False  # the terminal here hangs up, which is no answer's end
        for _ in range(seconds):
            self.door.second()

    def open(self):
        return [name for name in MACHINERY if "console." + name in sys.modules]


@pytest.fixture
def doorway(board):
    return Doorway(board)


def test_after_a_minute_without_typing_nothing_of_it_is_left(doorway):
    doorway.type(b"version\r")
    doorway.pass_time(KEPT_S - 1)
    assert doorway.open()
    doorway.pass_time(1)
    assert not doorway.open()


def test_it_answers_again_as_before(doorway):
    first = doorway.type(b"version\r")
    doorway.pass_time(KEPT_S)
    assert doorway.type(b"version\r") == first


@pytest.mark.parametrize(
    ("kept", "over"), [(b"half a li", b"\x03"), (b"long " * 50, b"\r")], ids=["half", "too long"]
)
def test_a_line_that_was_begun_keeps_it(doorway, kept, over):
    doorway.type(kept)
    doorway.pass_time(2 * KEPT_S)
    assert doorway.open()
    assert not doorway.board.console.idle()
    doorway.board.console._editor.feed(over[0])
    doorway.pass_time(1)
    assert not doorway.open()


def test_a_draft_of_settings_keeps_it(doorway):
    doorway.type(b"\r")
    doorway.board.console.settings.draft["series_cells"] = 4
    doorway.pass_time(2 * KEPT_S)
    assert doorway.open()


def test_a_commissioning_keeps_it(doorway):
    doorway.type(b"\r")
    doorway.board.console.commissioning = object()
    doorway.pass_time(2 * KEPT_S)
    assert doorway.open()


def test_an_answer_that_takes_long_keeps_it(doorway):
    doorway.type(b"version\r")
    doorway.door._answering = True
    for _ in range(2 * KEPT_S):
        doorway.door.second()
    assert doorway.open()
