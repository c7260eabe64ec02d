"""The driver's side of the wire, against the instructions and registers of DS20001801J."""

import pytest

from canbus.mcp2515 import MCP2515, ControllerNotFoundError
from host_tests.canbus.scripted_spi import ScriptedSpi

SPEEDS = [(hz, kbit) for hz in (8_000_000, 16_000_000) for kbit in (125, 250, 500)]
TIMING = (0x01, 0x8A, 0x00)  # CNF3, CNF2, CNF1 at 8 MHz, 500 kbit/s; checked field by field below

ALL_EXTENDED = bytes((0, 0x08, 0, 0))  # RXFnSIDL.EXIDE (register 4-11): this filter is for 29 bits


def started(hz=8_000_000, kbit=500):
    """A driver on a chip that followed into normal mode, its start forgotten."""
    spi = ScriptedSpi()
    can = MCP2515(spi, spi.select, kbit, hz)
    spi.registers[0x2E] = 0x00  # CANSTAT, mirrored: normal mode
    spi.transactions.clear()
    return spi, can


def starting_transactions():
    spi = ScriptedSpi()
    MCP2515(spi, spi.select, 500, 8_000_000)
    return spi.transactions


def new_message():
    return [0, memoryview(bytearray(8)), 0, 0]


def test_a_reset_comes_first_and_normal_mode_last():
    transactions = starting_transactions()
    assert transactions[0] == bytes((0xC0,))
    assert transactions[-1] == bytes((0x02, 0x0F, 0x00))  # no one-shot, no CLKOUT


def test_nothing_is_written_before_the_chip_shows_configuration_mode():
    transactions = starting_transactions()
    shown = [sent[:2] for sent in transactions].index(bytes((0x03, 0x0E)))
    written = [at for at, sent in enumerate(transactions) if sent[0] == 0x02]
    assert min(written) > shown


@pytest.mark.parametrize(("hz", "kbit"), SPEEDS)
def test_bit_timing_has_the_rate_the_sample_point_and_keeps_the_chips_rules(hz, kbit):
    spi, _ = started(hz, kbit)
    cnf3, cnf2, cnf1 = spi.registers[0x28:0x2B]
    prescaler = (cnf1 & 0x3F) + 1
    jump = (cnf1 >> 6) + 1
    propagation = (cnf2 & 7) + 1
    phase1 = (cnf2 >> 3 & 7) + 1
    phase2 = (cnf3 & 7) + 1
    quanta = 1 + propagation + phase1 + phase2
    assert hz / (2 * prescaler * quanta) == kbit * 1000
    assert (1 + propagation + phase1) / quanta == 0.75
    assert cnf2 & 0x80, "PS2 must come from CNF3"
    assert not cnf2 & 0x40, "one sample per bit"
    assert propagation + phase1 >= phase2
    assert phase2 >= 2
    assert phase2 > jump


def test_the_usual_blue_board_gets_these_three_bytes():
    spi, _ = started(8_000_000, 500)
    assert tuple(spi.registers[0x28:0x2B]) == TIMING


@pytest.mark.parametrize(("hz", "kbit"), [(8_000_000, 1000), (20_000_000, 500), (8_000_000, 0)])
def test_another_speed_is_refused_in_words(hz, kbit):
    spi = ScriptedSpi()
    with pytest.raises(ValueError, match="use 125, 250 or 500 kbit/s"):
        MCP2515(spi, spi.select, kbit, hz)


@pytest.mark.parametrize("level", [0x00, 0xFF])
def test_a_chip_that_does_not_answer_is_named_with_what_to_check(level):
    spi = ScriptedSpi()
    spi.stuck = level
    with pytest.raises(ControllerNotFoundError, match="no MCP2515 answers: check its supply"):
        MCP2515(spi, spi.select, 500, 8_000_000)
    assert len(spi.transactions) < 50, "the search must be short"


def test_a_chip_that_keeps_nothing_is_named_with_what_to_check():
    spi = ScriptedSpi()
    spi.remembers = False
    with pytest.raises(ControllerNotFoundError, match="does not keep its settings"):
        MCP2515(spi, spi.select, 500, 8_000_000)


