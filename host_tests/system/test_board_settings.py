"""A board refuses settings that ask for what it lacks, and says what to change."""

import os
import subprocess

from host_tests.system.simulated_board import MICROPYTHON, ROOT

SCRIPT = """
import app
from bms.parameters import Parameters

class Board:
    NAME = "pico"
    AFE_TRIPS_OPEN_CONTACTORS = True
    OFF_LINES_HOLD_GATES = False
    UPPER_AFE_TRIPS_OPEN_GATES = False
    LACKS = ()

class Application(app.Application):
    def __init__(self, board):  # no more than the question needs
        self._board = board
        self._built = False
        self.parameters = Parameters()
        self.parameters.load({"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000})

class Small(Board):
    LACKS = ("heater", "modbus_tcp_port")

class Held(Board):
    OFF_LINES_HOLD_GATES = True

class Wired(Board):
    UPPER_AFE_TRIPS_OPEN_GATES = True

def problems(board, name, value, about):
    asked = Application(board)
    values = list(asked.parameters.values)
    values[asked.parameters.index(name)] = value
    found = [line for line in asked._board_problems(values) if about in line]
    print(len(found), found)

for board in (Board(), Small()):
    for port in (0, 502):
        problems(board, "modbus_tcp_port", port, "nothing for it")
    for heater in (0, 1):
        problems(board, "heater", heater, "nothing for it")
for board in (Board(), Held()):
    for chip in (0, 3):
        problems(board, "afe_chip", chip, "host watchdog")
for board in (Board(), Wired()):
    for chip in (0, 4):
        problems(board, "afe_chip", chip, "declares no wire from the upper chip's")
"""


def test_only_a_board_that_can_takes_a_modbus_tcp_port_a_heater_a_bq769x0_or_a_stack(tmp_path):
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
    assert "".join(line[0] for line in lines) == "0000" + "0101" + "0100" + "0100"
    assert "'modbus_tcp_port' is set, but board 'pico' has nothing for it" in lines[5]
    assert "'heater' is set, but board 'pico' has nothing for it" in lines[7]


def test_no_board_but_the_simulated_one_has_a_network():
    shared = (ROOT / "boards" / "_common.py").read_text()
    assert "def tcp_listener" not in shared
    assert 'self.LACKS.append("modbus_tcp_port")' in shared
    assert "def tcp_listener" in (ROOT / "boards" / "sim" / "board.py").read_text()
