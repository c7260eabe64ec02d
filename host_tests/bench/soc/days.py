"""Days in the life of a battery, computed with PyBaMM: `python -m host_tests.bench.soc.days`.

The plants are not our models: single-particle models with electrolyte of Prada 2013 (LiFePO4) and
O'Regan 2022 (NMC), the first with an exponential hysteresis of +-12 mV over 3 % of charge beside
it, which PyBaMM's set lacks. Currents are scaled from the set's small cell to the capacity below.
Each plant is first put through what a lab would do, a slow test (C/20 both ways) and pulses; the
model that scores its days is fitted on those. Writes CSV files into CACHE; made once.

Traps (estimation.md, section 2): dt_max, or the solver steps over the breakpoints of the current;
Prada 2013 knows no temperature, so the winter's resistance is added (A123: 9.7 mohm at 25 degC, 22
at 0 degC, for 2 Ah).
"""

import math
import random

import numpy as np

from host_tests.bench.soc.recordings import CACHE

STEP_S = 10.0
LFP_MAH = 280_000
NMC_MAH = 50_000
_LFP_SET_AH = 2.3
_NMC_SET_AH = 5.0
_WINTER_OHM_AH = 0.025
_HYSTERESIS_V = 0.012
_HYSTERESIS_SPAN = 0.03


def home(days=7, low=0.15, high=0.85, seed=1, summer=1.0):
    """Current in 1/h of capacity: sun by day, a household's load always, kept within the band."""
    chance = random.Random(seed)
    soc = 0.5
    currents = []
    cloud = appliance = 0.0
    shining = 1.0
    for index in range(int(days * 86400 / STEP_S)):
        hour = index * STEP_S / 3600 % 24
        if index % 60 == 0:
            cloud = chance.choice((0.0, 0.0, 0.3, 0.7))
        if index % 8640 == 0:
            shining = chance.uniform(0.5, 1.0) * summer
        if index % 45 == 0:
            appliance = chance.choice((0.0, 0.0, 0.0, 0.08, 0.15))
        sun = max(0.0, math.sin(math.pi * (hour - 7) / 11)) if 7 <= hour <= 18 else 0.0
        current = 0.30 * shining * sun * (1 - cloud) - 0.03 - appliance
        if (soc >= high and current > 0) or (soc <= low and current < 0):
            current = 0.0
        soc += current * STEP_S / 3600
        currents.append(round(current, 4))
    return currents, 0.5


def drive(hours=5.0, seed=2):
    """An electric vehicle: trips with regeneration, stops, and a charge between."""
    chance = random.Random(seed)
    soc = 0.9
    currents = []
    wish = 0.0
    charging = 0
    for index in range(int(hours * 3600 / STEP_S)):
        if index % 2 == 0:
            wish = chance.choice((-0.3, -0.8, -1.6, -0.5, 0.5, 0.2, 0.0, -0.6))
        if soc < 0.2 and not charging:
            charging = int(2400 / STEP_S)
        if charging:
            charging -= 1
            wish = 0.8
        soc += wish * STEP_S / 3600
        currents.append(wish)
    return currents, 0.9


def slow_test():
    """C/20 down, an hour of rest, C/20 up."""
    hour = int(3600 / STEP_S)
    return [-0.05] * int(19.9 * hour) + [0.0] * hour + [0.05] * int(19.9 * hour), 1.0


def pulses():
    """Down and up again by 10 % at C/2 with a rest and pulses of 1C after each."""
    minute = int(60 / STEP_S)
    program = []
    for sign in (-1, 1):
        for _ in range(8):
            program += [sign * 0.5] * 12 * minute + [0.0] * 20 * minute
            program += [sign * 1.0] * minute + [0.0] * minute
            program += [-sign * 1.0] * minute + [0.0] * minute
    return program, 0.95


# name: plant, program, temperature
DAYS = {
    "pybamm_lfp_slow": ("lfp", slow_test, 25.0),
    "pybamm_lfp_pulses": ("lfp", pulses, 25.0),
    "pybamm_lfp_home": ("lfp", home, 25.0),
    "pybamm_lfp_winter": ("lfp", lambda: home(3, 0.15, 0.7, 3, 0.6), 0.0),
    "pybamm_lfp_drive": ("lfp", drive, 25.0),
    "pybamm_nmc_slow": ("nmc", slow_test, 25.0),
    "pybamm_nmc_pulses": ("nmc", pulses, 25.0),
    "pybamm_nmc_drive": ("nmc", lambda: drive(5.0, 4), 25.0),
}


