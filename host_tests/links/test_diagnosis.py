"""Counters of links, and what is said about them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.table import rows
from links import peer_rows, verdict_rows
from links.diagnosis import (
    AGE_S,
    BLUETOOTH,
    CAN,
    CRC_ERRORS,
    FACT_NAMES,
    FRAMES_IN,
    FRAMES_OUT,
    LINKS,
    LOST,
    PEER,
    REFUSED,
    RS485,
    STOPPED,
    TCP,
    TIMEOUTS,
    UNKNOWN,
    VERDICT,
    WINDOW_MS,
    Diagnosis,
)
from links.point_names import POINTS

NAMES = [row[4] for row in rows(verdict_rows.ROWS)]


@pytest.fixture
def links():
    made = Diagnosis()
    made.open(RS485)
    return made


def verdict(links, link=RS485):
    links.step(WINDOW_MS)
    return NAMES[links.values[VERDICT + link]]


def answer(links, times, link=RS485):
    for _ in range(times):
        links.heard(link, 1)
        links.count(FRAMES_OUT, link)


def test_a_link_that_is_not_used_is_closed_whatever_it_counts(links):
    links.count(CRC_ERRORS, BLUETOOTH)
    assert verdict(links, BLUETOOTH) == "closed"


def test_requests_that_are_answered_are_well(links):
    answer(links, 3)
    assert verdict(links) == "well"


def test_nothing_ever_heard_is_not_the_same_as_silence_after_something(links):
    assert verdict(links) == "never_heard"
    answer(links, 1)
    assert verdict(links) == "well"
    assert verdict(links) == "silent"


def test_bytes_without_a_request_point_to_speed_or_wires(links):
    links.count(CRC_ERRORS, RS485, 5)
    assert verdict(links) == "only_noise"


@pytest.mark.parametrize(
    ("good", "damaged", "expected"),
    [(100, 1, "some_damaged"), (3, 1, "noisy"), (0, 1, "only_noise")],
)
def test_damage_is_judged_by_its_share(links, good, damaged, expected):
    answer(links, good)
    links.count(CRC_ERRORS, RS485, damaged)
    assert verdict(links) == expected


def test_frames_for_others_alone_point_to_the_address(links):
    links.count(UNKNOWN, RS485)
    assert verdict(links) == "other_address"
    links.count(UNKNOWN, RS485)
    answer(links, 1)
    assert verdict(links) == "well", "other slaves may share the line"


def test_answers_that_can_not_leave_outrank_the_rest(links):
    answer(links, 3)
    links.count(TIMEOUTS, RS485)
    assert verdict(links) == "can_not_send"


def test_what_a_link_tells_itself_stays_until_it_tells_otherwise(links):
    answer(links, 1)
    links.tell(RS485, REFUSED, True)
    assert verdict(links) == "refused"
    answer(links, 1)
    assert verdict(links) == "refused"
    links.tell(RS485, REFUSED, False)
    answer(links, 1)
    assert verdict(links) == "well"


def test_a_failed_port_outranks_everything(links):
    links.count(TIMEOUTS, RS485)
    links.tell(RS485, STOPPED, True)
    assert verdict(links) == "port_closed"


def test_the_verdict_is_about_the_window_and_the_counters_about_all_time(links):
    links.count(CRC_ERRORS, RS485, 9)
    verdict(links)
    answer(links, 1)
    assert verdict(links) == "well"
    assert links.values[CRC_ERRORS + RS485] == 9


def test_a_verdict_comes_only_at_the_end_of_a_window(links):
    answer(links, 1)
    links.step(WINDOW_MS - 1)
    assert links.values[VERDICT + RS485] == 0
    links.step(1)
    assert NAMES[links.values[VERDICT + RS485]] == "well"


@given(st.lists(st.integers(0, 5000), max_size=40))
def test_the_age_counts_the_time_since_the_latest_frame(steps):
    links = Diagnosis()
    links.step(500)
    assert links.values[AGE_S + CAN] == -1
    links.heard(CAN, 0)
    for step in steps:
        links.step(step)
    assert links.values[AGE_S + CAN] == sum(steps) // 1000


def test_a_peer_is_kept_until_another_shows(links):
    links.heard(RS485, 3)
    links.heard(RS485, 0)
    assert links.values[PEER + RS485] == 3
    links.heard(RS485, 1)
    assert links.values[PEER + RS485] == 1


def test_counters_wrap_below_what_is_a_heap_object_on_the_boards(links):
    links.count(FRAMES_IN, TCP, (1 << 30) - 1)
    links.step(WINDOW_MS)
    links.open(TCP)
    links.heard(TCP, 0)
    assert links.values[FRAMES_IN + TCP] == 0
    assert verdict(links, TCP) == "well", "a wrapped counter counts on"


def test_every_row_names_known_links_and_facts_and_says_what_to_do():
    table = list(rows(verdict_rows.ROWS))
    assert len({row[4] for row in table}) == len(table) < 100
    for number, (on, rank, needs, without, name, meaning, check) in enumerate(table):
        assert set(on.split()) <= set(LINKS), name
        assert set(needs.split()) | set(without.split()) <= set(FACT_NAMES), name
        assert 0 <= int(rank) < 256
        assert meaning and not meaning.endswith(".")
        assert not check.endswith(".")
        assert check or name in ("closed", "well", "well_can"), name
        assert number == 0 or needs, "only the first row holds without conditions"


@pytest.mark.parametrize("row", range(1, len(NAMES)), ids=NAMES[1:])
def test_every_verdict_can_be_reached(row):
    on, _, needs, _, name, *_ = list(rows(verdict_rows.ROWS))[row]
    facts = sum(1 << FACT_NAMES.index(fact) for fact in needs.split())
    for link in on.split():
        assert Diagnosis()._verdict(LINKS.index(link), facts) == row, name


def test_the_fields_are_in_the_order_of_the_points_that_show_them():
    assert POINTS.index("link_crc_errors") * len(LINKS) == CRC_ERRORS
    assert POINTS.index("link_verdict") * len(LINKS) == VERDICT
    assert len(Diagnosis().values) == 8 * len(LINKS) + 3
    assert LOST & STOPPED == 0


def test_peers_have_words_and_signs():
    for name, words, known_by in rows(peer_rows.ROWS):
        assert name and words and known_by
