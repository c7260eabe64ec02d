"""The frame encoder, on a made-up profile."""

from types import SimpleNamespace

import pytest

from bms.points import Points
from bms.table import INVALID, UnknownName
from host_tests.inverter.pack import (
    FAULT_NAMES,
    FAULTS,
    encode,
    encoder_of,
    healthy,
    put,
    put_fault,
)
from inverter.conditions import ALWAYS, CHARGE, MEASURED, VOLTAGE_LIMIT
from inverter.tables import EVERY_OTHER


def profile(size=8, fields=(), flags=(), alarms=(), blank=None, **more):
    return SimpleNamespace(
        FRAMES=((0x100, ALWAYS, blank or bytes(size)),),
        FIELDS=fields,
        FLAGS=flags,
        ALARMS=alarms,
        **more,
    )


def wire(value, kind, multiply=1, divide=1):
    """The bytes that a value of `current_ma` becomes."""
    size = {"u8": 1, "u15": 2, "u16": 2, "s16": 2, "u32": 4}[kind[1:]]
    field = (0x100, 0, kind, "current_ma", multiply, divide, ALWAYS, 0)
    return encode(healthy(current_ma=value), profile(size, (field,)))[0x100]


@pytest.mark.parametrize(
    ("value", "scaled"),
    [(0, 0), (49, 0), (50, 1), (149, 1), (150, 2), (-49, 0), (-50, -1), (-149, -1), (-150, -2)],
)
def test_rounding_is_half_away_from_zero(value, scaled):
    assert wire(value, "<s16", 1, 100) == scaled.to_bytes(2, "little", signed=True)


@pytest.mark.parametrize(("value", "scaled"), [(1, 3), (2, 7), (-1, -3), (-2, -7)])
def test_a_factor_may_be_a_fraction(value, scaled):
    assert wire(value, "<s16", 10, 3) == scaled.to_bytes(2, "little", signed=True)


def test_byte_order_is_the_fields_own():
    assert wire(0x1234, "<u16") == bytes((0x34, 0x12))
    assert wire(0x1234, ">u16") == bytes((0x12, 0x34))
    assert wire(0x12345678, "<u32") == bytes((0x78, 0x56, 0x34, 0x12))
    assert wire(0x12345678, ">u32") == bytes((0x12, 0x34, 0x56, 0x78))
    assert wire(-2, ">s16") == bytes((0xFF, 0xFE))
    assert wire(0xAB, "<u8") == wire(0xAB, ">u8") == bytes((0xAB,))


@pytest.mark.parametrize(
    ("kind", "value", "scaled"),
    [
        ("<s16", 32768, 32767),
        ("<s16", -32769, -32768),
        ("<u15", 32768, 32767),
        ("<u15", -1, 0),
        ("<u16", 65536, 65535),
        ("<u16", -1, 0),
        ("<u8", 256, 255),
        ("<u32", -1, 0),
    ],
)
def test_a_value_that_does_not_fit_stops_at_the_end_and_never_turns_around(kind, value, scaled):
    sent = wire(value, kind)
    assert int.from_bytes(sent, "little", signed=kind == "<s16") == scaled


@pytest.mark.parametrize("value", [(1 << 30) - 1, 1 - (1 << 30)])
@pytest.mark.parametrize("multiply", [1, 10, 1000])
def test_absurd_values_stop_at_the_end_whatever_the_factor(value, multiply):
    scaled = int.from_bytes(wire(value, "<s16", multiply, 10), "little", signed=True)
    assert scaled == (32767 if value > 0 else -32768)


def test_an_invalid_value_is_sent_as_what_the_row_says_instead():
    field = (0x100, 0, "<s16", "current_ma", 1, 100, ALWAYS, -32768)  # SMA: 0x8000 is "invalid"
    assert encode(healthy(current_ma=INVALID), profile(2, (field,)))[0x100] == b"\x00\x80"


def test_a_field_whose_condition_does_not_hold_is_sent_as_what_the_row_says_instead():
    field = (0x100, 0, "<u16", "current_ma", 1, 1, MEASURED | CHARGE, 7)
    table = profile(2, (field,))
    assert encode(healthy(current_ma=500), table)[0x100] == b"\xf4\x01"
    assert encode(healthy(current_ma=500, charge_allowed=0), table)[0x100] == b"\x07\x00"
    assert encode(healthy(current_ma=500), table, live=False)[0x100] == b"\x07\x00"


