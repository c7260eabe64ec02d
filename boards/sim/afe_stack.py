"""Two simulated BQ76952 in a stack, and the wires from both to the switches.

The lower chip sees the lower half of the cells (rounded up) and the shunt, the upper one the rest;
its current inputs are shorted. Each gate conducts while both chips let it be on: DCHG and DDSG of
both lead to the low-side driver, those of the upper one through an isolator whose output is off
while its side has no supply or the wire is cut. The PACK and LD pins of each chip are tied to its
own highest cell. The off lines lead to the lower chip; those pins of the upper one are tied low.
What a BQ76952 has is the lower one's here, so that faults of one chip find one; `lower` and
`upper` are there for the rest.
"""

from boards.sim.bq76952 import Bq76952

_GROUPS = 3  # of cells with a temperature of their own, in the pack


class PackPart:
    """The pack as one chip of the stack sees it: its cells from `first` up to `end`.

    shunt: whether the pack's current flows past this chip. first_sensor: number of its TS1 among
    the sensors of the pack, which sit at its groups of cells in turn.
    """

    load_present = False

    def __init__(self, pack, first, end, shunt, first_sensor):
        self.whole = pack
        self._first = first
        self._end = end
        self._shunt = shunt
        self._first_sensor = first_sensor

    @property
    def cell_v(self):
        """Its cells, V."""
        return self.whole.cell_v[self._first : self._end]

    @property
    def current_a(self):
        """Past its shunt, charging positive."""
        return self.whole.current_a if self._shunt else 0.0

    @property
    def shunt_ohm(self):
        """Of the pack."""
        return self.whole.shunt_ohm

    @property
    def cell_temperature_c(self):
        """At TS1, TS2, TS3."""
        groups = self.whole.cell_temperature_c
        return [groups[(self._first_sensor + pin) % _GROUPS] for pin in range(_GROUPS)]

    @property
    def board_temperature_c(self):
        """One board carries both chips."""
        return self.whole.board_temperature_c

    @property
    def die_extra_c(self):
        """What the lower chip alone is warmer than the board."""
        return getattr(self.whole, "die_extra_c", 0.0) if self._shunt else 0.0

    @property
    def stack_v(self):
        """At its highest cell; a bad contact is the lower one's."""
        own_v = sum(self.cell_v)
        measured_v = getattr(self.whole, "stack_v", None)
        if measured_v is None or not self._shunt:
            return own_v
        return own_v + measured_v - sum(self.whole.cell_v)

    @property
    def bus_v(self):
        """At PACK and LD, which are tied to its highest cell."""
        return sum(self.cell_v)


class AfeStack:
    """`pack` and `crc` as of Bq76952; lower_sensors: cell sensors on the lower chip.

    Out, as of Bq76952: charge_on, discharge_on: what conducts; gate_listener. lower, upper: the
    chips. gate_wire_cut: the upper chip's wire to the switches is broken.
    """

    def __init__(self, pack, crc=False, lower_sensors=1):
        cells = len(pack.cell_v)
        self.split = (cells + 1) // 2
        self.gate_listener = None
        self.gate_wire_cut = False
        self._parts = (
            PackPart(pack, 0, self.split, True, 0),
            PackPart(pack, self.split, cells, False, lower_sensors),
        )
        self.lower = Bq76952(self._parts[0], crc)
        self.upper = Bq76952(self._parts[1], crc)
        self.chips = (self.lower, self.upper)
        self.charge_on = False
        self.discharge_on = False
        for chip in self.chips:
            chip.gate_listener = self._on_gate

    def __getattr__(self, name):
        return getattr(self.lower, name)

    @property
    def pack(self):
        """What both see."""
        return self._parts[0].whole

    @pack.setter
    def pack(self, pack):
        for part in self._parts:
            part.whole = pack

    @property
    def cfetoff(self):
        """Level of the charge gate's off line."""
        return self.lower.cfetoff

    @cfetoff.setter
    def cfetoff(self, level):
        self.lower.cfetoff = level

    @property
    def dfetoff(self):
        """Level of the discharge gate's off line."""
        return self.lower.dfetoff

    @dfetoff.setter
    def dfetoff(self, level):
        self.lower.dfetoff = level

    @property
    def frozen(self):
        """Whether the lower chip's scan stands still."""
        return self.lower.frozen

    @frozen.setter
    def frozen(self, frozen):
        self.lower.frozen = frozen

    @property
    def protections_off(self):
        """Whether the chips' own protections do nothing."""
        return self.lower.protections_off

    @protections_off.setter
    def protections_off(self, off):
        for chip in self.chips:
            chip.protections_off = off

    @property
    def device_number(self):
        """What the lower chip says that it is."""
        return self.lower.device_number

    @device_number.setter
    def device_number(self, number):
        self.lower.device_number = number

    @property
    def neighbours_bled(self):
        """How often adjacent cells of one chip were commanded together."""
        return self.lower.neighbours_bled + self.upper.neighbours_bled

    def advance(self, elapsed_us):
        """Let time pass, with the pack as it is now."""
        for chip in self.chips:
            chip.advance(elapsed_us)

    def next_event_us(self):
        """Time until a chip itself may change a gate or the balancing, if the pack stays."""
        return min(self.lower.next_event_us(), self.upper.next_event_us())

    def pins_changed(self):
        """React to the off lines now."""
        for chip in self.chips:
            chip.pins_changed()
        self.look_at_wires()

    def look_at_wires(self):
        """After a change of gate_wire_cut: what conducts now?"""
        self._on_gate(self.lower.time_us, None, None)

    def bleeding_cells(self):
        """Bit mask of the pack's cells whose balancing switch conducts."""
        return self.lower.bleeding_cells() | self.upper.bleeding_cells() << self.split

    def says_both_on(self):
        """Whether both chips drive DCHG and DDSG high."""
        return self.lower.says_both_on() and self.upper.says_both_on()

    def save(self):
        """The whole state, faults included, as a dict that JSON can hold."""
        return {"lower": self.lower.save(), "upper": self.upper.save(), "cut": self.gate_wire_cut}

    def restore(self, saved):
        """Go on from what save() gave, time beginning at 0; gate_listener is not called."""
        self.lower.restore(saved["lower"])
        self.upper.restore(saved["upper"])
        self.gate_wire_cut = saved["cut"]
        self.charge_on, self.discharge_on = self._conducting()

    def _conducting(self):
        lower, upper = self.lower, self.upper
        wired = not self.gate_wire_cut
        return (
            wired and lower.charge_on and upper.charge_on,
            wired and lower.discharge_on and upper.discharge_on,
        )

    def _on_gate(self, time_us, _charge, _discharge):
        charge, discharge = self._conducting()
        if charge != self.charge_on or discharge != self.discharge_on:
            self.charge_on, self.discharge_on = charge, discharge
            if self.gate_listener is not None:
                self.gate_listener(time_us, charge, discharge)
