"""What is worth a write to flash, and what comes back from it."""

import pytest

from bms.checkpoint import Checkpoint
from bms.energy import Energy
from host_tests.bms.test_soc import CAPACITY_MAH, EMPTY_MV, FULL_MV, FULL_S, Estimate


@pytest.fixture
def pack():
    pack = Estimate()
    pack.start(5000, 100, 1)
    pack.update(60)
    return pack


@pytest.fixture
def checkpoint(pack):
    checkpoint = Checkpoint(pack.estimator, Energy())
    checkpoint.step(10000)
    checkpoint.written()
    return checkpoint


def test_nothing_is_kept_of_what_nobody_knows():
    checkpoint = Checkpoint(Estimate().estimator, Energy())
    checkpoint.step(60000)
    assert not checkpoint.due


def test_the_first_estimate_is_kept(pack):
    checkpoint = Checkpoint(pack.estimator, Energy())
    checkpoint.step(10000)
    assert checkpoint.due


def test_charge_that_moved_by_0_35_percent_is_kept(pack, checkpoint):
    pack.net_mah += CAPACITY_MAH // 1000
    pack.update(1)
    checkpoint.step(60000)
    assert not checkpoint.due
    pack.net_mah += CAPACITY_MAH * 3 // 1000
    pack.update(1)
    checkpoint.step(1000)
    assert checkpoint.due


def test_never_twice_within_five_seconds(pack, checkpoint):
    pack.net_mah += CAPACITY_MAH // 100
    pack.update(1)
    for _ in range(4):
        checkpoint.step(1000)
        assert not checkpoint.due
    checkpoint.step(1000)
    assert checkpoint.due


def test_an_anchor_is_kept(pack, checkpoint):
    pack.update(FULL_S + 1, cell_mv=FULL_MV)
    checkpoint.step(10000)
    assert checkpoint.due
    checkpoint.written()
    pack.update(20, cell_mv=EMPTY_MV, current_ma=-1000)
    checkpoint.step(10000)
    assert checkpoint.due


def test_a_pack_at_rest_is_kept_four_times_a_day(pack):
    pack.update(FULL_S + 1, cell_mv=FULL_MV)
    checkpoint = Checkpoint(pack.estimator, Energy())
    writes = 0
    for _ in range(24 * 60):
        pack.update(1, cell_mv=3100, elapsed_ms=60000)
        pack.estimator.start(9000, 100)  # whatever the voltage says of it
        checkpoint.step(60000)
        if checkpoint.due:
            writes += 1
            checkpoint.written()
    assert writes <= 5


def test_it_comes_back(pack):
    pack.update(FULL_S + 1, cell_mv=FULL_MV)
    pack.net_mah -= CAPACITY_MAH // 2
    pack.update(3, cell_mv=3000)
    kept = Checkpoint(pack.estimator, Energy()).kept()
    again = Estimate()
    checkpoint = Checkpoint(again.estimator, Energy())
    checkpoint.restore(kept)
    assert checkpoint.restored
    assert (again.soc_bp, again.estimate_bp) == (pack.soc_bp, pack.estimate_bp)
    assert (again.anchor, again.full_age_s) == (pack.anchor, pack.full_age_s)
    assert again.branch == pytest.approx(pack.branch, abs=2)


@pytest.mark.parametrize(
    "change",
    [
        {"capacity_mah": 100000},
        {"soc_bp": None},
        {"soc_bp": 10001},
        {"soc_estimate_bp": -1},
        {"soc_sigma_bp": 20000},
    ],
)
def test_what_is_another_packs_or_nonsense_is_not_taken(pack, change):
    kept = Checkpoint(pack.estimator, Energy()).kept()
    kept.update(change)
    again = Estimate()
    checkpoint = Checkpoint(again.estimator, Energy())
    checkpoint.restore(kept)
    assert not checkpoint.restored
    assert not again.found


def test_nothing_kept_is_no_failure():
    again = Estimate()
    Checkpoint(again.estimator, Energy()).restore({})
    assert not again.found


def test_the_totals_of_energy_go_on_where_they_were(pack):
    """0x378 of Venus shows them; they once began at 0 with every start."""
    energy = Energy()
    for _ in range(7200):
        energy.update(3000, 1000)
        energy.update(-2000, 1000)
    kept = Checkpoint(pack.estimator, energy).kept()
    again = Energy()
    Checkpoint(Estimate().estimator, again).restore(kept)
    assert list(again.values) == [6000, 4000]
    again.update(3600, 1000)
    assert list(again.values) == [6001, 4000]


@pytest.mark.parametrize("change", [{"capacity_mah": 100_000}, {"charged_wh": -5}])
def test_totals_of_another_pack_or_nonsense_are_not_taken(pack, change):
    energy = Energy()
    energy.update(3600, 2000)
    kept = {**Checkpoint(pack.estimator, energy).kept(), "discharged_wh": 0, **change}
    again = Energy()
    Checkpoint(Estimate().estimator, again).restore(kept)
    assert list(again.values) == [0, 0]
