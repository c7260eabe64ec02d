"""The server core, against the examples of the specification and against pymodbus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from host_tests.modbus.bench import ADDRESS, adu, parse, with_crc
from modbus.server import MAX_ADU, Server


class Cells:
    """Registers that remember what was written; what was never written does not exist."""

    def __init__(self, values):
        self.values = dict(values)
        self.writes = 0

    def read(self, address, count, response, at):
        for register in range(address, address + count):
            if register not in self.values:
                return 2
            response[at : at + 2] = self.values[register].to_bytes(2, "big")
            at += 2
        return 0

    def write(self, address, count, request, at):
        self.writes += 1
        if any(register not in self.values for register in range(address, address + count)):
            return 2
        for register in range(address, address + count):
            self.values[register] = int.from_bytes(request[at : at + 2], "big")
            at += 2
        return 0


def make(values):
    cells = Cells(values)
    return cells, Server(ADDRESS, cells)


def pdu(server, text):
    request = bytearray.fromhex("5aa5" + text)
    response = bytearray(MAX_ADU)
    size = server.respond_pdu(request, 2, len(request) - 2, response, 3)
    return response[3 : 3 + size].hex()


def ask(server, frame, start=0):
    request = bytearray(start) + bytearray(frame)
    response = bytearray(MAX_ADU)
    return bytes(response[: server.respond(request, len(frame), response, start)])


# MODBUS Application Protocol V1.1b3, 6.3, 6.4, 6.6 and 6.12: values before, request, response.
SPECIFICATION = (
    ({107: 0x022B, 108: 0, 109: 0x64}, "03006b0003", "0306022b00000064"),
    ({8: 10}, "0400080001", "0402000a"),
    ({1: 0}, "0600010003", "0600010003"),
    ({1: 0, 2: 0}, "100001000204000a0102", "1000010002"),
)


@pytest.mark.parametrize(("values", "request_pdu", "response_pdu"), SPECIFICATION)
def test_the_examples_of_the_specification(values, request_pdu, response_pdu):
    assert pdu(make(values)[1], request_pdu) == response_pdu


def test_the_written_values_of_the_specification_s_examples():
    cells, server = make({1: 0, 2: 0})
    pdu(server, "0600010003")
    assert cells.values[1] == 3
    pdu(server, "100001000204000a0102")
    assert cells.values == {1: 0x000A, 2: 0x0102}


# Whole frames with CRC, as published on simplymodbus.ca.
FRAMES = (
    ({107: 0xAE41, 108: 0x5652, 109: 0x4340}, "1103006b00037687", "110306ae415652434049ad"),
    ({8: 10}, "110400080001b298", "110402000af8f4"),
    ({1: 0}, "1106000100039a9b", "1106000100039a9b"),
    ({1: 0, 2: 0}, "11100001000204000a0102c6f0", "1110000100021298"),
)


@pytest.mark.parametrize(("values", "request_adu", "response_adu"), FRAMES)
def test_published_frames(values, request_adu, response_adu):
    assert ask(make(values)[1], bytes.fromhex(request_adu)).hex() == response_adu


@pytest.mark.parametrize("function", sorted(set(range(1, 128)) - {3, 4, 6, 16}))
def test_every_other_function_is_answered_with_exception_01(function):
    server = make({0: 0})[1]
    answer = parse(ask(server, with_crc(f"{ADDRESS:02x}{function:02x}00000001")))
    assert answer.isError()
    assert (answer.function_code, answer.exception_code) == (function | 0x80, 1)


LIMITS = (
    ("reading nothing", "0300000000", "8303"),
    ("reading 126 registers", "030000007e", "8303"),
    ("reading 65535 registers", "040000ffff", "8403"),
    ("writing nothing", "100000000000", "9003"),
    ("a byte count that is not twice the count", "100000000103000100", "9003"),
    ("fewer bytes than the byte count", "1000000002040001", "9003"),
    ("more bytes than the byte count", "10000000010200010001", "9003"),
    ("no byte count", "1000000001", "9003"),
    ("a read that is too short", "03000000", "8303"),
    ("a read that is too long", "030000000100", "8303"),
    ("a single write that is too short", "06000000", "8603"),
    ("a single write that is too long", "060000000100", "8603"),
    ("a read beyond the last register", "0300010001", "8302"),
    ("a read that begins well and ends beyond", "0300000002", "8302"),
    ("a read across the end of the address space", "03ffff0002", "8302"),
    ("a write of a register that is not there", "0600050001", "8602"),
    ("function 0", "00", "8001"),
    ("a function above 127", "c30000", "c301"),
)


@pytest.mark.parametrize(
    ("request_pdu", "response_pdu"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS]
)
def test_bad_requests_get_the_exception_of_the_specification(request_pdu, response_pdu):
    cells, server = make({0: 7})
    assert pdu(server, request_pdu) == response_pdu
    assert cells.values == {0: 7}


def test_124_registers_are_too_many_to_write_and_123_are_not():
    cells, server = make(dict.fromkeys(range(124), 0))
    assert pdu(server, "10" + "0000" + "007c" + "f8" + "00" * 248) == "9003"
    assert cells.writes == 0
    assert pdu(server, "10" + "0000" + "007b" + "f6" + "0102" * 123) == "100000007b"
    assert cells.values[122] == 0x0102


def test_125_registers_fill_the_largest_answer():
    server = make({at: at for at in range(125)})[1]
    answer = ask(server, adu(ReadHoldingRegistersRequest(address=0, count=125)))
    assert len(answer) == 255
    assert parse(answer).registers == list(range(125))


def test_no_request_at_all_gets_no_answer():
    assert pdu(make({})[1], "") == ""


def test_a_broadcast_write_is_carried_out_and_never_answered():
    cells, server = make({1: 0, 2: 0})
    write = WriteMultipleRegistersRequest(address=1, registers=[5, 6])
    assert ask(server, adu(write, 0)) == b""
    assert cells.values == {1: 5, 2: 6}
    assert ask(server, adu(WriteSingleRegisterRequest(address=2, registers=[9]), 0)) == b""
    assert cells.values == {1: 5, 2: 9}


def test_a_broadcast_of_anything_else_is_ignored():
    server = make({1: 0})[1]
    assert ask(server, adu(ReadHoldingRegistersRequest(address=1, count=1), 0)) == b""
    assert ask(server, with_crc("002b0e0100")) == b""
    assert ask(server, adu(WriteSingleRegisterRequest(address=99, registers=[9]), 0)) == b""


def test_other_addresses_wrong_checksums_and_exceptions_of_others_get_silence():
    cells, server = make({1: 0})
    frame = adu(WriteSingleRegisterRequest(address=1, registers=[9]))
    assert ask(server, adu(WriteSingleRegisterRequest(address=1, registers=[9]), 18)) == b""
    assert ask(server, frame[:-1] + bytes((frame[-1] ^ 1,))) == b""
    assert ask(server, with_crc("118302")) == b""
    assert ask(server, b"\x11\x03\x00") == b""
    assert ask(server, bytes(257)) == b""
    assert cells.writes == 0


def test_a_request_may_lie_anywhere_in_its_buffer():
    server = make({1: 0x1234})[1]
    frame = adu(ReadHoldingRegistersRequest(address=1, count=1))
    assert parse(ask(server, frame, start=200)).registers == [0x1234]


frames = st.one_of(
    st.binary(min_size=0, max_size=256),
    st.binary(min_size=1, max_size=252).map(lambda body: with_crc(f"{ADDRESS:02x}{body.hex()}")),
    st.tuples(
        st.sampled_from((3, 4, 6, 16)), st.integers(0, 65535), st.integers(0, 300), st.binary()
    ).map(lambda f: with_crc(f"11{f[0]:02x}{f[1]:04x}{f[2]:04x}{f[3][:240].hex()}")),
)


@given(frames)
def test_whatever_comes_no_answer_is_malformed(frame):
    answer = ask(make(dict.fromkeys(range(300), 0))[1], frame)
    if answer and frame[1]:  # pymodbus knows no exception to function 0
        message = parse(answer)
        assert message.function_code & 0x7F == frame[1]
