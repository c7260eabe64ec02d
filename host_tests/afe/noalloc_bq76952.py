"""Runs on MicroPython (32-bit WebAssembly build): the BQ76952 driver allocates nothing.

Under heap lock, with and without CRC: programming again and again with other parameters, samples,
gate commands, recovery, and every failure of the bus. The bus stands behind the driver's two calls
and allocates nothing either: it answers by arithmetic. Prints OK.
"""

import micropython

from afe.bq76952 import Bq76952
from afe.crc8 import TABLE
from bms.parameters import Parameters
from bms.sample import BUS_ERROR, BUSY, CONFIGURATION_LOST, GATES_BOTH, OK, Sample

ROUNDS = 10000
ADDRESS = 0x08


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
            elif code >= 0x9000:
                for at in range(32):
                    self.registers[0x40 + at] = self.memory[code - 0x9000 + at & 0x3FF]
                self._seal(32)
            else:
                self._command(code)
        elif register == 0x62:
            self.registers[0x62] &= ~self.block[0] & 0xFF

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
            self.check_sample(index)
            if index % 10 == 0:
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
        self.bus.fail_in = index // 50 % 80
        assert self.program() == BUS_ERROR
        assert self.program() == OK

    def check_sample(self, index):
        self.bus.registers[0x62] = 0x82
        self.bus.registers[0x03] = index & 0xFF
        self.bus.registers[0x3B] = index & 0xFF
        assert self.driver.sample_into(self.sample) == OK
        assert self.driver.command_gates(index & GATES_BOTH) == OK
        assert self.driver.recover(self.sample.trips) == OK

    def check_failures(self, index):
        self.bus.registers[0x12] = 0x08
        assert self.driver.sample_into(self.sample) == CONFIGURATION_LOST
        self.bus.registers[0x12] = 0
        self.bus.fail_in = index // 10 % 4
        assert self.driver.sample_into(self.sample) == BUS_ERROR
        if self.bus.crc:
            self.bus.flip = 1
            assert self.driver.sample_into(self.sample) == BUS_ERROR


parameters = Parameters()
parameters.load(
    {
        "chemistry": 0,
        "series_cells": 16,
        "design_capacity_mah": 280000,
        "cell_thermistors": 3,
        "fet_thermistor": 1,
        "overcurrent_discharge_trip_ma": 599000,
        "fast_overcurrent_discharge_ma": 600000,
        "short_circuit_trip_ma": 1000000,
    }
)
for crc in (False, True):
    bench = Bench(parameters, crc)
    bench.run(20)  # whatever is made once on first use
    micropython.heap_lock()
    try:
        bench.run(ROUNDS // 2)
    finally:
        micropython.heap_unlock()
print("OK")
