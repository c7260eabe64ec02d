"""Which voltage a charger shall hold: bulk, absorption, float, and how to come back.

bulk: up to `charge_cell_mv`, until a cell looks full. absorption: the same voltage, until the
state of charge says "full" (bms.soc, the only definition of it) and the cells are together, or
until its time at the top is over. float: `float_cell_mv`, until charge is missing: by state of
charge, by a low voltage for some minutes, or because a full charge is due.
So no phase can last for ever: a charger that stays a little below the limit still comes to
absorption (it begins at `full_cell_mv`), absorption ends by time without any tail current, and
float ends by either of two signs or by days. Charge that is missing is what has gone since the
top, not what the state of charge says: one that is wrong would lead back to bulk for ever.
A charger that can not reach `full_cell_mv` is told from the sun that sets: its current ends while
the cells stand where it charged them to in earnest, and without the sun they fall by the drop over
their resistance. That is a phase of its own, `stalled`, so that somebody can say so.

The voltage is for the pack, but what it must not pass is a cell: when the highest one passes
`charge_cell_mv`, the limit is trimmed until that cell stays there. Retreating is eight times as
quick as coming back, and far slower than a charger follows, so that the two do not swing; the trim
ends at the pack's voltage without current, or little below, because a charger whose limit lies
below the pack discharges it (field lesson 29). The limit is a setting before anything is measured,
and never rises above `charge_cell_mv` per cell.
Slow path; integers.
"""

from bms.limits import CELL_MAX, CELL_MIN, CURRENT, PACK, SOC
from bms.points import PHASE_STALLED
from bms.table import INVALID

BULK = 0
ABSORPTION = 1
FLOAT = 2

_TOP_MV = 20  # this far below `full_cell_mv` a cell still counts as at the top
_TOGETHER_MV = 30  # cells closer than this need no longer absorption
_LOW_MS = 300000  # a voltage sags under load; this long it is no sag any more
_FRESH_S = 60  # full so long ago is full now
_EARNEST = 2  # so many times the tail current: it charges, and does not only hold
_BACK_SHARE = 10  # noise around no current: a tenth of the tail current flows the other way
_HELD_MV = 5  # cells that a charger holds stand still within this
_STALLED_MS = 1800000  # long after the polarization and the hysteresis of most cells
_RETREAT = 8  # trim grows by 1/8 of a cell's excess a second
_RETURN = 64  # and shrinks by 1/64 of its room
_BELOW_REST = 4  # 1/4 of an excess: a charger's meter is not exact
_STILL_MV = 3  # what moves by so little is noise
_CALM_MS = 30000  # and so long there must be room before the limit comes back
_UV = 1000
_MINUTE_MS = 60000
_DAY_S = 86400
_DAY_MS = 1000 * _DAY_S
_TIME_MAX_MS = 1 << 29


