"""The simulated BQ769x0 against its documents (afe.md section 8, SLUSBK2I), by a host that speaks
raw registers: nothing here knows the driver."""

import json

import pytest

from boards.sim import faults
from boards.sim.bq769x0 import Bq769x0
from boards.sim.i2c import I2C
from boards.sim.load import ConstantLoad
from boards.sim.world import World
from host_tests.sim.bq76952_bench import BenchPack, crc8_by_the_book

ADDRESS = 0x08
MS = 1000
S = 1_000_000
OCD, SCD, OV, UV, OVRD, XREADY, CC_READY = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x80
GAIN_UV, OFFSET_MV = 377, 31


class Bench:
    """A booted chip, converting, with CC_EN, and both gates on. Shunt: 1 mohm, so 1 A is 1 mV."""

    def __init__(self, cells=15, inputs=15, crc=False):
        self.pack = BenchPack(cells)
        self.chip = Bq769x0(self.pack, crc, inputs, GAIN_UV, OFFSET_MV)
        self.crc = crc
        self.bus = I2C(100_000)
        self.bus.attach(self.chip)
        self.gates = []
        self.chip.gate_listener = lambda *change: self.gates.append(change)
        self.chip.advance(20 * MS)

    def start(self, protect=(0x80, 0x0F, 0x00), over=0x60, under=0xB2):
        for register, value in zip(range(6, 9), protect, strict=True):
            self.write(register, value)
        self.write(9, over)
        self.write(10, under)
        self.write(11, 0x19)
        self.write(4, 0x18)
        self.write(5, 0x43)
        assert (self.chip.charge_on, self.chip.discharge_on) == (True, True)
        return self

    def read(self, register, count=1):
        buf = bytearray(2 * count if self.crc else count)
        self.bus.readfrom_mem_into(ADDRESS, register, buf)
        return bytes(buf)

    def byte(self, register):
        return self.read(register)[0]

    def word(self, register):
        return int.from_bytes(self.read(register, 2), "big")

    def write(self, register, *values):
        self.bus.writeto_mem(ADDRESS, register, bytes(values))

    def run_ms(self, ms):
        self.chip.advance(ms * MS)

    def closed(self):
        return self.chip.charge_on, self.chip.discharge_on


def test_gain_and_offset_are_where_the_factory_writes_them():
    bench = Bench()
    high, low = bench.byte(0x50), bench.byte(0x59)
    assert 365 + ((high & 0x0C) << 1 | low >> 5) == GAIN_UV
    assert bench.byte(0x51) == OFFSET_MV


def test_nothing_is_measured_before_the_host_asks_for_it():
    bench = Bench()
    bench.run_ms(3000)
    assert bench.word(0x0C) == 0
    assert bench.byte(0) == 0


def test_cells_stack_and_current_read_as_the_formulas_have_them():
    bench = Bench().start()
    bench.pack.cell_v[6] = 3.456
    bench.pack.current_a = -20.0
    bench.run_ms(300)
    volts = bench.word(0x0C + 2 * 6) * GAIN_UV * 1e-6 + OFFSET_MV * 1e-3
    assert volts == pytest.approx(3.456, abs=0.0004)
    stack_v = 4 * GAIN_UV * 1e-6 * bench.word(0x2A) + 15 * OFFSET_MV * 1e-3
    assert stack_v == pytest.approx(sum(bench.pack.cell_v), abs=0.002)
    counts = bench.word(0x32) - 0x10000
    assert counts * 8.44e-6 == pytest.approx(-0.020, abs=5e-6)  # 1 mohm


def test_the_registers_of_shorted_inputs_are_no_cells_and_do_not_trip():
    bench = Bench(cells=13).start()
    bench.run_ms(10_000)
    read = [bench.word(0x0C + 2 * i) for i in range(15)]
    assert [i for i in range(15) if read[i] == 0] == [8, 13]  # VC9 and VC14, E2E 985977
    assert bench.byte(0) == CC_READY


