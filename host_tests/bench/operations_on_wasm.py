"""MicroPython (32-bit build): time of one step, for host_tests/bench/operations.py."""

import time

from host_tests.bms import bench

STEPS = 60
BATCHES = 6  # the fastest counts: this machine has other work
LARGEST = 16  # cells that the table allows


def step_us(cells):
    """Microseconds of a step with that many cells on the fake chip, its own part included."""
    taken = bench.parameters_with

    def parameters_with(settings):
        parameters = taken(settings)
        parameters.values[parameters.index("series_cells")] = cells
        return parameters

    bench.parameters_with = parameters_with
    try:
        made = bench.Bench(series_cells=min(cells, LARGEST), cell_thermistors=3)
    finally:
        bench.parameters_with = taken
    made.start()
    fastest_us = None
    for _ in range(BATCHES):
        began = time.ticks_us()
        for _ in range(STEPS):
            made.battery.step(made.period_ms)
        batch_us = time.ticks_diff(time.ticks_us(), began) / STEPS
        if fastest_us is None or batch_us < fastest_us:
            fastest_us = batch_us
    return fastest_us
