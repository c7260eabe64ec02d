"""What is scored: parts of measured logs with their true state of charge, and who may score them.

The measured files are no part of the repository: the folder is named by CELLSTEWARD_DATA, or is
`../shared/data` beside the checkout. No file is scored with a model that was made from it: MODELS
says what each was made from, `pairs()` leaves out the rest.
"""

import functools
import importlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellsteward import ROOT
from cellsteward.cell_fit import fit
from cellsteward.logs import read_log
from cellsteward.ocv_test import read_ocv_test

CACHE = ROOT / ".run" / "bench-soc"


def data_folder():
    """Folder of the measured files; may not exist."""
    return Path(os.environ.get("CELLSTEWARD_DATA", ROOT / ".." / "shared" / "data"))


def path_of(file):
    """Where a measured file is, or a computed day (host_tests/bench/soc/days.py)."""
    return (CACHE if file.startswith("pybamm_") else data_folder()) / file


@dataclass(frozen=True)
class Recording:
    """Rows of `file` from where the truth first reaches `first` until it first reaches `last`.

    counted: the truth is counted from a full start with capacity_mah, because that of the file is
    known to be wrong (README of the data); else it is the file's soc_ref.
    """

    name: str
    file: str
    group: str  # lfp, high-rate, nmc, nca, days
    capacity_mah: int
    first: float | None = None
    last: float | None = None
    counted: bool = False


RECORDINGS = (
    Recording("A123 ESC 15 degC 80-25 %", "lfp_a123_esc_dyn_15C.csv", "lfp", 2050, 0.80, 0.25),
    Recording("A123 ESC 35 degC 80-25 %", "lfp_a123_esc_dyn_35C.csv", "lfp", 2050, 0.80, 0.25),
    Recording("A123 M1B UDDS 25 degC", "lfp_a123m1b_udds_25C.csv", "lfp", 2433, 0.85),
    Recording("Berkeley mixed 25 degC", "lfp_berkeley_ccmix_25C.csv", "lfp", 1200),
    Recording("Berkeley 25 h 20-80 %", "lfp_berkeley_flat_25C.csv", "lfp", 1200),
    Recording("CALCE A123 DST 20 degC", "lfp_calce_a123_dst_20C.csv", "lfp", 1042, 0.85),
    Recording("EVE 280 pulses 20-95 %", "lfp_eve280_hppc_chg.csv", "lfp", 281400, 0.20, 0.95),
    Recording("A123 M1B FSAE (6C) 25 degC", "lfp_a123m1b_fsae_25C.csv", "high-rate", 2433),
    Recording("LG HG2 mixed 25 degC", "nmc_lghg2_mixed7_25C.csv", "nmc", 2781, counted=True),
    Recording("LG HG2 US06 25 degC", "nmc_lghg2_us06_25C.csv", "nmc", 2781, counted=True),
    Recording("Panasonic NCA drive 25 degC", "nca_pan18650pf_cycle1_25C.csv", "nca", 2900),
    Recording("PyBaMM home, 7 days 15-85 %", "pybamm_lfp_home.csv", "days", 280_000),
    Recording("PyBaMM winter, 3 days 0 degC", "pybamm_lfp_winter.csv", "days", 280_000),
    Recording("PyBaMM LFP drive", "pybamm_lfp_drive.csv", "days", 280_000),
    Recording("PyBaMM NMC drive", "pybamm_nmc_drive.csv", "days", 50_000),
)

