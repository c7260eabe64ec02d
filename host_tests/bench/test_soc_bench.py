"""The benchmark of the state of charge: it scores rightly, its baselines are no straw men, nothing
is scored with a model that was made from it, and the page shows what was found."""

import importlib
import json

import numpy as np
import pytest

from cellsteward.cell_voltage import Track, predict
from cellsteward.generated_docs import with_parts
from host_tests.bench.soc import docs
from host_tests.bench.soc.baselines import CoulombCounting, RestOverwrite
from host_tests.bench.soc.cases import ESTIMATORS, SENSORS, cases, groups, starts_of
from host_tests.bench.soc.kalman import Kalman, inflated_kalman
from host_tests.bench.soc.recordings import FITTED, MADE_FROM, SUITED, Rows, data_folder
from host_tests.bench.soc.score import Sensors, figures, run, run_together

CAPACITY_MAH = 100_000
measured = pytest.mark.skipif(not data_folder().is_dir(), reason="the measured files are not here")


def cell(name):
    return importlib.import_module("cells." + name).CELL


def made_up(name, hours=3.0, start=0.8):
    """A log whose voltage is the cell's own: steps of -0.4C, 0.2C and rest, 7.5 minutes each."""
    seconds = int(hours * 3600)
    t_s = np.arange(seconds, dtype=float)
    program = np.array([-40.0, 20.0, -40.0, 0.0])
    current = program[(t_s // 450).astype(int) % 4]
    soc = start + np.cumsum(current) / 3.6 / CAPACITY_MAH
    warm = np.full(seconds, 25.0)
    voltage = predict(cell(name), Track(1.0, t_s, current, t_s, warm, soc), CAPACITY_MAH)
    return Rows(t_s, current, voltage, warm, soc)


def test_figures_are_those_of_the_definition():
    rows = Rows(*[np.arange(0.0, 7201.0, 1200.0)] * 4, np.full(7, 0.5))
    estimate = np.array([0.8, 0.6, 0.56, 0.54, 0.519, 0.50, 0.51])
    sigma = np.array([0.1, 0.1, 0.01, 0.03, 0.01, 0.01, 0.01])
    result = figures(rows, estimate, sigma)
    assert result["max"] == pytest.approx(30)
    assert result["rmse"] == pytest.approx(np.sqrt((900 + 100 + 36 + 16 + 1.9**2 + 0 + 1) / 7))
    assert result["max_1h"] == pytest.approx(1.9)  # rows at 80, 100 and 120 minutes
    assert result["rmse_1h"] == pytest.approx(np.sqrt((1.9**2 + 0 + 1) / 3))
    assert result["good_min"] == pytest.approx(60)
    assert result["covered"] == pytest.approx(5 / 7)


def test_counting_is_wrong_by_the_offset_and_the_guess():
    rows = made_up("nmc")
    offset = Sensors("offset", offset_c=0.01)
    estimate, _ = run(CoulombCounting({}, CAPACITY_MAH, 0.9, 0.1), rows, offset, CAPACITY_MAH)
    assert estimate[-1] - rows.truth[-1] == pytest.approx(0.1 + 0.03, abs=0.001)


def test_an_overwrite_waits_for_ten_minutes_of_rest():
    rows = made_up("nmc")
    rows.current_a[:] = 0
    rows.voltage_v[:] = predict(
        cell("nmc"),
        Track(1.0, rows.t_s, rows.current_a, rows.t_s, rows.temperature_c, np.full(10800, 0.7)),
        CAPACITY_MAH,
    )
    perfect = SENSORS["none"]
    estimate, _ = run(
        RestOverwrite(cell("nmc"), CAPACITY_MAH, 0.2, 0.3), rows, perfect, CAPACITY_MAH
    )
    assert estimate[598] == pytest.approx(0.2)
    assert estimate[601] == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("make", [Kalman, inflated_kalman])
def test_a_kalman_filter_finds_a_steep_curve_from_a_wrong_guess(make):
    rows = made_up("nmc")
    estimate, sigma = run_together(
        make(cell("nmc"), CAPACITY_MAH, [0.5, 0.8], [0.3, 0.03]),
        rows,
        [SENSORS["plus"], SENSORS["none"]],
        CAPACITY_MAH,
    )
    assert abs(estimate[-1, 0] - rows.truth[-1]) < 0.02
    assert abs(estimate[-1, 1] - rows.truth[-1]) < 0.01
    assert np.all(sigma > 0)


def test_cases_that_run_together_give_what_each_gives_alone():
    rows = made_up("lfp", hours=0.5)
    both, _ = run_together(
        Kalman(cell("lfp"), CAPACITY_MAH, [0.5, 0.8], [0.3, 0.03]),
        rows,
        [SENSORS["plus"], SENSORS["minus"]],
        CAPACITY_MAH,
    )
    for column, (start, sigma, sensors) in enumerate(((0.5, 0.3, "plus"), (0.8, 0.03, "minus"))):
        alone, _ = run_together(
            Kalman(cell("lfp"), CAPACITY_MAH, start, sigma), rows, [SENSORS[sensors]], CAPACITY_MAH
        )
        assert np.allclose(alone[:, 0], both[:, column], atol=1e-9)


def test_ours_runs_behind_the_same_interface():
    rows = made_up("nmc", hours=1.5)
    made = importlib.import_module("host_tests.bench.soc.ours").Ours
    estimate, sigma = run(
        made(cell("nmc"), CAPACITY_MAH, 0.5, 0.3), rows, SENSORS["plus"], CAPACITY_MAH
    )
    assert abs(estimate[-1] - rows.truth[-1]) < 0.05
    assert np.all(sigma > 0)


def test_no_recording_is_scored_with_a_model_that_was_made_from_it():
    for file, models in SUITED.items():
        for name in models:
            assert file not in MADE_FROM[name]
    for name, (ocv, logs, _) in FITTED.items():
        assert MADE_FROM[name] == {ocv, *logs}


def test_starts_stay_between_empty_and_full_and_include_full_for_a_nearly_empty_cell():
    assert [error for error, _ in starts_of(1.0)] == [0.0, -0.3, -0.6]
    assert (0.8, 1.0) in [(round(error, 3), start) for error, start in starts_of(0.2)]
    assert all(0 <= start <= 1 for truth in (0, 0.1, 0.5, 0.97) for _, start in starts_of(truth))


@measured
def test_every_estimator_meets_every_sensor_and_start():
    work = list(cases(list(ESTIMATORS), list(SENSORS), only="M1B UDDS 25 degCgeneric"))
    assert {case.estimator for case in work} == set(ESTIMATORS)
    assert {case.sensors for case in work} == set(SENSORS)
    assert {case.error for case in work} == {0.0, -0.3, -0.6}
    assert len({case.key() for case in work}) == len(work)
    assert sorted(map(len, groups(work)))[-1] == len(work) // len(ESTIMATORS)


def test_the_page_shows_the_kept_results():
    entries = json.loads(docs.RESULTS.read_text())
    parts = {name: docs.group_table(entries, *rest) for name, _, *rest in docs.GROUPS}
    parts["models"] = docs.models_table()
    parts["each"] = docs.each_table(entries)
    page = docs.PAGE.read_text()
    assert with_parts(page, parts) == page, "run 'python -m host_tests.bench.soc.docs'"
    for name, *_ in docs.PICTURES:
        assert (docs.IMAGES / f"{name}.png").stat().st_size < 150_000
