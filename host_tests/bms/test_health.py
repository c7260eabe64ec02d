"""Health of a pack that lives: capacity, cycles, weak and leaking cells, on a plant of its own."""

from array import array
from itertools import pairwise

import pytest

from bms import cell_drift, events
from bms.capacity import TAKEN
from bms.health import CAPACITY, CELLS, LEAKY, POINTS, WEAK
from bms.points import Points
from bms.soc import FULL, SocEstimator
from bms.table import INVALID
from host_tests.bms.ageing_pack import (
    LEAKY_CELL,
    WEAK_CELL,
    Pack,
    Stand,
    cycle,
    damaged,
    fade,
    live,
    names,
)
from host_tests.bms.bench import Bench


def logged(stand):
    """(code, mask) of the events that a step would post."""
    found = []
    event = array("i", [0] * events.FIELDS)
    stand.log.post_handed(0)
    while stand.log.take_into(event):
        assert event[0] == events.CELLS
        found.append((event[1], event[2]))
    return found


@pytest.mark.parametrize("offset_ma", [0, 100, -100])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_pack_15_percent_below_its_design_is_measured_within_2_percent(seed, offset_ma):
    """20 cycles, a sensor with 1 mV of noise, whole millivolts, and an offset of 0.1 % of C."""
    stand = Stand(Pack(cells=4, capacity_ah=85, spread=0.01, seed=seed), offset_ma=offset_ma)
    cycle(stand, 20)
    health = stand.health
    usable_mah = 1000 * stand.pack.usable_ah()
    assert health.capacity_mah == pytest.approx(usable_mah, rel=0.02)
    assert health.verdict == TAKEN
    assert abs(health.capacity_mah - usable_mah) < 2 * health.shown[1]
    assert health.soh_bp == pytest.approx(usable_mah / 10, rel=0.02)
    assert health.full_mah == health.capacity_mah
    assert health.shown[3] == pytest.approx(10_000, abs=300)  # resistance: as at first


def test_every_resistance_of_that_pack_is_within_5_percent():
    stand = Stand(Pack(cells=8, spread=0.03, seed=3))
    cycle(stand, 4, dt=20)
    assert stand.health.resistance.learned
    for cell, ohm in enumerate(stand.pack.r0):
        assert stand.health.resistance.uohm(cell) / 1e6 == pytest.approx(ohm, rel=0.05)


def test_a_pack_that_fades_by_1_percent_in_20_cycles_is_followed_with_less_than_1_percent_lag():
    stand = Stand(Pack(cells=4, capacity_ah=100))
    cycle(stand, 2, dt=120)
    first = stand.health.capacity_mah / (1000 * stand.pack.usable_ah())
    fade(stand, 60)
    now = stand.health.capacity_mah / (1000 * stand.pack.usable_ah())
    assert 0 < now - first < 0.01


def test_the_weak_and_the_leaky_cell_are_named_and_no_others():
    stand = damaged(1)
    live(stand, 15)
    assert names(stand) == ({WEAK_CELL}, {LEAKY_CELL})
    assert sorted(logged(stand)) == [(0, 1 << WEAK_CELL)]  # the first; one in a turn
    stand.settle()
    assert sorted(logged(stand)) == [(1, 1 << LEAKY_CELL)]
    health = stand.health
    others = sorted(health.leak_ua)
    assert (health.leak_ua[LEAKY_CELL] - others[7]) / 1000 == pytest.approx(5.0, abs=1.0)
    assert health.weak_bp[WEAK_CELL] == pytest.approx(-900, abs=200)
    shown = dict(zip(POINTS[6:8], (health.shown[6:8], health.shown[8:10]), strict=True))
    assert list(shown["weak_cells"]) == [1 << WEAK_CELL, 0]
    assert list(shown["leaky_cells"]) == [1 << LEAKY_CELL, 0]


def test_the_highest_of_32_cells_are_named_by_small_numbers_and_remembered():
    stand = Stand(Pack(cells=32, capacity_ah=100))
    health = stand.health
    health.weak_bp[31] = health.weak_bp[2] = -700
    health.kept[WEAK] = cell_drift.weak(health.weak_bp, 0)
    health.kept[LEAKY] = 1 << 30
    stand.settle()
    assert logged(stand) == [(0, 1 << 2)]  # one event in a turn
    health.step(1000, stand.snapshot, stand.anchors, stand.counter)
    assert logged(stand) == [(2, 1 << 15)]
    health.step(1000, stand.snapshot, stand.anchors, stand.counter)
    assert logged(stand) == [(3, 1 << 14)]
    stand.settle()
    assert list(health.shown[6:10]) == [1 << 2, 1 << 15, 0, 1 << 14]
    kept = list(health.kept)
    stand.start()
    stand.health.restore(kept)
    stand.settle()
    assert logged(stand) == []
    assert cell_drift.weak(health.weak_bp, kept[WEAK]) == kept[WEAK]
    health.weak_bp[31] = -500  # well again only above -4 %
    assert cell_drift.weak(health.weak_bp, kept[WEAK]) == kept[WEAK]


