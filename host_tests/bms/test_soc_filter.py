"""The search over all states of charge: what it must find, and the same on every build.

The reference is a Bayes filter in floats that is written here from the description alone.
"""

import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bms.cell_model import CellModel
from bms.cell_voltage import WEIGHT_ONE
from bms.soc_filter import ROWS, SocFilter, _exp, _root
from host_tests.bms.made_up_cells import ramp_cell
from host_tests.bms.noalloc_estimator import walk

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")


def block(open_dmv, **changes):
    """A block of twenty seconds at rest on no branch, at 25 degC."""
    values = {
        "ds": 200,
        "moved_mpc": 0,
        "open_dmv": open_dmv,
        "branch": 0,
        "branch_spread": 0,
        "drop_dmv": 0,
        "weight": WEIGHT_ONE // 50,
        "temperature_dc": 250,
    }
    values.update(changes)
    return SimpleNamespace(**values)


def feed(found, *blocks):
    """Give blocks to a filter, and let it work them through."""
    for one in blocks:
        found.add(one)
        while not found.work():
            pass
    return found


@pytest.fixture
def found():
    return SocFilter(CellModel(ramp_cell()))


def test_at_the_start_everything_is_possible(found):
    assert found.estimate_mpc == pytest.approx(50000, abs=500)
    # Between 0 and 100 % all alike: the standard deviation is 100 / sqrt(12), plus its allowance.
    assert found.sigma_bp == pytest.approx(10000 / math.sqrt(12) * 1.4, rel=0.03)


def test_a_known_start_is_a_bell_and_some_doubt(found):
    found.start(70000, 500, 0)
    assert found.estimate_mpc == pytest.approx(70000, abs=300)
    assert found.sigma_bp == pytest.approx(500 * 1.4, rel=0.1)
    found.start(70000, 500, 30)
    # 70 % at 70 and 30 % evenly from 0 to 100: mean 64, and as wide as such a mixture is
    assert found.estimate_mpc == pytest.approx(64000, abs=500)
    variance = 0.7 * (5**2 + 6**2) + 0.3 * (100**2 / 12 + 14**2)
    assert found.sigma_bp == pytest.approx(100 * 1.4 * math.sqrt(variance), rel=0.03)


def test_one_voltage_on_a_steep_curve_finds_the_place(found):
    feed(found, block(29000))  # 25 %
    assert found.estimate_mpc == pytest.approx(25000, abs=3000)
    feed(found, *[block(29000)] * 30)
    assert found.estimate_mpc == pytest.approx(25000, abs=400)
    assert found.sigma_bp < 400


def test_it_is_what_a_filter_in_floats_computes():
    """One row of guesses without drift: prior, likelihood, mean and standard deviation."""
    flat = [28000 + 40 * percent for percent in range(41)]
    flat += [29600 + percent for percent in range(1, 31)]  # 0.1 mV a percent from 40 to 70 %
    flat += [29630 + 40 * percent for percent in range(1, 31)]
    cell = ramp_cell(ocv_charge_dmv=flat, ocv_discharge_dmv=flat, error_dmv=50)
    found = SocFilter(CellModel(cell))
    chances = [1 / 101] * 101
    sigma = 60  # 1.2 times the model's error
    for count, open_dmv in enumerate([29605, 29640, 29610, 29615, 29590] * 4):
        feed(found, block(open_dmv))
        weight = 1 if count == 0 else 1 / 50
        for percent in range(101):
            z = abs(open_dmv - flat[percent]) / sigma
            surprise = 2 * math.log(1 + min(z, 4) ** 2 / 4) + 0.8 * max(0, min(z, 63 / 5) - 4)
            chances[percent] *= math.exp(-weight * surprise)
        spread = 0.5 * (20 / 3600 + 0.0002)  # of one square percent an hour, as integers round it
        chances = [
            here + spread * (chances[max(0, at - 1)] + chances[min(100, at + 1)] - 2 * here)
            for at, here in enumerate(chances)
        ]
        total = sum(chances)
        chances = [here / total for here in chances]
    mean = sum(at * here for at, here in enumerate(chances))
    deviation = math.sqrt(sum((at - mean) ** 2 * here for at, here in enumerate(chances)))
    assert found.estimate_mpc / 1000 == pytest.approx(mean, abs=0.7)
    assert found.sigma_bp / 100 == pytest.approx(1.4 * deviation, rel=0.06)


