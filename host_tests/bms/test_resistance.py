"""Resistance from steps of the current: made-up steps, and the figures of measured cells."""

import csv
import random
from array import array
from pathlib import Path

import pytest

from bms.cell_model import CellModel
from bms.resistance import Resistance
from cells.lfp import CELL
from host_tests.bms.made_up_cells import ramp_cell

DATA = Path(__file__).parents[3] / "shared" / "data"
SECOND_MS = 1000

# estimation.md section 4, milliohm: least squares over the same steps, in floating point
MEASURED = (
    ("lfp_a123_esc_dyn_15C", 2050, 150, 12.2),
    ("lfp_a123_esc_dyn_35C", 2050, 350, 8.40),
    ("lfp_eve280_hppc_chg", 280000, 250, 0.27),
)
A123_25C_MOHM = 9.68  # the same table


class Cells:
    """Cells of a made-up pack with a resistance each, sampled once a second."""

    def __init__(self, ohms, model=None, design_mah=100_000, seed=1):
        self.ohms = ohms
        self.noise = random.Random(seed)
        self.noise_mv = 1.0
        self.soc_bp = 5000
        self.temperature_dc = 250
        self.factor = 1.0  # of the resistances, at this temperature
        self.resistance = Resistance(len(ohms), model or CellModel(CELL), design_mah)

    def scan(self, current_ma, elapsed_ms=SECOND_MS, voltage_ma=None):
        """voltage_ma: the current that the voltages saw, if not the same."""
        seen_ma = current_ma if voltage_ma is None else voltage_ma
        mv = [
            round(3300 + ohm * self.factor * seen_ma + self.noise.gauss(0, self.noise_mv))
            for ohm in self.ohms
        ]
        self.resistance.step(
            elapsed_ms, memoryview(array("i", mv)), current_ma, self.temperature_dc, self.soc_bp
        )

    def switch_loads(self, pairs, most_ma=60_000):
        for _ in range(pairs):
            self.scan(self.noise.randrange(-most_ma, most_ma))

    def growth(self):
        """Against the first value learned; 0: none yet."""
        resistance = self.resistance
        return sum(resistance.drop_uv) / sum(resistance.new_uv) if resistance.new_uv[0] else 0

    def errors(self):
        return [self.resistance.uohm(cell) / 1e6 / ohm - 1 for cell, ohm in enumerate(self.ohms)]


def spread(seed, cells=16, ohm=0.0005):
    draw = random.Random(seed)
    return [ohm * draw.uniform(0.8, 1.3) for _ in range(cells)]


@pytest.mark.parametrize("seed", range(4))
def test_every_cell_of_a_pack_is_found_within_5_percent_despite_noise_and_whole_millivolts(seed):
    cells = Cells(spread(seed), seed=seed)
    cells.switch_loads(200)
    assert cells.resistance.learned
    assert max(map(abs, cells.errors())) < 0.05


def test_before_enough_steps_the_model_stands_in():
    cells = Cells([0.0005] * 4)
    cells.switch_loads(2, most_ma=20_000)
    assert not cells.resistance.learned
    assert cells.growth() == 0
    assert cells.resistance.uohm(0) == CellModel(CELL).r0_uohm(250, 100_000)


@pytest.mark.parametrize("soc_bp", [0, 1999, 9001, 10000])
def test_nothing_is_learned_at_the_ends_of_the_curve(soc_bp):
    cells = Cells([0.0005] * 4)
    cells.soc_bp = soc_bp
    cells.switch_loads(500)
    assert not cells.resistance.learned


def test_small_steps_and_pairs_that_are_no_second_apart_are_left_out():
    cells = Cells([0.0005] * 4)
    for turn in range(500):
        cells.scan(9_000 * (turn % 2))  # 0.09 C
    for turn in range(500):
        cells.scan(50_000 * (turn % 2), elapsed_ms=2001)
        cells.scan(50_000 * (turn % 2), elapsed_ms=499)
    assert not cells.resistance.learned


def test_a_scan_without_a_partner_is_no_pair():
    cells = Cells([0.0005] * 4)
    for turn in range(500):
        cells.resistance.forget_scan()
        cells.scan(50_000 * (turn % 2))
    assert not cells.resistance.learned


