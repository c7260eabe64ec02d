"""Runs the whole firmware on the simulated board and hands back what happened.

`run_board` starts the MicroPython process as the host tool does (docs/simulator.md), but without
pseudo-terminals: a scenario of orders at simulated times, as fast as the machine allows, the same
every time.
"""

import json
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MICROPYTHON = Path(sys.prefix) / "bin" / "micropython"
SETTINGS = {
    "chemistry": 0,
    "series_cells": 16,
    "design_capacity_mah": 280000,
    "access_code": 1234,
}
_PORTS = ("rs485", "console", "can")
_PIECE = 250  # MicroPython's longest command line argument


@dataclass
class Run:
    """What a run left behind. Times in the trace are microseconds of simulated time."""

    end: dict = field(default_factory=dict)
    statuses: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    received: dict = field(default_factory=dict)
    output: str = ""
    exit_code: int = 0

    def points_at(self, t_s):
        """The points as reported at a simulated second."""
        return next(s["points"] for s in self.statuses if s["t_s"] >= t_s)

    def end_status(self):
        """The last report."""
        return self.statuses[-1]

    def frames(self):
        """(identifier, data) of every CAN frame that was on the bus."""
        text = self.received["can"].decode()
        return [
            (int(line[1:4], 16), bytes.fromhex(line[5:]))
            for line in text.split("\r")
            if line.startswith("t")
        ]


def run_board(
    tmp_path,
    *,
    duration_s,
    timeout_s=100,
    send=None,
    send_after_s=0,
    image=None,
    root=ROOT,
    take=None,
    **options,
):
    """Run the board for `duration_s` simulated seconds. `send` maps a port to bytes written to it
    after some real seconds; `root` is the checkout whose firmware runs; `take` is called with each
    status as it comes (those of a day are too many to keep); the other options are start.py's."""
    listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in (*_PORTS, "control")}
    arguments = {
        "image": str(image or tmp_path / "flash.img"),
        "world": str(tmp_path / "world.json"),
        "speed": 0,
        "seed": 1,
        "duration_s": duration_s,
        "load": None,
        "load_scale": None,
        "settings": SETTINGS,
        "reset_cause": "power_on",
        "faults": [],
        "every_status": True,
        **{name: listener.getsockname()[1] for name, listener in listeners.items()},
        **options,
    }
    text = json.dumps(arguments)
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    process = subprocess.Popen(
        [MICROPYTHON, "-X", "heapsize=4M", "boards/sim/start.py", *pieces],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(timeout_s, process.kill)
    watchdog.start()
    run = Run()
    threads = []
    try:
        for name, listener in listeners.items():
            listener.settimeout(10)
            connection, _ = listener.accept()
            if send and name in send:
                sender = threading.Timer(send_after_s, connection.sendall, [send[name]])
                sender.daemon = True  # a run that ended earlier does not wait for it
                sender.start()
            work = _collect
            if take and name == "control":
                work = _follow
            thread = threading.Thread(target=work, args=(run, name, connection, take))
            thread.start()
            threads.append(thread)
        run.output, _ = process.communicate()
    finally:
        watchdog.cancel()
        process.kill()
        for listener in listeners.values():
            listener.close()
        for thread in threads:
            thread.join(10)
    run.exit_code = process.returncode
    for line in run.received.pop("control", b"").decode().splitlines():
        message = json.loads(line)
        if "status" in message:
            run.statuses.append(message["status"])
        if "note" in message:
            run.notes.append(message["note"])
        run.end = message.get("end", run.end)
    return run


def _follow(run, name, connection, take):
    """Hand on each status; keep the other messages."""
    kept = []
    with connection.makefile("rb") as lines:
        for line in lines:
            if line.startswith(b'{"status"'):
                take(json.loads(line)["status"])
            else:
                kept.append(line)
    run.received[name] = b"".join(kept)


def _collect(run, name, connection, _take):
    data = bytearray()
    with connection:
        while True:
            try:
                chunk = connection.recv(65536)
            except ConnectionResetError:
                break
            if not chunk:
                break
            data.extend(chunk)
    run.received[name] = bytes(data)
