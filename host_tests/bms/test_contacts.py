"""Contactors and their path to the millisecond: moving, welds, opening, what a restart forgets."""

import pytest

from bms.contactor_path import ContactorPath
from bms.contacts import NEGATIVE, POSITIVE, PRECHARGE, Contacts
from bms.fault_register import FaultRegister
from bms.faults import Faults
from bms.points import (
    PATH_BUS_ABOVE,
    PATH_COOLING,
    PATH_FAILED,
    PATH_OFF,
    PATH_ON,
    PATH_OPENING,
    PATH_PRECHARGING,
    PATH_WAITING_FOR_FUSE,
)
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH, Sample
from host_tests.bms.bench import clear, parameters_with
from host_tests.bms.path_parts import PERIOD_MS, STACK_MV, Contactors, PathBench

ALL = (POSITIVE, NEGATIVE, PRECHARGE)
WELDED = ("contactor_positive_welded", "contactor_negative_welded", "precharge_relay_welded")
SETTLE_MS = 200
APART_MS = 1500  # a closed path may show another bus for so long (bms.contacts)
BREAK_MA = 250000
MISMATCH_MS = 1000


class Alone:
    """Contacts without a path, and a register that is asked at once."""

    def __init__(self, closed_before=0, **settings):
        self.board = Contactors()
        for contactor in ALL:
            self.board.levels[contactor] = closed_before
        self.table = Faults()
        self.register = FaultRegister(self.table)
        self.sample = Sample(4, 2)
        self.sample.stack_mv = STACK_MV
        settings = {"contactor_poles": 2, "contactor_settle_ms": SETTLE_MS, **settings}
        self.contacts = Contacts(self.board, parameters_with(settings), self.table)

    def move(self, elapsed_ms):
        """Let time pass; whether a weld was found."""
        return self.contacts.found_faulty(elapsed_ms, self.register)

    def too_high(self, elapsed_ms, measured=True):
        return self.contacts.bus_too_high(self.sample, measured, elapsed_ms, self.register)

    def apart(self, elapsed_ms):
        return self.contacts.bus_apart(self.sample, elapsed_ms, self.register)

    def check_reported(self, name):
        """The fault is there while it is reported, and not a moment longer."""
        bit = self.table.names.index(name)
        self.register.step(0)
        assert self.register.is_active(bit)
        self.register.step(0)
        clear(self.register)
        assert not self.register.is_active(bit)


def test_contactors_are_commanded_open_before_anything_else():
    """Law 1: whatever the processor's pins were before."""
    assert list(Alone(closed_before=1).board.levels) == [0, 0, 0]


@pytest.mark.parametrize("contactor", ALL)
def test_a_contactor_has_moved_when_its_time_is_over(contactor):
    alone = Alone()
    alone.move(1000)
    assert alone.contacts.all_open()
    alone.contacts.set(contactor, 1)
    alone.move(SETTLE_MS - 1)
    assert not alone.contacts.settled(contactor)
    alone.move(1)
    assert alone.contacts.settled(contactor)
    assert not alone.contacts.all_open()
    alone.contacts.open()
    alone.move(SETTLE_MS - 1)
    assert not alone.contacts.all_open()
    alone.move(1)
    assert alone.contacts.all_open()


@pytest.mark.parametrize("contactor", ALL)
def test_an_auxiliary_contact_shows_a_weld_one_millisecond_after_the_time_to_move(contactor):
    alone = Alone(contactor_aux=1)
    alone.board.forced[contactor] = 1
    assert not alone.move(SETTLE_MS)
    assert alone.move(1)
    alone.check_reported(WELDED[contactor])


@pytest.mark.parametrize("contactor", ALL)
def test_an_auxiliary_contact_shows_a_contactor_that_does_not_close(contactor):
    alone = Alone(contactor_aux=1)
    alone.move(1000)
    alone.contacts.set(contactor, 1)
    alone.board.forced[contactor] = 0
    alone.move(SETTLE_MS)
    assert not alone.contacts.found_stuck_open(alone.register)
    alone.move(1)
    assert alone.contacts.found_stuck_open(alone.register)
    alone.check_reported("contactor_stuck_open")


@pytest.mark.parametrize("before", ["built", "closed and opened"])
def test_a_bus_that_is_still_full_when_it_should_be_empty_is_a_weld(before):
    alone = Alone(contactor_bleed_s=10)
    if before != "built":
        assert not alone.too_high(5000)
        alone.contacts.open()
    alone.sample.bus_mv = STACK_MV // 2 + 1
    assert not alone.too_high(9999)
    assert not alone.too_high(0, measured=False)
    assert alone.too_high(1)
    alone.check_reported("contactor_positive_welded")
    alone.sample.bus_mv = STACK_MV // 2
    assert not alone.too_high(1)


