"""Law 5: every trip of the chip is mirrored as our own force-off; law 4: some of them latch."""

import pytest

from bms import requests, sample
from bms.sample import BUS_ERROR, GATE_CHARGE, GATES_BOTH, OK
from host_tests.bms.bench import Bench
from host_tests.bms.mirrors import BLOCKS, HOLD_MS, LATCHING, MIRRORS
from host_tests.bms.row_bench import NAMES, Row, drive, lone_bench, setting_name

# The same protection stands in software too: its release decides.
ROW_TRIPS = {trip: name for trip, name in MIRRORS.items() if name in NAMES}
HELD_TRIPS = [trip for trip in MIRRORS if trip not in ROW_TRIPS and trip not in LATCHING]


def test_every_trip_of_the_drivers_has_its_mirror():
    trips = {value for name, value in vars(sample).items() if name.startswith("TRIP_")}
    assert trips == set(MIRRORS)
    assert len(set(MIRRORS.values())) == len(MIRRORS)


@pytest.mark.parametrize("trip", MIRRORS, ids=MIRRORS.values())
def test_a_trip_of_the_chip_is_a_fault_and_a_force_off_in_the_same_step(trip):
    bench = Bench().start()
    bench.events()
    bench.chip.trips = trip
    bench.step()
    name = MIRRORS[trip]
    assert bench.faults() == {name}
    assert bench.chip.lines() == bench.chip.commanded == GATES_BOTH & ~BLOCKS[name]
    assert BLOCKS[name]
    events = bench.events()
    assert ("afe_trip", 0, trip) in events
    assert ("fault", name) in [event[:2] for event in events]
    bench.run(60000)  # as long as the chip says so, whatever our own rows find
    assert bench.faults() == {name}
    assert bench.chip.lines() == GATES_BOTH & ~BLOCKS[name]


def test_only_new_trips_are_logged():
    bench = Bench().start()
    bench.events()
    both = sample.TRIP_CELL_OVERVOLTAGE | sample.TRIP_CHIP_OVERTEMPERATURE
    for trips, new in (
        (sample.TRIP_CELL_OVERVOLTAGE, sample.TRIP_CELL_OVERVOLTAGE),
        (sample.TRIP_CELL_OVERVOLTAGE, None),
        (both, sample.TRIP_CHIP_OVERTEMPERATURE),
        (sample.TRIP_CELL_OVERVOLTAGE, None),
        (0, None),
        (both, both),
    ):
        bench.chip.trips = trips
        bench.step()
        logged = [event[2] for event in bench.events() if event[0] == "afe_trip"]
        assert logged == ([] if new is None else [new])


@pytest.mark.parametrize("release_delay_ms", [0, 5000])
@pytest.mark.parametrize("trip", ROW_TRIPS, ids=ROW_TRIPS.values())
def test_after_a_trip_of_the_chip_our_own_release_decides(trip, release_delay_ms):
    name = MIRRORS[trip]
    settings = {setting_name(name, "release_delay"): release_delay_ms}
    bench = lone_bench(name, **settings).start()
    bench.chip.trips = trip
    bench.chip.held_off = BLOCKS[name]
    if name == "cell_undervoltage":
        bench.chip.current_ma = 501  # it wants a charge current, too
    for _ in range(15):
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
    row = Row(name)
    row.bench.chip.trips = trip
    row.bench.step()
    row.bench.chip.trips = 0
    row.drive("release")
    row.bench.run(100000)
    assert name in row.bench.faults()
    assert not row.bench.chip.lines() & BLOCKS[name]


@pytest.mark.parametrize("trip", HELD_TRIPS, ids=[MIRRORS[trip] for trip in HELD_TRIPS])
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
    assert bench.faults() == {"fast_overcurrent_discharge"}
    assert bench.chip.lines() == GATE_CHARGE


def test_a_trip_seen_after_the_hold_over_counts_too():
    bench = Bench().start()
    bench.chip.cell_mv[1] = 12000
    bench.run(2000)
    bench.chip.trips = sample.TRIP_OVERCURRENT_DISCHARGE
    bench.step()
    assert bench.faults() == {"measurement_implausible", "fast_overcurrent_discharge"}
    bench.chip.trips = 0
    bench.chip.cell_mv[1] = 3300
    bench.run(HOLD_MS + 2000)
    assert bench.faults() == {"fast_overcurrent_discharge"}  # released by its own delay, 30 s
    assert bench.chip.lines() == GATE_CHARGE


@pytest.mark.parametrize("way", ["charge", "discharge"])
def test_the_software_backs_up_the_fast_over_current_of_the_chip(way):
    """Should the chip not trip: slower, but before the slow one."""
    bench = Bench(gates_off_current_ma=20000).start()
    drive(bench.chip, "overcurrent_" + way, bench.setting(f"fast_overcurrent_{way}_ma") + 1)
    took_ms = bench.run_until(bench.faults, 3000)
    assert bench.faults() == {"fast_overcurrent_" + way}
    backup_ms = bench.setting("fast_overcurrent_backup_ms")
    assert backup_ms <= took_ms <= backup_ms + 200


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


def test_one_clear_waits_for_the_hold_of_a_trip_that_was_just_seen():
    bench = Bench().start()
    bench.chip.trips = sample.TRIP_CHIP_FAILED
    bench.step()
    bench.chip.trips = 0
    bench.ask(requests.CLEAR_FAULTS)
    took_ms = bench.run_until(lambda: bench.faults() == set(), 10000)
    assert HOLD_MS - 100 <= took_ms <= HOLD_MS + 200


