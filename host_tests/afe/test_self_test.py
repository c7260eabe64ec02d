"""The start-up self-test, against the chip model of boards/sim with one thing wrong at a time."""

import pytest

from afe import bq76952_self_test as self_test
from bms.point_words import SELF_TESTS
from bms.sample import BUS_ERROR, BUSY, CONFIGURATION_LOST, CORRUPT, GATES_BOTH, OK
from boards.sim.i2c import ALL
from host_tests.afe.simulated_chip import Bench

MOST_MS = 4250
BUS_BUDGET_US = 6000
FET_STATUS = 0x7F

CRC = pytest.mark.parametrize("crc", [False, True])


def names(bits):
    return {name for bit, name in enumerate(SELF_TESTS) if bits >> bit & 1}


class Test:
    """Runs the self-test of a programmed bench and keeps what the tests ask about."""

    __test__ = False

    def __init__(self, bench, period_ms=100, clock=1.0, during=None):
        """`clock`: how fast the host's time runs; `during(elapsed_ms)` is called in each step."""
        self.longest_us = 0
        self.ms = 0
        self.switches = set()  # masks of balancing inputs that were on
        driver = bench.driver
        bench.chip.gate_listener = lambda *change: self.gates.append(change)
        self.gates = []
        driver.start_self_test()
        elapsed_ms = 0
        while True:
            start_us = bench.chip.time_us
            self.code = driver.self_test_step(elapsed_ms)
            self.longest_us = max(self.longest_us, bench.chip.time_us - start_us)
            self.switches.add(bench.chip.balancing_inputs)
            if self.code != BUSY:
                break
            assert self.ms < 20_000
            bench.chip.advance(1000 * period_ms)
            self.ms += period_ms
            elapsed_ms = int(clock * period_ms)
            if during is not None:
                during(self.ms)
        self.failed = names(driver.self_test_failed)


def programmed(crc=False, **settings):
    bench = Bench(crc, **settings)
    assert bench.program()[0] == OK
    return bench


def failed(bench, **options):
    test = Test(bench, **options)
    assert test.code == OK
    assert test.gates == []
    return test.failed


def test_the_bits_are_those_of_the_points_table():
    for bit, name in enumerate(SELF_TESTS):
        if name != "flash":  # the application's
            assert getattr(self_test, name.upper()) == 1 << bit


@CRC
@pytest.mark.parametrize("period_ms", [20, 100, 250])
def test_a_sound_chip_passes_in_four_seconds_with_short_steps_and_gates_off(crc, period_ms):
    bench = programmed(crc)
    test = Test(bench, period_ms)
    assert test.code == OK
    assert test.failed == set()
    assert test.ms <= MOST_MS
    assert test.longest_us <= BUS_BUDGET_US
    assert test.gates == []
    assert (bench.chip.charge_on, bench.chip.discharge_on) == (False, False)


@pytest.mark.parametrize("cells", [3, 13, 16])
def test_each_cells_switch_is_tried_alone_and_all_are_off_at_the_end(cells):
    bench = programmed(cells=cells)
    masks = set()
    balance = bench.chip.balance
    bench.chip.balance = lambda inputs: (masks.add(inputs), balance(inputs))
    assert failed(bench) == set()
    assert masks == {0} | {1 << i for i in [*range(cells - 1), 15]}
    assert bench.chip.balancing_inputs == 0


def test_a_switch_that_can_not_be_commanded_is_found():
    bench = programmed()
    balance = bench.chip.balance
    bench.chip.balance = lambda inputs: balance(inputs & ~0x0010)
    assert failed(bench) == {"balance_switches"}


def test_a_switch_that_can_not_be_turned_off_is_found():
    bench = programmed()
    balance = bench.chip.balance
    bench.chip.balance = lambda inputs: balance(inputs | 0x0010)
    assert failed(bench) == {"balance_switches"}


