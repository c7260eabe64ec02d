"""The register map over the real tables, read and written the way a Modbus master does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import ModbusTcpClient
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from bms import points as point_types
from bms.parameter_rows import ROWS as PARAMETER_ROWS
from bms.parameters import APPLIES_AFE, APPLIES_NOW
from bms.point_rows import ROWS as POINT_ROWS
from bms.requests import CLEAR_FAULTS, GATES_AUTO, GATES_OFF, NONE
from bms.table import rows
from host_tests.modbus.bench import CODE, SETTINGS, Device, adu, parse

# The addresses, as the issue and the tables' texts give them; nothing here is computed by the code
# under test.
WIDTHS = {"i32": 2, "u16": 1, "i16": 1, "b16": 1, "secret": 1}
POINTS = []  # (address, name, type, count)
_next = 0x0100
for _name, _unit, _type, _count, _path, _help in rows(POINT_ROWS):
    POINTS.append((_next, _name, _type, int(_count)))
    _next += WIDTHS[_type] * int(_count)
TELEMETRY_END = _next
MOST = 125  # registers in one answer: Modbus V1.1b3, 6.3
# Of the first chemistry, that of the bench
PARAMETERS = [
    (int(row[0], 16), row[1], row[3], int(row[4].split("/")[0]), int(row[5].split("/")[0]))
    for row in rows(PARAMETER_ROWS)
]
DATA_TYPE = {
    "i32": ModbusTcpClient.DATATYPE.INT32,
    "u16": ModbusTcpClient.DATATYPE.UINT16,
    "i16": ModbusTcpClient.DATATYPE.INT16,
    "b16": ModbusTcpClient.DATATYPE.UINT16,
}
UNLOCK, COMMAND, UNLOCKED = 0x0F00, 0x0F01, 0x0F02


def point(name):
    return next(row for row in POINTS if row[1] == name)


def parameter(name):
    return next(row for row in PARAMETERS if row[1] == name)


def read(device, address, count, request=ReadHoldingRegistersRequest):
    """Registers as pymodbus sees them, or the number of the exception."""
    answer = parse(device.ask(adu(request(address=address, count=count))))
    return answer.exception_code if answer.isError() else answer.registers


def write(device, address, *values):
    """0 or the number of the exception, with function 06 for one value and 16 for more."""
    if len(values) == 1:
        request = WriteSingleRegisterRequest(address=address, registers=list(values))
    else:
        request = WriteMultipleRegistersRequest(address=address, registers=list(values))
    answer = parse(device.ask(adu(request)))
    return answer.exception_code if answer.isError() else 0


def write_16(device, address, *values):
    request = WriteMultipleRegistersRequest(address=address, registers=list(values))
    answer = parse(device.ask(adu(request)))
    return answer.exception_code if answer.isError() else 0


def decoded(registers, kind):
    return ModbusTcpClient.convert_from_registers(registers, DATA_TYPE[kind])


def encoded(value, kind):
    return ModbusTcpClient.convert_to_registers(value, DATA_TYPE[kind])


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def unlocked(device):
    device.unlock()
    return device


# Telemetry


def test_voltage_current_power_and_soc_come_first(device):
    device.publish("pack_voltage_mv", 53_120)
    device.publish("current_ma", -12_345)
    device.publish("power_w", -655)
    device.publish("soc_bp", 8_765)
    registers = read(device, 0x0100, 8)
    assert decoded(registers[0:2], "i32") == 53_120
    assert decoded(registers[2:4], "i32") == -12_345
    assert decoded(registers[4:6], "i32") == -655
    assert decoded(registers[6:8], "i32") == 8_765


def test_the_telemetry_block_is_contiguous_and_ends_where_the_table_ends(device):
    for start in range(0x0100, TELEMETRY_END, MOST):
        count = min(MOST, TELEMETRY_END - start)
        assert len(read(device, start, count)) == count
    assert read(device, TELEMETRY_END, 1) == 2
    assert read(device, TELEMETRY_END - MOST + 1, MOST) == 2


def test_what_most_readers_want_fits_one_request():
    """docs/modbus.md: up to `balancing`."""
    address, _, kind, count = next(row for row in POINTS if row[1] == "balancing")
    assert address + WIDTHS[kind] * count - 0x0100 <= MOST


@pytest.mark.parametrize("row", POINTS, ids=[row[1] for row in POINTS])
def test_every_point_is_where_the_order_of_the_table_puts_it(device, row):
    address, name, kind, count = row
    for index in range(count):
        device.publish(name, 1000 + index, index)
    width = WIDTHS[kind]
    for request in (ReadHoldingRegistersRequest, ReadInputRegistersRequest):
        registers = read(device, address, width * count, request)
        for index in range(count):
            value = decoded(registers[width * index : width * (index + 1)], kind)
            assert value == 1000 + index


def test_the_version_of_the_map_lies_before_the_telemetry(device):
    device.publish("pack_voltage_mv", 1)
    assert read(device, 0x00FF, 1) == [1]
    assert read(device, 0x00FF, 3) == [1, 0, 1]
    assert read(device, 0x00FE, 1) == 2
    assert read(device, 0x00FE, 2) == 2


# SunSpec Information Model Specification: what says "not implemented" in each type.
BLANK = {"i32": [0x8000, 0x0000], "u16": [0xFFFF], "i16": [0x8000]}


def test_what_is_not_measured_reads_as_not_implemented(device):
    """A fresh points table: nothing has been measured yet."""
    for row in rows(POINT_ROWS):
        name, kind, count, path = row[0], row[2], int(row[3]), row[4]
        if path in ("fast", "slow"):
            address = point(name)[0]
            assert read(device, address, WIDTHS[kind] * count) == BLANK[kind] * count, name


def test_no_value_that_a_point_can_have_reads_as_not_implemented(device):
    address, name = point("cell_voltage_mv")[:2]
    for value, register in ((-5, 0), (0, 0), (65_534, 65_534), (70_000, 65_534)):
        device.publish(name, value)
        assert read(device, address, 1) == [register]
    address, name = point("temperature_dc")[:2]
    for value, shown in ((-400, -400), (-40_000, -32_767), (40_000, 32_767)):
        device.publish(name, value)
        assert decoded(read(device, address, 1), "i16") == shown


def test_a_mask_uses_all_16_bits(device):
    address, name = point("faults")[:2]
    device.publish(name, 0x8001, 0)
    device.publish(name, 0xFFFF, 3)
    assert read(device, address, 4) == [0x8001, 0, 0, 0xFFFF]


@given(st.integers(-(1 << 30) + 1, (1 << 30) - 1))
def test_every_32_bit_value_survives(value):
    device = Device()
    device.publish("current_ma", value)
    assert decoded(read(device, point("current_ma")[0], 2), "i32") == value


def test_one_request_is_served_from_one_snapshot(device):
    class Ticking(point_types.Points):
        """Publishes new values whenever somebody looks."""

        snapshots = 0

        def snapshot_into(self, view):
            self.snapshots += 1
            for offset in range(len(self.live)):
                self.live[offset] = self.snapshots
            super().snapshot_into(view)

    device.registers._points = ticking = Ticking()
    registers = read(device, 0x0100, MOST)
    assert ticking.snapshots == 1
    assert set(registers) == {0, 1}
    read(device, 0x1000, 1)
    read(device, UNLOCKED, 1)
    assert ticking.snapshots == 1


def test_telemetry_can_not_be_written(unlocked):
    assert write(unlocked, 0x0100, 1) == 2
    assert write(unlocked, 0x00FF, 1) == 2
    assert write(unlocked, 0x0100, 1, 2) == 2


# Parameters


@pytest.mark.parametrize("row", PARAMETERS, ids=[row[1] for row in PARAMETERS])
def test_every_parameter_reads_at_its_register(device, row):
    address, name, kind = row[:3]
    registers = read(device, address, WIDTHS[kind])
    if kind == "secret":
        assert registers == [0]
    else:
        assert decoded(registers, kind) == device.parameters.value(name)


def test_what_the_builder_has_not_said_yet_reads_as_not_implemented():
    device = Device(settings=None)
    for name in ("chemistry", "series_cells", "design_capacity_mah"):
        address, _, kind = parameter(name)[:3]
        assert read(device, address, WIDTHS[kind]) == BLANK[kind]


def test_no_permitted_parameter_value_reads_as_not_implemented():
    for _, name, kind, low, high in PARAMETERS:
        if kind == "u16":
            assert low >= 0 and high < 0xFFFF, name
        if kind == "i16":
            assert low > -0x8000 and high <= 0x7FFF, name


def test_no_two_parameters_share_a_register():
    taken = [address + at for address, _, kind, _, _ in PARAMETERS for at in range(WIDTHS[kind])]
    assert len(taken) == len(set(taken))
    assert min(taken) == 0x1000


def test_gaps_between_parameters_do_not_exist(device):
    assert read(device, 0x1011, 1) != 2
    assert read(device, 0x1012, 1) == 2
    assert read(device, 0x1011, 2) == 2
    assert read(device, 0x0FFF, 2) == 2
    assert read(device, 0xFFFF, 1) == 2
    assert read(device, 0x0400, 1) == 2
    assert read(device, 0, 1) == 2


def test_writes_need_the_access_code(device):
    before = device.values()
    address = parameter("charge_current_max_ma")[0]
    assert read(device, UNLOCKED, 1) == [0]
    assert write(device, address, *encoded(40_000, "i32")) == 1
    assert device.values() == before
    assert write(device, UNLOCK, CODE) == 0
    assert read(device, UNLOCKED, 1) == [1]
    assert write(device, address, *encoded(40_000, "i32")) == 0
    assert device.parameters.value("charge_current_max_ma") == 40_000
    assert decoded(read(device, address, 2), "i32") == 40_000


def test_the_lock_closes_by_itself_and_on_command(device):
    write(device, UNLOCK, CODE)
    device.access.step(10 * 60_000)
    assert read(device, UNLOCKED, 1) == [0]
    assert write(device, parameter("step_period_ms")[0], 50) == 1
    write(device, UNLOCK, CODE)
    assert write(device, COMMAND, 4) == 0
    assert read(device, UNLOCKED, 1) == [0]


def test_a_wrong_code_is_refused_and_after_three_the_right_one_too(device):
    for code in (0, 1, CODE + 1):
        assert write(device, UNLOCK, code) == 3
    assert write(device, UNLOCK, CODE) == 3
    device.access.step(60_000)
    assert write(device, UNLOCK, CODE) == 0


def test_without_an_access_code_nothing_unlocks():
    settings = dict(SETTINGS)
    del settings["access_code"]
    device = Device(settings)
    assert write(device, UNLOCK, 0) == 3
    assert write(device, parameter("step_period_ms")[0], 50) == 1


def test_the_code_can_be_changed_and_never_read(unlocked):
    address = parameter("access_code")[0]
    assert write(unlocked, address, 999) == 0
    assert read(unlocked, address, 1) == [0]
    assert read(unlocked, UNLOCK, 3) == [0, 0, 0]  # the old code's unlocking ended with it
    assert unlocked.parameters.value("access_code") == 999


def test_changes_are_reported_with_what_they_need(unlocked):
    assert write(unlocked, parameter("cell_overvoltage_warn_mv")[0], 3590) == 0
    assert write(unlocked, parameter("cell_overvoltage_trip_mv")[0], 3640) == 0
    assert unlocked.changes == [APPLIES_NOW, APPLIES_AFE]


def test_repeating_a_value_is_accepted_and_reports_no_change(unlocked):
    assert write(unlocked, parameter("cell_overvoltage_trip_mv")[0], 3650) == 0
    assert unlocked.changes == []


def test_a_negative_value_is_written(unlocked):
    address, name = parameter("undertemperature_charge_trip_dc")[:2]
    assert write(unlocked, address, *encoded(-55, "i16")) == 0
    assert unlocked.parameters.value(name) == -55
    assert decoded(read(unlocked, address, 1), "i16") == -55


def test_a_batch_takes_effect_as_a_whole(unlocked):
    """Each of these alone contradicts the others' old values: 3650 trip, 3450 release."""
    address = parameter("cell_overvoltage_warn_mv")[0]
    assert write(unlocked, address, 3400, 3420, 500, 3300) == 3  # below charge_cell_mv
    assert write(unlocked, address, 3560, 3580, 500, 3460) == 0
    names = ("warn_mv", "trip_mv", "delay_ms", "release_mv")
    values = [unlocked.parameters.value("cell_overvoltage_" + name) for name in names]
    assert values == [3560, 3580, 500, 3460]
    assert unlocked.changes == [APPLIES_AFE]


