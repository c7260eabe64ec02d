"""What the live view's panels say: a status in, styled text out. No state, no widgets.

Colours are the theme's names ($text-success, ...), so that light and dark themes both read well;
nothing is said by colour alone.
"""

import os
import sys
from pathlib import Path

from textual.content import Content

from bms.parameters import Parameters
from bms.table import INVALID
from cellsteward.options import speed_words
from cellsteward.sim import Simulation
from cellsteward.status import Status, advice, clock, percent, scaled, words

_EIGHTHS = " ▏▎▍▌▋▊▉"
_GOOD, _WARNING, _BAD, _DIM = "$text-success", "$text-warning", "$text-error", "$text-muted"

_RESTING_MA = 50  # less than this is neither charging nor discharging to a person
_WORD_BITS = 16  # bits in one word of the point `balancing`


def bar(share: float, width: int, style: str) -> Content:
    """A horizontal bar, filled by `share` (0 to 1) in steps of an eighth of a character."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (_EIGHTHS[rest] if rest else "")
    return Content.styled(filled.ljust(width)[:width], f"{style} on $panel")


def title(status: Status | None, asked_speed: float, width: int, silent_s: float) -> Content:
    """The top line: simulated time, speed and state."""
    left = Content.assemble((" Cellsteward ", "bold"), (" simulated board", _DIM))
    if status is None:
        right = Content("the firmware is starting ")
    elif silent_s:
        right = Content.styled(f"no report for {silent_s:.0f} s ", f"bold {_BAD}")
    else:
        state = status.points["state"] or "--"
        right = Content.assemble(
            (f"{clock(status.t_s)}  ", ""),
            (f"speed {_speed(status.speed, asked_speed)}  ", _DIM),
            (f" {state.upper()} ", f"bold reverse {_GOOD if state == 'active' else _WARNING}"),
        )
    gap = max(width - left.cell_length - right.cell_length, 1)
    return left + " " * gap + right


def cells(status: Status | None, limits: Parameters, width: int) -> Content:
    """A line for each cell: number, voltage, a bar between its limits; lowest and highest."""
    if status is None:
        return Content("")
    points = status.points
    low = limits.value("cell_undervoltage_trip_mv")
    high = limits.value("cell_overvoltage_trip_mv")
    voltages = points["cell_voltage_mv"] or ()
    lines = []
    for index in range(points["series_cells"] or 0):
        mv = voltages[index] if index < len(voltages) else None
        if mv is None:
            lines.append(Content.styled(f"{index + 1:>2}   -- mV", _DIM))
            continue
        balancing = (points["balancing"] or (0,))[index // _WORD_BITS] >> index % _WORD_BITS & 1
        mark = (
            "max"
            if index == points["cell_max_index"]
            else "min"
            if index == points["cell_min_index"]
            else ""
        )
        style = _cell_style(mv, limits)
        lines.append(
            Content.assemble(
                f"{index + 1:>2} ",
                (f"{mv:>4} mV ", style),
                bar((mv - low) / (high - low), max(width - 17, 4), style),
                (" ≈" if balancing else "  ", "bold"),
                (f" {mark}", "bold"),
            )
        )
    return Content("\n").join(lines)


def cells_caption(status: Status | None, limits: Parameters) -> str:
    """What the bars span, and how far the cells are apart."""
    span = (
        f"{limits.value('cell_undervoltage_trip_mv')}"
        f" to {limits.value('cell_overvoltage_trip_mv')} mV"
    )
    delta = None if status is None else status.points["cell_delta_mv"]
    return span if delta is None else f"{span}, {delta} mV apart"


def pack(status: Status | None, width: int) -> Content:
    """Voltage, current, power, state of charge beside the truth, limits, temperatures."""
    if status is None:
        return Content("")
    points, truth = status.points, status.truth
    current_ma = points["current_ma"]
    if current_ma is None or abs(current_ma) < _RESTING_MA:
        direction = ""
    else:
        direction = "▲ charging" if current_ma > 0 else "▼ discharging"
    soc_bp = points["soc_bp"]
    temperatures = [dc for dc in points["temperature_dc"] or () if dc is not None]
    lines = (
        Content.assemble(
            (f"{scaled(points['pack_voltage_mv'], 1000, 3, 'V'):>10}", "bold"),
            f"  {scaled(points['power_w'], 1, 0, 'W'):>8}",
        ),
        Content.assemble(
            (f"{scaled(current_ma, 1000, 2, 'A'):>10}", "bold"),
            (f"   {direction}", _GOOD if (current_ma or 0) > 0 else _WARNING),
        ),
        Content.assemble(
            "SoC ",
            (percent(soc_bp), "bold"),
            (f"   true {percent(truth['soc_bp'])}", _DIM),
        ),
        bar((soc_bp or 0) / 10_000, max(width, 4), "$primary"),
        Content.assemble(
            ("allowed ", _DIM),
            f"in {scaled(points['charge_current_limit_ma'], 1000, 0, 'A')}",
            f"  out {scaled(points['discharge_current_limit_ma'], 1000, 0, 'A')}",
        ),
        Content.assemble(
            ("cells ", _DIM),
            " ".join(f"{dc / 10:.1f}" for dc in temperatures) or "--",
            " °C",
        ),
        Content.assemble(("board ", _DIM), scaled(points["board_temperature_dc"], 10, 1, "°C")),
    )
    return Content("\n").join(lines)


def gates(status: Status | None) -> Content:
    """Both gates, ON or OFF."""
    if status is None:
        return Content("")
    charge_on, discharge_on = status.gates
    return Content(" ").join((_gate("CHARGE", charge_on), _gate("DISCHARGE", discharge_on)))


def faults(status: Status | None, restarts: int, last_text: str) -> Content:
    """Faults and warnings in words, why gates are off, and what is injected."""
    lines = []
    if status is not None:
        active = status.points["faults"] or []
        warned = [name for name in status.points["warnings"] or [] if name not in active]
        lines += [Content.styled(f"● {words(name)}", f"bold {_BAD}") for name in active]
        lines += [Content.styled(f"○ {words(name)} (warning)", _WARNING) for name in warned]
        if not lines:
            lines.append(Content.styled("No faults", _GOOD))
        if status.injected:
            injected = ", ".join(words(name) for name in status.injected)
            lines.append(Content.styled(f"injected: {injected}", _DIM))
        explanation = status.reason or (advice(active[0]) if active else "")
        if explanation:
            lines.append(Content(explanation))
    if restarts:
        lines.append(Content.styled(f"restarted by the watchdog: {restarts}", _WARNING))
    if last_text:
        lines.append(Content.styled(last_text, _DIM))
    return Content("\n").join(lines)


def connect(simulation: Simulation | None, values: Parameters) -> Content:
    """Commands for another terminal, ready to be copied."""
    if simulation is None:
        return Content("")
    paths = simulation.paths
    baud = values.choices(values.index("modbus_baud"))[values.value("modbus_baud")]
    address = values.value("modbus_address")
    # mbpoll(1): -0 counts registers from 0, -B high word first, -t 4:int 32 bits, 256 is 0x0100.
    rows = (
        (
            "Modbus ",
            f"mbpoll -m rtu -a{address} -b{baud} -Pnone -0 -B -t4:int -r256 -c12 {paths['rs485']}",
        ),
        ("CAN    ", f"{_tool('python')} -m can.viewer -i slcan -c {paths['can']}"),
        ("Console", f"{_tool('pyserial-miniterm')} {paths['console']}"),
    )
    return Content("\n").join(
        Content.assemble((f"{name} ", _DIM), (command, "bold")) for name, command in rows
    )


def connect_caption(values: Parameters) -> str:
    """Heading of the commands."""
    code = values.value("access_code")
    unlock = f" · access code {code}" if code not in (0, INVALID) else ""
    return f"Connect from another terminal{unlock}"


def fault_keys(
    simulation: Simulation | None, keys: str, status: Status | None, width: int
) -> Content:
    """Which key lets which fault happen, in columns; a dot marks those that are happening."""
    if simulation is None:
        return Content("")
    injected = status.injected if status is not None else ()
    names = [name for name, _ in simulation.faults]
    column = 6 + max(len(name) for name in names)
    columns = max(width // column, 1)
    entries = [
        Content.assemble(
            (f"{key} ", "bold"),
            ("● " if name in injected else "  ", _BAD),
            (words(name).ljust(column - 4), "bold" if name in injected else ""),
        )
        for key, name in zip(keys, names, strict=False)
    ]
    rows = [entries[at : at + columns] for at in range(0, len(entries), columns)]
    return Content("\n").join(Content("").join(row) for row in rows)


def _speed(achieved: float, asked: float) -> str:
    """The speed reached, and the one asked for where it is another."""
    text = f"{achieved:.3g}x"
    if asked and abs(achieved - asked) < asked / 10:
        return text
    return f"{text} ({speed_words(asked)})"


def _cell_style(mv: int, limits: Parameters) -> str:
    for style, below, above in (
        (_BAD, "cell_undervoltage_trip_mv", "cell_overvoltage_trip_mv"),
        (_WARNING, "cell_undervoltage_warn_mv", "cell_overvoltage_warn_mv"),
    ):
        if mv < limits.value(below) or mv > limits.value(above):
            return style
    return _GOOD


def _gate(name: str, on: bool) -> Content:
    text = f" {name} {'ON ' if on else 'OFF'} "
    return Content.styled(text, f"bold reverse {_GOOD if on else _BAD}")


def _tool(name: str) -> str:
    """Path of a command of this Python environment, as short as it can be typed from here."""
    path = Path(sys.prefix) / "bin" / name
    return min(str(path), os.path.relpath(path), key=len)
