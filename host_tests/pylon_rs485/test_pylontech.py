"""Pylontech RS485: recorded answers byte for byte, checksums, addresses, error codes.

Golden frames are those of serial_protocols.md 2.1 and answers that real batteries gave: a US3000C
and a US2000, as published beside two programs that read them (an ESP32 reader, and a Python one).
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bms.table import INVALID
from host_tests.links.bench import PACK, SETTINGS, Desk
from inverter.rules import ChargeRules
from pylon_rs485.answers import COMMANDS
from pylon_rs485.characters import length_field
from pylon_rs485.language import Pylontech

# serial_protocols.md 2.1, "Golden (checksum verified)"
GOLDEN_61 = (
    "~200246008062C2BF0000550008000864640CFC00020CFB00020BAB0BAC00020BA90002"
    "0BA80BA800020BA800020BB00BB000020BB00002E8CC"
)
GOLDEN_62 = "~20024600800800000000FC22"
GOLDEN_63 = "~20024600D01270805460064006A4C0F9E5"
GOLDEN_92 = "~20024600B01402D002AFC80172FE8EC0F91C"
GOLDEN_4F = "~200246000000FDB2"
POLL_61 = "~200246610000FDAB"
# A US3000C
GOLDEN_42 = (
    "~20024600F07A00020F0D0B0D0D0D0A0D0E0D0A0D0A0D0A0D0B0D0B0D0B0D0B0D0C0D0A0D0D0D0A050BBD0BAE0BAB"
    "0BAB0BAD0017C3A7FFFF04FFFF003700C394012110E21E"
)
GOLDEN_44 = "~20024600A04200020F000000000000000000000000000000050000000000000000000E40000000F105"
GOLDEN_47 = "~20024600B032100E420BEA0AF00D030A470384D2F0B3B0A7F80D030A47FC7CF27F"
GOLDEN_93 = "~20024600C0220248323232303033433332323230343539F6D8"
GOLDEN_96 = "~20024600400C020103000609FB46"
GOLDEN_51 = "~20024600C04055533330303043000000010350796C6F6E2D2D2D2D2D2D2D2D2D2D2D2D2D2D2DEFC0"
# A US2000: 50 Ah, which 16 bits of mAh hold
GOLDEN_42_SMALL = (
    "~20024600C06E10020F0C9A0C980C990C980C9A0C9A0C990C9B0C9C0C9A0C9B0C9B0C9B0C9B0C99"
    "050B740B550B570B530B630000BD06190F02C3500084E545"
)
# The example of V3.3, chapter 5, as people who sent it to their batteries copied it (its checksums
# are right; those of chapters 2.3.3 and 4 are not: serial_protocols.md 2.1)
EXAMPLE_REQUEST = "~20014642E00201FD35"
EXAMPLE_42 = (
    "~20014600C06E11010F0D450D440D450D440D450D440D3E0D450D4A0D4A0D4B0D4A0D4A0D4A0D4A"
    "050BC30BC30BC30BCD0BCD0000C725BF6802C3500002E553"
)
GOLDEN = [
    EXAMPLE_REQUEST, EXAMPLE_42,
    GOLDEN_61, GOLDEN_62, GOLDEN_63, GOLDEN_92, GOLDEN_4F, GOLDEN_42, GOLDEN_44, GOLDEN_47,
    GOLDEN_93, GOLDEN_96, GOLDEN_51, GOLDEN_42_SMALL, POLL_61,
]  # fmt: skip


def frame(body, version=0x20, address=2, cid2=None):
    """A frame around INFO characters, by the document's arithmetic alone."""
    lenid = len(body)
    lchksum = (-sum(int(digit, 16) for digit in f"{lenid:03X}")) % 16
    text = f"{version:02X}{address:02X}46{cid2:02X}{lchksum:X}{lenid:03X}{body}"
    return f"~{text}{(-sum(text.encode())) % 0x10000:04X}\r".encode()


def make(desk, address=0, settled=True):
    """settled: without the ramps of what an inverter is told (inverter.rules)."""
    rules = ChargeRules(None, desk.points, desk.parameters, settled)
    battery = Pylontech(address, desk.points, desk.parameters, rules)
    for _ in battery.build(desk.parameters, desk.faults):
        pass
    return battery


