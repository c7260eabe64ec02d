"""Passive balancing: which cells shall be bled now, and why not.

Charge-based: a cell is bled by what it surely has more than the least charged one
(`Imbalance.floor_uah`), wherever on the curve the pack is, and what is bled is counted off. Near
the top, with little current, the voltages themselves say who has too much, which carries the
charge-based part to its end.
Goals: never below the lowest cell's charge; never while something forbids to discharge
(bms.bleeder asks that again in every step); nothing bleeds long after the latest charging, so that
a stored pack is not drained; the chip's rules come with its driver as numbers. Which cells go
first: those whose pair with a neighbour has most to lose, because neighbours can not be bled
together; that keeps the longest wait the shortest.
Limits: slow path, integers below 2**30 but for masks of more than 30 cells, one selected cell a
turn; a plan lives for fourteen turns.
The bleed current is what the resistance and the chip's duty make of the cell's voltage, not
measured.
"""

from array import array

from bms.imbalance import KNOWN_BP
from bms.points import (
    BALANCING_BALANCED,
    BALANCING_BLEEDING,
    BALANCING_BLOCKED,
    BALANCING_BOARD_HOT,
    BALANCING_CELL_TEMPERATURE,
    BALANCING_CHARGE_LOW,
    BALANCING_IDLE,
    BALANCING_LEARNING,
    BALANCING_NOT_MEASURED,
    BALANCING_OFF,
    BALANCING_REFUSED,
    BALANCING_SUSPECT,
)

_READS = (
    "balancing_enabled", "balance_start_permille", "balance_start_mv", "balance_top_mv",
    "balance_ohm", "balance_cells_max", "balance_power_max_mw", "balance_cell_min_dc",
    "balance_cell_max_dc", "balance_board_max_dc", "balance_charge_min_bp", "balance_idle_h",
)  # fmt: skip
(
    _ENABLED, _START_PERMILLE, _START_MV, _TOP_MV, _OHM, _CELLS_MAX, _POWER_MAX, _CELL_MIN,
    _CELL_MAX, _BOARD_MAX, _SOC_MIN, _IDLE,
) = range(len(_READS))  # fmt: skip

_NOTHING = -1
_NOTHING_BELOW = 1 << 29
_WEIGH_TURNS = 4  # in each a quarter of the cells; before them one to count off
_PLAN_TURNS = 14  # then eight to select some, and one to begin
_COOLED_DC = 50  # a board that was too hot must be cooler by this
_HOUR_MS = 3600000
_LONG_MS = 1 << 29
# Charging: this share of the capacity in one hour, and no less than an offset of the sensor.
_CHARGING_SHARE = 200
_CHARGING_MA = 50
_CALM_SHARE = 5  # voltages tell little about charge above a fifth of the capacity in one hour
_MV_BP = 2  # charge that a millivolt near the top stands for at least, 0.01 % of the capacity
_TIE_SHARE = 4  # of two neighbours the one that has more, so that both come down together
_NWH_PER_MWH = 1000000
_COUNT_MAX_MS = 60000


