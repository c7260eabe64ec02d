"""The points table: the project's language, published whole and never old."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.point_rows import ROWS
from bms.point_words import STATES
from bms.points import TYPE_B16, TYPE_I16, TYPE_I32, TYPE_U16, Points
from bms.table import INVALID, UnknownName, rows

# Issue 2, deliver 2: names and units. Indices, flags, masks and counts have no unit.
UNITS = {
    "pack_voltage_mv": "mV",
    "current_ma": "mA",
    "power_w": "W",
    "soc_bp": "0.01%",
    "soh_bp": "0.01%",
    "remaining_mah": "mAh",
    "full_mah": "mAh",
    "design_mah": "mAh",
    "cycles": "-",
    "cell_voltage_mv": "mV",
    "cell_min_mv": "mV",
    "cell_max_mv": "mV",
    "cell_min_index": "-",
    "cell_max_index": "-",
    "cell_delta_mv": "mV",
    "temperature_dc": "0.1C",
    "temperature_min_dc": "0.1C",
    "temperature_max_dc": "0.1C",
    "board_temperature_dc": "0.1C",
    "charge_voltage_limit_mv": "mV",
    "charge_current_limit_ma": "mA",
    "discharge_current_limit_ma": "mA",
    "discharge_voltage_limit_mv": "mV",
    "charge_allowed": "-",
    "discharge_allowed": "-",
    "gates": "bits",
    "state": "-",
    "faults": "bits",
    "warnings": "bits",
    "balancing": "bits",
    "uptime_s": "s",
}
VECTORS = {
    "cell_voltage_mv": (32, TYPE_U16),
    "temperature_dc": (8, TYPE_I16),
    "faults": (4, TYPE_B16),
    "warnings": (4, TYPE_B16),
    "balancing": (2, TYPE_B16),
    "weak_cells": (2, TYPE_B16),
    "leaky_cells": (2, TYPE_B16),
    "cell_resistance_uohm": (16, TYPE_U16),
    "imbalance_mah": (16, TYPE_I32),
    "self_test_failed": (1, TYPE_B16),
    "outputs": (1, TYPE_B16),
    "link_frames_in": (4, TYPE_I32),
    "link_frames_out": (4, TYPE_I32),
    "link_crc_errors": (4, TYPE_I32),
    "link_timeouts": (4, TYPE_I32),
    "link_unknown": (4, TYPE_I32),
    "link_age_s": (4, TYPE_I32),
    "link_peer": (4, TYPE_U16),
    "link_verdict": (4, TYPE_U16),
}
# What tells of the pack now, and would mislead if it were old
MEASURED = [
    "pack_voltage_mv",
    "current_ma",
    "power_w",
    "soc_bp",
    "soc_estimate_bp",
    "soc_sigma_bp",
    "soc_quality",
    "remaining_mah",
    "cell_voltage_mv",
    "cell_min_mv",
    "cell_max_mv",
    "cell_min_index",
    "cell_max_index",
    "cell_delta_mv",
    "temperature_dc",
    "temperature_min_dc",
    "temperature_max_dc",
    "board_temperature_dc",
    "bus_voltage_mv",
    "afe_temperature_dc",
]


@pytest.fixture
def points():
    return Points()


def names_of(points):
    return [points.names.name(row) for row in range(len(points))]


@pytest.mark.parametrize("name", UNITS)
def test_the_names_and_units_of_the_issue_are_there(points, name):
    assert points.units.name(points.index(name)) == UNITS[name]


def test_what_is_not_a_vector_is_one_value_of_32_bits(points):
    for name in names_of(points):
        row = points.index(name)
        expected = VECTORS.get(name, (1, TYPE_I32))
        assert (points.counts[row], points.types[row]) == expected, name


def test_units_are_in_the_names(points):
    suffixes = {"_mv": "mV", "_ma": "mA", "_mah": "mAh", "_dc": "0.1C", "_bp": "0.01%",
                "_ms": "ms", "_us": "us", "_s": "s", "_w": "W", "_wh": "Wh", "_h": "h",
                "_mwh": "mWh", "_uohm": "uohm"}  # fmt: skip
    for name in names_of(points):
        unit = points.units.name(points.index(name))
        for suffix, meant in suffixes.items():
            if name.endswith(suffix):
                assert unit == meant
                break
        else:
            assert unit in ("-", "bits"), name


def test_what_a_reader_wants_first_comes_first(points):
    """`mbpoll -r 0x0100` shows voltage, current, SoC and limits first (issue 2, deliver 6)."""
    first = names_of(points)[:8]
    for name in (
        "pack_voltage_mv",
        "current_ma",
        "soc_bp",
        "charge_voltage_limit_mv",
        "charge_current_limit_ma",
        "discharge_current_limit_ma",
        "discharge_voltage_limit_mv",
    ):
        assert name in first


def test_measured_points_are_blank_without_a_measurement():
    paths = {row[0]: row[4] for row in rows(ROWS)}
    assert {name for name, path in paths.items() if path in ("fast", "slow")} == set(MEASURED)


def test_every_value_has_a_place_of_its_own(points):
    places = []
    for row in range(len(points)):
        places.extend(range(points.offsets[row], points.offsets[row] + points.counts[row]))
    assert sorted(places) == list(range(len(points.live)))


def test_blocks_are_contiguous_and_in_this_order(points):
    ends = {
        "fast": points.blank_size,
        "live": points.fast_size,
        "slow": points.fast_size + points.slow_blank_size,
        "count": len(points.live),
    }
    starts = dict(zip(ends, [0, *ends.values()], strict=False))
    for row, (name, _, _, count, path, _) in enumerate(rows(ROWS)):
        offset = points.offsets[row]
        assert starts[path] <= offset and offset + int(count) <= ends[path], name


def test_every_point_has_a_meaning(points):
    for row in rows(ROWS):
        assert len(row) == 6
        assert row[5]


def test_nothing_is_known_at_first(points):
    assert set(points.live) == {INVALID}


def test_a_name_that_is_not_there_is_refused(points):
    for look_up in (points.index, points.offset):
        with pytest.raises(UnknownName):
            look_up("pack_voltage")


def test_states_have_names():
    assert len(STATES) == len(set(STATES)) == 10


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_a_snapshot_is_a_copy_of_everything(fast, slow):
    points = Points()
    snapshot = points.new_snapshot()
    points.publish_fast(memoryview(array("i", [fast] * points.fast_size)))
    points.publish_slow(memoryview(array("i", [slow] * (len(points.live) - points.fast_size))))
    points.show_slow(True)
    points.snapshot_into(memoryview(snapshot))
    points.publish_fast(memoryview(array("i", [7777] * points.fast_size)))
    assert list(snapshot[: points.fast_size]) == [fast] * points.fast_size
    assert set(snapshot[points.fast_size :]) == {slow}


def test_blanking_the_slow_values_leaves_what_rests_on_no_measurement(points):
    size = len(points.live) - points.fast_size
    points.publish_fast(memoryview(array("i", [1] * points.fast_size)))
    points.publish_slow(memoryview(array("i", [2] * size)))
    points.show_slow(False)
    blank = [name for name in names_of(points) if points.live[points.offset(name)] == INVALID]
    assert set(blank) == {
        "soc_bp", "remaining_mah", "soc_estimate_bp", "soc_sigma_bp", "soc_quality",
    }  # fmt: skip


def test_what_the_slow_path_hands_over_is_shown_by_the_next_step_only(points):
    size = len(points.live) - points.fast_size
    points.publish_slow(memoryview(array("i", [2] * size)))
    assert set(points.live[points.fast_size :]) == {INVALID}
    points.show_slow(True)
    assert set(points.live[points.fast_size :]) == {2}


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_snapshot_of_another_size_is_refused(points, size):
    if size == len(points.live):
        return
    with pytest.raises(ValueError):
        points.snapshot_into(memoryview(array("i", [0] * size)))
