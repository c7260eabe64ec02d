"""Link, driver and register-level chip together; the inverter decodes with its own DBC."""

from pathlib import Path

import cantools
import pytest

from bms.table import INVALID
from boards.sim.can_bus import CanBus, CanPort
from boards.sim.mcp2515 import Mcp2515
from boards.sim.spi import ChipSelect, Spi
from canbus.mcp2515 import MCP2515
from host_tests.inverter.pack import FAULTS, healthy, parameters_with, put
from host_tests.inverter.virtual_time import VirtualTime
from inverter.link import InverterLink
from inverter.profiles import load
from links.diagnosis import Diagnosis

DBC = cantools.database.load_file(Path(__file__).parent / "pylontech.dbc")
SENT = [0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E]


class House:
    """A pack, its link, a wire and an inverter."""

    def __init__(self, kbit=500, profile="pylontech", **settings):
        self.time = VirtualTime()
        self.bus = CanBus(kbit * 1000)
        self.heard = []  # (time, identifier, bytes)
        self.chip = self.bus.join(Mcp2515(8_000_000))
        self.inverter = self.bus.join(CanPort(self._hear))
        self.spi = Spi(self.chip)
        self.select = ChipSelect(self.spi)
        self.points = healthy()
        self.can = MCP2515(self.spi, self.select, kbit, 8_000_000)
        self.diagnosis = Diagnosis()
        self.link = InverterLink(
            self.can,
            load(profile, self.points, FAULTS, parameters_with(settings)),
            self.points,
            self.diagnosis,
            self.time.ticks_ms,
            self.time.ticks_diff,
        )
        self.time.listeners.append(self._pass)
        self.actions = {}  # at ms: what to do

    def _hear(self, identifier, data, extended, remote):
        self.heard.append((self.time.now_ms, identifier, bytes(data)))

    def _pass(self, milliseconds):
        self.bus.advance(1000 * milliseconds)
        put(self.points, uptime_s=self.time.now_ms // 1000)
        if self.time.now_ms in self.actions:
            self.actions.pop(self.time.now_ms)()

    def run(self, duration_ms):
        self.time.run(self.link.run(), duration_ms)

    def identifiers(self, since_ms=0):
        return [identifier for at, identifier, _ in self.heard if at > since_ms]


@pytest.mark.parametrize("kbit", [125, 250, 500])
def test_the_inverter_hears_and_understands_every_second(kbit):
    house = House(kbit)
    house.run(5000)
    assert house.identifiers() == SENT * 5
    signals = {}
    for _, identifier, data in house.heard:
        signals.update(DBC.decode_message(identifier, data))
    assert signals["PackVoltage"] == pytest.approx(53.12)
    assert signals["ChargeVoltageLimit"] == pytest.approx(53.5), "4 s above the pack voltage"
    assert signals["StateOfCharge"] == 64


def test_the_inverters_keepalive_gets_through_among_other_traffic():
    house = House()
    for second in range(5):
        for place, identifier in enumerate((0x123, 0x307, 0x456, 0x305)):
            at = 1000 * second + 500 + place
            house.actions[at] = lambda identifier=identifier: house.inverter.send(
                identifier, bytes(8)
            )
    house.run(6000)
    assert house.link.keepalives == 5
    assert house.link.unknown >= 5
    assert house.link.sent == 36


def test_an_inverter_that_is_plugged_in_late_hears_the_present_only():
    house = House()
    house.inverter.connected = False
    put(house.points, current_ma=90000)

    def plug_in():
        put(house.points, current_ma=0)
        house.inverter.connected = True

    house.actions[3500] = plug_in
    house.run(6000)
    assert house.identifiers() == SENT * 2
    currents = {
        DBC.decode_message(identifier, data)["PackCurrent"]
        for _, identifier, data in house.heard
        if identifier == 0x356
    }
    assert currents == {0}


def test_a_short_on_the_bus_is_survived():
    house = House()
    house.actions[2500] = lambda: setattr(house.bus, "shorted", True)
    house.actions[10_500] = lambda: setattr(house.bus, "shorted", False)
    house.run(60_000)
    assert house.link.failed > 0
    assert house.link.sent + house.link.failed == 360
    assert house.identifiers(45_000) == SENT * 15
    assert house.can.state() == MCP2515.STATE_ACTIVE


def test_a_chip_that_lost_its_supply_for_a_moment_comes_back():
    house = House()

    def dip():
        house.select(0)
        house.spi.write(b"\xc0")
        house.select(1)

    house.actions[2500] = dip
    house.run(8000)
    assert house.link.restarts == 1
    assert house.identifiers(5000) == SENT * 3


def test_a_pack_that_stops_being_measured_is_reported_within_a_second():
    house = House()
    house.actions[2500] = lambda: put(
        house.points,
        pack_voltage_mv=INVALID,
        current_ma=INVALID,
        soc_bp=INVALID,
        charge_allowed=0,
        discharge_allowed=0,
    )
    house.run(4000)
    assert house.identifiers(2500) == [0x351, 0x359, 0x35C, 0x35E]
    late = {identifier: data for at, identifier, data in house.heard if at > 2500}
    assert DBC.decode_message(0x359, late[0x359])["SystemError"] == 1
    assert late[0x35C] == b"\0\0"
    limits = DBC.decode_message(0x351, late[0x351])
    assert limits["ChargeCurrentLimit"] == limits["DischargeCurrentLimit"] == 0
