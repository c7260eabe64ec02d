"""What the pack allows a charger and an inverter: the smallest of a few readable curves.

Goals: limits shrink before a protection has to act, anticipate (bms.prediction, bms.thermal), and
move without steps and swings (bms.ramp); each says what binds it. The curves and the words are
rows in bms.limit_curves.
Limits: the voltage prediction and the heat need a cell model; without one the curves are alone.
Slow path; the fast path sets both current limits to 0 while a direction is blocked, and no limit
here can allow what it forbids.
"""

from array import array

from bms.prediction import Prediction
from bms.ramp import Ramp
from bms.table import INVALID, give_back
from bms.thermal import Thermal

CHARGE = 0
DISCHARGE = 1

# What binds, beside the rows of curves; words in bms.limit_curves.REASONS
NOT_MEASURED = 0
BLOCKED = 1
RISING = 2
MAXIMUM = 3
LIMITED = 4
PEAK = 5  # and PEAK + 1 the second of bms.prediction.HORIZONS_S
HEAT = 7

# Places in `signals`, as bms.limit_curves.SIGNALS orders them
CELL_MIN = 0
CELL_MAX = 1
COLDEST = 3
WARMEST = 4
PACK = 7  # the mean cell's millivolts
CURRENT = 8
SOC = 9

_PER_MILLE = 1000
_GUARD = 16  # the share of a warning that a limit stays below it: meters of two makers differ
_HEAT_GUARD_DC = 10  # and of a temperature's trip
_LAG_SHARE = 2  # DVL stays below the middle between the limits of both directions
_STILL_MV = 3  # what moves by so little is noise
_LEAST_MA = 100  # what a charger or an inverter can not hold exactly is nothing

# For each direction: the most, the over-current warning, the temperature's trip and warning, and
# the cell voltages for the horizons of bms.prediction: a peak may go to the warning, what lasts to
# the limit.
_SETTINGS = (
    ("charge_current_max_ma", "overcurrent_charge_warn_ma", "overtemperature_charge_trip_dc",
     "overtemperature_charge_warn_dc", "cell_overvoltage_warn_mv", "charge_cell_mv"),
    ("discharge_current_max_ma", "overcurrent_discharge_warn_ma",
     "overtemperature_discharge_trip_dc", "overtemperature_discharge_warn_dc",
     "cell_undervoltage_warn_mv", "discharge_cell_mv"),
)  # fmt: skip
_MOST, _WARNING, _TRIP, _TIGHT_TRIP, _EXTREME, _LASTING = range(6)