def ask(battery, request):
    """The answer to a request without its CR; empty where silence is due."""
    buffer = bytearray(request)
    response = bytearray(256)
    length = battery.frame(buffer, 0, len(buffer))
    if length <= 0:
        return ""
    assert length == len(buffer)
    size = battery.respond(buffer, 0, length, response)
    assert response[size - 1] == 0x0D
    return response[: size - 1].decode()


def info(answer, code=0):
    """INFO of an answer whose frame was checked by the document's arithmetic."""
    assert answer[7:9] == f"{code:02X}", answer
    lenid = int(answer[10:13], 16)
    assert lenid == len(answer) - 17
    body = answer[13:-4]
    assert answer.encode() + b"\r" == frame(
        body, int(answer[1:3], 16), int(answer[3:5], 16), int(answer[7:9], 16)
    )
    return body


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def battery(desk):
    return make(desk)


@pytest.mark.parametrize("golden", GOLDEN)
def test_our_arithmetic_is_that_of_the_recorded_frames(golden):
    assert (
        frame(golden[13:-4], int(golden[1:3], 16), int(golden[3:5], 16), int(golden[7:9], 16))
        == golden.encode() + b"\r"
    )


def test_61_as_recorded():
    desk = Desk(
        {**SETTINGS, "cell_thermistors": 2},
        pack_voltage_mv=0xC2BF, current_ma=0, soc_bp=8500, cycles=8, soh_bp=10000,
        cell_max_mv=0x0CFC, cell_min_mv=0x0CFB, temperature_dc=(0xBAC - 2731, 0xBA9 - 2731),
        temperature_max_dc=0xBAC - 2731, temperature_min_dc=0xBA9 - 2731,
        board_temperature_dc=0xBA8 - 2731, afe_temperature_dc=0xBB0 - 2731,
    )  # fmt: skip
    assert ask(make(desk), POLL_61.encode() + b"\r") == GOLDEN_61


def test_62_as_recorded(battery):
    assert ask(battery, frame("", cid2=0x62)) == GOLDEN_62


def test_63_as_recorded():
    desk = Desk(
        charge_voltage_limit_mv=28800, discharge_voltage_limit_mv=21600,
        charge_current_limit_ma=160_000, discharge_current_limit_ma=170_000,
    )  # fmt: skip
    assert ask(make(desk), frame("", cid2=0x63)) == GOLDEN_63


def test_92_as_recorded_with_a_negative_discharge_limit():
    desk = Desk(
        charge_voltage_limit_mv=0xD002, discharge_voltage_limit_mv=0xAFC8,
        charge_current_limit_ma=37_000, discharge_current_limit_ma=37_000,
    )  # fmt: skip
    assert ask(make(desk), frame("02", cid2=0x92)) == GOLDEN_92


def test_4f_as_recorded(battery):
    assert ask(battery, frame("", cid2=0x4F)) == GOLDEN_4F
    assert ask(battery, frame("", version=0x25, cid2=0x4F)) == GOLDEN_4F


def analog_desk(golden, cells, sensors, **shown):
    """A pack that shows what a recorded 42 says, cells and sensors read from its characters."""
    body = golden[13:-4]
    numbers = [int(body[at : at + 4], 16) for at in range(6, 6 + 4 * cells, 4)]
    at = 6 + 4 * cells + 2
    kelvin = [int(body[place : place + 4], 16) for place in range(at, at + 4 * (sensors + 1), 4)]
    desk = Desk({**SETTINGS, "series_cells": cells})
    desk.parameters.values[desk.parameters.index("cell_thermistors")] = sensors
    desk.publish(
        series_cells=cells, cell_voltage_mv=numbers, board_temperature_dc=kelvin[0] - 2731,
        temperature_dc=[value - 2731 for value in kelvin[1:]], **shown,
    )  # fmt: skip
    return desk


def test_42_as_recorded_with_capacities_of_24_bits():
    desk = analog_desk(
        GOLDEN_42, 15, 4, current_ma=2_300, pack_voltage_mv=0xC3A7,
        remaining_mah=0x00C394, full_mah=0x012110, cycles=0x37,
    )  # fmt: skip
    assert ask(make(desk), frame("02", cid2=0x42)) == GOLDEN_42


