"""Temperatures of a BQ769x0: thermistors and dies, which share a converter, in turn.

Goals: every reading is of what it is taken for: after a change of TEMP_SEL nothing is read until
the chip has measured anew (2 s). A turn of both takes 8 s, in which the thermistors stand still
for 6 s and what the dies said counts: neither is older than 9 s.
Limits: called from the fast path only; allocates nothing after construction, integers below 2**30.
Sources: SLUSBK2I (BQ769x0 data sheet), external thermistor and die temperature monitor.
"""

from array import array

from afe import bq769x0_registers as chip

# A 10 kohm thermistor (Semitec 103AT) against the chip's 10 kohm to 3.3 V, in steps of 382 uV,
# from -50 C on by 10 C: a straight line between them is within 0.6 C from -40 C on.
# fmt: off
_THERMISTOR = array("H", (
    8384, 8204, 7927, 7528, 6992, 6321, 5549, 4728, 3921, 3181, 2538, 2004, 1574, 1235, 971, 766,
    608,
))
# fmt: on
_COLDEST_DC = -500
OPEN_DC = -2731  # what an open or a shorted sensor reads as
SHORT_DC = 2000
_SHORT = 490  # 120 C, where no sensor still measures
# Die temperature: 1.200 V at 25 C, 4.2 mV less for each degree; in steps of 382 uV.
_DIE_25C_UV = 1200000
_DIE_UV_A_DC = 420
_STEP_UV = 382

# In scans, 250 ms each.
_SETTLE_SCANS = 12
_THERMISTOR_SCANS = 20
_DIES, _THERMISTORS, _BOTH = 1, 2, 3
_THERMISTORS_ON = chip.ADC_EN | chip.TEMP_SEL


class Temperatures:
    """`registers` are the chip's, read by the caller before each call.

    of_dies: what TEMP_SEL asks for.
    """

    def __init__(self, registers, image, parameters):
        self.of_dies = True
        self._registers = registers
        self._image = image
        self._thermistors = parameters.value("cell_thermistors")
        self._sensor_dc = array("i", [0] * (self._thermistors + 1))  # the last is at the switches
        self._die_dc = 0
        self._scans = 0  # since TEMP_SEL was changed
        self._taken = 0  # _DIES and _THERMISTORS, since `forget`

    @property
    def known(self):
        """Whether both were taken since `forget`."""
        return self._taken == _BOTH

    def forget(self):
        """What was taken before is too old. No bus traffic: the turns go on."""
        self._scans = 0
        self._taken = 0

    def choose(self, link, dies):
        """Measure dies or thermistors from now on. False: link failed."""
        if not link.write(chip.CONTROL_1, chip.ADC_EN if dies else _THERMISTORS_ON):
            return False
        self.of_dies = dies
        self._scans = 0
        return True

    def count(self):
        """The chip finished a scan."""
        self._scans = min(self._scans + 1, _THERMISTOR_SCANS)

    @property
    def settled(self):
        """Whether what is read now is of what was chosen."""
        return self._scans >= _SETTLE_SCANS

    def step(self, link):
        """After each scan: take what is measured, and choose what comes next. False: link failed.

        The self-test, which waits for both, goes its own way.
        """
        self.count()
        if not self.settled:
            return True
        self.take()
        if self.of_dies:
            return self.choose(link, False)
        return (self.known and self._scans < _THERMISTOR_SCANS) or self.choose(link, True)

    def take(self):
        """Take what was read."""
        if self.of_dies:
            self._taken |= _DIES
            self._die_dc = self._warmest_die_dc()
            return
        self._taken |= _THERMISTORS
        for pin in range(self._thermistors + self._image.fet_thermistor):
            self._sensor_dc[pin] = thermistor_dc(self._registers.sensor(pin))

    def fill(self, sample):
        """Copy what was taken last."""
        for sensor in range(len(sample.temperature_dc)):
            sample.temperature_dc[sensor] = self._sensor_dc[sensor]
        sample.chip_temperature_dc = self._die_dc
        sample.board_temperature_dc = self._die_dc
        if self._image.fet_thermistor:
            sample.board_temperature_dc = self._sensor_dc[self._thermistors]

    def plausible(self, coldest_dc, hottest_dc, spread_dc):
        """Whether all thermistors lie in this range, and those of cells near each other."""
        lowest_dc = hottest_dc
        highest_dc = coldest_dc
        for sensor in range(self._thermistors + self._image.fet_thermistor):
            temperature_dc = self._sensor_dc[sensor]
            if not coldest_dc <= temperature_dc <= hottest_dc:
                return False
            if sensor < self._thermistors:
                lowest_dc = min(lowest_dc, temperature_dc)
                highest_dc = max(highest_dc, temperature_dc)
        return highest_dc - lowest_dc <= spread_dc

    def _warmest_die_dc(self):
        warmest_dc = OPEN_DC
        for group in range(self._registers.groups):
            below_uv = _DIE_25C_UV - self._registers.sensor(group) * _STEP_UV
            warmest_dc = max(warmest_dc, 250 + below_uv // _DIE_UV_A_DC)
        return warmest_dc


def thermistor_dc(counts):
    """Temperature of a thermistor from its reading; OPEN_DC or SHORT_DC outside of its range."""
    if counts <= _SHORT:
        return SHORT_DC
    if counts >= _THERMISTOR[0]:
        return OPEN_DC
    row = 1
    while row < len(_THERMISTOR) - 1 and counts < _THERMISTOR[row]:
        row += 1
    above = _THERMISTOR[row - 1]
    share_dc = 100 * (above - counts) // (above - _THERMISTOR[row])
    return _COLDEST_DC + 100 * (row - 1) + share_dc
