"""An MCP2515 whose received frames are fetched by the interrupt, in time for a burst.

The chip holds two frames. At 500 kbit/s one of 8 bytes takes 222 us without stuff bits, so the
first of a burst has to be out of the chip 444 us after it came. A soft callback can not promise
that: the fast path's own is one, takes up to some ten milliseconds on an RP2040, and no other runs
meanwhile; a collection of garbage takes as long. So this is a hard interrupt, which comes in the
middle of both; it moves frames into a ring in memory until the chip has none.

Goals: no frame of a burst is lost, nor of two; the handler allocates nothing.
Limits: a write to the flash of an RP2040 holds all interrupts off for 45 ms and more: what comes
then beyond two frames is lost, and counted as an overrun. The first RING - 1 frames are kept.
The SPI belongs to the chip alone. Each transaction of the owner holds the interrupts off for its
some 60 us, for two transactions must not mix. No soft callback runs in it either: it is
a straight line, and MicroPython looks for them at jumps and returns (py/vm.c).
"""

from canbus.mcp2515 import MCP2515

RING = 8  # frames and one, a power of two
_RX0_FULL = 1  # READ STATUS, figure 12-8
_RX1_FULL = 2
_CANINTE = 0x2B
_BUFFERS = 3  # RX0IE, RX1IE
_READ_STATUS = 0xA0  # table 12-1
_READ_RX0 = 0x90
_READ_RX1 = 0x94
_LONGEST = 14


class DrainedMCP2515(MCP2515):
    """As MCP2515, in which frames wait in a ring of this class instead of the chip's buffers.

    interrupt: `listen(handler)` has `handler(anything)` called in a hard interrupt when the chip's
    INT falls; `disable()` holds all interrupts off, `enable(state)` takes what that returned.
    Without the wire frames are polled as in the base class.
    """

    def __init__(self, spi, cs, interrupt, bitrate_kbit, oscillator_hz):
        self._interrupt = interrupt
        # What the handler calls, bound once: taking a bound method allocates.
        self._transfer = spi.write_readinto
        self._ask = bytes((_READ_STATUS, 0))
        self._told = bytearray(2)
        self._ask_rx0 = bytes([_READ_RX0] + [0] * (_LONGEST - 1))
        self._ask_rx1 = bytes([_READ_RX1] + [0] * (_LONGEST - 1))
        self._ring = [bytearray(_LONGEST) for _ in range(RING)]
        self._head = 0  # where the handler puts the next frame: only it moves this
        self._tail = 0  # the oldest one: only the owner moves this
        self._lost = 0  # frames that came while the ring was full
        self._lost_told = 0  # as `recv` told last
        super().__init__(spi, cs, bitrate_kbit, oscillator_hz)
        interrupt.listen(self._drain)

    def set_filters(self, filters):
        """As the base class. Filters of which the last takes all frames are none at all here: the
        ring has room, and with both buffers for every frame a burst fits."""
        if filters and filters[-1][1] == 0:
            filters = None
        super().set_filters(filters)

    def _start(self):
        super()._start()
        self._store(_CANINTE, bytes((_BUFFERS,)))

    def recv(self, message):
        """As the base class; errors tell of frames that the ring had no room for, too."""
        found = super().recv(message)
        if found is not None and self._lost != self._lost_told:
            self._lost_told = self._lost
            message[3] |= self.RECV_ERR_OVERRUN
        return found

    def get_counters(self, counters):
        """As the base class; frames waiting to be fetched, and overruns, are those of the ring
        too."""
        super().get_counters(counters)
        counters[6] += (self._head - self._tail) & (RING - 1)
        counters[7] += self._lost
        return counters

    def _drain(self, _source):
        """The interrupt: fetch until the chip has none; a frame that comes after is a new edge.

        A chip that lost its supply reads as full for ever, so a full ring ends it; what the chip
        holds then waits for the owner (`_fetch`).
        With both buffers full RX0's frame is the older one: the chip fills RX1 only while RX0 is
        full. Written for speed: locals, and no calls of our own.
        """
        cs = self._cs
        transfer = self._transfer
        ring = self._ring
        told = self._told
        head = self._head
        while True:
            cs(0)
            transfer(self._ask, told)
            cs(1)
            full = told[1] & (_RX0_FULL | _RX1_FULL)
            if not full:
                return
            ask = self._ask_rx0 if full & _RX0_FULL else self._ask_rx1
            cs(0)
            transfer(ask, ring[head])
            cs(1)
            following = head + 1 & RING - 1
            if following == self._tail:
                self._lost += 1
                return
            self._head = head = following
            if full == _RX0_FULL | _RX1_FULL:
                cs(0)
                transfer(self._ask_rx1, ring[head])
                cs(1)
                following = head + 1 & RING - 1
                if following == self._tail:
                    self._lost += 1
                    return
                self._head = head = following

    def _fetch(self):
        tail = self._tail
        if tail == self._head:
            if not self._status() & (_RX0_FULL | _RX1_FULL):
                return False
            if tail == self._head:
                # Full, and no interrupt came: an edge that nobody saw, or no wire. None comes now.
                return super()._fetch()
        frame = self._ring[tail]
        received = self._received
        for at in range(_LONGEST):
            received[at] = frame[at]
        self._tail = (tail + 1) & (RING - 1)
        return True

    def _write(self, length):
        view = self._out_views[length]
        state = self._interrupt.disable()
        self._cs(0)
        try:
            self._spi.write(view)
        finally:
            self._cs(1)
            self._interrupt.enable(state)

    def _exchange(self, out, reply):
        state = self._interrupt.disable()
        self._cs(0)
        try:
            self._transfer(out, reply)
        finally:
            self._cs(1)
            self._interrupt.enable(state)
