"""What a person solders from must be what the board file drives."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "boards" / "pico.md").read_text()
DRAWING = ROOT / "docs" / "images" / "pico_wiring.svg"

# GP number: pin of the board. Raspberry Pi Pico data sheet, pinout.
PINS = {2: 4, 3: 5, 4: 6, 5: 7, 8: 11, 9: 12, 10: 14, 16: 21, 17: 22, 18: 24, 19: 25, 22: 29}
# What only some packs have: contactors and their contacts, interlock, outputs, current sensor.
MORE_PINS = {
    11: 15, 12: 16, 13: 17, 26: 31, 27: 32, 28: 34, 15: 20, 20: 26, 21: 27, 14: 19, 6: 9, 7: 10,
}  # fmt: skip
CLOSE = (11, 12, 13)  # coils
OUTPUTS = (20, 21, 14)


def test_these_are_the_pins_of_the_board_file():
    source = (ROOT / "boards" / "pico" / "board.py").read_text()
    numbers = [int(number) for number in re.findall(r"\bPin\((\d+)", source)]
    assert len(numbers) == len(set(numbers)), "one pin for two purposes"
    assert set(numbers) == set(PINS) | set(MORE_PINS)


def test_the_page_lists_exactly_these_pins():
    rows = re.findall(r"^\| (\d+) \| GP(\d+) \|", PAGE, re.MULTILINE)
    assert len(rows) == len(PINS) + len(MORE_PINS)
    assert {int(name): int(pin) for pin, name in rows} == PINS | MORE_PINS


@pytest.mark.parametrize("number", CLOSE + OUTPUTS)
def test_what_switches_by_a_high_level_is_pulled_down_and_off_in_reset(number):
    row = re.search(rf"^\| \d+ \| GP{number} \|.*$", PAGE, re.MULTILINE)[0]
    assert "10 kΩ to ground" in row
    assert "pull-down" in row and "**off**" in row


def test_the_readme_sketches_exactly_these_pins():
    sketch = (ROOT / "README.md").read_text().split("## Build it")[1].split("```")[1]
    left = {int(gp): int(pin) for gp, pin in re.findall(r"GP(\d+) +\((\d+)\)", sketch)}
    right = {int(gp): int(pin) for pin, gp in re.findall(r"\((\d+)\) GP(\d+)", sketch)}
    assert left | right == PINS


def test_the_drawing_names_exactly_these_pins_side_by_side():
    texts = [
        (element.text or "", element.get("y"))
        for element in ET.parse(DRAWING).iter("{http://www.w3.org/2000/svg}text")
    ]
    named = [(int(text[2:]), y) for text, y in texts if re.fullmatch(r"GP\d+", text)]
    numbered = {(int(text[4:]), y) for text, y in texts if re.fullmatch(r"pin \d+", text)}
    assert sorted(gp for gp, _ in named) == sorted(PINS)
    for gp, y in named:
        assert (PINS[gp], y) in numbered


@pytest.mark.parametrize(("pull_down_kohm", "volts"), [(50, "3.02 V"), (80, "3.12 V")])
def test_the_pull_up_leaves_the_off_lines_high(pull_down_kohm, volts):
    assert f"{3.3 * pull_down_kohm / (pull_down_kohm + 4.7):.2f} V" == volts
    assert f"({pull_down_kohm} + 4.7) = {volts}" in PAGE
    high = 0.66 * 1.8  # BQ76952 data sheet, Digital I/O
    assert float(volts.split()[0]) > high + 1.8
