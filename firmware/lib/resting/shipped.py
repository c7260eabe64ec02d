"""The start of a board that switched itself off: waits, gates off, until its measuring chip wakes.

The chip is woken by a charger at the terminals or by its button. A processor that lost its supply
with the chip starts when that happens; one that has a supply of its own sleeps here, and looks.
No watchdog runs yet. In memory for this moment only.
"""

import os

MARK = "/ship"
"""The file that resting.ship leaves."""

_ADDRESS = 0x08  # of a BQ76952 and of a BQ769x0
_BUS_HZ = 100000  # no faster than the slowest chip's
_LOOK_MS = 2000
# A BQ76952 switches off only when its LD pin has fallen (TI FAQ, E2E 1273427): an inverter's
# capacitors may take minutes. After these a charger holds it awake, and the pack is guarded.
_GOES_LOOKS = 150


def wait(board):
    """Until the measuring chip is awake. At once where nobody switched the pack off."""
    try:
        os.stat(MARK)
    except OSError:
        return
    bus = board.afe_bus(_BUS_HZ)
    answer = bytearray(1)
    gone = board.reset_cause() == "power_on"  # the supply came back: it is awake
    looks = 0
    while True:
        if not _answers(bus, answer):
            gone = True
        elif gone or looks >= _GOES_LOOKS:
            break
        looks += 1
        board.doze(_LOOK_MS)
    try:
        os.remove(MARK)
    except OSError:
        pass  # a flash that takes nothing: the next start waits again, this one guards


def _answers(bus, answer):
    try:
        bus.readfrom_mem_into(_ADDRESS, 0, answer)
    except OSError:
        return False
    return True
