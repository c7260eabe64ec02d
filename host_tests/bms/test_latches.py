"""What outlives a restart, what others report, the interlock: none of it closes a gate."""

import pytest

from bms import requests
from bms.fault_register import WORDS
from bms.faults import Faults
from bms.points import STATE_ACTIVE, STATE_COMMISSIONING, STATE_FAULT, STATE_STANDBY
from bms.sample import GATES_BOTH, TRIP_SHORT_CIRCUIT
from bms.table import UnknownName
from host_tests.bms.bench import Bench
from host_tests.bms.mirrors import BLOCKS

TABLE = Faults()
NAMES = [TABLE.names.name(bit) for bit in range(len(TABLE))]
LATCHING = [name for bit, name in enumerate(NAMES) if TABLE.latching[bit]]
OTHERS = [name for name in NAMES if name not in LATCHING]


def words_of(*names):
    words = [0] * WORDS
    for name in names:
        bit = NAMES.index(name)
        words[bit >> 4] |= 1 << (bit & 15)
    return words


def latched(bench):
    words = [0xFFFF] * WORDS  # whatever stood there before
    bench.battery.latched_into(words)
    return words


def restored(words, restricted=False):
    bench = Bench(interlock=True)
    bench.battery.restore(words, restricted)
    return bench


KEPT = ("deep_discharge", "cell_below_floor")  # what a "clear" is not enough for


@pytest.mark.parametrize("name", [each for each in LATCHING if each not in KEPT])
def test_a_latched_fault_outlives_a_restart_until_a_person_clears_it(name):
    bench = restored(words_of(name))
    assert latched(bench) == words_of(name)
    bench.run(60000)
    assert bench.faults() == {name}
    assert bench.chip.lines() == GATES_BOTH & ~BLOCKS[name]
    assert latched(bench) == words_of(name)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(10000)
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH
    assert latched(bench) == words_of()


@pytest.mark.parametrize("name", KEPT)
def test_no_clear_ends_a_deep_discharge_and_nothing_a_cell_below_the_floor(name):
    bench = restored(words_of(name))
    for request_code in (requests.CLEAR_FAULTS, requests.REPROGRAM_AFE, requests.CLEAR_FAULTS):
        bench.run(20000)
        bench.ask(request_code)
        bench.run(20000)
        assert bench.faults() == {name}
        assert bench.chip.lines() == 0
    bench.ask(requests.ACKNOWLEDGE_DEEP_DISCHARGE)
    bench.run(20000)
    ends = name == "deep_discharge"
    assert bench.faults() == (set() if ends else {name})
    assert latched(bench) == (words_of() if ends else words_of(name))
    assert bench.chip.gates() == (GATES_BOTH if ends else 0)


def test_no_gate_closes_for_a_moment_while_latched_faults_are_restored():
    bench = restored(words_of("short_circuit", "contactor_positive_welded"))
    for _ in range(600):
        bench.step()
        assert bench.chip.lines() == bench.point("charge_allowed") == 0


@pytest.mark.parametrize("name", OTHERS)
def test_a_fault_that_does_not_latch_is_not_restored(name):
    bench = restored(words_of(name))
    bench.start()
    assert latched(bench) == words_of()


def test_only_latching_faults_are_kept():
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3700
    bench.chip.trips = TRIP_SHORT_CIRCUIT
    bench.run(3000)
    assert bench.faults() == {"cell_overvoltage", "short_circuit"}
    assert latched(bench) == words_of("short_circuit")


def test_every_latched_fault_finds_its_bit():
    assert latched(restored([0xFFFF] * WORDS)) == words_of(*LATCHING)


def test_a_restored_fault_of_a_row_needs_its_release_and_a_person():
    bench = restored(words_of("deep_discharge"))
    bench.chip.set_cells(2999)  # below the undervoltage release
    bench.run(20000)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(20000)
    assert bench.faults() == {"deep_discharge"}
    assert bench.chip.lines() == 0


