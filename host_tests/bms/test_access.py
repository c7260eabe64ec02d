"""Access: a code unlocks one door for a while, three wrong ones close it for a minute."""

import pytest

from bms.access import Access
from bms.parameters import Parameters
from host_tests.bms.bench import parameters_with

CODE = 4711
MINUTE_MS = 60000


@pytest.fixture
def parameters():
    return parameters_with({"access_code": CODE, "access_minutes": 10})


@pytest.fixture
def door(parameters):
    return Access(parameters)


def set_code(parameters, code):
    parameters.change([(parameters.index("access_code"), code)])


def test_a_door_is_locked_at_first(door):
    assert not door.unlocked()


def test_the_right_code_unlocks_for_the_minutes_of_the_parameter(door):
    assert door.authorize(CODE)
    for _ in range(599):
        door.step(1000)
        assert door.unlocked()
    door.step(1000)
    assert not door.unlocked()


def test_the_right_code_again_begins_the_time_anew(door):
    door.authorize(CODE)
    door.step(9 * MINUTE_MS)
    door.authorize(CODE)
    door.step(9 * MINUTE_MS)
    assert door.unlocked()


def test_a_wrong_code_locks_again(door):
    door.authorize(CODE)
    assert not door.authorize(CODE + 1)
    assert not door.unlocked()


def test_lock_locks_at_once(door):
    door.authorize(CODE)
    door.lock()
    assert not door.unlocked()


def test_after_three_wrong_codes_even_the_right_one_is_refused_for_a_minute(door):
    for _ in range(3):
        assert not door.authorize(1)
    for _ in range(59):
        assert not door.authorize(CODE)
        door.step(1000)
    assert not door.unlocked()
    door.step(1000)
    assert door.authorize(CODE)
    assert door.unlocked()


def test_trying_while_it_is_closed_does_not_prolong_it(door):
    for _ in range(3):
        door.authorize(1)
    for _ in range(60):
        door.authorize(2)
        door.step(1000)
    assert door.authorize(CODE)


def test_two_wrong_codes_do_not_close_it_and_the_right_one_forgives_them(door):
    for _ in range(10):
        assert not door.authorize(1)
        assert not door.authorize(2)
        assert door.authorize(CODE)


def test_guessing_gets_three_codes_a_minute_at_most(door):
    passed_ms = 0
    guess = 0
    while not door.authorize(guess + 1):
        guess += 1
        if guess % 3 == 0:
            door.step(MINUTE_MS)
            passed_ms += MINUTE_MS
    assert guess + 1 == CODE
    assert passed_ms >= (CODE - 1) // 3 * MINUTE_MS  # more than a day


def test_doors_do_not_share_their_locks(parameters):
    bus, other = Access(parameters), Access(parameters)
    bus.authorize(CODE)
    assert not other.unlocked()
    for _ in range(3):
        other.authorize(1)
    assert bus.unlocked()
    assert bus.authorize(CODE)


@pytest.mark.parametrize("guess", [0, -1, 65535, CODE])
def test_without_a_code_a_bus_can_never_be_unlocked(parameters, guess):
    set_code(parameters, 0)
    door = Access(parameters)
    assert not door.authorize(guess)
    assert not door.unlocked()


def test_a_trusted_door_needs_no_code_while_none_is_set(parameters):
    door = Access(parameters, trusted=True)
    assert not door.unlocked()
    set_code(parameters, 0)
    assert door.unlocked()
    set_code(parameters, 1)
    assert not door.unlocked()
    assert door.authorize(1)


def test_a_board_without_configuration_opens_its_trusted_door_only():
    assert Access(Parameters(), trusted=True).unlocked()
    door = Access(Parameters())
    assert not door.authorize(0)
    assert not door.unlocked()


@pytest.mark.parametrize("trusted", [False, True])
def test_another_code_locks_every_door_that_the_old_one_opened(parameters, trusted):
    door = Access(parameters, trusted)
    assert door.authorize(parameters.value("access_code"))
    parameters.change([(parameters.index("access_code"), 999)])
    assert not door.unlocked()


def test_taking_the_code_away_shuts_a_bus_at_once(parameters):
    door = Access(parameters)
    assert door.authorize(parameters.value("access_code"))
    parameters.change([(parameters.index("access_code"), 0)])
    assert not door.unlocked()
