"""What is particular about two chips that are one; what any driver owes is in test_conformance."""

import pytest

from bms.sample import (
    BUS_ERROR,
    BUSY,
    GATE_CHARGE,
    GATE_DISCHARGE,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNSEEN,
)
from host_tests.afe.pairs import PAIRS, PERIOD_US
from host_tests.afe.pairs import Bench as PairBench

SAFETY_A_ALARM = 0x4000  # alarm status: a bit of safety status A is or was set (SLUUBY2B)
LOWER = next(pair for pair in PAIRS if pair.name == "stack")
UPPER = next(pair for pair in PAIRS if pair.name == "stack-upper")
either = pytest.mark.parametrize("pair", [LOWER, UPPER], ids=["lower", "upper"])


def new_bench(pair=LOWER, **settings):
    return PairBench(pair, **settings).guard()


def rest(bench):
    """The chip of the stack that a test leaves well."""
    lower, upper = bench.chip.chips
    return upper if bench.part is lower else lower


@pytest.mark.parametrize(
    ("cells", "sensors", "low"), [(6, 2, 3), (17, 3, 9), (24, 4, 12), (31, 5, 16), (32, 6, 16)]
)
def test_the_lower_chip_has_half_of_cells_and_sensors_rounded_up(cells, sensors, low):
    bench = new_bench(cells=cells, cell_thermistors=sensors)
    lower, upper = bench.chip.chips
    assert (len(lower.inputs), len(upper.inputs)) == (low, cells - low)
    wanted = [1000 * volts for volts in bench.pack.cell_v]
    assert list(bench.sample.cell_mv) == pytest.approx(wanted, abs=1)
    # Groups of 20, 21, 22 degrees; this bench has the upper chip's TS1 at the second of them.
    high = sensors // 2
    wanted = [200, 210, 220][: sensors - high] + [210, 220, 200][:high]
    assert list(bench.sample.temperature_dc) == pytest.approx(wanted, abs=2)


def test_the_sensor_at_the_switches_is_the_lower_chips_alone():
    bench = new_bench(fet_thermistor=1)
    lower, upper = bench.chip.chips
    assert lower.memory.u8(0x9300) == 0x0F  # HDQ: a FET thermistor (afe.md section 4)
    assert upper.memory.u8(0x9300) == 0
    lower.thermistor_faults[3] = "short"
    bench.live(500)
    assert bench.sample.board_temperature_dc > 1500


def test_the_warmer_die_is_told():
    bench = new_bench()
    bench.pack.die_extra_c = 20.0  # of the lower one
    bench.live(500)
    assert bench.sample.chip_temperature_dc == pytest.approx(500, abs=5)
    bench.pack.die_extra_c = -20.0
    bench.live(500)
    assert bench.sample.chip_temperature_dc == pytest.approx(300, abs=5)


@either
def test_off_reaches_each_chip_though_the_other_is_silent(pair):
    bench = new_bench(pair)
    bench.balance(1 << 20 | 1)
    assert bench.chip.bleeding_cells() == 1 << 20 | 1
    bench.bus.silent = True
    assert bench.driver.command_gates(0) == BUS_ERROR
    assert not rest(bench).charge_on and not rest(bench).discharge_on
    assert bench.closed() == (False, False)
    assert bench.driver.all_off() == BUS_ERROR
    assert not rest(bench).bleeding_cells()


@either
def test_a_gate_counts_as_off_as_soon_as_one_chip_has_it_off(pair):
    bench = new_bench(pair)
    bench.part.gates.force_off(0x04)  # CHG_OFF behind the driver's back
    bench.part.pins_changed()
    bench.live(200)
    assert bench.sample.gates == GATE_DISCHARGE
    assert bench.closed() == (False, True)


@either
def test_a_gate_counts_as_on_if_one_chip_has_it_on_against_its_command(pair):
    bench = new_bench(pair)
    assert bench.driver.command_gates(GATE_DISCHARGE) == OK
    bench.part.gates.force_off(0)
    bench.part.pins_changed()
    bench.live(200)
    assert bench.closed() == (False, True)  # the other chip holds it
    assert bench.sample.gates == GATES_BOTH


