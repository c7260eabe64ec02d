"""Field lessons, table "Inverter links": each row that concerns CAN, by its number.

Rows without a test here, and why:
6 (a Solis stays in standby after a discharge stop), 20 (a Sunny Island at 70 Hz): what inverters
do by themselves; no cause in the frames was found. For 6 the part that is ours is tested:
after the stop everything is told again as it was before.
11 (a Deye takes more than the limit): a battery can not make it obey. The limits are told, and
beyond them the protections open the gates: host_tests/system/test_cut_off.py.
14 (stuck in bulk): phases of the charge are the pack's, host_tests/bms/test_charge_control.py.
22, 23, 24 are RS485 and Bluetooth: see the tests of those links.
"""

from itertools import pairwise

import pytest

from cellsteward.can_layout import layout, profile_module, profile_names
from host_tests.field_lessons.stories import frames, logged_faults, run
from host_tests.inverter.pack import FAULTS, encode, healthy, parameters_with, put, put_fault
from host_tests.inverter.test_link import START_MS
from host_tests.inverter.test_link import Bench as LinkBench
from host_tests.inverter.test_profiles import limits
from host_tests.inverter.test_rules import Told
from inverter.profiles import load

PROFILES = profile_names()
FAULT_S, OVER_S = 25, 45


def word(data, at):
    return int.from_bytes(data[at : at + 2], "little")