def test_42_as_recorded_with_capacities_of_16_bits():
    desk = analog_desk(
        GOLDEN_42_SMALL, 15, 4, current_ma=0, pack_voltage_mv=0xBD06,
        remaining_mah=0x190F, full_mah=0xC350, cycles=0x84,
    )  # fmt: skip
    answer = info(ask(make(desk), frame("02", cid2=0x42)))
    # The recorded INFOFLAG 10 says "a switch changed unread"; ours says nothing of the kind.
    assert answer == "00" + GOLDEN_42_SMALL[15:-4]


def test_42_as_in_the_documents_example():
    desk = analog_desk(
        EXAMPLE_42, 15, 4, current_ma=0, pack_voltage_mv=0xC725,
        remaining_mah=0xBF68, full_mah=0xC350, cycles=2,
    )  # fmt: skip
    answer = ask(make(desk, 1), EXAMPLE_REQUEST.encode() + b"\r")
    assert answer[:13] == EXAMPLE_42[:13]
    # INFOFLAG 11: something changed that was not read yet; ours says nothing of the kind.
    assert info(answer) == "00" + EXAMPLE_42[15:-4]


def test_32_cells_and_six_sensors_fit_into_every_answer():
    desk = Desk({**SETTINGS, "series_cells": 32, "cell_thermistors": 6, "afe_chip": 4})
    cells = [3_300 + cell for cell in range(32)]
    desk.publish(
        series_cells=32, cell_voltage_mv=cells, temperature_dc=(214,) * 6, remaining_mah=150_000,
    )  # fmt: skip
    body = info(ask(make(desk), frame("02", cid2=0x42)))
    assert body[4:6] == "20"
    assert [int(body[at : at + 4], 16) for at in range(6, 134, 4)] == cells
    assert body[134:136] == "07"
    assert info(ask(make(desk), frame("02", cid2=0x44)))[4:6] == "20"


def test_44_as_recorded():
    desk = Desk({**SETTINGS, "series_cells": 15}, series_cells=15, current_ma=-2_300)
    desk.parameters.values[desk.parameters.index("cell_thermistors")] = 4
    desk.publish(temperature_dc=(214, 214, 214, 214))
    assert ask(make(desk), frame("02", cid2=0x44)) == GOLDEN_44


def test_47_as_recorded():
    limits = {
        "cell_overvoltage_trip_mv": 0x0E42, "cell_undervoltage_warn_mv": 0x0BEA,
        "cell_undervoltage_trip_mv": 0x0AF0, "overtemperature_charge_trip_dc": 0xD03 - 2731,
        "undertemperature_charge_trip_dc": 0xA47 - 2731, "charge_current_max_ma": 90_000,
        "pack_overvoltage_trip_mv": 3600, "overtemperature_discharge_trip_dc": 0xD03 - 2731,
        "undertemperature_discharge_trip_dc": 0xA47 - 2731, "discharge_current_max_ma": 90_000,
    }  # fmt: skip
    desk = Desk({**SETTINGS, "series_cells": 15}, series_cells=15)
    for name, value in limits.items():
        desk.parameters.values[desk.parameters.index(name)] = value
    answer = info(ask(make(desk), frame("02", cid2=0x47)))
    recorded = GOLDEN_47[13:-4]
    assert answer[2:30] == recorded[2:30]
    # 46.0 V and 43.0 V are no multiples of 15 cells in mV.
    low_mv = 15 * desk.parameters.value("pack_undervoltage_warn_mv")
    trip_mv = 15 * desk.parameters.value("pack_undervoltage_trip_mv")
    assert answer[30:38] == f"{low_mv:04X}{trip_mv:04X}"
    assert answer[38:] == recorded[38:]


@pytest.mark.parametrize(
    ("cid2", "golden"), [(0x93, GOLDEN_93), (0x96, GOLDEN_96), (0x51, GOLDEN_51)]
)
def test_names_and_versions_have_the_recorded_layout(battery, cid2, golden):
    answer = info(ask(battery, frame("02" if cid2 != 0x51 else "", cid2=cid2)))
    assert len(answer) == len(golden) - 17
    if cid2 == 0x51:
        assert bytes.fromhex(answer)[12:] == b"Pylon" + 15 * b"-"
    else:
        assert answer[:2] == "02"
    assert bytes.fromhex(answer)[0:10].isascii()


