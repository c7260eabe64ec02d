"""Which word of the SunSpec models holds what: rows that modbus.sunspec packs and forgets.

Source: SunSpec model definitions 1, 802 and 803 (serial_protocols.md 2.2). Offsets count from the
begin of a model, its ID and L included. A model that is longer gets more rows here.
"""

COMMON, BATTERY, LITHIUM = 1, 802, 803
# model | L | words that are "not implemented" unless a row below says otherwise: all of them
MODELS = ((COMMON, 66), (BATTERY, 62), (LITHIUM, 58))

# model | offset | words | text
TEXTS = (
    (COMMON, 2, 16, b"Cellsteward"),
    (COMMON, 18, 16, b"Cellsteward BMS"),
    (COMMON, 42, 8, b"0.1"),
    (COMMON, 50, 16, b"CELLSTEWARD00001"),
)

# Words that never change: model | offset | value (negative ones are scale factors)
CONSTANTS = (
    (BATTERY, 7, 10000),  # SoCMax
    (BATTERY, 8, 0),  # SoCMin
    (BATTERY, 17, 1),  # LocRemCtl: local
    (BATTERY, 20, 0),  # AlmRst
    (BATTERY, 21, 4),  # Typ: lithium-ion
    (BATTERY, 28, 0), (BATTERY, 29, 0),  # Evt2: no event of it is ours
    (BATTERY, 38, 1), (BATTERY, 39, 1), (BATTERY, 41, 1), (BATTERY, 42, 1),  # string, module
    (BATTERY, 52, -1),  # AHRtg_SF
    (BATTERY, 53, 1),  # WHRtg_SF
    (BATTERY, 54, 1),  # WChaDisChaMax_SF
    (BATTERY, 56, -2), (BATTERY, 57, -2), (BATTERY, 58, -2),  # SoC_SF, DoD_SF, SoH_SF
    (BATTERY, 59, -2),  # V_SF
    (BATTERY, 60, -3),  # CellV_SF
    (BATTERY, 61, -1), (BATTERY, 62, -1),  # A_SF, AMax_SF
    (BATTERY, 63, 1),  # W_SF
    (LITHIUM, 2, 1),  # NStr
    (LITHIUM, 5, 1), (LITHIUM, 6, 1), (LITHIUM, 8, 1), (LITHIUM, 9, 1),  # string, module
    (LITHIUM, 12, 1), (LITHIUM, 14, 1), (LITHIUM, 17, 1), (LITHIUM, 19, 1),
    (LITHIUM, 22, -3),  # CellV_SF
    (LITHIUM, 23, -1),  # ModTmp_SF
    (LITHIUM, 24, -1),  # A_SF
    (LITHIUM, 25, -2), (LITHIUM, 26, -2),  # SoH_SF, SoC_SF
    (LITHIUM, 27, -2),  # V_SF
    (LITHIUM, 28, 1),  # StrNMod
    (LITHIUM, 29, 0),  # StrSt, high word
    (LITHIUM, 36, 1), (LITHIUM, 38, 1), (LITHIUM, 41, 1), (LITHIUM, 43, 1),  # module
    (LITHIUM, 46, 0),  # StrConSt, high word
    (LITHIUM, 50, 0), (LITHIUM, 51, 0),  # StrEvt2
    (LITHIUM, 58, 0x8000), (LITHIUM, 59, 0x8000),  # pads
)  # fmt: skip
# Scale factors that go with values we do not have, and signed values, read as 0x8000.
SIGNED_BLANKS = ((BATTERY, 49), (BATTERY, 55), (COMMON, 67))

