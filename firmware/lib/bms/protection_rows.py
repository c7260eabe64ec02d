"""The protections in software: one row each; bms.protection says how they are judged.

Read once, when a board starts.
"""

from bms.protection import (
    BOARD_DC,
    CELL_DELTA_MV,
    CELL_MAX_MV,
    CELL_MEAN_MV,
    CELL_MIN_MV,
    CHARGE_MA,
    CHIP_DC,
    DISCHARGE_MA,
    GATES_OFF_MA,
    LIMITED_MA,
    STACK_MISMATCH_MV,
    TEMPERATURE_MAX_DC,
    TEMPERATURE_MIN_DC,
)

_ABOVE = 1
_BELOW = -1

# fault and parameter prefix, signal, which side trips, unit of its thresholds
# or in place of the unit the five parameters: warning, trip, delay, release, release delay
ROWS = (
    ("cell_overvoltage", CELL_MAX_MV, _ABOVE, "mv"),
    ("cell_undervoltage", CELL_MIN_MV, _BELOW, "mv"),
    ("pack_overvoltage", CELL_MEAN_MV, _ABOVE, "mv"),
    ("pack_undervoltage", CELL_MEAN_MV, _BELOW, "mv"),
    ("overcurrent_charge", CHARGE_MA, _ABOVE, "ma"),
    ("overcurrent_discharge", DISCHARGE_MA, _ABOVE, "ma"),
    (
        "fast_overcurrent_charge", CHARGE_MA, _ABOVE,
        "fast_overcurrent_charge_ma", "fast_overcurrent_charge_ma", "fast_overcurrent_backup_ms",
        "overcurrent_charge_release_ma", "overcurrent_charge_release_delay_ms",
    ),
    (
        "fast_overcurrent_discharge", DISCHARGE_MA, _ABOVE,
        "fast_overcurrent_discharge_ma", "fast_overcurrent_discharge_ma",
        "fast_overcurrent_backup_ms",
        "overcurrent_discharge_release_ma", "overcurrent_discharge_release_delay_ms",
    ),
    ("overtemperature_charge", TEMPERATURE_MAX_DC, _ABOVE, "dc"),
    ("overtemperature_discharge", TEMPERATURE_MAX_DC, _ABOVE, "dc"),
    ("undertemperature_charge", TEMPERATURE_MIN_DC, _BELOW, "dc"),
    ("undertemperature_discharge", TEMPERATURE_MIN_DC, _BELOW, "dc"),
    ("fet_overtemperature", BOARD_DC, _ABOVE, "dc"),
    ("afe_overtemperature", CHIP_DC, _ABOVE, "dc"),
    ("stack_mismatch", STACK_MISMATCH_MV, _ABOVE, "mv"),
    ("cell_imbalance", CELL_DELTA_MV, _ABOVE, "mv"),
    (
        "deep_discharge", CELL_MIN_MV, _BELOW,
        "deep_discharge_trip_mv", "deep_discharge_trip_mv", "deep_discharge_delay_ms",
        "cell_undervoltage_release_mv", "cell_undervoltage_release_delay_ms",
    ),
    (
        "gates_off_current", GATES_OFF_MA, _ABOVE,
        "gates_off_current_ma", "gates_off_current_ma", "gates_off_current_delay_ms",
        "gates_off_current_ma", "gates_off_current_delay_ms",
    ),
    (
        "limited_current", LIMITED_MA, _ABOVE,
        "limited_current_warn_ma", "limited_current_trip_ma", "limited_current_delay_ms",
        "limited_current_warn_ma", "limited_current_delay_ms",
    ),
)  # fmt: skip

# These release on charge current or a person's word, never on rest voltage alone: a pack at rest
# recovers some voltage, and would connect its load again and again.
UNDERVOLTAGES = ("cell_undervoltage", "pack_undervoltage")

_EXPLICIT = 3  # column of the first parameter of a row that names them all


def parameter_names(row):
    """Names of a row's warning, trip, delay, release and release delay."""
    if len(row) > _EXPLICIT + 1:
        return row[_EXPLICIT:]
    prefix, _, _, unit = row
    return (
        "%s_warn_%s" % (prefix, unit),
        "%s_trip_%s" % (prefix, unit),
        prefix + "_delay_ms",
        "%s_release_%s" % (prefix, unit),
        prefix + "_release_delay_ms",
    )
