"""A console with a person in front of it: bytes typed, bytes read, no port and no waiting."""

import asyncio
from array import array

import pytest

from bms import requests
from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import PATH_ON, STATE_ACTIVE, STATE_UNCONFIGURED, Points
from bms.requests import Requests
from bms.trial import Trial
from console.console import Console
from console.door import Door
from console.line import LineEditor
from storage.configuration import Configuration
from storage.state import StateError

PACK = {"chemistry": 0, "series_cells": 4, "design_capacity_mah": 100_000}

# A healthy pack of four LiFePO4 cells being charged.
HEALTHY = {
    "pack_voltage_mv": 13_312,
    "current_ma": 12_500,
    "power_w": 166,
    "soc_bp": 8_124,
    "soc_estimate_bp": 8_010,
    "soc_sigma_bp": 210,
    "soc_quality": 2,
    "full_age_h": 76,
    "soh_bp": 10_000,
    "remaining_mah": 81_240,
    "full_mah": 100_000,
    "cycles": 12,
    "cell_min_mv": 3_312,
    "cell_max_mv": 3_341,
    "cell_min_index": 1,
    "cell_max_index": 3,
    "cell_delta_mv": 29,
    "temperature_min_dc": -15,
    "temperature_max_dc": 234,
    "board_temperature_dc": 310,
    "charge_voltage_limit_mv": 14_000,
    "charge_current_limit_ma": 50_000,
    "discharge_voltage_limit_mv": 12_000,
    "discharge_current_limit_ma": 100_000,
    "charge_phase": 0,
    "charge_limit_reason": 3,
    "discharge_limit_reason": 11,
    "full_charge_requested": 1,
    "force_charge_requested": 0,
    "charge_allowed": 1,
    "discharge_allowed": 1,
    "gates": 3,
    "state": STATE_ACTIVE,
    "uptime_s": 11_520,
    "measurement_age_ms": 0,
    "series_cells": 4,
    "faults": 0,
    "path_state": PATH_ON,
    "limited": 0,
    "suspect_lead": -1,
    "self_test_failed": 0,
    "boots": 12,
    "watchdog_resets": 0,
    "warnings": 0,
    "balancing": 0b1000,
}
CELLS_MV = (3_320, 3_312, 3_339, 3_341)


class HangUp(OSError):
    """The far end of the port is gone."""


class Stream:
    """What asyncio.StreamReader is on MicroPython: reads what was typed, then the port is gone."""

    def __init__(self, terminal):
        self._terminal = terminal

    async def readinto(self, buffer):
        typed = self._terminal.typed
        if not typed:
            raise HangUp
        count = min(len(buffer), len(typed))
        buffer[:count] = typed[:count]
        del typed[:count]
        return count

    def write(self, data):
        self._terminal.shown.extend(data)
        self._terminal.writes.append(bytes(data))

    async def drain(self):
        await asyncio.sleep(0)


class FastPath:
    """The part of bms.battery that commissioning asks: it carries out a request per step.

    cell_mv, stack_mv: what the chip measures; refuses: gates do not close, whatever is asked
    """

    def __init__(self, letter_box, cells):
        self._letter_box = letter_box
        self.alive = True
        self.refuses = False
        self.cell_mv = [3_300] * cells
        self.stack_mv = 3_300 * cells
        self.captured_cell_mv = array("i", [0] * cells)
        self.captured_stack_mv = 0
        self.captures = 0
        self.trial = Trial()
        self.health = None
        self.preparing = False

    def step(self):
        """What the timer calls, here whenever the console pauses."""
        if not self.alive:
            return
        if self._letter_box.pending == requests.CAPTURE:
            self.captured_cell_mv[:] = array("i", self.cell_mv)
            self.captured_stack_mv = self.stack_mv
            self.captures += 1
        elif self._letter_box.pending == requests.TRY_CURRENT:
            self.trial.start()
            if self.refuses:
                self.trial.abort()
        self._letter_box.pending = requests.NONE


class EventsLog:
    """An event log in memory; `written` holds records as storage.event_log gives them."""

    def __init__(self):
        self.written = []

    def records(self, count):
        yield from self.written[::-1][:count]


