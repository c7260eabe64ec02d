"""`python -m host_tests.bench.soc --quick`: how well an estimator does on every shared file.

--estimator MODULE:FACTORY scores another than the device's own: a call
FACTORY(cell, capacity_mah, start, sigma) gives an object with `step` (score.py).
"""

import argparse
import importlib
import multiprocessing
import os
import statistics
import sys
import time

from host_tests.bench.soc import baselines
from host_tests.bench.soc.recordings import data_folder, model, pairs, rows_of
from host_tests.bench.soc.score import MINUS, PERFECT, PLUS, STRESS, figures, run

NAMED = {
    "counting": baselines.CoulombCounting,
    "rest": baselines.RestOverwrite,
    "ekf": baselines.Kalman,
    "ekf-bias": baselines.inflated_kalman,
    "ours": "host_tests.bench.soc.ours:Ours",
}
SENSORS = {"none": PERFECT, "plus": PLUS, "minus": MINUS, "stress": STRESS}
STARTS = (0.0, -0.3, 0.3, -0.6, 0.6)


def factory(name):
    """The maker of an estimator: one of NAMED, or MODULE:FACTORY."""
    made = NAMED.get(name, name)
    if not isinstance(made, str):
        return made
    module, _, call = made.partition(":")
    return getattr(importlib.import_module(module), call)


def starts_of(truth):
    """The starting errors that fit between empty and full, as (error, start)."""
    kept = []
    for error in STARTS:
        start = truth + error
        if -0.05 <= start <= 1.05:
            kept.append((error, min(1.0, max(0.0, start))))
    if truth < 0.25:
        kept.append((1 - truth, 1.0))
    return kept


def one(task):
    """Figures of one case."""
    name, recording, model_name, error, start, sensors = task
    rows = rows_of(recording)
    estimator = factory(name)(
        model(model_name), recording.capacity_mah, start, 0.3 if error else 0.03
    )
    began = time.process_time()
    result = figures(rows, *run(estimator, rows, SENSORS[sensors], recording.capacity_mah))
    result["cpu_s"] = time.process_time() - began
    return task, result


def tasks(name, sensors, groups, only):
    """All cases of an estimator."""
    for recording, model_name in pairs():
        if groups and recording.group not in groups:
            continue
        if only and only.lower() not in (recording.name + model_name).lower():
            continue
        truth = float(rows_of(recording).truth[0])
        for error, start in starts_of(truth):
            yield name, recording, model_name, error, start, sensors


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="print one table, write nothing")
    parser.add_argument("--estimator", default="ours")
    parser.add_argument("--sensors", default="plus", choices=list(SENSORS))
    parser.add_argument("--group", action="append", help="lfp, high-rate, nmc, nca, sodium")
    parser.add_argument("--only", help="part of the name of a recording or model")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if not data_folder().is_dir():
        sys.exit(f"the measured files are not at {data_folder()}; set CELLSTEWARD_DATA")
    work = list(tasks(options.estimator, options.sensors, options.group, options.only))
    for _, _, model_name, *_ in work:
        model(model_name)
    os.nice(5)
    done = []
    with multiprocessing.Pool(options.jobs) as pool:
        for task, result in pool.imap(one, work):
            _, recording, model_name, error, *_ = task
            good = "never" if result["good_min"] is None else f"{result['good_min']:5.0f}"
            print(
                f"{recording.name:27s} {model_name:24s} start {100 * error:+4.0f} %  "
                f"rmse {result['rmse']:5.2f} max {result['max']:5.1f}  after 1 h "
                f"{result['rmse_1h']:5.2f} {result['max_1h']:5.1f}  below 5 % after {good} min  "
                f"2 sigma {100 * result['covered']:3.0f} %  {result['cpu_s']:4.1f} s",
                flush=True,
            )
            done.append((task, result))
    for wrong in (False, True):
        lfp = [r for t, r in done if t[1].group == "lfp" and bool(t[3]) == wrong]
        if lfp:
            print(
                f"LFP, {'wrong' if wrong else 'right'} start, after 1 h: RMSE median "
                f"{statistics.median(r['rmse_1h'] for r in lfp):.2f} worst "
                f"{max(r['rmse_1h'] for r in lfp):.2f}, maximum median "
                f"{statistics.median(r['max_1h'] for r in lfp):.1f} worst "
                f"{max(r['max_1h'] for r in lfp):.1f}; whole maximum worst "
                f"{max(r['max'] for r in lfp):.1f}; within 2 sigma "
                f"{100 * statistics.mean(r['covered'] for r in lfp):.0f} %"
            )


if __name__ == "__main__":
    main()
