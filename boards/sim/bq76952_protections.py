"""The protections of the simulated BQ76952: alerts, delays, trips, recoveries, FET reactions.

Every protection but the host watchdog is a row: it trips where a signal stays at or above a limit
for its delay, and recovers where a second signal stays at or below a second limit for its recovery
time. Signals of falling quantities are negated. Deadlines are kept as times, so nothing is polled:
the chip asks for the next deadline and calls fire() when it is reached.

What the documents leave open, and what is assumed here:
- A protection that trips clears its alert. Recovery clears the status at once.
- SCD recovers by its time alone; if the short still stands it trips again.
- Reactions off the fast path come "up to 250 ms" later (SLUUBY2B, CHG FET Protections A,
  GUID-20200911-BM0T-BGP0-DMEL-769020000101): always the full 250 ms here, the worst case. The fast
  path is mask A of 0x98 or 0x18 for CHG (same page), and of 0xE4 or 0x80 for DSG (unverified).
- A latch trips when its counter reaches the limit, so a limit of 0 or 1 means at the first event.
  The protection behind it recovers on its own; the latch stays. OCDL_RECOVER and SCDL_RECOVER
  clear latch and counter, and so do recoveries by charge current (Protection Configuration,
  SLUUCG7 GUID-20201218-BM0T-BGP0-DMEL-769020000077) and by load detection (bq76952_load.py). COVL
  recovers when COV would, after its own time, once the counter has decayed below the limit.
- OCD3 and PTO are not modelled (the sign of OCD3's threshold could not be verified): enabling one
  raises, so that no test takes for present what is not.
"""

from boards.sim import bq76952_memory as dm

# Indices of the signals.
CELL_HIGH_MV = 0
CELL_LOW_MV = 1  # negated
CHARGE_SHUNT_MV = 2
DISCHARGE_SHUNT_MV = 3
CELL_HOT_C = 4
CELL_COLD_C = 5  # negated
DIE_HOT_C = 6
DIE_COLD_C = 7  # negated
FET_HOT_C = 8
DISCHARGE_MA = 9  # measured current, negated
OCC_HOLDS = 10  # 1 while neither way of recovery from OCC is met
NOTHING = 11  # always 0: recovery by time alone
SIGNALS = 12

ABSENT = -1e9  # a signal without a sensor: neither trips nor keeps tripped

NEVER_US = 1 << 60  # later than any simulation

_STEP_MV = 50.6  # afe.md section 4: CUV and COV thresholds and hysteresis
_DELAY_STEP_US = 3300  # afe.md section 4: actual delay = 3.3 ms * (2 + n)
_SCD_STEP_US = 15
_SCD_MV = (10, 20, 40, 60, 80, 100, 125, 150, 175, 200, 250, 300, 350, 400, 450, 500)
_SLOW_REACTION_US = 250_000
_FAST_CHARGE_MASKS = (0x98, 0x18)
_FAST_DISCHARGE_MASKS = (0xE4, 0x80)
_HWDF = 0x02
_UNMODELLED_C = 0x84  # OCD3, PTO
COVL = 4  # bits of register C
OCDL = 5
SCDL = 6

# Register (0 = A, 1 = B), bit, trip signal, recovery signal: afe.md section 2.
_ROWS = (
    (0, 2, CELL_LOW_MV, CELL_LOW_MV),  # CUV
    (0, 3, CELL_HIGH_MV, CELL_HIGH_MV),  # COV
    (0, 4, CHARGE_SHUNT_MV, OCC_HOLDS),  # OCC
    (0, 5, DISCHARGE_SHUNT_MV, DISCHARGE_MA),  # OCD1
    (0, 6, DISCHARGE_SHUNT_MV, DISCHARGE_MA),  # OCD2
    (0, 7, DISCHARGE_SHUNT_MV, NOTHING),  # SCD
    (1, 0, CELL_COLD_C, CELL_COLD_C),  # UTC
    (1, 1, CELL_COLD_C, CELL_COLD_C),  # UTD
    (1, 2, DIE_COLD_C, DIE_COLD_C),  # UTINT
    (1, 4, CELL_HOT_C, CELL_HOT_C),  # OTC
    (1, 5, CELL_HOT_C, CELL_HOT_C),  # OTD
    (1, 6, DIE_HOT_C, DIE_HOT_C),  # OTINT
    (1, 7, FET_HOT_C, FET_HOT_C),  # OTF
)
_COV_ROW = 1
# Register and bit of every protection: the rows, then those of register C, which have no signal.
_PLACES = [row[:2] for row in _ROWS]
_PLACES.extend(((2, 1), (2, COVL), (2, OCDL), (2, SCDL)))
_HOST_WATCHDOG = len(_ROWS)
_COVL_PLACE = _HOST_WATCHDOG + 1
# Bit, rows that feed its counter, address of limit (the counter's decay time in s follows).
_LATCHES = (
    (COVL, (_COV_ROW,), dm.COVL_LATCH_LIMIT),
    (OCDL, (3, 4), dm.OCDL_LATCH_LIMIT),
    (SCDL, (5,), dm.SCDL_LATCH_LIMIT),
)
# Bit of Protection Configuration, index in _LATCHES. Recovery time in s and threshold in mA lie
# behind the latch's limit and decay.
_BY_CURRENT = ((0x0200, 1), (0x0400, 2))


