"""The simulated DC bus: capacitors behind the switches, the way into them, and a fuse.

An inverter's input capacitors stand behind contactors, or behind FETs with a predischarge path.
The way through the resistor fills them; a main switch that closes into a voltage difference sees
an inrush that is over within microseconds, so it is computed and recorded, not played; the
measuring chip does not see it. Packs that use none of this keep the simple bus of pack.py, which
is quicker.
Limits: a load draws nothing below its under-voltage lock-out; a charger reaches its voltage on an
open bus at once; with the main switch closed the capacitors follow the pack without a current of
their own; the negative pole's side of an open bus is not told apart; what bleeds the bus is a
circuit that rests while the bus is being filled.
"""

from math import exp

_CAPACITY_F = 0.010  # of a hybrid inverter of 5 to 10 kW
_BLEED_S = 300.0  # time constant of a bus that nothing empties
_BLEED_TAUS = 3.0  # a bleed resistor counts as done after so many time constants (5 % left)
_LOCKOUT = 0.7  # of the pack voltage: below it an inverter draws nothing
_LOOP_OHM = 0.010  # cables, contacts and the capacitors' own resistance
_TIED_V = 1.0  # a smaller difference at closing is no inrush
_WELD_INRUSH_A = 1000.0  # a contact that closes into more burns together
_DIODE_V = 0.7
_FUSE_A = 400.0  # class T, in contactor packs
_FUSE_A2S = 100e3  # melts after 25 ms at 2 kA
_FUSE_STEP_US = 1000
_PRECHARGE_STEP_US = 10_000
_SAVED = ("load_ohm", "precharge_open", "fuse_blown", "inrush_a")


