"""JBD: frames byte for byte, what is read, what may be written, and what never acts."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bms import requests
from bms.points import STATE_STANDBY
from bms.table import INVALID
from host_tests.links.bench import CODE, PACK, SETTINGS, Desk
from jbd import tables
from jbd.core import Jbd
from jbd.language import JbdLanguage

# serial_protocols.md 2.3
ENTER = bytes.fromhex("DD5A00025678FF3077")
EXIT = bytes.fromhex("DD5A01020000FFFD77")
EXIT_AND_SAVE = bytes.fromhex("DD5A01022828FFAD77")
ZERO_PASSWORD = bytes.fromhex("DD5A060706000000000000FFED77")
READ_BASIC = bytes.fromhex("DDA50300FFFD77")  # the request of the V4 document
READ_CELLS = bytes.fromhex("DDA50400FFFC77")
READ_NAME = bytes.fromhex("DDA50500FFFB77")


def request(kind, register, data=b""):
    """A request by the document's arithmetic: chk = 0x10000 - sum of register, length, data."""
    body = bytes((register, len(data))) + data
    return bytes((0xDD, kind)) + body + ((-sum(body)) % 0x10000).to_bytes(2, "big") + b"\x77"


def read(register):
    return request(0xA5, register)


def write(register, value):
    data = value.to_bytes(2, "big", signed=value < 0) if isinstance(value, int) else value
    return request(0x5A, register, data)


class Battery:
    """A JBD battery on a desk."""

    def __init__(self, desk=None):
        self.desk = desk or Desk()
        desk = self.desk
        self.core = Jbd(
            desk.points,
            desk.parameters,
            desk.access,
            desk.requests,
            desk.changes.append,
            desk.snapshot,
        )
        for _ in self.core.build(desk.faults):
            pass
        self.language = JbdLanguage(self.core)

    def ask(self, frame):
        """Register, status and data of the answer, whose frame is checked here."""
        buffer = bytearray(frame)
        response = bytearray(256)
        assert self.language.frame(buffer, 0, len(buffer)) == len(buffer)
        size = self.language.respond(buffer, 0, len(buffer), response)
        answer = bytes(response[:size])
        assert answer[0] == 0xDD and answer[-1] == 0x77
        assert answer[3] == size - 7
        covered = answer[2:-3]  # status, length, data: not the register
        assert int.from_bytes(answer[-3:-1], "big") == (-sum(covered)) % 0x10000
        return answer[1], answer[2], answer[4:-3]

    def value(self, register):
        status, data = self.ask(read(register))[1:]
        assert status == 0
        return int.from_bytes(data, "big")

    def open(self):
        """Unlock and enter factory mode, as a program does."""
        assert self.ask(write(0x06, b"\x06%06d" % CODE))[1] == 0
        assert self.ask(ENTER)[1] == 0


@pytest.fixture
def battery():
    return Battery()


def test_the_documents_requests_are_those_of_our_arithmetic():
    assert read(3) == READ_BASIC
    assert read(4) == READ_CELLS
    assert read(5) == READ_NAME
    assert write(0x00, 0x5678) == ENTER
    assert write(0x01, 0) == EXIT
    assert write(0x01, 0x2828) == EXIT_AND_SAVE
    assert write(0x06, b"\x06" + bytes(6)) == ZERO_PASSWORD


def test_32_cells_and_six_sensors_are_told():
    desk = Desk({**SETTINGS, "series_cells": 32, "cell_thermistors": 6, "afe_chip": 4})
    cells = [3_300 + cell for cell in range(32)]
    desk.publish(
        series_cells=32, cell_voltage_mv=cells, temperature_dc=(214,) * 6, balancing=(1, 0x8000),
    )  # fmt: skip
    battery = Battery(desk)
    data = battery.ask(READ_CELLS)[2]
    assert [int.from_bytes(data[at : at + 2], "big") for at in range(0, 64, 2)] == cells
    basic = battery.ask(READ_BASIC)[2]
    assert (basic[12:16], basic[21]) == (b"\x00\x01\x80\x00", 32)  # cells 1 to 16, then 17 to 32


