"""The Pylontech profile, decoded by cantools with a DBC written from inverter_can.md 1.1."""

from pathlib import Path

import cantools
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bms.points import Points
from bms.table import INVALID
from host_tests.inverter.pack import encode, healthy

DBC = cantools.database.load_file(Path(__file__).parent / "pylontech.dbc")
# inverter_can.md 1.1: identifier and real length, in the order of the captures
LENGTHS = {0x351: 8, 0x355: 4, 0x356: 6, 0x359: 7, 0x35C: 2, 0x35E: 8}
MEASUREMENTS = ("pack_voltage_mv", "current_ma", "soc_bp", "temperature_max_dc")


def decoded(frames):
    signals = {}
    for identifier, data in frames.items():
        signals.update(DBC.decode_message(identifier, data))
    return signals


def alarms(frames):
    """Names of the bits set in 0x359."""
    signals = DBC.decode_message(0x359, frames[0x359])
    told = ("Protect", "Warn", "SystemError")
    return {name for name, value in signals.items() if name.startswith(told) and value}


def assert_safe(frames):
    """What an inverter must hear while the pack is not measured."""
    assert list(frames) == [0x351, 0x359, 0x35C, 0x35E], "old or made-up measurements were sent"
    signals = decoded(frames)
    assert signals["ChargeCurrentLimit"] == 0
    assert signals["DischargeCurrentLimit"] == 0
    assert signals["ChargeVoltageLimit"] > 0
    assert frames[0x35C] == b"\0\0"
    assert signals["SystemError"] == 1


def test_the_example_of_the_issue():
    points = healthy(
        charge_voltage_limit_mv=53200,
        charge_current_limit_ma=100000,
        discharge_current_limit_ma=100000,
        discharge_voltage_limit_mv=44800,
    )
    assert encode(points)[0x351] == bytes.fromhex("1402E803E803C001")


def test_frames_have_the_identifiers_lengths_and_order_of_a_real_battery():
    sent = [(identifier, len(data)) for identifier, data in encode(healthy()).items()]
    assert sent == list(LENGTHS.items())


def test_an_independent_decoder_reads_the_points():
    signals = decoded(encode(healthy()))
    expected = {
        "ChargeVoltageLimit": 56.0,
        "ChargeCurrentLimit": 50.0,
        "DischargeCurrentLimit": 100.0,
        "DischargeVoltageLimit": 48.0,
        "StateOfCharge": 64,
        "StateOfHealth": 99,
        "PackVoltage": 53.12,
        "PackCurrent": 12.3,
        "Temperature": 24.3,
        "ChargeEnable": 1,
        "DischargeEnable": 1,
        "RequestForceCharge1": 0,
        "RequestForceCharge2": 0,
        "RequestFullCharge": 0,
        "SystemError": 0,
        "Modules": 1,
        "Letter1": ord("P"),
        "Letter2": ord("N"),
    }
    for name, value in expected.items():
        assert signals[name] == pytest.approx(value), name
    assert encode(healthy())[0x35E] == b"PYLON   "
    assert alarms(encode(healthy())) == set()


def test_discharge_current_and_cold_are_negative():
    signals = decoded(encode(healthy(current_ma=-87650, temperature_max_dc=-105)))
    assert signals["PackCurrent"] == pytest.approx(-87.7)
    assert signals["Temperature"] == pytest.approx(-10.5)


def test_the_discharge_limit_is_sent_positive():
    assert decoded(encode(healthy()))["DischargeCurrentLimit"] > 0


def test_before_the_first_sample_the_inverter_hears_that_nothing_is_allowed():
    frames = encode(Points())
    assert_safe(frames)
    assert decoded(frames)["ChargeVoltageLimit"] == pytest.approx(53.2)


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_missing_measurement_stops_both_directions_and_is_not_filled_in(name):
    assert_safe(encode(healthy(**{name: INVALID})))


