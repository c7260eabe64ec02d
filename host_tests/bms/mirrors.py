"""What the chip trips and the fault of ours that must mirror it (law 5), for several tests."""

from bms import sample
from bms.faults import Faults

HOLD_MS = 5000  # how long a fault of the chip stays after its last sign

MIRRORS = {
    sample.TRIP_CELL_OVERVOLTAGE: "cell_overvoltage",
    sample.TRIP_CELL_UNDERVOLTAGE: "cell_undervoltage",
    sample.TRIP_OVERCURRENT_CHARGE: "fast_overcurrent_charge",
    sample.TRIP_OVERCURRENT_DISCHARGE: "fast_overcurrent_discharge",
    sample.TRIP_SHORT_CIRCUIT: "short_circuit",
    sample.TRIP_OVERTEMPERATURE_CHARGE: "overtemperature_charge",
    sample.TRIP_OVERTEMPERATURE_DISCHARGE: "overtemperature_discharge",
    sample.TRIP_UNDERTEMPERATURE_CHARGE: "undertemperature_charge",
    sample.TRIP_UNDERTEMPERATURE_DISCHARGE: "undertemperature_discharge",
    sample.TRIP_CHIP_OVERTEMPERATURE: "afe_overtemperature",
    sample.TRIP_HOST_WATCHDOG: "afe_watchdog",
    sample.TRIP_CHIP_FAILED: "afe_failed",
    sample.TRIP_FET_OVERTEMPERATURE: "fet_overtemperature",
    sample.TRIP_UNSEEN: "afe_trip_unseen",
}
LATCHING = {sample.TRIP_SHORT_CIRCUIT: "short_circuit", sample.TRIP_CHIP_FAILED: "afe_failed"}

_FAULTS = Faults()
BLOCKS = {_FAULTS.names.name(bit): _FAULTS.blocks[bit] for bit in range(len(_FAULTS))}
