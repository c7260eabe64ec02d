"""The registers of a BQ76920, BQ76930 or BQ76940, and what they say in the project's units.

Goals: three reads are a sample; whoever programs, tests or samples the chip shares the buffers.
Limits: called from the fast path only; allocates nothing after construction, integers below 2**30.
Sources: afe.md section 8; SLUSBK2I (BQ769x0 data sheet).
Unverified: that a block read may cross the registers that a smaller chip does not have.
"""

from bms.sample import (
    CORRECTED_CELLS,
    CORRECTED_CURRENT,
    CORRECTED_STACK,
    CORRECTED_ZERO,
    corrected,
)

# Places in `control`, which are the registers' addresses.
STAT = 0x00
BALANCE = 0x01  # to 0x03, five cells each
CONTROL_1 = 0x04
CONTROL_2 = 0x05
PROTECT_1 = 0x06
CC_CFG = 0x0B
CONTROL_SIZE = 12

CC_READY = 0x80
XREADY = 0x20
OVRD_ALERT = 0x10
UV = 0x08
OV = 0x04
SCD = 0x02
OCD = 0x01

LOAD_PRESENT = 0x80  # CONTROL_1
ADC_EN = 0x10
TEMP_SEL = 0x08  # thermistors instead of the die
DELAY_DIS = 0x80  # CONTROL_2, a test mode
CC_EN = 0x40
DSG_ON = 0x02
CHG_ON = 0x01
CC_CFG_VALUE = 0x19

_CELLS = 0x0C
_OTHERS = 0x2A  # 10 bytes: stack, three sensors, current
_OTHERS_SIZE = 10
_SENSORS = 0x2C - _OTHERS
_CURRENT = 0x32 - _OTHERS
_CALIBRATION = b"\x50\x51\x59"  # ADCGAIN1, ADCOFFSET, ADCGAIN2

SIZES = (1, CONTROL_SIZE, _OTHERS_SIZE)
"""Sizes of all reads but that of the cells."""

GROUP = 5  # inputs of a group, each of which needs three cells at least

_CC_NV = 8440  # one step of the current
_STACK_STEPS = 4


class Registers:
    """Buffers for the registers of the chip on `link`, which has `inputs` cell inputs.

    gain_uv, offset_mv: of the chip's converter, once they were read. used: the input of each of
    `cells` cells.
    """

    def __init__(self, link, inputs, cells):
        self.control = bytearray(CONTROL_SIZE)
        self.groups = inputs // GROUP
        self.gain_uv = 0
        self.offset_mv = 0
        self.corrections = None  # see bms.calibration
        self.used = used_inputs(inputs, cells)
        self._link = link
        self._cells = bytearray(2 * inputs)
        self._others = bytearray(_OTHERS_SIZE)
        self._byte = bytearray(1)
        self._calibration = bytearray(len(_CALIBRATION))

    def read(self):
        """Read everything; False if the link failed, which knows why.

        The status comes first, so that the cells are at least as new as the scan it tells of.
        """
        return self.read_control() and self.read_measured()

    def read_measured(self):
        """Read cells, stack, sensors and current; False if the link failed."""
        link = self._link
        return link.read_into(_CELLS, self._cells) and link.read_into(_OTHERS, self._others)

    def read_control(self):
        """Read status, balancing, control and protection registers; False if the link failed."""
        return self._link.read_into(STAT, self.control)

    def read_calibration(self):
        """Read what the chip's factory wrote about its converter; False if the link failed."""
        byte = self._byte
        for at in range(len(_CALIBRATION)):
            if not self._link.read_into(_CALIBRATION[at], byte):
                return False
            self._calibration[at] = byte[0]
        return True

    def take_calibration(self):
        """Measure with what was read."""
        read = self._calibration
        offset = read[1]
        self.gain_uv = 365 + ((read[0] & 0x0C) << 1 | read[2] >> 5)
        self.offset_mv = offset - 0x100 if offset & 0x80 else offset

    def same_calibration(self):
        """Whether what was read is what it is measured with: it is still the same chip."""
        gain_uv = self.gain_uv
        offset_mv = self.offset_mv
        self.take_calibration()
        same = self.gain_uv == gain_uv and self.offset_mv == offset_mv
        self.gain_uv = gain_uv
        self.offset_mv = offset_mv
        return same

    def cell_mv(self, cell):
        """Voltage of a cell, counted from 0 at pack minus."""
        at = 2 * self.used[cell]
        counts = (self._cells[at] & 0x3F) << 8 | self._cells[at + 1]
        cell_mv = (counts * self.gain_uv + 500) // 1000 + self.offset_mv
        if self.corrections is None:
            return cell_mv
        return corrected(cell_mv, self.corrections[CORRECTED_CELLS + cell])

    def stack_mv(self):
        """Voltage of all cells, at the chip's own supply."""
        counts = self._others[0] << 8 | self._others[1]
        stack_mv = counts * self.gain_uv * _STACK_STEPS // 1000 + len(self.used) * self.offset_mv
        if self.corrections is None:
            return stack_mv
        return corrected(stack_mv, self.corrections[CORRECTED_STACK])

    def current_ma(self, shunt_microohm):
        """Mean current of the latest 250 ms, charging positive."""
        counts = self._others[_CURRENT] << 8 | self._others[_CURRENT + 1]
        if counts & 0x8000:
            counts -= 0x10000
        seen_nv = counts * _CC_NV
        if self.corrections is None:
            return (seen_nv + shunt_microohm // 2) // shunt_microohm
        seen_nv -= self.corrections[CORRECTED_ZERO]
        current_ma = (seen_nv + shunt_microohm // 2) // shunt_microohm
        return corrected(current_ma, self.corrections[CORRECTED_CURRENT])

    def sensor(self, pin):
        """Reading of TS1 (`pin` 0) and so on: a thermistor or a group's die, as TEMP_SEL asks."""
        at = _SENSORS + 2 * pin
        return (self._others[at] & 0x3F) << 8 | self._others[at + 1]

    def write_balance(self, cells):
        """Bleed these cells, a bit mask by cell; False if the link failed.

        A chip that takes only a part bleeds some of them and some of before: command it again.
        """
        for group in range(self.groups):
            bits = 0
            for cell in range(len(self.used)):
                place = self.used[cell] - GROUP * group
                if cells >> cell & 1 and 0 <= place < GROUP:
                    bits |= 1 << place
            if not self._link.write(BALANCE + group, bits):
                return False
        return True

    def all_off(self):
        """Gates and balancing off; False if the link failed."""
        return self._link.write(CONTROL_2, CC_EN) and self.write_balance(0)

    def balanced(self):
        """Bit mask by cell of what the balancing registers hold, as read last."""
        cells = 0
        for cell in range(len(self.used)):
            place = self.used[cell]
            if self.control[BALANCE + place // GROUP] >> place % GROUP & 1:
                cells |= 1 << cell
        return cells


def used_inputs(inputs, cells):
    """The input of each cell, lowest first: the lower groups get one more where it does not come
    out even; a group of four leaves its fourth input out, one of three its third and fourth."""
    groups = inputs // GROUP
    used = bytearray()
    for group in range(groups):
        count = cells // groups + (1 if group < cells % groups else 0)
        for place in range(count - 1):
            used.append(GROUP * group + place)
        used.append(GROUP * group + GROUP - 1)
    return bytes(used)