def test_a_batch_with_one_bad_value_changes_nothing(unlocked):
    before = unlocked.values()
    address = parameter("cell_overvoltage_warn_mv")[0]
    assert write(unlocked, address, 3500, 3640, 60_000) == 3
    assert unlocked.values() == before
    assert unlocked.changes == []


def test_a_contradiction_between_parameters_is_refused(unlocked):
    before = unlocked.values()
    assert write(unlocked, parameter("cell_overvoltage_release_mv")[0], 3700) == 3
    assert unlocked.values() == before


def test_half_a_32_bit_value_can_not_be_written(unlocked):
    before = unlocked.values()
    address = parameter("charge_current_max_ma")[0]
    assert write(unlocked, address, 1) == 3
    assert write(unlocked, address + 1, 1) == 3
    assert write_16(unlocked, address, 1) == 3
    assert write(unlocked, address + 1, 1, 0) == 3  # its low half, then the next high half
    assert write(unlocked, address, 0, 40_000, 0) == 3
    assert unlocked.values() == before


def test_a_write_that_touches_a_gap_changes_nothing(unlocked):
    before = unlocked.values()
    address = parameter("afe_watchdog_s")[0]
    assert write(unlocked, address, 1, 1) == 2
    assert write(unlocked, address + 1, 1) == 2
    assert write(unlocked, 0x0FFF, 1, 1) == 2
    assert write(unlocked, 0xFFFF, 1) == 2
    assert unlocked.values() == before


