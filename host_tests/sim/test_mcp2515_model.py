"""The MCP2515 model against its data sheet (DS20001801J) and ISO 11898-1's fault confinement."""

import pytest

from boards.sim.can_bus import CanBus, CanPort, frame_bits
from boards.sim.mcp2515 import Mcp2515
from boards.sim.spi import ChipSelect, Spi

RESET, READ, WRITE, BIT_MODIFY = 0xC0, 0x03, 0x02, 0x05
CANSTAT, CANCTRL, TEC, REC = 0x0E, 0x0F, 0x1C, 0x1D
CANINTE, CANINTF, EFLG = 0x2B, 0x2C, 0x2D
NORMAL, SLEEP, LOOPBACK, LISTEN, CONFIGURATION = 0x00, 0x20, 0x40, 0x60, 0x80
# CNF1, CNF2, CNF3 for 8 MHz by the formulas of section 5: 8 quanta (1 + 1 + 3 + 3) a bit
RATES = {500000: (0x00, 0x90, 0x02), 250000: (0x01, 0x90, 0x02), 125000: (0x03, 0x90, 0x02)}
SECOND = 1_000_000


class Bench:
    """A chip on SPI and on a bus, with one well-behaved neighbour."""

    def __init__(self, bit_rate=500000, oscillator_hz=8000000, neighbour=True):
        self.bus = CanBus(bit_rate)
        self.chip = self.bus.join(Mcp2515(oscillator_hz))
        self.heard = []
        self.neighbour = CanPort(lambda *frame: self.heard.append(frame))
        if neighbour:
            self.bus.join(self.neighbour)
        self.spi = Spi(self.chip)
        self.select = ChipSelect(self.spi)

    def transfer(self, *data):
        buf = bytearray(data)
        self.select(0)
        self.spi.write_readinto(buf, buf)
        self.select(1)
        return bytes(buf)

    def read(self, address, count=1):
        values = self.transfer(READ, address, *bytes(count))[2:]
        return values[0] if count == 1 else values

    def write(self, address, *values):
        self.transfer(WRITE, address, *values)

    def start(self, mode=NORMAL, bit_rate=500000, any_message=True):
        cnf1, cnf2, cnf3 = RATES[bit_rate]
        self.write(0x28, cnf3, cnf2, cnf1)
        if any_message:
            self.write(0x60, 0x64)
            self.write(0x70, 0x60)
        self.write(CANINTE, 0xFF)
        self.write(CANCTRL, mode)
        return self

    def load(self, buffer, identifier, data=b"", remote=0):
        """LOAD TX BUFFER of a standard frame."""
        header = (identifier >> 3, identifier << 5 & 0xFF, 0, 0, len(data) | remote)
        self.transfer(0x40 | 2 * buffer, *header, *data)

    def send(self, *identifiers):
        """Load buffers 0, 1, 2 and request them together."""
        for buffer, identifier in enumerate(identifiers):
            self.load(buffer, identifier, b"\x11\x22")
        self.transfer(0x80 | (1 << len(identifiers)) - 1)


def test_reset_values_of_the_register_map():
    bench = Bench()
    assert bench.read(CANSTAT) == 0x80
    assert bench.read(CANCTRL) == 0x87
    for address in (0x0C, 0x0D, TEC, REC, 0x28, 0x29, 0x2A, CANINTE, CANINTF, EFLG, 0x30, 0x60):
        assert bench.read(address) == 0x00, hex(address)


def test_the_reset_instruction_brings_everything_back():
    bench = Bench().start()
    bench.transfer(RESET)
    assert bench.read(CANSTAT) == 0x80
    assert bench.read(CANINTE) == 0x00
    assert bench.read(0x29) == 0x00


def test_read_and_write_go_on_to_the_next_address():
    bench = Bench()
    bench.write(0x20, 1, 2, 3, 4)
    assert bench.read(0x20, 4) == b"\x01\x02\x03\x04"


def test_status_and_control_show_in_every_column_of_the_map():
    bench = Bench()
    for column in range(8):
        assert bench.read(column << 4 | 0x0E) == 0x80
        assert bench.read(column << 4 | 0x0F) == 0x87


def test_bits_that_are_not_there_read_as_zero():
    bench = Bench()
    for address, bits in ((0x01, 0xEB), (0x21, 0xE3), (0x28, 0xC7), (0x32, 0xEB), (0x35, 0x4F)):
        bench.write(address, 0xFF)
        assert bench.read(address) == bits, hex(address)


