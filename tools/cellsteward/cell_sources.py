"""Makes the built-in cell models (firmware/lib/cells) from their sources.

    python -m cellsteward.cell_sources --data FOLDER

needs the extra `bench` (PyBaMM holds three of the sources) and a folder with two measured files:
`lfp_berkeley_ocv.csv`, columns soc (percent), V_dis, V_chg, and `naion_hakadi_0c5.csv`, columns
t_s, I_A, V_V. They are the Configuration Set of the repository that comes with Shi et al., arXiv
2507.01173 (MIT), and the static capacity test at C/2 of MaxMax-embedded/hakadi_soidum_ion_18650
(CC0).

Every number that is no table comes from the constants here, each with its source. A built-in model
stands for a whole chemistry: resistance and the place of the graphite steps differ between makers
by more than any of these sources knows, which is what `error_dmv` says.
"""

import argparse
import importlib
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cellsteward import ROOT

CELLS = ROOT / "firmware" / "lib" / "cells"
PERCENT = np.arange(101) / 100
SLOPE_PERCENT = np.arange(0, 101, 5) / 100
CAPACITY_MAH = 100_000  # resistances scale with it; a round number for models of no cell

# A123 26650, measured: 28.5 / 17.2 / 12.2 / 9.68 / 8.40 / 7.53 mohm from -5 to 45 degC; -20 degC
# follows their Arrhenius slope. The other chemistries take the same ratio for want of their own.
_TEMPERATURE_DC = [-200, -50, 50, 150, 250, 350, 450]
_RATIO = [6.0, 2.94, 1.78, 1.26, 1.0, 0.868, 0.778]

_HEAD = '''"""{title}.

Made by `python -m cellsteward.cell_sources`; docs/cell-models.md says what the keys mean.
"""

CELL = {{
'''


class Curves:
    """Open-circuit voltage over PERCENT in volts, its hysteresis, its slope in uV/K."""

    def __init__(self, middle: Any, half_gap: Any, slope_uv: Any) -> None:
        middle = np.maximum.accumulate(middle)
        self.discharge = np.maximum.accumulate(middle - half_gap)
        self.charge = np.maximum.accumulate(middle + half_gap)
        self.slope_uv = slope_uv


def lfp(data: Path) -> tuple[str, dict[str, Any]]:
    table = np.genfromtxt(data / "lfp_berkeley_ocv.csv", delimiter=",", names=True)
    # The graphite steps of that cell lie at 38.5 and 74 %, of an EVE 280 at 33 and 66 %, of A123
    # at 42 and 70 % (estimated from drive logs and rest voltages): the middle of them is taken.
    source_soc = 100 * np.interp(
        PERCENT, [0, 0.10, 0.395, 0.71, 0.97, 1], [0, 0.10, 0.385, 0.74, 0.974, 1]
    )
    discharge = np.interp(source_soc, table["soc"], table["V_dis"])
    charge = np.interp(source_soc, table["soc"], table["V_chg"])
    # Between the branches of a slow test there is polarization, too: rest voltages of LiFePO4
    # differ by +-8 to 12 mV on the plateau; drive logs of A123 cells show 0.8 to 1 of the gap.
    half = np.minimum(0.85 * (charge - discharge) / 2, 0.022)
    # Slow tests of A123 cells at 5 to 45 degC, in steps of 50 uV/K: stage 2 of graphite below and
    # above half lithiation. The ends are too steep to separate from the change of capacity.
    slope = _steps(
        [0, 0.10, 0.15, 0.30, 0.35, 0.40, 0.55, 0.70, 0.85, 1],
        [0, 0, -50, -100, 0, 150, 150, 50, 0, 0],
    )
    return "Generic LiFePO4 and graphite", _cell(
        "lfp",
        "Slow charge and discharge of a 1.2 Ah cell, repository of Shi et al., arXiv 2507.01173 "
        "(MIT), its graphite steps moved to the middle of three makes of cells; resistance "
        "between A123 (20 mohm Ah) and EVE 280 Ah (76 mohm Ah)",
        # Drive logs lie between 2 mV below (this make) and 8 mV above (A123) that curve.
        Curves((charge + discharge) / 2 + 0.003, half, slope),
        milliohm_ah=32,
        branches=[(10, 550), (60, 1050), (300, 450)],
        hysteresis_bp=630,
        error_dmv=80,
    )


def nmc(_data: Path) -> tuple[str, dict[str, Any]]:
    neg, pos, window = _electrodes("Chen2020")
    return "Generic NMC and graphite", _cell(
        "nmc",
        "LG M50: Chen et al. 2020, doi 10.1149/1945-7111/ab9050, parameter set of PyBaMM "
        "(BSD-3-Clause); slope over temperature: O'Regan et al. 2022, "
        "doi 10.1016/j.electacta.2022.140700; resistance between LG HG2 and LG M50",
        Curves(_full_cell(neg, pos, window), 0.004, _oregan_slope(window)),
        milliohm_ah=60,
        branches=[(12, 300), (120, 600), (1200, 800)],
        hysteresis_bp=1000,
        error_dmv=200,
    )


