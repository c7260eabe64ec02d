"""SMA Sunny Island with an external battery management ("FSS-ConnectingBat-TI-en-10").

Source: inverter_can.md 1.2. Little endian. A Sunny Island drops a value that is out of its range
and keeps the last good one, so limits stay inside the ranges of the document; a field that says
nothing has its mark for "invalid" (0xFFFF, 0x8000), also while the pack is not measured. Values
must not come faster than every 200 ms. Identifiers that the document does not have are not sent.
Without 0x355 it stops after 60 s; it is sent all the time, with "invalid" while nothing is known.
Alarms are pairs of bits: 01 raised, 10 cleared; what is well is cleared all the time, because an
alarm stays until that is heard. A reaction takes up to 10 s.
UNVERIFIED: codes of battery type; sent as "invalid".
"""

from inverter.conditions import ALWAYS, CHARGE, DISCHARGE, MEASURED
from inverter.tables import EVERY_OTHER

PERIOD_MIN_MS = 250
RANGES = (410, 630, 410, 480)  # 0.1 V: CVL 41 to 63 V, discharge voltage limit 41 to 48 V

_UNSIGNED = 0xFFFF  # invalid
_SIGNED = 0x8000

CLEARED = b"\xaa" * 8

FRAMES = (
    (0x351, ALWAYS, bytes(8)),
    (0x355, ALWAYS, bytes(6)),
    (0x356, ALWAYS, bytes(6)),
    (0x35A, ALWAYS, CLEARED),
    (0x35B, ALWAYS, bytes(8)),
    (0x35E, ALWAYS, b"CELLSTEW"),
    (0x35F, ALWAYS, b"\xff\xff\x01\0\0\0\xff\xff"),
)

FIELDS = (
    (0x351, 0, "<u16", "charge_voltage_limit_mv", 1, 100, ALWAYS, 532),
    (0x351, 2, "<u15", "charge_current_limit_ma", 1, 100, MEASURED | CHARGE, 0),
    (0x351, 4, "<u15", "discharge_current_limit_ma", 1, 100, MEASURED | DISCHARGE, 0),
    (0x351, 6, "<u16", "discharge_voltage_limit_mv", 1, 100, ALWAYS, 480),
    (0x355, 0, "<u16", "soc_bp", 1, 100, MEASURED, _UNSIGNED),
    (0x355, 2, "<u16", "soh_bp", 1, 100, MEASURED, _UNSIGNED),
    (0x355, 4, "<u16", "soc_bp", 1, 1, MEASURED, _UNSIGNED),
    (0x356, 0, "<s16", "pack_voltage_mv", 1, 10, MEASURED, _SIGNED),
    (0x356, 2, "<s16", "current_ma", 1, 100, MEASURED, _SIGNED),
    (0x356, 4, "<s16", "temperature_max_dc", 1, 1, MEASURED, _SIGNED),
    (0x35F, 4, "<u16", "design_mah", 1, 1000, ALWAYS, _UNSIGNED),
)

PAIRED = (0x35A,)

FLAGS = ((0x35A, 2, 6, ALWAYS, MEASURED),)  # BMS internal

ALARMS = (
    (0x35A, 0, 2, 4, 2, "cell_overvoltage pack_overvoltage"),
    (0x35A, 0, 4, 4, 4, "cell_undervoltage pack_undervoltage deep_discharge cell_below_floor"),
    (0x35A, 0, 6, 4, 6, "overtemperature_discharge fet_overtemperature afe_overtemperature"),
    (0x35A, 1, 0, 5, 0, "undertemperature_discharge"),
    (0x35A, 1, 2, 5, 2, "overtemperature_charge"),
    (0x35A, 1, 4, 5, 4, "undertemperature_charge"),
    (0x35A, 1, 6, 5, 6, "overcurrent_discharge fast_overcurrent_discharge"),
    (0x35A, 2, 0, 6, 0, "overcurrent_charge fast_overcurrent_charge"),
    (
        0x35A, 2, 2, 6, 2,
        "gates_off_current gate_mismatch precharge_failed contactor_positive_welded"
        " contactor_negative_welded precharge_relay_welded contactor_stuck_open",
    ),
    (0x35A, 2, 4, 6, 4, "short_circuit"),
    (
        0x35A, 2, 6, 6, 6,
        "stack_mismatch afe_lost measurement_stale measurement_implausible afe_wrong_device"
        " afe_configuration afe_restarted afe_watchdog afe_failed configuration_invalid"
        " step_failed thermistor_open thermistor_short thermistor_frozen cell_wire_open"
        " afe_corrupt afe_restarting fast_path_overrun self_test_failed boot_loop"
        " current_sensor_lost afe_trip_unseen",
    ),
    (0x35A, 3, 0, 7, 0, "cell_imbalance"),
    (0x35A, 0, 0, 4, 0, EVERY_OTHER),  # general
)  # fmt: skip
