"""What a person reads about the pack's health, and is led through to measure it."""

from array import array

import pytest

from bms import capacity, events
from bms.cell_model import CellModel
from bms.events import Events
from bms.health import LEAKY, PAIRS, WEAK, Health
from bms.points import PHASE_STALLED, STATE_FAULT
from bms.soc import EMPTY, FULL
from cells.lfp import CELL


@pytest.fixture
def health(board):
    """The board's health, of which nothing is known yet."""
    state = Health(board.points, board.parameters, CellModel(CELL), Events())
    board.services.battery.health = state
    board.publish(temperature_min_dc=150, temperature_max_dc=234, age_h=4_200, deep_cycles=3)
    return state


def learned(state):
    """95 Ah of 100 from 12 pairs; cell 2 is weak, cell 3 leaks, cell 4 grew by a third."""
    state.kept[0] = 95_000
    state.kept[PAIRS] = 12
    state.kept[WEAK] = 0b0010
    state.kept[LEAKY] = 0b0100
    for cell in range(4):
        state.resistance.restore(cell, 60_000 if cell == 3 else 45_000, 45_000)
    state.weak_bp = array("i", [120, -980, 0, 90])
    state.leak_ua = array("i", [100, -200, 5_040, 0])


def test_a_new_pack_has_nothing_to_show_yet(board, health):
    lines = board.ask("health")
    assert lines[0] == (
        "Capacity      not measured yet, 100.0 Ah is assumed; `measure capacity` leads through it"
    )
    assert lines[1] == "Resistance    not learned yet: needs steps of the current, above 0.1 C"
    assert lines[2] == (
        "Use           12 full cycles' worth, 3 deep discharges, guarded for 175 d 0 h"
    )
    assert lines[4] == "   1          --        --        --       --"


def test_it_says_that_the_charger_ends_below_full(board, health):
    assert not any("below full" in line for line in board.ask("health"))
    board.publish(charge_phase=PHASE_STALLED)
    assert (
        "Charging ends below full, so this can not be kept up to date: see `status`."
        in board.ask("health")
    )


def test_a_known_pack_is_a_table_with_a_line_for_each_cell(board, health):
    learned(health)
    board.publish(
        capacity_mah=95_000, capacity_sigma_mah=800, soh_bp=9_500, resistance_growth_bp=10_833
    )
    assert board.ask("health") == [
        "Capacity      95.0 Ah +- 0.8 Ah, health 95.0 %, from 12 measurements",
        "Resistance    0.487 mohm a cell at 25 C, 108.3 % of the first learned",
        "Use           12 full cycles' worth, 3 deep discharges, guarded for 175 d 0 h",
        "Cell  Resistance  of first  Capacity     Leak",
        "   1  0.450 mohm     100 %    +1.2 %   0.1 mA",
        "   2  0.450 mohm     100 %    -9.8 %  -0.2 mA  WEAK",
        "   3  0.450 mohm     100 %        --   5.0 mA  LEAKS",
        "   4  0.600 mohm     133 %    +0.9 %       --",
        "  WEAK: this cell holds less than the others, and ends charge and discharge for all.",
        "  Replace it, or live with the pack's capacity as it is.",
        "  LEAKS: this cell discharges itself. Something lies across it, or it is shorted inside,",
        "  which can grow: look after it soon, and do not leave the pack alone until then.",
        "Capacity and leak are against the other cells; docs/health.md says how they are found.",
    ]


def test_a_measurement_is_led_from_one_end_to_the_other(board, health):
    lines = board.ask("measure capacity")
    assert lines[0].startswith("The charge between full and empty is counted.")
    assert lines[2] == "Step 1 of 2: charge until the pack is full (now 81.2 %)."
    assert (
        lines[3] == "  Full counts with a cell at 3.450 V and the current below 5.00 A for 180 s."
    )
    assert lines[4] == "  With the present 12.5 A about 1 h 30 min are left."
    health.open_anchor(FULL, 10_000, 70, 0)
    health.anchor_minute = -80
    board.publish(soc_bp=6_000, current_ma=-20_000)
    lines = board.ask("measure capacity")
    assert lines[0] == (
        "Step 2 of 2: it was full 1 h 20 min ago. Now discharge until it is empty (now 60.0 %)."
    )
    assert lines[1].startswith("  Empty counts with a cell at 2.900 V for 10 s;")
    assert lines[3] == "  With the present 20.0 A about 3 h 0 min are left."
    assert lines[4] == "It must end within 2 d 5 h."
    health.pairs_seen = 1
    health.verdict, health.pair_mah, health.pair_sigma_mah = capacity.TAKEN, 84_300, 900
    health.kept[0] = 84_500
    health._show()
    lines = board.ask("measure capacity")
    assert lines[0] == "Measured: 84.3 Ah +- 0.9 Ah."
    assert lines[1].startswith("With all measurements before: 84.5 Ah +- ")
    assert lines[1].endswith(", 84.5 % of 100.0 Ah when new.")
    assert lines[2] == "That is normal for a pack that is in use."
    assert board.ask("measure capacity")[0].startswith("The charge between full and empty is")


