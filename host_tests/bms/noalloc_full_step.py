"""Runs on MicroPython (32-bit WebAssembly build): step and driver together allocate nothing.

10,000 steps of Battery.step with the real BQ76952 driver on the simulated world, with all faults
of the world injected one after the other. The heap is locked while a step runs, except inside the
simulated bus (boards.sim.heap); the world advances between the steps. Prints OK.
"""

import sys

from afe.bq76952 import Bq76952
from bms import requests
from bms.battery import Battery
from bms.faults import Faults
from bms.parameters import Parameters
from bms.point_rows import ROWS as POINT_ROWS
from bms.points import Points
from bms.protection import ROWS
from boards.sim import faults, heap
from boards.sim.load import ConstantLoad
from boards.sim.world import World

STEPS = 10000
PERIOD_MS = 100
BROKEN_STEPS = 60  # how long a fault stands
MENDED_STEPS = 120  # how long the pack then has to recover, past the 5 s that faults are held


def charge_off(level):
    depth = heap.lift()  # behind the line is the model of the chip
    world.set_off_lines(charge=level)
    heap.restore(depth)


def discharge_off(level):
    depth = heap.lift()
    world.set_off_lines(discharge=level)
    heap.restore(depth)


def step(elapsed_ms):
    """One step under lock, and the time until the next one."""
    heap.lock()
    try:
        battery.step(elapsed_ms)
    finally:
        heap.unlock()
    world.advance(1000 * elapsed_ms)


world = World(cells=16, load=ConstantLoad(20.0))
parameters = Parameters()
settings = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000}
for row in ROWS:  # so that one fault is over before the next
    settings[row[0] + "_release_delay_ms"] = 1000
parameters.load(settings)
points = Points(POINT_ROWS)
battery = Battery(
    points,
    parameters,
    Faults(),
    Bq76952(world.i2c, parameters),
    charge_off,
    discharge_off,
    True,
)
words = points.offset("faults")
names = [name for name, _ in faults.FAULTS]
# What the world's faults must lead to, or this test would not walk the paths it is there for
EXPECTED = {
    "cell_overvoltage",
    "cell_undervoltage",
    "overcurrent_charge",
    "overcurrent_discharge",
    "overtemperature_charge",
    "undertemperature_charge",
    "stack_mismatch",
    "afe_lost",
    "measurement_stale",
    "measurement_implausible",
    "afe_wrong_device",
    "afe_restarted",
    "short_circuit",
}
seen = [0, 0]  # fault bits
kept_open = []  # faults after which the gates did not close again
for turn in range(STEPS):
    phase = turn % (BROKEN_STEPS + MENDED_STEPS)
    name = names[turn // (BROKEN_STEPS + MENDED_STEPS) % len(names)]
    if phase == 0:
        faults.inject(world, name)
    elif phase == BROKEN_STEPS:
        faults.clear_all(world)
    elif phase == BROKEN_STEPS - 10:
        battery.requests.post(requests.REPROGRAM_AFE)
    elif phase == BROKEN_STEPS + MENDED_STEPS // 2:
        battery.requests.post(requests.CLEAR_FAULTS)
    step(PERIOD_MS)
    if phase == BROKEN_STEPS + MENDED_STEPS - 1 and points.live[points.offset("gates")] != 3:
        kept_open.append(name)
    for word in range(2):
        seen[word] |= points.live[words + word]
if battery.failure is not None:
    sys.print_exception(battery.failure)
assert battery.failure is None
assert len(names) * (BROKEN_STEPS + MENDED_STEPS) <= STEPS, "not every fault had its turn"
table = Faults()
seen_names = {
    table.names.name(bit) for bit in range(len(table)) if seen[bit >> 4] >> (bit & 15) & 1
}
assert seen_names >= EXPECTED, EXPECTED - seen_names
assert not kept_open, kept_open
print("OK")
