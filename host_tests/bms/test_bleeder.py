"""The command to the chip: refreshed, confirmed, withdrawn, and never against a gate's fault."""

import pytest

from bms.bleeder import Bleeder
from bms.sample import BUS_ERROR, OK
from host_tests.bms.bench import Bench
from host_tests.bms.fake_chip import FakeChip


@pytest.fixture
def chip():
    chip = FakeChip(16)
    chip.tested = True
    return chip


def run(bleeder, ms, permitted=True, want=None, period_ms=100):
    """Steps, and a turn of the slow path each second if it wants something."""
    for at in range(0, ms, period_ms):
        if want is not None and at % 1000 == 0:
            bleeder.want(want)
        bleeder.step(period_ms, permitted)


def test_what_is_wanted_is_told_in_the_next_step(chip):
    bleeder = Bleeder(chip)
    bleeder.want(0b101)
    bleeder.step(100, True)
    assert (chip.balanced, bleeder.active) == (0b101, 0b101)


def test_it_is_refreshed_before_the_chips_time_out_and_not_more_often_than_needed(chip):
    bleeder = Bleeder(chip)
    gaps = []
    since, commands = 0, 0
    for at in range(0, 60000, 100):
        if at % 1000 == 0:
            bleeder.want(0b100)
        bleeder.step(100, True)
        since += 100
        if chip.balance_commands != commands:
            commands = chip.balance_commands
            gaps.append(since)
            since = 0
    # The chip forgets after 10 s (data memory 0x9339); a flash erase may take 0.4 s.
    assert max(gaps) <= 4000
    assert len(gaps) <= 17


def test_nothing_is_sent_while_nothing_is_wanted(chip):
    run(Bleeder(chip), 60000, want=0)
    assert chip.balance_commands == 0


def test_what_is_forbidden_stops_in_the_same_step(chip):
    bleeder = Bleeder(chip)
    run(bleeder, 1000, want=0b10)
    assert chip.balanced == 0b10
    bleeder.step(100, False)
    assert (chip.balanced, bleeder.active) == (0, 0)


def test_a_silent_slow_path_ends_it_within_six_seconds(chip):
    bleeder = Bleeder(chip)
    run(bleeder, 1000, want=0b10)
    run(bleeder, 4000)
    assert chip.balanced == 0b10
    run(bleeder, 1100)
    assert chip.balanced == 0


def test_a_bus_that_fails_is_tried_once_a_second_and_counts_as_bleeding(chip):
    bleeder = Bleeder(chip)
    run(bleeder, 1000, want=0b10)
    chip.balance_code = BUS_ERROR
    before = chip.balance_commands
    bleeder.want(0)
    run(bleeder, 3000)
    assert chip.balance_commands - before == 3
    assert bleeder.active == 0b10
    chip.balance_code = OK
    run(bleeder, 1000)
    assert (chip.balanced, bleeder.active) == (0, 0)


def test_the_chips_answer_is_compared_with_the_command(chip):
    bleeder = Bleeder(chip)
    run(bleeder, 2000, want=0b10)
    assert not bleeder.refused
    chip.balance_answer = 0  # too hot, or balancing by the host is off
    run(bleeder, 2000, want=0b1000)
    assert bleeder.refused
    chip.balance_answer = None
    run(bleeder, 2000, want=0)
    assert not bleeder.refused


def test_a_chip_that_is_busy_is_asked_on(chip):
    chip.balance_busy = True
    bleeder = Bleeder(chip)
    run(bleeder, 1000, want=0b10)
    chip.balance_answer = 0
    run(bleeder, 1000, want=0b1000)
    assert bleeder.refused


def test_the_last_try_never_raises(chip):
    bleeder = Bleeder(chip)
    run(bleeder, 1000, want=0b10)
    chip.failure = OSError("the bus is gone")
    bleeder.stop()
    assert bleeder.active == 0


# In the battery


def bleeding():
    """A battery of four cells of which the third is bled."""
    bench = Bench().start()
    bench.battery._bleeder.want(0b100)
    bench.step()
    assert bench.chip.balanced == 0b100
    assert bench.words("balancing") == [0b100, 0]
    return bench


def test_a_fault_that_blocks_discharging_stops_the_bleeding():
    bench = bleeding()
    bench.chip.set_temperatures(700)  # too warm to discharge
    for _ in range(50):
        bench.battery._bleeder.want(0b100)
        bench.step()
    assert "overtemperature_discharge" in bench.faults()
    assert bench.chip.balanced == 0
    assert bench.words("balancing") == [0, 0]


def test_a_fault_that_blocks_charging_does_not_since_the_high_cell_must_come_down():
    bench = bleeding()
    bench.chip.cell_mv[2] = 3700
    for _ in range(50):
        bench.battery._bleeder.want(0b100)
        bench.step()
    assert "cell_overvoltage" in bench.faults()
    assert bench.chip.balanced == 0b100


def test_gates_off_by_a_person_a_lost_chip_and_programming_stop_it():
    from bms import requests

    bench = bleeding()
    bench.ask(requests.GATES_OFF)
    bench.step()
    assert bench.chip.balanced == 0
    bench = bleeding()
    bench.ask(requests.REPROGRAM_AFE)
    bench.run(500)
    assert bench.words("balancing") == [0, 0]
    bench = bleeding()
    bench.chip.code = BUS_ERROR
    bench.run(1000)  # past the hold-over
    assert bench.chip.balanced == 0


def test_nothing_is_bled_in_a_pack_that_nobody_confirmed():
    bench = Bench().start()
    bench.battery.condition("not_commissioned", True)
    bench.step()
    bench.battery._bleeder.want(0b100)
    bench.run(1000)
    assert bench.chip.balanced == 0


def test_an_exception_in_the_fast_path_stops_the_bleeding_at_once():
    bench = bleeding()
    bench.battery.stop(RuntimeError("a bug"))
    assert bench.chip.balanced == 0
    assert bench.words("balancing") == [0, 0]


def test_field_lesson_40_gates_and_protections_are_as_without_balancing():
    """15 to 20 mV error on a bled cell's neighbours (bms-15s80-sc#4) trips nothing, and what trips
    without balancing trips with it, in the same step."""
    plain, bled = Bench().start(), bleeding()
    for cell in (1, 3):
        bled.chip.cell_mv[cell] -= 20
    bled.chip.cell_mv[2] += 20
    for bench in (plain, bled):
        bench.run(5000)
    assert bled.faults() == plain.faults() == set()
    assert bled.chip.gates() == 3
    times = []
    for bench in (plain, bled):
        bench.chip.cell_mv[2] = 3700
        times.append(bench.run_until(lambda b=bench: "cell_overvoltage" in b.faults(), 5000))
    assert times[0] == times[1]