def test_a_clear_does_not_go_on_for_ever():
    """What comes back after eight seconds needs a person again."""
    bench = Bench().start()
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(HOLD_MS + 3000)
    bench.chip.trips = sample.TRIP_CHIP_FAILED
    bench.step()
    bench.chip.trips = 0
    bench.run(60000)
    assert bench.faults() == {"afe_failed"}


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
    bench.step(1000 * watchdog_s - 1)
    assert "afe_watchdog" not in bench.faults()
    bench.run(10000)
    bench.step(1000 * watchdog_s)
    assert "afe_watchdog" in bench.faults()
    assert bench.chip.lines() == 0
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert HOLD_MS - 100 <= took_ms <= HOLD_MS + 200


def shorted(load):
    """A pack after a short circuit, which the chip latched too."""
    bench = Bench().start()
    bench.chip.load = load
    bench.chip.latched_trips = sample.TRIP_SHORT_CIRCUIT
    bench.step()
    assert bench.faults() == {"short_circuit"}
    return bench


def test_a_short_circuit_stays_until_the_load_is_gone_then_one_clear_is_enough():
    bench = shorted(load=True)
    for _ in range(5):
        bench.ask(requests.CLEAR_FAULTS)
        bench.run(10000)
        assert bench.faults() == {"short_circuit"}
        assert bench.chip.lines() == 0
        assert bench.chip.detecting
    bench.chip.load = False
    bench.run(10000)
    assert bench.faults() == {"short_circuit"}  # a person's word is still missing
    bench.ask(requests.CLEAR_FAULTS)
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 9000)
    assert took_ms <= HOLD_MS + 3000
    bench.step()
    assert not bench.chip.detecting
    assert bench.faults() == set()


def test_the_load_of_a_short_circuit_is_looked_for_only_while_all_gates_are_off():
    bench = Bench().start()
    bench.chip.stuck_on = GATE_CHARGE
    bench.chip.trips = sample.TRIP_SHORT_CIRCUIT
    for _ in range(30):
        bench.step()
        assert not bench.chip.detecting
    bench.chip.stuck_on = 0
    bench.run(200)
    assert bench.chip.detecting
    bench.ask(requests.REPROGRAM_AFE)
    bench.step()
    assert not bench.chip.detecting


@pytest.mark.parametrize("trip", [0, sample.TRIP_CHIP_FAILED])
def test_without_a_short_circuit_no_load_is_looked_for(trip):
    bench = Bench().start()
    bench.chip.trips = trip
    bench.ask(requests.GATES_OFF)
    bench.run(3000)
    assert not bench.chip.detecting


def test_a_load_that_can_not_be_looked_for_yet_is_looked_for_later():
    bench = Bench().start()
    bench.chip.detect_code = BUS_ERROR
    bench.chip.load = True
    bench.chip.trips = sample.TRIP_SHORT_CIRCUIT
    bench.run(1000)
    assert not bench.chip.detecting
    bench.chip.detect_code = OK
    bench.run(200)
    assert bench.chip.detecting


OTHER = sample.TRIP_OVERTEMPERATURE_CHARGE


def test_the_chip_recovers_only_what_stood_when_a_person_asked():
    bench = shorted(load=True)
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    bench.chip.trips = OTHER
    for _ in range(20):
        bench.step()
        assert bench.chip.recovered_trips == sample.TRIP_SHORT_CIRCUIT


def test_the_chip_is_asked_again_until_it_let_go_and_not_once_more():
    bench = shorted(load=True)
    bench.run(3000)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(500)
    assert bench.chip.latched_trips
    bench.chip.load = False
    bench.step()
    bench.step()
    assert not bench.chip.latched_trips
    bench.chip.recovered_trips = -1
    bench.run(2000)  # the load was there when it was asked for, so a person must ask again
    assert bench.faults() == {"short_circuit"}
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(6000)
    assert bench.faults() == set()
    assert bench.chip.recovered_trips in (-1, 0)
    bench.chip.recovered_trips = -1
    bench.chip.latched_trips = sample.TRIP_SHORT_CIRCUIT  # a new one
    bench.run(60000)
    assert bench.chip.recovered_trips == -1
    assert bench.faults() == {"short_circuit"}


def test_a_short_circuit_that_comes_back_soon_after_it_was_cleared_needs_a_person_again():
    """Within the eight seconds, too: law 4."""
    bench = Bench().start()
    bench.chip.trips = sample.TRIP_SHORT_CIRCUIT
    bench.step()
    bench.chip.trips = 0
    bench.run(6000)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(500)
    assert bench.faults() == set()
    bench.chip.trips = sample.TRIP_SHORT_CIRCUIT
    bench.step()
    bench.chip.trips = 0
    bench.run(60000)
    assert bench.faults() == {"short_circuit"}
    assert bench.chip.lines() == 0


def test_what_others_report_is_cleared_only_when_it_is_asked_for_after_its_end():
    bench = Bench().start()
    bench.battery.condition("boot_loop", True)
    bench.step()
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    bench.battery.condition("boot_loop", False)
    bench.run(60000)
    assert bench.faults() == {"boot_loop"}
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    assert bench.faults() == set()


@pytest.mark.parametrize("trip", MIRRORS, ids=MIRRORS.values())
def test_a_chip_whose_current_sensor_is_lost_still_mirrors_its_trips(trip):
    bench = Bench().start()
    bench.events()
    bench.chip.code = sample.SENSOR_LOST
    bench.chip.trips = trip
    bench.step()
    assert bench.faults() == {MIRRORS[trip]}
    assert bench.chip.lines() == GATES_BOTH & ~BLOCKS[MIRRORS[trip]]
    assert ("afe_trip", 0, trip) in bench.events()
