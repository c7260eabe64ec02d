"""MicroPython script: what one fast-path step takes on this machine, on whichever build runs it.

The whole step (sample over the simulated bus, judge, protect, switch, publish) with the chip's
register model behind the bus, under the heap lock as in app.py: a byte allocated would end it. The
bus model's own share is measured apart, so that the firmware's remains. More cells than one chip
measures are those of a stack of two. Prints a line of JSON for each of ROWS.
"""

import json
import sys
import time

sys.path.insert(0, "firmware/lib")
sys.path.insert(0, "")

from afe.bq76952 import Bq76952
from afe.stack import Stack
from bms.battery import Battery
from bms.cell_model import CellModel
from bms.events import Events
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points
from bms.stack_bleeder import StackBleeder
from bms.switch import FetPath
from boards.sim import heap
from boards.sim.load import HouseholdDay
from boards.sim.world import World
from cells.lfp import CELL

ROWS = ((4, False), (8, False), (16, False), (16, True), (32, True))  # cells, CRC
CHIP_CELLS = 16
STEPS = 1000
PERIOD_MS = 100
START_STEPS = 150  # until the chip is programmed and the gates are on
GATES_BOTH = 3
CAPACITY_MAH = 280000
_WRITE_OVERHEAD = 2  # bytes on the wire: address and register
_READ_OVERHEAD = 3  # and the address once more


class TimedBus:
    """The simulated I2C bus, with a stop-watch and a count of the bytes on the wire."""

    def __init__(self, bus):
        self._bus = bus
        self.us = self.wire_bytes = 0

    def readfrom_mem_into(self, address, register, buffer):
        """As machine.I2C."""
        began = time.ticks_us()
        self._bus.readfrom_mem_into(address, register, buffer)
        self.us += time.ticks_diff(time.ticks_us(), began)
        self.wire_bytes += _READ_OVERHEAD + len(buffer)

    def writeto_mem(self, address, register, buffer):
        """As machine.I2C."""
        began = time.ticks_us()
        self._bus.writeto_mem(address, register, buffer)
        self.us += time.ticks_diff(time.ticks_us(), began)
        self.wire_bytes += _WRITE_OVERHEAD + len(buffer)


def guarding(cells, crc):
    """A world, its buses and a battery that guards it, gates on."""
    stacked = cells > CHIP_CELLS
    parameters = Parameters()
    settings = {"chemistry": 0, "series_cells": cells, "design_capacity_mah": CAPACITY_MAH}
    settings["cell_thermistors"] = 4 if stacked else 3
    if stacked:
        settings["afe_chip"] = 4
        settings["afe_crc"] = 1
        settings["fet_side"] = 1
    parameters.load(settings)
    load = HouseholdDay(1, CAPACITY_MAH // 1000)
    world = World(cells=cells, load=load, crc=crc, lower_sensors=2 if stacked else None)
    buses = [TimedBus(bus) for bus in (world.i2c, world.sensor_i2c)]
    afe = Bq76952(buses[0], parameters, crc)
    if stacked:
        afe = Stack(afe, Bq76952(buses[1], parameters, crc), parameters)
        afe.bleeder = StackBleeder(afe.lower, afe.upper, cells // 2)

    def off_line(_level):
        depth = heap.lift()
        world.set_off_lines(charge=0, discharge=0)
        heap.restore(depth)

    faults = Faults()
    points = Points()
    path = FetPath(afe, off_line, lambda _level: None, parameters, faults)
    battery = Battery(points, parameters, faults, afe, path, Events(), True, model=CellModel(CELL))
    for _ in range(START_STEPS):
        world.advance(PERIOD_MS * 1000)
        battery.step(PERIOD_MS)
    assert points.live[points.offset("gates")] == GATES_BOTH
    return world, buses, battery


def measure(cells, crc):
    """Microseconds and bytes on the wire of a step, for so many cells."""
    world, buses, battery = guarding(cells, crc)
    for bus in buses:
        bus.us = bus.wire_bytes = 0
    step_us = world_us = wire_before = most = 0
    for _ in range(STEPS):
        began = time.ticks_us()
        world.advance(PERIOD_MS * 1000)
        middle = time.ticks_us()
        heap.lock()
        try:
            battery.step(PERIOD_MS)
        finally:
            heap.unlock()
        step_us += time.ticks_diff(time.ticks_us(), middle)
        world_us += time.ticks_diff(middle, began)
        wire = buses[0].wire_bytes + buses[1].wire_bytes
        most = max(most, wire - wire_before)
        wire_before = wire
    if battery.failure:
        raise battery.failure
    return {
        "cells": cells,
        "crc": crc,
        "firmware_us": (step_us - buses[0].us - buses[1].us) // STEPS,
        "bus_model_us": (buses[0].us + buses[1].us) // STEPS,
        "world_us": world_us // STEPS,
        "wire_bytes": wire_before / STEPS,
        "wire_bytes_most": most,
    }


for row in ROWS:
    print(json.dumps(measure(*row)))