class ChargeControl:
    """phase: BULK, ABSORPTION, FLOAT or bms.points.PHASE_STALLED; voltage_mv: what a charger may
    apply to the pack; full_charge_requested, force_charge_requested: what a link may ask of the
    inverter, 0 or 1.

    cells: number of cells in series.
    """

    def __init__(self, parameters, cells):
        index = parameters.index
        self._values = parameters.values
        self._cells = cells
        self._charge = index("charge_cell_mv")
        self._float = index("float_cell_mv")
        self._full = index("full_cell_mv")
        self._tail = index("full_current_ma")
        self._low = index("rebulk_cell_mv")
        self._depth = index("rebulk_depth_bp")
        self._absorption = index("absorption_max_min")
        self._days = index("full_charge_days")
        self._force_on = index("force_charge_on_soc_bp")
        self._force_off = index("force_charge_off_soc_bp")
        self._empty = index("empty_cell_mv")
        self._discharge = index("discharge_cell_mv")
        self._rise = index("charge_voltage_rise_mv_min")
        self._fall = index("charge_voltage_fall_mv_min")
        self._retreat = index("charge_voltage_retreat_mv_s")
        self.phase = BULK
        self.full_charge_requested = 0
        self.force_charge_requested = 0
        self._top_ms = 0  # at the top since the bulk phase began
        self._low_ms = 0  # so long the cells have been low
        self._empty_ms = 0  # and the lowest one empty
        self._held_mv = 0  # the mean cell's most while this bulk charged in earnest; 0: not yet
        self._held_ms = 0  # so long it has stood there with hardly any current
        self._most_bp = 0  # charge since a cell looked full
        self._pause_ms = 0  # until a full charge is asked for again
        self._base_uv = _UV * self._values[self._charge]  # of a cell; moves to the phase's voltage
        self._trim_uv = 0  # by which the limit lies below, for the highest cell's sake
        self._level_uv = self._base_uv
        self._room_ms = 0  # so long the highest cell has been clearly below its limit

    @property
    def voltage_mv(self):
        """CVL of the pack."""
        return self._level_uv // 100 * self._cells // 10

    def step(self, elapsed_ms, signals, drop_mv, full_age_s):
        """A turn with a good measurement.

        signals: as of bms.limits; drop_mv: what the present current adds to a cell's voltage;
        full_age_s: since the pack was full; below 0: watched for that long and never full.
        """
        elapsed_ms = min(elapsed_ms, _MINUTE_MS)
        self._note_times(elapsed_ms, signals)
        self._request(signals, full_age_s)
        self._choose_phase(elapsed_ms, signals, full_age_s)
        elapsed_ms = min(elapsed_ms, 1000)  # a late turn makes no larger step
        self._move_base(elapsed_ms)
        self._trim(elapsed_ms, signals, drop_mv)
        self._move_level(elapsed_ms)

    def _note_times(self, elapsed_ms, signals):
        values = self._values
        if signals[CELL_MAX] >= values[self._full] - _TOP_MV:
            self._top_ms = min(self._top_ms + elapsed_ms, _TIME_MAX_MS)
        self._pause_ms = max(0, self._pause_ms - elapsed_ms)
        self._low_ms = _longer(self._low_ms, signals[PACK] <= values[self._low], elapsed_ms)
        self._empty_ms = _longer(
            self._empty_ms, signals[CELL_MIN] <= values[self._empty], elapsed_ms
        )

    def _request(self, signals, full_age_s):
        """Both requests have a hysteresis: inverters act on every change."""
        values = self._values
        days = values[self._days]
        if 0 <= full_age_s < _FRESH_S or days == 0 or self._pause_ms:
            self.full_charge_requested = 0
        elif abs(full_age_s) >= days * _DAY_S:
            self.full_charge_requested = 1
        soc_bp = signals[SOC]
        if self._empty_ms >= _MINUTE_MS or INVALID != soc_bp < values[self._force_on]:
            self.force_charge_requested = 1
        elif signals[CELL_MIN] > values[self._discharge] and (
            soc_bp == INVALID or soc_bp >= values[self._force_off]
        ):
            self.force_charge_requested = 0

    def _choose_phase(self, elapsed_ms, signals, full_age_s):
        values = self._values
        if self.phase == BULK or self.phase == PHASE_STALLED:
            if signals[CELL_MAX] >= values[self._full]:
                self.phase = ABSORPTION
                self._top_ms = 0
                self._most_bp = signals[SOC]
                self._held_mv = 0
            else:
                self._watch_charger(elapsed_ms, signals)
        elif self._is_missing(signals) or (self.phase == FLOAT and self.full_charge_requested):
            self.phase = BULK
        elif self.phase == ABSORPTION:
            full = 0 <= full_age_s < _FRESH_S
            together = signals[CELL_MAX] - signals[CELL_MIN] <= _TOGETHER_MV
            over = self._top_ms >= values[self._absorption] * _MINUTE_MS
            if over and not full:
                self._pause_ms = _DAY_MS  # this charger can not: not again and again
            if over or (full and together):
                self.phase = FLOAT

    def _watch_charger(self, elapsed_ms, signals):
        """Below the top: does the charger hold the cells there?"""
        tail_ma = self._values[self._tail]
        current_ma = signals[CURRENT]
        mean_mv = signals[PACK]
        if current_ma >= _EARNEST * tail_ma:
            self.phase = BULK
            self._held_mv = max(self._held_mv, mean_mv)
        holds = -tail_ma // _BACK_SHARE <= current_ma < tail_ma
        stands = self._held_mv > 0 and mean_mv >= self._held_mv - _HELD_MV
        self._held_ms = _longer(self._held_ms, holds and stands, elapsed_ms)
        if self._held_ms >= _STALLED_MS:
            self.phase = PHASE_STALLED

    def _is_missing(self, signals):
        """Whether charge has gone since a cell looked full."""
        soc_bp = signals[SOC]
        self._most_bp = max(self._most_bp, soc_bp)
        if signals[CELL_MAX] >= self._values[self._full] - _TOP_MV:
            return False
        gone = soc_bp != INVALID and self._most_bp - soc_bp > self._values[self._depth]
        return gone or self._low_ms >= _LOW_MS

    def _move_base(self, elapsed_ms):
        """Towards the phase's voltage, up and down at the pace of the settings."""
        values = self._values
        aim_uv = _UV * values[self._float if self.phase == FLOAT else self._charge]
        up_uv = values[self._rise] * elapsed_ms // 60
        down_uv = values[self._fall] * elapsed_ms // 60
        self._base_uv = max(self._base_uv - down_uv, min(self._base_uv + up_uv, aim_uv))

    def _trim(self, elapsed_ms, signals, drop_mv):
        """Hold the highest cell at its limit."""
        room_mv = self._values[self._charge] - signals[CELL_MAX]
        self._room_ms = _longer(self._room_ms, room_mv > _STILL_MV, elapsed_ms)
        if room_mv < -_STILL_MV:
            self._trim_uv += -room_mv * elapsed_ms // _RETREAT
        elif self._room_ms > _CALM_MS:
            self._trim_uv -= room_mv * elapsed_ms // _RETURN
        least_uv = _UV * (signals[PACK] - drop_mv) + _UV * min(0, room_mv) // _BELOW_REST
        self._trim_uv = max(0, min(self._trim_uv, self._base_uv - least_uv))

    def _move_level(self, elapsed_ms):
        """The limit itself: a bounded step, whatever the parts did; never above the setting."""
        values = self._values
        up_uv = values[self._rise] * elapsed_ms // 60
        down_uv = values[self._retreat] * elapsed_ms
        level_uv = self._base_uv - self._trim_uv
        if self._trim_uv and abs(level_uv - self._level_uv) <= _UV * _STILL_MV:
            level_uv = self._level_uv  # it would follow the noise of the cells
        level_uv = max(self._level_uv - down_uv, min(self._level_uv + up_uv, level_uv))
        self._level_uv = min(level_uv, _UV * values[self._charge])


def _longer(ms, holds, elapsed_ms):
    return min(ms + elapsed_ms, _TIME_MAX_MS) if holds else 0
