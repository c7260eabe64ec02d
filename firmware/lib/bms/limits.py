"""What the pack allows a charger and an inverter: the smallest of a few straight lines.

Each line falls from "all" at one threshold to "nothing" at another, so limits shrink before a
protection has to act. Slow path; the fast path sets both current limits to 0 while a direction is
blocked, and no limit here can allow what it forbids.
"""

_PER_MILLE = 1000

# signal, parameter where the limit begins to shrink, parameter where nothing is left
_CELL_MIN, _CELL_MAX, _COLDEST, _WARMEST = range(4)
_CHARGE_LINES = (
    (_CELL_MAX, "charge_cell_mv", "cell_overvoltage_warn_mv"),
    (_WARMEST, "overtemperature_charge_warn_dc", "overtemperature_charge_trip_dc"),
    (_COLDEST, "undertemperature_charge_warn_dc", "undertemperature_charge_trip_dc"),
)
_DISCHARGE_LINES = (
    (_CELL_MIN, "discharge_cell_mv", "cell_undervoltage_warn_mv"),
    (_WARMEST, "overtemperature_discharge_warn_dc", "overtemperature_discharge_trip_dc"),
    (_COLDEST, "undertemperature_discharge_warn_dc", "undertemperature_discharge_trip_dc"),
)


class Limits:
    """The latest charge and discharge limits; both 0 until `update` saw a good measurement."""

    def __init__(self, parameters):
        index = parameters.index
        self._values = parameters.values
        self._charge = [(line[0], index(line[1]), index(line[2])) for line in _CHARGE_LINES]
        self._discharge = [(line[0], index(line[1]), index(line[2])) for line in _DISCHARGE_LINES]
        self._charge_max = index("charge_current_max_ma")
        self._discharge_max = index("discharge_current_max_ma")
        self._limited = index("limited_current_warn_ma")
        self.charge_current_ma = 0
        self.discharge_current_ma = 0

    def forget(self):
        """Nothing valid is measured: allow nothing until `update`. Allocates nothing."""
        self.charge_current_ma = 0
        self.discharge_current_ma = 0

    def update(
        self, cell_min_mv, cell_max_mv, temperature_min_dc, temperature_max_dc, limited=False
    ):
        """Take one good measurement. `limited`: only a limited current is allowed now."""
        signals = (cell_min_mv, cell_max_mv, temperature_min_dc, temperature_max_dc)
        self.charge_current_ma = self._share(self._charge_max, self._charge, signals)
        self.discharge_current_ma = self._share(self._discharge_max, self._discharge, signals)
        if limited:
            limit_ma = self._values[self._limited]
            self.charge_current_ma = min(self.charge_current_ma, limit_ma)
            self.discharge_current_ma = min(self.discharge_current_ma, limit_ma)

    def _share(self, maximum, lines, signals):
        values = self._values
        left = _PER_MILLE
        for signal, all_at, nothing_at in lines:
            left = min(left, _fall(signals[signal], values[all_at], values[nothing_at]))
        maximum_ma = values[maximum]
        # Split before multiplying: 600 A times 1000 is no small integer on the boards.
        return maximum_ma // _PER_MILLE * left + maximum_ma % _PER_MILLE * left // _PER_MILLE


def _fall(value, all_at, nothing_at):
    """Per mille of a limit that `value` leaves between two thresholds, either way round."""
    if all_at == nothing_at:
        return _PER_MILLE
    left = (nothing_at - value) * _PER_MILLE // (nothing_at - all_at)
    return max(0, min(_PER_MILLE, left))
