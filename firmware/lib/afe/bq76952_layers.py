"""Who acts first: the software or a BQ76952's own protections; and what would turn that round.

Law 5: each protection says which layer is first and by what margin. Voltages of cells and
temperatures belong to the software: the chip trips beyond, and waits longer. Fast over-current
belongs to the chip by time: the software's slow trip lies below it, its backup comes later. Short
circuit and host watchdog are the chip's alone. (A slow trip whose delay is set shorter than the
chip's lets the software open first also above the fast trip. That is nobody's danger.)
Goals: a configuration is refused with a sentence that says what to do if the chip's steps and
ranges would let it act in the wrong order, or much later than asked. What it would take is
computed for the proposed values; the running settings are not touched.
Limits: for start-up and configuration code: allocates, and takes some ms. Imported when needed.
"""

from afe.bq76952_settings import Settings, temperature_delay_ms

_AFE_SENSOR = 0  # value of the parameter current_sensor
_CONTACTOR = 2  # value of the parameter power_path

# Software first: protection (begins the names of its parameters), unit, 1 if it trips above (-1:
# below), least margin. The margins asked for are parameters and never less than these; the end of
# the chip's range may take them away. The chip's delays can not come first: they are the
# software's and at least 100 ms, well within its ranges (6.7 s for voltages, 255 s for
# temperatures).
_SOFTWARE_FIRST = (
    ("cell_overvoltage", "mv", 1, 20),
    ("cell_undervoltage", "mv", -1, 20),
    ("overtemperature_charge", "dc", 1, 10),
    ("overtemperature_discharge", "dc", 1, 10),
    ("undertemperature_charge", "dc", -1, 10),
    ("undertemperature_discharge", "dc", -1, 10),
    ("fet_overtemperature", "dc", 1, 10),
    ("afe_overtemperature", "dc", 1, 10),
)
# Chip first: what it takes (a parameter's name), the software's trip that must lie below.
_CHIP_FIRST = (
    ("fast_overcurrent_charge_ma", "overcurrent_charge_trip_ma"),
    ("fast_overcurrent_discharge_ma", "overcurrent_discharge_trip_ma"),
    ("short_circuit_trip_ma", "overcurrent_discharge_trip_ma"),
)

_TOO_SOON = "'%s' %d %s: the measuring chip would trip at %d %s, %s"
_END = "the end of its range, and not after the software; set it to %d or %s"
_SHUNT_END = "the most it can with this shunt, before the software; lower it, or the shunt"
_TOO_LATE = "the least it can with this shunt; fit a larger one, or raise this"
_LATE = (
    "'overrun_ms' and a step take %d ms, but the measuring chip gives the processor up after "
    "'afe_watchdog_s' %d s; lower one or raise the other"
)
_RAMP = (
    "'contactor_ramp_ms' and two steps take %d ms, but the measuring chip cuts the coils %d ms "
    "after the software's trip; raise 'afe_delay_margin_ms', or shorten the ramp"
)
_SHORT_TOO_SOON = "not above its fast over-current trip of %d mA; raise it, or fit a smaller shunt"


def problems(parameters, values=None):
    """Sentences about what would act in the wrong order; an empty list if nothing does.

    `parameters` is the table, `values` proposed ones in its order (else those in force), each
    within its range.
    """
    plan = _Plan(parameters, values)
    found = []
    for protection, unit, sign, least in _SOFTWARE_FIRST:
        name = "%s_trip_%s" % (protection, unit)
        limit = plan.chip(name) - sign * least
        if sign * (limit - plan.software(name)) < 0:
            found.append(plan.sentence(name, name, _END % (limit, "less" if sign > 0 else "more")))
    late_ms = plan.software("overrun_ms") + plan.software("step_period_ms")
    if late_ms >= 1000 * plan.software("afe_watchdog_s"):
        found.append(_LATE % (late_ms, plan.software("afe_watchdog_s")))
    if plan.software("power_path") == _CONTACTOR:
        ramp_ms = plan.software("contactor_ramp_ms") + 2 * plan.software("step_period_ms")
        if ramp_ms > plan.software("afe_delay_margin_ms"):
            found.append(_RAMP % (ramp_ms, plan.software("afe_delay_margin_ms")))
    if not plan.chip_guards_current():
        return found
    for name, slow in _CHIP_FIRST:
        if plan.chip(name) <= plan.software(slow):
            found.append(plan.sentence(slow, name, _SHUNT_END))
        elif 4 * plan.chip(name) > 5 * plan.software(name):
            found.append(plan.sentence(name, name, _TOO_LATE))
    fast_ma = plan.chip("fast_overcurrent_discharge_ma")
    if not found and plan.chip("short_circuit_trip_ma") <= fast_ma:
        found.append(
            plan.sentence(
                "short_circuit_trip_ma", "short_circuit_trip_ma", _SHORT_TOO_SOON % fast_ma
            )
        )
    return found


def rows(parameters, values=None):
    """For a table in the docs: (protection, who is first, margin in threshold, margin in time).

    Both margins as texts with units, for these values.
    """
    plan = _Plan(parameters, values)
    for protection, unit, sign, _ in _SOFTWARE_FIRST:
        name = "%s_trip_%s" % (protection, unit)
        margin = sign * (plan.chip(name) - plan.software(name))
        delay = protection + "_delay_ms"
        if unit == "mv":
            later_ms = plan.chip(delay) - plan.software(delay)
            yield protection, "software", "%d mV" % margin, "%d ms" % later_ms
        else:
            delay_ms = plan.software(delay)
            later_ms = temperature_delay_ms(delay_ms, plan.software("afe_delay_margin_ms"))
            text = "%d.%d K" % (margin // 10, margin % 10)
            yield protection, "software", text, "%d ms" % (later_ms - delay_ms)
    chip_sees = plan.chip_guards_current()
    for direction in ("charge", "discharge"):
        protection = "fast_overcurrent_%s" % direction
        if not chip_sees:
            yield protection, "software alone", "-", "-"
            continue
        above_ma = plan.chip(protection + "_ma") - plan.software(
            "overcurrent_%s_trip_ma" % direction
        )
        sooner_ms = plan.software("fast_overcurrent_backup_ms") - plan.chip(
            "fast_overcurrent_delay_ms"
        )
        yield protection, "chip", "%d mA" % above_ma, "%d ms" % sooner_ms
    yield "short_circuit", "chip alone" if chip_sees else "the fuse alone", "-", "-"
    yield "afe_watchdog", "chip alone", "-", "-"


class _Plan:
    """What the software has and what the chip would take, by the names of parameters."""

    def __init__(self, parameters, values):
        self._parameters = parameters
        self._values = parameters.values if values is None else values
        self._settings = Settings(parameters, self._values)
        self._settings.update()

    def software(self, name):
        return self._values[self._parameters.index(name)]

    def chip_guards_current(self):
        """Not in contactor packs, whose contactors can not break it, nor without a shunt."""
        return (
            self.software("current_sensor") == _AFE_SENSOR
            and self.software("power_path") != _CONTACTOR
        )

    def chip(self, name):
        return self._settings.taken_value(name.replace("afe_over", "own_over"))

    def sentence(self, name, chip_name, advice):
        unit = self._parameters.units.name(self._parameters.index(name))
        return _TOO_SOON % (name, self.software(name), unit, self.chip(chip_name), unit, advice)
