"""The BQ76952 model seen from its host port: commands, data memory, modes, CRC (afe.md)."""

import struct

import pytest

from boards.sim.bq76952_port import checksum, crc8
from host_tests.sim.bq76952_bench import ADDRESS, FULLSCAN_MS, Bench, crc8_by_the_book, little


@pytest.fixture
def bench():
    return Bench()


# Golden vectors of afe.md section 1, verbatim.


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        ([0x10, 0x3E, 0x22], 0x63),
        ([0x00], 0x00),
        ([0x10, 0x14, 0x11, 0x68], 0x33),
        ([0x0B], 0x31),
    ],
)
def test_crc_matches_the_golden_vectors(data, crc):
    assert crc8(data) == crc
    assert crc8_by_the_book(data) == crc


@pytest.mark.parametrize(
    ("address", "data", "expected"),
    [(0x9180, b"\x7a\x30", 0x44), (0x9261, b"\x8c", 0x80), (0x9304, b"\xff\xff", 0x6A)],
)
def test_checksum_matches_the_golden_vectors(bench, address, data, expected):
    assert checksum(address, data) == expected
    bench.send(0x0090)
    bench.write(0x3E, little(address) + data)
    bench.write(0x60, [expected, len(data) + 4])
    assert bench.answer(address)[: len(data)] == data


# Identity and sub-commands.


def test_says_who_it_is(bench):
    assert bench.answer_word(0x0001) == 0x7695
    assert bench.answer(0x0002)[:2] == b"\x76\x95"  # big-endian in FW_VERSION


def test_another_device_number_can_be_set(bench):
    bench.chip.device_number = 0x7694
    assert bench.answer_word(0x0001) == 0x7694


def test_the_echo_is_ff_while_busy(bench):
    bench.write(0x3E, b"\x04\x00")  # IROM_SIG: 8500 us
    bench.run_ms(8.4)
    assert bench.word(0x3E) == 0xFFFF
    bench.run_ms(0.2)
    assert bench.word(0x3E) == 0x0004


def test_a_command_may_be_written_byte_by_byte(bench):
    bench.write(0x3E, b"\x57")
    bench.write(0x3F, b"\x00")
    bench.run_ms(1)
    assert bench.byte(0x61) == 2 + 4


def test_a_sub_command_that_is_not_simulated_says_so(bench):
    with pytest.raises(NotImplementedError, match="0x000F"):
        bench.send(0x000F)  # DEEPSLEEP


def test_a_code_that_the_chip_does_not_know_is_ignored(bench):
    bench.send(0x0FFF)
    assert bench.word(0x3E) == 0x0FFF


# Data memory.


def test_a_data_memory_read_returns_a_block_of_32_bytes(bench):
    bench.send(0x9261)
    assert bench.byte(0x61) == 0x24
    assert bench.read(0x40, 1) == b"\x88"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (0x9234, little(0x2982)),
        (0x9261, b"\x88\x00\x00"),
        (0x9265, b"\x98"),
        (0x9273, little(50)),
        (0x9275, b"\x32" + little(74)),
        (0x9278, b"\x56" + little(74)),
        (0x9303, b"\x05"),
        (0x9304, b"\x00\x00"),
        (0x9308, b"\x0d"),
        (0x91AC, struct.pack("<f", 2230042.463)),
    ],
)
def test_data_memory_starts_with_its_defaults(bench, address, expected):
    assert bench.answer(address)[: len(expected)] == expected


def test_data_memory_is_written_only_inside_config_update(bench):
    bench.send_data(0x9261, b"\x8c")
    assert bench.answer(0x9261)[0] == 0x88
    bench.send(0x0090)
    bench.send_data(0x9261, b"\x8c")
    assert bench.answer(0x9261)[0] == 0x8C


def test_a_write_with_a_bad_checksum_is_rejected(bench):
    bench.send(0x0090)
    bench.write(0x3E, little(0x9261) + b"\x8c")
    bench.write(0x60, [0x81, 0x05])
    assert bench.answer(0x9261)[0] == 0x88


def test_checksum_and_length_must_come_in_one_transaction(bench):
    bench.send(0x0090)
    bench.write(0x3E, little(0x9261) + b"\x8c")
    bench.write(0x60, [0x80])
    bench.write(0x61, [0x05])
    assert bench.answer(0x9261)[0] == 0x88


def test_address_and_data_may_come_in_two_transactions(bench):
    bench.send(0x0090)
    bench.write(0x3E, little(0x9261))
    bench.write(0x40, b"\x8c")
    bench.run_ms(5)
    bench.write(0x60, [0x80, 0x05])
    assert bench.answer(0x9261)[0] == 0x8C


def test_32_bytes_may_be_written_at_once(bench):
    data = bytes(range(32))
    bench.configure((0x9180, data))
    assert bench.answer(0x9180) == data


# CONFIG_UPDATE.


