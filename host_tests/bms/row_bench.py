"""One protection on a bench of its own: what makes it trip alone, and what it must do then.

Everything here is written down from what the faults mean and from the parameters' help texts, not
taken from the table of rows: the tests compare the two.
"""

from bms import requests
from bms.limit_curves import REASONS
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, OK
from host_tests.bms.bench import Bench
from host_tests.bms.mirrors import BLOCKS as FAULTS_BLOCK

# What each fault must block, from what it does to a battery: too much charge forbids charging, too
# little forbids discharging; what is too hot, broken or contradicts itself forbids both.
BLOCKS = {
    "cell_overvoltage": GATE_CHARGE,
    "cell_undervoltage": GATE_DISCHARGE,
    "pack_overvoltage": GATE_CHARGE,
    "pack_undervoltage": GATE_DISCHARGE,
    "overcurrent_charge": GATE_CHARGE,
    "overcurrent_discharge": GATE_DISCHARGE,
    "fast_overcurrent_charge": GATE_CHARGE,
    "fast_overcurrent_discharge": GATE_DISCHARGE,
    "overtemperature_charge": GATE_CHARGE,
    "overtemperature_discharge": GATE_DISCHARGE,
    "undertemperature_charge": GATE_CHARGE,
    "undertemperature_discharge": GATE_DISCHARGE,
    "fet_overtemperature": GATES_BOTH,
    "afe_overtemperature": GATES_BOTH,
    "stack_mismatch": GATES_BOTH,
    "cell_imbalance": GATE_CHARGE,
    "deep_discharge": GATES_BOTH,
    "gates_off_current": GATES_BOTH,
    "limited_current": GATES_BOTH,
}
NAMES = list(BLOCKS)
# A person has to look at these before the pack goes on.
LATCHING = ("deep_discharge", "gates_off_current", "limited_current")
# Of these, whom "clear" is enough for; a deep discharge has to be acknowledged.
CLEARED = ("gates_off_current", "limited_current")
REST_MS = 10000  # an acknowledgement needs to see the cells at rest for so long
BELOW = (
    "cell_undervoltage",
    "pack_undervoltage",
    "undertemperature_charge",
    "undertemperature_discharge",
    "deep_discharge",
)
UNDERVOLTAGES = ("cell_undervoltage", "pack_undervoltage")
EMPTY = {"deep_discharge", "cell_undervoltage", "pack_undervoltage"}
_UNITS = {"voltage": "mv", "mismatch": "mv", "imbalance": "mv", "temperature": "dc"}

# Parameters of the rows that share some with others: warning, trip, delay, release, its delay
_SHARED = {
    "fast_overcurrent_charge": (
        "fast_overcurrent_charge_ma",
        "fast_overcurrent_charge_ma",
        "fast_overcurrent_backup_ms",
        "overcurrent_charge_release_ma",
        "overcurrent_charge_release_delay_ms",
    ),
    "fast_overcurrent_discharge": (
        "fast_overcurrent_discharge_ma",
        "fast_overcurrent_discharge_ma",
        "fast_overcurrent_backup_ms",
        "overcurrent_discharge_release_ma",
        "overcurrent_discharge_release_delay_ms",
    ),
    "deep_discharge": (
        "deep_discharge_trip_mv",
        "deep_discharge_trip_mv",
        "deep_discharge_delay_ms",
        "cell_undervoltage_release_mv",
        "cell_undervoltage_release_delay_ms",
    ),
    "gates_off_current": (
        "gates_off_current_ma",
        "gates_off_current_ma",
        "gates_off_current_delay_ms",
        "gates_off_current_ma",
        "gates_off_current_delay_ms",
    ),
    "limited_current": (
        "limited_current_warn_ma",
        "limited_current_trip_ma",
        "limited_current_delay_ms",
        "limited_current_warn_ma",
        "limited_current_delay_ms",
    ),
}
_BLOCKED = REASONS.index("blocked")
_WHAT = ("warn", "trip", "delay", "release", "release_delay")