def test_a_frame_whose_condition_does_not_hold_is_not_due():
    table = SimpleNamespace(
        FRAMES=((0x100, MEASURED, b"a"), (0x101, ALWAYS, b"b"), (0x102, VOLTAGE_LIMIT, b"c")),
        FIELDS=(),
    )
    assert list(encode(healthy(), table)) == [0x100, 0x101, 0x102]
    assert list(encode(healthy(soc_bp=INVALID), table)) == [0x101, 0x102]
    assert list(encode(healthy(charge_voltage_limit_mv=0), table)) == [0x100, 0x101]


@pytest.mark.parametrize(
    "change",
    [
        {"pack_voltage_mv": INVALID},
        {"current_ma": INVALID},
        {"soc_bp": INVALID},
        {"temperature_max_dc": INVALID},
        {"measurement_age_ms": 1001},
    ],
)
def test_a_pack_with_a_missing_or_old_measurement_is_not_measured(change):
    flags = ((0x100, 0, 0, MEASURED, ALWAYS), (0x100, 0, 1, ALWAYS, MEASURED))
    assert encode(healthy(), profile(1, flags=flags))[0x100] == b"\x01"
    assert encode(healthy(**change), profile(1, flags=flags))[0x100] == b"\x02"


def test_constants_stay_and_bits_are_cleared_again():
    table = profile(blank=b"\x01\x02", alarms=((0x100, 0, 7, 0, 6, "cell_overvoltage"),))
    points = healthy()
    encoder = encoder_of(table, points)
    put_fault(points, "faults", "cell_overvoltage")
    encoder.encode(points.live, 0)
    assert bytes(encoder.frames[0]) == b"\x81\x02"
    put(points, faults=0)
    encoder.encode(points.live, 0)
    assert bytes(encoder.frames[0]) == b"\x01\x02"


def test_every_other_name_stands_for_all_without_a_row():
    rows = ((0x100, 0, 6, 0, 0, FAULT_NAMES[0]), (0x100, 0, 7, 0, 1, EVERY_OTHER))
    for name in FAULT_NAMES:
        points = healthy()
        put_fault(points, "warnings", name)
        sent = encode(points, profile(1, alarms=rows))[0x100]
        assert sent == (b"\x01" if name == FAULT_NAMES[0] else b"\x02"), name


def test_each_frame_with_alarms_has_its_own_every_other():
    table = profile(alarms=((0x100, 0, 0, 0, 0, "cell_overvoltage"), (0x101, 0, 0, 0, 0, "*")))
    table.FRAMES = ((0x100, ALWAYS, b"\0"), (0x101, ALWAYS, b"\0"))
    points = healthy()
    put_fault(points, "faults", "cell_overvoltage")
    assert encode(points, table) == {0x100: b"\x01", 0x101: b"\x01"}


def test_a_fault_that_blocks_nothing_is_told_as_a_warning():
    rows = ((0x100, 0, 0, 0, 1, EVERY_OTHER),)
    for name in FAULT_NAMES:
        points = healthy()
        put_fault(points, "faults", name)
        sent = encode(points, profile(1, alarms=rows))[0x100]
        blocks = FAULTS.blocks[FAULT_NAMES.index(name)]
        assert sent == (b"\x01" if blocks else b"\x02"), name


def test_a_row_without_one_of_its_bits_leaves_it_out():
    rows = ((0x100, -1, 0, 0, 3, "cell_overvoltage"),)
    points = healthy()
    put_fault(points, "faults", "cell_overvoltage")
    assert encode(points, profile(1, alarms=rows))[0x100] == b"\0"
    put_fault(points, "warnings", "cell_overvoltage")
    assert encode(points, profile(1, alarms=rows))[0x100] == b"\x08"


def test_pairs_say_cleared_until_they_are_raised_by_one_or_more():
    rows = ((0x100, 0, 2, 0, 4, "cell_overvoltage pack_overvoltage"),)
    table = profile(alarms=rows, blank=b"\xaa", PAIRED=(0x100,))
    points = healthy()
    assert encode(points, table)[0x100] == b"\xaa"
    for name in ("cell_overvoltage", "pack_overvoltage"):
        put_fault(points, "faults", name)
        assert encode(points, table)[0x100] == b"\xa6"  # 10 10 01 10


