"""An empty pack discharges again after charge current or a person's word, never after rest."""

import pytest

from bms import requests
from bms.sample import BUS_ERROR, GATE_CHARGE, GATES_BOTH, OK
from host_tests.bms.bench import Bench
from host_tests.bms.row_bench import UNDERVOLTAGES, drive

RELEASE_MA = 500  # default of undervoltage_release_ma
RELEASE_DELAY_MS = 5000
EMPTY_MV = {"cell_undervoltage": 2699, "pack_undervoltage": 2799}
MAH_PER_STEP_MA = 36000  # at this current a step of 100 ms brings 1 mAh


def emptied(name="cell_undervoltage", **settings):
    """A pack whose row `name` just tripped, with its voltage back where it was; no current."""
    bench = Bench(body_diode_ma=20000, **settings).start()
    empty(bench, name)
    return bench


def empty(bench, name="cell_undervoltage"):
    bench.chip.current_ma = 0
    drive(bench.chip, name, EMPTY_MV[name])
    bench.run_until(lambda: name in bench.faults(), 10000)
    bench.chip.set_cells(3300)


def charge(bench, current_ma=RELEASE_MA + 1):
    """Until discharging is allowed again; the ms it took."""
    bench.chip.current_ma = current_ma
    return bench.run_until(lambda: not bench.faults() & set(UNDERVOLTAGES), 10000)


@pytest.mark.parametrize("current_ma", [0, 1, RELEASE_MA, -RELEASE_MA - 1])
@pytest.mark.parametrize("name", UNDERVOLTAGES)
def test_rest_alone_never_releases_an_empty_pack(name, current_ma):
    bench = emptied(name)
    bench.chip.current_ma = current_ma
    for _ in range(600):
        bench.step(500)
    assert bench.faults() >= {name}
    assert bench.point("discharge_allowed") == 0
    assert not bench.chip.lines() & ~GATE_CHARGE


@pytest.mark.parametrize("name", UNDERVOLTAGES)
def test_charge_current_during_the_whole_release_delay_releases(name):
    bench = emptied(name)
    took_ms = charge(bench)
    assert RELEASE_DELAY_MS <= took_ms <= RELEASE_DELAY_MS + 200
    bench.step()
    assert bench.chip.gates() == GATES_BOTH


@pytest.mark.parametrize("name", UNDERVOLTAGES)
def test_charge_current_that_comes_and_goes_does_not_release(name):
    bench = emptied(name)
    for _ in range(20):
        bench.chip.current_ma = RELEASE_MA + 1
        bench.run(RELEASE_DELAY_MS)
        bench.chip.current_ma = RELEASE_MA
        bench.step()
    assert bench.faults() == {name}


def test_the_charge_current_that_releases_is_a_parameter():
    bench = emptied(undervoltage_release_ma=3000)
    bench.chip.current_ma = 3000
    bench.run(60000)
    assert bench.faults() == {"cell_undervoltage"}
    charge(bench, 3001)


def test_charge_current_alone_does_not_release_a_cell_that_is_still_low():
    bench = emptied()
    bench.chip.cell_mv[1] = 3000  # its release threshold
    bench.chip.current_ma = 20000
    bench.run(60000)
    assert bench.faults() == {"cell_undervoltage"}


def test_other_faults_release_without_charge_current():
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3651
    bench.run(2000)
    bench.chip.set_cells(3300)
    bench.run(5200)
    assert bench.faults() == set()


@pytest.mark.parametrize("name", UNDERVOLTAGES)
def test_a_persons_clear_releases_at_rest_after_the_release_delay(name):
    bench = emptied(name)
    bench.run(60000)
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    took_ms = bench.run_until(lambda: not bench.faults(), 10000)
    assert took_ms <= RELEASE_DELAY_MS + 200
    bench.step()
    assert bench.chip.gates() == GATES_BOTH


