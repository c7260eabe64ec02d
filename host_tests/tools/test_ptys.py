"""Pseudo-terminals as other programs see them: pyserial is the client, a socket the firmware."""

import contextlib
import fcntl
import os
import socket
import struct
import termios
import time

import pytest
import serial

from cellsteward.ptys import BACKLOG_LIMIT, FirmwareLink, Pty
from host_tests.tools.background import BackgroundLoop

TIOCGEXCL = 0x80045440  # asm-generic/ioctls.h: is the terminal in exclusive mode?


@pytest.fixture
def loop():
    with BackgroundLoop() as background:
        yield background


@pytest.fixture
def pty(loop):
    made = loop.call(Pty)
    made.received = bytearray()
    made.receive = made.received.extend
    yield made
    loop.call(made.close)


def open_port(pty):
    return serial.Serial(pty.path, 9600, timeout=2)


def wait_for(condition):
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until, "waited 5 s in vain"
        time.sleep(0.005)


def test_bytes_pass_both_ways_unchanged_and_are_not_echoed(loop, pty):
    every_byte = bytes(range(256))
    with open_port(pty) as port:
        port.write(every_byte)
        wait_for(lambda: pty.received == every_byte)
        loop.call(pty.send, every_byte)
        assert port.read(256) == every_byte
        port.timeout = 0.05
        assert port.read(1) == b""


def test_clients_come_and_go(loop, pty):
    for turn in range(20):
        message = b"turn %d" % turn
        with open_port(pty) as port:
            port.write(message)
            wait_for(lambda message=message: pty.received.endswith(message))
            loop.call(pty.send, message)
            assert port.read(len(message)) == message


def test_what_nobody_reads_is_bounded_and_the_newest_survives(loop, pty):
    lines = [b"line %06d\r\n" % number for number in range(20_000)]
    loop.call(lambda: [pty.send(line) for line in lines])
    # pyserial empties the input when it opens a port, so this client is a plain file.
    client = os.open(pty.path, os.O_RDONLY | os.O_NOCTTY)
    try:
        rest = b""
        while not rest.endswith(lines[-1]):
            rest += os.read(client, 65_536)
    finally:
        os.close(client)
    assert len(rest) < BACKLOG_LIMIT + 64_000  # ours and the kernel's
    assert rest == b"".join(lines)[-len(rest) :]  # no gap inside


def test_discarding_leaves_nothing_for_the_next_client(loop, pty):
    loop.call(pty.send, b"old")
    loop.call(pty.discard)
    loop.call(pty.send, b"new")
    client = os.open(pty.path, os.O_RDONLY | os.O_NOCTTY)
    try:
        assert os.read(client, 100) == b"new"
    finally:
        os.close(client)


def test_a_client_that_took_the_port_for_itself_does_not_lock_out_the_next(loop, pty):
    with open_port(pty) as port:
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    loop.call(pty.release)
    with open_port(pty) as port:
        answer = fcntl.ioctl(port.fileno(), TIOCGEXCL, bytes(4))
        assert struct.unpack("i", answer) == (0,)


@pytest.fixture
def link(loop):
    made = FirmwareLink()
    made.received = bytearray()
    made.receive = made.received.extend
    made.port = loop.call(made.listen)
    yield made
    loop.call(made.close)


def connect(link):
    firmware = socket.create_connection(("127.0.0.1", link.port), timeout=5)
    wait_for(lambda: not link.disconnected.is_set())
    return firmware


def test_the_firmware_connects_again_after_a_reset(loop, link):
    for _ in range(3):
        with connect(link) as firmware:
            loop.call(link.send, b"ping")
            assert firmware.recv(4) == b"ping"
            firmware.sendall(b"pong")
            wait_for(lambda: link.received.endswith(b"pong"))
            link.received.clear()
        wait_for(link.disconnected.is_set)
        loop.call(link.send, b"lost, as on a wire without a listener")


def test_a_second_connection_is_refused_and_does_not_disturb_the_first(loop, link):
    with connect(link) as firmware:
        intruder = socket.create_connection(("127.0.0.1", link.port), timeout=5)
        with intruder, contextlib.suppress(ConnectionResetError):
            assert intruder.recv(1) == b""
        loop.call(link.send, b"still here")
        assert firmware.recv(100) == b"still here"


def test_a_firmware_that_does_not_read_costs_bounded_memory_and_no_time(loop, link):
    with connect(link) as firmware:
        firmware.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        began = time.monotonic()
        loop.call(lambda: [link.send(bytes(1000)) for _ in range(20_000)])
        assert time.monotonic() - began < 2
        held = loop.call(link._transport.get_write_buffer_size)
        assert held <= BACKLOG_LIMIT + 1000
