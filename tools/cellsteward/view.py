"""The live view of a run, in the terminal.

Fits 80x24 and grows: a taller terminal also lists the faults that keys inject. The view only
shows what the firmware reports and says what the person asks; all state is the simulation's.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Footer, OptionList, Static

from cellsteward import panels
from cellsteward.options import RunOptions
from cellsteward.sim import Simulation
from cellsteward.status import End, Status, Totals, words

# Keys that inject faults, in the order in which the simulator lists them; other letters are taken.
FAULT_KEYS = "123456789abdeghijklmnoprsuvwxyz"

SPEEDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 0)  # 0: as fast as possible

_SILENCE_S = 3  # the firmware reports every second; longer than this is worth a word
_TEXT_LINES = 200  # of the firmware's own output, shown again after the view closed
_TALL = 28  # lines from which on the faults that keys inject are listed, too
_PICTURE_SIZE = (100, 30)


class FaultList(ModalScreen[int | None]):
    """All faults that can be injected; answers with the position of the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f,q", "dismiss", "Close")]

    def __init__(self, simulation: Simulation, injected: list[str]):
        super().__init__()
        self._simulation = simulation
        self._injected = injected

    def compose(self) -> ComposeResult:
        options = OptionList(
            *(
                Content.assemble(
                    (f"{key} ", "bold"),
                    ("● " if name in self._injected else "  ", "$text-error"),
                    (words(name), "bold"),
                    (f"  {text}", "$text-muted"),
                )
                for key, (name, text) in zip(FAULT_KEYS, self._simulation.faults, strict=False)
            )
        )
        options.border_title = "Inject a fault (again: end it)"
        yield options

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A line was chosen with Enter or the mouse."""
        self.dismiss(event.option_index)

    def on_key(self, event: Key) -> None:
        """A fault was chosen by its key."""
        position = FAULT_KEYS.find(event.character or "-")
        if 0 <= position < len(self._simulation.faults):
            event.stop()
            self.dismiss(position)


class Panel(Static):
    """A part of the screen; asks for a drawing when its width changed, since bars depend on it."""

    def __init__(self, name: str, draw: Callable[[], None]):
        super().__init__(id=name)
        self._draw = draw

    def on_resize(self) -> None:
        """The layout changed."""
        self._draw()


class LiveView(App[None]):
    """Shows a run until it ends or the person quits.

    screenshot: draw without a terminal and write the last picture there, as SVG.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { overflow: hidden; }
    #title { height: 1; background: $panel; }
    #middle { height: auto; }
    #side { width: 35; height: 100%; }
    #cells { width: 1fr; height: auto; min-height: 18; }
    #pack { height: 9; }
    #gates { height: 1; margin: 0 1; }
    #faults { height: 1fr; }
    #cells, #pack, #faults, #connect, #keys {
        border: round $secondary; border-title-color: $foreground;
        border-subtitle-color: $foreground;
    }
    #connect { height: auto; }
    #keys { height: 1fr; overflow: hidden; }
    #connect_caption { display: none; height: 1; color: $text-muted; padding: 0 1; }
    .-short #keys { display: none; }
    .-short #connect { border: none; padding: 0 1; }
    .-short #connect_caption { display: block; }
    FaultList { align: center middle; }
    FaultList OptionList { width: 76; height: auto; max-height: 90%; border: round $border; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(FAULT_KEYS[0], "inject(0)", "inject", key_display="1-9"),
        *(
            Binding(key, f"inject({position})", show=False)
            for position, key in enumerate(FAULT_KEYS)
            if position
        ),
        Binding("f", "list_faults", "all faults"),
        Binding("c", "clear_all", "clear"),
        Binding("plus,equals_sign", "change_speed(1)", "faster", key_display="+"),
        Binding("minus", "change_speed(-1)", "slower", key_display="-"),
        Binding("t", "swap_theme", "theme"),
        Binding("q", "leave", "quit"),
        Binding("ctrl+c", "leave", show=False, priority=True),
    ]

    def __init__(self, options: RunOptions, screenshot: Path | None = None):
        super().__init__()
        self.totals = Totals()
        self._limits = options.parameters
        self._speed = options.speed
        self._picture = screenshot
        self._simulation: Simulation | None = None  # once its ports and faults are known
        self._run: asyncio.Task[End] | None = None
        self._texts: deque[str] = deque(maxlen=_TEXT_LINES)
        self._last_status_s = time.monotonic()

    async def show(self, simulation: Simulation) -> End:
        """Run it to its end. What the firmware printed follows on standard error."""
        self._run = asyncio.create_task(simulation.run())
        self._run.add_done_callback(lambda _: self.call_later(self._finish))
        await self.run_async(
            headless=self._picture is not None,
            size=_PICTURE_SIZE if self._picture is not None else None,
        )
        simulation.quit()  # does nothing if it ended by itself
        for line in self._texts:
            print(f"firmware: {line}", file=sys.stderr)
        return await self._run

    def started(self, simulation: Simulation) -> None:
        """Ports and faults are known."""
        self._simulation = simulation
        self._draw()

    def status(self, status: Status) -> None:
        """Show the next status."""
        self.totals.add(status)
        self._last_status_s = time.monotonic()
        self._draw()

    def text(self, line: str) -> None:
        """Show the last line that the firmware process printed, keep the others for the end."""
        self._texts.append(line)
        self._draw()

    def compose(self) -> ComposeResult:
        yield Panel("title", self._draw)
        with Horizontal(id="middle"):
            yield Panel("cells", self._draw)
            with Vertical(id="side"):
                yield Panel("pack", self._draw)
                yield Panel("gates", self._draw)
                yield Panel("faults", self._draw)
        yield Panel("connect_caption", self._draw)
        yield Panel("connect", self._draw)
        yield Panel("keys", self._draw)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Name the panels and look for silence from now on."""
        self.query_one("#pack").border_title = "Pack"
        self.query_one("#faults").border_title = "Faults"
        self.query_one("#keys").border_title = "Inject a fault"
        self.query_one("#keys").border_subtitle = "f lists all"
        self.query_one("#connect").border_title = panels.connect_caption(self._limits)
        self.query_one("#cells").border_title = "Cells"
        self.set_interval(1, self._draw)

    def on_resize(self) -> None:
        """Choose what fits."""
        self.screen_stack[0].set_class(self.size.height < _TALL, "-short")

    def action_inject(self, position: int) -> None:
        """Let a fault happen, or end it if it is happening."""
        simulation, status = self._simulation, self.totals.last
        if simulation is None or status is None or position >= len(simulation.faults):
            return
        name, _ = simulation.faults[position]
        if name in status.injected:
            simulation.clear(name)
        else:
            simulation.inject(name)

    def action_list_faults(self) -> None:
        """Choose a fault from the list."""
        if self._simulation is not None and self.totals.last is not None:
            self.push_screen(
                FaultList(self._simulation, self.totals.last.injected), self._inject_chosen
            )

    def action_clear_all(self) -> None:
        """End all injected faults."""
        if self._simulation is not None:
            self._simulation.clear_all()

    def action_change_speed(self, steps: int) -> None:
        """Go up or down the list of speeds."""
        if self._simulation is None:
            return
        order = [speed or float("inf") for speed in SPEEDS]
        asked = self._speed or float("inf")
        if steps > 0:
            at = next((i for i, speed in enumerate(order) if speed > asked), len(order) - 1)
        else:
            at = next((i for i in reversed(range(len(order))) if order[i] < asked), 0)
        self._speed = SPEEDS[at]
        self._simulation.set_speed(self._speed)
        self._draw()

    def action_swap_theme(self) -> None:
        """Between light and dark."""
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"

    def action_leave(self) -> None:
        """End the run; the view closes when the firmware has ended."""
        if self._simulation is not None:
            self._simulation.quit()
        else:
            self.exit()

    def _inject_chosen(self, position: int | None) -> None:
        if position is not None:
            self.action_inject(position)

    def _finish(self) -> None:
        """The run ended: take the picture of its last moment, if one is wanted, and close."""
        if self._picture is not None:
            self._picture.write_text(self.export_screenshot(title="make run"))
        self.exit()

    def _draw(self) -> None:
        """Draw everything anew; it is little, once a second."""
        if not self.is_mounted:
            return
        status, simulation, limits = self.totals.last, self._simulation, self._limits
        silent_s = time.monotonic() - self._last_status_s
        last_text = self._texts[-1] if self._texts else ""
        restarts = simulation.restarts if simulation is not None else 0
        screen = self.screen_stack[0]

        def width(panel: str) -> int:
            return screen.query_one(panel).content_size.width

        for panel, content in (
            (
                "#title",
                panels.title(
                    status,
                    self._speed,
                    width("#title"),
                    silent_s if silent_s > _SILENCE_S and self._speed >= 1 else 0,
                ),
            ),
            ("#cells", panels.cells(status, limits, width("#cells"))),
            ("#pack", panels.pack(status, width("#pack"))),
            ("#gates", panels.gates(status)),
            ("#faults", panels.faults(status, restarts, last_text)),
            ("#connect_caption", Content(panels.connect_caption(limits))),
            ("#connect", panels.connect(simulation, limits)),
            ("#keys", panels.fault_keys(simulation, FAULT_KEYS, status, width("#keys"))),
        ):
            screen.query_one(panel, Static).update(content)
        screen.query_one("#cells").border_subtitle = panels.cells_caption(status, limits)
