"""Runs on the 32-bit build with sys.settrace: the fast path between any two lines of slow code.

On a board the timer's callback runs `step` between any two bytecodes of a coroutine. Here a trace
function does so before every line of what coroutines run: the slow path, the CAN encoder and a
Modbus read. With each step everything that the chip measures grows by one count, so that values of
two different steps give themselves away.
The second half is the proof of the proof: with snapshots copied value by value, the same checks
must find torn values. Prints OK.
"""

import sys
from array import array

from bms import sample
from bms.access import Access
from bms.limit_curves import SIGNALS
from bms.table import INVALID
from host_tests.bms.bench import Bench
from inverter.profiles import load
from modbus.registers import TELEMETRY, RegisterMap
from modbus.server import Server

COUNTS = 40  # values repeat after these; few enough to keep away from every protection
ROUNDS = 3
MOST_REGISTERS = 125  # of one answer (Modbus application protocol, 6.4)


class Torn(Exception):
    """Values of different steps in one reading."""


def agree(counts):
    for count in counts:
        if count != counts[0]:
            raise Torn(str(counts))


class Pack:
    """A guarded pack in which every measured value tells in which step it was measured."""

    def __init__(self):
        self.bench = Bench()
        self.bench.start()
        self.count = 0
        self.steps = 0
        self.fail_at = -1  # lines until the chip is lost
        self.lines = 0
        self.watched = ()  # places of values that must be equal after each step
        self.torn = None  # what they were when they were not
        self.measure()

    def measure(self):
        """One step, one count further."""
        chip = self.bench.chip
        self.count = (self.count + 1) % COUNTS
        chip.set_cells(3200 + 5 * self.count)
        chip.set_temperatures(100 + self.count)
        chip.board_temperature_dc = 100 + self.count
        chip.current_ma = 100 * self.count
        self.steps += 1
        self.bench.step()
        live = self.bench.points.live
        for place in self.watched:
            # Noted, not raised: an exception in a trace function ends all tracing.
            if live[place] != live[self.watched[0]]:
                self.torn = [live[place] for place in self.watched]

    def trace(self, frame, event, argument):
        """What sys.settrace calls before every line."""
        if event == "line":
            if self.lines == self.fail_at:
                self.bench.chip.code = sample.BUS_ERROR
                self.bench.step(600)
            self.lines += 1
            if self.fail_at < 0:  # else that one step is what matters
                self.measure()
        return self.trace

    def slow(self):
        """One turn of the slow path alone; the steps come between its lines."""
        self.bench.battery.slow_step(1000)

    def traced(self, function):
        """Run `function` with a step before each of its lines, and of what it calls."""
        self.lines = 0
        steps = self.steps
        sys.settrace(self.trace)
        try:
            function()
        finally:
            sys.settrace(None)
        if self.torn:
            raise Torn(str(self.torn))
        return self.steps - steps


