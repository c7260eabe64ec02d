"""What the BQ76952 model measures, and when (SLUSE13B, SLUUBY2B, afe.md)."""

import struct

import pytest

from host_tests.sim.bq76952_bench import COV, CUV, FULLSCAN_MS, MS, SCAN_MS, Bench, little


@pytest.fixture
def bench():
    return Bench()


# Measurement.


def test_cells_are_known_after_one_loop_of_63_ms():
    bench = Bench()
    bench.pack.cell_v = [3.3 + 0.001 * i for i in range(16)]
    bench.configure((0x92FD, b"\x07\x07\x07"))
    bench.run_ms(40)
    assert bench.word(0x14) == 0
    bench.run_ms(30)
    assert [bench.word(0x14 + 2 * i) for i in range(16)] == [3300 + i for i in range(16)]


def test_without_thermistors_a_loop_takes_18_slots(bench):
    bench.configure((0x92FD, b"\x00"))
    start_us = bench.chip.time_us - 9 * MS  # left CONFIG_UPDATE 1 ms after it was told to
    bench.chip.advance(start_us + 54 * MS - bench.chip.time_us - 1)
    assert bench.word(0x14) == 0
    bench.chip.advance(2)
    assert bench.word(0x14) == 3300


def test_fast_adc_and_slow_loops_change_the_pace(bench):
    bench.configure((0x9234, little(0x28C2)), (0x92FD, b"\x00"))  # FASTADC
    bench.run_ms(27 - 9 + 1)
    assert bench.word(0x14) == 3300
    bench.configure((0x9234, little(0x288E)))  # LOOP_SLOW = 3: 8 times slower
    bench.pack.cell_v[0] = 3.4
    bench.run_ms(8 * 54 - 20)
    assert bench.word(0x14) == 3300
    bench.run_ms(20)
    assert bench.word(0x14) == 3400


def test_two_single_byte_reads_may_straddle_a_scan(bench):
    # E2E 1328137: 0x0D00 and 0x0CFF read as 0x0C00.
    bench.pack.cell_v[0] = 3.328
    bench.run_ms(SCAN_MS)
    low = bench.byte(0x14)
    bench.pack.cell_v[0] = 3.327
    bench.run_ms(SCAN_MS)
    high = bench.byte(0x15)
    assert high << 8 | low == 0x0C00
    assert bench.word(0x14) == 0x0CFF


def test_a_frozen_scan_keeps_old_values_while_communication_works(bench):
    bench.run_ms(FULLSCAN_MS)
    bench.chip.frozen = True
    bench.pack.cell_v = [3.5] * 16
    bench.pack.current_a = 7.0
    bench.run_ms(5000)
    assert (bench.word(0x14), bench.signed(0x3A)) == (3300, 0)
    bench.chip.frozen = False
    bench.run_ms(FULLSCAN_MS)
    assert bench.word(0x14) == 3500


def test_thirteen_cells_use_inputs_1_to_12_and_16():
    bench = Bench(cells=13)
    bench.pack.cell_v = [3.301 + 0.001 * i for i in range(13)]
    bench.configure((0x9304, little(0x8FFF)), (0x9261, b"\x8c"))  # CUV too
    bench.run_ms(2000)
    read = [bench.word(0x14 + 2 * i) for i in range(16)]
    assert read == [3301 + i for i in range(12)] + [0, 0, 0] + [3313]
    assert bench.byte(0x03) == 0


def test_unused_inputs_that_vcell_mode_names_are_undervoltages():
    bench = Bench(cells=13)
    bench.configure((0x9261, b"\x8c"))  # VCell Mode 0 = all 16
    bench.run_ms(2000)
    assert bench.byte(0x03) == CUV


def test_stack_and_pack_pin_come_in_centivolts_by_default(bench):
    bench.pack.bus_v = 51.0
    bench.run_ms(FULLSCAN_MS)
    assert (bench.word(0x34), bench.word(0x36), bench.word(0x38)) == (5280, 5100, 5100)


