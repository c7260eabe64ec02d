"""`make test-rp2040 UF2=path/to/RPI_PICO.uf2`: stock MicroPython on an emulated RP2040, with what
`make flash` puts on a Pico in its flash, and a BQ76952 at its I2C.

Not part of `make test`, hence its name: a second on the emulated board takes half a minute.
What is measured goes to docs/rp2040.json, which docs/performance.md shows.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from boards.sim import faults
from boards.sim.load import ConstantLoad
from boards.sim.world import World
from host_tests.rp2040.image import MICROPYTHON, ROOT, flash_image
from host_tests.rp2040.pico import Pico

UF2 = Path(os.environ["UF2"])
PACK = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000}
CHARGER_A = 5.0
FIGURES = ROOT / "docs" / "rp2040.json"
HOW = "emulated (rp2040py 0.3.6), MicroPython %s, no computer on USB, as if all code lay in RAM"
# In place of the last line of main.py: a service that looks for pauses and free memory while the
# firmware guards, and says so again and again, because the computer is plugged in later.
REPORTER = """
    import asyncio
    import gc
    import time
    from array import array

    async def report():
        await asyncio.sleep(20)
        pauses = array("i", [0] * 8)
        until = time.ticks_add(time.ticks_ms(), 900)
        last = time.ticks_us()
        at = 0
        while time.ticks_diff(until, time.ticks_ms()) > 0:
            now = time.ticks_us()
            if time.ticks_diff(now, last) > 3000:
                pauses[at % 8] = time.ticks_diff(now, last)
                at += 1
            last = now
        gc.collect()
        while True:
            print("figures", gc.mem_free(), sorted(pauses)[4])
            await asyncio.sleep_ms(500)

    app.run(board, report)
"""

pytestmark = pytest.mark.timeout(7200)
figures = {}


def note(what, figure):
    figures[what] = figure
    print(f"\n    {what}: {figure}")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    main = (ROOT / "firmware" / "main.py").read_text()
    plain = "    app.run(board)\n"
    assert main.endswith(plain)
    main = main.replace(plain, REPORTER)
    return flash_image(tmp_path_factory.mktemp("flash"), PACK, main)


@pytest.fixture(scope="module")
def pico(image):
    """A board whose gates are on."""
    pico = Pico(UF2, image, World(load=ConstantLoad(CHARGER_A)))
    assert pico.wait(lambda: pico.watchdog_on, 60000)
    note("From power to the first step of the fast path", f"{pico.now_us / 1e6:.1f} s")
    assert pico.gates == (False, False), "nothing is allowed before the chip guards"
    assert pico.wait(lambda: pico.gates == (True, True), 60000)
    note("From power to closed gates", f"{pico.now_us / 1e6:.1f} s")
    assert pico.resets_us == []
    return pico


def test_boots_with_the_gates_off(image):
    pico = Pico(UF2, image, World())
    assert not pico.wait(lambda: pico.gates != (False, False), 1000)
    assert (pico.world.afe.cfetoff, pico.world.afe.dfetoff) == (1, 1)


def test_an_overvoltage_is_cut_off_in_its_time(pico):
    began_us = pico.now_us
    faults.inject(pico.world, "cell_overvoltage")
    assert pico.wait(lambda: not pico.gates[0], 5000)
    took_ms = (pico.now_us - began_us) / 1000
    note("From an overvoltage to the open charge gate (delay 1000 ms)", f"{took_ms:.0f} ms")
    # docs/worst-case-times.md: the bound of cell_overvoltage
    assert took_ms < 1263
    assert pico.gates[1], "discharging stays allowed"


def test_the_free_heap_and_the_time_of_a_step_are_told(pico):
    pico.run_ms(20000)
    pico.plug_in()
    assert pico.wait(lambda: pico.console.count(b"figures") > 1, 10000, 200), pico.text()
    words = pico.text().split("figures")[1].split()
    note("Heap that is free then, after a collection", f"{int(words[0])} bytes")
    note("A step, 16 cells, I2C at 400 kHz", f"{int(words[1]) / 1000:.1f} ms")


def test_a_power_cut_while_settings_are_saved_leaves_the_old_or_the_new_ones(pico, tmp_path):
    pico.type("\rset full_current_ma 9000\r")
    assert pico.wait(lambda: b"9000" in pico.console.split(b"set full")[-1][20:], 20000, 100), (
        pico.text()
    )
    before = pico.files
    pico.type("save\r")
    assert pico.wait(lambda: pico.files != before, 20000, 0.5), pico.text()
    cut = tmp_path / "cut.img"
    cut.write_bytes(pico.files)
    told = subprocess.run(
        [MICROPYTHON, Path(__file__).with_name("read_flash.py"), cut],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(told.stdout) in (5000, 9000)
    again = Pico(UF2, cut.read_bytes(), World(load=ConstantLoad(CHARGER_A)))
    assert again.wait(lambda: again.watchdog_on, 60000), "it starts"
    assert again.gates == (False, False)


def test_a_reset_by_the_watchdog_comes_back_with_the_gates_off(pico):
    resets = len(pico.resets_us)
    pico.hang()
    assert pico.wait(lambda: len(pico.resets_us) > resets, 10000)
    assert pico.gates == (False, False)
    assert not pico.wait(lambda: pico.gates != (False, False), 2000)


def test_the_figures_are_written_down(pico):
    FIGURES.write_text(
        json.dumps({"how": HOW % pico.micropython(), "figures": figures}, indent=1) + "\n",
        encoding="utf-8",
    )