def test_temperature_is_taken_out_by_the_models_table():
    """The made-up cell: 30, 10 and 8 milliohm at 0, 25 and 45 degrees."""
    for temperature_dc, factor in ((0, 3.0), (250, 1.0), (450, 0.8), (350, 0.9)):
        cells = Cells([0.0005] * 4, model=CellModel(ramp_cell()))
        cells.temperature_dc, cells.factor = temperature_dc, factor
        cells.switch_loads(500)
        assert cells.resistance.learned
        assert max(map(abs, cells.errors())) < 0.02


def test_scans_that_caught_the_current_in_the_middle_of_a_step_spoil_nothing():
    """One step in ten: the voltages are of before it, the current of after it."""
    cells = Cells(spread(7))
    last_ma = 0
    for turn in range(2000):
        current_ma = cells.noise.randrange(-60_000, 60_000)
        cells.scan(current_ma, voltage_ma=last_ma if turn % 10 == 9 else None)
        last_ma = current_ma
    assert max(map(abs, cells.errors())) < 0.05


def _large_cells(first_ma):
    cells = Cells([0.00027] * 16, design_mah=280_000)
    cells.scan(first_ma)
    return cells


def test_a_first_pair_of_nonsense_is_no_knowledge_and_the_next_ones_take_it_back():
    """A load ends, and in the same second a bad contact lets the cells read 0.34 V more: the
    limits of a cell of 7.5 milliohm would be nothing for hours."""
    cells = _large_cells(-45_000)
    cells.scan(0, voltage_ma=1_200_000)
    assert not cells.resistance.learned
    cells.scan(0)
    cells.switch_loads(200)
    assert cells.resistance.learned
    assert max(map(abs, cells.errors())) < 0.05


def test_a_current_beyond_the_range_of_its_register_teaches_no_resistance():
    """A short circuit of 2.2 kA that reads 327.68 A, when it begins and when it ends."""
    cells = _large_cells(0)
    for _ in range(8):
        cells.scan(-327_680, voltage_ma=-2_157_000)
    cells.scan(0)
    assert not cells.resistance.learned
    cells.switch_loads(200)
    assert cells.resistance.learned
    assert max(map(abs, cells.errors())) < 0.05


def test_growth_is_against_the_first_value_learned():
    cells = Cells([0.0005] * 4)
    cells.switch_loads(1000)
    assert cells.growth() == pytest.approx(1, abs=0.02)
    cells.factor = 1.3
    cells.switch_loads(4000)
    assert cells.growth() == pytest.approx(1.3, abs=0.03)


def test_a_resistance_that_suddenly_doubles_is_learned_although_it_looks_like_nonsense():
    cells = Cells([0.0005] * 4)
    cells.switch_loads(2000)
    cells.factor = 2.5
    cells.switch_loads(3000)
    assert cells.resistance.uohm(0) == pytest.approx(1250, rel=0.05)


def test_what_was_learned_before_a_restart_counts_at_once():
    cells = Cells([0.0005] * 2)
    cells.switch_loads(1000)
    before = cells.resistance
    after = Resistance(2, CellModel(CELL), 100_000)
    for cell in range(2):
        after.restore(cell, before.drop_uv[cell], before.new_uv[cell])
    assert after.learned
    assert after.uohm(0) == before.uohm(0)
    assert list(after.new_uv) == list(before.new_uv)


def replay(name, capacity_mah, temperature_dc):
    """The device's estimate on a measured cell, 1 mV steps and 1 mV noise added, in ohm at 25."""
    path = DATA / f"{name}.csv"
    if not path.exists():
        pytest.skip("the measured cells are not here")
    noise = random.Random(1)
    resistance = Resistance(1, CellModel(CELL), capacity_mah)
    with path.open() as file:
        for row in csv.DictReader(file):
            mv = round(1000 * float(row["V_V"]) + noise.gauss(0, 1))
            resistance.step(
                SECOND_MS,
                memoryview(array("i", [mv])),
                round(1000 * float(row["I_A"])),
                temperature_dc,
                round(10000 * float(row["soc_ref"])),
            )
    assert resistance.learned
    return resistance.uohm(0) / 1e6


