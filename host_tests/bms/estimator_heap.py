"""Runs on any MicroPython: the estimator for many steps, and what its heap did. `measure` prints
`steps, bytes a step, bytes of growth`.

Bytes a step: what is allocated while nothing is collected. Growth: what is still held after the
last step and a collection, against after the first thousand. The pack is that of
noalloc_estimator.py, whose steps of a minute are left out: they are sixty seconds' work each.
"""

import gc

from host_tests.bms.noalloc_estimator import Walk

SETTLED = 1000
_SLOW_KIND = 4
_KINDS = 6
_OF_ONE_KIND = 50


def drive(pack, first, last):
    """Steps first to last - 1 of a walk."""
    for turn in range(first, last):
        slow = turn // _OF_ONE_KIND % _KINDS == _SLOW_KIND
        pack.step(turn + _OF_ONE_KIND if slow else turn)


def held():
    """Bytes of heap that are in use after a collection."""
    gc.collect()
    return gc.mem_alloc()


def measure(steps, kind=Walk):
    """Drive a pack for so many steps, and print what its heap did."""
    pack = kind(100000)
    drive(pack, 0, SETTLED)
    before = held()
    gc.disable()
    start = gc.mem_alloc()
    drive(pack, SETTLED, 2 * SETTLED)
    allocated = gc.mem_alloc() - start
    gc.enable()
    drive(pack, 2 * SETTLED, steps)
    growth = held() - before
    print(steps, allocated / SETTLED, growth)