def test_a_scan_takes_250_ms_and_cc_ready_stays_until_it_is_written_away():
    bench = Bench().start()
    bench.run_ms(249)
    assert bench.byte(0) == 0
    bench.run_ms(2)
    assert bench.byte(0) == CC_READY
    bench.write(0, 0)
    assert bench.byte(0) == CC_READY
    bench.write(0, CC_READY)
    assert bench.byte(0) == 0
    bench.run_ms(250)
    assert bench.byte(0) == CC_READY


@pytest.mark.parametrize(("setting", "seconds"), [(0, 1), (1, 2), (2, 4), (3, 8)])
def test_over_voltage_clears_the_charge_bit_after_its_delay(setting, seconds):
    bench = Bench().start(protect=(0x80, 0x0F, setting << 4))
    bench.pack.cell_v[3] = 3.75
    bench.run_ms(1000 * seconds - 10)
    assert bench.closed() == (True, True)
    bench.run_ms(270)
    assert bench.closed() == (False, True)
    assert bench.byte(0) & OV
    assert bench.byte(5) & 3 == 2


@pytest.mark.parametrize(("setting", "seconds"), [(0, 1), (1, 4), (2, 8), (3, 16)])
def test_under_voltage_clears_the_discharge_bit_after_its_delay(setting, seconds):
    bench = Bench().start(protect=(0x80, 0x0F, setting << 6))
    bench.pack.cell_v[3] = 2.5
    bench.run_ms(1000 * seconds - 10)
    assert bench.closed() == (True, True)
    bench.run_ms(270)
    assert bench.closed() == (True, False)
    assert bench.byte(0) & UV


def test_trips_are_readings_with_fixed_ends():
    """0x60 is reading 0x2608: 3701.2 mV; 0xB2 is 0x1B20: 2649.1 mV."""
    for volts, bit in ((3.700, 0), (3.703, OV), (2.651, 0), (2.647, UV)):
        bench = Bench().start()
        bench.pack.cell_v[0] = volts
        bench.run_ms(6000)
        assert bench.byte(0) & (OV | UV) == bit


@pytest.mark.parametrize(
    ("protect", "amperes", "within_ms"),
    [((0x87, 0x00, 0), 17, 8), ((0x87, 0x7F, 0), 100, 1280), ((0x07, 0x3F, 0), 50, 80)],
)
def test_over_current_in_discharge(protect, amperes, within_ms):
    bench = Bench().start(protect)
    bench.pack.current_a = -(amperes - 0.5)
    bench.run_ms(5000)
    assert bench.closed() == (True, True)
    bench.pack.current_a = -(amperes + 0.1)
    bench.run_ms(within_ms - 1)
    assert bench.closed() == (True, True)
    bench.run_ms(2)
    assert bench.closed() == (True, False)
    assert bench.byte(0) & OCD


def test_a_short_circuit_opens_discharge_within_microseconds():
    bench = Bench().start((0x88 | 0x07, 0x0F, 0))  # 200 mV, 100 us
    bench.pack.current_a = -201.0
    bench.chip.advance(99)
    assert bench.closed() == (True, True)
    bench.chip.advance(2)
    assert bench.closed() == (True, False)
    assert bench.byte(0) & SCD


def test_a_charge_current_of_any_size_trips_nothing():
    bench = Bench().start()
    bench.pack.current_a = 400.0
    bench.run_ms(20_000)
    assert bench.byte(0) == CC_READY
    assert bench.closed() == (True, True)


def test_nothing_closes_a_gate_but_the_host_and_not_before_it_cleared_the_trip():
    """SLUSBK2I: the host must first clear the status bit, then set the gate's bit again."""
    bench = Bench().start()
    bench.pack.cell_v[3] = 3.75
    bench.run_ms(1500)
    bench.pack.cell_v[3] = 3.3
    bench.run_ms(60_000)
    assert bench.closed() == (False, True)
    bench.write(5, 0x43)
    assert bench.closed() == (False, True)
    bench.write(0, OV)
    assert bench.closed() == (False, True)
    bench.write(5, 0x43)
    assert bench.closed() == (True, True)


