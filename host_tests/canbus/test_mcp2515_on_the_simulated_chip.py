"""The driver against the register-level model, which was written without knowledge of it."""

import pytest

from boards.sim.can_bus import CanBus, CanPort
from boards.sim.mcp2515 import Mcp2515
from boards.sim.spi import ChipSelect, Spi
from canbus.mcp2515 import MCP2515

FRAME_MS = 1.3  # the longest frame at 125 kbit/s: 135 bits, and an error frame
KEEPALIVE = 0x305


class Wire:
    """A chip, its bus, and an inverter that writes down what it hears."""

    def __init__(self, hz=8_000_000, kbit=500, rate=None):
        self.heard = []
        self.bus = CanBus(rate or kbit * 1000)
        self.chip = self.bus.join(Mcp2515(hz))
        self.inverter = self.bus.join(CanPort(self._hear))
        self.spi = Spi(self.chip)
        self.select = ChipSelect(self.spi)
        self.can = MCP2515(self.spi, self.select, kbit, hz)
        self.wait(1)

    def _hear(self, identifier, data, extended, remote):
        assert not extended
        assert not remote
        self.heard.append((identifier, bytes(data)))

    def wait(self, milliseconds):
        self.bus.advance(int(milliseconds * 1000))

    def waiting(self):
        return self.can.get_counters([0] * 8)[5]

    def fetch(self):
        """Identifiers of all frames that wait in the chip."""
        message = [0, memoryview(bytearray(8)), 0, 0]
        identifiers = []
        while self.can.recv(message):
            identifiers.append(message[0])
        return identifiers


@pytest.mark.parametrize("hz", [8_000_000, 16_000_000])
@pytest.mark.parametrize("kbit", [125, 250, 500])
def test_frames_go_both_ways_at_every_speed(hz, kbit):
    wire = Wire(hz, kbit)
    assert wire.can.state() == MCP2515.STATE_ACTIVE
    wire.can.send(0x351, bytes.fromhex("1402E803E803C001"))
    wire.inverter.send(KEEPALIVE, bytes(range(8)))
    wire.wait(4 * FRAME_MS)
    assert wire.heard == [(0x351, bytes.fromhex("1402E803E803C001"))]
    message = [0, memoryview(bytearray(8)), 0, 0]
    assert wire.can.recv(message) is message
    assert (message[0], bytes(message[1]), message[2], message[3]) == (
        KEEPALIVE,
        bytes(range(8)),
        0,
        0,
    )
    assert wire.can.recv(message) is None


def test_three_frames_at_once_arrive_in_the_order_they_were_queued():
    wire = Wire()
    queued = [wire.can.send(identifier, b"\x01") for identifier in (0x35E, 0x351, 0x356)]
    assert None not in queued
    assert wire.can.send(0x100, b"") is None
    wire.wait(4 * FRAME_MS)
    assert [identifier for identifier, _ in wire.heard] == [0x35E, 0x351, 0x356]


def test_a_crystal_of_the_wrong_frequency_gets_nothing_through():
    wire = Wire(hz=16_000_000, kbit=250, rate=500_000)
    wire.can.send(0x351, bytes(8))
    wire.wait(50)
    assert wire.heard == []
    assert wire.can.state() != MCP2515.STATE_ACTIVE


def test_without_a_second_node_frames_wait_and_the_chip_stays_on_the_bus():
    wire = Wire()
    wire.inverter.connected = False
    wire.can.send(0x351, bytes(8))
    wire.wait(1000)
    assert wire.can.state() == MCP2515.STATE_PASSIVE
    counters = wire.can.get_counters([0] * 8)
    assert counters[0] == 128
    assert counters[5] == 1


def test_a_cancelled_frame_is_never_sent_later():
    wire = Wire()
    wire.inverter.connected = False
    for identifier in (0x351, 0x355, 0x356):
        wire.can.send(identifier, bytes(8))
    wire.wait(5)
    assert [wire.can.cancel_send(index) for index in range(3)] == [True, True, True]
    wire.wait(FRAME_MS)
    assert wire.waiting() == 0
    wire.inverter.connected = True
    wire.can.send(0x35E, b"new")
    wire.wait(100)
    assert wire.heard == [(0x35E, b"new")]


