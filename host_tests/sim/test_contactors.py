"""Contactors, the capacitors behind the switches, and the way into them."""

import json
from math import exp

import pytest

from boards.sim import faults
from boards.sim.contactors import ContactorLines, Contactors
from boards.sim.load import ConstantLoad
from boards.sim.world import World

MILLISECOND = 1000
SECOND = 1_000_000
# afe.md section 3
FET_ENABLE, ALL_FETS_ON, ALL_FETS_OFF, SLEEP_DISABLE = 0x0022, 0x0096, 0x0095, 0x009A
BUS_F = 0.010  # an inverter's 10 mF
PRECHARGE_OHM = 47.0


def command(world, number):
    world.i2c.writeto_mem(0x08, 0x3E, bytes((number & 0xFF, number >> 8)))
    world.advance(10 * MILLISECOND)


def configure_gate_outputs(world, config=0x8A):
    """DCHG and DDSG: function 2, low while the gate is off, driven high while it is on."""
    world.afe.enter_config_update()
    world.afe.memory.write(0x9301, bytes((config, config)))
    world.afe.leave_config_update()


def pack_with(poles=1, current_a=0.0, **options):
    """A pack with contactors, whose chip lets the coils have their supply whatever happens."""
    world = World(
        load=ConstantLoad(current_a),
        contactor_poles=poles,
        precharge_ohm=PRECHARGE_OHM,
        **options,
    )
    world.inverter.obeys = False
    world.afe.protections_off = True
    configure_gate_outputs(world)
    for number in (FET_ENABLE, ALL_FETS_ON, SLEEP_DISABLE):
        command(world, number)
    return world


def lines(world):
    return ContactorLines(world.contactors, lambda: None)


def close(world, *names, wait_us=100 * MILLISECOND):
    for name in names:
        getattr(lines(world), name)(1)
    world.advance(wait_us)


def closed(current_a=0.0, **options):
    """A pack whose contactors were closed as they should."""
    world = pack_with(**options)
    close(world, "negative", "precharge", wait_us=5 * SECOND)
    close(world, "positive")
    lines(world).precharge(0)
    world.load.current_a = current_a
    world.advance(100 * MILLISECOND)
    assert world.contactors.welds == []
    return world


def test_the_bus_of_a_new_pack_is_empty_and_nothing_flows():
    world = pack_with(current_a=-20.0)
    world.advance(SECOND)
    assert world.pack.bus_v == 0
    assert world.pack.current_a == 0
    assert world.status()["gates"] == 3  # FET gates carry nothing here


def test_a_contact_follows_its_coil_after_20_milliseconds():
    world = pack_with()
    lines(world).precharge(1)
    world.advance(19 * MILLISECOND)
    assert lines(world).precharge_closed() == 0
    world.advance(1 * MILLISECOND)
    assert lines(world).precharge_closed() == 1
    lines(world).precharge(0)
    world.advance(19 * MILLISECOND)
    assert lines(world).precharge_closed() == 1
    world.advance(1 * MILLISECOND)
    assert lines(world).precharge_closed() == 0


def test_the_trace_says_when_contacts_moved():
    world = pack_with()
    began_us = world.time_us
    close(world, "precharge", wait_us=SECOND)
    lines(world).precharge(0)
    world.advance(SECOND)
    assert world.contact_trace == [
        [began_us + 20 * MILLISECOND, 4],
        [began_us + SECOND + 20 * MILLISECOND, 0],
    ]


def test_a_pulse_shorter_than_the_armature_needs_moves_nothing():
    world = pack_with()
    for _ in range(10):
        close(world, "precharge", wait_us=15 * MILLISECOND)
        lines(world).precharge(0)
        world.advance(5 * MILLISECOND)
        assert lines(world).precharge_closed() == 0


def test_the_resistor_fills_the_capacitors_as_an_rc_does():
    world = pack_with()
    close(world, "precharge", wait_us=20 * MILLISECOND)
    pack_v = sum(world.pack.cell_v)
    tau_s = PRECHARGE_OHM * BUS_F
    world.advance(int(tau_s * SECOND))
    assert world.pack.bus_v == pytest.approx(pack_v * (1 - exp(-1)), rel=0.01)
    assert world.pack.current_a == pytest.approx(-pack_v * exp(-1) / PRECHARGE_OHM, rel=0.05)
    world.advance(int(2 * tau_s * SECOND))
    assert world.pack.bus_v == pytest.approx(pack_v * (1 - exp(-3)), rel=0.01)


def test_what_the_capacitors_took_is_missing_in_the_pack():
    world = pack_with()
    close(world, "precharge", wait_us=3 * SECOND)
    assert world.pack.charge_as == pytest.approx(-BUS_F * world.pack.bus_v, rel=0.02)


