"""Faults: each breaks what it says, in the physics or on the wires, and can be mended."""

import json
import struct

import pytest

from boards.sim import faults
from boards.sim.load import ConstantLoad
from boards.sim.world import World

SECOND = 1_000_000
NAMES = [name for name, _ in faults.FAULTS]
DEVICE_NUMBER = 0x0001  # afe.md section 1


@pytest.fixture
def world():
    world = World(load=ConstantLoad(-10.0))
    world.inverter.obeys = False
    world.pack.charge_welded = world.pack.discharge_welded = True  # gates are not the matter here
    world.advance(SECOND)
    return world


def read(world, register, count=2):
    buf = bytearray(count)
    world.i2c.readfrom_mem_into(0x08, register, buf)
    return bytes(buf)


def cell_mv(world):
    """Cell voltages as the chip reports them: 0x14 on, two bytes each (afe.md section 2)."""
    return struct.unpack("<16h", read(world, 0x14, 32))


def temperatures_c(world):
    """TS1 to TS3, 0.1 K at 0x70 (afe.md section 2)."""
    return [value / 10 - 273.15 for value in struct.unpack("<3h", read(world, 0x70, 6))]


def wake(world):
    world.i2c.writeto_mem(0x08, 0x3E, struct.pack("<H", DEVICE_NUMBER))
    world.advance(10_000)


def test_every_fault_has_one_line_of_help():
    assert len(set(NAMES)) == len(NAMES)
    for name, text in faults.FAULTS:
        assert name.islower()
        assert 10 < len(text) < 90
        assert "\n" not in text


@pytest.mark.parametrize("act", [faults.inject, faults.clear])
def test_an_unknown_name_is_refused_with_the_known_ones(world, act):
    with pytest.raises(ValueError, match="no fault flood; known are: cell_overvoltage, cell_un"):
        act(world, "flood")


def test_a_cell_is_driven_over_its_limit_and_back(world):
    before = world.pack.cell_v[4]
    faults.inject(world, "cell_overvoltage")
    assert world.pack.cell_v[4] > 3.75  # the default limit is 3.65, the chip's 3.70
    world.advance(SECOND)
    assert max(cell_mv(world)) > 3750
    faults.clear(world, "cell_overvoltage")
    assert world.pack.cell_v[4] == pytest.approx(before, abs=0.002)


def test_charge_that_flowed_meanwhile_stays_when_a_cell_is_mended(world):
    before = world.pack.soc(4)
    faults.inject(world, "cell_undervoltage")
    assert world.pack.cell_v[4] < 2.6  # the default limit is 2.7
    world.advance(100 * SECOND)
    faults.clear(world, "cell_undervoltage")
    assert world.pack.soc(4) == pytest.approx(before - 1000 / (280 * 3600), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "low_a", "high_a"),
    [("overcurrent_charge", 60, 80), ("overcurrent_discharge", -160, -120)],
)
def test_overcurrents_lie_between_the_software_and_the_chip(world, name, low_a, high_a):
    world.inverter.obeys = True  # it would allow nothing
    faults.inject(world, name)
    world.advance(SECOND)
    assert low_a < world.pack.current_a < high_a
    faults.clear(world, name)
    world.advance(SECOND)
    assert world.pack.current_a == 0


def test_clearing_one_overcurrent_leaves_the_other(world):
    faults.inject(world, "overcurrent_charge")
    faults.inject(world, "overcurrent_discharge")
    faults.clear(world, "overcurrent_charge")
    world.advance(SECOND)
    assert world.pack.current_a == -140.0


def test_a_short_draws_kiloamperes(world):
    faults.inject(world, "short_circuit")
    assert world.pack.current_a < -1000
    faults.clear(world, "short_circuit")
    world.advance(100_000)
    assert world.pack.current_a == -10.0


