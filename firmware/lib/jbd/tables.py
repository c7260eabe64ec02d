"""What lies where in JBD's answers and EEPROM: rows that jbd.core packs and forgets.

Source: serial_protocols.md 2.3 and the bms-tools register map that it names. Whoever maps another
register adds a row here.
"""

U8, U16, S16, BYTES = 1, 2, 3, 4  # kinds; BYTES: two settings in one register, in whole seconds

# 0x03, in the order of the wire up to the protection bits. kind | point | multiply | divide
BASIC = (
    (U16, "pack_voltage_mv", 1, 10),
    (S16, "current_ma", 1, 10),
    (U16, "remaining_mah", 1, 10),
    (U16, "design_mah", 1, 10),
    (U16, "cycles", 1, 1),
)

# Bit of the protection word | the faults that set it. Every other fault that blocks a direction
# sets OTHER_PROTECTION, "locked by software".
PROTECTIONS = (
    (0, "cell_overvoltage"),
    (1, "cell_undervoltage deep_discharge cell_below_floor"),
    (2, "pack_overvoltage"),
    (3, "pack_undervoltage"),
    (4, "overtemperature_charge"),
    (5, "undertemperature_charge"),
    (6, "overtemperature_discharge"),
    (7, "undertemperature_discharge"),
    (8, "overcurrent_charge fast_overcurrent_charge"),
    (9, "overcurrent_discharge fast_overcurrent_discharge"),
    (10, "short_circuit"),
    (11, "afe_lost measurement_stale measurement_implausible afe_wrong_device afe_configuration "
         "afe_restarted afe_failed afe_corrupt afe_restarting self_test_failed step_failed "
         "thermistor_open thermistor_short thermistor_frozen cell_wire_open current_sensor_lost"),
)  # fmt: skip
OTHER_PROTECTION = 12

# 0xAA: the protection bit that each counter counts, in the order of the wire.
COUNTERS = (10, 8, 9, 0, 1, 4, 5, 6, 7, 2, 3)

# EEPROM. register | kind | setting | multiply (0: by the cells in series) | divide | add
# The register has setting * multiply / divide + add.
SETTINGS = (
    (0x10, U16, "design_capacity_mah", 1, 10, 0),
    (0x12, U16, "full_cell_mv", 1, 1, 0),
    (0x13, U16, "empty_cell_mv", 1, 1, 0),
    (0x18, U16, "overtemperature_charge_trip_dc", 1, 1, 2731),
    (0x19, U16, "overtemperature_charge_release_dc", 1, 1, 2731),
    (0x1A, U16, "undertemperature_charge_trip_dc", 1, 1, 2731),
    (0x1B, U16, "undertemperature_charge_release_dc", 1, 1, 2731),
    (0x1C, U16, "overtemperature_discharge_trip_dc", 1, 1, 2731),
    (0x1D, U16, "overtemperature_discharge_release_dc", 1, 1, 2731),
    (0x1E, U16, "undertemperature_discharge_trip_dc", 1, 1, 2731),
    (0x1F, U16, "undertemperature_discharge_release_dc", 1, 1, 2731),
    (0x20, U16, "pack_overvoltage_trip_mv", 0, 10, 0),
    (0x21, U16, "pack_overvoltage_release_mv", 0, 10, 0),
    (0x22, U16, "pack_undervoltage_trip_mv", 0, 10, 0),
    (0x23, U16, "pack_undervoltage_release_mv", 0, 10, 0),
    (0x24, U16, "cell_overvoltage_trip_mv", 1, 1, 0),
    (0x25, U16, "cell_overvoltage_release_mv", 1, 1, 0),
    (0x26, U16, "cell_undervoltage_trip_mv", 1, 1, 0),
    (0x27, U16, "cell_undervoltage_release_mv", 1, 1, 0),
    (0x28, S16, "overcurrent_charge_trip_ma", 1, 10, 0),
    (0x29, S16, "overcurrent_discharge_trip_ma", -1, 10, 0),
    (0x2A, U16, "balance_top_mv", 1, 1, 0),
    (0x2B, U16, "balance_start_mv", 1, 1, 0),
    (0x2C, U16, "shunt_microohm", 1, 100, 0),
    (0x2D, U16, "balancing_enabled", 4, 1, 0),  # bit 2 of the functions; no other is ours
    (0x2F, U16, "series_cells", 1, 1, 0),
    (0x3A, BYTES, "undertemperature_charge_delay_ms overtemperature_charge_delay_ms", 1, 1000, 0),
    (0x3B, BYTES, "undertemperature_discharge_delay_ms overtemperature_discharge_delay_ms",
     1, 1000, 0),
    (0x3C, BYTES, "pack_undervoltage_delay_ms pack_overvoltage_delay_ms", 1, 1000, 0),
    (0x3D, BYTES, "cell_undervoltage_delay_ms cell_overvoltage_delay_ms", 1, 1000, 0),
    (0x3E, BYTES, "overcurrent_charge_delay_ms overcurrent_charge_release_delay_ms", 1, 1000, 0),
    (0x3F, BYTES, "overcurrent_discharge_delay_ms overcurrent_discharge_release_delay_ms",
     1, 1000, 0),
)  # fmt: skip

# EEPROM that shows a point and can not be written. register | point | multiply | divide
POINTS = (
    (0x11, "full_mah", 1, 10),
    (0x17, "cycles", 1, 1),
    (0x36, "afe_cell_overvoltage_trip_mv", 1, 1),
    (0x37, "afe_cell_undervoltage_trip_mv", 1, 1),
)

# Settings of a JBD board that this one does not have: they read 0 and can not be written. But for
# DATE (the same as in 0x03) and SENSORS (a bit for each), which show what there is.
DATE, SENSORS = 0x15, 0x2E
BLANKS = (0x14, 0x15, 0x16, 0x2E, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x38, 0x39)