@pytest.mark.parametrize("row", PARAMETERS, ids=[row[1] for row in PARAMETERS])
def test_no_value_outside_its_range_is_accepted(unlocked, row):
    address, _, kind, low, high = row
    before = unlocked.values()
    limits = {"i32": (-(1 << 31), (1 << 31) - 1), "i16": (-(1 << 15), (1 << 15) - 1)}
    least, most = limits.get(kind, (0, 0xFFFF))
    for value in {low - 1, high + 1, least, most}:
        if least <= value <= most and not low <= value <= high:
            registers = encoded(value, "u16" if kind == "secret" else kind)
            assert write(unlocked, address, *registers) == 3, value
    assert unlocked.values() == before


def test_nothing_can_be_written_without_a_configuration():
    device = Device(settings=None)
    before = device.values()
    for code in (0, 1):
        assert write(device, UNLOCK, code) == 3
    assert write(device, 0x1001, 16) == 1
    assert device.values() == before


# Commands


@pytest.mark.parametrize(
    ("number", "request_"), [(1, CLEAR_FAULTS), (2, GATES_OFF), (3, GATES_AUTO)]
)
def test_commands_become_requests_to_the_fast_path(unlocked, number, request_):
    assert write(unlocked, COMMAND, number) == 0
    assert unlocked.requests.pending == request_


