"""A chip model of boards/sim, its pack and bus, and the driver as the battery would use it."""

from afe.bq76952 import Bq76952
from afe.bq76952_settings import TAKEN
from bms.parameters import Parameters
from bms.sample import BUSY, GATES_BOTH, OK, Sample
from boards.sim.bq76952 import Bq76952 as Chip
from boards.sim.i2c import I2C

PERIOD_US = 100_000


class StillPack:
    """Cells, current and temperatures as a test sets them. Shunt: the default of 0.5 mohm."""

    def __init__(self, cells):
        self.cell_v = [3.3 + cell / 1000 for cell in range(cells)]
        self.current_a = 0.0
        self.cell_temperature_c = [20.0, 21.0, 22.0]
        self.board_temperature_c = 30.0
        self.bus_v = sum(self.cell_v)
        self.shunt_ohm = 0.0005


class Bench:
    """A chip, its pack and bus, and the driver as the battery would use it."""

    def __init__(self, crc=False, chip_crc=None, cells=16, **settings):
        self.parameters = Parameters()
        self.parameters.load(
            {"chemistry": 0, "series_cells": cells, "design_capacity_mah": 100000, **settings}
        )
        self.pack = StillPack(cells)
        self.chip = Chip(self.pack, crc if chip_crc is None else chip_crc)
        self.gates = []
        self.chip.gate_listener = lambda *change: self.gates.append(change)
        self.bus = I2C()
        self.bus.attach(self.chip)
        self.bus.elapse = self.chip.advance
        self.restart_host(crc)

    def restart_host(self, crc=False):
        self.driver = Bq76952(self.bus, self.parameters, crc=crc)
        self.sample = Sample(
            self.parameters.value("series_cells"), self.parameters.value("cell_thermistors")
        )

    def program(self, period_us=PERIOD_US):
        """(answer, steps, longest bus time of a step in us)"""
        self.driver.start_programming()
        longest = 0
        for steps in range(1, 100):
            start = self.chip.time_us
            code = self.driver.programming_step()
            longest = max(longest, self.chip.time_us - start)
            if code != BUSY:
                return code, steps, longest
            self.chip.advance(period_us)
        raise AssertionError("programming does not end")

    def guard(self, gates=GATES_BOTH):
        """Programmed, and the gates commanded."""
        assert self.program()[0] == OK
        assert self.driver.command_gates(gates) == OK
        self.live(300)
        return self

    def live(self, ms):
        """Sample every period; the answers, and all trips seen."""
        trips = 0
        for _ in range(ms * 1000 // PERIOD_US):
            self.chip.advance(PERIOD_US)
            assert self.driver.sample_into(self.sample) == OK
            trips |= self.sample.trips
        return trips

    def closed(self):
        return self.chip.charge_on, self.chip.discharge_on

    def taken(self, name):
        return self.driver.image.taken[TAKEN.index(name)]
