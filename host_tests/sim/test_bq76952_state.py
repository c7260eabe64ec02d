"""A reset of the processor leaves the BQ76952 model running: save, restore, go on.

Each test runs two chips of the same history. One is saved and a new chip takes its place, through
JSON as in the host tool, with its time at 0. From then on both must do the same.
"""

import json

import pytest

from boards.sim import bq76952_state
from boards.sim.bq76952_protections import NEVER_US
from host_tests.sim.bq76952_bench import (
    CURRENT_SETTINGS,
    FULLSCAN_MS,
    MS,
    WATCHDOG_SETTINGS,
    Bench,
    little,
)

# All direct registers, and what no register shows.
SHOWN = range(0x80)
STEPS_MS = (1, 3, 7, 50, 63, 100, 189, 250, 400)


def reset_processor(bench):
    """The same pack and a restored chip behind a new bench, which begins at 0."""
    saved = json.loads(json.dumps(bench.chip.save()))
    after = Bench(crc=bench.chip.port._crc)
    after.pack = after.chip.pack = bench.pack
    after.chip.restore(saved)
    return after


def shown(bench):
    chip = bench.chip
    return (
        bytes(chip.port.registers[register] for register in SHOWN),
        (chip.charge_on, chip.discharge_on, chip.predischarge_on),
        chip.bleeding_inputs(),
        chip.config_update,
        min(chip.next_event_us(), NEVER_US // 2),
        chip.meter.passed_charge(),
        chip.meter.passed_seconds(),
        chip.balancing_seconds(),
        bytes(chip.memory.block(0x9180) + chip.memory.block(0x9261)),
    )


def same_ever_after(before, after, seconds=60):
    """Both show the same in every step, and change gates at the same instants."""
    offset_us = before.chip.time_us
    assert offset_us > 0
    assert after.chip.time_us == 0
    before.gates.clear()
    for i in range(int(seconds * 1000 / 118)):
        assert shown(before) == shown(after)
        for bench in (before, after):
            bench.run_ms(STEPS_MS[i % len(STEPS_MS)])
    assert [(time_us - offset_us, *gates) for time_us, *gates in before.gates] == [
        tuple(change) for change in after.gates
    ]
    return after.gates


@pytest.fixture
def bench():
    bench = Bench()
    bench.run_ms(1234.567)
    return bench


def test_a_chip_at_work_goes_on(bench):
    bench.close_gates((0x92FD, b"\x07\x07\x07\x0f"))
    bench.pack.current_a = -7.0
    bench.run_ms(5000)
    after = reset_processor(bench)
    assert shown(after)[1] == (True, True, False)
    assert same_ever_after(bench, after) == []


def test_a_trip_in_progress_ends_at_its_time(bench):
    bench.close_gates()
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(100)
    after = reset_processor(bench)
    gates = same_ever_after(bench, after)
    assert gates == [(pytest.approx(3300 * 76 - 100 * MS, abs=1), False, True)]


def test_a_reaction_and_a_recovery_in_progress_end_at_their_times(bench):
    bench.close_gates((0x9265, b"\x08"))  # off the fast path: 250 ms more
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(300)
    after = reset_processor(bench)
    assert after.chip.charge_on
    assert len(same_ever_after(bench, after, 5)) == 1
    bench.pack.cell_v[5] = 3.3
    bench.run_ms(1000)
    after = reset_processor(bench)
    assert len(same_ever_after(bench, after, 5)) == 1


def test_the_host_watchdog_counts_on(bench):
    bench.close_gates(*WATCHDOG_SETTINGS)
    heard_us = bench.chip.time_us
    bench.silence_ms(3000)
    since_us = bench.chip.time_us - heard_us
    after = reset_processor(bench)
    ((time_us, *gates),) = same_ever_after(bench, after)
    assert (time_us, gates) == (5_250_000 - since_us, [False, False])


def test_a_tripped_watchdog_stays_tripped_until_the_host_speaks(bench):
    bench.close_gates(*WATCHDOG_SETTINGS)
    bench.silence_ms(6000)
    after = reset_processor(bench)
    after.run_ms(10_000)
    assert (after.chip.charge_on, after.chip.discharge_on) == (False, False)
    after.byte(0x12)
    assert after.closed() == (True, True)


def test_latches_their_counters_and_alarms_stay(bench):
    bench.configure((0x926D, little(0xF000)))
    bench.close_gates(*CURRENT_SETTINGS, (0x9263, b"\x60"), (0x9295, bytes([2, 100])))
    for left in (0x00, 0x40):
        bench.pack.current_a = -200.0
        bench.run_ms(1)
        bench.pack.current_a = 0.0
        bench.run_ms(10_000)
        after = reset_processor(bench)
        assert after.byte(0x07) == left
        assert after.word(0x62) & 0x4000
        same_ever_after(bench, after, 2)
        bench = after
    bench.send(0x009C)
    assert bench.byte(0x07) == 0


def test_config_update_stays_and_so_do_the_writes_made_in_it(bench):
    bench.close_gates()
    bench.send(0x0090)
    bench.send_data(0x9261, b"\x8c")
    after = reset_processor(bench)
    same_ever_after(bench, after, 5)
    assert after.word(0x12) & 0x0001
    after.send(0x0092)
    assert not after.word(0x12) & 0x0001
    assert after.answer(0x9261)[0] == 0x8C


def test_a_sub_command_under_way_ends_at_its_time(bench):
    bench.write(0x3E, little(0x0004))  # IROM_SIG: 8500 us
    bench.run_ms(5)
    after = reset_processor(bench)
    after.run_ms(3.4)
    assert after.word(0x3E) == 0xFFFF
    after.run_ms(0.2)
    assert after.word(0x3E) == 0x0004


def test_a_half_written_command_can_be_finished(bench):
    bench.send(0x0090)
    bench.write(0x3E, little(0x9261) + b"\x8c")
    after = reset_processor(bench)
    after.write(0x60, [0x80, 0x05])
    assert after.answer(0x9261)[0] == 0x8C


def test_balancing_ends_at_its_time_and_counts_on(bench):
    bench.configure((0x9339, b"\x14"))
    bench.chip.stuck_balance.add(3)
    bench.send_data(0x0083, little(0x000A))
    bench.run_ms(12_000)
    after = reset_processor(bench)
    assert (after.chip.balancing_inputs, after.chip.bleeding_inputs()) == (0x000A, 0x0002)
    assert after.chip.balancing_seconds() == 12
    same_ever_after(bench, after, 30)
    assert after.chip.balancing_inputs == 0


def test_predischarge_goes_on(bench):
    bench.configure((0x9234, little(0x2882)), (0x9308, b"\x1d"), (0x930E, bytes([200, 50])))
    bench.pack.bus_v = 0.0
    bench.run_ms(500)
    bench.send(0x0022)
    bench.run_ms(990)
    after = reset_processor(bench)
    assert after.chip.predischarge_on
    gates = same_ever_after(bench, after, 5)
    assert gates == [(1_000_000 + 200, True, True)]


def test_load_detection_goes_on(bench):
    bench.close_gates(
        *CURRENT_SETTINGS,
        (0x9263, b"\x40"),
        (0x9295, bytes([1, 10])),
        (0x92B4, bytes([2, 8, 1, 0])),
    )
    bench.pack.load_present = True
    bench.pack.current_a = -200.0
    bench.run_ms(1)
    bench.pack.current_a = 0.0
    bench.pack.bus_v = 0.0
    bench.run_ms(5000)
    after = reset_processor(bench)
    same_ever_after(bench, after, 30)
    bench.pack.load_present = False
    assert same_ever_after(after, reset_processor(after), 30)[-1][1:] == (True, True)


def test_sleep_goes_on(bench):
    bench.send(0x0022)
    bench.run_ms(6000)
    after = reset_processor(bench)
    same_ever_after(bench, after, 20)
    assert after.word(0x12) & 0x8000
    same_ever_after(after, reset_processor(after), 20)


def test_faults_stay(bench):
    bench.configure((0x92FD, b"\x07\x07\x07"))
    bench.run_ms(FULLSCAN_MS)
    chip = bench.chip
    chip.thermistor_faults[:2] = ["open", "short"]
    chip.frozen_sensors.add(2)
    chip.open_wires.add(4)
    chip.device_number = 0x7694
    bench.run_ms(6000)
    after = reset_processor(bench)
    same_ever_after(bench, after, 20)
    assert after.chip.open_wires == {4}
    assert after.answer_word(0x0001) == 0x7694
    after.chip.frozen = after.chip.protections_off = True
    last = reset_processor(after).chip
    assert (last.frozen, last.protections_off) == (True, True)


def test_the_pins_stay_where_they_were(bench):
    bench.close_gates((0x92FB, b"\x42"))
    bench.chip.dfetoff = 1
    bench.run_ms(1)
    after = reset_processor(bench)
    same_ever_after(bench, after, 1)
    after.chip.dfetoff = 0
    after.run_ms(1)
    assert after.closed() == (True, True)


def test_a_saved_chip_runs_on_untouched(bench):
    bench.close_gates()
    saved = bench.chip.save()
    text = json.dumps(saved)
    bench.chip.open_wires.add(4)
    bench.chip.thermistor_faults[0] = "open"
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(10_000)
    assert json.dumps(saved) == text


def test_restored_parts_share_nothing_with_what_was_saved(bench):
    saved = bench.chip.save()
    text = json.dumps(saved)
    after = Bench()
    after.chip.restore(saved)
    after.pack.cell_v[5] = 5.0
    after.chip.thermistor_faults[0] = "open"
    after.run_ms(10_000)
    assert json.dumps(saved) == text


def test_a_crc_chip_can_be_saved():
    bench = Bench(crc=True)
    bench.run_ms(1000)
    same_ever_after(bench, reset_processor(bench), 2)


def test_every_instant_that_is_named_exists(bench):
    names = {key for _, part in bq76952_state.parts(bench.chip) for key in part.__dict__}
    assert set(bq76952_state.INSTANTS) <= names


def test_no_number_in_a_saved_state_depends_on_when_the_chip_was_saved():
    # Two chips with the same history, one of them switched on after a time that is a multiple of
    # every period: an attribute that holds an instant and is not named as one would differ.
    states = []
    for lead_us in (0, 378_000_000):
        bench = Bench()
        bench.chip.time_us = lead_us
        bench.chip.power_on_reset()
        bench.configure(*WATCHDOG_SETTINGS, (0x930E, bytes([200, 50])), (0x9308, b"\x1d"))
        bench.send(0x0022)
        bench.send_data(0x0083, little(0x0101))
        bench.run_ms(3000)
        states.append(bench.chip.save())
    assert states[0] == states[1]
    assert NEVER_US in states[0]["gates"].values()
