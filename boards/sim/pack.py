"""The simulated pack: LiFePO4 cells in series, with true charge, voltage, current and heat.

Goal: cheap enough for a whole simulated day in minutes, true enough that protections, charge
counting and anchors see what a real pack would show them. Every cell is an open-circuit voltage
with hysteresis, one ohmic and one polarization resistance; all share one current, so one charge
counter (`charge_as`) serves them all and counted charge equals stored charge exactly.
A voltage step costs one multiply-add per cell: the open-circuit curve is a straight line inside
the cell's present segment, folded into `a + b * charge`, and found anew only when the first cell
leaves its segment. Heat, hysteresis and what a cell loses alone (self-discharge, balancing) move
once per simulated second.
Limits: no ageing, polarization of one time constant, a cell group's temperature without gradients;
a bled cell's voltage does not drop by the current that bleeds it, as the chip pauses to measure.
The charge/discharge FET pair sits here too, because it decides which current really flows;
contactors, and capacitors behind the switches, are in
dc_bus.py, which then says by `carry` what flows.
"""

from math import exp

from boards.sim.lcg import Lcg

# Rest voltage of a LiFePO4 cell between its charge and discharge curves, drawn by hand in few
# corners: knee below 10 %, the graphite step between 60 and 70 % (estimation.md section 4), knee
# above 98 %. A test finds it within 15 mV of the measured EVE 280 Ah cell of the shared data.
# Beyond 0 and 100 % it is steep, for over-discharge and overcharge faults, then flat: a dead cell.
_OCV_SOC = (
    -1e3, -0.10, -0.01, 0.0, 0.01, 0.02, 0.04, 0.07, 0.10, 0.13, 0.17, 0.22, 0.28, 0.35, 0.45,
    0.58, 0.64, 0.69, 0.75, 0.85, 0.95, 0.98, 0.99, 1.0, 1.01, 1.05, 1e3,
)  # fmt: skip
_OCV_V = (
    0.50, 0.50, 2.40, 2.60, 2.80, 2.94, 3.10, 3.18, 3.21, 3.222, 3.240, 3.262, 3.284, 3.294, 3.299,
    3.307, 3.322, 3.335, 3.338, 3.341, 3.346, 3.370, 3.410, 3.48, 3.70, 4.60, 4.60,
)  # fmt: skip
_HYSTERESIS_V = 0.008  # half the gap between the two curves on the plateau
_HYSTERESIS_SPAN = 0.03  # share of the capacity that turns most of it over

# estimation.md section 4: 0.27 mohm for a 280 Ah cell at 25 degrees, 3.8 times over 50 degrees.
_R0_OHM_AH = 0.27e-3 * 280
_R1_OHM_AH = 0.20e-3 * 280
_R1_TAU_S = 60.0
_R_PER_DEGREE = 0.0267

_CELL_HEAT_J_PER_K_AH = 19.0  # a 5.3 kg cell of 280 Ah at about 1000 J/(kg K)
_COOLING_S = 4 * 3600.0  # a closed pack follows the room within hours
_FORCED_S = 10.0  # a heater pad or a draught on one group of cells: quick enough to watch
_FET_K_PER_A2 = 0.0015  # 15 K warmer at 100 A
_FET_TAU_S = 60.0
_HEATER_W = 200.0  # a pad under a household pack
_FET_LIMIT_C = 250.0  # beyond it nothing is left to heat
_DIODE_V = 0.7
_DIODE_K_PER_A = 0.5  # a body diode burns 0.7 W per ampere instead of milliwatts
_BUS_DECAY_S = 2.0  # a load empties the capacitors behind open gates
_CHARGER_CELL_V = 3.5  # an unloaded charger stands this high per cell
_RESOLUTION_V = 50e-6  # voltages are renewed when they moved this far: the chip shows 1 mV
_BLEED_K_PER_W = 8.0  # resistors and switches of the balancing on the board that holds the chip
_REFOLD_S = 60  # while cells lose charge alone, their segments are looked for so often
_GROUPS = 3  # as many cell thermistors as the AFE reads

