"""The simulated board's outside: what stands around the processor, and the host tool's control.

`simulation` is built by start.py before the firmware boots; boards/sim/board.py gives its parts
the names that every board has. The control channel speaks JSON lines with the host tool:
docs/simulator.md lists them.
"""

import gc
import json
import socket
import sys
import time
from array import array
from binascii import hexlify

from boards.sim import faults, heap
from boards.sim.clock import Clock
from boards.sim.load import CsvLoad, HouseholdDay
from boards.sim.sockets import SerialPort
from boards.sim.world import World

simulation = None

# Faults of the processor itself; those of the world around it are in boards/sim/faults.py.
_PROCESSOR_FAULTS = (
    ("firmware_hang", "The processor hangs: only the measuring chip and the watchdog act"),
    ("watchdog_dead", "The processor's watchdog never bites"),
)
_STATUS_PERIOD_MS = 1000
_HEAP_PERIOD_MS = 600000
_HEAP_NOTES = 1008  # a week
_START_SOC = 0.5  # a new pack is half full, which is also what the firmware assumes of one
_STATUS_REAL_MS = 50  # at full speed, at most 20 reports a real second


class End(SystemExit):
    """The run is over; `reason` is one of the words that docs/simulator.md lists."""

    def __init__(self, reason):
        super().__init__(0)
        self.reason = reason


class Watchdog:
    """A watchdog that really ends the run."""

    def __init__(self, simulation, timeout_ms):
        self._clock = simulation.clock
        self._timeout_ms = timeout_ms
        self._alarm = simulation.clock.once(timeout_ms, simulation.bite)

    def feed(self):
        """Put the bite off."""
        self._alarm.due_ms = self._clock.now_ms + self._timeout_ms


class Simulation:
    """Everything around the firmware, made from the host tool's options."""

    def __init__(self, options):
        self._options = options
        self._settings = options["settings"] or {}
        self.reset_cause = options["reset_cause"]
        self.world = self._build_world()
        self.clock = Clock(self.world, options["speed"])
        self.rs485 = SerialPort(options["rs485"])
        self.console = SerialPort(options["console"])
        self._can = _connect(options["can"])
        self._can_line = b""
        self._can_out = bytearray()
        self._control = _connect(options["control"])
        self._control_line = b""
        self._timer = None
        self._steps = 0
        self._watchdog_dead = False
        self._heap_bytes = array("I")  # in use after a collection, every ten simulated minutes
        self._injected = list(self.world.fault_memory)  # those that stood before a reset
        self._real_start_us = time.ticks_us()
        self._reported_us = 0
        self.clock.poller.watch(self._control, self._read_control)
        self.clock.poller.watch(self._can, self._read_can)
        self.world.can_outside.listener = self._show_frame
        self.clock.every(_STATUS_PERIOD_MS, self._report)
        self.clock.every(_HEAP_PERIOD_MS, self._note_heap)
        if options["duration_s"]:
            self.clock.once(int(options["duration_s"] * 1000), lambda: self.end("duration"))
        known = [list(row) for row in faults.FAULTS] + [list(row) for row in _PROCESSOR_FAULTS]
        self._send({"hello": 1, "faults": known, "cells": self.world.pack.cells})
        for name in options["faults"]:
            self._inject(name)
        for at_s, order in options.get("orders", ()):
            self.clock.once(int(at_s * 1000), self._later(order))
        for signal, limit in options.get("watch", ()):
            self.world.watch(signal, limit)

    def charge_off(self, level):
        """The off line of the charge gate, as the chip sees it: 1 is off."""
        depth = heap.lift()
        self.world.set_off_lines(charge=level)
        heap.restore(depth)

    def discharge_off(self, level):
        """The off line of the discharge gate, as the chip sees it: 1 is off."""
        depth = heap.lift()
        self.world.set_off_lines(discharge=level)
        heap.restore(depth)

    def start_timer(self, period_ms, callback):
        """The firmware's periodic timer."""

        def tick():
            self._steps += 1
            callback(None)

        self._timer = self.clock.every(period_ms, tick, of_firmware=True)

    def stop_timer(self):
        """No more calls of the firmware's timer."""
        self.clock.stop(self._timer)

    def watchdog(self, timeout_ms):
        """The processor's watchdog, started."""
        return Watchdog(self, timeout_ms)

    def bite(self):
        """The watchdog was not fed in time."""
        if not self._watchdog_dead:
            self.end("watchdog")

    def end(self, reason):
        """End the run here and now, as a reset or a power cut would."""
        raise End(reason)

    def finish(self, reason, text=""):
        """Keep the battery's state for the next run and tell the host why this one ended."""
        with open("/host" + self._options["world"], "w") as state:
            json.dump(self.world.save(), state)
        real_s = time.ticks_diff(time.ticks_us(), self._real_start_us) / 1e6
        seconds = self.clock.now_ms / 1000
        self._report(True)
        end = {"reason": reason, "t_s": seconds, "real_s": real_s, "steps": self._steps}
        end["speed"] = seconds / real_s if real_s else 0
        end["text"] = text
        end["heap_bytes"] = list(self._heap_bytes)
        end["trace"] = self.world.gate_trace
        end["crossed_us"] = self.world.crossed_us
        self._send({"end": end})

    def _build_world(self):
        options = self._options
        cells = self._settings.get("series_cells", 16)
        capacity_ah = self._settings.get("design_capacity_mah", 280000) / 1000
        if options["load"]:
            load = CsvLoad(options["load"], options["load_scale"] or 1.0)
        else:
            load = HouseholdDay(options["seed"], capacity_ah)
        world = World(
            cells=cells,
            capacity_ah=capacity_ah,
            seed=options["seed"],
            load=load,
            crc=bool(self._settings.get("afe_crc", 0)),
            shunt_ohm=self._settings.get("shunt_microohm", 500) * 1e-6,
            soc=_START_SOC,
        )
        try:
            with open(options["world"]) as state:
                world.restore(json.load(state))
        except OSError:
            return world  # the first run: a new battery
        return world

    def _inject(self, name):
        if name == "firmware_hang":
            self.clock.hold_firmware = True
        elif name == "watchdog_dead":
            self._watchdog_dead = True
        else:
            faults.inject(self.world, name)
        if name not in self._injected:
            self._injected.append(name)

    def _clear(self, name):
        if name == "firmware_hang":
            self.clock.hold_firmware = False
        elif name == "watchdog_dead":
            self._watchdog_dead = False
        else:
            faults.clear(self.world, name)
        if name in self._injected:
            self._injected.remove(name)

    def _read_control(self):
        lines, self._control_line = _lines(self._control, self._control_line, b"\n")
        for line in lines:
            self._obey(json.loads(line))

    def _later(self, order):
        return lambda: self._obey(order)

    def _obey(self, order):
        if "inject" in order:
            self._inject(order["inject"])
        elif "clear" in order:
            self._clear(order["clear"])
        elif "clear_all" in order:
            for name in list(self._injected):
                self._clear(name)
        elif "speed" in order:
            self.clock.set_speed(order["speed"])
        elif "quit" in order:
            self.end("quit")

    def _read_can(self):
        lines, self._can_line = _lines(self._can, self._can_line, b"\r")
        for line in lines:
            frame = _parse_frame(line)
            if frame:
                self.world.can_outside.send(*frame)

    def _show_frame(self, identifier, data, extended, remote):
        kind = ("R" if extended else "r") if remote else ("T" if extended else "t")
        digits = "%08X" if extended else "%03X"
        self._can_out += (kind + digits % identifier + "%d" % len(data)).encode()
        if not remote:
            self._can_out += hexlify(data).upper()
        self._can_out += b"\r"
        if self.clock.speed:
            self._flush_can()

    def _flush_can(self):
        """At full speed frames leave once a simulated second: a write is the costly part."""
        if self._can_out:
            self._can.write(self._can_out)
            self._can_out = bytearray()

    def _note_heap(self):
        if len(self._heap_bytes) < _HEAP_NOTES:
            gc.collect()
            self._heap_bytes.append(gc.mem_alloc())

    def _send(self, message):
        self._control.write((json.dumps(message) + "\n").encode())

    def _report(self, last=False):
        self._flush_can()
        now_us = time.ticks_us()
        since_us = time.ticks_diff(now_us, self._reported_us)
        if self.world.load.finished and not last:
            self.end("load finished")
        always = last or self._options.get("every_status", False)
        if not always and self.clock.speed == 0 and since_us < _STATUS_REAL_MS * 1000:
            return
        self._reported_us = now_us
        real_us = time.ticks_diff(now_us, self._real_start_us)
        status = {
            "t_s": self.clock.now_ms / 1000,
            "speed": self.clock.now_ms * 1000 / real_us if real_us else 0,
            "truth": self.world.status(),
            "injected": self._injected,
            "points": {},
            "reason": "",
        }
        application = getattr(sys.modules.get("app"), "application", None)
        if application:
            status["points"] = _points(application)
            status["reason"] = _reason(application, status["points"])
        self._send({"status": status})