@pytest.mark.parametrize(("cell_c", "die_c"), [(-21.0, 20.0), (61.0, 20.0), (20.0, 75.0)])
def test_switches_are_not_tried_at_temperatures_at_which_the_chip_may_refuse(cell_c, die_c):
    bench = programmed()
    bench.pack.cell_temperature_c = [cell_c, cell_c, cell_c]
    bench.pack.board_temperature_c = die_c
    bench.chip.advance(1_000_000)
    balance = bench.chip.balance
    bench.chip.balance = lambda inputs: balance(0)
    assert failed(bench) == set()


@pytest.mark.parametrize("wire", [1, 5, 15])
def test_an_open_sense_wire_is_found(wire):
    bench = programmed()
    bench.chip.open_wires.add(wire)
    assert failed(bench) == {"cell_wires"}


def test_an_open_wire_that_has_not_drifted_far_is_found_by_its_pattern():
    """Too little for the chip's own trips: cell 6 lower by what cell 7 is higher."""
    bench = programmed()
    bench.pack.cell_v[5] -= 0.3
    bench.pack.cell_v[6] += 0.3
    assert failed(bench) == {"cell_wires"}


@pytest.mark.parametrize(
    "changes", [{5: -0.3}, {5: -0.3, 7: 0.3}, {5: 0.3, 6: -0.3}, {5: -0.3, 6: 0.5}]
)
def test_cells_that_are_only_far_apart_pass(changes):
    bench = programmed()
    for cell, volt in changes.items():
        bench.pack.cell_v[cell] += volt
    assert failed(bench) == set()


def test_a_low_and_a_high_cell_that_the_chip_itself_calls_so_are_the_sign_of_an_open_wire():
    bench = programmed()
    bench.pack.cell_v[2] = 2.5
    bench.pack.cell_v[9] = 3.85
    assert failed(bench) == {"cell_wires"}


@pytest.mark.parametrize("fault", ["open", "short"])
@pytest.mark.parametrize("sensor", [0, 1])
def test_a_broken_thermistor_is_found(sensor, fault):
    bench = programmed()
    bench.chip.thermistor_faults[sensor] = fault
    assert failed(bench) == {"thermistors"}


def test_a_broken_thermistor_at_the_switches_is_found_if_one_is_fitted():
    bench = programmed(fet_thermistor=1)
    bench.chip.thermistor_faults[3] = "open"
    assert failed(bench) == {"thermistors"}
    bench = programmed()
    bench.chip.thermistor_faults[3] = "open"
    assert failed(bench) == set()


def test_sensors_that_are_not_fitted_are_not_looked_at():
    bench = programmed(cell_thermistors=1)
    bench.chip.thermistor_faults[1] = "short"
    assert failed(bench) == set()


@pytest.mark.parametrize(("spread", "expected"), [(38.0, set()), (42.0, {"thermistors"})])
def test_cells_of_one_pack_are_not_further_apart_than_40_kelvin(spread, expected):
    bench = programmed()
    bench.pack.cell_temperature_c = [0.0, spread, 0.0]
    assert failed(bench) == expected


@pytest.mark.parametrize(("difference_v", "expected"), [(0.4, set()), (-0.6, {"supply"})])
def test_stack_and_sum_of_cells_agree_within_the_limit_of_their_protection(difference_v, expected):
    bench = programmed(stack_mismatch_trip_mv=500)
    bench.pack.stack_v = sum(bench.pack.cell_v) + difference_v
    assert failed(bench) == expected


@pytest.mark.parametrize(
    ("clock", "expected"),
    [(1.0, set()), (0.6, {"clock"}), (0.9, set()), (4.0, {"clock"})],
)
def test_both_clocks_agree_within_a_fifth_and_a_second(clock, expected):
    assert failed(programmed(), clock=clock) == expected


def test_a_chip_whose_clock_stands_still_is_found():
    bench = programmed()
    bench.chip.meter.passed_seconds = lambda: 7
    assert failed(bench) == {"clock"}


