"""Samples and gate commands: what the chip says and what it is told, register by register."""

import pytest

from afe.bq76952 import Bq76952
from bms.parameters import Parameters
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    CORRUPT,
    GATE_CHARGE,
    GATE_DISCHARGE,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CELL_UNDERVOLTAGE,
    TRIP_CHIP_FAILED,
    TRIP_CHIP_OVERTEMPERATURE,
    TRIP_FET_OVERTEMPERATURE,
    TRIP_HOST_WATCHDOG,
    TRIP_OVERCURRENT_CHARGE,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_OVERTEMPERATURE_CHARGE,
    TRIP_OVERTEMPERATURE_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNDERTEMPERATURE_CHARGE,
    TRIP_UNDERTEMPERATURE_DISCHARGE,
    Sample,
)
from host_tests.afe.recording_bus import RecordingBus

CRC = pytest.mark.parametrize("crc", [False, True])
BATTERY_STATUS = 0x12
ALARM_STATUS = 0x62
FET_STATUS = 0x7F


def put(bus, register, value):
    bus.registers[register : register + 2] = (value & 0xFFFF).to_bytes(2, "little")


def make(crc=False, **settings):
    parameters = Parameters()
    parameters.load(
        {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 100000, **settings}
    )
    bus = RecordingBus(crc=crc)
    driver = Bq76952(bus, parameters, crc=crc)
    driver.start_programming()
    while driver.programming_step() == BUSY:
        pass
    assert bus.registers[BATTERY_STATUS] & 0x09 == 0
    del bus.transactions[:]
    for cell in range(16):
        put(bus, 0x14 + 2 * cell, 3300 + cell)
    put(bus, 0x34, 5292)
    put(bus, 0x36, 5280)
    put(bus, 0x38, 123)
    put(bus, 0x3A, -1234)
    put(bus, 0x68, 2731 + 301)
    for sensor in range(3):
        put(bus, 0x70 + 2 * sensor, 2731 + 200 + sensor)
    put(bus, 0x76, 2731 + 355)
    sample = Sample(parameters.value("series_cells"), parameters.value("cell_thermistors"))
    return bus, driver, sample


@CRC
def test_a_sample_is_in_the_units_of_the_project(crc):
    _, driver, sample = make(crc)
    assert driver.sample_into(sample) == OK
    assert list(sample.cell_mv) == [3300 + cell for cell in range(16)]
    assert sample.stack_mv == 52920  # userV is 10 mV
    assert sample.bus_mv == 52800
    assert sample.load_mv == 1230
    assert sample.current_ma == -12340  # userA is 10 mA, charging positive
    assert list(sample.temperature_dc) == [200, 201]
    assert sample.chip_temperature_dc == 301
    assert sample.board_temperature_dc == 301  # the die: no thermistor at the switches


def test_every_value_is_read_in_one_transaction():
    """Two reads of one byte each gave 0x0D00 for 0x0CFF (E2E 1328137)."""
    bus, driver, sample = make()
    driver.sample_into(sample)
    reads = [(t.register, t.register + len(t.data)) for t in bus.transactions if t.kind == "r"]
    values = [*range(0x14, 0x3A, 2), 0x12, 0x3A, 0x62, 0x68, 0x70, 0x72, 0x74, 0x76]
    for register in values:
        assert any(start <= register and register + 2 <= end for start, end in reads)


@pytest.mark.parametrize("crc", [False, True])
def test_a_sample_takes_five_transactions_of_less_than_2_ms_each(crc):
    bus, driver, sample = make(crc)
    bus.registers[ALARM_STATUS] = 0x82
    driver.sample_into(sample)
    assert len(bus.transactions) == 5
    assert max((len(t.wire) + 3) * 22.5 for t in bus.transactions) < 2000


def test_a_pack_of_13_uses_the_lowest_12_inputs_and_input_16():
    bus, driver, sample = make(series_cells=13)
    assert bus.written(0x9304, 2) == bytes([0xFF, 0x8F])  # afe.md section 4
    driver.sample_into(sample)
    assert list(sample.cell_mv) == [3300 + cell for cell in range(12)] + [3315]


def test_a_pack_of_3_uses_inputs_1_2_and_16():
    bus, driver, sample = make(series_cells=3)
    assert bus.written(0x9304, 2) == bytes([0x03, 0x80])
    driver.sample_into(sample)
    assert list(sample.cell_mv) == [3300, 3301, 3315]