def test_bit_modify_changes_the_masked_bits_only_where_it_can():
    bench = Bench()
    bench.write(CANINTE, 0b10100101)
    bench.transfer(BIT_MODIFY, CANINTE, 0b00001111, 0b01011010)
    assert bench.read(CANINTE) == 0b10101010
    bench.write(0x36, 0xA5)  # TXB0D0 takes a plain write instead
    bench.transfer(BIT_MODIFY, 0x36, 0x0F, 0x5A)
    assert bench.read(0x36) == 0x5A


def test_bit_timing_filters_and_masks_are_written_in_configuration_mode_only():
    bench = Bench().start()
    for address in (0x00, 0x0D, 0x1B, 0x20, 0x28, 0x29, 0x2A):
        before = bench.read(address)
        bench.write(address, 0x55 ^ before)
        assert bench.read(address) == before, hex(address)


def test_nothing_moves_while_the_chip_is_not_selected():
    bench = Bench()
    buf = bytearray((READ, CANSTAT, 0))
    bench.spi.write_readinto(buf, buf)
    assert buf == b"\xff\xff\xff"
    assert bench.select() == 1
    with pytest.raises(ValueError, match="same length"):
        bench.spi.write_readinto(bytearray(2), bytearray(3))


def test_readinto_sends_the_given_byte():
    bench = Bench()
    bench.select(0)
    bench.spi.write(bytes((READ, CANCTRL)))
    buf = bytearray(1)
    bench.spi.readinto(buf)
    bench.select(1)
    assert buf == b"\x87"


@pytest.mark.parametrize("bit_rate", [125000, 250000, 500000])
def test_bit_rate_follows_from_cnf_and_oscillator(bit_rate):
    bench = Bench(bit_rate).start(bit_rate=bit_rate)
    assert bench.chip.bit_rate == bit_rate
    bench = Bench(bit_rate, oscillator_hz=16000000).start(bit_rate=bit_rate)
    assert bench.chip.bit_rate == 2 * bit_rate


def test_example_of_the_data_sheet_gives_125_kbit():
    bench = Bench(125000, oscillator_hz=20000000)
    # 5.3: Fosc 20 MHz, BRP 4, PropSeg 2, PS1 7, PS2 6: 16 quanta of 500 ns
    bench.write(0x28, 0x05, 0x80 | 6 << 3 | 1, 0x04)
    bench.write(CANCTRL, NORMAL)
    assert bench.chip.bit_rate == 125000


def test_a_message_is_received_by_the_others_and_flagged():
    bench = Bench().start()
    bench.send(0x351)
    assert bench.transfer(0xA0, 0)[1] == 0x04  # READ STATUS: TXREQ of buffer 0
    bench.bus.advance(10_000)
    assert bench.heard == [(0x351, b"\x11\x22", False, False)]
    assert bench.read(0x30) == 0x00
    assert bench.read(CANINTF) == 0x04
    assert bench.transfer(0xA0, 0)[1] == 0x08  # READ STATUS: TX0IF
    assert bench.chip.interrupt_level() == 0
    assert bench.read(CANSTAT) == 0x03 << 1  # TXB0 interrupt


def test_a_frame_takes_its_time_on_the_wire():
    # Davis 2007: an 8-byte frame has at most 135 bits with 11-bit and 160 with 29-bit identifiers
    assert frame_bits((0x351, bytes(8), False, False)) == 135
    assert frame_bits((0x351, bytes(8), True, False)) == 160
    bench = Bench(125000).start(bit_rate=125000)
    bench.load(0, 0x351, bytes(8))
    bench.transfer(0x81)
    bench.bus.advance(135 * 8 - 1)
    assert bench.heard == []
    bench.bus.advance(1)
    assert len(bench.heard) == 1


def test_equal_priorities_send_the_highest_buffer_first():
    bench = Bench().start()
    bench.send(0x100, 0x101, 0x102)
    bench.bus.advance(10_000)
    assert [frame[0] for frame in bench.heard] == [0x102, 0x101, 0x100]


def test_transmit_priority_bits_go_before_buffer_numbers():
    bench = Bench().start()
    for buffer, priority in ((0, 3), (1, 1), (2, 2)):
        bench.write(0x30 + 0x10 * buffer, priority)
    bench.send(0x100, 0x101, 0x102)
    bench.bus.advance(10_000)
    assert [frame[0] for frame in bench.heard] == [0x100, 0x102, 0x101]


