"""Runs on MicroPython (32-bit WebAssembly build): sensors of another kind cost no allocation.

Under heap lock: every reading that a chip can give, bad samples and one that raises. Prints OK.
"""

from afe.thermistors import true_sensors
from bms.parameters import Parameters
from bms.sample import BUS_ERROR, OK, Sample

ROUNDS = 10000
SENSORS = 3
B3950 = 3
LOWEST_DC = -2731
WIDTH_DC = 5100


class Chip:
    """A driver whose sensors read what it is told."""

    def __init__(self):
        self.code = OK
        self.read_dc = 0
        self.error = None

    def sample_into(self, sample):
        if self.error is not None:
            raise self.error
        if self.code == OK:
            for sensor in range(SENSORS):
                sample.temperature_dc[sensor] = self.read_dc
        return self.code


class Bench:
    """The chip with what stands before it."""

    def __init__(self):
        parameters = Parameters()
        parameters.load(
            {
                "chemistry": 0,
                "series_cells": 16,
                "design_capacity_mah": 280000,
                "cell_thermistors": SENSORS,
                "cell_sensor": B3950,
            }
        )
        self.chip = Chip()
        self.sample_into = true_sensors(self.chip, parameters)
        self.sample = Sample(16, SENSORS)
        self.array = self.sample.temperature_dc
        self.error = OSError(5)

    def run(self, rounds):
        for index in range(rounds):
            self.chip.read_dc = LOWEST_DC + index % WIDTH_DC
            assert self.sample_into(self.sample) == OK
            before = self.array[0]
            self.chip.code = BUS_ERROR
            assert self.sample_into(self.sample) == BUS_ERROR
            self.chip.code = OK
            self.chip.error = self.error
            try:
                self.sample_into(self.sample)
                raise AssertionError("nothing was raised")
            except OSError:
                pass
            self.chip.error = None
            assert self.sample.temperature_dc is self.array
            assert self.array[0] == before


def main():
    import micropython

    bench = Bench()
    bench.run(20)  # whatever is made once on first use
    micropython.heap_lock()
    try:
        bench.run(ROUNDS)
    finally:
        micropython.heap_unlock()
    print("OK")


if __name__ == "__main__":
    main()
