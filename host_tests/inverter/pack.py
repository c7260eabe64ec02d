"""Points of a pack as a link sees them, and the frames they become."""

from bms.faults import Faults
from bms.point_rows import ROWS
from bms.points import Points
from inverter import pylontech
from inverter.frames import FrameEncoder

# A 16-cell LiFePO4 pack at rest in the sun
HEALTHY = {
    "pack_voltage_mv": 53120,
    "current_ma": 12340,
    "soc_bp": 6420,
    "soh_bp": 9870,
    "temperature_max_dc": 243,
    "charge_voltage_limit_mv": 56000,
    "discharge_voltage_limit_mv": 48000,
    "charge_current_limit_ma": 50000,
    "discharge_current_limit_ma": 100000,
    "charge_allowed": 1,
    "discharge_allowed": 1,
    "measurement_age_ms": 100,
    "uptime_s": 60,
}
FAULTS = Faults()
FAULT_NAMES = [FAULTS.names.name(bit) for bit in range(len(FAULTS))]
_PYLONTECH = FrameEncoder(pylontech, Points(ROWS), FAULTS)


def put(points, **values):
    for name, value in values.items():
        points.live[points.offset(name)] = value


def put_fault(points, words, name):
    """Set a fault's bit in the point `words`, faults or warnings."""
    bit = FAULT_NAMES.index(name)
    points.live[points.offset(words) + (bit >> 4)] |= 1 << (bit & 15)


def healthy(**changes):
    """Points of the healthy pack, except for `changes`."""
    points = Points(ROWS)
    put(points, **{**HEALTHY, **changes})
    return points


def encode(points, profile=None, **arguments):
    """Identifier to bytes of the frames that are due now, in sending order."""
    encoder = _PYLONTECH if profile is None else FrameEncoder(profile, points, FAULTS)
    snapshot = points.new_snapshot()
    points.snapshot_into(memoryview(snapshot))
    encoder.encode(snapshot, **arguments)
    rows = zip(encoder.identifiers, encoder.frames, encoder.due, strict=True)
    return {identifier: bytes(frame) for identifier, frame, due in rows if due}
