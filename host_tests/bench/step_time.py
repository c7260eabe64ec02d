"""MicroPython script: time of one fast-path step, and of the simulation around it.

The whole step (sample over the simulated bus, judge, protect, switch, publish) with the chip's
register model behind the bus, under the heap lock as in app.py; the bus model's own share is
measured apart, so that the firmware's remains.
"""

import sys
import time

sys.path.insert(0, "firmware/lib")
sys.path.insert(0, "")

import micropython

from afe.bq76952 import Bq76952
from bms.battery import Battery
from bms.cell_model import CellModel
from bms.events import Events
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points
from bms.switch import FetPath
from boards.sim import heap
from boards.sim.load import HouseholdDay
from boards.sim.world import World
from cells.lfp import CELL

STEPS = 5000
PERIOD_MS = 100
START_STEPS = 60  # until the chip is programmed and the gates are on


class TimedBus:
    """The simulated I2C bus, with a stop-watch."""

    def __init__(self, bus):
        self._bus = bus
        self.us = 0

    def readfrom_mem_into(self, address, register, buffer):
        """As machine.I2C."""
        began = time.ticks_us()
        self._bus.readfrom_mem_into(address, register, buffer)
        self.us += time.ticks_diff(time.ticks_us(), began)

    def writeto_mem(self, address, register, buffer):
        """As machine.I2C."""
        began = time.ticks_us()
        self._bus.writeto_mem(address, register, buffer)
        self.us += time.ticks_diff(time.ticks_us(), began)


def measure(cells, crc):
    """Print microseconds a step for a number of cells."""
    parameters = Parameters()
    parameters.load({"chemistry": 0, "series_cells": cells, "design_capacity_mah": 280000})
    world = World(cells=cells, load=HouseholdDay(1, 280), crc=crc)
    bus = TimedBus(world.i2c)

    def off_line(_level):
        depth = heap.lift()
        world.set_off_lines(charge=0, discharge=0)
        heap.restore(depth)

    afe = Bq76952(bus, parameters, crc)
    faults = Faults()
    path = FetPath(afe, off_line, lambda _level: None, parameters, faults)
    battery = Battery(
        Points(), parameters, faults, afe, path, Events(), True, model=CellModel(CELL)
    )
    for _ in range(START_STEPS):
        world.advance(PERIOD_MS * 1000)
        battery.step(PERIOD_MS)
    bus.us = step_us = world_us = 0
    for _ in range(STEPS):
        began = time.ticks_us()
        world.advance(PERIOD_MS * 1000)
        middle = time.ticks_us()
        micropython.heap_lock()
        try:
            battery.step(PERIOD_MS)
        finally:
            micropython.heap_unlock()
        step_us += time.ticks_diff(time.ticks_us(), middle)
        world_us += time.ticks_diff(middle, began)
    if battery.failure:
        raise battery.failure
    print(
        "%2d cells%s: step %3d us, of which firmware %3d us; world %3d us per step"
        % (
            cells,
            " with CRC" if crc else "         ",
            step_us // STEPS,
            (step_us - bus.us) // STEPS,
            world_us // STEPS,
        )
    )


for cells in (4, 8, 16):
    measure(cells, False)
measure(16, True)
