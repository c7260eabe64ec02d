"""What the Modbus tests share: the real tables, pymodbus as the other side, and a line in virtual
time that drives the slave's coroutine by hand, so that no test sleeps."""

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from bms.access import Access
from bms.parameters import Parameters
from bms.points import Points
from bms.requests import Requests
from links.diagnosis import (
    CRC_ERRORS,
    FRAMES_IN,
    FRAMES_OUT,
    RS485,
    TIMEOUTS,
    UNKNOWN,
    Diagnosis,
)
from links.framing import Framer
from modbus.registers import RegisterMap
from modbus.rtu import Rtu
from modbus.server import MAX_ADU, Server
from rs485.port import Port

ADDRESS = 17
CODE = 4711
SETTINGS = {
    "chemistry": 0,
    "series_cells": 16,
    "design_capacity_mah": 280000,
    "access_code": CODE,
    "access_minutes": 10,
}

_ASK = FramerRTU(DecodePDU(is_server=True))
_LISTEN = FramerRTU(DecodePDU(is_server=False))


def adu(message, address=ADDRESS):
    """The RTU frame that pymodbus makes of a request."""
    message.dev_id = address
    return _ASK.buildFrame(message)


def with_crc(text):
    """A frame from hexadecimal text without CRC; the CRC is pymodbus's."""
    frame = bytes.fromhex(text)
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def parse(frame, address=ADDRESS):
    """What pymodbus understands of a response frame."""
    used, message = _LISTEN.handleFrame(bytes(frame), address, 0)
    assert message is not None, "pymodbus does not understand " + bytes(frame).hex()
    assert used == len(frame)
    assert message.dev_id == address
    return message


class Device:
    """The register map over the real tables, and the server over it."""

    def __init__(self, settings=SETTINGS):
        self.points = Points()
        self.parameters = Parameters()
        if settings:
            self.parameters.load(settings)
        self.access = Access(self.parameters)
        self.requests = Requests()
        self.changes = []
        self.registers = RegisterMap(
            self.points, self.parameters, self.access, self.requests, self.changes.append
        )
        self.server = Server(ADDRESS, self.registers)

    def ask(self, frame):
        """The answer to a frame, empty if there is none."""
        response = bytearray(MAX_ADU)
        return bytes(response[: self.server.respond(bytearray(frame), len(frame), response)])

    def unlock(self):
        assert self.access.authorize(CODE)

    def values(self):
        return list(self.parameters.values)

    def publish(self, name, value, index=0):
        self.points.live[self.points.offset(name) + index] = value


class Counted:
    """What tests ask of the link that a framer or a port counts on."""

    def counted(self, *fields):
        return sum(self.diagnosis.values[field + RS485] for field in fields)

    @property
    def requests(self):
        return self.counted(FRAMES_IN)

    @property
    def answers(self):
        return self.counted(FRAMES_OUT)

    @property
    def others(self):
        return self.counted(UNKNOWN)

    @property
    def broken(self):
        """Bursts that were no frame, or the beginning of one only."""
        return self.counted(CRC_ERRORS, TIMEOUTS)


class ModbusFramer(Counted, Framer):
    """A framer that knows Modbus alone, for one address."""

    def __init__(self, address):
        self.diagnosis = Diagnosis()
        super().__init__((Rtu(Server(address, None), None),), self.diagnosis, RS485)


class Slave(Counted, Port):
    """A port that speaks Modbus alone."""

    def __init__(self, uart, baud, server, transmit_enable=None):
        self.diagnosis = Diagnosis()
        super().__init__(uart, baud, (Rtu(server, None),), self.diagnosis, transmit_enable)


class _Wait:
    """Something to await: hands `what` to whoever drives the coroutine."""

    def __init__(self, *what):
        self._what = what

    def __await__(self):
        yield self._what


class Uart:
    """A machine.UART without hardware: `line` says what has arrived and when."""

    def __init__(self, line, accepts=MAX_ADU, sent_late_ms=0):
        self._line = line
        self._accepts = accepts
        self._sent_late_ms = sent_late_ms
        self._sent_at_ms = 0

    def readinto(self, buffer):
        count = min(len(buffer), len(self._line.received))
        buffer[:count] = self._line.received[:count]
        del self._line.received[:count]
        return count or None

    def write(self, data):
        count = min(len(data), self._accepts)
        if not count:
            return None
        self._line.sent.append((self._line.now_ms, bytes(data[:count])))
        self._sent_at_ms = self._line.now_ms + len(data) * 10000 / self._line.baud
        self._sent_at_ms += self._sent_late_ms
        return count

    def txdone(self):
        return self._line.now_ms >= self._sent_at_ms


class _Reader:
    def __init__(self, uart):
        self._uart = uart

    async def readinto(self, buffer):
        await _Wait("read")
        return self._uart.readinto(buffer)


class Line:
    """Stands in for asyncio in rs485.port and drives one slave in virtual milliseconds."""

    def __init__(self, baud=9600):
        self.baud = baud
        self.now_ms = 0
        self.received = bytearray()
        self.sent = []  # (time, bytes)
        self.wakeups = 0
        self._arrivals = []  # (time, bytes), in order
        self.StreamReader = _Reader  # what rs485.port uses of asyncio, with sleep_ms

    def sleep_ms(self, duration_ms):
        return _Wait("sleep", duration_ms)

    def arrives(self, at_ms, data):
        self._arrivals.append((at_ms, bytes(data)))

    def arrives_byte_by_byte(self, at_ms, data, gap_ms):
        for index, byte in enumerate(data):
            self.arrives(at_ms + index * gap_ms, (byte,))

    def run(self, coroutine):
        """Run until the slave sleeps for data and no more will come."""
        while True:
            what = coroutine.send(None)
            self.wakeups += 1
            if what[0] == "sleep":
                self._advance(self.now_ms + what[1])
                continue
            while not self.received:
                if not self._arrivals:
                    coroutine.close()
                    return
                self._advance(max(self.now_ms, self._arrivals[0][0]))

    def answers(self):
        return [data for _, data in self.sent]

    def _advance(self, to_ms):
        while self._arrivals and self._arrivals[0][0] <= to_ms:
            self.received += self._arrivals.pop(0)[1]
        self.now_ms = to_ms
