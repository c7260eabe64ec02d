"""The fast path's cost in counted operations: no more than linear in the number of cells."""

from array import array

import pytest

from host_tests.bench.operations import (
    ARGUMENT_US,
    CALL_US,
    CELLS,
    OPERATION_US,
    SILICON,
    STEPS,
    US_A_BYTE,
    Counter,
    battery,
    sample_cost,
    step_cost,
)

# micropython.md: times net of the loop around them. A loop of our own in their place comes out
# above, because locals' loads and stores are counted inside every operation; not below.
ABOVE = 1.4

SHORTEST_US = {16: 20_000, 32: 50_000}  # of step_period_ms; shorter ones are refused for a stack

CRC_TABLE = array("H", range(256))


def flat_check(cells):
    for index in range(16):
        cell_mv = cells[index]
        if cell_mv > 3650 or cell_mv < 2500:
            return True
    return False


def parse(data, values):
    for index in range(16):
        values[index] = data[2 * index] | data[2 * index + 1] << 8


def crc16(data):
    table = CRC_TABLE
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


LOOPS = {
    "16-cell check, flat loop": (flat_check, (array("i", [3300] * 16),), 109),
    "parse 32 bytes": (parse, (bytes(32), array("i", [0] * 16)), 236),
    "CRC of 64 bytes by table": (crc16, (bytes(64),), 615),
}
HERE = flat_check.__code__.co_filename


@pytest.fixture(scope="module")
def costs():
    return {cells: step_cost(cells) for cells in CELLS}


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_that_were_measured_are_estimated_on_the_safe_side(loop):
    work, arguments, measured_us = LOOPS[loop]
    with Counter(folder=HERE) as count:
        work(*arguments)
    assert measured_us <= count.us <= ABOVE * measured_us


def test_a_call_costs_what_was_measured():
    def three(first, _second, _third):
        return first

    def one_call():
        return three(1, 2, 3)

    with Counter(folder=HERE) as count:
        one_call()
    assert count.us == pytest.approx(CALL_US + 3 * ARGUMENT_US)


def test_what_allocates_is_no_part_of_a_count():
    def display(value):
        return [value]

    def count_it():
        with Counter(folder=HERE):
            display(1)

    with pytest.raises(AssertionError, match="BUILD_LIST"):
        count_it()


def test_a_step_grows_no_faster_than_the_number_of_cells(costs):
    assert costs[32].us <= costs[4].us * 8
    assert costs[32].opcodes <= costs[4].opcodes * 8


def test_every_cell_costs_the_same(costs):
    """The second difference is 0: nothing compares cells with each other."""
    a_cell_us = (costs[8].us - costs[4].us) / 4
    assert a_cell_us > 2 * OPERATION_US  # each is looked at
    for fewer, more in ((8, 16), (16, 32)):
        assert (costs[more].us - costs[fewer].us) / (more - fewer) == pytest.approx(
            a_cell_us, rel=0.02
        )


def test_every_cell_of_a_chip_costs_its_driver_the_same():
    counts = {cells: sample_cost(cells)[0].us for cells in (4, 8, 16)}
    a_cell_us = (counts[8] - counts[4]) / 4
    assert a_cell_us > 2 * OPERATION_US
    assert (counts[16] - counts[8]) / 8 == pytest.approx(a_cell_us, rel=0.02)


def test_a_counted_step_is_one_of_a_guarding_battery():
    made = battery(32)
    for _ in range(STEPS):
        made.step()
    assert made.faults() == set()
    assert made.point("cell_max_index") == 31
    assert made.point("gates") == 3


def test_a_step_fits_the_shortest_period_on_slow_silicon(costs):
    """With the driver, the wire and CRC: 20 ms, and 50 ms of a stack."""
    for cells, shortest_us in SHORTEST_US.items():
        driver, wire_bytes = sample_cost(cells, crc=True)
        total_us = SILICON * (costs[cells].us + driver.us) + US_A_BYTE * wire_bytes
        assert total_us < shortest_us
