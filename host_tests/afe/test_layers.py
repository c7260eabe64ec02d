"""Who acts first, and which configurations are refused because the chip would be (law 5).

The chip's steps and ranges are those of afe.md section 4: 50.6 mV (20 to 110 and 20 to 90), 2 mV
across the shunt (OCC 4 to 124, OCD 4 to 200), short circuit 10 to 500 mV, -40 to 120 C.
"""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afe.bq76952_layers import problems, rows
from afe.bq76952_settings import Settings
from bms.parameters import Parameters

BASE = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 100000}


@functools.cache
def table():
    return Parameters()


def proposed(**changes):
    """Values as they might be asked for: this judge stands for itself, whatever ranges allow."""
    parameters = table()
    parameters.load({**BASE, "chemistry": changes.pop("chemistry", 0)})
    values = parameters.values[:]
    for name, value in changes.items():
        values[parameters.index(name)] = value
    return parameters, values


def refused(**changes):
    return problems(*proposed(**changes))


@pytest.mark.parametrize("chemistry", range(4))
def test_the_defaults_of_every_chemistry_leave_the_first_word_to_the_right_layer(chemistry):
    assert refused(chemistry=chemistry) == []


def test_values_in_force_are_looked_at_if_none_are_proposed():
    parameters, _ = proposed()
    assert problems(parameters) == []
    parameters.values[parameters.index("cell_undervoltage_trip_mv")] = 1000
    assert len(problems(parameters)) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # 20 * 50.6 mV = 1012 mV is the lowest the chip has; 20 mV are the least margin.
        (
            {"cell_undervoltage_trip_mv": 1031, "cell_undervoltage_release_mv": 1500},
            ("'cell_undervoltage_trip_mv' 1031 mV", "1012 mV", "1032 or more"),
        ),
        (
            {"undertemperature_charge_trip_dc": -395},
            ("'undertemperature_charge_trip_dc' -395 0.1C", "-400 0.1C", "-390 or more"),
        ),
        (
            {"undertemperature_discharge_trip_dc": -400},
            ("'undertemperature_discharge_trip_dc' -400", "-390 or more"),
        ),
        # 0.5 mohm: 124 mV are 248 A, 200 mV are 400 A, 500 mV are 1000 A.
        (
            {"overcurrent_charge_trip_ma": 248000, "fast_overcurrent_charge_ma": 300000},
            ("'overcurrent_charge_trip_ma' 248000 mA", "at 248000 mA", "lower it, or the shunt"),
        ),
        (
            {
                "overcurrent_discharge_trip_ma": 410000,
                "fast_overcurrent_discharge_ma": 500000,
                "short_circuit_trip_ma": 800000,
            },
            ("'overcurrent_discharge_trip_ma' 410000 mA", "400000 mA", "lower it, or the shunt"),
        ),
        # 0.05 mohm: 4 mV are 80 A, 10 mV are 200 A.
        (
            {"shunt_microohm": 50, "fast_overcurrent_charge_ma": 63000},
            ("'fast_overcurrent_charge_ma' 63000 mA", "80000 mA", "larger"),
        ),
        # 0.1 mohm: the least short circuit is 10 mV, 100 A.
        (
            {
                "shunt_microohm": 100,
                "overcurrent_discharge_trip_ma": 30000,
                "fast_overcurrent_discharge_ma": 60000,
                "short_circuit_trip_ma": 70000,
            },
            ("'short_circuit_trip_ma' 70000 mA", "100000 mA", "larger"),
        ),
        # 175 A asked: 87.5 mV, the chip's next step below is 80 mV, and its fast trip 80 mV too.
        (
            {"short_circuit_trip_ma": 175000},
            ("'short_circuit_trip_ma' 175000 mA", "160000 mA", "of 160000 mA; raise"),
        ),
    ],
)
def test_what_turns_the_order_round_is_refused_with_the_way_out(changes, words):
    sentences = refused(**changes)
    assert len(sentences) == 1
    for word in words:
        assert word in sentences[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"cell_undervoltage_trip_mv": 1032, "cell_undervoltage_release_mv": 1500},
        {"undertemperature_charge_trip_dc": -390},
        {"overcurrent_charge_trip_ma": 247000, "fast_overcurrent_charge_ma": 300000},
        {"shunt_microohm": 50, "fast_overcurrent_charge_ma": 64000},
        {"short_circuit_trip_ma": 200000},
        # The ends of the parameters' ranges that the chip still has
        {"cell_overvoltage_trip_mv": 4500, "afe_voltage_margin_mv": 300},
        {"fet_overtemperature_trip_dc": 1100, "afe_temperature_margin_dc": 100},
        {"afe_overtemperature_trip_dc": 1100, "afe_temperature_margin_dc": 100},
    ],
)
def test_at_the_edge_it_is_accepted(changes):
    assert refused(**changes) == []


def test_the_way_out_is_one():
    text = refused(cell_undervoltage_trip_mv=1000)[0]
    value = int(text.split("set it to ")[1].split()[0])
    assert refused(cell_undervoltage_trip_mv=value) == []
    assert refused(cell_undervoltage_trip_mv=value - 1) != []


