"""What a battery needs to rest: whether it is quiet, and how seldom its steps may come.

A part of bms.battery, which it looks into, in a file of its own because it is lent: an awake pack
does not pay for it. Any context; allocates nothing after construction.
"""

from bms.measurement import GOOD
from bms.points import PATH_ON
from bms.protection import CHARGE_MA


class BatteryAtRest:
    """Of one bms.battery.Battery."""

    def __init__(self, battery, parameters):
        self._battery = battery
        self._values = parameters.values
        self._idle_ma = parameters.index("idle_current_ma")

    def quiet(self):
        """Whether nothing flows, moves, goes wrong or is asked for, by the latest step."""
        battery = self._battery
        measurement = battery._measurement
        path = battery._path
        return not (
            measurement.problem != GOOD
            or abs(measurement.signals[CHARGE_MA]) >= self._values[self._idle_ma]
            or battery._journal.noted
            or battery._protection.pending
            or path.state > PATH_ON
            or path.commanded != battery._gates
            or battery._bleeder.active
            or battery.requests.pending
            or battery._chip.busy
            or battery._reprogram_due
            or battery._is_limited()
        )

    def pace(self, period_ms, slower_ms, holdover_ms):
        """From now on `step` is called every `period_ms`, `slower_ms` more than usual, and good
        samples are missed for `holdover_ms` at most (bms.measurement)."""
        battery = self._battery
        battery._measurement.period_ms = period_ms
        battery._measurement.holdover_ms = holdover_ms
        battery._time.slow_ms = slower_ms
