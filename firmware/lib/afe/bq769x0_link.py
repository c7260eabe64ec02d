"""Talking to a BQ76920, BQ76930 or BQ76940 over I2C: registers of one byte, with or without CRC.

Goals and limits are those of bq76952_link: each call is one transaction, the first failure ends
it, nothing waits and nothing allocates. The two chips differ in what the first CRC of a read
covers: here the address with its read bit and the first byte, not the register (afe.md section 8).
"""

from afe.crc8 import TABLE
from bms.sample import BUS_ERROR, CORRUPT, OK

_READ_OVERHEAD = 3  # address, register, address again
_WRITE_OVERHEAD = 2
# The bus runs at 100 kHz: a byte takes as long as four on the bus that bq76952_stages counts for.
_SLOWNESS = 4


class Link:
    """One chip at a 7-bit `address`; `crc` says which version it is; `sizes` of all reads."""

    def __init__(self, i2c, address, crc, sizes):
        self.moved = 0  # byte times at 400 kHz since the caller set it to 0
        self.failure = OK  # why the latest call that failed did: BUS_ERROR or CORRUPT
        self._i2c = i2c
        self._address = address
        self._byte = bytearray(2 if crc else 1)
        self._wires = None  # with CRC: views over one buffer, by the number of data bytes
        if crc:
            wire = memoryview(bytearray(2 * max(sizes)))
            self._wires = [None] * (max(sizes) + 1)
            for size in sizes:
                self._wires[size] = wire[: 2 * size]
            self._write_crc = TABLE[address << 1]
            self._read_crc = TABLE[address << 1 | 1]

    def read_into(self, register, view):
        """Fill `view` from `register` on; False if the bus or a CRC failed, see `failure`."""
        wires = self._wires
        wire = view if wires is None else wires[len(view)]
        self.moved += _SLOWNESS * (len(wire) + _READ_OVERHEAD)
        try:
            self._i2c.readfrom_mem_into(self._address, register, wire)
        except OSError:
            self.failure = BUS_ERROR
            return False
        if wires is None:
            return True
        crc = self._read_crc
        for at in range(len(view)):
            value = wire[2 * at]
            if TABLE[crc ^ value] != wire[2 * at + 1]:
                self.failure = CORRUPT
                return False
            view[at] = value
            crc = 0
        return True

    def write(self, register, value):
        """Write one register; False if the bus failed."""
        byte = self._byte
        byte[0] = value
        if self._wires is not None:
            byte[1] = TABLE[TABLE[self._write_crc ^ register] ^ value]
        self.moved += _SLOWNESS * (len(byte) + _WRITE_OVERHEAD)
        try:
            self._i2c.writeto_mem(self._address, register, byte)
        except OSError:
            self.failure = BUS_ERROR
            return False
        return True
