"""Temperature sensors that are open, shorted or frozen are named faults."""

from array import array

import pytest

from bms.sample import GATES_BOTH
from bms.thermistor_watch import ThermistorWatch
from host_tests.bms.bench import Bench, parameters_with

HOLD_MS = 5000
FROZEN_DC = 100  # default of thermistor_frozen_dc
FROZEN_S = 60  # its shortest time


def freezing(sensors=2):
    """A guarded pack that finds frozen sensors after a minute; its sensors just moved."""
    bench = Bench(cell_thermistors=sensors, thermistor_frozen_s=FROZEN_S).start()
    bench.chip.set_temperatures(251)
    bench.step()
    return bench


@pytest.mark.parametrize(
    ("reading_dc", "fault"),
    [
        (-2731, "thermistor_open"),  # 0 K (afe.md section 7)
        (-401, "thermistor_open"),
        (1201, "thermistor_short"),
        (2000, "thermistor_short"),
    ],
)
@pytest.mark.parametrize("sensor", [0, 1])
def test_a_broken_wire_is_named(sensor, reading_dc, fault):
    bench = Bench().start()
    bench.chip.temperature_dc[sensor] = reading_dc
    bench.run(500)
    assert bench.faults() == {fault}
    assert bench.chip.lines() == 0
    bench.chip.temperature_dc[sensor] = 250
    took_ms = bench.run_until(lambda: bench.chip.gates() == GATES_BOTH, 10000)
    assert HOLD_MS - 100 <= took_ms <= HOLD_MS + 200
    assert ("fault", fault) in [event[:2] for event in bench.events()]


@pytest.mark.parametrize("reading_dc", [-400, 1200])
def test_the_coldest_and_the_warmest_possible_are_measurements(reading_dc):
    bench = Bench().start()
    bench.chip.temperature_dc[0] = reading_dc
    bench.run(1000)
    assert not bench.faults() & {"thermistor_open", "thermistor_short", "measurement_implausible"}
    assert bench.point("temperature_dc", 0) == reading_dc


def test_a_sensor_that_stands_still_while_the_other_moves_is_frozen():
    bench = freezing()
    bench.chip.temperature_dc[0] = 251 + FROZEN_DC
    bench.run(FROZEN_S * 1000 - 100)
    assert bench.faults() == set()
    bench.step()
    assert bench.faults() == {"thermistor_frozen"}
    assert bench.chip.lines() == 0
    bench.run(60000)
    assert bench.faults() == {"thermistor_frozen"}


def test_by_default_half_an_hour_has_to_pass():
    bench = Bench().start()
    bench.chip.set_temperatures(251)
    bench.step()
    bench.chip.temperature_dc[0] = 251 + FROZEN_DC
    for _ in range(1799):
        bench.step(1000)
        assert "thermistor_frozen" not in bench.faults()
    bench.step(1000)
    assert "thermistor_frozen" in bench.faults()


@pytest.mark.parametrize("direction", [1, -1])
def test_a_smaller_move_of_the_other_says_nothing(direction):
    bench = freezing()
    bench.chip.temperature_dc[0] = 251 + direction * (FROZEN_DC - 1)
    bench.run(10 * FROZEN_S * 1000)
    assert bench.faults() == set()
    bench.chip.temperature_dc[0] = 251 + direction * FROZEN_DC
    bench.step()
    assert bench.faults() == {"thermistor_frozen"}


def test_a_pack_at_rest_in_which_nothing_moves_is_no_fault():
    bench = freezing()
    bench.run(20 * FROZEN_S * 1000)
    assert bench.faults() == set()


def test_sensors_that_move_together_are_no_fault():
    bench = freezing()
    for minute in range(30):
        bench.chip.set_temperatures(250 + 6 * minute)
        bench.run(30000)
        assert bench.faults() == set()


def test_one_count_is_a_sign_of_life_and_all_counts_anew():
    bench = freezing()
    bench.chip.temperature_dc[0] = 251 + FROZEN_DC
    bench.run(FROZEN_S * 1000 - 100)
    bench.chip.temperature_dc[1] = 252
    bench.step()
    bench.run(10 * FROZEN_S * 1000)
    assert bench.faults() == set()  # since then the other did not move
    bench.chip.temperature_dc[0] -= FROZEN_DC
    bench.step()
    assert bench.faults() == {"thermistor_frozen"}


