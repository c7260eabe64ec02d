"""The faults that can be injected: one row each, and how it is broken and mended.

Causes, not symptoms: a row sets something in the physics, the chips or the wires, and says nothing
of what the firmware should make of it. Voltages are for LiFePO4 with the default parameters.
"""

from boards.sim.i2c import ALL

# With the default parameters: beyond the software's trip, short of the chip's fast one.
_CHARGE_A = 70.0
_DISCHARGE_A = -140.0
_SHORT_OHM = 0.02  # cables and a screwdriver: about 2 kA from 16 cells
_OVERCHARGED_SOC = 1.02  # 3.9 V at rest
_OVERDISCHARGED_SOC = -0.006  # 2.5 V at rest
_HOT_C, _COLD_C = 70.0, -30.0
_STACK_OFFSET_V = -0.9
_SWITCHES_HOT_C = 110.0
_DIE_HOTTER_C = 75.0  # the chip's own regulators overloaded
_LOAD_OHM = 2.0  # keeps a bus behind 47 ohm at 4 % of the pack voltage
_BROWNOUT_US = 2_000_000
_NOISE_US = 700_000  # one sample of seven at the default period, so never two in a row

# States of charge, by the curve of pack.py, and the rest voltages they stand for.
_DEEP_SOC = -0.0384  # 1.8 V: below the default deep-discharge trip of 2.0, above the floor
_DEAD_SOC = -0.0668  # 1.2 V: below the default floor of 1.5
_ALL_FULL_SOC = 1.007  # 3.63 V: beyond the pack's default trip of 3.62, each cell below its 3.65
_ALL_EMPTY_SOC = 0.0075  # 2.75 V: beyond the pack's trip of 2.80, each cell above its 2.70
# 3.63 and 2.72 V: within a cell's default limits, further apart than 0.90 V.
_HIGH_SOC, _LOW_SOC = 1.007, 0.006
_WEAK_CAPACITY, _WEAK_RESISTANCE = 0.6, 3.0
_OTHER_DEVICE = 0x7694  # BQ76942, the 10-cell sibling: afe.md section 1

_BAD_CELL = 4  # or the last one of a shorter pack
_OTHER_CELL = 1
# Leads, counted from the pack's negative end, 0. A pack of 3 cells has 4.
_MISSING_LEAD = 3  # or the highest but one
_SWAPPED_LEAD = 2  # with lead 3
_HOT_GROUP, _COLD_GROUP = 0, 1
_OPEN_SENSOR, _SHORT_SENSOR, _FROZEN_SENSOR = 0, 1, 1  # a pack has two, if nobody says more


def _bad_cell(world):
    return min(_BAD_CELL, world.pack.cells - 1)


def _move_charge(world, wanted):
    """Set cells' states of charge, wanted by cell; returns [cell, change] of each."""
    moved = []
    for cell, soc in wanted:
        moved.append([cell, soc - world.pack.soc(cell)])
        world.pack.set_cell_soc(cell, soc)
    return moved


def _move_charge_back(world, moved):
    for cell, change in moved:
        world.pack.set_cell_soc(cell, world.pack.soc(cell) - change)


def _one_cell(soc):
    return lambda world: _move_charge(world, [[_bad_cell(world), soc]]), _move_charge_back


def _two_cells(world):
    return _move_charge(world, [[_bad_cell(world), _HIGH_SOC], [_OTHER_CELL, _LOW_SOC]])


def _all_cells(soc):
    return (
        lambda world: _move_charge(world, [[cell, soc] for cell in range(world.pack.cells)]),
        _move_charge_back,
    )


def _force(world, current_a):
    world.forced_a = current_a


def _release(world, current_a):
    if world.forced_a == current_a:  # else another fault took over
        world.forced_a = None


def _weaken(world, capacity, resistance):
    world.pack.scale_cell(_bad_cell(world), capacity, resistance)


def _set(path, bad, good):
    """Inject and clear by setting an attribute; path: attributes of the world, with dots."""
    *parts, name = path.split(".")

    def put(world, value):
        owner = world
        for part in parts:
            owner = getattr(owner, part)
        setattr(owner, name, value)

    return lambda world: put(world, bad), lambda world, memory: put(world, good)


