"""Points of a pack as a link sees them, and the frames they become."""

from copy import copy
from functools import cache
from importlib import import_module

from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import Points
from inverter.conditions import AWAKE
from inverter.frames import FrameEncoder
from inverter.profiles import load
from inverter.rules import ChargeRules
from inverter.tables import Packed

PACK = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000}

# A 16-cell LiFePO4 pack at rest in the sun
HEALTHY = {
    "pack_voltage_mv": 53120,
    "current_ma": 12340,
    "soc_bp": 6420,
    "soh_bp": 9870,
    "temperature_min_dc": 221,
    "temperature_max_dc": 243,
    "cell_min_mv": 3310,
    "cell_max_mv": 3330,
    "cell_delta_mv": 20,
    "cell_min_index": 2,
    "cell_max_index": 11,
    "series_cells": 16,
    "remaining_mah": 179760,
    "full_mah": 276360,
    "design_mah": 280000,
    "cycles": 26,
    "charged_wh": 211200,
    "discharged_wh": 183500,
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
_PARAMETERS = Parameters()
_REMEMBER = ("pylontech_v13",)  # what was told before matters (RECALLED): made anew each time
FAULT_NAMES = [FAULTS.names.name(bit) for bit in range(len(FAULTS))]


def put(points, **values):
    for name, value in values.items():
        points.live[points.offset(name)] = value


def put_fault(points, words, name):
    """Set a fault's bit in the point `words`, faults or warnings."""
    bit = FAULT_NAMES.index(name)
    points.live[points.offset(words) + (bit >> 4)] |= 1 << (bit & 15)


def healthy(**changes):
    """Points of the healthy pack, except for `changes`."""
    points = Points()
    for word in ("faults", "warnings", "balancing"):
        for slot in range(points.counts[points.index(word)]):
            points.live[points.offset(word) + slot] = 0
    put(points, **{**HEALTHY, **changes})
    return points


def snapshot_of(points, profile):
    """What the link would take of these points."""
    snapshot, view = profile.rules.new_snapshot()
    points.snapshot_into(view)
    return snapshot


def encode(points, profile="pylontech", *, live=True, heard=AWAKE, **settings):
    """Identifier to bytes of the frames that are due now, in sending order, in a steady state.

    profile: a name, or a module of tables. Frames that share an identifier: see `encode_all`.
    """
    return dict(encode_all(points, profile, live=live, heard=heard, **settings))


def encode_all(points, profile="pylontech", *, live=True, heard=AWAKE, **settings):
    """The same as pairs of identifier and bytes."""
    parameters = parameters_with(settings)
    if isinstance(profile, str):
        make = _encoder.__wrapped__ if profile in _REMEMBER else _encoder
        encoder = make(profile, tuple(sorted(settings.items())))
        rules = ChargeRules(import_module(f"inverter.{profile}"), points, parameters, settled=True)
    else:
        encoder = encoder_of(profile, points)
        rules = ChargeRules(profile, points, parameters, settled=True)
    snapshot, view = rules.new_snapshot()
    points.snapshot_into(view)
    encoder.encode(snapshot, rules.apply(snapshot, 1000, live, heard))
    rows = zip(encoder.identifiers, encoder.frames, encoder.due, strict=True)
    return [(identifier, bytes(frame)) for identifier, frame, due in rows if due]


def encoder_of(profile, points, *options):
    """The encoder of a module of tables; options: name, divisor of the voltage."""
    return FrameEncoder(Packed(profile, points, FAULTS, *options))


@cache
def _encoder(profile, settings):
    return load(profile, Points(), FAULTS, parameters_with(dict(settings))).encoder


def parameters_with(settings):
    """The defaults, but for these settings (numbers by name)."""
    parameters = copy(_PARAMETERS)
    parameters.values = copy(_PARAMETERS.values)
    for name, value in {**PACK, **settings}.items():
        parameters.values[parameters.index(name)] = value
    return parameters
