"""Runs on MicroPython (32-bit WebAssembly build): the BQ769x0 driver allocates nothing.

Under heap lock, for 5, 10 and 15 inputs, with and without CRC: programming with other parameters,
the self-test with and without failed checks, samples with trips, reading settings back, gate
commands, balancing, recovery, and every failure of the bus. The bus stands behind the driver's two
calls and allocates nothing either. Prints OK.
"""

from array import array

import micropython

from afe.bq769x0 import Bq769x0
from afe.crc8 import TABLE
from bms.parameters import Parameters
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    CORRUPT,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CHIP_FAILED,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNSEEN,
    VERIFY_FAILED,
    WRONG_DEVICE,
    Sample,
)

ROUNDS = 10000
ADDRESS = 0x08
CALM = (OK, BUSY)
CC_READY = 0x80


class Bus:
    """A chip of 96 registers, with a new scan whenever the bench says so."""

    def __init__(self, crc):
        self.crc = crc
        self.registers = bytearray(96)
        self.fail_in = -1  # transactions until one is not acknowledged
        self.dead = False  # none is
        self.flip = 0  # 1: a bit of the next read is wrong
        self.stranger = False  # keeps nothing
        self.stands = 0  # status bits that can not be cleared

    def readfrom_mem_into(self, address, register, buf):
        self._count()
        registers = self.registers
        registers[0] |= self.stands
        if not self.crc:
            for at in range(len(buf)):
                buf[at] = registers[register + at]
        else:
            crc = TABLE[ADDRESS << 1 | 1]
            for at in range(len(buf) // 2):
                value = registers[register + at]
                buf[2 * at] = value
                buf[2 * at + 1] = TABLE[crc ^ value]
                crc = 0
        buf[0] ^= self.flip
        self.flip = 0

    def writeto_mem(self, address, register, buf):
        self._count()
        if register == 0:
            self.registers[0] &= ~buf[0]
        elif not self.stranger or register < 6:
            self.registers[register] = buf[0]

    def put(self, register, value):
        self.registers[register] = value >> 8
        self.registers[register + 1] = value & 0xFF

    def _count(self):
        if self.dead:
            raise OSError(5)
        if self.fail_in >= 0:
            self.fail_in -= 1
            if self.fail_in < 0:
                raise OSError(5)


class Bench:
    def __init__(self, inputs, crc):
        self.parameters = Parameters()
        sensors = inputs // 5
        self.parameters.load(
            {
                "chemistry": 0,
                "series_cells": inputs,
                "design_capacity_mah": 280000,
                "cell_thermistors": max(1, sensors - 1),
                "fet_thermistor": 1 if sensors > 1 else 0,
                "overcurrent_discharge_trip_ma": 350000,
                "fast_overcurrent_discharge_ma": 380000,
                "short_circuit_trip_ma": 1000000,
            }
        )
        self.bus = Bus(crc)
        self.bus.registers[0x50] = 0x0C
        self.bus.registers[0x51] = 0xF4
        self.bus.registers[0x59] = 0xE0
        self.driver = Bq769x0(self.bus, self.parameters, inputs, crc)
        self.sample = Sample(inputs, self.parameters.value("cell_thermistors"))
        self.inputs = inputs
        self.shunt = self.parameters.index("shunt_microohm")
        self.fill(3300)

    def fill(self, cell_mv):
        counts = (cell_mv + 12) * 1000 // 396
        for i in range(self.inputs):
            self.bus.put(0x0C + 2 * i, counts)
        self.bus.put(0x2A, self.inputs * counts // 4)
        for pin in range(3):
            self.bus.put(0x2C + 2 * pin, 4500)

    def run(self, rounds):
        for index in range(rounds):
            if index % 100 == 0:
                self.check_programming(index)
            self.check_sample(index)
            if index % 10 == 0:
                self.check_failures(index)
            if index % 1000 == 0:
                self.check_self_test()

    def program(self):
        self.driver.start_programming()
        code = BUSY
        while code == BUSY:
            code = self.driver.programming_step()
        return code

    def self_test(self, measures=True):
        self.driver.start_self_test()
        code = BUSY
        while code == BUSY:
            if measures:
                self.bus.registers[0] |= CC_READY
            code = self.driver.self_test_step(250)
        return code

    def check_programming(self, index):
        self.parameters.values[self.shunt] = 50 + index % 9000
        assert self.program() == OK
        assert self.driver.take_found_trips() == 0
        self.bus.stranger = True
        self.bus.registers[0x0B] = 0
        assert self.program() == WRONG_DEVICE
        self.bus.stranger = False
        self.bus.fail_in = index // 100 % 20
        assert self.program() == BUS_ERROR
        self.bus.fail_in = -1
        assert self.program() == OK

    def check_self_test(self):
        assert self.self_test() == OK
        assert self.driver.self_test_failed == 0
        assert self.self_test(False) == OK
        assert self.driver.self_test_failed
        self.bus.dead = True
        assert self.self_test() == BUS_ERROR
        self.bus.dead = False
        assert self.program() == OK
        assert self.self_test() == OK

    def check_sample(self, index):
        self.bus.put(0x32, index & 0xFFFF)
        self.bus.registers[0] |= CC_READY
        assert self.driver.sample_into(self.sample) == OK
        assert self.driver.command_gates(index & GATES_BOTH) == OK
        assert self.driver.detect_load(index & 1) == OK
        assert self.driver.balance(index & 0x7FFF) == OK
        assert self.driver.read_balancing() == OK
        assert self.driver.balance(0) == OK
        assert self.driver.verify_step() in CALM

    def check_failures(self, index):
        self.bus.stands = 0x37
        assert self.driver.sample_into(self.sample) == OK
        assert self.driver.recover(self.sample.trips) == OK
        assert self.sample.trips == (
            TRIP_CELL_OVERVOLTAGE | TRIP_OVERCURRENT_DISCHARGE | TRIP_SHORT_CIRCUIT
            | TRIP_UNSEEN | TRIP_CHIP_FAILED
        )  # fmt: skip
        self.bus.stands = 0
        self.bus.put(0x32, 0)
        assert self.driver.sample_into(self.sample) == OK
        assert self.driver.recover(TRIP_SHORT_CIRCUIT | TRIP_CHIP_FAILED) == OK
        assert self.driver.recover(TRIP_OVERCURRENT_DISCHARGE) == OK
        assert self.driver.sample_into(self.sample) == OK
        assert self.sample.trips == 0
        control = self.bus.registers[5]
        self.bus.registers[5] = 0
        assert self.driver.sample_into(self.sample) == CONFIGURATION_LOST
        self.bus.registers[5] = control
        self.bus.registers[0] |= CC_READY
        self.bus.fail_in = index // 10 % 3  # of the reads of a sample
        assert self.driver.sample_into(self.sample) == BUS_ERROR
        if self.bus.crc:
            self.bus.flip = 1
            assert self.driver.sample_into(self.sample) == CORRUPT
        self.bus.registers[9] ^= 1
        code = OK
        while code in CALM:
            code = self.driver.verify_step()
        assert code == VERIFY_FAILED
        self.bus.registers[9] ^= 1


for chip_inputs in (5, 10, 15):
    for with_crc in (False, True):
        bench = Bench(chip_inputs, with_crc)
        bench.run(20)  # whatever is made once on first use
        image = bench.driver.image
        image.offered_trim = image.trim
        # The largest corrections there are: bms.calibration
        image.offered = array("i", [3000, 5000, 10000, 50000] + [2000] * chip_inputs)
        micropython.heap_lock()
        try:
            bench.run(ROUNDS // 6)
        finally:
            micropython.heap_unlock()
print("OK")
