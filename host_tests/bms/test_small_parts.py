"""Parts of the fast path alone, to the millisecond and to the last bit."""

import sys
from array import array

import pytest

from bms import measurement, protection
from bms.chip_care import ChipCare
from bms.events import Events
from bms.fault_register import FaultRegister
from bms.faults import Faults
from bms.measurement import (
    IMPLAUSIBLE,
    STALE,
    THERMISTOR_OPEN,
    THERMISTOR_SHORT,
    WIRE_OPEN,
    Measurement,
)
from bms.precharge import Precharge, heat_mj, problem
from bms.protection import Protection
from bms.protection_rows import ROWS
from bms.rebounds import Rebounds
from bms.sample import BUS_ERROR, CONFIGURATION_LOST, GATE_CHARGE, OK, Sample
from bms.timekeeping import Timekeeping
from bms.trips import TripMirror
from host_tests.bms.bench import Bench, clear, parameters_with
from host_tests.bms.fake_chip import FakeChip
from host_tests.bms.mirrors import MIRRORS

TABLE = Faults()
HOLD_MS = 5000
HEAP_OBJECT = 1 << 30


def bit(name):
    return TABLE.names.index(name)


def active(register):
    return {TABLE.names.name(fault) for fault in range(len(TABLE)) if register.is_active(fault)}


def check_reported_now_and_no_longer(register, name):
    """Its cause was seen in this step; when it is gone, a person's clear helps at once."""
    register.step(0)
    assert name in active(register)
    register.step(0)
    clear(register)
    assert name not in active(register)


# -- the fault register


def test_a_restored_fault_can_be_cleared_before_any_step():
    register = FaultRegister(TABLE)
    register.restore(bit("short_circuit"))
    clear(register)
    assert active(register) == set()


def test_a_fault_that_is_over_does_not_come_back_when_steps_get_shorter():
    register = FaultRegister(TABLE)
    register.report(bit("afe_lost"), 150)
    register.step(0)
    register.report(bit("cell_overvoltage"), 0)
    register.step(200)
    assert active(register) == {"cell_overvoltage"}
    register.report(bit("cell_overvoltage"), 0)
    assert register.step(100) == GATE_CHARGE
    assert active(register) == {"cell_overvoltage"}


def held(name="short_circuit"):
    """A register with a latching fault that was just seen, and is held for a while."""
    register = FaultRegister(TABLE)
    register.report(bit(name), HOLD_MS)
    register.step(0)
    clear(register)
    assert active(register) == {name}
    return register


def test_what_was_seen_a_moment_ago_is_cleared_when_its_hold_is_over():
    register = held()
    register.step(HOLD_MS - 1)
    register.clear_asked(True)
    assert active(register) == {"short_circuit"}
    register.step(1)
    register.clear_asked(True)
    assert active(register) == set()


def test_a_fault_that_is_seen_again_meanwhile_is_still_asked_for():
    register = held()
    register.report(bit("short_circuit"), HOLD_MS)
    register.step(100)
    register.step(HOLD_MS)
    register.clear_asked(True)
    assert active(register) == set()


def test_whoever_stopped_asking_has_to_ask_again():
    register = held()
    register.clear_asked(False)
    register.step(HOLD_MS)
    register.clear_asked(True)
    assert active(register) == {"short_circuit"}


@pytest.mark.parametrize("name", ["short_circuit", "afe_failed"])
def test_a_fault_that_comes_after_somebody_asked_is_not_cleared(name):
    register = held()
    register.step(HOLD_MS)
    register.clear_asked(True)
    register.report(bit(name), 0)
    register.step(0)
    register.step(0)
    register.clear_asked(True)
    assert active(register) == {name}


def test_what_is_kept_needs_more_than_a_clear():
    register = FaultRegister(TABLE)
    register.kept[bit("short_circuit")] = 1
    for name in ("short_circuit", "afe_failed"):
        register.report(bit(name), 0)
    register.step(0)
    register.step(0)
    clear(register)
    register.clear_asked(True)
    assert active(register) == {"short_circuit"}
    register.clear_one(bit("short_circuit"))
    assert active(register) == set()


# -- protection rows


