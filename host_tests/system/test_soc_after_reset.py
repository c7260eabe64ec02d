"""The state of charge after a reset at any moment: the whole firmware at 1C, with power cuts and
watchdog resets, on the flash image that it wrote itself."""

from random import Random

import pytest

from host_tests.system.simulated_board import SETTINGS, run_board

PACK = {**SETTINGS, "design_capacity_mah": 20_000}
FULL_S = 420  # charging takes so long; from here on it is discharged at 1C
UNKNOWN, SYNCED = 0, 2
WORDS = ("unknown", "estimating", "synced")


def load(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text(f"t_s,I_A\n0,20\n{FULL_S},-20\n100000,-20\n")
    return {
        "load": str(path),
        "load_scale": 1.0,
        "load_obeys": True,
        "settings": PACK,
        "timeout_s": 900,
        "spread": {"soc_spread": 0.0, "capacity_spread": 0.0},  # it is full soon
    }


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cause", ["power_on", "watchdog"])
def test_it_goes_on_within_half_a_percent_and_says_what_it_is_worth(tmp_path, cause):
    given = load(tmp_path)
    random = Random(cause)
    run = run_board(tmp_path, duration_s=FULL_S + 60, soc=0.99, **given)
    assert run.statuses[-1]["points"]["soc_quality"] == SYNCED
    worst_bp = 0
    for _ in range(5):
        assert run.end["reason"] == "duration", run.output
        before = run.statuses[-1]["points"]
        run = run_board(
            tmp_path,
            duration_s=random.uniform(20, 70),  # 5 of it until the gates are on
            reset_cause=cause,
            orders=[[15, {"console": "status\r"}]],
            **given,
        )
        first = next(s for s in run.statuses if s["points"].get("soc_bp") is not None)
        after, truth_bp = first["points"], first["truth"]["soc_bp"]
        print(cause, before["soc_bp"], after["soc_bp"], truth_bp, after["soc_sigma_bp"])
        worst_bp = max(worst_bp, abs(after["soc_bp"] - before["soc_bp"]))
        assert abs(after["soc_estimate_bp"] - truth_bp) <= 2 * after["soc_sigma_bp"]
        assert after["soc_quality"] != UNKNOWN
        later = next(s["points"] for s in run.statuses if s["t_s"] > 15)
        word = f"{WORDS[later['soc_quality']]}; full less than an hour ago"
        assert word in run.received["console"].decode()
    print(f"{cause}: largest jump {worst_bp / 100:.2f} %")
    assert worst_bp <= 50
