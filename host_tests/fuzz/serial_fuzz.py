"""Runs on MicroPython's unix port: noise and mutated requests at full speed into every parser.

Arguments: bytes for each parser, seed. Deterministic. Every parser gets random bytes, pieces of
requests, and whole requests with some bytes changed, in pieces of any size and with pauses
anywhere; whenever that stops, the next good request must get its answer, and nothing else may be
answered. Prints, for each parser, the bytes, how many requests were answered, and by how many
bytes the heap grew over the second half; then OK.
"""

import gc
import sys

from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points
from bms.requests import NONE, Requests
from inverter.rules import ChargeRules
from jbd.core import Jbd
from jbd.language import JbdLanguage
from links.diagnosis import RS485, Diagnosis
from links.framing import BUSY, IDLE, PAUSED, Framer
from modbus.crc16 import crc16
from modbus.registers import RegisterMap
from modbus.rtu import Rtu
from modbus.server import MAX_ADU, Server
from modbus.tcp import Exchange
from pylon_rs485.language import Pylontech

BYTES = int(sys.argv[1])
SEED = int(sys.argv[2])
CODE = 4711
BURST = 700  # bytes of noise between two good requests, at most
GROWTH = 4096  # bytes of heap over half a run: free lists and caches, nothing that grows

points = Points()
parameters = Parameters()
parameters.load(
    {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000, "access_code": CODE}
)
settings = list(parameters.values)
faults = Faults()
for place in range(len(points.live)):
    points.live[place] = 3000 + place
points.live[points.offset("series_cells")] = 16
snapshot = points.new_snapshot()
letter_box = Requests()
registers = RegisterMap(points, parameters, Access(parameters), letter_box, print, faults)
server = Server(1, registers)
rtu = Rtu(server, registers)
pylontech = Pylontech(0, points, parameters, ChargeRules(None, points, parameters))
core = Jbd(points, parameters, Access(parameters), letter_box, print, snapshot)
for steps in (registers.wake(), pylontech.build(parameters, faults), core.build(faults)):
    for _ in steps:
        pass
jbd = JbdLanguage(core)


class Random:
    """xorshift, the same everywhere."""

    def __init__(self, seed):
        self._state = seed | 1

    def below(self, limit):
        state = self._state
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        self._state = state
        return state % limit


def modbus(text):
    frame = bytes.fromhex(text)
    crc = crc16(frame, 0, len(frame))
    return frame + bytes((crc & 0xFF, crc >> 8))


def sums(text):
    """A Pylontech frame from what stands between its mark and its checksum."""
    characters = text.encode()
    return b"~" + characters + b"%04X\r" % (-sum(characters) & 0xFFFF)


def jbd_frame(kind, register, data=b""):
    body = bytes((register, len(data))) + data
    total = -sum(body) & 0xFFFF
    return bytes((0xDD, kind)) + body + bytes((total >> 8, total & 0xFF, 0x77))


MODBUS = [
    modbus(text)
    for text in (
        "0103010000407d"[:12], "010400ff0001", "010600010001", "01060f000001", "01060f010002",
        "0110100000010200ff", "01039c400044", "012b0e0100", "0203000000 01".replace(" ", ""),
        "011010800002040000c350", "018302",
    )
]  # fmt: skip
PYLONTECH = [
    sums(text)
    for text in (
        "200246610000", "20024642E002FF", "20024644E00202", "201246620000", "200046510000",
        "20024692E00205", "2002464FF000", "200346630000", "200246000000", "20024694E00202",
    )
]  # fmt: skip
JBD = [
    jbd_frame(0xA5, 3), jbd_frame(0xA5, 4), jbd_frame(0xA5, 0x24), jbd_frame(0xA5, 0x77),
    jbd_frame(0x5A, 0, b"\x56\x78"), jbd_frame(0x5A, 6, b"\x06000000"),
    jbd_frame(0x5A, 0x24, b"\x0e\x42"), jbd_frame(0x5A, 0xE1, b"\x00\x03"),
    jbd_frame(0x5A, 1, b"\x00\x00"), bytes.fromhex("dd0300001b0000"), jbd_frame(0xA5, 0xAA),
]  # fmt: skip
TCP = [bytes((0, 7, 0, 0, 0, len(frame) - 2)) + frame[:-2] for frame in MODBUS]


