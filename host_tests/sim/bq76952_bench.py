"""A bench for the BQ76952 model: a pack held by hand, and a host that speaks raw registers.

The host is written from afe.md section 1 alone, so that the tests compare the model with the
document and not with the project's driver.
"""

from boards.sim.bq76952 import Bq76952
from boards.sim.i2c import I2C

ADDRESS = 0x08
MS = 1000
S = 1_000_000
SCAN_MS = 63  # SLUSE13B: 21 slots of 3 ms
FULLSCAN_MS = 3 * 63
# Bits of Safety Status A.
CUV, COV, OCC, OCD1, OCD2, SCD = 0x04, 0x08, 0x10, 0x20, 0x40, 0x80
# All protections of current and cell voltage on, for a shunt of 1 mohm: 1 A = 1 mV.
CURRENT_SETTINGS = (
    (0x9261, b"\xfc"),
    (0x9280, bytes([10, 5, 20, 30, 40, 2])),  # OCC 20 mV, OCD1 40 mV, OCD2 80 mV, with delays
    (0x9286, bytes([6, 2])),  # SCD 125 mV, 15 us
    (0x9314, b"\x00"),
)
# The host watchdog on, at 5 s.
WATCHDOG_SETTINGS = ((0x9263, b"\x02"), (0x92B2, b"\x05\x00"))


class BenchPack:
    """16 cells of 3.3 V at rest, a shunt of 1 mohm."""

    def __init__(self, cells=16):
        self.cell_v = [3.3] * cells
        self.current_a = 0.0
        self.cell_temperature_c = [25.0, 25.0, 25.0]
        self.board_temperature_c = 30.0
        self.bus_v = 3.3 * cells
        self.load_present = False
        self.shunt_ohm = 0.001


def little(value, count=2):
    """A register's bytes."""
    return value.to_bytes(count, "little", signed=value < 0)


def crc8_by_the_book(data):
    """CRC-8 bit by bit: polynomial 0x07, initial value 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


def checksum(command, data):
    return 0xFF & ~(command + (command >> 8) + sum(data))


class Bench:
    """Chip, pack and bus, with the gates' history in `gates`: (time_us, charge, discharge)."""

    def __init__(self, cells=16, crc=False):
        self.pack = BenchPack(cells)
        self.chip = Bq76952(self.pack, crc)
        self.bus = I2C()
        self.bus.attach(self.chip)
        self.gates = []
        self.chip.gate_listener = lambda *change: self.gates.append(change)

    def run_ms(self, ms):
        self.chip.advance(int(ms * MS))

    def read(self, register, count=2):
        buf = bytearray(count)
        self.bus.readfrom_mem_into(ADDRESS, register, buf)
        return bytes(buf)

    def word(self, register):
        return int.from_bytes(self.read(register), "little")

    def signed(self, register):
        return int.from_bytes(self.read(register), "little", signed=True)

    def byte(self, register):
        return self.read(register, 1)[0]

    def write(self, register, data):
        self.bus.writeto_mem(ADDRESS, register, bytes(data))

    def send(self, command, wait_ms=10):
        self.write(0x3E, command.to_bytes(2, "little"))
        self.run_ms(wait_ms)

    def answer(self, command):
        self.send(command)
        length = self.byte(0x61)
        data = self.read(0x40, length - 4)
        assert self.word(0x3E) == command
        assert self.byte(0x60) == checksum(command, data)
        return data

    def answer_word(self, command):
        return int.from_bytes(self.answer(command), "little")

    def send_data(self, command, data):
        data = bytes(data)
        self.write(0x3E, command.to_bytes(2, "little") + data)
        self.write(0x60, [checksum(command, data), len(data) + 4])

    def configure(self, *settings):
        """Write (address, bytes) settings in CONFIG_UPDATE and leave it again."""
        self.send(0x0090)
        for address, data in settings:
            self.send_data(address, data)
        self.send(0x0092)

    def close_gates(self, *settings):
        """Configure without SLEEP, enable the FETs and see both close."""
        self.configure((0x9234, (0x2882).to_bytes(2, "little")), *settings)
        self.send(0x0022)
        assert self.closed() == (True, True)

    def closed(self):
        """(charge, discharge): what the chip does and what it says, which must agree."""
        status = self.byte(0x7F)
        assert (bool(status & 0x01), bool(status & 0x04)) == (
            self.chip.charge_on,
            self.chip.discharge_on,
        )
        return self.chip.charge_on, self.chip.discharge_on

    def opened_after_ms(self, direction, cause, within_ms=10_000):
        """Apply a cause; return after how many ms the gate (0 charge, 1 discharge) opened.

        Steps of 50 ms: the trace must be exact all the same.
        """
        start_us = self.chip.time_us
        seen = len(self.gates)
        cause()
        while self.chip.time_us < start_us + within_ms * MS:
            self.run_ms(50)
            for time_us, *closed in self.gates[seen:]:
                if not closed[direction]:
                    return (time_us - start_us) / MS
        return None

    def silence_ms(self, ms):
        """Time without a host, in the steps of a world that honours next_event_us()."""
        end_us = self.chip.time_us + ms * MS
        while self.chip.time_us < end_us:
            left_us = end_us - self.chip.time_us
            self.chip.advance(min(100 * MS, self.chip.next_event_us(), left_us))
