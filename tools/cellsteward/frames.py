"""The CAN frames that the device would send for a state that a person wrote down.

The device's own rules and encoder make them, so what is shown here is what an inverter gets, once
ramps and slopes have come to their end. A state that somebody wrote down is a measured one, unless
they say otherwise: points that it leaves out are 0, except that both directions are allowed
(charge_allowed, discharge_allowed) unless a fault in the state blocks them, and that extremes of
cells and temperatures are those of the values that are given.
"""

import difflib

from bms.faults import Faults
from bms.names import Names
from bms.parameters import Parameters
from bms.points import Points
from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from bms.table import INVALID
from cellsteward.can_layout import profile_names
from inverter.conditions import ASKED, AWAKE
from inverter.profiles import load

_BIT_SETS = ("faults", "warnings")  # points that a state gives as lists of fault names
_ALLOWED = (("charge_allowed", GATE_CHARGE), ("discharge_allowed", GATE_DISCHARGE))
_LIMIT = 1 << 30  # the device's numbers lie between minus and plus this


def frames_for_state(
    profile: str, state: dict, parameters: Parameters | None = None, measured: bool = True
) -> list[str]:
    """Lines like `351#1402E803E803C001`, in sending order.

    profile: a choice of the parameter inverter_profile. state: integers by point name, lists of
    integers for points with several values, lists of fault names for `faults` and `warnings`.
    parameters: other than the defaults. measured: False for a pack whose measurements are
    missing or old. A profile that waits for its inverter's question is shown as if asked.
    Raises ValueError, in a sentence that names what is wrong and what may be meant.
    """
    names = profile_names()
    if profile not in names:
        raise ValueError(f"No profile is named '{profile}'{_near(profile, names)}")
    if not isinstance(state, dict):
        raise ValueError("A state is an object of point names and values.")
    points = Points()
    faults = Faults()
    made = load(profile, points, faults, parameters or Parameters(), settled=True)
    encoder = made.encoder
    snapshot, _ = made.rules.new_snapshot()
    for name, gate in _ALLOWED:
        snapshot[points.offset(name)] = not _is_blocked(gate, faults, state.get("faults", []))
    known = _all_names(points.names)
    for name, value in (_extremes(state) | state).items():
        if name not in known:
            raise ValueError(f"No point is named '{name}'{_near(name, known)}")
        values = _bits(name, faults, value) if name in _BIT_SETS else _numbers(name, value)
        room = points.counts[points.index(name)]
        if len(values) > room:
            raise ValueError(f"'{name}' has room for {room} values, not {len(values)}.")
        offset = points.offset(name)
        for index, number in enumerate(values):
            snapshot[offset + index] = number
    if not measured:
        for offset in range(points.blank_size):
            snapshot[offset] = INVALID
    encoder.encode(snapshot, made.rules.apply(snapshot, 1000, measured, AWAKE | ASKED))
    return [
        f"{identifier:03X}#{bytes(frame).hex().upper()}"
        for identifier, frame, due in zip(
            encoder.identifiers, encoder.frames, encoder.due, strict=True
        )
        if due
    ]


def _extremes(state: dict) -> dict:
    """What the device would find in the values of a state, for points that it leaves out."""
    found: dict[str, int] = {}
    for values, low, high in (
        ("cell_voltage_mv", "cell_min_mv", "cell_max_mv"),
        ("temperature_dc", "temperature_min_dc", "temperature_max_dc"),
    ):
        given = state.get(values)
        if not isinstance(given, list):
            given = [state[name] for name in (low, high) if name in state]
        numbers = [value for value in given if isinstance(value, int)]
        if numbers:
            found |= {low: min(numbers), high: max(numbers)}
            if values == "cell_voltage_mv":
                found["cell_delta_mv"] = max(numbers) - min(numbers)
                if isinstance(state.get(values), list):
                    found["cell_min_index"] = given.index(min(numbers))
                    found["cell_max_index"] = given.index(max(numbers))
    return found


def _is_blocked(gate: int, faults: Faults, names: object) -> bool:
    words = _bits("faults", faults, names)
    return any(
        words[bit >> 4] >> (bit & 15) & 1 and faults.blocks[bit] & gate
        for bit in range(len(faults))
    )


def _bits(point: str, faults: Faults, names: object) -> list[int]:
    """Words of 16 bits for a list of fault names."""
    known = _all_names(faults.names)
    words = [0] * (1 + (len(faults) - 1) // 16)
    if not isinstance(names, list):
        raise ValueError(f"'{point}' is a list of fault names, not {names!r}.")
    for name in names:
        if name not in known:
            raise ValueError(f"'{point}': no fault is named '{name}'{_near(name, known)}")
        bit = known.index(name)
        words[bit >> 4] |= 1 << (bit & 15)
    return words


def _numbers(name: str, value: object) -> list[int]:
    numbers: list[int] = []
    for number in value if isinstance(value, list) else [value]:
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"'{name}' is in whole numbers of its unit, not {number!r}.")
        if not -_LIMIT < number < _LIMIT:
            raise ValueError(f"'{name}' is beyond what the device can hold: {number}.")
        numbers.append(number)
    return numbers


def _all_names(names: Names) -> list[str]:
    return [names.name(index) for index in range(len(names))]


def _near(name: object, known: list[str]) -> str:
    """The end of a sentence: names that are spelled alike, or else all there are."""
    near = difflib.get_close_matches(str(name), known)
    if near:
        return f"; near it: {', '.join(near)}."
    return f"; there are: {', '.join(known)}."
