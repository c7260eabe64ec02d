"""The path of contactors: the order of closing, the ways of opening, welds."""

from itertools import pairwise

import pytest

from bms.contactor_path import ContactorPath
from bms.points import (
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


@pytest.mark.parametrize("allowed", [0, GATE_CHARGE, GATE_DISCHARGE])
def test_one_blocked_direction_keeps_everything_open(allowed):
    bench = path_bench()
    bench.allowed = allowed
    bench.run(3000)
    assert is_off(bench)
    assert bench.path.state == PATH_OFF
    assert bench.path.holds_limits


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


def test_a_bus_above_the_pack_is_waited_for_and_then_counts_as_a_try():
    bench = path_bench(precharge_cooldown_s=1)
    bench.sample.bus_mv = 54601
    bench.run(2000)
    assert levels(bench) == [0, 0, 0]
    assert bench.path.state == PATH_PRECHARGING
    bench.run(20000)
    assert bench.path.state == PATH_FAILED
    assert bench.faults() == {"precharge_failed"}


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


def test_a_fault_during_precharge_opens_and_the_tries_are_counted():
    """Field lessons 13 and 14: it never re-enters against a fault, and does not oscillate."""
    bench = filling()
    for _ in range(2):
        bench.allowed = GATE_CHARGE
        bench.step()
        assert is_off(bench)
        bench.run(60000)
        assert is_off(bench)
        bench.allowed = GATES_BOTH
        while not bench.contactors.levels[PRECHARGE]:
            bench.step()
    bench.urgent = True
    bench.step()
    assert bench.path.state == PATH_FAILED
    bench.step()
    assert bench.faults() == {"precharge_failed"}


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
    bench = filling(precharge_max_j=160, precharge_cooldown_s=600)
    bench.run(1000)  # 57 J; another try may need 155 J
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
@pytest.mark.parametrize("allowed", [0, GATE_CHARGE, GATE_DISCHARGE])
def test_below_the_small_current_it_opens_at_once(sign, allowed):
    bench = on()
    bench.sample.current_ma = sign * LOW_MA
    bench.allowed = allowed
    bench.step()
    assert is_off(bench)
    assert bench.path.state == PATH_OFF


@pytest.mark.parametrize("sign", [-1, 1])
def test_above_it_limits_are_0_first_and_the_current_falls(sign):
    """Field lesson 15."""
    bench = on(contactor_ramp_ms=1300)
    bench.sample.current_ma = sign * (LOW_MA + 1)
    bench.allowed = GATE_CHARGE
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
    bench.allowed = GATE_CHARGE
    bench.step()
    assert bench.run_until(PATH_OFF, 3000) <= max(ramp_ms, PERIOD_MS)
    assert is_off(bench)


def test_an_opening_that_began_is_finished():
    bench = on(contactor_ramp_ms=1000)
    bench.sample.current_ma = 50000
    bench.allowed = GATE_CHARGE
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
    bench.allowed = GATE_CHARGE
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
    bench.allowed = GATE_CHARGE
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
    bench.allowed = GATE_CHARGE
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
    bench.path.forget()
    bench.step()
    assert bench.chip.commands == commands + 1


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


def test_a_low_bus_behind_a_closed_contactor_is_a_fault_after_a_while():
    bench = on()
    bench.sample.bus_mv = STACK_MV * 9 // 10 - 1
    bench.run(SETTLE_MS)
    assert bench.faults() == set()
    bench.sample.bus_mv = STACK_MV * 9 // 10
    bench.step()
    bench.sample.bus_mv -= 1
    bench.run(SETTLE_MS)
    assert bench.faults() == set()
    bench.step()
    assert bench.faults() == {"contactor_stuck_open"}
    assert is_off(bench)


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
