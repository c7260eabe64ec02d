"""What the chip is told for which parameters: encodings of SLUUBY2B, rounding to the safe side.

Expected steps and formulas are those of afe.md section 4 and of the manual, computed here with
exact fractions.
"""

import functools
import struct
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afe.bq76952_blocks import put_float
from afe.bq76952_image import TAKEN_VALUES
from afe.bq76952_settings import TAKEN, Settings
from bms.parameters import Parameters
from host_tests.afe.items import ITEMS

VOLTAGE_STEP_MV = Fraction(506, 10)
DELAY_STEP_MS = Fraction(33, 10)
SCD_MV = (10, 20, 40, 60, 80, 100, 125, 150, 175, 200, 250, 300, 350, 400, 450, 500)
BASE = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 100000}


@functools.cache
def table():
    parameters = Parameters()
    return parameters, Settings(parameters)


def programmed(**changes):
    """(data memory as a dict of bytes, Settings, Parameters) for the defaults and `changes`."""
    parameters, chip = table()
    parameters.load({**BASE, **changes})
    if {"series_cells", "cell_thermistors"} & set(changes):
        chip = Settings(parameters)  # taken once: a change waits for a restart
    chip.update()
    memory = {}
    for run in chip.image.runs:
        address = run[0] | run[1] << 8
        for at in range(2, len(run)):
            memory[address + at - 2] = run[at]
    return memory, chip, parameters


def u16(memory, address):
    return memory[address] | memory[address + 1] << 8


def i16(memory, address):
    return struct.unpack("<h", bytes([memory[address], memory[address + 1]]))[0]


def i8(memory, address):
    return struct.unpack("b", bytes([memory[address]]))[0]


def test_items_are_listed_once_and_in_ascending_order():
    end = 0
    for address, size, _ in ITEMS:
        assert address >= end
        end = address + size


def test_blocks_fit_the_32_byte_buffer():
    _, chip, _ = programmed()
    assert all(2 < len(run) <= 34 for run in chip.image.runs)


@pytest.mark.parametrize(
    ("address", "value"),
    [
        (0x9261, 0xBC),  # SCD, OCD1, OCC, COV, CUV
        (0x9262, 0x73),  # OTINT, OTD, OTC, UTD, UTC
        (0x9263, 0x62),  # SCDL, OCDL, HWDF
        (0x928F, 3),  # OCDL at the third event
        (0x9290, 255),  # of which one is forgotten after that many seconds
        (0x9295, 1),  # SCDL at the first
        (0x92B4, 0),  # load detection by the chip itself is off
        (0x930E, 255),  # predischarge time-out: 2550 ms
        (0x9314, 1),  # open wires are looked for every second
        (0x9265, 0x98),  # immediate
        (0x9269, 0xE4),
        (0x92FA, 0x02),  # CFETOFF, active high
        (0x92FB, 0x02),  # DFETOFF, active high
        (0x92FD, 0x07),
        (0x92FE, 0x07),
        (0x92FF, 0x00),  # two thermistors by default
        (0x9300, 0x00),
        (0x9308, 0x2F),
        (0x924A, 1),  # asleep it measures once a second: what rests on measuring is late by that
        (0x9238, 0x00),  # the host watchdog does not switch the regulators
    ],
)
def test_fixed_bytes_are_those_of_the_manual(address, value):
    assert programmed()[0][address] == value


def test_short_circuit_and_watchdog_block_both_directions():
    memory, _, _ = programmed()
    assert memory[0x9265] & memory[0x9269] & 0x80  # SCD
    assert memory[0x9267] & memory[0x926B] & 0x02  # HWDF


def test_over_temperature_of_the_switches_is_enabled_only_with_their_sensor():
    assert programmed(fet_thermistor=1)[0][0x9262] == 0xF3
    assert programmed(fet_thermistor=1)[0][0x9300] == 0x0F


def test_the_chip_sleeps_only_when_it_is_told():
    memory, _, _ = programmed(cell_thermistors=1)
    assert u16(memory, 0x9234) == 0x2882
    memory, _, _ = programmed(cell_thermistors=2)
    assert u16(memory, 0x9234) == 0x3882  # SHUT_TS2: a thermistor hangs on TS2


def test_scan_alarms_are_enabled():
    assert u16(programmed()[0], 0x926D) & 0x82 == 0x82


@pytest.mark.parametrize(("cells", "mask"), [(16, 0xFFFF), (13, 0x8FFF), (3, 0x8003)])
def test_vcell_mode_always_has_input_16(cells, mask):
    assert u16(programmed(series_cells=cells)[0], 0x9304) == mask