def test_open_gates_outlive_a_restart():
    bench = restored(words_of(), restricted=True)
    bench.run(20000)
    assert bench.chip.lines() == 0
    assert bench.battery.restricted
    assert bench.point("state") == STATE_STANDBY
    bench.ask(requests.GATES_AUTO)
    bench.run(200)
    assert bench.chip.gates() == GATES_BOTH
    assert not bench.battery.restricted


def test_nothing_to_restore_restores_nothing():
    restored(words_of()).start()


def test_a_fault_found_before_the_first_step_latches():
    bench = Bench()
    bench.battery.latch("boot_loop")
    bench.run(60000)
    assert bench.faults() == {"boot_loop"}
    assert bench.chip.lines() == 0
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(200)
    assert bench.chip.gates() == GATES_BOTH


@pytest.mark.parametrize("name", OTHERS)
def test_a_condition_of_others_is_a_fault_as_long_as_it_stands(name):
    bench = Bench().start()
    bench.battery.condition(name, True)
    bench.step()
    for _ in range(50):
        assert bench.faults() == {name}
        assert bench.chip.lines() == GATES_BOTH & ~BLOCKS[name]
        assert bench.point("charge_allowed") == (0 if BLOCKS[name] & 1 else 1)
        bench.ask(requests.CLEAR_FAULTS)
        bench.step()
    bench.battery.condition(name, False)
    bench.run(200)
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH


@pytest.mark.parametrize("name", ["event_log_failed", "inverter_lost"])
def test_a_log_or_a_link_that_fails_blocks_nothing(name):
    bench = Bench().start().limits_risen()
    bench.battery.condition(name, True)
    bench.run(1000)
    assert bench.faults() == {name}
    assert bench.point("state") == STATE_ACTIVE
    assert bench.point("discharge_current_limit_ma") == 100000


def test_a_lost_inverter_that_is_required_opens_both():
    bench = Bench().start()
    bench.battery.condition("inverter_required", True)
    bench.step()
    assert bench.chip.lines() == 0
    assert bench.point("state") == STATE_FAULT


def test_a_pack_that_was_not_commissioned_says_so_and_stays_off():
    bench = Bench()
    bench.battery.condition("not_commissioned", True)
    bench.run(60000)
    assert bench.faults() == {"not_commissioned"}
    assert bench.point("state") == STATE_COMMISSIONING
    assert bench.chip.lines() == 0
    assert bench.point("cell_min_mv") == 3300


def test_a_condition_that_latches_stays_latched_when_it_is_over():
    bench = Bench().start()
    bench.battery.condition("boot_loop", True)
    bench.step()
    bench.battery.condition("boot_loop", False)
    bench.run(60000)
    assert bench.faults() == {"boot_loop"}


def test_a_condition_that_is_no_fault_is_refused():
    with pytest.raises(UnknownName):
        Bench().battery.condition("bad_weather", True)


def test_a_broken_interlock_opens_with_the_second_look_and_latches():
    bench = Bench(interlock=True).start()
    bench.interlock = 0
    bench.step()
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH
    bench.step()
    assert bench.faults() == {"interlock_open"}
    assert bench.chip.lines() == bench.chip.gates() == 0
    for _ in range(10):
        bench.ask(requests.CLEAR_FAULTS)
        bench.run(1000)
        assert bench.faults() == {"interlock_open"}
    bench.run(10000)
    bench.interlock = 1
    bench.run(60000)
    assert bench.faults() == {"interlock_open"}
    assert bench.chip.lines() == 0
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(200)
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH


def test_a_board_without_interlock_does_not_ask_for_one():
    bench = Bench(interlock=False)
    bench.interlock = 0
    bench.start()


def test_an_interlock_that_flickers_is_a_glitch_on_the_wire():
    bench = Bench(interlock=True).start()
    for _ in range(100):
        bench.interlock = 1 - bench.interlock
        bench.step()
        assert bench.faults() == set()
        assert bench.chip.gates() == GATES_BOTH


@pytest.mark.parametrize("configured", [True, False])
def test_an_interlock_that_is_open_at_the_start_is_shown_at_once(configured):
    bench = Bench(configured=configured, interlock=True)
    bench.interlock = 0
    bench.step()
    bench.step()
    assert "interlock_open" in bench.faults()
    bench.run(20000)
    assert bench.chip.lines() == 0
