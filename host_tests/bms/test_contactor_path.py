"""The path of contactors: the order of closing, the ways of opening, welds."""

from itertools import pairwise

import pytest

from bms.contactor_path import ContactorPath
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
from bms.sample import (
    BUS_ERROR,
    GATE_CHARGE,
    GATE_DISCHARGE,
    GATES_BOTH,
    TRIP_SHORT_CIRCUIT,
)
from host_tests.bms.path_parts import PERIOD_MS, STACK_MV, PathBench

CONTACTOR = 2
POSITIVE = 0
NEGATIVE = 1
PRECHARGE = 2
SETTLE_MS = 200  # default of contactor_settle_ms
BREAK_MA = 250000  # default of contactor_break_max_ma
LOW_MA = 5000  # default of contactor_open_ma
WRONG_MA = 500  # default of body_diode_ma
RAMP_MS = 700  # default of contactor_ramp_ms
PAUSE_MS = 600000  # after current the blocked way
LOOK_MS = 30000  # between looks at a bus that a charger may hold
CHARGER_MV = STACK_MV * 103 // 100  # above the pack, within the closing ratio of 5 %
ONE_WAY = ((GATE_CHARGE, -1), (GATE_DISCHARGE, 1))  # what is allowed, sign of the wrong current


def path_bench(**settings):
    return PathBench(
        lambda chip, parameters, table, contactors: ContactorPath(
            chip, chip.charge_off, chip.discharge_off, contactors, parameters, table
        ),
        power_path=CONTACTOR,
        **settings,
    )


def filling(**settings):
    """A bench whose precharge relay has just closed."""
    bench = path_bench(**settings)
    while not bench.contactors.levels[PRECHARGE]:
        assert bench.now_ms < 2000
        bench.step()
    return bench


def on(**settings):
    """A bench with the path on."""
    bench = filling(**settings)
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 2000)
    bench.run(1000)
    return bench


def levels(bench):
    return list(bench.contactors.levels)


def is_off(bench):
    return levels(bench) == [0, 0, 0] and bench.chip.lines() == 0 and bench.path.commanded == 0


# -- closing


@pytest.mark.parametrize("poles", [1, 2])
@pytest.mark.parametrize("aux", [0, 1])
def test_the_order_of_closing(poles, aux):
    bench = path_bench(contactor_poles=poles, contactor_aux=aux)
    seen = []
    times = []
    for _ in range(40):
        bench.step()
        if not seen or seen[-1] != levels(bench):
            seen.append(levels(bench))
            times.append(bench.now_ms)
        if bench.contactors.levels[PRECHARGE] and bench.now_ms - times[-1] >= 500:
            bench.sample.bus_mv = STACK_MV
        if bench.path.state != PATH_ON:
            assert bench.path.holds_limits
    negative = [[0, 1, 0]] if poles == 2 else []
    both = poles - 1
    assert seen == [[0, 0, 0], *negative, [0, both, 1], [1, both, 1], [1, both, 0]]
    for start, end in pairwise(times):
        assert end - start >= SETTLE_MS
    assert bench.path.state == PATH_ON
    assert not bench.path.holds_limits
    assert bench.faults() == set()


def test_the_coils_have_no_supply_until_the_chip_gives_it():
    """Law 5: the chip's DCHG and DDSG outputs supply the coils, so that its trips open them."""
    bench = path_bench(gate_mismatch_ms=5000)
    bench.obeying = False
    bench.run(3000)
    assert bench.path.commanded == GATES_BOTH
    assert levels(bench) == [0, 0, 0]
    assert bench.path.state == PATH_PRECHARGING
    bench.obeying = True
    bench.run(200)
    assert levels(bench) == [0, 0, 1]


def test_both_directions_blocked_keep_everything_open():
    bench = path_bench()
    bench.allowed = 0
    bench.run(3000)
    assert is_off(bench)
    assert bench.path.state == PATH_OFF
    assert bench.path.holds_limits


@pytest.mark.parametrize("allowed", [GATE_CHARGE, GATE_DISCHARGE])
def test_one_blocked_direction_does_not_forbid_closing(allowed):
    """An empty pack releases its fault only on a charge current, so it must close for one."""
    bench = path_bench()
    bench.allowed = allowed
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 3000)
    assert bench.path.commanded == GATES_BOTH
    assert not bench.path.holds_limits


