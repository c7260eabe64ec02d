"""The judge of `make limits-board`: what it takes for a trip, and how it counts."""

import itertools

from host_tests.bench.limits_board import Watch, write_load
from host_tests.bms.limits_day import HOT


def status(t_s, ccl_ma=90000, faults=(), soc_bp=5000):
    points = {
        "state": "active",
        "faults": list(faults),
        "soc_bp": soc_bp,
        "charge_phase": 0,
        "charge_limit_reason": 3,
        "discharge_limit_reason": 3,
        "charge_current_limit_ma": ccl_ma,
        "discharge_current_limit_ma": 0,
        "charge_voltage_limit_mv": 56000,
    }
    truth = {"current_ma": 36000, "cell_voltage_mv": [3300, 3310], "temperature_dc": [200, 210],
             "soc_bp": 5000}  # fmt: skip
    return {"t_s": t_s, "points": points, "truth": truth}


def watched(*statuses):
    watch = Watch()
    for each in statuses:
        watch.take(each)
    return watch


def test_a_fault_is_a_trip_where_something_was_offered_the_second_before():
    for fault, ccl_ma, trips in (
        ("cell_overvoltage", 90000, 1),
        ("cell_overvoltage", 0, 0),
        ("cell_undervoltage", 90000, 0),  # no discharge was offered
        ("overtemperature_discharge", 90000, 0),
    ):
        watch = watched(status(100, ccl_ma), status(101, 0, [fault]), status(102, 0, [fault]))
        assert len(watch.trips) == trips
        assert watch.others == (set() if trips else {fault})


def test_the_start_is_not_judged():
    assert watched(status(1, 0, ["not_measured"]), status(60)).seconds == 1


def test_changes_of_direction_and_steps_are_counted():
    levels = itertools.islice(itertools.cycle((50000, 51000)), 3600)
    watch = watched(*(status(100 + second, level) for second, level in enumerate(levels)))
    assert watch.most_turns["CCL"] == 3598
    assert watch.steps["CCL"] == [1000, 1000]
    assert watch.most_turns["DCL"] == 0
    assert watch.charged_as == 36 * 3600
    assert watch.row("a")[2] == "36 / 0"


def test_the_load_is_the_days_sun_less_its_use(tmp_path):
    path = write_load(tmp_path / "load.csv", HOT, 1)
    rows = [line.split(",") for line in open(path).read().splitlines()[1:]]
    assert rows[0][0] == "0"
    amperes = [float(row[1]) for row in rows]
    noon, evening = amperes[6 * 180 : 7 * 180], amperes[12 * 180 : 15 * 180]
    assert 40 < max(noon) <= 90
    assert min(evening) == -135  # 0.9 of the capacity, and a kettle