def test_60_names_one_battery_and_its_serial_number(battery):
    serial = info(ask(battery, frame("02", cid2=0x93)))[2:]
    answer = bytes.fromhex(info(ask(battery, frame("", cid2=0x60))))
    assert answer[10:30] == b"Pylon" + 15 * b"-"
    assert answer[32] == 1
    assert answer[33:].hex().upper() == serial


# Length and checksums where they wrap.


@given(st.integers(0, 0xFFF))
def test_the_length_field_is_the_documents_for_every_length(characters):
    digits = sum(int(digit, 16) for digit in f"{characters:03X}")
    field = length_field(characters)
    assert field <= 0xFFFF
    assert (digits + (field >> 12)) % 16 == 0
    assert field & 0xFFF == characters


def test_a_length_whose_digits_add_to_sixteen_has_checksum_zero():
    """python-pylontech and Battery-Emulator would say 0x10."""
    assert length_field(0x088) == 0x0088
    assert length_field(0) == 0


@given(st.binary(max_size=200))
def test_the_checksum_makes_the_characters_add_to_nothing(characters):
    from pylon_rs485.characters import checksum

    total = checksum(characters, 0, len(characters))
    assert 0 <= total <= 0xFFFF
    assert (sum(characters) + total) % 0x10000 == 0


def test_the_checksum_wraps_to_zero():
    from pylon_rs485.characters import checksum

    assert checksum(bytes(256 * [255] + [255, 1]), 0, 258) == 0  # 0x10000 in all


# Addresses


def test_a_battery_that_is_alone_answers_the_system_of_every_group(battery):
    for address in (0x02, 0x12, 0x22, 0x10):
        for cid2 in (0x61, 0x62, 0x63, 0x60, 0x42):
            answer = ask(battery, frame("", address=address, cid2=cid2))
            assert answer[3:5] == f"{address:02X}"
    for address in (0x01, 0x03, 0x13):
        assert ask(battery, frame("", address=address, cid2=0x61)) == ""


def test_the_poll_at_address_12_has_an_answer(battery):
    assert ask(battery, b"~201246610000FDAA\r")[:9] == "~20124600"


def test_a_scan_of_all_addresses_finds_one_battery(battery):
    """As python-pylontech scans: 93 at every address."""
    found = [
        address
        for address in range(256)
        if ask(battery, frame(f"{address:02X}", address=address, cid2=0x93))
    ]
    assert found == [2]


def test_version_and_manufacturer_are_told_at_address_0(battery):
    assert info(ask(battery, frame("", address=0, cid2=0x4F))) == ""
    assert len(info(ask(battery, frame("", address=0, cid2=0x51)))) == 64


@pytest.mark.parametrize("own", [0x12, 0x42])
def test_the_master_of_a_group_speaks_for_its_group_only(desk, own):
    battery = make(desk, own)
    group = own & 0xF0
    assert ask(battery, frame("", address=group, cid2=0x61))[3:9] == f"{group:02X}4600"
    assert ask(battery, frame("FF", address=group, cid2=0x42))[3:9] == f"{group:02X}4600"
    assert ask(battery, frame("", address=own, cid2=0x61))
    assert ask(battery, frame("", address=0x02, cid2=0x61)) == ""
    assert ask(battery, frame("", address=0x20, cid2=0x61)) == ""


def test_another_battery_of_a_group_answers_at_its_address_only(desk):
    battery = make(desk, 5)
    assert ask(battery, frame("05", address=5, cid2=0x42))[3:9] == "054600"
    for address, cid2 in ((0, 0x4F), (0x02, 0x61), (0x00, 0x61), (0x12, 0x61)):
        assert ask(battery, frame("", address=address, cid2=cid2)) == ""


def test_all_is_one_battery_and_one_is_itself(battery):
    everybody = info(ask(battery, frame("FF", cid2=0x42)))
    itself = info(ask(battery, frame("02", cid2=0x42)))
    assert (everybody[2:4], itself[2:4]) == ("01", "02")
    assert everybody[4:] == itself[4:]
    assert info(ask(battery, frame("", cid2=0x42))) == itself


# Error codes


