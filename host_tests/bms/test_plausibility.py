"""What a measurement says: its ends, its extremes, and which sense wire is open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.table import INVALID
from host_tests.bms.bench import Bench
from host_tests.bms.test_measurement import heal, started


def broken_lead(bench, lead, shift_mv):
    """An open sense wire: the cell below it reads too little by what the one above has more."""
    bench.chip.cell_mv[lead - 1] -= shift_mv
    bench.chip.cell_mv[lead] += shift_mv


@pytest.mark.parametrize("lead", [1, 2, 3])
@pytest.mark.parametrize("shift_mv", [3100, -3100])
def test_an_open_sense_wire_names_its_lead(lead, shift_mv):
    bench = started()
    broken_lead(bench, lead, shift_mv)
    bench.run(600)
    assert bench.faults() == {"cell_wire_open"}
    assert bench.point("suspect_lead") == lead
    heal(bench.chip)
    bench.run(5200)
    assert bench.faults() == set()
    assert bench.point("suspect_lead") == -1


@pytest.mark.parametrize(("sum_error_mv", "fault"), [
    (600, "cell_wire_open"), (-600, "cell_wire_open"),
    (1204, "measurement_implausible"), (-1204, "measurement_implausible"),
])  # fmt: skip
def test_neighbours_that_do_not_share_what_one_lacks_are_no_open_wire(sum_error_mv, fault):
    """The two together still have the mean of the pack, 300 mV a cell at most away from it."""
    bench = started()
    broken_lead(bench, 2, 3100)
    bench.chip.cell_mv[2] += sum_error_mv
    bench.run(600)
    assert bench.faults() == {fault}
    assert (bench.point("suspect_lead") >= 0) == (fault == "cell_wire_open")


def test_cells_that_are_no_neighbours_are_no_open_wire():
    bench = started()
    bench.chip.cell_mv[0] -= 3100
    bench.chip.cell_mv[2] += 3100
    bench.run(600)
    assert bench.faults() == {"measurement_implausible"}
    assert bench.point("suspect_lead") == -1


@pytest.mark.parametrize(("place", "limits"), [
    ("cell", (300, 5000)), ("board", (-400, 1500)), ("chip", (-400, 1500)),
    ("current", (-999999, 999999)), ("stack", (1200, 20000)),
])  # fmt: skip
@pytest.mark.parametrize("end", [0, 1])
def test_the_ends_of_what_is_plausible_are_measured(place, limits, end):
    bench = started()
    beyond = limits[end] + (1 if end else -1)
    for value, measured in ((limits[end], True), (beyond, False)):
        if place == "cell":
            bench.chip.set_cells(value)
        elif place == "board":
            bench.chip.board_temperature_dc = value
        elif place == "chip":
            bench.chip.chip_temperature_dc = value
        elif place == "current":
            bench.chip.current_ma = value
        else:
            bench.chip.stack_error_mv = value - 4 * 3300
        bench.step()
        bench.run(600)
        assert ("measurement_implausible" in bench.faults()) != measured


def test_points_say_which_cell_and_sensor_are_the_extremes():
    bench = started()
    bench.chip.cell_mv[0:4] = [3310, 3290, 3350, 3290]
    bench.chip.temperature_dc[0:2] = [251, 249]
    bench.chip.board_temperature_dc = 312
    bench.chip.current_ma = -50000
    bench.step()
    expected = {
        "pack_voltage_mv": 13240,
        "current_ma": -50000,
        "power_w": -662,
        "cell_min_mv": 3290,
        "cell_max_mv": 3350,
        "cell_min_index": 1,
        "cell_max_index": 2,
        "cell_delta_mv": 60,
        "temperature_min_dc": 249,
        "temperature_max_dc": 251,
        "board_temperature_dc": 312,
    }
    assert {name: bench.point(name) for name in expected} == expected
    assert [bench.point("cell_voltage_mv", index) for index in range(5)] == [
        3310, 3290, 3350, 3290, INVALID,
    ]  # fmt: skip
    assert [bench.point("temperature_dc", index) for index in range(3)] == [251, 249, INVALID]


@given(
    cells=st.one_of(
        st.lists(st.integers(2000, 5000), min_size=3, max_size=16),
        st.lists(st.integers(3300, 3302), min_size=3, max_size=16),
    ),
    current_ma=st.integers(-999999, 999999),
)
def test_every_plausible_measurement_is_shown_as_it_is(cells, current_ma):
    bench = Bench(series_cells=len(cells))
    bench.chip.cell_mv[:] = cells
    bench.chip.current_ma = current_ma
    bench.run(800)
    assert [bench.point("cell_voltage_mv", i) for i in range(len(cells))] == cells
    assert bench.point("pack_voltage_mv") == sum(cells)
    assert bench.point("current_ma") == current_ma
    assert bench.point("cell_min_mv") == min(cells) == cells[bench.point("cell_min_index")]
    assert bench.point("cell_max_mv") == max(cells) == cells[bench.point("cell_max_index")]
    power_w = sum(cells) * current_ma / 1000000
    # Shown rounded, to about one in a thousand
    assert abs(bench.point("power_w") - power_w) <= 2 + abs(power_w) / 500