def test_an_empty_answer_has_checksum_zero(battery):
    buffer = bytearray(ENTER)
    response = bytearray(64)
    size = battery.language.respond(buffer, 0, len(buffer), response)
    assert response[:size].hex() == "dd000000000077"


def test_a_refusal_says_80(battery):
    buffer = bytearray(read(0x77))
    response = bytearray(64)
    size = battery.language.respond(buffer, 0, len(buffer), response)
    assert response[:size].hex() == "dd778000ff8077"


def test_basic_information_field_by_field(battery):
    battery.desk.publish(current_ma=-12_340, balancing=(0b1001, 0b10), gates=1)
    data = battery.ask(READ_BASIC)[2]
    assert len(data) == 23 + 2 * 2
    assert int.from_bytes(data[0:2], "big") == 5312  # 10 mV
    assert int.from_bytes(data[2:4], "big", signed=True) == -1234  # 10 mA, charging positive
    assert int.from_bytes(data[4:6], "big") == 22600  # 10 mAh
    assert int.from_bytes(data[6:8], "big") == 28000
    assert int.from_bytes(data[8:10], "big") == 12
    date = int.from_bytes(data[10:12], "big")
    assert (date >> 9, date >> 5 & 15, date & 31) == (26, 1, 1)
    assert int.from_bytes(data[12:14], "big") == 0b1001  # bit 0 is cell 1
    assert int.from_bytes(data[14:16], "big") == 0b10  # bit 1 is cell 18
    assert int.from_bytes(data[16:18], "big") == 0
    assert data[18] == 0x10
    assert (data[19], data[20], data[21], data[22]) == (81, 1, 16, 2)
    kelvin = [int.from_bytes(data[at : at + 2], "big") for at in (23, 25)]
    assert kelvin == [2731 + 214, 2731 + 226]


def test_a_capacity_above_655_ah_reads_as_the_largest_that_fits(battery):
    battery.desk.publish(remaining_mah=700_000, design_mah=700_000)
    data = battery.ask(READ_BASIC)[2]
    assert data[4:8].hex() == "ffffffff"


def test_cell_voltages_in_order(battery):
    data = battery.ask(READ_CELLS)[2]
    cells = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    assert cells == list(PACK["cell_voltage_mv"])


def test_names(battery):
    assert battery.ask(READ_NAME)[2] == b"Cellsteward"
    for register in (0xA0, 0xA1, 0xA2):
        data = battery.ask(read(register))[2]
        assert data[0] == len(data) - 1


# serial_protocols.md 2.3, bits of 0x03 at 16
BITS = {
    "cell_overvoltage": 0, "cell_undervoltage": 1, "pack_overvoltage": 2, "pack_undervoltage": 3,
    "overtemperature_charge": 4, "undertemperature_charge": 5, "overtemperature_discharge": 6,
    "undertemperature_discharge": 7, "overcurrent_charge": 8, "overcurrent_discharge": 9,
    "short_circuit": 10, "afe_lost": 11, "interlock_open": 12,
}  # fmt: skip


@pytest.mark.parametrize(("name", "bit"), BITS.items())
def test_each_fault_alone_sets_exactly_its_bit(battery, name, bit):
    battery.desk.raise_faults("faults", name)
    assert battery.ask(READ_BASIC)[2][16:18] == (1 << bit).to_bytes(2, "big")


def test_every_fault_that_blocks_shows_in_some_bit(battery):
    faults = battery.desk.faults
    for fault in range(len(faults)):
        battery.desk.raise_faults("faults", faults.names.name(fault))
        bits = int.from_bytes(battery.ask(READ_BASIC)[2][16:18], "big")
        assert bin(bits).count("1") == (1 if faults.blocks[fault] else 0)


