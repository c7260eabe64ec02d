"""What an inverter is told of the pack's limits: the rules that hold for every profile on CAN,
and for an inverter that asks over RS485 as a Pylontech battery's.

Once in each period `apply` takes a snapshot of the points, puts the values to be told in the place
of the pack's own, and finds the conditions that profiles ask for.

- Not measured (nothing yet, incomplete, implausible or old): no current, nothing allowed.
- A blocked direction has no current at once. When it is charging that is blocked, the charge
  voltage limit (CVL) freezes at the pack voltage of that moment: far below it a Deye discharges to
  the grid and a Victron empties the pack (field lessons, inverter links 3, 4, 10); far above it,
  what ignores a limit of 0 A goes on charging (1, 15).
- From there, and whenever the pack changes its mind, the CVL moves by a ramp: 0.1 V a second, and
  below the pack voltage, where going fast makes a Deye discharge (10), it falls by 0.1 V in
  `inverter_voltage_fall_s`. That currents come and go without steps, which make inverters trip
  (12), is the pack's own care: its limits (bms.limits) have slopes, and begin at nothing after
  a start and after a fault.
- The CVL is never 0, and inside what the profile's document allows: a Sunny Island drops a value
  out of range and keeps the last one. A pack whose limit lies below that range can not be charged
  by this inverter: it is told that charging is not allowed.
- Limits are rounded to the safe side in steps of 0.1 V and 0.1 A, so that equal states give equal
  frames and nothing is told that the pack did not allow.
- On wish, an inverter that ignores limits hears a state of charge of 100 % when the pack takes
  nothing, and of 0 % when it gives nothing (1, 2).
- A request to be charged by force is only told while charging is allowed.

Limits: after a start of the link everything begins as if charging had been blocked before.
Allocates nothing after construction. Never allows what the points forbid (law 4).
"""

from array import array

from bms.table import INVALID
from inverter.conditions import (
    BALANCING,
    CHARGE,
    CHARGING,
    DISCHARGE,
    DISCHARGING,
    FAULT,
    FORCE_CHARGE,
    FORCE_CHARGE_DEEP,
    FULL_CHARGE,
    MEASURED,
    VOLTAGE_LIMIT,
)

# Blank before the first valid sample and whenever measurements stop; a battery without them is
# not measured, whatever a profile sends.
_MEASURED_POINTS = ("pack_voltage_mv", "current_ma", "soc_bp", "temperature_max_dc")
_VOLTAGE, _CURRENT, _SOC = range(3)
_POINTS = (
    "charge_voltage_limit_mv",
    "charge_current_limit_ma",
    "discharge_current_limit_ma",
    "discharge_voltage_limit_mv",
    "charge_allowed",
    "discharge_allowed",
    "measurement_age_ms",
    "faults",
    "balancing",
    "force_charge_requested",
    "full_charge_requested",
    "temperature_dc",
    "temperature_min_dc",
    "temperature_max_dc",
    "design_mah",
)
_CVL, _CCL, _DCL, _DVL, _CHARGE, _DISCHARGE, _AGE, _FAULTS, _BALANCING, _FORCE, _FULL = range(11)
_SENSORS, _LOWEST, _HIGHEST, _DESIGN = range(11, 15)
_SETTINGS = (
    "inverter_voltage_fall_s",
    "inverter_forced_soc",
    "inverter_modules",
)
_FALL_S, _FORCED_SOC, _MODULES = range(3)
_FAULT_WORDS = 4
_EXTRAS = 8  # how many values `apply` adds: inverter.tables.EXTRAS
_SENSORS_MAX = 8

# The battery blanks its points after 500 ms without a good sample (architecture, law 3); this is
# the second look at the same thing.
_AGE_MAX_MS = 1000
# Nobody means a limit below this; 0 is what the point says before a configuration is read.
_VOLTAGE_MIN_MV = 1000
# Before a limit is known: what a Pylontech battery itself says in the captures.
_VOLTAGE_UNKNOWN_DV = 532
_FLOWING_MA = 100  # less is standby

# PYL V1.2: request I between 5 and 10 %, for batteries that are about to switch themselves off
_DEEP_ON_BP = 500
_DEEP_OFF_BP = 1000

