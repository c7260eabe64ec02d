"""The wire: golden vectors of afe.md section 1, seen on the bus."""

import pytest

from afe.bq76952_link import Link
from afe.crc8 import TABLE
from bms.sample import BUS_ERROR, BUSY, CORRUPT, OK
from host_tests.afe.recording_bus import ADDRESS, RecordingBus


def crc_of(data):
    crc = 0
    for byte in data:
        crc = TABLE[crc ^ byte]
    return crc


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        ([0x10, 0x3E, 0x22], 0x63),
        ([0x00], 0x00),
        ([0x10, 0x14, 0x11, 0x68], 0x33),
        ([0x0B], 0x31),
    ],
)
def test_crc_table_agrees_with_the_golden_vectors(data, crc):
    assert crc_of(data) == crc


def test_a_subcommand_with_crc_is_the_golden_frame():
    bus = RecordingBus(crc=True)
    assert Link(bus, ADDRESS, True).send(0x0022) == OK
    assert bus.transactions[0].register == 0x3E
    assert bus.transactions[0].wire == bytes([0x22, 0x63, 0x00, 0x00])


def test_a_cell_voltage_with_crc_is_the_golden_frame():
    bus = RecordingBus(crc=True)
    bus.registers[0x14:0x16] = bytes([0x68, 0x0B])
    data = bytearray(2)
    assert Link(bus, ADDRESS, True).read_into(0x14, data)
    assert bus.transactions[0].wire == bytes([0x68, 0x33, 0x0B, 0x31])
    assert data == bytes([0x68, 0x0B])


@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize(
    ("address", "data", "checksum", "length"),
    [
        (0x9180, [0x7A, 0x30], 0x44, 0x06),
        (0x9261, [0x8C], 0x80, 0x05),
        (0x9304, [0xFF, 0xFF], 0x6A, 0x06),
    ],
)
def test_data_memory_is_committed_with_the_golden_checksum_and_length_in_one_write(
    crc, address, data, checksum, length
):
    bus = RecordingBus(crc=crc)
    bus.registers[0x12] = 0x01
    block = bytes([address & 0xFF, address >> 8, *data])
    assert Link(bus, ADDRESS, crc).transfer(block) == OK
    assert [(t.kind, t.register, t.data) for t in bus.transactions[:2]] == [
        ("w", 0x3E, block),
        ("w", 0x60, bytes([checksum, length])),
    ]
    assert bus.written(address, len(data)) == bytes(data)


def test_an_answer_with_a_wrong_crc_is_corrupt_and_nothing_is_read_again():
    bus = RecordingBus(crc=True)
    bus.corrupt_read_at = 2  # send, echo, then the answer
    assert Link(bus, ADDRESS, True).ask(0x0001) == CORRUPT
    assert len(bus.transactions) == 3


def test_an_answer_with_a_wrong_checksum_is_corrupt_without_crc_too():
    bus = RecordingBus()
    bus.corrupt_read_at = 2
    assert Link(bus, ADDRESS, False).ask(0x0001) == CORRUPT
    assert len(bus.transactions) == 3


@pytest.mark.parametrize("length", [0, 3, 4, 37, 255])
def test_an_answer_of_impossible_length_is_corrupt(length):
    bus = RecordingBus()

    def answer(code, data):
        bus.registers[0x61] = length

    bus._answer = answer
    assert Link(bus, ADDRESS, False).ask(0x0001) == CORRUPT


def test_polling_a_busy_chip_is_bounded_and_answers_busy():
    bus = RecordingBus()
    bus.busy_reads = 1000
    link = Link(bus, ADDRESS, False)
    assert link.ask(0x0001) == BUSY
    assert len(bus.transactions) <= 6
    assert link.command(0x0095) == BUSY
    assert len(bus.transactions) <= 12


def test_a_chip_that_is_busy_for_two_polls_is_waited_for():
    bus = RecordingBus()
    bus.busy_reads = 2
    link = Link(bus, ADDRESS, False)
    assert link.ask(0x0001) == OK
    assert link.answer[:2] == bytes([0x95, 0x76])


@pytest.mark.parametrize("crc", [False, True])
def test_no_acknowledge_is_an_answer_and_never_an_exception(crc):
    calls = (
        lambda link: link.read_into(0x14, bytearray(38)),
        lambda link: link.write(0x62, b"\xff\xff"),
        lambda link: link.command(0x0095) == OK,
        lambda link: link.transfer(b"\x61\x92\x8c") == OK,
        lambda link: link.ask(0x0001) == OK,
    )
    for call in calls:
        bus = RecordingBus(crc=crc)
        assert call(Link(bus, ADDRESS, crc))
        for index in range(len(bus.transactions)):
            failing = RecordingBus(crc=crc)
            failing.fail_at = index
            link = Link(failing, ADDRESS, crc)
            assert not call(link)
            assert link.failure == BUS_ERROR
            assert len(failing.transactions) == index + 1  # the first failure ends it


def test_why_a_read_failed_is_known_to_the_caller():
    bus = RecordingBus(crc=True)
    link = Link(bus, ADDRESS, True)
    bus.corrupt_read_at = 0
    assert not link.read_into(0x14, bytearray(2))
    assert link.failure == CORRUPT
    bus.fail_at = 1
    assert not link.read_into(0x14, bytearray(2))
    assert link.failure == BUS_ERROR