@pytest.mark.parametrize(("recovered_after_ms", "ends"), [(80000, True), (90000, False)])
def test_a_persons_clear_while_the_voltage_is_low_counts_for_a_minute_and_a_half(
    recovered_after_ms, ends
):
    """A word of this morning must not connect the pack again when its cells recovered by rest."""
    bench = emptied()
    bench.chip.cell_mv[1] = 3000
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(recovered_after_ms)
    assert bench.faults() == {"cell_undervoltage"}
    bench.chip.set_cells(3300)
    bench.run(60000)
    assert bench.faults() == (set() if ends else {"cell_undervoltage"})
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(RELEASE_DELAY_MS + 200)
    assert bench.faults() == set()


@pytest.mark.parametrize("blind_ms", [30000, 100000])
def test_the_time_of_a_persons_clear_also_passes_while_nothing_is_measured(blind_ms):
    bench = emptied()
    bench.chip.cell_mv[1] = 3000
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(1000)
    bench.chip.code = BUS_ERROR
    bench.run(blind_ms)
    bench.chip.code = OK
    bench.chip.set_cells(3300)
    bench.run(30000)
    assert bench.faults() == (set() if blind_ms == 30000 else {"cell_undervoltage"})


def test_a_persons_clear_is_for_one_time_only():
    bench = emptied()
    bench.ask(requests.CLEAR_FAULTS)
    bench.run_until(lambda: not bench.faults(), 10000)
    empty(bench)
    bench.run(60000)
    assert bench.faults() == {"cell_undervoltage"}


def test_a_clear_before_the_pack_was_empty_does_not_count():
    bench = Bench().start()
    bench.chip.cell_mv[2] = 2699
    bench.run(1500)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(1500)
    assert bench.faults() == {"cell_undervoltage"}
    bench.chip.set_cells(3300)
    bench.run(60000)
    assert bench.faults() == {"cell_undervoltage"}


@pytest.mark.parametrize("name", UNDERVOLTAGES)
def test_a_clear_while_nothing_was_measured_for_a_minute_does_not_count(name):
    bench = emptied(name)
    bench.chip.code = BUS_ERROR
    bench.run(1000)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(60200)
    bench.chip.code = OK
    bench.run(60000)
    assert bench.faults() == {name}


def rebound(bench):
    """One more round: a little charge, then empty again."""
    charge(bench)
    bench.step()
    empty(bench)


@pytest.mark.parametrize("rebounds_max", [1, 3, 10])
def test_after_so_many_rebounds_only_a_person_lets_the_pack_discharge(rebounds_max):
    bench = emptied(undervoltage_rebounds_max=rebounds_max)
    for count in range(rebounds_max):
        assert bench.point("undervoltage_rebounds") == count
        assert "undervoltage_rebounds" not in bench.faults()
        rebound(bench)
    assert bench.point("undervoltage_rebounds") == rebounds_max
    assert "undervoltage_rebounds" in bench.faults()
    charge(bench)
    bench.run(60000)
    assert bench.faults() == {"undervoltage_rebounds"}
    assert bench.chip.lines() == GATE_CHARGE
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(200)
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH
    assert bench.point("undervoltage_rebounds") == 0


def test_after_a_persons_clear_all_rebounds_may_come_again():
    bench = emptied(undervoltage_rebounds_max=2)
    rebound(bench)
    bench.ask(requests.CLEAR_FAULTS)
    bench.step()
    assert bench.point("undervoltage_rebounds") == 0
    rebound(bench)
    assert "undervoltage_rebounds" not in bench.faults()
    rebound(bench)
    assert "undervoltage_rebounds" in bench.faults()


def test_both_undervoltages_at_once_are_one_rebound():
    bench = emptied()
    charge(bench)
    bench.chip.current_ma = 0
    bench.chip.set_cells(2650)
    bench.run_until(lambda: bench.faults() >= set(UNDERVOLTAGES), 10000)
    bench.run(10000)
    assert bench.point("undervoltage_rebounds") == 1


def test_the_count_is_forgotten_after_a_recharge_of_a_twentieth():
    bench = emptied(design_capacity_mah=500, undervoltage_rebounds_max=3)
    rebound(bench)
    rebound(bench)
    charge(bench, MAH_PER_STEP_MA)  # its last step brings the first mAh that counts
    for _ in range(23):
        bench.step()
    assert bench.point("undervoltage_rebounds") == 2
    bench.step()
    assert bench.point("undervoltage_rebounds") == 0
    empty(bench)
    assert bench.point("undervoltage_rebounds") == 0  # it begins anew: empty for the first time
    rebound(bench)
    assert bench.point("undervoltage_rebounds") == 1


