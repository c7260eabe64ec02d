"""The slave on real MicroPython: pymodbus talks RTU over TCP to the unix port."""

import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.client import ModbusTcpClient

from host_tests.modbus.bench import ADDRESS, CODE, with_crc

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")


class Slave:
    """A running slave, and a socket that is its wire."""

    def __init__(self, baud):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(20)
            self._process = subprocess.Popen(
                [MICROPYTHON, HERE / "slave_on_a_socket.py", str(listener.getsockname()[1]), baud],
                env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.wire = listener.accept()[0]
        self.wire.settimeout(5)
        self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.wire.recv(size - len(data))
            assert piece, "the slave closed the line: " + self._process.communicate()[0]
            data += piece
        return data

    def end(self):
        """What the slave counted: requests, answers, damaged, late, others."""
        self.wire.close()
        text = self._process.communicate(timeout=20)[0]
        assert self._process.returncode == 0, text
        return [int(number) for number in text.splitlines()[-1].split()]


class Bridge:
    """A TCP port for a Modbus client, whose bytes go to the wire in pieces of one to three."""

    def __init__(self, wire):
        self._wire = wire
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        client = self._listener.accept()[0]
        self._listener.close()
        threading.Thread(target=self._answers, args=(client,), daemon=True).start()
        pieces = random.Random(1)
        while data := client.recv(300):
            while data:
                size = pieces.randint(1, 3)
                self._wire.sendall(data[:size])
                data = data[size:]
                time.sleep(0.0005)

    def _answers(self, client):
        try:
            while data := self._wire.recv(300):
                client.sendall(data)
        except OSError:
            client.close()  # the test is over


@pytest.fixture
def slave():
    return Slave("115200")


def test_a_pymodbus_client_reads_writes_and_is_refused(slave):
    wire = Bridge(slave.wire)
    client = ModbusTcpClient(
        "127.0.0.1", port=wire.port, framer=FramerType.RTU, timeout=5, retries=0
    )
    slave.wire.settimeout(None)
    assert client.connect()
    whole = client.read_holding_registers(0x0100, count=106, device_id=ADDRESS)
    kind = client.DATATYPE
    assert client.convert_from_registers(whole.registers[:4], kind.INT32) == [1000, 1001]
    inputs = client.read_input_registers(0x0100, count=106, device_id=ADDRESS)
    assert inputs.registers == whole.registers
    assert client.read_holding_registers(0x00FF, count=1, device_id=ADDRESS).registers == [1]

    new_limit = client.convert_to_registers(40_000, kind.INT32)
    refused = client.write_registers(0x1082, new_limit, device_id=ADDRESS)
    assert refused.exception_code == 1
    assert not client.write_register(0x0F00, CODE, device_id=ADDRESS).isError()
    assert not client.write_registers(0x1082, new_limit, device_id=ADDRESS).isError()
    back = client.read_holding_registers(0x1082, count=2, device_id=ADDRESS).registers
    assert client.convert_from_registers(back, kind.INT32) == 40_000
    assert client.write_register(0x1082, 1, device_id=ADDRESS).exception_code == 3
    assert client.write_register(0x1021, 0, device_id=ADDRESS).exception_code == 3
    assert client.read_holding_registers(0, count=1, device_id=ADDRESS).exception_code == 2
    assert client.read_coils(0, count=1, device_id=ADDRESS).exception_code == 1
    for _ in range(50):
        assert not client.read_holding_registers(0x0100, count=8, device_id=ADDRESS).isError()
    client.close()
    slave.wire.shutdown(socket.SHUT_RDWR)
    assert slave.end() == [61, 61, 0, 0, 0]


def test_requests_are_answered_after_garbage_and_byte_by_byte(slave):
    read = with_crc(f"{ADDRESS:02x}0300ff0001")
    answer = with_crc(f"{ADDRESS:02x}03020001")
    noise = random.Random(7)
    for turn in range(40):
        slave.wire.sendall(noise.randbytes(turn * 7) + read)
        assert slave.receive(len(answer)) == answer
    for byte in read:
        slave.wire.sendall(bytes((byte,)))
        time.sleep(0.008)
    assert slave.receive(len(answer)) == answer
    requests, answers, damaged, late, _ = slave.end()
    assert (requests, answers) == (41, 41)
    assert damaged + late >= 35