def test_versions_2x_are_served_in_kind_and_others_refused(battery):
    for version in (0x20, 0x21, 0x25, 0x28):
        assert ask(battery, frame("", version=version, cid2=0x61))[1:9] == f"{version:02X}024600"
    assert ask(battery, frame("", version=0x10, cid2=0x61)) == frame("", cid2=1)[:-1].decode()


def test_a_wrong_checksum_is_02(battery):
    request = bytearray(frame("02", cid2=0x42))
    request[-2] = ord("0") if request[-2] != ord("0") else ord("1")
    assert info(ask(battery, request), 0x02) == ""
    assert battery.damaged


def with_length(field, body="02", cid2=0x42):
    text = f"200246{cid2:02X}{field:04X}{body}"
    return f"~{text}{(-sum(text.encode())) % 0x10000:04X}\r".encode()


def test_a_wrong_length_checksum_is_03(battery):
    assert info(ask(battery, with_length(0x1002)), 0x03) == ""


def test_a_length_that_is_not_there_is_05(battery):
    assert info(ask(battery, with_length(length_field(4))), 0x05) == ""


def test_half_a_byte_is_05(battery):
    assert info(ask(battery, with_length(length_field(3), "020")), 0x05) == ""


def test_an_unknown_command_is_04(battery):
    for cid2 in set(range(0x40, 0x90)) | set(range(0x92, 0x100)):
        code = 0 if cid2 in COMMANDS else 4
        assert ask(battery, frame("", cid2=cid2))[7:9] == f"{code:02X}", hex(cid2)


def test_commands_that_would_switch_or_set_are_not_served(battery):
    for cid2 in (0x94, 0x95, 0x45, 0x49):
        assert info(ask(battery, frame("02", cid2=cid2)), 0x04) == ""


def test_data_that_no_command_takes_is_06(battery):
    assert info(ask(battery, frame("0202", cid2=0x42)), 0x06) == ""


def test_a_battery_that_is_not_there_is_90(battery):
    assert info(ask(battery, frame("05", cid2=0x42)), 0x90) == ""


def test_lower_case_characters_and_other_protocols_of_that_family_get_silence(battery):
    assert ask(battery, POLL_61.lower().encode() + b"\r") == ""
    assert ask(battery, frame("", cid2=0x61).replace(b"46", b"4A")) == ""


def test_answers_of_other_batteries_are_stepped_over(battery):
    for golden in (GOLDEN_63, GOLDEN_92, GOLDEN_62):
        text = bytearray(golden.encode() + b"\r")
        assert battery.frame(text, 0, len(text)) == -len(text)


# Missing values


@pytest.mark.parametrize("cid2", [0x42, 0x61])
@pytest.mark.parametrize("name", ["pack_voltage_mv", "current_ma"])
def test_nothing_old_or_missing_is_told_as_a_value(desk, battery, cid2, name):
    desk.publish(**{name: INVALID})
    assert info(ask(battery, frame("", cid2=cid2)), 0x91) == ""


def test_without_measurement_alarms_say_so_and_nothing_is_allowed(desk, battery):
    desk.publish(pack_voltage_mv=INVALID, charge_current_limit_ma=0, discharge_current_limit_ma=0)
    assert info(ask(battery, frame("", cid2=0x62))) == "00100008"
    assert info(ask(battery, frame("", cid2=0x63)))[8:] == "0000000000"
    assert info(ask(battery, frame("02", cid2=0x92)))[10:] == "0000000000"
    desk.publish(cell_voltage_mv=(INVALID,) * 16, board_temperature_dc=INVALID)
    assert info(ask(battery, frame("", cid2=0x44)))[6:38] == "F0" * 16


def test_a_board_that_nobody_configured_has_no_limits_to_tell():
    battery = make(Desk(None))
    for cid2 in (0x42, 0x61, 0x63, 0x92):
        assert info(ask(battery, frame("", cid2=cid2)), 0x91) == ""


# What an inverter is told of limits: the rules of inverter.rules, as on CAN


