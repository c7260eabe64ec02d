"""The world around the processor: pack, chips, switches, CAN bus with inverter, load, and time.

`advance(elapsed_us)` is all there is to time: it splits at what the measuring chip has due and at
100 ms, and a jump of the current is shown to the chip before its time runs. Everything is
deterministic. State that outlives a reset of the processor goes through `save` and `restore`;
time and the gate trace start at 0 with each run of the processor, the load's day goes on. Parts
that a pack does not have (contactors, a bus with capacitors, an INA228) are there all the same, so
that faults find them, but cost no time.
Limits: within one split the current is constant. The MCP2515 starts from power-up in each run,
because the firmware resets it anyway.
"""

from boards.sim import faults
from boards.sim.afe_stack import AfeStack
from boards.sim.bq769x0 import Bq769x0
from boards.sim.bq76952 import Bq76952
from boards.sim.can_bus import CanBus, CanPort
from boards.sim.contactors import Contactors
from boards.sim.dc_bus import DcBus
from boards.sim.i2c import I2C
from boards.sim.ina228 import Ina228
from boards.sim.inverter import Inverter
from boards.sim.load import ConstantLoad
from boards.sim.mcp2515 import Mcp2515
from boards.sim.outputs import Outputs
from boards.sim.pack import Pack
from boards.sim.retained import Retained
from boards.sim.spi import ChipSelect, InterruptLine, Spi
from boards.sim.supply import Supply
from boards.sim.wiring import Wiring

_STEP_US = 100000
_JUMP_A = 20.0  # a change of current that a protection of milliseconds could tell
_TRACE_ENTRIES = 256

# What tests may watch: name, sign (1: crossed upwards), value of the pack in the name's unit
_SIGNALS = {
    "cell_high_mv": (1, lambda pack: max(pack.cell_v) * 1000),
    "cell_low_mv": (-1, lambda pack: min(pack.cell_v) * 1000),
    "charge_ma": (1, lambda pack: pack.current_a * 1000),
    "discharge_ma": (1, lambda pack: pack.current_a * -1000),
    "hot_dc": (1, lambda pack: max(pack.cell_temperature_c) * 10),
    "cold_dc": (-1, lambda pack: min(pack.cell_temperature_c) * 10),
    "board_dc": (1, lambda pack: pack.board_temperature_c * 10),
}


def _nobody_listens(identifier, data, extended, remote):
    """The outside's listener until somebody connects."""


