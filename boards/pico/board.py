"""Raspberry Pi Pico with BQ76952, MCP2515 and an RS485 transceiver: pins and peripherals.

Both off lines lead to the chip's CFETOFF and DFETOFF inputs (active high), with 4.7 kohm pull-ups
to the Pico's 3.3 V: while the processor is in reset its pins are inputs with a weak pull-down
(RP2040 data sheet 2.19.6: 50 to 80 kohm), so the pull-up wins and the gates are off.
Wiring: docs/boards/pico.md.
"""

import io
import select
import sys
import time

import machine
import micropython
from machine import I2C, SPI, UART, WDT, Pin, Timer

NAME = "pico"

_I2C_HZ = 400000
_I2C_TIMEOUT_US = 2000  # law 7: a bus time-out is 2 ms or less
_SPI_HZ = 8000000  # MCP2515: at most 10 MHz (DS20001801, SPI interface)
_IOCTL_POLL = 3  # MP_STREAM_POLL, py/stream.h
_CTRL_C = 3
_CAN_OSCILLATOR_HZ = 8000000  # the crystal on the usual blue MCP2515 board; 16 MHz on some

# The lines that switch: made first, driven to "off" as they become outputs.
charge_off = Pin(2, Pin.OUT, value=1)
discharge_off = Pin(3, Pin.OUT, value=1)
_maintenance = Pin(22, Pin.IN, Pin.PULL_UP)

ticks_ms = time.ticks_ms
ticks_diff = time.ticks_diff

_timer = Timer(-1)  # RP2040 timers are software timers, numbered -1


def gates_off():
    """Drive both off lines to "off"."""
    charge_off(1)
    discharge_off(1)


def maintenance_requested():
    """Whether GP22 is tied to ground at start."""
    return _maintenance() == 0


def reset_cause():
    """Why the processor started: "watchdog" or "power_on"."""
    return "watchdog" if machine.reset_cause() == machine.WDT_RESET else "power_on"


def reset():
    """Start over, gates off."""
    gates_off()
    machine.reset()


def afe_bus():
    """I2C to the measuring chip: GP4 data, GP5 clock."""
    return I2C(0, sda=Pin(4), scl=Pin(5), freq=_I2C_HZ, timeout=_I2C_TIMEOUT_US)


def can_bus():
    """SPI to the MCP2515, its chip select and its crystal's frequency: GP16 to GP19."""
    select = Pin(17, Pin.OUT, value=1)
    spi = SPI(0, baudrate=_SPI_HZ, sck=Pin(18), mosi=Pin(19), miso=Pin(16))
    return spi, select, _CAN_OSCILLATOR_HZ


def rs485_port(baud):
    """UART to the RS485 transceiver (GP8 out, GP9 in) and its transmit-enable pin (GP10)."""
    uart = UART(1, baudrate=baud, tx=Pin(8), rx=Pin(9), rxbuf=512, txbuf=512, timeout=0)
    return uart, Pin(10, Pin.OUT, value=0)


class UsbConsole(io.IOBase):
    """The USB serial port in the shape of a UART; Ctrl-C is a character here like any other.

    stdin blocks until it has read all that is asked for, so it is asked for one byte at a time.
    """

    def __init__(self):
        micropython.kbd_intr(-1)
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._byte = bytearray(1)

    def ioctl(self, request, events):
        """What select.poll asks a stream: which of `events` are ready."""
        if request != _IOCTL_POLL:
            return 0
        ready = events & select.POLLOUT
        if events & select.POLLIN and self._poll.poll(0):
            ready |= select.POLLIN
        return ready

    def readinto(self, buffer):
        """One byte, or None if none waits."""
        if not self._poll.poll(0):
            return None
        sys.stdin.buffer.readinto(self._byte)
        buffer[0] = self._byte[0]
        return 1

    def write(self, data):
        """Write all of `data`; USB drops it when nobody listens."""
        return sys.stdout.buffer.write(data)


def console_port():
    """The USB serial port."""
    return UsbConsole()


def start_timer(period_ms, callback):
    """Call `callback(timer)` every `period_ms`, between any two bytecodes (a soft callback)."""
    _timer.init(mode=Timer.PERIODIC, period=period_ms, callback=callback)


def stop_timer():
    """No more calls: the program ends."""
    _timer.deinit()
    micropython.kbd_intr(_CTRL_C)  # the REPL takes over from the console


def watchdog(timeout_ms):
    """A started watchdog can not be stopped; feed it or be reset."""
    return WDT(timeout=timeout_ms)