def test_a_frozen_sensor_that_moves_again_lets_go_after_the_hold():
    bench = freezing()
    bench.chip.temperature_dc[0] = 251 + FROZEN_DC
    bench.run(FROZEN_S * 1000 + 1000)
    bench.chip.temperature_dc[1] = 260
    took_ms = bench.run_until(lambda: not bench.faults(), 10000)
    assert HOLD_MS - 100 <= took_ms <= HOLD_MS + 200


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_of_three_sensors_the_mean_of_the_others_counts(frozen):
    bench = freezing(sensors=3)
    others = [sensor for sensor in range(3) if sensor != frozen]
    bench.chip.temperature_dc[others[0]] += 2 * FROZEN_DC - 1
    for turn in range(700):
        bench.chip.temperature_dc[others[1]] = 251 - turn % 2  # alive
        bench.step()
    assert bench.faults() == set()
    bench.chip.temperature_dc[others[0]] += 2
    bench.run(200)
    assert bench.faults() == {"thermistor_frozen"}


# A single sensor is compared with the measuring chip, for which twice the way and four times the
# time are asked: the board warms while large cells hardly do.


@pytest.mark.parametrize("direction", [1, -1])
def test_a_single_sensor_that_stands_still_while_the_board_moves_far_is_frozen(direction):
    bench = freezing(sensors=1)
    bench.chip.chip_temperature_dc += direction * 2 * FROZEN_DC
    bench.run(4 * FROZEN_S * 1000 - 100)
    assert bench.faults() == set()
    bench.step()
    assert bench.faults() == {"thermistor_frozen"}
    assert bench.chip.lines() == 0


def test_a_single_sensor_is_not_frozen_while_the_board_moves_less():
    bench = freezing(sensors=1)
    bench.chip.chip_temperature_dc += 2 * FROZEN_DC - 1
    bench.run(20 * FROZEN_S * 1000)
    assert bench.faults() == set()
    bench.chip.chip_temperature_dc += 1
    bench.step()
    assert bench.faults() == {"thermistor_frozen"}


def test_by_default_a_single_sensor_stands_still_for_two_hours_first():
    bench = Bench(cell_thermistors=1).start()
    bench.chip.set_temperatures(251)
    bench.step()
    bench.chip.chip_temperature_dc += 200
    for _ in range(4 * 1800 - 1):
        bench.step(1000)
        assert "thermistor_frozen" not in bench.faults()
    bench.step(1000)
    assert "thermistor_frozen" in bench.faults()


def test_large_cells_in_a_cool_cellar_are_no_fault_while_the_board_warms_with_the_current():
    """280 Ah cells of 5.4 kg and 0.2 mohm take 0.1 degrees in some five minutes at 100 A. The
    sensor's count flickers once an hour while the board goes up and down by 30 degrees."""
    bench = Bench(cell_thermistors=1).start()
    for hour in range(24):
        bench.chip.set_temperatures(120 + hour % 2)
        bench.chip.chip_temperature_dc = 150 if hour % 4 < 2 else 450
        for _ in range(3600):
            bench.step(1000)
        assert "thermistor_frozen" not in bench.faults()


def test_two_sensors_are_not_compared_with_the_board():
    bench = freezing(sensors=2)
    bench.chip.chip_temperature_dc += 300
    bench.run(20 * FROZEN_S * 1000)
    assert bench.faults() == set()


# To the millisecond and to the tenth of a degree


def watch(*temperatures_dc):
    """A watch that was built before anything was measured, and its temperatures."""
    temperatures = array("i", [0] * len(temperatures_dc))
    built = ThermistorWatch(temperatures, parameters_with({"thermistor_frozen_s": FROZEN_S}))
    temperatures[:] = array("i", temperatures_dc)
    return built, temperatures


@pytest.mark.parametrize("sensors", [1, 2])
@pytest.mark.parametrize("away_dc", [-1, 1])
def test_a_sensor_stands_still_for_its_whole_time_and_the_others_move_all_the_way(
    sensors, away_dc
):
    still_ms, moved_dc = (240000, 200) if sensors == 1 else (60000, 100)
    for short_ms, short_dc in ((0, 0), (1, 0), (0, 1)):
        built, temperatures = watch(*[300] * sensors)
        assert built.frozen(1000, 300) < 0
        moved = 300 + away_dc * (moved_dc - short_dc)
        if sensors > 1:
            temperatures[1] = moved
        found = built.frozen(still_ms - short_ms, moved)
        assert (found == 0) == (short_ms == short_dc == 0)


def test_a_pack_in_melting_ice_is_not_frozen_from_the_start():
    """0.0 degrees is a reading like any other: it stands still from then on, not from before."""
    built, _ = watch(0)
    assert built.frozen(1000, 200) < 0
    assert built.frozen(240000, 200) < 0  # the board never moved
    assert built.frozen(0, 400) == 0
