"""Whether a dictionary describes a cell (see bms.cell_model for its keys): types, counts, ranges,
and what must rise; every refusal is a sentence. Imported for a moment when a model is loaded.
"""

from bms.cell_model import CellModelError

CHEMISTRIES = ("lfp", "nmc", "lto", "sodium")

_OCV_POINTS = 101
_SLOPE_POINTS = 21
_SPAN_MIN_DMV = 1000

# key, fewest and most values, least and greatest value (None: as many as the key before)
_LISTS = (
    ("ocv_charge_dmv", _OCV_POINTS, _OCV_POINTS, 5000, 50000),
    ("ocv_discharge_dmv", _OCV_POINTS, _OCV_POINTS, 5000, 50000),
    ("ocv_uv_per_k", _SLOPE_POINTS, _SLOPE_POINTS, -5000, 5000),
    ("r0_temperature_dc", 1, 16, -600, 1000),
    ("r0_uohm", 1, 16, 1, 10000000),
    ("rc_tau_s", 0, 4, 1, 100000),
    ("rc_permille", 0, 4, 0, 20000),
)
_NUMBERS = (
    ("capacity_mah", 100, 1000000),
    ("hysteresis_bp", 10, 10000),
    ("error_dmv", 5, 2000),
)


def check(cell):
    """Raises CellModelError if `cell` can not be a cell's dictionary (bms.cell_model)."""
    if not isinstance(cell, dict):
        raise CellModelError("a cell file holds names and values in braces, and nothing else")
    for key in ("name", "source", "chemistry"):
        if not isinstance(_get(cell, key), str) or not cell[key]:
            raise CellModelError("'%s' must be a text" % key)
    if cell["chemistry"] not in CHEMISTRIES:
        raise CellModelError(
            "'chemistry' is '%s', but must be one of %s"
            % (cell["chemistry"], ", ".join(CHEMISTRIES))
        )
    if not isinstance(_get(cell, "validated"), bool):
        raise CellModelError("'validated' must be true or false")
    for key, low, high in _NUMBERS:
        _check_number("'%s'" % key, _get(cell, key), low, high)
    for key, fewest, most, low, high in _LISTS:
        values = _get(cell, key)
        if not isinstance(values, (list, tuple)) or not fewest <= len(values) <= most:
            count = "%d" % most if fewest == most else "%d to %d" % (fewest, most)
            raise CellModelError("'%s' must be a list of %s numbers" % (key, count))
        for value in values:
            _check_number("each of '%s'" % key, value, low, high)
    _check_pair(cell, "r0_temperature_dc", "r0_uohm")
    _check_pair(cell, "rc_tau_s", "rc_permille")
    _check_ascending(cell, "r0_temperature_dc", 1)
    _check_ascending(cell, "rc_tau_s", 1)
    _check_ascending(cell, "ocv_charge_dmv", 0)
    _check_ascending(cell, "ocv_discharge_dmv", 0)
    charge = cell["ocv_charge_dmv"]
    discharge = cell["ocv_discharge_dmv"]
    for percent in range(_OCV_POINTS):
        if discharge[percent] > charge[percent]:
            raise CellModelError(
                "at %d %% 'ocv_discharge_dmv' lies above 'ocv_charge_dmv': are they exchanged?"
                % percent
            )
    if discharge[-1] - discharge[0] < _SPAN_MIN_DMV:
        raise CellModelError(
            "'ocv_discharge_dmv' rises by less than %d mV from empty to full"
            % (_SPAN_MIN_DMV // 10)
        )


def _get(cell, key):
    if key not in cell:
        raise CellModelError("'%s' is missing" % key)
    return cell[key]


def _check_number(what, value, low, high):
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CellModelError(
            "%s must be a whole number from %d to %d, not %s" % (what, low, high, value)
        )


def _check_pair(cell, first, second):
    if len(cell[first]) != len(cell[second]):
        raise CellModelError("'%s' and '%s' must have as many values" % (first, second))


def _check_ascending(cell, key, least):
    values = cell[key]
    for at in range(len(values) - 1):
        if values[at + 1] - values[at] < least:
            raise CellModelError(
                "'%s' must %s: %d comes after %d"
                % (key, "rise" if least else "not fall", values[at + 1], values[at])
            )
