"""Predischarge of the BQ76952 model (SLUUBY1B GUID-D8D92BE8, ...119; SLUUCG7 ...104).

PDSG instead of DSG until the time-out, or until the LD pin is within a delta of the stack, which
the chip looks at each 250 ms.
"""

import pytest

from host_tests.sim.bq76952_bench import MS, Bench, little

PDSG = 0x08  # FETStatus
SERIES = 0x3D  # SFET, host control, PDSG_EN, FET_INIT_OFF
SETTLED_MS = 1000


@pytest.fixture
def bench():
    return Bench()


def prepare(bench, timeout=0, delta=50, options=SERIES, bus_v=0.0):
    """Configured, FET_EN set, everything forced off by FET_INIT_OFF, measured."""
    bench.configure(
        (0x9234, little(0x2882)), (0x9308, [options]), (0x930E, [timeout]), (0x930F, [delta])
    )
    bench.pack.bus_v = bus_v
    bench.send(0x0022)
    bench.run_ms(SETTLED_MS)
    bench.gates.clear()


def switch_on(bench):
    """ALL_FETS_ON; returns the instant."""
    bench.write(0x3E, little(0x0096))
    bench.chip.advance(200)
    return bench.chip.time_us


def discharge_closed_us(bench):
    return [time_us for time_us, _, discharge in bench.gates if discharge]


def state(bench):
    """(DSG, PDSG) as the chip does and says, which must agree."""
    status = bench.byte(0x7F)
    said = bool(status & 0x04), bool(status & PDSG)
    assert said == (bench.chip.discharge_on, bench.chip.predischarge_on)
    return said


@pytest.mark.parametrize("timeout", [1, 5, 200, 255])
def test_dsg_follows_pdsg_at_the_time_out(bench, timeout):
    prepare(bench, timeout)
    began_us = switch_on(bench)
    assert state(bench) == (False, True)
    bench.run_ms(10 * timeout - 1)
    assert state(bench) == (False, True)
    bench.run_ms(100)
    assert state(bench) == (True, False)
    assert discharge_closed_us(bench) == [began_us + timeout * 10 * MS]


def test_dsg_follows_at_the_first_look_that_finds_the_bus_within_the_delta(bench):
    prepare(bench, delta=50)
    began_us = switch_on(bench)
    bench.run_ms(600)
    bench.pack.bus_v = 52.8 - 0.51
    bench.run_ms(500)
    assert state(bench) == (False, True)
    bench.pack.bus_v = 52.8 - 0.49
    bench.run_ms(500)
    assert state(bench) == (True, False)
    (closed_us,) = discharge_closed_us(bench)
    assert (closed_us - began_us) % (250 * MS) == 0
    assert 1100 * MS < closed_us - began_us <= 1600 * MS


def test_even_a_full_bus_waits_for_the_first_look(bench):
    prepare(bench, bus_v=52.8)
    began_us = switch_on(bench)
    bench.run_ms(1000)
    assert discharge_closed_us(bench) == [began_us + 250 * MS]


def test_the_time_out_wins_over_a_bus_that_does_not_fill(bench):
    prepare(bench, timeout=100)
    began_us = switch_on(bench)
    bench.run_ms(3000)
    assert discharge_closed_us(bench) == [began_us + 1000 * MS]


def test_without_time_out_an_empty_bus_keeps_dsg_off_for_good(bench):
    prepare(bench, timeout=0)
    switch_on(bench)
    bench.run_ms(600_000)
    assert state(bench) == (False, True)


def test_a_delta_of_0_ignores_the_voltage(bench):
    prepare(bench, timeout=100, delta=0, bus_v=52.8)
    began_us = switch_on(bench)
    bench.run_ms(3000)
    assert discharge_closed_us(bench) == [began_us + 1000 * MS]


def test_defaults_are_50_ms_and_500_mv(bench):
    assert bench.answer(0x930E)[:2] == bytes([5, 50])


def test_without_pdsg_en_dsg_turns_on_at_once(bench):
    prepare(bench, timeout=100, options=SERIES & ~0x10)
    began_us = switch_on(bench)
    assert state(bench) == (True, False)
    assert discharge_closed_us(bench) == [began_us]