# Currents that flow on while their gate is off, and the body diodes that would be spared then,
# have tests of their own.
_CURRENT = {"gates_off_current_ma": 20000}
_NO_BRIDGE = {"body_diode_ma": 20000}
# Rows that watch the same signal trip one after the other: the earlier one is moved away.
_ALONE = {
    "cell_undervoltage": _NO_BRIDGE,
    "pack_undervoltage": _NO_BRIDGE,
    "overcurrent_charge": _CURRENT,
    "overcurrent_discharge": _CURRENT,
    "fast_overcurrent_charge": {**_CURRENT, "overcurrent_charge_delay_ms": 60000},
    "fast_overcurrent_discharge": {**_CURRENT, "overcurrent_discharge_delay_ms": 60000},
    "deep_discharge": _NO_BRIDGE,
    "limited_current": {**_CURRENT, **_NO_BRIDGE},
}
# Further away than any cell bears, so no configuration could say it
_FAR_AWAY = {
    "overtemperature_discharge": {
        "overtemperature_charge_trip_dc": 900,
        "overtemperature_charge_warn_dc": 900,
    },
    "undertemperature_discharge": {
        "undertemperature_charge_trip_dc": -400,
        "undertemperature_charge_warn_dc": -400,
    },
}
# Around these, cells can be as far apart as they must be for a trip without being empty or full.
_CENTRE_MV = (3175, 3600, 2250, 2975)


def setting_name(name, what):
    """The parameter that is the row's `what` (one of _WHAT)."""
    if name in _SHARED:
        return _SHARED[name][_WHAT.index(what)]
    if what.endswith("delay"):
        return f"{name}_{what}_ms"
    unit = next((unit for word, unit in _UNITS.items() if word in name), "ma")
    return f"{name}_{what}_{unit}"


def lone_bench(name, **settings):
    """A bench on which the row trips before any other."""
    bench = Bench(**{**_ALONE.get(name, {}), **settings})
    for setting, value in _FAR_AWAY.get(name, {}).items():
        bench.parameters.values[bench.parameters.index(setting)] = value
    return bench


def drive(chip, name, value, chemistry=0):
    """Make the signal that a row watches read `value`."""
    if name in ("pack_overvoltage", "pack_undervoltage", "deep_discharge"):
        chip.set_cells(value)
    elif name == "cell_imbalance":
        chip.cell_mv[1] = _CENTRE_MV[chemistry] - value // 2
        chip.cell_mv[2] = chip.cell_mv[1] + value
    elif name.startswith("cell_"):
        chip.cell_mv[2] = value
    elif name.endswith("current_discharge"):
        chip.current_ma = -value
    elif "current" in name:
        chip.current_ma = value
    elif name == "stack_mismatch":
        chip.stack_error_mv = value
    elif name == "fet_overtemperature":
        chip.board_temperature_dc = value
    elif name == "afe_overtemperature":
        chip.chip_temperature_dc = value
    else:
        chip.temperature_dc[1] = value


