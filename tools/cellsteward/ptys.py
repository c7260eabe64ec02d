"""Bridges between the firmware process (TCP) and other programs (pseudo-terminals).

Goals: clients may open and close a pseudo-terminal as often as they like; nobody who does not read
ever blocks the firmware; nothing grows without bound. One thread, asyncio.
How: the slave side stays open here, so that the master never sees a hang-up. What nobody reads is
dropped, the oldest first; what the firmware does not take is lost, as in a UART that overruns.
"""

import asyncio
import fcntl
import os
import termios
import tty
from collections import deque
from collections.abc import Callable

# Bytes that wait here for a client, beside the kernel's own buffer of about 16 KB.
BACKLOG_LIMIT = 16_384
_READ_SIZE = 4_096
_MESSAGE_SIZE = 1_024

Receiver = Callable[[bytes], None]


def _nobody(_data: bytes) -> None:
    """Receive until the other end of the bridge is known."""


class Pty:
    """A pseudo-terminal whose `path` other programs open like a serial port.

    receive: set it to what takes the bytes that a client wrote. Create it inside a running event
    loop.
    """

    def __init__(self) -> None:
        self.receive: Receiver = _nobody
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)  # no echo, no line editing, all eight bits
        os.set_blocking(self._master, False)
        os.set_blocking(self._slave, False)
        self.path = os.ttyname(self._slave)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._first_is_cut = False  # part of the first message is already written
        self._loop.add_reader(self._master, self._read)

    def send(self, message: bytes) -> None:
        """Write for whoever has the port open. Never blocks; drops old messages instead.

        A message of up to 1024 bytes is written or dropped as a whole, unless its first part was
        already on its way.
        """
        for start in range(0, len(message), _MESSAGE_SIZE):
            self._waiting.append(message[start : start + _MESSAGE_SIZE])
        self._waiting_bytes += len(message)
        self._write()
        if self._waiting_bytes > BACKLOG_LIMIT:
            self._drop_oldest()
            self._write()

    def discard(self) -> None:
        """Forget everything that was written and not read yet."""
        self._drain_kernel()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._first_is_cut = False

    def release(self) -> None:
        """Undo a client's TIOCEXCL, which would outlive it because the slave stays open here."""
        fcntl.ioctl(self._slave, termios.TIOCNXCL)

    def close(self) -> None:
        """Hang up."""
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        os.close(self._master)
        os.close(self._slave)

    def _read(self) -> None:
        try:
            data = os.read(self._master, _READ_SIZE)
        except BlockingIOError:
            return
        self.receive(data)

    def _write(self) -> None:
        while self._waiting:
            message = self._waiting[0]
            try:
                written = os.write(self._master, message)
            except BlockingIOError:
                written = 0
            self._waiting_bytes -= written
            if written < len(message):
                self._waiting[0] = message[written:]
                self._first_is_cut = self._first_is_cut or written > 0
                self._loop.add_writer(self._master, self._write)
                return
            self._waiting.popleft()
            self._first_is_cut = False
        self._loop.remove_writer(self._master)

    def _drop_oldest(self) -> None:
        self._drain_kernel()
        while self._first_is_cut or self._waiting_bytes > BACKLOG_LIMIT // 2:
            self._waiting_bytes -= len(self._waiting.popleft())
            self._first_is_cut = False

    def _drain_kernel(self) -> None:
        try:
            while os.read(self._slave, _READ_SIZE):
                pass
        except BlockingIOError:
            return


class FirmwareLink:
    """A TCP port of this computer to which the firmware process connects, and again after a reset.

    receive: set it to what takes the bytes that the firmware wrote.
    """

    def __init__(self) -> None:
        self.receive: Receiver = _nobody
        self._transport: asyncio.Transport | None = None
        self._server: asyncio.Server | None = None
        self.disconnected = asyncio.Event()  # set while the firmware is not connected
        self.disconnected.set()

    async def listen(self) -> int:
        """Open the port on 127.0.0.1 and return its number."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    def send(self, data: bytes) -> None:
        """Send to the firmware; lost while it is not connected or does not read."""
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() < BACKLOG_LIMIT:
            transport.write(data)

    def close(self) -> None:
        """Close the connection and the port."""
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()

    def take(self, transport: asyncio.Transport) -> bool:
        """A connection came in: keep it, unless there is one already."""
        if self._transport is not None:
            return False
        self._transport = transport
        self.disconnected.clear()
        return True

    def lost(self) -> None:
        """The kept connection ended."""
        self._transport = None
        self.disconnected.set()


class _Connection(asyncio.Protocol):
    """One incoming connection of a FirmwareLink."""

    def __init__(self, link: FirmwareLink):
        self._link = link
        self._kept = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._kept = self._link.take(transport)
        if not self._kept:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._kept:
            self._link.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._kept:
            self._link.lost()
