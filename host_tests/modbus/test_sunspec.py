"""SunSpec models 1, 802 and 803, read by pysunspec2 itself."""

import pytest
import sunspec2.modbus.client as sunspec
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, WriteSingleRegisterRequest

from bms.points import STATE_ACTIVE, STATE_FAULT, STATE_STANDBY
from bms.requests import CLEAR_FAULTS, GATES_AUTO, GATES_OFF, NONE
from bms.table import INVALID
from host_tests.links.bench import CODE, PACK, Desk
from host_tests.modbus.bench import ADDRESS, adu, parse
from modbus.registers import RegisterMap
from modbus.server import MAX_ADU, Server

BASE = 40000
BATTERY = BASE + 2 + 68
LITHIUM = BATTERY + 64
END = LITHIUM + 60


class Device(Desk):
    """The register map with the faults table, and a server over it."""

    def __init__(self, **shown):
        super().__init__(**shown)
        registers = RegisterMap(
            self.points, self.parameters, self.access, self.requests, self.changes.append,
            self.faults,
        )  # fmt: skip
        self.server = Server(ADDRESS, registers)
        assert registers.asleep(40000) and not registers.asleep(0x0100)
        for _ in registers.wake():
            pass
        assert not registers.asleep(40000)

    def ask(self, message):
        frame = bytearray(adu(message))
        response = bytearray(MAX_ADU)
        return parse(response[: self.server.respond(frame, len(frame), response)])

    def read(self, address, count=1):
        return self.ask(ReadHoldingRegistersRequest(address=address, count=count)).registers

    def write(self, address, value):
        return self.ask(WriteSingleRegisterRequest(address=address, registers=[value]))


class Client(sunspec.SunSpecModbusClientDevice):
    """pysunspec2 with this device as its wire."""

    def __init__(self, device):
        super().__init__()
        self._device = device

    def read(self, addr, count, op=None):
        addr, count = int(addr), int(count)  # it divides bytes by two
        out = b""
        while count:
            piece = min(count, 125)
            answer = self._device.ask(ReadHoldingRegistersRequest(address=addr, count=piece))
            if answer.isError():
                raise sunspec.SunSpecModbusClientError(str(answer))
            out += b"".join(word.to_bytes(2, "big") for word in answer.registers)
            addr += piece
            count -= piece
        return out

    def write(self, addr, data):
        value = int.from_bytes(data[:2], "big")
        answer = self._device.write(addr, value)
        if answer.isError():
            raise sunspec.SunSpecModbusClientError(str(answer))

    def connect(self, timeout=None):
        pass

    def disconnect(self):
        pass


@pytest.fixture
def device():
    return Device(current_ma=-12_340, power_w=-655)


@pytest.fixture
def client(device):
    made = Client(device)
    made.scan()
    return made


def test_the_models_are_found_in_their_order(client):
    assert [model.model_id for model in client.model_list] == [1, 802, 803]
    assert (client.common[0].model_len, client.models[802][0].model_len) == (66, 62)
    assert client.models[803][0].model_len == 26 + 32


def test_the_common_model_names_us(client):
    common = client.common[0]
    assert common.Mn.value == "Cellsteward"
    assert common.SN.value
    assert common.DA.value == 1


def test_the_battery_in_units(client):
    battery = client.models[802][0]
    assert battery.AHRtg.cvalue == 280
    assert battery.WHRtg.cvalue == pytest.approx(280 * 16 * 3.25, abs=10)
    assert battery.WChaRteMax.cvalue == pytest.approx(50 * 16 * 3.5, abs=10)
    assert battery.WDisChaRteMax.cvalue == pytest.approx(100 * 16 * 3.0, abs=10)
    assert battery.SoC.cvalue == pytest.approx(81.24)
    assert battery.DoD.cvalue == pytest.approx(18.76)
    assert battery.SoH.cvalue == pytest.approx(99.5)
    assert battery.NCyc.value == 12
    assert battery.ChaSt.value == 3  # discharging
    assert (battery.LocRemCtl.value, battery.Typ.value, battery.State.value) == (1, 4, 3)
    assert battery.V.cvalue == pytest.approx(53.12)
    assert battery.VMax.cvalue == pytest.approx(56.0)
    assert battery.VMin.cvalue == pytest.approx(48.0)
    assert battery.CellVMax.cvalue == pytest.approx(3.341)
    assert battery.CellVMin.cvalue == pytest.approx(3.312)
    assert battery.CellVAvg.cvalue == pytest.approx(3.327)
    assert battery.A.cvalue == pytest.approx(-12.3)
    assert battery.AChaMax.cvalue == pytest.approx(50)
    assert battery.ADisChaMax.cvalue == pytest.approx(100)
    assert battery.W.cvalue == pytest.approx(-650)
    assert battery.Evt1.value == battery.Evt2.value == 0
    assert battery.SocRsvMax.value is None and battery.ReqW.value is None


