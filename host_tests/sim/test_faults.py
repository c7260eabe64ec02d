"""Faults: each breaks what it says, in the physics or on the wires, and can be mended."""

import itertools
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
        ("pack", ("die_extra_c",)),
        ("wiring", ("swapped_lead", "turned", "shunt_sign")),
        ("dc_bus", ("load_ohm", "precharge_open")),
        ("ina228", ("frozen",)),
        ("sensor_i2c", ("silent",)),
        ("afe", ("frozen", "protections_off", "device_number", "thermistor_faults", "open_wires")),
        ("afe", ("frozen_sensors",)),
        ("i2c", ("silent", "stuck", "corrupt_reads")),
        ("can", ("shorted",)),
        ("can_controller", ("connected",)),
        ("inverter", ("talking",)),
    ):
        for field in fields:
            assert getattr(getattr(after, part), field) == getattr(getattr(world, part), field)
    for contactor, other in zip(after.contactors.all, world.contactors.all, strict=True):
        assert contactor.save() == other.save()
    assert after.interlock_closed == world.interlock_closed
    assert sorted(after.nuisances) == sorted(world.nuisances)
    assert after.forced_a == world.forced_a
    assert after.pack.cell_v == pytest.approx(world.pack.cell_v, abs=0.05)
    faults.clear_all(after)
    assert after.fault_memory == {}


def rested(name):
    """A pack at rest with a fault of its cells."""
    world = World(load=ConstantLoad(0.0))
    faults.inject(world, name)
    world.advance(SECOND)
    return world


# The limits are the LiFePO4 defaults of parameter_rows.py.
@pytest.mark.parametrize(("name", "low_v", "high_v"), [
    ("deep_discharge", 1.5, 2.0),  # below deep_discharge_trip_mv, above cell_floor_mv
    ("cell_dead", 0.0, 1.5),
])  # fmt: skip
def test_one_cell_was_emptied_too_far(name, low_v, high_v):
    world = rested(name)
    assert low_v < world.pack.cell_v[4] < high_v
    others = [volts for cell, volts in enumerate(world.pack.cell_v) if cell != 4]
    assert min(others) > 3.2


def test_cells_are_apart_but_each_is_within_its_limits():
    world = rested("cell_imbalance")
    volts = world.pack.cell_v
    assert max(volts) - min(volts) > 0.9  # cell_imbalance_trip_mv
    assert max(volts) < 3.65
    assert min(volts) > 2.7


def test_the_pack_is_too_high_though_no_cell_is():
    world = rested("pack_overcharged")
    assert sum(world.pack.cell_v) / 16 > 3.62  # pack_overvoltage_trip_mv
    assert max(world.pack.cell_v) < 3.65


def test_the_pack_is_too_low_though_no_cell_is():
    world = rested("pack_emptied")
    assert sum(world.pack.cell_v) / 16 < 2.8  # pack_undervoltage_trip_mv
    assert min(world.pack.cell_v) > 2.7


@pytest.mark.parametrize(
    "name",
    ["deep_discharge", "cell_dead", "cell_imbalance", "pack_overcharged", "pack_emptied"],
)
def test_cells_that_were_moved_return_to_where_they_were(name):
    world = World(load=ConstantLoad(0.0))
    before = list(world.pack.cell_v)
    faults.inject(world, "cell_overvoltage")
    faults.inject(world, name)
    faults.clear(world, "cell_overvoltage")
    faults.clear(world, name)
    assert world.pack.cell_v == pytest.approx(before, abs=1e-6)


def die_c(world):
    """Internal temperature, 0.1 K at 0x68 (afe.md section 2)."""
    return struct.unpack("<h", read(world, 0x68))[0] / 10 - 273.15


def test_the_switches_are_heated_and_cool_again(world):
    faults.inject(world, "fet_hot")
    world.advance(60 * SECOND)
    assert world.pack.board_temperature_c == pytest.approx(110, abs=1)
    assert world.pack.cell_temperature_c[0] < 25
    faults.clear(world, "fet_hot")
    world.advance(600 * SECOND)
    assert world.pack.board_temperature_c < 30


def test_the_chip_alone_is_hot(world):
    faults.inject(world, "afe_hot")
    world.advance(SECOND)
    assert die_c(world) > 90
    assert world.pack.board_temperature_c < 30
    faults.clear(world, "afe_hot")
    world.advance(SECOND)
    assert die_c(world) < 30