@pytest.mark.parametrize("name", ["pack_voltage_mv", "soc_bp"])
def test_nothing_missing_is_told_as_a_value(battery, name):
    battery.desk.publish(**{name: INVALID}, cell_voltage_mv=(INVALID,) * 16)
    assert battery.ask(READ_BASIC)[1:] == (0x80, b"")
    assert battery.ask(READ_CELLS)[1:] == (0x80, b"")


def test_error_counters_count_each_protection_once_while_it_stands(battery):
    order = ("short_circuit", "overcurrent_charge", "overcurrent_discharge", "cell_overvoltage",
             "cell_undervoltage", "overtemperature_charge", "undertemperature_charge",
             "overtemperature_discharge", "undertemperature_discharge", "pack_overvoltage",
             "pack_undervoltage")  # fmt: skip
    for times, name in enumerate(order):
        for _ in range(times):
            battery.desk.raise_faults("faults", name)
            battery.core.step(1000)
            battery.core.step(1000)
            battery.desk.raise_faults("faults")
            battery.core.step(1000)
    data = battery.ask(read(0xAA))[2]
    assert [int.from_bytes(data[at : at + 2], "big") for at in range(0, 22, 2)] == list(range(11))
    assert len(data) == 22


# EEPROM


def test_settings_are_read_by_anybody_in_their_units(battery):
    value = battery.desk.parameters.value
    assert battery.value(0x10) == 28000
    assert battery.value(0x18) == 2731 + value("overtemperature_charge_trip_dc")
    assert battery.value(0x20) == 16 * value("pack_overvoltage_trip_mv") // 10
    assert battery.value(0x24) == value("cell_overvoltage_trip_mv")
    assert battery.value(0x28) == value("overcurrent_charge_trip_ma") // 10
    assert battery.value(0x29) == 0x10000 - value("overcurrent_discharge_trip_ma") // 10
    assert battery.value(0x2F) == 16
    under_s = value("cell_undervoltage_delay_ms") // 1000
    over_s = value("cell_overvoltage_delay_ms") // 1000
    assert battery.value(0x3D) == under_s << 8 | over_s


def test_the_whole_eeprom_can_be_read(battery):
    """Programs read it from 10 to 3F and stop at the first error."""
    for register in range(0x10, 0x40):
        assert battery.ask(read(register))[1] == 0, hex(register)


def test_a_setting_is_written_by_whoever_unlocked_and_entered_factory_mode(battery):
    battery.open()
    assert battery.ask(write(0x24, 3_640))[1] == 0
    assert battery.desk.parameters.value("cell_overvoltage_trip_mv") == 3_640
    assert battery.desk.changes == [1]
    assert battery.value(0x24) == 3_640


def test_a_discharge_current_is_written_negative(battery):
    battery.open()
    assert battery.ask(write(0x29, -11_500))[1] == 0
    assert battery.desk.parameters.value("overcurrent_discharge_trip_ma") == 115_000
    assert battery.ask(write(0x29, 11_500))[1] == 0x80


def test_two_delays_share_a_register(battery):
    battery.open()
    assert battery.ask(write(0x3A, bytes((7, 9))))[1] == 0
    assert battery.desk.parameters.value("undertemperature_charge_delay_ms") == 7000
    assert battery.desk.parameters.value("overtemperature_charge_delay_ms") == 9000


def test_what_a_register_says_already_changes_nothing(battery):
    battery.desk.parameters.change(
        [(battery.desk.parameters.index("undertemperature_charge_delay_ms"), 1500)]
    )
    battery.open()
    for register in range(0x10, 0x40):
        value = battery.value(register)
        battery.ask(write(register, value.to_bytes(2, "big")))
    assert battery.desk.changes == []
    assert battery.desk.parameters.value("undertemperature_charge_delay_ms") == 1500


