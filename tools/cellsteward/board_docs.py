"""Generates the tables of pins in docs/boards/ and the drawings of them, from the board files.

Usage: python -m cellsteward.board_docs [--check]
Where a pin is on the board one buys is known here; which pin does what says the board file.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from cellsteward import board_files
from cellsteward.generated_docs import DOCS, run, table, with_parts

FOLDER = DOCS / "boards"
IMAGES = DOCS / "images"


@dataclass(frozen=True)
class Wire:
    """What a pin leads to. resistor: "up" or "down" to hold it at its off level while the
    processor does not, "bus" for I2C's pull-up; in_reset: what that means then."""

    purpose: str
    leads_to: str
    direction: str
    resistor: str = ""
    in_reset: str = "input"
    group: str = "always"


# In the order of the pages. Pull-ups of 4.7 kohm: docs/boards/wiring.md.
WIRES = (
    Wire("charge_off", "BQ76952 CFETOFF", "out, high: charge gate off", "up"),
    Wire("discharge_off", "BQ76952 DFETOFF", "out, high: discharge gate off", "up"),
    Wire("afe_sda", "BQ76952 SDA", "I2C data, 400 kHz", "bus"),
    Wire("afe_scl", "BQ76952 SCL", "I2C clock", "bus"),
    Wire("rs485_tx", "RS485 DI", "out, UART"),
    Wire("rs485_rx", "RS485 RO", "in, UART"),
    Wire("rs485_send", "RS485 DE and /RE together", "out, high: send", "down", "low: it listens"),
    Wire("can_miso", "MCP2515 SO", "in, SPI"),
    Wire("can_select", "MCP2515 CS", "out, low: selected"),
    Wire("can_sck", "MCP2515 SCK", "out, SPI, 8 MHz"),
    Wire("can_mosi", "MCP2515 SI", "out, SPI"),
    Wire("maintenance", "ground, for a maintenance boot; else open", "in, own pull-up"),
    Wire("can_interrupt", "MCP2515 INT", "in, own pull-up; low: a frame came", group="more"),
    Wire("positive_coil", "positive contactor's driver", "out, high: close", "down", group="more"),
    Wire("negative_coil", "negative contactor's driver", "out, high: close", "down", group="more"),
    Wire("precharge_coil", "precharge relay's driver", "out, high: close", "down", group="more"),
    Wire(
        "positive_contact",
        "positive contactor's auxiliary contact, to ground",
        "in; low: closed",
        "contact",
        group="more",
    ),
    Wire(
        "negative_contact",
        "negative contactor's auxiliary contact, to ground",
        "in; low: closed",
        "contact",
        group="more",
    ),
    Wire(
        "precharge_contact",
        "precharge relay's auxiliary contact, to ground",
        "in; low: closed",
        "contact",
        group="more",
    ),
    Wire("interlock", "interlock's optocoupler", "in; high: closed", "loop", group="more"),
    Wire("alarm", "alarm relay's driver", "out, high: on", "down", group="more"),
    Wire("heater", "heater's driver", "out, high: on", "down", group="more"),
    Wire("fan", "fan's driver", "out, high: on", "down", group="more"),
    Wire("sensor_sda", "INA228 SDA", "I2C data, 400 kHz", "bus", group="more"),
    Wire("sensor_scl", "INA228 SCL", "I2C clock", "bus", group="more"),
)
SWITCHES = tuple(
    wire.purpose for wire in WIRES if wire.resistor == "down" and wire.purpose != "rs485_send"
)


@dataclass(frozen=True)
class Shape:
    """A board that one buys: title, what its pins are called, where each is (left and right side
    of the drawing, from the top), resistors to ground, supplies, and GPIOs without own pulls."""

    title: str
    prefix: str
    left: tuple[tuple[str, int | str], ...]
    right: tuple[tuple[str, int | str], ...]
    down_kohm: str
    supplies: tuple[tuple[str, str, str], ...]
    pullless: tuple[int, ...] = ()
    button: str = ""


def _column(header: str, pins: Sequence[int | str]) -> tuple[tuple[str, int | str], ...]:
    return tuple((f"{header}{place}", pin) for place, pin in enumerate(pins, 1))


