"""The RTU slave on a line in virtual time: when it answers, and when it holds the line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    WriteSingleRegisterRequest,
)

from host_tests.modbus.bench import ADDRESS, Device, Line, Slave, Uart, adu, parse, with_crc
from rs485 import port

READ = adu(ReadHoldingRegistersRequest(address=0x00FF, count=1))
ANSWER = with_crc(f"{ADDRESS:02x}03020001")  # version 1 of the map


class Pin:
    """A transmit-enable pin that remembers when it moved."""

    def __init__(self, line):
        self._line = line
        self.moves = []

    def __call__(self, value):
        self.moves.append((self._line.now_ms, value))


def make(baud=9600, pin=False, **uart):
    line = Line(baud)
    port.asyncio = line
    switch = Pin(line) if pin else None
    slave = Slave(Uart(line, **uart), baud, Device().server, switch)
    return line, slave, switch


@pytest.fixture(autouse=True)
def _real_asyncio(monkeypatch):
    """Gives the module its asyncio back after each test (`make` replaced it)."""
    monkeypatch.setattr(port, "asyncio", port.asyncio)


def test_a_request_is_answered():
    line, slave, _ = make()
    line.arrives(10, READ)
    line.run(slave.run())
    assert line.answers() == [ANSWER]
    assert (slave.requests, slave.answers, slave.others, slave.broken) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("baud", "silence_ms"), [(9600, 3.5 * 10 / 9.6), (19200, 3.5 * 10 / 19.2), (115200, 1.75)]
)
def test_the_answer_begins_t35_after_the_request_and_soon(baud, silence_ms):
    """Modbus over serial line V1.02, 2.5.1.1: 3.5 characters, 1.75 ms above 19200 baud."""
    line, slave, _ = make(baud)
    line.arrives(10, READ)
    line.run(slave.run())
    assert silence_ms <= line.sent[0][0] - 10 <= silence_ms + 1


@pytest.mark.parametrize("gap_ms", [0.1, 1.04, 5, 20, 60])
def test_a_request_may_arrive_byte_by_byte(gap_ms):
    line, slave, _ = make()
    line.arrives_byte_by_byte(0, READ, gap_ms)
    line.run(slave.run())
    assert line.answers() == [ANSWER]


def test_an_idle_line_costs_nothing():
    line, slave, _ = make()
    line.arrives(3_600_000, READ)
    line.run(slave.run())
    assert line.answers() == [ANSWER]
    assert line.wakeups <= 4


def test_half_a_request_costs_little_and_is_forgotten():
    line, slave, _ = make()
    line.arrives(0, READ[:5])
    line.arrives(3_600_000, READ)
    line.run(slave.run())
    assert line.answers() == [ANSWER]
    assert slave.broken == 1
    assert line.wakeups <= 40


def test_exceptions_are_answers_and_broadcasts_are_not_answered():
    line, slave, _ = make()
    line.arrives(0, adu(ReadHoldingRegistersRequest(address=0x00FF, count=1), 0))
    line.arrives(100, with_crc(f"{ADDRESS:02x}2b0e0100"))
    line.arrives(200, adu(ReadHoldingRegistersRequest(address=0, count=1)))
    line.arrives(300, adu(ReadHoldingRegistersRequest(address=0x00FF, count=1), 18))
    line.run(slave.run())
    assert [parse(answer).exception_code for answer in line.answers()] == [1, 2]
    assert (slave.requests, slave.answers, slave.others) == (3, 2, 1)


@pytest.mark.parametrize("baud", [9600, 19200, 115200])
def test_the_line_is_held_until_the_last_bit_and_no_longer_than_needed(baud):
    line, slave, pin = make(baud, pin=True)
    line.arrives(10, adu(ReadHoldingRegistersRequest(address=0x0100, count=100)))
    line.run(slave.run())
    started, answer = line.sent[0]
    last_bit = started + len(answer) * 10_000 / baud
    assert [value for _, value in pin.moves] == [1, 0]
    assert pin.moves[0][0] <= started
    assert last_bit <= pin.moves[1][0] <= last_bit + 2


def test_the_line_is_held_while_the_uart_says_it_still_sends():
    line, slave, pin = make(pin=True, sent_late_ms=7)
    line.arrives(0, READ)
    line.run(slave.run())
    last_bit = line.sent[0][0] + len(ANSWER) * 10_000 / 9600 + 7
    assert last_bit + 1 <= pin.moves[1][0] <= last_bit + 4


def test_a_uart_that_never_says_it_is_done_does_not_block_the_bus():
    line, slave, pin = make(pin=True, sent_late_ms=1e9)
    line.arrives(0, READ)
    line.arrives(1000, READ)
    line.run(slave.run())
    assert line.answers() == [ANSWER, ANSWER]
    assert [value for _, value in pin.moves] == [1, 0, 1, 0]
    assert pin.moves[1][0] - pin.moves[0][0] < 100


def test_an_answer_leaves_in_the_pieces_that_the_uart_takes():
    line, slave, pin = make(pin=True, accepts=32)
    line.arrives(0, adu(ReadHoldingRegistersRequest(address=0x0100, count=106)))
    line.run(slave.run())
    assert max(map(len, line.answers())) == 32
    assert len(parse(b"".join(line.answers())).registers) == 106
    assert [value for _, value in pin.moves] == [1, 0]


def test_a_uart_that_takes_nothing_is_given_up():
    line, slave, pin = make(pin=True, accepts=0)
    line.arrives(0, READ)
    line.run(slave.run())
    assert (slave.requests, slave.answers) == (1, 0)
    assert [value for _, value in pin.moves] == [1, 0]
    assert pin.moves[1][0] - pin.moves[0][0] < 100


def test_the_line_is_released_when_the_slave_is_cancelled_while_it_sends():
    line, slave, pin = make(pin=True)
    coroutine = slave.run()
    coroutine.send(None)
    line.received += READ
    coroutine.send(None)  # waits t3.5
    coroutine.send(None)  # sends
    assert [value for _, value in pin.moves] == [1]
    coroutine.close()
    assert [value for _, value in pin.moves] == [1, 0]


def test_a_closed_socket_does_not_spin():
    _, slave, _ = make()
    coroutine = slave.run()
    assert coroutine.send(None) == ("read",)
    assert coroutine.send(None) == ("sleep", 100)  # woken without data
    assert coroutine.send(None) == ("read",)


traffic = st.lists(
    st.tuples(
        st.floats(0, 400),
        st.one_of(
            st.just(READ),
            st.binary(max_size=300),
            st.binary(max_size=80).map(lambda body: with_crc(f"{ADDRESS:02x}{body.hex()}")),
            st.tuples(st.integers(0, 7), st.integers(1, 255)).map(
                lambda t: bytes(b ^ (t[1] if at == t[0] else 0) for at, b in enumerate(READ))
            ),
        ),
    ),
    max_size=10,
)


@settings(max_examples=60)
@given(traffic, st.floats(0, 150))
def test_after_any_traffic_the_next_good_request_is_answered(traffic, gap_ms):
    line, slave, pin = make(baud=115200, pin=True)
    at_ms = 0
    for wait_ms, data in traffic:
        at_ms += wait_ms
        line.arrives(at_ms, data)
    line.arrives(at_ms + gap_ms, READ)
    line.run(slave.run())
    assert line.answers()[-1:] == [ANSWER]
    for answer in line.answers():
        assert with_crc(answer[:-2].hex()) == answer
        assert answer[0] == ADDRESS
    assert pin.moves[-1][1] == 0


def test_a_write_over_the_line_takes_effect():
    line = Line()
    port.asyncio = line
    device = Device()
    slave = Slave(Uart(line), 9600, device.server)
    line.arrives(0, adu(WriteSingleRegisterRequest(address=0x0F00, registers=[4711])))
    line.arrives(100, adu(WriteSingleRegisterRequest(address=0x1010, registers=[50])))
    line.run(slave.run())
    assert device.parameters.value("step_period_ms") == 50