@pytest.mark.parametrize(("name", "capacity_mah", "temperature_dc", "mohm"), MEASURED)
def test_measured_cells_have_the_resistance_that_is_known_of_them(
    name, capacity_mah, temperature_dc, mohm
):
    model = CellModel(CELL)
    at_25 = replay(name, capacity_mah, temperature_dc)
    warmth = model.r0_uohm(temperature_dc, 100) / model.r0_uohm(250, 100)
    assert 1000 * at_25 * warmth == pytest.approx(mohm, rel=0.05)


@pytest.mark.parametrize(("name", "capacity_mah", "temperature_dc", "_mohm"), MEASURED[:2])
def test_a_cold_and_a_warm_cell_are_the_same_cell_at_25_degrees(
    name, capacity_mah, temperature_dc, _mohm
):
    at_25 = replay(name, capacity_mah, temperature_dc)
    assert 1000 * at_25 == pytest.approx(A123_25C_MOHM, rel=0.07)


# To the microvolt: without noise, in steps of whole millivolts


class Exact:
    """Pairs of scans of cells of 100 Ah: 0 A, then `step_ma`, and what each voltage moved."""

    def __init__(self, cells=1, model=None, design_mah=100_000):
        self.resistance = Resistance(cells, model or CellModel(ramp_cell()), design_mah)
        self.cells = cells

    def pair(self, *moved_mv, step_ma=100_000, soc_bp=5000, elapsed_ms=SECOND_MS, dc=250):
        self.resistance.forget_scan()
        for current_ma, moved in ((0, [0] * self.cells), (step_ma, moved_mv)):
            view = memoryview(array("i", [3300 + mv for mv in moved]))
            self.resistance.step(elapsed_ms, view, current_ma, dc, soc_bp)
        return self

    @property
    def drop_uv(self):
        return list(self.resistance.drop_uv)


def test_at_first_nothing_is_known():
    exact = Exact(2)
    resistance = exact.resistance
    assert exact.drop_uv == list(resistance.new_uv) == [0, 0]
    assert not resistance.learned
    assert (resistance._weight, resistance._agreed, resistance._refused) == (0, 0, 0)
    assert resistance.uohm(0) == 200  # 10 mohm of a cell of 2 Ah, at 100 Ah


def test_the_first_scan_has_no_partner():
    exact = Exact()
    view = memoryview(array("i", [3300]))
    exact.resistance.step(SECOND_MS, view, 100_000, 250, 5000)
    assert exact.drop_uv == [0]


def test_the_first_pair_is_taken_as_it_is():
    assert Exact(2).pair(50, 60).drop_uv == [50_000, 60_000]
    assert Exact(2).pair(-50, -60, step_ma=-100_000).drop_uv == [50_000, 60_000]


@pytest.mark.parametrize(
    ("given", "learns"),
    [
        ({"step_ma": 10_000}, True),
        ({"step_ma": 9999}, False),
        ({"step_ma": -10_000}, True),
        ({"step_ma": -9999}, False),
        ({"soc_bp": 2000}, True),
        ({"soc_bp": 1999}, False),
        ({"soc_bp": 9000}, True),
        ({"soc_bp": 9001}, False),
        ({"elapsed_ms": 500}, True),
        ({"elapsed_ms": 499}, False),
        ({"elapsed_ms": 2000}, True),
        ({"elapsed_ms": 2001}, False),
    ],
)
def test_which_pairs_count(given, learns):
    assert bool(Exact().pair(50, **given).drop_uv[0]) == learns


def test_a_step_is_rounded_to_the_nearest_of_its_1024_parts():
    exact = Exact().pair(50, step_ma=100_049)  # 1024.502 parts
    assert exact.resistance._weight == 1025 * 1025 // 1024
    exact = Exact().pair(50, step_ma=100_048)  # 1024.492
    assert exact.resistance._weight == 1024
    exact = Exact().pair(50, dc=125)  # half-way from 30 to 10 mohm: twice the reference
    assert exact.resistance._weight == 4 * 1024
    assert exact.drop_uv == [25_000]


