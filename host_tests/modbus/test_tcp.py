"""Modbus TCP: what is a request, what answers it, and what ends a connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    WriteSingleRegisterRequest,
)

from host_tests.modbus.bench import ADDRESS, Device
from modbus.tcp import Exchange

_ASK = FramerSocket(DecodePDU(is_server=True))
_LISTEN = FramerSocket(DecodePDU(is_server=False))


def adu(message, unit=ADDRESS, transaction=7):
    message.dev_id = unit
    message.transaction_id = transaction
    return _ASK.buildFrame(message)


class Client:
    """A connection on the desk."""

    def __init__(self):
        self.device = Device()
        self.exchange = Exchange(self.device.server, self.device.registers)

    def send(self, data):
        """All answers, parsed by pymodbus; None at the end if the connection is of no use."""
        exchange = self.exchange
        exchange.view[exchange.fill : exchange.fill + len(data)] = data
        exchange.fill += len(data)
        answers = []
        while size := exchange.answer():
            if size < 0:
                answers.append(None)
                break
            _, message = _LISTEN.handleFrame(bytes(exchange.response[:size]), 0, 0)
            answers.append(message)
        return answers


READ = ReadHoldingRegistersRequest(address=0x00FF, count=1)


def test_a_request_is_answered_with_its_transaction_and_unit():
    (answer,) = Client().send(adu(READ, transaction=0xBEEF))
    assert answer.registers == [1]
    assert (answer.transaction_id, answer.dev_id) == (0xBEEF, ADDRESS)


def test_125_registers_fit_an_answer():
    (answer,) = Client().send(adu(ReadHoldingRegistersRequest(address=0x0100, count=125)))
    assert len(answer.registers) == 125


@pytest.mark.parametrize("unit", [0, 255, ADDRESS])
def test_units_that_mean_this_device(unit):
    assert Client().send(adu(READ, unit))[0].registers == [1]


def test_another_unit_gets_what_a_gateway_says():
    """V1.1b3, 7: 0B, gateway target device failed to respond."""
    assert Client().send(adu(READ, 99))[0].exception_code == 0x0B


def test_requests_in_pieces_and_joined():
    client = Client()
    frame = adu(READ)
    for byte in frame[:-1]:
        assert client.send(bytes((byte,))) == []
    assert len(client.send(frame[-1:])) == 1
    assert len(client.send(frame + frame + frame[:5])) == 2
    assert len(client.send(frame[5:])) == 1


def test_writes_need_the_code_and_are_exceptions_without_it():
    client = Client()
    refused = client.send(adu(WriteSingleRegisterRequest(address=0x1010, registers=[50])))
    assert refused[0].exception_code == 1
    assert client.exchange.refused
    client.device.unlock()
    done = client.send(adu(WriteSingleRegisterRequest(address=0x1010, registers=[50])))
    assert not done[0].isError()


@pytest.mark.parametrize(
    "data",
    ["000100010006010300ff0001", "0001000000010103", "00010000ffff0103", "474554202f20485454502f"],
    ids=["another protocol", "no function", "longer than any", "HTTP"],
)
def test_what_is_no_modbus_tcp_ends_the_connection(data):
    assert Client().send(bytes.fromhex(data)) == [None]


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_nothing_that_arrives_raises_or_overflows(pieces):
    client = Client()
    for piece in pieces:
        room = len(client.exchange.buffer) - client.exchange.fill
        assert room > 0
        if None in client.send(piece[:room]):
            client.exchange.fill = 0
    client.exchange.fill = 0
    assert client.send(adu(READ))[0].registers == [1]
