"""Loads: a household's day, recorded files read line by line, what is wrong with a bad file."""

import os
import pathlib

import pytest

from boards.sim.load import ConstantLoad, CsvLoad, HouseholdDay, LoadFileError

DAY = 86400
DATA = pathlib.Path(
    os.environ.get("CELLSTEWARD_DATA") or pathlib.Path(__file__).parents[3] / "shared" / "data"
)


def hours(load, first, last):
    """Mean current between two hours of the first day."""
    values = [load.demand_a(t_s) for t_s in range(first * 3600, last * 3600, 60)]
    return sum(values) / len(values)


def write(folder, text):
    path = folder / "load.csv"
    path.write_text(text)
    return str(path)


def test_a_household_draws_at_night_charges_at_noon_and_peaks_in_the_evening():
    assert -10 < hours(HouseholdDay(), 0, 5) < -3
    assert 20 < hours(HouseholdDay(), 11, 14) < 50
    assert -50 < hours(HouseholdDay(), 18, 20) < -20
    assert hours(HouseholdDay(), 7, 8) < hours(HouseholdDay(), 2, 3)


def test_a_household_day_takes_about_as_much_as_it_gives():
    balance_ah = hours(HouseholdDay(), 0, 24) * 24
    assert abs(balance_ah) < 40  # of 280
    lowest = highest = charge = 0.0
    load = HouseholdDay()
    for t_s in range(0, DAY, 60):
        charge += load.demand_a(t_s) / 60
        lowest, highest = min(lowest, charge), max(highest, charge)
    assert 80 < highest - lowest < 260  # the battery is used, and large enough


def test_a_household_stays_within_the_default_current_limits():
    loads = [HouseholdDay(seed) for seed in range(5)]
    values = [load.demand_a(t_s) for load in loads for t_s in range(0, DAY, 60)]
    assert max(values) < 60  # overcurrent_charge_trip_ma
    assert min(values) > -120  # overcurrent_discharge_trip_ma


def test_days_repeat_and_seeds_differ():
    load, other = HouseholdDay(3), HouseholdDay(4)
    day = [load.demand_a(t_s) for t_s in range(0, DAY, 600)]
    assert [load.demand_a(DAY + t_s) for t_s in range(0, DAY, 600)] == day
    assert [HouseholdDay(3).demand_a(t_s) for t_s in range(0, DAY, 600)] == day
    assert [other.demand_a(t_s) for t_s in range(0, DAY, 600)] != day


def test_a_day_may_start_at_any_minute_and_scales_with_the_cells():
    assert HouseholdDay(1, start_minute=720).demand_a(0) == HouseholdDay(1).demand_a(43200)
    small = HouseholdDay(1, capacity_ah=28.0).demand_a(43200)
    assert small == pytest.approx(HouseholdDay(1).demand_a(43200) / 10)


def test_a_constant_load_never_finishes():
    load = ConstantLoad(-3.5)
    assert load.demand_a(1e9) == -3.5
    assert not load.finished


def test_a_row_holds_until_the_next_one_and_the_file_has_an_end(tmp_path):
    load = CsvLoad(write(tmp_path, "t_s,I_A,V_V\n10,1.5,3.3\n12,-2,3.2\n13,4,3.1\n"), scale=10)
    asked = [0, 1.99, 2, 2.9, 3, 4]
    assert [load.demand_a(t_s) for t_s in asked[:4]] == [15, 15, -20, -20]
    assert not load.finished
    assert load.demand_a(3) == 0
    assert load.finished
    assert load.demand_a(1000) == 0


def test_header_names_decide_and_blank_lines_do_not_matter(tmp_path):
    load = CsvLoad(write(tmp_path, "soc_ref, I_A ,T_C,t_s\n1,-7,25,0\n\n1,-8,25,1\n1,0,25,2\n"))
    assert load.demand_a(0) == -7
    assert load.demand_a(1) == -8


def test_a_file_is_read_no_further_than_asked(tmp_path):
    load = CsvLoad(write(tmp_path, "t_s,I_A\n0,1\n1,2\n2,oops\n"))
    assert load.demand_a(0.5) == 1
    with pytest.raises(LoadFileError, match="line 4"):
        load.demand_a(1)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "line 1: the header has no column t_s"),
        ("time,I_A\n0,1\n", "line 1: the header has no column t_s"),
        ("t_s,current\n0,1\n", "line 1: the header has no column I_A"),
        ("t_s,I_A\n", "line 2: no rows after the header"),
        ("t_s,I_A\n0\n", "line 2: t_s and I_A must be numbers, not '0'"),
        ("t_s,I_A\n0,nan\n", "line 2: t_s and I_A must be finite"),
        ("t_s,I_A\n5,1\n4,1\n", "line 3: t_s goes back from 5.0 to 4.0"),
    ],
)
def test_a_bad_file_is_named_with_its_line_and_its_mistake(tmp_path, text, what):
    path = write(tmp_path, text)
    with pytest.raises(LoadFileError) as failure:
        CsvLoad(path).demand_a(0)
    assert str(failure.value).startswith(f"{path}, {what}")


def test_a_missing_file_says_so():
    with pytest.raises(LoadFileError, match=r"nowhere\.csv: there is no such file"):
        CsvLoad("nowhere.csv")


@pytest.mark.parametrize("path", sorted(DATA.glob("lfp_*.csv")), ids=lambda path: path.name)
def test_recorded_files_play_to_their_end(path):
    with path.open() as file:
        names = file.readline().strip().split(",")
        rows = [line.split(",") for line in file]
    if "t_s" not in names:
        with pytest.raises(LoadFileError, match="no column t_s"):
            CsvLoad(str(path))
        return
    load = CsvLoad(str(path), scale=2.0)
    times_s = [float(row[names.index("t_s")]) for row in rows]
    for place in range(0, len(rows) - 1, max(1, len(rows) // 2000)):
        between_s = (times_s[place] + times_s[place + 1]) / 2 - times_s[0]
        expected_a = 2 * float(rows[place][names.index("I_A")])
        if times_s[place + 1] - times_s[place] > 1e-3:
            assert load.demand_a(between_s) == pytest.approx(expected_a)
    load.demand_a(times_s[-1] - times_s[0])
    assert load.finished


def test_recorded_files_are_there():
    if not list(DATA.glob("lfp_*.csv")):
        pytest.skip(f"no lfp_*.csv in {DATA}: set CELLSTEWARD_DATA to their folder")
