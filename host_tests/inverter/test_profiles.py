"""What holds for every profile; alarms against the bit tables of inverter_can.md."""

import importlib
import sys
from functools import cache
from types import ModuleType

import cantools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bms.points import Points
from bms.table import INVALID
from cellsteward.can_layout import layout, profile_module, profile_names
from cellsteward.dbc import dbc, path
from cellsteward.generated_docs import DOCS
from host_tests.inverter.pack import (
    FAULT_NAMES,
    FAULTS,
    encode,
    encode_all,
    healthy,
    parameters_with,
    put_fault,
)
from inverter.conditions import ASKED, AWAKE
from inverter.profiles import load

PROFILES = profile_names()
LIMITS = {  # frame with the limits: first bytes of CVL, CCL, DCL, byte order
    "growatt_lv": (0x311, 0, 2, 4, "big"),
    "byd_hv": (0x110, 0, 6, 4, "big"),
}
MEASUREMENTS = ("pack_voltage_mv", "current_ma", "soc_bp", "temperature_max_dc")

# inverter_can.md 1.1, table of bits of 0x359: what the pack has -> (byte, bit) of the protection;
# the warning is two bytes further, but for "system error" and "internal comm fail", which share
# a bit of bytes 1 and 3.
PYLONTECH = {
    (0, 1): ("cell_overvoltage", "pack_overvoltage"),
    (0, 2): ("cell_undervoltage", "pack_undervoltage", "deep_discharge", "cell_below_floor"),
    (0, 3): (
        "overtemperature_charge", "overtemperature_discharge", "fet_overtemperature",
        "afe_overtemperature",
    ),
    (0, 4): ("undertemperature_charge", "undertemperature_discharge"),
    (0, 7): ("overcurrent_discharge", "fast_overcurrent_discharge", "short_circuit"),
    (1, 0): ("overcurrent_charge", "fast_overcurrent_charge"),
}  # fmt: skip
PYLONTECH_OTHER = (1, 3)
# inverter_can.md 1.2, table of pairs of 0x35A; warnings are four bytes further
SMA = {
    (0, 2): ("cell_overvoltage", "pack_overvoltage"),
    (0, 4): ("cell_undervoltage", "pack_undervoltage", "deep_discharge", "cell_below_floor"),
    (0, 6): ("overtemperature_discharge", "fet_overtemperature", "afe_overtemperature"),
    (1, 0): ("undertemperature_discharge",),
    (1, 2): ("overtemperature_charge",),
    (1, 4): ("undertemperature_charge",),
    (1, 6): ("overcurrent_discharge", "fast_overcurrent_discharge"),
    (2, 0): ("overcurrent_charge", "fast_overcurrent_charge"),
    (2, 2): (
        "contactor_positive_welded", "contactor_negative_welded", "precharge_relay_welded",
        "contactor_stuck_open", "precharge_failed", "gates_off_current", "gate_mismatch",
    ),
    (2, 4): ("short_circuit",),
    (2, 6): tuple(
        name
        for name in FAULT_NAMES
        if (name.startswith(("afe_", "measurement_", "thermistor_")) and "temperature" not in name)
        or name
        in (
            "stack_mismatch", "configuration_invalid", "step_failed", "cell_wire_open",
            "fast_path_overrun", "self_test_failed", "boot_loop", "current_sensor_lost",
        )
    ),
    (3, 0): ("cell_imbalance",),
}  # fmt: skip
SMA_OTHER = (0, 0)
# inverter_can.md 1.5, 0x312: fault, warning
GROWATT = {
    ((0, 7), (2, 7)): ("overcurrent_discharge", "fast_overcurrent_discharge"),
    ((0, 6), (2, 6)): ("overcurrent_charge", "fast_overcurrent_charge"),
    ((0, 5), (3, 0)): ("short_circuit",),  # no such warning: internal communication
    ((0, 4), (2, 4)): ("cell_overvoltage",),
    ((0, 3), (2, 3)): ("cell_undervoltage", "deep_discharge", "cell_below_floor"),
    ((0, 2), (2, 2)): ("pack_overvoltage",),
    ((0, 1), (2, 1)): ("pack_undervoltage",),
    ((0, 0), (3, 0)): ("precharge_failed",),
    ((1, 7), (3, 7)): (
        "overtemperature_discharge", "fet_overtemperature", "afe_overtemperature",
    ),
    ((1, 6), (3, 6)): ("overtemperature_charge",),
    ((1, 5), (3, 5)): ("undertemperature_discharge",),
    ((1, 4), (3, 4)): ("undertemperature_charge",),
    ((1, 2), (3, 2)): ("cell_imbalance",),
}  # fmt: skip
GROWATT_OTHER = ((1, 3), (3, 0))