_STATUS = (CHARGE, DISCHARGE, FORCE_CHARGE, FORCE_CHARGE_DEEP, FULL_CHARGE)

_RAMP_MS = 1000  # for 0.1 V
_ELAPSED_MAX_MS = 1000  # of one step, however late
_ANY_RANGE = (10, 65535, 0, 65535)  # 0.1 V: lowest and highest CVL and discharge voltage limit


class ChargeRules:
    """The state of what one inverter is told.

    settled: without ramps, for a tool that shows what a steady state becomes.
    """

    def __init__(self, profile, points, parameters, settled=False):
        self._settled = settled
        self._values = parameters.values
        ranges = getattr(profile, "RANGES", _ANY_RANGE)  # a profile, or None
        self._cvl_min, self._cvl_max, self._dvl_min, self._dvl_max = ranges
        offset = points.offset
        self._measured = array("H", [offset(name) for name in _MEASURED_POINTS])
        self._at = array("H", [offset(name) for name in _POINTS])
        index = parameters.index
        self._settings = array("H", [index(name) for name in _SETTINGS])
        self._extras = len(points.live)
        self._cvl_dv = 0  # as told; 0: nothing was told yet
        self._ramp_ms = 0  # collected for the next 0.1 V
        self._frozen = False
        self._voltage_mv = 0  # of the previous period; 0: not measured then
        self._deep = False

    def new_snapshot(self):
        """An array for a snapshot with what `apply` adds, and a view of the points in it."""
        snapshot = array("i", [0] * (self._extras + _EXTRAS))
        return snapshot, memoryview(snapshot)[: self._extras]

    def apply(self, snapshot, elapsed_ms, live=True, heard=0):
        """Put what is to be told into `snapshot`; return the conditions as bits.

        live: False if the caller knows that the snapshot is old. heard: AWAKE and ASKED.
        """
        at = self._at
        found = heard | self._find(snapshot, live)
        elapsed_ms = min(elapsed_ms, _ELAPSED_MAX_MS)
        charge_ma = max(snapshot[at[_CCL]], 0) // 100 * 100 if found & CHARGE else 0
        discharge_ma = max(snapshot[at[_DCL]], 0) // 100 * 100 if found & DISCHARGE else 0
        self._follow_voltage(snapshot, found, elapsed_ms)
        snapshot[at[_CVL]] = 100 * self._cvl_dv
        snapshot[at[_CCL]] = charge_ma
        snapshot[at[_DCL]] = discharge_ma
        floor_mv = snapshot[at[_DVL]]
        if floor_mv != INVALID:
            floor_dv = min(max((floor_mv + 99) // 100, self._dvl_min), self._dvl_max)
            snapshot[at[_DVL]] = 100 * floor_dv
        if self._setting(_FORCED_SOC) and found & MEASURED:
            if not charge_ma:
                snapshot[self._measured[_SOC]] = 10000
            if not discharge_ma:
                snapshot[self._measured[_SOC]] = 0
        modules = self._setting(_MODULES)
        extras = self._extras
        snapshot[extras] = modules
        snapshot[extras + 1] = 0 if found & CHARGE else modules
        snapshot[extras + 2] = 0 if found & DISCHARGE else modules
        snapshot[extras + 3] = ((1 << modules) - 1) & 0xFF
        self._add_more(snapshot)
        return found

    def status(self, found, bits):
        """A status byte from conditions that `apply` found. bits: those that stand for charging
        and discharging are allowed, force charge, the same and urgently, full charge."""
        put = 0
        for place in range(len(_STATUS)):
            if found & _STATUS[place]:
                put |= bits[place]
        return put

    def _add_more(self, snapshot):
        """The rest of inverter.tables.EXTRAS."""
        at = self._at
        extras = self._extras
        warmest = coldest = first = at[_SENSORS]
        for sensor in range(first, first + _SENSORS_MAX):
            value = snapshot[sensor]
            if value != INVALID:
                if value > snapshot[warmest]:
                    warmest = sensor
                if value < snapshot[coldest]:
                    coldest = sensor
        snapshot[extras + 4] = warmest - first
        snapshot[extras + 5] = coldest - first
        highest_dc = snapshot[at[_HIGHEST]]
        if highest_dc != INVALID and highest_dc == snapshot[at[_LOWEST]]:
            highest_dc += 1
        snapshot[extras + 6] = highest_dc
        middle_mv = (snapshot[at[_CVL]] + max(snapshot[at[_DVL]], 0)) // 2
        snapshot[extras + 7] = max(snapshot[at[_DESIGN]], 0) // 1000 * middle_mv // 100000

    def _find(self, snapshot, live):
        """The conditions, from the points alone."""
        at = self._at
        found = 0
        limit_mv = snapshot[at[_CVL]]
        if limit_mv >= _VOLTAGE_MIN_MV:
            found |= VOLTAGE_LIMIT
        for word in range(_FAULT_WORDS):
            if snapshot[at[_FAULTS] + word] > 0:
                found |= FAULT
        if not live or snapshot[at[_AGE]] > _AGE_MAX_MS:
            return found
        for offset in self._measured:
            if snapshot[offset] == INVALID:
                return found
        found |= MEASURED
        # A limit below what this inverter understands can only be told as "not at all".
        if snapshot[at[_CHARGE]] == 1 and not (
            found & VOLTAGE_LIMIT and limit_mv // 100 < self._cvl_min
        ):
            found |= CHARGE
        if snapshot[at[_DISCHARGE]] == 1:
            found |= DISCHARGE
        current_ma = snapshot[self._measured[_CURRENT]]
        if current_ma >= _FLOWING_MA:
            found |= CHARGING
        elif current_ma <= -_FLOWING_MA:
            found |= DISCHARGING
        if snapshot[at[_BALANCING]] > 0 or snapshot[at[_BALANCING] + 1] > 0:
            found |= BALANCING
        return found | self._find_requests(snapshot, found)

    def _find_requests(self, snapshot, found):
        at = self._at
        soc_bp = snapshot[self._measured[_SOC]]
        if soc_bp <= _DEEP_ON_BP:
            self._deep = True
        elif soc_bp >= _DEEP_OFF_BP:
            self._deep = False
        requests = 0
        if found & CHARGE:
            if snapshot[at[_FORCE]] == 1:
                requests = FORCE_CHARGE
                if self._deep:
                    requests |= FORCE_CHARGE_DEEP
            if snapshot[at[_FULL]] == 1:
                requests |= FULL_CHARGE
        return requests

    def _follow_voltage(self, snapshot, found, elapsed_ms):
        voltage_mv = snapshot[self._measured[_VOLTAGE]] if found & MEASURED else 0
        limit_dv = _VOLTAGE_UNKNOWN_DV
        if found & VOLTAGE_LIMIT:
            limit_dv = snapshot[self._at[_CVL]] // 100
        limit_dv = self._in_range(limit_dv)
        present_mv = voltage_mv or self._voltage_mv
        present_dv = self._in_range((present_mv + 50) // 100)
        known = present_mv >= _VOLTAGE_MIN_MV
        if found & CHARGE:
            self._frozen = False
            if self._settled or not known:
                self._cvl_dv = limit_dv
            else:
                self._ramp(limit_dv, present_dv, elapsed_ms)
        elif not self._frozen:
            self._frozen = known
            self._ramp_ms = 0
            self._cvl_dv = present_dv if known else limit_dv
        self._voltage_mv = voltage_mv

    def _ramp(self, limit_dv, present_dv, elapsed_ms):
        """Move the CVL towards its limit; slowly where it would make an inverter discharge."""
        if self._cvl_dv == 0:
            self._cvl_dv = present_dv
        if self._cvl_dv == limit_dv:
            self._ramp_ms = 0
            return
        self._ramp_ms += elapsed_ms
        need_ms = _RAMP_MS
        if limit_dv < self._cvl_dv <= present_dv:
            need_ms = 1000 * self._setting(_FALL_S)
        if self._ramp_ms >= need_ms:
            self._ramp_ms = 0
            self._cvl_dv += 1 if limit_dv > self._cvl_dv else -1

    def _in_range(self, voltage_dv):
        return min(max(voltage_dv, self._cvl_min), self._cvl_max)

    def _setting(self, number):
        return self._values[self._settings[number]]
