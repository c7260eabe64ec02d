"""Loads the configured profile: its tables are packed, and all that did it is given back.

A profile is a module of this package, named as a choice of the parameter `inverter_profile`.
Beside the tables of inverter.tables it may say, all of it optional:

PERIOD_MS      between two sets of frames, if not a second
PERIOD_MIN_MS  the shortest that the document allows
RANGES         lowest and highest charge voltage limit and discharge voltage limit, in 0.1 V
KEEPALIVES     identifiers that the inverter sends all the time, if not 0x305
ASKS           identifier and bits of its first byte (0: any) by which the inverter asks for a set
ANSWERS        True: as long as it asks, sets are sent in answer alone
SHUTDOWN       identifier and bits of its first byte that ask the pack to switch itself off
NAME_ID        identifier of the frame that `inverter_name` changes, if not 0x35E; 0: none
"""

import sys

from bms.table import give_back
from inverter.frames import FrameEncoder
from inverter.link import Profile
from inverter.rules import ChargeRules

_PERIOD_MS = 1000
_PERIOD_MIN_MS = 100
# Under 100 in any second: a Venus loses a battery on a busy bus (inverter links 16).
_FRAMES_A_SECOND = 75

# The choices of inverter_name; PYL, BYDL and YAM in inverter_can.md 1.1, 1.3 and 1.8
_NAMES = (None, b"PYLON   ", b"BYD\0\0\0\0\0", b"GOODWE  ", b"DEYE    ", b"SHEnergy", b"SMA     ")
_VOLTAGE_DIVIDE = (0, 10, 100)  # mV a unit, by the choices of inverter_voltage_unit


def load(name, points, faults, parameters, settled=False):
    """A Profile by its name. settled: see inverter.rules. Raises ImportError."""
    before = list(sys.modules)
    module = __import__("inverter." + name, None, None, (name,))
    from inverter.tables import Packed

    value = parameters.value
    packed = Packed(
        module,
        points,
        faults,
        _NAMES[value("inverter_name")],
        _VOLTAGE_DIVIDE[value("inverter_voltage_unit")],
    )
    rules = ChargeRules(module, points, parameters, settled)
    encoder = FrameEncoder(packed)
    period_ms = max(
        value("inverter_period_ms") or getattr(module, "PERIOD_MS", _PERIOD_MS),
        getattr(module, "PERIOD_MIN_MS", _PERIOD_MIN_MS),
        1000 * len(encoder.frames) // _FRAMES_A_SECOND + 1,
    )
    made = Profile(
        encoder,
        rules,
        period_ms,
        getattr(module, "KEEPALIVES", (0x305,)),
        getattr(module, "ASKS", (-1, 0)),
        getattr(module, "ANSWERS", False),
        getattr(module, "SHUTDOWN", (-1, 0)),
    )
    for loaded in list(sys.modules):
        if loaded.startswith("inverter.") and loaded not in before:
            give_back(loaded)
    return made
