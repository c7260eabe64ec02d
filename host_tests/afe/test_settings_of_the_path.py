"""What the chip is told about the power path, about latches, and for values only proposed."""

import pytest

from afe.bq76952_settings import Settings
from host_tests.afe.test_settings import BASE, i16, programmed, table, u16


@pytest.mark.parametrize(
    ("changes", "options", "pins"),
    [
        # SFET 1, SLEEPCHG 2, HOST_FET_EN 4, FET_CTRL_EN 8, PDSG_EN 0x10, FET_INIT_OFF 0x20
        ({}, 0x2F, 0x00),
        ({"power_path": 1}, 0x2E, 0x00),  # separate ports: no body diode to spare
        ({"power_path": 2}, 0x2E, 0x8A),  # contactors hang on DCHG and DDSG
        ({"fet_side": 1}, 0x2F, 0x8A),  # as do low-side drivers
        ({"predischarge": 1}, 0x3F, 0x00),
        ({"power_path": 1, "predischarge": 1}, 0x3E, 0x00),
        ({"power_path": 2, "predischarge": 1}, 0x2E, 0x8A),  # the precharge relay's matter
    ],
)
def test_the_power_path_decides_what_the_chip_does_with_its_gates(changes, options, pins):
    memory, chip, _ = programmed(**changes)
    assert memory[0x9308] == options
    assert memory[0x9301] == memory[0x9302] == pins
    assert chip.image.predischarge == bool(options & 0x10)
    assert chip.image.gate_outputs == (pins != 0)


def test_gate_outputs_are_low_while_a_gate_is_off_as_they_are_without_supply():
    pin = programmed(power_path=2)[0][0x9301]
    assert pin & 3 == 2  # DCHG
    assert pin & 0x80  # OPT5: active low, and asserted means off
    assert pin & 0x08  # OPT1: driven high
    assert not pin & 0x20  # OPT3: by REG18, REG1 may be off


@pytest.mark.parametrize(
    ("changes", "delta"),
    [
        # 10 mV each; the nominal cell is (3650 + 2700) / 2 = 3175 mV
        ({"series_cells": 16, "precharge_ratio_permille": 950}, 254),  # 50.8 V * 5 %
        ({"series_cells": 16, "precharge_ratio_permille": 800}, 255),  # the most: 2.55 V
        ({"series_cells": 4, "precharge_ratio_permille": 990}, 12),
        ({"series_cells": 3, "precharge_ratio_permille": 990, "chemistry": 2}, 6),
    ],
)
def test_predischarge_stops_when_the_bus_is_as_full_as_the_host_asks(changes, delta):
    assert programmed(predischarge=1, **changes)[0][0x930F] == delta


def test_the_chips_predischarge_outlasts_any_precharge_of_the_host():
    parameters, _ = table()
    index = parameters.index("precharge_time_max_ms")
    assert 10 * programmed()[0][0x930E] > parameters.maximums[index]


@pytest.mark.parametrize("body_diode_ma", [100, 500, 20000])
def test_the_body_diode_is_spared_above_the_current_asked_for(body_diode_ma):
    assert i16(programmed(body_diode_ma=body_diode_ma)[0], 0x9273) == body_diode_ma


def test_no_latch_ends_by_itself():
    """Bits 9 and 10 of Protection Configuration are recovery by current (SLUUBY2B 13.3.3.1)."""
    memory, _, _ = programmed()
    assert not u16(memory, 0x925F) & 0x0600
    assert memory[0x9263] & 0x60 == 0x60
    assert memory[0x9267] & memory[0x926B] & 0x40  # SCDL blocks both gates
    assert memory[0x926B] & 0x20  # OCDL the discharge gate


def test_the_latch_of_over_currents_remembers_longer_than_the_software_waits_to_close_again():
    parameters, _ = table()
    memory, _, _ = programmed()
    longest_ms = parameters.maximums[parameters.index("overcurrent_discharge_release_delay_ms")]
    assert 1000 * memory[0x9290] > 3 * longest_ms
    assert memory[0x9290] > memory[0x92AF]


def test_proposed_values_do_not_disturb_the_running_settings():
    parameters, chip = table()
    parameters.load(BASE)
    chip.update()
    before = [bytes(run) for run in chip.image.runs]
    proposed = parameters.values[:]
    proposed[parameters.index("cell_overvoltage_trip_mv")] = 3700
    plan = Settings(parameters, proposed)
    plan.update()
    assert plan.taken_value("cell_overvoltage_trip_mv") == 3795  # 75 * 50.6
    assert [bytes(run) for run in chip.image.runs] == before
    assert chip.taken_value("cell_overvoltage_trip_mv") == 3744
