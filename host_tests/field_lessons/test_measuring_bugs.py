"""Field lessons 1, 4, 5, 6, 7, 12, 17, 40: what is measured, and what a bad measurement does."""

import pytest

from bms.sample import (
    CORRUPT,
    GATE_CHARGE,
    GATE_DISCHARGE,
    GATES_BOTH,
    OK,
)
from bms.table import INVALID
from host_tests.afe.simulated_chip import Bench as ChipBench
from host_tests.bms.bench import Bench
from host_tests.field_lessons.stories import (
    CVL_MV,
    UNLOCK,
    frames,
    gates_at,
    logged_faults,
    run,
    statuses_between,
)

SUBCOMMAND, FET_CONTROL = 0x3E, 0x97
# afe.md section 3: DSG_OFF 1, PDSG_OFF 2, CHG_OFF 4, PCHG_OFF 8; FET status (0x7F) has CHG in
# bit 0 and DSG in bit 2, and a 1 there means on.
FORCED_OFF = {0: 0x0F, GATE_CHARGE: 0x0B, GATE_DISCHARGE: 0x0E, GATES_BOTH: 0x0A}
CELLS_AND_TEMPERATURES = ("pack_voltage_mv", "soc_bp", "temperature_min_dc", "current_ma")
TEMPERATURE_AT = 4  # byte of 0x356: 0.1 C, signed (inverter_can.md 1.1)


