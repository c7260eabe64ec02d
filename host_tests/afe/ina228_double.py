"""An INA228 as far as its driver talks to it, for CPython and MicroPython; allocates nothing.

Not a model (boards/sim has one): no physics. Facts are those of SLYS021A section 7.6: registers
read and written alone, high byte first; conversion-ready flag and latch; values after a reset.
"""

ADDRESS = 0x40
CONFIG = 0x00
ADC_CONFIG = 0x01
VSHUNT = 0x04
VBUS = 0x05
DIAG_ALRT = 0x0B
MANUFACTURER_ID = 0x3E
DEVICE_ID = 0x3F

ADCRANGE = 0x10
ALATCH = 0x8000
READY = 0x0002
MEMSTAT = 0x0001
_WRITABLE_ALERT = 0xF000
_MODES_WITH_BOTH = (0xB, 0xF)  # continuous shunt and bus; with temperature
_OF_24_BITS = (VSHUNT, VBUS)
_SETTINGS = (CONFIG, ADC_CONFIG)


class Ina228Double:
    """The bus and the chip. registers: their values as unsigned numbers, by address.

    converting: whether a conversion ends before every read of the flags. fail_in: transactions
    until one is not acknowledged (-1: none). transactions: counted since set to 0.
    """

    def __init__(self):
        self.registers = [0] * 0x40
        self.converting = True
        self.fail_in = -1
        self.transactions = 0
        self.registers[MANUFACTURER_ID] = 0x5449
        self.registers[DEVICE_ID] = 0x2281
        self.reset()

    def reset(self):
        """As after power-up: measurements 0, default settings."""
        for register in range(0x3E):
            self.registers[register] = 0
        self.registers[ADC_CONFIG] = 0xFB68
        self.registers[DIAG_ALRT] = MEMSTAT

    def measure(self, shunt_code, bus_code):
        """What the converter found: signed and unsigned 20 bits."""
        self.registers[VSHUNT] = (shunt_code & 0xFFFFF) << 4
        self.registers[VBUS] = bus_code << 4

    def readfrom_mem_into(self, address, register, buf):
        self._count(address)
        if len(buf) != (3 if register in _OF_24_BITS else 2):
            raise AssertionError("this register has another size")
        value = self.registers[register]
        if register == DIAG_ALRT:
            if self.converting and self.registers[ADC_CONFIG] >> 12 in _MODES_WITH_BOTH:
                value |= READY
            if value & ALATCH:
                self.registers[DIAG_ALRT] = value & ~READY
        for at in range(len(buf)):
            buf[len(buf) - 1 - at] = value >> 8 * at & 0xFF

    def writeto_mem(self, address, register, buf):
        self._count(address)
        value = buf[0] << 8 | buf[1]
        if register == DIAG_ALRT:
            value = value & _WRITABLE_ALERT | self.registers[DIAG_ALRT] & ~_WRITABLE_ALERT
        elif register not in _SETTINGS:
            raise AssertionError("the driver has no business in this register")
        self.registers[register] = value

    def _count(self, address):
        self.transactions += 1
        if self.fail_in == 0 or address != ADDRESS:
            self.fail_in = -1
            raise OSError(5)
        if self.fail_in > 0:
            self.fail_in -= 1
