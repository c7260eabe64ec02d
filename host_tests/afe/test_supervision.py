"""What goes on while the chip guards: trips that nobody saw, reading back, load detection."""

import pytest

from bms.sample import (
    BUS_ERROR,
    BUSY,
    CORRUPT,
    GATE_CHARGE,
    GATE_DISCHARGE,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_UNSEEN,
    VERIFY_FAILED,
)
from host_tests.afe.test_sample import ALARM_STATUS, CRC, make, put


def latch(bus, bits):
    put(bus, ALARM_STATUS, bits)


# Alarm status (SLUUBY2B): bit 14 SSA latches safety status A, bit 15 SSBC status B and C.
SAFETY_GROUPS = pytest.mark.parametrize(
    ("alarm", "register", "bit"), [(0x4000, 0x03, 3), (0x8000, 0x05, 4), (0x8000, 0x07, 1)]
)


def quiet(**settings):
    """A driver that has taken its first sample."""
    bus, driver, sample = make(**settings)
    assert driver.sample_into(sample) == OK
    del bus.transactions[:]
    return bus, driver, sample


@SAFETY_GROUPS
def test_a_latched_alarm_without_its_status_is_a_trip_that_nobody_saw(alarm, register, bit):
    bus, driver, sample = quiet()
    latch(bus, alarm)
    assert driver.sample_into(sample) == OK
    assert sample.trips == TRIP_UNSEEN
    assert bus.registers[ALARM_STATUS + 1] == 0  # cleared, to hear of the next one
    assert driver.sample_into(sample) == OK
    assert sample.trips == 0


@SAFETY_GROUPS
def test_a_trip_whose_status_is_still_there_is_not_unseen(alarm, register, bit):
    bus, driver, sample = quiet()
    latch(bus, alarm)
    bus.registers[register] = 1 << bit
    assert driver.sample_into(sample) == OK
    assert sample.trips
    assert not sample.trips & TRIP_UNSEEN
    latch(bus, alarm)  # latched once more as long as it stood
    bus.registers[register] = 0
    assert driver.sample_into(sample) == OK
    assert sample.trips == 0


def test_an_alarm_of_one_group_is_not_explained_by_the_other():
    bus, driver, sample = quiet()
    latch(bus, 0xC000)
    bus.registers[0x03] = 1 << 3
    assert driver.sample_into(sample) == OK
    assert sample.trips == TRIP_CELL_OVERVOLTAGE | TRIP_UNSEEN


def test_after_a_dead_bus_a_seen_trip_explains_nothing_any_more():
    bus, driver, sample = quiet()
    latch(bus, 0x4000)
    bus.registers[0x03] = 1 << 3
    driver.sample_into(sample)
    bus.fail_at = len(bus.transactions)
    assert driver.sample_into(sample) == BUS_ERROR
    latch(bus, 0x4000)
    bus.registers[0x03] = 0
    assert driver.sample_into(sample) == OK
    assert sample.trips == TRIP_UNSEEN


def test_an_unseen_trip_is_not_lost_when_clearing_its_alarm_fails_half_way():
    """The chip took the write, only its acknowledge was lost."""
    bus, driver, sample = quiet()
    latch(bus, 0x4000)
    bus.fail_at = 4
    assert driver.sample_into(sample) == BUS_ERROR
    latch(bus, 0)
    assert driver.sample_into(sample) == OK
    assert sample.trips == TRIP_UNSEEN


def test_the_first_sample_after_programming_tells_of_nothing_before_it():
    bus, driver, sample = make()
    latch(bus, 0xC000)
    assert driver.sample_into(sample) == OK
    assert sample.trips == 0


def test_nor_does_the_first_one_after_programming_anew():
    bus, driver, sample = quiet()
    driver.start_programming()
    while driver.programming_step() == BUSY:
        pass
    latch(bus, 0xC000)
    assert driver.sample_into(sample) == OK
    assert sample.trips == 0


def test_other_alarms_are_no_trips():
    bus, driver, sample = quiet()
    latch(bus, 0x3F7D)
    assert driver.sample_into(sample) == OK
    assert sample.trips == 0
    assert bus.registers[ALARM_STATUS] == 0x7D


@pytest.mark.parametrize(
    ("gates", "fet_control"),
    [(0, 0x0F), (GATE_CHARGE, 0x0B), (GATE_DISCHARGE, 0x0C), (GATES_BOTH, 0x08)],
)
def test_with_predischarge_its_gate_is_allowed_with_the_discharge_gate(gates, fet_control):
    bus, driver, _ = make(predischarge=1)
    assert driver.command_gates(gates) == OK
    assert bus.gates_allowed == [fet_control]


@pytest.mark.parametrize(("on", "command"), [(True, 0x009E), (False, 0x009F)])
def test_load_detection_is_switched_by_its_commands(on, command):
    bus, driver, _ = make()
    del bus.commands[:]
    assert driver.detect_load(on) == OK
    assert bus.commands == [command]
    bus.fail_at = len(bus.transactions)
    assert driver.detect_load(on) == BUS_ERROR


@CRC
def test_reading_back_is_one_short_subcommand_a_call(crc):
    bus, driver, _ = make(crc)
    codes = []
    for _ in range(40):
        del bus.transactions[:]
        codes.append(driver.verify_step())
        commands = [t for t in bus.transactions if t.kind == "w"]
        assert len(commands) == 1
        assert commands[0].register == 0x3E
        assert commands[0].data[1] & 0x90 == 0x90  # data memory, and nothing written to it
        assert len(commands[0].data) == 2
        wire = sum(len(t.wire) + (2 if t.kind == "w" else 3) for t in bus.transactions)
        assert wire * 22.5 < 3000
    assert codes.count(OK) >= 3
    assert set(codes) == {OK, BUSY}


def test_reading_back_finds_each_wrong_byte():
    bus, driver, _ = make()
    for address in list(bus.memory):
        bus.memory[address] ^= 0x01
        codes = [driver.verify_step() for _ in range(30)]
        assert VERIFY_FAILED in codes
        bus.memory[address] ^= 0x01


def test_reading_back_goes_on_after_a_failure_of_the_bus():
    bus, driver, _ = make(crc=True)
    bus.fail_at = 1
    assert driver.verify_step() == BUS_ERROR
    bus.corrupt_read_at = len(bus.transactions) + 2
    assert driver.verify_step() == CORRUPT
    bus.busy_reads = 100
    assert driver.verify_step() == BUSY
    bus.busy_reads = 0
    assert OK in [driver.verify_step() for _ in range(20)]