class Limits:
    """charge_current_ma, discharge_current_ma: the latest limits, 0 until `update` saw a good
    measurement. charge_reason, discharge_reason: what binds them.
    model: of the cells (bms.cell_model); without one there are no predictions.
    discharge_cell_mv: DVL for each cell: the setting, and as much more as the weakest cell lies
    below the mean one, since an inverter that looks at the pack's voltage alone has to stop when
    that cell is at the setting.
    tight: the warnings are the trips (bms.protection), so what ends at a trip ends at its warning.
    signals: the caller fills it before each `update`, in the order of bms.limit_curves.SIGNALS.
    """

    def __init__(self, parameters, model=None):
        from bms import limit_curves

        index = parameters.index
        self._values = parameters.values
        self.signals = array("i", [INVALID] * len(limit_curves.SIGNALS))
        self._curves = (
            _compiled(index, limit_curves, limit_curves.CHARGE),
            _compiled(index, limit_curves, limit_curves.DISCHARGE),
        )
        give_back("bms.limit_curves")
        self._settings = [bytes([index(name) for name in names]) for names in _SETTINGS]
        self._rise = index("limit_rise_s")
        self._fall = index("limit_fall_s")
        self._limited = index("limited_current_warn_ma")
        self._ramps = (Ramp(), Ramp())
        self._thermal = Thermal(parameters)
        self._prediction = None
        if model is not None:
            self._prediction = Prediction(model, parameters)
        self.tight = False
        self._binding = 0
        self._lag_mv = 0  # of the weakest cell behind the mean one, as far as DVL followed it
        self.drop_mv = 0  # of the present lasting current over a cell's resistance
        self.forget()

    def learn_from(self, resistance):
        """The predictions take the resistance of the worst cell from a bms.resistance."""
        if self._prediction is not None:
            self._prediction.learned = resistance

    def forget(self):
        """Nothing valid is measured: allow nothing until `update`. Allocates nothing."""
        self.charge_current_ma = 0
        self.discharge_current_ma = 0
        self.charge_reason = NOT_MEASURED
        self.discharge_reason = NOT_MEASURED
        self._ramps[CHARGE].drop()
        self._ramps[DISCHARGE].drop()
        self._thermal.forget()

    def withdraw(self, direction):
        """The direction is blocked: what it is offered later begins at nothing. Fast path."""
        self._ramps[direction].drop()
        if direction == CHARGE:
            self.charge_current_ma = 0
            self.charge_reason = BLOCKED
        else:
            self.discharge_current_ma = 0
            self.discharge_reason = BLOCKED

    def update(self, elapsed_ms, limited, charge_allowed, discharge_allowed):
        """Take one good measurement. `limited`: only a limited current is allowed now; a
        direction that is not allowed begins at nothing afterwards."""
        self._follow_weakest()
        self._foresee(elapsed_ms)
        self.charge_current_ma, self.charge_reason = self._limit(
            CHARGE, limited, charge_allowed, elapsed_ms
        )
        self.discharge_current_ma, self.discharge_reason = self._limit(
            DISCHARGE, limited, discharge_allowed, elapsed_ms
        )

    @property
    def discharge_cell_mv(self):
        return self._values[self._settings[DISCHARGE][_LASTING]] + self._lag_mv

    def aim_ma(self, direction, limited):
        """The least of all curves; `_binding` says which."""
        values = self._values
        settings = self._settings[direction]
        warning_ma = values[settings[_WARNING]]
        most_ma = min(values[settings[_MOST]], warning_ma - warning_ma // _GUARD)
        self._binding = MAXIMUM
        aim_ma = self._along_curves(self._curves[direction], most_ma)
        if limited and values[self._limited] < aim_ma:
            aim_ma = values[self._limited]
            self._binding = LIMITED
        prediction = self._prediction
        if prediction is not None:
            aim_ma = self._foreseen(prediction, direction, settings, aim_ma)
        return aim_ma if aim_ma >= _LEAST_MA else 0

    def _limit(self, direction, limited, allowed, elapsed_ms):
        """Limit and what binds it."""
        ramp = self._ramps[direction]
        if not allowed:
            ramp.drop()
            return 0, BLOCKED
        aim_ma = self.aim_ma(direction, limited)
        values = self._values
        most_ma = values[self._settings[direction][_MOST]]
        rising = ramp.step(aim_ma, most_ma, values[self._rise], values[self._fall], elapsed_ms)
        return ramp.value, RISING if rising else self._binding

    def _follow_weakest(self):
        """A millivolt a turn, and never up to where a charger charges to."""
        values = self._values
        room_mv = values[self._settings[CHARGE][_LASTING]]
        room_mv -= values[self._settings[DISCHARGE][_LASTING]]
        lag_mv = min(self.signals[PACK] - self.signals[CELL_MIN], room_mv // _LAG_SHARE)
        if abs(lag_mv - self._lag_mv) > _STILL_MV:
            self._lag_mv += 1 if lag_mv > self._lag_mv else -1

    def _along_curves(self, curves, most_ma):
        values = self._values
        signals = self.signals
        left = _PER_MILLE
        end = _TIGHT_END if self.tight else _END
        for at in range(0, len(curves), _COLUMNS):
            span = curves[at + 3]
            value = signals[curves[at]]
            if value == INVALID:
                continue
            all_at = values[curves[at + 1]]
            least_at = values[curves[at + end]]
            nearest = least_at - span
            if span > 0:
                if value <= nearest and value <= all_at:
                    continue
                width = max(span, least_at - all_at)
            else:
                if value >= nearest and value >= all_at:
                    continue
                width = min(span, least_at - all_at)
            share = (least_at - value) * _PER_MILLE // width
            share = max(share, curves[at + 4])
            if share < left:
                left = share
                self._binding = curves[at + 5]
        # Split before multiplying: 600 A times 1000 is no small integer on the boards.
        return most_ma // _PER_MILLE * left + most_ma % _PER_MILLE * left // _PER_MILLE

    def _foresee(self, elapsed_ms):
        """Forecast the temperatures that the curves look at."""
        signals = self.signals
        current_ma = signals[CURRENT]
        cold_dc = signals[COLDEST]
        warm_dc = signals[WARMEST]
        prediction = self._prediction
        resistance_uohm = 0
        if prediction is not None:
            prediction.step(elapsed_ms, current_ma, cold_dc)
            resistance_uohm = prediction.resistance_uohm
            self.drop_mv = current_ma // 10 * (resistance_uohm // 10) // 10000
        thermal = self._thermal
        thermal.step(elapsed_ms, current_ma, resistance_uohm, cold_dc, warm_dc)
        signals[COLDEST] = cold_dc + thermal.colder_dc
        signals[WARMEST] = warm_dc + thermal.warmer_dc

    def _foreseen(self, prediction, direction, settings, aim_ma):
        """The limit that the predictions leave of `aim_ma`."""
        values = self._values
        cell_mv = self.signals[CELL_MAX if direction == CHARGE else CELL_MIN]
        for horizon in range(2):
            room_mv = values[settings[_LASTING if self.tight else _EXTREME + horizon]] - cell_mv
            limit_ma = prediction.current_ma(horizon, room_mv)
            if direction == DISCHARGE:
                limit_ma = -limit_ma
            if limit_ma < aim_ma:
                aim_ma = max(0, limit_ma)
                self._binding = PEAK + horizon
        trip_dc = values[settings[_TIGHT_TRIP if self.tight else _TRIP]]
        room_dc = trip_dc - _HEAT_GUARD_DC - self.signals[WARMEST]
        limit_ma = self._thermal.limit_ma(aim_ma, room_dc, prediction.resistance_uohm)
        if limit_ma < aim_ma:
            aim_ma = limit_ma
            self._binding = HEAT
        return aim_ma


_COLUMNS = 7
_END, _TIGHT_END = 2, 6  # columns: where a line ends, and does while the warnings are the trips


def _compiled(index, limit_curves, rows):
    """Rows as numbers: place of the signal, the two settings, span, least share, reason, and the
    setting that stands in for the second one while `tight`."""
    compiled = array("h")
    for signal, all_at, least_at, span, least, reason in rows:
        compiled.append(limit_curves.SIGNALS.index(signal))
        compiled.append(index(all_at))
        compiled.append(index(least_at))
        compiled.append(span)
        compiled.append(least)
        compiled.append(limit_curves.REASONS.index(reason))
        compiled.append(index(all_at if "_trip_" in least_at else least_at))
    return compiled
