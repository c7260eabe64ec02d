"""Runs on MicroPython (32-bit WebAssembly build): a stack of two BQ76952 and its battery allocate
nothing, with 32 cells.

Battery.step with the drivers of both chips on the simulated stack, with faults of each chip, of
its bus and of cells, while all cells that the slow path may want are bled: masks of 32 cells must
never meet in the fast path. The heap is locked while a step runs, except inside the simulated bus
(boards.sim.heap); the slow path and the world take their turns between the steps. Prints OK.
"""

import sys
from array import array

from afe.bq76952 import Bq76952
from afe.stack import Stack
from bms import requests
from bms.battery import Battery
from bms.cell_model import CellModel
from bms.events import FIELDS, Events
from bms.fault_register import WORDS
from bms.faults import Faults
from bms.health import LEAKY, WEAK
from bms.parameters import Parameters
from bms.points import Points
from bms.stack_bleeder import StackBleeder
from bms.switch import FetPath
from boards.sim import faults, heap
from boards.sim.load import ConstantLoad
from boards.sim.world import World
from cells.lfp import CELL

CELLS = 32
SENSORS = 4
PERIOD_MS = 100
BROKEN_STEPS = 60
MENDED_STEPS = 150  # both chips are programmed and tested anew, past the 5 s that faults are held
EVERY_OTHER = 0xAAAAAAAA  # cells 2, 4, ... 32: no small integer on a board
BROKEN = (
    "cell_overvoltage", "upper_cell_overvoltage", "short_circuit", "afe_silent", "afe_corrupt",
    "afe_frozen", "afe_reset", "upper_afe_silent", "upper_afe_corrupt", "upper_afe_frozen",
    "upper_afe_reset", "upper_open_wire", "stack_mismatch",
)  # fmt: skip
EXPECTED = {
    "cell_overvoltage", "short_circuit", "afe_lost", "afe_corrupt", "measurement_stale",
    "afe_restarted", "cell_wire_open", "stack_mismatch",
}  # fmt: skip


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


world = World(cells=CELLS, load=ConstantLoad(20.0), crc=True, lower_sensors=SENSORS // 2)
parameters = Parameters()
settings = {
    "chemistry": 0, "series_cells": CELLS, "design_capacity_mah": 280000, "afe_chip": 4,
    "afe_crc": 1, "cell_thermistors": SENSORS, "fet_side": 1,
}  # fmt: skip
for row in range(len(parameters)):  # so that one fault is over before the next
    name = parameters.names.name(row)
    if name.endswith("_release_delay_ms"):
        settings[name] = 1000
parameters.load(settings)
points = Points()
table = Faults()
lower = Bq76952(world.i2c, parameters, crc=True)
upper = Bq76952(world.sensor_i2c, parameters, crc=True)
bleeder = StackBleeder(lower, upper, CELLS // 2)
afe = Stack(lower, upper, parameters, bleeder)
log = Events()
battery = Battery(
    points, parameters, table, afe, FetPath(afe, charge_off, discharge_off, parameters, table),
    log, True, model=CellModel(CELL),
)  # fmt: skip
words = points.offset("faults")
gates = points.offset("gates")
balancing = points.offset("balancing")
event = array("i", [0] * FIELDS)
seen = [0] * WORDS
kept_open = []
bled = 0
cell_events = {}
# A weak and a leaking cell at the very top: their masks are no small integers either.
battery.health.kept[WEAK] = -(1 << 31)
battery.health.kept[LEAKY] = 1 << 30
for turn in range(len(BROKEN) * (BROKEN_STEPS + MENDED_STEPS)):
    phase = turn % (BROKEN_STEPS + MENDED_STEPS)
    name = BROKEN[turn // (BROKEN_STEPS + MENDED_STEPS)]
    if phase == 0:
        faults.inject(world, name)
    elif phase == BROKEN_STEPS:
        faults.clear_all(world)
    elif phase in (BROKEN_STEPS + 20, BROKEN_STEPS + MENDED_STEPS // 2):
        battery.requests.post(requests.CLEAR_FAULTS)
    if phase % 10 == 0:
        battery.slow_step(1000)
        bleeder.want(EVERY_OTHER)  # after the slow path, which has not learned anything yet
    step(PERIOD_MS)
    bled = max(bled, points.live[balancing] + points.live[balancing + 1])
    if phase == BROKEN_STEPS + MENDED_STEPS - 1 and points.live[gates] != 3:
        kept_open.append(
            (name, [table.names.name(bit) for bit in range(len(table))
                    if points.live[words + (bit >> 4)] >> (bit & 15) & 1])
        )  # fmt: skip
    for word in range(WORDS):
        seen[word] |= points.live[words + word]
    while log.take_into(event):
        if event[0] == 12:
            cell_events[event[1]] = event[2]
if battery.failure is not None:
    sys.print_exception(battery.failure)
assert battery.failure is None
seen_names = {
    table.names.name(bit) for bit in range(len(table)) if seen[bit >> 4] >> (bit & 15) & 1
}
assert not kept_open, kept_open
assert seen_names >= EXPECTED, EXPECTED - seen_names
assert bled == 2 * 0xAAAA, bled
assert world.afe.neighbours_bled == 0
assert cell_events == {2: 1 << 15, 3: 1 << 14}, cell_events
print("OK")