def test_charge_that_was_taken_out_again_is_no_recharge():
    bench = emptied(design_capacity_mah=500)
    rebound(bench)
    charge(bench, MAH_PER_STEP_MA)
    for current_ma in (MAH_PER_STEP_MA, -MAH_PER_STEP_MA) * 3:
        bench.chip.current_ma = current_ma
        for _ in range(20):
            bench.step()
    assert bench.point("undervoltage_rebounds") == 1


def test_the_count_is_restored_after_a_restart():
    bench = Bench(undervoltage_rebounds_max=3, body_diode_ma=20000)
    bench.battery.rebounds.restore(2, False)
    bench.start()
    assert bench.point("undervoltage_rebounds") == 2
    empty(bench)
    assert "undervoltage_rebounds" in bench.faults()


def test_a_restored_count_is_forgotten_after_a_recharge():
    bench = Bench(design_capacity_mah=500)
    bench.battery.rebounds.restore(2, False)
    bench.start()
    bench.chip.current_ma = MAH_PER_STEP_MA
    for _ in range(25):
        bench.step()
    assert bench.point("undervoltage_rebounds") == 0


def test_a_pack_that_was_never_empty_counts_nothing():
    bench = Bench()
    bench.battery.rebounds.restore(0, False)
    bench.start()
    empty(bench)
    assert bench.point("undervoltage_rebounds") == 0


def restarted(rebounds, empty, **settings):
    """A pack whose cells recovered while the processor was off."""
    bench = Bench(body_diode_ma=20000, **settings)
    bench.battery.restore_empty(rebounds, empty)
    bench.run(60000)
    return bench


def test_a_pack_that_was_empty_before_a_restart_is_empty_after_it():
    """Else a restart, which a drained pack is prone to, would connect the load again."""
    bench = restarted(0, True)
    assert bench.faults() == set(UNDERVOLTAGES)
    assert bench.chip.lines() == GATE_CHARGE
    assert bench.battery.empty()
    charge(bench)
    bench.step()
    assert bench.chip.gates() == GATES_BOTH
    assert not bench.battery.empty()


def test_a_pack_that_was_empty_before_a_restart_obeys_a_persons_clear():
    bench = restarted(0, True)
    bench.ask(requests.CLEAR_FAULTS)
    bench.run(RELEASE_DELAY_MS + 200)
    assert bench.chip.gates() == GATES_BOTH


def test_a_pack_that_was_not_empty_before_a_restart_discharges_after_it():
    bench = restarted(2, False)
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH
    assert bench.point("undervoltage_rebounds") == 2


@pytest.mark.parametrize("name", UNDERVOLTAGES)
def test_a_pack_says_whether_it_is_empty(name):
    bench = Bench(body_diode_ma=20000).start()
    assert not bench.battery.empty()
    empty(bench, name)
    assert bench.battery.empty()


def test_a_restart_while_empty_is_no_rebound_and_the_next_time_is_one():
    bench = restarted(1, True)
    assert bench.point("undervoltage_rebounds") == 1
    rebound(bench)
    assert bench.point("undervoltage_rebounds") == 2


def test_a_restart_while_empty_for_the_first_time_counts_the_next_time():
    bench = restarted(0, True)
    assert bench.point("undervoltage_rebounds") == 0
    rebound(bench)
    assert bench.point("undervoltage_rebounds") == 1


def test_a_recharge_of_a_twentieth_ends_the_rebounds_without_a_person():
    bench = emptied(design_capacity_mah=500, undervoltage_rebounds_max=1)
    rebound(bench)
    charge(bench, MAH_PER_STEP_MA)  # its last step brings the first mAh that counts
    for _ in range(23):
        bench.step()
    assert bench.faults() == {"undervoltage_rebounds"}
    assert bench.point("discharge_allowed") == 0
    bench.step()
    bench.step()
    assert bench.faults() == set()
    assert bench.point("discharge_allowed") == 1
