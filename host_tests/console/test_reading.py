"""What a person reads: status, cells, faults, settings and values."""

import pytest

from bms import point_words, points
from bms.table import INVALID


def test_status_says_first_that_all_is_well(board):
    lines = board.ask("status")
    assert lines[0] == "All is well: the pack is guarded and nothing is blocked."
    assert lines[1] == "Pack          13.31 V  +12.5 A  +166 W"
    assert lines[2] == "Charge        81.2 %, 81.2 Ah of 100.0 Ah, health 100.0 %, 12 cycles"
    assert lines[3] == "Estimate      80.1 % +-2.1 %, synced; full 3 d 4 h ago"
    assert lines[4] == "Cells         3.312 V (cell 2) to 3.341 V (cell 4), spread 29 mV"
    assert lines[5] == "Temperatures  -1.5 C to 23.4 C, board 31.0 C"
    assert lines[6] == "Gates         charge on, discharge on"
    assert lines[7] == "Power path    on"
    assert lines[8] == "May charge    50.0 A up to 14.00 V; bulk: maximum"
    assert lines[9] == "May discharge 100.0 A down to 12.00 V: warm cells"
    assert lines[10] == "Asks for      a full charge is due"
    assert lines[11] == "Balancing     --"
    assert lines[12] == "State         active, running for 3 h 12 min"
    assert lines[13] == "Started       12 times; by the watchdog in the last ten minutes: 0"


def test_status_says_what_the_state_of_charge_is_worth(board):
    board.publish(soc_quality=0, full_age_h=INVALID)
    assert "Estimate      unknown; not charged full yet" in board.ask("status")
    board.publish(soc_quality=1, full_age_h=0)
    lines = board.ask("status")
    assert "Estimate      80.1 % +-2.1 %, estimating; full less than an hour ago" in lines
    board.publish(soc_quality=INVALID)
    assert "Estimate      --" in board.ask("status")


def test_status_of_a_new_board_says_that_it_does_not_guard_and_what_to_do(new_board):
    text = "\n".join(new_board.ask("status"))
    assert text.startswith("NOT GUARDING: there is no valid configuration, the gates are off.")
    assert "`set` at least chemistry, series_cells, design_capacity_mah, then `save`" in text


def test_status_names_the_blocked_direction_the_cause_and_the_remedy(board):
    board.publish(state=points.STATE_FAULT, charge_allowed=0, gates=2)
    board.raise_faults("faults", "cell_overvoltage")
    lines = board.ask("status")
    assert lines[0] == "NOT WELL: charging is blocked."
    assert lines[1].startswith("  fault cell_overvoltage: A cell is above its limit: let the pack")
    assert "Gates         charge off, discharge on" in lines


@pytest.mark.parametrize("direction", ["charge", "discharge"])
def test_status_does_not_say_all_is_well_while_a_direction_is_forbidden(board, direction):
    """As after E1 of JBD: no fault, no warning, and a gate that stays open."""
    board.publish(**{direction + "_allowed": 0})
    headline = board.ask("status")[0]
    assert headline.startswith("Guarding, but %s" % direction.replace("ge", "ging"))
    assert "`gates auto`" in headline


def test_status_tells_warnings_from_faults(board):
    board.raise_faults("warnings", "undertemperature_charge")
    lines = board.ask("status")
    assert lines[0] == "Guarding and nothing is blocked, but there are warnings."
    assert lines[1].startswith("  warning undertemperature_charge: ")


@pytest.mark.parametrize("state", range(len(point_words.STATES)))
def test_status_has_words_for_every_state(board, state):
    board.publish(state=state)
    lines = board.ask("status")
    assert lines[0].endswith(".")
    assert lines[-2].startswith("State         " + point_words.STATES[state])


def test_values_without_a_measurement_read_as_missing_and_the_age_is_told(board):
    blank = ("pack_voltage_mv", "current_ma", "power_w", "cell_min_mv", "cell_min_index")
    board.publish(**dict.fromkeys(blank, INVALID), measurement_age_ms=12_300)
    lines = board.ask("status")
    assert "Pack          --  --  --" in lines
    assert "Cells         -- (cell --) to 3.341 V (cell 4), spread 29 mV" in lines
    assert "State         active, running for 3 h 12 min, last measured 12 s ago" in lines


def test_the_console_answers_before_the_first_step_published_anything(new_board):
    new_board.points.live[:] = type(new_board.points.live)(
        "i", [INVALID] * len(new_board.points.live)
    )
    assert new_board.ask("status")[0].startswith("Starting")
    assert new_board.ask("faults") == ["No faults.", "No warnings."]
    assert new_board.ask("get state")[0].split() == ["state", "starting"]


def test_cells_are_counted_from_1_and_the_extremes_are_marked(board):
    lines = board.ask("cells")
    assert lines[0].split() == [
        "Cell",
        "Voltage",
        "2.700",
        "V",
        "to",
        "3.650",
        "V",
        "From",
        "mean",
    ]
    # 620 of 950 mV above the undervoltage trip are 15 of 24 characters.
    assert lines[1] == "   1  3.320 V  [###############.........]     -8 mV"
    assert lines[2].endswith("    -16 mV  lowest")
    assert lines[4].endswith("     13 mV  highest balancing")
    assert lines[5] == "Mean 3.328 V, spread 29 mV"
    assert lines[6] == "Cell sensors  -1.5 C  23.4 C"


