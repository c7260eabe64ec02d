"""Which balance lead is wrong? Reads the miswiring out of one raw measurement of the cells.

Balance leads are counted from 0 at pack minus; cell k, counted from 1, lies between lead k - 1 and
lead k. A lead on another tap shows its own potential there, so that a chip that subtracts
neighbours sees a lead that is too high as "two or more cells, then less than nothing". The
patterns follow from that:

    leads k and k+1 swapped   cell k two cells, cell k+1 negative, cell k+2 two cells
    leads j and k swapped     high and negative around lead j, negative and high around lead k
    lead k open               its two cells share their sum unequally: one near 0, one near both
    leads k-1 and k together  cell k reads 0
    connector mirrored        every cell negative

Sizes are used where they are sure, but not needed: a BQ76952 is good for -0.2 V to 5.5 V, and
above 6.06 V it may report -6.06 V (the text on cell voltages in SLUUCW9, of its sibling), so that
"negative" and "high" is all that is left of them. A cell in its window and near the others is
never suspected, however unbalanced the pack is, until the spread is what cell_imbalance trips at.
Limits: two cells that err by chance exactly as an open lead would are taken for one; chemistries
whose windows overlap can't be told apart where they do; a lone cell at the end of the connector
that reads nothing may be a loose lead or a shorter pack, and the sentence says both.
Coroutine context; allocates. Import it when it is needed: nothing else uses it.
"""

# Codes of findings.
NOTHING_CONNECTED = 0
CONNECTOR_REVERSED = 1
SWAPPED = 2
OUT_OF_ORDER = 3
WRONG_TAP = 4
OPEN_LEAD = 5
SAME_TAP = 6
SKIPPED_TAP = 7
REVERSED_CELL = 8
FEWER_CELLS = 9
MORE_CELLS = 10
OTHER_CHEMISTRY = 11
CELL_VOLTAGE = 12
STACK_VOLTAGE = 13
IMBALANCE = 14

NO_LEAD = -1

# What a cell reads, compared with a usual one.
_ONE = 0  # a cell
_NEGATIVE = 1
_ZERO = 2
_LOW = 3
_ABOVE = 4
_HIGH = 5  # two cells or more

_NEGATIVE_MV = -100  # beyond the noise around 0
_LEAST_MV = 500  # what is less is no cell: the least that deep_discharge_trip_mv may be
_NO_CELL_MV = 5000  # no cell of any chemistry; two of some are beyond the chip's range
_OVERLOAD_MV = -6060  # SLUUCW9: may be read instead of anything above 5 * VREF1
_OVERLOAD_WIDTH_MV = 100


class Limits:
    """What cells of the configured kind may read, and what those of the other kinds do."""

    def __init__(self, parameters):
        value = parameters.value
        self.low_mv = value("deep_discharge_trip_mv")
        self.high_mv = value("cell_overvoltage_trip_mv")
        self.imbalance_mv = value("cell_imbalance_trip_mv")
        self.mismatch_mv = value("stack_mismatch_trip_mv")
        self.chemistry = value("chemistry")
        self.chemistries = parameters.choices(parameters.index("chemistry"))
        low = parameters.index("cell_undervoltage_trip_mv")
        high = parameters.index("cell_overvoltage_trip_mv")
        self.windows = [
            (parameters.default(low, kind), parameters.default(high, kind))
            for kind in range(len(self.chemistries))
        ]
        # Trips that the owner made narrower make no other chemistry.
        usual = self.windows[self.chemistry]
        self.empty_mv = min(usual[0], value("cell_undervoltage_trip_mv"))
        self.full_mv = max(usual[1], self.high_mv)