U16, S16, HIGH, LOW, SPECIAL = 1, 2, 3, 4, 5
# model | offset | kind | point, or what modbus.sunspec works out | multiply | divide
VALUES = (
    (BATTERY, 2, U16, "design_mah", 1, 100),
    (BATTERY, 3, SPECIAL, "energy", 1, 1),
    (BATTERY, 4, SPECIAL, "charge_power", 1, 1),
    (BATTERY, 5, SPECIAL, "discharge_power", 1, 1),
    (BATTERY, 11, U16, "soc_bp", 1, 1),
    (BATTERY, 12, SPECIAL, "depth", 1, 1),
    (BATTERY, 13, U16, "soh_bp", 1, 1),
    (BATTERY, 14, HIGH, "cycles", 1, 1),
    (BATTERY, 15, LOW, "cycles", 1, 1),
    (BATTERY, 16, SPECIAL, "charging", 1, 1),
    (BATTERY, 18, LOW, "uptime_s", 1, 1),
    (BATTERY, 22, SPECIAL, "state", 1, 1),
    (BATTERY, 23, U16, "state", 1, 1),
    (BATTERY, 26, SPECIAL, "events_high", 1, 1),
    (BATTERY, 27, SPECIAL, "events_low", 1, 1),
    (BATTERY, 30, U16, "faults+1", 1, 1),
    (BATTERY, 31, U16, "faults+0", 1, 1),
    (BATTERY, 32, U16, "faults+3", 1, 1),
    (BATTERY, 33, U16, "faults+2", 1, 1),
    (BATTERY, 34, U16, "pack_voltage_mv", 1, 10),
    (BATTERY, 35, U16, "charge_voltage_limit_mv", 1, 10),
    (BATTERY, 36, U16, "discharge_voltage_limit_mv", 1, 10),
    (BATTERY, 37, U16, "cell_max_mv", 1, 1),
    (BATTERY, 40, U16, "cell_min_mv", 1, 1),
    (BATTERY, 43, SPECIAL, "cell_mean", 1, 1),
    (BATTERY, 44, S16, "current_ma", 1, 100),
    (BATTERY, 45, U16, "charge_current_limit_ma", 1, 100),
    (BATTERY, 46, U16, "discharge_current_limit_ma", 1, 100),
    (BATTERY, 47, S16, "power_w", 1, 10),
    (BATTERY, 50, SPECIAL, "operation", 1, 1),
    (LITHIUM, 3, SPECIAL, "connected", 1, 1),
    (LITHIUM, 4, S16, "temperature_max_dc", 1, 1),
    (LITHIUM, 7, S16, "temperature_min_dc", 1, 1),
    (LITHIUM, 10, SPECIAL, "temperature_mean", 1, 1),
    (LITHIUM, 11, U16, "pack_voltage_mv", 1, 10),
    (LITHIUM, 13, U16, "pack_voltage_mv", 1, 10),
    (LITHIUM, 15, U16, "pack_voltage_mv", 1, 10),
    (LITHIUM, 16, S16, "current_ma", 1, 100),
    (LITHIUM, 18, S16, "current_ma", 1, 100),
    (LITHIUM, 20, S16, "current_ma", 1, 100),
    (LITHIUM, 21, SPECIAL, "balancing", 1, 1),
    (LITHIUM, 30, SPECIAL, "string", 1, 1),
    (LITHIUM, 31, SPECIAL, "connection_failure", 1, 1),
    (LITHIUM, 32, U16, "soc_bp", 1, 1),
    (LITHIUM, 33, U16, "soh_bp", 1, 1),
    (LITHIUM, 34, S16, "current_ma", 1, 100),
    (LITHIUM, 35, U16, "cell_max_mv", 1, 1),
    (LITHIUM, 37, U16, "cell_min_mv", 1, 1),
    (LITHIUM, 39, SPECIAL, "cell_mean", 1, 1),
    (LITHIUM, 40, S16, "temperature_max_dc", 1, 1),
    (LITHIUM, 42, S16, "temperature_min_dc", 1, 1),
    (LITHIUM, 44, SPECIAL, "temperature_mean", 1, 1),
    (LITHIUM, 45, SPECIAL, "reason", 1, 1),
    (LITHIUM, 47, U16, "gates", 1, 1),
    (LITHIUM, 48, SPECIAL, "events_high", 1, 1),
    (LITHIUM, 49, SPECIAL, "events_low", 1, 1),
)

SPECIALS = (
    "energy", "charge_power", "discharge_power", "depth", "charging", "state", "events_high",
    "events_low", "cell_mean", "connected", "temperature_mean", "balancing", "string",
    "connection_failure", "reason", "operation",
)  # fmt: skip
"""In the order of the methods of modbus.sunspec."""

# Event 1 and string event 1: bit of an alarm | bit of its warning (-1: none) | faults
EVENTS = (
    (0, -1, "afe_lost measurement_stale afe_corrupt afe_wrong_device current_sensor_lost"),
    (1, 2, "overtemperature_charge overtemperature_discharge fet_overtemperature "
           "afe_overtemperature"),
    (3, 4, "undertemperature_charge undertemperature_discharge"),
    (5, 6, "overcurrent_charge fast_overcurrent_charge"),
    (7, 8, "overcurrent_discharge fast_overcurrent_discharge short_circuit"),
    (9, 10, "cell_overvoltage pack_overvoltage"),
    (11, 12, "cell_undervoltage pack_undervoltage deep_discharge cell_below_floor"),
    (-1, 17, "cell_imbalance"),
    (20, -1, "contactor_positive_welded contactor_negative_welded precharge_relay_welded "
             "contactor_stuck_open precharge_failed gates_off_current gate_mismatch"),
    (23, -1, "interlock_open"),
    (28, 29, "configuration_invalid not_commissioned afe_configuration"),
)  # fmt: skip
OTHER_ALARM, OTHER_WARNING = 25, 26
