"""docs/modbus.md says what the device does."""

import re

from pymodbus.pdu.register_message import ReadInputRegistersRequest

from cellsteward import modbus_docs
from host_tests.modbus.bench import Device, adu, parse

PAGE = modbus_docs.PAGE.read_text(encoding="utf-8")
TELEMETRY_LINE = re.compile(
    r"^\| 0x(\w{4})(?:-0x\w{4})? \((\d+)\) \| `(\w+)`[^|]*\| (\w+) \|", re.M
)


def test_the_page_is_what_the_code_generates():
    assert modbus_docs.generate() == PAGE, "run: python -m cellsteward.modbus_docs"


def test_every_value_is_where_the_page_says():
    device = Device()
    telemetry = PAGE.partition("generated: telemetry")[2].partition("end: telemetry")[0]
    lines = TELEMETRY_LINE.findall(telemetry)
    assert len(lines) == len(device.points)
    for number, (hexadecimal, decimal, name, kind) in enumerate(lines):
        address = int(hexadecimal, 16)
        assert address == int(decimal)
        device.publish(name, 100 + number)
        count = 2 if kind == "i32" else 1
        answer = parse(device.ask(adu(ReadInputRegistersRequest(address=address, count=count))))
        assert answer.registers[-1] == 100 + number, name


def test_the_addresses_in_the_examples_are_those_of_the_tables():
    for address, name in (
        ("0x0138", "cell_voltage_mv"),
        ("0x0116", "state"),
        ("0x1082", "charge_current_max_ma"),
    ):
        prose = re.sub(r"<!-- generated.*?<!-- end", "", PAGE, flags=re.S)
        assert address in prose
        assert re.search(rf"^\| {address}\S* \(\d+\) \| `{name}`", PAGE, re.M)


def test_the_block_that_the_page_reads_in_one_request_ends_with_balancing():
    asked = int(re.search(r"read_input_registers\(0x0100, count=(\d+)", PAGE)[1])
    row = re.search(r"^\| 0x\w{4}-0x(\w{4}) \(\d+\) \| `balancing`", PAGE, re.M)
    assert int(row[1], 16) == 0x0100 + asked - 1