# name: slow test, logs, capacity in mAh
FITTED = {
    "fit A123 ESC 15": ("lfp_a123_esc_slow_ocv.csv", ("lfp_a123_esc_dyn_15C.csv",), 2050),
    "fit A123 ESC 35": ("lfp_a123_esc_slow_ocv.csv", ("lfp_a123_esc_dyn_35C.csv",), 2050),
    "fit A123 M1B FSAE": ("lfp_a123_esc_slow_ocv.csv", ("lfp_a123m1b_fsae_25C.csv",), 2433),
    "fit A123 M1B UDDS": ("lfp_a123_esc_slow_ocv.csv", ("lfp_a123m1b_udds_25C.csv",), 2433),
    "fit Berkeley mixed": ("lfp_berkeley_ocv.csv", ("lfp_berkeley_ccmix_25C.csv",), 1200),
    "fit Berkeley 25 h": ("lfp_berkeley_ocv.csv", ("lfp_berkeley_flat_25C.csv",), 1200),
    "fit PyBaMM LFP": ("pybamm_lfp_slow.csv", ("pybamm_lfp_pulses.csv",), 280_000),
    "fit PyBaMM NMC": ("pybamm_nmc_slow.csv", ("pybamm_nmc_pulses.csv",), 50_000),
    "Panasonic C/20, no log": ("nca_pan18650pf_c20_25C.csv", (), 2900),
    "EVE 280 table, no log": ("lfp_eve280_ocv.csv", (), 281400),
}
GENERIC = {"generic lfp": "lfp", "generic nmc": "nmc", "generic nca": "nca"}
MADE_FROM = {
    **{name: {ocv, *logs} for name, (ocv, logs, _) in FITTED.items()},
    "generic lfp": {"lfp_berkeley_ocv.csv"},
    "generic nmc": set(),
    "generic nca": set(),
}
# The models that suit each recording: the same cell or make fitted on another file, and generic.
SUITED = {
    "lfp_a123_esc_dyn_15C.csv": ("fit A123 ESC 35", "generic lfp"),
    "lfp_a123_esc_dyn_35C.csv": ("fit A123 ESC 15", "generic lfp"),
    "lfp_a123m1b_udds_25C.csv": ("fit A123 M1B FSAE", "fit A123 ESC 15", "generic lfp"),
    "lfp_berkeley_ccmix_25C.csv": ("fit Berkeley 25 h", "generic lfp"),
    "lfp_berkeley_flat_25C.csv": ("fit Berkeley mixed", "generic lfp"),
    "lfp_calce_a123_dst_20C.csv": ("fit A123 ESC 35", "generic lfp"),
    "lfp_eve280_hppc_chg.csv": ("EVE 280 table, no log", "generic lfp"),
    "lfp_a123m1b_fsae_25C.csv": ("fit A123 M1B UDDS", "generic lfp"),
    "nmc_lghg2_mixed7_25C.csv": ("generic nmc",),
    "nmc_lghg2_us06_25C.csv": ("generic nmc",),
    "nca_pan18650pf_cycle1_25C.csv": ("Panasonic C/20, no log", "generic nca"),
    "pybamm_lfp_home.csv": ("fit PyBaMM LFP",),
    "pybamm_lfp_winter.csv": ("fit PyBaMM LFP",),
    "pybamm_lfp_drive.csv": ("fit PyBaMM LFP",),
    "pybamm_nmc_drive.csv": ("fit PyBaMM NMC",),
}


@dataclass
class Rows:
    """A recording as the sensors would see it without error; `truth` from 0 to 1."""

    t_s: np.ndarray
    current_a: np.ndarray
    voltage_v: np.ndarray
    temperature_c: np.ndarray
    truth: np.ndarray


@functools.lru_cache(maxsize=8)
def rows_of(recording):
    """The rows of a recording, without holes."""
    log = read_log(path_of(recording.file))
    table = np.array([log.t_s, log.current_a, log.voltage_v, log.temperature_c, log.soc_ref])
    table = table[:, ~np.isnan(table).any(axis=0)]
    if recording.counted:
        step_s = np.diff(table[0], prepend=table[0][0])
        table[4] = 1 + np.cumsum(table[1] * step_s) / 3.6 / recording.capacity_mah
    start, end = 0, len(table[0])
    if recording.first is not None:
        start = _crossing(table[4], recording.first, 0)
    if recording.last is not None:
        end = _crossing(table[4], recording.last, start)
    return Rows(*table[:, start:end])


def _crossing(truth, level, start):
    """First index from `start` where the truth has reached the level, from either side."""
    part = truth[start:]
    side = np.sign(part[0] - level)
    there = np.flatnonzero(np.sign(part - level) != side)
    return start + (int(there[0]) if len(there) else len(part) - 1)


@functools.cache
def model(name):
    """The cell dictionary of a model; a fit is made once and kept in CACHE."""
    if name in GENERIC:
        return importlib.import_module("cells." + GENERIC[name]).CELL
    kept = CACHE / (name.replace(" ", "_") + ".json")
    if kept.exists():
        return json.loads(kept.read_text())
    ocv, logs, capacity_mah = FITTED[name]
    made = fit(
        read_ocv_test(path_of(ocv)),
        [read_log(path_of(log)) for log in logs],
        name,
        ", ".join((ocv, *logs)),
        chemistry=next(kind for kind in ("lfp", "nmc", "nca") if kind in ocv),
        capacity_mah=capacity_mah,
    ).cell
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(made))
    return made


def pairs():
    """Recordings that are here, with the models that may score them: never one made from the same
    file."""
    for recording in RECORDINGS:
        if not path_of(recording.file).exists():
            continue
        for name in SUITED[recording.file]:
            if recording.file not in MADE_FROM[name]:
                yield recording, name
