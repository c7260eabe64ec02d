"""However time is cut into steps, the same comes of it."""

import pytest

from bms import sample
from bms.sample import OK
from host_tests.bms.bench import Bench


def run_through(bench, durations_ms):
    for elapsed_ms in durations_ms:
        bench.step(elapsed_ms)
    bench.step(100)  # one more, for what is published a step later
    names = ("uptime_s", "state", "measurement_age_ms", "gates", "charge_allowed")
    return [bench.point(name) for name in names], bench.faults()


@pytest.mark.parametrize("harm", ["nothing", "cell_high", "current", "lost", "recovered"])
def test_one_late_step_counts_like_the_ten_that_it_stands_for(harm):
    results = []
    punctual = [100] * 10  # or being late were a fault itself
    for durations_ms in (
        punctual * 6,
        [500, *punctual[:5]] * 6,
        [100, 500, 400, *punctual] * 3,
        [600, *punctual[:6]] * 5,
    ):
        bench = Bench().start()
        if harm == "cell_high":
            bench.chip.cell_mv[0] = 3700
        elif harm == "current":
            bench.chip.current_ma = -121000
        elif harm == "lost":
            bench.chip.code = sample.BUS_ERROR
        elif harm == "recovered":
            bench.chip.trips = sample.TRIP_HOST_WATCHDOG
            bench.step()
            bench.chip.trips = 0
        bench.step()
        results.append(run_through(bench, durations_ms))
    assert results[0] == results[1] == results[2] == results[3]


def test_charge_is_counted_by_elapsed_time_however_it_is_cut():
    counted = []
    for durations_ms in ([100] * 18000, [600] * 3000, [250, 50, 700] * 1800):
        bench = Bench().start()
        bench.chip.current_ma = 12345
        for elapsed_ms in durations_ms:
            bench.step(elapsed_ms)
        counted.append(bench.battery._counter.net_mah)
    assert counted == [12345 // 2] * 3


def test_charge_that_flows_during_a_glitch_is_counted():
    bench = Bench().start()
    bench.chip.current_ma = 12000
    for step in range(36000):
        bench.chip.code = sample.BUS_ERROR if step % 4 == 0 else OK
        bench.step()
    bench.chip.code = OK
    bench.step()
    assert bench.battery._counter.net_mah == pytest.approx(12000, abs=1)
