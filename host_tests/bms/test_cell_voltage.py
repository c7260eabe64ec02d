"""What is taken off a cell's voltage: against a cell that is computed here in floats."""

import math

import pytest

from bms.cell_model import CellModel
from bms.cell_voltage import WEIGHT_ONE, CellVoltage
from host_tests.bms.made_up_cells import ramp_cell

CAPACITY_MAH = 100000
OPEN_DMV = 30000


class Cell:
    """A cell that stays at 3 V inside; resistances in milliohm for one Ah at its terminals."""

    def __init__(self, r0=20, branches=((30, 10), (900, 16)), **model):
        self.r0 = r0
        self.branches = branches
        self.polarized = [0.0] * len(branches)
        self.voltage = CellVoltage(CellModel(ramp_cell(**model)), CAPACITY_MAH)
        self.blocks = []

    def flow(self, seconds, current_c, moved=False, step_s=1):
        """Let a current flow, in C; `moved`: its charge is counted."""
        for _ in range(int(seconds / step_s)):
            volts = self.r0 * current_c
            for at, (tau_s, resistance) in enumerate(self.branches):
                keep = math.exp(-step_s / tau_s)
                self.polarized[at] = self.polarized[at] * keep + current_c * (1 - keep)
                volts += resistance * self.polarized[at]
            if self.voltage.step(
                int(1000 * step_s),
                round(current_c * step_s / 0.036) if moved else 0,
                round(current_c * CAPACITY_MAH),
                round(OPEN_DMV + 10 * volts),
                250,
            ):
                self.blocks.append(self.voltage.open_dmv)


def r0_uohm(voltage, capacity_mah=CAPACITY_MAH):
    """The resistance that is taken off: the model's in 0.1 mV for 1 C, and the learned factor."""
    return voltage._model_r0 * voltage._ohmic / 65536 * 1e5 / capacity_mah


def test_what_the_model_knows_is_taken_off():
    cell = Cell()  # just as the made-up cell is: 20 milliohm Ah, 0.5 and 0.8 of it behind
    for current_c in (0.5, -1, 0, 2, -0.2):
        cell.flow(600, current_c)
    assert len(cell.blocks) > 20
    assert max(abs(open_dmv - OPEN_DMV) for open_dmv in cell.blocks) < 15  # of up to 750


def test_another_resistance_is_learned_from_steps():
    cell = Cell(r0=76)
    for _ in range(60):
        cell.flow(20, 1)
        cell.flow(20, -1)
    assert r0_uohm(cell.voltage) == pytest.approx(760, rel=0.05)  # 76 milliohm Ah over 100 Ah
    assert abs(cell.blocks[-1] - OPEN_DMV) < 50  # of 760


def test_a_steady_current_teaches_no_resistance():
    cell = Cell(r0=76)
    cell.flow(3600, 0.05)
    assert r0_uohm(cell.voltage) == pytest.approx(200, rel=0.02)


def test_slower_polarization_is_learned_as_a_factor():
    cell = Cell(branches=((30, 25), (900, 16)))
    for _ in range(40):
        cell.flow(90, 1)
        cell.flow(90, 0)
    cell.blocks.clear()
    cell.flow(90, 1)
    assert abs(cell.blocks[-1] - OPEN_DMV) < 50  # the missing 15 milliohm Ah are 150


def test_samples_a_minute_apart_are_no_steps():
    cell = Cell(r0=76)
    for _ in range(60):
        cell.flow(60, 1, step_s=60)
        cell.flow(60, -1, step_s=60)
    assert r0_uohm(cell.voltage) == pytest.approx(200, rel=0.02)


def test_resistance_follows_temperature_and_size():
    voltage = CellVoltage(CellModel(ramp_cell()), 4000)
    voltage.step(1000, 0, 0, 30000, 250)
    assert r0_uohm(voltage, 4000) == pytest.approx(5000, rel=0.02)  # half of the 2 Ah cell's
    voltage.step(1000, 0, 0, 30000, 0)
    assert r0_uohm(voltage, 4000) == pytest.approx(15000, rel=0.02)


def branch_after(*moved_mpc, known=None):
    voltage = CellVoltage(CellModel(ramp_cell(hysteresis_bp=630)), CAPACITY_MAH)
    if known is not None:
        voltage.restore_branch(known)
    for moved in moved_mpc:
        voltage.step(1000, moved, 0, 30000, 250)
    return voltage.latest_branch()


def test_the_branch_is_reached_after_the_models_charge():
    """63 % of the change after 6.3 % of charge: all of it after 10 %."""
    assert branch_after(6300, known=-1000) == pytest.approx(260, abs=2)
    assert branch_after(10000, known=-1000) == 1000
    assert branch_after(20000, known=0) == 1000
    assert branch_after(-20000, known=0) == -1000


def test_a_pulse_that_is_undone_leaves_no_trace():
    assert branch_after(*[500, -500] * 100, known=-1000) == -1000
    assert branch_after(*[500, -500] * 100, known=300) == 300


def test_an_unknown_branch_is_known_after_enough_charge_one_way():
    cell = Cell(hysteresis_bp=630)
    cell.flow(20, 0)
    assert cell.voltage.branch_spread == 1000
    assert cell.voltage.branch == 0
    cell.flow(200, 0.9, moved=True)  # 5 %
    assert 300 <= cell.voltage.branch_spread <= 700
    cell.flow(300, 0.9, moved=True)
    assert cell.voltage.branch_spread == 0
    assert cell.voltage.branch == 1000


def blocks_of(seconds, moved_mpc, step_ms=1000):
    voltage = CellVoltage(CellModel(ramp_cell()), CAPACITY_MAH)
    taken = []
    for _ in range(seconds * 1000 // step_ms):
        if voltage.step(step_ms, moved_mpc, 0, 30000, 250):
            taken.append((voltage.ds / 10, voltage.moved_mpc, voltage.weight / WEIGHT_ONE))
    return voltage, taken


def test_the_first_block_comes_soon_and_rest_is_worth_little():
    _, taken = blocks_of(1000, 0)
    assert taken[0][0] == 10
    seconds, _, weight = taken[1]
    assert 90 <= seconds <= 120
    assert weight == pytest.approx(seconds / 1200, rel=0.05)


def test_charge_that_flowed_is_worth_more():
    _, taken = blocks_of(1000, 50)  # 1.8 C
    seconds, _, weight = taken[1]
    assert seconds == 10
    assert weight == pytest.approx(seconds / 1200 + 0.5 / 1.5, rel=0.05)


def test_no_charge_is_lost_between_the_blocks():
    voltage, taken = blocks_of(997, 37)
    moved = sum(moved_mpc for _, moved_mpc, _ in taken)
    assert moved + voltage.since_block_mpc() == 997 * 37


def test_rows_a_minute_apart_make_blocks_too():
    _, taken = blocks_of(3600, 100, step_ms=60000)
    assert len(taken) == pytest.approx(60, abs=30)
