"""The console on real MicroPython: a person on the other end of a socket."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")


class Board:
    """A running console and the socket that is its port."""

    def __init__(self, directory):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(20)
            self.process = subprocess.Popen(
                [
                    MICROPYTHON,
                    HERE / "console_on_a_socket.py",
                    str(listener.getsockname()[1]),
                    directory,
                ],
                env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self.port = listener.accept()[0]
        self.port.settimeout(10)
        self.read()

    def read(self):
        """Everything up to the next prompt."""
        data = b""
        while not data.endswith(b"\n> "):
            piece = self.port.recv(1000)
            assert piece, "the console hung up: " + self.process.communicate()[0].decode()
            data += piece
        return data.decode()

    def ask(self, line):
        self.port.sendall(line.encode() + b"\r\n")
        echo, *lines = self.read().split("\r\n")
        assert echo == line
        return lines[:-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.port.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def board(tmp_path):
    with Board(tmp_path) as board:
        yield board


def test_a_new_board_is_commissioned_over_the_wire_and_remembers_it(tmp_path):
    with Board(tmp_path) as board:
        assert board.ask("version") == ["Cellsteward on linux"]
        assert "`set` at least chemistry" in board.ask("status")[1]
        board.ask("set chemistry lfp")
        board.ask("set series_cells 16")
        assert board.ask("save")[0].startswith("Refused: 'design_capacity_mah' is missing")
        board.ask("set design_capacity_mah 280000")
        assert board.ask("save")[0] == "Saved."
    with Board(tmp_path) as board:
        assert board.ask("get series_cells")[0] == "series_cells = 16"


def test_every_command_answers(board):
    for line in board.ask("help"):
        assert board.ask(line.split()[0])
    assert len(board.ask("get")) > 70


def test_programs_get_a_line_of_json_there_too(board):
    for line in board.ask("help"):
        (answer,) = board.ask(line.split()[0] + " --json")
        assert json.loads(answer)
    raw = dict(line.split("=") for line in board.ask("raw")[:-1])
    (answer,) = board.ask("raw --json")
    twin = json.loads(answer)
    shown = {
        name: " ".join(
            str(-(1 << 30) if one is None else one)
            for one in (value if isinstance(value, list) else [value])
        )
        for name, value in (twin["values"] | twin["settings"]).items()
    }
    assert {**shown, "uptime_s": ""} == {**raw, "uptime_s": ""}
    (answer,) = board.ask("log --json 1")
    assert json.loads(answer)["log_events"][0]["in_words"] == "fault cell_overvoltage at 3.671 V"


def test_the_log_and_the_wiring_check_run_there_too(board):
    assert board.ask("log")[-1] == "     2  start 1, 1 min 10 s: fault cell_overvoltage at 3.671 V"
    for setting in ("chemistry lfp", "series_cells 4", "design_capacity_mah 100000"):
        board.ask("set " + setting)
    board.ask("save")
    assert board.ask("commission wiring")[1] == "  Leads 2 and 3 are swapped: exchange them."
    assert board.ask("commission pack lfp 4 100.5")[0].startswith(
        "  design_capacity_mah is 100000"
    )
    assert board.ask("commission pack lfp 4 100")[0] == "That is what the settings say."
    assert board.ask("commission")[2].split() == ["pack", "done"]


def test_noise_on_the_wire_does_not_stop_it(board):
    board.port.sendall(bytes(byte for byte in range(256) if byte not in b"\r\n\x03") * 20)
    board.port.sendall(b"\x03")
    board.read()
    assert board.ask("version") == ["Cellsteward on linux"]