def test_the_lower_identifier_wins_the_bus_and_the_loser_notes_it():
    bench = Bench().start()
    bench.neighbour.send(0x305, bytes(8))
    bench.send(0x351)
    bench.bus.advance(100)
    assert bench.read(0x30) == 0x08 | 0x20  # still requested, MLOA
    bench.bus.advance(10_000)
    assert bench.heard == [(0x351, b"\x11\x22", False, False)]
    assert bench.read(0x61, 2) == bytes((0x305 >> 3, 0x305 << 5 & 0xFF))


def test_a_pending_buffer_is_not_written():
    bench = Bench().start()
    bench.send(0x351)
    bench.write(0x36, 0x77)
    bench.bus.advance(10_000)
    assert bench.heard[0][1] == b"\x11\x22"


def test_extended_and_remote_frames_travel_both_ways():
    bench = Bench().start()
    # 29 bits 0x18FF5A21: SID 0x63F, EID 0x35A21
    bench.transfer(0x40, 0x63F >> 3, (0x63F & 7) << 5 | 0x08 | 0x03, 0x5A, 0x21, 0x02, 0xAA, 0xBB)
    bench.transfer(0x81)
    bench.bus.advance(1000)
    assert bench.heard == [(0x18FF5A21, b"\xaa\xbb", True, False)]
    bench.neighbour.send(0x18FF5A21, b"\xcc", extended=True)
    bench.neighbour.send(0x123, b"", remote=True)
    bench.bus.advance(1000)
    assert bench.read(0x61, 6) == bytes((0xC7, 0xE0 | 0x08 | 0x03, 0x5A, 0x21, 0x01, 0xCC))
    assert bench.transfer(0xB0, 0)[1] == 0xC0 | 0x10  # both full; extended data frame first
    assert bench.read(0x70, 3) == bytes((0x60 | 0x08, 0x123 >> 3, 0x60 | 0x10))  # RXRTR, SRR


def test_read_rx_buffer_returns_the_message_and_clears_its_flag():
    bench = Bench().start()
    bench.neighbour.send(0x305, b"\x01\x02\x03")
    bench.bus.advance(1000)
    assert bench.read(CANINTF) == 0x01
    assert bench.transfer(0xB0, 0)[1] == 0x40  # RX STATUS: standard data frame in RXB0, RXF0
    message = bench.transfer(0x90, *bytes(8))[1:]
    assert message == bytes((0x305 >> 3, 0x305 << 5 & 0xFF, 0, 0, 3, 1, 2, 3))
    assert bench.read(CANINTF) == 0x00
    assert bench.chip.interrupt_level() == 1


def test_read_rx_buffer_can_start_at_the_data():
    bench = Bench().start()
    bench.neighbour.send(0x305, b"\x01\x02\x03")
    bench.bus.advance(1000)
    assert bench.transfer(0x92, 0, 0, 0)[1:] == b"\x01\x02\x03"


def test_a_full_first_buffer_rolls_over_and_the_next_message_is_lost():
    bench = Bench().start()
    for identifier in (0x305, 0x306, 0x307):
        bench.neighbour.send(identifier, b"")
    bench.bus.advance(10_000)
    assert bench.read(CANINTF) == 0x01 | 0x02 | 0x20
    assert bench.read(EFLG) == 0x80  # RX1OVR
    assert bench.transfer(0xB0, 0)[1] & 0xC0 == 0xC0
    assert bench.read(0x71) == 0x306 >> 3
    bench.transfer(0x90, 0)
    assert bench.transfer(0xB0, 0)[1] == 0x80 | 6  # RXF0, rolled over to RXB1


def test_without_rollover_the_first_buffer_overflows():
    bench = Bench().start()
    bench.write(0x60, 0x60)
    bench.neighbour.send(0x305, b"")
    bench.neighbour.send(0x306, b"")
    bench.bus.advance(10_000)
    assert bench.read(EFLG) == 0x40
    bench.write(EFLG, 0x00)
    assert bench.read(EFLG) == 0x00