def test_the_chip_loses_its_supply_every_two_seconds(world):
    por = 0x08  # BatteryStatus 0x12
    seen = 0
    faults.inject(world, "afe_brownouts")
    for _ in range(100):
        world.advance(100_000)
        if read(world, 0x12, 1)[0] & por:
            seen += 1
            world.i2c.writeto_mem(0x08, 0x3E, b"\x90\x00")  # SET_CFGUPDATE
            world.advance(10_000)
            world.i2c.writeto_mem(0x08, 0x3E, b"\x92\x00")  # EXIT_CFGUPDATE
            world.advance(10_000)
    assert seen in (5, 6)
    faults.clear(world, "afe_brownouts")
    world.advance(5 * SECOND)
    assert not read(world, 0x12, 1)[0] & por


def test_now_and_then_a_read_is_damaged_but_never_two_in_a_row(world):
    faults.inject(world, "afe_crc_noise")
    damaged = []
    for _ in range(70):
        world.advance(100_000)
        damaged.append(read(world, 0x14, 32) != bytes(world.afe.port.registers[0x14:0x34]))
    assert 8 <= sum(damaged) <= 11
    assert not any(one and other for one, other in itertools.pairwise(damaged))


def test_noise_does_not_end_a_line_that_is_always_corrupt(world):
    good = cell_mv(world)
    faults.inject(world, "afe_corrupt")
    faults.inject(world, "afe_crc_noise")
    for _ in range(20):
        world.advance(100_000)
        assert cell_mv(world) != good


def test_swapped_leads_show_two_cells_doubled_and_one_reversed(world):
    usual = cell_mv(world)
    faults.inject(world, "leads_swapped")
    world.advance(SECOND)
    seen = cell_mv(world)
    # Leads 2 and 3, from the negative end: cells 2, 3 and 4 counted from 1
    assert seen[1] == pytest.approx(usual[1] + usual[2], abs=3)
    assert seen[2] == pytest.approx(-usual[2], abs=3)
    assert seen[3] == pytest.approx(usual[2] + usual[3], abs=3)
    assert seen[4:] == pytest.approx(usual[4:], abs=3)
    assert sum(seen) == pytest.approx(sum(usual), abs=20)
    faults.clear(world, "leads_swapped")
    world.advance(SECOND)
    assert cell_mv(world) == pytest.approx(usual, abs=3)
    assert world.afe.pack is world.pack


def test_a_plug_turned_round_shows_every_cell_reversed(world):
    usual = cell_mv(world)
    faults.inject(world, "leads_reversed")
    world.advance(SECOND)
    assert cell_mv(world) == pytest.approx([-mv for mv in reversed(usual)], abs=3)


def test_wirings_can_be_wrong_together_and_mended_in_any_order(world):
    usual = cell_mv(world)
    for name in ("leads_swapped", "leads_reversed", "shunt_reversed"):
        faults.inject(world, name)
    for name in ("leads_swapped", "shunt_reversed", "leads_reversed"):
        faults.clear(world, name)
    world.advance(SECOND)
    assert cell_mv(world) == pytest.approx(usual, abs=3)
    assert world.afe.pack is world.pack


def test_a_reversed_shunt_measures_the_wrong_sign(world):
    def current():
        return struct.unpack("<h", read(world, 0x3A))[0]

    world.advance(SECOND)
    before = current()
    assert before < 0
    faults.inject(world, "shunt_reversed")
    world.advance(SECOND)
    assert current() == -before
    assert world.pack.current_a == -10.0


def test_a_lead_that_was_never_connected(world):
    faults.inject(world, "lead_missing")
    world.advance(20 * SECOND)  # the chip looks for open wires every 5 s by default
    assert cell_mv(world)[2] < 1000
    assert cell_mv(world)[3] > 5000


def test_a_thermistor_freezes(world):
    faults.inject(world, "thermistor_frozen")
    assert world.afe.frozen_sensors == {1}
    faults.clear(world, "thermistor_frozen")
    assert world.afe.frozen_sensors == set()


def test_a_thermistor_that_no_longer_stands_still_may_be_shorted_all_the_same(world):
    faults.inject(world, "thermistor_short")
    faults.inject(world, "thermistor_frozen")
    faults.clear(world, "thermistor_frozen")
    assert world.afe.thermistor_faults[1] == "short"


def test_the_interlock_breaks(world):
    assert world.interlock_closed
    faults.inject(world, "interlock_broken")
    assert not world.interlock_closed
    faults.clear(world, "interlock_broken")
    assert world.interlock_closed
