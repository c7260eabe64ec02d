"""A pack and an inverter that obeys, around the charge control and the limits alone: days in
seconds, for tests of what the two do to each other.

Nothing here is taken from the code under test. The pack: cells in series with spread of charge,
capacity and resistance; resistance over temperature as measured on an A123 cell (estimation.md
section 4); heat, and sensors that follow it late. The inverter takes limits one to three seconds
late, on a grid of 0.1 A and 0.1 V, holds the charge voltage with a slow loop and an offset of its
meter, and is never exact. The judge knows the thresholds and delays of the protections that
limits can keep away from.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from math import pi, sin
from random import Random

from bms.charge_control import ChargeControl
from bms.limit_curves import SIGNALS
from bms.limits import Limits
from host_tests.bms.bench import parameters_with

DAY_S = 86400

# Rest voltages of each chemistry in few corners, from data sheets' curves (V over SoC); beyond
# full and empty they are steep. That of LiFePO4 is the one of boards/sim/pack.py.
OCV = {
    "lfp": (
        (-0.1, 0.0, 0.01, 0.02, 0.04, 0.07, 0.10, 0.17, 0.28, 0.45, 0.58, 0.64, 0.69, 0.85, 0.95,
         0.98, 0.99, 1.0, 1.01, 1.1),
        (2.0, 2.60, 2.80, 2.94, 3.10, 3.18, 3.21, 3.24, 3.284, 3.299, 3.307, 3.322, 3.335, 3.341,
         3.346, 3.37, 3.41, 3.48, 3.70, 4.6),
    ),
    "nmc": (
        (-0.1, 0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1),
        (2.0, 2.9, 3.3, 3.45, 3.55, 3.65, 3.8, 3.98, 4.07, 4.19, 4.45),
    ),
    "lto": (
        (-0.1, 0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0, 1.1),
        (1.2, 1.75, 2.08, 2.18, 2.26, 2.38, 2.50, 2.72, 3.1),
    ),
    "sodium": (
        (-0.1, 0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0, 1.1),
        (1.4, 1.8, 2.3, 2.75, 3.1, 3.5, 3.85, 4.05, 4.4),
    ),
}  # fmt: skip
# estimation.md section 4: A123, milliohm of a cell of 2.4 Ah, over degrees
_R_C = (-20, -5, 5, 15, 25, 35, 45, 60)
_R_MOHM = (52.0, 28.5, 17.2, 12.2, 9.68, 8.40, 7.53, 6.9)
_R_AH = 2.4
_R_SIZE = 3.2  # a large household cell has more resistance for its capacity: EVE 280, 0.27 mohm
_POLARIZATION = 0.8  # of the fast resistance, within
_POLARIZATION_S = 60.0
_HEAT_J_K_AH = 19.0


def model_of(chemistry, wrong=1.0):
    """A cell model as a builder would have one: the kind is right, the figures off by `wrong`."""
    ocv = OCV[chemistry]
    curve = [int(10000 * _between(ocv, at / 100)) for at in range(101)]
    return {
        "name": "test",
        "source": "made up",
        "chemistry": chemistry,
        "validated": False,
        "capacity_mah": 2400,
        "ocv_charge_dmv": curve,
        "ocv_discharge_dmv": curve,
        "ocv_uv_per_k": [0] * 21,
        "hysteresis_bp": 300,
        "r0_temperature_dc": [10 * celsius for celsius in _R_C],
        "r0_uohm": [int(1000 * mohm / _R_SIZE * wrong) for mohm in _R_MOHM],
        "rc_tau_s": [60],
        "rc_permille": [800],
        "error_dmv": 100,
    }


def _between(curve, at):
    xs, ys = curve
    right = min(max(bisect_right(xs, at), 1), len(xs) - 1)
    return ys[right - 1] + (ys[right] - ys[right - 1]) * (at - xs[right - 1]) / (
        xs[right] - xs[right - 1]
    )


class Plant:
    """The pack. cell_v: V; sensors_c: coldest and warmest sensor."""

    def __init__(self, random, chemistry="lfp", cells=8, capacity_ah=100.0, soc=0.5, spread=0.01):
        self.ocv = OCV[chemistry]
        self.capacity_as = [3600 * capacity_ah * random.uniform(0.985, 1.015)
                            for _ in range(cells)]  # fmt: skip
        self.soc = [soc + random.uniform(-spread, spread) for _ in range(cells)]
        self.ratio = [random.uniform(0.9, 1.15) for _ in range(cells)]
        self.ratio[random.randrange(cells)] = 1.4  # a weak cell
        self.ohm_ah = 1 / capacity_ah
        self.heat_j_k = _HEAT_J_K_AH * capacity_ah
        self.branch_v = 0.0  # of a cell of ratio 1
        self.cell_c = 20.0
        self.sensors_c = [20.0, 20.0]
        self.board_c = 25.0
        self.cell_v = [0.0] * cells
        self.move(0.0, 0.0, 20.0)

    def move(self, seconds, current_a, ambient_c):
        """Let time pass."""
        r0 = _between((_R_C, _R_MOHM), self.cell_c) * 1e-3 * _R_AH / _R_SIZE * self.ohm_ah
        drop = current_a * r0
        self.branch_v += (drop * _POLARIZATION - self.branch_v) * min(1, seconds / _POLARIZATION_S)
        total = drop + self.branch_v
        charge = current_a * seconds
        for cell, capacity in enumerate(self.capacity_as):
            self.soc[cell] += charge / capacity
            self.cell_v[cell] = _between(self.ocv, self.soc[cell]) + total * self.ratio[cell]
        heat = current_a * total * seconds * 1.1 / self.heat_j_k
        self.cell_c += heat + (ambient_c - self.cell_c) * seconds / (3 * 3600)
        late = seconds / 250
        self.sensors_c[0] += (self.cell_c - 1.0 - self.sensors_c[0]) * late
        self.sensors_c[1] += (self.cell_c + 0.5 - self.sensors_c[1]) * late
        board_c = ambient_c + 10 + 0.001 * current_a * current_a
        self.board_c += (board_c - self.board_c) * seconds / 60


@dataclass
class Day:
    """What a day brings: ambient between two temperatures; sun at noon, use by day and in the
    evening as shares of the capacity (1: a current of one capacity an hour)."""

    cold_c: float
    warm_c: float
    sun: float
    use: float
    evening: float

    def ambient_c(self, t_s):
        """Coldest at half past two in the morning, warmest twelve hours later."""
        swing = 0.5 - 0.5 * sin(2 * pi * (t_s / DAY_S + 0.15))
        return self.cold_c + (self.warm_c - self.cold_c) * swing


USUAL = Day(15, 25, 0.35, 0.05, 0.2)
HOT = Day(38, 47.5, 0.9, 0.05, 0.9)  # the cells' own heat comes on top
COLD = Day(1, 8, 0.9, 0.05, 0.6)
FULL = Day(18, 26, 0.9, 0.01, 0.02)
EMPTY = Day(12, 20, 0.1, 0.1, 0.8)
FROST = Day(-9, 6, 0.6, 0.05, 0.3)
DAYS = {"usual": USUAL, "hot": HOT, "cold": COLD, "full": FULL, "empty": EMPTY, "frost": FROST}


@dataclass
class Record:
    """What happened. trips: names and seconds; turns: changes of direction of CCL, DCL and CVL;
    steps: the largest step of each in a second, up and down."""

    seconds: int = 0
    trips: list = field(default_factory=list)
    turns: dict = field(default_factory=lambda: {"ccl": 0, "dcl": 0, "cvl": 0})
    up: dict = field(default_factory=lambda: {"ccl": 0, "dcl": 0, "cvl": 0})
    down: dict = field(default_factory=lambda: {"ccl": 0, "dcl": 0, "cvl": 0})
    most_turns: dict = field(default_factory=lambda: {"ccl": 0, "dcl": 0, "cvl": 0})
    reasons: set = field(default_factory=set)
    phases: list = field(default_factory=list)
    charged_ah: float = 0.0
    discharged_ah: float = 0.0
    fulls: int = 0
    cell_max_v: float = 0.0
    cell_min_v: float = 9.0
    warmest_c: float = -99.0


class Loop:
    """Pack, inverter, limits and judge; `run(day)` lets a day pass."""

    def __init__(self, chemistry="lfp", seed=1, model=None, obeys_current=True, settings=None,
                 **plant):  # fmt: skip
        random = self.random = Random(seed)
        self.plant = Plant(random, chemistry, **plant)
        cells = len(self.plant.soc)
        self.cells = cells
        self.parameters = parameters_with(
            {
                "chemistry": ("lfp", "nmc", "lto", "sodium").index(chemistry),
                "series_cells": cells,
                "design_capacity_mah": 100000,
                "charge_current_max_ma": 90000,
                "overcurrent_charge_warn_ma": 100000,
                "overcurrent_charge_trip_ma": 110000,
                "fast_overcurrent_charge_ma": 150000,
                **(settings or {}),
            }
        )
        self.limits = Limits(self.parameters, model)
        self.charging = ChargeControl(self.parameters, cells)
        self.record = Record()
        self.full_age_s = -1
        self._full_s = 0
        self._full = [
            self.parameters.value(name)
            for name in ("full_cell_mv", "full_current_ma", "full_hold_s")
        ]
        self._late = [(0, 0, 0)] * random.choice((1, 2, 3))
        self._obeys_current = obeys_current
        self._meter_v = random.uniform(-0.03, 0.03)
        self._current_a = 0.0
        self._loop_a = 0.0
        self._cloud = 1.0
        self._kettle = 0.0
        self._pending = {}
        self._thresholds = {}
        self._blocked = set()
        self._before = {}
        self._direction = {"ccl": 0, "dcl": 0, "cvl": 0}
        self._hour = {"ccl": 0, "dcl": 0, "cvl": 0}

    def run(self, day, begin=0.0, end=1.0):
        """From one share of a day to another, in turns of one second."""
        for t_s in range(int(begin * DAY_S), int(end * DAY_S)):
            self._turn(day, t_s)
        return self.record

    def _turn(self, day, t_s):
        record = self.record
        wanted_a = self._wanted(day, t_s)
        current_a = self._current_a = self._inverter(wanted_a)
        plant = self.plant
        plant.move(1.0, current_a, day.ambient_c(t_s))
        signals = self._measure(plant, current_a)
        self._judge(signals)
        self._note_full()
        self.charging.step(1000, signals, self.limits.drop_mv, self.full_age_s)
        self.limits.update(
            1000, False, "charge" not in self._blocked, "discharge" not in self._blocked
        )
        limits = self.limits
        cvl_mv = self.charging.voltage_mv
        self._late.append((cvl_mv, limits.charge_current_ma, limits.discharge_current_ma))
        self._watch("cvl", cvl_mv)
        self._watch("ccl", limits.charge_current_ma)
        self._watch("dcl", limits.discharge_current_ma)
        record.reasons.add((0, limits.charge_reason))
        record.reasons.add((1, limits.discharge_reason))
        if not record.phases or record.phases[-1][1] != self.charging.phase:
            record.phases.append((record.seconds, self.charging.phase))
        record.seconds += 1
        if record.seconds % 3600 == 0:
            for name in self._hour:
                record.most_turns[name] = max(record.most_turns[name], self._hour[name])
                self._hour[name] = 0
        if current_a > 0:
            record.charged_ah += current_a / 3600
        else:
            record.discharged_ah -= current_a / 3600

    def _wanted(self, day, t_s):
        """Sun less use, in amperes; clouds and kettles change it every 20 s."""
        if t_s % 20 == 0:
            self._cloud += (self.random.uniform(0.3, 1.1) - self._cloud) * 0.3
            self._kettle = 0.5 if self.random.random() < 0.05 else 0.0
        height = sin(pi * (t_s / DAY_S - 0.27) / 0.5)
        sun = max(0.0, height) * min(1.0, self._cloud) * day.sun
        use = day.evening if 0.73 < t_s / DAY_S < 0.95 else day.use
        return 100.0 * (sun - use - self._kettle * use)

    def _inverter(self, wanted_a):
        """What flows: within the limits that came some seconds ago."""
        cvl_mv, ccl_ma, dcl_ma = self._late.pop(0)
        cvl_v = round(cvl_mv / 100) / 10
        noise = self.random.uniform(0.985, 1.01)
        if wanted_a <= 0:
            self._loop_a = 0.0
            return max(wanted_a, -round(dcl_ma / 100) / 10) * noise
        most_a = min(wanted_a, round(ccl_ma / 100) / 10) if self._obeys_current else wanted_a
        room_v = cvl_v + self._meter_v - sum(self.plant.cell_v)
        gain = 0.3 / (sum(self.plant.ratio) * 2e-3)  # most of the way to the voltage in 3 s
        self._loop_a = max(0.0, min(self._loop_a + gain * room_v, most_a))
        return self._loop_a * noise

    def _measure(self, plant, current_a):
        random = self.random.random
        cells = [int(1000 * volts + 2 * random() - 0.5) for volts in plant.cell_v]
        low, high = min(cells), max(cells)
        soc_bp = int(10000 * max(0, min(1, sum(plant.soc) / len(plant.soc))))
        values = {
            "cell_min_mv": low,
            "cell_max_mv": high,
            "cell_delta_mv": high - low,
            "temperature_min_dc": int(10 * plant.sensors_c[0] + random()),
            "temperature_max_dc": int(10 * plant.sensors_c[1] + random()),
            "board_temperature_dc": int(10 * plant.board_c),
            "afe_temperature_dc": 400,
            "pack_voltage_mv": sum(cells) // len(cells),
            "current_ma": int(1000 * current_a + 40 * random() - 20),
            "soc_bp": soc_bp,
        }
        signals = self.limits.signals
        for place, name in enumerate(SIGNALS):
            signals[place] = values[name]
        self._values = values
        record = self.record
        record.cell_max_v = max(record.cell_max_v, *plant.cell_v)
        record.cell_min_v = min(record.cell_min_v, *plant.cell_v)
        record.warmest_c = max(record.warmest_c, plant.sensors_c[1])
        return signals

    def _note_full(self):
        """The state of charge's own job: full is a high cell with little current for a while."""
        full_mv, most_ma, hold_s = self._full
        full = (
            self._values["cell_max_mv"] >= full_mv and -200 <= self._values["current_ma"] < most_ma
        )
        self._full_s = self._full_s + 1 if full else 0
        if self.full_age_s >= 0:
            self.full_age_s += 1
        if self._full_s >= hold_s:
            self.record.fulls += self._full_s == hold_s
            self.full_age_s = 0

    def _judge(self, signals):
        """Protections: beyond the trip for the delay is a trip; back inside it goes."""
        value = self.parameters.value
        values = self._values
        current_ma = values["current_ma"]
        watched = (
            ("charge", "cell_overvoltage_trip_mv", values["cell_max_mv"], 1, 1),
            ("discharge", "cell_undervoltage_trip_mv", values["cell_min_mv"], -1, 2),
            ("charge", "pack_overvoltage_trip_mv", values["pack_voltage_mv"], 1, 2),
            ("discharge", "pack_undervoltage_trip_mv", values["pack_voltage_mv"], -1, 3),
            ("charge", "overcurrent_charge_trip_ma", current_ma, 1, 3),
            ("discharge", "overcurrent_discharge_trip_ma", -current_ma, 1, 3),
            ("charge", "overtemperature_charge_trip_dc", values["temperature_max_dc"], 1, 2),
            ("discharge", "overtemperature_discharge_trip_dc", values["temperature_max_dc"], 1, 2),
            ("charge", "undertemperature_charge_trip_dc", values["temperature_min_dc"], -1, 2),
            ("discharge", "undertemperature_discharge_trip_dc", values["temperature_min_dc"], -1,
             2),
            ("both", "fet_overtemperature_trip_dc", values["board_temperature_dc"], 1, 2),
            ("charge", "cell_imbalance_trip_mv", values["cell_delta_mv"], 1, 10),
        )  # fmt: skip
        blocked = set()
        for direction, name, measured, side, delay_s in watched:
            threshold = self._thresholds.get(name)
            if threshold is None:
                threshold = self._thresholds[name] = value(name)
            if (measured - threshold) * side <= 0:
                self._pending[name] = 0
                continue
            self._pending[name] = self._pending.get(name, 0) + 1
            if self._pending[name] > delay_s:
                blocked |= {"charge", "discharge"} if direction == "both" else {direction}
                if self._pending[name] == delay_s + 1:
                    offered = (
                        self.limits.charge_current_ma
                        if direction == "charge"
                        else self.limits.discharge_current_ma
                    )
                    self.record.trips.append((self.record.seconds, name, offered, current_ma))
        self._blocked = blocked

    def _watch(self, name, value):
        before = self._before.get(name, value)
        self._before[name] = value
        step = value - before
        record = self.record
        if step > 0:
            record.up[name] = max(record.up[name], step)
        elif step < 0:
            record.down[name] = max(record.down[name], -step)
        direction = (step > 0) - (step < 0)
        if direction and direction != self._direction[name]:
            if self._direction[name]:
                record.turns[name] += 1
                self._hour[name] += 1
            self._direction[name] = direction
