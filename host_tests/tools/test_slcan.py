"""The SLCAN adapter against the Lawicel CANUSB manual, and with python-can as its client."""

import time

import can
import pytest

from cellsteward.ptys import Pty
from cellsteward.slcan import LINE_LIMIT, SlcanAdapter
from host_tests.tools.background import BackgroundLoop

PYLONTECH_351 = b"t35181402E803E803C001\r"


class Desk:
    """An adapter with notebooks at both ends and a clock that the test turns."""

    def __init__(self):
        self.client = bytearray()
        self.bus = bytearray()
        self.discards = 0
        self.now_ms = 0
        self.adapter = SlcanAdapter(
            self.client.extend, self.bus.extend, self._discard, lambda: self.now_ms
        )

    def _discard(self):
        self.discards += 1

    def ask(self, text):
        """Answer to a command, and only that."""
        self.client.clear()
        self.adapter.from_client(text)
        return bytes(self.client)


@pytest.fixture
def desk():
    return Desk()


# CANUSB manual, chapter "Available CANUSB ASCII commands": command and answer of a closed channel.
@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"S0\r", b"\r"),
        (b"S8\r", b"\r"),
        (b"S9\r", b"\a"),
        (b"s031C\r", b"\r"),
        (b"s03\r", b"\a"),
        (b"O\r", b"\r"),
        (b"L\r", b"\r"),
        (b"C\r", b"\a"),
        (b"t10021133\r", b"\a"),
        (b"F\r", b"\a"),
        (b"Z0\r", b"\r"),
        (b"Z1\r", b"\r"),
        (b"Z2\r", b"\a"),
        (b"M00000000\r", b"\r"),
        (b"mFFFFFFFF\r", b"\r"),
        (b"mFFFF\r", b"\a"),
        (b"V\r", b"V0101\r"),
        (b"v\r", b"v0101\r"),
        (b"N\r", b"NCELL\r"),
        (b"\r", b"\r"),
        (b"nonsense\r", b"\a"),
        (b"\xff\xfe\x00\r", b"\a"),
    ],
)
def test_commands_on_a_closed_channel(desk, command, answer):
    assert desk.ask(command) == answer


@pytest.mark.parametrize(
    ("command", "answer", "on_the_bus"),
    [
        (b"t10021133\r", b"z\r", b"t10021133\r"),
        (b"t7ff0\r", b"z\r", b"t7FF0\r"),
        (b"t1008aabbccddeeff0011\r", b"z\r", b"t1008AABBCCDDEEFF0011\r"),
        (b"T0000010021133\r", b"Z\r", b"T0000010021133\r"),
        (b"r1002\r", b"z\r", b"r1002\r"),
        (b"R000001008\r", b"Z\r", b"R000001008\r"),
        (b"t80021133\r", b"\a", b""),  # identifier above 11 bits
        (b"T2000000021133\r", b"\a", b""),  # above 29 bits
        (b"T10021133\r", b"\a", b""),  # a short identifier where a long one belongs
        (b"t1009112233445566778899\r", b"\a", b""),  # nine bytes
        (b"t1003112\r", b"\a", b""),  # half a byte missing
        (b"t100211\r", b"\a", b""),
        (b"t1002113g\r", b"\a", b""),
        (b"r10021133\r", b"\a", b""),  # a remote frame has no data
        (b"F\r", b"F00\r", b""),
        (b"S6\r", b"\a", b""),  # only while closed
        (b"Z1\r", b"\a", b""),
        (b"O\r", b"\a", b""),
        (b"C\r", b"\r", b""),
    ],
)
def test_commands_on_an_open_channel(desk, command, answer, on_the_bus):
    desk.ask(b"O\r")
    assert desk.ask(command) == answer
    assert desk.bus == on_the_bus


def test_listening_only_receives_and_never_sends(desk):
    desk.ask(b"L\r")
    assert desk.ask(b"t10021133\r") == b"\a"
    assert desk.bus == b""
    desk.client.clear()
    desk.adapter.from_bus(PYLONTECH_351)
    assert desk.client == PYLONTECH_351


def test_frames_reach_the_client_only_while_the_channel_is_open(desk):
    desk.adapter.from_bus(PYLONTECH_351)
    assert desk.client == b""
    desk.ask(b"O\r")
    desk.client.clear()
    desk.adapter.from_bus(PYLONTECH_351)
    assert desk.client == PYLONTECH_351
    desk.ask(b"C\r")
    desk.client.clear()
    desk.adapter.from_bus(PYLONTECH_351)
    assert desk.client == b""


