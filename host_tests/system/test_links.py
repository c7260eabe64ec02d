"""From outside, while it runs: real clients on the pseudo-terminals of `cellsteward sim`."""

import csv
import json
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import can
import pytest
import serial
from pymodbus.client import ModbusSerialClient

from cellsteward.frames import frames_for_state
from host_tests.system.simulated_board import ROOT

# docs/modbus.md
TELEMETRY = 0x0100
UNLOCK, UNLOCKED = 0x0F00, 0x0F02
OVERVOLTAGE_WARN = 0x1020  # u16
ACCESS_CODE = 1234  # what the tool commissions a fresh pack with
SCALARS = (
    "pack_voltage_mv",
    "current_ma",
    "power_w",
    "soc_bp",
    "charge_voltage_limit_mv",
    "charge_current_limit_ma",
    "discharge_current_limit_ma",
    "discharge_voltage_limit_mv",
    "charge_allowed",
    "discharge_allowed",
    "gates",
    "state",
    "uptime_s",
    "soh_bp",
)


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """The running firmware's pseudo-terminals, guarding a simulated pack in real time."""
    ports_file = tmp_path_factory.mktemp("links") / "ports.json"
    process = subprocess.Popen(
        [Path(sys.prefix) / "bin" / "cellsteward", "sim", "--no-ui", "--duration", "5m"]
        + ["--ports-file", ports_file],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not ports_file.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "no ports file after 30 s"
        time.sleep(0.05)
    names = json.loads(ports_file.read_text())
    wait_until_guarding(names)
    yield names
    process.terminate()
    process.wait(10)


def wait_until_guarding(names):
    deadline = time.monotonic() + 20
    with client(names) as modbus:
        while telemetry(modbus)["gates"] != 3:
            assert time.monotonic() < deadline, "the gates never closed"
            time.sleep(0.2)


def client(names):
    return ModbusSerialClient(names["rs485"], baudrate=9600, timeout=1, retries=1)


def telemetry(modbus):
    answer = modbus.read_input_registers(TELEMETRY, count=2 * len(SCALARS), device_id=1)
    assert not answer.isError(), answer
    raw = struct.pack(f">{2 * len(SCALARS)}H", *answer.registers)
    return dict(zip(SCALARS, struct.unpack(f">{len(SCALARS)}i", raw), strict=True))


def test_pymodbus_reads_telemetry_with_both_read_functions(ports):
    with client(ports) as modbus:
        points = telemetry(modbus)
        assert 48000 < points["pack_voltage_mv"] < 58000
        assert points["charge_allowed"] == points["discharge_allowed"] == 1
        assert points["state"] == 4  # active
        holding = modbus.read_holding_registers(TELEMETRY, count=2, device_id=1)
        voltage_mv = holding.registers[0] << 16 | holding.registers[1]
        assert abs(voltage_mv - points["pack_voltage_mv"]) < 100


def test_pymodbus_writes_only_after_unlocking(ports):
    with client(ports) as modbus:
        locked = modbus.write_register(OVERVOLTAGE_WARN, 3590, device_id=1)
        assert locked.exception_code == 1
        assert modbus.write_register(UNLOCK, 4321, device_id=1).exception_code == 3
        assert not modbus.write_register(UNLOCK, ACCESS_CODE, device_id=1).isError()
        assert modbus.read_holding_registers(UNLOCKED, count=1, device_id=1).registers == [1]
        assert not modbus.write_register(OVERVOLTAGE_WARN, 3590, device_id=1).isError()
        stored = modbus.read_holding_registers(OVERVOLTAGE_WARN, count=1, device_id=1)
        assert stored.registers == [3590]


def test_pymodbus_gets_an_exception_for_every_bad_request(ports):
    with client(ports) as modbus:
        modbus.write_register(UNLOCK, ACCESS_CODE, device_id=1)
        assert modbus.read_coils(0, count=1, device_id=1).exception_code == 1
        assert modbus.read_holding_registers(0x5000, count=1, device_id=1).exception_code == 2
        assert modbus.write_register(TELEMETRY, 1, device_id=1).exception_code == 2
        too_high = modbus.write_register(OVERVOLTAGE_WARN, 9999, device_id=1)
        assert too_high.exception_code == 3
        contradiction = modbus.write_register(OVERVOLTAGE_WARN, 3700, device_id=1)
        assert contradiction.exception_code == 3


def test_the_slave_answers_again_after_garbage(ports):
    with serial.Serial(ports["rs485"], 9600, timeout=1) as line:
        line.write(bytes(range(256)))
        time.sleep(0.2)
    with client(ports) as modbus:
        assert telemetry(modbus)["state"] == 4


@pytest.mark.skipif(not shutil.which("mbpoll"), reason="mbpoll is not installed (Debian: mbpoll)")
def test_mbpoll_reads_and_writes(ports):
    def mbpoll(*arguments):
        return subprocess.run(
            ["mbpoll", "-m", "rtu", "-a", "1", "-b", "9600", "-P", "none", "-0", "-1", "-q"]
            + [*arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    read = mbpoll("-r", "0x0100", "-c", "4", "-t", "4:int", "-B", ports["rs485"])
    assert read.returncode == 0, read.stderr
    first = next(line for line in read.stdout.splitlines() if line.startswith("[256]"))
    assert 48000 < int(first.split()[1]) < 58000
    inputs = mbpoll("-r", "0x0100", "-c", "4", "-t", "3:int", "-B", ports["rs485"])
    assert inputs.returncode == 0, inputs.stderr
    assert mbpoll("-r", str(UNLOCK), ports["rs485"], str(ACCESS_CODE)).returncode == 0
    assert mbpoll("-r", str(OVERVOLTAGE_WARN), ports["rs485"], "3580").returncode == 0
    refused = mbpoll("-r", str(OVERVOLTAGE_WARN), ports["rs485"], "9999")
    assert "Illegal data value" in refused.stdout + refused.stderr


def test_python_can_sees_every_frame_once_a_second(ports):
    seen = {}
    with can.Bus(interface="slcan", channel=ports["can"], bitrate=500000) as bus:
        began = time.monotonic()
        while time.monotonic() - began < 5.5:
            message = bus.recv(1)
            if message:
                seen.setdefault(message.arbitration_id, []).append(message)
    for identifier in (0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E):
        assert 5 <= len(seen[identifier]) <= 6, hex(identifier)
    assert bytes(seen[0x35E][0].data) == b"PYLON   "
    with client(ports) as modbus:
        points = telemetry(modbus)
    voltage, current, _ = struct.unpack("<hhh", seen[0x356][-1].data)
    assert abs(voltage * 10 - points["pack_voltage_mv"]) < 100
    assert abs(current * 100 - points["current_ma"]) < 3000
    assert bytes(seen[0x35C][-1].data) == bytes((0xC0, 0))
    limits = frames_for_state(
        "pylontech", {name: points[name] for name in SCALARS if name.endswith(("_mv", "limit_ma"))}
    )
    told = struct.unpack("<HhhH", bytes.fromhex(limits[0].partition("#")[2]))
    heard = struct.unpack("<HhhH", seen[0x351][-1].data)
    # After the start the current limits rise: 100 A in a minute, and the frame is a second older.
    assert (told[0], told[3]) == (heard[0], heard[3])
    for now, before in zip(told[1:3], heard[1:3], strict=True):
        assert 0 <= now - before <= 50


def test_the_console_answers_on_its_port(ports):
    with serial.Serial(ports["console"], 115200, timeout=2) as line:
        line.reset_input_buffer()
        line.write(b"status\r")
        text = line.read_until(b"State").decode()
    assert "well" in text or "All" in text


def test_the_log_is_exported_as_a_table_while_the_board_runs(ports, tmp_path):
    table = tmp_path / "log.csv"
    tool = Path(sys.prefix) / "bin" / "cellsteward"
    subprocess.run(
        [tool, "log", "export", ports["console"], "--out", table], check=True, timeout=60
    )
    with serial.Serial(ports["console"], 115200, timeout=2) as line:
        line.reset_input_buffer()
        line.write(b"log 3\r")
        shown = line.read_until(b"\r\n> ").decode().splitlines()[1:-1]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [int(row["sequence"]) for row in rows]
    assert numbers == list(range(1, len(numbers) + 1))
    for row in rows[:1]:
        assert row["in_words"] == "started after power on"
    for text in shown:
        number, words = int(text.split()[0]), text.split(": ", 1)[1]
        if number <= len(rows):
            assert rows[number - 1]["in_words"] == words