def test_inputs_stay_as_they_were_until_a_restart():
    """The sample has its size for life; a chip on other inputs would measure past it."""
    parameters = Parameters()
    parameters.load({**BASE, "series_cells": 16, "cell_thermistors": 2})
    chip = Settings(parameters)
    chip.update()
    before = [bytes(run) for run in chip.image.runs]
    parameters.load({**BASE, "series_cells": 8, "cell_thermistors": 1})
    chip.update()
    assert [bytes(run) for run in chip.image.runs] == before


def test_gains_are_the_floats_of_the_manual_for_every_shunt():
    parameters, chip = table()
    parameters.load(BASE)
    index = parameters.index("shunt_microohm")
    for shunt in range(parameters.minimums[index], parameters.maximums[index] + 1):
        put_float(chip.image.runs, 0x91A8, 75684, 10 * shunt, 0)
        put_float(chip.image.runs, 0x91AC, 282170404, shunt, 3)
        cc, capacity = struct.unpack("<2f", bytes(chip.image.runs[1][2:]))
        exact = Fraction(75684, 10 * shunt)
        assert cc == struct.unpack("<f", struct.pack("<f", float(exact)))[0]
        assert abs(Fraction(capacity) / (exact * Fraction("298261.6178")) - 1) < 2**-24 + 2**-28


def test_gains_follow_the_shunt_parameter():
    memory, _, _ = programmed(shunt_microohm=1000)
    gains = bytes(memory[0x91A8 + at] for at in range(8))
    assert gains[:4] == struct.pack("<f", 7.5684)
    assert struct.unpack("<f", gains[4:])[0] == pytest.approx(7.5684 * 298261.6178, rel=1e-7)


def test_defaults_in_physical_units():
    """LFP, 0.5 mohm: computed by hand from the defaults in the parameters table."""
    _, chip, _ = programmed()
    assert len(TAKEN) == TAKEN_VALUES
    assert {name: chip.taken_value(name) for name in TAKEN} == {
        "cell_overvoltage_trip_mv": 3744,  # 3700 asked: 74 * 50.6
        "cell_overvoltage_delay_ms": 2003,  # 2000 asked: (2 + 605) * 3.3
        "cell_overvoltage_release_mv": 3491,  # 69 * 50.6, software releases at 3450
        "cell_undervoltage_trip_mv": 2631,  # 2650 asked: 52 * 50.6
        "cell_undervoltage_delay_ms": 3003,
        "cell_undervoltage_release_mv": 2985,  # 59 * 50.6, software releases at 3000
        "overtemperature_charge_trip_dc": 530,
        "overtemperature_charge_release_dc": 450,
        "overtemperature_discharge_trip_dc": 630,
        "overtemperature_discharge_release_dc": 550,
        "undertemperature_charge_trip_dc": -30,
        "undertemperature_charge_release_dc": 30,
        "undertemperature_discharge_trip_dc": -230,
        "undertemperature_discharge_release_dc": -150,
        "fast_overcurrent_charge_ma": 80000,
        "fast_overcurrent_discharge_ma": 160000,
        "fast_overcurrent_delay_ms": 198,
        "short_circuit_trip_ma": 400000,
        "short_circuit_delay_us": 120,
        "afe_watchdog_s": 4,
        "fet_overtemperature_trip_dc": 880,  # 850 and the margin of 3 K
        "fet_overtemperature_release_dc": 700,
        "own_overtemperature_trip_dc": 830,
        "own_overtemperature_release_dc": 650,
    }


TEMPERATURE_ROWS = (  # threshold's address, parameter, name of what is taken, 1: upper limit
    (0x929A, "overtemperature_charge", "overtemperature_charge", 1),
    (0x929D, "overtemperature_discharge", "overtemperature_discharge", 1),
    (0x92A6, "undertemperature_charge", "undertemperature_charge", -1),
    (0x92A9, "undertemperature_discharge", "undertemperature_discharge", -1),
    (0x92A0, "fet_overtemperature", "fet_overtemperature", 1),
    (0x92A3, "afe_overtemperature", "own_overtemperature", 1),
)


@st.composite
def currents(draw):
    """Current settings, in the order that the table demands of them."""
    charge = sorted(draw(st.sets(st.integers(100, 600000), min_size=2, max_size=2)))
    discharge = sorted(draw(st.sets(st.integers(1000, 600000), min_size=3, max_size=3)))
    return {
        "shunt_microohm": draw(st.integers(50, 10000)),
        "overcurrent_charge_trip_ma": charge[0],
        "fast_overcurrent_charge_ma": charge[1],
        "overcurrent_discharge_trip_ma": discharge[0],
        "fast_overcurrent_discharge_ma": discharge[1],
        "short_circuit_trip_ma": discharge[2] + draw(st.integers(0, 400000)),
        "fast_overcurrent_delay_ms": draw(st.integers(10, 400)),
        "short_circuit_delay_us": draw(st.integers(15, 450)),
    }