def test_guesses_move_with_the_counted_charge(found):
    found.start(50000, 200, 0)
    feed(found, block(30400, moved_mpc=10000, ds=1))
    assert found.estimate_mpc == pytest.approx(60000, abs=300)
    for step in range(100):
        feed(found, block(30400 - 5 * step, moved_mpc=-123, weight=0, ds=1))
    assert found.estimate_mpc == pytest.approx(47700, abs=300)


def test_what_moves_over_an_end_stays_there(found):
    found.start(95000, 200, 0)
    feed(found, block(32000, moved_mpc=20000, weight=0))
    assert found.estimate_mpc > 98500
    feed(found, block(28000, moved_mpc=-99000, weight=0))
    assert found.estimate_mpc < 2500


def test_charge_that_no_voltage_follows_is_an_offset(found):
    found.start(50000, 200, 0)
    for _ in range(60):  # 3 % of C for 20 hours
        feed(found, block(30000, ds=12000, moved_mpc=1000, weight=WEIGHT_ONE // 5))
    assert found.offset_bp_h == pytest.approx(300, abs=80)
    assert found.estimate_mpc == pytest.approx(50000, abs=2500)


def test_a_sensor_without_offset_gets_none(found):
    found.start(50000, 200, 0)
    for _ in range(400):
        feed(found, block(30000, ds=1800))
    assert abs(found.offset_bp_h) < 15


def test_without_voltages_that_say_something_it_gets_less_sure(found):
    found.start(50000, 100, 0)
    before_bp = found.sigma_bp
    for _ in range(12):
        feed(found, block(30000, ds=1200, weight=0))
    assert found.sigma_bp > before_bp


@pytest.mark.parametrize(("full", "end_mpc"), [(True, 100000), (False, 0)])
def test_an_anchor_is_certain(found, full, end_mpc):
    feed(found, block(30000))
    found.anchor(full)
    assert abs(found.estimate_mpc - end_mpc) < 400
    assert found.sigma_bp < 120


def test_an_anchor_keeps_the_offsets_that_agree_with_it(found):
    found.start(90000, 100, 0)
    for _ in range(20):  # counted full after ten hours: so the sensor has no offset
        feed(found, block(31800, ds=18000, moved_mpc=500, weight=0))
    found.anchor(True)
    assert abs(found.offset_bp_h) < 20


def test_a_voltage_that_nothing_near_explains_begins_the_search_anew(found):
    found.start(80000, 100, 0)
    feed(found, block(31200), block(31200))
    assert found.estimate_mpc == pytest.approx(80000, abs=500)
    feed(found, *[block(29000)] * 4)  # 25 %
    assert found.estimate_mpc == pytest.approx(25000, abs=3000)


def test_what_was_kept_is_not_counted_twice(found):
    """The voltage after a reset is the one that the estimate already rests on."""
    found.start(50000, 300, 0, seen=True)
    feed(found, block(30200))  # 5 % more: a whole observation would pull further
    assert abs(found.estimate_mpc - 50000) < 300


def test_a_load_and_an_unknown_branch_make_a_voltage_worth_less(found):
    curves = {"drop_dmv": 1000}, {"branch_spread": 1000}
    sigmas = []
    for change in ({}, *curves):
        cell = ramp_cell(
            ocv_charge_dmv=[v + 200 for v in ramp_cell()["ocv_charge_dmv"]],
            ocv_discharge_dmv=[v - 200 for v in ramp_cell()["ocv_discharge_dmv"]],
        )
        one = feed(SocFilter(CellModel(cell)), *[block(30000, **change)] * 10)
        sigmas.append(one.sigma_bp)
    assert sigmas[1] > 1.2 * sigmas[0]
    assert sigmas[2] > 1.2 * sigmas[0]


def test_a_block_takes_ten_turns(found):
    found.add(block(30000))
    turns = 1
    while not found.work():
        turns += 1
    assert turns == ROWS + 2


def test_its_exponential_is_right_within_a_few_of_4096():
    for x in range(12000):
        assert abs(_exp(x) - 4096 * math.exp(-x / 1024)) <= 6


@pytest.mark.parametrize("square", [0, 1, 2, 3, 4, 99, 100, 12345, 1 << 29, (1 << 30) - 1])
def test_its_root_is_the_whole_part(square):
    assert _root(square) == math.isqrt(square)


def test_micropython_computes_the_same_and_allocates_nothing():
    run = subprocess.run(
        [MICROPYTHON, HERE / "noalloc_estimator.py"],
        env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert run.stdout.splitlines() == [f"{size} {walk(size)}" for size in (500, 280000)] + ["OK"]