@pytest.mark.parametrize("what", ["urgent", "not measured"])
def test_nothing_closes_for_an_urgent_fault_or_blind(what):
    bench = path_bench()
    bench.urgent = what == "urgent"
    bench.measured = what == "urgent"
    bench.run(3000)
    assert is_off(bench)


def test_after_a_restart_it_precharges_before_it_closes():
    """Field lesson 14. The bus of an inverter may still be full then."""
    bench = path_bench()
    bench.sample.bus_mv = STACK_MV
    precharged = False
    while bench.path.state != PATH_ON:
        bench.step()
        precharged = precharged or levels(bench) == [0, 0, 1]
        assert precharged or not bench.contactors.levels[POSITIVE]


@pytest.mark.parametrize(
    ("bus_mv", "current_ma"),
    [(49399, 0), (54601, 0), (STACK_MV, 500), (STACK_MV, -500)],
)
def test_it_does_not_close_into_a_voltage_difference_or_a_current(bus_mv, current_ma):
    bench = filling()
    bench.sample.bus_mv = bus_mv
    bench.sample.current_ma = current_ma
    for _ in range(100):
        bench.step()
        assert not bench.contactors.levels[POSITIVE]


def test_the_relay_is_never_on_for_longer_than_the_limit():
    bench = filling(precharge_time_max_ms=1500)
    since_ms = bench.now_ms
    bench.run_until(PATH_COOLING, 2000)
    assert levels(bench) == [0, 0, 0]
    assert bench.now_ms - since_ms <= 1500


def test_the_relay_s_time_includes_that_of_the_positive_contactor():
    bench = filling(precharge_time_max_ms=2000, contactor_aux=1)
    since_ms = bench.now_ms
    while bench.now_ms - since_ms < 1600:
        bench.step()
    bench.sample.bus_mv = STACK_MV
    bench.contactors.forced[POSITIVE] = 0
    while bench.contactors.levels[PRECHARGE]:
        bench.step()
    assert bench.now_ms - since_ms <= 2000


@pytest.mark.parametrize("poles", [1, 2])
def test_a_bus_above_the_pack_is_waited_for_with_all_open_for_as_long_as_it_takes(poles):
    """A charger holds it: no try, no fault, no movement."""
    bench = path_bench(precharge_cooldown_s=1, contactor_poles=poles)
    bench.sample.bus_mv = 54601
    for turn in range(36000):
        bench.step()
        assert is_off(bench)
        assert bench.path.state == (PATH_BUS_ABOVE if turn else PATH_OFF)
    assert bench.path.holds_limits
    assert bench.faults() == set()
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 3000)


def test_with_two_poles_a_bus_that_shows_late_is_looked_at_every_30_s():
    """Without the negative contactor the bus has no reference: it reads 0 until that closes."""
    bench = path_bench(precharge_cooldown_s=1, contactor_poles=2)
    closings = []
    for _ in range(6000):
        bench.sample.bus_mv = 56000 if bench.contactors.levels[NEGATIVE] else 0
        before = bench.contactors.levels[NEGATIVE]
        bench.step()
        assert not bench.contactors.levels[PRECHARGE]
        if closings and not bench.path.commanded:
            assert bench.path.state == PATH_BUS_ABOVE
        if bench.contactors.levels[NEGATIVE] > before:
            closings.append(bench.now_ms)
    assert 18 <= len(closings) <= 20  # 600 s
    for earlier, later in pairwise(closings):
        assert later - earlier >= LOOK_MS
    assert bench.faults() == set()


def test_a_charger_that_comes_during_the_precharge_is_waited_for():
    bench = filling(precharge_cooldown_s=1)
    closings = 0
    for _ in range(3000):
        bench.sample.bus_mv = 56000 if bench.contactors.levels[PRECHARGE] else 0
        before = bench.contactors.levels[PRECHARGE]
        bench.step()
        closings += bench.contactors.levels[PRECHARGE] > before
        assert not bench.contactors.levels[POSITIVE]
    assert 9 <= closings <= 10  # 300 s
    assert bench.faults() == set()


def test_three_tries_and_then_a_latched_fault():
    bench = path_bench(precharge_cooldown_s=5)
    tries = 0
    for _ in range(600):
        before = bench.contactors.levels[PRECHARGE]
        bench.step()
        tries += bench.contactors.levels[PRECHARGE] > before
    assert tries == 3
    assert bench.path.state == PATH_FAILED
    assert bench.faults() == {"precharge_failed"}
    bench.clear()
    bench.run(1000)
    assert bench.contactors.levels[PRECHARGE]


