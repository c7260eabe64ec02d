"""The judge notices each kind of wrong: every test spoils one thing in a record that is right."""

import copy
import dataclasses
from types import SimpleNamespace

import pytest

from bms.faults import Faults
from host_tests.campaign import plan
from host_tests.campaign.judge import judge
from host_tests.campaign.truth import LIMITS, released_s

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
        "charge_limit_reason": 1 if "c" in off else 3,
        "discharge_limit_reason": 1 if "d" in off else 3,
    }
    points.update(dict.fromkeys(_BLANK, None if blind else 1))
    truth = {
        "cell_voltage_mv": [3300] * 15 + [cell_mv],
        "pack_voltage_mv": 3300 * 15 + cell_mv,
        "current_ma": current_ma,
        "temperature_dc": [220, 220, 220],
        "board_temperature_dc": 220,
        "fuse_blown": False,
        "bus_mv": 3300 * 15 + cell_mv,
        "welds": [],
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


def _blamed_on_contactors(fault, shown, cell_mv=3700):
    """Kinds for closed contactors that carry the allowed way, while these faults are shown."""
    run = _run(fault, fault, "", cell_mv=cell_mv, off_s=2.0)
    for status in run.statuses:
        if status["points"]["faults"]:
            status["points"]["faults"] = list(shown)
            status["points"]["charge_current_limit_ma"] = 0
            status["points"]["discharge_current_limit_ma"] = 0
    run.notes[0]["contact_trace"] = [[5_000_000, 3]]
    return {violation.kind for violation in judge(_on_contactors(_boot(fault)), run).violations}


@pytest.mark.parametrize(
    "shown",
    [
        ("cell_undervoltage",),  # another direction than what the cause blocks
        ("cell_overvoltage", "cell_undervoltage"),
        (),
    ],
)
def test_contactors_stay_closed_for_no_direction_but_the_one_that_is_allowed(shown):
    assert "late" in _blamed_on_contactors("cell_overvoltage", shown)


def test_contactors_do_not_stay_closed_over_a_cause_that_blocks_both_directions():
    """Whatever the firmware calls it."""
    shown = ("cell_undervoltage",)
    assert "late" in _blamed_on_contactors("deep_discharge", shown, cell_mv=1900)


def _welded(opens):
    run = _run("contactor_positive_welded", "cell_overvoltage", "", off_s=2.0)
    trace = [[5_000_000, 3], [45_000_000, 1], [62_000_000, 3]] if opens else [[5_000_000, 3]]
    run.notes[0]["contact_trace"] = trace
    boot = _on_contactors(_boot("contactor_positive_welded"))
    return [violation.text for violation in judge(boot, run).violations]


def test_a_weld_must_be_named_once_the_path_opened_and_not_before():
    text = "contactor_positive_welded: opened, but none of ('contactor_positive_welded',)"
    assert text in _welded(True)
    assert text not in _welded(False)


@pytest.mark.parametrize(("current_ma", "kinds"), [(-20000, set()), (0, {"late", "danger"})])
def test_a_body_diode_that_is_spared_between_two_statuses(current_ma, kinds):
    """Only the log tells it; but then current must have flowed the other way."""
    run = _run("cell_overvoltage", "cell_overvoltage", "c", cell_mv=3900, off_s=1.9)
    run.notes[0]["events"].append([2, 1, 41, 8, 7, 0])
    for status in run.statuses:
        if _INJECT_S <= status["t_s"] <= _INJECT_S + 2:
            status["truth"]["current_ma"] = current_ma
    assert _kinds("cell_overvoltage", run) <= kinds
    assert bool(kinds) == ("late" in _kinds("cell_overvoltage", run))


@pytest.mark.parametrize(("stood_s", "blamed"), [(5, False), (15, True)])
def test_restarts_that_go_on_must_latch_and_not_only_be_told(stood_s, blamed):
    run = _run("afe_brownouts", "afe_restarted", "cd", blind=True, off_s=0.1)
    episode = plan.Episode(
        ("afe_brownouts",), (_INJECT_S,), _INJECT_S + stood_s, 0, _CLEAR_S, _END_S
    )
    boot = dataclasses.replace(_boot("afe_brownouts"), episodes=[episode])
    kinds = {violation.kind for violation in judge(boot, run).violations}
    assert ("not logged" in kinds) == blamed


@pytest.mark.parametrize("other", ["afe_reset", "flash_stall"])
def test_what_only_a_pair_can_raise_is_unexpected_in_any_other(other):
    run = _run("discharge_gate_welded", "short_circuit", "cd", off_s=0.1)
    faults = ("discharge_gate_welded", other)
    episode = plan.Episode(faults, (_INJECT_S, _INJECT_S), _MEND_S, 0, _CLEAR_S, _END_S)
    boot = dataclasses.replace(_boot("discharge_gate_welded"), episodes=[episode])
    kinds = {violation.kind for violation in judge(boot, run).violations}
    assert ("unexpected" in kinds) == (other == "flash_stall")


@pytest.mark.parametrize(
    ("until_s", "kinds"), [(_MEND_S + 31, set()), (_MEND_S + 35, {"not recovered"})]
)
def test_limits_that_curves_hold_at_0_for_half_a_minute_after_the_cause(until_s, kinds):
    run = _run("cell_overvoltage", "cell_overvoltage", "c", cell_mv=3900, off_s=1.1)
    template = run.statuses[-1]
    for t_s in range(int(_END_S) + 2, int(_MEND_S) + 60):
        run.statuses.append({**copy.deepcopy(template), "t_s": float(t_s)})
    for status in run.statuses:
        if _MEND_S < status["t_s"] <= until_s:
            status["points"]["charge_current_limit_ma"] = 0
    run.end["t_s"] = _MEND_S + 60
    clear_s = until_s + 0.5
    episode = plan.Episode(("cell_overvoltage",), (_INJECT_S,), _MEND_S, 0, clear_s, clear_s + 14)
    boot = dataclasses.replace(_boot("cell_overvoltage"), episodes=[episode])
    assert {violation.kind for violation in judge(boot, run).violations} == kinds


@pytest.mark.parametrize(
    ("failed_s", "kinds"), [(_MEND_S - 1, set()), (_MEND_S + 2, {"not recovered"})]
)
def test_a_resistor_that_cools_after_a_try_into_the_cause_may_take_its_time(failed_s, kinds):
    run = _run("afe_silent", "afe_lost", "cd", blind=True, over_s=_CLEAR_S + 2)
    for status in run.statuses:
        if status["t_s"] > _MEND_S + 3 and status["t_s"] <= _CLEAR_S + 2:
            status["points"]["faults"] = []
            status["points"]["path_state"] = 3
    run.notes[0]["events"].append([2, 1, int(failed_s), 8, 3, 0])
    assert _kinds("afe_silent", run) == kinds


def _pair(faults, inject_s, run, pack=plan.FETS):
    """Kinds for two faults."""
    episode = plan.Episode(faults, inject_s, _MEND_S, 0, _CLEAR_S, _END_S)
    boot = dataclasses.replace(_boot(faults[0]), episodes=[episode], pack=pack)
    return {violation.kind for violation in judge(boot, run).violations}


@pytest.mark.parametrize(("closes_s", "kinds"), [(48.5, {"closed", "limit"}), (50.5, set())])
def test_a_cause_that_the_second_fault_takes_away_holds_for_its_release_delay(closes_s, kinds):
    """Cell 4 is too full until second 45, then the same cell is emptied."""
    run = _run("cell_overvoltage", "cell_overvoltage", "c", cell_mv=3900, off_s=1.1)
    for status in run.statuses:
        if status["t_s"] > 45:
            status["truth"]["cell_voltage_mv"] = [3300] * 16
        if closes_s < status["t_s"] <= _MEND_S + 6:
            status["points"].update(_status(0)["points"])
    run.notes[0]["trace"][2][0] = int(closes_s * 1e6)
    assert _pair(("cell_overvoltage", "can_no_peer"), (_INJECT_S, 45.5), run) == kinds


@pytest.mark.parametrize(
    ("current_ma", "person_s", "since_s", "over_s"),
    [(0, 0, 1, None), (0, 3, 3, 7), (600, 0, 1, 5), (600, 0, 4, 8), (300, 0, 1, None)],
)
def test_undervoltage_is_over_by_charge_current_or_a_persons_word(
    current_ma, person_s, since_s, over_s
):
    statuses = [
        _status(t_s, cell_mv=3100 if t_s >= since_s else 2800, current_ma=current_ma)
        for t_s in range(1, 20)
    ]
    assert released_s(LIMITS["cell_undervoltage"], statuses, person_s) == over_s
    assert released_s(LIMITS["deep_discharge"], statuses, person_s) is None


@pytest.mark.parametrize(("frozen_s", "seen"), [(0, False), (0.18, False), (0.2, True)])
def test_a_short_must_be_seen_unless_the_sensors_reading_stood_still_before(frozen_s, seen):
    run = _run("thermistor_short", "thermistor_short", "", off_s=0.5)
    for status in run.statuses:
        status["points"]["faults"] = []
    run.notes[0]["events"] = []
    run.notes[0]["trace"] = run.notes[0]["trace"][:1]
    faults = ("thermistor_short", "thermistor_frozen")
    kinds = _pair(faults, (_INJECT_S, _INJECT_S + frozen_s), run)
    assert kinds == ({"late", "not logged", "not shown", "stale shown"} if seen else set())


@pytest.mark.parametrize("other", ["contactor_positive_welded", "contactor_negative_welded"])
def test_a_contact_that_is_welded_is_not_stuck_open(other):
    run = _run("contactor_stuck_open", "contactor_stuck_open", "", off_s=0.5)
    for status in run.statuses:
        status["points"]["faults"] = []
    run.notes[0]["events"] = []
    run.notes[0]["contact_trace"] = [[5_000_000, 3]]
    kinds = _pair((other, "contactor_stuck_open"), (_INJECT_S, 41), run, plan.CONTACTORS)
    assert ("late" in kinds) == (other == "contactor_negative_welded")


@pytest.mark.parametrize(
    ("named", "kinds"),
    [("afe_wrong_device", set()), ("afe_restarted", {"not logged", "not shown"})],
)
def test_of_a_chip_that_is_not_ours_that_must_be_told_in_place_of_its_restarts(named, kinds):
    run = _run("afe_brownouts", named, "cd", blind=True, off_s=0.1)
    faults = ("afe_brownouts", "afe_wrong_device")
    assert _pair(faults, (_INJECT_S, _INJECT_S), run) == kinds


@pytest.mark.parametrize(
    ("closes_s", "reasons", "blamed"),
    [(45, (1, 3), False), (45, (1, 1), True), (45, (3, 3), True), (41.5, (1, 3), True)],
)
def test_contactors_close_for_the_load_while_a_cause_that_was_there_before_has_its_delay(
    closes_s, reasons, blamed
):
    """The chip restarts while the cells are too far apart: 10 s later that is a fault again."""
    run = _run("afe_reset", "afe_restarted", "cd", blind=True, off_s=0.1, over_s=closes_s)
    for status in run.statuses:
        if _INJECT_S - 4 <= status["t_s"] <= _MEND_S:
            status["truth"]["cell_voltage_mv"] = [2700, 3640] + [3300] * 14
        if closes_s < status["t_s"] <= _MEND_S:
            status["points"]["charge_current_limit_ma"] = 0
            status["points"]["charge_limit_reason"] = reasons[0]
            status["points"]["discharge_limit_reason"] = reasons[1]
    closed, opened = [[5_000_000, 3]], [[int(1e6 * (_INJECT_S + 0.1)), 0]]
    run.notes[0]["contact_trace"] = closed + opened + [[int(1e6 * closes_s), 3]]
    faults = ("cell_imbalance", "afe_reset")
    kinds = _pair(faults, (_INJECT_S - 4, _INJECT_S), run, plan.CONTACTORS)
    assert ({"closed", "danger"} <= kinds) == blamed


@pytest.mark.parametrize(
    ("state", "opens_s", "blamed"), [(4, 48.5, False), (4, 49.2, True), (1, 48.5, True)]
)
def test_contactors_open_gently_when_the_other_direction_is_blocked_as_well(
    state, opens_s, blamed
):
    run = _run("cell_overvoltage", "cell_overvoltage", "", cell_mv=3700, off_s=2.0)
    for status in run.statuses:
        if "cell_overvoltage" in status["points"]["faults"]:
            status["points"]["charge_current_limit_ma"] = 0
        if status["t_s"] == 48:
            status["points"]["faults"].append("cell_undervoltage")
            status["points"]["discharge_current_limit_ma"] = 0
            status["points"]["path_state"] = state
    run.notes[0]["contact_trace"] = [[5_000_000, 3], [int(opens_s * 1e6), 0]]
    boot = _on_contactors(_boot("cell_overvoltage"))
    kinds = {violation.kind for violation in judge(boot, run).violations}
    assert ("closed" in kinds) == blamed


@pytest.mark.parametrize("open_before", [False, True])
def test_a_contact_that_is_open_anyway_need_not_be_called_stuck(open_before):
    run = _run("contactor_stuck_open", "cell_overvoltage", "", off_s=0.5)
    run.notes[0]["contact_trace"] = [[5_000_000, 3], [int(1e6 * _INJECT_S) - 500_000, 0]]
    if not open_before:
        run.notes[0]["contact_trace"][1][0] = int(1e6 * _INJECT_S) + 100_000
    boot = _on_contactors(_boot("contactor_stuck_open"))
    kinds = {violation.kind for violation in judge(boot, run).violations}
    assert ("not logged" in kinds) != open_before


def test_a_fault_from_the_start_may_not_keep_the_gates_from_closing_and_no_more():
    run = _silent()
    run.notes[0]["events"] = []
    for status in run.statuses:
        status["points"] = _status(0)["points"]
    run.notes[0]["trace"] = [[6_300_000, True, True]]
    episode = plan.Episode(("afe_crc_noise",), (0,), _MEND_S, 0, _CLEAR_S, _END_S, True)
    boot = dataclasses.replace(_boot("afe_crc_noise"), episodes=[episode])
    assert judge(boot, run).violations == []
    run.notes[0]["trace"] += [[20_000_000, False, True], [25_000_000, True, True]]
    assert [violation.kind for violation in judge(boot, run).violations] == ["opened"]


@pytest.mark.parametrize(("emptied_before", "blamed"), [(2, True), (3, False)])
@pytest.mark.parametrize("fault", ["leads_swapped", "afe_silent"])
def test_a_rebound_too_many_needs_as_many_before_it_and_a_cause(fault, emptied_before, blamed):
    run = _run(fault, "measurement_implausible", "cd", blind=True)
    log = run.notes[0]["events"]
    log[0][0] = 50
    empty, rebounds = map(_FAULTS.names.index, ("cell_undervoltage", "undervoltage_rebounds"))
    for number in range(emptied_before):
        log.append([number, 1, 10 + number, 1, empty, 0])
    log += [[51, 1, 42, 1, empty, 0], [52, 1, 42, 1, rebounds, 0]]
    violations = judge(_boot(fault), run).violations
    unexpected = "fault undervoltage_rebounds" in [violation.text for violation in violations]
    assert unexpected == (blamed or fault == "afe_silent")


def _short_on_contactors(other, *, reason, named=True, contacts=("positive", "negative")):
    """Two contactors that burned together while a short circuit flowed, for ever closed."""
    run = _run("short_circuit", "fuse_expected", "cd", blind=True, off_s=0.1, over_s=_END_S + 1)
    run.notes[0]["contact_trace"] = [[5_000_000, 3]]
    if len(contacts) < 2:
        run.notes[0]["contact_trace"].append([int(_INJECT_S * 1e6) + 20_000, 1])
    for status in run.statuses:
        if status["t_s"] > _INJECT_S:
            status["truth"]["fuse_blown"] = True
            status["truth"]["welds"] = [[contact, reason] for contact in contacts]
            status["truth"]["bus_mv"] = 0
    if named:
        for number, contact in enumerate(contacts):
            bit = _FAULTS.names.index(f"contactor_{contact}_welded")
            run.notes[0]["events"].append([2 + number, 1, 45, 1, bit, 0])
    run.notes[0]["events"].append([9, 1, 40, 1, _FAULTS.names.index("afe_restarted"), 0])
    faults = ("short_circuit", other)
    episode = plan.Episode(faults, (_INJECT_S, _INJECT_S), _MEND_S, 0, _CLEAR_S, _END_S)
    boot = dataclasses.replace(_on_contactors(_boot("short_circuit")), episodes=[episode])
    kinds = {violation.kind for violation in judge(boot, run).violations}
    return kinds - {"unexpected", "not shown"}  # of a run that was made up of another one's


_BREAKING = "breaking 2106 A"


def test_contacts_may_burn_only_where_their_supply_fails_under_current_and_are_named():
    assert _short_on_contactors("afe_reset", reason=_BREAKING) == set()
    assert _short_on_contactors("afe_reset", reason=_BREAKING, named=False) == {"not logged"}
    assert "burned" in _short_on_contactors("inverter_silent", reason=_BREAKING)
    assert "burned" in _short_on_contactors("afe_reset", reason="inrush of 2000 A")
    assert _short_on_contactors("afe_reset", reason=_BREAKING, contacts=("negative",)) == set()


@pytest.mark.parametrize(
    ("bus_mv", "closed_s", "kinds"),
    [(0, 3, set()), (0, 4, {"closed"}), (56000, 4, {"closed"}), (54000, 20, set())],
)
def test_a_path_behind_a_blown_fuse_is_closed_only_while_its_bus_does_not_tell(
    bus_mv, closed_s, kinds
):
    run = _run("short_circuit", "contactor_stuck_open", "cd", off_s=0.1, over_s=_END_S + 1)
    closes_us = 60_500_000
    run.notes[0]["contact_trace"] = [
        [5_000_000, 3], [40_100_000, 0], [closes_us, 3], [closes_us + closed_s * 1_000_000, 0],
    ]  # fmt: skip
    for status in run.statuses:
        status["truth"]["fuse_blown"] = status["t_s"] > _INJECT_S
        status["truth"]["bus_mv"] = bus_mv
    boot = _on_contactors(_boot("short_circuit"))
    assert {violation.kind for violation in judge(boot, run).violations} == kinds


def test_a_short_circuit_without_the_chip_is_left_to_the_software_and_must_be_off_by_then():
    faults = ("short_circuit", "afe_protections_off")
    episode = plan.Episode(faults, (_INJECT_S, _INJECT_S), _MEND_S, 0, _CLEAR_S, _END_S)
    boot = dataclasses.replace(_boot("short_circuit"), episodes=[episode])
    for off_s, kinds in ((1.26, set()), (1.27, {"late"})):
        run = _run("short_circuit", "fast_overcurrent_discharge", "d", off_s=off_s)
        assert {violation.kind for violation in judge(boot, run).violations} == kinds


@pytest.mark.parametrize(("inject_s", "kinds"), [(_INJECT_S, set()), (_INJECT_S - 0.1, {"late"})])
def test_a_chip_that_still_protected_when_the_short_circuit_came_had_to_end_it(inject_s, kinds):
    faults = ("short_circuit", "afe_protections_off")
    episode = plan.Episode(faults, (inject_s, _INJECT_S), _MEND_S, 0, _CLEAR_S, _END_S)
    boot = dataclasses.replace(_boot("short_circuit"), episodes=[episode])
    run = _run("short_circuit", "fast_overcurrent_discharge", "d", off_s=1.1)
    assert {"late"} & {violation.kind for violation in judge(boot, run).violations} == kinds


@pytest.mark.parametrize(
    ("other", "name", "kinds"),
    [
        ("cell_undervoltage", "cell_undervoltage", set()),
        ("cell_overvoltage", "cell_overvoltage", {"not logged", "not shown"}),
        ("inverter_silent", "cell_undervoltage", {"not logged", "not shown"}),
    ],
)
def test_who_opened_the_path_before_the_fuse_could_show_is_named_instead(other, name, kinds):
    run = _run("short_circuit", name, "cd", off_s=0.1, over_s=_END_S + 1)
    run.notes[0]["contact_trace"] = [[5_000_000, 3], [40_100_000, 0]]
    for status in run.statuses:
        status["truth"]["fuse_blown"] = status["t_s"] > _INJECT_S
    faults = ("short_circuit", other)
    episode = plan.Episode(faults, (_INJECT_S, _INJECT_S), _MEND_S, 0, _CLEAR_S, _END_S)
    boot = dataclasses.replace(_on_contactors(_boot("short_circuit")), episodes=[episode])
    assert {violation.kind for violation in judge(boot, run).violations} == kinds


def _on_contactors(boot):
    return dataclasses.replace(boot, pack=plan.CONTACTORS)


def test_contactors_may_carry_the_other_direction_and_not_the_blocked_one():
    assert _closed_contactors(0) == set()
    assert _closed_contactors(-20000) == set()
    assert {"late", "flows"} & _closed_contactors(20000)


@pytest.mark.parametrize(("over_s", "kinds"), [(78.5, set()), (77.5, {"not recovered"})])
def test_limits_begin_at_0_when_the_gates_have_just_come_on(over_s, kinds):
    run = _run("short_circuit", "short_circuit", "cd", off_s=0.001, over_s=over_s)
    for status in run.statuses:
        if status["t_s"] > over_s:
            status["points"]["charge_current_limit_ma"] = 0
    episode = plan.Episode(("short_circuit",), (_INJECT_S,), 45.0, 0, _CLEAR_S, _END_S)
    boot = plan.Boot(1, 0, plan.FETS, 0.5, True, [episode], [])
    assert {violation.kind for violation in judge(boot, run).violations} == kinds


@pytest.mark.parametrize(("inject_s", "kinds"), [(46.0, set()), (49.0, {"not recovered"})])
def test_what_failed_to_be_written_is_tried_again_after_a_pause(inject_s, kinds):
    """The longer it failed the longer the pause: after 9 s up to 13 s, after 6 s up to 10 s."""
    run = _run("flash_failing", "event_log_failed", "", over_s=68.5)
    episode = plan.Episode(("flash_failing",), (inject_s,), _MEND_S, 0, 68.0, _END_S)
    boot = plan.Boot(1, 0, plan.FETS, 0.5, True, [episode], [])
    assert {violation.kind for violation in judge(boot, run).violations} == kinds
