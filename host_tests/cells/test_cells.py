"""The built-in cell models: complete, plausible for their chemistry, honest about their source."""

import importlib
from pathlib import Path

import pytest

from bms.cell_model import CellModel
from cellsteward import ROOT

NAMES = ("lfp", "nmc", "nca", "lto", "sodium")
KEYS = {
    "name",
    "source",
    "chemistry",
    "validated",
    "capacity_mah",
    "ocv_charge_dmv",
    "ocv_discharge_dmv",
    "ocv_uv_per_k",
    "hysteresis_bp",
    "r0_temperature_dc",
    "r0_uohm",
    "rc_tau_s",
    "rc_permille",
    "error_dmv",
}


def cell(name):
    return importlib.import_module("cells." + name).CELL


def test_there_is_a_module_for_each_chemistry_and_no_other():
    files = {path.stem for path in Path(ROOT, "firmware", "lib", "cells").glob("*.py")}
    assert files == {*NAMES, "__init__"}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_has_exactly_the_keys_of_a_cell_file(name):
    model = cell(name)
    assert set(model) == KEYS
    assert model["chemistry"] == ("nmc" if name == "nca" else name)
    assert len(model["ocv_charge_dmv"]) == len(model["ocv_discharge_dmv"]) == 101
    assert len(model["ocv_uv_per_k"]) == 21


@pytest.mark.parametrize("name", NAMES)
def test_the_device_takes_it(name):
    model = CellModel(cell(name))
    assert model.ocv_dmv(0, 0) < model.ocv_dmv(5000, 0) < model.ocv_dmv(10000, 0)


@pytest.mark.parametrize("name", NAMES)
def test_voltage_rises_with_charge_and_the_charge_branch_lies_above(name):
    up, down = cell(name)["ocv_charge_dmv"], cell(name)["ocv_discharge_dmv"]
    assert up == sorted(up)
    assert down == sorted(down)
    assert all(high >= low for high, low in zip(up, down, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_source_is_named_and_what_was_compared_with_no_cell_says_so(name):
    assert len(cell(name)["source"]) > 60
    assert cell(name)["validated"] == (name in ("lfp", "nmc", "nca"))


# Data sheets: mid-charge rest voltage. EVE LF280K 3.29 V; LG HG2, Panasonic NCR18650PF 3.6-3.75 V;
# Toshiba SCiB 20 Ah 2.2-2.35 V; Hakadi 18650 sodium-ion 3.0-3.2 V.
@pytest.mark.parametrize(
    ("name", "low_v", "high_v"),
    [
        ("lfp", 3.27, 3.32),
        ("nmc", 3.60, 3.78),
        ("nca", 3.60, 3.75),
        ("lto", 2.20, 2.40),
        ("sodium", 2.95, 3.20),
    ],
)
def test_the_voltage_at_half_charge_is_that_of_the_chemistry(name, low_v, high_v):
    model = cell(name)
    middle_v = (model["ocv_charge_dmv"][50] + model["ocv_discharge_dmv"][50]) / 2e4
    assert low_v < middle_v < high_v


def test_the_branches_of_lifepo4_lie_between_those_of_rests_and_of_slow_tests():
    # estimation.md: rests show +-8 to 12 mV on the plateau; slow tests of A123 show 34 mV between
    # the branches, of EVE 280 28 mV
    model = cell("lfp")
    for percent in (45, 50, 55, 80, 85, 90):
        gap = model["ocv_charge_dmv"][percent] - model["ocv_discharge_dmv"][percent]
        assert 160 <= gap <= 340


def test_lifepo4_is_half_as_resistive_warm_and_three_times_cold():
    # A123: 28.5 mohm at -5 degC, 9.68 at 25 degC, 7.53 at 45 degC
    r0 = dict(zip(cell("lfp")["r0_temperature_dc"], cell("lfp")["r0_uohm"], strict=True))
    assert r0[-50] / r0[250] == pytest.approx(28.5 / 9.68, rel=0.02)
    assert r0[450] / r0[250] == pytest.approx(7.53 / 9.68, rel=0.02)