def test_the_lithium_bank_in_units(client):
    bank = client.models[803][0]
    assert (bank.NStr.value, bank.NStrCon.value) == (1, 1)
    assert bank.ModTmpMax.cvalue == pytest.approx(22.6)
    assert bank.ModTmpMin.cvalue == pytest.approx(21.4)
    assert bank.ModTmpAvg.cvalue == pytest.approx(22.0)
    assert bank.StrVMax.cvalue == pytest.approx(53.12)
    string = bank.string[0]
    assert string.StrNMod.value == 1
    assert string.StrSt.value == 3
    assert string.StrSoC.cvalue == pytest.approx(81.24)
    assert string.StrA.cvalue == pytest.approx(-12.3)
    assert string.StrCellVMax.cvalue == pytest.approx(3.341)
    assert string.StrCellVAvg.cvalue == pytest.approx(3.327)
    assert string.StrModTmpAvg.cvalue == pytest.approx(22.0)
    assert string.StrDisRsn.value == 0


def test_any_words_are_read_at_any_offset_as_the_whole(device):
    whole = device.read(BASE, 125) + device.read(BASE + 125, END + 2 - BASE - 125)
    assert whole[:2] == [0x5375, 0x6E53]
    assert whole[-2:] == [0xFFFF, 0]
    for first in range(len(whole)):
        for count in (1, 3, 68):
            if first + count <= len(whole):
                assert device.read(BASE + first, count) == whole[first : first + count]


def test_beyond_the_end_there_is_nothing(device):
    answer = device.ask(ReadHoldingRegistersRequest(address=END + 1, count=2))
    assert answer.exception_code == 2
    answer = device.ask(ReadHoldingRegistersRequest(address=50000, count=2))
    assert answer.exception_code == 2


def test_without_measurement_nothing_reads_as_a_value(device, client):
    for name in PACK:
        if name not in ("series_cells", "state", "gates", "faults", "warnings", "balancing"):
            count = device.points.counts[device.points.index(name)]
            device.publish(**{name: (INVALID,) * count})
    battery = client.models[802][0]
    battery.read()
    for point in (
        "SoC",
        "DoD",
        "V",
        "CellVMax",
        "CellVMin",
        "CellVAvg",
        "A",
        "W",
        "ChaSt",
        "VMax",
    ):
        assert getattr(battery, point).value is None, point
    bank = client.models[803][0]
    bank.read()
    for point in ("ModTmpMax", "ModTmpMin", "ModTmpAvg", "StrVMax", "StrAMax"):
        assert getattr(bank, point).value is None, point


# serial_protocols.md 2.2, bits of Evt1
ALARMS = {
    "afe_lost": 0, "overtemperature_charge": 1, "overtemperature_discharge": 1,
    "undertemperature_charge": 3, "overcurrent_charge": 5, "overcurrent_discharge": 7,
    "cell_overvoltage": 9, "cell_undervoltage": 11, "contactor_stuck_open": 20,
    "interlock_open": 23, "boot_loop": 25, "configuration_invalid": 28,
}  # fmt: skip
WARNINGS = {
    "overtemperature_charge": 2, "undertemperature_discharge": 4, "overcurrent_charge": 6,
    "overcurrent_discharge": 8, "pack_overvoltage": 10, "pack_undervoltage": 12,
    "cell_imbalance": 17, "inverter_lost": 26,
}  # fmt: skip


