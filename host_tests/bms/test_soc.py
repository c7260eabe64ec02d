"""State of charge: exact counting over years, and anchors that need voltage, current and time."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.cell_model import CellModel
from bms.point_words import QUALITIES
from bms.soc import EMPTY, FULL, NO_ANCHOR, ChargeCounter, SocEstimator
from bms.table import INVALID
from host_tests.bms.bench import Bench, parameters_with
from host_tests.bms.made_up_cells import ramp_cell

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")

HOUR_MS = 3600000
CAPACITY_MAH = 280000
FULL_MV, EMPTY_MV = 3450, 2900  # defaults of LiFePO4
FULL_MA, FULL_S, EMPTY_S = 5000, 180, 10


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
    """An estimator of the bench's pack of made-up cells (4 mV a percent), updated once a second
    with one voltage for all cells."""

    def __init__(self, cell=None, **settings):
        self.parameters = parameters_with(settings)
        self.estimator = SocEstimator(self.parameters, CellModel(cell or ramp_cell()))
        self.net_mah = 0

    def update(self, seconds=1, current_ma=0, cell_mv=3000, elapsed_ms=1000, **measured):
        for _ in range(seconds):
            self.estimator.update(
                elapsed_ms,
                self.net_mah,
                current_ma,
                measured.get("cell_min_mv", cell_mv),
                measured.get("cell_max_mv", cell_mv),
                10 * cell_mv,
                250,
            )

    def flow(self, hours, current_ma, cell_mv):
        """Count `current_ma` for some hours in steps of 10 s; cell_mv(soc_bp counted) or a number
        is the voltage."""
        start_mah = self.net_mah
        for step in range(int(360 * hours)):
            self.net_mah = start_mah + current_ma * (step + 1) // 360
            self.update(1, current_ma, cell_mv, 10000)

    def __getattr__(self, name):
        return getattr(self.estimator, name)


@pytest.fixture
def pack():
    return Estimate()


@pytest.fixture
def known(pack):
    """A pack that somebody said to be half full, at a voltage that says the same."""
    pack.start(5000, 100, 1)
    return pack


def test_an_unknown_pack_is_first_what_its_voltage_says_and_nobody_believes_it(pack):
    pack.update(cell_mv=2900)  # 2.8 V + 25 * 4 mV
    assert pack.soc_bp == pytest.approx(2500, abs=20)
    assert QUALITIES[pack.quality] == "unknown"


def test_a_steep_voltage_is_soon_an_estimate(pack):
    pack.update(600, cell_mv=2900)
    # The model's own error is 5 mV, taken for 8; a branch is 1 mV: together 2 % of this curve,
    # and what flowed before is not known.
    assert pack.estimate_bp == pytest.approx(2500, abs=150)
    assert 80 <= pack.sigma_bp <= 500
    assert QUALITIES[pack.quality] == "estimating"
    assert pack.soc_bp == pytest.approx(pack.estimate_bp, abs=50)


def test_counted_charge_moves_what_is_shown_one_to_one(known):
    known.update()
    before_bp = known.soc_bp
    known.net_mah = -28000
    known.update(cell_mv=2960)
    assert known.soc_bp == pytest.approx(before_bp - 1000, abs=2)
    known.net_mah = 14000
    known.update(cell_mv=3020)
    assert known.soc_bp == pytest.approx(before_bp + 500, abs=2)


def test_a_month_of_small_charges_is_not_rounded_away(known):
    for _ in range(2000):
        known.net_mah += 1  # 0.36 of a thousandth of a percent
        known.update(cell_mv=3000, elapsed_ms=1)
    assert known.estimate_bp == pytest.approx(5000 + 2000 * 10000 / CAPACITY_MAH, abs=2)


def test_voltage_small_current_and_time_make_a_pack_full(known):
    full = {"cell_mv": FULL_MV, "current_ma": FULL_MA - 1}
    known.update(FULL_S - 1, **full)
    assert known.soc_bp < 9900
    known.update(2, **full)
    assert known.soc_bp == known.estimate_bp == 10000
    assert known.remaining_mah == CAPACITY_MAH
    assert (known.anchor, known.anchors, known.full_age_s) == (FULL, 1, 0)
    assert QUALITIES[known.quality] == "synced"
    known.update(FULL_S, **full)
    assert known.anchors == 1  # it is the same full charge


@pytest.mark.parametrize(
    "missing", [{"cell_mv": FULL_MV - 1}, {"current_ma": FULL_MA}, {"current_ma": -FULL_MA}]
)
def test_a_pack_is_not_full_if_one_of_them_is_missing(pack, missing):
    pack.update(10 * FULL_S, **{"cell_mv": FULL_MV, "current_ma": 100, **missing})
    assert pack.anchor == NO_ANCHOR
    assert pack.soc_bp <= 9900


def test_noise_around_no_current_does_not_begin_the_time_anew(pack):
    for second in range(FULL_S + 1):
        pack.update(cell_mv=FULL_MV, current_ma=150 if second % 2 else -150)
    assert pack.anchor == FULL


def test_the_tail_current_of_a_small_pack_is_small():
    pack = Estimate(design_capacity_mah=2000)
    pack.update(10 * FULL_S, cell_mv=FULL_MV, current_ma=101)  # C/20 is 100 mA
    assert pack.anchor == NO_ANCHOR
    pack.update(FULL_S + 1, cell_mv=FULL_MV, current_ma=99)
    assert pack.anchor == FULL


def test_a_pack_that_looks_full_only_now_and_then_is_not(pack):
    for _ in range(20):
        pack.update(FULL_S - 1, cell_mv=FULL_MV, current_ma=100)
        pack.update(1, cell_mv=FULL_MV - 50, current_ma=100)
    assert pack.anchor == NO_ANCHOR


def test_a_pack_that_was_not_charged_full_is_never_shown_as_full(known):
    for _ in range(400):
        known.net_mah += 700
        known.update(cell_mv=3200, current_ma=7000 * 36)
    assert known.soc_bp == 9900
    known.net_mah -= 28000
    known.update(cell_mv=3160)
    assert known.soc_bp == pytest.approx(8900, abs=5)  # and it does not stick there


def test_from_full_it_counts_down_at_once(known):
    known.update(FULL_S + 1, cell_mv=FULL_MV, current_ma=100)
    known.net_mah -= 28000
    known.update(cell_mv=3160)
    assert known.soc_bp == pytest.approx(9000, abs=10)
    assert known.full_age_s == 1


def test_voltage_small_discharge_and_time_make_a_pack_empty(known):
    known.update(EMPTY_S + 1, cell_mv=EMPTY_MV, current_ma=-1000)
    assert (known.anchor, known.estimate_bp) == (EMPTY, 0)
    assert known.full_age_s == -1 - (EMPTY_S + 1)  # watched, and never full
    # What is shown follows within minutes, without a jump.
    assert known.soc_bp > 4000
    known.update(360, cell_mv=EMPTY_MV, current_ma=-1000)
    assert known.soc_bp == 0


@pytest.mark.parametrize(
    "missing",
    [{"cell_mv": EMPTY_MV + 1}, {"current_ma": 0}, {"current_ma": -CAPACITY_MAH // 2}],
)
def test_a_pack_is_not_empty_if_one_of_them_is_missing(pack, missing):
    pack.update(10 * EMPTY_S, **{"cell_mv": EMPTY_MV, "current_ma": -1000, **missing})
    assert pack.anchor == NO_ANCHOR


def test_one_weak_cell_makes_the_pack_empty_and_one_strong_cell_full(pack):
    pack.update(EMPTY_S + 1, current_ma=-1000, cell_min_mv=EMPTY_MV)
    assert pack.anchor == EMPTY
    pack.update(FULL_S + 1, current_ma=100, cell_max_mv=FULL_MV)
    assert pack.anchor == FULL


def test_a_wrong_start_is_found_out_and_shown_slowly(pack):
    pack.start(9000, 500)
    shown = pack.soc_bp
    for _ in range(60):
        pack.update(60, cell_mv=2880)  # 20 %
        assert shown - 1 - 100 <= pack.soc_bp <= shown  # at most 1 % a minute
        shown = pack.soc_bp
    assert pack.estimate_bp == pytest.approx(2000, abs=200)
    assert abs(pack.soc_bp - pack.estimate_bp) > 800  # on its way
    pack.update(40 * 60, cell_mv=2880)
    assert pack.soc_bp == pytest.approx(pack.estimate_bp, abs=pack.sigma_bp)


def test_the_slew_is_a_setting():
    pack = Estimate(soc_slew_bp=1000)
    pack.start(9000, 500)
    pack.update(10 * 60, cell_mv=2880)
    assert pack.soc_bp == pytest.approx(pack.estimate_bp, abs=pack.sigma_bp)


def test_an_offset_of_the_sensor_is_found_between_voltages_that_say_something(known):
    """The pack rests at half; the sensor says 1 % of C charges it, day and night."""
    known.update(60, cell_mv=3000)
    known.flow(48, CAPACITY_MAH // 100, 3000)
    assert 50 <= known.estimator._filter.offset_bp_h <= 160  # 100 are true
    assert known.estimate_bp == pytest.approx(5000, abs=300)


def test_after_a_reset_it_goes_on_where_it_was(known):
    known.update(600, cell_mv=3000)
    again = Estimate()
    again.restore(known.soc_bp, known.estimate_bp, known.sigma_bp, known.branch, FULL, 7200)
    assert again.soc_bp == known.soc_bp
    assert again.sigma_bp == known.sigma_bp + 100
    again.update(600, cell_mv=3000)
    assert abs(again.soc_bp - known.soc_bp) <= 50
    assert again.full_age_s == 7200 + 600


def test_what_was_kept_and_contradicts_the_voltage_moves_slowly(pack):
    pack.restore(8300, 8300, 150, 0, FULL, 0)
    pack.update(60, cell_mv=2868)  # 17 %
    assert pack.soc_bp >= 8200  # no jump
    assert abs(pack.estimate_bp - 1700) < 400
    pack.update(1800, cell_mv=2868)
    assert pack.estimate_bp == pytest.approx(1700, abs=200)


def flat():
    """A cell whose voltage says nothing from 10 to 90 %: what is known is known from before."""
    curve = [33000 + 500 * (min(0, at - 10) + max(0, at - 90)) for at in range(101)]
    return Estimate(ramp_cell(ocv_charge_dmv=curve, ocv_discharge_dmv=curve))


def test_restarts_do_not_add_up_to_a_pack_that_nobody_knows():
    sigma_bp = 150
    for restart in range(1, 7):
        pack = flat()
        pack.restore(8000, 8000, sigma_bp, 0, FULL, 600)
        pack.update(120, cell_mv=3300)
        sigma_bp = pack.kept_sigma_bp
        assert sigma_bp == pytest.approx(150 + 100 * restart, abs=5)
        assert QUALITIES[pack.quality] != "unknown"
        assert pack.sigma_bp > sigma_bp  # it might be another pack, and that is told


def test_what_is_kept_gets_less_sure_by_what_counting_may_be_wrong_by():
    pack = flat()
    pack.restore(8000, 8000, 150, 0, FULL, 600)
    pack.flow(1, -CAPACITY_MAH // 10, 3300)
    assert pack.kept_sigma_bp == pytest.approx(250 + 20 + 20, abs=3)  # of 10 %; of an hour


def test_what_is_kept_is_the_whole_doubt_once_the_voltage_says_otherwise(pack):
    pack.restore(8300, 8300, 150, 0, FULL, 0)
    pack.update(60, cell_mv=2868)  # 17 %
    assert pack.kept_sigma_bp == pack.sigma_bp


def test_what_is_kept_is_never_less_sure_than_what_is_known(pack):
    pack.restore(8000, 8000, 900, 0, FULL, 0)
    pack.update(3600, cell_mv=3120)
    assert pack.kept_sigma_bp == pack.sigma_bp < 900


def test_another_capacity_is_another_pack_with_the_same_percentage(known):
    known.update(120)
    before_bp = known.soc_bp
    known.parameters.change([(known.parameters.index("design_capacity_mah"), 100000)])
    known.update()
    assert known.full_mah == 100000
    assert known.soc_bp == pytest.approx(before_bp, abs=2)


def test_others_may_correct_the_capacity(known):
    known.update(120)
    before_bp = known.soc_bp
    known.estimator.full_mah = CAPACITY_MAH * 9 // 10
    assert known.soc_bp == before_bp
    assert known.remaining_mah == pytest.approx(CAPACITY_MAH * 0.9 * before_bp / 10000, rel=1e-3)
    known.net_mah -= CAPACITY_MAH * 9 // 100
    known.update(cell_mv=2960)
    assert known.soc_bp == pytest.approx(before_bp - 1000, abs=3)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.integers(-200000, 200000),  # mAh
            st.integers(-1000000, 1000000),  # mA
            st.integers(1500, 4500),
            st.integers(1, 100000),  # ms
            st.integers(-400, 900),
        ),
        max_size=60,
    )
)
def test_whatever_is_measured_the_numbers_stay_in_range(steps):
    pack = Estimate()
    estimator = pack.estimator
    for moved_mah, current_ma, cell_mv, elapsed_ms, temperature_dc in steps:
        pack.net_mah += moved_mah
        estimator.update(
            elapsed_ms, pack.net_mah, current_ma, cell_mv, cell_mv, 10 * cell_mv, temperature_dc
        )
        assert 0 <= estimator.soc_bp <= 10000
        assert 0 <= estimator.estimate_bp <= 10000
        assert 0 < estimator.sigma_bp <= 7000
        assert 0 <= estimator.remaining_mah <= CAPACITY_MAH


def test_the_points_show_estimate_charge_and_cycles():
    bench = Bench(design_capacity_mah=1000).start()
    bench.chip.current_ma = -10000
    for _ in range(20):
        bench.step(100)
    bench.chip.current_ma = 0
    bench.slow()
    assert bench.point("full_mah") == bench.point("design_mah") == 1000
    assert bench.point("soh_bp") == 10000
    assert bench.point("cycles") == 0
    assert bench.point("soc_quality") == 0
    assert bench.point("full_age_h") == INVALID
    assert bench.point("remaining_mah") == bench.point("soc_bp") // 10
    assert bench.point("soc_bp") == pytest.approx(bench.point("soc_estimate_bp"), abs=51)
    assert bench.point("soc_sigma_bp") > 1500
    bench.chip.current_ma = -100000
    for _ in range(100):
        bench.step(1000)  # 2777 mAh
    bench.slow()
    assert bench.point("cycles") == 2


def test_the_points_show_a_full_pack_and_how_long_ago_that_was():
    bench = Bench().start()
    bench.chip.set_cells(3460)
    for _ in range(FULL_S + 1):
        bench.step(100)
        bench.slow()
    assert bench.point("soc_bp") == 10000
    assert bench.point("soc_quality") == 2
    assert bench.point("full_age_h") == 0
    bench.chip.set_cells(3400)
    for _ in range(61):
        bench.step(100)
        bench.slow(60000)
    assert bench.point("full_age_h") == 1