def test_the_settings_of_balancing_are_ours(battery):
    """bms-tools' map: 2A start voltage, 2B window, 2D functions, of which bit 2 is balancing."""
    value = battery.desk.parameters.value
    battery.open()
    assert battery.value(0x2A) == value("balance_top_mv") == 3400
    assert battery.value(0x2B) == value("balance_start_mv") == 8
    assert battery.value(0x2D) == 0b100
    for register, wanted in ((0x2A, 3380), (0x2B, 15), (0x2D, 0)):
        assert battery.ask(write(register, wanted))[1] == 0
        assert battery.value(register) == wanted
    assert (value("balance_top_mv"), value("balance_start_mv")) == (3380, 15)
    assert not value("balancing_enabled")
    # switch, load detection, balancing while charging only, LEDs: functions that are not here
    for functions in (0b1, 0b10, 0b110, 0b1100, 0b10100, 0x8004):
        assert battery.ask(write(0x2D, functions.to_bytes(2, "big")))[1] == 0x80
    assert battery.ask(write(0x2D, 0b100))[1] == 0
    assert value("balancing_enabled")


def test_the_date_and_the_sensors_are_those_of_the_basic_information(battery):
    data = battery.ask(READ_BASIC)[2]
    assert battery.value(0x15) == int.from_bytes(data[10:12], "big")
    assert battery.value(0x2E) == (1 << data[22]) - 1


@pytest.mark.parametrize("register", range(0x10, 0x40))
def test_nothing_is_written_without_the_code(battery, register):
    before = list(battery.desk.parameters.values)
    battery.ask(ENTER)
    assert battery.ask(write(register, 1))[1] == 0x80
    assert list(battery.desk.parameters.values) == before


def test_nothing_is_written_outside_factory_mode(battery):
    battery.open()
    battery.core.step(59_999)
    assert battery.ask(write(0x24, 3_640))[1] == 0
    battery.core.step(60_000)  # nobody asked for a minute
    assert battery.ask(write(0x24, 3_630))[1] == 0x80
    battery.ask(ENTER)
    assert battery.ask(write(0x24, 3_630))[1] == 0x80, "the door is shut, too"


@pytest.mark.parametrize("leave", [EXIT, EXIT_AND_SAVE])
def test_leaving_factory_mode_shuts_the_door(battery, leave):
    battery.open()
    assert battery.ask(leave)[1] == 0
    assert battery.ask(write(0x24, 3_640))[1] == 0x80
    assert not battery.desk.access.unlocked()


def test_the_password_of_boards_without_one_is_acknowledged_and_opens_nothing(battery):
    assert battery.ask(ZERO_PASSWORD)[1:] == (0, b"")
    assert battery.ask(write(0x06, b"\x06000000"))[1:] == (0, b"")
    assert not battery.desk.access.unlocked()


def test_wrong_passwords_are_refused_and_limited(battery):
    for _ in range(3):
        assert battery.ask(write(0x06, b"\x06009999"))[1] == 0x80
    assert battery.ask(write(0x06, b"\x06%06d" % CODE))[1] == 0x80
    battery.core.step(60_000)
    assert battery.ask(write(0x06, b"\x06%06d" % CODE))[1] == 0


@pytest.mark.parametrize("password", [b"", b"\x06", b"\x05123456", b"\x06J1B2D4", b"\x0612345"])
def test_passwords_of_another_shape_are_refused(battery, password):
    assert battery.ask(write(0x06, password))[1] == 0x80


@pytest.mark.parametrize(
    ("register", "value"),
    [(0x24, 9_999), (0x24, 3_400), (0x18, 0), (0x3D, 0xFFFF), (0x10, 10), (0x2C, 0)],
)
def test_values_that_the_parameter_table_refuses_change_nothing(battery, register, value):
    battery.open()
    before = list(battery.desk.parameters.values)
    assert battery.ask(write(register, value.to_bytes(2, "big")))[1] == 0x80
    assert list(battery.desk.parameters.values) == before
    assert battery.desk.changes == []


def test_names_calibration_and_what_is_not_ours_can_not_be_written(battery):
    battery.open()
    for register in (*tables.BLANKS, 0x11, 0x17, 0x36, 0x37, 0xA0, 0xA1, 0xB0, 0xCF, 0xD0, 0xE0,
                     0xE2, 0x0A, 0x07, 0x09, 0xAD, 0xAE, 0x03, 0xAA):  # fmt: skip
        assert battery.ask(write(register, 1))[1] == 0x80, hex(register)