def test_filters_and_masks_choose_what_is_received():
    bench = Bench()
    bench.write(0x20, 0xFF, 0xE0, 0, 0)  # RXM0: all 11 bits
    bench.write(0x24, 0xFF, 0xE0, 0, 0)  # RXM1
    bench.write(0x04, 0x305 >> 3, 0x305 << 5 & 0xFF, 0, 0)  # RXF1
    bench.write(0x18, 0x7DF >> 3, 0x7DF << 5 & 0xFF, 0, 0)  # RXF5
    bench.start(any_message=False)
    for identifier in (0x304, 0x305, 0x7DF, 0x7DE):
        bench.neighbour.send(identifier, b"")
    bench.neighbour.send(0x305 << 18, b"", extended=True)
    bench.bus.advance(10_000)
    assert bench.read(CANINTF) == 0x03
    assert bench.read(0x60) & 0x01 == 1  # FILHIT: RXF1
    assert bench.read(0x70) & 0x07 == 5  # FILHIT: RXF5
    assert bench.read(EFLG) == 0x00


def test_an_extended_filter_lets_extended_frames_in_only():
    bench = Bench()
    bench.write(0x20, 0xFF, 0xE3, 0xFF, 0xFF)
    bench.write(0x24, 0xFF, 0xE3, 0xFF, 0xFF)
    bench.write(0x00, 0xC7, 0xE8 | 0x03, 0x5A, 0x21)
    bench.start(any_message=False)
    bench.neighbour.send(0x63F, b"\x5a\x21")
    bench.neighbour.send(0x18FF5A21, b"", extended=True)
    bench.bus.advance(10_000)
    assert bench.read(CANINTF) == 0x01
    assert bench.read(0x62) & 0x08


def test_a_wrong_bit_rate_makes_errors_and_ends_in_bus_off():
    bench = Bench(500000).start(bit_rate=250000)
    bench.send(0x351)
    bench.bus.advance(32 * 500)  # 32 errors of 8 are 256; a short frame lasts 250 us at most
    assert bench.heard == []
    assert bench.read(CANINTF) & 0x04 == 0
    states = set()
    for _ in range(100):
        bench.bus.advance(100)
        states.add(bench.read(EFLG) & 0x20)
    assert 0x20 in states  # TXBO
    assert bench.read(CANINTF) & 0xA0 == 0xA0  # MERRF, ERRIF


def test_a_receiver_with_a_wrong_bit_rate_counts_errors():
    bench = Bench(500000).start(bit_rate=250000)
    bench.neighbour.send(0x305, bytes(8))
    bench.bus.advance(1000)
    assert bench.read(REC) == 9  # ISO 11898-1: 1 for the error, 8 for the answer to its flag
    assert bench.read(CANINTF) == 0x80


def test_without_a_neighbour_the_error_counter_stops_at_error_passive():
    bench = Bench(neighbour=False).start()
    bench.send(0x351)
    bench.bus.advance(300)
    assert bench.read(TEC) == 8
    bench.bus.advance(1000 * SECOND)
    assert bench.read(TEC) == 128
    assert bench.read(EFLG) == 0x10 | 0x04 | 0x01  # TXEP, TXWAR, EWARN
    assert bench.read(0x30) == 0x08 | 0x10  # TXREQ, TXERR
    bench.bus.join(bench.neighbour)
    bench.bus.advance(10_000)
    assert len(bench.heard) == 1
    assert bench.read(TEC) == 127
    assert bench.read(EFLG) == 0x04 | 0x01


def test_a_shorted_bus_leads_to_bus_off_and_its_end_to_recovery():
    bench = Bench().start()
    bench.bus.shorted = True
    bench.send(0x351)
    states = set()
    for _ in range(200):
        bench.bus.advance(100)
        states.add(bench.read(EFLG) & 0x30)
    assert states >= {0x00, 0x10, 0x30}  # active, passive, bus-off, again and again
    assert bench.heard == []
    bench.bus.shorted = False
    bench.bus.advance(20_000)
    assert len(bench.heard) == 1
    assert bench.read(EFLG) & 0x20 == 0


def test_bus_off_lasts_128_times_11_recessive_bits():
    bench = Bench().start()
    bench.bus.shorted = True
    bench.send(0x351)
    while not bench.read(EFLG) & 0x20:
        bench.bus.advance(10)
    bench.bus.shorted = False
    bench.bus.advance(128 * 11 * 2 - 20)
    assert bench.read(EFLG) & 0x20
    bench.bus.advance(30)
    assert not bench.read(EFLG) & 0x20
    assert bench.read(TEC) == 0