def test_a_chip_that_sees_no_current_is_not_asked_about_it():
    assert refused(current_sensor=1, overcurrent_charge_trip_ma=600000) == []
    assert len(refused(current_sensor=1, cell_undervoltage_trip_mv=1000)) == 1


def test_several_problems_are_all_told():
    assert len(refused(cell_undervoltage_trip_mv=1000, undertemperature_charge_trip_dc=-400)) == 2


def test_what_runs_is_not_touched():
    parameters, values = proposed(cell_undervoltage_trip_mv=1000)
    running = Settings(parameters)
    running.update()
    before = (
        [bytes(run) for run in running.image.runs],
        list(running.image.taken),
        list(parameters.values),
    )
    assert problems(parameters, values)
    assert before == (
        [bytes(run) for run in running.image.runs],
        list(running.image.taken),
        list(parameters.values),
    )


LIMITS = (
    ("cell_overvoltage_trip_mv", "cell_overvoltage_trip_mv", 1),
    ("cell_undervoltage_trip_mv", "cell_undervoltage_trip_mv", -1),
    ("overtemperature_charge_trip_dc", "overtemperature_charge_trip_dc", 1),
    ("overtemperature_discharge_trip_dc", "overtemperature_discharge_trip_dc", 1),
    ("undertemperature_charge_trip_dc", "undertemperature_charge_trip_dc", -1),
    ("undertemperature_discharge_trip_dc", "undertemperature_discharge_trip_dc", -1),
    ("fet_overtemperature_trip_dc", "fet_overtemperature_trip_dc", 1),
    ("afe_overtemperature_trip_dc", "own_overtemperature_trip_dc", 1),
    ("overcurrent_charge_trip_ma", "fast_overcurrent_charge_ma", 1),
    ("overcurrent_discharge_trip_ma", "fast_overcurrent_discharge_ma", 1),
    ("overcurrent_discharge_trip_ma", "short_circuit_trip_ma", 1),
    ("fast_overcurrent_discharge_ma", "fast_overcurrent_discharge_ma", 0),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_accepted_really_is_in_order(data):
    parameters, values = proposed()
    names = {name for name, _, sign in LIMITS if sign}
    names |= {"shunt_microohm", "afe_voltage_margin_mv", "afe_temperature_margin_dc"}
    names |= {"fast_overcurrent_charge_ma", "fast_overcurrent_discharge_ma"}
    for name in sorted(names):
        index = parameters.index(name)
        values[index] = data.draw(
            st.integers(parameters.minimums[index], parameters.maximums[index]), name
        )
    if problems(parameters, values):
        return
    chip = Settings(parameters, values)
    chip.update()
    for name, taken, sign in LIMITS:
        beyond = chip.taken_value(taken) - values[parameters.index(name)]
        assert sign * beyond > 0 or sign == 0, name
    assert chip.taken_value("short_circuit_trip_ma") > chip.taken_value(
        "fast_overcurrent_discharge_ma"
    )


@pytest.mark.parametrize("margin_ms", [100, 1500])
@pytest.mark.parametrize("delay_ms", [0, 5000])
def test_the_chips_delays_can_not_come_first(delay_ms, margin_ms):
    changes = {"cell_overvoltage_delay_ms": delay_ms, "cell_undervoltage_delay_ms": delay_ms}
    parameters, values = proposed(afe_delay_margin_ms=margin_ms, **changes)
    chip = Settings(parameters, values)
    chip.update()
    for name in changes:
        assert chip.taken_value(name) - delay_ms >= 100


def test_the_table_for_the_docs_names_the_first_layer_and_both_margins():
    assert list(rows(*proposed())) == [
        ("cell_overvoltage", "software", "94 mV", "1003 ms"),  # 3744 - 3650, 2003 - 1000
        ("cell_undervoltage", "software", "69 mV", "1003 ms"),  # 2700 - 2631
        ("overtemperature_charge", "software", "3.0 K", "1000 ms"),
        ("overtemperature_discharge", "software", "3.0 K", "1000 ms"),
        ("undertemperature_charge", "software", "3.0 K", "1000 ms"),
        ("undertemperature_discharge", "software", "3.0 K", "1000 ms"),
        ("fet_overtemperature", "software", "3.0 K", "1000 ms"),
        ("afe_overtemperature", "software", "3.0 K", "1000 ms"),
        ("fast_overcurrent_charge", "chip", "20000 mA", "802 ms"),  # 80 - 60 A, 1000 - 198
        ("fast_overcurrent_discharge", "chip", "40000 mA", "802 ms"),
        ("short_circuit", "chip alone", "-", "-"),
        ("afe_watchdog", "chip alone", "-", "-"),
    ]


def test_without_a_shunt_at_the_chip_the_table_says_so():
    first = {row[0]: row[1] for row in rows(*proposed(current_sensor=1))}
    assert first["fast_overcurrent_discharge"] == "software alone"
    assert first["short_circuit"] == "the fuse alone"
