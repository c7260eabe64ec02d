"""What a person solders from must be what the board files drive."""

import re
import xml.etree.ElementTree as ET

import pytest

from cellsteward import board_docs, board_files
from cellsteward.generated_docs import DOCS
from host_tests.boot.board_flash import ROOT

PICO = (DOCS / "boards" / "pico.md").read_text()
PICO_DRAWING = DOCS / "images" / "pico_wiring.svg"
SVG_TEXT = "{http://www.w3.org/2000/svg}text"
BOARDS = sorted(board_docs.SHAPES)

# GP number: pin of the board. Raspberry Pi Pico data sheet, pinout.
PINS = {2: 4, 3: 5, 4: 6, 5: 7, 8: 11, 9: 12, 10: 14, 16: 21, 17: 22, 18: 24, 19: 25, 22: 29}
# What only some packs have: contactors and their contacts, interlock, outputs, current sensor.
MORE_PINS = {
    1: 2, 11: 15, 12: 16, 13: 17, 26: 31, 27: 32, 28: 34, 15: 20, 20: 26, 21: 27, 14: 19, 6: 9,
    7: 10,
}  # fmt: skip


def table_rows(page):
    """Number of the GPIO: its row, of a board's page."""
    rows = re.findall(r"^(\| [\w-]+ \| (?:GP|IO)(\d+) \|.*)$", page, re.MULTILINE)
    assert len(rows) == len({number for _, number in rows}), "a pin stands twice"
    return {int(number): row for row, number in rows}


def test_pages_and_drawings_are_what_the_board_files_say():
    assert board_docs.main(["--check"]) == 0


@pytest.mark.parametrize("board", board_files.names())
def test_every_board_has_a_page_that_names_every_wire(board):
    page = (DOCS / "boards" / f"{board}.md").read_text()
    assert set(table_rows(page)) == set(board_files.pins(board).values())
    assert f"{board}_pins.svg" in page
    assert f"({board}.md)" in (DOCS / "boards" / "wiring.md").read_text()


@pytest.mark.parametrize("board", BOARDS)
def test_what_switches_by_a_high_level_is_pulled_down_and_off_in_reset(board):
    rows = table_rows((DOCS / "boards" / f"{board}.md").read_text())
    pins = board_files.pins(board)
    for purpose in ("positive_coil", "negative_coil", "precharge_coil", "alarm", "heater", "fan"):
        assert f"{board_docs.SHAPES[board].down_kohm} to ground" in rows[pins[purpose]]
        assert "pull-down" in rows[pins[purpose]] and "**off**" in rows[pins[purpose]]
    for purpose in ("charge_off", "discharge_off"):
        assert "4.7 kΩ to 3.3 V" in rows[pins[purpose]]
        assert "**gate off**" in rows[pins[purpose]]


# kohm. RP2040 data sheet, pull-down: 50 to 80; ESP32 and ESP32-S3 data sheets: 45.
WEAK_KOHM = {"pico": 50, "pico_w": 50, "pico2": 50, "pico2_w": 50, "esp32": 45, "esp32s3": 45}


@pytest.mark.parametrize("board", BOARDS)
def test_whatever_pull_is_inside_the_resistors_win(board):
    weak = WEAK_KOHM[board]
    off_line = 3.3 * weak / (weak + 4.7)  # pulled down inside
    assert off_line > 0.66 * 1.8 + 1.5  # BQ76952 data sheet, Digital I/O; and a wide margin
    down = float(board_docs.SHAPES[board].down_kohm.split()[0])
    assert 3.3 * down / (down + weak) < 0.8  # pulled up inside; a logic-level FET's gate: 1 V


@pytest.mark.parametrize("board", ["pico2", "pico2_w"])
def test_a_leaking_input_of_an_rp2350_does_not_switch_a_driver_on(board):
    down = float(board_docs.SHAPES[board].down_kohm.split()[0])
    assert down <= 8.2  # RP2350 data sheet, erratum E9
    assert 0.12 * down < 0.8  # mA, kohm: V


@pytest.mark.parametrize("board", BOARDS)
def test_the_drawing_names_every_pin_and_what_it_leads_to(board):
    texts = [element.text for element in ET.fromstring(board_docs.drawing(board)).iter(SVG_TEXT)]
    shape = board_docs.SHAPES[board]
    for number in board_files.pins(board).values():
        assert texts.count(f"{shape.prefix}{number}") == 1
    pins = board_files.pins(board)
    wires = [
        wire for wire in board_docs.WIRES if wire.purpose in pins and wire.purpose != "maintenance"
    ]
    for wire in wires:
        assert sum((text or "").startswith(wire.leads_to) for text in texts) == 1, wire.purpose


def test_every_purpose_has_a_wire_and_every_wire_a_pin():
    purposes = {wire.purpose for wire in board_docs.WIRES}
    for board in BOARDS:
        # An ESP32's pins have no hard interrupts.
        lacks = {"can_interrupt"} if board.startswith("esp32") else set()
        assert set(board_files.pins(board)) == purposes - lacks


# The Pico, by hand


def test_the_page_lists_exactly_these_pins():
    rows = re.findall(r"^\| (\d+) \| GP(\d+) \|", PICO, re.MULTILINE)
    assert len(rows) == len(PINS) + len(MORE_PINS)
    assert {int(name): int(pin) for pin, name in rows} == PINS | MORE_PINS


def test_the_readme_sketches_exactly_these_pins():
    sketch = (ROOT / "README.md").read_text().split("## Build it")[1].split("```")[1]
    left = {int(gp): int(pin) for gp, pin in re.findall(r"GP(\d+) +\((\d+)\)", sketch)}
    right = {int(gp): int(pin) for pin, gp in re.findall(r"\((\d+)\) GP(\d+)", sketch)}
    assert left | right == PINS


def test_the_drawing_by_hand_names_exactly_these_pins_side_by_side():
    texts = [
        (element.text or "", element.get("y")) for element in ET.parse(PICO_DRAWING).iter(SVG_TEXT)
    ]
    named = [(int(text[2:]), y) for text, y in texts if re.fullmatch(r"GP\d+", text)]
    numbered = {(int(text[4:]), y) for text, y in texts if re.fullmatch(r"pin \d+", text)}
    assert sorted(gp for gp, _ in named) == sorted(PINS)
    for gp, y in named:
        assert (PINS[gp], y) in numbered


@pytest.mark.parametrize(("pull_down_kohm", "volts"), [(50, "3.02 V"), (80, "3.12 V")])
def test_the_page_computes_the_level_of_the_off_lines(pull_down_kohm, volts):
    assert f"{3.3 * pull_down_kohm / (pull_down_kohm + 4.7):.2f} V" == volts
    assert f"({pull_down_kohm} + 4.7) = {volts}" in PICO