def test_an_old_measurement_is_not_sent_as_live():
    assert_safe(encode(healthy(measurement_age_ms=1001)))
    assert_safe(encode(healthy(), live=False))


@given(limit=some.integers(INVALID, (1 << 30) - 1))
def test_the_charge_voltage_limit_is_never_zero(limit):
    assert decoded(encode(healthy(charge_voltage_limit_mv=limit)))["ChargeVoltageLimit"] > 0


@pytest.mark.parametrize("allowed", [0, INVALID])
def test_forbidden_charging_is_0_a_and_no_enable_whatever_the_limit_says(allowed):
    signals = decoded(encode(healthy(charge_allowed=allowed)))
    assert signals["ChargeCurrentLimit"] == 0
    assert signals["ChargeEnable"] == 0
    assert signals["DischargeCurrentLimit"] == pytest.approx(100.0)
    assert signals["DischargeEnable"] == 1
    assert signals["StateOfCharge"] == 64


@pytest.mark.parametrize("allowed", [0, INVALID])
def test_forbidden_discharging_is_0_a_and_no_enable_whatever_the_limit_says(allowed):
    signals = decoded(encode(healthy(discharge_allowed=allowed)))
    assert signals["DischargeCurrentLimit"] == 0
    assert signals["DischargeEnable"] == 0
    assert signals["ChargeCurrentLimit"] == pytest.approx(50.0)
    assert signals["ChargeEnable"] == 1


def test_large_values_stop_at_the_end_and_keep_their_sign():
    signals = decoded(
        encode(
            healthy(
                current_ma=5_000_000,
                pack_voltage_mv=400_000,
                charge_current_limit_ma=5_000_000,
                discharge_current_limit_ma=5_000_000,
            )
        )
    )
    assert signals["PackCurrent"] == pytest.approx(3276.7)
    assert signals["PackVoltage"] == pytest.approx(327.67)
    assert signals["ChargeCurrentLimit"] == pytest.approx(3276.7)
    assert signals["DischargeCurrentLimit"] == pytest.approx(3276.7)
    assert decoded(encode(healthy(current_ma=-5_000_000)))["PackCurrent"] == pytest.approx(-3276.8)


def test_a_limit_below_zero_is_sent_as_zero():
    signals = decoded(
        encode(healthy(charge_current_limit_ma=-1000, discharge_current_limit_ma=-1000))
    )
    assert signals["ChargeCurrentLimit"] == 0
    assert signals["DischargeCurrentLimit"] == 0


def test_equal_states_give_equal_frames():
    assert encode(healthy()) == encode(healthy())


@given(
    values=some.fixed_dictionaries(
        {
            name: some.one_of(some.just(INVALID), some.integers(-(1 << 30) + 1, (1 << 30) - 1))
            for name in (
                *MEASUREMENTS,
                "soh_bp",
                "charge_current_limit_ma",
                "discharge_current_limit_ma",
                "discharge_voltage_limit_mv",
            )
        }
    ),
    charge_allowed=some.sampled_from((0, 1)),
    discharge_allowed=some.sampled_from((0, 1)),
    age=some.sampled_from((0, 500, 1001)),
)
def test_whatever_the_points_hold_no_direction_is_opened_by_mistake(
    values, charge_allowed, discharge_allowed, age
):
    frames = encode(
        healthy(
            **values,
            charge_allowed=charge_allowed,
            discharge_allowed=discharge_allowed,
            measurement_age_ms=age,
        )
    )
    if age > 1000 or any(values[name] == INVALID for name in MEASUREMENTS):
        assert_safe(frames)
        return
    signals = decoded(frames)
    assert signals["ChargeEnable"] == charge_allowed
    assert signals["DischargeEnable"] == discharge_allowed
    if not charge_allowed:
        assert signals["ChargeCurrentLimit"] == 0
    if not discharge_allowed:
        assert signals["DischargeCurrentLimit"] == 0
