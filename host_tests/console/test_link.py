"""Command `link`: what a person is told about the links."""

from bms.table import rows
from links.verdict_rows import ROWS

VERDICTS = [row[4] for row in rows(ROWS)]
QUIET = {
    "link_frames_in": (0, 0, 0, 0),
    "link_frames_out": (0, 0, 0, 0),
    "link_crc_errors": (0, 0, 0, 0),
    "link_timeouts": (0, 0, 0, 0),
    "link_unknown": (0, 0, 0, 0),
    "link_age_s": (-1, -1, -1, -1),
    "link_peer": (0, 0, 0, 0),
    "link_verdict": (0, 0, 0, 0),
    "can_transmit_errors": 0,
    "can_receive_errors": 0,
    "can_bus_offs": 0,
}


def show(board, **values):
    board.publish(**{**QUIET, **values})
    return board.ask("link")


def test_a_board_just_started_asks_for_patience(board):
    assert show(board) == ["No link was judged yet: ask again in ten seconds."]


def test_a_link_that_is_well_says_what_it_counted_and_who_is_there(board):
    lines = show(
        board,
        link_frames_in=(0, 12, 0, 0),
        link_frames_out=(0, 11, 0, 0),
        link_crc_errors=(0, 1, 0, 0),
        link_unknown=(0, 3, 0, 0),
        link_age_s=(-1, 2, -1, -1),
        link_peer=(0, 1, 0, 0),
        link_verdict=(0, VERDICTS.index("well"), 0, 0),
    )
    assert lines == [
        "RS485: Requests come in and are answered.",
        "  Frames 12 in, 11 out, 1 damaged, 0 timed out, 3 not for us",
        "  Heard 2 s ago; the other side: a Modbus master",
    ]


def test_a_link_that_is_not_well_says_what_to_check_next(board):
    lines = show(board, link_verdict=(0, VERDICTS.index("only_noise"), 0, 0))
    assert lines[0] == "RS485: Bytes come in, but no request."
    assert lines[-1].startswith("  Next: Another speed or parity")


def test_who_is_there_is_shown_although_nothing_was_for_this_battery(board):
    lines = show(
        board,
        link_frames_out=(6, 0, 0, 0),
        link_verdict=(VERDICTS.index("can_other_language"), 0, 0, 0),
        link_peer=(8, 0, 0, 0),
    )
    assert "  Heard nothing for this battery; the other side: a Growatt inverter" in lines


def test_can_shows_the_error_counters_of_its_controller(board):
    lines = show(board, link_frames_out=(6, 0, 0, 0), can_transmit_errors=128, can_bus_offs=2)
    assert "  Error counters: transmit 128, receive 0; off the bus 2 times" in lines