# Raspberry Pi Pico data sheet, pinout; the others have the same (data sheets of Pico W, Pico 2,
# Pico 2 W).
_PICO_LEFT = _column(
    "", (0, 1, "GND", 2, 3, 4, 5, "GND", 6, 7, 8, 9, "GND", 10, 11, 12, 13, "GND", 14, 15)
)
_PICO_RIGHT = tuple(
    (str(40 - place), pin)
    for place, pin in enumerate(
        ("VBUS", "VSYS", "GND", "3V3_EN", "3V3", "ADC_VREF", 28, "GND", 27, 26)
        + ("RUN", 22, "GND", 21, 20, 19, 18, "GND", 17, 16)
    )
)
_PICO_SUPPLIES = (
    ("36", "3V3 (OUT)", "pull-ups and 3.3 V modules, at most 300 mA"),
    ("39", "VSYS", "5 V, through a Schottky diode if USB may be plugged in, too"),
    ("3, 8, 13, 18, 23, 28, 33, 38", "GND", "BQ76952 VSS, which is pack minus (B-)"),
)


def _pico(title: str, down_kohm: str) -> Shape:
    return Shape(title, "GP", _PICO_LEFT, _PICO_RIGHT, down_kohm, _PICO_SUPPLIES)


SHAPES = {
    "pico": _pico("Raspberry Pi Pico", "10 kΩ"),
    "pico_w": _pico("Raspberry Pi Pico W", "10 kΩ"),
    # RP2350 erratum E9: at most 8.2 kohm holds an input low.
    "pico2": _pico("Raspberry Pi Pico 2", "4.7 kΩ"),
    "pico2_w": _pico("Raspberry Pi Pico 2 W", "4.7 kΩ"),
    # Espressif, ESP32-DevKitC V4: headers J2 and J3.
    "esp32": Shape(
        "ESP32-DevKitC",
        "IO",
        _column(
            "J2-",
            ("3V3", "EN", 36, 39, 34, 35, 32, 33, 25, 26, 27, 14, 12, "GND", 13)
            + ("D2", "D3", "CMD", "5V"),
        ),
        _column(
            "J3-",
            ("GND", 23, 22, "TX", "RX", 21, "GND", 19, 18, 5, 17, 16, 4, 0, 2, 15)
            + ("D1", "D0", "CLK"),
        ),
        "10 kΩ",
        (
            ("J2-1", "3V3", "pull-ups and 3.3 V modules"),
            ("J2-19", "5V", "5 V, through a Schottky diode if USB may be plugged in, too"),
            ("J2-14, J3-1, J3-7", "GND", "BQ76952 VSS, which is pack minus (B-)"),
        ),
        (34, 35, 36, 39),
        "the button BOOT, pressed right after the reset",
    ),
    # Espressif, ESP32-S3-DevKitC-1 v1.1: headers J1 and J3.
    "esp32s3": Shape(
        "ESP32-S3-DevKitC-1",
        "IO",
        _column(
            "J1-",
            ("3V3", "3V3", "RST", 4, 5, 6, 7, 15, 16, 17, 18, 8, 3, 46, 9, 10, 11, 12, 13, 14)
            + ("5V", "GND"),
        ),
        _column(
            "J3-",
            ("GND", "TX", "RX", 1, 2, 42, 41, 40, 39, 38, 37, 36, 35, 0, 45, 48, 47, 21, 20, 19)
            + ("GND", "GND"),
        ),
        "10 kΩ",
        (
            ("J1-1, J1-2", "3V3", "pull-ups and 3.3 V modules"),
            ("J1-21", "5V", "5 V, through a Schottky diode if USB may be plugged in, too"),
            ("J1-22, J3-1, J3-21, J3-22", "GND", "BQ76952 VSS, which is pack minus (B-)"),
        ),
        (),
        "the button BOOT, pressed right after the reset",
    ),
}


def generate(name: str) -> str:
    """The whole page of a board as it should be."""
    page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    titles = (
        "Pin of the board",
        "Name",
        "Goes to",
        "Direction",
        "While the processor is in reset",
    )
    always = _rows(name, "always")
    always += [[place, pin, leads_to, "supply", ""] for place, pin, leads_to in _supplies(name)]
    return with_parts(
        page, {"pins": table(titles, always), "more": table(titles, _rows(name, "more"))}
    )


def drawing(name: str) -> str:
    """The board from above with what its pins lead to, as SVG."""
    shape = SHAPES[name]
    by_pin = {number: purpose for purpose, number in board_files.pins(name).items()}
    height = 120 + _STEP * max(len(shape.left), len(shape.right))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">',
        f"  <title>Cellsteward on a {escape(shape.title)}: pins</title>",
        f'  <rect width="{_WIDTH}" height="{height}" fill="#f8fafc"/>',
        f'  <text x="40" y="34" font-size="20" font-weight="bold">{escape(shape.title)}</text>',
        '  <text x="40" y="56" fill="#475569" font-size="12">Orange lines decide what is '
        "on: do not leave out their resistors. Grey pins stay open.</text>",
        f'  <rect x="{_LEFT}" y="76" width="{_RIGHT - _LEFT}" height="{height - 96}" rx="10" '
        'fill="#e7f5ec" stroke="#1f7a45" stroke-width="2"/>',
    ]
    for left, column in ((True, shape.left), (False, shape.right)):
        for row, (place, pin) in enumerate(column):
            purpose = by_pin.get(pin) if isinstance(pin, int) else None
            parts += _drawn(shape, left, row, (place, pin), purpose)
    return "\n".join([*parts, "</svg>"]) + "\n"