def check_wiring(cell_mv, stack_mv, limits):
    """What is wrong with a measurement: a list of (code, lead, sentence), empty if all fits.

    cell_mv: as many as are configured, raw: negative, zero and double values say the most.
    stack_mv: the chip's own measurement of the whole stack.
    lead: the first lead to check, counting from 0 at pack minus, or NO_LEAD.
    """
    picture = _Picture(cell_mv, stack_mv, limits)
    kinds = picture.kinds
    cells = len(kinds)
    if kinds.count(_ZERO) == cells:
        return [_finding(NOTHING_CONNECTED, NO_LEAD, ())]
    if kinds.count(_NEGATIVE) == cells:
        return [_finding(CONNECTOR_REVERSED, 0, (cells,))]
    for first, last in picture.clusters():
        picture.explain(first, last)
    picture.pair_displaced()
    if not picture.findings:
        picture.judge_as_a_whole()
    return picture.findings


class _Picture:
    """One measurement and what was found in it. Cells count from 0 here: cell k lies between
    leads k and k + 1."""

    def __init__(self, cell_mv, stack_mv, limits):
        self.cell_mv = [_without_overload(mv) for mv in cell_mv]
        self.stack_mv = stack_mv
        self.limits = limits
        self.usual_mv = self._usual()
        self.kinds = [self._kind(mv) for mv in self.cell_mv]
        self.findings = []
        self._too_high = []  # leads on a tap above their own, each with its finding if alone
        self._too_low = []

    def clusters(self):
        """First and last cell of each run of cells that do not read like one cell."""
        runs = []
        first = None
        for cell in range(len(self.kinds)):
            if self.kinds[cell] == _ONE:
                first = None
            elif first is None:
                first = cell
                runs.append((cell, cell))
            else:
                runs[-1] = (first, cell)
        return runs

    def explain(self, first, last):
        """Find out what one run of cells says."""
        cells = len(self.kinds)
        kinds = self.kinds[first : last + 1]
        if last == cells - 1 and kinds.count(_ZERO) == len(kinds):
            self._nothing_at_the_top(first)
        elif first == last:
            self._explain_one(first)
        elif not self._swapped_within(first, last) and not (
            last == first + 1 and self._explain_two(first)
        ):
            # A run between leads that are right sums up to its cells: never all the same way.
            alike = kinds.count(kinds[0]) == len(kinds)
            lowest = 0 if first == 0 or alike else first + 1
            highest = cells if last == cells - 1 or alike else last
            self._found(OUT_OF_ORDER, lowest, lowest, highest)

    def pair_displaced(self):
        """One lead too high and one above it too low have changed places."""
        if len(self._too_high) == 1 and len(self._too_low) == 1:
            upper = self._too_low[0][1]
            lower = self._too_high[0][1]
            if lower < upper:
                self._found(SWAPPED, lower, lower, upper)
                return
        self.findings.extend(self._too_high)
        self.findings.extend(self._too_low)

    def judge_as_a_whole(self):
        """Every cell reads like its neighbours: does the pack fit what was configured?"""
        missing_mv = self.stack_mv - sum(self.cell_mv)
        if abs(missing_mv) > self.limits.mismatch_mv:
            more = (missing_mv + self.usual_mv // 2) // self.usual_mv
            if more > 0 and abs(missing_mv - more * self.usual_mv) <= self.usual_mv // 4:
                cells = len(self.cell_mv)
                self._found(MORE_CELLS, cells, cells + more, cells, cells)
            else:
                top = len(self.cell_mv)
                self._found(
                    STACK_VOLTAGE, top, _volts(self.stack_mv), _volts(sum(self.cell_mv)), top
                )
        self._judge_chemistry()
        spread_mv = max(self.cell_mv) - min(self.cell_mv)
        if not self.findings and spread_mv > self.limits.imbalance_mv:
            low = self.cell_mv.index(min(self.cell_mv))
            high = self.cell_mv.index(max(self.cell_mv))
            self._found(IMBALANCE, NO_LEAD, low + 1, high + 1, spread_mv)

    def _judge_chemistry(self):
        limits = self.limits
        low = min(self.cell_mv)
        high = max(self.cell_mv)
        if high < limits.empty_mv or low > limits.full_mv:
            for kind in range(len(limits.windows)):
                window = limits.windows[kind]
                if window[0] <= low and high <= window[1]:
                    self._found(
                        OTHER_CHEMISTRY,
                        NO_LEAD,
                        _volts(self.usual_mv),
                        limits.chemistries[limits.chemistry],
                        limits.chemistries[kind],
                    )
                    return
        for cell in range(len(self.cell_mv)):
            if not limits.low_mv <= self.cell_mv[cell] <= limits.high_mv:
                self._cell_voltage(cell)

    def _usual(self):
        """What most cells read: the middle one of those that read like a cell of the configured
        kind, else of any kind, else the stack's share."""
        limits = self.limits
        for low_mv, high_mv in [(limits.low_mv, limits.high_mv)] + limits.windows:
            likely = sorted([abs(mv) for mv in self.cell_mv if low_mv <= abs(mv) <= high_mv])
            if likely:
                return likely[(len(likely) - 1) // 2]
        return max(_LEAST_MV, abs(self.stack_mv) // len(self.cell_mv))

    def _kind(self, mv):
        limits = self.limits
        usual_mv = self.usual_mv
        off_mv = abs(mv - usual_mv)
        if off_mv <= usual_mv // 8:
            return _ONE
        if limits.low_mv <= mv <= limits.high_mv and off_mv <= limits.imbalance_mv:
            return _ONE
        if mv < _NEGATIVE_MV:
            return _NEGATIVE
        if mv < usual_mv // 4:
            return _ZERO
        if mv < usual_mv:
            return _LOW
        return _HIGH if mv > usual_mv * 3 // 2 or mv >= _NO_CELL_MV else _ABOVE

    def _found(self, code, lead, *words):
        self.findings.append(_finding(code, lead, words))

    def _nothing_at_the_top(self, first):
        cells = len(self.kinds)
        if first == cells - 1 and (_HIGH in self.kinds or self._stack_is_whole_without(first)):
            self._found(OPEN_LEAD, cells, cells)
        else:
            self._found(FEWER_CELLS, first + 1, first + 1, cells, first, cells)

    def _explain_one(self, cell):
        kind = self.kinds[cell]
        top = len(self.kinds)
        if kind == _NEGATIVE:
            # At an end it may be all that shows of a lead that changed places with one far away.
            alone = _finding(REVERSED_CELL, cell, (cell + 1, cell, cell + 1))
            if cell == 0:
                self._too_high.append((alone[0], 0, alone[2]))
            elif cell == top - 1:
                self._too_low.append((alone[0], top, alone[2]))
            else:
                self.findings.append(alone)
        elif cell in (0, top - 1) and self._stack_is_whole_without(cell):
            self._found(OPEN_LEAD, 0 if cell == 0 else top, 0 if cell == 0 else top)
        elif cell > 0 and self._share(cell - 1):
            self._found(OPEN_LEAD, cell, cell)
        elif cell < top - 1 and self._share(cell):
            self._found(OPEN_LEAD, cell + 1, cell + 1)
        elif kind == _ZERO:
            self._found(SAME_TAP, cell, cell + 1, cell, cell + 1)
        elif kind == _HIGH:
            self._found(SKIPPED_TAP, cell, cell + 1, cell, cell + 1, top)
        else:
            self._cell_voltage(cell)

    def _explain_two(self, lower):
        """Two cells that share one lead. False if they say nothing that is understood."""
        lead = lower + 1
        kinds = (self.kinds[lower], self.kinds[lead])
        if kinds == (_HIGH, _NEGATIVE):
            self._too_high.append(_finding(WRONG_TAP, lead, (lead, "up", lead, lead + 1)))
        elif kinds == (_NEGATIVE, _HIGH):
            self._too_low.append(_finding(WRONG_TAP, lead, (lead, "down", lead, lead + 1)))
        elif self._share(lower):
            self._found(OPEN_LEAD, lead, lead)
        else:
            return False
        return True

    def _share(self, lower):
        """Whether this cell and the next have the voltage of two, shared unequally."""
        low_mv = min(self.cell_mv[lower], self.cell_mv[lower + 1])
        high_mv = max(self.cell_mv[lower], self.cell_mv[lower + 1])
        usual_mv = self.usual_mv
        if high_mv - usual_mv <= usual_mv // 8 or usual_mv - low_mv <= usual_mv // 8:
            return False
        return high_mv >= _NO_CELL_MV or abs(low_mv + high_mv - 2 * usual_mv) <= usual_mv // 4

    def _swapped_within(self, first, last):
        top = len(self.kinds)
        for lower in (first + 1, 0) if first == 0 else (first + 1,):
            for upper in (last, top) if last == top - 1 else (last,):
                if self._reads_as_swapped(lower, upper, first, last):
                    self._found(SWAPPED, lower, lower, upper)
                    return True
        return False

    def _reads_as_swapped(self, lower, upper, first, last):
        for cell in range(first, last + 1):
            cells = _place(cell + 1, lower, upper) - _place(cell, lower, upper)
            expected = _ONE if cells == 1 else _HIGH if cells > 1 else _NEGATIVE
            if self.kinds[cell] != expected:
                return False
        return True

    def _stack_is_whole_without(self, cell):
        """Whether the stack's own measurement has the cell that its leads do not show."""
        shown_mv = sum(self.cell_mv)
        whole_mv = shown_mv - self.cell_mv[cell] + self.usual_mv
        off_mv = abs(self.stack_mv - whole_mv)
        return off_mv <= self.usual_mv // 4 and off_mv < abs(self.stack_mv - shown_mv)

    def _cell_voltage(self, cell):
        self._found(
            CELL_VOLTAGE,
            cell,
            cell + 1,
            _volts(self.cell_mv[cell]),
            _volts(self.limits.low_mv),
            _volts(self.limits.high_mv),
            cell,
            cell + 1,
        )


def _without_overload(mv):
    return -mv if abs(mv - _OVERLOAD_MV) <= _OVERLOAD_WIDTH_MV else mv


def _place(lead, lower, upper):
    """Tap that a lead is on when `lower` and `upper` have changed places."""
    return upper if lead == lower else lower if lead == upper else lead


def _volts(mv):
    return "%s%d.%02d V" % ("-" if mv < 0 else "", abs(mv) // 1000, abs(mv) % 1000 // 10)


# By code: what to say, and what to check.
_SENTENCES = (
    "No cell is measured: is the balance connector plugged in?",
    "Every cell reads negative: the balance connector is mirrored. Unplug it at once; lead 0 "
    "belongs to pack minus, lead %d to pack plus",
    "Leads %d and %d are swapped: exchange them",
    "Leads %d to %d are out of order or loose: check each of them",
    "Lead %d is on a tap too far %s: check it, it belongs between cells %d and %d",
    "Lead %d is open: check its crimp, its plug and its fuse",
    "Cell %d reads nothing: leads %d and %d are on the same tap or touch, or the cell is dead",
    "Cell %d reads like two: a tap between lead %d and lead %d was left out, or the pack has more "
    "than %d cells",
    "Cell %d reads negative: leads %d and %d are exchanged there, or the cell was built in the "
    "wrong way round",
    "Nothing is measured from lead %d up to lead %d: the pack has %d cells and not %d, or these "
    "leads are loose",
    "The whole stack has the voltage of %d cells, %d are configured: correct series_cells, or "
    "check lead %d",
    "The cells read about %s: not %s as configured, unless they are empty or overcharged. They "
    "read like %s",
    "Cell %d reads %s, outside %s to %s: check leads %d and %d, then the cell",
    "The stack measures %s and its cells together %s: check lead 0 and lead %d",
    "Cells %d and %d are %d mV apart: check their connections, then bring each to the same "
    "voltage by itself",
)


def _finding(code, lead, words):
    return (code, lead, _SENTENCES[code] % words)
