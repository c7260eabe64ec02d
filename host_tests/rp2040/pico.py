"""An emulated Raspberry Pi Pico (rp2040py) in the simulated world: the board that the firmware is
flashed on, instruction by instruction.

The chips, the pack and the inverter are those of boards/sim, which know registers and pins only;
here they hang on the emulated processor's I2C, SPI and GPIO. Time is the emulated processor's: the
world is brought up to it before anybody looks at it.

Limits: the emulator fetches every instruction in one cycle, as if all code lay in RAM. On a Pico,
MicroPython runs from flash through a cache of 16 KB and is slower by what it misses. RS485 (UART)
ends in the air.
"""

import re
from pathlib import Path

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.device.load_flash import load_uf2
from rp2040py.gpio_pin import GPIOPinState
from rp2040py.memory_map import FLASH_START_ADDRESS
from rp2040py.peripherals.i2c import I2CMode
from rp2040py.peripherals.uart import UARTDR, UARTIMIS, UARTTXINTR
from rp2040py.rp2040 import RP2040
from rp2040py.simulator import Simulator
from rp2040py.usb.cdc import USBCDC
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from boards.sim.world import World

# boards/_rp2.py, PICO_PINS
CHARGE_OFF, DISCHARGE_OFF = 2, 3
CAN_SELECT = 17

FILES_START, FILES_END = 640 * 1024, 2048 * 1024  # ports/rp2, RPI_PICO: 1408 KB at the end
_LONGEST_READ = 64
_CLOCK_HZ = 125_000_000
_BITS = 9  # a byte on I2C with its acknowledgement


