"""Runs on MicroPython (32-bit WebAssembly build): reading in any language allocates nothing.

Under heap lock: Modbus, Pylontech and JBD requests of every kind, broken and mutated ones, mixed
in one framer. Left out are writes of settings. Prints OK.
"""

import micropython

from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points
from bms.requests import Requests
from inverter.rules import ChargeRules
from jbd.core import Jbd
from jbd.language import JbdLanguage
from links.diagnosis import RS485, Diagnosis
from links.framing import BUSY, IDLE, PAUSED, Framer
from modbus.registers import RegisterMap
from modbus.rtu import Rtu
from modbus.server import MAX_ADU, Server
from pylon_rs485.characters import checksum, length_field, put_hex
from pylon_rs485.language import Pylontech

ROUNDS = 2000

points = Points()
parameters = Parameters()
parameters.load({"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000})
faults = Faults()
for place in range(len(points.live)):
    points.live[place] = 3000 + place
points.live[points.offset("series_cells")] = 16
snapshot = points.new_snapshot()
requests = Requests()
registers = RegisterMap(points, parameters, Access(parameters), requests, print, faults)
rtu = Rtu(Server(1, registers), registers)
pylontech = Pylontech(0, points, parameters, ChargeRules(None, points, parameters))
core = Jbd(points, parameters, Access(parameters), requests, print, snapshot)
for steps in (registers.wake(), pylontech.build(parameters, faults), core.build(faults)):
    for _ in steps:
        pass
framer = Framer([rtu, pylontech, JbdLanguage(core)], Diagnosis(), RS485)
response = bytearray(MAX_ADU)


def pylontech_frame(cid2, info, address=2):
    frame = bytearray(96)
    frame[0] = 0x7E
    end = put_hex(frame, 1, 0x20, 2)
    end = put_hex(frame, end, address, 2)
    end = put_hex(frame, end, 0x46, 2)
    end = put_hex(frame, end, cid2, 2)
    end = put_hex(frame, end, length_field(len(info)), 4)
    for character in info:
        frame[end] = character
        end += 1
    end = put_hex(frame, end, checksum(frame, 1, end), 4)
    frame[end] = 0x0D
    return frame[: end + 1]


def jbd_frame(kind, register, data=b""):
    body = bytes((register, len(data))) + data
    total = -sum(body) & 0xFFFF
    return bytearray(bytes((0xDD, kind)) + body + bytes((total >> 8, total & 0xFF, 0x77)))


frames = [bytearray(bytes.fromhex("0103010000407dc6"))]
for cid2 in (0x42, 0x44, 0x47, 0x4F, 0x51, 0x60, 0x61, 0x62, 0x63, 0x92, 0x93, 0x96, 0x94):
    frames.append(pylontech_frame(cid2, b""))
    frames.append(pylontech_frame(cid2, b"02"))
    frames.append(pylontech_frame(cid2, b"FF", 0x12))
    frames.append(pylontech_frame(cid2, b"05"))
for register in (0x03, 0x04, 0x05, 0xAA, 0xA0, 0xE1, 0x77, 0x10, 0x24, 0x29, 0x3A, 0x11, 0x14):
    frames.append(jbd_frame(0xA5, register))
frames.append(jbd_frame(0x5A, 0x00, b"\x56\x78"))
frames.append(jbd_frame(0x5A, 0x06, b"\x06000000"))
frames.append(jbd_frame(0x5A, 0x24, b"\x0e\x42"))
frames.append(jbd_frame(0x5A, 0xE1, b"\x00\x03"))
frames.append(jbd_frame(0x5A, 0x01, b"\x00\x00"))


def receive(data, at, flip):
    """Give bytes to the framer (in place: `space` makes a view), one of them changed."""
    length = len(data)
    if framer.fill + length > len(framer.buffer):
        framer.clear()
    for place in range(length):
        byte = data[place]
        framer.buffer[framer.fill + place] = byte ^ flip if place == at else byte
    framer.received(length)
    answered = 0
    for attempt in range(4):
        size = framer.find(BUSY if attempt == 0 else PAUSED if attempt < 3 else IDLE)
        if size:
            if framer.language.respond(framer.buffer, framer.start, size, response):
                answered += 1
            framer.drop(size)
    return answered


def run(rounds):
    random = 12345
    answers = 0
    for turn in range(rounds):
        request = frames[turn % len(frames)]
        answers += receive(request, -1, 0)
        random = (random * 4005 + 12347) & 0x3FFFF  # stays below 2**30
        receive(request, random % len(request), random >> 6 & 0xFF)
        framer.clear()
        core.step(100)
    return answers


answers = run(len(frames))
micropython.heap_lock()
try:
    answers = run(ROUNDS)
finally:
    micropython.heap_unlock()
assert answers > ROUNDS // 2, answers
print("OK")
