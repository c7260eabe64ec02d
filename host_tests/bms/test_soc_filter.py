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
from bms.cell_voltage import WEIGHT_ONE, root
from bms.soc_filter import ROWS, SocFilter, exponential
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
        "scatter_dmv": 0,
        "start_dmv": 0,
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
    # 70 % at 70 and 30 % evenly from 0 to 100: the doubt widens, and does not move the estimate
    assert found.estimate_mpc == pytest.approx(70000, abs=500)
    variance = 0.7 * 5**2 + 0.3 * (100**2 / 12 + 20**2)
    assert found.sigma_bp == pytest.approx(100 * 1.4 * math.sqrt(variance), rel=0.03)


def test_one_voltage_on_a_steep_curve_finds_the_place(found):
    feed(found, block(29000))  # 25 %
    assert found.estimate_mpc == pytest.approx(25000, abs=3000)
    feed(found, *[block(29000)] * 30)
    assert found.estimate_mpc == pytest.approx(25000, abs=400)
    assert found.sigma_bp < 400


def test_it_is_what_a_filter_in_floats_computes():
    """One row of guesses without drift: prior, bias, likelihood, median and deviation."""
    flat = [28000 + 40 * percent for percent in range(41)]
    flat += [29600 + percent for percent in range(1, 31)]  # 0.1 mV a percent from 40 to 70 %
    flat += [29630 + 40 * percent for percent in range(1, 31)]
    cell = ramp_cell(ocv_charge_dmv=flat, ocv_discharge_dmv=flat, error_dmv=50)
    found = SocFilter(CellModel(cell))
    chances = [1 / 101] * 101
    biases = [0.0] * 101
    lasting, short, unknown = 65, 50, 1.0
    for count, open_dmv in enumerate([29605, 29640, 29610, 29615, 29590] * 4):
        feed(found, block(open_dmv))
        keep = math.exp(-20 / 3600 / 20)  # twenty seconds of twenty hours
        unknown = 1 - (1 - unknown) * keep**2
        weight = 1 if count == 0 else 1 / 50
        total = unknown * lasting**2 + short**2 / weight
        whole = unknown * lasting**2 + short**2
        for percent in range(101):
            residual = open_dmv - flat[percent] - keep * biases[percent]
            z = min(abs(residual) / math.sqrt(whole), 63 / 5)
            surprise = z**2 / 2 if z < 3 else 3 * z - 4.5
            chances[percent] *= math.exp(-surprise * whole / total)
            biases[percent] = keep * biases[percent] + unknown * lasting**2 / total * residual
            biases[percent] = max(-3 * lasting, min(3 * lasting, biases[percent]))
        unknown *= 1 - unknown * lasting**2 / total
        spread = 0.5 * (20 / 3600 + 0.0002)  # of one square percent an hour, as integers round it
        chances = [
            here + spread * (chances[max(0, at - 1)] + chances[min(100, at + 1)] - 2 * here)
            for at, here in enumerate(chances)
        ]
        total = sum(chances)
        chances = [here / total for here in chances]
    middle = next(at for at in range(101) if sum(chances[: at + 1]) >= 0.5)
    near = range(middle - 6, middle + 7)
    mean = sum(at * chances[at] for at in near) / sum(chances[at] for at in near)
    deviation = math.sqrt(sum((at - mean) ** 2 * here for at, here in enumerate(chances)))
    assert found.estimate_mpc / 1000 == pytest.approx(mean, abs=1.5)
    assert found.sigma_bp / 100 == pytest.approx(1.4 * deviation, rel=0.06)


def test_a_voltage_that_is_off_for_hours_counts_once(found):
    """The model may be off by as much everywhere; only a cell that moves could tell."""
    feed(found, block(29000))
    once_bp = found.sigma_bp
    feed(found, *[block(29000)] * 180)  # an hour at rest
    assert once_bp * 0.75 < found.sigma_bp < once_bp * 1.25


def test_a_curve_that_the_voltage_does_not_follow_is_not_where_the_cell_is():
    """A step of 30 mV at 60 %; the cell moves by 15 %, its voltage does not."""
    step = [30000] + [32000 + percent for percent in range(1, 60)]
    step += [32300 + percent for percent in range(41)]
    cell = ramp_cell(ocv_charge_dmv=step, ocv_discharge_dmv=step, error_dmv=80)
    found = SocFilter(CellModel(cell))
    found.start(55000, 200, 20)
    for at in range(50):
        feed(found, block(32050 + at // 3, moved_mpc=300, weight=WEIGHT_ONE // 10))
    assert found.estimate_mpc < 50000


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


def test_a_start_that_no_voltage_agrees_with_is_given_up(found):
    found.start(80000, 100, 0, seen=True)
    feed(found, block(31200), block(31200))
    assert found.estimate_mpc == pytest.approx(80000, abs=500)
    feed(found, *[block(29000)] * 10)  # 25 %
    assert found.estimate_mpc == pytest.approx(25000, abs=4000)


def test_what_was_kept_is_hardly_counted_twice(found):
    """The voltage after a reset is the one that the estimate already rests on."""
    other = SocFilter(CellModel(ramp_cell()))
    found.start(50000, 300, 0, seen=True)
    other.start(50000, 300, 0)
    feed(found, block(30080))  # 2 % more
    feed(other, block(30080))
    assert abs(found.estimate_mpc - 50000) < 300
    assert other.estimate_mpc > 50900


def test_a_load_and_an_unknown_branch_make_a_voltage_worth_less(found):
    curves = {"drop_dmv": 600}, {"branch_spread": 1000}, {"start_dmv": 300}
    sigmas = []
    for change in ({}, *curves):
        cell = ramp_cell(
            ocv_charge_dmv=[v + 200 for v in ramp_cell()["ocv_charge_dmv"]],
            ocv_discharge_dmv=[v - 200 for v in ramp_cell()["ocv_discharge_dmv"]],
        )
        one = feed(SocFilter(CellModel(cell)), *[block(30000, **change)] * 10)
        sigmas.append(one.sigma_bp)
    assert sigmas[1] > 1.2 * sigmas[0]
    assert sigmas[2] > 1.1 * sigmas[0]
    assert sigmas[3] > 1.1 * sigmas[0]


def test_a_block_takes_ten_turns(found):
    found.add(block(30000))
    turns = 1
    while not found.work():
        turns += 1
    assert turns == ROWS + 2


def test_its_exponential_is_right_within_a_few_of_4096():
    for x in range(12000):
        assert abs(exponential(x) - 4096 * math.exp(-x / 1024)) <= 6


@pytest.mark.parametrize("square", [0, 1, 2, 3, 4, 99, 100, 12345, 1 << 29, (1 << 30) - 1])
def test_its_root_is_the_whole_part(square):
    assert root(square) == math.isqrt(square)


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