def test_the_chips_clock_may_wrap():
    bench = programmed()
    passed = bench.chip.meter.passed_seconds
    bench.chip.meter.passed_seconds = lambda: passed() + 0xFFFF
    assert failed(bench) == set()


def test_a_chip_that_holds_another_setting_is_found():
    bench = programmed()
    bench.chip.memory.write(0x9280, [bench.chip.memory.u8(0x9280) ^ 1])
    assert failed(bench) == {"afe_configuration"}


def test_all_settings_are_compared_wherever_the_supervision_was():
    bench = programmed()
    bench.driver.verify_step()
    bench.chip.memory.write(0x91A8, [bench.chip.memory.u8(0x91A8) ^ 1])  # the very first byte
    assert failed(bench) == {"afe_configuration"}


def test_another_chip_is_found():
    bench = programmed()
    bench.chip.device_number = 0x7694
    assert failed(bench) == {"afe_identity"}


@pytest.mark.parametrize("fets", [0x01, 0x02, 0x04, 0x08])
def test_a_gate_that_is_on_is_found(fets):
    bench = programmed()
    show(bench, fets)
    assert Test(bench).failed == {"gates_off"}


@pytest.mark.parametrize(
    ("pins", "expected"), [(0x30, set()), (0x10, {"gates_off"}), (0x20, {"gates_off"})]
)
def test_outputs_for_contactors_have_to_say_off(pins, expected):
    """DCHG and DDSG are asserted while their gate is off (E2E 1560919: 0x61 with DSG off)."""
    bench = programmed(power_path=2)
    show(bench, pins)
    assert failed(bench) == expected


def show(bench, fets):
    """The chip shows these bits in its FET status, whatever its gates do."""
    read = bench.chip.read

    def shown(register, buf):
        read(register, buf)
        if register <= FET_STATUS < register + len(buf):
            buf[FET_STATUS - register] = fets

    bench.chip.read = shown


def test_a_gate_that_was_on_is_off_from_the_first_step():
    bench = Bench().guard(GATES_BOTH)
    bench.driver.start_self_test()
    assert bench.driver.self_test_step(0) == BUSY
    assert bench.closed() == (False, False)


def test_a_chip_that_does_not_measure_fails_what_needs_a_measurement():
    bench = programmed()
    bench.chip.frozen = True
    bench.chip.advance(500_000)
    test = Test(bench)
    assert test.code == OK
    assert {"thermistors", "cell_wires", "supply"} <= test.failed


@CRC
def test_a_bus_that_fails_at_any_moment_ends_the_test_and_it_can_be_begun_again(crc):
    for moment in range(0, 3200, 400):
        bench = programmed(crc)

        def silence(ms, bench=bench, moment=moment):
            bench.bus.silent = ms >= moment

        assert Test(bench, during=silence).code == BUS_ERROR
        bench.bus.silent = False
        assert failed(bench) == set()


def test_a_damaged_answer_is_asked_for_again_and_a_bus_that_only_damages_is_corrupt():
    bench = programmed(crc=True)
    bench.bus.corrupt_reads = 1
    assert Test(bench).code == OK
    assert failed(bench) == set()
    bench.bus.corrupt_reads = ALL
    assert Test(bench).code == CORRUPT


@pytest.mark.parametrize("moment", [100, 1000, 3000])
def test_a_chip_that_restarts_meanwhile_has_to_be_programmed_again(moment):
    bench = programmed()

    def restart(ms):
        if ms == moment:
            bench.chip.power_on_reset()

    assert Test(bench, during=restart).code == CONFIGURATION_LOST


def test_a_second_test_forgets_the_first():
    bench = programmed()
    bench.chip.thermistor_faults[0] = "open"
    assert failed(bench) == {"thermistors"}
    bench.chip.thermistor_faults[0] = None
    bench.chip.advance(1_000_000)
    assert failed(bench) == set()


def test_starting_causes_no_bus_traffic():
    bench = programmed()
    before = bench.bus.transactions
    bench.driver.start_self_test()
    assert bench.bus.transactions == before
