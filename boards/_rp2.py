"""RP2040 and RP2350: what these processors do in their own way.

While such a processor is in reset its pins are inputs with a weak pull-down (RP2040 data sheet
2.19.6: 50 to 80 kohm). Which peripheral serves a pin follows from its number (RP2040 data sheet
1.4.3; the RP2350's pins 0 to 29 are the same).
"""

import machine
from machine import I2C, SPI, UART, Pin

from boards._common import I2C_TIMEOUT_US, SPI_HZ

# Watchdog scratch register 4, and what the SDK leaves there when the watchdog is started; asked
# for a reset it writes 0 instead (pico-sdk, watchdog_enable and watchdog_reboot).
_RP2040_SCRATCH_4 = 0x4005801C  # RP2040 data sheet 4.7.6
_RP2350_SCRATCH_4 = 0x400D801C  # pico-sdk, rp2350 addressmap.h: WATCHDOG_BASE 0x400d8000
_TIMED_OUT = 0x6AB73121

# A board in the shape of the Raspberry Pi Pico, wired as docs/boards/pico.md says: GPIO numbers.
PICO_PINS = {
    "charge_off": 2,
    "discharge_off": 3,
    "afe_sda": 4,
    "afe_scl": 5,
    "sensor_sda": 6,
    "sensor_scl": 7,
    "rs485_tx": 8,
    "rs485_rx": 9,
    "rs485_send": 10,
    "positive_coil": 11,
    "negative_coil": 12,
    "precharge_coil": 13,
    "fan": 14,
    "interlock": 15,
    "can_interrupt": 1,
    "can_miso": 16,
    "can_select": 17,
    "can_sck": 18,
    "can_mosi": 19,
    "alarm": 20,
    "heater": 21,
    "maintenance": 22,
    "positive_contact": 26,
    "negative_contact": 27,
    "precharge_contact": 28,
}


class Rp2:
    """One of these processors; `scratch_4` is the address of that register."""

    TIMER = -1  # software timers, numbered -1

    def __init__(self, scratch_4):
        self._scratch_4 = scratch_4

    def input_up(self, number):
        """An input that reads 1 while nothing pulls it."""
        return Pin(number, Pin.IN, Pin.PULL_UP)

    def input_down(self, number):
        """An input that reads 0 while nothing pulls it; needs its resistor on an RP2350 (E9)."""
        return Pin(number, Pin.IN, Pin.PULL_DOWN)

    def i2c(self, sda, scl, frequency_hz):
        """I2C on these pins; it does not allocate with one buffer, and gives up after 2 ms."""
        bus = sda // 2 % 2
        return I2C(bus, sda=Pin(sda), scl=Pin(scl), freq=frequency_hz, timeout=I2C_TIMEOUT_US)

    def spi(self, sck, mosi, miso):
        """SPI on these pins."""
        return SPI(sck // 8 % 2, baudrate=SPI_HZ, sck=Pin(sck), mosi=Pin(mosi), miso=Pin(miso))

    def uart(self, baud, tx, rx):
        """A UART on these pins, which never waits."""
        port = (tx + 4) // 8 % 2
        return UART(port, baudrate=baud, tx=Pin(tx), rx=Pin(rx), rxbuf=512, txbuf=512, timeout=0)

    def retained(self):
        """Words that survive a reset."""
        if hasattr(machine, "mem_backup"):  # since MicroPython 1.29
            # The regions are 4 and 3 words; the SDK keeps the one between.
            return Retained(*machine.mem_backup(-1)[:2])
        return Retained(Words(self._scratch_4 - 16, 4), Words(self._scratch_4 + 4, 3))

    def reset_cause(self, retained):
        """MicroPython takes its own reset() for the watchdog's, and a restart for power-up.

        A restart from the prompt (Ctrl-D) after a reset by the watchdog counts as another one: the
        processor keeps saying so until its next reset.
        """
        if machine.reset_cause() == machine.WDT_RESET:
            found = machine.mem32[self._scratch_4] & 0xFFFFFFFF
            return "watchdog" if found == _TIMED_OUT else "soft"
        for word in range(len(retained)):
            if retained[word]:
                return "soft"  # power-up clears them all
        return "power_on"


class Retained:
    """Seven words that survive a reset by the watchdog or by software, not a loss of power.

    They are the free scratch registers of the watchdog (RP2040 data sheet 4.7.6), 32 bits each,
    which take whole words only: a write of a byte fills all four (2.1.4). A value below 2**30
    allocates nothing.
    """

    def __init__(self, low, high):
        self._low = low
        self._high = high
        self._split = len(low)

    def __len__(self):
        return self._split + len(self._high)

    def __getitem__(self, word):
        return self._low[word] if word < self._split else self._high[word - self._split]

    def __setitem__(self, word, value):
        if word < self._split:
            self._low[word] = value
        else:
            self._high[word - self._split] = value


class Words:
    """Neighbouring registers as a sequence of words."""

    def __init__(self, address, count):
        self._address = address
        self._count = count

    def __len__(self):
        return self._count

    def __getitem__(self, word):
        return machine.mem32[self._address + 4 * word]

    def __setitem__(self, word, value):
        machine.mem32[self._address + 4 * word] = value


RP2040 = Rp2(_RP2040_SCRATCH_4)
RP2350 = Rp2(_RP2350_SCRATCH_4)
