"""The register maps say what the devices answer."""

import csv
import json
import re
from pathlib import Path

import pytest
import sunspec2
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest

from cellsteward import register_maps
from cellsteward.generated_docs import run
from cellsteward.sunspec_names import NAMES
from host_tests.jbd.test_jbd import Battery, read
from host_tests.links.bench import Desk
from host_tests.modbus.bench import Device, adu, parse
from host_tests.modbus.test_sunspec import Device as SunSpecDevice
from host_tests.pylon_rs485.test_pylontech import ask, frame, info, make
from pylon_rs485.answers import COMMANDS


def lines(name):
    with (register_maps.FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("page", list(register_maps.pages()), ids=lambda page: page[0].name)
def test_every_page_and_file_is_what_the_code_says(page):
    assert run(*page, ["--check"]) == 0, "run 'make docs'"


def test_every_modbus_register_of_the_map_can_be_read_and_no_other():
    device = Device()
    listed = set()
    for line in lines("modbus.csv"):
        first = int(line["address"])
        listed |= set(range(first, first + int(line["registers"])))
    for address in range(0x00F0, 0x1300):
        answer = parse(device.ask(adu(ReadHoldingRegistersRequest(address=address, count=1))))
        assert answer.isError() == (address not in listed), hex(address)


def test_the_sunspec_names_are_those_of_the_model_definitions():
    folder = Path(sunspec2.__file__).parent / "models" / "json"

    def points(group, offset):
        found = {}
        for point in group["points"]:
            found[offset] = point["name"]
            offset += point["size"]
        for inner in group.get("groups", []):
            more, offset = points(inner, offset)
            found |= more
        return found, offset

    for model, names in NAMES.items():
        definition = json.loads((folder / f"model_{model}.json").read_text())
        assert points(definition["group"], 0)[0] == names


def test_what_the_sunspec_map_calls_not_implemented_reads_so_and_the_rest_does_not():
    device = SunSpecDevice()
    for line in lines("sunspec.csv"):
        (word,) = device.read(int(line["address"]))
        if line["holds"] == "not implemented":
            assert word in (0xFFFF, 0x8000, 0), line
        elif line["model"] and not line["point"].endswith(("SN", "_SF", "Pad1", "Pad2")):
            assert word not in (0xFFFF, 0x8000), line


def test_every_jbd_register_of_the_map_answers_and_no_other():
    battery = Battery()
    listed = {int(line["register"], 16) for line in lines("jbd.csv") if "read" in line["access"]}
    for register in range(256):
        status = battery.ask(read(register))[1]
        assert (status == 0) == (register in listed), hex(register)


def test_the_pylontech_map_has_every_command_and_its_fields_fill_the_answer():
    battery = make(Desk())
    table = lines("pylontech-rs485.csv")
    assert {int(line["cid2"], 16) for line in table} == set(COMMANDS)
    for cid2 in ("61", "63", "92", "47", "51", "60", "93", "96"):
        size = sum(int(line["bytes"]) for line in table if line["cid2"] == cid2)
        assert len(info(ask(battery, frame("", cid2=int(cid2, 16))))) == 2 * size, cid2


def test_the_example_on_the_pylontech_page_is_the_recorded_one():
    from host_tests.pylon_rs485.test_pylontech import GOLDEN_61, POLL_61

    page = register_maps.PYLONTECH_PAGE.read_text()
    shown = re.search(r"```text\n(\S+)\n(\S+)\.\.\.(\S+)\n", page)
    assert shown[1] == POLL_61
    assert GOLDEN_61.startswith(shown[2]) and GOLDEN_61.endswith(shown[3])
