"""A limit falls fast, rises slowly, and does not swing with noise."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.ramp import Ramp

MOST = 60000
RISE_S, FALL_S = 60, 4


def step(ramp, aim, most=MOST, elapsed_ms=1000):
    return ramp.step(aim, most, RISE_S, FALL_S, elapsed_ms)


def risen(aim=MOST, most=MOST):
    ramp = Ramp()
    for _ in range(RISE_S):
        step(ramp, aim, most)
    assert ramp.value == aim
    return ramp


def test_it_begins_at_nothing_and_rises_at_once_in_its_time():
    ramp = Ramp()
    assert ramp.value == 0
    for turn in range(1, RISE_S):
        assert step(ramp, MOST) is True
        assert ramp.value == 1000 * turn
    assert step(ramp, MOST) is False
    assert ramp.value == MOST


def test_it_falls_in_its_time_and_ends_at_the_aim():
    ramp = risen()
    values = []
    for _ in range(5):
        assert step(ramp, 5000) is False
        values.append(ramp.value)
    assert values == [45000, 30000, 15000, 5000, 5000]


def test_it_rises_again_after_half_a_minute_with_clearly_more_room():
    ramp = risen()
    step(ramp, 50000)
    for _ in range(30):
        assert step(ramp, 55000) is True
        assert ramp.value == 50000
    step(ramp, 55000)
    assert ramp.value == 51000
    for _ in range(4):
        step(ramp, 55000)
    assert ramp.value == 55000


@pytest.mark.parametrize(("aim", "rises"), [(51875, False), (51876, True)])
def test_a_little_more_room_is_no_reason_to_move(aim, rises):
    """A thirty-second of the most: 1875."""
    ramp = risen()
    step(ramp, 50000)
    for _ in range(100):
        step(ramp, aim)
    assert ramp.value == (aim if rises else 50000)


def test_it_comes_to_the_most_itself_however_near_it_is():
    ramp = risen()
    step(ramp, MOST - 10)
    for _ in range(31):
        step(ramp, MOST)
    assert ramp.value == MOST


@pytest.mark.parametrize("again", [50000, 51000, 49000])
def test_calm_must_last(again):
    """What lies lower or near in between begins the waiting anew."""
    ramp = risen()
    step(ramp, 50000)
    for _ in range(3):
        for _ in range(29):
            step(ramp, 58000)
        step(ramp, again)
    assert ramp.value == min(50000, again)


@pytest.mark.parametrize("stay", [49000, 50000])
def test_calm_is_thirty_seconds_to_the_millisecond(stay):
    """After a fall, and after an aim that was only a little higher."""
    ramp = risen()
    step(ramp, 49000 if stay == 49000 else 50000)
    if stay == 50000:
        step(ramp, 50001)
    value = ramp.value
    for _ in range(29):
        step(ramp, 58000)
    step(ramp, 58000, elapsed_ms=999)
    step(ramp, 58000, elapsed_ms=1)
    assert ramp.value == value
    step(ramp, 58000, elapsed_ms=1)
    assert ramp.value > value


def test_an_aim_that_was_reached_begins_the_waiting_anew():
    ramp = risen(40000)
    step(ramp, 50000)
    assert ramp.value == 40000


def test_a_late_turn_makes_no_larger_step():
    ramp = Ramp()
    step(ramp, MOST, elapsed_ms=60000)
    assert ramp.value == 1500
    ramp = risen()
    step(ramp, 0, elapsed_ms=60000)
    assert ramp.value == MOST - 22500
    ramp = risen()
    step(ramp, 50000)
    step(ramp, 58000, elapsed_ms=60000)
    step(ramp, 58000)
    assert ramp.value == 50000


def test_no_time_no_step():
    ramp = Ramp()
    step(ramp, MOST, elapsed_ms=0)
    assert ramp.value == 0


def test_a_small_limit_moves_too():
    ramp = Ramp()
    for _ in range(30):
        step(ramp, 30, most=30)
    assert ramp.value == 30


def test_a_milliampere_in_a_millisecond_is_rounded_up():
    ramp = Ramp()
    ramp.step(1, 1, 1, 1, 1)
    assert ramp.value == 1


def test_what_is_dropped_is_nothing_and_rises_without_waiting():
    ramp = risen()
    step(ramp, 50000)
    ramp.drop()
    assert ramp.value == 0
    step(ramp, MOST)
    assert ramp.value == 1000


def test_the_largest_pack_stays_below_what_is_a_heap_object(monkeypatch):
    """600 A for 1.5 s: MicroPython's small integers on the boards end at 2**30."""
    assert 600000 * 1500 + 1000 * 3600 < 2**30


@given(st.lists(st.tuples(st.integers(0, MOST), st.integers(0, 5000)), max_size=60))
def test_every_step_is_bounded_and_never_past_the_aim(turns):
    ramp = Ramp()
    for aim, elapsed_ms in turns:
        before = ramp.value
        step(ramp, aim, elapsed_ms=elapsed_ms)
        seconds = min(elapsed_ms, 1500) / 1000
        assert -MOST * seconds / FALL_S - 1 <= ramp.value - before
        assert ramp.value - before <= MOST * seconds / RISE_S + 1
        assert min(aim, before) <= ramp.value <= max(aim, before)


def test_noise_does_not_make_it_swing():
    """An aim that jumps by 3 % each second: at most one fall and one rise in half a minute."""
    random = Random(1)
    ramp = risen(40000)
    turns, last, before = 0, 0, ramp.value
    for _ in range(3600):
        step(ramp, 40000 + random.randrange(-900, 900))
        direction = (ramp.value > before) - (ramp.value < before)
        if direction and direction != last:
            turns += 1
            last = direction
        before = ramp.value
    assert turns <= 2
    assert 39100 <= ramp.value <= 40000
