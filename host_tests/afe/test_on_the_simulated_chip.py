"""The driver against the chip model of boards/sim, which was written independently of it.

Time is the model's: bus transactions last as long as on a 400 kHz wire, the host does something
every 100 ms, and then either side acts alone.
"""

import pytest

from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    CORRUPT,
    GATES_BOTH,
    OK,
    TRIP_CELL_OVERVOLTAGE,
    TRIP_CELL_UNDERVOLTAGE,
    TRIP_HOST_WATCHDOG,
    TRIP_OVERCURRENT_CHARGE,
    TRIP_OVERCURRENT_DISCHARGE,
    TRIP_OVERTEMPERATURE_CHARGE,
    TRIP_SHORT_CIRCUIT,
    TRIP_UNDERTEMPERATURE_CHARGE,
    TRIP_UNSEEN,
)
from host_tests.afe.simulated_chip import PERIOD_US, Bench

BOTH = (True, True)
NONE = (False, False)
CHARGE_OFF = (False, True)
DISCHARGE_OFF = (True, False)


CRC = pytest.mark.parametrize("crc", [False, True])


@CRC
@pytest.mark.parametrize("period_us", [20_000, 100_000, 250_000])
def test_a_new_chip_is_programmed_within_a_dozen_short_steps(crc, period_us):
    bench = Bench(crc)
    code, steps, longest_us = bench.program(period_us)
    assert code == OK
    assert steps <= 14
    assert longest_us <= 6000
    assert bench.gates == []  # no gate ever closed
    assert bench.driver.device_number == 0x7695


@CRC
def test_a_sample_is_the_truth_about_the_pack(crc):
    bench = Bench(crc, fet_thermistor=1).guard()
    bench.pack.current_a = -33.33
    bench.live(500)
    sample = bench.sample
    assert list(sample.cell_mv) == [3300 + cell for cell in range(16)]
    assert sample.stack_mv == pytest.approx(1000 * sum(bench.pack.cell_v), abs=10)
    assert sample.current_ma == pytest.approx(-33330, abs=15)
    assert list(sample.temperature_dc) == pytest.approx([200, 210], abs=2)  # sensors are noisy
    assert sample.board_temperature_dc == pytest.approx(300, abs=2)
    assert sample.chip_temperature_dc == pytest.approx(300, abs=2)
    assert sample.bus_mv == pytest.approx(1000 * bench.pack.bus_v, abs=10)
    assert sample.load_mv == sample.bus_mv
    assert sample.gates == GATES_BOTH
    assert sample.trips == 0


@pytest.mark.parametrize("cells", [3, 8, 13, 15])
def test_smaller_packs_are_read_from_the_right_inputs(cells):
    bench = Bench(cells=cells).guard()
    assert list(bench.sample.cell_mv) == [3300 + cell for cell in range(cells)]
    assert bench.live(5000) == 0


def test_current_is_right_for_other_shunts_and_large_packs():
    bench = Bench(
        shunt_microohm=100,
        overcurrent_discharge_trip_ma=400000,
        fast_overcurrent_discharge_ma=500000,
        short_circuit_trip_ma=900000,
    )
    bench.pack.shunt_ohm = 0.0001
    bench.guard()
    bench.pack.current_a = -390.0
    bench.live(200)
    assert bench.sample.current_ma == pytest.approx(-390000, abs=100)


def test_scans_are_counted_while_the_chip_measures_and_not_when_it_stands_still():
    bench = Bench().guard()
    before = bench.sample.scans
    bench.live(1000)
    assert bench.sample.scans - before >= 9  # a scan takes 63 ms, a sample is taken every 100 ms
    bench.chip.frozen = True
    bench.live(200)
    before = bench.sample.scans
    bench.live(1000)
    assert bench.sample.scans == before


