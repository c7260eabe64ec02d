"""The estimate of each cell's imbalance against cells whose charge is known."""

import pytest

from bms.imbalance import KNOWN_BP
from host_tests.bms.balancing_bench import BalancingBench
from host_tests.bms.unequal_pack import UnequalPack, nmc_v


def errors_mah(bench, cells):
    """Estimate minus truth of some cells, against the cell that really has most."""
    believed = bench.excess_mah()
    true = [-1000 * lack for lack in bench.pack.lacks_ah]
    most = true.index(max(true))
    return [abs(believed[cell] - believed[most] - (true[cell] - true[most])) for cell in cells]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_at_the_top_the_cells_that_stand_in_the_knee_are_known(seed):
    bench = BalancingBench(UnequalPack(seed, spread=0.006), balancing_enabled=0)
    bench.charge(2)
    known = [cell for cell in range(16) if bench.imbalance.is_known(cell)]
    assert len(known) >= 4
    errors = errors_mah(bench, known)
    sigmas = [bench.imbalance.sigma_bp[cell] for cell in known]  # 1 mAh of 10 Ah each
    within = [e <= 2 * s + 5 for e, s in zip(errors, sigmas, strict=True)]
    assert sum(within) >= 0.9 * len(within)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_balanced_cells_are_known_within_a_tenth_of_a_percent(seed):
    bench = BalancingBench(UnequalPack(seed, spread=0.0), balancing_enabled=0)
    bench.charge(2)
    assert max(bench.imbalance.sigma_bp) < 30
    assert max(errors_mah(bench, range(16))) < 10  # of 10 Ah


def test_a_steep_chemistry_is_known_half_full():
    pack = UnequalPack(2, curve=nmc_v, soc=0.7, spread=0.03, capacity_spread=0.005)
    bench = BalancingBench(pack, "nmc", balancing_enabled=0)
    bench.rest(0.5, current_a=1.0)
    sigmas = list(bench.imbalance.sigma_bp)
    assert sum(sigmas) / 16 < KNOWN_BP
    errors = errors_mah(bench, range(16))
    assert all(e <= 2 * s for e, s in zip(errors, sigmas, strict=True))


def test_on_the_plateau_the_estimate_stands_still_while_charge_flows():
    bench = BalancingBench(UnequalPack(3, spread=0.006), balancing_enabled=0)
    bench.charge(2)
    for _ in range(2):
        bench.rest(1.2, current_a=-5.0)
        bench.rest(1.0, current_a=5.0)
    errors = errors_mah(bench, range(16))
    assert max(bench.imbalance.sigma_bp) <= KNOWN_BP
    assert all(e <= 2 * s + 5 for e, s in zip(errors, bench.imbalance.sigma_bp, strict=True))


def test_bled_charge_is_counted_off_the_cell_that_lost_it():
    bench = BalancingBench(UnequalPack(3))
    imbalance = bench.imbalance
    imbalance.uah_per_bp = 1000
    for _ in range(100):
        imbalance.bled(5, 123)
    assert imbalance.charge_uah[5] == -12300
    assert imbalance.bled_mah[5] == 12
    assert [imbalance.charge_uah[cell] for cell in range(16) if cell != 5] == [0] * 15


def test_what_is_not_looked_at_becomes_less_sure():
    """Self-discharges may differ by 1 mA: 24 mAh a day, 0.24 % of 10 Ah."""
    bench = BalancingBench(UnequalPack(3, spread=0.0), balancing_enabled=0)
    bench.charge(2)
    before = max(bench.imbalance.sigma_bp)
    bench.rest(0.5, current_a=-8.0)
    bench.turn_s = 60
    bench.rest(48)
    grown = max(bench.imbalance.sigma_bp) - before
    assert 40 <= grown <= 60


def test_a_high_current_does_not_deceive():
    """Resistances differ by 8 %: at 2 C that is several millivolts of nothing."""
    pack = UnequalPack(3, curve=nmc_v, soc=0.6, spread=0.0, capacity_spread=0.0)
    bench = BalancingBench(pack, "nmc", balancing_enabled=0)
    bench.rest(0.1, current_a=20.0)
    sigmas = bench.imbalance.sigma_bp
    errors = errors_mah(bench, range(16))
    assert all(e <= 2 * s for e, s in zip(errors, sigmas, strict=True))


def test_bits_of_the_largest_pack_stay_small_integers():
    """On the boards integers of 2**30 and more are heap objects."""
    pack = UnequalPack(1, capacity_ah=1000.0, spread=0.05)
    bench = BalancingBench(pack, turn_s=20, balance_ohm=10)
    bench.charge(6, wanted_a=200.0)
    assert max(abs(uah) for uah in bench.imbalance.charge_uah) < 2**29


def test_it_survives_a_restart_a_little_less_sure():
    bench = BalancingBench(UnequalPack(3, spread=0.006), balancing_enabled=0)
    bench.charge(1.5)
    kept = {}
    bench.imbalance.keep(kept)
    after = BalancingBench(UnequalPack(3, spread=0.006), balancing_enabled=0)
    after.imbalance.restore(kept)
    for a, b in zip(after.excess_mah(), bench.excess_mah(), strict=True):
        assert abs(a - b) <= 2
    for a, b in zip(after.imbalance.sigma_bp, bench.imbalance.sigma_bp, strict=True):
        assert b < a <= b + 5


@pytest.mark.parametrize("broken", ["missing", "longer", "absurd"])
def test_what_is_not_all_there_is_not_taken(broken):
    bench = BalancingBench(UnequalPack(3, cells=4))
    kept = {}
    bench.imbalance.sigma_bp[0] = 7
    bench.imbalance.keep(kept)
    if broken == "missing":
        del kept["imbalance_2_mah"]
    elif broken == "longer":
        kept["imbalance_4_mah"] = 0
    else:
        kept["imbalance_1_mah"] = 1 << 30
    other = BalancingBench(UnequalPack(3, cells=4))
    other.imbalance.restore(kept)
    assert list(other.imbalance.sigma_bp) == [500] * 4
