"""What every board does the same way: lines that switch, buses, console, timer, watchdog.

A board's own file hands in its pins, and what its processor does in its own way (`_rp2`,
`_esp32`): docs/boards/bring-your-own.md. Both off lines lead to inputs that are active high
(BQ76952: CFETOFF and DFETOFF) and have a pull-up, so that the gates are off while the pins are
inputs, in reset. All that switches by a high level has a pull-down. Wiring: docs/boards/wiring.md.

The underscore in the name says that this is no board: firmware/boot.py looks for one.
"""

import gc
import io
import select
import sys
import time

import machine
import micropython
from machine import WDT, Pin, Signal, Timer

I2C_HZ = 400000
I2C_TIMEOUT_US = 2000  # law 7: a bus time-out is 2 ms or less
SPI_HZ = 8000000  # MCP2515: at most 10 MHz (DS20001801, SPI interface)

_CAN_OSCILLATOR_HZ = 8000000  # the crystal on the usual blue MCP2515 board; 16 MHz on some
# Without it garbage is collected when memory is full. By then what stays lies all over the heap,
# and an import finds 95 KB free but not 3 KB in one piece (seen on an emulated Pico: make
# test-rp2040). With 32 KB the application starts in a heap of 200 KB, with 64 KB it does not.
_COLLECT_AFTER = 32768  # bytes

_AFE_WRITE = 76  # bytes at most: 36 and a checksum each, twice over with CRC (bq76952_link)
_SENSOR_WRITE = 2  # an INA228's register
_IOCTL_POLL = 3  # MP_STREAM_POLL, py/stream.h
_CTRL_C = 3
_CONSOLE_WRITE = 128  # bytes at once: 11 ms where the console is a UART at 115200 baud

# Pins that a board may lack, and the setting that is refused then.
_NEEDED_BY = (
    ("interlock", "interlock"),
    ("sensor_sda", "current_sensor"),
    ("alarm", "alarm_relay"),
    ("heater", "heater"),
    ("fan", "fan"),
)
_COILS = ("positive_coil", "negative_coil", "precharge_coil")