class Commission:
    """What the application keeps of the commissioning."""

    def __init__(self):
        self.record = None
        self.flash_is_full = False

    def record_saved(self):
        return self.record

    def save(self, record):
        if self.flash_is_full:
            raise StateError("the flash is full: delete files; the state before stays saved")
        self.record = record


class Services:
    """What only some commands ask for."""

    def __init__(self, letter_box, cells):
        self.events_log = EventsLog()
        self.battery = FastPath(letter_box, cells)
        self.commission = Commission()
        self.shipped = 0

    def ship(self):
        self.shipped += 1


class Terminal:
    """A board's console and everything behind it, on the desk."""

    latest = None  # whose time passes when a console sleeps

    def __init__(self, directory, settings=None, trusted=True):
        self.typed = bytearray()
        self.shown = bytearray()
        self.writes = []
        self.effects = []  # what `changed` was called with
        self.restarts = 0
        self.maintenances = 0
        self.directory = str(directory)
        self.parameters = Parameters()
        self.points = Points()
        self.faults = Faults()
        self.requests = Requests()
        self.access = Access(self.parameters, trusted)
        self.configuration = Configuration(self.directory)
        if settings is not None:
            self.parameters.load(settings)
            self.configuration.save(self.parameters)
        self.configuration.load(self.parameters)
        self.services = Services(self.requests, (settings or PACK)["series_cells"])
        self.publish(state=STATE_UNCONFIGURED if settings is None else STATE_ACTIVE)
        self.console = self.new_console()
        Terminal.latest = self

    def opened(self):
        """The console, with nothing typed yet, as a door gets it."""
        self.console._editor = LineEditor("> ")
        return self.console

    def new_console(self):
        self.console = Console(
            self.points,
            self.parameters,
            self.faults,
            self.access,
            self.requests,
            self.configuration,
            "Cellsteward 1.2.3",
            self.effects.append,
            self._restart,
            self._maintain,
            self.services,
        )
        return self.console

    def _restart(self):
        self.restarts += 1

    def _maintain(self):
        self.maintenances += 1

    def publish(self, **values):
        """Show these points; a list or tuple fills a vector."""
        for name, value in values.items():
            vector = value if isinstance(value, (list, tuple)) else [value]
            for slot, one in enumerate(vector):
                self.points.live[self.points.offset(name) + slot] = one

    def raise_faults(self, name, *faults):
        """Set bits of the point `faults` or `warnings` by name."""
        words = [0, 0, 0, 0]
        for fault in faults:
            bit = self.faults.names.index(fault)
            words[bit >> 4] |= 1 << (bit & 15)
        self.publish(**{name: words})

    def type(self, data):
        """Everything that the console sends while these bytes (or str) come in."""
        self.typed.extend(data.encode() if isinstance(data, str) else data)
        self.shown.clear()
        self.writes.clear()
        with pytest.raises(HangUp):
            asyncio.run(Door(self.opened).run(self))
        return self.shown.decode()

    def ask(self, command):
        """The lines that answer one command."""
        text = self.type(command + "\r")
        return text.split("> " + command + "\r\n", 1)[1].removesuffix("> ").splitlines()


async def _sleep_ms(pause_ms):
    """No waiting: what happens meanwhile has happened. A mere turn takes no time."""
    if pause_ms:
        Terminal.latest.services.battery.step()
    await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def micropython_asyncio(monkeypatch):
    """The two names of MicroPython's asyncio that CPython's lacks or has otherwise."""
    monkeypatch.setattr(asyncio, "StreamReader", Stream)
    monkeypatch.setattr(asyncio, "sleep_ms", _sleep_ms, raising=False)


@pytest.fixture
def new_board(tmp_path):
    """A board that nobody configured yet."""
    return Terminal(tmp_path)


@pytest.fixture
def board(tmp_path):
    """A configured board on a healthy pack, without an access code."""
    terminal = Terminal(tmp_path, PACK)
    terminal.publish(**HEALTHY, cell_voltage_mv=CELLS_MV, temperature_dc=(-15, 234))
    return terminal


@pytest.fixture
def locked_board(tmp_path):
    """A configured board whose access code is 4321."""
    terminal = Terminal(tmp_path, {**PACK, "access_code": 4_321})
    terminal.publish(**HEALTHY)
    return terminal
