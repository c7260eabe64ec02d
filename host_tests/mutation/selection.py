"""Which code is mutated, and which tests may notice.

A mutant meets only tests that execute its line, the module's own files first, then the others,
short ones first.
"""

MODULES = {
    "protection": (
        "test_protection",
        "test_release",
        "test_undervoltage",
        "test_latches",
        "test_small_parts",
    ),
    "protection_rows": ("test_protection", "test_release", "test_undervoltage"),
    "fault_register": ("test_faults", "test_latches", "test_small_parts"),
    "clearing": ("test_clearing", "test_latches", "test_trips", "test_small_parts"),
    "limits": ("test_limits",),
    "charge_control": ("test_charge_control",),
    "prediction": ("test_prediction", "test_limits"),
    "thermal": ("test_thermal", "test_limits"),
    "resistance": ("test_resistance", "test_health"),
    "ramp": ("test_ramp", "test_limits"),
    "switch": ("test_switch", "test_switch_times"),
    "gate_lines": ("test_switch", "test_contactor_path", "test_switch_times", "test_contacts"),
    "contactor_path": ("test_contactor_path", "test_contacts"),
    "contacts": ("test_contactor_path", "test_contacts"),
    "precharge": ("test_precharge", "test_contactor_path", "test_switch", "test_small_parts"),
    "predischarge": ("test_switch", "test_precharge"),
    "deep_discharge": ("test_deep_discharge", "test_resting_cells"),
    "rebounds": ("test_undervoltage", "test_small_parts"),
    "chip_care": ("test_chip_care", "test_latches", "test_small_parts", "test_clearing"),
    "trips": ("test_trips", "test_small_parts"),
    "trial": ("test_trial", "test_small_parts"),
    "measurement": ("test_measurement", "test_plausibility", "test_small_parts"),
    "thermistor_watch": ("test_thermistors",),
    "timekeeping": ("test_small_parts", "test_chip_care", "test_time", "test_events"),
}

# Imported for a moment, and given back (bms.table): there is nothing loaded to put a mutant into.
LENT = ("protection_rows",)

# Files of host_tests/bms that are of no use here: they trace lines, as the search for tests does,
# run another interpreter that would not see the mutant, or need too long for every mutant.
LEFT_OUT = ("test_tearing", "test_soc")
SLOW = ("test_laws", "test_any_battery", "test_path_exploration", "test_limits_days")

FIRST_S = 8  # traced test time of a mutant in the first round; survivors meet all their tests