class Board:
    """What firmware/boot.py and app.py are handed.

    NAME: of the board's folder. AFE_TRIPS_OPEN_CONTACTORS: the wire from the measuring chip's DCHG
    and DDSG pins to the coils' supply is there (law 5). OFF_LINES_HOLD_GATES: the off lines act on
    the gates themselves, and hold them off while the processor has no supply, which a BQ769x0
    needs (docs/measuring-chips.md). UPPER_AFE_TRIPS_OPEN_GATES: the wire from DCHG and DDSG of a
    stack's upper chip to the switches is there (law 5). LACKS: settings that it can not serve.
    fram: only where an FRAM is declared by its I2C address, on the current sensor's bus: the bus
    and that address (storage.fram).
    charge_off, discharge_off: called with 1 for off. interlock: answers 1 while current flows
    through the loop; a cut wire or a short to ground reads as open. ticks_ms, ticks_diff: time's.
    """

    def __init__(
        self,
        name,
        processor,
        pins,
        afe_trips_open_contactors=False,
        off_lines_hold_gates=False,
        upper_afe_trips_open_gates=False,
        can_oscillator_hz=_CAN_OSCILLATOR_HZ,
        fram_address=None,
        native_can=None,
        drain_can=False,
    ):
        # The lines that switch: made first, driven to "off" as they become outputs.
        self.charge_off = Pin(pins["charge_off"], Pin.OUT, value=1)
        self.discharge_off = Pin(pins["discharge_off"], Pin.OUT, value=1)
        self._coils = [Pin(pins[name], Pin.OUT, value=0) for name in _COILS if name in pins]
        self._outputs = Outputs(pins)
        self.NAME = name
        self.AFE_TRIPS_OPEN_CONTACTORS = afe_trips_open_contactors and bool(self._coils)
        self.OFF_LINES_HOLD_GATES = off_lines_hold_gates
        self.UPPER_AFE_TRIPS_OPEN_GATES = upper_afe_trips_open_gates
        self.LACKS = [setting for pin, setting in _NEEDED_BY if pin not in pins]
        self.LACKS.append("modbus_tcp_port")  # the radios are not used yet
        self.ticks_ms = time.ticks_ms
        self.ticks_diff = time.ticks_diff
        self._processor = processor
        self._pins = pins
        self._can_oscillator_hz = can_oscillator_hz
        self._native_can = native_can
        self._drain_can = drain_can
        self._contactors = Contactors(self._coils, pins, processor) if self._coils else None
        self._maintenance = processor.input_up(pins["maintenance"])
        self.interlock = processor.input_down(pins["interlock"]) if "interlock" in pins else None
        gc.threshold(_COLLECT_AFTER)
        # The timer's callback may fail where nothing can be allocated; its exception needs room.
        micropython.alloc_emergency_exception_buf(100)
        self._timer = Timer(processor.TIMER)
        if fram_address is not None:
            sda, scl = pins["sensor_sda"], pins["sensor_scl"]
            self.fram = processor.i2c(sda, scl, I2C_HZ), fram_address
        self._retained = processor.retained()
        self._reset_cause = processor.reset_cause(self._retained)

    def gates_off(self):
        """Drive both off lines to "off", release all coils, and let nothing heat unwatched."""
        self.charge_off(1)
        self.discharge_off(1)
        for coil in self._coils:
            coil(0)
        if self._outputs.heater:
            self._outputs.heater(0)

    def maintenance_requested(self):
        """Whether the maintenance pin is tied to ground at start."""
        return self._maintenance() == 0

    def reset_cause(self):
        """Why the processor started: "watchdog", "soft" or "power_on"."""
        return self._reset_cause

    def reset(self):
        """Start over, gates off."""
        self.gates_off()
        machine.reset()

    def retained(self):
        """Seven words of 30 bits or more that survive a reset by the watchdog or by software, not
        a loss of power (storage.retained)."""
        return self._retained

    def afe_bus(self, frequency_hz=I2C_HZ):
        """I2C to the measuring chip."""
        return self._bus("afe", frequency_hz, _AFE_WRITE)

    def sensor_bus(self):
        """I2C to an INA228, apart from the measuring chip's."""
        return self._bus("sensor", I2C_HZ, _SENSOR_WRITE)

    def upper_afe_bus(self):
        """I2C to the upper chip of a stack, whose isolator is on the sensor's pins."""
        return self._bus("sensor", I2C_HZ, _AFE_WRITE)

    def contactors(self):
        """The contactors' coils and auxiliary contacts; None on a board without."""
        return self._contactors

    def outputs(self):
        """Alarm relay, heater and fan."""
        return self._outputs

    def can_bus(self):
        """SPI to the MCP2515, its chip select and its crystal's frequency."""
        pins = self._pins
        select = Pin(pins["can_select"], Pin.OUT, value=1)
        spi = self._processor.spi(pins["can_sck"], pins["can_mosi"], pins["can_miso"])
        return spi, select, self._can_oscillator_hz

    def can_interrupt(self):
        """The MCP2515's INT, or None on a board that does without: fetching frames by interrupt
        takes 2 KB of memory."""
        return CanInterrupt(self._pins["can_interrupt"]) if self._drain_can else None

    def native_can(self):
        """What makes the processor's own controller of a bit rate in bit/s, where the board file
        says how it is wired and the running MicroPython has machine.CAN; else None."""
        own = getattr(machine, "CAN", None)
        wired = self._native_can
        if own is None or wired is None:
            return None
        return lambda bitrate: own(bitrate=bitrate, **wired)

    def rs485_port(self, baud):
        """UART to the RS485 transceiver and its transmit-enable pin."""
        pins = self._pins
        send = Pin(pins["rs485_send"], Pin.OUT, value=0)
        return self._processor.uart(baud, pins["rs485_tx"], pins["rs485_rx"]), send

    def console_port(self):
        """The serial port on which MicroPython's prompt is."""
        return Console()

    def start_timer(self, period_ms, callback):
        """Call `callback(timer)` every `period_ms`, softly: between any two bytecodes. Again, with
        another period: from now on so often instead."""
        self._timer.init(mode=Timer.PERIODIC, period=period_ms, callback=callback)

    def stop_timer(self):
        """No more calls: the program ends."""
        self._timer.deinit()
        micropython.kbd_intr(_CTRL_C)  # the REPL takes over from the console

    def doze(self, duration_ms):
        """The processor stands still for so long, clocks off: nothing runs, serial ports hear
        nothing, and pins keep their levels. The timer's callback comes right after it."""
        machine.lightsleep(duration_ms)

    def watchdog(self, timeout_ms):
        """A started watchdog can not be stopped; feed it or be reset."""
        return WDT(timeout=timeout_ms)

    def _bus(self, name, frequency_hz, longest):
        pins = self._pins
        sda, scl = pins[name + "_sda"], pins[name + "_scl"]
        return RegisterBus(self._processor.i2c(sda, scl, frequency_hz), longest)


