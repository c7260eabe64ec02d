"""The world around the processor: pack, measuring chip, CAN bus with inverter, load, and time.

`advance(elapsed_us)` is all there is to time: it splits at what the measuring chip has due and at
100 ms, and a jump of the current is shown to the chip before its time runs. Everything is
deterministic. State that outlives a reset of the processor goes through `save` and `restore`;
time and the gate trace start at 0 with each run of the processor, the load's day goes on.
Limits: within one split the current is constant. The MCP2515 starts from power-up in each run,
because the firmware resets it anyway.
"""

from boards.sim import faults
from boards.sim.bq76952 import Bq76952
from boards.sim.can_bus import CanBus, CanPort
from boards.sim.i2c import I2C
from boards.sim.inverter import Inverter
from boards.sim.load import ConstantLoad
from boards.sim.mcp2515 import Mcp2515
from boards.sim.pack import Pack
from boards.sim.spi import ChipSelect, Spi

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
}


def _nobody_listens(identifier, data, extended, remote):
    """The outside's listener until somebody connects."""


class World:
    """load: see load.py; crc: the measuring chip is the version with CRC.

    gate_trace: the last 256 changes of the gates as [time_us, charge_on, discharge_on].
    can_outside: the port (see can_bus.py) for programs outside the simulation.
    forced_a: None, or a current that something stronger than the inverter imposes.
    fault_memory: injected faults that stand, with what clearing them needs.
    crossed_us: when a watched limit was crossed, by signal.
    """

    def __init__(
        self, cells=16, capacity_ah=280.0, seed=1, load=None, crc=False, shunt_ohm=500e-6,
        soc=0.55, can_bit_rate=500000, can_oscillator_hz=8000000,
    ):  # fmt: skip
        self.time_us = 0
        self.load = load or ConstantLoad()
        self.pack = Pack(cells, capacity_ah, soc, seed)
        self.pack.shunt_ohm = shunt_ohm
        self.afe = Bq76952(self.pack, crc)
        self.afe.gate_listener = self._on_gate
        self.i2c = I2C()
        self.i2c.attach(self.afe)
        self.can = CanBus(can_bit_rate)
        self.can_oscillator_hz = can_oscillator_hz
        self.can_controller = self.can.join(Mcp2515(can_oscillator_hz))
        self.spi = Spi(self.can_controller)
        self.can_select = ChipSelect(self.spi)
        self.inverter = Inverter()
        self.inverter.obeys = not self.load.recorded
        self.can.join(self.inverter.port)
        self.can_outside = self.can.join(CanPort(_nobody_listens))
        self.forced_a = None
        self.fault_memory = {}
        self.gate_trace = []
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
        self.pack.advance(step_us, demand_a, afe.charge_on, afe.discharge_on)
        self.time_us += step_us
        afe.advance(step_us)
        self.can.advance(step_us)
        if self._watches:
            self._check_watches(step_us)

    def _split(self, end_us):
        """How long the next step may last: at least 1 us, at most to end_us."""
        return min(end_us - self.time_us, _STEP_US, self.afe.next_event_us()) or 1

    def settle(self):
        """Show a sudden change (of the demand, the gates or a fault) to pack and chip, now."""
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

    def watch(self, signal, limit):
        """Note in crossed_us when the truth crosses a limit. Signals: cell_high_mv, cell_low_mv,
        charge_ma, discharge_ma, hot_dc, cold_dc. Between two splits the time is interpolated."""
        sign, read = _SIGNALS[signal]
        self.crossed_us.pop(signal, None)
        self._watches.append([signal, sign, read, limit, read(self.pack)])
        self._check_watches(0)

    def status(self):
        """The truth, in the units of the points; gates as the firmware's bits (charge 1)."""
        pack = self.pack
        return {
            "soc_bp": pack.soc_bp(),
            "cell_voltage_mv": [int(volts * 1000 + 0.5) for volts in pack.cell_v],
            "pack_voltage_mv": int(sum(pack.cell_v) * 1000 + 0.5),
            "current_ma": _rounded(pack.current_a * 1000),
            "demand_ma": _rounded(self._demand_a * 1000),
            "temperature_dc": [_rounded(celsius * 10) for celsius in pack.cell_temperature_c],
            "board_temperature_dc": _rounded(pack.board_temperature_c * 10),
            "gates": (1 if self.afe.charge_on else 0) | (2 if self.afe.discharge_on else 0),
        }

    def save(self):
        """What a reset of the processor leaves as it is, as a dict that JSON can hold."""
        return {
            "pack": self.pack.save(),
            "inverter": self.inverter.save(),
            "load_us": self._load_start_us + self.time_us,
            "faults": self.fault_memory,
        }

    def restore(self, saved):
        """Take back what `save` gave. ValueError: it is of a pack with other cells."""
        self.pack.restore(saved["pack"])
        self.inverter.restore(saved["inverter"])
        self._load_start_us = saved["load_us"]
        faults.resume(self, saved["faults"])

    def _find_demand(self, step_us):
        """What outside wants to flow during the next step, charging positive."""
        wanted_a = self.load.demand_a((self._load_start_us + self.time_us) * 1e-6)
        inverter = self.inverter
        demand_a = inverter.current_a(step_us, wanted_a, self.pack.bus_v)
        if inverter.charge_limit_v:
            self.pack.charger_v = inverter.charge_limit_v
        return demand_a if self.forced_a is None else self.forced_a

    def _on_gate(self, time_us, charge_on, discharge_on):
        trace = self.gate_trace
        if len(trace) >= _TRACE_ENTRIES:
            trace.pop(0)
        trace.append([time_us, charge_on, discharge_on])

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


def _rounded(value):
    return int(value + (0.5 if value >= 0 else -0.5))
