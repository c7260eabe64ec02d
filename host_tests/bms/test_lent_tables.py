"""The tables of settings and points are in memory only while somebody needs them."""

import importlib
import sys

import pytest

from bms.faults import Faults
from bms.parameters import ParameterError, Parameters
from bms.points import Points
from bms.table import rows
from host_tests.bms.bench import Bench

TABLES = {
    Parameters: "bms.parameter_table",
    Points: "bms.point_table",
    Faults: "bms.fault_table",
}
ROWS = {Parameters: "bms.parameter_rows", Points: "bms.point_rows", Faults: "bms.fault_rows"}
LENT = pytest.mark.parametrize("kind", TABLES)
KEPT_S = 10


def in_memory(owner):
    return TABLES[type(owner)] in sys.modules


@pytest.fixture
def pack():
    parameters = Parameters()
    parameters.load({"chemistry": 0, "series_cells": 16, "design_capacity_mah": 100000})
    return parameters


@LENT
def test_what_is_put_away_is_gone_and_comes_back_when_asked_for(kind):
    owner = kind()
    before = [owner.names.name(row) for row in range(len(owner))]
    owner.put_away()
    assert not in_memory(owner)
    assert ROWS[kind] not in sys.modules
    assert [owner.names.name(row) for row in range(len(owner))] == before
    assert in_memory(owner)
    assert ROWS[kind] not in sys.modules


@LENT
def test_it_goes_when_nobody_asked_for_ten_seconds(kind):
    owner = kind()
    assert owner.names
    for _ in range(KEPT_S - 1):
        owner.second()
    assert owner.names
    for _ in range(KEPT_S - 1):
        owner.second()
    assert in_memory(owner)
    owner.second()
    assert not in_memory(owner)


@LENT
def test_it_is_fetched_in_many_pieces_and_once(kind):
    owner = kind()
    owner.put_away()
    assert sum(1 for _ in owner.fetch()) > len(owner) // 10
    assert list(owner.fetch()) == []


@LENT
def test_a_heap_without_room_for_it_keeps_nothing_and_it_comes_later(kind, monkeypatch):
    owner = kind()
    owner.put_away()

    def full(text):
        yield next(rows(text))
        raise MemoryError

    with monkeypatch.context() as short:
        short.setattr(importlib.import_module(TABLES[kind]), "rows", full)
        with pytest.raises(MemoryError):
            list(owner.fetch())
    assert ROWS[kind] not in sys.modules
    assert len(owner.names) == len(owner)


@LENT
def test_two_may_fetch_it_at_once(kind):
    owner = kind()
    owner.put_away()
    first = owner.fetch()
    next(first)
    next(first)
    assert list(owner.fetch())
    owner.put_away()
    list(first)
    assert len(owner.names) == len(owner)
    assert ROWS[kind] not in sys.modules


def test_a_fault_that_others_report_every_second_needs_its_name_once():
    bench = Bench().start()
    bench.battery.condition("inverter_lost", False)
    bench.table.put_away()
    bench.battery.condition("inverter_lost", True)
    bench.step()
    assert not in_memory(bench.table)
    assert "inverter_lost" in bench.faults()


def test_values_stay_and_a_change_is_judged_as_before(pack):
    trip = pack.index("cell_overvoltage_trip_mv")
    most = pack.maximum(trip, 0)
    values = list(pack.values)
    pack.put_away()
    assert list(pack.values) == values
    with pytest.raises(ParameterError):
        pack.change([(trip, most + 1)])
    pack.put_away()
    assert pack.change([(trip, values[trip] - 10)])
    assert pack.values[trip] == values[trip] - 10
    assert list(pack.values) != values


def test_what_neither_has_is_said_by_its_name(pack):
    with pytest.raises(AttributeError, match="no_such_thing"):
        pack.no_such_thing  # noqa: B018