def test_the_other_way_round_is_as_good(board, health):
    health.open_anchor(EMPTY, 0, 70, 0)
    lines = board.ask("measure capacity")
    assert lines[2].startswith("Step 2 of 2: it was empty 0 s ago. Now charge until it is full")


def test_no_current_the_needed_way_and_a_blocked_way_are_said(board, health):
    health.open_anchor(FULL, 10_000, 70, 0)
    assert "  Hardly any current flows that way now." in board.ask("measure capacity")
    board.publish(discharge_allowed=0)
    lines = board.ask("measure capacity")
    assert "  That way is blocked now: `status` says why." in lines


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({"state": STATE_FAULT}, "not simply in use"),
        ({"cell_min_mv": -(1 << 30)}, "nothing is measured"),
        ({"soc_bp": -(1 << 30)}, "nothing is measured"),
        ({"temperature_min_dc": 99}, "colder than 10"),
        ({"temperature_max_dc": 401}, "warmer than 40"),
    ],
)
def test_what_would_be_unsafe_or_useless_is_refused_with_the_reason(board, health, shown, reason):
    board.publish(**shown)
    (line,) = board.ask("measure capacity")
    assert line.startswith("Not now: ")
    assert reason in line
    assert health.measuring == -1


def test_a_measurement_can_be_left_and_ended(board, health):
    board.ask("measure capacity")
    assert health.measuring == 0
    assert board.ask("measure stop")[0].startswith("No measurement is asked for any more.")
    assert health.measuring == -1


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (capacity.TOO_LITTLE, "too little charge"),
        (capacity.TEMPERATURE, "colder than 10 or warmer than 40"),
        (capacity.TOO_LONG, "too long"),
        (capacity.IMPLAUSIBLE, "check design_capacity_mah and shunt_microohm"),
        (capacity.SURPRISING, "measure again"),
    ],
)
def test_why_a_measurement_was_not_taken_is_said(board, health, verdict, words):
    board.ask("measure capacity")
    health.pairs_seen, health.verdict = 1, verdict
    lines = board.ask("measure capacity")
    assert lines[0].startswith("This measurement was not taken: ")
    assert words in lines[0]
    assert len(lines) == 1


def test_no_request_is_ever_posted(board, health):
    for command in ("measure capacity", "measure stop", "health"):
        board.ask(command)
        assert board.requests.pending == 0


def test_anything_else_shows_the_usage(board, health):
    assert board.ask("measure") == ["Usage: measure capacity|stop"]
    assert board.ask("measure voltage") == ["Usage: measure capacity|stop"]


def test_an_unconfigured_board_has_no_health(new_board):
    new_board.services.battery.health = None
    for command in ("health", "measure capacity"):
        assert new_board.ask(command) == ["There is no configuration: `status` says what to do."]


def test_the_log_names_the_cells(board):
    board.services.events_log.written = [
        (1, 1, 1, events.CELLS, 0, 0b1001),
        (2, 1, 2, events.CELLS, 1, 0),
        (3, 1, 3, events.CELLS, 2, 0x8001),
    ]
    lines = board.ask("log")
    assert lines[0].endswith(": weak cells: 1, 4")
    assert lines[1].endswith(": leaking cells: none")
    assert lines[2].endswith(": weak cells: 17, 32")


def test_the_status_names_the_cells(board):
    board.publish(weak_cells=0b1001, leaky_cells=0b0010)
    lines = board.ask("status")
    assert "  Cells that are weak: 1, 4; `health` says more." in lines
    assert "  Cells that are leaking: 2; `health` says more." in lines
    board.publish(weak_cells=[0, 0x8001])
    assert "  Cells that are weak: 17, 32; `health` says more." in board.ask("status")
    board.publish(weak_cells=[0, 0], leaky_cells=-(1 << 30))
    assert not [line for line in board.ask("status") if "Cells that are" in line]
