"""Balancing: how fast, at what cost, and everything that it must never do.

The plant is unequal_pack.py, which shares nothing with the firmware's cell models.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.balancing import Balancing
from bms.point_words import BALANCING_STATES
from host_tests.bms.balancing_bench import DUTY, RULES, BalancingBench, NotingBleeder
from host_tests.bms.bench import parameters_with
from host_tests.bms.unequal_pack import UnequalPack, nmc_v

OHM = 20  # 145 mA: so that an hour moves something
BLEED_A = 3.4 / OHM * DUTY


def spread_pack(seed, **kinds):
    """16 LiFePO4 cells of 10 Ah, +-3 % apart, self-discharges +-0.5 mA apart."""
    return UnequalPack(seed, **kinds)


@pytest.mark.parametrize("seed", [4, 15])
def test_a_spread_pack_is_balanced_nearly_as_fast_and_cheaply_as_can_be(seed):
    pack = spread_pack(seed)
    fewest_h = pack.fewest_hours(BLEED_A)
    least_ah = sum(pack.excess_ah())
    bench = BalancingBench(pack, balance_ohm=OHM)
    hours = bench.until_balanced(limit_h=1.3 * fewest_h)
    assert hours <= 1.3 * fewest_h
    bench.charge(1)  # and then it stays so, without more of it
    assert bench.apart()[0] <= 10
    assert sum(pack.bled_ah) <= 1.2 * least_ah
    assert bench.state in ("balanced", "bleeding")
    assert bench.imbalance.suspects == 0


def test_energy_that_was_wasted_is_told_within_five_percent():
    bench = BalancingBench(spread_pack(3), balance_ohm=OHM)
    bench.charge(2)
    assert bench.balancing.loss_mwh == pytest.approx(1000 * bench.pack.wasted_wh, rel=0.05)
    assert sum(bench.imbalance.bled_mah) == pytest.approx(1000 * sum(bench.pack.bled_ah), rel=0.05)


@pytest.mark.parametrize(
    ("cells", "rich"), [*((16, rich) for rich in range(0, 16, 3)), (32, 15), (32, 30), (32, 31)]
)
def test_the_cell_that_has_more_is_bled_and_no_other(cells, rich):
    pack = UnequalPack(5, cells=cells, spread=0.0, capacity_spread=0.0, leak_ma=0, soc=0.95)
    pack.lacks_ah[rich] -= 0.2
    bench = BalancingBench(pack, balance_ohm=OHM)
    bench.charge(2.5)
    assert pack.bled_ah[rich] == pytest.approx(0.2, abs=0.04)
    assert [cell for cell in range(cells) if pack.bled_ah[cell] > 0.015] == [rich]
    assert bench.apart()[0] <= 10


@pytest.mark.parametrize("cells", [3, 4, 7, 16, 32])
def test_packs_of_any_length_end_together(cells):
    bench = BalancingBench(UnequalPack(2, cells=cells, spread=0.01, soc=0.95), balance_ohm=OHM)
    bench.until_balanced(limit_h=6)


def test_a_steep_chemistry_is_balanced_far_from_full():
    pack = UnequalPack(3, curve=nmc_v, soc=0.75, spread=0.03, top_v=4.12, cell_top_v=4.15)
    before = max(pack.excess_ah())
    bench = BalancingBench(pack, "nmc", balance_ohm=OHM)
    bench.rest(0.2, current_a=1.0)
    bench.rest(4)
    assert max(pack.excess_ah()) < 0.6 * before


def test_on_the_plateau_nothing_is_believed_and_nothing_bled():
    pack = spread_pack(6, soc=0.5)
    bench = BalancingBench(pack, balance_ohm=OHM)
    bench.rest(0.5, current_a=1.0)
    bench.rest(2, current_a=-0.5)
    assert bench.state == "learning"
    assert max(pack.bled_ah) == 0


def test_counted_charge_is_bled_on_the_plateau_too():
    pack = UnequalPack(4, spread=0.002)
    for cell in (3, 8, 13):
        pack.lacks_ah[cell] -= 0.4
    bench = BalancingBench(pack, balance_ohm=OHM)
    bench.charge(0.7)
    bench.rest(0.4, current_a=-5.0)  # off the knee
    before = list(pack.bled_ah)
    bench.rest(0.25, current_a=-0.5)
    moved = [after - then for after, then in zip(pack.bled_ah, before, strict=True)]
    for cell in (3, 8, 13):
        assert 0.03 * BLEED_A < moved[cell] < 0.26 * BLEED_A
    assert bench.apart()[0] < 10  # nothing of it shows in the voltages


# Never


def test_a_stored_pack_is_not_drained():
    """30 days at rest after a charge: a cell loses at most the bleed current of the first
    `balance_idle_h` hours, the least charged one nothing."""
    pack = spread_pack(7, leak_ma=0)
    bench = BalancingBench(pack, balance_ohm=65, balance_idle_h=6)
    bench.charge(0.7)
    bench.rest(5.9)
    poorest = pack.excess_ah().index(0)
    before = list(pack.bled_ah)
    bench.turn_s = 600
    bench.rest(30 * 24)
    assert max(pack.bled_ah) <= 6.8 * 3.4 / 65
    lost = [after - b for after, b in zip(pack.bled_ah, before, strict=True)]
    assert max(lost) <= 0.2 * 3.4 / 65
    assert pack.bled_ah[poorest] == 0
    assert bench.state == "idle"


def test_after_a_start_nothing_is_bled_before_the_pack_was_charged():
    pack = UnequalPack(3, curve=nmc_v, soc=0.75)
    bench = BalancingBench(pack, "nmc", balance_ohm=OHM)
    bench.rest(3)
    assert max(pack.bled_ah) == 0
    assert bench.state == "idle"


def test_a_leaky_cell_in_a_stored_pack_does_not_pull_the_others_down():
    pack = UnequalPack(3, curve=nmc_v, soc=0.9, spread=0.0, leak_ma=0)
    pack.leak_a[7] = 0.02
    bench = BalancingBench(pack, "nmc", balance_ohm=OHM, balance_idle_h=2)
    bench.rest(0.1, current_a=1.0)
    bench.turn_s = 30
    bench.rest(48)
    assert sum(pack.bled_ah) < 15 * 2.2 * 0.02 * 2


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        ({"balancing_enabled": 0}, "off"),
        ({"temperature_dc": -10}, "cell_temperature"),
        ({"temperature_dc": 460}, "cell_temperature"),
        ({"board_dc": 610}, "board_hot"),
        ({"soc_bp": 2900}, "charge_low"),
        ({"permitted": False}, "blocked"),
        ({"refused": True}, "refused"),
    ],
)
def test_a_reason_stops_it_at_once_and_is_told(cause, word):
    bench = BalancingBench(spread_pack(4), balance_ohm=OHM)
    bench.charge(1)
    assert bench.bleeder.active and bench.state == "bleeding"
    for name, value in cause.items():
        if name in ("permitted", "refused"):
            setattr(bench.bleeder, name, value)
        elif name == "balancing_enabled":
            bench.parameters.change([(bench.parameters.index(name), value)])
        else:
            setattr(bench, name, value)
    bench.turn(0.0)
    assert bench.bleeder.active == 0
    assert bench.state == word


def test_without_a_measurement_nothing_is_bled():
    bench = BalancingBench(spread_pack(4), balance_ohm=OHM)
    bench.charge(1)
    assert bench.bleeder.active
    bench.balancing.unmeasured()
    assert bench.bleeder.active == 0
    assert bench.state == "not_measured"


def test_a_hot_board_must_cool_by_five_degrees():
    bench = BalancingBench(spread_pack(4), balance_ohm=OHM)
    bench.charge(1)
    for board_dc, word in ((601, "board_hot"), (560, "board_hot"), (540, "bleeding")):
        bench.board_dc = board_dc
        bench.charge(0.02)
        assert bench.state == word


@pytest.mark.parametrize(
    ("most", "power_mw", "bled"), [(3, 20000, 3), (8, 2000, 3), (8, 20000, 8)]
)
def test_no_more_cells_than_settings_and_heat_allow(most, power_mw, bled):
    # 3.45 V at 20 ohm are 595 mW a cell.
    pack = UnequalPack(9, spread=0.001, soc=0.97)
    for cell in range(0, 16, 2):
        pack.lacks_ah[cell] -= 0.1
    bench = BalancingBench(
        pack, balance_ohm=OHM, balance_cells_max=most, balance_power_max_mw=power_mw
    )
    counts = set()
    for _ in range(1500):
        bench.turn(pack.charge_a(2.0))
        counts.add(bench.bleeder.active.bit_count())
    assert max(counts) == bled


class Known:
    """An estimate of one's own making."""

    suspects = 0
    uah_per_bp = 1000

    def __init__(self, charges_mah):
        self.charge_uah = [1000 * mah for mah in charges_mah]
        self.sigma_bp = [10] * len(charges_mah)

    def floor_uah(self):
        return min(self.charge_uah)

    def bled(self, cell, uah):
        self.charge_uah[cell] -= uah


