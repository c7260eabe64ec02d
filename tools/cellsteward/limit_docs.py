"""Generates the table of curves and the drawings of docs/limits.md from the limits themselves.

Usage: python -m cellsteward.limit_docs [--check]

The drawings are lines through what `bms.limits` answers with the default settings of each
chemistry; they are written by hand as SVG, so that the same code always gives the same bytes.
"""

import sys
from collections.abc import Sequence

from bms import limit_curves
from bms.limits import CHARGE, DISCHARGE, Limits
from bms.parameters import Parameters
from cellsteward.generated_docs import DOCS, ROOT, run, table, with_parts

PAGE = DOCS / "limits.md"
IMAGES = DOCS / "images"
CHEMISTRIES = ("lfp", "nmc", "lto", "sodium")
_TITLES = ("LiFePO4", "NMC and NCA", "LTO", "Sodium-ion")
_MIDDLE_MV = (3300, 3700, 2300, 3000)  # a half full cell

_PANEL, _HEIGHT, _LEFT, _TOP, _GAP = 190, 130, 34, 28, 22
_COLOURS = ("#1a7f37", "#bc4c00")  # charge, discharge
_STEPS = 120


def generate() -> str:
    """The whole page as it should be."""
    parameters = [_parameters(chemistry) for chemistry in range(len(CHEMISTRIES))]
    parts = {"curves": _curves(parameters), "drawings": _drawings()}
    return with_parts(PAGE.read_text(encoding="utf-8"), parts)


def drawing(chemistry: int) -> str:
    """SVG: shares of the largest currents over cell voltage, temperature and state of charge."""
    parameters = _parameters(chemistry)
    value = parameters.value
    low = value("cell_undervoltage_trip_mv") - 100
    high = value("cell_overvoltage_trip_mv") + 50
    cold = value("undertemperature_discharge_trip_dc") - 50
    warm = value("overtemperature_discharge_trip_dc") + 50
    panels = (
        ("cell voltage, V", 1000, low, high, ("cell_min_mv", "cell_max_mv", "pack_voltage_mv")),
        ("cell temperature, °C", 10, cold, warm, ("temperature_min_dc", "temperature_max_dc")),
        ("state of charge, %", 100, 0, 10000, ("soc_bp",)),
    )
    width = _LEFT + len(panels) * (_PANEL + _GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT + 70}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{_HEIGHT + 70}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="16" font-size="12">{_TITLES[chemistry]}: share of the largest '
        f'<tspan fill="{_COLOURS[0]}">charge</tspan> and '
        f'<tspan fill="{_COLOURS[1]}">discharge</tspan> current</text>',
    ]
    for number, (title, scale, first, last, signals) in enumerate(panels):
        x = _LEFT + number * (_PANEL + _GAP)
        lines += _axes(x, title, first / scale, last / scale, labelled=number == 0)
        for direction in (CHARGE, DISCHARGE):
            points = []
            for step in range(_STEPS + 1):
                at = first + (last - first) * step // _STEPS
                share = _share(parameters, chemistry, direction, signals, at)
                points.append(
                    f"{x + _PANEL * step / _STEPS:.1f},{_TOP + _HEIGHT * (1 - share):.1f}"
                )
            lines.append(
                f'<polyline fill="none" stroke="{_COLOURS[direction]}" stroke-width="2" '
                f'points="{" ".join(_corners(points))}"/>'
            )
    return "\n".join([*lines, "</svg>", ""])


def _parameters(chemistry: int) -> Parameters:
    parameters = Parameters()
    parameters.load({"chemistry": chemistry, "series_cells": 16, "design_capacity_mah": 280000})
    return parameters


def _share(
    parameters: Parameters, chemistry: int, direction: int, signals: Sequence[str], at: int
) -> float:
    usual = {
        "cell_min_mv": _MIDDLE_MV[chemistry],
        "cell_max_mv": _MIDDLE_MV[chemistry],
        "pack_voltage_mv": _MIDDLE_MV[chemistry],
        "temperature_min_dc": 250,
        "temperature_max_dc": 250,
        "board_temperature_dc": 250,
        "afe_temperature_dc": 250,
        "soc_bp": 5000,
        **dict.fromkeys(signals, at),
    }
    limits = Limits(parameters)
    for place, name in enumerate(limit_curves.SIGNALS):
        limits.signals[place] = usual.get(name, 0)
    most = parameters.value(("charge", "discharge")[direction] + "_current_max_ma")
    return limits.aim_ma(direction, False) / most


def _corners(points: list[str]) -> list[str]:
    """Without the points in the middle of a level line."""
    heights = [point.partition(",")[2] for point in points]
    last = len(points) - 1
    return [
        point
        for at, point in enumerate(points)
        if at in (0, last) or not heights[at - 1] == heights[at] == heights[at + 1]
    ]


def _axes(x: int, title: str, first: float, last: float, *, labelled: bool) -> list[str]:
    bottom = _TOP + _HEIGHT
    lines = [
        f'<rect x="{x}" y="{_TOP}" width="{_PANEL}" height="{_HEIGHT}" fill="none" '
        'stroke="#888888"/>',
        f'<text x="{x + _PANEL / 2:.0f}" y="{bottom + 34}" text-anchor="middle">{title}</text>',
    ]
    for quarter in range(5):
        at = x + _PANEL * quarter / 4
        text = f"{first + (last - first) * quarter / 4:.3g}"
        lines.append(
            f'<text x="{at:.0f}" y="{bottom + 15}" text-anchor="middle" font-size="10">'
            f"{text}</text>"
        )
    if labelled:
        lines += [
            f'<text x="{x - 4}" y="{_TOP + 8}" text-anchor="end" font-size="10">100%</text>',
            f'<text x="{x - 4}" y="{bottom}" text-anchor="end" font-size="10">0</text>',
        ]
    return lines


def _drawings() -> str:
    return "\n\n".join(
        f"![{title}: current limits over voltage, temperature and state of charge]"
        f"(images/limits-{name}.svg)"
        for name, title in zip(CHEMISTRIES, _TITLES, strict=True)
    )


def _curves(parameters: list[Parameters]) -> str:
    lines = []
    for direction, rows in (
        ("charge", limit_curves.CHARGE),
        ("discharge", limit_curves.DISCHARGE),
    ):
        for signal, all_at, least_at, _, least, reason in rows:
            lines.append(
                [
                    direction,
                    reason.replace("_", " "),
                    f"`{signal}`",
                    f"`{all_at}`: {_defaults(parameters, all_at)}",
                    f"`{least_at}`: {_defaults(parameters, least_at)}",
                    "nothing" if least == 0 else f"{least // 10} %",
                ]
            )
    titles = ("Current", "Reason", "Looks at", "All up to", "The least from", "The least")
    return table(titles, lines)


def _defaults(parameters: list[Parameters], name: str) -> str:
    scale, unit = {"mv": (1000, "V"), "dc": (10, "°C"), "bp": (100, "%")}[name.rpartition("_")[2]]
    values = [each.value(name) / scale for each in parameters]
    if len(set(values)) == 1:
        values = values[:1]
    return " / ".join(f"{value:g}" for value in values) + f" {unit}"


def main(arguments: Sequence[str]) -> int:
    """Exit code: 1 if with --check something is not what the code says."""
    code = run(PAGE, generate(), arguments)
    for chemistry, name in enumerate(CHEMISTRIES):
        path = IMAGES / f"limits-{name}.svg"
        if "--check" not in arguments:
            path.write_text(drawing(chemistry), encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != drawing(chemistry):
            print(f"{path.relative_to(ROOT)} is not what the code says: run 'make docs'")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
