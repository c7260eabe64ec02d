"""How typing works: editing, line ends, long and garbled lines, and commands that fail."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.commands import COMMANDS
from console.door import Door

VERSION = "Cellsteward 1.2.3\r\n"


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_every_kind_of_line_end_ends_one_line(board, end):
    shown = board.type(b"version" + end + b"version" + end)
    assert shown.count(VERSION) == 2
    assert shown.count("> ") == 3


def test_what_is_typed_is_echoed(board):
    assert board.type(b"vers").endswith("> vers")


@pytest.mark.parametrize("key", [b"\x08", b"\x7f"])
def test_backspace_takes_one_character_back(board, key):
    shown = board.type(b"versiox" + key + b"n\r")
    assert "versiox\b \bn\r\n" + VERSION in shown


def test_backspace_on_an_empty_line_does_nothing(board):
    assert "\b" not in board.type(b"\x08\x7f\x08")


def test_ctrl_c_forgets_the_line(board):
    shown = board.type(b"restart\x03\r")
    assert "restart^C\r\n> \r\n> " in shown
    assert board.restarts == 0


def test_ctrl_u_empties_the_line(board):
    shown = board.type(b"restart\x15version\r")
    assert "\r\x1b[K> version\r\n" + VERSION in shown


@pytest.mark.parametrize("key", [b"\x1b[A", b"\x1b[1;5D", b"\x1bOP", b"\x1b[3~", b"\x1bx"])
def test_keys_that_send_escape_sequences_do_nothing(board, key):
    assert "> version\r\n" + VERSION in board.type(b"ver" + key + b"sion\r")


def test_a_broken_escape_sequence_swallows_no_more_than_its_line(board):
    assert VERSION in board.type(b"\x1b[12\rversion\r")


def test_bytes_outside_ascii_are_ignored(board):
    assert VERSION in board.type(b"ver\xc3\xa4\x00\xff\tsion\r")


def test_the_longest_line_is_taken_and_a_longer_one_refused_as_a_whole(board):
    longest = "version".ljust(120)
    assert VERSION in board.type(longest + "\r")
    shown = board.type(longest + " \r")
    assert VERSION not in shown
    assert "Ignored: a line may have 120 characters." in shown
    assert VERSION in board.type("x" * 5000 + "\rversion\r")


def test_an_overlong_line_can_be_given_up(board):
    assert VERSION in board.type(b"x" * 130 + b"\x03version\r")


def test_an_empty_line_shows_the_prompt_again(board):
    assert board.type(b"\r\r").endswith("> \r\n> \r\n> ")


def test_a_mistyped_command_is_answered_with_the_nearest(board):
    assert board.ask("stauts") == [
        "There is no command 'stauts': did you mean `status`? `help` lists them all."
    ]
    assert board.ask("xyzzy") == ["There is no command 'xyzzy': `help` lists them all."]


def test_wrong_arguments_are_answered_with_the_usage(board):
    assert board.ask("set series_cells") == ["Usage: set NAME VALUE"]
    assert board.ask("gates up") == ["Usage: gates off|auto"]
    assert board.ask("unlock sesame") == ["Usage: unlock CODE"]
    assert board.ask("status now") == ["Usage: status"]


def test_help_lists_every_command_and_explains_each(locked_board):
    lines = locked_board.ask("help")
    assert [line.split()[0] for line in lines] == [row[0] for row in COMMANDS]
    for row in COMMANDS:
        assert locked_board.ask("help " + row[0])[1] == f"  {row[5]}."
    assert locked_board.ask("help save")[2] == "  Needs `unlock CODE` first."
    assert locked_board.ask("help stauts")[0].startswith("There is no command 'stauts'")


def test_a_command_that_fails_says_so_is_counted_and_ends_nothing(board):
    board.console.restart = None
    shown = board.type(b"restart\rversion\r")
    assert "The command failed; please report this: TypeError" in shown
    assert VERSION in shown
    assert board.console.failures == 1


def test_an_exception_of_the_port_ends_the_loop_and_the_next_one_starts_fresh(board):
    board.type(b"half a li")
    assert VERSION in board.type(b"version\r")


def test_a_long_answer_gives_the_others_a_turn_after_every_line(board):
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both():
        task = asyncio.create_task(other())
        board.typed.extend(b"get\r")
        with pytest.raises(OSError):
            await Door(board.opened).run(board)
        task.cancel()

    asyncio.run(both())
    assert turns >= len(board.parameters)
    assert max(len(data) for data in board.writes) < 256


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.binary(max_size=150) | st.sampled_from([row[0].encode() for row in COMMANDS])))
def test_whatever_bytes_come_the_next_good_command_works(board, pieces):
    assert board.type(b" ".join(pieces) + b"\rversion\r").endswith(VERSION + "> ")
    assert board.console.failures == 0


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([row[0] for row in COMMANDS]), st.lists(st.text(max_size=20), max_size=3))
def test_no_arguments_make_a_command_fail(board, command, arguments):
    board.type(" ".join([command, *arguments]) + "\r")
    assert board.console.failures == 0
