"""Law 5: every trip of the chip is mirrored as our own force-off; law 4: some of them latch."""

import pytest

from bms import requests, sample
from bms.sample import GATE_CHARGE, GATES_BOTH, OK
from host_tests.bms.bench import Bench
from host_tests.bms.mirrors import BLOCKS, HOLD_MS, LATCHING, MIRRORS

ROW_TRIPS = {
    trip: name for trip, name in MIRRORS.items() if "afe" not in name and trip not in LATCHING
}


@pytest.mark.parametrize("trip", MIRRORS, ids=MIRRORS.values())
def test_a_trip_of_the_chip_is_a_fault_and_a_force_off_in_the_same_step(trip):
    bench = Bench().start()
    bench.chip.trips = trip
    bench.step()
    name = MIRRORS[trip]
    assert bench.faults() == {name}
    assert bench.chip.lines() == bench.chip.commanded == GATES_BOTH & ~BLOCKS[name]
    assert BLOCKS[name]
    bench.run(60000)  # as long as the chip says so, whatever our own rows find
    assert bench.faults() == {name}
    assert bench.chip.lines() == GATES_BOTH & ~BLOCKS[name]


@pytest.mark.parametrize("release_delay_ms", [0, 5000])
@pytest.mark.parametrize("trip", ROW_TRIPS, ids=ROW_TRIPS.values())
def test_after_a_trip_of_the_chip_our_own_release_decides(trip, release_delay_ms):
    name = MIRRORS[trip]
    bench = Bench(**{name + "_release_delay_ms": release_delay_ms}).start()
    bench.chip.trips = trip
    bench.chip.held_off = BLOCKS[name]
    for _ in range(20):
        bench.step()
        assert bench.faults() == {name}
        assert bench.chip.lines() == GATES_BOTH & ~BLOCKS[name]
    bench.chip.trips = 0
    bench.chip.held_off = 0  # the chip would close again by itself
    waited_ms = bench.run_until(lambda: bench.faults() == set(), 100000)
    assert release_delay_ms <= waited_ms <= release_delay_ms + 200
    bench.step()
    assert bench.chip.gates() == GATES_BOTH


@pytest.mark.parametrize("trip", ROW_TRIPS, ids=ROW_TRIPS.values())
def test_after_a_trip_a_signal_short_of_its_release_keeps_the_gate_off(trip):
    name = MIRRORS[trip]
    bench = Bench().start()
    bench.chip.trips = trip
    bench.step()
    bench.chip.trips = 0
    place = name + "_release_"
    if name.startswith("cell"):
        bench.chip.cell_mv[0] = bench.setting(place + "mv")
    elif name == "overcurrent_charge":
        bench.chip.current_ma = bench.setting(place + "ma")
    elif name == "overcurrent_discharge":
        bench.chip.current_ma = -bench.setting(place + "ma")
    else:
        bench.chip.temperature_dc[0] = bench.setting(place + "dc")
    bench.run(100000)
    assert name in bench.faults()
    assert not bench.chip.lines() & BLOCKS[name]


@pytest.mark.parametrize("trip", [sample.TRIP_HOST_WATCHDOG, sample.TRIP_CHIP_OVERTEMPERATURE])
def test_a_trip_that_is_over_holds_the_gates_off_for_a_while(trip):
    bench = Bench().start()
    bench.chip.trips = trip
    bench.step()
    bench.chip.trips = 0
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert HOLD_MS - 100 <= took_ms <= HOLD_MS + 200


def test_a_trip_seen_while_the_measurement_is_implausible_counts():
    bench = Bench().start()
    bench.chip.cell_mv[1] = 12000
    bench.chip.trips = sample.TRIP_OVERCURRENT_DISCHARGE
    bench.step()
    assert bench.faults() == {"overcurrent_discharge"}
    assert bench.chip.lines() == GATE_CHARGE


def test_a_trip_seen_after_the_hold_over_counts_too():
    bench = Bench().start()
    bench.chip.cell_mv[1] = 12000
    bench.run(2000)
    bench.chip.trips = sample.TRIP_OVERCURRENT_DISCHARGE
    bench.step()
    assert bench.faults() == {"measurement_implausible", "overcurrent_discharge"}
    bench.chip.trips = 0
    bench.chip.cell_mv[1] = 3300
    bench.run(HOLD_MS + 2000)
    assert bench.faults() == {"overcurrent_discharge"}  # released by its own delay, 30 s
    assert bench.chip.lines() == GATE_CHARGE


