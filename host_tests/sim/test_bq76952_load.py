"""Load detection of the BQ76952 model (SLUUBY2B GUID-6C36CD83, ...BGP1-DCBF-769020000001)."""

import pytest

from host_tests.sim.bq76952_bench import CURRENT_SETTINGS, FULLSCAN_MS, Bench

SCDL, OCDL = 0x40, 0x20
LD_ON, LD_TIMEOUT = 0x01, 0x02
LATCHED = (
    *CURRENT_SETTINGS,
    (0x9263, b"\x60"),
    (0x928F, bytes([1, 10])),
    (0x9295, bytes([1, 10])),
)
HOUR_MS = 3_600_000


@pytest.fixture
def bench():
    return Bench()


def detect(active_s, retry_s, timeout_h):
    return 0x92B4, bytes([active_s, retry_s, timeout_h, 0])


def short(bench, *settings):
    """A short circuit that stays: latched, gates open, the bus empty."""
    bench.close_gates(*LATCHED, *settings)
    bench.pack.load_present = True
    bench.pack.current_a = -200.0
    bench.run_ms(1)
    bench.pack.current_a = 0.0
    bench.pack.bus_v = 0.0
    bench.run_ms(2 * FULLSCAN_MS)
    assert bench.byte(0x07) == SCDL


def seconds_on(bench, seconds):
    """In how many of so many seconds, looked at in their middles, the source is on."""
    count = 0
    for _ in range(seconds):
        bench.run_ms(500)
        count += bench.chip.load.source_on
        bench.run_ms(500)
    return count


def open_gates(bench):
    """Nothing latched, the gates forced off, an empty bus."""
    bench.close_gates()
    bench.send(0x0095)
    bench.pack.bus_v = 0.0


@pytest.mark.parametrize(("load_present", "load_cv"), [(True, 0), (False, 5280)])
def test_with_the_source_on_ld_rises_to_the_stack_only_without_a_load(
    bench, load_present, load_cv
):
    open_gates(bench)
    bench.pack.load_present = load_present
    bench.run_ms(FULLSCAN_MS)
    assert (bench.word(0x38), bench.word(0x00)) == (0, 0)
    bench.send(0x009E)
    bench.run_ms(FULLSCAN_MS)
    assert (bench.word(0x38), bench.word(0x00)) == (load_cv, LD_ON)
    assert bench.word(0x36) == 0
    bench.send(0x009F)
    bench.run_ms(FULLSCAN_MS)
    assert (bench.word(0x38), bench.word(0x00)) == (0, 0)


def test_ld_on_speaks_of_the_last_measurement(bench):
    open_gates(bench)
    bench.run_ms(5 * FULLSCAN_MS)
    bench.chip.advance(int(bench.chip.meter._next_loop_us - bench.chip.time_us) + 1)
    bench.send(0x009E, wait_ms=1)
    assert bench.chip.load.source_on
    assert bench.word(0x00) == 0


def test_a_command_does_not_recover_a_latch(bench):
    short(bench)
    bench.pack.load_present = False
    bench.send(0x009E)
    bench.run_ms(60_000)
    assert bench.word(0x38) == 5280
    assert bench.byte(0x07) == SCDL


def test_commands_do_nothing_where_the_chip_detects_by_itself(bench):
    bench.configure(detect(2, 8, 1))
    bench.send(0x009E)
    bench.run_ms(2000)
    assert bench.word(0x00) == 0


def test_a_load_taken_away_recovers_the_latch_and_closes_the_gates(bench):
    short(bench, detect(2, 8, 1))
    bench.run_ms(60_000)
    assert bench.byte(0x07) == SCDL
    bench.pack.load_present = False
    bench.run_ms(10_000)
    assert bench.byte(0x07) == 0
    assert bench.closed() == (True, True)
    assert not bench.chip.load.source_on


def test_the_source_is_on_for_active_time_and_off_for_retry_delay(bench):
    short(bench, detect(2, 8, 1))
    bench.run_ms(10_000 - 379)  # to the beginning of the second try
    assert seconds_on(bench, 50) == 10


def test_without_retry_delay_the_source_stays_on(bench):
    short(bench, detect(2, 0, 1))
    assert seconds_on(bench, 50) == 50


def test_without_active_time_the_chip_does_not_detect(bench):
    short(bench, detect(0, 8, 1))
    assert seconds_on(bench, 50) == 0


def test_after_the_timeout_it_tries_no_more_until_told(bench):
    short(bench, detect(2, 8, 2))
    bench.run_ms(2 * HOUR_MS - 10_000)
    assert not bench.word(0x00) & LD_TIMEOUT
    bench.run_ms(10_000)
    assert bench.word(0x00) & LD_TIMEOUT
    assert seconds_on(bench, 100) == 0
    bench.pack.load_present = False
    bench.run_ms(100_000)
    assert bench.byte(0x07) == SCDL
    bench.send(0x009D)
    bench.run_ms(1000)
    assert bench.byte(0x07) == 0
    assert not bench.word(0x00) & LD_TIMEOUT


def test_after_a_recovery_by_other_means_the_timeout_is_forgotten(bench):
    short(bench, detect(2, 8, 1))
    bench.run_ms(HOUR_MS)
    assert bench.word(0x00) & LD_TIMEOUT
    bench.send(0x009C)
    assert not bench.word(0x00) & LD_TIMEOUT


def test_the_source_waits_for_a_latch(bench):
    bench.close_gates(*LATCHED, detect(2, 8, 1))
    bench.send(0x0095)
    assert seconds_on(bench, 20) == 0


def test_a_bus_above_4_v_counts_as_no_load(bench):
    short(bench, detect(2, 0, 1))
    bench.pack.bus_v = 3.9
    bench.run_ms(1000)
    assert bench.byte(0x07) == SCDL
    bench.pack.bus_v = 4.1
    bench.run_ms(1000)
    assert bench.byte(0x07) == 0


def test_config_update_turns_the_source_off(bench):
    open_gates(bench)
    bench.send(0x009E)
    bench.send(0x0090)
    assert not bench.chip.load.source_on