def test_the_equivalent_of_a_warm_step_is_rounded_to_the_nearest():
    exact = Exact().pair(50, step_ma=100_293, dc=450)  # 1027 parts, 0.8 of them at 45 degrees
    assert exact.resistance._weight == 822 * 822 // 1024


def test_old_pairs_are_forgotten_slowly():
    exact = Exact()
    weights = [exact.pair(50).resistance._weight for _ in range(3)]
    assert weights == [1024, 2047, 3070]


def test_pairs_are_averaged_by_their_weights():
    exact = Exact().pair(50).pair(53)
    assert exact.drop_uv == [50_000 + round(3000 * 1024 / 2047)]
    exact = Exact().pair(50).pair(65)
    assert exact.drop_uv == [50_000 + round(15_000 * 1024 / 2047)]  # 7503.66


def test_cells_without_any_drop_are_not_learned():
    exact = Exact()
    for _ in range(30):
        exact.pair(0)
    assert not exact.resistance.learned


def test_after_a_take_back_it_begins_as_at_first():
    exact = Exact()
    for _ in range(5):
        exact.pair(100)
    for _ in range(6):
        exact.pair(1000)
    assert exact.pair(1000).drop_uv == [1_000_000]  # one that agrees: two others take it back
    assert exact.pair(100).pair(100).drop_uv == [1_000_000]
    assert exact.pair(100).drop_uv == [100_000]


def test_what_differs_by_more_than_half_and_3_mv_a_cell_is_left_out():
    for drops, moved_mv, counts in (
        ((50_000, 50_000), (78, 78), True),  # 56 mV more than 100: just so
        ((50_000, 49_999), (78, 78), False),
        ((50_000, 50_000), (22, 22), True),
        ((50_001, 50_002), (22, 22), False),
    ):
        exact = Exact(2)
        for cell, drop_uv in enumerate(drops):
            exact.resistance.restore(cell, drop_uv, drop_uv)
        assert (exact.pair(*moved_mv).drop_uv != list(drops)) == counts


@pytest.mark.parametrize("step_ma", [100_000, -100_000])
def test_four_pairs_that_agree_are_learned_and_are_the_first_value(step_ma):
    exact = Exact(2)
    for pair in range(1, 6):
        exact.pair(step_ma // 1000, step_ma // 1000, step_ma=step_ma)  # 1 mohm: little noise
        assert exact.resistance.learned == (pair >= 4)
    assert list(exact.resistance.new_uv) == [100_000, 100_000]
    assert exact.resistance.uohm(1) == 1000


@pytest.mark.parametrize(("agreed", "refusals"), [(5, 6), (20, 21), (40, 21)])
def test_as_many_as_agreed_and_one_more_take_it_back(agreed, refusals):
    exact = Exact()
    for _ in range(agreed):
        exact.pair(100)
    for _ in range(refusals - 1):
        exact.pair(1000)
        assert exact.resistance.learned
        assert exact.drop_uv == [100_000]
    exact.pair(1000)
    assert not exact.resistance.learned
    assert exact.pair(1000).drop_uv == [1_000_000]  # the first of the next ones


def test_a_pair_that_agrees_makes_the_count_of_others_begin_anew():
    exact = Exact()
    for _ in range(5):
        exact.pair(100)
    for _ in range(3):
        for _ in range(6 - 1):
            exact.pair(1000)
        exact.pair(100)
        assert exact.resistance.learned


def test_enough_is_noise_of_1_5_percent():
    """Of 1470 uV a pair, over the square root of the weight in units of 32 (1024 parts)."""
    resistance = Exact().resistance
    for drop_uv in (97, 100):
        resistance.restore(0, drop_uv, drop_uv)
        assert resistance.learned
        assert resistance._weight == (1470 * 32 * 67 // drop_uv) ** 2
    for nothing_uv in (0, -5):
        resistance.restore(0, nothing_uv, 100)
        assert resistance._weight == 0
        assert not resistance.learned


def test_what_was_kept_bears_as_many_refusals_as_what_was_learned_long_ago():
    exact = Exact()
    exact.resistance.restore(0, 100_000, 100_000)
    for _ in range(20):
        exact.pair(1000)
        assert exact.resistance.learned
    assert not exact.pair(1000).resistance.learned
