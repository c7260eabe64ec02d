"""Field lessons, table "Inverter links", where they concern RS485, Modbus TCP or JBD.

Each test is named after the row of field_lessons.md that it keeps from happening again. Rows that
no serial link can show are listed at the end, each with its reason.
"""

import re
from pathlib import Path

import pytest

from bms.table import INVALID
from host_tests.jbd.test_jbd import ENTER, READ_BASIC, Battery, write
from host_tests.links.bench import CODE, PACK, Desk
from host_tests.modbus.test_sunspec import BATTERY, Device
from host_tests.pylon_rs485.test_pylontech import ask, frame, info, make
from host_tests.rs485.test_languages import PYLONTECH, Board
from rs485 import port

LESSONS = Path(__file__).parents[3] / "shared" / "reference" / "field_lessons.md"


@pytest.fixture(autouse=True)
def _real_asyncio(monkeypatch):
    monkeypatch.setattr(port, "asyncio", port.asyncio)


def limits(desk):
    """Volts and amperes that 63 offers: CVL mV, DVL mV, CCL 0.1 A, DCL 0.1 A, status."""
    body = info(ask(make(desk), frame("", cid2=0x63)))
    return *(int(body[at : at + 4], 16) for at in (0, 4, 8, 12)), int(body[16:], 16)


def blocked(*faults):
    desk = Desk(charge_allowed=0, charge_current_limit_ma=0)
    desk.raise_faults("faults", *faults)
    return desk


def test_row_3_and_4_and_15_a_stop_of_the_charge_is_no_current_and_the_voltage_of_the_pack():
    """Not the limit, as this test once had it: what ignores 0 A would go on charging up to it."""
    voltage, _, current, _, status = limits(blocked("cell_overvoltage"))
    assert (voltage, current, status) == (53_100, 0, 0x40)
    assert abs(voltage - PACK["pack_voltage_mv"]) < 100


def test_row_1_and_2_an_inverter_that_ignores_limits_hears_of_an_empty_or_a_full_pack():
    for direction, percent in (("charge", 100), ("discharge", 0)):
        desk = Desk(**{direction + "_allowed": 0})
        desk.parameters.values[desk.parameters.index("inverter_forced_soc")] = 1
        assert int(info(ask(make(desk), frame("", cid2=0x61)))[8:10], 16) == percent


def test_row_10_the_voltage_limit_never_falls_quickly_below_the_pack():
    desk = Desk(charge_voltage_limit_mv=53_100)
    battery = make(desk, settled=False)
    battery.step(1000)
    desk.publish(charge_voltage_limit_mv=50_000)
    for _ in range(360):
        battery.step(1000)
    assert int(info(ask(battery, frame("", cid2=0x63)))[:4], 16) == 52_900


def test_row_5_a_stop_is_zero_and_not_a_tenth_of_an_ampere():
    assert limits(blocked("overtemperature_charge"))[2] == 0


def test_row_7_alarms_are_sent_and_not_limits_alone():
    desk = blocked("cell_overvoltage")
    battery = make(desk)
    assert info(ask(battery, frame("", cid2=0x62)))[4:] != "0000"
    assert info(ask(battery, frame("", cid2=0x44)))[-12:-10] == "01"


def test_row_8_the_discharge_limit_has_the_sign_that_each_command_has():
    desk = Desk()
    assert limits(desk)[3] == 1000
    body = info(ask(make(desk), frame("02", cid2=0x92)))
    assert int.from_bytes(bytes.fromhex(body[14:18]), "big", signed=True) == -1000


def test_row_12_before_the_first_measurement_nothing_is_allowed_and_nothing_old_is_told():
    desk = Desk(None, charge_current_limit_ma=0, discharge_current_limit_ma=0)
    desk.publish(charge_voltage_limit_mv=56_000, discharge_voltage_limit_mv=48_000)
    assert limits(desk)[2:] == (0, 0, 0)
    assert info(ask(make(desk), frame("", cid2=0x61)), 0x91) == ""


