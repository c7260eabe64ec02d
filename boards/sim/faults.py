"""Faults of the world that can be injected by name: causes, not symptoms.

Each row breaks something in the physics, the chips or the wires; what the firmware makes of it is
for the firmware to find out. A fault stands until it is cleared, also through a reset of the
processor; injecting a standing fault again does nothing.
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
_WEAK_CAPACITY, _WEAK_RESISTANCE = 0.6, 3.0
_OTHER_DEVICE = 0x7694  # BQ76942, the 10-cell sibling: afe.md section 1

_BAD_CELL = 4  # or the last one of a shorter pack
_HOT_GROUP, _COLD_GROUP = 0, 1
_OPEN_SENSOR, _SHORT_SENSOR = 0, 1


def _move_charge(world, soc):
    """Set the bad cell's state of charge; returns [cell, change] for the way back."""
    cell = min(_BAD_CELL, world.pack.cells - 1)
    change = soc - world.pack.soc(cell)
    world.pack.set_cell_soc(cell, soc)
    return [cell, change]


def _move_charge_back(world, moved):
    cell, change = moved
    world.pack.set_cell_soc(cell, world.pack.soc(cell) - change)


def _force(world, current_a):
    world.forced_a = current_a


def _release(world, current_a):
    if world.forced_a == current_a:  # else another fault took over
        world.forced_a = None


def _weaken(world, capacity, resistance):
    world.pack.scale_cell(min(_BAD_CELL, world.pack.cells - 1), capacity, resistance)


def _set(path, bad, good):
    """Inject and clear by setting an attribute; path: part of the world, dot, attribute."""
    part, name = path.split(".")
    return (
        lambda world: setattr(getattr(world, part), name, bad),
        lambda world, memory: setattr(getattr(world, part), name, good),
    )


def _thermistor(sensor, state):
    def put(world, value):
        world.afe.thermistor_faults[sensor] = value

    return lambda world: put(world, state), lambda world, memory: put(world, None)


def _wire(world):
    """The sense wire in the middle of the stack, counted from the lowest cell's upper end."""
    return world.pack.cells // 2


def _temperature(group, celsius):
    return (
        lambda world: world.pack.force_temperature(group, celsius),
        lambda world, memory: world.pack.release_temperature(group),
    )


# Name, help, (inject, clear), kept (the pack's saved state holds it through a processor reset).
# inject returns what clear needs to know.
_ROWS = (
    (
        "cell_overvoltage", "One cell is charged far beyond the others",
        (lambda world: _move_charge(world, _OVERCHARGED_SOC), _move_charge_back), True,
    ),
    (
        "cell_undervoltage", "One cell is emptied far below the others",
        (lambda world: _move_charge(world, _OVERDISCHARGED_SOC), _move_charge_back), True,
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
        "afe_frozen", "The measuring chip answers, but its values stand still",
        _set("afe.frozen", True, False), False,
    ),
    (
        "afe_reset", "The measuring chip loses its supply for a moment, and its settings",
        (lambda world: world.afe.power_on_reset(), None), False,
    ),
    (
        "afe_wrong_device", "The measuring chip says that it is a BQ76942",
        _set("afe.device_number", _OTHER_DEVICE, 0x7695), False,
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
        "thermistor_open", "The first temperature sensor's wire is broken",
        _thermistor(_OPEN_SENSOR, "open"), False,
    ),
    (
        "thermistor_short", "The second temperature sensor is shorted",
        _thermistor(_SHORT_SENSOR, "short"), False,
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

FAULTS = tuple([row[:2] for row in _ROWS])  # (name, help), for people


def inject(world, name):
    """Break it. ValueError: there is no such fault; the message lists them."""
    row = _row(name)
    if name in world.fault_memory:
        return
    memory = row[2][0](world)
    if row[2][1] is not None:  # else it is over at once
        world.fault_memory[name] = memory
    world.pack.refresh()
    world.settle()


def clear(world, name):
    """Mend it, if it stands. ValueError: there is no such fault; the message lists them."""
    row = _row(name)
    if name not in world.fault_memory:
        return
    row[2][1](world, world.fault_memory.pop(name))
    world.pack.refresh()
    world.settle()


def clear_all(world):
    """Mend everything."""
    for name in list(world.fault_memory):
        clear(world, name)


def resume(world, memory):
    """After a reset of the processor: break again what the pack's saved state does not hold."""
    for name in memory:
        if not _row(name)[3]:
            _row(name)[2][0](world)
    world.fault_memory = dict(memory)


def _row(name):
    for row in _ROWS:
        if row[0] == name:
            return row
    names = ", ".join([row[0] for row in _ROWS])
    raise ValueError("there is no fault %s; known are: %s" % (name, names))
