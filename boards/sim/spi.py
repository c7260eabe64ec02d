"""A simulated SPI bus and chip-select pin in the shape of machine.SPI and machine.Pin.

One device hangs on the bus. It has `select(active)` and `exchange(byte) -> byte`, both called with
the heap lock lifted (see heap.py). Bytes move only while the chip is selected; otherwise the
input line floats high and reads 0xFF. The bus takes no time.
"""

from boards.sim import heap


class Spi:
    """The bus: `write`, `readinto` and `write_readinto` as in machine.SPI."""

    def __init__(self, device):
        self._device = device
        self.selected = False  # driven by the chip-select pin

    def write(self, buf):
        depth = heap.lift()
        try:
            for byte in buf:
                self._exchange(byte)
        finally:
            heap.restore(depth)

    def readinto(self, buf, write=0x00):
        """Fill buf; `write` is the byte sent meanwhile."""
        depth = heap.lift()
        try:
            for place in range(len(buf)):
                buf[place] = self._exchange(write)
        finally:
            heap.restore(depth)

    def write_readinto(self, write_buf, read_buf):
        """Send write_buf and fill read_buf, which may be the same. ValueError: lengths differ."""
        if len(write_buf) != len(read_buf):
            raise ValueError("buffers must be the same length")
        depth = heap.lift()
        try:
            for place in range(len(write_buf)):
                read_buf[place] = self._exchange(write_buf[place])
        finally:
            heap.restore(depth)

    def select(self, active):
        """The chip-select pin moved."""
        if active != self.selected:
            self.selected = active
            depth = heap.lift()
            try:
                self._device.select(active)
            finally:
                heap.restore(depth)

    def _exchange(self, byte):
        return self._device.exchange(byte) if self.selected else 0xFF


class ChipSelect:
    """The pin: `cs(0)` selects, `cs(1)` releases, `cs()` reads, as machine.Pin does."""

    def __init__(self, spi):
        self._spi = spi

    def __call__(self, level=None):
        if level is None:
            return 0 if self._spi.selected else 1
        self._spi.select(not level)
        return None

    value = __call__


class InterruptLine:
    """INT of the chip on this SPI, as a board's CanInterrupt (boards/_common.py): the handler is
    called under the heap lock, as in a hard interrupt; while interrupts are off it waits.
    """

    def __init__(self, chip):
        self._chip = chip
        self._handler = None
        self._off = 0
        self._fallen = False  # an edge that no handler saw yet
        self._serving = False
        self._before = 1
        chip.interrupt_changed = self._look  # Mcp2515.interrupt_changed

    def listen(self, handler):
        """Call this at each falling edge."""
        self._handler = handler

    def disable(self):
        """No interrupts from now on."""
        self._off += 1
        return self._off - 1

    def enable(self, state):
        """As it was before."""
        self._off = state
        self._serve()

    def _look(self):
        level = self._chip.interrupt_level()
        if self._before and not level:
            self._fallen = True
        self._before = level
        self._serve()

    def _serve(self):
        if self._handler is None or self._serving:
            return
        self._serving = True
        while self._fallen and not self._off:
            self._fallen = False
            heap.lock()
            try:
                self._handler(self)
            finally:
                heap.unlock()
        self._serving = False