def test_row_18_the_capacity_is_the_pack_s_in_every_language():
    desk = Desk()
    body = info(ask(make(desk), frame("02", cid2=0x42)))
    assert int(body[-6:], 16) == PACK["full_mah"]
    data = Battery().ask(READ_BASIC)[2]
    assert int.from_bytes(data[6:8], "big") == PACK["design_mah"] // 10
    assert Device().read(BATTERY + 2) == [PACK["design_mah"] // 100]


def test_row_19_the_state_of_charge_is_the_same_in_every_language():
    analog = info(ask(make(Desk()), frame("", cid2=0x61)))
    system = int(analog[8:10], 16)
    jbd = Battery().ask(READ_BASIC)[2][19]
    sunspec = Device().read(BATTERY + 11)[0] // 100
    assert system == jbd == sunspec == PACK["soc_bp"] // 100


def test_row_21_a_poll_after_any_silence_or_noise_is_answered_within_half_a_second():
    board = Board()
    for at_ms, noise in ((0, b"\xff" * 80), (5_000, b"~2002"), (60_000, b"")):
        board.line.arrives(at_ms, noise)
        board.line.arrives(at_ms + 200, PYLONTECH)
    assert board.run() == ["pylontech"] * 3
    for (sent_ms, _), at_ms in zip(board.line.sent, (200, 5_200, 60_200), strict=True):
        assert sent_ms - at_ms < 500


def test_row_22_the_system_commands_are_answered_with_return_code_0_and_not_with_their_number():
    battery = make(Desk())
    for cid2 in (0x61, 0x62, 0x63):
        assert ask(battery, frame("", cid2=cid2))[5:9] == "4600"


def test_row_23_all_commands_are_answered_and_addresses_begin_at_2():
    battery = make(Desk())
    for cid2 in (0x42, 0x44, 0x47, 0x4F, 0x51, 0x92, 0x93, 0x96):
        assert ask(battery, frame("", cid2=cid2))[:9] == "~20024600"
    assert ask(battery, frame("01", address=1, cid2=0x42)) == ""


def test_row_24_a_repeated_write_is_acknowledged_each_time():
    battery = Battery()
    battery.open()
    for _ in range(3):
        assert battery.ask(ENTER)[1] == 0
        assert battery.ask(write(0x24, 3_640))[1] == 0
    assert battery.desk.changes == [1], "and takes effect once"


def test_row_14_a_full_pack_says_so():
    desk = Desk(soc_bp=10_000, remaining_mah=PACK["full_mah"])
    assert int(info(ask(make(desk), frame("", cid2=0x61)))[8:10], 16) == 100
    assert Battery(desk).ask(READ_BASIC)[2][19] == 100
    assert int(info(ask(make(desk), frame("", cid2=0x44)))[-8:-6], 16) & 0x08


def test_missing_values_are_no_numbers_anywhere():
    desk = Desk(soc_bp=INVALID, pack_voltage_mv=INVALID)
    assert info(ask(make(desk), frame("", cid2=0x61)), 0x91) == ""
    assert Battery(desk).ask(READ_BASIC)[1] == 0x80
    assert CODE


NOT_SERIAL = {
    6: "what a Solis does after a stop; nothing on the wire is ours to change",
    9: "frames of the Venus profile on CAN",
    11: "an inverter that exceeds a limit it was told; nothing on the wire is ours to change",
    13: "0x305 on CAN; a serial battery only answers",
    16: "frames a second on CAN; a serial battery only answers",
    17: "0x35E on CAN",
    20: "what a Sunny Island does; CAN only",
    25: "receive buffers of a CAN controller",
}


def test_every_row_has_a_test_here_or_a_reason():
    rows = {
        int(number)
        for name in globals()
        if name.startswith("test_row_")
        for number in re.findall(r"_(\d+)(?=_)", name)
    }
    assert rows | NOT_SERIAL.keys() >= set(range(1, 26)), set(range(1, 26)) - rows
    if LESSONS.exists():  # the facts are not part of the repository
        table = LESSONS.read_text().partition("**Inverter links**")[2]
        assert len(re.findall(r"^\| \d+ \|", table, re.M)) == 25
