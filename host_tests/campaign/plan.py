"""Plans the campaign: which faults, in which boot, at which moment; the same for the same seed.

A boot is one start of the firmware on a pack that lives through random charging, discharging and
idling. It carries episodes one after the other: break one or two things, hold, mend, look whether
the firmware recovers by itself or stays latched, type `clear`, look again. An episode counts as a
run. Boot `number` of a seed is always the same, however many are run.
"""

import random
from dataclasses import dataclass, field
from itertools import combinations

from host_tests.campaign.rows import (
    ALL,
    ANYWHERE,
    CONTACTORS,
    FETS,
    LAST,
    LATE,
    ONCE,
    PREDISCHARGE,
    RAISED_BY_PAIRS,
    beside,
    rows_of,
)

_BASE = {
    "chemistry": 0,
    "series_cells": 16,
    "design_capacity_mah": 280000,
    "access_code": 1234,
    "link_loss_s": 5,  # its minimum: so that a silent inverter is noticed within an episode
    "thermistor_frozen_s": 60,  # likewise
}
SETTINGS = {
    FETS: {**_BASE, "afe_crc": 1},
    PREDISCHARGE: {**_BASE, "predischarge": 1},
    CONTACTORS: {
        **_BASE,
        "power_path": 2,
        "contactor_poles": 2,
        "contactor_aux": 1,
        "interlock": 1,
        "current_sensor": 1,
    },
}
_PACKS = (FETS, CONTACTORS, FETS, PREDISCHARGE, FETS, CONTACTORS)  # in turn
_EPISODES = 10  # of one boot
_START_S = 25  # programming, self-test, first precharge; then all must be on
_CLEAR_S = 14  # after `clear`: the command works for 8 s, reprogramming takes 6
_CLEARING_S = 9  # and so long it goes on clearing what is gone meanwhile
_SHORT_SHARE = 0.12  # episodes that are over before they must be noticed
_EARLY_SHARE = 0.4  # episodes in which somebody types `clear` before the cause is gone
_TOGETHER_S = 12  # a fault that blinds makes the other one's release begin anew
_FIRST_S = 8  # after a fault that was there from the start: self-test and first precharge
_RAMP_S = 2.2  # contactors wait so long for a current to fall, in a fault of direction
_TYPED = "unlock 1234\rclear\r"
_ACKNOWLEDGED = "acknowledge deep_discharge\r"  # which `clear` alone does not end
_NOTED_EVENTS = 250


@dataclass
class Episode:
    """Times are simulated seconds since the boot's start; inject_s: of each fault."""

    faults: tuple
    inject_s: tuple
    mend_s: float
    early_clear_s: float  # 0: nobody types it too early
    clear_s: float
    end_s: float
    from_start: bool = False


@dataclass
class Boot:
    """obeys: the inverter keeps the limits that the pack offers."""

    seed: int
    number: int
    pack: str
    soc: float
    obeys: bool
    episodes: list = field(default_factory=list)
    load: list = field(default_factory=list)  # (second, ampere)

    @property
    def duration_s(self):
        return self.episodes[-1].end_s + 1

    def orders(self):
        """What the simulation is told, by time."""
        orders = []
        for episode in self.episodes:
            for name, at_s in zip(episode.faults, episode.inject_s, strict=True):
                if at_s > 0:
                    orders.append([at_s, {"inject": name}])
                orders.append([episode.mend_s, {"clear": name}])
            for at_s in (episode.early_clear_s, episode.clear_s):
                if at_s:
                    orders.append([at_s, {"console": _TYPED}])
            orders.append([episode.clear_s + 1, {"console": _ACKNOWLEDGED}])
            orders.append([episode.end_s, {"note": _NOTED_EVENTS}])
        return orders

    def faults_at_start(self):
        """What is broken before the firmware starts."""
        return [
            name
            for episode in self.episodes
            for name, at_s in zip(episode.faults, episode.inject_s, strict=True)
            if at_s == 0
        ]


def boots(seed, only_pack=None):
    """Yield the boots of a seed, for ever."""
    streams = {pack: _Stream(seed, pack) for pack in ALL}
    number = 0
    while True:
        pack = _PACKS[number % len(_PACKS)]
        boot = _plan(seed, number, pack, streams[pack].take())
        if only_pack in (None, pack):
            yield boot
        number += 1


def boot(seed, number):
    """One of them."""
    for planned in boots(seed):
        if planned.number == number:
            return planned
    raise AssertionError("boots go on for ever")


def boot_of(pack, items, seed=1, number=0):
    """A boot of one's own. items: tuples of faults; ("start", name): it begins with that one."""
    return _plan(seed, number, pack, items)


