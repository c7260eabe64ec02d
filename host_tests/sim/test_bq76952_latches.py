"""Host watchdog and latches of the BQ76952 model, and its hooks for tests (afe.md)."""

import struct

import pytest

from boards.sim.bq76952_protections import NEVER_US
from host_tests.sim.bq76952_bench import CURRENT_SETTINGS, SCD, WATCHDOG_SETTINGS, Bench


@pytest.fixture
def bench():
    return Bench()


# Host watchdog.


def test_the_watchdog_opens_both_gates_when_the_host_is_silent(bench):
    bench.close_gates(*WATCHDOG_SETTINGS)
    heard_us = bench.chip.time_us
    bench.silence_ms(4900)
    assert bench.chip.charge_on
    bench.silence_ms(600)
    assert bench.gates[-1] == (heard_us + 5_250_000, False, False)
    assert bench.chip.protections.status[2] == 0x02


def test_any_communication_keeps_the_watchdog_quiet(bench):
    bench.close_gates(*WATCHDOG_SETTINGS)
    for _ in range(20):
        bench.silence_ms(4000)
        bench.byte(0x12)
    assert bench.closed() == (True, True)


def test_a_watchdog_trip_clears_and_gates_close_when_the_host_speaks_again(bench):
    bench.close_gates(*WATCHDOG_SETTINGS)
    bench.silence_ms(6000)
    assert (bench.chip.charge_on, bench.chip.discharge_on) == (False, False)
    bench.byte(0x12)
    assert bench.closed() == (True, True)
    assert bench.byte(0x07) == 0


def test_transactions_that_fail_do_not_feed_the_watchdog(bench):
    bench.close_gates(*WATCHDOG_SETTINGS)
    bench.bus.stuck = True
    for _ in range(60):
        bench.silence_ms(100)
        with pytest.raises(OSError, match="ETIMEDOUT"):
            bench.byte(0x12)
    assert not bench.chip.charge_on


def test_the_watchdog_is_off_by_default(bench):
    bench.close_gates()
    bench.silence_ms(120_000)
    assert bench.chip.charge_on


def test_protections_that_are_not_simulated_are_refused(bench):
    with pytest.raises(NotImplementedError, match="OCD3"):
        bench.configure((0x9263, b"\x82"))


# Latches.

SCDL, OCDL, COVL = 0x40, 0x20, 0x10
LATCH_SETTINGS = (
    (0x9263, b"\x70"),
    (0x927D, bytes([1, 10, 15])),
    (0x928F, bytes([1, 10])),
    (0x9294, bytes([5, 1, 10])),
)


def test_a_latched_short_circuit_outlives_the_recovery_of_scd(bench):
    bench.close_gates(*CURRENT_SETTINGS, *LATCH_SETTINGS)
    bench.pack.current_a = -200.0
    bench.run_ms(1)
    bench.pack.current_a = 0.0
    bench.run_ms(60_000)
    assert not bench.byte(0x03) & SCD
    assert bench.byte(0x07) == SCDL
    assert bench.closed() == (False, False)
    bench.send(0x009B)  # OCDL_RECOVER is not its command
    assert bench.byte(0x07) == SCDL
    bench.send(0x009C)
    assert bench.byte(0x07) == 0


def test_a_latched_overcurrent_needs_its_recover_command(bench):
    bench.close_gates(*CURRENT_SETTINGS, *LATCH_SETTINGS)
    bench.pack.current_a = -50.0
    bench.run_ms(1000)
    bench.pack.current_a = 0.3
    bench.run_ms(10_000)
    assert (bench.byte(0x03), bench.byte(0x07)) == (0, OCDL)
    bench.send(0x009B)
    assert bench.byte(0x07) == 0
    assert bench.closed() == (True, True)


# Recovery by charge current: SLUUCG7 ...DMEL-769020000077 (bits), SLUUBY1B ...187 and ...188.
CURRENT_RECOVERY = (
    (0x925F, b"\x02\x06"),  # OCDL_CURR_RECOV and SCDL_CURR_RECOV
    (0x928F, bytes([1, 10, 15, 0xF4, 0x01])),  # OCDL: 15 s at 500 mA
    (0x9295, bytes([1, 10, 20, 0x58, 0x02])),  # SCDL: 20 s at 600 mA
)


def latch(bench, *settings):
    """Trip SCD and OCD1 with their latches, then take the load away."""
    bench.close_gates(
        (0x91A8, struct.pack("<f", 7.5684)), *CURRENT_SETTINGS, *LATCH_SETTINGS, *settings
    )
    bench.pack.current_a = -200.0
    bench.run_ms(200)
    bench.pack.current_a = 0.0
    bench.run_ms(1)
    assert bench.byte(0x07) == SCDL | OCDL