def nca(_data: Path) -> tuple[str, dict[str, Any]]:
    neg, _, (x_empty, x_full, _, _) = _electrodes("Chen2020")
    _, pos, (_, _, y_full, _) = _electrodes("NCA_Kim2011")
    # Its own negative electrode is an old graphite. The window of the positive ends where the cell
    # is empty at 2.5 V, as data sheets of such cells say.
    window = (x_empty, x_full, y_full, 0.90)
    return "Generic NCA and graphite", _cell(
        "nca",
        "Positive electrode of Kim et al. 2011, doi 10.1149/1.3597614, negative of LG M50, "
        "Chen et al. 2020, doi 10.1149/1945-7111/ab9050: parameter sets of PyBaMM (BSD-3-Clause); "
        "slope over temperature: O'Regan et al. 2022, doi 10.1016/j.electacta.2022.140700",
        Curves(_full_cell(neg, pos, window), 0.004, _oregan_slope(window)),
        milliohm_ah=85,
        branches=[(12, 250), (120, 400), (1200, 400)],
        hysteresis_bp=1000,
        error_dmv=250,
    )


def lto(_data: Path) -> tuple[str, dict[str, Any]]:
    _, pos, (_, _, y_full, y_empty) = _electrodes("Mohtat2020")
    voltage = pos(y_empty + (y_full - y_empty) * PERCENT) - 1.55
    # A titanate negative is flat at 1.55 V until it is empty of lithium at the cell's lower end.
    voltage -= 0.55 * np.exp(-PERCENT / 0.03)
    return "Generic lithium titanate (LTO) and NMC, compared with no cell", _cell(
        "lto",
        "Positive electrode of Mohtat et al. 2020, parameter set of PyBaMM (BSD-3-Clause), above "
        "a flat titanate electrode at 1.55 V: computed, compared with no measured cell",
        Curves(voltage, 0.004, np.zeros(21)),
        milliohm_ah=25,
        branches=[(12, 300), (120, 400)],
        hysteresis_bp=1000,
        error_dmv=400,
        validated=False,
    )


def sodium(data: Path) -> tuple[str, dict[str, Any]]:
    log = np.genfromtxt(data / "naion_hakadi_0c5.csv", delimiter=",", names=True)
    current, voltage = log["I_A"], log["V_V"]
    counted = np.cumsum(current * np.diff(log["t_s"], prepend=log["t_s"][0]))
    lowest = int(np.argmin(voltage))
    down = np.arange(lowest)[current[:lowest] < -0.1]
    up = lowest + np.arange(len(current) - lowest)[current[lowest:] > 0.1]
    # Its Hall sensor drifts: each half counts from its own empty to its own full end.
    soc_down = 1 - (counted[down] - counted[down[0]]) / (counted[down[-1]] - counted[down[0]])
    soc_up = (counted[up] - counted[up[0]]) / (counted[up[-1]] - counted[up[0]])
    constant = up[current[up] > 1.3]  # before the charger held the voltage
    soc_up = soc_up[: len(constant)]
    v_down = np.interp(PERCENT, soc_down[::-1], voltage[down][::-1])
    i_down = 0.75
    v_up = np.interp(PERCENT, soc_up, voltage[constant])
    i_up = np.interp(PERCENT, soc_up, current[constant])
    # Equal resistance both ways: the open-circuit voltage divides the gap like the currents.
    share = i_down / (i_down + i_up)
    middle = v_down + (v_up - v_down) * share
    top = (soc_up[-1] - 0.02) < PERCENT
    middle[top] = np.interp(
        PERCENT[top], [PERCENT[~top][-1], 1.0], [middle[~top][-1], 4.06]
    )  # rested at full: 4.07 V in that file
    return "Generic sodium-ion: layered oxide and hard carbon", _cell(
        "sodium",
        "Hakadi 18650 1.5 Ah at C/2, MaxMax-embedded/hakadi_soidum_ion_18650 (CC0), hobby-grade "
        "current sensor; the only measured cell, so compared with no other",
        Curves(middle, 0.008, np.zeros(21)),
        milliohm_ah=75,
        branches=[(12, 400), (120, 600), (1200, 600)],
        hysteresis_bp=1000,
        error_dmv=300,
        validated=False,
    )


CHEMISTRIES: dict[str, Callable[[Path], tuple[str, dict[str, Any]]]] = {
    "lfp": lfp,
    "nmc": nmc,
    "nca": nca,
    "lto": lto,
    "sodium": sodium,
}


