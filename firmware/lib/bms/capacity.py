"""Capacity of the pack, from pairs of anchors: charge counted between two moments whose state of
charge is known without counting.

One pair says `charge / difference of the states of charge`, with an uncertainty from both anchors
and from the counter's offset. A scalar Kalman filter takes it in: what is known is an estimate
and its variance, which grows with every pair and every day, because cells age. Weighting by the
square of the difference, and taking the anchors' own noise out of that square, is total least
squares to first order, and needs no sums (docs/health.md compares them).
Gates, as in TI's Impedance Track (SLUUC54C): 10 to 40 degC throughout, at least 37 %, anchors
where the curve is steep, and an accumulated error of the counter's offset of at most 1.5 % of the
design capacity, 5.5 % between two anchors at full and empty.
Limits: a gain error of the shunt scales the capacity and can not be seen.
Imported for a moment at an anchor and given back. Works on the array `kept` of bms.health.
"""

from bms.health import AGEING, CAPACITY, PAIRS, REST, START_MPC, START_VARIANCE, VARIANCE, root

# What became of a pair.
TAKEN = 0
SAME_END = 1  # the same kind of anchor again, hardly a charge between
TOO_LITTLE = 2  # charge
TEMPERATURE = 3
TOO_LONG = 4  # for the counter's offset
IMPLAUSIBLE = 5  # against the design capacity
SURPRISING = 6  # against what is known; a second one like it is taken

_TEMPERATURE_DC = (100, 400)
_SPAN_BP = 3700
_OFFSET_BP = 150
_OFFSET_CERTAIN_BP = 550
_PLAUSIBLE_BP = (2000, 13000)  # TI's upper bound is 130 % as well (SLUUBT5C, Qmax Upper Bound)
_SURPRISE = 9  # three standard deviations, squared


def take(kept, design_mah, before, now, passed, offset_bp_per_h):
    """A pair of anchors, each (kind, soc_bp, sigma_bp). passed: (charge mAh, hours, coldest,
    warmest in 0.1 degC) between them; offset_bp_per_h: what the counter may be wrong, in 0.01 % of
    the design capacity an hour.

    Changes `kept` if the pair is TAKEN. Returns (what became of it, mAh, sigma in mAh).
    """
    charge_mah, hours, cold_dc, warm_dc = passed
    span_bp = abs(now[1] - before[1])
    noise_bp2 = before[2] ** 2 + now[2] ** 2
    offset_bp = hours * offset_bp_per_h
    certain = REST not in {before[0], now[0]}
    if now[0] == before[0] and span_bp < _SPAN_BP:
        return SAME_END, 0, 0
    # Asked of the charge, which is not noisy: a difference that is large by chance is no better.
    if abs(charge_mah) * 10 < _SPAN_BP * (kept[CAPACITY] * design_mah // START_MPC) // 1000:
        return TOO_LITTLE, 0, 0
    if cold_dc < _TEMPERATURE_DC[0] or warm_dc > _TEMPERATURE_DC[1]:
        return TEMPERATURE, 0, 0
    if offset_bp > (_OFFSET_CERTAIN_BP if certain else _OFFSET_BP):
        return TOO_LONG, 0, 0
    if span_bp**2 <= 2 * noise_bp2:
        return IMPLAUSIBLE, 0, 0
    # The noise of the anchors makes the squared difference too large on average.
    measured_mpc = abs(charge_mah) * 100000 * span_bp // (span_bp**2 - noise_bp2)
    measured_mpc = measured_mpc * 10000 // design_mah
    measured_bp = measured_mpc // 10
    if not _PLAUSIBLE_BP[0] <= measured_bp <= _PLAUSIBLE_BP[1]:
        return IMPLAUSIBLE, 0, 0
    # A bound on the offset is a standard deviation of a third of its square root (uniform).
    variance = (kept[CAPACITY] // 10) ** 2 * noise_bp2 // span_bp**2
    variance += (offset_bp * 10000 // span_bp) ** 2 // 3
    known = kept[VARIANCE] + AGEING
    surprise_mpc = measured_mpc - kept[CAPACITY]
    measured_mah = measured_bp * design_mah // 10000
    sigma_mah = root(variance) * design_mah // 10000
    if surprise_mpc**2 > 100 * _SURPRISE * (known + variance):
        kept[VARIANCE] = min(START_VARIANCE, max(known, surprise_mpc**2 // (100 * _SURPRISE)))
        return SURPRISING, measured_mah, sigma_mah
    kept[CAPACITY] += surprise_mpc * known // (known + variance)
    kept[VARIANCE] = known * variance // (known + variance)
    kept[PAIRS] += 1
    return TAKEN, measured_mah, sigma_mah
