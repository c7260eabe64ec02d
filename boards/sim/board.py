"""The simulated board: a board like the others, whose chips are models on a simulated pack.

`boards.sim.simulation` builds the models before the firmware boots; here they get the names that
every board has.
"""

import sys

from boards.sim.simulation import simulation
from boards.sim.sockets import TcpListener

NAME = "sim"

charge_off = simulation.charge_off
discharge_off = simulation.discharge_off
ticks_ms = simulation.clock.ticks_ms
ticks_diff = simulation.clock.ticks_diff

# The chip's DCHG and DDSG outputs are wired into the supply of the contactors' coils (law 5).
AFE_TRIPS_OPEN_CONTACTORS = True
# With a simulated BQ769x0 the off lines act on the gates themselves.
OFF_LINES_HOLD_GATES = True
# With a simulated stack both chips' DCHG and DDSG are wired to the switches (law 5).
UPPER_AFE_TRIPS_OPEN_GATES = True

LACKS = ()  # no setting that this board can not serve

# Declared only where the run's options fit one, like the boards' own.
if simulation.fram:
    fram = simulation.world.sensor_i2c, simulation.fram.address


def gates_off():
    """Drive both off lines to "off", release all coils, and let nothing heat unwatched."""
    charge_off(1)
    discharge_off(1)
    coils = simulation.contactor_lines
    coils.positive(0)
    coils.negative(0)
    coils.precharge(0)
    simulation.world.outputs.heater(0)


def maintenance_requested():
    """The simulated maintenance pin is never tied to ground; the file /maintenance works."""
    return False


def reset_cause():
    """Why the processor started: "watchdog", "soft" or "power_on"."""
    return simulation.reset_cause


def reset():
    """Start over, gates off."""
    gates_off()
    simulation.end("reset")


def afe_bus(frequency_hz=400_000):
    """I2C to the simulated measuring chip."""
    bus = simulation.world.i2c
    bus.frequency_hz = frequency_hz
    return bus


def upper_afe_bus():
    """I2C to the upper one of a simulated stack: the bus of the INA228."""
    return simulation.world.sensor_i2c


def sensor_bus():
    """I2C to the simulated INA228: a bus of its own."""
    return simulation.world.sensor_i2c


def contactors():
    """Lines to the coils and auxiliary contacts: see ContactorLines."""
    return simulation.contactor_lines


def interlock():
    """1 while the loop of the emergency stop is closed."""
    return 1 if simulation.world.interlock_closed else 0


def outputs():
    """Alarm relay, heater and fan: callables that take a level, 1 is on."""
    return simulation.world.outputs


def retained():
    """Seven words of 32 bits that a watchdog or soft reset leaves alone, as on an RP2040."""
    return memoryview(simulation.world.retained.words)


def can_bus():
    """SPI to the simulated MCP2515, its chip select and its oscillator's frequency."""
    return simulation.world.spi, simulation.world.can_select, simulation.world.can_oscillator_hz


def can_interrupt():
    """The MCP2515's INT."""
    return simulation.world.can_interrupt


def native_can():
    """The simulated processor has no CAN controller of its own."""


def rs485_port(_baud):
    """RS485 as a local socket; a wire without a transceiver needs no transmit enable."""
    return simulation.rs485, None


def tcp_listener(port):
    """A TCP port of this computer, for Modbus TCP."""
    return TcpListener(port)


def console_port():
    """The console as a local socket."""
    return simulation.console


def start_timer(period_ms, callback):
    """Call `callback(timer)` every `period_ms` of virtual time, and no more as often as before."""
    simulation.start_timer(period_ms, callback)


def stop_timer():
    """No more calls."""
    simulation.stop_timer()


def doze(duration_ms):
    """The processor stands still for so long."""
    simulation.doze(duration_ms)


def watchdog(timeout_ms):
    """A watchdog that really ends the run."""
    return simulation.watchdog(timeout_ms)


board = sys.modules[__name__]  # what boot.py takes