def rows_of(**settings):
    return Protection(parameters_with(settings), TABLE), FaultRegister(TABLE)


def signals_of(cell_mv=3300):
    signals = array("i", [0] * protection.SIGNALS)
    for signal in (protection.CELL_MAX_MV, protection.CELL_MIN_MV, protection.CELL_MEAN_MV):
        signals[signal] = cell_mv
    signals[protection.TEMPERATURE_MAX_DC] = signals[protection.TEMPERATURE_MIN_DC] = 250
    return signals


def test_the_table_of_rows_is_in_memory_only_while_it_is_read():
    rows_of()
    assert "bms.protection_rows" not in sys.modules


def test_before_the_first_measurement_nothing_warns_is_pending_or_empty():
    rows, _ = rows_of()
    assert list(rows.warnings) == [0, 0, 0, 0]
    assert rows.pending == 0
    assert not rows.undervoltage()
    assert Bench().warnings() == set()


@pytest.mark.parametrize("measured", [True, False])
def test_a_row_s_fault_is_over_in_the_step_in_which_the_row_releases(measured):
    rows, register = rows_of(cell_overvoltage_release_delay_ms=0)
    assert rows.force(bit("cell_overvoltage"))
    if measured:
        rows.step(signals_of(3700), 100, register, True)
    else:
        rows.hold(register, 100)
    register.step(0)
    assert "cell_overvoltage" in active(register)
    rows.step(signals_of(), 0, register, True)
    register.step(0)
    assert "cell_overvoltage" not in active(register)


def test_only_faults_that_a_row_releases_can_be_forced():
    rows, register = rows_of()
    with_row = {row[0] for row in ROWS}
    for fault in range(len(TABLE)):
        assert rows.force(fault) == (TABLE.names.name(fault) in with_row)
    rows.hold(register, 100)
    register.step(0)
    assert active(register) == with_row


def test_while_nothing_is_measured_nothing_warns_or_is_pending_and_delays_begin_anew():
    rows, register = rows_of(cell_overvoltage_delay_ms=500)
    rows.step(signals_of(3700), 100, register, True)
    rows.step(signals_of(3700), 499, register, True)
    assert rows.pending and list(rows.warnings) != [0, 0, 0, 0]
    rows.hold(register, 100)
    assert not rows.pending and list(rows.warnings) == [0, 0, 0, 0]
    rows.step(signals_of(3700), 499, register, True)
    register.step(0)
    assert "cell_overvoltage" not in active(register)


@pytest.mark.parametrize(
    ("name", "tripping_mv", "release_mv", "inside"),
    [
        # 3550 warns, 3650 trips and 3500 releases, so tight: 3550 trips and 3400 releases
        ("cell_overvoltage", 3551, 3400, -1),
        # 2900 warns, 2700 trips and 3000 releases, so tight: 2900 trips and 3200 releases
        ("cell_undervoltage", 2899, 3200, 1),
    ],
)
def test_tight_trips_release_as_far_from_them_as_the_others_do(
    name, tripping_mv, release_mv, inside
):
    rows, register = rows_of(
        cell_overvoltage_warn_mv=3550,
        cell_overvoltage_trip_mv=3650,
        cell_overvoltage_release_mv=3500,
        cell_undervoltage_warn_mv=2900,
        cell_undervoltage_trip_mv=2700,
        cell_undervoltage_release_mv=3000,
        charge_cell_mv=3450,
    )
    rows.tight = True

    def shown(cell_mv):
        signals = signals_of()
        signals[protection.CELL_MAX_MV] = max(3300, cell_mv)
        signals[protection.CELL_MIN_MV] = min(3300, cell_mv)
        signals[protection.CHARGE_MA] = 1000  # lets an empty cell release
        for _ in range(20):
            rows.step(signals, 1000, register, True)
            register.step(1000)
        return name in active(register)

    assert shown(tripping_mv)
    assert shown(release_mv)
    assert not shown(release_mv + inside)


def test_a_pack_that_was_empty_before_is_not_well_by_rest_alone():
    rows, register = rows_of()
    rows.force_undervoltage()
    for _ in range(20):
        rows.step(signals_of(), 1000, register, True)
        register.step(1000)
    assert active(register) == {"cell_undervoltage", "pack_undervoltage"}
    assert rows.undervoltage()