def place_of(table, other, name):
    return next((place for place, names in table.items() if name in names), other)


def documented(profile, identifier, name):
    """(byte, bit) of the fault and of the warning, as the document has them."""
    if identifier == 0x312:
        return place_of(GROWATT, GROWATT_OTHER, name)
    if identifier == 0x35A:
        byte, bit = place_of(SMA, SMA_OTHER, name)
        return (byte, bit), (byte + 4, bit)
    byte, bit = place_of(PYLONTECH, PYLONTECH_OTHER, name)
    if profile == "seplos" and name == "cell_imbalance":
        return (1, 3), (3, 4)  # SEPLOS: byte 3 bit 4 is a cell failure
    return (byte, bit), (byte + 2, bit)


def alarm_frames(profile):
    return [i for i in (0x312, 0x359, 0x35A) if i in {row[0] for row in module(profile).FRAMES}]


def module(profile):
    return importlib.import_module(f"inverter.{profile}")


def bits_set(identifier, healthy_frame, frame):
    """(byte, bit) of every alarm: of a pair the lower bit, if it became "raised"."""
    found = set()
    for byte, (before, now) in enumerate(zip(healthy_frame, frame, strict=True)):
        if identifier == 0x35A:
            for bit in range(0, 8, 2):
                if now >> bit & 3 == 1:
                    found.add((byte, bit))
        else:
            found |= {(byte, bit) for bit in range(8) if (now & ~before) >> bit & 1}
    return found


@pytest.mark.evidence("each fault and warning alone", "the document's table of bits")
@pytest.mark.parametrize(
    ("profile", "identifier"),
    [(profile, identifier) for profile in PROFILES for identifier in alarm_frames(profile)],
)
def test_each_fault_and_each_warning_alone_sets_exactly_the_bit_of_the_document(
    profile, identifier
):
    before = encode(healthy(), profile)
    for name in FAULT_NAMES:
        protection, warning = documented(profile, identifier, name)
        blocks = FAULTS.blocks[FAULT_NAMES.index(name)]
        for point in ("faults", "warnings"):
            points = healthy()
            put_fault(points, point, name)
            told = bits_set(identifier, before[identifier], encode(points, profile)[identifier])
            assert told == {protection if point == "faults" and blocks else warning}, name


@pytest.mark.evidence("several faults at once", "the document's table of bits")
@pytest.mark.parametrize("profile", [p for p in PROFILES if alarm_frames(p)])
@settings(max_examples=20, deadline=None)
@given(names=some.sets(some.sampled_from(FAULT_NAMES), max_size=6))
def test_several_faults_set_the_union_of_their_bits_and_nothing_else_changes(profile, names):
    before = encode(healthy(), profile)
    points = healthy()
    points.live[points.offset("uptime_s")] = 61
    for name in names:
        put_fault(points, "faults", name)
    now = encode(points, profile)
    for identifier in alarm_frames(profile):
        expected = set()
        for name in names:
            protection, warning = documented(profile, identifier, name)
            blocks = FAULTS.blocks[FAULT_NAMES.index(name)]
            expected.add(protection if blocks else warning)
        assert bits_set(identifier, before[identifier], now[identifier]) == expected
    changed = {identifier for identifier in before if before[identifier] != now[identifier]}
    assert changed <= {*alarm_frames(profile), 0x311}  # 0x311 bit 2: an error is valid


@pytest.mark.parametrize("profile", [p for p in PROFILES if 0x35A in alarm_frames(p)])
def test_what_is_well_is_cleared_in_every_pair(profile):
    told = encode(healthy(), profile)[0x35A]
    assert told == (bytes(8) if profile == "pylontech_v13" else b"\xaa" * 8)


