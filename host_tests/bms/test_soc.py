"""State of charge: exact counting over years, and anchors that need voltage, current and time."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.soc import ChargeCounter, SocEstimator
from host_tests.bms.bench import Bench, parameters_with

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")

HOUR_MS = 3600000
CAPACITY_MAH = 280000
FULL_MV, EMPTY_MV = 3450, 2900  # defaults of LiFePO4
FULL_MA, FULL_S, EMPTY_S = 5000, 180, 10
RESTING = {"net_mah": 0, "current_ma": 0, "cell_min_mv": 3300, "cell_max_mv": 3300}


def exact_mah(flows):
    """Charge of (mA, ms) pairs in mAh, as a fraction."""
    return sum((Fraction(current_ma * elapsed_ms) for current_ma, elapsed_ms in flows)) / HOUR_MS


def check_exact(counter, charge_mah):
    """Whole mAh are shown; the rest is smaller than one."""
    assert abs(charge_mah - counter.net_mah) < 1


@given(st.lists(st.tuples(st.integers(-999999, 999999), st.integers(0, 5000)), max_size=200))
def test_any_sequence_of_currents_is_counted_exactly(flows):
    counter = ChargeCounter()
    for current_ma, elapsed_ms in flows:
        counter.count(current_ma, elapsed_ms)
    check_exact(counter, exact_mah(flows))


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(20, 250)), min_size=1, max_size=20))
def test_small_currents_are_counted_as_exactly_after_many_steps(flows):
    counter = ChargeCounter()
    rounds = 500
    for _ in range(rounds):
        for current_ma, elapsed_ms in flows:
            counter.count(current_ma, elapsed_ms)
    check_exact(counter, rounds * exact_mah(flows))


def test_a_month_at_10_ma_in_steps_of_a_second_loses_nothing():
    counter = ChargeCounter()
    days = 30
    for _ in range(days * 24):
        counter.count(10, HOUR_MS)
    assert counter.net_mah == days * 24 * 10


def test_ten_years_of_charge_leave_no_error_behind():
    """What 10 mA bring in 10 years, in and out again at changing currents."""
    counter = ChargeCounter()
    flows = [(99991, 31), (10, 100), (-50, 100), (50, 100), (-1, 70), (7, 13)]
    charge_mah = Fraction(0)
    while charge_mah < 10 * 8766 * 10:
        for current_ma, elapsed_ms in flows:
            counter.count(current_ma, elapsed_ms * 100)
        charge_mah += 100 * exact_mah(flows)
    check_exact(counter, charge_mah)


def test_50_ma_in_and_out_at_10_hz_changes_nothing():
    counter = ChargeCounter()
    for _ in range(200000):
        counter.count(50, 100)
        counter.count(-50, 100)
    assert counter.net_mah == 0
    # Not even if one of them is a little stronger: exactly its difference is counted.
    for _ in range(360000):
        counter.count(51, 100)
        counter.count(-50, 100)
    assert counter.net_mah == 10


def test_discharge_is_counted_for_cycles_and_charge_is_not():
    counter = ChargeCounter()
    counter.count(100000, 10 * HOUR_MS)
    assert counter.discharged_ah == 0
    counter.count(-100000, 5 * HOUR_MS)
    assert counter.discharged_ah == 500
    assert counter.net_mah == 500000


def test_100000_steps_on_micropython_are_exact_and_allocate_nothing():
    run = subprocess.run(
        [MICROPYTHON, HERE / "noalloc_soc.py"],
        env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout == "OK\n", run.stdout + run.stderr


class Estimate:
    """An estimator of the bench's pack, updated once a second."""

    def __init__(self, **settings):
        self.parameters = parameters_with(settings)
        self.estimator = SocEstimator(self.parameters)
        self.net_mah = 0

    def update(self, seconds=1, **measured):
        for _ in range(seconds):
            now = {**RESTING, "net_mah": self.net_mah, **measured}
            self.estimator.update(
                1000, now["net_mah"], now["current_ma"], now["cell_min_mv"], now["cell_max_mv"]
            )

    @property
    def soc_bp(self):
        return self.estimator.soc_bp

    @property
    def remaining_mah(self):
        return self.estimator.remaining_mah


@pytest.fixture
def pack():
    return Estimate()


def test_an_unknown_pack_counts_as_half_full(pack):
    assert pack.soc_bp == 5000
    assert pack.remaining_mah == CAPACITY_MAH // 2