class Listener:
    """Between driver and bus: notes what is written, damages one read."""

    def __init__(self, bus):
        self.bus = bus
        self.written = []
        self.reads = 0
        self.damage = None  # (number of the read, bit) to flip

    def writeto_mem(self, address, register, data):
        self.written.append((register, bytes(data)))
        self.bus.writeto_mem(address, register, data)

    def readfrom_mem_into(self, address, register, buffer):
        self.bus.readfrom_mem_into(address, register, buffer)
        self.reads += 1
        if self.damage is not None and self.damage[0] == self.reads:
            bit = self.damage[1] % (8 * len(buffer))
            buffer[bit // 8] ^= 1 << bit % 8


def chip_with_listener(**options):
    """A programmed chip, with a listener between it and the driver."""
    bench = ChipBench(**options)
    bench.bus = Listener(bench.bus)
    bench.restart_host(options.get("crc", False))
    return bench.guard()


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    """The measuring chip says nothing for fifteen seconds."""
    return run(
        tmp_path_factory.mktemp("silent"),
        45,
        orders=[[10, {"inject": "afe_silent"}], [25, {"clear": "afe_silent"}]],
    )


@pytest.fixture(scope="module")
def open_wire(tmp_path_factory):
    """A sense wire breaks: one cell reads next to nothing, its neighbour twice as much."""
    return run(tmp_path_factory.mktemp("wire"), 30, orders=[[10, {"inject": "open_wire"}]])


@pytest.fixture(scope="module")
def no_probe(tmp_path_factory):
    """A temperature sensor's wire breaks."""
    return run(tmp_path_factory.mktemp("probe"), 30, orders=[[10, {"inject": "thermistor_open"}]])


@pytest.mark.parametrize("before", FORCED_OFF)
@pytest.mark.parametrize("wanted", FORCED_OFF)
def test_01_gates_follow_commands_and_status_bits_never_become_commands(before, wanted):
    """LS#84, #87: FET status was written to FET_CONTROL, where the bits mean something else."""
    bench = chip_with_listener()
    assert bench.driver.command_gates(before) == OK
    bench.live(500)
    bench.bus.written.clear()
    assert bench.driver.command_gates(wanted) == OK
    bench.live(500)
    commands = [data for register, data in bench.bus.written if register == SUBCOMMAND]
    assert commands == [bytes((FET_CONTROL, 0, FORCED_OFF[wanted]))]
    assert bench.closed() == (bool(wanted & GATE_CHARGE), bool(wanted & GATE_DISCHARGE))
    assert bench.sample.gates == wanted


def test_01_the_gates_that_are_shown_are_those_that_are_on(silent):
    moved_s = [time_us / 1e6 for time_us, _, _ in silent.end["trace"]]
    for status in statuses_between(silent, 1, 44):
        if any(0 <= status["t_s"] - moved < 0.25 for moved in moved_s):
            continue  # shown by the step after the one that moved them
        assert status["points"]["gates"] == status["truth"]["gates"]


def test_04_without_voltages_nothing_stays_on_and_nothing_is_shown(silent):
    """LS#88, #67: a state machine that stayed in "discharging" through communication errors."""
    for status in statuses_between(silent, 11, 25):
        assert status["points"]["state"] == "fault"
        assert status["points"]["faults"] == ["afe_lost"]
        assert status["truth"]["gates"] == 0
        assert [status["points"][name] for name in CELLS_AND_TEMPERATURES] == [None] * 4
    assert gates_at(silent, 10.7) == 0  # hold-over of 500 ms, and two periods
    assert gates_at(silent, 44) == GATES_BOTH  # and it finds back by itself
    assert silent.statuses[-2]["points"]["cell_min_mv"] > 3000


def test_05_a_damaged_byte_is_corrupt_and_nothing_is_read_again_in_its_place():
    """LS#53: the retry read another byte of the chip's answer."""
    bench = chip_with_listener(crc=True)
    before = bench.bus.reads
    bench.live(100)
    reads = bench.bus.reads - before
    held = list(bench.sample.cell_mv), bench.sample.stack_mv, bench.sample.current_ma
    for damaged in range(1, reads + 1):
        for bit in range(0, 160, 7):
            bench.bus.reads = 0
            bench.bus.damage = (damaged, bit)
            assert bench.driver.sample_into(bench.sample) == CORRUPT, (damaged, bit)
            assert bench.bus.reads == damaged
            now = list(bench.sample.cell_mv), bench.sample.stack_mv, bench.sample.current_ma
            assert now == held
        bench.bus.damage = None
        assert bench.driver.sample_into(bench.sample) == OK


@pytest.mark.parametrize("ours", [True, False])
def test_05_a_wrong_idea_of_the_chips_crc_never_ends_up_guarding(ours):
    """LS#28: the detection of CRC answered the wrong way round."""
    assert ChipBench(crc=ours, chip_crc=not ours).program()[0] != OK
    assert ChipBench(crc=ours, chip_crc=ours).program()[0] == OK


def test_06_a_negative_cell_is_negative():
    """LS PR#73: -1 mV was shown as 65535."""
    bench = ChipBench().guard()
    for volts in (-0.001, -0.5, -3.3):
        bench.pack.cell_v[3] = volts
        bench.live(300)
        assert abs(bench.sample.cell_mv[3] - 1000 * volts) <= 1


def test_06_reversed_leads_read_negative_on_the_console_and_never_as_a_voltage(tmp_path):
    story = run(
        tmp_path,
        12,
        settings={"commissioned": 0},
        faults=["leads_reversed"],
        orders=[[9, {"console": UNLOCK}], [9.5, {"console": "commission wiring\r"}]],
    )
    assert " -33" in story.received["console"].decode()  # 3.3 V, the wrong way round
    assert "6553" not in story.received["console"].decode()
    for status in story.statuses:
        assert set(status["points"]["cell_voltage_mv"]) == {None}
        assert status["truth"]["gates"] == 0


def test_07_a_cell_of_0_v_is_a_named_fault_and_no_failure_of_the_firmware():
    """DIY#210: internal error."""
    bench = Bench().start()
    bench.chip.cell_mv[2] = 0
    bench.run(1000)
    assert bench.faults() == {"measurement_implausible"}
    assert bench.chip.gates() == 0
    assert bench.battery.failure is None
    bench.chip.cell_mv[2] = 3300
    bench.run(6000)
    bench.slow()
    assert bench.faults() == set()
    assert bench.chip.gates() == GATES_BOTH


def test_07_the_inverter_hears_no_current_and_never_an_empty_battery_or_0_v(open_wire):
    """DIY#210: a Multiplus shut the house down."""
    assert logged_faults(open_wire)[0] == "cell_wire_open"
    offered = frames(open_wire, 0x351)
    assert len(offered) >= 28  # once a second, through all of it
    assert offered[-1][2:6] == bytes(4)
    voltages = {int.from_bytes(data[:2], "little") for data in offered}
    # The limit, and what the pack had when the fault came: it freezes there.
    assert len(voltages) == 2
    assert max(voltages) == CVL_MV // 100
    assert min(voltages) >= 500
    assert all(int.from_bytes(data[:2], "little") > 40 for data in frames(open_wire, 0x355))


def test_12_a_missing_probe_is_a_fault_and_no_temperature(no_probe):
    """DIY#252: -39 degrees now and then."""
    assert logged_faults(no_probe)[0] == "thermistor_open"
    for status in statuses_between(no_probe, 7, 29):
        shown = {status["points"]["temperature_min_dc"], *status["points"]["temperature_dc"]}
        assert shown <= ({None} if status["t_s"] >= 11 else {None, *range(150, 300)})
    assert gates_at(no_probe, 10.8) == 0
    for data in frames(no_probe, 0x356):
        celsius = int.from_bytes(data[TEMPERATURE_AT : TEMPERATURE_AT + 2], "little", signed=True)
        assert 150 < celsius < 300


SPIKES = (
    ("cell_mv", 12000),  # Louisvdw#363: 12 V cells
    ("cell_mv", 0),  # and false undervoltage
    ("cell_mv", 65535),
    ("current_ma", -3000000),  # Daly2MQTT#164
    ("current_ma", 3000000),
    ("temperature_dc", -2731),
)


def spike(chip, what, value):
    """Set it; returns what it was."""
    good = getattr(chip, what)
    setattr(chip, what, [value, *good[1:]] if isinstance(good, list) else value)
    return good


@pytest.mark.parametrize(("what", "value"), SPIKES)
def test_17_a_spike_changes_nothing_and_is_never_shown(what, value):
    bench = Bench(cell_undervoltage_delay_ms=0, cell_overvoltage_delay_ms=0).start()
    bench.limits_risen()
    for _ in range(20):
        good = spike(bench.chip, what, value)
        bench.step()
        assert bench.chip.gates() == GATES_BOTH
        assert bench.faults() == set()
        assert bench.point("current_ma") == 0
        assert bench.point("cell_max_mv") == bench.point("cell_min_mv") == 3300
        assert bench.point("temperature_min_dc") == 250
        assert bench.point("charge_current_limit_ma") == bench.setting("charge_current_max_ma")
        setattr(bench.chip, what, good)
        bench.step()


@pytest.mark.parametrize(("what", "value"), SPIKES)
def test_17_what_stays_impossible_opens_and_is_named(what, value):
    bench = Bench().start()
    spike(bench.chip, what, value)
    bench.run(1000)
    assert bench.chip.gates() == 0
    assert len(bench.faults() & {"measurement_implausible", "thermistor_open"}) == 1
    assert bench.point("cell_max_mv") == bench.point("current_ma") == INVALID


def test_40_an_imbalance_of_542_mv_is_told_long_before_it_stops_charging():
    """BE#1225."""
    bench = Bench().start()
    bench.chip.cell_mv[0] = 3420
    bench.chip.cell_mv[1] = 2878
    bench.run(2000)
    assert bench.point("cell_delta_mv") == 542
    assert "cell_imbalance" in bench.warnings()
    assert "cell_imbalance" not in bench.faults()
    bench.chip.cell_mv[0] = 3600
    bench.chip.cell_mv[1] = 2690
    bench.run(11000)
    assert "cell_imbalance" in bench.faults()
    assert bench.point("charge_allowed") == 0
