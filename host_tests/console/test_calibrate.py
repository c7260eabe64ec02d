"""Calibrating on the console: compared, refused where it can not be, saved, shown again."""

from array import array
from types import SimpleNamespace

import pytest

from bms.parameters import APPLIES_AFE
from bms.table import INVALID
from host_tests.console.conftest import CELLS_MV
from starting.calibrating import Calibrator

CHIP = 777
CELLS = 4
BLANK = array("i", [0] * 8)


class Chip:
    """A chip that takes a calibration one pause after it was saved, and is busy for another."""

    def __init__(self, board, directory):
        self.image = SimpleNamespace(offered=None, offered_trim=0, corrections=None, trim=CHIP)
        self.board = board
        self.busy = -1  # pauses until it measures again
        self.readings = []  # points to show from pause to pause
        board.services.calibrator = Calibrator(directory, self.image, CELLS, self.reprogram)
        board.services.battery.step = self.step

    def reprogram(self, applies):
        assert applies == APPLIES_AFE
        self.busy = 2

    def step(self):
        if self.readings:
            self.board.publish(**self.readings.pop(0))
        battery = self.board.services.battery
        if self.busy >= 0:
            battery.preparing = self.busy == 1
            self.busy -= 1
            if self.busy == 0:
                self.image.corrections = self.image.offered


@pytest.fixture
def chip(board):
    board.publish(balancing=0, bus_voltage_mv=13_300)
    return Chip(board, board.directory)


def test_alone_it_says_how(board, chip):
    lines = board.ask("calibrate")
    assert "meter" in lines[0]
    assert any("calibrate cell 1 3.312" in line for line in lines)


def test_a_new_board_is_asked_for_its_settings_first(new_board):
    assert new_board.ask("calibrate")[0].startswith("First `set` at least")


def test_a_cell_is_shown_noted_saved_and_shown_again(board, chip):
    assert board.ask("calibrate cell 2") == [
        "The cell 2 reads 3.312 V. Type the command again with the meter's volts behind it."
    ]
    # 3300/3312 - 1 = -0.362 %
    assert board.ask("calibrate cell 2 3.300") == [
        "Noted: the cell 2 reads 3.312 V, the meter 3.300 V: -0.36 % in all. "
        "`calibrate done` saves it."
    ]
    assert "Not saved yet: cell 2 shows 3.312 V, the meter 3.300 V." in board.ask("calibrate")
    lines = board.ask("calibrate done")
    assert lines[0].startswith("Saved.")
    assert lines[1] == "  cell 2   before 3.312 V, meter 3.300 V, now 3.312 V"
    assert list(chip.image.offered) == [0, 0, 0, 0, 0, -362, 0, 0]
    assert chip.image.offered_trim == CHIP
    assert board.ask("calibrate show") == [
        "  cell 2   -0.36 %",
        "1 correction in force, for the chip with the number 777.",
    ]
    assert board.ask("calibrate done") == ["Nothing is noted: `calibrate` says how."]


def test_the_mean_of_three_seconds_counts_not_one_reading(board, chip):
    chip.readings = [{"cell_voltage_mv": (3_320, 3_312 + n % 2, 3_339, 3_341)} for n in range(12)]
    board.ask("calibrate cell 2 3.3125")  # more decimals than a meter needs: refused
    assert board.console.calibration is None
    board.ask("calibrate cell 2 3.312")
    assert board.console.calibration[0][5] == -15  # 3312 of 3312.5