def test_current_is_signed_charging_positive_and_right_with_the_gain_of_the_shunt(bench):
    gain = 7.5684 / 1.0  # SLUUBY2B: 7.5684 / mohm
    bench.configure((0x91A8, struct.pack("<f", gain)))
    bench.pack.current_a = 12.0
    bench.run_ms(10)
    assert bench.signed(0x3A) == 12_000
    bench.pack.current_a = -12.0
    bench.run_ms(10)
    assert bench.signed(0x3A) == -12_000


@pytest.mark.parametrize(("config", "expected"), [(0x04, 32767), (0x05, 10000), (0x06, 1000)])
def test_da_config_sets_the_unit_of_current(bench, config, expected):
    bench.configure((0x91A8, struct.pack("<f", 7.5684)), (0x9303, [config]))
    bench.pack.current_a = 10.0
    bench.run_ms(10)
    assert bench.signed(0x3A) == expected


def test_da_config_sets_the_unit_of_voltages(bench):
    bench.pack.cell_v = [1.5] * 16
    bench.configure((0x9303, [0x01]))
    bench.run_ms(FULLSCAN_MS)
    assert bench.word(0x34) == 24_000


def test_temperatures_come_in_tenths_of_a_kelvin(bench):
    bench.pack.cell_temperature_c = [25.0, -10.0, 45.5]
    bench.pack.board_temperature_c = 40.0
    bench.configure((0x92FD, b"\x07\x07\x07\x0f"))
    bench.run_ms(FULLSCAN_MS)
    read = [bench.word(register) for register in (0x68, 0x70, 0x72, 0x74, 0x76)]
    # 273.15 K rounds up or down, and a thermistor's reading may be off by one count.
    assert read == [pytest.approx(k, abs=1.5) for k in (3131.5, 2981.5, 2631.5, 3186.5, 3131.5)]


def test_a_pin_that_is_not_a_thermistor_reads_nothing(bench):
    bench.run_ms(FULLSCAN_MS)
    assert (bench.word(0x70) > 0, bench.word(0x72), bench.word(0x74)) == (True, 0, 0)


def test_broken_thermistors_read_absurd_or_old_values(bench):
    bench.configure((0x92FD, b"\x07\x07\x07"))
    bench.run_ms(FULLSCAN_MS)
    bench.chip.thermistor_faults[:2] = ["open", "short"]
    bench.chip.frozen_sensors.add(2)
    bench.pack.cell_temperature_c = [60.0] * 3
    bench.run_ms(FULLSCAN_MS)
    assert bench.word(0x70) < 2000
    assert bench.word(0x72) > 4500
    assert bench.word(0x74) == pytest.approx(2981.5, abs=1.5)


def readings(bench, register, scans):
    """A thermistor's register after each of so many full scans."""
    seen = []
    for _ in range(scans):
        bench.run_ms(FULLSCAN_MS)
        seen.append(bench.word(register))
    return seen


@pytest.mark.parametrize("register", [0x70, 0x72, 0x74, 0x76])
def test_a_thermistor_at_rest_jitters_by_one_count_every_few_scans(bench, register):
    bench.close_gates((0x92FD, b"\x07\x07\x07\x0f"))
    bench.run_ms(FULLSCAN_MS)
    seen = readings(bench, register, 200)
    usual = max(set(seen), key=seen.count)
    assert set(seen) == {usual - 1, usual, usual + 1}
    assert 20 <= 200 - seen.count(usual) <= 100
    still = max(len(run) for run in "".join("s" if k == usual else " " for k in seen).split())
    assert still < 40  # never like a sensor that stands still


def test_the_jitter_is_the_same_in_each_run():
    runs = []
    for _ in range(2):
        bench = Bench()
        bench.close_gates()
        runs.append(readings(bench, 0x70, 50))
    assert runs[0] == runs[1]


def test_a_frozen_thermistor_stands_exactly_still(bench):
    bench.close_gates()
    bench.run_ms(FULLSCAN_MS)
    bench.chip.frozen_sensors.add(0)
    assert len(set(readings(bench, 0x70, 100))) == 1


