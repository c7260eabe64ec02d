"""A run as plain text: one line a second, for logs, pipes and people without a terminal.

Columns keep their places, so that cut, awk and eyes find them. At high speed a line stands for
many simulated seconds; a fault that came and went between two lines is in the summary.
"""

import os
import sys
import time
from collections.abc import Callable

from cellsteward.options import PORTS
from cellsteward.sim import Simulation
from cellsteward.status import End, Status, Totals, clock, percent, scaled

_COLUMNS = (
    ("time", 13),
    ("speed", 6),
    ("state", 12),
    ("SoC", 9),
    ("true", 9),
    ("voltage", 9),
    ("current", 9),
    ("power", 8),
    ("cells", 13),
    ("warmest", 8),
    ("gates", 5),
    ("faults", 0),
)

# A status may come a little early; a line is due this much sooner than a full second.
_SLACK_S = 0.1


class PlainView:
    """Shows a run as lines on standard output; what the firmware prints is on standard error."""

    def __init__(self, headline: str, now_s: Callable[[], float] = time.monotonic):
        self.totals = Totals()
        self._headline = headline
        self._now_s = now_s
        self._due_s = 0.0
        self._simulation: Simulation | None = None

    def started(self, simulation: Simulation) -> None:
        """Say what runs and where to connect."""
        self._simulation = simulation
        self._print(f"Simulated pack: {self._headline}")
        self._print("  ".join(f"{name} {simulation.paths[name]}" for name in PORTS))
        self._print(_row([name for name, _ in _COLUMNS]))

    def status(self, status: Status) -> None:
        """Print a line if one is due."""
        self.totals.add(status)
        now_s = self._now_s()
        if now_s >= self._due_s - _SLACK_S:
            self._due_s = max(self._due_s + 1, now_s + 0.5)
            self._print(_row(_cells(status)))

    def text(self, line: str) -> None:
        """Pass on what the firmware process printed."""
        print(f"firmware: {line}", file=sys.stderr, flush=True)

    async def show(self, simulation: Simulation) -> End:
        """Run it to its end."""
        return await simulation.run()

    def _print(self, line: str) -> None:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            # Whoever read us has seen enough (`| head`): end the run, quietly.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if self._simulation is not None:
                self._simulation.quit()


def _cells(status: Status) -> list[str]:
    points = status.points
    charge_on, discharge_on = status.gates
    lowest, highest = points["cell_min_mv"], points["cell_max_mv"]
    return [
        clock(status.t_s),
        f"{status.speed:.3g}x",
        points["state"] or "--",
        percent(points["soc_bp"]),
        percent(status.truth["soc_bp"]),
        scaled(points["pack_voltage_mv"], 1000, 3, "V"),
        scaled(points["current_ma"], 1000, 2, "A"),
        scaled(points["power_w"], 1, 0, "W"),
        "--" if lowest is None or highest is None else f"{lowest}-{highest} mV",
        scaled(points["temperature_max_dc"], 10, 1, "C"),
        ("C" if charge_on else "-") + ("D" if discharge_on else "-"),
        " ".join(points["faults"] or ()) or "-",
    ]


def _row(texts: list[str]) -> str:
    return " ".join(
        text.ljust(width) for text, (_, width) in zip(texts, _COLUMNS, strict=True)
    ).rstrip()