LOW_MV, HIGH_MV = STACK_MV * 900 // 1000, STACK_MV * 1050 // 1000


@pytest.mark.parametrize("settle_ms", [SETTLE_MS, 1000])
@pytest.mark.parametrize("before", ["built", "opened", "low enough", "high enough"])
@pytest.mark.parametrize("bus_mv", [LOW_MV - 1, HIGH_MV + 1])
def test_a_bus_that_is_apart_for_too_long_is_a_contactor_that_is_open(bus_mv, before, settle_ms):
    alone = Alone(contactor_settle_ms=settle_ms)
    if before != "built":
        assert not alone.apart(APART_MS)
    if before == "opened":
        alone.contacts.open()
    elif before != "built":
        alone.sample.bus_mv = LOW_MV if before == "high enough" else HIGH_MV
        assert not alone.apart(100)
    alone.sample.bus_mv = bus_mv
    assert not alone.apart(APART_MS)
    assert alone.apart(1)
    alone.check_reported("contactor_stuck_open")


def test_a_bus_that_a_charger_holds_after_a_load_emptied_it_was_apart_all_the_time():
    alone = Alone()
    assert not alone.apart(APART_MS)
    alone.sample.bus_mv = HIGH_MV + 1
    assert alone.apart(1)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_large_current_through_a_low_bus_shows_that_the_contactor_is_closed(sign):
    alone = Alone(contactor_open_ma=5000)
    alone.sample.current_ma = sign * 5001
    assert not alone.apart(10 * APART_MS)
    alone.sample.current_ma = sign * 5000
    assert not alone.apart(APART_MS)
    assert alone.apart(1)


# -- the path


def path_bench(**settings):
    return PathBench(
        lambda chip, parameters, table, contactors: ContactorPath(
            chip, chip.charge_off, chip.discharge_off, contactors, parameters, table
        ),
        power_path=2,
        gate_mismatch_ms=MISMATCH_MS,
        **settings,
    )


def until(bench, contactor, limit_ms=3000):
    """Steps until a contactor is commanded closed."""
    start_ms = bench.now_ms
    while not bench.contactors.levels[contactor]:
        assert bench.now_ms - start_ms < limit_ms
        bench.step()
    return bench


def filling(**settings):
    return until(path_bench(**settings), PRECHARGE)


def closing(**settings):
    """The positive contactor is moving, the relay still closed."""
    bench = filling(**settings)
    bench.sample.bus_mv = STACK_MV
    return until(bench, POSITIVE)


def on(**settings):
    bench = closing(**settings)
    bench.run_until(PATH_ON, 2000)
    return bench


def levels(bench):
    return list(bench.contactors.levels)


def test_a_path_that_was_just_built_is_off_and_offers_nothing():
    bench = path_bench()
    assert bench.path.commanded == bench.chip.lines() == 0
    assert bench.path.state == PATH_OFF
    assert bench.path.holds_limits


@pytest.mark.parametrize("settle_ms", [200, 500, 600])
def test_each_contactor_waits_until_the_one_before_it_has_moved(settle_ms):
    bench = path_bench(contactor_poles=2, contactor_settle_ms=settle_ms)
    until(bench, NEGATIVE)
    started_ms = bench.now_ms
    until(bench, PRECHARGE)
    assert settle_ms <= bench.now_ms - started_ms <= settle_ms + PERIOD_MS
    bench.sample.bus_mv = STACK_MV
    started_ms = bench.now_ms
    until(bench, POSITIVE)
    assert bench.now_ms - started_ms == settle_ms
    started_ms = bench.now_ms
    while bench.contactors.levels[PRECHARGE]:
        assert bench.path.state == PATH_PRECHARGING
        bench.step()
    assert bench.now_ms - started_ms == settle_ms
    assert bench.path.state == PATH_ON


@pytest.mark.parametrize("how", ["open_lines", "blocked"])
def test_a_resistor_whose_try_was_interrupted_gets_no_more_heat(how):
    """52 V through 47 ohm for ten seconds would be 575 J, and it bears 400 J."""
    bench = filling(precharge_max_j=400, precharge_cooldown_s=3600)
    bench.allowed = 0
    if how == "open_lines":
        bench.path.open_lines()
    bench.run(10000)
    assert levels(bench) == [0, 0, 0]
    bench.allowed = GATES_BOTH
    bench.run(1000)
    assert levels(bench) == [0, 0, 1]


def test_after_open_lines_everything_begins_with_a_precharge():
    bench = on()
    bench.path.open_lines()
    bench.sample.bus_mv = 0
    for _ in range(20):
        bench.step()
        assert not bench.contactors.levels[POSITIVE]
    assert levels(bench) == [0, 0, 1]


