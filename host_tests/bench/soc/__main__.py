"""The state-of-charge benchmark.

    python -m host_tests.bench.soc            everything, into docs/ (make bench-soc)
    python -m host_tests.bench.soc --quick    the device's estimator only; prints, writes nothing

--estimator MODULE:FACTORY scores another one: FACTORY(cell, capacity_mah, start, sigma) gives an
object with `step` (score.py).
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time

from host_tests.bench.soc import docs
from host_tests.bench.soc.cases import ESTIMATORS, SENSORS, cases, groups, some
from host_tests.bench.soc.recordings import CACHE, data_folder, model, rows_of

_KEPT = CACHE / "results.jsonl"


def kept_results():
    """Results of earlier runs by key; a torn last line is dropped."""
    kept = {}
    if _KEPT.exists():
        for line in _KEPT.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            kept[entry["key"]] = entry["result"]
    return kept


def run_all(work, jobs, say):
    """(case, result) of all cases; those that were run before are taken from there."""
    for name in {case.model for case in work}:
        model(name)
    kept = kept_results()
    done = [(case, kept[case.key()]) for case in work if case.key() in kept]
    left = [case for case in work if case.key() not in kept]
    batches = groups(left)
    # The longest first, so that no process is left alone with one at the end.
    batches.sort(key=lambda batch: -len(rows_of(batch[0].recording).t_s))
    began = time.monotonic()
    CACHE.mkdir(parents=True, exist_ok=True)
    count = 0
    with multiprocessing.Pool(jobs) as pool, _KEPT.open("a") as file:
        for results in pool.imap_unordered(some, batches):
            for case, result in results:
                file.write(json.dumps({"key": case.key(), "result": result}) + "\n")
                done.append((case, result))
            file.flush()
            count += len(results)
            say(count, len(left), time.monotonic() - began)
    return done


def tell_progress(count, total, passed_s):
    """One line that is written over on a terminal, else a line each."""
    line = f"{count} of {total} cases, {passed_s / 60:.1f} min"
    if sys.stderr.isatty():
        print(f"\r{line} ", end="", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)


def tell_result(case, result):
    """A line for --quick."""
    good = "never" if result["good_min"] is None else f"{result['good_min']:5.0f}"
    print(
        f"{case.recording.name:27s} {case.model:22s} start {100 * case.error:+4.0f} %  "
        f"rmse {result['rmse']:5.2f} max {result['max']:5.1f}  after 1 h "
        f"{result['rmse_1h']:5.2f} {result['max_1h']:5.1f}  below 5 % after {good} min  "
        f"2 sigma {100 * result['covered']:3.0f} %  {result['cpu_s']:4.1f} s",
        flush=True,
    )


def quick(options):
    """Print the figures of one estimator."""
    work = list(cases([options.estimator], [options.sensors], options.group, options.only))
    for case in work:
        model(case.model)
    done = []
    with multiprocessing.Pool(options.jobs) as pool:
        for results in pool.imap(some, groups(work)):
            for case, result in results:
                tell_result(case, result)
                done.append((case, result))
    for wrong in (False, True):
        lfp = [r for c, r in done if c.recording.group == "lfp" and bool(c.error) == wrong]
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


def main():
    parser = argparse.ArgumentParser(description="State-of-charge benchmark.")
    parser.add_argument("--quick", action="store_true", help="print one table, write nothing")
    parser.add_argument("--estimator", default="ours")
    parser.add_argument("--sensors", default="plus", choices=list(SENSORS))
    parser.add_argument("--group", action="append", help="lfp, high-rate, nmc, nca, days")
    parser.add_argument("--only", help="part of the name of a recording or model")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if not data_folder().is_dir():
        sys.exit(f"the measured files are not at {data_folder()}; set CELLSTEWARD_DATA")
    os.nice(5)
    if options.quick:
        quick(options)
        return
    from host_tests.bench.soc.days import DAYS, make

    for day in DAYS:
        print(f"day: {make(day).name}", file=sys.stderr, flush=True)
    work = list(cases(list(ESTIMATORS), list(SENSORS), options.group, options.only))
    print(f"{len(work)} cases", file=sys.stderr)
    docs.write(run_all(work, options.jobs, tell_progress))


if __name__ == "__main__":
    main()
