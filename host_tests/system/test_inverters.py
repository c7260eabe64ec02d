"""The whole firmware with an inverter of each family: it obeys, and the link says who it is."""

import pytest

from bms.table import rows
from cellsteward.can_layout import profile_names
from host_tests.system.simulated_board import SETTINGS, run_board
from links import peer_rows, verdict_rows

PEERS = [row[0] for row in rows(peer_rows.ROWS)]
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
