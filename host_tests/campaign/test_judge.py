"""The judge notices each kind of wrong: every test spoils one thing in a record that is right."""

import copy
import dataclasses
from types import SimpleNamespace

import pytest

from bms.faults import Faults
from host_tests.campaign import plan
from host_tests.campaign.judge import judge

_FAULTS = Faults()
_INJECT_S, _MEND_S, _CLEAR_S, _END_S = 40.0, 55.0, 70.0, 80.0
_BLANK = ("pack_voltage_mv", "current_ma", "soc_bp", "cell_max_mv")


def _status(t_s, faults=(), off="", blind=False, cell_mv=3300, current_ma=0):
    gates = (0 if "c" in off else 1) | (0 if "d" in off else 2)
    points = {
        "faults": list(faults),
        "gates": gates,
        "path_state": 1,
        "charge_current_limit_ma": 0 if "c" in off else 50000,
        "discharge_current_limit_ma": 0 if "d" in off else 100000,
    }
    points.update(dict.fromkeys(_BLANK, None if blind else 1))
    truth = {
        "cell_voltage_mv": [3300] * 15 + [cell_mv],
        "pack_voltage_mv": 3300 * 15 + cell_mv,
        "current_ma": current_ma,
        "temperature_dc": [220, 220, 220],
        "board_temperature_dc": 220,
        "fuse_blown": False,
    }
    return {"t_s": float(t_s), "points": points, "truth": truth}


def _run(fault, name, off, *, blind=False, cell_mv=3300, off_s=0.5, over_s=_MEND_S + 6):
    """A run in which all is as it should be: off after off_s, over by itself at over_s."""
    statuses = []
    for t_s in range(1, int(_END_S) + 2):
        active = _INJECT_S + off_s < t_s <= over_s
        statuses.append(
            _status(
                t_s,
                (name,) if active else (),
                off if active else "",
                blind and active,
                cell_mv if _INJECT_S <= t_s <= _MEND_S else 3300,
            )
        )
    gates = [[5_000_000, True, True]]
    gates.append([int((_INJECT_S + off_s) * 1e6), "c" not in off, "d" not in off])
    gates.append([int(over_s * 1e6), True, True])
    bit = _FAULTS.names.index(name)
    note = {
        "trace": gates,
        "contact_trace": [],
        "events": [[1, 1, int(_INJECT_S + off_s), 1, bit, 0]],
    }
    end = {"reason": "duration", "t_s": _END_S + 1, "text": "", "trace": [], "contact_trace": []}
    return SimpleNamespace(statuses=statuses, notes=[note], end=end, output="")


def _boot(fault):
    episode = plan.Episode((fault,), (_INJECT_S,), _MEND_S, 0, _CLEAR_S, _END_S)
    return plan.Boot(1, 0, plan.FETS, 0.5, True, [episode], [])


def _kinds(fault, run):
    return {violation.kind for violation in judge(_boot(fault), run).violations}


def _silent():
    return _run("afe_silent", "afe_lost", "cd", blind=True)


def _overvoltage():
    return _run("cell_overvoltage", "cell_overvoltage", "c", cell_mv=3900, off_s=1.1)


def _short():
    return _run("short_circuit", "short_circuit", "cd", off_s=0.001, over_s=_CLEAR_S + 5)


@pytest.mark.parametrize(
    ("fault", "run"),
    [
        ("afe_silent", _silent()),
        ("cell_overvoltage", _overvoltage()),
        ("short_circuit", _short()),
    ],
)
def test_a_run_that_is_right_is_not_blamed(fault, run):
    verdict = judge(_boot(fault), run)
    assert verdict.violations == []
    assert verdict.judged == verdict.noticed == 1


def test_a_gate_that_opens_late():
    run = _run("afe_silent", "afe_lost", "cd", blind=True, off_s=0.9)
    assert "late" in _kinds("afe_silent", run)


def test_a_gate_that_never_opens():
    run = _overvoltage()
    run.notes[0]["trace"] = run.notes[0]["trace"][:1]
    assert {"late", "danger"} <= _kinds("cell_overvoltage", run)