def _miswire(name, bad, good):
    """Inject and clear by setting an attribute of the wiring."""

    def put(world, value):
        setattr(world.wiring, name, value)
        world.rewire()

    return lambda world: put(world, bad), lambda world, memory: put(world, good)


def _again_and_again(name, period_us, act):
    def inject(world):
        world.nuisances[name] = [period_us, world.time_us, act]

    return inject, lambda world, memory: world.nuisances.pop(name)


def _damage_one_read(world):
    if not world.i2c.corrupt_reads:
        world.i2c.corrupt_reads = 1


def _exchange_chip(world):
    number = world.afe.device_number
    world.afe.device_number = _OTHER_DEVICE
    return number


def _put_chip_back(world, number):
    world.afe.device_number = number


def _missing_lead(world):
    return min(_MISSING_LEAD, len(world.afe.inputs) - 1)


def _bad_input(world):
    inputs = world.afe.inputs
    return inputs[min(_bad_cell(world), len(inputs) - 1)]


def _upper(world):
    """The upper chip of a stack, or the only chip."""
    return getattr(world.afe, "upper", world.afe)


def _freeze_upper(world, frozen):
    _upper(world).frozen = frozen


def _upper_wire(world):
    return len(_upper(world).inputs) // 2


def _cut_gate_wire(world, cut):
    if hasattr(world.afe, "gate_wire_cut"):  # else there is no such wire
        world.afe.gate_wire_cut = cut
        world.afe.look_at_wires()


def _cell_of_upper(world):
    return [[world.pack.cells - 2, _OVERCHARGED_SOC]]


def _heat_board(celsius):
    return (
        lambda world: world.pack.force_board_temperature(celsius),
        lambda world, memory: world.pack.force_board_temperature(None),
    )


def _thermistor(sensor, state):
    """What happened to a sensor's wires."""

    def inject(world):
        world.afe.thermistor_faults[sensor] = state

    def clear(world, memory):
        world.afe.thermistor_faults[sensor] = None

    return inject, clear


def _wire(world):
    """The sense wire in the middle of the chip's cells: above the cell of that number."""
    return len(world.afe.inputs) // 2


def _temperature(group, celsius):
    return (
        lambda world: world.pack.force_temperature(group, celsius),
        lambda world, memory: world.pack.release_temperature(group),
    )


