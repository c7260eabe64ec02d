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


def test_these_are_the_pins_of_the_board_file():
    source = (ROOT / "boards" / "pico" / "board.py").read_text()
    assert {int(number) for number in re.findall(r"\bPin\((\d+)", source)} == set(PINS)


def test_the_page_lists_exactly_these_pins():
    rows = re.findall(r"^\| (\d+) \| GP(\d+) \|", PAGE, re.MULTILINE)
    assert {int(name): int(pin) for pin, name in rows} == PINS


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
