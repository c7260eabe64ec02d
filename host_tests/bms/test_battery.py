"""The battery: start, programming, trips of the chip, latched faults, requests, its own failure."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bms import requests, sample
from bms.faults import Faults
from bms.point_rows import ROWS
from bms.points import (
    STATE_ACTIVE,
    STATE_FAILED,
    STATE_FAULT,
    STATE_PROGRAMMING,
    STATE_STANDBY,
    STATE_STARTING,
    STATE_UNCONFIGURED,
)
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, OK
from bms.table import INVALID, rows
from host_tests.bms.bench import Bench

MEASURED = [row[0] for row in rows(ROWS) if row[4] in ("fast", "slow")]
HOLD_MS = 5000  # how long a fault of the chip stays after its last sign

# Law 5: what the chip trips, and the fault of ours that mirrors it.
MIRRORS = {
    sample.TRIP_CELL_OVERVOLTAGE: "cell_overvoltage",
    sample.TRIP_CELL_UNDERVOLTAGE: "cell_undervoltage",
    sample.TRIP_OVERCURRENT_CHARGE: "overcurrent_charge",
    sample.TRIP_OVERCURRENT_DISCHARGE: "overcurrent_discharge",
    sample.TRIP_SHORT_CIRCUIT: "short_circuit",
    sample.TRIP_OVERTEMPERATURE_CHARGE: "overtemperature_charge",
    sample.TRIP_OVERTEMPERATURE_DISCHARGE: "overtemperature_discharge",
    sample.TRIP_UNDERTEMPERATURE_CHARGE: "undertemperature_charge",
    sample.TRIP_UNDERTEMPERATURE_DISCHARGE: "undertemperature_discharge",
    sample.TRIP_CHIP_OVERTEMPERATURE: "afe_overtemperature",
    sample.TRIP_HOST_WATCHDOG: "afe_watchdog",
    sample.TRIP_CHIP_FAILED: "afe_failed",
}
LATCHING = {sample.TRIP_SHORT_CIRCUIT: "short_circuit", sample.TRIP_CHIP_FAILED: "afe_failed"}
ROW_TRIPS = {
    trip: name for trip, name in MIRRORS.items() if "afe" not in name and trip not in LATCHING
}
FAULTS = Faults()
BLOCKS = {FAULTS.names.name(bit): FAULTS.blocks[bit] for bit in range(len(FAULTS))}


def check_off(bench):
    """Gates off, nothing allowed, nothing measured shown as live."""
    assert bench.chip.lines() == bench.chip.gates() == 0
    assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
    assert bench.point("charge_current_limit_ma") == 0
    assert bench.point("discharge_current_limit_ma") == 0


def check_blank(bench):
    for name in MEASURED:
        count = bench.points.counts[bench.points.index(name)]
        assert {bench.point(name, index) for index in range(count)} == {INVALID}, name


# Start


def test_the_off_lines_are_off_as_soon_as_the_battery_is_built():
    bench = Bench()
    assert bench.chip.lines() == 0
    bench = Bench(configured=False)
    assert bench.chip.lines() == 0


def test_states_from_power_up_to_guarding():
    bench = Bench()
    states = []
    while bench.now_ms < 2000:
        bench.step()
        state = bench.point("state")
        if not states or states[-1] != state:
            states.append(state)
        if state != STATE_ACTIVE:
            assert bench.chip.lines() == 0 and bench.point("charge_allowed") == 0
            check_blank(bench)
    assert states == [STATE_PROGRAMMING, STATE_STARTING, STATE_ACTIVE]
    assert bench.chip.gates() == bench.point("gates") == GATES_BOTH


def test_limits_are_0_until_the_slow_path_saw_a_measurement():
    bench = Bench()
    bench.run(2000)
    assert bench.point("charge_current_limit_ma") == 0
    assert bench.point("discharge_current_limit_ma") == 0
    bench.slow()
    bench.step()
    assert bench.point("charge_current_limit_ma") == 50000
    assert bench.point("discharge_current_limit_ma") == 100000


def test_no_gate_closes_before_the_chip_finished_a_scan():
    bench = Bench()
    bench.chip.scanning = False
    bench.run(3000)
    check_off(bench)
    check_blank(bench)
    assert bench.faults() == {"measurement_stale"}
    bench.chip.scanning = True
    bench.run(HOLD_MS + 200)
    assert bench.chip.gates() == GATES_BOTH


def test_without_a_configuration_nothing_is_measured_and_the_gates_are_off():
    bench = Bench(configured=False)
    bench.run(10000)
    bench.slow()
    bench.step()
    assert bench.faults() == {"configuration_invalid"}
    assert bench.point("state") == STATE_UNCONFIGURED
    assert bench.point("uptime_s") == 10
    check_off(bench)
    check_blank(bench)
    assert bench.chip.programmings == bench.chip.samples == 0
    # Nobody watches this chip: "off" is said again and again.
    assert bench.chip.commands >= 100


@pytest.mark.parametrize(
    "request_code",
    [requests.CLEAR_FAULTS, requests.GATES_OFF, requests.GATES_AUTO, requests.REPROGRAM_AFE],
)
def test_no_request_helps_without_a_configuration(request_code):
    bench = Bench(configured=False)
    bench.step()
    bench.ask(request_code)
    bench.run(1000)
    assert bench.faults() == {"configuration_invalid"}
    assert bench.chip.programmings == 0
    check_off(bench)


# Programming


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (sample.BUS_ERROR, "afe_lost"),
        (sample.WRONG_DEVICE, "afe_wrong_device"),
        (sample.VERIFY_FAILED, "afe_configuration"),
    ],
)
def test_programming_that_fails_names_its_fault_and_is_tried_again(code, fault):
    bench = Bench()
    bench.chip.programming_code = code
    bench.run(20000)
    assert bench.faults() == {fault}
    assert bench.point("state") == STATE_FAULT
    assert bench.chip.samples == 0
    check_off(bench)
    check_blank(bench)
    # Once in 1.0 s to 1.6 s: often enough to notice, seldom enough to leave the bus alone
    assert 12 <= bench.chip.programmings <= 20
    bench.chip.programming_code = OK
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert took_ms >= HOLD_MS - 1500
    assert bench.faults() == set()


def test_the_reason_why_programming_fails_changes_with_the_reason():
    bench = Bench()
    bench.chip.programming_code = sample.WRONG_DEVICE
    bench.run(3000)
    bench.chip.programming_code = sample.VERIFY_FAILED
    bench.run(HOLD_MS + 3000)
    assert bench.faults() == {"afe_configuration"}
    check_off(bench)


def test_a_chip_that_forgot_its_settings_is_programmed_again_with_the_gates_off():
    bench = Bench().start()
    bench.chip.code = sample.CONFIGURATION_LOST
    bench.step()
    assert bench.faults() == {"afe_restarted"}
    check_off(bench)
    check_blank(bench)
    bench.chip.code = OK
    bench.run(1000)
    assert bench.chip.programmings == 2
    check_off(bench)
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert took_ms <= HOLD_MS
    assert bench.faults() == set()


def test_a_chip_that_forgets_its_settings_all_the_time_never_closes_a_gate():
    bench = Bench().start()
    bench.chip.code = sample.CONFIGURATION_LOST
    bench.step()
    for _ in range(200):
        bench.step()
        assert "afe_restarted" in bench.faults()
        check_off(bench)


def test_reprogramming_on_request_opens_the_gates_and_goes_on_by_itself():
    bench = Bench().start()
    bench.ask(requests.REPROGRAM_AFE)
    bench.step()
    assert bench.point("state") == STATE_PROGRAMMING
    assert bench.chip.lines() == 0
    assert bench.faults() == set()
    check_blank(bench)
    assert bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 5000) <= 1500
    assert bench.chip.programmings == 2


@pytest.mark.parametrize("cause", ["request", "configuration lost"])
def test_an_active_fault_stays_shown_and_blocked_through_programming(cause):
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3700
    bench.run(2000)
    bench.chip.cell_mv[0] = 3500  # not past its release
    if cause == "request":
        bench.ask(requests.REPROGRAM_AFE)
    else:
        bench.chip.code = sample.CONFIGURATION_LOST
        bench.step()
        bench.chip.code = OK
    for _ in range(100):
        bench.step()
        assert "cell_overvoltage" in bench.faults()
        assert not bench.chip.lines() & GATE_CHARGE
    assert bench.chip.gates() == GATE_DISCHARGE


# Trips of the chip: mirrored, and re-closed by nobody but us


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


# Latched faults: law 4


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


# Requests: from outside one may only restrict


def test_gates_off_holds_until_gates_auto():
    bench = Bench().start()
    bench.ask(requests.GATES_OFF)
    bench.step()
    check_off(bench)
    bench.run(60000)
    check_off(bench)
    assert bench.point("state") == STATE_STANDBY
    assert bench.point("cell_min_mv") == 3300
    bench.ask(requests.GATES_AUTO)
    bench.step()
    bench.step()
    assert bench.point("state") == STATE_ACTIVE
    assert bench.chip.gates() == GATES_BOTH


def test_gates_off_survives_programming():
    bench = Bench().start()
    bench.ask(requests.GATES_OFF)
    bench.step()
    bench.ask(requests.REPROGRAM_AFE)
    bench.run(5000)
    assert bench.chip.programmings == 2
    check_off(bench)


def test_gates_auto_does_not_help_against_a_fault():
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3700
    bench.run(2000)
    for request_code in (requests.GATES_OFF, requests.GATES_AUTO, requests.CLEAR_FAULTS):
        bench.ask(request_code)
        bench.step()
        assert not bench.chip.lines() & GATE_CHARGE
    assert bench.faults() == {"cell_overvoltage"}


def test_the_letter_box_takes_one_request_at_a_time():
    bench = Bench().start()
    bench.ask(requests.GATES_OFF)
    assert not bench.battery.requests.post(requests.GATES_AUTO)
    bench.step()
    bench.ask(requests.GATES_AUTO)


# The fast path's own failure


class Broken(Exception):
    """Something that nobody expects."""


def test_an_exception_in_a_step_opens_the_gates_for_good_and_says_so():
    bench = Bench().start()
    failure = Broken("a wire in the firmware")
    bench.chip.failure = failure
    bench.step()
    assert bench.battery.failure is failure
    for _ in range(50):
        assert bench.chip.lines() == 0
        assert bench.faults() == {"step_failed"}
        assert bench.point("state") == STATE_FAILED
        assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
        assert bench.point("charge_current_limit_ma") == 0
        assert bench.point("discharge_current_limit_ma") == 0
        check_blank(bench)
        for request_code in (requests.CLEAR_FAULTS, requests.GATES_AUTO, requests.REPROGRAM_AFE):
            bench.battery.requests.pending = requests.NONE
            bench.ask(request_code)
            bench.step()
        # Even if something pulls the lines, the next step pushes back.
        bench.chip.charge_off(0)
        bench.chip.discharge_off(0)
        bench.step()
        bench.slow()


@pytest.mark.parametrize("moment", ["start", "programming", "guarding", "unconfigured"])
def test_an_exception_is_caught_whenever_it_comes(moment):
    bench = Bench(configured=moment != "unconfigured")
    if moment == "programming":
        bench.run(200)
    elif moment == "guarding":
        bench.start()
    bench.chip.failure = MemoryError("no room")
    bench.step()
    assert bench.point("state") == STATE_FAILED
    assert bench.chip.lines() == 0


def test_a_slow_step_that_was_under_way_does_not_show_old_values_of_a_failed_battery():
    """A step of the fast path may come between any two bytecodes of the slow path."""
    bench = Bench().start()
    bench.slow()
    assert bench.point("soc_bp") == 5000

    class Interrupted:
        """Points whose snapshot is followed at once by a step that fails."""

        def __init__(self, points):
            self.points = points
            self.fast_size = points.fast_size

        def snapshot_into(self, view):
            self.points.snapshot_into(view)
            bench.chip.failure = Broken("now")
            bench.step()

        def __getattr__(self, name):
            return getattr(self.points, name)

    slow = bench.battery._slow
    slow._points = Interrupted(bench.points)
    bench.slow()
    assert bench.point("cell_min_mv") == INVALID
    assert bench.point("soc_bp") == bench.point("remaining_mah") == INVALID


# Time


def run_through(bench, durations_ms):
    for elapsed_ms in durations_ms:
        bench.step(elapsed_ms)
    bench.step(100)  # one more, for what is published a step later
    names = ("uptime_s", "state", "measurement_age_ms", "gates", "charge_allowed")
    return [bench.point(name) for name in names], bench.faults()


@pytest.mark.parametrize("harm", ["nothing", "cell_high", "current", "lost", "recovered"])
def test_one_late_step_counts_like_the_ten_that_it_stands_for(harm):
    results = []
    for durations_ms in ([100] * 60, [1000] * 6, [100, 500, 400] * 6):
        bench = Bench().start()
        if harm == "cell_high":
            bench.chip.cell_mv[0] = 3700
        elif harm == "current":
            bench.chip.current_ma = -121000
        elif harm == "lost":
            bench.chip.code = sample.BUS_ERROR
        elif harm == "recovered":
            bench.chip.trips = sample.TRIP_HOST_WATCHDOG
            bench.step()
            bench.chip.trips = 0
        bench.step()
        results.append(run_through(bench, durations_ms))
    assert results[0] == results[1] == results[2]


def test_charge_is_counted_by_elapsed_time_however_it_is_cut():
    counted = []
    for durations_ms in ([100] * 36000, [1000] * 3600, [250, 50, 700] * 3600):
        bench = Bench().start()
        bench.chip.current_ma = 12345
        for elapsed_ms in durations_ms:
            bench.step(elapsed_ms)
        bench.slow()
        counted.append(bench.point("remaining_mah") - 140000)
    assert counted == [12345] * 3


def test_charge_that_flows_during_a_glitch_is_counted():
    bench = Bench().start()
    bench.chip.current_ma = 12000
    for step in range(36000):
        bench.chip.code = sample.BUS_ERROR if step % 4 == 0 else OK
        bench.step()
    bench.chip.code = OK
    bench.step()
    bench.slow()
    assert bench.point("remaining_mah") - 140000 == pytest.approx(12000, abs=1)


# Everything at random


DELAYS = {name + "_release_delay_ms": 400 for name in ROW_TRIPS.values()}


class AnyBattery(RuleBasedStateMachine):
    """Random worlds and requests against what must hold after every single step.

    The model knows what it asked for and what the chip said, nothing of how the battery works.
    """

    @initialize(
        configured=st.sampled_from([True, True, True, False]),
        release_delay_ms=st.sampled_from([0, 400]),
    )
    def build(self, configured, release_delay_ms):
        delays = dict.fromkeys(DELAYS, release_delay_ms)
        self.bench = Bench(configured, **(delays if configured else {}))
        self.configured = configured
        self.restricted = False
        self.seen_good = False  # whether a plausible, new scan was there since programming
        self.bad = 0  # samples in a row
        self.stale_ms = 0
        self.latched = {}  # fault: ms since its trip was last seen
        self.failed = False
        self.shown_cells = None
        if configured:
            self.bench.start()
            self.seen_good = True

    @property
    def chip(self):
        return self.bench.chip

    @rule(cell=st.integers(0, 3), value=st.sampled_from([0, 2600, 3300, 3500, 3700, 12000]))
    def cell(self, cell, value):
        self.chip.cell_mv[cell] = value

    @rule(value=st.sampled_from([-3000000, -200000, -130000, -1, 0, 20000, 70000, 999999]))
    def current(self, value):
        self.chip.current_ma = value

    @rule(sensor=st.integers(0, 1), value=st.sampled_from([-2731, -250, -50, 250, 480, 650, 2000]))
    def temperature(self, sensor, value):
        self.chip.temperature_dc[sensor] = value

    @rule(value=st.sampled_from([0, 300, 700, -700, 250000]))
    def stack(self, value):
        self.chip.stack_error_mv = value

    @rule(code=st.sampled_from([OK, OK, sample.BUS_ERROR, sample.CONFIGURATION_LOST]))
    def answer(self, code):
        self.chip.code = code

    @rule(
        code=st.sampled_from([OK, OK, sample.BUS_ERROR, sample.WRONG_DEVICE, sample.VERIFY_FAILED])
    )
    def programming(self, code):
        self.chip.programming_code = code

    @rule(scanning=st.booleans())
    def scanning(self, scanning):
        self.chip.scanning = scanning

    @rule(trip=st.sampled_from([0, 0, *MIRRORS]), others=st.integers(0, 0xFFF))
    def trips(self, trip, others):
        self.chip.trips = trip | (others if others & 3 == 0 else 0)

    @rule(gates=st.sampled_from([OK, OK, sample.BUS_ERROR]), on=st.integers(0, 3))
    def gate_troubles(self, gates, on):
        self.chip.gates_code = gates
        self.chip.stuck_on = on

    @rule(request=st.integers(1, requests.REPROGRAM_AFE))
    def post(self, request):
        self.bench.battery.requests.post(request)

    @rule()
    def slow(self):
        self.bench.slow()

    @rule()
    def heal(self):
        chip = self.chip
        chip.set_cells(3300)
        chip.set_temperatures(250)
        chip.current_ma = chip.stack_error_mv = chip.trips = chip.stuck_on = 0
        chip.code = chip.programming_code = chip.gates_code = OK
        chip.scanning = True

    @rule(count=st.integers(1, 80), elapsed_ms=st.sampled_from([20, 100, 250, 1000]))
    def steps(self, count, elapsed_ms):
        for _ in range(count):
            self.step(elapsed_ms)

    @rule()
    def fail(self):
        self.chip.failure = Broken("at random")
        self.failed = True
        while self.chip.failure is not None and self.bench.battery.failure is None:
            self.step(100)
        self.chip.failure = None

    def step(self, elapsed_ms):
        pending = self.bench.battery.requests.pending
        samples = self.chip.samples
        programmings = self.chip.programmings
        self.bench.step(elapsed_ms)
        self.note_request(pending)
        sampled = self.chip.samples > samples
        if self.chip.programmings > programmings:
            self.seen_good = False
        if sampled:
            self.note_sample(elapsed_ms)
        elif not self.chip.programmed:
            self.seen_good = False
        for fault in self.latched:
            self.latched[fault] += elapsed_ms
        if sampled and self.chip.code == OK:
            for trip, fault in LATCHING.items():
                if self.chip.trips & trip:
                    self.latched[fault] = 0
        self.check_step(sampled)

    def note_request(self, pending):
        if self.failed:
            return
        if pending == requests.GATES_OFF:
            self.restricted = True
        elif pending == requests.GATES_AUTO:
            self.restricted = False
        elif pending == requests.CLEAR_FAULTS:
            # May be gone only if its cause has been gone for a while.
            for fault in [name for name, gone_ms in self.latched.items() if gone_ms >= HOLD_MS]:
                del self.latched[fault]

    def note_sample(self, elapsed_ms):
        chip = self.chip
        plausible = (
            300 <= min(chip.cell_mv)
            and max(chip.cell_mv) <= 5000
            and -400 <= min(chip.temperature_dc)
            and max(chip.temperature_dc) <= 1200
            and abs(chip.current_ma) < 1000000
            and 0 <= sum(chip.cell_mv) + chip.stack_error_mv <= 160000
        )
        self.stale_ms = 0 if chip.scanning and chip.code == OK else self.stale_ms + elapsed_ms
        if chip.code == OK and plausible and (chip.scanning or self.stale_ms <= 500):
            self.bad = 0
            if chip.scanning:
                self.seen_good = True
        elif chip.code != OK or not plausible:
            self.bad += 1

    def check_step(self, sampled):
        bench, chip = self.bench, self.chip
        lines = chip.lines()
        faults = bench.faults()
        for fault in faults:
            assert not lines & BLOCKS[fault], fault
            for gate, word in ((GATE_CHARGE, "charge"), (GATE_DISCHARGE, "discharge")):
                if BLOCKS[fault] & gate:
                    assert bench.point(word + "_allowed") == 0
                    assert bench.point(word + "_current_limit_ma") == 0
        must_be_off = (
            not self.configured
            or self.restricted
            or self.failed
            or not chip.programmed
            or not self.seen_good
            or self.bad > 3
            or self.stale_ms > 500 + 1000
            or self.latched
        )
        if must_be_off:
            assert lines == 0
            assert bench.point("charge_allowed") == bench.point("discharge_allowed") == 0
        assert set(self.latched) <= faults or self.failed
        if sampled and chip.code == OK and not self.failed:
            for trip, fault in MIRRORS.items():
                if chip.trips & trip:
                    assert fault in faults
                    assert not lines & BLOCKS[fault]
        assert chip.lines() == 0 or chip.commanded & ~lines == 0 or chip.gates_code != OK

    @invariant()
    def nothing_invalid_looks_live(self):
        bench = self.bench
        shown = {
            name: [bench.point(name, i) for i in range(bench.points.counts[bench.points.index(name)])]
            for name in MEASURED
        }
        if bench.point("cell_min_mv") == INVALID:
            assert bench.chip.lines() == 0
            for name, values in shown.items():
                # The slow path's come with its next turn at the latest.
                assert set(values) == {INVALID} or name in ("soc_bp", "remaining_mah")
        else:
            cells = shown["cell_voltage_mv"][:4]
            assert min(cells) == bench.point("cell_min_mv") >= 300
            assert max(cells) == bench.point("cell_max_mv") <= 5000
            assert abs(bench.point("current_ma")) < 1000000
            assert bench.point("temperature_min_dc") >= -400
        if self.failed and bench.battery.failure is not None:
            assert bench.point("state") == STATE_FAILED


TestAnyBattery = AnyBattery.TestCase
TestAnyBattery.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
