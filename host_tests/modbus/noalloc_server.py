"""Runs on MicroPython (32-bit WebAssembly build): the Modbus server core allocates nothing.

4,000 requests under heap lock, over RTU and TCP: good reads of all areas, every way to be
refused, unlocking and commands, broken and mutated frames, and the framer that finds them in the
stream. Left out is only what modbus.registers says allocates: writes to parameters while the bus
is unlocked. Prints OK.
"""

import micropython

from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points
from bms.requests import NONE, Requests
from links.diagnosis import RS485, Diagnosis
from links.framing import BUSY, PAUSED, Framer
from modbus.crc16 import crc16
from modbus.registers import COMMAND, UNLOCK, RegisterMap
from modbus.rtu import Rtu
from modbus.server import MAX_ADU, Server
from modbus.tcp import Exchange

ADDRESS = 17
CODE = 4711
ROUNDS = 4000

# Function code and data in hexadecimal; frames get address and CRC below.
REQUESTS = (
    "0300ff006b",  # version and the whole telemetry block
    "040100006a",
    "0301000008",
    "0310000007",  # parameters
    "0310900006",
    "030f000003",  # controls
    "0300000001",  # no such register
    "0310080001",
    "03ffff0002",
    "039c40007d",  # SunSpec
    "039cbd0048",
    "039c460044",
    "069cb80001",  # AlmRst, locked
    "0301000000",  # bad counts
    "03010000ff",
    "060f000001",  # wrong code
    "0610100032",  # locked parameter
    "101080000204138810cc",
    "061008002a",  # locked gap
    "0601000001",  # read only
    "060f010002",  # locked command
    "060f010009",
    "10100000010200",  # counts that do not fit
    "1010000002020000",
    "2b0e0100",  # unknown functions
    "01000000ff",
    "00",
    "8302",
)


def frame(text, address=ADDRESS):
    data = bytearray(bytes((address,)) + bytes.fromhex(text) + b"\0\0")
    crc = crc16(data, 0, len(data) - 2)
    data[-2] = crc & 0xFF
    data[-1] = crc >> 8
    return data


points = Points()
parameters = Parameters()
parameters.load(
    {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000, "access_code": CODE}
)
for place in range(len(points.live)):
    points.live[place] = 52000 + place
points.live[points.offset("series_cells")] = 16
access = Access(parameters)
box = Requests()
registers = RegisterMap(points, parameters, access, box, print, Faults())
for _ in registers.wake():
    pass
server = Server(ADDRESS, registers)
exchange = Exchange(server, registers)
framer = Framer((Rtu(server, None),), Diagnosis(), RS485)

frames = [frame(text) for text in REQUESTS]
frames.append(frame("0301000008", 0))
frames.append(frame("0301000008", 99))
frames.append(frame("03020001", 99))
unlock = frame(f"06{UNLOCK:04x}{CODE:04x}")
command = frame(f"06{COMMAND:04x}0002")
lock = frame(f"06{COMMAND:04x}0004")
response = bytearray(4 + MAX_ADU)  # Modbus TCP: seven bytes before the PDU in place of three
work = bytearray(MAX_ADU)


def receive(data, length):
    """Give bytes to the framer (in place: `space` makes a view) and serve what it finds."""
    if framer.fill + length > len(framer.buffer):
        framer.clear()
    for at in range(length):
        framer.buffer[framer.fill + at] = data[at]
    framer.received(length)
    answered = 0
    for attempt in range(3):
        size = framer.find(PAUSED if attempt else BUSY)
        if size:
            if server.respond(framer.buffer, size, response, framer.start):
                answered += 1
            framer.drop(size)
    return answered


def ask_over_tcp(request, length):
    """The same function and data as a Modbus TCP request."""
    buffer = exchange.buffer
    for at in range(4):
        buffer[at] = 0
    buffer[4] = 0
    buffer[5] = length + 1
    buffer[6] = ADDRESS
    for at in range(length):
        buffer[7 + at] = request[1 + at]
    exchange.fill = 7 + length
    exchange.asleep()
    exchange.answer()


def run(rounds):
    """Answers given to (good requests, unlocks, commands)."""
    random = 12345
    answers = 0
    for turn in range(rounds):
        request = frames[turn % len(frames)]
        length = len(request)
        if server.respond(request, length, response):
            answers += 1
        for at in range(length):
            work[at] = request[at]
        random = (random * 4005 + 12347) & 0x3FFFF  # stays below 2**30
        work[random % length] ^= random >> 6 & 0xFF
        server.respond(work, length, response)
        server.respond_pdu(work, 1, random % length, response, 7)
        ask_over_tcp(request, length - 3)
        receive(work, length)
        answers += receive(request, length)
        if server.respond(unlock, len(unlock), response) and access.unlocked():
            answers += server.respond(command, len(command), response) > 0
            box.pending = NONE
        server.respond(lock, len(lock), response)
        access.step(100)
    return answers


answers = run(len(frames))  # makes what is made once, this name included
micropython.heap_lock()
try:
    answers = run(ROUNDS)
finally:
    micropython.heap_unlock()
assert answers > ROUNDS, answers
print("OK")
