"""Runs on MicroPython (32-bit WebAssembly build): the BQ76952 driver allocates nothing.

Under heap lock, with and without CRC: programming again and again with other parameters, the
self-test with and without failed checks, samples, reading settings back, gate commands, load
detection, recovery, and every failure of the bus. The bus stands behind the driver's two calls
and allocates nothing either: it answers by arithmetic. Prints OK.
"""

from array import array

import micropython

from afe.bq76952 import Bq76952
from afe.crc8 import TABLE
from bms.parameters import Parameters
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    CORRUPT,
    GATES_BOTH,
    OK,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNSEEN,
    VERIFY_FAILED,
    Sample,
)

ROUNDS = 10000
ADDRESS = 0x08
CALM = (OK, BUSY)


class Bus:
    """A chip of 256 registers and 1 KB of data memory, with its bytes in arrays made once."""

    def __init__(self, crc):
        self.crc = crc
        self.registers = bytearray(256)
        self.memory = bytearray(1024)
        self.block = bytearray(36)
        self.fail_in = -1  # transactions until one is not acknowledged
        self.flip = 0  # 1: a bit of the next read is wrong
        self.mfg_status = 0
        self.balancing = 0
        self.seconds = 0

    def readfrom_mem_into(self, address, register, buf):
        self._count()
        if not self.crc:
            for at in range(len(buf)):
                buf[at] = self.registers[register + at]
        else:
            crc = TABLE[TABLE[TABLE[ADDRESS << 1] ^ register] ^ (ADDRESS << 1 | 1)]
            for at in range(len(buf) // 2):
                value = self.registers[register + at]
                buf[2 * at] = value
                buf[2 * at + 1] = TABLE[crc ^ value]
                crc = 0
        buf[0] ^= self.flip
        self.flip = 0

    def writeto_mem(self, address, register, buf):
        self._count()
        stride = 2 if self.crc else 1
        size = len(buf) // stride
        for at in range(size):
            self.block[at] = buf[stride * at]
        if register == 0x3E:
            self.registers[0x3E] = self.block[0]
            self.registers[0x3F] = self.block[1]
            code = self.block[0] | self.block[1] << 8
            if size > 2:
                if code >= 0x9000:
                    for at in range(size - 2):
                        self.memory[code - 0x9000 & 0x3FF] = self.block[2 + at]
                        code += 1
                elif code == 0x0083:
                    self.balancing = self.block[2] | self.block[3] << 8
            elif code >= 0x9000:
                for at in range(32):
                    self.registers[0x40 + at] = self.memory[code - 0x9000 + at & 0x3FF]
                if code == 0x9180 and self.memory[0x180] == 0 and self.registers[0x12] == 0:
                    for at in range(0, 32, 2):  # the factory's cell gains, 16000
                        self.registers[0x40 + at] = 0x80
                        self.registers[0x41 + at] = 0x3E
                self._seal(32)
            else:
                self._command(code)
        elif register == 0x62:
            self.registers[0x62] &= ~self.block[0] & 0xFF
            self.registers[0x63] &= ~self.block[1] & 0xFF

    def _count(self):
        if self.fail_in == 0:
            self.fail_in = -1
            raise OSError(5)
        if self.fail_in > 0:
            self.fail_in -= 1

    def _command(self, code):
        if code == 0x0001:
            self.registers[0x40] = 0x95
            self.registers[0x41] = 0x76
            self._seal(2)
        elif code == 0x0057:
            self.registers[0x40] = self.mfg_status
            self.registers[0x41] = 0
            self._seal(2)
        elif code == 0x0076:
            self.registers[0x48] = self.seconds & 0xFF
            self.registers[0x49] = self.seconds >> 8 & 0xFF
            self._seal(32)
        elif code == 0x0083:
            self.registers[0x40] = self.balancing & 0xFF
            self.registers[0x41] = self.balancing >> 8
            self._seal(2)
        elif code == 0x0022:
            self.mfg_status ^= 0x10
        elif code == 0x0090:
            self.registers[0x12] |= 0x01
        elif code == 0x0092:
            self.registers[0x12] = 0

    def _seal(self, size):
        total = self.registers[0x3E] + self.registers[0x3F]
        for at in range(size):
            total += self.registers[0x40 + at]
        self.registers[0x60] = ~total & 0xFF
        self.registers[0x61] = size + 4


class Bench:
    """A driver on such a bus, with the largest sample it fills."""

    def __init__(self, parameters, crc):
        self.bus = Bus(crc)
        self.driver = Bq76952(self.bus, parameters, crc=crc)
        self.sample = Sample(16, 3)
        self.values = parameters.values
        self.shunt = parameters.index("shunt_microohm")

    def run(self, rounds):
        for index in range(rounds):
            if index % 500 == 0:
                self.check_programming(index)
                self.check_self_test(index)
            self.check_sample(index)
            if index % 100 == 0:
                self.check_supervision()
            if index % 10 == 0:
                self.check_unseen()
                self.check_failures(index)

    def program(self):
        self.driver.start_programming()
        code = BUSY
        while code == BUSY:
            code = self.driver.programming_step()
        return code

    def check_programming(self, index):
        # The extremes of what the arithmetic sees: 0.05 and 10 mohm.
        self.values[self.shunt] = 50 if index & 0x80 else 10000
        self.bus.mfg_status = 0
        assert self.program() == OK
        assert (self.driver.image.corrections is None) == (self.driver.image.offered is None)
        self.bus.fail_in = index // 50 % 80
        assert self.program() == BUS_ERROR
        assert self.program() == OK

    def self_test(self):
        self.driver.start_self_test()
        code = BUSY
        while code == BUSY:
            self.bus.seconds += 1
            self.bus.registers[0x62] |= 0x82
            code = self.driver.self_test_step(1000)
        return code

    def check_self_test(self, index):
        self.fill_cells(3300)
        assert self.self_test() == OK
        assert self.driver.self_test_failed == 0
        self.fill_cells(32767)  # the largest sums, and a stack that does not agree
        self.bus.registers[0x7F] = 0x05
        assert self.self_test() == OK
        assert self.driver.self_test_failed
        self.bus.registers[0x7F] = 0
        self.bus.fail_in = index // 50 % 40
        assert self.self_test() == BUS_ERROR
        self.fill_cells(3300)
        assert self.program() == OK

    def fill_cells(self, cell_mv):
        registers = self.bus.registers
        registers[0x03] = 0
        for cell in range(16):
            registers[0x14 + 2 * cell] = cell_mv & 0xFF
            registers[0x15 + 2 * cell] = cell_mv >> 8
        registers[0x34] = 5280 & 0xFF
        registers[0x35] = 5280 >> 8
        for sensor in range(4):
            registers[0x70 + 2 * sensor] = 2981 & 0xFF
            registers[0x71 + 2 * sensor] = 2981 >> 8

    def check_sample(self, index):
        self.bus.registers[0x62] = 0x82
        self.bus.registers[0x03] = index & 0xFF
        self.bus.registers[0x3B] = index & 0xFF
        assert self.driver.sample_into(self.sample) == OK
        assert self.driver.command_gates(index & GATES_BOTH) == OK
        assert self.driver.recover(self.sample.trips) == OK
        assert self.driver.recover(TRIP_SHORT_CIRCUIT | TRIP_OVERCURRENT_DISCHARGE) == OK
        assert self.driver.detect_load(index & 1) == OK
        assert self.driver.verify_step() in CALM

    def check_unseen(self):
        self.bus.registers[0x03] = 0
        assert self.driver.sample_into(self.sample) == OK
        self.bus.registers[0x63] = 0x40
        assert self.driver.sample_into(self.sample) == OK
        assert self.sample.trips == TRIP_UNSEEN

    def check_failures(self, index):
        self.bus.registers[0x12] = 0x08
        assert self.driver.sample_into(self.sample) == CONFIGURATION_LOST
        self.bus.registers[0x12] = 0
        self.bus.fail_in = index // 10 % 4
        assert self.driver.sample_into(self.sample) == BUS_ERROR
        if self.bus.crc:
            self.bus.flip = 1
            assert self.driver.sample_into(self.sample) == CORRUPT

    def check_supervision(self):
        self.bus.memory[0x0278] ^= 1
        code = OK
        while code in CALM:
            code = self.driver.verify_step()
        assert code == VERIFY_FAILED
        self.bus.memory[0x0278] ^= 1


parameters = Parameters()
parameters.load(
    {
        "chemistry": 0,
        "series_cells": 16,
        "design_capacity_mah": 280000,
        "cell_thermistors": 3,
        "fet_thermistor": 1,
        "predischarge": 1,
        "overcurrent_discharge_trip_ma": 599000,
        "fast_overcurrent_discharge_ma": 600000,
        "short_circuit_trip_ma": 1000000,
    }
)
for crc in (False, True):
    bench = Bench(parameters, crc)
    bench.run(20)  # whatever is made once on first use
    bench.driver.image.offered_trim = bench.driver.image.trim
    # The largest corrections there are (bms.calibration), as far as the self-test bears them
    bench.driver.image.offered = array("i", [500, 5000, 10000, 50000] + [2000, -2000] * 8)
    micropython.heap_lock()
    try:
        bench.run(ROUNDS // 2)
    finally:
        micropython.heap_unlock()
print("OK")
