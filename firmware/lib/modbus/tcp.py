"""Modbus TCP: a few clients at a time, each with a bounded buffer and a time-out.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b. A request is seven bytes
(transaction, protocol 0, length, unit) and the function and data that modbus.server answers.
Only clients of the list `allowed` are served; others, and one more than there is room for, are
hung up on at once. What is no Modbus TCP ends its connection. Unit 0, 255 and our own address are
ours; another unit gets exception 0B, as from a gateway that has nobody there.
`listener` is the board's: readable when somebody knocks, and then
    readinto(buffer)  puts the client's IPv4 address into four bytes, or returns None
    connection        is a stream like a UART (readinto, write), with close()
Memory: buffers are made once; per request asyncio allocates a few small objects, bounded.
"""

import asyncio

from links.diagnosis import FRAMES_OUT, REFUSED, STOPPED, TCP, TIMEOUTS
from modbus.server import EXCEPTION_FLAG, word

CLIENTS = 3
"""Connections at a time."""

_HEADER = 7  # up to the unit identifier
_LENGTH_AT = 4
_UNIT_AT = 6
_MAX_PDU = 253
_SIZE = _HEADER + _MAX_PDU
_MIN_LENGTH = 2  # unit and function
_MAX_LENGTH = 1 + _MAX_PDU  # the length counts the unit, too
_WITH_ADDRESS = 4  # unit, function, address
_UNITS = (0, 0xFF)
_GATEWAY_TARGET_FAILED = 0x0B
_PEER = 5  # row of links.peer_rows
_SUNSPEC_PEER = 2
_SUNSPEC = 40000
_WRITE_PAUSE_MS = 5
_WRITE_TRIES = 200  # a second
_INCOMPLETE = 0
_BROKEN = -1


class Exchange:
    """One client's bytes: requests in `buffer[:fill]`, the answer to the first in `response`."""

    def __init__(self, server, registers):
        self._server = server
        self._registers = registers
        self.buffer = bytearray(_SIZE)
        self.view = memoryview(self.buffer)
        self.response = bytearray(_SIZE)
        self.response_view = memoryview(self.response)
        self.fill = 0
        self.peer = _PEER
        self.refused = False

    def asleep(self):
        """Whether the first request needs something that must be loaded first."""
        complete = self.fill >= _HEADER and self.fill >= _UNIT_AT + word(self.buffer, _LENGTH_AT)
        return (
            complete
            and self.fill > _HEADER + _WITH_ADDRESS
            and self._registers.asleep(word(self.buffer, _HEADER + 1))
        )

    def answer(self):
        """Answer the first request. Returns the answer's length, 0 if no request is complete, and
        -1 if this is no Modbus TCP. Allocates nothing."""
        buffer = self.buffer
        if self.fill < _HEADER:
            return _INCOMPLETE
        length = word(buffer, _LENGTH_AT)
        if word(buffer, 2) or not _MIN_LENGTH <= length <= _MAX_LENGTH:
            return _BROKEN
        if self.fill < _UNIT_AT + length:
            return _INCOMPLETE
        response = self.response
        unit = buffer[_UNIT_AT]
        if unit in _UNITS or unit == self._server.address:
            size = self._server.respond_pdu(buffer, _HEADER, length - 1, response, _HEADER)
        else:
            response[_HEADER] = buffer[_HEADER] | EXCEPTION_FLAG
            response[_HEADER + 1] = _GATEWAY_TARGET_FAILED
            size = 2
        self.refused = response[_HEADER] & EXCEPTION_FLAG != 0
        if length >= _WITH_ADDRESS:
            self.peer = _SUNSPEC_PEER if word(buffer, _HEADER + 1) >= _SUNSPEC else _PEER
        for at in range(_LENGTH_AT):
            response[at] = buffer[at]
        response[_LENGTH_AT] = 0
        response[_LENGTH_AT + 1] = size + 1
        response[_UNIT_AT] = unit
        self._drop(_UNIT_AT + length)
        return _HEADER + size

    def _drop(self, length):
        for at in range(length, self.fill):
            self.buffer[at - length] = self.buffer[at]
        self.fill -= length


class _Client:
    """A place for one client."""

    def __init__(self, server, registers):
        self.exchange = Exchange(server, registers)
        self.connection = None
        self.idle_ms = 0
        self._task = None

    def start(self, coroutine):
        """Serve the connection in a task of its own."""
        self._task = asyncio.create_task(coroutine)

    def stop(self):
        """End that task from outside."""
        if self._task is not None:
            self._task.cancel()


class TcpServer:
    """`run` it as a service, and `step` it about once a second.

    allowed(address): whether a client may connect; address: four bytes. idle_ms: after that time
    without a request a connection is closed.
    """

    def __init__(self, listener, server, registers, allowed, idle_ms, diagnosis):
        self._registers = registers
        self._listener = listener
        self._allowed = allowed
        self._idle_ms = idle_ms
        self._diagnosis = diagnosis
        self._clients = [_Client(server, registers) for _ in range(CLIENTS)]

    async def run(self):
        """Serve until cancelled. Raises OSError if the network is gone."""
        self._diagnosis.open(TCP)
        self._diagnosis.tell(TCP, STOPPED, False)
        reader = asyncio.StreamReader(self._listener)
        address = bytearray(4)
        try:
            while True:
                if await reader.readinto(address):
                    self._welcome(self._listener.connection, address)
        except OSError:
            self._diagnosis.tell(TCP, STOPPED, True)
            raise
        finally:
            for client in self._clients:
                self._close(client)

    def step(self, elapsed_ms):
        """Let time pass for idle clients."""
        for client in self._clients:
            if client.connection is not None:
                client.idle_ms += elapsed_ms
                if client.idle_ms > self._idle_ms:
                    self._close(client)

    def _welcome(self, connection, address):
        for client in self._clients:
            if client.connection is None and self._allowed(address):
                client.connection = connection
                client.exchange.fill = 0
                client.idle_ms = 0
                client.start(self._serve(client))
                return
        self._diagnosis.tell(TCP, REFUSED, True)
        connection.close()

    def _close(self, client):
        """Hang up from outside of the client's own task."""
        if client.connection is not None:
            client.stop()

    async def _serve(self, client):
        connection = client.connection
        exchange = client.exchange
        reader = asyncio.StreamReader(connection)
        try:
            while True:
                count = await reader.readinto(exchange.view[exchange.fill :])
                if not count:
                    return
                exchange.fill += count
                if not await self._answer_all(client):
                    return
        except OSError:
            return  # the client is gone
        finally:
            client.connection = None
            connection.close()

    async def _answer_all(self, client):
        """Answer all complete requests. False if the connection is of no use any more."""
        exchange = client.exchange
        while True:
            if exchange.asleep():
                for _ in self._registers.wake():
                    await asyncio.sleep_ms(0)
            size = exchange.answer()
            if size <= 0:
                return size == _INCOMPLETE
            client.idle_ms = 0
            self._diagnosis.heard(TCP, exchange.peer)
            self._diagnosis.tell(TCP, REFUSED, exchange.refused)
            sent = await self._write(client.connection, exchange.response_view, size)
            self._diagnosis.count(FRAMES_OUT if sent else TIMEOUTS, TCP)
            if not sent:
                return False

    async def _write(self, connection, view, size):
        sent = 0
        for _ in range(_WRITE_TRIES):
            sent += connection.write(view[sent:size]) or 0
            if sent >= size:
                return True
            await asyncio.sleep_ms(_WRITE_PAUSE_MS)
        return False