@pytest.mark.parametrize(("which", "bits"), [("faults", ALARMS), ("warnings", WARNINGS)])
def test_each_fault_and_warning_alone_sets_exactly_its_bit(device, which, bits):
    for name, bit in bits.items():
        device.raise_faults(which, name)
        high, low = device.read(BATTERY + 26, 2)
        assert high << 16 | low == 1 << bit, name
        assert device.read(LITHIUM + 48, 2) == [high, low]


def test_all_faults_are_there_by_our_own_numbers_in_the_vendor_events(device):
    for fault in range(len(device.faults)):
        device.raise_faults("faults", device.faults.names.name(fault))
        words = device.read(BATTERY + 30, 4)
        value = (words[2] << 16 | words[3]) << 32 | words[0] << 16 | words[1]
        assert value == 1 << fault


@pytest.mark.parametrize(
    ("state", "expected", "reason"),
    [(STATE_ACTIVE, 3, 4), (STATE_FAULT, 99, 1), (STATE_STANDBY, 4, 3)],
)
def test_the_state_and_why_it_is_disconnected(device, state, expected, reason):
    device.publish(state=state, gates=0)
    assert device.read(BATTERY + 22) == [expected]
    assert device.read(LITHIUM + 45) == [reason]
    assert device.read(LITHIUM + 3) == [0]


@pytest.mark.parametrize(
    ("offset", "value", "request_"),
    [(20, 1, CLEAR_FAULTS), (50, 1, GATES_AUTO), (50, 2, GATES_OFF)],
)
def test_commands_need_the_code_and_are_requests_to_the_fast_path(device, offset, value, request_):
    assert device.write(BATTERY + offset, value).exception_code == 1
    assert device.requests.pending == NONE
    device.access.authorize(CODE)
    assert not device.write(BATTERY + offset, value).isError()
    assert device.requests.pending == request_


def test_the_operation_that_is_in_force_can_be_read_back(device):
    for state, operation in ((STATE_ACTIVE, 1), (STATE_FAULT, 1), (STATE_STANDBY, 2)):
        device.publish(state=state)
        assert device.read(BATTERY + 50) == [operation]


def test_the_state_of_the_inverter_is_what_its_controller_says(device):
    """Mandatory in model 802; nothing here needs it. Not implemented until somebody says it."""
    assert device.read(BATTERY + 51) == [0xFFFF]
    assert device.write(BATTERY + 51, 3).exception_code == 1
    device.access.authorize(CODE)
    assert not device.write(BATTERY + 51, 3).isError()
    assert device.read(BATTERY + 51) == [3]
    assert device.requests.pending == NONE


@pytest.mark.parametrize("model", [1, 802, 803])
def test_every_mandatory_point_of_the_model_definition_has_a_value(client, model):
    """By pysunspec2's definitions; a pad has none, and an inverter's state see above."""
    read = client.models[model][0]
    read.read()
    groups = [read] if model != 803 else [read, read.string[0]]
    seen = 0
    for group in groups:
        for name, point in group.points.items():
            definition = point.pdef
            if definition.get("mandatory") != "M" or definition["type"] == "pad":
                continue
            seen += 1
            if name != "SetInvState":
                assert point.value is not None, name
            symbols = [symbol["value"] for symbol in definition.get("symbols", ())]
            if definition["type"] == "enum16" and symbols and point.value is not None:
                assert point.value in symbols, name
    assert seen >= {1: 2, 802: 20, 803: 12}[model]


def test_other_values_and_other_words_are_refused(device):
    device.access.authorize(CODE)
    for offset, value, code in (
        (50, 0, 3), (50, 3, 3), (51, 0, 3), (51, 4, 3), (20, 2, 3), (9, 1, 2), (19, 1, 2),
    ):  # fmt: skip
        assert device.write(BATTERY + offset, value).exception_code == code
    assert not device.write(BATTERY + 20, 0).isError()
    assert device.requests.pending == NONE
