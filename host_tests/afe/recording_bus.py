"""A bus that records every transaction, with just enough of a chip behind it to be programmed.

Not a model of the chip (boards/sim has one): no physics, no protections. Facts in it are those of
shared/reference/afe.md sections 1 and 3: echo, checksum and length word, 32-byte answers,
CONFIG_UPDATE gating, FET_EN toggle, CRC framing (computed bit by bit, unlike the driver's table).
"""

from dataclasses import dataclass

ADDRESS = 0x08
DATA_MEMORY = 0x9000
CHG_ON = 0x04  # FET_CONTROL bits that must be 1 to keep a gate off
DSG_ON = 0x01

BATTERY_STATUS = 0x12
SUBCOMMAND = 0x3E
CHECKSUM = 0x60
ALARM_STATUS = 0x62
COMMAND_BYTES = 2

DEVICE_NUMBER = 0x0001
FET_ENABLE = 0x0022
MFG_STATUS = 0x0057
SET_CFGUPDATE = 0x0090
EXIT_CFGUPDATE = 0x0092
FET_CONTROL = 0x0097
# ALL_FETS_ON and the FET tests
ALLOWING = frozenset((0x0096, 0x001C, 0x001E, 0x001F, 0x0020))


def crc8(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc


@dataclass
class Transaction:
    kind: str  # "w" or "r"
    register: int
    data: bytes  # without CRC
    wire: bytes  # as on the bus after the register byte


class RecordingBus:
    def __init__(self, crc=False, device_number=0x7695):
        self.crc = crc
        self.transactions = []
        self.registers = bytearray(0x100)
        self.registers[BATTERY_STATUS] = 0x08  # POR: RAM is at its defaults
        self.memory = {}
        self.device_number = device_number
        self.mfg_status = 0x40
        self.commands = []  # subcommands in the order in which the chip took them
        self.gates_allowed = []  # FET_CONTROL values taken
        self.fail_at = None  # index of the transaction that is not acknowledged
        self.corrupt_read_at = None  # index of the read in which one bit flips
        self.busy_reads = 0  # how many echoes answer 0xFF after each command
        self.stuck_in_update = None  # True/False: CFGUPDATE never changes from it
        self._busy = 0
        self._echo = 0
        self._pending = b""

    # The two methods of machine.I2C that the driver may use.

    def writeto_mem(self, address, register, buf):
        assert address == ADDRESS
        wire = bytes(buf)
        data = wire
        if self.crc:
            data = wire[0::2]
            covered = bytes([ADDRESS << 1, register]) + data[:1]
            assert wire[1] == crc8(covered)
            for value, crc in zip(data[1:], wire[3::2], strict=True):
                assert crc == crc8([value])
        self._record("w", register, data, wire)
        if register == SUBCOMMAND:
            self._busy = self.busy_reads
            self._echo = data[0] | data[1] << 8
            self._pending = data
            if len(data) == COMMAND_BYTES:
                self._subcommand(self._echo)
        elif register == CHECKSUM:
            self._commit(data[0], data[1])
        elif register == ALARM_STATUS:
            for at, value in enumerate(data):
                self.registers[ALARM_STATUS + at] &= ~value & 0xFF
        else:
            raise AssertionError(f"the driver writes register 0x{register:02x}")

    def readfrom_mem_into(self, address, register, buf):
        assert address == ADDRESS
        size = len(buf) // 2 if self.crc else len(buf)
        data = bytes(self._registers_now()[register : register + size])
        wire = data
        if self.crc:
            first = crc8(bytes([ADDRESS << 1, register, ADDRESS << 1 | 1]) + data[:1])
            crcs = [first] + [crc8([value]) for value in data[1:]]
            wire = bytes(byte for pair in zip(data, crcs, strict=True) for byte in pair)
        if self.corrupt_read_at == len(self.transactions):
            wire = bytes([wire[0] ^ 0x10]) + wire[1:]
        self._record("r", register, data, wire)
        buf[:] = wire

    # What tests ask.

    def written(self, address, size):
        """Data memory as the chip holds it now."""
        return bytes(self.memory.get(address + at, 0xEE) for at in range(size))

    def lets_a_gate_on(self):
        return bool(ALLOWING & set(self.commands)) or any(
            ~value & (CHG_ON | DSG_ON) for value in self.gates_allowed
        )

    def _record(self, kind, register, data, wire):
        index = len(self.transactions)
        self.transactions.append(Transaction(kind, register, data, wire))
        if index == self.fail_at:
            raise OSError(5)

    def _registers_now(self):
        now = bytearray(self.registers)
        echo = self._echo
        if self._busy:
            self._busy -= 1
            echo = 0xFFFF
        now[SUBCOMMAND] = echo & 0xFF
        now[SUBCOMMAND + 1] = echo >> 8
        return now

    def _subcommand(self, code):
        if code >= DATA_MEMORY:
            self._answer(code, self.written(code, 32))
            return
        self.commands.append(code)
        if code == DEVICE_NUMBER:
            self._answer(code, self.device_number.to_bytes(2, "little"))
        elif code == MFG_STATUS:
            self._answer(code, self.mfg_status.to_bytes(2, "little"))
        elif code == FET_ENABLE:
            self.mfg_status ^= 0x10
        elif code == SET_CFGUPDATE and self.stuck_in_update is not False:
            self.registers[BATTERY_STATUS] |= 0x01
        elif code == EXIT_CFGUPDATE and self.stuck_in_update is not True:
            self.registers[BATTERY_STATUS] &= ~0x09

    def _answer(self, code, data):
        self.registers[0x40 : 0x40 + len(data)] = data
        self.registers[CHECKSUM] = ~(sum(data) + (code & 0xFF) + (code >> 8)) & 0xFF
        self.registers[CHECKSUM + 1] = len(data) + 4

    def _commit(self, checksum, length):
        block = self._pending
        if length != len(block) + 2 or checksum != ~sum(block) & 0xFF:
            return
        code = block[0] | block[1] << 8
        if code >= DATA_MEMORY:
            if self.registers[BATTERY_STATUS] & 0x01:
                for at, value in enumerate(block[2:]):
                    self.memory[code + at] = value
            return
        self.commands.append(code)
        if code == FET_CONTROL:
            self.gates_allowed.append(block[2])