def limits(profile, frames):
    """CVL in 0.1 V, CCL and DCL in 0.1 A."""
    identifier, cvl, ccl, dcl, order = LIMITS.get(profile, (0x351, 0, 2, 4, "little"))
    data = frames[identifier]
    return [int.from_bytes(data[at : at + 2], order) for at in (cvl, ccl, dcl)]


def enables(frames):
    """Charge and discharge enable, where the protocol has them."""
    for identifier in (0x35C, 0x319):
        if identifier in frames:
            return frames[identifier][0] >> 7 & 1, frames[identifier][0] >> 6 & 1
    return None


@pytest.mark.evidence("packs that are not measured", "the rules of this project (inverters.md)")
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "blind",
    [
        {"points": None},
        *({"points": {name: INVALID}} for name in MEASUREMENTS),
        {"points": {"measurement_age_ms": 1001}},
        {"live": False},
    ],
    ids=str,
)
def test_without_a_measurement_no_current_is_offered_and_no_old_value_shown(profile, blind):
    points = Points() if blind.get("points", {}) is None else healthy(**blind.get("points", {}))
    frames = encode(points, profile, live=blind.get("live", True))
    cvl, ccl, dcl = limits(profile, frames)
    assert cvl > 0
    assert (ccl, dcl) == (0, 0)
    assert enables(frames) in (None, (0, 0))
    if 0x359 in frames:
        assert frames[0x359][1] >> 3 & 1, "system error"
    if 0x35A in frames:
        assert frames[0x35A][2] >> 6 == 1, "BMS internal, raised"
    if 0x312 in frames:
        assert frames[0x312][1] >> 3 & 1, "system error"
    if profile in ("sma", "goodwe_lv", "solis"):  # they have marks for "invalid"
        assert frames.pop(0x355) == b"\xff" * 6
        assert frames.pop(0x356) == b"\x00\x80" * 3
    values = {0x355, 0x356, 0x313, 0x314, 0x315, 0x318, 0x150, 0x1D0, 0x210, 0x373, 0x35F, 0x070}
    left = {i for i in frames if i in values}
    assert left <= {0x35F}, "values of an old measurement"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_charge_voltage_limit_is_never_zero(profile):
    for limit_mv in (INVALID, -5, 0, 1, 99, 999, 1000, 14_600, 56_000, (1 << 30) - 1):
        for allowed in (0, 1):
            points = healthy(charge_voltage_limit_mv=limit_mv, charge_allowed=allowed)
            assert limits(profile, encode(points, profile))[0] > 0


@pytest.mark.parametrize("profile", PROFILES)
def test_a_blocked_direction_has_no_current_and_no_enable(profile):
    for charge, discharge in ((0, 1), (1, 0), (0, 0), (1, 1)):
        points = healthy(charge_allowed=charge, discharge_allowed=discharge)
        frames = encode(points, profile)
        _, ccl, dcl = limits(profile, frames)
        assert (bool(ccl), bool(dcl)) == (bool(charge), bool(discharge))
        assert enables(frames) in (None, (charge, discharge))


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=30, deadline=None)
@given(
    cvl=some.integers(42_000, 62_000),
    dvl=some.integers(41_000, 48_000),
    ccl=some.integers(0, 600_000),
    dcl=some.integers(0, 600_000),
)
def test_limits_are_rounded_to_the_safe_side(profile, cvl, dvl, ccl, dcl):
    points = healthy(
        charge_voltage_limit_mv=cvl,
        discharge_voltage_limit_mv=dvl,
        charge_current_limit_ma=ccl,
        discharge_current_limit_ma=dcl,
    )
    told = limits(profile, encode(points, profile))
    for tenths, exact in zip(told, (cvl, ccl, dcl), strict=True):
        assert exact - 100 < 100 * tenths <= exact


@cache
def database(profile):
    return cantools.database.load_string(dbc(profile), "dbc")