_WIDTH, _LEFT, _RIGHT = 1320, 570, 750  # of the picture; sides of the board in it
_STEP = 26
_COLOURS = {"up": "#c2410c", "down": "#c2410c", "bus": "#1d4ed8"}
_OPEN = "#94a3b8"


def _drawn(
    shape: Shape, left: bool, row: int, at: tuple[str, int | str], purpose: str | None
) -> list[str]:
    """One pin of the drawing."""
    place, pin = at
    y = 96 + _STEP * row
    wire = next((wire for wire in WIRES if wire.purpose == purpose), None)
    supply = isinstance(pin, str) and pin in ("3V3", "GND", "VSYS", "5V")
    used = wire is not None or supply
    ink = "#111827" if used else _OPEN
    name = f"{shape.prefix}{pin}" if isinstance(pin, int) else pin
    inner, anchor, number, number_anchor = (
        (_LEFT + 12, "start", _LEFT - 10, "end")
        if left
        else (_RIGHT - 12, "end", _RIGHT + 10, "start")
    )
    parts = [
        f'  <text x="{inner}" y="{y + 4}" text-anchor="{anchor}" fill="{ink}" '
        f'font-family="DejaVu Sans Mono, monospace">{name}</text>'
    ]
    if not used:
        return parts
    colour = _COLOURS.get(wire.resistor, "#334155") if wire else "#b91c1c"
    text = (
        _leads_to(shape, wire, pin if isinstance(pin, int) else -1)
        if wire
        else {"GND": "ground, B-", "3V3": "3.3 V out"}.get(str(pin), "5 V in")
    )
    start, towards = (_LEFT, -1) if left else (_RIGHT, 1)
    end, label = start + towards * 52, start + towards * 60
    parts += [
        f'  <path d="M{start} {y} H{end}" stroke="{colour}" stroke-width="2.5"/>',
        f'  <text x="{number}" y="{y - 4}" text-anchor="{number_anchor}" fill="#64748b" '
        f'font-size="10">{place}</text>',
        f'  <text x="{label}" y="{y + 4}" text-anchor="{number_anchor}">{escape(text)}</text>',
    ]
    return parts


def _rows(name: str, group: str) -> list[list[str]]:
    shape = SHAPES[name]
    pins = board_files.pins(name)
    places = {pin: place for place, pin in (*shape.left, *shape.right)}
    rows = []
    for wire in WIRES:
        if wire.group == group and wire.purpose in pins:
            pin = pins[wire.purpose]
            rows.append(
                [
                    places[pin],
                    f"{shape.prefix}{pin}",
                    _leads_to(shape, wire, pin),
                    wire.direction,
                    _in_reset(wire),
                ]
            )
    return rows


def _leads_to(shape: Shape, wire: Wire, pin: int = -1) -> str:
    if wire.purpose == "maintenance" and shape.button:
        return shape.button
    resistor = {
        "up": ", and 4.7 kΩ to 3.3 V",
        "bus": ", and 2.2 kΩ to 3.3 V",
        "down": f", and {shape.down_kohm} to ground",
        "loop": ", and 4.7 kΩ to ground",
        "contact": ", and 10 kΩ to 3.3 V" if pin in shape.pullless else "",
    }
    return wire.leads_to + resistor.get(wire.resistor, "")


def _in_reset(wire: Wire) -> str:
    if wire.resistor == "up":
        return "input: the pull-up wins, **gate off**"
    if wire.purpose in SWITCHES:
        return "input: the pull-down holds it **off**"
    return wire.in_reset


def _supplies(name: str) -> tuple[tuple[str, str, str], ...]:
    return SHAPES[name].supplies


def main(arguments: Sequence[str]) -> int:
    """Write all pages and drawings, or with --check say which are not what the code says."""
    code = 0
    for name in board_files.names():
        code |= run(FOLDER / f"{name}.md", generate(name), arguments)
        code |= run(IMAGES / f"{name}_pins.svg", drawing(name), arguments)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