@either
def test_a_trip_of_one_chip_is_the_packs(pair):
    bench = new_bench(pair)
    bench.pack.cell_v[bench.cell] = 3.85
    assert bench.live(3000) == TRIP_CELL_OVERVOLTAGE
    assert bench.sample.gates & GATE_CHARGE == 0
    assert bench.closed() == (False, True)


@either
def test_a_trip_that_nobody_saw_is_told_by_the_first_sample_that_succeeds(pair):
    bench = new_bench(pair)
    bench.bus.silent = True
    heard = rest(bench)  # by samples that fail, because the other chip is silent
    heard.port.alarm_status |= SAFETY_A_ALARM
    heard._latch_alarms(0)
    for _ in range(3):
        bench.chip.advance(PERIOD_US)
        assert bench.driver.sample_into(bench.sample) == BUS_ERROR
        assert bench.sample.trips == 0
    bench.bus.silent = False
    bench.chip.advance(PERIOD_US)
    assert bench.driver.sample_into(bench.sample) == OK
    assert bench.sample.trips == TRIP_UNSEEN
    assert bench.live(500) == 0


def test_the_upper_chip_sees_no_current():
    bench = new_bench()
    bench.pack.current_a = -900.0
    assert bench.live(300) & TRIP_SHORT_CIRCUIT
    assert not any(bench.chip.upper.protections.status)


@either
def test_what_each_chip_tripped_before_is_found_when_it_is_programmed(pair):
    bench = new_bench(pair)
    bench.pack.cell_v[bench.cell] = 3.85
    bench.chip.advance(3_000_000)
    bench.restart_host()
    assert bench.program() == OK
    assert bench.driver.take_found_trips() == TRIP_CELL_OVERVOLTAGE
    assert bench.driver.take_found_trips() == 0


def test_code_that_was_given_back_is_loaded_for_both_and_until_then_all_is_off():
    bench = new_bench()
    driver = bench.driver
    assert driver.equipped
    driver.put_away()
    assert not driver.equipped
    driver.start_programming()
    assert driver.programming_step() == BUSY
    assert bench.closed() == (False, False)
    assert not bench.chip.upper.charge_on
    for _ in driver.equip():
        assert driver.programming_step() == BUSY
        assert not driver.equipped
    assert driver.equipped
    bench.guard()


@either
def test_a_chip_that_fails_to_be_programmed_is_the_pairs_failure_and_then_both_begin_anew(pair):
    bench = PairBench(pair)
    bench.driver.start_programming()
    assert bench.driver.programming_step() == BUSY
    bench.bus.silent = True
    codes = [bench.driver.programming_step() for _ in range(2)]
    assert BUS_ERROR in codes
    bench.bus.silent = False
    assert bench.program() == OK
    assert bench.gates == []


def test_the_pair_is_not_programmed_before_both_are():
    steps = 1
    reference = PairBench(UPPER)
    reference.driver.start_programming()
    while reference.driver.programming_step() == BUSY:
        reference.chip.advance(PERIOD_US)
        steps += 1
    bench = PairBench(UPPER)
    bench.driver.start_programming()
    for step in range(steps):
        bench.bus.silent = step == steps - 1  # the upper chip, in the last one
        code = bench.driver.programming_step()
        bench.chip.advance(PERIOD_US)
    assert code == BUS_ERROR


def test_a_latch_of_the_upper_chip_is_released_too():
    """Its current inputs are shorted; a spike that trips them all the same must not stay."""
    bench = new_bench()
    seen = bench.chip.upper.pack
    seen._shunt = True
    bench.pack.current_a = -900.0
    bench.live(300)
    bench.pack.current_a = 0.0
    bench.driver.command_gates(0)
    bench.live(20_000)
    assert bench.chip.upper.protections.status[2]  # latched: safety status C
    assert bench.driver.recover(TRIP_SHORT_CIRCUIT) == OK
    bench.live(1000)
    assert bench.sample.trips == 0
    assert not any(bench.chip.upper.protections.status)
