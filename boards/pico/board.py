"""Raspberry Pi Pico with BQ76952, MCP2515 and an RS485 transceiver: pins and peripherals.

Both off lines lead to the chip's CFETOFF and DFETOFF inputs (active high), with 4.7 kohm pull-ups
to the Pico's 3.3 V: while the processor is in reset its pins are inputs with a weak pull-down
(RP2040 data sheet 2.19.6: 50 to 80 kohm), so the pull-up wins and the gates are off. On a board
with contactors the same two lines and the chip's DCHG and DDSG pins also cut the coils' supply.
All that switches by a high level has a pull-down, so that it is off in reset.
Wiring: docs/boards/pico.md.
"""

import io
import select
import sys
import time

import machine
import micropython
from machine import I2C, SPI, UART, WDT, Pin, Signal, Timer

NAME = "pico"
AFE_TRIPS_OPEN_CONTACTORS = True  # as docs/boards/pico.md wires the coils' supply

_I2C_HZ = 400000
_I2C_TIMEOUT_US = 2000  # law 7: a bus time-out is 2 ms or less
_SPI_HZ = 8000000  # MCP2515: at most 10 MHz (DS20001801, SPI interface)
_IOCTL_POLL = 3  # MP_STREAM_POLL, py/stream.h
_CTRL_C = 3
_CAN_OSCILLATOR_HZ = 8000000  # the crystal on the usual blue MCP2515 board; 16 MHz on some

# Watchdog scratch register 4, and what the SDK leaves there when the watchdog is started; asked
# for a reset it writes 0 instead (pico-sdk, watchdog_enable and watchdog_reboot).
_SCRATCH_4 = 0x4005801C
_TIMED_OUT = 0x6AB73121

# The lines that switch: made first, driven to "off" as they become outputs.
charge_off = Pin(2, Pin.OUT, value=1)
discharge_off = Pin(3, Pin.OUT, value=1)


class Contactors:
    """Coils, called with 1 to close, and auxiliary contacts, which answer 1 while closed.

    A closed auxiliary contact pulls its pin to ground: a cut wire reads as open.
    """

    def __init__(self):
        self.positive = Pin(11, Pin.OUT, value=0)
        self.negative = Pin(12, Pin.OUT, value=0)
        self.precharge = Pin(13, Pin.OUT, value=0)
        self.positive_closed = Signal(Pin(26, Pin.IN, Pin.PULL_UP), invert=True)
        self.negative_closed = Signal(Pin(27, Pin.IN, Pin.PULL_UP), invert=True)
        self.precharge_closed = Signal(Pin(28, Pin.IN, Pin.PULL_UP), invert=True)


class Outputs:
    """Relays and the like, called with 1 for on."""

    def __init__(self):
        self.alarm = Pin(20, Pin.OUT, value=0)
        self.heater = Pin(21, Pin.OUT, value=0)
        self.fan = Pin(14, Pin.OUT, value=0)


class Retained:
    """Seven words that survive a reset by the watchdog or by software, not a loss of power.

    They are the RP2040's free scratch registers (data sheet 4.7.6), 32 bits each, which take whole
    words only: a write of a byte fills all four (2.1.4). A value below 2**30 allocates nothing.
    """

    def __init__(self):
        # The regions are 4 and 3 words; the SDK keeps the one between (machine.mem_backup).
        self._low, self._high = machine.mem_backup(-1)[:2]
        self._split = len(self._low)

    def __len__(self):
        return self._split + len(self._high)

    def __getitem__(self, word):
        return self._low[word] if word < self._split else self._high[word - self._split]

    def __setitem__(self, word, value):
        if word < self._split:
            self._low[word] = value
        else:
            self._high[word - self._split] = value


_contactors = Contactors()
_outputs = Outputs()
_retained = Retained()
_maintenance = Pin(22, Pin.IN, Pin.PULL_UP)

# 1 while current flows through the loop; a cut wire or a short to ground reads as open.
interlock = Pin(15, Pin.IN, Pin.PULL_DOWN)

ticks_ms = time.ticks_ms
ticks_diff = time.ticks_diff

_timer = Timer(-1)  # RP2040 timers are software timers, numbered -1

# The timer's callback may fail where nothing can be allocated; its exception needs room.
micropython.alloc_emergency_exception_buf(100)


def _find_reset_cause():
    """MicroPython takes its own reset() for the watchdog's, and a restart for power-up."""
    if machine.reset_cause() == machine.WDT_RESET:
        return "watchdog" if machine.mem32[_SCRATCH_4] & 0xFFFFFFFF == _TIMED_OUT else "soft"
    for word in range(len(_retained)):
        if _retained[word]:
            return "soft"  # power-up clears them all
    return "power_on"


_reset_cause = _find_reset_cause()


def gates_off():
    """Drive both off lines to "off", release all coils, and let nothing heat unwatched."""
    charge_off(1)
    discharge_off(1)
    _contactors.positive(0)
    _contactors.negative(0)
    _contactors.precharge(0)
    _outputs.heater(0)


def maintenance_requested():
    """Whether GP22 is tied to ground at start."""
    return _maintenance() == 0


def reset_cause():
    """Why the processor started: "watchdog", "soft" or "power_on".

    A restart from the prompt (Ctrl-D) after a reset by the watchdog counts as another one: the
    RP2040 keeps saying so until its next reset.
    """
    return _reset_cause


def reset():
    """Start over, gates off."""
    gates_off()
    machine.reset()


def retained():
    """Seven words that survive a reset: see `Retained`."""
    return _retained


def afe_bus(frequency_hz=_I2C_HZ):
    """I2C to the measuring chip: GP4 data, GP5 clock."""
    return I2C(0, sda=Pin(4), scl=Pin(5), freq=frequency_hz, timeout=_I2C_TIMEOUT_US)


def sensor_bus():
    """I2C to an INA228, apart from the measuring chip's: GP6 data, GP7 clock."""
    return I2C(1, sda=Pin(6), scl=Pin(7), freq=_I2C_HZ, timeout=_I2C_TIMEOUT_US)


def contactors():
    """The contactors' coils and auxiliary contacts: GP11 to GP13, GP26 to GP28."""
    return _contactors


def outputs():
    """Alarm relay, heater and fan: GP20, GP21, GP14."""
    return _outputs


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