@st.composite
def voltages(draw):
    over = sorted(draw(st.sets(st.integers(1500, 4500), min_size=2, max_size=2)))
    under = sorted(draw(st.sets(st.integers(1000, 4000), min_size=2, max_size=2)))
    return {
        "cell_overvoltage_release_mv": over[0],
        "cell_overvoltage_trip_mv": over[1],
        "cell_undervoltage_trip_mv": under[0],
        "cell_undervoltage_release_mv": under[1],
        "cell_overvoltage_delay_ms": draw(st.integers(0, 5000)),
        "cell_undervoltage_delay_ms": draw(st.integers(0, 5000)),
        "afe_voltage_margin_mv": draw(st.integers(20, 300)),
        "afe_delay_margin_ms": draw(st.integers(100, 1500)),
    }


def directly(**changes):
    """As `programmed`, with values that need not agree with the rest of the table."""
    parameters, chip = table()
    parameters.load(BASE)
    for name, value in changes.items():
        parameters.values[parameters.index(name)] = value
    chip.update()
    memory = {}
    for run in chip.image.runs:
        address = run[0] | run[1] << 8
        memory.update({address + at - 2: run[at] for at in range(2, len(run))})
    return memory, chip


@settings(max_examples=150, deadline=None)
@given(voltages())
def test_cell_voltage_trips_lie_beyond_softwares_by_the_margin_and_less_than_a_step(values):
    memory, chip = directly(**values)
    margin = values["afe_voltage_margin_mv"]

    asked = values["cell_overvoltage_trip_mv"] + margin
    over = memory[0x9278] * VOLTAGE_STEP_MV
    assert 20 <= memory[0x9278] <= 110
    assert asked <= over < asked + VOLTAGE_STEP_MV
    assert chip.taken_value("cell_overvoltage_trip_mv") == int(over)

    asked = values["cell_undervoltage_trip_mv"] - margin
    under = memory[0x9275] * VOLTAGE_STEP_MV
    assert 20 <= memory[0x9275] <= 90
    if asked >= 20 * VOLTAGE_STEP_MV:
        assert asked - VOLTAGE_STEP_MV < under <= asked
    else:
        assert memory[0x9275] == 20  # as low as the chip goes: it acts earlier
    assert chip.taken_value("cell_undervoltage_trip_mv") == int(under)


@settings(max_examples=150, deadline=None)
@given(voltages())
def test_the_chip_releases_a_cell_voltage_no_later_than_software_where_its_range_allows(values):
    memory, chip = directly(**values)
    over = memory[0x9278] * VOLTAGE_STEP_MV - memory[0x927C] * VOLTAGE_STEP_MV
    under = memory[0x9275] * VOLTAGE_STEP_MV + memory[0x927B] * VOLTAGE_STEP_MV
    assert 2 <= memory[0x927C] <= 20
    assert 2 <= memory[0x927B] <= 20
    assert over >= values["cell_overvoltage_release_mv"] or memory[0x927C] == 2
    assert under <= values["cell_undervoltage_release_mv"] or memory[0x927B] == 2
    assert chip.taken_value("cell_overvoltage_release_mv") == int(over)
    assert chip.taken_value("cell_undervoltage_release_mv") == int(under)


@settings(max_examples=150, deadline=None)
@given(voltages())
def test_cell_voltage_delays_are_longer_than_softwares_by_the_margin_and_less_than_a_step(values):
    memory, chip = directly(**values)
    for address, name in (
        (0x9279, "cell_overvoltage_delay_ms"),
        (0x9276, "cell_undervoltage_delay_ms"),
    ):
        asked = values[name] + values["afe_delay_margin_ms"]
        setting = u16(memory, address)
        real = DELAY_STEP_MS * (2 + setting)
        assert 1 <= setting <= 2047  # 0 would disable the protection
        assert asked <= real < asked + DELAY_STEP_MS
        assert chip.taken_value(name) == int(real)


@pytest.mark.parametrize(("address", "name", "taken", "sign"), TEMPERATURE_ROWS)
@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(10, 100))
def test_temperature_trips_lie_beyond_softwares_and_release_no_later(
    address, name, taken, sign, data, margin
):
    low, high = (0, 900) if sign > 0 else (-400, 400)
    if taken.startswith(("fet", "own")):
        high = 1100
    trip = data.draw(st.integers(low + 1, high) if sign > 0 else st.integers(low, high - 1))
    release = data.draw(st.integers(low, trip - 1) if sign > 0 else st.integers(trip + 1, high))
    delay = data.draw(st.integers(0, 60000))
    later = data.draw(st.integers(100, 1500))
    memory, chip = directly(
        **{
            name + "_trip_dc": trip,
            name + "_release_dc": release,
            name + "_delay_ms": delay,
            "afe_temperature_margin_dc": margin,
            "afe_delay_margin_ms": later,
        }
    )
    trip_dc = 10 * i8(memory, address)
    release_dc = 10 * i8(memory, address + 2)
    beyond = (trip_dc - trip) * sign
    assert -400 <= trip_dc <= 1200
    assert margin <= beyond < margin + 10 or (trip_dc == -400 and beyond >= 0)
    assert (trip_dc - release_dc) * sign >= 10
    assert 0 <= (release_dc - release) * sign < 10 or trip_dc == -400
    assert delay + later <= 1000 * memory[address + 1] < delay + later + 1000
    assert chip.taken_value(taken + "_trip_dc") == trip_dc
    assert chip.taken_value(taken + "_release_dc") == release_dc