def rest(rows, register, cell_mv):
    """Long enough for everything, without current; whether the pack counts as empty then."""
    for _ in range(20):
        rows.step(signals_of(cell_mv), 1000, register, True)
        register.step(1000)
    return rows.undervoltage()


def test_a_person_s_word_is_for_the_next_release_of_an_empty_pack_and_for_no_other():
    rows, register = rows_of()
    rows.release_by_person()  # not empty: this counts for nothing
    assert rest(rows, register, 2600)
    assert rest(rows, register, 3300)
    rows.release_by_person()
    assert rest(rows, register, 2600)  # still low: it waits
    assert not rest(rows, register, 3300)
    assert rest(rows, register, 2600)
    assert rest(rows, register, 3300)


@pytest.mark.parametrize("waited_ms", [89999, 90000])
@pytest.mark.parametrize("blind", [False, True])
def test_a_person_s_word_to_an_empty_pack_lasts_a_minute_and_a_half(waited_ms, blind):
    names = ("cell_undervoltage", "pack_undervoltage")
    rows, register = rows_of(**dict.fromkeys([name + "_release_delay_ms" for name in names], 0))
    assert rest(rows, register, 2600)
    rows.release_by_person()
    if blind:
        rows.hold(register, waited_ms)
    else:
        rows.step(signals_of(2600), waited_ms, register, True)
    rows.step(signals_of(), 0, register, True)
    assert rows.undervoltage() == (waited_ms >= 90000)


def test_a_forced_row_has_its_whole_release_delay_before_it():
    rows, register = rows_of(cell_overvoltage_delay_ms=5000, cell_overvoltage_release_delay_ms=500)
    rows.step(signals_of(3700), 100, register, True)
    rows.step(signals_of(3700), 3000, register, True)  # on its way
    rows.force(bit("cell_overvoltage"))
    rows.step(signals_of(), 100, register, True)
    for elapsed_ms in (100, 499):
        rows.step(signals_of(), elapsed_ms, register, True)
        register.step(0)
        assert "cell_overvoltage" in active(register)
    rows.step(signals_of(), 1, register, True)
    register.step(0)
    assert "cell_overvoltage" not in active(register)


# -- the resistor


def resistor(**settings):
    parameters = parameters_with(settings)
    sample = Sample(4, 2)
    sample.stack_mv = 52000
    return Precharge(parameters, TABLE), FaultRegister(TABLE), sample