def test_charge_current_recovers_the_latches_after_their_times(bench):
    latch(bench, *CURRENT_RECOVERY)
    bench.pack.current_a = 0.61
    bench.run_ms(14_900)
    assert bench.byte(0x07) == SCDL | OCDL
    bench.run_ms(200)
    assert bench.byte(0x07) == SCDL
    bench.run_ms(4_900)
    assert bench.byte(0x07) == 0
    assert bench.closed() == (True, True)


def test_a_recovery_by_current_clears_the_counter(bench):
    gain = (0x91A8, struct.pack("<f", 7.5684))
    bench.close_gates(
        gain, *CURRENT_SETTINGS, (0x9263, b"\x40"), *CURRENT_RECOVERY, (0x9295, bytes([2, 255]))
    )
    latched = []
    for _ in range(4):
        bench.pack.current_a = -200.0
        bench.run_ms(1)
        latched.append(bench.byte(0x07) == SCDL)
        bench.pack.current_a = 0.61
        bench.run_ms(25_000)
        assert bench.byte(0x07) == 0
    assert latched == [False, True, False, True]


def test_each_latch_has_its_own_threshold_of_current(bench):
    latch(bench, *CURRENT_RECOVERY)
    bench.pack.current_a = 0.55
    bench.run_ms(60_000)
    assert bench.byte(0x07) == SCDL


def test_an_interrupted_charge_current_begins_the_recovery_anew(bench):
    latch(bench, *CURRENT_RECOVERY)
    for _ in range(5):
        bench.pack.current_a = 1.0
        bench.run_ms(10_000)
        bench.pack.current_a = 0.0
        bench.run_ms(10)
    assert bench.byte(0x07) == SCDL | OCDL


@pytest.mark.parametrize(("config", "left"), [(0x02, SCDL), (0x04, OCDL), (0x00, OCDL | SCDL)])
def test_a_latch_ignores_current_without_its_bit(bench, config, left):
    # Bit 9 (0x02 of the high byte) is OCDL's, bit 10 SCDL's.
    latch(bench, *CURRENT_RECOVERY, (0x925F, bytes([0x02, config])))
    bench.pack.current_a = 1.0
    bench.run_ms(60_000)
    assert bench.byte(0x07) == left


def test_a_latch_counts_trips_up_to_its_limit(bench):
    bench.close_gates(*CURRENT_SETTINGS, *LATCH_SETTINGS, (0x9294, bytes([1, 3, 10])))
    latched = []
    for _ in range(3):
        bench.pack.current_a = -200.0
        bench.run_ms(1)
        bench.pack.current_a = 0.0
        bench.run_ms(2000)
        latched.append(bench.byte(0x07) == SCDL)
    assert latched == [False, False, True]


def test_the_counter_of_a_latch_decays(bench):
    bench.close_gates(*CURRENT_SETTINGS, *LATCH_SETTINGS, (0x9294, bytes([1, 3, 10])))
    for _ in range(6):
        bench.pack.current_a = -200.0
        bench.run_ms(1)
        bench.pack.current_a = 0.0
        bench.run_ms(20_001)
    assert bench.byte(0x07) == 0


def test_a_latched_overvoltage_recovers_after_its_own_time(bench):
    bench.close_gates(*LATCH_SETTINGS)
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(1000)
    bench.pack.cell_v[5] = 3.3
    bench.run_ms(14_900)
    assert (bench.byte(0x03), bench.byte(0x07)) == (0, COVL)
    assert bench.closed() == (False, True)
    bench.run_ms(200)
    assert bench.byte(0x07) == 0
    assert bench.closed() == (True, True)


def test_latches_are_off_by_default(bench):
    bench.close_gates(*CURRENT_SETTINGS)
    bench.pack.current_a = -200.0
    bench.run_ms(1000)
    assert bench.byte(0x07) == 0


# Hooks.


def test_with_protections_off_nothing_trips(bench):
    bench.close_gates(*CURRENT_SETTINGS, *WATCHDOG_SETTINGS)
    bench.chip.protections_off = True
    bench.pack.cell_v[5] = 5.0
    bench.pack.current_a = -200.0
    bench.run_ms(20_000)
    assert (bench.chip.charge_on, bench.chip.discharge_on) == (True, True)


def test_next_event_names_the_instant_of_a_trip(bench):
    bench.close_gates((0x9314, b"\x00"))
    bench.run_ms(1000)
    assert bench.chip.next_event_us() > NEVER_US // 2
    bench.pack.cell_v[5] = 5.0
    assert bench.chip.next_event_us() == 3300 * 76
    bench.run_ms(100)
    assert bench.chip.next_event_us() == 3300 * 76 - 100_000


def test_a_trip_has_the_same_time_whatever_the_steps():
    trips = []
    for step_ms in (1, 7, 63, 1000):
        bench = Bench()
        bench.close_gates((0x9314, b"\x00"))
        start_us = bench.chip.time_us
        bench.pack.cell_v[5] = 5.0
        while bench.chip.charge_on:
            bench.run_ms(step_ms)
        trips.append(bench.gates[-1][0] - start_us)
    assert trips == [3300 * 76] * 4
