"""Who acts first on a BQ769x0, and which packs it is refused for."""

import pytest

from afe.bq769x0_layers import problems, rows
from bms.parameters import Parameters
from cellsteward import chip_docs, generated_docs

DEFAULTS = {"chemistry": 0, "series_cells": 15, "design_capacity_mah": 100_000}
LFP, NMC, LTO, SODIUM = range(4)


def parameters_with(**settings):
    parameters = Parameters()
    parameters.load({**DEFAULTS, **settings})
    return parameters


def found(inputs=15, **settings):
    return problems(parameters_with(**settings), inputs)


@pytest.mark.parametrize("chemistry", [LFP, NMC, SODIUM])
def test_usual_packs_are_guarded(chemistry):
    assert found(chemistry=chemistry) == []


def test_lto_has_no_over_voltage_trip_low_enough_and_is_refused():
    """afe.md section 8: OV_TRIP's fixed bits mean about 3.1 V or more."""
    sentences = found(chemistry=LTO)
    assert len(sentences) >= 1
    assert "cell_overvoltage_trip_mv" in sentences[0]


@pytest.mark.parametrize(
    ("inputs", "fewest"), [(5, 3), (10, 6), (15, 9)]
)  # a group needs three cells (SLUSBK2I, cell connections)
def test_cells_must_fit_the_chip(inputs, fewest):
    sensors = inputs // 5
    for cells in range(3, 17):
        sentences = found(inputs, series_cells=cells, cell_thermistors=min(2, sensors))
        assert (sentences == []) == (fewest <= cells <= inputs)
        if sentences:
            assert "series_cells" in sentences[0]


@pytest.mark.parametrize(
    ("inputs", "cells", "thermistors", "fet", "fits"),
    [(5, 5, 1, 0, True), (5, 5, 2, 0, False), (5, 5, 1, 1, False), (10, 10, 1, 1, True),
     (10, 10, 2, 1, False), (15, 15, 3, 0, True), (15, 15, 3, 1, False)],
)  # fmt: skip
def test_sensors_must_fit_its_pins(inputs, cells, thermistors, fet, fits):
    sentences = found(inputs, series_cells=cells, cell_thermistors=thermistors, fet_thermistor=fet)
    assert (sentences == []) == fits


@pytest.mark.parametrize(("name", "value"), [("power_path", 2), ("predischarge", 1)])
def test_paths_that_it_has_no_outputs_for_are_refused(name, value):
    assert any(name in sentence for sentence in found(**{name: value}))


def test_a_shunt_that_makes_the_chip_act_before_the_software_is_refused():
    # 120 A at 1 mohm is 120 mV, beyond the chip's 100.
    sentences = found(shunt_microohm=1000)
    assert any("overcurrent_discharge_trip_ma" in sentence for sentence in sentences)


def test_a_shunt_too_small_for_the_fast_trips_is_refused():
    # 160 A at 30 uohm is 4.8 mV; the least that the chip sees is 8 mV, 267 A.
    sentences = found(shunt_microohm=50, fast_overcurrent_discharge_ma=125_000)
    assert any("fast_overcurrent_discharge_ma" in sentence for sentence in sentences)


def test_a_short_circuit_must_lie_above_the_fast_over_current():
    sentences = found(
        shunt_microohm=1000,
        overcurrent_discharge_trip_ma=70_000,
        overcurrent_discharge_warn_ma=60_000,
        discharge_current_max_ma=50_000,
        fast_overcurrent_discharge_ma=100_000,
        short_circuit_trip_ma=105_000,  # 89 mV of 44, 67, 89, 111
    )
    assert any("short_circuit_trip_ma" in sentence for sentence in sentences)


def test_with_another_current_sensor_the_chip_sees_no_current():
    assert found(shunt_microohm=1000, current_sensor=1) == []


def test_proposed_values_are_judged_and_the_running_ones_stay():
    parameters = parameters_with()
    values = list(parameters.values)
    values[parameters.index("series_cells")] = 16
    before = list(parameters.values)
    assert problems(parameters, 15, values)
    assert list(parameters.values) == before


def test_the_table_says_who_is_first_by_what_margin():
    """Gain 380 uV, no offset: 3700 mV is reading 9737, so 0x2608 = 9736 is too little and 0x2618
    = 9752 it is, 3706 mV; 2650 mV is 6973, so 0x1B30 = 6960 or 2645 mV."""
    table = {row[0]: row[1:] for row in rows(parameters_with())}
    assert table["cell_overvoltage"] == ("software", "56 mV", "1000 ms")
    assert table["cell_undervoltage"] == ("software", "55 mV", "2000 ms")
    assert table["fast_overcurrent_discharge"] == ("chip", "36000 mA", "840 ms")
    assert table["short_circuit"][0] == "chip alone"
    for protection in ("fast_overcurrent_charge", "overtemperature_charge", "fet_overtemperature"):
        assert table[protection][0] == "software alone"
    assert "watchdog" in table["afe_watchdog"][0]


def test_with_another_current_sensor_a_short_circuit_is_the_fuses():
    table = {row[0]: row[1:] for row in rows(parameters_with(current_sensor=1))}
    assert table["short_circuit"] == ("the fuse alone", "-", "-")
    assert table["fast_overcurrent_discharge"] == ("software alone", "-", "-")


def test_the_page_about_chips_has_todays_tables():
    text = chip_docs.generate()
    assert generated_docs.run(chip_docs.PAGE, text, ["--check"]) == 0, "run 'make docs'"
