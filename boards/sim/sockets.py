"""Ports of the simulated board: local TCP sockets in the shape of machine.UART.

The host tool listens for the serial ones and bridges each to a pseudo-terminal; for Modbus TCP the
board listens itself. Nothing here blocks: what a full
socket does not take is lost, as on a wire that nobody reads.
"""

import io
import socket


class SerialPort(io.IOBase):
    """One serial port. `socket` is what the clock's poller waits on.

    typed: what a scenario's order typed, read before what comes through the socket.
    """

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
        self.socket.setblocking(False)
        self.closed_by_peer = False
        self.typed = bytearray()

    def stream(self):
        """What asyncio waits on."""
        return self

    def readinto(self, buffer):
        """Bytes read, or None if nothing waits."""
        if self.typed:
            count = min(len(buffer), len(self.typed))
            buffer[:count] = self.typed[:count]
            self.typed = self.typed[count:]
            return count
        count = self.socket.readinto(buffer)
        if count == 0:
            raise OSError("the host tool closed this port")
        return count

    def write(self, data):
        """Bytes taken, or None if the other side is full."""
        try:
            return self.socket.write(data)
        except OSError:
            return None

    def txdone(self):
        """Whether the last bit has left: a socket takes all at once."""
        return True


class TcpListener(io.IOBase):
    """A TCP port for clients, in the shape that modbus.tcp wants: reading accepts one.

    connection: of the latest client.
    """

    typed = b""

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
        self.socket.listen(5)
        self.socket.setblocking(False)
        self.connection = None

    def readinto(self, buffer):
        """Accept a client: its IPv4 address goes into `buffer`."""
        try:
            accepted, address = self.socket.accept()
        except OSError:
            return None  # it was gone before we looked
        self.connection = TcpConnection(accepted)
        buffer[:] = address[4:8]  # struct sockaddr_in: family, port, address
        return len(buffer)

    def close(self):
        """No more clients."""
        self.socket.close()


class TcpConnection(io.IOBase):
    """One client's connection in the shape of a UART."""

    typed = b""

    def __init__(self, connected):
        self.socket = connected
        self.socket.setblocking(False)

    def readinto(self, buffer):
        """Bytes read, 0 if the client hung up, or None if nothing waits."""
        return self.socket.readinto(buffer)

    def write(self, data):
        """Bytes taken, or None if the connection is full."""
        return self.socket.write(data)

    def close(self):
        """Hang up."""
        self.socket.close()