def test_a_recalled_frame_says_cleared_after_it_was_raised():
    rows = ((0x100, 0, 2, 0, 4, "cell_overvoltage"),)
    points = healthy()
    encoder = encoder_of(profile(alarms=rows, PAIRED=(0x100,), RECALLED=0x100), points)
    told = []
    for faults in (0, 1, 0, 1, 0):
        put(points, faults=faults)
        encoder.encode(points.live, 0)
        told.append(encoder.frames[0][0])
    assert told == [0, 0b0100, 0b1000, 0b0100, 0b1000]


def test_faults_beyond_the_first_sixteen_are_found():
    assert FAULT_NAMES.index("step_failed") >= 16
    points = healthy()
    put_fault(points, "faults", "step_failed")
    rows = ((0x100, 0, 5, 0, 6, "step_failed"),)
    assert encode(points, profile(1, alarms=rows))[0x100] == b"\x20"


def test_a_misspelled_point_or_fault_is_refused_when_the_encoder_is_made():
    field = (0x100, 0, "<u16", "pack_voltage", 1, 1, ALWAYS, 0)
    with pytest.raises(UnknownName, match="pack_voltage"):
        encode(healthy(), profile(2, (field,)))
    with pytest.raises(UnknownName, match="overvolt"):
        encode(healthy(), profile(1, alarms=((0x100, 0, 0, 0, 0, "overvolt"),)))


def test_the_points_before_the_first_sample_are_not_measured():
    flags = ((0x100, 0, 0, ALWAYS, MEASURED | CHARGE | VOLTAGE_LIMIT),)
    assert encode(Points(), profile(1, flags=flags))[0x100] == b"\x01"


def test_values_of_a_vector_are_named_by_their_place():
    points = healthy()
    points.live[points.offset("cell_voltage_mv") + 5] = 0x0CE5
    field = (0x100, 0, ">u16", "cell_voltage_mv:5", 1, 1, ALWAYS, 0)
    assert encode(points, profile(2, (field,)))[0x100] == b"\x0c\xe5"


def test_an_offset_is_added_in_units_of_the_wire():
    field = (0x100, 0, "<u16", "temperature_max_dc", 1, 10, ALWAYS, 0, 273)
    assert encode(healthy(temperature_max_dc=-105), profile(2, (field,)))[0x100] == b"\x06\x01"


@pytest.mark.parametrize(("index", "text"), [(0, b"1"), (8, b"9"), (9, b"10"), (31, b"32")])
def test_positions_are_written_as_digits_from_one_on(index, text):
    field = (0x100, 0, "id", "cell_min_index", 1, 1, ALWAYS, 0, 1)
    sent = encode(healthy(cell_min_index=index), profile(8, (field,)))[0x100]
    assert sent == text.ljust(8, b"\0")


def test_a_frame_with_a_period_waits_for_it_and_for_its_condition():
    table = SimpleNamespace(
        FRAMES=((0x100, ALWAYS, b"a"), (0x101, MEASURED, b"b", 2000)), FIELDS=()
    )
    encoder = encoder_of(table, healthy())
    told = []
    for conditions in (0, MEASURED, MEASURED, MEASURED, 0, 0, MEASURED):
        encoder.encode(healthy().live, conditions, 1000)
        told.append(list(encoder.due))
    assert [due for due, _ in told] == [1] * 7
    assert [due for _, due in told] == [0, 1, 0, 1, 0, 0, 1]


def test_another_name_and_another_unit_of_the_voltage_can_be_chosen():
    field = (0x356, 0, "<s16", "pack_voltage_mv", 1, 10, ALWAYS, 0)
    table = SimpleNamespace(
        FRAMES=((0x35E, ALWAYS, b"PYLON   "), (0x356, ALWAYS, bytes(2))), FIELDS=(field,)
    )
    points = healthy(pack_voltage_mv=53120)
    encoder = encoder_of(table, points, b"GOODWE  ", 100)
    encoder.encode(points.live, 0)
    assert [bytes(frame) for frame in encoder.frames] == [b"GOODWE  ", b"\x13\x02"]
