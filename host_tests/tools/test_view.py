"""The live view: what a person sees and what the keys do, on a screen without a terminal."""

import asyncio
import html
import re

import pytest

from cellsteward.options import RunOptions, parse_settings
from cellsteward.status import PointValues, Status
from cellsteward.view import LiveView
from host_tests.tools.fake_firmware import FAULTS, status

SMALL, LARGE = (80, 24), (100, 30)
PICTURE_COLUMN = 12.2  # width of a character in the pictures that textual exports


class Recorder:
    """A simulation that remembers what it was asked."""

    def __init__(self):
        self.paths = {"rs485": "/dev/pts/5", "console": "/dev/pts/6", "can": "/dev/pts/7"}
        self.faults = [(name, text) for name, text in FAULTS]
        self.restarts = 0
        self.asked = []

    def inject(self, fault):
        self.asked.append(("inject", fault))

    def clear(self, fault):
        self.asked.append(("clear", fault))

    def clear_all(self):
        self.asked.append("clear_all")

    def set_speed(self, speed):
        self.asked.append(("speed", speed))

    def quit(self):
        self.asked.append("quit")


class Screen:
    """The view on a screen, with the recorder behind it."""

    def __init__(self, pilot, simulation):
        self.app = pilot.app
        self.pilot = pilot
        self.simulation = simulation

    async def report(self, injected=(), t_s=3_725.0, cells=16, **changes):
        message = status(t_s, list(injected), cells=cells)
        message["points"].update(changes)
        self.app.status(Status(**{**message, "points": PointValues(message["points"])}))
        await self.pilot.pause()

    async def press(self, *keys):
        await self.pilot.press(*keys)
        return self.simulation.asked

    def lines(self):
        """The text on the screen, line by line, as the exported picture has it."""
        rows = {}
        for x, y, text in re.findall(
            r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>',
            self.app.export_screenshot(),
        ):
            column = round(float(x) / PICTURE_COLUMN)
            line = rows.get(float(y), "")
            rows[float(y)] = line.ljust(column) + html.unescape(text).replace("\xa0", " ")
        return [rows[y] for y in sorted(rows)]

    def text(self):
        return "\n".join(self.lines())


def on_screen(size, body):
    """Run `body(screen)` with a view that has its first status."""

    async def run():
        parameters, settings = parse_settings([])
        view = LiveView(RunOptions(parameters, settings))
        simulation = Recorder()
        async with view.run_test(size=size) as pilot:
            screen = Screen(pilot, simulation)
            view.started(simulation)
            await screen.report()
            await body(screen)

    asyncio.run(run())


@pytest.mark.parametrize("size", [SMALL, LARGE, (160, 50)])
def test_everything_that_matters_fits_the_screen(size):
    async def body(screen):
        text = screen.text()
        for number in range(1, 17):
            assert re.search(rf"│ ?{number} +33\d\d mV", text)
        for words in (
            "0d 01:02:05",
            "speed 1x",
            "ACTIVE",
            "52.920 V",
            "-12.34 A   ▼ discharging",
            "-651 W",
            "SoC 61.20 %   true 61.25 %",
            "in 50 A  out 100 A",
            "cells 24.1 25.1 °C",
            "CHARGE ON",
            "DISCHARGE ON",
            "No faults",
            "2700 to 3650 mV, 15 mV apart",
            "mbpoll -m rtu -a1 -b9600 -Pnone -0 -B -t4:int -r256 -c12 /dev/pts/5",
            "bin/python -m can.viewer -i slcan -c /dev/pts/7",
            "/dev/pts/6",
            "access code 1234",
            "1-9 inject",
            "q quit",
        ):
            assert words in text, words
        assert "min│" in text.splitlines()[2]
        assert "max│" in text.splitlines()[17]

    on_screen(size, body)


def test_a_large_screen_lists_the_faults_that_keys_inject():
    async def body(screen):
        assert "Inject a fault" in screen.text()
        assert "2   afe silent" in screen.text()
        await screen.report(injected=["afe_silent"])
        assert "2 ● afe silent" in screen.text()

    on_screen(LARGE, body)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_many_faults_do_not_push_anything_off_the_screen(size):
    async def body(screen):
        screen.simulation.faults = [(f"fault_number_{n}", "A fault") for n in range(25)]
        await screen.report()
        lines = screen.lines()
        assert len(lines) <= size[1]
        assert "q quit" in lines[-1]
        assert len(lines[1]) == size[0]  # no scroll bar beside the panels
        if size == LARGE:
            assert "f lists all" in lines[-2]

    on_screen(size, body)


