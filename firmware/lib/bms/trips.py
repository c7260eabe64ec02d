"""What the measuring chip trips by itself, mirrored as our own faults.

So nothing re-closes by itself when the chip recovers: the switch holds the gate off until the
fault's own row releases, or a person clears it.
Fast path only; nothing allocates after construction.
"""

from array import array

from bms import events
from bms.chip_care import HOLD_MS
from bms.sample import (
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CELL_UNDERVOLTAGE,
    TRIP_CHIP_FAILED,
    TRIP_CHIP_OVERTEMPERATURE,
    TRIP_FET_OVERTEMPERATURE,
    TRIP_HOST_WATCHDOG,
    TRIP_OVERCURRENT_CHARGE,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_OVERTEMPERATURE_CHARGE,
    TRIP_OVERTEMPERATURE_DISCHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNDERTEMPERATURE_CHARGE,
    TRIP_UNDERTEMPERATURE_DISCHARGE,
    TRIP_UNSEEN,
)

_TRIPS = (
    (TRIP_CELL_OVERVOLTAGE, "cell_overvoltage"),
    (TRIP_CELL_UNDERVOLTAGE, "cell_undervoltage"),
    (TRIP_OVERCURRENT_CHARGE, "fast_overcurrent_charge"),
    (TRIP_OVERCURRENT_DISCHARGE, "fast_overcurrent_discharge"),
    (TRIP_SHORT_CIRCUIT, "short_circuit"),
    (TRIP_OVERTEMPERATURE_CHARGE, "overtemperature_charge"),
    (TRIP_OVERTEMPERATURE_DISCHARGE, "overtemperature_discharge"),
    (TRIP_UNDERTEMPERATURE_CHARGE, "undertemperature_charge"),
    (TRIP_UNDERTEMPERATURE_DISCHARGE, "undertemperature_discharge"),
    (TRIP_CHIP_OVERTEMPERATURE, "afe_overtemperature"),
    (TRIP_FET_OVERTEMPERATURE, "fet_overtemperature"),
    (TRIP_HOST_WATCHDOG, "afe_watchdog"),
    (TRIP_CHIP_FAILED, "afe_failed"),
    (TRIP_UNSEEN, "afe_trip_unseen"),
)


class TripMirror:
    """Reports to `protection` where a row can release the fault, else to the fault register."""

    def __init__(self, faults, protection, register, log):
        self._protection = protection
        self._register = register
        self._log = log
        self._bits = array("H", [row[0] for row in _TRIPS])
        self._faults = bytes([faults.names.index(row[1]) for row in _TRIPS])
        self._seen = 0

    def mirror(self, trips, uptime_s):
        """`trips`: TRIP_* bits that stand in the chip now."""
        new = trips & ~self._seen
        self._seen = trips
        if new:
            self._log.post(events.AFE_TRIP, 0, new, uptime_s)
        if not trips:
            return
        for row in range(len(self._bits)):
            if trips & self._bits[row]:
                fault = self._faults[row]
                if not self._protection.force(fault):
                    self._register.report(fault, HOLD_MS)