@settings(max_examples=40, deadline=None)
@given(
    charges=st.lists(st.integers(0, 900), min_size=3, max_size=16),
    mv=st.lists(st.integers(3300, 3560), min_size=16, max_size=16),
    most=st.integers(1, 16),
)
def test_neighbours_are_never_bled_together_whatever_the_cells_are_like(charges, mv, most):
    """NotingBleeder asserts it in every turn."""
    parameters = parameters_with({"balance_cells_max": most, "balance_power_max_mw": 20000})
    bleeder = NotingBleeder(min(most, 8))
    balancing = Balancing(parameters, Known(charges), bleeder, RULES)
    mv = mv[: len(charges)]
    wanted = set()
    for _ in range(60):
        balancing.step(1000, mv, 0, min(mv), max(mv), 600, 300, 250, 250, 9000)
        wanted.add(bleeder.active)
    if max(charges) - min(charges) > 30:
        assert len(wanted) > 1  # something was bled
    poorest = charges.index(min(charges))
    if charges.count(min(charges)) == 1 and max(mv) < 3400:
        assert not any(mask >> poorest & 1 for mask in wanted)


def test_a_chip_that_may_bleed_neighbours_bleeds_them():
    class Any(NotingBleeder):
        def want(self, cells):
            self.active = cells

    balancing = Balancing(parameters_with({}), Known([500, 500, 500, 0]), Any(), (True, 16, 1000))
    for _ in range(30):
        balancing.step(1000, [3340] * 4, 0, 3340, 3340, 600, 300, 250, 250, 9000)
    assert balancing._bleeder.active == 0b0111