def test_a_frame_is_loaded_and_then_requested():
    spi, can = started()
    assert can.send(0x351, bytes.fromhex("1402E803E803C001")) == 2
    status, load, request = spi.transactions
    assert status[0] == 0xA0
    # 0x351 = 0b011_0101_0001: SIDH 0x6A, SIDL 0x20
    assert load == bytes((0x44, 0x6A, 0x20, 0, 0, 8)) + bytes.fromhex("1402E803E803C001")
    assert request == bytes((0x84,))


def test_short_frames_are_loaded_short():
    spi, can = started()
    can.send(0x35C, b"\xc0\x00")
    assert spi.transactions[1] == bytes((0x44, 0x6B, 0x80, 0, 0, 2, 0xC0, 0x00))


# READ STATUS: TXREQ of buffers 0, 1, 2 in bits 2, 4, 6. The chip sends the highest number first.
@pytest.mark.parametrize(
    ("status", "buffer", "load", "request_byte"),
    [
        (0x00, 2, 0x44, 0x84),
        (0x40, 1, 0x42, 0x82),
        (0x50, 0, 0x40, 0x81),
        (0x10, 0, 0x40, 0x81),
    ],
)
def test_frames_take_buffers_from_the_top_so_that_none_overtakes(
    status, buffer, load, request_byte
):
    spi, can = started()
    spi.status = status
    assert can.send(0x100, b"") == buffer
    assert spi.transactions[1][0] == load
    assert spi.transactions[2] == bytes((request_byte,))


@pytest.mark.parametrize("status", [0x04, 0x14, 0x44, 0x54])
def test_send_says_none_where_a_frame_could_overtake_or_has_no_room(status):
    spi, can = started()
    spi.status = status
    assert can.send(0x100, b"") is None
    assert [sent[0] for sent in spi.transactions] == [0xA0]


@pytest.mark.parametrize(
    ("identifier", "size", "flags"), [(0x800, 0, 0), (-1, 0, 0), (0x100, 9, 0), (0x100, 0, 1)]
)
def test_what_is_no_standard_data_frame_is_refused(identifier, size, flags):
    _, can = started()
    with pytest.raises(ValueError, match="standard data frames"):
        can.send(identifier, bytes(size), flags)


def test_cancelling_clears_the_request_of_a_waiting_buffer_only():
    spi, can = started()
    spi.status = 0x10
    assert can.cancel_send(1) is True
    assert spi.transactions[-1] == bytes((0x05, 0x40, 0x08, 0x00))
    spi.transactions.clear()
    assert can.cancel_send(0) is False
    assert [sent[0] for sent in spi.transactions] == [0xA0]


def test_no_received_frame_is_none():
    _, can = started()
    assert can.recv(new_message()) is None


# RXBnSIDH, SIDL, EID8, EID0, DLC, D0..D7
@pytest.mark.parametrize(("status", "instruction"), [(1, 0x90), (2, 0x94), (3, 0x90)])
def test_a_received_frame_is_fetched_from_the_buffer_that_has_it(status, instruction):
    spi, can = started()
    spi.status = status
    spi.buffers[instruction] = bytes((0x60, 0xA0, 0, 0, 3, 11, 22, 33, 44, 55, 66, 77, 88))
    message = new_message()
    assert can.recv(message) is message
    assert message[0] == 0x305
    assert bytes(message[1]) == bytes((11, 22, 33))
    assert message[2:] == [0, 0]
    assert spi.transactions[-1][0] == instruction


def test_a_length_code_above_8_means_8_bytes():
    spi, can = started()
    spi.status = 1
    spi.buffers[0x90] = bytes((0x60, 0xA0, 0, 0, 15, 1, 2, 3, 4, 5, 6, 7, 8))
    assert bytes(can.recv(new_message())[1]) == bytes(range(1, 9))


def test_a_remote_request_is_flagged_and_carries_zeros():
    spi, can = started()
    spi.status = 1
    spi.buffers[0x90] = bytes((0x60, 0xB0, 0, 0, 2, 9, 9, 9, 9, 9, 9, 9, 9))
    message = can.recv(new_message())
    assert message[2] == MCP2515.FLAG_RTR
    assert bytes(message[1]) == bytes(2)


def test_accepting_all_frames_uses_open_masks_and_rollover():
    spi, _ = started()
    assert bytes(spi.registers[0x00:0x0C]) == bytes(12)
    assert bytes(spi.registers[0x10:0x1C]) == bytes(8) + ALL_EXTENDED
    assert bytes(spi.registers[0x20:0x28]) == bytes(8)
    assert spi.registers[0x60] == 0x04


