"""A console with a person in front of it: bytes typed, bytes read, no port and no waiting."""

import asyncio

import pytest

from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.point_rows import ROWS
from bms.points import STATE_ACTIVE, STATE_UNCONFIGURED, Points
from bms.requests import Requests
from console.console import Console
from storage.configuration import Configuration

PACK = {"chemistry": 0, "series_cells": 4, "design_capacity_mah": 100_000}

# A healthy pack of four LiFePO4 cells being charged.
HEALTHY = {
    "pack_voltage_mv": 13_312,
    "current_ma": 12_500,
    "power_w": 166,
    "soc_bp": 8_124,
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
    "charge_allowed": 1,
    "discharge_allowed": 1,
    "gates": 3,
    "state": STATE_ACTIVE,
    "uptime_s": 11_520,
    "measurement_age_ms": 0,
    "series_cells": 4,
    "faults": 0,
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


class Terminal:
    """A board's console and everything behind it, on the desk."""

    def __init__(self, directory, settings=None, trusted=True):
        self.typed = bytearray()
        self.shown = bytearray()
        self.writes = []
        self.effects = []  # what `changed` was called with
        self.restarts = 0
        self.maintenances = 0
        self.directory = str(directory)
        self.parameters = Parameters()
        self.points = Points(ROWS)
        self.faults = Faults()
        self.requests = Requests()
        self.access = Access(self.parameters, trusted)
        self.configuration = Configuration(self.directory)
        if settings is not None:
            self.parameters.load(settings)
            self.configuration.save(self.parameters)
        self.configuration.load(self.parameters)
        self.publish(state=STATE_UNCONFIGURED if settings is None else STATE_ACTIVE)
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
        )

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
            asyncio.run(self.console.run(self))
        return self.shown.decode()

    def ask(self, command):
        """The lines that answer one command."""
        text = self.type(command + "\r")
        return text.split("> " + command + "\r\n", 1)[1].removesuffix("> ").splitlines()


@pytest.fixture(autouse=True)
def micropython_asyncio(monkeypatch):
    """The two names of MicroPython's asyncio that CPython's lacks or has otherwise."""
    monkeypatch.setattr(asyncio, "StreamReader", Stream)
    monkeypatch.setattr(asyncio, "sleep_ms", lambda _: asyncio.sleep(0), raising=False)


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