def test_negative_values_keep_their_sign():
    """A reversed cell must not show as 65535 (field lesson 6)."""
    bus, driver, sample = make()
    put(bus, 0x14, -1)
    put(bus, 0x3A, -32768)
    put(bus, 0x70, 2731 - 200)
    driver.sample_into(sample)
    assert sample.cell_mv[0] == -1
    assert sample.current_ma == -327680
    assert sample.temperature_dc[0] == -200


def test_packs_above_300_ampere_measure_in_100_ma():
    bus, driver, sample = make(
        shunt_microohm=100,
        overcurrent_discharge_trip_ma=400000,
        fast_overcurrent_discharge_ma=500000,
        short_circuit_trip_ma=900000,
    )
    assert bus.written(0x9303, 1) == b"\x07"
    put(bus, 0x3A, -4000)
    driver.sample_into(sample)
    assert sample.current_ma == -400000


def test_usual_packs_measure_in_10_ma():
    bus, _, _ = make()
    assert bus.written(0x9303, 1) == b"\x06"


def test_a_fitted_sensor_at_the_switches_is_read_from_hdq():
    bus, driver, sample = make(fet_thermistor=1)
    assert bus.written(0x9300, 1) == b"\x0f"
    driver.sample_into(sample)
    assert sample.board_temperature_dc == 355
    assert sample.chip_temperature_dc == 301


@pytest.mark.parametrize(
    ("fet_status", "gates"),
    [
        (0x00, 0),
        (0x01, GATE_CHARGE),
        (0x04, GATE_DISCHARGE),
        (0x05, GATES_BOTH),
        (0x7A, 0),  # precharge, predischarge and pins are not our gates
    ],
)
def test_gates_are_those_that_are_really_on(fet_status, gates):
    bus, driver, sample = make()
    bus.registers[FET_STATUS] = fet_status
    driver.sample_into(sample)
    assert sample.gates == gates


@pytest.mark.parametrize(
    ("register", "bit", "trip"),
    [
        (0x03, 2, TRIP_CELL_UNDERVOLTAGE),
        (0x03, 3, TRIP_CELL_OVERVOLTAGE),
        (0x03, 4, TRIP_OVERCURRENT_CHARGE),
        (0x03, 5, TRIP_OVERCURRENT_DISCHARGE),
        (0x03, 6, TRIP_OVERCURRENT_DISCHARGE),
        (0x03, 7, TRIP_SHORT_CIRCUIT),
        (0x05, 0, TRIP_UNDERTEMPERATURE_CHARGE),
        (0x05, 1, TRIP_UNDERTEMPERATURE_DISCHARGE),
        (0x05, 4, TRIP_OVERTEMPERATURE_CHARGE),
        (0x05, 5, TRIP_OVERTEMPERATURE_DISCHARGE),
        (0x05, 6, TRIP_CHIP_OVERTEMPERATURE),
        (0x05, 7, TRIP_FET_OVERTEMPERATURE),
        (0x07, 1, TRIP_HOST_WATCHDOG),
        (0x07, 4, TRIP_CELL_OVERVOLTAGE),
        (0x07, 5, TRIP_OVERCURRENT_DISCHARGE),
        (0x07, 6, TRIP_SHORT_CIRCUIT),
        (0x07, 7, TRIP_OVERCURRENT_DISCHARGE),
        (0x0B, 0, TRIP_CHIP_FAILED),
        (0x0D, 3, TRIP_CHIP_FAILED),
        (0x0F, 2, TRIP_CHIP_FAILED),
        (0x11, 0, TRIP_CHIP_FAILED),
        (0x13, 4, TRIP_CHIP_FAILED),  # battery status bit 12
    ],
)
def test_each_safety_status_bit_is_the_trip_it_stands_for(register, bit, trip):
    bus, driver, sample = make()
    bus.registers[register] = 1 << bit
    assert driver.sample_into(sample) == OK
    assert sample.trips == trip


def test_alerts_that_did_not_trip_yet_are_no_trips():
    bus, driver, sample = make()
    for register in (0x02, 0x04, 0x06, 0x0A, 0x0C, 0x0E, 0x10):
        bus.registers[register] = 0xFF
    driver.sample_into(sample)
    assert sample.trips == 0


@pytest.mark.parametrize("bit", [0, 3, 4])
def test_a_chip_that_restarted_or_is_in_config_update_lost_its_configuration(bit):
    bus, driver, sample = make()
    bus.registers[BATTERY_STATUS] |= 1 << bit
    assert driver.sample_into(sample) == CONFIGURATION_LOST