class Balancing:
    """`imbalance` is a bms.imbalance.Imbalance that others keep up to date, `bleeder` a
    bms.bleeder.Bleeder.

    rules: of the chip: neighbours allowed together, most cells at a time, share of the time that a
    cell is bled in 1/1000 (the chip pauses to measure).
    state: BALANCING_* of bms.points; loss_mwh: energy bled since the start.
    """

    def __init__(self, parameters, imbalance, bleeder, rules):
        self.state = BALANCING_NOT_MEASURED
        self.loss_mwh = 0
        self.imbalance = imbalance
        self._bleeder = bleeder
        self._neighbours, self._most, self._duty_permille = rules
        self._values = parameters.values
        self._indices = array("H", [parameters.index(name) for name in _READS])
        cells = len(imbalance.sigma_bp)
        self._needs = array("i", [0] * cells)  # what to bleed, 0.001 mAh
        self._needy = 0  # cells that began: they go on until they are done
        self._chosen = 0  # of the plan that is being made
        self._plan = 0  # that is carried out
        self._turn = 0
        self._floor_uah = _NOTHING_BELOW  # of the next plan; none for the first one
        self._bleeding_ms = 0  # since it was counted off, of the cells in `_counted`
        self._counted = 0
        # Nobody knows for how long the pack stood before the start: it must charge first.
        self._idle_ms = _LONG_MS
        self._hot = False
        self._rest_nwh = 0

    @property
    def suspect(self):
        """Position of the first cell whose bleeding has no effect; -1: none."""
        suspects = self.imbalance.suspects
        for cell in range(len(self._needs)):
            if suspects >> cell & 1:
                return cell
        return -1

    def unmeasured(self):
        """A turn without a valid measurement: nothing is bled, nothing is known."""
        self._stop(BALANCING_NOT_MEASURED)
        self._bleeding_ms = 0
        self._counted = 0

    def step(self, elapsed_ms, values, at, lowest_mv, highest_mv, current_ma, board_dc,
             coldest_dc, warmest_dc, soc_bp):  # fmt: skip
        """One turn with a valid measurement: cells' voltages in mV in `values` from `at` on."""
        self._count_off(elapsed_ms, values, at)
        capacity_ma = self.imbalance.uah_per_bp * 10  # that flow for an hour
        if current_ma >= max(_CHARGING_MA, capacity_ma // _CHARGING_SHARE):
            self._idle_ms = 0
        else:
            self._idle_ms = min(self._idle_ms + elapsed_ms, _LONG_MS)
        limit_dc = self._value(_BOARD_MAX)
        self._hot = board_dc > (limit_dc - _COOLED_DC if self._hot else limit_dc)
        why_not = self._why_not(coldest_dc, warmest_dc, soc_bp)
        if why_not != _NOTHING:
            self._stop(why_not)
            return
        turn = self._turn
        if 0 < turn <= _WEIGH_TURNS:
            near_top = (
                highest_mv >= self._value(_TOP_MV) and abs(current_ma) < capacity_ma // _CALM_SHARE
            )
            self._weigh(values, at, lowest_mv if near_top else highest_mv)
            self._chosen = 0
        elif 0 < turn < _PLAN_TURNS - 1:
            if turn <= _WEIGH_TURNS + self._cells_at_once(highest_mv):
                self._choose()
        elif turn:
            self._plan = self._chosen
            self._floor_uah = self.imbalance.floor_uah()
        self._turn = (turn + 1) % _PLAN_TURNS
        self._bleeder.want(self._plan)
        if self._plan:
            self.state = BALANCING_BLEEDING
        elif turn == _PLAN_TURNS - 1:
            self.state = BALANCING_BALANCED if self._all_known() else BALANCING_LEARNING

    def _why_not(self, coldest_dc, warmest_dc, soc_bp):
        """BALANCING_* of what forbids to bleed anything now, or _NOTHING."""
        value = self._value
        suspects = self.imbalance.suspects
        if not value(_ENABLED):
            return BALANCING_OFF
        if not self._bleeder.permitted:
            return BALANCING_BLOCKED
        if suspects & suspects - 1:  # one is a switch that broke, two are cells mixed up
            return BALANCING_SUSPECT
        if self._bleeder.refused:
            return BALANCING_REFUSED
        if not value(_CELL_MIN) <= coldest_dc or not warmest_dc <= value(_CELL_MAX):
            return BALANCING_CELL_TEMPERATURE
        if self._hot:
            return BALANCING_BOARD_HOT
        if soc_bp < value(_SOC_MIN):
            return BALANCING_CHARGE_LOW
        if self._idle_ms >= value(_IDLE) * _HOUR_MS:
            return BALANCING_IDLE
        return _NOTHING

    def _stop(self, why):
        self._turn = 0
        self._plan = 0
        self._bleeder.want(0)
        self.state = why

    def _count_off(self, elapsed_ms, values, at):
        """What was bled; counted when the cells change, or once for each plan."""
        active = self._bleeder.active | self._bleeder.active_high << 16
        if active == self._counted and self._bleeding_ms < 1000 * _PLAN_TURNS:
            self._bleeding_ms += elapsed_ms
            return
        counted = self._counted
        cell = 0
        while counted:
            if counted & 1:
                mv = values[at + cell]
                bleed_ua = mv * self._duty_permille // self._value(_OHM)
                uah = bleed_ua // 10 * (self._bleeding_ms // 100) // 3600
                self.imbalance.bled(cell, uah)
                self._rest_nwh += uah * mv
            counted >>= 1
            cell += 1
        self.loss_mwh += self._rest_nwh // _NWH_PER_MWH
        self._rest_nwh %= _NWH_PER_MWH
        self._counted = active
        self._bleeding_ms = min(elapsed_ms, _COUNT_MAX_MS) if active else 0

    def _weigh(self, values, at, reference_mv):
        """What a quarter of the cells have too much, by their charge and by their voltage above
        `reference_mv`."""
        imbalance = self.imbalance
        uah_per_bp = imbalance.uah_per_bp
        floor_uah = self._floor_uah
        start_uah = 10 * self._value(_START_PERMILLE) * uah_per_bp
        start_mv = self._value(_START_MV)
        needy = self._needy
        for cell in range(self._turn - 1, len(self._needs), _WEIGH_TURNS):
            need = 0
            begun = needy >> cell & 1
            if not imbalance.suspects >> cell & 1:
                if imbalance.sigma_bp[cell] <= KNOWN_BP:
                    need = imbalance.charge_uah[cell] - floor_uah
                    if need < (0 if begun else start_uah):
                        need = 0
                apart_mv = values[at + cell] - reference_mv
                if apart_mv >= (start_mv >> 1 if begun else start_mv):
                    need = max(need, apart_mv * _MV_BP * uah_per_bp)
            self._needs[cell] = need
            if need:
                needy |= 1 << cell
            else:
                needy &= ~(1 << cell)
                self._plan &= ~(1 << cell)  # done: not for the rest of this plan either
        self._needy = needy

    def _choose(self):
        """Add the cell that, with the needier of its neighbours, has most to lose."""
        needs = self._needs
        taken = self._chosen
        if not self._neighbours:
            taken |= self._chosen << 1 | self._chosen >> 1
        best = -1
        most = 0
        last = len(needs) - 1
        for cell in range(last + 1):
            need = needs[cell]
            if need and not taken >> cell & 1:
                beside = needs[cell - 1] if cell else 0
                if cell < last:
                    beside = max(beside, needs[cell + 1])
                beside += need + need // _TIE_SHARE
                if beside > most:
                    most = beside
                    best = cell
        if best >= 0:
            self._chosen |= 1 << best

    def _cells_at_once(self, highest_mv):
        """How many cells the settings, the chip and the heat allow."""
        cell_mw = highest_mv * highest_mv // (1000 * self._value(_OHM)) + 1
        return min(self._value(_CELLS_MAX), self._most, self._value(_POWER_MAX) // cell_mw)

    def _all_known(self):
        return max(self.imbalance.sigma_bp) <= KNOWN_BP

    def _value(self, which):
        return self._values[self._indices[which]]