def test_closing_drops_the_frames_of_the_session_that_is_over(desk):
    desk.ask(b"O\r")
    assert desk.discards == 0
    desk.ask(b"C\r")
    assert desk.discards == 1


def test_time_stamps_count_milliseconds_and_wrap_after_a_minute(desk):
    desk.ask(b"Z1\rO\r")
    desk.client.clear()
    for desk.now_ms in (0, 59_999, 60_001):
        desk.adapter.from_bus(b"t1000\r")
    # CANUSB manual, command Z: 0x0000 to 0xEA5F
    assert desk.client == b"t10000000\rt1000EA5F\rt10000001\r"


def test_lines_may_arrive_in_pieces_with_line_feeds_and_several_at_once(desk):
    desk.ask(b"O\r")
    for byte in b"t100":
        assert desk.ask(bytes((byte,))) == b""
    assert desk.ask(b"21133\r\nt2000\r\n\nt") == b"z\rz\r"
    assert desk.ask(b"3000\r") == b"z\r"
    assert desk.bus == b"t10021133\rt2000\rt3000\r"


def test_an_overlong_line_is_refused_once_and_the_next_one_understood(desk):
    assert desk.ask(b"x" * 100_000) == b""
    assert desk.ask(b"\rV\r") == b"\aV0101\r"
    longest = b"T" + b"1FFFFFFF" + b"8" + b"00" * 8
    assert len(longest) <= LINE_LIMIT
    desk.ask(b"O\r")
    assert desk.ask(longest + b"\r") == b"Z\r"


def test_nonsense_from_the_bus_never_reaches_the_client(desk):
    desk.ask(b"O\r")
    desk.client.clear()
    desk.adapter.from_bus(b"t35\rhello\r" + b"y" * 1000 + b"\r\r" + PYLONTECH_351)
    assert desk.client == PYLONTECH_351


@pytest.fixture
def wire():
    """An adapter on a real pseudo-terminal, its bus side a notebook."""
    with BackgroundLoop() as loop:
        pty = loop.call(Pty)
        pty.bus = bytearray()
        pty.adapter = SlcanAdapter(pty.send, pty.bus.extend, pty.discard, lambda: 0)
        pty.receive = pty.adapter.from_client
        pty.put = lambda line: loop.call(pty.adapter.from_bus, line)
        yield pty
        loop.call(pty.close)


def open_bus(wire, **options):
    bus = can.Bus(interface="slcan", channel=wire.path, sleep_after_open=0, **options)
    until = time.monotonic() + 5
    wanted = "listen" if options.get("listen_only") else "normal"
    while wire.adapter.channel != wanted:
        assert time.monotonic() < until
        time.sleep(0.005)
    return bus


def test_python_can_receives_sends_and_opens_again(wire):
    for _ in range(3):
        with open_bus(wire, bitrate=500_000) as bus:
            wire.put(PYLONTECH_351)
            message = bus.recv(2)
            while message is None:  # an acknowledgement reads as no message
                message = bus.recv(2)
            assert message.arbitration_id == 0x351
            assert not message.is_extended_id
            assert message.data.hex().upper() == "1402E803E803C001"
            bus.send(can.Message(arbitration_id=0x305, data=bytes(8), is_extended_id=False))
            bus.send(can.Message(arbitration_id=0x1ABCDEF0, data=b"\x01", is_extended_id=True))
            wanted = b"t30580000000000000000\rT1ABCDEF0101\r"
            until = time.monotonic() + 5
            while wire.bus != wanted and time.monotonic() < until:
                time.sleep(0.005)
            assert wire.bus == wanted
            wire.bus.clear()


def test_python_can_asks_for_version_and_serial_number(wire):
    with open_bus(wire) as bus:
        assert bus.get_version(2) == (1, 1)
        assert bus.get_serial_number(2) == "CELL"


def test_python_can_may_listen_only(wire):
    with open_bus(wire, bitrate=250_000, listen_only=True) as bus:
        wire.put(b"T18FF50E5401020304\r")
        message = bus.recv(2)
        while message is None:
            message = bus.recv(2)
        assert (message.arbitration_id, message.data.hex()) == (0x18FF50E5, "01020304")