_SAVED = (
    "capacity_ah", "charge_as", "current_a", "bus_v", "board_temperature_c", "hysteresis",
    "short_ohm", "stack_offset_v", "charge_welded", "discharge_welded", "cell_temperature_c",
    "_start_soc", "_per_as", "_ratio", "_target_c", "_forced", "_rc_a", "_slow_us", "_slow_as",
    "_heat_a2s", "_board_target_c", "die_extra_c", "leak_a", "lost_as", "wasted_j",
)  # fmt: skip


class Pack:
    """Attributes that the AFE model reads, all floats:

    cell_v: V, lowest cell first; stack_v: what the chip's stack input sees, V;
    current_a: through the shunt, charging positive; cell_temperature_c: three; bus_v: behind
    the gates, V; board_temperature_c: at the FETs; die_extra_c: how much warmer the measuring
    chip's own die is; shunt_ohm; load_present: a load or a short stands at the terminals.
    charger_v: where the charger outside stands when no current flows.
    total_v: all cells, V. heater_on: the heater's pad warms the cells.
    bleeder: who balances, or None: `bleeding_cells()` is a bit mask, `bleed_duty` the share of
    the time that a switch conducts; bleed_ohm: of a cell's way through resistors and switch.
    lost_as: charge that each cell lost alone, ampere-seconds; wasted_j: heat of the balancing.
    soc_spread, capacity_spread, resistance_spread: +- shares; leak_a: self-discharge of each
    cell, drawn between 0 and twice leak_ma.
    Causes of faults: short_ohm (0: none), stack_offset_v (a bad contact of the stack's lead),
    charge_welded, discharge_welded, and the methods below.
    """

    def __init__(
        self, cells=16, capacity_ah=280.0, soc=0.55, seed=1, ambient_c=22.0,
        soc_spread=0.01, capacity_spread=0.015, resistance_spread=0.1, leak_ma=0.0,
    ):  # fmt: skip
        if not 3 <= cells <= 32:
            raise ValueError("a pack has 3 to 32 cells, not %d" % cells)
        self.cells = cells
        self.capacity_ah = capacity_ah
        self.shunt_ohm = 500e-6  # default of the parameter shunt_microohm
        self.charge_as = 0.0  # charge that went in since the start, ampere-seconds
        self.current_a = 0.0
        self.demand_a = 0.0  # what the outside asked for last
        self.board_temperature_c = ambient_c
        self.die_extra_c = 0.0
        self.ambient_c = ambient_c
        self.hysteresis = 0.0  # -1: came by discharging, 1: came by charging
        self.short_ohm = 0.0
        self.stack_offset_v = 0.0
        self.charge_welded = False
        self.discharge_welded = False
        self.heater_on = False
        self.charger_v = _CHARGER_CELL_V * cells
        self.cell_temperature_c = [ambient_c] * _GROUPS
        self.cell_v = [0.0] * cells
        draw = Lcg(seed).uniform
        self._start_soc = [soc + draw(-soc_spread, soc_spread) for _ in range(cells)]
        capacities = _around_one(draw, capacity_spread, cells)
        self._per_as = [1 / (3600 * capacity_ah * share) for share in capacities]
        self._ratio = _around_one(draw, resistance_spread, cells)  # of the usual resistance
        self.leak_a = [draw(0, 2e-3 * leak_ma) for _ in range(cells)]
        self._leaks = leak_ma != 0
        self.bleeder = None
        self.bleed_ohm = 100.0
        self.lost_as = [0.0] * cells
        self.wasted_j = 0.0
        self._bleed_w = 0.0
        self._refold_s = 0.0
        self._target_c = [ambient_c] * _GROUPS
        self._forced = [False] * _GROUPS
        self._board_target_c = None  # what heats the switches from outside
        self._rc_a = 0.0  # current that the polarization has caught up with
        self._slow_us = 0
        self._slow_as = 0.0  # charge_as at the last slow update
        self._heat_a2s = 0.0  # current squared times time since then
        self._seconds = 0.0  # of the present step
        self._through_diode = False
        self._alpha_us = 0
        self._alpha = 0.0
        self._base = [0.0] * cells
        self._slope = [0.0] * cells
        self._warm()
        self.refresh()
        self.bus_v = self.total_v

    def advance(self, elapsed_us, demand_a, charge_on, discharge_on):
        """Let time pass with the current that the outside asks for, as far as the gates let it.

        demand_a: charging positive. Charging needs the charge FET; discharging the discharge FET;
        the other one's body diode conducts in that direction, so it may be off.
        """
        self.demand_a = demand_a
        if self.short_ohm:
            demand_a = self.short_current(self.short_ohm)
        charge_on = charge_on or self.charge_welded
        discharge_on = discharge_on or self.discharge_welded
        if (demand_a > 0 and not charge_on) or (demand_a < 0 and not discharge_on):
            self.current_a = 0.0
        else:
            self.current_a = demand_a
        self._through_diode = not (charge_on and discharge_on)
        self._integrate(elapsed_us)
        if self._through_diode:
            self._open_bus(demand_a, discharge_on)
        else:
            self.bus_v = self.total_v

    def carry(self, elapsed_us, current_a, through_diode):
        """Let time pass with this current, whoever decided it (dc_bus.py)."""
        self.current_a = current_a
        self._through_diode = through_diode
        self._integrate(elapsed_us)

    @property
    def load_present(self):
        """Whether something at the terminals would draw current now."""
        return self.short_ohm > 0 or self.demand_a < 0

    @property
    def resistance_ohm(self):
        """What a sudden current meets, from end to end."""
        return self._r0 * sum(self._ratio)

    def short_current(self, outside_ohm):
        """Current into a resistance at the terminals: the drop of the last step taken back."""
        resistance = self.resistance_ohm
        return -(self.total_v - resistance * self.current_a) / (resistance + outside_ohm)

    def refresh(self):
        """Recompute the voltages now; after a cause was changed from outside."""
        self._find_segments()
        self._voltages()

    def soc(self, cell):
        """True state of charge of a cell, 0..1 (beyond when overcharged or over-discharged)."""
        return self._start_soc[cell] + self.charge_as * self._per_as[cell]

    def soc_bp(self):
        """True state of charge of the pack, 0.01 %: what the cells first empty and first full
        leave to use."""
        left = min([self.soc(cell) / self._per_as[cell] for cell in range(self.cells)])
        room = min([(1 - self.soc(cell)) / self._per_as[cell] for cell in range(self.cells)])
        return int(10000 * left / (left + room) + 0.5)

    def set_cell_soc(self, cell, soc):
        """Charge or discharge one cell alone, at once."""
        self._start_soc[cell] = soc - self.charge_as * self._per_as[cell]
        self.refresh()

    def leak(self, cell, leak_a):
        """Give one cell another self-discharge."""
        self.leak_a[cell] = leak_a
        self._leaks = max(self.leak_a) > 0

    def scale_cell(self, cell, capacity, resistance):
        """Multiply a cell's capacity and resistance; its state of charge stays."""
        soc = self.soc(cell)
        self._per_as[cell] /= capacity
        self._ratio[cell] *= resistance
        self.set_cell_soc(cell, soc)

    def force_temperature(self, group, target_c):
        """Heat or cool one group of cells within seconds, as no room could."""
        self._target_c[group] = target_c
        self._forced[group] = True

    def release_temperature(self, group):
        """Let the group return to the room's temperature, as quickly."""
        self._target_c[group] = self.ambient_c

    def set_room(self, celsius):
        """Another temperature around the pack, which follows it within hours."""
        self.ambient_c = celsius
        for group in range(_GROUPS):
            if not self._forced[group]:
                self._target_c[group] = celsius

    def force_board_temperature(self, target_c):
        """Heat the switches and what is near them within seconds; None: let them cool."""
        self._board_target_c = target_c

    def save(self):
        """The whole state as a dict that JSON can hold."""
        return {name: getattr(self, name) for name in _SAVED}

    def restore(self, saved):
        """Take back what `save` gave; ValueError if it is another pack's."""
        if len(saved["_ratio"]) != self.cells:
            raise ValueError("the saved pack has %d cells: remove it" % len(saved["_ratio"]))
        for name in _SAVED:
            value = saved[name]
            setattr(self, name, list(value) if isinstance(value, (list, tuple)) else value)
        self._leaks = max(self.leak_a) > 0
        self._warm()
        self.refresh()

    # MicroPython keeps a call's variables and stack on the heap beyond 11 words, which costs more
    # than all the rest here. So what runs each step is cut into pieces with few variables.

    def _integrate(self, elapsed_us):
        """Charge, heat and polarization of one step; voltages if they moved."""
        current = self.current_a
        self._seconds = seconds = elapsed_us * 1e-6
        self.charge_as += current * seconds
        self._heat_a2s += current * current * seconds
        if elapsed_us != self._alpha_us:
            self._alpha_us = elapsed_us
            self._alpha = 1 - exp(-seconds / _R1_TAU_S)
        self._rc_a += (current - self._rc_a) * self._alpha
        self._slow_us += elapsed_us
        if self._slow_us >= 1000000:
            self._slow()
        seen = self._r0 * current + self._r1 * self._rc_a - self._shown_drop
        moved = (self.charge_as - self._shown_as) * self._steepest
        if seen + moved > _RESOLUTION_V or seen + moved < -_RESOLUTION_V:
            self._voltages()

    def _voltages(self):
        """All cell voltages, from charge and current."""
        charge = self._shown_as = self.charge_as
        drop = self._shown_drop = self._r0 * self.current_a + self._r1 * self._rc_a
        if not self._charge_low <= charge < self._charge_high:
            self._find_segments()
        cell_v = self.cell_v
        slope = self._slope
        ratio = self._ratio
        total = 0.0
        for cell, base in enumerate(self._base):
            volts = base + slope[cell] * charge + ratio[cell] * drop
            cell_v[cell] = volts
            total += volts
        self.total_v = total
        self.stack_v = total + self.stack_offset_v

    def _find_segments(self):
        """Fold each cell's piece of the curve into base + slope * charge, and note between which
        charges all these pieces hold."""
        low, high = -1e30, 1e30
        steepest = 0.0
        self._folded_hysteresis = self.hysteresis
        shift = self.hysteresis * _HYSTERESIS_V
        last = len(_OCV_SOC) - 2
        for cell in range(self.cells):
            soc = self.soc(cell)
            segment = 0
            while segment < last and soc >= _OCV_SOC[segment + 1]:
                segment += 1
            left, right = _OCV_SOC[segment], _OCV_SOC[segment + 1]
            rise = (_OCV_V[segment + 1] - _OCV_V[segment]) / (right - left)
            start, per_as = self._start_soc[cell], self._per_as[cell]
            self._slope[cell] = rise * per_as
            steepest = max(steepest, self._slope[cell])
            self._base[cell] = _OCV_V[segment] + rise * (start - left) + shift
            if segment > 0:
                low = max(low, (left - start) / per_as)
            if segment < last:
                high = min(high, (right - start) / per_as)
        self._steepest = steepest
        # A cell exactly on its boundary may round to either side: a charge is always inside.
        self._charge_low = min(low, self.charge_as)
        self._charge_high = max(high, self.charge_as + 1e-6)

    def _slow(self):
        """Once per simulated second: hysteresis, heat, resistance."""
        seconds = self._slow_us * 1e-6
        self._slow_us = 0
        moved = self.charge_as - self._slow_as
        self._slow_as = self.charge_as
        if moved:
            share = abs(moved) / (_HYSTERESIS_SPAN * 3600 * self.capacity_ah)
            towards = 1 if moved > 0 else -1
            self.hysteresis += (towards - self.hysteresis) * min(share, 1.0)
        bleeding = self.bleeder.bleeding_cells() if self.bleeder else 0
        if bleeding or self._leaks:
            self._drain(bleeding, seconds)
        else:
            self._bleed_w = 0.0
        a2s = self._heat_a2s
        self._heat_a2s = 0.0
        # Heat of one cell spread over that cell: the same for every group of equal cells.
        cell_j_per_k = _CELL_HEAT_J_PER_K_AH * self.capacity_ah
        warmed = a2s * (self._r0 + self._r1) / cell_j_per_k
        if self.heater_on:
            warmed += _HEATER_W * seconds / (self.cells * cell_j_per_k)
        temperatures = self.cell_temperature_c
        for group in range(_GROUPS):
            gap = self._target_c[group] - temperatures[group]
            tau = _FORCED_S if self._forced[group] else _COOLING_S
            temperatures[group] += gap * min(seconds / tau, 1.0) + warmed
            if self._forced[group] and self._target_c[group] == self.ambient_c and abs(gap) < 0.5:
                self._forced[group] = False
        self._warm_board(a2s, seconds)
        self._warm()
        if abs(self.hysteresis - self._folded_hysteresis) * _HYSTERESIS_V > _RESOLUTION_V:
            self.refresh()

    def _drain(self, bleeding, seconds):
        """What single cells lose: self-discharge, and through their balancing switches."""
        lost_as = self.lost_as
        watts = 0.0
        for cell in range(self.cells):
            loses_a = self.leak_a[cell]
            if bleeding >> cell & 1:
                volts = self.cell_v[cell]
                bled_a = volts / self.bleed_ohm * self.bleeder.bleed_duty
                watts += volts * bled_a
                loses_a += bled_a
            if loses_a:
                lost_as[cell] += loses_a * seconds
                self._start_soc[cell] -= loses_a * seconds * self._per_as[cell]
                self._base[cell] -= loses_a * seconds * self._slope[cell]
        self._bleed_w = watts
        self.wasted_j += watts * seconds
        self._refold_s += seconds
        if self._refold_s >= _REFOLD_S:
            self._refold_s = 0.0
            self._find_segments()
        self._voltages()

    def _warm_board(self, a2s, seconds):
        """Heat of the switches: their resistance, a body diode, or a heat gun."""
        hot, tau_s = self._board_target_c, _FORCED_S
        if hot is None:
            tau_s = _FET_TAU_S
            hot = self.ambient_c + a2s / seconds * _FET_K_PER_A2
            hot += self._bleed_w * _BLEED_K_PER_W
            if self._through_diode:
                hot += abs(self.current_a) * _DIODE_K_PER_A
            hot = min(hot, _FET_LIMIT_C)
        self.board_temperature_c += (hot - self.board_temperature_c) * min(seconds / tau_s, 1.0)

    def _warm(self):
        """Resistances at the present temperature."""
        mean = sum(self.cell_temperature_c) / _GROUPS
        factor = exp(_R_PER_DEGREE * (25 - mean)) / self.capacity_ah
        self._r0 = _R0_OHM_AH * factor
        self._r1 = _R1_OHM_AH * factor

    def _open_bus(self, demand_a, discharge_on):
        """Voltage behind the gates while at least one of them is off."""
        if self.current_a:
            self.bus_v = self.total_v + (_DIODE_V if self.current_a > 0 else -_DIODE_V)
        elif demand_a > 0:
            self.bus_v = max(self.total_v, self.charger_v)
        elif discharge_on:
            self.bus_v = self.total_v - _DIODE_V
        else:
            self.bus_v -= self.bus_v * min(self._seconds / _BUS_DECAY_S, 1.0)


def _around_one(draw, spread, count):
    """Factors from 1 - spread to 1 + spread."""
    return [draw(1 - spread, 1 + spread) for _ in range(count)]