@CRC
@pytest.mark.parametrize(
    ("gates", "closed"), [(0, NONE), (1, (True, False)), (2, (False, True)), (3, BOTH)]
)
def test_gates_follow_their_command(crc, gates, closed):
    bench = Bench(crc).guard()
    assert bench.driver.command_gates(gates) == OK
    bench.live(100)
    assert bench.closed() == closed
    assert bench.sample.gates == gates


def test_the_off_lines_open_the_gates_without_the_bus():
    bench = Bench().guard()
    bench.bus.silent = True
    bench.chip.cfetoff = 1
    bench.chip.advance(1000)
    assert bench.closed() == CHARGE_OFF
    bench.chip.dfetoff = 1
    bench.chip.advance(1000)
    assert bench.closed() == NONE
    bench.chip.cfetoff = bench.chip.dfetoff = 0
    bench.chip.advance(1000)
    assert bench.closed() == BOTH


def test_a_restarted_processor_opens_the_gates_and_stops_balancing_with_its_first_step():
    bench = Bench().guard()
    bench.chip.balance(0x0003)
    bench.restart_host()
    bench.driver.start_programming()
    assert bench.driver.programming_step() == BUSY
    assert bench.closed() == NONE
    assert bench.chip.balancing_inputs == 0


def test_a_chip_that_lost_its_supply_says_so_and_is_programmed_again():
    bench = Bench().guard()
    bench.chip.power_on_reset()
    bench.chip.advance(PERIOD_US)
    assert bench.driver.sample_into(bench.sample) == CONFIGURATION_LOST
    bench.gates.clear()
    assert bench.program()[0] == OK
    assert bench.gates == []
    bench.live(500)
    assert bench.closed() == NONE  # until it is commanded


@pytest.mark.parametrize(
    ("cause", "trip", "closed", "delay", "slack_ms"),
    [
        # The pack beyond the chip's limit, and how long the chip may take (name of TAKEN).
        ({"cell": 3.85}, TRIP_CELL_OVERVOLTAGE, CHARGE_OFF, "cell_overvoltage_delay_ms", 1),
        ({"cell": 2.4}, TRIP_CELL_UNDERVOLTAGE, DISCHARGE_OFF, "cell_undervoltage_delay_ms", 1),
        ({"current": 85}, TRIP_OVERCURRENT_CHARGE, CHARGE_OFF, "fast_overcurrent_delay_ms", 1),
        (
            {"current": -170},
            TRIP_OVERCURRENT_DISCHARGE,
            DISCHARGE_OFF,
            "fast_overcurrent_delay_ms",
            1,
        ),
        ({"current": -450}, TRIP_SHORT_CIRCUIT, NONE, "short_circuit_delay_us", 0),
    ],
)
def test_the_chip_acts_alone_within_what_it_took(cause, trip, closed, delay, slack_ms):
    bench = Bench().guard()
    start_us = bench.chip.time_us
    bench.pack.cell_v[5] = cause.get("cell", 3.3)
    bench.pack.current_a = cause.get("current", 0.0)
    while bench.closed() == BOTH and bench.chip.time_us < start_us + 10_000_000:
        bench.chip.advance(min(1_000_000, max(1, bench.chip.next_event_us())))
    opened_us = bench.gates[-1][0]
    limit_us = bench.taken(delay) * (1 if delay.endswith("us") else 1000) + slack_ms * 1000
    assert opened_us - start_us <= limit_us
    if "cell" in cause:
        bench.pack.current_a = 0.0
    assert bench.closed() == closed
    assert bench.driver.sample_into(bench.sample) == OK
    assert bench.sample.trips == trip


@pytest.mark.parametrize(
    ("celsius", "trip"),
    [(54.0, TRIP_OVERTEMPERATURE_CHARGE), (-4.0, TRIP_UNDERTEMPERATURE_CHARGE)],
)
def test_the_chip_blocks_charging_alone_when_cells_are_too_warm_or_cold(celsius, trip):
    bench = Bench().guard()
    bench.pack.cell_temperature_c[1] = celsius
    assert bench.live(4000) == trip
    assert bench.closed() == CHARGE_OFF