@pytest.mark.evidence("random packs", "an independent decoder (cantools)")
@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=20, deadline=None)
@given(
    voltage=some.integers(40_000, 60_000),
    current=some.integers(-300_000, 300_000),
    soc=some.integers(0, 10_000),
    warmest=some.integers(-200, 600),
    low_cell=some.integers(2500, 3300),
)
def test_cantools_reads_the_points_back_with_the_generated_dbc(
    profile, voltage, current, soc, warmest, low_cell
):
    values = {
        "pack_voltage_mv": voltage,
        "current_ma": current,
        "soc_bp": soc,
        "temperature_max_dc": warmest,
        "temperature_min_dc": warmest - 7,
        "cell_min_mv": low_cell,
        "cell_max_mv": low_cell + 50,
    }
    points = healthy(**values)
    signals = {}
    for identifier, data in encode(points, profile, heard=AWAKE | ASKED).items():
        for name, value in database(profile).decode_message(identifier, data).items():
            signals.setdefault(name, []).append(value)
    expected = {  # name: value, half of the coarsest unit
        "pack_voltage": (voltage / 1000, 0.051),
        "current": (current / 1000, 0.051),
        "soc": (soc / 100, 0.51),
        "temperature_max": (warmest / 10, 0.51),
        "temperature_min": ((warmest - 7) / 10, 0.51),
        "cell_min": (low_cell / 1000, 0.0051),
        "cell_max": ((low_cell + 50) / 1000, 0.0051),
        "charge_voltage_limit": (56.0, 0.001),
        "charge_current_limit": (50.0, 0.001),
        "discharge_current_limit": (100.0, 0.001),
    }
    assert {"pack_voltage", "current", "soc", "charge_voltage_limit"} <= set(signals)
    for name, (value, error) in expected.items():
        for found in signals.get(name, []):
            assert found == pytest.approx(value, abs=error), name


@pytest.mark.parametrize("profile", PROFILES)
def test_the_dbc_files_of_the_docs_are_current(profile):
    assert path(profile).read_text() == dbc(profile)


@pytest.mark.parametrize("profile", PROFILES)
def test_frames_are_short_and_standard_and_named_once(profile):
    for message in layout(profile_module(profile)):
        assert message.identifier <= 0x7FF
        assert 1 <= message.size <= 8
        for signal in message.signals:
            assert signal.at + (signal.bit + signal.size + 7) // 8 <= message.size or signal.digits


@pytest.mark.parametrize("profile", PROFILES)
def test_equal_states_give_equal_frames(profile):
    assert encode_all(healthy(), profile) == encode_all(healthy(), profile)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("period_ms", [0, 1, 100, 250, 5000])
def test_no_setting_makes_the_bus_busy(profile, period_ms):
    """Under 100 frames a second (inverter links 16); SMA: not faster than every 200 ms."""
    made = load(profile, healthy(), FAULTS, parameters_with({"inverter_period_ms": period_ms}))
    assert len(made.encoder.frames) * 1000 / made.period_ms < 100
    if profile in ("sma", "goodwe_lv", "solis", "auto"):
        assert made.period_ms >= 200


@pytest.mark.evidence("both sets of frames", "the profiles pylontech and sma", profiles=("auto",))
def test_auto_suits_readers_of_pylontech_and_of_sma():
    """Each finds its frames, in its places; inverter_can.md 1.1 and 1.2."""
    auto = encode(healthy(), "auto")
    for identifier, data in encode(healthy(), "pylontech").items():
        assert auto[identifier][: len(data)] == data
    for identifier, data in encode(healthy(), "sma").items():
        if identifier not in (0x35B, 0x35E, 0x35F):  # events, and two that name the maker
            assert auto[identifier] == data


def test_a_profile_leaves_no_module_behind():
    for name in [name for name in sys.modules if name.startswith("inverter.")]:
        if name.split(".")[1] in (*PROFILES, "pylontech"):
            del sys.modules[name]
    load("auto", healthy(), FAULTS, parameters_with({}))
    assert not {name.split(".")[-1] for name in sys.modules if name.startswith("inverter.")} & {
        *PROFILES
    }


def test_the_profile_that_the_page_shows_works():
    page = (DOCS / "inverters.md").read_text(encoding="utf-8")
    source = page.partition("```python\n")[2].partition("```")[0]
    shown = ModuleType("shown")
    exec(source, vars(shown))
    points = healthy()
    put_fault(points, "faults", "cell_overvoltage")
    told = encode(points, shown)
    assert told[0x351][:6] == encode(healthy())[0x351][:6]
    assert told[0x359] == bytes.fromhex("0200000000504E")
