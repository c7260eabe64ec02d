"""What single cells of the simulated pack lose: self-discharge, and through balancing switches."""

import pytest

from boards.sim.load import ConstantLoad
from boards.sim.pack import Pack
from boards.sim.world import World

SECOND = 1_000_000


class Bleeder:
    """Bleeds the cells of a mask, half of the time."""

    bleed_duty = 0.5

    def __init__(self, mask):
        self.mask = mask

    def bleeding_cells(self):
        return self.mask


def run(pack, seconds, current_a=0.0):
    for _ in range(seconds * 10):
        pack.advance(SECOND // 10, current_a, True, True)


def test_a_cell_that_leaks_loses_that_and_no_other_cell_does():
    pack = Pack(soc=0.5)
    before = [pack.soc(cell) for cell in range(16)]
    pack.leak(3, 0.5)
    run(pack, 3600)
    after = [pack.soc(cell) for cell in range(16)]
    assert before[3] - after[3] == pytest.approx(0.5 / 280, rel=0.02)  # half an Ah of 280
    assert after[:3] + after[4:] == before[:3] + before[4:]
    assert pack.lost_as[3] == pytest.approx(1800)


def test_leaks_are_drawn_between_zero_and_twice_their_mean():
    leaks = Pack(leak_ma=0.5, seed=7).leak_a
    assert 0 <= min(leaks) < max(leaks) <= 0.001
    assert sum(leaks) / 16 == pytest.approx(0.0005, rel=0.5)


def test_the_same_seed_is_the_same_pack_as_without_these_losses():
    assert Pack(seed=5, leak_ma=1.0).cell_v == Pack(seed=5).cell_v


def test_a_bled_cell_loses_its_voltage_over_the_resistance_for_the_share_of_time():
    pack = Pack(soc=0.5)
    pack.bleeder = Bleeder(0b100)
    pack.bleed_ohm = 10.0
    volts = pack.cell_v[2]
    run(pack, 600)
    assert pack.lost_as[2] == pytest.approx(volts / 10 * 0.5 * 600, rel=0.01)
    assert pack.lost_as[1] == 0
    assert pack.wasted_j == pytest.approx(volts * volts / 10 * 0.5 * 600, rel=0.01)


def test_the_voltage_follows_what_was_lost_down_the_whole_curve():
    pack = Pack(soc=0.99, capacity_ah=10.0, soc_spread=0.0, capacity_spread=0.0)
    twin = Pack(soc=0.79, capacity_ah=10.0, soc_spread=0.0, capacity_spread=0.0)
    pack.leak(0, 2.0)
    run(pack, 3600)  # 2 Ah
    assert pack.cell_v[0] == pytest.approx(twin.cell_v[0], abs=2e-4)
    assert pack.cell_v[1] > pack.cell_v[0] + 0.05


def test_bleeding_warms_the_board():
    pack, cool = Pack(), Pack()
    pack.bleeder = Bleeder(0x5555)
    pack.bleed_ohm = 20.0
    run(pack, 600)
    run(cool, 600)
    watts = 8 * 3.3**2 / 20 * 0.5
    assert pack.board_temperature_c - cool.board_temperature_c == pytest.approx(8 * watts, rel=0.1)


def test_the_losses_outlive_a_reset():
    pack = Pack(leak_ma=1.0)
    run(pack, 100)
    other = Pack()
    other.restore(pack.save())
    assert other.lost_as == pack.lost_as
    run(other, 100)
    assert sum(other.lost_as) == pytest.approx(2 * sum(pack.lost_as), rel=0.02)


@pytest.mark.parametrize("cells", [4, 13, 16])
def test_the_chips_inputs_bleed_the_cells_they_are_wired_to(cells):
    world = World(cells=cells, load=ConstantLoad())
    chip = world.afe
    chip.balance(1 << 15)  # the top cell is always on input 16
    assert chip.bleeding_cells() == 1 << (cells - 1)
    chip.balance(0b1)
    assert chip.bleeding_cells() == 0b1
    chip.stuck_balance.add(0)
    assert chip.bleeding_cells() == 0


@pytest.mark.parametrize(
    ("cells", "inputs", "counted"),
    [
        (16, 0b0101, 0),
        (16, 0b0110, 1),
        (16, 0xC000, 1),
        (13, 0x8800, 1),  # input 12 is the twelfth cell, input 16 the thirteenth
        (13, 0x8400, 0),
    ],
)
def test_neighbours_that_are_bled_together_are_counted(cells, inputs, counted):
    chip = World(cells=cells, load=ConstantLoad()).afe
    chip.balance(inputs)
    assert chip.neighbours_bled == counted


def test_the_world_drains_what_the_chip_bleeds():
    world = World(load=ConstantLoad(), bleed_ohm=50.0)
    world.afe.memory.reset()
    for _ in range(60):
        world.afe.balance(0b1)  # refreshed
        world.advance(SECOND)
    duty = world.afe.bleed_duty
    assert 0.8 < duty < 0.9
    assert world.pack.lost_as[0] == pytest.approx(world.pack.cell_v[0] / 50 * duty * 60, rel=0.05)
    assert world.status()["lost_mah"][0] == 1
    assert world.status()["bleeding"] == 1