@pytest.mark.parametrize("who", ["person", "fault"])
def test_an_interrupted_precharge_opens_and_is_no_failed_try(who):
    """Field lesson 13: it never re-enters against a fault."""
    bench = filling()
    for _ in range(5):
        bench.allowed = 0 if who == "person" else GATES_BOTH
        bench.urgent = who == "fault"
        bench.step()
        assert is_off(bench)
        bench.run(60000)
        assert is_off(bench)
        bench.allowed = GATES_BOTH
        bench.urgent = False
        while not bench.contactors.levels[PRECHARGE]:
            bench.step()
    assert bench.faults() == set()
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 2000)


def test_a_precharge_that_worked_forgets_failed_ones_though_a_fault_opens_it_at_once():
    bench = filling(precharge_cooldown_s=1)
    for _ in range(2):
        while bench.contactors.levels[PRECHARGE]:
            bench.step()
        while not bench.contactors.levels[PRECHARGE]:
            bench.step()
    bench.sample.bus_mv = STACK_MV
    while not bench.contactors.levels[POSITIVE]:
        bench.step()
    bench.urgent = True
    bench.step()
    assert is_off(bench)
    bench.urgent = False
    bench.sample.bus_mv = 0
    while not bench.contactors.levels[PRECHARGE]:
        bench.step()
    while bench.contactors.levels[PRECHARGE]:
        bench.step()
    bench.step()
    assert bench.faults() == set()


def test_heat_bounds_precharges_that_are_interrupted_again_and_again():
    """Field lesson 14. 57.5 W on an empty bus, 400 J that leave in 60 s."""
    bench = path_bench()
    on_ms = 0
    cooled = False
    for _ in range(6000):
        bench.allowed = 0 if on_ms and on_ms % 1000 == 0 and levels(bench)[PRECHARGE] else 3
        bench.step()
        on_ms += PERIOD_MS * levels(bench)[PRECHARGE]
        cooled = cooled or bench.path.state == PATH_COOLING
    assert cooled
    # In 600 s ten times 400 J can leave, and 400 J can stay.
    assert on_ms <= 1000 * 4400 / 57.5
    assert bench.faults() == set()


def test_a_glitch_of_the_measurement_does_not_end_a_precharge_but_verifies_nothing():
    bench = filling()
    bench.sample.bus_mv = STACK_MV
    bench.measured = False
    bench.run(400)
    assert levels(bench) == [0, 0, 1]
    bench.measured = True
    bench.step()
    assert levels(bench) == [1, 0, 1]


def test_the_energy_of_quick_reclosing_is_waited_for():
    bench = filling(precharge_max_j=260, precharge_cooldown_s=600)
    bench.run(1000)  # 57 J; another try may need 245 J, in the 4.25 s of the chip's watchdog
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 1000)
    bench.sample.bus_mv = 0
    bench.allowed = 0
    bench.run(3000)
    bench.allowed = GATES_BOTH
    bench.run(1000)
    assert bench.path.state == PATH_COOLING
    assert is_off(bench)


# -- opening


@pytest.mark.parametrize("sign", [-1, 1])
def test_below_the_small_current_it_opens_at_once(sign):
    bench = on()
    bench.sample.current_ma = sign * LOW_MA
    bench.allowed = 0
    bench.step()
    assert is_off(bench)
    assert bench.path.state == PATH_OFF


@pytest.mark.parametrize("sign", [-1, 1])
def test_above_it_limits_are_0_first_and_the_current_falls(sign):
    """Field lesson 15."""
    bench = on(contactor_ramp_ms=1300)
    bench.sample.current_ma = sign * (LOW_MA + 1)
    bench.allowed = 0
    bench.run(1000)
    assert bench.path.state == PATH_OPENING
    assert bench.path.holds_limits
    assert levels(bench) == [1, 0, 0]
    assert bench.path.commanded == GATES_BOTH
    bench.sample.current_ma = sign * LOW_MA
    bench.step()
    assert is_off(bench)