class World:
    """load: see load.py; crc: the measuring chip is the version with CRC. afe_inputs: of a
    BQ769x0, 0 for a BQ76952. board_pin: which of its sensors is at the switches, from 0, or None.
    contactor_poles: 0: FETs switch; predischarge: these have a way around for empty capacitors;
    precharge_ohm, break_a, bleed_s: see contactors.py and dc_bus.py. ina228_ohm: the shunt of an
    INA228 on a bus of its own; 0: there is none. language: of the inverter; see
    inverter_languages.py. lower_sensors: cell sensors on the lower one of a stack of two BQ76952,
    None for a single chip; the upper one is on the INA228's bus. bleed_ohm: of a cell's way when
    it is balanced; spread: how the cells differ, arguments of pack.py.

    gate_trace: the last 256 changes of the gates as [time_us, charge_on, discharge_on].
    contact_trace: those of what conducts of the contactors, as [time_us, bits of contactors.py].
    can_outside: the port (see can_bus.py) for programs outside the simulation.
    forced_a: None, or a current that something stronger than the inverter imposes.
    interlock_closed: the loop of the emergency stop.
    wiring: what is wired wrongly between pack and chip; see rewire().
    nuisances: what happens again and again, by name: [period_us, due_us, act].
    fault_memory: injected faults that stand, with what clearing them needs.
    crossed_us: when a watched limit was crossed, by signal.
    """

    def __init__(
        self, cells=16, capacity_ah=280.0, seed=1, load=None, crc=False, shunt_ohm=500e-6,
        soc=0.55, can_bit_rate=500000, can_oscillator_hz=8000000, contactor_poles=0,
        predischarge=False, precharge_ohm=47.0, break_a=250.0, bleed_s=0.0, ina228_ohm=0.0,
        language=None, bleed_ohm=100.0, spread=None, afe_inputs=0, board_pin=None,
        lower_sensors=None,
    ):  # fmt: skip
        self.time_us = 0
        self.load = load or ConstantLoad()
        self.pack = Pack(cells, capacity_ah, soc, seed, **(spread or {}))
        self.pack.bleed_ohm = bleed_ohm
        # With an INA228 the measuring chip's current inputs are shorted.
        self.pack.shunt_ohm = 0.0 if ina228_ohm else shunt_ohm
        if lower_sensors is not None:
            self.afe = AfeStack(self.pack, crc, lower_sensors)
        elif afe_inputs:
            self.afe = Bq769x0(self.pack, crc, afe_inputs, board_pin=board_pin)
        else:
            self.afe = Bq76952(self.pack, crc)
        self.afe.gate_listener = self._on_gate
        self.pack.bleeder = self.afe
        self.supply = Supply(self.pack, self.afe)
        self.afe.mode_listener = self.supply.note
        self.i2c = I2C()
        self.i2c.attach(self.afe if lower_sensors is None else self.afe.lower)
        self.wiring = Wiring(self.pack)
        self.contactors = Contactors(contactor_poles or 1, break_a)
        self.dc_bus = DcBus(
            self.pack, self.afe, self.contactors, contactor_poles > 0, predischarge,
            precharge_ohm, bleed_s,
        )  # fmt: skip
        self._bus = self.dc_bus if self.dc_bus.used else None
        self.sensor_i2c = I2C()
        if lower_sensors is not None:
            self.sensor_i2c.attach(self.afe.upper)
        self.ina228 = Ina228(self.pack, lambda: self.time_us, ina228_ohm)
        if ina228_ohm:
            self.sensor_i2c.attach(self.ina228)
        self.outputs = Outputs(self.pack)
        self.interlock_closed = True
        self.retained = Retained()
        self.can = CanBus(can_bit_rate)
        self.can_oscillator_hz = can_oscillator_hz
        self.can_controller = self.can.join(Mcp2515(can_oscillator_hz))
        self.spi = Spi(self.can_controller)
        self.can_select = ChipSelect(self.spi)
        self.can_interrupt = InterruptLine(self.can_controller)
        self.inverter = Inverter(language)
        self.inverter.obeys = not self.load.recorded
        self.can.join(self.inverter.port)
        self.can_outside = self.can.join(CanPort(_nobody_listens))
        self.forced_a = None
        self.nuisances = {}
        self.fault_memory = {}
        self.gate_trace = []
        self.contact_trace = []
        self._contact_bits = 0
        self.crossed_us = {}
        self._load_start_us = 0  # the load's time when this run began
        self._demand_a = 0.0
        self._watches = []

    def advance(self, elapsed_us):
        """Let time pass."""
        end_us = self.time_us + elapsed_us
        while self.time_us < end_us:
            self._advance_once(end_us)

    def _advance_once(self, end_us):
        # Few variables: see the note in pack.py.
        afe = self.afe
        step_us = self._split(end_us)
        demand_a = self._find_demand(step_us)
        if not -_JUMP_A < demand_a - self._demand_a < _JUMP_A:
            self._demand_a = demand_a
            self.settle()
            step_us = self._split(end_us)
        self._demand_a = demand_a
        if self._bus:
            self._bus.advance(step_us, demand_a)
            self._trace_contacts(self.time_us + step_us)
        else:
            self.pack.advance(step_us, demand_a, afe.charge_on, afe.discharge_on)
        self.time_us += step_us
        afe.advance(step_us)
        self.can.advance(step_us)
        if self._watches or self.nuisances:
            self._check_watches(step_us)
            self._play_nuisances()

    def _split(self, end_us):
        """How long the next step may last: at least 1 us, at most to end_us."""
        if self._bus:
            end_us = min(end_us, self.time_us + self._bus.next_event_us())
        return min(end_us - self.time_us, _STEP_US, self.afe.next_event_us()) or 1

    def settle(self):
        """Show a sudden change (of the demand, the gates or a fault) to pack and chip, now."""
        if self._bus:
            self._bus.advance(0, self._demand_a)
            self._trace_contacts(self.time_us)
        else:
            self.pack.advance(0, self._demand_a, self.afe.charge_on, self.afe.discharge_on)
        self.afe.advance(0)
        self._check_watches(0)

    def set_off_lines(self, charge=None, discharge=None):
        """Levels of the lines to CFETOFF and DFETOFF; None leaves a line as it is."""
        if charge is not None:
            self.afe.cfetoff = charge
        if discharge is not None:
            self.afe.dfetoff = discharge
        self.afe.pins_changed()

    def rewire(self):
        """After a change of `wiring`: the chip sees the pack through it, if anything is wrong."""
        self.afe.pack = self.pack if self.wiring.as_it_should_be else self.wiring

    def watch(self, signal, limit):
        """Note in crossed_us when the truth crosses a limit; the signals are those of _SIGNALS.
        Between two splits the time is interpolated."""
        sign, read = _SIGNALS[signal]
        self.crossed_us.pop(signal, None)
        self._watches.append([signal, sign, read, limit, read(self.pack)])
        self._check_watches(0)

    def status(self):
        """The truth, in the units of the points; gates as the firmware's bits (charge 1),
        contactors as those of contactors.py (positive 1)."""
        pack = self.pack
        return {
            "soc_bp": pack.soc_bp(),
            "cell_voltage_mv": [int(volts * 1000 + 0.5) for volts in pack.cell_v],
            "cell_soc_bp": [_rounded(10000 * pack.soc(cell)) for cell in range(pack.cells)],
            "bleeding": self.afe.bleeding_cells(),
            "neighbours_bled": self.afe.neighbours_bled,
            "lost_mah": [_rounded(lost / 3.6) for lost in pack.lost_as],
            "wasted_mwh": _rounded(pack.wasted_j / 3.6),
            "pack_voltage_mv": int(sum(pack.cell_v) * 1000 + 0.5),
            "current_ma": _rounded(pack.current_a * 1000),
            "demand_ma": _rounded(self._demand_a * 1000),
            "temperature_dc": [_rounded(celsius * 10) for celsius in pack.cell_temperature_c],
            "board_temperature_dc": _rounded(pack.board_temperature_c * 10),
            "gates": (1 if self.afe.charge_on else 0) | (2 if self.afe.discharge_on else 0),
            "bus_mv": _rounded(pack.bus_v * 1000),
            "contactors": self.contactors.bits(),
            "inrush_ma": _rounded(self.dc_bus.inrush_a * 1000),
            "welds": self.contactors.welds,
            "fuse_blown": self.dc_bus.fuse_blown,
            "outputs": self.outputs.levels,
            "supply": self.supply.report(),
        }

    def save(self):
        """What a reset of the processor leaves as it is, as a dict that JSON can hold."""
        return {
            "pack": self.pack.save(),
            "inverter": self.inverter.save(),
            "load_us": self._load_start_us + self.time_us,
            "faults": self.fault_memory,
            "afe": self.afe.save(),
            "contactors": self.contactors.save(),
            "dc_bus": self.dc_bus.save(),
            "ina228": self.ina228.save(),
            "retained": self.retained.save(),
        }

    def restore(self, saved, powered=True):
        """Take back what `save` gave. ValueError: it is of a pack with other cells.

        powered: the processor alone was reset; else the board lost its supply, so chips and
        retained memory begin anew. While the processor is in reset both off lines say "off".
        """
        self.pack.restore(saved["pack"])
        self.inverter.restore(saved["inverter"])
        self._load_start_us = saved["load_us"]
        self.contactors.restore(saved["contactors"])
        self._contact_bits = self.contactors.bits()
        self.dc_bus.restore(saved["dc_bus"])
        if powered:
            self.afe.restore(saved["afe"])
            self.ina228.restore(saved["ina228"])
            self.retained.restore(saved["retained"])
        self.supply.note()
        self.set_off_lines(1, 1)
        faults.resume(self, saved["faults"])

    def _find_demand(self, step_us):
        """What outside wants to flow during the next step, charging positive."""
        wanted_a = self.load.demand_a((self._load_start_us + self.time_us) * 1e-6)
        inverter = self.inverter
        demand_a = inverter.current_a(step_us, wanted_a, self.pack.bus_v)
        if inverter.charge_limit_v:
            self.pack.charger_v = inverter.charge_limit_v
        if inverter.obeys and demand_a > 0 and self._is_charger_below():
            demand_a = 0.0
        return demand_a if self.forced_a is None else self.forced_a

    def _is_charger_below(self):
        """Whether a charger that obeys stands below the pack, behind a body diode that blocks."""
        pack = self.pack
        blocked = self.afe.charge_on and not (self.afe.discharge_on or pack.discharge_welded)
        return blocked and pack.current_a <= 0 and pack.charger_v < pack.total_v

    def _on_gate(self, time_us, charge_on, discharge_on):
        _append(self.gate_trace, [time_us, charge_on, discharge_on])

    def _trace_contacts(self, time_us):
        bits = self.contactors.bits()
        if bits != self._contact_bits:
            self._contact_bits = bits
            _append(self.contact_trace, [time_us, bits])

    def _play_nuisances(self):
        for nuisance in self.nuisances.values():
            period_us, due_us, act = nuisance
            if self.time_us >= due_us:
                nuisance[1] = self.time_us + period_us
                act(self)

    def _check_watches(self, step_us):
        """Note crossings of the last step."""
        for watch in self._watches:
            signal, sign, read, limit, before = watch
            value = read(self.pack)
            watch[4] = value
            if signal in self.crossed_us or (value - limit) * sign < 0:
                continue
            share = 1.0
            if (before - limit) * sign < 0:
                share = (limit - before) / (value - before)
            self.crossed_us[signal] = self.time_us - int(step_us * (1 - share))


def _append(trace, entry):
    if len(trace) >= _TRACE_ENTRIES:
        trace.pop(0)
    trace.append(entry)


def _rounded(value):
    return int(value + (0.5 if value >= 0 else -0.5))