def test_entering_config_update_takes_2_ms_and_leaving_it_1_ms(bench):
    bench.write(0x3E, little(0x0090))
    bench.run_ms(1.9)
    assert not bench.word(0x12) & 0x0001
    bench.run_ms(0.2)
    assert bench.word(0x12) & 0x0001
    bench.write(0x3E, little(0x0092))
    bench.run_ms(0.9)
    assert bench.word(0x12) & 0x0001
    bench.run_ms(0.2)
    assert not bench.word(0x12) & 0x0001


def test_a_host_that_does_not_wait_for_config_update_loses_its_writes(bench):
    bench.write(0x3E, little(0x0090))
    bench.send_data(0x9261, b"\x8c")
    bench.run_ms(10)
    assert bench.answer(0x9261)[0] == 0x88


def test_config_update_opens_the_gates_and_stops_measuring(bench):
    bench.close_gates()
    bench.run_ms(FULLSCAN_MS)
    bench.send(0x0090)
    assert bench.closed() == (False, False)
    bench.pack.cell_v[0] = 3.4
    bench.run_ms(10 * FULLSCAN_MS)
    assert bench.word(0x14) == 3300


def test_config_update_stops_the_protections(bench):
    bench.send(0x0090)
    bench.pack.cell_v[0] = 5.0
    bench.run_ms(2000)
    assert (bench.byte(0x02), bench.byte(0x03)) == (0, 0)


# Power-on reset.


def test_a_reset_wipes_the_settings_and_says_por(bench):
    bench.configure((0x9261, b"\x8c"))
    assert not bench.word(0x12) & 0x0008
    bench.chip.power_on_reset()
    assert bench.word(0x12) & 0x0008
    assert bench.answer(0x9261)[0] == 0x88


def test_the_reset_command_does_the_same(bench):
    bench.close_gates()
    bench.send(0x0012)
    assert bench.word(0x12) & 0x0008
    assert bench.closed() == (False, False)
    assert bench.answer_word(0x0057) & 0x10 == 0


def test_gates_are_open_after_power_up_and_stay_so(bench):
    bench.run_ms(60_000)
    assert bench.gates == []
    assert bench.closed() == (False, False)


# CRC on the wire.


def crc_write(bench, register, data):
    wire = bytearray()
    for i, value in enumerate(data):
        head = [ADDRESS << 1, register] if i == 0 else []
        wire += bytes([value, crc8_by_the_book([*head, value])])
    bench.bus.writeto_mem(ADDRESS, register, wire)


def crc_read(bench, register, count):
    wire = bytearray(2 * count)
    bench.bus.readfrom_mem_into(ADDRESS, register, wire)
    for i in range(count):
        head = [ADDRESS << 1, register, ADDRESS << 1 | 1] if i == 0 else []
        assert wire[2 * i + 1] == crc8_by_the_book([*head, wire[2 * i]])
    return bytes(wire[::2])


def test_a_crc_chip_interleaves_crcs_in_reads():
    bench = Bench(crc=True)
    bench.pack.cell_v[0] = 0x0B68 / 1000
    bench.run_ms(FULLSCAN_MS)
    wire = bytearray(4)
    bench.bus.readfrom_mem_into(ADDRESS, 0x14, wire)
    assert wire == bytes([0x68, 0x33, 0x0B, 0x31])  # afe.md's golden vectors
    assert crc_read(bench, 0x14, 32)[2:4] == little(3300)


def test_a_crc_chip_takes_writes_with_right_crcs():
    bench = Bench(crc=True)
    bench.bus.writeto_mem(ADDRESS, 0x3E, bytes([0x22, 0x63, 0x00, 0x00]))  # golden: FET_ENABLE
    bench.run_ms(1)
    assert bench.chip.mfg_status & 0x10
    crc_write(bench, 0x3E, b"\x01\x00")
    bench.run_ms(1)
    assert crc_read(bench, 0x40, 2) == little(0x7695)


def test_a_crc_chip_configures():
    bench = Bench(crc=True)
    crc_write(bench, 0x3E, little(0x0090))
    bench.run_ms(5)
    crc_write(bench, 0x3E, little(0x9261) + b"\x8c")
    crc_write(bench, 0x60, [0x80, 0x05])
    assert bench.chip.memory.u8(0x9261) == 0x8C


def test_a_crc_chip_refuses_a_wrong_crc():
    bench = Bench(crc=True)
    with pytest.raises(OSError, match="ENODEV"):
        bench.bus.writeto_mem(ADDRESS, 0x3E, bytes([0x22, 0x64, 0x00, 0x00]))
    bench.run_ms(1)
    assert not bench.chip.mfg_status & 0x10


def test_a_crc_chip_refuses_a_host_that_sends_none():
    bench = Bench(crc=True)
    with pytest.raises(OSError, match="ENODEV"):
        bench.write(0x3E, b"\x01\x00")
