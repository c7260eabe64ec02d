"""Runs on MicroPython (32-bit WebAssembly build): keeping things over a reset allocates nothing.

10,000 seconds in one go under heap lock, with changing faults and announced resets. Prints OK.
"""

from array import array

import micropython

from storage.retained import NO_FAULT, WORDS, Retained

ROUNDS = 10000

memory = array("I", [0] * WORDS)
retained = Retained(memory)
retained.begin("power_on")
latched = array("i", [0] * 4)


def run(rounds):
    random = 4711
    for number in range(rounds):
        random = (random * 75 + 74) % 65537
        latched[number & 3] = random & 0xFFFF
        retained.store(latched, number & 64 != 0, random % 64 if number & 8 else NO_FAULT)
        retained.note_second()
        if number & 0x3FF == 0:
            retained.expect_reset()


run(8)
micropython.heap_lock()
try:
    run(ROUNDS)
finally:
    micropython.heap_unlock()

again = Retained(memory)
again.begin("watchdog")
assert list(again.latched) == list(latched)
assert again.known
print("OK")