def test_counted_charge_moves_the_estimate_one_to_one(pack):
    pack.net_mah = -40000
    pack.update()
    assert pack.remaining_mah == 100000
    assert pack.soc_bp == 10000 * 100000 // CAPACITY_MAH
    pack.net_mah = 13
    pack.update(5)
    assert pack.remaining_mah == 140013


def test_voltage_small_current_and_time_make_a_pack_full(pack):
    full = {"cell_max_mv": FULL_MV, "current_ma": FULL_MA - 1}
    pack.update(FULL_S - 1, **full)
    assert pack.soc_bp == 5000
    pack.update(2, **full)
    assert pack.soc_bp == 10000
    assert pack.remaining_mah == CAPACITY_MAH


@pytest.mark.parametrize(
    "missing",
    [
        {"cell_max_mv": FULL_MV - 1},
        {"current_ma": FULL_MA},
        {"current_ma": -FULL_MA},
    ],
)
def test_a_pack_is_not_full_if_one_of_them_is_missing(pack, missing):
    pack.update(10 * FULL_S, **{"cell_max_mv": FULL_MV, "current_ma": 100, **missing})
    assert pack.soc_bp == 5000


def test_a_pack_that_looks_full_only_now_and_then_is_not(pack):
    for _ in range(20):
        pack.update(FULL_S - 1, cell_max_mv=FULL_MV, current_ma=100)
        pack.update(1, cell_max_mv=FULL_MV - 1, current_ma=100)
    assert pack.soc_bp == 5000


def test_voltage_discharge_and_time_make_a_pack_empty(pack):
    empty = {"cell_min_mv": EMPTY_MV, "current_ma": -1}
    pack.update(EMPTY_S - 1, **empty)
    assert pack.soc_bp == 5000
    pack.update(2, **empty)
    assert pack.soc_bp == pack.remaining_mah == 0


@pytest.mark.parametrize("missing", [{"cell_min_mv": EMPTY_MV + 1}, {"current_ma": 0}])
def test_a_pack_is_not_empty_if_one_of_them_is_missing(pack, missing):
    pack.update(10 * EMPTY_S, **{"cell_min_mv": EMPTY_MV, "current_ma": -1000, **missing})
    assert pack.soc_bp == 5000


def test_counting_goes_on_from_an_anchor(pack):
    pack.update(FULL_S + 1, cell_max_mv=FULL_MV, current_ma=100)
    pack.net_mah = -28000
    pack.update()
    assert pack.soc_bp == 9000


@given(st.lists(st.integers(-1000000, 1000000), max_size=20))
def test_the_estimate_stays_between_empty_and_full(counts):
    pack = Estimate()
    for net_mah in counts:
        before_mah = pack.remaining_mah
        moved_mah = net_mah - pack.net_mah
        pack.net_mah = net_mah
        pack.update()
        assert pack.remaining_mah == max(0, min(CAPACITY_MAH, before_mah + moved_mah))
        assert 0 <= pack.soc_bp <= 10000


@given(st.integers(0, CAPACITY_MAH), st.integers(500, 1000000))
def test_another_capacity_keeps_the_percentage(remaining_mah, capacity_mah):
    pack = Estimate()
    pack.net_mah = remaining_mah - CAPACITY_MAH // 2
    pack.update()
    before_bp = pack.soc_bp
    pack.estimator.full_mah = capacity_mah  # as health does
    pack.update()
    assert pack.estimator.full_mah == capacity_mah
    # Whole mAh of the new capacity
    assert abs(pack.soc_bp - before_bp) <= 1 + 10000 // capacity_mah


def test_the_points_show_charge_and_cycles():
    bench = Bench(design_capacity_mah=1000).start()
    bench.chip.current_ma = -10000
    for _ in range(20):
        bench.step(100)
    bench.chip.current_ma = 0
    bench.slow()
    expected = {
        "full_mah": 1000,
        "design_mah": 1000,
        "remaining_mah": 500 - 5,  # 10 A for 2 s are 5.6 mAh
        "soc_bp": 4950,
        "soh_bp": 10000,
        "cycles": 0,
    }
    assert {name: bench.point(name) for name in expected} == expected
    bench.chip.current_ma = -100000
    for _ in range(100):
        bench.step(1000)  # 2777 mAh
    bench.slow()
    assert bench.point("cycles") == 2
    assert bench.point("remaining_mah") == 0
