"""A bus filled up through a resistor: when it may be tried, for how long, and whether it worked.

Goals: the resistor never gets more energy than it bears (field lesson 2), a bus that does not fill
up is given up after three tries (lessons 13 and 14), and nothing closes into a voltage difference.
The resistor dissipates (stack - bus)^2 / ohm, so a try costs at most stack^2 / ohm for its whole
time, which is what a shorted bus takes; into capacitors it is half of C * stack^2 and less. A try
begins only while that worst case fits into what the resistor still bears.
A try that a person or a fault elsewhere interrupts says nothing about the bus: it does not count,
and the heat alone bounds how often that repeats.
Limits: it switches nothing, its owner does (bms.predischarge, bms.contactor_path). A relay that
stays closed because the processor hangs is opened by the chip's host watchdog, which cuts the
coils; the resistor must bear that time, too.
Fast path only; nothing allocates after construction.
"""

TRIES = 3
POWER_PATH_CONTACTOR = 2  # choice of the parameter power_path

_PERMILLE = 1000
_MV_PER_UNIT = 10  # voltages are squared in units of 10 mV, or the squares were heap objects
_UNITS_MAX = 10000  # 100 V; 16 cells have 80 V at most
_ELAPSED_MAX_MS = 10000  # far beyond the chip's host watchdog (5 s), which ends a stalled try
_ENERGY_MAX_MJ = 1 << 29
_CHIP_LOOKS_MS = 250  # SLUUBY2B, predischarge mode: the chip looks at the voltage so often
_WATCHDOG_LATE_MS = 250  # the chip's host watchdog opens the gates so much later than set


