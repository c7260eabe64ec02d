"""Every driver of a measuring chip with the model of that chip, for the conformance tests.

A pair is all that the tests must know beside the driver's interface: what the chip is, what it can
do by itself, and how a test breaks it. A new driver gets a row in PAIRS and is held to the same
tests. Time is the model's: a transaction lasts as long as on the wire at `bus_hz`, and the host
does something every PERIOD_US.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from afe.bq769x0 import Bq769x0
from afe.bq769x0_settings import TAKEN as BQ769X0_TAKEN
from afe.bq76952 import Bq76952
from afe.bq76952_settings import TAKEN as BQ76952_TAKEN
from afe.stack import Stack
from bms.parameters import Parameters
from bms.sample import (
    BUSY,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CELL_UNDERVOLTAGE,
    TRIP_OVERCURRENT_CHARGE,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_OVERTEMPERATURE_CHARGE,
    TRIP_SHORT_CIRCUIT,
    Sample,
)
from boards.sim.afe_stack import AfeStack
from boards.sim.bq769x0 import Bq769x0 as Bq769x0Model
from boards.sim.bq76952 import Bq76952 as Bq76952Model
from boards.sim.i2c import I2C
from host_tests.afe.simulated_chip import StillPack

PERIOD_US = 100_000

_EVERY_CHIP = (
    TRIP_CELL_OVERVOLTAGE
    | TRIP_CELL_UNDERVOLTAGE
    | TRIP_OVERCURRENT_DISCHARGE
    | TRIP_SHORT_CIRCUIT
)


_BQ76952_ALONE = _EVERY_CHIP | TRIP_OVERCURRENT_CHARGE | TRIP_OVERTEMPERATURE_CHARGE
_COV_THRESHOLD = 0x9278
_OV_TRIP = 9


def _spoil_bq76952(chip):
    chip.memory.write(_COV_THRESHOLD, bytes([chip.memory.u8(_COV_THRESHOLD) ^ 1]))


def _spoil_bq769x0(chip):
    chip.registers[_OV_TRIP] ^= 1


def _stack_driver(bus, parameters, crc, upper_bus):
    lower = Bq76952(bus, parameters, crc)
    return Stack(lower, Bq76952(upper_bus, parameters, crc), parameters)


def _held_by(chip):
    return bytes(chip.memory.block(0x9275)) + bytes(chip.memory.block(0x9261))


@dataclass(frozen=True)
class Pair:
    """alone: TRIP_* bits of what the chip trips by itself. scan_ms: how often it measures cells.
    spoil(chip): a bit of its over-voltage threshold flips. held(chip): what it holds of the
    settings. settle_ms: a new temperature is measured by then. sees_load: whether it can tell if a
    load is there. upper: of a stack, whether faults meet the upper chip and its cells.
    """

    name: str
    driver: Callable
    model: type
    crc: bool = False
    fewest: int = 3
    cells: int = 16
    sensors: int = 3
    bus_hz: int = 400_000
    alone: int = _EVERY_CHIP
    scan_ms: int = 63
    settle_ms: int = 500
    spoil: Callable = _spoil_bq76952
    held: Callable = _held_by
    taken: tuple = BQ76952_TAKEN
    arguments: dict = field(default_factory=dict)  # of driver and model
    settings: dict = field(default_factory=dict)
    sees_load: bool = True
    upper: bool | None = None

    def __str__(self):
        return self.name


def _bq769x0(name, inputs, crc):
    return Pair(
        name,
        Bq769x0,
        Bq769x0Model,
        crc,
        fewest=3 * (inputs // 5),
        cells=inputs,
        sensors=inputs // 5,
        bus_hz=100_000,
        scan_ms=250,
        settle_ms=9000,  # thermistors stand still for 6 s while the dies are measured
        spoil=_spoil_bq769x0,
        held=lambda chip: bytes(chip.registers[6:12]),
        taken=BQ769X0_TAKEN,
        arguments={"inputs": inputs},
    )


def _stack(name, crc, upper):
    return Pair(
        name,
        _stack_driver,
        AfeStack,
        crc,
        fewest=6,
        cells=32,
        alone=_BQ76952_ALONE,
        held=lambda chip: _held_by(chip.lower) + _held_by(chip.upper),
        settings={"cell_thermistors": 2, "fet_side": 1},
        sees_load=False,
        upper=upper,
    )


PAIRS = (
    Pair("BQ76952", Bq76952, Bq76952Model, alone=_BQ76952_ALONE),
    Pair("BQ76952-crc", Bq76952, Bq76952Model, True, alone=_BQ76952_ALONE),
    _bq769x0("BQ76940", 15, False),
    _bq769x0("BQ76940-crc", 15, True),
    _bq769x0("BQ76930", 10, False),
    _bq769x0("BQ76930-crc", 10, True),
    _bq769x0("BQ76920", 5, False),
    _bq769x0("BQ76920-crc", 5, True),
    _stack("stack", False, False),
    _stack("stack-crc", True, False),
    _stack("stack-upper", False, True),
    _stack("stack-upper-crc", True, True),
)


class Bench:
    """A pair at work: pack, chip, bus and the driver as the battery would use it.

    chip: all of it; part: the chip that a test breaks, on `bus`; it has the cell `cell` and the
    cell sensor `sensor` of the pack among its own.
    """

    def __init__(self, pair, cells=None, chip_crc=None, **settings):
        self.pair = pair
        self.cells = pair.cells if cells is None else cells
        self.parameters = Parameters()
        self.parameters.load(
            {
                "chemistry": 0,
                "series_cells": self.cells,
                "design_capacity_mah": 100000,
                "cell_thermistors": min(2, pair.sensors),
                **pair.settings,
                **settings,
            }
        )
        self.pack = StillPack(self.cells)
        self.pack.load_present = False
        crc = pair.crc if chip_crc is None else chip_crc
        self.chip = self.part = pair.model(self.pack, crc, **pair.arguments)
        self.cell = 1
        self.sensor = 0
        self.chip.advance(PERIOD_US)
        self.gates = []
        self.chip.gate_listener = lambda *change: self.gates.append(change)
        self.bus = I2C(pair.bus_hz)
        self.bus.elapse = self.chip.advance
        self._buses = {"i2c": self.bus}
        if pair.upper is not None:
            self._join_stack()
        self.bus.attach(self.part)
        self.restart_host()

    def _join_stack(self):
        """Two buses; `bus` is that of the chip to be broken."""
        other = I2C(self.pair.bus_hz)
        other.elapse = self.chip.advance
        self.part, rest = self.chip.chips[:: -1 if self.pair.upper else 1]
        other.attach(rest)
        self._buses = {"bus": self.bus, "upper_bus": other}
        if self.pair.upper:
            self._buses = {"bus": other, "upper_bus": self.bus}
            self.cell = self.chip.split + 1
            self.sensor = 1

    def restart_host(self):
        self.driver = self.pair.driver(
            parameters=self.parameters,
            crc=self.pair.crc,
            **self._buses,
            **self.pair.arguments,
        )
        self.sample = Sample(self.cells, self.parameters.value("cell_thermistors"))

    def program(self, most_steps=200):
        """The driver's last answer."""
        self.driver.start_programming()
        for _ in range(most_steps):
            code = self.driver.programming_step()
            if code != BUSY:
                return code
            self.chip.advance(PERIOD_US)
        raise AssertionError("programming does not end")

    def self_test(self):
        """The driver's last answer; then look at `self_test_failed`."""
        self.driver.start_self_test()
        for _ in range(200):
            self.chip.advance(PERIOD_US)
            code = self.driver.self_test_step(PERIOD_US // 1000)
            if code != BUSY:
                return code
        raise AssertionError("the self-test does not end")

    def guard(self, gates=GATES_BOTH):
        """Programmed, tested, and the gates commanded."""
        assert self.program() == OK
        assert self.self_test() == OK
        assert self.driver.self_test_failed == 0
        assert self.driver.command_gates(gates) == OK
        self.live(1000)
        return self

    def live(self, ms):
        """Sample every period, as the battery does; all trips seen."""
        trips = 0
        for _ in range(ms * 1000 // PERIOD_US):
            self.chip.advance(PERIOD_US)
            assert self.driver.sample_into(self.sample) == OK
            trips |= self.sample.trips
        return trips

    def balance(self, cells):
        """Have these cells bled, by the driver of each chip; the first answer that is not OK."""
        codes = [chip.balance(cells >> first & mask) for chip, first, mask in self._bleeders()]
        return max(codes)

    def read_balancing(self):
        """(answer, cells) of asking the chips what they bleed."""
        code = max(chip.read_balancing() for chip, _, _ in self._bleeders())
        cells = 0
        for chip, first, _ in self._bleeders():
            cells |= chip.balancing_cells << first
        return code, cells

    def _bleeders(self):
        if self.pair.upper is None:
            return [(self.driver, 0, -1)]
        low = self.chip.split
        return [(self.driver.lower, 0, (1 << low) - 1), (self.driver.upper, low, -1)]

    def taken(self, name):
        """What the chip took, by a name of its TAKEN."""
        return self.driver.image.taken[self.pair.taken.index(name)]

    def closed(self):
        """(charge, discharge): what conducts."""
        return bool(self.chip.charge_on), bool(self.chip.discharge_on)

    def alone(self, ms, gates_before):
        """Nobody asks for so long, or until a gate changed; microseconds that it took."""
        start_us = self.chip.time_us
        end_us = start_us + 1000 * ms
        while self.closed() == gates_before and self.chip.time_us < end_us:
            left_us = end_us - self.chip.time_us
            self.chip.advance(max(1, min(self.chip.next_event_us(), left_us)))
        return self.chip.time_us - start_us
