"""The heap lock as the simulated board needs it: lifted in chip models, kept for the firmware.

The firmware runs its fast path under `micropython.heap_lock()`. The chip models behind the buses
compute in floats and allocate, so whatever the simulated board does on the firmware's call lifts
the lock on entry and restores it on leaving: what remains locked is the firmware alone.
None of this allocates. Under CPython, which has no heap lock, it does nothing.
"""

try:
    from micropython import heap_lock as lock
    from micropython import heap_unlock as unlock
except ImportError:  # CPython

    def lock():
        """CPython has no heap lock."""

    def unlock():
        """CPython has no heap lock; 0 is how deep it is locked."""
        return 0


def lift():
    """Let a model allocate; returns the depth of the lock, for `restore`."""
    lock()
    depth = unlock()  # says how deep the heap is locked without this pair
    for _ in range(depth):
        unlock()
    return depth


def restore(depth):
    """Lock again what `lift` unlocked; also after an exception."""
    for _ in range(depth):
        lock()