@pytest.mark.parametrize(
    ("name", "group", "celsius"), [("overtemperature", 0, 70), ("undertemperature", 1, -30)]
)
def test_cells_are_heated_or_cooled(world, name, group, celsius):
    usual = list(world.pack.cell_temperature_c)
    faults.inject(world, name)
    assert world.pack.cell_temperature_c == usual  # a temperature does not jump
    world.advance(60 * SECOND)
    assert world.pack.cell_temperature_c[group] == pytest.approx(celsius, abs=1)
    faults.clear(world, name)
    world.advance(60 * SECOND)
    assert world.pack.cell_temperature_c == pytest.approx(usual, abs=1)


@pytest.mark.parametrize(("name", "error"), [("afe_silent", 19), ("afe_stuck", 110)])
def test_the_measuring_chip_is_out_of_reach(world, name, error):
    faults.inject(world, name)
    with pytest.raises(OSError) as failure:
        read(world, 0x14)
    assert failure.value.args[0] == error
    faults.clear(world, name)
    read(world, 0x14)


def test_reads_are_corrupted(world):
    good = cell_mv(world)
    faults.inject(world, "afe_corrupt")
    assert all(cell_mv(world) != good for _ in range(10))
    faults.clear(world, "afe_corrupt")
    assert cell_mv(world) == good


def test_values_stand_still(world):
    faults.inject(world, "afe_frozen")
    before = cell_mv(world)
    faults.inject(world, "cell_overvoltage")
    world.advance(SECOND)
    assert cell_mv(world) == before
    faults.clear(world, "afe_frozen")
    world.advance(SECOND)
    assert cell_mv(world) != before


def test_the_chip_restarts_and_may_do_so_again(world):
    por = 0x08  # BatteryStatus 0x12
    for _ in range(2):
        world.i2c.writeto_mem(0x08, 0x3E, b"\x90\x00")  # SET_CFGUPDATE
        world.advance(10_000)
        world.i2c.writeto_mem(0x08, 0x3E, b"\x92\x00")  # EXIT_CFGUPDATE
        world.advance(10_000)
        assert not read(world, 0x12, 1)[0] & por
        faults.inject(world, "afe_reset")
        world.advance(10_000)
        assert read(world, 0x12, 1)[0] & por
    assert world.fault_memory == {}


def test_another_chip_answers(world):
    for name, number in ((None, 0x7695), ("afe_wrong_device", 0x7694)):
        if name:
            faults.inject(world, name)
        wake(world)
        assert struct.unpack("<H", read(world, 0x40)) == (number,)


def test_the_chips_own_protections_do_nothing(world):
    faults.inject(world, "afe_protections_off")
    assert world.afe.protections_off
    faults.clear(world, "afe_protections_off")
    assert not world.afe.protections_off


def test_a_sense_wire_breaks(world):
    faults.inject(world, "open_wire")
    world.advance(20 * SECOND)  # the chip looks for open wires every 5 s by default
    assert cell_mv(world)[7] < 1000
    assert cell_mv(world)[8] > 5000
    assert world.pack.cell_v[7] > 3.0
    faults.clear(world, "open_wire")
    world.advance(20 * SECOND)
    assert max(cell_mv(world)) - min(cell_mv(world)) < 20


def test_temperature_sensors_fail(world):
    faults.inject(world, "thermistor_open")
    faults.inject(world, "thermistor_short")
    world.advance(SECOND)
    assert world.afe.thermistor_faults[:2] == ["open", "short"]
    assert temperatures_c(world)[0] < -100
    faults.clear_all(world)
    assert world.afe.thermistor_faults == [None] * 4


def test_the_stack_disagrees_with_its_cells(world):
    faults.inject(world, "stack_mismatch")
    world.advance(SECOND)
    stack_mv = struct.unpack("<h", read(world, 0x34))[0] * 10  # userV: 10 mV by default
    assert sum(cell_mv(world)) - stack_mv == pytest.approx(900, abs=40)
    assert sum(world.pack.cell_v) * 1000 == pytest.approx(sum(cell_mv(world)), abs=40)