def _limits(memory):
    """(trip limit, recovery limit, delay, recovery time) of each row, in the order of _ROWS."""
    recovery_us = memory.u8(dm.RECOVERY_TIME) * 1_000_000

    def steps_us(steps):
        # afe.md section 4: n = 0 disables the check.
        return (2 + steps) * _DELAY_STEP_US if steps else NEVER_US

    def hot(address):
        # Threshold, delay, recovery lie side by side. Types I1 (OTF, OTINT: U1, below 128 in use).
        return (
            memory.i8(address),
            memory.i8(address + 2),
            memory.u8(address + 1) * 1_000_000,
            recovery_us,
        )

    def cold(address):
        trip, release, delay_us, release_us = hot(address)
        return (-trip, -release, delay_us, release_us)

    def discharge(address):
        return (
            2 * memory.u8(address),
            -memory.i16(dm.OCD_RECOVERY_THRESHOLD),
            steps_us(memory.u8(address + 1)),
            recovery_us,
        )

    low = memory.u8(dm.CUV_THRESHOLD)
    high = memory.u8(dm.COV_THRESHOLD)
    return (
        (
            -low * _STEP_MV,
            -(low + memory.u8(dm.CUV_HYSTERESIS)) * _STEP_MV,
            steps_us(memory.u16(dm.CUV_DELAY)),
            recovery_us,
        ),
        (
            high * _STEP_MV,
            (high - memory.u8(dm.COV_HYSTERESIS)) * _STEP_MV,
            steps_us(memory.u16(dm.COV_DELAY)),
            recovery_us,
        ),
        (
            2 * memory.u8(dm.OCC_THRESHOLD),
            0,
            steps_us(memory.u8(dm.OCC_THRESHOLD + 1)),
            recovery_us,
        ),
        discharge(dm.OCD1_THRESHOLD),
        discharge(dm.OCD2_THRESHOLD),
        (
            _SCD_MV[memory.u8(dm.SCD_THRESHOLD) & 15],
            0,
            max(0, memory.u8(dm.SCD_DELAY) - 1) * _SCD_STEP_US,
            memory.u8(dm.SCD_RECOVERY_TIME) * 1_000_000,
        ),
        cold(dm.UTC_THRESHOLD),
        cold(dm.UTD_THRESHOLD),
        cold(dm.UTINT_THRESHOLD),
        hot(dm.OTC_THRESHOLD),
        hot(dm.OTD_THRESHOLD),
        hot(dm.OTINT_THRESHOLD),
        hot(dm.OTF_THRESHOLD),
    )


