"""Runs on the 32-bit build: heap that the firmware of a plain Pico holds after boot, in bytes.

Builds what app.py builds, with a configuration and the Pylontech profile, and starts each service
up to its first wait. Left out are the board's own file, which needs a Pico to import, and
MicroPython itself. Garbage is collected between the parts of this script (see run.mjs), because
within one it would be counted. Prints the modules that are still loaded, and the number.
"""

import gc
import sys


class Bus:
    """An I2C bus where nobody answers."""

    def readfrom_mem_into(self, address, register, buffer):
        raise OSError(19)

    def writeto_mem(self, address, register, buffer):
        raise OSError(19)


class Spi:
    """An MCP2515 whose registers keep what is written and which has nothing to say."""

    def __init__(self):
        self.registers = bytearray(128)
        self.registers[0x0E] = 0x80
        self.registers[0x0F] = 0x87

    def write(self, out):
        if out[0] == 0x02:
            for index in range(2, len(out)):
                self.registers[out[1] + index - 2] = out[index]

    def write_readinto(self, out, reply):
        if out[0] == 0x03:
            for index in range(2, len(out)):
                reply[index] = self.registers[out[1] + index - 2]


class Port:
    """A serial port that nobody uses."""


class Board:
    """The shape of boards/_common.py's."""

    NAME = "pico"
    LACKS = ()
    ticks = 0

    def ticks_ms(self):
        return self.ticks

    def ticks_diff(self, end, start):
        return end - start

    def line(self, level=None):
        pass

    charge_off = discharge_off = line

    def reset(self):
        pass

    def afe_bus(self):
        return Bus()

    def native_can(self):
        return None

    def can_interrupt(self):
        return None

    def can_bus(self):
        return Spi(), self.line, 8000000

    def rs485_port(self, baud):
        return Port(), self.line

    def console_port(self):
        return Port()

    def retained(self):
        return [0] * 7

    def reset_cause(self):
        return "power_on"

    def start_timer(self, period_ms, callback):
        pass

    def watchdog(self, timeout_ms):
        return self

    def feed(self):
        pass


class Wait:
    """What a service waits for here, for ever."""

    def __iter__(self):
        yield


async def wait(service, *arguments):
    """Stands in for a service's `run`; its own one stays in memory."""
    kept.append(service)
    await Wait()


def loaded(name):
    """A class, from whichever module has it: in compiled code several are one file."""
    for module in sys.modules.values():
        if hasattr(module, name):
            return getattr(module, name)
    raise ImportError(name)


def boot():
    """What boot.py, main.py and app.run do, up to where all services wait."""
    import app

    application = app.Application(Board())
    application.start_guarding()
    assert application.configuration.loaded, application.configuration.problems
    __import__("inverter.link")
    for service_class in (loaded("Door"), loaded("InverterLink"), loaded("Port")):
        kept.append(service_class.run)
        service_class.run = wait
    assert len(application.services) == 5
    for name, service in application.services:
        coroutine = service()
        kept.append(coroutine)
        if name != "slow path":  # it waits by asyncio's clock, and holds nothing
            coroutine.send(None)
    for _ in range(20):
        application.battery.step(100)
    application.battery.slow_step(1000)
    assert application.battery.failure is None
    # As the slow path does once a chip guards; here is none, and ten seconds without use.
    application.afe.put_away()
    application.parameters.put_away()
    application.points.put_away()
    application.faults.put_away()
    return application


PADDING = 0  # bytes by which all that follows lies elsewhere: heap.py
padding = bytearray(PADDING)
kept = []  # what would live on the stacks of the coroutines
application = None
before = after = 0
# ---
before = gc.mem_alloc()
# ---
application = boot()
# ---
after = gc.mem_alloc()
print(" ".join(sys.modules))
print(after - before)