def test_a_path_that_works_may_close_as_often_as_it_likes():
    bench = path_bench()
    for _ in range(5):
        bench.sample.bus_mv = 0
        until(bench, PRECHARGE)
        bench.sample.bus_mv = STACK_MV
        bench.run_until(PATH_ON, 2000)
        bench.run(60000)
        bench.allowed = 0
        bench.run(1000)
        bench.allowed = GATES_BOTH
    assert bench.faults() == set()


def test_a_positive_contactor_that_is_late_does_not_cook_the_resistor():
    """The relay opens when another step of 100 ms would be more than its time, not earlier; also
    during a glitch, in which nobody says that the contactor is stuck."""
    bench = filling(contactor_aux=1, precharge_time_max_ms=2000)
    bench.run(1600)
    bench.sample.bus_mv = STACK_MV
    bench.step()
    assert levels(bench) == [1, 0, 1]  # 1700 ms
    bench.contactors.forced[POSITIVE] = 0
    bench.measured = False
    bench.step(SETTLE_MS)
    assert levels(bench) == [1, 0, 1]  # 1900 ms
    bench.step(1)
    assert levels(bench) == [1, 0, 0]


@pytest.mark.parametrize("gates", [0, GATE_CHARGE, GATE_DISCHARGE])
def test_coils_without_supply_are_a_mismatch_in_the_step_that_finds_it(gates):
    bench = path_bench()
    bench.obeying = False
    bench.run_until(PATH_PRECHARGING, 1000)
    bench.sample.gates = gates
    bench.step(MISMATCH_MS)
    assert bench.path.state == PATH_PRECHARGING
    bench.step(1)
    assert bench.path.state == PATH_FAILED
    assert bench.path.commanded == bench.chip.lines() == 0


def test_a_weld_that_the_bus_shows_keeps_everything_open_in_the_step_that_finds_it():
    bench = on(contactor_bleed_s=1)
    bench.allowed = 0
    bench.step()
    bench.step(999)
    bench.allowed = GATES_BOTH
    bench.step(1)
    assert bench.path.state == PATH_FAILED
    assert bench.path.commanded == 0


def test_a_resistor_that_cools_while_nobody_wants_to_close_is_not_shown():
    bench = path_bench(precharge_cooldown_s=60)
    bench.run_until(PATH_COOLING, 3000)
    bench.step()
    assert bench.path.state == PATH_COOLING
    bench.allowed = 0
    bench.step()
    assert bench.path.state == PATH_OFF


def test_the_current_has_its_time_to_fall_to_the_millisecond():
    bench = on(contactor_ramp_ms=1000)
    bench.sample.current_ma = 50000
    bench.allowed = 0
    bench.step()
    bench.step(999)
    assert bench.path.state == PATH_OPENING
    bench.step(1)
    assert levels(bench) == [0, 0, 0]


def test_the_fuse_has_its_time_to_the_millisecond_and_its_fault_can_be_cleared_at_once():
    bench = on(fuse_wait_ms=1000)
    bench.sample.current_ma = BREAK_MA + 1
    bench.urgent = True
    bench.step()
    bench.step(999)
    assert bench.path.state == PATH_WAITING_FOR_FUSE
    bench.step(1)
    assert levels(bench) == [0, 0, 0]
    assert bench.faults() == {"fuse_expected"}
    bench.clear()
    assert bench.faults() == set()


def test_while_the_positive_contactor_moves_the_current_gets_its_time_to_fall():
    bench = closing(contactor_settle_ms=500)
    bench.sample.current_ma = 50000
    bench.allowed = 0
    bench.step()
    assert levels(bench) == [1, 0, 0]
    assert bench.path.state == PATH_OPENING
    bench.allowed = GATES_BOTH  # what began is finished
    bench.run(1000)
    assert not bench.contactors.levels[POSITIVE]


def test_the_resistor_gets_no_heat_while_the_fuse_is_waited_for():
    bench = closing(
        contactor_settle_ms=500, fuse_wait_ms=2000, precharge_cooldown_s=3600, precharge_max_j=300
    )
    bench.sample.current_ma = 2 * BREAK_MA
    bench.urgent = True
    bench.step()
    bench.measured = False  # else the voltages agree, and there would be none anyway
    bench.run(2000)  # 115 J, if it were on
    assert levels(bench) == [0, 0, 0]
    bench.measured, bench.urgent, bench.sample.current_ma = True, False, 0
    bench.faults()
    bench.clear()
    bench.run(1000)
    assert bench.path.state == PATH_PRECHARGING


class Watched(Contactors):
    """Notes what the off lines let on when the positive contactor is commanded open."""

    def __init__(self, chip):
        super().__init__()
        self.chip = chip
        self.lines_at_opening = []

    def positive(self, level):
        super().positive(level)
        if not level:
            self.lines_at_opening.append(self.chip.lines())