@pytest.mark.parametrize("trip", LATCHING, ids=LATCHING.values())
def test_a_latched_fault_stays_until_it_is_cleared(trip):
    bench = Bench().start()
    bench.chip.trips = trip
    bench.step()
    bench.chip.trips = 0
    bench.run(3600000 // 10)
    assert bench.faults() == {LATCHING[trip]}
    assert bench.chip.lines() == 0
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    bench.step()
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH


@pytest.mark.parametrize("trip", LATCHING, ids=LATCHING.values())
def test_a_latched_fault_whose_cause_is_there_can_not_be_cleared(trip):
    bench = Bench().start()
    bench.chip.trips = trip
    for _ in range(100):
        bench.step()
        bench.ask(requests.CLEAR_FAULTS)
        bench.step()
        assert bench.faults() == {LATCHING[trip]}
        assert bench.chip.lines() == 0
        assert bench.chip.recovered_trips == trip
    bench.chip.trips = 0
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    assert bench.chip.lines() == 0
    assert bench.faults() == {LATCHING[trip]}


def test_a_latched_fault_survives_programming_and_a_lost_chip():
    bench = Bench().start()
    bench.chip.trips = sample.TRIP_SHORT_CIRCUIT
    bench.step()
    bench.chip.trips = 0
    bench.ask(requests.REPROGRAM_AFE)
    bench.run(10000)
    bench.chip.code = sample.CONFIGURATION_LOST
    bench.step()
    bench.chip.code = sample.BUS_ERROR
    bench.run(10000)
    bench.chip.code = OK
    bench.run(10000)
    assert bench.faults() == {"short_circuit"}
    assert bench.chip.lines() == 0


@pytest.mark.parametrize("name", ["cell_overvoltage", "overtemperature_charge"])
def test_clearing_does_not_touch_a_fault_that_releases_by_itself(name):
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3700 if name == "cell_overvoltage" else 3300
    bench.chip.temperature_dc[0] = 510 if name == "overtemperature_charge" else 250
    bench.run(5000)
    bench.chip.cell_mv[0] = 3500
    bench.chip.temperature_dc[0] = 460 if name == "overtemperature_charge" else 250
    for _ in range(10):
        bench.ask(requests.CLEAR_FAULTS)
        bench.step()
        assert name in bench.faults()
        assert not bench.chip.lines() & GATE_CHARGE


@pytest.mark.parametrize("trip", MIRRORS, ids=MIRRORS.values())
def test_what_had_tripped_in_the_chip_before_it_was_programmed_counts(trip):
    """The processor restarted: the chip still knows why it opened, and programming forgets it."""
    bench = Bench()
    bench.chip.found_trips = trip
    bench.run(2000)
    name = MIRRORS[trip]
    assert bench.faults() == {name}
    assert bench.chip.lines() == GATES_BOTH & ~BLOCKS[name]


@pytest.mark.parametrize("trouble", ["lost", "implausible", "programming"])
def test_a_latched_fault_is_not_cleared_while_its_cause_can_not_be_known(trouble):
    bench = Bench().start()
    bench.chip.trips = sample.TRIP_SHORT_CIRCUIT
    bench.step()
    bench.chip.trips = 0
    bench.run(HOLD_MS + 1000)
    if trouble == "lost":
        bench.chip.code = sample.BUS_ERROR
    elif trouble == "implausible":
        bench.chip.cell_mv[0] = 0
    else:
        bench.chip.programming_code = sample.BUS_ERROR
        bench.ask(requests.REPROGRAM_AFE)
    bench.run(2000)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(1000)
    assert "short_circuit" in bench.faults()


@pytest.mark.parametrize("watchdog_s", [1, 4, 5])
def test_a_step_later_than_the_chip_waits_for_us_counts_as_its_watchdog(watchdog_s):
    """It opened the gates, and forgot it as soon as it heard from us again."""
    bench = Bench(afe_watchdog_s=watchdog_s).start()
    bench.step(1000 * watchdog_s)
    assert "afe_watchdog" in bench.faults()
    assert bench.chip.lines() == 0
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert HOLD_MS - 100 <= took_ms <= HOLD_MS + 200