def test_a_shorted_bus_leads_to_bus_off_and_a_restart_back():
    wire = Wire()
    wire.bus.shorted = True
    wire.can.send(0x351, b"old")
    states = set()
    for _ in range(100):
        wire.wait(0.1)
        states.add(wire.can.state())
    assert MCP2515.STATE_BUS_OFF in states
    assert wire.can.get_counters([0] * 8)[4] >= 1
    wire.bus.shorted = False
    wire.can.restart()
    wire.wait(1)
    assert wire.can.state() == MCP2515.STATE_ACTIVE
    wire.can.send(0x351, b"new")
    wire.wait(FRAME_MS)
    assert wire.heard == [(0x351, b"new")]


def test_other_traffic_can_not_displace_the_inverters_frame():
    wire = Wire()
    wire.can.set_filters(((KEEPALIVE, 0x7FF, 0), (0, 0, 0)))
    wire.wait(1)
    for identifier in (0x306, 0x307, KEEPALIVE, 0x308):
        wire.inverter.send(identifier, b"")
    wire.wait(4 * FRAME_MS)
    assert wire.fetch() == [KEEPALIVE, 0x306]


def test_frames_that_found_no_room_are_counted():
    wire = Wire()
    for identifier in (0x305, 0x306, 0x307):
        wire.inverter.send(identifier, b"")
    wire.wait(4 * FRAME_MS)
    assert wire.can.state() == MCP2515.STATE_ACTIVE
    message = [0, memoryview(bytearray(8)), 0, 0]
    wire.can.recv(message)
    assert message[0] == 0x305
    assert message[3] == MCP2515.RECV_ERR_OVERRUN
    assert wire.fetch() == [0x306]
    assert wire.can.get_counters([0] * 8)[7] == 1


def test_filters_keep_unwanted_frames_out():
    wire = Wire()
    wire.can.set_filters(((KEEPALIVE, 0x7FF, 0),))
    wire.wait(1)
    wire.inverter.send(0x307, b"12345678")
    wire.inverter.send(KEEPALIVE, bytes(8), extended=True)
    wire.inverter.send(KEEPALIVE, bytes(8))
    wire.wait(4 * FRAME_MS)
    assert wire.fetch() == [KEEPALIVE]


@pytest.mark.parametrize("filters", [None, ((KEEPALIVE, 0x7FF, 0), (0, 0, 0))])
def test_where_everything_is_heard_29_bit_identifiers_are_too(filters):
    wire = Wire()
    wire.can.set_filters(filters)
    wire.wait(1)
    message = [0, memoryview(bytearray(8)), 0, 0]
    for identifier, remote in ((0x18FF5A21, False), (0x00004200, False), (0x1FFFFFFF, True)):
        wire.inverter.send(identifier, b"" if remote else b"\x02", extended=True, remote=remote)
        wire.wait(2 * FRAME_MS)
        assert wire.can.recv(message) is message
        assert message[0] == identifier
        flags = MCP2515.FLAG_EXT_ID | (MCP2515.FLAG_RTR if remote else 0)
        assert message[2] == flags
        assert bytes(message[1]) == (b"" if remote else b"\x02")
    wire.inverter.send(0x307, b"VIC")
    wire.wait(2 * FRAME_MS)
    wire.can.recv(message)
    assert (message[0], message[2]) == (0x307, 0)


def test_a_chip_that_restarted_by_itself_is_noticed_and_brought_back():
    wire = Wire()
    wire.select(0)
    wire.spi.write(b"\xc0")  # as a dip of its supply would
    wire.select(1)
    assert wire.can.state() == MCP2515.STATE_STOPPED
    wire.can.restart()
    wire.wait(1)
    assert wire.can.state() == MCP2515.STATE_ACTIVE
