"""Link, driver, chip and wire with an inverter of each family at the other end.

The inverters (boards/sim/inverter_languages.py) read by their documents, and drop what they may
not take: a pack that they obey said it right.
"""

import pytest

from bms.table import INVALID
from boards.sim.inverter import Inverter
from boards.sim.inverter_languages import BY_PROFILE, BydHv, Growatt, Pylontech, Sma, Venus
from cellsteward.can_layout import profile_names
from host_tests.inverter.pack import put, put_fault
from host_tests.inverter.test_link_on_the_simulated_bus import House
from links.diagnosis import CAN, FRAMES_IN

BUS_V = 53.1


class Home(House):
    """A house whose inverter is one of a family, and wants `wanted_a` all the time."""

    def __init__(self, profile, **settings):
        super().__init__(profile=profile, **settings)
        language = BY_PROFILE[1 + profile_names().index(profile)]()
        self.node = Inverter(language)
        self.bus.join(self.node.port)
        self.language = language
        self.wanted_a = 0.0
        self.flows_a = 0.0
        self.time.listeners.append(self._live)

    def _live(self, milliseconds):
        self.flows_a = self.node.current_a(1000 * milliseconds, self.wanted_a, BUS_V)

    def draws(self, wanted_a, seconds=8):
        """What flows after a while of wanting that much."""
        self.wanted_a = wanted_a
        self.run(1000 * seconds)
        return self.flows_a


@pytest.mark.evidence("limits are obeyed", "on a simulated bus: an inverter of its family")
@pytest.mark.parametrize("profile", profile_names())
def test_every_family_takes_the_limits_and_keeps_to_them(profile):
    home = Home(profile)
    assert home.draws(-30) == pytest.approx(-30)
    assert home.draws(-250) == pytest.approx(-100)
    assert home.draws(20) == pytest.approx(20)
    assert home.draws(200) == pytest.approx(50)
    assert home.node.charge_limit_v == pytest.approx(56.0, abs=0.3)
    assert home.diagnosis.values[FRAMES_IN + CAN] >= 30


@pytest.mark.evidence("a fault, and its end", "on a simulated bus: an inverter of its family")
@pytest.mark.parametrize("profile", profile_names())
def test_a_fault_stops_every_family_and_its_end_lets_it_go_on(profile):
    home = Home(profile)
    home.draws(-30)
    put_fault(home.points, "faults", "overcurrent_discharge")
    put(home.points, discharge_allowed=0, discharge_current_limit_ma=0)
    assert home.draws(-30, 4) == 0
    put(home.points, faults=0, discharge_allowed=1, discharge_current_limit_ma=100_000)
    assert home.draws(-30, 6) == pytest.approx(-30)


@pytest.mark.evidence(
    "a pack that is not measured", "on a simulated bus: an inverter of its family"
)
@pytest.mark.parametrize("profile", profile_names())
def test_a_pack_that_is_not_measured_is_left_alone(profile):
    home = Home(profile)
    home.draws(-30)
    put(home.points, pack_voltage_mv=INVALID, charge_allowed=0, discharge_allowed=0)
    assert home.draws(-30, 4) == 0
    assert home.draws(30, 2) == 0


@pytest.mark.evidence("a firmware that stops", "on a simulated bus: an inverter of its family")
@pytest.mark.parametrize("profile", profile_names())
def test_a_firmware_that_stops_is_noticed_by_every_family(profile):
    home = Home(profile)
    home.draws(-30)
    for _ in range(62_000):  # the wire goes on without the link
        home.bus.advance(1000)
        home._live(1)
    assert home.flows_a == 0


@pytest.mark.evidence(
    "nothing is dropped", "on a simulated bus: a strict Sunny Island", profiles=("sma",)
)
def test_a_sunny_island_drops_nothing_of_what_we_send():
    home = Home("sma")
    home.draws(-30)
    put(home.points, charge_voltage_limit_mv=70_000, discharge_voltage_limit_mv=30_000)
    home.draws(-30, 120)
    assert home.language.dropped == 0
    assert home.language.soc == 64


def test_a_sunny_island_that_is_told_nothing_of_the_charge_stops_after_a_minute():
    home = Home("sma")
    home.draws(-30)
    put(home.points, soc_bp=INVALID)
    home.draws(-30, 58)
    assert home.language.dropped > 50
    home.draws(-30, 4)
    assert home.node.language.standby(home.node)


def test_an_alarm_that_is_over_is_over_for_a_sunny_island():
    home = Home("sma")
    put_fault(home.points, "faults", "cell_imbalance")
    assert home.draws(-30, 3) == 0
    assert home.language.alarms == 1 << 12
    put(home.points, faults=0)
    for word in range(4):
        home.points.live[home.points.offset("faults") + word] = 0
    assert home.draws(-30, 3) == pytest.approx(-30)
    assert home.language.alarms == 0


def test_auto_is_understood_by_both_families():
    for language in (Pylontech(), Sma()):
        home = Home("auto")
        home.node.language = language
        assert home.draws(-30, 6) == pytest.approx(-30)
        assert home.draws(-250, 6) == pytest.approx(-100)
        assert getattr(language, "dropped", 0) == 0


def test_a_byd_inverter_asks_once_and_knows_the_name_then():
    home = Home("byd_hv")
    assert not home.language.named
    home.draws(-30)
    assert home.language.named
    assert len([1 for _, identifier, _ in home.heard if identifier == 0x2D0]) == 1


def test_families_are_those_that_the_profiles_mean():
    families = dict(zip(profile_names(), BY_PROFILE[1:], strict=True))
    assert families["pylontech"] is Pylontech
    assert families["victron"] is families["byd_lv"] is families["pylontech_v13"] is Venus
    assert families["sma"] is families["goodwe_lv"] is families["solis"] is Sma
    assert families["growatt_lv"] is Growatt
    assert families["byd_hv"] is BydHv