def test_one_fault_alone_is_no_other():
    stand = damaged(13, weak=False)
    live(stand, 14)
    assert names(stand) == (set(), {LEAKY_CELL})
    stand = damaged(12, leaky=False)
    live(stand, 14, balanced=False)
    assert names(stand) == ({WEAK_CELL}, set())


@pytest.mark.parametrize("seed", range(30, 34))
def test_a_healthy_pack_has_no_cell_named(seed):
    stand = damaged(seed, weak=False, leaky=False)
    live(stand, 16, balanced=seed % 2 == 0)
    assert names(stand) == (set(), set())
    assert logged(stand) == []


def test_what_was_known_survives_a_restart():
    stand = damaged(1)
    live(stand, 14)
    before = stand.health
    stand.rest(7)  # it is packed four times a day
    assert before.keep_due
    stand.start()
    after = stand.health
    after.restore(list(before.kept))
    assert after.capacity_mah == after.full_mah == before.capacity_mah
    assert names(stand) == ({WEAK_CELL}, {LEAKY_CELL})
    assert after.resistance.uohm(5) == pytest.approx(before.resistance.uohm(5), rel=0.002)
    assert after.shown[3] == pytest.approx(before.shown[3], abs=20)
    assert list(after.weak_bp) == list(before.weak_bp)
    assert after.leak_ua[LEAKY_CELL] == pytest.approx(before.leak_ua[LEAKY_CELL], abs=100)
    assert after.cycles == before.cycles
    logged(stand)  # of before
    stand.settle()
    assert logged(stand) == []  # named is named once
    live(stand, 3)
    assert names(stand) == ({WEAK_CELL}, {LEAKY_CELL})


def test_a_resistance_that_is_being_learned_anew_is_neither_shown_nor_kept():
    """Before a step is known to be true it must not outlive a restart, after which it would be
    believed; what was known stays in the record."""
    stand = Stand(Pack(cells=4))
    cycle(stand, 4, dt=20)
    health = stand.health
    stand.rest(7)  # it is packed four times a day
    kept = list(health.kept[CELLS::2])
    shown = POINTS.index("cell_resistance_uohm")
    assert INVALID not in health.shown[shown + 2 : shown + 6]
    resistance = health.resistance
    for _ in range(12):  # 20 are refused, then nonsense begins to be learned
        for mv, ma in ((3300, 0), (3900, 50_000)):
            resistance.step(1000, memoryview(array("i", [mv] * 4)), ma, 250, 5000)
    assert not resistance.learned
    stand.rest(7)
    assert list(health.kept[CELLS::2]) == kept
    assert set(health.shown[shown + 2 : shown + 6]) == {INVALID}


def test_a_record_of_another_pack_or_cell_count_is_not_taken():
    stand = Stand(Pack(cells=4))
    cycle(stand, 1)
    saved = list(stand.health.kept)
    for other in (Stand(Pack(cells=4), design_ah=90), Stand(Pack(cells=5))):
        fresh = list(other.health.kept)
        other.health.restore(saved)
        assert list(other.health.kept) == fresh


def test_another_design_capacity_means_other_cells():
    stand = Stand(Pack(cells=4, capacity_ah=85))
    cycle(stand, 2)
    parameters = stand.parameters
    parameters.change([(parameters.index("design_capacity_mah"), 280_000)])
    stand.turn(1, 0.0)
    assert stand.health.capacity_mah == stand.health.full_mah == 280_000
    assert not stand.health.resistance.learned
    assert stand.health.shown[2] == 0


def test_the_full_charge_follows_the_capacity_by_no_more_than_a_thousandth_a_minute():
    stand = Stand(Pack(cells=4, capacity_ah=80))
    full_mah = [stand.health.full_mah]
    stand.charge(dt=60)
    while not stand.health.shown[2]:
        stand.turn(20, -33.0)
        full_mah.append(stand.health.full_mah)
    for _ in range(700):
        stand.turn(20, 0.0)
        full_mah.append(stand.health.full_mah)
    assert max(abs(a - b) for a, b in pairwise(full_mah)) <= 100
    assert full_mah[-1] == stand.health.capacity_mah


@pytest.mark.parametrize("temperature_c", [5, 45])
def test_a_cold_or_hot_way_between_the_ends_says_nothing(temperature_c):
    stand = Stand(Pack(cells=4))
    stand.charge(dt=60)
    stand.pack.temperature_c = temperature_c
    for _ in range(10):
        stand.turn(60, -33.0)
    stand.pack.temperature_c = 25
    stand.discharge(dt=60)
    assert stand.health.shown[2] == 0