def test_a_cause_that_stands_trips_again_after_its_delay():
    bench = Bench().start()
    bench.pack.cell_v[3] = 3.75
    bench.run_ms(1500)
    bench.write(0, OV)
    bench.write(5, 0x43)
    assert bench.closed() == (True, True)
    bench.run_ms(1300)
    assert bench.closed() == (False, True)


def test_alert_is_overridden_only_while_the_chip_does_not_drive_it():
    bench = Bench().start()
    bench.run_ms(300)  # CC_READY: ALERT is high by the chip itself
    bench.chip.alert_in = 1
    bench.run_ms(300)
    assert bench.closed() == (True, True)
    bench.write(0, CC_READY)
    assert bench.closed() == (False, False)
    assert bench.byte(0) & OVRD


def test_an_error_in_the_chip_opens_both():
    bench = Bench().start()
    bench.chip.fail()
    assert bench.closed() == (False, False)
    assert bench.byte(0) & XREADY


def test_the_boards_transistors_open_a_gate_whatever_the_bit_says():
    bench = Bench().start()
    bench.chip.cfetoff = 1
    bench.chip.pins_changed()
    assert bench.closed() == (False, True)
    assert bench.byte(5) & 3 == 3
    bench.chip.cfetoff = 0
    bench.chip.pins_changed()
    assert bench.closed() == (True, True)


def test_dies_and_thermistors_share_registers_and_a_new_choice_shows_at_the_next_measurement():
    bench = Bench().start()
    bench.pack.cell_temperature_c = [25.0, 0.0, 50.0]
    bench.pack.board_temperature_c = 65.0
    bench.run_ms(2100)
    for at, kilohm in enumerate((10.0, 27.28, 4.160)):  # Semitec 103AT-2
        counts = bench.word(0x2C + 2 * at)
        assert counts * 382e-6 == pytest.approx(3.3 * kilohm / (kilohm + 10), abs=0.006)
    bench.write(4, 0x10)
    bench.run_ms(300)
    assert bench.word(0x2C) * 382e-6 == pytest.approx(1.65, abs=0.006)
    bench.run_ms(2000)
    for at in range(3):
        assert bench.word(0x2C + 2 * at) * 382e-6 == pytest.approx(1.2 - 0.0042 * 40, abs=0.001)


def test_a_load_shows_only_while_the_charge_gate_is_off():
    bench = Bench().start()
    bench.pack.load_present = True
    assert not bench.byte(4) & 0x80
    bench.write(5, 0x40)
    assert bench.byte(4) & 0x80
    bench.pack.load_present = False
    assert not bench.byte(4) & 0x80


def test_ship_mode_is_three_writes_in_order_and_a_boot_begins_anew():
    bench = Bench().start()
    for value in (0x00, 0x02, 0x01, 0x00):
        bench.write(4, value)
    assert bench.byte(0x0B) == 0x19
    for value in (0x00, 0x01, 0x02):
        bench.write(4, value)
    assert bench.closed() == (False, False)
    with pytest.raises(OSError):
        bench.byte(0)
    bench.chip.boot()
    bench.run_ms(11)
    assert bench.byte(0x0B) == 0


def test_a_lost_supply_leaves_defaults_and_no_answer_for_10_ms():
    bench = Bench().start()
    bench.chip.power_on_reset()
    assert bench.closed() == (False, False)
    bench.run_ms(9)
    with pytest.raises(OSError):
        bench.byte(0)
    bench.run_ms(2)
    defaults = bytearray(12)
    defaults[9:11] = (0xAC, 0x97)  # UV_TRIP: E2E 961091
    assert bench.read(0, 12) == defaults
    assert bench.byte(0x51) == OFFSET_MV


