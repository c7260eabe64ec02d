"""`cellsteward frames`: from a state that a person wrote to the frames of the device."""

import pytest

from bms.parameters import Parameters
from cellsteward.can_layout import profile_names
from cellsteward.frames import frames_for_state

EXAMPLE = {  # issue 2, point 11
    "charge_voltage_limit_mv": 53200,
    "charge_current_limit_ma": 100000,
    "discharge_current_limit_ma": 100000,
    "discharge_voltage_limit_mv": 44800,
}


def frames(**state):
    """Identifier to data, both as text."""
    return dict(line.split("#") for line in frames_for_state("pylontech", state))


def test_the_example_of_the_issue():
    assert frames_for_state("pylontech", EXAMPLE)[0] == "351#1402E803E803C001"


def test_lines_are_in_sending_order():
    lines = frames_for_state("pylontech", {})
    assert [line[:4] for line in lines] == ["351#", "355#", "356#", "359#", "35C#", "35E#"]


def test_points_that_are_left_out_are_zero_and_both_directions_are_allowed():
    told = frames(**EXAMPLE)
    assert told["355"] == "00000000"
    assert told["356"] == "000000000000"
    assert told["359"] == "0000000001504E"
    assert told["35C"] == "C000"


def test_measured_values_are_scaled_as_the_protocol_says():
    # 53.12 V = 5312 = 0x14C0; -12.3 A = -123 = 0xFF85; 24.3 C = 243 = 0x00F3
    told = frames(
        pack_voltage_mv=53120, current_ma=-12340, temperature_max_dc=243, soc_bp=6420, soh_bp=9870
    )
    assert told["356"] == "C01485FFF300"
    assert told["355"] == "40006300"


# inverter_can.md 1.1: bytes 0 and 1 of 0x359 protection, 2 and 3 warning; 0x35C bits 7 and 6
@pytest.mark.parametrize(
    ("fault", "alarm", "requests"),
    [
        ("cell_overvoltage", "0200000001504E", "4000"),
        ("cell_undervoltage", "0400000001504E", "8000"),
        ("overcurrent_charge", "0001000001504E", "4000"),
        ("afe_lost", "0008000001504E", "0000"),
    ],
)
def test_a_fault_sets_its_bit_and_forbids_what_it_blocks(fault, alarm, requests):
    told = frames(**EXAMPLE, faults=[fault])
    assert told["359"] == alarm
    assert told["35C"] == requests


def test_a_blocked_direction_has_no_current_left():
    told = frames(**EXAMPLE, faults=["cell_overvoltage"])
    assert told["351"] == "14020000E803C001"


def test_warnings_set_their_bits_and_forbid_nothing():
    told = frames(**EXAMPLE, warnings=["cell_overvoltage", "afe_lost"])
    assert told["359"] == "0000020801504E"
    assert told["35C"] == "C000"


def test_what_the_state_says_itself_goes_before_what_faults_imply():
    assert frames(charge_allowed=0)["35C"] == "4000"
    assert frames(faults=["afe_lost"], discharge_allowed=1)["35C"] == "4000"


def test_points_with_several_values_are_lists_and_their_extremes_are_found():
    cells = [3300] * 16
    cells[2], cells[11] = 3280, 3340
    state = {"cell_voltage_mv": cells, "temperature_dc": [200, -35, 210]}
    assert frames(**state)["356"][8:] == "D200"  # 21.0 C
    told = dict(line.split("#") for line in frames_for_state("victron", state))
    assert told["373"] == "D00C0C0D0D012601"  # 3280, 3340 mV; -3.5 C is -4 C: 269 K, 294 K
    assert bytes.fromhex(told["374"])[:2] == b"3\0"
    assert bytes.fromhex(told["375"])[:2] == b"12"


def test_one_temperature_is_both_extremes_unless_both_are_said():
    for state, told in (
        ({"temperature_min_dc": 150}, "9600"),
        ({"temperature_min_dc": 150, "temperature_max_dc": 250}, "FA00"),
        ({"temperature_dc": [150], "temperature_max_dc": 250}, "FA00"),
    ):
        assert frames(**state)["356"][8:] == told


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"soc_pb": 1}, "No point is named 'soc_pb'; near it: soc_bp"),
        ({"zzzz": 1}, "No point is named 'zzzz'; there are: pack_voltage_mv, current_ma"),
        ({"soc_bp": 64.2}, "'soc_bp' is in whole numbers of its unit, not 64.2"),
        ({"soc_bp": True}, "'soc_bp' is in whole numbers of its unit, not True"),
        ({"soc_bp": "64"}, "'soc_bp' is in whole numbers of its unit, not '64'"),
        ({"soc_bp": None}, "'soc_bp' is in whole numbers"),
        ({"soc_bp": 1 << 30}, "'soc_bp' is beyond what the device can hold"),
        ({"soc_bp": [1, 2]}, "'soc_bp' has room for 1 values, not 2"),
        ({"cell_voltage_mv": [3300] * 33}, "'cell_voltage_mv' has room for 32 values, not 33"),
        ({"faults": ["cell_overvolt"]}, "no fault is named 'cell_overvolt'; near it: cell_over"),
        ({"warnings": [7]}, "'warnings': no fault is named '7'"),
        ({"faults": "afe_lost"}, "'faults' is a list of fault names, not 'afe_lost'"),
        ([1], "A state is an object of point names and values"),
    ],
)
def test_a_mistake_is_named_in_a_sentence_with_what_may_be_meant(state, sentence):
    with pytest.raises(ValueError, match=r"named|numbers|hold|room|list|object") as caught:
        frames_for_state("pylontech", state)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("profile", ["pylontec", "none", ""])
def test_an_unknown_profile_is_named_with_those_that_exist(profile):
    with pytest.raises(ValueError, match="No profile is named") as caught:
        frames_for_state(profile, {})
    assert f"'{profile}'" in str(caught.value)
    assert "pylontech" in str(caught.value)


@pytest.mark.parametrize("profile", profile_names())
def test_every_profile_can_be_shown(profile):
    lines = frames_for_state(profile, EXAMPLE)
    assert lines
    assert all(len(line) > 4 for line in lines)


def test_a_pack_that_is_not_measured_can_be_shown():
    lines = frames_for_state("pylontech", EXAMPLE, measured=False)
    assert lines == [
        "351#140200000000C001",
        "359#0008000001504E",
        "35C#0000",
        "35E#50594C4F4E202020",
    ]


def test_parameters_change_what_is_told():
    parameters = Parameters()
    parameters.values[parameters.index("inverter_modules")] = 4
    assert frames_for_state("pylontech", {}, parameters)[3] == "359#0000000004504E"