def test_the_trace_of_an_old_watchdog_reset_does_not_ask_for_programming_again_and_again():
    """WD stays until the next reset (SLUUBY2B, Battery Status); a new one sets POR with it."""
    bus, driver, sample = make()
    bus.registers[BATTERY_STATUS] |= 0x10
    assert driver.sample_into(sample) == CONFIGURATION_LOST
    driver.start_programming()
    while driver.programming_step() == BUSY:
        pass
    assert driver.sample_into(sample) == OK
    bus.registers[BATTERY_STATUS] |= 0x08
    assert driver.sample_into(sample) == CONFIGURATION_LOST


@pytest.mark.parametrize("latched", [0x80, 0x02, 0x82])
def test_a_finished_scan_is_counted_once_and_its_alarm_cleared_by_writing_ones(latched):
    bus, driver, sample = make()
    bus.registers[ALARM_STATUS] = latched | 0x20
    assert driver.sample_into(sample) == OK
    assert sample.scans == 1
    assert bus.transactions[-1].register == ALARM_STATUS
    assert bus.transactions[-1].data == bytes([latched, 0])
    assert bus.registers[ALARM_STATUS] == 0x20  # other alarms are left alone
    assert driver.sample_into(sample) == OK
    assert sample.scans == 1


def test_a_stopped_chip_shows_no_new_scans():
    _, driver, sample = make()
    for _ in range(3):
        assert driver.sample_into(sample) == OK
    assert sample.scans == 0


@CRC
def test_a_failure_at_any_transaction_leaves_the_sample_as_it_was(crc):
    for index in range(5):
        bus, driver, sample = make(crc)
        bus.registers[ALARM_STATUS] = 0x82
        bus.fail_at = index
        before = dict(vars(sample), cell_mv=list(sample.cell_mv))
        assert driver.sample_into(sample) == BUS_ERROR
        assert dict(vars(sample), cell_mv=list(sample.cell_mv)) == before
        assert len(bus.transactions) == index + 1


@pytest.mark.parametrize("index", range(4))
def test_a_crc_failure_is_corrupt_and_is_not_read_again(index):
    bus, driver, sample = make(crc=True)
    bus.corrupt_read_at = index
    before = dict(vars(sample), cell_mv=list(sample.cell_mv))
    assert driver.sample_into(sample) == CORRUPT
    assert dict(vars(sample), cell_mv=list(sample.cell_mv)) == before
    assert len(bus.transactions) == index + 1


@CRC
@pytest.mark.parametrize(
    ("gates", "fet_control"),
    [
        (0, 0x0F),  # 1 forces off (afe.md section 2; field lesson 1)
        (GATE_CHARGE, 0x0B),
        (GATE_DISCHARGE, 0x0E),
        (GATES_BOTH, 0x0A),  # precharge and predischarge stay forced off
    ],
)
def test_gates_that_shall_be_on_are_the_zeros_of_fet_control(crc, gates, fet_control):
    bus, driver, _ = make(crc)
    assert driver.command_gates(gates) == OK
    assert bus.transactions[0].register == 0x3E
    assert bus.transactions[0].data == bytes([0x97, 0x00, fet_control])
    assert bus.transactions[1].register == 0x60
    assert bus.transactions[1].data == bytes([~(0x97 + fet_control) & 0xFF, 5])
    assert bus.gates_allowed == [fet_control]


def test_a_gate_command_that_is_not_acknowledged_is_a_bus_error():
    for index in range(3):
        bus, driver, _ = make()
        bus.fail_at = index
        assert driver.command_gates(GATES_BOTH) == BUS_ERROR
        assert len(bus.transactions) == index + 1


@pytest.mark.parametrize(
    ("trips", "commands"),
    [
        (0, []),
        (TRIP_SHORT_CIRCUIT, [0x009C]),
        (TRIP_OVERCURRENT_DISCHARGE, [0x009B]),
        (TRIP_SHORT_CIRCUIT | TRIP_OVERCURRENT_DISCHARGE, [0x009B, 0x009C]),
        (TRIP_CELL_OVERVOLTAGE, []),  # recovers by itself
    ],
)
def test_latched_trips_are_released_by_their_recover_commands(trips, commands):
    bus, driver, _ = make()
    del bus.commands[:]
    assert driver.recover(trips) == OK
    assert bus.commands == commands
    assert not bus.lets_a_gate_on()


def test_gates_can_be_commanded_off_before_anything_is_configured():
    bus = RecordingBus()
    driver = Bq76952(bus, Parameters())
    assert driver.command_gates(0) == OK
    assert bus.gates_allowed == [0x0F]