def test_crc_covers_what_the_data_sheet_says():
    """Read: the first byte's CRC is over address and byte, the others over their byte."""
    bench = Bench(crc=True)
    wire = bench.read(0x50, 2)
    assert wire[1] == crc8_by_the_book([ADDRESS << 1 | 1, wire[0]])
    assert wire[3] == crc8_by_the_book([wire[2]])
    good = crc8_by_the_book([ADDRESS << 1, 0x0B, 0x19])
    bench.write(0x0B, 0x19, good)
    assert bench.read(0x0B)[0] == 0x19
    with pytest.raises(OSError):
        bench.write(0x0B, 0x00, good)
    assert bench.read(0x0B)[0] == 0x19


def test_balancing_is_by_input_and_neighbours_are_noted():
    bench = Bench(cells=13)
    bench.write(1, 0x05)
    bench.write(2, 0x10)  # input 10 is cell 9
    bench.write(3, 0x10)  # input 15 is cell 13
    assert bench.chip.bleeding_cells() == 0b1_0001_0000_0101
    assert bench.chip.neighbours_bled == 0
    bench.write(1, 0x10)  # cell 5
    bench.write(2, 0x01)  # cell 6, beside it
    bench.write(3, 0x00)
    assert bench.chip.neighbours_bled == 1


def test_an_open_wire_shows_once_a_cell_beside_it_is_bled():
    bench = Bench().start()
    bench.chip.open_wires.add(5)
    bench.run_ms(1000)
    bench.write(1, 0x10)  # cell 5
    bench.write(3, 0x00)
    bench.run_ms(300)
    low = bench.word(0x0C + 2 * 4) * GAIN_UV * 1e-3 + OFFSET_MV
    high = bench.word(0x0C + 2 * 5) * GAIN_UV * 1e-3 + OFFSET_MV
    assert low < 300
    assert low + high == pytest.approx(6600, abs=420)  # the converter ends at 6.2 V
    bench.chip.open_wires.clear()
    bench.run_ms(300)
    assert bench.word(0x0C + 2 * 4) > 8000


def test_a_standing_converter_guards_no_cell():
    bench = Bench().start()
    bench.run_ms(300)
    bench.chip.frozen = True
    bench.write(0, CC_READY)
    bench.pack.cell_v[3] = 3.9
    bench.run_ms(20_000)
    assert bench.byte(0) == 0
    assert bench.closed() == (True, True)


def test_its_state_outlives_the_processor_through_json():
    bench = Bench().start()
    bench.chip.open_wires.add(4)
    bench.chip.stuck_balance.add(2)
    bench.chip.thermistor_faults[1] = "open"
    bench.write(1, 0x08)
    bench.write(3, 0x00)
    bench.pack.cell_v[3] = 3.75
    bench.run_ms(700)  # its delay is under way
    saved = json.loads(json.dumps(bench.chip.save()))
    other = Bench()
    other.pack.cell_v[3] = 3.75
    other.chip.restore(saved)
    assert other.closed() == (True, True)
    assert other.chip.registers == bench.chip.registers
    assert other.chip.open_wires == {4}
    assert other.chip.stuck_balance == {2}
    assert other.chip.thermistor_faults == [None, "open", None, None]
    other.run_ms(600)
    assert other.closed() == (False, True)


@pytest.mark.parametrize("name", [name for name, _ in faults.FAULTS])
def test_every_fault_of_the_world_can_be_injected_and_mended(name):
    world = World(cells=15, load=ConstantLoad(), afe_inputs=15)
    world.advance(1 * S)
    faults.inject(world, name)
    world.advance(1 * S)
    faults.clear(world, name)
    world.advance(1 * S)
    saved = json.loads(json.dumps(world.save()))
    World(cells=15, load=ConstantLoad(), afe_inputs=15).restore(saved)
