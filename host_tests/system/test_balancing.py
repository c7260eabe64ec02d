"""The whole firmware balances the simulated pack, over its I2C, with its chip's switches.

Short: three cells that have more, in a small pack near full. balancing_run.py is the long one.
"""

import pytest

from host_tests.system.simulated_board import SETTINGS, run_board

SMALL = {
    **SETTINGS,
    "design_capacity_mah": 1000,
    "balance_ohm": 20,  # 146 mA: minutes instead of days
    "balance_power_max_mw": 20000,
    "full_current_ma": 50,
    "charge_current_max_ma": 500,
    "limited_current_warn_ma": 100,
    "limited_current_trip_ma": 400,
    "discharge_current_max_ma": 1000,
}
STACK = {**SMALL, "afe_chip": 4, "series_cells": 24, "cell_thermistors": 4, "fet_side": 1}


def charging(tmp_path, current_a):
    """A load file: a charger that always offers this much, and obeys the pack's limits."""
    path = tmp_path / "charger.csv"
    path.write_text(f"t_s,I_A\n0,{current_a}\n1000000,{current_a}\n")
    return {"load": str(path), "load_scale": 1.0, "load_obeys": True}


@pytest.mark.parametrize("settings", [SMALL, STACK], ids=["16 cells", "a stack of 24"])
def test_the_firmware_bleeds_the_cells_that_have_more_and_no_others(tmp_path, settings):
    run = run_board(
        tmp_path,
        duration_s=720,
        settings=settings,
        soc=0.95,
        spread={"soc_spread": 0.006, "capacity_spread": 0.0, "leak_ma": 0.5},
        **charging(tmp_path, 0.4),
    )
    assert run.end["reason"] == "duration", run.output
    truth = run.statuses[-1]["truth"]
    first = run.statuses[0]["truth"]["cell_soc_bp"]
    lost = truth["lost_mah"]
    assert truth["neighbours_bled"] == 0
    assert max(lost) > 2
    # Who lost most had most, who had least lost nothing but its self-discharge.
    assert first[lost.index(max(lost))] >= sorted(first)[-3]
    assert lost[first.index(min(first))] <= 1
    before = max(first) - min(first)
    assert max(truth["cell_soc_bp"]) - min(truth["cell_soc_bp"]) < 0.5 * before
    points = run.statuses[-1]["points"]
    assert points["balancing_loss_mwh"] == pytest.approx(truth["wasted_mwh"], rel=0.2, abs=2)
    assert points["balance_suspect"] == -1
    shown = [s for s in run.statuses if any(s["points"]["balancing"])]
    assert shown
    for status in shown[::50]:  # of the same instant but for the turn of the slow path
        assert status["points"]["balancing_state"] == 1
    assert points["gates"] == 3 and points["faults"] == []


def test_a_processor_that_hangs_leaves_nothing_bleeding(tmp_path):
    """A reset of the processor alone leaves the chip's switches on: its own time-out ends it."""
    run = run_board(
        tmp_path,
        duration_s=560,
        settings=SMALL,
        soc=0.97,
        spread={"soc_spread": 0.006, "capacity_spread": 0.0},
        orders=[[540, {"inject": "watchdog_dead"}], [540.1, {"inject": "firmware_hang"}]],
        **charging(tmp_path, 0.4),
    )
    before = [s["truth"]["bleeding"] for s in run.statuses if 500 < s["t_s"] < 540]
    assert any(before)
    after = [s["truth"]["bleeding"] for s in run.statuses if s["t_s"] > 551]
    assert after and not any(after)
