"""Faults that block a direction and are not measured for docs/worst-case-times.md, and why.

Mostly because a gate is off already when they are found. Each names the test that shows what it
does instead.
"""

# Fault, within what time its gates are off, why it is not measured, what tests it.
UNMEASURED = (
    (
        "afe_wrong_device", "0", "asked for only while the gates are off, before each programming",
        "host_tests/afe/test_programming.py",
    ),
    (
        "afe_configuration", "40 s and law 2",
        "no fault of the simulator changes the chip's memory alone; 20 blocks are read back, one "
        "a second, each asked for and fetched",
        "host_tests/afe/test_supervision_on_the_simulated_chip.py",
    ),
    (
        "afe_failed", "2 periods and scan",
        "permanent failures of the chip are not simulated; the chip opens by itself first",
        "host_tests/bms/test_trips.py",
    ),
    (
        "configuration_invalid", "0", "found at start, before a gate was ever closed",
        "host_tests/system/test_boot.py",
    ),
    (
        "step_failed", "0: the off lines, in the same step",
        "the firmware has no known way to fail; unit tests raise an exception in the step",
        "host_tests/bms/test_battery.py",
    ),
    (
        "gate_mismatch", "gate_mismatch_ms and law 2",
        "the simulated chip always does what it is told; a welded FET shows by its current",
        "host_tests/bms/test_switch.py",
    ),
    (
        "afe_restarting", "0", "the third afe_restarted: its gates are off already",
        "host_tests/bms/test_chip_care.py",
    ),
    (
        "self_test_failed", "0", "found at start, before a gate is closed",
        "host_tests/afe/test_self_test.py",
    ),
    (
        "not_commissioned", "0", "found at start, before a gate is closed",
        "host_tests/bms/test_commissioning.py",
    ),
    (
        "boot_loop", "0", "found at start; the reset itself opened the gates",
        "host_tests/storage/test_retained.py",
    ),
    (
        "precharge_failed", "0", "the main contactor was never closed, the relay is off already",
        "host_tests/bms/test_precharge.py",
    ),
    (
        "contactor_positive_welded", "0", "found when it was told to open: the other pole is off",
        "host_tests/bms/test_contactor_path.py",
    ),
    (
        "contactor_negative_welded", "0", "found when it was told to open: the other pole is off",
        "host_tests/bms/test_contactor_path.py",
    ),
    (
        "undervoltage_rebounds", "0", "found when undervoltage opened the gate again",
        "host_tests/bms/test_undervoltage.py",
    ),
    (
        "afe_trip_unseen", "0: the chip's own trip", "the chip's gates are off when it is found",
        "host_tests/bms/test_trips.py",
    ),
)  # fmt: skip
