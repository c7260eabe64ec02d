"""Calibration: corrections of what a measuring chip measures, found with a reference meter.

An array of numbers, relative to what the chip's factory made right: gains of stack, terminals
(`bus`) and current, the current's zero, and a gain for each cell (places: bms.sample). A driver
puts them into its chip where the chip has registers for them, else it corrects what it reads.
Goals: a number beyond what good chips and shunts need is a mistake of meter or wires, and refused.
Limits: one point each, so gains only, but for the current. Pure logic; coroutine context; lent.
"""

from array import array

from bms.sample import CORRECTED_CELLS

# Largest corrections. Cells: the chips' data sheets promise 0.5 % and better over all temperatures
# (SLUSE13B: 5 mV typical at 25 C; SLUSBK2I: 15 mV); the rest is filter resistors. Stack: a divider
# in the chip, 1 %. Terminals: an outside resistor. Current: the shunt's 5 %, its soldering, the
# chip's 1 %. Zero: 50 uV are ten times what the chips' inputs may be off.
_CELL_MAX = 2000  # 0.001 %
NAMES = ("stack", "bus", "current", "zero_nv")
_LARGEST = (3000, 5000, 10000, 50000)
_WHOLE = 100000  # 100 %


def blank(cells):
    """No corrections."""
    return array("i", [0] * (CORRECTED_CELLS + cells))


def name(place):
    """What a correction is called in the file: `cell_1` is the lowest cell."""
    if place < CORRECTED_CELLS:
        return NAMES[place]
    return "cell_%d" % (place - CORRECTED_CELLS + 1)


def largest(place):
    """The largest correction, in 0.001 % or nV."""
    return _LARGEST[place] if place < CORRECTED_CELLS else _CELL_MAX


def gain(before, shown, true):
    """The gain correction with which a reading of `shown` under `before` becomes `true`."""
    return ((_WHOLE + before) * true + shown // 2) // shown - _WHOLE


def problem(corrections):
    """The first correction that is too large, in words, or None."""
    for place in range(len(corrections)):
        if abs(corrections[place]) > largest(place):
            return "'%s' is %d, more than %d" % (name(place), corrections[place], largest(place))
    return None
