"""The cases of the benchmark: every estimator, recording and model, start and sensor; and how one
is run. Results are kept by what they depend on, so that an interrupted run goes on, and a change
of an estimator runs only its own cases again."""

import functools
import hashlib
import importlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from cellsteward import ROOT
from host_tests.bench.soc import baselines, kalman
from host_tests.bench.soc.recordings import Recording, model, pairs, rows_of
from host_tests.bench.soc.score import MINUS, PERFECT, PLUS, STRESS, figures, run, run_together

ESTIMATORS = {
    "counting": baselines.CoulombCounting,
    "rest": baselines.RestOverwrite,
    "ekf": kalman.Kalman,
    "ekf-bias": kalman.inflated_kalman,
    "ours": "host_tests.bench.soc.ours:Ours",
}
BATCHED = ("ekf", "ekf-bias")
SENSORS = {"none": PERFECT, "plus": PLUS, "minus": MINUS, "stress": STRESS}
STARTS = (0.0, -0.3, 0.3, -0.6, 0.6)
_FITS = 0.05  # a start may be cut off by so much at empty and full
_STRESS_MAX_MAH = 5000  # 50 mA is nothing to a larger cell
_DEVICE = ("soc", "soc_filter", "cell_voltage", "cell_model")


@dataclass(frozen=True)
class Case:
    """error: of the start, from -1 to 1; start: what the estimator is told."""

    estimator: str
    recording: Recording
    model: str
    error: float
    start: float
    sensors: str

    def key(self):
        """Everything that the result depends on, as a digest."""
        parts = (
            self.estimator,
            code_digest(self.estimator),
            repr(self.recording),
            json.dumps(model(self.model), sort_keys=True),
            f"{self.start:.4f}",
            self.sensors,
        )
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:20]


def factory(name):
    """The maker of an estimator: one of ESTIMATORS, or MODULE:FACTORY."""
    made = ESTIMATORS.get(name, name)
    if not isinstance(made, str):
        return made
    module, _, call = made.partition(":")
    return getattr(importlib.import_module(module), call)


@functools.cache
def code_digest(estimator):
    """Of the code that runs: the baselines', or the device's."""
    here = Path(__file__).parent
    module = "kalman.py" if estimator in BATCHED else "baselines.py"
    paths = [here / "score.py", here / module]
    if estimator == "ours":
        lib = ROOT / "firmware" / "lib" / "bms"
        tools = ROOT / "tools" / "cellsteward"
        paths = [here / "score.py", tools / "soc_kernel.py"]
        paths += [lib / f"{name}.py" for name in _DEVICE]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def starts_of(truth):
    """The starting errors that fit between empty and full, as (error, start)."""
    kept = []
    for error in STARTS:
        start = truth + error
        if -_FITS <= start <= 1 + _FITS:
            kept.append((error, min(1.0, max(0.0, start))))
    if truth < 0.25:
        kept.append((1 - truth, 1.0))
    return kept


def cases(estimators, sensors, groups=None, only=None):
    """The cases that make sense: a perfect sensor and 50 mA of offset only where they say more."""
    for recording, model_name in pairs():
        if groups and recording.group not in groups:
            continue
        if only and only.lower() not in (recording.name + model_name).lower():
            continue
        for error, start in starts_of(float(rows_of(recording).truth[0])):
            for sensor in sensors:
                if sensor == "none" and error and len(sensors) > 1:
                    continue
                if sensor == "stress" and not (
                    error and recording.group == "lfp" and recording.capacity_mah < _STRESS_MAX_MAH
                ):
                    continue
                for estimator in estimators:
                    yield Case(estimator, recording, model_name, error, start, sensor)


def groups(work):
    """Cases that are run together: those of a batched estimator on one recording and model."""
    batches = {}
    for case in work:
        alone = case if case.estimator not in BATCHED else None
        key = (case.estimator, case.recording, case.model, alone)
        batches.setdefault(key, []).append(case)
    return list(batches.values())


def some(batch):
    """(case, figures) of cases that run together. Baselines are told whether their start is
    right; ours is not."""
    first = batch[0]
    rows = rows_of(first.recording)
    capacity_mah = first.recording.capacity_mah
    cell = model(first.model)
    make = factory(first.estimator)
    starts = [case.start for case in batch]
    sigmas = [0.3 if case.error else 0.03 for case in batch]
    began = time.process_time()
    if first.estimator in BATCHED:
        sensors = [SENSORS[case.sensors] for case in batch]
        answers = run_together(
            make(cell, capacity_mah, starts, sigmas), rows, sensors, capacity_mah
        )
        columns = list(zip(*(column.T for column in answers), strict=True))
    else:
        estimator = make(cell, capacity_mah, starts[0], sigmas[0])
        columns = [run(estimator, rows, SENSORS[first.sensors], capacity_mah)]
    spent_s = (time.process_time() - began) / len(batch)
    results = [figures(rows, *column) for column in columns]
    return [(case, {**r, "cpu_s": spent_s}) for case, r in zip(batch, results, strict=True)]
