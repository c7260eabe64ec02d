"""Latches, unseen trips, load detection, predischarge and reading back, against the chip model."""

import pytest

from bms.sample import (
    BUS_ERROR,
    BUSY,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNSEEN,
    VERIFY_FAILED,
)
from host_tests.afe.simulated_chip import PERIOD_US, Bench

BOTH = (True, True)
NONE = (False, False)
CHARGE_OFF = (False, True)
DISCHARGE_OFF = (True, False)
CHARGE_CLOSED = (True, False)  # and not yet the other


def test_a_trip_that_came_and_went_while_the_bus_was_dead_is_told_once():
    bench = Bench().guard()
    bench.bus.silent = True
    bench.pack.cell_v[5] = 3.85
    bench.chip.advance(3_000_000)
    assert bench.closed() == CHARGE_OFF
    bench.pack.cell_v[5] = 3.3
    bench.chip.advance(900_000)  # the watchdog is not there yet
    bench.bus.silent = False
    seen = 0
    for _ in range(80):
        bench.chip.advance(PERIOD_US)
        bench.driver.sample_into(bench.sample)
        seen |= bench.sample.trips
    assert seen & TRIP_CELL_OVERVOLTAGE  # its recovery time goes on: it is still there
    bench.bus.silent = True
    bench.pack.current_a = 85.0
    bench.chip.advance(300_000)
    bench.pack.current_a = 0.0
    for _ in range(90):  # OCC and then HWDF, which forgets itself
        bench.chip.advance(PERIOD_US)
        assert bench.driver.sample_into(bench.sample) == BUS_ERROR
    bench.bus.silent = False
    assert bench.driver.sample_into(bench.sample) == OK
    assert bench.sample.trips & TRIP_UNSEEN
    assert bench.live(1000) == 0


def test_a_trip_that_is_seen_from_its_first_to_its_last_sample_is_not_also_unseen():
    bench = Bench().guard()
    bench.pack.cell_v[5] = 3.85
    assert bench.live(3000) == TRIP_CELL_OVERVOLTAGE
    bench.pack.cell_v[5] = 3.3
    assert bench.live(8000) == TRIP_CELL_OVERVOLTAGE
    assert bench.sample.trips == 0


def test_a_short_circuit_stays_latched_in_the_chip_until_it_is_told_that_it_is_over():
    bench = Bench().guard()
    bench.pack.current_a = -450.0
    bench.live(100)
    bench.pack.current_a = 0.0
    assert bench.live(60_000) == TRIP_SHORT_CIRCUIT
    assert bench.closed() == NONE
    assert bench.driver.recover(TRIP_SHORT_CIRCUIT) == OK
    bench.live(500)
    assert bench.sample.trips == 0
    assert bench.closed() == BOTH  # as commanded all the time: the battery commands them off


def test_a_short_circuit_stays_latched_when_the_processor_is_dead():
    bench = Bench().guard()
    bench.pack.current_a = -450.0
    bench.chip.advance(1000)
    bench.pack.current_a = 0.0
    bench.chip.advance(600_000_000)
    assert bench.closed() == NONE
    assert bench.driver.sample_into(bench.sample) == OK
    assert bench.sample.trips & TRIP_SHORT_CIRCUIT


def test_three_fast_over_currents_in_a_row_are_latched():
    bench = Bench().guard()
    for _ in range(3):
        assert bench.closed() == BOTH
        bench.pack.current_a = -170.0
        assert bench.live(300) == TRIP_OVERCURRENT_DISCHARGE
        bench.pack.current_a = 0.0
        bench.live(60_000)  # the longest release delay of the software
    assert bench.sample.trips == TRIP_OVERCURRENT_DISCHARGE
    assert bench.closed() == DISCHARGE_OFF
    assert bench.driver.recover(TRIP_OVERCURRENT_DISCHARGE) == OK
    bench.live(500)
    assert bench.sample.trips == 0


@pytest.mark.parametrize("load", [False, True])
def test_the_load_detection_tells_whether_something_hangs_on_the_terminals(load):
    bench = Bench().guard(gates=0)
    bench.pack.bus_v = 0.0
    bench.pack.load_present = load
    bench.live(500)
    assert bench.sample.load_mv < 4000
    assert bench.driver.detect_load(True) == OK
    bench.live(500)
    assert (bench.sample.load_mv > 4000) is not load
    assert bench.driver.detect_load(False) == OK
    bench.live(500)
    assert bench.sample.load_mv < 4000


def test_predischarge_fills_the_bus_before_the_discharge_gate_closes():
    bench = Bench(predischarge=1).guard(gates=0)
    bench.pack.bus_v = 0.0
    bench.live(500)
    assert bench.driver.command_gates(GATES_BOTH) == OK
    bench.live(1000)
    assert bench.chip.predischarge_on
    assert bench.closed() == CHARGE_CLOSED
    bench.pack.bus_v = 0.96 * sum(bench.pack.cell_v)
    bench.live(600)
    assert not bench.chip.predischarge_on
    assert bench.closed() == BOTH


def test_reading_back_goes_on_for_ever_and_finds_a_changed_byte():
    bench = Bench().guard()
    pieces = 0
    for _ in range(60):
        before = bench.chip.time_us
        code = bench.driver.verify_step()
        assert code in (OK, BUSY)
        assert bench.chip.time_us - before < 3000
        assert bench.closed() == BOTH
        pieces += code == OK
    assert pieces >= 3  # the whole memory, again and again
    address = 0x9278  # the cell over-voltage threshold
    bench.chip.memory.write(address, [bench.chip.memory.u8(address) ^ 1])
    codes = [bench.driver.verify_step() for _ in range(20)]
    assert VERIFY_FAILED in codes
