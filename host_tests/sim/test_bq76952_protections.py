"""The protections of the BQ76952 model: thresholds, delays, reactions, recoveries (afe.md)."""

import pytest

from host_tests.sim.bq76952_bench import (
    COV,
    CURRENT_SETTINGS,
    FULLSCAN_MS,
    OCC,
    OCD1,
    OCD2,
    SCD,
    Bench,
    S,
    little,
)


@pytest.fixture
def bench():
    return Bench()


# Protections of voltage: delays of 3.3 ms * (2 + n), hysteresis, recovery after 3 s.


def set_cell(bench, volts):
    def cause():
        bench.pack.cell_v[5] = volts

    return cause


@pytest.mark.parametrize("steps", [1, 74, 300])
def test_cov_opens_the_charge_gate_after_its_delay(bench, steps):
    bench.close_gates((0x9279, little(steps)))
    delay_ms = bench.opened_after_ms(0, set_cell(bench, 86 * 0.0506 + 0.001))
    assert delay_ms == pytest.approx(3.3 * (2 + steps), abs=0.001)
    assert bench.closed() == (False, True)
    assert (bench.byte(0x02), bench.byte(0x03)) == (0, COV)


@pytest.mark.parametrize("steps", [1, 74, 300])
def test_cuv_opens_the_discharge_gate_after_its_delay(bench, steps):
    bench.close_gates((0x9261, b"\x8c"), (0x9276, little(steps)))
    delay_ms = bench.opened_after_ms(1, set_cell(bench, 50 * 0.0506 - 0.001))
    assert delay_ms == pytest.approx(3.3 * (2 + steps), abs=0.001)
    assert bench.closed() == (True, False)


def test_the_alert_comes_first_and_goes_if_the_cell_recovers(bench):
    bench.run_ms(10)
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(100)
    assert (bench.byte(0x02), bench.byte(0x03)) == (COV, 0)
    bench.pack.cell_v[5] = 3.3
    bench.run_ms(1000)
    assert (bench.byte(0x02), bench.byte(0x03)) == (0, 0)


def test_a_value_just_below_the_threshold_does_not_trip(bench):
    bench.pack.cell_v[5] = 86 * 0.0506 - 0.001
    bench.run_ms(10_000)
    assert bench.byte(0x03) == 0


def test_cuv_and_others_are_off_until_enabled(bench):
    bench.pack.cell_v[5] = 1.0
    bench.pack.cell_temperature_c = [90.0] * 3
    bench.run_ms(10_000)
    assert (bench.byte(0x03), bench.byte(0x05)) == (0, 0)


def test_cov_recovers_below_its_hysteresis_and_closes_the_gate_by_itself(bench):
    bench.close_gates((0x9261, b"\x88"), (0x9308, b"\x0c"))
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(1000)
    bench.pack.cell_v[5] = 85 * 0.0506  # inside the hysteresis of 2 steps
    bench.run_ms(20_000)
    assert bench.closed() == (False, True)
    bench.pack.cell_v[5] = 84 * 0.0506 - 0.001
    released_us = bench.chip.time_us
    bench.run_ms(10_000)
    assert bench.gates[-1] == (released_us + 3 * S, True, True)
    assert bench.byte(0x03) == 0


def test_a_recovery_that_is_interrupted_starts_again(bench):
    bench.close_gates()
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(1000)
    for _ in range(5):
        bench.pack.cell_v[5] = 3.3
        bench.run_ms(2000)
        bench.pack.cell_v[5] = 5.0
        bench.run_ms(10)
    assert bench.byte(0x03) == COV


def test_a_host_force_off_keeps_the_gate_open_over_a_recovery(bench):
    bench.close_gates()
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(1000)
    bench.send(0x0094)
    bench.pack.cell_v[5] = 3.3
    bench.run_ms(10_000)
    assert bench.byte(0x03) == 0
    assert bench.closed() == (False, True)


def test_a_reaction_mask_without_the_bit_leaves_the_gate_alone(bench):
    bench.close_gates((0x9265, b"\x00"))
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(5000)
    assert bench.byte(0x03) == COV
    assert bench.closed() == (True, True)


def test_an_unusual_reaction_mask_costs_up_to_250_ms(bench):
    bench.close_gates((0x9265, b"\x08"))
    delay_ms = bench.opened_after_ms(0, set_cell(bench, 5.0))
    assert delay_ms == pytest.approx(3.3 * 76 + 250, abs=0.001)


# Protections of current. The shunt is 1 mohm: 1 A = 1 mV.


def set_current(bench, amperes):
    def cause():
        bench.pack.current_a = amperes

    return cause


@pytest.mark.parametrize(
    ("amperes", "direction", "bit", "delay_ms"),
    [
        (20.5, 0, OCC, 3.3 * 7),
        (-40.5, 1, OCD1, 3.3 * 32),
        (-80.5, 1, OCD2, 3.3 * 4),
        (-126.0, 1, SCD, 0.015),
    ],
)
def test_over_currents_open_the_gate_after_their_delay(bench, amperes, direction, bit, delay_ms):
    bench.close_gates(*CURRENT_SETTINGS)
    measured_ms = bench.opened_after_ms(direction, set_current(bench, amperes))
    assert measured_ms == pytest.approx(delay_ms, abs=0.001)
    assert bench.byte(0x03) & bit


@pytest.mark.parametrize("amperes", [19.5, -39.5])
def test_currents_below_the_thresholds_do_not_trip(bench, amperes):
    bench.close_gates(*CURRENT_SETTINGS)
    bench.pack.current_a = amperes
    bench.run_ms(10_000)
    assert bench.closed() == (True, True)


