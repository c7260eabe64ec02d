"""The parameters table: one door, whole batches, and refusals that say why."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.parameter_rows import ORDER, ROWS
from bms.parameters import (
    APPLIES_AFE,
    APPLIES_NOW,
    APPLIES_RESTART,
    TYPE_I16,
    TYPE_I32,
    TYPE_SECRET,
    TYPE_U16,
    ParameterError,
    Parameters,
)
from bms.table import INVALID, UnknownName, rows
from host_tests.bms.bench import PACK

TABLE = {row[1]: row for row in rows(ROWS)}
NAMES = list(TABLE)
RULES = [line[0].split() for line in rows(ORDER)]


def by_chemistry(column, chemistry):
    options = column.split("/")
    return int(options[chemistry % len(options)])


def ranges(chemistry):
    """By the words of the table: what each parameter may be for a chemistry."""
    return {
        name: (by_chemistry(row[4], chemistry), by_chemistry(row[5], chemistry))
        for name, row in TABLE.items()
    }


RANGES = ranges(PACK["chemistry"])
LIMITED = [name for name, row in TABLE.items() if "/" in row[4] + row[5]]
CHEMISTRIES = ("lfp", "nmc", "lto", "sodium")
REQUIRED = [name for name, row in TABLE.items() if row[6] == "-"]
SIZES = {"u16": (0, 0xFFFF), "i16": (-0x8000, 0x7FFF), "secret": (0, 0xFFFF)}


@pytest.fixture
def loaded():
    parameters = Parameters()
    parameters.load(PACK)
    return parameters


def as_dict(parameters):
    return {name: parameters.value(name) for name in NAMES}


def check_valid(values):
    """By the words of the table, not by the code that reads them."""
    for name, (low, high) in ranges(values["chemistry"]).items():
        assert low <= values[name] <= high, name
    for lower, sign, higher in RULES:
        assert values[lower] < values[higher] or (
            sign == "<=" and values[lower] == values[higher]
        ), (lower, higher)


def test_rows_are_complete_and_registers_do_not_overlap():
    taken = {}
    for name, row in TABLE.items():
        assert len(row) == 9, name
        register = int(row[0], 16)
        for place in range(register, register + (2 if row[3] == "i32" else 1)):
            assert place not in taken, (name, taken[place])
            taken[place] = name


def test_names_are_unique_and_helps_are_written():
    assert len(NAMES) == len(list(rows(ROWS)))
    for row in TABLE.values():
        assert len(row[8]) >= 10 or row[8] == "for this long"


def test_ranges_fit_their_types_and_stay_small_integers_on_the_boards():
    for chemistry in range(4):
        for name, (low, high) in ranges(chemistry).items():
            row = TABLE[name]
            assert low < high
            smallest, largest = SIZES.get(row[3], (-(2**30) + 1, 2**30 - 1))
            assert smallest <= low and high <= largest, name
            if " " in row[2]:
                assert (low, high) == (0, len(row[2].split()) - 1), name


def test_units_are_in_the_names():
    for name, row in TABLE.items():
        match = re.search(r"(?<!mv)_(mv|ma|mah|ms|us|s|dc)$", name)
        if match:
            unit = {"mv": "mV", "ma": "mA", "mah": "mAh", "dc": "0.1C"}.get(match[1], match[1])
            assert row[2] == unit, name


def test_rules_name_parameters_of_the_same_unit():
    for lower, sign, higher in RULES:
        assert sign in ("<", "<=")
        assert TABLE[lower][2] == TABLE[higher][2]


def test_the_builder_must_say_what_nobody_can_guess():
    assert set(REQUIRED) == {"chemistry", "series_cells", "design_capacity_mah"}


def test_the_table_is_read_as_written(loaded):
    kinds = {"u16": TYPE_U16, "i16": TYPE_I16, "i32": TYPE_I32, "secret": TYPE_SECRET}
    applies = {"now": APPLIES_NOW, "afe": APPLIES_AFE, "restart": APPLIES_RESTART}
    assert len(loaded) == len(NAMES)
    for index, (name, row) in enumerate(TABLE.items()):
        assert loaded.index(name) == index
        assert loaded.names.name(index) == name
        assert loaded.registers[index] == int(row[0], 16)
        assert loaded.types[index] == kinds[row[3]]
        assert loaded.applies[index] == applies[row[7]]
        assert loaded.help(index) == row[8]
        assert loaded.choices(index) == (row[2].split() if " " in row[2] else [])


@pytest.mark.parametrize("chemistry", range(4))
def test_defaults_follow_the_chemistry_and_are_valid_together(chemistry):
    parameters = Parameters()
    parameters.load({**PACK, "chemistry": chemistry})
    values = as_dict(parameters)
    check_valid(values)
    for name, row in TABLE.items():
        options = row[6].split("/")
        if options != ["-"]:
            assert values[name] == int(options[chemistry % len(options)])


def test_what_the_measuring_chip_is_programmed_with_says_so():
    """Law 5: the chip's protections follow the same parameters; a change must reach it."""
    from afe.bq76952_settings import _READS, _TEMPERATURES

    reads = set(_READS)
    for row in _TEMPERATURES:
        reads |= {row[1] + "_trip_dc", row[1] + "_release_dc"}
    for name in reads:
        assert TABLE[name][7] in ("afe", "restart"), name


