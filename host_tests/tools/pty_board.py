"""A board on a pseudo-terminal: the real MicroPython with a littlefs, its prompt on the port.

A reset kills the process and starts it anew on the same flash; the port stays. With the Pico's
board file and CONSOLE_APP it answers as a Pico does on USB.
"""

import os
import pty
import signal
import subprocess
import threading
import tty
from pathlib import Path

from host_tests.boot.board_flash import MICROPYTHON, ROOT, SCRIPT

# The real console, from the checkout, on the board's console port; nothing else of the firmware.
CONSOLE_APP = f"""
import asyncio
import sys
sys.path.append("/host{ROOT}/firmware/lib")
from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.point_rows import ROWS
from bms.points import Points
from bms.requests import Requests
from console.console import Console
from console.door import Door
from storage.configuration import Configuration

def maintain():
    open("/maintenance", "w").close()
    board.reset()

def run(given, confirm=None):
    global board
    board = given
    parameters = Parameters()
    parameters.load({{"chemistry": 0, "series_cells": 4, "design_capacity_mah": 100000,
        "access_code": 1234}})
    console = Console(Points(), parameters, Faults(), Access(parameters, True), Requests(),
        Configuration("/"), "a test", None, board.reset, maintain, None)
    asyncio.run(serve(Door(lambda: console).run(board.console_port()), confirm))

async def serve(console, confirm):
    if confirm:
        import update
        update.PROOF_S = 0
        asyncio.create_task(confirm())
    await console
"""


class PtyBoard:
    """`port` is its serial port, while the board is switched on (`with`)."""

    def __init__(self, image: Path):
        self._image = image
        self._board, self._line = pty.openpty()
        tty.setraw(self._line)
        self.port = os.ttyname(self._line)
        self.starts = 0
        self._off = False
        self._process = None
        self._power = threading.Thread(target=self._run)

    def __enter__(self):
        self._power.start()
        return self

    def __exit__(self, *_):
        self._off = True
        self._process.kill()
        self._power.join()
        os.close(self._board)
        os.close(self._line)

    def _run(self):
        while not self._off:
            self.starts += 1
            self._process = subprocess.Popen(
                [MICROPYTHON, "-i", SCRIPT, ROOT, self._image],
                stdin=self._board,
                stdout=self._board,
                stderr=self._board,
            )
            if self._process.wait() != -signal.SIGKILL:
                return