def test_a_start_in_between_spoils_the_pair_because_charge_may_have_flowed_unseen():
    stand = Stand(Pack(cells=4))
    stand.charge(dt=60)
    saved = list(stand.health.kept)
    stand.start()
    stand.health.restore(saved)
    stand.discharge(dt=60)
    assert stand.health.shown[2] == 0
    stand.charge(dt=60)
    assert stand.health.shown[2] == 1


def test_the_flat_part_of_the_curve_is_no_anchor_and_its_steep_end_is():
    stand = Stand(Pack(cells=4))
    stand.charge(dt=60)
    for _ in range(90):
        stand.turn(60, -33.0)  # half of it
    stand.rest(3)
    assert stand.health.anchor[0] == FULL
    assert stand.health.shown[2] == 0


def test_cycles_deep_cycles_and_hours():
    stand = Stand(Pack(cells=4, soc=0.9))
    for _ in range(3):
        for _ in range(180):
            stand.turn(60, -20.0)  # 60 %
        for _ in range(180):
            stand.turn(60, 20.0)
    for _ in range(10):
        for _ in range(90):
            stand.turn(60, -20.0)  # 30 %
        for _ in range(90):
            stand.turn(60, 20.0)
    assert stand.health.cycles == 4  # 3 x 0.6 + 10 x 0.3
    assert stand.health.shown[4] == 3
    assert stand.health.shown[5] == 48


def test_writes_to_the_flash_are_few():
    """A week of cycling: four a day and one after each anchor."""
    stand = Stand(Pack(cells=4))
    writes = 0
    for _ in range(7):
        stand.charge(dt=60)
        writes += stand.health.keep_due
        stand.health.keep_due = False
        for _ in range(24 * 60):
            stand.turn(60, 0.0)
            writes += stand.health.keep_due
            stand.health.keep_due = False
    assert 7 * 4 <= writes <= 7 * 7


def test_without_a_measurement_time_passes_and_nothing_is_learned():
    stand = Stand(Pack(cells=4))
    stand.snapshot[:] = array("i", [INVALID] * len(stand.snapshot))
    for _ in range(120):
        stand.health.step(60_000, stand.snapshot, stand.anchors, stand.counter)
    assert stand.health.shown[5] == 2
    assert not stand.health.resistance.learned


def test_the_points_of_health_are_neighbours_and_as_many_values_as_it_shows():
    points = Points()
    offset = points.offset(POINTS[0])
    for name in POINTS:
        assert points.offset(name) == offset
        offset += points.counts[points.index(name)]
    shown = Stand(Pack(cells=4)).health.shown
    assert offset - points.offset(POINTS[0]) == len(shown)


def test_a_battery_shows_them():
    bench = Bench().start()
    bench.slow()
    assert bench.point("capacity_mah") == 280_000
    assert bench.point("capacity_pairs") == 0
    assert bench.point("resistance_growth_bp") == INVALID
    assert bench.point("soh_bp") == 10_000
    health = bench.battery.health
    health.kept[CAPACITY] = 90_000
    health.kept[WEAK] = 0b0100
    health._show()
    bench.slow()
    assert bench.point("capacity_mah") == 252_000
    assert bench.point("weak_cells") == 0b0100
    assert bench.point("soh_bp") == 9_000


def test_a_battery_logs_the_cells_that_are_named():
    bench = Bench().start()
    bench.events()
    bench.battery.health.kept[LEAKY] = 0b0010
    bench.slow()
    bench.step()
    assert ("cells", 1, 0b0010) in bench.events()


class Estimated(Stand):
    """The estimator of the firmware says when the pack is full and empty."""

    def start(self, offset_ma=0.0):
        super().start(offset_ma)
        self.anchors = SocEstimator(self.parameters, self.health.model)
        self.anchors_update = self.anchors.update
        self.anchors.update = self.update

    def update(self, seconds, cell_mv, current_ma, _soc_bp):
        self.anchors.full_mah = self.health.full_mah
        self.anchors_update(
            round(1000 * seconds),
            self.counter.net_mah,
            current_ma,
            min(cell_mv),
            max(cell_mv),
            sum(cell_mv) * 10 // len(cell_mv),
            round(10 * self.pack.temperature_c),
        )


def test_with_the_firmwares_own_estimator_the_capacity_is_found_as_well_and_its_charge_fits():
    stand = Estimated(Pack(cells=4, capacity_ah=85, spread=0.01, seed=1))
    for _ in range(2):
        stand.charge(dt=20)
        assert stand.anchors.soc_bp == 10_000
        stand.discharge(0.25, dt=20)
    stand.rest(0.1)
    assert stand.health.capacity_mah == pytest.approx(1000 * stand.pack.usable_ah(), rel=0.02)
    assert stand.anchors.soc_bp < 300
    assert stand.health.shown[2] == 3
