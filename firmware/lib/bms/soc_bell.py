"""The probabilities with which bms.soc_filter begins: a bell, and doubt. Imported for a moment at
a start or after a reset.
"""

from bms.soc_filter import BIN_MPC, BINS, ONE, SUM_SHIFT, exponential

_BELL_END = 400  # of 64 to one sigma


def fill(rows, likely, sums, soc_mpc, sigma_bp, doubt_percent):
    """Write a bell around `soc_mpc` and, for `doubt_percent` of it, no idea at all to all rows,
    each as likely as `likely` says in percent, and the sums that SocFilter keeps of them. Yields
    between the rows."""
    counts, firsts, seconds, fractions, drifts = sums
    sigma_mpc = max(300, sigma_bp * 10)
    bells = rows[0]
    bells_total = 0
    for place in range(BINS):
        bells[place] = _bell(place * BIN_MPC - soc_mpc, sigma_mpc)
        bells_total += bells[place]
    for row in range(len(rows) - 1, -1, -1):  # the first row last: it holds the bells
        yield
        share = ONE // 100 * likely[row]
        wide = share // 100 * doubt_percent // BINS + 1
        peak = share // 100 * (100 - doubt_percent) // bells_total
        p = rows[row]
        total = first = second = 0
        for place in range(BINS):
            value = wide + peak * bells[place]
            p[place] = value
            total += value >> SUM_SHIFT
            first += total
            second += first
        counts[row] = total
        firsts[row] = first
        seconds[row] = second
        fractions[row] = 0
        drifts[row] = 0


def _bell(distance, sigma):
    """4096 times the bell curve (not its area)."""
    x = abs(distance) * 64 // sigma
    return exponential(x * x // 8) if x < _BELL_END else 0
