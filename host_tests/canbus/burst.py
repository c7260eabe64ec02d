"""A burst of frames at 500 kbit/s against a driver whose every operation takes an RP2040's time.

Frames reach the chip's model one after the other as the wire brings them. Time passes where the
driver touches a pin, the SPI or interrupts: what the transfer takes on the wire at 8 MHz, and an
even share of what its bytecode takes, counted by host_tests.bench.operations.
"""

from boards.sim.mcp2515 import Mcp2515
from boards.sim.spi import ChipSelect, InterruptLine, Spi
from canbus.mcp2515_drained import DrainedMCP2515
from host_tests.bench.operations import SILICON, Counter

SPI_BYTE_US = 1.0  # 8 MHz
# micropython.md, numbers of an RP2040 at 125 MHz
PIN_US = 2.2
IRQ_OFF_AND_ON_US = 10.5
IRQ_LATENCY_US = 18
# Of a C function called with buffers: not in the table; what I2C takes beside its wire is 49 us,
# most of that the bus's own waiting.
SPI_CALL_US = 20
# A standard frame of 8 bytes: 44 + 64 bits and an intermission of 3, without a stuff bit.
SHORTEST_BITS = 44 + 64 + 3
FRAME_US = 2 * SHORTEST_BITS


class Time:
    """Microseconds, and the frames that are due as they pass."""

    def __init__(self):
        self.now_us = 0.0
        self.share_us = 0.0  # of bytecode, at each touch
        self.arrivals = []
        self.chip = None

    def pass_us(self, us):
        end_us = self.now_us + us
        while self.arrivals and self.arrivals[0][0] <= end_us:
            self.now_us, frame = self.arrivals.pop(0)
            self.chip.receive(frame)
        self.now_us = end_us

    def touch(self, us):
        self.pass_us(SILICON * (us + self.share_us))


class TimedSpi:
    def __init__(self, time, spi):
        self._time = time
        self._spi = spi
        self.write = self._timed(spi.write)
        self.write_readinto = self._timed(spi.write_readinto)

    def _timed(self, transfer):
        def timed(view, *reply):
            # The model answers at once; what it said is what stood there when it began.
            transfer(view, *reply)
            self._time.pass_us(SPI_BYTE_US * len(view))
            self._time.touch(SPI_CALL_US)

        return timed


class TimedLine:
    """INT as a hard interrupt that comes `latency_us` after its edge, at once when it was off."""

    def __init__(self, time, line, spi, latency_us):
        self._time = time
        self._line = line
        self._spi = spi
        self.latency_us = latency_us
        self.dead = False  # no interrupt reaches the handler

    def listen(self, handler):
        def later(source):
            if not self.dead:
                self._time.pass_us(self.latency_us)
                assert not self._spi.selected, "two transactions mix"
                handler(source)

        self._line.listen(later)

    def disable(self):
        self._time.touch(IRQ_OFF_AND_ON_US / 2)
        return self._line.disable()

    def enable(self, state):
        self._time.touch(IRQ_OFF_AND_ON_US / 2)
        self._line.enable(state)


class NoBus:
    """Where the chip's own frames wait for ever."""

    def request(self, node):
        pass


class Wire:
    """The driver, drained, on a chip that frames are given to."""

    def __init__(self, latency_us=SILICON * IRQ_LATENCY_US, connected=True):
        self.time = Time()
        self.chip = self.time.chip = Mcp2515(8_000_000)
        self.chip.bus = NoBus()
        spi = Spi(self.chip)
        select = ChipSelect(spi)

        def timed_select(*level):
            self.time.touch(PIN_US)
            return select(*level)

        line = InterruptLine(self.chip)
        if not connected:
            line.listen = lambda handler: None
        self.line = TimedLine(self.time, line, spi, latency_us)
        self.can = DrainedMCP2515(
            TimedSpi(self.time, spi), timed_select, self.line, 500, 8_000_000
        )
        self.time.share_us = self._share_us()

    def _share_us(self):
        """Counted bytecode of fetching two frames, by its touches."""
        touches = [0]
        touch = self.time.touch

        def count(_us):
            touches[0] += 1

        self.time.touch = count
        self.line.dead = True  # the handler is called here
        for identifier in (1, 2):
            self.chip.receive(frame(identifier))
        with Counter() as counted:
            self.can._drain(None)
        self.line.dead = False
        self.time.touch = touch
        assert self.fetched() == [1, 2]
        return counted.us / touches[0]

    def burst(self, count, begins_us=0.0, apart_us=FRAME_US):
        start_us = self.time.now_us + begins_us
        for number in range(count):
            self.time.arrivals.append((start_us + (number + 1) * apart_us, frame(0x100 + number)))

    def fetched(self):
        """Identifiers of all that waits in the driver."""
        message = [0, memoryview(bytearray(8)), 0, 0]
        identifiers = []
        while self.can.recv(message):
            identifiers.append(message[0])
            assert len(message[1]) == 8
        return identifiers


def frame(identifier):
    return identifier, bytes(range(8)), False, False
