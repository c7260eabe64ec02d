"""What survives a reset: a reset at any write leaves old or new words, and loops are noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.retained import NO_FAULT, WORDS, Retained

# Three watchdog resets within ten minutes (issue 3).
WINDOW_S = 600

words_of_faults = st.lists(st.integers(0, 65_535), min_size=4, max_size=4)
stores = st.tuples(words_of_faults, st.booleans(), st.integers(0, 63) | st.just(NO_FAULT))


class Reset(Exception):
    """The processor was reset in the middle of the write."""


class Registers:
    """Words as those of an RP2040: written whole. `left`: writes until a reset."""

    def __init__(self, words=None):
        self.words = list(words or [0] * WORDS)
        self.left = None
        self.writes = 0

    def copy(self):
        return type(self)(self.words)

    def __getitem__(self, word):
        return self.words[word]

    def __setitem__(self, word, value):
        assert 0 <= value < 2**30  # larger ones are heap objects on our boards
        self.put(word, value)

    def put(self, word, value):
        if self.left == 0:
            raise Reset
        if self.left is not None:
            self.left -= 1
        self.writes += 1
        self.words[word] = value


class ByteMemory(Registers):
    """Memory that is written byte by byte, lowest first."""

    def put(self, word, value):
        for byte in range(4):
            mask = 0xFF << 8 * byte
            super().put(word, self.words[word] & ~mask | value & mask)


def begun(memory, cause="watchdog"):
    retained = Retained(memory)
    retained.begin(cause)
    return retained


def seen(retained):
    return list(retained.latched), retained.restricted, retained.last_fault


def running(memory, seconds, cause="watchdog"):
    """A start that then runs for so long."""
    retained = begun(memory, cause)
    for _ in range(seconds):
        retained.note_second()
    return retained


@given(stores, st.sampled_from(["watchdog", "soft"]))
def test_what_was_stored_is_known_after_a_reset(stored, cause):
    memory = Registers()
    begun(memory, "power_on").store(*stored)
    retained = begun(memory, cause)
    assert seen(retained) == stored
    assert retained.known
    assert seen(begun(memory, cause)) == stored  # and after the next


@given(stores)
def test_after_power_on_nothing_is_known_whatever_the_memory_holds(stored):
    memory = Registers()
    begun(memory, "power_on").store(*stored)
    retained = begun(memory, "power_on")
    assert seen(retained) == ([0, 0, 0, 0], False, NO_FAULT)
    assert not retained.known
    assert retained.starts == 1
    assert retained.watchdog_resets == 0
    assert seen(begun(memory)) == ([0, 0, 0, 0], False, NO_FAULT)


@pytest.mark.parametrize("content", [0, 2**32 - 1, 0x5A5A5A5A, 0x3FFF0000, 0x2CE10000])
def test_memory_that_was_never_written_is_ignored(content):
    memory = Registers([content] * WORDS)
    retained = begun(memory)
    assert seen(retained) == ([0, 0, 0, 0], False, NO_FAULT)
    assert not retained.known
    assert retained.watchdog_resets == 1
    assert begun(memory).known


@given(st.lists(st.integers(0, 2**32 - 1), min_size=WORDS, max_size=WORDS))
def test_garbage_never_shows_a_fault_that_it_does_not_vouch_for(garbage):
    retained = begun(Registers(garbage))
    # By chance (1 in 65536 each) a word fits its check; then something was torn: gates off.
    assert seen(retained) == ([0, 0, 0, 0], False, NO_FAULT) or retained.restricted


@given(stores, stores)
def test_a_reset_between_two_words_leaves_each_old_or_new(old, new):
    whole = Registers()
    begun(whole, "power_on").store(*old)
    for left in range(WORDS + 1):
        memory = whole.copy()
        retained = begun(memory)
        memory.left = left
        try:
            retained.store(*new)
            ended = True
        except Reset:
            ended = False
        memory.left = None
        after = begun(memory)
        assert after.known
        for word in range(4):
            assert after.latched[word] in {old[0][word], new[0][word]}
        assert (after.restricted, after.last_fault) in {old[1:], new[1:]}
        # Faults that stand before and after the store stand at every moment of it.
        for word in range(4):
            assert after.latched[word] & old[0][word] & new[0][word] == old[0][word] & new[0][word]
        if ended:
            assert seen(after) == new
            break
    assert ended


@given(stores, stores)
def test_a_reset_between_two_bytes_leaves_each_word_old_or_new_or_keeps_the_gates_off(old, new):
    whole = ByteMemory()
    begun(whole, "power_on").store(*old)
    for left in range(4 * WORDS + 1):
        memory = whole.copy()
        retained = begun(memory)
        memory.left = left
        try:
            retained.store(*new)
            ended = True
        except Reset:
            ended = False
        memory.left = None
        after = begun(memory)
        for word in range(4):
            assert after.latched[word] in {old[0][word], new[0][word]} or after.restricted
            assert after.latched[word] in {old[0][word], new[0][word], 0}
        assert after.last_fault in {old[2], new[2], NO_FAULT}
        if after.known:
            assert (after.restricted, after.last_fault) in {old[1:], new[1:]}
        else:
            assert after.restricted
            assert begun(memory).restricted  # until a person allows them
        if ended:
            assert seen(after) == new
            break
    assert ended


@given(st.integers(0, WORDS - 1), st.integers(0, 29))
def test_every_single_wrong_bit_is_noticed(word, bit):
    memory = Registers()
    begun(memory, "power_on").store([1, 2, 3, 4], False, 9)
    memory.words[word] ^= 1 << bit
    retained = begun(memory)
    assert not retained.known
    assert retained.restricted


@pytest.mark.parametrize("left", range(WORDS + 1))
def test_a_reset_while_it_begins_loses_no_latched_fault(left):
    memory = Registers()
    begun(memory, "power_on").store([1, 2, 3, 4], True, 9)
    memory.left = left
    try:
        begun(memory)
    except Reset:
        memory.left = None
    memory.left = None
    assert seen(begun(memory)) == ([1, 2, 3, 4], True, 9)


def test_storing_what_is_stored_writes_nothing():
    memory = Registers()
    retained = begun(memory, "power_on")
    retained.store([1, 0, 0, 0], True, 5)
    memory.writes = 0
    for _ in range(10):
        retained.store([1, 0, 0, 0], True, 5)
    assert memory.writes == 0
    retained.store([1, 0, 2, 0], True, 5)
    assert memory.writes == 1


def word_of(place, content):
    """A word as the layout describes it, its check by long division: the remainder of the content,
    with 0x2CE1 and the place added to its first 14 bits, by x^14 + x^11 + x^2 + 1."""
    rest = (content << 14) ^ ((0x2CE1 ^ place) << 16)
    for bit in range(29, 13, -1):
        if rest >> bit & 1:
            rest ^= 0x4805 << (bit - 14)
    return rest << 16 | content


def test_the_words_are_as_the_layout_describes_them():
    memory = Registers()
    retained = running(memory, 5, "power_on")
    retained.store([1, 2, 0x8000, 65_535], True, 41)
    contents = [1, 2, 0x8000, 65_535, 0x129, 200 << 8 | 200, 1]
    assert memory.words == [word_of(place, content) for place, content in enumerate(contents)]
    begun(memory)
    assert memory.words[5] == word_of(5, 200 << 8 | 0)
    running(memory, 31).expect_reset()
    assert memory.words[4] == word_of(4, 0x329)
    assert memory.words[5] == word_of(5, 10 << 8 | 10)
    assert memory.words[6] == word_of(6, 3)


def test_starts_are_counted_from_power_on_and_stop_at_the_end_of_the_word():
    memory = Registers()
    assert [begun(memory, cause).starts for cause in ("power_on", "soft", "watchdog")] == [1, 2, 3]
    memory.words[6] = word_of(6, 65_534)
    assert [begun(memory).starts for _ in range(3)] == [65_535, 65_535, 65_535]


@pytest.mark.parametrize(
    ("first_ran_s", "second_ran_s", "loop"),
    [
        (0, 0, True),
        (10, 10, True),
        (299, 299, True),
        (WINDOW_S - 10, 5, True),
        (5, WINDOW_S - 10, True),
        (300, 310, False),
        (WINDOW_S + 10, 0, False),
        (0, WINDOW_S + 10, False),
    ],
)
def test_the_third_watchdog_reset_within_ten_minutes_is_a_boot_loop(
    first_ran_s, second_ran_s, loop
):
    memory = Registers()
    running(memory, 5_000, "power_on")
    first = running(memory, first_ran_s)
    assert first.watchdog_resets == 1
    assert not first.boot_loop
    second = running(memory, second_ran_s)
    assert not second.boot_loop
    third = begun(memory)
    assert third.boot_loop is loop
    if loop:
        assert third.watchdog_resets == 3


@given(st.lists(st.integers(0, 900), min_size=1, max_size=12))
def test_a_loop_is_noticed_at_whatever_moment_the_ten_minutes_began(runs):
    """Against a plain count; 6 s are the most that two rounded ages leave out."""
    memory = Registers()
    begun(memory, "power_on")
    now_s = 0
    resets_s = []
    for ran_s in runs:
        retained = begun(memory)
        resets_s.append(now_s)
        if len(resets_s) >= 3:
            took_s = now_s - resets_s[-3]
            if took_s < WINDOW_S:
                assert retained.boot_loop
            elif took_s >= WINDOW_S + 6:
                assert not retained.boot_loop
        else:
            assert not retained.boot_loop
        for _ in range(ran_s):
            retained.note_second()
        now_s += ran_s


def test_other_resets_count_neither_as_a_loop_nor_as_its_end():
    memory = Registers()
    running(memory, 100, "power_on")
    assert not running(memory, 10).boot_loop
    assert not running(memory, 10).boot_loop
    for _ in range(5):
        soft = running(memory, 10, "soft")
        assert not soft.boot_loop
        assert soft.watchdog_resets == 2
    assert begun(memory).boot_loop


def test_a_reset_that_was_announced_is_no_watchdog_reset():
    memory = Registers()
    retained = begun(memory, "power_on")
    retained.store([0, 8, 0, 0], True, 19)
    for _ in range(5):
        retained.expect_reset()
        retained = begun(memory)
        assert retained.watchdog_resets == 0
        assert seen(retained) == ([0, 8, 0, 0], True, 19)
    assert begun(memory).watchdog_resets == 1  # announced once, counted from then on
