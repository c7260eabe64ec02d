"""Runs on MicroPython: 100,000 steps of the charge counter against exact arithmetic. Prints OK.

The counter runs under heap lock; the exact sum is kept by integers of any size, outside of it.
"""

import micropython

from bms.soc import ChargeCounter

STEPS = 100000
CHUNK = 100  # steps under one lock
MA_MS_PER_MAH = 3600000

counter = ChargeCounter()
currents = [0] * CHUNK
times = [0] * CHUNK
exact_ma_ms = 0
random = 1


def count():
    for at in range(CHUNK):
        counter.count(currents[at], times[at])


for turn in range(STEPS // CHUNK):
    for at in range(CHUNK):
        random = (random * 4005 + 12347) & 0x3FFFF
        kind = turn % 4 if turn % 50 else 4
        if kind == 0:
            currents[at], times[at] = 10, 100  # a radio asleep
        elif kind == 1:
            currents[at], times[at] = (50 if at & 1 else -50), 100  # noise around nothing
        elif kind == 2:
            currents[at], times[at] = (random - 0x20000) * 7, random & 0xFF
        elif kind == 3:
            currents[at], times[at] = (200000 if random & 1 else -150000), 100
        else:
            currents[at], times[at] = (999999 if random & 1 else -999999), 3000  # a late step
        exact_ma_ms += currents[at] * times[at]
    micropython.heap_lock()
    try:
        count()
    finally:
        micropython.heap_unlock()
    error_ma_ms = exact_ma_ms - counter.net_mah * MA_MS_PER_MAH
    assert -MA_MS_PER_MAH < error_ma_ms < MA_MS_PER_MAH, (turn, error_ma_ms)
print("OK")