# A switch that does nothing, and a bleed of the wrong cell


@pytest.mark.parametrize("seed", [1, 3])
def test_a_dead_switch_is_noticed_by_charge_and_drains_nobody(seed):
    pack = UnequalPack(seed)
    richest = pack.excess_ah().index(max(pack.excess_ah()))
    pack.dead_switches = 1 << richest
    before = pack.excess_ah()
    bench = BalancingBench(pack, balance_ohm=OHM)
    for _ in range(12):
        bench.charge(1)
        if bench.imbalance.suspects:
            break
    assert bench.imbalance.suspects == 1 << richest
    assert bench.balancing.suspect == richest
    bench.charge(4)
    assert not bench.bleeder.active >> richest & 1  # it is left alone from then on
    for cell in range(16):
        assert pack.bled_ah[cell] <= before[cell] + 0.1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bleed_of_the_wrong_cell_is_noticed_before_it_does_much_harm(seed):
    """Two cells' switches are exchanged, and one of them has most to lose."""
    pack = UnequalPack(seed)
    richest = pack.excess_ah().index(max(pack.excess_ah()))
    poorest = pack.excess_ah().index(0)
    pack.switch_of[richest], pack.switch_of[poorest] = poorest, richest
    bench = BalancingBench(pack, balance_ohm=OHM)
    for _ in range(12):
        bench.charge(1)
        if bench.imbalance.suspects:
            break
    assert bench.imbalance.suspects >> richest & 1
    assert pack.bled_ah[poorest] < 0.7  # of 10 Ah
    harm = pack.bled_ah[poorest]
    bench.charge(3)
    assert pack.bled_ah[poorest] <= harm + 0.05


def test_two_bleeds_without_effect_stop_all_of_it():
    bench = BalancingBench(spread_pack(4), balance_ohm=OHM)
    bench.charge(1)
    bench.imbalance.suspects = 0b101
    bench.turn(0.0)
    assert bench.bleeder.active == 0
    assert bench.state == "suspect"


def test_every_state_has_a_word():
    assert len(BALANCING_STATES) == len(set(BALANCING_STATES)) == 12
