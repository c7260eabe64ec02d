"""Who acts first: the software or a BQ769x0's own protections; and what this chip can not guard.

Law 5, as bq76952_layers has it for the other chip: voltages of cells belong to the software, the
chip trips beyond and waits longer; fast over-current of discharge belongs to the chip by time,
short circuit to it alone. Charge current and temperatures are the software's alone.
Goals: a configuration is refused with a sentence that says what to do if this chip could not guard
it, or would act in the wrong order. The chip's own calibration is not known here: what must hold
holds for the smallest and the largest gain that such chips have.
Limits: for start-up and configuration code: allocates, and takes some ms. Imported when needed.
"""

from afe.bq769x0_registers import GROUP
from afe.bq769x0_settings import Settings

_AFE_SENSOR = 0  # value of the parameter current_sensor
_CONTACTOR = 2  # value of the parameter power_path
_LEAST_IN_GROUP = 3
_GAINS_UV = (365, 396)  # all that ADCGAIN can say
_USUAL_GAIN_UV = 380
_LEAST_MV = 20  # margin of cell voltages, as in bq76952_layers

_SOFTWARE_FIRST = (("cell_overvoltage", 1), ("cell_undervoltage", -1))
_CHIP_FIRST = ("fast_overcurrent_discharge_ma", "short_circuit_trip_ma")
_SOFTWARE_ALONE = (
    "fast_overcurrent_charge",
    "overtemperature_charge",
    "overtemperature_discharge",
    "undertemperature_charge",
    "undertemperature_discharge",
    "fet_overtemperature",
    "afe_overtemperature",
)

_TRIP = (
    "'%s' %d mV: the measuring chip's nearest trip beyond it may be %d mV, the end of its range; "
    "it can not guard such cells"
)
_CELLS = "'series_cells' is %d: this measuring chip has %d inputs, for %d to %d cells"
_SENSORS = "'cell_thermistors' and 'fet_thermistor' are %d together: this measuring chip has %d"
_NO_COILS = (
    "'power_path' is contactor: this measuring chip has no outputs that could cut the coils"
)
_NO_PREDISCHARGE = "'predischarge' is on, but this measuring chip has no gate for it: set it to no"
_SHUNT_END = (
    "'overcurrent_discharge_trip_ma' %d mA: the measuring chip would trip at %d mA, before the "
    "software; lower it, or fit a smaller shunt"
)
_TOO_LATE = (
    "'%s' %d mA: the least that the measuring chip can with this shunt is %d mA; fit a larger "
    "one, or raise this"
)
_SHORT_TOO_SOON = (
    "'short_circuit_trip_ma': the measuring chip would trip at %d mA, not above its fast "
    "over-current trip of %d mA; raise it, or fit a smaller shunt"
)


def problems(parameters, inputs, values=None):
    """Sentences about what a chip with so many `inputs` can not guard; empty if it can.

    `parameters` is the table, `values` proposed ones in its order (else those in force), each
    within its range.
    """
    plan = _Plan(parameters, values)
    return plan.equipment(inputs) + plan.voltages() + plan.currents()


def rows(parameters, values=None):
    """For a table in the docs: (protection, who is first, margin in threshold, margin in time)."""
    plan = _Plan(parameters, values)
    plan.settings.update(_USUAL_GAIN_UV, 0)
    for protection, sign in _SOFTWARE_FIRST:
        trip = protection + "_trip_mv"
        delay = protection + "_delay_ms"
        margin_mv = sign * (plan.chip(trip) - plan.software(trip))
        later_ms = plan.chip(delay) - plan.software(delay)
        yield protection, "software", "%d mV" % margin_mv, "%d ms" % later_ms
    if plan.software("current_sensor") == _AFE_SENSOR:
        above_ma = plan.chip(_CHIP_FIRST[0]) - plan.software("overcurrent_discharge_trip_ma")
        backup_ms = plan.software("fast_overcurrent_backup_ms")
        sooner_ms = backup_ms - plan.chip("fast_overcurrent_delay_ms")
        yield "fast_overcurrent_discharge", "chip", "%d mA" % above_ma, "%d ms" % sooner_ms
        yield "short_circuit", "chip alone", "-", "-"
    else:
        yield "fast_overcurrent_discharge", "software alone", "-", "-"
        yield "short_circuit", "the fuse alone", "-", "-"
    for protection in _SOFTWARE_ALONE:
        yield protection, "software alone", "-", "-"
    yield "afe_watchdog", "the processor's watchdog alone", "-", "-"


class _Plan:
    """What the software has and what the chip would take, by the names of parameters."""

    def __init__(self, parameters, values):
        self._parameters = parameters
        self._values = parameters.values if values is None else values
        self.settings = Settings(parameters, self._values)

    def software(self, name):
        return self._values[self._parameters.index(name)]

    def chip(self, name):
        return self.settings.taken_value(name)

    def equipment(self, inputs):
        """What the chip has not."""
        found = []
        groups = inputs // GROUP
        cells = self.software("series_cells")
        if not _LEAST_IN_GROUP * groups <= cells <= inputs:
            found.append(_CELLS % (cells, inputs, _LEAST_IN_GROUP * groups, inputs))
        sensors = self.software("cell_thermistors") + self.software("fet_thermistor")
        if sensors > groups:
            found.append(_SENSORS % (sensors, groups))
        if self.software("power_path") == _CONTACTOR:
            found.append(_NO_COILS)
        if self.software("predischarge"):
            found.append(_NO_PREDISCHARGE)
        return found

    def voltages(self):
        """Trips of cells that would not lie beyond the software's."""
        found = []
        for protection, sign in _SOFTWARE_FIRST:
            name = protection + "_trip_mv"
            software_mv = self.software(name)
            for gain_uv in _GAINS_UV:
                self.settings.update(gain_uv, 0)
                margin_mv = sign * (self.chip(name) - software_mv)
                # Much later than asked is as bad as too soon: the range ends above low trips.
                most_mv = self.software("afe_voltage_margin_mv") + _LEAST_MV
                if margin_mv < _LEAST_MV or (sign > 0 and margin_mv > most_mv):
                    found.append(_TRIP % (name, software_mv, self.chip(name)))
                    break
        return found

    def currents(self):
        """Trips of current in the wrong order, or much later than asked."""
        found = []
        if self.software("current_sensor") != _AFE_SENSOR:
            return found  # the chip sees no current
        slow_ma = self.software("overcurrent_discharge_trip_ma")
        for name in _CHIP_FIRST:
            chip_ma = self.chip(name)
            if chip_ma <= slow_ma:
                found.append(_SHUNT_END % (slow_ma, chip_ma))
            elif 4 * chip_ma > 5 * self.software(name):
                found.append(_TOO_LATE % (name, self.software(name), chip_ma))
        fast_ma, short_ma = self.chip(_CHIP_FIRST[0]), self.chip(_CHIP_FIRST[1])
        if not found and short_ma <= fast_ma:
            found.append(_SHORT_TOO_SOON % (short_ma, fast_ma))
        return found