def simulate(plant, program, temperature_c):
    """Rows t_s, I_A, V_V, T_C, soc of a program; the last step is left out if the cell ended."""
    import pybamm

    name, set_ah, out_mah = {
        "lfp": ("Prada2013", _LFP_SET_AH, LFP_MAH),
        "nmc": ("ORegan2022", _NMC_SET_AH, NMC_MAH),
    }[plant]
    rates, start = program()
    values = pybamm.ParameterValues(name)
    x_empty, x_full, _, _ = pybamm.lithium_ion.get_min_max_stoichiometries(values)
    set_ah = _usable_ah(values, x_full - x_empty)
    rate = np.array(rates)
    time_s = np.arange(len(rate)) * STEP_S
    # Charging is negative in PyBaMM. Steps, not ramps: two points at the end of each.
    edges = np.sort(np.concatenate([time_s, time_s[1:] - 1e-3]))
    values["Current function [A]"] = pybamm.Interpolant(
        edges, np.repeat(-rate * set_ah, 2)[:-1], pybamm.t
    )
    values["Ambient temperature [K]"] = values["Initial temperature [K]"] = 273.15 + temperature_c
    values["Upper voltage cut-off [V]"] = 5.0
    values["Lower voltage cut-off [V]"] = 0.5
    simulation = pybamm.Simulation(
        pybamm.lithium_ion.SPMe(),
        parameter_values=values,
        solver=pybamm.IDAKLUSolver(options={"dt_max": STEP_S}),
    )
    # The current of a row flowed before it; that of the program flows after it. The solver gives
    # values at these times only: between others it would take a part of the next step's voltage.
    ends = np.minimum(time_s + STEP_S - 0.01, time_s[-1])
    solution = simulation.solve([0, time_s[-1]], t_interp=ends, initial_soc=start)
    voltage = solution["Terminal voltage [V]"](ends)
    counted = -solution["Discharge capacity [A.h]"](ends) / set_ah
    soc = start + counted
    if plant == "lfp":
        voltage = voltage + _hysteresis(soc)
    if temperature_c < 10:
        voltage = voltage + rate * _WINTER_OHM_AH
    current = rate * out_mah / 1000
    keep = ~np.isnan(voltage)
    wrong = np.abs(counted - np.cumsum(rate) * STEP_S / 3600).max()
    if wrong > 0.003:
        raise RuntimeError(f"the solver lost {100 * wrong:.2f} % of charge: lower dt_max")
    return np.array([time_s + STEP_S, current, voltage, np.full(len(rate), temperature_c), soc]).T[
        keep
    ]


def _usable_ah(values, span):
    """Charge between empty and full of the set, by its negative electrode."""
    import pybamm

    parameters = pybamm.LithiumIonParameters()
    return float(values.evaluate(parameters.n.prim.Q_init)) * span


def _hysteresis(soc):
    state = 0.0
    states = []
    for change in np.diff(soc, prepend=soc[0]).tolist():
        keep = math.exp(-abs(change) / _HYSTERESIS_SPAN)
        state = keep * state + (1 - keep) * ((change > 0) - (change < 0))
        states.append(state)
    return _HYSTERESIS_V * np.array(states)


def make(name):
    """The CSV file of a day, computed unless it is there."""
    path = CACHE / f"{name}.csv"
    if not path.exists():
        rows = simulate(*DAYS[name])
        CACHE.mkdir(parents=True, exist_ok=True)
        body = "\n".join(f"{t:.0f},{i:.4f},{v:.5f},{c:.1f},{s:.6f}" for t, i, v, c, s in rows)
        half = path.with_suffix(".part")
        half.write_text("t_s,I_A,V_V,T_C,soc_ref\n" + body + "\n")
        half.rename(path)
    return path


if __name__ == "__main__":
    for day in DAYS:
        print(make(day), flush=True)