def test_a_weak_cell_sags_under_load(world):
    before = world.pack.cell_v[4]
    faults.inject(world, "weak_cell")
    world.forced_a = -100.0
    world.advance(SECOND)
    others = [volts for cell, volts in enumerate(world.pack.cell_v) if cell != 4]
    assert world.pack.cell_v[4] < min(others) - 0.03
    world.forced_a = None
    faults.clear(world, "weak_cell")
    world.advance(900 * SECOND)
    assert world.pack.cell_v[4] == pytest.approx(before, abs=0.01)


@pytest.mark.parametrize(
    ("name", "current_a"), [("charge_gate_welded", 10.0), ("discharge_gate_welded", -10.0)]
)
def test_a_welded_gate_lets_current_through(name, current_a):
    world = World(load=ConstantLoad(current_a))
    world.inverter.obeys = False
    faults.inject(world, name)
    world.advance(SECOND)
    assert world.status()["gates"] == 0
    assert world.pack.current_a == current_a
    faults.clear(world, name)
    world.advance(SECOND)
    assert world.pack.current_a == 0


@pytest.mark.parametrize("name", ["can_bus_off", "can_no_peer"])
def test_no_frame_of_the_board_gets_out(world, name):
    heard = []
    world.can_outside.listener = lambda *frame: heard.append(frame[0])

    def transfer(*data):
        world.can_select(0)
        world.spi.write(bytes(data))
        world.can_select(1)

    transfer(0x02, 0x28, 0x02, 0x90, 0x00)  # CNF3..1: 500 kbit/s at 8 MHz
    transfer(0x02, 0x0F, 0x00)  # normal mode
    faults.inject(world, name)
    transfer(0x40, 0x351 >> 3, 0x351 << 5 & 0xFF, 0, 0, 0)
    transfer(0x81)
    world.advance(SECOND)
    assert 0x351 not in heard
    faults.clear(world, name)
    world.advance(SECOND)
    assert 0x351 in heard


def test_a_silent_inverter_sends_nothing_and_hears_nothing(world):
    heard = []
    world.can_outside.listener = lambda *frame: heard.append(frame[0])
    faults.inject(world, "inverter_silent")
    world.advance(5 * SECOND)
    world.can_outside.send(0x351, struct.pack("<Hhh", 560, 123, 456))
    world.advance(SECOND)
    assert heard == []
    assert world.inverter.charge_limit_a == 0
    faults.clear(world, "inverter_silent")
    world.advance(2 * SECOND)
    assert set(heard) == {0x305}


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_can_be_injected_twice_and_cleared_twice(world, name):
    for act in (faults.inject, faults.inject, faults.clear, faults.clear):
        act(world, name)
        world.advance(100_000)
    assert world.fault_memory == {}
    assert world.forced_a is None


@pytest.mark.parametrize("name", NAMES)
def test_a_standing_fault_outlives_a_reset_of_the_processor(world, name):
    faults.inject(world, name)
    world.advance(SECOND)
    after = World(load=ConstantLoad(-10.0))
    after.restore(json.loads(json.dumps(world.save())))
    assert after.fault_memory == world.fault_memory
    after.advance(1000)
    for part, fields in (
        ("pack", ("short_ohm", "stack_offset_v", "charge_welded", "discharge_welded")),
        ("afe", ("frozen", "protections_off", "device_number", "thermistor_faults", "open_wires")),
        ("i2c", ("silent", "stuck", "corrupt_reads")),
        ("can", ("shorted",)),
        ("can_controller", ("connected",)),
        ("inverter", ("talking",)),
    ):
        for field in fields:
            assert getattr(getattr(after, part), field) == getattr(getattr(world, part), field)
    assert after.forced_a == world.forced_a
    assert after.pack.cell_v == pytest.approx(world.pack.cell_v, abs=0.05)
    faults.clear_all(after)
    assert after.fault_memory == {}
