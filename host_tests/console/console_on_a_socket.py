"""MicroPython script: a new board's console on a TCP socket, with MicroPython's own asyncio.

Usage: micropython console_on_a_socket.py PORT DIRECTORY (with MICROPYPATH=firmware/lib)
First proves that commands leave no memory behind, then connects to PORT and serves the console.
"""

import asyncio
import gc
import socket
import sys
from array import array

from bms import requests
from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points
from bms.requests import Requests
from bms.trial import Trial
from console.commands import COMMANDS
from console.console import Console
from console.door import Door
from storage.configuration import Configuration

parameters = Parameters()
configuration = Configuration(sys.argv[2])
configuration.load(parameters)


class EventsLog:
    def records(self, count):
        return ((2, 1, 70, 1, 0, 3671), (1, 1, 0, 0, 0, 1))[:count]


class Battery:
    """Answers a request as soon as somebody looks whether it did."""

    captured_cell_mv = array("i", [3300, 6600, -3300, 6600])
    captured_stack_mv = 13200
    trial = Trial()
    health = None

    def __init__(self, letter_box):
        self._letter_box = letter_box
        self._captures = 0

    @property
    def captures(self):
        self._captures += self._letter_box.pending == requests.CAPTURE
        self._letter_box.pending = requests.NONE
        return self._captures


class Commission:
    def record_saved(self):
        return None


class Services:
    """What only some commands ask for."""

    events_log = EventsLog()
    commission = Commission()

    def __init__(self, letter_box):
        self.battery = Battery(letter_box)


letter_box = Requests()
console = Console(
    Points(),
    parameters,
    Faults(),
    Access(parameters, trusted=True),
    letter_box,
    configuration,
    "Cellsteward on %s" % sys.platform,
    print,
    print,
    print,
    Services(letter_box),
)


def used_after(rounds):
    for _ in range(rounds):
        for row in COMMANDS:
            for line in (row[0], row[0] + " --json"):
                for _line in console.execute(line):
                    pass
        for line in ("get", "get temp", "get full_cell_mv", "set full_cell_mv 3450", "nothing"):
            for _line in console.execute(line):
                pass
    gc.collect()
    return gc.mem_alloc()


used_after(3)
before = used_after(3)
growth = used_after(20) - before
console.settings.draft.clear()
if console.failures:
    raise AssertionError("%d commands failed" % console.failures)
if growth > 256:
    raise AssertionError("twenty rounds of commands left %d bytes" % growth)

port = socket.socket()
port.connect(socket.getaddrinfo("127.0.0.1", int(sys.argv[1]))[0][-1])
port.setblocking(False)
asyncio.run(Door(lambda: console).run(port))