class Row:
    """One protection, guarding: the gates that it finds on are `free`.

    companions: faults of rows that watch the same signal and can not be moved away.
    """

    def __init__(self, name, chemistry=0, period_ms=100, **settings):
        self.name = name
        self.chemistry = chemistry
        settings = {"chemistry": chemistry, **settings}
        self.bench = lone_bench(name, period_ms=period_ms, **settings)
        self.bench.start()
        self.side = -1 if name in BELOW else 1
        self.blocks = BLOCKS[name]
        self.free = GATES_BOTH
        self.companions = (
            EMPTY - {name} if name in ("deep_discharge", "limited_current") else set()
        )
        self._clears = False  # a person asks to clear the fault before every step
        self.bench.run(REST_MS)
        if name == "gates_off_current":
            self._open()
        elif name == "limited_current":
            self._recover_slowly()
        self.bench.events()

    def _open(self):
        self.bench.ask(requests.GATES_OFF)
        self.bench.step()
        self.free = 0

    def _recover_slowly(self):
        bench = self.bench
        bench.chip.set_cells(bench.setting("deep_discharge_trip_mv") - 1)
        bench.run_until(lambda: bench.faults() >= EMPTY, 20000)
        bench.events()
        bench.ask(requests.ACKNOWLEDGE_DEEP_DISCHARGE)
        bench.step()
        bench.slow()
        bench.step()
        self.free = GATE_CHARGE

    def setting(self, what):
        """Value of the row's warning, trip, delay, release or release_delay."""
        return self.bench.setting(setting_name(self.name, what))

    def value(self, what, beyond=0):
        """A threshold, or `beyond` it on the side that trips."""
        return self.setting(what) + beyond * self.side

    def drive(self, what, beyond=0):
        """Make the signal read `value(what, beyond)`."""
        if self.name in UNDERVOLTAGES:  # only a charge current releases these
            charged_ma = self.bench.setting("undervoltage_release_ma") + 1
            self.bench.chip.current_ma = charged_ma if what == "release" else 0
        drive(self.bench.chip, self.name, self.value(what, beyond), self.chemistry)

    def trip(self):
        """Beyond the threshold, until the fault is there; the ms it took."""
        self.drive("trip", beyond=1)
        return self.bench.run_until(self.active, 100000)

    def let_go(self):
        """Back across the release threshold. From now on a person does again and again what a
        latched fault needs, for what it is worth: it may go only when the row released."""
        self.drive("release", beyond=-1)
        self._clears = self.name in CLEARED
        if self.name == "deep_discharge":
            self.bench.ask(requests.ACKNOWLEDGE_DEEP_DISCHARGE)
            self.blocks = GATE_DISCHARGE

    def step(self):
        """One step of the bench; after `let_go`, with a "clear" if that is what it needs."""
        if self._clears:
            self.bench.ask(requests.CLEAR_FAULTS)
        self.bench.step()

    def run(self, duration_ms):
        """Steps, until at least `duration_ms` passed."""
        end_ms = self.bench.now_ms + duration_ms
        while self.bench.now_ms < end_ms:
            self.step()

    def run_until_gone(self):
        """Steps until the fault is not shown any more; the ms it took."""
        start_ms = self.bench.now_ms
        while self.active():
            assert self.bench.now_ms - start_ms < 100000, "it stays"
            self.step()
        return self.bench.now_ms - start_ms

    def active(self):
        """Whether the row's fault is shown."""
        return self.name in self.bench.faults()

    def _left(self):
        """GATE_* bits that are on but for this row."""
        gates = self.free
        if self.name != "limited_current":
            for fault in self.bench.faults() & self.companions:
                gates &= ~FAULTS_BLOCK[fault]
        return gates

    def check_guarded(self):
        """The row found nothing."""
        assert self.bench.faults() <= self.companions
        self._check_gates(self._left())

    def check_blocked(self):
        """Exactly the directions of this row are blocked, and nothing is offered there."""
        assert self.bench.faults() - self.companions == {self.name}
        self._check_gates(self._left() & ~self.blocks)

    def _check_gates(self, gates):
        bench = self.bench
        assert bench.chip.gates() == bench.chip.lines() == gates
        for gate, word in ((GATE_CHARGE, "charge"), (GATE_DISCHARGE, "discharge")):
            free = gates & gate != 0
            assert bench.point(word + "_allowed") == free
            assert free or bench.point(word + "_current_limit_ma") == 0
            reason = word + "_limit_reason"
            if bench.chip.code != OK:
                continue  # one more sample would end the hold-over
            if free and bench.point(reason) == _BLOCKED:
                bench.slow()  # what was blocked begins at nothing with the next turn
            assert (bench.point(reason) != _BLOCKED) == free
