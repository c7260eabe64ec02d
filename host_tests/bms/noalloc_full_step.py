"""Runs on MicroPython (32-bit WebAssembly build): step and driver together allocate nothing.

Battery.step with the real BQ76952 driver on the simulated world, with all faults of the world
injected one after the other. The heap is locked while a step runs, except inside the simulated bus
(boards.sim.heap); the world advances between the steps. Prints OK.
"""

import sys
from array import array

from afe.bq76952 import Bq76952
from bms import requests
from bms.battery import Battery
from bms.cell_model import CellModel
from bms.events import FIELDS, Events
from bms.fault_register import WORDS
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points
from bms.switch import FetPath
from bms.table import INVALID
from boards.sim import faults, heap
from boards.sim.load import ConstantLoad
from boards.sim.world import World
from cells.lfp import CELL

PERIOD_MS = 100
BROKEN_STEPS = 60  # how long a fault stands
MENDED_STEPS = 140  # how long the pack then has to recover, past the 5 s that faults are held


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
for row in range(len(parameters)):  # so that one fault is over before the next
    name = parameters.names.name(row)
    if name.endswith("_release_delay_ms"):
        settings[name] = 1000
parameters.load(settings)
points = Points()
table = Faults()
afe = Bq76952(world.i2c, parameters)
log = Events()
battery = Battery(
    points,
    parameters,
    table,
    afe,
    FetPath(afe, charge_off, discharge_off, parameters, table),
    log,
    True,
    model=CellModel(CELL),
)
words = points.offset("faults")
names = [name for name, _ in faults.FAULTS]
event = array("i", [0] * FIELDS)
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
    "afe_wrong_device",
    "afe_restarted",
    "short_circuit",
}
seen = [0] * WORDS  # fault bits
kept_open = []  # faults after which the gates did not close again
for turn in range(len(names) * (BROKEN_STEPS + MENDED_STEPS)):
    phase = turn % (BROKEN_STEPS + MENDED_STEPS)
    name = names[turn // (BROKEN_STEPS + MENDED_STEPS)]
    if phase == 0:
        faults.inject(world, name)
    elif phase == BROKEN_STEPS:
        faults.clear_all(world)
        battery.deep_discharge.restore(INVALID, False)  # the next one is another pack
    elif phase == BROKEN_STEPS - 10:
        battery.requests.post(requests.REPROGRAM_AFE)
    elif phase in (BROKEN_STEPS + 20, BROKEN_STEPS + MENDED_STEPS // 2):
        battery.requests.post(requests.CLEAR_FAULTS)
    step(PERIOD_MS)
    if phase == BROKEN_STEPS + MENDED_STEPS - 1 and points.live[points.offset("gates")] != 3:
        kept_open.append(
            (name, [table.names.name(bit) for bit in range(len(table))
                    if points.live[words + (bit >> 4)] >> (bit & 15) & 1])
        )  # fmt: skip
    for word in range(WORDS):
        seen[word] |= points.live[words + word]
    while log.take_into(event):
        pass
if battery.failure is not None:
    sys.print_exception(battery.failure)
assert battery.failure is None
seen_names = {
    table.names.name(bit) for bit in range(len(table)) if seen[bit >> 4] >> (bit & 15) & 1
}
assert not kept_open, kept_open
assert seen_names >= EXPECTED, EXPECTED - seen_names
print("OK")
