"""The saved state: nothing is known, or what was saved last; never a reason to stop booting."""

import binascii
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.commissioning import IDENTITY
from storage.state import NAMES, SavedState, StateError

COMMISSIONED = {
    "commissioned_chemistry": 0,
    "commissioned_series_cells": 16,
    "commissioned_design_capacity_mah": 100_000,
    "commissioned_shunt_microohm": 500,
    "commissioned_current_sensor": 1,
    "commissioned_ina228_shunt_microohm": 100,
    "commissioned_power_path": 2,
}


def loaded(directory):
    state = SavedState(str(directory))
    return state, state.load()


def saved(directory, *changes):
    state, _ = loaded(directory)
    for change in changes:
        assert state.update(change) is True
    return state


def files(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_there_is_a_name_for_all_that_identifies_a_commissioned_pack():
    assert {"commissioned_" + name for name in IDENTITY} == set(COMMISSIONED)
    assert set(COMMISSIONED) < set(NAMES)


def test_without_files_nothing_is_known_and_the_pack_counts_as_not_commissioned(tmp_path):
    state, known = loaded(tmp_path)
    assert known is False
    (problem,) = state.problems
    assert "not commissioned" in problem
    assert "`commission`" in problem
    assert state.get("commissioned_series_cells", 0) == 0
    assert state.get("lowest_cell_mv", -5) == -5


def test_what_was_saved_is_there_after_a_restart(tmp_path):
    saved(tmp_path, COMMISSIONED, {"latched_3": 65_535, "lowest_cell_mv": -(2**30)})
    state, known = loaded(tmp_path)
    assert known is True
    assert state.problems == []
    assert {name: state.get(name, None) for name in COMMISSIONED} == COMMISSIONED
    assert state.get("latched_3", 0) == 65_535
    assert state.get("lowest_cell_mv", 0) == -(2**30)
    assert state.get("latched_0", 7) == 7


def test_the_file_is_for_people(tmp_path):
    saved(tmp_path, {"undervoltage_rebounds": 3})
    crc = binascii.crc32(b"format=1\nsequence=1\nundervoltage_rebounds=3")
    assert json.loads((tmp_path / "state_a.json").read_text()) == {
        "format": 1,
        "sequence": 1,
        "state": {"undervoltage_rebounds": 3},
        "crc32": f"{crc:08x}",
    }


def test_what_is_saved_already_is_not_written_again(tmp_path):
    state = saved(tmp_path, {"undervoltage_rebounds": 3, "restricted": 1})
    before = files(tmp_path)
    assert state.update({"undervoltage_rebounds": 3}) is False
    assert state.update({}) is False
    assert loaded(tmp_path)[0].update({"restricted": 1, "undervoltage_rebounds": 3}) is False
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "change", [{"restrict": 1}, {"latched_4": 0}, {"undervoltage_rebounds": 1, "": 2}]
)
def test_another_name_is_refused_as_a_whole(tmp_path, change):
    state = saved(tmp_path, {"undervoltage_rebounds": 3})
    with pytest.raises(StateError, match="no state is named"):
        state.update(change)
    with pytest.raises(StateError, match="no state is named"):
        state.get("restrict", 0)
    assert state.get("undervoltage_rebounds", 0) == 3


@pytest.mark.parametrize("value", [None, 1.0, "1", True, [1]])
def test_only_whole_numbers_are_saved(tmp_path, value):
    state = saved(tmp_path, {"undervoltage_rebounds": 3})
    with pytest.raises(StateError, match="'restricted' must be a whole number"):
        state.update({"undervoltage_rebounds": 4, "restricted": value})
    assert loaded(tmp_path)[0].get("undervoltage_rebounds", 0) == 3


def test_a_value_of_a_later_firmware_is_kept(tmp_path):
    crc = binascii.crc32(b"format=1\nsequence=9\nnovelty=5\nrestricted=1")
    content = {
        "format": 1,
        "sequence": 9,
        "state": {"novelty": 5, "restricted": 1},
        "crc32": f"{crc:08x}",
    }
    (tmp_path / "state_b.json").write_text(json.dumps(content))
    state, known = loaded(tmp_path)
    assert known
    assert state.get("restricted", 0) == 1
    state.update({"restricted": 0})
    assert json.loads((tmp_path / "state_a.json").read_text())["state"]["novelty"] == 5


def test_one_damaged_file_leaves_the_state_before_and_a_warning(tmp_path):
    saved(tmp_path, COMMISSIONED, {"restricted": 1})
    (tmp_path / "state_b.json").write_text("{")
    state, known = loaded(tmp_path)
    assert known
    assert state.get("restricted", 0) == 0
    assert state.get("commissioned_series_cells", 0) == 16
    assert state.problems[0].startswith("state_b.json is damaged")
    assert state.problems[1].startswith("state_a.json is used instead")


def test_two_damaged_files_mean_that_nothing_is_known(tmp_path):
    saved(tmp_path, COMMISSIONED, {"restricted": 1})
    (tmp_path / "state_a.json").write_bytes(b"\xff" * 300)
    (tmp_path / "state_b.json").write_text("")
    state, known = loaded(tmp_path)
    assert known is False
    assert state.get("commissioned_series_cells", 0) == 0
    assert len(state.problems) == 3
    assert "not commissioned" in state.problems[2]
    state.update({"undervoltage_rebounds": 1})
    assert loaded(tmp_path)[1] is True


def test_a_flash_that_refuses_leaves_the_state_before_and_is_tried_again(tmp_path, monkeypatch):
    state = saved(tmp_path, {"restricted": 0}, {"restricted": 1})

    def full(_from, _to):
        raise OSError(28, "ENOSPC")

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", full)
        for _ in range(2):
            with pytest.raises(StateError, match=r"ENOSPC.*free some space.*state before"):
                state.update({"restricted": 0, "undervoltage_rebounds": 5})
    assert state.get("restricted", 9) == 1
    assert loaded(tmp_path)[0].get("restricted", 9) == 1
    assert state.update({"restricted": 0, "undervoltage_rebounds": 5}) is True
    assert loaded(tmp_path)[0].get("undervoltage_rebounds", 0) == 5


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(-(2**31), 2**31 - 1)), max_size=8)
)
def test_after_any_updates_a_restart_knows_the_sum_of_them(tmp_path_factory, updates):
    directory = tmp_path_factory.mktemp("state")
    expected = {}
    for update in updates:
        state, _ = loaded(directory)
        assert state.update(update) is (expected | update != expected)
        expected |= update
    state, known = loaded(directory)
    assert known is bool(expected)
    assert {name: state.get(name, None) for name in expected} == expected


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_is_taken_for_a_state(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("damage")
    saved(directory, COMMISSIONED)
    file = directory / "state_a.json"
    good = file.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    cut = data.draw(st.integers(0, 3))
    file.write_bytes(good[:at] + data.draw(st.binary(max_size=4)) + good[at + cut :])
    state, known = loaded(directory)
    if known:  # only what has the same meaning may pass
        assert json.loads(file.read_bytes()) == json.loads(good)
    else:
        assert all(state.get(name, None) is None for name in NAMES)
