"""Words for the numbers that some points show, by number; what they mean is in bms.points."""

# The states, as the point `state` shows them.
STATES = (
    "starting", "unconfigured", "programming", "standby", "active", "fault", "failed",
    "self_test", "commissioning", "limited",
)  # fmt: skip

# What the power path does, as the point `path_state` shows it.
PATH_STATES = (
    "off", "on", "precharging", "cooling", "opening", "waiting_for_fuse", "failed", "bridging",
    "bus_above_pack",
)  # fmt: skip

# What the state of charge is worth, as the point `soc_quality` shows it.
QUALITIES = ("unknown", "estimating", "synced")

# How much of the board runs, as the point `power_state` shows it.
POWER_STATES = ("active", "idle", "sleep", "ship")

# Checks of the start-up self-test, as bits of the point `self_test_failed`.
SELF_TESTS = (
    "afe_identity", "afe_configuration", "gates_off", "balance_switches", "cell_wires",
    "thermistors", "supply", "clock", "flash",
)  # fmt: skip

# What the balancing does, or why it does nothing, as the point `balancing_state` shows it.
BALANCING_STATES = (
    "off", "bleeding", "balanced", "learning", "not_measured", "blocked", "cell_temperature",
    "board_hot", "charge_low", "idle", "refused", "suspect",
)  # fmt: skip
