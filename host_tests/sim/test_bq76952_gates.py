"""The gates of the BQ76952 model: commands, pins, body diodes, SLEEP; balancing and alarms."""

import pytest

from host_tests.sim.bq76952_bench import (
    FULLSCAN_MS,
    SCAN_MS,
    WATCHDOG_SETTINGS,
    Bench,
    little,
)


@pytest.fixture
def bench():
    return Bench()


# FET control.


def test_fet_enable_toggles(bench):
    assert bench.answer_word(0x0057) & 0x10 == 0
    bench.send(0x0022)
    assert bench.answer_word(0x0057) & 0x10
    bench.send(0x0022)
    assert bench.answer_word(0x0057) & 0x10 == 0


def test_pf_enable_toggles(bench):
    before = bench.answer_word(0x0057) & 0x40
    bench.send(0x0024)
    assert bench.answer_word(0x0057) & 0x40 != before


def test_without_fet_init_off_the_gates_close_by_themselves_at_fet_enable(bench):
    bench.send(0x0022)
    assert bench.closed() == (True, True)


def test_with_fet_init_off_the_gates_wait_for_the_host(bench):
    bench.configure((0x9308, b"\x2d"))
    bench.send(0x0022)
    assert bench.closed() == (False, False)
    bench.send(0x0096)
    assert bench.closed() == (True, True)


def test_the_off_commands_open_their_own_gates(bench):
    bench.close_gates()
    for command, expected in ((0x0093, (True, False)), (0x0094, (False, False))):
        bench.send(command)
        assert bench.closed() == expected
    bench.send(0x0096)
    assert bench.closed() == (True, True)
    bench.send(0x0095)
    assert bench.closed() == (False, False)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [(0x00, (True, True)), (0x04, (False, True)), (0x01, (True, False)), (0x0F, (False, False))],
)
def test_fet_control_bits_mean_forced_off(bench, bits, expected):
    bench.close_gates()
    bench.send_data(0x0097, [bits])
    assert bench.closed() == expected


def test_fet_control_with_a_bad_checksum_changes_nothing(bench):
    bench.close_gates()
    bench.write(0x3E, b"\x97\x00\x0f")
    bench.write(0x60, [0x00, 0x05])
    assert bench.closed() == (True, True)


def test_host_commands_are_ignored_without_host_fet_en(bench):
    bench.close_gates((0x9308, b"\x09"))
    bench.send(0x0095)
    assert bench.closed() == (True, True)


def test_no_gate_closes_without_fet_ctrl_en(bench):
    bench.configure((0x9308, b"\x05"))
    bench.send(0x0022)
    assert bench.closed() == (False, False)


def test_test_mode_commands_drive_single_gates(bench):
    bench.configure((0x9308, b"\x0c"))
    bench.send(0x001F)
    assert bench.closed() == (True, False)
    bench.send(0x0020)
    assert bench.closed() == (True, True)


def test_a_force_off_does_not_survive_config_update_without_fet_init_off(bench):
    bench.close_gates()
    bench.send(0x0095)
    bench.configure()
    assert bench.closed() == (True, True)


def test_body_diode_protection_closes_the_other_gate(bench):
    bench.close_gates((0x9261, b"\x8c"), (0x9314, b"\x00"))
    bench.pack.cell_v[0] = 5.0  # COV: charge gate off
    bench.run_ms(1000)
    assert bench.closed() == (False, True)
    bench.pack.current_a = -1.0
    bench.run_ms(10)
    assert bench.closed() == (True, True)
    bench.pack.current_a = -0.02  # below the threshold of 50 mA
    bench.run_ms(10)
    assert bench.closed() == (False, True)


def test_body_diode_protection_works_for_charging_too(bench):
    bench.close_gates((0x9261, b"\x8c"))
    bench.pack.cell_v[0] = 2.0  # CUV: discharge gate off
    bench.run_ms(1000)
    assert bench.closed() == (True, False)
    bench.pack.current_a = 1.0
    bench.run_ms(10)
    assert bench.closed() == (True, True)