def _connect(port):
    connection = socket.socket()
    connection.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    return connection


def _lines(connection, waiting, separator):
    data = connection.recv(4096)
    if not data:
        raise End("quit")  # the host tool is gone
    parts = (waiting + data).split(separator)
    return parts[:-1], parts[-1]


def _parse_frame(line):
    """(identifier, data, extended, remote) of an SLCAN line, or None if it is not one."""
    text = str(line, "utf-8")
    kind = text[:1]
    if kind not in ("t", "T", "r", "R"):
        return None
    digits = 3 if kind in ("t", "r") else 8
    try:
        identifier = int(text[1 : 1 + digits], 16)
        size = int(text[1 + digits : 2 + digits])
        payload = text[2 + digits : 2 + digits + 2 * size]
        data = bytes([int(payload[at : at + 2], 16) for at in range(0, len(payload), 2)])
    except ValueError:
        return None
    return identifier, data, kind in ("T", "R"), kind in ("r", "R")


def _points(application):
    """All points by name, as people read them: None where nothing valid is measured."""
    from bms.points import STATES, set_bit_names
    from bms.table import INVALID

    table = application.points
    values = table.new_snapshot()
    table.snapshot_into(memoryview(values))
    points = {}
    for row in range(len(table)):
        start = table.offsets[row]
        shown = [
            None if value == INVALID else value
            for value in values[start : start + table.counts[row]]
        ]
        while len(shown) > 1 and shown[-1] is None:
            shown.pop()
        points[table.names.name(row)] = shown[0] if table.counts[row] == 1 else shown
    for name in ("faults", "warnings"):
        points[name] = set_bit_names(points[name], application.faults)
    points["state"] = STATES[points["state"]] if points["state"] is not None else None
    return points


def _reason(application, points):
    """Why the gates are off, in words."""
    if points["faults"] == ["configuration_invalid"]:
        return "; ".join(application.configuration.problems)
    names = application.faults.names
    return "; ".join([application.faults.advice(names.index(name)) for name in points["faults"]])