@pytest.mark.parametrize("ramp_ms", [0, 500, 1300])
def test_the_current_has_only_so_much_time_to_fall(ramp_ms):
    bench = on(contactor_ramp_ms=ramp_ms)
    bench.sample.current_ma = BREAK_MA
    bench.allowed = 0
    bench.step()
    assert bench.run_until(PATH_OFF, 3000) <= max(ramp_ms, PERIOD_MS)
    assert is_off(bench)


def test_an_opening_that_began_is_finished():
    bench = on(contactor_ramp_ms=1000)
    bench.sample.current_ma = 50000
    bench.allowed = 0
    bench.step()
    bench.allowed = GATES_BOTH
    assert bench.run_until(PATH_OFF, 2000) <= 1000


def test_an_urgent_fault_opens_at_once():
    bench = on()
    bench.sample.current_ma = BREAK_MA
    bench.urgent = True
    bench.step()
    assert is_off(bench)


def test_an_urgent_fault_ends_the_ramp():
    bench = on()
    bench.sample.current_ma = 50000
    bench.allowed = 0
    bench.step()
    bench.urgent = True
    bench.step()
    assert is_off(bench)


@pytest.mark.parametrize("urgent", [False, True])
def test_an_unknown_current_opens_at_once(urgent):
    bench = on()
    bench.sample.current_ma = 2 * BREAK_MA
    bench.measured = False
    bench.step()
    assert levels(bench) == [1, 0, 0]  # a glitch alone is no reason
    bench.allowed = 0
    bench.urgent = urgent
    bench.step()
    assert is_off(bench)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("urgent", [False, True])
def test_beyond_what_it_can_break_it_waits_for_the_fuse(sign, urgent):
    bench = on(fuse_wait_ms=1000)
    bench.sample.current_ma = sign * (BREAK_MA + 1)
    bench.urgent = urgent
    bench.allowed = 0
    bench.step()
    assert bench.path.state == PATH_WAITING_FOR_FUSE
    assert levels(bench) == [1, 0, 0]
    assert bench.path.holds_limits
    bench.run(500)
    assert bench.path.state == PATH_WAITING_FOR_FUSE
    bench.sample.current_ma = sign * BREAK_MA
    bench.step()
    assert is_off(bench)
    assert bench.faults() == {"fuse_expected"}
    bench.run(3000)
    assert bench.path.state == PATH_FAILED


@pytest.mark.parametrize("measured", [False, True])
def test_the_wait_for_the_fuse_has_an_end(measured):
    bench = on(fuse_wait_ms=1000)
    bench.sample.current_ma = -2 * BREAK_MA
    bench.urgent = True
    bench.step()
    bench.measured = measured
    start_ms = bench.now_ms
    bench.run_until(PATH_FAILED, 2000)
    assert is_off(bench)
    assert bench.now_ms - start_ms <= 1000


def test_a_current_that_grows_during_the_ramp_waits_for_the_fuse():
    bench = on()
    bench.sample.current_ma = 50000
    bench.allowed = 0
    bench.step()
    bench.sample.current_ma = BREAK_MA + 1
    bench.step()
    assert bench.path.state == PATH_WAITING_FOR_FUSE


def test_the_precharge_relay_does_not_wait_with_the_positive_contactor():
    bench = filling(contactor_settle_ms=500)
    bench.sample.bus_mv = STACK_MV
    while not bench.contactors.levels[POSITIVE]:
        bench.step()
    bench.sample.current_ma = 2 * BREAK_MA
    bench.urgent = True
    bench.step()
    assert bench.path.state == PATH_WAITING_FOR_FUSE
    assert levels(bench) == [1, 0, 0]


def test_a_trip_of_the_chip_opens_everything_and_it_precharges_again():
    """The chip cut the coils' supply; when it gives it back, the bus may be empty."""
    bench = on()
    bench.obeying = False
    bench.sample.gates = GATE_CHARGE
    bench.sample.trips = TRIP_SHORT_CIRCUIT
    bench.step()
    assert is_off(bench)
    bench.obeying = True
    bench.sample.trips = 0
    bench.sample.bus_mv = 0
    for _ in range(10):
        bench.step()
        assert not bench.contactors.levels[POSITIVE]
    assert levels(bench) == [0, 0, 1]


@pytest.mark.parametrize("start", [path_bench, filling, on])
def test_open_lines_opens_everything_without_a_chip(start):
    bench = start(contactor_poles=2)
    bench.chip.code = BUS_ERROR
    bench.path.open_lines()
    assert is_off(bench)
    assert bench.path.state == PATH_OFF
    assert bench.path.holds_limits