def test_parallel_fets_have_no_body_diode_protection(bench):
    bench.close_gates((0x9308, b"\x0c"))
    bench.pack.cell_v[0] = 5.0
    bench.run_ms(1000)
    bench.pack.current_a = -1.0
    bench.run_ms(10)
    assert bench.closed() == (False, True)


def test_a_forced_off_gate_is_not_closed_by_body_diode_protection(bench):
    bench.close_gates()
    bench.send(0x0094)
    bench.pack.current_a = -5.0
    bench.run_ms(100)
    assert bench.closed() == (False, True)


# FET-off pins.


@pytest.mark.parametrize(
    ("pin", "config", "level", "expected"),
    [
        ("cfetoff", (0x92FA, b"\x02"), 1, (False, True)),
        ("dfetoff", (0x92FB, b"\x02"), 1, (True, False)),
        ("dfetoff", (0x92FB, b"\x42"), 1, (False, False)),  # TI's example: both gates
        ("cfetoff", (0x92FA, b"\x00"), 1, (True, True)),  # not configured
    ],
)
def test_fet_off_pins_act_as_configured(bench, pin, config, level, expected):
    bench.close_gates(config)
    setattr(bench.chip, pin, level)
    bench.chip.pins_changed()
    assert bench.closed() == expected
    setattr(bench.chip, pin, 0)
    bench.chip.pins_changed()
    assert bench.closed() == (True, True)


def test_an_active_low_pin_opens_the_gate_when_low(bench):
    bench.chip.cfetoff = 1
    bench.close_gates((0x92FA, b"\x82"))
    bench.chip.cfetoff = 0
    bench.chip.pins_changed()
    assert bench.closed() == (False, True)


def test_a_pin_acts_in_the_instant_it_is_driven(bench):
    bench.close_gates((0x92FB, b"\x42"))
    bench.chip.dfetoff = 1
    now_us = bench.chip.time_us
    bench.run_ms(100)
    assert bench.gates[-1] == (now_us, False, False)


def test_a_pin_needs_no_communication(bench):
    bench.close_gates((0x92FB, b"\x42"))
    bench.bus.silent = True
    bench.chip.dfetoff = 1
    bench.run_ms(1)
    assert (bench.chip.charge_on, bench.chip.discharge_on) == (False, False)


# SLEEP.


def test_sleep_at_rest_opens_the_charge_gate_unless_it_is_disabled(bench):
    bench.send(0x0022)
    assert bench.word(0x12) & 0x0004
    bench.run_ms(20_000)
    assert bench.word(0x12) & 0x8000
    assert bench.closed() == (False, True)
    bench.send(0x009A)
    bench.run_ms(10)
    assert not bench.word(0x12) & 0x8004
    assert bench.closed() == (True, True)


def test_current_wakes_the_chip(bench):
    bench.send(0x0022)
    bench.run_ms(20_000)
    bench.pack.current_a = -3.0
    bench.run_ms(100)
    assert not bench.word(0x12) & 0x8000
    assert bench.closed() == (True, True)


def test_sleep_enable_and_disable_show_in_battery_status(bench):
    bench.send(0x009A)
    assert not bench.word(0x12) & 0x0004
    bench.send(0x0099)
    assert bench.word(0x12) & 0x0004


# Balancing.


def test_balancing_must_be_refreshed(bench):
    bench.configure((0x9339, b"\x14"))  # 20 s
    bench.send_data(0x0083, little(0x0005))
    assert bench.chip.balancing_inputs == 0x0005
    assert bench.answer_word(0x0083) == 0x0005
    bench.run_ms(15_000)
    bench.send_data(0x0083, little(0x0005))
    bench.run_ms(15_000)
    assert bench.answer_word(0x0083) == 0x0005
    assert bench.answer_word(0x0085) == 30
    bench.run_ms(6000)
    assert bench.answer_word(0x0083) == 0


