"""Programs that others wrote, against the running firmware: RS485 in every language, Modbus TCP.

One pseudo-terminal, one firmware with default settings (`rs485_protocol` auto), and each client
speaks as it likes; the tests run in any order, which mixes the languages.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import minimalmodbus
import pytest
import serial
import sunspec2.modbus.client as sunspec
from pylontech import Pylontech
from pymodbus.client import ModbusSerialClient, ModbusTcpClient

from host_tests.jbd.test_jbd import (
    ENTER,
    READ_BASIC,
    READ_CELLS,
    READ_NAME,
    ZERO_PASSWORD,
    read,
    write,
)
from host_tests.system.simulated_board import ROOT

ACCESS_CODE = 1234
UNLOCK, COMMAND, OVERVOLTAGE_WARN = 0x0F00, 0x0F01, 0x1020
LOCK_AGAIN = 4
CELLS, SOC, STATE = 0x0138, 0x0106, 0x0116
ACTIVE = 4
MBPOLL = pytest.mark.skipif(
    not shutil.which("mbpoll"), reason="mbpoll is not installed (Debian: mbpoll)"
)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Names of the running firmware's ports; `tcp` is its port for Modbus TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tcp = listener.getsockname()[1]
    ports_file = tmp_path_factory.mktemp("clients") / "ports.json"
    settings = [
        f"modbus_tcp_port={tcp}",
        f"modbus_tcp_client_1_net={127 << 8}",
        "modbus_tcp_client_1_host=1",
        "modbus_tcp_idle_s=5",
    ]
    process = subprocess.Popen(
        [Path(sys.prefix) / "bin" / "cellsteward", "sim", "--no-ui", "--duration", "5m"]
        + ["--ports-file", ports_file]
        + [word for setting in settings for word in ("--set", setting)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 40
    while not ports_file.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "no ports file"
        time.sleep(0.05)
    ports = {**json.loads(ports_file.read_text()), "tcp": tcp}
    with ModbusSerialClient(ports["rs485"], baudrate=9600, timeout=1, retries=3) as client:
        while (
            client.read_input_registers(STATE, count=2, device_id=1).registers != [0, ACTIVE]
            or client.read_input_registers(SOC, count=2, device_id=1).registers[0] != 0
        ):
            assert time.monotonic() < deadline, "it never guarded"
            time.sleep(0.2)
    yield ports
    process.terminate()
    process.wait(10)


# Pylontech


@pytest.fixture
def pylontech(board):
    client = Pylontech(board["rs485"], 9600)
    client.s.timeout = 0.4  # its frames end with CR, and it waits for LF until then
    yield client
    client.s.close()


def test_python_pylontech_reads_the_pack(pylontech):
    values = pylontech.get_values()
    assert values.NumberOfModules == 1
    module = values.Module[0]
    assert module.NumberOfCells == 16
    assert all(2.9 < volts < 3.65 for volts in module.CellVoltages)
    assert sum(module.CellVoltages) == pytest.approx(module.Voltage, abs=0.2)
    assert module.TotalCapacity == pytest.approx(280, abs=5)
    assert 0.3 < values.StateOfCharge < 0.7
    assert 0 < module.AverageBMSTemperature < 60
    single = pylontech.get_values_single(2)
    assert single.NumberOfModule == 2
    assert single.Voltage == pytest.approx(module.Voltage, abs=0.5)


def test_python_pylontech_reads_everything_else_that_it_knows(pylontech):
    assert pylontech.get_protocol_version().ver == b"\x20"
    assert pylontech.get_manufacturer_info().ManufacturerName.startswith(b"Pylon")
    parameters = pylontech.get_system_parameters()
    assert parameters.CellHighVoltageLimit == pytest.approx(3.65)
    assert parameters.CellUnderVoltageLimit == pytest.approx(2.7)
    assert parameters.DischargeCurrentLimit < 0 < parameters.ChargeCurrentLimit
    management = pylontech.get_management_info(2)
    assert 48 < management.ChargeVoltageLimit < 58
    assert management.DischargeCurrentLimit < 0 < management.ChargeCurrentLimit
    status = management.status
    assert (status.ChargeEnable, status.DischargeEnable) == (True, True)
    assert not (status.ChargeImmediately1 or status.ChargeImmediately2 or status.FullChargeRequest)
    assert pylontech.get_module_serial_number(2).ModuleSerialNumber.startswith(b"CELLSTEWARD")


def test_python_pylontech_finds_one_battery_in_a_scan(pylontech):
    assert list(pylontech.scan_for_batteries(0, 5)) == [2]


# Modbus


def test_minimalmodbus_reads_and_writes(board):
    instrument = minimalmodbus.Instrument(board["rs485"], 1, close_port_after_each_call=True)
    instrument.serial.baudrate = 9600
    instrument.serial.timeout = 1
    assert 4000 < instrument.read_long(SOC, functioncode=4) < 6000
    cells = instrument.read_registers(CELLS, 16, functioncode=4)
    assert all(2900 < cell < 3650 for cell in cells)
    assert len(instrument.read_registers(0x0100, 125, functioncode=3)) == 125
    with pytest.raises(minimalmodbus.IllegalRequestError):
        instrument.read_register(0x5000)
    instrument.write_register(UNLOCK, ACCESS_CODE, functioncode=6)
    instrument.write_register(OVERVOLTAGE_WARN, 3591, functioncode=16)
    assert instrument.read_register(OVERVOLTAGE_WARN) == 3591
    instrument.write_register(COMMAND, LOCK_AGAIN, functioncode=6)


def test_pymodbus_over_tcp_reads_and_writes_after_unlocking_its_own_door(board):
    with ModbusTcpClient("127.0.0.1", port=board["tcp"], timeout=2) as client:
        assert len(client.read_holding_registers(0x0100, count=125, device_id=1).registers) == 125
        refused = client.write_register(OVERVOLTAGE_WARN, 3592, device_id=1)
        assert refused.exception_code == 1
        assert client.write_register(UNLOCK, ACCESS_CODE - 1, device_id=1).exception_code == 3
        assert not client.write_register(UNLOCK, ACCESS_CODE, device_id=1).isError()
        with ModbusSerialClient(board["rs485"], baudrate=9600, timeout=1) as line:
            other_door = line.write_register(OVERVOLTAGE_WARN, 3593, device_id=1)
            assert other_door.exception_code == 1
        assert not client.write_register(OVERVOLTAGE_WARN, 3592, device_id=1).isError()
        stored = client.read_holding_registers(OVERVOLTAGE_WARN, count=1, device_id=1)
        assert stored.registers == [3592]
        assert client.read_holding_registers(0x0100, count=1, device_id=9).exception_code == 11
        for unit in (0, 255):
            assert not client.read_holding_registers(0x0100, count=1, device_id=unit).isError()
        client.write_register(COMMAND, LOCK_AGAIN, device_id=1)


def test_a_write_over_tcp_can_not_act_against_a_protection(board):
    with ModbusTcpClient("127.0.0.1", port=board["tcp"], timeout=2) as client:
        client.write_register(UNLOCK, ACCESS_CODE, device_id=1)
        assert client.write_register(0x1021, 5000, device_id=1).exception_code == 3
        assert client.write_register(0x0100, 1, device_id=1).exception_code == 2
        client.write_register(COMMAND, LOCK_AGAIN, device_id=1)


@MBPOLL
@pytest.mark.parametrize("mode", ["rtu", "tcp"])
def test_mbpoll_reads_and_writes(board, mode):
    def mbpoll(*arguments):
        way = (
            ["-m", "rtu", "-b", "9600", "-P", "none"]
            if mode == "rtu"
            else ["-m", "tcp", "-p", str(board["tcp"])]
        )
        target = board["rs485"] if mode == "rtu" else "127.0.0.1"
        values = [] if len(arguments) % 2 == 0 else [arguments[-1]]
        options = arguments[: len(arguments) - len(values)]
        return subprocess.run(
            ["mbpoll", *way, "-a", "1", "-0", "-1", "-q", *options, target, *values],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    reading = mbpoll("-r", "0x0100", "-c", "125", "-t", "4")
    assert reading.returncode == 0, reading.stderr
    assert mbpoll("-r", str(UNLOCK), str(ACCESS_CODE)).returncode == 0
    assert mbpoll("-r", str(OVERVOLTAGE_WARN), "3589").returncode == 0
    refused = mbpoll("-r", str(OVERVOLTAGE_WARN), "9999")
    assert "Illegal data value" in refused.stdout + refused.stderr
    assert mbpoll("-r", str(COMMAND), str(LOCK_AGAIN)).returncode == 0


# SunSpec


def check_sunspec(device):
    device.scan()
    assert [model.model_id for model in device.model_list] == [1, 802, 803]
    battery = device.models[802][0]
    battery.read()
    assert 48 < battery.V.cvalue < 58
    assert 30 < battery.SoC.cvalue < 70
    assert battery.Typ.value == 4
    assert battery.State.value == 3
    assert device.models[803][0].NStr.value == 1
    battery.SetOp.value = 2
    with pytest.raises(Exception, match="exception: 1"):
        battery.SetOp.write()


def test_pysunspec2_over_rs485(board):
    device = sunspec.SunSpecModbusClientDeviceRTU(1, board["rs485"], baudrate=9600, timeout=1)
    try:
        check_sunspec(device)
    finally:
        device.close()


def test_pysunspec2_over_tcp(board):
    device = sunspec.SunSpecModbusClientDeviceTCP(1, "127.0.0.1", board["tcp"], timeout=2)
    try:
        check_sunspec(device)
    finally:
        device.close()


# JBD


@pytest.fixture
def line(board):
    with serial.Serial(board["rs485"], 9600, timeout=1) as port:
        port.reset_input_buffer()
        yield port


def answer(line):
    """Status and data of one JBD answer."""
    head = line.read(4)
    assert len(head) == 4 and head[0] == 0xDD, head
    rest = line.read(head[3] + 3)
    assert rest[-1] == 0x77
    assert (head[2] + head[3] + sum(rest[:-3]) + int.from_bytes(rest[-3:-1], "big")) % 0x10000 == 0
    return head[2], rest[:-3]


def test_a_jbd_master_reads_the_pack(line):
    line.write(READ_BASIC)
    status, data = answer(line)
    assert status == 0
    assert 4800 < int.from_bytes(data[0:2], "big") < 5800
    assert 30 < data[19] < 70
    assert (data[20], data[21]) == (3, 16)
    line.write(READ_CELLS)
    assert len(answer(line)[1]) == 32


def test_a_jbd_master_reads_settings_and_writes_them_only_with_the_code(line):
    for request in (ZERO_PASSWORD, ENTER, read(0x24)):
        line.write(request)
        assert answer(line)[0] == 0
    line.write(write(0x24, 3655))
    assert answer(line)[0] == 0x80
    line.write(write(0x06, b"\x06%06d" % ACCESS_CODE))
    assert answer(line)[0] == 0
    line.write(write(0x24, 3655))
    assert answer(line)[0] == 0
    line.write(read(0x24))
    assert answer(line) == (0, (3655).to_bytes(2, "big"))
    for request in (write(0x24, 3650), write(0x01, 0)):
        line.write(request)
        assert answer(line)[0] == 0


def test_a_request_in_fragments_of_a_slow_adapter_is_answered(line):
    for byte in READ_NAME:
        line.write(bytes((byte,)))
        time.sleep(0.02)
    assert answer(line)[0] == 0


def test_all_three_languages_in_turn_with_noise_between(line):
    poll = b"~200246630000FDA9\r"
    modbus = bytes.fromhex("010300ff0001b43a")
    for turn in range(6):
        line.write(bytes(range(7 * turn)))
        time.sleep(0.15)
        line.write(poll)
        assert line.read_until(b"\r").startswith(b"~20024600D012")
        line.write(READ_NAME)
        assert answer(line)[0] == 0
        line.write(modbus)
        assert line.read(7)[:5] == bytes.fromhex("0103020001")
        assert line.in_waiting == 0


# The TCP door


def test_more_clients_than_there_is_room_for_are_hung_up_on_and_idle_ones_make_room(board):
    deadline = time.monotonic() + 30
    held = []
    try:
        while len(held) < 3 and time.monotonic() < deadline:  # others may still be in their places
            client = socket.create_connection(("127.0.0.1", board["tcp"]), timeout=2)
            client.settimeout(0.3)
            try:
                if client.recv(1) == b"":
                    client.close()
                    time.sleep(0.5)
            except TimeoutError:
                held.append(client)
        with socket.create_connection(("127.0.0.1", board["tcp"]), timeout=2) as fourth:
            assert fourth.recv(1) == b"", "hung up on"
        for client in held:
            client.settimeout(10)
            assert client.recv(1) == b"", "idle for five seconds"
    finally:
        for client in held:
            client.close()
    with ModbusTcpClient("127.0.0.1", port=board["tcp"], timeout=2) as client:
        assert not client.read_holding_registers(0x0100, count=8, device_id=1).isError()


def test_what_is_no_modbus_tcp_ends_its_connection(board):
    with socket.create_connection(("127.0.0.1", board["tcp"]), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(100) == b""


def test_requests_in_pieces_and_joined_are_answered_over_tcp(board):
    request = bytes.fromhex("0001000000060103 00ff0001".replace(" ", ""))
    expected = bytes.fromhex("00010000000501030200 01".replace(" ", ""))
    with socket.create_connection(("127.0.0.1", board["tcp"]), timeout=5) as client:
        for byte in request:
            client.sendall(bytes((byte,)))
            time.sleep(0.01)
        assert client.recv(100) == expected
        client.sendall(3 * request)
        got = b""
        while len(got) < 3 * len(expected):
            got += client.recv(100)
        assert got == 3 * expected


@pytest.mark.parametrize("way", ["console", "modbus rtu", "modbus tcp"])
def test_the_doctor_reads_the_device_over_every_door(board, way):
    option = {
        "console": ["--console", board["console"]],
        "modbus rtu": ["--modbus", board["rs485"]],
        "modbus tcp": ["--modbus", f"127.0.0.1:{board['tcp']}"],
    }[way]
    done = subprocess.run(
        [Path(sys.prefix) / "bin" / "cellsteward", "doctor", *option],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("State: ")
    assert any(line.startswith("  RS485: ") for line in lines)
    assert any(line.startswith("  CAN: ") for line in lines)


def test_the_console_says_how_the_links_are(board):
    time.sleep(11)  # a window
    with serial.Serial(board["console"], 115200, timeout=3) as console:
        console.reset_input_buffer()
        console.write(b"link\r")
        text = console.read_until(b"\r\n> ").decode()
        text += console.read_until(b"\r\n> ").decode()
    assert "RS485: " in text
    assert "Modbus TCP: " in text