class Estimator:
    """Stands in for the estimator: gives the slow path values that tell in which turn they were
    made, and looks at what it was given."""

    def __init__(self):
        self.soc_bp = self.remaining_mah = self.full_mah = 0
        self.estimate_bp = self.sigma_bp = self.quality = self.full_age_s = 0

    def follow_design(self):
        return ()

    def take(
        self, elapsed_ms, net_mah, current_ma, cell_min_mv, cell_max_mv, mean_dmv, temperature_dc
    ):
        agree([current_ma // 100, (cell_min_mv - 3200) // 5, (cell_max_mv - 3200) // 5])
        self.soc_bp += 1

    def work(self):
        return False

    def show(self):
        self.remaining_mah += 1


class Health:
    """Stands in for the health, likewise; the estimator gets its full charge a turn later."""

    def __init__(self):
        self.full_mah = 1
        self.soh_bp = self.cycles = 0

    def step(self, elapsed_ms, snapshot, soc, counter, bled_mah):
        self.full_mah += 1
        self.soh_bp += 1


class Limits:
    """Stands in for the limits, and looks at what they are made of."""

    def __init__(self):
        self.charge_current_ma = self.discharge_current_ma = 0
        self.charge_reason = self.discharge_reason = self.drop_mv = self.discharge_cell_mv = 0
        self.signals = array("i", [INVALID] * len(SIGNALS))

    def forget(self):
        pass

    def withdraw(self, direction):
        pass

    def update(self, elapsed_ms, limited, charge_allowed, discharge_allowed):
        at = {name: self.signals[place] for place, name in enumerate(SIGNALS)}
        agree(
            [
                (at["cell_min_mv"] - 3200) // 5,
                (at["cell_max_mv"] - 3200) // 5,
                at["temperature_min_dc"] - 100,
                at["temperature_max_dc"] - 100,
                at["current_ma"] // 100,
            ]
        )


def slow_path(pack):
    """What it reads is of one step, and what it publishes is there all at once."""
    battery = pack.bench.battery
    slow = battery._slow
    kept = slow._estimator, slow._health, slow._limits, battery._limits
    slow._estimator = Estimator()
    slow._health = Health()
    slow._limits = battery._limits = Limits()
    offset = pack.bench.points.offset
    pack.bench.slow()
    pack.torn = None
    pack.watched = [offset(name) for name in ("soc_bp", "remaining_mah", "full_mah", "soh_bp")]
    try:
        return pack.traced(pack.slow)
    finally:
        pack.watched = ()
        slow._estimator, slow._health, slow._limits, battery._limits = kept


class Inverter:
    """The CAN frames of a Pylontech battery, encoded as the link does."""

    def __init__(self, pack):
        points = pack.bench.points
        self.points = points
        profile = load("pylontech", points, pack.bench.table, pack.bench.parameters)
        self.encoder = profile.encoder
        self.rules = profile.rules
        self.index = list(self.encoder.identifiers).index(0x356)
        self.snapshot, self.view = profile.rules.new_snapshot()

    def encode(self):
        self.points.snapshot_into(self.view)
        conditions = self.rules.apply(self.snapshot, 1000)
        self.encoder.encode_fields(self.index, self.snapshot, conditions)


def inverter(pack):
    """0x356 carries voltage (10 mV), current (0.1 A) and temperature (0.1 C) of one step."""
    link = Inverter(pack)
    steps = pack.traced(link.encode)
    frame = link.encoder.frames[link.index]
    words = [frame[at] | frame[at + 1] << 8 for at in (0, 2, 4)]
    agree([(words[0] - 4 * 320) // 2, words[1], words[2] - 100])
    return steps


class Modbus:
    """One request for as many registers of telemetry as fit, answered by the server core."""

    def __init__(self, pack):
        bench = pack.bench
        self.points = bench.points
        registers = RegisterMap(
            bench.points, bench.parameters, Access(bench.parameters), bench.battery.requests, print
        )
        self.server = Server(1, registers)
        size = 0
        for row in range(len(self.points)):
            if size + self._registers(row) > MOST_REGISTERS:
                break
            size += self._registers(row)
        self.request = bytes((4, TELEMETRY >> 8, TELEMETRY & 0xFF, 0, size))
        self.response = bytearray(260)

    def read(self):
        size = self.server.respond_pdu(self.request, 0, len(self.request), self.response, 0)
        assert size == 2 + 2 * self.request[4]

    def _registers(self, row):
        return self.points.counts[row] * (1 if self.points.types[row] else 2)

    def value(self, name, slot=0):
        """A value out of the response: 32 bits, or 16 for vectors."""
        at = 2
        row = self.points.index(name)
        for other in range(row):
            at += 2 * self._registers(other)
        if self.points.types[row]:
            at += 2 * slot
            return self.response[at] << 8 | self.response[at + 1]
        return self.response[at + 2] << 8 | self.response[at + 3]


def modbus(pack):
    """All that one answer holds is of one step."""
    link = Modbus(pack)
    steps = pack.traced(link.read)
    counts = [(link.value("pack_voltage_mv") - 12800) // 20, link.value("current_ma") // 100]
    for cell in range(4):
        counts.append((link.value("cell_voltage_mv", cell) - 3200) // 5)
    for name in ("cell_min_mv", "cell_max_mv"):
        counts.append((link.value(name) - 3200) // 5)
    for name in ("temperature_min_dc", "temperature_max_dc", "board_temperature_dc"):
        counts.append(link.value(name) - 100)
    for sensor in range(2):
        counts.append(link.value("temperature_dc", sensor) - 100)
    agree(counts)
    return steps


READERS = (slow_path, inverter, modbus)


def nothing_is_torn(pack):
    for reader in READERS:
        for _ in range(ROUNDS):
            steps = reader(pack)
            assert steps > 20, (reader, steps)


def a_lost_chip_leaves_nothing_that_looks_live(pack):
    """The chip is lost before any one line of the slow path; SoC may not come after the blank."""
    points = pack.bench.points
    soc, remaining, cell = [
        points.offset(name) for name in ("soc_bp", "remaining_mah", "cell_min_mv")
    ]
    line = 0
    while True:
        pack.fail_at = line
        pack.traced(pack.slow)
        if line >= pack.lines:
            break
        assert points.live[cell] == INVALID
        if points.live[soc] != INVALID or points.live[remaining] != INVALID:
            raise Torn("lost before line %d, but SoC looks live" % line)
        pack.bench.chip.code = sample.OK
        pack.bench.step()
        pack.bench.step(3000)
        pack.bench.step(3000)
        pack.bench.slow()
        assert points.live[soc] != INVALID
        line += 1
    pack.fail_at = -1
    assert line > 20


def the_checks_find_what_is_torn(pack):
    """Value by value instead of all at once: now they must complain."""
    points = pack.bench.points
    live = points.live

    def leaky_snapshot(view):
        for place in range(len(view)):
            view[place] = live[place]

    def leaky_publish(view):
        for place in range(len(view)):
            points._posted[place] = view[place]

    for reader in READERS:
        points.snapshot_into = points.fast_into = leaky_snapshot
        try:
            reader(pack)
        except Torn:
            continue
        finally:
            del points.snapshot_into, points.fast_into
        raise AssertionError("torn values were not found", reader)
    points.publish_slow = leaky_publish
    try:
        slow_path(pack)
    except Torn:
        return
    finally:
        del points.publish_slow
    raise AssertionError("a torn publication was not found")


nothing_is_torn(Pack())
the_checks_find_what_is_torn(Pack())
a_lost_chip_leaves_nothing_that_looks_live(Pack())
print("OK")
