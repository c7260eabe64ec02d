"""Runs on MicroPython (32-bit WebAssembly build): counting and judging links allocates nothing.

Prints OK.
"""

import micropython

from links.diagnosis import CRC_ERRORS, FRAMES_OUT, REFUSED, RS485, TCP, VERDICT, Diagnosis

ROUNDS = 10000

links = Diagnosis()
links.open(RS485)
links.open(TCP)


def run(rounds):
    """Verdicts other than "closed"."""
    judged = 0
    for turn in range(rounds):
        links.heard(RS485, 1)
        links.count(FRAMES_OUT, RS485)
        links.count(CRC_ERRORS, TCP, turn & 3)
        links.tell(TCP, REFUSED, turn & 1)
        links.step(1000)
        if links.values[VERDICT + RS485]:
            judged += 1
    return judged


judged = run(20)
micropython.heap_lock()
try:
    judged = run(ROUNDS)
finally:
    micropython.heap_unlock()
assert judged > ROUNDS - 11, judged
print("OK")
