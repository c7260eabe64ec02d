"""Serial ports of the simulated board: local TCP sockets in the shape of machine.UART.

The host tool listens and bridges each to a pseudo-terminal. Nothing here blocks: what a full
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