def test_two_filters_give_each_receive_buffer_its_own():
    spi, can = started()
    can.set_filters(((0x305, 0x7FF, 0), (0x000, 0x000, 0)))
    keepalive = bytes((0x60, 0xA0, 0, 0))
    assert bytes(spi.registers[0x00:0x08]) == keepalive * 2
    assert bytes(spi.registers[0x08:0x0C]) == bytes(4)
    assert bytes(spi.registers[0x10:0x1C]) == bytes(8) + ALL_EXTENDED
    assert bytes(spi.registers[0x20:0x28]) == bytes((0xFF, 0xE0, 0, 0)) + bytes(4)
    assert spi.registers[0x60] == 0x00, "no rollover into the other's buffer"


@pytest.mark.parametrize(
    "filters",
    [(), ((1, 1, 0),) * 3, ((0x800, 0x7FF, 0),), ((0, 0x800, 0),), ((0, 0, 1),)],
)
def test_filters_that_the_chip_does_not_have_are_refused(filters):
    _, can = started()
    with pytest.raises(ValueError, match="filters"):
        can.set_filters(filters)


# EFLG, register 6-3
@pytest.mark.parametrize(
    ("flags", "state"),
    [
        (0x00, MCP2515.STATE_ACTIVE),
        (0x03, MCP2515.STATE_WARNING),
        (0x05, MCP2515.STATE_WARNING),
        (0x0B, MCP2515.STATE_PASSIVE),
        (0x15, MCP2515.STATE_PASSIVE),
        (0x35, MCP2515.STATE_BUS_OFF),
    ],
)
def test_error_flags_become_states(flags, state):
    spi, can = started()
    spi.registers[0x2D] = flags
    assert can.state() == state


def test_a_chip_that_lost_its_settings_or_its_mode_is_stopped():
    spi, can = started()
    assert can.state() == MCP2515.STATE_ACTIVE
    spi.registers[0x2E] = 0x80  # configuration mode
    assert can.state() == MCP2515.STATE_STOPPED
    spi.registers[0x2E] = 0x00
    spi.registers[0x29] = 0x00  # CNF2 after a reset
    assert can.state() == MCP2515.STATE_STOPPED


@pytest.mark.parametrize("level", [0x00, 0xFF])
def test_a_chip_that_is_gone_is_stopped(level):
    spi, can = started()
    spi.stuck = level
    assert can.state() == MCP2515.STATE_STOPPED


def test_an_overrun_is_cleared_counted_and_reported_once():
    spi, can = started()
    spi.registers[0x2D] = 0x40
    can.state()
    assert spi.transactions[-1] == bytes((0x05, 0x2D, 0x40, 0x00))
    spi.registers[0x2D] = 0x00
    spi.status = 1
    assert can.recv(new_message())[3] == MCP2515.RECV_ERR_OVERRUN
    assert can.recv(new_message())[3] == 0
    assert can.get_counters([0] * 8)[7] == 1


def test_counters_are_those_of_machine_can():
    spi, can = started()
    spi.registers[0x1C:0x1E] = bytes((130, 7))
    spi.registers[0x2D] = 0x15
    can.state()
    can.state()
    spi.registers[0x2D] = 0x35
    can.state()
    spi.status = 0x54 | 0x03
    counters = [None] * 8
    assert can.get_counters(counters) is counters
    assert counters == [130, 7, 1, 1, 1, 3, 2, 0]


def test_a_restart_sets_everything_up_again():
    spi, can = started()
    can.set_filters(((0x305, 0x7FF, 0),))
    spi.registers[0x20:0x2B] = bytes(11)
    spi.transactions.clear()
    can.restart()
    assert spi.transactions[0] == bytes((0xC0,))
    assert bytes(spi.registers[0x20:0x22]) == bytes((0xFF, 0xE0))
    assert tuple(spi.registers[0x28:0x2B]) == TIMING
    assert spi.transactions[-1] == bytes((0x02, 0x0F, 0x00))


def test_chip_select_is_released_when_the_bus_fails():
    spi, can = started()
    spi.fails = True
    with pytest.raises(OSError, match="SPI peripheral"):
        can.state()
    assert not spi.selected