def test_a_command_while_another_waits_is_answered_with_busy(unlocked):
    write(unlocked, COMMAND, 2)
    assert write(unlocked, COMMAND, 3) == 6
    assert unlocked.requests.pending == GATES_OFF


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 0xFFFF])
def test_no_command_but_the_lock_passes_while_locked(device, number):
    assert write(device, COMMAND, number) == 1
    assert device.requests.pending == NONE


@pytest.mark.parametrize("number", [0, 5, 0xFFFF])
def test_unknown_commands_are_refused(unlocked, number):
    assert write(unlocked, COMMAND, number) == 3
    assert unlocked.requests.pending == NONE


def test_controls_are_written_one_at_a_time_and_only_where_writable(device):
    assert write(device, UNLOCK, CODE, 2) == 2
    assert write_16(device, UNLOCK, CODE) == 0
    assert write(device, UNLOCKED, 1) == 2
    assert write(device, 0x0F03, 1) == 2
    assert read(device, UNLOCK, 4) == 2
    assert device.requests.pending == NONE


@given(
    st.lists(
        st.tuples(
            st.sampled_from((0x00FF, 0x0100, 0x0EFF, 0x0F00, 0x0F01, 0x0F02, 0x1000, 0x10A0)),
            st.integers(0, 0xA8),
            st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=123),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_no_sequence_of_writes_leaves_values_that_contradict_their_table(writes, open_door):
    device = Device()
    if open_door:
        device.unlock()
    before = device.values()
    for base, offset, values in writes:
        write(device, base + offset, *values)
    for _, name, _, low, high in PARAMETERS:
        assert low <= device.parameters.value(name) <= high
    if not open_door and not device.access.unlocked():
        assert device.values() == before
    device.parameters.change([])  # raises if they contradict each other