def heat_mj(difference_mv, ohm, elapsed_ms):
    """Energy in mJ that `difference_mv` leaves in a resistor, rounded up; never a heap object.

    mV^2 / 10^3 / ohm is mW: with units of 10 mV that is units^2 / 10 / ohm. At the limits above
    mW / 100 is 10^5 and the product with the time 10^9.
    """
    units = min((abs(difference_mv) + _MV_PER_UNIT - 1) // _MV_PER_UNIT, _UNITS_MAX)
    hundred_mw = units * units // (1000 * ohm) + 1
    return min(hundred_mw * min(elapsed_ms, _ELAPSED_MAX_MS - 1) // 10 + 1, _ENERGY_MAX_MJ)


def problem(parameters):
    """Why the precharge parameters can not work together, as a sentence, or "". Allocates.

    `parameters` is the table or anything else with `value(name)`.
    """
    time_max_ms = parameters.value("precharge_time_max_ms")
    needed_ms = 3 * parameters.value("step_period_ms") + _CHIP_LOOKS_MS
    if parameters.value("power_path") == POWER_PATH_CONTACTOR:
        needed_ms += 2 * parameters.value("contactor_settle_ms")
    if time_max_ms < needed_ms:
        return "'precharge_time_max_ms' (%d) must be at least %d: steps and relays take that" % (
            time_max_ms,
            needed_ms,
        )
    full_mv = parameters.value("series_cells") * parameters.value("cell_overvoltage_trip_mv")
    needed_j = 1 + _try_mj(parameters, full_mv) // 1000
    if needed_j > parameters.value("precharge_max_j"):
        return (
            "'precharge_max_j' (%d) must be at least %d: a try into a shorted bus leaves that in "
            "%d ohm; take a stronger resistor, more ohms, or less 'precharge_time_max_ms'"
            % (parameters.value("precharge_max_j"), needed_j, parameters.value("precharge_ohm"))
        )
    return ""


def _try_mj(parameters, stack_mv):
    return heat_mj(stack_mv, parameters.value("precharge_ohm"), _longest_try_ms(parameters))


def _longest_try_ms(parameters):
    """How long the resistor may be on: a late step or a hanging processor ends a try late."""
    time_ms = parameters.value("precharge_time_max_ms") + parameters.value("overrun_ms")
    if parameters.value("power_path") == POWER_PATH_CONTACTOR:
        watchdog_ms = parameters.value("afe_watchdog_s") * 1000 + _WATCHDOG_LATE_MS
        time_ms = max(time_ms, watchdog_ms)
    return time_ms


class Precharge:
    """Tries, time and heat of one resistor."""

    def __init__(self, parameters, faults):
        self._fault = faults.names.index("precharge_failed")
        self._ohm = parameters.value("precharge_ohm")
        self._max_j = parameters.value("precharge_max_j")
        self._cooldown_s = parameters.value("precharge_cooldown_s")
        self._ratio_permille = parameters.value("precharge_ratio_permille")
        self._end_ma = parameters.value("precharge_end_ma")
        self._time_max_ms = parameters.value("precharge_time_max_ms")
        self._try_ms = _longest_try_ms(parameters)
        self._period_ms = parameters.value("step_period_ms")
        self._stack_mv = 0  # when the try began
        self.energy_mj = 0  # in the resistor
        self._cooled = 0  # part of 1 mJ that is already given off, in 1 / cooldown_s
        self._pause_ms = 0  # until a try may follow a failed one
        self._on_ms = 0  # how long the resistor has been on in this try
        self.tries = 0  # failed since the last one that worked
        self.running = False  # the resistor is on
        self.failed = False  # all tries failed, and nobody cleared the fault yet
        self._to_report = False  # it failed after the register was last at hand

    def step(self, sample, measured, elapsed_ms, register):
        """Let time pass, in which the resistor was on if `running`; call it first in a step."""
        if self._to_report:
            self._to_report = False
            register.report(self._fault, 0)
        elif self.failed and not register.is_active(self._fault):
            self.failed = False  # a person cleared it
            self.tries = 0
            self._pause_ms = 0
        if self.running:
            self._on_ms = min(self._on_ms + elapsed_ms, _ELAPSED_MAX_MS)
            difference_mv = sample.stack_mv - sample.bus_mv if measured else self._stack_mv
            heat = heat_mj(difference_mv, self._ohm, elapsed_ms)
            self.energy_mj = min(self.energy_mj + heat, _ENERGY_MAX_MJ)
        else:
            self._rest(min(elapsed_ms, _ELAPSED_MAX_MS))

    def ready(self, stack_mv):
        """Whether a try may begin: tries are left, and its worst case fits into the resistor."""
        worst_mj = heat_mj(stack_mv, self._ohm, self._try_ms)
        return (
            not self.failed
            and self._pause_ms == 0
            and self.energy_mj + worst_mj <= self._max_j * 1000
        )

    def begin(self, stack_mv):
        """The resistor is switched on now."""
        self.running = True
        self._on_ms = 0
        self._stack_mv = stack_mv

    def filled(self, sample):
        """Whether the bus has its share of the stack's voltage, or more."""
        return sample.bus_mv * _PERMILLE >= sample.stack_mv * self._ratio_permille

    def above(self, sample):
        """Whether the bus is further above the stack than it may be below it."""
        allowed_permille = 2 * _PERMILLE - self._ratio_permille
        return sample.bus_mv * _PERMILLE > sample.stack_mv * allowed_permille

    def verified(self, sample):
        """Whether voltages agree within the ratio, and the current through the resistor fell."""
        return (
            self.filled(sample)
            and not self.above(sample)
            and abs(sample.current_ma) < self._end_ma
        )

    def ends(self, reserve_ms):
        """Whether with another step and `reserve_ms` the resistor would be on for too long."""
        return self._on_ms + self._period_ms + reserve_ms > self._time_max_ms

    def stop(self):
        """The resistor is off before it was done, if it was on; that is no failed try."""
        self.running = False

    def fail(self):
        """The bus did not fill up: the resistor was switched off and gets its cool-down time."""
        self.running = False
        self._pause_ms = self._cooldown_s * 1000
        self.tries += 1
        if self.tries >= TRIES:
            self.failed = True
            self._to_report = True  # by the next step

    def succeed(self):
        """The bus is full and the resistor off, or bridged."""
        self.running = False
        self.tries = 0

    def _rest(self, elapsed_ms):
        """Heat leaves evenly: max_j in cooldown_s is max_j / cooldown_s mJ in each ms."""
        self._pause_ms = max(self._pause_ms - elapsed_ms, 0)
        if self.energy_mj:
            cooled = self._cooled + self._max_j * elapsed_ms
            self.energy_mj = max(self.energy_mj - cooled // self._cooldown_s, 0)
            self._cooled = cooled % self._cooldown_s