class Pico:
    """uf2: stock MicroPython. files: bytes of the file system. world: what the board is wired to.

    console: all that it has printed on USB. resets_us: when the watchdog bit.
    """

    def __init__(self, uf2: Path, files: bytes, world: World):
        self.world = world
        self.console = bytearray()
        self.processor = RP2040()
        self.processor.logger = ConsoleLogger(LogLevel.ERROR)
        self.processor.load_bootrom(BOOTROM_B1)
        load_uf2(uf2, self.processor)
        self.files = files
        self.resets_us: list[int] = []
        self._hung = False
        self._simulator = Simulator(rp2040=self.processor)
        self._usb: USBCDC | None = None
        self._stop = self._simulator.clock.create_alarm(self._on_stop)
        self.processor.watchdog.on_watchdog_trigger = self._on_reset
        for uart in self.processor.uart:
            _mend(uart)
        _I2cWires(self)
        _SpiWires(self)
        self._gpio = self.processor.gpio
        for number in (CHARGE_OFF, DISCHARGE_OFF):
            self._gpio[number].add_listener(self._on_off_line)
        self.processor.core.pc = FLASH_START_ADDRESS
        self._on_off_line()

    @property
    def files(self) -> bytes:
        """The file system as it is in flash."""
        return bytes(self.processor.flash[FILES_START:FILES_END])

    @files.setter
    def files(self, image: bytes) -> None:
        self.processor.flash[FILES_START : FILES_START + len(image)] = image

    @property
    def now_us(self) -> int:
        """Emulated time since the supply came."""
        return int(self._simulator.clock.nanos // 1000)

    def plug_in(self) -> None:
        """A computer on USB: from now on `console` grows. Its polling costs the processor two
        thirds of its time, far more than a real one does, so that times count without it only."""
        self._usb = USBCDC(self.processor.usb_ctrl)
        self._usb.on_serial_data = self.console.extend
        self.processor.usb_ctrl.reset_device()

    @property
    def gates(self) -> tuple[bool, bool]:
        """Whether the charge and the discharge switch conduct."""
        self.catch_up()
        return self.world.afe.charge_on, self.world.afe.discharge_on

    @property
    def watchdog_on(self) -> bool:
        """The application starts it as it starts to guard."""
        return bool(self.processor.watchdog.timer.enable)

    def catch_up(self) -> None:
        """Let the world's time pass until the processor's."""
        behind_us = self.now_us - self.world.time_us
        if behind_us > 0:
            self.world.advance(behind_us)

    def hang(self) -> None:
        """The processor executes nothing any more, until its next reset."""
        self._hung = True

    def micropython(self) -> str:
        """The version that its flash names."""
        found = re.search(rb"v(\d+\.\d+\.\d+[^\0 ]*) on \d{4}-", bytes(self.processor.flash))
        return found[1].decode() if found else "unknown"

    def run_ms(self, milliseconds: float) -> None:
        """Let time pass."""
        end_us = self.now_us + int(milliseconds * 1000)
        while self._hung and self.now_us < end_us:
            self._simulator.clock.tick(1_000_000)
        while self.now_us < end_us:
            self._stop.schedule(min(end_us - self.now_us, 10000) * 1000)
            self._simulator.stopped = False
            while not self._simulator.stopped:
                self._simulator._execute_batch()
            self.catch_up()

    def wait(self, condition, milliseconds: float, step_ms: float = 10) -> bool:
        """Until the condition holds; False if it does not in that time."""
        end_us = self.now_us + int(milliseconds * 1000)
        while self.now_us < end_us:
            if condition():
                return True
            self.run_ms(step_ms)
        return condition()

    def type(self, text: str) -> None:
        """What a person types, as fast as USB takes it."""
        for character in text.encode():
            self._usb.send_serial_byte(character)

    def text(self) -> str:
        return self.console.decode(errors="replace")

    def _on_stop(self) -> None:
        self._simulator.stopped = True

    def _on_reset(self) -> None:
        self.resets_us.append(self.now_us)
        self._hung = False
        self.processor.enter_reset(from_watchdog=True)
        self._on_off_line()
        self.processor.leave_reset()

    def _on_off_line(self, *_states) -> None:
        """The wires to CFETOFF and DFETOFF have a pull-up: only a pin that drives low allows."""
        self.catch_up()
        charge, discharge = (
            self._gpio[number].value != GPIOPinState.LOW for number in (CHARGE_OFF, DISCHARGE_OFF)
        )
        self.world.set_off_lines(int(charge), int(discharge))


def _mend(uart) -> None:
    """rp2040py 0.3.6 raises a UART's transmit interrupt again while it is being cleared, so that
    the processor never leaves its handler. The real one is raised when the queue drains through
    its mark (ARM DDI 0183, UARTTXINTR): after something was written."""

    def check() -> None:
        pending = uart.read_uint32(UARTIMIS)
        uart.rp2040.set_interrupt(uart.irq, bool(pending))

    write = uart.write_uint32

    def write_and_drain(offset, value) -> None:
        write(offset, value)
        if offset == UARTDR:
            uart._interrupt_status |= UARTTXINTR
            check()

    uart.check_interrupts = check
    uart.write_uint32 = write_and_drain


class _I2cWires:
    """The simulated chips on the emulated I2C0, a byte after the other.

    A device of boards/sim takes a whole transaction: writes are handed over at their end, and a
    read is fetched whole when its first byte is asked for.
    """

    def __init__(self, pico: Pico):
        self._pico = pico
        self._port = port = pico.processor.i2c[0]
        self._device = None
        self._register = 0
        self._written = bytearray()
        self._has_register = False
        self._read: list[int] = []
        self._due = None
        self._alarm = pico.processor.clock.create_alarm(self._on_alarm)
        port.on_start = lambda repeated: self._hand_over(port.complete_start)
        port.on_connect = self._on_connect
        port.on_write_byte = self._on_write
        port.on_read_byte = self._on_read
        port.on_stop = lambda: self._hand_over(port.complete_stop)

    def _after_a_byte(self, act) -> None:
        self._due = act
        clocks = self._port.scl_low_period + self._port.scl_high_period
        self._alarm.schedule(_BITS * clocks * 1e9 / _CLOCK_HZ)

    def _on_alarm(self) -> None:
        self._due()

    def _on_connect(self, address, mode) -> None:
        self._pico.catch_up()
        self._device = self._pico.world.i2c.device_at(address)
        self._read = []
        if mode == I2CMode.WRITE:
            self._written = bytearray()
            self._has_register = False
        there = self._device is not None
        self._after_a_byte(lambda: self._port.complete_connect(there))

    def _on_write(self, value) -> None:
        if self._has_register:
            self._written.append(value)
        else:
            self._register = value
            self._has_register = True
        self._after_a_byte(lambda: self._port.complete_write(True))

    def _on_read(self, _acknowledged) -> None:
        if not self._read:
            self._pico.catch_up()
            data = bytearray(_LONGEST_READ)
            self._device.read(self._register, data)
            self._read = list(data)
        value = self._read.pop(0)
        self._after_a_byte(lambda: self._port.complete_read(value))

    def _hand_over(self, complete) -> None:
        if self._written:
            self._pico.catch_up()
            self._device.write(self._register, bytes(self._written))
            self._written = bytearray()
        complete()


class _SpiWires:
    """The MCP2515 on the emulated SPI0."""

    def __init__(self, pico: Pico):
        self._pico = pico
        self._port = port = pico.processor.spi[0]
        self._value = 0
        self._alarm = pico.processor.clock.create_alarm(self._complete)
        port.on_transmit = self._on_transmit
        self._select = pico.processor.gpio[CAN_SELECT]
        self._select.add_listener(self._on_select)

    def _on_select(self, *_states) -> None:
        self._pico.catch_up()
        self._pico.world.can_select(0 if self._select.value == GPIOPinState.LOW else 1)

    def _on_transmit(self, value) -> None:
        received = bytearray(1)
        self._pico.world.spi.write_readinto(bytes([value]), received)
        self._value = received[0]
        self._alarm.schedule(8e9 / self._port.clock_frequency)

    def _complete(self) -> None:
        self._port.complete_transmit(self._value)