def test_before_loading_nothing_can_be_changed():
    parameters = Parameters()
    assert not parameters.loaded
    assert parameters.value("series_cells") == INVALID
    assert parameters.value("modbus_address") == 1
    with pytest.raises(ParameterError, match="set one up"):
        parameters.change([(parameters.index("modbus_address"), 2)])
    assert parameters.value("modbus_address") == 1


@pytest.mark.parametrize("missing", REQUIRED)
def test_what_is_required_must_be_given(missing):
    parameters = Parameters()
    before = as_dict(parameters)
    with pytest.raises(ParameterError, match=f"'{missing}' is missing"):
        parameters.load({name: value for name, value in PACK.items() if name != missing})
    assert not parameters.loaded
    assert as_dict(parameters) == before


def test_an_unknown_name_is_refused_by_name():
    with pytest.raises(ParameterError, match="'cell_colour' is not a parameter"):
        Parameters().load({**PACK, "cell_colour": 1})


@pytest.mark.parametrize("value", [True, False, None, 3.0, "16", [16], 2**40, -(2**40), INVALID])
def test_only_whole_numbers_in_range_are_values(value):
    parameters = Parameters()
    with pytest.raises(ParameterError, match="'series_cells'"):
        parameters.load({**PACK, "series_cells": value})
    assert not parameters.loaded


def test_a_refused_load_leaves_the_values_that_were_in_force(loaded):
    loaded.change([(loaded.index("modbus_address"), 9)])
    before = as_dict(loaded)
    with pytest.raises(ParameterError):
        loaded.load({**PACK, "modbus_address": 0})
    assert as_dict(loaded) == before
    assert loaded.loaded


def test_loading_again_forgets_what_is_not_named(loaded):
    loaded.change([(loaded.index("modbus_address"), 9)])
    loaded.load(PACK)
    assert loaded.value("modbus_address") == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", [0, 1])
def test_a_value_out_of_range_is_refused_with_name_range_and_value(loaded, name, end):
    low, high = RANGES[name]
    value = high + 1 if end else low - 1
    before = as_dict(loaded)
    with pytest.raises(ParameterError) as refusal:
        loaded.change([(loaded.index(name), value)])
    text = str(refusal.value)
    assert f"'{name}'" in text
    assert f"from {low} to {high}" in text
    if TABLE[name][3] == "secret":
        assert str(value) not in text.replace(str(low), "").replace(str(high), "")
    else:
        assert f"not {value}" in text
    assert as_dict(loaded) == before


# Trips that no cell of the chemistry bears, by data-sheet knowledge: LiFePO4 is charged to 3.65 V,
# at most 3.8 V; NMC and NCA to 4.2 V or 4.35 V, and emptied to 2.5 V; SCiB (LTO) 1.5 to 2.7 V, at
# most 2.9 V; sodium-ion 1.5 to 4.0 V, at most 4.3 V. Cold: lithium plating, but for LTO.
UNBEARABLE = (
    ("lfp", "cell_overvoltage_trip_mv", 4400),
    ("lfp", "pack_overvoltage_trip_mv", 4200),
    ("lfp", "cell_undervoltage_trip_mv", 1900),
    ("lfp", "undertemperature_charge_trip_dc", -150),
    ("nmc", "cell_overvoltage_trip_mv", 4450),
    ("nmc", "cell_undervoltage_trip_mv", 2000),
    ("nmc", "pack_undervoltage_trip_mv", 2000),
    ("nmc", "deep_discharge_trip_mv", 1500),
    ("nmc", "cell_floor_mv", 1000),
    ("nmc", "undertemperature_charge_trip_dc", -150),
    ("lto", "cell_overvoltage_trip_mv", 3650),
    ("lto", "undertemperature_charge_trip_dc", -400),
    ("sodium", "cell_overvoltage_trip_mv", 4400),
    ("sodium", "cell_undervoltage_trip_mv", 1400),
    ("sodium", "undertemperature_charge_trip_dc", -300),
)
# and what cells that are sold do bear
BEARABLE = (
    ("lfp", "cell_overvoltage_trip_mv", 3800),  # Winston LYP
    ("lfp", "cell_undervoltage_trip_mv", 2000),  # A123 ANR26650
    ("lfp", "undertemperature_charge_trip_dc", -100),
    ("nmc", "cell_overvoltage_trip_mv", 4350),
    ("nmc", "cell_undervoltage_trip_mv", 2500),
    ("lto", "cell_overvoltage_trip_mv", 2900),
    ("lto", "cell_undervoltage_trip_mv", 1500),  # Toshiba SCiB
    ("lto", "undertemperature_charge_trip_dc", -300),
    ("sodium", "cell_overvoltage_trip_mv", 4300),
    ("sodium", "cell_undervoltage_trip_mv", 1500),
    ("sodium", "undertemperature_charge_trip_dc", -200),
)