@pytest.mark.parametrize("what", ["blocked", "cut off", "open_lines"])
def test_the_supply_of_the_coils_is_cut_before_each_is_commanded_open(what):
    """So all open at the same moment, whatever happens in between."""
    watched = []

    def make(chip, parameters, table, _):
        watched.append(Watched(chip))
        return ContactorPath(
            chip, chip.charge_off, chip.discharge_off, watched[0], parameters, table
        )

    bench = PathBench(make, power_path=2)
    bench.contactors = watched[0]
    until(bench, PRECHARGE)
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 2000)
    watched[0].lines_at_opening.clear()
    if what == "open_lines":
        bench.path.open_lines()
    else:
        bench.allowed = 0 if what == "blocked" else GATES_BOTH
        bench.obeying = what == "blocked"
        bench.sample.gates = GATES_BOTH if what == "blocked" else GATE_CHARGE
        bench.step()
    assert watched[0].lines_at_opening == [0]


def test_after_open_lines_nothing_is_on_even_if_the_next_step_is_blind():
    bench = on()
    bench.path.open_lines()
    bench.measured = False
    bench.step()
    assert bench.path.commanded == bench.chip.lines() == 0
    assert bench.path.state == PATH_OFF


LOOK_MS = 30000  # between two looks at a bus that a charger may hold (bms.contactor_path)
PAUSE_MS = 600000  # after current the blocked way


def test_a_bus_that_was_above_the_pack_is_looked_at_again_after_half_a_minute():
    bench = filling()
    bench.sample.bus_mv = 2 * STACK_MV
    bench.step()
    assert levels(bench) == [0, 0, 0]
    assert bench.path.state == PATH_BUS_ABOVE
    bench.sample.bus_mv = 0
    bench.step(LOOK_MS - 1)
    assert bench.path.commanded == 0
    bench.step(1)
    assert bench.path.commanded == GATES_BOTH


def opened_just_now():
    """Only charging is allowed, and a load took current all the same until it opened."""
    bench = on(contactor_ramp_ms=500)
    bench.allowed = GATE_CHARGE
    bench.sample.current_ma = -2000
    while bench.contactors.levels[POSITIVE]:
        bench.step()
    bench.sample.current_ma = 0
    return bench


def test_a_load_that_took_what_was_not_allowed_is_waited_for_ten_minutes():
    bench = opened_just_now()
    bench.sample.bus_mv = 0
    bench.step(PAUSE_MS - 1)
    assert bench.path.commanded == 0
    bench.step(1)
    assert bench.path.commanded == GATES_BOTH


def test_a_charger_that_holds_the_bus_after_half_a_minute_ends_the_wait():
    bench = opened_just_now()
    bench.sample.bus_mv = STACK_MV + 1
    bench.step(LOOK_MS - 1)
    assert bench.path.commanded == 0
    bench.step(1)
    assert bench.path.commanded == GATES_BOTH


@pytest.mark.parametrize("before", ["just closed", "closed for a while", "opened and closed"])
def test_current_the_blocked_way_has_its_time_to_fall_to_the_millisecond(before):
    if before == "opened and closed":
        bench = opened_just_now()
        bench.allowed = GATES_BOTH
        bench.run_until(PATH_ON, 3000)
    else:
        bench = on(contactor_ramp_ms=500)
    if before == "closed for a while":
        bench.run(1000)
    bench.allowed = GATE_CHARGE
    bench.sample.current_ma = -2000
    bench.step(0)
    bench.step(499)
    assert levels(bench) == [1, 0, 0]
    bench.step(1)
    assert levels(bench) == [0, 0, 0]


@pytest.mark.parametrize("allowed", [GATE_CHARGE, GATE_DISCHARGE])
def test_a_path_that_just_closed_knows_no_current_until_it_is_measured(allowed):
    bench = opened_just_now()
    bench.allowed = GATES_BOTH
    bench.run_until(PATH_ON, 3000)
    bench.measured = False
    bench.allowed = allowed
    bench.step()
    assert bench.path.state == PATH_ON


def fail_to_fill(bench):
    """One try into a shorted bus; whether the path gave up for good."""
    until(bench, PRECHARGE)
    bench.sample.bus_mv = 0
    while bench.contactors.levels[PRECHARGE]:
        bench.step()
    bench.step()
    return bench.path.state == PATH_FAILED


def test_a_closing_that_worked_forgets_the_tries_that_did_not():
    bench = path_bench(precharge_cooldown_s=1, precharge_max_j=10000)
    assert not fail_to_fill(bench)
    assert not fail_to_fill(bench)
    until(bench, PRECHARGE)
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 2000)
    bench.path.open_lines()
    assert not fail_to_fill(bench)
    assert not fail_to_fill(bench)
    assert fail_to_fill(bench)