def management(battery):
    """Of 63: CVL in mV, CCL and DCL in 0.1 A, status; the same of 92 but for the requests."""
    answer = info(ask(battery, frame("", cid2=0x63)))
    other = info(ask(battery, frame("02", cid2=0x92)))
    assert other[2:10] == answer[:8], "the same voltages"
    told = [int(answer[at : at + 4], 16) for at in (0, 8, 12)]
    assert int(other[10:14], 16) == told[1]
    assert -int.from_bytes(bytes.fromhex(other[14:18]), "big", signed=True) == told[2]
    assert int(other[18:], 16) & 0xC0 == int(answer[16:], 16) & 0xC0
    return (*told, int(answer[16:], 16))


def test_a_fault_takes_the_current_and_the_permission_at_once_and_freezes_the_voltage(desk):
    battery = make(desk, settled=False)
    battery.step(1000)
    for _ in range(60):
        battery.step(1000)
    assert management(battery) == (56_000, 500, 1000, 0xC0)
    desk.raise_faults("faults", "cell_overvoltage")
    desk.publish(charge_allowed=0, pack_voltage_mv=55_870)
    assert management(battery) == (55_900, 0, 1000, 0x40), "before any step"
    desk.publish(pack_voltage_mv=54_000)
    battery.step(1000)
    assert management(battery)[0] == 55_900
    desk.publish(charge_allowed=1)
    battery.step(1000)
    assert management(battery) == (56_000, 500, 1000, 0xC0), "0.1 V a second"


def test_the_voltage_begins_at_the_packs_and_comes_by_a_ramp(desk):
    battery = make(desk, settled=False)
    told = []
    for _ in range(40):
        battery.step(1000)
        told.append(management(battery)[0])
    assert told[0] <= 53_200  # of 53.12 V
    assert all(0 <= later - sooner <= 100 for sooner, later in pairwise(told))
    assert told[-1] == 56_000


def test_a_falling_limit_below_the_pack_is_followed_slowly(desk):
    """Inverter links 10: a Deye discharged to the grid."""
    battery = make(desk, settled=False)
    desk.publish(charge_voltage_limit_mv=53_250)
    battery.step(1000)
    battery.step(1000)
    assert management(battery)[0] == 53_250, "mV where the limit is reached"
    desk.publish(charge_voltage_limit_mv=52_000)
    told = []
    for _ in range(1 + 180):  # down to the pack's 53.1 V, and 0.1 V in three minutes
        battery.step(1000)
        told.append(management(battery)[0])
    assert told[-1] == 53_000
    assert all(0 <= sooner - later <= 250 for sooner, later in pairwise(told))


def test_what_is_not_measured_is_not_allowed_and_the_voltage_is_never_zero(desk):
    battery = make(desk, settled=False)
    desk.publish(soc_bp=INVALID, pack_voltage_mv=INVALID)
    assert management(battery)[1:] == (0, 0, 0), "whatever the limits' own points say"
    assert management(battery)[0] >= 53_000
    desk.publish(charge_voltage_limit_mv=0)
    assert management(battery)[0] > 1000


@pytest.mark.parametrize(
    ("shown", "status_92", "status_63"),
    [
        ({}, 0xC0, 0xC0),
        # V3.3: charge immediately 2, which "we suggest"; 1 beside it when it is about to be empty
        ({"force_charge_requested": 1}, 0xD0, 0xE0),
        ({"force_charge_requested": 1, "soc_bp": 400}, 0xF0, 0xE0),
        ({"full_charge_requested": 1}, 0xC8, 0xD0),
        ({"force_charge_requested": 1, "full_charge_requested": 1}, 0xD8, 0xF0),
        ({"force_charge_requested": 1, "charge_allowed": 0}, 0x40, 0x40),
        ({"full_charge_requested": 1, "charge_allowed": 0}, 0x40, 0x40),
    ],
)
def test_requests_to_be_charged(shown, status_92, status_63):
    """serial_protocols.md 2.1: 92 bits 5 to 3; 63 bit 5, and bit 4, on which readers disagree."""
    battery = make(Desk(**shown))
    assert info(ask(battery, frame("02", cid2=0x92)))[18:] == f"{status_92:02X}"
    assert info(ask(battery, frame("", cid2=0x63)))[16:] == f"{status_63:02X}"