@given(st.integers(0x10, 0x3F), st.binary(min_size=2, max_size=2))
@example(0x22, b"\x0d\x01")
def test_whatever_is_written_the_parameter_table_has_the_last_word(register, data):
    battery = Battery()
    battery.open()
    parameters = battery.desk.parameters
    status = battery.ask(write(register, data))[1]
    assert status in (0, 0x80)
    for index, value in enumerate(parameters.values):
        assert parameters.minimums[index] <= value <= parameters.maximums[index]
    if status == 0 and battery.desk.changes:
        # Of a pack's voltage the setting is a cell's in mV: half a mV too much or too little in
        # each of 16 cells is 8 mV, of the register's 10 mV.
        step = 1 if register in range(0x20, 0x24) else 0
        assert abs(battery.value(register) - int.from_bytes(data, "big")) <= step


# MOS control


@pytest.mark.parametrize(
    ("value", "request_"),
    [(0, requests.GATES_AUTO), (1, requests.CHARGE_OFF), (2, requests.DISCHARGE_OFF),
     (3, requests.GATES_OFF)],
)  # fmt: skip
def test_mos_control_asks_the_fast_path_for_gates_to_stay_open(battery, value, request_):
    assert battery.ask(write(0xE1, value))[1] == 0x80, "locked"
    battery.ask(write(0x06, b"\x06%06d" % CODE))
    assert battery.ask(write(0xE1, value))[1] == 0
    assert battery.desk.requests.pending == request_


def test_mos_control_refuses_other_bits_and_a_second_request(battery):
    battery.ask(write(0x06, b"\x06%06d" % CODE))
    for value in (4, 0x0100, 0xFFFF):
        assert battery.ask(write(0xE1, value.to_bytes(2, "big")))[1] == 0x80
    assert battery.ask(write(0xE1, 3))[1] == 0
    assert battery.ask(write(0xE1, 0))[1] == 0x80, "the first one still waits"


def test_gates_that_are_off_by_command_show_as_locked(battery):
    battery.desk.publish(state=STATE_STANDBY, gates=0)
    data = battery.ask(READ_BASIC)[2]
    assert data[16:18].hex() == "1000"
    assert data[20] == 0


# Frames


def test_broken_frames_are_no_frames(battery):
    for place in range(2, len(READ_BASIC)):
        broken = bytearray(READ_BASIC)
        broken[place] ^= 0x40
        assert battery.language.frame(broken, 0, len(broken)) <= 0


def test_answers_are_stepped_over(battery):
    for answer in ("dd000000000077", "dd778000ff8077"):
        frame = bytearray.fromhex(answer)
        assert battery.language.frame(frame, 0, len(frame)) == -len(frame)


def test_a_request_in_fragments_is_pending_until_it_is_whole(battery):
    buffer = bytearray(write(0xA0, b"\x0aCellstewar"))
    for fill in range(1, len(buffer)):
        assert battery.language.frame(buffer, 0, fill) == 0
        assert battery.language.pending(buffer, 0, fill)
    assert battery.language.frame(buffer, 0, len(buffer)) == len(buffer)


@given(st.binary(min_size=1, max_size=80))
def test_no_frame_whatever_makes_it_raise(data):
    battery = Battery()
    for buffer in (bytearray(data), bytearray(request(data[0], data[-1], data[:60]))):
        length = battery.language.frame(buffer, 0, len(buffer))
        if length > 0:
            battery.language.respond(buffer, 0, length, bytearray(256))
        battery.language.pending(buffer, 0, len(buffer))


def test_a_board_that_nobody_configured_answers():
    battery = Battery(Desk(None))
    for register in range(256):
        battery.ask(read(register))
        battery.ask(write(register, 1))
    assert SETTINGS  # the other tests' settings are not in force
