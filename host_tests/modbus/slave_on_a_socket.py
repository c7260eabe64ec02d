"""Runs on MicroPython's unix port: the RTU slave with a TCP connection as its UART.

Arguments: TCP port to connect to, baud rate. MICROPYPATH names the firmware's library. Ends with
the connection; a transceiver left on or an escaped exception shows in what it prints.
"""

import asyncio
import io
import select
import socket
import sys

from bms.access import Access
from bms.parameters import Parameters
from bms.points import Points
from bms.requests import Requests
from links.diagnosis import RS485, Diagnosis
from modbus.registers import RegisterMap
from modbus.rtu import Rtu
from modbus.server import Server
from rs485.port import Port

_POLL = 3  # MP_STREAM_POLL, py/stream.h
_FILE_NUMBER = 10  # MP_STREAM_GET_FILENO


class SocketUart(io.IOBase):
    """A TCP connection in the shape of machine.UART."""

    def __init__(self, connection):
        connection.setblocking(False)
        self._connection = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def readinto(self, buffer):
        count = self._connection.readinto(buffer)
        if count == 0:
            raise OSError("closed")
        return count

    def write(self, data):
        return self._connection.write(data)

    def txdone(self):
        return True

    def ioctl(self, request, argument):
        if request == _POLL:
            return argument if self._poll.poll(0) else argument & select.POLLOUT
        return self._connection.fileno() if request == _FILE_NUMBER else -1


class Pin:
    """A transmit-enable pin that checks that it is moved in turn."""

    value = 0

    def __call__(self, value):
        assert value != self.value
        self.value = value


points = Points()
parameters = Parameters()
parameters.load(
    {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000, "access_code": 4711}
)
for place in range(len(points.live)):
    points.live[place] = 1000 + place
registers = RegisterMap(points, parameters, Access(parameters), Requests(), print)

connection = socket.socket()
connection.connect(socket.getaddrinfo("127.0.0.1", int(sys.argv[1]))[0][-1])
switch = Pin()
diagnosis = Diagnosis()
languages = (Rtu(Server(17, registers), registers),)
slave = Port(SocketUart(connection), int(sys.argv[2]), languages, diagnosis, switch)
try:
    asyncio.run(slave.run())
except OSError as error:
    assert str(error) == "closed", error
assert switch.value == 0
print(*[diagnosis.values[RS485 + 4 * field] for field in range(5)])