def test_after_forget_the_chip_is_told_again():
    bench = on()
    commands = bench.chip.commands
    bench.step()
    assert bench.chip.commands == commands
    bench.path.forget(0, bench.register)
    bench.step()
    assert bench.chip.commands == commands + 1


# -- one direction blocked


@pytest.mark.parametrize(("allowed", "wrong"), ONE_WAY)
def test_a_blocked_direction_leaves_closed_what_carries_the_other(allowed, wrong):
    """Cold cells, or a full one, must not darken a house that only discharges."""
    bench = on()
    bench.allowed = allowed
    for current_ma in (-wrong * BREAK_MA, 0, wrong * WRONG_MA):
        bench.sample.current_ma = current_ma
        for _ in range(100):
            bench.step()
            assert levels(bench) == [1, 0, 0]
            assert bench.path.state == PATH_ON
            assert bench.path.commanded == GATES_BOTH
            assert not bench.path.holds_limits


@pytest.mark.parametrize("ramp_ms", [0, 500, 1300])
@pytest.mark.parametrize(("allowed", "wrong"), ONE_WAY)
def test_current_the_blocked_way_opens_after_the_ramp(allowed, wrong, ramp_ms):
    bench = on(contactor_ramp_ms=ramp_ms)
    bench.sample.current_ma = wrong * (WRONG_MA + 1)
    bench.run(5000)
    assert bench.path.state == PATH_ON
    bench.allowed = allowed
    for _ in range(ramp_ms // PERIOD_MS):
        bench.step()
        assert bench.path.state == PATH_OPENING
        assert levels(bench) == [1, 0, 0]
        assert not bench.path.holds_limits  # the allowed direction keeps its limit
    bench.step()
    assert is_off(bench)
    assert bench.path.state == PATH_OFF
    assert bench.path.holds_limits
    assert bench.faults() == set()


@pytest.mark.parametrize(("allowed", "wrong"), ONE_WAY)
def test_current_the_blocked_way_that_falls_in_time_opens_nothing(allowed, wrong):
    bench = on()
    bench.allowed = allowed
    for _ in range(20):
        bench.sample.current_ma = wrong * 50000
        bench.run(RAMP_MS - PERIOD_MS)
        assert bench.path.state == PATH_OPENING
        bench.sample.current_ma = 0
        bench.run(RAMP_MS)
        assert bench.path.state == PATH_ON


def test_a_load_that_pulses_for_more_than_half_of_the_time_opens_too():
    bench = on()
    bench.allowed = GATE_CHARGE
    for _ in range(10):
        bench.sample.current_ma = -50000
        bench.run(400)
        bench.sample.current_ma = 0
        bench.run(200)
    assert is_off(bench)


@pytest.mark.parametrize("last_ma", [-50000, 0])
def test_in_the_hold_over_the_last_known_current_goes_on(last_ma):
    bench = on()
    bench.allowed = GATE_CHARGE
    bench.sample.current_ma = last_ma
    bench.step()
    bench.measured = False
    bench.sample.current_ma = -50000 - last_ma  # never to be looked at
    bench.run(RAMP_MS - PERIOD_MS)
    assert levels(bench) == [1, 0, 0]
    bench.step()
    assert is_off(bench) == (last_ma != 0)


def test_after_the_hold_over_it_opens():
    bench = on()
    bench.allowed = GATE_CHARGE
    bench.measured = False
    bench.urgent = True
    bench.step()
    assert is_off(bench)


def test_current_the_blocked_way_beyond_what_it_can_break_waits_for_the_fuse():
    bench = on(fuse_wait_ms=1000)
    bench.allowed = GATE_CHARGE
    bench.sample.current_ma = -BREAK_MA - 1
    bench.run(RAMP_MS)
    assert bench.path.state == PATH_OPENING
    bench.step()
    assert bench.path.state == PATH_WAITING_FOR_FUSE
    assert bench.path.holds_limits
    bench.run(1000)
    assert is_off(bench)
    assert bench.faults() == {"fuse_expected"}


@pytest.mark.parametrize("poles", [1, 2])
def test_a_person_or_a_second_fault_opens_what_carries_one_direction(poles):
    bench = on(contactor_poles=poles)
    bench.allowed = GATE_CHARGE
    bench.run(1000)
    bench.allowed = 0
    bench.step()
    assert is_off(bench)
    bench.run(1000)
    bench.allowed = GATE_CHARGE  # it opened for no current, so it closes at once
    bench.run_until(PATH_ON, 3000)


def opened_by_current(allowed, wrong, **settings):
    """A bench that has just opened because current flowed the blocked way."""
    bench = on(**settings)
    bench.allowed = allowed
    bench.sample.current_ma = wrong * 50000
    while bench.path.commanded:
        bench.step()
    bench.sample.current_ma = 0
    bench.sample.bus_mv = 0
    return bench


@pytest.mark.parametrize(("allowed", "wrong"), ONE_WAY)
def test_after_current_the_blocked_way_it_closes_again_after_ten_minutes(allowed, wrong):
    bench = opened_by_current(allowed, wrong)
    start_ms = bench.now_ms
    while not bench.path.commanded:
        assert bench.path.state == PATH_OFF
        assert is_off(bench)
        bench.step()
    assert bench.now_ms - start_ms == PAUSE_MS


@pytest.mark.parametrize(("allowed", "wrong"), ONE_WAY)
def test_it_closes_at_once_when_both_directions_are_allowed(allowed, wrong):
    bench = opened_by_current(allowed, wrong)
    bench.run(1000)
    bench.allowed = GATES_BOTH
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 3000)
    bench.urgent = True  # that pause is forgotten
    bench.run(1000)
    bench.urgent = False
    bench.allowed = allowed
    bench.run_until(PATH_ON, 3000)


