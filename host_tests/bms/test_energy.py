"""Energy in and out of the pack."""

from bms.energy import Energy


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour_whatever_the_steps():
    for elapsed_ms in (1000, 700, 1):
        energy = Energy()
        for _ in range(min(3_600_000 // elapsed_ms, 6000)):
            energy.update(1000, elapsed_ms)
        expected = 1000 * min(3_600_000, 6000 * elapsed_ms) // 3_600_000
        assert abs(energy.values[0] - expected) <= 1
        assert energy.values[1] == 0


def test_what_goes_out_is_counted_apart_and_positive():
    energy = Energy()
    for _ in range(7200):
        energy.update(-500, 1000)
    assert list(energy.values) == [0, 1000]


def test_nothing_is_lost_between_small_powers():
    energy = Energy()
    for _ in range(36_000):
        energy.update(1, 1000)
    assert energy.values[0] == 10


def test_a_gap_in_time_counts_nothing():
    energy = Energy()
    energy.update(50_000, 3_600_000)
    assert list(energy.values) == [0, 0]