def test_cells_without_a_trustworthy_measurement_are_not_shown(board):
    board.publish(cell_voltage_mv=[INVALID] * 4)
    assert board.ask("cells") == [
        "There is no trustworthy measurement of the cells; `status` says why."
    ]


def test_faults_say_what_they_block_whether_they_stay_and_what_to_do(board):
    board.raise_faults("faults", "overcurrent_charge", "short_circuit")
    board.raise_faults("warnings", "cell_undervoltage")
    assert board.ask("faults") == [
        "2 faults:",
        "  overcurrent_charge, blocks charging",
        "    Charge current above its limit: lower the charger's current.",
        "  short_circuit, blocks charging and discharging; stays until `clear`",
        "    The measuring chip saw a short circuit: find it, then clear this fault.",
        "1 warning:",
        "  cell_undervoltage",
        "    A cell is below its limit: charge the pack.",
    ]


@pytest.mark.parametrize("state", range(len(point_words.PATH_STATES)))
def test_status_has_words_for_every_state_of_the_power_path(board, state):
    board.publish(path_state=state, limited=1)
    words = point_words.PATH_STATES[state].replace("_", " ")
    assert f"Power path    {words}, limited current only" in board.ask("status")
    assert board.ask("get path_state")[0].split() == ["path_state", point_words.PATH_STATES[state]]


def test_status_says_why_contactors_stay_open_and_what_to_do(board):
    board.publish(
        path_state=points.PATH_BUS_ABOVE, gates=0, bus_voltage_mv=56000, pack_voltage_mv=44800
    )
    lines = board.ask("status")
    assert lines[0] == "Guarding and nothing is blocked, but the contactors are open: see below."
    assert (
        "  The contactors stay open: something holds the bus (56.00 V) above the pack (44.80 V)."
        in lines
    )
    assert any("Lower the charger's voltage" in line for line in lines)


def test_status_says_that_the_charger_ended_below_full_and_what_to_do(board):
    board.publish(charge_phase=points.PHASE_STALLED)
    lines = board.ask("status")
    at = next(at for at, line in enumerate(lines) if "ended below full" in line)
    assert lines[at].endswith("A cell has to reach 3.450 V.")
    assert lines[at + 1].startswith("  Raise it to 14.00 V:")
    assert any(line.startswith("May charge") and "14.00 V; stalled:" in line for line in lines)
    board.publish(charge_phase=0)
    assert not any("below full" in line for line in board.ask("status"))


def test_status_and_faults_name_the_lead_and_the_failed_checks(board):
    board.publish(suspect_lead=3, self_test_failed=0b1001_1000)
    expected = [
        "  The start-up self-test failed at: balance switches, cell wires, clock.",
        "  Look at balance lead 3, the 4th from pack minus.",
    ]
    assert board.ask("status")[1:3] == expected
    assert board.ask("faults")[-2:] == expected
    board.publish(suspect_lead=0, self_test_failed=0)
    assert board.ask("faults")[-1] == "  Look at balance lead 0, the 1st from pack minus."


def test_the_restarts_by_the_watchdog_are_told(board):
    board.publish(boots=31, watchdog_resets=2)
    assert "Started       31 times; by the watchdog in the last ten minutes: 2" in board.ask(
        "status"
    )


def test_no_faults_read_as_such(board):
    assert board.ask("faults") == ["No faults.", "No warnings."]


def test_get_alone_lists_every_setting(board):
    lines = board.ask("get")
    names = [line.split()[0] for line in lines]
    parameters = board.parameters
    assert names == [parameters.names.name(index) for index in range(len(parameters))]


def test_get_with_a_part_of_a_name_lists_settings_and_values(board):
    lines = [" ".join(line.split()) for line in board.ask("get full_cell")]
    assert lines == ["full_cell_mv 3450 mV 1500 to 4500"]
    assert ["soc_bp", "81.2", "%"] in [line.split() for line in board.ask("get soc")]
    assert board.ask("get temperature_dc")[0].split()[1:] == ["-1.5", "C", "23.4", "C"]


def test_get_of_one_setting_explains_it(board):
    lines = board.ask("get cell_overvoltage_trip_mv")
    assert lines[0] == "cell_overvoltage_trip_mv = 3650 mV"
    assert lines[1] == "  A cell above this blocks charging"
    assert lines[2].startswith(
        "  Allowed: 1500 to 3800 for lfp cells. When set: the gates open for some seconds"
    )


def test_get_of_an_unknown_name_offers_names_that_share_a_word(board):
    (line,) = board.ask("get cell_overvolt_limit")
    assert line.startswith("Nothing is named 'cell_overvolt_limit'. Did you mean ")
    assert "cell_" in line
    assert board.ask("get xyzzy") == ["Nothing is named 'xyzzy'. `get` lists all settings."]


def test_the_access_code_is_never_shown(locked_board):
    assert locked_board.ask("get access_code")[0] == "access_code = (set, not shown)"
    assert "4321" not in "\n".join(locked_board.ask("get"))


def test_version_says_what_runs(board):
    assert board.ask("version") == ["Cellsteward 1.2.3"]


def test_raw_gives_programs_every_value_and_no_secret(locked_board):
    lines = locked_board.ask("raw")
    assert lines[-1] == "raw end"
    values = dict(line.split("=") for line in lines[:-1])
    assert values["current_ma"] == "12500"
    assert len(values["faults"].split()) == 4
    assert values["series_cells"] == "4"
    assert "access_code" not in values
    assert "4321" not in values.values()