def test_on_wish_the_state_of_charge_says_what_limits_do_not(desk):
    """Inverter links 1 and 2: for inverters that ignore limits."""
    desk.parameters.values[desk.parameters.index("inverter_forced_soc")] = 1
    battery = make(desk)
    for charge, discharge, percent in ((1, 1, 81), (0, 1, 100), (1, 0, 0)):
        desk.publish(charge_allowed=charge, discharge_allowed=discharge)
        assert int(info(ask(battery, frame("", cid2=0x61)))[8:10], 16) == percent


# Alarms: each alone sets exactly the bits of the document (serial_protocols.md 2.1, 62)
ALARM_62 = {
    "pack_overvoltage": (0x80, 0x00),
    "pack_undervoltage": (0x40, 0x00),
    "cell_overvoltage": (0x20, 0x00),
    "cell_undervoltage": (0x10, 0x00),
    "overtemperature_charge": (0x08, 0x00),
    "overtemperature_discharge": (0x08, 0x00),
    "undertemperature_charge": (0x04, 0x00),
    "undertemperature_discharge": (0x04, 0x00),
    "fet_overtemperature": (0x02, 0x00),
    "overcurrent_charge": (0x00, 0x40),
    "overcurrent_discharge": (0x00, 0x20),
    "short_circuit": (0x00, 0x20),
}


@pytest.mark.parametrize("bit", range(55))
def test_each_fault_alone_sets_exactly_its_bits_in_62(desk, battery, bit):
    name = desk.faults.names.name(bit)
    alarm = ALARM_62.get(name)
    desk.raise_faults("faults", name)
    if name not in ("deep_discharge", "cell_below_floor", "fast_overcurrent_charge",
                    "fast_overcurrent_discharge"):  # fmt: skip
        protect = alarm if alarm else (0, 0x08)  # system fault
        if alarm:  # protections have one bit less on the right than alarms in their second byte
            protect = (alarm[0], alarm[1])
        assert info(ask(battery, frame("", cid2=0x62))) == "0000%02X%02X" % protect
    desk.raise_faults("faults")
    desk.raise_faults("warnings", name)
    if alarm or name == "cell_imbalance":
        expected = alarm or (0x01, 0x00)
        assert info(ask(battery, frame("", cid2=0x62))) == "%02X%02X0000" % expected


STATUS_1 = {
    "pack_undervoltage": 0x80,
    "overtemperature_charge": 0x40,
    "overtemperature_discharge": 0x20,
    "overcurrent_discharge": 0x10,
    "overcurrent_charge": 0x04,
    "cell_undervoltage": 0x02,
    "cell_overvoltage": 0x01,
}


@pytest.mark.parametrize(("name", "bits"), STATUS_1.items())
def test_each_fault_alone_sets_exactly_its_bit_of_status_1_in_44(desk, battery, name, bits):
    desk.raise_faults("faults", name)
    answer = info(ask(battery, frame("", cid2=0x44)))
    assert answer[-12:-10] == f"{bits:02X}"


def test_a_cell_outside_its_warnings_is_named_in_44(desk, battery):
    cells = list(PACK["cell_voltage_mv"])
    cells[2], cells[9] = 3_610, 2_800
    desk.publish(cell_voltage_mv=cells)
    answer = info(ask(battery, frame("", cid2=0x44)))
    states = [answer[6 + 2 * cell : 8 + 2 * cell] for cell in range(16)]
    assert (states[2], states[9]) == ("02", "01")
    assert set(states[:2] + states[3:9] + states[10:]) == {"00"}
    assert answer[-6:] == "040200"


@given(st.integers(-700_000, 700_000))
def test_the_current_is_the_nearest_that_its_field_holds(current_ma):
    desk = Desk(current_ma=current_ma)
    text = info(ask(make(desk), frame("", cid2=0x61)))[4:8]
    value = int.from_bytes(bytes.fromhex(text), "big", signed=True)
    assert value == max(-0x8000, min(0x7FFF, int(current_ma / 10)))


@given(st.binary(max_size=80))
def test_no_frame_whatever_makes_it_raise(data):
    battery = make(Desk())
    for buffer in (bytearray(data), bytearray(b"~" + data + b"\r")):
        length = battery.frame(buffer, 0, len(buffer)) if buffer else 0
        if length > 0:
            battery.respond(buffer, 0, length, bytearray(256))
        if buffer:
            battery.pending(buffer, 0, len(buffer))
