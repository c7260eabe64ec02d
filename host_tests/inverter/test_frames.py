"""The frame encoder, on a made-up profile."""

from types import SimpleNamespace

import pytest

from bms.point_rows import ROWS
from bms.points import Points
from bms.table import INVALID, UnknownName
from host_tests.inverter.pack import FAULT_NAMES, FAULTS, encode, healthy, put_fault
from inverter.frames import ALWAYS, CHARGE, EVERY_OTHER, MEASURED, VOLTAGE_LIMIT, FrameEncoder


def profile(size=8, fields=(), flags=(), faults=(), warnings=()):
    return SimpleNamespace(
        FRAMES=((0x100, ALWAYS, bytes(size)),),
        FIELDS=fields,
        FLAGS=flags,
        FAULTS=faults,
        WARNINGS=warnings,
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
        FLAGS=(),
        FAULTS=(),
        WARNINGS=(),
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
    table = profile(faults=((0x100, 0, 7, "cell_overvoltage"),))
    table.FRAMES = ((0x100, ALWAYS, b"\x01\x02"),)
    points = healthy()
    encoder = FrameEncoder(table, points, FAULTS)
    snapshot = points.new_snapshot()
    put_fault(points, "faults", "cell_overvoltage")
    points.snapshot_into(memoryview(snapshot))
    encoder.encode(snapshot)
    assert bytes(encoder.frames[0]) == b"\x81\x02"
    snapshot[points.offset("faults")] = 0
    encoder.encode(snapshot)
    assert bytes(encoder.frames[0]) == b"\x01\x02"


def test_every_other_name_stands_for_all_without_a_row():
    rows = ((0x100, 0, 0, FAULT_NAMES[0]), (0x100, 0, 1, EVERY_OTHER))
    for name in FAULT_NAMES:
        points = healthy()
        put_fault(points, "warnings", name)
        sent = encode(points, profile(1, warnings=rows))[0x100]
        assert sent == (b"\x01" if name == FAULT_NAMES[0] else b"\x02"), name


def test_faults_beyond_the_first_sixteen_are_found():
    assert FAULT_NAMES.index("step_failed") >= 16
    points = healthy()
    put_fault(points, "faults", "step_failed")
    rows = ((0x100, 0, 5, "step_failed"),)
    assert encode(points, profile(1, faults=rows))[0x100] == b"\x20"


def test_a_misspelled_point_is_refused_when_the_encoder_is_made():
    field = (0x100, 0, "<u16", "pack_voltage", 1, 1, ALWAYS, 0)
    with pytest.raises(UnknownName, match="pack_voltage"):
        encode(healthy(), profile(2, (field,)))


def test_the_points_before_the_first_sample_are_not_measured():
    flags = ((0x100, 0, 0, ALWAYS, MEASURED | CHARGE | VOLTAGE_LIMIT),)
    assert encode(Points(ROWS), profile(1, flags=flags))[0x100] == b"\x01"
