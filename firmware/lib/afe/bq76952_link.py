"""Talking to a BQ769x2 over I2C: registers, subcommands and data memory, with or without CRC.

Goals: every call is a bounded number of bus transactions, the first failure ends it, nothing
waits and nothing allocates. Two kinds of failure are told apart: BUS_ERROR (no acknowledge or a
time-out: the chip is not there) and CORRUPT (it answered, but a CRC, a checksum or a length does
not fit: the wires disturb). A failed CRC is not read again: what follows on the bus may be another
byte (field lesson 5); the next sample is the retry.
Limits: called from the fast path only. The chip gets a handful of polls to finish a subcommand
(about 0.1 ms each at 400 kHz); where it needs longer the answer is BUSY, and the caller comes back
with `sent`, which polls on instead of sending it again.
"""

from afe.crc8 import TABLE
from bms.sample import BUS_ERROR, BUSY, CORRUPT, OK

_ANSWER_SIZE = 34  # 0x40 to 0x61 in one transaction: 32 bytes of data, checksum, length

_SUBCOMMAND = 0x3E
_BUFFER = 0x40
_CHECKSUM = 0x60
_ANSWER_CHECKSUM = 32  # place of register 0x60 in the answer
_ANSWER_LENGTH = 33
_LENGTH_OVERHEAD = 4  # afe.md section 1: the length counts 0x3E, 0x3F, 0x60 and 0x61 as well
_BUSY_ECHO = 0xFF
_WRITE_OVERHEAD = 2  # address and register
_READ_OVERHEAD = 3  # and the address once more
_LONGEST = 38  # bytes of the longest transfer: all voltages

# Most subcommands take about 60 us and a data memory write up to 200 us (afe.md section 1).
_POLLS = 4


class Link:
    """One chip at a 7-bit `address`; `crc` says which version of the chip it is."""

    def __init__(self, i2c, address, crc):
        self.answer = bytearray(_ANSWER_SIZE)  # data of the latest `ask`, checksum, length
        self.moved = 0  # bytes on the wire since the caller set it to 0
        self.failure = OK  # why the latest call that failed did: BUS_ERROR or CORRUPT
        self._i2c = i2c
        self._address = address
        self._pair = bytearray(2)
        self._echo = bytearray(2)
        self._wires = None  # with CRC: views over one buffer, by the number of data bytes
        if crc:
            wire = memoryview(bytearray(2 * _LONGEST))
            self._wires = [wire[: 2 * size] for size in range(_LONGEST + 1)]
            self._write_crc = TABLE[address << 1]
            self._read_address = address << 1 | 1

    def read_into(self, register, view):
        """Fill `view` from `register` on; False if the bus or a CRC failed, see `failure`."""
        wires = self._wires
        wire = view if wires is None else wires[len(view)]
        self.moved += len(wire) + _READ_OVERHEAD
        try:
            self._i2c.readfrom_mem_into(self._address, register, wire)
        except OSError:
            self.failure = BUS_ERROR
            return False
        if wires is None:
            return True
        # The first CRC covers both address bytes, the register and a data byte, the others only
        # their data byte.
        crc = TABLE[TABLE[self._write_crc ^ register] ^ self._read_address]
        for at in range(len(view)):
            value = wire[2 * at]
            if TABLE[crc ^ value] != wire[2 * at + 1]:
                self.failure = CORRUPT
                return False
            view[at] = value
            crc = 0
        return True

    def write(self, register, data):
        """Write `data` from `register` on; False if the bus failed."""
        wires = self._wires
        wire = data
        if wires is not None:
            wire = wires[len(data)]
            crc = TABLE[self._write_crc ^ register]
            for at in range(len(data)):
                wire[2 * at] = data[at]
                wire[2 * at + 1] = TABLE[crc ^ data[at]]
                crc = 0
        self.moved += len(wire) + _WRITE_OVERHEAD
        try:
            self._i2c.writeto_mem(self._address, register, wire)
        except OSError:
            self.failure = BUS_ERROR
            return False
        return True

    def send(self, code):
        """Write a subcommand and do not wait for it. OK or BUS_ERROR."""
        self._pair[0] = code & 0xFF
        self._pair[1] = code >> 8
        return OK if self.write(_SUBCOMMAND, self._pair) else BUS_ERROR

    def command(self, code, sent=False):
        """Carry out a subcommand without data.

        OK, BUSY (sent, not finished), BUS_ERROR or CORRUPT.
        """
        if not sent and self.send(code) != OK:
            return BUS_ERROR
        return self._finished()

    def transfer(self, block):
        """Write a subcommand with data, or data memory: address (low, high), then the data.

        OK, BUSY (sent, not finished), BUS_ERROR or CORRUPT. The chip acts when the length arrives,
        and ignores a block whose checksum or length is wrong.
        """
        if not self.write(_SUBCOMMAND, block):
            return BUS_ERROR
        self._pair[0] = ~sum(block) & 0xFF
        self._pair[1] = len(block) + _LENGTH_OVERHEAD - 2
        if not self.write(_CHECKSUM, self._pair):
            return BUS_ERROR
        return self._finished()

    def ask(self, code, sent=False):
        """Read a subcommand's answer or 32 bytes of data memory into `answer`.

        OK, BUSY (sent, no answer yet), BUS_ERROR or CORRUPT (also if the answer's own checksum is
        wrong, on a chip without CRC).
        """
        if not sent and self.send(code) != OK:
            return BUS_ERROR
        low = code & 0xFF
        high = code >> 8
        for _ in range(_POLLS):
            if not self.read_into(_SUBCOMMAND, self._echo):
                return self.failure
            if self._echo[0] == low and self._echo[1] == high:
                return self._fetch(low + high)
        return BUSY

    def _finished(self):
        """Poll until the chip stops answering 0xFF, which means that it is busy."""
        for _ in range(_POLLS):
            if not self.read_into(_SUBCOMMAND, self._echo):
                return self.failure
            if self._echo[0] != _BUSY_ECHO or self._echo[1] != _BUSY_ECHO:
                return OK
        return BUSY

    def _fetch(self, total):
        answer = self.answer
        if not self.read_into(_BUFFER, answer):
            return self.failure
        size = answer[_ANSWER_LENGTH] - _LENGTH_OVERHEAD
        if not 0 < size <= _ANSWER_CHECKSUM:
            return CORRUPT
        for at in range(size):
            total += answer[at]
        return OK if answer[_ANSWER_CHECKSUM] == ~total & 0xFF else CORRUPT
