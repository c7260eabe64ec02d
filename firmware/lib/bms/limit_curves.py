"""The curves that current limits follow, as rows, and the words of what can bind a limit.

Each row is a straight line: everything is offered up to one setting, the row's least share from
the other on. Where the two lie closer together than the row's span, the first moves away, so that
equal settings never offer the full current up to a trip. Spans below 0: falling values bind.
The settings make three bands (standard, up to a warning, up to a trip): voltages end at the
warning, because a cell moves fast there; temperatures move slowly and end at the trip itself,
which the forecast of bms.thermal keeps away from. While the warnings are the trips
(`link_loss_policy`), a row from a warning to its trip ends at the warning.
Only read at the start and by people: the module is given back (bms.table).
"""

REASONS = (
    "not_measured", "blocked", "rising_slowly", "maximum", "limited_current",
    "cell_voltage_in_10_s", "cell_voltage_in_60_s", "heat", "cell_voltage", "pack_voltage",
    "cells_apart", "warm_cells", "cold_cells", "warm_switches", "warm_measuring_chip",
    "state_of_charge",
)  # fmt: skip
"""What binds, as the points `charge_limit_reason` and `discharge_limit_reason` number it."""

PHASES = ("bulk", "absorption", "float", "stalled")
"""What the charge voltage limit is for, as the point `charge_phase` numbers it."""

SIGNALS = (
    "cell_min_mv", "cell_max_mv", "cell_delta_mv", "temperature_min_dc", "temperature_max_dc",
    "board_temperature_dc", "afe_temperature_dc", "pack_voltage_mv", "current_ma", "soc_bp",
)  # fmt: skip
"""Points that are looked at each turn; `pack_voltage_mv` is shared among the cells first."""

# signal, all is offered up to, the least from, span, least share in 1/1000, reason
CHARGE = (
    ("cell_max_mv", "charge_cell_mv", "cell_overvoltage_warn_mv", 20, 0, "cell_voltage"),
    ("pack_voltage_mv", "charge_cell_mv", "pack_overvoltage_warn_mv", 20, 0, "pack_voltage"),
    ("cell_delta_mv", "cell_imbalance_warn_mv", "cell_imbalance_trip_mv", 20, 0, "cells_apart"),
    ("temperature_max_dc", "overtemperature_charge_warn_dc", "overtemperature_charge_trip_dc",
     50, 0, "warm_cells"),
    ("temperature_min_dc", "undertemperature_charge_warn_dc", "undertemperature_charge_trip_dc",
     -50, 0, "cold_cells"),
    ("board_temperature_dc", "fet_overtemperature_warn_dc", "fet_overtemperature_trip_dc",
     100, 0, "warm_switches"),
    ("afe_temperature_dc", "afe_overtemperature_warn_dc", "afe_overtemperature_trip_dc",
     100, 0, "warm_measuring_chip"),
    # An estimate alone never stops a current: the voltages do.
    ("soc_bp", "charge_taper_soc_bp", "charge_taper_end_soc_bp", 100, 250, "state_of_charge"),
)  # fmt: skip
DISCHARGE = (
    ("cell_min_mv", "discharge_cell_mv", "cell_undervoltage_warn_mv", -20, 0, "cell_voltage"),
    ("pack_voltage_mv", "discharge_cell_mv", "pack_undervoltage_warn_mv", -20, 0, "pack_voltage"),
    ("temperature_max_dc", "overtemperature_discharge_warn_dc",
     "overtemperature_discharge_trip_dc", 50, 0, "warm_cells"),
    ("temperature_min_dc", "undertemperature_discharge_warn_dc",
     "undertemperature_discharge_trip_dc", -50, 0, "cold_cells"),
    ("board_temperature_dc", "fet_overtemperature_warn_dc", "fet_overtemperature_trip_dc",
     100, 0, "warm_switches"),
    ("afe_temperature_dc", "afe_overtemperature_warn_dc", "afe_overtemperature_trip_dc",
     100, 0, "warm_measuring_chip"),
    ("soc_bp", "discharge_taper_soc_bp", "discharge_taper_end_soc_bp", -100, 250,
     "state_of_charge"),
)  # fmt: skip
