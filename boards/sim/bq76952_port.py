"""The host port of the simulated BQ76952: registers on I2C, CRC, sub-commands, transfer buffer.

Bytes are taken one by one, as on the wire, so what a host may split over transactions it may split
here. Only checksum and length must come in one transaction (afe.md section 1); the length byte
commits.

What the documents leave open, and what is assumed here:
- With a CRC chip a byte with a wrong CRC is not acknowledged, and ends the transaction.
- A write during a short sub-command waits for its end (clock stretching). During a long one
  (entering and leaving CONFIG_UPDATE, signatures) writes to the sub-command registers are lost:
  a host that does not wait for the echo fails here.
- A load of the buffer is dropped when the host writes data into it first.
"""

from boards.sim.bq76952_commands import COMMANDS, DATA_COMMANDS, TYPICAL_US, UNMODELLED
from boards.sim.bq76952_protections import NEVER_US

_COMMAND = 0x3E
_BUFFER = 0x40
_CHECKSUM = 0x60
_LENGTH = 0x61
_ALARM_STATUS = 0x62
_ALARM_ENABLE = 0x66
_OVERHEAD = 4  # the length counts command, checksum and length too
_LONG_US = 1000


def _crc_table():
    """CRC-8, polynomial 0x07 (afe.md section 1), of each single byte."""
    table = bytearray(256)
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc << 1) ^ 0x107 if crc & 0x80 else crc << 1
        table[value] = crc
    return bytes(table)


_CRC = _crc_table()


def crc8(data):
    """CRC-8 of BQ76952's I2C: polynomial 0x07, initial value 0."""
    crc = 0
    for value in data:
        crc = _CRC[crc ^ value]
    return crc


def checksum(command, data):
    """Checksum of the transfer buffer, over command and data (afe.md section 1)."""
    return 0xFF & ~((command & 0xFF) + (command >> 8) + sum(data))


class HostPort:
    """`registers` is what reads return; the chip keeps it current.

    busy_until_us: when the running sub-command ends, NEVER_US while none runs.
    """

    def __init__(self, chip, crc):
        self._chip = chip
        self._crc = crc
        self.reset()

    def reset(self):
        self.registers = bytearray(256)  # those above 0x7F read 0
        self.alarm_status = 0
        self.alarm_enable = 0
        self.busy_until_us = NEVER_US
        self._busy_us = 0
        self._command = 0
        self._load = False  # the running command may fill the buffer
        self._started = False  # the transaction wrote a whole command
        self._given_checksum = None  # by the transaction

    def read(self, register, buf):
        """Fill buf from register on, with a CRC after each byte on a CRC chip."""
        registers = self.registers
        count = len(buf)
        if not self._crc:
            buf[:count] = registers[register : register + count]
            return
        address = self._chip.address << 1
        crc = crc8((address, register, address | 1))
        for i in range(0, count, 2):
            value = registers[(register + (i >> 1)) & 0xFF]
            buf[i] = value
            if i + 1 < count:
                buf[i + 1] = _CRC[crc ^ value]
            crc = 0

    def write(self, register, wire):
        """Take a write transaction. False: some byte was not acknowledged."""
        data = self._checked(register, wire) if self._crc else wire
        if self.busy_until_us != NEVER_US:
            if self._busy_us >= _LONG_US:
                return True
            self.finish()
        self._started = False
        self._given_checksum = None
        for i in range(len(data)):
            self._take(register + i, data[i])
        if self._started:
            self._start()
        elif register <= _COMMAND + 1:
            self._echo()
        return not self._crc or 2 * len(data) == len(wire)

    def finish(self):
        """Carry out the running sub-command and show its echo."""
        self.busy_until_us = NEVER_US
        command = self._command
        self._echo()
        if self._chip.memory.holds(command):
            if self._load:
                self._respond(self._chip.memory.block(command, not self._chip.config_update))
        elif command in COMMANDS:
            answer = COMMANDS[command][1](self._chip)
            if answer is not None and self._load:
                self._respond(answer)

    def _take(self, address, value):
        """One byte of a write transaction."""
        if address == _COMMAND:
            self._command = self._command & 0xFF00 | value
        elif address == _COMMAND + 1:
            self._command = self._command & 0xFF | value << 8
            self._started = True
        elif _BUFFER <= address < _CHECKSUM:
            self.registers[address] = value
            self._load = False
            if self._takes_data():
                self._started = False  # no read: the host is about to commit its own data
        elif address == _CHECKSUM:
            self._given_checksum = value
        elif address == _LENGTH and self._given_checksum is not None:
            self._commit(self._given_checksum, value)
        elif _ALARM_STATUS <= address < _ALARM_STATUS + 2:
            self.alarm_status &= ~(value << 8 * (address - _ALARM_STATUS))
        elif _ALARM_ENABLE <= address < _ALARM_ENABLE + 2:
            shift = 8 * (address - _ALARM_ENABLE)
            self.alarm_enable = self.alarm_enable & ~(0xFF << shift) | value << shift

    def _start(self):
        command = self._command
        if command in UNMODELLED:
            raise NotImplementedError(
                f"sub-command 0x{command:04X} is not simulated; add it to bq76952_commands"
            )
        self._busy_us = COMMANDS[command][0] if command in COMMANDS else TYPICAL_US
        self.busy_until_us = self._chip.time_us + self._busy_us
        self._load = True
        self.registers[_COMMAND] = self.registers[_COMMAND + 1] = 0xFF

    def _echo(self):
        self.registers[_COMMAND] = self._command & 0xFF
        self.registers[_COMMAND + 1] = self._command >> 8

    def _takes_data(self):
        return self._command in DATA_COMMANDS or self._chip.memory.holds(self._command)

    def _respond(self, data):
        end = _BUFFER + len(data)
        self.registers[_BUFFER:end] = data
        self.registers[_CHECKSUM] = checksum(self._command, data)
        self.registers[_LENGTH] = len(data) + _OVERHEAD

    def _commit(self, given_checksum, length):
        """The length byte came: take the buffer if its checksum is right, else nothing happens."""
        count = length - _OVERHEAD
        if not 0 < count <= _CHECKSUM - _BUFFER:
            return
        command = self._command
        data = self.registers[_BUFFER : _BUFFER + count]
        if given_checksum != checksum(command, data):
            return
        if command in DATA_COMMANDS:
            DATA_COMMANDS[command](self._chip, data)
        elif self._chip.memory.holds(command) and self._chip.config_update:
            self._chip.memory.write(command, data)

    def _checked(self, register, wire):
        """The data bytes of a CRC transaction, up to the first wrong CRC (afe.md section 1)."""
        data = bytearray()
        crc = crc8((self._chip.address << 1, register))
        for i in range(0, len(wire) - 1, 2):
            if _CRC[crc ^ wire[i]] != wire[i + 1]:
                break
            data.append(wire[i])
            crc = 0
        return data
