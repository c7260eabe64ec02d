"""What kind of cell the pack is made of: voltage, resistance and their dependences, from a small
dictionary that a lab can measure (`cellsteward fit`) and a person can read.

Goals: a file that can not be right is refused with a sentence; what stays resident is packed in
arrays; look-ups are integers below 2**30 and allocate nothing.
Limits: open-circuit voltage moves linearly with temperature; resistances scale with 1/capacity,
so one model serves cells of all sizes of its kind.

The dictionary, whose keys are those of a cell file:

    name, source        text
    chemistry           a choice of the parameter `chemistry`
    validated           false: nobody compared the model with measured cells
    capacity_mah        of the characterized cell
    ocv_charge_dmv      101 open-circuit voltages at 25 degC in 0.1 mV, 0 to 100 %, after charging
    ocv_discharge_dmv   the same after discharging; nowhere above the other
    ocv_uv_per_k        21 slopes of them over temperature, every 5 %
    hysteresis_bp       charge, in 0.01 % of capacity, that does 63 % of a change of branch
    r0_temperature_dc   temperatures, ascending, of
    r0_uohm             the resistance within about one second
    rc_tau_s            time constants of the slower polarization, and
    rc_permille         their resistances in 1/1000 of r0
    error_dmv           how wrong all of this is: one standard deviation of the slow error
"""

from array import array

from bms.table import give_back

BRANCH_MAX = 1000
"""The branch of the hysteresis: BRANCH_MAX after charging, -BRANCH_MAX after discharging."""

_OCV_STEP_BP = 100
_SLOPE_STEP_BP = 500
_FULL_BP = 10000
_REFERENCE_DC = 250
_SLOPES = 21
# A product of uohm and Ah above this (an ohm for one Ah; usual are 30 to 80 milliohm at 25 degC)
# would leave the small integers; in such cold the voltage says nothing about the charge anyway.
_R0_MAX_UOHM_AH = 1000000


class CellModelError(ValueError):
    """The dictionary describes no cell; the text says what to correct."""


class CellModel:
    """A checked and packed cell. Raises CellModelError.

    name, source, chemistry, validated, capacity_mah, hysteresis_bp, error_dmv, rc_tau_s,
    rc_permille: as in the dictionary.
    """

    def __init__(self, cell):
        from bms.cell_check import check

        check(cell)
        give_back("bms.cell_check")  # nobody asks again
        self.name = cell["name"]
        self.source = cell["source"]
        self.chemistry = cell["chemistry"]
        self.validated = cell["validated"]
        self.capacity_mah = cell["capacity_mah"]
        self.hysteresis_bp = cell["hysteresis_bp"]
        self.error_dmv = cell["error_dmv"]
        self.rc_tau_s = array("i", cell["rc_tau_s"])
        self.rc_permille = array("i", cell["rc_permille"])
        self._charge_dmv = array("H", cell["ocv_charge_dmv"])
        self._discharge_dmv = array("H", cell["ocv_discharge_dmv"])
        self._uv_per_k = array("h", cell["ocv_uv_per_k"])
        self._r0_dc = array("h", cell["r0_temperature_dc"])
        self._r0_uohm_ah = array(
            "i", [min(_R0_MAX_UOHM_AH, r * self.capacity_mah // 1000) for r in cell["r0_uohm"]]
        )

    def ocv_dmv(self, soc_bp, branch, temperature_dc=_REFERENCE_DC):
        """Open-circuit voltage in 0.1 mV of a cell at `soc_bp` (what is outside 0 to 100 % counts
        as its end) on `branch` (-BRANCH_MAX to BRANCH_MAX)."""
        soc_bp = max(0, min(_FULL_BP, soc_bp))
        charge = _between(self._charge_dmv, soc_bp, _OCV_STEP_BP)
        discharge = _between(self._discharge_dmv, soc_bp, _OCV_STEP_BP)
        slope = _between(self._uv_per_k, soc_bp, _SLOPE_STEP_BP)
        return (
            discharge
            + (charge - discharge) * (branch + BRANCH_MAX) // (2 * BRANCH_MAX)
            + slope * (temperature_dc - _REFERENCE_DC) // 1000
        )

    def curve_into(self, curve_dmv, branch, temperature_dc):
        """Write `ocv_dmv` of every percent to the first 101 places of an array."""
        charge_dmv = self._charge_dmv
        discharge_dmv = self._discharge_dmv
        share = (branch + BRANCH_MAX) // 2
        warmer_dc = temperature_dc - _REFERENCE_DC
        slope = 0
        rise = 0
        for place in range(len(charge_dmv)):
            fifth = place % 5
            if fifth == 0:
                at = place // 5
                slope = self._uv_per_k[at] * 5
                rise = self._uv_per_k[at + 1] - self._uv_per_k[at] if at + 1 < _SLOPES else 0
            ocv = discharge_dmv[place]
            ocv += (charge_dmv[place] - ocv) * share // BRANCH_MAX
            curve_dmv[place] = ocv + (slope + rise * fifth) * warmer_dc // 5000

    def soc_bp(self, voltage_dmv, branch, temperature_dc=_REFERENCE_DC):
        """State of charge at which a rested cell has this voltage; the ends outside of the curve.
        On the flat part of a LiFePO4 curve a millivolt is several percent."""
        low = 0
        high = _FULL_BP
        while low < high:
            middle = (low + high) // 2
            if self.ocv_dmv(middle, branch, temperature_dc) < voltage_dmv:
                low = middle + 1
            else:
                high = middle
        return low

    def r0_uohm(self, temperature_dc, capacity_mah):
        """Resistance within about one second of a cell of `capacity_mah`; outside of the table's
        temperatures that of its end."""
        at = self._r0_dc
        last = len(at) - 1
        row = 0
        while row < last and temperature_dc >= at[row + 1]:
            row += 1
        r0 = self._r0_uohm_ah[row]
        if row < last and temperature_dc > at[row]:
            r0 += (
                (self._r0_uohm_ah[row + 1] - r0)
                * (temperature_dc - at[row])
                // (at[row + 1] - at[row])
            )
        return r0 * 1000 // capacity_mah


def _between(table, soc_bp, step_bp):
    """Linear interpolation in a table that has a value every `step_bp`."""
    at = soc_bp // step_bp
    value = table[at]
    rest = soc_bp - at * step_bp
    if rest:
        value += (table[at + 1] - value) * rest // step_bp
    return value