def test_balancing_stops_on_command_on_reset_and_in_config_update(bench):
    stops = (
        lambda: bench.send_data(0x0083, little(0)),
        bench.chip.power_on_reset,
        lambda: bench.send(0x0090),
    )
    for stop in stops:
        bench.send_data(0x0083, little(0x0100))
        assert bench.chip.balancing_inputs == 0x0100
        stop()
        assert bench.chip.balancing_inputs == 0


def test_a_dead_balancing_switch_does_not_show_in_what_the_chip_reads_back(bench):
    bench.chip.stuck_balance.add(2)
    bench.send_data(0x0083, little(0x0005))
    assert bench.answer_word(0x0083) == 0x0005
    assert bench.word(0x64) & 0x0004  # AlarmRaw CB
    assert bench.chip.bleeding_inputs() == 0x0001
    bench.chip.stuck_balance.clear()
    assert bench.chip.bleeding_inputs() == 0x0005


def test_cb_no_cmd_blocks_the_host(bench):
    bench.configure((0x9335, b"\x10"))
    bench.send_data(0x0083, little(0x0005))
    assert bench.chip.balancing_inputs == 0


# Alarms.


def test_alarm_status_latches_scans_and_is_cleared_by_writing_ones(bench):
    bench.write(0x66, little(0x0082))
    bench.write(0x62, little(0xFFFF))
    assert bench.word(0x62) == 0
    bench.run_ms(SCAN_MS + 1)
    assert bench.word(0x62) & 0x0002
    bench.run_ms(FULLSCAN_MS)
    assert bench.word(0x62) == 0x0082
    bench.write(0x62, little(0x0080))
    assert bench.word(0x62) == 0x0002


def test_a_frozen_scan_pulses_no_alarm(bench):
    bench.write(0x66, little(0x0082))
    bench.chip.frozen = True
    bench.write(0x62, little(0xFFFF))
    bench.run_ms(10_000)
    assert bench.word(0x62) == 0


def test_alarms_that_are_not_enabled_are_not_latched(bench):
    bench.write(0x66, little(0x0000))
    bench.write(0x62, little(0xFFFF))
    bench.run_ms(10_000)
    assert bench.word(0x62) == 0


def test_a_trip_raises_ssa_and_an_alert_its_mask(bench):
    bench.configure((0x926D, little(0xD000)))
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(100)
    assert bench.word(0x64) & 0xD000 == 0x1000
    bench.run_ms(1000)
    assert bench.word(0x64) & 0xD000 == 0x4000
    assert bench.word(0x62) == 0x5000
    assert bench.word(0x12) & 0x0800  # BatteryStatus SS


def test_a_watchdog_trip_raises_ssbc(bench):
    bench.configure((0x926D, little(0xC000)), *WATCHDOG_SETTINGS)
    bench.silence_ms(6000)
    assert bench.word(0x62) == 0x8000


def test_a_cleared_alarm_comes_back_while_its_cause_stands(bench):
    bench.configure((0x926D, little(0x4000)))
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(1000)
    bench.write(0x62, little(0x4000))
    bench.run_ms(10)
    assert bench.word(0x62) == 0x4000


def test_the_alert_pin_follows_alarm_status_if_configured(bench):
    bench.configure((0x92FC, b"\x2a"), (0x926D, little(0x4000)))
    bench.run_ms(1000)
    assert not bench.byte(0x7F) & 0x40
    bench.pack.cell_v[5] = 5.0
    bench.run_ms(1000)
    assert bench.byte(0x7F) & 0x40


def test_the_gates_show_in_alarm_raw(bench):
    assert bench.word(0x64) & 0x0060 == 0x0060
    bench.close_gates()
    assert bench.word(0x64) & 0x0060 == 0
