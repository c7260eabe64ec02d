"""The whole firmware with an inverter of each family: it obeys, and the link says who it is."""

import pytest

from bms.fault_rows import ROWS as FAULT_ROWS
from bms.point_words import STATES
from bms.table import INVALID, rows
from cellsteward import doctor
from cellsteward.can_layout import profile_names
from host_tests.system.simulated_board import SETTINGS, run_board
from links import peer_rows, verdict_rows

PEERS = [row[0] for row in rows(peer_rows.ROWS)]
FAULTS = [row[0] for row in rows(FAULT_ROWS)]
VERDICTS = [row[4] for row in rows(verdict_rows.ROWS)]
LOAD_A = 25.0


@pytest.mark.evidence("an inverter obeys, and is known", "the whole firmware")
@pytest.mark.parametrize(
    ("profile", "peer"),
    [
        ("victron", "victron"),
        ("sma", "sma"),
        ("growatt_lv", "growatt"),
        ("byd_hv", "byd_client"),
        ("auto", "pylontech_can"),
    ],
)
def test_an_inverter_obeys_and_is_known(tmp_path, profile, peer):
    load = tmp_path / "load.csv"
    load.write_text(f"t_s,I_A\n0,{-LOAD_A}\n100,{-LOAD_A}\n")
    story = run_board(
        tmp_path,
        duration_s=45,
        settings={**SETTINGS, "inverter_profile": 1 + profile_names().index(profile)},
        load=str(load),
        load_obeys=True,
    )
    assert story.end["reason"] == "duration", story.output
    last = story.statuses[-2]
    assert last["truth"]["current_ma"] == pytest.approx(-1000 * LOAD_A, abs=500), story.output
    assert PEERS[last["points"]["link_peer"][0]] in (peer, "deye")
    assert VERDICTS[last["points"]["link_verdict"][0]] == "can_well"
    lines = list(doctor.report(values(last)))
    assert any(line.startswith("  CAN: Frames go out, and the inverter") for line in lines)
    assert not any("fault" in line.lower() for line in lines), lines


def values(status):
    """What `cellsteward doctor` reads of a device that shows these points."""
    found = {"inverter_profile": [1]}
    for name, shown in status["points"].items():
        if name == "state":
            found[name] = [STATES.index(shown)]
        elif name in ("faults", "warnings"):
            found[name] = [0] * 4
            for fault in shown:
                found[name][FAULTS.index(fault) >> 4] |= 1 << (FAULTS.index(fault) & 15)
        else:
            listed = shown if isinstance(shown, list) else [shown]
            found[name] = [INVALID if value is None else value for value in listed]
    return found


@pytest.mark.parametrize(
    ("fault", "verdict", "said"),
    [
        ("can_no_peer", "can_no_acknowledge", "measure 60 ohm between the lines"),
        ("inverter_silent", "can_never_heard", "look whether the plug is in the CAN socket"),
        ("can_bus_off", "can_bus_off", "unplug the inverter"),
    ],
)
def test_the_doctor_names_what_is_wrong_on_can(tmp_path, fault, verdict, said):
    story = run_board(tmp_path, duration_s=45, settings=SETTINGS, faults=[fault])
    last = story.statuses[-2]
    assert VERDICTS[last["points"]["link_verdict"][0]] == verdict, last["points"]
    report = "\n".join(doctor.report(values(last)))
    assert said in report
    if verdict != "can_never_heard":
        assert "Communication fault:\n  - CAN is not well" in report
        assert "does not hear it: see CAN" in report
        assert "works by voltage only:" in report
