"""What a pack's health begins with, and how it is put into few numbers that survive a power cut.

For each cell `kept` holds two numbers of two halves with 15 bits each: the first resistance
learned and the latest (drop at 1 C in 16 uV); what the cell holds more than the mean (0.01 %) and
leaks (0.1 mA), both from the middle of their range.
Imported for a moment and given back; works on one bms.health.Health.
"""

from bms import events
from bms.health import (
    CAPACITY,
    CELLS,
    DESIGN,
    LEAKY,
    START_MPC,
    START_VARIANCE,
    VARIANCE,
    WEAK,
)

_DROP_UNIT_UV = 16  # a drop of up to 0.52 V at 1 C then fits into 15 bits
_HALF = 15
_HALF_MASK = (1 << _HALF) - 1
_MIDDLE = 1 << (_HALF - 1)
_LEAK_UNIT_UA = 100
_AT_ONCE = 8  # cells in a turn
_WORD = 0xFFFF


def start(health):
    """A pack about which nothing is known but its design capacity."""
    health.anchor[0] = 0
    kept = health.kept
    for at in range(len(kept)):
        kept[at] = 0
    kept[CAPACITY] = START_MPC
    kept[VARIANCE] = START_VARIANCE
    kept[DESIGN] = health.design_mah


def restore(health, saved):
    """Take back a `kept` of before, if it is of this pack."""
    kept = health.kept
    if len(saved) != len(kept) or saved[DESIGN] != health.design_mah:
        return
    for at in range(len(kept)):
        kept[at] = saved[at]
    for cell in range(health.cells):
        at = CELLS + 2 * cell
        if kept[at]:
            health.resistance.restore(
                cell,
                (kept[at] & _HALF_MASK) * _DROP_UNIT_UV,
                (kept[at] >> _HALF) * _DROP_UNIT_UV,
            )
        both = kept[at + 1]
        if both:
            health.weak_bp[cell] = (both >> _HALF) - _MIDDLE
            health.leak_ua[cell] = ((both & _HALF_MASK) - _MIDDLE) * _LEAK_UNIT_UA
    health.full_mah = health.capacity_mah
    health.told[0] = kept[WEAK]
    health.told[1] = kept[LEAKY]


def tell(health, log):
    """Hand one event over if the log does not know all weak and leaking cells: 16 cells in each,
    since the fast path posts it and takes no larger numbers."""
    for which in range(len(health.told)):
        mask = health.kept[WEAK + which]
        told = health.told[which]
        if (mask ^ told) & _WORD:
            if log.hand_over(events.CELLS, which, mask & _WORD):
                health.told[which] = told >> 16 << 16 | mask & _WORD
            return
        if mask != told:
            if log.hand_over(events.CELLS, which + 2, mask >> 16 & _WORD):
                health.told[which] = mask
            return


def pack(health, first):
    """Put some cells, from `first` on, into `kept`. Returns the next one, -1 after the last."""
    kept = health.kept
    resistance = health.resistance
    following = first + _AT_ONCE
    for cell in range(first, min(health.cells, following)):
        at = CELLS + 2 * cell
        if resistance.learned:  # else what was kept before stays
            new = _clip(resistance.new_uv[cell] // _DROP_UNIT_UV)
            kept[at] = new << _HALF | _clip(resistance.drop_uv[cell] // _DROP_UNIT_UV)
        weak = _clip(health.weak_bp[cell] + _MIDDLE)
        kept[at + 1] = weak << _HALF | _clip(health.leak_ua[cell] // _LEAK_UNIT_UA + _MIDDLE)
    return following if following < health.cells else -1


def _clip(value):
    return max(0, min(_HALF_MASK, value))
