"""Faults of the world that can be injected by name: causes, not symptoms.

Each row breaks something in the physics, the chips or the wires; what the firmware makes of it is
for the firmware to find out. A fault stands until it is cleared, also through a reset of the
processor; injecting a standing fault again does nothing.
"""

from boards.sim.fault_rows import ROWS

FAULTS = tuple([row[:2] for row in ROWS])  # (name, help), for people


def inject(world, name):
    """Break it. ValueError: there is no such fault; the message lists them."""
    row = _row(name)
    if name in world.fault_memory:
        return
    memory = row[2][0](world)
    if row[2][1] is not None:  # else it is over at once
        world.fault_memory[name] = memory
    world.pack.refresh()
    world.settle()


def clear(world, name):
    """Mend it, if it stands. ValueError: there is no such fault; the message lists them."""
    row = _row(name)
    if name not in world.fault_memory:
        return
    row[2][1](world, world.fault_memory.pop(name))
    world.pack.refresh()
    world.settle()


def clear_all(world):
    """Mend everything."""
    for name in list(world.fault_memory):
        clear(world, name)


def resume(world, memory):
    """After a reset of the processor: break again what the pack's saved state does not hold."""
    for name in memory:
        if not _row(name)[3]:
            _row(name)[2][0](world)
    world.fault_memory = dict(memory)


def _row(name):
    for row in ROWS:
        if row[0] == name:
            return row
    names = ", ".join([row[0] for row in ROWS])
    raise ValueError("there is no fault %s; known are: %s" % (name, names))