def test_one_shot_mode_tries_once():
    bench = Bench(neighbour=False).start(mode=NORMAL | 0x08)
    bench.send(0x351)
    bench.bus.advance(100_000)
    assert bench.read(TEC) == 8
    assert bench.read(0x30) == 0x40 | 0x10  # ABTF, TXERR; no request any more


def test_a_mode_change_waits_for_pending_messages_until_they_are_aborted():
    bench = Bench(neighbour=False).start()
    bench.send(0x351, 0x355)
    bench.bus.advance(100_000)
    bench.write(CANCTRL, CONFIGURATION)
    assert bench.read(CANSTAT) & 0xE0 == NORMAL
    bench.write(CANCTRL, CONFIGURATION | 0x10)  # ABAT
    bench.bus.advance(1000)
    assert bench.read(CANSTAT) & 0xE0 == CONFIGURATION
    assert bench.read(0x30) & 0x48 == 0x40
    assert bench.read(0x40) & 0x48 == 0x40
    assert bench.read(TEC) == 0  # 10.1: cleared on entering configuration mode


def test_clearing_a_request_aborts_a_message_that_waits_but_not_one_on_the_wire():
    bench = Bench().start()
    bench.send(0x100, 0x101)
    bench.bus.advance(10)  # buffer 1 is on the wire
    bench.transfer(BIT_MODIFY, 0x30, 0x08, 0x00)
    bench.transfer(BIT_MODIFY, 0x40, 0x08, 0x00)
    bench.bus.advance(10_000)
    assert [frame[0] for frame in bench.heard] == [0x101]
    assert bench.read(0x30) == 0x40
    assert bench.read(0x40) == 0x00


def test_loopback_mode_receives_its_own_messages_and_the_bus_sees_none():
    bench = Bench().start(mode=LOOPBACK)
    bench.send(0x351)
    bench.bus.advance(10_000)
    assert bench.heard == []
    assert bench.read(CANINTF) == 0x04 | 0x01
    assert bench.read(0x61) == 0x351 >> 3


def test_listen_only_mode_receives_but_neither_acknowledges_nor_sends():
    bench = Bench().start(mode=LISTEN)
    third = bench.bus.join(CanPort(lambda *frame: None))
    bench.neighbour.send(0x305, bytes(8))
    bench.send(0x351)
    bench.bus.advance(10_000)
    assert bench.read(CANINTF) == 0x01
    assert bench.heard == []
    third.connected = False
    bench.write(CANINTF, 0)
    bench.neighbour.send(0x305, bytes(8))
    bench.bus.advance(10_000)
    assert bench.read(CANINTF) == 0x00  # nobody acknowledged, so the frame was never valid


def test_bus_activity_wakes_a_sleeping_chip_into_listen_only_mode():
    bench = Bench().start()
    bench.bus.join(CanPort(lambda *frame: None))
    bench.write(CANCTRL, SLEEP)
    assert bench.read(CANSTAT) & 0xE0 == SLEEP
    bench.write(CANCTRL, NORMAL)
    assert bench.read(CANSTAT) & 0xE0 == SLEEP
    bench.write(CANCTRL, SLEEP)
    bench.neighbour.send(0x305, bytes(8))
    bench.bus.advance(10_000)
    assert bench.read(CANSTAT) & 0xE0 == LISTEN
    assert bench.read(CANINTF) == 0x40  # WAKIF; the message itself is lost


def test_setting_the_wake_flag_wakes_the_chip():
    bench = Bench().start()
    bench.write(CANCTRL, SLEEP)
    bench.transfer(BIT_MODIFY, CANINTF, 0x40, 0x40)
    assert bench.read(CANSTAT) & 0xE0 == LISTEN


def test_two_chips_talk_to_each_other():
    first = Bench(neighbour=False)
    second = Mcp2515(16000000)
    first.bus.join(second)
    first.start()
    other = Bench(neighbour=False, oscillator_hz=16000000)
    other.chip = second
    other.spi = Spi(second)
    other.select = ChipSelect(other.spi)
    other.start(bit_rate=250000)  # the same CNF values at twice the clock
    first.send(0x351)
    first.bus.advance(10_000)
    assert other.read(0x61) == 0x351 >> 3
    assert first.read(TEC) == 0