def test_a_gate_that_closes_again_while_the_cause_is_there():
    run = _overvoltage()
    run.notes[0]["trace"][2:2] = [[47_500_000, True, True], [48_500_000, False, True]]
    assert "closed" in _kinds("cell_overvoltage", run)


def test_a_gate_that_spares_its_body_diode_is_not_blamed():
    run = _overvoltage()
    run.notes[0]["trace"][2:2] = [[47_500_000, True, True], [48_500_000, False, True]]
    for status in run.statuses:
        if 47 < status["t_s"] < 49:
            status["points"]["path_state"] = 7
    assert _kinds("cell_overvoltage", run) == set()


def test_current_the_blocked_way():
    run = _overvoltage()
    run.statuses[45]["truth"]["current_ma"] = 5000
    assert "flows" in _kinds("cell_overvoltage", run)


def test_a_limit_that_is_not_0():
    run = _overvoltage()
    run.statuses[45]["points"]["charge_current_limit_ma"] = 1
    assert _kinds("cell_overvoltage", run) == {"limit"}


def test_a_name_that_is_not_in_the_log_or_not_shown():
    run = _silent()
    run.notes[0]["events"] = []
    assert _kinds("afe_silent", run) == {"not logged"}
    for status in run.statuses:
        status["points"]["faults"] = []
    assert _kinds("afe_silent", run) == {"not logged", "not shown"}


def test_another_fault_than_expected():
    run = _silent()
    bit = _FAULTS.names.index("gate_mismatch")
    run.notes[0]["events"].append([2, 1, 42, 1, bit, 0])
    assert "unexpected" in _kinds("afe_silent", run)


def test_old_values_shown_as_live():
    run = _silent()
    run.statuses[45]["points"]["soc_bp"] = 5000
    assert _kinds("afe_silent", run) == {"stale shown"}


def test_a_latched_fault_that_goes_by_itself():
    run = _run("short_circuit", "short_circuit", "cd", off_s=0.001)
    assert _kinds("short_circuit", run) == {"not latched"}


def test_a_fault_that_does_not_go():
    run = _run("afe_silent", "afe_lost", "cd", blind=True, over_s=_END_S + 1)
    verdict = judge(_boot("afe_silent"), run)
    assert {violation.kind for violation in verdict.violations} == {"not recovered"}


def test_a_run_that_ends_by_a_reset():
    run = _silent()
    run.end = {**run.end, "reason": "watchdog", "t_s": 50.0}
    assert _kinds("afe_silent", run) == {"ended"}


def test_a_gate_that_moves_though_nothing_may_open():
    run = copy.deepcopy(_silent())
    run.notes[0]["events"] = []
    for status in run.statuses:
        status["points"] = _status(0)["points"]
    assert "opened" in _kinds("afe_protections_off", run)


def test_what_cannot_be_judged_after_a_pack_that_did_not_recover_is_counted():
    boot = _boot("afe_silent")
    boot.episodes.append(plan.Episode(("afe_stuck",), (90.0,), 95.0, 0, 110.0, 120.0))
    run = _run("afe_silent", "afe_lost", "cd", blind=True, over_s=_END_S + 1)
    run.end["t_s"] = 121
    assert judge(boot, run).skipped == 1


def _closed_contactors(current_ma):
    """Overvoltage blocks the charge, and the contactors stay closed for the load."""
    fault = "cell_overvoltage"
    run = _run(fault, fault, "", cell_mv=3700, off_s=2.0)
    for status in run.statuses:
        if fault in status["points"]["faults"]:
            status["points"]["charge_current_limit_ma"] = 0
            status["truth"]["current_ma"] = current_ma
    run.notes[0]["contact_trace"] = [[5_000_000, 3]]  # both poles, ever since
    boot = _boot(fault)
    return {violation.kind for violation in judge(_on_contactors(boot), run).violations}


def _on_contactors(boot):
    return dataclasses.replace(boot, pack=plan.CONTACTORS)


def test_contactors_may_carry_the_other_direction_and_not_the_blocked_one():
    assert _closed_contactors(0) == set()
    assert _closed_contactors(-20000) == set()
    assert {"late", "flows"} & _closed_contactors(20000)