@pytest.mark.parametrize("difference_mv", [52000, 52001, 99999, 100000, -52001])
@pytest.mark.parametrize("elapsed_ms", [0, 1, 9000, 9999])
def test_heat_is_rounded_up_by_less_than_a_tenth_of_a_watt(difference_mv, elapsed_ms):
    """Through 1 ohm; the voltage is rounded up to 10 mV."""
    exact_mj = difference_mv**2 * elapsed_ms / 10**6
    rounded_mv = -(-abs(difference_mv) // 10) * 10
    most_mj = (rounded_mv**2 / 10**3 + 100) * elapsed_ms / 1000 + 1
    assert exact_mj <= heat_mj(difference_mv, 1, elapsed_ms) <= most_mj


def test_heat_is_bounded_where_no_pack_and_no_step_gets():
    assert heat_mj(200000, 1, 9000) == heat_mj(100000, 1, 9000)
    assert heat_mj(52000, 1, 60000) == heat_mj(52000, 1, 9999)
    assert heat_mj(0, 47, 0) == 1


def test_energy_is_bounded_below_what_becomes_a_heap_object():
    part, register, sample = resistor(precharge_ohm=1)
    assert part.energy_mj == 0
    sample.stack_mv = 100000
    part.begin(100000)
    for _ in range(20):
        part.step(sample, True, 10000, register)
        assert part.energy_mj + heat_mj(100000, 1, 10000) < HEAP_OBJECT
    assert part.energy_mj == 1 << 29  # 50 times what any resistor bears


@pytest.mark.parametrize(
    ("settings", "enough_j"),
    [
        # 58.4 V^2 / 47 ohm is 72.57 W, 72.6 W rounded up: 196.02 J in 2.7 s, 196.89 J in 2.712 s
        ({"precharge_time_max_ms": 2000}, 197),
        ({"precharge_time_max_ms": 2012}, 197),
    ],
)
def test_a_resistor_must_bear_the_whole_joules_of_a_try_into_a_short(settings, enough_j):
    settings = {"series_cells": 16, "overrun_ms": 700, **settings}
    assert not problem(parameters_with({"precharge_max_j": enough_j, **settings}))
    text = problem(parameters_with({"precharge_max_j": enough_j - 1, **settings}))
    assert "at least %d:" % enough_j in text


def test_a_try_may_begin_exactly_when_it_fits():
    part, _, _ = resistor(precharge_max_j=200, precharge_time_max_ms=2000, overrun_ms=700)
    worst_mj = heat_mj(52000, 47, 2000 + 700)  # 47 ohm is the default
    part.energy_mj = 200 * 1000 - worst_mj
    assert part.ready(52000)
    part.energy_mj += 1
    assert not part.ready(52000)


def test_a_relay_must_bear_the_time_until_the_chip_s_watchdog_cuts_its_coil():
    """Set to 4 s, the watchdog opens the gates up to 250 ms later."""
    part, _, _ = resistor(power_path=2, afe_watchdog_s=4, precharge_max_j=400)
    part.energy_mj = 400 * 1000 - heat_mj(52000, 47, 4250)
    assert part.ready(52000)
    part.energy_mj += 1
    assert not part.ready(52000)


def test_the_resistor_bears_the_difference_between_stack_and_bus():
    part, register, sample = resistor()
    sample.bus_mv = 40000
    part.begin(52000)
    part.step(sample, True, 1000, register)
    assert part.energy_mj == heat_mj(12000, 47, 1000)


def test_a_try_ends_when_another_step_would_be_too_late_by_a_millisecond():
    part, register, sample = resistor(precharge_time_max_ms=2000)
    part.begin(52000)
    part.step(sample, True, 1900, register)
    assert not part.ends(0)
    part.step(sample, True, 1, register)
    assert part.ends(0)


def test_the_cool_down_time_is_kept_to_the_millisecond_and_the_resistor_gets_no_colder():
    part, register, sample = resistor(precharge_cooldown_s=5)
    part.begin(52000)
    part.step(sample, True, 10, register)
    part.fail()
    part.step(sample, True, 4999, register)
    assert not part.ready(52000)
    part.step(sample, True, 1, register)
    assert part.ready(52000)
    for _ in range(10):
        part.step(sample, True, 9000, register)
        assert part.energy_mj == 0


def test_a_person_s_clear_ends_the_cool_down_time_of_the_third_try_at_once():
    part, register, sample = resistor(precharge_cooldown_s=60)
    for _ in range(3):
        part.begin(52000)
        part.fail()
    assert part.failed
    part.step(sample, True, 0, register)
    check_reported_now_and_no_longer(register, "precharge_failed")
    part.step(sample, True, 0, register)
    assert not part.failed
    assert part.ready(52000)


# -- care of the chip


class Care:
    """ChipCare over the fake chip, with its off lines off."""

    def __init__(self):
        self.chip = FakeChip()
        self.chip.charge_off(1)
        self.chip.discharge_off(1)
        self.register = FaultRegister(TABLE)
        self.part = ChipCare(self.chip, TABLE, self.register)

    def bring_up(self, elapsed_ms=20):
        """Until it guards; the steps it took."""
        for steps in range(1, 50):
            if self.part.step(elapsed_ms):
                return steps
            assert self.part.busy
        raise AssertionError("it never guards")

    def guarding(self):
        self.part.start()
        self.bring_up()
        return self

    def restart(self, names):
        """The chip restarts: exactly these faults are reported."""
        self.part.restarted()
        self.register.step(0)
        assert active(self.register) == names
        self.register.step(HOLD_MS)
        clear(self.register)

    def short_is_reported(self, elapsed_ms, gates, load_mv):
        """Whether a short circuit that stands can not be cleared after this step."""
        self.register.step(0)
        self.register.restore(bit("short_circuit"))
        self.part.guard(elapsed_ms, gates, load_mv)
        clear(self.register)
        return "short_circuit" in active(self.register)


def test_a_new_care_knows_nothing():
    part = Care().part
    assert not part.busy and not part.testing
    assert part.failed_checks == 0


def test_it_guards_after_the_last_piece_of_the_self_test_and_not_before():
    care = Care()
    care.part.start()
    # 3 pieces of programming and its end, 2 of the self-test and its end
    assert care.bring_up() == 7
    assert not care.part.busy and not care.part.testing


@pytest.mark.parametrize("where", ["programming", "self-test"])
def test_after_a_failure_a_second_passes_and_all_begins_anew(where):
    care = Care()
    if where == "programming":
        care.chip.programming_code = BUS_ERROR
    else:
        care.chip.self_test_code = BUS_ERROR
    care.part.start()
    while care.chip.programmings == 1:
        assert not care.part.step(20)
    care.register.step(0)
    assert active(care.register) == {"afe_lost"}
    care.chip.programming_code = care.chip.self_test_code = OK
    assert not care.part.testing
    assert not care.part.step(999)
    assert not care.chip.programmed
    for elapsed_ms in (1, 0, 0, 0):  # every step is a piece from now on, however short
        assert not care.chip.programmed
        assert not care.part.step(elapsed_ms)
    assert care.chip.programmed and care.part.testing
    assert care.chip.programmings == 2


def test_a_wait_that_a_long_step_ended_does_not_go_on():
    care = Care()
    care.chip.programming_code = BUS_ERROR
    care.part.start()
    while care.chip.programmings == 1:
        care.part.step(20)
    care.chip.programming_code = OK
    for elapsed_ms in (1000, 20, 20, 20):
        assert not care.chip.programmed
        care.part.step(elapsed_ms)
    assert care.chip.programmed


def test_while_the_next_try_is_waited_for_the_fault_is_seen_again_and_again():
    care = Care()
    care.chip.programming_code = BUS_ERROR
    care.part.start()
    while care.chip.programmings == 1:
        care.part.step(20)
    care.register.step(20)
    care.part.step(900)
    care.register.step(900)
    care.register.step(HOLD_MS - 1)
    assert active(care.register) == {"afe_lost"}
    care.register.step(1)
    assert active(care.register) == set()


@pytest.mark.parametrize("when", ["waiting", "testing"])
def test_a_new_start_programs_at_once_whatever_went_on(when):
    care = Care()
    care.part.start()
    if when == "waiting":
        care.chip.programming_code = BUS_ERROR
        while care.chip.programmings == 1:
            care.part.step(20)
        care.chip.programming_code = OK
    else:
        while not care.part.testing:
            care.part.step(20)
    care.part.start()
    assert not care.part.testing
    for _ in range(4):
        assert not care.chip.programmed
        care.part.step(0)
    assert care.chip.programmed


def test_the_settings_are_read_back_when_a_second_is_over():
    care = Care().guarding()
    for count in range(3):
        care.part.guard(999, 3, 0)
        assert care.chip.verified == count
        care.part.guard(1, 3, 0)
        assert care.chip.verified == count + 1


def test_a_fault_of_the_chip_stays_for_five_seconds_after_its_last_sign():
    care = Care()
    care.part.restarted()
    care.register.step(0)
    care.register.step(HOLD_MS - 1)
    assert active(care.register) == {"afe_restarted"}
    care.register.step(1)
    assert active(care.register) == set()


@pytest.mark.parametrize("over_ms", [0, 1])
@pytest.mark.parametrize("where", ["guarding", "programming"])
def test_restarts_count_together_if_none_is_more_than_ten_minutes_after_the_last(over_ms, where):
    care = Care()
    care.restart({"afe_restarted"})
    care.restart({"afe_restarted"})
    if where == "guarding":
        care.bring_up(elapsed_ms=0)
        care.part.guard(600000 + over_ms, 3, 0)
    else:
        care.part.step(600000 + over_ms)
    care.restart({"afe_restarted"} if over_ms else {"afe_restarted", "afe_restarting"})


def test_a_check_that_failed_is_reported_while_it_guards():
    care = Care()
    care.chip.failing_checks = 4
    care.guarding()
    care.part.guard(20, 0, 0)
    check_reported_now_and_no_longer(care.register, "self_test_failed")


def test_a_self_test_that_failed_is_made_once_more_after_each_programming():
    care = Care()
    for _ in range(2):
        care.part.start()
        while not care.part.testing:
            care.part.step(20)
        care.chip.failing_checks = 4
        for _ in range(3):
            assert not care.part.step(20)
        care.chip.failing_checks = 0  # it was a glitch
        assert not care.part.step(20) and not care.part.step(20)
        assert care.part.step(20)
        assert care.part.failed_checks == 0


def test_a_short_circuit_that_is_gone_can_be_cleared_at_once():
    care = Care().guarding()
    care.short_is_reported(20, 0, 0)
    assert care.short_is_reported(20, 0, 0)
    check_reported_now_and_no_longer(care.register, "short_circuit")


def test_a_short_circuit_stands_until_the_terminals_rise_after_a_second_of_detection():
    care = Care().guarding()
    care.short_is_reported(20, 0, 0)
    assert care.chip.detecting
    assert care.short_is_reported(999, 0, 4000)
    assert not care.short_is_reported(1, 0, 4000)
    assert care.short_is_reported(1, 0, 3999)


@pytest.mark.parametrize("gates", [1, 2, 3])
def test_with_a_gate_on_the_load_says_nothing(gates):
    care = Care().guarding()
    assert not care.short_is_reported(2000, gates, 0)
    assert not care.chip.detecting


def test_the_detection_has_its_second_anew_each_time_and_after_each_programming():
    care = Care().guarding()
    for _ in range(3):
        care.short_is_reported(20, 0, 0)
        assert care.chip.detecting
        assert care.short_is_reported(999, 0, 4000)
        care.part.start()
        assert not care.chip.detecting
        care.bring_up()


# -- small ones


@pytest.mark.parametrize("trip", MIRRORS)
def test_the_first_trip_of_all_is_logged(trip):
    log = Events()
    register = FaultRegister(TABLE)
    rows = Protection(parameters_with({}), TABLE)
    TripMirror(TABLE, rows, register, log).mirror(trip, 7)
    event = array("i", [0, 0, 0, 0])
    assert log.take_into(event)
    assert event[2] == trip


def rebounds_of(**settings):
    register = FaultRegister(TABLE)
    return Rebounds(parameters_with(settings), TABLE, register), register


def test_where_no_rebound_is_allowed_the_first_emptying_needs_a_person():
    part, register = rebounds_of(undervoltage_rebounds_max=0)
    part.step(True, 0)
    check_reported_now_and_no_longer(register, "undervoltage_rebounds")


def test_a_restored_round_is_forgotten_after_exactly_a_twentieth():
    part, _ = rebounds_of(design_capacity_mah=500)
    part.restore(1, False)
    part.step(False, 24)
    assert part.count == 1
    part.step(False, 25)
    assert part.count == 0


def test_a_recharge_takes_the_fault_away_too():
    part, register = rebounds_of(undervoltage_rebounds_max=0, design_capacity_mah=500)
    part.step(True, 0)
    register.step(0)
    register.step(0)
    part.step(False, 24)
    assert active(register) == {"undervoltage_rebounds"}
    part.step(False, 25)
    assert active(register) == set()


def test_a_restored_round_counts_with_those_that_follow():
    part, _ = rebounds_of()
    part.restore(1, False)
    part.step(True, 0)
    assert part.count == 2


def time_of(**settings):
    register = FaultRegister(TABLE)
    return Timekeeping(parameters_with(settings), TABLE, register), register


def test_a_new_clock_stands_at_0():
    part, register = time_of(overrun_ms=700)
    assert part.uptime_s == part.longest_ms == 0
    assert part.step(999)
    assert part.uptime_s == part.longest_ms == 0
    assert part.step(1)
    assert part.uptime_s == part.longest_ms == 1
    register.step(0)
    assert active(register) == {"fast_path_overrun"}  # 999 ms


@pytest.mark.parametrize("late_ms", [700, 701])
def test_a_step_may_be_as_late_as_its_parameter_says(late_ms):
    part, register = time_of(overrun_ms=700)
    part.step(late_ms)
    register.step(0)
    assert active(register) == ({"fast_path_overrun"} if late_ms > 700 else set())


PERIOD_MS = 100


def overruns(steps, **settings):
    """Positions of the steps, given by their lengths in ms, that say that they come too late."""
    part, register = time_of(step_period_ms=PERIOD_MS, overrun_ms=700, **settings)
    found = []
    for position, elapsed_ms in enumerate(steps):
        part.step(elapsed_ms)
        register.step(HOLD_MS)  # what was said before is over
        if active(register):
            found.append(position)
    return found


@pytest.mark.parametrize(
    ("elapsed_ms", "first"),
    [(200, None), (201, 3), (350, 2), (351, 1), (700, 1), (701, 0)],
)
def test_steps_that_go_on_being_late_are_an_overrun(elapsed_ms, first):
    """Each later than two periods, none as late as `overrun_ms`: together they are."""
    found = overruns([elapsed_ms] * 20)
    assert found == ([] if first is None else list(range(first, 20)))


def test_late_steps_are_made_good_by_as_much_time_of_steps_that_are_not():
    one_late = [600, *[100] * 6]
    assert overruns(one_late * 20) == []
    assert overruns([600, *[100] * 4, 300]) == []
    assert overruns([600, *[100] * 4, 501]) == [5]


def test_every_other_step_late_is_an_overrun():
    assert overruns([600, 200] * 2) == [2]


def test_after_an_overrun_it_takes_its_time_in_steps_that_are_not_late():
    """However long it was, the way back is never longer."""
    assert overruns([3600, *[100] * 4, 400]) == [0]
    assert overruns([3600, *[100] * 4, 401]) == [0, 5]


def test_a_step_may_never_be_later_than_its_parameter_says_whatever_the_period():
    part, register = time_of(step_period_ms=250, overrun_ms=300)
    part.step(301)
    register.step(0)
    assert active(register) == {"fast_path_overrun"}


def test_one_long_step_counts_all_its_seconds():
    part, _ = time_of()
    part.step(3500)
    assert part.uptime_s == 3
    part.step(500)
    assert part.uptime_s == 4


@pytest.mark.parametrize("late_ms", [3999, 4000])
def test_the_chip_s_watchdog_bites_when_its_time_is_over(late_ms):
    part, register = time_of(afe_watchdog_s=4)
    assert part.step(late_ms) == (late_ms < 4000)
    register.step(0)
    bitten = {"afe_watchdog"} if late_ms == 4000 else set()
    assert active(register) == {"fast_path_overrun"} | bitten
    register.step(HOLD_MS - 1)
    assert active(register) == {"fast_path_overrun"} | bitten
    register.step(1)
    assert active(register) == set()


# -- the measurement


def measuring(period_ms=100):
    sample = Sample(4, 2)
    sample.cell_mv[:] = array("i", [3300] * 4)
    sample.temperature_dc[:] = array("i", [250] * 2)
    sample.stack_mv = 13200
    return Measurement(sample, period_ms), sample


def scan(part, sample, elapsed_ms=100):
    sample.scans += 1
    return part.step(OK, elapsed_ms)


def test_a_new_measurement_knows_nothing():
    part, _ = measuring()
    assert not part.valid and not part.expired
    assert part.age_ms == part.cell_min_index == part.cell_max_index == 0
    assert list(part.signals) == [0] * protection.SIGNALS


def test_of_equal_cells_the_first_is_named():
    part, sample = measuring()
    assert scan(part, sample)
    assert part.cell_min_index == part.cell_max_index == 0


@pytest.mark.parametrize(
    ("temperature_dc", "problem"),
    [(-400, None), (-401, THERMISTOR_OPEN), (1200, None), (1201, THERMISTOR_SHORT)],
)
def test_a_thermistor_works_between_minus_40_and_120_degrees(temperature_dc, problem):
    part, sample = measuring()
    sample.temperature_dc[1] = temperature_dc
    assert scan(part, sample) == (problem is None)
    assert problem is None or part.problem == problem


def test_a_pack_that_reads_nothing_at_all_has_no_open_wire():
    part, sample = measuring()
    sample.cell_mv[:] = array("i", [-1, 0, 0, 0])
    assert not scan(part, sample)
    assert part.problem == IMPLAUSIBLE
    assert part.suspect_lead == measurement.NO_LEAD


def test_forgetting_begins_anew_with_the_next_scan_and_a_whole_hold_over():
    part, sample = measuring()
    assert scan(part, sample)
    for _ in range(4):
        part.step(BUS_ERROR, 20)
    assert part.expired and part.age_ms == 80
    part.forget()
    assert not part.expired and not part.valid and part.age_ms == 0
    assert not part.step(OK, 20)  # this scan was made before
    assert part.problem == STALE
    assert part.age_ms == 20
    part.forget()
    for _ in range(3):
        part.step(CONFIGURATION_LOST, 20)
        assert not part.expired
    part.step(BUS_ERROR, 20)
    assert part.expired
    assert scan(part, sample)
    assert part.valid and not part.expired and part.age_ms == 0


def test_ages_stop_at_a_thousand_seconds():
    part, _ = measuring()
    part.step(BUS_ERROR, 999998)
    assert part.age_ms == 999998
    for _ in range(5):
        part.step(BUS_ERROR, 1)
    assert part.age_ms == 1000000


def test_a_scan_may_be_as_old_as_the_hold_over_when_the_next_step_comes():
    part, sample = measuring(250)
    assert scan(part, sample, 250)
    assert part.step(OK, 250)
    assert part.age_ms == 250
    assert not part.step(OK, 251)


@pytest.mark.parametrize("warm_first", [True, False])
def test_a_good_sample_gives_every_signal(warm_first):
    part, sample = measuring()
    sample.cell_mv[:] = array("i", [3310, 3290, 3350, 3330])
    sample.stack_mv = 13260  # the cells together are 13280
    sample.temperature_dc[:] = array("i", [260, 240] if warm_first else [240, 260])
    sample.board_temperature_dc, sample.chip_temperature_dc = 310, 330
    assert scan(part, sample)
    expected = {
        protection.CELL_MIN_MV: 3290,
        protection.CELL_MAX_MV: 3350,
        protection.CELL_DELTA_MV: 60,
        protection.CELL_MEAN_MV: 3315,
        protection.STACK_MISMATCH_MV: 20,
        protection.TEMPERATURE_MIN_DC: 240,
        protection.TEMPERATURE_MAX_DC: 260,
        protection.BOARD_DC: 310,
        protection.CHIP_DC: 330,
    }
    assert {signal: part.signals[signal] for signal in expected} == expected
    assert (part.cell_min_index, part.cell_max_index) == (1, 2)


@pytest.mark.parametrize("current_ma", [-7, 7])
def test_current_is_what_charges_and_the_other_way_round_what_discharges(current_ma):
    part, sample = measuring()
    sample.current_ma = current_ma
    assert scan(part, sample)
    assert part.signals[protection.CHARGE_MA] == current_ma
    assert part.signals[protection.DISCHARGE_MA] == -current_ma


@pytest.mark.parametrize(("high_mv", "problem"), [(7100, WIRE_OPEN), (7101, IMPLAUSIBLE)])
def test_neighbours_that_share_what_one_lacks_have_the_mean_of_the_pack_within_300_mv(
    high_mv, problem
):
    part, sample = measuring()
    sample.cell_mv[:] = array("i", [100, high_mv, 3300, 3300])  # mean 3450; 7200 is 2 * 3600
    assert not scan(part, sample)
    assert part.problem == problem


@pytest.mark.parametrize("late_ms", [400, 401])
def test_without_an_answer_the_hold_over_ends_if_the_next_step_comes_after_it(late_ms):
    """Steps come every 100 ms, unless somebody says otherwise."""
    _, sample = measuring()
    part = Measurement(sample)
    assert scan(part, sample)
    part.step(BUS_ERROR, late_ms)
    assert part.expired == (late_ms == 401)
    assert part.valid == (late_ms == 400)
