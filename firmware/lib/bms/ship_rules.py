"""When a pack must not switch itself off, whoever asks.

Rules: never while a charger feeds it (it would be charged with nobody watching), never with a
switch that does not open (the terminals would stay live), and never blindly. Lent: for the moment
in which somebody asks.
"""

from bms.table import INVALID

# Faults of a switch that may conduct though it is off.
_FAILED_SWITCHES = (
    "gates_off_current", "gate_mismatch", "contactor_positive_welded",
    "contactor_negative_welded", "precharge_relay_welded", "fuse_expected",
)  # fmt: skip
_CHARGER_MV = 500  # terminals this far above the pack: somebody holds them there


def charger_holds(bus_mv, pack_mv):
    """Whether the terminals stand above the pack. Without a measurement of them: unknown, no."""
    return INVALID not in (bus_mv, pack_mv) and bus_mv > pack_mv + _CHARGER_MV


def refusal(point, raised, idle_ma):
    """Why not, as a sentence, or None. `point(name)` is a point's value; `raised` are the names of
    the faults that stand; `idle_ma`: less is no current."""
    for name in raised:
        if name in _FAILED_SWITCHES:
            return "a switch may have failed (%s): its terminals would stay live" % name
    current_ma = point("current_ma")
    if current_ma == INVALID:
        return "nothing is measured, so nobody knows whether it is charged: look at `status`"
    if abs(current_ma) >= idle_ma:
        return "current flows: switch chargers and loads off first"
    if charger_holds(point("bus_voltage_mv"), point("pack_voltage_mv")):
        return "a charger is connected, which would wake it: take it off first"
    return None
