"""Which cells are weak, and which leak: where every cell stands when the pack is full or empty.

At the anchors the curve is steep, so the voltage of each cell, less its drop, says how far it is
from its own end. What a cell lacks at the top and has left at the bottom, against the others, is
its capacity against theirs: the charge between is common. What it lacks at the top more from day
to day, less what was bled from it, leaks inside of it.
A cell that stands beyond the steep part counts as standing at its edge: it makes the others'
differences smaller, and is itself not judged.
Limits: a pack that is never full shows no leak, one that is never empty no weak cell. Currents are
against the median cell, so that what all cells lose alike does not show.
Imported for a moment at an anchor and given back; one cell a turn, because finding a state of
charge takes more than 1 ms of an RP2040. Works on arrays that bms.health keeps.
"""

_STEEP_DMV = 150  # of 5 %: 3 mV for a percent, where 1 mV and the cell model's error still tell it
_STEP_BP = 500
_EDGE_BP = 3000
_FULL_BP = 10000
_NEAR_BP = 4

_WEAK_BP = -600  # a cell with 10 % less than the others is named, the spread of new cells is not
_WELL_BP = -400
_LEAK_UA = 2500  # half of what must be named; healthy cells differ by 0.5 mA
_TIGHT_UA = 1500
_DAYS_MIN = 6  # anchors at the top before a cell is named
_DAYS_MAX = 20  # anchors that count, then older ones fade
_SPREADS = 4  # standard deviations that a leak must have

# Lines through `count` equally distant values by least squares, recursively (an alpha-beta filter
# with growing memory): alpha = 2 (2 n - 1) / n (n + 1), beta = 6 / n (n + 1).


def edge_bp(model, full, temperature_dc):
    """How far from its end, full or empty, the curve is steep; at most 30 %."""
    branch = 1000 if full else -1000
    reach = 0
    before = model.ocv_dmv(_FULL_BP if full else 0, branch, temperature_dc)
    while reach < _EDGE_BP:
        soc_bp = _FULL_BP - reach - _STEP_BP if full else reach + _STEP_BP
        voltage = model.ocv_dmv(soc_bp, branch, temperature_dc)
        if abs(voltage - before) < _STEEP_DMV:
            break
        before = voltage
        reach += _STEP_BP
    return max(reach, _STEP_BP)


def place(model, full, voltage_dmv, temperature_dc, edge):
    """How far a cell is from its end, in 0.01 % of its charge and to 0.04 %, at most `edge`."""
    branch = 1000 if full else -1000
    low = 0
    high = edge
    while high - low > _NEAR_BP:
        middle = (low + high) // 2
        soc_bp = _FULL_BP - middle if full else middle
        if (model.ocv_dmv(soc_bp, branch, temperature_dc) > voltage_dmv) == full:
            low = middle
        else:
            high = middle
    return low if low == 0 or high < edge else high


def weigh(tops, bottoms, edges, weak_bp, first):
    """After a full and an empty anchor: `weak_bp` becomes what each cell has more or less than
    the mean cell, in 0.01 %, averaged over about three; `first`: there was nothing before."""
    cells = len(weak_bp)
    mean = (sum(tops) + sum(bottoms)) // cells
    for cell in range(cells):
        if tops[cell] < edges[0] and bottoms[cell] < edges[1]:
            found = tops[cell] + bottoms[cell] - mean
            weak_bp[cell] += found - weak_bp[cell] if first else (found - weak_bp[cell]) // 3


def weak(weak_bp, named):
    """Mask of the weak cells; `named` are those of before."""
    mask = 0
    for cell in range(len(weak_bp)):
        if weak_bp[cell] < (_WELL_BP if named >> cell & 1 else _WEAK_BP):
            mask |= 1 << cell
    return _signed(mask)


def track(missing_mah, edge_mah, bled_mah, hours, count, seen, lacks, leak_ua):
    """At the `count`th (from 1) full anchor: continue the line through what each cell lacks.

    missing_mah: to each cell's full; lacks: what the line says (mAh), leak_ua: how it rises;
    hours: since the anchor before; seen: mask of the cells that were judged there.
    Returns the mask of those judged now, and the mean deviation from the lines.
    """
    cells = len(lacks)
    if median(missing_mah) >= edge_mah:
        return 0, 0  # most cells stand beyond the edge: nothing to compare with
    net = [missing_mah[cell] - (bled_mah[cell] if bled_mah else 0) for cell in range(cells)]
    middle = median(net)
    n = min(count, _DAYS_MAX)
    total = 0
    judged = 0
    for cell in range(cells):
        if missing_mah[cell] >= edge_mah:
            continue
        judged |= 1 << cell
        lack = net[cell] - middle
        if not seen >> cell & 1:
            lacks[cell] = lack
            continue
        expected = lacks[cell] + leak_ua[cell] * hours // 1000
        error = lack - expected
        total += abs(error)
        lacks[cell] = expected + error * 2 * (2 * n - 1) // (n * (n + 1))
        leak_ua[cell] += error * 6000 // (n * (n + 1) * hours)
    return judged, total // cells


def leaky(leak_ua, count, deviation_mah, hours, named, root):
    """Mask of the cells that leak; `named` are those of before. deviation_mah: mean of what
    `track` returned; hours: between anchors, about; root(): a whole square root."""
    n = min(count, _DAYS_MAX)
    if n < _DAYS_MIN:
        return named
    # Standard deviation of a slope: sqrt(12 / n^3) of that of a value, which is 5/4 of its mean.
    spread_ua = deviation_mah * 1250 * root(12000000 // n**3) // (1000 * hours)
    middle = median(leak_ua)
    mask = 0
    for cell in range(len(leak_ua)):
        limit = _TIGHT_UA if named >> cell & 1 else max(_LEAK_UA, _SPREADS * spread_ua)
        if leak_ua[cell] - middle > limit:
            mask |= 1 << cell
    return _signed(mask)


def _signed(mask):
    """Of up to 32 cells, as 32 bits with a sign hold it."""
    return mask - (mask >> 31 << 32)


def median(values):
    """The middle one, the lower of two."""
    return sorted(values)[(len(values) - 1) // 2]
