"""The state of the simulated BQ76952, to outlive a reset of the processor.

All that the chip's parts hold in plain values is taken, so that nothing new is forgotten; what is
left out is named here: links between the parts, and how the chip is wired. Instants are kept
relative to the present, because time starts at 0 anew with each run of the processor.
"""

from binascii import hexlify, unhexlify

from boards.sim.bq76952_protections import NEVER_US

_PLAIN = (bool, int, float, str, list, tuple, bytearray, set, type(None))
# Wiring and purchase, not state. The chip's own time becomes 0.
_LEFT_OUT = ("inputs", "gate_listener", "mode_listener", "time_us", "_crc")
# What holds an instant, or a list of them, in virtual time.
INSTANTS = (
    "_reset_us", "_balancing_since_us", "_balancing_until_us", "_sleep_due_us", "_rare_due_us",
    "_run_us", "_next_loop_us", "_next_cc2_us", "wire_check_due_us", "_charge_since_us",
    "_trip_us", "_recover_us", "_act_us", "_heard_us", "_latch_us",
    "busy_until_us", "due_us", "_look_us", "_timeout_us",
)  # fmt: skip


def parts(chip):
    """(name, object) of all that holds state."""
    return (
        ("chip", chip),
        ("memory", chip.memory),
        ("meter", chip.meter),
        ("noise", chip.meter.noise),
        ("protections", chip.protections),
        ("port", chip.port),
        ("gates", chip.gates),
        ("load", chip.load),
    )


def save(chip):
    """The whole state as a dict that JSON can hold; the chip runs on."""
    saved = {}
    for name, part in parts(chip):
        saved[name] = state = {}
        for key, value in part.__dict__.items():
            if key in _LEFT_OUT or not isinstance(value, _PLAIN):
                continue
            state[key] = _moved(value, -chip.time_us) if key in INSTANTS else _kept(value)
    return saved


def restore(chip, saved):
    """Take back what save() gave, with the present as time 0. Nobody is told of the gates."""
    for name, part in parts(chip):
        for key, value in saved[name].items():
            setattr(part, key, _as(type(getattr(part, key)), value))
    chip.time_us = 0


def _kept(value):
    """A copy that JSON can hold."""
    if isinstance(value, bytearray):
        return hexlify(value).decode()
    return list(value) if isinstance(value, (list, set)) else value


def _as(kind, value):
    """What _kept() gave, in the kind that it was."""
    if kind is bytearray:
        return bytearray(unhexlify(value))
    return kind(value) if kind in (list, tuple, set) else value


def _moved(value, by_us):
    """An instant, or a list of them, moved in time; NEVER_US stays."""
    if isinstance(value, list):
        return [_moved(one_us, by_us) for one_us in value]
    return value if value == NEVER_US else value + by_us
