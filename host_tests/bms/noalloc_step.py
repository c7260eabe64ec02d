"""Runs on MicroPython (32-bit WebAssembly build): the fast path allocates nothing.

10,000 steps of Battery.step on the fake chip, in one go under heap lock: every fault of the chip,
of the link and of the pack, every trip, every request, programming that ends in every way, late
steps, and readers' snapshots between them. Prints OK.
"""

import sys

import micropython

from bms import requests
from bms.sample import BUS_ERROR, CONFIGURATION_LOST, OK, VERIFY_FAILED, WRONG_DEVICE
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
)
battery = bench.battery
chip = bench.chip
snapshot = memoryview(bench.points.new_snapshot())
answers = bytes(
    (OK, BUS_ERROR, CONFIGURATION_LOST, BUS_ERROR, OK, WRONG_DEVICE, OK, VERIFY_FAILED)
)
closed = bytearray(4)  # which combinations of gates were seen


def heal():
    chip.set_cells(3300)
    chip.set_temperatures(250)
    chip.current_ma = 20000
    chip.stack_error_mv = 0
    chip.trips = 0
    chip.scanning = True
    chip.code = OK
    chip.programming_code = OK
    chip.gates_code = OK
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
        chip.trips = 1 << (amount % 12)
    elif kind == 8:
        chip.trips = 0xFFF
    elif kind == 9:
        chip.scanning = False
    elif kind == 10:
        chip.code = answers[amount & 7]
    elif kind == 11:
        chip.programming_code = answers[amount & 7]
    elif kind == 12:
        chip.gates_code = BUS_ERROR
    elif kind == 13:
        chip.stuck_on = amount & 3
        chip.held_off = amount >> 2 & 3
    elif kind == 14:
        battery.requests.post(1 + amount % requests.REPROGRAM_AFE)
    else:
        heal()


def run(rounds):
    random = 4711
    for turn in range(rounds):
        random = (random * 4005 + 12347) & 0x3FFFF  # stays below 2**30
        if turn % HEALTHY_EVERY > HEALTHY_EVERY // 2:
            heal()
            battery.requests.post(requests.GATES_AUTO if turn & 1 else requests.CLEAR_FAULTS)
        elif random & 3 == 0:
            harm(random >> 2)
        battery.step(1000 if random & 0x700 == 0 else 100)
        bench.points.snapshot_into(snapshot)
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
