"""The Modbus server core: a request in one buffer becomes a response in another.

Goals: one core under RTU and TCP, no allocation, and an answer to every request that the
specification (MODBUS Application Protocol V1.1b3) says to answer: functions 03, 04, 06 and 16 are
served, everything else gets exception 01.
Limits: knows no register. `registers` is any object with
    read(address, count, response, at) -> 0 or an exception code
    write(address, count, request, at) -> 0 or an exception code
which take registers as big-endian byte pairs in place. What `registers` allocates is its affair;
see modbus.registers.
"""

from modbus.crc16 import crc16

# V1.1b3, 7: exception codes.
ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
DEVICE_BUSY = 6

READ_HOLDING = 3
READ_INPUT = 4
WRITE_SINGLE = 6
WRITE_MULTIPLE = 16

EXCEPTION_FLAG = 0x80
BROADCAST = 0

_FIXED_PDU = 5  # function and two words: reads, a single write, the answers to both writes
_MULTIPLE_HEADER = 6  # function, address, count, byte count

MAX_ADU = 256  # V1.1b3, 4.1: address, 253 bytes of function and data, CRC
_MIN_ADU = 4
_MAX_READ = 125  # V1.1b3, 6.3: registers that fit a response
_MAX_WRITE = 123  # V1.1b3, 6.12: registers that fit a request


def word(buffer, at):
    """The big-endian 16-bit number at `at`. Allocates nothing."""
    return buffer[at] << 8 | buffer[at + 1]


class Server:
    """Serves one Modbus address (1 to 247) from one set of registers. Never raises."""

    def __init__(self, address, registers):
        self.address = address
        self._addresses = (address, BROADCAST)
        self._registers = registers
        # Each: (request, start, length, response, at) -> response length or minus exception code.
        self._handlers = {
            READ_HOLDING: self._read,
            READ_INPUT: self._read,
            WRITE_SINGLE: self._write_single,
            WRITE_MULTIPLE: self._write_multiple,
        }

    def respond(self, request, length, response, start=0):
        """Carry out an RTU frame of `length` bytes (with CRC) that begins at `start`.

        Returns the length of the frame put into `response` (another buffer, MAX_ADU bytes), or 0
        where silence is due: a bad CRC, another address, a broadcast, or an exception response,
        which no master sends (V1.1b3, 4.1 reserves its codes).
        """
        if not _MIN_ADU <= length <= MAX_ADU:
            return 0
        end = start + length - 2
        if crc16(request, start, end) != request[end] | request[end + 1] << 8:
            return 0
        address = request[start]
        if address not in self._addresses or request[start + 1] & EXCEPTION_FLAG:
            return 0
        size = 1 + self.respond_pdu(request, start + 1, length - 3, response, 1)
        if address == BROADCAST:
            return 0
        response[0] = address
        crc = crc16(response, 0, size)
        response[size] = crc & 0xFF
        response[size + 1] = crc >> 8
        return size + 2

    def respond_pdu(self, request, start, length, response, at):
        """Carry out the function code and data at `start`; put the response at `at`.

        Returns the response's length; 0 only if there is no request. Serves every address: who
        calls this has already looked at it (Modbus TCP: the unit identifier).
        """
        if length < 1:
            return 0
        function = request[start]
        handler = self._handlers.get(function)
        size = handler(request, start, length, response, at) if handler else -ILLEGAL_FUNCTION
        if size < 0:
            response[at] = function | EXCEPTION_FLAG
            response[at + 1] = -size
            return 2
        response[at] = function
        return size

    def _read(self, request, start, length, response, at):
        if length != _FIXED_PDU:
            return -ILLEGAL_VALUE
        count = word(request, start + 3)
        if not 1 <= count <= _MAX_READ:
            return -ILLEGAL_VALUE
        exception = self._registers.read(word(request, start + 1), count, response, at + 2)
        if exception:
            return -exception
        response[at + 1] = 2 * count
        return 2 + 2 * count

    def _write_single(self, request, start, length, response, at):
        if length != _FIXED_PDU:
            return -ILLEGAL_VALUE
        exception = self._registers.write(word(request, start + 1), 1, request, start + 3)
        if exception:
            return -exception
        return self._echo(request, start, response, at)

    def _write_multiple(self, request, start, length, response, at):
        if length < _MULTIPLE_HEADER:
            return -ILLEGAL_VALUE
        count = word(request, start + 3)
        size = request[start + 5]
        if not 1 <= count <= _MAX_WRITE or size != 2 * count or length != _MULTIPLE_HEADER + size:
            return -ILLEGAL_VALUE
        exception = self._registers.write(
            word(request, start + 1), count, request, start + _MULTIPLE_HEADER
        )
        if exception:
            return -exception
        return self._echo(request, start, response, at)

    def _echo(self, request, start, response, at):
        """Both writes answer with the first five bytes of their request."""
        for offset in range(1, _FIXED_PDU):
            response[at + offset] = request[start + offset]
        return _FIXED_PDU
