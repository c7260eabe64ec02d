"""A board without a network refuses settings that ask for one, and says what to change."""

import os
import subprocess

from host_tests.system.simulated_board import MICROPYTHON, ROOT

SCRIPT = """
import app
from bms.parameters import Parameters

class Board:
    NAME = "pico"
    AFE_TRIPS_OPEN_CONTACTORS = True

class Networked(Board):
    def tcp_listener(self, port):
        pass

class Application:
    def __init__(self, board):
        self._board = board
        self.parameters = Parameters()
        self.parameters.load({"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000})

for board in (Board(), Networked()):
    for port in (0, 502):
        asked = Application(board)
        values = list(asked.parameters.values)
        values[asked.parameters.index("modbus_tcp_port")] = port
        found = [line for line in app.Application._board_problems(asked, values) if "tcp" in line]
        print(len(found), found)
"""


def test_only_a_board_with_a_network_takes_a_modbus_tcp_port(tmp_path):
    script = tmp_path / "ask.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [MICROPYTHON, script],
        env={
            **os.environ,
            "MICROPYPATH": f".frozen:{ROOT / 'firmware' / 'lib'}:{ROOT / 'firmware'}",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line[0] for line in lines] == ["0", "1", "0", "0"]
    assert "board 'pico' has no network: set it to 0" in lines[1]


def test_the_pico_has_no_network():
    assert "def tcp_listener" not in (ROOT / "boards" / "pico" / "board.py").read_text()
    assert "def tcp_listener" in (ROOT / "boards" / "sim" / "board.py").read_text()