def test_the_charge_gate_does_not_wait(bench):
    prepare(bench, timeout=100)
    switch_on(bench)
    assert (bench.chip.charge_on, bench.chip.discharge_on) == (True, False)


@pytest.mark.parametrize(
    "force_off",
    [
        lambda bench: bench.send_data(0x0097, [0x03]),
        lambda bench: bench.send(0x0093),  # DSG_PDSG_OFF
        lambda bench: bench.send(0x0095),  # ALL_FETS_OFF
        lambda bench: bench.send(0x0090),  # SET_CFGUPDATE
        lambda bench: bench.chip.power_on_reset(),
    ],
)
def test_a_force_off_ends_predischarge(bench, force_off):
    prepare(bench, timeout=100)
    switch_on(bench)
    bench.run_ms(500)
    force_off(bench)
    assert state(bench) == (False, False)
    bench.run_ms(5000)
    assert state(bench) == (False, False)


def test_fet_control_bit_1_holds_pdsg_off(bench):
    prepare(bench, timeout=100)
    bench.send_data(0x0097, [0x02])
    assert state(bench) == (False, False)
    bench.run_ms(1000)
    assert state(bench) == (True, False)


def test_a_dfetoff_pin_opens_both_and_the_next_closing_begins_anew(bench):
    prepare(bench, timeout=100)
    bench.configure((0x92FB, b"\x02"))
    switch_on(bench)
    bench.run_ms(900)
    bench.chip.dfetoff = 1
    bench.chip.pins_changed()
    assert state(bench) == (False, False)
    bench.chip.dfetoff = 0
    bench.chip.pins_changed()
    began_us = bench.chip.time_us
    bench.run_ms(2000)
    assert discharge_closed_us(bench) == [began_us + 1000 * MS]


def test_a_protection_during_predischarge_opens_pdsg(bench):
    prepare(bench, timeout=100)
    bench.configure((0x9261, b"\x04"))  # CUV alone
    switch_on(bench)
    bench.pack.cell_v[3] = 2.0
    bench.run_ms(500)
    assert state(bench) == (False, False)
    bench.run_ms(5000)
    assert discharge_closed_us(bench) == []


def test_each_closing_begins_with_predischarge(bench):
    prepare(bench, timeout=10)
    for _ in range(3):
        switch_on(bench)
        assert state(bench) == (False, True)
        bench.run_ms(200)
        assert state(bench) == (True, False)
        bench.send(0x0093)
        assert state(bench) == (False, False)


def test_charging_current_during_predischarge_closes_dsg_for_its_body_diode(bench):
    prepare(bench)
    switch_on(bench)
    bench.pack.current_a = 5.0
    bench.run_ms(10)
    assert state(bench) == (True, False)


def test_dsg_that_a_body_diode_closed_needs_no_predischarge_afterwards(bench):
    prepare(bench, timeout=200)
    bench.configure((0x9261, b"\x04"))  # CUV alone
    switch_on(bench)
    bench.pack.cell_v[3] = 2.0
    bench.run_ms(1000)
    bench.pack.current_a = 5.0
    bench.run_ms(10)
    bench.pack.cell_v[3] = 3.3
    bench.run_ms(3100)  # CUV recovers after 3 s
    assert (bench.byte(0x03), state(bench)) == (0, (True, False))
    bench.pack.current_a = 0.0
    bench.run_ms(10)
    assert state(bench) == (True, False)


def test_pdsgtest_toggles_it_in_test_mode_only(bench):
    bench.configure((0x9308, b"\x1d"))
    bench.send(0x001C)
    assert state(bench) == (False, True)
    assert bench.answer_word(0x0057) & 0x20
    bench.send(0x001C)
    assert state(bench) == (False, False)


def test_next_event_leads_to_the_closing_whatever_the_steps(bench):
    prepare(bench, timeout=77)
    began_us = switch_on(bench)
    while not bench.chip.discharge_on:
        bench.chip.advance(min(100 * MS, bench.chip.next_event_us()) or 1)
    assert bench.chip.time_us == began_us + 770 * MS