class Protections:
    """State of all protections.

    alert, status: the registers A, B, C. blocks_charge, blocks_discharge: what acts on the FETs.
    changed: one of these changed since the owner last cleared this flag.
    """

    def __init__(self):
        count = len(_PLACES)
        self.alert = bytearray(3)
        self.status = bytearray(3)
        self.blocks_charge = False
        self.blocks_discharge = False
        self._trip_us = [NEVER_US] * count
        self._recover_us = [NEVER_US] * count
        self._act_us = [NEVER_US] * count
        self._acting = [False] * count
        self._enabled = ()
        self._limits = ()
        self._masks = bytearray(6)
        self._watchdog_delay_us = NEVER_US
        self._heard_us = 0
        self._latch_counts = [0] * len(_LATCHES)
        self._latch_us = [0] * len(_LATCHES)  # when the counter last changed
        self._latch_limits = ()  # (limit, decay in us) of each latch, None if it is off
        self._covl_recovery_us = 0
        self._by_current = []  # (latch, threshold in mA, recovery time in us)
        self._quiet_below = ()
        self._busy = False  # some alert or status is set
        self.changed = True

    def configure(self, memory, now_us):
        """Take the settings and start afresh, as the chip does on leaving CONFIG_UPDATE."""
        enabled = [memory.u8(dm.ENABLED_PROTECTIONS_A + i) for i in range(3)]
        if enabled[2] & _UNMODELLED_C:
            raise NotImplementedError(
                f"Enabled Protections C 0x{enabled[2]:02X}: OCD3 and PTO are not simulated"
            )
        rows = []
        for i in range(len(_ROWS)):
            if enabled[_ROWS[i][0]] >> _ROWS[i][1] & 1:
                rows.append(i)
        self._enabled = tuple(rows)
        self._limits = _limits(memory)
        # (signal, its lowest limit): while all are below, there is nothing to do.
        lowest = {}
        for i in rows:
            signal = _ROWS[i][2]
            lowest[signal] = min(self._limits[i][0], lowest.get(signal, self._limits[i][0]))
        self._quiet_below = tuple(lowest.items())
        for i in range(3):
            self._masks[i] = memory.u8(dm.CHARGE_FET_PROTECTIONS_A + i)
            self._masks[3 + i] = memory.u8(dm.DISCHARGE_FET_PROTECTIONS_A + i)
        watched = enabled[2] & _HWDF
        self._watchdog_delay_us = memory.u16(dm.HWD_DELAY) * 1_000_000 if watched else NEVER_US
        self._latch_limits = [
            (memory.u8(address), memory.u8(address + 1) * 1_000_000)
            if enabled[2] >> bit & 1
            else None
            for bit, _, address in _LATCHES
        ]
        self._covl_recovery_us = memory.u8(dm.COVL_LATCH_LIMIT + 2) * 1_000_000
        self._by_current = [
            (k, memory.i16(_LATCHES[k][2] + 3), memory.u8(_LATCHES[k][2] + 2) * 1_000_000)
            for mask, k in _BY_CURRENT
            if memory.u16(dm.PROTECTION_CONFIG) & mask
        ]
        self.clear(now_us)

    def clear(self, now_us):
        """Forget every alert and status, and count the host as heard now."""
        for i in range(3):
            self.alert[i] = self.status[i] = 0
        for i in range(len(self._trip_us)):
            self._trip_us[i] = self._recover_us[i] = self._act_us[i] = NEVER_US
            self._acting[i] = False
        for k in range(len(_LATCHES)):
            self._latch_counts[k] = 0
            self._latch_us[k] = now_us
        self._busy = False
        self.changed = True
        self._heard_us = now_us
        self._find_blocks()

    def heard(self, now_us):
        """The host communicated: the watchdog starts anew and its fault recovers."""
        self._heard_us = now_us
        if self.status[2] & _HWDF:
            self._release(_HOST_WATCHDOG)

    def recover_latch(self, bit):
        """Clear OCDL or SCDL, and its counter."""
        for k in range(len(_LATCHES)):
            if _LATCHES[k][0] == bit:
                self._latch_counts[k] = 0
                self._release(_COVL_PLACE + k)

    def evaluate(self, signals, now_us):
        """Compare the signals as they are from now_us on; start and stop the delays."""
        if not self._busy:
            for signal, limit in self._quiet_below:
                if signals[signal] >= limit:
                    break
            else:
                return
        for i in self._enabled:
            register, bit, trip_signal, recovery_signal = _ROWS[i]
            limits = self._limits[i]
            if self.status[register] >> bit & 1:
                recovers = signals[recovery_signal] <= limits[1]
                self._watch_recovery(i, recovers, now_us + limits[3])
            elif signals[trip_signal] >= limits[0]:
                if self._trip_us[i] == NEVER_US and limits[2] < NEVER_US:
                    self._trip_us[i] = now_us + limits[2]
                    self.alert[register] |= 1 << bit
                    self._busy = self.changed = True
            elif self._trip_us[i] != NEVER_US:
                self._trip_us[i] = NEVER_US
                self.alert[register] &= ~(1 << bit)
                self.changed = True
        if self.status[2] >> COVL & 1:
            recovers = signals[CELL_HIGH_MV] <= self._limits[_COV_ROW][1]
            self._watch_recovery(_COVL_PLACE, recovers, now_us + self._covl_recovery_us)
        for k, threshold_ma, time_us in self._by_current:
            if self.status[2] >> _LATCHES[k][0] & 1:
                recovers = -signals[DISCHARGE_MA] >= threshold_ma
                self._watch_recovery(_COVL_PLACE + k, recovers, now_us + time_us)

    def next_us(self):
        """Time of the next deadline, NEVER_US if there is none."""
        due_us = NEVER_US
        if self._watchdog_delay_us < NEVER_US and not self.status[2] & _HWDF:
            due_us = self._heard_us + self._watchdog_delay_us
        if self._busy:
            for deadlines in (self._trip_us, self._recover_us, self._act_us):
                due_us = min(due_us, *deadlines)
        return due_us

    def fire(self, now_us):
        """Let every deadline up to now_us happen: trips, reactions of FETs, recoveries."""
        if not self.status[2] & _HWDF and self._heard_us + self._watchdog_delay_us <= now_us:
            self.status[2] |= _HWDF
            self._act_us[_HOST_WATCHDOG] = now_us + _SLOW_REACTION_US
        for i in range(len(_ROWS)):
            register, bit = _ROWS[i][:2]
            if self._trip_us[i] <= now_us:
                self._trip_us[i] = NEVER_US
                self.alert[register] &= ~(1 << bit)
                self.status[register] |= 1 << bit
                self._act_us[i] = now_us + self._reaction_us(register, bit)
                self._count_latches(i, now_us)
            if self._recover_us[i] <= now_us:
                self._release(i)
        if self._recover_us[_COVL_PLACE] <= now_us:
            self._recover_us[_COVL_PLACE] = NEVER_US
            if self._decayed_count(0, now_us) < max(1, self._latch_limits[0][0]):
                self._release(_COVL_PLACE)
        for k, _, _ in self._by_current:
            if self._recover_us[_COVL_PLACE + k] <= now_us:
                self.recover_latch(_LATCHES[k][0])
        for i in range(len(self._act_us)):
            if self._act_us[i] <= now_us:
                self._act_us[i] = NEVER_US
                self._set_acting(i, True)
        self.changed = True
        self._busy = bool(
            self.status[0] | self.status[1] | self.status[2] | self.alert[0] | self.alert[1]
        )

    def _watch_recovery(self, place, recovers, due_us):
        if not recovers:
            self._recover_us[place] = NEVER_US
        elif self._recover_us[place] == NEVER_US:
            self._recover_us[place] = due_us

    def _release(self, place):
        """A protection recovered."""
        register, bit = _PLACES[place]
        self._recover_us[place] = self._act_us[place] = NEVER_US
        self.status[register] &= ~(1 << bit)
        self.changed = True
        self._set_acting(place, False)

    def _count_latches(self, row, now_us):
        """A row tripped: count it for its latch, and latch at the limit."""
        for k in range(len(_LATCHES)):
            bit, rows, _ = _LATCHES[k]
            if self._latch_limits[k] is None or row not in rows:
                continue
            self._latch_counts[k] = self._decayed_count(k, now_us) + 1
            self._latch_us[k] = now_us
            if self._latch_counts[k] >= self._latch_limits[k][0]:
                self.status[2] |= 1 << bit
                self._act_us[_COVL_PLACE + k] = now_us + _SLOW_REACTION_US

    def _decayed_count(self, latch, now_us):
        decay_us = self._latch_limits[latch][1]
        if not decay_us:
            return 0
        decayed = (now_us - self._latch_us[latch]) // decay_us
        return max(0, self._latch_counts[latch] - decayed)

    def _reaction_us(self, register, bit):
        """Time from the trip to the FETs. Only mask A has a fast path, with its usual values."""
        if register:
            return _SLOW_REACTION_US
        on_charge = self._masks[0] >> bit & 1
        on_discharge = self._masks[3] >> bit & 1
        if on_charge and self._masks[0] not in _FAST_CHARGE_MASKS:
            return _SLOW_REACTION_US
        if on_discharge and self._masks[3] not in _FAST_DISCHARGE_MASKS:
            return _SLOW_REACTION_US
        return 0

    def _set_acting(self, row, acting):
        if self._acting[row] != acting:
            self._acting[row] = acting
            self._find_blocks()

    def _find_blocks(self):
        charge = discharge = 0
        for i in range(len(self._acting)):
            if self._acting[i]:
                register, bit = _PLACES[i]
                charge |= self._masks[register] >> bit & 1
                discharge |= self._masks[3 + register] >> bit & 1
        self.blocks_charge = bool(charge)
        self.blocks_discharge = bool(discharge)
