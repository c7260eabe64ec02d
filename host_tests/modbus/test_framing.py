"""Finding requests in what arrives: whole, torn, joined, foreign, broken."""

from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
)

from host_tests.modbus.bench import ADDRESS, ModbusFramer, adu, with_crc
from links.framing import BUSY, PAUSED
from modbus import rtu
from modbus.crc16 import crc16

OTHER = 5
READ = adu(ReadHoldingRegistersRequest(address=0x0100, count=8))
WRITE = adu(WriteMultipleRegistersRequest(address=0x1000, registers=[0, 16, 4, 17664]))
SINGLE = adu(WriteSingleRegisterRequest(address=0x0F00, registers=[4711]))
LONG = adu(WriteMultipleRegistersRequest(address=0x1000, registers=[7] * 123))
UNKNOWN = with_crc(f"{ADDRESS:02x}2b0e0100")  # read device identification
REQUESTS = (READ, WRITE, SINGLE, LONG)


def receive(framer, data):
    """Put bytes where the transport puts them; more than fits is given in pieces."""
    while data:
        space = framer.space()
        assert len(space) >= 256
        piece = data[: len(space)]
        space[: len(piece)] = piece
        framer.received(len(piece))
        data = data[len(piece) :]


def found(framer, silence):
    """All requests that can be found now."""
    requests = []
    while length := framer.find(silence):
        requests.append(bytes(framer.buffer[framer.start : framer.start + length]))
        framer.drop(length)
    return requests


def after_pauses(framer):
    """All requests found until the search has come to its end."""
    requests = []
    for _ in range(30):
        requests += found(framer, PAUSED)
    return requests


def test_a_request_is_found_with_its_last_byte():
    for request in REQUESTS:
        framer = ModbusFramer(ADDRESS)
        for byte in request[:-1]:
            receive(framer, bytes((byte,)))
            assert framer.find(BUSY) == 0
            assert framer.pending()
        receive(framer, request[-1:])
        assert found(framer, BUSY) == [request]
        assert not framer.pending()


def test_a_slow_request_survives_the_pauses_between_its_bytes():
    framer = ModbusFramer(ADDRESS)
    for byte in WRITE[:-1]:
        receive(framer, bytes((byte,)))
        assert found(framer, PAUSED) == []
    receive(framer, WRITE[-1:])
    assert found(framer, BUSY) == [WRITE]
    assert framer.broken == 0


def test_requests_that_arrive_joined_are_all_found():
    framer = ModbusFramer(ADDRESS)
    receive(framer, READ + WRITE + SINGLE)
    assert found(framer, BUSY) == [READ, WRITE, SINGLE]


def test_a_broadcast_is_found():
    frame = adu(WriteSingleRegisterRequest(address=0x0F01, registers=[2]), 0)
    framer = ModbusFramer(ADDRESS)
    receive(framer, frame)
    assert found(framer, BUSY) == [frame]


def test_a_frame_of_unknown_length_ends_with_the_pause():
    framer = ModbusFramer(ADDRESS)
    receive(framer, UNKNOWN)
    assert found(framer, BUSY) == []
    assert found(framer, PAUSED) == [UNKNOWN]


def test_the_talk_of_others_is_stepped_over():
    ask = adu(ReadHoldingRegistersRequest(address=0, count=100), OTHER)
    answer = adu(ReadHoldingRegistersResponse(registers=list(range(100))), OTHER)
    write = adu(WriteMultipleRegistersRequest(address=0, registers=[1, 2]), OTHER)
    done = adu(WriteMultipleRegistersResponse(address=0, count=2), OTHER)
    refused = with_crc(f"{OTHER:02x}8302")
    framer = ModbusFramer(ADDRESS)
    for frame in (ask, answer, write, done, refused):
        receive(framer, frame)
        assert found(framer, BUSY) == []
        assert not framer.pending()
    receive(framer, ask + answer + write + done + ask + refused + READ)
    assert found(framer, BUSY) == [READ]
    assert framer.others == 11
    assert framer.broken == 0


def test_a_long_talk_of_others_is_followed_in_bounded_steps():
    ask = adu(ReadHoldingRegistersRequest(address=0, count=1), OTHER)
    framer = ModbusFramer(ADDRESS)
    receive(framer, ask * 60 + READ)
    assert found(framer, BUSY) == []
    assert 0 < framer.others < 60
    assert after_pauses(framer) == [READ]
    assert (framer.others, framer.broken) == (60, 0)


def test_a_request_inside_the_frame_of_another_is_not_for_us():
    """A gateway may carry our bytes as another's data."""
    inside = [int.from_bytes(SINGLE[at : at + 2], "big") for at in range(0, 8, 2)]
    for frame in (
        adu(WriteMultipleRegistersRequest(address=0, registers=inside), OTHER),
        adu(ReadHoldingRegistersResponse(registers=inside), OTHER),
    ):
        framer = ModbusFramer(ADDRESS)
        receive(framer, frame[:-1])
        assert found(framer, BUSY) == []
        receive(framer, frame[-1:])
        assert after_pauses(framer) == []
        assert (framer.others, framer.broken) == (1, 0)


def test_unknown_functions_of_others_are_stepped_over_at_the_pause():
    framer = ModbusFramer(ADDRESS)
    receive(framer, with_crc(f"{OTHER:02x}2b0e0100"))
    assert found(framer, PAUSED) == []
    assert not framer.pending()
    assert framer.others == 1