def test_a_fault_shows_in_words_with_its_reason_and_the_gate_off():
    async def body(screen):
        await screen.report(injected=["cell_high"])
        text = screen.text()
        for words in (
            "FAULT",
            "● cell overvoltage",
            "cell 3 is above 3650 mV",
            "injected: cell high",
            "CHARGE OFF",
            "DISCHARGE ON",
            "≈ max",
        ):
            assert words in text, words

    on_screen(SMALL, body)


def test_without_a_reason_the_fault_table_says_what_to_do():
    async def body(screen):
        await screen.report(injected=["afe_silent"])
        text = " ".join(screen.text().split())
        assert "● afe lost" in text
        assert "The measuring chip does not" in text
        assert "52.920 V" not in text  # old values are not shown as live
        assert "true 61.25 %" in text

    on_screen(SMALL, body)


def test_keys_inject_and_end_faults():
    async def body(screen):
        assert await screen.press("2") == [("inject", "afe_silent")]
        await screen.report(injected=["afe_silent"])
        assert (await screen.press("2"))[1:] == [("clear", "afe_silent")]
        assert (await screen.press("c"))[2:] == ["clear_all"]
        assert len(await screen.press("9", "z")) == 3  # no such faults

    on_screen(SMALL, body)


@pytest.mark.parametrize("keys", [("f", "2"), ("f", "down", "enter")])
def test_the_list_of_faults_injects_by_key_or_by_cursor(keys):
    async def body(screen):
        await screen.press("f")
        await screen.pilot.pause()
        assert "The AFE stops answering" in screen.text()
        assert await screen.press(*keys[1:]) == [("inject", "afe_silent")]
        await screen.press("f", "escape")
        assert screen.simulation.asked == [("inject", "afe_silent")]

    on_screen(SMALL, body)


def test_speed_goes_up_to_as_fast_as_possible_and_down_again():
    async def body(screen):
        asked = await screen.press("+", *"+++++++")
        assert [speed for _, speed in asked] == [2, 5, 10, 20, 50, 100, 200, 0]
        screen.simulation.asked.clear()
        assert await screen.press("+", "-", "-") == [("speed", 0), ("speed", 200), ("speed", 100)]

    on_screen(SMALL, body)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_quitting_asks_the_firmware_to_end(key):
    async def body(screen):
        assert await screen.press(key) == ["quit"]

    on_screen(SMALL, body)


def test_it_follows_the_size_of_the_terminal_and_changes_its_theme():
    async def body(screen):
        for size in (LARGE, SMALL, (60, 20), (120, 40)):
            await screen.pilot.resize_terminal(*size)
            await screen.pilot.pause(0.05)
            assert max(len(line) for line in screen.lines()) <= size[0]
        assert re.search(r"1 3300 mV █{20,}", screen.text())
        dark = screen.app.export_screenshot()
        await screen.press("t")
        assert screen.app.export_screenshot() != dark

    on_screen(SMALL, body)


def test_a_pack_of_few_cells_leaves_no_holes():
    async def body(screen):
        await screen.report(cells=4)
        assert "│ 4 3303 mV" in screen.text()
        assert "│ 5 " not in screen.text()
        assert "No faults" in screen.text()

    on_screen(SMALL, body)


def test_what_the_firmware_process_prints_is_on_the_screen():
    async def body(screen):
        screen.app.text("MemoryError: no memory left")
        screen.simulation.restarts = 2
        await screen.report()
        assert "MemoryError: no memory left" in screen.text()
        assert "restarted by the watchdog: 2" in screen.text()

    on_screen(SMALL, body)


def test_before_the_firmware_reports_points_there_are_no_numbers():
    async def body(screen):
        message = status(1.0, [])
        screen.app.status(Status(**{**message, "points": PointValues()}))
        await screen.pilot.pause()
        assert "CHARGE OFF" in screen.text()
        assert "SoC --   true 61.25 %" in screen.text()

    on_screen(SMALL, body)


def test_cells_that_are_not_measured_are_dashes():
    async def body(screen):
        await screen.report(cell_voltage_mv=[None], cell_delta_mv=None)
        assert "│16   -- mV" in screen.text()

    on_screen(SMALL, body)
