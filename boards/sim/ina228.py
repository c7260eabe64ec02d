"""The simulated INA228: current through a shunt and bus voltage, as registers on I2C.

Written from the chip's data sheet alone (TI SLYS021A, sections by number), never from the driver:
the register pointer does not move, so a read returns one register, most significant byte first,
and the result registers hold what the last finished conversion found. A converter that stops
leaves its last results, and the flag of finished conversions down: that is how a driver sees it.
Limits: a conversion shows the pack as it is when its result is read, at most one conversion late;
no noise, no temperature of its own; the flag stays until it is read, whether ALATCH asks for
that or not. Not modelled: power, energy, charge, alert limits, shunt
temperature compensation, the initial conversion delay.
"""

# Section 7.6, table 7-3, with values after reset.
_CONFIG = 0x00
_ADC_CONFIG = 0x01
_SHUNT_CAL = 0x02
_SHUNT_TEMPCO = 0x03
_VSHUNT = 0x04
_VBUS = 0x05
_DIETEMP = 0x06
_CURRENT = 0x07
_DIAG_ALRT = 0x0B
_MANUFACTURER_ID = 0x3E
_DEVICE_ID = 0x3F
_RESET = {
    _CONFIG: 0, _ADC_CONFIG: 0xFB68, _SHUNT_CAL: 0x1000, _SHUNT_TEMPCO: 0,
    _VSHUNT: 0, _VBUS: 0, _DIETEMP: 0, _CURRENT: 0, _DIAG_ALRT: 0x0001,
    0x0C: 0x7FFF, 0x0D: 0x8000, 0x0E: 0x7FFF, 0x0F: 0, 0x10: 0x7FFF, 0x11: 0xFFFF,
    _MANUFACTURER_ID: 0x5449, _DEVICE_ID: 0x2281,
}  # fmt: skip
_THREE_BYTES = (_VSHUNT, _VBUS, _CURRENT)
_READ_ONLY = (_VSHUNT, _VBUS, _DIETEMP, _CURRENT, _MANUFACTURER_ID, _DEVICE_ID)

_RST = 0x8000  # CONFIG
_ADCRANGE = 0x0010
_CONTINUOUS = 0x8  # MODE, ADC_CONFIG bits 15..12; below it one bit a channel
_BUS, _SHUNT, _TEMPERATURE = 0x1, 0x2, 0x4
_CHANNELS = ((_BUS, 9), (_SHUNT, 6), (_TEMPERATURE, 3))  # and where its conversion time stands
_CONVERSION_US = (50, 84, 150, 280, 540, 1052, 2074, 4120)
_AVERAGED = (1, 4, 16, 64, 128, 256, 512, 1024)
_SETTINGS = 0xF000  # DIAG_ALRT: ALATCH, CNVR, SLOWALERT, APOL
_CNVRF = 0x0002  # a conversion is complete; reading the register clears it

# Section 8.1: least significant bits.
_SHUNT_LSB_V = (312.5e-9, 78.125e-9)  # by ADCRANGE
_BUS_LSB_V = 195.3125e-6
_DIE_LSB_C = 7.8125e-3
# Equation 2: SHUNT_CAL = 13107.2e6 * CURRENT_LSB * R, times 4 with ADCRANGE 1.
_CALIBRATION = (13107.2e6, 4 * 13107.2e6)
_MAX_20_BIT = (1 << 19) - 1


def _rounded(value, limit=_MAX_20_BIT):
    return max(-limit - 1, min(limit, int(value + 0.5 if value >= 0 else value - 0.5)))


class Ina228:
    """`pack` gives current_a (charging positive), bus_v and board_temperature_c; time_us() is now.

    frozen: the converter stands still.
    """

    address = 0x40

    def __init__(self, pack, time_us, shunt_ohm):
        self.frozen = False
        self.shunt_ohm = shunt_ohm
        self._pack = pack
        self._time_us = time_us
        self.power_on_reset()

    def power_on_reset(self):
        """Supply lost, or RST."""
        self._registers = dict(_RESET)
        self._start()

    def read(self, register, buf):
        """A read transaction: one register; a host that asks for more gets ones."""
        self._convert()
        if register not in self._registers:
            raise NotImplementedError(
                "INA228 register 0x%02X is not simulated; add it to boards/sim/ina228.py"
                % register
            )
        value = self._registers[register]
        size = 2
        if register in _THREE_BYTES:
            value = value << 4 & 0xFFFFFF  # 20 bits, the lower four reserved
            size = 3
        for i in range(len(buf)):
            buf[i] = value >> 8 * (size - 1 - i) & 0xFF if i < size else 0xFF
        if register == _DIAG_ALRT:
            self._registers[register] &= ~_CNVRF

    def write(self, register, buf):
        """A write transaction of two bytes; results and identity can not be written."""
        self._convert()
        if len(buf) < 2 or register not in self._registers or register in _READ_ONLY:
            return True
        value = buf[0] << 8 | buf[1]
        if register == _CONFIG and value & _RST:
            self.power_on_reset()
            return True
        if register == _DIAG_ALRT:  # settings above, flags below
            value = value & _SETTINGS | self._registers[register] & ~_SETTINGS
        self._registers[register] = value
        if register in (_CONFIG, _ADC_CONFIG):
            self._start()
        return True

    def save(self):
        """Registers as a list that JSON can hold."""
        return [[register, value] for register, value in self._registers.items()]

    def restore(self, saved):
        """Take back what `save` gave; the conversion begins anew."""
        for register, value in saved:
            self._registers[register] = value
        self._start()

    def _start(self):
        """Begin to convert as ADC_CONFIG says."""
        config = self._registers[_ADC_CONFIG]
        self._mode = config >> 12
        period_us = 0
        for channel, shift in _CHANNELS:
            if self._mode & channel:
                period_us += _CONVERSION_US[config >> shift & 7]
        self._period_us = period_us * _AVERAGED[config & 7]
        self._due_us = self._time_us() + self._period_us

    def _convert(self):
        """Show what was finished up to now."""
        now_us = self._time_us()
        if not self._period_us or now_us < self._due_us:
            return
        passed = 1 + (now_us - self._due_us) // self._period_us
        self._due_us += passed * self._period_us
        if not self._mode & _CONTINUOUS:
            self._period_us = 0  # once only
        if not self.frozen:
            self._registers[_DIAG_ALRT] |= _CNVRF
            self._take()

    def _take(self):
        registers = self._registers
        pack = self._pack
        wide = 1 if registers[_CONFIG] & _ADCRANGE else 0
        if self._mode & _SHUNT:
            shunt_v = pack.current_a * self.shunt_ohm
            registers[_VSHUNT] = counts = _rounded(shunt_v / _SHUNT_LSB_V[wide])
            calibration = registers[_SHUNT_CAL] & 0x7FFF
            current = 0
            if calibration:
                seen_v = counts * _SHUNT_LSB_V[wide]
                current = _rounded(seen_v * _CALIBRATION[wide] / calibration)
            registers[_CURRENT] = current
        if self._mode & _BUS:
            registers[_VBUS] = _rounded(max(pack.bus_v, 0) / _BUS_LSB_V)
        if self._mode & _TEMPERATURE:
            registers[_DIETEMP] = _rounded(pack.board_temperature_c / _DIE_LSB_C, 0x7FFF)
