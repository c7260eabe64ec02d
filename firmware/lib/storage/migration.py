"""Takes a configuration that an older firmware wrote and this one would refuse.

Settings are kept by name, and what a file does not name has its default: so new settings need no
migration. What an older firmware allowed and this one does not is in `NARROWED`: such a value is
moved to the nearest that is allowed, and told. Absolute limits of protections were narrowed, too,
and are not here: there a person has to look, with the gates off (law 1).
In memory only after a refusal.
"""

from bms.parameters import ParameterError

NARROWED = (
    # name, minimum and maximum of the older firmware
    ("contactor_ramp_ms", 0, 10000),
    ("overcurrent_charge_release_ma", 0, 600000),
    ("overcurrent_discharge_release_ma", 0, 600000),
)


def load(parameters, settings):
    """Give `parameters` the settings of an older firmware. Returns what was changed, as a
    sentence, or None if that is not what is wrong with them."""
    given = dict(settings)
    told = []
    for name, minimum, maximum in NARROWED:
        value = given.get(name)
        if value is None or not minimum <= value <= maximum:
            continue
        row = parameters.index(name)
        given[name] = max(parameters.minimums[row], min(parameters.maximums[row], value))
        if given[name] != value:
            told.append("'%s' was %d and is %d now" % (name, value, given[name]))
    if not told:
        return None
    try:
        parameters.load(given)
    except ParameterError:
        return None
    return "is of an older firmware: %s; look through the settings, then save them" % (
        ", ".join(told)
    )
