"""What a rest shows of empty cells, and what an acknowledgement is worth: to the millisecond."""

import pytest

from bms.deep_discharge import DeepDischarge
from bms.fault_register import FaultRegister
from bms.faults import Faults
from bms.sample import GATE_CHARGE
from bms.table import INVALID
from host_tests.bms.bench import parameters_with

TABLE = Faults()
LIMIT_MV, FLOOR_MV = 2000, 1500  # defaults of LiFePO4
REST_MS = 10000


class Cells:
    """A DeepDischarge and the register that it reports to."""

    def __init__(self):
        self.register = FaultRegister(TABLE)
        self.part = DeepDischarge(parameters_with({}), TABLE, self.register)

    def rest(self, cell_mv, current_ma=0, duration_ms=REST_MS):
        """In two steps, so that neither alone is a rest."""
        self.part.step(cell_mv, current_ma, duration_ms - 1)
        self.part.step(cell_mv, current_ma, 1)

    def trip(self):
        """The row of bms.protection found the cells empty, and does not any more."""
        self.register.report(TABLE.names.index("deep_discharge"), 0)
        self.register.step(100)
        self.register.step(100)

    def is_active(self, name):
        self.part.report()
        self.register.step(0)
        return self.register.is_active(TABLE.names.index(name))

    def waived(self):
        return {
            TABLE.names.name(bit): gates for bit, gates in enumerate(self.register.waived) if gates
        }


def test_at_first_nothing_is_known_and_nothing_allowed():
    part = Cells().part
    assert part.lowest_mv == INVALID
    assert not part.acknowledged and not part.keeps()


def test_a_rest_is_ten_seconds_long_to_the_millisecond():
    cells = Cells()
    cells.part.step(LIMIT_MV - 1, 0, REST_MS - 1)
    assert cells.part.lowest_mv == INVALID
    cells.part.step(LIMIT_MV - 1, 0, 1)
    assert cells.part.lowest_mv == LIMIT_MV - 1


@pytest.mark.parametrize(("current_ma", "rests"), [(-500, False), (-499, True), (5000, True)])
def test_half_an_ampere_of_discharge_is_no_rest(current_ma, rests):
    cells = Cells()
    cells.rest(LIMIT_MV - 1, current_ma)
    assert (cells.part.lowest_mv != INVALID) == rests


def test_a_discharge_begins_the_rest_anew_and_forgets_what_it_saw():
    cells = Cells()
    cells.part.step(LIMIT_MV + 500, 0, REST_MS - 1)
    cells.part.step(1000, -500, 100)
    cells.part.step(1900, 0, REST_MS - 1)
    assert cells.part.lowest_mv == INVALID
    cells.part.step(1900, 0, 1)
    assert cells.part.lowest_mv == 1900


def test_each_rest_counts_for_itself():
    cells = Cells()
    cells.rest(LIMIT_MV + 500)
    cells.part.step(1900, 0, REST_MS - 1)
    assert cells.part.lowest_mv == INVALID
    cells.part.step(1900, 0, 1)
    assert cells.part.lowest_mv == 1900


def test_the_highest_voltage_of_a_rest_counts_and_the_lowest_rest_stays():
    cells = Cells()
    cells.part.step(1000, 0, 100)
    cells.part.step(1900, 0, 100)
    cells.part.step(1000, 0, REST_MS)
    assert cells.part.lowest_mv == 1900
    cells.rest(1901)
    assert cells.part.lowest_mv == 1900
    cells.rest(1899)
    assert cells.part.lowest_mv == 1899


def test_cells_at_the_limit_are_not_below_it():
    cells = Cells()
    cells.rest(LIMIT_MV)
    assert cells.part.lowest_mv == INVALID


@pytest.mark.parametrize(("lowest_mv", "dead"), [(FLOOR_MV - 1, True), (FLOOR_MV, False)])
def test_what_rested_below_the_floor_is_dead(lowest_mv, dead):
    cells = Cells()
    cells.rest(lowest_mv)
    assert cells.is_active("cell_below_floor") == dead
    cells.trip()
    cells.part.acknowledge()
    cells.rest(1800)
    cells.register.report(TABLE.names.index("deep_discharge"), 0)
    cells.part.report()
    assert cells.part.acknowledged != dead
    assert cells.part.keeps() != dead


def test_an_acknowledgement_waits_for_a_rest_and_then_waives_charging():
    cells = Cells()
    cells.trip()
    cells.part.acknowledge()
    cells.part.report()
    assert cells.part.keeps() and not cells.part.acknowledged
    assert cells.waived() == {}
    cells.rest(LIMIT_MV + 1)
    cells.register.report(TABLE.names.index("deep_discharge"), 0)  # its row goes on tripping
    cells.part.report()
    assert cells.part.keeps() and cells.part.acknowledged
    assert cells.waived() == {"deep_discharge": GATE_CHARGE, "cell_imbalance": GATE_CHARGE}
    cells.register.step(100)
    cells.part.report()  # its row released
    assert not cells.part.keeps() and not cells.part.acknowledged
    assert cells.waived() == {}
    assert not cells.is_active("deep_discharge")


def test_an_acknowledgement_without_a_fault_is_none():
    cells = Cells()
    cells.part.acknowledge()
    assert not cells.part.keeps()


def test_a_restored_acknowledgement_waits_for_a_rest_too():
    cells = Cells()
    cells.trip()
    cells.part.restore(1800, True)
    assert cells.part.lowest_mv == 1800
    cells.part.report()
    assert not cells.part.acknowledged
    cells.rest(1800)
    cells.register.report(TABLE.names.index("deep_discharge"), 0)
    cells.part.report()
    assert cells.part.acknowledged


def test_a_dead_cell_takes_an_acknowledgement_back():
    cells = Cells()
    cells.trip()
    cells.part.acknowledge()
    cells.rest(1800)
    cells.register.report(TABLE.names.index("deep_discharge"), 0)
    cells.part.report()
    assert cells.part.acknowledged
    cells.rest(FLOOR_MV - 1)
    assert cells.is_active("cell_below_floor")
    cells.part.report()
    assert not cells.part.acknowledged
    assert cells.waived() == {}