def test_our_own_answer_heard_back_is_not_taken_for_a_request():
    framer = ModbusFramer(ADDRESS)
    for echo in (
        adu(ReadHoldingRegistersResponse(registers=[1, 2, 3])),
        adu(WriteMultipleRegistersResponse(address=0x1000, count=4)),
        with_crc(f"{ADDRESS:02x}9003"),
    ):
        receive(framer, echo)
        assert after_pauses(framer) == []
    assert framer.others == 3


def test_a_request_right_behind_garbage_is_found_at_the_pause():
    for garbage in (b"\x00", b"\xff\x11", b"\x11\x03", b"\x11\x10\x00", READ[:-1], LONG[:40]):
        framer = ModbusFramer(ADDRESS)
        receive(framer, garbage + READ)
        assert after_pauses(framer) == [READ], garbage.hex()
        assert framer.broken == 1


def test_a_request_after_garbage_and_a_pause_is_found_at_once():
    for garbage in (b"\x00", b"\x11\x03", b"\x11\x10\x00\x00\x00\x7b\xf6", READ[:-1]):
        framer = ModbusFramer(ADDRESS)
        receive(framer, garbage)
        assert found(framer, PAUSED) == []
        receive(framer, READ)
        assert found(framer, BUSY) == [READ]
        assert framer.broken == 1


def test_a_request_after_a_broken_one_is_found():
    broken = bytearray(WRITE)
    broken[9] ^= 0x10
    framer = ModbusFramer(ADDRESS)
    receive(framer, bytes(broken))
    assert found(framer, PAUSED) == []
    receive(framer, WRITE)
    assert found(framer, BUSY) == [WRITE]


def test_talk_of_others_is_followed_again_after_garbage():
    ask = adu(ReadHoldingRegistersRequest(address=0, count=100), OTHER)
    framer = ModbusFramer(ADDRESS)
    receive(framer, b"\x05\x03\x01")
    assert found(framer, PAUSED) == []
    receive(framer, ask)
    assert found(framer, BUSY) == []
    assert (framer.others, framer.broken) == (1, 1)
    assert not framer.pending()


def test_a_request_is_found_that_began_when_the_buffer_was_almost_full_of_garbage():
    framer = ModbusFramer(ADDRESS)
    receive(framer, bytes(300) + LONG[:200])
    assert found(framer, BUSY) == []
    receive(framer, LONG[200:])
    assert after_pauses(framer) == [LONG]


def test_waiting_beside_a_broken_request_costs_nothing_more_than_looking_once(monkeypatch):
    summed = []

    def counting(buffer, start, end):
        summed.append(end - start)
        return crc16(buffer, start, end)

    monkeypatch.setattr(rtu, "crc16", counting)
    framer = ModbusFramer(ADDRESS)
    receive(framer, LONG[:-1] + b"\0")
    for _ in range(50):
        assert found(framer, PAUSED) == []
    assert sum(summed) < 3 * len(LONG)


def test_what_never_became_a_frame_is_forgotten():
    framer = ModbusFramer(ADDRESS)
    receive(framer, LONG[:100])
    framer.clear()
    assert not framer.pending()
    assert framer.broken == 1
    receive(framer, READ)
    assert found(framer, BUSY) == [READ]


@given(st.binary(max_size=2000), st.sampled_from(REQUESTS))
def test_no_amount_of_garbage_hides_the_request_behind_it(garbage, request):
    framer = ModbusFramer(ADDRESS)
    receive(framer, garbage + request)
    assert after_pauses(framer)[-1:] == [request]


def test_garbage_made_of_beginnings_costs_bounded_work_and_hides_nothing():
    """The worst garbage: each of its positions looks like a request of half the buffer."""
    beginning = bytes((ADDRESS, 16, 0x10, 0, 0, 60, 120))
    for pattern in (beginning, bytes((ADDRESS, 3)), bytes((ADDRESS,)), bytes((ADDRESS, 16))):
        framer = ModbusFramer(ADDRESS)
        receive(framer, (pattern * 300)[:490] + READ)
        assert after_pauses(framer)[-1:] == [READ], pattern.hex()


@given(
    st.lists(
        st.one_of(
            st.sampled_from((*REQUESTS, UNKNOWN)),
            st.binary(max_size=60),
            st.tuples(st.sampled_from(REQUESTS), st.integers(0, 60), st.integers(1, 255)).map(
                lambda t: bytes(
                    byte ^ (t[2] if at == t[1] % len(t[0]) else 0) for at, byte in enumerate(t[0])
                )
            ),
        ),
        max_size=12,
    ),
    st.lists(st.integers(1, 300), min_size=1, max_size=8),
    st.booleans(),
)
def test_whatever_arrived_the_next_good_request_is_found(traffic, pieces, idle):
    framer = ModbusFramer(ADDRESS)
    data = b"".join(traffic)
    turn = 0
    while data:
        size = pieces[turn % len(pieces)]
        receive(framer, data[:size])
        data = data[size:]
        found(framer, PAUSED if turn % 3 == 0 else BUSY)
        turn += 1
    after_pauses(framer)
    if idle:
        framer.clear()
    receive(framer, READ)
    assert READ in found(framer, BUSY) + after_pauses(framer)
