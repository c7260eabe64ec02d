"""Runs on MicroPython (32-bit WebAssembly build): the INA228's driver allocates nothing.

Under heap lock: configuration with other shunts again and again, reads of the largest numbers,
every failure of the bus, a chip that restarts or stands still. Prints OK.
"""

from array import array

from afe.ina228 import CurrentSensor, WithCurrentSensor
from bms.parameters import Parameters
from bms.sample import BUSY, OK, SENSOR_LOST, Sample
from host_tests.afe.ina228_double import Ina228Double

ROUNDS = 10000
LARGEST = 0x7FFFF
SMALLEST = -0x80000


class Image:
    corrections = None


class Chip:
    """A measuring chip's driver that is always content."""

    equip = put_away = None
    equipped = True
    self_test_failed = 0
    device_number = 0

    def __init__(self):
        self.image = Image()

    def sample_into(self, _sample):
        return OK

    def start_programming(self):
        pass

    def programming_step(self):
        return OK

    def command(self, _argument=0):
        return OK

    command_gates = all_off = recover = take_found_trips = command
    start_self_test = self_test_step = verify_step = detect_load = command
    balance = read_balancing = set_mode = command
    MODES = (0, 1, 2)
    balancing_cells = BALANCE_REFRESH_MS = BALANCE_CELLS = BALANCE_DUTY_PERMILLE = 0
    BALANCE_NEIGHBOURS = False


class Bench:
    """Both drivers on the double."""

    def __init__(self):
        parameters = Parameters()
        parameters.load(
            {
                "chemistry": 0,
                "series_cells": 16,
                "design_capacity_mah": 280000,
                "power_path": 2,  # contactors
            }
        )
        self.values = parameters.values
        self.shunt = parameters.index("ina228_shunt_microohm")
        self.largest = (
            parameters.index("contactor_break_max_ma"),
            parameters.index("overcurrent_charge_trip_ma"),
            parameters.index("overcurrent_discharge_trip_ma"),
            parameters.index("fast_overcurrent_charge_ma"),
            parameters.index("fast_overcurrent_discharge_ma"),
        )
        self.bus = Ina228Double()
        self.driver = WithCurrentSensor(Chip(), CurrentSensor(self.bus, parameters))
        self.sample = Sample(16, 3)

    def program(self, shunt_microohm, largest_ma):
        self.values[self.shunt] = shunt_microohm
        for place in range(len(self.largest)):
            self.values[self.largest[place]] = largest_ma
        self.driver.start_programming()
        code = BUSY
        while code == BUSY:
            code = self.driver.programming_step()
        return code

    def read(self, shunt_code, bus_code):
        self.bus.measure(shunt_code, bus_code)
        return self.driver.sample_into(self.sample)

    def run(self, rounds):
        for index in range(rounds):
            if index % 100 == 0:
                self.check_programming(index)
            assert self.read(SMALLEST + index, index) == OK
            if index % 10 == 0:
                self.check_failures(index)

    def check_programming(self, index):
        self.bus.fail_in = index // 100 % 9
        assert self.program(10, 600000) == SENSOR_LOST
        assert self.program(10 if index & 0x80 else 5000, 1000000) == OK

    def check_failures(self, index):
        self.bus.fail_in = index // 10 % 4
        assert self.read(LARGEST, LARGEST) == SENSOR_LOST
        self.bus.converting = False
        for _ in range(6):
            assert self.read(LARGEST, LARGEST) == SENSOR_LOST
        self.bus.converting = True
        self.recover()
        self.bus.reset()
        assert self.read(LARGEST, LARGEST) == SENSOR_LOST
        self.recover()

    def recover(self):
        reads = 0
        while self.read(LARGEST, LARGEST) != OK:
            reads += 1
            assert reads < 10


def extremes():
    """Currents and a bus voltage that the largest codes stand for, in mA and mV."""
    bench = Bench()
    found = []
    for shunt_microohm, largest_ma in ((10, 4000000), (5000, 6000)):
        assert bench.program(shunt_microohm, largest_ma) == OK
        for code in (SMALLEST, LARGEST):
            assert bench.read(code, LARGEST) == OK
            found.append(bench.sample.current_ma)
    found.append(bench.sample.bus_mv)
    return found


def main():
    import micropython

    bench = Bench()
    bench.run(20)  # whatever is made once on first use
    # The largest corrections there are: bms.calibration
    bench.driver.image.corrections = array("i", (3000, 5000, 10000, 50000))
    micropython.heap_lock()
    try:
        bench.run(ROUNDS)
    finally:
        micropython.heap_unlock()
    print("OK")


if __name__ == "__main__":
    main()
