"""Packed tables: rows are read as written, names become indices and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.names import Names
from bms.table import INVALID, UnknownName, field, rows

TEXT = b"""
# a comment | with | bars
first|1|one way
second | 2 |another

# one more
third||
"""

NAMES = st.lists(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=12),
    max_size=30,
    unique=True,
)


def test_rows_are_fields_without_blanks_comments_and_empty_lines():
    assert list(rows(TEXT)) == [
        ["first", "1", "one way"],
        ["second", "2", "another"],
        ["third", "", ""],
    ]


def test_a_text_may_end_without_a_line_feed():
    assert list(rows(b"a|b")) == [["a", "b"]]
    assert list(rows(b"")) == []


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("column", range(3))
def test_one_field_is_the_same_as_in_its_row(row, column):
    assert field(TEXT, row, column) == list(rows(TEXT))[row][column]


def test_a_row_that_is_not_there_is_empty():
    assert field(TEXT, 3, 0) == ""
    assert field(b"", 0, 0) == ""


@given(NAMES)
def test_names_keep_their_order_and_are_found_again(names):
    table = Names(names)
    assert len(table) == len(names)
    for index, name in enumerate(names):
        assert table.name(index) == name
        assert table.index(name) == index


@given(NAMES, st.text(max_size=12))
def test_a_name_that_is_not_there_is_refused_by_name(names, other):
    table = Names(names)
    if other in names:
        return
    with pytest.raises(UnknownName) as refusal:
        table.index(other)
    assert other in refusal.value.args[0]


def test_the_same_name_twice_means_the_first():
    assert Names(["a", "b", "a"]).index("a") == 0


@pytest.mark.parametrize("name", ["ab", "bc", "a", ""])
def test_parts_of_names_and_of_neighbours_are_no_names(name):
    with pytest.raises(UnknownName):
        Names(["abc", "cab"]).index(name)


def test_invalid_is_absurd_in_every_unit_and_no_heap_object_on_the_boards():
    assert INVALID == -(2**30)