@pytest.mark.parametrize("converted", [False, True])
def test_a_frozen_reading_says_what_it_said_last_whatever_its_wires_do(bench, converted):
    bench.close_gates()
    bench.run_ms(FULLSCAN_MS)
    bench.chip.thermistor_faults[0] = "short"
    if converted:
        bench.run_ms(FULLSCAN_MS)
    bench.chip.frozen_sensors.add(0)
    bench.run_ms(FULLSCAN_MS)
    assert (bench.word(0x70) > 4500) == converted
    bench.chip.frozen_sensors.discard(0)
    bench.run_ms(FULLSCAN_MS)
    assert bench.word(0x70) > 4500


def test_an_open_sense_wire_shows_as_cuv_and_cov_after_the_check(bench):
    bench.configure((0x9261, b"\x8c"), (0x9314, b"\x05"))
    bench.chip.open_wires.add(4)
    bench.run_ms(4000)
    assert bench.byte(0x03) == 0
    bench.run_ms(2000)
    assert bench.byte(0x03) == CUV | COV
    cells = [bench.word(0x14 + 2 * i) for i in range(16)]
    assert cells[3] < 1000
    assert cells[4] > 5000
    assert cells[3] + cells[4] == 6600


def test_without_the_check_an_open_wire_goes_unnoticed(bench):
    bench.configure((0x9261, b"\x8c"), (0x9314, b"\x00"))
    bench.chip.open_wires.add(4)
    bench.run_ms(60_000)
    assert bench.byte(0x03) == 0


def test_a_repaired_wire_reads_true_again(bench):
    bench.send(0x009A)  # SLEEP would slow the scan down
    bench.chip.open_wires.add(4)
    bench.run_ms(6000)
    bench.chip.open_wires.clear()
    bench.run_ms(6000)
    assert bench.word(0x14 + 6) == 3300


# Passed charge.


def passed(bench):
    data = bench.answer(0x0076)
    whole = int.from_bytes(data[0:4], "little", signed=True)
    return whole + int.from_bytes(data[4:8], "little") / 2**32, int.from_bytes(
        data[8:12], "little"
    )


def set_gain_for_1_mohm(bench):
    gain = 7.5684
    bench.configure((0x91A8, struct.pack("<ff", gain, gain * 298261.6178)))


def test_charge_is_counted_in_user_amp_hours_with_its_time(bench):
    set_gain_for_1_mohm(bench)
    bench.run_ms(1000)
    bench.send(0x0082)
    bench.pack.current_a = -36.0
    bench.run_ms(100_000)
    charge, seconds = passed(bench)
    assert charge == pytest.approx(0.5 - 1000.0, abs=0.2)  # mAh, seed included
    assert seconds == 100


def test_reset_passq_seeds_half_a_unit(bench):
    bench.run_ms(1000)
    bench.write(0x3E, little(0x0082))
    bench.run_ms(1)
    data = bench.answer(0x0076)
    assert (data[0:4], data[4:8]) == (little(0, 4), little(0x7FFFFFFF, 4))


def test_reset_passq_is_ignored_within_250_ms_of_a_reset(bench):
    set_gain_for_1_mohm(bench)
    bench.chip.power_on_reset()
    bench.pack.current_a = 3600.0
    bench.run_ms(200)
    bench.send(0x0082)
    bench.pack.current_a = 0.0
    assert passed(bench)[0] > 100


def test_dastatus5_tells_extremes_and_sum(bench):
    bench.pack.cell_v[2] = 3.2
    bench.pack.cell_v[9] = 3.4
    bench.run_ms(FULLSCAN_MS)
    data = bench.answer(0x0075)
    words = [int.from_bytes(data[i : i + 2], "little") for i in range(0, 24, 2)]
    assert len(data) == 32
    assert words[2:5] == [3400, 3200, 5280]
    assert words[7] == pytest.approx(2981.5, abs=1.5)
