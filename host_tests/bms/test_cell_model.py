"""Cell models: look-ups by hand-computed values, and a sentence for every file that is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.cell_model import BRANCH_MAX, CellModel, CellModelError
from host_tests.bms.made_up_cells import RAMP, ramp_cell


@pytest.fixture
def model():
    return CellModel(ramp_cell())


@pytest.mark.parametrize(
    ("soc_bp", "branch", "temperature_dc", "ocv_dmv"),
    [
        (5000, 0, 250, 30000),  # 2.8 V + 50 * 4 mV
        (5000, BRANCH_MAX, 250, 30010),
        (5000, -BRANCH_MAX, 250, 29990),
        (5000, BRANCH_MAX // 2, 250, 30005),
        (5025, 0, 250, 30010),  # a quarter percent is 1 mV
        (0, -BRANCH_MAX, 250, 27990),
        (10000, BRANCH_MAX, 250, 32010),
        (-300, 0, 250, 28000),
        (12000, 0, 250, 32000),
        (5000, 0, 350, 30010),  # 10 K at 100 uV/K
        (5000, 0, -50, 29970),
    ],
)
def test_the_open_circuit_voltage_follows_charge_branch_and_temperature(
    model, soc_bp, branch, temperature_dc, ocv_dmv
):
    assert model.ocv_dmv(soc_bp, branch, temperature_dc) == ocv_dmv


def test_the_temperature_slope_is_its_own_curve_over_the_charge():
    slopes = [0] * 21
    slopes[2] = 400  # at 10 %
    model = CellModel(ramp_cell(ocv_uv_per_k=slopes))
    assert model.ocv_dmv(1000, 0, 350) - model.ocv_dmv(1000, 0, 250) == 40
    assert model.ocv_dmv(750, 0, 350) - model.ocv_dmv(750, 0, 250) == 20
    assert model.ocv_dmv(1500, 0, 350) - model.ocv_dmv(1500, 0, 250) == 0


@given(st.integers(0, 10000), st.integers(-BRANCH_MAX, BRANCH_MAX), st.integers(-200, 600))
def test_the_charge_is_found_back_from_the_voltage(soc_bp, branch, temperature_dc):
    model = CellModel(ramp_cell())
    voltage_dmv = model.ocv_dmv(soc_bp, branch, temperature_dc)
    # 0.1 mV of this curve is 2.5 bp; interpolation and branch round by up to 0.1 mV each
    assert abs(model.soc_bp(voltage_dmv, branch, temperature_dc) - soc_bp) <= 8


def test_a_voltage_outside_of_the_curve_is_its_end(model):
    assert model.soc_bp(20000, 0) == 0
    assert model.soc_bp(40000, 0) == 10000


@pytest.mark.parametrize(
    ("temperature_dc", "capacity_mah", "r0_uohm"),
    [
        (250, 2000, 10000),
        (0, 2000, 30000),
        (125, 2000, 20000),
        (350, 2000, 9000),
        (-200, 2000, 30000),
        (600, 2000, 8000),
        (250, 280000, 71),  # 20 mohm Ah over 280 Ah
        (250, 500, 40000),
    ],
)
def test_the_resistance_follows_temperature_and_size(model, temperature_dc, capacity_mah, r0_uohm):
    assert model.r0_uohm(temperature_dc, capacity_mah) == r0_uohm


def test_one_temperature_is_enough():
    model = CellModel(
        ramp_cell(r0_temperature_dc=[250], r0_uohm=[10000], rc_tau_s=[], rc_permille=[])
    )
    assert model.r0_uohm(-100, 2000) == model.r0_uohm(400, 2000) == 10000
    assert len(model.rc_tau_s) == 0


def test_a_file_of_json_is_a_cell():
    model = CellModel(json.loads(json.dumps(ramp_cell())))
    assert (model.name, model.chemistry, model.validated) == ("ramp", "lfp", False)
    assert (model.capacity_mah, model.hysteresis_bp, model.error_dmv) == (2000, 500, 50)
    assert list(model.rc_tau_s) == [30, 900]
    assert list(model.rc_permille) == [500, 800]


FALLING = [*RAMP[:40], RAMP[38], *RAMP[41:]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "'name' must be a text"),
        ({"source": 7}, "'source' must be a text"),
        ({"chemistry": "nca"}, "'chemistry' is 'nca', but must be one of lfp, nmc, lto, sodium"),
        ({"validated": 1}, "'validated' must be true or false"),
        ({"capacity_mah": 0}, "'capacity_mah' must be a whole number from 100"),
        ({"capacity_mah": 2.5}, "'capacity_mah' must be a whole number"),
        ({"capacity_mah": True}, "'capacity_mah' must be a whole number"),
        ({"hysteresis_bp": 5}, "'hysteresis_bp' must be a whole number from 10"),
        ({"error_dmv": 0}, "'error_dmv' must be a whole number from 5"),
        ({"ocv_charge_dmv": RAMP[:100]}, "'ocv_charge_dmv' must be a list of 101 numbers"),
        ({"ocv_charge_dmv": None}, "'ocv_charge_dmv' must be a list"),
        ({"ocv_discharge_dmv": [0] * 101}, "each of 'ocv_discharge_dmv' must be"),
        ({"ocv_discharge_dmv": FALLING}, "'ocv_discharge_dmv' must not fall: 29520 comes after"),
        ({"ocv_charge_dmv": [v - 11 for v in RAMP]}, "at 0 % 'ocv_discharge_dmv' lies above"),
        (
            {"ocv_charge_dmv": [33000] * 101, "ocv_discharge_dmv": [32900] * 101},
            "rises by less than 100 mV",
        ),
        ({"ocv_uv_per_k": [0] * 20}, "'ocv_uv_per_k' must be a list of 21 numbers"),
        ({"r0_uohm": [1, 2]}, "'r0_temperature_dc' and 'r0_uohm' must have as many values"),
        ({"r0_uohm": []}, "'r0_uohm' must be a list of 1 to 16 numbers"),
        ({"r0_temperature_dc": [0, 0, 450]}, "'r0_temperature_dc' must rise: 0 comes after 0"),
        ({"rc_permille": [500]}, "'rc_tau_s' and 'rc_permille' must have as many values"),
        ({"rc_tau_s": [900, 30]}, "'rc_tau_s' must rise: 30 comes after 900"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(change, said):
    with pytest.raises(CellModelError) as refused:
        CellModel(ramp_cell(**change))
    assert said in str(refused.value)


@pytest.mark.parametrize("key", sorted(ramp_cell()))
def test_a_missing_key_is_named(key):
    cell = ramp_cell()
    del cell[key]
    with pytest.raises(CellModelError, match="'%s' is missing" % key):
        CellModel(cell)


@pytest.mark.parametrize("not_a_cell", [None, [], "lfp", 3])
def test_something_else_than_a_dictionary_is_refused(not_a_cell):
    with pytest.raises(CellModelError):
        CellModel(not_a_cell)


def test_the_refusal_is_a_value_error():
    assert issubclass(CellModelError, ValueError)
