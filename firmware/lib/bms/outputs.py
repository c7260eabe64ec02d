"""Alarm relay, heater and fan: what they do in each step.

Goals: an alarm whenever a fault blocks a direction; a heater that only uses power that comes in,
never the pack's own; a fan that rather runs in vain. Only outputs that the configuration says are
fitted are ever switched on.
Limits: nothing here protects anything; a heater needs its own thermal cut-out.
Fast path only; nothing allocates after construction. After the fast path stopped itself, step it
once more with everything blocked and nothing known.
"""

from bms.protection import BOARD_DC, TEMPERATURE_MAX_DC, TEMPERATURE_MIN_DC

ALARM = 1
HEATER = 2
FAN = 4

_REST_STEPS = 600  # a minute at the usual ten steps a second
_NOISE_MA = 100  # a measured current below this may be none
_CHARGER_MV = 100  # a bus this far above the stack can only come from a charger


def power_comes_in(sample):
    """Whether the pack is charged, or a charger waits on the bus of an open path."""
    return sample.current_ma > 0 or (
        sample.current_ma > -_NOISE_MA and sample.bus_mv > sample.stack_mv + _CHARGER_MV
    )


class Outputs:
    """`outputs` is the board's object: alarm(level), heater(level), fan(level), 1 for on."""

    def __init__(self, outputs, parameters):
        self._alarm = outputs.alarm
        self._heater = outputs.heater
        self._fan = outputs.fan
        self._values = parameters.values
        self._fitted = (
            (ALARM if parameters.value("alarm_relay") else 0)
            | (HEATER if parameters.value("heater") else 0)
            | (FAN if parameters.value("fan") else 0)
        )
        self._heater_on = parameters.index("heater_on_dc")
        self._heater_off = parameters.index("heater_off_dc")
        self._fan_on = parameters.index("fan_on_dc")
        self._fan_off = parameters.index("fan_off_dc")
        self._heats = False  # the heater was on in the step before
        self._rest_steps = 0  # until it may be switched on again
        self.on = 0  # ALARM, HEATER and FAN bits
        self._drive(0)

    def step(self, blocked, known, cold_dc, warm_dc, board_dc, power_in):
        """Switch the outputs.

        blocked: GATE_* bits that faults block; known: the temperatures count; cold_dc, warm_dc:
        coldest and warmest cell; board_dc: at the switches; power_in: see power_comes_in.
        """
        on = ALARM if blocked else 0
        rests = self._heater_rests()
        if known:
            if power_in and not rests and self._needs_heat(cold_dc, warm_dc):
                on |= HEATER
            if self._needs_air(max(warm_dc, board_dc)):
                on |= FAN
        else:
            # Blind: heat can do harm, air can not, and what can not be seen may be hot.
            on |= FAN
        self._drive(on & self._fitted)

    def drive(self, blocked, measurement):
        """`step` with what a bms.measurement.Measurement knows."""
        signals = measurement.signals
        self.step(
            blocked,
            measurement.valid,
            signals[TEMPERATURE_MIN_DC],
            signals[TEMPERATURE_MAX_DC],
            signals[BOARD_DC],
            power_comes_in(measurement.sample),
        )

    def _heater_rests(self):
        """A heater that takes more than comes in would switch itself off and on for ever."""
        if self._heats and not self.on & HEATER:
            self._rest_steps = _REST_STEPS
        self._heats = bool(self.on & HEATER)
        self._rest_steps = max(0, self._rest_steps - 1)
        return self._rest_steps > 0

    def _needs_heat(self, cold_dc, warm_dc):
        values = self._values
        if warm_dc > values[self._fan_on]:
            return False  # the heater heats another place than the coldest sensor's
        if self.on & HEATER:
            return cold_dc <= values[self._heater_off]
        return cold_dc < values[self._heater_on]

    def _needs_air(self, warm_dc):
        if self.on & FAN:
            return warm_dc >= self._values[self._fan_off]
        return warm_dc > self._values[self._fan_on]

    def _drive(self, on):
        self.on = on
        self._alarm(1 if on & ALARM else 0)
        self._heater(1 if on & HEATER else 0)
        self._fan(1 if on & FAN else 0)
