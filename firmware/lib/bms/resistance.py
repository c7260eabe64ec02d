"""Resistance of every cell, from steps of the pack current.

Voltages and current of one scan, two of them a second apart: what the voltage moved over what the
current moved is the resistance within about one second. Least squares over such pairs, recursive
and slowly forgetting, one division for each cell and pair. The current is common to all cells, so
they share one weight.
Counted is the drop at 1 C in uV: about the same number for all sizes of a kind of cell, and fine
enough not to stand still. It is that at 25 degC: a step at another temperature counts as the step
at 25 degC that would drop as much, by the cell model's r0 over temperature (a factor of 3.8 from
-5 to 45 degC, estimation.md 4).
Goals: 5 %; a scan that caught the current in the middle of a step spoils nothing, nor does a pair
of nonsense (a bad contact, a current beyond the register's range), also if it is the first one:
nothing counts as learned before some pairs agreed, and as many as agreed may take it back.
Limits: only between 20 and 90 % of charge, because beyond that the voltage moves by itself; only
steps from 0.1 C on (estimation.md took 0.3 C; on its files 0.1 C gives the same within 0.2 %).
Slow path; integers; about 1 ms of an RP2040 for 16 cells and a pair, 0.3 ms without one.
"""

from array import array

REFERENCE_DC = 250

_ONE = 1024  # a step of 1 C
_STEP_PER_C = 10  # the least step is 1/10 C
_SOC_BP = (2000, 9000)
_PAIR_MS = (500, 2000)  # time between the two scans of a pair: a turn of the slow path
_FORGET = 1024  # pairs that count
_NOISE = 47040  # see `_enough`
_PRECISION = 67  # one part in 67: noise of 1.5 %
_GATE_UV = 3000  # a pair may differ from what is known by half of the expected drop and this
_AGREED_MIN = 4  # pairs that have to agree; a short circuit's begin and end are two
_AGREED_MAX = 20  # so many pairs in a row that do not agree are enough, whatever was known


class Resistance:
    """Learns from `step`, once a second.

    drop_uv: of each cell at 1 C and 25 degC; new_uv: the first value learned, 0: none yet
    learned: whether some pairs agreed, and the values are good to 1.5 % of noise
    """

    def __init__(self, cells, model, design_mah):
        self.drop_uv = array("i", [0] * cells)
        self.new_uv = array("i", [0] * cells)
        self.learned = False
        self._model = model
        self._design_mah = design_mah
        self._reference_uohm = model.r0_uohm(REFERENCE_DC, design_mah)
        self._weight = 0  # sum of the squared steps, in 1024 (1/1024 C)^2
        self._agreed = 0  # pairs, up to _AGREED_MAX
        self._refused = 0  # pairs in a row
        self._last_mv = array("i", [0] * cells)
        self._known = False  # whether the last turn has left a scan
        self._last_ma = 0

    def forget_scan(self):
        """There was no measurement: the next scan has no partner."""
        self._known = False

    def restore(self, cell, drop_uv, new_uv):
        """What was learned before this start."""
        self.drop_uv[cell] = drop_uv
        self.new_uv[cell] = new_uv
        self._weight = self._enough()
        self._agreed = _AGREED_MAX
        self.learned = self._weight > 0

    def uohm(self, cell):
        """Of one cell at 25 degC; what the cell model says until it is learned."""
        if not self.learned:
            return self._reference_uohm
        return self.drop_uv[cell] * 1000 // self._design_mah

    def step(self, elapsed_ms, view, current_ma, temperature_dc, soc_bp):
        """Take one scan; `view` holds the voltages of the cells."""
        if self._known and _PAIR_MS[0] <= elapsed_ms <= _PAIR_MS[1]:
            step_ma = current_ma - self._last_ma
            large = abs(step_ma) * _STEP_PER_C >= self._design_mah
            if large and _SOC_BP[0] <= soc_bp <= _SOC_BP[1]:
                self._learn(view, self._equivalent(step_ma, temperature_dc))
        memoryview(self._last_mv)[0:] = view
        self._last_ma = current_ma
        self._known = True

    def _equivalent(self, step_ma, temperature_dc):
        """The step at 25 degC that drops as much, in 1/1024 C."""
        design_mah = self._design_mah
        reference = self._reference_uohm
        step = (step_ma * _ONE + design_mah // 2) // design_mah
        hot_uohm = self._model.r0_uohm(temperature_dc, design_mah)
        return (step * hot_uohm + reference // 2) // reference

    def _learn(self, view, step):
        drop_uv = self.drop_uv
        last_mv = self._last_mv
        cells = len(drop_uv)
        if self._weight and not self._plausible(sum(view) - sum(last_mv), step):
            return
        self._agreed = min(self._agreed + 1, _AGREED_MAX)
        self._weight += step * step // _ONE - self._weight // _FORGET
        weight = max(1, self._weight)
        half = weight // 2
        for cell in range(cells):
            drop = drop_uv[cell]
            error_uv = (view[cell] - last_mv[cell]) * 1000 - drop * step // _ONE
            drop_uv[cell] = drop + (error_uv * step + half) // weight
        self.learned = self._agreed >= _AGREED_MIN and 0 < self._enough() <= self._weight
        if self.learned and not self.new_uv[0]:
            memoryview(self.new_uv)[0:] = memoryview(drop_uv)

    def _plausible(self, moved_mv, step):
        """Whether the cells together did about what is known of them."""
        expected_uv = sum(self.drop_uv) * step // _ONE
        gate_uv = abs(expected_uv) // 2 + _GATE_UV * len(self.drop_uv)
        if abs(moved_mv * 1000 - expected_uv) <= gate_uv:
            self._refused = 0
            return True
        self._refused += 1
        if self._refused > self._agreed:  # what was known is wrong: the next pair is the first
            self._refused = 0
            self._agreed = 0
            self._weight = 0
            self.learned = False
        return False

    def _enough(self):
        """The weight at which noise makes 1.5 %: the difference of two scans, each with 1 mV of
        noise and a step of 1 mV, has 1470 uV; over sqrt(1024 weight) / 1024 that is 47040 uV over
        sqrt(weight)."""
        mean_uv = sum(self.drop_uv) // len(self.drop_uv)
        if mean_uv <= 0:
            return 0
        return (_NOISE * _PRECISION // mean_uv) ** 2