@pytest.mark.parametrize(("chemistry", "name", "value"), UNBEARABLE)
def test_what_no_cell_of_the_chemistry_bears_is_refused_with_range_and_chemistry(
    chemistry, name, value
):
    number = CHEMISTRIES.index(chemistry)
    low, high = ranges(number)[name]
    sentence = f"'{name}' must be a whole number from {low} to {high} for {chemistry} cells, "
    sentence += f"not {value}"
    parameters = Parameters()
    with pytest.raises(ParameterError, match=f"^{sentence}$"):
        parameters.load({**PACK, "chemistry": number, name: value})
    assert not parameters.loaded
    parameters.load({**PACK, "chemistry": number})
    before = as_dict(parameters)
    with pytest.raises(ParameterError, match=f"^{sentence}$"):
        parameters.change([(parameters.index(name), value)])
    assert as_dict(parameters) == before


@pytest.mark.parametrize(("chemistry", "name", "value"), BEARABLE)
def test_what_known_cells_bear_is_in_the_range_of_their_chemistry(chemistry, name, value):
    parameters = Parameters()
    number = CHEMISTRIES.index(chemistry)
    index = parameters.index(name)
    assert parameters.minimum(index, number) <= value <= parameters.maximum(index, number)
    assert (parameters.minimum(index, number), parameters.maximum(index, number)) == ranges(
        number
    )[name]


def test_a_high_voltage_cell_can_be_set_up():
    parameters = Parameters()
    parameters.load(
        {
            **PACK,
            "chemistry": 1,
            "cell_overvoltage_warn_mv": 4330,
            "cell_overvoltage_trip_mv": 4350,
            "pack_overvoltage_warn_mv": 4320,
            "pack_overvoltage_trip_mv": 4340,
            "charge_cell_mv": 4300,
        }
    )
    assert parameters.value("charge_cell_mv") == 4300


def test_another_chemistry_is_refused_while_the_old_ones_values_do_not_fit_it(loaded):
    before = as_dict(loaded)
    with pytest.raises(ParameterError) as refusal:
        loaded.change([(loaded.index("chemistry"), 2)])
    assert "'cell_overvoltage_trip_mv' must be" in str(refusal.value)
    assert "for lto cells, not 3650" in str(refusal.value)
    assert as_dict(loaded) == before


def test_without_a_chemistry_a_range_is_the_widest_of_all():
    parameters = Parameters()
    for name, row in TABLE.items():
        index = parameters.index(name)
        low = min(int(value) for value in row[4].split("/"))
        high = max(int(value) for value in row[5].split("/"))
        assert parameters.minimum(index, INVALID) == low
        assert parameters.maximum(index, INVALID) == high
        assert parameters.allowed(index, INVALID) == f"{low} to {high}"


def wrong_way_round(lower, sign, higher, near):
    """Values of both within their ranges that just contradict the rule."""
    more = 1 if sign == "<=" else 0
    low = RANGES[lower][1] - more
    place = max(RANGES[lower][0], RANGES[higher][0], min(near, RANGES[higher][1] - 1, low))
    return {lower: place + more, higher: place}


POSSIBLE = [rule for rule in RULES if RANGES[rule[0]][1] >= RANGES[rule[2]][0]]


def test_only_delays_are_in_order_whatever_is_chosen():
    assert [rule[0] for rule in RULES if rule not in POSSIBLE] == ["fast_overcurrent_delay_ms"]