# Name, help, (inject, clear), kept (the pack's saved state holds it through a processor reset).
# inject returns what clear needs to know.
ROWS = (
    (
        "cell_overvoltage", "One cell is charged far beyond the others",
        _one_cell(_OVERCHARGED_SOC), True,
    ),
    (
        "cell_undervoltage", "One cell is emptied far below the others",
        _one_cell(_OVERDISCHARGED_SOC), True,
    ),
    (
        "deep_discharge", "One cell rests at 1.8 V",
        _one_cell(_DEEP_SOC), True,
    ),
    (
        "cell_dead", "One cell rests at 1.2 V, and must not be charged again",
        _one_cell(_DEAD_SOC), True,
    ),
    (
        "cell_imbalance", "One cell is nearly overcharged, another one nearly empty",
        (_two_cells, _move_charge_back), True,
    ),
    (
        "pack_overcharged", "All cells rest at 3.63 V: none is too high, but the pack is",
        _all_cells(_ALL_FULL_SOC), True,
    ),
    (
        "pack_emptied", "All cells rest at 2.75 V: none is too low, but the pack is",
        _all_cells(_ALL_EMPTY_SOC), True,
    ),
    (
        "overcurrent_charge", "A charger forces 70 A, whatever the limits say",
        (lambda world: _force(world, _CHARGE_A), lambda world, memory: _release(world, _CHARGE_A)),
        False,
    ),
    (
        "overcurrent_discharge", "A load draws 140 A, whatever the limits say",
        (
            lambda world: _force(world, _DISCHARGE_A),
            lambda world, memory: _release(world, _DISCHARGE_A),
        ),
        False,
    ),
    (
        "short_circuit", "A 20 mohm short at the pack's terminals",
        _set("pack.short_ohm", _SHORT_OHM, 0.0), True,
    ),
    (
        "overtemperature", "The cells at the first sensor are heated to 70 C",
        _temperature(_HOT_GROUP, _HOT_C), True,
    ),
    (
        "undertemperature", "The cells at the second sensor are cooled to -30 C",
        _temperature(_COLD_GROUP, _COLD_C), True,
    ),
    (
        "fet_hot", "A heat gun brings the switches and the chip beside them to 110 C",
        _heat_board(_SWITCHES_HOT_C), True,
    ),
    (
        "afe_hot", "The measuring chip alone is 75 C warmer than its board",
        _set("pack.die_extra_c", _DIE_HOTTER_C, 0.0), True,
    ),
    (
        "afe_silent", "The measuring chip does not acknowledge on I2C",
        _set("i2c.silent", True, False), False,
    ),
    (
        "afe_stuck", "The I2C data line is stuck low: every transfer times out",
        _set("i2c.stuck", True, False), False,
    ),
    (
        "afe_corrupt", "Every I2C read has one bit wrong",
        _set("i2c.corrupt_reads", ALL, 0), False,
    ),
    (
        "afe_crc_noise", "Now and then an I2C read has one bit wrong",
        _again_and_again("afe_crc_noise", _NOISE_US, _damage_one_read), False,
    ),
    (
        "afe_frozen", "The measuring chip answers, but its values stand still",
        _set("afe.frozen", True, False), False,
    ),
    (
        "afe_reset", "The measuring chip loses its supply for a moment, and its settings",
        (lambda world: world.afe.power_on_reset(), None), False,
    ),
    (
        "afe_brownouts", "The measuring chip loses its supply every two seconds",
        _again_and_again("afe_brownouts", _BROWNOUT_US, lambda world: world.afe.power_on_reset()),
        False,
    ),
    (
        "afe_wrong_device", "Another measuring chip than expected: a BQ76942",
        (_exchange_chip, _put_chip_back), False,
    ),
    (
        "afe_protections_off", "The measuring chip's own protections do nothing",
        _set("afe.protections_off", True, False), False,
    ),
    (
        "open_wire", "A sense wire in the middle of the pack is broken",
        (
            lambda world: world.afe.open_wires.add(_wire(world)),
            lambda world, memory: world.afe.open_wires.discard(_wire(world)),
        ),
        False,
    ),
    (
        "balance_switch_dead", "The balancing switch of one cell never turns on",
        (
            lambda world: world.afe.stuck_balance.add(_bad_input(world)),
            lambda world, memory: world.afe.stuck_balance.discard(_bad_input(world)),
        ),
        False,
    ),
    (
        "leads_swapped", "Two neighbouring balance leads are swapped",
        _miswire("swapped_lead", _SWAPPED_LEAD, 0), False,
    ),
    (
        "leads_reversed", "The plug of the balance leads is the wrong way round",
        _miswire("turned", True, False), False,
    ),
    (
        "lead_missing", "A balance lead near the negative end was never connected",
        (
            lambda world: world.afe.open_wires.add(_missing_lead(world)),
            lambda world, memory: world.afe.open_wires.discard(_missing_lead(world)),
        ),
        False,
    ),
    (
        "shunt_reversed", "The shunt's sense leads are swapped: currents have the wrong sign",
        _miswire("shunt_sign", -1, 1), False,
    ),
    (
        "thermistor_open", "The first temperature sensor's wire is broken",
        _thermistor(_OPEN_SENSOR, "open"), False,
    ),
    (
        "thermistor_short", "The second temperature sensor is shorted",
        _thermistor(_SHORT_SENSOR, "short"), False,
    ),
    (
        "thermistor_frozen", "The second temperature sensor's reading stands still",
        (
            lambda world: world.afe.frozen_sensors.add(_FROZEN_SENSOR),
            lambda world, memory: world.afe.frozen_sensors.discard(_FROZEN_SENSOR),
        ),
        False,
    ),
    (
        "upper_afe_silent", "The upper chip of a stack does not acknowledge on its I2C",
        _set("sensor_i2c.silent", True, False), False,
    ),
    (
        "upper_afe_corrupt", "Every read from the upper chip of a stack has one bit wrong",
        _set("sensor_i2c.corrupt_reads", ALL, 0), False,
    ),
    (
        "upper_afe_frozen", "The upper chip of a stack answers, but its values stand still",
        (
            lambda world: _freeze_upper(world, True),
            lambda world, memory: _freeze_upper(world, False),
        ),
        False,
    ),
    (
        "upper_afe_reset", "The upper chip of a stack loses its supply for a moment",
        (lambda world: _upper(world).power_on_reset(), None), False,
    ),
    (
        "upper_open_wire", "A sense wire of the upper chip of a stack is broken",
        (
            lambda world: _upper(world).open_wires.add(_upper_wire(world)),
            lambda world, memory: _upper(world).open_wires.discard(_upper_wire(world)),
        ),
        False,
    ),
    (
        "upper_cell_overvoltage", "The highest cell but one is charged far beyond the others",
        (lambda world: _move_charge(world, _cell_of_upper(world)), _move_charge_back), True,
    ),
    (
        "upper_gate_wire_cut", "The wire from the upper chip of a stack to the switches is broken",
        (
            lambda world: _cut_gate_wire(world, True),
            lambda world, memory: _cut_gate_wire(world, False),
        ),
        False,
    ),
    (
        "stack_mismatch", "A bad contact: the stack is measured 0.9 V too low",
        _set("pack.stack_offset_v", _STACK_OFFSET_V, 0.0), True,
    ),
    (
        "weak_cell", "One cell has 60 % of its capacity and three times its resistance",
        (
            lambda world: _weaken(world, _WEAK_CAPACITY, _WEAK_RESISTANCE),
            lambda world, memory: _weaken(world, 1 / _WEAK_CAPACITY, 1 / _WEAK_RESISTANCE),
        ),
        True,
    ),
    (
        "charge_gate_welded", "The charge FET conducts always",
        _set("pack.charge_welded", True, False), True,
    ),
    (
        "discharge_gate_welded", "The discharge FET conducts always",
        _set("pack.discharge_welded", True, False), True,
    ),
    (
        "contactor_positive_welded", "The positive contactor conducts always",
        _set("contactors.positive.welded", True, False), True,
    ),
    (
        "contactor_negative_welded", "The negative contactor conducts always",
        _set("contactors.negative.welded", True, False), True,
    ),
    (
        "precharge_relay_welded", "The precharge relay conducts always",
        _set("contactors.precharge.welded", True, False), True,
    ),
    (
        "contactor_stuck_open", "The positive contactor never conducts",
        _set("contactors.positive.stuck_open", True, False), True,
    ),
    (
        "contactor_aux_stuck", "The positive contactor's auxiliary contact says closed always",
        _set("contactors.positive.aux_stuck", True, False), True,
    ),
    (
        "precharge_resistor_open", "The precharge resistor has burned through",
        _set("dc_bus.precharge_open", True, False), True,
    ),
    (
        "bus_shorted", "A damaged inverter: 2 ohm across the bus, no precharge ever fills it",
        _set("dc_bus.load_ohm", _LOAD_OHM, 0.0), True,
    ),
    (
        "interlock_broken", "The loop of the emergency stop is open",
        _set("interlock_closed", False, True), False,
    ),
    (
        "current_sensor_silent", "The INA228 does not acknowledge on I2C",
        _set("sensor_i2c.silent", True, False), False,
    ),
    (
        "current_sensor_frozen", "The INA228 answers, but its converter stands still",
        _set("ina228.frozen", True, False), False,
    ),
    (
        "can_bus_off", "CANH and CANL touch: no frame gets through",
        _set("can.shorted", True, False), False,
    ),
    (
        "can_no_peer", "The CAN connector is pulled: nobody acknowledges",
        _set("can_controller.connected", False, True), False,
    ),
    (
        "inverter_silent", "The inverter's CAN hangs: it sends nothing and hears nothing",
        _set("inverter.talking", False, True), False,
    ),
)  # fmt: skip