@settings(max_examples=300, deadline=None)
@given(currents())
def test_fast_over_current_acts_at_most_a_step_late_and_always_beyond_software(values):
    memory, chip = directly(**values)
    shunt = values["shunt_microohm"]
    for address, name, most in ((0x9280, "charge", 62), (0x9282, "discharge", 100)):
        step_ma = Fraction(2000000, shunt)
        software = values[f"overcurrent_{name}_trip_ma"]
        asked = values[f"fast_overcurrent_{name}_ma"]
        steps = memory[address]
        assert 2 <= steps <= most
        real = steps * step_ma
        if steps == 2:
            assert asked < 3 * step_ma  # the most sensitive threshold the chip has
        else:
            assert real <= asked + step_ma
        assert real + Fraction(1000, shunt) > software or steps == most
        if real > asked:
            assert steps == 2 or real - step_ma <= software
        assert chip.taken_value(f"fast_overcurrent_{name}_ma") == int(real)


@settings(max_examples=300, deadline=None)
@given(currents())
def test_short_circuit_acts_at_or_below_what_is_asked_unless_software_would_be_later(values):
    memory, chip = directly(**values)
    shunt = values["shunt_microohm"]
    levels = [Fraction(mv * 1000000, shunt) for mv in SCD_MV]
    asked = values["short_circuit_trip_ma"]
    software = values["overcurrent_discharge_trip_ma"]
    index = memory[0x9286]
    real = levels[index]
    assert real <= asked or index == 0 or levels[index - 1] <= software + Fraction(1000, shunt)
    if index < len(levels) - 1 and real <= asked:
        assert levels[index + 1] > asked - Fraction(1000, shunt)
    assert real + Fraction(1000, shunt) > software or index == len(levels) - 1
    assert chip.taken_value("short_circuit_trip_ma") == int(real)


@settings(max_examples=150, deadline=None)
@given(currents())
def test_fast_delays_are_no_longer_than_asked_and_less_than_a_step_shorter(values):
    memory, chip = directly(**values)
    asked = values["fast_overcurrent_delay_ms"]
    for address in (0x9281, 0x9283):
        real = DELAY_STEP_MS * (2 + memory[address])
        assert 1 <= memory[address] <= 127
        assert asked - DELAY_STEP_MS < real <= asked
    assert chip.taken_value("fast_overcurrent_delay_ms") == int(real)
    asked = values["short_circuit_delay_us"]
    real = 15 * (memory[0x9287] - 1)
    assert 2 <= memory[0x9287] <= 31
    assert asked - 15 < real <= asked
    assert chip.taken_value("short_circuit_delay_us") == real


@given(st.integers(1, 5))
def test_no_protection_releases_by_itself_before_the_watchdog_of_a_hung_processor(watchdog):
    memory, _ = directly(afe_watchdog_s=watchdog)
    assert u16(memory, 0x92B2) == watchdog
    assert memory[0x92AF] > watchdog
    assert memory[0x9294] > watchdog


def test_over_current_is_over_when_the_current_is_gone():
    """The defaults wait for current the other way, which may never come."""
    memory, _, _ = programmed()
    assert 0 < i16(memory, 0x9288) <= 1000
    assert -1000 <= i16(memory, 0x928D) < 0


@pytest.mark.parametrize("chemistry", range(4))
def test_the_defaults_of_every_chemistry_can_be_represented(chemistry):
    memory, chip, parameters = programmed(chemistry=chemistry)
    assert 20 < memory[0x9278] < 110
    assert 20 < memory[0x9275] < 90
    assert chip.taken_value("cell_overvoltage_trip_mv") > parameters.value(
        "cell_overvoltage_trip_mv"
    )
    assert chip.taken_value("cell_undervoltage_trip_mv") < parameters.value(
        "cell_undervoltage_trip_mv"
    )


def test_a_cell_voltage_below_the_chips_range_is_taken_as_low_as_it_goes():
    memory, chip = directly(cell_undervoltage_trip_mv=1000, afe_voltage_margin_mv=300)
    assert memory[0x9275] == 20
    assert chip.taken_value("cell_undervoltage_trip_mv") == 1012