def _cell(
    name: str,
    source: str,
    curves: Curves,
    milliohm_ah: float,
    branches: list[tuple[int, int]],
    hysteresis_bp: int,
    error_dmv: int,
    validated: bool = True,
) -> dict[str, Any]:
    microohm = milliohm_ah * 1e6 / CAPACITY_MAH
    return {
        "name": f"generic {name}",
        "source": source,
        "chemistry": "nmc" if name == "nca" else name,
        "validated": validated,
        "capacity_mah": CAPACITY_MAH,
        "ocv_charge_dmv": _whole(curves.charge * 1e4),
        "ocv_discharge_dmv": _whole(curves.discharge * 1e4),
        "ocv_uv_per_k": _whole(curves.slope_uv),
        "hysteresis_bp": hysteresis_bp,
        "r0_temperature_dc": _TEMPERATURE_DC,
        "r0_uohm": _whole(np.array(_RATIO) * microohm),
        "rc_tau_s": [tau for tau, _ in branches],
        "rc_permille": [share for _, share in branches],
        "error_dmv": error_dmv,
    }


def _whole(values: Any) -> list[int]:
    return [round(float(value)) for value in values]


def _steps(at: list[float], slope_uv: list[float]) -> Any:
    return np.round(np.interp(SLOPE_PERCENT, at, slope_uv) / 50) * 50


def _electrodes(parameter_set: str) -> tuple[Any, Any, tuple[float, float, float, float]]:
    """Open-circuit potentials of both electrodes, and x empty, x full, y full, y empty."""
    pybamm = _pybamm()
    values = pybamm.ParameterValues(parameter_set)
    window = pybamm.lithium_ion.get_min_max_stoichiometries(values)

    def curve(electrode: str) -> Any:
        potential: Any = values[f"{electrode} electrode OCP [V]"]
        return np.vectorize(lambda x: float(values.evaluate(potential(pybamm.Scalar(x)))))

    x_empty, x_full, y_full, y_empty = (float(x) for x in window)
    return curve("Negative"), curve("Positive"), (x_empty, x_full, y_full, y_empty)


def _pybamm() -> Any:
    """Imported by name, because only the extra `bench` holds it."""
    return importlib.import_module("pybamm")


def _full_cell(neg: Any, pos: Any, window: tuple[float, float, float, float]) -> Any:
    x_empty, x_full, y_full, y_empty = window
    return pos(y_empty + (y_full - y_empty) * PERCENT) - neg(
        x_empty + (x_full - x_empty) * PERCENT
    )


def _oregan_slope(window: tuple[float, float, float, float]) -> Any:
    pybamm = _pybamm()
    values = pybamm.ParameterValues("ORegan2022")
    x_empty, x_full, y_full, y_empty = window

    def slope(electrode: str, at: Any) -> Any:
        change: Any = values[f"{electrode} electrode OCP entropic change [V.K-1]"]
        return np.array([float(values.evaluate(change(pybamm.Scalar(x)))) for x in at])

    pos = slope("Positive", y_empty + (y_full - y_empty) * SLOPE_PERCENT)
    return 1e6 * (pos - slope("Negative", x_empty + (x_full - x_empty) * SLOPE_PERCENT))


def module_text(title: str, cell: dict[str, Any]) -> str:
    """The source of a built-in model: lines up to 99 characters, one key after the other."""
    text = _HEAD.format(title=title)
    for key, value in cell.items():
        if isinstance(value, str):
            text += _wrapped(key, value)
        elif isinstance(value, list) and len(value) > 12:
            text += f'    "{key}": [\n'
            for at in range(0, len(value), 12):
                text += f"        {', '.join(map(str, value[at : at + 12]))},\n"
            text += "    ],\n"
        else:
            text += f'    "{key}": {value!r},\n'
    return text + "}\n"


def _wrapped(key: str, words: str) -> str:
    line = f'    "{key}": "{words}",\n'
    if len(line) <= 100:
        return line
    parts = textwrap.wrap(words, 84, break_on_hyphens=False)
    body = "".join(f'        "{part}{" " if part is not parts[-1] else ""}"\n' for part in parts)
    return f'    "{key}": (\n{body}    ),\n'


def main() -> None:
    parser = argparse.ArgumentParser(description="Make firmware/lib/cells anew.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the measured files")
    parser.add_argument("names", nargs="*", default=list(CHEMISTRIES), help="models to make")
    arguments = parser.parse_args()
    for name in arguments.names:
        text = module_text(*CHEMISTRIES[name](arguments.data))
        (CELLS / f"{name}.py").write_text(text, encoding="utf-8")
        print(f"firmware/lib/cells/{name}.py: {len(text)} bytes")


if __name__ == "__main__":
    main()
