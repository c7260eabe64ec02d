"""A simulated I2C bus in the shape of machine.I2C, with device models attached by address.

A device model has `address`, `read(register, buf)` (fills buf) and `write(register, buf)` (returns
False where the chip does not acknowledge). A CRC is part of the wire, so it is the device's
matter: with a CRC chip the buffers carry data and CRC bytes in turn.

Every transaction is atomic: a read of two bytes comes from one instant, two reads of one byte may
straddle whatever the device does between them. The bus takes no time by itself; whom it should
cost time is told how much: `elapse` the time on the wire, `charge_us` the processor's, which is
longer by the call's own overhead. Both are called before the device sees the transaction.

The heap lock (see heap.py) is lifted while a transaction runs.
"""

from boards.sim import heap

# With a text, or CPython would leave OSError.errno empty.
_ENODEV = 19
_ETIMEDOUT = 110

# micropython.md, RP2040 at 125 MHz: 161 us for a read of 2 bytes of which the wire takes all but
# this (2 bytes are 5 on the wire).
_CALL_US = 44

ALL = -1  # for corrupt_reads: every read from now on


class I2C:
    """Faults are plain attributes, to be set at any time.

    silent: nobody acknowledges. stuck: a line is held low, transactions time out.
    corrupt_reads: how many of the next reads come back with one bit flipped (ALL: each of them).
    nack_every: n > 0: each n-th transaction is not acknowledged.
    transactions, bytes_moved: counted since the start, failures included (bytes with the address
    and register bytes, as on the wire).
    elapse: None, or a callable that takes the microseconds that the transaction was on the wire.
    charge_us: None, or a callable that takes the microseconds that it kept the processor busy.
    """

    def __init__(self, frequency_hz=400_000, timeout_us=2000):
        self.frequency_hz = frequency_hz
        self.timeout_us = timeout_us
        self.silent = False
        self.stuck = False
        self.corrupt_reads = 0
        self.nack_every = 0
        self.transactions = 0
        self.bytes_moved = 0
        self.elapse = None
        self.charge_us = None
        self._devices = {}

    def attach(self, device):
        """Put a device model on the bus, at its own address."""
        self._devices[device.address] = device

    def device_at(self, address):
        """The device model there, or None."""
        return self._devices.get(address)

    def readfrom_mem_into(self, addr, memaddr, buf, addrsize=8):
        """Read len(buf) bytes from register memaddr on, which has 8 or 16 bits. Raises OSError:
        ENODEV or ETIMEDOUT."""
        depth = heap.lift()
        try:
            # address and W, register, address and R, data
            self._start(addr, 2 + addrsize // 8 + len(buf)).read(memaddr, buf)
            if self.corrupt_reads and len(buf):
                if self.corrupt_reads != ALL:
                    self.corrupt_reads -= 1
                # A different byte and bit each time, and the same ones in each run.
                place = self.transactions % (8 * len(buf))
                buf[place >> 3] ^= 1 << (place & 7)
        finally:
            heap.restore(depth)

    def writeto_mem(self, addr, memaddr, buf, addrsize=8):
        """Write a bytes-like to register memaddr on, which has 8 or 16 bits. Raises OSError:
        ENODEV or ETIMEDOUT."""
        depth = heap.lift()
        try:
            if not self._start(addr, 1 + addrsize // 8 + len(buf)).write(memaddr, buf):
                raise OSError(_ENODEV, "ENODEV")
        finally:
            heap.restore(depth)

    def _start(self, addr, wire_bytes):
        """Count the transaction, let its time pass, play the faults; return the device."""
        self.transactions += 1
        if self.stuck:
            self._pass_time(self.timeout_us)
            raise OSError(_ETIMEDOUT, "ETIMEDOUT")
        device = self.device_at(addr)
        refused = self.nack_every and self.transactions % self.nack_every == 0
        if self.silent or refused or device is None:
            self.bytes_moved += 1
            self._pass_time(self._wire_us(1))
            raise OSError(_ENODEV, "ENODEV")
        self.bytes_moved += wire_bytes
        self._pass_time(self._wire_us(wire_bytes))
        return device

    def _wire_us(self, wire_bytes):
        # Nine clocks a byte (CRC bytes are among them), and about one each for start and stop.
        return (9 * wire_bytes + 2) * 1_000_000 // self.frequency_hz

    def _pass_time(self, us):
        if self.elapse is not None:
            self.elapse(us)
        if self.charge_us is not None:
            self.charge_us(us + _CALL_US)
