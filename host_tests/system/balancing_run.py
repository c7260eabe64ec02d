"""`make balancing-run`: 16 cells +-3 % apart, self-discharges +-0.5 mA, on the whole firmware.

Not part of `make test`, hence its name: it takes minutes.
"""

import itertools

import pytest

from host_tests.system.simulated_board import run_board
from host_tests.system.test_balancing import SMALL, charging

DUTY = 1 - 3 / 20  # of the simulated chip with two sensors


def fewest_hours(statuses, ohm):
    """What no order of bleeding can beat, from the true states of charge at the start; and the
    charge in mAh that must go."""
    first = statuses[0]["truth"]["cell_soc_bp"]
    excess = [(bp - min(first)) / 10 for bp in first]  # mAh of 1 Ah
    pairs = [a + b for a, b in itertools.pairwise(excess)]
    return max(*pairs, *excess, sum(excess) / 8) / (3420 / ohm * DUTY), sum(excess)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2])
def test_sixteen_cells_three_percent_apart_end_together(tmp_path, seed):
    run = run_board(
        tmp_path,
        duration_s=9000,
        timeout_s=3000,
        seed=seed,
        settings={**SMALL, "balance_ohm": 65},  # 45 mA: charging takes little of the time
        soc=0.95,
        spread={"soc_spread": 0.03, "capacity_spread": 0.01, "leak_ma": 0.5},
        **charging(tmp_path, 0.4),
    )
    hours, least_mah = fewest_hours(run.statuses, 65)
    since = None
    for status in run.statuses:
        truth = status["truth"]
        voltages, charges = truth["cell_voltage_mv"], truth["cell_soc_bp"]
        together = max(voltages) - min(voltages) <= 10 and max(charges) - min(charges) <= 50
        if not (together and min(voltages) > 3400):
            since = None
        elif since is None:
            since = status["t_s"] / 3600
    print(f"seed {seed}: fewest {hours:.2f} h, took {since} h")
    truth = run.statuses[-1]["truth"]
    wasted_mah = truth["wasted_mwh"] / 3.4
    print(f"least {least_mah:.0f} mAh, wasted {wasted_mah:.0f} mAh")
    at_full = next(s["truth"] for s in run.statuses if since and s["t_s"] >= 3600 * since)
    for name, unit in (("cell_voltage_mv", "mV"), ("cell_soc_bp", "of 0.01 %")):
        print(f"then apart by {max(at_full[name]) - min(at_full[name])} {unit}")
    assert since is not None and since <= 1.3 * hours
    assert wasted_mah <= 1.2 * least_mah
    assert truth["neighbours_bled"] == 0