@pytest.fixture(scope="module")
def overvoltage(tmp_path_factory):
    """A cell is too high for some seconds while the pack is charged; all that was on the bus."""
    return run(
        tmp_path_factory.mktemp("overvoltage"),
        90,
        orders=[
            [FAULT_S, {"inject": "cell_overvoltage"}],
            [OVER_S, {"clear": "cell_overvoltage"}],
        ],
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_link_01_02_on_wish_the_state_of_charge_stops_what_limits_do_not(profile):
    """BE 1534, 873: Deye and Solis go on at 0 A; they hear SoC 100 and 0."""
    for stopped, soc in (("charge_allowed", 100), ("discharge_allowed", 0)):
        told = encode(healthy(**{stopped: 0}), profile, inverter_forced_soc=1)
        signals = {
            signal.point: signal.to_point(told[message.identifier])
            for message in layout(profile_module(profile))
            for signal in message.signals
            if message.identifier in told and signal.point
        }
        assert signals["soc_bp"] == 100 * soc


def test_link_03_15_a_stop_is_0_a_and_the_voltage_of_the_pack(overvoltage):
    """diyBMS 216: CVL 0.1 V made a Deye show W31 and go on; venus 904: 0 A alone is not heard."""
    assert logged_faults(overvoltage)[0] == "cell_overvoltage"
    heard = frames(overvoltage, 0x351)
    stopped = [data for data in heard if word(data, 2) == 0 and word(data, 4) > 0]
    assert len(stopped) >= OVER_S - FAULT_S - 5
    assert len({word(data, 0) for data in stopped[:-1]}) == 1, "frozen until charging is allowed"
    voltages = [word(data, 0) / 10 for data in frames(overvoltage, 0x356)]
    assert min(abs(word(stopped[0], 0) - voltage) for voltage in voltages) <= 1
    requests = [data[0] for data in frames(overvoltage, 0x35C)]
    assert 0x40 in requests, "discharge alone"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("limit_mv", [0, -1, 99, -(1 << 30), 56_000])
def test_link_04_the_charge_voltage_limit_is_never_0(profile, limit_mv):
    """diyBMS 175: a Victron emptied the battery with 100 A."""
    for allowed in (0, 1):
        points = healthy(charge_voltage_limit_mv=limit_mv, charge_allowed=allowed)
        for live in (True, False):
            assert limits(profile, encode(points, profile, live=live))[0] >= 10


@pytest.mark.parametrize("profile", PROFILES)
def test_link_05_a_stop_is_no_trickle(profile):
    """diyBMS 196: 0.1 A let an Imeon charge with 0.6 A."""
    points = healthy(charge_allowed=0, discharge_allowed=0)
    assert limits(profile, encode(points, profile))[1:] == [0, 0]
    points = healthy(charge_current_limit_ma=99, discharge_current_limit_ma=99)
    assert limits(profile, encode(points, profile))[1:] == [0, 0]


@pytest.mark.parametrize("profile", PROFILES)
def test_link_06_after_a_stop_everything_is_told_as_before(profile):
    told = load(profile, healthy(), FAULTS, parameters_with({}), settled=True)
    assert told.encoder is not None
    before = encode(healthy(), profile)
    encode(healthy(discharge_allowed=0), profile)
    assert encode(healthy(), profile) == before


def test_link_07_a_growatt_hears_of_faults_and_not_of_limits_alone():
    """diyBMS 266: no fault code was shown, because no alarm bit was sent."""
    before = encode(healthy(), "growatt_lv")[0x312]
    for bit in range(len(FAULTS)):
        name = FAULTS.names.name(bit)
        points = healthy()
        put_fault(points, "faults", name)
        assert encode(points, "growatt_lv")[0x312] != before, name


@pytest.mark.parametrize("profile", PROFILES)
def test_link_08_limits_are_positive_and_never_all_zero(profile):
    """diyBMS 87: a Sofar ignores a negative discharge limit, and limits that are all 0."""
    for allowed in (0, 1):
        points = healthy(charge_allowed=allowed, discharge_allowed=allowed)
        told = limits(profile, encode(points, profile))
        assert any(told)
        assert all(tenths < 0x8000 for tenths in told)


def test_link_09_venus_gets_the_cells_and_the_sign():
    """diyBMS 172, 173."""
    told = encode(healthy(current_ma=-12_300), "victron")
    assert (word(told[0x373], 0), word(told[0x373], 2)) == (3310, 3330)
    assert told[0x356][2:4] == (-123).to_bytes(2, "little", signed=True)
    blocked = encode(healthy(charge_allowed=0), "victron")
    assert (word(blocked[0x351], 2), word(blocked[0x351], 4)) == (0, 1000)
    assert (word(blocked[0x372], 2), word(blocked[0x372], 4)) == (1, 0)


def test_link_10_the_voltage_limit_never_falls_quickly_below_the_pack():
    """yambms 46: a Deye SUN-12K discharged to the grid; 0.1 V in 3 minutes."""
    told = Told(healthy(pack_voltage_mv=55_900))
    told.seconds(60)
    cvl = [row[0] for row in told.seconds(1800, charge_voltage_limit_mv=50_000)]
    assert cvl[0] >= 55_900
    assert 54_800 <= cvl[-1] <= 55_000


def test_link_10_and_it_comes_back_by_a_ramp(overvoltage):
    heard = [word(data, 0) for data in frames(overvoltage, 0x351)]
    first = next(place for place, value in enumerate(heard) if value != heard[0])
    assert all(abs(later - sooner) <= 1 for sooner, later in pairwise(heard[first:]))
    assert max(heard[first:]) > heard[first]


def test_link_12_after_a_reset_nothing_jumps():
    """yambms 153: F14 of a Deye. No current before the first sample; bms.limits has the slopes."""
    bench = LinkBench()
    put(bench.points, pack_voltage_mv=-(1 << 30), charge_allowed=0, discharge_allowed=0)
    bench.at(5500, lambda: put(bench.points, pack_voltage_mv=53_120))
    bench.at(7500, lambda: put(bench.points, charge_allowed=1, discharge_allowed=1))
    bench.run(40_000)
    heard = [data for _, identifier, data in bench.can.sent if identifier == 0x351]
    assert all(data[2:6] == bytes(4) for data in heard[:8])
    cvl = [word(data, 0) for data in heard]
    assert cvl[6] == 531
    assert all(0 <= later - sooner <= 1 for sooner, later in pairwise(cvl[6:]))


def test_link_13_frames_go_out_without_0x305_and_its_absence_is_told(tmp_path):
    """yambms 268: some inverters never send it."""
    story = run(tmp_path, 40, faults=["inverter_silent"])
    assert len(frames(story, 0x351)) >= 35
    assert story.statuses[-2]["points"]["link_age_s"][0] == -1
    assert story.statuses[-2]["points"]["link_verdict"][0] != 0


@pytest.mark.parametrize("profile", PROFILES)
def test_link_16_the_bus_stays_quiet(profile):
    """venus 1072: more than 300 frames a second lose the battery."""
    for period_ms in (0, 1, 250):
        bench = LinkBench(profile=profile, inverter_period_ms=period_ms)
        bench.time.listeners.append(
            lambda _, bench=bench: bench.can.inbox.append((0x301, b"\x11\x22\x33" + bytes(5)))
        )
        bench.can.inbox.append((0x151, b"\x01"))
        bench.run(5_000)
        times = [at for at, _, _ in bench.can.sent]
        assert times
        for start in range(START_MS, START_MS + 4000, 250):
            assert sum(start <= at < start + 1000 for at in times) < 100


def test_link_17_the_name_is_one_that_the_inverter_knows_or_knows_not_at_all():
    """venus 913, 686, 1166: rules are chosen by the beginning of 0x35E."""
    names = {profile: encode(healthy(), profile).get(0x35E, b"") for profile in PROFILES}
    assert names["pylontech"].startswith(b"PYLON")
    assert names["byd_lv"].startswith(b"BYD\0")
    assert names["seplos"].startswith(b"SHEnergy")
    for known in (b"PYLON", b"BYD", b"DYNESS", b"BlueNova", b"FreedomWON", b"LG", b"REC"):
        assert not names["victron"].startswith(known)


def test_link_18_the_capacity_is_told():
    """ARM 13: shown as 50 Ah."""
    for profile in ("victron", "solark", "auto", "byd_lv"):
        assert word(encode(healthy(), profile)[0x379], 0) == 280
    for profile in ("sma", "auto", "pylontech_v13", "goodwe_lv"):
        assert word(encode(healthy(), profile)[0x35F], 4) == 280
    assert word(encode(healthy(), "luxpower")[0x359], 5) == 280


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("soc_bp", [0, 49, 50, 4999, 9949, 10_000])
def test_link_19_every_frame_tells_the_same_state_of_charge(profile, soc_bp):
    """sijones 44: a Deye's two screens differed."""
    told = encode(healthy(soc_bp=soc_bp), profile)
    values = {
        round(signal.to_point(told[message.identifier]) / 100)
        for message in layout(profile_module(profile))
        for signal in message.signals
        if signal.point == "soc_bp"
    }
    assert max(values) - min(values) <= 1
    assert all(abs(value - soc_bp / 100) <= 0.5 for value in values)


def test_link_21_after_a_break_the_battery_is_there_again_at_once():
    """BE 763, 1025, 377: F58. That the inverter needs a restart after another battery type was set
    is its own; docs/inverters.md says so."""
    bench = LinkBench()
    bench.at(2500, lambda: setattr(bench.can, "on_bus", False))
    bench.at(60_500, lambda: setattr(bench.can, "on_bus", True))
    bench.run(65_000)
    back = [at - START_MS for at, _, _ in bench.can.sent if at - START_MS > 3000]
    assert 60_500 <= min(back) <= 61_600


def test_link_25_two_frames_and_a_pause():
    """SET: an MCP2515 has two receive buffers, and lost frames of a burst of six."""
    bench = LinkBench(profile="victron")
    bench.run(900)
    times = [at for at, _, _ in bench.can.sent]
    assert len(times) == 19
    assert all(third - first >= 5 for first, third in zip(times, times[2:], strict=False))
