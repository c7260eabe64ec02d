"""Runs on MicroPython (32-bit WebAssembly build): the MCP2515's interrupt allocates nothing.

Under heap lock, as a hard interrupt runs: bursts of every length, a full ring, recv, send, state.
The chip is a double that answers by arithmetic. Prints OK.
"""

import micropython

from canbus.mcp2515_drained import RING, DrainedMCP2515

ROUNDS = 2000


class Chip:
    """SPI, chip select and interrupt of a chip with two receive buffers."""

    def __init__(self):
        self.registers = bytearray(128)
        self.registers[0x0E] = 0x80
        self.registers[0x0F] = 0x87
        self.full = 0  # bit 0: RX0
        self.coming = 0  # frames that follow as soon as there is room
        self.number = 0
        self.handler = None

    def select(self, level):
        pass

    def write(self, out):
        if out[0] == 0x02:
            for at in range(2, len(out)):
                self.registers[out[1] + at - 2] = out[at]
            if out[1] == 0x0F:
                self.registers[0x0E] = 0  # joined

    def write_readinto(self, out, reply):
        if out[0] == 0x03:
            for at in range(2, len(out)):
                reply[at] = self.registers[out[1] + at - 2]
        elif out[0] == 0xA0:
            self.refill()
            reply[1] = self.full
        elif out[0] == 0x90 or out[0] == 0x94:
            self.number += 1
            reply[1] = self.number & 0xFF
            reply[2] = 0xE8 if self.number & 1 else 0  # a 29-bit one, or not
            reply[5] = 8
            self.full &= 2 if out[0] == 0x90 else 1

    def refill(self):
        while self.coming and self.full != 3:
            self.full |= 1 if not self.full & 1 else 2
            self.coming -= 1

    def listen(self, handler):
        self.handler = handler

    def disable(self):
        return 0

    def enable(self, state):
        pass


chip = Chip()
can = DrainedMCP2515(chip, chip.select, chip, 500, 8_000_000)
message = [0, memoryview(bytearray(8)), 0, 0]
counters = [0] * 8


def run(rounds):
    for index in range(rounds):
        frames = index % (RING + 3)
        chip.coming = frames
        if index & 1:
            chip.handler(chip)
        fetched = 0
        while can.recv(message):
            fetched += 1
        lost = index & 1 and frames >= RING  # the one that found the ring full
        assert fetched == frames - lost
        assert can.send(0x351, message[1]) is not None
        assert can.state() == can.STATE_ACTIVE
        can.get_counters(counters)
        assert counters[6] == 0


run(20)  # whatever is made once on first use
micropython.heap_lock()
try:
    run(ROUNDS)
finally:
    micropython.heap_unlock()
print("OK")
