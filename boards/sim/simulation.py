"""The simulated board's outside: what stands around the processor, and the host tool's control.

`simulation` is built by start.py before the firmware boots; boards/sim/board.py gives its parts
the names that every board has. The control channel speaks JSON lines with the host tool:
docs/simulator.md lists them.
"""

import gc
import json
import select
import socket
import time
from array import array
from binascii import hexlify

from boards.sim import bq76952, faults, heap, reports
from boards.sim import costs as prices
from boards.sim.clock import Clock
from boards.sim.contactors import ContactorLines
from boards.sim.fram import Fram
from boards.sim.inverter_languages import BY_PROFILE
from boards.sim.load import CsvLoad, HouseholdDay
from boards.sim.sockets import SerialPort
from boards.sim.world import World

simulation = None

# Faults of the processor itself; those of the world around it are in boards/sim/faults.py.
_PROCESSOR_FAULTS = (
    ("firmware_hang", "The processor hangs: only the measuring chip and the watchdog act"),
    ("watchdog_dead", "The processor's watchdog never bites"),
    ("step_slow", "Each turn of the fast path takes 0.9 s"),
    ("flash_stall", "Each erase of a flash sector stops the processor for 400 ms"),
    ("flash_failing", "Nothing can be written to the flash any more"),
)
_PROCESSOR_NAMES = [row[0] for row in _PROCESSOR_FAULTS]
_KEPT = ("flash_stall", "flash_failing")  # these outlive a reset of the processor
_SLOW_STEP_US = 900_000
_CONTACTORS = 2  # of the parameter power_path
_AFE_INPUTS = (0, 5, 10, 15, 0)  # by the parameter afe_chip
_STACK = 4
_EIO = 5
_STATUS_PERIOD_MS = 1000
_HEAP_PERIOD_MS = 600000
_HEAP_NOTES = 1008  # a week
_START_SOC = 0.5  # a new pack is half full, which is also what the firmware assumes of one
_BLEED_OHM = 65  # default of the parameter balance_ohm
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
        self.fram = Fram(options["image"] + ".fram") if options.get("fram") else None
        if self.fram:
            self.world.sensor_i2c.attach(self.fram)
        self.clock = Clock(self.world, options["speed"])
        self._costs = None
        if options.get("costs"):
            crc = bool(self._settings.get("afe_crc", 0))
            chips = 2 if self._stacked() else 1
            self._costs = prices.Costs(self.clock, self.world.pack.cells, crc, chips)
            self._costs.install(self.world.i2c, self.world.sensor_i2c)
        self.contactor_lines = ContactorLines(self.world.contactors, self._before_acting)
        self.rs485 = SerialPort(options["rs485"])
        self.console = SerialPort(options["console"])
        self._can = _connect(options["can"])
        self._can_line = b""
        self._can_out = bytearray()
        self._control = _connect(options["control"])
        self._control_line = b""
        self._timer = None
        self._flash = None
        self._steps = 0
        self._faults = set(self._kept_faults)  # of the processor, that stand
        self._heap_bytes = array("I")  # in use after a collection, every ten simulated minutes
        # Those that stood before a reset.
        self._injected = list(self.world.fault_memory) + self._kept_faults
        self._real_start_us = time.ticks_us()
        self._reported_us = 0
        self._control_poll = select.poll()  # for when asyncio does not look
        self._control_poll.register(self._control, select.POLLIN)
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
        self._before_acting()
        depth = heap.lift()
        self.world.set_off_lines(charge=level)
        heap.restore(depth)

    def discharge_off(self, level):
        """The off line of the discharge gate, as the chip sees it: 1 is off."""
        self._before_acting()
        depth = heap.lift()
        self.world.set_off_lines(discharge=level)
        heap.restore(depth)

    def start_timer(self, period_ms, callback):
        """The firmware's periodic timer."""

        def tick():
            self._steps += 1
            if self._costs:
                self._costs.begin_step()
            callback(None)
            self._before_acting()
            if "step_slow" in self._faults:
                self.clock.charge(_SLOW_STEP_US)

        self.stop_timer()
        self._timer = self.clock.every(period_ms, tick, of_firmware=True)

    def stop_timer(self):
        """No more calls of the firmware's timer."""
        if self._timer:
            self.clock.stop(self._timer)

    def doze(self, duration_ms):
        """The processor stands still: the world and the host's control go on."""
        supply = self.world.supply
        supply.doze(True)
        self.clock.doze(duration_ms, self._control_ready)
        supply.doze(False)

    def _control_ready(self, wait_ms):
        """Obey what the host says within so many real milliseconds, or at once."""
        if self._control_poll.poll(wait_ms):
            self._read_control()

    def watchdog(self, timeout_ms):
        """The processor's watchdog, started."""
        return Watchdog(self, timeout_ms)

    def bite(self):
        """The watchdog was not fed in time."""
        if "watchdog_dead" not in self._faults:
            self.end("watchdog")

    def use(self, flash):
        """The board's flash, with the files that the firmware starts with: counted from here on,
        and without power at the write that the options ask for."""
        self._flash = flash
        flash.outside = self
        flash.writes = 0
        flash.cut_at, flash.cut_bytes = self._options.get("power_cut", (0, 0))

    def flash_erases(self):
        """The flash is about to erase a sector. Raises OSError where it fails."""
        self._check_flash()
        if "flash_stall" in self._faults:
            self.clock.charge(prices.ERASE_WORST_US)
        elif self._costs:
            self.clock.charge(prices.ERASE_US)

    def flash_programs(self, size):
        """The flash is about to program so many bytes. Raises OSError where it fails."""
        self._check_flash()
        if self._costs:
            pages = (size + prices.PAGE - 1) // prices.PAGE
            self.clock.charge(pages * prices.PROGRAM_US)

    def flash_cut(self):
        """The power was lost in a write: the run ends before anything else happens."""
        self.clock.once(0, lambda: self.end("power cut"))

    def end(self, reason):
        """End the run here and now, as a reset or a power cut would."""
        self._costs = None  # what still runs while the program is left is not of this world
        raise End(reason)

    def finish(self, reason, text=""):
        """Keep the battery's state for the next run and tell the host why this one ended."""
        with open("/host" + self._options["world"], "w") as state:
            saved = self.world.save()
            saved["processor_faults"] = [name for name in _KEPT if name in self._faults]
            json.dump(saved, state)
        real_s = time.ticks_diff(time.ticks_us(), self._real_start_us) / 1e6
        seconds = self.clock.now_ms / 1000
        self._report(True)
        end = {"reason": reason, "t_s": seconds, "real_s": real_s, "steps": self._steps}
        end["speed"] = seconds / real_s if real_s else 0
        end["text"] = text
        end["heap_bytes"] = list(self._heap_bytes)
        end["trace"] = self.world.gate_trace
        end["contact_trace"] = self.world.contact_trace
        end["crossed_us"] = self.world.crossed_us
        if self._flash:
            end["flash_writes"] = self._flash.writes
            end["flash_erases"] = list(self._flash.erases)
        self._send({"end": end})

    def _build_world(self):
        options = self._options
        cells = self._settings.get("series_cells", 16)
        capacity_ah = self._settings.get("design_capacity_mah", 280000) / 1000
        if options["load"]:
            load = CsvLoad(options["load"], options["load_scale"] or 1.0)
            load.recorded = not options.get("load_obeys", False)
        else:
            load = HouseholdDay(options["seed"], capacity_ah)
        world = World(
            cells=cells,
            capacity_ah=capacity_ah,
            seed=options["seed"],
            load=load,
            crc=bool(self._settings.get("afe_crc", 0)),
            shunt_ohm=self._settings.get("shunt_microohm", 500) * 1e-6,
            soc=options.get("soc", _START_SOC),
            language=BY_PROFILE[self._settings.get("inverter_profile", 1)](),
            bleed_ohm=self._settings.get("balance_ohm", _BLEED_OHM),
            spread=options.get("spread"),
            afe_inputs=_AFE_INPUTS[self._settings.get("afe_chip", 0)],
            board_pin=self._board_pin(),
            lower_sensors=self._sensors_of_lower() if self._stacked() else None,
            **self._power_path(),
        )
        _misadjust(world, options.get("errors", {}))
        self._kept_faults = []
        try:
            with open(options["world"]) as state:
                saved = json.load(state)
        except OSError:
            return world  # the first run: a new battery
        world.restore(saved, powered=options["reset_cause"] != "power_on")
        self._kept_faults = saved["processor_faults"]
        return world

    def _power_path(self):
        """What switches the current, by the parameters and their defaults."""
        setting = self._settings.get
        poles = setting("contactor_poles", 1) if setting("power_path", 0) == _CONTACTORS else 0
        shunt_ohm = setting("ina228_shunt_microohm", 100) * 1e-6
        return {
            "contactor_poles": poles,
            "predischarge": setting("predischarge", 0) == 1,
            "precharge_ohm": setting("precharge_ohm", 47),
            "break_a": setting("contactor_break_max_ma", 250000) / 1000,
            "bleed_s": setting("contactor_bleed_s", 0),
            "ina228_ohm": shunt_ohm if setting("current_sensor", 0) == 1 else 0.0,
        }

    def _board_pin(self):
        """Where a BQ769x0's sensor at the switches is: behind those of the cells."""
        setting = self._settings.get
        return setting("cell_thermistors", 2) if setting("fet_thermistor", 0) else None

    def _stacked(self):
        return self._settings.get("afe_chip", 0) == _STACK

    def _sensors_of_lower(self):
        """Half of them, rounded up: docs/measuring-chips.md."""
        return (self._settings.get("cell_thermistors", 2) + 1) // 2

    def _before_acting(self):
        """The firmware acts on a line, or its step is over: its work took time until here."""
        if self._costs:
            self._costs.settle()

    def _check_flash(self):
        if "flash_failing" in self._faults:
            raise OSError(_EIO, "EIO")

    def _inject(self, name):
        if name in _PROCESSOR_NAMES:
            self._faults.add(name)
            self.clock.hold_firmware = "firmware_hang" in self._faults
        else:
            faults.inject(self.world, name)
        if name not in self._injected:
            self._injected.append(name)

    def _clear(self, name):
        if name in _PROCESSOR_NAMES:
            self._faults.discard(name)
            self.clock.hold_firmware = "firmware_hang" in self._faults
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
        elif "console" in order:
            self.console.typed.extend(order["console"].encode())
        elif "note" in order:
            self._send({"note": reports.note(self.world, self.clock.now_ms, order["note"])})
        elif "room_dc" in order:
            self.world.pack.set_room(order["room_dc"] / 10)
        elif "stall_ms" in order:
            self.clock.stall(1000 * order["stall_ms"])
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
        application = reports.application()
        if application:
            chosen = self._options.get("points")
            status["points"] = reports.points_by_name(application, chosen)
            if chosen is None:
                status["reason"] = reports.reason(application, status["points"])
        self._send({"status": status})


def _misadjust(world, errors):
    """What a board measures wrongly before anybody calibrates it: option `errors`."""
    cells = errors.get("cell_ppm", [])
    for cell in range(len(cells)):
        world.afe.cell_errors[cell] = cells[cell] / 1e6
    world.afe.stack_error = errors.get("stack_ppm", 0) / 1e6
    world.afe.bus_error = errors.get("bus_ppm", 0) / 1e6
    world.afe.shunt_offset_v = errors.get("shunt_offset_nv", 0) / 1e9
    if "trim_seed" in errors:  # another piece of the measuring chip, as its factory left it
        world.afe.memory.trim = bq76952.factory_trim(errors["trim_seed"])
    scale = 1 + errors.get("shunt_ppm", 0) / 1e6
    world.pack.shunt_ohm *= scale
    world.ina228.shunt_ohm *= scale


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
