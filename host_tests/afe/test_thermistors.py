"""Cell sensors of another kind than the chip takes them for: what is said, and when it trips.

The truth is the B-equation in floats, and Semitec's table of the 103AT.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afe import bq76952_layers
from afe.thermistors import B_KELVIN, Curve
from bms.parameters import Parameters
from bms.sample import (
    OK,
    TRIP_OVERTEMPERATURE_CHARGE,
    TRIP_UNDERTEMPERATURE_DISCHARGE,
)
from host_tests.afe.b_equation import celsius_of, ohm_at
from host_tests.afe.pairs import PAIRS
from host_tests.afe.pairs import Bench as PairBench
from starting import parts

KINDS = {"103at": None, "b3380": 3380, "b3435": 3435, "b3950": 3950, "b3977": 3977}
WITHIN_DC = 10
CHIPS = ("BQ76952", "BQ76952-crc", "BQ76940", "BQ76920", "stack")
# Semitec 103AT: kohm at degrees
TABLE = {-20: 67.77, 0: 27.28, 20: 12.09, 25: 10.0, 40: 5.827, 60: 3.020, 80: 1.668}


class Board:
    """What the start asks a board for."""

    def __init__(self, buses):
        self._buses = list(buses.values())

    def afe_bus(self, *_hz):
        return self._buses[0]

    def upper_afe_bus(self):
        return self._buses[1]


class Bench(PairBench):
    """A pair whose driver is the one that the start of the firmware makes."""

    def restart_host(self):
        super().restart_host()
        self.driver = parts.measuring_chip(Board(self._buses), self.parameters)


def new_bench(name, kind, fitted, **settings):
    pair = next(pair for pair in PAIRS if pair.name == name)
    chip = {"BQ76920": 1, "BQ76930": 2, "BQ76940": 3, "stack": 4}.get(name.split("-")[0], 0)
    bench = Bench(
        pair,
        afe_chip=chip,
        afe_crc=int(pair.crc),
        cell_sensor=list(KINDS).index(kind),
        **settings,
    )
    for part in getattr(bench.chip, "chips", (bench.chip,)):
        part.sensor_b_kelvin = KINDS[fitted]
    bench.guard()
    return bench


def read_dc(bench, celsius):
    """Every cell sensor, when all are this warm."""
    bench.pack.cell_temperature_c[:] = [celsius] * 3
    bench.live(bench.pair.settle_ms + 1000)
    return list(bench.sample.temperature_dc)


def test_the_choices_are_those_that_have_a_b():
    parameters = Parameters()
    names = parameters.choices(parameters.index("cell_sensor"))
    assert list(names) == list(KINDS)
    assert list(B_KELVIN) == [KINDS[name] or 0 for name in names]


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("name", CHIPS)
def test_the_right_kind_reads_within_a_degree(name, kind):
    bench = new_bench(name, kind, kind)
    for celsius in range(-20, 81, 10):
        wanted = [10 * celsius] * len(bench.sample.temperature_dc)
        assert read_dc(bench, celsius) == pytest.approx(wanted, abs=WITHIN_DC), celsius


@pytest.mark.parametrize("name", CHIPS)
def test_the_wrong_kind_reads_what_the_resistance_would_be(name):
    bench = new_bench(name, "103at", "b3950")
    assert read_dc(bench, 25)[0] == pytest.approx(250, abs=WITHIN_DC)
    assert read_dc(bench, 80)[0] > 880  # 1.27 kohm: a 103AT has 1.266 at 90 degrees
    assert read_dc(bench, -20)[0] < -280  # 105 kohm; 111.3 at -30
    bench = new_bench(name, "b3950", "103at")
    assert read_dc(bench, 80)[0] < 740


@pytest.mark.parametrize("b_kelvin", [b for b in B_KELVIN if b])
def test_a_resistance_of_the_103at_is_a_temperature_by_the_b_equation(b_kelvin):
    curve = Curve(B_KELVIN.index(b_kelvin))
    for celsius, kilohm in TABLE.items():
        true = celsius_of(1000 * kilohm, b_kelvin)
        assert curve.true_dc(10 * celsius) == pytest.approx(10 * true, abs=3), celsius
        assert curve.read_dc(round(10 * true)) == pytest.approx(10 * celsius, abs=3), celsius


def test_the_equation_of_these_tests_is_that_of_a_data_sheet():
    assert ohm_at(25, 3950) == pytest.approx(10_000)
    assert ohm_at(85, 3435) == pytest.approx(1451, rel=0.002)  # Semitec 103AT, B 25/85


@given(st.integers(0, len(KINDS) - 1), st.integers(-500, 1299))
def test_there_and_back_is_the_same(kind, dc):
    curve = Curve(kind)
    assert curve.read_dc(curve.true_dc(dc)) == pytest.approx(dc, abs=2)
    assert curve.true_dc(dc) <= curve.true_dc(dc + 1)


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("dc", [-2731, -501, 1300, 2000, 2268])
def test_what_no_sensor_says_stays_what_it_is(kind, dc):
    assert Curve(kind).true_dc(dc) == dc


@pytest.mark.parametrize("fault", ["open", "short"])
@pytest.mark.parametrize("name", CHIPS)
def test_a_broken_sensor_reads_as_what_no_cell_can_be(name, fault):
    bench = new_bench(name, "b3950", "b3950")
    bench.part.thermistor_faults[0] = fault
    reading = read_dc(bench, 25)[0]
    assert reading < -400 if fault == "open" else reading > 1200


def test_a_failed_sample_leaves_the_temperatures_as_they_were():
    bench = new_bench("BQ76952", "b3950", "b3950")
    before = read_dc(bench, 60)
    array = bench.sample.temperature_dc
    bench.pack.cell_temperature_c[:] = [10.0] * 3
    bench.bus.silent = True
    assert bench.driver.sample_into(bench.sample) != OK
    assert bench.sample.temperature_dc is array
    assert list(array) == before


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_chips_own_trips_are_at_the_true_temperature(kind):
    """Overtemperature of charge: 50 degrees, 3 beyond for the chip, in whole degrees."""
    bench = new_bench("BQ76952", kind, kind)
    bench.pack.cell_temperature_c[:] = [52.0] * 3
    assert not bench.live(8000) & TRIP_OVERTEMPERATURE_CHARGE
    bench.pack.cell_temperature_c[:] = [55.0] * 3
    assert bench.live(8000) & TRIP_OVERTEMPERATURE_CHARGE
    bench.pack.cell_temperature_c[:] = [-22.0] * 3
    assert not bench.live(20000) & TRIP_UNDERTEMPERATURE_DISCHARGE
    bench.pack.cell_temperature_c[:] = [-26.0] * 3
    assert bench.live(8000) & TRIP_UNDERTEMPERATURE_DISCHARGE


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_software_acts_first_with_every_kind(kind):
    parameters = Parameters()
    parameters.load(
        {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 100000, "cell_sensor": kind}
    )
    assert bq76952_layers.problems(parameters) == []


def test_a_trip_that_the_chip_can_not_reach_with_this_sensor_is_refused():
    """At -30 degrees a B 3950 has 195 kohm: below a 103AT's -40, the end of the chip's range."""
    settings = {"chemistry": 3, "series_cells": 6, "design_capacity_mah": 100000}
    parameters = Parameters()
    parameters.load(settings)
    assert bq76952_layers.problems(parameters) == []
    parameters.load({**settings, "cell_sensor": list(KINDS).index("b3950")})
    (sentence,) = bq76952_layers.problems(parameters)
    assert sentence.startswith("'undertemperature_discharge_trip_dc' -300")
