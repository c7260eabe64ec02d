"""The processor starts anew while the measuring chip kept its state, or the other way round.

Firmware and simulated chip in one process: a new Battery over the same World is what a reset of
the processor alone is. The off lines are off while it is in reset (law 1).
"""

import pytest

from afe.bq76952 import Bq76952
from bms import requests
from bms.battery import Battery
from bms.events import Events
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points, set_bit_names
from bms.switch import FetPath
from boards.sim import faults
from boards.sim.world import World
from host_tests.bms.bench import cell_model
from host_tests.system.simulated_board import SETTINGS

PERIOD_MS = 100
BOTH = (True, True)


class Board:
    """A world, and the firmware that runs in it since the last `boot`."""

    def __init__(self, timed=True):
        self.world = World()
        if timed:
            self.world.i2c.elapse = self.world.afe.advance  # transfers take their time
        self.boot()

    def boot(self):
        """Reset of the processor: the lines go off, then everything is built anew."""
        self.world.set_off_lines(charge=1, discharge=1)
        self.parameters = Parameters()
        self.parameters.load(SETTINGS)
        self.points = Points()
        self.faults = Faults()
        self.driver = Bq76952(self.world.i2c, self.parameters)
        path = FetPath(
            self.driver,
            lambda level: self.world.set_off_lines(charge=level),
            lambda level: self.world.set_off_lines(discharge=level),
            self.parameters,
            self.faults,
        )
        self.battery = Battery(
            self.points,
            self.parameters,
            self.faults,
            self.driver,
            path,
            Events(),
            True,
            model=cell_model(self.parameters),
        )

    def run(self, duration_ms):
        for _ in range(duration_ms // PERIOD_MS):
            self.world.advance(PERIOD_MS * 1000)
            self.battery.step(PERIOD_MS)
        assert self.battery.failure is None

    def gates(self):
        return self.world.afe.charge_on, self.world.afe.discharge_on

    def active(self):
        start = self.points.offset("faults")
        return set(set_bit_names(self.points.live[start : start + 4], self.faults))


@pytest.fixture
def guarding():
    board = Board()
    board.run(7000)
    assert board.gates() == BOTH
    assert board.active() == set()
    return board


def test_gates_that_a_reset_left_on_are_off_before_anything_else(guarding):
    guarding.boot()
    assert guarding.gates() == (False, False)
    guarding.run(7000)
    assert guarding.gates() == BOTH


TRANSACTIONS = 170  # more than programming takes


def periods_closed_uncommanded(restart_at):
    """Periods in which a gate was on that the battery did not command, with the chip losing its
    supply for a moment just before one I2C transaction."""
    board = Board(timed=False)
    world = board.world

    def before_transaction(_us):
        if world.i2c.transactions == restart_at:
            world.afe.power_on_reset()

    world.i2c.elapse = before_transaction
    periods = 0
    for _ in range(60):
        world.advance(PERIOD_MS * 1000)
        periods += board.gates() != (False, False) and board.battery._path.commanded == 0
        board.battery.step(PERIOD_MS)
    return periods


def test_a_chip_that_restarts_while_it_is_programmed_closes_no_gate():
    """Without the host's settings a BQ76952 closes its gates at FET_ENABLE (SLUUBY2B, FET_INIT_OFF
    is 0), and its off lines do nothing. The 0.2 ms between the driver's look at the chip and the
    command itself remain; there the gates are off again within three steps."""
    periods = [periods_closed_uncommanded(at) for at in range(1, TRANSACTIONS)]
    assert sum(closed > 0 for closed in periods) <= 1
    assert max(periods) <= 3


def test_a_short_circuit_that_tripped_while_the_processor_hung_is_latched_at_boot(guarding):
    faults.inject(guarding.world, "short_circuit")
    guarding.world.advance(100000)  # the chip acts, the processor does not
    assert guarding.gates() == (False, False)
    faults.clear(guarding.world, "short_circuit")
    guarding.boot()
    guarding.run(20000)
    assert guarding.gates() == (False, False)
    assert guarding.active() == {"short_circuit"}
    guarding.battery.requests.post(requests.CLEAR_FAULTS)
    guarding.run(1000)
    assert guarding.gates() == BOTH


def test_programming_anew_does_not_forget_a_trip(guarding):
    faults.inject(guarding.world, "short_circuit")
    guarding.world.advance(100000)
    faults.clear(guarding.world, "short_circuit")
    guarding.battery.requests.post(requests.REPROGRAM_AFE)
    guarding.run(20000)
    assert guarding.gates() == (False, False)
    assert "short_circuit" in guarding.active()


def test_a_stall_as_long_as_the_chips_watchdog_is_a_fault(guarding):
    guarding.world.advance(6_000_000)
    assert guarding.gates() == (False, False)  # the chip's host watchdog, 4 s
    guarding.battery.step(6000)
    assert "afe_watchdog" in guarding.active()
    assert guarding.gates() == (False, False)
    guarding.run(7000)
    assert guarding.active() == set()
    assert guarding.gates() == BOTH


def test_a_silent_chip_can_not_be_cleared_of_what_it_can_not_show(guarding):
    faults.inject(guarding.world, "short_circuit")
    guarding.run(1000)
    faults.clear(guarding.world, "short_circuit")
    faults.inject(guarding.world, "afe_silent")
    guarding.run(10000)
    guarding.battery.requests.post(requests.CLEAR_FAULTS)
    guarding.run(1000)
    assert "short_circuit" in guarding.active()