def test_it_closes_for_a_charger_that_waits_on_the_bus():
    bench = opened_by_current(GATE_CHARGE, -1)
    bench.sample.bus_mv = CHARGER_MV
    start_ms = bench.now_ms
    bench.run_until(PATH_ON, LOOK_MS + 3000)
    assert bench.now_ms - start_ms >= LOOK_MS  # else the bus's capacitors looked like a charger


@pytest.mark.parametrize(
    ("allowed", "wrong", "bus_mv"),
    [
        (GATE_CHARGE, -1, STACK_MV),
        (GATE_CHARGE, -1, 0),
        (GATE_CHARGE, -1, 54601),  # above the closing ratio
        (GATE_DISCHARGE, 1, CHARGER_MV),
    ],
)
def test_it_does_not_close_early_for_anything_else(allowed, wrong, bus_mv):
    bench = opened_by_current(allowed, wrong)
    bench.sample.bus_mv = bus_mv
    for _ in range(PAUSE_MS // PERIOD_MS - 1):
        bench.step()
        assert is_off(bench)


def test_a_load_that_stays_on_an_empty_pack_moves_contactors_once_in_ten_minutes():
    bench = on()
    bench.allowed = GATE_CHARGE
    closings = 0
    for _ in range(3 * PAUSE_MS // PERIOD_MS):
        before = bench.contactors.levels[POSITIVE]
        bench.sample.bus_mv = STACK_MV if sum(levels(bench)) else 0
        bench.sample.current_ma = -50000 if before else 0
        bench.step()
        closings += bench.contactors.levels[POSITIVE] > before
    assert closings == 2


# -- welds and contactors that do not close

WELDS = (
    (POSITIVE, "contactor_positive_welded"),
    (NEGATIVE, "contactor_negative_welded"),
    (PRECHARGE, "precharge_relay_welded"),
)


@pytest.mark.parametrize(("contactor", "fault"), WELDS)
@pytest.mark.parametrize("measured", [False, True])
def test_an_auxiliary_contact_names_the_weld(contactor, fault, measured):
    """Lesson 10: also without the measuring chip, which says nothing about the contact."""
    bench = on(contactor_aux=1, contactor_poles=2)
    bench.contactors.forced[contactor] = 1
    bench.allowed = 0
    bench.step()
    bench.measured = measured
    bench.run(SETTLE_MS)
    assert bench.faults() == set() or contactor == PRECHARGE
    bench.step()
    assert bench.faults() == {fault}
    assert is_off(bench)
    bench.allowed = GATES_BOTH
    bench.run(3000)
    bench.clear()  # its cause is still there
    bench.run(3000)
    assert is_off(bench)
    assert bench.path.state == PATH_FAILED
    bench.contactors.forced[contactor] = None
    bench.measured = True
    bench.run(1000)
    assert is_off(bench)
    bench.clear()
    bench.run_until(PATH_ON, 3000)


@pytest.mark.parametrize(("contactor", "fault"), WELDS)
def test_a_weld_is_found_before_the_first_closing(contactor, fault):
    bench = path_bench(contactor_aux=1, contactor_poles=2)
    bench.contactors.forced[contactor] = 1
    bench.run(3000)
    assert levels(bench) == [0, 0, 0]
    assert bench.faults() == {fault}


def test_with_one_pole_nobody_asks_the_negative_contact():
    bench = path_bench(contactor_aux=1, contactor_poles=1)
    bench.contactors.forced[NEGATIVE] = 1
    bench.sample.bus_mv = STACK_MV
    bench.run_until(PATH_ON, 3000)
    assert bench.faults() == set()


def test_without_contacts_a_bus_that_stays_full_is_a_weld():
    bench = on(contactor_bleed_s=10)
    bench.allowed = 0
    bench.run(10000)
    assert bench.faults() == set()
    bench.run(200)
    assert bench.faults() == {"contactor_positive_welded"}


@pytest.mark.parametrize("settings", [{"contactor_bleed_s": 0}, {"contactor_bleed_s": 10}])
def test_a_bus_that_nobody_empties_or_that_empties_itself_is_none(settings):
    bench = on(**settings)
    bench.allowed = 0
    bench.run(9000)
    if settings["contactor_bleed_s"]:
        bench.sample.bus_mv = STACK_MV // 2
    bench.run(30000)
    assert bench.faults() == set()


@pytest.mark.parametrize(
    ("contactor", "phase"), [(NEGATIVE, "negative"), (PRECHARGE, "relay"), (POSITIVE, "positive")]
)
def test_a_contactor_that_does_not_close_is_a_fault_and_opens_all(contactor, phase):
    bench = path_bench(contactor_aux=1, contactor_poles=2)
    bench.sample.bus_mv = STACK_MV
    bench.contactors.forced[contactor] = 0
    bench.run(3000)
    assert bench.faults() == {"contactor_stuck_open"}
    assert is_off(bench)


def test_a_contactor_that_falls_open_is_a_fault():
    bench = on(contactor_aux=1)
    bench.contactors.forced[POSITIVE] = 0
    bench.step()
    assert bench.faults() == {"contactor_stuck_open"}
    assert is_off(bench)


@pytest.mark.parametrize("current_ma", [0, -LOW_MA, LOW_MA])
@pytest.mark.parametrize(
    ("near_mv", "apart_mv"),
    [(STACK_MV * 9 // 10, -1), (STACK_MV * 105 // 100, 1)],
)
def test_a_bus_apart_behind_a_closed_contactor_is_a_fault_after_a_while(
    near_mv, apart_mv, current_ma
):
    """Emptied by a load, or held by a charger. The stack's voltage is up to 189 ms old."""
    bench = on()
    bench.sample.bus_mv = near_mv + apart_mv
    bench.sample.current_ma = current_ma
    bench.run(1500)
    assert bench.faults() == set()
    bench.sample.bus_mv = near_mv
    bench.step()
    bench.sample.bus_mv += apart_mv
    bench.run(1500)
    assert bench.faults() == set()
    bench.step()
    assert bench.faults() == {"contactor_stuck_open"}
    assert is_off(bench)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_low_bus_that_takes_a_large_current_is_loaded_and_no_open_contactor(sign):
    bench = on()
    bench.sample.bus_mv = 0
    bench.sample.current_ma = sign * (LOW_MA + 1)
    bench.run(10000)
    assert bench.faults() == set()
    assert bench.path.state == PATH_ON


def test_coils_that_the_chip_cut_off_are_not_said_to_be_stuck():
    bench = on(contactor_aux=1)
    bench.contactors.forced[POSITIVE] = 0
    bench.obeying = False
    bench.sample.gates = 0
    bench.sample.trips = TRIP_SHORT_CIRCUIT
    for _ in range(10):
        bench.step()
        assert levels(bench) == [0, 0, 0]
    assert bench.faults() == set()


def test_a_chip_that_supplies_no_coils_is_a_gate_mismatch():
    bench = path_bench(gate_mismatch_ms=1000)
    bench.obeying = False
    bench.run(2000)
    assert bench.faults() == {"gate_mismatch"}
    assert is_off(bench)