def test_a_reading_that_moves_is_refused(board, chip):
    chip.readings = [{"cell_voltage_mv": (3_320, 3_312 + n, 3_339, 3_341)} for n in range(12)]
    lines = board.ask("calibrate cell 2 3.300")
    assert lines[0].startswith("The reading is not steady, it moved from 3.312 V to 3.323 V")
    assert board.console.calibration is None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("calibrate cell 2 3.240", "the cell 2 would be corrected by -2.17 %, and no good board"),
        ("calibrate cell 2 33.12", "more than 2.00 %"),
        ("calibrate pack 14.0", "the pack would be corrected by 5.17 %"),
        ("calibrate bus 12.0", "the bus would be corrected by -9.77 %"),
        ("calibrate current 14.0", "the current would be corrected by 12.00 %"),
        ("calibrate cell 5 3.3", "Cells count from 1 at pack minus to 4."),
        ("calibrate cell 0 3.3", "Cells count from 1"),
        ("calibrate current -12.0", "the sign differs"),
        ("calibrate current 1.9", "Take at least 2.00 A"),
        ("calibrate cell x 3.3", "Usage: calibrate"),
        ("calibrate cell 1 a", "Usage: calibrate"),
        ("calibrate cell 1 3..3", "Usage: calibrate"),
        ("calibrate everything", "Usage: calibrate"),
        ("calibrate zero 1", "Usage: calibrate"),
    ],
)
def test_what_can_not_be_is_refused_in_words(board, chip, command, words):
    board.publish(bus_voltage_mv=13_300)
    assert words in " ".join(board.ask(command))
    assert board.console.calibration is None


def test_nothing_is_noted_while_nothing_is_measured(board, chip):
    board.publish(cell_voltage_mv=(INVALID,) * 4, current_ma=INVALID, bus_voltage_mv=0)
    assert "Nothing is measured there now" in board.ask("calibrate cell 1 3.3")[0]
    assert "Nothing is measured there now" in board.ask("calibrate zero")[0]
    assert "too little to be compared" in board.ask("calibrate bus 13.3")[0]
    board.publish(cell_voltage_mv=CELLS_MV, balancing=0b1)
    assert "being balanced" in board.ask("calibrate cell 1 3.3")[0]
    board.publish(balancing=0)
    chip.image.trim = 0
    assert "not programmed yet" in board.ask("calibrate cell 1 3.32")[0]


def test_the_current_is_corrected_after_its_zero(board, chip):
    """By hand: 100 mA at 500 microohm are 50 uV; 12.5 A then are 12.4 A, truly they are 12.0."""
    board.publish(current_ma=100)
    assert "50.0 uV in all" in board.ask("calibrate zero")[0]
    board.publish(current_ma=12_500)
    assert "-3.23 % in all" in board.ask("calibrate current 12.0")[0]
    assert list(board.console.calibration[0][:4]) == [0, 0, -3226, 50_000]


def test_a_second_calibration_goes_on_from_the_first(board, chip):
    chip.image.corrections = array("i", [0, 0, 0, 0, 0, -1000, 0, 0])
    # 0.99 * 3320/3312 - 1 = -0.761 %
    board.ask("calibrate cell 2 3.320")
    assert board.console.calibration[0][5] == -761


def test_a_locked_console_shows_but_does_not_change(locked_board):
    chip = Chip(locked_board, locked_board.directory)
    locked_board.publish(cell_voltage_mv=CELLS_MV, balancing=0)
    locked_board.ask("calibrate cell 2 3.300")
    assert locked_board.ask("calibrate done")[0].startswith("Locked:")
    assert locked_board.ask("calibrate clear")[0].startswith("Locked:")
    assert chip.image.offered is None
    assert locked_board.ask("calibrate show")[0].startswith("No corrections in force")


def test_it_can_be_dropped_and_cleared(board, chip):
    board.ask("calibrate cell 2 3.300")
    assert "forgotten" in board.ask("calibrate drop")[0]
    assert board.console.calibration is None
    board.ask("calibrate cell 2 3.300")
    board.ask("calibrate done")
    assert board.ask("calibrate clear")[0].startswith("Cleared:")
    assert chip.image.offered is None
    fresh = Calibrator(board.directory, chip.image, CELLS, None)
    assert fresh.offer() == []
    assert chip.image.offered is None


def test_a_calibration_of_another_chip_is_named(board, chip):
    chip.image.offered, chip.image.offered_trim = BLANK, 1
    lines = board.ask("calibrate show")
    assert lines[0] == "Not used: it is of another measuring chip (1, this one is 777)."


def test_a_flash_that_refuses_is_told_and_the_comparison_is_kept(board, chip, tmp_path):
    board.ask("calibrate cell 2 3.300")
    (tmp_path / "calibration_new.json").mkdir()
    assert board.ask("calibrate done")[0].startswith("Refused: the flash refused to write")
    assert board.console.calibration is not None
    assert not board.console.idle()
