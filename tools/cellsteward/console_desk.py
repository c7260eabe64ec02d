"""The board's own console with a person in front of it, for the examples in the docs.

Everything is the firmware's but the fast path, which here answers at once with what it was given.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace

from bms import requests
from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import STATE_UNCONFIGURED, Points
from bms.requests import Requests
from bms.trial import Trial
from console.console import Console
from storage.configuration import Configuration

Event = tuple[int, int, int, int, int, int]

_STEP_MS = 100


class FastPath:
    """What commissioning asks of the battery: raw samples and a first current.

    cell_mv: what is measured from now on; current_ma: what flows while the gates are closed
    """

    def __init__(self, letter_box: Requests) -> None:
        self._letter_box = letter_box
        self.cell_mv: list[int] = []
        self.current_ma = 0
        self.captured_cell_mv = array("i")
        self.captured_stack_mv = 0
        self.captures = 0
        self.trial = Trial()

    def measure(self, cell_mv: list[int]) -> None:
        """Cells that are connected from now on, as the chip reads them."""
        self.cell_mv = cell_mv
        self.captured_cell_mv = array("i", [0] * len(cell_mv))

    def step(self) -> None:
        """Carry out the request that waits."""
        pending, self._letter_box.pending = self._letter_box.pending, requests.NONE
        if pending == requests.CAPTURE:
            self.captured_cell_mv = array("i", self.cell_mv)
            self.captured_stack_mv = sum(self.cell_mv)
            self.captures += 1
        elif pending == requests.TRY_CURRENT:
            self.trial.start()

    def flow(self, current_ma: int) -> None:
        """Let this current flow until the trial of a first current has seen enough."""
        while self.trial.running():
            self.trial.step(current_ma, _STEP_MS)


class Commission:
    """The record of a commissioned pack, kept in memory."""

    def __init__(self) -> None:
        self.record: dict[str, int] | None = None

    def record_saved(self) -> dict[str, int] | None:
        return self.record

    def save(self, record: dict[str, int]) -> None:
        self.record = record


class Desk:
    """A new board's console; `directory` stands for its flash."""

    def __init__(self, directory: str) -> None:
        self.points = Points()
        self.points.live[self.points.offset("state")] = STATE_UNCONFIGURED
        self.faults = Faults()
        self.events: list[Event] = []
        parameters = Parameters()
        configuration = Configuration(directory)
        configuration.load(parameters)
        letter_box = Requests()
        self.battery = FastPath(letter_box)
        self._console = Console(
            self.points,
            parameters,
            self.faults,
            Access(parameters, trusted=True),
            letter_box,
            configuration,
            "Cellsteward",
            lambda _applies: None,
            lambda: None,
            lambda: None,
            SimpleNamespace(
                events_log=SimpleNamespace(records=self._records),
                battery=self.battery,
                commission=Commission(),
            ),
        )

    def session(self, script: Iterable[str | Callable[[], None]]) -> str:
        """What a terminal shows, as Markdown; what is no command happens in the world outside."""
        lines: list[str] = []
        for command in script:
            if isinstance(command, str):
                lines.append("> " + command)
                lines += self._answer(command)
            else:
                command()
        return "```text\n" + "\n".join(lines) + "\n```"

    def _answer(self, command: str) -> Iterator[str]:
        pieces = b""  # of a line that goes on
        for line in self._console.execute(command):
            if isinstance(line, bytes):
                pieces += line
            elif isinstance(line, str):
                yield pieces.decode() + line
                pieces = b""
            elif line is not None:  # a pause
                self.battery.step()

    def _records(self, count: int) -> list[Event]:
        return self.events[::-1][:count]
