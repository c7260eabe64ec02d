"""The simulated board: a board like the others, whose chips are models on a simulated pack.

`boards.sim.simulation` builds the models before the firmware boots; here they get the names that
every board has.
"""

from boards.sim.simulation import simulation

NAME = "sim"

charge_off = simulation.charge_off
discharge_off = simulation.discharge_off
ticks_ms = simulation.clock.ticks_ms
ticks_diff = simulation.clock.ticks_diff


def gates_off():
    """Drive both off lines to "off"."""
    charge_off(1)
    discharge_off(1)


def maintenance_requested():
    """The simulated maintenance pin is never tied to ground; the file /maintenance works."""
    return False


def reset_cause():
    """Why the processor started: "watchdog" or "power_on"."""
    return simulation.reset_cause


def reset():
    """Start over, gates off."""
    gates_off()
    simulation.end("reset")


def afe_bus():
    """I2C to the simulated measuring chip."""
    return simulation.world.i2c


def can_bus():
    """SPI to the simulated MCP2515, its chip select and its oscillator's frequency."""
    return simulation.world.spi, simulation.world.can_select, simulation.world.can_oscillator_hz


def rs485_port(_baud):
    """RS485 as a local socket; a wire without a transceiver needs no transmit enable."""
    return simulation.rs485, None


def console_port():
    """The console as a local socket."""
    return simulation.console


def start_timer(period_ms, callback):
    """Call `callback(timer)` every `period_ms` of virtual time."""
    simulation.start_timer(period_ms, callback)


def stop_timer():
    """No more calls."""
    simulation.stop_timer()


def watchdog(timeout_ms):
    """A watchdog that really ends the run."""
    return simulation.watchdog(timeout_ms)
