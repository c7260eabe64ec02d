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
