"""The calibration file: whole or not at all, in range, of this pack; what is wrong is named."""

import json
from array import array

import pytest

from bms import calibration
from storage.calibration import CalibrationError, SavedCalibration
from storage.slots import checksum

CELLS = 4
RIGHT = array("i", [7000 // 10, -900, 6000, -30000, 900, -900, 0, 1])
CHIP = 123456


def load(directory, cells=CELLS):
    saved = SavedCalibration(str(directory), cells)
    saved.load()
    return saved


def write(directory, slot="a", sequence=1, **values):
    """A file as a program or a person could write it, with a checksum that fits."""
    (directory / f"calibration_{slot}.json").write_text(
        json.dumps(
            {
                "format": 1,
                "sequence": sequence,
                "calibration": values,
                "crc32": checksum(sequence, values),
            }
        )
    )


def test_without_a_file_there_is_no_calibration_and_nothing_is_wrong(tmp_path):
    saved = load(tmp_path)
    assert saved.corrections is None
    assert saved.problems == []


def test_what_was_saved_is_there_after_a_restart(tmp_path):
    load(tmp_path).save(RIGHT, CHIP)
    saved = load(tmp_path)
    assert saved.corrections == RIGHT
    assert saved.chip == CHIP
    (file,) = tmp_path.glob("calibration_*.json")
    values = json.loads(file.read_text())["calibration"]
    assert values["current"] == 6000
    assert values["zero_nv"] == -30000
    assert values["cell_1"] == 900
    assert "cell_3" not in values


def test_a_cleared_calibration_is_none_and_nothing_is_wrong(tmp_path):
    saved = load(tmp_path)
    saved.save(RIGHT, CHIP)
    saved.save(None, CHIP)
    saved = load(tmp_path)
    assert saved.corrections is None
    assert saved.problems == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"chip": 1, "cells": 4, "cell_2": 2001}, "'cell_2' is 2001, more than 2000"),
        ({"chip": 1, "cells": 4, "cell_2": -2001}, "'cell_2' is -2001, more than 2000"),
        ({"chip": 1, "cells": 4, "stack": 3001}, "'stack'"),
        ({"chip": 1, "cells": 4, "bus": -5001}, "'bus'"),
        ({"chip": 1, "cells": 4, "current": 10001}, "'current'"),
        ({"chip": 1, "cells": 4, "zero_nv": 1 << 40}, "'zero_nv'"),
        ({"chip": 1, "cells": 16, "stack": 1}, "made for 16 cells, and this pack has 4"),
        ({"chip": 1, "stack": 1}, "made for unknown cells"),
        ({"cells": 4, "stack": 1}, "refused"),
        ({"chip": 1, "cells": 4, "cell_5": 1}, "'cell_5' can not be calibrated"),
    ],
)
def test_what_is_out_of_range_or_of_another_pack_is_refused_as_a_whole(tmp_path, values, words):
    write(tmp_path, **values)
    saved = load(tmp_path)
    assert saved.corrections is None
    assert words in saved.problems[0]
    assert saved.problems[0].startswith("calibration_a.json is refused")


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff" * 40, b'{"format": 1}'])
def test_a_damaged_file_is_named_and_the_one_before_is_used(tmp_path, damage):
    saved = load(tmp_path)
    saved.save(RIGHT, CHIP)
    saved.save(calibration.blank(CELLS), CHIP)
    newest = max(
        tmp_path.glob("*.json"), key=lambda file: json.loads(file.read_text())["sequence"]
    )
    newest.write_bytes(damage)
    saved = load(tmp_path)
    assert saved.corrections == RIGHT
    assert newest.name in saved.problems[0]
    saved.save(calibration.blank(CELLS), CHIP)  # replaces the damaged one
    assert load(tmp_path).problems == []


def test_a_flipped_digit_does_not_pass_the_checksum(tmp_path):
    load(tmp_path).save(RIGHT, CHIP)
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text().replace("6000", "6001"))
    saved = load(tmp_path)
    assert saved.corrections is None
    assert "crc32" in saved.problems[0]


def test_a_flash_that_refuses_leaves_what_was_saved(tmp_path):
    saved = load(tmp_path)
    saved.save(RIGHT, CHIP)
    (tmp_path / "calibration_new.json").mkdir()
    with pytest.raises(CalibrationError, match="the calibration before stays saved"):
        saved.save(calibration.blank(CELLS), CHIP)
    assert load(tmp_path).corrections == RIGHT


@pytest.mark.parametrize(
    ("before", "shown", "true", "wanted"),
    # By hand: 3.350 V instead of 3.300 V is 1.5151 % too much, so the gain is 1.4925 % too large.
    [(0, 3350, 3300, -1493), (0, 3300, 3300, 0), (1000, 3300, 3300, 1000), (0, 1000, 1001, 100)],
)
def test_a_gain_turns_what_is_shown_into_what_is_true(before, shown, true, wanted):
    assert calibration.gain(before, shown, true) == wanted