class _Stream:
    """All singles, starts and pairs of a pack in random order, again and again."""

    def __init__(self, seed, pack):
        self._random = random.Random(f"{seed} {pack}")
        self._rows = rows_of(pack)
        self._waiting = []

    def take(self):
        """The items of one boot: at most one that may not be repeated, one late, one last."""
        taken, postponed = [], []
        places = set()
        while len(taken) < _EPISODES:
            if not self._waiting:
                self._waiting = self._shuffled()
            item = self._waiting.pop()
            place = self._place(item)
            if place != ANYWHERE and (place in places or (place == LATE and LAST in places)):
                postponed.append(item)
                if len(postponed) > 3 * _EPISODES:
                    break
                continue
            places.add(place)
            taken.append(item)
            if item[0] == "start":
                break  # a boot has one start
        for item in postponed:
            self._waiting.insert(self._random.randint(0, len(self._waiting)), item)
        order = ("start", ANYWHERE, ONCE, LATE, LAST)
        return sorted(taken, key=lambda item: order.index(self._place(item)))

    def _place(self, item):
        if item[0] == "start":
            return "start"
        places = [self._rows[name].place for name in item]
        for place in (LAST, LATE, ONCE):
            if place in places:
                return place
        return ANYWHERE

    def _shuffled(self):
        names = list(self._rows)
        items = [(name,) for name in names] * 4
        items += combinations([name for name in names if self._rows[name].pairs], 2)
        items += [("start", name) for name in names if self._rows[name].from_start]
        self._random.shuffle(items)
        return items


def _plan(seed, number, pack, items):
    draw = random.Random(f"{seed} {number} {pack}")
    rows = rows_of(pack)
    planned = Boot(seed, number, pack, round(draw.uniform(0.2, 0.88), 3), draw.random() < 0.75)
    now_s = _START_S
    for item in items:
        if item[0] == "start":
            planned.episodes.append(_start_episode(rows[item[1]]))
        else:
            together = [beside(rows[name], item) for name in item]
            planned.episodes.append(_episode(draw, together, now_s, pack))
        now_s = planned.episodes[-1].end_s
    if pack != FETS or any(_may_short(episode.faults) for episode in planned.episodes):
        # A load that stays on keeps a bus from filling up, and a short circuit from being cleared.
        planned.obeys = True
    planned.load = list(_load(draw, planned.duration_s + 60))
    return planned


def _may_short(faults):
    """Whether a short circuit can be named: it is one, or the chip may take a load for one."""
    pair = RAISED_BY_PAIRS.get(frozenset(faults), ())
    return "short_circuit" in faults or "short_circuit" in pair


def _start_episode(row):
    mend_s = _START_S + row.hold_s + 5
    clear_s = mend_s + row.recovers_s + _FIRST_S
    return Episode((row.name,), (0,), mend_s, 0, clear_s, clear_s + _CLEAR_S, True)


def _episode(draw, rows, now_s, pack):
    first_s = now_s + draw.uniform(3, 20)
    inject_s = [first_s]
    for _ in rows[1:]:
        inject_s.append(first_s + draw.choice((0, draw.uniform(0, 4))))
    early = False
    if draw.random() < _SHORT_SHARE:
        mend_s = max(inject_s) + draw.uniform(0.05, 2)
    else:
        hold_s = max(row.hold_s for row in rows) + draw.uniform(1, 7)
        hold_s += _RAMP_S if pack == CONTACTORS else 0
        early = draw.random() < _EARLY_SHARE
        mend_s = max(inject_s) + hold_s + (_CLEARING_S if early else 0)
    recovers_s = max(row.recovers_s for row in rows) + (_TOGETHER_S if len(rows) > 1 else 0)
    clear_s = mend_s + recovers_s
    return Episode(
        tuple(row.name for row in rows),
        tuple(round(at_s, 3) for at_s in inject_s),
        round(mend_s, 3),
        round(mend_s - _CLEARING_S, 3) if early else 0,
        round(clear_s, 3),
        round(clear_s + _CLEAR_S, 3),
    )


def _load(draw, until_s):
    """Charging, discharging and idling in turn, as (second, ampere)."""
    at_s = 0.0
    while at_s < until_s:
        kind = draw.random()
        ampere = draw.uniform(2, 45) if kind < 0.4 else draw.uniform(-90, -2)
        if kind > 0.8:
            ampere = 0.0
        yield round(at_s, 1), round(ampere, 1)
        at_s += draw.uniform(15, 80)
    yield round(until_s + 10, 1), 0.0