class Contactors:
    """Coils, called with 1 to close, and auxiliary contacts, which answer 1 while closed.

    A closed auxiliary contact pulls its pin to ground: a cut wire reads as open.
    """

    def __init__(self, coils, pins, processor):
        self.positive, self.negative, self.precharge = coils
        self.positive_closed = _closed(processor, pins["positive_contact"])
        self.negative_closed = _closed(processor, pins["negative_contact"])
        self.precharge_closed = _closed(processor, pins["precharge_contact"])


class Outputs:
    """Relays and the like, called with 1 for on; None where the board has no pin."""

    def __init__(self, pins):
        self.alarm = _off(pins, "alarm")
        self.heater = _off(pins, "heater")
        self.fan = _off(pins, "fan")


class CanInterrupt:
    """INT of an MCP2515: low while it holds frames. A cut wire is high."""

    def __init__(self, number):
        self._pin = Pin(number, Pin.IN, Pin.PULL_UP)
        self.disable = machine.disable_irq
        self.enable = machine.enable_irq

    def listen(self, handler):
        """Have `handler(pin)` called at each falling edge, hard: whatever else runs."""
        self._pin.irq(handler=handler, trigger=Pin.IRQ_FALLING, hard=True)


class RegisterBus:
    """I2C registers without allocating: what drivers are handed (`readfrom_mem_into`,
    `writeto_mem`), under the fast path's heap lock.

    machine.I2C's own writeto_mem puts register and data together in new memory, on rp2 and on
    esp32 (extmod/machine_i2c.c, mp_machine_i2c_transfer_adaptor; ports/esp32/machine_i2c.c):
    under the lock it would fail. Here both are in one buffer that is made once, for at most
    `longest` bytes of data.
    """

    def __init__(self, i2c, longest):
        self._i2c = i2c
        self.readfrom_mem_into = i2c.readfrom_mem_into
        buffer = memoryview(bytearray(1 + longest))
        self._views = [buffer[: 1 + size] for size in range(1 + longest)]

    def writeto_mem(self, address, register, data):
        """Write `data` from `register` on. Raises OSError."""
        view = self._views[len(data)]
        view[0] = register
        place = 1
        for byte in data:
            view[place] = byte
            place += 1
        self._i2c.writeto(address, view)


class Console(io.IOBase):
    """The prompt's serial port in the shape of a UART; Ctrl-C is a character like any other.

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
        """Write what goes out without a long wait; returns how much. USB drops it when nobody
        listens."""
        return sys.stdout.buffer.write(memoryview(data)[:_CONSOLE_WRITE])


def _off(pins, name):
    return Pin(pins[name], Pin.OUT, value=0) if name in pins else None


def _closed(processor, number):
    return Signal(processor.input_up(number), invert=True)
