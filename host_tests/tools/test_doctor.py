"""The doctor: for every complaint a cause is found, and none where all is well."""

import pytest

from bms import points as states
from bms.fault_rows import ROWS as FAULT_ROWS
from bms.point_rows import ROWS as POINT_ROWS
from bms.table import INVALID, rows
from cellsteward import doctor
from host_tests.links.bench import PACK, Desk
from host_tests.modbus.bench import Device
from links.verdict_rows import ROWS as VERDICT_ROWS

VERDICTS = [row[4] for row in rows(VERDICT_ROWS)]
FAULTS = [row[0] for row in rows(FAULT_ROWS)]
QUIET = {
    "link_frames_in": [0, 40, 0, 0], "link_crc_errors": [0] * 4, "link_timeouts": [0] * 4,
    "link_age_s": [2, 1, -1, -1], "link_peer": [0, 1, 0, 0], "uptime_s": [90_000],
    "watchdog_resets": [0], "undervoltage_rebounds": [0], "inverter_profile": [1],
    "rs485_protocol": [0],
    "link_verdict": [VERDICTS.index("can_well"), VERDICTS.index("well"), 0, 0],
}  # fmt: skip


def pack(**changes):
    """A healthy pack whose links are well, with some values changed."""
    values = {name: list(v) if isinstance(v, tuple) else [v] for name, v in PACK.items()}
    values |= {name: list(value) for name, value in QUIET.items()}
    for name, value in changes.items():
        values[name] = value if isinstance(value, list) else [value]
    return values


def faults(*names):
    words = [0, 0, 0, 0]
    for name in names:
        bit = FAULTS.index(name)
        words[bit >> 4] |= 1 << (bit & 15)
    return words


def verdicts(can="can_well", rs485="well"):
    return [VERDICTS.index(can), VERDICTS.index(rs485), 0, 0]


def complaints(values):
    return {
        row.title: list(row.find(values)) for row in doctor.COMPLAINTS if list(row.find(values))
    }


def test_a_healthy_pack_has_no_complaint():
    values = pack()
    assert complaints(values) == {}
    lines = list(doctor.report(values))
    assert lines[0] == "State: active."
    assert lines[-1] == "Nothing else is wrong as far as the device can tell."


@pytest.mark.parametrize(
    ("title", "changes", "word"),
    [
        ("No state of charge", {"soc_bp": INVALID}, "measured"),
        ("No state of charge", {"soc_bp": INVALID, "state": states.STATE_UNCONFIGURED}, "config"),
        ("No state of charge", {"link_verdict": verdicts("can_no_acknowledge")}, "does not hear"),
        ("Communication fault", {"link_verdict": verdicts("can_silent")}, "switched off complet"),
        ("Communication fault", {"link_verdict": verdicts(rs485="noisy")}, "RS485"),
        (
            "Will not charge",
            {"charge_allowed": 0, "faults": faults("undertemperature_charge")},
            "warm them",
        ),
        ("Will not charge", {"charge_allowed": 0, "state": states.STATE_STANDBY}, "gates auto"),
        ("Will not charge", {"charge_allowed": 0}, "asked over a bus"),
        ("Will not charge", {"charge_current_limit_ma": 0, "soc_bp": 10_000}, "full"),
        ("Will not charge", {"charge_current_limit_ma": 0}, "upper limit"),
        (
            "The inverter works by voltage only",
            {"link_verdict": verdicts("can_no_acknowledge")},
            "lithium",
        ),
        ("Locked out", {"faults": faults("short_circuit")}, "clear"),
        ("Locked out", {"undervoltage_rebounds": 3}, "5 %"),
        ("The state of charge jumps", {"watchdog_resets": 2}, "watchdog"),
        ("The state of charge jumps", {"uptime_s": 30}, "ten minutes"),
        ("Wrong profile", {"link_verdict": verdicts("can_other_language")}, "inverter_profile"),
        (
            "Wrong profile",
            {"link_verdict": verdicts(rs485="only_noise"), "rs485_protocol": 1},
            "auto",
        ),
        ("Damaged frames", {"link_crc_errors": [0, 7, 0, 0]}, "7 beside 40"),
        ("Time-outs", {"link_timeouts": [3, 0, 0, 0]}, "500 ms"),
    ],
)
def test_a_complaint_finds_its_cause(title, changes, word):
    found = complaints(pack(**changes))
    assert any(word in cause for cause in found[title]), found
    assert any(title in line for line in doctor.report(pack(**changes)))


def test_every_complaint_of_the_list_is_there():
    """Issue 5, deliver 7."""
    assert len(doctor.COMPLAINTS) == 9


def test_all_points_come_over_modbus_as_they_are():
    device = Device()
    for place, row in enumerate(rows(POINT_ROWS)):
        device.publish(row[0], 100 + place)
    device.publish("soc_bp", INVALID)

    def exchange(pdu):
        response = bytearray(256)
        size = device.server.respond_pdu(bytearray(pdu), 0, len(pdu), response, 0)
        return bytes(response[:size])

    values = doctor.over_modbus(exchange)
    for place, row in enumerate(rows(POINT_ROWS)):
        if row[0] != "soc_bp":
            assert values[row[0]][0] == 100 + place, row[0]
    assert values["soc_bp"] == [INVALID]
    assert values["rs485_protocol"] == [0]


def test_another_device_is_named_as_such():
    with pytest.raises(doctor.DoctorError, match="is it Cellsteward"):
        doctor.over_modbus(lambda pdu: bytes((0x83, 2)))


def test_what_the_console_prints_is_read_back():
    text = "> raw\r\nsoc_bp=5000\r\nfaults=0 0 1 0\r\ntemperature_min_dc=-15\r\nraw end\r\n> "
    values = doctor.from_raw(text)
    assert values == {"soc_bp": [5000], "faults": [0, 0, 1, 0], "temperature_min_dc": [-15]}
    assert Desk().points