class SerialParser:
    """A framer with some languages, fed as the port feeds it."""

    def __init__(self, languages, good, requests):
        self.framer = Framer(languages, Diagnosis(), RS485)
        self.good = good
        self.requests = requests
        self.response = bytearray(MAX_ADU)
        self.answered = 0

    def feed(self, data, silence):
        """Take bytes, then silence; returns the languages of the answers."""
        framer = self.framer
        answers = []
        at = 0
        while at < len(data) or silence:
            space = framer.space()
            count = min(len(space), len(data) - at)
            for place in range(count):
                space[place] = data[at + place]
            if count:
                framer.received(count)
            at += count
            stages = (BUSY,) if at < len(data) else (BUSY, PAUSED, PAUSED, IDLE)[: 1 + silence]
            for stage in stages:
                size = framer.find(stage)
                while size:
                    language = framer.language
                    length = language.respond(framer.buffer, framer.start, size, self.response)
                    assert 0 <= length <= len(self.response)
                    answers.append(language)
                    framer.drop(size)
                    self.answered += 1
                    size = framer.find(stage)
                if stage == IDLE:
                    framer.clear()
            if at >= len(data):
                break
        return answers

    def ask(self, turn):
        """The next good request after whatever came: it, and only it, gets an answer."""
        self.feed(b"", 3)
        language, frame = self.good[turn % len(self.good)]
        assert self.feed(frame, 3) == [language], frame


class TcpParser:
    """Modbus TCP, whose connection a client that sends rubbish loses."""

    def __init__(self):
        self.exchange = Exchange(server, registers)
        self.requests = TCP
        self.answered = 0

    def feed(self, data, _silence):
        exchange = self.exchange
        at = 0
        while at < len(data):
            count = min(len(exchange.buffer) - exchange.fill, len(data) - at)
            for place in range(count):
                exchange.buffer[exchange.fill + place] = data[at + place]
            exchange.fill += count
            at += count
            while True:
                exchange.asleep()
                size = exchange.answer()
                assert -1 <= size <= len(exchange.response)
                if size > 0:
                    self.answered += 1
                    continue
                if size < 0:
                    exchange.fill = 0  # the connection is closed; the next one
                break
            assert exchange.fill < len(exchange.buffer), "nothing would ever fit"

    def ask(self, turn):
        self.exchange.fill = 0
        before = self.answered
        self.feed(TCP[0], 0)
        assert self.answered == before + 1


def piece(random, requests):
    """Some bytes that a line may bring."""
    kind = random.below(5)
    if kind == 0:
        return bytes([random.below(256) for _ in range(random.below(60))])
    request = bytearray(requests[random.below(len(requests))])
    if kind == 1:
        return bytes(request[: random.below(len(request))])
    if kind == 2:
        return bytes(request[random.below(len(request)) :])
    for _ in range(random.below(4)):
        request[random.below(len(request))] = random.below(256)
    return bytes(request)


def fuzz(name, parser, seed):
    """Feed one parser; prints what happened."""
    random = Random(seed)
    fed = 0
    turn = 0
    half = None
    while fed < BYTES:
        burst = 0
        end = random.below(BURST)
        while burst < end:
            data = piece(random, parser.requests)
            parser.feed(data, random.below(3))
            burst += len(data) + 1
            letter_box.pending = NONE
        fed += burst
        turn += 1
        parser.ask(turn)
        core.step(100)
        if half is None and fed >= BYTES // 2:
            gc.collect()
            half = gc.mem_alloc()
    gc.collect()
    growth = gc.mem_alloc() - half
    assert growth < GROWTH, growth
    assert list(parameters.values) == settings, "noise changed a setting"
    print(name, fed, parser.answered, growth)


GOOD = {
    "modbus": (rtu, MODBUS[1]),
    "pylontech": (pylontech, PYLONTECH[0]),
    "jbd": (jbd, JBD[0]),
}
PARSERS = (
    ("modbus rtu", SerialParser([rtu], [GOOD["modbus"]], MODBUS)),
    ("pylontech", SerialParser([pylontech], [GOOD["pylontech"]], PYLONTECH)),
    ("jbd", SerialParser([jbd], [GOOD["jbd"]], JBD)),
    (
        "all three",
        SerialParser([rtu, pylontech, jbd], list(GOOD.values()), MODBUS + PYLONTECH + JBD),
    ),
    ("modbus tcp", TcpParser()),
)
for number, (name, parser) in enumerate(PARSERS):
    fuzz(name, parser, SEED + number)
print("OK")