class DcBus:
    """used: this bus, instead of the pack's simple one, decides what flows.

    contactors: see contactors.py, used where power_path says so, else the chip's FETs switch.
    precharge_ohm: of the precharge or predischarge resistor. bleed_s: in which the open bus
    empties itself; 0: it does not. inrush_a: the largest since the start.
    Causes of faults: load_ohm (a load across the bus that nobody switches off; 0: none),
    precharge_open (the resistor burned), fuse_blown.
    """

    def __init__(
        self, pack, afe, contactors, by_contactors=False, predischarge=False,
        precharge_ohm=47.0, bleed_s=0.0,
    ):  # fmt: skip
        self.used = by_contactors or predischarge
        self.contactors = contactors
        self.load_ohm = 0.0
        self.precharge_open = False
        self.fuse_blown = False
        self.inrush_a = 0.0
        self._pack = pack
        self._afe = afe
        self._by_contactors = by_contactors
        self._precharge_s = 1 / precharge_ohm  # siemens
        self._bleed_s = _CAPACITY_F / (bleed_s / _BLEED_TAUS if bleed_s else _BLEED_S)
        self._tied = False  # a main switch connects pack and bus
        self._fuse_a2s = 0.0
        if self.used:
            pack.bus_v = 0.0

    def next_event_us(self):
        """Longest step that loses nothing of what is under way."""
        if self._by_contactors:
            self._feed()
            if abs(self._pack.current_a) > _FUSE_A:
                return min(self.contactors.next_event_us(), _FUSE_STEP_US)
        if self._precharges() and not self._tied:
            return min(self.contactors.next_event_us(), _PRECHARGE_STEP_US)
        return self.contactors.next_event_us()

    def advance(self, elapsed_us, demand_a):
        """Let time pass with the current that the outside asks for (charging positive), as far
        as the switches let it."""
        pack = self._pack
        pack.demand_a = demand_a
        if not self._by_contactors:
            self._flow(elapsed_us, demand_a)
            return
        self._feed()
        self._flow(elapsed_us, demand_a)
        self._wear_fuse(elapsed_us)
        if self.contactors.advance(elapsed_us, pack.current_a):
            self._flow(0, demand_a)

    def save(self):
        """State as a dict that JSON can hold; the voltage is the pack's."""
        return {name: getattr(self, name) for name in _SAVED}

    def restore(self, saved):
        """Take back what `save` gave."""
        for name in _SAVED:
            setattr(self, name, saved[name])

    def _feed(self):
        """The coils' supply: cut by either off line, and by either gate output of the chip."""
        afe = self._afe
        self.contactors.feed(not (afe.cfetoff or afe.dfetoff) and afe.says_both_on())

    def _precharges(self):
        if self._by_contactors:
            return self.contactors.precharge_closed
        return self._afe.predischarge_on

    def _flow(self, elapsed_us, demand_a):
        if self._by_contactors:
            charge = discharge = self.contactors.main_closed and not self.fuse_blown
        else:
            charge = self._afe.charge_on or self._pack.charge_welded
            discharge = self._afe.discharge_on or self._pack.discharge_welded
        if discharge or (charge and demand_a > 0):
            self._flow_tied(elapsed_us, demand_a, charge, discharge)
        else:
            self._tied = False
            self._flow_apart(elapsed_us, demand_a)

    def _flow_tied(self, elapsed_us, demand_a, charge, discharge):
        """A main switch connects pack and bus."""
        pack = self._pack
        if not self._tied:
            self._tied = True
            self._close_into(pack.total_v - pack.bus_v)
        outside_ohm = self._outside_ohm()
        if outside_ohm:
            demand_a += pack.short_current(outside_ohm)
        if (demand_a > 0 and not charge) or (demand_a < 0 and not discharge):
            demand_a = 0.0
        both = charge and discharge
        pack.carry(elapsed_us, demand_a, not both)
        if both:
            pack.bus_v = pack.total_v
        else:
            pack.bus_v = pack.total_v + (_DIODE_V if demand_a > 0 else -_DIODE_V)

    def _flow_apart(self, elapsed_us, demand_a):
        """The capacitors are alone with resistor, bleed, loads and charger."""
        pack = self._pack
        before_v = pack.bus_v
        through_s, bleed_s = 0.0, self._bleed_s
        if self._precharges() and not self.precharge_open and not self.fuse_blown:
            through_s, bleed_s = self._precharge_s, 0.0
        outside_ohm = self._outside_ohm()
        all_s = through_s + bleed_s + (1 / outside_ohm if outside_ohm else 0.0)
        goal_v = pack.total_v * through_s / all_s
        taus = elapsed_us * 1e-6 * all_s / _CAPACITY_F
        left = exp(-taus)
        mean_v = before_v
        if taus:
            mean_v = goal_v + (before_v - goal_v) * (1 - left) / taus
        bus_v = goal_v + (before_v - goal_v) * left
        lockout_v = _LOCKOUT * pack.total_v
        if demand_a < 0 and bus_v > lockout_v:
            bus_v = max(lockout_v, bus_v + demand_a * elapsed_us * 1e-6 / _CAPACITY_F)
        elif demand_a > 0 and elapsed_us and not outside_ohm:
            bus_v = mean_v = max(bus_v, pack.charger_v)
        pack.carry(elapsed_us, (mean_v - pack.total_v) * through_s, False)
        pack.bus_v = bus_v

    def _outside_ohm(self):
        """Resistance of short and stubborn load together; 0: none."""
        short_ohm = self._pack.short_ohm
        if short_ohm and self.load_ohm:
            return short_ohm * self.load_ohm / (short_ohm + self.load_ohm)
        return short_ohm or self.load_ohm

    def _close_into(self, difference_v):
        """A main switch closed while pack and bus were this far apart."""
        if -_TIED_V < difference_v < _TIED_V:
            return
        pack = self._pack
        inrush_a = abs(difference_v) / (pack.resistance_ohm + _LOOP_OHM)
        self.inrush_a = max(self.inrush_a, inrush_a)
        pack.charge_as -= _CAPACITY_F * difference_v
        if self._by_contactors and inrush_a > _WELD_INRUSH_A:
            self.contactors.inrush(inrush_a)

    def _wear_fuse(self, elapsed_us):
        current_a = self._pack.current_a
        if abs(current_a) <= _FUSE_A:
            self._fuse_a2s = 0.0
            return
        self._fuse_a2s += current_a * current_a * elapsed_us * 1e-6
        if self._fuse_a2s > _FUSE_A2S:
            self.fuse_blown = True
            self._flow(0, self._pack.demand_a)