def test_a_precharged_bus_sees_no_inrush_and_then_carries_the_load():
    world = closed(current_a=-30.0)
    assert world.dc_bus.inrush_a < 100  # the last volt over some 15 milliohm
    assert world.pack.current_a == -30.0
    assert world.pack.bus_v == pytest.approx(sum(world.pack.cell_v), abs=0.01)
    world.load.current_a = 30.0
    world.advance(100 * MILLISECOND)
    assert world.pack.current_a == 30.0


def test_closing_into_an_empty_bus_welds_the_contactor_that_closed():
    world = pack_with()
    close(world, "positive")
    # 53 V over cells of 16 times 0.3 milliohm, cables and contacts: kiloamperes
    assert 2000 < world.dc_bus.inrush_a < 20_000
    assert world.contactors.welds[0][0] == "positive"
    assert "inrush" in world.contactors.welds[0][1]
    assert world.pack.charge_as == pytest.approx(-BUS_F * world.pack.bus_v, rel=0.01)
    lines(world).positive(0)
    world.advance(SECOND)
    assert lines(world).positive_closed() == 1
    assert json.loads(json.dumps(world.status()))["welds"] == world.contactors.welds


def test_two_poles_must_both_be_closed():
    world = pack_with(poles=2)
    close(world, "precharge", wait_us=SECOND)
    assert world.pack.bus_v == 0  # the resistor bridges the positive contact alone
    close(world, "negative", wait_us=5 * SECOND)
    assert world.pack.bus_v > 50
    world.load.current_a = -10.0
    world.advance(100 * MILLISECOND)
    assert world.pack.current_a > -2  # through the resistor at most
    world.load.current_a = 0.0
    world.advance(5 * SECOND)
    close(world, "positive")
    world.load.current_a = -10.0
    world.advance(100 * MILLISECOND)
    assert world.pack.current_a == -10.0
    lines(world).negative(0)
    world.advance(100 * MILLISECOND)
    assert world.pack.current_a == 0


@pytest.mark.parametrize(
    "cut",
    [
        lambda world: world.set_off_lines(charge=1),
        lambda world: world.set_off_lines(discharge=1),
        lambda world: command(world, ALL_FETS_OFF),
    ],
    ids=["charge off line", "discharge off line", "gate outputs of the chip"],
)
def test_off_lines_and_chip_cut_the_coils_supply(cut):
    world = closed(current_a=-30.0)
    cut(world)
    world.advance(21 * MILLISECOND)
    assert world.contactors.bits() == 0
    assert world.pack.current_a == 0


@pytest.mark.parametrize("config", [0x00, 0x0A])
def test_gate_outputs_that_are_not_set_up_supply_no_coil(config):
    world = pack_with()
    configure_gate_outputs(world, config)
    close(world, "precharge")
    assert world.status()["gates"] == 3
    assert world.contactors.bits() == 0


def test_the_chip_says_which_gate_outputs_are_asserted():
    world = pack_with()

    def outputs():
        status = bytearray(1)
        world.i2c.readfrom_mem_into(0x08, 0x7F, status)
        return status[0] & 0x30  # afe.md section 2: bit 4 DCHG, bit 5 DDSG

    assert outputs() == 0
    command(world, ALL_FETS_OFF)
    assert outputs() == 0x30


def test_one_gate_output_that_is_off_suffices():
    world = closed()
    world.afe.charge_on = False
    world.dc_bus.advance(0, 0.0)
    world.dc_bus.advance(20 * MILLISECOND, 0.0)
    assert world.contactors.bits() == 0


def test_breaking_too_much_welds_and_breaking_less_does_not():
    for current_a, welds in ((-299.0, []), (-301.0, ["positive"])):
        world = closed(current_a=current_a, break_a=300.0)
        lines(world).positive(0)
        world.advance(100 * MILLISECOND)
        assert [name for name, _ in world.contactors.welds] == welds
        assert (world.pack.current_a == 0) == (not welds)


def test_two_poles_that_open_under_too_much_weld_both():
    world = closed(poles=2, current_a=-301.0, break_a=300.0)
    world.set_off_lines(charge=1)
    world.advance(100 * MILLISECOND)
    assert [name for name, _ in world.contactors.welds] == ["positive", "negative"]


def test_the_second_pole_breaks_what_a_welded_one_leaves():
    world = closed(poles=2, current_a=-200.0)
    faults.inject(world, "contactor_positive_welded")
    world.set_off_lines(charge=1, discharge=1)
    world.advance(100 * MILLISECOND)
    assert world.pack.current_a == 0
    assert world.contactors.bits() == 1


