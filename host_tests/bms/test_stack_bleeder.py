"""A stack's cells are bled by two chips, and shown as one pack."""

import pytest

from bms.sample import BUS_ERROR
from bms.stack_bleeder import StackBleeder
from host_tests.bms.fake_chip import FakeChip
from host_tests.bms.test_bleeder import run


def new_chip():
    chip = FakeChip(16)
    chip.tested = True
    return chip


class Stack:
    def __init__(self, cells):
        self.lower, self.upper = new_chip(), new_chip()
        self.lower_cells = (cells + 1) // 2
        self.bleeder = StackBleeder(self.lower, self.upper, self.lower_cells)

    @property
    def bled(self):
        return self.lower.balanced | self.upper.balanced << self.lower_cells

    @property
    def shown(self):
        return self.bleeder.active | self.bleeder.active_high << 16


@pytest.mark.parametrize("cells", [6, 17, 24, 31, 32])
def test_each_cell_is_bled_by_its_chip_and_shown_at_its_place(cells):
    for cell in range(cells):
        stack = Stack(cells)
        stack.bleeder.want(1 << cell)
        stack.bleeder.step(100, True)
        assert (stack.bled, stack.shown) == (1 << cell, 1 << cell)
        assert bool(stack.lower.balanced) == (cell < stack.lower_cells)


@pytest.mark.parametrize("cells", [24, 32])
def test_no_mask_is_larger_than_sixteen_bits(cells):
    stack = Stack(cells)
    every_other = 0xAAAAAAAA & (1 << cells) - 1
    stack.bleeder.want(every_other)
    stack.bleeder.step(100, True)
    masks = (
        stack.lower.balanced, stack.upper.balanced,
        stack.bleeder.active, stack.bleeder.active_high,
    )  # fmt: skip
    assert max(masks) <= 0xFFFF
    assert stack.shown == every_other


def test_what_is_forbidden_stops_on_both_chips_in_the_same_step():
    stack = Stack(32)
    run(stack.bleeder, 1000, want=1 << 31 | 1)
    assert stack.bled == 1 << 31 | 1
    stack.bleeder.step(100, False)
    assert (stack.bled, stack.shown) == (0, 0)
    assert not stack.bleeder.permitted


def test_without_the_slow_path_both_stop():
    stack = Stack(24)
    run(stack.bleeder, 1000, want=1 << 23 | 1)
    run(stack.bleeder, 5100)
    assert stack.bled == 0


def test_a_chip_that_bleeds_something_else_is_named():
    stack = Stack(24)
    stack.upper.balance_answer = 0
    run(stack.bleeder, 2000, want=1 << 23)
    assert stack.bleeder.refused


def test_a_chip_that_can_not_be_told_counts_as_bleeding():
    stack = Stack(24)
    run(stack.bleeder, 1000, want=1 << 23)
    stack.upper.balance_code = BUS_ERROR
    stack.bleeder.want(0)
    stack.bleeder.step(100, True)
    assert stack.shown == 1 << 23


def test_the_end_of_the_firmware_and_a_new_start_leave_nothing_on():
    for end in ("stop", "forget"):
        stack = Stack(32)
        run(stack.bleeder, 1000, want=1 << 31 | 1)
        getattr(stack.bleeder, end)()
        assert stack.shown == 0