@pytest.mark.parametrize(
    ("index", "millivolts"),
    list(enumerate([10, 20, 40, 60, 80, 100, 125, 150, 175, 200, 250, 300, 350, 400, 450, 500])),
)
def test_scd_thresholds(index, millivolts):
    bench = Bench()
    bench.configure((0x9261, b"\x80"), (0x9286, bytes([index, 31])))
    bench.pack.current_a = -millivolts + 0.5
    bench.run_ms(100)
    assert bench.byte(0x03) == 0
    bench.pack.current_a = -millivolts - 0.5
    bench.chip.advance(449)
    assert bench.byte(0x03) == 0
    bench.chip.advance(1)  # 15 us * (31 - 1)
    assert bench.byte(0x03) == SCD


def test_scd_opens_both_gates(bench):
    bench.close_gates(*CURRENT_SETTINGS)
    bench.pack.current_a = -200.0
    bench.run_ms(1)
    assert bench.closed() == (False, False)


def test_scd_recovers_after_its_time(bench):
    bench.close_gates(*CURRENT_SETTINGS, (0x9294, b"\x07"))
    bench.pack.current_a = -200.0
    bench.run_ms(1)
    bench.pack.current_a = 0.0
    bench.run_ms(6900)
    assert bench.byte(0x03) & SCD
    bench.run_ms(200)
    assert not bench.byte(0x03) & SCD


def test_occ_stays_until_the_current_is_below_its_recovery_threshold(bench):
    bench.close_gates(*CURRENT_SETTINGS)
    bench.pack.current_a = 25.0
    bench.run_ms(1000)
    bench.pack.current_a = 0.0
    bench.run_ms(30_000)
    assert bench.byte(0x03) == OCC
    bench.pack.current_a = -0.3  # default: -200 mA for 3 s
    bench.run_ms(3100)
    assert bench.byte(0x03) == 0


def test_occ_recovers_too_when_the_charger_is_gone(bench):
    bench.close_gates(*CURRENT_SETTINGS)
    bench.pack.current_a = 25.0
    bench.run_ms(1000)
    bench.pack.current_a = 0.0
    bench.pack.bus_v = 52.8 - 2.1  # default: 200 * 10 mV below the stack
    bench.run_ms(3100)
    assert bench.byte(0x03) == 0


def test_ocd_recovers_only_by_a_charging_current(bench):
    bench.close_gates(*CURRENT_SETTINGS)
    bench.pack.current_a = -50.0
    bench.run_ms(1000)
    bench.pack.current_a = 0.0
    bench.run_ms(30_000)
    assert bench.byte(0x03) == OCD1
    bench.pack.current_a = 0.3
    bench.run_ms(3100)
    assert bench.byte(0x03) == 0


# Protections of temperature.

TEMPERATURE_SETTINGS = (
    (0x9262, b"\xf7"),
    (0x92FD, b"\x07\x07\x07\x0f"),
    (0x929A, bytes([50, 2, 45, 55, 3, 50])),  # OTC, OTD: threshold, delay s, recovery
    (0x92A0, bytes([80, 1, 70, 90, 4, 85])),  # OTF, OTINT
    (0x92A6, bytes([2, 2, 5, 256 - 20, 2, 256 - 15])),  # UTC, UTD
)


@pytest.mark.parametrize(
    ("cell_c", "board_c", "bits", "expected"),
    [
        (51.0, 30.0, 0x10, (False, True)),  # OTC
        (56.0, 30.0, 0x30, (False, False)),  # OTC and OTD
        (1.0, 30.0, 0x01, (False, True)),  # UTC
        (-21.0, 30.0, 0x03, (False, False)),  # UTC and UTD
        (25.0, 81.0, 0x80, (False, False)),  # OTF
        (25.0, 91.0, 0xC0, (False, False)),  # OTF and OTINT
    ],
)
def test_temperatures_open_the_gates(bench, cell_c, board_c, bits, expected):
    bench.close_gates(*TEMPERATURE_SETTINGS)
    bench.pack.cell_temperature_c[1] = cell_c
    bench.pack.board_temperature_c = board_c
    bench.run_ms(10_000)
    bench.run_ms(10_000)
    assert bench.byte(0x05) == bits
    assert bench.closed() == expected


def test_over_temperature_takes_its_delay_a_full_scan_and_the_slow_reaction(bench):
    bench.close_gates(*TEMPERATURE_SETTINGS)
    bench.run_ms(1000)

    def cause():
        bench.pack.cell_temperature_c = [60.0] * 3

    delay_ms = bench.opened_after_ms(0, cause)
    assert 2000 + 250 <= delay_ms <= 2000 + 250 + FULLSCAN_MS + 50


def test_over_temperature_recovers_at_its_recovery_temperature(bench):
    bench.close_gates(*TEMPERATURE_SETTINGS)
    for cell_c, status in ((51.0, 0x10), (46.0, 0x10), (44.0, 0x00)):
        bench.pack.cell_temperature_c = [cell_c] * 3
        for _ in range(10):
            bench.run_ms(1000)
        assert bench.byte(0x05) == status


def test_without_cell_thermistors_temperatures_protect_nothing(bench):
    bench.configure((0x9262, b"\xf7"), (0x92FD, b"\x00"))
    bench.pack.cell_temperature_c = [90.0] * 3
    bench.run_ms(10_000)
    assert bench.byte(0x05) & 0x33 == 0