@pytest.mark.parametrize(("lower", "sign", "higher"), POSSIBLE)
def test_values_that_contradict_each_other_are_refused_with_both_names(
    loaded, lower, sign, higher
):
    before = as_dict(loaded)
    # The two just the wrong way round, as near to where they were as both ranges allow
    wanted = wrong_way_round(lower, sign, higher, before[lower])
    with pytest.raises(ParameterError) as refusal:
        loaded.change([(loaded.index(name), value) for name, value in wanted.items()])
    text = str(refusal.value)
    assert f"'{lower}' ({wanted[lower]}) must be below" in text
    assert f"'{higher}' ({wanted[higher]})" in text
    assert as_dict(loaded) == before


def test_a_contradiction_that_the_same_batch_resolves_is_none(loaded):
    changes = {
        "cell_overvoltage_warn_mv": 3750,
        "cell_overvoltage_trip_mv": 3800,
        "cell_overvoltage_release_mv": 3700,
        "charge_cell_mv": 3690,
        "pack_overvoltage_warn_mv": 3740,
        "pack_overvoltage_trip_mv": 3760,
    }  # all of them what LiFePO4 bears
    loaded.change([(loaded.index(name), value) for name, value in changes.items()])
    assert {name: loaded.value(name) for name in changes} == changes


def test_a_long_list_of_problems_is_cut_short():
    parameters = Parameters()
    with pytest.raises(ParameterError) as refusal:
        parameters.load({**PACK, **dict.fromkeys(NAMES, 2**40)})
    text = str(refusal.value)
    assert text.endswith(f"and {len(NAMES) - 5} more")
    assert len(text) < 1000


def test_a_change_says_what_it_needs(loaded):
    def change(**values):
        return loaded.change([(loaded.index(name), value) for name, value in values.items()])

    assert change(full_hold_s=60) == APPLIES_NOW
    assert change(cell_overvoltage_delay_ms=500) == APPLIES_AFE
    assert change(modbus_address=3) == APPLIES_RESTART
    assert change(modbus_address=4, cell_overvoltage_delay_ms=600) == APPLIES_AFE | APPLIES_RESTART
    assert change(modbus_address=4, cell_overvoltage_delay_ms=600) == APPLIES_NOW  # as they were


def test_the_last_value_of_a_batch_counts(loaded):
    index = loaded.index("modbus_address")
    loaded.change([(index, 5), (index, 6)])
    assert loaded.values[index] == 6


def test_the_array_of_values_stays_the_same_object(loaded):
    values = loaded.values
    loaded.load({**PACK, "modbus_address": 7})
    loaded.change([(loaded.index("full_hold_s"), 99)])
    assert loaded.values is values


@pytest.mark.parametrize("name", ["", "chemistr", "Chemistry", "chemistry "])
def test_a_name_that_is_not_there_is_refused(loaded, name):
    with pytest.raises(UnknownName):
        loaded.index(name)


@st.composite
def _batches(draw):
    """Changes near the present values, near the ends of their ranges, and far outside."""
    names = st.sampled_from(NAMES)
    changes = []
    for name in draw(st.lists(names, min_size=1, max_size=8)):
        low, high = RANGES[name]
        value = draw(
            st.one_of(
                st.integers(low, high),
                st.sampled_from([low, high, low - 1, high + 1]),
                st.integers(-(2**31), 2**31),
            )
        )
        changes.append((name, value))
    return changes


@settings(max_examples=150)
@given(st.integers(0, 3), st.lists(_batches(), max_size=6))
def test_whatever_is_asked_for_the_values_stay_valid_and_batches_whole(chemistry, batches):
    parameters = Parameters()
    parameters.load({**PACK, "chemistry": chemistry})
    for batch in batches:
        before = as_dict(parameters)
        wanted = {**before, **dict(batch)}
        try:
            applies = parameters.change([(parameters.index(name), value) for name, value in batch])
        except ParameterError as refusal:
            assert as_dict(parameters) == before
            asked = {name for name, _ in batch}
            if "chemistry" in asked:
                asked.update(LIMITED)
            assert any(name in str(refusal) for name in asked)
            continue
        assert as_dict(parameters) == wanted
        check_valid(wanted)
        needs = {"now": APPLIES_NOW, "afe": APPLIES_AFE, "restart": APPLIES_RESTART}
        for name in NAMES:
            if before[name] != wanted[name]:
                assert applies & needs[TABLE[name][7]] == needs[TABLE[name][7]]


@settings(max_examples=60)
@given(_batches())
def test_what_differs_from_the_defaults_loads_back_as_it_was(batch):
    parameters = Parameters()
    parameters.load(PACK)
    for name, value in batch:
        try:
            parameters.change([(parameters.index(name), value)])
        except ParameterError:
            continue
    again = Parameters()
    again.load(parameters.differing())
    assert again.values == parameters.values
