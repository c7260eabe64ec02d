"""A stand-in for the firmware process: speaks the control protocol and moves bytes, no more.

Run by CPython as `fake_firmware.py MODE OPTIONS...`. RS485 echoes, the console answers with a
prompt, CAN sends one frame a simulated second and prints what it gets on the console.
Modes: `run`, which dies of a fault that it does not know, as the real one does; `watchdog`: the
first process resets after 3 s; `resets`: every process does; `maintenance`: the first process
restarts, the second one waits for new software; `dies`: prints a traceback and exits; `stuck`:
never says hello and ignores everything; `deaf`: runs but never quits; `settings`: prints the
settings it got.
"""

import json
import selectors
import socket
import sys
import time

FAULTS = [["cell_high", "Lifts one cell"], ["afe_silent", "The AFE stops answering"]]


def points(t_s, injected, cells):
    high = "cell_high" in injected
    cell_mv = [3300 + index for index in range(cells)]
    cell_mv[2] = 3700 if high else 3302
    if "afe_silent" in injected:
        return {
            **dict.fromkeys(points(t_s, [], cells)),
            "series_cells": cells,
            "state": "fault",
            "gates": 0,
            "charge_current_limit_ma": 0,
            "discharge_current_limit_ma": 0,
            "faults": ["afe_lost"],
            "warnings": [],
            "balancing": [0, 0],
        }
    return {
        "pack_voltage_mv": sum(cell_mv),
        "current_ma": -12_340,
        "power_w": -651,
        "soc_bp": 6120,
        "charge_current_limit_ma": 0 if high else 50_000,
        "discharge_current_limit_ma": 100_000,
        "gates": 2 if high else 3,
        "state": "fault" if high else "active",
        "cell_min_mv": min(cell_mv),
        "cell_max_mv": max(cell_mv),
        "cell_min_index": 0,
        "cell_max_index": 2 if high else cells - 1,
        "cell_delta_mv": max(cell_mv) - min(cell_mv),
        "temperature_max_dc": 251,
        "board_temperature_dc": 302,
        "series_cells": cells,
        "cell_voltage_mv": cell_mv + [None] * (32 - cells),
        "temperature_dc": [241, 251] + [None] * 6,
        "faults": ["cell_overvoltage"] if high else [],
        "warnings": ["cell_overvoltage"] if high else [],
        "balancing": [0b100, 0],
    }


def status(t_s, injected, speed=1.0, cells=16):
    shown = points(t_s, injected, cells)
    return {
        "t_s": t_s,
        "speed": speed,
        "points": shown,
        "truth": {
            "soc_bp": 6125,
            "current_ma": -12_000,
            "cell_mv": [3300] * cells,
            "temperature_dc": [241, 251],
            "charge_on": True,
            "discharge_on": True,
        },
        "injected": list(injected),
        "reason": "cell 3 is above 3650 mV" if "cell_high" in injected else "",
    }


class Firmware:
    def __init__(self, mode, options):
        self.mode = mode
        self.options = options
        self.injected = list(options["faults"])
        self.speed = options["speed"]
        self.quit = False
        self.t_s = 0
        self.links = {
            name: socket.create_connection(("127.0.0.1", options[name]))
            for name in ("control", "rs485", "console", "can")
        }
        self.selector = selectors.DefaultSelector()
        for name, link in self.links.items():
            self.selector.register(link, selectors.EVENT_READ, name)
        self.rest = b""

    def say(self, message):
        self.links["control"].sendall(json.dumps(message).encode() + b"\n")

    def take(self, name, data):
        if name == "rs485":
            self.links["rs485"].sendall(data)
        elif name == "console":
            self.links["console"].sendall(b"you said " + data + b"\r\n> ")
        elif name == "can":
            self.links["console"].sendall(b"bus: " + data)
        else:
            *lines, self.rest = (self.rest + data).split(b"\n")
            for line in lines:
                self.command(json.loads(line))

    def command(self, message):
        if "inject" in message:
            self.injected.append(message["inject"])
        elif "clear" in message:
            self.injected.remove(message["clear"])
        elif "clear_all" in message:
            self.injected.clear()
        elif "speed" in message:
            self.speed = message["speed"]
        elif "quit" in message:
            self.quit = self.mode != "deaf"

    def listen(self, seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                data = key.fileobj.recv(4096)
                if not data:
                    sys.exit(4)  # the host is gone
                self.take(key.data, data)

    def end(self, reason, code=0):
        self.say({"end": {"reason": reason, "t_s": self.t_s, "text": ""}})
        return code

    def run(self):
        self.say({"hello": 1, "faults": FAULTS, "period_ms": 100})
        if self.mode == "run":
            for fault in self.injected:
                dict(FAULTS)[fault]
        if self.mode == "maintenance":
            first = self.options["reset_cause"] == "power_on"
            return self.end("reset", 3) if first else self.end("maintenance")
        resets = self.mode == "resets" or (
            self.mode == "watchdog" and self.options["reset_cause"] == "power_on"
        )
        while not self.quit:
            self.listen(1 / self.speed if self.speed else 0.02)
            self.t_s += 1
            self.links["can"].sendall(b"t35181402E803E803C001\r")
            self.say({"status": status(self.t_s, self.injected, self.speed or 50.0)})
            if resets and self.t_s >= 3:
                return self.end("watchdog", 3)
            if self.options["duration_s"] is not None and self.t_s >= self.options["duration_s"]:
                return self.end("duration")
        return self.end("quit")


if __name__ == "__main__":
    mode, options = sys.argv[1], json.loads("".join(sys.argv[2:]))
    if mode == "dies":
        raise RuntimeError("the battery model fell over")
    if mode == "stuck":
        time.sleep(60)
    if mode == "settings":
        print(json.dumps(options["settings"]), flush=True)
    sys.exit(Firmware(mode, options).run())