@pytest.mark.parametrize(
    ("cell", "limit"), [(3.72, "cell_overvoltage_trip_mv"), (2.66, "cell_undervoltage_trip_mv")]
)
def test_between_softwares_limit_and_its_own_the_chip_leaves_the_first_word_to_software(
    cell, limit
):
    bench = Bench().guard()
    bench.pack.cell_v[5] = cell
    assert abs(bench.taken(limit) / 1000 - cell) < 0.05
    assert bench.live(10_000) == 0
    assert bench.closed() == BOTH


def test_a_hung_processor_loses_both_gates_to_the_watchdog_and_none_closes_before_or_after():
    bench = Bench().guard()
    heard_us = bench.chip.time_us
    bench.pack.current_a = -170.0
    bench.chip.advance(300_000)
    assert bench.closed() == DISCHARGE_OFF
    bench.pack.current_a = 0.0
    bench.gates.clear()
    bench.chip.advance(60_000_000)
    assert [change[1:] for change in bench.gates] == [NONE]
    reaction_us = 250_000  # of protections off the fast path (afe.md section 7)
    watchdog_us = bench.taken("afe_watchdog_s") * 1_000_000
    assert 0 <= bench.gates[0][0] - heard_us - watchdog_us <= reaction_us


def test_the_watchdogs_trip_is_over_when_the_processor_is_back_and_is_told_nevertheless():
    """The chip forgets it as soon as it hears from us: only the latched alarm tells."""
    bench = Bench().guard()
    bench.chip.advance(6_000_000)
    assert bench.closed() == NONE
    assert bench.live(1000) in (TRIP_HOST_WATCHDOG, TRIP_UNSEEN)
    assert bench.sample.trips == 0


def test_over_current_recovers_without_load_or_charger_but_not_before_the_host_allows():
    bench = Bench().guard()
    bench.pack.current_a = -170.0
    assert bench.live(300) == TRIP_OVERCURRENT_DISCHARGE
    bench.driver.command_gates(0)  # what the battery does with a trip
    bench.pack.current_a = 0.0
    bench.live(8000)
    assert bench.sample.trips == 0
    assert bench.closed() == NONE
    bench.driver.command_gates(GATES_BOTH)
    bench.live(200)
    assert bench.closed() == BOTH


def test_an_open_balance_lead_is_seen_by_the_chip_as_the_pair_of_voltage_trips():
    bench = Bench().guard()
    bench.chip.open_wires.add(5)
    assert bench.live(12_000) == TRIP_CELL_OVERVOLTAGE | TRIP_CELL_UNDERVOLTAGE
    assert bench.closed() == NONE


@pytest.mark.parametrize(("crc", "chip_crc"), [(False, True), (True, False)])
def test_a_chip_that_speaks_the_other_way_is_not_taken_for_programmed(crc, chip_crc):
    bench = Bench(crc, chip_crc)
    assert bench.program()[0] in (BUS_ERROR, CORRUPT)
    assert bench.gates == []


def test_another_chip_of_the_family_is_refused():
    bench = Bench()
    bench.chip.device_number = 0x7694
    assert bench.program()[0] != OK
    assert bench.driver.device_number == 0x7694


@CRC
def test_a_disturbed_bus_never_ends_in_a_half_programmed_chip_that_guards(crc):
    """Every n-th transaction refused: it fails, or every byte is what was meant."""
    reference = Bench(crc)
    reference.program()
    for every in range(2, 60):
        bench = Bench(crc)
        bench.bus.nack_every = every
        if bench.program()[0] == OK:
            assert bench.chip.memory.block(0x9275) == reference.chip.memory.block(0x9275)
        assert all(not charge and not discharge for _, charge, discharge in bench.gates)


def test_flipped_bits_are_corrupt_on_a_chip_with_crc():
    bench = Bench(crc=True).guard()
    for _ in range(50):
        bench.bus.corrupt_reads = 1
        assert bench.driver.sample_into(bench.sample) == CORRUPT
        assert bench.live(100) == 0
