"""ESP32 and ESP32-S3: what these processors do in their own way.

While such a processor is in reset its pins are inputs; which of them has a pull, or moves while
power comes up, is on the boards' pages. A reset by software or by MicroPython's watchdog (a panic
of the task watchdog) restarts the processor only: its pins keep their levels until the first lines
of the board file (ESP-IDF, esp_restart: "Peripherals (except for Wi-Fi, BT, UART0, SPI1, and
legacy timers) are not reset"). For that moment the measuring chip's own watchdog stands in.
"""

import machine
from machine import SPI, UART, Pin, SoftI2C

from boards._common import I2C_TIMEOUT_US, SPI_HZ

_UART = 1  # 0 is the prompt's
_WORDS = 7
_INPUT_ONLY = 34  # ESP32: GPIO34 and above have neither an output nor pulls (data sheet, GPIO)


class Esp32:
    """One of these processors; `can_spi` is the number of the SPI for CAN, whose own pins are the
    fast ones; `input_only`: whether pins from GPIO34 on have no pulls (ESP32, not ESP32-S3)."""

    TIMER = 0  # a hardware timer; its callback is a soft one

    def __init__(self, can_spi, input_only):
        self._can_spi = can_spi
        self._input_only = input_only

    def input_up(self, number):
        """An input that reads 1 while nothing pulls it, by its resistor where it has no pull."""
        return Pin(number, Pin.IN) if self._pullless(number) else Pin(number, Pin.IN, Pin.PULL_UP)

    def input_down(self, number):
        """An input that reads 0 while nothing pulls it, by its resistor where it has no pull."""
        if self._pullless(number):
            return Pin(number, Pin.IN)
        return Pin(number, Pin.IN, Pin.PULL_DOWN)

    def _pullless(self, number):
        return self._input_only and number >= _INPUT_ONLY

    def i2c(self, sda, scl, frequency_hz):
        """I2C on these pins, in software: machine.I2C of this port waits for up to 100 ms a byte,
        or allocates and asks for the chip twice (ports/esp32/machine_i2c.c, both drivers)."""
        return SoftI2C(scl=Pin(scl), sda=Pin(sda), freq=frequency_hz, timeout=I2C_TIMEOUT_US)

    def spi(self, sck, mosi, miso):
        """SPI on these pins."""
        return SPI(self._can_spi, baudrate=SPI_HZ, sck=Pin(sck), mosi=Pin(mosi), miso=Pin(miso))

    def uart(self, baud, tx, rx):
        """A UART on these pins, which never waits."""
        return UART(_UART, baudrate=baud, tx=Pin(tx), rx=Pin(rx), rxbuf=512, txbuf=512, timeout=0)

    def retained(self):
        """Words that survive a reset."""
        return Retained()

    def reset_cause(self, _retained):
        """A reset from the prompt, by machine.reset() or by a panic is "soft"."""
        cause = machine.reset_cause()
        if cause == machine.WDT_RESET:
            return "watchdog"
        return "power_on" if cause == machine.PWRON_RESET else "soft"


class Retained:
    """Seven words at the start of the RTC memory that MicroPython leaves to its user: it survives
    a reset by the watchdog or by software, and holds anything after power-up (RTC_NOINIT_ATTR in
    ports/esp32/machine_rtc.c). Two accesses to a word can be parted by a reset: whoever reads must
    tell (storage.retained does). A value below 2**30 allocates nothing.
    """

    def __init__(self):
        self._bytes = machine.mem_backup(-1)[0]  # the only region, of bytes

    def __len__(self):
        return _WORDS

    def __getitem__(self, word):
        at = 4 * word
        data = self._bytes
        return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24

    def __setitem__(self, word, value):
        at = 4 * word
        data = self._bytes
        data[at] = value & 0xFF
        data[at + 1] = value >> 8 & 0xFF
        data[at + 2] = value >> 16 & 0xFF
        data[at + 3] = value >> 24
