"""Which value goes where in a Pylontech answer: rows that pylon_rs485.answers packs and forgets.

Source: serial_protocols.md 2.1. Fields are in the order of the wire.
"""

U8, U16, S16 = 1, 2, 3  # kinds of numbers
KELVIN_DC = 2731
ADDRESS = ""  # in place of a name: the battery's own address
AVERAGE = "average"  # of the cell sensors

# kind | point | multiply | divide | add
FIELDS_61 = (
    (U16, "pack_voltage_mv", 1, 1, 0),
    (S16, "current_ma", 1, 10, 0),
    (U8, "soc_bp", 1, 100, 0),
    (U16, "cycles", 1, 1, 0),
    (U16, "cycles", 1, 1, 0),
    (U8, "soh_bp", 1, 100, 0),
    (U8, "soh_bp", 1, 100, 0),
    (U16, "cell_max_mv", 1, 1, 0),
    (U16, ADDRESS, 1, 1, 0),
    (U16, "cell_min_mv", 1, 1, 0),
    (U16, ADDRESS, 1, 1, 0),
    (U16, AVERAGE, 1, 1, KELVIN_DC),
    (U16, "temperature_max_dc", 1, 1, KELVIN_DC),
    (U16, ADDRESS, 1, 1, 0),
    (U16, "temperature_min_dc", 1, 1, KELVIN_DC),
    (U16, ADDRESS, 1, 1, 0),
    (U16, "board_temperature_dc", 1, 1, KELVIN_DC),
    (U16, "board_temperature_dc", 1, 1, KELVIN_DC),
    (U16, ADDRESS, 1, 1, 0),
    (U16, "board_temperature_dc", 1, 1, KELVIN_DC),
    (U16, ADDRESS, 1, 1, 0),
    (U16, "afe_temperature_dc", 1, 1, KELVIN_DC),
    (U16, "afe_temperature_dc", 1, 1, KELVIN_DC),
    (U16, ADDRESS, 1, 1, 0),
    (U16, "afe_temperature_dc", 1, 1, KELVIN_DC),
    (U16, ADDRESS, 1, 1, 0),
)
FIELDS_63 = (
    (U16, "charge_voltage_limit_mv", 1, 1, 0),
    (U16, "discharge_voltage_limit_mv", 1, 1, 0),
    (S16, "charge_current_limit_ma", 1, 100, 0),
    (S16, "discharge_current_limit_ma", 1, 100, 0),
)
FIELDS_92 = (
    (U16, "charge_voltage_limit_mv", 1, 1, 0),
    (U16, "discharge_voltage_limit_mv", 1, 1, 0),
    (S16, "charge_current_limit_ma", 1, 100, 0),
    (S16, "discharge_current_limit_ma", -1, 100, 0),
)
# kind | parameter | multiply (0: by the cells in series) | divide | add
FIELDS_47 = (
    (U16, "cell_overvoltage_trip_mv", 1, 1, 0),
    (U16, "cell_undervoltage_warn_mv", 1, 1, 0),
    (U16, "cell_undervoltage_trip_mv", 1, 1, 0),
    (U16, "overtemperature_charge_trip_dc", 1, 1, KELVIN_DC),
    (U16, "undertemperature_charge_trip_dc", 1, 1, KELVIN_DC),
    (S16, "charge_current_max_ma", 1, 100, 0),
    (U16, "pack_overvoltage_trip_mv", 0, 1, 0),
    (U16, "pack_undervoltage_warn_mv", 0, 1, 0),
    (U16, "pack_undervoltage_trip_mv", 0, 1, 0),
    (U16, "overtemperature_discharge_trip_dc", 1, 1, KELVIN_DC),
    (U16, "undertemperature_discharge_trip_dc", 1, 1, KELVIN_DC),
    (S16, "discharge_current_max_ma", -1, 100, 0),
)

# 62: byte and bit of an alarm (in bytes 0 and 1) or protection (2 and 3 below it), and its faults.
BITS_62 = (
    (0, 7, "pack_overvoltage"),
    (0, 6, "pack_undervoltage"),
    (0, 5, "cell_overvoltage"),
    (0, 4, "cell_undervoltage deep_discharge cell_below_floor"),
    (0, 3, "overtemperature_charge overtemperature_discharge"),
    (0, 2, "undertemperature_charge undertemperature_discharge"),
    (0, 1, "fet_overtemperature"),
    (0, 0, "cell_imbalance"),
    (1, 6, "overcurrent_charge fast_overcurrent_charge"),
    (1, 5, "overcurrent_discharge fast_overcurrent_discharge short_circuit"),
)
# Byte 0 of a protection has bits 7 to 1 only: a fault of a bit 0 there is a system fault.
OTHER_ALARM = (1, 4)  # internal communication
OTHER_PROTECTION = (1, 3)  # system fault
# 44: bit of status 1, and its faults.
STATUS_1 = (
    (7, "pack_undervoltage"),
    (6, "overtemperature_charge"),
    (5, "overtemperature_discharge"),
    (4, "overcurrent_discharge fast_overcurrent_discharge short_circuit"),
    (2, "overcurrent_charge fast_overcurrent_charge"),
    (1, "cell_undervoltage"),
    (0, "cell_overvoltage pack_overvoltage"),
)
