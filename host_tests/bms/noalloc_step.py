"""Runs on MicroPython (32-bit WebAssembly build): the fast path allocates nothing.

10,000 steps of Battery.step on the fake chip, in one go under heap lock: every fault of the chip,
of the link and of the pack, every trip, every request, programming and self-tests that end in
every way, late steps, and readers' snapshots and taken events between them. Prints OK.
"""

import sys
from array import array

import micropython

from bms import requests
from bms.events import FIELDS
from bms.fault_register import WORDS
from bms.sample import (
    BUS_ERROR,
    CONFIGURATION_LOST,
    CORRUPT,
    OK,
    SENSOR_LOST,
    VERIFY_FAILED,
    WRONG_DEVICE,
)
from host_tests.bms.bench import Bench

ROUNDS = 10000
HEALTHY_EVERY = 400  # rounds of which the second half is without faults, so that gates close

bench = Bench(
    series_cells=16,
    cell_thermistors=3,
    overcurrent_discharge_trip_ma=599000,
    fast_overcurrent_discharge_ma=600000,
    short_circuit_trip_ma=1000000,
    # Short enough that rows release between two faults.
    overcurrent_charge_release_delay_ms=500,
    overcurrent_discharge_release_delay_ms=500,
    overtemperature_charge_release_delay_ms=500,
    overtemperature_discharge_release_delay_ms=500,
    undertemperature_charge_release_delay_ms=500,
    undertemperature_discharge_release_delay_ms=500,
    fet_overtemperature_release_delay_ms=500,
    afe_overtemperature_release_delay_ms=500,
    cell_imbalance_release_delay_ms=500,
    deep_discharge_delay_ms=500,
    thermistor_frozen_s=60,
    interlock=True,
)
battery = bench.battery
chip = bench.chip
event = array("i", [0] * FIELDS)
latched = array("i", [0] * WORDS)
snapshot = memoryview(bench.points.new_snapshot())
answers = bytes(
    (OK, BUS_ERROR, CONFIGURATION_LOST, CORRUPT, SENSOR_LOST, WRONG_DEVICE, OK, VERIFY_FAILED)
)
closed = bytearray(4)  # which combinations of gates were seen


def heal():
    chip.set_cells(3300)
    chip.set_temperatures(250)
    chip.current_ma = 20000 if chip.gates() else 0
    chip.board_temperature_dc = chip.chip_temperature_dc = 300
    chip.stack_error_mv = 0
    chip.trips = 0
    chip.scanning = True
    chip.code = OK
    chip.programming_code = OK
    chip.self_test_code = OK
    chip.verify_code = OK
    chip.failing_checks = 0
    chip.load = False
    chip.gates_code = OK
    bench.interlock = 1
    chip.held_off = 0
    chip.stuck_on = 0


def harm(random):
    """Change one thing in the world."""
    kind = random & 15
    amount = random >> 4 & 0x3FF
    if kind == 0:
        chip.cell_mv[amount & 15] = 2000 + 2 * amount
    elif kind == 1:
        chip.cell_mv[amount & 15] = -32768 if amount & 16 else 32767
    elif kind == 2:
        chip.temperature_dc[amount % 3] = amount - 400
    elif kind == 3:
        chip.temperature_dc[amount % 3] = -2731
    elif kind == 4:
        chip.current_ma = (amount - 512) * 1900  # to both ends of what is plausible
    elif kind == 5:
        chip.current_ma = -3276800 if amount & 1 else 3276700
    elif kind == 6:
        # 16 bits of 10 mV, wrong in the lowest or in the highest of them
        chip.stack_error_mv = amount - 512 if amount & 1 else (amount - 512) * 540
    elif kind == 7:
        chip.trips = 1 << (amount % 14)
        chip.load = amount & 16 != 0
    elif kind == 8:
        chip.trips = 0x3FFF
    elif kind == 9:
        chip.scanning = False
    elif kind == 10:
        chip.code = answers[amount & 7]
    elif kind == 11:
        chip.programming_code = answers[amount & 7]
        chip.self_test_code = answers[amount >> 3 & 7]
        chip.failing_checks = amount >> 6 & 1
    elif kind == 12:
        chip.gates_code = BUS_ERROR
        chip.verify_code = answers[amount & 7]
    elif kind == 13:
        chip.stuck_on = amount & 3
        chip.held_off = amount >> 2 & 3
    elif kind == 14:
        battery.requests.post(1 + amount % requests.TRY_CURRENT)
        bench.interlock = amount & 16
        chip.board_temperature_dc = chip.chip_temperature_dc = amount
        battery.tighten(amount & 32 != 0)
    else:
        heal()


def run(rounds):
    random = 4711
    for turn in range(rounds):
        random = (random * 4005 + 12347) & 0x3FFFF  # stays below 2**30
        if turn % HEALTHY_EVERY > HEALTHY_EVERY // 2:
            heal()
            if turn & 7 == 0:  # a clear goes on for seconds, and a failed self-test takes its time
                battery.requests.post(requests.CLEAR_FAULTS if turn & 8 else requests.GATES_AUTO)
        elif random & 3 == 0:
            harm(random >> 2)
        if random & 0x700:
            battery.step(100)
        else:
            battery.step(400 if random & 0x3800 else 5000)
        bench.points.snapshot_into(snapshot)
        battery.latched_into(latched)
        while random & 0x8000 and bench.log.take_into(event):
            pass
        closed[chip.gates()] = 1


run(2 * HEALTHY_EVERY)  # whatever is made once on first use
micropython.heap_lock()
try:
    run(ROUNDS)
finally:
    micropython.heap_unlock()
if battery.failure is not None:
    sys.print_exception(battery.failure)
assert battery.failure is None and chip.broken_rule is None
assert bytes(closed) == b"\1\1\1\1", closed
print("OK")