def test_the_fuse_ends_a_short_that_no_contactor_can_break():
    world = closed()
    faults.inject(world, "short_circuit")
    assert world.pack.current_a < -1500
    world.advance(SECOND)
    assert world.dc_bus.fuse_blown
    assert world.pack.current_a == 0
    # 100 kA2s at about 2 kA are 25 ms
    assert -150 < world.pack.charge_as < -20


def test_the_fuse_bears_what_contactors_can_break():
    world = closed(current_a=-250.0)
    world.advance(600 * SECOND)
    assert not world.dc_bus.fuse_blown


@pytest.mark.parametrize(("bleed_s", "low_v", "high_v"), [(10.0, 2.0, 3.5), (0.0, 45.0, 55.0)])
def test_an_open_bus_empties_itself_as_fast_as_the_setting_says(bleed_s, low_v, high_v):
    world = closed(bleed_s=bleed_s)
    lines(world).positive(0)
    world.advance(10 * SECOND + 20 * MILLISECOND)
    assert low_v < world.pack.bus_v < high_v


def test_a_welded_contactor_keeps_the_bus_up():
    world = closed(bleed_s=3.0)
    faults.inject(world, "contactor_positive_welded")
    lines(world).positive(0)
    world.advance(10 * SECOND)
    assert world.pack.bus_v > 50


def test_a_charger_stands_on_an_open_bus():
    world = pack_with(current_a=20.0)
    world.pack.charger_v = 56.0
    world.advance(SECOND)
    assert world.pack.bus_v == 56.0
    assert world.pack.current_a == 0


@pytest.mark.parametrize(
    ("fault", "bus_v"), [("precharge_resistor_open", 0), ("bus_shorted", 2.2)]
)
def test_a_precharge_that_never_ends(fault, bus_v):
    world = pack_with()
    faults.inject(world, fault)
    close(world, "precharge", wait_us=10 * SECOND)
    assert world.pack.bus_v == pytest.approx(bus_v, abs=0.1)  # 53 V times 2 over 49 ohm
    faults.clear(world, fault)
    world.advance(5 * SECOND)
    assert world.pack.bus_v > 50


def test_a_stubborn_load_draws_through_closed_contactors():
    world = closed(current_a=-10.0)
    faults.inject(world, "bus_shorted")
    assert world.pack.current_a == pytest.approx(-10 - 53 / 2, abs=1)


def test_a_contactor_that_is_stuck_open_says_so():
    world = closed(current_a=-10.0)
    faults.inject(world, "contactor_stuck_open")
    world.advance(100 * MILLISECOND)
    assert lines(world).positive_closed() == 0
    assert world.pack.current_a == 0


def test_an_auxiliary_contact_can_lie():
    world = pack_with()
    faults.inject(world, "contactor_aux_stuck")
    assert lines(world).positive_closed() == 1
    assert world.contactors.bits() == 0


def test_a_reset_of_the_processor_drops_the_coils_but_mends_no_contact():
    world = closed(poles=2, current_a=-10.0)
    faults.inject(world, "contactor_positive_welded")
    after = pack_with(poles=2)
    after.load.current_a = -10.0
    after.restore(json.loads(json.dumps(world.save())))
    assert after.contactors.bits() == 3
    assert after.afe.cfetoff == after.afe.dfetoff == 1
    after.advance(19 * MILLISECOND)
    assert after.pack.current_a == -10.0
    after.advance(2 * MILLISECOND)
    assert after.contactors.bits() == 1
    assert after.pack.current_a == 0
    assert after.pack.bus_v > 30


def test_predischarge_of_a_fet_pack_fills_the_same_capacitors():
    world = World(predischarge=True, precharge_ohm=PRECHARGE_OHM)
    world.advance(SECOND)
    assert world.pack.bus_v == 0
    world.afe.predischarge_on = True
    for _ in range(150):
        world.dc_bus.advance(10 * MILLISECOND, 0.0)
    tau_s = PRECHARGE_OHM * BUS_F
    expected_v = sum(world.pack.cell_v) * (1 - exp(-1.5 / tau_s))
    assert world.pack.bus_v == pytest.approx(expected_v, rel=0.01)


def test_fets_that_close_into_an_empty_bus_see_an_inrush_too():
    world = World(predischarge=True, shunt_ohm=50e-6)
    command(world, FET_ENABLE)
    command(world, ALL_FETS_ON)
    world.advance(100 * MILLISECOND)
    assert world.dc_bus.inrush_a > 2000
    assert world.contactors.welds == []


def test_packs_without_capacitors_keep_the_simple_bus():
    world = World()
    assert not world.dc_bus.used
    assert world.pack.bus_v == pytest.approx(sum(world.pack.cell_v))


def test_a_line_that_does_not_change_costs_nothing():
    changes = []
    coils = ContactorLines(Contactors(), lambda: changes.append(1))
    for level in (0, 1, 1, 0):
        coils.negative(level)
    assert len(changes) == 2
